#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

#define NOW 1700000000

/* The signature header of a good request, changed; the rest stays as it was. */
static void assert_verdict(struct bench *bench, const char *scheme_name, const char *format,
                           enum e8_verdict expected)
{
    const struct e8_scheme *scheme = scheme_named(bench, scheme_name);
    struct e8_signer *signer =
        signer_of(scheme, scheme->secret == E8_SECRET_WHSEC ? WHSEC_SECRET : RAW_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{\"a\":1}"));
    struct e8_str good = request.headers[0].value;
    size_t n = e8_signer_scheme(signer)->encoding == E8_SIGN_HEX ? 64 : 44;
    char digest[65] = "", value[512];
    memcpy(digest, good.p + good.n - n, n);
    struct e8_buf buf;
    e8_buf_fixed(&buf, value, sizeof value);
    for (const char *at = format; *at != 0; at++) {
        if (*at == 'D')
            e8_buf_puts(&buf, digest);
        else if (*at == 'X') /* a digest that is none of ours */
            e8_buf_puts(&buf, n == 64 ? "0000000000000000000000000000000000000000000000000000000000000000"
                                      : "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        else if (*at == 'S') /* short by one */
            e8_buf_put(&buf, digest, n - 1);
        else if (*at == 'N')
            e8_buf_putu(&buf, NOW);
        else
            e8_buf_putc(&buf, *at);
    }
    request_set(&request, scheme->header, e8_buf_str(&buf));
    enum e8_verdict verdict = request_verify(&request, signer, NOW);
    if (verdict != expected)
        fail_msg("%s: \"%s\" is %s, not %s", scheme_name, format, e8_verdict_name(verdict),
                 e8_verdict_name(expected));
    e8_signer_free(&signer);
}

static void the_form_is_strict(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *scheme, *format;
        enum e8_verdict verdict;
    } rows[] = {
        {"8bit", "sha256=D", E8_VERIFIED},
        {"8bit", " \tsha256=D ", E8_VERIFIED}, /* white space around a value is none of it (RFC 9110, 5.5) */
        {"8bit", "sha256=X", E8_SIG_MISMATCH},
        {"8bit", "", E8_SIG_MALFORMED},
        {"8bit", "D", E8_SIG_MALFORMED},
        {"8bit", "sha256=", E8_SIG_MALFORMED},
        {"8bit", "sha256=sha256=D", E8_SIG_MALFORMED},
        {"8bit", "shA256=D", E8_SIG_MALFORMED},
        {"8bit", "sha1=D", E8_SIG_MALFORMED},
        {"8bit", "sha256= D", E8_SIG_MALFORMED},
        {"8bit", "sha256=S", E8_SIG_MALFORMED},
        {"8bit", "sha256=D0", E8_SIG_MALFORMED},
        {"8bit", "sha256=D,sha256=D", E8_SIG_MALFORMED},
        {"8bit", "sha256=Sg", E8_SIG_MALFORMED},
        {"8bit", "sha256=0xS", E8_SIG_MALFORMED},
        {"8bit", "sha256=S ", E8_SIG_MALFORMED},
        {"standard-webhooks", "v1,D", E8_VERIFIED},
        {"standard-webhooks", "v1,X v1,D", E8_VERIFIED},
        {"standard-webhooks", "v1a,X v1,D  v2,abc", E8_VERIFIED},
        {"standard-webhooks", "v1,X", E8_SIG_MISMATCH},
        {"standard-webhooks", "", E8_SIG_MALFORMED},
        {"standard-webhooks", "D", E8_SIG_MALFORMED},
        {"standard-webhooks", "v2,D", E8_SIG_MALFORMED},
        {"standard-webhooks", "v1,v1,D", E8_SIG_MALFORMED},
        {"standard-webhooks", "v1,S", E8_SIG_MALFORMED}, /* unpadded */
        {"standard-webhooks", "v1,", E8_SIG_MALFORMED},
        {"standard-webhooks", "v1,D v1,S", E8_SIG_MALFORMED},
        {"standard-webhooks", "v1,D,v1,D", E8_SIG_MALFORMED},
        {"stripe", "t=N,v1=D", E8_VERIFIED},
        {"stripe", "v1=D,t=N", E8_VERIFIED},
        {"stripe", "t=N, v1=D, v0=abc", E8_VERIFIED},
        {"stripe", "t=N,v1=X,v1=D", E8_VERIFIED},
        {"stripe", "t=N,v1=X", E8_SIG_MISMATCH},
        {"stripe", "t=N,v0=D", E8_SIG_MALFORMED},
        {"stripe", "t=N", E8_SIG_MALFORMED},
        {"stripe", "v1=D", E8_TIME_MISSING},
        {"stripe", "t=,v1=D", E8_TIME_MISSING},
        {"stripe", "t=N,t=N,v1=D", E8_TIME_MISSING},
        {"stripe", "t=Nx,v1=D", E8_TIME_MISSING},
        {"stripe", "t=0N,v1=D", E8_TIME_MISSING},
        {"stripe", "t=-N,v1=D", E8_TIME_MISSING},
        {"stripe", "t=+N,v1=D", E8_TIME_MISSING},
        {"stripe", "t=N.0,v1=D", E8_TIME_MISSING},
        {"stripe", "t=N000000000000000,v1=D", E8_TIME_MISSING}, /* no int64 */
        {"stripe", "t=N0,v1=D", E8_SIG_MISMATCH},
        {"slack", "v0=D", E8_VERIFIED},
        {"slack", "v1=D", E8_SIG_MALFORMED},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        assert_verdict(bench, rows[i].scheme, rows[i].format, rows[i].verdict);
}

static void upper_case_hex_is_malformed(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), RAW_SECRET);
    struct request request;
    request_sign(&request, signer, "", 0, E8_LIT("{}"));
    for (size_t i = 7; i < request.headers[0].value.n; i++) {
        char *c = &request.memory[0][i];
        if (*c < 'a')
            continue;
        *c = (char)(*c - 32);
        assert_int_equal(request_verify(&request, signer, NOW), E8_SIG_MALFORMED);
        *c = (char)(*c + 32);
    }
    assert_int_equal(request_verify(&request, signer, NOW), E8_VERIFIED);
    e8_signer_free(&signer);
}

