/* What the files of the store ask of each other. Internal to the store. */
#ifndef E8_PLATFORM_STORE_PARTS_H
#define E8_PLATFORM_STORE_PARTS_H

#include "platform/store_side.h"

/* ---- store_webhook.c ---- */
/* Deliveries that wait for endpoints that were deleted, some at a time: what a kill has left. */
enum e8_rc e8_store_cancel_deleted(struct e8_store *store, struct e8_err *err);
int64_t e8_webhook_find(struct e8_side *side, const char *id); /* 0: there is none */
/* For what is filtered by endpoint, also one that is deleted: -1: there is none; 0: NULL, any. */
int64_t e8_webhook_number(struct e8_side *side, const char *id);
/* Ends a change of an endpoint, which was found or not. */
enum e8_rc e8_webhook_end(struct e8_store *store, bool found, const char *id, struct e8_err *err);

/* ---- store_accept.c ---- */
/* The event with its deliveries, of a run or of none (0). */
enum e8_rc e8_event_put(struct e8_side *side, const struct e8_store_event *event,
                        const struct e8_store_target *targets, size_t count, int64_t run, struct e8_err *err);

/* ---- store_attempts.c ---- */
struct e8_sums;
void e8_attempt_put(struct e8_side *side, struct e8_sums *sums, const struct e8_store_attempt *attempt);

/* ---- store_run.c ---- */
/* What a kill has left of runs. */
enum e8_rc e8_store_close_runs(struct e8_store *store, struct e8_err *err);

/* ---- store_secret.c ---- */
/* What was overwritten lies in the write-ahead file no longer. */
void e8_store_forget(struct e8_store *store);
/* Secrets whose grace is over go. */
enum e8_rc e8_store_retire(struct e8_store *store, e8_wall_ns now, struct e8_err *err);

/* ---- store_kind.c: texts as numbers, and what deliveries are filtered by ---- */
/* The states in the file: those of enum e8_delivery_state, and of the pending ones those that have been sent before. */
enum { E8_STATE_RETRYING = E8_STATE_CANCELLED + 1, E8_STATES };
/* A kind's class: the status of the last attempt, or one of these. Files of version 2 have an enum e8_status_class instead, and their
 * kinds stay as they are. */
#define E8_CLASS_UNSENT 0 /* no attempt yet; E8_CLASS_NONE: no answer */

struct e8_kind {
    int64_t webhook, type, environment;
    int test, state, class;
};
/* Six columns of a row, from `column` on: the members in their order. */
struct e8_kind e8_kind_read(sqlite3_stmt *row, int column);
int64_t e8_word(struct e8_side *side, const char *text);      /* made where there is none. 0: failed */
int64_t e8_word_find(struct e8_side *side, const char *text); /* 0: none */
/* The delivery is of this kind now, and was of that. The kind's number, which is made where there is none. */
int64_t e8_kind_enter(struct e8_side *side, const struct e8_kind *kind, int64_t row);
void e8_kind_leave(struct e8_side *side, const struct e8_kind *kind);
int e8_kind_class(int status); /* of an attempt */
enum e8_delivery_state e8_state_shown(int state);

#define E8_SPAN_BITS    10 /* rows of deliveries in a block of `span`, as a power of two */
#define E8_ATTEMPT_BITS 20
static inline int64_t e8_attempt_row(int64_t delivery, unsigned number)
{
    return (delivery << E8_ATTEMPT_BITS) + number;
}

/* ---- store_pick.c: the rows of some kinds, newest first ---- */
struct e8_pick;
/* Rows of deliveries that the filter takes, but for the times and the status code, which are looked at row by row; between its rows. */
struct e8_pick *e8_pick_new(struct e8_side *side, const struct e8_store_filter *filter);
void e8_pick_free(struct e8_pick **pick);
enum e8_picked { E8_PICKED, E8_PICKED_ALL, E8_PICKED_LATE };
/* The next one. LATE: `end` has come; all down to and including *row have been looked at. */
enum e8_picked e8_pick_next(struct e8_pick *pick, e8_mono_ns end, int64_t *row);

