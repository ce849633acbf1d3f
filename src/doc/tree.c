/* Changing trees: clones, paths, and writing them as JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "doc/build.h"
#include "doc/json.h"

/* One name of a path. */
struct step {
    struct e8_str name;
    bool quoted;
    size_t end; /* where it ends in the path */
};

struct path {
    struct e8_str text;
    struct step steps[E8_DOC_DEPTH_MAX];
    size_t count;
};

static bool is_container(const struct e8_node *node)
{
    return node->kind == E8_MAP || node->kind == E8_SEQ;
}

static struct e8_str clone_str(struct e8_arena *arena, struct e8_str str, bool deep)
{
    return deep && str.p ? e8_arena_str(arena, str) : str;
}

struct e8_node *e8_node_clone(struct e8_arena *arena, const struct e8_node *node, bool deep)
{
    struct e8_node *copy = e8_arena_alloc(arena, sizeof *copy);
    *copy = *node;
    copy->text = clone_str(arena, node->text, deep);
    copy->key = clone_str(arena, node->key, deep);
    copy->doc = deep ? NULL : node->doc;
    copy->first = copy->next = NULL;
    if (is_container(node))
        copy->last = NULL;
    for (const struct e8_node *child = node->first; child; child = child->next) {
        struct e8_node *twin = e8_node_clone(arena, child, deep);
        if (copy->last)
            copy->last->next = twin;
        else
            copy->first = twin;
        copy->last = twin;
    }
    return copy;
}

static enum e8_rc path_fail(struct e8_err *err, const struct path *path, const char *what)
{
    struct e8_str head = e8_text_head(path->text, 128);
    return e8_fail(err, E8_INPUT, "paths look like data.channel, data.tags.0 or data.'a.b'",
                   "path \"%.*s\": %s", E8_STR(head), what);
}

/* 'a.b', where '' stands for one quote. Returns the bytes read, 0 when the quote is not closed. */
static size_t read_quoted(struct e8_arena *arena, struct e8_str rest, struct e8_str *name)
{
    char *copy = e8_arena_alloc(arena, rest.n + 1);
    size_t n = 0, i = 1;
    for (; i < rest.n; i++) {
        if (rest.p[i] == '\'' && (i + 1 == rest.n || rest.p[i + 1] != '\''))
            break;
        i += rest.p[i] == '\'';
        copy[n++] = rest.p[i];
    }
    *name = (struct e8_str){copy, n};
    return i < rest.n ? i + 1 : 0;
}

static enum e8_rc read_step(struct e8_arena *arena, struct path *path, size_t *at, struct e8_err *err)
{
    struct e8_str rest = {path->text.p + *at, path->text.n - *at};
    struct step *step = &path->steps[path->count];
    size_t used;
    *step = (struct step){.quoted = rest.n && rest.p[0] == '\''};
    if (step->quoted) {
        used = read_quoted(arena, rest, &step->name);
        if (!used)
            return path_fail(err, path, "a quote is not closed");
        if (used < rest.n && rest.p[used] != '.')
            return path_fail(err, path, "a dot goes after the closing quote");
    } else {
        const char *dot = rest.n ? memchr(rest.p, '.', rest.n) : NULL;
        used = dot ? (size_t)(dot - rest.p) : rest.n;
        step->name = e8_arena_str(arena, (struct e8_str){rest.p, used});
        if (!used)
            return path_fail(err, path, "a name is empty");
    }
    *at += used;
    step->end = *at;
    path->count++;
    return E8_OK;
}

static enum e8_rc path_read(struct e8_arena *arena, struct path *path, struct e8_str text, struct e8_err *err)
{
    size_t at = 0;
    path->text = text.p ? text : E8_LIT("");
    path->count = 0;
    if (memchr(path->text.p, '\0', path->text.n) || e8_utf8_valid(text) != text.n)
        return e8_fail(err, E8_INPUT, NULL, "a path that is no text");
    for (;;) {
        if (path->count == E8_DOC_DEPTH_MAX)
            return path_fail(err, path, "too many names");
        enum e8_rc rc = read_step(arena, path, &at, err);
        if (rc != E8_OK || at == text.n)
            return rc;
        at++;
    }
}

