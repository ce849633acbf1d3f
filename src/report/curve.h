/* What `emit8 find-max` tells: how latency grows with the rate, and the highest rate that holds. */
#ifndef E8_REPORT_CURVE_H
#define E8_REPORT_CURVE_H

#include "report/report.h"
#include "search/search.h"

struct e8_curve_step {
    enum e8_search_stage stage;
    double rate; /* that was to be sent, per second */
    enum e8_search_result result;
    char why[200]; /* unless it holds */
    int64_t run;   /* in the log; 0: none is kept */
    bool
        early; /* stopped since an objective could not hold any more; what was under way then is in `aborted` */
    uint64_t planned, delivered, failed, dropped, aborted;
    uint64_t withheld;              /* a 410 had disabled the endpoint; planned contains them */
    uint64_t samples;               /* of the times below, which are 0 where there are none */
    e8_dur_ns p50, p95, p99, most;  /* response time */
    e8_dur_ns service_p99, lag_p99; /* service time, send lag */
};
/* What its report does not tell. */
struct e8_curve_facts {
    bool unfinished; /* it was stopped early, or its backlog did not drain */
    bool early;      /* of these two the former */
    bool disabled;   /* a 410 has disabled an endpoint */
    double busy;     /* share of the processors' time that emit8 could use and did, 0 to 1 */
};
/* Judges a step and fills all of it but stage, rate and run. `report` has the objectives as its thresholds. A step holds where they hold, the
 * rate was applied, and what the objectives do not allow to fail was delivered. */
void e8_curve_judge(const struct e8_report *report, const struct e8_curve_facts *facts,
                    struct e8_curve_step *out);

#define E8_STEP_LABEL_MAX 64

struct e8_curve {
    const char *target; /* URL, redacted */
    const struct e8_threshold *objectives;
    size_t objective_count;
    e8_dur_ns length;                  /* of a step */
    const struct e8_curve_step *steps; /* as they were run */
    size_t count;
    struct e8_search search;
    bool interrupted;
    enum e8_run_verdict verdict;
    char reason[500];
    char warning[300]; /* objectives that few samples stand behind at the rate that was found; empty: none */
};
/* Fills verdict, reason and warning. */
void e8_curve_conclude(struct e8_curve *curve);
/* text, json, ndjson or csv. */
enum e8_rc e8_curve_write(const struct e8_curve *curve, enum e8_format format, struct e8_style style,
                          FILE *out);
/* What the step that is under way is called: "1,600/s", "1,600/s once more". */
const char *e8_curve_step_label(enum e8_search_stage stage, double rate, char out[E8_STEP_LABEL_MAX]);
/* "1,600/s holds: p99 3.1 ms", "1,600/s once more holds, confirmed: …", for progress; cut to so many columns. */
void e8_curve_step_text(const struct e8_curve_step *step, size_t columns, struct e8_buf *out);

#endif
