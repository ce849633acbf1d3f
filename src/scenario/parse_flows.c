#include <string.h>

#include "scenario/parse.h"

static struct e8_steps parse_steps(struct e8_parser *p, const struct e8_node *list, int depth);

/* How many maps below have a member `emit`: an upper bound for the plan's emits. */
static size_t count_emits(const struct e8_node *node)
{
    size_t n = node->kind == E8_MAP && e8_node_get(node, "emit") ? 1 : 0;
    for (const struct e8_node *child = node->first; child; child = child->next) {
        n += count_emits(child);
    }
    return n;
}

static size_t parse_edits(struct e8_parser *p, const struct e8_node *step, struct e8_edit **out)
{
    const struct e8_node *set = e8_node_get(step, "set"), *remove = e8_node_get(step, "remove");
    size_t n = 0;
    *out = e8_arena_alloc(p->owned->arena,
                          ((set ? set->count : 0) + (remove ? remove->count + 1 : 0) + 1) * sizeof **out);
    if (set && set->kind != E8_MAP) {
        e8_parse_fail(p, set, "set: {data.channel: web}", "set must be a map of paths and values");
    } else if (set) {
        for (const struct e8_node *node = set->first; node; node = node->next) {
            (*out)[n++] = (struct e8_edit){node->key, node, node};
        }
    }
    if (remove && remove->kind == E8_STRING) {
        (*out)[n++] = (struct e8_edit){remove->text, NULL, remove};
    } else if (remove && remove->kind == E8_SEQ) {
        for (const struct e8_node *node = remove->first; node; node = node->next) {
            if (node->kind == E8_STRING) {
                (*out)[n++] = (struct e8_edit){node->text, NULL, node};
            } else {
                e8_parse_fail(p, node, "remove: [data.subject]", "a path is a text, this is %s",
                              e8_node_kind_name(node->kind));
            }
        }
    } else if (remove) {
        e8_parse_fail(p, remove, "remove: [data.subject]", "remove must be a list of paths");
    }
    return n;
}

static void parse_emit(struct e8_parser *p, const struct e8_node *map, struct e8_step *step)
{
    static const char *const keys[] = {"emit", "set", "remove", "environment", NULL};
    struct e8_plan *plan = &p->owned->plan;
    struct e8_emit *emit = &plan->emits[plan->emit_count];
    const struct e8_node *name = e8_node_get(map, "emit"), *environment = e8_node_get(map, "environment");
    e8_node_only(map, keys, p->errs);
    step->kind = E8_STEP_EMIT;
    step->emit = emit;
    int type = name->kind == E8_STRING ? e8_catalog_find(p->catalog, name->text) : -1;
    if (type < 0) {
        char hint[E8_HINT_MAX];
        e8_hint_near(name->text, e8_catalog_names(p->catalog), "emit8 events lists them", hint);
        e8_parse_fail(p, name, hint, "unknown event type \"%.*s\"", E8_STR(name->text));
        return;
    }
    if (plan->emit_count >= UINT16_MAX) {
        if (!p->crowded) {
            e8_parse_fail(p, map, "use repeat and choose", "more than 65535 emit steps");
        }
        p->crowded = true;
        return;
    }
    struct e8_edit *edits;
    size_t count = parse_edits(p, map, &edits);
    emit->index = (uint32_t)plan->emit_count++;
    emit->endpoint = -1;
    emit->type = (uint16_t)type;
    emit->line = name->line;
    emit->environment = environment ? e8_parse_environment(p, environment) : p->environment;
    emit->body = e8_plan_template(p->owned, p->catalog, (size_t)type, edits, count, p->errs);
    emit->json = e8_edits_json(p->owned->arena, edits, count);
}

static void parse_wait(struct e8_parser *p, const struct e8_node *map, struct e8_step *step)
{
    static const char *const keys[] = {"wait", NULL};
    const struct e8_node *node = e8_node_get(map, "wait");
    struct e8_str text = node->text, low, high;
    e8_node_only(map, keys, p->errs);
    e8_parse_range(text, &low, &high);
    step->kind = E8_STEP_WAIT;
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_dur(low, &step->wait.low) ||
        !e8_parse_dur(high, &step->wait.high) || step->wait.low > step->wait.high ||
        step->wait.high > E8_SPAN_MAX) {
        e8_parse_fail(p, node, "a duration or a range: 500ms, 200ms..2s; at most a year",
                      "\"%.*s\" is no wait", E8_STR(text));
    }
}

static void parse_repeat(struct e8_parser *p, const struct e8_node *map, struct e8_step *step, int depth)
{
    static const char *const keys[] = {"repeat", "steps", NULL};
    const struct e8_node *steps = e8_node_get(map, "steps");
    e8_node_only(map, keys, p->errs);
    step->kind = E8_STEP_REPEAT;
    e8_parse_count_range(p, e8_node_get(map, "repeat"), &step->repeat.low, &step->repeat.high);
    if (!steps) {
        e8_parse_fail(p, map, "repeat: 2..4 with steps: [ … ] beside it", "repeat has no steps");
        return;
    }
    step->repeat.body = parse_steps(p, steps, depth + 1);
}

static double branch_weight(struct e8_parser *p, const struct e8_node *branch)
{
    const struct e8_node *weight = e8_node_get(branch, "weight");
    if (!weight) {
        return 1;
    }
    if ((weight->kind != E8_INT && weight->kind != E8_FLOAT) || weight->f < 0 || weight->f > 1e9) {
        e8_parse_fail(p, weight, "a number, 0 or more", "\"%.*s\" is no weight", E8_STR(weight->text));
        return 1;
    }
    return weight->f;
}

