/* A worker: one thread's whole state. Internal to engine.
 *
 * instance: one run of a flow.   event: a rendered body with its ids, shared by its deliveries.
 * delivery: one event for one endpoint, through all its attempts. Its slot is reused, not freed. */
#ifndef E8_ENGINE_WORKER_H
#define E8_ENGINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/event.h"

#define E8_PREPARE_LEAD (5 * E8_NS_MS) /* rendered and signed this much before it is due */
#define E8_REQUEST_MAX  E8_HEADERS_MAX

struct e8_phase_state {
    const struct e8_phase *phase;
    bool started, ended;
    e8_mono_ns base;  /* offset 0 of its schedule */
    e8_dur_ns offset; /* the same in the events' time, from the run's start, where that is the plan's */
    struct e8_pace_walk walk;
    uint64_t next;       /* number within the phase of the next instance of ours */
    e8_mono_ns next_due; /* E8_NEVER: none */
    unsigned share;      /* closed loop: instances at a time here */
    unsigned active;     /* instances that have not ended */
    unsigned stride;     /* workers that take part */
};

struct e8_instance {
    unsigned magic;
    struct e8_phase_state *phase;
    uint64_t number;
    struct e8_walk walk;
    const struct e8_emit *emit; /* the next one; NULL: the walk has ended */
    e8_mono_ns start;
    e8_wall_ns flow_started;
    e8_wall_ns at;         /* time of the instance's start, as events tell it */
    unsigned deliveries;   /* not ended yet */
    bool resting;          /* closed loop: its walk ends with a wait that is not over */
    struct e8_timer timer; /* in the worker's `planned` */
    struct e8_instance *next_free;
    uint16_t counts[]; /* events of each type so far */
};

struct e8_event {
    unsigned magic;
    const struct e8_emit *emit;
    uint32_t number;
    unsigned refs;
    e8_wall_ns at;
    char id[E8_ID_MAX];
    struct e8_buf body;
    struct e8_event *next_free;
};

struct e8_delivery {
    unsigned magic;
    struct e8_event *event;
    struct e8_instance *instance;
    uint16_t endpoint;
    uint16_t number;  /* of the attempt that is under way or waits */
    uint16_t tries;   /* attempts that count against the policy */
    uint16_t at_once; /* attempts in a row that were made at once */
    enum e8_trigger trigger;
    uint64_t key;          /* of its random stream: jitter */
    struct e8_timer timer; /* in the worker's `ready` */
    e8_mono_ns due;
    int64_t timestamp;
    e8_wall_ns at; /* of the attempt, as its timestamp tells it */
    bool in_flight;
    char id[E8_ID_MAX];
    struct e8_exchange exchange;
    struct e8_request_parts parts;
    struct e8_delivery *next_free, *prev_live, *next_live;
    char memory[E8_REQUEST_MAX];
};

struct e8_worker {
    struct e8_engine *engine;
    unsigned index;
    pthread_t thread;
    struct e8_transport *transport;
    struct e8_signer **signers; /* by endpoint; NULL: not signed */
    struct e8_ring *ring;       /* NULL: no log */
    struct e8_phase_state *phases;
    struct e8_timers planned; /* instances, by when their next event is due */
    struct e8_timers ready;   /* deliveries, by when their attempt is due */
    struct e8_instance *free_instances;
    struct e8_event *free_events;
    struct e8_delivery *free_deliveries;
    struct e8_delivery *live; /* all that have not ended */
    size_t deliveries;        /* how many those are */
    size_t on_wire;           /* of them, those whose attempt is under way; never above the bound */
    size_t bound;
    size_t instances;          /* not ended */
    uint64_t settled;          /* instances that have ended */
    uint32_t events;           /* made so far */
    unsigned generator_faults; /* pauses in a row */
    e8_mono_ns paused_until;
    e8_mono_ns publish_at;
    e8_mono_ns stopped_at; /* 0: running */
    uint64_t stalls;
    struct e8_stats *stats; /* ours; changes hands through `published` */
    _Atomic(struct e8_stats *) published, spare;
};

/* A closed phase has ended when all workers have ended their parts of it. */
struct e8_gate {
    atomic_uint ended;     /* workers that have */
    _Atomic e8_mono_ns at; /* what follows begins here; 0: not known yet */
};

struct e8_engine {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    struct e8_engine_options options;
    struct e8_worker *workers;
    unsigned count;
    e8_mono_ns epoch;
    e8_wall_ns wall; /* events' time at the epoch */
    bool fixed;      /* events' time is the plan's, not the clock's */
    double speed;
    atomic_bool stop, abort, log_failed, generator_limited;
    atomic_bool *disabled; /* by endpoint: a 410 was read */
    struct e8_gate *gates; /* by phase */
    atomic_uint ended;
    pthread_mutex_t lock; /* for `all_ended` alone */
    pthread_cond_t all_ended;
    struct e8_stats *total;
    e8_dur_ns timer_floor;
};

/* when.c: the plan's times as the run's. What does not fit becomes the furthest time there is. */
e8_dur_ns e8_scaled(const struct e8_engine *engine, e8_dur_ns dur);
int64_t e8_after(int64_t at, e8_dur_ns wait);

/* phase.c: which instances start when. */
void e8_phases_init(struct e8_worker *worker);
/* Starts phases whose time has come and returns the next moment at which this worker has to look again. */
e8_mono_ns e8_phases_step(struct e8_worker *worker, e8_mono_ns now);
bool e8_phases_ended(const struct e8_worker *worker);

/* attempt.c: deliveries and their attempts. */
/* Makes the instance's next event and its deliveries; advances the walk. Where it only rested, it settles. */
void e8_event_emit(struct e8_worker *worker, struct e8_instance *instance, e8_mono_ns due);
/* Walks on to the instance's next event and plans it; at the end of the walk it settles. */
void e8_instance_advance(struct e8_worker *worker, struct e8_instance *instance);
void e8_attempt_start(struct e8_worker *worker, struct e8_delivery *delivery);
void e8_attempt_done(struct e8_worker *worker, struct e8_delivery *delivery);
/* Ends a delivery that waits, without an attempt to say so. */
void e8_delivery_abandon(struct e8_worker *worker, struct e8_delivery *delivery);

/* pool.c: slots. */
struct e8_instance *e8_instance_take(struct e8_worker *worker);
void e8_instance_drop(struct e8_worker *worker, struct e8_instance *instance);
/* An instance that has no event left and no delivery under way ends here. */
void e8_instance_settle(struct e8_worker *worker, struct e8_instance *instance);
struct e8_event *e8_event_take(struct e8_worker *worker);
void e8_event_unref(struct e8_worker *worker, struct e8_event *event);
struct e8_delivery *e8_delivery_take(struct e8_worker *worker);
void e8_delivery_drop(struct e8_worker *worker, struct e8_delivery *delivery);
void e8_pools_fini(struct e8_worker *worker);

/* record.c: into the worker's ring; waits while it is full. */
void e8_worker_log(struct e8_worker *worker, const struct e8_record *record);

/* worker.c */
void e8_worker_init(struct e8_worker *worker, struct e8_engine *engine, unsigned index);
void e8_worker_fini(struct e8_worker *worker);
void *e8_worker_main(void *worker);
/* Makes the events whose time is near; returns when to look again. */
e8_mono_ns e8_worker_prepare(struct e8_worker *worker, e8_mono_ns now);

#endif
