/* Scenario files: what is sent, to whom, when. A file becomes an immutable plan; a walk through a flow is a pure function of
 * (seed, flow, instance). No sockets, no threads, no clock. */
#ifndef E8_SCENARIO_SCENARIO_H
#define E8_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "expect/expect.h"
#include "match/match.h"
#include "pace/pace.h"
#include "tamper/tamper.h"
#include "threshold/threshold.h"

#define E8_DEPTH_MAX     16 /* repeat, choose, parallel within each other */
#define E8_ENDPOINTS_MAX 1024
#define E8_PHASES_MAX    1000
#define E8_STAGES_MAX    1000      /* pieces of steps */
#define E8_EMITS_MAX     1000000   /* emit steps of a plan, foreach written out */
#define E8_BRANCHES_MAX  256       /* of one parallel */
#define E8_STEPS_MAX     100000000 /* that one instance of a flow takes at most */
#define E8_SPAN_MAX                                                                                          \
    ((e8_dur_ns)366 * 24 * 3600 * E8_NS_S) /* of every wait, length, start and time-out that a user gives */
#define E8_HEADERS_MAX (8 << 10) /* bytes of headers that are made for one attempt; larger ones are refused */
#define E8_COPIES_MAX  1000      /* of one delivery */

struct e8_endpoint {
    const char *name, *url;
    const struct e8_scheme *scheme;
    const char *const *secrets;  /* as the user wrote them; wiped with the plan */
    size_t secret_count;         /* 0: not signed */
    const char *const *rotation; /* the secrets that `rotate` steps go on to, one after another */
    size_t rotation_count;
    struct e8_subscription subscription;
    e8_dur_ns timeout;
    struct e8_retry_policy retry;
    const struct e8_header *headers; /* beside the platform's and the scheme's */
    size_t header_count;
};

/* How deliveries of an event leave. */
struct e8_deliver {
    uint32_t copies; /* times that a delivery is sent once more, with the same ids; 0: none */
    bool
        concurrent; /* all of them and the delivery itself on connections of their own, released at one barrier; else each
                          copy when the one before has ended */
    bool
        retried; /* copies as a platform retries: a new time and signature, the next attempt's number; else the same bytes */
    bool reorder;   /* after the next event of its flow instance */
    bool drop;      /* not at all */
    e8_dur_ns late; /* due so much later; the events behind it are not */
    e8_dur_ns
        burst; /* due when the next multiple of this is reached: what falls in between leaves all at once */
};
/* The same as shares of all deliveries, drawn from the seed. */
struct e8_faults {
    double duplicate, reorder, late, drop, burst;
    uint32_t copies;
    bool concurrent;
    e8_dur_ns late_by, burst_over;
};

/* An event that is the one before once more. */
enum e8_again {
    E8_AGAIN_NO,
    E8_AGAIN_RETRY,  /* same ids, new time and signature, the next attempt's number */
    E8_AGAIN_REPLAY, /* the same bytes, all of them */
};

/* One kind of event that a flow emits. */
struct e8_emit {
    uint32_t index; /* in the plan's list of emits: what the log calls a step */
    uint16_t type;  /* in the plan's list of types */
    uint16_t
        event; /* the catalogue's type that `body` is of: what templates' facts tell; 0 beside `raw` of a foreign type */
    int16_t endpoint; /* the only one that gets it, whatever it subscribes to; -1: all that take it */
    bool verbatim; /* nothing is added to its headers but what HTTP needs, and nothing signed: a recording */
    bool
        faultless; /* the shares of `faults` leave it alone: it tampers, expects, or says itself how it is delivered */
    bool
        awaited; /* its deliveries are waited for before anything follows: the shares of `faults` do not reorder it */
    enum e8_again again;
    int line;
    const char *name;               /* the step's own; or NULL */
    const struct e8_template *body; /* NULL where `raw` is given */
    struct e8_str raw;              /* sent as it is */
    const char *environment;
    const char *delivery_id; /* the id of its deliveries (a recording); NULL: made */
    const char
        *json; /* what the step says beside its type, as JSON (see e8_log_step), or NULL; for the log */
    const struct e8_header *headers; /* go before the endpoint's and ours of the same name */
    size_t header_count;
    const struct e8_tamper *tamper; /* or NULL */
    const struct e8_expect *expect; /* or NULL */
    struct e8_deliver deliver;
    const char *file;
};

