#include "engine/worker.h"

#define AT_ONCE_MAX          3 /* attempts in a row that are made at once; then the policy takes over */
#define GENERATOR_PAUSE      (100 * E8_NS_MS)
#define GENERATOR_FAULTS_MAX 50

void e8_attempt_sign(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_engine *engine = worker->engine;
    const struct e8_emit *origin = delivery->event->emit;
    const struct e8_standing *standing = delivery->seal.standing;
    struct e8_buf memory;
    e8_buf_fixed(&memory, delivery->memory, sizeof delivery->memory);
    delivery->timestamp = delivery->at / E8_NS_S;
    struct e8_sign_input in = {
        .id = e8_str(delivery->id),
        .timestamp = delivery->timestamp,
        .body = e8_buf_str(&delivery->event->body),
        .type = e8_str(engine->plan->types[origin->type]),
        .environment = e8_str(origin->environment),
        .attempt = delivery->number,
    };
    struct e8_keys keys =
        e8_keys_of(&standing->keys[worker->index], delivery->seal.keys, delivery->form->tamper != NULL);
    uint64_t seed = delivery->form->tamper ? e8_hash_str(in.id) : 0;
    enum e8_rc rc = e8_request_build(engine->catalog, standing->endpoint, delivery->form, &keys, &in, seed,
                                     &memory, &delivery->scratch, &delivery->parts);
    E8_ASSERT(rc == E8_OK); /* the plan's check keeps what users give below the limits */
}

static void wait_again(struct e8_worker *worker, struct e8_delivery *delivery, bool waits)
{
    worker->waiting += waits;
    worker->waiting -= delivery->waits;
    delivery->waits = waits;
}

void e8_attempt_start(struct e8_worker *worker, struct e8_delivery *delivery)
{
    const struct e8_engine *engine = worker->engine;
    const struct e8_expect *expect = delivery->emit->expect;
    struct e8_exchange *exchange = &delivery->exchange;
    e8_exchange_fini(exchange);
    if (!delivery->group) {
        e8_deliver_reseal(worker, delivery);
    }
    const struct e8_endpoint *endpoint = e8_standing_now(engine, delivery->endpoint)->endpoint;
    exchange->magic = E8_EXCHANGE_MAGIC;
    exchange->url = e8_str(endpoint->url);
    exchange->reach = &engine->options.reach;
    exchange->method = delivery->parts.method;
    exchange->headers = delivery->parts.headers;
    exchange->header_count = delivery->parts.count;
    exchange->body = delivery->parts.body;
    exchange->deadline = e8_after(e8_mono_now(), endpoint->timeout);
    /* What a tampered request does to a connection must not reach another delivery, nor be taken for a stale one. */
    exchange->fresh = delivery->group || delivery->trigger == E8_TRIGGER_STALE || delivery->form->tamper;
    exchange->hold = delivery->group != NULL;
    exchange->wire = delivery->parts.wire;
    exchange->keep = engine->options.keep || (expect && e8_expect_reads(expect));
    exchange->owner = delivery;
    wait_again(worker, delivery, false);
    delivery->in_flight = true;
    worker->on_wire++;
    e8_transport_submit(worker->transport, exchange);
}

static void end_delivery(struct e8_worker *worker, struct e8_delivery *delivery, bool well)
{
    struct e8_strand *strand = delivery->strand;
    wait_again(worker, delivery, false);
    strand->failed = strand->failed || !well;
    e8_line_leave(worker, delivery);
    e8_followers_release(worker, delivery);
    e8_event_unref(worker, delivery->event);
    e8_delivery_drop(worker, delivery);
    strand->outstanding--;
    e8_strand_check(worker, strand);
}

/* No attempt of it was made. */
static bool is_fresh(const struct e8_delivery *delivery)
{
    return delivery->tries == 1 && delivery->at_once == 0 && delivery->trigger != E8_TRIGGER_RETRY;
}

static void abandon(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_stats *stats = e8_stats_of(worker, delivery->strand);
    unsigned type = delivery->event->emit->type;
    bool shut = e8_is_shut(worker, delivery->endpoint);
    if (shut && is_fresh(delivery)) {
        e8_stats_gone(stats, delivery->endpoint, type);
    } else {
        e8_stats_aborted(stats, delivery->endpoint, type);
    }
    if (shut) {
        e8_copies_gone(worker, delivery);
    }
    e8_feed_unsent(worker, delivery);
    if (delivery->group) {
        e8_group_leave(worker, delivery);
    }
    end_delivery(worker, delivery, false);
}

