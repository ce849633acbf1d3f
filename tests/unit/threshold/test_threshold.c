#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "threshold/threshold.h"

static void good_ones_are_read(void **state)
{
    static const struct {
        const char *text;
        enum e8_measure measure;
        enum e8_of of;
        double quantile;
        enum e8_compare compare;
        double bound;
    } table[] = {
        {"p(99) < 250ms", E8_MEASURE_QUANTILE, E8_OF_RESPONSE, 0.99, E8_LT, 250e6},
        {"p(99.9)<=1.5s", E8_MEASURE_QUANTILE, E8_OF_RESPONSE, 0.999, E8_LE, 1.5e9},
        {"  p ( 0 )  >=  0  ", E8_MEASURE_QUANTILE, E8_OF_RESPONSE, 0, E8_GE, 0},
        {"p(100) < 1h30m", E8_MEASURE_QUANTILE, E8_OF_RESPONSE, 1, E8_LT, 5400e9},
        {"send_lag p(99) < 1ms", E8_MEASURE_QUANTILE, E8_OF_LAG, 0.99, E8_LT, 1e6},
        {"service_time max < 2s", E8_MEASURE_MAX, E8_OF_SERVICE, 0, E8_LT, 2e9},
        {"response_time mean < 2s", E8_MEASURE_MEAN, E8_OF_RESPONSE, 0, E8_LT, 2e9},
        {"min > 5ns", E8_MEASURE_MIN, E8_OF_RESPONSE, 0, E8_GT, 5},
        {"avg < 10us", E8_MEASURE_MEAN, E8_OF_RESPONSE, 0, E8_LT, 1e4},
        {"max == 1s", E8_MEASURE_MAX, E8_OF_RESPONSE, 0, E8_EQ, 1e9},
        {"success >= 99.9%", E8_MEASURE_SUCCESS, E8_OF_RESPONSE, 0, E8_GE, 0.999},
        {"success >= 0.5", E8_MEASURE_SUCCESS, E8_OF_RESPONSE, 0, E8_GE, 0.5},
        {"status(5xx) < 0.1%", E8_MEASURE_STATUS, E8_OF_RESPONSE, 0, E8_LT, 0.001},
        {"outcome(reset) == 0", E8_MEASURE_OUTCOME, E8_OF_RESPONSE, 0, E8_EQ, 0},
        {"rate >= 490/s", E8_MEASURE_RATE, E8_OF_RESPONSE, 0, E8_GE, 490},
        {"rate > 30/m", E8_MEASURE_RATE, E8_OF_RESPONSE, 0, E8_GT, 0.5},
        {"failed == 0", E8_MEASURE_FAILED, E8_OF_RESPONSE, 0, E8_EQ, 0},
        {"retries <= 12", E8_MEASURE_RETRIES, E8_OF_RESPONSE, 0, E8_LE, 12},
        {"unmet == 0", E8_MEASURE_UNMET, E8_OF_RESPONSE, 0, E8_EQ, 0},
        {"dropped == 0", E8_MEASURE_DROPPED, E8_OF_RESPONSE, 0, E8_EQ, 0},
        {"attempt_rate >= 490/s", E8_MEASURE_ATTEMPT_RATE, E8_OF_RESPONSE, 0, E8_GE, 490},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t;
        struct e8_err err = {0};
        memset(&t, 0xff, sizeof t);
        if (e8_threshold_parse(e8_str(table[i].text), &t, &err)) {
            fail_msg("%s: %s", table[i].text, err.what);
        }
        assert_int_equal(t.measure, table[i].measure);
        assert_int_equal(t.of, table[i].of);
        assert_true(fabs(t.quantile - table[i].quantile) < 1e-12);
        assert_int_equal(t.compare, table[i].compare);
        assert_true(fabs(t.bound - table[i].bound) <= 1e-9 * (1 + table[i].bound));
        assert_true(t.endpoint[0] == '\0' && t.type[0] == '\0' && !t.abort);
        assert_null(strstr(t.text, "  "));
        struct e8_threshold again; /* the log keeps the text, and reads it again */
        assert_int_equal(e8_threshold_parse(e8_str(t.text), &again, NULL), E8_OK);
        assert_memory_equal(&again, &t, sizeof t);
    }
}