static void parse_choose(struct e8_parser *p, const struct e8_node *map, struct e8_step *step, int depth)
{
    static const char *const keys[] = {"choose", NULL}, *const branch_keys[] = {"weight", "steps", NULL};
    const struct e8_node *list = e8_node_get(map, "choose");
    size_t before = p->errs->total;
    double sum = 0;
    e8_node_only(map, keys, p->errs);
    step->kind = E8_STEP_CHOOSE;
    if (list->kind != E8_SEQ || list->count == 0) {
        e8_parse_fail(p, list, "choose: [{weight: 9, steps: [ … ]}, {weight: 1, steps: [ … ]}]",
                      "choose must be a list of branches");
        return;
    }
    struct e8_branch *branches = e8_arena_alloc(p->owned->arena, list->count * sizeof *branches);
    for (const struct e8_node *node = list->first; node; node = node->next) {
        const struct e8_node *steps = e8_node_get(node, "steps");
        struct e8_branch *branch = &branches[step->branches.count++];
        if (node->kind != E8_MAP || !steps) {
            e8_parse_fail(p, node, "{weight: 1, steps: [ … ]}", "a branch is a map with steps");
            continue;
        }
        e8_node_only(node, branch_keys, p->errs);
        sum += branch_weight(p, node);
        branch->upto = sum;
        branch->steps = parse_steps(p, steps, depth + 1);
    }
    if (!(sum > 0) && p->errs->total == before) {
        e8_parse_fail(p, list, "give one of them a weight above 0", "the weights sum to 0");
        return;
    }
    for (size_t i = 0; sum > 0 && i < step->branches.count; i++) {
        branches[i].upto /= sum;
    }
    step->branches.list = branches;
}

static void parse_step(struct e8_parser *p, const struct e8_node *map, struct e8_step *step, int depth)
{
    static const char *const kinds[] = {"emit", "wait", "repeat", "choose", NULL};
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "- emit: message.received", "a step is a map");
    } else if (e8_node_get(map, "emit")) {
        parse_emit(p, map, step);
    } else if (e8_node_get(map, "wait")) {
        parse_wait(p, map, step);
    } else if (e8_node_get(map, "repeat")) {
        parse_repeat(p, map, step, depth);
    } else if (e8_node_get(map, "choose")) {
        parse_choose(p, map, step, depth);
    } else {
        struct e8_str name = map->first ? map->first->key : E8_LIT("");
        char hint[E8_HINT_MAX];
        e8_hint_near(name, kinds, "emit, wait, repeat or choose", hint);
        e8_parse_fail_key(p, map->first ? map->first : map, hint, "unknown step \"%.*s\"", E8_STR(name));
    }
}

static struct e8_steps parse_steps(struct e8_parser *p, const struct e8_node *list, int depth)
{
    struct e8_steps steps = {NULL, 0};
    if (list->kind != E8_SEQ || list->count == 0) {
        e8_parse_fail(p, list, "steps: [{emit: message.received}]", "steps must be a list of steps");
        return steps;
    }
    if (depth > E8_DEPTH_MAX) {
        e8_parse_fail(p, list, NULL, "repeat and choose are nested more than %d deep", E8_DEPTH_MAX);
        return steps;
    }
    struct e8_step *made = e8_arena_alloc(p->owned->arena, list->count * sizeof *made);
    for (const struct e8_node *node = list->first; node; node = node->next) {
        parse_step(p, node, &made[steps.count++], depth);
    }
    steps.list = made;
    return steps;
}

/* How many steps a walk can take; a double, so that it cannot overflow. */
static double most_steps(struct e8_steps steps)
{
    double sum = 0;
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        double most = step->kind == E8_STEP_REPEAT ? step->repeat.high * most_steps(step->repeat.body) : 0;
        for (size_t j = 0; step->kind == E8_STEP_CHOOSE && j < step->branches.count; j++) {
            double branch = most_steps(step->branches.list[j].steps);
            most = branch > most ? branch : most;
        }
        sum += 1 + most;
    }
    return sum;
}

static void parse_flow(struct e8_parser *p, const struct e8_node *map, struct e8_flow *flow)
{
    static const char *const keys[] = {"steps", "description", NULL};
    const struct e8_node *steps = e8_node_get(map, "steps");
    flow->name = e8_arena_str(p->owned->arena, map->key).p;
    flow->key = e8_hash_str(map->key);
    if (map->kind == E8_SEQ) {
        flow->steps = parse_steps(p, map, 0);
    } else if (map->kind != E8_MAP || !steps) {
        e8_parse_fail(p, map, "NAME: {steps: [{emit: message.received}]}", "flow \"%.*s\" has no steps",
                      E8_STR(map->key));
    } else {
        e8_node_only(map, keys, p->errs);
        flow->steps = parse_steps(p, steps, 0);
    }
    if (most_steps(flow->steps) > E8_STEPS_MAX) {
        e8_parse_fail_key(p, map, "repeat less, and start the flow more often",
                          "flow \"%.*s\" may take more than %d steps", E8_STR(map->key), E8_STEPS_MAX);
    }
}

void e8_parse_flows(struct e8_parser *p, const struct e8_node *map)
{
    struct e8_plan *plan = &p->owned->plan;
    if (!e8_str_is(map->key, "flows") || map->kind != E8_MAP || map->count == 0) {
        e8_parse_fail(p, map, "flows: {NAME: {steps: [{emit: message.received}]}}",
                      "the scenario has no flow");
        return;
    }
    plan->emits = e8_arena_alloc(p->owned->arena, (count_emits(map) + 1) * sizeof *plan->emits);
    plan->flows = e8_arena_alloc(p->owned->arena, map->count * sizeof *plan->flows);
    for (const struct e8_node *node = map->first; node; node = node->next) {
        parse_flow(p, node, &plan->flows[plan->flow_count++]);
    }
}
