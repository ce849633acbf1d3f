#include <stdlib.h>

#include "engine/worker.h"

#define AHEAD (15 * E8_NS_MS) /* a turn is known so long before it comes: more than what is prepared */

/* ---- the map from the schedule's moments to ours ---- */

e8_mono_ns e8_turn_due(const struct e8_turn *turn, e8_mono_ns moment)
{
    while (turn && moment <= turn->moment) {
        turn = turn->before;
    }
    if (!turn || moment == E8_NEVER) {
        return moment;
    }
    return turn->paused ? E8_NEVER : e8_after(turn->at, e8_divided(moment - turn->moment, turn->factor));
}

e8_mono_ns e8_turn_moment(const struct e8_turn *turn, e8_mono_ns at)
{
    while (turn && at < turn->at) {
        turn = turn->before;
    }
    if (!turn) {
        return at;
    }
    return turn->paused ? turn->moment : e8_after(turn->moment, e8_divided(at - turn->at, 1 / turn->factor));
}

/* ---- the caller's side ---- */

static void publish(struct e8_engine *engine, bool paused)
{
    struct e8_turn *turn = e8_new(1, sizeof *turn);
    turn->before = atomic_load(&engine->turn);
    turn->at = e8_mono_now() + AHEAD;
    if (turn->before && turn->at < turn->before->at) {
        turn->at = turn->before->at;
    }
    if (turn->at < engine->begun) { /* the start stays where it was appointed */
        turn->at = engine->begun;
    }
    turn->moment = e8_turn_moment(turn->before, turn->at);
    turn->paused = paused;
    turn->factor = engine->factor;
    atomic_store_explicit(&engine->turn, turn, memory_order_release);
    for (unsigned i = 0; i < engine->count; i++) {
        e8_transport_wake(engine->workers[i].transport);
    }
}

static bool is_paused(const struct e8_turn *turn)
{
    return turn && turn->paused;
}

void e8_engine_pause(struct e8_engine *engine, bool paused)
{
    if (is_paused(atomic_load(&engine->turn)) != paused) {
        publish(engine, paused);
    }
}

void e8_engine_hasten(struct e8_engine *engine, double factor)
{
    E8_ASSERT(factor > 0);
    engine->factor = factor;
    if (!is_paused(atomic_load(&engine->turn))) {
        publish(engine, false);
    }
}

e8_dur_ns e8_turns_paused(const struct e8_turn *turn, e8_mono_ns until)
{
    e8_dur_ns sum = 0;
    for (; turn; turn = turn->before) {
        sum += turn->paused && until > turn->at ? until - turn->at : 0;
        until = turn->at < until ? turn->at : until;
    }
    return sum;
}

static bool is_changed(const struct e8_turn *turn)
{
    return !turn->paused && (turn->factor < 1 || turn->factor > 1);
}

void e8_turns_factors(const struct e8_turn *turn, e8_mono_ns until, double *least, double *most,
                      e8_mono_ns *at)
{
    *least = *most = 0;
    for (; turn; turn = turn->before) {
        if (turn->at < until && is_changed(turn)) {
            *least = *least > 0 && *least < turn->factor ? *least : turn->factor;
            *most = *most > turn->factor ? *most : turn->factor;
            *at = turn->at;
        }
    }
    if (*least > 0) {
        *least = *least < 1 ? *least : 1;
        *most = *most > 1 ? *most : 1;
    }
}

void e8_turns_free(struct e8_turn *turn)
{
    while (turn) {
        struct e8_turn *before = turn->before;
        free(turn);
        turn = before;
    }
}

/* ---- how it goes now ---- */

/* Where the phase begins in the schedule's moments; false: not known yet. */
static bool base_of(struct e8_engine *engine, size_t index, e8_mono_ns *base)
{
    const struct e8_phase *phase = &engine->plan->phases[index];
    const struct e8_phase *before = index ? phase - 1 : NULL;
    if (phase->at >= 0) {
        *base = e8_after(engine->epoch, e8_scaled(engine, phase->at));
    } else if (before && before->open) {
        *base = e8_after(*base, e8_scaled(engine, before->pace.length));
    } else {
        *base = before ? atomic_load(&engine->gates[index - 1].at) : engine->epoch;
    }
    return *base != 0;
}

static void look_at_phase(struct e8_engine *engine, size_t index, e8_dur_ns into, struct e8_engine_now *now)
{
    const struct e8_phase *phase = &engine->plan->phases[index];
    struct e8_part part = e8_plan_part(engine->plan, phase);
    if (!phase->open) {
        bool ended = atomic_load(&engine->gates[index].ended) == engine->count;
        now->closed += into >= 0 && !ended ? part.concurrency : 0;
        now->warming = now->warming || (phase->warmup && into >= 0 && !ended);
        return;
    }
    e8_dur_ns offset = e8_divided(into, 1 / engine->speed);
    now->open = now->open || offset < phase->pace.length;
    if (into >= 0 && offset < phase->pace.length) {
        now->warming = now->warming || phase->warmup;
        now->arrivals += e8_pace_rate(&phase->pace, offset) * engine->speed / (double)part.step;
    }
}

