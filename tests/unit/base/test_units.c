#include "groups.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Each parse function is tried on the text in a block of exactly its size; where it refuses, *out must stay. */
#define REFUSES(parse, type, text)                                                                           \
    do {                                                                                                     \
        type out_, before_;                                                                                  \
        memset(&out_, 0x5A, sizeof(out_));                                                                   \
        memcpy(&before_, &out_, sizeof(out_));                                                               \
        struct e8_str copy_ = flush_copy(text, strlen(text));                                                \
        if (parse(copy_, &out_))                                                                             \
            fail_msg("%s takes \"%s\"", #parse, text);                                                       \
        assert_memory_equal(&out_, &before_, sizeof(out_));                                                  \
        free((void *)(uintptr_t)copy_.p);                                                                    \
    } while (0)

#define ACCEPTS(parse, out, text)                                                                            \
    do {                                                                                                     \
        struct e8_str copy_ = flush_copy(text, strlen(text));                                                \
        if (!parse(copy_, out))                                                                              \
            fail_msg("%s refuses \"%s\"", #parse, text);                                                     \
        free((void *)(uintptr_t)copy_.p);                                                                    \
    } while (0)

/* What no number with or without a unit looks like. */
static const char *const nonsense[] = {
    "",   " ",   "-",   "+",     "+1",  " 1",  "1 ",   ".",   "x",        "1x",    "0x10",  "1e",
    "1.", "--1", "1,5", "1_000", "inf", "nan", "-inf", "NaN", "\xD9\xA1", "1\n",   "1.2.3", "/s",
    "%",  "s",   "KiB", "1e5s",  "- 1", "\t1", "1..2", "..1", "infinity", "0x1p3",
};

static void nothing_takes_nonsense(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(nonsense); i++) {
        REFUSES(e8_parse_u64, uint64_t, nonsense[i]);
        REFUSES(e8_parse_i64, int64_t, nonsense[i]);
        REFUSES(e8_parse_double, double, nonsense[i]);
        REFUSES(e8_parse_dur, e8_dur_ns, nonsense[i]);
        REFUSES(e8_parse_rate, struct e8_rate, nonsense[i]);
        REFUSES(e8_parse_size, uint64_t, nonsense[i]);
        REFUSES(e8_parse_share, double, nonsense[i]);
    }
    struct e8_str none = {NULL, 0}, inner = E8_LIT("1\0");
    uint64_t u;
    int64_t i;
    double d;
    struct e8_rate rate;
    assert_false(e8_parse_u64(none, &u) || e8_parse_i64(none, &i) || e8_parse_double(none, &d) ||
                 e8_parse_dur(none, &i) || e8_parse_rate(none, &rate) || e8_parse_size(none, &u) ||
                 e8_parse_share(none, &d));
    assert_false(e8_parse_u64(inner, &u) || e8_parse_i64(inner, &i) || e8_parse_double(inner, &d) ||
                 e8_parse_dur(inner, &i) || e8_parse_size(inner, &u) || e8_parse_share(inner, &d));
}

static void whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } rows[] = {
        {"0", 0},
        {"007", 7},
        {"42", 42},
        {"18446744073709551615", UINT64_MAX},
        {"0000000000000000000000000001", 1},
    };
    uint64_t u;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_u64, &u, rows[i].text);
        assert_true(u == rows[i].value);
    }
    REFUSES(e8_parse_u64, uint64_t, "18446744073709551616");
    REFUSES(e8_parse_u64, uint64_t, "99999999999999999999");
    REFUSES(e8_parse_u64, uint64_t, "184467440737095516150");
    REFUSES(e8_parse_u64, uint64_t, "-1");
    REFUSES(e8_parse_u64, uint64_t, "1.0");
}

static void signed_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"-7", -7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    int64_t i64;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_i64, &i64, rows[i].text);
        assert_true(i64 == rows[i].value);
    }
    REFUSES(e8_parse_i64, int64_t, "9223372036854775808");
    REFUSES(e8_parse_i64, int64_t, "-9223372036854775809");
    REFUSES(e8_parse_i64, int64_t, "1.0");
}

static const struct {
    const char *text;
    double value;
} doubles[] = {
    {"0", 0},
    {"1", 1},
    {"-1.5", -1.5},
    {".5", 0.5},
    {"-.5", -0.5},
    {"0.1", 0.1},
    {"1e3", 1000},
    {"1E+3", 1000},
    {"25e-1", 2.5},
    {"0e5", 0},
    {"1e-400", 0},
    {"4.9e-324", 0x1p-1074},
    {"1.7976931348623157e308", DBL_MAX},
    {"9007199254740993", 9007199254740992.0},
    {"0.30000000000000004", 0.30000000000000004},
};

