#include "report/curve.h"

#include <stdlib.h>
#include <string.h>

#include "sample.h"

static const struct e8_curve_facts usual = {.busy = 0.2};

/* Deliveries of which each was sent `lag` late and then served in `service`. */
static void add_late(struct sample *s, unsigned count, e8_dur_ns lag, e8_dur_ns service)
{
    for (unsigned i = 0; i < count; i++) {
        struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, lag + service, "");
        attempt.times.sent = attempt.times.due + lag;
        sample_attempt(s, &attempt);
    }
}

static enum e8_search_result judged(struct sample *s, const struct e8_curve_facts *facts,
                                    struct e8_curve_step *step)
{
    *step = (struct e8_curve_step){.rate = 100};
    e8_curve_judge(sample_report(s), facts, step);
    return step->result;
}

static void what_meets_the_objectives_holds(void **state)
{
    (void)state;
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, MS, 5 * MS);
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_HOLDS);
    assert_true(step.planned == 50 && step.delivered == 50 && step.samples == 50 && !step.why[0]);
    assert_true(step.p99 >= 5990000 && step.p99 <= 6010000);
    assert_true(step.lag_p99 >= 999000 && step.lag_p99 <= 1001000);
    sample_fini(&s);
}

static void a_slow_receiver_fails(void **state)
{
    (void)state;
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    sample_rule(&s, "success >= 90%");
    add_late(&s, 50, 0, 300 * MS);
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "p(99) < 250ms: measured 300 ms");
    sample_fini(&s);
}

static void what_nobody_answers_says_why(void **state)
{
    (void)state;
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    for (int i = 0; i < 9; i++) {
        struct e8_attempt attempt = sample_make(E8_CONNECT_REFUSED, 0, MS, "");
        attempt.bytes_sent = 0;
        sample_attempt(&s, &attempt);
    }
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
    assert_has(step.why,
               "p(99) < 250ms: not measured; nothing was delivered: every attempt ended in connect_refused");
    sample_fini(&s);
}

/* However fast it answers: a rate at which deliveries fail holds only where an objective says how many may. */
static void what_is_undelivered_fails(void **state)
{
    (void)state;
    static const struct {
        enum e8_outcome outcome;
        int status;
        const char *why;
    } rows[] = {
        {E8_HTTP_5XX, 503, "20 of 20 deliveries ended undelivered, every answer was 503"},
        {E8_REDIRECT, 301, "20 of 20 deliveries ended undelivered, every answer was 301"},
        {E8_RESET, 0, "20 of 20 deliveries ended undelivered, every attempt ended in reset"},
    };
    struct sample s;
    struct e8_curve_step step;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        sample_init(&s);
        sample_rule(&s, "p(99) < 250ms");
        for (int k = 0; k < 20; k++)
            sample_add(&s, rows[i].outcome, rows[i].status, MS, "");
        assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
        assert_string_equal(step.why, rows[i].why);
        sample_rule(&s, "success >= 0%"); /* all may fail; then nothing is known of the time of a delivery */
        assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
        assert_string_equal(step.why, rows[i].why);
        sample_fini(&s);
    }
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 97, 0, MS);
    sample_add(&s, E8_HTTP_5XX, 503, MS, "");
    sample_add(&s, E8_HTTP_5XX, 503, MS, "");
    sample_add(&s, E8_RESET, 0, MS, "");
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
    assert_has(step.why,
               "3 of 100 deliveries ended undelivered, mostly 503; --slo 'success >= 99%' would allow some");
    sample_rule(&s, "success >= 95%");
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_HOLDS);
    sample_rule(&s, "success >= 99%");
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
    assert_string_equal(step.why, "success >= 99%: measured 97 %");
    sample_fini(&s);
}

