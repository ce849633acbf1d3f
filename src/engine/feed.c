#include <string.h>

#include "engine/worker.h"

static void tell(const struct e8_worker *worker, const struct e8_fed_end *end)
{
    const struct e8_engine_options *options = &worker->engine->options;
    if (options->on_fed) {
        options->on_fed(options->state, end);
    }
}

static void give_back(const struct e8_worker *worker, struct e8_fed *fed)
{
    const struct e8_fed_end end = {
        .fed = fed, .how = E8_FED_UNSENT, .event_id = fed->event_id, .endpoint = fed->endpoint};
    tell(worker, &end);
}

/* The same endpoint has the same worker, so that its connections are kept. */
void e8_engine_feed(struct e8_engine *engine, struct e8_fed *fed)
{
    struct e8_worker *worker = &engine->workers[fed->endpoint % engine->count];
    E8_ASSERT(engine->options.on_fed && fed->endpoint < engine->plan->endpoint_count);
    fed->next = atomic_load(&worker->fed);
    while (!atomic_compare_exchange_weak(&worker->fed, &fed->next, fed)) {
    }
    e8_transport_wake(worker->transport);
}

/* All that is there, the oldest first. */
static struct e8_fed *take_all(struct e8_worker *worker)
{
    struct e8_fed *newest = atomic_exchange(&worker->fed, NULL), *oldest = NULL;
    while (newest) {
        struct e8_fed *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static struct e8_event *make_event(struct e8_worker *worker, struct e8_strand *strand,
                                   const struct e8_fed *fed)
{
    struct e8_event *event = e8_event_take(worker);
    event->emit = fed->emit;
    event->number = worker->events++ * worker->engine->count + worker->index;
    event->sequence = event->number;
    event->made = atomic_load(&worker->engine->changes);
    event->at = event->planned = e8_wall_of(worker->engine, fed->due);
    memcpy(event->id, fed->event_id, strlen(fed->event_id) + 1);
    e8_buf_putstr(&event->body, fed->body);
    e8_record_event(worker, strand, event);
    e8_stats_event(worker->stats, event->emit->type);
    return event;
}

static void make_delivery(struct e8_worker *worker, struct e8_strand *strand, struct e8_fed *fed)
{
    struct e8_delivery *delivery = e8_delivery_take(worker);
    delivery->event = make_event(worker, strand, fed);
    delivery->strand = strand;
    strand->outstanding++;
    delivery->emit = delivery->form = fed->emit;
    delivery->endpoint = fed->endpoint;
    delivery->number = fed->number;
    delivery->tries = fed->tries;
    delivery->trigger = fed->trigger;
    delivery->fed = fed;
    delivery->due = fed->due;
    delivery->at = e8_wall_of(worker->engine, fed->due);
    memcpy(delivery->id, fed->delivery_id, strlen(fed->delivery_id) + 1);
    e8_stats_planned(worker->stats, delivery->endpoint, fed->emit->type);
    delivery->seal = e8_seal_now(worker->engine, fed->endpoint, delivery->event->made);
    e8_attempt_sign(worker, delivery);
    e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
}

/* Its one strand, which waits until the end; it begins some milliseconds after the worker does. */
void e8_feed_take(struct e8_worker *worker)
{
    struct e8_strand *strand = worker->started ? worker->started->strands : NULL;
    bool stopping = e8_worker_stopping(worker);
    if ((!strand && !stopping) || !atomic_load_explicit(&worker->fed, memory_order_relaxed)) {
        return;
    }
    struct e8_fed *fed = take_all(worker);
    while (fed) {
        struct e8_fed *next = fed->next;
        if (stopping) {
            give_back(worker, fed);
        } else {
            make_delivery(worker, strand, fed);
        }
        fed = next;
    }
}

void e8_feed_return(struct e8_worker *worker)
{
    for (struct e8_fed *fed = take_all(worker); fed;) {
        struct e8_fed *next = fed->next;
        give_back(worker, fed);
        fed = next;
    }
}

static enum e8_fed_how how_of(const struct e8_attempt *attempt, enum e8_next next)
{
    switch (next) {
    case E8_NEXT_RETRY:
    case E8_NEXT_CUT: /* that nothing comes of it is told next */
        return E8_FED_RETRY;
    case E8_NEXT_AT_ONCE:
    case E8_NEXT_PAUSED:
        return E8_FED_MORE;
    case E8_NEXT_END:
        break;
    }
    return attempt->outcome == E8_DELIVERED ? E8_FED_DELIVERED : E8_FED_FAILED;
}

static bool is_of_before(const struct e8_worker *worker, const struct e8_seal *seal)
{
    return seal->keys == E8_KEYS_BEFORE && seal->standing->keys[worker->index].before;
}

bool e8_feed_done(struct e8_worker *worker, const struct e8_delivery *delivery,
                  const struct e8_attempt *attempt, enum e8_next next, e8_dur_ns wait)
{
    const struct e8_endpoint *endpoint = delivery->seal.standing->endpoint;
    bool before = is_of_before(worker, &delivery->seal);
    const struct e8_fed_end end = {.fed = delivery->fed,
                                   .how = how_of(attempt, next),
                                   .event_id = delivery->event->id,
                                   .endpoint = delivery->endpoint,
                                   .copy = delivery->copy,
                                   .wait = wait,
                                   .attempt = attempt,
                                   .exchange = &delivery->exchange,
                                   .request = &delivery->parts,
                                   .tamper = delivery->form->tamper,
                                   .body = e8_buf_str(&delivery->event->body),
                                   .scheme = endpoint->scheme,
                                   .secrets = before ? 1 : endpoint->secret_count,
                                   .before = before};
    bool more = end.how == E8_FED_MORE;
    tell(worker, &end);
    return more;
}

void e8_feed_unsent(struct e8_worker *worker, struct e8_delivery *delivery)
{
    const struct e8_fed_end end = {.fed = delivery->fed,
                                   .how = E8_FED_UNSENT,
                                   .event_id = delivery->event->id,
                                   .endpoint = delivery->endpoint,
                                   .copy = delivery->copy,
                                   .shut = e8_shut_of(worker->engine, delivery->endpoint)};
    delivery->fed = NULL;
    tell(worker, &end);
}
