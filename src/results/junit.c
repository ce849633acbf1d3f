/* JUnit XML as CI systems read it: testsuites, one testsuite, its testcases. */
#include <string.h>

#include "results/internal.h"

/* What XML 1.0 does not allow is gone after cleaning; what would be markup is escaped. */
static void put_escaped(struct e8_buf *buf, struct e8_str text, bool attribute)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '&')
            e8_buf_puts(buf, "&amp;");
        else if (c == '<')
            e8_buf_puts(buf, "&lt;");
        else if (c == '>')
            e8_buf_puts(buf, "&gt;");
        else if (attribute && c == '"')
            e8_buf_puts(buf, "&quot;");
        else
            e8_buf_putc(buf, c);
    }
}

static void put_attribute(struct e8_buf *buf, const char *name, const char *text)
{
    struct e8_buf clean;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    e8_buf_printf(buf, " %s=\"", name);
    put_escaped(buf, e8_buf_str(&clean), true);
    e8_buf_putc(buf, '"');
    e8_buf_fini(&clean);
}

static void put_seconds(struct e8_buf *buf, e8_dur_ns dur)
{
    e8_buf_puts(buf, " time=\"");
    e8_put_seconds(buf, dur);
    e8_buf_putc(buf, '"');
}

static void put_fact(struct e8_buf *text, const char *label, const char *value)
{
    if (!value || !value[0])
        return;
    e8_buf_printf(text, "%s: ", label);
    e8_clean_line(text, value);
    e8_buf_putc(text, '\n');
}

static void put_part(struct e8_buf *text, const char *label, const char *step, struct e8_str message)
{
    e8_buf_printf(text, "\n%s", label);
    if (step) {
        e8_buf_puts(text, " (");
        e8_clean_line(text, step);
        e8_buf_putc(text, ')');
    }
    e8_buf_puts(text, message.n ? ":\n" : ": nothing\n");
    e8_clean_message(text, message, BODY_SHOWN);
    e8_buf_puts(text, message.n ? "\n" : "");
}

static void put_command(struct e8_buf *text, const char *label, const char *command)
{
    if (!command)
        return;
    e8_buf_printf(text, "\n%s:\n", label);
    e8_clean_command(text, command);
    e8_buf_putc(text, '\n');
}

static void put_details(struct e8_buf *text, const struct e8_result *result)
{
    size_t shown = result->exhibit_count < EXHIBITS_MOST ? result->exhibit_count : EXHIBITS_MOST;
    put_fact(text, e8_result_words[result->kind].count, result->reason ? result->reason : result->title);
    put_fact(text, "why", result->why);
    put_fact(text, "mend", result->mend);
    put_fact(text, "override", result->override);
    for (size_t i = 0; i < shown; i++) {
        const struct e8_exhibit *exhibit = &result->exhibits[i];
        put_part(text, "sent", exhibit->step, exhibit->request);
        put_part(text, "came back", NULL, exhibit->answer);
        put_fact(text, "expected", exhibit->expected);
        put_fact(text, "got", exhibit->got);
        put_command(text, "the same by hand", exhibit->curl);
    }
    if (shown < result->exhibit_count)
        e8_buf_printf(text, "\n… and %zu more\n", result->exhibit_count - shown);
    put_command(text, "reproduce", result->reproduce);
}

static void put_element(struct e8_buf *buf, const char *name, const char *message, const char *type,
                        const struct e8_result *result)
{
    struct e8_buf text;
    e8_buf_init(&text, 4 << 20);
    put_details(&text, result);
    e8_buf_printf(buf, "      <%s", name);
    if (message)
        put_attribute(buf, "message", message);
    if (type)
        put_attribute(buf, "type", type);
    e8_buf_putc(buf, '>');
    put_escaped(buf, e8_buf_str(&text), false);
    e8_buf_printf(buf, "</%s>\n", name);
    e8_buf_fini(&text);
}

