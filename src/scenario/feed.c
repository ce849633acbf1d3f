#include <string.h>

#include "scenario/build.h"

static size_t environment_count(const struct e8_platform *platform)
{
    size_t n = 0;
    while (platform->environments[n]) {
        n++;
    }
    return n;
}

/* Those that the catalogue has not. */
static void add_types(struct e8_plan_owned *owned, const struct e8_catalog *catalog, const char *const *types)
{
    struct e8_plan *plan = &owned->plan;
    size_t known = plan->type_count, count = 0;
    while (types && types[count]) {
        count++;
    }
    const char **all = e8_arena_alloc(owned->arena, (known + count + 1) * sizeof *all);
    memcpy(all, plan->types, known * sizeof *all);
    for (size_t i = 0; i < count && plan->type_count < UINT16_MAX; i++) {
        if (e8_catalog_find(catalog, e8_str(types[i])) < 0) {
            all[plan->type_count++] = types[i];
        }
    }
    all[plan->type_count] = NULL;
    plan->types = all;
}

/* One for each type and environment; their bodies come from outside. */
static void add_emits(struct e8_plan_owned *owned, const struct e8_catalog *catalog)
{
    struct e8_plan *plan = &owned->plan;
    const struct e8_platform *platform = e8_catalog_platform(catalog);
    size_t environments = environment_count(platform);
    plan->emits = e8_arena_alloc(owned->arena, plan->type_count * environments * sizeof *plan->emits);
    for (size_t type = 0; type < plan->type_count; type++) {
        for (size_t i = 0; i < environments; i++) {
            struct e8_emit *emit = e8_plan_emit(owned, type, platform->environments[i]);
            emit->raw = E8_LIT("");
            emit->faultless = true;
        }
    }
}

/* An instance for each worker that does nothing, until the run is stopped. */
static void add_phase(struct e8_plan_owned *owned, unsigned workers)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_step *step = e8_arena_alloc(owned->arena, sizeof *step);
    step->kind = E8_STEP_WAIT;
    step->wait.low = step->wait.high = E8_NEVER / 4;
    plan->flows = e8_arena_alloc(owned->arena, sizeof *plan->flows);
    plan->flow_count = 1;
    *plan->flows = (struct e8_flow){.name = "feed", .key = e8_hash_str(E8_LIT("feed")), .steps = {step, 1}};
    plan->phases = e8_arena_alloc(owned->arena, sizeof *plan->phases);
    plan->phase_count = 1;
    *plan->phases =
        (struct e8_phase){.flow = plan->flows, .times = workers, .concurrency = workers, .at = -1};
}

enum e8_rc e8_plan_feed(const struct e8_catalog *catalog, const struct e8_endpoint *endpoints, size_t count,
                        const char *const *types, unsigned workers, struct e8_plan **out, struct e8_err *err)
{
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    enum e8_rc rc = E8_OK;
    *out = &owned->plan;
    owned->plan.name = "feed";
    e8_plan_digest(E8_LIT("feed"), owned->plan.digest);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = e8_plan_url(endpoints[i].url, err);
        rc = rc ? rc : e8_plan_headers(catalog, &endpoints[i], err);
    }
    if (rc) {
        e8_plan_free(out);
        return rc;
    }
    e8_plan_endpoints(owned, endpoints, count);
    add_types(owned, catalog, types);
    add_emits(owned, catalog);
    add_phase(owned, workers);
    return E8_OK;
}

const struct e8_emit *e8_plan_feed_emit(const struct e8_plan *plan, struct e8_str type,
                                        struct e8_str environment)
{
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        if (e8_str_eq(e8_str(plan->types[emit->type]), type) &&
            e8_str_eq(e8_str(emit->environment), environment)) {
            return emit;
        }
    }
    return NULL;
}