static void check_doubles(void)
{
    double d;
    for (size_t i = 0; i < E8_COUNT(doubles); i++) {
        ACCEPTS(e8_parse_double, &d, doubles[i].text);
        if (d < doubles[i].value || d > doubles[i].value)
            fail_msg("\"%s\": %g", doubles[i].text, d);
    }
    REFUSES(e8_parse_double, double, "1,5");
}

static void decimals(void **state)
{
    (void)state;
    check_doubles();
    static const char *const bad[] = {"01",   "-01", "00",    "1e400", "-1e400",
                                      "1.e5", "1e+", "1e5.0", "-",     "1e5 "};
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_double, double, bad[i]);
    static char digits[1002]; /* a number may be long */
    memset(digits, '3', 1000);
    digits[1] = '.';
    double d;
    ACCEPTS(e8_parse_double, &d, digits);
    assert_true(fabs(d - 10.0 / 3) < 1e-15);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        e8_dur_ns value;
    } rows[] = {
        {"0", 0},
        {"0s", 0},
        {"0.0s", 0},
        {"5ns", 5},
        {"10us", 10000},
        {"10\xC2\xB5s", 10000}, /* micro sign */
        {"10\xCE\xBCs", 10000}, /* mu */
        {"250ms", 250 * E8_NS_MS},
        {"1.5s", 1500 * E8_NS_MS},
        {".5s", 500 * E8_NS_MS},
        {"1.50s", 1500 * E8_NS_MS},
        {"2m", 120 * E8_NS_S},
        {"1h30m", 5400 * E8_NS_S},
        {"1d", 86400 * E8_NS_S},
        {"1d2h3m4s5ms6us7ns", 93784005006007},
        {"0.001us", 1},
        {"0.000000001s", 1},
        {"1.000000000s", E8_NS_S},
        {"5.000ns", 5},
        {"0.1d", 8640 * E8_NS_S},
        {"0.3333333333333333s", 333333333},
        {"0.66666666666666666666666666666666s", 666666667},
        {"0.0000000005s", 1},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036.854775807s", INT64_MAX},
        {"106751d", INT64_C(106751) * 86400 * E8_NS_S},
    };
    e8_dur_ns dur;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_dur, &dur, rows[i].text);
        if (dur != rows[i].value)
            fail_msg("\"%s\": %lld", rows[i].text, (long long)dur);
    }
    static const char *const bad[] = {
        "1",
        "00",
        "0.0",
        "-1s",
        "-0",
        "+1s",
        "1 s",
        "1S",
        "1sec",
        "1s ",
        "30m1h",
        "1s1s",
        "1h30",
        "1.5ns",
        "0.00000000001s",
        "1.s",
        "9223372036854775808ns",
        "106752d",
        "9223372036.854775808s",
        "99999999999999999999d",
        "18446744073709551616ns",
        "106751d23h47m17s",
        "1e3s",
        "1us\xC2",
        "1w",
        "1y",
    };
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_dur, e8_dur_ns, bad[i]);
}

