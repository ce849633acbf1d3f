/* A worker: one thread's whole state. Internal to engine.
 *
 * instance: one run of a flow.   strand: one walk through it; `parallel` forks one for each branch.
 * event: a rendered body with its ids, shared by its deliveries.
 * delivery: one event for one endpoint, through all its attempts; a copy of it is a delivery of its own. Its slot is reused, not
 * freed.   group: copies that leave at one moment. */
#ifndef E8_ENGINE_WORKER_H
#define E8_ENGINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/event.h"
#include "engine/keys.h"

#define E8_PREPARE_LEAD (5 * E8_NS_MS) /* rendered and signed this much before it is due */
#define E8_REQUEST_MAX  (E8_HEADERS_MAX + 2 * E8_SIGNATURE_MAX)
#define E8_WHY_MAX      160

/* The schedule has a clock of its own, which a pause stops and a change of the rate lets run faster or slower. A turn of it: from
 * `at` on it shows `moment`, and runs `factor` times as fast as ours, or stands. What is due at `moment` itself is due before the
 * turn. Immutable once it is published; all workers turn at the same time. */
struct e8_turn {
    e8_mono_ns at, moment;
    bool paused;
    double factor;
    struct e8_turn *before; /* NULL: until then it was our clock */
};

struct e8_phase_state {
    const struct e8_phase *phase;
    bool started, ended;
    e8_mono_ns base;  /* offset 0 of its schedule, by the schedule's clock, as next_due */
    e8_dur_ns offset; /* the same in the events' time, from the run's start, where that is the plan's */
    struct e8_pace_walk walk;
    uint64_t next;       /* number within the phase of the next instance of ours */
    e8_mono_ns next_due; /* E8_NEVER: none */
    e8_mono_ns began;    /* closed loop: offset 0 by our clock, */
    e8_dur_ns paused;    /* and the pauses that there had been by then */
    unsigned share;      /* closed loop: instances at a time here */
    unsigned active;     /* instances that have not ended */
    unsigned idle;       /* closed loop: so many, one after another, sent nothing and took no time */
    unsigned naps;       /* for which it has slept so many times, */
    e8_mono_ns nap;      /* and sleeps until then; 0: not now */
    unsigned workers;    /* that take part */
    uint64_t stride;     /* to the next of ours: those between are other workers' or other shards' */
};

struct e8_instance {
    unsigned magic;
    struct e8_phase_state *phase;
    uint64_t number;
    e8_mono_ns start;
    e8_wall_ns flow_started;
    e8_wall_ns at;      /* time of the instance's start, as events tell it */
    e8_wall_ns planned; /* the same by the plan alone: the ids' */
    bool stopped;       /* an awaited delivery failed: the rest is not sent */
    bool sends;         /* something of it was to be delivered */
    struct e8_strand *strands;
    struct e8_instance *next_free, *prev_started, *next_started;
};

enum e8_strand_state {
    E8_STRAND_MOVES,   /* its timer says when it makes its next move */
    E8_STRAND_AWAITS,  /* its deliveries so far */
    E8_STRAND_FORKED,  /* its branches */
    E8_STRAND_SETTLES, /* its timer says when the probe is read */
    E8_STRAND_WORKS,   /* the helper's answer */
    E8_STRAND_RESTS,   /* closed loop: its walk ends with a wait that is not over */
    E8_STRAND_ENDED,   /* but deliveries or branches have not */
};

/* What an endpoint is from some moment on: as the plan has it, and after each change. Immutable once it is published. */
struct e8_standing {
    const struct e8_endpoint *endpoint;
    struct e8_keyring *keys;    /* by worker, and each one's own */
    unsigned since;             /* its secret is the one of this change; 0: of the plan */
    bool takes;                 /* something of the plan */
    struct e8_standing *before; /* NULL: it is the plan's */
};

/* What signs: the same gives the same bytes later. */
struct e8_seal {
    const struct e8_standing *standing; /* NULL in a preview: as the plan has it */
    uint32_t keys;                      /* see e8_keys_now */
};

