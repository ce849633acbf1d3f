/* What is wrong: each fault with its line and column, all of them in one go. */
#include <stdio.h>

#include "tests.h"

#define END "endpoints: {a: {url: 'http://127.0.0.1:9/'}}\n"
#define A(more)                                                                                              \
    "flows: {f: [{emit: message.sent}]}\nendpoints:\n  a: {url: 'http://127.0.0.1:9/', " more "}\n"
#define S(steps) END "flows:\n  f:\n    - " steps "\n"
#define R(entry) END "flows: {f: [{emit: message.sent}]}\nrun:\n  - " entry "\n"

static const struct fault {
    const char *text;
    int line, col;
    const char *what, *hint;
} table[] = {
    {"[]", 1, 1, "is a map", "endpoints:"},
    {"", 1, 1, "", ""},
    {"5", 1, 1, "is a map", ""},
    {"a: [", 1, 5, "", ""},
    {END "flows: {f: [{emit: message.sent}]}\nflwos: {}\n", 3, 1, "flwos", "flows"},
    {"flows: {f: [{emit: message.sent}]}\n", 1, 1, "no endpoint", "endpoints:"},
    {"endpoints: {}\nflows: {f: [{emit: message.sent}]}\n", 1, 12, "no endpoint", ""},
    {"endpoints: []\nflows: {f: [{emit: message.sent}]}\n", 1, 12, "no endpoint", ""},
    {END, 1, 1, "no flow", "flows:"},
    {END "flows: {}\n", 2, 8, "no flow", ""},
    {"seed: -1\n" END FLOW, 1, 7, "\"-1\" is no seed", ""},
    {"seed: 9223372036854775808\n" END FLOW, 1, 7, "", ""},
    {"seed: 1.5\n" END FLOW, 1, 7, "\"1.5\" is no seed", ""},
    {"seed: [1]\n" END FLOW, 1, 7, "no seed", ""},
    {"scenario: [x]\n" END FLOW, 1, 11, "must be a text", ""},
    {"environment: prod\n" END FLOW, 1, 14, "unknown environment \"prod\"", "did you mean \"production\"?"},
    {"scenario: ${}\n" END FLOW, 1, 11, "", "${NAME}"},
    {"scenario: ${A\n" END FLOW, 1, 11, "not closed", "${NAME}"},
    {"scenario: ${NOTHING}\n" END FLOW, 1, 11, "the environment has no NOTHING", ":-default"},
    {"scenario: ${EMPTY}\n" END FLOW, 1, 11, "the environment has no EMPTY", ""},
    {"scenario: '${A:x}'\n" END FLOW, 1, 11, "", "${NAME}"},
    {"scenario: '${A B}'\n" END FLOW, 1, 11, "", "${NAME}"},

    {"endpoints: {a: 5}\n" FLOW, 1, 16, "an endpoint is a map", ""},
    {"endpoints: {a: {}}\n" FLOW, 1, 13, "\"a\" has no url", "url:"},
    {"endpoints: {'a b': {url: 'http://127.0.0.1:9/'}}\n" FLOW, 1, 13, "no name for an endpoint", "letters"},
    {"endpoints: {'': {url: 'http://127.0.0.1:9/'}}\n" FLOW, 1, 13, "no name for an endpoint", "letters"},
    {"endpoints: {a: {url: 'http://127.0.0.1:9/'},\n  a: {url: 'http://127.0.0.1:9/'}}\n" FLOW, 2, 3, "", ""},
    {A("ulr: x"), 3, 35, "ulr", "url"},
    {"endpoints: {a: {url: ftp://x/}}\n" FLOW, 1, 22, "", "http"},
    {"endpoints: {a: {url: 'http:///x'}}\n" FLOW, 1, 22, "", ""},
    {"endpoints: {a: {url: [x]}}\n" FLOW, 1, 22, "must be a text", ""},
    {"endpoints: {a: {url: 'http://127.0.0.1:99999/'}}\n" FLOW, 1, 22, "", ""},
    {A("secret: short"), 3, 43, "", ""},
    {A("secret: {}"), 3, 43, "one place", "env"},
    {A("secret: {env: SECRET, file: x}"), 3, 43, "one place", "env"},
    {A("secret: {env: NOTHING}"), 3, 49, "the environment has no NOTHING", "--secret-file"},
    {A("secret: {file: /nonexistent}"), 3, 50, "", ""},
    {A("secret: [0123456789abcdef, {env: NOTHING}]"), 3, 68, "NOTHING", ""},
    {A("secret: [1,2,3,4,5,6,7,8,9]"), 3, 43, "at most 8", ""},
    {A("scheme: standard-webhooks, secret: whsec_!!!!!!!!!!!!!!!!!!!!!!!!"), 3, 70, "", ""},
    {A("scheme: 9bit"), 3, 43, "unknown signature scheme \"9bit\"", "8bit"},
    {A("scheme: {header: X}"), 3, 43, "algorithm", ""},
    {A("scheme: {header: X, algorithm: md5}"), 3, 66, "md5", ""},
    {A("scheme: [x]"), 3, 43, "must be a text", ""},
    {A("events: [nothing.*]"), 3, 44, "no event type matches \"nothing.*\"", ""},
    {A("events: [message.snet]"), 3, 44, "no event type matches", "message.sent"},
    {A("events: ['${NOTHING:-message.snet}']"), 3, 44, "no event type matches \"message.snet\"",
     "message.sent"},
    {A("events: {}"), 3, 43, "must be a list", ""},
    {A("events: []"), 3, 43, "empty list", ""},
    {A("environments: [prod]"), 3, 50, "unknown environment \"prod\"", ""},
    {A("environments: []"), 3, 49, "empty list", ""},
    {A("timeout: 5"), 3, 44, "\"5\" is no duration", "unit"},
    {A("timeout: 0s"), 3, 44, "no time for an answer", ""},
    {A("timeout: 400d"), 3, 44, "no duration", "a year"},
    {A("timeout: {}"), 3, 44, "no duration", ""},
    {A("retry: 5"), 3, 42, "is a map", ""},
    {A("retry: {attempts: 0}"), 3, 53, "out of range", ""},
    {A("retry: {attempts: 1001}"), 3, 53, "out of range", ""},
    {A("retry: {attempts: many}"), 3, 53, "no whole number", ""},
    {A("retry: {factor: 0.5}"), 3, 51, "out of range", ""},
    {A("retry: {jitter: some}"), 3, 51, "unknown jitter", "full"},
    {A("retry: {base: 5}"), 3, 49, "\"base\" is no duration", ""},
    {A("retry: {cap: 9999d}"), 3, 48, "\"cap\" is no duration", "a year"},
    {A("retry: {tries: 5}"), 3, 43, "tries", ""},
    {A("headers: [a]"), 3, 44, "must be a map", ""},
    {A("headers: {'X A': b}"), 3, 45, "no header name", ""},
    {A("headers: {Host: b}"), 3, 45, "break the framing", ""},
    {A("headers: {content-length: 5}"), 3, 45, "break the framing", ""},
    {A("headers: {X: \"a\\nb\"}"), 3, 48, "control character", ""},
    {A("headers: {X: [a]}"), 3, 48, "must be a text", ""},

    {END "flows: {f: 5}\n", 2, 12, "flow \"f\" has no steps", ""},
    {END "flows: {f: {}}\n", 2, 12, "flow \"f\" has no steps", ""},
    {END "flows: {f: []}\n", 2, 12, "list of steps", ""},
    {END "flows: {f: {steps: [{wait: 0}], step: 1}}\n", 2, 33, "step", ""},
    {S("5"), 4, 7, "a step is a map", ""},
    {S("{}"), 4, 7, "unknown step", ""},
    {S("emitt: message.sent"), 4, 7, "unknown step \"emitt\"", "did you mean \"emit\"?"},
    {S("emit: mesage.sent"), 4, 13, "unknown event type \"mesage.sent\"", "did you mean \"message.sent\"?"},
    {S("emit: [message.sent]"), 4, 13, "unknown event type", ""},
    {S("{emit: message.sent, wait: 1s}"), 4, 28, "wait", ""},
    {S("{emit: message.sent, environment: moon}"), 4, 41, "unknown environment", ""},
    {S("{emit: message.sent, set: 5}"), 4, 33, "set must be a map", ""},
    {S("{emit: message.sent, set: {data.role.x: 5}}"), 4, 34, "role", ""},
    {S("{emit: message.sent, set: {data.x: '{{$nope}}'}}"), 4, 42, "$nope", ""},
    {S("{emit: message.sent, set: {'data.{{a.b}}': 1}}"), 4, 34, "cannot stand in a name", ""},
    {S("{emit: message.sent, remove: 5}"), 4, 36, "must be a list of paths", ""},
    {S("{emit: message.sent, remove: [data.nope]}"), 4, 37, "nope", "there are"},
    {S("{emit: message.sent, remove: [{a: b}]}"), 4, 37, "a path is a text", ""},
    {S("{emit: message.sent, remove: ['']}"), 4, 37, "", ""},
    {S("wait: 5"), 4, 13, "\"5\" is no wait", ""},
    {S("wait: 2s..1s"), 4, 13, "no wait", ""},
    {S("wait: 1s..x"), 4, 13, "no wait", ""},
    {S("wait: 400d"), 4, 13, "no wait", "a year"},
    {S("wait: [1s]"), 4, 13, "no wait", ""},
    {S("{repeat: 0, steps: [{emit: message.sent}]}"), 4, 16, "\"0\" is no count", ""},
    {S("{repeat: 5..2, steps: [{emit: message.sent}]}"), 4, 16, "no count", ""},
    {S("{repeat: 1000001, steps: [{emit: message.sent}]}"), 4, 16, "no count", ""},
    {S("{repeat: -1, steps: [{emit: message.sent}]}"), 4, 16, "no count", ""},
    {S("{repeat: 3}"), 4, 7, "repeat has no steps", ""},
    {S("{repeat: 3, steps: 5}"), 4, 26, "list of steps", ""},
    {S("{choose: 5}"), 4, 16, "list of branches", ""},
    {S("{choose: []}"), 4, 16, "list of branches", ""},
    {S("{choose: [5]}"), 4, 17, "a branch is a map", ""},
    {S("{choose: [{weight: 1}]}"), 4, 17, "a branch is a map with steps", ""},
    {S("{choose: [{weight: -1, steps: [{wait: 0}]}]}"), 4, 26, "\"-1\" is no weight", ""},
    {S("{choose: [{weight: x, steps: [{wait: 0}]}]}"), 4, 26, "\"x\" is no weight", ""},
    {S("{choose: [{weight: 0, steps: [{wait: 0}]}]}"), 4, 16, "sum to 0", ""},
    {S("{choose: [{wieght: 1, steps: [{wait: 0}]}]}"), 4, 18, "wieght", "weight"},
    {S("{repeat: 1000000, steps: [{repeat: 1000, steps: [{emit: message.sent}]}]}"), 3, 3,
     "more than 100000000 steps", ""},

    {R("5"), 4, 5, "names a flow", ""},
    {R("{}"), 4, 5, "names a flow", ""},
    {R("{flow: g}"), 4, 12, "unknown flow \"g\"", ""},
    {R("{flow: f, arivals: {}}"), 4, 15, "arivals", "arrivals"},
    {R("{flow: f, at: x}"), 4, 19, "no duration", ""},
    {R("{flow: f, at: 400d}"), 4, 19, "no duration", "a year"},
    {R("{flow: f, arrivals: 5}"), 4, 25, "must be a map", ""},
    {R("{flow: f, arrivals: {for: 5s}}"), 4, 25, "need a rate", ""},
    {R("{flow: f, arrivals: {rate: 5/s}}"), 4, 25, "need a length", ""},
    {R("{flow: f, arrivals: {rate: 5, for: 1s}}"), 4, 32, "\"5\" is no rate", ""},
    {R("{flow: f, arrivals: {rate: 0/s, for: 1s}}"), 4, 32, "no rate", ""},
    {R("{flow: f, arrivals: {rate: [5], for: 1s}}"), 4, 32, "no rate", ""},
    {R("{flow: f, arrivals: {rate: 5/s, for: 0s}}"), 4, 42, "a length of 0", ""},
    {R("{flow: f, arrivals: {rate: 5/s, for: 400d}}"), 4, 42, "no duration", "a year"},
    {R("{flow: f, arrivals: {rate: 5/s, ramp: 1/s..2/s, for: 1s}}"), 4, 43, "not both", ""},
    {R("{flow: f, arrivals: {ramp: 5/s, for: 1s}}"), 4, 32, "\"5/s\" is no ramp", ""},
    {R("{flow: f, arrivals: {ramp: 0/s..0/s, for: 1s}}"), 4, 32, "no ramp", ""},
    {R("{flow: f, arrivals: {rate: 5/s, for: 1s, process: some}}"), 4, 55, "unknown process \"some\"", ""},
    {R("{flow: f, arrivals: {ramp: 1/s..5/s, for: 1s, process: gauss}}"), 4, 60, "unknown process",
     "poisson"},
    {R("{flow: f, arrivals: {burst: 5, every: 1s, for: 9s, process: poisson}}"), 4, 56,
     "unknown key \"process\"", ""},
    {R("{flow: f, arrivals: {burst: 0, every: 1s, for: 9s}}"), 4, 33, "out of range", ""},
    {R("{flow: f, arrivals: {burst: 5, for: 9s}}"), 4, 25, "every is missing", "every: 10s"},
    {R("{flow: f, arrivals: {burst: 5, every: 0s, for: 9s}}"), 4, 43, "every of 0", ""},
    {R("{flow: f, arrivals: {burst: 1000000, every: 1ns, for: 365d}}"), 4, 25, "overflows", ""},
    {R("{flow: f, arrivals: {sine: 1/s..5/s, for: 9s}}"), 4, 25, "period is missing", "period: 10s"},
    {R("{flow: f, arrivals: {sine: 5/s, period: 1s, for: 9s}}"), 4, 32, "\"5/s\" is no range of rates", ""},
    {R("{flow: f, arrivals: {sine: 1/s..5/s, period: 0s, for: 9s}}"), 4, 50, "period of 0", ""},
    {R("{flow: f, arrivals: {steps: []}}"), 4, 33, "a list of 1 to 1000", "500/s:5m"},
    {R("{flow: f, arrivals: {steps: '5/s:1s'}}"), 4, 33, "a list of 1 to 1000", ""},
    {R("{flow: f, arrivals: {steps: ['5/s:1s', '5/s']}}"), 4, 44, "\"5/s\" is no piece of steps", "5m"},
    {R("{flow: f, arrivals: {steps: ['5/s:1s', '5/s:0s']}}"), 4, 44, "no piece of steps", ""},
    {R("{flow: f, arrivals: {steps: ['5/s:1s'], for: 1s}}"), 4, 45, "for", ""},
    {R("{flow: f, arrivals: {concurrency: 2, for: 0s}}"), 4, 47, "a length of 0", ""},
    {R("{flow: f, warmup: 0s}"), 4, 23, "not above 0", ""},
    {R("{flow: f, warmup: soon}"), 4, 23, "no duration", ""},
    {R("{flow: f, arrivals: {rate: 1000000/s, for: 366d}}"), 4, 25, "overflows", ""},
    {R("{flow: f, arrivals: {times: 0}}"), 4, 33, "out of range", ""},
    {R("{flow: f, arrivals: {times: 1.5}}"), 4, 33, "no whole number", ""},
    {R("{flow: f, arrivals: {times: 5, concurrency: 1000001}}"), 4, 49, "out of range", ""},
    {R("{flow: f, arrivals: {times: 5, rate: 5/s, for: 1s}}"), 4, 26, "times", ""},
    {END FLOW "run: 5\n", 3, 6, "run must be a list", ""},
    {END FLOW "run: []\n", 3, 6, "run must be a list", ""},

    {END FLOW "thresholds: 5\n", 3, 13, "must be a list", ""},
    {END FLOW "thresholds: ['p(99) < 5ms', nonsense < 5]\n", 3, 29, "nonsense", ""},
    {END FLOW "thresholds: [outcome(rest) < 5%]\n", 3, 14, "\"rest\" is no outcome", "reset"},
    {END FLOW "targets: []\n", 3, 10, "must be a map", ""},
    {END FLOW "targets: {alow: [x]}\n", 3, 11, "alow", "allow"},
    {END FLOW "targets: {allow: {}}\n", 3, 18, "must be a list", ""},
};

