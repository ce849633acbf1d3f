#include "sample.h"

#include <stdlib.h>
#include <string.h>

static void one_delivery_passes(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    const struct e8_report *report = sample_report(&s);
    assert_int_equal(report->verdict, E8_PASS);
    assert_string_equal(report->reason, "1 delivery delivered");
    assert_int_equal(report->warning_count, 1);
    assert_true(sample_warns(report, "p50 and above of 1 sample are indicative only"));
    sample_fini(&s);
}

static void no_attempt_is_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "no attempt was made");
    s.run.interrupted = true;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "no attempt was made");
    sample_fini(&s);
}

static void only_aborted_is_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_ABORTED, 0, 5 * MS, "");
    s.run.interrupted = true;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "no delivery came to its end");
    sample_fini(&s);
}

static void what_was_not_begun_is_of_the_plan(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 38; i++)
        sample_add(&s, E8_DELIVERED, 200, MS, "");
    s.run.interrupted = true;
    s.more.early = s.more.sized = true;
    s.more.not_begun = 1962;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "38 deliveries delivered");
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "2,000 planned");
    assert_has(text, "  not begun  1,962  98.10 %");
    assert_lacks(text, "without an end");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(text, "\"planned\":2000,\"delivered\":38,");
    assert_has(text, "\"not_begun\":1962}");
    assert_has(text, "\"not_begun\":null}"); /* of an endpoint */
    free(text);
    text = sample_text(&s.report, E8_FORMAT_CSV, (struct e8_style){80, false});
    assert_has(text, ",1962,0\n");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_HTML, (struct e8_style){80, false});
    assert_has(text, "38 of 2,000 deliveries; 1,962 were not begun");
    free(text);
    s.more.sized = false;
    text = sample_text(sample_report(&s), E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(text, "\"planned\":38,\"delivered\":38,");
    assert_lacks(text, "1962");
    free(text);
    sample_fini(&s);
}

/* What is dropped is a share of what the run came to. */
static void what_was_not_begun_excuses_no_drops(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 100; i++)
        sample_add(&s, E8_DELIVERED, 200, MS, "");
    e8_stats_planned(s.stats, 0, 0);
    e8_stats_dropped(s.stats, 0, 0);
    s.run.interrupted = true;
    s.more.early = s.more.sized = true;
    s.more.not_begun = 1000000;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "0.99 % of the planned deliveries were dropped");
    sample_fini(&s);
}

static void what_a_hand_did_is_told(void **state)
{
    (void)state;
    static const struct {
        struct e8_report_more more;
        const char *says;
    } rows[] = {
        {{.by_hand = true}, "the rate was changed by hand"},
        {{.by_hand = true, .paused = 1200 * MS}, "the rate was changed by hand: paused for 1.2 s"},
        {{.by_hand = true, .open = true, .factor_least = 1, .factor_most = 1.331, .changed_at = 2100 * MS},
         "the rate was changed by hand: ×1 to ×1.33, first at 2.1 s; whether it was kept is not judged"},
        {{.by_hand = true,
          .paused = 1200 * MS,
          .factor_least = 0.683,
          .factor_most = 1,
          .changed_at = 10 * MS},
         "the rate was changed by hand: ×0.683 to ×1, first at 10 ms; paused for 1.2 s"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        sample_init(&s);
        sample_add(&s, E8_DELIVERED, 200, MS, "");
        s.more = rows[i].more;
        sample_report(&s);
        assert_string_equal(s.report.warnings[0], rows[i].says);
        sample_fini(&s);
    }
}

/* The plan's own rate is kept beside the one that a hand made of it. */
static void both_rates_are_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 5; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        attempt.times = (struct e8_times){i * 250 * MS, i * 250 * MS, i * 250 * MS + MS};
        sample_attempt(&s, &attempt);
    }
    s.more = (struct e8_report_more){.open = true,
                                     .by_hand = true,
                                     .schedule = {5, 0, 1333333333, 0, 1000 * MS},
                                     .factor_least = 1,
                                     .factor_most = 2,
                                     .changed_at = 40 * MS};
    char *text = sample_text(sample_report(&s), E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(text, "\"planned_per_s\":3.000,\"achieved_per_s\":");
    assert_has(text, "\"by_hand\":{\"due_per_s\":4.000,\"factor_least\":1.000,\"factor_most\":2.000,\"first_"
                     "s\":0.040,\"paused_s\":0.000}");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "rate 4.0/s of 4.0/s by hand, 3.0/s planned");
    free(text);
    sample_fini(&s);
}

