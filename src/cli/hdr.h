/* --hdr FILE: a run's times as an HdrHistogram log file. */
#ifndef E8_CLI_HDR_H
#define E8_CLI_HDR_H

#include "cli/args.h"
#include "dlog/dlog.h"

/* Before anything is sent: may the file be written? */
enum e8_rc e8_cli_hdr_check(const struct e8_args *args, struct e8_err *err);
/* With an interval for each second of the run in which something was done. Nothing without --hdr. */
enum e8_rc e8_cli_hdr_logged(const struct e8_args *args, struct e8_dlog_reader *reader,
                             const struct e8_log_run *run, struct e8_err *err);
/* Of a run that has just ended. log: its file, or NULL; without one, the run is one interval. */
enum e8_rc e8_cli_hdr_run(const struct e8_args *args, const char *log, const struct e8_log_run *run,
                          const struct e8_stats *stats, struct e8_err *err);

#endif
