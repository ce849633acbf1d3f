#include <string.h>
#include <time.h>

#include "engine/worker.h"

#define STALL_SLEEP (50 * E8_NS_US)

/* The ring's next slot; where there is no log, the caller's own. */
static struct e8_record *open_record(struct e8_worker *worker, struct e8_record *own)
{
    if (!worker->ring) {
        return own;
    }
    struct e8_record *slot = e8_ring_slot(worker->ring);
    if (!slot) {
        worker->stalls++;
    }
    while (!slot) {
        const struct timespec pause = {0, STALL_SLEEP};
        nanosleep(&pause, NULL);
        slot = e8_ring_slot(worker->ring);
    }
    return slot;
}

static void close_record(struct e8_worker *worker)
{
    if (worker->ring) {
        e8_ring_push(worker->ring);
    }
}

void e8_record_event(struct e8_worker *worker, const struct e8_strand *strand, const struct e8_event *event)
{
    struct e8_record own, *record = open_record(worker, &own);
    record->kind = E8_RECORD_EVENT;
    record->event = (struct e8_event_record){
        .event = event->number,
        .step = event->emit->index,
        .type = event->emit->type,
        .sequence = event->sequence,
        .flow = strand->walk.flow->key,
        .instance = strand->instance->number,
        .at = event->at,
        .flow_started = strand->instance->flow_started,
    };
    memcpy(record->event.id, event->id, sizeof event->id);
    close_record(worker);
}

static void put_text(struct e8_str text, char error[E8_ERROR_MAX])
{
    text.n = text.n < E8_ERROR_MAX ? text.n : E8_ERROR_MAX - 1;
    text.n = e8_utf8_valid(text);
    memcpy(error, text.p, text.n);
    error[text.n] = '\0';
}

/* What was not as expected says more than the outcome. A redirect is told with where it leads; what may be secret in that is left
 * out. */
static void put_error(const struct e8_exchange *x, const struct e8_judgement *j, char error[E8_ERROR_MAX])
{
    char memory[E8_ERROR_MAX + sizeof x->location * 4];
    struct e8_buf text;
    if (!j->holds) {
        put_text(e8_str(j->why), error);
        return;
    }
    memcpy(error, x->error, strlen(x->error) + 1);
    if (x->outcome != E8_REDIRECT || !x->location[0]) {
        return;
    }
    e8_buf_fixed(&text, memory, sizeof memory - 1);
    e8_buf_printf(&text, "HTTP %d to ", x->status);
    e8_url_redacted(e8_str(x->location), &text);
    put_text(e8_buf_str(&text), error);
}

static void fill(const struct e8_delivery *delivery, struct e8_attempt *attempt)
{
    const struct e8_exchange *x = &delivery->exchange;
    e8_mono_ns sent = x->sent < delivery->due ? delivery->due : x->sent;
    attempt->event = delivery->event->number;
    attempt->endpoint = delivery->endpoint;
    attempt->number = delivery->number;
    attempt->outcome = (uint8_t)x->outcome;
    attempt->trigger = (uint8_t)delivery->trigger;
    attempt->flags = (uint16_t)(x->flags | (e8_is_warmup(delivery->strand) ? E8_FLAG_WARMUP : 0));
    attempt->status = (int16_t)x->status;
    attempt->copy = delivery->copy;
    attempt->step = delivery->emit->index;
    attempt->type = delivery->event->emit->type;
    attempt->times = (struct e8_times){delivery->due, sent, x->done < sent ? sent : x->done};
    attempt->phases = x->phases;
    attempt->bytes_sent = x->bytes_sent;
    attempt->bytes_received = x->bytes_received;
    attempt->timestamp = delivery->timestamp;
    memcpy(attempt->event_id, delivery->event->id, sizeof attempt->event_id);
    memcpy(attempt->delivery_id, delivery->id, sizeof attempt->delivery_id);
}

void e8_record_attempt(struct e8_worker *worker, const struct e8_delivery *delivery, bool last,
                       const struct e8_judgement *j, struct e8_attempt *out)
{
    const struct e8_engine_options *options = &worker->engine->options;
    struct e8_record own, *record = open_record(worker, &own);
    struct e8_attempt *attempt = &record->attempt;
    record->kind = E8_RECORD_ATTEMPT;
    fill(delivery, attempt);
    attempt->last = last;
    attempt->verdict = (uint8_t)j->verdict;
    put_error(&delivery->exchange, j, attempt->error);
    e8_stats_add(worker->stats, attempt);
    if (options->on_done) {
        const struct e8_done done = {.attempt = attempt,
                                     .exchange = &delivery->exchange,
                                     .flow = delivery->strand->walk.flow,
                                     .emit = delivery->emit,
                                     .instance = delivery->strand->instance->number,
                                     .sequence = delivery->event->sequence,
                                     .why = j->holds ? NULL : j->why};
        options->on_done(options->state, &done);
    }
    if (out) {
        *out = *attempt;
    }
    close_record(worker);
}
