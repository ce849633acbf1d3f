#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

#define NOW 1700000000

/* What is said of a request to a receiver with this scheme and secret; freed by the caller. */
static char *explained(struct request *request, const struct e8_scheme *scheme, const char *secret)
{
    struct e8_signer *signer = signer_of(scheme, secret);
    enum e8_verdict verdict = request_verify(request, signer, NOW);
    e8_signer_free(&signer);
    struct e8_buf out;
    e8_buf_init(&out, 1 << 20);
    e8_sign_explain(scheme, &secret, 1, request->headers, request->count, request->body, verdict, &out);
    assert_false(out.full);
    char *text = e8_dup(e8_buf_cstr(&out));
    e8_buf_fini(&out);
    assert_null(strstr(text, secret));
    if (strlen(secret) > 6)
        assert_null(strstr(text, secret + 6));
    return text;
}

static void assert_explained(struct request *request, const struct e8_scheme *scheme, const char *secret,
                             const char *what)
{
    char *text = explained(request, scheme, secret);
    if (strstr(text, what) == NULL)
        fail_msg("\"%s\" is not in:\n%s", what, text);
    free(text);
}

/* The body as it came, and as the sender signed it; written by hand, or by the tools that are named. */
static const struct {
    struct e8_str received, signed_body;
    const char *cause;
} bodies[] = {
    {STATIC("{\"b\": 1.0, \"a\": [1, {}]}"), STATIC("{\"b\":1,\"a\":[1,{}]}"),
     "compact JSON, as JSON.stringify"},
    {STATIC("{\"b\":1.50,\"a\":1e2}"), STATIC("{\"b\":1.5,\"a\":100}"), "compact JSON, as JSON.stringify"},
    {STATIC("{\"b\":\"\\u00e9\\/\"}"), STATIC("{\"b\":\"\xc3\xa9/\"}"), "compact JSON, as JSON.stringify"},
    {STATIC("{\"b\":1,\"a\":[true,null,\"\xf0\x9f\x98\x80\"]}"),
     STATIC("{\"b\": 1, \"a\": [true, null, \"\\ud83d\\ude00\"]}"), "Python's json.dumps"},
    {STATIC("{\"b\":\"\xc3\xa9\"}"), STATIC("{\"b\": \"\xc3\xa9\"}"), "JSON with spaces behind ',' and ':'"},
    {STATIC("{\"b\":\"\xc3\xa9/\"}"), STATIC("{\"b\":\"\\u00e9\\/\"}"), "PHP's json_encode"},
    {STATIC("{\"b\":\"\xc3\xa9/\"}"), STATIC("{\"b\":\"\\u00e9/\"}"), "compact JSON with non-ASCII escaped"},
    {STATIC("{\"b\": 1.0}"), STATIC("{\"b\":1.0}"), "numbers kept"},
    {STATIC("{\"b\":1,\"a\":[],\"c\":[1,2]}"),
     STATIC("{\n  \"b\": 1,\n  \"a\": [],\n  \"c\": [\n    1,\n    2\n  ]\n}"), "indented by 2 spaces"},
    {STATIC("{\"b\":1,\"a\":{}}"), STATIC("{\n    \"b\": 1,\n    \"a\": {}\n}"), "indented by 4 spaces"},
    {STATIC("{\"b\": 1, \"a\": {\"d\": 1, \"c\": 2}, \"aa\": 3}"),
     STATIC("{\"a\":{\"c\":2,\"d\":1},\"aa\":3,\"b\":1}"), "compact JSON with sorted keys"},
    {STATIC("{\"b\":1,\"a\":\"<&>\"}"), STATIC("{\"a\":\"\\u003c\\u0026\\u003e\",\"b\":1}"),
     "Go's json.Marshal"},
    {STATIC("{\"b\":1,\"a\":2}"), STATIC("{\"a\": 2, \"b\": 1}"), "JSON with sorted keys, spaces"},
    {STATIC("{\"a\":1}"), STATIC("{\"a\":1}\n"), "with a newline added at its end"},
    {STATIC("{\"a\":1}\n"), STATIC("{\"a\":1}"), "without the line break at its end"},
    {STATIC("{\"a\":1}\r\n"), STATIC("{\"a\":1}"), "without the line break at its end"},
    {STATIC("{\n\"a\":1\n}x"), STATIC("{\r\n\"a\":1\r\n}x"), "made CRLF"},
    {STATIC("{\r\n\"a\":1\r\n}x"), STATIC("{\n\"a\":1\n}x"), "made LF"},
    {STATIC(" \n{\"a\" :1}\n\n "), STATIC("{\"a\" :1}"), "without the white space around it"},
    {STATIC("{\"a\":1}"), STATIC(""), "something read the body before"},
    {STATIC("{\"a\":\"b\"}"), STATIC("\"{\\\"a\\\":\\\"b\\\"}\""), "serialised twice"},
};

