/* The limit of open files. */
#ifndef E8_CLI_LIMITS_H
#define E8_CLI_LIMITS_H

#include <stdint.h>

struct e8_cli_files_limit {
    uint64_t limit; /* files that may be open; UINT64_MAX: as many as are wanted */
    uint64_t room;  /* deliveries in flight that there are files for, at least 1 */
};
/* Raises the soft limit as far as so many deliveries in flight need and the hard one allows. ends: of each connection, how many are in this
 * process. */
struct e8_cli_files_limit e8_cli_files_for(uint64_t deliveries, uint64_t ends, unsigned workers);
/* On stderr, that so many deliveries, which a slow receiver may bring in flight, are more than there is room for; and what is to be done. */
void e8_cli_files_warn(uint64_t deliveries, const struct e8_cli_files_limit *files, const char *then);

#endif
