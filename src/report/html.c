/* The page: one file that needs no other, and no network. */
#include "report/html.h"

#include <string.h>

#include "catalog/catalog.h"
#include "digest/digest.h"
#include "report/figures.h"

static struct e8_str part(const char *name)
{
    struct e8_str content = e8_catalog_builtin(name);
    E8_ASSERT(content.p);
    return content;
}

static void put_hash(struct e8_buf *out, struct e8_str content)
{
    uint8_t digest[32];
    e8_sha256_of(content, digest);
    e8_buf_puts(out, " 'sha256-");
    e8_base64_put(out, digest, sizeof(digest));
    e8_buf_putc(out, '\'');
}

/* Nothing but what stands in this file may run or be fetched. */
static void put_policy(struct e8_buf *out)
{
    e8_buf_puts(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri "
                     "'none'; form-action 'none'; style-src");
    put_hash(out, part("report/web/report.css"));
    e8_buf_puts(out, "; script-src");
    put_hash(out, part("web/chart.js"));
    put_hash(out, part("report/web/report.js"));
    e8_buf_puts(out, "\">\n");
}

static void put_head(struct e8_buf *out, const char *title)
{
    e8_buf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    put_policy(out);
    e8_buf_puts(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
    e8_html_text(out, title);
    e8_buf_puts(out, "</title>\n<style>");
    e8_buf_putstr(out, part("report/web/report.css"));
    e8_buf_puts(out, "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n");
}

static void put_scripts(struct e8_buf *out, const struct e8_report *const *reports, const char *const *labels,
                        size_t count)
{
    e8_buf_puts(out, "<script type=\"application/json\" id=\"data\">");
    e8_html_data(reports, labels, count, out);
    e8_buf_puts(out, "</script>\n<script>");
    e8_buf_putstr(out, part("web/chart.js"));
    e8_buf_puts(out, "</script>\n<script>");
    e8_buf_putstr(out, part("report/web/report.js"));
    e8_buf_puts(out, "</script>\n</body>\n</html>\n");
}

/* ---- one run ---- */

static void put_navigation(struct e8_buf *out, const struct e8_report *report)
{
    const struct {
        const char *id, *title;
        bool there;
    } rows[] = {
        {"warnings", "Warnings", report->warning_count > 0},
        {"thresholds", "Thresholds", report->threshold_count > 0},
        {"expectations", "Expectations", report->more.step_count > 0},
        {"times", "Latency", true},
        {"over", "Over time", true},
        {"answers", "Answers", e8_stats_all(report->stats)->n.attempts > 0},
        {"endpoints", "Endpoints", report->run->endpoint_count > 0},
        {"generator", "Generator", true},
        {"facts", "The run", true},
    };
    e8_buf_puts(out, "<nav aria-label=\"Sections\"><ul>\n");
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        if (rows[i].there)
            e8_html(out, "<li><a href=\"#%s\">%s</a></li>\n", rows[i].id, rows[i].title);
    e8_buf_puts(out, "</ul></nav>\n");
}

static void put_time_charts(struct e8_buf *out)
{
    e8_html_chart(out, "percentiles", "By percentile", "how many samples were at most that slow");
    e8_html_chart(out, "histogram", "Distribution", "share of the samples");
}

static void put_course_charts(struct e8_buf *out)
{
    e8_html_chart(out, "latency", "Latency over time", "of the attempts that were done in each part");
    e8_html_chart(out, "rate", "Rate over time", "what was due, what was begun and what was done");
    e8_html_chart(out, "backlog", "Backlog over time", "deliveries begun and not ended");
}

static void put_one(struct e8_buf *out, const struct e8_report *report)
{
    e8_html_verdict(out, report);
    e8_html_cards(out, report);
    e8_html_judged(out, report, "");
    e8_html_section(out, "", "times", "Latency", NULL);
    e8_buf_puts(out, "<div class=\"pair\">\n");
    put_time_charts(out);
    e8_buf_puts(out, "</div>\n");
    e8_html_percentiles(out, report);
    e8_html_section_end(out);
    e8_html_section(out, "", "over", "Over time", NULL);
    put_course_charts(out);
    e8_html_course(out, report);
    e8_html_section_end(out);
    e8_html_answers(out, report, "");
    e8_html_groups(out, report, "");
    e8_html_behaviour(out, report, "");
    e8_html_facts(out, report, "");
}

static const char *name_of(const struct e8_report *report)
{
    return report->run->name && report->run->name[0] ? report->run->name : "emit8";
}

static void put_heading(struct e8_buf *out, const char *title)
{
    e8_buf_puts(out, "<header><p class=\"brand\">emit8 <span>report</span></p>\n<h1><bdi>");
    e8_html_text(out, title);
    e8_buf_puts(out, "</bdi></h1></header>\n");
}

void e8_report_html(const struct e8_report *report, struct e8_buf *out)
{
    const char *label = name_of(report);
    struct e8_arena *arena = e8_arena_new();
    put_head(out, e8_arena_printf(arena, "%s: %s", label, e8_html_verdict_class(report)));
    put_heading(out, label);
    put_navigation(out, report);
    e8_buf_puts(out, "<main id=\"main\">\n");
    put_one(out, report);
    e8_buf_puts(out, "</main>\n");
    put_scripts(out, &report, &label, 1);
    e8_arena_free(&arena);
}

/* ---- several ---- */

static void put_sides(struct e8_buf *out, const struct e8_side *sides, const struct e8_report *const *reports,
                      size_t count)
{
    static const char *const titles[] = {"~Run", "Of", "Verdict", "~Reason", NULL};
    struct e8_arena *arena = e8_arena_new();
    e8_html_section(out, "", "runs", "The runs", NULL);
    e8_html_table(out, "The runs", titles);
    for (size_t i = 0; i < count; i++) {
        e8_html(
            out,
            "<tr><th scope=\"row\"><a class=\"letter s%zu\" href=\"#run-%c\">%c</a> <bdi class=\"title\">", i,
            sides[i].letter, sides[i].letter);
        e8_html_text(out, e8_side_title(&sides[i], arena));
        e8_buf_puts(out, "</bdi></th>");
        e8_html_cell(out, "code", sides[i].label);
        e8_html_mark(out,
                     reports[i]->verdict == E8_PASS   ? "pass"
                     : reports[i]->verdict == E8_FAIL ? "fail"
                                                      : "warn",
                     e8_html_verdict_class(reports[i]));
        e8_html_cell(out, NULL, reports[i]->reason);
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
    e8_html_section_end(out);
    e8_arena_free(&arena);
}

static void put_change(struct e8_buf *out, const struct e8_figure_row *row, size_t side)
{
    static const char *const classes[] = {
        [E8_CHANGE_NONE] = "dim",  [E8_CHANGE_NOISE] = "dim", [E8_CHANGE_BETTER] = "good",
        [E8_CHANGE_WORSE] = "bad", [E8_CHANGE_OTHER] = "",    [E8_CHANGE_UNKNOWN] = "dim",
    };
    enum e8_figure_unit unit = e8_figure_unit(&row->spec);
    const struct e8_figure *a = &row->figures[0], *b = &row->figures[side];
    struct e8_range range;
    enum e8_change change = e8_figure_change(a, b, row->better, &range);
    char text[E8_FIGURE_TEXT_MAX], cell[E8_FIGURE_TEXT_MAX + 16];
    e8_figure_relative(a, b, text);
    if (!text[0] || unit == E8_UNIT_SHARE || unit == E8_UNIT_COUNT)
        e8_figure_delta(unit, a, b, text);
    snprintf(cell, sizeof(cell), "%s%s", text,
             e8_change_is_for_lack(change, &range) ? " too few samples"
             : change == E8_CHANGE_NOISE           ? " noise"
             : change == E8_CHANGE_BETTER          ? " better"
             : change == E8_CHANGE_WORSE           ? " worse"
                                                   : "");
    e8_html_number(out, classes[change], cell);
}

/* A scope is the head of all its figures. */
static void put_head_of_row(struct e8_buf *out, const struct e8_figures *figures, size_t i)
{
    const struct e8_figure_row *row = &figures->rows[i];
    size_t same = 1;
    e8_buf_puts(out, "<tr>");
    if (row->scope && (i == 0 || row[-1].scope != row->scope)) {
        while (i + same < figures->count && row[same].scope == row->scope)
            same++;
        e8_html(out, "<th scope=\"rowgroup\" rowspan=\"%zu\"><bdi>", same);
        e8_html_text(out, row->scope);
        e8_buf_puts(out, "</bdi></th>");
    }
    e8_html(out, "<th scope=\"row\" class=\"name\">%s</th>", row->name);
}

static void put_compared(struct e8_buf *out, const struct e8_figures *figures, size_t from, size_t to)
{
    static const char *const letters[] = {"#A", "#B", "#C", "#D", "#E", "#F", "#G", "#H"};
    const char *titles[2 * E8_REPORTS_MOST + 2] = {NULL};
    const struct e8_figure_row *first = &figures->rows[from];
    size_t n = 0;
    if (first->scope)
        titles[n++] = strcmp(first->group, "endpoint") == 0 ? "Endpoint" : "Event type";
    titles[n++] = "Figure";
    for (size_t i = 0; i < figures->side_count; i++) {
        titles[n++] = letters[i];
        if (i > 0)
            titles[n++] = "#since A";
    }
    e8_html(out, "<h3>%s</h3>\n", first->title);
    e8_html_table(out, first->title, titles);
    for (size_t i = from; i < to; i++) {
        const struct e8_figure_row *row = &figures->rows[i];
        char text[E8_FIGURE_TEXT_MAX];
        put_head_of_row(out, figures, i);
        for (size_t s = 0; s < figures->side_count; s++) {
            e8_html_number(out, NULL, e8_figure_text(e8_figure_unit(&row->spec), &row->figures[s], text));
            if (s > 0)
                put_change(out, row, s);
        }
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
}

static size_t shown_of(const struct e8_figures *figures, size_t from, size_t to)
{
    size_t end = from + (size_t)4 * E8_HTML_ROWS_MOST;
    while (end < to && figures->rows[end].scope == figures->rows[end - 1].scope)
        end++;
    return end < to ? end : to;
}

/* Endpoints and types are the many; the rest is what one looks for first. */
static void put_figures(struct e8_buf *out, const struct e8_figures *figures)
{
    e8_html_section(out, "", "compared", "What changed",
                    "since the first run; noise: the change is within what chance alone may do (99 %)");
    e8_html(out, "<div class=\"%s\">\n", figures->side_count > 2 ? "rows" : "columns");
    for (size_t i = 0; i < figures->count;) {
        size_t from = i;
        while (i < figures->count && strcmp(figures->rows[i].group, figures->rows[from].group) == 0)
            i++;
        e8_buf_puts(out, "<div>\n");
        put_compared(out, figures, from, shown_of(figures, from, i));
        e8_buf_puts(out, "</div>\n");
    }
    e8_buf_puts(out, "</div>\n");
    e8_html_section_end(out);
}

static void put_details(struct e8_buf *out, const struct e8_report *report, const char *title, char letter,
                        size_t index)
{
    char prefix[16];
    snprintf(prefix, sizeof(prefix), "%c-", letter);
    e8_html(
        out,
        "<details class=\"run\" id=\"run-%c\"><summary id=\"%c-run\"><b class=\"letter s%zu\">%c</b> <bdi>",
        letter, letter, index, letter);
    e8_html_text(out, title);
    e8_buf_puts(out, "</bdi></summary>\n");
    e8_html_verdict(out, report);
    e8_html_cards(out, report);
    e8_html_judged(out, report, prefix);
    e8_html_section(out, prefix, "times", "Latency", NULL);
    e8_html_percentiles(out, report);
    e8_html_course(out, report);
    e8_html_section_end(out);
    e8_html_answers(out, report, prefix);
    e8_html_groups(out, report, prefix);
    e8_html_behaviour(out, report, prefix);
    e8_html_facts(out, report, prefix);
    e8_buf_puts(out, "</details>\n");
}

static void put_texts(struct e8_buf *out, const char *id, const char *title,
                      const char (*texts)[E8_DIFF_TEXT], size_t count)
{
    if (count == 0)
        return;
    e8_html_section(out, "", id, title, NULL);
    e8_buf_puts(out, "<ul class=\"warnings\">\n");
    for (size_t i = 0; i < count; i++) {
        e8_buf_puts(out, "<li><bdi>");
        e8_html_text(out, texts[i]);
        e8_buf_puts(out, "</bdi></li>\n");
    }
    e8_buf_puts(out, "</ul>\n");
    e8_html_section_end(out);
}

static void put_several_navigation(struct e8_buf *out)
{
    e8_buf_puts(out, "<nav aria-label=\"Sections\"><ul>\n<li><a href=\"#runs\">The runs</a></li>\n"
                     "<li><a href=\"#charts\">Charts</a></li>\n<li><a href=\"#compared\">What "
                     "changed</a></li>\n<li><a href=\"#each\">Each run</a></li>\n</ul></nav>\n");
}

static void put_charts(struct e8_buf *out)
{
    e8_html_section(out, "", "charts", "Charts", NULL);
    e8_buf_puts(out, "<div class=\"pair\">\n");
    put_time_charts(out);
    e8_buf_puts(out, "</div>\n");
    put_course_charts(out);
    e8_html_section_end(out);
}

void e8_reports_html(const struct e8_report *const *reports, const struct e8_figures *figures,
                     const struct e8_remarks *remarks, struct e8_buf *out)
{
    struct e8_arena *arena = e8_arena_new();
    const struct e8_side *sides = figures->sides;
    size_t count = figures->side_count;
    const char *labels[E8_REPORTS_MOST];
    const char *title = e8_arena_printf(arena, "%zu runs compared", count);
    for (size_t i = 0; i < count; i++)
        labels[i] = e8_arena_printf(arena, "%c · %s", sides[i].letter, e8_side_title(&sides[i], arena));
    put_head(out, title);
    put_heading(out, title);
    put_several_navigation(out);
    e8_buf_puts(out, "<main id=\"main\">\n");
    put_sides(out, sides, reports, count);
    put_texts(out, "obstacles", "Not comparable", remarks->obstacles, remarks->obstacle_count);
    put_charts(out);
    put_figures(out, figures);
    put_texts(out, "notes", "What else differs", remarks->notes, remarks->note_count);
    e8_html_section(out, "", "each", "Each run", NULL);
    for (size_t i = 0; i < count; i++)
        put_details(out, reports[i], e8_side_title(&sides[i], arena), sides[i].letter, i);
    e8_html_section_end(out);
    e8_buf_puts(out, "</main>\n");
    put_scripts(out, reports, labels, count);
    e8_arena_free(&arena);
}
