#include "engine/worker.h"

/* A closed loop has no schedule to be late for: its events are due as soon as they are ready. */
static e8_mono_ns later(e8_mono_ns a, e8_mono_ns b)
{
    return a > b ? a : b;
}

/* The events' time moves by what the plan says, so that with a fixed clock it does not depend on when that is. */
e8_mono_ns e8_deliver_due(const struct e8_engine *engine, const struct e8_deliver *how, e8_mono_ns due,
                          e8_wall_ns *at)
{
    e8_dur_ns late = e8_scaled(engine, how->late);
    due = e8_after(due, late);
    *at = e8_after(*at, late);
    if (how->burst) {
        e8_dur_ns step = e8_scaled(engine, how->burst);
        due = e8_after(engine->epoch, e8_multiple(due - engine->epoch, step));
        *at = e8_after(engine->wall, e8_multiple(*at - engine->wall, step));
    }
    return due;
}

void e8_delivery_plan(struct e8_worker *worker, const struct e8_strand *strand, size_t endpoint,
                      unsigned type, e8_mono_ns due)
{
    e8_mono_ns epoch = worker->engine->epoch;
    e8_stats_planned(e8_stats_of(worker, strand), (unsigned)endpoint, type);
    if (!e8_is_warmup(strand)) {
        e8_schedule_add(&worker->schedule, e8_turn_moment(worker->turn, due) - epoch, due - epoch);
    }
}

static struct e8_delivery *make(struct e8_worker *worker, const struct e8_dispatch *d, uint32_t copy)
{
    struct e8_engine *engine = worker->engine;
    struct e8_delivery *delivery = e8_delivery_take(worker);
    struct e8_place place = e8_strand_place(worker, d->strand, d->event->sequence);
    d->event->refs++;
    d->strand->outstanding++;
    delivery->event = d->event;
    delivery->strand = d->strand;
    delivery->emit = delivery->form = d->emit;
    if (d->emit->again) {
        delivery->merged = e8_again_form(d->event->emit, d->emit);
        delivery->form = &delivery->merged;
    }
    delivery->endpoint = (uint16_t)d->endpoint;
    delivery->number = d->number;
    delivery->tries = 1;
    delivery->trigger = copy ? E8_TRIGGER_DUPLICATE : d->trigger;
    delivery->copy = (uint16_t)copy;
    delivery->retried = d->how.retried;
    delivery->at = d->stamp ? d->stamp->at : d->at;
    delivery->due = d->due;
    e8_delivery_name(&place, d->event->emit, d->event->planned, engine->plan->endpoints[d->endpoint].name,
                     delivery->id);
    e8_delivery_plan(worker, d->strand, d->endpoint, d->event->emit->type, d->due);
    return delivery;
}

/* Signs it as what it is: the first, or the same bytes as another. */
static void stamp(struct e8_worker *worker, struct e8_delivery *delivery, const struct e8_stamp *same)
{
    delivery->repeats = same != NULL;
    delivery->seal =
        same ? same->seal : e8_seal_now(worker->engine, delivery->endpoint, delivery->event->made);
    delivery->stamp = same ? *same : (struct e8_stamp){delivery->at, delivery->seal, delivery->number};
    e8_attempt_sign(worker, delivery);
}

static void trace(struct e8_strand *strand, const struct e8_delivery *delivery)
{
    if (strand->traces && !delivery->emit->again && delivery->copy == 0) {
        strand->traces[delivery->endpoint].stamp = delivery->stamp;
    }
}

/* Those that were kept for an event to this endpoint leave when its first attempt has ended. */
static void follow(struct e8_worker *worker, struct e8_strand *strand, struct e8_delivery *delivery)
{
    struct e8_delivery **at = &strand->kept;
    while (!delivery->emit->again && *at) {
        struct e8_delivery *kept = *at;
        if (kept->endpoint == delivery->endpoint) {
            *at = kept->next_kept;
            kept->next_kept = delivery->followers;
            delivery->followers = kept;
            worker->kept--;
        } else {
            at = &kept->next_kept;
        }
    }
}

