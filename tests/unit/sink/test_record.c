/* Recordings: what arrives comes back byte for byte, and what must not be written down is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "digest/digest.h"
#include "doc/doc.h"
#include "sink/record.h"
#include "tests.h"

static const char *const secrets[] = {"whsec_bm90IGEgc2VjcmV0IGF0IGFsbA==", "test-secret-of-the-sink"};

struct tape {
    char path[64];
    struct e8_recording *recording;
    struct e8_doc *doc;
};

static void tape_begin(struct tape *tape)
{
    struct e8_err err = {0};

    snprintf(tape->path, sizeof tape->path, "/tmp/e8-record-XXXXXX");
    int fd = mkstemp(tape->path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(e8_recording_open(tape->path, true, secrets, 2, &tape->recording, &err), E8_OK);
    assert_int_equal(e8_recording_begin(tape->recording, "http://127.0.0.1:4711", &err), E8_OK);
}

/* Closes, and reads what is in the file. */
static const struct e8_node *tape_end(struct tape *tape)
{
    struct e8_err err = {0};

    assert_int_equal(e8_recording_close(&tape->recording, &err), E8_OK);
    assert_null(tape->recording);
    if (e8_doc_load(tape->path, &tape->doc, &err))
        fail_msg("%d:%d: %s", err.line, err.col, err.what);
    return e8_node_get(e8_node_get(e8_doc_root(tape->doc), "flows"), "recording");
}

static void tape_fini(struct tape *tape)
{
    e8_doc_free(&tape->doc);
    unlink(tape->path);
}

static void put(struct tape *tape, const struct e8_arrival *arrival)
{
    assert_int_equal(e8_recording_put(tape->recording, arrival, NULL), E8_OK);
}

/* The text of a node as a scenario reads it: "$${" is "${". */
static void unescape(struct e8_str text, struct e8_buf *out)
{
    for (size_t i = 0; i < text.n; i++) {
        if (i + 2 < text.n && memcmp(text.p + i, "$${", 3) == 0)
            i++;
        e8_buf_putc(out, text.p[i]);
    }
}

static void check_body(const struct e8_node *step, struct e8_str expected)
{
    const struct e8_node *body = e8_node_get(step, "body"), *coded = e8_node_get(body, "base64");
    struct e8_buf got;

    e8_buf_init(&got, SIZE_MAX / 2);
    assert_non_null(body);
    if (coded)
        assert_true(e8_base64_get(coded->text, &got));
    else
        unescape(body->text, &got);
    assert_int_equal(got.n, expected.n);
    if (expected.n)
        assert_memory_equal(got.p, expected.p, expected.n);
    e8_buf_fini(&got);
}

#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    }

static void bodies_come_back_byte_for_byte(void **state)
{
    static const struct e8_str bodies[] = {
        TEXT(""),
        TEXT("{\"type\":\"a.b\",\"n\":1.0,\"x\":\"\\u00e9\\/\"}"),
        TEXT("line\r\nline\nline\r\ttab"),
        TEXT("- a: *b\n  &c !!str x # y\n---\n...\n%YAML 1.1\n'\"`{}[],|>@?: "),
        TEXT("${HOME} $${x} $$${y} $ {} $$ ${"),
        TEXT("\xc2\x80\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xef\xbf\xbe\xef\xbf\xbf\x7f\x01\x1b[0m"),
        TEXT("\xf0\x9f\x98\x80 \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xf4\x8f\xbf\xbf"),
        TEXT("\xff\xfe invalid"),
        TEXT("\xed\xa0\x80"),
        TEXT("a\0b"),
        TEXT("# emit8 recording 1\n"),
    };
    struct tape tape = {0};
    char all[256];
    size_t i = 0;

    (void)state;
    tape_begin(&tape);
    for (i = 0; i < E8_COUNT(bodies); i++)
        put(&tape, &(struct e8_arrival){.body = bodies[i]});
    for (i = 0; i < 256; i++)
        all[i] = (char)i;
    put(&tape, &(struct e8_arrival){.body = {all, sizeof all}});
    for (i = 0; i < 256; i++)
        put(&tape, &(struct e8_arrival){.body = {all + i, 1}});
    const struct e8_node *steps = tape_end(&tape), *step = steps->first;
    assert_int_equal(steps->count, E8_COUNT(bodies) + 257);
    for (i = 0; i < E8_COUNT(bodies); i++, step = step->next)
        check_body(step, bodies[i]);
    check_body(step, (struct e8_str){all, sizeof all});
    step = step->next;
    for (i = 0; i < 256; i++, step = step->next)
        check_body(step, (struct e8_str){all + i, 1});
    tape_fini(&tape);
}

