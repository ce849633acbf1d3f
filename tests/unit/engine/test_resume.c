/* A run that goes on where another was cut short. */
#include <stdio.h>
#include <unistd.h>

#include "tests.h"

#define WALL ((e8_wall_ns)1767225600 * E8_NS_S + 123456789)

static char directory[32], path[64];

static void make_directory(void)
{
    memcpy(directory, "/tmp/e8-resume-XXXXXX", 22);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/log.db", directory);
}

static void remove_directory(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < E8_COUNT(endings); i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    rmdir(directory);
}

/* Runs with a log; stopped after `upto` requests, 0: to its end. Returns the run's number. */
static int64_t run_logged(struct rig *rig, size_t upto, int64_t resumes)
{
    struct e8_log_endpoint endpoints[2];
    struct e8_log_step steps[8];
    for (size_t i = 0; i < rig->plan->endpoint_count; i++) {
        endpoints[i] = (struct e8_log_endpoint){.name = rig->plan->endpoints[i].name,
                                                .url = "http://x/",
                                                .scheme = "none",
                                                .events = "*",
                                                .environments = "*"};
    }
    assert_true(rig->plan->emit_count <= E8_COUNT(steps));
    for (size_t i = 0; i < rig->plan->emit_count; i++) {
        steps[i] = (struct e8_log_step){.type = rig->plan->types[rig->plan->emits[i].type],
                                        .environment = "production"};
    }
    struct e8_log_run run = {.name = "t",
                             .scenario_digest = rig->plan->digest,
                             .fixtures_digest = e8_catalog_digest(catalog()),
                             .version = "0",
                             .curl_version = "0",
                             .command = "t",
                             .started = e8_wall_now(),
                             .epoch = e8_mono_now(),
                             .workers = rig->options.workers,
                             .endpoints = endpoints,
                             .endpoint_count = rig->plan->endpoint_count,
                             .steps = steps,
                             .step_count = rig->plan->emit_count,
                             .types = rig->plan->types,
                             .type_count = rig->plan->type_count,
                             .resumes = resumes};
    assert_int_equal(e8_dlog_open(path, rig->options.workers, &rig->options.log, NULL), E8_OK);
    assert_int_equal(e8_dlog_begin(rig->options.log, &run, NULL), E8_OK);
    rig_start(rig);
    for (int i = 0; upto && i < 5000 && atomic_load(&rig->receiver.received) < upto; i++) {
        assert_false(e8_engine_wait(rig->engine, 2 * E8_NS_MS));
    }
    if (upto) {
        e8_engine_abort(rig->engine);
    }
    rig_finish(rig);
    run.ended = e8_wall_now();
    run.interrupted = rig->result.interrupted;
    run.stats = rig->result.stats;
    assert_int_equal(e8_dlog_finish(&rig->options.log, &run, NULL), E8_OK);
    return run.id;
}

static struct e8_done_deliveries *done_of(int64_t run)
{
    struct e8_dlog_reader *reader = NULL;
    struct e8_done_deliveries *done = NULL;
    struct e8_err err = {0};
    assert_int_equal(e8_dlog_read(path, &reader, NULL), E8_OK);
    if (e8_dlog_done(reader, run, &done, &err)) {
        fail_msg("%s", err.what);
    }
    e8_dlog_reader_free(&reader);
    return done;
}

/* Deliveries that are over: delivered, or failed for good. */
struct ended {
    char id[E8_ID_MAX];
    uint16_t copy;
};
struct ledger {
    struct ended *list;
    size_t count;
};

static int by_id(const void *a, const void *b)
{
    const struct ended *x = a, *y = b;
    int order = strcmp(x->id, y->id);
    return order ? order : (x->copy > y->copy) - (x->copy < y->copy);
}

static void enter(struct ledger *ledger, const struct rig *rig)
{
    ledger->list = e8_resize(ledger->list, ledger->count + rig->count + 1, sizeof *ledger->list);
    for (size_t i = 0; i < rig->count; i++) {
        const struct e8_attempt *a = &rig->attempts[i];
        if (a->last && a->outcome != E8_ABORTED) {
            struct ended *ended = &ledger->list[ledger->count++];
            memset(ended, 0, sizeof *ended);
            memcpy(ended->id, a->delivery_id, sizeof ended->id);
            ended->copy = a->copy;
        }
    }
    qsort(ledger->list, ledger->count, sizeof *ledger->list, by_id);
}

