/* What the commands share: the catalogue, how to reach targets, output, and the run of a plan with its live view, signals,
 * log and report. */
#ifndef E8_CLI_SESSION_H
#define E8_CLI_SESSION_H

#include "cli/args.h"
#include "engine/engine.h"
#include "report/report.h"
#include "sink/sink.h"

enum { E8_EXIT_PASS = 0, E8_EXIT_FAIL = 1, E8_EXIT_INPUT = 2, E8_EXIT_ENV = 3, E8_EXIT_INVALID = 4 };

/* Print to stderr; the exit code that fits. */
int e8_exit_error(const struct e8_err *err);
int e8_exit_errs(struct e8_errs *errs); /* also e8_errs_fini */

/* Loads the catalogue with --fixtures. On failure prints and returns false; *code is the exit code. */
bool e8_cli_catalog(const struct e8_args *args, struct e8_catalog **out, int *code);
struct e8_style e8_cli_style(const struct e8_args *args, FILE *out);
enum e8_rc e8_cli_format(const struct e8_args *args, enum e8_format fallback, enum e8_format *out,
                         struct e8_err *err);

/* Everything of e8_options_reach; the lists are owned. */
struct e8_cli_reach {
    struct e8_reach reach;
    const char **connect_to, **resolve, **allow;
};
enum e8_rc e8_cli_reach(const struct e8_args *args, const char *const *also_allow, struct e8_cli_reach *out,
                        struct e8_err *err);
void e8_cli_reach_fini(struct e8_cli_reach *reach);

/* Secrets of --secret-file (repeatable) or EMIT8_SECRET; owned, wiped. */
struct e8_cli_secrets {
    char *list[E8_SECRETS_MAX];
    size_t count;
};
enum e8_rc e8_cli_secrets(const struct e8_args *args, struct e8_cli_secrets *out, struct e8_err *err);
void e8_cli_secrets_fini(struct e8_cli_secrets *secrets);
/* e8_secret_read of the file that the option `name` gives; an error names both. */
enum e8_rc e8_cli_secret(const char *name, const char *path, char **out, struct e8_err *err);
/* --scheme: a name, or a JSON file with one scheme. *doc (may stay NULL) and *arena own what it points to. */
enum e8_rc e8_cli_scheme(const struct e8_args *args, const struct e8_catalog *catalog, struct e8_arena *arena,
                         struct e8_doc **doc, const struct e8_scheme **out, struct e8_errs *errs);
/* -H values, checked; *list is freed by the caller, the texts belong to args. */
enum e8_rc e8_cli_headers(const struct e8_args *args, struct e8_header **list, size_t *count,
                          struct e8_err *err);
/* Their names, joined by spaces, in the arena; NULL when there are none. */
const char *e8_cli_header_names(struct e8_arena *arena, const struct e8_header *list, size_t count);
/* --timeout and --retries over the platform's defaults. */
enum e8_rc e8_cli_policy(const struct e8_args *args, const struct e8_platform *platform, e8_dur_ns *timeout,
                         struct e8_retry_policy *retry, struct e8_err *err);
/* --environment, which must be one of the platform's; NULL where it is not given. */
enum e8_rc e8_cli_environment(const struct e8_args *args, const struct e8_catalog *catalog, const char **out,
                              struct e8_err *err);
/* --effect-get with --effect-pointer, or --effect-command; *out stays empty where neither is given. */
enum e8_rc e8_cli_effect(const struct e8_args *args, struct e8_arena *arena, struct e8_effect *out,
                         struct e8_err *err);
enum e8_rc e8_cli_seed(const struct e8_args *args, bool *given, uint64_t *seed, struct e8_err *err);

/* A rule of the option `name`: e8_threshold_parse, and an error that names both. */
enum e8_rc e8_cli_threshold(const char *name, const char *text, struct e8_threshold *out, struct e8_err *err);
/* "--name 'rule': what is wrong with it". */
enum e8_rc e8_cli_fail_rule(const char *name, const char *text, const struct e8_err *fault,
                            struct e8_err *err);

/* How a plan is run. */
struct e8_cli_threads {
    bool pin;
    e8_dur_ns spin;
};
/* The cores that this process may use: those of the machine, or fewer (taskset, a container). */
unsigned e8_cli_cores(void);
/* E8_INPUT also where --pin has fewer cores than workers. */
enum e8_rc e8_cli_threads(const struct e8_args *args, unsigned workers, struct e8_cli_threads *out,
                          struct e8_err *err);

struct e8_cli_run {
    struct e8_plan *plan;
    const struct e8_catalog *catalog;
    double speed;
    e8_wall_ns clock;
    unsigned workers;
    size_t in_flight;
    bool drop;   /* at that bound */
    bool sinks;  /* give every endpoint a sink of its own and its URL */
    bool report; /* print the report */
    bool
        load; /* the receiver is measured: where emit8 was the limit, the run is invalid. Open arrivals always do */
    bool exec;       /* the scenario's commands may be run */
    int64_t resumes; /* the run that is gone on with, what of it is over, and its start; 0, NULL, 0: none */
    const struct e8_done_deliveries *done;
    e8_wall_ns wall;
    e8_wall_ns start_at; /* wait until then; 0: begin at once */
    bool keep;
    enum e8_trigger trigger;
    void (*on_done)(void *state, const struct e8_done *done);
    void (*on_effect)(void *state, const struct e8_effect_reading *reading);
    void *state;
};
/* Checks targets, opens the log, runs, reports. Returns the exit code. */
int e8_cli_execute(const struct e8_args *args, struct e8_cli_run *run);
/* The command line for the log, quoted for a shell; values of headers and variables, and secrets of URLs, are left out. */
void e8_cli_command(const struct e8_args *args, struct e8_buf *out);

/* SIGINT and SIGTERM are blocked and read from here, so that no handler runs. */
void e8_signals_init(void);
/* From here on also SIGHUP, and those by which a terminal and its shell speak to a program: SIGWINCH, SIGTSTP, SIGCONT. */
void e8_signals_terminal(void);
/* Stops as SIGTSTP would, until SIGCONT. */
void e8_signals_suspend(void);
int e8_signals_take(e8_dur_ns timeout); /* the signal, or 0 */

#endif
