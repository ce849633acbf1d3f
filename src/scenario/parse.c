#include "scenario/parse.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/platform.h"

/* What a threshold is narrowed down to must be there. */
static void check_threshold(struct e8_parser *p, const struct e8_node *node,
                            const struct e8_threshold *threshold)
{
    const struct e8_plan *plan = &p->owned->plan;
    char hint[E8_HINT_MAX];
    if (threshold->endpoint[0]) {
        const char **names = e8_new(plan->endpoint_count + 1, sizeof *names);
        bool known = false;
        for (size_t i = 0; i < plan->endpoint_count; i++) {
            names[i] = plan->endpoints[i].name;
            known = known || strcmp(names[i], threshold->endpoint) == 0;
        }
        e8_hint_names(e8_str(threshold->endpoint), names, "a name of endpoints:", hint);
        if (!known) {
            e8_parse_fail(p, node, hint, "no endpoint is called \"%s\"", threshold->endpoint);
        }
        free(names);
    }
    bool matches = !threshold->type[0];
    for (size_t i = 0; !matches && i < plan->type_count; i++) {
        matches = e8_pattern_matches(e8_str(threshold->type), e8_str(plan->types[i]));
    }
    if (!matches) {
        e8_hint_near(e8_str(threshold->type), plan->types, "a type, or a category like conversation.*", hint);
        e8_parse_fail(p, node, hint, "no event type matches \"%s\"", threshold->type);
    }
}

static void parse_threshold(struct e8_parser *p, const struct e8_node *item, struct e8_threshold *out)
{
    static const char *const keys[] = {"rule", "abort", NULL};
    const struct e8_node *rule = item->kind == E8_MAP ? e8_node_get(item, "rule") : item;
    const struct e8_node *abort = e8_node_get(item, "abort");
    struct e8_err err = {0};
    e8_node_only(item, keys, p->errs);
    if (!rule) {
        e8_parse_fail(p, item, "{rule: \"p(99) < 500ms\", abort: true}", "a threshold has a rule");
        return;
    }
    const char *text = e8_parse_text(p, rule);
    if (text && e8_threshold_parse(e8_str(text), out, &err)) {
        e8_parse_fail_err(p, rule, &err);
    } else if (text) {
        check_threshold(p, rule, out);
        p->owned->plan.threshold_count++;
    }
    if (abort) {
        e8_parse_bool(p, abort, &out->abort);
    }
}

static void parse_thresholds(struct e8_parser *p, const struct e8_node *list)
{
    struct e8_plan *plan = &p->owned->plan;
    if (list->kind != E8_SEQ) {
        e8_parse_fail(p, list, "[\"p(99) < 500ms\", \"success >= 99.9%\"]", "thresholds must be a list");
        return;
    }
    plan->thresholds = e8_arena_alloc(p->owned->arena, (list->count + 1) * sizeof *plan->thresholds);
    for (const struct e8_node *item = list->first; item; item = item->next) {
        parse_threshold(p, item, &plan->thresholds[plan->threshold_count]);
    }
}

static void parse_targets(struct e8_parser *p, const struct e8_node *map)
{
    static const char *const keys[] = {"allow", NULL};
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "targets: {allow: [hooks.example.com]}", "targets must be a map");
        return;
    }
    e8_node_only(map, keys, p->errs);
    const struct e8_node *allow = e8_node_get(map, "allow");
    if (allow) {
        p->owned->plan.allow = e8_parse_names(p, allow, "allow");
    }
}

static void parse_seed(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_plan *plan = &p->owned->plan;
    plan->seed = p->options->seed_random;
    if (node) {
        plan->seed_given = e8_parse_u64(node->text, &plan->seed) && plan->seed <= INT64_MAX;
        if (!plan->seed_given) {
            e8_parse_fail(p, node, "a whole number from 0 to 9223372036854775807", "\"%.*s\" is no seed",
                          E8_STR(node->text));
        }
    }
    if (p->options->seed_given) {
        plan->seed = p->options->seed;
        plan->seed_given = true;
    }
}

static void override_environment(struct e8_parser *p)
{
    const char *name = p->options->environment;
    struct e8_err err = {0};
    const char *found = name ? e8_environment_find(e8_catalog_platform(p->catalog), name, &err) : NULL;
    if (name && !found) {
        e8_errs_add(p->errs, &err);
    }
    p->environment = found ? found : p->environment;
}

