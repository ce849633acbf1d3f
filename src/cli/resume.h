/* `emit8 run --resume`: the run that a scenario goes on with. */
#ifndef E8_CLI_RESUME_H
#define E8_CLI_RESUME_H

#include "cli/session.h"

struct e8_resume {
    struct e8_dlog_reader *reader;
    struct e8_log_run run; /* texts are the reader's */
    struct e8_done_deliveries *done;
    e8_wall_ns wall; /* where the events' time began: that of the first run of the chain */
};

/* Finds the run of --run, or the newest unfinished one with the digest. The caller calls e8_resume_fini, also after an error. */
enum e8_rc e8_resume_find(const struct e8_args *args, const char *scenario_digest, struct e8_resume *out,
                          struct e8_err *err);
/* E8_INPUT where the plan would not make the same deliveries: scenario, fixtures, steps, endpoints. */
enum e8_rc e8_resume_check(const struct e8_resume *resume, const struct e8_plan *plan,
                           const struct e8_catalog *catalog, struct e8_err *err);
/* Reads what is over; closes the log. */
enum e8_rc e8_resume_load(struct e8_resume *resume, struct e8_err *err);
void e8_resume_fini(struct e8_resume *resume);

#endif