static void put_name(struct e8_buf *buf, const struct e8_result *result)
{
    struct e8_buf name;
    e8_buf_init(&name, 64 << 10);
    e8_buf_puts(&name, result->id);
    if (result->title && result->title[0]) {
        e8_buf_putc(&name, ' ');
        e8_buf_puts(&name, result->title);
    }
    put_attribute(buf, "name", e8_buf_cstr(&name));
    e8_buf_fini(&name);
}

static void put_case(struct e8_buf *buf, const struct e8_results *results, const struct e8_result *result)
{
    const char *message = result->reason ? result->reason : result->title;
    e8_buf_puts(buf, "    <testcase");
    put_attribute(buf, "classname", result->group ? result->group : results->suite);
    put_name(buf, result);
    put_seconds(buf, result->took);
    bool empty = result->kind == E8_RESULT_PASS && !result->override;
    e8_buf_puts(buf, empty ? "/>\n" : ">\n");
    if (result->kind == E8_RESULT_FAIL) {
        put_element(buf, "failure", message, "failure", result);
    } else if (result->kind == E8_RESULT_SKIP) {
        e8_buf_puts(buf, "      <skipped");
        put_attribute(buf, "message", message);
        e8_buf_puts(buf, "/>\n");
    } else if (!empty) {
        put_element(buf, "system-out", NULL, NULL, result);
    }
    e8_buf_puts(buf, empty ? "" : "    </testcase>\n");
}

/* What no result of its own says: that the whole must not be believed, or failed. */
static void put_verdict(struct e8_buf *buf, const struct e8_results *results, const char *element)
{
    e8_buf_puts(buf, "    <testcase");
    put_attribute(buf, "classname", results->suite);
    e8_buf_puts(buf, " name=\"verdict\"");
    put_seconds(buf, results->took);
    e8_buf_printf(buf, ">\n      <%s", element);
    put_attribute(buf, "message", results->reason);
    put_attribute(buf, "type", e8_verdict_words[results->verdict].name);
    e8_buf_puts(buf, "/>\n    </testcase>\n");
}

static void put_counts(struct e8_buf *buf, const struct e8_results *results, size_t extra_fail, size_t errors)
{
    e8_buf_printf(buf, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
                  results->count + extra_fail + errors,
                  e8_results_count(results, E8_RESULT_FAIL) + extra_fail, errors,
                  e8_results_count(results, E8_RESULT_SKIP));
    put_seconds(buf, results->took);
}

static void put_properties(struct e8_buf *buf, const struct e8_results *results)
{
    const char *const *p = results->properties;
    if (!results->target && !(p && p[0]))
        return;
    e8_buf_puts(buf, "    <properties>\n");
    if (results->target) {
        e8_buf_puts(buf, "      <property name=\"target\"");
        put_attribute(buf, "value", results->target);
        e8_buf_puts(buf, "/>\n");
    }
    for (; p && p[0] && p[1]; p += 2) {
        e8_buf_puts(buf, "      <property");
        put_attribute(buf, "name", p[0]);
        put_attribute(buf, "value", p[1]);
        e8_buf_puts(buf, "/>\n");
    }
    e8_buf_puts(buf, "    </properties>\n");
}

void e8_results_junit(const struct e8_results *results, struct e8_buf *buf, FILE *out)
{
    size_t errors = results->verdict == E8_RESULTS_INVALID;
    size_t failed = results->verdict == E8_RESULTS_FAIL && e8_results_count(results, E8_RESULT_FAIL) == 0;
    char started[E8_RFC3339_MAX];
    e8_wall_format(results->started, 0, started);
    e8_buf_puts(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    put_attribute(buf, "name", results->suite);
    put_counts(buf, results, failed, errors);
    e8_buf_puts(buf, ">\n  <testsuite");
    put_attribute(buf, "name", results->suite);
    put_counts(buf, results, failed, errors);
    put_attribute(buf, "timestamp", started);
    e8_buf_puts(buf, ">\n");
    put_properties(buf, results);
    for (size_t i = 0; i < results->count; i++) {
        put_case(buf, results, &results->list[i]);
        e8_results_spill(buf, out);
    }
    if (errors || failed)
        put_verdict(buf, results, errors ? "error" : "failure");
    e8_buf_puts(buf, "  </testsuite>\n</testsuites>\n");
}
