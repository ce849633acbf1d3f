#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

/* Everything that a form may change, and nothing that it may. */
#define RICH                                                                                                 \
    "{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"id\":\"m1\",\"n\":1800,\"f\":1.50,\"z\":0,\"big\":"        \
    "9007199254740993,"                                                                                      \
    "\"url\":\"https://x/"                                                                                   \
    "y\",\"name\":\"J\xc3\xb6rg\",\"tags\":[1,{\"a\":null,\"b\":true}],\"referrer\":\"r\"}}"
#define BARE "{\"id\":\"evt_1\",\"data\":{\"ok\":true}}"

enum relation { EQUAL, WITHIN, OTHER };

static const struct {
    const char *form;
    enum relation relation;
    const char *rich, *bare; /* stands in the result */
} forms[] = {
    {"spaced", EQUAL, "\"n\": 1800, \"f\": 1.50, ", "{\"id\": \"evt_1\", \"data\": {\"ok\": true}}"},
    {"pretty", EQUAL, "\n    \"n\": 1800,\n",
     "{\n  \"id\": \"evt_1\",\n  \"data\": {\n    \"ok\": true\n  }\n}"},
    {"escaped_slash", WITHIN, "\"https:\\/\\/x\\/y\"", "\"ok\":true,\"extra_path\":\"a\\/b\"}}"},
    {"escaped_unicode", WITHIN, "\"J\\u00f6rg\"", "\"extra_text\":\"caf\\u00e9\"}}"},
    {"float_numbers", WITHIN, "\"n\":18e2,\"f\":1.50,\"z\":0.0,\"big\":9007199254740993,",
     "\"extra_numbers\":[1.0,1e2]"},
    {"trailing_newline", EQUAL, "\"referrer\":\"r\"}}\n", "{\"ok\":true}}\n"},
    {"reordered", EQUAL, "{\"data\":{\"referrer\":\"r\",\"tags\":[1,{\"b\":true,\"a\":null}],\"name\"",
     "{\"data\":{\"ok\":true},\"id\":\"evt_1\"}"},
    {"escaped_nul", WITHIN, "\"referrer\":\"r\",\"extra_text\":\"before\\u0000behind\"}}", "\\u0000"},
    {"four_byte", WITHIN, "\"extra_text\":\"\xf0\x9f\x98\x80 \xf0\x9d\x84\x9e\"", "\xf0\x9f\x98\x80"},
    {"duplicate_keys", OTHER, "\"data\":{\"id\":\"not this one\",\"id\":\"m1\",",
     "{\"ok\":false,\"ok\":true}"},
    {"extra_fields", WITHIN, "\"extra_count\":3},\"extra_field\":{", "\"extra_field\":{"},
    {"null_optional", OTHER, "\"referrer\":null}}", "{\"ok\":true,\"metadata\":null}}"},
};

static struct e8_str body_of(const struct e8_tamper *tamper, const char *body, struct e8_buf *out)
{
    e8_buf_reset(out);
    return e8_tamper_body(tamper, e8_str(body), 7, out) ? e8_buf_str(out) : e8_str(body);
}

static int check_form(size_t i, const char *body, const char *part, bool bare, struct e8_buf *out)
{
    struct given given;
    char yaml[64];
    snprintf(yaml, sizeof yaml, "body: {form: %s}", forms[i].form);
    given_open_good(&given, yaml);
    struct e8_str made = body_of(given.tamper, body, out);
    bool good = memmem(made.p, made.n, part, strlen(part)) != NULL && !e8_str_eq(made, e8_str(body));
    if (forms[i].relation == EQUAL || (forms[i].relation == WITHIN && !bare && i < 5))
        good = good && json_equal(e8_str(body), made);
    if (forms[i].relation == WITHIN || (bare && strcmp(forms[i].form, "null_optional") == 0))
        good = good && json_within(e8_str(body), made);
    if (strcmp(forms[i].form, "duplicate_keys") != 0)
        good = good && is_json(made);
    if (!good)
        printf("%s: %.*s\n", forms[i].form, E8_STR(made));
    struct e8_buf sent;
    e8_buf_init(&sent, 100000);
    assert_false(e8_tamper_sent(given.tamper, made, 7, &sent)); /* it is signed as it is sent */
    e8_buf_fini(&sent);
    given_close(&given);
    return !good;
}

