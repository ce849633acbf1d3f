#include <string.h>

#include "engine/worker.h"

e8_mono_ns e8_strand_due(const struct e8_worker *worker, const struct e8_strand *strand)
{
    e8_dur_ns offset = e8_scaled(worker->engine, strand->walk.offset);
    return e8_after(e8_after(strand->instance->start, offset), strand->shift);
}

/* What it waited for came later than the plan's next moment: all that follows moves. */
static void catch_up(struct e8_worker *worker, struct e8_strand *strand)
{
    e8_mono_ns due = e8_strand_due(worker, strand), now = e8_worker_clock(worker);
    if (now > due) {
        strand->shift = e8_after(strand->shift, now - due);
    }
}

static void settle_instance(struct e8_worker *worker, struct e8_instance *instance)
{
    struct e8_phase_state *state = instance->phase;
    bool idle = !instance->sends && e8_mono_now() - instance->start < E8_NS_MS;
    state->idle = idle ? state->idle + 1 : 0;
    state->active--;
    worker->settled++;
    e8_instance_drop(worker, instance);
}

/* Drops strands that have ended with all that they sent, from the leaf upwards, until one goes on. */
static void retire(struct e8_worker *worker, struct e8_strand *strand)
{
    struct e8_strand *parent = strand->parent;
    struct e8_instance *instance = strand->instance;
    bool failed = strand->failed;
    e8_strand_drop(worker, strand);
    if (!parent) {
        settle_instance(worker, instance);
        return;
    }
    parent->failed = parent->failed || failed;
    parent->children--;
    e8_strand_check(worker, parent);
}

/* All branches have ended: the strand stands behind the fork. */
static void join(struct e8_worker *worker, struct e8_strand *strand)
{
    e8_walk_join(&strand->walk, strand->step, strand->furthest, strand->counts);
    strand->shift = 0;
    e8_mono_ns due = e8_strand_due(worker, strand);
    strand->shift = strand->joined > due ? strand->joined - due : 0;
    strand->last.emit = NULL;
}

/* The branch's walk has ended; its deliveries may not have. */
static void tell_parent(struct e8_worker *worker, struct e8_strand *branch)
{
    struct e8_strand *parent = branch->parent;
    e8_mono_ns end = e8_strand_due(worker, branch);
    parent->furthest = branch->walk.offset > parent->furthest ? branch->walk.offset : parent->furthest;
    parent->joined = end > parent->joined ? end : parent->joined;
    parent->branches--;
    if (parent->branches == 0 && !parent->forking) {
        join(worker, parent);
        e8_strand_advance(worker, parent);
    }
}

/* The parent outlives this: the branch is still one of its children. */
static void end_strand(struct e8_worker *worker, struct e8_strand *strand)
{
    e8_timers_remove(&worker->planned, &strand->timer);
    strand->state = E8_STRAND_ENDED;
    e8_kept_release(worker, strand);
    if (strand->parent) {
        tell_parent(worker, strand);
    }
    e8_strand_check(worker, strand);
}

static void start_branch(struct e8_worker *worker, struct e8_strand *parent, size_t index)
{
    struct e8_strand *branch = e8_strand_take(worker, parent->instance, parent);
    memcpy(branch->counts, parent->counts, worker->engine->plan->type_count * sizeof *branch->counts);
    branch->walk = e8_walk_branch(&parent->walk, parent->step, index, branch->counts);
    branch->shift = parent->shift;
    parent->children++;
    e8_strand_advance(worker, branch);
}

/* True when all of its branches have ended already. */
static bool fork_strand(struct e8_worker *worker, struct e8_strand *strand)
{
    size_t count = strand->step->branches.count;
    strand->state = E8_STRAND_FORKED;
    strand->branches = (unsigned)count;
    strand->furthest = strand->walk.offset;
    strand->joined = 0;
    strand->forking = true;
    for (size_t i = 0; i < count; i++) {
        start_branch(worker, strand, i);
    }
    strand->forking = false;
    if (strand->branches == 0) {
        join(worker, strand);
        return true;
    }
    return false;
}

static void plan_move(struct e8_worker *worker, struct e8_strand *strand, enum e8_strand_state state,
                      e8_mono_ns due)
{
    strand->state = state;
    e8_timers_add(&worker->planned, &strand->timer, due);
}

/* A wait at the end of a closed flow is the time that its user thinks before the next instance begins. */
static void end_of_walk(struct e8_worker *worker, struct e8_strand *strand)
{
    e8_mono_ns due = e8_strand_due(worker, strand);
    if (!strand->parent && !strand->instance->phase->phase->open && due > e8_mono_now()) {
        e8_kept_release(worker, strand);
        plan_move(worker, strand, E8_STRAND_RESTS, e8_after(due, E8_PREPARE_LEAD));
    } else {
        end_strand(worker, strand);
    }
}

static bool is_waiting(const struct e8_strand *strand)
{
    return strand->outstanding > 0 || strand->children > 0;
}

/* What is awaited has ended. False: the strand has, too. */
static bool awaited(struct e8_worker *worker, struct e8_strand *strand)
{
    bool failed = strand->failed;
    catch_up(worker, strand);
    if (strand->move == E8_MOVE_AWAIT) {
        strand->failed = false;
        return !failed || e8_strand_fail(worker, strand, strand->step->await.on_failure);
    }
    return true;
}

