#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pace/pace.h"

#define S   E8_NS_S
#define DAY (86400 * S)

static struct e8_rate rate(const char *text)
{
    struct e8_rate out;
    assert_true(e8_parse_rate(e8_str(text), &out));
    return out;
}

static struct e8_pace constant(const char *text, e8_dur_ns length)
{
    return (struct e8_pace){.kind = E8_PACE_CONSTANT, .from = rate(text), .length = length};
}

static struct e8_pace ramp(const char *from, const char *to, e8_dur_ns length)
{
    return (struct e8_pace){.kind = E8_PACE_RAMP, .from = rate(from), .to = rate(to), .length = length};
}

static struct e8_pace poisson(const char *text, e8_dur_ns length, uint64_t seed)
{
    return (struct e8_pace){.kind = E8_PACE_POISSON, .from = rate(text), .length = length, .seed = seed};
}

/* Walks it all, checks what holds of every schedule, and returns the number of arrivals. */
static uint64_t walk(const struct e8_pace *pace)
{
    struct e8_pace_walk walker = e8_pace_begin(pace);
    e8_dur_ns due, last = 0;
    uint64_t count = 0;

    for (; e8_pace_next(&walker, &due); count++, last = due) {
        assert_true(due >= last);
        assert_true(due < pace->length);
    }
    assert_false(e8_pace_next(&walker, &due));
    assert_int_equal(count, e8_pace_count(pace));
    return count;
}

static void constant_arrivals_begin_at_once(void **state)
{
    (void)state;
    static const e8_dur_ns expected[] = {0, 333333333, 666666666, 1000000000, 1333333333, 1666666666};
    struct e8_pace pace = constant("3/s", 2 * S);
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    for (size_t i = 0; i < E8_COUNT(expected); i++) {
        assert_true(e8_pace_next(&walker, &due));
        assert_int_equal(due, expected[i]);
    }
    assert_false(e8_pace_next(&walker, &due));
}

static void constant_counts_what_fits(void **state)
{
    (void)state;
    struct e8_pace pace = constant("100/s", 10 * S);
    assert_int_equal(walk(&pace), 1000);
    pace.length++;
    assert_int_equal(walk(&pace), 1001);
    pace.length = 1;
    assert_int_equal(walk(&pace), 1);
    pace = constant("2.5/h", DAY);
    assert_int_equal(walk(&pace), 60);
    pace = constant("30/m", 61 * S);
    assert_int_equal(walk(&pace), 31);
}

static void a_limit_ends_it_sooner(void **state)
{
    (void)state;
    struct e8_pace paces[] = {constant("100/s", S), ramp("50/s", "150/s", S), poisson("100/s", S, 1)};

    for (size_t i = 0; i < E8_COUNT(paces); i++) {
        paces[i].limit = 7;
        assert_int_equal(walk(&paces[i]), 7);
        paces[i].limit = 1000000;
        assert_in_range(walk(&paces[i]), 60, 140);
    }
}

/* The (k+1)-th arrival of the longest and fastest schedule has no room for rounding. */
static void constant_does_not_drift(void **state)
{
    (void)state;
    struct e8_pace pace = constant("7/s", INT64_MAX);
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    walker.k = 7U * 9000000000U;
    assert_true(e8_pace_next(&walker, &due));
    assert_int_equal(due, 9000000000 * S);
    assert_true(e8_pace_next(&walker, &due));
    assert_int_equal(due, 9000000000 * S + 142857142);
}

static void a_rate_of_nothing_has_no_arrivals(void **state)
{
    (void)state;
    const struct e8_rate zero = {0, S};
    for (int kind = E8_PACE_CONSTANT; kind <= E8_PACE_POISSON; kind++) {
        struct e8_pace pace = {.kind = (enum e8_pace_kind)kind, .from = zero, .to = zero, .length = DAY};
        assert_int_equal(walk(&pace), 0);
    }
}

static void rates_past_all_sense_stay_within_bounds(void **state)
{
    (void)state;
    const struct e8_rate most = {UINT64_MAX, 1}, odd = {UINT64_MAX - 58, UINT64_MAX - 82},
                         least = {1, UINT64_MAX};
    const struct e8_rate rates[] = {most, odd, least, {1, 3}, {1000000, 999999937}};
    e8_dur_ns lengths[] = {1, 2, 999, INT64_MAX};

    for (size_t i = 0; i < E8_COUNT(rates) * E8_COUNT(rates) * E8_COUNT(lengths); i++) {
        struct e8_pace pace = {.kind = E8_PACE_RAMP, .length = lengths[i % E8_COUNT(lengths)]};
        pace.from = rates[i / E8_COUNT(lengths) % E8_COUNT(rates)];
        pace.to = rates[i / E8_COUNT(lengths) / E8_COUNT(rates)];
        pace.limit = 300;
        walk(&pace);
        pace.kind = E8_PACE_CONSTANT;
        walk(&pace);
        pace.kind = E8_PACE_POISSON;
        walk(&pace);
        /* and the last ones of the ramp */
        pace.kind = E8_PACE_RAMP;
        pace.limit = 0;
        struct e8_pace_walk walker = e8_pace_begin(&pace);
        uint64_t count = e8_pace_count(&pace);
        walker.k = count > 300 ? count - 300 : 0;
        for (e8_dur_ns due, last = 0; walker.k < count; last = due) {
            assert_true(e8_pace_next(&walker, &due));
            assert_true(due >= last && due < pace.length);
        }
    }
}