/* `refused` of ten answers, then one attempt that nobody answered, which is not counted. */
static enum e8_run_verdict verdict_of_refusals(int refused, int status, char reason[160])
{
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 10; i++)
        sample_add(&s, i < refused ? E8_HTTP_4XX : E8_DELIVERED, i < refused ? status : 200, 5 * MS, "");
    sample_add(&s, E8_RESET, 0, 5 * MS, "");
    enum e8_run_verdict verdict = sample_report(&s)->verdict;
    memcpy(reason, s.report.reason, 160);
    sample_fini(&s);
    return verdict;
}

static void ninety_percent_refused_is_invalid(void **state)
{
    (void)state;
    static const int refusals[] = {401, 403, 404, 405};
    char reason[160];
    for (size_t i = 0; i < E8_COUNT(refusals); i++) {
        assert_int_equal(verdict_of_refusals(9, refusals[i], reason), E8_INVALID);
        assert_int_equal(verdict_of_refusals(8, refusals[i], reason), E8_FAIL);
    }
    assert_int_equal(verdict_of_refusals(10, 404, reason), E8_INVALID);
    assert_string_equal(reason, "nothing was tested: 100 % of the answers are 404 (is the URL right?)");
    assert_int_equal(verdict_of_refusals(10, 401, reason), E8_INVALID);
    assert_has(reason, "is the secret right?");
    assert_int_equal(verdict_of_refusals(10, 422, reason), E8_FAIL);
}

static void a_generator_outcome_is_invalid(void **state)
{
    (void)state;
    static const enum e8_outcome ours[] = {E8_GEN_FD, E8_GEN_PORT, E8_GEN_MEMORY, E8_FORBIDDEN_TARGET};
    for (size_t i = 0; i < E8_COUNT(ours); i++) {
        struct sample s;
        sample_init(&s);
        sample_fill(&s);
        sample_add(&s, ours[i], 0, 5 * MS, "");
        assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
        assert_has(s.report.reason, e8_outcome_info(ours[i])->name);
        sample_fini(&s);
    }
}

static enum e8_run_verdict verdict_of_drops(unsigned dropped)
{
    struct sample s;
    sample_init(&s);
    for (unsigned i = 0; i < 2000 - dropped; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    for (unsigned i = 0; i < dropped; i++) {
        e8_stats_planned(s.stats, 0, 0);
        e8_stats_dropped(s.stats, 0, 0);
    }
    enum e8_run_verdict verdict = sample_report(&s)->verdict;
    assert_true(verdict == E8_INVALID ? strstr(s.report.reason, "dropped") != NULL
                                      : sample_warns(&s.report, "dropped at the in-flight limit"));
    sample_fini(&s);
    return verdict;
}

static void more_than_a_thousandth_dropped_is_invalid(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_drops(2), E8_PASS);
    assert_int_equal(verdict_of_drops(3), E8_INVALID);
}

static void clamped_values_are_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 2 * E8_HIST_MAX, "");
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "2 measured times are outside the histogram's range");
    sample_fini(&s);
}

static void what_does_not_add_up_is_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    s.run.planned = 2;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "deliveries do not add up: 2 planned, 1 ended");
    s.run.aborted = 1;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    s.run.aborted = 2;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    sample_fini(&s);
}

static void verdict_line_is(const struct sample *s, const char *line, const char *reason)
{
    char *text = sample_text(&s->report, E8_FORMAT_TEXT, (struct e8_style){0});
    const char *last = strstr(text, line);
    assert_true(last && last[-1] == '\n' && strlen(last) == strlen(line));
    free(text);
    text = sample_text(&s->report, E8_FORMAT_JSON, (struct e8_style){0});
    assert_has(text, reason);
    free(text);
}

static void an_interrupted_run_keeps_its_verdict(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    s.run.planned = 5;
    s.run.interrupted = true;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "1 delivery delivered");
    verdict_line_is(&s, "PASS (interrupted)  1 delivery delivered\n", "interrupted; 1 delivery delivered");
    assert_true(
        sample_warns(&s.report, "4 of 5 planned deliveries have no end, because the run was interrupted"));
    sample_add(&s, E8_RESET, 0, 5 * MS, "");
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    verdict_line_is(&s, "FAIL (interrupted)  1 of 2 deliveries ended undelivered\n",
                    "interrupted; 1 of 2 deliveries ended undelivered");
    sample_fini(&s);
}

