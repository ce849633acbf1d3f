/* Reports: the same from a run that has just ended and from its log. */
#ifndef E8_REPORT_REPORT_H
#define E8_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "dlog/dlog.h"
#include "results/results.h"
#include "stats/stats.h"
#include "threshold/threshold.h"

/* Of a run without an end: invalid. Of one that was interrupted: that of what it did. */
enum e8_run_verdict { E8_PASS, E8_FAIL, E8_INVALID };

enum e8_format { E8_FORMAT_TEXT, E8_FORMAT_JSON, E8_FORMAT_NDJSON, E8_FORMAT_CSV, E8_FORMAT_TABLE };
bool e8_format_find(struct e8_str name, enum e8_format *out);

struct e8_threshold_result {
    struct e8_threshold threshold;
    double measured;
    bool pass;
    bool measurable; /* false: there was nothing to measure; never a pass */
};

#define E8_WARNINGS_MAX 32
struct e8_report {
    const struct e8_log_run *run;
    const struct e8_stats *stats;
    enum e8_run_verdict verdict;
    char reason
        [160]; /* of the verdict, one line; where the run was interrupted, the formats say so themselves */
    struct e8_threshold_result thresholds[32];
    size_t threshold_count;
    char warnings[E8_WARNINGS_MAX][200];
    size_t warning_count;
};
/* Evaluates thresholds, verdict and warnings. `run` and `stats` must outlive the report. */
void e8_report_make(const struct e8_log_run *run, const struct e8_stats *stats,
                    const struct e8_threshold *thresholds, size_t count, struct e8_report *out);
enum e8_rc e8_report_write(const struct e8_report *report, enum e8_format format, struct e8_style style,
                           FILE *out);

/* Rows of the log (emit8 log). The table's heading is written by _begin. */
void e8_rows_begin(enum e8_format format, struct e8_style style, FILE *out);
void e8_rows_write(enum e8_format format, struct e8_style style, const struct e8_log_row *row, FILE *out);
/* The attempts of a delivery as a time-line with their phases (log --show). */
void e8_timeline_write(const struct e8_log_row *rows, size_t count, struct e8_style style, FILE *out);

/* The live view of a run: on a terminal a few lines redrawn in place, elsewhere one line every few seconds. */
struct e8_live {
    FILE *out;
    bool terminal;
    struct e8_style style;
    int lines; /* drawn so far, to be overwritten */
    e8_mono_ns started, drawn;
    uint64_t planned; /* deliveries; 0: not known */
    uint64_t last_ended;
    e8_mono_ns last_at;
};
void e8_live_draw(struct e8_live *live, const struct e8_stats *stats, e8_mono_ns now);
/* Clears what was drawn, so that the report follows on a clean screen. */
void e8_live_end(struct e8_live *live);

#endif
