/* What steps expect, what is withheld, thresholds within braces, and the report as tests. */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

static void add_judged(struct sample *s, enum e8_outcome outcome, int status, enum e8_attempt_verdict verdict)
{
    struct e8_attempt attempt = sample_make(outcome, status, 5 * MS, "");
    attempt.verdict = (uint8_t)verdict;
    sample_attempt(s, &attempt);
}

static void what_ends_as_expected_is_no_failure(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 10; i++)
        add_judged(&s, E8_HTTP_4XX, 401, E8_EXPECTATION_MET);
    add_judged(&s, E8_DELIVERED, 200, E8_EXPECTED_NOTHING);
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "11 deliveries delivered");
    const struct e8_report_step step = {.id = "a:1", .type = "t", .expects = "401", .met = 10};
    s.more.steps = &step;
    s.more.step_count = 1;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "11 deliveries delivered, 10 expectations met");
    sample_fini(&s);
}

/* Nine of ten answers are 401: a wrong secret, unless it is what was expected. */
static void expected_refusals_have_tested_something(void **state)
{
    (void)state;
    for (int expected = 0; expected <= 9; expected += 9) {
        struct sample s;
        sample_init(&s);
        for (int i = 0; i < 9; i++)
            add_judged(&s, E8_HTTP_4XX, 401, i < expected ? E8_EXPECTATION_MET : E8_EXPECTED_NOTHING);
        add_judged(&s, E8_DELIVERED, 200, E8_EXPECTED_NOTHING);
        assert_int_equal(sample_report(&s)->verdict, expected ? E8_PASS : E8_INVALID);
        for (int i = 0; i < 20; i++)
            add_judged(&s, E8_HTTP_4XX, 404, E8_EXPECTED_NOTHING);
        s.run.planned = 0;
        assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
        sample_fini(&s);
    }
}

static void what_is_not_as_expected_fails(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    add_judged(&s, E8_DELIVERED, 200, E8_EXPECTATION_UNMET);
    for (int i = 0; i < 39; i++)
        add_judged(&s, E8_DELIVERED, 200, E8_EXPECTATION_MET);
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "1 delivery did not end as expected");
    const struct e8_report_step steps[] = {
        {.id = "a:1", .type = "t", .expects = "401", .met = 20, .unmet = 2},
        {.id = "a:2", .type = "t", .expects = "2xx", .met = 17, .unmet = 1}};
    s.more.steps = steps;
    s.more.step_count = 2;
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "3 of 40 expectations were not met");
    sample_rule(&s, "success >= 90%"); /* speaks of delivery, not of what was expected */
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    sample_rule(&s, "unmet <= 1");
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    sample_rule(&s, "unmet == 0");
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "unmet == 0: measured 1");
    sample_fini(&s);
}

/* An effect has no delivery of its own. */
static void an_effect_alone_fails(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    add_judged(&s, E8_DELIVERED, 200, E8_EXPECTATION_MET);
    const struct e8_report_step step = {
        .id = "a:1", .type = "t", .expects = "2xx; effect 1", .met = 1, .unmet = 1, .why = "effect 2"};
    s.more.steps = &step;
    s.more.step_count = 1;
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "1 of 2 expectations was not met");
    sample_fini(&s);
}

static void what_is_only_reported_never_fails(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    add_judged(&s, E8_HTTP_5XX, 500, E8_EXPECTATION_REPORTED);
    const struct e8_report_step step = {.id = "a:1",
                                        .type = "t",
                                        .expects = "2xx",
                                        .reports = true,
                                        .reported = 1,
                                        .why = "expected 2xx; got 500"};
    s.more.steps = &step;
    s.more.step_count = 1;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "reported  expected 2xx; got 500");
    free(text);
    sample_fini(&s);
}

static void withheld_is_neither_dropped_nor_failed(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    for (int i = 0; i < 5; i++) {
        e8_stats_planned(s.stats, 0, 0);
        e8_stats_withheld(s.stats, 0, 0);
    }
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "1 delivery delivered");
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "withheld   5");
    assert_lacks(text, "dropped");
    free(text);
    s.run.planned = 7;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "0 aborted, 5 withheld)");
    sample_fini(&s);
}

