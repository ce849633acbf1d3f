#include "check/internal.h"

static bool branches(const struct e8_step *step, e8_emit_fn *fn, void *state)
{
    for (size_t i = 0; i < step->branches.count; i++) {
        if (!e8_steps_emits(step->branches.list[i].steps, fn, state)) {
            return false;
        }
    }
    return true;
}

bool e8_steps_emits(struct e8_steps steps, e8_emit_fn *fn, void *state)
{
    bool more = true;
    for (size_t i = 0; more && i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        if (step->kind == E8_STEP_EMIT) {
            more = fn(state, step->emit);
        } else if (step->kind == E8_STEP_REPEAT) {
            more = e8_steps_emits(step->repeat.body, fn, state);
        } else if (step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL) {
            more = branches(step, fn, state);
        }
    }
    return more;
}

bool e8_steps_have(struct e8_steps steps, bool (*is)(const struct e8_step *step))
{
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        bool forks = step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL;
        if (is(step) || (step->kind == E8_STEP_REPEAT && e8_steps_have(step->repeat.body, is))) {
            return true;
        }
        for (size_t j = 0; forks && j < step->branches.count; j++) {
            if (e8_steps_have(step->branches.list[j].steps, is)) {
                return true;
            }
        }
    }
    return false;
}
