/* Events of one strand leave in their order: the first attempt of one is not started before that of the event before it to the same
 * endpoint has been sent or has ended. Mostly it has: only new connections take time. What is delayed on purpose is in no line. */
#include "engine/worker.h"

#define LOOK_FIRST (100 * E8_NS_US)
#define LOOK_LAST  (5 * E8_NS_MS)

void e8_line_join(struct e8_delivery *delivery)
{
    struct e8_strand *strand = delivery->strand;
    delivery->in_line = true;
    delivery->line_before = strand->line;
    if (strand->line) {
        strand->line->line_behind = delivery;
    }
    strand->line = delivery;
}

void e8_line_leave(struct e8_worker *worker, struct e8_delivery *delivery)
{
    if (!delivery->in_line) {
        return;
    }
    if (delivery->line_behind) {
        delivery->line_behind->line_before = delivery->line_before;
    } else {
        delivery->strand->line = delivery->line_before;
    }
    if (delivery->line_before) {
        delivery->line_before->line_behind = delivery->line_behind;
    }
    delivery->in_line = false;
    delivery->line_before = delivery->line_behind = NULL;
    worker->look_at = 0;
}

static bool is_sent(const struct e8_delivery *delivery)
{
    return delivery->in_flight && delivery->exchange.sent != 0;
}

bool e8_line_turn(struct e8_worker *worker, const struct e8_delivery *delivery)
{
    struct e8_delivery *before = delivery->line_before;
    while (before) {
        struct e8_delivery *next = before->line_before;
        if (is_sent(before)) {
            e8_line_leave(worker, before);
        } else if (before->endpoint == delivery->endpoint) {
            return false;
        }
        before = next;
    }
    return true;
}

void e8_line_wait(struct e8_worker *worker, struct e8_delivery *delivery)
{
    if (!worker->blocked) {
        worker->blocked_since = e8_mono_now();
        worker->look_at = e8_after(worker->blocked_since, LOOK_FIRST);
    }
    delivery->next_kept = worker->blocked;
    worker->blocked = delivery;
}

/* Rarer, the longer it takes. */
static e8_mono_ns look_again(const struct e8_worker *worker, e8_mono_ns now)
{
    e8_dur_ns wait = (now - worker->blocked_since) / 8;
    wait = wait < LOOK_FIRST ? LOOK_FIRST : wait > LOOK_LAST ? LOOK_LAST : wait;
    return e8_after(now, wait);
}

e8_mono_ns e8_lines_step(struct e8_worker *worker, e8_mono_ns now, bool all)
{
    struct e8_delivery **at = &worker->blocked;
    if (!worker->blocked) {
        return E8_NEVER;
    }
    if (!all && now < worker->look_at) {
        return worker->look_at;
    }
    while (*at) {
        struct e8_delivery *delivery = *at;
        if (all || e8_line_turn(worker, delivery)) {
            *at = delivery->next_kept;
            delivery->next_kept = NULL;
            e8_timers_add(&worker->ready, &delivery->timer, delivery->due);
        } else {
            at = &delivery->next_kept;
        }
    }
    worker->look_at = look_again(worker, now);
    return worker->blocked ? worker->look_at : E8_NEVER;
}
