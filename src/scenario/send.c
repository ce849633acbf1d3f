#include <string.h>

#include "scenario/build.h"

static void copy_endpoint(struct e8_plan_owned *owned, const struct e8_endpoint *from, struct e8_endpoint *to)
{
    *to = *from;
    to->name = e8_arena_str(owned->arena, e8_str(from->name)).p;
    to->url = e8_arena_str(owned->arena, e8_str(from->url)).p;
    const char **secrets = e8_arena_alloc(owned->arena, (from->secret_count + 1) * sizeof *secrets);
    for (size_t i = 0; i < from->secret_count; i++) {
        secrets[i] = e8_plan_secret(owned, from->secrets[i]);
    }
    to->secrets = secrets;
    struct e8_header *headers = e8_arena_alloc(owned->arena, (from->header_count + 1) * sizeof *headers);
    for (size_t i = 0; i < from->header_count; i++) {
        headers[i].name = e8_arena_str(owned->arena, from->headers[i].name);
        headers[i].value = e8_arena_str(owned->arena, from->headers[i].value);
    }
    to->headers = headers;
}

void e8_plan_endpoints(struct e8_plan_owned *owned, const struct e8_endpoint *from, size_t count)
{
    struct e8_plan *plan = &owned->plan;
    plan->endpoints = e8_arena_alloc(owned->arena, (count + 1) * sizeof *plan->endpoints);
    plan->endpoint_count = count;
    for (size_t i = 0; i < count; i++) {
        copy_endpoint(owned, &from[i], &plan->endpoints[i]);
    }
}

static void fail_pattern(const struct e8_catalog *catalog, const char *pattern, struct e8_errs *errs)
{
    struct e8_err err = {0};
    char hint[E8_HINT_MAX];
    e8_hint_near(e8_str(pattern), e8_catalog_names(catalog), "emit8 events lists them", hint);
    e8_fail(&err, E8_INPUT, hint, "no event type matches \"%s\"", pattern);
    e8_errs_add(errs, &err);
}

size_t e8_plan_match(const struct e8_catalog *catalog, const char *const *patterns, bool *chosen,
                     struct e8_errs *errs)
{
    size_t total = 0;
    for (size_t p = 0; patterns[p]; p++) {
        bool any = false;
        for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
            if (e8_pattern_matches(e8_str(patterns[p]), e8_str(e8_catalog_type(catalog, i)->name))) {
                total += !chosen[i];
                chosen[i] = any = true;
            }
        }
        if (!any) {
            fail_pattern(catalog, patterns[p], errs);
        }
    }
    return total;
}

const char *e8_plan_environment(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                                const char *given)
{
    const char *name = given ? given : e8_catalog_platform(catalog)->environments[0];
    return e8_arena_str(owned->arena, e8_str(name)).p;
}

struct e8_emit *e8_plan_emit(struct e8_plan_owned *owned, size_t type, const char *environment)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_emit *emit = &plan->emits[plan->emit_count];
    emit->index = (uint32_t)plan->emit_count++;
    emit->endpoint = -1;
    emit->type = (uint16_t)type;
    emit->event = (uint16_t)type;
    emit->environment = environment;
    return emit;
}

static void add_emit(struct e8_plan_owned *owned, const struct e8_catalog *catalog, size_t type,
                     const struct e8_send_options *options, struct e8_step *step, struct e8_errs *errs)
{
    struct e8_emit *emit =
        e8_plan_emit(owned, type, e8_plan_environment(owned, catalog, options->environment));
    if (options->raw.p) {
        emit->raw = e8_arena_str(owned->arena, options->raw);
    } else {
        emit->body = e8_plan_template(owned, catalog, type, options->edits, options->edit_count, errs);
        emit->json = e8_edits_json(owned->arena, options->edits, options->edit_count);
    }
    step->kind = E8_STEP_EMIT;
    step->emit = emit;
}

static void make_flow(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                      const struct e8_send_options *options, const bool *chosen, size_t total,
                      struct e8_errs *errs)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_step *steps = e8_arena_alloc(owned->arena, total * sizeof *steps);
    plan->emits = e8_arena_alloc(owned->arena, total * sizeof *plan->emits);
    for (size_t i = 0, n = 0; i < e8_catalog_count(catalog); i++) {
        if (chosen[i]) {
            add_emit(owned, catalog, i, options, &steps[n++], errs);
        }
    }
    struct e8_flow *flow = e8_arena_alloc(owned->arena, sizeof *flow);
    *flow = (struct e8_flow){.name = "send",
                             .key = e8_hash_str(E8_LIT("send")),
                             .steps = {steps, total},
                             .rotate = true,
                             .aged = true};
    plan->flows = flow;
    plan->flow_count = 1;
}

static void make_phase(struct e8_plan_owned *owned, const struct e8_send_options *options, size_t total)
{
    struct e8_phase *phase = e8_arena_alloc(owned->arena, sizeof *phase);
    uint64_t times = options->times ? options->times : total;
    phase->flow = &owned->plan.flows[0];
    phase->open = options->open;
    phase->times = times;
    phase->concurrency = options->concurrency ? options->concurrency : 1;
    phase->at = -1;
    phase->pace = (struct e8_pace){.kind = E8_PACE_CONSTANT,
                                   .from = options->rate,
                                   .to = options->rate,
                                   .length = E8_NEVER / 4,
                                   .limit = times};
    owned->plan.phases = phase;
    owned->plan.phase_count = 1;
}

enum e8_rc e8_plan_send(const struct e8_catalog *catalog, const struct e8_send_options *options,
                        struct e8_plan **out, struct e8_errs *errs)
{
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    bool chosen[E8_TYPES_MAX] = {false};
    size_t before = errs->total;
    struct e8_err err = {0};
    owned->plan.name = "send";
    owned->plan.seed = options->seed;
    *out = &owned->plan;
    if (e8_plan_url(options->endpoint.url, &err)) {
        e8_errs_add(errs, &err);
    }
    size_t total = e8_plan_match(catalog, options->patterns, chosen, errs);
    if (!options->patterns[0]) {
        e8_fail(&err, E8_INPUT, "message.received, conversation.*, *", "no event type is named");
        e8_errs_add(errs, &err);
    }
    if (e8_plan_headers(catalog, &options->endpoint, &err)) {
        e8_errs_add(errs, &err);
    }
    if (options->raw.p && total > 1) {
        e8_fail(&err, E8_INPUT, "name one type: emit8 send message.received --raw FILE",
                "--raw sends one event type");
        e8_errs_add(errs, &err);
    }
    if (errs->total == before) {
        e8_plan_endpoints(owned, &options->endpoint, 1);
        make_flow(owned, catalog, options, chosen, total, errs);
        make_phase(owned, options, total);
        const char *edits = owned->plan.emits[0].json;
        e8_plan_digest(e8_str(edits ? edits : ""), owned->plan.digest);
    }
    if (errs->total != before) {
        e8_plan_free(out);
        return E8_INPUT;
    }
    return E8_OK;
}
