/* Variables, and what is written out for them. */
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

static void values_take_the_type_of_what_they_stand_for(void **state)
{
    static const char text[] =
        "vars: {n: 3, f: 1.5, yes: true, s: text, list: [1, {a: b}], none: null, quoted: '3', deep: {a: {b: "
        "7}}}\n" END "flows:\n"
        "  f:\n"
        "    - emit: message.sent\n"
        "      set: {data.a: \"${n}\", data.b: \"${f}\", data.c: \"${yes}\", data.d: \"x-${n}-${s}-${yes}\", "
        "data.e: \"${list}\",\n"
        "            data.f: \"${none:-7}\", data.g: \"${quoted}\", data.h: \"${deep.a.b}\", data.i: "
        "\"${deep.a}\",\n"
        "            data.j: \"$${n} $$ $\", data.k: [\"${n}\", {x: \"${s}\"}], data.l: \"${UNSET:-}\", "
        "data.m: \"${UNSET:-a b}\",\n"
        "            data.n: \"${A}\", data.o: \"${URL:-x}/p\", data.p: \"${deep.zz:-none}\"}\n";
    struct e8_plan *plan = plan_of(text);
    (void)state;
    assert_string_equal(
        plan->emits[0].json,
        "{\"edits\":[{\"path\":\"data.a\",\"value\":3},{\"path\":\"data.b\",\"value\":1.5},{\"path\":\"data."
        "c\",\"value\":true},"
        "{\"path\":\"data.d\",\"value\":\"x-3-text-true\"},{\"path\":\"data.e\",\"value\":[1,{\"a\":\"b\"}]},"
        "{\"path\":\"data.f\",\"value\":7},{\"path\":\"data.g\",\"value\":\"3\"},{\"path\":\"data.h\","
        "\"value\":7},"
        "{\"path\":\"data.i\",\"value\":{\"b\":7}},{\"path\":\"data.j\",\"value\":\"${n} $$ $\"},"
        "{\"path\":\"data.k\",\"value\":[3,{\"x\":\"text\"}]},{\"path\":\"data.l\",\"value\":\"\"},"
        "{\"path\":\"data.m\",\"value\":\"a b\"},{\"path\":\"data.n\",\"value\":\"alpha\"},"
        "{\"path\":\"data.o\",\"value\":\"http://127.0.0.1:7/env/"
        "p\"},{\"path\":\"data.p\",\"value\":\"none\"}]}");
    e8_plan_free(&plan);
}

static void variables_stand_everywhere(void **state)
{
    struct e8_plan *plan = plan_of(
        "seed: ${seed}\n"
        "scenario: ${name}\n"
        "environment: ${env}\n"
        "vars: {seed: 5, name: 'n-${env}', env: staging, r: 4, t: 2s, rate: 5/s, half: 50%, u: "
        "'http://127.0.0.1:9',\n"
        "  steps: [{emit: message.sent}], flow: f, type: message.sent, th: p(99) < 5ms, weight: 3, b: true}\n"
        "endpoints: {a: {url: '${u}/x', timeout: '${t}', retry: {attempts: '${r}'}, events: ['${type}']}}\n"
        "flows:\n"
        "  f:\n"
        "    - {repeat: '${r}', steps: '${steps}'}\n"
        "    - choose: [{weight: '${weight}', steps: [{wait: '${t}'}]}, {steps: [{emit: '${type}'}]}]\n"
        "    - {emit: message.sent, deliver: {duplicate: '${r}', concurrent: '${b}'}}\n"
        "run: [{flow: '${flow}', arrivals: {rate: '${rate}', for: '${t}'}}]\n"
        "faults: {duplicate: '${half}'}\n"
        "thresholds: ['${th}']\n"
        "targets: {allow: ['${env}.example.com']}\n");
    const struct e8_step *s = plan->flows[0].steps.list;
    (void)state;
    assert_int_equal(plan->seed, 5);
    assert_string_equal(plan->name, "n-staging");
    assert_string_equal(plan->emits[0].environment, "staging");
    assert_string_equal(plan->endpoints[0].url, "http://127.0.0.1:9/x");
    assert_int_equal(plan->endpoints[0].timeout, 2 * E8_NS_S);
    assert_int_equal(plan->endpoints[0].retry.attempts, 4);
    assert_int_equal(s[0].repeat.high, 4);
    assert_int_equal(s[0].repeat.body.count, 1);
    assert_true(s[1].branches.list[0].upto > 0.74 && s[1].branches.list[0].upto < 0.76);
    assert_true(s[2].emit->deliver.copies == 4 && s[2].emit->deliver.concurrent);
    assert_int_equal(e8_pace_count(&plan->phases[0].pace), 10);
    assert_true(plan->faults.duplicate > 0.49);
    assert_string_equal(plan->allow[0], "staging.example.com");
    e8_plan_free(&plan);
}

