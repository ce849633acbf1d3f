#include "tests.h"

#include <stdio.h>

#include "doc/doc.h"

static const struct e8_style plain = {0}, coloured = {.width = 80, .colour = true};

static const enum e8_results_format formats[] = {E8_RESULTS_TEXT, E8_RESULTS_TAP, E8_RESULTS_JUNIT,
                                                 E8_RESULTS_JSON, E8_RESULTS_MARKDOWN};

static void formats_have_names(void **state)
{
    static const char *const names[] = {"text", "tap", "junit", "json", "markdown"};
    enum e8_results_format format;
    (void)state;
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        assert_true(e8_results_format_find(e8_str(names[i]), &format));
        assert_int_equal(format, formats[i]);
    }
    assert_false(e8_results_format_find(E8_LIT("xml"), &format));
    assert_false(e8_results_format_find(E8_LIT(""), &format));
}

static void kinds_are_counted(void **state)
{
    (void)state;
    assert_int_equal(e8_results_count(sample(), E8_RESULT_PASS), 2);
    assert_int_equal(e8_results_count(sample(), E8_RESULT_FAIL), 1);
    assert_int_equal(e8_results_count(sample(), E8_RESULT_SKIP), 1);
    assert_int_equal(e8_results_count(sample(), E8_RESULT_REPORT), 1);
}

static void nothing_hostile_gets_through(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(formats); i++) {
        char *text = written(sample(), formats[i], plain);
        is_clean(text, false);
        assert_int_equal(text[strlen(text) - 1], '\n');
        free(text);
    }
    char *text = written(sample(), E8_RESULTS_TEXT, coloured);
    is_clean(text, true);
    has(text, "\033[31mFAIL\033[0m");
    free(text);
}

static void text_tells_all_of_a_failure_and_the_verdict_last(void **state)
{
    static const char *const parts[] = {
        "emit8 check  http://127.0.0.1:9000/hook  2026-03-01 12:00:00 UTC\n",
        "\nevents\n  PASS    EVT-01  one valid delivery of message.received\n",
        "\nsignature\n  FAIL    SIG-02  signed with another secret # | \\ <b>\n",
        "expected 400, 401 or 403; got 200 \\x1B[2J",
        "\n          why       Whoever knows",
        "\n          mend      Compute the HMAC",
        "\n          sent (signature: other_secret)\n            POST /hook?token=*** HTTP/1.1\n",
        "sha256=00ff\n\n            {\"id\":\"evt_1\"",
        "\n          came back\n            HTTP/1.1 200 OK\n            Server: a\\x1B[31mb\\x07\n",
        "\\x00\\x01\\xFF<b>ok\\xE2\\x80\\xAE",
        "\n          expected  400, 401 or 403\n          got       200\n",
        "\n          the same by hand\ncurl -X POST", /* its body has lines of its own */
        "came back: nothing\n",
        "\n          reproduce\n            emit8 check --only SIG-02",
        "\n  SKIP    TS-01   timestamp is no number\n          the scheme signs no # timestamp\n",
        "\n  REPORT  RAW-09  duplicate keys\n          accepted with 200\n",
        "          override  behind a proxy",
        "\n\n2 passed, 1 failed, 1 skipped, 1 reported; took 12.3 s\nFAIL  1 of 4 probes failed: SIG-02\n",
    };
    (void)state;
    char *text = written(sample(), E8_RESULTS_TEXT, plain);
    for (size_t i = 0; i < E8_COUNT(parts); i++)
        has(text, parts[i]);
    lacks(text, "\n\n\n");
    const char *last = strstr(text, "\nFAIL  1 of 4");
    assert_string_equal(last, "\nFAIL  1 of 4 probes failed: SIG-02\n");
    free(text);
}

