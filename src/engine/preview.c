#include <stdlib.h>
#include <string.h>

#include "engine/event.h"
#include "engine/worker.h"

struct previewer {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    e8_preview_fn *fn;
    void *state;
    struct e8_signer **signers;
    uint16_t *counts;
    struct e8_buf body;
    char memory[E8_REQUEST_MAX];
};

static bool preview_delivery(struct previewer *p, const struct e8_endpoint *endpoint,
                             const struct e8_emit *emit, const struct e8_place *place, e8_wall_ns at,
                             const char *event_id)
{
    char delivery_id[E8_ID_MAX];
    struct e8_request_parts parts;
    struct e8_buf memory;
    e8_delivery_id(place, at, endpoint->name, delivery_id);
    e8_buf_fixed(&memory, p->memory, sizeof p->memory);
    struct e8_sign_input in = {
        .id = e8_str(delivery_id),
        .timestamp = at / E8_NS_S,
        .body = e8_buf_str(&p->body),
        .type = e8_str(p->plan->types[emit->type]),
        .environment = e8_str(emit->environment),
        .attempt = 1,
    };
    struct e8_keys keys = {.right = p->signers[endpoint - p->plan->endpoints]};
    e8_request_build(p->catalog, endpoint, emit, &keys, &in, 0, &memory, NULL, &parts);
    struct e8_preview preview = {.endpoint = endpoint,
                                 .emit = emit,
                                 .event_id = event_id,
                                 .delivery_id = delivery_id,
                                 .at = at,
                                 .body = parts.body,
                                 .parts = &parts};
    return p->fn(p->state, &preview);
}

static bool preview_instance(struct previewer *p, const struct e8_flow *flow, uint64_t number,
                             e8_wall_ns start)
{
    struct e8_walk walk = e8_walk_begin(flow, p->plan->seed, number);
    e8_wall_ns flow_started = e8_after(start, -e8_flow_age(flow, p->plan->seed, number));
    const struct e8_emit *emit;
    memset(p->counts, 0, e8_catalog_count(p->catalog) * sizeof *p->counts);
    while ((emit = e8_walk_next(&walk)) != NULL) {
        struct e8_place place = {p->plan->seed, flow, number, walk.sequence};
        e8_wall_ns at = e8_after(start, walk.offset);
        char id[E8_ID_MAX];
        p->counts[emit->type]++;
        e8_event_id(&place, at, id);
        struct e8_facts facts = e8_event_facts(p->catalog, emit, &place, flow_started, at, p->counts, id);
        e8_buf_reset(&p->body);
        e8_event_render(emit, &facts, &p->body);
        for (size_t i = 0; i < p->plan->endpoint_count; i++) {
            const struct e8_endpoint *endpoint = &p->plan->endpoints[i];
            if (e8_emit_goes_to(p->plan, emit, i) &&
                !preview_delivery(p, endpoint, emit, &place, at, id)) {
                return false;
            }
        }
    }
    return true;
}

static bool preview_phase(struct previewer *p, const struct e8_phase *phase, e8_wall_ns base)
{
    struct e8_pace_walk walk = phase->open ? e8_pace_begin(&phase->pace) : (struct e8_pace_walk){.k = 0};
    e8_dur_ns due = 0;
    for (uint64_t k = 0; phase->open ? e8_pace_next(&walk, &due) : k < phase->times; k++) {
        if (!preview_instance(p, phase->flow, phase->first + k, e8_after(base, due))) {
            return false;
        }
    }
    return true;
}

enum e8_rc e8_preview_plan(const struct e8_plan *plan, const struct e8_catalog *catalog, e8_wall_ns clock,
                           e8_preview_fn *fn, void *state, struct e8_err *err)
{
    struct previewer *p = e8_new(1, sizeof *p);
    *p = (struct previewer){.plan = plan, .catalog = catalog, .fn = fn, .state = state};
    p->signers = e8_new(plan->endpoint_count + 1, sizeof(struct e8_signer *));
    p->counts = e8_new(e8_catalog_count(catalog) + 1, sizeof *p->counts);
    e8_buf_init(&p->body, SIZE_MAX / 2);
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        if (endpoint->secret_count) {
            rc = e8_signer_new(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &p->signers[i],
                               err);
        }
    }
    e8_wall_ns base = clock;
    for (size_t i = 0; !rc && i < plan->phase_count; i++) {
        const struct e8_phase *phase = &plan->phases[i];
        base = phase->at >= 0 ? e8_after(clock, phase->at) : base;
        if (!preview_phase(p, phase, base)) {
            break;
        }
        base = e8_after(base, phase->open ? phase->pace.length : 0);
    }
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        e8_signer_free(&p->signers[i]);
    }
    e8_buf_fini(&p->body);
    free(p->signers);
    free(p->counts);
    free(p);
    return rc;
}
