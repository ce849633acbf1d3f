/* Pauses, and the rate changed by hand. */
#include <stdio.h>

#include "tests.h"

#define PAUSE (250 * E8_NS_MS)

/* ---- the map ---- */

static void without_a_turn_the_schedule_has_our_clock(void **state)
{
    (void)state;
    assert_int_equal(e8_turn_due(NULL, 5), 5);
    assert_int_equal(e8_turn_due(NULL, E8_NEVER), E8_NEVER);
    assert_int_equal(e8_turn_moment(NULL, 5), 5);
}

static void a_map_of_many_turns(void **state)
{
    struct e8_turn slow = {.at = 1000, .moment = 1000, .factor = 0.5};
    struct e8_turn pause = {.at = 1400, .moment = 1200, .factor = 0.5, .paused = true, .before = &slow};
    struct e8_turn fast = {.at = 2000, .moment = 1200, .factor = 4, .before = &pause};
    static const struct {
        e8_mono_ns moment, due;
    } rows[] = {{0, 0},       {999, 999},   {1000, 1000}, {1001, 1002}, {1199, 1398},
                {1200, 1400}, {1204, 2001}, {1240, 2010}, {1600, 2100}, {E8_NEVER, E8_NEVER}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        assert_int_equal(e8_turn_due(&fast, rows[i].moment), rows[i].due);
        if (rows[i].moment != E8_NEVER) {
            assert_int_equal(e8_turn_moment(&fast, rows[i].due), rows[i].moment);
        }
    }
    assert_int_equal(e8_turn_due(&pause, 1200), 1400); /* what is due when it begins is still due */
    assert_int_equal(e8_turn_due(&pause, 1201), E8_NEVER);
    assert_int_equal(e8_turn_moment(&pause, 1700), 1200);
    assert_int_equal(e8_turns_paused(&fast, 5000), 600);
    assert_int_equal(e8_turns_paused(&pause, 1500), 100);
    assert_int_equal(e8_turns_paused(&pause, 1300), 0);
    assert_int_equal(e8_turns_paused(NULL, 5000), 0);
}

/* ---- runs ---- */

static int by_due(const void *a, const void *b)
{
    const struct e8_attempt *x = a, *y = b;
    return (x->times.due > y->times.due) - (x->times.due < y->times.due);
}

/* Waits until so many requests have been received; fails when that takes too long. */
static void wait_for(struct rig *rig, size_t count)
{
    for (int i = 0; atomic_load(&rig->receiver.received) < count; i++) {
        assert_true(i < 30000);
        assert_false(e8_engine_wait(rig->engine, E8_NS_MS));
    }
}

static void pause_for(struct rig *rig, e8_dur_ns length)
{
    e8_engine_pause(rig->engine, true);
    assert_false(e8_engine_wait(rig->engine, length));
    e8_engine_pause(rig->engine, false);
}

/* Three workers, 4 ms between arrivals: every gap is exact, and one is longer by the pause, which all workers agree on. */
static void a_pause_shifts_the_schedule(void **state)
{
    struct rig rig;
    size_t longer = 0;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 250/s, for: 600ms}}]\n", NULL, NULL);
    rig.options.workers = 3;
    rig_start(&rig);
    wait_for(&rig, 30);
    pause_for(&rig, PAUSE);
    rig_finish(&rig);
    assert_true(rig.result.by_hand);
    assert_true(rig.result.paused >= PAUSE && rig.result.paused < PAUSE + 10 * E8_NS_S);
    assert_int_equal(rig.count, 150);
    qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
    for (size_t i = 1; i < rig.count; i++) {
        e8_dur_ns gap = rig.attempts[i].times.due - rig.attempts[i - 1].times.due;
        longer += gap != 4 * E8_NS_MS;
        assert_true(gap == 4 * E8_NS_MS || gap == 4 * E8_NS_MS + rig.result.paused);
    }
    assert_int_equal(longer, 1);
    rig_close(&rig);
}

