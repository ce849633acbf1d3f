#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void clocks_run(void **state)
{
    (void)state;
    e8_mono_ns last = e8_mono_now();
    for (int i = 0; i < 1000; i++) {
        e8_mono_ns now = e8_mono_now();
        assert_true(now >= last);
        last = now;
    }
    time_t seconds = time(NULL);
    e8_wall_ns wall = e8_wall_now();
    assert_true(wall / E8_NS_S >= seconds - 1 && wall / E8_NS_S <= seconds + 5);
}

static void both_clocks_at_one_moment(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        e8_mono_ns before = e8_mono_now();
        e8_wall_ns wall_before = e8_wall_now();
        struct e8_instant now = e8_instant_now();
        assert_true(now.mono >= before && now.mono <= e8_mono_now());
        assert_true(now.wall >= wall_before && now.wall <= e8_wall_now());
    }
}

static void formats(void **state)
{
    (void)state;
    static const struct {
        e8_wall_ns wall;
        int digits;
        const char *text;
    } rows[] = {
        {0, 0, "1970-01-01T00:00:00Z"},
        {0, 9, "1970-01-01T00:00:00.000000000Z"},
        {1772366400123456789, 3, "2026-03-01T12:00:00.123Z"},
        {1772366400123456789, 6, "2026-03-01T12:00:00.123456Z"},
        {1772366400999999999, 0, "2026-03-01T12:00:00Z"}, /* cut, never rounded into the future */
        {-1, 9, "1969-12-31T23:59:59.999999999Z"},
        {951782400 * E8_NS_S, 0, "2000-02-29T00:00:00Z"},
        {INT64_MAX, 9, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, 9, "1677-09-21T00:12:43.145224192Z"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char out[E8_RFC3339_MAX];
        assert_int_equal(e8_wall_format(rows[i].wall, rows[i].digits, out), strlen(rows[i].text));
        assert_string_equal(out, rows[i].text);
    }
}

/* Any time there is: as the C library says, and back again. */
static void round_trip(void **state)
{
    (void)state;
    struct e8_rng rng = e8_rng_new(2026);
    for (int i = 0; i < 50000; i++) {
        e8_wall_ns wall = (e8_wall_ns)e8_rng_next(&rng), again;
        if (i < 2)
            wall = i ? INT64_MAX : INT64_MIN;
        char out[E8_RFC3339_MAX], expected[80];
        size_t n = e8_wall_format(wall, 9, out);
        long long nanos = wall % E8_NS_S;
        time_t seconds = wall / E8_NS_S - (nanos < 0);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + 19, sizeof(expected) - 19, ".%09lldZ", nanos < 0 ? nanos + E8_NS_S : nanos);
        assert_string_equal(out, expected);
        assert_true(e8_wall_parse((struct e8_str){out, n}, &again));
        assert_true(again == wall);
        if (seconds < INT64_MIN / E8_NS_S)
            continue;
        e8_wall_format(wall, 0, out);
        assert_true(e8_wall_parse(e8_str(out), &again) && again == seconds * E8_NS_S);
    }
}

static void each_day_has_its_date(void **state)
{
    (void)state;
    for (int64_t day = -100000; day < 100000; day += 1) {
        char out[E8_RFC3339_MAX];
        e8_wall_ns again;
        time_t seconds = day * 86400;
        struct tm tm;
        e8_wall_format(seconds * E8_NS_S, 0, out);
        gmtime_r(&seconds, &tm);
        assert_int_equal(strtol(out, NULL, 10), tm.tm_year + 1900);
        assert_int_equal(strtol(out + 8, NULL, 10), tm.tm_mday);
        assert_true(e8_wall_parse((struct e8_str){out, 10}, &again) && again == seconds * E8_NS_S);
    }
}

/* Days that come again, and those about which the signs change. */
static void a_day_at_hand_changes_nothing(void **state)
{
    (void)state;
    struct e8_rng rng = e8_rng_new(7);
    struct e8_wall_day day = {0};
    for (int i = 0; i < 20000; i++) {
        char out[E8_RFC3339_MAX], again[E8_RFC3339_MAX];
        e8_wall_ns wall = e8_rng_range(&rng, -40, 40) * 3600 * E8_NS_S + e8_rng_range(&rng, -1, 1);
        int digits = (int)e8_rng_range(&rng, 0, 3) * 3;
        size_t n = e8_wall_format_on(&day, wall, digits, out);
        assert_int_equal(n, e8_wall_format(wall, digits, again));
        assert_string_equal(out, again);
    }
}

