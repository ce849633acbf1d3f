/* Steps, and what they become. */
#include <stdio.h>

#include "tests.h"

#define TWO                                                                                                  \
    "endpoints:\n"                                                                                           \
    "  a: {url: 'http://127.0.0.1:9/', secret: 0123456789abcdef, rotation: [0123456789abcdeg, "              \
    "'0123456789abcdeh']}\n"                                                                                 \
    "  b: {url: 'http://127.0.0.1:9/'}\n"

static const struct e8_step *steps_of(const struct e8_plan *plan)
{
    return plan->flows[0].steps.list;
}

static void every_kind_of_wait(void **state)
{
    struct e8_plan *plan = plan_of(TWO "flows:\n"
                                       "  f:\n"
                                       "    - wait: 200ms..2s\n"
                                       "    - wait: 'exp:2s'\n"
                                       "    - wait: 'normal:2s,500ms'\n"
                                       "    - wait: 'lognormal:2s,1.5'\n"
                                       "    - wait: 'bimodal:1s,30s,5%'\n"
                                       "    - at: 1500ms\n"
                                       "    - {emit: message.sent, at: 3s}\n");
    static const int kinds[] = {-1, E8_SPREAD_EXP, E8_SPREAD_NORMAL, E8_SPREAD_LOGNORMAL, E8_SPREAD_BIMODAL};
    const struct e8_step *step = steps_of(plan);
    (void)state;
    assert_int_equal(plan->flows[0].steps.count, 8);
    assert_null(step[0].wait.spread);
    assert_int_equal(step[0].wait.low, 200 * E8_NS_MS);
    for (size_t i = 1; i < E8_COUNT(kinds); i++) {
        assert_int_equal(step[i].kind, E8_STEP_WAIT);
        assert_int_equal(step[i].wait.spread->kind, kinds[i]);
    }
    assert_int_equal(step[5].kind, E8_STEP_AT);
    assert_int_equal(step[5].at, 1500 * E8_NS_MS);
    assert_int_equal(step[6].kind, E8_STEP_AT);
    assert_int_equal(step[6].at, 3 * E8_NS_S);
    assert_int_equal(step[7].kind, E8_STEP_EMIT);
    e8_plan_free(&plan);
}

static void an_emit_has_all_its_keys(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows:\n"
                    "  f:\n"
                    "    - emit: message.received\n"
                    "      type: made.up\n"
                    "      set: {data.role: x}\n"
                    "      environment: staging\n"
                    "      endpoint: b\n"
                    "      headers: {X-Team: support, Authorization: Bearer 1, x-api-KEY: 2}\n"
                    "      name: the first\n"
                    "      id: dlv_1\n"
                    "      deliver: {duplicate: 49, concurrent: true}\n"
                    "      tamper: {signature: truncated, headers: {set: {X-Token: abc, X-B: c}}}\n"
                    "      expect: {status: [401, 4xx]}\n"
                    "    - {emit: message.sent}\n");
    const struct e8_emit *emit = &plan->emits[0];
    (void)state;
    assert_string_equal(plan->types[emit->type], "made.up");
    assert_int_equal(plan->type_count, e8_catalog_count(catalog()) + 1);
    assert_null(plan->types[plan->type_count]);
    assert_string_equal(e8_catalog_type(catalog(), emit->event)->name, "message.received");
    assert_string_equal(emit->environment, "staging");
    assert_int_equal(emit->endpoint, 1);
    assert_int_equal(emit->header_count, 3);
    assert_true(e8_str_is(emit->headers[0].name, "X-Team") && e8_str_is(emit->headers[0].value, "support"));
    assert_string_equal(emit->name, "the first");
    assert_string_equal(emit->delivery_id, "dlv_1");
    assert_true(emit->deliver.copies == 49 && emit->deliver.concurrent && !emit->deliver.retried);
    assert_non_null(emit->tamper);
    assert_non_null(emit->expect);
    assert_true(emit->faultless && !emit->awaited && !emit->verbatim);
    assert_string_equal(emit->file, "s.yaml");
    assert_int_equal(emit->line, 6);
    assert_string_equal(
        emit->json,
        "{\"emit\":\"message.received\",\"edits\":[{\"path\":\"data.role\",\"value\":\"x\"},"
        "{\"path\":\"type\",\"value\":\"made.up\"}],"
        "\"tamper\":{\"signature\":\"truncated\",\"headers\":{\"set\":{\"X-Token\":\"***\",\"X-B\":\"c\"}}},"
        "\"headers\":{\"X-Team\":\"support\",\"Authorization\":\"***\",\"x-api-KEY\":\"***\"},"
        "\"id\":\"dlv_1\"}");
    assert_false(plan->emits[1].faultless);
    assert_int_equal(plan->emits[1].endpoint, -1);
    assert_int_equal(plan->emits[1].event, plan->emits[1].type);
    e8_plan_free(&plan);
}

