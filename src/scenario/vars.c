#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/vars.h"

#define VALUES_MAX 100000   /* that one variable stands for */
#define TOTAL_MAX  10000000 /* that all variables stand for, wherever they are used */
#define REFERENCES 16       /* variables that stand for variables that stand for … */

struct e8_vars *e8_vars_new(void)
{
    return e8_new(1, sizeof(struct e8_vars));
}

void e8_vars_free(struct e8_vars **vars)
{
    struct e8_vars *v = *vars;
    for (size_t i = 0; v && i < v->hidden_count; i++) {
        e8_secret_free(&v->hidden[i].value);
        free(v->hidden[i].name);
    }
    if (v) {
        free(v->hidden);
        free(v->failed);
        free(v->places);
        free(v->list);
        free(v);
    }
    *vars = NULL;
}

bool e8_vars_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool e8_vars_name_good(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!e8_vars_name_char(name.p[i])) {
            return false;
        }
    }
    return name.n > 0 && name.n <= 64;
}

static void *grown(void *list, size_t count, size_t size)
{
    return (count & (count - 1)) == 0 ? e8_resize(list, count ? 2 * count : 1, size) : list;
}

struct e8_arena *e8_vars_arena(const struct e8_parser *p)
{
    return p->scratch ? p->scratch : p->owned->arena;
}

struct e8_variable *e8_vars_find(struct e8_vars *vars, struct e8_str name)
{
    for (size_t i = 0; i < vars->count; i++) {
        if (e8_str_eq(vars->list[i].name, name)) {
            return &vars->list[i];
        }
    }
    return NULL;
}

static struct e8_variable *add(struct e8_vars *vars, struct e8_str name, const struct e8_node *raw)
{
    vars->list = grown(vars->list, vars->count, sizeof *vars->list);
    vars->list[vars->count] = (struct e8_variable){.name = name, .raw = raw};
    return &vars->list[vars->count++];
}

/* Errors do not tell it from now on. */
static void hide_value(struct e8_vars *vars, struct e8_str name, struct e8_str value)
{
    for (size_t i = 0; i < vars->hidden_count; i++) {
        if (e8_str_is(name, vars->hidden[i].name)) {
            return;
        }
    }
    vars->hidden = grown(vars->hidden, vars->hidden_count, sizeof *vars->hidden);
    vars->hidden[vars->hidden_count++] = (struct e8_hidden){e8_dup_str(name), e8_dup_str(value)};
}

bool e8_vars_hidden(const struct e8_vars *vars, struct e8_str text)
{
    for (size_t i = 0; i < vars->hidden_count; i++) {
        size_t n = strlen(vars->hidden[i].value);
        if (n >= 6 && text.n >= n && memmem(text.p, text.n, vars->hidden[i].value, n)) {
            return true;
        }
    }
    return false;
}

void e8_vars_note(struct e8_noted **list, size_t *count, const struct e8_node *node)
{
    const struct e8_noted *last = *count ? &(*list)[*count - 1] : NULL;
    if (!last || last->doc != node->doc || last->line != node->line || last->col != node->col) {
        *list = grown(*list, *count, sizeof **list);
        (*list)[(*count)++] = (struct e8_noted){node->doc, node->text, node->line, node->col};
    }
}

void e8_vars_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (p->vars->failed_count < E8_ERRS_MAX) {
        e8_vars_note(&p->vars->failed, &p->vars->failed_count, node);
    }
    e8_parse_fail(p, node, hint, "%s", what);
}

/* What stands outside the file has no type: numbers and truth values get theirs, all else is a text. */
struct e8_node *e8_vars_typed(struct e8_arena *arena, struct e8_str text, const struct e8_node *at)
{
    struct e8_node *node = NULL;
    if (text.n > 0 && text.n < 64 && strchr("-0123456789tf", text.p[0])) {
        node = e8_node_from_text(arena, text);
    }
    if (!node || (node->kind != E8_INT && node->kind != E8_FLOAT && node->kind != E8_BOOL)) {
        node = e8_arena_alloc(arena, sizeof *node);
        node->kind = E8_STRING;
        node->b = true; /* nothing in it is replaced */
        node->text = e8_arena_str(arena, text);
    }
    node->doc = at->doc;
    node->line = at->line;
    node->col = at->col;
    return node;
}

static size_t values_in(const struct e8_node *node)
{
    size_t n = 1;
    for (const struct e8_node *child = node->first; child; child = child->next) {
        n += values_in(child);
    }
    return n;
}

/* A variable's own value, replaced when it is first asked for. NULL: it stands for itself, which is told. */
static const struct e8_node *value_of(struct e8_parser *p, size_t index, const struct e8_node *at)
{
    struct e8_vars *vars = p->vars;
    struct e8_variable *v = &vars->list[index];
    if (v->value) {
        return v->value;
    }
    if (v->busy || vars->depth == REFERENCES) {
        e8_vars_fail(p, at, v->busy ? "a variable cannot stand for itself" : NULL,
                     v->busy ? "\"${%.*s}\" goes round in a circle"
                             : "\"${%.*s}\": variables stand for each other too deep",
                     E8_STR(v->name));
        return NULL;
    }
    const struct e8_scope *scope = p->scope;
    struct e8_arena *scratch = p->scratch;
    size_t before = vars->total;
    v->busy = true;
    vars->depth++;
    p->scope = NULL; /* it is the file's, not the loop's */
    p->scratch = NULL;
    const struct e8_node *value = e8_value(p, v->raw);
    p->scope = scope;
    p->scratch = scratch;
    vars->depth--;
    v = &vars->list[index];
    v->busy = false;
    v->value = value;
    v->weight = values_in(v->raw) + (vars->total - before);
    return value;
}

