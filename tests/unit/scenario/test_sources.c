/* Files that are included, files of rows, and what is wrong with them. */
#include <stdio.h>

#include "tests.h"

#define END "endpoints: {a: {url: 'http://127.0.0.1:9/'}}\n"

static struct e8_plan *plan_from(const char *text, struct file *files, const char *const *vars)
{
    struct e8_scenario_options options = defaults();
    options.read = files ? read_from : NULL;
    options.read_state = files;
    options.vars = vars;
    return plan_with(text, &options);
}

static void files_are_included(void **state)
{
    static struct file files[] = {
        {"dir/s.yaml", ""},
        {"dir/sub/a.yaml", "include: ../b.yaml\nvars: {n: 2, m: 20}\nflows: {fa: [{emit: message.sent}]}\n"},
        {"dir/b.yaml",
         "vars: {n: 3, m: 30, k: 300}\nendpoints: {b: {url: 'http://127.0.0.1:9/'}}\ndescription: x\n"},
        {"dir/sub/rows.csv", "x\n1\n2\n"},
        {"/abs/c.yaml",
         "flows: {fc: [{foreach: {row: {csv: ../dir/sub/rows.csv}}, steps: [{emit: message.sent}]}]}\n"},
        {"/dir/sub/rows.csv", "x\n1\n"},
        {NULL, NULL}};
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    struct e8_plan *plan = NULL;
    (void)state;
    options.read = read_from;
    options.read_state = files;
    e8_errs_init(&errs);
    enum e8_rc rc = e8_plan_parse(catalog(), "dir/s.yaml",
                                  E8_LIT("include: [./sub/a.yaml, b.yaml, /abs/c.yaml]\nvars: {n: 1}\n"
                                         "flows: {f: [{emit: message.sent, name: '${n}-${m}-${k}'}]}\n"),
                                  &options, &plan, &errs);
    e8_errs_print(&errs, stderr);
    assert_int_equal(rc, E8_OK);
    assert_string_equal(plan->emits[0].name, "1-20-300");
    assert_int_equal(plan->flow_count, 3);
    assert_string_equal(plan->flows[1].name, "fa");
    assert_string_equal(plan->emits[1].file, "dir/sub/a.yaml");
    assert_string_equal(plan->endpoints[0].name, "b");
    assert_int_equal(plan->emit_count, 3);
    e8_plan_free(&plan);
    e8_errs_fini(&errs);
}

static void digest_of(const char *text, struct file *files, const char *const *vars, char out[65])
{
    struct e8_plan *plan = plan_from(text, files, vars);
    memcpy(out, plan->digest, 65);
    e8_plan_free(&plan);
}

static void the_digest_covers_all_that_was_read(void **state)
{
    static struct file one[] = {{"a.yaml", "vars: {n: 2}\n"}, {NULL, NULL}},
                       two[] = {{"a.yaml", "vars: {n: 3}\n"}, {NULL, NULL}};
    static const char *const vars[] = {"n=2", NULL}, *const other[] = {"n=3", NULL};
    static const char text[] =
        "include: a.yaml\n" END "flows: {f: [{repeat: '${n}', steps: [{emit: message.sent}]}]}\n";
    char a[65], b[65], c[65], d[65], e[65];
    (void)state;
    digest_of(text, one, NULL, a);
    digest_of(text, two, NULL, b);
    digest_of(text, one, vars, c);
    digest_of(text, one, other, d);
    digest_of(text, one, NULL, e);
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
    assert_string_not_equal(c, d);
    assert_string_equal(a, e);
    digest_of("flows: {f: [{emit: message.sent}]}\n" END, NULL, NULL, a);
    digest_of("flows: {f: [{emit: message.sent }]}\n" END, NULL, NULL, b);
    assert_string_not_equal(a, b);
}

