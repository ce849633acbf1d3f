/* Documents. The first byte selects: '0' YAML, '1' JSON, '2' a path in the first line and a value behind it. What parses must
 * come back equal from the JSON that it is written as. */
#include <stdint.h>
#include <string.h>

#include "doc/doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_tree(const struct e8_node *a, const struct e8_node *b)
{
    if (a->kind != b->kind || a->count != b->count || !e8_str_eq(a->key, b->key))
        return false;
    if (a->kind == E8_STRING && !e8_str_eq(a->text, b->text))
        return false;
    double p = e8_node_number(a), q = e8_node_number(b);
    if (a->b != b->b || (a->kind == E8_INT && a->i != b->i) || memcmp(&p, &q, sizeof p) != 0)
        return false;
    const struct e8_node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next)
        if (!same_tree(x, y))
            return false;
    return !x && !y;
}

static void check_round_trip(const struct e8_node *root)
{
    struct e8_buf json;
    e8_buf_init(&json, E8_FILE_MAX);
    e8_node_json(root, &json);
    if (!json.full) {
        struct e8_doc *again;
        struct e8_err err;
        E8_ASSERT(e8_doc_parse("again", e8_buf_str(&json), E8_DOC_JSON, &again, &err) == E8_OK);
        E8_ASSERT(same_tree(root, e8_doc_root(again)));
        e8_doc_free(&again);
    }
    e8_buf_fini(&json);
}

/* Children stand at or behind their parent, keys before their values, siblings in order. */
static void check_places(const struct e8_node *node)
{
    E8_ASSERT(node->line > 0 && node->col > 0);
    const struct e8_node *last = node;
    size_t count = 0;
    for (const struct e8_node *child = node->first; child; child = child->next, count++) {
        E8_ASSERT(child->line > last->line || (child->line == last->line && child->col >= last->col));
        if (node->kind == E8_MAP)
            E8_ASSERT(child->key_line < child->line ||
                      (child->key_line == child->line && child->key_col <= child->col));
        check_places(child);
        last = child;
    }
    E8_ASSERT(count == node->count && (count == 0 || node->last == last));
}

static void check_error(const struct e8_err *err)
{
    E8_ASSERT(err->rc == E8_INPUT && err->line > 0 && err->col > 0 && err->what[0]);
    E8_ASSERT(e8_utf8_valid(e8_str(err->what)) == strlen(err->what));
}

static void parse(struct e8_str text, enum e8_doc_mode mode)
{
    struct e8_doc *doc;
    struct e8_err err;
    if (e8_doc_parse("fuzz", text, mode, &doc, &err) != E8_OK) {
        check_error(&err);
        return;
    }
    check_places(e8_doc_root(doc));
    check_round_trip(e8_doc_root(doc));
    e8_doc_free(&doc);
}

static void edit(struct e8_str text)
{
    struct e8_str path = {text.p, 0};
    while (path.n < text.n && path.p[path.n] != '\n')
        path.n++;
    struct e8_str value =
        path.n < text.n ? (struct e8_str){text.p + path.n + 1, text.n - path.n - 1} : E8_LIT("1");
    struct e8_arena *arena = e8_arena_new();
    struct e8_node *root =
        e8_node_from_text(arena, E8_LIT("{\"a\":{\"b\":[1,{\"c\":2}],\"d.e\":null},\"f\":\"g\"}"));
    struct e8_node *node = e8_node_from_text(arena, value);
    if (e8_utf8_valid(value) == value.n && e8_node_set(arena, root, path, node, NULL) == E8_OK) {
        check_round_trip(root);
        E8_ASSERT(e8_node_remove(root, path, NULL) == E8_OK);
    }
    e8_node_remove(root, path, NULL);
    check_round_trip(root);
    e8_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct e8_str text = {(const char *)data + 1, size - 1};
    if (data[0] == '0')
        parse(text, E8_DOC_YAML);
    else if (data[0] == '1')
        parse(text, E8_DOC_JSON);
    else if (data[0] == '2')
        edit(text);
    return 0;
}
