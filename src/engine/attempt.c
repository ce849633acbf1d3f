#include <stdio.h>
#include <string.h>

#include "engine/worker.h"

#define AT_ONCE_MAX          3 /* attempts in a row that are made at once; then the policy takes over */
#define GENERATOR_PAUSE      (100 * E8_NS_MS)
#define GENERATOR_FAULTS_MAX 50

static void log_event(struct e8_worker *worker, const struct e8_instance *instance,
                      const struct e8_event *event)
{
    struct e8_record record = {.kind = E8_RECORD_EVENT};
    record.event = (struct e8_event_record){
        .event = event->number,
        .step = event->emit->index,
        .type = event->emit->type,
        .sequence = instance->walk.sequence,
        .flow = instance->walk.flow->key,
        .instance = instance->number,
        .at = event->at,
        .flow_started = instance->flow_started,
    };
    memcpy(record.event.id, event->id, sizeof event->id);
    e8_worker_log(worker, &record);
}

static struct e8_event *make_event(struct e8_worker *worker, struct e8_instance *instance)
{
    struct e8_engine *engine = worker->engine;
    struct e8_event *event = e8_event_take(worker);
    struct e8_place place = {engine->plan->seed, instance->walk.flow, instance->number,
                             instance->walk.sequence};
    event->emit = instance->emit;
    event->number = worker->events++ * engine->count + worker->index;
    event->at = e8_after(instance->at, e8_scaled(engine, instance->walk.offset));
    instance->counts[event->emit->type]++;
    e8_event_id(&place, event->at, event->id);
    struct e8_facts facts = e8_event_facts(engine->catalog, event->emit, &place, instance->flow_started,
                                           event->at, instance->counts, event->id);
    e8_event_render(event->emit, &facts, &event->body);
    return event;
}

/* Headers and signature of the attempt, made before it is due. */
static void sign_attempt(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_engine *engine = worker->engine;
    const struct e8_emit *emit = delivery->event->emit;
    struct e8_buf memory;
    e8_buf_fixed(&memory, delivery->memory, sizeof delivery->memory);
    delivery->timestamp = delivery->at / E8_NS_S;
    struct e8_sign_input in = {
        .id = e8_str(delivery->id),
        .timestamp = delivery->timestamp,
        .body = e8_buf_str(&delivery->event->body),
        .type = e8_str(engine->plan->types[emit->type]),
        .environment = e8_str(emit->environment),
        .attempt = delivery->number,
    };
    struct e8_keys keys = {.right = worker->signers[delivery->endpoint]};
    enum e8_rc rc = e8_request_build(engine->catalog, &engine->plan->endpoints[delivery->endpoint], emit, &keys, &in, delivery->key, &memory, NULL, &delivery->parts);
    E8_ASSERT(rc == E8_OK);
}

/* A closed loop has no schedule to be late for: its events are due as soon as they are ready. */
static e8_mono_ns later(e8_mono_ns a, e8_mono_ns b)
{
    return a > b ? a : b;
}

static void make_delivery(struct e8_worker *worker, struct e8_instance *instance, struct e8_event *event,
                          size_t endpoint, e8_mono_ns due)
{
    struct e8_engine *engine = worker->engine;
    struct e8_place place = {engine->plan->seed, instance->walk.flow, instance->number,
                             instance->walk.sequence};
    struct e8_delivery *delivery = e8_delivery_take(worker);
    event->refs++;
    instance->deliveries++;
    delivery->event = event;
    delivery->instance = instance;
    delivery->endpoint = (uint16_t)endpoint;
    delivery->number = 1;
    delivery->tries = 1;
    delivery->trigger = engine->options.trigger;
    delivery->at = event->at;
    e8_delivery_id(&place, event->at, engine->plan->endpoints[endpoint].name, delivery->id);
    delivery->key = e8_hash_str(e8_str(delivery->id));
    sign_attempt(worker, delivery);
    delivery->due = instance->phase->phase->open ? due : later(due, e8_mono_now());
    e8_stats_planned(worker->stats, (unsigned)endpoint, event->emit->type);
    e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
}

static bool takes(const struct e8_worker *worker, size_t endpoint, const struct e8_emit *emit)
{
    const struct e8_engine *engine = worker->engine;
    return e8_emit_goes_to(engine->plan, emit, endpoint) &&
           !atomic_load_explicit(&engine->disabled[endpoint], memory_order_relaxed);
}

/* A wait at the end of a closed flow is the time that its user thinks before the next instance begins. */
void e8_instance_advance(struct e8_worker *worker, struct e8_instance *instance)
{
    instance->emit = e8_walk_next(&instance->walk);
    e8_mono_ns due = e8_after(instance->start, e8_scaled(worker->engine, instance->walk.offset));
    instance->resting = !instance->emit && !instance->phase->phase->open && due > e8_mono_now();
    if (instance->emit) {
        e8_timers_add(&worker->planned, &instance->timer, due);
    } else if (instance->resting) {
        e8_timers_add(&worker->planned, &instance->timer, e8_after(due, E8_PREPARE_LEAD));
    } else {
        e8_instance_settle(worker, instance);
    }
}

