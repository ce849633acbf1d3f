#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

static void assert_signature(const struct e8_scheme *scheme, const char *secret, const char *expected)
{
    struct e8_signer *signer = signer_of(scheme, secret);
    struct e8_sign_input in = {.id = E8_LIT("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                               .timestamp = 1614265330,
                               .body = E8_LIT("{\"test\": 2432232314}")};
    struct e8_buf out;
    e8_buf_init(&out, 4096);
    e8_signer_sign(signer, &in, &out);
    assert_string_equal(e8_buf_cstr(&out), expected);
    e8_buf_fini(&out);
    e8_signer_free(&signer);
}

/* The first is the vector of Standard Webhooks; the others were made with Python's hmac. */
static void schemes_sign_as_they_say(void **state)
{
    struct bench *bench = *state;
    assert_signature(scheme_named(bench, "standard-webhooks"), WHSEC_SECRET,
                     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_signature(scheme_named(bench, "standard-webhooks"), &WHSEC_SECRET[6],
                     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert_signature(scheme_named(bench, "8bit"), RAW_SECRET,
                     "sha256=fd98f3167cae21320482e551ffff4b9572d509ed89a8b62efbeb739a92aad8ad");
    assert_signature(scheme_named(bench, "github"), RAW_SECRET,
                     "sha256=fd98f3167cae21320482e551ffff4b9572d509ed89a8b62efbeb739a92aad8ad");
    assert_signature(scheme_named(bench, "stripe"), RAW_SECRET,
                     "t=1614265330,v1=0b9775cba23b45ae738cb38832c7573e3d2ec2dab56eeb74da402e85ca1a3b5e");
    assert_signature(scheme_named(bench, "slack"), RAW_SECRET,
                     "v0=b183de2be392d93f26c8e07be61cd166187d5b1f51873dec32956c4a151f8764");
    assert_signature(custom(bench, "{\"header\": \"X-S\", \"algorithm\": \"sha1\", \"secret\": \"hex\","
                                   " \"encoding\": \"base64\"}"),
                     RAW_SECRET, "Mu8HwYpnEDL8uNIUa1YO9i+eQnw=");
    assert_signature(
        custom(bench, "{\"header\": \"X-S\", \"algorithm\": \"sha512\", \"secret\": \"base64\"}"), RAW_SECRET,
        "7a24c95e790d91d2e0f1ba08523d65a004934851ca6f6b5d18e5bb9f80c99e0d6f5f74aa6df00c1032aa1367abb6d89681fd"
        "9fc747cf57e3c19b4d7fe69b2745");
}

static void every_secret_signs_during_a_rotation(void **state)
{
    struct bench *bench = *state;
    const char *const secrets[] = {RAW_SECRET, OTHER_SECRET};
    static const struct {
        const char *name;
        const char *between;
    } rows[] = {{"stripe", ",v1="}, {"8bit", NULL}};
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_signer *signer = NULL;
        assert_int_equal(e8_signer_new(scheme_named(bench, rows[i].name), secrets, 2, &signer, NULL), E8_OK);
        struct request request;
        request_sign(&request, signer, "id", 1000, E8_LIT("{}"));
        assert_int_equal(request_verify(&request, signer, 1000), E8_VERIFIED);
        struct e8_signer *first = signer_of(scheme_named(bench, rows[i].name), secrets[0]);
        struct e8_signer *second = signer_of(scheme_named(bench, rows[i].name), secrets[1]);
        assert_int_equal(request_verify(&request, first, 1000), E8_VERIFIED);
        assert_int_equal(request_verify(&request, second, 1000),
                         rows[i].between ? E8_VERIFIED : E8_SIG_MISMATCH);
        /* Who knows both accepts either, and says which it was. */
        request_sign(&request, second, "id", 1000, E8_LIT("{}"));
        size_t matched = 99;
        assert_int_equal(e8_verify(signer, request.headers, request.count, request.body, 0, -1, &matched),
                         E8_VERIFIED);
        assert_int_equal(matched, 1);
        e8_signer_free(&first);
        e8_signer_free(&second);
        e8_signer_free(&signer);
    }
}

static void eight_secrets_fit_the_header(void **state)
{
    struct bench *bench = *state;
    const char *const secrets[] = {OTHER_SECRET "1", OTHER_SECRET "2", OTHER_SECRET "3",
                                   OTHER_SECRET "4", OTHER_SECRET "5", OTHER_SECRET "6",
                                   OTHER_SECRET "7", OTHER_SECRET "8", OTHER_SECRET "9"};
    const struct e8_scheme *scheme = custom(
        bench, "{\"header\": \"X-S\", \"algorithm\": \"sha512\", \"separator\": \" , \", \"multiple\": true,"
               "\"timestamp_header\": \"X-T\", \"content\": \"{timestamp}{body}\", \"prefix\": "
               "\"0123456789012345678901234567890123456789012345678901234567890:v=\"}");
    assert_non_null(scheme);
    struct e8_signer *signer = NULL;
    assert_int_equal(e8_signer_new(scheme, secrets, 9, &signer, NULL), E8_INPUT);
    assert_null(signer);
    assert_int_equal(e8_signer_new(scheme, secrets, 8, &signer, NULL), E8_OK);
    struct e8_sign_input in = {.timestamp = INT64_MAX, .body = E8_LIT("x")};
    char memory[E8_SIGNATURE_MAX];
    struct e8_buf out;
    e8_buf_fixed(&out, memory, sizeof memory);
    e8_signer_sign(signer, &in, &out);
    assert_false(out.full);
    struct e8_header headers[] = {{E8_LIT("x-s"), e8_buf_str(&out)},
                                  {E8_LIT("X-T"), E8_LIT("9223372036854775807")}};
    assert_int_equal(e8_verify(signer, headers, 2, in.body, 0, -1, NULL), E8_VERIFIED);
    e8_signer_free(&signer);
}

static void assert_secret_refused(const struct e8_scheme *scheme, const char *secret, const char *what)
{
    struct e8_signer *signer = NULL;
    struct e8_err err = {0};
    assert_int_equal(e8_signer_new(scheme, &secret, 1, &signer, &err), E8_INPUT);
    assert_null(signer);
    if (strstr(err.what, what) == NULL)
        fail_msg("said \"%s\", not \"%s\"", err.what, what);
    assert_true(err.hint[0] != 0);
    for (size_t i = 0; secret != NULL && i + 4 <= strlen(secret);
         i++) { /* no four characters of it are shown */
        char piece[5] = {secret[i], secret[i + 1], secret[i + 2], secret[i + 3], 0};
        if (strcmp(piece, "whse") != 0 && strcmp(piece, "hsec") != 0 && strcmp(piece, "sec_") != 0)
            assert_true(strstr(err.what, piece) == NULL && strstr(err.hint, piece) == NULL);
    }
}

static void bad_secrets_are_refused_and_never_shown(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *raw = scheme_named(bench, "8bit"),
                           *whsec = scheme_named(bench, "standard-webhooks");
    const struct e8_scheme *hex =
        custom(bench, "{"
                      "\"header\": \"X\", \"algorithm\": \"sha256\", \"secret\": \"hex\"}");
    const struct e8_scheme *base64 =
        custom(bench, "{"
                      "\"header\": \"X\", \"algorithm\": \"sha256\", \"secret\": \"base64\"}");
    assert_secret_refused(raw, "", "empty");
    assert_secret_refused(raw, NULL, "empty");
    assert_secret_refused(raw, "qwzxvbQWZXVB012", "too short");
    assert_secret_refused(whsec, "whsec_", "too short");
    assert_secret_refused(whsec, "whsec_QWZXQWZXQWZXQWZX", "too short"); /* 12 bytes */
    assert_secret_refused(whsec, "whsec_QWZX!QWZXQWZXQWZXQWZXQWZX", "whsec_BASE64");
    assert_secret_refused(whsec, "whsec_QWZX QWZXQWZXQWZXQWZXQWZX", "whsec_BASE64");
    assert_secret_refused(whsec, "whsec_QWZXQWZXQWZXQWZXQWZXQWZXQ", "whsec_BASE64");
    assert_secret_refused(whsec, "whsec_whsec_QWZXQWZXQWZXQWZXQWZX", "whsec_BASE64");
    assert_secret_refused(hex, "0123456789abcdefg", "not hex");
    assert_secret_refused(hex, "0123456789abcdef", "too short");
    assert_secret_refused(base64, "qwzx-qwzxqwzxqwzxqwzxqw", "not base64");
    struct e8_signer *signer = NULL;
    assert_int_equal(e8_signer_new(raw, NULL, 0, &signer, NULL), E8_INPUT);
    const char *const second_bad[] = {RAW_SECRET, "short"};
    assert_int_equal(e8_signer_new(raw, second_bad, 2, &signer, NULL), E8_INPUT);
    assert_null(signer);
    e8_signer_free(&signer);
}

static void sixteen_characters_are_enough(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), "0123456789abcdef");
    e8_signer_free(&signer);
    assert_null(signer);
    signer = signer_of(scheme_named(bench, "standard-webhooks"),
                       "whsec_AAAAAAAAAAAAAAAAAAAAAA"); /* 16 zero bytes */
    e8_signer_free(&signer);
}

static void a_signature_is_appended(void **state)
{
    struct bench *bench = *state;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), RAW_SECRET);
    struct e8_sign_input in = {.body = {NULL, 0}};
    struct e8_buf out;
    e8_buf_init(&out, 4096);
    e8_buf_puts(&out, "X: ");
    e8_signer_sign(signer, &in, &out);
    assert_int_equal(out.n, 3 + 7 + 64);
    assert_memory_equal(out.p, "X: sha256=", 10);
    e8_buf_fini(&out);
    e8_signer_free(&signer);
}

int test_signing(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schemes_sign_as_they_say),
        cmocka_unit_test(every_secret_signs_during_a_rotation),
        cmocka_unit_test(eight_secrets_fit_the_header),
        cmocka_unit_test(bad_secrets_are_refused_and_never_shown),
        cmocka_unit_test(sixteen_characters_are_enough),
        cmocka_unit_test(a_signature_is_appended),
    };
    return cmocka_run_group_tests_name("sign signing", tests, bench_setup, bench_teardown);
}