/* Where a number is read that tells how often something took effect: a GET and a JSON pointer, or a command's output. */
struct e8_effect {
    const char *get, *pointer;  /* URL; NULL: a command */
    const char *const *command; /* argv, NULL-terminated */
    e8_dur_ns settle;           /* wait before the second reading */
};

enum e8_step_kind {
    E8_STEP_EMIT,
    E8_STEP_WAIT,
    E8_STEP_AT, /* wait until so long after the instance's start */
    E8_STEP_REPEAT,
    E8_STEP_CHOOSE,
    E8_STEP_PARALLEL,
    E8_STEP_AWAIT, /* until all deliveries so far of this flow instance (in a branch: of the branch) have ended */
    E8_STEP_SECRET,  /* rotate or revoke */
    E8_STEP_EXEC,    /* run a command and wait for it */
    E8_STEP_MEASURE, /* read the effect probe */
};
enum e8_on_failure { E8_ON_FAILURE_STOP_FLOW, E8_ON_FAILURE_CONTINUE, E8_ON_FAILURE_STOP_RUN };
struct e8_steps {
    const struct e8_step *list;
    size_t count;
};
struct e8_branch {
    double upto; /* of choose: cumulative share; the last is 1 */
    struct e8_steps steps;
};
struct e8_step {
    enum e8_step_kind kind;
    union {
        const struct e8_emit *emit;
        struct {
            e8_dur_ns low, high;            /* uniform, both included */
            const struct e8_spread *spread; /* a distribution in their place; or NULL */
        } wait;
        e8_dur_ns at;
        struct {
            uint32_t low, high;
            struct e8_steps body;
        } repeat;
        struct {
            const struct e8_branch *list;
            size_t count;
        } branches; /* choose, parallel */
        struct {
            enum e8_on_failure on_failure;
        } await;
        struct {
            uint16_t endpoint;
            bool revoke; /* ends the grace at once */
            e8_dur_ns
                grace; /* rotate: so long schemes that may carry several signatures sign with the old secret as well */
        } secret;
        struct {
            const char *const *argv;       /* NULL-terminated */
            enum e8_on_failure on_failure; /* an exit code other than 0 */
        } exec;
        struct {
            const struct e8_effect
                *effect; /* NULL: the plan's own; where there is none either, nothing is measured */
            const struct e8_emit *emit; /* whose expectation the second reading judges */
            bool after;
        } measure;
    };
};

/* What `check:` says of a flow that is a probe of a receiver. */
struct e8_probe {
    const char *title, *why, *mend;
    const char *const *needs; /* secret, signed_time, effect, next_secret, hook; NULL-terminated */
    bool canary;              /* where it fails, nothing else means anything */
};
struct e8_flow {
    const char *name;
    uint64_t key; /* e8_hash_str of the name */
    struct e8_steps steps;
    const struct e8_faults *faults; /* its own; NULL: the plan's */
    const struct e8_probe *probe;   /* or NULL */
    bool rotate;                    /* instance k is the step k mod count alone: single events, not stories */
    bool aged; /* its entities began some minutes before the first event (2 to 30, drawn) */
};

/* One entry of `run:`. Entries follow one another, unless `at` gives an entry its own start. */
struct e8_phase {
    const struct e8_flow *flow;
    bool open;
    struct e8_pace pace;  /* open loop */
    uint64_t times;       /* closed loop: instances in all, at most */
    uint32_t concurrency; /* closed loop: at a time */
    e8_dur_ns within; /* closed loop: none starts later than this after the phase's start; 0: no such bound */
    bool warmup;      /* sent and logged, but not counted: to make ready for the phase behind it */
    e8_dur_ns at;     /* from the start of the run; -1: when the entry before has been dispatched */
    uint64_t
        first; /* number of its first instance: no two instances of a flow have the same, through all phases */
};

