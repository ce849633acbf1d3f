#include "scenario/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail_at(struct e8_parser *p, const struct e8_node *node, bool key, const char *hint,
                    const char *format, va_list args)
{
    char what[400];
    struct e8_err err = {0};
    vsnprintf(what, sizeof what, format, args);
    if (key) {
        e8_key_fail(&err, node, hint, "%s", what);
    } else {
        e8_node_fail(&err, node, hint, "%s", what);
    }
    e8_errs_add(p->errs, &err);
}

void e8_parse_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, node, false, hint, format, args);
    va_end(args);
}

void e8_parse_fail_key(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, node, true, hint, format, args);
    va_end(args);
}

void e8_parse_fail_err(struct e8_parser *p, const struct e8_node *node, const struct e8_err *err)
{
    e8_parse_fail(p, node, err->hint[0] ? err->hint : NULL, "%s", err->what);
}

static bool name_char(char c)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One "${NAME}" or "${NAME:-default}" at *at; moves *at behind it. */
static bool expand_one(struct e8_parser *p, const struct e8_node *node, size_t *at, struct e8_buf *out)
{
    struct e8_str text = node->text;
    const char *close = memchr(text.p + *at, '}', text.n - *at);
    size_t begin = *at + 2, n = 0;
    if (!close) {
        e8_parse_fail(p, node, "${NAME} or ${NAME:-default}", "\"${\" is not closed");
        return false;
    }
    size_t end = (size_t)(close - text.p);
    while (begin + n < end && name_char(text.p[begin + n])) {
        n++;
    }
    bool fallback = begin + n + 1 < end && text.p[begin + n] == ':' && text.p[begin + n + 1] == '-';
    if (n == 0 || (begin + n != end && !fallback)) {
        e8_parse_fail(p, node, "${NAME} or ${NAME:-default}", "there is no variable's name behind \"${\"");
        return false;
    }
    char *name = e8_dup_str((struct e8_str){text.p + begin, n});
    const char *value = p->options->getenv ? p->options->getenv(name) : NULL;
    bool known = value && *value;
    if (known) {
        e8_buf_puts(out, value);
    } else if (fallback) {
        e8_buf_put(out, text.p + begin + n + 2, end - begin - n - 2);
    } else {
        e8_parse_fail(p, node, "set it, or give a default: ${NAME:-default}", "the environment has no %s",
                      name);
    }
    free(name);
    *at = end + 1;
    return known || fallback;
}

const char *e8_parse_text(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_buf out;
    bool good = true;
    if (node->kind == E8_SEQ || node->kind == E8_MAP || node->kind == E8_NULL) {
        e8_parse_fail(p, node, NULL, "\"%.*s\" must be a text, this is %s", E8_STR(node->key),
                      e8_node_kind_name(node->kind));
        return NULL;
    }
    e8_buf_init(&out, 64 << 10);
    for (size_t i = 0; good && i < node->text.n;) {
        if (i + 1 < node->text.n && node->text.p[i] == '$' && node->text.p[i + 1] == '{') {
            good = expand_one(p, node, &i, &out);
        } else {
            e8_buf_putc(&out, node->text.p[i++]);
        }
    }
    if (good && out.full) {
        e8_parse_fail(p, node, "at most 64 KiB", "text is too long");
        good = false;
    }
    if (good && memchr(out.p ? out.p : "", 0, out.n)) {
        e8_parse_fail(p, node, NULL, "text contains a NUL");
        good = false;
    }
    const char *text = good ? e8_arena_str(p->owned->arena, e8_buf_str(&out)).p : NULL;
    e8_buf_fini(&out);
    return text;
}

bool e8_parse_dur_node(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out)
{
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_dur(node->text, out) ||
        *out > E8_SPAN_MAX) {
        e8_parse_fail(p, node, "a number with a unit: 200ms, 5s, 2m; at most a year",
                      "\"%.*s\" is no duration", E8_STR(node->text));
        return false;
    }
    return true;
}

bool e8_parse_range(struct e8_str text, struct e8_str *low, struct e8_str *high)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == '.' && text.p[i + 1] == '.') {
            *low = e8_str_trim((struct e8_str){text.p, i});
            *high = e8_str_trim((struct e8_str){text.p + i + 2, text.n - i - 2});
            return true;
        }
    }
    *low = *high = text;
    return false;
}

bool e8_parse_count_range(struct e8_parser *p, const struct e8_node *node, uint32_t *low, uint32_t *high)
{
    struct e8_str a, b;
    uint64_t x, y;
    e8_parse_range(node->text, &a, &b);
    if (!e8_parse_u64(a, &x) || !e8_parse_u64(b, &y) || x > y || y == 0 || y > 1000000) {
        e8_parse_fail(p, node, "a number or a range: 3, 2..4; at most 1000000", "\"%.*s\" is no count",
                      E8_STR(node->text));
        return false;
    }
    *low = (uint32_t)x;
    *high = (uint32_t)y;
    return true;
}

const char *const *e8_parse_names(struct e8_parser *p, const struct e8_node *node, const char *what)
{
    const char **list = e8_arena_alloc(p->owned->arena, (node->count + 2) * sizeof *list);
    size_t n = 0;
    if (node->kind == E8_STRING) {
        list[0] = e8_parse_text(p, node);
        return list[0] ? list : NULL;
    }
    if (node->kind != E8_SEQ) {
        e8_parse_fail(p, node, NULL, "%s must be a list of names", what);
        return NULL;
    }
    for (const struct e8_node *item = node->first; item; item = item->next) {
        list[n] = e8_parse_text(p, item);
        if (!list[n++]) {
            return NULL;
        }
    }
    return list;
}

static const char *find_environment(const char *const *known, const char *name)
{
    for (size_t i = 0; known[i]; i++) {
        if (strcmp(known[i], name) == 0) {
            return known[i];
        }
    }
    return NULL;
}

const char *e8_parse_environment(struct e8_parser *p, const struct e8_node *node)
{
    const char *const *known = e8_catalog_platform(p->catalog)->environments;
    const char *name = e8_parse_text(p, node);
    const char *found = name ? find_environment(known, name) : NULL;
    if (name && !found) {
        char hint[E8_HINT_MAX];
        e8_hint_near(e8_str(name), known, "production, staging or development", hint);
        e8_parse_fail(p, node, hint, "unknown environment \"%s\"", name);
    }
    return found;
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
    const char *const *known = e8_catalog_platform(p->catalog)->environments;
    const char *found = name ? find_environment(known, name) : NULL;
    struct e8_err err = {0};
    if (name && !found) {
        char hint[E8_HINT_MAX];
        e8_hint_near(e8_str(name), known, "production, staging or development", hint);
        e8_fail(&err, E8_INPUT, hint, "unknown environment \"%s\"", name);
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
    struct e8_plan_owned *owned = e8_plan_new();
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
