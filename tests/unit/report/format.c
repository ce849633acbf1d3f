#include "sample.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

static const struct e8_style plain = {0};

static void keys_are(const cJSON *object, const char *expected)
{
    char keys[512] = "";
    struct e8_buf buf;
    e8_buf_fixed(&buf, keys, sizeof(keys));
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        e8_buf_printf(&buf, "%s%s", buf.n ? " " : "", item->string);
    }
    assert_string_equal(e8_buf_cstr(&buf), expected);
}

static const cJSON *at(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!item)
        fail_msg("no key %s", key);
    return item;
}

static void number_is(const cJSON *object, const char *key, double expected)
{
    const cJSON *item = at(object, key);
    assert_true(cJSON_IsNumber(item));
    if (fabs(item->valuedouble - expected) > 1e-6)
        fail_msg("%s is %f, not %f", key, item->valuedouble, expected);
}

static void text_is(const cJSON *object, const char *key, const char *expected)
{
    assert_true(cJSON_IsString(at(object, key)));
    assert_string_equal(at(object, key)->valuestring, expected);
}

#define TIMES "count min mean p50 p75 p90 p95 p99 p99_9 max ci99"
#define TOTALS                                                                                               \
    "planned delivered failed dropped aborted withheld gone expected unmet attempts retries not_begun"

static void times_are(const cJSON *times, const struct e8_hist *hist)
{
    keys_are(times, TIMES);
    number_is(times, "count", (double)e8_hist_count(hist));
    number_is(times, "min", (double)e8_hist_min(hist) / 1e6);
    number_is(times, "mean", e8_hist_mean(hist) / 1e6);
    number_is(times, "p50", (double)e8_hist_quantile(hist, 0.5) / 1e6);
    number_is(times, "p75", (double)e8_hist_quantile(hist, 0.75) / 1e6);
    number_is(times, "p90", (double)e8_hist_quantile(hist, 0.9) / 1e6);
    number_is(times, "p95", (double)e8_hist_quantile(hist, 0.95) / 1e6);
    number_is(times, "p99", (double)e8_hist_quantile(hist, 0.99) / 1e6);
    number_is(times, "p99_9", (double)e8_hist_quantile(hist, 0.999) / 1e6);
    number_is(times, "max", (double)e8_hist_max(hist) / 1e6);
}

static void totals_are(const cJSON *totals, uint64_t planned, uint64_t delivered, uint64_t failed,
                       uint64_t attempts, uint64_t retries)
{
    keys_are(totals, TOTALS);
    number_is(totals, "planned", (double)planned);
    number_is(totals, "delivered", (double)delivered);
    number_is(totals, "failed", (double)failed);
    number_is(totals, "dropped", 0);
    number_is(totals, "aborted", 0);
    number_is(totals, "withheld", 0);
    number_is(totals, "expected", 0);
    number_is(totals, "unmet", 0);
    number_is(totals, "attempts", (double)attempts);
    number_is(totals, "retries", (double)retries);
    number_is(totals, "not_begun", 0);
}

static void json_has_exactly_these_keys(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "p(99) < 250ms");
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(root);
    keys_are(root,
             "schema_version run verdict reason totals warmup_attempts rate_per_s response_time_ms "
             "service_time_ms send_lag_ms "
             "status outcomes "
             "endpoints types thresholds deadlines unanswered retry_feedback series generator expectations "
             "copies_spread_ms flows_stopped warnings");
    keys_are(at(root, "run"),
             "id name seed started ended elapsed_s version curl_version workers scenario_digest "
             "fixtures_digest command timer_floor_ms interrupted insecure");
    keys_are(cJSON_GetArrayItem(at(root, "endpoints"), 0), "name url scheme signed totals response_time_ms");
    keys_are(cJSON_GetArrayItem(at(root, "types"), 0), "name totals response_time_ms");
    keys_are(cJSON_GetArrayItem(at(root, "thresholds"), 0), "rule measured pass aborted");
    keys_are(at(root, "status"), "200 202 422 503 none");
    keys_are(at(root, "outcomes"), "delivered reset timeout_first_byte http_4xx http_5xx");
    cJSON_Delete(root);
    free(text);
    sample_fini(&s);
}

