/* Properties of what measures: hist, stats, pace and the jitter of retries. The seed is new in each run and printed;
 * E8_SEED=N repeats one. The statistical bounds lie many deviations out, so that only a fault crosses them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pace/pace.h"
#include "stats/stats.h"

#define S       E8_NS_S
#define DAY     (86400 * S)
#define SAMPLES 100000

static uint64_t seed;

static struct e8_rng stream(const char *name)
{
    return e8_rng_new(e8_mix(seed, e8_hash_str(e8_str(name))));
}

static int by_value(const void *a, const void *b)
{
    int64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

static int by_double(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* Latencies as they occur: log-normal, two humps, uniform, and few small values. */
static int64_t latency(struct e8_rng *rng, unsigned shape)
{
    switch (shape % 4) {
    case 0:
        return (int64_t)(5e6 * exp(1.5 * e8_rng_normal(rng)));
    case 1:
        return (int64_t)(fabs(e8_rng_unit(rng) < 0.9 ? 1e6 + 1e5 * e8_rng_normal(rng)
                                                     : 2e9 + 3e8 * e8_rng_normal(rng)));
    case 2:
        return e8_rng_range(rng, 0, E8_HIST_MAX);
    }
    return e8_rng_range(rng, 0, 3000);
}

/* Everything that two histograms can be asked for. */
static void assert_same_hist(const struct e8_hist *a, const struct e8_hist *b)
{
    struct e8_buf one, other;

    if (!a || !b) {
        assert_int_equal(a ? e8_hist_count(a) : 0, b ? e8_hist_count(b) : 0);
        return;
    }
    e8_buf_init(&one, 1 << 20);
    e8_buf_init(&other, 1 << 20);
    e8_hist_encode(a, &one);
    e8_hist_encode(b, &other);
    assert_true(e8_str_eq(e8_buf_str(&one), e8_buf_str(&other)));
    assert_int_equal(e8_hist_count(a), e8_hist_count(b));
    assert_int_equal(e8_hist_clamped(a), e8_hist_clamped(b));
    assert_int_equal(e8_hist_min(a), e8_hist_min(b));
    assert_int_equal(e8_hist_max(a), e8_hist_max(b));
    assert_true(e8_hist_mean(a) == e8_hist_mean(b));
    assert_true(e8_hist_stddev(a) == e8_hist_stddev(b));
    e8_buf_fini(&one);
    e8_buf_fini(&other);
}

