/* One `emit8 check`: what the command line gave, and what its run holds on to. Internal to the command. */
#ifndef E8_CLI_CHECKER_H
#define E8_CLI_CHECKER_H

#include "check/check.h"
#include "cli/kept.h"

struct e8_checker {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
    struct e8_cli_secrets secrets;
    char *next_secret;
    struct e8_effect effect;
    const char **checks, **only, **skip;
    struct e8_header *headers;
    size_t header_count;
    enum e8_results_format format;
    struct e8_check_options options;
    struct e8_check *check;
    struct e8_cli_reach reach;
    struct e8_dlog *log;
    struct e8_log_run facts;
    struct e8_engine_result result;
    size_t shown;   /* on the terminal: the probe's place */
    int stopped_by; /* signal */
};

/* Sends the probes, logs them, writes the results. Returns the exit code. */
int e8_checker_run(struct e8_checker *checker);

#endif
