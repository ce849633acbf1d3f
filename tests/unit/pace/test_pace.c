#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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
    return (struct e8_pace){.poisson = true, .from = rate(text), .length = length, .seed = seed};
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
    const struct e8_pace_piece pause = {zero, zero, DAY};
    for (int kind = E8_PACE_CONSTANT; kind <= E8_PACE_SINE; kind++) {
        struct e8_pace pace = {.kind = (enum e8_pace_kind)kind, .from = zero, .to = zero, .length = DAY};
        pace.pieces = &pause;
        pace.piece_count = 1;
        pace.period = S;
        assert_int_equal(walk(&pace), 0);
        pace.poisson = true;
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
        pace.poisson = true;
        walk(&pace);
        pace.poisson = false;
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

static void expect_dues(const struct e8_pace *pace, const e8_dur_ns *expected, size_t count)
{
    struct e8_pace_walk walker = e8_pace_begin(pace);
    e8_dur_ns due;

    for (size_t i = 0; i < count; i++) {
        assert_true(e8_pace_next(&walker, &due));
        assert_int_equal(due, expected[i]);
    }
    assert_false(e8_pace_next(&walker, &due));
    assert_int_equal(e8_pace_count(pace), count);
}

static struct e8_pace steps(const struct e8_pace_piece *pieces, size_t count)
{
    struct e8_pace pace = {.kind = E8_PACE_STEPS, .pieces = pieces, .piece_count = count};
    for (size_t i = 0; i < count; i++)
        pace.length += pieces[i].length;
    return pace;
}

/* Each piece begins anew, with an arrival at its start; a pause has none. */
static void steps_follow_one_another(void **state)
{
    (void)state;
    const struct e8_pace_piece pieces[] = {
        {rate("2/s"), rate("2/s"), S}, {{0, S}, {0, S}, 3 * S}, {{0, S}, rate("2/s"), 2 * S}};
    static const e8_dur_ns expected[] = {0, S / 2, 4 * S, 4 * S + 1414213562};
    struct e8_pace pace = steps(pieces, E8_COUNT(pieces));

    expect_dues(&pace, expected, E8_COUNT(expected));
    pace.limit = 3;
    expect_dues(&pace, expected, 3);
    assert_true(e8_pace_mean(&pace) > 3.99 && e8_pace_mean(&pace) < 4.01);
}

static void steps_have_as_many_as_their_pieces(void **state)
{
    (void)state;
    const struct e8_pace_piece pieces[] = {{{0, S}, rate("500/s"), 60 * S},
                                           {rate("500/s"), rate("500/s"), 60 * S},
                                           {rate("500/s"), rate("20/m"), 61 * S}};
    struct e8_pace pace = steps(pieces, E8_COUNT(pieces));
    uint64_t per_second[181] = {0};
    struct e8_pace_walk walker = e8_pace_begin(&pace);

    assert_int_equal(walk(&pace), 15000 + 30000 + 15261); /* the last: 15,260.17 */
    for (e8_dur_ns due; e8_pace_next(&walker, &due);)
        per_second[due / S]++;
    for (int i = 60; i < 120; i++)
        assert_int_equal(per_second[i], 500);
}

/* Four hours in pieces of a second: no drift, and what is passed over takes no time. */
static void steps_do_not_drift(void **state)
{
    (void)state;
    const uint64_t hours = 4, count = hours * 3600;
    struct e8_pace_piece *pieces = e8_new(count, sizeof *pieces);
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct e8_pace_piece){rate("7/s"), rate("7/s"), S};
    struct e8_pace pace = steps(pieces, count);
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    assert_int_equal(e8_pace_count(&pace), 7 * count);
    assert_true(e8_pace_seek(&walker, 7 * (count - 1) + 1, &due));
    assert_int_equal(due, (e8_dur_ns)(count - 1) * S + 142857142);
    free(pieces);
}

