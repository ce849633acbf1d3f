/* Scenario files: what is sent, to whom, when. A file becomes an immutable plan; a walk through a flow is a pure function of
 * (seed, flow, instance). No sockets, no threads, no clock. */
#ifndef E8_SCENARIO_SCENARIO_H
#define E8_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "match/match.h"
#include "pace/pace.h"
#include "threshold/threshold.h"

#define E8_DEPTH_MAX     16 /* repeat and choose within each other */
#define E8_ENDPOINTS_MAX 1024
#define E8_PHASES_MAX    1000
#define E8_STEPS_MAX     100000000 /* that one instance of a flow takes at most */
#define E8_SPAN_MAX                                                                                          \
    ((e8_dur_ns)366 * 24 * 3600 * E8_NS_S) /* of every wait, length, start and time-out that a user gives */
#define E8_HEADERS_MAX (8 << 10) /* bytes of headers that are made for one attempt; larger ones are refused */

struct e8_endpoint {
    const char *name, *url;
    const struct e8_scheme *scheme;
    const char *const *secrets; /* as the user wrote them; wiped with the plan */
    size_t secret_count;        /* 0: not signed */
    struct e8_subscription subscription;
    e8_dur_ns timeout;
    struct e8_retry_policy retry;
    const struct e8_header *headers; /* beside the platform's and the scheme's */
    size_t header_count;
};

/* One kind of event that a flow emits. */
struct e8_emit {
    uint16_t index;                 /* in the plan's list of emits: what the log calls a step */
    uint16_t type;                  /* in the catalogue */
    const struct e8_template *body; /* NULL where `raw` is given */
    struct e8_str raw;              /* sent as it is */
    const char *environment;
    const char *edits; /* the step's set and remove as compact JSON, or NULL; for the log */
    int line;
};

enum e8_step_kind { E8_STEP_EMIT, E8_STEP_WAIT, E8_STEP_REPEAT, E8_STEP_CHOOSE };
struct e8_steps {
    const struct e8_step *list;
    size_t count;
};
struct e8_branch {
    double upto; /* cumulative share; the last is 1 */
    struct e8_steps steps;
};
struct e8_step {
    enum e8_step_kind kind;
    const struct e8_emit *emit;
    e8_dur_ns wait_low, wait_high; /* uniform, both included */
    uint32_t repeat_low, repeat_high;
    struct e8_steps body;             /* of repeat */
    const struct e8_branch *branches; /* of choose */
    size_t branch_count;
};
struct e8_flow {
    const char *name;
    uint64_t key; /* e8_hash_str of the name */
    struct e8_steps steps;
    bool rotate; /* instance k is the step k mod count alone: single events, not stories */
    bool aged;   /* its entities began some minutes before the first event (2 to 30, drawn) */
};

/* One entry of `run:`. Entries follow one another, unless `at` gives an entry its own start. */
struct e8_phase {
    const struct e8_flow *flow;
    bool open;
    struct e8_pace pace;  /* open loop */
    uint64_t times;       /* closed loop: instances in all */
    uint32_t concurrency; /* closed loop: at a time */
    e8_dur_ns at;         /* from the start of the run; -1: when the entry before has been dispatched */
    uint64_t
        first; /* number of its first instance: no two instances of a flow have the same, through all phases */
};

struct e8_plan {
    const char *name;
    char digest[65]; /* SHA-256 of the file; of the settings where there is no file */
    uint64_t seed;
    bool seed_given;
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
    const char *const *allow; /* targets.allow; NULL-terminated */
};

/* What stands outside the file. */
struct e8_scenario_options {
    const char *(*getenv)(const char *name); /* NULL: no variables */
    const char *to;                          /* URL for every endpoint, or NULL */
    const char *const *to_named;             /* "NAME=URL"; NULL-terminated or NULL */
    const char *secret;                      /* for endpoints that have none of their own; or NULL */
    const char *environment;                 /* of events that name none; beats the file's; or NULL */
    bool seed_given;
    uint64_t seed;        /* beats the file's */
    uint64_t seed_random; /* taken where neither gives one */
};

/* Reads a plan. Every fault of the file goes to errs, each with file:line:col. The catalogue must outlive the plan. */
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

/* E8_INPUT where the plan would test nothing: no endpoint, or no event that any endpoint takes. Warnings for endpoints that take
 * none go to `note` (one line each), which may be NULL. */
enum e8_rc e8_plan_check(const struct e8_plan *plan, const struct e8_catalog *catalog, struct e8_buf *note,
                         struct e8_err *err);
/* How many instances all phases start (walks what is Poisson), and (exact, by walking; for plans of up to `limit` events, else
 * 0) events and deliveries. */
uint64_t e8_plan_instances(const struct e8_plan *plan);
void e8_plan_size(const struct e8_plan *plan, const struct e8_catalog *catalog, uint64_t limit,
                  uint64_t *events, uint64_t *deliveries);
bool e8_endpoint_takes(const struct e8_endpoint *endpoint, const struct e8_catalog *catalog,
                       const struct e8_emit *emit);

/* A walk through one instance of a flow. Plain data, no allocation. */
struct e8_walk {
    const struct e8_flow *flow;
    struct e8_rng rng;
    e8_dur_ns
        offset; /* of the last emission, from the start of the instance; at the end with the waits behind it */
    uint32_t sequence; /* events so far */
    uint64_t steps;    /* taken so far */
    int depth;
    struct {
        struct e8_steps steps;
        size_t index;
        uint32_t left; /* repetitions still to come */
    } frames[E8_DEPTH_MAX + 1];
};
struct e8_walk e8_walk_begin(const struct e8_flow *flow, uint64_t seed, uint64_t instance);
/* The next event, its offset in walk->offset and its number in walk->sequence; NULL at the end. */
const struct e8_emit *e8_walk_next(struct e8_walk *walk);
/* By how much an `aged` flow's entities are older than its first event. */
e8_dur_ns e8_flow_age(const struct e8_flow *flow, uint64_t seed, uint64_t instance);

#endif
