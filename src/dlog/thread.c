/* The writer thread: drains the rings, a batch at a time. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "dlog/write.h"

/* A record is committed within 20 ms: it waits for a poll, then for the end of the batch. */
#define POLL   (10 * E8_NS_MS)
#define BATCH  (10 * E8_NS_MS)
#define YIELD  (E8_NS_MS / 2) /* between full batches, so that another process gets its turn */
#define WINDOW (50 * E8_NS_MS)

void e8_dlog_note_failure(struct e8_dlog *log)
{
    struct e8_err failure = {0};

    e8_db_fail(log->db, log->path, "cannot be written", &failure);
    sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
    e8_dlog_fail(log, &failure);
}

void e8_dlog_fail(struct e8_dlog *log, const struct e8_err *failure)
{
    pthread_mutex_lock(&log->lock);
    if (log->error.rc == E8_OK) {
        log->error = *failure;
        log->error.rc = E8_ENV;
    }
    pthread_mutex_unlock(&log->lock);
    atomic_store(&log->failed, true);
}

void e8_dlog_check(struct e8_dlog *log, bool good)
{
    if (!good && !atomic_load_explicit(&log->failed, memory_order_relaxed))
        e8_dlog_note_failure(log);
}

bool e8_dlog_is_good(const struct e8_dlog *log)
{
    return !atomic_load_explicit(&log->failed, memory_order_relaxed);
}

static size_t count_records(const struct e8_dlog *log)
{
    size_t count = 0;

    for (unsigned i = 0; i < log->ring_count; i++)
        count += e8_ring_count(log->rings[i]);
    return count;
}

/* After a failure the records are only taken away. True when there may be more. */
static bool drain_ring(struct e8_dlog *log, struct e8_ring *ring)
{
    const struct e8_record *records[E8_GIVEN_MAX];
    size_t count = e8_ring_count(ring);

    count = count < E8_GIVEN_MAX ? count : E8_GIVEN_MAX;
    for (size_t i = 0; i < count; i++)
        records[i] = e8_ring_at(ring, i);
    if (count > 0 && e8_dlog_is_good(log))
        e8_dlog_check(log, e8_rows_put(log, records, count));
    e8_ring_drop(ring, count);
    return count == E8_GIVEN_MAX;
}

/* One transaction. True when there is more. */
static bool write_rows(struct e8_dlog *log)
{
    bool more = true;

    if (e8_dlog_is_good(log))
        e8_dlog_check(log, e8_db_run(log->statements[S_BEGIN]));
    for (e8_mono_ns end = e8_mono_now() + BATCH; more && e8_mono_now() < end;) {
        more = false;
        for (unsigned i = 0; i < log->ring_count; i++)
            more |= drain_ring(log, log->rings[i]);
    }
    if (e8_dlog_is_good(log))
        e8_dlog_check(log, e8_rows_span(log) && e8_db_run(log->statements[S_COMMIT]));
    return more;
}

/* Rows by this thread, unless some are in the spool, which come first, or the settler is at it. */
static bool try_rows(struct e8_dlog *log, bool *more)
{
    if (pthread_mutex_trylock(&log->rows) != 0)
        return false;
    bool empty = !log->spool || e8_spool_at(log->spool) == e8_spool_end(log->spool);
    if (empty)
        *more = write_rows(log);
    pthread_mutex_unlock(&log->rows);
    return empty;
}

/* Counts what comes in, a moment at a time. */
static void look_busy(struct e8_dlog *log, size_t come)
{
    e8_mono_ns now = e8_mono_now();

    log->come += come;
    if (now - log->window < WINDOW)
        return;
    double rate = (double)log->come * E8_NS_S / (double)(now - log->window);
    log->busy = rate >= (double)log->busy_from;
    log->window = now;
    log->come = 0;
}

/* True when there is more. */
static bool write_batch(struct e8_dlog *log)
{
    size_t count = count_records(log);
    bool more = false;

    look_busy(log, count);
    if (count == 0)
        return false;
    bool spools = log->busy && (log->spool || e8_settle_start(log));
    if (!spools && try_rows(log, &more))
        return more;
    for (unsigned i = 0; i < log->ring_count; i++)
        e8_settle_put(log, log->rings[i]);
    return false;
}

/* True: stop. */
bool e8_dlog_wait(struct e8_dlog *log, e8_dur_ns wait)
{
    e8_mono_ns until = e8_mono_now() + wait;
    struct timespec at = {until / E8_NS_S, until % E8_NS_S};
    int rc = 0;

    pthread_mutex_lock(&log->lock);
    while (!log->stop && rc == 0)
        rc = pthread_cond_timedwait(&log->wake, &log->lock, &at);
    bool stop = log->stop;
    pthread_mutex_unlock(&log->lock);
    return stop;
}

static void *write_all(void *state)
{
    struct e8_dlog *log = state;
    bool stop = false;

    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    pthread_setname_np(pthread_self(), "e8-log");
    while (!stop) {
        bool more = write_batch(log);
        stop = e8_dlog_wait(log, more ? YIELD : POLL);
    }
    while (count_records(log) > 0) /* the producers have ended */
        write_batch(log);
    return NULL;
}

/* Signals are the main thread's. */
bool e8_dlog_spawn(struct e8_dlog *log, pthread_t *thread, void *(*run)(void *log))
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    errno = pthread_create(thread, NULL, run, log);
    bool started = errno == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

bool e8_dlog_thread_start(struct e8_dlog *log)
{
    log->started = e8_dlog_spawn(log, &log->thread, write_all);
    return log->started;
}

void e8_dlog_thread_stop(struct e8_dlog *log)
{
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_broadcast(&log->wake);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    e8_settle_stop(log);
}
