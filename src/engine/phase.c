#include <string.h>

#include "engine/worker.h"

#define STARTS_MAX 16 /* instances that are started before the network is looked at again */
#define IDLE_MAX   64 /* instances one after another that sent nothing and took no time, before a phase rests */
#define NAPS_MAX   6 /* doublings of a millisecond of rest */

void e8_phases_init(struct e8_worker *worker)
{
    const struct e8_plan *plan = worker->engine->plan;
    e8_dur_ns offset = 0;
    worker->phases = e8_new(plan->phase_count + 1, sizeof *worker->phases);
    for (size_t i = 0; i < plan->phase_count; i++) {
        struct e8_phase_state *state = &worker->phases[i];
        const struct e8_phase *phase = &plan->phases[i];
        struct e8_part part = e8_plan_part(plan, phase);
        unsigned workers = worker->engine->count;
        state->phase = phase;
        state->offset = phase->at >= 0 ? e8_scaled(worker->engine, phase->at) : offset;
        offset = e8_after(state->offset, e8_scaled(worker->engine, e8_phase_length(phase)));
        state->workers = !phase->open && part.concurrency < workers ? part.concurrency : workers;
        state->next = part.first + part.step * worker->index;
        state->stride = part.step * state->workers;
        state->next_due = E8_NEVER;
        if (!phase->open && worker->index < state->workers) {
            unsigned extra = worker->index < part.concurrency % state->workers;
            state->share = part.concurrency / state->workers + extra;
        }
    }
}

bool e8_is_warmup(const struct e8_strand *strand)
{
    return strand->instance->phase->phase->warmup;
}

struct e8_stats *e8_stats_of(const struct e8_worker *worker, const struct e8_strand *strand)
{
    return e8_is_warmup(strand) ? worker->uncounted : worker->stats;
}

/* The due time of our next arrival: those that other workers take are passed over. */
static void find_next(struct e8_worker *worker, struct e8_phase_state *state)
{
    e8_dur_ns offset;
    state->next_due = E8_NEVER;
    if (e8_pace_seek(&state->walk, state->next, &offset)) {
        state->next_due = e8_after(state->base, e8_scaled(worker->engine, offset));
    } else {
        state->ended = true;
    }
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
    /* One moment further: what a pause has stopped at has been passed already. */
    atomic_store(&gate->at, e8_turn_moment(worker->turn, e8_mono_now() + E8_PREPARE_LEAD) + 1);
    for (unsigned i = 0; i < engine->count; i++) {
        e8_transport_wake(engine->workers[i].transport);
    }
}

static void start_phase(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns base)
{
    state->started = true;
    state->base = base;
    state->began = e8_turn_due(worker->turn, base);
    state->paused = e8_turns_paused(worker->turn, state->began);
    if (state->phase->open) {
        state->walk = e8_pace_begin(&state->phase->pace);
        find_next(worker, state);
    } else if (worker->index >= state->workers || state->next >= state->phase->times) {
        end_closed(worker, state);
    }
}

/* When our next arrival is due. */
static e8_mono_ns next_start(const struct e8_worker *worker, const struct e8_phase_state *state)
{
    return e8_turn_due(worker->turn, state->next_due);
}

/* By the plan alone, in which what is closed takes no time. */
static e8_wall_ns planned_time(const struct e8_engine *engine, const struct e8_phase_state *state)
{
    return e8_after(e8_after(engine->base, state->offset),
                    state->phase->open ? state->next_due - state->base : 0);
}

static void start_instance(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns start)
{
    struct e8_engine *engine = worker->engine;
    const struct e8_flow *flow = state->phase->flow;
    uint64_t number = state->phase->first + state->next;
    state->next += state->stride;
    if (e8_resume_instance_done(worker, flow, number)) {
        worker->settled++;
        return;
    }
    struct e8_instance *instance = e8_instance_take(worker);
    instance->phase = state;
    instance->number = number;
    instance->start = start;
    instance->planned = planned_time(engine, state);
    instance->at = engine->fixed ? instance->planned : e8_wall_of(engine, start);
    instance->flow_started = e8_after(instance->at, -e8_flow_age(flow, engine->plan->seed, number));
    state->active++;
    e8_strand_begin(worker, instance);
}

/* Of the next arrivals of all open phases the earliest; NULL: none. */
static struct e8_phase_state *next_arrival(struct e8_worker *worker)
{
    struct e8_phase_state *first = NULL;
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        struct e8_phase_state *state = &worker->phases[i];
        if (state->started && state->phase->open && state->next_due < (first ? first->next_due : E8_NEVER)) {
            first = state;
        }
    }
    return first;
}

