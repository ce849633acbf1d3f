/* How deliveries leave: dropped, late, in bursts, out of order, more than once. */
#include <stdio.h>

#include "tests.h"

#define CLOCK ((e8_wall_ns)1767225600 * E8_NS_S)

static const char *type_at(const struct rig *rig, size_t index, char *out)
{
    assert_true(index < rig->receiver.count);
    return header_of(&rig->receiver.list[index], "X-8bit-Event", out);
}

static void a_dropped_delivery_is_planned_and_never_sent(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {drop: true}, await: ack}, {emit: agent.error}]}\n"
             "run: [{flow: f, arrivals: {times: 10, concurrency: 2}}]\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->planned, 20);
    assert_int_equal(rig_counts(&rig)->withheld, 10);
    assert_int_equal(rig_counts(&rig)->delivered, 10);
    assert_int_equal(rig_counts(&rig)->events, 20);
    assert_int_equal(e8_stats_endpoint(rig.result.stats, 0)->n.withheld, 10);
    assert_int_equal(rig.receiver.count, 10);
    assert_int_equal(rig.result.flows_stopped, 0);
    rig_close(&rig);
}

static void a_late_delivery_is_due_later_and_holds_up_nothing(void **state)
{
    struct rig rig;
    char type[256];
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {late: 80ms}}, {emit: agent.error}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_string_equal(type_at(&rig, 0, type), "agent.error");
    assert_string_equal(type_at(&rig, 1, type), "message.sent");
    const struct e8_attempt *late = rig_attempt(&rig, 0, 1, 0), *other = rig_attempt(&rig, 0, 2, 0);
    e8_dur_ns apart = late->times.due - other->times.due;
    assert_true(apart > 60 * E8_NS_MS && apart < 100 * E8_NS_MS);
    assert_true(e8_send_lag(&late->times) < 500 * E8_NS_MS);
    rig_close(&rig);
}

/* A late one is signed with the time at which it leaves. */
static void a_late_delivery_has_the_time_at_which_it_leaves(void **state)
{
    struct rig rig;
    char at[256];
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {late: 10h}}]}\n",
             NULL, NULL);
    rig.options.clock = CLOCK;
    rig.options.speed = 1000000;
    rig_run(&rig);
    header_of(&rig.receiver.list[0], "X-8bit-Timestamp", at);
    assert_string_equal(at, "1767225600"); /* 36 ms of the run's time */
    rig_close(&rig);
}

static void a_burst_leaves_all_at_once(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {burst: 100ms}}]}\n"
             "run: [{flow: f, arrivals: {rate: 100/s, for: 295ms}}]\n",
             NULL, NULL);
    rig_run(&rig);
    e8_mono_ns first = E8_NEVER;
    size_t bursts = 0;
    for (size_t i = 0; i < rig.count; i++) {
        first = rig.attempts[i].times.due < first ? rig.attempts[i].times.due : first;
    }
    e8_mono_ns last = first;
    for (size_t i = 0; i < rig.count; i++) {
        assert_int_equal((rig.attempts[i].times.due - first) % (100 * E8_NS_MS), 0);
        last = rig.attempts[i].times.due > last ? rig.attempts[i].times.due : last;
    }
    bursts = (size_t)((last - first) / (100 * E8_NS_MS)) + 1;
    assert_int_equal(bursts, 4); /* the first event is due with the run's start, the last after 290 ms */
    assert_int_equal(rig_counts(&rig)->delivered, rig_counts(&rig)->planned);
    rig_close(&rig);
}

static struct answer slow(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 200, .delay = 20 * E8_NS_MS};
}

static void a_reordered_delivery_leaves_after_the_next_one(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/a'}, b: {url: 'http://127.0.0.1:%d/b'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {reorder: true}, endpoint: a}, {wait: 20ms},"
             " {emit: agent.error, endpoint: b}, {emit: message.received, endpoint: a}, {emit: agent.error, "
             "endpoint: b}]}\n"
             "run: [{flow: f, arrivals: {times: 20, concurrency: 4}}]\n",
             slow, NULL);
    for (unsigned i = 0; i < 2; i++) {
        rig.options.in_flight = i ? 1 : 0; /* what waits for another does not take its place */
        rig_run(&rig);
        for (uint64_t k = 0; k < 20; k++) {
            const struct e8_attempt *kept = rig_attempt(&rig, k, 1, 0), *next = rig_attempt(&rig, k, 3, 0);
            assert_true(kept->times.sent >= next->times.done && kept->times.due >= next->times.done);
        }
        assert_int_equal(rig_counts(&rig)->delivered, 80);
        rig_again(&rig);
    }
    rig_close(&rig);
}

