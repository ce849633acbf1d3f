/* How a run ends before its plan does: stopped, aborted, 410, without descriptors, without a log. */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

static struct answer slow(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 200, .delay = 300 * E8_NS_MS};
}

static void await_requests(struct rig *rig, size_t count)
{
    for (int i = 0; i < 2000 && atomic_load(&rig->receiver.received) < count; i++) {
        assert_false(e8_engine_wait(rig->engine, 10 * E8_NS_MS));
    }
    assert_true(atomic_load(&rig->receiver.received) >= count);
}

static void a_stop_waits_for_what_is_in_flight(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 1000, concurrency: 5}}]\n", slow, NULL);
    rig_start(&rig);
    await_requests(&rig, 5);
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_true(rig.result.interrupted && !rig.result.log_failed && !rig.result.generator_limited);
    assert_true(rig_counts(&rig)->delivered >= 5 && rig_counts(&rig)->delivered <= 10);
    assert_int_equal(rig_counts(&rig)->delivered, rig.receiver.count);
    rig_close(&rig);
}

static void the_grace_ends(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 1000, concurrency: 5}}]\n", never, NULL);
    rig.options.grace = 200 * E8_NS_MS;
    rig_start(&rig);
    await_requests(&rig, 5);
    e8_mono_ns stopped = e8_mono_now();
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_true(e8_mono_now() - stopped >= 200 * E8_NS_MS);
    assert_int_equal(rig_counts(&rig)->aborted, 5);
    for (size_t i = 0; i < rig.count; i++) {
        assert_int_equal(rig.attempts[i].outcome, E8_ABORTED);
        assert_true(rig.attempts[i].last);
    }
    rig_close(&rig);
}

static void an_abort_does_not_wait(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 1000, concurrency: 5}}]\n", never, NULL);
    rig.options.grace = 3600 * E8_NS_S;
    rig_start(&rig);
    await_requests(&rig, 5);
    e8_engine_stop(rig.engine);
    assert_false(e8_engine_wait(rig.engine, 50 * E8_NS_MS));
    e8_engine_abort(rig.engine);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->aborted, 5);
    rig_close(&rig);
}

/* Retries that wait when the run is stopped are given up; they are neither delivered nor failed. */
static void retries_that_wait_are_given_up(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:1/', retry: {base: 60s, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent}, {emit: message.sent}]}\n"
             "run: [{flow: f, arrivals: {times: 3, concurrency: 3}}]\n",
             NULL, NULL);
    rig_start(&rig);
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&rig.lock);
        size_t count = rig.count;
        pthread_mutex_unlock(&rig.lock);
        if (count == 6) {
            break;
        }
        assert_false(e8_engine_wait(rig.engine, 10 * E8_NS_MS));
    }
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->aborted, 6);
    assert_int_equal(rig_counts(&rig)->attempts, 6);
    rig_close(&rig);
}

static void a_stop_at_once_is_fine(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {rate: 1000/s, for: 60s}}, {flow: f, at: 300d}]\n", NULL,
             NULL);
    for (int i = 0; i < 5; i++) {
        rig.options.workers = 1 + (unsigned)i;
        rig_start(&rig);
        e8_engine_stop(rig.engine);
        e8_engine_stop(rig.engine);
        rig_finish(&rig);
        rig_again(&rig);
    }
    rig.options.speed = 0.001; /* 300 days become 822 years */
    rig_start(&rig);
    assert_false(e8_engine_wait(rig.engine, 50 * E8_NS_MS));
    e8_engine_abort(rig.engine);
    rig_finish(&rig);
    rig_close(&rig);
}

/* Requests to /a are gone, or fail while there are others; those to /b are fine. */
static struct answer gone(void *state, size_t number, const char *head)
{
    (void)state;
    if (strncmp(head, "POST /a", 7) != 0) {
        return (struct answer){.status = 200};
    }
    return number < 3 ? (struct answer){.status = 500}
                      : (struct answer){.status = 410, .delay = 20 * E8_NS_MS};
}

static struct answer gone_at_once(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 410};
}

/* Also copies, what a step drops anyway, and what repeats the event before: all is counted as the plan has it. */
static void what_a_410_withholds_is_counted(void **state)
{
    static const char *const delivers[] = {"{duplicate: 2}", "{duplicate: 2, concurrent: true}",
                                           "{drop: true}"};
    for (size_t i = 0; i < E8_COUNT(delivers); i++) {
        struct rig rig;
        struct e8_buf text;
        uint64_t events, deliveries;
        (void)state;
        e8_buf_init(&text, 4096);
        e8_buf_printf(&text,
                      "endpoints: {a: {url: 'http://127.0.0.1:%%d/'}}\n"
                      "flows: {f: [{emit: agent.error}, {wait: 5ms}, {emit: message.sent, deliver: %s}, "
                      "{again: retry}]}\n"
                      "run: [{flow: f, arrivals: {times: 20, concurrency: 2}}]\n",
                      delivers[i]);
        rig_open(&rig, e8_buf_cstr(&text), gone_at_once, NULL);
        rig_run(&rig);
        const struct e8_counts *n = rig_counts(&rig);
        assert_true(e8_plan_size(rig.plan, catalog(), 1000, &events, &deliveries));
        assert_int_equal(n->planned, deliveries);
        assert_int_equal(n->planned, n->failed + n->aborted + n->withheld);
        assert_int_equal(n->gone, n->withheld - (i == 2 ? 20 : 0));
        assert_true(n->failed <= 10 && n->gone > 20);
        assert_int_equal(rig.result.schedule.count, n->planned);
        rig_close(&rig);
        e8_buf_fini(&text);
    }
}