static void a_run_without_an_end_is_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    e8_stats_planned(s.stats, 0, 0);
    s.run.ended = 0;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_string_equal(s.report.reason, "the run has no end in the log: it was killed, or is still running");
    assert_false(sample_warns(&s.report, "no end in the log"));
    assert_true(
        sample_warns(&s.report, "1 of 2 planned deliveries have no end, because the run has not ended"));
    sample_add(&s, E8_GEN_FD, 0, 5 * MS, "");
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "no end in the log");
    assert_true(sample_warns(&s.report, "on emit8's own side"));
    sample_fini(&s);
}

static void a_disabled_endpoint_is_named(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    assert_false(sample_warns(sample_report(&s), "410"));
    struct e8_attempt gone = sample_make(E8_GONE, 410, 5 * MS, "");
    gone.endpoint = 1;
    sample_attempt(&s, &gone);
    assert_true(sample_warns(sample_report(&s), "endpoint =analytics answered 410, which disabled it"));
    assert_false(sample_warns(&s.report, "endpoint crm"));
    sample_fini(&s);
    sample_init(&s); /* a delivery sent again disables nothing */
    gone.trigger = E8_TRIGGER_RESEND;
    sample_attempt(&s, &gone);
    assert_false(sample_warns(sample_report(&s), "disabled"));
    sample_fini(&s);
}

static void withhold(struct sample *s, unsigned endpoint, int count)
{
    for (int i = 0; i < count; i++) {
        e8_stats_planned(s->stats, endpoint, 0);
        e8_stats_gone(s->stats, endpoint, 0);
    }
}

/* They are of the plan, fail the run, and are told in every format. */
static void what_a_410_withholds_counts(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 10; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    withhold(&s, 1, 29);
    sample_rule(&s, "failed == 0"); /* says nothing of what was not sent */
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason,
                        "29 of 39 planned ones were withheld, since a 410 disabled endpoint =analytics");
    assert_true(sample_warns(&s.report,
                             "endpoint =analytics answered 410 in the warm-up, which disabled it: 29 "
                             "deliveries were withheld from it"));
    sample_rule(&s, "success >= 90%");
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason,
                        "success >= 90%: measured 25.641 %; 29 deliveries were withheld, since a "
                        "410 disabled endpoint =analytics");
    s.threshold_count = 1;
    sample_rule(&s, "success >= 25%");
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    assert_string_equal(s.report.reason, "29 of 39 planned ones were withheld, since a 410 disabled endpoint "
                                         "=analytics, which the thresholds allow");
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "  withheld   29  74.36 %");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(text,
               "\"planned\":39,\"delivered\":10,\"failed\":0,\"dropped\":0,\"aborted\":0,\"withheld\":29,"
               "\"gone\":29,");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_CSV, (struct e8_style){80, false});
    assert_has(text, ",0,0,29,0,0,0,29\n");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_HTML, (struct e8_style){80, false});
    assert_has(text, "10 of 39 deliveries; 29 were withheld");
    free(text);
    sample_fini(&s);
}

static void where_all_is_gone_nothing_was_tested(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    withhold(&s, 0, 50);
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_string_equal(s.report.reason,
                        "nothing was tested: a 410 disabled endpoint crm before anything was measured");
    withhold(&s, 1, 1);
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "nothing was tested: 410s disabled 2 endpoints");
    sample_fini(&s);
}

static void many_disabled_endpoints_leave_room(void **state)
{
    (void)state;
    struct sample s;
    struct e8_log_endpoint many[12];
    sample_init(&s);
    e8_stats_free(&s.stats);
    s.stats = e8_stats_new(E8_COUNT(many), TYPES);
    for (uint16_t i = 0; i < E8_COUNT(many); i++) {
        struct e8_attempt gone = sample_make(E8_GONE, 410, 5 * MS, "");
        gone.endpoint = i;
        many[i] = (struct e8_log_endpoint){.name = "some"};
        sample_attempt(&s, &gone);
    }
    s.run.endpoints = many;
    s.run.endpoint_count = E8_COUNT(many);
    assert_true(sample_warns(sample_report(&s), "a 410 disabled 7 further endpoints"));
    sample_fini(&s);
}

static enum e8_run_verdict verdict_with_failure(const char *rule)
{
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 99; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "HTTP 500");
    if (rule)
        sample_rule(&s, rule);
    enum e8_run_verdict verdict = sample_report(&s)->verdict;
    sample_fini(&s);
    return verdict;
}

