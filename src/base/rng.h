/* Counter-based random streams: the n-th number of a stream is a pure function of (key, n), so that what is random in a run
 * does not depend on timing, on the number of workers or on other flows. The mixer is SplitMix64's finalizer
 * (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014) over key + n * golden ratio. */
#ifndef E8_BASE_RNG_H
#define E8_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct e8_rng {
    uint64_t key;
    uint64_t n; /* numbers drawn so far */
};

uint64_t e8_mix(uint64_t a, uint64_t b);  /* a hash of the two; order matters */
uint64_t e8_hash_str(struct e8_str text); /* FNV-1a, then mixed; stable over versions */
struct e8_rng e8_rng_new(uint64_t key);
uint64_t e8_rng_next(struct e8_rng *rng);
uint64_t e8_rng_below(struct e8_rng *rng, uint64_t bound);           /* unbiased; bound > 0 */
int64_t e8_rng_range(struct e8_rng *rng, int64_t low, int64_t high); /* both included; low <= high */
double e8_rng_unit(struct e8_rng *rng);                              /* [0, 1), 53 bits */
double e8_rng_exp(struct e8_rng *rng);                               /* exponential with mean 1 */
double e8_rng_normal(struct e8_rng *rng);                            /* mean 0, deviation 1 */

#endif