static const struct {
    const char *text;
    struct file files[3];
    const char *file;
    int line, col;
    const char *what, *hint;
} wrong[] = {
    {"vars: 5\n" END FLOW, {{0}}, "s.yaml", 1, 7, "vars must be a map", ""},
    {"vars: {'a b': 5}\n" END FLOW, {{0}}, "s.yaml", 1, 8, "no variable's name", "letters"},
    {"vars: {a: '${b}', b: '${a}'}\n" END FLOW, {{0}}, "s.yaml", 1, 22, "circle", ""},
    {"vars: {a: '${a}'}\n" END FLOW, {{0}}, "s.yaml", 1, 11, "circle", ""},
    {"vars: {number: 5}\nscenario: ${numbr}\n" END FLOW,
     {{0}},
     "s.yaml",
     2,
     11,
     "no variable numbr",
     "did you mean \"number\"?"},
    {"vars: {n: null}\nscenario: ${n}\n" END FLOW,
     {{0}},
     "s.yaml",
     2,
     11,
     "variable n has no value",
     "--var"},
    {"vars: {l: [1]}\nscenario: x${l}\n" END FLOW, {{0}}, "s.yaml", 2, 11, "is a list", "alone"},
    {"vars: {l: {a: 1}}\nscenario: ${l.b}\n" END FLOW,
     {{0}},
     "s.yaml",
     2,
     11,
     "\"l\" has no \"b\"",
     "there are: a"},
    {"vars: {l: {name: 1}}\nscenario: ${l.nam}\n" END FLOW,
     {{0}},
     "s.yaml",
     2,
     11,
     "has no \"nam\"",
     "did you mean"},
    {"vars: {l: 5}\nscenario: ${l.b}\n" END FLOW, {{0}}, "s.yaml", 2, 11, "there is no \"b\" in it", ""},
    {"vars: {n: x}\n" END "flows: {f: [{repeat: '${n}', steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     1,
     11,
     "\"x\" is no count",
     ""},
    {END "flows: {f: [{foreach: {n: 3..1}, steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     2,
     27,
     "\"3..1\" is nothing to go through",
     "csv"},
    {END "flows: {f: [{foreach: {n: []}, steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     2,
     27,
     "list is empty",
     ""},
    {END "flows: {f: [{foreach: [n], steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     2,
     23,
     "one variable",
     ""},
    {END "flows: {f: [{foreach: {a: [1], b: [2]}, steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     2,
     23,
     "one variable",
     ""},
    {END "flows: {f: [{foreach: {a.b: [1]}, steps: [{emit: message.sent}]}]}\n",
     {{0}},
     "s.yaml",
     2,
     24,
     "no variable's name",
     ""},
    {END "flows: {f: [{foreach: {a: [1]}}]}\n", {{0}}, "s.yaml", 2, 13, "foreach has no steps", ""},
    {END "flows: {f: [{foreach: {n: 1..2000000}, steps: [{wait: 0}]}, {emit: message.sent}]}\n",
     {{0}},
     "s.yaml",
     2,
     13,
     "more than 1000000 rounds",
     "repeat"},
    {END "flows: {f: [{foreach: {u: [1s, x]}, steps: [{wait: '${u}'}]}, {emit: message.sent}]}\n",
     {{0}},
     "s.yaml",
     2,
     32,
     "\"x\" is no wait",
     ""},
    {END "flows: {f: [{foreach: {r: {csv: a.csv}}, steps: [{wait: '${r.t}'}]}, {emit: message.sent}]}\n",
     {{"a.csv", "n,t\n1,1s\n2,soon\n"}},
     "a.csv",
     3,
     3,
     "\"soon\" is no wait",
     ""},
    {END "flows: {f: [{foreach: {r: {csv: a.csv}}, steps: [{wait: '${r.tt}'}]}, {emit: message.sent}]}\n",
     {{"a.csv", "n,t\n1,1s\n"}},
     "s.yaml",
     2,
     57,
     "has no \"tt\"",
     ""},
    {END "flows: {f: [{foreach: {r: {csv: a.csv}}, steps: [{emit: message.sent, set: {data.role.x: "
         "'${r.t}'}}]}]}\n",
     {{"a.csv", "n,t\n1,1s\n"}},
     "s.yaml",
     2,
     77,
     "there is no \"x\" in it",
     ""},
    {END
     "flows: {f: [{foreach: {r: {csv: a.csv}}, steps: [{emit: message.sent, set: {data.x: '${r.t}'}}]}]}\n",
     {{"a.csv", "n,t\n1,{{$nope}}\n"}},
     "a.csv",
     2,
     3,
     "$nope",
     ""},
#define ROWS(text)                                                                                           \
    END "flows: {f: [{foreach: {r: {csv: a.csv}}, steps: [{emit: message.sent}]}]}\n",                       \
    {                                                                                                        \
        {                                                                                                    \
            "a.csv", text                                                                                    \
        }                                                                                                    \
    }
    {ROWS(""), "a.csv", 1, 1, "is empty", "names the columns"},
    {ROWS("a,b\n"), "s.yaml", 2, 33, "\"a.csv\" has no rows", ""},
    {ROWS("a,b\n1\n"), "a.csv", 2, 1, "1 value, but there are 2 columns", ""},
    {ROWS("a,b\n1,2\n1,2,3\n"), "a.csv", 3, 1, "3 values, but there are 2 columns", ""},
    {ROWS("a,a\n1,2\n"), "a.csv", 1, 3, "\"a\" stands twice", ""},
    {ROWS("a,\n1,2\n"), "a.csv", 1, 3, "no name", ""},
    {ROWS("a,b\n1,\"x\n"), "a.csv", 2, 3, "not closed", ""},
    {ROWS("a,b\n1,\"x\"y\n"), "a.csv", 2, 6, "behind the closing quote", "twice"},
    {ROWS("a,b\n1,x\"y\n"), "a.csv", 2, 4, "a quote in a value without quotes", ""},
    {ROWS("a,b\n1,\xff\n"), "a.csv", 2, 3, "0xFF is not valid UTF-8", "UTF-8"},
    {END "flows: {f: [{foreach: {r: {csv: b.csv}}, steps: [{emit: message.sent}]}]}\n",
     {{"a.csv", "a"}},
     "s.yaml",
     2,
     33,
     "cannot read b.csv",
     ""},
    {"include: [a.yaml]\n" END FLOW, {{"a.yaml", "vars: {b: c: d}\n"}}, "a.yaml", 1, 0, "", ""},
    {"include: [a.yaml]\n" END FLOW,
     {{"a.yaml", "run: []\n"}},
     "a.yaml",
     1,
     1,
     "unknown key \"run\"",
     "known here"},
    {"include: [a.yaml]\n" END FLOW, {{"a.yaml", "5\n"}}, "a.yaml", 1, 1, "an included file is a map", ""},
    {"include: [a.yaml]\n" END FLOW,
     {{"a.yaml", "flows:\n  g: [{emit: mesage.sent}]\n"}},
     "a.yaml",
     2,
     14,
     "unknown event type",
     "message.sent"},
    {"include: [a.yaml]\n" END FLOW,
     {{"a.yaml", "flows:\n  f: [{emit: message.sent}]\n"}},
     "a.yaml",
     2,
     3,
     "another flow \"f\"",
     ""},
    {"include: [a.yaml]\n" END FLOW,
     {{"a.yaml", "endpoints: {a: {url: 'http://x/'}}\n"}},
     "a.yaml",
     1,
     13,
     "another file",
     ""},
    {"include: [a.yaml]\n" END FLOW,
     {{"a.yaml", "include: b.yaml\n"}, {"b.yaml", "include: [a.yaml]\n"}},
     "b.yaml",
     1,
     11,
     "\"a.yaml\" includes itself",
     ""},
    {"include: s.yaml\n" END FLOW, {{"a.yaml", ""}}, "s.yaml", 1, 10, "\"s.yaml\" includes itself", ""},
    {"include: [5]\n" END FLOW, {{0}}, "s.yaml", 1, 11, "must be a text", ""},
    {"include: [b.yaml]\n" END FLOW, {{"a.yaml", ""}}, "s.yaml", 1, 11, "cannot read b.yaml", ""},
};

