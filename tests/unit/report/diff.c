#include "report/diff.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "doc/doc.h"
#include "sample.h"

static const struct e8_style plain = {0};

/* Two runs and what is asked of them. */
struct pair {
    struct sample samples[2];
    struct e8_doc *docs[2];
    struct e8_side sides[2];
    struct e8_regression rules[E8_RULES_MOST];
    size_t rule_count;
    struct e8_diff *diff;
};

static void pair_init(struct pair *p)
{
    *p = (struct pair){.rule_count = 0};
    for (int i = 0; i < 2; i++)
        sample_init(&p->samples[i]);
}

static void pair_fini(struct pair *p)
{
    e8_diff_free(&p->diff);
    for (int i = 0; i < 2; i++) {
        e8_doc_free(&p->docs[i]);
        sample_fini(&p->samples[i]);
    }
}

/* Deliveries within `base` and 99 times `step` more. */
static void add(struct pair *p, int side, int count, e8_dur_ns base, e8_dur_ns step)
{
    for (int i = 0; i < count; i++)
        sample_add(&p->samples[side], E8_DELIVERED, 200, base + i % 100 * step, "");
}

static void rule(struct pair *p, const char *text)
{
    assert_int_equal(e8_regression_parse(e8_str(text), &p->rules[p->rule_count++], NULL), E8_OK);
}

static enum e8_rc make(struct pair *p, struct e8_diff_options options, struct e8_err *err)
{
    e8_diff_free(&p->diff);
    for (int i = 0; i < 2; i++) {
        e8_doc_free(&p->docs[i]);
        p->samples[i].run.planned = 0; /* counted anew */
        assert_int_equal(e8_side_make(sample_report(&p->samples[i]), &p->docs[i], NULL), E8_OK);
        p->sides[i] = (struct e8_side){(char)('A' + i), i ? "b" : "a", e8_doc_root(p->docs[i])};
        assert_int_equal(e8_side_check(p->sides[i].report, "x", NULL), E8_OK);
    }
    return e8_diff_make(p->sides, p->rules, p->rule_count, options, &p->diff, err);
}

static char *text_of(const struct e8_diff *diff, enum e8_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(e8_diff_write(diff, format, plain, out), E8_OK);
    fclose(out);
    return text;
}

static const cJSON *figure(const cJSON *diff, const char *group, const char *name)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(diff, "figures"))
    {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(item, "group")), group) == 0 &&
            strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(item, "name")), name) == 0)
            return item;
    }
    fail_msg("no figure %s %s", group, name);
    return NULL;
}

static void judged(const cJSON *diff, const char *group, const char *name, const char *judgement)
{
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(figure(diff, group, name), "judgement")),
                        judgement);
}

static void a_run_does_not_differ_from_itself(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 1000, MS, 10 * E8_NS_US);
    add(&p, 1, 1000, MS, 10 * E8_NS_US);
    rule(&p, "p(99) > +0%");
    rule(&p, "success < -0pp");
    assert_int_equal(make(&p, (struct e8_diff_options){.strict = true}, NULL), E8_OK);
    assert_int_equal(p.diff->verdict, E8_PASS);
    assert_string_equal(p.diff->reason, "0 figures are better, 0 worse, 0 within noise; no rule fails");
    assert_int_equal(p.diff->remarks.note_count + p.diff->remarks.obstacle_count, 0);
    pair_fini(&p);
}