/* The second reading lets the receiver settle. */
static void plan_reading(struct e8_worker *worker, struct e8_strand *strand)
{
    const struct e8_effect *effect =
        strand->step->measure.effect ? strand->step->measure.effect : worker->engine->plan->effect;
    e8_mono_ns due = e8_strand_due(worker, strand);
    if (strand->step->measure.after && effect) {
        e8_mono_ns settled = e8_after(e8_worker_clock(worker), effect->settle);
        due = settled > due ? settled : due;
    }
    plan_move(worker, strand, E8_STRAND_SETTLES, e8_after(due, E8_PREPARE_LEAD));
}

/* One move; true when the next can be made at once. */
static bool make_move(struct e8_worker *worker, struct e8_strand *strand)
{
    switch (strand->move) {
    case E8_MOVE_EMIT:
    case E8_MOVE_SECRET:
        plan_move(worker, strand, E8_STRAND_MOVES, e8_strand_due(worker, strand));
        return false;
    case E8_MOVE_EXEC:
        plan_move(worker, strand, E8_STRAND_MOVES, e8_after(e8_strand_due(worker, strand), E8_PREPARE_LEAD));
        return false;
    case E8_MOVE_AWAIT:
    case E8_MOVE_MEASURE:
        e8_kept_release(worker, strand);
        if (is_waiting(strand)) {
            strand->state = E8_STRAND_AWAITS;
            return false;
        }
        if (strand->move == E8_MOVE_AWAIT) {
            return awaited(worker, strand);
        }
        plan_reading(worker, strand);
        return false;
    case E8_MOVE_FORK:
        e8_kept_release(worker, strand);
        return fork_strand(worker, strand);
    case E8_MOVE_END:
        end_of_walk(worker, strand);
        return false;
    }
    E8_UNREACHABLE();
}

void e8_strand_advance(struct e8_worker *worker, struct e8_strand *strand)
{
    do {
        if (strand->instance->stopped || e8_worker_stopping(worker)) {
            end_strand(worker, strand);
            return;
        }
        strand->move = e8_walk_move(&strand->walk, &strand->step);
    } while (make_move(worker, strand));
}

void e8_strand_begin(struct e8_worker *worker, struct e8_instance *instance)
{
    struct e8_engine *engine = worker->engine;
    struct e8_strand *strand = e8_strand_take(worker, instance, NULL);
    const struct e8_flow *flow = instance->phase->phase->flow;
    e8_walk_init(&strand->walk, flow, engine->plan->seed, instance->number);
    strand->shift = instance->start < engine->begun ? engine->begun - instance->start : 0;
    e8_strand_advance(worker, strand);
}

static void turn_secret(struct e8_worker *worker, const struct e8_step *step)
{
    struct e8_engine *engine = worker->engine;
    struct e8_rotation *rotation = &engine->rotations[step->secret.endpoint];
    if (step->secret.revoke) {
        e8_revoke(rotation);
    } else {
        e8_rotate(rotation, &engine->plan->endpoints[step->secret.endpoint],
                  e8_after(e8_mono_now(), e8_scaled(engine, step->secret.grace)));
    }
}

void e8_strand_wake(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due)
{
    if (strand->state == E8_STRAND_RESTS) {
        end_strand(worker, strand);
    } else if (strand->state == E8_STRAND_SETTLES) {
        strand->state = E8_STRAND_WORKS;
        e8_measure_begin(worker, strand);
    } else if (strand->move == E8_MOVE_EMIT) {
        e8_event_emit(worker, strand, due);
        e8_strand_advance(worker, strand);
    } else if (strand->move == E8_MOVE_SECRET) {
        turn_secret(worker, strand->step);
        e8_strand_advance(worker, strand);
    } else {
        E8_ASSERT(strand->move == E8_MOVE_EXEC);
        strand->state = E8_STRAND_WORKS;
        e8_exec_begin(worker, strand);
    }
}

void e8_strand_check(struct e8_worker *worker, struct e8_strand *strand)
{
    if (is_waiting(strand)) {
        return;
    }
    if (strand->state == E8_STRAND_ENDED) {
        retire(worker, strand);
    } else if (strand->state == E8_STRAND_AWAITS) {
        if (e8_worker_stopping(worker) || strand->instance->stopped) {
            end_strand(worker, strand);
        } else if (strand->move == E8_MOVE_MEASURE) {
            catch_up(worker, strand);
            plan_reading(worker, strand);
        } else if (awaited(worker, strand)) {
            e8_strand_advance(worker, strand);
        }
    }
}

void e8_strand_halt(struct e8_worker *worker, struct e8_strand *strand)
{
    end_strand(worker, strand);
}

/* Strands that wait for their time end now; those that wait for deliveries, branches or the helper when these have ended. */
static void stop_others(struct e8_worker *worker, struct e8_instance *instance, const struct e8_strand *but)
{
    struct e8_strand *strand = instance->strands;
    while (strand) {
        struct e8_strand *next = strand->next;
        if (strand != but && strand->timer.place) {
            end_strand(worker, strand);
            next = instance->strands; /* the list has changed */
        }
        strand = next;
    }
}

bool e8_strand_fail(struct e8_worker *worker, struct e8_strand *strand, enum e8_on_failure on_failure)
{
    struct e8_engine *engine = worker->engine;
    if (on_failure == E8_ON_FAILURE_CONTINUE) {
        return true;
    }
    if (on_failure == E8_ON_FAILURE_STOP_RUN && !atomic_load(&engine->stop)) {
        atomic_store(&engine->stopped_by_step, true);
        e8_engine_stop(engine);
    }
    if (!strand->instance->stopped) {
        strand->instance->stopped = true;
        worker->flows_stopped++;
        stop_others(worker, strand->instance, strand);
    }
    end_strand(worker, strand);
    return false;
}
