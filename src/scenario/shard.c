#include <string.h>

#include "scenario/scenario.h"

/* How much of a plan its fingerprint looks at. */
#define ARRIVALS_SEEN  1000
#define INSTANCES_SEEN 64
#define EVENTS_SEEN    1000 /* of an instance */

struct e8_part e8_plan_part(const struct e8_plan *plan, const struct e8_phase *phase)
{
    uint64_t count = plan->shard.count ? plan->shard.count : 1;
    uint64_t index = plan->shard.count ? plan->shard.number - 1 : 0;
    uint64_t rank = (index + count - phase->first % count) % count;
    if (!phase->open && phase->concurrency < count) {
        bool any = rank < phase->concurrency;
        return any ? (struct e8_part){rank, phase->concurrency, 1} : (struct e8_part){.first = UINT64_MAX};
    }
    return (struct e8_part){
        .first = rank,
        .step = count,
        .concurrency = (uint32_t)(phase->concurrency / count + (rank < phase->concurrency % count)),
    };
}

bool e8_part_has(const struct e8_part *part, uint64_t k)
{
    return part->step && k >= part->first && (k - part->first) % part->step == 0;
}

uint64_t e8_part_count(const struct e8_part *part, uint64_t instances)
{
    return part->step && instances > part->first ? (instances - part->first - 1) / part->step + 1 : 0;
}

static void note_closed(const struct e8_plan *plan, size_t index, struct e8_buf *note)
{
    const struct e8_phase *phase = &plan->phases[index];
    if (phase->open) {
        return;
    }
    uint64_t most = phase->times < phase->concurrency ? phase->times : phase->concurrency;
    if (most < plan->shard.count) {
        e8_buf_printf(note,
                      "entry %zu of run (%s): %llu at a time at most: %llu of %u shards take no part in it\n",
                      index + 1, phase->flow->name, (unsigned long long)most,
                      (unsigned long long)(plan->shard.count - most), plan->shard.count);
    }
}

/* The endpoint whose secrets a step turns; -1: none does. */
static int turned_by(struct e8_steps steps)
{
    int found = -1;
    for (size_t i = 0; found < 0 && i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        if (step->kind == E8_STEP_SECRET) {
            found = step->secret.endpoint;
        } else if (step->kind == E8_STEP_REPEAT) {
            found = turned_by(step->repeat.body);
        } else if (step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL) {
            for (size_t j = 0; found < 0 && j < step->branches.count; j++) {
                found = turned_by(step->branches.list[j].steps);
            }
        }
    }
    return found;
}

enum e8_rc e8_shard_check(const struct e8_plan *plan, struct e8_buf *note, struct e8_err *err)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        int turned = turned_by(plan->phases[i].flow->steps);
        if (turned >= 0) {
            return e8_fail(
                err, E8_INPUT, "run it on one machine, without --shard",
                "flow %s rotates the secrets of endpoint \"%s\", of which the other shards would not know",
                plan->phases[i].flow->name, plan->endpoints[turned].name);
        }
    }
    for (size_t i = 0; note && i < plan->phase_count; i++) {
        note_closed(plan, i, note);
    }
    if (note && plan->effect) {
        e8_buf_puts(note, "effects are counted while the other shards send as well\n");
    }
    return E8_OK;
}

/* ---- the fingerprint ---- */

static uint64_t mix_text(uint64_t key, const char *text)
{
    return e8_mix(key, e8_hash_str(e8_str(text)));
}

static uint64_t mix_list(uint64_t key, const char *const *list)
{
    for (; list && *list; list++) {
        key = mix_text(key, *list);
    }
    return e8_mix(key, 0);
}

static uint64_t mix_endpoint(uint64_t key, const struct e8_endpoint *endpoint)
{
    key = mix_text(key, endpoint->name);
    key = mix_list(key, endpoint->subscription.patterns);
    key = mix_list(key, endpoint->subscription.environments);
    key = e8_mix(key, (uint64_t)endpoint->timeout);
    return e8_mix(key, endpoint->retry.attempts);
}

static uint64_t mix_emit(uint64_t key, const struct e8_plan *plan, const struct e8_emit *emit)
{
    key = mix_text(key, plan->types[emit->type]);
    key = mix_text(key, emit->environment);
    key = mix_text(key, emit->json);
    return e8_mix(key, e8_hash_str(emit->raw));
}

