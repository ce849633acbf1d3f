/* Records that wait in a file: what is put is taken, whole and once, whatever happens in between. */
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dlog/write.h"

static const struct e8_spool_owner owner = {7, STARTED, STARTED - EPOCH};

static void spool_path(const struct place *place, int64_t run, char out[128])
{
    snprintf(out, 128, "%s-spool.%lld", place->log, (long long)run);
}

static bool exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

/* ---- the file ---- */

static struct e8_record record_of(uint32_t n)
{
    struct e8_record record = n % 2 ? some_attempt(n, n % ENDPOINTS) : some_event(n);

    if (n % 6 == 1)
        snprintf(
            record.attempt.error, E8_ERROR_MAX, "%.*s", (int)(n % E8_ERROR_MAX),
            "the receiver closed the connection in the middle of the answer's head, after 17 bytes of it");
    return record;
}

static void assert_same(const struct e8_record *a, const struct e8_record *b)
{
    assert_int_equal(a->kind, b->kind);
    if (a->kind == E8_RECORD_EVENT) {
        assert_memory_equal(&a->event, &b->event, sizeof(a->event));
        return;
    }
    assert_memory_equal(&a->attempt, &b->attempt, offsetof(struct e8_attempt, event_id));
    assert_string_equal(a->attempt.delivery_id, b->attempt.delivery_id);
    assert_string_equal(a->attempt.error, b->attempt.error);
}

static void put_some(struct e8_spool *spool, uint32_t first, size_t count)
{
    static struct e8_record records[E8_SPOOL_BLOCK];
    const struct e8_record *given[E8_SPOOL_BLOCK];

    memset(records, 0, sizeof(records));
    for (size_t i = 0; i < count; i++) {
        struct e8_record record = record_of(first + (uint32_t)i);
        memcpy(&records[i], &record, sizeof(record));
        given[i] = &records[i];
    }
    assert_true(e8_spool_put(spool, given, count));
}

/* How many records could be taken; each is the one that was put. */
static uint32_t take_all(struct e8_spool *spool)
{
    const struct e8_record *records;
    size_t count;
    uint32_t n = 0;

    while (e8_spool_take(spool, &records, &count) == E8_TAKEN) {
        for (size_t i = 0; i < count; i++, n++) {
            struct e8_record record = record_of(n);
            assert_same(&records[i], &record);
        }
        e8_spool_forget(spool);
    }
    return n;
}

static void what_is_put_is_taken(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new(1);
    struct e8_spool *spool = e8_spool_make(place->log, &owner);
    struct e8_spool_owner told;
    char path[128];
    uint32_t put = 0;

    assert_non_null(spool);
    for (int i = 0; i < 50; i++) {
        size_t count = (size_t)e8_rng_range(&rng, 1, E8_SPOOL_BLOCK);
        put_some(spool, put, count);
        put += (uint32_t)count;
    }
    assert_int_equal(take_all(spool), put);
    assert_int_equal(e8_spool_at(spool), e8_spool_end(spool));
    spool_path(place, owner.run, path);
    assert_string_equal(path, e8_spool_path(spool));
    assert_null(e8_spool_make(place->log, &owner));
    assert_null(e8_spool_open(path, &told));
    assert_int_equal(errno, EWOULDBLOCK);
    e8_spool_close(&spool);
    spool = e8_spool_open(path, &told);
    assert_non_null(spool);
    assert_memory_equal(&told, &owner, sizeof(owner));
    assert_int_equal(take_all(spool), put);
    e8_spool_close(&spool);
}

static uint32_t take_from(const char *path)
{
    struct e8_spool_owner told;
    struct e8_spool *spool = e8_spool_open(path, &told);
    uint32_t taken = 0;

    if (spool)
        taken = take_all(spool);
    e8_spool_close(&spool);
    return taken;
}

