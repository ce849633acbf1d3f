#include <string.h>

#include "catalog/platform.h"
#include "scenario/parse.h"

static void parse_wait(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                       struct e8_context *context)
{
    static const char *const keys[] = {"wait", NULL};
    const struct e8_node *node = e8_value_of(p, raw, "wait");
    struct e8_step *step = e8_written_step(p, list, E8_STEP_WAIT);
    struct e8_str text = node->text, low, high;
    bool value = node->kind != E8_SEQ && node->kind != E8_MAP;
    (void)context;
    e8_node_only(raw, keys, p->errs);
    e8_parse_range(text, &low, &high);
    if (value && text.n && memchr(text.p, ':', text.n)) {
        struct e8_spread *spread = e8_arena_alloc(p->owned->arena, sizeof *spread);
        struct e8_err err = {0};
        step->wait.spread = spread;
        if (e8_spread_parse(text, spread, &err)) {
            e8_parse_fail_err(p, node, &err);
        }
    } else if (!value || !e8_parse_dur(low, &step->wait.low) || !e8_parse_dur(high, &step->wait.high) ||
               step->wait.low > step->wait.high || step->wait.high > E8_SPAN_MAX) {
        e8_parse_fail(p, node,
                      "a duration, a range or a distribution: 500ms, 200ms..2s, exp:2s; at most a year",
                      "\"%.*s\" is no wait", E8_STR(text));
    }
}

static void parse_at(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                     struct e8_context *context)
{
    static const char *const keys[] = {"at", NULL};
    struct e8_step *step = e8_written_step(p, list, E8_STEP_AT);
    (void)context;
    e8_node_only(raw, keys, p->errs);
    e8_parse_dur_node(p, e8_value_of(p, raw, "at"), &step->at);
}

static void parse_repeat(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                         struct e8_context *context)
{
    static const char *const keys[] = {"repeat", "steps", NULL};
    const struct e8_node *steps = e8_node_get(raw, "steps");
    struct e8_context inside = *context;
    struct e8_step step = {.kind = E8_STEP_REPEAT};
    e8_node_only(raw, keys, p->errs);
    e8_parse_count_range(p, e8_value_of(p, raw, "repeat"), &step.repeat.low, &step.repeat.high);
    if (!steps) {
        e8_parse_fail(p, raw, "repeat: 2..4 with steps: [ … ] beside it", "repeat has no steps");
        return;
    }
    inside.depth++;
    step.repeat.body = e8_parse_steps(p, steps, &inside);
    *e8_written_step(p, list, E8_STEP_REPEAT) = step;
    if (step.repeat.low > 0) {
        context->before = inside.before;
        context->edits = inside.edits;
    } else if (inside.before != context->before) { /* one of the two */
        context->before = NULL;
    }
}

static double branch_weight(struct e8_parser *p, const struct e8_node *branch)
{
    const struct e8_node *weight = e8_value_of(p, branch, "weight");
    if (!weight) {
        return 1;
    }
    double share = e8_node_number(weight);
    if (!e8_node_is_number(weight) || share < 0 || share > 1e9) {
        e8_parse_fail(p, weight, "a number, 0 or more", "\"%.*s\" is no weight", E8_STR(weight->text));
        return 1;
    }
    return share;
}

static bool is_list_of(struct e8_parser *p, const struct e8_node *list, const char *name, const char *hint)
{
    if (list->kind != E8_SEQ || list->count == 0) {
        e8_parse_fail(p, list, hint, "%s must be a list of branches", name);
        return false;
    }
    if (list->count > E8_BRANCHES_MAX) {
        e8_parse_fail(p, list, NULL, "%s has more than %d branches", name, E8_BRANCHES_MAX);
        return false;
    }
    return true;
}