/* From 0/s to 8/s and back in 4 s: 4 t - 8/pi sin(pi t / 2) by the time t; 16 in each period, half of them by its half. */
static void a_sine_swings(void **state)
{
    (void)state;
    struct e8_pace pace = {
        .kind = E8_PACE_SINE, .from = {0, S}, .to = rate("8/s"), .period = 4 * S, .length = 8 * S};
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    unsigned per_second[8] = {0};
    e8_dur_ns due;

    assert_int_equal(walk(&pace), 32);
    for (uint64_t k = 0; e8_pace_next(&walker, &due); k++) {
        per_second[due / S]++;
        if (k % 8 == 0)
            assert_in_range(due + 1 - (e8_dur_ns)(k / 8) * 2 * S, 0, 1 + 1);
    }
    /* 4 - 8/pi is 1.45, so the numbers 0 and 1 are due in the first second. */
    static const unsigned expected[] = {2, 6, 7, 1, 2, 6, 7, 1};
    for (size_t i = 0; i < E8_COUNT(expected); i++)
        assert_int_equal(per_second[i], expected[i]);
}

/* Ten days of 20/s to 200/s in periods of 10 s: a period has exactly 1,100. */
static void a_sine_does_not_drift(void **state)
{
    (void)state;
    struct e8_pace pace = {.kind = E8_PACE_SINE,
                           .from = rate("20/s"),
                           .to = rate("200/s"),
                           .period = 10 * S,
                           .length = 10 * DAY};
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    assert_int_equal(e8_pace_count(&pace), 10 * 8640 * 1100);
    assert_true(e8_pace_seek(&walker, (uint64_t)86399 * 1100, &due));
    assert_int_equal(due, 86399 * 10 * S);
    assert_true(e8_pace_seek(&walker, (uint64_t)86399 * 1100 + 550, &due));
    assert_in_range(due - (86399 * 10 * S + 5 * S) + 1, 0, 2);
}

static void a_level_sine_is_a_constant_rate(void **state)
{
    (void)state;
    struct e8_pace level = {
        .kind = E8_PACE_SINE, .from = rate("30/s"), .to = rate("30/s"), .period = 7 * S, .length = 20 * S};
    struct e8_pace_walk walker = e8_pace_begin(&level);
    e8_dur_ns due;

    assert_int_equal(e8_pace_count(&level), 600);
    for (int64_t k = 0; e8_pace_next(&walker, &due); k++)
        assert_in_range(due - k * S / 30 + 1, 0, 2);
}

static void bursts_come_at_once(void **state)
{
    (void)state;
    static const e8_dur_ns expected[] = {0, 0, 0, 10 * S, 10 * S, 10 * S, 20 * S, 20 * S, 20 * S};
    struct e8_pace pace = {.kind = E8_PACE_BURST, .burst = 3, .period = 10 * S, .length = 30 * S};

    expect_dues(&pace, expected, 9);
    pace.length = 20 * S + 1;
    expect_dues(&pace, expected, 9);
    pace.length = 20 * S;
    expect_dues(&pace, expected, 6);
    pace.limit = 4;
    expect_dues(&pace, expected, 4);
}

static void recorded_arrivals_come_as_they_came(void **state)
{
    (void)state;
    static const e8_dur_ns offsets[] = {0, 5, 5, 700, S, 2 * S};
    struct e8_pace pace = {
        .kind = E8_PACE_RECORDED, .offsets = offsets, .offset_count = E8_COUNT(offsets), .length = 3 * S};

    expect_dues(&pace, offsets, 6);
    pace.length = 2 * S;
    expect_dues(&pace, offsets, 5);
    pace.limit = 2;
    expect_dues(&pace, offsets, 2);
    pace.offset_count = 0;
    expect_dues(&pace, offsets, 0);
}

static void seeking_passes_over(void **state)
{
    (void)state;
    struct e8_pace pace = constant("1000000/s", 1000000 * S);
    struct e8_pace_walk walker = e8_pace_begin(&pace);
    e8_dur_ns due;

    assert_true(e8_pace_seek(&walker, 999999999999, &due));
    assert_int_equal(due, 999999999999 * 1000);
    assert_false(e8_pace_seek(&walker, 1000000000000, &due));
}