/* The rate was not applied, whatever became of what was sent before; also where all of that was in the warm-up. */
static void a_410_fails(void **state)
{
    (void)state;
    const struct e8_curve_facts disabled = {.disabled = true, .busy = 0.2};
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    for (int i = 0; i < 60; i++) {
        e8_stats_planned(s.stats, 0, 0);
        e8_stats_gone(s.stats, 0, 0);
    }
    sample_rule(&s, "p(99) < 250ms");
    assert_int_equal(judged(&s, &disabled, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "answered 410, which disabled the endpoint: 60 of 60 deliveries were not sent");
    sample_rule(&s, "success >= 90%");
    s.run.planned = 0; /* it is as many as were planned */
    add_late(&s, 39, 0, MS);
    sample_add(&s, E8_GONE, 410, MS, "");
    assert_int_equal(judged(&s, &disabled, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "answered 410, which disabled the endpoint: 60 of 100 deliveries were not sent");
    assert_true(step.planned == 100 && step.withheld == 60);
    sample_fini(&s);
}

/* Neither where emit8 was late by itself nor where deliveries waited for a place among those in flight. */
static void our_lateness_says_nothing(void **state)
{
    (void)state;
    struct sample s;
    struct e8_curve_step step;
    for (uint64_t bound = 0; bound <= 10; bound += 10) {
        sample_init(&s);
        s.more.open = s.more.load = true;
        s.more.bound = bound;
        sample_rule(&s, "p(99) < 250ms");
        add_late(&s, 50, 295 * MS, 5 * MS);
        assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_INVALID);
        assert_has(step.why,
                   bound ? "emit8 was the limit, not the receiver: --in-flight 10 was reached, send lag p99 "
                           "is 295 ms; raise it"
                         : "emit8 was the limit, not the receiver: send lag p99 is 295 ms");
        sample_rule(&s, "p(50) < 4ms"); /* which the service time misses as well */
        assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
        sample_fini(&s);
    }
    sample_init(&s);
    s.more.crowd = 50000;
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, 295 * MS, 5 * MS);
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_INVALID);
    assert_has(step.why, "50000 deliveries waited for a retry, the most that may, send lag p99 is 295 ms");
    sample_fini(&s);
    sample_init(&s); /* the lesser part of it is ours */
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, 20 * MS, 240 * MS);
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_FAILS);
    sample_fini(&s);
}

/* What waits at the bound of a receiver that meets the objectives does not blame it; what fails, and what is slow, does. */
static void the_bound_in_flight_is_ours(void **state)
{
    (void)state;
    const struct e8_curve_facts unfinished = {.unfinished = true, .busy = 0.2};
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    s.more.bound = 10;
    sample_rule(&s, "p(99) < 5s");
    add_late(&s, 50, 295 * MS, 5 * MS);
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_HOLDS); /* it kept up in the end */
    assert_int_equal(judged(&s, &unfinished, &step), E8_SEARCH_INVALID);
    assert_has(step.why, "--in-flight 10 was reached");
    sample_rule(&s, "success >= 90%");
    for (int i = 0; i < 20; i++)
        sample_add(&s, E8_TIMEOUT_FIRST_BYTE, 0, 2000 * MS, "");
    assert_int_equal(judged(&s, &unfinished, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "success >= 90%: measured 71.4286 %");
    sample_fini(&s);

    sample_init(&s);
    s.more.bound = 10;
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, 295 * MS, 300 * MS);
    assert_int_equal(judged(&s, &unfinished, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "p(99) < 250ms: measured 595 ms");
    sample_fini(&s);
}

static void a_busy_emit8_says_nothing_of_what_is_missed(void **state)
{
    (void)state;
    const struct e8_curve_facts busy = {.busy = 0.97};
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, 0, 5 * MS);
    assert_int_equal(judged(&s, &busy, &step), E8_SEARCH_HOLDS);
    add_late(&s, 50, 0, 300 * MS);
    assert_int_equal(judged(&s, &busy, &step), E8_SEARCH_INVALID);
    assert_has(step.why, "emit8 was the limit, not the receiver: its workers were 97 % busy");
    sample_fini(&s);

    sample_init(&s); /* refusals may be as fast as they like */
    sample_rule(&s, "success >= 99%");
    for (int i = 0; i < 20; i++)
        sample_add(&s, E8_CONNECT_REFUSED, 0, MS, "");
    assert_int_equal(judged(&s, &busy, &step), E8_SEARCH_FAILS);
    sample_fini(&s);
}