/* What signed, and as which attempt: what the same bytes are made of once more. */
struct e8_stamp {
    e8_wall_ns at;
    struct e8_seal seal;
    uint16_t number;
};

/* What the last event sent to an endpoint, for `again`. */
struct e8_trace {
    bool used;
    uint16_t copies; /* number of the next copy */
    uint16_t number; /* of the last attempt */
    struct e8_stamp stamp;
};

struct e8_strand {
    unsigned magic;
    enum e8_strand_state state;
    struct e8_instance *instance;
    struct e8_strand *parent;      /* NULL: the instance's own */
    struct e8_strand *next, *prev; /* of the instance */
    enum e8_move move;             /* the one that is to be made, and its step */
    const struct e8_step *step;
    e8_dur_ns shift;      /* time that waiting took: added to what the plan says */
    unsigned outstanding; /* its own deliveries that have not ended */
    unsigned children;    /* strands of its branches that have not been dropped */
    unsigned branches;    /* of the fork at which it stands, that have not ended */
    e8_dur_ns furthest;   /* of the branches' ends */
    e8_mono_ns joined;    /* the latest of them */
    bool forking;         /* while its branches are being started */
    bool failed;          /* a delivery since the last await */
    bool measured;        /* the effect probe was read before */
    int64_t before;
    char why[E8_WHY_MAX]; /* it was not */
    struct e8_delivery
        *line; /* the last of those that leave in their order and are not known to have been sent */
    struct e8_delivery *kept; /* deliveries that leave after the next event's */
    struct {                  /* the last event; emit NULL: none */
        const struct e8_emit *emit;
        uint32_t sequence, number;
        unsigned made; /* after so many changes of endpoints */
        bool recorded; /* it has a record in this run */
        e8_wall_ns at, planned;
    } last;
    struct e8_trace *traces; /* by endpoint; NULL where the plan has no `again` */
    struct e8_timer timer;   /* in the worker's `planned` */
    struct e8_walk walk;
    uint16_t counts[]; /* events of each type so far */
};

struct e8_event {
    unsigned magic;
    const struct e8_emit *emit;
    uint32_t number, sequence;
    unsigned refs;
    unsigned made; /* after so many changes of endpoints */
    e8_wall_ns at;
    e8_wall_ns planned; /* by the plan alone: the ids' */
    char id[E8_ID_MAX];
    struct e8_buf body;
    struct e8_event *next_free;
};

struct e8_delivery {
    unsigned magic;
    struct e8_event *event;
    struct e8_strand *strand;
    const struct e8_emit *emit; /* the step that sends it */
    const struct e8_emit
        *form; /* what is sent: the same, or `merged` where the step sends another's event again */
    uint16_t endpoint;
    uint16_t number;  /* of the attempt that is under way or waits */
    uint16_t tries;   /* attempts that count against the policy */
    uint16_t at_once; /* attempts in a row that were made at once */
    uint16_t copy;    /* 0: the delivery itself */
    uint16_t copies;  /* that come when this one has ended */
    bool retried;     /* they come as retries */
    bool waits;       /* for another attempt */
    bool delayed;     /* signed long before it leaves */
    bool repeats;     /* the bytes of another one: signed as that was */
    bool in_flight;
    enum e8_trigger trigger;
    struct e8_timer timer; /* in the worker's `ready` */
    e8_mono_ns due;
    int64_t timestamp;
    e8_wall_ns at;         /* of the attempt, as its timestamp tells it */
    struct e8_seal seal;   /* that signed it */
    struct e8_stamp stamp; /* of the first attempt of the delivery or of that which it copies */
    struct e8_group *group;
    struct e8_delivery *followers; /* deliveries that leave when its first attempt has ended */
    struct e8_delivery *next_kept; /* in the list in which it waits for another */
    bool in_line;
    struct e8_delivery *line_before, *line_behind;
    struct e8_fed *fed; /* it came from outside; else NULL */
    struct e8_delivery *next_free, *prev_live, *next_live;
    char id[E8_ID_MAX]; /* from here on not cleared when the slot is used again */
    struct e8_emit merged;
    struct e8_exchange exchange;
    struct e8_request_parts parts;
    struct e8_buf scratch;
    char memory[E8_REQUEST_MAX];
};

