#include "engine/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PUBLISH_EVERY (100 * E8_NS_MS)
#define LOOK_EVERY    (5 * E8_NS_MS)
#define BATCH         16 /* of events or attempts, then the network is looked at */

/* A worker's part of what all may have; at least 1. */
static size_t part_of(const struct e8_engine *engine, size_t all, unsigned index)
{
    size_t part = all / engine->count + (index < all % engine->count);
    return part ? part : 1;
}

void e8_worker_init(struct e8_worker *worker, struct e8_engine *engine, unsigned index)
{
    const struct e8_plan *plan = engine->plan;
    unsigned endpoints = (unsigned)plan->endpoint_count, types = (unsigned)plan->type_count;
    worker->engine = engine;
    worker->index = index;
    worker->bound = part_of(engine, engine->options.in_flight, index);
    worker->room = part_of(engine, engine->options.waiting, index);
    worker->ring = engine->options.log ? e8_dlog_ring(engine->options.log, index) : NULL;
    worker->stats = e8_stats_new(endpoints, types);
    worker->uncounted = e8_stats_new(endpoints, types);
    atomic_init(&worker->published, NULL);
    atomic_init(&worker->fed, NULL);
    atomic_init(&worker->spare, e8_stats_new(endpoints, types));
    worker->copies = e8_new(endpoints + 1, sizeof *worker->copies);
    worker->takers = e8_new(endpoints + 1, sizeof *worker->takers);
    worker->shut = e8_new(endpoints + 1, sizeof *worker->shut);
    worker->owed = engine->options.on_event ? e8_new(endpoints + 1, sizeof *worker->owed) : NULL;
    worker->expected = engine->expects ? e8_new(plan->emit_count, sizeof *worker->expected) : NULL;
    e8_pools_init(worker);
    e8_phases_init(worker);
}

void e8_worker_fini(struct e8_worker *worker)
{
    struct e8_stats *published = atomic_load(&worker->published), *spare = atomic_load(&worker->spare);
    e8_transport_free(&worker->transport);
    e8_pools_fini(worker);
    e8_timers_fini(&worker->planned);
    e8_timers_fini(&worker->ready);
    free(worker->copies);
    free(worker->takers);
    free(worker->shut);
    free(worker->owed);
    free(worker->expected);
    e8_hist_free(&worker->spread);
    free(worker->phases);
    e8_stats_free(&worker->stats);
    e8_stats_free(&worker->uncounted);
    e8_stats_free(&published);
    e8_stats_free(&spare);
}

/* What waits for its retry holds memory, but no place of those that are on the wire: else a receiver that is down would keep what is
 * due from all others. */
static bool is_bounded(const struct e8_worker *worker)
{
    return worker->deliveries - worker->kept - worker->waiting >= worker->bound;
}

static bool is_crowded(const struct e8_worker *worker)
{
    return worker->waiting >= worker->room;
}

bool e8_worker_full(const struct e8_worker *worker)
{
    return is_bounded(worker) || is_crowded(worker);
}

static void note(atomic_bool *flag)
{
    if (!atomic_load_explicit(flag, memory_order_relaxed)) {
        atomic_store_explicit(flag, true, memory_order_relaxed);
    }
}

static void note_bounds(const struct e8_worker *worker)
{
    if (is_bounded(worker)) {
        note(&worker->engine->bounded);
    }
    if (is_crowded(worker)) {
        note(&worker->engine->crowded);
    }
}

e8_mono_ns e8_worker_waits(struct e8_worker *worker, e8_mono_ns due, e8_mono_ns now)
{
    if (due > now) {
        return due;
    }
    note_bounds(worker);
    return E8_NEVER;
}

static void ask_hold(struct e8_worker *worker)
{
    const struct e8_engine_options *options = &worker->engine->options;
    worker->holding = options->on_hold && options->on_hold(options->state);
    worker->held = worker->held && worker->holding;
}

bool e8_worker_holds(struct e8_worker *worker)
{
    if (worker->holding && !worker->held) {
        worker->held = true;
        atomic_fetch_add_explicit(&worker->engine->holds, 1, memory_order_relaxed);
    }
    return worker->holding;
}

bool e8_is_shut(const struct e8_worker *worker, size_t endpoint)
{
    return e8_shut_of(worker->engine, endpoint) != E8_SHUT_NOT;
}

bool e8_worker_stopping(const struct e8_worker *worker)
{
    return atomic_load_explicit(&worker->engine->stop, memory_order_relaxed);
}