/* The value of rank ceil(q * n), by sorting; within the 0.1 % that three digits promise. */
static void assert_quantiles(const struct e8_hist *hist, const int64_t *sorted, size_t n)
{
    static const double qs[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

    for (size_t i = 0; i < E8_COUNT(qs); i++) {
        double rank = ceil(qs[i] * (double)n - 1e-6);
        int64_t exact = sorted[rank < 1 ? 0 : (size_t)rank - 1];
        int64_t got = e8_hist_quantile(hist, qs[i]);
        assert_true(got >= exact);
        assert_true((double)(got - exact) <= 0.001 * (double)exact);
    }
    assert_int_equal(e8_hist_quantile(hist, 0), sorted[0]);
    assert_int_equal(e8_hist_quantile(hist, 1), sorted[n - 1]);
}

static void quantiles_are_those_of_a_sorted_array(void **state)
{
    (void)state;
    struct e8_rng rng = stream("quantiles");
    int64_t *values = e8_new(SAMPLES, sizeof(*values));

    for (unsigned round = 0; round < 40; round++) {
        struct e8_hist *hist = e8_hist_new();
        size_t n = round < 8 ? SAMPLES : 1 + e8_rng_below(&rng, 2000);
        for (size_t i = 0; i < n; i++) {
            values[i] = latency(&rng, round);
            e8_hist_record(hist, values[i]);
        }
        qsort(values, n, sizeof(*values), by_value);
        assert_quantiles(hist, values, n);
        for (unsigned i = 0; i < 20; i++) {
            size_t at = e8_rng_below(&rng, n);
            uint64_t upto = e8_hist_count_upto(hist, values[at]);
            assert_true(upto > at && upto <= n);
        }
        e8_hist_free(&hist);
    }
    free(values);
}

static void merged_parts_of_a_histogram_are_the_whole(void **state)
{
    (void)state;
    struct e8_rng rng = stream("hist");

    for (unsigned round = 0; round < 40; round++) {
        struct e8_hist *whole = e8_hist_new(), *merged = e8_hist_new(), *parts[5];
        for (size_t i = 0; i < E8_COUNT(parts); i++)
            parts[i] = e8_hist_new();
        for (uint64_t n = e8_rng_below(&rng, 3000); n; n--) {
            int64_t value = latency(&rng, round) - (e8_rng_below(&rng, 100) ? 0 : 2000);
            e8_hist_record(whole, value);
            e8_hist_record(parts[e8_rng_below(&rng, E8_COUNT(parts))], value);
        }
        for (size_t i = 0; i < E8_COUNT(parts); i++) {
            e8_hist_merge(merged, parts[i]);
            e8_hist_free(&parts[i]);
        }
        assert_same_hist(merged, whole);
        e8_hist_free(&merged);
        e8_hist_free(&whole);
    }
}

static void an_encoded_histogram_decodes_to_itself(void **state)
{
    (void)state;
    struct e8_rng rng = stream("codec");

    for (unsigned round = 0; round < 40; round++) {
        struct e8_hist *hist = e8_hist_new(), *back;
        struct e8_buf one, other;
        for (uint64_t n = e8_rng_below(&rng, 3000); n; n--)
            e8_hist_record(hist, latency(&rng, round));
        e8_buf_init(&one, 1 << 20);
        e8_buf_init(&other, 1 << 20);
        e8_hist_encode(hist, &one);
        assert_int_equal(e8_hist_decode(e8_buf_str(&one), &back, NULL), E8_OK);
        e8_hist_encode(back, &other);
        assert_true(e8_str_eq(e8_buf_str(&one), e8_buf_str(&other)));
        assert_true(fabs(e8_hist_mean(back) - e8_hist_mean(hist)) <= 0.001 * e8_hist_mean(hist));
        e8_buf_fini(&one);
        e8_buf_fini(&other);
        e8_hist_free(&back);
        e8_hist_free(&hist);
    }
}

#define ENDPOINTS 4
#define TYPES     6

static struct e8_attempt any_attempt(struct e8_rng *rng)
{
    struct e8_attempt attempt = {
        .number = (uint16_t)e8_rng_range(rng, 1, 3),
        .copy = (uint16_t)(e8_rng_below(rng, 8) == 0),
        .verdict = (uint8_t)(e8_rng_below(rng, 2) * e8_rng_below(rng, E8_EXPECTATION_REPORTED + 1)),
        .endpoint = (uint16_t)e8_rng_below(rng, ENDPOINTS),
        .type = (uint16_t)e8_rng_below(rng, TYPES),
        .outcome = (uint8_t)e8_rng_below(rng, E8_OUTCOME_COUNT),
        .trigger = (uint8_t)e8_rng_below(rng, E8_TRIGGER_COUNT),
        .flags = (uint16_t)e8_rng_below(rng, 1 << E8_FLAG_COUNT),
        .status = (int16_t)e8_rng_range(rng, -5, 700),
        .last = e8_rng_below(rng, 2),
        .phases = {.connect = e8_rng_range(rng, -1, 0),
                   .tls = e8_rng_range(rng, -1, 0),
                   .total = e8_rng_range(rng, -1, 2 * S)},
        .bytes_sent = e8_rng_below(rng, 3) * 500,
        .bytes_received = e8_rng_below(rng, 1000),
    };
    attempt.times.due = e8_rng_range(rng, -1000, 1000) * (e8_rng_below(rng, 100) ? S / 50 : S);
    attempt.times.sent = attempt.times.due + e8_rng_range(rng, 0, 1000000);
    attempt.times.done = attempt.times.sent + latency(rng, (unsigned)e8_rng_below(rng, 4));
    if (e8_rng_below(rng, 2))
        snprintf(attempt.error, sizeof(attempt.error), "error %u", (unsigned)e8_rng_below(rng, 1000));
    return attempt;
}

/* The same happening, recorded in both. */
static void record_any(struct e8_rng *rng, struct e8_stats *whole, struct e8_stats *part)
{
    struct e8_attempt attempt = any_attempt(rng);
    struct e8_stats *both[] = {whole, part};
    uint64_t what = e8_rng_below(rng, 10);

    for (size_t i = 0; i < E8_COUNT(both); i++) {
        if (what == 0)
            e8_stats_event(both[i], attempt.type);
        else if (what == 1)
            e8_stats_planned(both[i], attempt.endpoint, attempt.type);
        else if (what == 2)
            e8_stats_dropped(both[i], attempt.endpoint, attempt.type);
        else if (what == 3)
            e8_stats_aborted(both[i], attempt.endpoint, attempt.type);
        else
            e8_stats_add(both[i], &attempt);
    }
}

static void assert_same_tally(const struct e8_tally *a, const struct e8_tally *b)
{
    assert_memory_equal(&a->n, &b->n, sizeof(a->n));
    assert_memory_equal(&a->span, &b->span, sizeof(a->span));
    assert_same_hist(a->response, b->response);
    assert_same_hist(a->service, b->service);
    assert_same_hist(a->lag, b->lag);
}

static void assert_same_series(const struct e8_series *a, const struct e8_series *b)
{
    assert_int_equal(a->count, b->count);
    if (a->count == 0)
        return;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->first, b->first);
    assert_memory_equal(a->slices, b->slices, a->count * sizeof(a->slices[0]));
}

