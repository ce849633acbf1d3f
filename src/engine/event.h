/* One event made from the plan, and the request that carries it to an endpoint: pure, the same for a run, a dry run and the
 * log. Internal to engine but for what engine.h repeats. */
#ifndef E8_ENGINE_EVENT_H
#define E8_ENGINE_EVENT_H

#include "scenario/scenario.h"

/* Where in the plan an event stands. */
struct e8_place {
    uint64_t seed;
    const struct e8_flow *flow;
    uint64_t instance;
    uint32_t sequence;
};

/* The ids depend on the place and the time alone. out: E8_ID_MAX bytes each. */
void e8_event_id(const struct e8_place *place, e8_wall_ns at, char *out);
void e8_delivery_id(const struct e8_place *place, e8_wall_ns at, const char *endpoint, char *out);
/* The same, or the id that the step gives. */
void e8_delivery_name(const struct e8_place *place, const struct e8_emit *emit, e8_wall_ns at,
                      const char *endpoint, char *out);

/* Renders the event's body (or copies its raw one) into *body, which must have room for it. The memo is e8_template_render_with's. */
void e8_event_render(const struct e8_emit *emit, const struct e8_facts *facts, struct e8_memo *memo,
                     struct e8_buf *body);
/* Facts of an event; counts may be NULL. `id` must outlive the facts. */
struct e8_facts e8_event_facts(const struct e8_plan *plan, const struct e8_catalog *catalog,
                               const struct e8_emit *emit, const struct e8_place *place,
                               e8_wall_ns flow_started, e8_wall_ns at, const uint16_t *counts,
                               const char *id);

/* What a step with `again` sends, when the event before is `origin`'s: a retry is what the platform would send, with the step's own
 * tampering; a replay is the same bytes, tampered with as they were where the step does not say otherwise. */
struct e8_emit e8_again_form(const struct e8_emit *origin, const struct e8_emit *again);

#endif
