#include <string.h>

#include "tamper/parts.h"

/* A body as a tree that can be changed. */
struct tree {
    struct e8_arena *arena;
    struct e8_node *root;
};

struct e8_form {
    const char *text;
    void (*change)(struct tree *tree); /* NULL: only written differently */
    struct e8_json_style style;
    const char *tail; /* behind the body, which is otherwise as it was; NULL: written anew */
};

/* --- finding and adding ---------------------------------------------------------------------------------------------- */

static struct e8_node *member(struct e8_node *map, struct e8_str key)
{
    for (struct e8_node *node = map->first; node != NULL; node = node->next) {
        if (e8_str_eq(node->key, key))
            return node;
    }
    return NULL;
}

static struct e8_node *first_map(struct e8_node *node)
{
    if (node->kind == E8_MAP)
        return node;
    for (struct e8_node *child = node->kind == E8_SEQ ? node->first : NULL; child != NULL;
         child = child->next) {
        struct e8_node *map = first_map(child);
        if (map != NULL)
            return map;
    }
    return NULL;
}

/* Where a field may be added: in `data`, as the envelope has it, or in the first object that there is; NULL: nowhere. */
static struct e8_node *place(struct tree *tree)
{
    struct e8_node *map = first_map(tree->root);
    struct e8_node *data = map != NULL ? member(map, E8_LIT("data")) : NULL;
    return data != NULL && data->kind == E8_MAP ? data : map;
}

/* Under this name, or one like it that is not taken yet. */
static void add(struct tree *tree, struct e8_node *map, const char *name, struct e8_node *node)
{
    while (member(map, e8_str(name)) != NULL)
        name = e8_arena_printf(tree->arena, "%s_", name);
    node->key = e8_str(name);
    node->next = NULL;
    if (map->last != NULL)
        map->last->next = node;
    else
        map->first = node;
    map->last = node;
    map->count++;
}

static void add_json(struct tree *tree, struct e8_node *map, const char *name, const char *json)
{
    if (map != NULL)
        add(tree, map, name, e8_node_from_text(tree->arena, e8_str(json)));
}

static void add_text(struct tree *tree, const char *name, struct e8_str text)
{
    struct e8_node *map = place(tree), *node = e8_arena_alloc(tree->arena, sizeof *node);
    node->kind = E8_STRING;
    node->text = text;
    if (map != NULL)
        add(tree, map, name, node);
}

static bool any(const struct e8_node *node, bool (*is)(const struct e8_node *node))
{
    if (is(node))
        return true;
    bool inner = node->kind == E8_MAP || node->kind == E8_SEQ;
    for (const struct e8_node *child = inner ? node->first : NULL; child != NULL; child = child->next) {
        if (any(child, is))
            return true;
    }
    return false;
}

/* --- the forms ------------------------------------------------------------------------------------------------------- */

static bool slashed(struct e8_str text)
{
    return text.n > 0 && memchr(text.p, '/', text.n) != NULL;
}

static bool has_slash(const struct e8_node *node)
{
    return slashed(node->key) || (node->kind == E8_STRING && slashed(node->text));
}

static void need_slash(struct tree *tree)
{
    if (!any(tree->root, has_slash))
        add_text(tree, "extra_path", E8_LIT("a/b"));
}

static bool beyond_ascii(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((unsigned char)text.p[i] >= 0x80)
            return true;
    }
    return false;
}

static bool has_unicode(const struct e8_node *node)
{
    return beyond_ascii(node->key) || (node->kind == E8_STRING && beyond_ascii(node->text));
}

static void need_unicode(struct tree *tree)
{
    if (!any(tree->root, has_unicode))
        add_text(tree, "extra_text", E8_LIT("caf\xc3\xa9"));
}

static bool is_whole(const struct e8_node *node)
{
    return node->kind == E8_INT;
}

static void need_number(struct tree *tree)
{
    if (!any(tree->root, is_whole))
        add_json(tree, place(tree), "extra_numbers", "[1,100]");
}

static void add_nul(struct tree *tree)
{
    add_text(tree, "extra_text", E8_LIT("before\0behind"));
}

/* A face, and a letter that no keyboard has: U+1F600, U+1D11E. */
static void add_four_byte(struct tree *tree)
{
    add_text(tree, "extra_text", E8_LIT("\xf0\x9f\x98\x80 \xf0\x9d\x84\x9e"));
}

