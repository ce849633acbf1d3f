/* What came from outside is told by no error and kept by no log. */
#include <stdio.h>

#include "tests.h"

#define END "endpoints: {a: {url: 'http://127.0.0.1:9/'}}\n"

#define VALUE "hunter2-and-more"

static const char *secret_variable(const char *name)
{
    return strcmp(name, "S") == 0     ? VALUE
           : strcmp(name, "PIN") == 0 ? "1234"
           : strcmp(name, "BAD") == 0 ? "9..hunter2"
                                      : NULL;
}

/* Wherever a value from outside is wrong, what is said of it does not tell it. */
static void no_error_tells_a_value_from_outside(void **state)
{
    static const char *const places[] = {
        "scenario: x\nseed: ${V}\n" END FLOW,
        "environment: ${V}\n" END FLOW,
        "environment: a-${V}-b\n" END FLOW,
        "vars: {x: '${V}'}\nenvironment: ${x}\n" END FLOW,
        "vars: {x: 'a${V}'}\nenvironment: b${x}\n" END FLOW,
        "endpoints: {a: {url: '${V}'}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:${V}/'}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:9/', timeout: '${V}'}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:9/', events: '${V}'}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:9/', scheme: '${V}'}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:9/', retry: {jitter: '${V}', base: '${V}'}}}\n" FLOW,
        "endpoints: {a: {url: 'http://127.0.0.1:9/', scheme: {header: X, algorithm: '${V}'}}}\n" FLOW,
        END "flows: {f: [{emit: '${V}'}]}\n",
        END "flows: {f: [{wait: '${V}'}, {emit: message.sent}]}\n",
        END "flows: {f: [{wait: 'exp:${V}'}, {emit: message.sent}]}\n",
        END "flows: {f: [{wait: '1s..${V}'}, {emit: message.sent}]}\n",
        END "flows: {f: [{repeat: '${V}', steps: [{emit: message.sent}]}]}\n",
        END "flows: {f: [{foreach: {n: '${V}'}, steps: [{emit: message.sent}]}]}\n",
        END "flows: {f: [{emit: message.sent, set: {data.x: '{{${V}}}'}}]}\n",
        END "flows: {f: [{emit: message.sent, remove: ['${V}.x']}]}\n",
        END "flows: {f: [{emit: message.sent, endpoint: '${V}'}]}\n",
        END "flows: {f: [{emit: message.sent, tamper: {signature: '${V}', body: {size: '${V}'}}}]}\n",
        END "flows: {f: [{emit: message.sent, expect: {status: '${V}', within: '${V}'}}]}\n",
        END "flows: {f: [{emit: message.sent, deliver: {late: '${V}', duplicate: '${V}'}}]}\n",
        END "flows: {f: [{emit: message.sent, await: '${V}'}]}\n",
        END FLOW "run: [{flow: '${V}', arrivals: {rate: '${V}', for: '${V}'}}]\n",
        END FLOW "run: [{flow: f, arrivals: {ramp: '1/s..${V}', for: 1s}}]\n",
        END FLOW "thresholds: ['p(99) < ${V}']\n",
        END FLOW "faults: {late: '1% by ${V}', drop: '${V}'}\n",
        END FLOW "effect: {get: '${V}', pointer: '${V}'}\n",
    };
    static const char *const names[] = {"S", "PIN", "BAD"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(places) * E8_COUNT(names); i++) {
        struct e8_scenario_options options = defaults();
        struct e8_plan *plan;
        struct e8_errs errs;
        struct e8_buf text;
        const char *name = names[i % E8_COUNT(names)];
        e8_buf_init(&text, 1 << 16);
        for (const char *c = places[i / E8_COUNT(names)]; *c; c++) {
            if (strncmp(c, "${V}", 4) == 0) {
                e8_buf_printf(&text, "${%s}", name);
                c += 3;
            } else {
                e8_buf_putc(&text, *c);
            }
        }
        options.getenv = secret_variable;
        e8_errs_init(&errs);
        bool good = e8_plan_parse(catalog(), "s.yaml", e8_buf_str(&text), &options, &plan, &errs) == E8_OK;
        if (good && strcmp(name, "PIN") != 0) {
            fail_msg("taken: %s", e8_buf_cstr(&text));
        }
        for (size_t j = 0; j < errs.count; j++) {
            const struct e8_err *err = &errs.list[j];
            if (strstr(err->what, "hunter") || strstr(err->what, "1234") || strstr(err->hint, "hunter") ||
                strstr(err->source, "hunter") || strstr(err->source, "1234")) {
                fail_msg("%s: %s (%s) %s", e8_buf_cstr(&text), err->what, err->hint, err->source);
            }
        }
        e8_plan_free(&plan);
        e8_errs_fini(&errs);
        e8_buf_fini(&text);
    }
}

/* The log does not get what came from outside, either. */
static void headers_from_outside_are_not_logged(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    options.getenv = secret_variable;
    struct e8_plan *plan =
        plan_with(END "flows: {f: [{emit: message.sent, headers: {X-A: 'x ${S}', X-B: y}}]}\n", &options);
    assert_true(e8_str_is(plan->emits[0].headers[0].value, "x " VALUE));
    assert_string_equal(plan->emits[0].json, "{\"headers\":{\"X-A\":\"***\",\"X-B\":\"y\"}}");
    e8_plan_free(&plan);
}

int test_hidden(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_error_tells_a_value_from_outside),
        cmocka_unit_test(headers_from_outside_are_not_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
