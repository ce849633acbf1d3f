/* The engine: runs a plan. Workers share nothing but the const plan, the start gate, a stop flag, which endpoints get nothing more,
 * what has become of them, and which secret of each signs (atomics), the moment from which the next attempt may go where there is a rate_max (one atomic),
 * statistics that change hands, and one ring each to the log. What would block a worker (commands, readings of an effect probe) is a
 * job: it goes into the locked queue of one helper thread, which is started with the first, and comes back, whole, through the
 * worker's mailbox (one atomic) and a wake-up of its transport. Pauses, changes of the rate and changes of endpoints are records that are
 * published whole and never changed (turn.c, standing.c).
 *
 * The way of one delivery: the schedule says when (pace), the walk says what (scenario), the template renders, the signer signs,
 * the transport sends, the outcome decides on a retry (delivery), stats and log get the attempt. */
#ifndef E8_ENGINE_ENGINE_H
#define E8_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "dlog/dlog.h"
#include "scenario/scenario.h"
#include "stats/stats.h"
#include "transport/transport.h"

struct e8_request_parts;

/* Why an endpoint gets nothing more. */
enum e8_shut {
    E8_SHUT_NOT,
    E8_SHUT_GONE, /* it has answered 410 */
    E8_SHUT_OFF,  /* by e8_engine_shut: as it was disabled, */
    E8_SHUT_DELETED,
};

/* An attempt that has ended, with what it was for. */
struct e8_done {
    const struct e8_attempt *attempt;
    const struct e8_exchange *exchange;
    const struct e8_flow *flow;
    const struct e8_emit *emit; /* of the step that sent it */
    uint64_t instance;
    uint32_t sequence;
    const char *why; /* the expectation was not met: one line; else NULL */
};
struct e8_effect_reading {
    const struct e8_flow *flow;
    const struct e8_emit *emit;
    uint64_t instance;
    bool measured; /* false: why says what went wrong */
    bool met;      /* after - before is as expected */
    int64_t before, after;
    const char *why; /* one line; NULL when met */
};

/* A delivery from outside, for the engine of an e8_plan_feed: whoever feeds it has its retries in a queue of its own, so each feeding
 * is for one attempt (and for those that must follow at once). The engine has it from e8_engine_feed until `on_fed` gives it back. */
struct e8_fed {
    const struct e8_emit *emit; /* e8_plan_feed_emit */
    const char *event_id, *delivery_id;
    struct e8_str body;
    uint16_t endpoint;
    uint16_t number; /* of the attempt: 1, 2, … */
    uint16_t tries;  /* that the endpoint's policy counts, this one included */
    enum e8_trigger trigger;
    e8_mono_ns due;
    void *owner;
    struct e8_fed *next; /* the engine's */
};
enum e8_fed_how {
    E8_FED_MORE,      /* an attempt was made; another follows at once, the delivery is still the engine's */
    E8_FED_DELIVERED, /* given back, as in all that follow */
    E8_FED_RETRY,     /* by the endpoint's policy: after `wait` */
    E8_FED_FAILED,    /* for good */
    E8_FED_UNSENT,    /* no attempt was made: the engine stops, or the endpoint is disabled */
};
struct e8_fed_end {
    struct e8_fed *fed; /* NULL: the delivery is the plan's own, and its retries are the engine's, too */
    enum e8_fed_how how;
    const char *event_id;
    uint16_t endpoint;
    uint16_t copy;     /* 0: the delivery itself */
    enum e8_shut shut; /* why it is unsent; NOT: the engine stops */
    e8_dur_ns wait;
    const struct e8_attempt *attempt;       /* NULL: unsent */
    const struct e8_exchange *exchange;     /* likewise */
    const struct e8_request_parts *request; /* likewise */
    const struct e8_tamper *tamper;         /* NULL: nothing was changed on purpose */
    struct e8_str body;                     /* before it was changed */
    const struct e8_scheme *scheme;         /* that signs; NULL: none */
    size_t secrets;                         /* that signed */
    bool before;                            /* one did: that from before a change (struct e8_change) */
};

