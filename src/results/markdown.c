/* A summary for a CI job's page, in GitHub's flavour, which the others read too. */
#include <string.h>

#include "results/internal.h"

enum { ROWS_MOST = 200, DETAILS_MOST = 40 };

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* Is it a sign that HTML, and with it Markdown, takes for its own? Then its name is put. */
static bool put_entity(struct e8_buf *buf, char c)
{
    const char *name = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : NULL;
    if (name)
        e8_buf_puts(buf, name);
    return name != NULL;
}

/* In one line of a paragraph or a table's cell: no markup, no HTML, no column. */
static void put_inline(struct e8_buf *buf, const char *text)
{
    struct e8_buf clean;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    for (size_t i = 0; i < clean.n; i++) {
        char c = clean.p[i];
        bool within = i > 0 && i + 1 < clean.n && is_word(clean.p[i - 1]) && is_word(clean.p[i + 1]);
        if (put_entity(buf, c))
            continue;
        if (strchr("\\`*[]|~#@", c) || (c == '_' && !within))
            e8_buf_putc(buf, '\\');
        e8_buf_putc(buf, c);
    }
    e8_buf_fini(&clean);
}

/* A line of HTML. */
static void put_html(struct e8_buf *buf, const char *text)
{
    struct e8_buf clean;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    for (size_t i = 0; i < clean.n; i++) {
        if (!put_entity(buf, clean.p[i]))
            e8_buf_putc(buf, clean.p[i]);
    }
    e8_buf_fini(&clean);
}