static void statuses_and_outcomes_have_their_range(void **state)
{
    struct e8_threshold t;
    (void)state;
    assert_int_equal(e8_threshold_parse(E8_LIT("status(4xx) < 1%"), &t, NULL), E8_OK);
    assert_int_equal(t.status_low, 400);
    assert_int_equal(t.status_high, 499);
    assert_int_equal(e8_threshold_parse(E8_LIT("status( 503 ) < 1%"), &t, NULL), E8_OK);
    assert_int_equal(t.status_low, 503);
    assert_int_equal(t.status_high, 503);
    assert_int_equal(e8_threshold_parse(E8_LIT("outcome(timeout_first_byte) < 1%"), &t, NULL), E8_OK);
    assert_string_equal(t.outcome, "timeout_first_byte");
}

static void braces_narrow_it_down(void **state)
{
    static const struct {
        const char *text, *endpoint, *type;
        enum e8_measure measure;
        double bound;
    } table[] = {
        {"p(99){endpoint=crm} < 500ms", "crm", "", E8_MEASURE_QUANTILE, 500e6},
        {"p(99) { endpoint = my-crm.2 } < 500ms", "my-crm.2", "", E8_MEASURE_QUANTILE, 500e6},
        {"success{type=message.*} >= 99.9%", "", "message.*", E8_MEASURE_SUCCESS, 0.999},
        {"status(5xx){type=*}<1%", "", "*", E8_MEASURE_STATUS, 0.01},
        {"outcome(reset){endpoint=a} < 1%", "a", "", E8_MEASURE_OUTCOME, 0.01},
        {"rate{endpoint=a} > 5/s", "a", "", E8_MEASURE_RATE, 5},
        {"unmet{endpoint=a} == 0", "a", "", E8_MEASURE_UNMET, 0},
        {"response_time max{endpoint=a} < 1s", "a", "", E8_MEASURE_MAX, 1e9},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t;
        struct e8_err err = {0};
        if (e8_threshold_parse(e8_str(table[i].text), &t, &err)) {
            fail_msg("%s: %s", table[i].text, err.what);
        }
        assert_string_equal(t.endpoint, table[i].endpoint);
        assert_string_equal(t.type, table[i].type);
        assert_int_equal(t.measure, table[i].measure);
        assert_true(fabs(t.bound - table[i].bound) <= 1e-9 * (1 + table[i].bound));
    }
}

