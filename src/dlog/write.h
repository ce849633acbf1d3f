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
    S_EVENTS,
    S_ATTEMPTS,
    S_ATTEMPTS_USUAL,
    S_SPAN,
    S_SPAN_KNOWN,
    S_ERROR_FIND,
    S_ERROR_ADD,
    S_COUNT
};

/* An error text that has a row already; texts repeat, so a slot for each hash is enough. */
struct known_error {
    int64_t id; /* 0: none */
    char text[E8_ERROR_MAX];
};

/* Records that are being written: they stay in their ring until they have been. */
enum { E8_GIVEN_MAX = 512 };
#define E8_GIVEN_USUAL                                                                                       \
    "delivery_id, event, place, result, due, sent, done, first_byte, total, bytes_sent, bytes_received"
#define E8_GIVEN_ALL E8_GIVEN_USUAL ", several, dns, connect, tls, skew, error, copy"
struct e8_given {
    const struct e8_event_record *events[E8_GIVEN_MAX];
    const struct e8_attempt *attempts[E8_GIVEN_MAX];
    int64_t errors[E8_GIVEN_MAX]; /* of the attempts: rows of `error`; 0: none */
    size_t event_count, attempt_count;
    bool usual; /* of all attempts the rest is NULL */
};

/* What the span after the newest one will be made of, as far as it is known without reading the rows. */
struct e8_unspanned {
    uint32_t count;
    bool gap; /* another process has written between them */
    int64_t first, last;
    char low[E8_ID_MAX], high[E8_ID_MAX]; /* empty: of none */
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
    struct e8_given given;
    struct e8_unspanned unspanned; /* attempts written since the newest span */
    struct e8_over_file *over;     /* the workers write; NULL: there is none */
    e8_wall_ns shift;              /* wall time = monotonic time + shift */
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

/* given.c: log->given as two virtual tables, so that one statement writes all of it. */
bool e8_given_init(struct e8_dlog *log);
/* Not the one attempt of its delivery: it is in an index, and in no span. */
bool e8_given_is_several(const struct e8_attempt *attempt);
bool e8_given_is_usual(const struct e8_dlog *log, const struct e8_attempt *attempt);

/* rows.c: binding by position, then running. False: it failed. */
bool e8_rows_put(struct e8_dlog *log, struct e8_ring *ring,
                 size_t count); /* the oldest ones, at most E8_GIVEN_MAX */
bool e8_rows_run(struct e8_dlog *log, struct e8_log_run *run);
bool e8_rows_end(struct e8_dlog *log, const struct e8_log_run *run);
/* A span of what has come since the newest one, where that is enough for one. In a transaction. */
bool e8_rows_span(struct e8_dlog *log);
/* Fills log->codes, adding the outcomes that the file does not know yet. */
bool e8_rows_outcomes(struct e8_dlog *log);

#endif