/* Blocks of 3 records: what is whole is taken, nothing behind it. */
static void a_file_that_was_cut(void **state)
{
    enum { BLOCKS = 5, EACH = 3 };
    struct place *place = *state;
    uint64_t ends[BLOCKS];
    char path[128];
    struct stat st;
    struct e8_spool *spool = e8_spool_make(place->log, &owner);

    for (uint32_t i = 0; i < BLOCKS; i++) {
        put_some(spool, i * EACH, EACH);
        ends[i] = e8_spool_end(spool);
    }
    e8_spool_close(&spool);
    spool_path(place, owner.run, path);
    assert_int_equal(stat(path, &st), 0);
    uint64_t head = (uint64_t)st.st_size - ends[BLOCKS - 1];
    for (uint64_t size = (uint64_t)st.st_size - 1; size > 7; size -= size % 7 + 1) {
        uint32_t whole = 0;
        assert_int_equal(truncate(path, (off_t)size), 0);
        for (int i = 0; i < BLOCKS; i++)
            whole += ends[i] + head <= size;
        assert_int_equal(take_from(path), whole * EACH);
    }
}

/* Nothing of it may hurt; what it says then is anybody's guess. */
static void a_file_that_was_changed(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new(2);
    struct e8_spool *spool = e8_spool_make(place->log, &owner);
    const struct e8_record *records;
    struct e8_spool_owner told;
    char path[128];
    size_t count;

    for (uint32_t i = 0; i < 20; i++)
        put_some(spool, i * 10, 10);
    int64_t size = (int64_t)e8_spool_end(spool);
    e8_spool_close(&spool);
    spool_path(place, owner.run, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 200; i++) {
        unsigned char byte = (unsigned char)e8_rng_range(&rng, 0, 255);
        assert_int_equal(pwrite(fd, &byte, 1, e8_rng_range(&rng, 40, size)), 1);
        spool = e8_spool_open(path, &told);
        while (spool && e8_spool_take(spool, &records, &count) == E8_TAKEN)
            for (size_t r = 0; r < count; r++)
                if (records[r].kind == E8_RECORD_ATTEMPT)
                    assert_true(strlen(records[r].attempt.error) < E8_ERROR_MAX &&
                                records[r].attempt.outcome < E8_OUTCOME_COUNT);
        e8_spool_close(&spool);
    }
    assert_int_equal(pwrite(fd, "?", 1, 0), 1);
    close(fd);
    assert_null(e8_spool_open(path, &told));
    assert_int_equal(errno, EINVAL);
}

/* ---- the log ---- */

/* A log that is busy from the first record on. */
static struct e8_dlog *begin_busy(const char *path, unsigned rings, struct e8_log_run *run)
{
    struct e8_dlog *log;

    assert_int_equal(e8_dlog_open(path, rings, &log, NULL), E8_OK);
    log->busy_from = 0;
    assert_int_equal(e8_dlog_begin(log, run, NULL), E8_OK);
    return log;
}

static void push_pairs(struct e8_ring *ring, uint32_t first, uint32_t count, uint32_t step)
{
    for (uint32_t i = 0, n = first; i < count; i++, n += step) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % ENDPOINTS);
        push(ring, &event);
        push(ring, &attempt);
    }
}

static void assert_rows(const char *path, uint32_t count)
{
    assert_int_equal(ask(path, "SELECT count(*) FROM event"), count);
    assert_int_equal(ask(path, "SELECT count(DISTINCT event_id) FROM event"), count);
    assert_int_equal(ask(path, "SELECT count(*) FROM attempt"), count);
    assert_int_equal(ask(path, "SELECT count(DISTINCT delivery_id) FROM attempt"), count);
    assert_int_equal(ask(path, "SELECT count(*) FROM attempt a JOIN event e ON e.id = a.event"
                               " WHERE e.type = a.type AND a.endpoint = e.id % 2 AND a.due = e.at"
                               " AND a.done = a.due + 3000000 + (e.id & 4294967295)"),
                     count);
    assert_sound(path);
}