static void parse_choose(struct e8_parser *p, const struct e8_node *raw, struct e8_list *out,
                         struct e8_context *context)
{
    static const char *const keys[] = {"choose", NULL}, *const branch_keys[] = {"weight", "steps", NULL};
    const struct e8_node *list = e8_value_top(p, e8_node_get(raw, "choose"));
    size_t before = p->errs->total, count = 0;
    struct e8_context last = *context;
    bool certain = true;
    double sum = 0;
    e8_node_only(raw, keys, p->errs);
    if (!is_list_of(p, list, "choose", "choose: [{weight: 9, steps: [ … ]}, {weight: 1, steps: [ … ]}]")) {
        return;
    }
    struct e8_branch *branches = e8_arena_alloc(p->owned->arena, list->count * sizeof *branches);
    for (const struct e8_node *node = list->first; node; node = node->next) {
        const struct e8_node *steps = e8_node_get(node, "steps");
        struct e8_branch *branch = &branches[count++];
        if (node->kind != E8_MAP || !steps) {
            e8_parse_fail(p, node, "{weight: 1, steps: [ … ]}", "a branch is a map with steps");
            continue;
        }
        e8_node_only(node, branch_keys, p->errs);
        sum += branch_weight(p, node);
        branch->upto = sum;
        struct e8_context inside = *context;
        inside.depth++;
        branch->steps = e8_parse_steps(p, steps, &inside);
        certain = certain && (count == 1 || inside.before == last.before);
        last = inside;
    }
    if (!(sum > 0) && p->errs->total == before) {
        e8_parse_fail(p, list, "give one of them a weight above 0", "the weights sum to 0");
        return;
    }
    for (size_t i = 0; sum > 0 && i < count; i++) {
        branches[i].upto /= sum;
    }
    struct e8_step *step = e8_written_step(p, out, E8_STEP_CHOOSE);
    step->branches.list = branches;
    step->branches.count = count;
    context->before = certain ? last.before : NULL;
    context->edits = last.edits;
}

/* A branch is a flow of its own: what is sent before the fork or beside it is not `the event before`. */
static void parse_parallel(struct e8_parser *p, const struct e8_node *raw, struct e8_list *out,
                           struct e8_context *context)
{
    static const char *const keys[] = {"parallel", NULL}, *const branch_keys[] = {"steps", NULL};
    const struct e8_node *list = e8_value_top(p, e8_node_get(raw, "parallel"));
    size_t count = 0;
    e8_node_only(raw, keys, p->errs);
    if (!is_list_of(p, list, "parallel", "parallel: [[{emit: message.sent}], [{emit: session.ended}]]")) {
        return;
    }
    struct e8_branch *branches = e8_arena_alloc(p->owned->arena, list->count * sizeof *branches);
    for (const struct e8_node *node = list->first; node; node = node->next) {
        const struct e8_node *steps = node->kind == E8_MAP ? e8_node_get(node, "steps") : node;
        struct e8_context inside = {.depth = context->depth + 1, .await = context->await};
        if (!steps) {
            e8_parse_fail(p, node, "[ … ] or {steps: [ … ]}", "a branch is a list of steps");
            continue;
        }
        e8_node_only(node, branch_keys, p->errs);
        branches[count++].steps = e8_parse_steps(p, steps, &inside);
    }
    struct e8_step *step = e8_written_step(p, out, E8_STEP_PARALLEL);
    step->branches.list = branches;
    step->branches.count = count;
    context->before = NULL;
}

static void parse_await(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                        struct e8_context *context)
{
    static const char *const keys[] = {"await", "on_failure", NULL};
    const struct e8_node *on_failure = e8_value_of(p, raw, "on_failure");
    struct e8_step *step = e8_written_step(p, list, E8_STEP_AWAIT);
    (void)context;
    e8_node_only(raw, keys, p->errs);
    e8_parse_await(p, e8_value_of(p, raw, "await"), &step->await.on_failure);
    if (on_failure) {
        e8_parse_on_failure(p, on_failure, &step->await.on_failure);
    }
}

static void parse_secret_step(struct e8_parser *p, const struct e8_node *raw, const char *key,
                              struct e8_list *list)
{
    const struct e8_node *name = e8_value_of(p, raw, key);
    struct e8_step *step = e8_written_step(p, list, E8_STEP_SECRET);
    int index = e8_parse_endpoint_name(p, name);
    const struct e8_endpoint *endpoint = index < 0 ? NULL : &p->owned->plan.endpoints[index];
    step->secret.endpoint = index < 0 ? 0 : (uint16_t)index;
    step->secret.grace = e8_catalog_platform(p->catalog)->rotation_grace;
    if (endpoint && endpoint->rotation_count == 0) {
        e8_parse_fail(p, name, "rotation: [{env: CRM_SECRET_2}] at the endpoint",
                      "endpoint \"%s\" has no secret to go on to", endpoint->name);
    }
}

static void parse_rotate(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                         struct e8_context *context)
{
    static const char *const keys[] = {"rotate", "grace", NULL};
    const struct e8_node *grace = e8_value_of(p, raw, "grace");
    (void)context;
    e8_node_only(raw, keys, p->errs);
    parse_secret_step(p, raw, "rotate", list);
    if (grace) {
        e8_parse_dur_node(p, grace, &list->steps[list->count - 1].secret.grace);
    }
}