static void prose_is_wrapped_at_the_width(void **state)
{
    (void)state;
    for (int width = 40; width <= 120; width += 20) {
        char *text = written(sample(), E8_RESULTS_TEXT, (struct e8_style){.width = width});
        struct e8_str rest = e8_str(strstr(text, "          why")), line;
        while (e8_str_split(&rest, '\n', &line)) {
            if (line.n > (size_t)width + 2)
                fail_msg("%d: %.*s", width, E8_STR(line));
            if (e8_str_is(line, "          the same by hand"))
                break;
        }
        free(text);
    }
}

static void tap_is_fourteen(void **state)
{
    static const char *const parts[] = {
        "TAP version 14\n1..5\n",
        "\nok 1 - EVT-01 one valid delivery of message.received\n",
        "\nnot ok 2 - SIG-02 signed with another secret \\# | \\\\ <b>\n  ---\n  message: \"expected 400",
        "\n  severity: fail\n  group: \"signature\"\n  seconds: 2.000000\n  why: \"Whoever",
        "\n      request: |\n        POST /hook?token=*** HTTP/1.1\n        Host: ",
        "\n      curl: |\n        curl -X POST",
        "\n  ...\nok 3 - SIG-03 one byte flipped\n  ---\n  severity: comment\n",
        "\n  override: \"behind a proxy # that answers 404\"\n",
        "\nok 4 - TS-01 timestamp is no number # SKIP the scheme signs no \\# timestamp\n",
        "\nok 5 - RAW-09 duplicate keys\n  ---\n  message: \"accepted with 200\"\n  severity: comment\n",
        "\n# fail: 1 of 4 probes failed: SIG-02\n",
    };
    (void)state;
    char *text = written(sample(), E8_RESULTS_TAP, plain);
    for (size_t i = 0; i < E8_COUNT(parts); i++)
        has(text, parts[i]);
    lacks(text, "# TO"
                "DO");
    lacks(text, "Bail out!");
    free(text);
    struct e8_results invalid = bare(E8_RESULTS_INVALID, "the canary # was refused");
    text = written(&invalid, E8_RESULTS_TAP, plain);
    assert_string_equal(
        text, "TAP version 14\n1..0 # SKIP nothing was judged\n# suite: quick\nBail out! the canary \\# "
              "was refused\n");
    free(text);
}

/* A harness looks at the tests alone. */
static void a_failure_that_no_test_tells_is_one(void **state)
{
    struct e8_results failed = bare(E8_RESULTS_FAIL, "3 of 4 deliveries ended undelivered");
    (void)state;
    char *text = written(&failed, E8_RESULTS_TAP, plain);
    has(text, "1..1\n");
    has(text, "\nnot ok 1 - verdict\n  ---\n  message: \"3 of 4");
    free(text);
    text = written(&failed, E8_RESULTS_JUNIT, plain);
    has(text, "tests=\"1\" failures=\"1\" errors=\"0\"");
    has(text, "<failure message=\"3 of 4 deliveries ended undelivered\" type=\"fail\"/>");
    free(text);
    failed.verdict = E8_RESULTS_INVALID;
    text = written(&failed, E8_RESULTS_JUNIT, plain);
    has(text, "tests=\"1\" failures=\"0\" errors=\"1\"");
    has(text, "<error message=\"3 of 4 deliveries ended undelivered\" type=\"invalid\"/>");
    free(text);
}