static void our_own_failures_say_nothing(void **state)
{
    (void)state;
    const struct e8_curve_facts unfinished = {.unfinished = true};
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 50, 0, 5 * MS);
    sample_add(&s, E8_GEN_PORT, 0, MS, "");
    assert_int_equal(judged(&s, &unfinished, &step), E8_SEARCH_INVALID);
    assert_has(step.why, "emit8 was the limit, not the receiver: 1 attempt failed on emit8's own side");
    sample_fini(&s);
}

static void refusals_say_nothing_and_a_backlog_fails(void **state)
{
    (void)state;
    const struct e8_curve_facts unfinished = {.unfinished = true};
    struct sample s;
    struct e8_curve_step step;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    for (int i = 0; i < 20; i++)
        sample_add(&s, E8_HTTP_4XX, 401, 5 * MS, "");
    assert_int_equal(judged(&s, &usual, &step), E8_SEARCH_INVALID);
    assert_has(step.why, "nothing was tested");
    sample_fini(&s);

    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 20, 0, 5 * MS);
    for (int i = 0; i < 7; i++)
        sample_add(&s, E8_ABORTED, 0, 5 * MS, "");
    assert_int_equal(judged(&s, &unfinished, &step), E8_SEARCH_FAILS);
    assert_has(step.why, "the backlog did not drain: 7 of 27 deliveries had no end");
    sample_fini(&s);
}

/* A search that was told these results. */
struct told {
    struct e8_curve curve;
    struct e8_curve_step steps[32];
    struct e8_threshold objectives[2];
};

static void tell(struct told *t, double holds_to, double valid_to, bool confirms, size_t most)
{
    struct e8_err err = {0};
    *t =
        (struct told){.curve = {.target = "http://127.0.0.1/", .length = 10 * E8_NS_S, .objective_count = 2}};
    e8_threshold_parse(e8_str("p(99) < 250ms"), &t->objectives[0], &err);
    e8_threshold_parse(e8_str("success >= 99.9%"), &t->objectives[1], &err);
    t->curve.objectives = t->objectives;
    t->curve.steps = t->steps;
    t->curve.search = e8_search_begin(50, 3200, 0.05);
    enum e8_search_stage stage;
    double rate;
    while (t->curve.count < most && e8_search_next(&t->curve.search, &rate, &stage)) {
        struct e8_curve_step *step = &t->steps[t->curve.count++];
        bool holds = rate <= holds_to && (stage != E8_SEARCH_CONFIRM || confirms);
        *step = (struct e8_curve_step){.stage = stage,
                                       .rate = rate,
                                       .planned = 1000,
                                       .delivered = 1000,
                                       .samples = 1000,
                                       .p50 = 2 * MS,
                                       .p95 = 3 * MS,
                                       .p99 = (e8_dur_ns)(rate * 1e5)};
        step->result = rate > valid_to ? E8_SEARCH_INVALID : holds ? E8_SEARCH_HOLDS : E8_SEARCH_FAILS;
        snprintf(step->why, sizeof step->why, "%s", holds && rate <= valid_to ? "" : "BECAUSE");
        e8_search_tell(&t->curve.search, step->result);
    }
    e8_curve_conclude(&t->curve);
}