void e8_delivery_abandon(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_group *group = delivery->group;
    size_t count = group ? group->count : 1;
    for (size_t i = 1; i < count; i++) {
        abandon(worker, group->list[i]);
    }
    abandon(worker, delivery);
}

/* A new attempt of the delivery: its number, time and signature are new. */
static void renew(struct e8_worker *worker, struct e8_delivery *delivery, e8_dur_ns wait)
{
    struct e8_engine *engine = worker->engine;
    struct e8_strand *strand = delivery->strand;
    delivery->number++;
    delivery->at = engine->fixed ? e8_after(delivery->at, wait) : e8_wall_of(engine, delivery->due);
    delivery->seal = e8_seal_now(engine, delivery->endpoint, delivery->event->made);
    delivery->delayed = true;
    if (strand->traces && strand->last.sequence == delivery->event->sequence) {
        strand->traces[delivery->endpoint].number = delivery->number;
    }
    e8_attempt_sign(worker, delivery);
}

/* A copy stays what it is: it is sent another time only where the receiver cannot have got it. */
static void again(struct e8_worker *worker, struct e8_delivery *delivery, enum e8_trigger trigger,
                  e8_dur_ns wait)
{
    wait_again(worker, delivery, true);
    e8_exchange_fini(&delivery->exchange); /* the answer has been told */
    delivery->trigger = trigger;
    delivery->due = e8_after(e8_worker_clock(worker), wait);
    if (delivery->copy == 0) {
        renew(worker, delivery, wait);
    }
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

/* What follows by the receiver's answer. Copies are made once. */
static enum e8_next follows(struct e8_worker *worker, const struct e8_delivery *delivery,
                            const struct e8_judgement *j)
{
    const struct e8_outcome_info *info = e8_outcome_info(delivery->exchange.outcome);
    const struct e8_endpoint *endpoint = e8_standing_now(worker->engine, delivery->endpoint)->endpoint;
    bool expected = j->verdict != E8_EXPECTED_NOTHING && j->holds;
    if (info->retry == E8_RETRY_NO || expected || delivery->copy || e8_is_shut(worker, delivery->endpoint)) {
        return E8_NEXT_END;
    }
    return delivery->tries < endpoint->retry.attempts ? E8_NEXT_RETRY : E8_NEXT_END;
}

/* Attempts that say nothing of the receiver (our own faults, idle connections that were closed) are not judged. */
static enum e8_next decide(struct e8_worker *worker, struct e8_delivery *delivery, struct e8_judgement *j)
{
    enum e8_outcome outcome = delivery->exchange.outcome;
    const struct e8_outcome_info *info = e8_outcome_info(outcome);
    bool stops = e8_worker_stopping(worker) && !delivery->fed;
    bool more = delivery->number < UINT16_MAX;
    j->verdict = E8_EXPECTED_NOTHING;
    j->holds = true;
    j->why[0] = '\0';
    if (info->generator && outcome != E8_FORBIDDEN_TARGET) {
        return more && !stops && generator_fault(worker) ? E8_NEXT_PAUSED : E8_NEXT_END;
    }
    worker->generator_faults = 0;
    enum e8_next next = E8_NEXT_AT_ONCE;
    if (!more || info->retry != E8_RETRY_NOW || delivery->at_once >= AT_ONCE_MAX ||
        e8_is_shut(worker, delivery->endpoint)) {
        e8_judge(delivery, j);
        next = more ? follows(worker, delivery, j) : E8_NEXT_END;
    }
    return stops && next != E8_NEXT_END ? E8_NEXT_CUT : next;
}

/* The policy's waits run at the run's speed; what the receiver asked for is real time. */
static e8_dur_ns retry_wait(struct e8_worker *worker, struct e8_delivery *delivery)
{
    const struct e8_exchange *x = &delivery->exchange;
    const struct e8_outcome_info *info = e8_outcome_info(x->outcome);
    const struct e8_retry_policy *policy =
        &e8_standing_now(worker->engine, delivery->endpoint)->endpoint->retry;
    bool honoured = info->retry == E8_RETRY_AFTER && (x->status == 429 || x->status == 503);
    e8_dur_ns after = -1;
    if (honoured && x->retry_after[0]) {
        after = e8_retry_after_parse(e8_str(x->retry_after), e8_wall_now());
    }
    struct e8_rng rng = e8_rng_new(e8_mix(e8_hash_str(e8_str(delivery->id)), delivery->tries));
    e8_dur_ns wait = e8_scaled(worker->engine, e8_retry_wait(policy, delivery->tries + 1u, -1, &rng));
    after = after < policy->cap ? after : policy->cap;
    return wait > after ? wait : after;
}

static void note_over(struct e8_worker *worker, const struct e8_delivery *delivery)
{
    struct e8_dlog *log = worker->engine->options.log;
    const struct e8_strand *strand = delivery->strand;
    if (log) {
        const struct e8_over over = {.flow = strand->walk.flow->key,
                                     .instance = strand->instance->number,
                                     .at = delivery->event->at,
                                     .flow_started = strand->instance->flow_started,
                                     .sequence = delivery->event->sequence,
                                     .endpoint = delivery->endpoint,
                                     .copy = delivery->copy};
        e8_dlog_over(log, worker->index, &over);
    }
}

/* The delivery has ended: well, or not. Its copies follow, but not after a stop. */
static void finish(struct e8_worker *worker, struct e8_delivery *delivery, const struct e8_judgement *j)
{
    bool delivered = delivery->exchange.outcome == E8_DELIVERED;
    bool well = j->verdict == E8_EXPECTED_NOTHING ? delivered : j->verdict != E8_EXPECTATION_UNMET;
    if (well || delivered) {
        note_over(worker, delivery);
    }
    e8_judged(worker, delivery, j);
    if (e8_is_shut(worker, delivery->endpoint)) {
        e8_copies_gone(worker, delivery);
    } else if (delivery->copies && !e8_worker_stopping(worker)) {
        e8_copy_next(worker, delivery);
    }
    end_delivery(worker, delivery, well);
}

/* What a platform would not send, or sends to see what comes back, does not end its dealings with the endpoint. */
static void disable(struct e8_worker *worker, const struct e8_delivery *delivery)
{
    if (delivery->exchange.outcome == E8_GONE && !delivery->form->tamper && !delivery->form->expect) {
        enum e8_shut open = E8_SHUT_NOT;
        atomic_compare_exchange_strong(&worker->engine->shut[delivery->endpoint], &open, E8_SHUT_GONE);
    }
}

static void at_once(struct e8_worker *worker, struct e8_delivery *delivery, enum e8_next next)
{
    delivery->at_once = (uint16_t)(delivery->at_once + (next == E8_NEXT_AT_ONCE));
    again(worker, delivery, next == E8_NEXT_AT_ONCE ? E8_TRIGGER_STALE : E8_TRIGGER_RETRY,
          next == E8_NEXT_PAUSED ? GENERATOR_PAUSE : 0);
}

/* Retries are in the queue of whoever fed it. */
static void follow_fed(struct e8_worker *worker, struct e8_delivery *delivery, enum e8_next next, bool more)
{
    if (more) {
        at_once(worker, delivery, next);
    } else {
        end_delivery(worker, delivery, delivery->exchange.outcome == E8_DELIVERED);
    }
}

void e8_attempt_done(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_judgement j;
    struct e8_attempt attempt;
    delivery->in_flight = false;
    worker->on_wire--;
    e8_busy_note(worker, &delivery->exchange);
    disable(worker, delivery);
    e8_line_leave(worker, delivery);
    if (delivery->group) {
        e8_group_leave(worker, delivery);
    }
    e8_followers_release(worker, delivery);
    enum e8_next next = decide(worker, delivery, &j);
    e8_dur_ns wait = next == E8_NEXT_RETRY ? retry_wait(worker, delivery) : 0;
    bool told = worker->engine->options.on_fed != NULL;
    e8_record_attempt(worker, delivery, next == E8_NEXT_END, &j, told ? &attempt : NULL);
    bool more = told && e8_feed_done(worker, delivery, &attempt, next, wait);
    if (delivery->fed) {
        follow_fed(worker, delivery, next, more);
    } else if (next == E8_NEXT_END) {
        finish(worker, delivery, &j);
    } else if (next == E8_NEXT_CUT) {
        abandon(worker, delivery);
    } else if (next == E8_NEXT_RETRY) {
        delivery->tries++;
        delivery->at_once = 0;
        again(worker, delivery, E8_TRIGGER_RETRY, wait);
    } else {
        at_once(worker, delivery, next);
    }
}