static void junit_is_what_ci_systems_read(void **state)
{
    static const char *const parts[] = {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"emit8 check\" tests=\"5\" "
        "failures=\"1\" "
        "errors=\"0\" skipped=\"1\" time=\"12.345000\">",
        "timestamp=\"2026-03-01T12:00:00Z\"",
        "<property name=\"target\" value=\"http://127.0.0.1:9000/hook\"/>",
        "<property name=\"scheme\" value=\"8bit &lt;&amp;&gt;\"/>",
        "<testcase classname=\"events\" name=\"EVT-01 one valid delivery of message.received\" "
        "time=\"0.001234\"/>",
        "name=\"SIG-02 signed with another secret # | \\ &lt;b&gt;\"",
        "<failure message=\"expected 400, 401 or 403; got 200 \\x1B[2J &lt;script&gt; | &quot;quoted&quot;\" "
        "type=\"failure\">",
        "]]&gt; &amp; é",
        "<skipped message=\"the scheme signs no # timestamp\"/>",
        "<system-out>reported: accepted with 200\n</system-out>",
        "override: behind a proxy",
    };
    (void)state;
    char *text = written(sample(), E8_RESULTS_JUNIT, plain);
    for (size_t i = 0; i < E8_COUNT(parts); i++)
        has(text, parts[i]);
    lacks(text, "]]>");
    lacks(text, "<script>");
    free(text);
}

static void markdown_is_no_markup_of_others(void **state)
{
    static const char *const parts[] = {
        "## ❌ FAIL: emit8 check\n\n1 of 4 probes failed: SIG-02\n\n| result | count |\n|---|---:|\n| passed "
        "| 2 |\n| "
        "failed | 1 |\n| skipped | 1 |\n| reported | 1 |\n\n",
        "### Failed\n\n| test | what | reason |\n|---|---|---|\n| SIG-02 | signed with another secret \\# "
        "\\| \\\\ "
        "&lt;b&gt; | expected",
        "\n<details>\n<summary><b>SIG-02</b> signed with another secret # | \\ &lt;b&gt;</summary>\n\n",
        "\n**Why it matters:** Whoever",
        "\nSent (signature: other_secret):\n\n````http\nPOST",
        "\n\n`````http\nHTTP/1.1 200 OK\n", /* its body holds a fence of four */
        "\nReproduce:\n\n```sh\nemit8 check --only SIG-02",
        "</details>\n\n### Reported\n\n",
        "### Skipped\n\n| test | what | why |\n|---|---|---|\n| TS-01 | timestamp is no number | the scheme "
        "signs no \\# "
        "timestamp |\n\n",
        "### Passed by an override\n\n",
        "to http://127.0.0.1:9000/hook · 2026-03-01 12:00:00 UTC · took 12.3 s · seed 42 · scheme 8bit &lt;",
    };
    (void)state;
    char *text = written(sample(), E8_RESULTS_MARKDOWN, plain);
    for (size_t i = 0; i < E8_COUNT(parts); i++)
        has(text, parts[i]);
    lacks(text, "<script>");
    free(text);
}

static void json_is_whole(void **state)
{
    (void)state;
    char *text = written(sample(), E8_RESULTS_JSON, plain);
    has(text, "\"schema_version\": 1,\n  \"suite\": \"emit8 check\"");
    has(text, "\"counts\": {\n    \"pass\": 2,\n    \"fail\": 1,\n    \"skip\": 1,\n    \"report\": 1\n  }");
    has(text, "\"step\": \"signature: other_secret\"");
    has(text, "\"answer\": null");
    has(text, "\"exchanges_left_out\": 0");
    free(text);
}

/* Every key that is written is required by the schema, and the other way round. */
static void requires_all(const struct e8_node *schema, const struct e8_node *value)
{
    const struct e8_node *required = e8_node_get(schema, "required");
    assert_non_null(value);
    assert_int_equal(required->count, value->count);
    for (const struct e8_node *key = required->first; key; key = key->next) {
        char name[64] = "";
        assert_true(key->text.n < sizeof name);
        memcpy(name, key->text.p, key->text.n);
        assert_non_null(e8_node_get(value, name));
        assert_non_null(e8_node_get(e8_node_get(e8_node_get(schema, "properties"), name), "description"));
    }
}