static void nothing_is_sent_in_a_pause(void **state)
{
    static const char *const runs[] = {
        "flows: {f: [{emit: message.sent}]}\nrun: [{flow: f, arrivals: {rate: 500/s, for: 400ms}}]\n",
        "flows: {f: [{emit: message.sent}, {wait: 4ms}]}\n"
        "run: [{flow: f, arrivals: {times: 200, concurrency: 2}}]\n",
        "flows: {g: [{repeat: 20, steps: [{emit: message.sent}, {await: ack}, {wait: 20ms}]}]}\n"
        "run: [{flow: g, arrivals: {rate: 1000/s, for: 10ms}}]\n",
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(runs); i++) {
        struct rig rig;
        char text[1024];
        snprintf(text, sizeof text, "%s%s", "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n", runs[i]);
        rig_open(&rig, text, NULL, NULL);
        rig_start(&rig);
        wait_for(&rig, 20);
        e8_engine_pause(rig.engine, true);
        assert_false(e8_engine_wait(rig.engine, 100 * E8_NS_MS)); /* what was due goes out */
        size_t before = atomic_load(&rig.receiver.received);
        assert_false(e8_engine_wait(rig.engine, PAUSE));
        assert_int_equal(atomic_load(&rig.receiver.received), before);
        struct e8_engine_now now;
        e8_engine_look(rig.engine, &now);
        assert_true(now.paused && now.arrivals <= 0);
        e8_engine_pause(rig.engine, false);
        rig_finish(&rig);
        assert_int_equal(rig_counts(&rig)->delivered, 200);
        for (size_t k = 0; k < rig.count; k++) { /* none waited for the end of the pause */
            assert_true(e8_response_time(&rig.attempts[k].times) < PAUSE);
        }
        rig_close(&rig);
    }
}

/* Within a flow the distance grows by the pause, and not by more. */
static void a_pause_within_a_flow(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(
        &rig,
        "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
        "flows: {f: [{emit: message.sent}, {wait: 300ms}, {emit: message.sent}, {wait: 100ms}, "
        "{parallel: [[{emit: message.sent}], [{wait: 50ms}, {emit: message.sent}]]}, {wait: 50ms}, {emit: "
        "message.sent}]}\n"
        "run: [{flow: f, arrivals: {rate: 1/s, for: 1s}}]\n",
        NULL, NULL);
    rig_start(&rig);
    wait_for(&rig, 1);
    pause_for(&rig, PAUSE);
    rig_finish(&rig);
    static const e8_dur_ns after_first[] = {0, 300, 400, 450, 500};
    assert_int_equal(rig.count, 5);
    qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
    for (size_t i = 1; i < rig.count; i++) {
        assert_int_equal(rig.attempts[i].times.due - rig.attempts[0].times.due,
                         after_first[i] * E8_NS_MS + rig.result.paused);
    }
    rig_close(&rig);
}

static struct answer bad_first(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = number ? 200 : 503};
}

/* What waits for its time is signed for the time at which it goes out. */
static void a_retry_waits_for_the_end_of_the_pause(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: 'a secret of 16 bytes', retry: {attempts: "
             "2, base: 200ms, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent}]}\nrun: [{flow: f, arrivals: {rate: 1/s, for: 1s}}]\n",
             bad_first, NULL);
    rig_start(&rig);
    wait_for(&rig, 1);
    assert_false(e8_engine_wait(rig.engine, 50 * E8_NS_MS));
    pause_for(&rig, 1100 * E8_NS_MS);
    rig_finish(&rig);
    const struct e8_attempt *first = rig_attempt(&rig, 0, 1, 0), *second = rig_attempt(&rig, 0, 1, 1);
    assert_non_null(second);
    e8_dur_ns wait = second->times.due - first->times.done - rig.result.paused;
    assert_true(wait >= 0 && wait <= 900 * E8_NS_MS);
    assert_true(second->timestamp - first->timestamp >= 1);
    assert_true(second->timestamp - first->timestamp >= (second->times.due - first->times.due) / E8_NS_S - 1);
    rig_close(&rig);
}

static void what_was_due_stays_due(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 100000/s, for: 10ms}}]\n", NULL, NULL);
    rig.options.in_flight = 1;
    rig.options.workers = 1;
    rig_start(&rig);
    wait_for(&rig, 10); /* hundreds have been due since, and wait for their turn */
    e8_engine_pause(rig.engine, true);
    rig_finish(&rig); /* without an end of the pause */
    assert_int_equal(rig_counts(&rig)->delivered, 1000);
    rig_close(&rig);
}

static void faster_and_slower(void **state)
{
    static const struct {
        double factor;
        e8_dur_ns gap;
    } rows[] = {{2, 2 * E8_NS_MS}, {0.5, 8 * E8_NS_MS}};
    (void)state;
    for (size_t r = 0; r < E8_COUNT(rows); r++) {
        struct rig rig;
        struct e8_engine_now now;
        size_t odd = 0, changed = 0;
        rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 250/s, for: 600ms}}]\n", NULL, NULL);
        rig_start(&rig);
        wait_for(&rig, 20);
        e8_engine_look(rig.engine, &now);
        assert_true(now.open && !now.paused && now.arrivals >= 250 && now.arrivals <= 250);
        e8_engine_hasten(rig.engine, rows[r].factor);
        e8_engine_look(rig.engine, &now);
        assert_true(now.arrivals >= 250 * rows[r].factor && now.arrivals <= 250 * rows[r].factor);
        rig_finish(&rig);
        assert_true(rig.result.by_hand && rig.result.paused == 0);
        assert_int_equal(rig.count, 150);
        qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
        for (size_t i = 1; i < rig.count; i++) {
            e8_dur_ns gap = rig.attempts[i].times.due - rig.attempts[i - 1].times.due;
            if (gap == rows[r].gap) {
                changed++;
            } else if (gap != 4 * E8_NS_MS) {
                odd++;
            }
        }
        assert_true(odd <= 1 && changed >= 50);
        rig_close(&rig);
    }
}

