/* The writer thread: drains the rings, a batch at a time. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "dlog/write.h"

/* A record is committed within 20 ms: it waits for a poll, then for the end of the batch. */
#define POLL  (10 * E8_NS_MS)
#define BATCH (10 * E8_NS_MS)
#define YIELD (E8_NS_MS / 2) /* between full batches, so that another process gets its turn */

void e8_dlog_note_failure(struct e8_dlog *log)
{
    if (log->error.rc == E8_OK) {
        e8_db_fail(log->db, log->path, "cannot be written", &log->error);
        log->error.rc = E8_ENV;
    }
    sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
    atomic_store(&log->failed, true);
}

static void check(struct e8_dlog *log, bool good)
{
    if (!good && !atomic_load_explicit(&log->failed, memory_order_relaxed))
        e8_dlog_note_failure(log);
}

static bool is_good(const struct e8_dlog *log)
{
    return !atomic_load_explicit(&log->failed, memory_order_relaxed);
}

static bool any_record(struct e8_dlog *log)
{
    for (unsigned i = 0; i < log->ring_count; i++)
        if (e8_ring_count(log->rings[i]) > 0)
            return true;
    return false;
}

/* After a failure the records are only taken away. True when there may be more. */
static bool drain_ring(struct e8_dlog *log, struct e8_ring *ring)
{
    size_t count = e8_ring_count(ring);

    count = count < E8_GIVEN_MAX ? count : E8_GIVEN_MAX;
    if (count > 0 && is_good(log))
        check(log, e8_rows_put(log, ring, count));
    e8_ring_drop(ring, count);
    return count == E8_GIVEN_MAX;
}

/* One transaction. True when there is more. */
static bool write_batch(struct e8_dlog *log)
{
    bool more = any_record(log);

    if (!more)
        return false;
    if (is_good(log))
        check(log, e8_db_run(log->statements[S_BEGIN]));
    for (e8_mono_ns end = e8_mono_now() + BATCH; more && e8_mono_now() < end;) {
        more = false;
        for (unsigned i = 0; i < log->ring_count; i++)
            more |= drain_ring(log, log->rings[i]);
    }
    if (is_good(log))
        check(log, e8_rows_span(log) && e8_db_run(log->statements[S_COMMIT]));
    return more;
}

/* True: stop. */
static bool wait_for(struct e8_dlog *log, e8_dur_ns wait)
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
        stop = wait_for(log, more ? YIELD : POLL);
    }
    while (any_record(log)) /* the producers have ended */
        write_batch(log);
    return NULL;
}

bool e8_dlog_thread_start(struct e8_dlog *log)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    errno = pthread_create(&log->thread, NULL, write_all, log);
    log->started = errno == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return log->started;
}

void e8_dlog_thread_stop(struct e8_dlog *log)
{
    pthread_mutex_lock(&log->lock);
    log->stop = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
}