static void what_is_slower_is_worse(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 20000, MS, 10 * E8_NS_US);
    add(&p, 1, 20000, 2 * MS, 10 * E8_NS_US);
    for (int i = 0; i < 200; i++)
        sample_add(&p.samples[1], E8_HTTP_5XX, 503, MS, "");
    rule(&p, "p(99) > +40%");
    rule(&p, "p(99) > +60%");
    rule(&p, "p(50){endpoint=crm} > +900us");
    rule(&p, "status(5xx) > +0.5pp");
    rule(&p, "failed > +200");
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_OK);
    static const enum e8_rule_result results[] = {E8_RULE_FAILS, E8_RULE_HOLDS, E8_RULE_FAILS, E8_RULE_FAILS,
                                                  E8_RULE_HOLDS};
    for (size_t i = 0; i < E8_COUNT(results); i++)
        assert_int_equal(p.diff->results[i], results[i]);
    assert_int_equal(p.diff->verdict, E8_FAIL);
    assert_string_equal(
        p.diff->reason,
        "3 of 5 rules fail: p(99) > +40%, p(50){endpoint=crm} > +900us, status(5xx) > +0.5pp");
    char *json = text_of(p.diff, E8_FORMAT_JSON), *text = text_of(p.diff, E8_FORMAT_TEXT);
    cJSON *parsed = cJSON_Parse(json);
    judged(parsed, "response_time", "p50", "worse");
    judged(parsed, "deliveries", "success", "worse");
    judged(parsed, "status", "503", "worse");
    judged(parsed, "outcome", "delivered", "worse");
    const cJSON *p50 = figure(parsed, "response_time", "p50");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(p50, "change")) > 0.97 &&
                cJSON_GetNumberValue(cJSON_GetObjectItem(p50, "change")) < 1.0);
    assert_has(text, "  ✗  p(99) > +40%");
    assert_has(text, "FAIL  3 of 5 rules fail: p(99) > +40%, p(50){endpoint=crm} > +900us,");
    assert_true(widest(text) <= 80);
    assert_clean(text, false);
    cJSON_Delete(parsed);
    free(json);
    free(text);
    pair_fini(&p);
}

static void many_failed_rules_are_counted(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 20000, MS, 10 * E8_NS_US);
    add(&p, 1, 20000, 2 * MS, 10 * E8_NS_US);
    for (int i = 0; i < 30; i++)
        rule(&p, "p(50) > +10%");
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_OK);
    const char *more = strstr(p.diff->reason, " and ");
    assert_memory_equal(p.diff->reason, "30 of 30 rules fail: p(50) > +10%, p(50) > +10%, ", 49);
    assert_non_null(more);
    assert_string_equal(more - 12, "p(50) > +10% and 11 more");
    assert_true(strlen(p.diff->reason) < sizeof p.diff->reason);
    pair_fini(&p);
}

static void few_samples_are_noise(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 40, MS, 100 * E8_NS_US);
    add(&p, 1, 40, MS, 115 * E8_NS_US);
    rule(&p, "p(50) > +5%");
    rule(&p, "max > +5%");
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_OK);
    assert_int_equal(p.diff->results[0], E8_RULE_NOISE);
    assert_int_equal(p.diff->results[1], E8_RULE_FAILS); /* nobody knows how much of a maximum is noise */
    char *json = text_of(p.diff, E8_FORMAT_JSON);
    cJSON *parsed = cJSON_Parse(json);
    judged(parsed, "response_time", "p50", "noise");
    judged(parsed, "response_time", "p99", "noise");
    cJSON_Delete(parsed);
    free(json);
    char *text = text_of(p.diff, E8_FORMAT_TEXT);
    assert_non_null(strstr(text, "too few samples")); /* for a p99: they give it no bound */
    assert_non_null(strstr(text, "within noise"));
    free(text);
    assert_int_equal(make(&p, (struct e8_diff_options){.strict = true}, NULL), E8_OK);
    assert_int_equal(p.diff->results[0], E8_RULE_FAILS);
    pair_fini(&p);
}

static void what_was_not_measured_fails(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 100, MS, 0);
    sample_add(&p.samples[1], E8_CONNECT_REFUSED, 0, MS, "");
    struct e8_attempt attempt = sample_make(E8_DELIVERED, 200, MS, "");
    attempt.endpoint = 1;
    sample_attempt(&p.samples[1], &attempt);
    attempt.endpoint = 0;
    rule(&p, "p(95){type=conversation.escalated} > +1%");
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_INPUT); /* neither has the type */
    attempt.type = 1;
    sample_attempt(&p.samples[1], &attempt);
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_OK);
    assert_int_equal(p.diff->results[0], E8_RULE_NOT_MEASURED);
    assert_int_equal(p.diff->verdict, E8_FAIL);
    pair_fini(&p);
}