static void an_undelivered_delivery_fails_unless_a_threshold_speaks_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        enum e8_run_verdict verdict;
    } rows[] = {
        {NULL, E8_FAIL},
        {"p(99) < 250ms", E8_FAIL},
        {"retries == 0", E8_FAIL},
        {"success >= 99%", E8_PASS},
        {"success >= 99.1%", E8_FAIL},
        {"failed <= 1", E8_PASS},
        {"failed == 0", E8_FAIL},
        {"status(5xx) < 2%", E8_PASS},
        {"status(500) < 0.5%", E8_FAIL},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        assert_int_equal(verdict_with_failure(rows[i].rule), rows[i].verdict);
}

/* emit8 merge judges the thresholds once, over all shards; what a shard can say alone it says. */
static void a_shard_leaves_its_thresholds(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    s.run.shard = 2;
    s.run.shards = 4;
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "HTTP 500");
    sample_rule(&s, "p(99) < 1ms");
    const struct e8_report *report = sample_report(&s);
    assert_int_equal(report->verdict, E8_FAIL); /* no threshold speaks of it */
    assert_int_equal(report->threshold_count, 0);
    assert_true(sample_warns(report, "1 threshold is left to emit8 merge"));
    sample_rule(&s, "success >= 99%");
    report = sample_report(&s);
    assert_int_equal(report->verdict, E8_PASS);
    assert_true(sample_warns(report, "2 thresholds are left to emit8 merge"));
    s.run.shard = 0; /* all of them, merged */
    report = sample_report(&s);
    assert_int_equal(report->verdict, E8_FAIL);
    assert_int_equal(report->threshold_count, 2);
    sample_fini(&s);
}

static void a_shard_says_that_it_was_sent(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 3; i++)
        sample_add(&s, E8_HTTP_5XX, 500, MS, "HTTP 500");
    s.run.shard = 1;
    s.run.shards = 2;
    sample_rule(&s, "success >= 99%");
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){120, false});
    assert_has(text, "\nSENT  3 of 3 deliveries ended undelivered: every answer was 500; emit8 merge judges "
                     "the thresholds\n");
    assert_lacks(text, "PASS");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_HTML, (struct e8_style){80, false});
    assert_has(text, ">SENT<");
    free(text);
    s.threshold_count = 0; /* nothing is left to be judged later */
    assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
    assert_string_equal(s.report.reason, "3 of 3 deliveries ended undelivered: every answer was 500");
    sample_fini(&s);
}

/* None of the plan fell to it. */
static void an_empty_shard_is_not_invalid(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    s.run.shard = s.run.shards = 3;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    s.run.shard = 0;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    sample_fini(&s);
}

static void thresholds_measure_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        double measured;
        bool pass;
    } rows[] = {
        {"min >= 1ms", 1e6, true},
        {"max < 2s", 5e9, false},
        {"send_lag max <= 20us", 2e4, true},
        {"service_time max < 4999ms", 4999980000.0, false},
        {"success >= 99%", 400.0 / 404, true},
        {"status(2xx) > 97%", 400.0 / 409, true},
        {"status(422) == 0", 2.0 / 409, false},
        {"outcome(reset) < 1%", 1.0 / 409, true},
        {"failed == 4", 4, true},
        {"retries <= 4", 5, false},
    };
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        sample_rule(&s, rows[i].rule);
    const struct e8_report *report = sample_report(&s);
    assert_int_equal(report->verdict, E8_FAIL);
    assert_int_equal(report->threshold_count, E8_COUNT(rows));
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const struct e8_threshold_result *result = &report->thresholds[i];
        assert_true(result->measurable);
        assert_int_equal(result->pass, rows[i].pass);
        assert_true(result->measured > rows[i].measured * 0.9999 &&
                    result->measured < rows[i].measured * 1.0001);
    }
    assert_string_equal(report->reason, "max < 2s: measured 5 s; 3 others missed too");
    sample_fini(&s);
}

static void a_quantile_is_that_of_the_histogram(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "p(95) < 1s");
    sample_rule(&s, "rate > 1/s");
    const struct e8_tally *all = e8_stats_all(s.stats);
    const struct e8_report *report = sample_report(&s);
    assert_true(report->thresholds[0].measured >= (double)e8_hist_quantile(all->response, 0.95));
    assert_true(report->thresholds[0].measured <= (double)e8_hist_quantile(all->response, 0.95));
    double rate = 404 / ((double)(all->span.last_done - all->span.first_due) / 1e9);
    assert_true(report->thresholds[1].measured > rate * 0.9999 &&
                report->thresholds[1].measured < rate * 1.0001);
    sample_fini(&s);
}