/* One of the equal parts into which a plan is divided for several machines. */
struct e8_shard {
    unsigned number; /* from 1 to count */
    unsigned count;  /* 0: the plan is not divided */
};

struct e8_plan {
    const char *name, *description;
    char digest[65]; /* SHA-256 of the file and of what it includes; of the settings where there is no file */
    uint64_t seed;
    bool seed_given;
    const char *const *
        types; /* the catalogue's, then those that only this plan has (with a body of their own); NULL-terminated */
    size_t type_count;
    struct e8_endpoint *endpoints;
    size_t endpoint_count;
    struct e8_emit *emits;
    size_t emit_count;
    struct e8_flow *flows;
    size_t flow_count;
    struct e8_phase *phases;
    size_t phase_count;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_faults faults;
    const struct e8_effect *effect; /* or NULL */
    bool executes;                  /* has commands; they need the user's leave */
    const char *const *allow;       /* targets.allow; NULL-terminated */
    struct e8_shard shard;          /* which part of it is meant; set by who runs it */
};

/* What stands outside the file. */
struct e8_scenario_options {
    const char *(*getenv)(const char *name); /* NULL: no variables */
    /* Reads a file that the scenario includes or takes rows from, `path` as resolved against the including file. The text is the
     * callback's until the plan is made. NULL: nothing can be included. */
    enum e8_rc (*read)(void *state, const char *path, struct e8_str *out, struct e8_err *err);
    void *read_state;
    const char *to;              /* URL for every endpoint, or NULL */
    const char *const *to_named; /* "NAME=URL"; NULL-terminated or NULL */
    const char *const *vars;     /* "NAME=VALUE" of --var; NULL-terminated or NULL */
    const char *secret; /* for endpoints that have none of their own, or whose own is not there; or NULL */
    const char *next_secret; /* the same for rotations; or NULL */
    bool rotation_written;   /* next_secret does not stand in where the file's endpoint has no rotation: */
    bool stand_ins; /* these two are made up, and so may be whatever else is not there: each secret another */
    const char *environment;        /* of events that name none; beats the file's; or NULL */
    const struct e8_effect *effect; /* beats the file's; or NULL */
    bool seed_given;
    uint64_t seed;        /* beats the file's */
    uint64_t seed_random; /* taken where neither gives one */
};

/* Reads a plan. Every fault of the file goes to errs, each with file:line:col. The catalogue must outlive the plan. A scenario
 * without endpoints gets one, "target", when `to` is given. */
enum e8_rc e8_plan_parse(const struct e8_catalog *catalog, const char *name, struct e8_str text,
                         const struct e8_scenario_options *options, struct e8_plan **out,
                         struct e8_errs *errs);
void e8_plan_free(struct e8_plan **plan); /* wipes secrets */

/* A plan without a file: `emit8 send`. */
struct e8_send_options {
    const char *const *patterns; /* types or patterns; NULL-terminated */
    struct e8_str raw;           /* a body to send as it is (then patterns name its one type); p NULL: none */
    const struct e8_edit *edits;
    size_t edit_count;
    uint64_t times; /* 0: one of each type */
    uint32_t concurrency;
    bool open; /* at a rate */
    struct e8_rate rate;
    const char *environment;     /* NULL: the platform's first */
    struct e8_endpoint endpoint; /* url, scheme, secrets, timeout, retry, headers; copied */
    uint64_t seed;
};
enum e8_rc e8_plan_send(const struct e8_catalog *catalog, const struct e8_send_options *options,
                        struct e8_plan **out, struct e8_errs *errs);

/* A plan of single events of some types, each as often as the catalogue weighs it: `emit8 load`. */
struct e8_load_options {
    const char *const *patterns;         /* NULL-terminated; none: all types */
    const char *environment;             /* NULL: the platform's first */
    const struct e8_endpoint *endpoints; /* each gets every event; copied */
    size_t endpoint_count;
    struct e8_phase phase; /* when; its flow is made. Pieces of its pace are copied */
    e8_dur_ns warmup;      /* before it; 0: none */
    bool seed_given;
    uint64_t seed;
};
enum e8_rc e8_plan_load(const struct e8_catalog *catalog, const struct e8_load_options *options,
                        struct e8_plan **out, struct e8_errs *errs);