static void nothing_is_reordered_across_an_await_or_an_end(void **state)
{
    struct rig rig;
    char type[256];
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {reorder: true}}, {await: ack}, {emit: agent.error},"
             " {await: ack}, {emit: message.received, deliver: {reorder: true}}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 3);
    assert_string_equal(type_at(&rig, 0, type), "message.sent");
    assert_string_equal(type_at(&rig, 1, type), "agent.error");
    assert_string_equal(type_at(&rig, 2, type), "message.received");
    rig_close(&rig);
}

/* ---- duplicates ---- */

static bool same_request(const struct request *a, const struct request *b)
{
    return strcmp(a->head, b->head) == 0 && a->body_n == b->body_n &&
           memcmp(a->body, b->body, a->body_n) == 0;
}

static void a_copy_has_the_same_bytes(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: test-secret-0123456789}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 3}, await: ack}, {emit: agent.error}]}\n",
             slow, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 5);
    assert_int_equal(rig_counts(&rig)->planned, 5);
    assert_int_equal(rig_counts(&rig)->events, 2);
    for (size_t i = 1; i < 4; i++) {
        const struct e8_attempt *copy = rig_attempt(&rig, 0, 1, i), *before = rig_attempt(&rig, 0, 1, i - 1);
        assert_true(same_request(&rig.receiver.list[0], &rig.receiver.list[i]));
        assert_true(copy->times.due >= before->times.done && e8_send_lag(&copy->times) < 500 * E8_NS_MS);
        assert_int_equal(copy->copy, i);
        assert_int_equal(copy->trigger, E8_TRIGGER_DUPLICATE);
        assert_string_equal(copy->delivery_id, before->delivery_id);
    }
    const struct e8_attempt *next = rig_attempt(&rig, 0, 2, 0);
    assert_true(next->times.due >= rig_attempt(&rig, 0, 1, 3)->times.done); /* copies are awaited, too */
    assert_int_equal(rig_counts(&rig)->triggers[E8_TRIGGER_DUPLICATE], 3);
    rig_close(&rig);
}

/* The first answer to a delivery is 500: it is retried, and copied when that has ended; the copies of the first bytes. */
static struct answer fails_first(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = number == 0 ? 500 : 200};
}

static void copies_come_when_the_delivery_has_ended(void **state)
{
    struct rig rig;
    char number[256];
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: test-secret-0123456789,"
             " retry: {attempts: 3, base: 5ms, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 1}}]}\n",
             fails_first, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 3);
    assert_string_equal(header_of(&rig.receiver.list[1], "X-8bit-Attempt", number), "2");
    assert_true(same_request(&rig.receiver.list[0], &rig.receiver.list[2]));
    assert_int_equal(rig_counts(&rig)->delivered, 2);
    rig_close(&rig);
}

static struct answer fails(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 500};
}

static void copies_are_not_retried(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', retry: {attempts: 3, base: 1ms, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 2}}]}\n",
             fails, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 5);
    assert_int_equal(rig_counts(&rig)->failed, 3);
    rig_close(&rig);
}

static void copies_can_come_as_retries(void **state)
{
    struct rig rig;
    char text[256], first[256];
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: test-secret-0123456789}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 2, as: retry}}]}\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.receiver.count, 3);
    header_of(&rig.receiver.list[0], "X-8bit-Delivery", first);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(header_of(&rig.receiver.list[i], "X-8bit-Delivery", text), first);
        assert_int_equal(strtol(header_of(&rig.receiver.list[i], "X-8bit-Attempt", text), NULL, 10), i + 1);
        assert_int_equal(rig.attempts[i].number, i + 1);
        assert_int_equal(rig.attempts[i].copy, i);
    }
    rig_close(&rig);
}

static struct answer slow_and_last(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 200, .delay = 20 * E8_NS_MS, .headers = "Connection: close\r\n"};
}

static void concurrent_copies_leave_together(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: test-secret-0123456789}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 49, concurrent: true}, await: ack}]}\n"
             "run: [{flow: f, arrivals: {times: 20}}]\n",
             slow_and_last, NULL);
    rig.options.workers = 1;
    rig.options.in_flight = 10; /* a group that is larger has the bound for itself */
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 1000);
    assert_int_equal(rig.receiver.count, 1000);
    assert_non_null(rig.result.spread);
    assert_int_equal(e8_hist_count(rig.result.spread), 20);
    e8_dur_ns median = e8_hist_quantile(rig.result.spread, 0.5);
    print_message("spread of 50 copies over 20 releases: median %.3f ms, most %.3f ms\n",
                  (double)median / 1e6, (double)e8_hist_max(rig.result.spread) / 1e6);
    assert_true(median < 3 * E8_NS_MS);
    for (size_t i = 0; i < 1000; i += 50) {
        for (size_t k = 1; k < 50; k++) {
            assert_true(same_request(&rig.receiver.list[i], &rig.receiver.list[i + k]));
        }
    }
    uint64_t copies = 0;
    for (size_t i = 0; i < rig.count; i++) {
        copies += rig.attempts[i].copy;
    }
    assert_int_equal(copies, 20 * (49 * 50 / 2));
    assert_true(rig_late(&rig, 20 * E8_NS_MS) * 4 <= rig.count);
    rig_close(&rig);
}

