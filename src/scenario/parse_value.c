#include "scenario/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/platform.h"

#define TEXT_MAX ((size_t)64 << 10)

static void fail_at(struct e8_parser *p, const struct e8_node *node, bool key, const char *hint,
                    const char *format, va_list args) __attribute__((format(printf, 5, 0)));

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

const char *e8_parse_text(struct e8_parser *p, const struct e8_node *node)
{
    if (node->kind == E8_SEQ || node->kind == E8_MAP || node->kind == E8_NULL) {
        const char *kind = e8_node_kind_name(node->kind), *hint = e8_node_hint(node, NULL);
        if (node->key.n) {
            e8_parse_fail(p, node, hint, "\"%.*s\" must be a text, this is %s", E8_STR(node->key), kind);
        } else {
            e8_parse_fail(p, node, hint, "this must be a text, not %s", kind);
        }
        return NULL;
    }
    if (node->text.n > TEXT_MAX) {
        e8_parse_fail(p, node, "at most 64 KiB", "text is too long");
        return NULL;
    }
    if (memchr(node->text.p ? node->text.p : "", 0, node->text.n)) {
        e8_parse_fail(p, node, NULL, "text contains a NUL");
        return NULL;
    }
    if (!e8_vars_hidden(p->vars, node->text)) {
        return e8_arena_str(p->owned->arena, node->text).p;
    }
    char *copy = e8_dup_str(node->text); /* what came from the environment may be a secret */
    const char *kept = e8_plan_secret(p->owned, copy);
    e8_secret_free(&copy);
    return kept;
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

bool e8_parse_long_dur(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out)
{
    if (!e8_parse_dur_node(p, node, out)) {
        return false;
    }
    if (*out == 0) {
        e8_parse_fail(p, node, "a number with a unit: 200ms, 5s, 2m; at most a year",
                      "\"%.*s\" is not above 0", E8_STR(node->text));
    }
    return *out > 0;
}

bool e8_parse_bool(struct e8_parser *p, const struct e8_node *node, bool *out)
{
    if (node->kind != E8_BOOL) {
        e8_parse_fail(p, node, NULL, "\"%.*s\" must be true or false", E8_STR(node->key));
        return false;
    }
    *out = node->b;
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
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_u64(a, &x) || !e8_parse_u64(b, &y) ||
        x > y || y == 0 || y > 1000000) {
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

const char *e8_parse_environment(struct e8_parser *p, const struct e8_node *node)
{
    const char *name = e8_parse_text(p, node);
    struct e8_err err = {0};
    const char *found = name ? e8_environment_find(e8_catalog_platform(p->catalog), name, &err) : NULL;
    if (name && !found) {
        e8_parse_fail_err(p, node, &err);
    }
    return found;
}

const char *const *e8_parse_command(struct e8_parser *p, const struct e8_node *node)
{
    if (node->kind != E8_SEQ || node->count == 0 || node->count > 1000) {
        e8_parse_fail(p, node, "[./count.sh, argument]; for a shell: [sh, -c, \"…\"]",
                      "a command is a list of the program and its arguments");
        return NULL;
    }
    const char *const *argv = e8_parse_names(p, node, "a command");
    if (argv && !argv[0][0]) {
        e8_parse_fail(p, node->first, "[./count.sh, argument]", "a command needs a program");
        return NULL;
    }
    return argv;
}

bool e8_parse_on_failure(struct e8_parser *p, const struct e8_node *node, enum e8_on_failure *out)
{
    static const char *const names[] = {"stop-flow", "continue", "stop-run", NULL};
    for (size_t i = 0; names[i]; i++) {
        if (e8_str_is(node->text, names[i])) {
            *out = (enum e8_on_failure)i;
            return true;
        }
    }
    char hint[E8_HINT_MAX];
    e8_hint_near(node->text, names, "stop-flow, continue or stop-run", hint);
    e8_parse_fail(p, node, hint, "\"%.*s\" is not what can happen on failure", E8_STR(node->text));
    return false;
}

int e8_parse_endpoint_name(struct e8_parser *p, const struct e8_node *node)
{
    const struct e8_plan *plan = &p->owned->plan;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (node->kind != E8_SEQ && node->kind != E8_MAP && e8_str_is(node->text, plan->endpoints[i].name)) {
            return (int)i;
        }
    }
    const char **names = e8_new(plan->endpoint_count + 1, sizeof *names);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        names[i] = plan->endpoints[i].name;
    }
    char hint[E8_HINT_MAX];
    e8_hint_names(node->text, names, "a name of endpoints:", hint);
    e8_parse_fail(p, node, hint, "no endpoint is called \"%.*s\"", E8_STR(node->text));
    free(names);
    return -1;
}
