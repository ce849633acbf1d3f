/* Command lines from tables: one table of options feeds parsing, help, completion and "did you mean". */
#ifndef E8_CLI_ARGS_H
#define E8_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/base.h"

#define E8_OPTION_ENV     1u /* EMIT8_NAME stands in where the option is not given */
#define E8_OPTION_REPEATS 2u /* it may be given more than once; help says so: "(repeatable)" */
/* What becomes of the file that it names; where neither stands, it names none. */
#define E8_OPTION_READS  4u  /* read, or added to */
#define E8_OPTION_WRITES 8u  /* written anew */
#define E8_OPTION_STDOUT 16u /* written anew, and "-" is stdout */
#define E8_OPTION_OUTPUT (E8_OPTION_WRITES | E8_OPTION_STDOUT)

struct e8_option {
    const char *name; /* long, without the dashes */
    char letter;      /* 0: none */
    const char *arg;  /* what help calls its value, or all that it may be: "text|json"; NULL: a switch */
    const char *help;
    unsigned may; /* E8_OPTION_… */
};

/* Groups of options that several commands share; each ends with a row whose name is NULL. */
extern const struct e8_option e8_options_general[];  /* --help, --color, --quiet */
extern const struct e8_option e8_options_reach[];    /* how to reach targets: curl's names */
extern const struct e8_option e8_options_endpoint[]; /* --secret-file, --scheme, -H, --timeout, --retries */
extern const struct e8_option e8_options_workers[];  /* --workers, --pin, --spin */
extern const struct e8_option e8_options_output[];   /* --format, --hdr, --log, --threshold */
extern const struct e8_option e8_options_reports[];  /* --report-* */

#define E8_GROUPS_MAX 10
struct e8_args;
struct e8_command {
    const char *name;
    const char *summary;                           /* one line */
    const char *synopsis;                          /* "TYPE|PATTERN… --to URL [options]" */
    const char *detail;                            /* paragraphs and examples for help; may be NULL */
    int min_words, max_words;                      /* positional words; max -1: any number */
    const struct e8_option *groups[E8_GROUPS_MAX]; /* NULL-terminated, the command's own first */
    int (*run)(const struct e8_args *args);        /* returns the exit code */
};
extern const struct e8_command e8_commands[]; /* ends with a row whose name is NULL */
const struct e8_command *e8_command_find(const char *name);

struct e8_args {
    const struct e8_command *command;
    const char **words; /* positional, NULL-terminated */
    size_t word_count;
    size_t set_count;
    struct {
        const struct e8_option *option;
        const char *value; /* NULL for switches */
    } * set;               /* in the order given */
};
/* Parses argv (without program and command). E8_INPUT with a hint on unknown options, missing values, too many words. */
enum e8_rc e8_args_parse(const struct e8_command *command, int argc, char **argv, struct e8_args *out,
                         struct e8_err *err);
void e8_args_fini(struct e8_args *args);

/* The last value given, else the environment's, else NULL. Asking for an option that the command lacks is a bug. */
const char *e8_arg(const struct e8_args *args, const char *name);
bool e8_args_know(const struct e8_args *args, const char *name); /* the command has such an option */
bool e8_arg_set(const struct e8_args *args, const char *name);   /* switch given, or a value */
/* All values of a repeated option, NULL-terminated; the caller frees the array (not the texts). NULL if none. */
const char **e8_arg_all(const struct e8_args *args, const char *name);
/* Typed values; *out keeps what it had where the option is absent. E8_INPUT names the option and says what would be right. */
enum e8_rc e8_arg_dur(const struct e8_args *args, const char *name, e8_dur_ns *out, struct e8_err *err);
enum e8_rc e8_arg_rate(const struct e8_args *args, const char *name, struct e8_rate *out, struct e8_err *err);
enum e8_rc e8_arg_u64(const struct e8_args *args, const char *name, uint64_t low, uint64_t high,
                      uint64_t *out, struct e8_err *err);
enum e8_rc e8_arg_factor(const struct e8_args *args, const char *name, double *out,
                         struct e8_err *err); /* "10x" */
/* A point in time: RFC 3339, Unix seconds, or a duration before now ("10m"). */
enum e8_rc e8_arg_time(const struct e8_args *args, const char *name, e8_wall_ns *out, struct e8_err *err);

void e8_help_command(const struct e8_command *command, FILE *out);
void e8_help_all(FILE *out);
void e8_help_man(FILE *out); /* the manual page, in the man(7) language */

#endif
