/* Arrival schedules: when the k-th arrival is due, as a pure function of the schedule, the seed and k. No clock, no thread.
 * Rational arithmetic, so that there is no drift: the k-th arrival of a constant rate num/den is exactly floor(k * den / num). */
#ifndef E8_PACE_PACE_H
#define E8_PACE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum e8_pace_kind {
    E8_PACE_CONSTANT, /* from */
    E8_PACE_RAMP,     /* evenly from `from` to `to` */
    E8_PACE_STEPS,    /* pieces, one after another */
    E8_PACE_SINE,     /* from `from` to `to` and back within each period */
    E8_PACE_BURST,    /* `burst` at once, at the start of each period */
    E8_PACE_RECORDED, /* offsets */
};

/* At a rate, or evenly from one to another. A schedule of its own: its first arrival is due at its start. */
struct e8_pace_piece {
    struct e8_rate from, to; /* one may be 0; a piece of both is a pause */
    e8_dur_ns length;        /* > 0 */
};

struct e8_pace {
    enum e8_pace_kind kind;
    bool poisson; /* at random, with the kind's rate at each moment; not of bursts and recorded arrivals */
    struct e8_rate from, to;
    e8_dur_ns length; /* > 0; of steps: the sum of all */
    e8_dur_ns period; /* > 0; sine and burst */
    uint64_t burst;
    const struct e8_pace_piece *pieces; /* the caller's */
    size_t piece_count;
    const e8_dur_ns *offsets; /* the caller's; never decreasing */
    size_t offset_count;
    uint64_t limit; /* at most this many arrivals; 0: as many as fit the length */
    uint64_t seed;  /* Poisson */
};

/* Walks the schedule from arrival 0. */
struct e8_pace_walk {
    const struct e8_pace *pace;
    uint64_t k;     /* of the next arrival */
    uint64_t count; /* of all; not of Poisson */
    long double mean;
    double carried; /* Poisson: the time so far, in mean gaps */
    struct e8_rng rng;
    struct { /* steps: the piece at hand, and what went before it */
        size_t index;
        e8_dur_ns start;
        uint64_t first, count;
        long double mean, before; /* Poisson: arrivals expected in it, and before it */
    } piece;
};
struct e8_pace_walk e8_pace_begin(const struct e8_pace *pace);
/* Offset of the next arrival from the schedule's start, in *due; false when the schedule has ended. Offsets never decrease. */
bool e8_pace_next(struct e8_pace_walk *walk, e8_dur_ns *due);
/* The same for arrival k, which is the next one or one behind it; those before it are passed over, which takes no time unless they
 * are Poisson. */
bool e8_pace_seek(struct e8_pace_walk *walk, uint64_t k, e8_dur_ns *due);
/* How many arrivals the schedule has; exact (walks a Poisson schedule). */
uint64_t e8_pace_count(const struct e8_pace *pace);
/* How many it would have without its limit; of a Poisson schedule: is expected to have. */
double e8_pace_mean(const struct e8_pace *pace);

/* "20/s..200/s", where 0 needs no unit, and the first takes the second's where it has none: "20..200/s". Not both 0. */
bool e8_pace_parse_rates(struct e8_str text, struct e8_rate *from, struct e8_rate *to);
/* "500/s:5m", "0..500/s:1m"; "0:10s" is a pause. */
bool e8_pace_parse_piece(struct e8_str text, struct e8_pace_piece *out);

/* Arrivals per second that it intends at that offset, on average; 0 outside its length. */
double e8_pace_rate(const struct e8_pace *pace, e8_dur_ns offset);

#endif