/* Copies that are held on connections of their own and released together. */
struct e8_group {
    struct e8_delivery **list;
    struct e8_exchange **held;
    size_t count, room, ended, sent;
    bool started, released;
    e8_mono_ns due, give_up;
    e8_mono_ns first, last; /* sent */
    struct e8_group *next;
};

/* What the helper does for a strand. */
struct e8_job {
    struct e8_worker *worker;
    struct e8_strand *strand;
    const char *const *argv;        /* a command, or NULL */
    const struct e8_effect *effect; /* a probe to be read, or NULL */
    bool ok;
    int64_t number;
    char why[E8_WHY_MAX];
    struct e8_job *next;
};

/* When a loop works and when it sleeps, in windows of 100 ms; see busy.c. */
struct e8_busy {
    e8_mono_ns since;        /* of the window; 0: not begun */
    e8_dur_ns slept;         /* by the transport, until then */
    e8_dur_ns length, awake; /* of all windows so far */
    uint64_t windows, full;
    uint64_t sent,
        refused; /* attempts of the window that have ended: with a byte on the wire, or turned away before */
};

struct e8_worker {
    struct e8_engine *engine;
    unsigned index;
    pthread_t thread;
    struct e8_transport *transport;
    struct e8_ring *ring; /* NULL: no log */
    struct e8_phase_state *phases;
    const struct e8_turn *turn;  /* the newest that this worker has taken */
    struct e8_timers planned;    /* strands, by when their next move is due */
    struct e8_timers ready;      /* deliveries, by when their attempt is due */
    struct e8_instance *started; /* instances that have not ended */
    struct e8_arena *slots;      /* what the lists of free ones hold lies here */
    struct e8_memo *memo;        /* of the templates */
    struct e8_instance *free_instances;
    struct e8_strand *free_strands;
    struct e8_event *free_events;
    struct e8_delivery *free_deliveries;
    struct e8_group *free_groups;
    struct e8_group *groups;     /* started, not released */
    struct e8_delivery *blocked; /* due, but one before them has not been sent */
    e8_mono_ns blocked_since, look_at;
    struct e8_delivery *live; /* all that have not ended */
    size_t deliveries;        /* how many those are */
    size_t kept;    /* of them, those that wait for an event to come; they do not count against the bound */
    size_t on_wire; /* of them, those whose attempt is under way; above the bound by groups alone */
    size_t waiting; /* of them, those that wait for another attempt */
    size_t bound, room;        /* of deliveries, those that wait for another attempt apart; of these */
    size_t instances;          /* how many have not ended */
    uint64_t settled;          /* instances that have ended */
    uint32_t events;           /* made so far */
    unsigned generator_faults; /* pauses in a row */
    e8_mono_ns paused_until;
    e8_mono_ns publish_at;
    e8_mono_ns stopped_at; /* 0: running */
    uint64_t stalls;
    uint64_t flows_stopped, commands_failed;
    char command_why[E8_WHY_MAX]; /* of the first of them */
    struct e8_expected *expected; /* by emit; NULL: no step expects anything */
    struct e8_hist *spread;       /* NULL: no release so far */
    uint32_t *copies;             /* by endpoint; for walks through what is done */
    struct e8_owed *owed;         /* the same, for on_event; NULL: nobody is told */
    bool *takers;                 /* by endpoint: who takes the event that is being made, */
    enum e8_shut *shut;           /* and who of all gets nothing more */
    struct e8_stats *stats;       /* ours; changes hands through `published` */
    bool holding, held;           /* as options.on_hold has it now; something was due meanwhile */
    struct e8_stats *uncounted;   /* of the warm-up: nobody asks */
    struct e8_schedule schedule;  /* without the warm-up */
    _Atomic(struct e8_stats *) published, spare;
    atomic_size_t shown_on_wire, shown_waiting; /* for e8_engine_look */
    struct e8_busy busy;
    _Atomic(struct e8_job *) mail; /* jobs that the helper has done */
    _Atomic(struct e8_fed *) fed;  /* deliveries from outside, the newest first */
};