static void the_forms_change_bytes_and_no_meaning(void **state)
{
    (void)state;
    int faults = 0;
    struct e8_buf out;
    e8_buf_init(&out, 100000);
    for (size_t i = 0; i < E8_COUNT(forms); i++) {
        faults += check_form(i, RICH, forms[i].rich, false, &out);
        faults += check_form(i, BARE, forms[i].bare, true, &out);
    }
    e8_buf_fini(&out);
    assert_int_equal(faults, 0);
}

static void what_is_no_json_is_left_alone(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{", "text", "{\"a\":1,}", "\xff", "{\"a\":1,\"a\":2}"};
    struct e8_buf out;
    e8_buf_init(&out, 100000);
    for (size_t i = 0; i < E8_COUNT(forms); i++) {
        struct given given;
        char yaml[64];
        snprintf(yaml, sizeof yaml, "body: {form: %s}", forms[i].form);
        given_open_good(&given, yaml);
        for (size_t k = 0; k < E8_COUNT(bodies); k++) {
            assert_false(e8_tamper_body(given.tamper, e8_str(bodies[k]), 7, &out));
            assert_int_equal(out.n, 0);
        }
        given_close(&given);
    }
    e8_buf_fini(&out);
}

static void any_json_is_taken(void **state)
{
    (void)state;
    static const char *const bodies[] = {"null",
                                         "1",
                                         "\"a\"",
                                         "[]",
                                         "{}",
                                         "[[],[{}]]",
                                         " [1 , 2 ] ",
                                         "{\"data\":[]}",
                                         "{\"data\":{}}",
                                         "-0",
                                         "{\"extra_text\":{\"extra_text\":1}}"};
    struct e8_buf out;
    e8_buf_init(&out, 100000);
    for (size_t i = 0; i < E8_COUNT(forms); i++) {
        struct given given;
        char yaml[64];
        snprintf(yaml, sizeof yaml, "body: {form: %s}", forms[i].form);
        given_open_good(&given, yaml);
        for (size_t k = 0; k < E8_COUNT(bodies); k++) {
            struct e8_str made = body_of(given.tamper, bodies[k], &out);
            bool twice = strcmp(forms[i].form, "duplicate_keys") == 0;
            if (!twice && !json_within(e8_str(bodies[k]), made))
                fail_msg("%s of %s: %.*s", forms[i].form, bodies[k], E8_STR(made));
        }
        given_close(&given);
    }
    e8_buf_fini(&out);
}

static void sizes_are_exact(void **state)
{
    (void)state;
    static const char *const bodies[] = {RICH, BARE, "{}", " { } \n", "[1]", "{", ""};
    struct e8_buf out;
    e8_buf_init(&out, E8_TAMPER_BODY_MAX);
    for (size_t k = 0; k < E8_COUNT(bodies); k++) {
        for (size_t size = strlen(bodies[k]) + 1; size < strlen(bodies[k]) + 60; size++) {
            struct given given;
            char yaml[64];
            snprintf(yaml, sizeof yaml, "body: {size: %zu}", size);
            given_open_good(&given, yaml);
            struct e8_str made = body_of(given.tamper, bodies[k], &out);
            assert_int_equal(made.n, size);
            assert_int_equal(is_json(e8_str(bodies[k])), is_json(made));
            if (is_json(made))
                assert_true(json_within(e8_str(bodies[k]), made));
            given_close(&given);
        }
    }
    struct given given;
    given_open_good(&given, "body: {size: 64MiB, form: pretty}");
    assert_int_equal(body_of(given.tamper, RICH, &out).n, 64 << 20);
    given_close(&given);
    given_open_good(&given, "body: {size: 5}"); /* never less than it is */
    assert_false(e8_tamper_body(given.tamper, e8_str(RICH), 7, &out));
    given_close(&given);
    e8_buf_fini(&out);
}

static void depth_and_replacement(void **state)
{
    (void)state;
    struct given given;
    struct e8_buf out;
    e8_buf_init(&out, E8_TAMPER_BODY_MAX);
    given_open_good(&given, "body: {depth: 3}");
    assert_true(e8_str_is(body_of(given.tamper, "{\"a\":1}", &out), "{\"a\":1,\"extra_depth\":[[[]]]}"));
    assert_true(e8_str_is(body_of(given.tamper, "{}", &out), "{\"extra_depth\":[[[]]]}"));
    assert_true(e8_str_is(body_of(given.tamper, "[]", &out), "[]"));
    given_close(&given);
    given_open_good(&given, "body: {depth: 1000}");
    assert_int_equal(body_of(given.tamper, "{}", &out).n, strlen("{\"extra_depth\":}") + 2000);
    given_close(&given);
    given_open_good(&given, "body: {replace: \"{\"}");
    assert_true(e8_str_is(body_of(given.tamper, RICH, &out), "{"));
    given_close(&given);
    given_open_good(&given, "body: {replace: \"\"}");
    assert_true(e8_tamper_body(given.tamper, e8_str(RICH), 7, &out));
    assert_int_equal(body_of(given.tamper, RICH, &out).n, 0);
    given_close(&given);
    given_open_good(&given, "method: GET"); /* signed as it is sent: without one */
    assert_true(e8_tamper_body(given.tamper, e8_str(RICH), 7, &out));
    assert_int_equal(body_of(given.tamper, RICH, &out).n, 0);
    given_close(&given);
    given_open_good(&given, "method: GET\nbody: {replace: x}");
    assert_true(e8_str_is(body_of(given.tamper, RICH, &out), "x"));
    given_close(&given);
    given_open_good(&given, "body: {replace: {base64: AP8B}}");
    struct e8_str made = body_of(given.tamper, RICH, &out);
    assert_true(made.n == 3 && memcmp(made.p, "\0\xff\1", 3) == 0);
    given_close(&given);
    e8_buf_fini(&out);
}

static size_t bits_between(struct e8_str a, struct e8_str b)
{
    size_t bits = 0;
    assert_int_equal(a.n, b.n);
    for (size_t i = 0; i < a.n; i++)
        bits += (size_t)__builtin_popcount((unsigned char)a.p[i] ^ (unsigned char)b.p[i]);
    return bits;
}

static void one_bit_is_flipped_behind_the_signature(void **state)
{
    (void)state;
    struct given given;
    struct e8_buf out;
    e8_buf_init(&out, 100000);
    given_open_good(&given, "body: {flip: random}");
    assert_false(e8_tamper_body(given.tamper, e8_str(RICH), 1, &out));
    size_t different = 0;
    char first[sizeof RICH] = {0};
    for (uint64_t seed = 0; seed < 500; seed++) {
        e8_buf_reset(&out);
        assert_true(e8_tamper_sent(given.tamper, e8_str(RICH), seed, &out));
        assert_int_equal(bits_between(e8_str(RICH), e8_buf_str(&out)), 1);
        assert_true(is_json(e8_buf_str(&out)));
        assert_false(json_equal(e8_str(RICH), e8_buf_str(&out)));
        different += memcmp(first, out.p, out.n) != 0;
        memcpy(first, out.p, out.n);
    }
    assert_true(different > 300);
    e8_buf_reset(&out);
    assert_true(e8_tamper_sent(given.tamper, e8_str("[1,2]"), 3, &out)); /* no text in it */
    assert_int_equal(bits_between(e8_str("[1,2]"), e8_buf_str(&out)), 1);
    e8_buf_reset(&out);
    assert_false(e8_tamper_sent(given.tamper, e8_str(""), 3, &out));
    given_close(&given);
    given_open_good(&given, "body: {flip: 2, truncate: 1, signed: true}");
    assert_true(e8_tamper_body(given.tamper, e8_str("abcd"), 1, &out));
    assert_true(e8_str_is(e8_buf_str(&out), "abb"));
    assert_false(e8_tamper_sent(given.tamper, e8_str("abcd"), 1, &out));
    given_close(&given);
    given_open_good(&given, "body: {flip: 99, truncate: 99}");
    e8_buf_reset(&out);
    assert_true(e8_tamper_sent(given.tamper, e8_str("abcd"), 1, &out));
    assert_int_equal(out.n, 0);
    given_close(&given);
    given_open_good(&given, "body: {form: pretty, signed: false}");
    e8_buf_reset(&out);
    assert_false(e8_tamper_body(given.tamper, e8_str(BARE), 1, &out));
    assert_true(e8_tamper_sent(given.tamper, e8_str(BARE), 1, &out));
    given_close(&given);
    e8_buf_fini(&out);
}

int test_bodies(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_forms_change_bytes_and_no_meaning),
        cmocka_unit_test(what_is_no_json_is_left_alone),
        cmocka_unit_test(any_json_is_taken),
        cmocka_unit_test(sizes_are_exact),
        cmocka_unit_test(depth_and_replacement),
        cmocka_unit_test(one_bit_is_flipped_behind_the_signature),
    };
    return cmocka_run_group_tests_name("tamper: bodies", tests, NULL, NULL);
}
