/* What the files of this module share: facts of a run, texts of numbers, and a page of text with tables.
 * Whatever goes through a page, a table or a CSV field is cleaned of control characters on its way. */
#ifndef E8_REPORT_PARTS_H
#define E8_REPORT_PARTS_H

#include "doc/json.h"
#include "report/report.h"

/* ---- facts (facts.c) ---- */

struct e8_totals {
    uint64_t planned, delivered, failed, dropped, aborted, withheld; /* deliveries */
    uint64_t gone;              /* of those withheld: because a 410 had disabled the endpoint */
    uint64_t expected, unmet;   /* of them: delivered as expected without a 2xx; not as expected */
    uint64_t attempts, retries; /* retries: all attempts that were not a delivery's first */
    uint64_t not_begun; /* deliveries of the plan, because the run was stopped; planned contains them */
};
/* Over all: what the end of the run wrote down goes before what its attempts say. */
struct e8_totals e8_totals_all(const struct e8_log_run *run, const struct e8_stats *stats);
double e8_report_streams(const struct e8_report *report); /* of HTTP/2, for each connection */
/* The same with what was not begun. */
struct e8_totals e8_totals_whole(const struct e8_report *report);
bool e8_report_early(const struct e8_report *report); /* it ended before its plan, or has not ended */
/* False: how much of the plan was not begun is not known. */
bool e8_totals_sized(const struct e8_report *report);
struct e8_totals e8_totals_of(const struct e8_tally *tally);
uint64_t e8_totals_ended(const struct e8_totals *totals);
bool e8_totals_any(const struct e8_totals *totals); /* it took part in the run */
/* From start to end; of a run without an end, up to its last attempt. */
e8_dur_ns e8_report_elapsed(const struct e8_log_run *run, const struct e8_stats *stats);
/* Deliveries delivered or failed per second, from the first due time to the last answer; < 0: nothing to measure. */
double e8_report_rate(const struct e8_counts *n, const struct e8_span *span);
/* The same of the whole run; < 0 also where its shards ran at different times. */
double e8_report_rate_whole(const struct e8_report *report);
/* So many samples at least are above a percentile that does not stand on one or two of them. */
#define E8_BEYOND 10
bool e8_report_few(uint64_t samples, double q);
/* Too few samples stand behind it: from p99 on see e8_hist_supports; below ten are beyond it, 20 for p50 and 200 for p95. False also when
 * there are none at all. */
bool e8_report_shaky(const struct e8_hist *hist, double q);

/* Attempts that ended without a status: refused, reset, out of time; not those that the end of the run or emit8 itself ended. */
uint64_t e8_report_unanswered(const struct e8_counts *n);

/* What nearly all that failed ended in: "every answer was 503", "mostly connect_refused"; "" where nothing failed. Of attempts; not of those
 * that the end of the run or emit8 itself ended. */
#define E8_FAILURE_MAX 80
const char *e8_failure_text(const struct e8_stats *stats, char out[E8_FAILURE_MAX]);

bool e8_report_signed(const struct e8_log_endpoint *endpoint); /* what went there had a signature */

/* "not signed: no secret", "not signed: crm, audit"; NULL: everything was. */
const char *e8_report_unsigned(struct e8_arena *arena, const struct e8_log_run *run);

struct e8_percentile {
    const char *name, *key; /* "p99.9", "p99_9" */
    double q;
};
#define E8_PERCENTILES 6
extern const struct e8_percentile e8_percentiles[E8_PERCENTILES];

/* ---- measure.c, verdict.c, warnings.c ---- */

/* PASS, FAIL, INVALID; SENT of a shard that leaves its thresholds to emit8 merge. */
const char *e8_verdict_word(const struct e8_report *report);

struct e8_threshold_result e8_threshold_evaluate(const struct e8_threshold *threshold,
                                                 const struct e8_log_run *run, const struct e8_stats *stats);
const struct e8_hist *e8_hist_of(const struct e8_stats *stats, enum e8_of of); /* or NULL */
/* Over all steps: what was judged, and what was not as expected. */
struct e8_step_sums {
    uint64_t judged, unmet, reported, not_measured;
};
struct e8_step_sums e8_steps_sum(const struct e8_report_more *more);

