#include "scenario/scenario.h"

#define FAULT_STREAM 0x6661756cu

/* Each fault has a number of its own, so that the share of one does not move what another hits. */
static bool drawn(uint64_t key, uint64_t which, double share)
{
    struct e8_rng rng = e8_rng_new(e8_mix(key, which));
    return share > 0 && e8_rng_unit(&rng) < share;
}

static bool any(const struct e8_faults *faults)
{
    return faults->duplicate > 0 || faults->reorder > 0 || faults->late > 0 || faults->drop > 0 ||
           faults->burst > 0;
}

static struct e8_deliver draw(const struct e8_faults *faults, uint64_t key)
{
    struct e8_deliver deliver = {0};
    if (drawn(key, 1, faults->drop)) {
        deliver.drop = true;
        return deliver;
    }
    deliver.late = drawn(key, 2, faults->late) ? faults->late_by : 0;
    deliver.burst = drawn(key, 3, faults->burst) ? faults->burst_over : 0;
    deliver.reorder = drawn(key, 4, faults->reorder);
    if (drawn(key, 5, faults->duplicate)) {
        deliver.copies = faults->copies ? faults->copies : 1;
        deliver.concurrent = faults->concurrent;
    }
    return deliver;
}

struct e8_deliver e8_deliver_of(const struct e8_plan *plan, const struct e8_flow *flow,
                                const struct e8_emit *emit, uint64_t instance, uint32_t sequence,
                                uint16_t endpoint)
{
    const struct e8_faults *faults = flow->faults ? flow->faults : &plan->faults;
    if (emit->faultless || !any(faults)) {
        return emit->deliver;
    }
    uint64_t key = e8_mix(e8_mix(plan->seed, flow->key), FAULT_STREAM);
    key =
        e8_mix(e8_mix(e8_mix(key, instance), sequence), e8_hash_str(e8_str(plan->endpoints[endpoint].name)));
    struct e8_deliver deliver = draw(faults, key);
    deliver.reorder = deliver.reorder && !emit->awaited;
    return deliver;
}