void e8_event_emit(struct e8_worker *worker, struct e8_instance *instance, e8_mono_ns due)
{
    const struct e8_plan *plan = worker->engine->plan;
    if (instance->resting) {
        instance->resting = false;
        e8_instance_settle(worker, instance);
        return;
    }
    struct e8_event *event = make_event(worker, instance);
    bool late = worker->deliveries >= worker->bound && worker->engine->options.drop;
    log_event(worker, instance, event);
    e8_stats_event(worker->stats, event->emit->type);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (!takes(worker, i, event->emit)) {
            continue;
        }
        if (late) {
            e8_stats_planned(worker->stats, (unsigned)i, event->emit->type);
            e8_stats_dropped(worker->stats, (unsigned)i, event->emit->type);
        } else {
            make_delivery(worker, instance, event, i, due);
        }
    }
    e8_event_unref(worker, event);
    e8_instance_advance(worker, instance);
}

void e8_attempt_start(struct e8_worker *worker, struct e8_delivery *delivery)
{
    const struct e8_engine *engine = worker->engine;
    const struct e8_endpoint *endpoint = &engine->plan->endpoints[delivery->endpoint];
    struct e8_exchange *exchange = &delivery->exchange;
    e8_exchange_fini(exchange);
    *exchange = (struct e8_exchange){
        .magic = E8_EXCHANGE_MAGIC,
        .url = e8_str(endpoint->url),
        .reach = &engine->options.reach,
        .method = E8_LIT("POST"),
        .headers = delivery->parts.headers,
        .header_count = delivery->parts.count,
        .body = e8_buf_str(&delivery->event->body),
        .deadline = e8_after(e8_mono_now(), endpoint->timeout),
        .fresh = delivery->trigger == E8_TRIGGER_STALE,
        .keep = engine->options.keep,
        .owner = delivery,
    };
    delivery->in_flight = true;
    worker->on_wire++;
    e8_transport_submit(worker->transport, exchange);
}

static void end_delivery(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_instance *instance = delivery->instance;
    e8_event_unref(worker, delivery->event);
    e8_delivery_drop(worker, delivery);
    instance->deliveries--;
    e8_instance_settle(worker, instance);
}

void e8_delivery_abandon(struct e8_worker *worker, struct e8_delivery *delivery)
{
    e8_stats_aborted(worker->stats, delivery->endpoint, delivery->event->emit->type);
    end_delivery(worker, delivery);
}

static void again(struct e8_worker *worker, struct e8_delivery *delivery, enum e8_trigger trigger,
                  e8_dur_ns wait)
{
    struct e8_engine *engine = worker->engine;
    e8_mono_ns now = e8_mono_now();
    delivery->number++;
    delivery->trigger = trigger;
    delivery->due = e8_after(now, wait);
    delivery->at =
        engine->fixed ? e8_after(delivery->at, wait) : e8_after(engine->wall, delivery->due - engine->epoch);
    sign_attempt(worker, delivery);
    e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
}

/* Our own descriptors, ports or memory are used up: nobody else's fault. Wait, try again, and give the run up when that does
 * not help. */
static bool generator_fault(struct e8_worker *worker)
{
    e8_mono_ns now = e8_mono_now();
    if (now < worker->paused_until) { /* was under way when the pause began */
        return true;
    }
    worker->paused_until = now + GENERATOR_PAUSE;
    if (++worker->generator_faults > GENERATOR_FAULTS_MAX) {
        atomic_store(&worker->engine->generator_limited, true);
        e8_engine_stop(worker->engine);
        return false;
    }
    return true;
}

enum next { NEXT_END, NEXT_RETRY, NEXT_AT_ONCE, NEXT_PAUSED };

static enum next decide(struct e8_worker *worker, struct e8_delivery *delivery,
                        const struct e8_outcome_info *info)
{
    enum e8_outcome outcome = delivery->exchange.outcome;
    struct e8_engine *engine = worker->engine;
    const struct e8_endpoint *endpoint = &engine->plan->endpoints[delivery->endpoint];
    bool stopping = atomic_load_explicit(&engine->stop, memory_order_relaxed);
    bool more = !stopping && delivery->number < UINT16_MAX;
    if (info->generator && outcome != E8_FORBIDDEN_TARGET) {
        return more && generator_fault(worker) ? NEXT_PAUSED : NEXT_END;
    }
    worker->generator_faults = 0;
    if (!more || info->retry == E8_RETRY_NO ||
        atomic_load_explicit(&engine->disabled[delivery->endpoint], memory_order_relaxed)) {
        return NEXT_END;
    }
    if (info->retry == E8_RETRY_NOW && delivery->at_once < AT_ONCE_MAX) {
        return NEXT_AT_ONCE;
    }
    return delivery->tries < endpoint->retry.attempts ? NEXT_RETRY : NEXT_END;
}