static void bad_ones_say_why(void **state)
{
    static const struct {
        const char *text, *what, *hint; /* parts of them */
    } table[] = {
        {"", "nothing that a run measures", "p(99)"},
        {"latency < 5ms", "\"latency\" is nothing that a run measures", "like"},
        {"sucess >= 99%", "\"sucess\"", "success"},
        {"p99 < 5ms", "p needs an argument", "like"},
        {"p(99 < 5ms", "p needs an argument", "like"},
        {"p() < 5ms", "\"\" is no percentile", "p(99.9)"},
        {"p(101) < 5ms", "\"101\" is no percentile", "p(99.9)"},
        {"p(-1) < 5ms", "\"-1\" is no percentile", "p(99.9)"},
        {"p(nan) < 5ms", "no percentile", "p(99.9)"},
        {"p(99)", "has no comparison", "one of < <= > >= =="},
        {"p(99) = 5ms", "has no comparison", "=="},
        {"p(99) != 5ms", "has no comparison", "=="},
        {"p(99) <", "\"\" is no duration", "unit"},
        {"p(99) < 5", "\"5\" is no duration", "unit"},
        {"p(99) < -5ms", "\"-5ms\" is no duration", "unit"},
        {"p(99) < 5ms or so", "\"5ms or so\" is no duration", "unit"},
        {"p(99) < 99%", "no duration", "unit"},
        {"success >= 99.9", "\"99.9\" is no share", "99.9%"},
        {"status(5xx) < 1", "\"1\" is no share", "1% or 0.01?"},
        {"dropped{endpoint=a} == 0", "over the whole run alone", "dropped == 0"},
        {"success >= 101%", "no share", "99.9%"},
        {"success >= 5ms", "no share", "99.9%"},
        {"status < 1%", "status needs an argument", "like"},
        {"status(6xx) < 1%", "\"6xx\" is no status", "5xx"},
        {"status(99) < 1%", "\"99\" is no status", "5xx"},
        {"status(600) < 1%", "\"600\" is no status", "5xx"},
        {"status(5XX) < 1%", "\"5XX\" is no status", "5xx"},
        {"outcome() < 1%", "\"\" is no outcome", "reset"},
        {"outcome(rest) < 1%", "\"rest\" is no outcome", "reset"},
        {"outcome(xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) < 1%", "is no outcome", "reset"},
        {"rate >= 490", "\"490\" is no rate", "490/s"},
        {"failed == -1", "\"-1\" is no count", "failed == 0"},
        {"failed == many", "\"many\" is no count", "failed == 0"},
        {"retries < 1e999", "is no count", ""},
        {"send_lag success > 5%", "\"success\" is nothing that a run measures", ""},
        {"send_lag < 5ms", "\"\" is nothing that a run measures", ""},
        {"p(99){endpoint=crm < 5ms", "a brace is not closed", "{endpoint=crm}"},
        {"p(99){} < 5ms", "\"\" narrows nothing down", "{type=message.*}"},
        {"p(99){crm} < 5ms", "\"crm\" narrows nothing down", "{type=message.*}"},
        {"p(99){endpiont=crm} < 5ms", "\"endpiont\" narrows nothing down", "did you mean \"endpoint\"?"},
        {"p(99){endpoint=} < 5ms", "\"\" is no endpoint's name", "{endpoint=crm}"},
        {"p(99){endpoint=a,type=b} < 5ms", "is no endpoint's name", "one of them"},
        {"p(99){type=a b} < 5ms", "\"a b\" is no type's name", "one of them"},
        {"send_lag p(99){endpoint=crm} < 5ms", "over the whole run alone", "p(99){endpoint=crm}"},
        {"service_time max{type=*} < 5ms", "over the whole run alone", "p(99){endpoint=crm}"},
        {"status(503){endpoint=crm} < 5%", "single statuses", "status(5xx){endpoint=crm}"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t;
        struct e8_err err = {0};
        if (!e8_threshold_parse(e8_str(table[i].text), &t, &err)) {
            fail_msg("%s was taken", table[i].text);
        }
        assert_int_equal(err.rc, E8_INPUT);
        if (!strstr(err.what, table[i].what) || !strstr(err.hint, table[i].hint)) {
            fail_msg("%s: \"%s\" (%s)", table[i].text, err.what, err.hint);
        }
        assert_true(err.hint[0]);
    }
}

static void slices_need_no_end(void **state)
{
    struct e8_threshold t;
    (void)state;
    static const char text[] = "success >= 99.9%";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, text, n);
        enum e8_rc rc = e8_threshold_parse((struct e8_str){copy, n}, &t, NULL);
        assert_int_equal(rc, E8_INPUT); /* without its % it is no share either */
        free(copy);
    }
}

static void long_texts_are_refused_and_blanks_are_not_counted(void **state)
{
    char text[400];
    struct e8_threshold t;
    (void)state;
    memset(text, ' ', sizeof text);
    memcpy(text, "success", 7);
    memcpy(text + 300, ">= 1%", 6);
    assert_int_equal(e8_threshold_parse(e8_str(text), &t, NULL), E8_OK);
    assert_string_equal(t.text, "success >= 1%");
    memset(text, '0', sizeof text);
    memcpy(text, "failed == 0.", 12);
    memcpy(text + 300, "1", 2);
    struct e8_err err = {0};
    assert_int_equal(e8_threshold_parse(e8_str(text), &t, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "more than 191 bytes"));
}

static void comparisons_hold(void **state)
{
    static const struct {
        enum e8_compare compare;
        bool below, at, above;
    } table[] = {
        {E8_LT, true, false, false}, {E8_LE, true, true, false},  {E8_GT, false, false, true},
        {E8_GE, false, true, true},  {E8_EQ, false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t = {.compare = table[i].compare, .bound = 10};
        assert_int_equal(e8_threshold_holds(&t, 9), table[i].below);
        assert_int_equal(e8_threshold_holds(&t, 10), table[i].at);
        assert_int_equal(e8_threshold_holds(&t, 11), table[i].above);
        assert_false(e8_threshold_holds(&t, (double)NAN)); /* not measured is never passed */
    }
}

static void values_have_units(void **state)
{
    static const struct {
        const char *text;
        double value;
        const char *shown;
    } table[] = {
        {"max < 1s", 12.3e6, "12.3 ms"},           {"success > 1%", 0.99951, "99.95 %"},
        {"rate > 1/s", 490.25, "490.2/s"},         {"failed == 0", 3, "3"},
        {"retries == 0", 1e6, "1000000"},          {"p(99) < 1s", 0, "0"},
        {"p(99) < 1s", (double)INFINITY, "never"},
    };
    char out[48];
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t;
        assert_int_equal(e8_threshold_parse(e8_str(table[i].text), &t, NULL), E8_OK);
        e8_threshold_value_text(&t, table[i].value, out);
        if (strncmp(out, table[i].shown, strlen(table[i].shown)) != 0) {
            fail_msg("%s: %s instead of %s", table[i].text, out, table[i].shown);
        }
    }
}