static void keep(struct e8_worker *worker, struct e8_strand *strand, struct e8_delivery *delivery)
{
    delivery->next_kept = strand->kept;
    strand->kept = delivery;
    worker->kept++;
}

/* As what it is, once more: its first attempt, or another, which is a repetition of nothing. */
static void stamp_again(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_strand *strand = delivery->strand;
    if (delivery->number != delivery->stamp.number) {
        delivery->seal = e8_seal_now(worker->engine, delivery->endpoint, delivery->event->made);
        e8_attempt_sign(worker, delivery);
        return;
    }
    stamp(worker, delivery, NULL);
    if (strand->last.sequence == delivery->event->sequence) {
        trace(strand, delivery);
    }
}

static bool is_outdated(const struct e8_worker *worker, const struct e8_delivery *delivery)
{
    const struct e8_engine *engine = worker->engine;
    if (delivery->repeats ||
        (!delivery->delayed && delivery->seal.standing == e8_standing_now(engine, delivery->endpoint))) {
        return false;
    }
    struct e8_seal now = e8_seal_now(engine, delivery->endpoint, delivery->event->made);
    return now.standing != delivery->seal.standing || now.keys != delivery->seal.keys;
}

void e8_deliver_reseal(struct e8_worker *worker, struct e8_delivery *delivery)
{
    if (is_outdated(worker, delivery)) {
        stamp_again(worker, delivery);
    }
}

void e8_group_reseal(struct e8_worker *worker, const struct e8_group *group)
{
    struct e8_delivery *first = group->list[0];
    if (!is_outdated(worker, first)) {
        return;
    }
    stamp_again(worker, first);
    for (size_t i = 1; i < group->count; i++) {
        stamp(worker, group->list[i], group->list[i]->repeats ? &first->stamp : NULL);
    }
}

/* The same bytes stay the same, however late they leave. */
void e8_delivery_postpone(struct e8_worker *worker, struct e8_delivery *delivery, e8_dur_ns by)
{
    struct e8_group *group = delivery->group;
    delivery->due = e8_after(delivery->due, by);
    if (group) {
        group->due = e8_after(group->due, by);
        for (size_t i = 1; i < group->count; i++) {
            group->list[i]->due = group->due;
        }
    }
    if (group || delivery->trigger == E8_TRIGGER_DUPLICATE || worker->engine->fixed) {
        return;
    }
    delivery->at = e8_after(delivery->at, by);
    stamp_again(worker, delivery);
}

static void let_go(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_engine *engine = worker->engine;
    e8_mono_ns now = e8_worker_clock(worker);
    delivery->next_kept = NULL;
    if (now > delivery->due) {
        delivery->due = now;
        delivery->at = engine->fixed ? delivery->at : e8_wall_of(engine, now);
        stamp(worker, delivery, NULL);
    }
    e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
}

void e8_kept_release(struct e8_worker *worker, struct e8_strand *strand)
{
    while (strand->kept) {
        struct e8_delivery *delivery = strand->kept;
        strand->kept = delivery->next_kept;
        worker->kept--;
        let_go(worker, delivery);
    }
}

void e8_followers_release(struct e8_worker *worker, struct e8_delivery *delivery)
{
    while (delivery->followers) {
        struct e8_delivery *follower = delivery->followers;
        delivery->followers = follower->next_kept;
        let_go(worker, follower);
    }
}