/* The generator: what it did, and whether there is enough of it to be judged (generator.c). */
struct e8_generator {
    double planned, achieved;      /* deliveries begun per second; 0: nothing to tell */
    double due;                    /* the same as planned, but for what was changed by hand */
    e8_dur_ns late;                /* of the last of them */
    bool rate_judged, busy_judged; /* long enough, and of a kind that has to be on time */
    bool busy_told;                /* the same, also where nothing was delivered */
    bool rate_off, full;           /* whatever is judged */
};
struct e8_generator e8_generator_of(const struct e8_report *report);
double e8_busy_full(const struct e8_pressure *pressure); /* share of the windows, 0 to 1 */

/* Retries and what they did (feedback.c). Times are from the start of the run or, where there was a warm-up, from its end. */
struct e8_outage {
    e8_dur_ns from, to; /* in which most attempts failed, or nothing succeeded */
    uint64_t failed;    /* attempts, in that time */
    uint64_t peak;      /* deliveries begun and not ended */
    e8_dur_ns recovery; /* from then on until the backlog was as before; -1: it never was */
    bool under_load;    /* while deliveries still began */
};
#define E8_OUTAGES_MOST 16
struct e8_feedback {
    double per_event, per_delivery; /* attempts; 0: nothing to tell */
    e8_dur_ns start, end;           /* of the series; of the last attempt */
    uint64_t peak, left;            /* deliveries begun and not ended: at most, and at the end */
    e8_dur_ns peak_at;
    struct e8_outage outages[E8_OUTAGES_MOST]; /* the first of them */
    size_t outage_count, unrecovered, late;    /* late: recovered when nothing more began */
};
struct e8_feedback e8_feedback_of(const struct e8_report *report);
/* When that was; what lies before the start is told as the start. Returns `out`, or a literal. */
const char *e8_moment_text(e8_dur_ns at, char out[E8_DUR_MAX]);