static void the_body_that_was_signed_is_named(void **state)
{
    struct bench *bench = *state;
    static const char *const names[] = {"8bit", "standard-webhooks"};
    for (size_t n = 0; n < E8_COUNT(names); n++) {
        const struct e8_scheme *scheme = scheme_named(bench, names[n]);
        const char *secret = n == 0 ? RAW_SECRET : WHSEC_SECRET;
        struct e8_signer *signer = signer_of(scheme, secret);
        for (size_t i = 0; i < E8_COUNT(bodies); i++) {
            struct request request;
            request_sign(&request, signer, "msg_1", NOW, bodies[i].signed_body);
            request.body = bodies[i].received;
            assert_explained(&request, scheme, secret, bodies[i].cause);
            assert_explained(&request, scheme, secret,
                             "cause: the received signature was made over the body ");
        }
        e8_signer_free(&signer);
    }
}

#define HEX_SECRET "4d7f4d7fa1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c"

/* The sender's mistakes with the key: the scheme it used instead, the secret it gave that. */
static void the_key_that_was_used_is_named(void **state)
{
    struct bench *bench = *state;
    static const char plain[] = "{\"header\": \"X-S\", \"algorithm\": \"sha256\"}";
    static const char hex[] = "{\"header\": \"X-S\", \"algorithm\": \"sha256\", \"secret\": \"hex\"}";
    static const char base64[] = "{\"header\": \"X-S\", \"algorithm\": \"sha256\", \"secret\": \"base64\"}";
    static const char whsec[] = "{\"header\": \"X-S\", \"algorithm\": \"sha256\", \"secret\": \"whsec\"}";
    static const struct {
        const char *receiver, *secret, *sender, *sender_secret, *cause;
    } rows[] = {
        {plain, HEX_SECRET, hex, HEX_SECRET, "decoded from hex"},
        {hex, HEX_SECRET, plain, HEX_SECRET, "taken as plain text"},
        {plain, WHSEC_SECRET, whsec, WHSEC_SECRET, "decoded from base64"},
        {plain, WHSEC_SECRET, plain, WHSEC_SECRET "\n", "with a newline at its end"},
        {plain, WHSEC_SECRET, plain, WHSEC_SECRET "\r\n", "with a carriage return"},
        {plain, HEX_SECRET, plain, "\"" HEX_SECRET "\"", "with quotes around it"},
        {whsec, WHSEC_SECRET, plain, WHSEC_SECRET, "taken as plain text\n"},
        {whsec, WHSEC_SECRET, plain, &WHSEC_SECRET[6], "taken as plain text without its \"whsec_\""},
        {plain, &WHSEC_SECRET[6], plain, WHSEC_SECRET, "with \"whsec_\" before it"},
        {base64, HEX_SECRET, hex, HEX_SECRET, "decoded from hex"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_signer *sender = signer_of(custom(bench, rows[i].sender), rows[i].sender_secret);
        struct request request;
        request_sign(&request, sender, "", NOW, E8_LIT("{\"a\":1}"));
        assert_explained(&request, custom(bench, rows[i].receiver), rows[i].secret, rows[i].cause);
        e8_signer_free(&sender);
    }
}

static void an_empty_key_is_named(void **state)
{
    struct bench *bench = *state;
    struct request request;
    struct e8_signer *signer = signer_of(scheme_named(bench, "8bit"), RAW_SECRET);
    request_sign(&request, signer, "", NOW, E8_LIT(""));
    e8_signer_free(&signer);
    request_set(&request, "X-8bit-Signature-256",
                E8_LIT("sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
    assert_explained(&request, scheme_named(bench, "8bit"), RAW_SECRET, "with the secret left empty");
}

static void two_mistakes_at_once_are_named(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "standard-webhooks");
    struct e8_signer *sender = signer_of(
        custom(bench, "{\"header\": \"webhook-signature\", \"algorithm\": \"sha256\", \"prefix\": \"v1,\","
                      " \"encoding\": \"base64\", \"content\": \"{id}.{timestamp}.{body}\","
                      " \"id_header\": \"webhook-id\", \"timestamp_header\": \"webhook-timestamp\"}"),
        WHSEC_SECRET);
    struct request request;
    request_sign(&request, sender, "msg_1", NOW, E8_LIT("{\"a\":1}"));
    request.body = E8_LIT("{\"a\": 1}");
    assert_explained(&request, scheme, WHSEC_SECRET,
                     "as JSON.stringify writes it, and with the secret taken as plain text\n");
    e8_signer_free(&sender);
}

static void the_content_that_was_signed_is_named(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "standard-webhooks");
    static const struct {
        const char *content, *cause;
    } rows[] = {
        {"{body}",
         "over \"{body}\" instead of \"{id}.{timestamp}.{body}\" (without the id and the timestamp)"},
        {"{timestamp}.{body}", "(without the id)"},
        {"{id}.{body}", "(without the timestamp)"},
        {"v0:{timestamp}:{body}", "over \"v0:{timestamp}:{body}\""},
        {"{timestamp}{body}", "over \"{timestamp}{body}\""},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char json[512];
        struct e8_buf buf;
        e8_buf_fixed(&buf, json, sizeof json);
        e8_buf_printf(&buf,
                      "{\"header\": \"webhook-signature\", \"algorithm\": \"sha256\", \"prefix\": \"v1,\","
                      " \"encoding\": \"base64\", \"secret\": \"whsec\", \"content\": \"%s\","
                      " \"id_header\": \"webhook-id\", \"timestamp_header\": \"webhook-timestamp\"}",
                      rows[i].content);
        struct e8_signer *sender = signer_of(custom(bench, e8_buf_cstr(&buf)), WHSEC_SECRET);
        struct request request;
        request_sign(&request, sender, "msg_1", NOW, E8_LIT("{}"));
        assert_explained(&request, scheme, WHSEC_SECRET, rows[i].cause);
        e8_signer_free(&sender);
    }
}

static void the_header_that_was_meant_is_named(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "standard-webhooks");
    struct e8_signer *signer = signer_of(scheme, WHSEC_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{}"));
    request_set(&request, "webhook-timestamp", E8_LIT("1700000001"));
    request_set(&request, "X-Sent-At", E8_LIT("1700000000"));
    assert_explained(&request, scheme, WHSEC_SECRET, "with the timestamp of the header X-Sent-At");
    request_set(&request, "webhook-timestamp", E8_LIT("1700000000"));
    request_set(&request, "webhook-id", E8_LIT("msg_2"));
    request_set(&request, "X-Delivery", E8_LIT("msg_1"));
    assert_explained(&request, scheme, WHSEC_SECRET, "with the id of the header X-Delivery");
    e8_signer_free(&signer);
}

static void another_algorithm_or_encoding_is_named(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *sender, *receiver, *cause;
    } rows[] = {
        {"\"algorithm\": \"sha1\"", "\"algorithm\": \"sha256\"", "with HMAC-SHA-1 instead of HMAC-SHA-256"},
        {"\"algorithm\": \"sha512\"", "\"algorithm\": \"sha256\"",
         "with HMAC-SHA-512 instead of HMAC-SHA-256"},
        {"\"algorithm\": \"sha256\"", "\"algorithm\": \"sha256\", \"encoding\": \"base64\"",
         "written in hex instead of base64"},
        {"\"algorithm\": \"sha256\", \"encoding\": \"base64\"", "\"algorithm\": \"sha256\"",
         "written in base64 instead of hex"},
        {"\"algorithm\": \"sha1\", \"encoding\": \"base64\"", "\"algorithm\": \"sha256\"",
         "with HMAC-SHA-1 instead of HMAC-SHA-256, and written in base64"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char json[2][256];
        const char *const parts[] = {rows[i].sender, rows[i].receiver};
        for (int j = 0; j < 2; j++) {
            struct e8_buf buf;
            e8_buf_fixed(&buf, json[j], sizeof json[j]);
            e8_buf_printf(&buf, "{\"header\": \"X-S\", \"prefix\": \"s=\", %s}", parts[j]);
            e8_buf_cstr(&buf);
        }
        struct e8_signer *sender = signer_of(custom(bench, json[0]), RAW_SECRET);
        struct request request;
        request_sign(&request, sender, "", NOW, E8_LIT("{}"));
        assert_explained(&request, custom(bench, json[1]), RAW_SECRET, rows[i].cause);
        e8_signer_free(&sender);
    }
}

static void a_wrong_form_is_named(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "8bit");
    struct e8_signer *signer = signer_of(scheme, RAW_SECRET);
    static const struct {
        const char *format, *fault, *cause;
    } rows[] = {
        {"D", "does not begin with the scheme's prefix", "signature: made from this content"},
        {"sha256=sha256=D", "prefix stands there twice", "signature: made from this content"},
        {"sha256=U", "upper-case hex digits", "written in upper-case hex"},
        {"sha256=S", "too short", "holds no whole digest"},
        {"sha256=D0", "too long", "holds no whole digest"},
        {"sha256=", "digest is empty", "holds no whole digest"},
        {"", "does not begin", "holds no whole digest"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct request request;
        request_sign(&request, signer, "", NOW, E8_LIT("{}"));
        char digest[65] = "", value[256];
        memcpy(digest, request.headers[0].value.p + 7, 64);
        struct e8_buf buf;
        e8_buf_fixed(&buf, value, sizeof value);
        for (const char *at = rows[i].format; *at != 0; at++) {
            for (size_t j = 0; (*at == 'D' || *at == 'S' || *at == 'U') && j < 64 - (*at == 'S'); j++)
                e8_buf_putc(&buf, *at == 'U' && digest[j] >= 'a' ? (char)(digest[j] - 32) : digest[j]);
            if (*at != 'D' && *at != 'S' && *at != 'U')
                e8_buf_putc(&buf, *at);
        }
        request_set(&request, scheme->header, e8_buf_str(&buf));
        assert_explained(&request, scheme, RAW_SECRET, rows[i].fault);
        assert_explained(&request, scheme, RAW_SECRET, rows[i].cause);
        assert_explained(&request, scheme, RAW_SECRET, "sha256=<64 characters of lower-case hex>");
    }
    e8_signer_free(&signer);
}

static void the_content_is_shown_byte_for_byte(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "standard-webhooks");
    struct e8_signer *signer = signer_of(scheme, WHSEC_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{\"a\":\t\"\\n\xc3\xa9\0\x1b[31m\"}\r\n"));
    char *text = explained(&request, scheme, WHSEC_SECRET);
    assert_non_null(strstr(text, "verdict: verified: "));
    assert_non_null(strstr(text, "{id}.{timestamp}.{body}, 38 bytes:\n"
                                 "  msg_1.1700000000.{\"a\":\\t\"\\\\n\\xc3\\xa9\\x00\\x1b[31m\"}\\r\\n\n"));
    assert_non_null(strstr(text, "timestamp: 1700000000 (2023-11-14T22:13:20Z)\n"));
    assert_non_null(strstr(text, "signature: made from this content and this secret\n"));
    free(text);
    e8_signer_free(&signer);
}

