#include <stdlib.h>

#include "catalog/catalog.h"

#define DEFS "#/$defs/"

static void put_ref(struct e8_json *w, const char *key, struct e8_str ref, const char *root)
{
    struct e8_buf text;
    if (!e8_str_starts(ref, DEFS)) {
        e8_json_str(w, key, ref);
        return;
    }
    e8_buf_init(&text, 64 << 10);
    e8_buf_printf(&text, "%s%.*s", root, (int)ref.n - 1, ref.p + 1);
    e8_json_str(w, key, e8_buf_str(&text));
    e8_buf_fini(&text);
}

static bool is_name_of_schema(struct e8_str key)
{
    return e8_str_is(key, "$schema") || e8_str_is(key, "$id");
}

static void put_node(struct e8_json *w, const char *key, const struct e8_node *node, const char *root,
                     int depth)
{
    if (node->kind != E8_MAP && node->kind != E8_SEQ) {
        struct e8_buf json;
        e8_buf_init(&json, SIZE_MAX / 2);
        e8_node_json(node, &json);
        e8_json_raw(w, key, e8_buf_str(&json));
        e8_buf_fini(&json);
        return;
    }
    if (node->kind == E8_MAP) {
        e8_json_object(w, key);
    } else {
        e8_json_array(w, key);
    }
    for (const struct e8_node *child = node->first; child; child = child->next) {
        char *name = node->kind == E8_MAP ? e8_dup_str(child->key) : NULL;
        if (name && e8_str_is(child->key, "$ref") && child->kind == E8_STRING) {
            put_ref(w, name, child->text, root);
        } else if (depth || !is_name_of_schema(child->key)) {
            put_node(w, name, child, root, depth + 1);
        }
        free(name);
    }
    e8_json_end(w, node->kind == E8_MAP ? '}' : ']');
}

void e8_catalog_schema_put(const struct e8_catalog *catalog, size_t type, const char *root, struct e8_json *w,
                           const char *key)
{
    struct e8_doc *doc;
    enum e8_rc rc = e8_doc_parse("schema", e8_catalog_schema(catalog, type), E8_DOC_JSON, &doc, NULL);
    E8_ASSERT(rc == E8_OK);
    put_node(w, key, e8_doc_root(doc), root, 0);
    e8_doc_free(&doc);
}