/* From 0/s to 2/s in 10 s: N(t) = t^2 / 10 by the time t, so the k-th arrival is due at sqrt(10 k). */
static void a_ramp_solves_its_integral(void **state)
{
    (void)state;
    static const e8_dur_ns expected[] = {0,          3162277660, 4472135954, 5477225575, 6324555320,
                                         7071067811, 7745966692, 8366600265, 8944271909, 9486832980};
    struct e8_pace pace = ramp("1/s", "2/s", 10 * S);
    pace.from.num = 0;
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    for (size_t i = 0; i < E8_COUNT(expected); i++) {
        assert_true(e8_pace_next(&walker, &due));
        assert_int_equal(due, expected[i]);
    }
    assert_false(e8_pace_next(&walker, &due));
}

static void ramps_count_their_integral(void **state)
{
    (void)state;
    struct e8_pace pace = ramp("20/s", "200/s", 60 * S);
    assert_int_equal(walk(&pace), 6600);
    pace = ramp("200/s", "20/s", 60 * S);
    assert_int_equal(walk(&pace), 6600);
    pace = ramp("2.5/h", "7/s", 3600 * S);
    assert_int_equal(walk(&pace), 12602); /* 12,601.25 */
    pace = ramp("1/s", "1/s", 1);
    assert_int_equal(walk(&pace), 1);
    pace = ramp("1/s", "100/s", S);
    pace.to.num = 0;
    assert_int_equal(walk(&pace), 1); /* half of one */
}

static void a_level_ramp_is_a_constant_rate(void **state)
{
    (void)state;
    struct e8_pace level = ramp("333/s", "333/s", 100 * S), same = constant("333/s", 100 * S);
    struct e8_pace_walk one = e8_pace_begin(&level), other = e8_pace_begin(&same);
    e8_dur_ns due, expected;

    while (e8_pace_next(&other, &expected)) {
        assert_true(e8_pace_next(&one, &due));
        assert_int_equal(due, expected);
    }
    assert_false(e8_pace_next(&one, &due));
}

/* The rates of a ramp in different units are the same rates. */
static void units_do_not_matter(void **state)
{
    (void)state;
    struct e8_pace seconds = ramp("1/s", "50/s", 100 * S), mixed = ramp("60/m", "180000/h", 100 * S);
    struct e8_pace_walk one = e8_pace_begin(&seconds), other = e8_pace_begin(&mixed);
    e8_dur_ns due, expected;

    while (e8_pace_next(&one, &expected)) {
        assert_true(e8_pace_next(&other, &due));
        assert_int_equal(due, expected);
    }
    assert_false(e8_pace_next(&other, &due));
}

static void poisson_depends_on_its_seed_alone(void **state)
{
    (void)state;
    struct e8_pace pace = poisson("1000/s", 10 * S, 42), other = poisson("1000/s", 10 * S, 43);
    struct e8_pace_walk a = e8_pace_begin(&pace), b = e8_pace_begin(&pace), c = e8_pace_begin(&other);
    e8_dur_ns x, y, z;
    bool differ = false;

    while (e8_pace_next(&a, &x)) {
        assert_true(e8_pace_next(&b, &y));
        assert_int_equal(x, y);
        differ |= !e8_pace_next(&c, &z) || z != x;
    }
    assert_true(differ);
    assert_in_range(walk(&pace), 9500, 10500);
}

/* Twice the rate is the same arrivals in half the time. */
static void poisson_scales(void **state)
{
    (void)state;
    struct e8_pace slow = poisson("1/s", 1000 * S, 5), fast = poisson("2/s", 500 * S, 5);
    struct e8_pace_walk a = e8_pace_begin(&slow), b = e8_pace_begin(&fast);
    e8_dur_ns x, y;

    while (e8_pace_next(&a, &x)) {
        assert_true(e8_pace_next(&b, &y));
        assert_int_equal(y, x / 2);
    }
    assert_false(e8_pace_next(&b, &y));
}

/* Its sum over time is the number of arrivals. */
static void the_rate_is_what_is_counted(void **state)
{
    (void)state;
    const struct e8_pace paces[] = {constant("50/s", 4 * S), ramp("0/s", "100/s", 4 * S),
                                    ramp("90/s", "10/s", 4 * S), poisson("50/s", 4 * S, 1)};
    for (size_t i = 0; i < E8_COUNT(paces); i++) {
        double sum = 0;
        for (int k = 0; k < 4000; k++)
            sum += e8_pace_rate(&paces[i], k * S / 1000) / 1000;
        assert_true(sum > 199 && sum < 201);
        assert_true(e8_pace_rate(&paces[i], -1) <= 0 && e8_pace_rate(&paces[i], 4 * S) <= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_arrivals_begin_at_once),
        cmocka_unit_test(constant_counts_what_fits),
        cmocka_unit_test(a_limit_ends_it_sooner),
        cmocka_unit_test(constant_does_not_drift),
        cmocka_unit_test(a_rate_of_nothing_has_no_arrivals),
        cmocka_unit_test(rates_past_all_sense_stay_within_bounds),
        cmocka_unit_test(a_ramp_solves_its_integral),
        cmocka_unit_test(ramps_count_their_integral),
        cmocka_unit_test(a_level_ramp_is_a_constant_rate),
        cmocka_unit_test(units_do_not_matter),
        cmocka_unit_test(poisson_depends_on_its_seed_alone),
        cmocka_unit_test(poisson_scales),
        cmocka_unit_test(the_rate_is_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