static void long_contents_and_values_are_cut(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "8bit");
    size_t n = 200000;
    char *body = e8_new(n, 1);
    memset(body, 'x', n);
    struct e8_header header = {E8_LIT("X-8bit-Signature-256"), {body, 100000}};
    struct e8_buf out;
    e8_buf_init(&out, 1 << 20);
    const char *secret = RAW_SECRET;
    e8_sign_explain(scheme, &secret, 1, &header, 1, (struct e8_str){body, n}, E8_SIG_MALFORMED, &out);
    assert_non_null(strstr(e8_buf_cstr(&out), "and 197952 bytes more"));
    assert_non_null(strstr(e8_buf_cstr(&out), "and 99600 bytes more"));
    assert_true(out.n < 8000);
    e8_buf_fini(&out);
    free(body);
}

static void what_is_missing_is_said(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "standard-webhooks");
    struct e8_signer *signer = signer_of(scheme, WHSEC_SECRET);
    struct request request;
    request_sign(&request, signer, "msg_1", NOW, E8_LIT("{}"));
    request_drop(&request, "webhook-timestamp");
    assert_explained(&request, scheme, WHSEC_SECRET, "timestamp: none, or more than one\n");
    assert_explained(&request, scheme, WHSEC_SECRET, "  msg_1.<no timestamp>.{}\n");
    request_drop(&request, "webhook-signature");
    request_set(&request, "X-Hub-Signature-256", E8_LIT("sha256=00"));
    assert_explained(&request, scheme, WHSEC_SECRET,
                     "there is a header X-Hub-Signature-256: is this the right scheme?");
    e8_signer_free(&signer);
}