/* An event of the plan's own, and what it owes. */
struct e8_owed {
    char id[E8_ID_MAX]; /* of the delivery */
    uint16_t endpoint;
    bool withheld;     /* it is not sent, or not now: as the step says, or because the endpoint is shut: */
    enum e8_shut shut; /* NOT: it is not */
};
struct e8_event_made {
    const char *id;
    const struct e8_emit *emit;
    e8_wall_ns at; /* its time */
    struct e8_str body;
    const struct e8_owed *owed;
    size_t count;
};

#define E8_IN_FLIGHT_DEFAULT 10000
#define E8_WAITING_DEFAULT   50000 /* some 16 kB each */
/* How many deliveries may wait for a retry where nothing else was asked for: as many as may be in flight, and not below that. */
static inline size_t e8_waiting_of(size_t in_flight)
{
    return in_flight > E8_WAITING_DEFAULT ? in_flight : E8_WAITING_DEFAULT;
}

struct e8_engine_options {
    unsigned workers; /* 0: the cores */
    double speed;     /* 10: ten times faster; 0: 1 */
    e8_wall_ns clock; /* fixed start of the events' time; 0: the real one */
    size_t
        in_flight; /* attempts at a time at most, over all workers; 0: 10,000. Events wait at that many deliveries, those that wait
                      for a retry apart; */
    size_t waiting;  /* and at so many of these; 0: 50,000, or `in_flight` where that is more */
    bool drop;       /* at these bounds, drop events and count them instead of waiting */
    e8_dur_ns grace; /* for draining after a stop; 0: 10 s */
    struct e8_reach reach;
    struct e8_dlog *log; /* opened, begun; NULL: no log */
    e8_mono_ns epoch;    /* start of the run; 0, or too near: as soon as the workers are ready */
    bool
        appointed; /* `epoch` is kept, also where it has passed: what was due before is late; and the events' time there is
                                exactly `wall` */
    bool keep;               /* hand responses to `on_done` */
    enum e8_trigger trigger; /* of first attempts */
    bool pin;                /* worker k stays on the k-th of the cores that this process may use */
    e8_dur_ns spin;          /* see e8_transport_spin */
    double rate_max; /* attempts per second at most, over all workers, copies apart; 0: no such bound */
    bool exec;       /* commands of the scenario may be run */
    e8_wall_ns
        wall; /* the ids' time is this and the plan's own offset: the recorded start of the run, or of the run that is resumed, so
                 that its ids are made again. 0: now. With `clock`, that stands in its place */
    const struct e8_done_deliveries *
        done; /* of the run that is resumed: not sent again, and not planned; its events keep their times; the
                  schedule goes on where it had come to, and what was due before is due at once. NULL: none */
    /* Each ended attempt, on the worker's thread; may be NULL. What it points to is valid during the call. */
    void (*on_done)(void *state, const struct e8_done *done);
    /* Each second reading of an effect probe, likewise; may be NULL. */
    void (*on_effect)(void *state, const struct e8_effect_reading *reading);
    /* Each event, likewise, before anything of it is sent; may be NULL. */
    void (*on_event)(void *state, const struct e8_event_made *event);
    /* What has become of each delivery, attempt by attempt, likewise; what was fed and never taken comes back on the thread of
     * e8_engine_finish. May be NULL where nothing is fed. */
    void (*on_fed)(void *state, const struct e8_fed_end *end);
    /* Whoever keeps what is told cannot keep up, so that no attempt is to begin: what is due waits, and its response time contains that,
     * while what is under way goes on as ever. Asked again and again, on the workers' threads. May be NULL. */
    bool (*on_hold)(void *state);
    void *state;
};

