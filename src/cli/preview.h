/* --dry-run, --plan and --limit: what would be sent, instead of sending it. */
#ifndef E8_CLI_PREVIEW_H
#define E8_CLI_PREVIEW_H

#include "cli/args.h"
#include "scenario/scenario.h"

struct e8_cli_preview {
    bool dry;         /* --dry-run or --plan is given */
    const char *plan; /* "json" or "ndjson"; NULL: a table for people */
    uint64_t limit;   /* of events; 0: all */
};
enum e8_rc e8_cli_preview(const struct e8_args *args, struct e8_cli_preview *out, struct e8_err *err);
/* Checks the plan and prints. clock: the events' time; 0: now. Returns the exit code. */
int e8_cli_preview_show(const struct e8_args *args, const struct e8_plan *plan,
                        const struct e8_catalog *catalog, e8_wall_ns clock,
                        const struct e8_cli_preview *preview);

#endif
