/* A run on several machines: which part of the plan this one takes, and the moment at which all begin. */
#ifndef E8_CLI_SHARD_H
#define E8_CLI_SHARD_H

#include "cli/session.h"

/* --shard, --shards, --start-at: for every command that makes a plan from a seed. */
extern const struct e8_option e8_options_shard[];

struct e8_cli_shard {
    struct e8_shard shard;
    e8_wall_ns start_at; /* 0: at once */
    bool relative;       /* it was given as +30s: another moment in each process */
};
/* Which shard: --shard beats EMIT8_SHARD; with --shards or EMIT8_SHARDS alone JOB_COMPLETION_INDEX, then SLURM_ARRAY_TASK_ID tell it.
 * E8_INPUT where what is given does not fit together. */
enum e8_rc e8_cli_shard(const struct e8_args *args, struct e8_cli_shard *out, struct e8_err *err);
/* Makes it the plan's. E8_INPUT where the shards would not be parts of one plan: without a seed that was given; and, unless `dry`,
 * without a moment at which the events' time begins for all (--start-at, or `clock` other than 0). */
enum e8_rc e8_cli_divide(const struct e8_cli_shard *given, e8_wall_ns clock, bool dry, struct e8_plan *plan,
                         struct e8_err *err);
/* E8_INPUT where `at` has passed by more than a second. */
enum e8_rc e8_cli_check_start(e8_wall_ns at, struct e8_err *err);
/* Waits until shortly before `at`, and says so unless `quiet`. *signal: what ended the waiting; 0: the time has come. E8_INPUT where
 * it has passed by more than a second. */
enum e8_rc e8_cli_wait(e8_wall_ns at, bool quiet, int *signal, struct e8_err *err);

#endif
