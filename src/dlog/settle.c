/* Rows of what the spool holds: by a thread that gives way to all others, at the end of the run, or after a kill. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dlog/write.h"

#define IDLE (10 * E8_NS_MS) /* between looks at an empty spool */
#define BATCH                                                                                                \
    (5 *                                                                                                     \
     E8_NS_MS) /* of a transaction: others may want to write to the log, and this thread may be kept waiting */
#define YIELD (E8_NS_MS / 2)

enum { NICE = 19, BLOCKS_MAX = 64 };

static void fail_spool(struct e8_dlog *log, const char *path)
{
    struct e8_err failure = {0};
    const char *name = strrchr(path, '/');

    e8_db_fail_with(&failure, E8_ENV, log->path, NULL, "cannot be written: %s: %s", name ? name + 1 : path,
                    strerror(errno));
    e8_dlog_fail(log, &failure);
}

/* True: there was one. */
static bool settle_block(struct e8_dlog *log)
{
    const struct e8_record *records, *given[E8_SPOOL_BLOCK];
    size_t count;
    enum e8_taken taken = e8_spool_take(log->spool, &records, &count);

    if (taken == E8_TAKEN_FAILED)
        fail_spool(log, e8_spool_path(log->spool));
    if (taken != E8_TAKEN)
        return false;
    for (size_t i = 0; i < count; i++)
        given[i] = &records[i];
    e8_dlog_check(log, e8_rows_put(log, given, count));
    return e8_dlog_is_good(log);
}

static bool commit(struct e8_dlog *log)
{
    return e8_rows_spooled(log, e8_spool_at(log->spool)) && e8_rows_span(log) &&
           e8_db_run(log->statements[S_COMMIT]);
}

/* One transaction. True when there is more. Under `rows`. */
static bool settle_batch(struct e8_dlog *log)
{
    e8_mono_ns end = e8_mono_now() + BATCH;
    bool more = true;

    if (!e8_dlog_is_good(log) || e8_spool_at(log->spool) == e8_spool_end(log->spool))
        return false;
    e8_dlog_check(log, e8_db_run(log->statements[S_BEGIN]));
    while (more && e8_dlog_is_good(log) && e8_mono_now() < end)
        more = settle_block(log);
    if (e8_dlog_is_good(log))
        e8_dlog_check(log, commit(log));
    if (e8_dlog_is_good(log))
        e8_spool_forget(log->spool);
    return more && e8_dlog_is_good(log);
}

static void *settle_all(void *state)
{
    struct e8_dlog *log = state;
    bool stop = false;

    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    pthread_setname_np(pthread_self(), "e8-log-rows");
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    while (!stop) {
        pthread_mutex_lock(&log->rows);
        bool more = settle_batch(log);
        pthread_mutex_unlock(&log->rows);
        stop = e8_dlog_wait(log, more ? YIELD : IDLE);
    }
    return NULL;
}

static int64_t started_of(struct e8_dlog *log)
{
    char sql[80];
    int64_t started = 0;

    snprintf(sql, sizeof(sql), "SELECT started FROM run WHERE id = %lld", (long long)log->run);
    return e8_db_int(log->db, sql, &started) ? started : 0;
}

/* The log's thread calls, which makes rows itself as long as there is no spool: nobody else uses the connection. */
bool e8_settle_start(struct e8_dlog *log)
{
    const struct e8_spool_owner owner = {log->run, started_of(log), log->shift};

    log->spool = e8_spool_make(log->path, &owner);
    log->settling = log->spool && e8_dlog_spawn(log, &log->settler, settle_all);
    if (log->settling) {
        atomic_store_explicit(&log->spools, true, memory_order_release);
        return true;
    }
    if (log->spool)
        unlink(e8_spool_path(log->spool));
    e8_spool_close(&log->spool);
    log->busy_from = UINT64_MAX; /* not tried again */
    log->busy = false;
    return false;
}

void e8_settle_put(struct e8_dlog *log, struct e8_ring *ring)
{
    const struct e8_record *records[E8_SPOOL_BLOCK];
    size_t count;

    /* Until there is none, so that the ring begins again; but there are other rings. */
    for (unsigned blocks = 0; blocks < BLOCKS_MAX && (count = e8_ring_count(ring)) > 0; blocks++) {
        count = count < E8_SPOOL_BLOCK ? count : E8_SPOOL_BLOCK;
        for (size_t i = 0; i < count; i++)
            records[i] = e8_ring_at(ring, i);
        if (e8_dlog_is_good(log) && !e8_spool_put(log->spool, records, count))
            fail_spool(log, e8_spool_path(log->spool));
        e8_ring_drop(ring, count);
    }
}

