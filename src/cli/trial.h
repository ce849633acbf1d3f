/* One run of a plan whose report is not printed but judged: a step of find-max. */
#ifndef E8_CLI_TRIAL_H
#define E8_CLI_TRIAL_H

#include "cli/kept.h"
#include "cli/progress.h"

#define E8_TRIAL_GRACE (500 * E8_NS_MS) /* after a stop */
struct e8_cli_trial {
    const struct e8_args *args;
    struct e8_plan *plan;
    const struct e8_catalog *catalog;
    const struct e8_reach *reach;
    unsigned workers;
    size_t in_flight;
    e8_dur_ns warmup, length; /* of the plan's schedule */
    e8_dur_ns drain;          /* what is under way at its end gets so long */
    const struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_arena *arena; /* of texts */
    struct e8_cli_progress *progress;
    const char *label; /* what it is called there */

    /* Out: */
    struct e8_log_run facts;
    struct e8_engine_result result;
    struct e8_report report; /* of the two above */
    bool unfinished;         /* stopped early since a threshold cannot hold, or not drained */
    bool early;              /* of these two the former */
    double busy;             /* share of the processors' time that its workers could use and did */
    int stopped_by;          /* signal; then there is nothing to judge */
};
/* The caller calls e8_cli_trial_fini, also after an error. */
enum e8_rc e8_cli_trial(struct e8_cli_trial *trial, struct e8_err *err);
void e8_cli_trial_fini(struct e8_cli_trial *trial);

#endif