static void braces_measure_a_part(void **state)
{
    /* Of sample_fill: 80 deliveries at =analytics, all well; at crm 5 retries and 4 failed of 324. */
    static const struct {
        const char *rule;
        double measured;
        bool pass;
    } table[] = {
        {"failed{endpoint=crm} == 4", 4, true},
        {"failed{endpoint==analytics} == 0", 0, true},
        {"failed{type=message.received} == 4", 4, true},
        {"failed{type=conversation.*} == 0", 0, true},
        {"failed{type=*} == 4", 4, true},
        {"retries{type=conversation.*} == 5", 5, true},
        {"success{endpoint==analytics} >= 100%", 1, true},
        {"success{endpoint=crm} >= 99%", 320.0 / 324, false},
        {"status(5xx){type=conversation.*} > 2%", 5.0 / 205, true},
        {"status(5xx){endpoint==analytics} == 0", 0, true},
        {"outcome(reset){type=message.received} > 0", 1.0 / 204, true},
        {"max{endpoint==analytics} < 9ms", 8.5e6, true},
        {"max{type=*} < 9ms", 5e9, false},
        {"p(50){type=conversation.*} < 5ms", 4.902911e6, true},
        {"unmet{endpoint=crm} == 0", 0, true},
    };
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        s.threshold_count = 0;
        sample_rule(&s, table[i].rule);
        const struct e8_threshold_result *result = &sample_report(&s)->thresholds[0];
        if (!result->measurable || result->pass != table[i].pass ||
            result->measured < table[i].measured * 0.999 || result->measured > table[i].measured * 1.001)
            fail_msg("%s: %f, %s", table[i].rule, result->measured, result->pass ? "holds" : "fails");
    }
    s.threshold_count = 0;
    sample_rule(&s, "p(99){endpoint=nobody} < 1s");
    sample_rule(&s, "p(99){type=agent.*} < 1s"); /* took no part */
    assert_false(sample_report(&s)->thresholds[0].measurable);
    assert_false(s.report.thresholds[1].measurable);
    sample_fini(&s);
}

/* The parts of a partition add up to the whole. */
static void all_types_are_the_whole(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    static const char *const rules[][2] = {
        {"p(90) < 1s", "p(90){type=*} < 1s"},
        {"mean < 1s", "mean{type=*} < 1s"},
        {"rate > 1/s", "rate{type=*} > 1/s"},
        {"success > 1%", "success{type=*} > 1%"},
        {"status(4xx) < 1%", "status(4xx){type=*} < 1%"},
        {"retries < 9", "retries{type=*} < 9"},
    };
    for (size_t i = 0; i < E8_COUNT(rules); i++) {
        s.threshold_count = 0;
        sample_rule(&s, rules[i][0]);
        sample_rule(&s, rules[i][1]);
        const struct e8_threshold_result *result = sample_report(&s)->thresholds;
        assert_true(result[0].measured > 0);
        assert_true(result[0].measured >= result[1].measured && result[0].measured <= result[1].measured);
    }
    sample_fini(&s);
}

static void names_in_braces_are_checked(void **state)
{
    static const struct {
        const char *rule, *what, *hint; /* NULL: good */
    } table[] = {
        {"p(99){endpoint=crm} < 1s", NULL, NULL},
        {"p(99){type=message.*} < 1s", NULL, NULL},
        {"p(99) < 1s", NULL, NULL},
        {"p(99){endpoint=crn} < 1s", "threshold \"p(99){endpoint=crn} < 1s\": there is no endpoint \"crn\"",
         "did you mean \"crm\"?"},
        {"p(99){type=mesage.received} < 1s", "no event type is \"mesage.received\"",
         "did you mean \"message.received\"?"},
        {"p(99){type=m*} < 1s", "no event type is \"m*\"", "a category like"},
    };
    (void)state;
    struct sample s;
    sample_init(&s);
    const char *const types[] = {"message.received", "agent.deployed", NULL};
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_threshold t;
        struct e8_err err = {0};
        assert_int_equal(e8_threshold_parse(e8_str(table[i].rule), &t, NULL), E8_OK);
        enum e8_rc rc = e8_threshold_check(&t, s.run.endpoints, s.run.endpoint_count, types, &err);
        assert_int_equal(rc, table[i].what ? E8_INPUT : E8_OK);
        if (table[i].what) {
            assert_has(err.what, table[i].what);
            assert_has(err.hint, table[i].hint);
        }
    }
    sample_fini(&s);
}

static bool lost(const struct sample *s, const char *rule, e8_dur_ns elapsed)
{
    struct e8_threshold t;
    assert_int_equal(e8_threshold_parse(e8_str(rule), &t, NULL), E8_OK);
    return e8_threshold_lost(&t, &s->run, s->stats, elapsed);
}