/* A plan of deliveries that once were: `emit8 replay` of a log. One flow, one step each. */
struct e8_recorded {
    e8_dur_ns at; /* from the first; never decreasing */
    const char *type, *environment;
    const char *delivery_id;
    struct e8_str body;
    const struct e8_header *headers; /* as they were; NULL: made and signed anew */
    size_t header_count;
};
struct e8_replay_options {
    const struct e8_recorded *list; /* texts are copied */
    size_t count;
    struct e8_endpoint endpoint; /* copied */
    uint64_t seed;
};
enum e8_rc e8_plan_replay(const struct e8_catalog *catalog, const struct e8_replay_options *options,
                          struct e8_plan **out, struct e8_errs *errs);

/* A plan that sends nothing of its own, until it is stopped: what it sends is fed to its engine (e8_engine_feed). Endpoints are copied.
 * types: those that are sent beside the catalogue's, NULL-terminated; they must outlive the plan. NULL: none. */
enum e8_rc e8_plan_feed(const struct e8_catalog *catalog, const struct e8_endpoint *endpoints, size_t count,
                        const char *const *types, unsigned workers, struct e8_plan **out, struct e8_err *err);
/* What an event of this type and environment is fed as; NULL where the plan does not know one of them. */
const struct e8_emit *e8_plan_feed_emit(const struct e8_plan *plan, struct e8_str type,
                                        struct e8_str environment);

/* E8_INPUT where the plan would test nothing: no endpoint, or no event that any endpoint takes. Warnings for endpoints that take
 * none go to `note` (one line each), which may be NULL. */
enum e8_rc e8_plan_check(const struct e8_plan *plan, const struct e8_catalog *catalog, struct e8_buf *note,
                         struct e8_err *err);
#define E8_TIMES_MAX 1000000000000u /* of a closed loop that time alone bounds */
/* How long it lasts by the plan, for which a closed loop takes no time unless it is bounded by time. */
e8_dur_ns e8_phase_length(const struct e8_phase *phase);
/* How many instances are sure to start, unless the run is stopped: of a closed loop that is bounded by time only those of its start. Walks
 * what is Poisson. */
uint64_t e8_phase_instances(const struct e8_phase *phase);
bool e8_plan_warms_up(const struct e8_plan *plan);
bool e8_plan_timed(const struct e8_plan *plan); /* has it a closed loop that is bounded by time? */
/* How many instances all phases start (walks what is Poisson), and (exact, by walking; for plans of up to `limit` events, else
 * false and 0, as where time bounds a closed loop) events and deliveries (copies included, withheld ones too); of the plan's shard. */
uint64_t e8_plan_instances(const struct e8_plan *plan);
bool e8_plan_size(const struct e8_plan *plan, const struct e8_catalog *catalog, uint64_t limit,
                  uint64_t *events, uint64_t *deliveries);
bool e8_endpoint_name_good(struct e8_str name); /* letters, digits, '-', '_' and '.', at most 64 */

/* What the plan's shard has of a phase: the instances first, first + step, … and so many of them at a time (closed loops). The shards
 * of a plan are disjoint, and together they are the plan. An instance belongs to the shard that is its number modulo the count; but
 * of a closed loop with less concurrency than shards only so many shards have a part. step 0: none of it. */
struct e8_part {
    uint64_t first, step;
    uint32_t concurrency;
};
struct e8_part e8_plan_part(const struct e8_plan *plan, const struct e8_phase *phase);
bool e8_part_has(const struct e8_part *part, uint64_t k); /* k: of the phase's instances, from 0 */
uint64_t e8_part_count(const struct e8_part *part, uint64_t instances); /* of so many of the phase's */
/* E8_INPUT where the plan cannot be divided. What its shards will not do goes to `note` (one line each), which may be NULL. */
enum e8_rc e8_shard_check(const struct e8_plan *plan, struct e8_buf *note, struct e8_err *err);
/* The same number for plans that do the same: their schedules, flows and endpoints, as far as their first instances show it. */
uint64_t e8_plan_fingerprint(const struct e8_plan *plan);
bool e8_endpoint_takes(const struct e8_endpoint *endpoint, const struct e8_plan *plan,
                       const struct e8_emit *emit);
