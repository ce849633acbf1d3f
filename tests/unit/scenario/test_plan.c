/* Whole plans: sizes, checks, and plans without a file. */
#include <stdio.h>
#include <time.h>

#include "doc/doc.h"
#include "tests.h"

/* Counted the slow way. */
static void count(const struct e8_plan *plan, uint64_t *events, uint64_t *deliveries)
{
    *events = *deliveries = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct e8_phase *phase = &plan->phases[i];
        uint64_t instances = phase->open ? e8_pace_count(&phase->pace) : phase->times;
        for (uint64_t k = 0; k < instances; k++) {
            struct e8_walk walk = e8_walk_begin(phase->flow, plan->seed, phase->first + k);
            for (const struct e8_emit *emit; (emit = e8_walk_next(&walk)) != NULL;) {
                ++*events;
                for (size_t e = 0; e < plan->endpoint_count; e++) {
                    *deliveries += e8_subscription_takes(&plan->endpoints[e].subscription,
                                                         e8_str(e8_catalog_names(catalog())[emit->type]),
                                                         e8_str(emit->environment));
                }
            }
        }
    }
}

static struct e8_plan *mixed(void)
{
    return plan_of(
        "seed: 3\n"
        "endpoints:\n"
        "  a: {url: 'http://127.0.0.1:9/', events: [message.*], environments: [production]}\n"
        "  b: {url: 'http://127.0.0.1:9/'}\n"
        "  c: {url: 'http://127.0.0.1:9/', events: agent.error}\n"
        "flows:\n"
        "  f:\n"
        "    - {repeat: 1..5, steps: [{emit: message.sent}, {emit: message.sent, environment: staging}]}\n"
        "    - {choose: [{steps: [{emit: agent.error}]}, {steps: [{wait: 1s}]}]}\n"
        "  g: [{emit: session.ended}]\n"
        "run:\n"
        "  - {flow: f, arrivals: {times: 20, concurrency: 4}}\n"
        "  - {flow: g, arrivals: {rate: 10/s, for: 2s}}\n"
        "  - {flow: f, arrivals: {ramp: 1/s..20/s, for: 3s}}\n"
        "  - {flow: f, arrivals: {rate: 10/s, for: 5s, process: poisson}}\n");
}

static void the_size_is_exact(void **state)
{
    struct e8_plan *plan = mixed();
    uint64_t events, deliveries, e, d;
    (void)state;
    count(plan, &e, &d);
    assert_true(e > 100 && d > e);
    e8_plan_size(plan, catalog(), 1000000, &events, &deliveries);
    assert_int_equal(events, e);
    assert_int_equal(deliveries, d);
    e8_plan_size(plan, catalog(), e, &events, &deliveries);
    assert_int_equal(events, e);
    e8_plan_size(plan, catalog(), e - 1, &events, &deliveries);
    assert_int_equal(events, 0);
    assert_int_equal(deliveries, 0);
    assert_int_equal(e8_plan_instances(plan),
                     20 + 20 + e8_pace_count(&plan->phases[2].pace) + e8_pace_count(&plan->phases[3].pace));
    e8_plan_free(&plan);
}

/* No two instances of a flow have the same number, through all phases. */
static void instances_are_numbered_through(void **state)
{
    struct e8_plan *plan = mixed();
    (void)state;
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct e8_phase *a = &plan->phases[i];
        for (size_t j = 0; j < i; j++) {
            const struct e8_phase *b = &plan->phases[j];
            uint64_t n = b->open ? e8_pace_count(&b->pace) : b->times;
            assert_true(a->flow != b->flow || a->first >= b->first + n);
        }
    }
    assert_int_equal(plan->phases[1].first, 0);
    assert_int_equal(plan->phases[2].first, 20);
    e8_plan_free(&plan);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Plans that would take ages to walk are known to be large at once. */
static void large_plans_are_sized_in_no_time(void **state)
{
    static const char *const texts[] = {
        HEAD FLOW "run: [{flow: f, arrivals: {times: 1000000000000}}]\n",
        HEAD FLOW "run: [{flow: f, arrivals: {rate: 30000/s, for: 366d, process: poisson}},"
                  " {flow: f, arrivals: {rate: 1/s, for: 1s}}]\n",
        HEAD "flows: {f: [{wait: 1s}], g: [{emit: message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 1000000000000}}, {flow: g}]\n",
        HEAD "flows: {f: [{repeat: 1000, steps: [{repeat: 1000, steps: [{wait: 0}]}]}], g: [{emit: "
             "message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 1000000000000}}, {flow: g}]\n",
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(texts); i++) {
        double start = seconds();
        struct e8_plan *plan = plan_of(texts[i]);
        struct e8_err err = {0};
        uint64_t events, deliveries;
        assert_int_equal(e8_plan_check(plan, catalog(), NULL, &err), E8_OK);
        e8_plan_size(plan, catalog(), 100000, &events, &deliveries);
        assert_int_equal(events, 0);
        e8_plan_free(&plan);
        assert_true(seconds() - start < 20);
    }
}