static void what_is_not_measured_never_passes(void **state)
{
    (void)state;
    static const char *const rules[] = {"p(99) < 250ms", "max < 1s", "mean < 1s", "failed == 0"};
    for (size_t i = 0; i < E8_COUNT(rules); i++) {
        struct sample s;
        sample_init(&s);
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, 5 * MS, "");
        attempt.bytes_sent = 0; /* nothing in the histograms */
        if (i < 3)
            sample_attempt(&s, &attempt);
        sample_rule(&s, rules[i]);
        const struct e8_report *report = sample_report(&s);
        assert_false(report->thresholds[0].measurable);
        assert_false(report->thresholds[0].pass);
        assert_int_equal(report->verdict, i < 3 ? E8_FAIL : E8_INVALID);
        if (i < 3)
            assert_has(report->reason, ": not measured");
        sample_fini(&s);
    }
}

static void no_threshold_is_lost(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    for (size_t i = 0; i < RULES_MOST - 1; i++)
        sample_rule(&s, "success >= 50%");
    sample_rule(&s, "max < 1s");
    const struct e8_report *report = sample_report(&s);
    assert_int_equal(report->verdict, E8_FAIL);
    assert_int_equal(report->threshold_count, 32);
    assert_true(sample_warns(report, "8 further thresholds"));
    sample_fini(&s);
}

static void invalid_goes_before_fail(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_add(&s, E8_GEN_FD, 0, 5 * MS, "");
    s.run.planned = 500;
    sample_rule(&s, "max < 1s");
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "1 attempt failed on emit8's own side (gen_fd 1)");
    assert_true(sample_warns(&s.report, "deliveries do not add up"));
    assert_false(s.report.thresholds[0].pass);
    sample_fini(&s);
}

static void run_facts_warn(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    s.run.insecure = true;
    s.run.stalls = 3;
    const struct e8_report *report = sample_report(&s);
    assert_int_equal(report->verdict, E8_PASS);
    assert_true(sample_warns(report, "certificates were not verified"));
    assert_true(sample_warns(report, "3 times a worker had to wait"));
    sample_fini(&s);
}

static bool warns_of_lag(e8_dur_ns lag, e8_dur_ns response)
{
    struct sample s;
    sample_init(&s);
    struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, response, "");
    attempt.times.sent = attempt.times.due + lag;
    sample_attempt(&s, &attempt);
    bool warns = sample_warns(sample_report(&s), "send lag p99");
    assert_int_equal(s.report.verdict, E8_PASS);
    sample_fini(&s);
    return warns;
}

static void late_sending_warns(void **state)
{
    (void)state;
    assert_false(warns_of_lag(990 * E8_NS_US, 2 * MS));
    assert_true(warns_of_lag(1100 * E8_NS_US, 2 * MS));
    assert_false(warns_of_lag(9 * MS, 100 * MS));
    assert_true(warns_of_lag(11 * MS, 100 * MS));
}

static void flags_warn(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (unsigned i = 0; i < 200; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, 5 * MS, "");
        attempt.flags |= i < 1 ? E8_FLAG_TRAILING_BYTES : 0;
        attempt.flags |= i < 2 ? E8_FLAG_BODY_CAPPED | E8_FLAG_RECONNECTED : 0;
        sample_attempt(&s, &attempt);
    }
    assert_true(sample_warns(sample_report(&s), "1 attempt had bytes after the response"));
    assert_true(sample_warns(&s.report, "2 attempts had a longer body"));
    assert_false(sample_warns(&s.report, "kept-alive")); /* exactly 1 % */
    struct e8_attempt attempt = sample_make(E8_STALE_CONNECTION, 0, MS, "");
    attempt.last = false;
    sample_attempt(&s, &attempt);
    attempt = sample_make(E8_DELIVERED, 200, MS, "");
    attempt.number = 2;
    sample_attempt(&s, &attempt);
    s.run.planned = 0;
    assert_true(
        sample_warns(sample_report(&s), "closed kept-alive connections in 1.49 % of the attempts (3)"));
    assert_false(sample_warns(&s.report, "HTTP/2"));
    for (unsigned i = 0; i < 5; i++) { /* closed by emit8, for what lay there */
        attempt.flags = E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES;
        sample_attempt(&s, &attempt);
    }
    assert_true(sample_warns(sample_report(&s), "in 1.45 % of the attempts (3)"));
    s.more.goaways = 1;
    s.more.refused = 2;
    assert_true(sample_warns(sample_report(&s), "ended 1 connection by GOAWAY and refused 2 streams"));
    sample_fini(&s);
}

