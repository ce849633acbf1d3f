#include "hist/hist.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "hist/layout.h"

_Static_assert((int64_t)(2 * HALF) << (BUCKETS - 1) > E8_HIST_MAX &&
                   (int64_t)(2 * HALF) << (BUCKETS - 2) <= E8_HIST_MAX,
               "as many buckets as the highest value needs");

struct e8_hist *e8_hist_new(void)
{
    return e8_new(1, sizeof(struct e8_hist));
}

void e8_hist_free(struct e8_hist **hist)
{
    free(*hist);
    *hist = NULL;
}

void e8_hist_reset(struct e8_hist *hist)
{
    if (hist->count) {
        unsigned first = slot_of(hist->min), last = slot_of(hist->max);
        memset(&hist->slots[first], 0, (last - first + 1) * sizeof(hist->slots[0]));
    }
    memset(hist, 0, offsetof(struct e8_hist, slots));
}

void e8_hist_add(struct e8_hist *hist, int64_t value, uint64_t count)
{
    if (value < 0 || value > E8_HIST_MAX) {
        hist->clamped += count;
        value = value < 0 ? 0 : E8_HIST_MAX;
    }
    if (!hist->count || value < hist->min)
        hist->min = value;
    if (!hist->count || value > hist->max)
        hist->max = value;
    hist->count += count;
    hist->sum += (e8_hist_wide)value * count;
    hist->squares += (e8_hist_wide)value * (e8_hist_wide)value * count;
    hist->slots[slot_of(value)] += count;
}

void e8_hist_record(struct e8_hist *hist, int64_t value)
{
    e8_hist_add(hist, value, 1);
}

void e8_hist_merge(struct e8_hist *into, const struct e8_hist *from)
{
    if (!from->count)
        return;
    E8_ASSERT(into->count + from->count <= COUNT_MAX);
    const unsigned last = slot_of(from->max);
    for (unsigned slot = slot_of(from->min); slot <= last; slot++)
        into->slots[slot] += from->slots[slot];
    if (!into->count || from->min < into->min)
        into->min = from->min;
    if (!into->count || from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->clamped += from->clamped;
    into->sum += from->sum;
    into->squares += from->squares;
}

uint64_t e8_hist_count(const struct e8_hist *hist)
{
    return hist->count;
}

uint64_t e8_hist_clamped(const struct e8_hist *hist)
{
    return hist->clamped;
}

int64_t e8_hist_min(const struct e8_hist *hist)
{
    return hist->min;
}

int64_t e8_hist_max(const struct e8_hist *hist)
{
    return hist->max;
}

double e8_hist_mean(const struct e8_hist *hist)
{
    return hist->count ? (double)((long double)hist->sum / (long double)hist->count) : 0;
}

double e8_hist_stddev(const struct e8_hist *hist)
{
    if (!hist->count)
        return 0;

    long double mean = (long double)hist->sum / (long double)hist->count;
    long double variance = (long double)hist->squares / (long double)hist->count - mean * mean;
    return variance > 0 ? (double)sqrtl(variance) : 0;
}

/* How many values a share q of all is, rounded up; 0.07 of 100 is 7, though the product is a little more. */
static uint64_t rank_of(uint64_t count, double q)
{
    double rank = ceil(q * (double)count * (1 - 4 * DBL_EPSILON));

    if (!(rank >= 1))
        return 1;
    return rank < (double)count ? (uint64_t)rank : count;
}

int64_t e8_hist_quantile(const struct e8_hist *hist, double q)
{
    uint64_t rank = rank_of(hist->count, q), seen = 0;

    if (rank == 1 || rank >= hist->count)
        return rank < hist->count ? hist->min : hist->max;
    for (unsigned slot = slot_of(hist->min); slot < slot_of(hist->max); slot++) {
        seen += hist->slots[slot];
        if (seen >= rank)
            return slot_high(slot);
    }
    return hist->max;
}

int64_t e8_hist_quantile_since(const struct e8_hist *hist, const struct e8_hist *before, double q)
{
    if (!before || !before->count)
        return e8_hist_quantile(hist, q);
    E8_ASSERT(before->count <= hist->count);
    uint64_t rank = rank_of(hist->count - before->count, q), seen = 0;
    if (hist->count == before->count)
        return 0;
    for (unsigned slot = slot_of(hist->min); slot < slot_of(hist->max); slot++) {
        seen += hist->slots[slot] - before->slots[slot];
        if (seen >= rank)
            return slot_high(slot);
    }
    return hist->max;
}

uint64_t e8_hist_count_upto(const struct e8_hist *hist, int64_t value)
{
    uint64_t seen = 0;

    if (value >= hist->max)
        return hist->count;
    if (value < hist->min)
        return 0;
    for (unsigned slot = slot_of(hist->min); slot <= slot_of(value); slot++)
        seen += hist->slots[slot];
    return seen;
}

bool e8_hist_supports(const struct e8_hist *hist, double q)
{
    return (double)hist->count * (1 - q) >= 100 * (1 - 1e-9);
}