/* A mebibyte of text, and one of noise. */
static void large_bodies(void **state)
{
    enum { SIZE = 1 << 20 };
    struct tape tape = {0};
    char *text = e8_new(SIZE, 1), *noise = e8_new(SIZE, 1);
    struct e8_rng rng = e8_rng_new(7);

    (void)state;
    for (size_t i = 0; i < SIZE; i++) {
        text[i] = "ab \"\\\n${}:"[e8_rng_below(&rng, 10)];
        noise[i] = (char)e8_rng_next(&rng);
    }
    tape_begin(&tape);
    put(&tape, &(struct e8_arrival){.body = {text, SIZE}});
    put(&tape, &(struct e8_arrival){.body = {noise, SIZE}});
    const struct e8_node *steps = tape_end(&tape);
    check_body(steps->first, (struct e8_str){text, SIZE});
    check_body(steps->last, (struct e8_str){noise, SIZE});
    tape_fini(&tape);
    free(text);
    free(noise);
}

static const char *text_at(const struct e8_node *step, const char *key)
{
    const struct e8_node *node = e8_node_get(step, key);
    static char text[256];

    snprintf(text, sizeof text, "%.*s", node ? (int)node->text.n : 0, node ? node->text.p : "");
    return text;
}

static void times_ids_and_types(void **state)
{
    struct tape tape = {0};

    (void)state;
    tape_begin(&tape);
    put(&tape, &(struct e8_arrival){
                   .at = 5000000000, .type = E8_LIT("message.received"), .delivery = E8_LIT("dlv_1")});
    put(&tape, &(struct e8_arrival){.at = 5000000001, .body = E8_LIT("{\"type\":\"order.paid\"}")});
    put(&tape, &(struct e8_arrival){.at = 6500000000, .body = E8_LIT("{\"event\":\"ping\",\"type\":7}")});
    put(&tape,
        &(struct e8_arrival){.at = 65123456789, .type = E8_LIT("Not A Type"), .delivery = E8_LIT("a b")});
    put(&tape, &(struct e8_arrival){.at = 65123456789, .body = E8_LIT("not json")});
    const struct e8_node *steps = tape_end(&tape), *step = steps->first;
    assert_string_equal(text_at(step, "emit"), "message.received");
    assert_string_equal(text_at(step, "at"), "0s");
    assert_string_equal(text_at(step, "id"), "dlv_1");
    step = step->next;
    assert_string_equal(text_at(step, "emit"), "order.paid");
    assert_string_equal(text_at(step, "at"), "0.000000001s");
    assert_null(e8_node_get(step, "id"));
    step = step->next;
    assert_string_equal(text_at(step, "emit"), "ping");
    assert_string_equal(text_at(step, "at"), "1.5s");
    step = step->next;
    assert_string_equal(text_at(step, "emit"), "unknown");
    assert_string_equal(text_at(step, "at"), "60.123456789s");
    assert_null(e8_node_get(step, "id"));
    assert_string_equal(text_at(step->next, "emit"), "unknown");
    tape_fini(&tape);
}

