#include <string.h>

#include "scenario/vars.h"

#define TEXT_MAX  ((size_t)16 << 20)
#define TEXTS_MAX ((size_t)256 << 20) /* of all texts with variables in them */

/* Names that could have been meant. */
static void suggest(struct e8_parser *p, struct e8_str name, char hint[E8_HINT_MAX])
{
    size_t n = 0, count = p->vars->count;
    for (const struct e8_scope *scope = p->scope; scope; scope = scope->outer) {
        count++;
    }
    struct e8_arena *arena = e8_arena_new();
    const char **names = e8_arena_alloc(arena, (count + 1) * sizeof *names);
    for (const struct e8_scope *scope = p->scope; scope; scope = scope->outer) {
        names[n++] = e8_arena_str(arena, scope->name).p;
    }
    for (size_t i = 0; i < p->vars->count; i++) {
        names[n++] = e8_arena_str(arena, p->vars->list[i].name).p;
    }
    e8_hint_near(name, names, "set it, or give a default: ${NAME:-default}", hint);
    e8_arena_free(&arena);
}

/* Is it a name, and not the first line of a file that has no rows? */
static bool is_shown(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (!e8_vars_name_char(name.p[i]) && !strchr(" -.", name.p[i])) {
            return false;
        }
    }
    return name.n > 0 && name.n <= 64;
}

static void fail_member(struct e8_parser *p, const struct e8_node *at, const struct e8_node *value,
                        struct e8_str name, struct e8_str member)
{
    struct e8_arena *arena = e8_arena_new();
    const char **names = e8_arena_alloc(arena, (value->count + 1) * sizeof *names);
    char hint[E8_HINT_MAX], known[E8_HINT_MAX];
    struct e8_buf buf;
    size_t n = 0;
    e8_buf_fixed(&buf, known, sizeof known - 1);
    e8_buf_puts(&buf, "there are:");
    for (const struct e8_node *child = value->kind == E8_MAP ? value->first : NULL; child;
         child = child->next) {
        if (is_shown(child->key)) {
            names[n++] = e8_arena_str(arena, child->key).p;
            e8_buf_printf(&buf, "%s %.*s", n > 1 ? "," : "", E8_STR(child->key));
        }
    }
    e8_hint_near(member, names, n > 0 ? e8_buf_cstr(&buf) : NULL, hint);
    if (value->kind == E8_MAP) {
        e8_vars_fail(p, at, hint, "\"%.*s\" has no \"%.*s\"", E8_STR(name), E8_STR(member));
    } else {
        e8_vars_fail(p, at, NULL, "\"%.*s\" is %s: there is no \"%.*s\" in it", E8_STR(name),
                     e8_node_kind_name(value->kind), E8_STR(member));
    }
    e8_arena_free(&arena);
}

/* "row.user.name": a member whose name may have dots itself. */
static const struct e8_node *member_of(const struct e8_node *value, struct e8_str path)
{
    for (const struct e8_node *child = value->kind == E8_MAP ? value->first : NULL; child;
         child = child->next) {
        if (e8_str_eq(child->key, path)) {
            return child;
        }
        if (path.n > child->key.n && path.p[child->key.n] == '.' &&
            memcmp(path.p, child->key.p, child->key.n) == 0) {
            const struct e8_node *found =
                member_of(child, (struct e8_str){path.p + child->key.n + 1, path.n - child->key.n - 1});
            if (found) {
                return found;
            }
        }
    }
    return NULL;
}

/* One ${…}. */
struct reference {
    struct e8_str name, path, fallback; /* path: behind the first dot; p NULL: none */
    size_t end;                         /* behind the brace */
};