/* A redirect is told with where it leads; what may be secret in that is left out. */
static void put_error(const struct e8_exchange *x, char error[E8_ERROR_MAX])
{
    char memory[E8_ERROR_MAX + sizeof x->location * 4];
    struct e8_buf text;
    memcpy(error, x->error, E8_ERROR_MAX);
    if (x->outcome != E8_REDIRECT || !x->location[0]) {
        return;
    }
    e8_buf_fixed(&text, memory, sizeof memory - 1);
    e8_buf_printf(&text, "HTTP %d to ", x->status);
    e8_url_redacted(e8_str(x->location), &text);
    struct e8_str told = {text.p, text.n < E8_ERROR_MAX ? text.n : E8_ERROR_MAX - 1};
    told.n = e8_utf8_valid(told);
    memcpy(error, told.p, told.n);
    error[told.n] = '\0';
}

static void record_attempt(struct e8_worker *worker, struct e8_delivery *delivery, bool last)
{
    const struct e8_exchange *x = &delivery->exchange;
    struct e8_record record = {.kind = E8_RECORD_ATTEMPT};
    struct e8_attempt *attempt = &record.attempt;
    e8_mono_ns sent = x->sent < delivery->due ? delivery->due : x->sent;
    attempt->event = delivery->event->number;
    attempt->endpoint = delivery->endpoint;
    attempt->number = delivery->number;
    attempt->outcome = (uint8_t)x->outcome;
    attempt->trigger = (uint8_t)delivery->trigger;
    attempt->flags = x->flags;
    attempt->status = (int16_t)x->status;
    attempt->last = last;
    attempt->type = delivery->event->emit->type;
    attempt->times = (struct e8_times){delivery->due, sent, x->done < sent ? sent : x->done};
    attempt->phases = x->phases;
    attempt->bytes_sent = x->bytes_sent;
    attempt->bytes_received = x->bytes_received;
    attempt->timestamp = delivery->timestamp;
    memcpy(attempt->event_id, delivery->event->id, sizeof attempt->event_id);
    memcpy(attempt->delivery_id, delivery->id, sizeof attempt->delivery_id);
    put_error(x, attempt->error);
    e8_stats_add(worker->stats, attempt);
    e8_worker_log(worker, &record);
    if (worker->engine->options.on_done) {
        const struct e8_done done = {.attempt = attempt,
                                     .exchange = x,
                                     .flow = delivery->instance->walk.flow,
                                     .emit = delivery->event->emit,
                                     .instance = delivery->instance->number};
        worker->engine->options.on_done(worker->engine->options.state, &done);
    }
}

/* The policy's waits run at the run's speed; what the receiver asked for is real time. */
static e8_dur_ns retry_wait(struct e8_worker *worker, struct e8_delivery *delivery,
                            const struct e8_outcome_info *info)
{
    const struct e8_exchange *x = &delivery->exchange;
    const struct e8_retry_policy *policy = &worker->engine->plan->endpoints[delivery->endpoint].retry;
    bool honoured = info->retry == E8_RETRY_AFTER && (x->status == 429 || x->status == 503);
    e8_dur_ns after = -1;
    if (honoured && x->retry_after[0]) {
        after = e8_retry_after_parse(e8_str(x->retry_after), e8_wall_now());
    }
    struct e8_rng rng = e8_rng_new(e8_mix(delivery->key, delivery->tries));
    e8_dur_ns wait = e8_scaled(worker->engine, e8_retry_wait(policy, delivery->tries + 1u, -1, &rng));
    after = after < policy->cap ? after : policy->cap;
    return wait > after ? wait : after;
}

void e8_attempt_done(struct e8_worker *worker, struct e8_delivery *delivery)
{
    const struct e8_outcome_info *info = e8_outcome_info(delivery->exchange.outcome);
    delivery->in_flight = false;
    worker->on_wire--;
    if (delivery->exchange.outcome == E8_GONE) {
        atomic_store(&worker->engine->disabled[delivery->endpoint], true);
    }
    enum next next = decide(worker, delivery, info);
    record_attempt(worker, delivery, next == NEXT_END);
    if (next == NEXT_END) {
        end_delivery(worker, delivery);
    } else if (next == NEXT_RETRY) {
        e8_dur_ns wait = retry_wait(worker, delivery, info);
        delivery->tries++;
        delivery->at_once = 0;
        again(worker, delivery, E8_TRIGGER_RETRY, wait);
    } else {
        delivery->at_once = (uint16_t)(delivery->at_once + (next == NEXT_AT_ONCE));
        again(worker, delivery, next == NEXT_AT_ONCE ? E8_TRIGGER_STALE : E8_TRIGGER_RETRY,
              next == NEXT_PAUSED ? GENERATOR_PAUSE : 0);
    }
}