static void assert_same_stats(const struct e8_stats *a, const struct e8_stats *b)
{
    assert_memory_equal(e8_stats_pacing(a), e8_stats_pacing(b), sizeof(struct e8_pacing));
    assert_same_series(e8_stats_series(a), e8_stats_series(b));
    assert_same_tally(e8_stats_all(a), e8_stats_all(b));
    assert_memory_equal(e8_stats_statuses(a), e8_stats_statuses(b), E8_STATUSES * sizeof(uint64_t));
    for (unsigned i = 0; i < TYPES; i++)
        assert_same_tally(e8_stats_type(a, i), e8_stats_type(b, i));
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        assert_same_tally(e8_stats_endpoint(a, i), e8_stats_endpoint(b, i));
        for (unsigned o = 0; o < E8_OUTCOME_COUNT; o++)
            assert_string_equal(e8_stats_sample(a, i, (enum e8_outcome)o),
                                e8_stats_sample(b, i, (enum e8_outcome)o));
    }
}

static void merged_parts_of_stats_are_the_whole(void **state)
{
    (void)state;
    struct e8_rng rng = stream("stats");
    struct e8_stats *whole = e8_stats_new(ENDPOINTS, TYPES), *merged = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_stats *parts[4];

    for (size_t i = 0; i < E8_COUNT(parts); i++)
        parts[i] = e8_stats_new(ENDPOINTS, TYPES);
    for (unsigned round = 0; round < 12; round++) {
        e8_stats_reset(whole);
        e8_stats_reset(merged);
        for (uint64_t n = e8_rng_below(&rng, 500); n; n--)
            record_any(&rng, whole, parts[e8_rng_below(&rng, E8_COUNT(parts))]);
        for (size_t i = 0, first = round; i < E8_COUNT(parts); i++) {
            e8_stats_merge(merged, parts[(i + first) % E8_COUNT(parts)]);
            e8_stats_reset(parts[(i + first) % E8_COUNT(parts)]);
        }
        assert_same_stats(merged, whole);
    }
    for (size_t i = 0; i < E8_COUNT(parts); i++)
        e8_stats_free(&parts[i]);
    e8_stats_free(&merged);
    e8_stats_free(&whole);
}

