#include "scenario/parse.h"

#include <string.h>

#include "catalog/platform.h"

static void parse_thresholds(struct e8_parser *p, const struct e8_node *list)
{
    struct e8_plan *plan = &p->owned->plan;
    if (list->kind != E8_SEQ) {
        e8_parse_fail(p, list, "[\"p(99) < 500ms\", \"success >= 99.9%\"]", "thresholds must be a list");
        return;
    }
    plan->thresholds = e8_arena_alloc(p->owned->arena, (list->count + 1) * sizeof *plan->thresholds);
    for (const struct e8_node *item = list->first; item; item = item->next) {
        struct e8_err err = {0};
        const char *text = e8_parse_text(p, item);
        if (text && e8_threshold_parse(e8_str(text), &plan->thresholds[plan->threshold_count], &err)) {
            e8_parse_fail_err(p, item, &err);
        } else if (text) {
            plan->threshold_count++;
        }
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

static void parse_root(struct e8_parser *p, const struct e8_node *root)
{
    static const char *const keys[] = {"scenario", "description", "seed",       "environment", "endpoints",
                                       "flows",    "run",         "thresholds", "targets",     NULL};
    if (root->kind != E8_MAP) {
        e8_parse_fail(p, root, "scenario: NAME, endpoints: …, flows: …, run: …", "a scenario is a map");
        return;
    }
    e8_node_only(root, keys, p->errs);
    const struct e8_node *name = e8_node_get(root, "scenario"),
                         *environment = e8_node_get(root, "environment");
    const struct e8_node *endpoints = e8_node_get(root, "endpoints"), *flows = e8_node_get(root, "flows");
    const struct e8_node *run = e8_node_get(root, "run"), *thresholds = e8_node_get(root, "thresholds");
    const struct e8_node *targets = e8_node_get(root, "targets");
    parse_seed(p, e8_node_get(root, "seed"));
    if (name) {
        const char *text = e8_parse_text(p, name);
        p->owned->plan.name = text ? text : "scenario";
    }
    if (environment) {
        const char *text = e8_parse_environment(p, environment);
        p->environment = text ? text : p->environment;
    }
    override_environment(p);
    e8_parse_endpoints(p, endpoints ? endpoints : root);
    e8_parse_flows(p, flows ? flows : root);
    if (p->owned->plan.flow_count) {
        e8_parse_phases(p, run);
    }
    if (thresholds) {
        parse_thresholds(p, thresholds);
    }
    if (targets) {
        parse_targets(p, targets);
    }
}

enum e8_rc e8_plan_parse(const struct e8_catalog *catalog, const char *name, struct e8_str text,
                         const struct e8_scenario_options *options, struct e8_plan **out,
                         struct e8_errs *errs)
{
    struct e8_plan_owned *owned = e8_plan_new(catalog);
    struct e8_err err = {0};
    size_t before = errs->total;
    *out = &owned->plan;
    owned->plan.name = "scenario";
    size_t listed = errs->count;
    if (e8_doc_parse(name, text, E8_DOC_YAML, &owned->doc, &err)) {
        e8_errs_add(errs, &err);
    } else {
        struct e8_parser p = {catalog, options, owned, errs, e8_catalog_platform(catalog)->environments[0],
                              false};
        parse_root(&p, e8_doc_root(owned->doc));
        e8_plan_digest(text, owned->plan.digest);
    }
    if (errs->total != before) {
        e8_hide_secrets(text, errs, listed);
        e8_plan_free(out);
        return E8_INPUT;
    }
    return E8_OK;
}