static void a_plan_must_test_something(void **state)
{
    static const struct {
        const char *text, *what, *note;
    } table[] = {
        {HEAD FLOW, NULL, ""},
        {"endpoints: {a: {url: 'http://127.0.0.1:9/', events: agent.*}}\n" FLOW,
         "no endpoint takes any event", "endpoint \"a\" takes no event"},
        {"endpoints: {a: {url: 'http://127.0.0.1:9/', environments: staging}, b: {url: "
         "'http://127.0.0.1:9/'}}\n" FLOW,
         NULL, "endpoint \"a\" takes no event of this plan\n"},
        {HEAD "flows: {f: [{wait: 1s}]}\n", "no endpoint takes any event", ""},
        {HEAD FLOW "run: [{flow: f, arrivals: {rate: 1/d, for: 1ns, process: poisson}}]\n", "starts no flow",
         ""},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_plan *plan = plan_of(table[i].text);
        struct e8_err err = {0};
        struct e8_buf note;
        e8_buf_init(&note, 4096);
        enum e8_rc rc = e8_plan_check(plan, catalog(), &note, &err);
        assert_int_equal(rc, table[i].what ? E8_INPUT : E8_OK);
        assert_true(!table[i].what || strstr(err.what, table[i].what));
        assert_non_null(strstr(e8_buf_cstr(&note), table[i].note));
        assert_int_equal(e8_plan_check(plan, catalog(), NULL, NULL), rc);
        e8_buf_fini(&note);
        e8_plan_free(&plan);
    }
}

/* ---- e8_plan_send ---- */

static struct e8_send_options sending(const char *const *patterns)
{
    static const char *const secrets[] = {"0123456789abcdef"};
    static const struct e8_header headers[] = {{{"X-A", 3}, {"b", 1}}};
    struct e8_send_options options = {.patterns = patterns, .seed = 5};
    options.endpoint = (struct e8_endpoint){.name = "target",
                                            .url = "http://127.0.0.1:9/",
                                            .scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit"),
                                            .secrets = secrets,
                                            .secret_count = 1,
                                            .timeout = E8_NS_S,
                                            .retry = e8_catalog_platform(catalog())->retry,
                                            .headers = headers,
                                            .header_count = 1};
    return options;
}

