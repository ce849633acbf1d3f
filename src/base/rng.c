#include "base/rng.h"

#include <math.h>

#include "base/assert.h"

uint64_t e8_hash_str(struct e8_str text)
{
    uint64_t hash = 0xCBF29CE484222325U;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001B3U;
    return e8_finalize(hash);
}

int64_t e8_rng_range(struct e8_rng *rng, int64_t low, int64_t high)
{
    E8_ASSERT(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t offset = span == UINT64_MAX ? e8_rng_next(rng) : e8_rng_below(rng, span + 1);
    return (int64_t)((uint64_t)low + offset);
}

double e8_rng_unit(struct e8_rng *rng)
{
    return (double)(e8_rng_next(rng) >> 11) * 0x1.0p-53;
}

double e8_rng_exp(struct e8_rng *rng)
{
    return -log1p(-e8_rng_unit(rng));
}

/* Box and Muller, 1958; the second number is not kept, so that every call draws exactly two. */
double e8_rng_normal(struct e8_rng *rng)
{
    double radius = sqrt(2 * e8_rng_exp(rng));
    return radius * cos(2 * M_PI * e8_rng_unit(rng));
}
