#include "base/timers.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

static bool before(const struct e8_timer *a, const struct e8_timer *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct e8_timers *timers, size_t place, struct e8_timer *timer)
{
    timers->list[place] = timer;
    timer->place = place;
}

static void rise(struct e8_timers *timers, size_t place)
{
    struct e8_timer *timer = timers->list[place];
    while (place > 1 && before(timer, timers->list[place / 2])) {
        put(timers, place, timers->list[place / 2]);
        place /= 2;
    }
    put(timers, place, timer);
}

static void sink(struct e8_timers *timers, size_t place)
{
    struct e8_timer *timer = timers->list[place];
    for (;;) {
        size_t child = place * 2;
        if (child < timers->count && before(timers->list[child + 1], timers->list[child])) {
            child++;
        }
        if (child > timers->count || !before(timers->list[child], timer)) {
            break;
        }
        put(timers, place, timers->list[child]);
        place = child;
    }
    put(timers, place, timer);
}

void e8_timers_fini(struct e8_timers *timers)
{
    free(timers->list);
    *timers = (struct e8_timers){0};
}

void e8_timers_add(struct e8_timers *timers, struct e8_timer *timer, e8_mono_ns at)
{
    E8_ASSERT(timer->place == 0);
    if (timers->count + 2 > timers->cap) {
        timers->cap = timers->cap ? timers->cap * 2 : 256;
        timers->list = e8_resize(timers->list, timers->cap, sizeof(struct e8_timer *));
    }
    timer->at = at;
    timer->order = timers->added++;
    timers->list[++timers->count] = timer;
    rise(timers, timers->count);
}

void e8_timers_remove(struct e8_timers *timers, struct e8_timer *timer)
{
    size_t place = timer->place;
    if (!place) {
        return;
    }
    E8_ASSERT(place <= timers->count && timers->list[place] == timer);
    timer->place = 0;
    struct e8_timer *last = timers->list[timers->count--];
    if (last != timer) {
        put(timers, place, last);
        rise(timers, place);
        sink(timers, last->place);
    }
}

struct e8_timer *e8_timers_peek(const struct e8_timers *timers)
{
    return timers->count ? timers->list[1] : NULL;
}

struct e8_timer *e8_timers_take(struct e8_timers *timers)
{
    struct e8_timer *timer = e8_timers_peek(timers);
    if (timer) {
        e8_timers_remove(timers, timer);
    }
    return timer;
}

/* None passes another, so the heap stays one. */
void e8_timers_postpone(struct e8_timers *timers, e8_mono_ns after, e8_dur_ns by)
{
    for (size_t i = 1; i <= timers->count; i++) {
        struct e8_timer *timer = timers->list[i];
        if (timer->at > after && __builtin_add_overflow(timer->at, by, &timer->at)) {
            timer->at = E8_NEVER;
        }
    }
}

e8_mono_ns e8_timers_due(const struct e8_timers *timers)
{
    return timers->count ? timers->list[1]->at : E8_NEVER;
}

void *e8_timer_owner(struct e8_timer *timer, size_t offset)
{
    return timer ? (char *)timer - offset : NULL;
}
