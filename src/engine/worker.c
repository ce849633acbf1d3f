#include "engine/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PUBLISH_EVERY (100 * E8_NS_MS)
#define BATCH         16 /* of events or attempts, then the network is looked at */

void e8_worker_init(struct e8_worker *worker, struct e8_engine *engine, unsigned index)
{
    const struct e8_plan *plan = engine->plan;
    worker->engine = engine;
    worker->index = index;
    worker->bound =
        engine->options.in_flight / engine->count + (index < engine->options.in_flight % engine->count);
    worker->bound = worker->bound ? worker->bound : 1;
    worker->ring = engine->options.log ? e8_dlog_ring(engine->options.log, index) : NULL;
    worker->stats = e8_stats_new((unsigned)plan->endpoint_count, (unsigned)e8_catalog_count(engine->catalog));
    atomic_init(&worker->published, NULL);
    atomic_init(&worker->spare,
                e8_stats_new((unsigned)plan->endpoint_count, (unsigned)e8_catalog_count(engine->catalog)));
    worker->signers = e8_new(plan->endpoint_count + 1, sizeof(struct e8_signer *));
    e8_phases_init(worker);
}

void e8_worker_fini(struct e8_worker *worker)
{
    struct e8_stats *published = atomic_load(&worker->published), *spare = atomic_load(&worker->spare);
    e8_transport_free(&worker->transport);
    e8_pools_fini(worker);
    e8_timers_fini(&worker->planned);
    e8_timers_fini(&worker->ready);
    for (size_t i = 0; i < worker->engine->plan->endpoint_count; i++) {
        e8_signer_free(&worker->signers[i]);
    }
    free(worker->signers);
    free(worker->phases);
    e8_stats_free(&worker->stats);
    e8_stats_free(&published);
    e8_stats_free(&spare);
}

static struct e8_instance *take_instance(struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_take(&worker->planned), struct e8_instance, timer);
}

static struct e8_delivery *take_delivery(struct e8_worker *worker)
{
    return E8_TIMER_OWNER(e8_timers_take(&worker->ready), struct e8_delivery, timer);
}

/* Statistics change hands: ours go to whoever reads them, an empty one comes back. */
static void publish(struct e8_worker *worker, e8_mono_ns now)
{
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

e8_mono_ns e8_worker_prepare(struct e8_worker *worker, e8_mono_ns now)
{
    bool drop = worker->engine->options.drop;
    for (unsigned n = 0; e8_timers_due(&worker->planned) - E8_PREPARE_LEAD <= now; n++) {
        if ((worker->deliveries >= worker->bound && !drop) || !has_number(worker)) {
            return E8_NEVER;
        }
        if (n == BATCH) {
            return now; /* look at the network in between */
        }
        e8_mono_ns due = e8_timers_due(&worker->planned);
        e8_event_emit(worker, take_instance(worker), due);
    }
    e8_mono_ns due = e8_timers_due(&worker->planned);
    return due == E8_NEVER ? E8_NEVER : due - E8_PREPARE_LEAD;
}

static bool is_disabled(const struct e8_worker *worker, const struct e8_delivery *delivery)
{
    return atomic_load_explicit(&worker->engine->disabled[delivery->endpoint], memory_order_relaxed);
}

static e8_mono_ns send_due(struct e8_worker *worker)
{
    for (unsigned n = 0; e8_timers_due(&worker->ready) != E8_NEVER; n++) {
        e8_mono_ns now = e8_mono_now();
        if (worker->paused_until > now) {
            return worker->paused_until;
        }
        if (e8_timers_due(&worker->ready) > now) {
            return e8_timers_due(&worker->ready);
        }
        if (worker->on_wire >= worker->bound) {
            return E8_NEVER;
        }
        if (n == BATCH) {
            return now;
        }
        struct e8_delivery *delivery = take_delivery(worker);
        if (is_disabled(worker, delivery)) {
            e8_delivery_abandon(worker, delivery);
        } else {
            e8_attempt_start(worker, delivery);
        }
    }
    return E8_NEVER;
}

static void drain_planned(struct e8_worker *worker)
{
    struct e8_instance *instance;
    while ((instance = take_instance(worker)) != NULL) {
        instance->emit = NULL;
        instance->resting = false;
        e8_instance_settle(worker, instance);
    }
    for (size_t i = 0; i < worker->engine->plan->phase_count; i++) {
        worker->phases[i].started = worker->phases[i].ended = true;
    }
}

/* After a stop: nothing new; what waits is given up, what is in flight gets the grace. */
static e8_mono_ns stop_step(struct e8_worker *worker, e8_mono_ns now)
{
    struct e8_engine *engine = worker->engine;
    if (!worker->stopped_at) {
        worker->stopped_at = now;
        drain_planned(worker);
    }
    struct e8_delivery *delivery;
    while ((delivery = take_delivery(worker)) != NULL) {
        e8_delivery_abandon(worker, delivery);
    }
    e8_mono_ns end = e8_after(worker->stopped_at, engine->options.grace);
    if (atomic_load(&engine->abort) || now >= end) {
        for (delivery = worker->live; delivery; delivery = delivery->next_live) {
            e8_transport_abort(worker->transport, &delivery->exchange);
        }
        return now;
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
            wake = e8_phases_step(worker, now);
            wake = earlier(wake, e8_worker_prepare(worker, now));
            wake = earlier(wake, send_due(worker));
            if (worker->settled != settled) { /* without a delivery; its place is free */
                wake = now;
            }
        }
        publish(worker, now);
        if (worker_ended(worker)) {
            break;
        }
        e8_transport_wait(worker->transport, earlier(wake, now + PUBLISH_EVERY));
        take_done(worker);
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