static void changes_are_read(void **state)
{
    static const struct {
        const char *text, *normal;
        bool relative;
        double bound;
    } table[] = {
        {"p(99) > +10%", "p(99) > +10%", true, 0.1},
        {" p(99.9)  >=  + 20ms ", "p(99.9) >= + 20ms", false, 20e6},
        {"success < -0.1pp", "success < -0.1pp", false, -0.001},
        {"success < -0.1%", "success < -0.1%", true, -0.001},
        {"rate < -5/s", "rate < -5/s", false, -5},
        {"failed > +0", "failed > +0", false, 0},
        {"p(95){endpoint=crm} > +5%", "p(95){endpoint=crm} > +5%", true, 0.05},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_regression rule;
        assert_int_equal(e8_regression_parse(e8_str(table[i].text), &rule, NULL), E8_OK);
        assert_string_equal(rule.of.text, table[i].normal);
        assert_int_equal(rule.relative, table[i].relative);
        assert_true(fabs(rule.of.bound - table[i].bound) < 1e-9);
    }
}

static void bad_changes_say_why(void **state)
{
    static const struct {
        const char *text, *what;
    } table[] = {
        {"p(99) > 10%", "\"10%\" is no change: a change has a sign"},
        {"p(99) > +10pp", "\"+10pp\" is no change of p"},
        {"success < -0.1", "\"-0.1\" is no change of a share"},
        {"p(99) > +10", "\"10\" is no duration"},
        {"p(99) == +10%", "\"p(99) == +10%\" has no comparison"},
        {"p(99)", "\"p(99)\" has no comparison"},
        {"p(99) > +x%", "\"+x%\" is no change of p"},
        {"p(99) > +-1%", "\"+-1%\" is no change of p"},
        {"p(99) > ", "\"\" is no change: a change has a sign"},
        {"speed > +1%", "\"speed\" is nothing that a run measures"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_regression rule;
        struct e8_err err = {0};
        assert_int_equal(e8_regression_parse(e8_str(table[i].text), &rule, &err), E8_INPUT);
        assert_string_equal(err.what, table[i].what);
        assert_true(err.hint[0]);
    }
}

static void changes_are_found(void **state)
{
    static const struct {
        const char *rule;
        double before, after;
        bool found;
    } table[] = {
        {"p(99) > +10%", 100, 110, false},    {"p(99) > +10%", 100, 110.1, true},
        {"p(99) >= +10%", 100, 110, true},    {"p(99) > +10%", 100, 50, false},
        {"p(99) > +20ms", 1e6, 21e6, false},  {"p(99) > +20ms", 1e6, 21.1e6, true},
        {"rate < -5%", 100, 94, true},        {"rate < -5%", 100, 96, false},
        {"failed > +10%", 0, 1, true},        {"failed > +10%", 0, 0, false},
        {"success < -1pp", 0.99, 0.97, true}, {"success < -1pp", 0.99, 0.985, false},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_regression rule;
        assert_int_equal(e8_regression_parse(e8_str(table[i].rule), &rule, NULL), E8_OK);
        if (e8_regression_found(&rule, table[i].before, table[i].after) != table[i].found)
            fail_msg("%s: %f to %f", table[i].rule, table[i].before, table[i].after);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_ones_are_read),
        cmocka_unit_test(statuses_and_outcomes_have_their_range),
        cmocka_unit_test(braces_narrow_it_down),
        cmocka_unit_test(bad_ones_say_why),
        cmocka_unit_test(slices_need_no_end),
        cmocka_unit_test(long_texts_are_refused_and_blanks_are_not_counted),
        cmocka_unit_test(comparisons_hold),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(changes_are_read),
        cmocka_unit_test(bad_changes_say_why),
        cmocka_unit_test(changes_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
