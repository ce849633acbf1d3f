/* What a run amounts to: counts and histograms of its attempts, over all, for each endpoint and for each event type.
 * A worker fills its own object and hands it over whole; merging parts gives what recording everything in one would have.
 * One owner thread at a time; no locks. Memory is taken when an endpoint or a type is first seen, then kept. */
#ifndef E8_STATS_STATS_H
#define E8_STATS_STATS_H

#include <stdint.h>

#include "base/base.h"
#include "delivery/delivery.h"
#include "doc/json.h"
#include "hist/hist.h"

#define E8_STATUSES      600
#define E8_TRIGGER_COUNT (E8_TRIGGER_REPLAY + 1)
#define E8_FLAG_COUNT    6 /* bits of e8_attempt.flags, without E8_FLAG_WARMUP */
#define E8_DEADLINES     5

/* Nothing but uint64_t stands here. */
struct e8_counts {
    /* Not counted for endpoints: one event may go to several. */
    uint64_t events;
    /* Deliveries: one event to one endpoint. At the end of a run planned = delivered + failed + dropped + aborted + withheld. */
    uint64_t planned, delivered, failed, dropped, aborted;
    /* withheld: not sent, because a fault said so (`drop`), or because a 410 had disabled the endpoint; not in `dropped`. gone: of
     * them, those of the 410. expected: deliveries that ended with an answer that is no 2xx, just as the step expected it; they
     * count as delivered. unmet: deliveries whose last attempt was not as expected. */
    uint64_t withheld, gone, expected, unmet;
    /* All below are of attempts. sent: a byte went to the kernel. generator: failed by our own fault, not the receiver's,
     * though a delivery that ended so is in `failed`. connects, handshakes: opened a connection, made a TLS handshake. */
    uint64_t attempts, sent, generator, connects, handshakes;
    uint64_t bytes_sent, bytes_received;
    uint64_t outcomes[E8_OUTCOME_COUNT];
    uint64_t triggers[E8_TRIGGER_COUNT]; /* retries, stale re-sends, … */
    uint64_t classes[6];                 /* by the first digit of the status; [0]: without a valid one */
    uint64_t flags[E8_FLAG_COUNT];       /* by the number of the bit of E8_FLAG_*; see e8_counts_flag */
    /* Deadlines of the acknowledgement, counted from when the attempt was due. acks: attempts that had an answer, or ran out of time
     * without one. late: of them, those without a whole answer within e8_deadlines[i]. open: of them, those that ran out of time
     * before that, so that nobody knows. */
    uint64_t acks, late[E8_DEADLINES], open[E8_DEADLINES];
    /* Attempts of the warm-up, those of them that were sent, those with a 2xx, and those that opened a connection; they count nowhere
     * else. Over all alone. */
    uint64_t warmup, warmup_sent, warmup_accepted, warmup_connects;
};
/* Ascending. */
extern const e8_dur_ns e8_deadlines[E8_DEADLINES];
/* Attempts with this E8_FLAG_*: reused, reconnected, … */
uint64_t e8_counts_flag(const struct e8_counts *counts, unsigned flag);

/* When it happened. Of attempts; all 0 while attempts (for sent: n.sent) is 0. */
struct e8_span {
    e8_mono_ns first_due, last_due, first_sent, last_sent, last_done;
};

struct e8_tally {
    struct e8_counts n;
    struct e8_span span;
    /* Nanoseconds; owned by the stats; NULL or empty while there was nothing to record. Response and service time of the
     * attempts that were sent, without aborted and unknown ones, whose end was our doing; send lag of all that were sent. */
    struct e8_hist *response;
    struct e8_hist *service, *lag; /* over all; NULL for an endpoint or a type */
};

/* How the beginnings of deliveries kept to their schedule: their first attempts, by when they were due and when the exchange began,
 * with the connecting before the first byte. All 0 while count is 0. */
struct e8_pacing {
    uint64_t count;
    e8_mono_ns first_due, last_due, last_begun;
};

/* When deliveries were to begin, whether they were sent or not: how many, when the first and the last by the plan (first, last), and when
 * these came to be due where a run was paused, or its rate changed, by hand. From the start of the run. All 0 while count is 0. */
struct e8_schedule {
    uint64_t count;
    e8_dur_ns first, last, first_due, last_due;
};
void e8_schedule_add(struct e8_schedule *schedule, e8_dur_ns planned, e8_dur_ns due);
void e8_schedule_merge(struct e8_schedule *into, const struct e8_schedule *from);