static void a_timestamp_that_is_no_number_can_be_signed_rightly(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme =
        custom(bench, "{\"header\": \"X-S\", \"algorithm\": \"sha256\", \"content\": "
                      "\"{timestamp}\", \"timestamp_header\": \"X-T\"}");
    assert_null(scheme);
    scheme = scheme_named(bench, "slack");
    struct request request;
    struct e8_signer *signer = signer_of(scheme, RAW_SECRET);
    request_sign(&request, signer, "", NOW, E8_LIT("{}"));
    request_set(&request, "X-Slack-Request-Timestamp", E8_LIT("soon"));
    struct e8_hmac *hmac = e8_hmac_new(E8_SHA256, E8_LIT(RAW_SECRET));
    uint8_t digest[E8_DIGEST_MAX];
    e8_hmac_begin(hmac);
    e8_hmac_add(hmac, E8_LIT("v0:soon:{}"));
    e8_hmac_end(hmac, digest);
    e8_hmac_free(&hmac);
    struct e8_buf value;
    char memory[128];
    e8_buf_fixed(&value, memory, sizeof memory);
    e8_buf_puts(&value, "v0=");
    e8_hex_put(&value, digest, 32);
    request_set(&request, "X-Slack-Signature", e8_buf_str(&value));
    assert_explained(&request, scheme, RAW_SECRET, "verdict: timestamp_missing: ");
    assert_explained(&request, scheme, RAW_SECRET, "timestamp: soon\n");
    assert_explained(&request, scheme, RAW_SECRET, "signature: made from this content and this secret\n");
    e8_signer_free(&signer);
}