static void rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t num, den;
        double per_s;
    } rows[] = {
        {"500/s", 1, 2000000, 500},
        {"30/m", 1, 2000000000, 0.5},
        {"2.5/h", 1, 1440000000000, 2.5 / 3600},
        {"10/ms", 1, 100000, 10000},
        {"3/s", 3, 1000000000, 3},
        {"0.1/s", 1, 10000000000, 0.1},
        {".5/s", 1, 2000000000, 0.5},
        {"1/d", 1, 86400000000000, 1.0 / 86400},
        {"0/s", 0, 1, 0},
        {"1/ns", 1, 1, 1e9},
        {"18446744073709551615/ns", UINT64_MAX, 1, 18446744073709551615e9},
        {"1.0000000000000000000000/s", 1, 1000000000, 1},
    };
    struct e8_rate rate;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_rate, &rate, rows[i].text);
        if (rate.num != rows[i].num || rate.den != rows[i].den)
            fail_msg("\"%s\": %llu/%llu", rows[i].text, (unsigned long long)rate.num,
                     (unsigned long long)rate.den);
        assert_true(fabs(e8_rate_per_s(rate) - rows[i].per_s) <= 1e-12 * rows[i].per_s);
    }
    static const char *const bad[] = {
        "500",
        "500/",
        "500/x",
        "-1/s",
        "500 /s",
        "500/ s",
        "500/2s",
        "500/s ",
        "500/s/s",
        "1./s",
        "18446744073709551616/s",
        "0.00000000001/d",
        "1.12345678901234567890/s",
        "0.00000000000000000001/s",
        "500/S",
    };
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_rate, struct e8_rate, bad[i]);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } rows[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"64KiB", 65536},
        {"64k", 65536},
        {"1MB", 1000000},
        {"10M", 10485760},
        {"1kB", 1000},
        {"1.5MiB", 1572864},
        {".5k", 512},
        {"2G", 2147483648},
        {"1GB", 1000000000},
        {"1gib", 1073741824},
        {"1TiB", 1099511627776},
        {"3TB", 3000000000000},
        {"1.1KiB", 1126},
        {"18446744073709551615", UINT64_MAX},
        {"16777215TiB", UINT64_C(16777215) * 1099511627776},
        {"0.0M", 0},
    };
    uint64_t size;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_size, &size, rows[i].text);
        if (size != rows[i].value)
            fail_msg("\"%s\": %llu", rows[i].text, (unsigned long long)size);
    }
    static const char *const bad[] = {
        "-1",          "1.5",
        "0.5B",        "1 MB",
        "1MBs",        "1KiBB",
        "1P",          "18446744073709551616",
        "16777216TiB", "16777215.9999999999999TiB",
        "0.00001k",    "1e3",
    };
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_size, uint64_t, bad[i]);
}

static void faults_of_whole_numbers(void **state)
{
    static const char *const whole[] = {"0", "-1", "99999999999999999999999", "007"};
    static const char *const none[] = {"", "-", "many", "1.5", "1e3", "+1", "--1", " 1", "1 "};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(whole); i++)
        assert_string_equal(e8_whole_fault(e8_str(whole[i])), "is out of range");
    for (size_t i = 0; i < E8_COUNT(none); i++)
        assert_string_equal(e8_whole_fault(e8_str(none[i])), "is no whole number");
}

static void factors(void **state)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = {{"10x", 10}, {"10", 10}, {"0.5x", 0.5}, {"1e2x", 100}};
    static const char *const bad[] = {"", "x", "10xx", "10y", "10 x", "x10"};
    double factor;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_factor, &factor, rows[i].text);
        if (factor < rows[i].value || factor > rows[i].value) /* the same double */
            fail_msg("\"%s\": %.17g", rows[i].text, factor);
    }
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_factor, double, bad[i]);
}

static void shares(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"2%", 0.02}, {"0.5 %", 0.005}, {"0.02", 0.02}, {"0", 0},         {"0.99", 0.99},
        {"100%", 1},  {"0%", 0},        {".5", 0.5},    {"99.9%", 0.999}, {"5e-1", 0.5},
    };
    double share;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        ACCEPTS(e8_parse_share, &share, rows[i].text);
        if (share < rows[i].value || share > rows[i].value) /* the same double */
            fail_msg("\"%s\": %.17g", rows[i].text, share);
    }
    static const char *const bad[] = {"1",   "1.0", "2",   "1.01", "101%", "-1%",       "-0.1", "-0",
                                      "2%%", "%2",  "2% ", "1e9%", "1e1%", "100.0001%", " %"};
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        REFUSES(e8_parse_share, double, bad[i]);
}

static void share_hints(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hint;
    } rows[] = {
        {"1", "1% or 0.01? 100% is all"},
        {"99.9", "99.9% or 0.999? 100% is all"},
        {"100", "100%"},
        {"101", "else"},
        {"0.5", "else"},
        {"1%", "else"},
        {"", "else"},
        {"many", "else"},
        {"-1", "else"},
    };
    char hint[E8_SHARE_HINT_MAX];
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        assert_string_equal(e8_share_hint(e8_str(rows[i].text), "else", hint), rows[i].hint);
}

