/* The command line: the only module that ends the process. */
#ifndef E8_CLI_CLI_H
#define E8_CLI_CLI_H

/* Runs the command that argv names; returns the exit code. */
int e8_cli_main(int argc, char **argv);

#endif
