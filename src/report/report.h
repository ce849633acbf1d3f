/* Reports: the same from a run that has just ended and from its log. */
#ifndef E8_REPORT_REPORT_H
#define E8_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "dlog/dlog.h"
#include "report/course.h"
#include "results/results.h"
#include "stats/stats.h"
#include "threshold/threshold.h"

/* Of a run without an end: invalid. Of one that was interrupted: that of what it did. */
enum e8_run_verdict { E8_PASS, E8_FAIL, E8_INVALID };

enum e8_format {
    E8_FORMAT_TEXT,
    E8_FORMAT_JSON,
    E8_FORMAT_NDJSON,
    E8_FORMAT_CSV,
    E8_FORMAT_TABLE,
    /* Of whole reports alone, with each step that expects and each threshold as a test; see results.h. */
    E8_FORMAT_TAP,
    E8_FORMAT_JUNIT,
    E8_FORMAT_MARKDOWN,
    E8_FORMAT_HTML, /* one file that needs no other */
    E8_FORMAT_SHARD /* of a shard's report alone: a line of JSON for emit8 merge, which begins with E8_SHARD_HEAD */
};
#define E8_SHARD_HEAD "{\"emit8_shard\":"

bool e8_format_find(struct e8_str name, enum e8_format *out); /* text to table */
/* Of a report's: text, json, ndjson, csv, tap, junit, markdown, html, shard. E8_INPUT with a hint. */
enum e8_rc e8_report_format(const char *name, enum e8_format *out, struct e8_err *err);
/* E8_INPUT where the format is `shard`, and the run is none (its number is 0). */
enum e8_rc e8_report_fits(unsigned shard, enum e8_format format, struct e8_err *err);

struct e8_threshold_result {
    struct e8_threshold threshold;
    double measured;
    bool pass;
    bool measurable; /* false: there was nothing to measure; never a pass */
    bool aborted;    /* the run was stopped because of it */
};

/* What a step expected, and how often it came. */
struct e8_report_step {
    const char *id;      /* its name, or the flow's and the line's: "support:12" */
    const char *type;    /* of its event */
    const char *expects; /* for people */
    bool reports;        /* told, and never a failure */
    uint64_t met, unmet, reported, not_measured;
    const char *why, *delivery_id; /* of the first that was not as expected; or empty */
};
/* What the rows of a log do not tell. All of it is borrowed and must outlive the report. */
struct e8_report_more {
    const struct e8_report_step *steps; /* those that expect something */
    size_t step_count;
    const struct e8_hist *spread;       /* of copies released at one barrier; NULL: there were none */
    uint64_t flows_stopped;             /* instances of flows that ended early */
    uint64_t commands_failed;           /* of `exec` steps that do not say to continue */
    const char *command_why;            /* of the first of them */
    const struct e8_threshold *aborted; /* the threshold, one of those given, that stopped the run; or NULL */
    bool stopped_by_step;
    /* What the generator is judged by. open: arrivals were due by a schedule, whatever the receiver did. load: the run measures the
     * receiver, so that being the limit makes it invalid; open runs do. local: a receiver is on this machine. */
    bool open, load, local;
    struct e8_pressure pressure;
    uint64_t
        bound; /* so many deliveries in flight were the most, and were reached, so that events waited; 0: they were not */
    uint64_t crowd;    /* likewise, of deliveries that waited for a retry */
    bool has_receipts; /* of the run's own sinks */
    uint64_t receipts;
    uint64_t goaways,
        refused; /* HTTP/2: connections that receivers ended by GOAWAY, streams that they refused */
    /* Answers over HTTP/2 and, where that was asked for, over another version. */
    uint64_t over_h2, declined_h2;
    bool by_hand;     /* it was paused, or its rate changed, while it ran */
    e8_dur_ns paused; /* for so long */
    /* How the rate was changed by hand: the least and the most of what it was multiplied with, and when first, from the start of what is
     * measured. least 0: it was not, or nobody knows. */
    double factor_least, factor_most;
    e8_dur_ns changed_at;
    struct e8_schedule schedule; /* count 0: not known; what was begun must stand for it */
    e8_dur_ns
        apart; /* of a merged run: so far apart its shards began, that its rates are none; 0: they ran at one time */
    const char *settings; /* of a shard: what it was run with, a JSON object; NULL: not told */
    const char *log;      /* the file of the log; NULL: there is none */
    /* Stopped before the end of its plan, by whatever; how many deliveries it therefore did not begin, where the size of the plan is
     * known. signal: the one that stopped it; 0: none, or not known. */
    bool early, sized;
    bool log_failed; /* its delivery log could not be written to the end, which ended the run */
    uint64_t not_begun;
    int signal;
    const char *const *remarks; /* of a merged run: what its shards have to say, for the warnings */
    size_t remark_count;
    const struct e8_course
        *course; /* the run over time (course.h), which HTML alone shows; NULL: it is not known */
};

/* How a run was changed by hand: "×0.68 to ×1.33, first at 2.1 s; paused for 1.2 s". "": nothing is known of it. */
#define E8_HAND_MAX 160
const char *e8_hand_text(const struct e8_report_more *more, char out[E8_HAND_MAX]);