static void rates_and_pieces_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "5/s",   "0..0",  "0/s..0/s", "5..10",        "a..b/s",
                                      "5/s..10", "1/s..", "..1/s", "-1..5/s",  "1/s..2/s..3/s"};
    static const char *const bad_pieces[] = {"",       "500/s", "500/s:",   ":5m",     "500/s:0",
                                             "500:5m", "5/s:5", "5/s:5m:1", "0..0:5s", "5/s..:1s"};
    struct e8_rate from, to;
    struct e8_pace_piece piece;

    assert_true(e8_pace_parse_rates(e8_str("20/s..200/s"), &from, &to) &&
                10 * e8_rate_per_s(from) == e8_rate_per_s(to));
    assert_true(e8_pace_parse_rates(e8_str("30..60/m"), &from, &to) &&
                2 * e8_rate_per_s(from) == e8_rate_per_s(to));
    assert_true(e8_pace_parse_rates(e8_str("0 .. 5/s"), &from, &to) && from.num == 0 && from.den > 0);
    assert_true(e8_pace_parse_rates(e8_str("5/s..0"), &from, &to) && to.num == 0);
    assert_true(e8_pace_parse_rates(e8_str("1.5..2.5/s"), &from, &to) && e8_rate_per_s(from) == 1.5);
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        assert_false(e8_pace_parse_rates(e8_str(bad[i]), &from, &to));

    assert_true(e8_pace_parse_piece(e8_str("500/s:1m30s"), &piece));
    assert_true(piece.length == 90 * S && piece.from.num == piece.to.num && e8_rate_per_s(piece.from) == 500);
    assert_true(e8_pace_parse_piece(e8_str(" 0..500/s : 10s "), &piece) && piece.from.num == 0 &&
                piece.to.num > 0);
    assert_true(e8_pace_parse_piece(e8_str("0:10s"), &piece) && piece.from.num == 0 && piece.to.num == 0);
    for (size_t i = 0; i < E8_COUNT(bad_pieces); i++)
        assert_false(e8_pace_parse_piece(e8_str(bad_pieces[i]), &piece));
}

/* Its sum over time is the number of arrivals. */
static void the_rate_is_what_is_counted(void **state)
{
    (void)state;
    const struct e8_pace_piece pieces[] = {
        {rate("20/s"), rate("20/s"), S}, {{0, S}, {0, S}, S}, {rate("40/s"), rate("140/s"), 2 * S}};
    static const e8_dur_ns offsets[200] = {0};
    const struct e8_pace paces[] = {
        constant("50/s", 4 * S),
        ramp("0/s", "100/s", 4 * S),
        ramp("90/s", "10/s", 4 * S),
        poisson("50/s", 4 * S, 1),
        steps(pieces, E8_COUNT(pieces)),
        {.kind = E8_PACE_SINE, .from = rate("10/s"), .to = rate("90/s"), .length = 4 * S, .period = S},
        {.kind = E8_PACE_BURST, .burst = 50, .length = 4 * S, .period = S},
        {.kind = E8_PACE_RECORDED, .offsets = offsets, .offset_count = 200, .length = 4 * S}};
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
        cmocka_unit_test(steps_follow_one_another),
        cmocka_unit_test(steps_have_as_many_as_their_pieces),
        cmocka_unit_test(steps_do_not_drift),
        cmocka_unit_test(a_sine_swings),
        cmocka_unit_test(a_sine_does_not_drift),
        cmocka_unit_test(a_level_sine_is_a_constant_rate),
        cmocka_unit_test(bursts_come_at_once),
        cmocka_unit_test(recorded_arrivals_come_as_they_came),
        cmocka_unit_test(seeking_passes_over),
        cmocka_unit_test(rates_and_pieces_are_read),
        cmocka_unit_test(the_rate_is_what_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
