/* Arrival schedules: when the k-th arrival is due, as a pure function of the schedule, the seed and k. No clock, no thread.
 * Rational arithmetic, so that there is no drift: the k-th arrival of a constant rate num/den is exactly floor(k * den / num). */
#ifndef E8_PACE_PACE_H
#define E8_PACE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

enum e8_pace_kind { E8_PACE_CONSTANT, E8_PACE_RAMP, E8_PACE_POISSON };

struct e8_pace {
    enum e8_pace_kind kind;
    struct e8_rate from, to; /* constant and Poisson: from alone */
    e8_dur_ns length;        /* > 0 */
    uint64_t limit;          /* at most this many arrivals; 0: as many as fit the length */
    uint64_t seed;           /* Poisson */
};

/* Walks the schedule from arrival 0. */
struct e8_pace_walk {
    const struct e8_pace *pace;
    uint64_t k;     /* of the next arrival */
    double carried; /* Poisson: the time so far, in mean gaps */
    struct e8_rng rng;
};
struct e8_pace_walk e8_pace_begin(const struct e8_pace *pace);
/* Offset of the next arrival from the schedule's start, in *due; false when the schedule has ended. Offsets never decrease. */
bool e8_pace_next(struct e8_pace_walk *walk, e8_dur_ns *due);
/* How many arrivals the schedule has; exact (walks a Poisson schedule). */
uint64_t e8_pace_count(const struct e8_pace *pace);

/* Arrivals per second that it intends at that offset, on average; 0 outside its length. */
double e8_pace_rate(const struct e8_pace *pace, e8_dur_ns offset);

#endif
