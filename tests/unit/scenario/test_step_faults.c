/* What is wrong with the larger language, each fault with its line and column. */
#include <stdio.h>

#include "tests.h"

#define A                                                                                                    \
    "endpoints: {a: {url: 'http://127.0.0.1:9/', secret: 0123456789abcdef, rotation: 0123456789abcdeg}, b: " \
    "{url: "                                                                                                 \
    "'http://127.0.0.1:9/'}}\n"
#define S(step) A "flows:\n  f:\n    - emit: message.sent\n    - " step "\n"        /* line 5, column 7 */
#define E(keys) A "flows:\n  f:\n    - {emit: message.sent, " keys "}\n"            /* line 4, column 29 */
#define F(keys) A "flows:\n  f:\n    steps: [{emit: message.sent}]\n    " keys "\n" /* line 5, column 5 */
#define T(keys) A FLOW keys "\n"                                                    /* line 3 */
#define P(keys)                                                                                              \
    "flows: {f: [{emit: message.sent}]}\nendpoints: {a: {url: 'http://127.0.0.1:9/', " keys "}}\n" /* 2, 45 */

static const struct {
    const char *text;
    int line, col;
    const char *what, *hint;
} table[] = {
    {P("secret: 0123456789abcdef, rotation: x"), 2, 81, "", ""},
    {P("secret: 0123456789abcdef, rotation: [{env: NOTHING}]"), 2, 88, "NOTHING", ""},
    {P("rotation: 0123456789abcdef"), 2, 45, "no secret to rotate from", "secret:"},

    {S("wait: 'exp:x'"), 5, 13, "", "exp:20ms"},
    {S("wait: 'gauss:1s'"), 5, 13, "", ""},
    {S("wait: 'normal:1s'"), 5, 13, "", "normal"},
    {S("at: x"), 5, 11, "no duration", ""},
    {S("at: 400d"), 5, 11, "no duration", "a year"},
    {S("{at: 1s, wait: 1s}"), 5, 8, "unknown key \"at\"", ""},
    {S("await: ok"), 5, 14, "nothing to wait for", "ack"},
    {S("{await: ack, on_failure: stop-flo}"), 5, 32, "on failure", "did you mean \"stop-flow\"?"},
    {S("{await: ack, on-failure: continue}"), 5, 20, "on-failure", "on_failure"},
    {S("parallel: 5"), 5, 17, "list of branches", ""},
    {S("parallel: []"), 5, 17, "list of branches", ""},
    {S("parallel: [[]]"), 5, 18, "list of steps", ""},
    {S("parallel: [{step: []}]"), 5, 18, "a branch is a list of steps", ""},
    {S("parallel: [{steps: [{wait: 0}], weight: 1}]"), 5, 39, "weight", ""},
    {S("parallel: [[{again: retry}]]"), 5, 19, "not certain", "emit"},
    {S("{again: twice}"), 5, 15, "no way to send again", "replay"},
    {S("{again: retry, set: {}}"), 5, 22, "unknown key \"set\"", ""},
    {A "flows: {f: [{again: retry}, {emit: message.sent}]}\n", 2, 13, "not certain", ""},
    {A "flows: {f: [{parallel: [[{emit: message.sent}]]}, {again: retry}]}\n", 2, 51, "not certain", ""},
    {A "flows: {f: [{choose: [{steps: [{emit: message.sent}]}, {steps: [{emit: agent.error}]}]}, {again: "
       "retry}]}\n",
     2, 90, "not certain", ""},
    {A "flows: {f: [{repeat: 0..2, steps: [{emit: message.sent}]}, {again: retry}]}\n", 2, 60, "not certain",
     ""},
    {S("rotate: c"), 5, 15, "no endpoint is called \"c\"", ""},
    {S("rotate: b"), 5, 15, "no secret to go on to", "rotation"},
    {S("{rotate: a, grace: x}"), 5, 26, "no duration", ""},
    {S("{revoke: a, grace: 1s}"), 5, 19, "unknown key \"grace\"", ""},
    {S("revoke: [a]"), 5, 15, "no endpoint", ""},
    {S("exec: ls"), 5, 13, "a command is a list", "sh"},
    {S("exec: []"), 5, 13, "a command is a list", ""},
    {S("exec: ['']"), 5, 14, "needs a program", ""},
    {S("exec: [[x]]"), 5, 14, "must be a text", ""},
    {S("{exec: [x], on_failure: 5}"), 5, 31, "on failure", ""},
    {S("repaet: 3"), 5, 7, "unknown step", "did you mean \"repeat\"?"},
    {S("sleep: 3"), 5, 7, "unknown step", "parallel"},

    {E("endpoint: c"), 4, 38, "no endpoint is called \"c\"", ""},
    {E("endpoint: [a]"), 4, 38, "no endpoint", ""},
    {E("headers: 5"), 4, 37, "must be a map", ""},
    {E("headers: {Host: x}"), 4, 38, "framing", ""},
    {E("headers: {'a b': x}"), 4, 38, "no header name", ""},
    {E("headers: {a: \"x\\ny\"}"), 4, 41, "control character", ""},
    {E("name: [x]"), 4, 34, "must be a text", ""},
    {E("name: \"a\\nb\""), 4, 34, "no name", ""},
    {E("name: ''"), 4, 34, "no name", ""},
    {E("id: 'a b'"), 4, 32, "no delivery id", "39"},
    {E("id: 0123456789012345678901234567890123456789x"), 4, 32, "no delivery id", "39"},
    {E("at: -1s"), 4, 32, "no duration", ""},
    {E("body: [x]"), 4, 34, "a body is a text or bytes", "base64"},
    {E("body: {base63: x}"), 4, 34, "a body is a text or bytes", ""},
    {E("body: {base64: '*'}"), 4, 43, "no base64", ""},
    {E("body: x, set: {data.x: 1}"), 4, 37, "as it is written", ""},
    {E("body: x, remove: [data.x]"), 4, 37, "as it is written", ""},
    {E("verbatim: 5"), 4, 38, "true or false", ""},
    {E("type: ''"), 4, 34, "no event type", ""},
    {E("type: \"a\\nb\""), 4, 34, "no event type", ""},
    {E("type: '{{event.id}}'"), 4, 34, "no event type", ""},
    {E("type: [x]"), 4, 34, "no event type", ""},
    {E("await: {ack: never}"), 4, 41, "on failure", ""},
    {E("await: {ack: continue, x: 1}"), 4, 51, "unknown key \"x\"", ""},
    {E("await: {}"), 4, 35, "nothing to wait for", ""},
    {E("on_failure: continue"), 4, 28, "unknown key", ""},
    {E("expekt: {}"), 4, 28, "unknown key", "did you mean \"expect\"?"},
    {E("deliver: 5"), 4, 37, "deliver must be a map", ""},
    {E("deliver: {}"), 4, 37, "deliver must be a map", ""},
    {E("deliver: {duplicate: 0}"), 4, 49, "no number of copies", "1000"},
    {E("deliver: {duplicate: 1001}"), 4, 49, "no number of copies", "1000"},
    {E("deliver: {duplicate: 1.5}"), 4, 49, "no number of copies", ""},
    {E("deliver: {concurrent: true}"), 4, 38, "said of duplicates", ""},
    {E("deliver: {as: retry}"), 4, 38, "said of duplicates", ""},
    {E("deliver: {duplicate: 1, as: replay}"), 4, 56, "not how copies", "retry"},
    {E("deliver: {duplicate: 1, concurrent: 2}"), 4, 64, "true or false", ""},
    {E("deliver: {late: 0}"), 4, 44, "not above 0", ""},
    {E("deliver: {burst: x}"), 4, 45, "no duration", ""},
    {E("deliver: {late: 367d}"), 4, 44, "no duration", "a year"},
    {E("deliver: {reorder: maybe}"), 4, 47, "true or false", ""},
    {E("deliver: {drop: true, late: 1s}"), 4, 38, "dropped", "alone"},
    {E("deliver: {dupe: 1}"), 4, 38, "unknown key", ""},
    {E("deliver: {reorder: true}, await: ack"), 4, 37, "cannot be awaited", ""},
    {E("verbatim: true, tamper: {signature: truncated}"), 4, 52, "nothing is signed", ""},
    {E("tamper: {signatur: x}"), 4, 37, "unknown key", "signature"},
    {E("expect: {stauts: 200}"), 4, 37, "unknown key", "status"},
    {A "flows: {f: [{emit: order.created}]}\n", 2, 20, "unknown event type", "a body"},
    {A "flows: {f: [{emit: mesage.sent, set: {data.nope.x: 1}}]}\n", 2, 20, "unknown event type",
     "message.sent"},
    {A "flows: {f: [{emit: \"a\\nb\", body: x}]}\n", 2, 20, "no event type", ""},

    {F("await: yes"), 5, 12, "nothing to wait for", ""},
    {F("faults: 5"), 5, 13, "faults must be a map", ""},
    {F("each: type"), 5, 11, "written out for", "types"},
    {F("check: {}"), 5, 12, "a check has a title", ""},
    {F("check: {title: x, needs: [secrets]}"), 5, 31, "nothing that a check can need",
     "did you mean \"secret\"?"},
    {F("check: {title: x, wy: y}"), 5, 23, "unknown key \"wy\"", "why"},
    {F("check: {title: x, canary: 1}"), 5, 31, "true or false", ""},
    {F("check: {title: [x]}"), 5, 20, "must be a text", ""},
    {A "flows:\n  f: {each: types, steps: [{emit: '${type}'}]}\n  f-03: [{emit: message.sent}]\n", 4, 3,
     "another flow \"f-03\"", ""},

    {T("faults: {duplicate: 200%}"), 3, 21, "\"200%\" is no share", "2%"},
    {T("faults: {duplicate: {copies: 2}}"), 3, 21, "needs a share", ""},
    {T("faults: {duplicate: {share: 1%, copies: 0}}"), 3, 41, "no number of copies", ""},
    {T("faults: {duplicate: {share: 1%, concurent: true}}"), 3, 33, "unknown key", "concurrent"},
    {T("faults: {late: 1%}"), 3, 16, "a share and a duration", "by 30s"},
    {T("faults: {late: 1% by x}"), 3, 16, "no duration", ""},
    {T("faults: {late: x by 1s}"), 3, 16, "\"x\" is no share", ""},
    {T("faults: {late: 1% by 0s}"), 3, 16, "no duration above 0", ""},
    {T("faults: {burst: 1% by 1s}"), 3, 17, "a share and a duration", "over 2s"},
    {T("faults: {burst: {share: 1%}}"), 3, 17, "a share and a duration", ""},
    {T("faults: {reorder: [x]}"), 3, 19, "no share", ""},
    {T("faults: {reorder: 60%, drop: 41%}"), 3, 9, "more than all deliveries", "100%"},
    {T("faults: {dorp: 1%}"), 3, 10, "unknown key", "drop"},
    {T("effect: 5"), 3, 9, "a GET or by a command", ""},
    {T("effect: {}"), 3, 9, "a GET or by a command", ""},
    {T("effect: {get: 'http://x/', command: [x]}"), 3, 9, "a GET or by a command", ""},
    {T("effect: {get: 'ftp://x/'}"), 3, 15, "", "http"},
    {T("effect: {get: 'http://x/', pointer: count}"), 3, 37, "begins with a slash", "/count"},
    {T("effect: {command: [x], pointer: /count}"), 3, 24, "GET brings", ""},
    {T("effect: {command: x}"), 3, 19, "a command is a list", ""},
    {T("effect: {command: [x], settle: y}"), 3, 32, "no duration", ""},
    {T("effect: {command: [x], setle: 1s}"), 3, 24, "unknown key", "settle"},
    {T("thresholds: [{abort: true}]"), 3, 14, "has a rule", ""},
    {T("thresholds: [{rule: 'failed == 0', abort: 5}]"), 3, 43, "true or false", ""},
    {T("thresholds: [{rule: 'failed == 0', abrt: true}]"), 3, 36, "unknown key", "abort"},
    {T("description: [x]"), 3, 14, "must be a text", ""},
    {T("incldue: x"), 3, 1, "unknown key", "did you mean \"include\"?"},
};

