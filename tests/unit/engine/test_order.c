/* What waits for what: await, parallel. */
#include <stdio.h>

#include "tests.h"

#define CLOCK ((e8_wall_ns)1767225600 * E8_NS_S)

/* Fails and delays as a hash of what it has been asked so far says. */
static struct answer moody(void *state, size_t number, const char *head)
{
    uint64_t x = e8_mix(e8_hash_str(e8_str(head)), number);
    (void)state;
    return (struct answer){.status = x % 3   ? 200
                                     : x % 2 ? 503
                                             : 500,
                           .delay = (e8_dur_ns)(x >> 32) % (4 * E8_NS_MS)};
}

static struct answer bad(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 500};
}

/* How an event ended: when its first attempt was sent and its last was done. */
struct span {
    e8_mono_ns sent, done;
    bool failed;
};

static struct span *spans_of(const struct rig *rig, size_t instances, size_t events)
{
    struct span *spans = e8_new(instances * (events + 2), sizeof *spans);
    for (size_t i = 0; i < rig->count; i++) {
        const struct e8_attempt *a = &rig->attempts[i];
        assert_true(rig->places[i].instance < instances && rig->places[i].sequence <= events);
        struct span *span = &spans[rig->places[i].instance * (events + 2) + rig->places[i].sequence];
        span->sent = !span->sent || a->times.sent < span->sent ? a->times.sent : span->sent;
        span->done = a->times.done > span->done ? a->times.done : span->done;
        span->failed = span->failed || (a->last && a->outcome != E8_DELIVERED);
    }
    return spans;
}

enum { INSTANCES = 400, EVENTS = 4 };

/* Counts instances that ended early. */
static size_t check_order(const struct rig *rig, bool stops)
{
    struct span *spans = spans_of(rig, INSTANCES, EVENTS);
    size_t stopped = 0;
    for (size_t i = 0; i < INSTANCES; i++) {
        const struct span *of = &spans[i * (EVENTS + 2)];
        for (size_t k = 2; k <= EVENTS; k++) {
            assert_true(!of[k].sent || (of[k - 1].sent && of[k].sent >= of[k - 1].done));
            assert_true(!of[k].sent || !stops || !of[k - 1].failed);
        }
        stopped += !of[EVENTS].sent || of[EVENTS].failed;
    }
    free(spans);
    return stopped;
}

static void no_event_passes_one_that_is_awaited(void **state)
{
    static const char *const manners[] = {"stop-flow", "continue"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(manners); i++) {
        char text[700];
        struct rig rig;
        snprintf(text, sizeof text,
                 "seed: 3\nendpoints: {a: {url: 'http://127.0.0.1:%%d/', retry: {attempts: 3, base: 1ms}}}\n"
                 "flows: {f: [{repeat: %d, steps: [{emit: message.sent, await: {ack: %s}}]}]}\n"
                 "run: [{flow: f, arrivals: {times: %d, concurrency: 64}}]\n",
                 EVENTS, manners[i], INSTANCES);
        rig_open(&rig, text, moody, NULL);
        rig_run(&rig);
        size_t stopped = check_order(&rig, i == 0);
        assert_true(rig_counts(&rig)->failed > 10);
        if (i == 0) {
            assert_true(stopped > 10 && stopped == rig.result.flows_stopped);
            assert_int_equal(rig_counts(&rig)->failed, stopped);
        } else {
            assert_int_equal(rig.result.flows_stopped, 0);
            assert_int_equal(rig_counts(&rig)->events, INSTANCES * EVENTS);
        }
        assert_false(rig.result.stopped_by_step);
        assert_true(atomic_load(&rig.receiver.most) > 16);
        rig_close(&rig);
    }
}

static void a_failure_can_stop_the_run(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " NONE "}}\n"
             "flows: {f: [{emit: message.sent}, {await: ack, on_failure: stop-run}, {emit: agent.error}]}\n"
             "run: [{flow: f, arrivals: {times: 1000, concurrency: 2}}]\n",
             bad, NULL);
    rig_run(&rig);
    assert_true(rig.result.stopped_by_step && !rig.result.interrupted);
    assert_true(rig_counts(&rig)->events < 20);
    assert_true(rig.result.flows_stopped >= 1);
    rig_close(&rig);
}