struct pusher {
    struct e8_ring *ring;
    uint32_t first;
    pthread_t thread;
};
enum { PUSHERS = 3, EACH = 20000 };

static void *push_part(void *state)
{
    const struct pusher *pusher = state;

    push_pairs(pusher->ring, pusher->first, EACH, PUSHERS);
    return NULL;
}

static void all_of_it_through_the_spool(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct pusher pushers[PUSHERS];
    char path[128];

    spool_path(place, 1, path);
    struct e8_dlog *log = begin_busy(place->log, PUSHERS, &run);
    for (unsigned i = 0; i < PUSHERS; i++) {
        pushers[i] = (struct pusher){e8_dlog_ring(log, i), i, 0};
        assert_int_equal(pthread_create(&pushers[i].thread, NULL, push_part, &pushers[i]), 0);
    }
    assert_true(wait_until(place->log, "SELECT count(*) FROM attempt", 1)); /* while it goes on */
    for (unsigned i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i].thread, NULL);
    assert_true(exists(path));
    struct e8_dlog_reader *reader = open_reader(place->log); /* leaves a run that goes on alone */
    e8_dlog_reader_free(&reader);
    assert_true(exists(path));
    finish_log(&log, &run);
    assert_false(exists(path));
    assert_rows(place->log, PUSHERS * EACH);
    assert_int_equal(ask(place->log,
                         "SELECT count(*) FROM (SELECT event, lag(event) OVER (PARTITION BY event % 3"
                         " ORDER BY id) AS before FROM attempt) WHERE event <= before"),
                     0);
    assert_int_equal(ask(place->log, "SELECT last_attempt - after_attempt FROM run"), PUSHERS * EACH);
}

/* The spool takes them while another program holds the log: nobody waits. */
static void a_lock_does_not_hold_the_workers_up(void **state)
{
    enum { COUNT = 60000 }; /* three times what a ring holds */
    struct place *place = *state;
    struct e8_log_run run = some_run();
    sqlite3 *db;

    struct e8_dlog *log = begin_busy(place->log, 1, &run);
    push_pairs(e8_dlog_ring(log, 0), 0, 1, 1);
    assert_true(wait_until(place->log, "SELECT count(*) FROM attempt", 1));
    assert_int_equal(sqlite3_open(place->log, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    push_pairs(e8_dlog_ring(log, 0), 1, COUNT - 1, 1);
    assert_true(e8_dlog_waiting(log) > COUNT); /* all but what the ring still holds */
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    finish_log(&log, &run);
    assert_rows(place->log, COUNT);
}

/* Until it has not grown for 200 ms: nothing more comes. */
static void wait_until_written(const char *spool)
{
    static const struct timespec moment = {.tv_nsec = 10 * MS};
    struct stat st = {.st_size = 0};
    off_t before = 0;

    for (int same = 0; same < 20; before = st.st_size) {
        nanosleep(&moment, NULL);
        bool grew = stat(spool, &st) != 0 || st.st_size == 0 || st.st_size != before;
        same = grew ? 0 : same + 1;
    }
}

/* In the child: dies with everything in the spool and no rows, since the parent holds the log. */
static void die_with_a_spool(struct e8_dlog *log, const char *path, uint32_t count)
{
    char spool[128];

    snprintf(spool, sizeof(spool), "%s-spool.1", path);
    push_pairs(e8_dlog_ring(log, 0), 0, count, 1);
    wait_until_written(spool);
    kill(getpid(), SIGKILL);
}

static void leave_a_spool(const char *path, uint32_t count)
{
    struct e8_log_run run = some_run();
    int ready[2], status;
    sqlite3 *db;

    assert_int_equal(pipe(ready), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct e8_dlog *log = begin_busy(path, 1, &run);
        char go;
        if (write(ready[1], "b", 1) != 1 || read(ready[0], &go, 0) != 0)
            _exit(1);
        while (ask(path, "SELECT count(*) FROM error") == 0) /* until the parent says that it holds the log */
            ;
        die_with_a_spool(log, path, count);
    }
    char begun;
    assert_int_equal(read(ready[0], &begun, 1), 1);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    assert_int_equal(
        sqlite3_exec(db, "INSERT INTO error VALUES(NULL, 'go'); BEGIN IMMEDIATE", NULL, NULL, NULL),
        SQLITE_OK);
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    close(ready[0]);
    close(ready[1]);
}

static void what_a_kill_leaves_is_taken_up(void **state)
{
    enum { COUNT = 5000 };
    struct place *place = *state;
    struct e8_log_run run = some_run();
    char path[128];

    spool_path(place, 1, path);
    leave_a_spool(place->log, COUNT);
    assert_true(exists(path));
    assert_true(ask(place->log, "SELECT count(*) FROM attempt") < COUNT);
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 0, &run, NULL), E8_OK);
    assert_int_equal(run.ended, 0);
    e8_dlog_reader_free(&reader);
    assert_false(exists(path));
    assert_rows(place->log, COUNT);
}

