/* What is bounded: attempts in flight, memory, processor time. */
#include <stdio.h>
#include <time.h>

#include "tests.h"

static struct answer slow(void *state, size_t number, const char *head)
{
    (void)number, (void)head;
    return (struct answer){.status = 200, .delay = *(const e8_dur_ns *)state};
}

static void at_most_so_many_are_in_flight(void **state)
{
    static const struct {
        unsigned workers;
        size_t in_flight;
    } table[] = {{1, 1}, {4, 1}, {2, 3}, {3, 10}};
    e8_dur_ns delay = 10 * E8_NS_MS;
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/a'}, b: {url: 'http://127.0.0.1:%d/b'}}\n"
             "flows: {f: [{emit: message.sent}, {emit: agent.error}]}\n"
             "run:\n"
             "  - {flow: f, arrivals: {rate: 1000/s, for: 12ms}}\n"
             "  - {flow: f, arrivals: {times: 10, concurrency: 8}}\n",
             slow, &delay);
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        rig.options.workers = table[i].workers;
        rig.options.in_flight = table[i].in_flight;
        rig_run(&rig);
        assert_int_equal(rig_counts(&rig)->delivered, 22 * 4);
        assert_true(atomic_load(&rig.receiver.most) <= (int)table[i].in_flight);
        assert_true(atomic_load(&rig.receiver.most) >= 1);
        rig_again(&rig);
    }
    rig_close(&rig);
}

/* A bound that is reached and keeps nothing waiting is no bound: of as many events, of a loop of as many, of what is due when there is room. */
static void only_what_waits_is_told(void **state)
{
    static const struct {
        const char *phase;
        size_t in_flight;
        bool waits;
    } table[] = {
        {"{flow: four, arrivals: {times: 1, concurrency: 1}}", 4, false},
        {"{flow: four, arrivals: {times: 1, concurrency: 1}}", 3, true},
        {"{flow: one, arrivals: {times: 6, concurrency: 2}}", 2, false},
        {"{flow: one, arrivals: {times: 6, concurrency: 3}}", 2, true},
        {"{flow: one, arrivals: {rate: 5/s, for: 600ms}}", 1, false},
        {"{flow: one, arrivals: {rate: 100/s, for: 100ms}}", 1, true},
    };
    e8_dur_ns delay = 40 * E8_NS_MS;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        char text[400];
        struct rig rig;
        snprintf(text, sizeof text,
                 "endpoints: {a: {url: 'http://127.0.0.1:%%d/a'}}\n"
                 "flows: {one: [{emit: message.sent}], four: [{repeat: 4, steps: [{emit: message.sent}]}]}\n"
                 "run: [%s]\n",
                 table[i].phase);
        rig_open(&rig, text, slow, &delay);
        rig.options.workers = 1;
        rig.options.in_flight = table[i].in_flight;
        rig_start(&rig);
        assert_true(e8_engine_wait(rig.engine, 30 * E8_NS_S));
        rig_finish(&rig);
        if (rig.result.bounded != table[i].waits)
            fail_msg("%s, %zu in flight: bounded %d", table[i].phase, table[i].in_flight, rig.result.bounded);
        rig_close(&rig);
    }
    (void)state;
}

static void dropped_events_are_counted(void **state)
{
    e8_dur_ns delay = 50 * E8_NS_MS;
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 500/s, for: 400ms}}]\n", slow, &delay);
    rig.options.in_flight = 4;
    rig.options.drop = true;
    rig_run(&rig);
    const struct e8_counts *n = rig_counts(&rig);
    assert_int_equal(n->planned, 200);
    assert_int_equal(n->events, 200);
    assert_int_equal(n->delivered, rig.receiver.count);
    assert_true(n->dropped > 100 && n->delivered >= 4);
    assert_int_equal(n->dropped + n->delivered, 200);
    /* those that were sent were not late because of those that were not */
    assert_true(rig_late(&rig, 60 * E8_NS_MS) * 4 <= rig.count);
    rig_close(&rig);
}

/* A closed loop that finds no room waits for it. */
static void a_closed_loop_drops_nothing_that_it_need_not_start(void **state)
{
    e8_dur_ns delay = E8_NS_MS;
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 60, concurrency: 30}}]\n", slow, &delay);
    rig.options.in_flight = 4;
    rig.options.drop = true;
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 60);
    rig_close(&rig);
}

static size_t instances_of(const struct e8_engine *engine)
{
    size_t n = 0;
    for (unsigned i = 0; i < engine->count; i++) {
        for (const struct e8_instance *at = engine->workers[i].free_instances; at; at = at->next_free) {
            n++;
        }
    }
    return n;
}

static size_t deliveries_of(const struct e8_engine *engine)
{
    size_t n = 0;
    for (unsigned i = 0; i < engine->count; i++) {
        for (const struct e8_delivery *at = engine->workers[i].free_deliveries; at; at = at->next_free) {
            n++;
        }
    }
    return n;
}

