#include "base/rng.h"

#include <math.h>

uint64_t e8_hash_str(struct e8_str text)
{
    uint64_t hash = 0xCBF29CE484222325U;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 0x100000001B3U;
    return e8_finalize(hash);
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
