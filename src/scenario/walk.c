#include <string.h>

#include "scenario/scenario.h"

#define WALK_STREAM 0x77616c6bu
#define AGE_STREAM  0x61676500u

static uint64_t instance_key(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    return e8_mix(e8_mix(seed, flow->key), instance);
}

struct e8_walk e8_walk_begin(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    struct e8_walk walk = {.flow = flow};
    walk.rng = e8_rng_new(e8_mix(instance_key(flow, seed, instance), WALK_STREAM));
    walk.frames[0].steps = flow->steps;
    walk.frames[0].left = 1;
    if (flow->rotate) {
        walk.frames[0].steps.list += instance % flow->steps.count;
        walk.frames[0].steps.count = 1;
    }
    return walk;
}

static void enter(struct e8_walk *walk, struct e8_steps steps, uint32_t times)
{
    if (times > 0 && steps.count > 0) {
        E8_ASSERT(walk->depth < E8_DEPTH_MAX);
        walk->depth++;
        walk->frames[walk->depth].steps = steps;
        walk->frames[walk->depth].index = 0;
        walk->frames[walk->depth].left = times;
    }
}

static void enter_branch(struct e8_walk *walk, const struct e8_step *step)
{
    double x = e8_rng_unit(&walk->rng);
    size_t i = 0;
    while (i + 1 < step->branches.count && x >= step->branches.list[i].upto) {
        i++;
    }
    enter(walk, step->branches.list[i].steps, 1);
}

/* The next step in the innermost frame that has one; NULL at the end of the flow. */
static const struct e8_step *take_step(struct e8_walk *walk)
{
    for (;;) {
        size_t depth = (size_t)walk->depth;
        if (walk->frames[depth].index < walk->frames[depth].steps.count) {
            return &walk->frames[depth].steps.list[walk->frames[depth].index++];
        }
        if (--walk->frames[depth].left > 0) {
            walk->frames[depth].index = 0;
        } else if (depth == 0) {
            walk->frames[0].left = 1;
            walk->frames[0].index = walk->frames[0].steps.count;
            return NULL;
        } else {
            walk->depth--;
        }
    }
}

/* No story lasts 70 years. */
static void wait_for(struct e8_walk *walk, e8_dur_ns wait)
{
    const e8_dur_ns most = E8_NEVER / 4;
    walk->offset = walk->offset < most - wait ? walk->offset + wait : most;
}

const struct e8_emit *e8_walk_next(struct e8_walk *walk)
{
    const struct e8_step *step;
    while ((step = take_step(walk)) != NULL) {
        walk->steps++;
        switch (step->kind) {
        case E8_STEP_EMIT:
            walk->sequence++;
            return step->emit;
        case E8_STEP_WAIT:
            wait_for(walk, e8_rng_range(&walk->rng, step->wait.low, step->wait.high));
            break;
        case E8_STEP_REPEAT:
            enter(walk, step->repeat.body, (uint32_t)e8_rng_range(&walk->rng, step->repeat.low, step->repeat.high));
            break;
        case E8_STEP_CHOOSE:
            enter_branch(walk, step);
            break;
        default:
            break;
        }
    }
    return NULL;
}

e8_dur_ns e8_flow_age(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    if (!flow->aged) {
        return 0;
    }
    struct e8_rng rng = e8_rng_new(e8_mix(instance_key(flow, seed, instance), AGE_STREAM));
    return e8_rng_range(&rng, 120, 1800) * E8_NS_S;
}

enum e8_move e8_walk_move(struct e8_walk *walk, const struct e8_step **step)
{
    *step = NULL;
    return e8_walk_next(walk) ? E8_MOVE_EMIT : E8_MOVE_END;
}
