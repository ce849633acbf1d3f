#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "doc/build.h"

const struct e8_node *e8_node_get(const struct e8_node *map, const char *key)
{
    if (!map || map->kind != E8_MAP)
        return NULL;
    for (const struct e8_node *member = map->first; member; member = member->next)
        if (e8_str_is(member->key, key))
            return member;
    return NULL;
}

const char *e8_node_kind_name(enum e8_node_kind kind)
{
    switch (kind) {
    case E8_NULL:
        return "null";
    case E8_BOOL:
        return "true or false";
    case E8_INT:
        return "a whole number";
    case E8_FLOAT:
        return "a number";
    case E8_STRING:
        return "a string";
    case E8_SEQ:
        return "a list";
    case E8_MAP:
        return "a map";
    }
    E8_UNREACHABLE();
}

const char *e8_node_hint(const struct e8_node *node, const char *otherwise)
{
    return node->kind == E8_NULL ? "null is no value here; leave it out, or give one" : otherwise;
}

bool e8_node_is_number(const struct e8_node *node)
{
    return node->kind == E8_INT || node->kind == E8_FLOAT;
}

double e8_node_number(const struct e8_node *node)
{
    return node->kind == E8_INT ? (double)node->i : node->kind == E8_FLOAT ? node->f : 0;
}

static enum e8_rc fail_v(struct e8_err *err, const struct e8_doc *doc, int line, int col, const char *hint,
                         const char *format, va_list args) __attribute__((format(printf, 6, 0)));

static enum e8_rc fail_v(struct e8_err *err, const struct e8_doc *doc, int line, int col, const char *hint,
                         const char *format, va_list args)
{
    char what[sizeof((struct e8_err){0}.what)];
    vsnprintf(what, sizeof what, format, args);
    if (!doc)
        return e8_fail(err, E8_INPUT, hint, "%s", what);
    e8_fail_at(err, doc->name, line, col, hint, "%s", what);
    if (err && line > 0)
        e8_text_source(doc->text, e8_text_find(doc->text, line, col), err->source, sizeof err->source);
    return E8_INPUT;
}

enum e8_rc e8_node_fail(struct e8_err *err, const struct e8_node *node, const char *hint, const char *format,
                        ...)
{
    va_list args;
    va_start(args, format);
    fail_v(err, node->doc, node->line, node->col, hint, format, args);
    va_end(args);
    return E8_INPUT;
}

enum e8_rc e8_key_fail(struct e8_err *err, const struct e8_node *node, const char *hint, const char *format,
                       ...)
{
    bool keyed = node->key_line > 0;
    va_list args;
    va_start(args, format);
    fail_v(err, node->doc, keyed ? node->key_line : node->line, keyed ? node->key_col : node->col, hint,
           format, args);
    va_end(args);
    return E8_INPUT;
}

static bool listed(struct e8_str key, const char *const *keys)
{
    for (; *keys; keys++)
        if (e8_str_is(key, *keys))
            return true;
    return false;
}

enum e8_rc e8_node_only(const struct e8_node *map, const char *const *keys, struct e8_errs *errs)
{
    enum e8_rc rc = E8_OK;
    if (!map || map->kind != E8_MAP)
        return E8_OK;
    for (const struct e8_node *member = map->first; member; member = member->next) {
        if (listed(member->key, keys))
            continue;
        struct e8_err err;
        char hint[E8_HINT_MAX];
        struct e8_str head = e8_text_head(member->key, 64);
        e8_hint_names(member->key, keys, *keys ? "known here:" : "nothing is known here", hint);
        rc = e8_key_fail(&err, member, hint, "unknown key \"%.*s\"", E8_STR(head));
        e8_errs_add(errs, &err);
    }
    return rc;
}

struct e8_node *e8_node_from_text(struct e8_arena *arena, struct e8_str text)
{
    struct e8_build build;
    e8_build_init(&build, arena, "", e8_arena_str(arena, text), NULL);
    bool json = e8_build_check(&build, E8_DOC_JSON) == E8_OK && e8_parse_json(&build) == E8_OK;
    e8_build_fini(&build);
    if (json)
        return build.root;
    struct e8_node *node = e8_arena_alloc(arena, sizeof *node);
    node->kind = E8_STRING;
    node->text = build.text;
    return node;
}