#define HEADER(name, value)                                                                                  \
    {                                                                                                        \
        {name, sizeof(name) - 1},                                                                            \
        {                                                                                                    \
            value, sizeof(value) - 1                                                                         \
        }                                                                                                    \
    }

static char *read_whole(const char *path)
{
    struct e8_buf text;

    assert_int_equal(e8_file_read(path, 1 << 20, &text, NULL), E8_OK);
    char *copy = e8_dup(e8_buf_cstr(&text));
    e8_buf_fini(&text);
    return copy;
}

static void headers_in_order_and_no_secrets(void **state)
{
    static const struct e8_header headers[] = {
        HEADER("Host", "h"),
        HEADER("X-First", "1"),
        HEADER("content-length", "2"),
        HEADER("Authorization", "Basic dGVzdDp0ZXN0"),
        HEADER("X-8bit-Signature-256", "sha256=00"),
        HEADER("X-Many", "a"),
        HEADER("X-Gitlab-Token", "test-token-value"),
        HEADER("x-many", "b, c"),
        HEADER("Proxy-Connection", "keep-alive"),
        HEADER("Keep-Alive", "timeout=5"),
        HEADER("X-Odd", "x test-secret-of-the-sink y"),
        HEADER("X-Whsec", "bm90IGEgc2VjcmV0IGF0IGFsbA=="),
        HEADER("X-Bytes", "\xff"),
        HEADER("X-Var", "${HOME}"),
        HEADER("X-Last", "\xc3\xa9"),
    };
    static const char *const names[] = {"X-First", "X-8bit-Signature-256", "X-Many", "X-Var", "X-Last"};
    struct tape tape = {0};

    (void)state;
    tape_begin(&tape);
    put(&tape,
        &(struct e8_arrival){.headers = headers, .header_count = E8_COUNT(headers), .body = E8_LIT("{}")});
    put(&tape, &(struct e8_arrival){.body = E8_LIT("{\"leak\":\"test-secret-of-the-sink\"}")});
    const struct e8_node *steps = tape_end(&tape), *map = e8_node_get(steps->first, "headers");
    assert_int_equal(steps->count, 1);
    assert_int_equal(map->count, E8_COUNT(names));
    size_t i = 0;
    for (const struct e8_node *node = map->first; node; node = node->next, i++)
        assert_true(e8_str_is(node->key, names[i]));
    assert_true(e8_str_is(e8_node_get(map, "X-Many")->text, "a, b, c"));
    assert_true(e8_str_is(e8_node_get(map, "X-Var")->text, "$${HOME}"));
    char *text = read_whole(tape.path);
    assert_null(strstr(text, "test-secret-of-the-sink"));
    assert_null(strstr(text, "bm90IGEgc2Vj"));
    assert_null(strstr(text, "dGVzdDp0ZXN0"));
    assert_null(strstr(text, "test-token-value"));
    assert_non_null(strstr(text, "# left out: Authorization: secret (1)\n"));
    assert_non_null(strstr(text, "# left out: X-Gitlab-Token: secret (1)\n"));
    assert_non_null(strstr(text, "# left out: a delivery: holds the secret of the sink (1)\n"));
    free(text);
    tape_fini(&tape);
}

static void too_many_headers_are_named(void **state)
{
    struct e8_header headers[40];
    char names[40][16];
    struct tape tape = {0};

    (void)state;
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "X-%d", i);
        headers[i] = (struct e8_header){e8_str(names[i]), E8_LIT("v")};
    }
    tape_begin(&tape);
    put(&tape, &(struct e8_arrival){.headers = headers, .header_count = 40});
    const struct e8_node *steps = tape_end(&tape);
    assert_int_equal(e8_node_get(steps->first, "headers")->count, 32);
    char *text = read_whole(tape.path);
    assert_non_null(strstr(text, "# left out: X-39: does not fit (1)\n"));
    free(text);
    tape_fini(&tape);
}

