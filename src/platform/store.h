/* The platform's memory: endpoints (webhooks) with their secrets, events, deliveries, attempts, and sums of these by minute, in one
 * SQLite file (WAL, mode 0600, since it holds secrets). Internal to platform.
 *
 * An event is on the disk when e8_store_accept returns, and so is what e8_store_webhook_* changes. Attempts are committed in
 * batches; those that a kill takes away were made for nothing: their deliveries are still due, and go out again.
 *
 * Any thread may call anything: what writes is behind a lock, what reads (e8_store_list, _delivery, _overview, _webhook…) has a
 * connection of its own behind another, so that a page does not wait for a batch, and what is due has a third. Texts that come out live
 * in the caller's arena. What is called back must not call the store. */
#ifndef E8_PLATFORM_STORE_H
#define E8_PLATFORM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "delivery/delivery.h"

/* Of a response's body, or of one that was changed on purpose, so much is kept; the rest is cut off, and that is told. */
#define E8_STORE_BODY_MAX ((size_t)64 << 10)

struct e8_store;
/* Makes the file where there is none. now: the moment from which what it owes can be sent (see `since` of e8_due). E8_INPUT where it is
 * not one of ours, E8_ENV where it cannot be used: the system refuses, or another process has it. */
enum e8_rc e8_store_open(const char *path, e8_wall_ns now, struct e8_store **out, struct e8_err *err);
void e8_store_close(struct e8_store **store);

/* ---- endpoints ---- */
struct e8_webhook {
    char id[E8_ID_MAX]; /* whk_… */
    const char *url, *description, *scheme;
    const char *events;       /* JSON array of patterns */
    const char *environments; /* JSON array; all of them when empty */
    const char *headers;      /* JSON object: name → value */
    e8_dur_ns timeout;
    struct e8_retry_policy retry;
    bool enabled;
    const char *disabled_reason; /* NULL while enabled */
    const char *notify_url;      /* told of deliveries that failed for good; NULL: nobody */
    e8_wall_ns disabled_at;      /* 0: it is not */
    e8_wall_ns failing_since;    /* of the first failure since the last success; 0: none */
    e8_wall_ns created, updated;
    e8_wall_ns rotated; /* 0: never */
    e8_wall_ns
        grace_until; /* the secret before signs until then: as well, where the scheme has room for two, else what was accepted
                             * before the rotation; 0: none does */
    char secret_end
        [5]; /* the last four characters of the secret, for people to tell secrets apart; "": it has less than 24 */
};
enum e8_rc e8_store_webhook_add(struct e8_store *store, const struct e8_webhook *webhook, const char *secret,
                                struct e8_err *err);
/* All but the secret and its times. E8_INPUT where there is none of that id. */
enum e8_rc e8_store_webhook_update(struct e8_store *store, const struct e8_webhook *webhook,
                                   struct e8_err *err);
/* Its waiting deliveries are cancelled; the log keeps what was sent, under its id. E8_INPUT where there is none. */
enum e8_rc e8_store_webhook_delete(struct e8_store *store, const char *id, struct e8_err *err);
/* The present secret becomes the one before, which is valid until `grace_until` (0: it is erased at once). */
enum e8_rc e8_store_webhook_rotate(struct e8_store *store, const char *id, const char *secret, e8_wall_ns now,
                                   e8_wall_ns grace_until, struct e8_err *err);
/* The secret before a rotation is valid no longer. */
enum e8_rc e8_store_webhook_revoke(struct e8_store *store, const char *id, struct e8_err *err);
/* enabled: its waiting deliveries go on; not: they wait until it is enabled again. reason: why not; NULL: by hand. One that is disabled
 * already keeps its reason and its time: *changed (NULL: no matter) says whether it was not. */
enum e8_rc e8_store_webhook_enable(struct e8_store *store, const char *id, bool enabled, const char *reason,
                                   e8_wall_ns now, bool *changed, struct e8_err *err);
/* E8_INPUT where there is none of that id. */
enum e8_rc e8_store_webhook(struct e8_store *store, const char *id, struct e8_arena *arena,
                            struct e8_webhook *out, struct e8_err *err);
/* All of them, oldest first. */
enum e8_rc e8_store_webhooks(struct e8_store *store, struct e8_arena *arena, struct e8_webhook **out,
                             size_t *count, struct e8_err *err);