static bool parse(const char *text, const struct e8_scenario_options *options, struct e8_errs *errs)
{
    struct e8_plan *plan = NULL;
    e8_errs_init(errs);
    enum e8_rc rc = e8_plan_parse(catalog(), "s.yaml", e8_str(text), options, &plan, errs);
    assert_true((rc == E8_OK) == (plan != NULL));
    assert_true((rc == E8_OK) == (errs->total == 0));
    e8_plan_free(&plan);
    return rc == E8_OK;
}

static bool has(const struct e8_errs *errs, int line, int col, const char *what, const char *hint)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        if (err->line == line && err->col == col && strstr(err->what, what) && strstr(err->hint, hint) &&
            strcmp(err->file, "s.yaml") == 0) {
            return true;
        }
    }
    return false;
}

static void each_fault_has_its_place(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_scenario_options options = defaults();
        struct e8_errs errs;
        if (parse(table[i].text, &options, &errs) ||
            !has(&errs, table[i].line, table[i].col, table[i].what, table[i].hint) || errs.total != 1) {
            print_error("--- at %d:%d \"%s\" (%s) was expected, and nothing else:\n%s---\n", table[i].line,
                        table[i].col, table[i].what, table[i].hint, table[i].text);
            e8_errs_print(&errs, stderr);
            missing++;
        }
        e8_errs_fini(&errs);
    }
    assert_int_equal(missing, 0);
}

