#include "base/timers.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

static bool before(const struct e8_timer_place *a, const struct e8_timer_place *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void put(struct e8_timers *timers, size_t place, const struct e8_timer_place *one)
{
    timers->list[place] = *one;
    one->timer->place = place;
}

/* Puts it at the place or above. */
static void rise(struct e8_timers *timers, size_t place, const struct e8_timer_place *one)
{
    while (place > 1 && before(one, &timers->list[place / 2])) {
        put(timers, place, &timers->list[place / 2]);
        place /= 2;
    }
    put(timers, place, one);
}

/* Puts it at the place or below. */
static void sink(struct e8_timers *timers, size_t place, const struct e8_timer_place *one)
{
    for (;;) {
        size_t child = place * 2;
        if (child < timers->count && before(&timers->list[child + 1], &timers->list[child])) {
            child++;
        }
        if (child > timers->count || !before(&timers->list[child], one)) {
            break;
        }
        put(timers, place, &timers->list[child]);
        place = child;
    }
    put(timers, place, one);
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
        timers->list = e8_resize(timers->list, timers->cap, sizeof *timers->list);
    }
    timer->at = at;
    const struct e8_timer_place one = {at, timers->added++, timer};
    rise(timers, ++timers->count, &one);
}

void e8_timers_remove(struct e8_timers *timers, struct e8_timer *timer)
{
    size_t place = timer->place;
    if (!place) {
        return;
    }
    E8_ASSERT(place <= timers->count && timers->list[place].timer == timer);
    timer->place = 0;
    const struct e8_timer_place last = timers->list[timers->count--];
    if (last.timer == timer) {
        return;
    }
    if (place > 1 && before(&last, &timers->list[place / 2])) {
        rise(timers, place, &last);
    } else {
        sink(timers, place, &last);
    }
}

struct e8_timer *e8_timers_peek(const struct e8_timers *timers)
{
    return timers->count ? timers->list[1].timer : NULL;
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
        struct e8_timer_place *one = &timers->list[i];
        if (one->at > after && __builtin_add_overflow(one->at, by, &one->at)) {
            one->at = E8_NEVER;
        }
        one->timer->at = one->at;
    }
}

e8_mono_ns e8_timers_due(const struct e8_timers *timers)
{
    return timers->count ? timers->list[1].at : E8_NEVER;
}

void *e8_timer_owner(struct e8_timer *timer, size_t offset)
{
    return timer ? (char *)timer - offset : NULL;
}