static struct e8_plan *sent(const struct e8_send_options *options)
{
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (e8_plan_send(catalog(), options, &plan, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    assert_non_null(plan);
    assert_int_equal(e8_plan_check(plan, catalog(), NULL, NULL), E8_OK);
    return plan;
}

static void sending_one_and_many(void **state)
{
    static const char *const one[] = {"message.sent", NULL},
                             *const some[] = {"message.*", "agent.error", "message.sent", NULL},
                             *const all[] = {"*", NULL};
    (void)state;
    struct e8_send_options options = sending(one);
    struct e8_plan *plan = sent(&options);
    assert_int_equal(plan->emit_count, 1);
    assert_int_equal(e8_plan_instances(plan), 1);
    assert_int_equal(plan->endpoint_count, 1);
    assert_ptr_not_equal(plan->endpoints[0].secrets, options.endpoint.secrets);
    assert_string_equal(plan->endpoints[0].secrets[0], "0123456789abcdef");
    assert_true(e8_str_is(plan->endpoints[0].headers[0].value, "b"));
    assert_string_equal(plan->emits[0].environment, "production");
    assert_true(plan->flows[0].rotate && plan->flows[0].aged);
    e8_plan_free(&plan);

    options = sending(some);
    plan = sent(&options);
    assert_int_equal(plan->emit_count, 4);
    assert_int_equal(e8_plan_instances(plan), 4);
    e8_plan_free(&plan);

    options = sending(all);
    options.times = 100;
    options.concurrency = 7;
    options.environment = "staging";
    plan = sent(&options);
    assert_int_equal(plan->emit_count, 16);
    assert_int_equal(e8_plan_instances(plan), 100);
    assert_int_equal(plan->phases[0].concurrency, 7);
    assert_string_equal(plan->emits[15].environment, "staging");
    e8_plan_free(&plan);
}

static void sending_at_a_rate(void **state)
{
    static const char *const one[] = {"message.sent", NULL};
    struct e8_send_options options = sending(one);
    struct e8_plan *plan;
    struct e8_pace_walk walk;
    e8_dur_ns due = 0;
    (void)state;
    options.open = true;
    options.times = 1000;
    assert_true(e8_parse_rate(E8_LIT("10/s"), &options.rate));
    plan = sent(&options);
    assert_int_equal(e8_plan_instances(plan), 1000);
    walk = e8_pace_begin(&plan->phases[0].pace);
    for (int i = 0; i < 1000; i++) {
        assert_true(e8_pace_next(&walk, &due));
    }
    assert_false(e8_pace_next(&walk, &due));
    assert_int_equal(due, 999 * (E8_NS_S / 10));
    e8_plan_free(&plan);
}

static void sending_what_was_given(void **state)
{
    static const char *const one[] = {"message.sent", NULL};
    struct e8_send_options options = sending(one);
    char raw[] = "not even JSON";
    (void)state;
    options.raw = e8_str(raw);
    struct e8_plan *plan = sent(&options);
    raw[0] = 'X';
    assert_true(e8_str_is(plan->emits[0].raw, "not even JSON"));
    assert_null(plan->emits[0].body);
    e8_plan_free(&plan);
    options.raw = E8_LIT(""); /* an empty body is a body */
    plan = sent(&options);
    assert_non_null(plan->emits[0].raw.p);
    assert_null(plan->emits[0].body);
    e8_plan_free(&plan);
}

static void sending_with_edits(void **state)
{
    static const char *const one[] = {"message.sent", NULL};
    struct e8_send_options options = sending(one);
    struct e8_arena *arena = e8_arena_new();
    struct e8_edit edits[] = {{E8_LIT("data.role"), e8_node_from_text(arena, E8_LIT("x")), NULL},
                              {E8_LIT("created_at"), NULL, NULL}};
    (void)state;
    struct e8_plan *plain = sent(&options);
    options.edits = edits;
    options.edit_count = 2;
    struct e8_plan *plan = sent(&options);
    assert_string_equal(plan->emits[0].json,
                        "{\"edits\":[{\"path\":\"data.role\",\"value\":\"x\"},{\"path\":\"created_at\"}]}");
    assert_string_not_equal(plan->digest, plain->digest);
    e8_plan_free(&plan);
    e8_plan_free(&plain);
    e8_arena_free(&arena);
}

static void sending_what_is_wrong(void **state)
{
    static const char *const none[] = {NULL}, *const unknown[] = {"mesage.sent", "nothing.*", NULL},
                             *const two[] = {"message.*", NULL}, *const one[] = {"message.sent", NULL};
    struct e8_edit edits[] = {{E8_LIT("nope"), NULL, NULL}};
    struct e8_send_options table[5];
    static const struct {
        size_t total;
        const char *what;
    } wanted[] = {{1, "no event type is named"},
                  {2, "no event type matches \"mesage.sent\""},
                  {1, "one event type"},
                  {1, ""},
                  {1, "nope"}};
    (void)state;
    table[0] = sending(none);
    table[1] = sending(unknown);
    table[2] = sending(two);
    table[2].raw = E8_LIT("x");
    table[3] = sending(one);
    table[3].endpoint.url = "nothing";
    table[4] = sending(one);
    table[4].edits = edits;
    table[4].edit_count = 1;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_plan *plan = NULL;
        struct e8_errs errs;
        e8_errs_init(&errs);
        assert_int_equal(e8_plan_send(catalog(), &table[i], &plan, &errs), E8_INPUT);
        assert_null(plan);
        assert_int_equal(errs.total, wanted[i].total);
        assert_non_null(strstr(errs.list[0].what, wanted[i].what));
        e8_errs_fini(&errs);
    }
}

/* The scenarios that come with emit8. */
static void builtin_scenarios_are_good(void **state)
{
    static const struct {
        const char *path;
        uint64_t events, deliveries;
    } table[] = {{"scenarios/quick.yaml", 16, 16},
                 {"scenarios/fan-out.yaml", 120, 180},
                 {"scenarios/support-day.yaml", 0, 0}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_scenario_options options = defaults();
        uint64_t events, deliveries;
        options.secret = "a secret from outside";
        struct e8_str text = e8_catalog_builtin(table[i].path);
        char *copy = e8_dup_str(text);
        struct e8_plan *plan = plan_with(copy, &options);
        struct e8_buf note;
        e8_buf_init(&note, 4096);
        assert_int_equal(e8_plan_check(plan, catalog(), &note, NULL), E8_OK);
        assert_int_equal(note.n, 0);
        e8_plan_size(plan, catalog(), 100000, &events, &deliveries);
        assert_true(events > 0);
        assert_true(!table[i].events || (events == table[i].events && deliveries == table[i].deliveries));
        e8_buf_fini(&note);
        e8_plan_free(&plan);
        free(copy);
    }
}

/* ---- e8_plan_load ---- */

static struct e8_plan *loaded(const char *const *patterns, struct e8_pace pace, e8_dur_ns warmup)
{
    static const char *const none[] = {NULL};
    struct e8_send_options like = sending(none);
    struct e8_endpoint endpoints[] = {like.endpoint, like.endpoint};
    struct e8_load_options options = {.patterns = patterns ? patterns : none,
                                      .endpoints = endpoints,
                                      .endpoint_count = 2,
                                      .phase = {.open = true, .pace = pace, .at = -1},
                                      .warmup = warmup,
                                      .seed = 5};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    endpoints[1].name = "other";
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_load(catalog(), &options, &plan, &errs), E8_OK);
    e8_errs_fini(&errs);
    assert_int_equal(e8_plan_check(plan, catalog(), NULL, NULL), E8_OK);
    return plan;
}