static struct e8_stats *written_and_read(const struct e8_stats *stats, e8_dur_ns shift)
{
    struct e8_stats *back;
    struct e8_doc *doc;
    struct e8_buf text;

    e8_buf_init(&text, 1 << 20);
    struct e8_json w = e8_json_new(&text, 0);
    e8_stats_put(stats, shift, &w, NULL);
    assert_int_equal(e8_doc_parse("stats", e8_buf_str(&text), E8_DOC_JSON, &doc, NULL), E8_OK);
    assert_int_equal(e8_stats_get(e8_doc_root(doc), ENDPOINTS + 1, TYPES, &back, NULL), E8_INPUT);
    assert_null(back);
    assert_int_equal(e8_stats_get(e8_doc_root(doc), ENDPOINTS, TYPES, &back, NULL), E8_OK);
    e8_doc_free(&doc);
    e8_buf_fini(&text);
    return back;
}

/* As shards do it: each is written, read, and merged with the others. Slices move by whole ones, so that their series is the same where
 * a shift is a multiple of their width; here of the widest. */
static void stats_are_exact_through_their_text(void **state)
{
    enum { WIDE = 65536 };
    (void)state;
    struct e8_rng rng = stream("codec");
    struct e8_stats *whole = e8_stats_new(ENDPOINTS, TYPES), *merged = e8_stats_new(ENDPOINTS, TYPES);

    for (unsigned round = 0; round < 12; round++) {
        struct e8_stats *part = e8_stats_new(ENDPOINTS, TYPES);
        for (uint64_t n = e8_rng_below(&rng, 300); n; n--)
            record_any(&rng, whole, part);
        struct e8_stats *moved = written_and_read(part, 2 * WIDE * E8_SLICE); /* times must not be negative */
        struct e8_stats *back = written_and_read(moved, -WIDE * E8_SLICE);
        e8_stats_merge(merged, back);
        e8_stats_free(&back);
        e8_stats_free(&moved);
        e8_stats_free(&part);
    }
    struct e8_stats *expected = written_and_read(whole, WIDE * E8_SLICE);
    assert_same_stats(merged, expected);
    e8_stats_free(&expected);
    e8_stats_free(&merged);
    e8_stats_free(&whole);
}

/* Totals are the sums of their parts, by endpoint as by type. */
static void groups_sum_up_to_the_total(void **state)
{
    (void)state;
    struct e8_rng rng = stream("groups");
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES), *unused = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_hist *by_endpoint = e8_hist_new(), *by_type = e8_hist_new();
    uint64_t statuses = 0, endpoints = 0, types = 0;

    for (unsigned i = 0; i < 2000; i++)
        record_any(&rng, stats, unused);
    const struct e8_tally *all = e8_stats_all(stats);
    for (unsigned i = 0; i < E8_STATUSES; i++)
        statuses += e8_stats_statuses(stats)[i];
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        endpoints += e8_stats_endpoint(stats, i)->n.delivered;
        e8_hist_merge(by_endpoint, e8_stats_endpoint(stats, i)->response);
    }
    for (unsigned i = 0; i < TYPES; i++) {
        types += e8_stats_type(stats, i)->n.delivered;
        e8_hist_merge(by_type, e8_stats_type(stats, i)->response);
    }
    assert_int_equal(statuses, all->n.attempts);
    assert_int_equal(endpoints, all->n.delivered);
    assert_int_equal(types, all->n.delivered);
    assert_same_hist(by_endpoint, all->response);
    assert_same_hist(by_type, all->response);
    e8_hist_free(&by_endpoint);
    e8_hist_free(&by_type);
    e8_stats_free(&stats);
    e8_stats_free(&unused);
}

/* The denominators of the units that users write, then two that no unit has. */
static const uint64_t dens[] = {1000000,        1000000000, 60000000000, 3600000000000,
                                10000000000000, 7777777777, 999999937};