static void all_faults_are_found_in_one_go(void **state)
{
    static const char text[] = "scenario: [x]\n"                                              /* 1 */
                               "seed: -1\n"                                                   /* 2 */
                               "endpoints:\n"                                                 /* 3 */
                               "  a: {url: ftp://x/, scheme: 9bit, timeout: 0, x: y}\n"       /* 4 */
                               "  b: {events: [nothing.*], environments: [moon], retry: 3}\n" /* 5 */
                               "flows:\n"                                                     /* 6 */
                               "  f:\n"                                                       /* 7 */
                               "    - emit: mesage.sent\n"                                    /* 8 */
                               "    - repeat: x\n"                                            /* 9 */
                               "      steps:\n"                                               /* 10 */
                               "        - sleep: 1s\n"                                        /* 11 */
                               "        - {emit: message.sent, remove: [nope]}\n"             /* 12 */
                               "run: [{flow: g}, {flow: f, arrivals: {rate: 1}}]\n"           /* 13 */
                               "thresholds: [x]\n"                                            /* 14 */
                               "targets: 3\n"                                                 /* 15 */
                               "other: 4\n";                                                  /* 16 */
    static const int lines[] = {1, 2, 4, 4, 4, 4, 5, 5, 5, 5, 8, 9, 11, 12, 13, 13, 13, 14, 15, 16};
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    int found[17] = {0}, wanted[17] = {0};
    (void)state;
    assert_false(parse(text, &options, &errs));
    for (size_t i = 0; i < errs.count; i++) {
        assert_true(errs.list[i].line >= 1 && errs.list[i].line <= 16);
        found[errs.list[i].line]++;
    }
    for (size_t i = 0; i < E8_COUNT(lines); i++) {
        wanted[lines[i]]++;
    }
    for (int line = 1; line <= 16; line++) {
        if (found[line] != wanted[line]) {
            e8_errs_print(&errs, stderr);
            fail_msg("line %d has %d faults, not %d", line, found[line], wanted[line]);
        }
    }
    e8_errs_fini(&errs);
}