/* The path up to and without a step, as the user wrote it. */
static struct e8_str path_before(const struct path *path, size_t step)
{
    struct e8_str before = {path->text.p, step ? path->steps[step - 1].end : 0};
    return before.n ? e8_text_head(before, 128) : e8_str("the top");
}

/* The link that holds the child of that name: *link is NULL where one would be added. NULL: there is no such place. */
static struct e8_node **find_link(struct e8_node *parent, const struct step *step)
{
    struct e8_node **link = &parent->first;
    if (parent->kind == E8_MAP) {
        while (*link && !e8_str_eq((*link)->key, step->name))
            link = &(*link)->next;
        return link;
    }
    uint64_t index;
    bool canonical = step->name.n == 1 || (step->name.n && step->name.p[0] != '0');
    if (step->quoted || !canonical || !e8_parse_u64(step->name, &index) || index > parent->count)
        return NULL;
    while (index--)
        link = &(*link)->next;
    return link;
}

/* Why steps[at] leads nowhere in `parent`, a list with places for `places` indices, or no container at all. */
static enum e8_rc step_fail(struct e8_err *err, const struct path *path, size_t at,
                            const struct e8_node *parent, size_t places)
{
    struct e8_str before = path_before(path, at), name = e8_text_head(path->steps[at].name, 64);
    char hint[96];
    if (!is_container(parent))
        return e8_fail(err, E8_INPUT, "only maps and lists have members",
                       "\"%.*s\" is %s: there is no \"%.*s\" in it", E8_STR(before),
                       e8_node_kind_name(parent->kind), E8_STR(name));
    snprintf(hint, sizeof hint, "use an index from 0 to %zu", places - 1);
    return e8_fail(err, E8_INPUT, places ? hint : "it is empty",
                   "\"%.*s\" is a list with %u items: there is no \"%.*s\" in it", E8_STR(before),
                   parent->count, E8_STR(name));
}

