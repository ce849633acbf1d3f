#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dlog/write.h"

/* About 5 MB for each worker: 60 ms at 270,000 records a second, longer than a checkpoint takes. */
enum { RING_SLOTS = 16384 };

/* From so many records a second on, making rows costs a processor so much that it must not be at the workers' expense. */
#define BUSY_FROM 50000

static const char *const texts[S_COUNT] = {
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_COMMIT] = "COMMIT",
    [S_EVENTS] = "INSERT INTO event_row SELECT * FROM given_event",
    [S_ATTEMPTS] = "INSERT INTO attempt_row(" E8_GIVEN_ALL ") SELECT * FROM given_attempt",
    [S_ATTEMPTS_USUAL] =
        "INSERT INTO attempt_row(" E8_GIVEN_USUAL ") SELECT " E8_GIVEN_USUAL " FROM given_attempt",
    [S_SPAN] = E8_SPAN_NEXT,
    [S_SPAN_KNOWN] = "INSERT INTO span SELECT ?1, ?2, ?3, ?4 WHERE " E8_SPANNED " = ?1 - 1",
    [S_ERROR_FIND] = "SELECT id FROM error WHERE text = ?1",
    [S_ERROR_ADD] = "INSERT INTO error VALUES(NULL, ?1)",
    [S_SPOOLED] = "INSERT OR REPLACE INTO spooled VALUES(?1, ?2)",
};

static void make_rings(struct e8_dlog *log, unsigned rings)
{
    log->ring_count = rings;
    log->rings = e8_new(rings, sizeof(struct e8_ring *));
    for (unsigned i = 0; i < rings; i++)
        log->rings[i] = e8_ring_new(RING_SLOTS, sizeof(struct e8_record));
}

static bool prepare_statements(struct e8_dlog *log)
{
    for (int i = 0; i < S_COUNT; i++) {
        unsigned flags = SQLITE_PREPARE_PERSISTENT;
        if (sqlite3_prepare_v3(log->db, texts[i], -1, flags, &log->statements[i], NULL) != SQLITE_OK)
            return false;
    }
    return true;
}

void e8_dlog_free(struct e8_dlog **log)
{
    struct e8_dlog *l = *log;

    if (!l)
        return;
    for (int i = 0; i < S_COUNT; i++)
        sqlite3_finalize(l->statements[i]);
    e8_db_close(&l->db);
    for (unsigned i = 0; i < l->ring_count; i++)
        e8_ring_free(&l->rings[i]);
    e8_spool_close(&l->spool);
    pthread_mutex_destroy(&l->rows);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->wake);
    l->magic = 0;
    free(l->rings);
    free(l->path);
    free(l);
    *log = NULL;
}

static void init_wake(struct e8_dlog *log)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&log->lock, NULL);
    pthread_mutex_init(&log->rows, NULL);
    pthread_cond_init(&log->wake, &attr);
    pthread_condattr_destroy(&attr);
}

enum e8_rc e8_dlog_open_bare(const char *path, struct e8_dlog **out, struct e8_err *err)
{
    sqlite3 *db;
    enum e8_rc rc = e8_db_open_write(path, &db, err);

    *out = NULL;
    if (rc)
        return rc;
    struct e8_dlog *log = e8_new(1, sizeof(*log));
    log->magic = DLOG_MAGIC;
    log->path = e8_dup(path);
    log->db = db;
    log->busy_from = BUSY_FROM;
    atomic_init(&log->failed, false);
    atomic_init(&log->spools, false);
    init_wake(log);
    if (!e8_given_init(log) || !prepare_statements(log)) {
        rc = e8_db_fail(db, path, "cannot be written", err);
        e8_dlog_free(&log);
    }
    *out = log;
    return rc;
}

enum e8_rc e8_dlog_open(const char *path, unsigned rings, struct e8_dlog **out, struct e8_err *err)
{
    enum e8_rc rc = e8_settle_left(path, err);

    *out = NULL;
    rc = rc ? rc : e8_dlog_open_bare(path, out, err);
    if (rc == E8_OK)
        make_rings(*out, rings);
    return rc;
}

static bool write_run(struct e8_dlog *log, struct e8_log_run *run)
{
    return e8_db_exec(log->db, "BEGIN IMMEDIATE") && e8_db_exec(log->db, E8_SPANS_MISSING) &&
           e8_rows_outcomes(log) && e8_rows_run(log, run) && e8_db_exec(log->db, "COMMIT");
}

enum e8_rc e8_dlog_begin(struct e8_dlog *log, struct e8_log_run *run, struct e8_err *err)
{
    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    E8_ASSERT(!log->started);
    if (!write_run(log, run)) {
        enum e8_rc rc = e8_db_fail(log->db, log->path, "cannot be written", err);
        sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
        return rc;
    }
    log->run = run->id;
    log->shift = run->started - run->epoch;
    log->over = e8_over_make(log->path, run->id, log->ring_count);
    if (!e8_dlog_thread_start(log))
        return e8_fail(err, E8_ENV, NULL, "the delivery log's thread cannot be started: %s", strerror(errno));
    return E8_OK;
}

void e8_dlog_over(struct e8_dlog *log, unsigned worker, const struct e8_over *over)
{
    if (log->over)
        e8_over_put(log->over, worker, over);
}

struct e8_ring *e8_dlog_ring(struct e8_dlog *log, unsigned worker)
{
    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    E8_ASSERT(worker < log->ring_count);
    return log->rings[worker];
}

bool e8_dlog_failed(const struct e8_dlog *log)
{
    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    return atomic_load_explicit(&log->failed, memory_order_relaxed);
}

uint64_t e8_dlog_waiting(const struct e8_dlog *log)
{
    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    return atomic_load_explicit(&log->spools, memory_order_acquire) ? e8_spool_waiting(log->spool) : 0;
}

/* To the disk for good. Who reads or writes at the moment is not waited for: it will do it. */
static bool checkpoint(struct e8_dlog *log)
{
    int code = sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) & 0xff;

    return code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

static bool write_end(struct e8_dlog *log, const struct e8_log_run *run)
{
    return e8_db_exec(log->db, "BEGIN IMMEDIATE") && e8_rows_end(log, run) && e8_db_exec(log->db, "COMMIT") &&
           checkpoint(log);
}

/* All is written now: of this run, and of those that it went on with. */
static void remove_sides(struct e8_dlog *log)
{
    char sql[96];

    if (log->spool)
        unlink(e8_spool_path(log->spool));
    for (int64_t run = log->run, before = 0; run > 0; run = before) {
        e8_over_remove(log->path, run);
        snprintf(sql, sizeof(sql), "SELECT resumes FROM run WHERE id = %lld", (long long)run);
        if (!e8_db_int(log->db, sql, &before) || before >= run)
            break;
    }
}

enum e8_rc e8_dlog_finish(struct e8_dlog **log, const struct e8_log_run *run, struct e8_err *err)
{
    struct e8_dlog *l = *log;
    enum e8_rc rc = E8_OK;

    if (!l)
        return E8_OK;
    E8_CHECK_MAGIC(l, DLOG_MAGIC);
    if (l->started) {
        e8_dlog_thread_stop(l);
        if (!atomic_load(&l->failed) && !write_end(l, run))
            e8_dlog_note_failure(l);
        rc = l->error.rc;
        if (rc && err)
            *err = l->error;
        if (rc == E8_OK)
            remove_sides(l);
    }
    e8_over_close(&l->over);
    e8_dlog_free(log);
    return rc;
}
