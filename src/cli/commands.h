/* The commands, a file each (cmd_NAME.c). Each returns the exit code. */
#ifndef E8_CLI_COMMANDS_H
#define E8_CLI_COMMANDS_H

#include "cli/args.h"

int e8_cmd_send(const struct e8_args *args);
int e8_cmd_load(const struct e8_args *args);
int e8_cmd_find_max(const struct e8_args *args);
int e8_cmd_run(const struct e8_args *args);
int e8_cmd_validate(const struct e8_args *args);
int e8_cmd_init(const struct e8_args *args);
int e8_cmd_check(const struct e8_args *args);
int e8_cmd_sink(const struct e8_args *args);
int e8_cmd_serve(const struct e8_args *args);
int e8_cmd_replay(const struct e8_args *args);
int e8_cmd_events(const struct e8_args *args);
int e8_cmd_log(const struct e8_args *args);
int e8_cmd_report(const struct e8_args *args);
int e8_cmd_diff(const struct e8_args *args);
int e8_cmd_merge(const struct e8_args *args);
int e8_cmd_sign(const struct e8_args *args);
int e8_cmd_verify(const struct e8_args *args);
int e8_cmd_completion(const struct e8_args *args);
int e8_cmd_version(const struct e8_args *args);

extern const struct e8_option e8_send_options[], e8_load_options[], e8_find_max_options[], e8_run_options[],
    e8_check_options[], e8_sink_options[], e8_events_options[], e8_log_options[], e8_report_options[],
    e8_sign_options[], e8_verify_options[], e8_no_options[];

extern const struct e8_option e8_validate_options[], e8_init_options[], e8_replay_options[],
    e8_merge_options[], e8_serve_options[], e8_diff_options[];

#endif