static struct e8_strand *take_strand(struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_take(&worker->planned), struct e8_strand, timer);
}

static struct e8_delivery *take_delivery(struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_take(&worker->ready), struct e8_delivery, timer);
}

/* Statistics change hands: ours go to whoever reads them, an empty one comes back. */
static void publish(struct e8_worker *worker, e8_mono_ns now)
{
    atomic_store_explicit(&worker->shown_on_wire, worker->on_wire, memory_order_relaxed);
    atomic_store_explicit(&worker->shown_waiting, worker->waiting + worker->kept, memory_order_relaxed);
    if (now < worker->publish_at || atomic_load(&worker->published)) {
        return;
    }
    struct e8_stats *spare = atomic_exchange(&worker->spare, NULL);
    if (spare) {
        atomic_store(&worker->published, worker->stats);
        worker->stats = spare;
    }
    worker->publish_at = now + PUBLISH_EVERY;
}

/* The log numbers a run's events with 32 bits. */
static bool has_number(struct e8_worker *worker)
{
    struct e8_engine *engine = worker->engine;
    if (worker->events < UINT32_MAX / engine->count) {
        return true;
    }
    atomic_store(&engine->generator_limited, true);
    e8_engine_stop(engine);
    return false;
}

static const struct e8_strand *next_strand(const struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_peek(&worker->planned), struct e8_strand, timer);
}

/* What makes no event, as the end of a flow, need not wait for those that are under way. */
static bool needs_room(const struct e8_strand *strand)
{
    return strand->state == E8_STRAND_MOVES && strand->move == E8_MOVE_EMIT;
}

e8_mono_ns e8_worker_prepare(struct e8_worker *worker, e8_mono_ns now)
{
    bool drop = worker->engine->options.drop;
    e8_mono_ns last = e8_worker_last(worker);
    for (unsigned n = 0; e8_timers_due(&worker->planned) - E8_PREPARE_LEAD <= now; n++) {
        if (e8_timers_due(&worker->planned) > last) {
            return E8_NEVER;
        }
        if (!drop && e8_worker_full(worker) && needs_room(next_strand(worker))) {
            return e8_worker_waits(worker, e8_timers_due(&worker->planned), now);
        }
        if (e8_worker_holds(worker) || !has_number(worker)) {
            return E8_NEVER;
        }
        if (n == BATCH) {
            return now; /* look at the network in between */
        }
        e8_mono_ns due = e8_timers_due(&worker->planned);
        e8_strand_wake(worker, take_strand(worker), due);
    }
    e8_mono_ns due = e8_timers_due(&worker->planned);
    return due == E8_NEVER ? E8_NEVER : due - E8_PREPARE_LEAD;
}

/* The next attempt's place in the rate that all workers share: 0 when it has one, else when there is one to be had. */
static e8_mono_ns take_place(struct e8_engine *engine, e8_mono_ns now)
{
    e8_mono_ns next = atomic_load(&engine->next_attempt);
    if (!engine->interval) {
        return 0;
    }
    do {
        if (next > now) {
            return next;
        }
    } while (!atomic_compare_exchange_weak(&engine->next_attempt, &next, now + engine->interval));
    return 0;
}

/* Starts the delivery that is due, or all of its group. */
static void send_delivery(struct e8_worker *worker, struct e8_delivery *delivery)
{
    if (e8_is_shut(worker, delivery->endpoint)) {
        e8_delivery_abandon(worker, delivery);
    } else if (delivery->group) {
        e8_group_start(worker, delivery->group);
    } else {
        e8_attempt_start(worker, delivery);
    }
}

/* The earliest that is ready. */
static struct e8_delivery *next_delivery(const struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_peek(&worker->ready), struct e8_delivery, timer);
}

static bool has_place(const struct e8_worker *worker, const struct e8_delivery *next)
{
    return next->group ? e8_group_fits(worker, next->group) : worker->on_wire < worker->bound;
}