static void options_are_checked_too(void **state)
{
    static const char *const unknown[] = {"b=http://127.0.0.1:1/", NULL}, *const bad[] = {"a=ftp://x/", NULL};
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    (void)state;
    options.to_named = unknown;
    assert_false(parse(HEAD FLOW, &options, &errs));
    assert_true(has(&errs, 3, 12, "no endpoint is called \"b\"", ""));
    e8_errs_fini(&errs);
    options.to_named = bad;
    assert_false(parse(HEAD FLOW, &options, &errs));
    e8_errs_fini(&errs);
    options.to_named = NULL;
    options.getenv = NULL;
    assert_false(parse("scenario: ${A}\n" HEAD FLOW, &options, &errs));
    e8_errs_fini(&errs);
    assert_true(parse("endpoints: {a: {url: '${URL:-http://127.0.0.1:9/}'}}\n" FLOW, &options, &errs));
    e8_errs_fini(&errs);
}

static void no_error_shows_a_secret(void **state)
{
    static const char *const texts[] = {
        A("secret: hunter2"),
        A("secret: '${hunter2'"),
        A("secret: '${hunter2 x}'"),
        A("secret: {hunter2: x}"),
        A("secret: [0123456789abcdef, hunter2]"),
        A("secret: whsec_hunter2, scheme: standard-webhooks"),
        A("secret: hunter2, timeout: 0"),
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(texts); i++) {
        struct e8_scenario_options options = defaults();
        struct e8_errs errs;
        assert_false(parse(texts[i], &options, &errs));
        for (size_t j = 0; j < errs.count; j++) {
            const struct e8_err *err = &errs.list[j];
            if (strstr(err->what, "hunter") || strstr(err->hint, "hunter") || strstr(err->source, "hunter")) {
                fail_msg("%s: %s (%s) %s", texts[i], err->what, err->hint, err->source);
            }
        }
        e8_errs_fini(&errs);
    }
}