static void what_cannot_be_compared_says_so(void **state)
{
    (void)state;
    struct pair p;
    pair_init(&p);
    add(&p, 0, 100, MS, 0);
    add(&p, 1, 100, MS, 0);
    p.samples[1].run.scenario_digest = "another";
    p.samples[1].run.version = "0.2.0";
    assert_int_equal(make(&p, (struct e8_diff_options){0}, NULL), E8_OK);
    assert_int_equal(p.diff->verdict, E8_INVALID);
    assert_has(p.diff->reason,
               "the runs cannot be compared: the plans of A and B differ: their digests are 3f2a91c04b12…");
    assert_string_equal(p.diff->remarks.notes[0], "the versions of emit8 of A and B differ: 0.1.0 and 0.2.0");
    assert_int_equal(make(&p, (struct e8_diff_options){.any_plan = true}, NULL), E8_OK);
    assert_int_equal(p.diff->verdict, E8_PASS);
    assert_int_equal(p.diff->remarks.note_count, 2);
    sample_add(&p.samples[0], E8_GEN_FD, 0, MS, "");
    assert_int_equal(make(&p, (struct e8_diff_options){.any_plan = true}, NULL), E8_OK);
    assert_int_equal(p.diff->verdict, E8_INVALID);
    assert_has(p.diff->remarks.obstacles[0], "A is invalid: 1 attempt failed on emit8's own side");
    pair_fini(&p);
}

static void rules_ask_for_what_reports_have(void **state)
{
    static const char *const bad[] = {"p(42) > +1%", "rate{endpoint=crm} < -1%",
                                      "p(50){endpoint=nobody} > +1%"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        struct pair p;
        struct e8_err err = {0};
        pair_init(&p);
        add(&p, 0, 10, MS, 0);
        add(&p, 1, 10, MS, 0);
        rule(&p, bad[i]);
        assert_int_equal(make(&p, (struct e8_diff_options){0}, &err), E8_INPUT);
        assert_has(err.what, bad[i]);
        assert_true(err.hint[0]);
        pair_fini(&p);
    }
}

/* A report as an older emit8 wrote it: nobody knows what is noise. */
static void reports_without_ranges_are_judged_by_their_figures(void **state)
{
    static const char text[] =
        "{\"schema_version\":1,\"run\":{\"name\":\"x\"},\"verdict\":\"pass\",\"status\":{},\"outcomes\":{},"
        "\"totals\":{\"attempts\":10},\"response_time_ms\":{\"p50\":%d}}";
    (void)state;
    struct pair p;
    pair_init(&p);
    rule(&p, "p(50) > +10%");
    for (int i = 0; i < 2; i++) {
        char report[sizeof(text) + 8];
        snprintf(report, sizeof(report), text, 100 + 20 * i);
        assert_int_equal(e8_doc_parse("x", e8_str(report), E8_DOC_JSON, &p.docs[i], NULL), E8_OK);
        p.sides[i] = (struct e8_side){(char)('A' + i), "x", e8_doc_root(p.docs[i])};
        assert_int_equal(e8_side_check(p.sides[i].report, "x", NULL), E8_OK);
    }
    assert_int_equal(e8_diff_make(p.sides, p.rules, 1, (struct e8_diff_options){0}, &p.diff, NULL), E8_OK);
    assert_int_equal(p.diff->results[0], E8_RULE_FAILS);
    pair_fini(&p);
}

static void what_is_no_report_is_refused(void **state)
{
    static const char *const bad[] = {"[]", "{}", "{\"schema_version\":2}",
                                      "{\"schema_version\":1,\"run\":{}}"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        struct e8_doc *doc = NULL;
        assert_int_equal(e8_doc_parse("x", e8_str(bad[i]), E8_DOC_JSON, &doc, NULL), E8_OK);
        assert_int_equal(e8_side_check(e8_doc_root(doc), "x", NULL), E8_INPUT);
        e8_doc_free(&doc);
    }
}

const struct CMUnitTest diff_tests[] = {
    cmocka_unit_test(a_run_does_not_differ_from_itself),
    cmocka_unit_test(what_is_slower_is_worse),
    cmocka_unit_test(many_failed_rules_are_counted),
    cmocka_unit_test(few_samples_are_noise),
    cmocka_unit_test(what_was_not_measured_fails),
    cmocka_unit_test(what_cannot_be_compared_says_so),
    cmocka_unit_test(rules_ask_for_what_reports_have),
    cmocka_unit_test(reports_without_ranges_are_judged_by_their_figures),
    cmocka_unit_test(what_is_no_report_is_refused),
};
const size_t diff_count = E8_COUNT(diff_tests);
