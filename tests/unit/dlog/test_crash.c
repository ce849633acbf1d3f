/* Disks that fill up and processes that are killed. */
#include "tests.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the file must not grow any more ---- */

/* In the child: writes until the log says that it failed, then half a million records more. The exit status tells where
 * it went wrong. */
static int write_until_full(const char *path)
{
    struct rlimit limit = {3 << 20, 3 << 20};
    struct e8_log_run run = some_run();
    struct e8_dlog *log;
    struct e8_err err = {0};
    uint32_t n = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (e8_dlog_open(path, 1, &log, &err) != E8_OK || e8_dlog_begin(log, &run, &err) != E8_OK)
        return 2;
    struct e8_ring *ring = e8_dlog_ring(log, 0);
    struct e8_record event = some_event(0), attempt = some_attempt(0, 0);
    for (uint32_t more = 0; more < 50000; n++) {
        event.event.event = attempt.attempt.event = n;
        push(ring, &event);
        push(ring, &attempt);
        more += e8_dlog_failed(log);
    }
    if (e8_dlog_finish(&log, &run, &err) != E8_ENV || log)
        return 3;
    if (err.rc != E8_ENV || strcmp(err.file, path) != 0 || !strstr(err.what, "File too large"))
        return 4;
    return 0;
}

static void a_full_disk_is_reported_and_hurts_nobody(void **state)
{
    struct place *place = *state;
    struct e8_dlog_reader *reader;
    struct e8_log_run run;
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    int status;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(write_until_full(place->log));
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_sound(place->log);
    assert_true(ask(place->log, "SELECT count(*) FROM attempt") > 1000);
    assert_int_equal(
        ask(place->log,
            "SELECT count(*) FROM attempt a LEFT JOIN event e ON e.id = a.event WHERE e.id IS NULL"),
        0);
    reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 0, &run, NULL), E8_OK);
    assert_int_equal(run.ended, 0); /* what is not whole does not say that it is */
    assert_int_equal(e8_dlog_stats(reader, &run, stats, NULL), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.attempts, ask(place->log, "SELECT count(*) FROM attempt"));
    e8_dlog_reader_free(&reader);
    e8_stats_free(&stats);
}

static int begin_when_full(const char *path)
{
    struct rlimit limit = {4096, 4096};
    struct e8_dlog *log;
    struct e8_err err = {0};

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 1;
    if (e8_dlog_open(path, 1, &log, &err) != E8_ENV || log)
        return 2;
    return strstr(err.what, "File too large") ? 0 : 3;
}

static void a_full_disk_at_the_start(void **state)
{
    struct place *place = *state;
    int status;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(begin_when_full(place->log));
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run); /* when there is room again */
    finish_log(&log, &run);
    assert_sound(place->log);
}

/* ---- kill -9 ---- */

static void *push_for_ever(void *state)
{
    for (uint32_t n = 0;; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(state, &event);
        push(state, &attempt);
    }
    return NULL;
}

/* In the child: tells through the pipe how many attempts another connection sees, that is, how many were committed. */
static int write_and_tell(const char *path, int fd)
{
    struct e8_log_run run = some_run();
    struct e8_dlog *log;
    sqlite3 *db;
    sqlite3_stmt *row;
    pthread_t thread;

    if (e8_dlog_open(path, 1, &log, NULL) != E8_OK || e8_dlog_begin(log, &run, NULL) != E8_OK)
        return 1;
    if (pthread_create(&thread, NULL, push_for_ever, e8_dlog_ring(log, 0)) != 0)
        return 2;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT coalesce(max(id), 0) FROM attempt", -1, &row, NULL) != SQLITE_OK)
        return 3;
    for (;;) {
        if (sqlite3_step(row) == SQLITE_ROW) {
            int64_t committed = sqlite3_column_int64(row, 0);
            if (write(fd, &committed, sizeof(committed)) != (ssize_t)sizeof(committed))
                return 4;
        }
        sqlite3_reset(row);
    }
}

