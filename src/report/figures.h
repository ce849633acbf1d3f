/* Figures of several runs side by side, read from their JSON reports, and what changed since the first. Internal to report. */
#ifndef E8_REPORT_FIGURES_H
#define E8_REPORT_FIGURES_H

#include "doc/doc.h"
#include "report/confidence.h"
#include "report/diff.h"
#include "threshold/threshold.h"

enum e8_figure_unit {
    E8_UNIT_TIME,
    E8_UNIT_SHARE,
    E8_UNIT_RATE,
    E8_UNIT_COUNT
}; /* nanoseconds, 0..1, per second */

/* Which figure of a report. */
struct e8_figure_spec {
    enum {
        E8_FIGURE_SUCCESS,
        E8_FIGURE_RATE,
        E8_FIGURE_TOTAL,
        E8_FIGURE_TIME,
        E8_FIGURE_STATUS,
        E8_FIGURE_OUTCOME
    } what;
    const char *list, *scope; /* of one member of "endpoints" or "types"; NULL: of all */
    const char *times;        /* E8_FIGURE_TIME: "response_time_ms", … */
    const char *key;          /* "p99", "failed", "503", "reset" */
    int low, high;            /* E8_FIGURE_STATUS, inclusive; 0: without an answer */
};
struct e8_figure {
    bool known;
    double value;
    bool bounded;          /* there is a range */
    struct e8_range range; /* where it would be with no end of samples */
};
/* A member that is a number. */
bool e8_figure_number(const struct e8_node *map, const char *key, double *out);
struct e8_figure e8_figure_of(const struct e8_node *report, const struct e8_figure_spec *spec);
enum e8_figure_unit e8_figure_unit(const struct e8_figure_spec *spec);

enum e8_change {
    E8_CHANGE_NONE,
    E8_CHANGE_NOISE,
    E8_CHANGE_BETTER,
    E8_CHANGE_WORSE,
    E8_CHANGE_OTHER,
    E8_CHANGE_UNKNOWN
};
const char *e8_change_name(enum e8_change change); /* "same", "noise", … */
/* better: 1 where more is, -1 where less is, 0: neither. UNKNOWN: one of them was not measured. OTHER: it changed, and neither for the
 * better nor for the worse, or nobody knows how much of it is noise. */
enum e8_change e8_figure_change(const struct e8_figure *a, const struct e8_figure *b, int better,
                                struct e8_range *range);
/* Is it noise for lack of samples, so that there is no bound to it and nothing is known? */
bool e8_change_is_for_lack(enum e8_change change, const struct e8_range *range);

struct e8_figure_row {
    const char *
        group; /* "deliveries", "response_time", "service_time", "send_lag", "status", "outcome", "endpoint", "type" */
    const char *title; /* of the group, for people */
    const char *scope; /* of an endpoint or a type; or NULL */
    const char *name;  /* "p99.9" */
    struct e8_figure_spec spec;
    int better;
    struct e8_figure figures[E8_REPORTS_MOST];
};
struct e8_figures {
    struct e8_arena *arena; /* of rows and names */
    const struct e8_side *sides;
    size_t side_count;
    struct e8_figure_row *rows;
    size_t count, room;
};
/* The sides must outlive them. */
void e8_figures_init(struct e8_figures *figures, const struct e8_side *sides, size_t count);
void e8_figures_fini(struct e8_figures *figures);

/* What a rule of a diff is about, on both sides. */
void e8_diff_figures(const struct e8_diff *diff, size_t rule, struct e8_figure_spec *spec,
                     struct e8_figure out[2]);

/* Texts, each returns out. "12.3 ms"; "+1.2 ms", "−0.4 pp"; "+10 %", "" where there is none. */
#define E8_FIGURE_TEXT_MAX 48
const char *e8_figure_text(enum e8_figure_unit unit, const struct e8_figure *figure,
                           char out[E8_FIGURE_TEXT_MAX]);
const char *e8_figure_delta(enum e8_figure_unit unit, const struct e8_figure *a, const struct e8_figure *b,
                            char out[E8_FIGURE_TEXT_MAX]);
const char *e8_figure_relative(const struct e8_figure *a, const struct e8_figure *b,
                               char out[E8_FIGURE_TEXT_MAX]);

/* Text of members of a report: "" where it is none. The arena owns what is not in the report. */
const char *e8_side_text(const struct e8_side *side, const char *map, const char *key,
                         struct e8_arena *arena);
/* "support-day · run 12 · 2026-03-01 12:00:00 UTC" */
const char *e8_side_title(const struct e8_side *side, struct e8_arena *arena);
#endif