static void conclusions_say_what_was_the_limit(void **state)
{
    (void)state;
    struct told t;
    tell(&t, 700, 1e9, true, 32);
    assert_int_equal(t.curve.verdict, E8_PASS);
    assert_string_equal(t.curve.reason,
                        "700/s holds p(99) < 250ms and success >= 99.9%; 725/s does not: BECAUSE");
    tell(&t, 1e9, 700, true, 32);
    assert_int_equal(t.curve.verdict, E8_INVALID); /* how much the receiver can take is not known */
    assert_has(t.curve.reason, "at least 700/s holds p(99) < 250ms");
    assert_has(t.curve.reason, "; of 725/s nothing can be said: BECAUSE");
    tell(&t, 1e9, 1e9, true, 32);
    assert_string_equal(t.curve.reason, "3,200/s, the highest that was to be tried, holds p(99) < 250ms and "
                                        "success >= 99.9%");
    tell(&t, 10, 1e9, true, 32);
    assert_int_equal(t.curve.verdict, E8_FAIL);
    assert_string_equal(t.curve.reason, "even 50.0/s does not hold: BECAUSE");
    tell(&t, 1e9, 10, true, 32);
    assert_int_equal(t.curve.verdict, E8_INVALID);
    assert_string_equal(t.curve.reason, "BECAUSE, already at 50.0/s");
    tell(&t, 700, 1e9, false, 32);
    assert_int_equal(t.curve.verdict, E8_FAIL);
    assert_has(t.curve.reason, "no rate held twice; the last, ");
    tell(&t, 700, 1e9, true, 3);
    assert_int_equal(t.curve.verdict, E8_INVALID);
    assert_string_equal(t.curve.reason, "interrupted: 200/s held so far, not confirmed");
    tell(&t, 700, 1e9, true, 0);
    assert_string_equal(t.curve.reason, "interrupted: no rate is known to hold");
}

static char *written(const struct e8_curve *curve, enum e8_format format, struct e8_style style)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_int_equal(e8_curve_write(curve, format, style, out), E8_OK);
    fclose(out);
    return text;
}

