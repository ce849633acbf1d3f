#include "groups.h"

#include <math.h>

/* A run's bodies must not change with a version: these numbers are fixed for ever. The first five are also those of
 * Vigna's splitmix64.c for the seed 1234567. */
static void numbers_are_fixed(void **state)
{
    (void)state;
    static const uint64_t known[] = {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                     4593380528125082431U, 16408922859458223821U};
    static const uint64_t zero[] = {0xE220A8397B1DCDAFU, 0x6E789E6AA1B965F4U, 0x06C45D188009454FU};
    struct e8_rng rng = e8_rng_new(1234567);
    for (size_t i = 0; i < E8_COUNT(known); i++)
        assert_true(e8_rng_next(&rng) == known[i]);
    assert_int_equal(rng.n, 5);
    rng = e8_rng_new(0);
    for (size_t i = 0; i < E8_COUNT(zero); i++)
        assert_true(e8_rng_next(&rng) == zero[i]);
    rng = (struct e8_rng){.key = 1234567, .n = 3}; /* the n-th is a function of key and n alone */
    assert_true(e8_rng_next(&rng) == known[3]);
}

static void hashes_are_fixed(void **state)
{
    (void)state;
    assert_true(e8_mix(0, 0) == 0x48218226FF3CD4BFU);
    assert_true(e8_mix(0, 1) == 0x2FF145472E2746D6U);
    assert_true(e8_mix(1, 0) == 0xDCE423FC82C0D5B8U);
    assert_true(e8_mix(42, 7) == 0x54CC15294C45E646U);
    assert_true(e8_mix_with(e8_mixed(42), 7) == 0x54CC15294C45E646U);
    assert_true(e8_mix(UINT64_MAX, UINT64_MAX) == 0x5D50DD66960C823U);
    assert_true(e8_hash_str((struct e8_str){NULL, 0}) == 0xF52A15E9A9B5E89BU);
    assert_true(e8_hash_str(E8_LIT("a")) == 0x2C0BDBF481420F8U);
    assert_true(e8_hash_str(E8_LIT("foobar")) == 0x404DA9E3B74078C2U);
}

static void draws_are_fixed(void **state)
{
    (void)state;
    static const uint64_t dice[] = {1, 1, 0, 0, 4, 0, 1, 2, 1, 2, 5, 4};
    static const uint64_t half[] = {4456085495900499604U, 6792609088808213253U, 5545679290133000099U};
    struct e8_rng rng = e8_rng_new(42);
    for (size_t i = 0; i < E8_COUNT(dice); i++)
        assert_int_equal(e8_rng_below(&rng, 6), dice[i]);
    rng = e8_rng_new(42);
    for (size_t i = 0; i < E8_COUNT(half); i++) /* nearly half of the numbers are refused */
        assert_true(e8_rng_below(&rng, (UINT64_C(1) << 63) + 1) == half[i]);
    rng = e8_rng_new(42);
    assert_true(fabs(e8_rng_unit(&rng) - 0.7415648787718233) < 1e-16);
    assert_true(fabs(e8_rng_exp(&rng) - 0.1742467176876429) < 1e-15);
    rng = e8_rng_new(42);
    assert_true(fabs(e8_rng_normal(&rng) - 0.8822489062222688) < 1e-14);
    assert_int_equal(rng.n, 2);
}

static void ranges_reach_their_ends(void **state)
{
    (void)state;
    struct e8_rng rng = e8_rng_new(5);
    int seen[7] = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t x = e8_rng_range(&rng, -3, 3);
        assert_true(x >= -3 && x <= 3);
        seen[x + 3]++;
        assert_int_equal(e8_rng_below(&rng, 1), 0);
        assert_true(e8_rng_range(&rng, 9, 9) == 9);
        assert_true(e8_rng_range(&rng, INT64_MAX, INT64_MAX) == INT64_MAX);
        assert_true(e8_rng_range(&rng, INT64_MIN, INT64_MIN + 1) <= INT64_MIN + 1);
    }
    for (size_t i = 0; i < 7; i++)
        assert_true(seen[i] > 90);
    bool negative = false, positive = false;
    for (int i = 0; i < 64; i++) {
        int64_t x = e8_rng_range(&rng, INT64_MIN, INT64_MAX);
        negative |= x < 0;
        positive |= x > 0;
    }
    assert_true(negative && positive);
}

/* Pearson's statistic of equally likely cells. */
static double chi_square(const unsigned *cells, size_t count, double expected)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (cells[i] - expected) * (cells[i] - expected) / expected;
    return sum;
}

/* 255 degrees of freedom: between 170 and 355 but for one seed in 10,000. The seeds are fixed. */
static void numbers_are_uniform(void **state)
{
    (void)state;
    unsigned high[256] = {0}, low[256] = {0}, first[256] = {0}, mixed[256] = {0}, dice[10] = {0};
    struct e8_rng rng = e8_rng_new(99);
    for (unsigned i = 0; i < 256000; i++) {
        uint64_t x = e8_rng_next(&rng);
        high[x >> 56]++;
        low[x & 255]++;
        struct e8_rng stream = e8_rng_new(e8_mix(99, i)); /* neighbouring streams are as independent */
        first[e8_rng_next(&stream) >> 56]++;
        mixed[e8_mix(i, 1) & 255]++;
        dice[e8_rng_below(&rng, 10)]++;
    }
    assert_true(chi_square(high, 256, 1000) > 170 && chi_square(high, 256, 1000) < 355);
    assert_true(chi_square(low, 256, 1000) > 170 && chi_square(low, 256, 1000) < 355);
    assert_true(chi_square(first, 256, 1000) > 170 && chi_square(first, 256, 1000) < 355);
    assert_true(chi_square(mixed, 256, 1000) > 170 && chi_square(mixed, 256, 1000) < 355);
    assert_true(chi_square(dice, 10, 25600) < 30);
}

static void distributions_have_their_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    double unit[2] = {0}, exponential[2] = {0}, normal[4] = {0};
    struct e8_rng rng = e8_rng_new(7);
    for (int i = 0; i < N; i++) {
        double u = e8_rng_unit(&rng), e = e8_rng_exp(&rng), x = e8_rng_normal(&rng);
        assert_true(u >= 0 && u < 1);
        assert_true(e >= 0 && isfinite(e) && isfinite(x));
        unit[0] += u / N;
        unit[1] += u * u / N;
        exponential[0] += e / N;
        exponential[1] += e * e / N;
        for (int k = 0; k < 4; k++)
            normal[k] += pow(x, k + 1) / N;
    }
    assert_true(fabs(unit[0] - 0.5) < 0.003 && fabs(unit[1] - 1.0 / 3) < 0.003);
    assert_true(fabs(exponential[0] - 1) < 0.01 && fabs(exponential[1] - 2) < 0.05);
    assert_true(fabs(normal[0]) < 0.01 && fabs(normal[1] - 1) < 0.015);
    assert_true(fabs(normal[2]) < 0.05 && fabs(normal[3] - 3) < 0.1);
}

int test_rng(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_fixed),   cmocka_unit_test(hashes_are_fixed),
        cmocka_unit_test(draws_are_fixed),     cmocka_unit_test(ranges_reach_their_ends),
        cmocka_unit_test(numbers_are_uniform), cmocka_unit_test(distributions_have_their_moments),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
