/* The delivery log: an SQLite file (WAL) with runs, endpoints, steps, events and attempts, and a view `deliveries` for people.
 *
 * Writing: each worker has a ring of its own; one writer thread drains all rings in batches of at most 20 ms. A full ring makes
 * the worker wait, never lose a record; the stalls are counted. A run that makes tens of thousands of deliveries a second is not held up
 * by its log: then the records go into a file beside it, from which a thread of the lowest priority makes the rows, and
 * e8_dlog_finish those that are left. A killed run leaves that file, and who opens the log next takes it up, to write or to read. When the
 * disk fails the log says so (e8_dlog_failed) and keeps draining, so that nobody hangs; what had been committed stays. */
#ifndef E8_DLOG_DLOG_H
#define E8_DLOG_DLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "delivery/delivery.h"
#include "stats/stats.h"

/* An event as the log keeps it: enough to render the same bytes again. */
struct e8_event_record {
    uint32_t event; /* number in the run; attempts refer to it */
    uint32_t step;  /* index in the run's steps */
    uint16_t type;
    uint32_t sequence;
    uint64_t flow; /* key */
    uint64_t instance;
    e8_wall_ns at, flow_started;
    char id[E8_ID_MAX];
};
enum e8_record_kind { E8_RECORD_EVENT, E8_RECORD_ATTEMPT };
struct e8_record {
    enum e8_record_kind kind;
    union {
        struct e8_event_record event;
        struct e8_attempt attempt; /* its event's record went before it in the same ring */
    };
};

struct e8_log_endpoint {
    const char *name, *url; /* url redacted */
    const char *scheme;
    const char *events, *environments; /* space-separated */
    e8_dur_ns timeout;
    uint32_t attempts;   /* of the retry policy */
    const char *headers; /* names of its own, space-separated, never values; NULL: none, or an older log */
};
struct e8_log_step {
    const char *type, *environment;
    const char *
        edits; /* JSON: {"edits": […], "tamper": {…}, "headers": {…}, …}, what the step says beside its type; or NULL */
    struct e8_str body; /* of a raw event; p NULL otherwise */
    const char *name;   /* of the step, or NULL */
};
/* Facts of a run, written at its start. Texts are copied. */
struct e8_log_run {
    int64_t id; /* out */
    const char *name, *scenario_digest, *fixtures_digest, *version, *curl_version;
    const char *command; /* without secrets */
    uint64_t seed;
    e8_wall_ns started, ended; /* ended 0: not finished */
    e8_mono_ns epoch;          /* the monotonic time of `started` */
    unsigned workers;
    bool insecure;
    const struct e8_log_endpoint *endpoints;
    size_t endpoint_count;
    const struct e8_log_step *steps;
    size_t step_count;
    const char *const *types; /* names of the catalogue, for the attempts' type index */
    size_t type_count;
    const char *const *thresholds; /* texts, NULL-terminated or NULL */
    /* At the end (e8_dlog_finish): */
    uint64_t planned, dropped, aborted, stalls;
    e8_dur_ns timer_floor; /* p99 lateness of this host's timers, probed at the start */
    bool interrupted;
    int64_t resumes;  /* the run that this one goes on with; 0: none. Written at the start */
    uint64_t over;    /* deliveries of that run, and of those before it, that were over. Likewise */
    e8_wall_ns clock; /* where the events' time was made to start; 0: at `started`. Likewise */
    double speed;     /* 0: 1. Likewise */
    unsigned shard,
        shards; /* the part that it is of a divided plan, from 1 on; 0 of n: all n, merged. 0, 0: not divided. Likewise */
    const char *plan;  /* the same text for the parts of one plan; NULL: not divided. Likewise */
    const char *notes; /* JSON object of further facts (transport counters), or NULL */
    /* What the attempts cannot tell (planned, dropped, abandoned), per endpoint and type; read by e8_dlog_finish alone, NULL
     * from the reading side. Without it, a report from the log knows only the deliveries that have an attempt. */
    const struct e8_stats *stats;
};