/* What the child had told last when it was killed after `wait` from its first word. */
static int64_t kill_a_writer(const char *path, e8_dur_ns wait)
{
    int64_t told = -1, last = -1;
    int fds[2], status;

    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(write_and_tell(path, fds[1]));
    }
    close(fds[1]);
    e8_mono_ns end = 0;
    while (read(fds[0], &told, sizeof(told)) == (ssize_t)sizeof(told)) {
        last = told;
        end = end ? end : e8_mono_now() + wait;
        if (e8_mono_now() >= end)
            break;
    }
    kill(child, SIGKILL);
    while (read(fds[0], &told, sizeof(told)) ==
           (ssize_t)sizeof(told)) /* what lies in the pipe was told too */
        last = told;
    waitpid(child, &status, 0);
    close(fds[0]);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void a_killed_writer_loses_nothing_committed(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new((uint64_t)e8_wall_now());
    struct e8_log_run run;

    for (int i = 0; i < 10; i++) {
        e8_dur_ns wait = e8_rng_range(&rng, 0, 150 * MS);
        int64_t told = kill_a_writer(place->log, wait);
        assert_true(told >= 0);
        if (ask(place->log, "SELECT coalesce(max(id), 0) FROM attempt") < told)
            fail_msg("killed after %lld ns: %lld rows were told of", (long long)wait, (long long)told);
        assert_sound(place->log);
        assert_int_equal(ask(place->log, "SELECT count(*) = coalesce(max(id), 0) FROM attempt"), 1);
        assert_int_equal(
            ask(place->log,
                "SELECT count(*) FROM attempt a LEFT JOIN event e ON e.id = a.event WHERE e.id IS NULL"),
            0);
        struct e8_dlog_reader *reader = open_reader(place->log);
        assert_int_equal(e8_dlog_run(reader, 0, &run, NULL), E8_OK);
        assert_int_equal(run.id, i + 1);
        assert_int_equal(run.ended, 0);
        e8_dlog_reader_free(&reader);
    }
}

static int reads_a_part_nowhere(const char *path)
{
    struct e8_dlog_reader *reader;
    struct e8_err err = {0};

    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (e8_dlog_read(path, &reader, &err) != E8_INPUT)
        return 2;
    bool told = strstr(err.what, "write-ahead") || strstr(err.what, "log.db-spool.1");
    return told && strstr(err.hint, "copy it") ? 0 : 3;
}

/* Without its -shm file and where none can be made, the main file alone would tell an old or a torn state. */
static void a_killed_log_is_not_read_in_part(void **state)
{
    struct place *place = *state;
    char path[128];
    int status;

    assert_true(kill_a_writer(place->log, 20 * MS) >= 0);
    snprintf(path, sizeof(path), "%s-shm", place->log);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof(path), "%s-wal", place->log);
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(chmod(place->log, 0444), 0);
    assert_int_equal(chmod(place->dir, 0555), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(reads_a_part_nowhere(place->log));
    waitpid(child, &status, 0);
    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(status, 0);
}

/* Killed while it makes the file: the next one makes a log of whatever is there. */
static void a_log_killed_at_birth(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new((uint64_t)e8_wall_now());
    char path[128];
    int status;

    for (int i = 0; i < 20; i++) {
        snprintf(path, sizeof(path), "%s/%d.db", place->dir, i);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct e8_dlog *log;
            _exit((int)e8_dlog_open(path, 1, &log, NULL));
        }
        struct timespec wait = {.tv_nsec = e8_rng_range(&rng, 0, 10 * MS)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        struct e8_log_run run = some_run();
        struct e8_dlog *log = begin_log(path, 1, &run);
        assert_int_equal(run.id, 1);
        finish_log(&log, &run);
        assert_sound(path);
    }
}

int run_crash_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_full_disk_is_reported_and_hurts_nobody),
        TEST(a_full_disk_at_the_start),
        TEST(a_killed_writer_loses_nothing_committed),
        TEST(a_killed_log_is_not_read_in_part),
        TEST(a_log_killed_at_birth),
    };
    return cmocka_run_group_tests_name("dlog crash", tests, NULL, NULL);
}
