/* The test receiver: verifies signatures in constant time, keeps receipts, and is slow or fails as it is told. */
#ifndef E8_SINK_SINK_H
#define E8_SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "httpd/httpd.h"
#include "sign/sign.h"

/* Shares of statuses: "200:95,503:4,429:1" (weights; need not sum to 100), or one status. */
struct e8_status_mix {
    size_t count;
    struct {
        int status;
        double upto;
    } rows[32]; /* cumulative shares, the last is 1 */
};
enum e8_rc e8_status_mix_parse(struct e8_str text, struct e8_status_mix *out, struct e8_err *err);

/* Faults in shares: "reset:1%,close:0.5%,hang:0.1%,truncate:1%". */
struct e8_fault_mix {
    size_t count;
    struct {
        enum e8_fault fault;
        double upto;
    } rows[8];
};
enum e8_rc e8_fault_mix_parse(struct e8_str text, struct e8_fault_mix *out, struct e8_err *err);

struct e8_sink_options {
    const char *listen; /* NULL: "127.0.0.1:0" */
    const struct e8_scheme *scheme;
    const char *const *secrets; /* none: nothing is verified, and the first line says so */
    size_t secret_count;
    e8_dur_ns tolerance;         /* of signed timestamps; < 0: not checked */
    struct e8_status_mix status; /* count 0: 200 */
    struct e8_spread latency;
    struct e8_fault_mix fault;
    uint64_t seed;
    bool reject;             /* answer 401 to what does not verify (else only counted) */
    const char *receipts;    /* SQLite file to keep receipts in; NULL: none kept, only counted */
    const char *record;      /* file to record what is posted in, as a scenario; NULL: none */
    bool record_force;       /* overwrite that file */
    FILE *out;               /* a line for each delivery; NULL: none */
    bool ndjson;             /* those lines as JSON */
    const char *retry_after; /* header value sent with 429 and 503; NULL: none */
    /* The delivery's header names; NULL: X-8bit-Event, X-8bit-Delivery, X-8bit-Attempt. */
    const char *event_header, *delivery_header, *attempt_header;
};

struct e8_sink;
enum e8_rc e8_sink_start(const struct e8_sink_options *options, struct e8_sink **out, struct e8_err *err);
const char *e8_sink_url(const struct e8_sink *sink);

struct e8_sink_counts {
    uint64_t received;           /* complete requests */
    uint64_t verified, rejected; /* by signature; both 0 without secrets */
    uint64_t faulted;            /* answered with a fault */
    uint64_t status[600];
    uint64_t duplicates; /* same delivery and attempt seen before */
    size_t types;        /* distinct event types */
};
/* A copy, from any thread. */
void e8_sink_counts(struct e8_sink *sink, struct e8_sink_counts *out);
/* Stops accepting, flushes receipts and the recording, joins, frees. E8_ENV when they could not be written. */
enum e8_rc e8_sink_stop(struct e8_sink **sink, struct e8_err *err);

#endif
