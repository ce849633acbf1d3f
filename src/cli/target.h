/* What a command line says of its endpoints, for commands without a scenario. */
#ifndef E8_CLI_TARGET_H
#define E8_CLI_TARGET_H

#include "cli/session.h"

struct e8_cli_target {
    struct e8_endpoint *endpoints; /* of --to [NAME=]URL; each with the same settings */
    size_t count;
    struct e8_cli_secrets secrets;
    struct e8_header *headers;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
};
/* Of all --to, or of the last alone. The caller calls _fini, also after an error. */
enum e8_rc e8_cli_target(const struct e8_args *args, const struct e8_catalog *catalog, bool several,
                         struct e8_cli_target *out, struct e8_errs *errs);
void e8_cli_target_fini(struct e8_cli_target *target);
/* Says so on stderr where nothing will be signed. */
void e8_cli_target_note(const struct e8_cli_target *target);

#endif