static struct answer moody(void *state, size_t number, const char *head)
{
    uint64_t x = e8_mix(e8_hash_str(e8_str(head)), number);
    (void)state;
    return (struct answer){.status = x % 5 ? 200 : 503, .delay = (e8_dur_ns)(x >> 32) % (3 * E8_NS_MS)};
}

static const char stories[] =
    "seed: 17\nendpoints:\n  a: {url: 'http://127.0.0.1:%d/a', retry: {attempts: 30, base: 1ms, factor: 1}}\n"
    "  b: {url: 'http://127.0.0.1:%d/b', events: [agent.*], retry: {attempts: 30, base: 1ms, factor: 1}}\n"
    "flows:\n"
    "  f: [{emit: conversation.created, await: ack}, {emit: message.sent, deliver: {duplicate: 2}},\n"
    "      {parallel: [[{emit: agent.error, await: ack}, {again: replay}], [{wait: 2ms}, {emit: "
    "message.received}]]},\n"
    "      {emit: agent.error, deliver: {duplicate: 3, concurrent: true}}]\n"
    "run:\n  - {flow: f, arrivals: {rate: 300/s, for: 300ms}}\n  - {flow: f, arrivals: {times: 60, "
    "concurrency: 16}}\n";

static void body_of(struct rig *rig, const char *id, char *out, size_t room)
{
    out[0] = '\0';
    pthread_mutex_lock(&rig->receiver.lock);
    for (size_t i = 0; i < rig->receiver.count && !out[0]; i++) {
        char got[256];
        if (strcmp(header_of(&rig->receiver.list[i], "X-8bit-Delivery", got), id) == 0) {
            snprintf(out, room, "%s", rig->receiver.list[i].body);
        }
    }
    pthread_mutex_unlock(&rig->receiver.lock);
}

/* Cut short again and again: each planned delivery is over once, with the ids that a whole run has. */
static void a_resumed_run_sends_the_rest(void **state)
{
    struct ledger whole = {0}, parts = {0};
    int64_t before = 0;
    struct rig rig;
    (void)state;
    make_directory();
    rig_open(&rig, stories, moody, NULL);
    rig.options.wall = WALL;
    rig_run(&rig);
    enter(&whole, &rig);
    assert_int_equal(whole.count, rig_counts(&rig)->planned);
    assert_int_equal(whole.count, 150 * (1 + 3 + 4 + 1 + 8));
    rig_again(&rig);
    for (unsigned i = 0; i < 5; i++) {
        struct e8_done_deliveries *done = i ? done_of(before) : NULL;
        rig.options.done = done;
        rig.options.workers = 1 + i % 3;
        before = run_logged(&rig, i < 4 ? 150 + 100 * i : 0, before);
        enter(&parts, &rig);
        rig_again(&rig);
        e8_done_free(&done);
    }
    assert_int_equal(parts.count, whole.count);
    for (size_t i = 0; i < whole.count; i++) {
        assert_string_equal(parts.list[i].id, whole.list[i].id);
        assert_int_equal(parts.list[i].copy, whole.list[i].copy);
    }
    struct e8_done_deliveries *done = done_of(before); /* nothing is left */
    rig.options.done = done;
    rig.options.log = NULL;
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->planned, 0);
    assert_int_equal(rig.receiver.count, 0);
    e8_done_free(&done);
    free(whole.list);
    free(parts.list);
    rig_close(&rig);
    remove_directory();
}

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

/* An event that had been made keeps its time, and so its bytes; what was due before the cut is due now. */
static void an_event_keeps_its_bytes(void **state)
{
    struct rig rig;
    char first[8192], second[8192], id[E8_ID_MAX];
    (void)state;
    make_directory();
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{emit: message.sent, await: ack}, {wait: 1h}, {emit: agent.error}]}\n",
             never, NULL);
    rig.options.wall = WALL;
    int64_t run = run_logged(&rig, 1, 0);
    memcpy(id, rig.attempts[0].delivery_id, sizeof id);
    body_of(&rig, id, first, sizeof first);
    assert_true(first[0]);
    rig_again(&rig);
    struct e8_done_deliveries *done = done_of(run);
    rig.options.done = done;
    run = run_logged(&rig, 1, run);
    assert_string_equal(rig.attempts[0].delivery_id, id);
    body_of(&rig, id, second, sizeof second);
    assert_string_equal(first, second);
    assert_true(e8_send_lag(&rig.attempts[0].times) < 5 * E8_NS_S); /* of an hour */
    e8_done_free(&done);
    rig_close(&rig);
    remove_directory();
}

int test_resume(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_sends_the_rest),
        cmocka_unit_test(an_event_keeps_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
