/* What the options say, and that the draws are distributed as they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sink/seen.h"
#include "sink/sink.h"
#include "tests.h"

enum { DRAWS = 200000 };

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static void status_mix_is_read(void **state)
{
    struct e8_status_mix mix = {0};

    (void)state;
    assert_int_equal(e8_status_mix_parse(E8_LIT("503"), &mix, NULL), E8_OK);
    assert_int_equal(mix.count, 1);
    assert_int_equal(mix.rows[0].status, 503);
    assert_true(mix.rows[0].upto == 1);
    assert_int_equal(e8_status_mix_parse(E8_LIT("200:95, 503:4 ,429:1"), &mix, NULL), E8_OK);
    assert_int_equal(mix.count, 3);
    assert_int_equal(mix.rows[2].status, 429);
    assert_near(mix.rows[0].upto, 0.95, 1e-12);
    assert_near(mix.rows[1].upto, 0.99, 1e-12);
    assert_true(mix.rows[2].upto == 1);
    assert_int_equal(e8_status_mix_parse(E8_LIT("200:1,500:3"), &mix, NULL), E8_OK);
    assert_near(mix.rows[0].upto, 0.25, 1e-12);
    assert_int_equal(e8_status_mix_parse(E8_LIT("200:0,599:0.5"), &mix, NULL), E8_OK);
    assert_true(mix.rows[0].upto == 0);
}

static void bad_status_mixes(void **state)
{
    static const char *const texts[] = {
        "",    ",",       "200,503",      "200:1,", "199",       "600",        "20",
        "abc", "200:",    "200:-1",       "200:x",  "200:1:2",   "200:0",      "503:4%",
        ":1",  "200:nan", "200:1,,503:1", "-200",   "200:1e400", "200:0,503:0"};
    struct e8_status_mix mix = {.count = 7};

    (void)state;
    for (size_t i = 0; i < E8_COUNT(texts); i++) {
        struct e8_err err = {0};

        if (e8_status_mix_parse(e8_str(texts[i]), &mix, &err) != E8_INPUT)
            fail_msg("\"%s\" was taken", texts[i]);
        assert_non_null(strstr(err.hint, "200:95"));
        assert_true(err.what[0]);
    }
    assert_int_equal(mix.count, 7); /* left alone */
}

static void long_status_mix(void **state)
{
    char text[33 * 6 + 1] = "";
    struct e8_status_mix mix;
    struct e8_err err = {0};

    (void)state;
    for (int i = 0; i < 33; i++)
        memcpy(text + 6 * i, (char[]){'2', (char)('0' + i / 10), (char)('0' + i % 10), ':', '1', ','}, 6);
    text[33 * 6 - 1] = '\0';
    assert_int_equal(e8_status_mix_parse(e8_str(text), &mix, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "32"));
    text[32 * 6 - 1] = '\0';
    assert_int_equal(e8_status_mix_parse(e8_str(text), &mix, NULL), E8_OK);
    assert_int_equal(mix.count, 32);
}

static void fault_mix_is_read(void **state)
{
    struct e8_fault_mix mix = {0};

    (void)state;
    assert_int_equal(e8_fault_mix_parse(E8_LIT("reset:1%,close:0.5%,hang:0.1%,truncate:0.02"), &mix, NULL),
                     E8_OK);
    assert_int_equal(mix.count, 4);
    assert_int_equal(mix.rows[0].fault, E8_FAULT_RESET);
    assert_int_equal(mix.rows[3].fault, E8_FAULT_TRUNCATE);
    assert_near(mix.rows[0].upto, 0.01, 1e-12);
    assert_near(mix.rows[3].upto, 0.036, 1e-12);
    assert_int_equal(e8_fault_mix_parse(E8_LIT("hang"), &mix, NULL), E8_OK);
    assert_true(mix.count == 1 && mix.rows[0].upto == 1);
    assert_int_equal(e8_fault_mix_parse(E8_LIT("reset:50%,close:50%"), &mix, NULL), E8_OK);
}

static void bad_fault_mixes(void **state)
{
    static const struct {
        const char *text, *hint;
    } rows[] = {{"", "shares"},
                {"reset:", "shares"},
                {"reset:1%,", "shares"},
                {"reset:x", "shares"},
                {"reset:-1%", "shares"},
                {"reset:60%,hang:60%", "shares"},
                {"resett:1%", "\"reset\""},
                {"trunkate:1%", "\"truncate\""},
                {"explode:1%", "use reset"},
                {"reset:1", "1% or 0.01?"},
                {"reset:200%", "shares"}};
    struct e8_fault_mix mix;

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_err err = {0};

        if (e8_fault_mix_parse(e8_str(rows[i].text), &mix, &err) != E8_INPUT)
            fail_msg("\"%s\" was taken", rows[i].text);
        if (!strstr(err.hint, rows[i].hint))
            fail_msg("\"%s\": %s", rows[i].text, err.hint);
    }
}

static struct e8_spread latency(const char *text)
{
    struct e8_spread latency;
    struct e8_err err = {0};

    if (e8_spread_parse(e8_str(text), &latency, &err) != E8_OK)
        fail_msg("%s: %s", text, err.what);
    return latency;
}

