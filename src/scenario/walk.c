#include <string.h>

#include "scenario/scenario.h"

#define WALK_STREAM 0x77616c6bu
#define AGE_STREAM  0x61676500u
#define FORK_STREAM 0x666f726bu

static uint64_t instance_key(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    return e8_mix(e8_mix(seed, flow->key), instance);
}

/* Frames are cleared when they are entered. */
void e8_walk_init(struct e8_walk *walk, const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    walk->flow = flow;
    walk->rng = e8_rng_new(e8_mix(instance_key(flow, seed, instance), WALK_STREAM));
    walk->offset = 0;
    walk->sequence = 0;
    walk->steps = 0;
    walk->depth = 0;
    walk->frames[0].steps = flow->steps;
    walk->frames[0].index = 0;
    walk->frames[0].left = 1;
    walk->frames[0].fork = NULL;
    if (flow->rotate) {
        walk->frames[0].steps.list += instance % flow->steps.count;
        walk->frames[0].steps.count = 1;
    }
}

struct e8_walk e8_walk_begin(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    struct e8_walk walk = {.flow = flow};
    e8_walk_init(&walk, flow, seed, instance);
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
        walk->frames[walk->depth].fork = NULL;
    }
}

static void enter_chosen(struct e8_walk *walk, const struct e8_step *step)
{
    double x = e8_rng_unit(&walk->rng);
    size_t i = 0;
    while (i + 1 < step->branches.count && x >= step->branches.list[i].upto) {
        i++;
    }
    enter(walk, step->branches.list[i].steps, 1);
}

/* A branch draws from a stream of its own, so that it does not matter when it runs. */
static struct e8_rng branch_rng(const struct e8_rng *at_fork, size_t index)
{
    uint64_t key = e8_mix(e8_mix(at_fork->key, at_fork->n), FORK_STREAM);
    return e8_rng_new(e8_mix(key, index));
}

/* The next fork, even where nothing was drawn in between, must not have the same streams. */
static void leave_fork(struct e8_walk *walk, const struct e8_rng *at_fork)
{
    walk->rng = *at_fork;
    e8_rng_next(&walk->rng);
}

static void enter_fork(struct e8_walk *walk, const struct e8_step *step)
{
    enter(walk, step->branches.list[0].steps, 1);
    size_t depth = (size_t)walk->depth;
    walk->frames[depth].fork = step;
    walk->frames[depth].branch = 0;
    walk->frames[depth].rng = walk->rng;
    walk->frames[depth].forked = walk->frames[depth].furthest = walk->offset;
    walk->rng = branch_rng(&walk->frames[depth].rng, 0);
}

/* A branch has ended: on to the next one, from the same moment; false behind the last. */
static bool next_branch(struct e8_walk *walk)
{
    size_t depth = (size_t)walk->depth;
    const struct e8_step *fork = walk->frames[depth].fork;
    if (walk->offset > walk->frames[depth].furthest) {
        walk->frames[depth].furthest = walk->offset;
    }
    if (++walk->frames[depth].branch == fork->branches.count) {
        walk->offset = walk->frames[depth].furthest;
        leave_fork(walk, &walk->frames[depth].rng);
        walk->frames[depth].fork = NULL;
        return false;
    }
    walk->offset = walk->frames[depth].forked;
    walk->rng = branch_rng(&walk->frames[depth].rng, walk->frames[depth].branch);
    walk->frames[depth].steps = fork->branches.list[walk->frames[depth].branch].steps;
    walk->frames[depth].index = 0;
    return true;
}

