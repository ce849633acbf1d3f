/* Any bytes as a scenario: what parses can be checked, sized, walked and previewed; what does not says where, inside the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WALK_MAX  2000 /* events of an instance */
#define STEPS_MAX 200000

static const struct e8_catalog *catalog(void)
{
    static struct e8_catalog *loaded;
    struct e8_errs errs;
    if (!loaded) {
        e8_errs_init(&errs);
        E8_ASSERT(e8_catalog_load(NULL, &loaded, &errs) == E8_OK);
        e8_errs_fini(&errs);
    }
    return loaded;
}

static const char *variable(const char *name)
{
    return strcmp(name, "SECRET") == 0 ? "a secret of the environment" : strcmp(name, "N") == 0 ? "3" : NULL;
}

static int lines_of(struct e8_str text)
{
    int lines = 1;
    for (size_t i = 0; i < text.n; i++) {
        lines += text.p[i] == '\n' || text.p[i] == '\r';
    }
    return lines;
}

static void check_errs(const struct e8_errs *errs, struct e8_str text)
{
    E8_ASSERT(errs->total > 0 && errs->count > 0);
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        E8_ASSERT(err->rc != E8_OK && err->what[0]);
        E8_ASSERT(strcmp(err->file, "fuzz.yaml") == 0);
        E8_ASSERT(err->line >= 0 && err->col >= 0 && err->line <= lines_of(text) + 1);
    }
}

static void walk_instance(const struct e8_flow *flow, uint64_t seed, uint64_t number)
{
    struct e8_walk walk = e8_walk_begin(flow, seed, number), again = walk;
    const struct e8_emit *emit;
    e8_dur_ns before = 0;
    while ((emit = e8_walk_next(&walk)) != NULL && walk.sequence < WALK_MAX && walk.steps < STEPS_MAX) {
        E8_ASSERT(walk.offset >= before && walk.depth <= E8_DEPTH_MAX);
        E8_ASSERT(e8_walk_next(&again) == emit && again.offset == walk.offset);
        before = walk.offset;
    }
    if (!emit) {
        E8_ASSERT(e8_walk_next(&walk) == NULL);
    }
    E8_ASSERT(e8_flow_age(flow, seed, number) >= 0);
}

static bool count_preview(void *state, const struct e8_preview *preview)
{
    unsigned *left = state;
    E8_ASSERT(preview->body.n > 0 && preview->parts->count > 0);
    return --*left > 0;
}

/* A walk that emits nothing for a long time is allowed, but is not looked at here. */
static bool is_short(const struct e8_plan *plan)
{
    uint64_t events, deliveries;
    struct e8_plan first = *plan;
    struct e8_phase phases[4];
    first.phase_count = plan->phase_count < 4 ? plan->phase_count : 4;
    memcpy(phases, plan->phases, first.phase_count * sizeof phases[0]);
    for (size_t i = 0; i < first.phase_count; i++) {
        phases[i].open = false;
        phases[i].times = 2;
    }
    first.phases = phases;
    e8_plan_size(&first, catalog(), WALK_MAX, &events, &deliveries);
    return events > 0;
}

static void try_plan(const struct e8_plan *plan)
{
    struct e8_err err = {0};
    struct e8_buf note;
    e8_buf_init(&note, 1 << 20);
    enum e8_rc rc = e8_plan_check(plan, catalog(), &note, &err);
    E8_ASSERT(rc == E8_OK || err.what[0]);
    e8_buf_fini(&note);
    for (size_t i = 0; i < plan->flow_count && i < 4; i++) {
        for (uint64_t number = 0; number < 3; number++) {
            walk_instance(&plan->flows[i], plan->seed, number);
        }
    }
    for (size_t i = 0; i < plan->phase_count; i++) {
        E8_ASSERT(plan->phases[i].flow >= plan->flows &&
                  plan->phases[i].flow < plan->flows + plan->flow_count);
    }
    uint64_t events, deliveries;
    e8_plan_size(plan, catalog(), WALK_MAX, &events, &deliveries);
    E8_ASSERT(events <= WALK_MAX && deliveries <= events * plan->endpoint_count);
    if (rc == E8_OK && is_short(plan)) {
        unsigned left = 8;
        E8_ASSERT(e8_preview_plan(plan, catalog(), 1, count_preview, &left, &err) == E8_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct e8_str text = {(const char *)data, size};
    struct e8_scenario_options options = {.getenv = variable, .seed_random = 7};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    if (memmem(data, size, "file", 4)) { /* secrets are not read from the fuzzer's machine */
        return 0;
    }
    e8_errs_init(&errs);
    if (e8_plan_parse(catalog(), "fuzz.yaml", text, &options, &plan, &errs) == E8_OK) {
        E8_ASSERT(errs.total == 0 && plan);
        try_plan(plan);
    } else {
        E8_ASSERT(!plan);
        check_errs(&errs, text);
    }
    e8_plan_free(&plan);
    e8_errs_fini(&errs);
    return 0;
}
