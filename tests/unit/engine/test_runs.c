/* Runs of small plans: everything is sent, once, when it is due, whatever the number of workers. */
#include <stdio.h>

#include "tests.h"

#define CLOCK ((e8_wall_ns)1767225600 * E8_NS_S)

static int by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Delivery ids, sorted; of first attempts. */
static const char **ids_of(const struct rig *rig, size_t *count)
{
    const char **ids = calloc(rig->count + 1, sizeof *ids);
    *count = 0;
    for (size_t i = 0; i < rig->count; i++) {
        if (rig->attempts[i].number == 1) {
            ids[(*count)++] = rig->attempts[i].delivery_id;
        }
    }
    qsort(ids, *count, sizeof *ids, by_id);
    return ids;
}

struct previewed {
    char (*ids)[E8_ID_MAX];
    struct e8_buf *requests; /* the head's lines and the body */
    size_t count;
};

static bool keep_preview(void *state, const struct e8_preview *preview)
{
    struct previewed *p = state;
    p->ids = e8_resize(p->ids, p->count + 1, sizeof *p->ids);
    p->requests = e8_resize(p->requests, p->count + 1, sizeof *p->requests);
    memcpy(p->ids[p->count], preview->delivery_id, strlen(preview->delivery_id) + 1);
    struct e8_buf *text = &p->requests[p->count++];
    e8_buf_init(text, SIZE_MAX / 2);
    for (size_t i = 0; i < preview->parts->count; i++) {
        e8_buf_printf(text, "%.*s: %.*s\n", E8_STR(preview->parts->headers[i].name),
                      E8_STR(preview->parts->headers[i].value));
    }
    e8_buf_putc(text, '\n');
    e8_buf_putstr(text, preview->body);
    return true;
}

static void preview_of(const struct rig *rig, struct previewed *p)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(e8_preview_plan(rig->plan, catalog(), CLOCK, keep_preview, p, NULL), E8_OK);
}

static void previewed_fini(struct previewed *p)
{
    for (size_t i = 0; i < p->count; i++) {
        e8_buf_fini(&p->requests[i]);
    }
    free(p->requests);
    free(p->ids);
}

/* Every instance exactly once, for any number of workers, concurrency and times. */
static void closed_phases_are_shared_out(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE, NULL, NULL);
    rig.options.clock = CLOCK;
    for (unsigned workers = 1; workers <= 5; workers += workers == 3 ? 2 : 1) {
        for (unsigned concurrency = 1; concurrency <= 8;
             concurrency = concurrency == 2 ? 5 : 2 * concurrency) {
            for (unsigned times = 1; times <= 14; times += 4) {
                struct e8_phase *phase = &rig.plan->phases[0];
                struct previewed wanted;
                size_t count;
                rig.options.workers = workers;
                phase->concurrency = concurrency;
                phase->times = times;
                rig_run(&rig);
                preview_of(&rig, &wanted);
                const char **ids = ids_of(&rig, &count);
                qsort(wanted.ids, wanted.count, sizeof *wanted.ids, by_text);
                assert_int_equal(count, times);
                assert_int_equal(wanted.count, times);
                for (size_t i = 0; i < count; i++) {
                    assert_string_equal(ids[i], wanted.ids[i]);
                }
                assert_true(atomic_load(&rig.receiver.most) <= (int)concurrency);
                free(ids);
                previewed_fini(&wanted);
                rig_again(&rig);
            }
        }
    }
    rig_close(&rig);
}

static void open_phases_are_shared_out(void **state)
{
    static const char text[] = ONE "run:\n"
                                   "  - {flow: f, arrivals: {rate: 300/s, for: 100ms}}\n"
                                   "  - {flow: f, arrivals: {ramp: 1/s..400/s, for: 100ms}}\n"
                                   "  - {flow: f, arrivals: {rate: 300/s, for: 100ms, process: poisson}}\n"
                                   "  - {flow: f, arrivals: {times: 5}}\n"
                                   "  - {flow: f, at: 50ms, arrivals: {rate: 1000/s, for: 5ms}}\n";
    struct rig rig;
    (void)state;
    rig_open(&rig, text, NULL, NULL);
    rig.options.clock = CLOCK;
    for (unsigned workers = 1; workers <= 4; workers++) {
        size_t count;
        rig.options.workers = workers;
        rig_run(&rig);
        const char **ids = ids_of(&rig, &count);
        assert_int_equal(count, e8_plan_instances(rig.plan));
        assert_int_equal(rig_counts(&rig)->delivered, count);
        for (size_t i = 1; i < count; i++) {
            assert_string_not_equal(ids[i - 1], ids[i]);
        }
        free(ids);
        rig_again(&rig);
    }
    rig_close(&rig);
}

static bool request_has(const struct request *request, struct e8_str line)
{
    return memmem(request->head, strlen(request->head), line.p, line.n) != NULL;
}