static bool read_reference(struct e8_parser *p, const struct e8_node *node, size_t at, struct reference *out)
{
    struct e8_str text = node->text;
    size_t begin = at + 2, n = 0;
    const char *close = memchr(text.p + begin, '}', text.n - begin);
    *out = (struct reference){0};
    if (!close) {
        e8_vars_fail(p, node, "${NAME} or ${NAME:-default}; a literal one is $${", "\"${\" is not closed");
        return false;
    }
    struct e8_str inner = {text.p + begin, (size_t)(close - text.p) - begin};
    const char *fallback = inner.n ? memmem(inner.p, inner.n, ":-", 2) : NULL;
    out->end = begin + inner.n + 1;
    if (fallback) {
        out->fallback = (struct e8_str){fallback + 2, inner.n - (size_t)(fallback + 2 - inner.p)};
        inner.n = (size_t)(fallback - inner.p);
    }
    while (n < inner.n && e8_vars_name_char(inner.p[n])) {
        n++;
    }
    out->name = (struct e8_str){inner.p, n};
    if (n > 0 && n + 1 < inner.n && inner.p[n] == '.') {
        out->path = (struct e8_str){inner.p + n + 1, inner.n - n - 1};
        n = inner.n;
    }
    if (n == 0 || n != inner.n) {
        e8_vars_fail(p, node, "${NAME} or ${NAME:-default}; a literal one is $${",
                     "there is no variable's name behind \"${\"");
        return false;
    }
    return true;
}

/* Errors at this place may show what came from outside. */
static void note_outside(struct e8_vars *vars, const struct e8_node *at, struct e8_str value)
{
    for (size_t i = 0; i < vars->hidden_count; i++) {
        size_t n = strlen(vars->hidden[i].value);
        if (value.n >= n && memmem(value.p, value.n, vars->hidden[i].value, n)) {
            e8_vars_note(&vars->places, &vars->place_count, at);
            return;
        }
    }
}

static void fail_unknown(struct e8_parser *p, const struct e8_node *at, struct e8_str name)
{
    char hint[E8_HINT_MAX];
    if (e8_vars_find(p->vars, name)) {
        e8_vars_fail(p, at, "give --var NAME=VALUE, or write it into vars", "variable %.*s has no value",
                     E8_STR(name));
        return;
    }
    suggest(p, name, hint);
    e8_vars_fail(p, at, hint, "there is no variable %.*s, and the environment has no %.*s", E8_STR(name),
                 E8_STR(name));
}

static const struct e8_node *resolve(struct e8_parser *p, const struct e8_node *node,
                                     const struct reference *ref)
{
    bool told = false;
    const struct e8_node *value = e8_vars_look_up(p, ref->name, node, &told);
    if (value && value->text.n) {
        note_outside(p->vars, node, value->text);
    }
    if (value && ref->path.p) {
        const struct e8_node *member = member_of(value, ref->path);
        if (!member && !ref->fallback.p) {
            fail_member(p, node, value, ref->name, ref->path);
            return NULL;
        }
        value = member && member->kind == E8_NULL && ref->fallback.p ? NULL : member;
    }
    if (!value && ref->fallback.p && !told) {
        return e8_vars_typed(e8_vars_arena(p), ref->fallback, node);
    }
    if (!value && !told) {
        fail_unknown(p, node, ref->name);
    }
    return value;
}

/* The value alone takes the variable's type, and stands where that was written. */
static const struct e8_node *stand_in(struct e8_parser *p, const struct e8_node *node,
                                      const struct e8_node *value)
{
    struct e8_node *copy = e8_arena_alloc(e8_vars_arena(p), sizeof *copy);
    *copy = *value;
    copy->key = node->key;
    copy->next = node->next;
    bool same = value->doc == node->doc;
    copy->key_line = same ? node->key_line : value->line;
    copy->key_col = same ? node->key_col : value->col;
    return copy;
}

static bool put_one(struct e8_parser *p, const struct e8_node *node, const struct reference *ref,
                    struct e8_buf *out)
{
    const struct e8_node *value = resolve(p, node, ref);
    if (value && (value->kind == E8_SEQ || value->kind == E8_MAP)) {
        e8_vars_fail(p, node, "it can only stand alone", "\"${%.*s}\" is %s and cannot be a part of a text",
                     E8_STR(ref->name), e8_node_kind_name(value->kind));
        return false;
    }
    if (value && value->kind != E8_NULL) {
        e8_buf_putstr(out, value->text);
    }
    return value != NULL;
}