static const struct e8_effect *copy_effect(struct e8_arena *arena, const struct e8_effect *from)
{
    struct e8_effect *effect = e8_arena_alloc(arena, sizeof *effect);
    size_t n = 0;
    *effect = *from;
    effect->get = from->get ? e8_arena_str(arena, e8_str(from->get)).p : NULL;
    effect->pointer = from->pointer ? e8_arena_str(arena, e8_str(from->pointer)).p : NULL;
    while (from->command && from->command[n]) {
        n++;
    }
    const char **argv = e8_arena_alloc(arena, (n + 1) * sizeof *argv);
    for (size_t i = 0; i < n; i++) {
        argv[i] = e8_arena_str(arena, e8_str(from->command[i])).p;
    }
    effect->command = from->command ? argv : NULL;
    return effect;
}

/* The user's own probe beats the file's, whose command is not run then. */
static void parse_effect(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_plan *plan = &p->owned->plan;
    bool executes = plan->executes;
    if (node) {
        plan->effect = e8_parse_effect(p, node);
    }
    if (p->options->effect) {
        plan->effect = copy_effect(p->owned->arena, p->options->effect);
        plan->executes = executes;
    }
}

static void parse_vars(struct e8_parser *p)
{
    size_t state = 0;
    const struct e8_node *map;
    e8_vars_given(p);
    while ((map = e8_sources_each(p, "vars", &state)) != NULL) {
        e8_vars_add(p, map);
    }
}

/* The main file's is the plan's. */
static void parse_descriptions(struct e8_parser *p, const struct e8_node *root)
{
    const struct e8_node *node;
    size_t state = 0;
    while ((node = e8_sources_each(p, "description", &state)) != NULL) {
        const char *text = e8_parse_text(p, e8_value_top(p, node));
        if (node->doc == root->doc) {
            p->owned->plan.description = text;
        }
    }
}

static void parse_head(struct e8_parser *p, const struct e8_node *root)
{
    const struct e8_node *name = e8_value_of(p, root, "scenario");
    const struct e8_node *environment = e8_value_of(p, root, "environment");
    parse_seed(p, e8_value_of(p, root, "seed"));
    if (name) {
        const char *text = e8_parse_text(p, name);
        p->owned->plan.name = text ? text : "scenario";
    }
    parse_descriptions(p, root);
    if (environment) {
        const char *text = e8_parse_environment(p, environment);
        p->environment = text ? text : p->environment;
    }
    override_environment(p);
}

static void parse_root(struct e8_parser *p, const struct e8_node *root)
{
    static const char *const keys[] = {"scenario", "description", "seed",    "environment", "include",
                                       "vars",     "endpoints",   "flows",   "run",         "faults",
                                       "effect",   "thresholds",  "targets", NULL};
    if (root->kind != E8_MAP) {
        struct e8_err err = {0}; /* without the line: a file of another kind may be a secret */
        e8_fail_at(&err, e8_doc_name(root->doc), root->line, root->col,
                   "scenario: NAME, endpoints: …, flows: …, run: …", "a scenario is a map");
        e8_errs_add(p->errs, &err);
        return;
    }
    e8_node_only(root, keys, p->errs);
    parse_vars(p);
    parse_head(p, root);
    const struct e8_node *thresholds = e8_value_of(p, root, "thresholds");
    const struct e8_node *targets = e8_value_of(p, root, "targets"), *faults = e8_value_of(p, root, "faults");
    e8_parse_endpoints(p, root);
    e8_parse_flows(p, root);
    e8_parse_patterns(p);
    if (p->owned->plan.flow_count) {
        e8_parse_phases(p, e8_value_of(p, root, "run"));
    }
    if (faults) {
        e8_parse_faults(p, faults, &p->owned->plan.faults);
    }
    parse_effect(p, e8_value_of(p, root, "effect"));
    if (thresholds) {
        parse_thresholds(p, thresholds);
    }
    if (targets) {
        parse_targets(p, targets);
    }
    e8_vars_check(p, root->doc);
}

enum e8_rc e8_plan_parse(const struct e8_catalog *catalog, const char *name, struct e8_str text,
                         const struct e8_scenario_options *options, struct e8_plan **out,
                         struct e8_errs *errs)
{
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    size_t before = errs->total, listed = errs->count;
    struct e8_parser p = {
        .catalog = catalog,
        .options = options,
        .owned = owned,
        .errs = errs,
        .environment = e8_catalog_platform(catalog)->environments[0],
        .files = e8_sources_new(text),
        .vars = e8_vars_new(),
        .made = e8_written_new(),
    };
    *out = &owned->plan;
    owned->plan.name = "scenario";
    const struct e8_node *root = e8_sources_load(&p, name);
    if (root) {
        parse_root(&p, root);
        e8_sources_digest(&p, owned->plan.digest);
    }
    if (errs->total != before) {
        e8_hide(&p, listed);
        e8_plan_free(out);
    }
    free(p.groups);
    e8_written_free(&p.made);
    e8_vars_free(&p.vars);
    e8_sources_free(&p.files);
    return *out ? E8_OK : E8_INPUT;
}