static void samples_warn_once(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (unsigned i = 0; i < 10000; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    assert_true(sample_warns(sample_report(&s), "p99.9 of 10,000 samples is indicative only"));
    assert_int_equal(s.report.warning_count, 1);
    for (unsigned i = 0; i < 90000; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    s.run.planned = 0;
    assert_int_equal(sample_report(&s)->warning_count, 0);
    sample_fini(&s);
}

/* So many deliveries, `apart` from one another, the last of which begins `late`. */
static void paced(struct sample *s, unsigned count, e8_dur_ns apart, e8_dur_ns late)
{
    for (unsigned i = 0; i < count; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
        e8_dur_ns lag = i + 1 == count ? late : 0;
        attempt.times.due += i * apart;
        attempt.times.sent = attempt.times.due + lag;
        attempt.times.done = attempt.times.sent + MS;
        attempt.phases.total = MS;
        sample_attempt(s, &attempt);
    }
    s->more.open = s->more.load = true;
}

static bool rate_invalid(unsigned count, e8_dur_ns apart, e8_dur_ns late, bool open)
{
    struct sample s;
    sample_init(&s);
    paced(&s, count, apart, late);
    s.more.open = open;
    bool invalid = sample_report(&s)->verdict == E8_INVALID;
    if (invalid)
        assert_has(s.report.reason, "the rate was not kept: ");
    sample_fini(&s);
    return invalid;
}

static void a_rate_that_is_not_kept_is_invalid(void **state)
{
    (void)state;
    /* 2,001 deliveries in 10 s: 100 ms, and the grace of 50 */
    assert_false(rate_invalid(2001, 5 * MS, 150 * MS, true));
    assert_true(rate_invalid(2001, 5 * MS, 151 * MS, true));
    assert_false(rate_invalid(2001, 5 * MS, 151 * MS, false));
    /* too few, or too short, to tell */
    assert_false(rate_invalid(999, 5 * MS, 5000 * MS, true));
    assert_true(rate_invalid(1000, MS, 61 * MS, true));
    assert_false(rate_invalid(1001, MS * 99 / 100, 5000 * MS, true));
}

static void the_rate_is_told_with_its_cause(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    paced(&s, 2001, 5 * MS, 2500 * MS);
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_string_equal(s.report.reason,
                        "the rate was not kept: 160/s of 200/s planned, the last delivery began 2.5 s late; "
                        "lower the rate, raise --in-flight, or use more --workers or machines");
    s.run.resumes = 3; /* it begins behind its schedule */
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    sample_fini(&s);
}

/* What waits at the bound of our own does not wait by chance: 30 deliveries are enough to tell. */
static void a_bound_that_was_reached_is_named(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    paced(&s, 30, 10 * MS, 2500 * MS);
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "rate 10.4/s of 100.0/s");
    free(text);
    s.more.bound = 5;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_string_equal(s.report.reason,
                        "the rate was not kept: 10.4/s of 100/s planned, the last delivery began 2.5 s late; "
                        "--in-flight 5 was reached; raise it, or lower the rate");
    assert_true(sample_warns(&s.report, "--in-flight 5 was reached, so that deliveries waited for a place: "
                                        "send lag p99 is 2.5 s"));
    assert_false(sample_warns(&s.report, "emit8 was late"));
    sample_add(&s, E8_GEN_FD, 0, 5 * MS, ""); /* more in flight would need more files */
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "raise ulimit -n, or lower --in-flight or the load");
    assert_true(sample_warns(&s.report, "--in-flight 5 was reached; lower the rate"));
    sample_fini(&s);
    sample_init(&s);
    paced(&s, 30, 10 * MS, 2500 * MS);
    s.more.crowd = 7;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    assert_has(s.report.reason, "7 deliveries waited for a retry, the most that may; lower the rate");
    assert_true(sample_warns(&s.report, "7 deliveries waited for a retry, the most that may, and kept others "
                                        "waiting: send lag p99 is 2.5 s"));
    sample_fini(&s);
    sample_init(&s); /* reached, and nobody waited long */
    paced(&s, 30, 10 * MS, 40 * MS);
    s.more.bound = 5;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    sample_fini(&s);
}