struct e8_dlog;
/* Opens or makes the log for writing; `rings` workers will write. Refuses a file that is no log of ours (E8_INPUT). */
enum e8_rc e8_dlog_open(const char *path, unsigned rings, struct e8_dlog **out, struct e8_err *err);
/* Writes the run's rows, commits, starts the writer. Sets run->id. */
enum e8_rc e8_dlog_begin(struct e8_dlog *log, struct e8_log_run *run, struct e8_err *err);
/* The ring of one worker: its records are struct e8_record. */
struct e8_ring *e8_dlog_ring(struct e8_dlog *log, unsigned worker);
bool e8_dlog_failed(const struct e8_dlog *log); /* any thread */
/* A delivery that is over, delivered or as expected. Its record stands in the ring and is in a file within some 20 ms; this outlives a
 * process that is killed before. The worker's thread; a few stores, no system call. */
struct e8_over {
    uint64_t flow, instance;
    e8_wall_ns at, flow_started; /* of its event */
    uint32_t sequence;
    uint16_t endpoint, copy;
};
void e8_dlog_over(struct e8_dlog *log, unsigned worker, const struct e8_over *over);
/* After all workers have ended: records of which e8_dlog_finish has yet to make rows. */
uint64_t e8_dlog_waiting(const struct e8_dlog *log);
/* After all workers have ended: drains, makes the rows that are left (a second or two for each million), writes the end of the run,
 * commits, closes, frees. Reports the first failure.
 * Before e8_dlog_begin, or after it failed: only closes and frees; run may be NULL. */
enum e8_rc e8_dlog_finish(struct e8_dlog **log, const struct e8_log_run *run, struct e8_err *err);

/* Default place: $EMIT8_LOG, or $XDG_STATE_HOME/emit8/deliveries.db, or ~/.local/state/emit8/deliveries.db. */
enum e8_rc e8_dlog_default_path(struct e8_buf *out, struct e8_err *err);

/* ---- reading: any number of processes at a time, also while a run writes ---- */
struct e8_dlog_reader;
enum e8_rc e8_dlog_read(const char *path, struct e8_dlog_reader **out, struct e8_err *err);
void e8_dlog_reader_free(struct e8_dlog_reader **reader);
/* The facts of a run; run 0: the newest. Texts live as long as the reader. E8_INPUT with the known runs as a hint. */
enum e8_rc e8_dlog_run(struct e8_dlog_reader *reader, int64_t run, struct e8_log_run *out,
                       struct e8_err *err);
/* The newest run that is one of the shards of a divided one. E8_INPUT where there is none. */
enum e8_rc e8_dlog_newest_shard(struct e8_dlog_reader *reader, int64_t *run, struct e8_err *err);
/* Fills stats (made by the caller for the run's endpoints and types) from the run's attempts. */
enum e8_rc e8_dlog_stats(struct e8_dlog_reader *reader, const struct e8_log_run *run, struct e8_stats *stats,
                         struct e8_err *err);

/* The same attempts one by one, in the order in which they were done; without ids. Valid during the call. */
typedef void e8_log_attempt_fn(void *state, const struct e8_attempt *attempt);
enum e8_rc e8_dlog_attempts(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                            e8_log_attempt_fn *fn, void *state, struct e8_err *err);

struct e8_log_filter {
    int64_t run;          /* 0: the newest; -1: all */
    const char *status;   /* "503", "5xx", "none" */
    const char *type;     /* pattern */
    const char *endpoint; /* name */
    const char *outcome;
    const char *delivery, *event; /* ids */
    e8_wall_ns since, until;      /* of the due time: since <= due < until; 0: open */
    e8_dur_ns slower;             /* response time above; 0: any */
    bool failed;                  /* attempts that did not deliver */
    uint64_t limit;               /* the newest so many; 0: all */
    int64_t after;                /* rows behind this cursor (row->cursor); for --follow */
};
/* Checks texts of the filter (status class, pattern, outcome name). */
enum e8_rc e8_log_filter_check(const struct e8_log_filter *filter, struct e8_err *err);