/* Which endpoints get the event: the step's own, or all that take it. */
bool e8_emit_goes_to(const struct e8_plan *plan, const struct e8_emit *emit, size_t endpoint);
/* The same where that endpoint of the plan has meanwhile become another: as it is now. */
bool e8_emit_goes_to_now(const struct e8_plan *plan, const struct e8_emit *emit, size_t endpoint,
                         const struct e8_endpoint *now);

/* How this delivery leaves: what its step says, and what the seed draws of the flow's or the plan's faults. Pure. */
struct e8_deliver e8_deliver_of(const struct e8_plan *plan, const struct e8_flow *flow,
                                const struct e8_emit *emit, uint64_t instance, uint32_t sequence,
                                uint16_t endpoint);

/* A walk through one instance of a flow, or through one branch of a `parallel` in it. Plain data, no allocation. */
struct e8_walk {
    const struct e8_flow *flow;
    struct e8_rng rng;
    e8_dur_ns
        offset; /* of the last emission, from the start of the instance; at the end with the waits behind it */
    uint32_t sequence; /* events so far; an event's number does not depend on what runs beside it */
    uint64_t steps;    /* taken so far */
    int depth;
    struct {
        struct e8_steps steps;
        size_t index;
        uint32_t left; /* repetitions still to come */
        /* A parallel whose branches are walked one after another (e8_walk_next): */
        const struct e8_step *fork; /* NULL: none */
        size_t branch;
        struct e8_rng rng;
        e8_dur_ns forked, furthest;
    } frames[E8_DEPTH_MAX + 1];
};
struct e8_walk e8_walk_begin(const struct e8_flow *flow, uint64_t seed, uint64_t instance);
/* The same in place. What *walk held before does not matter. */
void e8_walk_init(struct e8_walk *walk, const struct e8_flow *flow, uint64_t seed, uint64_t instance);
/* The next event, its offset in walk->offset and its number in walk->sequence; NULL at the end. A parallel's branches come one
 * after another, each from the fork's offset; whatever waits for the receiver takes no time. For sizes and previews. */
const struct e8_emit *e8_walk_next(struct e8_walk *walk);

/* The same for who acts on it: one move after another. */
enum e8_move {
    E8_MOVE_END,
    E8_MOVE_EMIT, /* at walk->offset; walk->sequence is its number (of a step with `again`: that of the event before) */
    E8_MOVE_AWAIT,   /* step->await */
    E8_MOVE_FORK,    /* step->branches: walk them with e8_walk_branch, side by side; then e8_walk_join */
    E8_MOVE_SECRET,  /* step->secret */
    E8_MOVE_EXEC,    /* step->exec */
    E8_MOVE_MEASURE, /* step->measure */
};
enum e8_move e8_walk_move(struct e8_walk *walk, const struct e8_step **step);
/* Branch `index` of the fork at which the walk stands. Its numbers go on behind those of the branches before it, as if they ran one
 * after another. counts (by type; may be NULL): in, those of the walk at the fork; out, those at the branch's start. */
struct e8_walk e8_walk_branch(const struct e8_walk *walk, const struct e8_step *fork, size_t index,
                              uint16_t *counts);
/* All branches have ended: the walk goes on behind the fork, its numbers (and counts) behind all of theirs, its offset at `furthest`
 * (of the branches' ends). */
void e8_walk_join(struct e8_walk *walk, const struct e8_step *fork, e8_dur_ns furthest, uint16_t *counts);

/* By how much an `aged` flow's entities are older than its first event. */
e8_dur_ns e8_flow_age(const struct e8_flow *flow, uint64_t seed, uint64_t instance);

/* The settings that a step's JSON in the log holds: its tampering and headers, parsed again. In `arena`; NULL where there are none. */
enum e8_rc e8_step_restore(struct e8_arena *arena, const struct e8_node *json, struct e8_emit *out,
                           struct e8_errs *errs);

#endif
