/* The layout of an HdrHistogram with lowest value 1, highest E8_HIST_MAX and three significant digits: 2,048 slots of width 1,
 * then halves of 1,024 slots, each twice as wide as those before. For hist.c, codec.c and their tests alone. */
#ifndef E8_HIST_LAYOUT_H
#define E8_HIST_LAYOUT_H

#include "hist/hist.h"

#define HALF_BITS 10 /* 2 * 10^3 distinct values need 2^11 slots; half of them are new in each bucket */
#define HALF      (1U << HALF_BITS)
#define DIGITS    3
#define BUCKETS   32 /* 2^11 << 31 is the first power past E8_HIST_MAX */
#define SLOTS     ((BUCKETS + 1) * HALF)

/* More values than this cannot be recorded in the life of a machine; keeps the sum of squares within 128 bits. */
#define COUNT_MAX ((uint64_t)1 << 44)

__extension__ typedef unsigned __int128 e8_hist_wide;

struct e8_hist {
    uint64_t count, clamped;
    int64_t min, max; /* only when count > 0; only slots from min's to max's can be other than 0 */
    e8_hist_wide sum, squares;
    uint64_t slots[SLOTS];
};

static inline unsigned slot_of(int64_t value)
{
    unsigned bits = 64U - (unsigned)__builtin_clzll((unsigned long long)value | (2 * HALF - 1));
    unsigned bucket = bits - HALF_BITS - 1;

    return (bucket << HALF_BITS) + (unsigned)(value >> bucket);
}

static inline unsigned slot_shift(unsigned slot)
{
    return slot < 2 * HALF ? 0 : (slot >> HALF_BITS) - 1;
}

static inline int64_t slot_low(unsigned slot)
{
    unsigned shift = slot_shift(slot);

    return (int64_t)(slot - (shift << HALF_BITS)) << shift;
}

static inline int64_t slot_high(unsigned slot)
{
    return slot_low(slot) + ((int64_t)1 << slot_shift(slot)) - 1;
}

/* Adds `count` values at once. */
void e8_hist_add(struct e8_hist *hist, int64_t value, uint64_t count);

#endif