static void a_410_disables_the_endpoint(void **state)
{
    struct rig rig;
    size_t to_a = 0;
    (void)state;
    rig_open(
        &rig,
        "endpoints:\n"
        "  a: {url: 'http://127.0.0.1:%d/a', retry: {attempts: 9, base: 300ms, factor: 1, jitter: none}}\n"
        "  b: {url: 'http://127.0.0.1:%d/b'}\n"
        "flows: {f: [{emit: message.sent}]}\n"
        "run: [{flow: f, arrivals: {rate: 50/s, for: 1s}}]\n",
        gone, NULL);
    rig.options.workers = 1;
    rig_run(&rig);
    for (size_t i = 0; i < rig.count; i++) {
        to_a += rig.attempts[i].endpoint == 0;
        assert_true(rig.attempts[i].endpoint == 1 ||
                    rig.attempts[i].number == 1); /* no retry that had waited */
    }
    const struct e8_counts *a = &e8_stats_endpoint(rig.result.stats, 0)->n;
    assert_int_equal(rig.result.disabled, 1);
    assert_int_equal(e8_stats_endpoint(rig.result.stats, 1)->n.delivered, 50);
    assert_true(to_a >= 2 && to_a < 15);
    assert_true(a->aborted >= 1 && a->aborted <= 3 && a->outcomes[E8_GONE] >= 1);
    assert_int_equal(a->planned, 50);
    rig_close(&rig);
}

/* ---- in a child, whose limits are its own; it begins before any other thread does ---- */

static int wait_for_child(pid_t pid)
{
    int status = -1;
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* 0: as it should be. Counts what the run says when it cannot open a single socket. */
static int run_without_descriptors(struct rig *rig)
{
    struct rlimit limit;
    rig->options.workers = 1;
    rig_start(rig);
    int lowest = dup(0);
    close(lowest);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &limit);
    double start = cpu_seconds();
    if (!e8_engine_wait(rig->engine, 60 * E8_NS_S)) {
        return 2;
    }
    double used = cpu_seconds() - start;
    e8_engine_finish(&rig->engine, &rig->result);
    const struct e8_counts *n = rig_counts(rig);
    if (!rig->result.generator_limited || rig->result.interrupted) {
        return 3;
    }
    if (n->outcomes[E8_GEN_FD] != n->attempts || n->attempts < 51 || n->delivered) {
        return 4;
    }
    if (rig->result.elapsed < 5 * E8_NS_S) { /* fifty pauses of 100 ms: a burst of failures is one fault */
        return 5;
    }
    return n->planned != n->failed + n->aborted ? 6 : used > 2 ? 7 : 0;
}

static void a_run_without_descriptors_gives_up(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rig rig;
        rig_open(&rig, ONE "run: [{flow: f, at: 500ms, arrivals: {times: 100, concurrency: 60}}]\n", NULL,
                 NULL);
        _Exit(run_without_descriptors(&rig));
    }
    assert_int_equal(wait_for_child(pid), 0);
}

static void log_run_of(const struct rig *rig, struct e8_log_run *run, struct e8_log_endpoint *endpoint,
                       struct e8_log_step *step)
{
    *endpoint = (struct e8_log_endpoint){
        .name = "a", .url = "http://x/", .scheme = "none", .events = "*", .environments = "*"};
    *step = (struct e8_log_step){.type = "message.sent", .environment = "production"};
    *run = (struct e8_log_run){.name = "t",
                               .scenario_digest = rig->plan->digest,
                               .fixtures_digest = e8_catalog_digest(catalog()),
                               .version = "0",
                               .curl_version = "0",
                               .command = "t",
                               .started = e8_wall_now(),
                               .epoch = e8_mono_now(),
                               .workers = rig->options.workers,
                               .endpoints = endpoint,
                               .endpoint_count = 1,
                               .steps = step,
                               .step_count = 1,
                               .types = e8_catalog_names(catalog()),
                               .type_count = e8_catalog_count(catalog())};
}

static char directory[32], path[64];

