#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "hist/layout.h"

void record_many(struct e8_hist *hist, int64_t value, uint64_t count)
{
    struct e8_hist *power = e8_hist_new(), *twice = e8_hist_new();

    e8_hist_record(power, value);
    for (; count; count >>= 1) {
        if (count & 1)
            e8_hist_merge(hist, power);
        e8_hist_reset(twice);
        e8_hist_merge(twice, power);
        e8_hist_merge(twice, power);
        struct e8_hist *swap = power;
        power = twice;
        twice = swap;
    }
    e8_hist_free(&power);
    e8_hist_free(&twice);
}

bool same_slots(const struct e8_hist *a, const struct e8_hist *b)
{
    return a->count == b->count && memcmp(a->slots, b->slots, sizeof(a->slots)) == 0;
}

static void an_empty_one_is_all_zero(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    assert_int_equal(e8_hist_count(hist), 0);
    assert_int_equal(e8_hist_clamped(hist), 0);
    assert_int_equal(e8_hist_min(hist), 0);
    assert_int_equal(e8_hist_max(hist), 0);
    assert_int_equal(e8_hist_quantile(hist, 0.5), 0);
    assert_int_equal(e8_hist_quantile(hist, 1), 0);
    assert_int_equal(e8_hist_count_upto(hist, INT64_MAX), 0);
    assert_true(e8_hist_mean(hist) == 0);
    assert_true(e8_hist_stddev(hist) == 0);
    assert_false(e8_hist_supports(hist, 0));
    e8_hist_free(&hist);
    assert_null(hist);
    e8_hist_free(&hist);
}

static void one_value_is_every_quantile(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, 2047, 2048, 123456789, 999999999999, E8_HIST_MAX};
    for (size_t i = 0; i < E8_COUNT(values); i++) {
        struct e8_hist *hist = e8_hist_new();
        e8_hist_record(hist, values[i]);
        for (double q = 0; q <= 1; q += 0.125)
            assert_int_equal(e8_hist_quantile(hist, q), values[i]);
        assert_int_equal(e8_hist_clamped(hist), 0);
        assert_true(e8_hist_mean(hist) == (double)values[i]);
        assert_true(e8_hist_stddev(hist) == 0);
        e8_hist_free(&hist);
    }
}

static void quantiles_have_exact_ranks(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    for (int64_t value = 1000; value > 0; value--)
        e8_hist_record(hist, value);
    for (int64_t i = 1; i <= 1000; i++)
        assert_int_equal(e8_hist_quantile(hist, (double)i / 1000), i);
    assert_int_equal(e8_hist_quantile(hist, 0), 1);
    assert_int_equal(e8_hist_quantile(hist, -1), 1);
    assert_int_equal(e8_hist_quantile(hist, 2), 1000);
    assert_int_equal(e8_hist_quantile(hist, 0.9901), 991);
    assert_int_equal(e8_hist_quantile(hist, (double)NAN), 1);
    e8_hist_free(&hist);
}

/* 0.07 * 100 is 7.000000000000001 in binary. */
static void ranks_do_not_suffer_from_binary_fractions(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    for (int64_t value = 1; value <= 100; value++)
        e8_hist_record(hist, value);
    for (int64_t i = 1; i <= 100; i++)
        assert_int_equal(e8_hist_quantile(hist, 0.01 * (double)i), i);
    assert_int_equal(e8_hist_quantile(hist, 0.07), 7);
    e8_hist_free(&hist);
}

static void the_ends_are_exact(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    e8_hist_record(hist, 1000000007);
    e8_hist_record(hist, 2000000011);
    e8_hist_record(hist, 3000000019);
    assert_int_equal(e8_hist_min(hist), 1000000007);
    assert_int_equal(e8_hist_max(hist), 3000000019);
    assert_int_equal(e8_hist_quantile(hist, 0), 1000000007);
    assert_int_equal(e8_hist_quantile(hist, 1), 3000000019);
    assert_in_range(e8_hist_quantile(hist, 0.5), 2000000011, 2000000011 + 2000000011 / 1000);
    assert_true(e8_hist_mean(hist) == 6000000037.0 / 3);
    e8_hist_free(&hist);
}

