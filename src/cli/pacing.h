/* --rate, -z, -c, -n, --stages, --process, --warmup: how much, and for how long. */
#ifndef E8_CLI_PACING_H
#define E8_CLI_PACING_H

#include "cli/args.h"
#include "scenario/scenario.h"

struct e8_cli_pacing {
    struct e8_phase phase;
    e8_dur_ns warmup;
    struct e8_pace_piece *pieces; /* of phase.pace; owned: free() */
};
/* --process: is it poisson? */
enum e8_rc e8_cli_process(const struct e8_args *args, bool *poisson, struct e8_err *err);
/* E8_INPUT where what is given does not make one schedule. The caller frees the pieces, also after an error. */
enum e8_rc e8_cli_pacing(const struct e8_args *args, struct e8_cli_pacing *out, struct e8_err *err);

#endif