static void each_fault_points_into_its_file(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(wrong); i++) {
        struct e8_scenario_options options = defaults();
        struct e8_plan *plan = NULL;
        struct e8_errs errs;
        struct file files[4] = {wrong[i].files[0], wrong[i].files[1], wrong[i].files[2], {NULL, NULL}};
        e8_errs_init(&errs);
        options.read = read_from;
        options.read_state = files;
        enum e8_rc rc = e8_plan_parse(catalog(), "s.yaml", e8_str(wrong[i].text), &options, &plan, &errs);
        const struct e8_err *err = errs.list;
        if (rc != E8_INPUT || plan || e8_errs_distinct(&errs) != 1 || strcmp(err->file, wrong[i].file) != 0 ||
            err->line != wrong[i].line || (wrong[i].col && err->col != wrong[i].col) ||
            !strstr(err->what, wrong[i].what) || !strstr(err->hint, wrong[i].hint)) {
            print_error("--- %s:%d:%d \"%s\" (%s) was expected, and nothing else:\n%s---\n", wrong[i].file,
                        wrong[i].line, wrong[i].col, wrong[i].what, wrong[i].hint, wrong[i].text);
            e8_errs_print(&errs, stderr);
            missing++;
        }
        e8_plan_free(&plan);
        e8_errs_fini(&errs);
    }
    assert_int_equal(missing, 0);
}