/* What waiting took moves all that follows: the second wait begins when the first event is acknowledged. */
static struct answer slow(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 200, .delay = 60 * E8_NS_MS};
}

static void waiting_moves_what_follows(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, await: ack}, {emit: message.sent}, {wait: 30ms}, {emit: "
             "message.sent}]}\n"
             "run: [{flow: f, arrivals: {rate: 10/s, for: 100ms}}]\n",
             slow, NULL);
    rig_run(&rig);
    const struct e8_attempt *a = rig_attempt(&rig, 0, 1, 0), *b = rig_attempt(&rig, 0, 2, 0),
                            *c = rig_attempt(&rig, 0, 3, 0);
    assert_true(b->times.due >= a->times.done && b->times.due < a->times.done + 500 * E8_NS_MS);
    assert_int_equal(c->times.due, b->times.due + 30 * E8_NS_MS);
    assert_true(e8_send_lag(&b->times) < 500 * E8_NS_MS);
    rig_close(&rig);
}

static const char forked[] = "seed: 5\nendpoints: {a: {url: 'http://127.0.0.1:%d/a', " NONE
                             "}, b: {url: 'http://127.0.0.1:%d/b', events: [agent.*], " NONE "}}\n"
                             "flows:\n  f:\n"
                             "    - {emit: conversation.created}\n"
                             "    - parallel:\n"
                             "      - [{emit: message.sent, await: ack}, {wait: 5ms}, {emit: message.sent}]\n"
                             "      - [{wait: 2ms}, {emit: agent.error}, {parallel: [[{emit: agent.error}], "
                             "[{wait: 20ms}, {emit: agent.error}]]},"
                             " {emit: agent.error}]\n"
                             "      - {steps: [{repeat: 1..3, steps: [{emit: message.received}]}]}\n"
                             "    - {emit: conversation.ended}\n"
                             "    - {await: ack}\n"
                             "    - {emit: conversation.ended}\n"
                             "run: [{flow: f, arrivals: {times: 40, concurrency: 8}}]\n";

static struct answer jumpy(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = 200, .delay = (e8_dur_ns)(e8_mix(number, 1) % 8) * E8_NS_MS};
}

static const char *type_of(const struct e8_attempt *a)
{
    return e8_catalog_names(catalog())[a->type];
}

static void branches_run_side_by_side_and_join(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, forked, jumpy, NULL);
    rig_run(&rig);
    for (uint64_t i = 0; i < 40; i++) {
        e8_mono_ns last_of_branches = 0, first_end = E8_NEVER, second_end = 0, all_done = 0, inner = 0;
        uint32_t end = 0;
        for (size_t k = 0; k < rig.count; k++) {
            const struct e8_attempt *a = &rig.attempts[k];
            if (rig.places[k].instance != i) {
                continue;
            }
            if (strcmp(type_of(a), "conversation.ended") == 0) {
                first_end = a->times.due < first_end ? a->times.due : first_end;
                second_end = a->times.due > second_end ? a->times.due : second_end;
                end = rig.places[k].sequence > end ? rig.places[k].sequence : end;
            } else {
                last_of_branches = a->times.due > last_of_branches ? a->times.due : last_of_branches;
                inner += strcmp(type_of(a), "agent.error") == 0;
            }
        }
        for (size_t k = 0; k < rig.count; k++) {
            const struct e8_attempt *a = &rig.attempts[k];
            if (rig.places[k].instance == i && rig.places[k].sequence < end) {
                all_done = a->times.done > all_done ? a->times.done : all_done;
            }
        }
        assert_int_equal(inner, 8);
        assert_true(first_end >= last_of_branches);
        assert_true(second_end >= all_done); /* of the branches' deliveries as well */
    }
    rig_close(&rig);
}