/* What was started before goes first: else a slow receiver would let the instances pile up. */
static e8_mono_ns start_arrivals(struct e8_worker *worker, e8_mono_ns now)
{
    struct e8_phase_state *state = next_arrival(worker);
    for (unsigned n = 0; state && next_start(worker, state) - E8_PREPARE_LEAD <= now; n++) {
        e8_worker_prepare(worker, now);
        if (e8_worker_full(worker) && !worker->engine->options.drop) { /* with drop the schedule goes on */
            return e8_worker_waits(worker, next_start(worker, state), now);
        }
        if (e8_worker_holds(worker)) {
            return E8_NEVER;
        }
        if (n == STARTS_MAX) {
            return now;
        }
        start_instance(worker, state, next_start(worker, state));
        find_next(worker, state);
        state = next_arrival(worker);
    }
    return state ? next_start(worker, state) - E8_PREPARE_LEAD : E8_NEVER;
}

/* Of a closed phase that is bounded by time: none starts from then on. It lasts as long as planned, pauses apart, whatever became of the
 * rate of others. */
static e8_mono_ns ends_at(const struct e8_worker *worker, const struct e8_phase_state *state, e8_mono_ns now)
{
    e8_dur_ns within = e8_scaled(worker->engine, state->phase->within);
    e8_dur_ns paused = e8_turns_paused(worker->turn, now) - state->paused;
    return e8_after(e8_after(state->began, within), paused);
}

static bool has_started_all(const struct e8_worker *worker, const struct e8_phase_state *state,
                            e8_mono_ns now)
{
    return state->next >= state->phase->times || (state->phase->within && now >= ends_at(worker, state, now));
}

/* Time alone bounds it, and there is nobody left to send to: it would go round and round without taking time. */
static bool is_pointless(const struct e8_worker *worker, const struct e8_phase_state *state)
{
    size_t i = 0;
    while (state->phase->times >= E8_TIMES_MAX && i < worker->engine->plan->endpoint_count &&
           (e8_is_shut(worker, i) || !e8_standing_now(worker->engine, i)->takes)) {
        i++;
    }
    return i > 0 && i == worker->engine->plan->endpoint_count;
}

/* Time alone bounds it, and nobody takes what it sends, as it seems: it rests, longer each time, until somebody does. Returns until when; 0: it
 * goes on. */
static e8_mono_ns nap(struct e8_phase_state *state, e8_mono_ns now)
{
    if (state->idle < IDLE_MAX || state->phase->times < E8_TIMES_MAX) {
        state->naps = state->idle ? state->naps : 0;
        return 0;
    }
    if (state->nap == 0) {
        state->nap = now + (E8_NS_MS << state->naps);
        state->naps += state->naps < NAPS_MAX;
    }
    if (now < state->nap) {
        return state->nap;
    }
    state->nap = 0;
    state->idle = 1;
    return 0;
}

static e8_mono_ns step_closed(struct e8_worker *worker, struct e8_phase_state *state, e8_mono_ns now)
{
    bool all = has_started_all(worker, state, now);
    for (unsigned n = 0; !all && state->active < state->share; n++) {
        if (is_pointless(worker, state)) {
            return ends_at(worker, state, now);
        }
        e8_mono_ns rests = nap(state, now);
        if (rests) {
            return rests;
        }
        e8_worker_prepare(worker, now);
        if (now > e8_worker_last(worker) || e8_worker_holds(worker)) {
            return E8_NEVER;
        }
        if (e8_worker_full(worker)) {
            return e8_worker_waits(worker, now, now);
        }
        if (n == STARTS_MAX) {
            return now;
        }
        start_instance(worker, state, now);
        all = has_started_all(worker, state, now);
    }
    if (all && state->active == 0) {
        end_closed(worker, state);
    }
    return E8_NEVER;
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
        *base = e8_after(before->base, e8_scaled(worker->engine, before->phase->pace.length));
        return true;
    }
    *base = atomic_load(&worker->engine->gates[index - 1].at);
    return *base != 0;
}

/* Where the phase begins, if that is known by now. */
static bool begins(const struct e8_worker *worker, size_t index, e8_mono_ns *base)
{
    const struct e8_phase *phase = worker->phases[index].phase;
    if (phase->at < 0) {
        return follows(worker, index, base);
    }
    *base = e8_after(worker->engine->epoch, e8_scaled(worker->engine, phase->at));
    return true;
}

/* What is due at a time of its own is prepared before it. A closed phase begins what it begins at once, which is not before the phase does:
 * at the run's begin nothing is. */
static e8_dur_ns lead_of(const struct e8_worker *worker, const struct e8_phase_state *state, e8_mono_ns base)
{
    return state->phase->open || base <= worker->engine->begun ? E8_PREPARE_LEAD : 0;
}

e8_mono_ns e8_phases_step(struct e8_worker *worker, e8_mono_ns now)
{
    e8_mono_ns next = E8_NEVER;
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        struct e8_phase_state *state = &worker->phases[i];
        e8_mono_ns base, look = E8_NEVER;
        if (!state->started && begins(worker, i, &base)) {
            look = e8_turn_due(worker->turn, base) - lead_of(worker, state, base);
            if (look <= now) {
                start_phase(worker, state, base);
                look = E8_NEVER;
            }
        }
        if (state->started && !state->ended && !state->phase->open) {
            look = step_closed(worker, state, now);
        }
        next = look < next ? look : next;
    }
    e8_mono_ns arrival = start_arrivals(worker, now);
    return arrival < next ? arrival : next;
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