static void duration_texts(void **state)
{
    (void)state;
    static const struct {
        e8_dur_ns dur;
        const char *text;
    } rows[] = {
        {0, "0 ns"},
        {5, "5 ns"},
        {999, "999 ns"},
        {1000, "1 \u00b5s"},
        {1050, "1.05 \u00b5s"},
        {1004, "1 \u00b5s"},
        {1005, "1.01 \u00b5s"},
        {87000, "87 \u00b5s"},
        {87040, "87 \u00b5s"},
        {999499, "999 \u00b5s"},
        {999500, "1 ms"}, /* rounding carries into the next unit */
        {12345678, "12.3 ms"},
        {1234567890, "1.23 s"},
        {59999000000, "60 s"},
        {60 * E8_NS_S, "60 s"},
        {99949999999, "99.9 s"},
        {99950000000, "1m40s"},
        {100 * E8_NS_S, "1m40s"},
        {120 * E8_NS_S, "2m"},
        {121500 * E8_NS_MS, "2m2s"},
        {3599400 * E8_NS_MS, "59m59s"},
        {3599500 * E8_NS_MS, "1h"},
        {5400 * E8_NS_S, "1h30m"},
        {86399 * E8_NS_S, "1d"},
        {90061 * E8_NS_S, "1d1h"},
        {INT64_C(7) * 86400 * E8_NS_S, "7d"},
        {-12300000, "-12.3 ms"},
        {-120 * E8_NS_S, "-2m"},
        {INT64_MIN, "-106752d"},
        {INT64_MAX - 1, "106752d"},
        {E8_NEVER, "never"},
    };
    char out[E8_DUR_MAX];
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        assert_ptr_equal(e8_dur_text(rows[i].dur, out), out);
        assert_string_equal(out, rows[i].text);
    }
}

/* What is shown, without its space, can be given again, and is near. */
static void duration_texts_parse(void **state)
{
    (void)state;
    struct e8_rng rng = e8_rng_new(3);
    for (int i = 0; i < 20000; i++) {
        e8_dur_ns dur = (e8_dur_ns)(e8_rng_next(&rng) >> (2 + e8_rng_below(&rng, 62))), again;
        char out[E8_DUR_MAX];
        e8_dur_text(dur, out);
        char *space = strchr(out, ' ');
        if (space)
            memmove(space, space + 1, strlen(space));
        if (!e8_parse_dur(e8_str(out), &again))
            fail_msg("%lld: \"%s\"", (long long)dur, out);
        double allowed = dur < 100 * E8_NS_S ? 0.005 : 0.021;
        assert_true(fabs((double)again - (double)dur) <= allowed * (double)dur);
    }
}

/* A German locale of our own, since a machine may have none; false where it cannot be made. */
static bool make_locale(char *dir)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/de_DE.UTF-8", dir);
    const char *const words[] = {"localedef", "-c", "-i", "de_DE", "-f", "UTF-8", path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", 1, 0);
    pid_t pid;
    int status = -1;
    if (posix_spawnp(&pid, "localedef", &actions, NULL, (char *const *)(uintptr_t)words, environ) == 0)
        waitpid(pid, &status, 0);
    posix_spawn_file_actions_destroy(&actions);
    return status == 0 && setenv("LOCPATH", dir, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
}

static void remove_locale(const char *dir)
{
    char path[256];
    snprintf(path, sizeof(path), "%s", dir);
    const char *const words[] = {"rm", "-rf", path, NULL};
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, "rm", NULL, NULL, (char *const *)(uintptr_t)words, environ) == 0)
        waitpid(pid, &status, 0);
}

static void no_locale_matters(void **state)
{
    (void)state;
    char dir[] = "/tmp/e8-locale-XXXXXX", text[16], dur[E8_DUR_MAX];
    assert_non_null(mkdtemp(dir));
    bool german = make_locale(dir);
    remove_locale(dir);
    if (!german)
        skip();
    snprintf(text, sizeof(text), "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* the locale is in force */
    check_doubles();
    struct e8_buf buf;
    e8_buf_init(&buf, 100);
    e8_buf_printf(&buf, "%.2f", 1.5);
    assert_string_equal(e8_buf_cstr(&buf), "1.50");
    e8_buf_fini(&buf);
    assert_string_equal(e8_dur_text(1234567, dur), "1.23 ms");
    snprintf(text, sizeof(text), "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* and is the caller's again */
    setlocale(LC_ALL, "C");
}

int test_units(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_takes_nonsense),
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(decimals),
        cmocka_unit_test(durations),
        cmocka_unit_test(rates),
        cmocka_unit_test(sizes),
        cmocka_unit_test(faults_of_whole_numbers),
        cmocka_unit_test(factors),
        cmocka_unit_test(shares),
        cmocka_unit_test(share_hints),
        cmocka_unit_test(duration_texts),
        cmocka_unit_test(duration_texts_parse),
        cmocka_unit_test(no_locale_matters),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