/* Offered a hundred times what the receiver takes, the engine keeps a handful of instances, not all that were due. */
static void a_slow_receiver_does_not_cost_memory(void **state)
{
    e8_dur_ns delay = 2 * E8_NS_MS;
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/a'}, b: {url: 'http://127.0.0.1:%d/b'}}\n"
             "flows: {f: [{repeat: 5, steps: [{emit: message.sent}]}]}\n"
             "run: [{flow: f, arrivals: {rate: 50000/s, for: 20s}}, {flow: f, at: 10ms, arrivals: {rate: "
             "50000/s, for: 20s}}]\n",
             slow, &delay);
    rig.options.in_flight = 8;
    rig_start(&rig);
    assert_false(e8_engine_wait(rig.engine, 1500 * E8_NS_MS));
    e8_engine_stop(rig.engine);
    assert_true(e8_engine_wait(rig.engine, 30 * E8_NS_S));
    size_t instances = instances_of(rig.engine), deliveries = deliveries_of(rig.engine);
    rig_finish(&rig);
    print_message("%zu instances and %zu deliveries at most, %zu attempts\n", instances, deliveries,
                  rig.count);
    assert_true(rig.count > 100);
    assert_true(instances <= 8 + 2 * 2 * 16);
    assert_true(deliveries <= 8 + 2 * 2);
    rig_close(&rig);
}

static void both_phases_go_on_when_the_receiver_is_slow(void **state)
{
    e8_dur_ns delay = 5 * E8_NS_MS;
    size_t first = 0, second = 0;
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent}], g: [{emit: agent.error}]}\n"
             "run: [{flow: f, at: 0s, arrivals: {rate: 5000/s, for: 5s}}, {flow: g, at: 0s, arrivals: {rate: "
             "5000/s, for: 5s}}]\n",
             slow, &delay);
    rig.options.in_flight = 4;
    rig_start(&rig);
    assert_false(e8_engine_wait(rig.engine, 700 * E8_NS_MS));
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    for (size_t i = 0; i < rig.count; i++) {
        bool error = strcmp(e8_catalog_names(catalog())[rig.attempts[i].type], "agent.error") == 0;
        first += !error;
        second += error;
    }
    assert_true(first > 10 && second > 10 && first < 2 * second && second < 2 * first);
    rig_close(&rig);
}

static struct answer b_is_down(void *state, size_t number, const char *head)
{
    (void)state, (void)number;
    return (struct answer){.status = strncmp(head, "POST /b ", 8) == 0 ? 503 : 200};
}

#define B_IS_DOWN                                                                                            \
    "endpoints: {a: {url: 'http://127.0.0.1:%d/a'}, b: {url: 'http://127.0.0.1:%d/b', retry: {base: 60s, "   \
    "jitter: none}}}\n"                                                                                      \
    "flows: {f: [{emit: message.sent}]}\n"

static uint64_t delivered_so_far(struct rig *rig)
{
    return e8_stats_endpoint(e8_engine_stats(rig->engine), 0)->n.delivered;
}

static bool comes_to(struct rig *rig, uint64_t delivered)
{
    for (unsigned i = 0; i < 2000 && delivered_so_far(rig) < delivered; i++) {
        assert_false(e8_engine_wait(rig->engine, 10 * E8_NS_MS));
    }
    return delivered_so_far(rig) == delivered;
}

static void what_waits_for_a_retry_keeps_no_other_from_its_place(void **state)
{
    struct e8_engine_now now;
    struct rig rig;
    (void)state;
    rig_open(&rig, B_IS_DOWN "run: [{flow: f, arrivals: {rate: 500/s, for: 200ms}}]\n", b_is_down, NULL);
    rig.options.in_flight = 4;
    rig_start(&rig);
    assert_true(comes_to(&rig, 100));
    e8_engine_look(rig.engine, &now);
    assert_false(now.crowded);
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_true(atomic_load(&rig.receiver.most) <= 4);
    assert_int_equal(e8_stats_endpoint(rig.result.stats, 1)->n.aborted, 100);
    assert_false(rig.result.crowded);
    rig_close(&rig);
}

static void only_so_many_wait_for_a_retry(void **state)
{
    struct e8_engine_now now = {0};
    struct rig rig;
    (void)state;
    rig_open(&rig, B_IS_DOWN "run: [{flow: f, arrivals: {rate: 500/s, for: 200ms}}]\n", b_is_down, NULL);
    rig.options.workers = 1;
    rig.options.in_flight = 4;
    rig.options.waiting = 10;
    rig_start(&rig);
    for (unsigned i = 0; i < 2000 && !now.crowded; i++) {
        assert_false(e8_engine_wait(rig.engine, 10 * E8_NS_MS));
        e8_engine_look(rig.engine, &now);
    }
    assert_true(now.crowded);
    assert_false(e8_engine_wait(rig.engine, 200 * E8_NS_MS)); /* time for all of them */
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_true(rig.result.crowded);
    assert_in_range(e8_stats_endpoint(rig.result.stats, 0)->n.delivered, 10, 14);
    rig_close(&rig);
}