struct e8_engine;
/* Starts the workers. The plan and the catalogue must outlive the engine. */
enum e8_rc e8_engine_start(const struct e8_plan *plan, const struct e8_catalog *catalog,
                           const struct e8_engine_options *options, struct e8_engine **out,
                           struct e8_err *err);
/* Waits up to `timeout` for the end; true when all workers have ended. */
bool e8_engine_wait(struct e8_engine *engine, e8_dur_ns timeout);
/* Hands a delivery over. Any thread, until e8_engine_finish; after a stop it comes back unsent. */
void e8_engine_feed(struct e8_engine *engine, struct e8_fed *fed);
/* Statistics so far: merges what the workers have handed over. Caller's thread; valid until the next call. */
const struct e8_stats *e8_engine_stats(struct e8_engine *engine);
/* Dispatch nothing more, wait for what is in flight up to the grace. Any thread; may be called from a signal handler. */
void e8_engine_stop(struct e8_engine *engine);
/* Abort what is in flight at once. */
void e8_engine_abort(struct e8_engine *engine);

/* While it runs, from the thread that started it. Each takes effect some 15 ms later, at the same moment on all workers.
 * A pause stops the schedule's clock: what is due by then is still sent; all that comes after it (arrivals, what follows within a
 * flow, retries, new instances of closed loops) is due later by the length of the pause, so that there is neither a burst at its
 * end nor a response time that contains it. */
void e8_engine_pause(struct e8_engine *engine, bool paused);
/* Arrivals of open phases come `factor` (> 0) times as fast as planned; waits within flows stay what they are. */
void e8_engine_hasten(struct e8_engine *engine, double factor);
struct e8_engine_now {
    bool paused;
    double factor;
    bool open;             /* an open phase is under way or comes: a factor means something */
    double arrivals;       /* per second, that all open phases intend now */
    uint32_t closed;       /* instances at a time of closed loops that are under way */
    e8_mono_ns ends;       /* of the schedule; E8_NEVER: paused, or closed loops of no certain length */
    bool warming;          /* a warm-up is under way: what it sends is in the statistics' n.warmup alone */
    uint64_t on_wire;      /* attempts under way, those of the warm-up too */
    uint64_t waiting;      /* deliveries that wait for their retry, or that a step holds back */
    double busy;           /* of the busiest worker: its share of time awake since the last call, 0..1 */
    bool bounded, crowded; /* so far, as in the result, */
    uint64_t holds;        /* and this, too */
};
void e8_engine_look(struct e8_engine *engine, struct e8_engine_now *out);

/* An endpoint that is changed while the run goes on, from the same thread: what begins once these have returned (an event, an attempt,
 * a wait for a retry) is as they say. What is on the wire stays as it is, and so do copies of what was sent: they are the same bytes. */
struct e8_change {
    /* What it is from now on; its name stays. It and all that it points to, but the secrets, must last until e8_engine_finish. */
    const struct e8_endpoint *endpoint;
    bool rotated;       /* its secret is another one with this change, */
    const char *before; /* and this one still signs what events from before that owe; NULL: none does */
};
/* Not for endpoints that the plan itself rotates. E8_INPUT: a secret is not of the scheme's form; the endpoint stays as it is. */
enum e8_rc e8_engine_change(struct e8_engine *engine, size_t endpoint, const struct e8_change *change,
                            struct e8_err *err);
/* It gets nothing more, for this reason, and what waits for it is given up when it is due; NOT: what comes goes there again, also where it
 * has answered 410. */
void e8_engine_shut(struct e8_engine *engine, size_t endpoint, enum e8_shut why);