/* The right signature of a body that was not signed must not be had from here. */
static void a_forger_learns_nothing(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "8bit");
    struct e8_signer *signer = signer_of(scheme, RAW_SECRET);
    struct request request;
    request_sign(&request, signer, "", NOW, E8_LIT("{\"amount\":1000000}"));
    char right[65] = "";
    memcpy(right, request.headers[0].value.p + 7, 64);
    request_set(&request, scheme->header,
                E8_LIT("sha256=0000000000000000000000000000000000000000000000000000000000000000"));
    char *text = explained(&request, scheme, RAW_SECRET);
    assert_null(strstr(text, right));
    right[8] = 0;
    assert_null(strstr(text, right));
    assert_non_null(strstr(text, "cause: not found; none of "));
    free(text);
    e8_signer_free(&signer);
}

static void the_secret_that_matched_is_numbered(void **state)
{
    struct bench *bench = *state;
    const struct e8_scheme *scheme = scheme_named(bench, "8bit");
    struct e8_signer *signer = signer_of(scheme, OTHER_SECRET);
    struct request request;
    request_sign(&request, signer, "", NOW, E8_LIT("{}"));
    e8_signer_free(&signer);
    const char *const secrets[] = {RAW_SECRET, OTHER_SECRET};
    struct e8_buf out;
    e8_buf_init(&out, 1 << 16);
    e8_sign_explain(scheme, secrets, 2, request.headers, request.count, request.body, E8_VERIFIED, &out);
    assert_non_null(strstr(e8_buf_cstr(&out), "secret 2 of 2\n"));
    e8_buf_fini(&out);
}

int test_explaining(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_that_was_signed_is_named),
        cmocka_unit_test(the_key_that_was_used_is_named),
        cmocka_unit_test(an_empty_key_is_named),
        cmocka_unit_test(two_mistakes_at_once_are_named),
        cmocka_unit_test(the_content_that_was_signed_is_named),
        cmocka_unit_test(the_header_that_was_meant_is_named),
        cmocka_unit_test(another_algorithm_or_encoding_is_named),
        cmocka_unit_test(a_wrong_form_is_named),
        cmocka_unit_test(the_content_is_shown_byte_for_byte),
        cmocka_unit_test(long_contents_and_values_are_cut),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(a_timestamp_that_is_no_number_can_be_signed_rightly),
        cmocka_unit_test(a_forger_learns_nothing),
        cmocka_unit_test(the_secret_that_matched_is_numbered),
    };
    return cmocka_run_group_tests_name("sign explaining", tests, bench_setup, bench_teardown);
}