enum { USUAL_DENS = 5, ALL_DENS = 7 };

/* Up to `most` per second. */
static struct e8_rate any_rate(struct e8_rng *rng, unsigned among, uint64_t most)
{
    uint64_t den = dens[e8_rng_below(rng, among)];

    return (struct e8_rate){1 + e8_rng_below(rng, most * den / 1000000000 + 1), den};
}

/* due = floor(k * den / num), and the count is what fits: with whole numbers, no rounding is allowed. */
static void constant_rates_are_exact_over_a_day(void **state)
{
    (void)state;
    struct e8_rng rng = stream("constant");
    __extension__ typedef unsigned __int128 wide;

    for (unsigned round = 0; round < 200; round++) {
        struct e8_pace pace = {
            .kind = E8_PACE_CONSTANT, .from = any_rate(&rng, ALL_DENS, 20000), .length = DAY};
        uint64_t num = pace.from.num, den = pace.from.den, count = e8_pace_count(&pace);
        struct e8_pace_walk walker = e8_pace_begin(&pace);
        e8_dur_ns due;

        assert_true((wide)(count - 1) * den < (wide)DAY * num && (wide)count * den >= (wide)DAY * num);
        for (unsigned i = 0; i < 500; i++) {
            uint64_t k = walker.k = i ? e8_rng_below(&rng, count) : count - 1;
            assert_true(e8_pace_next(&walker, &due));
            assert_true((wide)due * num <= (wide)k * den && (wide)(due + 1) * num > (wide)k * den);
        }
        walker.k = count;
        assert_false(e8_pace_next(&walker, &due));
    }
}

/* 10/s for a day, walked: 864,000 arrivals, ten in each second. */
static void a_whole_day_has_ten_in_each_second(void **state)
{
    (void)state;
    struct e8_pace pace = {.kind = E8_PACE_CONSTANT, .from = {10, 1000000000}, .length = DAY};
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;
    int64_t k = 0;

    for (; e8_pace_next(&walker, &due); k++)
        assert_int_equal(due / S, k / 10);
    assert_int_equal(k, 864000);
}

/* Arrivals by the time t; the long double has digits enough for the differences looked at. */
static long double ramp_integral(const struct e8_pace *pace, e8_dur_ns t)
{
    long double from = (long double)pace->from.num / (long double)pace->from.den;
    long double to = (long double)pace->to.num / (long double)pace->to.den;
    long double at = (long double)t;

    return from * at + (to - from) * at * at / (2 * (long double)pace->length);
}

static void ramps_follow_their_integral(void **state)
{
    (void)state;
    struct e8_rng rng = stream("ramp");

    for (unsigned round = 0; round < 300; round++) {
        struct e8_pace pace = {.kind = E8_PACE_RAMP,
                               .from = any_rate(&rng, USUAL_DENS, 5000),
                               .to = any_rate(&rng, USUAL_DENS, 5000)};
        pace.length = 1 + (e8_dur_ns)(e8_rng_below(&rng, DAY) >> e8_rng_below(&rng, 40));
        struct e8_pace_walk walker = e8_pace_begin(&pace);
        uint64_t count = e8_pace_count(&pace);
        long double all = ramp_integral(&pace, pace.length);
        assert_true(count >= 1 && (long double)count >= all - 1e-6L && (long double)count <= all + 1 + 1e-6L);
        for (unsigned i = 0; i < 100; i++) {
            e8_dur_ns due;
            uint64_t k = walker.k = i ? e8_rng_below(&rng, count) : count - 1;
            assert_true(e8_pace_next(&walker, &due));
            assert_true(due >= 0 && due < pace.length);
            assert_true(ramp_integral(&pace, due) <= (long double)k + 1e-6L);
            assert_true(ramp_integral(&pace, due + 1) >= (long double)k - 1e-6L);
        }
    }
}

enum { PIECES = 5 };