static void what_is_past_the_range_is_clamped_and_counted(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    e8_hist_record(hist, -1);
    e8_hist_record(hist, INT64_MIN);
    e8_hist_record(hist, E8_HIST_MAX);
    e8_hist_record(hist, E8_HIST_MAX + 1);
    e8_hist_record(hist, INT64_MAX);
    assert_int_equal(e8_hist_count(hist), 5);
    assert_int_equal(e8_hist_clamped(hist), 4);
    assert_int_equal(e8_hist_min(hist), 0);
    assert_int_equal(e8_hist_max(hist), E8_HIST_MAX);
    assert_int_equal(e8_hist_count_upto(hist, 0), 2);
    assert_int_equal(e8_hist_count_upto(hist, -1), 0);
    assert_int_equal(e8_hist_count_upto(hist, E8_HIST_MAX), 5);
    e8_hist_free(&hist);
}

static void deviation_is_that_of_the_values(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    const int64_t values[] = {2, 4, 4, 4, 5, 5, 7, 9};
    for (size_t i = 0; i < E8_COUNT(values); i++)
        e8_hist_record(hist, values[i] * E8_NS_S);
    assert_true(e8_hist_mean(hist) == 5e9);
    assert_true(fabs(e8_hist_stddev(hist) - 2e9) < 1);
    e8_hist_free(&hist);
}

/* Many large values: neither the sum nor the sum of squares overflows. */
static void many_large_values_do_not_overflow(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    record_many(hist, E8_HIST_MAX, (uint64_t)1 << 43);
    record_many(hist, 0, (uint64_t)1 << 43);
    assert_int_equal(e8_hist_count(hist), (uint64_t)1 << 44);
    assert_true(e8_hist_mean(hist) == (double)E8_HIST_MAX / 2);
    assert_true(fabs(e8_hist_stddev(hist) - (double)E8_HIST_MAX / 2) < 1);
    e8_hist_free(&hist);
}

static void count_upto_counts_what_is_not_above(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    for (int64_t ms = 1; ms <= 100; ms++)
        e8_hist_record(hist, ms * E8_NS_MS);
    assert_int_equal(e8_hist_count_upto(hist, 0), 0);
    assert_int_equal(e8_hist_count_upto(hist, E8_NS_MS / 2), 0);
    assert_int_equal(e8_hist_count_upto(hist, 50 * E8_NS_MS), 50);
    assert_int_equal(e8_hist_count_upto(hist, 50500 * E8_NS_US), 50);
    assert_int_equal(e8_hist_count_upto(hist, 100 * E8_NS_MS), 100);
    assert_int_equal(e8_hist_count_upto(hist, INT64_MAX), 100);
    e8_hist_free(&hist);
}

static bool supports(uint64_t count, double q)
{
    struct e8_hist *hist = e8_hist_new();
    record_many(hist, 5, count);
    bool does = e8_hist_supports(hist, q);
    e8_hist_free(&hist);
    return does;
}

static void a_quantile_needs_100_values_beyond_it(void **state)
{
    (void)state;
    assert_false(supports(9999, 0.99));
    assert_true(supports(10000, 0.99));
    assert_false(supports(99999, 0.999));
    assert_true(supports(100000, 0.999));
    assert_false(supports(999999, 0.9999));
    assert_true(supports(1000000, 0.9999));
    assert_false(supports(199, 0.5));
    assert_true(supports(200, 0.5));
    assert_false(supports(1000000, 1));
}

static void a_reset_one_is_as_new(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new(), *fresh = e8_hist_new();
    for (unsigned round = 0; round < 3; round++) {
        e8_hist_record(hist, -5);
        e8_hist_record(hist, 77 * E8_NS_MS);
        e8_hist_record(hist, INT64_MAX);
        e8_hist_reset(hist);
        assert_int_equal(e8_hist_clamped(hist), 0);
        assert_true(same_slots(hist, fresh));
    }
    e8_hist_record(hist, 3);
    assert_int_equal(e8_hist_quantile(hist, 1), 3);
    assert_int_equal(e8_hist_min(hist), 3);
    assert_true(e8_hist_mean(hist) == 3);
    e8_hist_free(&hist);
    e8_hist_free(&fresh);
}