static void a_run_is_stopped_where_nothing_can_be_mended(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    assert_false(lost(&s, "p(99) < 1ms", 10 * E8_NS_S)); /* nothing measured yet */
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "");
    assert_true(lost(&s, "failed == 0", 0)); /* what only grows is sure at once */
    assert_true(lost(&s, "failed < 1", 0));
    assert_false(lost(&s, "failed <= 1", 0));
    assert_false(lost(&s, "failed >= 2", 0)); /* may come */
    assert_false(lost(&s, "failed == 2", 0));
    assert_true(lost(&s, "max < 5ms", 0));
    assert_false(lost(&s, "max > 1s", 0));
    assert_true(lost(&s, "min > 6ms", 0));
    assert_false(lost(&s, "min < 1ms", 0));
    assert_false(lost(&s, "success >= 99%", 10 * E8_NS_S)); /* one of one says nothing */
    for (int i = 0; i < 98; i++)
        sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "");
    assert_false(lost(&s, "success >= 99%", 10 * E8_NS_S));
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "");
    assert_false(lost(&s, "success >= 99%", E8_NS_S - 1));
    assert_true(lost(&s, "success >= 99%", E8_NS_S));
    assert_true(lost(&s, "success{endpoint=crm} >= 99%", E8_NS_S));
    assert_false(lost(&s, "success{endpoint==analytics} >= 99%", E8_NS_S));
    assert_true(lost(&s, "p(99) < 5ms", E8_NS_S));
    assert_false(lost(&s, "p(99) < 6ms", E8_NS_S));
    sample_fini(&s);
}

static void a_stopped_run_failed_by_its_threshold(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "max < 1s");
    sample_rule(&s, "success >= 90%");
    s.thresholds[1].abort = true;
    s.more.aborted = &s.thresholds[1];
    s.run.interrupted = true;
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_has(s.report.reason, "stopped early, because it cannot hold: success >= 90%: measured 99");
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "\nFAIL  stopped early, because it cannot");
    assert_lacks(text, "interrupted)");
    free(text);
    sample_fini(&s);
}

static void a_step_that_stops_the_run_fails_it(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    s.more.stopped_by_step = true;
    s.more.flows_stopped = 2;
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "a step that failed stopped the run");
    assert_true(sample_warns(&s.report, "2 flow instances ended early"));
    sample_fini(&s);
}

static const struct e8_report_step steps[] = {
    {.id = "forged",
     .type = "message.received",
     .expects = "400, 401 or 403",
     .met = 37,
     .unmet = 3,
     .why = "expected 400, 401 or 403; got 200",
     .delivery_id = "dlv_01jd5xq2v0abcdefghjkmnpqrs"},
    {.id = "story.yaml:12", .type = "conversation.created", .expects = "2xx within 5 s", .met = 1200},
    {.id = "story.yaml:14", .type = "message.sent", .expects = "2xx", .reports = true, .reported = 4},
    {.id = "story.yaml:15", .type = "message.sent", .expects = "2xx; effect 1", .not_measured = 4},
    {.id = "story.yaml:16", .type = "message.sent", .expects = "2xx"},
};

static void steps_and_spread_are_shown(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    struct e8_hist *spread = e8_hist_new();
    for (int i = 1; i <= 20; i++)
        e8_hist_record(spread, i * 40 * E8_NS_US);
    s.more = (struct e8_report_more){.steps = steps, .step_count = E8_COUNT(steps), .spread = spread};
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "Expectations                                                  1,237 of 1,240 met\n");
    assert_has(text, "✗  forged                37/40  expected 400, 401 or 403; got 200\n");
    assert_has(text, "✓  story.yaml:12   1,200/1,200  2xx within 5 s\n");
    assert_has(text, "i  story.yaml:14      reported  2xx\n");
    assert_has(text, "–  story.yaml:15  not measured  2xx; effect 1\n");
    assert_has(text, "–  story.yaml:16   not reached  2xx\n");
    assert_has(text, "Concurrent copies");
    assert_has(text, "20 releases · p50 400 µs · p95 760 µs · max 800 µs\n");
    assert_true(widest(text) <= 80);
    free(text);
    e8_hist_free(&spread);
    sample_fini(&s);
}