void e8_report_warn(struct e8_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
void e8_report_warnings(struct e8_report *report);
/* The measured value of a threshold for people; "not measured". */
#define E8_MEASURED_MAX 48
const char *e8_measured_text(const struct e8_threshold_result *result, char out[E8_MEASURED_MAX]);

/* ---- texts of numbers (number.c); each returns out ---- */

/* As e8_count_text, valid to the end of the block. */
#define E8_COUNT_TEXT(count) e8_count_text((count), (char[E8_NUMBER_MAX]){0})
/* "99.54 %". "100 %" is all and "0 %" is nothing: what lies between never rounds to either. */
const char *e8_share_text(uint64_t part, uint64_t whole, char out[E8_NUMBER_MAX]);
const char *e8_permille_text(unsigned share, char out[E8_NUMBER_MAX]); /* "12 %", "0.4 %" */
const char *e8_bytes_text(uint64_t bytes, char out[E8_NUMBER_MAX]);    /* "3.1 MB" */
const char *e8_rate_text(double per_s, char out[E8_NUMBER_MAX]);       /* "163.4/s" */
const char *e8_plural(uint64_t count);                                 /* "" or "s" */

/* ---- a page of text (page.c) ---- */

enum e8_ink { E8_PLAIN, E8_BOLD, E8_DIM, E8_GREEN, E8_YELLOW, E8_RED, E8_CYAN };

struct e8_page {
    struct e8_buf *out;
    size_t width;
    bool colour;
};
struct e8_page e8_page_new(struct e8_buf *out, struct e8_style style);
/* Text in a colour, cut to `columns` with an ellipsis and, unless `pad` is 0, filled up: 'l' left, 'r' right. */
void e8_page_put(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t columns, char pad);
/* The same, left, cut in the middle. */
void e8_page_put_middle(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t columns);
/* A bar of eighths of a column; what is not 0 shows. */
void e8_page_bar(struct e8_page *page, enum e8_ink ink, double share, size_t columns);
void e8_page_spaces(struct e8_page *page, size_t n);
void e8_page_line(struct e8_page *page); /* ends it */
/* An empty line, the title, and at the right end a note. */
void e8_page_section(struct e8_page *page, const char *title, const char *note);
/* Words wrapped at the width; the cursor stands at column `at`, further lines begin at `indent`. Ends the line. */
void e8_page_wrap(struct e8_page *page, struct e8_str text, size_t at, size_t indent);
void e8_page_wrap_ink(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t at, size_t indent);
/* The same for facts that are not to be broken, joined by " · ". NULLs are left out. */
void e8_page_facts(struct e8_page *page, const char *const *facts, size_t count, size_t indent,
                   enum e8_ink ink);

/* Columns that the text takes on a terminal: combining marks none, East Asian wide characters two. */
size_t e8_text_width(struct e8_str text);
/* Bytes of the longest beginning of the text that fits into so many columns. */
size_t e8_text_fit(struct e8_str text, size_t columns);

/* ---- a table fitted to the page (table.c) ---- */

struct e8_column {
    const char *title; /* NULL: none */
    bool right;
    bool bar;     /* takes what is left of the width */
    size_t least; /* may be cut down to this; 0: never */
    size_t wish;  /* others leave before it is cut below this; at least `least` */
    bool middle;  /* cut in the middle: ends tell them apart as well */
    bool wrap;    /* instead of being cut goes on in further lines; the last column alone */
    int drop;     /* when too wide, the column with the highest leaves first; 0: stays */
    int zeros;    /* in its place where all of the column is 0; 0: no other */
};
#define E8_COLUMNS_MAX 17
struct e8_cell {
    const char *text;
    enum e8_ink ink;
    double share; /* of a bar */
};
struct e8_table {
    struct e8_arena *arena;
    const struct e8_column *columns;
    size_t column_count;
    struct e8_cell *cells;
    size_t count, room;
};
void e8_table_init(struct e8_table *table, const struct e8_column *columns, size_t count);
/* The next cell, row by row. */
void e8_table_cell(struct e8_table *table, enum e8_ink ink, const char *text);
void e8_table_count(struct e8_table *table, enum e8_ink ink, uint64_t count);
void e8_table_bar(struct e8_table *table, enum e8_ink ink, double share);
void e8_table_write(struct e8_table *table, struct e8_page *page);
void e8_table_fini(struct e8_table *table);

/* ---- the formats ---- */

struct e8_side;
struct e8_figures;
struct e8_remarks;

void e8_report_text(const struct e8_report *report, struct e8_page *page);
void e8_text_status(const struct e8_report *report, struct e8_page *page);
void e8_text_histogram(const struct e8_report *report, struct e8_page *page);
void e8_text_percentiles(const struct e8_report *report, struct e8_page *page);
void e8_text_endpoints(const struct e8_report *report, struct e8_page *page);
void e8_text_types(const struct e8_report *report, struct e8_page *page);
void e8_text_errors(const struct e8_report *report, struct e8_page *page);
void e8_text_steps(const struct e8_report *report, struct e8_page *page);
void e8_text_feedback(const struct e8_report *report, struct e8_page *page);
void e8_text_deadlines(const struct e8_report *report, struct e8_page *page);
void e8_text_generator(const struct e8_report *report, struct e8_page *page);
void e8_text_spread(const struct e8_report *report, struct e8_page *page);
/* Several runs: what they are, and their figures beside each other. */
void e8_text_sides(const struct e8_side *sides, size_t count, struct e8_page *page);
void e8_text_remarks(const struct e8_remarks *remarks, struct e8_page *page);
void e8_text_compared(const struct e8_figures *figures, struct e8_page *page);
/* The first cells of the i-th figure: its scope, where it has one, and its name. */
void e8_text_figure_name(struct e8_table *table, const struct e8_figures *figures, size_t i);
enum e8_rc e8_report_results(const struct e8_report *report, enum e8_results_format format, FILE *out);
void e8_report_json(const struct e8_report *report, int indent, struct e8_buf *out);
/* The same as a value; of endpoints, types and steps at most so many. */
void e8_json_report(const struct e8_report *report, size_t most, struct e8_json *w, const char *key);
void e8_json_feedback(const struct e8_report *report, struct e8_json *w);
void e8_json_series(const struct e8_report *report, struct e8_json *w);
void e8_json_deadlines(const struct e8_report *report, struct e8_json *w);
void e8_json_generator(const struct e8_report *report, struct e8_json *w);
void e8_report_html(const struct e8_report *report, struct e8_buf *out);
void e8_reports_html(const struct e8_report *const *reports, const struct e8_figures *figures,
                     const struct e8_remarks *remarks, struct e8_buf *out);
void e8_report_shard(const struct e8_report *report, struct e8_buf *out);
void e8_report_csv(const struct e8_report *report, struct e8_buf *out);

/* A text field of CSV (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe in front. */
void e8_csv_text(struct e8_buf *out, const char *text);
void e8_csv_number(struct e8_buf *out, double value, int decimals);
enum e8_ink e8_status_ink(int status);    /* 0: no answer */
const char *e8_status_phrase(int status); /* "" for those that are rare */
/* Writes the content and empties the buffer. */
void e8_buf_flush(struct e8_buf *buf, FILE *out);

#endif
