#include <string.h>

#include "engine/worker.h"

struct e8_place e8_strand_place(const struct e8_worker *worker, const struct e8_strand *strand,
                                uint32_t sequence)
{
    return (struct e8_place){worker->engine->plan->seed, strand->walk.flow, strand->instance->number,
                             sequence};
}

/* An event that the resumed run had made keeps its times, so that its bytes are the same. */
static void date_event(struct e8_worker *worker, struct e8_strand *strand, const struct e8_place *place)
{
    struct e8_engine *engine = worker->engine;
    struct e8_instance *instance = strand->instance;
    e8_dur_ns offset = e8_scaled(engine, strand->walk.offset);
    strand->last.planned = e8_after(instance->planned, offset);
    strand->last.at = e8_after(instance->at, engine->fixed ? offset : e8_after(offset, strand->shift));
    if (engine->options.done) {
        e8_done_event(engine->options.done, place->flow->key, place->instance, place->sequence,
                      &strand->last.at, &instance->flow_started);
    }
}

/* The strand's last event, rendered. */
static struct e8_event *make_event(struct e8_worker *worker, struct e8_strand *strand)
{
    struct e8_engine *engine = worker->engine;
    struct e8_event *event = e8_event_take(worker);
    struct e8_place place = e8_strand_place(worker, strand, strand->last.sequence);
    event->emit = strand->last.emit;
    event->number = strand->last.number;
    event->sequence = strand->last.sequence;
    event->made = strand->last.made;
    event->at = strand->last.at;
    event->planned = strand->last.planned;
    e8_event_id(&place, event->planned, event->id);
    struct e8_facts facts =
        e8_event_facts(engine->plan, engine->catalog, event->emit, &place, strand->instance->flow_started,
                       event->at, strand->counts, event->id);
    e8_event_render(event->emit, &facts, worker->memo, &event->body);
    return event;
}

static void record_event(struct e8_worker *worker, struct e8_strand *strand, struct e8_event *event)
{
    event->number = strand->last.number = worker->events++ * worker->engine->count + worker->index;
    strand->last.recorded = true;
    e8_record_event(worker, strand, event);
    e8_stats_event(e8_stats_of(worker, strand), event->emit->type);
}

/* It stays so for the whole event, whatever comes meanwhile. */
static void look_who_takes(struct e8_worker *worker, const struct e8_emit *emit)
{
    const struct e8_engine *engine = worker->engine;
    for (size_t i = 0; i < engine->plan->endpoint_count; i++) {
        worker->takers[i] = e8_goes_to(engine, emit, i);
        worker->shut[i] = e8_shut_of(engine, i);
    }
}

static struct e8_deliver manner(const struct e8_worker *worker, const struct e8_strand *strand,
                                const struct e8_emit *emit, size_t endpoint)
{
    return e8_deliver_of(worker->engine->plan, strand->walk.flow, emit, strand->instance->number,
                         strand->last.sequence, (uint16_t)endpoint);
}

/* Of the endpoints that get the event, is there one to which not all has been sent? */
static bool is_over(struct e8_worker *worker, struct e8_strand *strand, const struct e8_place *place)
{
    const struct e8_engine *engine = worker->engine;
    e8_wall_ns at, started;
    if (!engine->options.done || !e8_done_event(engine->options.done, place->flow->key, place->instance,
                                                place->sequence, &at, &started)) {
        return false;
    }
    for (size_t i = 0; i < engine->plan->endpoint_count; i++) {
        if (e8_emit_goes_to(engine->plan, strand->last.emit, i)) {
            struct e8_deliver how = manner(worker, strand, strand->last.emit, i);
            uint32_t count = how.copies + 1;
            if (!how.drop && e8_resume_copies_done(engine, place, i, 0, count) < count) {
                return false;
            }
        }
    }
    return true;
}

/* What signs a delivery's first attempt by the plan, where it is not made because it is over. */
static void trace_unsent(struct e8_worker *worker, struct e8_strand *strand, size_t endpoint,
                         const struct e8_deliver *how)
{
    struct e8_engine *engine = worker->engine;
    if (!strand->traces) {
        return;
    }
    e8_wall_ns at = strand->last.at;
    e8_deliver_due(engine, how, engine->begun, &at);
    strand->traces[endpoint] = (struct e8_trace){
        .used = true,
        .copies = (uint16_t)(how->copies + 1),
        .number = 1,
        .stamp = {at, e8_seal_now(engine, endpoint, strand->last.made), 1},
    };
}

static void send_to(struct e8_worker *worker, struct e8_strand *strand, struct e8_event *event,
                    size_t endpoint, e8_mono_ns due)
{
    struct e8_engine *engine = worker->engine;
    struct e8_place place = e8_strand_place(worker, strand, event->sequence);
    struct e8_dispatch d = {.strand = strand,
                            .event = event,
                            .emit = event->emit,
                            .endpoint = endpoint,
                            .due = due,
                            .at = event->at,
                            .how = manner(worker, strand, event->emit, endpoint),
                            .trigger = engine->options.trigger,
                            .number = 1,
                            .shut = worker->shut[endpoint] != E8_SHUT_NOT};
    if (engine->options.done && !engine->fixed) {
        d.at = e8_wall_of(engine, due);
    }
    trace_unsent(worker, strand, endpoint, &d.how);
    d.done = e8_resume_copies_done(engine, &place, endpoint, 0, d.how.copies + 1);
    e8_deliver(worker, &d);
}