/* out[0] is the present one, out[1] the one before where that is still valid at `now`, else NULL. */
enum e8_rc e8_store_secrets(struct e8_store *store, const char *id, e8_wall_ns now, struct e8_arena *arena,
                            const char *out[2], struct e8_err *err);
/* Counts changes of endpoints and secrets since the store was opened: whoever remembers them looks whether it has moved. */
uint64_t e8_store_version(struct e8_store *store);

/* ---- events and their deliveries ---- */
enum e8_delivery_state {
    E8_STATE_PENDING, /* its next attempt is due at `due` */
    E8_STATE_DELIVERED,
    E8_STATE_FAILED,    /* the policy's attempts are used up, or the outcome allows no more */
    E8_STATE_CANCELLED, /* it is not sent (any more), and `error` says why: */
};
#define E8_DELETED_WHY "its endpoint was deleted" /* or, of a run, what the run has to say */
struct e8_store_event {
    char id[E8_ID_MAX]; /* evt_… */
    const char *type, *environment;
    bool test;
    e8_wall_ns created;
    struct e8_str body;
};
struct e8_store_target {
    char id[E8_ID_MAX]; /* of the delivery: dlv_… */
    char webhook[E8_ID_MAX];
    e8_wall_ns due;       /* of a run: 0, the queue never has it by itself */
    const char *withheld; /* of a run: it is not sent, for this reason; NULL: it is */
};
/* The event and what it owes, all or nothing, synchronised to the disk. An event nobody takes is kept, too (count 0). E8_INPUT: an
 * endpoint is not there (it may have been deleted meanwhile). */
enum e8_rc e8_store_accept(struct e8_store *store, const struct e8_store_event *event,
                           const struct e8_store_target *targets, size_t count, struct e8_err *err);

/* The event types that deliveries are of, as a NULL-terminated list. */
enum e8_rc e8_store_types(struct e8_store *store, struct e8_arena *arena, const char *const **out,
                          struct e8_err *err);

/* What is to be sent to an endpoint: its pending deliveries that are due before `until`, test events first, then the earliest, at most
 * `limit`, but for those for which `skip` says true (those that are under way: a bounded number). Of an endpoint that is disabled test
 * events alone. Quick however many wait: an index by endpoint. Valid during the call; the next event's body may use the same memory. */
struct e8_due {
    int64_t row; /* the delivery's number in the store */
    const char *id, *webhook, *event_id, *type, *environment;
    const char *run; /* that made it; NULL: none did */
    bool test;
    struct e8_str body;
    e8_wall_ns
        asked; /* it was accepted then; where a secret from before a rotation is kept: or last asked for again */
    e8_wall_ns due;
    e8_wall_ns since; /* it could not be sent before: the store was opened then, or its endpoint enabled */
    unsigned number;  /* of the attempt that is due: 1, 2, … */
    unsigned tries;   /* that the policy counts, this one included */
    enum e8_trigger trigger; /* EVENT, RETRY, TEST or RESEND */
};
typedef bool e8_due_skip_fn(void *state, int64_t row);
typedef void e8_due_fn(void *state, const struct e8_due *due);
/* *next: when the first of those that it did not give out is due, the skipped apart; E8_NEVER: there is none. */
enum e8_rc e8_store_due(struct e8_store *store, const char *webhook, e8_wall_ns until, size_t limit,
                        e8_due_skip_fn *skip, e8_due_fn *fn, void *state, e8_wall_ns *next,
                        struct e8_err *err);

/* Their next attempts are about to be made: each number is used up on the disk before it is on the wire, so that after a kill none is
 * made twice under one number. Deliveries that are gone are passed over. */
enum e8_rc e8_store_begin(struct e8_store *store, const int64_t *rows, size_t count, struct e8_err *err);
/* They were not made after all: the numbers are free again. */
enum e8_rc e8_store_unsent(struct e8_store *store, const int64_t *rows, size_t count, struct e8_err *err);