/* The type stands in the body, too. */
static void another_type_is_rendered(void **state)
{
    struct e8_plan *plan = plan_of(TWO "flows: {f: [{emit: message.received, type: made.up}]}\n");
    struct e8_facts facts = {.type = E8_LIT("message.received"),
                             .category = E8_LIT("message"),
                             .id = E8_LIT("evt_1"),
                             .environment = E8_LIT("production"),
                             .sequence = 1};
    struct e8_buf body;
    (void)state;
    e8_buf_init(&body, 1 << 20);
    assert_int_equal(e8_template_render(plan->emits[0].body, &facts, &body), E8_OK);
    assert_non_null(strstr(e8_buf_cstr(&body), "\"type\":\"made.up\""));
    assert_null(strstr(e8_buf_cstr(&body), "\"type\":\"message.received\""));
    e8_buf_fini(&body);
    e8_plan_free(&plan);
}

static void bodies_are_texts_or_bytes(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows:\n"
                    "  f:\n"
                    "    - {emit: order.created, body: '{\"a\": 1}'}\n"
                    "    - {emit: message.sent, body: {base64: AAEC/w==}, verbatim: true, headers: {A: b}}\n"
                    "    - {emit: order.created, body: ''}\n"
                    "    - {emit: Foreign Name, type: other.name, body: x}\n");
    (void)state;
    assert_true(e8_str_is(plan->emits[0].raw, "{\"a\": 1}"));
    assert_null(plan->emits[0].body);
    assert_string_equal(plan->types[plan->emits[0].type], "order.created");
    assert_int_equal(plan->emits[1].raw.n, 4);
    assert_memory_equal(plan->emits[1].raw.p, "\0\1\2\xff", 4);
    assert_true(plan->emits[1].verbatim);
    assert_string_equal(plan->emits[1].json, "{\"headers\":{\"A\":\"b\"},\"verbatim\":true}");
    assert_true(plan->emits[2].raw.p && plan->emits[2].raw.n == 0);
    assert_int_equal(plan->emits[2].type, plan->emits[0].type);
    assert_string_equal(plan->types[plan->emits[3].type], "other.name");
    e8_plan_free(&plan);
}

static void patterns_know_the_plans_own_types(void **state)
{
    struct e8_plan *plan = plan_of("endpoints: {a: {url: 'http://127.0.0.1:9/', events: [order.*]}}\n"
                                   "flows: {f: [{emit: order.created, body: x}]}\n");
    (void)state;
    assert_int_equal(e8_plan_check(plan, catalog(), NULL, NULL), E8_OK);
    assert_true(e8_emit_goes_to(plan, &plan->emits[0], 0));
    e8_plan_free(&plan);
}

