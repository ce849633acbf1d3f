/* The files that a command writes, held against each other and against what it reads, before anything is begun. */
#ifndef E8_CLI_OUTPUTS_H
#define E8_CLI_OUTPUTS_H

#include "cli/args.h"

/* E8_INPUT where one file is written twice, or is read or added to as well, whatever its names; where two outputs go to stdout; and
 * where "-" cannot be written to. Nothing is made, opened or changed. */
enum e8_rc e8_cli_outputs_check(const struct e8_args *args, struct e8_err *err);
/* May the file of this option be written? E8_INPUT: a directory stands there; E8_ENV: the system refuses. What stands there stays as it is,
 * and nothing new stays. "-" always may. */
enum e8_rc e8_cli_may_write(const char *option, const char *path, struct e8_err *err);
/* The option that has stdout to itself, by "-": what goes there otherwise is left out. NULL: none. */
const char *e8_cli_stdout_of(const struct e8_args *args);

#endif
