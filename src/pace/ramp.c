#include <math.h>

#include "pace/shape.h"

__extension__ typedef __int128 swide;

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* All products below rely on 62 bits. */
struct e8_ramp e8_ramp_of(struct e8_rate first, struct e8_rate last, e8_dur_ns length)
{
    uint64_t common = gcd(first.den, last.den);
    e8_wide from = (e8_wide)first.num * (last.den / common);
    e8_wide to = (e8_wide)last.num * (first.den / common);
    e8_wide den = (e8_wide)first.den * (last.den / common);

    while ((from | to | den) >> 62) {
        from >>= 1;
        to >>= 1;
        den >>= 1;
    }
    return (struct e8_ramp){(int64_t)from, (int64_t)to, den ? (int64_t)den : 1, length};
}

/* Every k < N(length) is due before the end. */
uint64_t e8_ramp_count(const struct e8_ramp *ramp)
{
    return e8_pace_ceil((e8_wide)(ramp->from + ramp->to) * (e8_wide)ramp->length, 2 * (e8_wide)ramp->den);
}

long double e8_ramp_mean(const struct e8_ramp *ramp)
{
    return ((long double)ramp->from + (long double)ramp->to) * (long double)ramp->length /
           (2 * (long double)ramp->den);
}

/* a * t * t / div, rounded up or down; must have at most 127 bits, though the product may have 192. */
static swide mul_square_div(uint64_t a, uint64_t t, uint64_t div, bool up)
{
    e8_wide square = (e8_wide)t * t;
    e8_wide low = (e8_wide)(uint64_t)square * a;
    e8_wide high = (e8_wide)(uint64_t)(square >> 64) * a + (low >> 64);
    e8_wide rest = (high % div << 64) | (uint64_t)low;

    return (swide)((high / div << 64) + rest / div + (up && rest % div));
}

/* N(t) <= k. All but the quadratic term are integers, so rounding it away from them changes nothing. */
static bool is_reached(const struct e8_ramp *ramp, uint64_t k, int64_t t)
{
    bool rising = ramp->to >= ramp->from;
    uint64_t slope = (uint64_t)(rising ? ramp->to - ramp->from : ramp->from - ramp->to);
    swide curve = mul_square_div(slope, (uint64_t)t, 2 * (uint64_t)ramp->length, rising);
    swide rest = (swide)((e8_wide)ramp->den * k) - (swide)ramp->from * t;

    return rising ? curve <= rest : curve >= -rest;
}

/* In the form that does not cancel; right to a few units in the last place. */
long double e8_ramp_at(const struct e8_ramp *ramp, long double arrivals)
{
    long double from = (long double)ramp->from / (long double)ramp->den;
    long double to = (long double)ramp->to / (long double)ramp->den;
    long double square = from * from + 2 * (to - from) * arrivals / (long double)ramp->length;
    long double below = from + sqrtl(square > 0 ? square : 0);

    return below > 0 ? 2 * arrivals / below : 0;
}

/* The last t with N(t) <= k, so exactly the floor of the root: widen around the guess, then halve. */
e8_dur_ns e8_ramp_due(const struct e8_ramp *ramp, uint64_t k)
{
    long double guess = e8_ramp_at(ramp, (long double)k);
    int64_t low = guess < (long double)ramp->length ? (int64_t)guess : ramp->length - 1, high = low + 1;

    for (int64_t step = 1; low > 0 && !is_reached(ramp, k, low); step *= 2) {
        high = low;
        low = low > step ? low - step : 0;
    }
    for (int64_t step = 1; high < ramp->length && is_reached(ramp, k, high); step *= 2) {
        low = high;
        high = ramp->length - high > step ? high + step : ramp->length;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (is_reached(ramp, k, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}