/* Of every kind, those with a rate also as Poisson. */
static struct e8_pace any_pace(struct e8_rng *rng, unsigned round, struct e8_pace_piece pieces[PIECES])
{
    for (size_t i = 0; i < PIECES; i++) {
        pieces[i] = (struct e8_pace_piece){any_rate(rng, ALL_DENS, 2000), any_rate(rng, ALL_DENS, 2000), 0};
        pieces[i].length = 1 + (e8_dur_ns)e8_rng_below(rng, 10 * S);
        pieces[i].to = i % 2 ? pieces[i].from : pieces[i].to;
    }
    enum e8_pace_kind kind = (enum e8_pace_kind)(round % (E8_PACE_BURST + 1));
    struct e8_pace pace = {
        .kind = kind,
        .poisson = kind != E8_PACE_BURST && round / (E8_PACE_BURST + 1) % 2,
        .period = 1 + (e8_dur_ns)e8_rng_below(rng, 100 * S),
        .burst = 1 + e8_rng_below(rng, 1000),
        .pieces = pieces,
        .piece_count = PIECES,
        .from = any_rate(rng, ALL_DENS, 200000),
        .to = any_rate(rng, ALL_DENS, 200000),
        .length = 1 + (e8_dur_ns)e8_rng_below(rng, 1000 * S),
        .limit = 20000,
        .seed = e8_rng_next(rng),
    };
    if (kind == E8_PACE_STEPS) {
        pace.length = 0;
        for (size_t i = 0; i < PIECES; i++)
            pace.length += pieces[i].length;
    }
    return pace;
}

static void arrivals_never_go_back(void **state)
{
    (void)state;
    struct e8_rng rng = stream("order");
    struct e8_pace_piece pieces[PIECES];

    for (unsigned round = 0; round < 120; round++) {
        struct e8_pace pace = any_pace(&rng, round, pieces);
        struct e8_pace_walk walker = e8_pace_begin(&pace);
        e8_dur_ns due, last = 0;
        uint64_t count = 0;
        for (; e8_pace_next(&walker, &due); count++, last = due) {
            assert_true(due >= last);
            assert_true(due < pace.length);
        }
        assert_int_equal(count, e8_pace_count(&pace));
    }
}

/* Kolmogorov and Smirnov's distance of sorted shares, each the distribution function at its sample. */
static double ks_distance(const double *shares, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++) {
        most = fmax(most, (double)(i + 1) / (double)n - shares[i]);
        most = fmax(most, shares[i] - (double)i / (double)n);
    }
    return most;
}

/* Sample gaps of a Poisson schedule of 1,000/s. */
static int64_t *poisson_gaps(size_t n)
{
    struct e8_pace pace = {.poisson = true, .from = {1000, 1000000000}, .length = DAY, .seed = seed};
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    int64_t *gaps = e8_new(n, sizeof(*gaps));
    e8_dur_ns due, last = 0;

    for (size_t i = 0; i < n; i++, last = due) {
        assert_true(e8_pace_next(&walker, &due));
        gaps[i] = due - last;
    }
    return gaps;
}

static void poisson_gaps_are_exponential_and_independent(void **state)
{
    (void)state;
    int64_t *gaps = poisson_gaps(SAMPLES);
    double *shares = e8_new(SAMPLES, sizeof(*shares)), product = 0;

    for (size_t i = 1; i < SAMPLES; i++)
        product += ((double)gaps[i] / 1e6 - 1) * ((double)gaps[i - 1] / 1e6 - 1);
    assert_true(fabs(product / (SAMPLES - 1)) < 0.02); /* the variance is 1 */

    qsort(gaps, SAMPLES, sizeof(*gaps), by_value);
    for (size_t i = 0; i < SAMPLES; i++)
        shares[i] = -expm1(-(double)gaps[i] / 1e6);
    double distance = ks_distance(shares, SAMPLES);
    print_message("distance to the exponential %.4f\n", distance);
    assert_true(distance <= 0.02);
    free(shares);
    free(gaps);
}