struct held {
    atomic_bool holds;
    atomic_uint asked;
};

static bool ask(void *state)
{
    struct held *held = state;
    atomic_fetch_add(&held->asked, 1);
    return atomic_load(&held->holds);
}

/* What is under way when it begins ends as ever. */
static void nothing_begins_while_it_is_held(void **state)
{
    static const char *const runs[] = {"{rate: 100/s, for: 300ms}", "{times: 30, concurrency: 2}"};
    e8_dur_ns delay = E8_NS_MS;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(runs); i++) {
        struct held held = {0};
        struct rig rig;
        char text[300];
        snprintf(text, sizeof text, "%srun: [{flow: f, arrivals: %s}]\n", ONE, runs[i]);
        rig_open(&rig, text, slow, &delay);
        rig.options.workers = 1;
        rig.options.on_done = NULL;
        rig.options.state = &held;
        rig.options.on_hold = ask;
        atomic_store(&held.holds, true);
        rig_start(&rig);
        while (atomic_load(&held.asked) < 20) {
            assert_false(e8_engine_wait(rig.engine, 10 * E8_NS_MS));
        }
        assert_int_equal(atomic_load(&rig.receiver.received), 0);
        atomic_store(&held.holds, false);
        assert_true(e8_engine_wait(rig.engine, 30 * E8_NS_S));
        e8_engine_finish(&rig.engine, &rig.result);
        assert_int_equal(rig_counts(&rig)->delivered, 30);
        assert_int_equal(rig.result.holds, 1);
        rig_close(&rig);
    }
}

/* Seconds of processor time in one second of a run that is stopped after it. */
static double load_of(const char *text, answer_fn *answer, void *state, size_t in_flight)
{
    struct rig rig;
    rig_open(&rig, text, answer, state);
    rig.options.in_flight = in_flight;
    rig.options.grace = E8_NS_MS;
    rig.options.workers = 4;
    rig_start(&rig);
    assert_false(e8_engine_wait(rig.engine, 200 * E8_NS_MS));
    double start = cpu_seconds();
    assert_false(e8_engine_wait(rig.engine, E8_NS_S));
    double used = cpu_seconds() - start;
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    rig_close(&rig);
    return used;
}

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

static void waiting_costs_no_processor_time(void **state)
{
    static const struct {
        const char *what, *run;
        answer_fn *answer;
        size_t in_flight;
        const char *takes;
    } table[] = {
        {"one event a second", "run: [{flow: f, arrivals: {rate: 1/s, for: 60s}}]\n", NULL, 0, "*"},
        {"paused at the bound, open", "run: [{flow: f, arrivals: {rate: 10000/s, for: 60s}}]\n", never, 4,
         "*"},
        {"paused at the bound, closed", "run: [{flow: f, arrivals: {times: 100000, concurrency: 100}}]\n",
         never, 4, "*"},
        {"a phase far ahead", "run: [{flow: f, at: 300d}]\n", NULL, 0, "*"},
        {"waiting for a retry", "run: [{flow: f, arrivals: {times: 20, concurrency: 20}}]\n", NULL, 0, "*"},
        {"a closed loop that nobody takes",
         "run: [{flow: f, arrivals: {concurrency: 2, for: 60s}}, {flow: g, at: 1d}]\n", NULL, 0,
         "message.received"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "endpoints: {a: {url: 'http://127.0.0.1:%s/', retry: {base: 30s, jitter: none}, timeout: "
                 "60s, events: ['%s']}}\n"
                 "flows: {f: [{emit: message.sent}], g: [{emit: message.received}]}\n%s",
                 i == 4 ? "1" : "%d", table[i].takes, table[i].run);
        double load = load_of(text, table[i].answer, NULL, table[i].in_flight);
        print_message("%s: %.2f %% of a processor\n", table[i].what, 100 * load);
        assert_true(load < 0.10);
    }
}

int test_bounds(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_so_many_are_in_flight),
        cmocka_unit_test(only_what_waits_is_told),
        cmocka_unit_test(dropped_events_are_counted),
        cmocka_unit_test(a_closed_loop_drops_nothing_that_it_need_not_start),
        cmocka_unit_test(a_slow_receiver_does_not_cost_memory),
        cmocka_unit_test(both_phases_go_on_when_the_receiver_is_slow),
        cmocka_unit_test(what_waits_for_a_retry_keeps_no_other_from_its_place),
        cmocka_unit_test(only_so_many_wait_for_a_retry),
        cmocka_unit_test(nothing_begins_while_it_is_held),
        cmocka_unit_test(waiting_costs_no_processor_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