static void again_is_the_event_before(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows:\n"
                    "  f:\n"
                    "    - {emit: message.sent, set: {data.role: x}, endpoint: b, environment: staging,\n"
                    "       deliver: {duplicate: 1}, expect: {status: 200}}\n"
                    "    - {again: replay, name: twice}\n"
                    "    - {again: retry, expect: {status: 409}}\n"
                    "    - repeat: 2\n"
                    "      steps: [{again: retry}, {emit: session.ended}]\n"
                    "    - {again: retry}\n");
    const struct e8_emit *e = plan->emits;
    (void)state;
    assert_int_equal(plan->emit_count, 6);
    assert_int_equal(e[1].again, E8_AGAIN_REPLAY);
    assert_int_equal(e[2].again, E8_AGAIN_RETRY);
    assert_true(e[1].type == e[0].type && e[1].body == e[0].body && e[1].endpoint == 1);
    assert_string_equal(e[1].environment, "staging");
    assert_string_equal(e[1].name, "twice");
    assert_int_equal(e[1].index, 1);
    assert_true(e[1].faultless && e[1].deliver.copies == 0 && !e[1].expect);
    assert_true(e[2].expect && e[2].expect != e[0].expect);
    assert_string_equal(e[1].json,
                        "{\"edits\":[{\"path\":\"data.role\",\"value\":\"x\"}],\"again\":\"replay\"}");
    assert_int_equal(e[3].type, e[0].type);
    assert_int_equal(e[5].type, e[4].type);
    e8_plan_free(&plan);
}

static void what_is_awaited(void **state)
{
    struct e8_plan *plan = plan_of(TWO "flows:\n"
                                       "  f:\n"
                                       "    - await: ack\n"
                                       "    - {await: ack, on_failure: continue}\n"
                                       "    - {await: ack, on_failure: stop-run}\n"
                                       "    - {emit: message.sent, await: ack}\n"
                                       "    - {emit: message.sent, await: {ack: stop-run}}\n"
                                       "  g:\n"
                                       "    await: {ack: continue}\n"
                                       "    steps:\n"
                                       "      - emit: message.sent\n"
                                       "      - {emit: message.sent, await: ack}\n"
                                       "      - parallel: [[{emit: message.sent}]]\n");
    const struct e8_step *s = steps_of(plan), *t = plan->flows[1].steps.list;
    (void)state;
    assert_int_equal(plan->flows[0].steps.count, 7);
    assert_int_equal(s[0].kind, E8_STEP_AWAIT);
    assert_int_equal(s[0].await.on_failure, E8_ON_FAILURE_STOP_FLOW);
    assert_int_equal(s[1].await.on_failure, E8_ON_FAILURE_CONTINUE);
    assert_int_equal(s[2].await.on_failure, E8_ON_FAILURE_STOP_RUN);
    assert_true(s[3].kind == E8_STEP_EMIT && s[3].emit->awaited && !s[3].emit->faultless);
    assert_true(s[4].kind == E8_STEP_AWAIT && s[4].await.on_failure == E8_ON_FAILURE_STOP_FLOW);
    assert_true(s[6].kind == E8_STEP_AWAIT && s[6].await.on_failure == E8_ON_FAILURE_STOP_RUN);
    assert_int_equal(plan->flows[1].steps.count, 5);
    assert_true(t[1].kind == E8_STEP_AWAIT && t[1].await.on_failure == E8_ON_FAILURE_CONTINUE);
    assert_true(t[3].kind == E8_STEP_AWAIT && t[3].await.on_failure == E8_ON_FAILURE_STOP_FLOW);
    assert_int_equal(t[4].kind, E8_STEP_PARALLEL);
    assert_int_equal(t[4].branches.list[0].steps.count, 2);
    e8_plan_free(&plan);
}