/* All at once, each on a connection of its own. */
static void deliver_together(struct e8_worker *worker, const struct e8_dispatch *d)
{
    struct e8_delivery *list[E8_COPIES_MAX + 1];
    struct e8_dispatch copy = *d;
    struct e8_place place = e8_strand_place(worker, d->strand, d->event->sequence);
    size_t n = 0;
    for (uint32_t k = d->done; k <= d->how.copies; k++) {
        if (e8_resume_copies_done(worker->engine, &place, d->endpoint, d->first + k, 1)) {
            continue;
        }
        copy.number = (uint16_t)(d->number + (d->how.retried ? k : 0));
        list[n] = make(worker, &copy, d->first + k);
        const struct e8_stamp *same = d->stamp;
        if (!d->how.retried && !same && n > 0) {
            same = &list[0]->stamp;
        }
        stamp(worker, list[n++], d->how.retried && k ? NULL : same);
    }
    if (n == 0) {
        return;
    }
    trace(d->strand, list[0]);
    follow(worker, d->strand, list[0]);
    e8_group_make(worker, list, n);
}

/* One; those that follow it are made when it has ended. */
static void deliver_one(struct e8_worker *worker, const struct e8_dispatch *d)
{
    struct e8_dispatch only = *d;
    only.number = (uint16_t)(d->number + (d->how.retried ? d->done : 0));
    struct e8_delivery *delivery = make(worker, &only, d->first + d->done);
    delivery->copies = (uint16_t)(d->how.copies - d->done);
    delivery->delayed = d->how.late || d->how.burst || d->how.reorder;
    stamp(worker, delivery, d->stamp);
    trace(d->strand, delivery);
    follow(worker, d->strand, delivery);
    if (d->how.reorder && !d->emit->again) {
        keep(worker, d->strand, delivery);
    } else {
        e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
    }
    if (!delivery->delayed) {
        e8_line_join(delivery);
    }
}

/* A fault, or an endpoint that gets nothing more, keeps it back with its copies. */
static void withhold(struct e8_worker *worker, const struct e8_dispatch *d)
{
    struct e8_stats *stats = e8_stats_of(worker, d->strand);
    unsigned endpoint = (unsigned)d->endpoint, type = d->event->emit->type;
    for (uint32_t k = d->done; k <= d->how.copies; k++) {
        e8_delivery_plan(worker, d->strand, d->endpoint, type, d->due);
        if (d->how.drop) {
            e8_stats_withheld(stats, endpoint, type);
        } else {
            e8_stats_gone(stats, endpoint, type);
        }
    }
}

void e8_copies_gone(struct e8_worker *worker, const struct e8_delivery *before)
{
    struct e8_stats *stats = e8_stats_of(worker, before->strand);
    unsigned type = before->event->emit->type;
    for (uint16_t k = 0; k < before->copies; k++) {
        e8_delivery_plan(worker, before->strand, before->endpoint, type, before->due);
        e8_stats_gone(stats, before->endpoint, type);
    }
}

void e8_deliver(struct e8_worker *worker, const struct e8_dispatch *dispatch)
{
    dispatch->strand->instance->sends = true;
    struct e8_dispatch d = *dispatch;
    if (d.how.drop || d.shut) {
        withhold(worker, &d);
        return;
    }
    if (d.done > d.how.copies) {
        return;
    }
    d.due = e8_deliver_due(worker->engine, &d.how, d.due, &d.at);
    if (!d.strand->instance->phase->phase->open) {
        d.due = later(d.due, e8_worker_clock(worker));
    }
    if (d.how.concurrent && d.how.copies) {
        deliver_together(worker, &d);
    } else {
        deliver_one(worker, &d);
    }
}

void e8_copy_next(struct e8_worker *worker, const struct e8_delivery *before)
{
    struct e8_engine *engine = worker->engine;
    e8_mono_ns now = e8_worker_clock(worker);
    struct e8_dispatch d = {
        .strand = before->strand,
        .event = before->event,
        .emit = before->emit,
        .endpoint = before->endpoint,
        .due = now,
        .at = engine->fixed ? before->at : e8_wall_of(engine, now),
        .how = {.retried = before->retried},
        .stamp = before->retried ? NULL : &before->stamp,
        .number = before->retried ? (uint16_t)(before->number + 1) : before->stamp.number,
    };
    struct e8_delivery *delivery = make(worker, &d, before->copy + 1u);
    delivery->copies = (uint16_t)(before->copies - 1);
    stamp(worker, delivery, d.stamp);
    e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
}
