/* What is to happen when: a heap of timers that are part of their owners' objects. Adding, removing and taking the earliest cost
 * O(log n) and allocate nothing once the heap has grown. Of timers for the same moment the one added first is the earlier. One
 * owner thread. */
#ifndef E8_BASE_TIMERS_H
#define E8_BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

struct e8_timer {
    e8_mono_ns at;
    size_t place; /* in the heap, 1-based; 0: not in one. Zeroed memory is a timer that is in none. */
};

/* Its key stands in the heap as well, so that comparing does not touch its owner. */
struct e8_timer_place {
    e8_mono_ns at;
    uint64_t order;
    struct e8_timer *timer;
};

struct e8_timers {
    struct e8_timer_place *list; /* list[1] is the earliest */
    size_t count, cap;
    uint64_t added;
};

/* Zeroed memory is an empty heap. */
void e8_timers_fini(struct e8_timers *timers);
/* The timer must be in no heap. */
void e8_timers_add(struct e8_timers *timers, struct e8_timer *timer, e8_mono_ns at);
void e8_timers_remove(struct e8_timers *timers, struct e8_timer *timer); /* harmless when it is in none */
struct e8_timer *e8_timers_peek(const struct e8_timers *timers);         /* the earliest, or NULL */
struct e8_timer *e8_timers_take(struct e8_timers *timers);               /* the same, removed */
/* All that are later than `after` become later by `by` (>= 0). O(n). */
void e8_timers_postpone(struct e8_timers *timers, e8_mono_ns after, e8_dur_ns by);
e8_mono_ns e8_timers_due(const struct e8_timers *timers); /* of the earliest; E8_NEVER when there is none */

/* The object of `type` whose member `member` the timer is; NULL for NULL. */
#define E8_TIMER_OWNER(timer, type, member) ((type *)e8_timer_owner((timer), offsetof(type, member)))
void *e8_timer_owner(struct e8_timer *timer, size_t offset);

#endif