/* What a variable stands for is replaced once, however it comes to its place. */
static void values_are_replaced_once(void **state)
{
    struct e8_plan *plan =
        plan_of("vars: {x: '$${y}', step: {emit: message.sent, set: {data.a: '$${y}', data.b: '${x}'}},\n"
                "  steps: ['${step}']}\n" END "flows: {f: '${steps}', g: {steps: ['${step}']}}\n");
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(plan->emits[i].json, "{\"edits\":[{\"path\":\"data.a\",\"value\":\"${y}\"},"
                                                 "{\"path\":\"data.b\",\"value\":\"${y}\"}]}");
    }
    e8_plan_free(&plan);
}

/* The URL that is given beats the file's, whose variables are not asked for then. */
static void a_url_that_is_given_needs_no_variable(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    options.to = "http://127.0.0.1:1/";
    struct e8_plan *plan = plan_with("endpoints: {a: {url: '${NOTHING}', timeout: 1s}}\n" FLOW, &options);
    assert_string_equal(plan->endpoints[0].url, options.to);
    assert_int_equal(plan->endpoints[0].timeout, E8_NS_S);
    e8_plan_free(&plan);
}

static void the_command_line_beats_the_file(void **state)
{
    static const char *const vars[] = {"n=7", "s=b=c", "l=[1, 2]", "only=9", NULL};
    struct e8_plan *plan =
        plan_from("vars: {n: 5, s: x, l: [], twice: '${n}${n}'}\n" END
                  "flows: {f: [{foreach: {x: '${l}'}, steps: [{emit: message.sent, set: {data.a: '${n}',\n"
                  "  data.b: '${s}', data.c: '${twice}', data.d: '${x}', data.e: '${only}'}}]}]}\n",
                  NULL, vars);
    (void)state;
    assert_int_equal(plan->emit_count, 2);
    assert_string_equal(
        plan->emits[1].json,
        "{\"edits\":[{\"path\":\"data.a\",\"value\":7},{\"path\":\"data.b\",\"value\":\"b=c\"},"
        "{\"path\":\"data.c\",\"value\":\"77\"},{\"path\":\"data.d\",\"value\":2},"
        "{\"path\":\"data.e\",\"value\":9}]}");
    e8_plan_free(&plan);
}

static void foreach_writes_out(void **state)
{
    struct e8_plan *plan =
        plan_of("vars: {users: [ann, {name: bob}], user: outside}\n" END "flows:\n"
                "  f:\n"
                "    - foreach: {user: [ann, bob]}\n"
                "      steps:\n"
                "        - foreach: {n: 1..3}\n"
                "          steps:\n"
                "            - {emit: message.sent, name: '${user}-${n}', set: {data.n: '${n}'}}\n"
                "        - {wait: 1s}\n"
                "    - {emit: message.sent, name: '${user}'}\n");
    (void)state;
    assert_int_equal(plan->emit_count, 7);
    assert_int_equal(plan->flows[0].steps.count, 9);
    assert_string_equal(plan->emits[0].name, "ann-1");
    assert_string_equal(plan->emits[5].name, "bob-3");
    assert_string_equal(plan->emits[6].name, "outside");
    assert_string_equal(plan->emits[5].json, "{\"edits\":[{\"path\":\"data.n\",\"value\":3}]}");
    assert_int_equal(plan->flows[0].steps.list[3].kind, E8_STEP_WAIT);
    e8_plan_free(&plan);
}

