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
#define E8_FLAG_COUNT    6 /* bits of e8_attempt.flags */

/* Nothing but uint64_t stands here. */
struct e8_counts {
    /* Not counted for endpoints: one event may go to several. */
    uint64_t events;
    /* Deliveries: one event to one endpoint. At the end of a run planned = delivered + failed + dropped + aborted. */
    uint64_t planned, delivered, failed, dropped, aborted;
    /* withheld: not sent because a fault said so (`drop`); not in `dropped`. At the end planned = delivered + failed + dropped +
     * aborted + withheld. expected: deliveries that ended with an answer that is no 2xx, just as the step expected it; they
     * count as delivered. unmet: deliveries whose last attempt was not as expected. */
    uint64_t withheld, expected, unmet;
    /* All below are of attempts. sent: a byte went to the kernel. generator: failed by our own fault, not the receiver's,
     * though a delivery that ended so is in `failed`. connects, handshakes: opened a connection, made a TLS handshake. */
    uint64_t attempts, sent, generator, connects, handshakes;
    uint64_t bytes_sent, bytes_received;
    uint64_t outcomes[E8_OUTCOME_COUNT];
    uint64_t triggers[E8_TRIGGER_COUNT]; /* retries, stale re-sends, … */
    uint64_t classes[6];                 /* by the first digit of the status; [0]: without a valid one */
    uint64_t flags[E8_FLAG_COUNT];       /* by the number of the bit of E8_FLAG_*; see e8_counts_flag */
};
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
/* A planned delivery that the end of the run left without a last attempt; where there was one, e8_stats_add has counted it. */
void e8_stats_aborted(struct e8_stats *stats, unsigned endpoint, unsigned type);
/* One attempt. With `last` it also ends its delivery: delivered, aborted, or else failed. A status that is not 100..599 counts
 * as none. Once an endpoint and a type were seen, allocates nothing. */
void e8_stats_add(struct e8_stats *stats, const struct e8_attempt *attempt);

/* Adds `from`, which stays as it was. Both must have the same numbers of endpoints and types. */
void e8_stats_merge(struct e8_stats *into, const struct e8_stats *from);

/* Views, valid until the stats are freed; the counts change with every recording. */
const struct e8_tally *e8_stats_all(const struct e8_stats *stats);
const struct e8_tally *e8_stats_endpoint(const struct e8_stats *stats, unsigned endpoint);
const struct e8_tally *e8_stats_type(const struct e8_stats *stats, unsigned type);
const uint64_t *
e8_stats_statuses(const struct e8_stats *stats); /* attempts by status, [E8_STATUSES]; [0]: none */
/* The error text of the earliest attempt at the endpoint with this outcome that had one; "" when none had. How many there
 * were is e8_stats_endpoint(…)->n.outcomes[outcome]. */
const char *e8_stats_sample(const struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome);

/* All of it as a JSON object (under `key`), and back, exactly, for the same numbers of endpoints and types. Times are written with
 * `shift` added. E8_INPUT for what no e8_stats_put wrote; *out is NULL then. */
void e8_stats_put(const struct e8_stats *stats, e8_dur_ns shift, struct e8_json *w, const char *key);
enum e8_rc e8_stats_get(const struct e8_node *map, unsigned endpoints, unsigned types, struct e8_stats **out,
                        struct e8_err *err);

#endif