static void the_report_is_a_list_of_tests(void **state)
{
    static const struct {
        enum e8_format format;
        const char *parts[7];
    } table[] = {
        {E8_FORMAT_TAP,
         {"TAP version 14\n1..7\n",
          "\nnot ok 1 - forged message.received: 400, 401 or 403\n  ---\n  message: \"3 of 40 not as "
          "expected: expected 400, "
          "401 or 403; got 200\"\n",
          "  reproduce: |\n    emit8 log 'it'\\''s a.db' --show dlv_01jd5xq2v0abcdefghjkmnpqrs\n",
          "\nok 2 - story.yaml:12 conversation.created: 2xx within 5 s\n",
          "\nok 4 - story.yaml:15 message.sent: 2xx; effect 1 # SKIP its effect was not measured\n",
          "\nok 6 - success >= 90%\n", "\nnot ok 7 - max < 1s\n  ---\n  message: \"measured 5 s\"\n"}},
        {E8_FORMAT_JUNIT,
         {"<testsuites name=\"support-day\" tests=\"7\" failures=\"2\" errors=\"0\" skipped=\"2\"",
          "classname=\"expectations\" name=\"forged message.received: 400, 401 or 403\"",
          "classname=\"thresholds\" name=\"max &lt; 1s\"",
          "<property name=\"seed\" value=\"18446744073709551615\"/>",
          "<failure message=\"measured 5 s\" type=\"failure\">", NULL}},
        {E8_FORMAT_MARKDOWN,
         {"## ❌ FAIL: support-day\n",
          "| forged | message.received: 400, 401 or 403 | 3 of 40 not as expected",
          "| story.yaml:14 | message.sent: 2xx | as expected |", "· seed 18446744073709551615", NULL}},
    };
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    s.more = (struct e8_report_more){.steps = steps, .step_count = E8_COUNT(steps), .log = "it's a.db"};
    sample_rule(&s, "success >= 90%");
    sample_rule(&s, "max < 1s");
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        char *text = sample_text(sample_report(&s), table[i].format, (struct e8_style){0});
        for (size_t k = 0; k < E8_COUNT(table[i].parts) && table[i].parts[k]; k++)
            assert_has(text, table[i].parts[k]);
        assert_clean(text, false);
        free(text);
    }
    sample_fini(&s);
}

static void without_anything_judged_the_deliveries_are_the_test(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    char *text = sample_text(sample_report(&s), E8_FORMAT_TAP, (struct e8_style){0});
    assert_has(text, "1..1\n");
    assert_has(text, "\nok 1 - deliveries\n");
    free(text);
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "");
    s.run.planned = 0;
    text = sample_text(sample_report(&s), E8_FORMAT_TAP, (struct e8_style){0});
    assert_has(text, "\nnot ok 1 - deliveries\n  ---\n  message: \"1 of 2 deliveries ended undelivered\"\n");
    free(text);
    sample_fini(&s);
}

static void formats_of_reports_have_names(void **state)
{
    static const struct {
        const char *name;
        enum e8_format format;
    } table[] = {{"text", E8_FORMAT_TEXT},        {"json", E8_FORMAT_JSON}, {"ndjson", E8_FORMAT_NDJSON},
                 {"csv", E8_FORMAT_CSV},          {"tap", E8_FORMAT_TAP},   {"junit", E8_FORMAT_JUNIT},
                 {"markdown", E8_FORMAT_MARKDOWN}};
    enum e8_format format;
    struct e8_err err = {0};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        assert_int_equal(e8_report_format(table[i].name, &format, &err), E8_OK);
        assert_int_equal(format, table[i].format);
    }
    assert_int_equal(e8_report_format("junti", &format, &err), E8_INPUT);
    assert_string_equal(err.hint, "did you mean \"junit\"?");
    assert_int_equal(e8_report_format("table", &format, &err), E8_INPUT);
    assert_false(e8_format_find(E8_LIT("tap"), &format)); /* rows of the log are no tests */
}

const struct CMUnitTest expectation_tests[] = {
    cmocka_unit_test(what_ends_as_expected_is_no_failure),
    cmocka_unit_test(expected_refusals_have_tested_something),
    cmocka_unit_test(what_is_not_as_expected_fails),
    cmocka_unit_test(an_effect_alone_fails),
    cmocka_unit_test(what_is_only_reported_never_fails),
    cmocka_unit_test(withheld_is_neither_dropped_nor_failed),
    cmocka_unit_test(braces_measure_a_part),
    cmocka_unit_test(all_types_are_the_whole),
    cmocka_unit_test(names_in_braces_are_checked),
    cmocka_unit_test(a_run_is_stopped_where_nothing_can_be_mended),
    cmocka_unit_test(a_stopped_run_failed_by_its_threshold),
    cmocka_unit_test(a_step_that_stops_the_run_fails_it),
    cmocka_unit_test(steps_and_spread_are_shown),
    cmocka_unit_test(the_report_is_a_list_of_tests),
    cmocka_unit_test(without_anything_judged_the_deliveries_are_the_test),
    cmocka_unit_test(formats_of_reports_have_names),
};
const size_t expectation_count = E8_COUNT(expectation_tests);