/* The receiver gets the previewed headers and bodies, byte for byte, from any number of workers. */
static void a_run_sends_what_the_preview_shows(void **state)
{
    static const char text[] =
        "seed: 5\n"
        "endpoints:\n"
        "  a: {url: 'http://127.0.0.1:%d/a', secret: 0123456789abcdef, headers: {X-Me: a b}}\n"
        "  b: {url: 'http://127.0.0.1:%d/b', secret: 0123456789abcdef, scheme: stripe, events: [message.*]}\n"
        "flows:\n"
        "  f:\n"
        "    - emit: conversation.created\n"
        "    - {repeat: 1..3, steps: [{emit: message.received}, {wait: 1ms..20ms}, {emit: message.sent, set: "
        "{data.x: '{{$guid}}'}}]}\n"
        "    - {emit: conversation.ended, environment: staging}\n"
        "run:\n"
        "  - {flow: f, arrivals: {times: 7, concurrency: 3}}\n"
        "  - {flow: f, arrivals: {rate: 100/s, for: 50ms}}\n";
    struct rig rig;
    struct previewed wanted;
    (void)state;
    rig_open(&rig, text, NULL, NULL);
    rig.options.clock = CLOCK;
    preview_of(&rig, &wanted);
    for (unsigned workers = 1; workers <= 8; workers *= 2) {
        rig.options.workers = workers;
        rig_run(&rig);
        assert_int_equal(rig_counts(&rig)->delivered, wanted.count);
        assert_int_equal(rig.receiver.count, wanted.count);
        for (size_t i = 0; i < wanted.count; i++) {
            const struct request *found = NULL;
            char id[E8_ID_MAX + 8];
            snprintf(id, sizeof id, ": %s\r\n", wanted.ids[i]);
            for (size_t j = 0; j < rig.receiver.count && !found; j++) {
                found = request_has(&rig.receiver.list[j], e8_str(id)) ? &rig.receiver.list[j] : NULL;
            }
            assert_non_null(found);
            struct e8_str rest = e8_buf_str(&wanted.requests[i]), line;
            while (e8_str_split(&rest, '\n', &line) && line.n) {
                assert_true(request_has(found, line));
            }
            assert_int_equal(found->body_n, rest.n);
            assert_memory_equal(found->body, rest.p, rest.n);
        }
        rig_again(&rig);
    }
    previewed_fini(&wanted);
    rig_close(&rig);
}

/* Due times are those of the schedule; sent is never before due, and done never before sent. */
static void an_open_schedule_is_kept(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, at: 20ms, arrivals: {rate: 200/s, for: 200ms}}]\n", NULL, NULL);
    e8_mono_ns before = e8_mono_now();
    rig.options.epoch = before; /* has passed when the workers are ready: the run starts then, and not late */
    rig_run(&rig);
    assert_int_equal(rig.count, 40);
    e8_mono_ns first = E8_NEVER;
    for (size_t i = 0; i < rig.count; i++) {
        first = rig.attempts[i].times.due < first ? rig.attempts[i].times.due : first;
    }
    assert_true(first >= before + E8_PREPARE_LEAD + 20 * E8_NS_MS);
    for (size_t i = 0; i < rig.count; i++) {
        const struct e8_times *t = &rig.attempts[i].times;
        assert_true(t->due <= t->sent && t->sent <= t->done);
        assert_int_equal((t->due - first) % (5 * E8_NS_MS), 0);
    }
    assert_true(rig.result.elapsed >= 215 * E8_NS_MS);
    rig_close(&rig);

    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 200/s, for: 20ms}}]\n", NULL, NULL);
    rig.options.epoch = e8_mono_now() + 300 * E8_NS_MS; /* one that lies ahead is kept exactly */
    rig_run(&rig);
    for (size_t i = 0; i < rig.count; i++) {
        assert_int_equal((rig.attempts[i].times.due - rig.options.epoch) % (5 * E8_NS_MS), 0);
        assert_true(rig.attempts[i].times.due >= rig.options.epoch);
    }
    rig_close(&rig);
}

/* A wait's end wakes the worker, whatever else does. */
static void events_behind_waits_are_on_time(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{repeat: 20, steps: [{emit: message.sent}, {wait: 30ms}]}]}\n"
             "run: [{flow: f, arrivals: {rate: 1/s, for: 1s}}]\n",
             NULL, NULL);
    for (int drop = 0; drop < 2; drop++) {
        size_t punctual = 0;
        rig.options.workers = 1;
        rig.options.drop = drop;
        rig_run(&rig);
        assert_int_equal(rig.count, 20);
        for (size_t i = 0; i < rig.count; i++) {
            punctual += e8_send_lag(&rig.attempts[i].times) < 15 * E8_NS_MS;
        }
        assert_true(punctual >= 12); /* the machine may be busy */
        rig_again(&rig);
    }
    rig_close(&rig);
}

