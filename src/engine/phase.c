#include <string.h>

#include "engine/worker.h"

static e8_dur_ns scaled(const struct e8_worker *worker, e8_dur_ns dur)
{
    double speed = worker->engine->speed;
    return speed == 1 ? dur : (e8_dur_ns)((double)dur / speed);
}

void e8_phases_init(struct e8_worker *worker)
{
    const struct e8_plan *plan = worker->engine->plan;
    e8_dur_ns offset = 0;
    worker->phases = e8_new(plan->phase_count + 1, sizeof *worker->phases);
    for (size_t i = 0; i < plan->phase_count; i++) {
        struct e8_phase_state *state = &worker->phases[i];
        const struct e8_phase *phase = &plan->phases[i];
        unsigned workers = worker->engine->count;
        state->phase = phase;
        state->offset = phase->at >= 0 ? scaled(worker, phase->at) : offset;
        offset = state->offset + (phase->open ? scaled(worker, phase->pace.length) : 0);
        state->stride = !phase->open && phase->concurrency < workers ? phase->concurrency : workers;
        state->next = worker->index;
        state->next_due = E8_NEVER;
        if (!phase->open && worker->index < state->stride) {
            unsigned extra = worker->index < phase->concurrency % state->stride;
            state->share = phase->concurrency / state->stride + extra;
        }
    }
}

/* The due time of our next arrival: the schedule is walked past those that other workers take. */
static void find_next(struct e8_worker *worker, struct e8_phase_state *state)
{
    e8_dur_ns offset;
    state->next_due = E8_NEVER;
    while (e8_pace_next(&state->walk, &offset)) {
        if (state->walk.k - 1 == state->next) {
            state->next_due = state->base + scaled(worker, offset);
            return;
        }
    }
    state->ended = true;
}

/* This worker's part of a closed phase. The last worker to end its own lets what follows begin, for all at the same time. */
static void end_closed(struct e8_worker *worker, struct e8_phase_state *state)
{
    struct e8_engine *engine = worker->engine;
    struct e8_gate *gate = &engine->gates[state - worker->phases];
    state->ended = true;
    if (atomic_fetch_add(&gate->ended, 1) + 1 < engine->count) {
        return;
    }
    atomic_store(&gate->at, e8_mono_now() + E8_PREPARE_LEAD);
    for (unsigned i = 0; i < engine->count; i++) {
        e8_transport_wake(engine->workers[i].transport);
    }
}

static void start_phase(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns base)
{
    state->started = true;
    state->base = base;
    if (state->phase->open) {
        state->walk = e8_pace_begin(&state->phase->pace);
        find_next(worker, state);
    } else if (worker->index >= state->stride || state->next >= state->phase->times) {
        end_closed(worker, state);
    }
}

/* The events' time at the start of an instance. A fixed clock follows the plan alone, in which what is closed takes no time. */
static e8_wall_ns events_time(const struct e8_engine *engine, const struct e8_phase_state *state,
                              e8_mono_ns start)
{
    if (!engine->fixed) {
        return engine->wall + (start - engine->epoch);
    }
    return engine->wall + state->offset + (state->phase->open ? start - state->base : 0);
}

static void start_instance(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns start)
{
    struct e8_engine *engine = worker->engine;
    struct e8_instance *instance = e8_instance_take(worker);
    const struct e8_flow *flow = state->phase->flow;
    instance->phase = state;
    instance->number = state->phase->first + state->next;
    instance->start = start;
    instance->at = events_time(engine, state, start);
    instance->flow_started = instance->at - e8_flow_age(flow, engine->plan->seed, instance->number);
    instance->walk = e8_walk_begin(flow, engine->plan->seed, instance->number);
    instance->emit = e8_walk_next(&instance->walk);
    state->active++;
    state->next += state->stride;
    if (instance->emit) {
        e8_agenda_push(&worker->planned, start + scaled(worker, instance->walk.offset), instance);
    } else {
        e8_instance_settle(worker, instance);
    }
}

/* Where events are dropped at the bound, the schedule goes on. */
static bool has_room(const struct e8_worker *worker)
{
    return worker->deliveries < worker->bound || worker->engine->options.drop;
}

static e8_mono_ns step_open(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns now)
{
    while (state->next_due != E8_NEVER && state->next_due - E8_PREPARE_LEAD <= now && has_room(worker)) {
        start_instance(worker, state, state->next_due);
        find_next(worker, state);
    }
    if (state->next_due == E8_NEVER || !has_room(worker)) {
        return E8_NEVER;
    }
    return state->next_due - E8_PREPARE_LEAD;
}

static void step_closed(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns now)
{
    while (state->active < state->share && state->next < state->phase->times && has_room(worker)) {
        start_instance(worker, state, now);
    }
    if (state->next >= state->phase->times && state->active == 0) {
        end_closed(worker, state);
    }
}

/* When the entry before it has been dispatched: at the end of its schedule, or with its last instance. */
static bool follows(const struct e8_worker *worker, size_t index, e8_mono_ns *base)
{
    if (index == 0) {
        *base = worker->engine->epoch;
        return true;
    }
    const struct e8_phase_state *before = &worker->phases[index - 1];
    if (!before->started) {
        return false;
    }
    if (before->phase->open) {
        *base = before->base + scaled(worker, before->phase->pace.length);
        return true;
    }
    *base = atomic_load(&worker->engine->gates[index - 1].at);
    return *base != 0;
}

e8_mono_ns e8_phases_step(struct e8_worker *worker, e8_mono_ns now)
{
    e8_mono_ns next = E8_NEVER;
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        struct e8_phase_state *state = &worker->phases[i];
        e8_mono_ns base, look = E8_NEVER;
        if (!state->started) {
            bool known = state->phase->at < 0 && follows(worker, i, &base);
            if (state->phase->at >= 0) {
                base = worker->engine->epoch + scaled(worker, state->phase->at);
                known = true;
            }
            if (known && base - E8_PREPARE_LEAD <= now) {
                start_phase(worker, state, base);
            } else if (known) {
                look = base - E8_PREPARE_LEAD;
            }
        }
        if (state->started && !state->ended) {
            if (state->phase->open) {
                look = step_open(worker, state, now);
            } else {
                step_closed(worker, state, now);
            }
        }
        next = look < next ? look : next;
    }
    return next;
}

bool e8_phases_ended(const struct e8_worker *worker)
{
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        if (!worker->phases[i].ended) {
            return false;
        }
    }
    return true;
}