static void look_at_deliveries(struct e8_engine *engine, struct e8_engine_now *now)
{
    for (unsigned i = 0; i < engine->count; i++) {
        now->on_wire += atomic_load_explicit(&engine->workers[i].shown_on_wire, memory_order_relaxed);
        now->waiting += atomic_load_explicit(&engine->workers[i].shown_waiting, memory_order_relaxed);
    }
}

static double busiest(struct e8_engine *engine, e8_mono_ns at)
{
    e8_dur_ns window = at - engine->looked_at;
    double most = 0;
    for (unsigned i = 0; i < engine->count; i++) {
        e8_dur_ns slept = e8_transport_slept(engine->workers[i].transport, at);
        double busy = window > 0 ? 1 - (double)(slept - engine->slept[i]) / (double)window : 0;
        engine->slept[i] = slept;
        most = busy > most ? busy : most;
    }
    engine->looked_at = at;
    return most < 1 ? most : 1;
}

void e8_engine_look(struct e8_engine *engine, struct e8_engine_now *out)
{
    const struct e8_turn *turn = atomic_load(&engine->turn);
    e8_mono_ns at = e8_mono_now(), moment = e8_turn_moment(turn, at), base = engine->epoch;
    size_t count = engine->plan->phase_count, i = 0;
    *out = (struct e8_engine_now){.paused = is_paused(turn), .factor = engine->factor};
    for (; i < count && base_of(engine, i, &base); i++) {
        const struct e8_phase *phase = &engine->plan->phases[i];
        e8_dur_ns length = e8_scaled(engine, phase->open ? phase->pace.length : phase->within);
        e8_mono_ns end = length ? e8_after(base, length) : E8_NEVER;
        look_at_phase(engine, i, moment - base, out);
        out->ends = end > out->ends ? end : out->ends;
    }
    out->ends = i < count ? E8_NEVER : e8_turn_due(turn, out->ends);
    out->arrivals *= out->paused ? 0 : out->factor;
    look_at_deliveries(engine, out);
    out->bounded = atomic_load(&engine->bounded);
    out->crowded = atomic_load(&engine->crowded);
    out->holds = atomic_load(&engine->holds);
    out->busy = busiest(engine, at);
}

/* ---- a worker's side ---- */

e8_mono_ns e8_worker_clock(const struct e8_worker *worker)
{
    e8_mono_ns now = e8_mono_now(), last = e8_worker_last(worker);
    return now > last ? last + 1 : now;
}

e8_mono_ns e8_worker_last(const struct e8_worker *worker)
{
    return is_paused(worker->turn) ? worker->turn->at : E8_NEVER - 1;
}

/* All of an instance that is due after the pause began is due so much later. */
static void postpone_strands(struct e8_worker *worker, e8_mono_ns after, e8_dur_ns by)
{
    for (struct e8_instance *instance = worker->started; instance; instance = instance->next_started) {
        for (struct e8_strand *strand = instance->strands; strand; strand = strand->next) {
            strand->joined += strand->joined > after ? by : 0;
            if (e8_strand_due(worker, strand) > after) {
                strand->shift = e8_after(strand->shift, by);
            }
        }
    }
}

static void postpone_deliveries(struct e8_worker *worker, e8_mono_ns after, e8_dur_ns by)
{
    for (struct e8_delivery *delivery = worker->live; delivery; delivery = delivery->next_live) {
        if (delivery->timer.place && delivery->timer.at > after) {
            e8_delivery_postpone(worker, delivery, by);
        }
    }
}

static void take_turn(struct e8_worker *worker, const struct e8_turn *turn)
{
    const struct e8_turn *before = worker->turn;
    if (is_paused(before)) {
        e8_dur_ns by = turn->at - before->at;
        postpone_strands(worker, before->at, by);
        postpone_deliveries(worker, before->at, by);
        e8_timers_postpone(&worker->planned, before->at, by);
        e8_timers_postpone(&worker->ready, before->at, by);
    }
    worker->turn = turn;
}

void e8_worker_turn(struct e8_worker *worker)
{
    const struct e8_turn *newest = atomic_load_explicit(&worker->engine->turn, memory_order_acquire);
    while (worker->turn != newest) {
        const struct e8_turn *next = newest;
        while (next->before != worker->turn) {
            next = next->before;
        }
        take_turn(worker, next);
    }
}
