/* Counter-based random streams: the n-th number of a stream is a pure function of (key, n), so that what is random in a run
 * does not depend on timing, on the number of workers or on other flows. The mixer is SplitMix64's finalizer
 * (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) over key + n * golden ratio. */
#ifndef E8_BASE_RNG_H
#define E8_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/str.h"

struct e8_rng {
    uint64_t key;
    uint64_t n; /* numbers drawn so far */
};

static inline uint64_t e8_mix(uint64_t a, uint64_t b); /* a hash of the two; order matters */
/* The same in two steps, for an `a` that is mixed with many: e8_mix(a, b) is e8_mix_with(e8_mixed(a), b). */
static inline uint64_t e8_mixed(uint64_t a);
static inline uint64_t e8_mix_with(uint64_t mixed, uint64_t b);
uint64_t e8_hash_str(struct e8_str text); /* FNV-1a, then mixed; stable over versions */
static inline struct e8_rng e8_rng_new(uint64_t key);
static inline uint64_t e8_rng_next(struct e8_rng *rng);
static inline uint64_t e8_rng_below(struct e8_rng *rng, uint64_t bound); /* unbiased; bound > 0 */
static inline int64_t e8_rng_range(struct e8_rng *rng, int64_t low,
                                   int64_t high); /* both included; low <= high */
double e8_rng_unit(struct e8_rng *rng);           /* [0, 1), 53 bits */
double e8_rng_exp(struct e8_rng *rng);            /* exponential with mean 1 */
double e8_rng_normal(struct e8_rng *rng);         /* mean 0, deviation 1 */

#define E8_GOLDEN 0x9E3779B97F4A7C15U

static inline uint64_t e8_finalize(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static inline uint64_t e8_mixed(uint64_t a)
{
    return e8_finalize(a + E8_GOLDEN);
}

static inline uint64_t e8_mix_with(uint64_t mixed, uint64_t b)
{
    return e8_finalize(mixed + b * 0xD1B54A32D192ED03U);
}

static inline uint64_t e8_mix(uint64_t a, uint64_t b)
{
    return e8_mix_with(e8_mixed(a), b);
}

static inline struct e8_rng e8_rng_new(uint64_t key)
{
    return (struct e8_rng){.key = key};
}

static inline uint64_t e8_rng_next(struct e8_rng *rng)
{
    return e8_finalize(rng->key + ++rng->n * E8_GOLDEN);
}

/* 2^64 mod bound: so many numbers would come once too often. It is less than the bound, and mostly less than x. */
static inline uint64_t e8_rng_below(struct e8_rng *rng, uint64_t bound)
{
    E8_ASSERT(bound > 0);
    uint64_t x;
    do
        x = e8_rng_next(rng);
    while (x < bound && x < (0 - bound) % bound);
    return x % bound;
}

static inline int64_t e8_rng_range(struct e8_rng *rng, int64_t low, int64_t high)
{
    E8_ASSERT(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low;
    uint64_t offset = span == UINT64_MAX ? e8_rng_next(rng) : e8_rng_below(rng, span + 1);
    return (int64_t)((uint64_t)low + offset);
}

#endif
