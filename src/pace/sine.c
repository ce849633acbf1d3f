#include <math.h>

#include "pace/shape.h"

#define PI     3.141592653589793238462643383279502884L
#define ROUNDS 80 /* more than halving the longest period to a nanosecond takes */

struct e8_sine e8_sine_of(struct e8_rate from, struct e8_rate to, e8_dur_ns period, e8_dur_ns length)
{
    return (struct e8_sine){e8_ramp_of(from, to, period), length};
}

/* Arrivals by the time t of a period. */
static long double integral(const struct e8_ramp *period, long double t)
{
    long double middle = ((long double)period->from + (long double)period->to) / 2;
    long double swing = ((long double)period->to - (long double)period->from) / 2;
    long double turn = 2 * PI / (long double)period->length;

    return (middle * t - swing / turn * sinl(turn * t)) / (long double)period->den;
}

static long double rate_at(const struct e8_ramp *period, long double t)
{
    long double middle = ((long double)period->from + (long double)period->to) / 2;
    long double swing = ((long double)period->to - (long double)period->from) / 2;

    return (middle - swing * cosl(2 * PI / (long double)period->length * t)) / (long double)period->den;
}

/* Where so many have arrived, within one period: Newton's steps, and halving where one would leave the bracket. */
static long double root(const struct e8_ramp *period, long double arrivals)
{
    long double low = 0, high = (long double)period->length, t = high / 2;

    for (int i = 0; i < ROUNDS && high - low > 1e-3L; i++) {
        long double over = integral(period, t) - arrivals, rate = rate_at(period, t);
        if (over > 0)
            high = t;
        else
            low = t;
        long double next = rate > 0 ? t - over / rate : low;
        if (fabsl(next - t) < 1e-3L)
            return t;
        t = next > low && next < high ? next : low + (high - low) / 2;
    }
    return t;
}

static uint64_t whole_periods(const struct e8_sine *sine)
{
    return (uint64_t)(sine->length / sine->period.length);
}

/* Twice den times the arrivals of a period, which is a whole number. */
static e8_wide area(const struct e8_ramp *period)
{
    return (e8_wide)(period->from + period->to) * (e8_wide)period->length;
}

/* Of the whole periods exactly; what is left of the last one adds to their fraction. */
uint64_t e8_sine_count(const struct e8_sine *sine)
{
    const struct e8_ramp *period = &sine->period;
    e8_wide den = 2 * (e8_wide)period->den, one = area(period);
    uint64_t periods = whole_periods(sine);
    e8_dur_ns rest = sine->length % period->length;

    if (periods && one > ~(e8_wide)0 / periods)
        return UINT64_MAX;
    if (!rest)
        return e8_pace_ceil(one * periods, den);
    long double left =
        integral(period, (long double)rest) + (long double)(one * periods % den) / (long double)den;
    e8_wide count = one * periods / den + (e8_wide)ceill(left > 0 ? left : 0);
    return count < UINT64_MAX ? (uint64_t)count : UINT64_MAX;
}

/* k arrivals are so many whole periods, and a rest of less than a period's. */
e8_dur_ns e8_sine_due(const struct e8_sine *sine, uint64_t k)
{
    const struct e8_ramp *period = &sine->period;
    e8_wide den = 2 * (e8_wide)period->den, one = area(period), all = den * k;
    long double at = root(period, (long double)(all % one) / (long double)den);
    e8_dur_ns within = at < (long double)period->length ? (e8_dur_ns)at : period->length - 1;
    e8_wide due = all / one * (uint64_t)period->length + (uint64_t)within;

    return due < (e8_wide)sine->length ? (e8_dur_ns)due : sine->length - 1;
}

long double e8_sine_mean(const struct e8_sine *sine)
{
    return e8_ramp_mean(&sine->period) * (long double)whole_periods(sine) +
           integral(&sine->period, (long double)(sine->length % sine->period.length));
}

long double e8_sine_at(const struct e8_sine *sine, long double arrivals)
{
    long double one = e8_ramp_mean(&sine->period), periods = floorl(arrivals / one);

    return periods * (long double)sine->period.length + root(&sine->period, arrivals - periods * one);
}
