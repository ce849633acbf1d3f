#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

#define INSTANCE_MAGIC 0x494e5354u
#define STRAND_MAGIC   0x5354524eu
#define EVENT_MAGIC    0x45564e54u
#define DELIVERY_MAGIC 0x444c5659u

#define USUAL_BODY 4000 /* bytes that hold nearly every one, so that slots seldom grow late in a run */

struct e8_instance *e8_instance_take(struct e8_worker *worker)
{
    struct e8_instance *instance = worker->free_instances;
    if (instance) {
        worker->free_instances = instance->next_free;
        memset(instance, 0, sizeof *instance);
    } else {
        instance = e8_arena_alloc(worker->slots, sizeof *instance);
    }
    instance->magic = INSTANCE_MAGIC;
    instance->next_started = worker->started;
    if (worker->started) {
        worker->started->prev_started = instance;
    }
    worker->started = instance;
    worker->instances++;
    return instance;
}

void e8_instance_drop(struct e8_worker *worker, struct e8_instance *instance)
{
    E8_CHECK_MAGIC(instance, INSTANCE_MAGIC);
    E8_ASSERT(!instance->strands);
    if (instance->prev_started) {
        instance->prev_started->next_started = instance->next_started;
    } else {
        worker->started = instance->next_started;
    }
    if (instance->next_started) {
        instance->next_started->prev_started = instance->prev_started;
    }
    instance->magic = 0;
    instance->next_free = worker->free_instances;
    worker->free_instances = instance;
    worker->instances--;
}

static size_t strand_size(const struct e8_worker *worker)
{
    return sizeof(struct e8_strand) + worker->engine->plan->type_count * sizeof(uint16_t);
}

static struct e8_strand *new_strand(struct e8_worker *worker)
{
    struct e8_strand *strand = e8_arena_alloc(worker->slots, strand_size(worker));
    if (worker->engine->traces) {
        strand->traces =
            e8_arena_alloc(worker->slots, worker->engine->plan->endpoint_count * sizeof *strand->traces);
    }
    return strand;
}

static void clear_strand(struct e8_worker *worker, struct e8_strand *strand)
{
    struct e8_trace *traces = strand->traces;
    memset(strand, 0, offsetof(struct e8_strand, walk)); /* who takes it begins the walk */
    memset(strand->counts, 0, worker->engine->plan->type_count * sizeof *strand->counts);
    strand->traces = traces;
    if (traces) {
        memset(traces, 0, worker->engine->plan->endpoint_count * sizeof *traces);
    }
}

struct e8_strand *e8_strand_take(struct e8_worker *worker, struct e8_instance *instance,
                                 struct e8_strand *parent)
{
    struct e8_strand *strand = worker->free_strands;
    if (strand) {
        worker->free_strands = strand->next;
        clear_strand(worker, strand);
    } else {
        strand = new_strand(worker);
    }
    strand->magic = STRAND_MAGIC;
    strand->instance = instance;
    strand->parent = parent;
    strand->next = instance->strands;
    if (instance->strands) {
        instance->strands->prev = strand;
    }
    instance->strands = strand;
    return strand;
}

void e8_strand_drop(struct e8_worker *worker, struct e8_strand *strand)
{
    E8_CHECK_MAGIC(strand, STRAND_MAGIC);
    E8_ASSERT(strand->timer.place == 0 && !strand->kept && !strand->outstanding && !strand->children);
    if (strand->prev) {
        strand->prev->next = strand->next;
    } else {
        strand->instance->strands = strand->next;
    }
    if (strand->next) {
        strand->next->prev = strand->prev;
    }
    strand->magic = 0;
    strand->next = worker->free_strands;
    worker->free_strands = strand;
}

struct e8_event *e8_event_take(struct e8_worker *worker)
{
    struct e8_event *event = worker->free_events;
    if (event) {
        worker->free_events = event->next_free;
        e8_buf_reset(&event->body);
    } else {
        event = e8_arena_alloc(worker->slots, sizeof *event);
        e8_buf_init(&event->body, SIZE_MAX / 2);
        e8_buf_reserve(&event->body, USUAL_BODY);
    }
    event->magic = EVENT_MAGIC;
    event->refs = 1;
    return event;
}

void e8_event_unref(struct e8_worker *worker, struct e8_event *event)
{
    E8_CHECK_MAGIC(event, EVENT_MAGIC);
    if (--event->refs == 0) {
        event->magic = 0;
        event->next_free = worker->free_events;
        worker->free_events = event;
    }
}

struct e8_delivery *e8_delivery_take(struct e8_worker *worker)
{
    struct e8_delivery *delivery = worker->free_deliveries;
    if (delivery) {
        worker->free_deliveries = delivery->next_free;
        memset(delivery, 0, offsetof(struct e8_delivery, id));
    } else {
        delivery = e8_arena_alloc(worker->slots, sizeof *delivery);
        e8_buf_init(&delivery->scratch, 2 * E8_TAMPER_BODY_MAX);
    }
    delivery->magic = DELIVERY_MAGIC;
    delivery->next_live = worker->live;
    if (worker->live) {
        worker->live->prev_live = delivery;
    }
    worker->live = delivery;
    worker->deliveries++;
    return delivery;
}

void e8_delivery_drop(struct e8_worker *worker, struct e8_delivery *delivery)
{
    E8_CHECK_MAGIC(delivery, DELIVERY_MAGIC);
    E8_ASSERT(delivery->timer.place == 0 && !delivery->followers && !delivery->group);
    if (delivery->prev_live) {
        delivery->prev_live->next_live = delivery->next_live;
    } else {
        worker->live = delivery->next_live;
    }
    if (delivery->next_live) {
        delivery->next_live->prev_live = delivery->prev_live;
    }
    e8_exchange_fini(&delivery->exchange);
    delivery->magic = 0;
    delivery->next_free = worker->free_deliveries;
    worker->free_deliveries = delivery;
    worker->deliveries--;
}

struct e8_group *e8_group_take(struct e8_worker *worker, size_t count)
{
    struct e8_group *group = worker->free_groups;
    if (group) {
        worker->free_groups = group->next;
    } else {
        group = e8_new(1, sizeof *group);
    }
    struct e8_group taken = {.list = group->list, .held = group->held, .room = group->room};
    if (taken.room < count) {
        taken.list = e8_resize(taken.list, count, sizeof(struct e8_delivery *));
        taken.held = e8_resize(taken.held, count, sizeof(struct e8_exchange *));
        taken.room = count;
    }
    *group = taken;
    return group;
}

void e8_group_drop(struct e8_worker *worker, struct e8_group *group)
{
    group->next = worker->free_groups;
    worker->free_groups = group;
}

void e8_pools_init(struct e8_worker *worker)
{
    worker->slots = e8_arena_new_large();
    worker->memo = e8_memo_new();
}

void e8_pools_fini(struct e8_worker *worker)
{
    E8_ASSERT(worker->live == NULL && worker->groups == NULL);
    for (struct e8_event *e = worker->free_events; e; e = e->next_free) {
        e8_buf_fini(&e->body);
    }
    for (struct e8_delivery *d = worker->free_deliveries; d; d = d->next_free) {
        e8_buf_fini(&d->scratch);
    }
    e8_arena_free(&worker->slots);
    e8_memo_free(&worker->memo);
    for (struct e8_group *next, *g = worker->free_groups; g; g = next) {
        next = g->next;
        free(g->list);
        free(g->held);
        free(g);
    }
}
