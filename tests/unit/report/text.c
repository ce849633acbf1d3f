#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

static void no_line_is_wider_than_the_page(void **state)
{
    (void)state;
    static const int widths[] = {40, 60, 80, 100, 120, 200};
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_add(&s, E8_GEN_PORT, 0, MS, "");
    s.run.name = "a name that is longer than any name has a right to be, in particular on a narrow terminal";
    s.run.insecure = true;
    s.run.stalls = 123456;
    sample_rule(&s, "send_lag p(99.9) < 250ms");
    sample_report(&s);
    for (size_t i = 0; i < E8_COUNT(widths); i++) {
        char *text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){.width = widths[i]});
        if (widest(text) > (size_t)widths[i])
            fail_msg("%zu columns at width %d:\n%s", widest(text), widths[i], text);
        assert_clean(text, false);
        free(text);
    }
    sample_fini(&s);
}

static void eighty_columns_show_the_main_things(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "support-day                                     run 12 · 2026-03-01 12:00:00 UTC\n",
        "  took 30 s · 4 workers · seed 18446744073709551615 · emit8 0.1.0 · curl 7.88.1\n",
        "  timer floor 58 µs · scenario 3f2a91c04b12 · fixtures 88ab12ff9911\n",
        "\nDeliveries                                                  404 planned · 80.8/s\n",
        "\n  delivered  400  99.01 %  ████████████████████",
        "\n  failed       4   0.99 %  ▌\n",
        "\n  409 attempts · 5 retries · ",
        "\nStatus                                                              409 attempts\n",
        "\n  200  OK                     360  88.02 %  ███████",
        "\n  422  Unprocessable Content    2   0.49 %  ▏\n",
        "\n  –    no answer                2   0.49 %  ▏\n",
        "\nResponse time                                                        409 samples\n",
        "\nPercentiles                                                    ~ too few samples\n",
        "  send lag\n",
        "\n  max             5 s ",
        "\n  name        delivered  failed  retries  success     p50      p95      p99\n",
        "\n  type                    delivered  failed  success     p50     p95       p99\n",
        "\nErrors                                                                9 attempts\n",
        "\n  1  timeout_first_byte  crm  The response did not begin before the deadline.\n",
        "\n  ✓  success >= 99%  99.0099 %\n",
        "\n  ✗  max < 1s              5 s\n",
        "\nWarnings\n  !  p99 and p99.9 of 409 samples are indicative only",
        "\nFAIL  max < 1s: measured 5 s\n",
    };
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_rule(&s, "success >= 99%");
    sample_rule(&s, "max < 1s");
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
    const char *from = text;
    for (size_t i = 0; i < E8_COUNT(lines); i++) {
        assert_has(from, lines[i]); /* in this order */
        from = strstr(from, lines[i]) + 1;
    }
    const char *last = "\nFAIL  max < 1s: measured 5 s\n";
    assert_string_equal(text + strlen(text) - strlen(last), last);
    assert_lacks(text, " \n");
    free(text);
    sample_fini(&s);
}

/* "~" where a tenth of the samples, or a twentieth, is hardly any. */
static void percentiles_of_few_samples_are_marked(void **state)
{
    static const struct {
        int samples;
        const char *row;
        bool shaky;
    } rows[] = {{19, "p50", true},  {20, "p50", false},   {39, "p75", true},  {40, "p75", false},
                {99, "p90", true},  {100, "p90", false},  {199, "p95", true}, {200, "p95", false},
                {200, "p99", true}, {10000, "p99", false}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        char told[64];
        sample_init(&s);
        for (int n = 0; n < rows[i].samples; n++)
            sample_add(&s, E8_DELIVERED, 200, MS, "");
        char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
        snprintf(told, sizeof(told), "\n  %s ", rows[i].row);
        const char *line = strstr(text, told);
        assert_non_null(line);
        line += strlen(told);
        assert_int_equal(line[strspn(line, " ")] == '~', rows[i].shaky);
        free(text);
        sample_fini(&s);
    }
}

static void wider_pages_show_more(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){.width = 120});
    assert_has(text, "  name        URL                             delivered  failed  retries  success  ");
    assert_has(text, "  crm         http://127.0.0.1:9000/webhooks        320       4        5  98.77 %  ");
    assert_has(text, "     max\n");
    assert_has(text, "p99 takes 10,000 samples, p99.9 100,000\n");
    assert_lacks(text, "\033");
    free(text);
    sample_fini(&s);
}

