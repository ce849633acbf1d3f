/* Checks of a receiver: which probes there are, which of them are run and why others are not, and what came of them. A check is a
 * plan whose phases are the chosen probes, one after another; the engine runs it.
 *
 * Load, profile, choose, prepare; then the engine with e8_check_done and e8_check_effect on its one worker; then the results. */
#ifndef E8_CHECK_CHECK_H
#define E8_CHECK_CHECK_H

#include <stdbool.h>

#include "engine/engine.h"
#include "results/results.h"
#include "scenario/scenario.h"

struct e8_check_options {
    /* to, secret, next_secret, effect, environment, seed; the check adds the rest. `to` NULL: for a list alone. */
    struct e8_scenario_options scenario;
    const char *const *checks; /* the user's files, and directories of *.yaml; NULL-terminated or NULL */
    const struct e8_scheme *scheme;
    e8_dur_ns deadline; /* for acknowledgements */
    e8_dur_ns gap;      /* between deliveries, but for those that a probe sends at once; 0: none */
    const char *on_rotate, *on_revoke; /* shell commands, or NULL */
    bool exec;                         /* the user's own files may run commands */
};

struct e8_check;
/* Reads the built-in files, then the user's. The catalogue and all that the options point at must outlive the check. */
enum e8_rc e8_check_load(const struct e8_catalog *catalog, const struct e8_check_options *options,
                         struct e8_check **out, struct e8_errs *errs);
void e8_check_free(struct e8_check **check);
/* Its plan, so that the endpoint's time-out, retries and headers can be set. */
struct e8_plan *e8_check_plan(struct e8_check *check);

/* A file that overrides: PROBE: {status: [404], reason: TEXT} or {skip: true, reason: TEXT}; PROBE may be a group. Every fault goes
 * to errs. */
enum e8_rc e8_check_profile(struct e8_check *check, const char *path, struct e8_errs *errs);
/* Comma-separated ids and groups, in any case; NULL-terminated lists or NULL (all; none). Canaries are always run. */
enum e8_rc e8_check_choose(struct e8_check *check, const char *const *only, const char *const *skip,
                           struct e8_err *err);
/* Finds out what cannot be run, and makes the phases of the plan. */
void e8_check_prepare(struct e8_check *check);
size_t e8_check_count(const struct e8_check *check); /* of the probes that will be run */

/* For the engine, with the check as their state. On its worker's thread, of which there must be one. */
void e8_check_done(void *check, const struct e8_done *done);
void e8_check_effect(void *check, const struct e8_effect_reading *reading);
/* Which probe is at work: its place among those that are run (1, 2, …; 0: none yet), its id and its title. Any thread. */
size_t e8_check_current(const struct e8_check *check, const char **id, const char **title);

/* What is known of the run when it has ended. */
struct e8_check_ended {
    bool interrupted;
    const char *reproduce;         /* the command line that --only ID makes whole; without secrets */
    const char *const *properties; /* as in e8_results */
    e8_wall_ns started;
    e8_dur_ns took;
};
/* Lives as long as the check. */
const struct e8_results *e8_check_results(struct e8_check *check, const struct e8_check_ended *ended);

/* The probes with their needs, as a table or as JSON. */
void e8_check_list(const struct e8_check *check, bool json, struct e8_buf *out);

/* ---- what answers tell; for tests ---- */

/* What an answer must not be: a redirect, 410, 429 without Retry-After, one that shows a stack trace. One line is appended to
 * `why`; false: there is nothing wrong. */
bool e8_answer_lint(int status, const char *retry_after, struct e8_str body, struct e8_buf *why);
/* Whose stack trace stands in the text: "Python", "Java", …; NULL: there is none. */
const char *e8_stack_trace_find(struct e8_str text);

#endif
