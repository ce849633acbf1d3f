#include <string.h>

#include "engine/worker.h"

uint32_t e8_resume_copies_done(const struct e8_engine *engine, const struct e8_place *place, size_t endpoint,
                               uint32_t first, uint32_t count)
{
    const struct e8_done_deliveries *done = engine->options.done;
    uint32_t n = 0;
    while (done && n < count &&
           e8_done_has(done, place->flow->key, place->instance, place->sequence, (uint16_t)endpoint,
                       (uint16_t)(first + n))) {
        n++;
    }
    return n;
}

/* Has all that the step sends to the endpoint been sent? *copies: number of the next copy there. */
static bool is_done(const struct e8_engine *engine, const struct e8_place *place, const struct e8_emit *emit,
                    size_t endpoint, uint32_t *copies)
{
    struct e8_deliver how =
        e8_deliver_of(engine->plan, place->flow, emit, place->instance, place->sequence, (uint16_t)endpoint);
    uint32_t count = how.copies + 1, first = emit->again ? *copies : 0;
    *copies = first + count;
    return how.drop || e8_resume_copies_done(engine, place, endpoint, first, count) == count;
}

/* Follows the plan without making anything. */
bool e8_resume_instance_done(struct e8_worker *worker, const struct e8_flow *flow, uint64_t instance)
{
    const struct e8_engine *engine = worker->engine;
    const struct e8_plan *plan = engine->plan;
    const struct e8_emit *emit, *origin = NULL;
    bool any = false;
    if (!engine->options.done) {
        return false;
    }
    struct e8_walk walk = e8_walk_begin(flow, plan->seed, instance);
    while ((emit = e8_walk_next(&walk)) != NULL) {
        struct e8_place place = {plan->seed, flow, instance, walk.sequence};
        origin = emit->again ? origin : emit;
        for (size_t i = 0; origin && i < plan->endpoint_count; i++) {
            if (!e8_emit_goes_to(plan, origin, i)) {
                continue;
            }
            if (!is_done(engine, &place, emit, i, &worker->copies[i])) {
                return false;
            }
            any = true;
        }
    }
    return any;
}