#define E8_WARNINGS_MAX 32
struct e8_report {
    const struct e8_log_run *run;
    const struct e8_stats *stats;
    enum e8_run_verdict verdict;
    char reason
        [320]; /* of the verdict, one line; where the run was interrupted, the formats say so themselves */
    struct e8_threshold_result thresholds[32];
    size_t threshold_count;
    bool allows_failures; /* one of them, over everything, says how many deliveries may fail */
    size_t
        left; /* thresholds of a shard, which emit8 merge judges; what else there is to judge may pass all the same */
    char warnings[E8_WARNINGS_MAX][256];
    size_t warning_count;
    struct e8_report_more more;
};
/* Evaluates thresholds, verdict and warnings. `run` and `stats` must outlive the report. more: NULL: nothing is known. */
void e8_report_make(const struct e8_log_run *run, const struct e8_stats *stats,
                    const struct e8_threshold *thresholds, size_t count, const struct e8_report_more *more,
                    struct e8_report *out);
/* E8_INPUT where the threshold is narrowed down to an endpoint or to types that the run does not have. types: NULL-terminated. */
enum e8_rc e8_threshold_check(const struct e8_threshold *threshold, const struct e8_log_endpoint *endpoints,
                              size_t endpoint_count, const char *const *types, struct e8_err *err);
/* Of a run that goes on: can the threshold not hold any more, or does it fail with enough behind it to stop the run? Counts that
 * only grow, max and min are judged at once; everything else after E8_ABORT_ATTEMPTS attempts within its braces and E8_ABORT_AFTER
 * of the run. */
#define E8_ABORT_ATTEMPTS 100
#define E8_ABORT_AFTER    E8_NS_S
bool e8_threshold_lost(const struct e8_threshold *threshold, const struct e8_log_run *run,
                       const struct e8_stats *stats, e8_dur_ns elapsed);
enum e8_rc e8_report_write(const struct e8_report *report, enum e8_format format, struct e8_style style,
                           FILE *out);

/* The counts and times of a run so far, in the text format of Prometheus: by endpoint and outcome, and by event type. */
void e8_report_metrics(const struct e8_log_run *run, const struct e8_stats *stats, struct e8_buf *out);
/* Several runs beside each other, what changed since the first: text, json (an array), ndjson (a line each) or html, else E8_INPUT.
 * labels: what they are called, for people. At most E8_REPORTS_MOST. */
#define E8_REPORTS_MOST 8
enum e8_rc e8_reports_fit(enum e8_format format, struct e8_err *err);
enum e8_rc e8_reports_write(const struct e8_report *const *reports, const char *const *labels, size_t count,
                            enum e8_format format, struct e8_style style, FILE *out);

/* A run's times as an HdrHistogram log file: its beginning, then the intervals in their order. */
void e8_hdr_begin(const struct e8_log_run *run, FILE *out);
/* What was done within an interval, from the start of the run on; what is empty is left out. */
void e8_hdr_interval(e8_dur_ns from, e8_dur_ns length, const struct e8_stats *stats, FILE *out);

/* Rows of the log (emit8 log). The table's heading is written by _begin. */
void e8_rows_begin(enum e8_format format, struct e8_style style, FILE *out);
void e8_rows_write(enum e8_format format, struct e8_style style, const struct e8_log_row *row, FILE *out);
/* The attempts of a delivery as a time-line with their phases (log --show). */
void e8_timeline_write(const struct e8_log_row *rows, size_t count, struct e8_style style, FILE *out);

/* The live view of a run: on a terminal a few lines that are redrawn in place, elsewhere one line every few seconds. */
struct e8_live_options {
    FILE *out;
    bool terminal;
    struct e8_style style; /* colour; the width elsewhere than on a terminal means nothing */
    int columns, rows;     /* of the terminal */
    bool unicode;          /* the terminal shows more than ASCII */
    bool keys;             /* say which there are */
    const char *brief;     /* one line on the terminal, which begins so; NULL: all lines */
    e8_mono_ns started;
    const struct e8_log_run *run; /* its name, endpoints */
    uint64_t planned;             /* deliveries; 0: not known */
};
/* What the statistics do not tell. */
struct e8_live_now {
    bool paused, stopping;
    bool warming;     /* what is sent now is not counted */
    uint64_t on_wire; /* attempts under way */
    uint64_t waiting; /* deliveries that wait for their retry, or that a step holds back */
    double factor;    /* of the planned rate, by hand; 1: as planned */
    bool rated;       /* there is a rate to change */
    double intended;  /* deliveries per second; < 0: none, or not known */
    uint32_t closed;  /* at a time, in closed loops */
    double busy;      /* share of the busiest worker */
    e8_mono_ns ends;  /* the schedule; E8_NEVER: not known */
};
struct e8_live;
/* What the options point to must outlive the view. */
struct e8_live *e8_live_new(const struct e8_live_options *options);
void e8_live_free(struct e8_live **live); /* what it has drawn stays */
/* While a window is dragged nothing is drawn, at sizes that would be gone before it stands there: what has been drawn is drawn again a
 * moment after `at`, the last change. */
void e8_live_resize(struct e8_live *live, int columns, int rows, e8_mono_ns at);
void e8_live_stir(struct e8_live *live);                      /* it is time to draw */
bool e8_live_due(const struct e8_live *live, e8_mono_ns now); /* is it time to draw? */
void e8_live_draw(struct e8_live *live, const struct e8_stats *stats, const struct e8_live_now *state,
                  e8_mono_ns now);
/* Clears what was drawn, so that other text follows on a clean screen. Drawing may go on behind it. */
void e8_live_end(struct e8_live *live);

#endif