/* Variance over mean of the counts in windows: 1 for a Poisson process. */
static void poisson_counts_have_an_index_of_dispersion_of_one(void **state)
{
    (void)state;
    enum { WINDOWS = 20000, PER_WINDOW = 10 };
    struct e8_pace pace = {.poisson = true, .from = {PER_WINDOW, 1000000000}, .length = WINDOWS * S};
    double *counts = e8_new(WINDOWS, sizeof(*counts)), sum = 0, squares = 0;
    e8_dur_ns due;

    pace.seed = e8_mix(seed, 1);
    for (struct e8_pace_walk walker = e8_pace_begin(&pace); e8_pace_next(&walker, &due);)
        counts[due / S]++;
    for (size_t i = 0; i < WINDOWS; i++) {
        sum += counts[i];
        squares += counts[i] * counts[i];
    }
    double mean = sum / WINDOWS, index = (squares / WINDOWS - mean * mean) / mean;
    print_message("mean %.3f, index of dispersion %.3f\n", mean, index);
    assert_true(fabs(mean - PER_WINDOW) < 0.2);
    assert_true(index >= 0.9 && index <= 1.1);
    free(counts);
}

/* Two walks over the same schedule, one of which passes over what the other takes, as workers do. */
static void arrivals_that_are_passed_over_change_nothing(void **state)
{
    (void)state;
    struct e8_rng rng = stream("seek");
    struct e8_pace_piece pieces[PIECES];

    for (unsigned round = 0; round < 60; round++) {
        struct e8_pace pace = any_pace(&rng, round, pieces);
        struct e8_pace_walk one = e8_pace_begin(&pace), other = e8_pace_begin(&pace);
        uint64_t stride = 1 + e8_rng_below(&rng, 9), next = e8_rng_below(&rng, stride);
        e8_dur_ns due, same;
        for (uint64_t k = 0; e8_pace_next(&one, &due); k++) {
            if (k == next) {
                assert_true(e8_pace_seek(&other, k, &same));
                assert_int_equal(same, due);
                next += stride;
            }
        }
        assert_false(e8_pace_seek(&other, next, &same));
    }
}

/* By the time t of a sine, from its formula. */
static long double sine_integral(const struct e8_pace *pace, e8_dur_ns t)
{
    long double from = (long double)pace->from.num / (long double)pace->from.den;
    long double to = (long double)pace->to.num / (long double)pace->to.den;
    long double turn = 2 * acosl(-1.0L) / (long double)pace->period;

    return (from + to) / 2 * (long double)t - (to - from) / 2 / turn * sinl(turn * (long double)t);
}

static void sines_follow_their_integral(void **state)
{
    (void)state;
    struct e8_rng rng = stream("sine");

    for (unsigned round = 0; round < 200; round++) {
        struct e8_pace pace = {.kind = E8_PACE_SINE,
                               .from = any_rate(&rng, USUAL_DENS, 5000),
                               .to = any_rate(&rng, USUAL_DENS, 5000),
                               .period = S + (e8_dur_ns)e8_rng_below(&rng, 100 * S)};
        pace.from.num = round % 5 ? pace.from.num : 0;
        pace.length = 1 + (e8_dur_ns)e8_rng_below(&rng, 3600 * S);
        uint64_t count = e8_pace_count(&pace);
        long double all = sine_integral(&pace, pace.length);
        assert_true((long double)count >= all - 1e-5L && (long double)count <= all + 1 + 1e-5L);
        for (unsigned i = 0; i < 50 && count; i++) {
            struct e8_pace_walk walker = e8_pace_begin(&pace);
            uint64_t k = i ? e8_rng_below(&rng, count) : count - 1;
            e8_dur_ns due;
            assert_true(e8_pace_seek(&walker, k, &due));
            assert_true(due >= 0 && due < pace.length);
            assert_true(sine_integral(&pace, due) <= (long double)k + 1e-5L);
            assert_true(sine_integral(&pace, due + 1) >= (long double)k - 1e-5L);
        }
    }
}

