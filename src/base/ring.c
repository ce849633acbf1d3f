#include "base/ring.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

enum { RING_MAGIC = 0x0a4e8212, CACHE_LINE = 64, AGAIN = 64 };

/* Indices only grow; a record lies at (index - base) & mask. Each side reads the other's index only when its own copy of it says that it
 * must. Where all has been taken the producer begins with the first slots again, which are still in the caches: so a large ring, of
 * which the consumer leaves little filled, costs no more than a small one. The base changes only while the consumer has no record. */
struct e8_ring {
    unsigned magic;
    size_t mask;
    size_t record_size;
    char *records;
    char pad0[CACHE_LINE];
    atomic_size_t head; /* written by the producer */
    size_t tail_seen;
    size_t base; /* the producer's, too */
    char pad1[CACHE_LINE];
    atomic_size_t tail; /* written by the consumer */
    size_t head_seen;
    size_t base_seen;
    char pad2[CACHE_LINE];
};

struct e8_ring *e8_ring_new(size_t slots, size_t record_size)
{
    E8_ASSERT(record_size > 0 && slots <= PTRDIFF_MAX);
    size_t rounded = 1;
    while (rounded < slots)
        rounded *= 2;
    struct e8_ring *ring = e8_new(1, sizeof(*ring));
    ring->magic = RING_MAGIC;
    ring->mask = rounded - 1;
    ring->record_size = record_size;
    ring->records = e8_new(rounded, record_size);
    atomic_init(&ring->head, 0);
    atomic_init(&ring->tail, 0);
    return ring;
}

void e8_ring_free(struct e8_ring **ring)
{
    if (!*ring)
        return;
    E8_CHECK_MAGIC(*ring, RING_MAGIC);
    (*ring)->magic = 0;
    free((*ring)->records);
    free(*ring);
    *ring = NULL;
}

static char *record(const struct e8_ring *ring, size_t index, size_t base)
{
    return ring->records + ((index - base) & ring->mask) * ring->record_size;
}

static void look_at_tail(struct e8_ring *ring, size_t head)
{
    ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (ring->tail_seen == head)
        ring->base = head;
}

void *e8_ring_slot(struct e8_ring *ring)
{
    E8_CHECK_MAGIC(ring, RING_MAGIC);
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - ring->base >= AGAIN || head - ring->tail_seen > ring->mask)
        look_at_tail(ring, head);
    return head - ring->tail_seen > ring->mask ? NULL : record(ring, head, ring->base);
}

void e8_ring_push(struct e8_ring *ring)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    E8_ASSERT(head - ring->tail_seen <= ring->mask);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

/* True: there is one that has not been taken. */
static bool look_at_head(struct e8_ring *ring, size_t tail)
{
    ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
    if (tail == ring->head_seen)
        return false;
    ring->base_seen = ring->base;
    return true;
}

const void *e8_ring_peek(struct e8_ring *ring)
{
    E8_CHECK_MAGIC(ring, RING_MAGIC);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == ring->head_seen && !look_at_head(ring, tail))
        return NULL;
    return record(ring, tail, ring->base_seen);
}

void e8_ring_pop(struct e8_ring *ring)
{
    e8_ring_drop(ring, 1);
}

size_t e8_ring_count(struct e8_ring *ring)
{
    E8_CHECK_MAGIC(ring, RING_MAGIC);
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    return look_at_head(ring, tail) ? ring->head_seen - tail : 0;
}

const void *e8_ring_at(const struct e8_ring *ring, size_t i)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    E8_ASSERT(i < ring->head_seen - tail);
    return record(ring, tail + i, ring->base_seen);
}

void e8_ring_drop(struct e8_ring *ring, size_t count)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    E8_ASSERT(count <= ring->head_seen - tail);
    atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
}
