#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cases.h"
#include "delivery/delivery.h"

#define MS E8_NS_MS
#define S  E8_NS_S

/* The platform's default. */
static const struct e8_retry_policy usual = {
    .attempts = 5, .base = S, .factor = 2, .cap = 60 * S, .jitter = E8_JITTER_NONE};

static e8_dur_ns wait_of(struct e8_retry_policy policy, uint32_t next)
{
    struct e8_rng rng = e8_rng_new(1);
    return e8_retry_wait(&policy, next, -1, &rng);
}

static void waits_double_up_to_the_cap(void **state)
{
    (void)state;
    static const e8_dur_ns seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    for (uint32_t i = 0; i < E8_COUNT(seconds); i++)
        assert_int_equal(wait_of(usual, i + 2), seconds[i] * S);
}

static void factors_may_be_fractions(void **state)
{
    (void)state;
    struct e8_retry_policy policy = usual;
    policy.factor = 1.1;
    assert_int_equal(wait_of(policy, 2), 1000 * MS);
    assert_int_equal(wait_of(policy, 3), 1100 * MS);
    assert_int_equal(wait_of(policy, 4), 1210 * MS);
    assert_int_equal(wait_of(policy, 5), 1331 * MS);
    policy.factor = 1.15;
    assert_int_equal(wait_of(policy, 4), 1322500 * E8_NS_US);
    policy.factor = 1;
    assert_int_equal(wait_of(policy, UINT32_MAX), S);
}

static void nothing_overflows(void **state)
{
    (void)state;
    struct e8_retry_policy policy = usual;
    assert_int_equal(wait_of(policy, 66), 60 * S);
    assert_int_equal(wait_of(policy, UINT32_MAX), 60 * S);
    policy.factor = 1e308;
    assert_int_equal(wait_of(policy, 3), 60 * S);
    assert_int_equal(wait_of(policy, UINT32_MAX), 60 * S);
    policy.cap = INT64_MAX;
    assert_int_equal(wait_of(policy, 1000), INT64_MAX);
    policy.base = INT64_MAX;
    assert_int_equal(wait_of(policy, 2), INT64_MAX);
    policy.jitter = E8_JITTER_FULL;
    assert_in_range(wait_of(policy, 1000), 0, INT64_MAX);
}

static void no_base_and_no_cap_mean_no_wait(void **state)
{
    (void)state;
    struct e8_retry_policy policy = usual;
    policy.base = 0;
    assert_int_equal(wait_of(policy, 2), 0);
    assert_int_equal(wait_of(policy, UINT32_MAX), 0);
    policy = usual;
    policy.cap = 0;
    policy.jitter = E8_JITTER_FULL;
    assert_int_equal(wait_of(policy, 9), 0);
}

static void jitter_stays_in_its_bounds(void **state)
{
    (void)state;
    struct e8_retry_policy full = usual, equal = usual;
    full.jitter = E8_JITTER_FULL;
    equal.jitter = E8_JITTER_EQUAL;
    full.base = equal.base = 5;
    bool seen[6] = {false};

    struct e8_rng rng = e8_rng_new(7);
    for (unsigned i = 0; i < 1000; i++) {
        e8_dur_ns wait = e8_retry_wait(&full, 2, -1, &rng);
        assert_in_range(wait, 0, 5);
        seen[wait] = true;
        assert_in_range(e8_retry_wait(&equal, 2, -1, &rng), 2, 5);
        assert_in_range(e8_retry_wait(&full, 3, -1, &rng), 0, 10);
        assert_in_range(e8_retry_wait(&equal, 3, -1, &rng), 5, 10);
    }
    for (size_t i = 0; i < E8_COUNT(seen); i++)
        assert_true(seen[i]); /* both ends included */
}

static void waits_are_reproducible(void **state)
{
    (void)state;
    struct e8_retry_policy policy = usual;
    policy.jitter = E8_JITTER_FULL;
    struct e8_rng one = e8_rng_new(42), other = e8_rng_new(42);
    for (uint32_t next = 2; next < 20; next++)
        assert_int_equal(e8_retry_wait(&policy, next, -1, &one), e8_retry_wait(&policy, next, -1, &other));
}