static int depth_of(const struct e8_node *node)
{
    int deepest = 0;
    for (const struct e8_node *child = node->first; child; child = child->next) {
        int depth = depth_of(child);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + is_container(node);
}

/* Puts `node` where *link points, with the old child's key and followers. */
static void put_child(struct e8_node *parent, struct e8_node **link, struct e8_node *node, struct e8_str name)
{
    struct e8_node *old = *link;
    node->key = parent->kind == E8_MAP ? name : (struct e8_str){NULL, 0};
    node->key_line = old ? old->key_line : 0;
    node->key_col = old ? old->key_col : 0;
    node->next = old ? old->next : NULL;
    *link = node;
    if (!old)
        parent->count++;
    if (!node->next)
        parent->last = node;
}

enum e8_rc e8_node_set(struct e8_arena *arena, struct e8_node *root, struct e8_str path,
                       struct e8_node *value, struct e8_err *err)
{
    struct path p = {0};
    enum e8_rc rc = path_read(arena, &p, path, err);
    if (rc != E8_OK)
        return rc;
    if (p.count + (size_t)depth_of(value) > E8_DOC_DEPTH_MAX)
        return path_fail(err, &p, "the value would stand too deep");
    struct e8_node *parent = root;
    for (size_t i = 0;; i++) {
        struct e8_node **link = is_container(parent) ? find_link(parent, &p.steps[i]) : NULL;
        if (!link)
            return step_fail(err, &p, i, parent, parent->count + 1);
        if (i + 1 == p.count) {
            put_child(parent, link, value, p.steps[i].name);
            return E8_OK;
        }
        if (!*link) {
            struct e8_node *map = e8_arena_alloc(arena, sizeof *map);
            map->kind = E8_MAP;
            put_child(parent, link, map, p.steps[i].name);
        }
        parent = *link;
    }
}

static enum e8_rc missing_fail(struct e8_err *err, const struct path *path, size_t at,
                               const struct e8_node *parent)
{
    if (parent->kind != E8_MAP)
        return step_fail(err, path, at, parent, parent->count);
    struct e8_str before = path_before(path, at), name = e8_text_head(path->steps[at].name, 64);
    char hint[E8_HINT_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, hint, sizeof hint - 1);
    e8_buf_puts(&buf, parent->first ? "there are:" : "it is empty");
    for (const struct e8_node *member = parent->first; member && !buf.full; member = member->next)
        e8_buf_printf(&buf, "%s %.*s", member == parent->first ? "" : ",",
                      E8_STR(e8_text_head(member->key, 64)));
    hint[buf.n] = '\0';
    return e8_fail(err, E8_INPUT, hint, "\"%.*s\" has no \"%.*s\"", E8_STR(before), E8_STR(name));
}

struct e8_node *e8_node_follow(struct e8_node *root, struct e8_str path, size_t *used)
{
    struct e8_arena *arena = e8_arena_new();
    struct path p = {0};
    struct e8_node *node = root;
    *used = 0;
    size_t count = path_read(arena, &p, path, NULL) == E8_OK ? p.count : 0;
    for (size_t i = 0; i < count; i++) {
        struct e8_node **link = is_container(node) ? find_link(node, &p.steps[i]) : NULL;
        if (!link || !*link)
            break;
        node = *link;
        *used = p.steps[i].end;
    }
    e8_arena_free(&arena);
    return node;
}

static void unlink_child(struct e8_node *parent, struct e8_node **link)
{
    *link = (*link)->next;
    parent->count--;
    parent->last = NULL;
    for (struct e8_node *child = parent->first; child; child = child->next)
        parent->last = child;
}

static enum e8_rc remove_at(struct e8_node *root, const struct path *path, struct e8_err *err)
{
    struct e8_node *parent = root;
    for (size_t i = 0;; i++) {
        struct e8_node **link = is_container(parent) ? find_link(parent, &path->steps[i]) : NULL;
        if (!link || !*link)
            return missing_fail(err, path, i, parent);
        if (i + 1 == path->count) {
            unlink_child(parent, link);
            return E8_OK;
        }
        parent = *link;
    }
}

enum e8_rc e8_node_remove(struct e8_node *root, struct e8_str path, struct e8_err *err)
{
    struct e8_arena *arena = e8_arena_new();
    struct path p = {0};
    enum e8_rc rc = path_read(arena, &p, path, err);
    if (rc == E8_OK)
        rc = remove_at(root, &p, err);
    e8_arena_free(&arena);
    return rc;
}

/* Floats made by code have no text; the shortest that reads back the same. */
static void put_float(const struct e8_node *node, struct e8_buf *out)
{
    char text[40];
    if (node->text.n) {
        e8_scalar_decimal(node->text, out);
        return;
    }
    if (!isfinite(node->f)) {
        e8_buf_puts(out, "null");
        return;
    }
    snprintf(text, sizeof text, "%.17g", node->f);
    for (char *p = text; *p; p++)
        if (*p == ',')
            *p = '.';
    e8_buf_puts(out, text);
    if (!strpbrk(text, ".e"))
        e8_buf_puts(out, ".0");
}

static void put_text(struct e8_str text, struct e8_buf *out)
{
    e8_buf_putc(out, '"');
    e8_buf_put_json(out, text);
    e8_buf_putc(out, '"');
}

static void put_children(const struct e8_node *node, struct e8_buf *out)
{
    for (const struct e8_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            e8_buf_putc(out, ',');
        if (node->kind == E8_MAP) {
            put_text(child->key, out);
            e8_buf_putc(out, ':');
        }
        e8_node_json(child, out);
    }
}

void e8_node_json(const struct e8_node *node, struct e8_buf *out)
{
    switch (node->kind) {
    case E8_NULL:
        e8_buf_puts(out, "null");
        break;
    case E8_BOOL:
        e8_buf_puts(out, node->b ? "true" : "false");
        break;
    case E8_INT:
        if (e8_str_is(node->text, "-0"))
            e8_buf_puts(out, "-0");
        else
            e8_buf_puti(out, node->i);
        break;
    case E8_FLOAT:
        put_float(node, out);
        break;
    case E8_STRING:
        put_text(node->text, out);
        break;
    case E8_SEQ:
        e8_buf_putc(out, '[');
        put_children(node, out);
        e8_buf_putc(out, ']');
        break;
    case E8_MAP:
        e8_buf_putc(out, '{');
        put_children(node, out);
        e8_buf_putc(out, '}');
        break;
    }
}
