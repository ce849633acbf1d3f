#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect/expect.h"

struct rig {
    struct e8_arena *arena;
    struct e8_errs errs;
    struct e8_doc *doc;
    const struct e8_expect *expect;
};

static enum e8_rc rig_parse(struct rig *r, const char *yaml)
{
    struct e8_err err = {0};
    memset(r, 0, sizeof(*r));
    r->arena = e8_arena_new();
    e8_errs_init(&r->errs);
    if (e8_doc_parse("t.yaml", e8_str(yaml), E8_DOC_YAML, &r->doc, &err))
        fail_msg("%s: %s", yaml, err.what);
    enum e8_rc rc = e8_expect_parse(r->arena, e8_doc_root(r->doc), &r->expect, &r->errs);
    e8_doc_free(&r->doc); /* texts are copied: nothing of the document may be needed again */
    return rc;
}

static void rig_fini(struct rig *r)
{
    e8_errs_fini(&r->errs);
    e8_arena_free(&r->arena);
}

static void statuses_are_read(void **state)
{
    static const struct {
        const char *text;
        int low, high; /* -1: is none */
    } table[] = {
        {"200", 200, 200},   {"2xx", 200, 299}, {"5XX", 500, 599},   {"400..403", 400, 403},
        {"none", 0, 0},      {"100", 100, 100}, {"599", 599, 599},   {"600", -1, 0},
        {"99", -1, 0},       {"0", -1, 0},      {"6xx", -1, 0},      {"0xx", -1, 0},
        {"2x", -1, 0},       {"2xxx", -1, 0},   {"403..400", -1, 0}, {"400..", -1, 0},
        {"400..999", -1, 0}, {"", -1, 0},       {"None", -1, 0},     {"400.403", -1, 0},
        {"-200", -1, 0},     {"200 ", -1, 0},   {"4..5", -1, 0},     {"0200", -1, 0},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_statuses out = {7, 7};
        bool good = e8_statuses_parse(e8_str(table[i].text), &out);
        if (good != (table[i].low >= 0))
            fail_msg("\"%s\" is %s", table[i].text, good ? "taken" : "refused");
        if (good && (out.low != table[i].low || out.high != table[i].high))
            fail_msg("\"%s\" is %d..%d", table[i].text, out.low, out.high);
    }
}