static void nesting_has_a_limit(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    for (int depth = 15; depth <= 18; depth++) {
        struct e8_buf text;
        struct e8_errs errs;
        e8_buf_init(&text, 1 << 20);
        e8_buf_puts(&text, END "flows: {f: [");
        for (int i = 0; i < depth; i++) {
            e8_buf_puts(&text, i % 2 ? "{repeat: 1, steps: [" : "{choose: [{steps: [");
        }
        e8_buf_puts(&text, "{emit: message.sent}");
        for (int i = depth - 1; i >= 0; i--) {
            e8_buf_puts(&text, i % 2 ? "]}" : "]}]}");
        }
        e8_buf_puts(&text, "]}\n");
        bool good = parse(e8_buf_cstr(&text), &options, &errs);
        assert_int_equal(good, depth <= E8_DEPTH_MAX);
        if (!good) {
            assert_int_equal(errs.total, 1);
            assert_non_null(strstr(errs.list[0].what, "nested more than 16 deep"));
        } else {
            struct e8_plan *plan = plan_of(e8_buf_cstr(&text));
            struct e8_walk walk = e8_walk_begin(&plan->flows[0], 1, 0);
            assert_non_null(e8_walk_next(&walk));
            assert_null(e8_walk_next(&walk));
            e8_plan_free(&plan);
        }
        e8_errs_fini(&errs);
        e8_buf_fini(&text);
    }
}

