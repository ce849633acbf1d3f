/* A bounded ring of fixed-size records from one producer thread to one consumer thread (C11 atomics, no lock). */
#ifndef E8_BASE_RING_H
#define E8_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct e8_ring;

/* `slots` is rounded up to a power of two. */
struct e8_ring *e8_ring_new(size_t slots, size_t record_size);
void e8_ring_free(struct e8_ring **ring);

/* Producer. NULL when the ring is full; else a slot to fill, which e8_ring_push then hands over. */
void *e8_ring_slot(struct e8_ring *ring);
void e8_ring_push(struct e8_ring *ring);
/* Consumer. NULL when empty; else the oldest record, valid until e8_ring_pop. */
const void *e8_ring_peek(struct e8_ring *ring);
void e8_ring_pop(struct e8_ring *ring);
/* The same for many at once: how many lie there at least, the i-th oldest of those, and the oldest ones taken away. */
size_t e8_ring_count(struct e8_ring *ring);
const void *e8_ring_at(const struct e8_ring *ring, size_t i);
void e8_ring_drop(struct e8_ring *ring, size_t count);

#endif