/* One attempt as people and machines read it; texts valid during the callback. */
struct e8_log_row {
    int64_t cursor, run;
    const char *event_id, *delivery_id, *type, *environment, *endpoint, *url, *scheme;
    int number;
    const char *trigger, *outcome, *error;
    int status; /* 0: none */
    e8_wall_ns due, sent, done;
    e8_dur_ns response_time, service_time, send_lag;
    struct e8_phases phases;
    uint64_t bytes_sent, bytes_received;
    uint16_t flags;
    int64_t timestamp; /* that was signed */
    bool last;
    int copy;            /* as in e8_attempt */
    const char *verdict; /* of the expectation: "", "met", "unmet", "reported" */
    int64_t step;
};
typedef bool e8_log_row_fn(void *state, const struct e8_log_row *row); /* false: no more */
enum e8_rc e8_dlog_query(struct e8_dlog_reader *reader, const struct e8_log_filter *filter, e8_log_row_fn *fn,
                         void *state, struct e8_err *err);

/* What is needed to render a delivery's bytes again. */
struct e8_log_delivery {
    struct e8_event_record event;
    struct e8_log_step step;
    uint64_t seed;
    const char *delivery_id; /* whole, also where a prefix was asked for */
    const char *type, *environment, *endpoint, *url, *scheme, *fixtures_digest;
    const char *headers; /* as in e8_log_endpoint */
    int64_t run;
    int attempts;
    const uint16_t
        *counts; /* events of each type so far in the instance, this one included, by the run's type index */
    size_t type_count;
    const char *const *types;
    /* Of its first attempt: */
    int number;
    e8_wall_ns due;
    int64_t timestamp;
};
/* A unique prefix of the id will do. Unknown or not unique: E8_INPUT. Where several runs have it: the oldest, which made it. Texts live as
 * long as the reader. */
enum e8_rc e8_dlog_delivery(struct e8_dlog_reader *reader, const char *delivery_id,
                            struct e8_log_delivery *out, struct e8_err *err);

/* ---- what resuming and replaying need ---- */

/* All deliveries of a run that have an attempt, copies left out; by flow, instance and number of the event. Valid during the call. */
typedef bool e8_log_delivery_fn(void *state, const struct e8_log_delivery *delivery); /* false: no more */
enum e8_rc e8_dlog_deliveries(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                              e8_log_delivery_fn *fn, void *state, struct e8_err *err);

/* Deliveries of a run, and of those that it resumed, that are over: delivered, as expected, or failed for good. */
struct e8_done_deliveries;
enum e8_rc e8_dlog_done(struct e8_dlog_reader *reader, int64_t run, struct e8_done_deliveries **out,
                        struct e8_err *err);
void e8_done_free(struct e8_done_deliveries **done);
/* Any thread. */
bool e8_done_has(const struct e8_done_deliveries *done, uint64_t flow, uint64_t instance, uint32_t sequence,
                 uint16_t endpoint, uint16_t copy);
/* An event that had been made: its time, so that its bytes are the same again. False: it had not. */
bool e8_done_event(const struct e8_done_deliveries *done, uint64_t flow, uint64_t instance, uint32_t sequence,
                   e8_wall_ns *at, e8_wall_ns *flow_started);
uint64_t e8_done_count(const struct e8_done_deliveries *done);
/* How far the run had come: the latest due time of an attempt, from the run's start. */
e8_dur_ns e8_done_elapsed(const struct e8_done_deliveries *done);
/* The newest run of this scenario that has no end or was interrupted. E8_INPUT where there is none, with what there is. */
enum e8_rc e8_dlog_unfinished(struct e8_dlog_reader *reader, const char *scenario_digest, int64_t *run,
                              struct e8_err *err);
/* E8_INPUT where the run cannot be gone on with: it has ended whole, another has gone on with it, or it is still going on. */
enum e8_rc e8_dlog_resumable(struct e8_dlog_reader *reader, int64_t run, struct e8_err *err);

/* ---- one log of the parts of a divided run ---- */
struct e8_log_part {
    struct e8_dlog_reader *reader;
    const struct e8_log_run *run; /* one of its runs, of the same endpoints, types and steps as the others' */
};
/* Writes `run`, from start to end, and all events and attempts of the parts as its own into a log that has not begun (the caller ends
 * it with e8_dlog_finish). All or nothing. stop: asked now and then; true ends it with E8_LIMIT; may be NULL. Sets run->id. */
enum e8_rc e8_dlog_gather(struct e8_dlog *log, struct e8_log_run *run, const struct e8_log_part *parts,
                          size_t count, bool (*stop)(void), struct e8_err *err);

#endif