/* Of the endpoint's secrets, those that signed an attempt: the one that was present then, the one from before a rotation, or both. */
enum e8_signed_by { E8_SIGNED_UNKNOWN, E8_SIGNED_PRESENT, E8_SIGNED_BEFORE, E8_SIGNED_BOTH };
/* What was changed on purpose about a request. */
struct e8_store_change {
    const char *how;    /* in words; NULL: nothing was */
    bool forged;        /* so that its signature does not fit what was sent */
    bool has_body;      /* another body than the event's was sent: */
    struct e8_str body; /* at most E8_STORE_BODY_MAX of it */
    uint64_t length;    /* the whole */
};
/* An attempt that was made, and what has become of its delivery. */
struct e8_store_attempt {
    int64_t row; /* the delivery's */
    unsigned number, tries;
    enum e8_outcome outcome;
    enum e8_trigger trigger;
    int status; /* 0: none */
    e8_wall_ns due, sent, done;
    struct e8_phases phases;
    const char *error;               /* "" when delivered */
    struct e8_str request, response; /* heads as on the wire, lines ended by LF; response may be empty */
    struct e8_str body;              /* of the response, at most E8_STORE_BODY_MAX of it */
    uint64_t body_length;            /* the whole */
    enum e8_signed_by signed_by;     /* UNKNOWN where the signature is forged, or there is none */
    struct e8_store_change change;   /* of the request, on purpose */
    bool more;                       /* a further attempt follows at once, by itself */
    bool of_run, copy;               /* made by a run (see e8_run_row); of a copy of the delivery */
    enum e8_delivery_state state;    /* PENDING: `next` says when */
    e8_wall_ns next;
};
/* All or nothing; sums are kept, and an endpoint's failing_since. A delivery that is gone (retention) is passed over. Of a delivery
 * that was CANCELLED meanwhile the attempt is kept and the state stays, unless it was delivered. */
enum e8_rc e8_store_attempts(struct e8_store *store, const struct e8_store_attempt *list, size_t count,
                             struct e8_err *err);

/* The delivery goes out again at `now`, with the same ids and the next number, whatever its state; its tries start anew. An attempt that
 * was due before, and comes back later, is kept, and changes nothing of that. E8_INPUT: unknown, or its endpoint is deleted. */
enum e8_rc e8_store_resend(struct e8_store *store, const char *delivery, e8_wall_ns now, struct e8_err *err);
/* The same for all that FAILED and that the filter takes (its state, `before` and limit do not matter), some at a time: after an error,
 * *count have been done. */
struct e8_store_filter;
enum e8_rc e8_store_resend_failed(struct e8_store *store, const struct e8_store_filter *filter,
                                  e8_wall_ns now, uint64_t *count, struct e8_err *err);
/* How many these are. *more: there may be more, it gave up after `budget`. */
enum e8_rc e8_store_count_failed(struct e8_store *store, const struct e8_store_filter *filter,
                                 e8_dur_ns budget, uint64_t *count, bool *more, struct e8_err *err);

/* ---- scenario runs: sent by engines of their own, and kept here like all else ---- */
/* Of those that were interrupted, and of what they have left undone. */
#define E8_RUN_CUT      "emit8 serve ended while the run was under way"
#define E8_RUN_CUT_WHAT "interrupted: " E8_RUN_CUT
enum e8_run_state { E8_RUN_RUNNING, E8_RUN_ENDED, E8_RUN_STOPPED, E8_RUN_FAILED, E8_RUN_INTERRUPTED };
struct e8_run_figures {
    int64_t planned;                                /* deliveries; -1: not known */
    e8_dur_ns length;                               /* by its plan, at its speed; 0: not known */
    uint64_t attempts, delivered, failed, withheld; /* deliveries, but for the first */
    uint64_t lost;   /* that were dropped, cut off, or withheld since a 410 had disabled the endpoint */
    uint64_t stalls; /* times that attempts waited for the store */
    uint64_t
        unknown; /* out: that had not ended when a kill came, so that nobody knows whether they were sent, or once more */
    e8_dur_ns p50, p99; /* of response times; -1: none */
};
struct e8_store_run {
    int64_t n; /* in the store */
    const char *id, *name;
    int64_t seed;
    double speed; /* 0: neither is known, of runs of before */
    enum e8_run_state state;
    const char *note;          /* why not all of it was sent; NULL: there is nothing to say */
    e8_wall_ns started, ended; /* ended 0: it has not */
    struct e8_run_figures figures;
};
/* Of the run its id, name, seed, speed and start. *n: its number in the store. A run that has not ended when the store is opened was interrupted by a kill, at the moment of the last
 * that is known of it: what it has left undone is CANCELLED, and its attempts, delivered and failed are what the log has of it. */