void e8_settle_stop(struct e8_dlog *log)
{
    if (!log->settling)
        return;
    pthread_join(log->settler, NULL);
    log->settling = false;
    while (settle_batch(log))
        ;
}

/* What was left */

static bool names_spool(const char *name, const char *log)
{
    static const char mark[] = "-spool.";
    size_t length = strlen(log);
    int64_t run;

    if (strncmp(name, log, length) != 0 || strncmp(name + length, mark, sizeof(mark) - 1) != 0)
        return false;
    return e8_parse_i64(e8_str(name + length + sizeof(mark) - 1), &run);
}

static int64_t taken_of(struct e8_dlog *log)
{
    char sql[80];
    int64_t at = 0;

    snprintf(sql, sizeof(sql), "SELECT at FROM spooled WHERE run = %lld", (long long)log->run);
    return e8_db_int(log->db, sql, &at) ? at : 0;
}

static enum e8_rc settle_rest(struct e8_dlog *log, struct e8_err *err)
{
    uint64_t at = (uint64_t)taken_of(log);

    if (at <= e8_spool_end(log->spool)) {
        e8_spool_go_to(log->spool, at);
        e8_dlog_check(log, e8_rows_outcomes(log));
        while (settle_batch(log))
            ;
    }
    if (e8_dlog_is_good(log))
        return E8_OK;
    *err = log->error;
    return err->rc;
}

/* The log takes the spool, and closes it. */
static enum e8_rc settle_into(const char *path, struct e8_spool *spool, const struct e8_spool_owner *owner,
                              struct e8_err *err)
{
    struct e8_dlog *log;
    enum e8_rc rc = e8_dlog_open_bare(path, &log, err);

    if (rc) {
        e8_spool_close(&spool);
        return rc;
    }
    log->spool = spool;
    log->run = owner->run;
    log->shift = owner->shift;
    if (started_of(log) == owner->started) /* else it belongs to a log that was here before */
        rc = settle_rest(log, err);
    if (rc == E8_OK)
        unlink(e8_spool_path(spool));
    e8_dlog_free(&log);
    return rc;
}

static enum e8_rc settle_file(const char *path, const char *file, struct e8_err *err)
{
    static const char hint[] = "copy it, and this file, to where you may write";
    struct e8_spool_owner owner;
    struct e8_spool *spool = e8_spool_open(file, &owner);

    if (spool)
        return settle_into(path, spool, &owner, err);
    switch (errno) {
    case EWOULDBLOCK: /* its run goes on, or another process makes the rows */
    case ENOENT:
    case ELOOP:
        return E8_OK;
    case EINVAL:
        return e8_db_fail_with(err, E8_INPUT, path, "remove the file, or name another log",
                               "cannot be used: a part of it is in %s, which another version of emit8 left",
                               file);
    }
    return e8_db_fail_with(err, E8_INPUT, path, hint, "cannot be read here: a part of it is in %s (%s)", file,
                           strerror(errno));
}

static enum e8_rc settle_in(DIR *dir, const char *path, struct e8_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    enum e8_rc rc = E8_OK;
    struct dirent *entry;
    struct e8_buf file;

    e8_buf_init(&file, 64 << 10);
    while (rc == E8_OK && (entry = readdir(dir)) != NULL) {
        if (!names_spool(entry->d_name, name))
            continue;
        e8_buf_reset(&file);
        e8_buf_printf(&file, "%.*s%s", (int)(name - path), path, entry->d_name);
        rc = settle_file(path, e8_buf_cstr(&file), err);
    }
    e8_buf_fini(&file);
    return rc;
}

enum e8_rc e8_settle_left(const char *path, struct e8_err *err)
{
    struct e8_err local = {0};
    struct stat st;

    if (stat(path, &st) != 0 || st.st_size == 0)
        return E8_OK; /* no log, so nothing of it */
    char *place = e8_dup(path), *slash = strrchr(place, '/');

    if (slash)
        slash[slash == place] = '\0';
    DIR *dir = opendir(slash ? place : ".");
    enum e8_rc rc = dir ? settle_in(dir, path, err ? err : &local) : E8_OK;
    if (dir)
        closedir(dir);
    free(place);
    return rc;
}