/* Turns that follow upon one another faster than they take effect; in the end all is as it was. */
static void many_turns_at_once(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 500/s, for: 500ms}}]\n", NULL, NULL);
    rig.options.workers = 4;
    rig_start(&rig);
    for (int i = 0; i < 50; i++) {
        e8_engine_pause(rig.engine, i % 2 == 0);
        e8_engine_hasten(rig.engine, i % 3 ? 1.5 : 0.7);
        if (i % 10 == 9) {
            assert_false(e8_engine_wait(rig.engine, 5 * E8_NS_MS));
        }
    }
    e8_engine_pause(rig.engine, false);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 250);
    rig_close(&rig);
}

static void a_phase_that_follows_a_closed_one(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             ONE
             "run: [{flow: f, arrivals: {times: 40, concurrency: 2}}, {flow: f, arrivals: {rate: 200/s, for: "
             "100ms}}]\n",
             NULL, NULL);
    rig_start(&rig);
    wait_for(&rig, 5);
    pause_for(&rig, 100 * E8_NS_MS);
    wait_for(&rig, 45);
    pause_for(&rig, 100 * E8_NS_MS);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 60);
    rig_close(&rig);
}

static struct answer after_5_ms(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 200, .delay = 5 * E8_NS_MS};
}

/* Neither a pause before it nor one within it takes time from a closed loop that lasts so long; nor does another rate before it. */
static void a_closed_loop_lasts_as_long_as_planned(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             ONE "run: [{flow: f, arrivals: {rate: 100/s, for: 100ms}}, {flow: f, arrivals: {concurrency: 2, "
                 "for: 400ms}}]\n",
             after_5_ms, NULL);
    rig_start(&rig);
    wait_for(&rig, 2);
    pause_for(&rig, 500 * E8_NS_MS);
    e8_engine_hasten(rig.engine, 2);
    wait_for(&rig, 12);
    pause_for(&rig, 300 * E8_NS_MS);
    rig_finish(&rig);
    assert_true(rig.count > 10);
    qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
    e8_dur_ns lasted = rig.attempts[rig.count - 1].times.due - rig.attempts[10].times.due;
    assert_true(lasted > (400 + 300 - 100) * E8_NS_MS && lasted < (400 + 300 + 5000) * E8_NS_MS);
    rig_close(&rig);
}

static void the_ids_are_those_of_the_plan(void **state)
{
    char ids[2][50][E8_ID_MAX];
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        struct rig rig;
        rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 250/s, for: 200ms}}]\n", NULL, NULL);
        rig.options.wall = 1700000000 * E8_NS_S;
        rig_start(&rig);
        if (paused) {
            wait_for(&rig, 5);
            pause_for(&rig, 100 * E8_NS_MS);
            e8_engine_hasten(rig.engine, 1.7);
        }
        rig_finish(&rig);
        for (uint64_t i = 0; i < 50; i++) {
            const struct e8_attempt *attempt = rig_attempt(&rig, i, 1, 0);
            assert_non_null(attempt);
            memcpy(ids[paused][i], attempt->event_id, E8_ID_MAX);
        }
        assert_int_equal(rig.result.by_hand, paused);
        rig_close(&rig);
    }
    for (int i = 0; i < 50; i++) {
        assert_string_equal(ids[0][i], ids[1][i]);
    }
}