struct e8_expected {
    uint64_t met, unmet, reported, not_measured; /* effects count as well */
    char why[160];                               /* of the first that was not met */
    char delivery_id[E8_ID_MAX];                 /* of the same */
};
struct e8_engine_result {
    struct e8_stats *stats; /* owned by the caller: e8_stats_free */
    struct e8_transport_counts transport;
    uint64_t stalls;   /* times that a full ring of the log made a worker wait */
    uint64_t disabled; /* endpoints disabled by a 410 */
    uint64_t holds;    /* times that something was due, and on_hold let it wait */
    bool bounded;      /* something that was due waited, since in_flight was reached */
    bool crowded;      /* likewise, by those that wait for a retry */
    bool interrupted;
    bool log_failed;        /* the log could not be written; dispatch was stopped */
    bool generator_limited; /* our fds, ports or memory ran out; dispatch was stopped */
    bool by_hand;     /* it was paused, or its rate changed: what was planned is not what was intended */
    e8_dur_ns paused; /* for so long, in all */
    /* Of the rate, by hand: the least and the most of the factors, 1 included, and when it was changed first, from the start of the run.
     * factor_least 0: it was not. */
    double factor_least, factor_most;
    e8_dur_ns changed_at;
    struct e8_schedule schedule; /* without the warm-up */
    unsigned workers;
    bool stopped_by_step;     /* a step says `on_failure: stop-run`, and failed */
    uint64_t flows_stopped;   /* instances that ended early because an awaited delivery failed */
    uint64_t commands_failed; /* of `exec` steps that do not say to continue */
    char command_why[160];    /* of the first of them */
    /* What steps expected; for each emit of the plan; owned by the caller: free(). NULL when no step expects anything. */
    struct e8_expected *expected;
    /* Concurrent copies: how long from the first send of a release to its last. Owned by the caller: e8_hist_free. NULL: none. */
    struct e8_hist *spread;
    e8_dur_ns elapsed;
    e8_dur_ns timer_floor; /* p99 lateness of this host's timers */
    struct e8_pressure pressure;
};
/* Joins the workers and frees the engine. */
void e8_engine_finish(struct e8_engine **engine, struct e8_engine_result *result);

/* The signers of an endpoint. NULL: not signed; of all but `right` also: not needed. */
struct e8_keys {
    struct e8_signer *right;
    struct e8_signer *other;           /* with a secret that nobody has */
    struct e8_signer *previous, *next; /* before and after a rotation */
};
const char *e8_nobodys_secret(const struct e8_scheme *scheme); /* that signs `other` */
/* A delivery as the wire gets it; shared by the engine, --dry-run and log --show. Slices point into `memory` (headers; fixed, the
 * caller resets it), `scratch` (a body that was tampered with; growing; may be NULL where the step does not tamper), the plan, and
 * what `in` points to. seed: of what tampering draws. */
struct e8_request_parts {
    struct e8_header headers[64];
    size_t count;
    struct e8_str method, body;
    const struct e8_wire *wire; /* NULL: as usual */
};
enum e8_rc e8_request_build(const struct e8_catalog *catalog, const struct e8_endpoint *endpoint,
                            const struct e8_emit *emit, const struct e8_keys *keys,
                            const struct e8_sign_input *in, uint64_t seed, struct e8_buf *memory,
                            struct e8_buf *scratch, struct e8_request_parts *out);

/* What a plan would send, in the order of its schedule per flow instance, without sending it. Texts are valid during the call. */
struct e8_preview {
    const struct e8_endpoint *endpoint;
    const struct e8_emit *emit;
    const struct e8_flow *flow;
    uint64_t instance;
    uint32_t sequence;
    const struct e8_deliver *deliver; /* faults and copies */
    const char *event_id, *delivery_id;
    e8_dur_ns offset; /* from the start of the run, where nothing waits for the receiver */
    e8_wall_ns at;
    struct e8_str body; /* = parts->body */
    const struct e8_request_parts *parts;
};
typedef bool e8_preview_fn(void *state, const struct e8_preview *preview); /* false: no more */
/* clock: the events' time at the start of the plan. */
enum e8_rc e8_preview_plan(const struct e8_plan *plan, const struct e8_catalog *catalog, e8_wall_ns clock,
                           e8_preview_fn *fn, void *state, struct e8_err *err);

#endif