static void what_was_not_signed_is_told(void **state)
{
    (void)state;
    struct e8_log_endpoint endpoints[ENDPOINTS] = {{.name = "crm", .scheme = "none"},
                                                   {.name = "audit", .scheme = "8bit"}};
    struct sample s;
    sample_init(&s);
    sample_add(&s, E8_DELIVERED, 200, MS, "");
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_lacks(text, "signed");
    free(text);
    s.run.endpoints = endpoints;
    text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "not signed: crm");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_HTML, (struct e8_style){80, false});
    assert_has(text, "not signed: crm");
    free(text);
    text = sample_text(&s.report, E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(text, "\"scheme\":\"none\",\"signed\":false");
    assert_has(text, "\"scheme\":\"8bit\",\"signed\":true");
    free(text);
    endpoints[1].scheme = "none";
    text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){80, false});
    assert_has(text, "not signed: no secret");
    assert_int_equal(s.report.verdict, E8_PASS);
    free(text);
    sample_fini(&s);
}

static enum e8_run_verdict verdict_of_pressure(struct sample *s, struct e8_pressure pressure, bool load)
{
    sample_init(s);
    paced(s, 10, MS, 0);
    s->more.open = false;
    s->more.load = load;
    s->more.pressure = pressure;
    return sample_report(s)->verdict;
}

static void a_full_loop_is_invalid(void **state)
{
    (void)state;
    static const struct {
        struct e8_pressure pressure;
        bool load;
        enum e8_run_verdict verdict;
        const char *says; /* the warning, or NULL */
    } rows[] = {
        {{.busy = 900, .windows = 1000, .full = 11}, true, E8_INVALID, NULL},
        {{.busy = 900, .windows = 1000, .full = 10}, true, E8_PASS, "busy for 90 % of the time"},
        {{.busy = 801, .windows = 10, .full = 9}, true, E8_PASS, "busy for 80 % of the time"},
        {{.busy = 800, .windows = 10, .full = 0}, true, E8_PASS, NULL},
        {{.busy = 999, .windows = 9, .full = 9}, true, E8_PASS, NULL},
        {{.busy = 999, .windows = 500, .full = 250}, false, E8_PASS, "over 95 % busy in 50.00 %"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        assert_int_equal(verdict_of_pressure(&s, rows[i].pressure, rows[i].load), rows[i].verdict);
        if (rows[i].verdict == E8_INVALID)
            assert_string_equal(
                s.report.reason,
                "emit8 itself was the limit: a loop was over 95 % busy in 1.10 % of its 1,000 "
                "windows of 100 ms; use more --workers, cores or machines");
        assert_int_equal(sample_warns(&s.report, "busy"), rows[i].says != NULL);
        if (rows[i].says)
            assert_true(sample_warns(&s.report, rows[i].says));
        sample_fini(&s);
    }
}

/* Refusals come as fast as a loop asks: that says nothing of emit8, and there is no receiver to be crowded. */
static void a_full_loop_that_delivers_nothing_fails(void **state)
{
    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        struct sample s;
        sample_init(&s);
        s.more.load = s.more.local = true;
        s.more.pressure = (struct e8_pressure){.busy = 990, .windows = 20, .full = 19, .cpu = 999};
        for (int i = 0; i < 20; i++) {
            struct e8_attempt attempt =
                sent ? sample_make(E8_HTTP_5XX, 503, MS, "") : sample_make(E8_CONNECT_REFUSED, 0, MS, "");
            attempt.bytes_sent = sent ? 600 : 0;
            sample_attempt(&s, &attempt);
        }
        assert_int_equal(sample_report(&s)->verdict, E8_FAIL);
        assert_string_equal(
            s.report.reason,
            sent ? "20 of 20 deliveries ended undelivered: every answer was 503"
                 : "20 of 20 deliveries ended undelivered: every attempt ended in connect_refused");
        assert_int_equal(sample_warns(&s.report, "busy"), sent);
        assert_int_equal(sample_warns(&s.report, "shares this machine"), sent);
        sample_fini(&s);
    }
}

static void a_receiver_beside_us_warns_when_it_is_crowded(void **state)
{
    (void)state;
    for (unsigned cpu = 700; cpu <= 701; cpu++) {
        for (int local = 0; local <= 1; local++) {
            struct sample s;
            verdict_of_pressure(&s, (struct e8_pressure){.windows = 50, .cpu = cpu}, true);
            s.more.local = local;
            assert_int_equal(sample_warns(sample_report(&s), "the receiver shares this machine"),
                             local && cpu > 700);
            sample_fini(&s);
        }
    }
}

