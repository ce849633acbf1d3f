/* What the files that write HTML share. Whatever comes from a run goes through e8_html_text or e8_html_cell and is escaped there. */
#ifndef E8_REPORT_HTML_H
#define E8_REPORT_HTML_H

#include "report/parts.h"

/* Text: the five characters of markup escaped; control characters are shown by name, marks that change the direction of what follows by
 * their number, what is no character becomes U+FFFD; cut behind E8_HTML_TEXT_MAX bytes. NULL: nothing. */
#define E8_HTML_TEXT_MAX 400
void e8_html_text(struct e8_buf *out, const char *text);
/* JSON as the content of a script element: ASCII, without '<', '>' and '&'. */
void e8_html_json(struct e8_buf *out, struct e8_str json);
/* Markup and format are ours; what it is filled with is not escaped. */
void e8_html(struct e8_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A section with a heading that can be linked to. `prefix` makes the ids of several runs differ. note: NULL: none. */
void e8_html_section(struct e8_buf *out, const char *prefix, const char *id, const char *title,
                     const char *note);
void e8_html_section_end(struct e8_buf *out);

/* A table that scrolls by itself where it is too wide. titles: NULL-terminated; one that begins with '#' is of a column of numbers, with
 * '~' of long texts, with '|' of bars, which stands for nothing in words. */
void e8_html_table(struct e8_buf *out, const char *caption, const char *const *titles);
void e8_html_table_end(struct e8_buf *out);
void e8_html_row(struct e8_buf *out, const char *head); /* its first cell */
void e8_html_row_end(struct e8_buf *out);
/* A cell; class NULL: of text. */
void e8_html_cell(struct e8_buf *out, const char *class, const char *text);
void e8_html_number(struct e8_buf *out, const char *class,
                    const char *text); /* class beside "num"; or NULL */
void e8_html_count(struct e8_buf *out, const char *class, uint64_t count);
void e8_html_bar(struct e8_buf *out, const char *class, double share);
/* Of a list of facts. value NULL or empty: nothing is written. */
void e8_html_fact(struct e8_buf *out, const char *term, const char *value);
/* "✓ holds": a mark with its word. class: pass, fail, warn, none. */
void e8_html_mark(struct e8_buf *out, const char *class, const char *text);
/* Where a chart is drawn, when scripts run: "percentiles", "histogram", … */
void e8_html_chart(struct e8_buf *out, const char *kind, const char *title, const char *note);

/* ---- the parts of the page ---- */

/* All that is told of a run, but for charts. Those that are tables beside a chart, and the rest. */
void e8_html_verdict(struct e8_buf *out, const struct e8_report *report);
void e8_html_cards(struct e8_buf *out, const struct e8_report *report);
void e8_html_judged(struct e8_buf *out, const struct e8_report *report, const char *prefix);
void e8_html_percentiles(struct e8_buf *out, const struct e8_report *report);
void e8_html_course(struct e8_buf *out, const struct e8_report *report);
void e8_html_answers(struct e8_buf *out, const struct e8_report *report, const char *prefix);
void e8_html_groups(struct e8_buf *out, const struct e8_report *report, const char *prefix);
void e8_html_behaviour(struct e8_buf *out, const struct e8_report *report, const char *prefix);
void e8_html_facts(struct e8_buf *out, const struct e8_report *report, const char *prefix);

/* What the charts are made of, as JSON. labels: of the runs. */
void e8_html_data(const struct e8_report *const *reports, const char *const *labels, size_t count,
                  struct e8_buf *out);
/* "pass", "fail", "invalid": class and word of a verdict. */
const char *e8_html_verdict_class(const struct e8_report *report);
/* Rows of lists that have no end of their own, so that a page's size is bounded. */
#define E8_HTML_ROWS_MOST 200

#endif