static e8_mono_ns send_due(struct e8_worker *worker)
{
    for (unsigned n = 0; e8_timers_due(&worker->ready) != E8_NEVER; n++) {
        e8_mono_ns now = e8_mono_now(), place;
        if (worker->paused_until > now) {
            return worker->paused_until;
        }
        if (e8_timers_due(&worker->ready) > e8_worker_last(worker)) {
            return E8_NEVER;
        }
        if (e8_timers_due(&worker->ready) > now) {
            return e8_timers_due(&worker->ready);
        }
        if (e8_worker_holds(worker)) {
            return E8_NEVER;
        }
        if (n == BATCH) {
            return now;
        }
        if (next_delivery(worker)->in_line && !e8_line_turn(worker, next_delivery(worker))) {
            e8_line_wait(worker, take_delivery(worker));
            continue;
        }
        if (!has_place(worker, next_delivery(worker))) {
            note(&worker->engine->bounded);
            return E8_NEVER;
        }
        place = take_place(worker->engine, now);
        if (place) {
            return place;
        }
        send_delivery(worker, take_delivery(worker));
    }
    return E8_NEVER;
}

static void drain_planned(struct e8_worker *worker)
{
    struct e8_strand *strand;
    while ((strand = take_strand(worker)) != NULL) {
        e8_strand_halt(worker, strand);
    }
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        worker->phases[i].started = worker->phases[i].ended = true;
    }
}

/* After a stop: nothing new; what waits is given up, what is in flight gets the grace. */
static e8_mono_ns stop_step(struct e8_worker *worker, e8_mono_ns now)
{
    struct e8_engine *engine = worker->engine;
    e8_feed_take(worker);
    if (!worker->stopped_at) {
        worker->stopped_at = now;
        drain_planned(worker);
    }
    struct e8_delivery *delivery;
    e8_lines_step(worker, now, true);
    while ((delivery = take_delivery(worker)) != NULL) {
        e8_delivery_abandon(worker, delivery);
    }
    e8_mono_ns end = e8_after(worker->stopped_at, engine->options.grace);
    if (atomic_load(&engine->abort) || now >= end) {
        e8_helper_give_up(engine->helper);
        for (delivery = worker->live; delivery; delivery = delivery->next_live) {
            if (delivery->in_flight) {
                e8_transport_abort(worker->transport, &delivery->exchange);
            }
        }
        return worker->on_wire ? now : e8_after(now, LOOK_EVERY);
    }
    return end;
}

static void take_done(struct e8_worker *worker)
{
    struct e8_exchange *exchange;
    while ((exchange = e8_transport_next(worker->transport)) != NULL) {
        e8_attempt_done(worker, exchange->owner);
    }
}

static bool worker_ended(const struct e8_worker *worker)
{
    return worker->deliveries == 0 && worker->instances == 0 && e8_phases_ended(worker);
}

static e8_mono_ns earlier(e8_mono_ns a, e8_mono_ns b)
{
    return a < b ? a : b;
}

static void worker_loop(struct e8_worker *worker)
{
    struct e8_engine *engine = worker->engine;
    while (!worker_ended(worker)) {
        e8_mono_ns now = e8_mono_now(), wake;
        if (engine->options.log && e8_dlog_failed(engine->options.log) &&
            !atomic_exchange(&engine->log_failed, true)) {
            e8_engine_stop(engine);
        }
        if (atomic_load_explicit(&engine->stop, memory_order_relaxed)) {
            wake = stop_step(worker, now);
        } else {
            uint64_t settled = worker->settled;
            e8_worker_turn(worker);
            ask_hold(worker);
            wake = e8_phases_step(worker, now);
            e8_feed_take(worker);
            wake = earlier(wake, e8_worker_prepare(worker, now));
            e8_lines_step(worker, now, false);
            wake = earlier(wake, send_due(worker));
            wake = earlier(wake, e8_lines_step(worker, now, false));
            if (worker->settled != settled) { /* without a delivery; its place is free */
                wake = now;
            }
            if (worker->held) {
                wake = earlier(wake, e8_after(now, LOOK_EVERY));
            }
        }
        wake = earlier(wake, e8_groups_step(worker, now));
        publish(worker, now);
        e8_busy_look(worker, now);
        if (worker_ended(worker)) {
            break;
        }
        e8_transport_wait(worker->transport, earlier(wake, now + PUBLISH_EVERY));
        take_done(worker);
        e8_worker_take_mail(worker);
    }
}

void *e8_worker_main(void *state)
{
    struct e8_worker *worker = state;
    struct e8_engine *engine = worker->engine;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    worker_loop(worker);
    if (atomic_fetch_add(&engine->ended, 1) + 1 == engine->count) {
        pthread_mutex_lock(&engine->lock);
        pthread_cond_broadcast(&engine->all_ended);
        pthread_mutex_unlock(&engine->lock);
    }
    return NULL;
}