/* Three were answered, a fourth was sent: three or four receipts may there be. */
static void receipts_must_add_up(void **state)
{
    (void)state;
    for (uint64_t receipts = 2; receipts <= 5; receipts++) {
        struct sample s;
        sample_init(&s);
        for (int i = 0; i < 3; i++)
            sample_add(&s, E8_DELIVERED, 200, MS, "");
        sample_add(&s, E8_RESET, 0, MS, "");
        sample_rule(&s, "failed <= 1");
        s.more.has_receipts = true;
        s.more.receipts = receipts;
        bool holds = receipts == 3 || receipts == 4;
        assert_int_equal(sample_report(&s)->verdict, holds ? E8_PASS : E8_INVALID);
        if (!holds)
            assert_has(s.report.reason, "attempts and receipts do not add up: 4 sent, 3 answered 2xx");
        sample_fini(&s);
    }
}

/* What warms up has receipts, though it is in no count. */
static void receipts_of_the_warm_up_are_allowed(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
    attempt.flags |= E8_FLAG_WARMUP;
    e8_stats_add(s.stats, &attempt);
    sample_add(&s, E8_DELIVERED, 200, MS, "");
    s.more.has_receipts = true;
    s.more.receipts = 2;
    assert_int_equal(sample_report(&s)->verdict, E8_PASS);
    s.more.receipts = 3;
    assert_int_equal(sample_report(&s)->verdict, E8_INVALID);
    sample_fini(&s);
}

static void the_generator_is_told(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    paced(&s, 2001, 5 * MS, 20 * MS);
    s.more.pressure = (struct e8_pressure){.busy = 124, .windows = 100, .cpu = 34};
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){.width = 100});
    assert_has(text,
               "\nGenerator\n  busy 12 % · rate 199.6/s of 200.0/s · send lag p99 0 ns · processors 3.4 %\n");
    free(text);
    sample_fini(&s);
}

const struct CMUnitTest verdict_tests[] = {
    cmocka_unit_test(one_delivery_passes),
    cmocka_unit_test(no_attempt_is_invalid),
    cmocka_unit_test(only_aborted_is_invalid),
    cmocka_unit_test(ninety_percent_refused_is_invalid),
    cmocka_unit_test(a_generator_outcome_is_invalid),
    cmocka_unit_test(more_than_a_thousandth_dropped_is_invalid),
    cmocka_unit_test(clamped_values_are_invalid),
    cmocka_unit_test(what_does_not_add_up_is_invalid),
    cmocka_unit_test(an_interrupted_run_keeps_its_verdict),
    cmocka_unit_test(what_was_not_begun_is_of_the_plan),
    cmocka_unit_test(what_was_not_begun_excuses_no_drops),
    cmocka_unit_test(what_a_hand_did_is_told),
    cmocka_unit_test(both_rates_are_told),
    cmocka_unit_test(a_run_without_an_end_is_invalid),
    cmocka_unit_test(a_disabled_endpoint_is_named),
    cmocka_unit_test(many_disabled_endpoints_leave_room),
    cmocka_unit_test(an_undelivered_delivery_fails_unless_a_threshold_speaks_of_it),
    cmocka_unit_test(what_a_410_withholds_counts),
    cmocka_unit_test(where_all_is_gone_nothing_was_tested),
    cmocka_unit_test(a_shard_leaves_its_thresholds),
    cmocka_unit_test(a_shard_says_that_it_was_sent),
    cmocka_unit_test(an_empty_shard_is_not_invalid),
    cmocka_unit_test(thresholds_measure_what_they_say),
    cmocka_unit_test(a_quantile_is_that_of_the_histogram),
    cmocka_unit_test(what_is_not_measured_never_passes),
    cmocka_unit_test(no_threshold_is_lost),
    cmocka_unit_test(invalid_goes_before_fail),
    cmocka_unit_test(run_facts_warn),
    cmocka_unit_test(late_sending_warns),
    cmocka_unit_test(flags_warn),
    cmocka_unit_test(samples_warn_once),
    cmocka_unit_test(a_rate_that_is_not_kept_is_invalid),
    cmocka_unit_test(the_rate_is_told_with_its_cause),
    cmocka_unit_test(a_bound_that_was_reached_is_named),
    cmocka_unit_test(what_was_not_signed_is_told),
    cmocka_unit_test(a_full_loop_is_invalid),
    cmocka_unit_test(a_full_loop_that_delivers_nothing_fails),
    cmocka_unit_test(a_receiver_beside_us_warns_when_it_is_crowded),
    cmocka_unit_test(receipts_must_add_up),
    cmocka_unit_test(receipts_of_the_warm_up_are_allowed),
    cmocka_unit_test(the_generator_is_told),
};
const size_t verdict_count = E8_COUNT(verdict_tests);