static void bad_latencies(void **state)
{
    static const struct {
        const char *text, *hint;
    } rows[] = {{"", "a duration"},
                {"20", "a duration"},
                {"-5ms", "a duration"},
                {"2h", "a duration"},
                {"50ms..5ms", "range"},
                {"5ms..", "range"},
                {"..5ms", "range"},
                {"exp", "a duration"},
                {"exp:", "exp:20ms"},
                {"exp:1ms,2ms", "exp:20ms"},
                {"normal:20ms", "normal:"},
                {"normal:20ms,5ms,", "normal:"},
                {"normal:20ms,5", "normal:"},
                {"lognormal:20ms,0.5", "at least 1"},
                {"lognormal:20ms", "at least 1"},
                {"lognormal:20ms,x", "at least 1"},
                {"bimodal:5ms,500ms", "share"},
                {"bimodal:5ms,500ms,200%", "share"},
                {"bimodel:5ms,500ms,2%", "\"bimodal\""},
                {"gamma:1ms", "use exp"}};
    struct e8_spread out;

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_err err = {0};

        if (e8_spread_parse(e8_str(rows[i].text), &out, &err) != E8_INPUT)
            fail_msg("\"%s\" was taken", rows[i].text);
        if (!strstr(err.hint, rows[i].hint))
            fail_msg("\"%s\": %s", rows[i].text, err.hint);
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Sorted draws in milliseconds, and their mean. The caller frees them. */
static double *draws(const char *text, double *mean)
{
    struct e8_spread model = latency(text);
    struct e8_rng rng = e8_rng_new(42);
    double *out = e8_new(DRAWS, sizeof *out), sum = 0;

    for (size_t i = 0; i < DRAWS; i++) {
        e8_dur_ns drawn = e8_spread_draw(&model, &rng);

        assert_true(drawn >= 0);
        out[i] = (double)drawn / 1e6;
        sum += out[i];
    }
    *mean = sum / DRAWS;
    qsort(out, DRAWS, sizeof *out, by_value);
    return out;
}

static void latencies_are_distributed(void **state)
{
    /* mean, median, 99th percentile in ms, from the distributions' formulas; relative tolerance */
    static const struct {
        const char *text;
        double mean, p50, p99, tolerance;
    } rows[] = {
        {"0", 0, 0, 0, 1e-9},
        {"20ms", 20, 20, 20, 1e-9},
        {"250us", 0.25, 0.25, 0.25, 1e-9},
        {"5ms..50ms", 27.5, 27.5, 49.55, 0.01},
        {"exp:20ms", 20, 13.863, 92.103, 0.02},
        {"normal:20ms,5ms", 20, 20, 31.632, 0.01},
        {"lognormal:20ms,1.5", 21.713, 20, 51.364, 0.02},
        {"bimodal:5ms,500ms,2%", 14.9, 5, 500, 0.05},
    };

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        double mean, *sorted = draws(rows[i].text, &mean);

        assert_near(mean, rows[i].mean, rows[i].tolerance * rows[i].mean + 1e-9);
        assert_near(sorted[DRAWS / 2], rows[i].p50, rows[i].tolerance * rows[i].p50 + 1e-9);
        assert_near(sorted[DRAWS / 100 * 99], rows[i].p99, rows[i].tolerance * rows[i].p99 + 1e-9);
        free(sorted);
    }
}

static void normal_is_never_negative(void **state)
{
    double mean, *sorted = draws("normal:1ms,5ms", &mean);

    (void)state;
    assert_true(sorted[0] == 0);
    assert_true(sorted[DRAWS - 1] > 15);
    free(sorted);
}

static void set_of_keys(void **state)
{
    struct e8_seen seen = {.limit = 100000};

    (void)state;
    for (uint64_t i = 0; i < 100000; i++) {
        assert_false(e8_seen_has(&seen, e8_mix(7, i)));
        assert_true(e8_seen_add(&seen, e8_mix(7, i)));
        assert_false(e8_seen_add(&seen, e8_mix(7, i / 2)));
    }
    assert_true(e8_seen_full(&seen));
    assert_true(e8_seen_add(&seen, e8_mix(8, 1))); /* not kept */
    assert_true(e8_seen_add(&seen, e8_mix(8, 1)));
    assert_false(e8_seen_add(&seen, e8_mix(7, 5)));
    assert_int_equal(seen.count, 100000);
    e8_seen_fini(&seen);
}

static void set_takes_any_key(void **state)
{
    static const uint64_t keys[] = {0, UINT64_MAX, UINT64_C(1) << 56, 2, 64, 128};
    struct e8_seen seen = {.limit = 10};

    (void)state;
    for (size_t i = 0; i < E8_COUNT(keys); i++)
        assert_true(e8_seen_add(&seen, keys[i]));
    for (size_t i = 0; i < E8_COUNT(keys); i++)
        assert_true(e8_seen_has(&seen, keys[i]));
    e8_seen_fini(&seen);
}

int test_mix(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_mix_is_read),
        cmocka_unit_test(bad_status_mixes),
        cmocka_unit_test(long_status_mix),
        cmocka_unit_test(fault_mix_is_read),
        cmocka_unit_test(bad_fault_mixes),
        cmocka_unit_test(bad_latencies),
        cmocka_unit_test(latencies_are_distributed),
        cmocka_unit_test(normal_is_never_negative),
        cmocka_unit_test(set_of_keys),
        cmocka_unit_test(set_takes_any_key),
    };
    return cmocka_run_group_tests_name("mix", tests, NULL, NULL);
}