/* 1 to 3 and back: arrivals 4 ms apart by the plan. The schedule's own clock knows nothing of it. */
static void what_was_changed_is_told(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 250/s, for: 400ms}}]\n", NULL, NULL);
    rig_start(&rig);
    wait_for(&rig, 10);
    e8_engine_hasten(rig.engine, 3);
    pause_for(&rig, 50 * E8_NS_MS);
    e8_engine_hasten(rig.engine, 0.5);
    e8_engine_hasten(rig.engine, 1);
    rig_finish(&rig);
    assert_true(rig.result.factor_least <= 0.5 && rig.result.factor_least >= 0.5);
    assert_true(rig.result.factor_most <= 3 && rig.result.factor_most >= 3);
    assert_true(rig.result.changed_at >= 36 * E8_NS_MS && rig.result.changed_at < 10 * E8_NS_S);
    const struct e8_schedule *schedule = &rig.result.schedule;
    qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
    e8_dur_ns length = schedule->last - schedule->first;
    assert_int_equal(schedule->count, 100);
    assert_true(length > 396 * E8_NS_MS - E8_NS_US && length < 396 * E8_NS_MS + E8_NS_US);
    assert_int_equal(schedule->last_due - schedule->first_due,
                     rig.attempts[rig.count - 1].times.due - rig.attempts[0].times.due);
    rig_close(&rig);
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 250/s, for: 100ms}}]\n", NULL, NULL);
    rig_start(&rig);
    wait_for(&rig, 5);
    pause_for(&rig, 50 * E8_NS_MS);
    rig_finish(&rig);
    assert_true(rig.result.by_hand && rig.result.factor_least <= 0 && rig.result.changed_at == 0);
    rig_close(&rig);
}

/* What is done while a run waits for its start is done at the start, which stays where it is. */
static void a_change_before_the_start_does_not_move_it(void **state)
{
    struct rig rig;
    e8_mono_ns epoch = e8_mono_now() + 200 * E8_NS_MS;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 100/s, for: 100ms}}]\n", NULL, NULL);
    rig.options.epoch = epoch;
    rig_start(&rig);
    e8_engine_hasten(rig.engine, 2);
    rig_finish(&rig);
    const struct e8_schedule *schedule = &rig.result.schedule;
    qsort(rig.attempts, rig.count, sizeof *rig.attempts, by_due);
    assert_int_equal(rig.count, 10);
    assert_true(rig.attempts[0].times.due == epoch && rig.result.changed_at == 0);
    assert_int_equal(rig.attempts[9].times.due - epoch, 45 * E8_NS_MS);
    assert_true(schedule->count == 10 && schedule->first == 0 && schedule->first_due == 0);
    assert_true(schedule->last == 90 * E8_NS_MS && schedule->last_due == 45 * E8_NS_MS);
    rig_close(&rig);
}

static void a_paused_run_can_be_stopped(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 100/s, for: 60s}}]\n", NULL, NULL);
    rig_start(&rig);
    wait_for(&rig, 3);
    e8_engine_pause(rig.engine, true);
    assert_false(e8_engine_wait(rig.engine, 50 * E8_NS_MS));
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_true(rig.result.interrupted);
    rig_close(&rig);
}

static void how_busy_it_is(void **state)
{
    struct rig rig;
    struct e8_engine_now idle, busy;
    (void)state;
    rig_open(&rig,
             ONE "run: [{flow: f, arrivals: {rate: 1/s, for: 500ms}}, {flow: f, arrivals: {times: 1000000, "
                 "concurrency: 64}}]\n",
             NULL, NULL);
    rig_start(&rig);
    assert_false(e8_engine_wait(rig.engine, 200 * E8_NS_MS));
    e8_engine_look(rig.engine, &idle);
    assert_false(e8_engine_wait(rig.engine, 200 * E8_NS_MS));
    e8_engine_look(rig.engine, &idle);
    assert_true(idle.open && idle.closed == 0 && idle.busy >= 0);
    wait_for(&rig, 100);
    e8_engine_look(rig.engine, &busy);
    assert_false(e8_engine_wait(rig.engine, 300 * E8_NS_MS));
    e8_engine_look(rig.engine, &busy);
    assert_int_equal(busy.closed, 64);
    assert_true(!busy.open && busy.busy > 0.1 && busy.busy <= 1);
    print_message("busy: %.3f, then %.3f\n", idle.busy, busy.busy);
    assert_true(busy.busy > idle.busy);
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    rig_close(&rig);
}

int test_turns(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_turn_the_schedule_has_our_clock),
        cmocka_unit_test(a_map_of_many_turns),
        cmocka_unit_test(a_pause_shifts_the_schedule),
        cmocka_unit_test(nothing_is_sent_in_a_pause),
        cmocka_unit_test(a_pause_within_a_flow),
        cmocka_unit_test(a_retry_waits_for_the_end_of_the_pause),
        cmocka_unit_test(what_was_due_stays_due),
        cmocka_unit_test(faster_and_slower),
        cmocka_unit_test(many_turns_at_once),
        cmocka_unit_test(a_phase_that_follows_a_closed_one),
        cmocka_unit_test(a_closed_loop_lasts_as_long_as_planned),
        cmocka_unit_test(the_ids_are_those_of_the_plan),
        cmocka_unit_test(what_was_changed_is_told),
        cmocka_unit_test(a_change_before_the_start_does_not_move_it),
        cmocka_unit_test(a_paused_run_can_be_stopped),
        cmocka_unit_test(how_busy_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
