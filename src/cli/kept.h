/* What is kept of a run, for every command that runs a plan: its rows in the log, and the files of --report-…. */
#ifndef E8_CLI_KEPT_H
#define E8_CLI_KEPT_H

#include "cli/session.h"

/* Facts of a run of the plan that begins now. Their texts, endpoints and steps live in the arena, or are the plan's. */
void e8_cli_facts(const struct e8_args *args, const struct e8_plan *plan, const struct e8_catalog *catalog,
                  struct e8_arena *arena, struct e8_log_run *out);
/* The same at the run's end, from what the engine has to say. more: what a report from the log could not know; or NULL. */
void e8_cli_facts_end(const struct e8_engine_result *result, const struct e8_report_more *more,
                      struct e8_arena *arena, struct e8_log_run *facts);
/* Opens the log of --log, or the default one, for so many workers. With --no-log *out stays NULL. *path (in the arena): which one. */
enum e8_rc e8_cli_log_open(const struct e8_args *args, struct e8_arena *arena, unsigned workers,
                           struct e8_dlog **out, const char **path, struct e8_err *err);
/* The same for facts->workers; writes the run's start as well. */
enum e8_rc e8_cli_log(const struct e8_args *args, struct e8_arena *arena, struct e8_log_run *facts,
                      struct e8_dlog **out, const char **path, struct e8_err *err);
/* The URL without its secrets, in the arena. */
const char *e8_cli_redacted(struct e8_arena *arena, const char *url);

/* An option --report-…, with the format of its file. */
struct e8_cli_file {
    const char *option;
    int format; /* the command's: enum e8_format or enum e8_results_format */
};
typedef enum e8_rc e8_cli_write_fn(const void *content, int format, FILE *out);
/* Before anything is sent: may the files be written? */
enum e8_rc e8_cli_files_check(const struct e8_args *args, const struct e8_cli_file *files, size_t count,
                              struct e8_err *err);
/* Those that were asked for; ends with the first that cannot be written whole. */
enum e8_rc e8_cli_files_write(const struct e8_args *args, const struct e8_cli_file *files, size_t count,
                              e8_cli_write_fn *write, const void *content, struct e8_err *err);
/* The same for the files of e8_options_reports, and for --report-shard where the command has it. */
enum e8_rc e8_cli_reports_check(const struct e8_args *args, struct e8_err *err);
enum e8_rc e8_cli_reports_write(const struct e8_args *args, const struct e8_report *report,
                                struct e8_err *err);

#endif