static void merging_adds(void **state)
{
    (void)state;
    struct e8_hist *a = e8_hist_new(), *b = e8_hist_new();
    e8_hist_merge(a, b);
    assert_int_equal(e8_hist_count(a), 0);
    e8_hist_record(a, 5000);
    e8_hist_merge(a, b);
    assert_int_equal(e8_hist_min(a), 5000); /* an empty one has no minimum of 0 */
    e8_hist_record(b, 7000);
    e8_hist_record(b, -1);
    e8_hist_merge(a, b);
    assert_int_equal(e8_hist_count(a), 3);
    assert_int_equal(e8_hist_clamped(a), 1);
    assert_int_equal(e8_hist_min(a), 0);
    assert_int_equal(e8_hist_max(a), 7000);
    assert_true(e8_hist_mean(a) == 4000);
    assert_int_equal(e8_hist_count(b), 2);
    e8_hist_free(&a);
    e8_hist_free(&b);
}

/* As if what came since had been recorded alone, within the resolution. */
static void quantiles_of_what_came_since(void **state)
{
    (void)state;
    static const double qs[] = {0.001, 0.1, 0.5, 0.9, 0.99, 0.999};
    struct e8_rng rng = e8_rng_new(11);
    struct e8_hist *all = e8_hist_new(), *before = e8_hist_new(), *since = e8_hist_new();
    assert_int_equal(e8_hist_quantile_since(all, before, 0.5), 0);
    for (int i = 0; i < 5000; i++)
        e8_hist_record(all, e8_rng_range(&rng, 1, 1000000));
    assert_int_equal(e8_hist_quantile_since(all, NULL, 0.5), e8_hist_quantile(all, 0.5));
    assert_int_equal(e8_hist_quantile_since(all, before, 0.5), e8_hist_quantile(all, 0.5));
    e8_hist_merge(before, all);
    assert_int_equal(e8_hist_quantile_since(all, before, 0.5), 0);
    for (int i = 0; i < 3000; i++) {
        int64_t value = e8_rng_range(&rng, 500000, 90000000);
        e8_hist_record(all, value);
        e8_hist_record(since, value);
    }
    for (size_t i = 0; i < E8_COUNT(qs); i++) {
        int64_t is = e8_hist_quantile_since(all, before, qs[i]), exact = e8_hist_quantile(since, qs[i]);
        assert_true(is >= exact - exact / 1000 && is <= exact + exact / 1000);
    }
    assert_int_equal(e8_hist_quantile_since(all, before, 1), e8_hist_max(since));
    e8_hist_free(&all);
    e8_hist_free(&before);
    e8_hist_free(&since);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_is_all_zero),
        cmocka_unit_test(one_value_is_every_quantile),
        cmocka_unit_test(quantiles_have_exact_ranks),
        cmocka_unit_test(ranks_do_not_suffer_from_binary_fractions),
        cmocka_unit_test(the_ends_are_exact),
        cmocka_unit_test(what_is_past_the_range_is_clamped_and_counted),
        cmocka_unit_test(deviation_is_that_of_the_values),
        cmocka_unit_test(many_large_values_do_not_overflow),
        cmocka_unit_test(count_upto_counts_what_is_not_above),
        cmocka_unit_test(a_quantile_needs_100_values_beyond_it),
        cmocka_unit_test(a_reset_one_is_as_new),
        cmocka_unit_test(merging_adds),
        cmocka_unit_test(quantiles_of_what_came_since),
    };
    if (argc > 1)
        return strcmp(argv[1], "emit") == 0 ? interop_emit() : interop_check();
    int failed = cmocka_run_group_tests_name("hist", tests, NULL, NULL);
    return failed + test_codec();
}
