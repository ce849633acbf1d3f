#include <string.h>

#include "scenario/build.h"

static double weight_of(const struct e8_catalog *catalog, const bool *chosen)
{
    double sum = 0;
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        sum += chosen[i] ? e8_catalog_type(catalog, i)->weight : 0;
    }
    return sum;
}

/* A choice among the types by their weights; where these are all 0, each is as likely. */
static void make_choice(struct e8_plan_owned *owned, const struct e8_catalog *catalog, const bool *chosen,
                        size_t count, const char *environment, struct e8_step *choice)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_branch *branches = e8_arena_alloc(owned->arena, count * sizeof *branches);
    double all = weight_of(catalog, chosen), sum = 0;
    plan->emits = e8_arena_alloc(owned->arena, count * sizeof *plan->emits);
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        if (!chosen[i]) {
            continue;
        }
        struct e8_step *step = e8_arena_alloc(owned->arena, sizeof *step);
        struct e8_emit *emit = e8_plan_emit(owned, i, environment);
        emit->body = e8_catalog_event(catalog, i);
        *step = (struct e8_step){.kind = E8_STEP_EMIT, .emit = emit};
        sum += all > 0 ? e8_catalog_type(catalog, i)->weight / all : 1 / (double)count;
        branches[emit->index] = (struct e8_branch){sum, {step, 1}};
    }
    branches[count - 1].upto = 1;
    *choice = (struct e8_step){.kind = E8_STEP_CHOOSE, .branches = {branches, count}};
}

static void make_flow(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                      const struct e8_load_options *options, const bool *chosen, size_t count)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_step *choice = e8_arena_alloc(owned->arena, sizeof *choice);
    make_choice(owned, catalog, chosen, count, e8_plan_environment(owned, catalog, options->environment),
                choice);
    plan->flows = e8_arena_alloc(owned->arena, sizeof *plan->flows);
    plan->flow_count = 1;
    *plan->flows = (struct e8_flow){
        .name = "load", .key = e8_hash_str(E8_LIT("load")), .steps = {choice, 1}, .aged = true};
}

static void make_phases(struct e8_plan_owned *owned, const struct e8_load_options *options)
{
    struct e8_plan *plan = &owned->plan;
    struct e8_phase phase = options->phase;
    size_t size = phase.pace.piece_count * sizeof *phase.pace.pieces;
    if (size) {
        phase.pace.pieces = memcpy(e8_arena_alloc(owned->arena, size), phase.pace.pieces, size);
    }
    phase.flow = plan->flows;
    plan->phases = e8_arena_alloc(owned->arena, 2 * sizeof *plan->phases);
    e8_plan_phase(plan, &phase, options->warmup);
    e8_plan_number(plan);
}

static void put_rate(struct e8_buf *text, struct e8_rate rate)
{
    e8_buf_printf(text, "%llu/%llu ", (unsigned long long)rate.num, (unsigned long long)rate.den);
}

static void put_phase(struct e8_buf *text, const struct e8_phase *phase)
{
    const struct e8_pace *pace = &phase->pace;
    e8_buf_printf(text, "%d %d %d %d %llu %u %lld %lld %llu ", phase->warmup, phase->open, (int)pace->kind,
                  pace->poisson, (unsigned long long)phase->times, phase->concurrency,
                  (long long)phase->within, (long long)pace->length, (unsigned long long)pace->limit);
    put_rate(text, pace->from);
    put_rate(text, pace->to);
    for (size_t i = 0; i < pace->piece_count; i++) {
        put_rate(text, pace->pieces[i].from);
        put_rate(text, pace->pieces[i].to);
        e8_buf_printf(text, "%lld ", (long long)pace->pieces[i].length);
    }
    e8_buf_putc(text, '\n');
}

/* Of what is sent, and when. */
static void digest_plan(struct e8_plan *plan)
{
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    for (size_t i = 0; i < plan->emit_count; i++) {
        e8_buf_printf(&text, "%s %s\n", plan->types[plan->emits[i].type], plan->emits[i].environment);
    }
    for (size_t i = 0; i < plan->phase_count; i++) {
        put_phase(&text, &plan->phases[i]);
    }
    e8_plan_digest(e8_buf_str(&text), plan->digest);
    e8_buf_fini(&text);
}

static void check_endpoints(const struct e8_catalog *catalog, const struct e8_load_options *options,
                            struct e8_errs *errs)
{
    for (size_t i = 0; i < options->endpoint_count; i++) {
        struct e8_err err = {0};
        if (e8_plan_url(options->endpoints[i].url, &err) ||
            e8_plan_headers(catalog, &options->endpoints[i], &err)) {
            e8_errs_add(errs, &err);
        }
    }
}

enum e8_rc e8_plan_load(const struct e8_catalog *catalog, const struct e8_load_options *options,
                        struct e8_plan **out, struct e8_errs *errs)
{
    static const char *const all[] = {"*", NULL};
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    bool chosen[E8_TYPES_MAX] = {false};
    size_t before = errs->total;
    owned->plan.name = "load";
    owned->plan.seed = options->seed;
    owned->plan.seed_given = options->seed_given;
    *out = &owned->plan;
    size_t count = e8_plan_match(catalog, options->patterns[0] ? options->patterns : all, chosen, errs);
    check_endpoints(catalog, options, errs);
    if (errs->total != before) {
        e8_plan_free(out);
        return E8_INPUT;
    }
    e8_plan_endpoints(owned, options->endpoints, options->endpoint_count);
    make_flow(owned, catalog, options, chosen, count);
    make_phases(owned, options);
    digest_plan(*out);
    return E8_OK;
}