/* The next step in the innermost frame that has one; NULL at the end of the flow. */
static const struct e8_step *take_step(struct e8_walk *walk)
{
    for (;;) {
        size_t depth = (size_t)walk->depth;
        if (walk->frames[depth].index < walk->frames[depth].steps.count) {
            return &walk->frames[depth].steps.list[walk->frames[depth].index++];
        }
        if (walk->frames[depth].fork && next_branch(walk)) {
            continue;
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
static void wait_for(struct e8_walk *walk, const struct e8_step *step)
{
    const e8_dur_ns most = E8_NEVER / 4;
    e8_dur_ns wait = step->wait.spread ? e8_spread_draw(step->wait.spread, &walk->rng)
                                       : e8_rng_range(&walk->rng, step->wait.low, step->wait.high);
    walk->offset = walk->offset < most - wait ? walk->offset + wait : most;
}

static const struct e8_step *take_move(struct e8_walk *walk, enum e8_move *move)
{
    static const enum e8_move moves[] = {
        [E8_STEP_EMIT] = E8_MOVE_EMIT,   [E8_STEP_PARALLEL] = E8_MOVE_FORK,
        [E8_STEP_AWAIT] = E8_MOVE_AWAIT, [E8_STEP_SECRET] = E8_MOVE_SECRET,
        [E8_STEP_EXEC] = E8_MOVE_EXEC,   [E8_STEP_MEASURE] = E8_MOVE_MEASURE,
    };
    const struct e8_step *step;
    while ((step = take_step(walk)) != NULL) {
        walk->steps++;
        switch (step->kind) {
        case E8_STEP_WAIT:
            wait_for(walk, step);
            break;
        case E8_STEP_AT:
            walk->offset = step->at > walk->offset ? step->at : walk->offset;
            break;
        case E8_STEP_REPEAT:
            enter(walk, step->repeat.body,
                  (uint32_t)e8_rng_range(&walk->rng, step->repeat.low, step->repeat.high));
            break;
        case E8_STEP_CHOOSE:
            enter_chosen(walk, step);
            break;
        default:
            walk->sequence += step->kind == E8_STEP_EMIT && step->emit->again == E8_AGAIN_NO;
            *move = moves[step->kind];
            return step;
        }
    }
    *move = E8_MOVE_END;
    return NULL;
}

const struct e8_emit *e8_walk_next(struct e8_walk *walk)
{
    const struct e8_step *step;
    enum e8_move move;
    while ((step = take_move(walk, &move)) != NULL) {
        if (move == E8_MOVE_EMIT) {
            return step->emit;
        }
        if (move == E8_MOVE_FORK) {
            enter_fork(walk, step);
        }
    }
    return NULL;
}

enum e8_move e8_walk_move(struct e8_walk *walk, const struct e8_step **step)
{
    enum e8_move move;
    *step = take_move(walk, &move);
    return move;
}

static struct e8_walk begin_branch(const struct e8_walk *walk, const struct e8_step *fork, size_t index)
{
    struct e8_walk branch = {.flow = walk->flow, .offset = walk->offset, .sequence = walk->sequence};
    branch.rng = branch_rng(&walk->rng, index);
    branch.frames[0].steps = fork->branches.list[index].steps;
    branch.frames[0].left = 1;
    return branch;
}

/* Counts what the branches before `upto` emit; a walk is pure, so that this is what they will emit. */
static uint32_t count_branches(const struct e8_walk *walk, const struct e8_step *fork, size_t upto,
                               uint16_t *counts)
{
    uint32_t events = 0;
    for (size_t i = 0; i < upto; i++) {
        struct e8_walk branch = begin_branch(walk, fork, i);
        const struct e8_emit *emit;
        while ((emit = e8_walk_next(&branch)) != NULL) {
            if (counts && emit->again == E8_AGAIN_NO) {
                counts[emit->type]++;
            }
        }
        events += branch.sequence - walk->sequence;
    }
    return events;
}

struct e8_walk e8_walk_branch(const struct e8_walk *walk, const struct e8_step *fork, size_t index,
                              uint16_t *counts)
{
    E8_ASSERT(fork->kind == E8_STEP_PARALLEL && index < fork->branches.count);
    struct e8_walk branch = begin_branch(walk, fork, index);
    branch.sequence += count_branches(walk, fork, index, counts);
    return branch;
}

void e8_walk_join(struct e8_walk *walk, const struct e8_step *fork, e8_dur_ns furthest, uint16_t *counts)
{
    walk->sequence += count_branches(walk, fork, fork->branches.count, counts);
    walk->offset = furthest > walk->offset ? furthest : walk->offset;
    struct e8_rng at_fork = walk->rng;
    leave_fork(walk, &at_fork);
}

e8_dur_ns e8_flow_age(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    if (!flow->aged) {
        return 0;
    }
    struct e8_rng rng = e8_rng_new(e8_mix(instance_key(flow, seed, instance), AGE_STREAM));
    return e8_rng_range(&rng, 120, 1800) * E8_NS_S;
}