static void json_numbers_are_those_of_the_stats(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    const struct e8_tally *all = e8_stats_all(s.stats);
    number_is(root, "schema_version", 1);
    text_is(root, "verdict", "fail");
    text_is(root, "reason", "4 of 404 deliveries ended undelivered");
    totals_are(at(root, "totals"), 404, 400, 4, 409, 5);
    times_are(at(root, "response_time_ms"), all->response);
    times_are(at(root, "service_time_ms"), all->service);
    times_are(at(root, "send_lag_ms"), all->lag);
    number_is(at(root, "status"), "200", 360);
    number_is(at(root, "status"), "202", 40);
    number_is(at(root, "status"), "none", 2);
    number_is(at(root, "outcomes"), "http_4xx", 2);
    const cJSON *endpoint = cJSON_GetArrayItem(at(root, "endpoints"), 1);
    text_is(endpoint, "name", "=analytics");
    text_is(endpoint, "scheme", "stripe");
    totals_are(at(endpoint, "totals"), 80, 80, 0, 80, 0);
    times_are(at(endpoint, "response_time_ms"), e8_stats_endpoint(s.stats, 1)->response);
    assert_int_equal(cJSON_GetArraySize(at(root, "types")), 2); /* the third took no part */
    const cJSON *type = cJSON_GetArrayItem(at(root, "types"), 1);
    text_is(type, "name", "conversation.escalated");
    totals_are(at(type, "totals"), 200, 200, 0, 205, 5);
    cJSON_Delete(root);
    free(text);
    sample_fini(&s);
}

static void json_has_the_facts_of_the_run(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    const cJSON *run = at(root, "run");
    number_is(run, "id", 12);
    text_is(run, "seed", "18446744073709551615");
    text_is(run, "started", "2026-03-01T12:00:00.000000Z");
    text_is(run, "ended", "2026-03-01T12:00:30.000000Z");
    number_is(run, "elapsed_s", 30);
    number_is(run, "timer_floor_ms", 0.058);
    assert_true(cJSON_IsFalse(at(run, "interrupted")));
    cJSON_Delete(root);
    free(text);
    sample_fini(&s);
}

static void what_was_not_measured_is_null(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_rule(&s, "p(99) < 250ms");
    sample_rule(&s, "success >= 99%");
    s.run.ended = 0;
    s.run.name = NULL;
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(root);
    number_is(at(root, "response_time_ms"), "count", 0);
    assert_true(cJSON_IsNull(at(at(root, "response_time_ms"), "p99")));
    assert_true(cJSON_IsNull(at(at(root, "run"), "ended")));
    assert_true(cJSON_IsNull(at(at(root, "run"), "name")));
    for (int i = 0; i < 2; i++) {
        const cJSON *threshold = cJSON_GetArrayItem(at(root, "thresholds"), i);
        assert_true(cJSON_IsNull(at(threshold, "measured")));
        assert_true(cJSON_IsFalse(at(threshold, "pass")));
    }
    text_is(root, "verdict", "invalid");
    cJSON_Delete(root);
    free(text);
    sample_fini(&s);
}

static void thresholds_measure_in_milliseconds_and_shares(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "max < 250ms");
    sample_rule(&s, "success >= 99%");
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    const cJSON *first = cJSON_GetArrayItem(at(root, "thresholds"), 0);
    text_is(first, "rule", "max < 250ms");
    number_is(first, "measured", 5000);
    assert_true(cJSON_IsFalse(at(first, "pass")));
    number_is(cJSON_GetArrayItem(at(root, "thresholds"), 1), "measured", 400.0 / 404);
    cJSON_Delete(root);
    free(text);
    sample_fini(&s);
}

static void ndjson_is_the_same_on_one_line(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    char *line = sample_text(sample_report(&s), E8_FORMAT_NDJSON, plain);
    char *text = sample_text(&s.report, E8_FORMAT_JSON, plain);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    cJSON *a = cJSON_ParseWithOpts(line, NULL, true), *b = cJSON_ParseWithOpts(text, NULL, true);
    assert_non_null(a);
    assert_true(cJSON_Compare(a, b, true));
    cJSON_Delete(a);
    cJSON_Delete(b);
    free(line);
    free(text);
    sample_fini(&s);
}

/* Every key that the report writes is required by the schema, and the other way round. */
static void requires_all(const cJSON *schema, const cJSON *value)
{
    const cJSON *required = at(schema, "required"), *item;
    assert_int_equal(cJSON_GetArraySize(required), cJSON_GetArraySize(value));
    cJSON_ArrayForEach(item, required)
    {
        at(value, item->valuestring);
        at(at(at(schema, "properties"), item->valuestring), "description");
    }
}

static void the_schema_requires_every_key(void **state)
{
    (void)state;
    struct sample s;
    struct e8_buf file;
    struct e8_err err;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "max < 250ms");
    s.more.steps = &(struct e8_report_step){.id = "a:1", .type = "b", .expects = "2xx", .met = 1};
    s.more.step_count = 1;
    assert_int_equal(e8_file_read(E8_SOURCE_DIR "/src/report/report.schema.json", E8_FILE_MAX, &file, &err),
                     E8_OK);
    cJSON *schema = cJSON_ParseWithOpts(e8_buf_cstr(&file), NULL, true);
    assert_non_null(schema);
    char *text = sample_text(sample_report(&s), E8_FORMAT_JSON, plain);
    cJSON *root = cJSON_ParseWithOpts(text, NULL, true);
    const cJSON *defs = at(schema, "$defs");
    requires_all(schema, root);
    requires_all(at(defs, "run"), at(root, "run"));
    requires_all(at(defs, "totals"), at(root, "totals"));
    requires_all(at(defs, "times"), at(root, "send_lag_ms"));
    requires_all(at(defs, "endpoint"), cJSON_GetArrayItem(at(root, "endpoints"), 0));
    requires_all(at(defs, "type"), cJSON_GetArrayItem(at(root, "types"), 0));
    requires_all(at(defs, "threshold"), cJSON_GetArrayItem(at(root, "thresholds"), 0));
    requires_all(at(defs, "expectation"), cJSON_GetArrayItem(at(root, "expectations"), 0));
    cJSON_Delete(root);
    cJSON_Delete(schema);
    free(text);
    e8_buf_fini(&file);
    sample_fini(&s);
}