static int by_body(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **bodies_of(struct rig *rig)
{
    char **bodies = e8_new(rig->receiver.count + 1, sizeof *bodies);
    for (size_t i = 0; i < rig->receiver.count; i++) {
        bodies[i] = e8_dup(rig->receiver.list[i].body);
    }
    qsort(bodies, rig->receiver.count, sizeof *bodies, by_body);
    return bodies;
}

struct previewed {
    char **bodies;
    size_t count;
};

static bool keep_body(void *state, const struct e8_preview *preview)
{
    struct previewed *p = state;
    p->bodies = e8_resize(p->bodies, p->count + 1, sizeof *p->bodies);
    p->bodies[p->count++] = e8_dup_str(preview->body);
    return true;
}

static void free_bodies(char **bodies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(bodies[i]);
    }
    free(bodies);
}

/* Bodies depend neither on the workers nor on what the receiver does; the preview has them, too. */
static void branches_have_the_same_bodies_every_time(void **state)
{
    struct previewed p = {0};
    struct rig rig;
    (void)state;
    rig_open(&rig, forked, jumpy, NULL);
    rig.options.clock = CLOCK;
    assert_int_equal(e8_preview_plan(rig.plan, catalog(), CLOCK, keep_body, &p, NULL), E8_OK);
    qsort(p.bodies, p.count, sizeof *p.bodies, by_body);
    for (unsigned workers = 1; workers <= 3; workers++) {
        rig.options.workers = workers;
        rig_run(&rig);
        assert_int_equal(rig.receiver.count, p.count);
        char **bodies = bodies_of(&rig);
        for (size_t i = 0; i < p.count; i++) {
            assert_string_equal(bodies[i], p.bodies[i]);
        }
        free_bodies(bodies, p.count);
        rig_again(&rig);
    }
    free_bodies(p.bodies, p.count);
    rig_close(&rig);
}

/* A branch that fails for good ends the whole flow; another that waits for its time does not hold it up. */
static void a_branch_that_fails_stops_the_flow(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " NONE "}}\n"
             "flows: {f: [{parallel: [[{emit: message.sent, await: ack}, {emit: message.sent}],"
             " [{wait: 1h}, {emit: agent.error}]]}, {emit: agent.error}]}\n"
             "run: [{flow: f, arrivals: {times: 3, concurrency: 3}}]\n",
             bad, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->events, 3);
    assert_int_equal(rig.result.flows_stopped, 3);
    rig_close(&rig);
}

/* A walk without events, forks without number: neither the stack nor time is used up. */
static void many_empty_forks_end(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{repeat: 20000, steps: [{parallel: [[{wait: 0s}], [{await: ack}]]}, {await: ack}]},"
             " {emit: message.sent}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 1);
    rig_close(&rig);
}

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

static void strands_that_wait_end_with_the_run(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{parallel: [[{emit: message.sent, await: ack}], [{wait: 1h}, {emit: message.sent}],"
             " [{emit: message.sent, deliver: {reorder: true}}, {wait: 1h}, {emit: message.sent}]]},"
             " {emit: message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 100, concurrency: 10}}]\n",
             never, NULL);
    rig.options.grace = 50 * E8_NS_MS;
    rig_start(&rig);
    for (int i = 0; i < 2000 && atomic_load(&rig.receiver.received) < 10; i++) {
        assert_false(e8_engine_wait(rig.engine, 5 * E8_NS_MS));
    }
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->aborted, 20);
    assert_int_equal(rig.result.flows_stopped, 0);
    assert_true(rig.result.interrupted);
    rig_close(&rig);
}

int test_order(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_event_passes_one_that_is_awaited),
        cmocka_unit_test(a_failure_can_stop_the_run),
        cmocka_unit_test(waiting_moves_what_follows),
        cmocka_unit_test(branches_run_side_by_side_and_join),
        cmocka_unit_test(branches_have_the_same_bodies_every_time),
        cmocka_unit_test(a_branch_that_fails_stops_the_flow),
        cmocka_unit_test(many_empty_forks_end),
        cmocka_unit_test(strands_that_wait_end_with_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