static const char *other_value(const struct e8_node *node)
{
    switch (node->kind) {
    case E8_BOOL:
        return node->b ? "false" : "true";
    case E8_INT:
    case E8_FLOAT:
        return e8_node_number(node) < 0 ? "1" : "-1";
    default:
        return "\"not this one\"";
    }
}

/* What most parsers take is the last one, so that goes behind all others. */
static void add_duplicate(struct tree *tree)
{
    struct e8_node *map = place(tree);
    if (map == NULL || map->first == NULL)
        return;
    struct e8_node *wrong = e8_node_from_text(tree->arena, e8_str(other_value(map->first)));
    wrong->key = map->first->key;
    wrong->next = map->first;
    map->first = wrong;
    map->count++;
}

static void add_extra(struct tree *tree)
{
    static const char json[] = "{\"note\":\"unknown to this version\",\"values\":[1,true,null]}";
    struct e8_node *map = place(tree);
    add_json(tree, tree->root->kind == E8_MAP ? tree->root : NULL, "extra_field", json);
    if (map != tree->root)
        add_json(tree, map, "extra_field", json);
    if (map != NULL)
        add_json(tree, map, "extra_count", "3");
}

/* The members that may be null in the platform's schemas. */
static const char *const nullable[] = {"previous_version", "note",    "replacement_agent_id", "referrer",
                                       "assigned_to",      "comment", "retry_after_seconds",  "phone"};

static size_t set_null(struct e8_node *node)
{
    size_t count = 0;
    for (size_t i = 0; i < E8_COUNT(nullable); i++) {
        if (e8_str_is(node->key, nullable[i])) {
            bool was = node->kind == E8_NULL;
            node->kind = E8_NULL;
            return !was;
        }
    }
    bool inner = node->kind == E8_MAP || node->kind == E8_SEQ;
    for (struct e8_node *child = inner ? node->first : NULL; child != NULL; child = child->next)
        count += set_null(child);
    return count;
}

static void nullify(struct tree *tree)
{
    if (set_null(tree->root) == 0)
        add_json(tree, place(tree), "metadata", "null");
}

static const char *const names[] = {
    "spaced",    "pretty",      "escaped_slash", "escaped_unicode", "float_numbers", "trailing_newline",
    "reordered", "escaped_nul", "four_byte",     "duplicate_keys",  "extra_fields",  "null_optional",
    NULL};

/* In the order of the names. */
static const struct e8_form forms[] = {
    {"written with spaces behind ':' and ','", NULL, {.spaced = true}, NULL},
    {"pretty-printed", NULL, {.indent = 2}, NULL},
    {"with every '/' escaped", need_slash, {.slashes = true}, NULL},
    {"with everything but ASCII escaped", need_unicode, {.ascii = true}, NULL},
    {"with whole numbers as 1.0 and 1e2", need_number, {.floats = true}, NULL},
    {"with a newline behind it", NULL, {0}, "\n"},
    {"with its keys the other way round", NULL, {.turned = true}, NULL},
    {"with an escaped NUL in a text", add_nul, {0}, NULL},
    {"with characters of four bytes in a text", add_four_byte, {0}, NULL},
    {"with a key twice, the right value last", add_duplicate, {0}, NULL},
    {"with unknown fields", add_extra, {0}, NULL},
    {"with optional members null", nullify, {0}, NULL},
};
_Static_assert(E8_COUNT(names) == E8_COUNT(forms) + 1, "a name for each form");

const struct e8_form *e8_form_find(struct e8_str name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (e8_str_is(name, names[i]))
            return &forms[i];
    }
    return NULL;
}

const char *const *e8_form_names(void)
{
    return names;
}

const char *e8_form_text(const struct e8_form *form)
{
    return form->text;
}

bool e8_form_apply(const struct e8_form *form, struct e8_str body, struct e8_buf *out)
{
    struct e8_doc *doc = NULL;
    if (e8_doc_parse("body", body, E8_DOC_JSON, &doc, NULL) != E8_OK)
        return false;
    struct tree tree = {e8_arena_new(), NULL};
    tree.root = e8_node_clone(tree.arena, e8_doc_root(doc), false);
    if (form->change != NULL)
        form->change(&tree);
    if (form->tail != NULL) {
        e8_buf_putstr(out, body);
        e8_buf_puts(out, form->tail);
    } else {
        e8_json_rewrite(tree.root, &form->style, out);
    }
    e8_arena_free(&tree.arena);
    e8_doc_free(&doc);
    return true;
}
