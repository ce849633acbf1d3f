/* What the files of a plan's execution share. */
#ifndef E8_CLI_EXECUTE_H
#define E8_CLI_EXECUTE_H

#include "cli/kept.h"
#include "cli/metrics.h"

#define SINKS_MAX 64

/* All that one run holds on to, so that there is one way out. */
struct execution {
    const struct e8_args *args;
    struct e8_cli_run *run;
    struct e8_cli_reach reach;
    struct e8_sink *sinks[SINKS_MAX];
    size_t sink_count;
    struct e8_dlog *log;
    const char *log_path; /* NULL: no log is kept */
    struct e8_log_run facts;
    const char **threshold_texts;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_arena *arena;
    struct e8_engine_result result;
    struct e8_report_more more;      /* of the result */
    const struct e8_threshold *lost; /* it says `abort`, and cannot hold any more: the run was stopped */
    bool local;                      /* a receiver is on this machine */
    bool told;                       /* that it was */
    enum e8_format format;
    struct e8_cli_threads threads;
    int stopped_by;                 /* signal, or the key that stands for SIGINT */
    struct e8_live *live;           /* NULL: --quiet */
    struct e8_cli_metrics *metrics; /* NULL: not asked for */
    double per_arrival;             /* deliveries on average; 0: not known */
};

/* Before anything is sent: may the files of --report-… be written? */
enum e8_rc e8_execution_files(const struct execution *x, struct e8_err *err);
/* Raises the limit of open files where the plan may need it. E8_ENV where the plan is sure to need more files or ports than there are; a
 * warning where it may. */
enum e8_rc e8_execution_preflight(const struct execution *x, struct e8_err *err);
/* A view of the run on a terminal, which is ours then. */
bool e8_execution_on_terminal(const struct execution *x);
/* Until the run has ended: signals, keys, thresholds, the live view. */
void e8_execution_watch(struct execution *x, struct e8_engine *engine);
/* Fills x->more, when the run has ended. */
void e8_execution_more(struct execution *x);
/* Writes the report, to stdout and to files. Returns the exit code. */
int e8_execution_report(struct execution *x);

#endif
