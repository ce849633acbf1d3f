/* The text format, byte by byte. That others read it is shown where whole answers are made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "prometheus/prometheus.h"

static char memory[8192];

static struct e8_buf empty(void)
{
    struct e8_buf out;

    e8_buf_fixed(&out, memory, sizeof memory);
    return out;
}

static void families(void **state)
{
    struct e8_buf out = empty();

    (void)state;
    e8_prom_family(&out, "emit8_a_total", "counter", "What \"it\" is\\was\nhere.");
    assert_string_equal(e8_buf_cstr(&out),
                        "# HELP emit8_a_total What \"it\" is\\\\was\\nhere.\n# TYPE emit8_a_total counter\n");
}

static void samples(void **state)
{
    static const struct e8_label labels[] = {{"a", "x"}, {"b", "y z"}};
    struct e8_buf out = empty();

    (void)state;
    e8_prom_count(&out, "n", NULL, 0, 0);
    e8_prom_count(&out, "n", labels, 1, UINT64_MAX);
    e8_prom_count(&out, "n", labels, 2, 42);
    e8_prom_seconds(&out, "s", NULL, 0, 1500 * E8_NS_US);
    e8_prom_seconds(&out, "s", labels, 1, 1770000000123456789);
    assert_string_equal(e8_buf_cstr(&out), "n 0\nn{a=\"x\"} 18446744073709551615\nn{a=\"x\",b=\"y z\"} 42\n"
                                           "s 0.0015\ns{a=\"x\"} 1.77e+09\n");
}

static void values_are_escaped(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"", ""},
        {NULL, ""},
        {"plain", "plain"},
        {"\"", "\\\""},
        {"\\", "\\\\"},
        {"a\nb", "a\\nb"},
        {"\"} 1\nemit8_forged{a=\"", "\\\"} 1\\nemit8_forged{a=\\\""},
        {"\xc3\xa4\xf0\x9f\x98\x80", "\xc3\xa4\xf0\x9f\x98\x80"},
        {"\xff", "\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xed\xa0\x80z", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"},
        {"\r\t\x01", "\r\t\x01"}, /* the format has no escape for these, and needs none */
    };

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_label label = {"v", rows[i].in};
        struct e8_buf out = empty();
        char wanted[256];
        struct e8_buf text;

        e8_prom_count(&out, "n", &label, 1, 1);
        e8_buf_fixed(&text, wanted, sizeof wanted);
        e8_buf_printf(&text, "n{v=\"%s\"} 1\n", rows[i].out);
        assert_string_equal(e8_buf_cstr(&out), e8_buf_cstr(&text));
    }
}

static void histograms(void **state)
{
    static const struct e8_label label = {"a", "x"};
    struct e8_prom_histogram histogram = {0};
    struct e8_buf out = empty();

    (void)state;
    e8_prom_record(&histogram, 0);
    e8_prom_record(&histogram, E8_NS_MS); /* a bound belongs to what is below it */
    e8_prom_record(&histogram, E8_NS_MS + 1);
    e8_prom_record(&histogram, 61 * E8_NS_S);
    e8_prom_histogram(&out, "h", &label, 1, &histogram);
    const char *text = e8_buf_cstr(&out);
    assert_ptr_equal(strstr(text, "h_bucket{a=\"x\",le=\"0.001\"} 2\nh_bucket{a=\"x\",le=\"0.0025\"} 3\n"
                                  "h_bucket{a=\"x\",le=\"0.005\"} 3\nh_bucket{a=\"x\",le=\"0.01\"} 3\n"),
                     text);
    assert_non_null(strstr(text, "h_bucket{a=\"x\",le=\"60\"} 3\nh_bucket{a=\"x\",le=\"+Inf\"} 4\n"
                                 "h_sum{a=\"x\"} 61.002\nh_count{a=\"x\"} 4\n"));
    out = empty();
    e8_prom_histogram(&out, "h", NULL, 0, &histogram);
    assert_ptr_equal(strstr(e8_buf_cstr(&out), "h_bucket{le=\"0.001\"} 2\n"), out.p);
    assert_non_null(strstr(out.p, "\nh_count 4\n"));
}

/* What stands in `le` is the bound, and they ascend. */
static void bounds_are_what_they_say(void **state)
{
    static const struct e8_prom_histogram none;
    struct e8_buf out = empty();

    (void)state;
    e8_prom_histogram(&out, "h", NULL, 0, &none);
    const char *at = e8_buf_cstr(&out);
    for (size_t i = 0; i < E8_PROM_BOUNDS; i++) {
        at = strstr(at, "le=\"") + strlen("le=\"");
        double seconds = 0;
        assert_true(e8_parse_double((struct e8_str){at, strcspn(at, "\"")}, &seconds));
        assert_int_equal((int64_t)(seconds * 1e9 + 0.5), e8_prom_bounds[i]);
        assert_true(i == 0 || e8_prom_bounds[i] > e8_prom_bounds[i - 1]);
    }
    assert_non_null(strstr(at, "le=\"+Inf\"} 0\nh_sum 0\nh_count 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families),
        cmocka_unit_test(samples),
        cmocka_unit_test(values_are_escaped),
        cmocka_unit_test(histograms),
        cmocka_unit_test(bounds_are_what_they_say),
    };

    return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}