static const struct e8_node *replace_parts(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_str text = node->text;
    struct e8_buf out;
    struct reference ref;
    bool good = true;
    e8_buf_init(&out, TEXT_MAX);
    for (size_t i = 0; good && i < text.n;) {
        struct e8_str rest = {text.p + i, text.n - i};
        if (e8_str_starts(rest, "$${")) {
            e8_buf_puts(&out, "${");
            i += 3;
        } else if (e8_str_starts(rest, "${")) {
            good = read_reference(p, node, i, &ref) && put_one(p, node, &ref, &out);
            i = ref.end;
        } else {
            e8_buf_putc(&out, text.p[i++]);
        }
    }
    p->vars->bytes += out.n;
    if (good && (out.full || p->vars->bytes > TEXTS_MAX)) {
        e8_vars_fail(p, node, out.full ? "at most 16 MiB" : "at most 256 MiB in all", "text is too long");
        good = false;
    }
    struct e8_node *made = NULL;
    if (good) {
        made = e8_arena_alloc(e8_vars_arena(p), sizeof *made);
        *made = *node;
        made->kind = E8_STRING;
        made->quoted = true;
        made->b = true;
        made->text = e8_arena_str(e8_vars_arena(p), e8_buf_str(&out));
    }
    e8_buf_fini(&out);
    return made ? made : node;
}

/* A string's `b` says that its "${" stands for itself. */
static bool is_reference(const struct e8_node *node)
{
    return node->kind == E8_STRING && !node->b && node->text.n > 2 &&
           memmem(node->text.p, node->text.n, "${", 2);
}

const struct e8_node *e8_value_top(struct e8_parser *p, const struct e8_node *node)
{
    struct reference ref;
    if (!node || !is_reference(node)) {
        return node;
    }
    if (!e8_str_starts(node->text, "${")) {
        return replace_parts(p, node);
    }
    if (!read_reference(p, node, 0, &ref)) {
        return node;
    }
    if (ref.end != node->text.n) {
        return replace_parts(p, node);
    }
    const struct e8_node *value = resolve(p, node, &ref);
    p->vars->bytes += value ? value->text.n : 0;
    if (p->vars->bytes > TEXTS_MAX) {
        e8_vars_fail(p, node, "at most 256 MiB in all", "text is too long");
        return node;
    }
    return value ? stand_in(p, node, value) : node;
}

static bool has_references(const struct e8_node *node)
{
    if (is_reference(node)) {
        return true;
    }
    for (const struct e8_node *child = node->first; child; child = child->next) {
        if (has_references(child)) {
            return true;
        }
    }
    return false;
}

static const struct e8_node *replace_members(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_node *copy = e8_arena_alloc(e8_vars_arena(p), sizeof *copy);
    *copy = *node;
    copy->first = copy->last = NULL;
    for (const struct e8_node *child = node->first; child; child = child->next) {
        struct e8_node *twin = e8_arena_alloc(e8_vars_arena(p), sizeof *twin);
        *twin = *e8_value(p, child);
        twin->next = NULL;
        if (copy->last) {
            copy->last->next = twin;
        } else {
            copy->first = twin;
        }
        copy->last = twin;
    }
    return copy;
}

const struct e8_node *e8_value(struct e8_parser *p, const struct e8_node *node)
{
    if (!node || !e8_sources_variable(p) || !has_references(node)) {
        return node;
    }
    return node->kind == E8_STRING ? e8_value_top(p, node) : replace_members(p, node);
}

const struct e8_node *e8_value_of(struct e8_parser *p, const struct e8_node *map, const char *key)
{
    return e8_value(p, e8_node_get(map, key));
}