/* Killed again and again while it takes up what a kill has left. */
static void a_kill_in_the_middle_of_that(void **state)
{
    enum { COUNT = 30000, KILLS = 12 };
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new((uint64_t)e8_wall_now());
    int status;

    leave_a_spool(place->log, COUNT);
    for (int i = 0; i < KILLS; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit((int)e8_settle_left(place->log, NULL));
        struct timespec wait = {.tv_nsec = e8_rng_range(&rng, 0, 40 * MS)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    struct e8_dlog_reader *reader = open_reader(place->log);
    e8_dlog_reader_free(&reader);
    assert_rows(place->log, COUNT);
}

/* The log was removed, its spool was not: that is of no use to another one in its place. */
static void a_spool_of_a_log_that_is_no_more(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    char path[128];

    spool_path(place, 1, path);
    leave_a_spool(place->log, 100);
    for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL}; *end; end++) {
        char file[128];
        snprintf(file, sizeof(file), "%s%s", place->log, *end);
        unlink(file);
    }
    struct e8_dlog_reader *reader;
    assert_int_equal(e8_dlog_read(place->log, &reader, NULL), E8_INPUT);
    assert_false(exists(place->log)); /* nothing was made by looking */
    run.started += E8_NS_S;
    run.epoch += E8_NS_S;
    struct e8_dlog *log = begin_busy(place->log, 1, &run);
    push_pairs(e8_dlog_ring(log, 0), 0, 10, 1);
    finish_log(&log, &run);
    reader = open_reader(place->log);
    e8_dlog_reader_free(&reader);
    assert_false(exists(path));
    assert_rows(place->log, 10);
}

static void a_spool_of_another_version(void **state)
{
    struct place *place = *state;
    struct e8_dlog_reader *reader;
    struct e8_err err = {0};
    char path[128];

    leave_a_spool(place->log, 100);
    spool_path(place, 1, path);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "other", 5, 0), 5);
    close(fd);
    assert_int_equal(e8_dlog_read(place->log, &reader, &err), E8_INPUT);
    assert_non_null(strstr(err.what, path));
    assert_non_null(strstr(err.what, "another version"));
}

int run_spool_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_taken),
        TEST(a_file_that_was_cut),
        TEST(a_file_that_was_changed),
        TEST(all_of_it_through_the_spool),
        TEST(a_lock_does_not_hold_the_workers_up),
        TEST(what_a_kill_leaves_is_taken_up),
        TEST(a_kill_in_the_middle_of_that),
        TEST(a_spool_of_a_log_that_is_no_more),
        TEST(a_spool_of_another_version),
    };
    return cmocka_run_group_tests_name("dlog spool", tests, NULL, NULL);
}
