/* What `run --dry-run` and `run --plan` print. */
#ifndef E8_CLI_PLAN_VIEW_H
#define E8_CLI_PLAN_VIEW_H

#include "cli/plan_rows.h"
#include "report/report.h"

struct e8_plan_view {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    e8_wall_ns clock; /* the events' time at the start */
    uint64_t limit;   /* of events; 0: all */
    struct e8_style style;
    FILE *out;
};

/* A table for people. */
enum e8_rc e8_plan_print(const struct e8_plan_view *view, struct e8_err *err);
/* For machines: one JSON document, or a line for the plan and one for each delivery. */
enum e8_rc e8_plan_json(const struct e8_plan_view *view, bool lines, struct e8_err *err);

/* What is special about a row, for people: "49 more at once; expects 2xx within 5 s". Empty for an ordinary delivery. */
void e8_plan_row_words(const struct e8_plan_row *row, struct e8_buf *out);
/* What a step between deliveries does: "rotate crm". */
void e8_plan_step_words(const struct e8_plan *plan, const struct e8_step *step, struct e8_buf *out);
const char *e8_on_failure_words(enum e8_on_failure on_failure);

#endif