/* The fence is longer than any that stands in the text. */
static void put_fenced(struct e8_buf *buf, const char *language, struct e8_str text)
{
    size_t longest = 2, run = 0;
    for (size_t i = 0; i < text.n; i++) {
        run = text.p[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        e8_buf_putc(buf, '`');
    e8_buf_printf(buf, "%s\n", language);
    e8_buf_putstr(buf, text);
    e8_buf_putc(buf, '\n');
    for (size_t i = 0; i <= longest; i++)
        e8_buf_putc(buf, '`');
    e8_buf_puts(buf, "\n\n");
}

static void put_paragraph(struct e8_buf *buf, const char *label, const char *text)
{
    if (!text || !text[0])
        return;
    e8_buf_printf(buf, "**%s:** ", label);
    put_inline(buf, text);
    e8_buf_puts(buf, "\n\n");
}

static void put_message(struct e8_buf *buf, const char *label, const char *step, struct e8_str message)
{
    struct e8_buf clean;
    e8_buf_puts(buf, label);
    if (step) {
        e8_buf_puts(buf, " (");
        put_inline(buf, step);
        e8_buf_putc(buf, ')');
    }
    e8_buf_puts(buf, message.n ? ":\n\n" : ": nothing\n\n");
    if (message.n == 0)
        return;
    e8_buf_init(&clean, 1 << 20);
    e8_clean_message(&clean, message, BODY_SHOWN);
    put_fenced(buf, "http", e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_command(struct e8_buf *buf, const char *label, const char *command)
{
    struct e8_buf clean;
    if (!command)
        return;
    e8_buf_init(&clean, 1 << 20);
    e8_clean_command(&clean, command);
    e8_buf_printf(buf, "%s:\n\n", label);
    put_fenced(buf, "sh", e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_details(struct e8_buf *buf, const struct e8_result *result)
{
    size_t shown = result->exhibit_count < EXHIBITS_MOST ? result->exhibit_count : EXHIBITS_MOST;
    e8_buf_puts(buf, "<details>\n<summary><b>");
    put_html(buf, result->id);
    e8_buf_puts(buf, "</b> ");
    put_html(buf, result->title);
    e8_buf_puts(buf, "</summary>\n\n");
    put_paragraph(buf, e8_result_words[result->kind].word, result->reason);
    put_paragraph(buf, "Why it matters", result->why);
    put_paragraph(buf, "How to mend it", result->mend);
    put_paragraph(buf, "Overridden", result->override);
    for (size_t i = 0; i < shown; i++) {
        const struct e8_exhibit *exhibit = &result->exhibits[i];
        put_message(buf, "Sent", exhibit->step, exhibit->request);
        put_message(buf, "Came back", NULL, exhibit->answer);
        put_paragraph(buf, "Expected", exhibit->expected);
        put_paragraph(buf, "Got", exhibit->got);
        put_command(buf, "The same by hand", exhibit->curl);
    }
    if (shown < result->exhibit_count)
        e8_buf_printf(buf, "… and %zu more\n\n", result->exhibit_count - shown);
    put_command(buf, "Reproduce", result->reproduce);
    e8_buf_puts(buf, "</details>\n\n");
}

static void put_row(struct e8_buf *buf, const struct e8_result *result)
{
    e8_buf_puts(buf, "| ");
    put_inline(buf, result->id);
    e8_buf_puts(buf, " | ");
    put_inline(buf, result->title);
    e8_buf_puts(buf, " | ");
    put_inline(buf, result->reason);
    if (result->override) {
        e8_buf_puts(buf, result->reason ? "; overridden: " : "overridden: ");
        put_inline(buf, result->override);
    }
    e8_buf_puts(buf, " |\n");
}

static void put_table(struct e8_buf *buf, const struct e8_results *results, enum e8_result_kind kind,
                      const char *title, const char *column, FILE *out)
{
    size_t count = e8_results_count(results, kind), rows = 0, details = 0;
    if (count == 0)
        return;
    e8_buf_printf(buf, "### %s\n\n| test | what | %s |\n|---|---|---|\n", title, column);
    for (size_t i = 0; i < results->count && rows < ROWS_MOST; i++) {
        if (results->list[i].kind != kind)
            continue;
        put_row(buf, &results->list[i]);
        rows++;
    }
    e8_buf_putc(buf, '\n');
    if (rows < count)
        e8_buf_printf(buf, "… and %zu more\n\n", count - rows);
    for (size_t i = 0; i < results->count && details < DETAILS_MOST; i++) {
        if (results->list[i].kind != kind || !e8_result_tells(&results->list[i]))
            continue;
        put_details(buf, &results->list[i]);
        e8_results_spill(buf, out);
        details++;
    }
}

static void put_overridden(struct e8_buf *buf, const struct e8_results *results)
{
    size_t count = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct e8_result *result = &results->list[i];
        if (!result->override || result->kind != E8_RESULT_PASS || count++ >= ROWS_MOST)
            continue;
        if (count == 1)
            e8_buf_puts(buf, "### Passed by an override\n\n| test | what | why |\n|---|---|---|\n");
        put_row(buf, result);
    }
    e8_buf_puts(buf, count ? "\n" : "");
}

static void put_counts(struct e8_buf *buf, const struct e8_results *results)
{
    e8_buf_puts(buf, "| result | count |\n|---|---:|\n");
    for (int kind = E8_RESULT_PASS; kind <= E8_RESULT_REPORT; kind++) {
        size_t count = e8_results_count(results, (enum e8_result_kind)kind);
        if (count == 0 && kind > E8_RESULT_FAIL)
            continue;
        e8_buf_printf(buf, "| %s | ", e8_result_words[kind].count);
        e8_put_count(buf, count);
        e8_buf_puts(buf, " |\n");
    }
    e8_buf_putc(buf, '\n');
}

static void put_facts(struct e8_buf *buf, const struct e8_results *results)
{
    char started[E8_RFC3339_MAX], took[E8_DUR_MAX];
    e8_wall_format(results->started, 0, started);
    if (results->target) {
        e8_buf_puts(buf, "to ");
        put_inline(buf, results->target);
        e8_buf_puts(buf, " · ");
    }
    e8_buf_printf(buf, "%.10s %.8s UTC · took %s", started, started + 11, e8_dur_text(results->took, took));
    for (const char *const *p = results->properties; p && p[0] && p[1]; p += 2) {
        e8_buf_puts(buf, " · ");
        put_inline(buf, p[0]);
        e8_buf_putc(buf, ' ');
        put_inline(buf, p[1]);
    }
    e8_buf_putc(buf, '\n');
}

void e8_results_markdown(const struct e8_results *results, struct e8_buf *buf, FILE *out)
{
    static const char *const marks[] = {"✅", "❌", "⚠️"};
    e8_buf_printf(buf, "## %s %s: ", marks[results->verdict], e8_verdict_words[results->verdict].word);
    put_inline(buf, results->suite);
    e8_buf_puts(buf, "\n\n");
    put_inline(buf, results->reason);
    e8_buf_puts(buf, "\n\n");
    put_counts(buf, results);
    put_table(buf, results, E8_RESULT_FAIL, "Failed", "reason", out);
    put_table(buf, results, E8_RESULT_REPORT, "Reported", "what was seen", out);
    put_table(buf, results, E8_RESULT_SKIP, "Skipped", "why", out);
    put_overridden(buf, results);
    put_facts(buf, results);
}