/* A Poisson process with a rate that changes is one of rate 1 on the scale of what is expected: the same gaps, drawn once. */
static void poisson_follows_a_rate_that_changes(void **state)
{
    (void)state;
    const struct e8_pace_piece pieces[] = {{{0, S}, {2000, S}, 50 * S}, {{1000, S}, {1000, S}, 50 * S}};
    struct e8_pace pace = {
        .kind = E8_PACE_STEPS, .poisson = true, .length = 100 * S, .pieces = pieces, .piece_count = 2};
    double *shares = e8_new(SAMPLES * 2, sizeof(*shares)), last = 0;
    size_t n = 0;
    e8_dur_ns due;

    pace.seed = seed;
    for (struct e8_pace_walk walker = e8_pace_begin(&pace); e8_pace_next(&walker, &due); n++) {
        double t = (double)due / 1e9, mean = t < 50 ? 20 * t * t : 50000 + 1000 * (t - 50);
        assert_true(n < (size_t)SAMPLES * 2);
        shares[n] = -expm1(last - mean);
        last = mean;
    }
    assert_true(fabs((double)n - 100000) < 12 * sqrt(100000));
    qsort(shares, n, sizeof(*shares), by_double);
    double distance = ks_distance(shares, n);
    print_message("distance to the exponential %.4f\n", distance);
    assert_true(distance <= 0.02);
    free(shares);
}

static double jitter_distance(const struct e8_retry_policy *policy, e8_dur_ns low, e8_dur_ns high)
{
    struct e8_rng rng = stream("jitter");
    int64_t *waits = e8_new(SAMPLES, sizeof(*waits));
    double *shares = e8_new(SAMPLES, sizeof(*shares));

    for (size_t i = 0; i < SAMPLES; i++) {
        waits[i] = e8_retry_wait(policy, 4, -1, &rng);
        assert_true(waits[i] >= low && waits[i] <= high);
    }
    qsort(waits, SAMPLES, sizeof(*waits), by_value);
    for (size_t i = 0; i < SAMPLES; i++)
        shares[i] = (double)(waits[i] - low) / (double)(high - low);
    double distance = ks_distance(shares, SAMPLES);
    free(waits);
    free(shares);
    return distance;
}

static void jitter_is_uniform(void **state)
{
    (void)state;
    struct e8_retry_policy policy = {.attempts = 5, .base = S, .factor = 2, .cap = 60 * S};

    policy.jitter = E8_JITTER_FULL;
    assert_true(jitter_distance(&policy, 0, 4 * S) <= 0.01);
    policy.jitter = E8_JITTER_EQUAL;
    assert_true(jitter_distance(&policy, 2 * S, 4 * S) <= 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_a_sorted_array),
        cmocka_unit_test(merged_parts_of_a_histogram_are_the_whole),
        cmocka_unit_test(an_encoded_histogram_decodes_to_itself),
        cmocka_unit_test(merged_parts_of_stats_are_the_whole),
        cmocka_unit_test(stats_are_exact_through_their_text),
        cmocka_unit_test(groups_sum_up_to_the_total),
        cmocka_unit_test(constant_rates_are_exact_over_a_day),
        cmocka_unit_test(a_whole_day_has_ten_in_each_second),
        cmocka_unit_test(ramps_follow_their_integral),
        cmocka_unit_test(sines_follow_their_integral),
        cmocka_unit_test(arrivals_that_are_passed_over_change_nothing),
        cmocka_unit_test(poisson_follows_a_rate_that_changes),
        cmocka_unit_test(arrivals_never_go_back),
        cmocka_unit_test(poisson_gaps_are_exponential_and_independent),
        cmocka_unit_test(poisson_counts_have_an_index_of_dispersion_of_one),
        cmocka_unit_test(jitter_is_uniform),
    };
    const char *given = getenv("E8_SEED");

    if (!given || !e8_parse_u64(e8_str(given), &seed))
        seed = (uint64_t)e8_wall_now();
    printf("E8_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
