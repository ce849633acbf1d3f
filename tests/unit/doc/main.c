#include "doc_test.h"

void check_refusal(enum e8_doc_mode mode, const struct refusal *refusal)
{
    struct e8_doc *doc;
    struct e8_err err = {.rc = E8_OK};
    enum e8_rc rc = e8_doc_parse("file", refusal->text, mode, &doc, &err);
    bool as_expected = rc == E8_INPUT && err.rc == E8_INPUT && !strcmp(err.file, "file") &&
                       err.line == refusal->line && err.col == refusal->col &&
                       strstr(err.what, refusal->what) && strstr(err.hint, refusal->hint);
    if (!as_expected)
        fail_msg("<%.*s> expected %d:%d: %s; %s, got %d: %s:%d:%d: %s; %s", E8_STR(refusal->text),
                 refusal->line, refusal->col, refusal->what, refusal->hint, (int)rc, err.file, err.line,
                 err.col, err.what, err.hint);
    assert_null(doc);
    assert_int_equal(e8_doc_parse("file", refusal->text, mode, &doc, NULL), E8_INPUT);
}

struct e8_doc *must_parse(enum e8_doc_mode mode, struct e8_str text)
{
    struct e8_doc *doc;
    struct e8_err err;
    /* Flush against the end of an allocation: reading past it is caught. */
    char *copy = memcpy(e8_new(text.n ? text.n : 1, 1), text.n ? text.p : "", text.n);
    enum e8_rc rc = e8_doc_parse("file", (struct e8_str){copy, text.n}, mode, &doc, &err);
    free(copy);
    if (rc != E8_OK)
        fail_msg("<%.*s> is refused: %d:%d: %s; %s", E8_STR(text), err.line, err.col, err.what, err.hint);
    return doc;
}

const char *json_of(const struct e8_node *node)
{
    static char out[1 << 16];
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, sizeof out - 1);
    e8_node_json(node, &buf);
    out[buf.n] = '\0';
    return out;
}

void check_json(enum e8_doc_mode mode, struct e8_str text, const char *json)
{
    struct e8_doc *doc = must_parse(mode, text), *again;
    if (strcmp(json_of(e8_doc_root(doc)), json))
        fail_msg("<%.*s> expected %s, got %s", E8_STR(text), json, json_of(e8_doc_root(doc)));
    again = must_parse(E8_DOC_JSON, e8_str(json));
    assert_true(same_tree(e8_doc_root(doc), e8_doc_root(again)));
    e8_doc_free(&again);
    e8_doc_free(&doc);
    assert_null(doc);
}

void check_str(struct e8_str got, const char *expected)
{
    if (!e8_str_is(got, expected))
        fail_msg("expected \"%s\", got \"%.*s\"", expected, E8_STR(got));
}

bool same_tree(const struct e8_node *a, const struct e8_node *b)
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

int main(void)
{
    return run_json_tests() + run_yaml_tests() + run_refusal_tests() + run_tree_tests() + run_writer_tests() +
           run_load_tests() + run_recording_tests();
}