static void nothing_shows_as_all_and_something_never_as_nothing(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (unsigned i = 0; i < 200000; i++)
        sample_add(&s, E8_DELIVERED, 200, 5 * MS, "");
    sample_add(&s, E8_HTTP_5XX, 500, 5 * MS, "HTTP 500");
    sample_rule(&s, "success >= 99%");
    sample_rule(&s, "status(5xx) < 1%");
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "delivered  200,000  99.99 %");
    assert_has(text, "failed           1  <0.01 %  ▏");
    assert_has(text, "✓  success >= 99%    99.9995 %");
    assert_has(text, "✓  status(5xx) < 1%   0.0005 %");
    assert_has(text, "PASS  1 of 200,001 deliveries ended undelivered, which the thresholds allow\n");
    assert_lacks(strstr(text, "\nPercentiles"), "100 %");
    *strstr(text, "\nResponse") = '\0';
    assert_lacks(text, "100 %");
    free(text);
    sample_fini(&s);
}

static void what_the_receiver_says_is_cleaned(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    sample_report(&s);
    for (int colour = 0; colour < 2; colour++) {
        struct e8_style style = {.colour = colour};
        char *text = sample_text(&s.report, E8_FORMAT_TEXT, style);
        assert_clean(text, colour);
        assert_has(text, "HTTP 422 \\x1B[31mevil\\x1B[0m \\x07 text");
        free(text);
    }
    sample_fini(&s);
}

/* The only place in which an error's text stands. */
static void errors_are_told_whole(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    for (int i = 0; i < 9; i++)
        sample_add(&s, E8_CONNECT_REFUSED, 0, MS,
                   "Failed to connect to 127.0.0.1 port 9000 after 0 ms: Couldn't connect to server");
    for (int width = 60; width <= 200; width += 20) {
        char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){.width = width});
        char flat[256] = "";
        struct e8_str rest = e8_str(strstr(text, "  9  connect_refused  crm  ")), line;
        assert_true(widest(text) <= (size_t)width);
        while (e8_str_split(&rest, '\n', &line) && line.n > 0) { /* in its column */
            assert_true(!flat[0] || strspn(line.p, " ") == 27);
            snprintf(flat + strlen(flat), sizeof flat - strlen(flat), " %.*s", (int)line.n - 27, line.p + 27);
        }
        assert_string_equal(
            flat, " Failed to connect to 127.0.0.1 port 9000 after 0 ms: Couldn't connect to server");
        free(text);
    }
    sample_fini(&s);
}

/* Columns of zeros leave early; names are cut last, and so that their ends still tell them apart. */
static void names_are_cut_last(void **state)
{
    (void)state;
    static const struct e8_column columns[] = {{.title = "type", .least = 16, .wish = 28, .middle = true},
                                               {.title = "delivered", .right = true},
                                               {.title = "failed", .right = true, .zeros = 2},
                                               {.title = "retries", .right = true, .zeros = 3},
                                               {.title = "p50", .right = true, .drop = 1}};
    static const char *const rows[][5] = {{"conversation.created", "1", "0", "2", "5 ms"},
                                          {"conversation.updated", "1", "0", "0", "5 ms"}};
    static const struct {
        size_t width;
        const char *text;
    } cases[] = {
        {80, "  type                  delivered  failed  retries   p50\n"
             "  conversation.created          1       0        2  5 ms\n"
             "  conversation.updated          1       0        0  5 ms\n"},
        {50, "  type                  delivered  retries   p50\n"
             "  conversation.created          1        2  5 ms\n"
             "  conversation.updated          1        0  5 ms\n"},
        {45, "  type                  delivered  retries\n"
             "  conversation.created          1        2\n"
             "  conversation.updated          1        0\n"},
        {38, "  type              delivered  retries\n"
             "  conversa…created          1        2\n"
             "  conversa…updated          1        0\n"},
    };
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        struct e8_table table;
        struct e8_buf out;
        e8_buf_init(&out, 4096);
        struct e8_page page = {&out, cases[i].width, false};
        e8_table_init(&table, columns, E8_COUNT(columns));
        for (size_t cell = 0; cell < E8_COUNT(rows) * E8_COUNT(columns); cell++)
            e8_table_cell(&table, E8_PLAIN, rows[cell / 5][cell % 5]);
        e8_table_write(&table, &page);
        assert_string_equal(e8_buf_cstr(&out), cases[i].text);
        e8_table_fini(&table);
        e8_buf_fini(&out);
    }
}

static void hostile_names_keep_the_page(void **state)
{
    (void)state;
    static const struct e8_log_endpoint hostile[ENDPOINTS] = {
        {.name = "\xff\xfe\x1b]0;x\x07\xc2\x9b", .url = "http://h/\n\033[2J"},
        {.name = "日本語の受信者", .url = NULL},
    };
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    s.run.endpoints = hostile;
    s.run.name = "\033[2Jname";
    s.run.version = s.run.curl_version = s.run.scenario_digest = s.run.fixtures_digest = s.run.command = NULL;
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){.width = 120});
    assert_clean(text, false);
    assert_lacks(text, "\xc2\x9b");
    assert_has(text, "\\x1B[2Jname");
    assert_has(text, "  \\xFF\\xFE\\x1B]0;x\\x07\\xC2\\x9B  ");
    assert_has(text, "  日本語の受信者  "); /* 14 columns */
    free(text);
    sample_fini(&s);
}