static void parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        e8_wall_ns wall;
    } rows[] = {
        {"2026-03-01", 1772323200000000000},
        {"2026-03-01T12:00:00Z", 1772366400000000000},
        {"2026-03-01t12:00:00z", 1772366400000000000},
        {"2026-03-01 12:00:00Z", 1772366400000000000},
        {"2026-03-01T12:00:00.5Z", 1772366400500000000},
        {"2026-03-01T12:00:00.123456789Z", 1772366400123456789},
        {"2026-03-01T12:00:00.1234567899Z", 1772366400123456789},
        {"2026-03-01T13:00:00+01:00", 1772366400000000000},
        {"2026-03-01T06:30:00-05:30", 1772366400000000000},
        {"2026-03-01T00:00:00-00:00", 1772323200000000000},
        {"2026-02-28T13:00:00-23:00", 1772366400000000000},
        {"2016-12-31T23:59:60Z", 1483228800000000000}, /* leap second */
        {"2016-12-31T15:59:60-08:00", 1483228800000000000},
        {"2000-02-29", 951782400000000000},
        {"1969-12-31T23:59:59.999999999Z", -1},
    };
    e8_wall_ns wall;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_str text = flush_copy(rows[i].text, strlen(rows[i].text));
        if (!e8_wall_parse(text, &wall) || wall != rows[i].wall)
            fail_msg("\"%s\"", rows[i].text);
        free((void *)(uintptr_t)text.p);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026",
        "2026-03",
        "2026-3-1",
        "2026-00-01",
        "2026-13-01",
        "2026-03-00",
        "2026-03-32",
        "2026-04-31",
        "2026-02-29",
        "1900-02-29",
        "2100-02-29",
        "2026-03-01T",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:60:00Z",
        "2026-03-01T12:00:61Z",
        "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:00.Z",
        "2026-03-01T12:00:00,5Z",
        "2026-03-01T12:00:00+0100",
        "2026-03-01T12:00:00+24:00",
        "2026-03-01T12:00:00+01:60",
        "2026-03-01T12:00:00+01",
        "2026-03-01T12:00:00ZZ",
        "2026-03-01T12:00:00Z ",
        " 2026-03-01",
        "2026-03-01_12:00:00Z",
        "20260301",
        "+2026-03-01",
        "-026-03-01",
        "2026/03/01",
        "1772366400",
        "0000-01-01",
        "1677-09-21T00:12:43.145224191Z",
        "2262-04-11T23:47:16.854775808Z",
        "9999-12-31T23:59:59Z",
        "2026-03-01T12:00:00+",
        "2026-03-01T1:00:00Z",
    };
    e8_wall_ns wall = 77;
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        struct e8_str text = flush_copy(bad[i], strlen(bad[i]));
        if (e8_wall_parse(text, &wall))
            fail_msg("takes \"%s\"", bad[i]);
        free((void *)(uintptr_t)text.p);
    }
    assert_false(e8_wall_parse((struct e8_str){NULL, 0}, &wall));
    assert_true(wall == 77);
}

static void http_dates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* RFC 9110, 5.6.7 */
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
        {"Fri, 31 Dec 2100 00:00:00 GMT", 4133894400},
    };
    static const char *const bad[] = {
        "",
        "Sun",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Fri, 31 Nov 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 24:59:59 GMT",
        "Sun, 30 Feb 2262 08:49:37 GMT",
        "Tue, 29 Feb 9999 08:49:37 GMT",
        "120",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 ovN 1994 08:49:37 GMT",
    };
    static const char *const late[] = {
        "Fri, 11 Apr 2262 23:47:17 GMT",
        "Fri, 01 Jan 2263 00:00:00 GMT",
        "Tue, 29 Feb 9996 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    };
    e8_wall_ns wall;
    assert_true(e8_http_date_parse(E8_LIT("Fri, 11 Apr 2262 23:47:16 GMT"), &wall));
    assert_true(wall == INT64_MAX / E8_NS_S * E8_NS_S);
    for (size_t i = 0; i < E8_COUNT(late); i++) {
        wall = 0;
        assert_true(e8_http_date_parse(e8_str(late[i]), &wall) && wall == INT64_MAX);
    }
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        assert_true(e8_http_date_parse(e8_str(rows[i].text), &wall));
        assert_true(wall == rows[i].seconds * E8_NS_S);
    }
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        struct e8_str text = flush_copy(bad[i], strlen(bad[i]));
        if (e8_http_date_parse(text, &wall))
            fail_msg("takes \"%s\"", bad[i]);
        free((void *)(uintptr_t)text.p);
    }
    for (time_t t = 0; t < 40000000; t += 86413) { /* all days and months, as strftime writes them */
        char text[64];
        struct tm tm;
        gmtime_r(&t, &tm);
        strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_true(e8_http_date_parse(e8_str(text), &wall) && wall == t * E8_NS_S);
    }
}

int test_clock(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(both_clocks_at_one_moment),
        cmocka_unit_test(formats),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(each_day_has_its_date),
        cmocka_unit_test(a_day_at_hand_changes_nothing),
        cmocka_unit_test(parses),
        cmocka_unit_test(refuses),
        cmocka_unit_test(http_dates),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
