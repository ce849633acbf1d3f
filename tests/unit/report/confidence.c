#include "report/confidence.h"

#include <math.h>

#include "sample.h"

/* Of how many sets of random samples the interval holds what is true: near 99 of 100, and never far below. */
static double held_share(double q, unsigned samples, unsigned sets)
{
    struct e8_hist *hist = e8_hist_new();
    uint64_t state = 88172645463325252U;
    unsigned held = 0;
    for (unsigned s = 0; s < sets; s++) {
        e8_hist_reset(hist);
        for (unsigned i = 0; i < samples; i++) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            e8_hist_record(hist, (int64_t)(state % 1000000000) + 1);
        }
        struct e8_range range = e8_range_of_quantile(hist, q);
        held += range.low <= q * 1e9 && q * 1e9 <= range.high;
    }
    e8_hist_free(&hist);
    return (double)held / sets;
}

static void a_percentile_lies_within_its_range(void **state)
{
    (void)state;
    assert_true(held_share(0.5, 400, 1000) >= 0.98);
    assert_true(held_share(0.9, 400, 1000) >= 0.98);
    assert_true(held_share(0.99, 2000, 300) >= 0.97);
}

static void more_samples_say_more(void **state)
{
    (void)state;
    struct e8_hist *few = e8_hist_new(), *many = e8_hist_new();
    for (int i = 1; i <= 10000; i++)
        e8_hist_record(many, i * E8_NS_MS);
    for (int i = 1; i <= 100; i++)
        e8_hist_record(few, (int64_t)i * 100 * E8_NS_MS);
    struct e8_range wide = e8_range_of_quantile(few, 0.5), narrow = e8_range_of_quantile(many, 0.5);
    /* Ranks 50 -+ 12.9 and 5000 -+ 128.8, and one more above. */
    assert_true(fabs(wide.low / 3700e6 - 1) < 0.003 && fabs(wide.high / 6400e6 - 1) < 0.003);
    assert_true(fabs(narrow.low / 4871e6 - 1) < 0.003 && fabs(narrow.high / 5130e6 - 1) < 0.003);
    e8_hist_free(&few);
    e8_hist_free(&many);
}

static void what_the_samples_do_not_bound_is_open(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    for (int i = 1; i <= 100; i++)
        e8_hist_record(hist, i * E8_NS_MS);
    struct e8_range range = e8_range_of_quantile(hist, 0.999);
    assert_true(isinf(range.high) && range.low > 0 && range.low <= 100e6);
    range = e8_range_of_quantile(hist, 0.001);
    assert_true(range.low <= 0 && range.high < 100e6);
    range = e8_range_of_quantile(NULL, 0.5);
    assert_true(range.low <= 0 && isinf(range.high));
    e8_hist_free(&hist);
}

/* Of 0 of n, Wilson's interval ends at z^2 / (n + z^2). */
static void shares_have_wilsons_interval(void **state)
{
    (void)state;
    struct e8_range range = e8_range_of_share(0, 100);
    assert_true(range.low <= 0 && fabs(range.high - 0.062221) < 1e-5);
    range = e8_range_of_share(100, 100);
    assert_true(range.high >= 1 && fabs(range.low - 0.937779) < 1e-5);
    range = e8_range_of_share(50, 100);
    assert_true(fabs(range.low - 0.375282) < 1e-4 && fabs(range.high - 0.624718) < 1e-4);
    range = e8_range_of_share(0, 0);
    assert_true(range.low <= 0 && range.high >= 1);
}

static void rates_and_changes(void **state)
{
    (void)state;
    struct e8_range a = e8_range_of_rate(100, 10000), b = {190, 220};
    assert_true(fabs(a.low - 97.4242) < 1e-3 && fabs(a.high - 102.5758) < 1e-3);
    assert_true(isinf(e8_range_of_rate(5, 0).high));
    struct e8_range change = e8_range_of_change(100, (struct e8_range){97, 104}, 200, b);
    assert_true(fabs(change.low - (100 - hypot(10, 4))) < 1e-9);
    assert_true(fabs(change.high - (100 + hypot(20, 3))) < 1e-9);
}

const struct CMUnitTest confidence_tests[] = {
    cmocka_unit_test(a_percentile_lies_within_its_range),
    cmocka_unit_test(more_samples_say_more),
    cmocka_unit_test(what_the_samples_do_not_bound_is_open),
    cmocka_unit_test(shares_have_wilsons_interval),
    cmocka_unit_test(rates_and_changes),
};
const size_t confidence_count = E8_COUNT(confidence_tests);