static void an_expected_effect_is_measured(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "effect: {get: 'http://127.0.0.1:3000/count', pointer: /count, settle: 1s}\n"
                    "flows: {f: [{emit: message.sent, at: 1s, expect: {effect: 1}}]}\n");
    const struct e8_step *s = steps_of(plan);
    (void)state;
    assert_int_equal(plan->flows[0].steps.count, 5);
    assert_true(s[0].kind == E8_STEP_MEASURE && !s[0].measure.after && s[0].measure.emit == plan->emits);
    assert_int_equal(s[1].kind, E8_STEP_AT);
    assert_int_equal(s[2].kind, E8_STEP_EMIT);
    assert_true(s[3].kind == E8_STEP_AWAIT && s[3].await.on_failure == E8_ON_FAILURE_CONTINUE);
    assert_true(s[4].kind == E8_STEP_MEASURE && s[4].measure.after && s[4].measure.emit == plan->emits);
    assert_null(s[0].measure.effect);
    assert_string_equal(plan->effect->get, "http://127.0.0.1:3000/count");
    assert_string_equal(plan->effect->pointer, "/count");
    assert_int_equal(plan->effect->settle, E8_NS_S);
    assert_false(plan->executes);
    e8_plan_free(&plan);

    plan = plan_of(TWO "effect: {command: [./count.sh, x]}\n" FLOW);
    assert_string_equal(plan->effect->command[1], "x");
    assert_null(plan->effect->command[2]);
    assert_int_equal(plan->effect->settle, 200 * E8_NS_MS);
    assert_true(plan->executes);
    e8_plan_free(&plan);

    const struct e8_effect own = {.get = "http://127.0.0.1:1/", .pointer = "/n", .settle = 5};
    struct e8_scenario_options options = defaults();
    options.effect = &own;
    plan = plan_with(TWO "effect: {command: [./count.sh, x]}\n" FLOW, &options);
    assert_string_equal(plan->effect->get, "http://127.0.0.1:1/");
    assert_null(plan->effect->command);
    assert_false(plan->executes);
    e8_plan_free(&plan);
}

static void branches_run_side_by_side(void **state)
{
    struct e8_plan *plan = plan_of(TWO "flows: {f: [{parallel: [[{emit: message.sent}, {wait: 1s}],\n"
                                       "  {steps: [{parallel: [[{emit: session.ended}]]}]}]}]}\n");
    const struct e8_step *s = steps_of(plan);
    (void)state;
    assert_int_equal(s[0].kind, E8_STEP_PARALLEL);
    assert_int_equal(s[0].branches.count, 2);
    assert_int_equal(s[0].branches.list[0].steps.count, 2);
    assert_ptr_equal(s[0].branches.list[0].steps.list[0].emit, &plan->emits[0]);
    assert_ptr_equal(s[0].branches.list[1].steps.list[0].branches.list[0].steps.list[0].emit,
                     &plan->emits[1]);
    e8_plan_free(&plan);
}

static void secrets_are_rotated(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows: {f: [{rotate: a}, {rotate: a, grace: 1h}, {revoke: a}, {emit: message.sent}]}\n");
    const struct e8_step *s = steps_of(plan);
    (void)state;
    assert_int_equal(plan->endpoints[0].rotation_count, 2);
    assert_string_equal(plan->endpoints[0].rotation[1], "0123456789abcdeh");
    assert_int_equal(plan->endpoints[1].rotation_count, 0);
    assert_int_equal(s[0].kind, E8_STEP_SECRET);
    assert_int_equal(s[0].secret.grace, e8_catalog_platform(catalog())->rotation_grace);
    assert_int_equal(s[1].secret.grace, 3600 * E8_NS_S);
    assert_true(s[2].kind == E8_STEP_SECRET && s[2].secret.revoke && !s[1].secret.revoke);
    assert_int_equal(s[2].secret.endpoint, 0);
    e8_plan_free(&plan);

    struct e8_scenario_options options = defaults();
    options.next_secret = "another secret, 2";
    plan = plan_with(TWO FLOW, &options);
    assert_int_equal(plan->endpoints[0].rotation_count, 2);
    assert_int_equal(plan->endpoints[1].rotation_count, 0); /* it signs nothing */
    e8_plan_free(&plan);
    plan = plan_with("endpoints: {a: {url: 'http://127.0.0.1:9/', secret: 0123456789abcdef}}\n"
                     "flows: {f: [{rotate: a}, {emit: message.sent}]}\n",
                     &options);
    assert_string_equal(plan->endpoints[0].rotation[0], "another secret, 2");
    e8_plan_free(&plan);
}

