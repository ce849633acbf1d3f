/* The shapes that a schedule's rate may have: internal to pace. */
#ifndef E8_PACE_SHAPE_H
#define E8_PACE_SHAPE_H

#include "pace/pace.h"

__extension__ typedef unsigned __int128 e8_wide;

/* How many k >= 0 have k < num / den; at most UINT64_MAX. */
uint64_t e8_pace_ceil(e8_wide num, e8_wide den);

/* A rate that goes from one to another over `length`, exact: from / den and to / den arrivals per nanosecond, by the time t
 * N(t) = (from * t + (to - from) * t^2 / (2 * length)) / den of them. */
struct e8_ramp {
    int64_t from, to, den, length;
};
/* Exact where a common denominator has at most 62 bits; else rounded to that. */
struct e8_ramp e8_ramp_of(struct e8_rate from, struct e8_rate to, e8_dur_ns length);
uint64_t e8_ramp_count(const struct e8_ramp *ramp);
e8_dur_ns e8_ramp_due(const struct e8_ramp *ramp, uint64_t k);            /* k < count */
long double e8_ramp_mean(const struct e8_ramp *ramp);                     /* N(length) */
long double e8_ramp_at(const struct e8_ramp *ramp, long double arrivals); /* the root of N(t) = arrivals */

/* A rate that swings: from / den at the start, to / den half a period later, and back. A whole period has exactly as many arrivals
 * as a ramp from one to the other; within a period the integral is one of floating point, which does not add up. */
struct e8_sine {
    struct e8_ramp period;
    e8_dur_ns length;
};
struct e8_sine e8_sine_of(struct e8_rate from, struct e8_rate to, e8_dur_ns period, e8_dur_ns length);
uint64_t e8_sine_count(const struct e8_sine *sine);
e8_dur_ns e8_sine_due(const struct e8_sine *sine, uint64_t k);
long double e8_sine_mean(const struct e8_sine *sine);
long double e8_sine_at(const struct e8_sine *sine, long double arrivals);

#endif
