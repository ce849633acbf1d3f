/* The time-line of a plan: what its seed gives, sorted by time, without sending anything. */
#ifndef E8_CLI_PLAN_ROWS_H
#define E8_CLI_PLAN_ROWS_H

#include "engine/engine.h"

/* A delivery, or a step between deliveries. Texts and pointers are valid during the call. */
struct e8_plan_row {
    e8_dur_ns offset; /* from the start of the run, as if the receiver took no time */
    uint64_t order;   /* among those of the same offset */
    bool at_least;    /* the flow has waited for the receiver before: so late, or later */
    const struct e8_flow *flow;
    uint64_t instance;
    uint32_t sequence;
    const struct e8_step *step;         /* what is no event: await, secret, exec, measure; else NULL */
    const struct e8_emit *emit;         /* of an event */
    const struct e8_endpoint *endpoint; /* NULL: no endpoint takes the event */
    struct e8_deliver deliver;
    size_t bytes; /* of the body */
    uint8_t digest[32];
    char event_id[E8_ID_MAX], delivery_id[E8_ID_MAX];
};
/* False: no more. */
typedef bool e8_plan_row_fn(void *state, const struct e8_plan_row *row);

/* Rows in the order of time; deliveries of one event follow one another. Instances of closed loops start as those before them end.
 * limit: so many events are wanted (0: all), which bounds the memory; the caller ends it. clock: the events' time at the start.
 * E8_LIMIT where too much happens at the same time to be sorted. */
enum e8_rc e8_plan_rows(const struct e8_plan *plan, const struct e8_catalog *catalog, e8_wall_ns clock,
                        uint64_t limit, e8_plan_row_fn *fn, void *state, struct e8_err *err);

#endif