/* Nobody listens: all end before there is anything to release. */
static void concurrent_copies_to_nobody_end(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:1/', retry: {attempts: 2, base: 1ms}}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 4, concurrent: true}}]}\n"
             "run: [{flow: f, arrivals: {times: 5, concurrency: 5}}]\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->failed, 25);
    assert_int_equal(rig_counts(&rig)->attempts, 30);
    assert_null(rig.result.spread);
    rig_close(&rig);
}

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

static void held_copies_end_with_the_run(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, deliver: {duplicate: 9, concurrent: true}}]}\n"
             "run: [{flow: f, arrivals: {rate: 20/s, for: 10s}}]\n",
             never, NULL);
    rig.options.grace = 30 * E8_NS_MS;
    for (int i = 0; i < 4; i++) {
        rig_start(&rig);
        assert_false(e8_engine_wait(rig.engine, (20 + 13 * i) * E8_NS_MS));
        e8_engine_stop(rig.engine);
        if (i % 2) {
            e8_engine_abort(rig.engine);
        }
        e8_mono_ns stopped = e8_mono_now();
        rig_finish(&rig);
        assert_true(e8_mono_now() - stopped < 5 * E8_NS_S);
        assert_int_equal(rig_counts(&rig)->aborted, rig_counts(&rig)->planned);
        rig_again(&rig);
    }
    rig_close(&rig);
}

/* ---- shares ---- */

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Deliveries with more than one request, and those with none among the planned. */
static char (*hit(const struct rig *rig, size_t *count))[E8_ID_MAX]
{
    char(*ids)[E8_ID_MAX] = calloc(rig->count + 1, E8_ID_MAX);
    *count = 0;
    for (size_t i = 0; i < rig->count; i++) {
        if (rig->attempts[i].copy) {
            memcpy(ids[(*count)++], rig->attempts[i].delivery_id, E8_ID_MAX);
        }
    }
    qsort(ids, *count, E8_ID_MAX, by_id);
    return ids;
}

static void the_same_deliveries_are_hit_every_time(void **state)
{
    struct rig rig;
    size_t count, again;
    (void)state;
    rig_open(&rig,
             "seed: 11\nendpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "faults: {duplicate: 10%, reorder: 10%, late: {share: 5%, by: 5ms}, drop: 5%}\n"
             "flows: {f: [{repeat: 5, steps: [{emit: message.sent}]}]}\n"
             "run: [{flow: f, arrivals: {times: 100, concurrency: 16}}]\n",
             NULL, NULL);
    rig.options.clock = CLOCK;
    rig.options.workers = 1;
    rig_run(&rig);
    char(*first)[E8_ID_MAX] = hit(&rig, &count);
    uint64_t withheld = rig_counts(&rig)->withheld;
    assert_true(count > 20 && count < 90 && withheld > 5 && withheld < 60);
    for (unsigned i = 2; i < 4; i++) {
        rig_again(&rig);
        rig.options.workers = i;
        rig_run(&rig);
        char(*second)[E8_ID_MAX] = hit(&rig, &again);
        assert_int_equal(again, count);
        assert_memory_equal(first, second, count * E8_ID_MAX);
        assert_int_equal(rig_counts(&rig)->withheld, withheld);
        free(second);
    }
    free(first);
    rig_close(&rig);
}

/* At most so many a second, over all workers; concurrent copies count once. */
static void the_rate_has_a_bound(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 40, concurrency: 20}}]\n", NULL, NULL);
    rig.options.rate_max = 200;
    rig.options.workers = 3;
    rig_run(&rig);
    e8_mono_ns first = E8_NEVER, last = 0;
    for (size_t i = 0; i < rig.count; i++) {
        first = rig.attempts[i].times.sent < first ? rig.attempts[i].times.sent : first;
        last = rig.attempts[i].times.sent > last ? rig.attempts[i].times.sent : last;
    }
    assert_int_equal(rig.count, 40);
    assert_true(last - first >= 39 * 5 * E8_NS_MS - 2 * E8_NS_MS);
    assert_true(last - first < 2 * E8_NS_S);
    rig_close(&rig);
}

/* ---- all of it together ---- */

static struct answer whimsical(void *state, size_t number, const char *head)
{
    static const int statuses[] = {200, 200, 200, 500, 503, 429, 404, 200};
    uint64_t x = e8_mix(e8_hash_str(e8_str(head)), number);
    (void)state;
    return (struct answer){.status = statuses[x % E8_COUNT(statuses)],
                           .delay = x % 97 == 0 ? E8_NEVER : (e8_dur_ns)(x >> 32) % (5 * E8_NS_MS),
                           .headers = x % 11 == 0 ? "Connection: close\r\n" : NULL};
}