static void make_directory(void)
{
    memcpy(directory, "/tmp/e8-engine-XXXXXX", 22);
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

static void check_log(const struct rig *rig, uint64_t count)
{
    struct e8_dlog_reader *reader = NULL;
    struct e8_log_run read;
    assert_int_equal(e8_dlog_read(path, &reader, NULL), E8_OK);
    assert_int_equal(e8_dlog_run(reader, 0, &read, NULL), E8_OK);
    struct e8_stats *stats = e8_stats_new(1, (unsigned)e8_catalog_count(catalog()));
    assert_int_equal(e8_dlog_stats(reader, &read, stats, NULL), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.attempts, count);
    assert_int_equal(e8_stats_all(stats)->n.delivered, count);
    assert_int_equal(e8_stats_all(stats)->n.events, count);
    assert_int_equal(rig_counts(rig)->delivered, count);
    e8_stats_free(&stats);
    e8_dlog_reader_free(&reader);
}

/* Another process holds the log's lock: the ring fills up, the worker waits, and nothing is lost. */
static void a_full_log_holds_the_workers_back(void **state)
{
    enum { COUNT = 9500, FULL = 8192 - 64 }; /* two records each; a ring holds 16,384 */
    struct rig rig;
    struct e8_log_run run;
    struct e8_log_endpoint endpoint;
    struct e8_log_step step;
    sqlite3 *other = NULL;
    (void)state;
    make_directory();
    rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 9500, concurrency: 64}}]\n", NULL, NULL);
    rig.options.workers = 1;
    log_run_of(&rig, &run, &endpoint, &step);
    assert_int_equal(e8_dlog_open(path, 1, &rig.options.log, NULL), E8_OK);
    assert_int_equal(e8_dlog_begin(rig.options.log, &run, NULL), E8_OK);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    rig_start(&rig);
    size_t before = 0, now = 1;
    for (int i = 0; i < 300 && (now > before || now < FULL); i++) { /* until nothing more is sent */
        before = now;
        assert_false(e8_engine_wait(rig.engine, 200 * E8_NS_MS));
        now = atomic_load(&rig.receiver.received);
    }
    assert_true(now >= FULL && now < COUNT);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    rig_finish(&rig);
    assert_true(rig.result.stalls > 0 && !rig.result.log_failed);
    run.ended = e8_wall_now();
    run.planned = rig_counts(&rig)->planned;
    run.stats = rig.result.stats;
    assert_int_equal(e8_dlog_finish(&rig.options.log, &run, NULL), E8_OK);
    check_log(&rig, COUNT);
    rig_close(&rig);
    remove_directory();
}

/* 0: as it should be. The disk is full soon after the start, while one attempt takes a second and a half. */
static int run_without_disk(struct rig *rig)
{
    struct e8_log_run run;
    struct e8_log_endpoint endpoint;
    struct e8_log_step step;
    rig->options.workers = 3;
    log_run_of(rig, &run, &endpoint, &step);
    if (e8_dlog_open(path, 3, &rig->options.log, NULL) || e8_dlog_begin(rig->options.log, &run, NULL)) {
        return 2;
    }
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {256 << 10, 256 << 10};
    setrlimit(RLIMIT_FSIZE, &limit);
    rig_start(rig);
    for (int i = 0; i < 3000 && !e8_dlog_failed(rig->options.log); i++) {
        e8_engine_wait(rig->engine, 10 * E8_NS_MS);
    }
    double start = cpu_seconds();
    if (!e8_engine_wait(rig->engine, 60 * E8_NS_S)) {
        return 3;
    }
    double used = cpu_seconds() - start;
    e8_engine_finish(&rig->engine, &rig->result);
    if (!rig->result.log_failed || rig->result.interrupted) {
        return 4;
    }
    if (e8_dlog_finish(&rig->options.log, &run, NULL) != E8_ENV) {
        return 5;
    }
    return rig_counts(rig)->planned >= 1000000 ? 6 : used > 0.7 ? 7 : 0;
}

static struct answer one_slow(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = 200, .delay = number % 50 == 49 ? 1500 * E8_NS_MS : 0};
}

static void a_run_whose_log_fails_is_stopped(void **state)
{
    (void)state;
    make_directory();
    pid_t pid = fork();
    if (pid == 0) {
        struct rig rig;
        rig_open(&rig, ONE "run: [{flow: f, arrivals: {times: 1000000, concurrency: 16}}]\n", one_slow, NULL);
        _Exit(run_without_disk(&rig));
    }
    assert_int_equal(wait_for_child(pid), 0);
    remove_directory();
}

int test_ends(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_waits_for_what_is_in_flight),
        cmocka_unit_test(the_grace_ends),
        cmocka_unit_test(an_abort_does_not_wait),
        cmocka_unit_test(retries_that_wait_are_given_up),
        cmocka_unit_test(a_stop_at_once_is_fine),
        cmocka_unit_test(a_410_disables_the_endpoint),
        cmocka_unit_test(what_a_410_withholds_is_counted),
        cmocka_unit_test(a_run_without_descriptors_gives_up),
        cmocka_unit_test(a_full_log_holds_the_workers_back),
        cmocka_unit_test(a_run_whose_log_fails_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
