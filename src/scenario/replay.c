#include <string.h>

#include "scenario/build.h"

/* The index of a type in the plan's list, which has room for one more. */
static uint16_t type_index(struct e8_plan_owned *owned, const char **types, const char *name)
{
    struct e8_plan *plan = &owned->plan;
    for (size_t i = 0; i < plan->type_count; i++) {
        if (strcmp(types[i], name) == 0) {
            return (uint16_t)i;
        }
    }
    types[plan->type_count] = e8_arena_str(owned->arena, e8_str(name)).p;
    return (uint16_t)plan->type_count++;
}

static const struct e8_header *copy_headers(struct e8_arena *arena, const struct e8_header *list,
                                            size_t count)
{
    struct e8_header *headers = e8_arena_alloc(arena, (count + 1) * sizeof *headers);
    for (size_t i = 0; i < count; i++) {
        headers[i].name = e8_arena_str(arena, list[i].name);
        headers[i].value = e8_arena_str(arena, list[i].value);
    }
    return headers;
}

static void add_delivery(struct e8_plan_owned *owned, const char **types, size_t known,
                         const struct e8_recorded *recorded, const char *environment, struct e8_step *steps)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_emit *emit = &plan->emits[plan->emit_count];
    emit->index = (uint32_t)plan->emit_count++;
    emit->type = type_index(owned, types, recorded->type);
    emit->event = emit->type < known ? emit->type : 0;
    emit->endpoint = 0;
    emit->raw = e8_arena_str(owned->arena, recorded->body);
    emit->environment =
        e8_arena_str(owned->arena, e8_str(recorded->environment ? recorded->environment : environment)).p;
    emit->delivery_id =
        recorded->delivery_id ? e8_arena_str(owned->arena, e8_str(recorded->delivery_id)).p : NULL;
    emit->faultless = true;
    if (recorded->headers) {
        emit->headers = copy_headers(owned->arena, recorded->headers, recorded->header_count);
        emit->header_count = recorded->header_count;
        emit->verbatim = true;
    }
    steps[0] = (struct e8_step){.kind = E8_STEP_AT, .at = recorded->at};
    steps[1] = (struct e8_step){.kind = E8_STEP_EMIT, .emit = emit};
}

/* One arrival at once, on a schedule: a recording that is late stays as it was planned. */
static void add_phase(struct e8_plan_owned *owned, struct e8_steps steps)
{
    struct e8_plan *plan = &owned->plan;
    plan->flows = e8_arena_alloc(owned->arena, sizeof *plan->flows);
    plan->flow_count = 1;
    *plan->flows = (struct e8_flow){.name = "replay", .key = e8_hash_str(E8_LIT("replay")), .steps = steps};
    plan->phases = e8_arena_alloc(owned->arena, sizeof *plan->phases);
    plan->phase_count = 1;
    *plan->phases = (struct e8_phase){
        .flow = plan->flows,
        .open = true,
        .pace = {.kind = E8_PACE_CONSTANT, .from = {1, E8_NS_S}, .to = {1, E8_NS_S}, .length = 1, .limit = 1},
        .at = -1,
    };
}

static void digest_deliveries(struct e8_plan_owned *owned, const struct e8_replay_options *options)
{
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < options->count; i++) {
        e8_buf_printf(&text, "%lld %s ", (long long)options->list[i].at, options->list[i].type);
        e8_buf_putstr(&text, options->list[i].body);
    }
    e8_plan_digest(e8_buf_str(&text), owned->plan.digest);
    e8_buf_fini(&text);
}

enum e8_rc e8_plan_replay(const struct e8_catalog *catalog, const struct e8_replay_options *options,
                          struct e8_plan **out, struct e8_errs *errs)
{
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    struct e8_plan *plan = *out = &owned->plan;
    struct e8_err err = {0};
    const char *environment = e8_catalog_platform(catalog)->environments[0];
    size_t known = plan->type_count;
    const char **types = e8_arena_alloc(owned->arena, (known + options->count + 1) * sizeof *types);
    struct e8_step *steps = e8_arena_alloc(owned->arena, (2 * options->count + 1) * sizeof *steps);
    for (size_t i = 0; i < known; i++) {
        types[i] = plan->types[i];
    }
    plan->types = types;
    plan->name = "replay";
    plan->seed = options->seed;
    plan->emits = e8_arena_alloc(owned->arena, (options->count + 1) * sizeof *plan->emits);
    e8_plan_endpoints(owned, &options->endpoint, 1);
    for (size_t i = 0; i < options->count; i++) {
        E8_ASSERT(i == 0 || options->list[i].at >= options->list[i - 1].at);
        add_delivery(owned, types, known, &options->list[i], environment, &steps[2 * i]);
    }
    add_phase(owned, (struct e8_steps){steps, 2 * options->count});
    digest_deliveries(owned, options);
    if (options->count == 0) {
        e8_fail(&err, E8_INPUT, "look at --from, --until and --type", "there is nothing to replay");
    } else if (options->count > E8_EMITS_MAX || plan->type_count > UINT16_MAX) {
        e8_fail(&err, E8_INPUT, "choose with --from, --until and --type", "more than %d deliveries",
                E8_EMITS_MAX);
    } else if (e8_plan_url(options->endpoint.url, &err) == E8_OK) {
        e8_plan_headers(catalog, &options->endpoint, &err);
    }
    if (err.rc) {
        e8_plan_free(out);
        return e8_errs_add(errs, &err);
    }
    return E8_OK;
}