static void csv_has_a_row_for_each_scope(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    s.run.name = "a \"name\", with all";
    char *text = sample_text(sample_report(&s), E8_FORMAT_CSV, plain);
    assert_has(
        text,
        "scope,name,planned,delivered,failed,attempts,retries,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,p99_9_ms,"
        "min_ms,mean_ms,max_ms,dropped,aborted,withheld,expected,unmet,not_begun,gone\noverall,");
    assert_has(text, "\noverall,\"a \"\"name\"\", with all\",404,400,4,409,5,");
    assert_has(text, "\nendpoint,crm,324,320,4,329,5,");
    assert_has(text, "\nendpoint,'=analytics,80,80,0,80,0,");
    assert_has(text, "\ntype,message.received,204,200,4,204,0,");
    assert_lacks(text, "agent.deployed");
    free(text);
    sample_fini(&s);
}

static void csv_names_are_no_formulas(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"=1+1", "\noverall,'=1+1,"}, {"+1", "\noverall,'+1,"},
                                           {"-1", "\noverall,'-1,"},     {"@a", "\noverall,'@a,"},
                                           {"a=1", "\noverall,a=1,"},    {"", "\noverall,,"},
                                           {"a\nb", "\noverall,a b,"},   {"\ta", "\noverall,' a,"}};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        struct sample s;
        sample_init(&s);
        sample_add(&s, E8_DELIVERED, 200, MS, "");
        s.run.name = names[i][0];
        char *text = sample_text(sample_report(&s), E8_FORMAT_CSV, plain);
        assert_has(text, names[i][1]);
        free(text);
        sample_fini(&s);
    }
}

static void csv_without_samples_has_empty_fields(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    char *text = sample_text(sample_report(&s), E8_FORMAT_CSV, plain);
    assert_has(text, "\noverall,support-day,0,0,0,0,0,,,,,,,,,,0,0,0,0,0,0,0\n");
    free(text);
    sample_fini(&s);
}

static void formats_have_names(void **state)
{
    (void)state;
    enum e8_format format;
    assert_true(e8_format_find(E8_LIT("ndjson"), &format));
    assert_int_equal(format, E8_FORMAT_NDJSON);
    assert_true(e8_format_find(E8_LIT("table"), &format));
    assert_int_equal(format, E8_FORMAT_TABLE);
    assert_false(e8_format_find(E8_LIT("xml"), &format));
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_report(&s);
    FILE *full = fopen("/dev/full", "w");
    if (full) {
        assert_int_equal(e8_report_write(&s.report, E8_FORMAT_TEXT, plain, full), E8_ENV);
        fclose(full);
    }
    sample_fini(&s);
}

static void a_reader_that_went_away_is_no_error(void **state)
{
    (void)state;
    struct sample s;
    int ends[2];
    sample_init(&s);
    sample_fill(&s);
    sample_report(&s);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    FILE *out = fdopen(ends[1], "w");
    assert_non_null(out);
    assert_int_equal(e8_report_write(&s.report, E8_FORMAT_JSON, plain, out), E8_OK);
    fclose(out);
    signal(SIGPIPE, before);
    sample_fini(&s);
}

const struct CMUnitTest format_tests[] = {
    cmocka_unit_test(json_has_exactly_these_keys),
    cmocka_unit_test(json_numbers_are_those_of_the_stats),
    cmocka_unit_test(json_has_the_facts_of_the_run),
    cmocka_unit_test(what_was_not_measured_is_null),
    cmocka_unit_test(thresholds_measure_in_milliseconds_and_shares),
    cmocka_unit_test(ndjson_is_the_same_on_one_line),
    cmocka_unit_test(the_schema_requires_every_key),
    cmocka_unit_test(csv_has_a_row_for_each_scope),
    cmocka_unit_test(csv_names_are_no_formulas),
    cmocka_unit_test(csv_without_samples_has_empty_fields),
    cmocka_unit_test(formats_have_names),
    cmocka_unit_test(a_full_disk_is_an_error),
    cmocka_unit_test(a_reader_that_went_away_is_no_error),
};
const size_t format_count = E8_COUNT(format_tests);