static void names_that_are_secret(void **state)
{
    static const char *const secret[] = {
        "Authorization", "cookie",     "Set-Cookie", "X-API-Key", "X-Auth-Key", "x-csrf-token", "X-Secret",
        "Api-Key",       "X-Password", "X-Session",  "X_AUTH",    "My-Tokens",  "x-jwt"};
    static const char *const open[] = {"X-Author",   "Idempotency-Key",  "X-Hub-Signature-256",
                                       "webhook-id", "X-Sessions-Count", "Content-Type"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(secret); i++)
        if (!e8_record_is_secret(e8_str(secret[i])))
            fail_msg("%s", secret[i]);
    for (size_t i = 0; i < E8_COUNT(open); i++)
        if (e8_record_is_secret(e8_str(open[i])) || e8_record_is_hop(e8_str(open[i])))
            fail_msg("%s", open[i]);
}

static void nothing_received_leaves_no_file(void **state)
{
    struct tape tape = {.doc = NULL};

    (void)state;
    tape_begin(&tape);
    put(&tape, &(struct e8_arrival){.path = E8_LIT("/"), .other = true});
    assert_int_equal(e8_recording_close(&tape.recording, NULL), E8_OK);
    assert_int_not_equal(access(tape.path, F_OK), 0);
}

static void what_is_no_step_is_named(void **state)
{
    static const char *const paths[] = {"/", "/a", "/a", "/b", "/c", "/d", "/e", "/f"};
    struct tape tape = {.doc = NULL};
    struct e8_buf text;

    (void)state;
    tape_begin(&tape);
    put(&tape, &(struct e8_arrival){.other = true});
    for (size_t i = 0; i < E8_COUNT(paths); i++)
        put(&tape, &(struct e8_arrival){.path = e8_str(paths[i]), .body = E8_LIT("{}")});
    assert_int_equal(tape_end(&tape)->count, E8_COUNT(paths));
    assert_int_equal(e8_file_read(tape.path, 1 << 20, &text, NULL), E8_OK);
    assert_non_null(strstr(e8_buf_cstr(&text), "# 1 requests that are no POST are left out\n"));
    assert_non_null(strstr(e8_buf_cstr(&text), "# paths are left out: /a, /b, /c, /d, /e, …\n"));
    e8_buf_fini(&text);
    tape_fini(&tape);
}

static void an_existing_file_stays(void **state)
{
    struct e8_recording *recording;
    struct tape tape = {0};
    struct e8_err err;
    struct stat st;

    (void)state;
    tape_begin(&tape);
    assert_int_equal(e8_recording_open(tape.path, false, NULL, 0, &recording, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "is there already"));
    assert_null(recording);
    put(&tape, &(struct e8_arrival){.body = E8_LIT("{}")});
    tape_end(&tape);
    tape_fini(&tape);
    snprintf(tape.path, sizeof tape.path, "/tmp/e8-record-new-%d", (int)getpid());
    assert_int_equal(e8_recording_open(tape.path, false, NULL, 0, &recording, &err), E8_OK);
    assert_int_equal(stat(tape.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(e8_recording_close(&recording, &err), E8_OK);
    unlink(tape.path);
    assert_int_equal(e8_recording_open("/nowhere/at/all", false, NULL, 0, &recording, &err), E8_ENV);
}

int test_record(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_come_back_byte_for_byte),
        cmocka_unit_test(large_bodies),
        cmocka_unit_test(times_ids_and_types),
        cmocka_unit_test(headers_in_order_and_no_secrets),
        cmocka_unit_test(too_many_headers_are_named),
        cmocka_unit_test(names_that_are_secret),
        cmocka_unit_test(nothing_received_leaves_no_file),
        cmocka_unit_test(what_is_no_step_is_named),
        cmocka_unit_test(an_existing_file_stays),
    };

    return cmocka_run_group_tests_name("sink: recordings", tests, NULL, NULL);
}
