#include "engine/worker.h"

#define LOOK_EVERY (200 * E8_NS_US)
#define HOLD_MAX   E8_NS_S

/* Its first delivery's timer stands for all of them. Connections are made before the group is due. */
void e8_group_make(struct e8_worker *worker, struct e8_delivery *const *list, size_t count)
{
    struct e8_group *group = e8_group_take(worker, count);
    group->count = count;
    group->due = list[0]->due;
    for (size_t i = 0; i < count; i++) {
        group->list[i] = list[i];
        list[i]->group = group;
    }
    e8_timers_add(&worker->ready, &list[0]->timer, group->due - E8_PREPARE_LEAD);
}

/* A group that is larger than the bound has it for itself. */
bool e8_group_fits(const struct e8_worker *worker, const struct e8_group *group)
{
    return worker->on_wire == 0 || worker->on_wire + group->count <= worker->bound;
}

void e8_group_start(struct e8_worker *worker, struct e8_group *group)
{
    group->started = true;
    group->give_up = e8_after(e8_mono_now(), HOLD_MAX);
    group->next = worker->groups;
    worker->groups = group;
    e8_group_reseal(worker, group);
    for (size_t i = 0; i < group->count; i++) {
        e8_attempt_start(worker, group->list[i]);
    }
}

static bool is_complete(const struct e8_worker *worker, const struct e8_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        if (group->list[i] && !e8_transport_held(worker->transport, &group->list[i]->exchange)) {
            return false;
        }
    }
    return true;
}

/* The barrier is a wait like any other: what comes behind it is due when it opens. */
static void release(struct e8_worker *worker, struct e8_group *group, e8_mono_ns now)
{
    size_t n = 0;
    for (size_t i = 0; i < group->count; i++) {
        struct e8_delivery *delivery = group->list[i];
        if (delivery) {
            delivery->due = now > delivery->due ? now : delivery->due;
            group->held[n++] = &delivery->exchange;
        }
    }
    group->released = true;
    e8_transport_release(worker->transport, group->held, n);
}

e8_mono_ns e8_groups_step(struct e8_worker *worker, e8_mono_ns now)
{
    struct e8_group **at = &worker->groups;
    e8_mono_ns next = E8_NEVER;
    while (*at) {
        struct e8_group *group = *at;
        bool open = now >= group->give_up || (now >= group->due && is_complete(worker, group));
        if (open) {
            *at = group->next;
            release(worker, group, e8_mono_now());
        } else {
            e8_mono_ns look =
                now < group->due && group->due - now < LOOK_EVERY ? group->due : now + LOOK_EVERY;
            next = look < next ? look : next;
            at = &group->next;
        }
    }
    return next;
}

static void note_sent(struct e8_group *group, const struct e8_exchange *exchange)
{
    if (!group->released || exchange->bytes_sent == 0 || exchange->outcome == E8_ABORTED) {
        return;
    }
    group->first = group->sent == 0 || exchange->sent < group->first ? exchange->sent : group->first;
    group->last = group->sent == 0 || exchange->sent > group->last ? exchange->sent : group->last;
    group->sent++;
}

static void end_group(struct e8_worker *worker, struct e8_group *group)
{
    struct e8_group **at = &worker->groups;
    if (group->sent > 1) {
        worker->spread = worker->spread ? worker->spread : e8_hist_new();
        e8_hist_record(worker->spread, group->last - group->first);
    }
    while (*at && *at != group) {
        at = &(*at)->next;
    }
    if (*at) { /* all had ended before it opened */
        *at = group->next;
    }
    e8_group_drop(worker, group);
}

void e8_group_leave(struct e8_worker *worker, struct e8_delivery *delivery)
{
    struct e8_group *group = delivery->group;
    if (group->started) {
        note_sent(group, &delivery->exchange);
    }
    for (size_t i = 0; i < group->count; i++) {
        group->list[i] = group->list[i] == delivery ? NULL : group->list[i];
    }
    delivery->group = NULL;
    if (++group->ended == group->count) {
        end_group(worker, group);
    }
}