enum e8_rc e8_store_run_begin(struct e8_store *store, const struct e8_store_run *run, int64_t *n,
                              struct e8_err *err);
/* What has become known of it. */
enum e8_run_what {
    E8_RUN_EVENT, /* was made, with what it owes */
    E8_RUN_ATTEMPT, /* was made, for the event and the endpoint. The store numbers it: copies use numbers, too */
    E8_RUN_UNSENT,  /* the delivery is not sent (any more), for the reason `why` */
    E8_RUN_FIGURES, /* how far it is */
    E8_RUN_END,     /* of the run, in `state`; what is undone is CANCELLED for the reason `why` */
};
struct e8_run_row {
    enum e8_run_what what;
    int64_t run;
    e8_wall_ns at;
    struct e8_store_event event; /* of attempts and what is unsent: its id and type */
    struct e8_store_target *targets;
    size_t count;
    char webhook[E8_ID_MAX];
    struct e8_store_attempt attempt; /* but for its delivery and number */
    const char *why;
    struct e8_run_figures figures; /* of END as well, */
    enum e8_run_state state;       /* and these */
    const char *note;
    char delivery[E8_ID_MAX]; /* out, of attempts and what is unsent; "": it is gone (retention) */
};
/* All or nothing, in their order. A delivery whose id is in the log already (a step may give it) gets one of its own, which targets have
 * when this returns. What is for an endpoint that the store does not know is passed over. An attempt does not change a delivery that
 * was delivered before, nor one that somebody has asked for again, which is the queue's from then on; it says nothing of its
 * endpoint's health: runs send what is wrong on purpose. */
enum e8_rc e8_store_run_write(struct e8_store *store, struct e8_run_row *list, size_t count,
                              struct e8_err *err);
/* The newest first, before the one of that number (0: all), at most `limit`. */
enum e8_rc e8_store_runs(struct e8_store *store, int64_t before, size_t limit, struct e8_arena *arena,
                         struct e8_store_run **out, size_t *count, struct e8_err *err);
/* E8_INPUT: there is none of that id. */
enum e8_rc e8_store_run(struct e8_store *store, const char *id, struct e8_arena *arena,
                        struct e8_store_run *out, struct e8_err *err);

/* ---- the delivery log ---- */
enum e8_status_class {
    E8_CLASS_ANY,
    E8_CLASS_NONE,
    E8_CLASS_2XX = 2,
    E8_CLASS_3XX,
    E8_CLASS_4XX,
    E8_CLASS_5XX
};
struct e8_store_filter {
    const char *webhook, *type, *environment, *event,
        *run;                    /* exact, but type: or a pattern (match.h); NULL: any */
    enum e8_status_class status; /* of the last attempt; NONE: no answer */
    int code;                    /* the last attempt's status itself; 0: any */
    int state;                   /* enum e8_delivery_state; -1: any */
    int test;                    /* 1: test events; 0: real ones; -1: both */
    e8_wall_ns since, until;     /* created; 0: open */
    int64_t before;              /* rows older than this one; 0: the newest */
    int64_t after;               /* rows newer than this one; 0: no matter */
    size_t limit;
};
struct e8_store_row {
    int64_t row;
    const char *id, *event_id, *type, *environment;
    const char *webhook,
        *url;        /* url as it is now; of one that was deleted, as it was, redacted. NULL: not known */
    bool deleted;    /* the webhook was */
    const char *run; /* the id of the scenario run that sent it; NULL: none did */
    bool test;
    enum e8_delivery_state state;
    unsigned attempts;
    int status; /* of the last attempt; 0: none */
    const char *outcome,
        *error; /* of the last attempt; NULL: none yet. Of one that is CANCELLED: why it is not sent */
    e8_dur_ns response_time;     /* of the last attempt: done - due; -1: none yet */
    e8_dur_ns waited;            /* of it, before the exchange began: the attempt was late; -1: not known */
    e8_wall_ns created, updated; /* updated: when its last attempt was done */
    bool held;                   /* its next attempt waits until its endpoint is enabled again */
    e8_wall_ns next;             /* of the attempt that is due; 0: none, or it is held */
};
typedef void e8_store_row_fn(void *state, const struct e8_store_row *row);
/* Newest first. *more: there are older ones, or it gave up after `budget` (0: 40 ms); then *scanned is the row to go on before, which is
 * not always one that was given; else 0. Quick at any size: rows are found along an index. */
