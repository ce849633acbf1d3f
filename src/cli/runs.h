/* Runs of logs that a command line names: FILE, FILE@RUN, @RUN of the default log; and what is read of them for a report. */
#ifndef E8_CLI_RUNS_H
#define E8_CLI_RUNS_H

#include "cli/session.h"
#include "dlog/dlog.h"

struct e8_cli_logged {
    const char *name; /* as it was named */
    struct e8_dlog_reader *reader;
    struct e8_log_run run;
    struct e8_stats *stats;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_report_more more;
    struct e8_hist *spread;
    struct e8_course course;
    struct e8_report report;
};
/* "day.db@3" is run 3 of day.db, unless a file has that very name; without a run, the newest. The file: "" where none is named. */
void e8_cli_run_name(const char *word, struct e8_arena *arena, const char **file, int64_t *run);
/* The log of --log, or the default one. */
enum e8_rc e8_cli_run_log(const struct e8_args *args, struct e8_arena *arena, const char **file,
                          struct e8_err *err);
/* Opens the log and makes the report. thresholds: texts instead of the run's own, NULL-terminated; NULL: its own. course: how it went over
 * time as well. The arena must outlive *out, which the caller ends with _fini, also after an error. */
enum e8_rc e8_cli_run_read(const char *file, int64_t run, const char *const *thresholds, bool course,
                           struct e8_arena *arena, struct e8_cli_logged *out, struct e8_err *err);
/* How a run went over time, from its log; the caller frees *out. stats: of the run. */
enum e8_rc e8_cli_course(const char *file, int64_t run, const struct e8_stats *stats, struct e8_course **out,
                         struct e8_err *err);
void e8_cli_run_fini(struct e8_cli_logged *logged);

#endif