/* Each instance is one event; which, the weights say. */
static void loads_choose_types_by_weight(void **state)
{
    static const char *const some[] = {"message.*", NULL};
    const struct e8_pace pace = {
        .kind = E8_PACE_CONSTANT, .from = {1000, E8_NS_S}, .to = {1000, E8_NS_S}, .length = 10 * E8_NS_S};
    struct e8_plan *plan = loaded(some, pace, 2 * E8_NS_S);
    uint64_t counts[8] = {0}, events, deliveries;
    double all = 0;
    (void)state;
    assert_int_equal(plan->emit_count, 3);
    assert_true(plan->phase_count == 2 && plan->phases[0].warmup && !plan->phases[1].warmup);
    assert_true(e8_plan_warms_up(plan) && !e8_plan_timed(plan));
    e8_plan_size(plan, catalog(), 100000, &events, &deliveries);
    assert_true(events == 12000 && deliveries == 24000);
    for (uint64_t k = 0; k < 10000; k++) {
        struct e8_walk walk = e8_walk_begin(plan->flows, plan->seed, k);
        const struct e8_emit *emit = e8_walk_next(&walk);
        assert_non_null(emit);
        counts[emit->index]++;
        assert_null(e8_walk_next(&walk));
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        all += e8_catalog_type(catalog(), plan->emits[i].type)->weight;
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        double share = e8_catalog_type(catalog(), plan->emits[i].type)->weight / all;
        assert_true((double)counts[i] > 10000 * share - 300 && (double)counts[i] < 10000 * share + 300);
    }
    e8_plan_free(&plan);
}

/* Two loads are the same where they send the same at the same times. */
static void loads_have_a_digest_of_their_schedule(void **state)
{
    const struct e8_pace_piece pieces[] = {{{0, E8_NS_S}, {9, E8_NS_S}, E8_NS_S},
                                           {{9, E8_NS_S}, {9, E8_NS_S}, E8_NS_S}};
    struct e8_pace pace = {.kind = E8_PACE_STEPS, .pieces = pieces, .piece_count = 2, .length = 2 * E8_NS_S};
    struct e8_plan *one = loaded(NULL, pace, 0), *same = loaded(NULL, pace, 0),
                   *warm = loaded(NULL, pace, E8_NS_S);
    (void)state;
    pace.piece_count = 1;
    pace.length = E8_NS_S;
    struct e8_plan *shorter = loaded(NULL, pace, 0);
    assert_int_equal(one->emit_count, e8_catalog_count(catalog()));
    assert_ptr_not_equal(one->phases[0].pace.pieces, pieces);
    assert_string_equal(one->digest, same->digest);
    assert_string_not_equal(one->digest, warm->digest);
    assert_string_not_equal(one->digest, shorter->digest);
    e8_plan_free(&one);
    e8_plan_free(&same);
    e8_plan_free(&warm);
    e8_plan_free(&shorter);
}

int test_plan(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_size_is_exact),
        cmocka_unit_test(instances_are_numbered_through),
        cmocka_unit_test(large_plans_are_sized_in_no_time),
        cmocka_unit_test(a_plan_must_test_something),
        cmocka_unit_test(loads_choose_types_by_weight),
        cmocka_unit_test(loads_have_a_digest_of_their_schedule),
        cmocka_unit_test(sending_one_and_many),
        cmocka_unit_test(sending_at_a_rate),
        cmocka_unit_test(sending_what_was_given),
        cmocka_unit_test(sending_with_edits),
        cmocka_unit_test(sending_what_is_wrong),
        cmocka_unit_test(builtin_scenarios_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