static uint64_t mix_steps(uint64_t key, struct e8_steps steps);

static uint64_t mix_branches(uint64_t key, const struct e8_step *step)
{
    for (size_t i = 0; i < step->branches.count; i++) {
        key = e8_mix(key, (uint64_t)(step->branches.list[i].upto * (double)((uint64_t)1 << 53)));
        key = mix_steps(key, step->branches.list[i].steps);
    }
    return key;
}

/* What is drawn is drawn from these. */
static uint64_t mix_steps(uint64_t key, struct e8_steps steps)
{
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        key = e8_mix(key, (uint64_t)step->kind);
        if (step->kind == E8_STEP_WAIT) {
            key = e8_mix(e8_mix(key, (uint64_t)step->wait.low), (uint64_t)step->wait.high);
        } else if (step->kind == E8_STEP_REPEAT) {
            key = e8_mix(e8_mix(key, step->repeat.low), step->repeat.high);
            key = mix_steps(key, step->repeat.body);
        } else if (step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL) {
            key = mix_branches(key, step);
        }
    }
    return e8_mix(key, steps.count);
}

/* Deliveries that leave in an unusual manner tell of the faults. */
static uint64_t mix_event(uint64_t key, const struct e8_plan *plan, const struct e8_walk *walk,
                          const struct e8_emit *emit, uint64_t instance)
{
    key = e8_mix(e8_mix(e8_mix(key, emit->index), walk->sequence), (uint64_t)walk->offset);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (e8_emit_goes_to(plan, emit, i)) {
            struct e8_deliver how =
                e8_deliver_of(plan, walk->flow, emit, instance, walk->sequence, (uint16_t)i);
            key = e8_mix(e8_mix(key, how.copies), (uint64_t)how.late);
            key = e8_mix(key, (uint64_t)how.drop << 1 | how.reorder);
        }
    }
    return key;
}

static uint64_t mix_instance(uint64_t key, const struct e8_plan *plan, const struct e8_phase *phase,
                             uint64_t k)
{
    struct e8_walk walk = e8_walk_begin(phase->flow, plan->seed, phase->first + k);
    const struct e8_emit *emit;
    for (size_t n = 0; n < EVENTS_SEEN && (emit = e8_walk_next(&walk)) != NULL; n++) {
        key = mix_event(key, plan, &walk, emit, phase->first + k);
    }
    return e8_mix(key, (uint64_t)walk.offset);
}

static uint64_t mix_phase(uint64_t key, const struct e8_plan *plan, const struct e8_phase *phase)
{
    struct e8_pace_walk walk = phase->open ? e8_pace_begin(&phase->pace) : (struct e8_pace_walk){.k = 0};
    e8_dur_ns due = 0;
    key = e8_mix(e8_mix(key, phase->flow->key), (uint64_t)phase->at);
    key = e8_mix(e8_mix(key, (uint64_t)e8_phase_length(phase)), phase->warmup);
    key = e8_mix(key, phase->open ? 0 : phase->times);
    key = e8_mix(key, phase->open ? phase->pace.limit : phase->concurrency);
    for (uint64_t k = 0; k < ARRIVALS_SEEN; k++) {
        if (phase->open ? !e8_pace_next(&walk, &due) : k >= phase->times) {
            break;
        }
        key = e8_mix(key, (uint64_t)due);
        key = k < INSTANCES_SEEN ? mix_instance(key, plan, phase, k) : key;
    }
    return key;
}

uint64_t e8_plan_fingerprint(const struct e8_plan *plan)
{
    uint64_t key = mix_text(plan->seed, plan->digest);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        key = mix_endpoint(key, &plan->endpoints[i]);
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        key = mix_emit(key, plan, &plan->emits[i]);
    }
    for (size_t i = 0; i < plan->flow_count; i++) {
        key = mix_steps(e8_mix(key, plan->flows[i].key), plan->flows[i].steps);
    }
    for (size_t i = 0; i < plan->phase_count; i++) {
        key = mix_phase(key, plan, &plan->phases[i]);
    }
    return key;
}