static void too_much_is_malformed(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "standard-webhooks"), WHSEC_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{}"));
    struct e8_buf buf;
    e8_buf_init(&buf, 65536);
    for (int i = 0; i < 32; i++) {
        e8_buf_putstr(&buf, e8_str_trim(request.headers[0].value));
        e8_buf_putc(&buf, ' ');
    }
    struct e8_header headers[3] = {request.headers[0], request.headers[1], request.headers[2]};
    headers[0].value = e8_buf_str(&buf);
    assert_int_equal(e8_verify(signer, headers, 3, request.body, NOW * E8_NS_S, 0, NULL), E8_VERIFIED);
    e8_buf_putstr(&buf, request.headers[0].value);
    headers[0].value = e8_buf_str(&buf);
    assert_int_equal(e8_verify(signer, headers, 3, request.body, NOW * E8_NS_S, 0, NULL), E8_SIG_MALFORMED);
    e8_buf_reset(&buf);
    e8_buf_putstr(&buf, request.headers[0].value);
    while (buf.n <= E8_SIGNATURE_MAX)
        e8_buf_puts(&buf, " v9,x");
    headers[0].value = e8_buf_str(&buf);
    assert_int_equal(e8_verify(signer, headers, 3, request.body, NOW * E8_NS_S, 0, NULL), E8_SIG_MALFORMED);
    e8_buf_fini(&buf);
    e8_signer_free(&signer);
}

static void headers_are_found_in_any_case_and_only_once(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "standard-webhooks"), WHSEC_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{}"));
    request.headers[0].name = E8_LIT("WEBHOOK-SIGNATURE");
    assert_int_equal(request_verify(&request, signer, NOW), E8_VERIFIED);
    static const enum e8_verdict twice[] = {E8_SIG_MALFORMED, E8_ID_MISSING, E8_TIME_MISSING};
    for (size_t i = 0; i < 3; i++) { /* even when both are the same */
        request.headers[3] = request.headers[i];
        request.count = 4;
        assert_int_equal(request_verify(&request, signer, NOW), twice[i]);
    }
    request.count = 3;
    static const enum e8_verdict missing[] = {E8_SIG_MISSING, E8_ID_MISSING, E8_TIME_MISSING};
    for (size_t i = 0; i < 3; i++) {
        struct e8_str name = request.headers[i].name;
        request.headers[i].name = E8_LIT("X-Other");
        assert_int_equal(request_verify(&request, signer, NOW), missing[i]);
        request.headers[i].name = name;
    }
    request_set(&request, "webhook-id", E8_LIT(""));
    assert_int_equal(request_verify(&request, signer, NOW), E8_ID_MISSING);
    request_set(&request, "webhook-id", E8_LIT("msg_2"));
    assert_int_equal(request_verify(&request, signer, NOW), E8_SIG_MISMATCH);
    assert_int_equal(e8_verify(signer, NULL, 0, request.body, 0, -1, NULL), E8_SIG_MISSING);
    e8_signer_free(&signer);
}