/* What happened when: counts of equal slices of time. A slice is as short as it can be, E8_SLICE times a power of two, so that all
 * that happened fits; slices are aligned to the clock's zero. Therefore merging parts gives what recording everything would have. */
#define E8_SLICES 512
#define E8_SLICE  (100 * E8_NS_MS)
struct e8_slice {
    uint64_t begun; /* deliveries whose first attempt was due */
    uint64_t ended; /* deliveries: their last attempt was done */
    uint64_t
        attempts; /* that were done; without those that the end of the run cut off, or that our own fault ended */
    uint64_t failed; /* of them, those that did not deliver, and were not expected to end so */
    uint64_t tried;  /* the same attempts as in `attempts`, by when they were due */
};
struct e8_series {
    size_t count;    /* 0: nothing has happened */
    e8_dur_ns width; /* of a slice */
    int64_t first;   /* slices[i] is of the time from (first + i) * width on */
    struct e8_slice slices[E8_SLICES];
};

/* How hard emit8's loops and the machine were driven. Shares in thousandths. */
struct e8_pressure {
    unsigned busy; /* of the time, in which the busiest loop did not sleep */
    uint64_t windows,
        full; /* of 100 ms, of the loop that was full most often: all; those in which it slept for less than 5 %, but for those in which all
                 that it tried was refused before a byte was sent */
    unsigned cpu; /* of the time of the processors that emit8 may use; 0: not known */
};
void e8_pressure_merge(struct e8_pressure *into, const struct e8_pressure *from); /* the worse of both */

struct e8_stats;
struct e8_stats *e8_stats_new(unsigned endpoints, unsigned types);
void e8_stats_free(struct e8_stats **stats); /* NULL inside is allowed */
void e8_stats_reset(struct e8_stats *stats); /* as new, memory kept */

/* Recording. Indices must be below what e8_stats_new was given. */
void e8_stats_event(struct e8_stats *stats, unsigned type);
void e8_stats_planned(struct e8_stats *stats, unsigned endpoint, unsigned type);
void e8_stats_dropped(struct e8_stats *stats, unsigned endpoint, unsigned type);
/* A delivery that a seeded fault keeps back. */
void e8_stats_withheld(struct e8_stats *stats, unsigned endpoint, unsigned type);
/* One that is not sent because a 410 has disabled its endpoint: withheld as well. */
void e8_stats_gone(struct e8_stats *stats, unsigned endpoint, unsigned type);
/* A planned delivery that the end of the run left without a last attempt; where there was one, e8_stats_add has counted it. */
void e8_stats_aborted(struct e8_stats *stats, unsigned endpoint, unsigned type);
/* One attempt. With `last` it also ends its delivery: delivered, aborted, or else failed. A status that is not 100..599 counts
 * as none. One of the warm-up is in n.warmup alone. Once an endpoint and a type were seen, allocates nothing. */
void e8_stats_add(struct e8_stats *stats, const struct e8_attempt *attempt);

/* Adds `from`, which stays as it was. Both must have the same numbers of endpoints and types. */
void e8_stats_merge(struct e8_stats *into, const struct e8_stats *from);

/* Views, valid until the stats are freed; the counts change with every recording. */
const struct e8_tally *e8_stats_all(const struct e8_stats *stats);
const struct e8_tally *e8_stats_endpoint(const struct e8_stats *stats, unsigned endpoint);
const struct e8_tally *e8_stats_type(const struct e8_stats *stats, unsigned type);
const uint64_t *
e8_stats_statuses(const struct e8_stats *stats); /* attempts by status, [E8_STATUSES]; [0]: none */
const struct e8_pacing *e8_stats_pacing(const struct e8_stats *stats);
const struct e8_series *e8_stats_series(const struct e8_stats *stats);
/* The error text of the earliest attempt at the endpoint with this outcome that had one; "" when none had. How many there
 * were is e8_stats_endpoint(…)->n.outcomes[outcome]. */
const char *e8_stats_sample(const struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome);

/* All of it as a JSON object (under `key`), and back, exactly, for the same numbers of endpoints and types. Times are written with
 * `shift` added; the slices of the series move by whole ones. E8_INPUT for what no e8_stats_put wrote; *out is NULL then. */
void e8_stats_put(const struct e8_stats *stats, e8_dur_ns shift, struct e8_json *w, const char *key);
enum e8_rc e8_stats_get(const struct e8_node *map, unsigned endpoints, unsigned types, struct e8_stats **out,
                        struct e8_err *err);

#endif