/* A closed phase has ended when all workers have ended their parts of it. */
struct e8_gate {
    atomic_uint ended;     /* workers that have */
    _Atomic e8_mono_ns at; /* what follows begins here, by the schedule's clock; 0: not known yet */
};

struct e8_helper;

/* Ticks of the processors; all 0: not known. */
struct e8_cpu {
    uint64_t all, idle;
};

struct e8_engine {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    struct e8_engine_options options;
    struct e8_worker *workers;
    unsigned count;
    e8_mono_ns begun; /* nothing is due before */
    e8_mono_ns
        epoch; /* the schedule's start: the same, but of a run that is resumed so much earlier as it had come */
    e8_wall_ns wall; /* events' time at the epoch */
    e8_wall_ns base; /* the ids' time at the plan's start */
    bool fixed;      /* events' time is the plan's, not the clock's */
    bool traces;     /* the plan has steps with `again` */
    bool expects;    /* … with `expect` */
    double speed;
    atomic_bool stop, abort, log_failed, generator_limited, stopped_by_step;
    atomic_bool bounded, crowded; /* something waited at a worker's bound, or for its room */
    _Atomic uint64_t holds;
    _Atomic(enum e8_shut) *shut;   /* by endpoint */
    struct e8_rotation *rotations; /* by endpoint */
    _Atomic(struct e8_standing *)
        *standings;                  /* by endpoint, the newest; the caller's thread alone publishes */
    atomic_uint changes;             /* that were published before */
    struct e8_gate *gates;           /* by phase */
    e8_dur_ns interval;              /* between attempts at least; 0: none */
    _Atomic e8_mono_ns next_attempt; /* not before */
    struct e8_helper *helper;        /* its own lock inside */
    _Atomic(struct e8_turn *) turn;  /* the newest; the caller's thread alone publishes */
    double factor;                   /* the caller's thread's, as what follows */
    e8_mono_ns looked_at;            /* when e8_engine_look was last called, */
    e8_dur_ns *slept;                /* and how long each worker had slept by then */
    atomic_uint ended;
    pthread_mutex_t lock; /* for `all_ended` alone */
    pthread_cond_t all_ended;
    struct e8_stats *total;
    e8_dur_ns timer_floor;
    struct e8_cpu cpu; /* when the workers were started */
};

/* when.c: the plan's times as the run's. What does not fit becomes the furthest time there is. */
e8_dur_ns e8_scaled(const struct e8_engine *engine, e8_dur_ns dur);
e8_dur_ns e8_divided(e8_dur_ns dur, double by);
int64_t e8_after(int64_t at, e8_dur_ns wait);
/* The next multiple of `step`, or the offset itself when it is one. */
e8_dur_ns e8_multiple(e8_dur_ns offset, e8_dur_ns step);
/* The real clock's time at a moment, by which events are dated. */
e8_wall_ns e8_wall_of(const struct e8_engine *engine, e8_mono_ns at);

/* turn.c: pauses, and the rate changed while it runs. */
/* When is that moment of the schedule? E8_NEVER: not before the pause ends. */
e8_mono_ns e8_turn_due(const struct e8_turn *turn, e8_mono_ns moment);
/* What the schedule's clock shows then. */
e8_mono_ns e8_turn_moment(const struct e8_turn *turn, e8_mono_ns at);
e8_dur_ns e8_turns_paused(const struct e8_turn *turn, e8_mono_ns until); /* the sum of all pauses */
/* By how much the rate was changed until then; as in e8_engine_result. *at stays where it was not. */
void e8_turns_factors(const struct e8_turn *turn, e8_mono_ns until, double *least, double *most,
                      e8_mono_ns *at);
void e8_turns_free(struct e8_turn *turn);
/* Takes what was published; what a pause has kept waiting moves. */
void e8_worker_turn(struct e8_worker *worker);
/* What becomes due later than this waits for the end of the pause. */
e8_mono_ns e8_worker_last(const struct e8_worker *worker);
/* Now; in a pause the first moment that has to wait for its end. */
e8_mono_ns e8_worker_clock(const struct e8_worker *worker);