static void repeated(struct e8_buf *text, const char *what, int times)
{
    for (int i = 0; i < times; i++) {
        e8_buf_puts(text, what);
    }
}

static void sizes_have_limits(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    struct e8_buf text;
    (void)state;
    e8_buf_init(&text, 8 << 20);

    e8_buf_puts(&text, END "flows: {f: [{foreach: {n: 1..500000}, steps: [");
    repeated(&text, "{emit: message.sent},", 3);
    e8_buf_puts(&text, "]}]}\n");
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_int_equal(errs.total, 1);
    assert_non_null(strstr(errs.list[0].what, "more than 1000000 emit steps"));
    e8_errs_fini(&errs);

    e8_buf_reset(&text);
    e8_buf_puts(&text, END FLOW "run:\n");
    repeated(&text, "  - {flow: f}\n", E8_PHASES_MAX + 1);
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_non_null(strstr(errs.list[0].what, "entries"));
    e8_errs_fini(&errs);

    e8_buf_reset(&text);
    e8_buf_puts(&text, FLOW "endpoints:\n");
    for (int i = 0; i <= E8_ENDPOINTS_MAX; i++) {
        e8_buf_printf(&text, "  e%d: {url: 'http://127.0.0.1:9/'}\n", i);
    }
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_non_null(strstr(errs.list[0].what, "1024 endpoints"));
    e8_errs_fini(&errs);

    e8_buf_reset(&text);
    e8_buf_puts(&text, FLOW "endpoints:\n  a:\n    url: http://127.0.0.1:9/\n    headers:\n");
    for (int i = 0; i <= 32; i++) {
        e8_buf_printf(&text, "      X-%d: y\n", i);
    }
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_non_null(strstr(errs.list[0].hint, "32"));
    e8_errs_fini(&errs);

    e8_buf_reset(&text);
    e8_buf_puts(&text, FLOW "endpoints: {a: {url: 'http://127.0.0.1:9/', headers: {X: '");
    repeated(&text, "0123456789abcdef", 300);
    e8_buf_puts(&text, "'}}}\n");
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_non_null(strstr(errs.list[0].what, "too long"));
    e8_errs_fini(&errs);
    e8_buf_fini(&text);
}