static const char head[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nX-Twice: one\r\n"
    "x-twice: two\r\nEmpty:\r\n\r\n";
static const char body[] =
    "{\"status\": \"ok\", \"count\": 3, \"list\": [1, {\"a/b\": true, \"m~n\": null}], \"f\": 3.0, "
    "\"\": 0, \"deep\": {\"x\": 1, \"y\": [2]}}";

/* NULL: it holds. */
static void judged(const char *yaml, struct e8_answer answer, const char *expected)
{
    struct rig r;
    char memory[1024];
    struct e8_buf why;
    if (rig_parse(&r, yaml))
        fail_msg("%s: %s", yaml, r.errs.list[0].what);
    e8_buf_fixed(&why, memory, sizeof(memory));
    bool met = e8_expect_holds(r.expect, &answer, &why);
    assert_int_equal(met, e8_expect_holds(r.expect, &answer, NULL));
    if (met != !expected)
        fail_msg("%s: %s", yaml, met ? "holds" : e8_buf_cstr(&why));
    assert_string_equal(e8_buf_cstr(&why), expected ? expected : "");
    rig_fini(&r);
}

static struct e8_answer with(int status, const char *outcome)
{
    return (struct e8_answer){status, outcome, 20 * E8_NS_MS, e8_str(head), e8_str(body)};
}

static void statuses_are_judged(void **state)
{
    (void)state;
    judged("{status: 200}", with(200, "delivered"), NULL);
    judged("{status: [400, 401, 403]}", with(403, "http_4xx"), NULL);
    judged("{status: [400, 401, 403]}", with(200, "delivered"), "expected 400, 401 or 403; got 200");
    judged("{status: 4xx}", with(399, "redirect"), "expected 4xx; got 399");
    judged("{status: 4xx}", with(400, "http_4xx"), NULL);
    judged("{status: 4xx}", with(499, "http_4xx"), NULL);
    judged("{status: 400..403}", with(404, "http_4xx"), "expected 400..403; got 404");
    judged("{status: [413, none]}", with(0, "reset"), NULL);
    judged("{status: [413, none]}", with(413, "reset_in_body"), NULL);
    judged("{status: none}", with(200, "delivered"), "expected no answer; got 200");
    judged("{status: 200}", with(0, "timeout_first_byte"),
           "expected 200; got no answer (timeout_first_byte)");
    judged("{status: 200}", with(0, ""), "expected 200; got no answer");
    judged("{status: 2xx}", with(200, "reset_in_body"), "expected 2xx; got 200 (reset_in_body)");
}

static void without_a_status_it_is_2xx(void **state)
{
    (void)state;
    judged("{within: 1s}", with(204, "delivered"), NULL);
    judged("{within: 1s}", with(300, "redirect"), "expected 2xx; got 300");
    judged("{report: true}", with(199, NULL), "expected 2xx; got 199");
}

static void times_are_judged(void **state)
{
    (void)state;
    judged("{within: 20ms}", with(200, "delivered"), NULL);
    judged("{within: 19999us}", with(200, "delivered"), "expected within 20 ms; took 20 ms");
    judged("{within: 5ms}", with(200, "delivered"), "expected within 5 ms; took 20 ms");
    judged("{status: none, within: 5ms}", with(0, "reset"), "expected within 5 ms; took 20 ms");
}

static void headers_are_judged(void **state)
{
    (void)state;
    judged("{header: {content-type: any, Location: absent, X-Twice: two}}", with(200, "delivered"), NULL);
    judged("{header: {Content-Type: application/json}}", with(200, "delivered"), NULL);
    judged("{header: {Content-Type: Application/JSON}}", with(200, "delivered"), NULL);
    judged("{header: {Content-Type: application/json; charset=utf-8}}", with(200, "delivered"), NULL);
    judged("{header: {Content-Type: text/plain}}", with(200, "delivered"),
           "expected header Content-Type \"text/plain\"; got \"application/json; charset=utf-8\"");
    judged("{header: {X-Twice: three}}", with(200, "delivered"),
           "expected header X-Twice \"three\"; got \"one\"");
    judged("{header: {Retry-After: any}}", with(200, "delivered"),
           "expected header Retry-After; there is none");
    judged("{header: {X-Twice: absent}}", with(200, "delivered"), "expected no header X-Twice; got \"one\"");
    judged("{header: {X-Twice: \"any\"}}", with(200, "delivered"),
           "expected header X-Twice \"any\"; got \"one\"");
    judged("{header: {Empty: any}}", with(200, "delivered"), NULL);
    judged("{header: {Empty: \"\"}}", with(200, "delivered"), NULL);
    judged("{header: {X-Twice: One}}", with(200, "delivered"),
           "expected header X-Twice \"One\"; got \"one\"");
}

static void bodies_are_judged(void **state)
{
    (void)state;
    judged("{body: {contains: '\"ok\"', lacks: Traceback}}", with(200, "delivered"), NULL);
    judged("{body: {contains: accepted}}", with(200, "delivered"), "the body lacks \"accepted\"");
    judged("{body: {lacks: [Traceback, count]}}", with(200, "delivered"), "the body contains \"count\"");
    judged("{body: {contains: a, lacks: status, /count: 4}}", with(200, "delivered"),
           "the body contains \"status\"; expected 4 at /count; got 3");
}

static void pointers_are_judged(void **state)
{
    (void)state;
    judged("{body: {/status: ok, /count: 3, /list/0: 1, '/list/1/a~1b': true, '/list/1/m~0n': null, /f: 3, "
           "/: 0}}",
           with(200, "delivered"), NULL);
    judged("{body: {/deep: {y: [2], x: 1}}}", with(200, "delivered"), NULL);
    judged("{body: {/deep: {y: [2, 3], x: 1}}}", with(200, "delivered"),
           "expected {\"y\":[2,3],\"x\":1} at /deep; got {\"x\":1,\"y\":[2]}");
    judged("{body: {/count: '3'}}", with(200, "delivered"), "expected \"3\" at /count; got 3");
    judged("{body: {/list/2: 1}}", with(200, "delivered"), "expected 1 at /list/2; there is nothing");
    judged("{body: {/list/00: 1}}", with(200, "delivered"), "expected 1 at /list/00; there is nothing");
    judged("{body: {/list/-: 1}}", with(200, "delivered"), "expected 1 at /list/-; there is nothing");
    judged("{body: {/status/x: null}}", with(200, "delivered"),
           "expected null at /status/x; there is nothing");
    struct e8_answer answer = with(200, "delivered");
    answer.body = E8_LIT("<html>");
    judged("{body: {/a: 1, /b: 2}}", answer, "the body is no JSON");
    answer.body = E8_LIT("");
    judged("{body: {/a: 1}}", answer, "expected JSON; the body is empty");
}

static void what_was_received_is_cleaned_and_cut(void **state)
{
    struct e8_answer answer = with(200, "delivered");
    (void)state;
    answer.head = E8_LIT("HTTP/1.1 200 OK\r\nX: a\033[31mb\a\r\n\r\n");
    judged("{header: {X: absent}}", answer, "expected no header X; got \"a\\x1B[31mb\\x07\"");
    char text[500];
    struct e8_buf buf;
    e8_buf_fixed(&buf, text, sizeof(text));
    e8_buf_puts(&buf, "{\"v\": \"");
    for (int i = 0; i < 100; i++)
        e8_buf_puts(&buf, "é");
    e8_buf_puts(&buf, "\"}");
    answer.body = e8_buf_str(&buf);
    judged("{body: {/v: x}}", answer, "expected \"x\" at /v; got \"éééééééééééééééééééééééééééééé…\"");
}

static void texts_say_what_is_expected(void **state)
{
    static const struct {
        const char *yaml, *text;
    } table[] = {
        {"{status: [400, 401, 403], within: 5s, body: {lacks: Traceback}}",
         "400, 401 or 403 within 5 s; body lacks \"Traceback\""},
        {"{}", "2xx"},
        {"{status: [2xx, none]}", "2xx or no answer"},
        {"{status: 400..403}", "400..403"},
        {"{status: 202, header: {Retry-After: any, Location: absent, A: b}}",
         "202; header Retry-After; no header Location; header A \"b\""},
        {"{body: {contains: [a, b], /x/y: 1}, effect: 0..1}",
         "2xx; body contains \"a\"; body contains \"b\"; body has 1 at /x/y; effect 0 to 1"},
        {"{effect: 1}", "2xx; effect 1"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct rig r;
        char memory[300];
        struct e8_buf out;
        assert_int_equal(rig_parse(&r, table[i].yaml), E8_OK);
        e8_buf_fixed(&out, memory, sizeof(memory));
        e8_expect_text(r.expect, &out);
        assert_string_equal(e8_buf_cstr(&out), table[i].text);
        rig_fini(&r);
    }
}

static void what_else_it_says(void **state)
{
    struct rig r;
    int64_t low = -7, high = -7;
    (void)state;
    assert_int_equal(rig_parse(&r, "{status: 200, within: 1s}"), E8_OK);
    assert_false(e8_expect_reads(r.expect));
    assert_false(e8_expect_only_reports(r.expect));
    assert_false(e8_expect_effect(r.expect, &low, &high));
    rig_fini(&r);
    static const char *const reading[] = {"{header: {A: any}}", "{body: {contains: a}}", "{body: {lacks: a}}",
                                          "{body: {/a: 1}}"};
    for (size_t i = 0; i < E8_COUNT(reading); i++) {
        assert_int_equal(rig_parse(&r, reading[i]), E8_OK);
        assert_true(e8_expect_reads(r.expect));
        rig_fini(&r);
    }
    assert_int_equal(rig_parse(&r, "{effect: -1..2, report: true}"), E8_OK);
    assert_true(e8_expect_only_reports(r.expect));
    assert_true(e8_expect_effect(r.expect, &low, &high));
    assert_int_equal(low, -1);
    assert_int_equal(high, 2);
    rig_fini(&r);
}

static void every_fault_is_told_with_its_place(void **state)
{
    static const struct {
        const char *yaml;
        size_t faults;
        int line, col;
        const char *what, *hint;
    } table[] = {
        {"401", 1, 1, 1, "\"401\" is no map of what must come back", "like {status: 401"},
        {"{stauts: 401}", 1, 1, 2, "unknown", "status"},
        {"{status: [200, 2x, {}]}", 2, 1, 16, "\"2x\" is no status", "a class like 2xx"},
        {"{status: []}", 1, 1, 10, "a list is no status", "none"},
        {"{status: 999}", 1, 1, 10, "\"999\" is no status", "401"},
        {"{within: 5}", 1, 1, 10, "\"5\" is no duration", "500ms"},
        {"{within: 0}", 1, 1, 10, "\"0\" is no duration", "500ms"},
        {"{header: [A]}", 1, 1, 10, "is no map of headers", "absent"},
        {"{header: {'A b': c}}", 1, 1, 11, "\"A b\" is no header's name", "dashes"},
        {"{header: {A: [c]}}", 1, 1, 14, "is no header's value", "any"},
        {"{body: ok}", 1, 1, 8, "is no map", "contains"},
        {"{body: {contain: ok}}", 1, 1, 9, "unknown key \"contain\"", "did you mean \"contains\"?"},
        {"{body: {contains: {}}}", 1, 1, 19, "nothing to look for", "a list of texts"},
        {"{body: {/a~2: 1}}", 1, 1, 9, "\"/a~2\": in a JSON pointer", "/data/count"},
        {"{effect: some}", 1, 1, 10, "\"some\" is no effect", "0..1"},
        {"{effect: 2..1}", 1, 1, 10, "\"2..1\" is no effect", "0..1"},
        {"{report: 1}", 1, 1, 10, "neither true nor false", "true or false"},
        {"status: 7\nwithin: x\nheader: 1\nbody: 2\neffect: y\nreport: z\n", 6, 1, 9, "\"7\" is no status",
         "401"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct rig r;
        assert_int_equal(rig_parse(&r, table[i].yaml), E8_INPUT);
        if (r.errs.total != table[i].faults)
            fail_msg("%s: %zu faults", table[i].yaml, r.errs.total);
        const struct e8_err *err = &r.errs.list[0];
        if (err->line != table[i].line || err->col != table[i].col || !strstr(err->what, table[i].what) ||
            !strstr(err->hint, table[i].hint))
            fail_msg("%s: %d:%d: %s; %s", table[i].yaml, err->line, err->col, err->what, err->hint);
        assert_string_equal(err->file, "t.yaml");
        rig_fini(&r);
    }
}

static void an_override_changes_the_statuses_alone(void **state)
{
    struct rig r;
    struct e8_doc *doc;
    const struct e8_expect *other;
    struct e8_err err = {0};
    char memory[200];
    struct e8_buf out;
    (void)state;
    assert_int_equal(rig_parse(&r, "{status: 400, within: 1s, body: {lacks: x}, report: true}"), E8_OK);
    assert_int_equal(e8_doc_parse("p", E8_LIT("[404, 5xx]"), E8_DOC_YAML, &doc, &err), E8_OK);
    assert_int_equal(e8_expect_override(r.arena, r.expect, e8_doc_root(doc), &other, &r.errs), E8_OK);
    e8_doc_free(&doc);
    e8_buf_fixed(&out, memory, sizeof(memory));
    e8_expect_text(other, &out);
    e8_buf_puts(&out, " | ");
    e8_expect_text(r.expect, &out);
    assert_string_equal(e8_buf_cstr(&out),
                        "404 or 5xx within 1 s; body lacks \"x\" | 400 within 1 s; body lacks \"x\"");
    assert_true(e8_expect_only_reports(other));
    assert_int_equal(e8_doc_parse("p", E8_LIT("[404, what]"), E8_DOC_YAML, &doc, &err), E8_OK);
    assert_int_equal(e8_expect_override(r.arena, r.expect, e8_doc_root(doc), &other, &r.errs), E8_INPUT);
    assert_int_equal(r.errs.list[0].col, 7);
    e8_doc_free(&doc);
    rig_fini(&r);
}

static void numbers_are_found(void **state)
{
    /* The document and the pointers of RFC 6901, section 5, with numbers in all places. */
    static const char json[] =
        "{\"foo\": [10, 11], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4, \"i\\\\j\": 5, "
        "\"k\\\"l\": 6, \" \": 7, \"m~n\": 8, \"s\": \" 12 \", \"f\": 4e2, \"h\": 1.5, \"t\": "
        "\"many\", \"neg\": -3}";
    static const struct {
        const char *pointer;
        int64_t number;
    } table[] = {{"/foo/0", 10}, {"/foo/1", 11}, {"/", 0},     {"/a~1b", 1}, {"/c%d", 2},
                 {"/e^f", 3},    {"/g|h", 4},    {"/i\\j", 5}, {"/k\"l", 6}, {"/ ", 7},
                 {"/m~0n", 8},   {"/s", 12},     {"/f", 400},  {"/neg", -3}};
    int64_t number;
    struct e8_err err = {0};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        number = -1;
        if (e8_pointer_number(e8_str(json), table[i].pointer, &number, &err))
            fail_msg("%s: %s", table[i].pointer, err.what);
        assert_int_equal(number, table[i].number);
    }
    assert_int_equal(e8_pointer_number(E8_LIT("42\n"), "", &number, &err), E8_OK);
    assert_int_equal(number, 42);
    assert_int_equal(e8_pointer_number(E8_LIT("43"), NULL, &number, &err), E8_OK);
    assert_int_equal(number, 43);
}

static void what_is_no_number_is_told(void **state)
{
    static const struct {
        const char *json, *pointer, *what, *hint;
    } table[] = {
        {"{\"count\": 1}", "/cuont", "the JSON has nothing at \"/cuont\"", "did you mean \"count\"?"},
        {"{\"count\": 1, \"other\": 2}", "/zzzz", "nothing at \"/zzzz\"", "there is \"count\", \"other\""},
        {"{\"a\": {}}", "/a/b", "nothing at \"/a/b\"", "an empty map"},
        {"[1]", "/1", "nothing at \"/1\"", "what stands there is a list"},
        {"7", "/a", "nothing at \"/a\"", "a whole number"},
        {"{\"h\": 1.5}", "/h", "at \"/h\" stands 1.5", "whole number"},
        {"{\"h\": \"1x\"}", "/h", "at \"/h\" stands \"1x\"", "whole number"},
        {"{\"h\": null}", "/h", "at \"/h\" stands null", "whole number"},
        {"{\"h\": {\"a\":\"\\u001b\"}}", "/h", "at \"/h\" stands {\"a\":\"\\u001b\"}", "whole number"},
        {"<html>\033", "/h", "it is no JSON: \"<html>\\x1B\"", ""},
        {"", "/h", "it is no JSON: \"\"", ""},
        {"{}", "h", "\"h\": a JSON pointer begins with a slash", "/data/count"},
        {"{}", "/h~", "\"/h~\": in a JSON pointer", "/data/count"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        int64_t number = -1;
        struct e8_err err = {0};
        assert_int_equal(e8_pointer_number(e8_str(table[i].json), table[i].pointer, &number, &err), E8_INPUT);
        if (!strstr(err.what, table[i].what) || !strstr(err.hint, table[i].hint))
            fail_msg("%s of %s: %s; %s", table[i].pointer, table[i].json, err.what, err.hint);
        assert_int_equal(number, -1);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_are_read),
        cmocka_unit_test(statuses_are_judged),
        cmocka_unit_test(without_a_status_it_is_2xx),
        cmocka_unit_test(times_are_judged),
        cmocka_unit_test(headers_are_judged),
        cmocka_unit_test(bodies_are_judged),
        cmocka_unit_test(pointers_are_judged),
        cmocka_unit_test(what_was_received_is_cleaned_and_cut),
        cmocka_unit_test(texts_say_what_is_expected),
        cmocka_unit_test(what_else_it_says),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(an_override_changes_the_statuses_alone),
        cmocka_unit_test(numbers_are_found),
        cmocka_unit_test(what_is_no_number_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