static void rows_are_those_of_rfc_4180(void **state)
{
    static struct file files[] = {{"rows.csv", "name,e-mail,First Name,n\r\n"
                                               "ann,a@example.com,\"Ann, \"\"A\"\"\",2\r\n"
                                               "\"b\nob\",,x,\"3\"\r\n"
                                               "\n"
                                               "cy,\xc3\xa9,y,1.5"},
                                  {NULL, NULL}};
    struct e8_plan *plan =
        plan_from(END "flows: {f: [{foreach: {row: {csv: rows.csv}}, steps: [{emit: message.sent, set: "
                      "{data.a: '${row.name}',\n"
                      "  data.b: '${row.e-mail}', data.c: '${row.First Name}', data.d: '${row.n}'}}]}]}\n",
                  files, NULL);
    (void)state;
    assert_int_equal(plan->emit_count, 3);
    assert_string_equal(
        plan->emits[0].json,
        "{\"edits\":[{\"path\":\"data.a\",\"value\":\"ann\"},{\"path\":\"data.b\",\"value\":\"a@example."
        "com\"},"
        "{\"path\":\"data.c\",\"value\":\"Ann, \\\"A\\\"\"},{\"path\":\"data.d\",\"value\":2}]}");
    assert_string_equal(
        plan->emits[1].json,
        "{\"edits\":[{\"path\":\"data.a\",\"value\":\"b\\nob\"},{\"path\":\"data.b\",\"value\":\"\"},"
        "{\"path\":\"data.c\",\"value\":\"x\"},{\"path\":\"data.d\",\"value\":\"3\"}]}");
    assert_string_equal(
        plan->emits[2].json,
        "{\"edits\":[{\"path\":\"data.a\",\"value\":\"cy\"},{\"path\":\"data.b\",\"value\":\"\xc3\xa9\"},"
        "{\"path\":\"data.c\",\"value\":\"y\"},{\"path\":\"data.d\",\"value\":1.5}]}");
    e8_plan_free(&plan);
}

/* Variables that double each other are refused before they fill the memory. */
static void variables_do_not_explode(void **state)
{
    struct e8_scenario_options options = defaults();
    struct e8_plan *plan;
    struct e8_errs errs;
    struct e8_buf text;
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        e8_buf_init(&text, 1 << 20);
        e8_buf_puts(&text, "vars:\n  v0: x\n");
        for (int i = 1; i < 40; i++) {
            e8_buf_printf(&text,
                          kind ? "  v%d: ['${v%d}', '${v%d}', '${v%d}', '${v%d}']\n"
                               : "  v%d: '${v%d}${v%d}${v%d}${v%d}'\n",
                          i, i - 1, i - 1, i - 1, i - 1);
        }
        e8_buf_puts(&text, END "flows: {f: [{emit: message.sent, set: {data.x: '${v39}'}}]}\n");
        e8_errs_init(&errs);
        assert_int_equal(e8_plan_parse(catalog(), "s.yaml", e8_buf_str(&text), &options, &plan, &errs),
                         E8_INPUT);
        assert_true(errs.total > 0);
        e8_errs_fini(&errs);
        e8_buf_fini(&text);
    }
}

static void a_variable_that_nothing_knows(void **state)
{
    static const char *const vars[] = {"numbr=5", NULL}, *const bad[] = {"n", "a b=3", NULL};
    struct e8_scenario_options options = defaults();
    struct e8_plan *plan;
    struct e8_errs errs;
    (void)state;
    options.vars = vars;
    e8_errs_init(&errs);
    assert_int_equal(
        e8_plan_parse(catalog(), "s.yaml", E8_LIT("vars: {number: 5}\n" END FLOW), &options, &plan, &errs),
        E8_INPUT);
    assert_int_equal(errs.total, 1);
    assert_non_null(strstr(errs.list[0].what, "--var numbr"));
    assert_non_null(strstr(errs.list[0].hint, "did you mean \"number\"?"));
    e8_errs_fini(&errs);
    options.vars = bad;
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_parse(catalog(), "s.yaml", E8_LIT(END FLOW), &options, &plan, &errs), E8_INPUT);
    assert_int_equal(errs.total, 2);
    e8_errs_fini(&errs);
}

int test_vars(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_take_the_type_of_what_they_stand_for),
        cmocka_unit_test(variables_stand_everywhere),
        cmocka_unit_test(values_are_replaced_once),
        cmocka_unit_test(a_url_that_is_given_needs_no_variable),
        cmocka_unit_test(the_command_line_beats_the_file),
        cmocka_unit_test(foreach_writes_out),
        cmocka_unit_test(rows_are_those_of_rfc_4180),
        cmocka_unit_test(variables_do_not_explode),
        cmocka_unit_test(a_variable_that_nothing_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