static void commands_are_run(void **state)
{
    struct e8_plan *plan = plan_of(
        TWO
        "flows: {f: [{exec: [./x, 5, y z], on_failure: continue}, {exec: [true]}, {emit: message.sent}]}\n");
    const struct e8_step *s = steps_of(plan);
    (void)state;
    assert_int_equal(s[0].kind, E8_STEP_EXEC);
    assert_string_equal(s[0].exec.argv[0], "./x");
    assert_string_equal(s[0].exec.argv[1], "5");
    assert_string_equal(s[0].exec.argv[2], "y z");
    assert_null(s[0].exec.argv[3]);
    assert_int_equal(s[0].exec.on_failure, E8_ON_FAILURE_CONTINUE);
    assert_int_equal(s[1].exec.on_failure, E8_ON_FAILURE_STOP_FLOW);
    assert_true(plan->executes);
    e8_plan_free(&plan);
}

static void how_deliveries_leave(void **state)
{
    struct e8_plan *plan = plan_of(TWO "flows:\n"
                                       "  f:\n"
                                       "    - {emit: message.sent, deliver: {duplicate: 2, as: retry}}\n"
                                       "    - {emit: message.sent, deliver: {late: 30s, burst: 2s}}\n"
                                       "    - {emit: message.sent, deliver: {reorder: true}}\n"
                                       "    - {emit: message.sent, deliver: {drop: true}}\n");
    (void)state;
    assert_true(plan->emits[0].deliver.copies == 2 && plan->emits[0].deliver.retried);
    assert_true(plan->emits[1].deliver.late == 30 * E8_NS_S && plan->emits[1].deliver.burst == 2 * E8_NS_S);
    assert_true(plan->emits[2].deliver.reorder && plan->emits[3].deliver.drop && plan->emits[3].faultless);
    e8_plan_free(&plan);
}

static bool near(double a, double b)
{
    return a > b - 1e-9 && a < b + 1e-9;
}

static void faults_are_shares(void **state)
{
    struct e8_plan *plan = plan_of(
        TWO "faults: {duplicate: 2%, reorder: 5%, late: 1% by 30s, drop: 0.1%, burst: 10% over 2s}\n"
            "flows:\n"
            "  f: [{emit: message.sent}]\n"
            "  g:\n"
            "    faults: {duplicate: {share: 0.02, copies: 4, concurrent: true}, late: {share: 1%, by: 1s}}\n"
            "    steps: [{emit: message.sent}]\n");
    const struct e8_faults *f = &plan->faults, *g = plan->flows[1].faults;
    (void)state;
    assert_true(near(f->duplicate, 0.02) && near(f->reorder, 0.05) && near(f->late, 0.01) &&
                near(f->drop, 0.001));
    assert_true(near(f->burst, 0.1) && f->late_by == 30 * E8_NS_S && f->burst_over == 2 * E8_NS_S);
    assert_true(f->copies == 1 && !f->concurrent);
    assert_null(plan->flows[0].faults);
    assert_true(near(g->duplicate, 0.02) && g->copies == 4 && g->concurrent && g->late_by == E8_NS_S);
    e8_plan_free(&plan);
}

