#include "pace/pace.h"

#include <math.h>

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 swide;

static uint64_t narrow(wide value)
{
    return value < UINT64_MAX ? (uint64_t)value : UINT64_MAX;
}

/* How many k >= 0 have k < num / den. */
static uint64_t ceil_div(wide num, wide den)
{
    return narrow(num / den + (num % den != 0));
}

static uint64_t constant_count(const struct e8_pace *pace)
{
    return ceil_div((wide)pace->length * pace->from.num, pace->from.den);
}

/* k * den / num < length where k < count, so the result fits. */
static e8_dur_ns constant_due(const struct e8_pace *pace, uint64_t k)
{
    return (e8_dur_ns)((wide)k * pace->from.den / pace->from.num);
}

/* A ramp over `length` from the rate from/den to the rate to/den, in arrivals per nanosecond. By the time t
 * N(t) = (from * t + (to - from) * t^2 / (2 * length)) / den arrivals are due. */
struct ramp {
    int64_t from, to, den, length;
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Exact where a common denominator has at most 62 bits, which all products below rely on; else rounded to that. */
static struct ramp ramp_of(const struct e8_pace *pace)
{
    uint64_t common = gcd(pace->from.den, pace->to.den);
    wide from = (wide)pace->from.num * (pace->to.den / common);
    wide to = (wide)pace->to.num * (pace->from.den / common);
    wide den = (wide)pace->from.den * (pace->to.den / common);

    while ((from | to | den) >> 62) {
        from >>= 1;
        to >>= 1;
        den >>= 1;
    }
    return (struct ramp){(int64_t)from, (int64_t)to, den ? (int64_t)den : 1, pace->length};
}

/* Every k < N(length) is due before the end. */
static uint64_t ramp_count(const struct ramp *ramp)
{
    return ceil_div((wide)(ramp->from + ramp->to) * (wide)ramp->length, 2 * (wide)ramp->den);
}

/* a * t * t / div, rounded up or down; must have at most 127 bits, though the product may have 192. */
static swide mul_square_div(uint64_t a, uint64_t t, uint64_t div, bool up)
{
    wide square = (wide)t * t;
    wide low = (wide)(uint64_t)square * a;
    wide high = (wide)(uint64_t)(square >> 64) * a + (low >> 64);
    wide rest = (high % div << 64) | (uint64_t)low;

    return (swide)((high / div << 64) + rest / div + (up && rest % div));
}

/* N(t) <= k. All but the quadratic term are integers, so rounding it away from them changes nothing. */
static bool ramp_reached(const struct ramp *ramp, uint64_t k, int64_t t)
{
    bool rising = ramp->to >= ramp->from;
    uint64_t slope = (uint64_t)(rising ? ramp->to - ramp->from : ramp->from - ramp->to);
    swide curve = mul_square_div(slope, (uint64_t)t, 2 * (uint64_t)ramp->length, rising);
    swide rest = (swide)((wide)ramp->den * k) - (swide)ramp->from * t;

    return rising ? curve <= rest : curve >= -rest;
}

/* The root of N(t) = k, in the form that does not cancel; right to a few units in the last place. */
static int64_t ramp_guess(const struct ramp *ramp, uint64_t k)
{
    long double from = (long double)ramp->from / (long double)ramp->den;
    long double to = (long double)ramp->to / (long double)ramp->den;
    long double square = from * from + 2 * (to - from) * (long double)k / (long double)ramp->length;
    long double below = from + sqrtl(square > 0 ? square : 0);
    long double t = below > 0 ? 2 * (long double)k / below : 0;

    return t < (long double)ramp->length ? (int64_t)t : ramp->length - 1;
}

/* The last t with N(t) <= k, so exactly the floor of the root: widen around the guess, then halve. */
static e8_dur_ns ramp_due(const struct ramp *ramp, uint64_t k)
{
    int64_t low = ramp_guess(ramp, k), high = low + 1;

    for (int64_t step = 1; low > 0 && !ramp_reached(ramp, k, low); step *= 2) {
        high = low;
        low = low > step ? low - step : 0;
    }
    for (int64_t step = 1; high < ramp->length && ramp_reached(ramp, k, high); step *= 2) {
        low = high;
        high = ramp->length - high > step ? high + step : ramp->length;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (ramp_reached(ramp, k, middle))
            low = middle;
        else
            high = middle;
    }
    return low;
}

struct e8_pace_walk e8_pace_begin(const struct e8_pace *pace)
{
    E8_ASSERT(pace->length > 0 && pace->from.den > 0);
    E8_ASSERT(pace->kind != E8_PACE_RAMP || pace->to.den > 0);
    return (struct e8_pace_walk){.pace = pace, .rng = e8_rng_new(pace->seed)};
}

static bool constant_next(const struct e8_pace *pace, uint64_t k, e8_dur_ns *due)
{
    if (k >= constant_count(pace))
        return false;
    *due = constant_due(pace, k);
    return true;
}

static bool ramp_next(const struct e8_pace *pace, uint64_t k, e8_dur_ns *due)
{
    struct ramp ramp = ramp_of(pace);

    if (k >= ramp_count(&ramp))
        return false;
    *due = ramp_due(&ramp, k);
    return true;
}

/* Also false for a rate of 0, where the time is infinite. */
static bool poisson_next(struct e8_pace_walk *walk, e8_dur_ns *due)
{
    const struct e8_pace *pace = walk->pace;

    walk->carried += e8_rng_exp(&walk->rng);
    long double at = (long double)walk->carried * (long double)pace->from.den / (long double)pace->from.num;
    if (!(at < (long double)pace->length))
        return false;
    *due = (e8_dur_ns)at;
    return true;
}

bool e8_pace_next(struct e8_pace_walk *walk, e8_dur_ns *due)
{
    const struct e8_pace *pace = walk->pace;
    bool more = false;

    if (pace->limit && walk->k >= pace->limit)
        return false;
    switch (pace->kind) {
    case E8_PACE_CONSTANT:
        more = constant_next(pace, walk->k, due);
        break;
    case E8_PACE_RAMP:
        more = ramp_next(pace, walk->k, due);
        break;
    case E8_PACE_POISSON:
        more = poisson_next(walk, due);
        break;
    }
    walk->k += more;
    return more;
}

static uint64_t poisson_count(const struct e8_pace *pace)
{
    struct e8_pace_walk walk = e8_pace_begin(pace);
    e8_dur_ns due;

    while (e8_pace_next(&walk, &due)) {
    }
    return walk.k;
}

uint64_t e8_pace_count(const struct e8_pace *pace)
{
    uint64_t count = 0;

    switch (pace->kind) {
    case E8_PACE_CONSTANT:
        count = constant_count(pace);
        break;
    case E8_PACE_RAMP: {
        struct ramp ramp = ramp_of(pace);
        count = ramp_count(&ramp);
        break;
    }
    case E8_PACE_POISSON:
        return poisson_count(pace);
    }
    return pace->limit && pace->limit < count ? pace->limit : count;
}