/* A variable given with --var: JSON for lists and maps. */
static const struct e8_node *given(struct e8_parser *p, const struct e8_variable *v, const struct e8_node *at)
{
    struct e8_arena *arena = e8_vars_arena(p);
    hide_value(p->vars, v->name, e8_str(v->given));
    if (v->given[0] == '[' || v->given[0] == '{') {
        struct e8_node *node = e8_node_from_text(arena, e8_str(v->given));
        node->doc = at->doc;
        node->line = at->line;
        node->col = at->col;
        return node;
    }
    return e8_vars_typed(arena, e8_str(v->given), at);
}

static const struct e8_node *from_environment(struct e8_parser *p, struct e8_str name,
                                              const struct e8_node *at)
{
    char *copy = e8_dup_str(name);
    const char *text = p->options->getenv ? p->options->getenv(copy) : NULL;
    free(copy);
    if (!text || !*text) {
        return NULL;
    }
    hide_value(p->vars, name, e8_str(text));
    return e8_vars_typed(e8_vars_arena(p), e8_str(text), at);
}

/* The value of a name without dots; NULL when there is none of that name. */
const struct e8_node *e8_vars_look_up(struct e8_parser *p, struct e8_str name, const struct e8_node *at,
                                      bool *told)
{
    for (const struct e8_scope *scope = p->scope; scope; scope = scope->outer) {
        if (e8_str_eq(scope->name, name)) {
            return scope->value;
        }
    }
    struct e8_variable *v = e8_vars_find(p->vars, name);
    if (v) {
        v->used = true;
    }
    if (v && v->given) {
        return given(p, v, at);
    }
    if (v && v->raw->kind != E8_NULL) {
        const struct e8_node *value = value_of(p, (size_t)(v - p->vars->list), at);
        *told = !value;
        v = e8_vars_find(p->vars, name);
        p->vars->total += value ? v->weight : 0;
        if (value && (v->weight > VALUES_MAX || p->vars->total > TOTAL_MAX)) {
            e8_vars_fail(p, at, NULL, "\"${%.*s}\" stands for too many values", E8_STR(name));
            *told = true;
            return NULL;
        }
        return value;
    }
    return from_environment(p, name, at);
}

static void fail_given(struct e8_parser *p, const char *hint, const char *what, struct e8_str name)
{
    struct e8_err err = {0};
    e8_fail(&err, E8_INPUT, hint, "--var%s%.*s: %s", name.n ? " " : "", E8_STR(name), what);
    e8_errs_add(p->errs, &err);
}

void e8_vars_given(struct e8_parser *p)
{
    for (size_t i = 0; p->options->vars && p->options->vars[i]; i++) {
        const char *text = p->options->vars[i];
        struct e8_str name = {text, strcspn(text, "=")};
        if (!text[name.n]) { /* it may be the value, which is not told */
            fail_given(p, "NAME=VALUE", "there is no \"=\" in it", (struct e8_str){NULL, 0});
            continue;
        }
        if (!e8_vars_name_good(name)) {
            fail_given(p, "--var NAME=VALUE; a name has letters, digits and _", "this is no variable", name);
            continue;
        }
        struct e8_variable *v = e8_vars_find(p->vars, name);
        v = v ? v : add(p->vars, name, NULL);
        v->given = text + name.n + 1;
    }
}

void e8_vars_add(struct e8_parser *p, const struct e8_node *map)
{
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "vars: {n: 5, region: eu}", "vars must be a map of names and values");
        return;
    }
    if (map->count > E8_VARS_MAX) {
        e8_parse_fail(p, map, NULL, "more than %d variables", E8_VARS_MAX);
        return;
    }
    for (const struct e8_node *node = map->first; node; node = node->next) {
        struct e8_variable *v = e8_vars_find(p->vars, node->key);
        if (!e8_vars_name_good(node->key)) {
            e8_parse_fail_key(p, node, "letters, digits and _; at most 64", "\"%.*s\" is no variable's name",
                              E8_STR(node->key));
        } else if (!v) {
            add(p->vars, node->key, node);
        } else if (!v->raw) {
            v->raw = node;
        }
    }
}

void e8_vars_check(struct e8_parser *p, const struct e8_doc *main)
{
    for (size_t i = 0; i < p->vars->count; i++) {
        const struct e8_variable *v = &p->vars->list[i];
        if (!v->raw && !v->used) {
            char hint[E8_HINT_MAX];
            const char **names = e8_new(p->vars->count + 1, sizeof *names);
            struct e8_arena *arena = e8_arena_new();
            size_t n = 0;
            for (size_t j = 0; j < p->vars->count; j++) {
                if (p->vars->list[j].raw) {
                    names[n++] = e8_arena_str(arena, p->vars->list[j].name).p;
                }
            }
            e8_hint_near(v->name, names, "the scenario's vars can be given", hint);
            fail_given(p, hint, "the scenario has no such variable", v->name);
            free(names);
            e8_arena_free(&arena);
        }
    }
    for (size_t i = 0; i < p->vars->count; i++) {
        const struct e8_node *raw = p->vars->list[i].raw;
        if (raw && raw->doc == main && !p->vars->list[i].given) { /* faults of those that are not used */
            bool told = false;
            e8_vars_look_up(p, p->vars->list[i].name, raw, &told);
        }
    }
}