static void a_flow_for_every_type(void **state)
{
    size_t count = e8_catalog_count(catalog());
    struct e8_plan *plan = plan_of(
        TWO
        "flows:\n"
        "  EVT:\n"
        "    each: types\n"
        "    check: {title: 'takes ${type}', why: w, mend: m, needs: [secret, signed_time], canary: true}\n"
        "    steps: [{emit: '${type}', name: '${nn}'}]\n"
        "  f: [{emit: message.sent}]\n"
        "run: [{flow: f}, {flow: EVT}, {flow: EVT-02, arrivals: {times: 3}}]\n");
    (void)state;
    assert_int_equal(plan->flow_count, count + 1);
    for (size_t i = 0; i < count; i++) {
        char name[32], title[128];
        snprintf(name, sizeof name, "EVT-%02zu", i + 1);
        snprintf(title, sizeof title, "takes %s", e8_catalog_type(catalog(), i)->name);
        assert_string_equal(plan->flows[i].name, name);
        assert_int_equal(plan->flows[i].key, e8_hash_str(e8_str(name)));
        assert_string_equal(plan->flows[i].probe->title, title);
        assert_int_equal(plan->flows[i].steps.list[0].emit->type, i);
        assert_string_equal(plan->flows[i].steps.list[0].emit->name, name + 4);
    }
    assert_string_equal(plan->flows[0].probe->why, "w");
    assert_string_equal(plan->flows[0].probe->mend, "m");
    assert_string_equal(plan->flows[0].probe->needs[1], "signed_time");
    assert_null(plan->flows[0].probe->needs[2]);
    assert_true(plan->flows[0].probe->canary);
    assert_null(plan->flows[count].probe);
    assert_int_equal(plan->phase_count, count + 2);
    assert_ptr_equal(plan->phases[0].flow, &plan->flows[count]);
    assert_ptr_equal(plan->phases[1].flow, &plan->flows[0]);
    assert_ptr_equal(plan->phases[count].flow, &plan->flows[count - 1]);
    assert_ptr_equal(plan->phases[count + 1].flow, &plan->flows[1]);
    assert_int_equal(plan->phases[count + 1].first, 1);
    e8_plan_free(&plan);
}

static void thresholds_may_end_the_run(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO FLOW "thresholds: ['p(99) < 5ms', {rule: 'failed == 0', abort: true}]\n");
    (void)state;
    assert_int_equal(plan->threshold_count, 2);
    assert_false(plan->thresholds[0].abort);
    assert_true(plan->thresholds[1].abort);
    e8_plan_free(&plan);
}

static void a_target_where_there_is_no_endpoint(void **state)
{
    static const char *const named[] = {"target=http://127.0.0.1:5/", NULL};
    struct e8_scenario_options options = defaults();
    (void)state;
    options.to = "http://127.0.0.1:4/x";
    options.secret = "a secret from outside";
    struct e8_plan *plan = plan_with("flows: {f: [{emit: message.sent, endpoint: target}]}\n", &options);
    assert_int_equal(plan->endpoint_count, 1);
    assert_string_equal(plan->endpoints[0].name, "target");
    assert_string_equal(plan->endpoints[0].url, options.to);
    assert_string_equal(plan->endpoints[0].secrets[0], options.secret);
    assert_null(plan->endpoints[0].subscription.patterns);
    e8_plan_free(&plan);
    options.to_named = named;
    plan = plan_with(FLOW, &options);
    assert_string_equal(plan->endpoints[0].url, "http://127.0.0.1:5/");
    e8_plan_free(&plan);
}