/* standing.c: endpoints, and what is changed about them while it runs. */
enum e8_rc e8_standings_init(struct e8_engine *engine, struct e8_err *err);
void e8_standings_fini(struct e8_engine *engine);
const struct e8_standing *e8_standing_now(const struct e8_engine *engine, size_t endpoint);
/* What signs at this moment, for an event that was made after so many changes. */
struct e8_seal e8_seal_now(const struct e8_engine *engine, size_t endpoint, unsigned made);
bool e8_goes_to(const struct e8_engine *engine, const struct e8_emit *emit, size_t endpoint);
enum e8_shut e8_shut_of(const struct e8_engine *engine, size_t endpoint);

/* phase.c: which instances start when. */
bool e8_is_warmup(const struct e8_strand *strand);
/* Where its events and deliveries are counted. */
struct e8_stats *e8_stats_of(const struct e8_worker *worker, const struct e8_strand *strand);
void e8_phases_init(struct e8_worker *worker);
/* Starts phases whose time has come and returns the next moment at which this worker has to look again. */
e8_mono_ns e8_phases_step(struct e8_worker *worker, e8_mono_ns now);
bool e8_phases_ended(const struct e8_worker *worker);

/* strand.c: the moves of a walk. Each may end the strand, and with it the instance. */
void e8_strand_begin(struct e8_worker *worker, struct e8_instance *instance);
/* Its timer fired. `due`: what it was set to. */
void e8_strand_wake(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due);
/* Something that it waits for may have ended. */
void e8_strand_check(struct e8_worker *worker, struct e8_strand *strand);
/* The run stops: it goes no further. */
void e8_strand_halt(struct e8_worker *worker, struct e8_strand *strand);
e8_mono_ns e8_strand_due(const struct e8_worker *worker, const struct e8_strand *strand);
/* Goes on to the next move that needs time. */
void e8_strand_advance(struct e8_worker *worker, struct e8_strand *strand);
/* The run or the strand's flow goes on despite a failure, or not. False: not; the strand has ended. */
bool e8_strand_fail(struct e8_worker *worker, struct e8_strand *strand, enum e8_on_failure on_failure);

/* measure.c: steps that need the helper. */
void e8_measure_begin(struct e8_worker *worker, struct e8_strand *strand);
void e8_exec_begin(struct e8_worker *worker, struct e8_strand *strand);
void e8_worker_take_mail(struct e8_worker *worker);

/* helper.c: one thread that reads effect probes and runs commands, one after another; started with the first job. The answer goes
 * into the worker's mail. */
struct e8_helper *e8_helper_new(struct e8_engine *engine);
void e8_helper_free(struct e8_helper **helper); /* no job may be under way */
void e8_helper_submit(struct e8_helper *helper, struct e8_job *job);
void e8_helper_give_up(struct e8_helper *helper); /* what is under way ends at once, as failed */
/* command.c: runs it for at most `limit`; its output goes to *out as far as that has room. False: *why. */
bool e8_command_run(const char *const *argv, e8_dur_ns limit, const atomic_bool *give_up, struct e8_buf *out,
                    char why[E8_WHY_MAX]);

/* emit.c: events and their deliveries. */
/* Makes the event of the strand's move and its deliveries. */
void e8_event_emit(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due);
struct e8_place e8_strand_place(const struct e8_worker *worker, const struct e8_strand *strand,
                                uint32_t sequence);

/* deliver.c: how a delivery leaves. */
struct e8_dispatch {
    struct e8_strand *strand;
    struct e8_event *event;
    const struct e8_emit *emit;
    size_t endpoint;
    e8_mono_ns due;
    e8_wall_ns at;
    struct e8_deliver how;
    uint32_t first; /* copy number of the first */
    uint32_t done;  /* of them so many are over already: the first ones */
    enum e8_trigger trigger;
    const struct e8_stamp *stamp; /* bytes to repeat; NULL: none */
    uint16_t number;
    bool shut; /* the endpoint gets nothing more */
};
void e8_deliver(struct e8_worker *worker, const struct e8_dispatch *dispatch);
/* Counts a delivery as planned, whatever becomes of it. */
void e8_delivery_plan(struct e8_worker *worker, const struct e8_strand *strand, size_t endpoint,
                      unsigned type, e8_mono_ns due);