static const char everything[] =
    "seed: 23\nendpoints:\n"
    "  a: {url: 'http://127.0.0.1:%d/a', secret: test-secret-0123456789, timeout: 30ms, rotation: "
    "[test-secret-number-two],\n"
    "      retry: {attempts: 3, base: 2ms}}\n"
    "  b: {url: 'http://127.0.0.1:%d/b', events: [agent.*], timeout: 30ms, retry: {attempts: 2, base: 1ms}}\n"
    "  c: {url: 'http://127.0.0.1:1/c', events: [agent.error], retry: {attempts: 2, base: 1ms}}\n"
    "faults: {duplicate: {share: 10%, copies: 3, concurrent: true}, reorder: 20%, late: 10% by 10ms, drop: "
    "5%, burst: 10% over "
    "7ms}\n"
    "effect: {get: 'http://127.0.0.1:%d/count', pointer: /n}\n"
    "flows:\n  f:\n"
    "    - {emit: conversation.created}\n"
    "    - {repeat: 0..3, steps: [{emit: message.sent}, {wait: 0ms..3ms}]}\n"
    "    - parallel:\n"
    "      - [{emit: agent.error, await: {ack: continue}}, {again: retry, deliver: {duplicate: 2}}, {emit: "
    "message.sent}]\n"
    "      - [{emit: agent.error}, {parallel: [[{emit: message.sent}, {emit: message.sent}], [{await: ack}, "
    "{emit: "
    "agent.error}]]},\n"
    "         {emit: message.sent, deliver: {duplicate: 5, concurrent: true, as: retry}}]\n"
    "      - [{wait: 2ms}, {rotate: a, grace: 5ms}, {emit: message.received, expect: {status: 200}}, {again: "
    "replay}]\n"
    "    - {choose: [{weight: 4, steps: [{emit: agent.error, await: ack}]}, {weight: 1, steps: [{emit: "
    "message.sent, tamper: "
    "{signature: missing, body: {truncate: 3}}, expect: {effect: 0..9}}]}]}\n"
    "    - {emit: conversation.ended}\n"
    "run:\n  - {flow: f, arrivals: {rate: 150/s, for: 200ms, process: poisson}}\n"
    "  - {flow: f, at: 50ms, arrivals: {times: 30, concurrency: 12}}\n";

/* Whatever happens, and whenever it is stopped: what was planned has an end, and nothing is left behind. */
static void everything_at_once_adds_up(void **state)
{
    static const size_t bounds[] = {0, 1, 3, 40};
    struct rig rig;
    (void)state;
    rig_open(&rig, everything, whimsical, NULL);
    rig.options.grace = 20 * E8_NS_MS;
    for (unsigned i = 0; i < 16; i++) {
        rig.options.workers = 1 + i % 3;
        rig.options.in_flight = bounds[i % E8_COUNT(bounds)];
        rig.options.drop = i % 5 == 4;
        rig.options.rate_max = i % 7 == 6 ? 1500 : 0;
        rig_start(&rig);
        if (i % 2 && !e8_engine_wait(rig.engine, 20 * i * E8_NS_MS)) {
            e8_engine_stop(rig.engine);
            if (i % 4 == 3) {
                e8_engine_abort(rig.engine);
            }
        }
        rig_finish(&rig); /* which checks the sums */
        assert_true(i % 2 || rig_counts(&rig)->planned > 500);
        assert_true(i % 2 || rig_counts(&rig)->aborted == 0);
        rig_again(&rig);
    }
    rig_close(&rig);
}

int test_faults(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_delivery_is_planned_and_never_sent),
        cmocka_unit_test(a_late_delivery_is_due_later_and_holds_up_nothing),
        cmocka_unit_test(a_late_delivery_has_the_time_at_which_it_leaves),
        cmocka_unit_test(a_burst_leaves_all_at_once),
        cmocka_unit_test(a_reordered_delivery_leaves_after_the_next_one),
        cmocka_unit_test(nothing_is_reordered_across_an_await_or_an_end),
        cmocka_unit_test(a_copy_has_the_same_bytes),
        cmocka_unit_test(copies_come_when_the_delivery_has_ended),
        cmocka_unit_test(copies_are_not_retried),
        cmocka_unit_test(copies_can_come_as_retries),
        cmocka_unit_test(concurrent_copies_leave_together),
        cmocka_unit_test(concurrent_copies_to_nobody_end),
        cmocka_unit_test(held_copies_end_with_the_run),
        cmocka_unit_test(the_same_deliveries_are_hit_every_time),
        cmocka_unit_test(the_rate_has_a_bound),
        cmocka_unit_test(everything_at_once_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