static void retry_after_lengthens_within_the_cap(void **state)
{
    (void)state;
    struct e8_rng rng = e8_rng_new(1);
    assert_int_equal(e8_retry_wait(&usual, 2, 0, &rng), S);
    assert_int_equal(e8_retry_wait(&usual, 2, S / 2, &rng), S);
    assert_int_equal(e8_retry_wait(&usual, 2, 30 * S, &rng), 30 * S);
    assert_int_equal(e8_retry_wait(&usual, 2, 61 * S, &rng), 60 * S);
    assert_int_equal(e8_retry_wait(&usual, 2, E8_NEVER / 4, &rng), 60 * S);
}

static const e8_wall_ns now = 784111777 * E8_NS_S; /* Sun, 06 Nov 1994 08:49:37 GMT */

static e8_dur_ns after(const char *text)
{
    return e8_retry_after_parse(e8_str(text), now);
}

static void retry_after_in_seconds(void **state)
{
    (void)state;
    assert_int_equal(after("0"), 0);
    assert_int_equal(after("1"), S);
    assert_int_equal(after("120"), 120 * S);
    assert_int_equal(after(" \t 120 \t"), 120 * S);
    assert_int_equal(after("00000000000000000000000000000000000007"), 7 * S);
}

static void retry_after_that_is_huge_is_clamped(void **state)
{
    (void)state;
    assert_int_equal(after("2305843009"), 2305843009 * S);
    assert_int_equal(after("2305843010"), E8_NEVER / 4);
    assert_int_equal(after("18446744073709551616"), E8_NEVER / 4);
    assert_int_equal(after("99999999999999999999999999999999999999999999999999"), E8_NEVER / 4);
    assert_int_equal(e8_retry_after_parse(e8_str("Sun, 06 Nov 2094 08:49:37 GMT"), now), E8_NEVER / 4);
    assert_int_equal(e8_retry_after_parse(e8_str("Sun, 06 Nov 1994 08:49:37 GMT"), INT64_MIN), E8_NEVER / 4);
    assert_int_equal(e8_retry_after_parse(e8_str("Fri, 31 Dec 9999 23:59:59 GMT"), now), E8_NEVER / 4);
}

static void retry_after_as_a_date(void **state)
{
    (void)state;
    assert_int_equal(after("Sun, 06 Nov 1994 08:50:37 GMT"), 60 * S);
    assert_int_equal(after("  Sun, 06 Nov 1994 08:50:37 GMT "), 60 * S);
    assert_int_equal(after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
    assert_int_equal(after("Sun, 06 Nov 1994 08:49:36 GMT"), 0);
    assert_int_equal(after("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    assert_int_equal(e8_retry_after_parse(e8_str("Sun, 06 Nov 1994 08:49:38 GMT"), now + S / 4), 3 * S / 4);
}

static void retry_after_that_is_not_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "-1",
        "+1",
        "1.5",
        "1s",
        "0x10",
        "1e3",
        "120, 120",
        "120,120",
        "120 120",
        "1 2",
        "soon",
        "\xff",
        "Sun, 06 Nov 1994",
        "Sun, 06 Nov 1994 08:49:37",
        "1994-11-06T08:49:37Z",
        "Sun, 06 Nov 1994 08:50:37 GMT, 5",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "- 1",
        "--1",
        "1-",
    };
    for (size_t i = 0; i < E8_COUNT(texts); i++)
        assert_int_equal(after(texts[i]), -1);
    assert_int_equal(e8_retry_after_parse((struct e8_str){NULL, 0}, now), -1);
    assert_int_equal(e8_retry_after_parse((struct e8_str){"1\0002", 3}, now), -1);
}

int retry_cases(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_cap),
        cmocka_unit_test(factors_may_be_fractions),
        cmocka_unit_test(nothing_overflows),
        cmocka_unit_test(no_base_and_no_cap_mean_no_wait),
        cmocka_unit_test(jitter_stays_in_its_bounds),
        cmocka_unit_test(waits_are_reproducible),
        cmocka_unit_test(retry_after_lengthens_within_the_cap),
        cmocka_unit_test(retry_after_in_seconds),
        cmocka_unit_test(retry_after_that_is_huge_is_clamped),
        cmocka_unit_test(retry_after_as_a_date),
        cmocka_unit_test(retry_after_that_is_not_understood),
    };
    return cmocka_run_group_tests_name("retries", tests, NULL, NULL);
}
