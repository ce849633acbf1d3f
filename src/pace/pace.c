#include "pace/shape.h"

#include <math.h>

static uint64_t narrow(e8_wide value)
{
    return value < UINT64_MAX ? (uint64_t)value : UINT64_MAX;
}

uint64_t e8_pace_ceil(e8_wide num, e8_wide den)
{
    return narrow(num / den + (num % den != 0));
}

/* What each kind tells of itself. The count is of all that is due before the end; k is below it; `at` is when so many arrivals are
 * expected, for Poisson, NULL where that makes no sense. */
struct shape {
    uint64_t (*count)(const struct e8_pace *pace);
    e8_dur_ns (*due)(struct e8_pace_walk *walk, uint64_t k);
    long double (*mean)(const struct e8_pace *pace);
    long double (*at)(struct e8_pace_walk *walk, long double arrivals);
};

static uint64_t constant_count(const struct e8_pace *pace)
{
    return e8_pace_ceil((e8_wide)pace->length * pace->from.num, pace->from.den);
}

/* k * den / num < length where k < count, so the result fits. */
static e8_dur_ns constant_due(struct e8_pace_walk *walk, uint64_t k)
{
    return (e8_dur_ns)((e8_wide)k * walk->pace->from.den / walk->pace->from.num);
}

static long double constant_mean(const struct e8_pace *pace)
{
    return (long double)pace->length * (long double)pace->from.num / (long double)pace->from.den;
}

/* Infinite for a rate of 0. */
static long double constant_at(struct e8_pace_walk *walk, long double arrivals)
{
    return arrivals * (long double)walk->pace->from.den / (long double)walk->pace->from.num;
}

static struct e8_ramp ramp_of(const struct e8_pace *pace)
{
    return e8_ramp_of(pace->from, pace->to, pace->length);
}

static uint64_t ramp_count(const struct e8_pace *pace)
{
    struct e8_ramp ramp = ramp_of(pace);
    return e8_ramp_count(&ramp);
}

static e8_dur_ns ramp_due(struct e8_pace_walk *walk, uint64_t k)
{
    struct e8_ramp ramp = ramp_of(walk->pace);
    return e8_ramp_due(&ramp, k);
}

static long double ramp_mean(const struct e8_pace *pace)
{
    struct e8_ramp ramp = ramp_of(pace);
    return e8_ramp_mean(&ramp);
}

static long double ramp_at(struct e8_pace_walk *walk, long double arrivals)
{
    struct e8_ramp ramp = ramp_of(walk->pace);
    return e8_ramp_at(&ramp, arrivals);
}

static struct e8_sine sine_of(const struct e8_pace *pace)
{
    return e8_sine_of(pace->from, pace->to, pace->period, pace->length);
}

static uint64_t sine_count(const struct e8_pace *pace)
{
    struct e8_sine sine = sine_of(pace);
    return e8_sine_count(&sine);
}

static e8_dur_ns sine_due(struct e8_pace_walk *walk, uint64_t k)
{
    struct e8_sine sine = sine_of(walk->pace);
    return e8_sine_due(&sine, k);
}

static long double sine_mean(const struct e8_pace *pace)
{
    struct e8_sine sine = sine_of(pace);
    return e8_sine_mean(&sine);
}

static long double sine_at(struct e8_pace_walk *walk, long double arrivals)
{
    struct e8_sine sine = sine_of(walk->pace);
    return e8_sine_at(&sine, arrivals);
}

static uint64_t burst_count(const struct e8_pace *pace)
{
    return narrow((e8_wide)e8_pace_ceil((e8_wide)pace->length, (e8_wide)pace->period) * pace->burst);
}

static e8_dur_ns burst_due(struct e8_pace_walk *walk, uint64_t k)
{
    return (e8_dur_ns)(k / walk->pace->burst) * walk->pace->period;
}

static long double burst_mean(const struct e8_pace *pace)
{
    return (long double)burst_count(pace);
}

static uint64_t recorded_count(const struct e8_pace *pace)
{
    size_t low = 0, high = pace->offset_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pace->offsets[middle] < pace->length)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static e8_dur_ns recorded_due(struct e8_pace_walk *walk, uint64_t k)
{
    return walk->pace->offsets[k];
}

static long double recorded_mean(const struct e8_pace *pace)
{
    return (long double)recorded_count(pace);
}

/* A piece as a schedule. */
static struct e8_pace piece_of(const struct e8_pace *pace, size_t index)
{
    const struct e8_pace_piece *piece = &pace->pieces[index];
    bool level = piece->from.num == piece->to.num && piece->from.den == piece->to.den;

    return (struct e8_pace){.kind = level ? E8_PACE_CONSTANT : E8_PACE_RAMP,
                            .from = piece->from,
                            .to = piece->to,
                            .length = piece->length};
}

static const struct shape *shape_of(const struct e8_pace *pace);

static uint64_t steps_count(const struct e8_pace *pace)
{
    e8_wide sum = 0;

    for (size_t i = 0; i < pace->piece_count; i++) {
        struct e8_pace piece = piece_of(pace, i);
        sum += shape_of(&piece)->count(&piece);
    }
    return narrow(sum);
}

static long double steps_mean(const struct e8_pace *pace)
{
    long double sum = 0;

    for (size_t i = 0; i < pace->piece_count; i++) {
        struct e8_pace piece = piece_of(pace, i);
        sum += shape_of(&piece)->mean(&piece);
    }
    return sum;
}

