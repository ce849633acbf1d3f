#include "check/internal.h"

/* Waits go in front of a probe, and behind each step that waits for an answer: what a probe sends at once stays together. */
static void space(struct e8_check *check, struct e8_steps steps, bool first, struct e8_steps *out);

static struct e8_step gap(const struct e8_check *check)
{
    struct e8_step step = {.kind = E8_STEP_WAIT};
    step.wait.low = step.wait.high = check->options.gap;
    return step;
}

static void space_branches(struct e8_check *check, struct e8_step *step)
{
    struct e8_branch *list = e8_arena_alloc(check->arena, (step->branches.count + 1) * sizeof *list);
    for (size_t i = 0; i < step->branches.count; i++) {
        list[i] = step->branches.list[i];
        space(check, list[i].steps, false, &list[i].steps);
    }
    step->branches.list = list;
}

static void space(struct e8_check *check, struct e8_steps steps, bool first, struct e8_steps *out)
{
    struct e8_step *list = e8_arena_alloc(check->arena, (2 * steps.count + 2) * sizeof *list);
    size_t n = 0;
    if (first) {
        list[n++] = gap(check);
    }
    for (size_t i = 0; i < steps.count; i++) {
        struct e8_step *step = &list[n++];
        *step = steps.list[i];
        if (step->kind == E8_STEP_REPEAT) {
            space(check, step->repeat.body, false, &step->repeat.body);
        } else if (step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL) {
            space_branches(check, step);
        } else if (step->kind == E8_STEP_AWAIT) {
            list[n++] = gap(check);
        }
    }
    *out = (struct e8_steps){list, n};
}

void e8_check_space(struct e8_check *check, struct e8_flow *flow)
{
    if (check->options.gap > 0) {
        space(check, flow->steps, true, &flow->steps);
    }
}
