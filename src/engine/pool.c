#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

#define INSTANCE_MAGIC 0x494e5354u
#define EVENT_MAGIC    0x45564e54u
#define DELIVERY_MAGIC 0x444c5659u

static size_t instance_size(const struct e8_worker *worker)
{
    return sizeof(struct e8_instance) + e8_catalog_count(worker->engine->catalog) * sizeof(uint16_t);
}

struct e8_instance *e8_instance_take(struct e8_worker *worker)
{
    struct e8_instance *instance = worker->free_instances;
    if (instance) {
        worker->free_instances = instance->next_free;
        memset(instance, 0, instance_size(worker));
    } else {
        instance = e8_new(1, instance_size(worker));
    }
    instance->magic = INSTANCE_MAGIC;
    worker->instances++;
    return instance;
}

void e8_instance_drop(struct e8_worker *worker, struct e8_instance *instance)
{
    E8_CHECK_MAGIC(instance, INSTANCE_MAGIC);
    E8_ASSERT(instance->timer.place == 0);
    instance->magic = 0;
    instance->next_free = worker->free_instances;
    worker->free_instances = instance;
    worker->instances--;
}

void e8_instance_settle(struct e8_worker *worker, struct e8_instance *instance)
{
    if (!instance->emit && !instance->resting && instance->deliveries == 0) {
        instance->phase->active--;
        worker->settled++;
        e8_instance_drop(worker, instance);
    }
}

struct e8_event *e8_event_take(struct e8_worker *worker)
{
    struct e8_event *event = worker->free_events;
    if (event) {
        worker->free_events = event->next_free;
        e8_buf_reset(&event->body);
    } else {
        event = e8_new(1, sizeof *event);
        e8_buf_init(&event->body, SIZE_MAX / 2);
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
        memset(delivery, 0, offsetof(struct e8_delivery, memory));
    } else {
        delivery = e8_new(1, sizeof *delivery);
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
    E8_ASSERT(delivery->timer.place == 0);
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

void e8_pools_fini(struct e8_worker *worker)
{
    E8_ASSERT(worker->live == NULL);
    for (struct e8_instance *next, *i = worker->free_instances; i; i = next) {
        next = i->next_free;
        free(i);
    }
    for (struct e8_event *next, *e = worker->free_events; e; e = next) {
        next = e->next_free;
        e8_buf_fini(&e->body);
        free(e);
    }
    for (struct e8_delivery *next, *d = worker->free_deliveries; d; d = next) {
        next = d->next_free;
        free(d);
    }
}
