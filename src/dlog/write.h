/* The writing side's parts. Internal to dlog. */
#ifndef E8_DLOG_WRITE_H
#define E8_DLOG_WRITE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dlog/db.h"
#include "dlog/dlog.h"
#include "dlog/over.h"
#include "dlog/spool.h"

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
    S_SPOOLED,
    S_COUNT
};

/* An error text that has a row already; texts repeat, so a slot for each hash is enough. */
struct known_error {
    int64_t id; /* 0: none */
    char text[E8_ERROR_MAX];
};

/* Records that are being written: they stay where they are until they have been. */
enum { E8_GIVEN_MAX = E8_SPOOL_BLOCK };
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
    struct e8_spool *spool; /* NULL: the rows have always kept up */
    atomic_bool spools;     /* there is one, for who is neither of the log's threads */
    pthread_t settler;      /* runs while there is a spool */
    bool settling;
    uint64_t busy_from; /* records a second from which on the spool takes them */
    e8_mono_ns window;  /* when the count of what came in began */
    uint64_t come;      /* since then */
    bool busy;
    /* Of who makes rows, the log's thread or the settler: */
    pthread_mutex_t rows;
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
    struct e8_err error; /* the first failure; under `lock` while threads run */
};

/* write.c: without rings, to make rows of what a spool holds. */
enum e8_rc e8_dlog_open_bare(const char *path, struct e8_dlog **out, struct e8_err *err);
void e8_dlog_free(struct e8_dlog **log);

/* thread.c. False: it cannot be started; errno says why. */
bool e8_dlog_thread_start(struct e8_dlog *log);
void e8_dlog_thread_stop(struct e8_dlog *log); /* drains, then joins */
/* A thread of the log's. False: errno says why. */
bool e8_dlog_spawn(struct e8_dlog *log, pthread_t *thread, void *(*run)(void *log));
/* Keeps the first failure and undoes what was not committed. */
void e8_dlog_note_failure(struct e8_dlog *log); /* of SQLite, as it says */
void e8_dlog_fail(struct e8_dlog *log, const struct e8_err *failure);
bool e8_dlog_is_good(const struct e8_dlog *log);
void e8_dlog_check(struct e8_dlog *log, bool good);     /* of what SQLite did */
bool e8_dlog_wait(struct e8_dlog *log, e8_dur_ns wait); /* true: stop */

/* settle.c: the spool, from which rows are made by a thread that gives way to all others. Without one, or when it is empty, the log's
 * thread makes rows itself; then no lock is waited for. */
bool e8_settle_start(struct e8_dlog *log); /* makes the spool, starts the thread; false: errno says why */
void e8_settle_put(struct e8_dlog *log, struct e8_ring *ring);
void e8_settle_stop(
    struct e8_dlog *log); /* joins; then makes rows of all that is left, in the caller's thread */

/* given.c: log->given as two virtual tables, so that one statement writes all of it. */
bool e8_given_init(struct e8_dlog *log);
/* Not the one attempt of its delivery: it is in an index, and in no span. */
bool e8_given_is_several(const struct e8_attempt *attempt);
bool e8_given_is_usual(const struct e8_dlog *log, const struct e8_attempt *attempt);

/* rows.c: binding by position, then running. False: it failed. */
bool e8_rows_put(struct e8_dlog *log, const struct e8_record *const *records,
                 size_t count);                         /* at most E8_GIVEN_MAX */
bool e8_rows_spooled(struct e8_dlog *log, uint64_t at); /* how far the spool has been taken */
bool e8_rows_run(struct e8_dlog *log, struct e8_log_run *run);
bool e8_rows_end(struct e8_dlog *log, const struct e8_log_run *run);
/* A span of what has come since the newest one, where that is enough for one. In a transaction. */
bool e8_rows_span(struct e8_dlog *log);
/* Fills log->codes, adding the outcomes that the file does not know yet. */
bool e8_rows_outcomes(struct e8_dlog *log);

#endif