/* ---- store_row.c ---- */
/* The row as e8_store_row, its texts valid until the statement goes on. */
#define E8_ROW_COLUMNS                                                                                       \
    "d.row, d.id, e.id, t.text, v.text, w.id, w.url, k.test, k.state, d.number, d.status, o.text, d.error,"  \
    " d.response, d.created, d.updated, d.due, r.id, d.due NOT NULL AND NOT (d.test OR w.enabled),"          \
    " w.deleted, (SELECT a.done - coalesce(a.total, a.done - a.sent) FROM attempt a"                         \
    " WHERE a.n = (d.row << 20) + d.number)"
#define E8_ROW_TABLES                                                                                        \
    " FROM delivery d JOIN kind k ON k.n = d.kind JOIN event e ON e.n = d.event"                             \
    " JOIN word t ON t.n = k.type JOIN word v ON v.n = k.environment JOIN webhook w ON w.n = d.webhook"      \
    " LEFT JOIN word o ON o.n = d.outcome LEFT JOIN run r ON r.n = d.run "
enum { E8_ROW_WIDTH = 21 };
void e8_row_read(sqlite3_stmt *statement, struct e8_store_row *out);

/* ---- store_latency.c: a histogram of response times, with an error below 4 % ---- */
enum { E8_LATENCY_SLOTS = 640 };
struct e8_latency {
    uint64_t count;
    uint32_t slots[E8_LATENCY_SLOTS];
};
unsigned e8_latency_slot(e8_dur_ns time);
void e8_latency_add(struct e8_latency *latency, unsigned slot, uint32_t count);
/* Adds what e8_latency_put wrote. */
void e8_latency_merge(struct e8_latency *latency, struct e8_str bytes);
void e8_latency_put(const struct e8_latency *latency, struct e8_buf *out);
e8_dur_ns e8_latency_at(const struct e8_latency *latency, double share); /* -1: it is empty */
e8_dur_ns e8_latency_upto(unsigned slot);                                /* the slot's upper bound */

/* A number in seven bits a byte, the lowest first. */
uint64_t e8_number_take(struct e8_str *bytes);
void e8_number_put(struct e8_buf *out, uint64_t number);

/* ---- sums ---- */
/* What is summed up: by hour each of these of all endpoints and of each; by minute those of all endpoints, and of each the mix. */
enum e8_sum_of { E8_SUM_ALL, E8_SUM_WEBHOOK, E8_SUM_TYPE, E8_SUM_STATUS, E8_SUM_OUTCOME, E8_SUM_MIX };

/* ---- store_mix.c: a minute of an endpoint ---- */
/* So many attempts that are the same in all that is summed up. A minute of an endpoint is kept as a list of these: most have so few
 * attempts that rows for each type, status and outcome would be more than there are attempts. */
struct e8_mix_part {
    int64_t type, status, outcome;
    unsigned slot; /* of a latency */
    bool delivered;
    uint32_t count;
};
bool e8_mix_take(struct e8_str *bytes, struct e8_mix_part *out); /* false: at the end */
/* Sorts them, adds up those that are the same, and writes them. */
void e8_mix_put(struct e8_mix_part *parts, size_t count, struct e8_buf *out);
int64_t e8_mix_value(const struct e8_mix_part *part, enum e8_sum_of of); /* of type, status, outcome */

/* ---- store_sum.c ---- */
enum { E8_MINUTE = 60, E8_HOUR = 3600 }; /* seconds */
struct e8_sums;
struct e8_sums *e8_sums_new(void);
void e8_sums_free(struct e8_sums **sums);
struct e8_counted {
    int64_t webhook, type, status, outcome;
    e8_wall_ns done;
    e8_dur_ns response;
    bool delivered, late;
};
void e8_sums_add(struct e8_sums *sums, const struct e8_counted *counted);
void e8_sums_write(struct e8_sums *sums, struct e8_side *side);
/* Some of those of an endpoint (0: of all) that ended before. */
void e8_sums_trim(struct e8_side *side, int64_t webhook, e8_wall_ns before);

#endif