static void each_fault_has_its_place(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_scenario_options options = defaults();
        struct e8_plan *plan = NULL;
        struct e8_errs errs;
        e8_errs_init(&errs);
        e8_plan_parse(catalog(), "s.yaml", e8_str(table[i].text), &options, &plan, &errs);
        const struct e8_err *err = errs.list;
        if (plan || errs.total != 1 || err->line != table[i].line || err->col != table[i].col ||
            !strstr(err->what, table[i].what) || !strstr(err->hint, table[i].hint)) {
            print_error("--- at %d:%d \"%s\" (%s) was expected, and nothing else:\n%s---\n", table[i].line,
                        table[i].col, table[i].what, table[i].hint, table[i].text);
            e8_errs_print(&errs, stderr);
            missing++;
        }
        e8_plan_free(&plan);
        e8_errs_fini(&errs);
    }
    assert_int_equal(missing, 0);
}

static void branches_have_a_limit(void **state)
{
    for (int count = E8_BRANCHES_MAX; count <= E8_BRANCHES_MAX + 1; count++) {
        struct e8_scenario_options options = defaults();
        struct e8_plan *plan = NULL;
        struct e8_errs errs;
        struct e8_buf text;
        (void)state;
        e8_errs_init(&errs);
        e8_buf_init(&text, 1 << 20);
        e8_buf_puts(&text, A "flows: {f: [{parallel: [");
        for (int i = 0; i < count; i++) {
            e8_buf_puts(&text, "[{emit: message.sent}],");
        }
        e8_buf_puts(&text, "]}]}\n");
        e8_plan_parse(catalog(), "s.yaml", e8_buf_str(&text), &options, &plan, &errs);
        assert_true((plan != NULL) == (count == E8_BRANCHES_MAX));
        assert_true(plan || strstr(errs.list[0].what, "256 branches"));
        e8_plan_free(&plan);
        e8_errs_fini(&errs);
        e8_buf_fini(&text);
    }
}

static void forks_count_as_depth_and_steps(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    (void)state;
    e8_errs_init(&errs);
    e8_plan_parse(
        catalog(), "s.yaml",
        E8_LIT(
            A
            "flows: {f: [{repeat: 1000000, steps: [{parallel: [[{repeat: 50, steps: [{emit: message.sent}]}],"
            "[{repeat: 50, steps: [{emit: message.sent}]}]]}]}]}\n"),
        &options, &plan, &errs);
    assert_null(plan);
    assert_non_null(strstr(errs.list[0].what, "more than 100000000 steps"));
    e8_errs_fini(&errs);
}

int test_step_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_place),
        cmocka_unit_test(branches_have_a_limit),
        cmocka_unit_test(forks_count_as_depth_and_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
