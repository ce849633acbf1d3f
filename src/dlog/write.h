/* The writing side's parts. Internal to dlog. */
#ifndef E8_DLOG_WRITE_H
#define E8_DLOG_WRITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dlog/db.h"
#include "dlog/dlog.h"
#include "dlog/over.h"

enum { DLOG_MAGIC = 0x0a4e8501, ERROR_CACHE = 256 };

enum statement {
    S_BEGIN,
    S_COMMIT,
    S_EVENT,
    S_ATTEMPT,
    S_ATTEMPT_MORE,
    S_SPAN,
    S_ERROR_FIND,
    S_ERROR_ADD,
    S_COUNT
};

/* An error text that has a row already; texts repeat, so a slot for each hash is enough. */
struct known_error {
    int64_t id; /* 0: none */
    char text[E8_ERROR_MAX];
};

struct e8_dlog {
    unsigned magic;
    char *path;
    unsigned ring_count;
    struct e8_ring **rings;
    atomic_bool failed;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of stop */
    pthread_cond_t wake;
    bool stop;
    /* The writer thread's while it runs: */
    sqlite3 *db;
    sqlite3_stmt *statements[S_COUNT];
    int64_t run;
    uint32_t unspanned;        /* attempts written since the newest span */
    struct e8_over_file *over; /* the workers write; NULL: there is none */
    e8_wall_ns shift;          /* wall time = monotonic time + shift */
    int64_t codes
        [E8_OUTCOME_COUNT]; /* of outcomes in this file, which an older version may have numbered otherwise */
    struct known_error errors[ERROR_CACHE];
    struct e8_err error; /* the first failure */
};

/* thread.c. False: it cannot be started; errno says why. */
bool e8_dlog_thread_start(struct e8_dlog *log);
void e8_dlog_thread_stop(struct e8_dlog *log); /* drains, then joins */
/* Keeps the first failure and undoes what was not committed. */
void e8_dlog_note_failure(struct e8_dlog *log);

/* rows.c: binding by position, then running. False: it failed. */
bool e8_rows_put_record(struct e8_dlog *log, const struct e8_record *record);
bool e8_rows_run(struct e8_dlog *log, struct e8_log_run *run);
bool e8_rows_end(struct e8_dlog *log, const struct e8_log_run *run);
/* A span of what has come since the newest one, where that is enough for one. In a transaction. */
bool e8_rows_span(struct e8_dlog *log);
/* Fills log->codes, adding the outcomes that the file does not know yet. */
bool e8_rows_outcomes(struct e8_dlog *log);

#endif
