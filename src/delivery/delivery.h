/* The words that all of emit8 shares: outcome, attempt, retry policy. Data and pure functions; no I/O, no clock. */
#ifndef E8_DELIVERY_DELIVERY_H
#define E8_DELIVERY_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

/* How an attempt ended. Every attempt ends in exactly one. The table in delivery.c gives names, texts and retry rules. */
enum e8_outcome {
    E8_DELIVERED,
    E8_CONNECT_REFUSED,
    E8_CONNECT_FAILED,
    E8_CONNECT_TIMEOUT,
    E8_DNS_FAILED,
    E8_GEN_FD,
    E8_GEN_PORT,
    E8_GEN_MEMORY,
    E8_NO_RESPONSE,
    E8_RESET,
    E8_STALE_CONNECTION,
    E8_TRUNCATED,
    E8_RESET_IN_BODY,
    E8_TIMEOUT_FIRST_BYTE,
    E8_TIMEOUT_BODY,
    E8_NOT_HTTP,
    E8_BAD_STATUS,
    E8_BAD_FRAMING,
    E8_BAD_HEADER,
    E8_TOO_MANY_INTERIM,
    E8_UNEXPECTED_101,
    E8_REDIRECT,
    E8_HTTP_4XX,
    E8_GONE,
    E8_THROTTLED,
    E8_HTTP_5XX,
    E8_TLS_UNTRUSTED,
    E8_TLS_EXPIRED,
    E8_TLS_NAME,
    E8_TLS_HANDSHAKE,
    E8_TLS_TIMEOUT,
    E8_DESYNC,
    E8_FORBIDDEN_TARGET, /* the address of the socket is not one that the user allowed; nothing was sent */
    E8_UNKNOWN,          /* the transport lost track (its multi handle failed); may have been sent */
    E8_ABORTED,
    E8_OUTCOME_COUNT,
};

enum e8_retry_class {
    E8_RETRY_NO,
    E8_RETRY_YES,   /* by the endpoint's policy */
    E8_RETRY_AFTER, /* the same, honouring Retry-After */
    E8_RETRY_NOW,   /* at once, as a new numbered attempt; not counted against the policy */
};

struct e8_outcome_info {
    const char *name; /* stable: stands in logs and reports */
    const char *text; /* one sentence for people */
    enum e8_retry_class retry;
    bool generator; /* ours: never counts against the receiver */
};

const struct e8_outcome_info *e8_outcome_info(enum e8_outcome outcome);
bool e8_outcome_find(struct e8_str name, enum e8_outcome *out);
/* The outcome of a complete response with this status (100..599). */
enum e8_outcome e8_outcome_of_status(int status);

/* What else was seen; bits of e8_attempt.flags. */
enum {
    E8_FLAG_REUSED = 1,         /* on a kept-alive connection */
    E8_FLAG_BODY_CAPPED = 2,    /* more body than is read; connection closed */
    E8_FLAG_TRAILING_BYTES = 4, /* bytes after the response; connection closed */
    E8_FLAG_RECONNECTED = 8,    /* an idle connection was found dead before a byte was sent */
    E8_FLAG_IDLE_BYTES = 16,    /* the idle connection held bytes nobody had asked for; closed unused */
    E8_FLAG_TLS_RESUMED = 32,
    E8_FLAG_WARMUP = 64, /* of the warm-up: sent and logged, but not counted */
};

/* Why an attempt was made. */
enum e8_trigger {
    E8_TRIGGER_EVENT,
    E8_TRIGGER_RETRY,
    E8_TRIGGER_STALE,
    E8_TRIGGER_RESEND,
    E8_TRIGGER_TEST,
    E8_TRIGGER_DUPLICATE, /* a copy of a delivery, sent on purpose */
    E8_TRIGGER_REPLAY,    /* of a recording */
};
const char *e8_trigger_name(enum e8_trigger trigger);

/* What a step expected, and whether it came. */
enum e8_attempt_verdict {
    E8_EXPECTED_NOTHING,
    E8_EXPECTATION_MET,
    E8_EXPECTATION_UNMET,
    E8_EXPECTATION_REPORTED
};

/* Of an enum e8_attempt_verdict: "met", "unmet", "reported"; "" for everything else. */
const char *e8_expectation_name(int64_t verdict);

/* The three times of an attempt. due <= sent <= done; sent is done's value where nothing was sent. */
struct e8_times {
    e8_mono_ns due;  /* when the schedule says that it starts */
    e8_mono_ns sent; /* when its first byte was handed to the kernel (or would have been) */
    e8_mono_ns
        done; /* when the kernel had the response's last byte, as far as that is known, else when it was read; or it failed */
};
e8_dur_ns e8_response_time(const struct e8_times *times);
e8_dur_ns e8_service_time(const struct e8_times *times);
e8_dur_ns e8_send_lag(const struct e8_times *times);

/* Phases of an exchange as durations from its start; -1: did not happen (reused connection, or not reached). */
struct e8_phases {
    e8_dur_ns dns, connect, tls, first_byte, total;
};

#define E8_ID_MAX    40 /* with the NUL */
#define E8_ERROR_MAX 96

/* One attempt as it is recorded: what the log's ring carries. Plain data. */
struct e8_attempt {
    uint32_t event;    /* index of the event's row in the run; see e8_event_record */
    uint16_t endpoint; /* index in the plan */
    uint16_t number;   /* 1, 2, … on the wire */
    uint8_t outcome;   /* enum e8_outcome */
    uint8_t trigger;   /* enum e8_trigger */
    uint16_t flags;
    int16_t status;  /* 0: none was read */
    bool last;       /* the delivery ended with this attempt */
    uint8_t verdict; /* enum e8_attempt_verdict: of the step's expectation */
    uint16_t copy;   /* 0: the delivery itself; 1, 2, …: sent once more on purpose, with the same ids */
    uint32_t step;   /* index of the emit step in the plan; of a copy by `again`, that step's own */
    uint16_t type;   /* index in the catalogue */
    struct e8_times times;
    struct e8_phases phases;
    uint64_t bytes_sent, bytes_received;
    int64_t timestamp; /* Unix seconds that were signed and sent */
    char event_id[E8_ID_MAX];
    char delivery_id[E8_ID_MAX];
    char error
        [E8_ERROR_MAX]; /* for people; empty when delivered. Last: what is behind its text is not touched */
};

/* Is it the first attempt of its delivery? That of a copy may have a later number. */
bool e8_attempt_begins(const struct e8_attempt *attempt);

/* Retry policy of an endpoint. */
enum e8_jitter { E8_JITTER_FULL, E8_JITTER_NONE, E8_JITTER_EQUAL };
struct e8_retry_policy {
    uint32_t attempts; /* in all, the first included; 1: no retries */
    e8_dur_ns base;
    double factor; /* >= 1 */
    e8_dur_ns cap;
    enum e8_jitter jitter;
};
/* The wait before attempt `next` (2, 3, …): min(cap, base * factor^(next-2)), jittered from `rng`; full: uniform in
 * [0, d]; equal: uniform in [d/2, d]. retry_after < 0: none was given; else the larger of the two, at most cap. */
e8_dur_ns e8_retry_wait(const struct e8_retry_policy *policy, uint32_t next, e8_dur_ns retry_after,
                        struct e8_rng *rng);
/* Retry-After (RFC 9110, 10.2.3): seconds or an HTTP-date relative to `now`. -1 when absent or not understood; a date in the
 * past is 0; huge values are clamped to E8_NEVER / 4. */
e8_dur_ns e8_retry_after_parse(struct e8_str value, e8_wall_ns now);

#endif