static const char *long_variable(const char *name)
{
    static char text[5000];
    (void)name;
    memset(text, 'x', sizeof text - 1);
    return text;
}

/* A header is as long as what the variable in it holds. */
static void headers_are_measured_expanded(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    (void)state;
    options.getenv = long_variable;
    assert_false(parse(A("headers: {X: '${L}'}"), &options, &errs));
    assert_true(has(&errs, 3, 44, "too long", "4 KiB"));
    e8_errs_fini(&errs);
}

/* What an attempt's headers may need is known before the run. */
static void headers_that_would_not_fit_are_refused(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    struct e8_buf text;
    (void)state;
    e8_buf_init(&text, 1 << 20);
    e8_buf_puts(&text, "flows: {f: [{emit: message.sent}]}\nendpoints:\n  a: {url: 'http://127.0.0.1:9/', "
                       "scheme: {header: X, algorithm: sha1, headers: {Y: '");
    repeated(&text, "{type}", 90);
    e8_buf_puts(&text, "'}}}\n");
    assert_false(parse(e8_buf_cstr(&text), &options, &errs));
    assert_true(has(&errs, 3, 43, "could take", "shorten"));
    e8_errs_fini(&errs);
    e8_buf_fini(&text);
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_place),
        cmocka_unit_test(all_faults_are_found_in_one_go),
        cmocka_unit_test(options_are_checked_too),
        cmocka_unit_test(no_error_shows_a_secret),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(headers_are_measured_expanded),
        cmocka_unit_test(headers_that_would_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
