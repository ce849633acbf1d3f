#include <stdio.h>

#include "scenario/parse.h"

/* How many steps a walk can take; a double, so that it cannot overflow. */
static double most_steps(struct e8_steps steps)
{
    double sum = 0;
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        double most = step->kind == E8_STEP_REPEAT ? step->repeat.high * most_steps(step->repeat.body) : 0;
        bool forks = step->kind == E8_STEP_PARALLEL;
        for (size_t j = 0; (forks || step->kind == E8_STEP_CHOOSE) && j < step->branches.count; j++) {
            double branch = most_steps(step->branches.list[j].steps);
            most = forks ? most + branch : branch > most ? branch : most;
        }
        sum += 1 + most;
    }
    return sum;
}

static struct e8_flow *add_flow(struct e8_parser *p, const struct e8_node *map, struct e8_str name)
{
    struct e8_plan *plan = &p->owned->plan;
    uint64_t key = e8_hash_str(name);
    for (size_t i = 0; i < plan->flow_count; i++) {
        if (plan->flows[i].key == key && e8_str_is(name, plan->flows[i].name)) {
            e8_parse_fail_key(p, map, "call it otherwise", "there is another flow \"%.*s\"", E8_STR(name));
        }
    }
    struct e8_flow *flow = &plan->flows[plan->flow_count++];
    flow->name = e8_arena_str(p->owned->arena, name).p;
    flow->key = key;
    return flow;
}

static void parse_settings(struct e8_parser *p, const struct e8_node *map, struct e8_flow *flow,
                           enum e8_on_failure *on_failure, struct e8_context *context)
{
    const struct e8_node *await = e8_value_of(p, map, "await"), *faults = e8_value_of(p, map, "faults");
    const struct e8_node *check = e8_value_of(p, map, "check");
    const struct e8_node *description = e8_value_of(p, map, "description");
    if (description) {
        e8_parse_text(p, description);
    }
    if (await && e8_parse_await(p, await, on_failure)) {
        context->await = on_failure;
    }
    if (faults) {
        struct e8_faults *own = e8_arena_alloc(p->owned->arena, sizeof *own);
        e8_parse_faults(p, faults, own);
        flow->faults = own;
    }
    if (check) {
        flow->probe = e8_parse_probe(p, check);
    }
}

static void parse_flow(struct e8_parser *p, const struct e8_node *map, struct e8_str name)
{
    static const char *const keys[] = {"steps", "description", "await", "faults", "check", "each", NULL};
    const struct e8_node *steps = e8_node_get(map, "steps");
    struct e8_flow *flow = add_flow(p, map, name);
    struct e8_context context = {0};
    enum e8_on_failure on_failure;
    if (map->kind == E8_SEQ) {
        flow->steps = e8_parse_steps(p, map, &context);
    } else if (map->kind != E8_MAP || !steps) {
        e8_parse_fail(p, map, "NAME: {steps: [{emit: message.received}]}", "flow \"%.*s\" has no steps",
                      E8_STR(map->key));
    } else {
        e8_node_only(map, keys, p->errs);
        parse_settings(p, map, flow, &on_failure, &context);
        flow->steps = e8_parse_steps(p, steps, &context);
    }
    if (most_steps(flow->steps) > E8_STEPS_MAX) {
        e8_parse_fail_key(p, map, "repeat less, and start the flow more often",
                          "flow \"%.*s\" may take more than %d steps", E8_STR(map->key), E8_STEPS_MAX);
    }
}

/* One flow for every type of the catalogue. */
static void parse_each(struct e8_parser *p, const struct e8_node *map, const struct e8_node *each)
{
    size_t count = e8_catalog_count(p->catalog);
    struct e8_flow_group *group = &p->groups[p->group_count++];
    *group = (struct e8_flow_group){map->key, p->owned->plan.flow_count, count};
    for (size_t i = 0; i < count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%02zu", i + 1);
        struct e8_node type = {.kind = E8_STRING, .text = e8_str(e8_catalog_type(p->catalog, i)->name)};
        struct e8_node nn = {.kind = E8_STRING, .text = e8_str(number)};
        type.doc = nn.doc = each->doc;
        type.line = nn.line = each->line;
        type.col = nn.col = each->col;
        struct e8_scope outer = {E8_LIT("type"), &type, p->scope}, scope = {E8_LIT("nn"), &nn, &outer};
        const char *name = e8_arena_printf(p->owned->arena, "%.*s-%s", E8_STR(map->key), number);
        p->scope = &scope;
        parse_flow(p, map, e8_str(name));
        p->scope = outer.outer;
    }
}

static const struct e8_node *each_of(struct e8_parser *p, const struct e8_node *map)
{
    const struct e8_node *each = e8_value_of(p, map, "each");
    if (each && !e8_str_is(each->text, "types")) {
        e8_parse_fail(p, each, "each: types", "\"%.*s\" is nothing that a flow can be written out for",
                      E8_STR(each->text));
        return NULL;
    }
    return each;
}

/* How many flows a file's map makes at most; 0: none, which is told. */
static size_t count_flows(struct e8_parser *p, const struct e8_node *map)
{
    size_t count = 0;
    if (map->kind != E8_MAP || map->count == 0) {
        e8_parse_fail(p, map, "flows: {NAME: {steps: [{emit: message.received}]}}",
                      "the scenario has no flow");
        return 0;
    }
    for (const struct e8_node *node = map->first; node; node = node->next) {
        const struct e8_node *each = e8_node_get(e8_value_top(p, node), "each");
        count += each ? e8_catalog_count(p->catalog) : 1;
        p->group_count += each != NULL;
    }
    return count;
}

static void parse_map(struct e8_parser *p, const struct e8_node *map)
{
    for (const struct e8_node *node = map->first; node; node = node->next) {
        const struct e8_node *flow = e8_value_top(p, node), *each = each_of(p, flow);
        if (each) {
            parse_each(p, flow, each);
        } else {
            parse_flow(p, flow, flow->key);
        }
    }
}

void e8_parse_flows(struct e8_parser *p, const struct e8_node *root)
{
    struct e8_plan *plan = &p->owned->plan;
    const struct e8_node *map, *first = NULL;
    size_t count = 0, state = 0;
    while ((map = e8_sources_each(p, "flows", &state)) != NULL) {
        first = first ? first : map;
        count += count_flows(p, map);
    }
    if (!first) {
        e8_parse_fail(p, root, "flows: {NAME: {steps: [{emit: message.received}]}}",
                      "the scenario has no flow");
    }
    if (count > E8_FLOWS_MAX) {
        e8_parse_fail(p, first, "repeat, or use foreach", "more than %d flows", E8_FLOWS_MAX);
        return;
    }
    plan->flows = e8_arena_alloc(p->owned->arena, (count + 1) * sizeof *plan->flows);
    p->groups = e8_new(p->group_count + 1, sizeof *p->groups);
    p->group_count = 0;
    for (state = 0; (map = e8_sources_each(p, "flows", &state)) != NULL;) {
        if (map->kind == E8_MAP) {
            parse_map(p, map);
        }
    }
    e8_written_finish(p);
}