/* Copies that will not be made, since the endpoint gets nothing more. */
void e8_copies_gone(struct e8_worker *worker, const struct e8_delivery *before);
/* Kept deliveries of the strand leave now: no event comes. */
void e8_kept_release(struct e8_worker *worker, struct e8_strand *strand);
/* Those that waited for this one's first attempt. */
void e8_followers_release(struct e8_worker *worker, struct e8_delivery *delivery);
/* The next copy of a delivery that has ended. */
void e8_copy_next(struct e8_worker *worker, const struct e8_delivery *delivery);
/* One that waits for its time waits longer; with a new time it is signed anew. Its timer is the caller's to move. */
void e8_delivery_postpone(struct e8_worker *worker, struct e8_delivery *delivery, e8_dur_ns by);
/* Signs what is about to leave as is right by now, where that has changed since it was signed; a group as a whole, before any of it leaves.
 * What repeats others' bytes stays as it is. */
void e8_deliver_reseal(struct e8_worker *worker, struct e8_delivery *delivery);
void e8_group_reseal(struct e8_worker *worker, const struct e8_group *group);
/* When it is due, with its lateness and its bursts; moves `at` as well. */
e8_mono_ns e8_deliver_due(const struct e8_engine *engine, const struct e8_deliver *how, e8_mono_ns due,
                          e8_wall_ns *at);

/* line.c: events of a strand leave in their order. */
void e8_line_join(struct e8_delivery *delivery);
void e8_line_leave(struct e8_worker *worker, struct e8_delivery *delivery); /* harmless when it is in none */
bool e8_line_turn(struct e8_worker *worker, const struct e8_delivery *delivery);
void e8_line_wait(struct e8_worker *worker, struct e8_delivery *delivery);
/* Makes those ready whose turn has come, or all; returns when to look again. */
e8_mono_ns e8_lines_step(struct e8_worker *worker, e8_mono_ns now, bool all);

/* group.c: copies released at one barrier. */
void e8_group_make(struct e8_worker *worker, struct e8_delivery *const *list, size_t count);
bool e8_group_fits(const struct e8_worker *worker, const struct e8_group *group);
void e8_group_start(struct e8_worker *worker, struct e8_group *group);
/* Releases what is complete; returns when to look again. */
e8_mono_ns e8_groups_step(struct e8_worker *worker, e8_mono_ns now);
/* One of its attempts has ended, or a delivery of it is given up. */
void e8_group_leave(struct e8_worker *worker, struct e8_delivery *delivery);

/* attempt.c: attempts, and what follows from how they end. */
/* Headers and signature of the attempt. */
void e8_attempt_sign(struct e8_worker *worker, struct e8_delivery *delivery);
void e8_attempt_start(struct e8_worker *worker, struct e8_delivery *delivery);
void e8_attempt_done(struct e8_worker *worker, struct e8_delivery *delivery);
/* Ends a delivery that waits, without an attempt to say so; with it the group that it leads. */
void e8_delivery_abandon(struct e8_worker *worker, struct e8_delivery *delivery);

enum e8_next {
    E8_NEXT_END,
    E8_NEXT_RETRY,
    E8_NEXT_AT_ONCE,
    E8_NEXT_PAUSED,
    E8_NEXT_CUT /* another attempt would have followed, had the engine not been stopped: it has no end */
};

/* feed.c: deliveries from outside. */
/* Takes what was fed: to be sent, or after a stop to be given back. */
void e8_feed_take(struct e8_worker *worker);
/* Gives back what the worker has never taken; after its end. */
void e8_feed_return(struct e8_worker *worker);
/* The attempt that has ended, and what follows: tells who wants to know (on_fed). True: another is made at once. `wait`: before a
 * retry. */
bool e8_feed_done(struct e8_worker *worker, const struct e8_delivery *delivery,
                  const struct e8_attempt *attempt, enum e8_next next, e8_dur_ns wait);