static void curves_are_sorted_and_fit(void **state)
{
    (void)state;
    struct told t;
    tell(&t, 700, 1e9, true, 32);
    for (int width = 60; width <= 200; width += 35) {
        char *text = written(&t.curve, E8_FORMAT_TEXT, (struct e8_style){width, false});
        assert_true(widest(text) <= (size_t)width);
        assert_clean(text, false);
        assert_has(text, "confirmed");
        assert_true(strstr(text, "50.0/s  holds") < strstr(text, "700/s  confirmed"));
        assert_true(strstr(text, "700/s  confirmed") < strstr(text, "725/s  fails"));
        assert_true(strstr(text, "What did not hold") < strstr(text, "PASS  700/s holds"));
        free(text);
    }
    char *csv = written(&t.curve, E8_FORMAT_CSV, (struct e8_style){80, false});
    assert_has(csv, "\n50.000,climb,holds,1000,1000,0,0,0,0,false,1.000000,2.000000,3.000000,5.000000,");
    assert_has(csv, ",,BECAUSE\n");
    free(csv);
    tell(&t, 700, 1e9, true, 0);
    char *json = written(&t.curve, E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(json, "\"rate\":null");
    assert_has(json, "\"steps\":[]");
    free(json);
}

/* What was given up when a step was stopped is no failure of the receiver. */
static void success_is_of_what_ended(void **state)
{
    (void)state;
    const struct e8_curve_facts early = {.unfinished = true, .early = true, .busy = 0.2};
    struct sample s;
    struct told t;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    add_late(&s, 19, 0, 300 * MS);
    sample_add(&s, E8_HTTP_5XX, 503, 5 * MS, "");
    for (int i = 0; i < 30; i++)
        sample_add(&s, E8_ABORTED, 0, 5 * MS, "");
    tell(&t, 700, 1e9, true, 1);
    assert_int_equal(judged(&s, &early, &t.steps[0]), E8_SEARCH_FAILS);
    assert_true(t.steps[0].early && t.steps[0].aborted == 30);
    for (int width = 60; width <= 200; width += 35) {
        char *text = written(&t.curve, E8_FORMAT_TEXT, (struct e8_style){width, false});
        assert_true(widest(text) <= (size_t)width);
        assert_has(text, "fails, stopped early  95.00 %");
        free(text);
    }
    char *csv = written(&t.curve, E8_FORMAT_CSV, (struct e8_style){80, false});
    assert_has(csv, ",fails,50,19,1,0,30,0,true,0.950000,");
    free(csv);
    char *json = written(&t.curve, E8_FORMAT_NDJSON, (struct e8_style){80, false});
    assert_has(json, "\"aborted\":30,\"withheld\":0,\"stopped_early\":true,\"success\":0.950000,");
    free(json);
    t.steps[0].delivered = t.steps[0].failed = 0;
    csv = written(&t.curve, E8_FORMAT_CSV, (struct e8_style){80, false});
    assert_has(csv, ",30,0,true,,");
    free(csv);
    sample_fini(&s);
}

static void few_samples_are_told(void **state)
{
    (void)state;
    struct told t;
    tell(&t, 700, 1e9, true, 32);
    for (size_t i = 0; i < t.curve.count; i++)
        t.steps[i].samples = 1000;
    e8_curve_conclude(&t.curve);
    assert_string_equal(t.curve.warning, "");
    for (size_t i = 0; i < t.curve.count; i++)
        t.steps[i].samples = 999;
    e8_curve_conclude(&t.curve);
    assert_string_equal(t.curve.warning,
                        "p(99) < 250ms stands on fewer than 10 of 999 samples: indicative only; "
                        "--for 2s would give it enough at this rate");
    char *text = written(&t.curve, E8_FORMAT_TEXT, (struct e8_style){60, false});
    assert_has(text, "Warnings\n  !  p(99) < 250ms stands on fewer");
    assert_true(widest(text) <= 60);
    free(text);
    t.curve.search.holds = 0;
    e8_curve_conclude(&t.curve);
    assert_string_equal(t.curve.warning, "");
}

static void lines_of_progress_fit(void **state)
{
    (void)state;
    struct e8_curve_step step = {.rate = 200, .result = E8_SEARCH_HOLDS, .p99 = 3 * MS};
    char memory[512];
    struct e8_buf line;
    e8_buf_fixed(&line, memory, sizeof memory);
    e8_curve_step_text(&step, 70, &line);
    assert_string_equal(e8_buf_cstr(&line), "200/s holds: p99 3 ms");
    step.stage = E8_SEARCH_CONFIRM;
    e8_buf_fixed(&line, memory, sizeof memory);
    e8_curve_step_text(&step, 70, &line);
    assert_string_equal(e8_buf_cstr(&line), "200/s once more holds, confirmed: p99 3 ms");
    step.result = E8_SEARCH_FAILS;
    snprintf(step.why, sizeof step.why, "%s", "nothing was delivered, mostly connect_refused");
    e8_buf_fixed(&line, memory, sizeof memory);
    e8_curve_step_text(&step, 40, &line);
    assert_string_equal(e8_buf_cstr(&line), "200/s once more fails: nothing was deli…");
}

const struct CMUnitTest curve_tests[] = {
    cmocka_unit_test(what_meets_the_objectives_holds),
    cmocka_unit_test(a_slow_receiver_fails),
    cmocka_unit_test(what_nobody_answers_says_why),
    cmocka_unit_test(what_is_undelivered_fails),
    cmocka_unit_test(a_410_fails),
    cmocka_unit_test(our_lateness_says_nothing),
    cmocka_unit_test(the_bound_in_flight_is_ours),
    cmocka_unit_test(a_busy_emit8_says_nothing_of_what_is_missed),
    cmocka_unit_test(our_own_failures_say_nothing),
    cmocka_unit_test(refusals_say_nothing_and_a_backlog_fails),
    cmocka_unit_test(conclusions_say_what_was_the_limit),
    cmocka_unit_test(few_samples_are_told),
    cmocka_unit_test(curves_are_sorted_and_fit),
    cmocka_unit_test(success_is_of_what_ended),
    cmocka_unit_test(lines_of_progress_fit),
};
const size_t curve_count = E8_COUNT(curve_tests);