static enum e8_rc read_deeper(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    static char texts[64][32];
    size_t *n = state;
    (void)path;
    (void)err;
    E8_ASSERT(*n < E8_COUNT(texts));
    snprintf(texts[*n], sizeof texts[0], "include: f%zu.yaml\n", *n);
    *out = e8_str(texts[(*n)++]);
    return E8_OK;
}

static enum e8_rc read_much(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    (void)path;
    (void)err;
    *out = *(const struct e8_str *)state;
    return E8_OK;
}

static void includes_have_limits(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_plan *plan;
    struct e8_errs errs;
    size_t n = 0;
    (void)state;
    e8_errs_init(&errs);
    options.read = read_deeper;
    options.read_state = &n;
    assert_int_equal(
        e8_plan_parse(catalog(), "s.yaml", E8_LIT("include: f.yaml\n" END FLOW), &options, &plan, &errs),
        E8_INPUT);
    assert_int_equal(errs.total, 1);
    assert_non_null(strstr(errs.list[0].what, "more than 16 deep"));
    assert_int_equal(n, 16);
    e8_errs_fini(&errs);

    size_t size = (size_t)7 << 20;
    char *big = malloc(size);
    memset(big, '#', size);
    big[size - 1] = '\n';
    for (size_t i = 1000; i < size; i += 1000) {
        big[i] = '\n';
    }
    memcpy(big, "vars: {}\n", 9);
    struct e8_str text = {big, size};
    options.read = read_much;
    options.read_state = &text;
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_parse(catalog(), "s.yaml",
                                   E8_LIT("include: [a, b, c, d, e, f, g, h, i, j]\n" END FLOW), &options,
                                   &plan, &errs),
                     E8_INPUT);
    assert_int_equal(errs.total, 1);
    assert_non_null(strstr(errs.list[0].what, "64 MiB"));
    assert_int_equal(errs.list[0].col, 38);
    e8_errs_fini(&errs);
    free(big);

    options.read = NULL;
    e8_errs_init(&errs);
    assert_int_equal(
        e8_plan_parse(catalog(), "s.yaml", E8_LIT("include: f.yaml\n" END FLOW), &options, &plan, &errs),
        E8_INPUT);
    assert_non_null(strstr(errs.list[0].what, "cannot be read here"));
    e8_errs_fini(&errs);
}

int test_sources(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_included),
        cmocka_unit_test(the_digest_covers_all_that_was_read),
        cmocka_unit_test(each_fault_points_into_its_file),
        cmocka_unit_test(includes_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