static void colour_is_only_where_asked_for(void **state)
{
    (void)state;
    static const struct {
        enum e8_outcome outcome;
        const char *verdict;
    } rows[] = {
        {E8_DELIVERED, "\n\033[1m\033[32mPASS\033[0m"},
        {E8_RESET, "\n\033[1m\033[31mFAIL\033[0m"},
        {E8_GEN_FD, "\n\033[1m\033[33mINVALID\033[0m"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        sample_init(&s);
        sample_add(&s, rows[i].outcome, rows[i].outcome == E8_DELIVERED ? 200 : 0, MS, "");
        char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){.colour = true});
        assert_has(text, rows[i].verdict);
        free(text);
        text = sample_text(&s.report, E8_FORMAT_TEXT, (struct e8_style){0});
        assert_lacks(text, "\033");
        free(text);
        sample_fini(&s);
    }
}

/* The bins' counts and shares add up whatever the distribution. */
static uint64_t bin_sum(const char *text)
{
    uint64_t sum = 0;
    const char *at = strstr(text, "Response time"), *end = strstr(text, "\nPercentiles");
    assert_non_null(at);
    assert_non_null(end);
    for (at = strchr(at, '\n') + 1; at < end; at = strchr(at, '\n') + 1) {
        uint64_t count = 0;
        const char *dash = strstr(at, "– "), *line = strchr(at, '\n');
        if (!dash || dash > line)
            dash = at + 2;
        assert_true(dash && dash < line);
        const char *p = strstr(dash, "  "); /* behind the label */
        assert_non_null(p);
        for (p += strspn(p, " "); *p != ' '; p++)
            count = *p == ',' ? count : count * 10 + (uint64_t)(*p - '0');
        sum += count;
    }
    return sum;
}

static void histograms_hold_all_samples(void **state)
{
    (void)state;
    static const struct {
        e8_dur_ns first, step, last;
    } rows[] = {
        {5 * MS, 0, 5 * MS},           {5 * MS, MS / 1000, 6 * MS}, {21000, 50 * MS, 3600 * E8_NS_S - 1},
        {999 * MS, 7, 1200 * E8_NS_S}, {100 * MS, MS, 100 * MS},    {30000, 0, 30001},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct sample s;
        sample_init(&s);
        for (int k = 0; k < 500; k++)
            sample_add(&s, E8_DELIVERED, 200, rows[i].first + k * rows[i].step, "");
        sample_add(&s, E8_DELIVERED, 200, rows[i].last, "");
        char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
        assert_int_equal(bin_sum(text), 501);
        assert_int_equal(widest(text), 80);
        free(text);
        sample_fini(&s);
    }
}

static void an_empty_run_has_a_report(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    s.run.endpoint_count = s.run.type_count = 0;
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
    assert_has(text, "  delivered  0  –\n");
    assert_has(text, "\nINVALID  nothing was tested: no attempt was made\n");
    assert_lacks(text, "Percentiles");
    assert_lacks(text, "Endpoints");
    free(text);
    sample_fini(&s);
}

static void errors_are_grouped_most_frequent_first(void **state)
{
    (void)state;
    struct sample s;
    sample_init(&s);
    sample_fill(&s);
    char *text = sample_text(sample_report(&s), E8_FORMAT_TEXT, (struct e8_style){0});
    const char *errors = strstr(text, "\nErrors");
    assert_non_null(errors);
    assert_has(errors, "\n  5  http_5xx            crm  HTTP 503\n  2  http_4xx            crm  ");
    assert_lacks(errors, "later");
    free(text);
    sample_fini(&s);
}

const struct CMUnitTest text_tests[] = {
    cmocka_unit_test(percentiles_of_few_samples_are_marked),
    cmocka_unit_test(no_line_is_wider_than_the_page),
    cmocka_unit_test(eighty_columns_show_the_main_things),
    cmocka_unit_test(wider_pages_show_more),
    cmocka_unit_test(nothing_shows_as_all_and_something_never_as_nothing),
    cmocka_unit_test(what_the_receiver_says_is_cleaned),
    cmocka_unit_test(hostile_names_keep_the_page),
    cmocka_unit_test(errors_are_told_whole),
    cmocka_unit_test(names_are_cut_last),
    cmocka_unit_test(colour_is_only_where_asked_for),
    cmocka_unit_test(histograms_hold_all_samples),
    cmocka_unit_test(an_empty_run_has_a_report),
    cmocka_unit_test(errors_are_grouped_most_frequent_first),
};
const size_t text_count = E8_COUNT(text_tests);