static void speed_divides_all_times(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent}, {wait: 2s}, {emit: message.sent}]}\n"
             "run: [{flow: f, at: 1s, arrivals: {rate: 10/s, for: 1s}}]\n",
             NULL, NULL);
    rig.options.speed = 20;
    e8_mono_ns start = e8_mono_now();
    rig_run(&rig);
    assert_int_equal(rig.count, 20);
    assert_true(e8_mono_now() - start >= 195 * E8_NS_MS);
    e8_mono_ns first = E8_NEVER, last = 0;
    for (size_t i = 0; i < rig.count; i++) {
        e8_mono_ns due = rig.attempts[i].times.due;
        first = due < first ? due : first;
        last = due > last ? due : last;
    }
    assert_int_equal(last - first, 900 * E8_NS_MS / 20 + 2 * E8_NS_S / 20);
    rig_close(&rig);
}

/* What follows a closed entry begins when all of it has ended; what follows an open one, at the end of its schedule. */
static void phases_follow_one_another(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent}], g: [{emit: agent.error}], h: [{emit: session.ended}]}\n"
             "run:\n"
             "  - {flow: f, arrivals: {times: 9, concurrency: 2}}\n"
             "  - {flow: g, arrivals: {rate: 100/s, for: 100ms}}\n"
             "  - {flow: h, arrivals: {times: 3}}\n",
             NULL, NULL);
    rig.options.workers = 3;
    rig_run(&rig);
    e8_mono_ns closed_done = 0, open_due = E8_NEVER, last_due = E8_NEVER;
    for (size_t i = 0; i < rig.count; i++) {
        const char *type = e8_catalog_names(catalog())[rig.attempts[i].type];
        const struct e8_times *t = &rig.attempts[i].times;
        if (strcmp(type, "message.sent") == 0) {
            closed_done = t->done > closed_done ? t->done : closed_done;
        } else if (strcmp(type, "agent.error") == 0) {
            open_due = t->due < open_due ? t->due : open_due;
        } else {
            last_due = t->due < last_due ? t->due : last_due;
        }
    }
    assert_int_equal(rig.count, 9 + 10 + 3);
    assert_true(open_due >= closed_done);
    assert_true(last_due >= open_due + 100 * E8_NS_MS - E8_PREPARE_LEAD);
    rig_close(&rig);
}

/* A wait at the end of a closed flow is thinking time. */
static void closed_flows_think(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent}, {wait: 40ms}]}\n"
             "run: [{flow: f, arrivals: {times: 5}}]\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.count, 5);
    for (size_t i = 1; i < rig.count; i++) {
        assert_true(rig.attempts[i].times.due - rig.attempts[i - 1].times.due >= 40 * E8_NS_MS - E8_NS_MS);
    }
    rig_close(&rig);
}

static void flows_without_events_end(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{wait: 0}], g: [{emit: message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 5000, concurrency: 7}}, {flow: f, arrivals: {rate: 1000/s, "
             "for: 100ms}}, {flow: g}]\n",
             NULL, NULL);
    rig_run(&rig);
    assert_int_equal(rig.count, 1);
    rig_close(&rig);
}

/* Statistics change hands while the run goes on; nothing is lost or counted twice. */
static void statistics_add_up(void **state)
{
    struct rig rig;
    uint64_t before = 0, polls = 0;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 2000/s, for: 1s}}]\n", NULL, NULL);
    rig.options.workers = 3;
    rig.options.in_flight = 300; /* the receiver has 512 connections */
    rig_start(&rig);
    while (!e8_engine_wait(rig.engine, E8_NS_MS)) {
        uint64_t now = e8_stats_all(e8_engine_stats(rig.engine))->n.attempts;
        assert_true(now >= before);
        before = now;
        polls++;
    }
    assert_true(polls > 10 && before > 0);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->attempts, 2000);
    assert_int_equal(rig_counts(&rig)->delivered, 2000);
    assert_int_equal(rig_counts(&rig)->events, 2000);
    assert_int_equal(rig.receiver.count, 2000);
    assert_int_equal(e8_hist_count(e8_stats_all(rig.result.stats)->response), 2000);
    rig_close(&rig);
}

/* ---- retries ---- */

static struct answer unavailable(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 500};
}

