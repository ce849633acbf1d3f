#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

void given_open(struct given *given, const char *yaml)
{
    struct e8_err err = {0};
    *given = (struct given){.arena = e8_arena_new()};
    e8_errs_init(&given->errs);
    if (e8_doc_parse("t.yaml", e8_str(yaml), E8_DOC_YAML, &given->doc, &err) != E8_OK)
        fail_msg("%s: %s", yaml, err.what);
    enum e8_rc rc = e8_tamper_parse(given->arena, e8_doc_root(given->doc), &given->tamper, &given->errs);
    assert_int_equal(rc == E8_OK, given->tamper != NULL);
    assert_int_equal(e8_errs_rc(&given->errs), rc);
}

void given_open_good(struct given *given, const char *yaml)
{
    given_open(given, yaml);
    if (given->tamper == NULL)
        fail_msg("%s: %s", yaml, given->errs.list[0].what);
}

void given_close(struct given *given)
{
    e8_errs_fini(&given->errs);
    e8_doc_free(&given->doc);
    e8_arena_free(&given->arena);
}

static const struct e8_node *named(const struct e8_node *map, struct e8_str key)
{
    for (const struct e8_node *node = map->first; node != NULL; node = node->next) {
        if (e8_str_eq(node->key, key))
            return node;
    }
    return NULL;
}

static bool within(const struct e8_node *a, const struct e8_node *b);

static bool members_within(const struct e8_node *a, const struct e8_node *b)
{
    for (const struct e8_node *node = a->first; node != NULL; node = node->next) {
        const struct e8_node *other = named(b, node->key);
        if (other == NULL || !within(node, other))
            return false;
    }
    return true;
}

static bool items_equal(const struct e8_node *a, const struct e8_node *b)
{
    const struct e8_node *other = b->first;
    for (const struct e8_node *node = a->first; node != NULL; node = node->next, other = other->next) {
        if (other == NULL || !within(node, other))
            return false;
    }
    return other == NULL;
}

static bool is_number(const struct e8_node *node)
{
    return node->kind == E8_INT || node->kind == E8_FLOAT;
}

static bool within(const struct e8_node *a, const struct e8_node *b)
{
    if (is_number(a) && is_number(b))
        return e8_node_number(a) <= e8_node_number(b) && e8_node_number(a) >= e8_node_number(b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case E8_MAP:
        return members_within(a, b);
    case E8_SEQ:
        return items_equal(a, b);
    case E8_STRING:
        return e8_str_eq(a->text, b->text);
    case E8_BOOL:
        return a->b == b->b;
    default:
        return true;
    }
}

bool is_json(struct e8_str text)
{
    struct e8_doc *doc = NULL;
    bool good = e8_doc_parse("x", text, E8_DOC_JSON, &doc, NULL) == E8_OK;
    e8_doc_free(&doc);
    return good;
}

bool json_within(struct e8_str a, struct e8_str b)
{
    struct e8_doc *left = NULL, *right = NULL;
    bool good = e8_doc_parse("a", a, E8_DOC_JSON, &left, NULL) == E8_OK &&
                e8_doc_parse("b", b, E8_DOC_JSON, &right, NULL) == E8_OK &&
                within(e8_doc_root(left), e8_doc_root(right));
    e8_doc_free(&left);
    e8_doc_free(&right);
    return good;
}

bool json_equal(struct e8_str a, struct e8_str b)
{
    return json_within(a, b) && json_within(b, a);
}
