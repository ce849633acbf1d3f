/* The page of a report: it holds what the JSON report has, escapes what is hostile, and does not grow with the run. */
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "report/course.h"
#include "report/html.h"
#include "sample.h"

static const struct e8_style plain = {0};

/* What stands between both, as a text of its own. */
static char *between(const char *text, const char *from, const char *to)
{
    const char *start = strstr(text, from), *end = start ? strstr(start + strlen(from), to) : NULL;
    assert_non_null(end);
    start += strlen(from);
    return e8_dup_str((struct e8_str){start, (size_t)(end - start)});
}

static char *data_of(const char *page)
{
    return between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
}

static void the_data_is_the_json_report(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "p(99) < 1ms");
    const struct e8_report *report = sample_report(&s);
    char *page = sample_text(report, E8_FORMAT_HTML, plain),
         *json = sample_text(report, E8_FORMAT_JSON, plain);
    char *data = data_of(page);
    cJSON *inside = cJSON_Parse(data), *own = cJSON_Parse(json);
    const cJSON *run = cJSON_GetArrayItem(cJSON_GetObjectItem(inside, "runs"), 0);
    assert_true(cJSON_Compare(cJSON_GetObjectItem(run, "report"), own, true));
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(run, "over")));
    assert_has(page, "Times over time are made from the log; this run has none.");
    assert_has(page, "p(99) &lt; 1ms");
    assert_has(page, "✗ missed");
    assert_has(page, "Content-Security-Policy\" content=\"default-src 'none'");
    cJSON_Delete(inside);
    cJSON_Delete(own);
    free(data);
    free(page);
    free(json);
    sample_fini(&s);
}

#define EVIL                                                                                                 \
    "</script><script>alert(1)</script><!-- \"'& \xE2\x80\xAEgpj\xE2\x80\xAC \xE2\x80\xA8 \x1B[31m\a "       \
    "\xEF\xBF\xBE \xC3( "                                                                                    \
    "\xF0\x9F\x98\x80 \xC2\x85"
/* Zero width, a soft hyphen, a filler, a tag; then a family, whose joiners belong to it, and a letter's joiner, which is named. */
#define UNSEEN                                                                                               \
    "a\xE2\x80\x8B"                                                                                          \
    "b\xC2\xAD"                                                                                              \
    "c\xE3\x85\xA4"                                                                                          \
    "d\xF3\xA0\x81\x81 \xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 e\xE2\x80\x8D"                           \
    "f"

static void what_cannot_be_seen_is_named(void **state)
{
    struct e8_buf out;
    (void)state;
    e8_buf_init(&out, 4096);
    e8_html_text(&out, UNSEEN);
    assert_string_equal(e8_buf_cstr(&out), "a[U+200B]b[U+00AD]c[U+3164]d[U+E0041] "
                                           "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9 e[U+200D]f");
    e8_buf_fini(&out);
}

static void hostile_texts_stay_texts(void **state)
{
    static const struct e8_log_endpoint endpoints[ENDPOINTS] = {
        {.name = EVIL, .url = "http://localhost/" EVIL, .scheme = EVIL}, {.name = "b", .url = "c"}};
    static const char *const types[TYPES] = {EVIL, EVIL "2", "plain"};
    const struct e8_report_step step = {.id = EVIL, .type = EVIL, .expects = EVIL, .unmet = 1, .why = EVIL};
    (void)state;
    struct sample s;
    sample_init(&s);
    s.run.name = s.run.command = s.run.version = EVIL;
    s.run.endpoints = endpoints;
    s.run.types = types;
    s.more.steps = &step;
    s.more.step_count = 1;
    sample_add(&s, E8_HTTP_4XX, 422, MS, EVIL);
    char *page = sample_text(sample_report(&s), E8_FORMAT_HTML, plain), *data = data_of(page);
    assert_clean(page, false);
    assert_lacks(page, "alert(1)</script>");
    assert_lacks(page, "<script>alert");
    assert_lacks(page, (const char[]){(char)0xE2, (char)0x80, (char)0xAE, '\0'});
    assert_lacks(page, "\xE2\x80\xA8");
    assert_lacks(page, "\xEF\xBF\xBE");
    assert_lacks(page, "\xC2\x85");
    assert_has(page, "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;!-- &quot;&#39;&amp; "
                     "[U+202E]gpj[U+202C] [U+2028] [ESC][31m[BEL] ");
    assert_null(strpbrk(data, "<>&"));
    for (const char *p = data; *p; p++)
        assert_in_range(*p, 0x20, 0x7E);
    cJSON *parsed = cJSON_Parse(data);
    const cJSON *run = cJSON_GetArrayItem(cJSON_GetObjectItem(parsed, "runs"), 0);
    assert_has(cJSON_GetStringValue(cJSON_GetObjectItem(run, "label")),
               "</script><script>alert(1)</script><!--");
    assert_has(cJSON_GetStringValue(cJSON_GetObjectItem(run, "label")), "\xF0\x9F\x98\x80");
    cJSON_Delete(parsed);
    free(data);
    free(page);
    sample_fini(&s);
}