static void retries_are_due_by_the_policy(void **state)
{
    static const e8_dur_ns waits[] = {0, 20 * E8_NS_MS, 60 * E8_NS_MS, 100 * E8_NS_MS, 100 * E8_NS_MS};
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/',\n"
             "  retry: {attempts: 5, base: 20ms, factor: 3, cap: 100ms, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent}]}\n",
             unavailable, NULL);
    rig_run(&rig);
    assert_int_equal(rig.count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct e8_attempt *a = &rig.attempts[i];
        assert_int_equal(a->number, i + 1);
        assert_int_equal(a->last, i == 4);
        assert_int_equal(a->trigger, i ? E8_TRIGGER_RETRY : E8_TRIGGER_EVENT);
        assert_string_equal(a->delivery_id, rig.attempts[0].delivery_id);
        assert_string_equal(a->event_id, rig.attempts[0].event_id);
        if (i) { /* counted from the end of the attempt before; on a busy machine that is noticed a bit later */
            e8_dur_ns wait = a->times.due - rig.attempts[i - 1].times.done;
            assert_true(wait >= waits[i] && wait < waits[i] + 2 * E8_NS_S);
            assert_true(a->times.sent >= a->times.due);
        }
    }
    assert_int_equal(rig_counts(&rig)->failed, 1);
    assert_memory_equal(rig.receiver.list[0].body, rig.receiver.list[4].body, rig.receiver.list[0].body_n);
    rig_close(&rig);
}

static struct answer throttled(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return number ? (struct answer){.status = 200}
                  : (struct answer){.status = 429, .headers = "Retry-After: 10\r\n"};
}

static void retry_after_is_honoured_up_to_the_cap(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/',\n"
             "  retry: {attempts: 2, base: 1ms, factor: 1, cap: 150ms, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent}]}\n",
             throttled, NULL);
    rig_run(&rig);
    assert_int_equal(rig.count, 2);
    assert_true(rig.attempts[1].times.due - rig.attempts[0].times.done >= 150 * E8_NS_MS);
    assert_true(rig.attempts[1].times.due - rig.attempts[0].times.done < 5 * E8_NS_S);
    assert_int_equal(rig_counts(&rig)->delivered, 1);
    rig_close(&rig);
}

/* Keeps the worker's loop at work for 20 ms after each attempt. */
static void work(void *state, const struct e8_done *done)
{
    (void)state;
    e8_mono_ns end = e8_mono_now() + 20 * E8_NS_MS;
    E8_ASSERT(done->attempt);
    while (e8_mono_now() < end) {
    }
}

static void a_loop_that_does_not_sleep_is_busy(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 30, concurrency: 4}}]\n", NULL, NULL);
    rig.options.workers = 1;
    rig.options.on_done = work;
    rig_start(&rig);
    assert_true(e8_engine_wait(rig.engine, 30 * E8_NS_S));
    e8_engine_finish(&rig.engine, &rig.result);
    const struct e8_pressure *pressure = &rig.result.pressure;
    assert_true(pressure->windows >= 4);
    assert_true(pressure->full >= pressure->windows / 2);
    assert_in_range(pressure->busy, 800, 1000);
    rig_close(&rig);
}

/* A closed loop on a dead receiver has always something to do, and could send more. */
static void a_loop_that_is_refused_is_not_full(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:1/', retry: {attempts: 1}}}\n"
             "flows: {f: [{emit: message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 30, concurrency: 4}}]\n",
             NULL, NULL);
    rig.options.workers = 1;
    rig.options.on_done = work;
    rig_start(&rig);
    assert_true(e8_engine_wait(rig.engine, 30 * E8_NS_S));
    e8_engine_finish(&rig.engine, &rig.result);
    assert_int_equal(rig_counts(&rig)->outcomes[E8_CONNECT_REFUSED], 30);
    assert_true(rig.result.pressure.windows >= 4);
    assert_int_equal(rig.result.pressure.full, 0);
    rig_close(&rig);
}

static void a_loop_that_waits_is_not(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 20/s, for: 500ms}}]\n", NULL, NULL);
    rig_run(&rig);
    const struct e8_pressure *pressure = &rig.result.pressure;
    assert_in_range(pressure->windows, 3, 20);
    assert_true(pressure->full < pressure->windows);
    assert_true(pressure->busy < 700);
    rig_close(&rig);
}

int test_runs(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_phases_are_shared_out),
        cmocka_unit_test(open_phases_are_shared_out),
        cmocka_unit_test(a_run_sends_what_the_preview_shows),
        cmocka_unit_test(an_open_schedule_is_kept),
        cmocka_unit_test(events_behind_waits_are_on_time),
        cmocka_unit_test(speed_divides_all_times),
        cmocka_unit_test(phases_follow_one_another),
        cmocka_unit_test(closed_flows_think),
        cmocka_unit_test(flows_without_events_end),
        cmocka_unit_test(statistics_add_up),
        cmocka_unit_test(retries_are_due_by_the_policy),
        cmocka_unit_test(retry_after_is_honoured_up_to_the_cap),
        cmocka_unit_test(a_loop_that_does_not_sleep_is_busy),
        cmocka_unit_test(a_loop_that_is_refused_is_not_full),
        cmocka_unit_test(a_loop_that_waits_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