enum e8_rc e8_store_list(struct e8_store *store, const struct e8_store_filter *filter, e8_dur_ns budget,
                         e8_store_row_fn *fn, void *state, bool *more, int64_t *scanned, struct e8_err *err);

/* Is there an endpoint of that id, deleted ones included as long as the log has something of them; has there been a delivery of that type or
 * environment? */
enum e8_store_name {
    E8_NAME_WEBHOOK,
    E8_NAME_TYPE,
    E8_NAME_TYPES /* by a pattern */,
    E8_NAME_ENVIRONMENT,
    E8_NAME_RUN
};
enum e8_rc e8_store_knows(struct e8_store *store, enum e8_store_name what, const char *name, bool *known,
                          struct e8_err *err);

struct e8_store_details {
    struct e8_store_row row;
    struct e8_str body; /* of the event, as it was sent */
    e8_wall_ns created; /* of the event */
    size_t count;
    struct e8_store_try {
        unsigned number;
        const char *trigger, *outcome, *error;
        int status;
        e8_wall_ns due, sent, done;
        struct e8_phases phases;
        struct e8_str request, response, body;
        uint64_t body_length;
        struct e8_store_change change;
        enum e8_signed_by signed_by;
    } * attempts; /* the last 100 of them, in their order */
    /* Numbers that are used up, ascending (the last 100), of which there is no attempt: the delivery's last one may be under way; of the others
     * nobody knows what became of them, since the process ended meanwhile. */
    unsigned *unknown;
    size_t unknown_count;
};
/* E8_INPUT: unknown. */
enum e8_rc e8_store_delivery(struct e8_store *store, const char *id, struct e8_arena *arena,
                             struct e8_store_details *out, struct e8_err *err);

/* ---- the overview ---- */
#define E8_STORE_LATE (100 * E8_NS_MS)
/* From sums by minute and by hour, by when attempts were done. `step` is taken to whole minutes, `since` down and `until` up to whole
 * steps, counted from 1970. E8_INPUT: more than 20,000 steps. */
struct e8_store_slice {
    e8_wall_ns at;
    uint64_t attempts, delivered, failed; /* failed: attempts that did not deliver */
    uint64_t
        late; /* attempts that waited here for most of their response time, and for E8_STORE_LATE at least */
    e8_dur_ns p50, p90, p99; /* of the response times; -1: no attempt */
};
struct e8_store_share { /* of one endpoint, type, status or outcome */
    const char *name;
    const char *url; /* of an endpoint; NULL: not known */
    bool deleted;    /* the endpoint was */
    uint64_t attempts, delivered;
    e8_dur_ns p50, p99;
};
struct e8_store_shares {
    struct e8_store_share *list;
    size_t count;
};
struct e8_store_overview {
    struct e8_store_slice all; /* at: since */
    struct e8_store_slice *slices;
    size_t slice_count;
    struct e8_store_shares webhooks, types, statuses,
        outcomes; /* the most frequent first; webhooks by id, and only of all; statuses "200", "none" */
    struct {
        e8_dur_ns upto;
        uint64_t attempts;
    } * latency; /* the histogram, ascending, without empty ends */
    size_t latency_count;
    uint64_t pending,
        retrying; /* deliveries now: that have not ended, and those of them that have been sent */
};
enum e8_rc e8_store_overview(struct e8_store *store, e8_wall_ns since, e8_wall_ns until, e8_dur_ns step,
                             const char *webhook, struct e8_arena *arena, struct e8_store_overview *out,
                             struct e8_err *err);

/* ---- retention ---- */
/* Deletes deliveries that have ended and are older than `before`, runs of that age that have none left, and the oldest beyond `bytes` of the file (0: no bound), some at a
 * time: at most for `budget` (0: 20 ms). *more: there is more to do; else it begins anew at the next call. Sums are kept 90 days. The file
 * shrinks as well, but for some room that is used again. Erases secrets whose grace is over, too. */
enum e8_rc e8_store_trim(struct e8_store *store, e8_wall_ns before, uint64_t bytes, e8_dur_ns budget,
                         bool *more, struct e8_err *err);

#endif