/* Steps that say the same share what is made of it. */
static void templates_are_shared(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows: {f: [{foreach: {n: 1..50}, steps: [\n"
                    "  {emit: message.sent}, {emit: message.sent, set: {data.role: x}}]}]}\n");
    (void)state;
    assert_int_equal(plan->emit_count, 100);
    for (size_t i = 0; i < 100; i += 2) {
        assert_ptr_equal(plan->emits[i].body, e8_catalog_event(catalog(), plan->emits[i].type));
        assert_ptr_equal(plan->emits[i + 1].body, plan->emits[1].body);
        assert_ptr_equal(plan->emits[i + 1].json, plan->emits[1].json);
        assert_int_equal(plan->emits[i].index, i);
        assert_ptr_equal(plan->flows[0].steps.list[i].emit, &plan->emits[i]);
    }
    assert_ptr_not_equal(plan->emits[1].body, plan->emits[0].body);
    e8_plan_free(&plan);
}

/* Emits that loops add stand behind those of the file, in one list. */
static void loops_add_to_what_is_written(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows:\n  f:\n    - {emit: message.sent, name: first}\n"
                    "    - {foreach: {n: 1..3000}, steps: [{emit: message.sent, set: {data.n: '${n}'}}]}\n"
                    "    - {emit: session.ended, name: last, expect: {effect: 1}}\n");
    (void)state;
    assert_int_equal(plan->emit_count, 3002);
    const struct e8_steps steps = plan->flows[0].steps;
    assert_int_equal(steps.count, 3002 + 3);
    for (size_t i = 0; i < 3001; i++) {
        assert_ptr_equal(steps.list[i].emit, &plan->emits[i]);
        assert_int_equal(plan->emits[i].index, i);
    }
    assert_string_equal(plan->emits[0].name, "first");
    assert_string_equal(plan->emits[3000].json, "{\"edits\":[{\"path\":\"data.n\",\"value\":3000}]}");
    assert_string_equal(plan->emits[3001].name, "last");
    assert_ptr_equal(steps.list[3001].measure.emit, &plan->emits[3001]);
    e8_plan_free(&plan);
}

/* Templates that differ in values alone render these. */
static void values_differ_in_shared_templates(void **state)
{
    struct e8_plan *plan =
        plan_of(TWO "flows: {f: [{foreach: {n: [1, a, true, '{{event.type}}', 'b \"c\"', 1]},\n"
                    "  steps: [{emit: message.sent, set: {data: {x: '${n}'}, data.y: '${n}'},"
                    " remove: [created_at]}, {emit: message.sent, set: {data.role: '${n}'}}]}]}\n");
    static const char *const wanted[] = {"\"role\":1,",
                                         "\"role\":\"a\",",
                                         "\"role\":true,",
                                         "\"role\":\"message.sent\",",
                                         "\"role\":\"b \\\"c\\\"\",",
                                         "\"role\":1,"};
    struct e8_buf out;
    (void)state;
    e8_buf_init(&out, SIZE_MAX / 2);
    for (size_t i = 0; i < 6; i++) {
        const struct e8_emit *emit = &plan->emits[2 * i + 1];
        struct e8_facts facts = {
            .seed = 1, .sequence = 1, .type = E8_LIT("message.sent"), .type_index = emit->event};
        e8_buf_reset(&out);
        assert_int_equal(e8_template_render(emit->body, &facts, &out), E8_OK);
        if (!strstr(e8_buf_cstr(&out), wanted[i])) {
            fail_msg("no %s in %s", wanted[i], e8_buf_cstr(&out));
        }
    }
    assert_ptr_equal(plan->emits[1].body, plan->emits[11].body);
    e8_buf_fini(&out);
    e8_plan_free(&plan);
}

int test_steps(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_wait),
        cmocka_unit_test(an_emit_has_all_its_keys),
        cmocka_unit_test(another_type_is_rendered),
        cmocka_unit_test(bodies_are_texts_or_bytes),
        cmocka_unit_test(patterns_know_the_plans_own_types),
        cmocka_unit_test(again_is_the_event_before),
        cmocka_unit_test(what_is_awaited),
        cmocka_unit_test(an_expected_effect_is_measured),
        cmocka_unit_test(branches_run_side_by_side),
        cmocka_unit_test(secrets_are_rotated),
        cmocka_unit_test(commands_are_run),
        cmocka_unit_test(how_deliveries_leave),
        cmocka_unit_test(faults_are_shares),
        cmocka_unit_test(a_flow_for_every_type),
        cmocka_unit_test(thresholds_may_end_the_run),
        cmocka_unit_test(a_target_where_there_is_no_endpoint),
        cmocka_unit_test(templates_are_shared),
        cmocka_unit_test(loops_add_to_what_is_written),
        cmocka_unit_test(values_differ_in_shared_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