static void lose(struct e8_worker *worker, struct e8_strand *strand, const struct e8_event *event,
                 size_t endpoint, e8_mono_ns due)
{
    unsigned type = event->emit->type;
    struct e8_deliver how = manner(worker, strand, event->emit, endpoint);
    for (uint32_t k = 0; k <= how.copies; k++) {
        e8_delivery_plan(worker, strand, endpoint, type, due);
        e8_stats_dropped(e8_stats_of(worker, strand), (unsigned)endpoint, type);
    }
    strand->failed = true;
}

static void clear_traces(const struct e8_worker *worker, struct e8_strand *strand)
{
    if (strand->traces) {
        memset(strand->traces, 0, worker->engine->plan->endpoint_count * sizeof *strand->traces);
    }
}

/* Nothing of it is to be sent; what comes behind must find it as if it had been. */
static void pass_over(struct e8_worker *worker, struct e8_strand *strand)
{
    const struct e8_plan *plan = worker->engine->plan;
    for (size_t i = 0; strand->traces && i < plan->endpoint_count; i++) {
        if (e8_emit_goes_to(plan, strand->last.emit, i)) {
            struct e8_deliver how = manner(worker, strand, strand->last.emit, i);
            trace_unsent(worker, strand, i, &how);
        }
    }
}

/* Whoever keeps a log of deliveries knows them before the first is sent. */
static void tell_event(struct e8_worker *worker, struct e8_strand *strand, const struct e8_event *event,
                       bool late)
{
    const struct e8_engine *engine = worker->engine;
    const struct e8_plan *plan = engine->plan;
    struct e8_place place = e8_strand_place(worker, strand, event->sequence);
    size_t n = 0;
    if (!engine->options.on_event) {
        return;
    }
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (worker->takers[i]) {
            struct e8_owed *owed = &worker->owed[n++];
            owed->endpoint = (uint16_t)i;
            owed->shut = worker->shut[i];
            owed->withheld = late || owed->shut || manner(worker, strand, event->emit, i).drop;
            e8_delivery_name(&place, event->emit, event->planned, plan->endpoints[i].name, owed->id);
        }
    }
    const struct e8_event_made made = {
        event->id, event->emit, event->at, e8_buf_str(&event->body), worker->owed, n};
    engine->options.on_event(engine->options.state, &made);
}

static void emit_new(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due)
{
    const struct e8_plan *plan = worker->engine->plan;
    const struct e8_emit *emit = strand->step->emit;
    struct e8_place place = e8_strand_place(worker, strand, strand->walk.sequence);
    strand->counts[emit->type]++;
    strand->last.emit = emit;
    strand->last.sequence = place.sequence;
    strand->last.made = atomic_load(&worker->engine->changes);
    strand->last.recorded = false;
    clear_traces(worker, strand);
    date_event(worker, strand, &place);
    if (is_over(worker, strand, &place)) {
        pass_over(worker, strand);
        return;
    }
    struct e8_event *event = make_event(worker, strand);
    bool late = e8_worker_full(worker) && worker->engine->options.drop;
    look_who_takes(worker, emit);
    record_event(worker, strand, event);
    tell_event(worker, strand, event, late);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (!worker->takers[i]) {
            continue;
        }
        if (late && !worker->shut[i]) {
            lose(worker, strand, event, i, due);
        } else {
            send_to(worker, strand, event, i, due);
        }
    }
    e8_event_unref(worker, event);
}

static void send_again(struct e8_worker *worker, struct e8_strand *strand, struct e8_event *event,
                       size_t endpoint, e8_mono_ns due)
{
    struct e8_engine *engine = worker->engine;
    struct e8_trace *trace = &strand->traces[endpoint];
    const struct e8_emit *emit = strand->step->emit;
    struct e8_place place = e8_strand_place(worker, strand, event->sequence);
    bool retry = emit->again == E8_AGAIN_RETRY;
    struct e8_dispatch d = {.strand = strand,
                            .event = event,
                            .emit = emit,
                            .endpoint = endpoint,
                            .due = due,
                            .how = manner(worker, strand, emit, endpoint),
                            .first = trace->copies,
                            .trigger = E8_TRIGGER_DUPLICATE,
                            .stamp = retry ? NULL : &trace->stamp,
                            .number = retry ? (uint16_t)(trace->number + 1) : trace->stamp.number,
                            .shut = e8_is_shut(worker, endpoint)};
    e8_dur_ns offset = e8_scaled(engine, strand->walk.offset);
    d.at = engine->fixed ? e8_after(strand->instance->at, offset) : e8_wall_of(engine, due);
    trace->copies = (uint16_t)(trace->copies + d.how.copies + 1);
    trace->number = retry ? d.number : trace->number;
    d.done = e8_resume_copies_done(engine, &place, endpoint, d.first, d.how.copies + 1);
    e8_deliver(worker, &d);
}

/* It goes where the event before went. */
static void emit_again(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due)
{
    if (!strand->last.emit) {
        return;
    }
    struct e8_event *event = make_event(worker, strand);
    if (!strand->last.recorded) {
        record_event(worker, strand, event);
    }
    for (size_t i = 0; i < worker->engine->plan->endpoint_count; i++) {
        if (strand->traces[i].used && e8_goes_to(worker->engine, strand->last.emit, i)) {
            send_again(worker, strand, event, i, due);
        }
    }
    e8_event_unref(worker, event);
}

void e8_event_emit(struct e8_worker *worker, struct e8_strand *strand, e8_mono_ns due)
{
    if (strand->step->emit->again) {
        emit_again(worker, strand, due);
    } else {
        emit_new(worker, strand, due);
    }
}