static void the_tolerance_holds_to_the_second(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"standard-webhooks", "stripe", "slack"};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        const struct e8_scheme *scheme = scheme_named(bench, names[i]);
        struct e8_signer *signer = signer_of(scheme, i == 0 ? WHSEC_SECRET : RAW_SECRET);
        struct request request;
        request_sign(&request, signer, "msg_1", NOW, E8_LIT("{}"));
        assert_int_equal(request_verify(&request, signer, NOW + 300), E8_VERIFIED);
        assert_int_equal(request_verify(&request, signer, NOW + 301), E8_TIME_OLD);
        assert_int_equal(request_verify(&request, signer, NOW - 300), E8_VERIFIED);
        assert_int_equal(request_verify(&request, signer, NOW - 301), E8_TIME_NEW);
        assert_int_equal(request_verify(&request, signer, -9223372036), E8_TIME_NEW);
        request.body = E8_LIT("{ }"); /* a false signature comes before a stale one */
        assert_int_equal(request_verify(&request, signer, NOW + 301), E8_SIG_MISMATCH);
        e8_signer_free(&signer);
    }
}

static void the_tolerance_is_the_callers(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "slack"), RAW_SECRET);
    struct request request;
    request_sign(&request, signer, "", INT64_MAX, E8_LIT("{}"));
    static const struct {
        e8_wall_ns now;
        e8_dur_ns tolerance;
        enum e8_verdict verdict;
    } rows[] = {
        {INT64_MIN, -1, E8_VERIFIED},
        {INT64_MIN, INT64_MAX, E8_TIME_NEW},
        {0, 0, E8_TIME_NEW},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        assert_int_equal(e8_verify(signer, request.headers, request.count, request.body, rows[i].now,
                                   rows[i].tolerance, NULL),
                         rows[i].verdict);
    request_sign(&request, signer, "", 100, E8_LIT("{}"));
    const e8_wall_ns later = 101 * E8_NS_S - 1; /* the same second still */
    assert_int_equal(e8_verify(signer, request.headers, request.count, request.body, later, 0, NULL),
                     E8_VERIFIED);
    assert_int_equal(e8_verify(signer, request.headers, request.count, request.body, later + 1, 0, NULL),
                     E8_TIME_OLD);
    assert_int_equal(
        e8_verify(signer, request.headers, request.count, request.body, 100 * E8_NS_S - 1, 0, NULL),
        E8_TIME_NEW);
    e8_signer_free(&signer);
}

static void schemes_without_a_timestamp_know_no_age(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), RAW_SECRET);
    struct request request;
    request_sign(&request, signer, "", 0, E8_LIT("{}"));
    assert_int_equal(e8_verify(signer, request.headers, request.count, request.body, INT64_MAX, 0, NULL),
                     E8_VERIFIED);
    e8_signer_free(&signer);
}

static void bodies_are_raw_bytes(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), RAW_SECRET);
    static const struct e8_str bodies[] = {STATIC(""), STATIC("\0"), STATIC("{\"a\":\xff\xfe\0}"),
                                           STATIC("{}\r\n"), STATIC("\xef\xbb\xbf{}")};
    for (size_t i = 0; i < E8_COUNT(bodies); i++) {
        struct request request;
        request_sign(&request, signer, "", 0, bodies[i]);
        for (size_t j = 0; j < E8_COUNT(bodies); j++) {
            request.body = bodies[j];
            assert_int_equal(request_verify(&request, signer, NOW), i == j ? E8_VERIFIED : E8_SIG_MISMATCH);
        }
    }
    e8_signer_free(&signer);
}

static void another_secret_does_not_verify(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "8bit");
    struct e8_signer *right = signer_of(scheme, RAW_SECRET), *wrong = signer_of(scheme, OTHER_SECRET);
    struct request request;
    request_sign(&request, right, "", 0, E8_LIT("{}"));
    size_t matched = 7;
    assert_int_equal(e8_verify(wrong, request.headers, request.count, request.body, 0, -1, &matched),
                     E8_SIG_MISMATCH);
    assert_int_equal(matched, 7);
    e8_signer_free(&right);
    e8_signer_free(&wrong);
}

static void verdicts_have_distinct_names(void **state)
{
    (void)state;
    for (int i = E8_VERIFIED; i <= E8_ID_MISSING; i++) {
        assert_true(strlen(e8_verdict_text((enum e8_verdict)i)) > 10);
        for (int j = i + 1; j <= E8_ID_MISSING; j++)
            assert_string_not_equal(e8_verdict_name((enum e8_verdict)i), e8_verdict_name((enum e8_verdict)j));
    }
}

int test_verifying(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_strict),
        cmocka_unit_test(upper_case_hex_is_malformed),
        cmocka_unit_test(too_much_is_malformed),
        cmocka_unit_test(headers_are_found_in_any_case_and_only_once),
        cmocka_unit_test(the_tolerance_holds_to_the_second),
        cmocka_unit_test(the_tolerance_is_the_callers),
        cmocka_unit_test(schemes_without_a_timestamp_know_no_age),
        cmocka_unit_test(bodies_are_raw_bytes),
        cmocka_unit_test(another_secret_does_not_verify),
        cmocka_unit_test(verdicts_have_distinct_names),
    };
    return cmocka_run_group_tests_name("sign verifying", tests, bench_setup, bench_teardown);
}