static void the_schema_requires_every_key(void **state)
{
    struct e8_doc *schema_doc, *doc;
    struct e8_err err = {0};
    (void)state;
    if (e8_doc_load(E8_SOURCE_DIR "/src/results/results.schema.json", &schema_doc, &err))
        fail_msg("%s", err.what);
    char *text = written(sample(), E8_RESULTS_JSON, plain);
    if (e8_doc_parse("results", e8_str(text), E8_DOC_JSON, &doc, &err))
        fail_msg("%d:%d: %s", err.line, err.col, err.what);
    const struct e8_node *schema = e8_doc_root(schema_doc), *root = e8_doc_root(doc);
    const struct e8_node *defs = e8_node_get(schema, "$defs");
    const struct e8_node *result = e8_node_get(root, "results")->first->next;
    requires_all(schema, root);
    requires_all(e8_node_get(e8_node_get(schema, "properties"), "counts"), e8_node_get(root, "counts"));
    requires_all(e8_node_get(defs, "result"), result);
    requires_all(e8_node_get(defs, "exchange"), e8_node_get(result, "exchanges")->first);
    free(text);
    e8_doc_free(&doc);
    e8_doc_free(&schema_doc);
}

/* More than is kept in memory at a time. */
static void many_results_are_written_whole(void **state)
{
    enum { MANY = 5000 };
    struct e8_result *list = calloc(MANY, sizeof *list);
    struct e8_results results = *sample();
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        list[i] = sample()->list[i % sample()->count];
    results.list = list;
    results.count = MANY;
    static const char *const ends[] = {"FAIL  1 of 4 probes failed: SIG-02\n",
                                       "# fail: 1 of 4 probes failed: SIG-02\n", "</testsuites>\n", "]\n}\n",
                                       "8bit &lt;&amp;&gt;\n"};
    for (size_t i = 0; i < E8_COUNT(formats); i++) {
        char *text = written(&results, formats[i], plain);
        assert_true(strlen(text) > 100000);
        assert_string_equal(text + strlen(text) - strlen(ends[i]), ends[i]);
        if (formats[i] == E8_RESULTS_MARKDOWN) {
            has(text, "… and 800 more\n");
            assert_true(strlen(text) < (1 << 20)); /* what a job's page takes */
        }
        free(text);
    }
    free(list);
}

static void a_full_disk_is_told(void **state)
{
    (void)state;
    FILE *out = fopen("/dev/full", "w");
    if (!out)
        skip();
    for (size_t i = 0; i < E8_COUNT(formats); i++)
        assert_int_equal(e8_results_write(sample(), formats[i], plain, out), E8_ENV);
    fclose(out);
}

static void what_is_missing_is_left_out(void **state)
{
    const struct e8_exhibit none = {0};
    const struct e8_result result = {
        .id = "A", .kind = E8_RESULT_FAIL, .exhibits = &none, .exhibit_count = 1};
    struct e8_results results = {.suite = "s", .list = &result, .count = 1, .verdict = E8_RESULTS_FAIL};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(formats); i++) {
        char *text = written(&results, formats[i], plain);
        lacks(text, "(null)");
        free(text);
    }
}

const struct CMUnitTest format_tests[] = {
    cmocka_unit_test(formats_have_names),
    cmocka_unit_test(kinds_are_counted),
    cmocka_unit_test(nothing_hostile_gets_through),
    cmocka_unit_test(text_tells_all_of_a_failure_and_the_verdict_last),
    cmocka_unit_test(prose_is_wrapped_at_the_width),
    cmocka_unit_test(tap_is_fourteen),
    cmocka_unit_test(a_failure_that_no_test_tells_is_one),
    cmocka_unit_test(junit_is_what_ci_systems_read),
    cmocka_unit_test(markdown_is_no_markup_of_others),
    cmocka_unit_test(json_is_whole),
    cmocka_unit_test(the_schema_requires_every_key),
    cmocka_unit_test(many_results_are_written_whole),
    cmocka_unit_test(a_full_disk_is_told),
    cmocka_unit_test(what_is_missing_is_left_out),
};
const size_t format_count = E8_COUNT(format_tests);