/* It will not be sent: the same. */
void e8_feed_unsent(struct e8_worker *worker, struct e8_delivery *delivery);

/* judge.c: was it as expected? */
struct e8_judgement {
    enum e8_attempt_verdict verdict;
    bool holds;
    char why[E8_WHY_MAX]; /* empty when it holds */
};
void e8_judge(const struct e8_delivery *delivery, struct e8_judgement *j);
/* What the delivery's last attempt was judged to be. */
void e8_judged(struct e8_worker *worker, const struct e8_delivery *delivery, const struct e8_judgement *j);
void e8_expected_merge(struct e8_expected *into, const struct e8_expected *from, size_t count);

/* resume.c: what a run that is resumed has done already. False where none is resumed. */
bool e8_resume_instance_done(struct e8_worker *worker, const struct e8_flow *flow, uint64_t instance);
/* Of a delivery and its copies, numbered from `first` on, so many (the first ones) are over. */
uint32_t e8_resume_copies_done(const struct e8_engine *engine, const struct e8_place *place, size_t endpoint,
                               uint32_t first, uint32_t count);

/* pool.c: slots. */
struct e8_instance *e8_instance_take(struct e8_worker *worker);
void e8_instance_drop(struct e8_worker *worker, struct e8_instance *instance);
struct e8_strand *e8_strand_take(struct e8_worker *worker, struct e8_instance *instance,
                                 struct e8_strand *parent);
void e8_strand_drop(struct e8_worker *worker, struct e8_strand *strand);
struct e8_event *e8_event_take(struct e8_worker *worker);
void e8_event_unref(struct e8_worker *worker, struct e8_event *event);
struct e8_delivery *e8_delivery_take(struct e8_worker *worker);
void e8_delivery_drop(struct e8_worker *worker, struct e8_delivery *delivery);
struct e8_group *e8_group_take(struct e8_worker *worker, size_t count);
void e8_group_drop(struct e8_worker *worker, struct e8_group *group);
void e8_pools_init(struct e8_worker *worker);
void e8_pools_fini(struct e8_worker *worker);

/* busy.c: each round of the loop looks at what it has slept. */
void e8_busy_look(struct e8_worker *worker, e8_mono_ns now);
void e8_busy_note(struct e8_worker *worker, const struct e8_exchange *exchange); /* which has ended */
struct e8_pressure e8_busy_of(const struct e8_worker *worker);
/* host.c: of all processors' time that this process may use, in thousandths, since `before`; 0: not known. */
struct e8_cpu e8_cpu_now(void);
unsigned e8_cpu_share(const struct e8_cpu *before, const struct e8_cpu *after);

/* record.c: into the worker's ring; waits while it is full. */
void e8_record_event(struct e8_worker *worker, const struct e8_strand *strand, const struct e8_event *event);
/* The attempt that has ended: statistics, log, on_done. *out: a copy; may be NULL. */
void e8_record_attempt(struct e8_worker *worker, const struct e8_delivery *delivery, bool last,
                       const struct e8_judgement *j, struct e8_attempt *out);

/* worker.c */
void e8_worker_init(struct e8_worker *worker, struct e8_engine *engine, unsigned index);
void e8_worker_fini(struct e8_worker *worker);
void *e8_worker_main(void *worker);
/* Makes the moves whose time is near; returns when to look again. */
e8_mono_ns e8_worker_prepare(struct e8_worker *worker, e8_mono_ns now);
bool e8_worker_full(const struct e8_worker *worker); /* at the bound */
/* What is due then finds it full: notes that, if it is due already. When to look again; E8_NEVER: when there is room. */
e8_mono_ns e8_worker_waits(struct e8_worker *worker, e8_mono_ns due, e8_mono_ns now);
/* Must what is due now wait, as options.on_hold has it? Counts it. */
bool e8_worker_holds(struct e8_worker *worker);
bool e8_worker_stopping(const struct e8_worker *worker);
bool e8_is_shut(const struct e8_worker *worker, size_t endpoint); /* it gets nothing more */

#endif
