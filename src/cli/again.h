/* A delivery of the log once more: shown, or sent. */
#ifndef E8_CLI_AGAIN_H
#define E8_CLI_AGAIN_H

#include "cli/args.h"
#include "dlog/dlog.h"

/* Both return the exit code. */
int e8_cli_show(const struct e8_args *args, struct e8_dlog_reader *reader, const char *delivery);
int e8_cli_resend(const struct e8_args *args, struct e8_dlog_reader *reader, const char *log_path,
                  const char *delivery);

#endif
