/* Phases of a plan as it is made: the warm-up before them, and the numbers of their instances. */
#include <math.h>
#include <stdlib.h>

#include "scenario/build.h"

/* As many as the phase has on average, evenly or at random as there, or as many at a time. Its numbers are its own, so that what is
 * counted is the same with it and without. */
static struct e8_phase warmup_of(const struct e8_phase *phase, e8_dur_ns length)
{
    struct e8_phase warmup = *phase;
    double mean = phase->open ? e8_pace_mean(&phase->pace) : 0;
    struct e8_rate rate = {mean > 1 ? (uint64_t)(mean + 0.5) : 1, (uint64_t)phase->pace.length};
    warmup.warmup = true;
    warmup.within = phase->open ? 0 : length;
    warmup.times = E8_TIMES_MAX;
    if (phase->open) {
        warmup.pace = (struct e8_pace){.kind = E8_PACE_CONSTANT,
                                       .poisson = phase->pace.poisson,
                                       .from = rate,
                                       .to = rate,
                                       .length = length};
    }
    return warmup;
}

void e8_plan_phase(struct e8_plan *plan, const struct e8_phase *phase, e8_dur_ns warmup)
{
    uint64_t counted = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        counted += !plan->phases[i].warmup;
    }
    struct e8_phase made = *phase;
    made.pace.seed = e8_mix(plan->seed, counted);
    if (warmup > 0) {
        struct e8_phase *first = &plan->phases[plan->phase_count++];
        *first = warmup_of(phase, warmup);
        first->pace.seed = e8_mix(made.pace.seed, 1);
        made.at = phase->at >= 0 ? phase->at + warmup : -1;
    }
    plan->phases[plan->phase_count++] = made;
}

/* How many numbers its instances need. What is Poisson is not walked, which could take minutes: it gets twelve deviations more
 * than its mean, and no more arrivals than that. */
static uint64_t numbers_of(struct e8_phase *phase)
{
    struct e8_pace *pace = &phase->pace;
    if (phase->open && pace->poisson) {
        double mean = e8_pace_mean(pace);
        uint64_t most = (uint64_t)(mean + 12 * sqrt(mean)) + 100;
        pace->limit = pace->limit && pace->limit < most ? pace->limit : most;
        return pace->limit;
    }
    return phase->open ? e8_pace_count(pace) : phase->times;
}

static void number_those(struct e8_plan *plan, bool warmup, uint64_t *next)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        struct e8_phase *phase = &plan->phases[i];
        if (phase->warmup == warmup) {
            phase->first = next[phase->flow - plan->flows];
            next[phase->flow - plan->flows] += numbers_of(phase);
        }
    }
}

void e8_plan_number(struct e8_plan *plan)
{
    uint64_t *next = e8_new(plan->flow_count + 1, sizeof *next);
    number_those(plan, false, next);
    number_those(plan, true, next);
    free(next);
}