static void measure_piece(struct e8_pace_walk *walk)
{
    struct e8_pace piece = piece_of(walk->pace, walk->piece.index);
    walk->piece.count = shape_of(&piece)->count(&piece);
    walk->piece.mean = shape_of(&piece)->mean(&piece);
}

static void enter_next_piece(struct e8_pace_walk *walk)
{
    walk->piece.start += walk->pace->pieces[walk->piece.index].length;
    walk->piece.first += walk->piece.count;
    walk->piece.before += walk->piece.mean;
    walk->piece.index++;
    measure_piece(walk);
}

static e8_dur_ns steps_due(struct e8_pace_walk *walk, uint64_t k)
{
    while (k - walk->piece.first >= walk->piece.count && walk->piece.index + 1 < walk->pace->piece_count)
        enter_next_piece(walk);
    struct e8_pace piece = piece_of(walk->pace, walk->piece.index);
    struct e8_pace_walk within = {.pace = &piece};
    return walk->piece.start + shape_of(&piece)->due(&within, k - walk->piece.first);
}

static long double steps_at(struct e8_pace_walk *walk, long double arrivals)
{
    while (arrivals - walk->piece.before >= walk->piece.mean &&
           walk->piece.index + 1 < walk->pace->piece_count)
        enter_next_piece(walk);
    long double left = arrivals - walk->piece.before;
    struct e8_pace piece = piece_of(walk->pace, walk->piece.index);
    struct e8_pace_walk within = {.pace = &piece};
    if (left >= walk->piece.mean)
        return (long double)walk->pace->length;
    return (long double)walk->piece.start + shape_of(&piece)->at(&within, left);
}

static const struct shape shapes[] = {
    [E8_PACE_CONSTANT] = {constant_count, constant_due, constant_mean, constant_at},
    [E8_PACE_RAMP] = {ramp_count, ramp_due, ramp_mean, ramp_at},
    [E8_PACE_STEPS] = {steps_count, steps_due, steps_mean, steps_at},
    [E8_PACE_SINE] = {sine_count, sine_due, sine_mean, sine_at},
    [E8_PACE_BURST] = {burst_count, burst_due, burst_mean, NULL},
    [E8_PACE_RECORDED] = {recorded_count, recorded_due, recorded_mean, NULL},
};

static const struct shape *shape_of(const struct e8_pace *pace)
{
    return &shapes[pace->kind];
}

static uint64_t count_of(const struct e8_pace *pace)
{
    uint64_t count = shape_of(pace)->count(pace);
    return pace->limit && pace->limit < count ? pace->limit : count;
}

static bool has_rates(const struct e8_pace *pace)
{
    bool two = pace->kind == E8_PACE_RAMP || pace->kind == E8_PACE_SINE;
    return (!two || pace->to.den > 0) && (!(two || pace->kind == E8_PACE_CONSTANT) || pace->from.den > 0);
}

struct e8_pace_walk e8_pace_begin(const struct e8_pace *pace)
{
    struct e8_pace_walk walk = {.pace = pace, .rng = e8_rng_new(pace->seed)};

    E8_ASSERT(pace->length > 0 && has_rates(pace));
    E8_ASSERT((pace->kind != E8_PACE_SINE && pace->kind != E8_PACE_BURST) || pace->period > 0);
    E8_ASSERT(!pace->poisson || shape_of(pace)->at);
    if (pace->kind == E8_PACE_STEPS) {
        E8_ASSERT(pace->piece_count > 0);
        measure_piece(&walk);
    }
    if (pace->poisson)
        walk.mean = shape_of(pace)->mean(pace);
    else
        walk.count = count_of(pace);
    return walk;
}

/* Arrivals of a process whose rate is 1, on the scale of those that are expected. */
static bool poisson_next(struct e8_pace_walk *walk, e8_dur_ns *due)
{
    const struct e8_pace *pace = walk->pace;

    if (pace->limit && walk->k >= pace->limit)
        return false;
    walk->carried += e8_rng_exp(&walk->rng);
    if (!((long double)walk->carried < walk->mean))
        return false;
    long double at = shape_of(pace)->at(walk, (long double)walk->carried);
    if (!(at < (long double)pace->length))
        return false;
    *due = (e8_dur_ns)at;
    walk->k++;
    return true;
}

bool e8_pace_seek(struct e8_pace_walk *walk, uint64_t k, e8_dur_ns *due)
{
    const struct e8_pace *pace = walk->pace;

    E8_ASSERT(k >= walk->k);
    if (pace->poisson) {
        bool more = true;
        while (more && walk->k <= k)
            more = poisson_next(walk, due);
        return more;
    }
    if (k >= walk->count)
        return false;
    *due = shape_of(pace)->due(walk, k);
    walk->k = k + 1;
    return true;
}

bool e8_pace_next(struct e8_pace_walk *walk, e8_dur_ns *due)
{
    return e8_pace_seek(walk, walk->k, due);
}

uint64_t e8_pace_count(const struct e8_pace *pace)
{
    struct e8_pace_walk walk = e8_pace_begin(pace);
    e8_dur_ns due;

    while (pace->poisson && e8_pace_next(&walk, &due)) {
    }
    return pace->poisson ? walk.k : walk.count;
}

double e8_pace_mean(const struct e8_pace *pace)
{
    return (double)shape_of(pace)->mean(pace);
}