static void parse_revoke(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                         struct e8_context *context)
{
    static const char *const keys[] = {"revoke", NULL};
    (void)context;
    e8_node_only(raw, keys, p->errs);
    parse_secret_step(p, raw, "revoke", list);
    list->steps[list->count - 1].secret.revoke = true;
}

static void parse_exec(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                       struct e8_context *context)
{
    static const char *const keys[] = {"exec", "on_failure", NULL};
    const struct e8_node *on_failure = e8_value_of(p, raw, "on_failure");
    struct e8_step *step = e8_written_step(p, list, E8_STEP_EXEC);
    (void)context;
    e8_node_only(raw, keys, p->errs);
    step->exec.argv = e8_parse_command(p, e8_value_of(p, raw, "exec"));
    p->owned->plan.executes = true;
    if (on_failure) {
        e8_parse_on_failure(p, on_failure, &step->exec.on_failure);
    }
}

static const struct kind {
    const char *name;
    void (*parse)(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                  struct e8_context *context);
} kinds[] = {
    {"emit", e8_parse_emit},       {"wait", parse_wait},      {"at", parse_at},
    {"repeat", parse_repeat},      {"choose", parse_choose},  {"parallel", parse_parallel},
    {"foreach", e8_parse_foreach}, {"again", e8_parse_again}, {"rotate", parse_rotate},
    {"revoke", parse_revoke},      {"exec", parse_exec},      {"await", parse_await},
};

/* `at` and `await` stand beside emit as well: the first of the table counts. */
static const struct kind *kind_of(const struct e8_node *map)
{
    const struct kind *found = NULL;
    for (const struct e8_node *node = map->first; node; node = node->next) {
        for (size_t i = 0; i < E8_COUNT(kinds); i++) {
            if (e8_str_is(node->key, kinds[i].name) &&
                (!found || found->parse == parse_at || found->parse == parse_await)) {
                found = &kinds[i];
            }
        }
    }
    return found;
}

static void fail_kind(struct e8_parser *p, const struct e8_node *map)
{
    struct e8_str name = map->first ? map->first->key : E8_LIT("");
    const char *names[E8_COUNT(kinds) + 1] = {NULL};
    char hint[E8_HINT_MAX], known[E8_HINT_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, known, sizeof known - 1);
    for (size_t i = 0; i < E8_COUNT(kinds); i++) {
        names[i] = kinds[i].name;
        e8_buf_printf(&buf, "%s%s", i == 0 ? "" : i + 1 < E8_COUNT(kinds) ? ", " : " or ", names[i]);
    }
    e8_hint_near(name, names, e8_buf_cstr(&buf), hint);
    e8_parse_fail_key(p, map->first ? map->first : map, hint, "unknown step \"%.*s\"", E8_STR(name));
}

/* Steps with steps in them replace their values one by one, for what is inside may have variables of its own. */
static void parse_step(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                       struct e8_context *context)
{
    const struct e8_node *map = e8_value_top(p, raw);
    const struct kind *kind = map->kind == E8_MAP ? kind_of(map) : NULL;
    if (!kind) {
        if (map->kind == E8_MAP) {
            fail_kind(p, map);
        } else {
            e8_parse_fail(p, map, "- emit: message.received", "a step is a map");
        }
        return;
    }
    bool leaf = !e8_node_get(map, "steps") && kind->parse != parse_choose && kind->parse != parse_parallel;
    if (leaf && e8_sources_variable(p)) {
        p->scratch = e8_arena_new();
    }
    kind->parse(p, map, list, context);
    if (leaf && p->scratch) {
        e8_arena_free(&p->scratch);
    }
}

void e8_parse_steps_into(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                         struct e8_context *context)
{
    const struct e8_node *steps = e8_value_top(p, raw);
    if (steps->kind != E8_SEQ || steps->count == 0) {
        e8_parse_fail(p, steps, "steps: [{emit: message.received}]", "steps must be a list of steps");
        return;
    }
    for (const struct e8_node *node = steps->first; node; node = node->next) {
        parse_step(p, node, list, context);
    }
}

struct e8_steps e8_parse_steps(struct e8_parser *p, const struct e8_node *raw, struct e8_context *context)
{
    struct e8_list list = {0};
    if (context->depth > E8_DEPTH_MAX) {
        e8_parse_fail(p, raw, NULL, "repeat, choose and parallel are nested more than %d deep", E8_DEPTH_MAX);
    } else {
        e8_parse_steps_into(p, raw, &list, context);
    }
    return e8_written_steps(p, &list);
}