/* ---- size ---- */

enum { MANY = 300, ATTEMPTS = 250000, TIMES = 4 };

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Times of nine decades, every status, so that nothing that could be told is left out. */
static void fill_all(struct e8_stats *stats, struct e8_course_maker *maker)
{
    uint64_t state = 1;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct e8_attempt attempt = sample_make(i % 3 ? E8_DELIVERED : E8_HTTP_5XX, 100 + i % 500, 0, "x");
        e8_dur_ns exact = 1000 + (e8_dur_ns)(next(&state) % (1ULL << (10 + next(&state) % 28)));
        attempt.endpoint = (uint16_t)(i % MANY);
        attempt.type = (uint16_t)(i % (MANY - 1));
        attempt.times.due = (e8_dur_ns)i * 3600 * E8_NS_S / ATTEMPTS;
        attempt.times.sent = attempt.times.due + exact / 3;
        attempt.times.done = attempt.times.due + exact;
        e8_stats_planned(stats, attempt.endpoint, attempt.type);
        e8_stats_add(stats, &attempt);
        e8_course_add(maker, &attempt);
    }
}

static void a_million_deliveries_fit_into_two_megabytes(void **state)
{
    static struct e8_log_endpoint endpoints[MANY];
    static const char *types[MANY];
    static struct e8_course course;
    (void)state;
    struct e8_arena *arena = e8_arena_new();
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < MANY; i++) {
        endpoints[i].name = e8_arena_printf(arena, "an endpoint with a long name, as they may have, %d", i);
        endpoints[i].url = e8_arena_printf(arena, "https://receivers.example.com/webhooks/of/tenant/%d", i);
        types[i] = e8_arena_printf(arena, "category%d.something_that_happened", i);
    }
    e8_stats_free(&s.stats);
    s.stats = e8_stats_new(MANY, MANY);
    struct e8_stats *part = e8_stats_new(MANY, MANY);
    s.run.endpoints = endpoints;
    s.run.types = types;
    s.run.endpoint_count = s.run.type_count = MANY;
    struct e8_course_maker *maker = e8_course_begin(&s.run, 3600 * E8_NS_S, &course);
    fill_all(part, maker);
    e8_course_end(&maker);
    for (int i = 0; i < TIMES; i++)
        e8_stats_merge(s.stats, part);
    e8_stats_free(&part);
    s.more.course = &course;
    char *page = sample_text(sample_report(&s), E8_FORMAT_HTML, plain);
    assert_int_equal(e8_hist_count(e8_stats_all(s.stats)->response), 1000000);
    assert_has(page, "1,000,000 attempts");
    assert_has(page, "… and 100 more endpoints, which the JSON report has");
    if (strlen(page) >= 2000000)
        fail_msg("the page has %zu bytes", strlen(page));
    free(page);
    e8_arena_free(&arena);
    sample_fini(&s);
}

static void several_runs_on_a_page(void **state)
{
    static const char *const labels[] = {"a.db", "b.db", "<b>c</b>.db"};
    const struct e8_report *reports[3];
    struct sample s[3];
    char *page = NULL, *text = NULL;
    size_t size;
    (void)state;
    for (int i = 0; i < 3; i++) {
        sample_init(&s[i]);
        sample_fill(&s[i]);
        for (int k = 0; k < 200 * i; k++)
            sample_add(&s[i], E8_DELIVERED, 200, 90 * MS, "");
        reports[i] = sample_report(&s[i]);
    }
    FILE *out = open_memstream(&page, &size);
    assert_int_equal(e8_reports_write(reports, labels, 3, E8_FORMAT_HTML, plain, out), E8_OK);
    fclose(out);
    out = open_memstream(&text, &size);
    assert_int_equal(e8_reports_write(reports, labels, 3, E8_FORMAT_TEXT, plain, out), E8_OK);
    fclose(out);
    assert_has(page, "<h1><bdi>3 runs compared</bdi></h1>");
    assert_has(page, "&lt;b&gt;c&lt;/b&gt;.db");
    assert_has(page, "id=\"run-C\"");
    assert_has(page, "% worse</td>");
    assert_has(text, "C  fail");
    assert_has(text, "since A");
    assert_has(text, "≈ within noise, ~ too few samples");
    assert_has(page, " too few samples</td>"); /* of a p99.9: they give it no bound */
    assert_true(widest(text) <= 80);
    char *data = data_of(page);
    cJSON *parsed = cJSON_Parse(data);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(parsed, "runs")), 3);
    cJSON_Delete(parsed);
    free(data);
    free(page);
    free(text);
    for (int i = 0; i < 3; i++)
        sample_fini(&s[i]);
}

const struct CMUnitTest html_tests[] = {
    cmocka_unit_test(the_data_is_the_json_report),
    cmocka_unit_test(what_cannot_be_seen_is_named),
    cmocka_unit_test(hostile_texts_stay_texts),
    cmocka_unit_test(a_million_deliveries_fit_into_two_megabytes),
    cmocka_unit_test(several_runs_on_a_page),
};
const size_t html_count = E8_COUNT(html_tests);
