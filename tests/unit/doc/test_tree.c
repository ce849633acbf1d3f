/* Nodes: errors at them, unknown keys, clones, paths. */
#include <stdio.h>

#include "doc_test.h"

static const char sample[] =
    "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\"],\"a.b\":1,\"none\":null},\"it's\":2}";

struct tree {
    struct e8_doc *doc;
    struct e8_arena *arena;
    struct e8_node *root;
};

static struct tree tree_new(const char *json)
{
    struct tree tree = {.doc = must_parse(E8_DOC_JSON, e8_str(json)), .arena = e8_arena_new()};
    tree.root = e8_node_clone(tree.arena, e8_doc_root(tree.doc), false);
    return tree;
}

static void tree_free(struct tree *tree)
{
    e8_arena_free(&tree->arena);
    e8_doc_free(&tree->doc);
}

static void check_set(const char *path, const char *value, const char *expected)
{
    struct tree tree = tree_new(sample);
    struct e8_err err;
    struct e8_node *node = e8_node_from_text(tree.arena, e8_str(value));
    if (e8_node_set(tree.arena, tree.root, e8_str(path), node, &err) != E8_OK)
        fail_msg("%s: %s; %s", path, err.what, err.hint);
    assert_string_equal(json_of(tree.root), expected);
    assert_string_equal(json_of(e8_doc_root(tree.doc)), sample);
    tree_free(&tree);
}

static void set_reaches_every_place(void **state)
{
    (void)state;
    check_set("data.channel", "mail",
              "{\"data\":{\"channel\":\"mail\",\"tags\":[\"a\",\"b\"],\"a.b\":1,\"none\":null},\"it's\":2}");
    check_set("data.tags.0", "7",
              "{\"data\":{\"channel\":\"web\",\"tags\":[7,\"b\"],\"a.b\":1,\"none\":null},\"it's\":2}");
    check_set(
        "data.tags.2", "[]",
        "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\",[]],\"a.b\":1,\"none\":null},\"it's\":2}");
    check_set(
        "data.tags.2.x.y", "true",
        "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\",{\"x\":{\"y\":true}}],\"a.b\":1,\"none\":null},"
        "\"it's\":2}");
    check_set(
        "data.'a.b'", "1.50",
        "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\"],\"a.b\":1.50,\"none\":null},\"it's\":2}");
    check_set(
        "'it''s'", "\"3\"",
        "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\"],\"a.b\":1,\"none\":null},\"it's\":\"3\"}");
    check_set(
        "it's", "{\"a\":1}",
        "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\"],\"a.b\":1,\"none\":null},\"it's\":{\"a\":1}}");
    check_set("data", "0", "{\"data\":0,\"it's\":2}");
    check_set("new.''.0", "null",
              "{\"data\":{\"channel\":\"web\",\"tags\":[\"a\",\"b\"],\"a.b\":1,\"none\":null},\"it's\":2,"
              "\"new\":{\"\":"
              "{\"0\":null}}}");
}

static void set_again_appends_in_order(void **state)
{
    (void)state;
    struct tree tree = tree_new("{\"l\":[]}");
    static const char *const paths[] = {"l.0", "l.1", "m", "l.2", "l.1", "n"};
    for (size_t i = 0; i < E8_COUNT(paths); i++) {
        struct e8_node *value = e8_arena_alloc(tree.arena, sizeof *value);
        value->kind = E8_INT;
        value->i = (int64_t)i;
        assert_int_equal(e8_node_set(tree.arena, tree.root, e8_str(paths[i]), value, NULL), E8_OK);
    }
    assert_string_equal(json_of(tree.root), "{\"l\":[0,4,3],\"m\":2,\"n\":5}");
    assert_int_equal(e8_node_get(tree.root, "l")->count, 3);
    assert_int_equal(e8_node_get(tree.root, "l")->last->i, 3);
    assert_int_equal(tree.root->count, 3);
    tree_free(&tree);
}

static void check_set_fails(const char *path, const char *what, const char *hint)
{
    struct tree tree = tree_new(sample);
    struct e8_err err;
    struct e8_node *value = e8_node_from_text(tree.arena, e8_str("1"));
    assert_int_equal(e8_node_set(tree.arena, tree.root, e8_str(path), value, &err), E8_INPUT);
    if (!strstr(err.what, what) || !strstr(err.hint, hint))
        fail_msg("%s: expected %s; %s, got %s; %s", path, what, hint, err.what, err.hint);
    assert_string_equal(json_of(tree.root), sample);
    tree_free(&tree);
}

static void set_refuses_wrong_paths(void **state)
{
    (void)state;
    check_set_fails("", "a name is empty", "data.channel");
    check_set_fails(".a", "a name is empty", "");
    check_set_fails("a.", "a name is empty", "");
    check_set_fails("a..b", "a name is empty", "");
    check_set_fails("a.'b", "a quote is not closed", "");
    check_set_fails("'a'b", "a dot goes after", "");
    check_set_fails("data.\xFF", "no text", "");
    check_set_fails("data.tags.3", "\"data.tags\" is a list with 2 items: there is no \"3\"", "0 to 2");
    check_set_fails("data.tags.x", "there is no \"x\"", "0 to 2");
    check_set_fails("data.tags.00", "there is no \"00\"", "");
    check_set_fails("data.tags.-1", "there is no \"-1\"", "");
    check_set_fails("data.tags.'0'", "there is no \"0\"", "");
    check_set_fails("data.tags.99999999999999999999", "there is no", "");
    check_set_fails("data.channel.x", "\"data.channel\" is a string: there is no \"x\"",
                    "only maps and lists");
    check_set_fails("data.none.x", "\"data.none\" is null", "");
    char path[256] = "a";
    for (size_t i = 1; i < 128; i += 2)
        memcpy(path + i, ".a", 2);
    check_set_fails(path, "", "");
    path[127] = '\0';
    struct tree tree = tree_new("{}");
    assert_int_equal(
        e8_node_set(tree.arena, tree.root, e8_str(path), e8_node_from_text(tree.arena, e8_str("1")), NULL),
        E8_OK);
    assert_int_equal(
        e8_node_set(tree.arena, tree.root, e8_str(path), e8_node_from_text(tree.arena, e8_str("[]")), NULL),
        E8_INPUT);
    struct e8_doc *again = must_parse(E8_DOC_JSON, e8_str(json_of(tree.root)));
    e8_doc_free(&again);
    tree_free(&tree);
}

static void remove_takes_out(void **state)
{
    (void)state;
    struct tree tree = tree_new(sample);
    static const char *const paths[] = {"data.tags.1", "data.channel", "'it''s'", "data.'a.b'",
                                        "data.tags.0"};
    for (size_t i = 0; i < E8_COUNT(paths); i++)
        assert_int_equal(e8_node_remove(tree.root, e8_str(paths[i]), NULL), E8_OK);
    assert_string_equal(json_of(tree.root), "{\"data\":{\"tags\":[],\"none\":null}}");
    const struct e8_node *data = e8_node_get(tree.root, "data");
    assert_int_equal(data->count, 2);
    assert_null(data->first->first);
    assert_null(data->first->last);
    assert_ptr_equal(data->last, data->first->next);
    tree_free(&tree);
}

static void removing_nothing_lists_what_is(void **state)
{
    (void)state;
    struct tree tree = tree_new(sample);
    struct e8_err err;
    assert_int_equal(e8_node_remove(tree.root, e8_str("data.chanel"), &err), E8_INPUT);
    assert_string_equal(err.what, "\"data\" has no \"chanel\"");
    assert_string_equal(err.hint, "there are: channel, tags, a.b, none");
    assert_int_equal(e8_node_remove(tree.root, e8_str("x.y"), &err), E8_INPUT);
    assert_string_equal(err.what, "\"the top\" has no \"x\"");
    assert_int_equal(e8_node_remove(tree.root, e8_str("data.tags.2"), &err), E8_INPUT);
    assert_string_equal(err.hint, "use an index from 0 to 1");
    assert_int_equal(e8_node_remove(tree.root, e8_str("data.none.x"), &err), E8_INPUT);
    assert_string_equal(json_of(tree.root), sample);
    tree_free(&tree);
    tree = tree_new("{\"a\":{},\"l\":[]}");
    assert_int_equal(e8_node_remove(tree.root, e8_str("a.b"), &err), E8_INPUT);
    assert_string_equal(err.hint, "it is empty");
    assert_int_equal(e8_node_remove(tree.root, e8_str("l.0"), &err), E8_INPUT);
    assert_string_equal(err.hint, "it is empty");
    tree_free(&tree);
}

static void deep_clones_stand_alone(void **state)
{
    (void)state;
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str("a: [1, x, \"\\u00e9\"]\nb: {c: ~}\n"));
    struct e8_arena *arena = e8_arena_new();
    struct e8_node *shallow = e8_node_clone(arena, e8_doc_root(doc), false);
    struct e8_node *deep = e8_node_clone(arena, e8_doc_root(doc), true);
    assert_ptr_equal(shallow->first->doc, doc);
    assert_true(same_tree(shallow, deep));
    e8_doc_free(&doc);
    assert_string_equal(json_of(deep), "{\"a\":[1,\"x\",\"\u00e9\"],\"b\":{\"c\":null}}");
    struct e8_err err;
    e8_node_fail(&err, deep->first, "hint", "wrong");
    assert_string_equal(err.file, "");
    e8_arena_free(&arena);
}

static void text_is_json_or_a_string(void **state)
{
    (void)state;
    static const struct {
        const char *text, *json;
        enum e8_node_kind kind;
    } cases[] = {
        {"1", "1", E8_INT},
        {"-1.50", "-1.50", E8_FLOAT},
        {"true", "true", E8_BOOL},
        {"null", "null", E8_NULL},
        {"\"1\"", "\"1\"", E8_STRING},
        {"web", "\"web\"", E8_STRING},
        {"", "\"\"", E8_STRING},
        {"007", "\"007\"", E8_STRING},
        {"[1", "\"[1\"", E8_STRING},
        {" {\"a\": [1]} ", "{\"a\":[1]}", E8_MAP},
        {"1e400", "\"1e400\"", E8_STRING},
    };
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        const struct e8_node *node = e8_node_from_text(arena, e8_str(cases[i].text));
        assert_int_equal(node->kind, cases[i].kind);
        assert_string_equal(json_of(node), cases[i].json);
        assert_null(node->doc);
        assert_int_equal(node->line, 0);
    }
    e8_arena_free(&arena);
}

static void errors_at_nodes_show_place_and_line(void **state)
{
    (void)state;
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str("x: 1\nflow:\n  \u00e9: emitt\n"));
    const struct e8_node *node = e8_node_get(e8_node_get(e8_doc_root(doc), "flow"), "\u00e9");
    struct e8_err err;
    assert_int_equal(
        e8_node_fail(&err, node, "did you mean \"emit\"?", "unknown step \"%.*s\"", E8_STR(node->text)),
        E8_INPUT);
    assert_string_equal(err.file, "file");
    assert_int_equal(err.line, 3);
    assert_int_equal(err.col, 6);
    assert_string_equal(err.what, "unknown step \"emitt\"");
    assert_string_equal(err.hint, "did you mean \"emit\"?");
    assert_string_equal(err.source, "  \u00e9: emitt");
    assert_int_equal(e8_key_fail(&err, node, NULL, "no"), E8_INPUT);
    assert_int_equal(err.col, 3);
    assert_string_equal(err.hint, "");
    e8_key_fail(&err, e8_doc_root(doc), NULL, "no");
    assert_int_equal(err.line, 1);
    assert_int_equal(e8_node_fail(NULL, node, NULL, "no"), E8_INPUT);
    e8_doc_free(&doc);
}

static void unknown_keys_are_all_told(void **state)
{
    (void)state;
    static const char *const keys[] = {"url", "secret", "timeout", NULL}, *const none[] = {NULL};
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str("url: x\nsecrt: y\ntimeout: 5s\nqqqq: 1\n"));
    const struct e8_node *root = e8_doc_root(doc);
    struct e8_errs errs;
    e8_errs_init(&errs);
    assert_int_equal(e8_node_only(root, keys, &errs), E8_INPUT);
    assert_int_equal(errs.count, 2);
    assert_string_equal(errs.list[0].what, "unknown key \"secrt\"");
    assert_string_equal(errs.list[0].hint, "did you mean \"secret\"?");
    assert_int_equal(errs.list[0].line, 2);
    assert_int_equal(errs.list[0].col, 1);
    assert_string_equal(errs.list[0].source, "secrt: y");
    assert_string_equal(errs.list[1].hint, "known here: url, secret, timeout");
    assert_int_equal(e8_node_only(root, none, &errs), E8_INPUT);
    assert_int_equal(errs.count, 6);
    assert_int_equal(e8_node_only(NULL, keys, &errs), E8_OK);
    assert_int_equal(e8_node_only(root->first, keys, &errs), E8_OK);
    assert_int_equal(e8_node_only(root, keys, NULL), E8_INPUT);
    e8_errs_fini(&errs);
    e8_doc_free(&doc);
}

static void null_has_a_hint_of_its_own(void **state)
{
    struct e8_doc *doc = must_parse(E8_DOC_JSON, e8_str("[null, 5, {}]"));
    const struct e8_node *null = e8_doc_root(doc)->first;
    (void)state;
    assert_non_null(strstr(e8_node_hint(null, "put it in quotes"), "leave it out"));
    assert_non_null(e8_node_hint(null, NULL));
    assert_string_equal(e8_node_hint(null->next, "put it in quotes"), "put it in quotes");
    assert_null(e8_node_hint(null->next->next, NULL));
    e8_doc_free(&doc);
}

static void get_finds_members(void **state)
{
    (void)state;
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str("a: 1\nb: [2]\n"));
    const struct e8_node *root = e8_doc_root(doc);
    assert_int_equal(e8_node_get(root, "a")->i, 1);
    assert_null(e8_node_get(root, "c"));
    assert_null(e8_node_get(e8_node_get(root, "b"), "a"));
    assert_null(e8_node_get(NULL, "a"));
    e8_doc_free(&doc);
    for (int kind = E8_NULL; kind <= E8_MAP; kind++)
        assert_non_null(e8_node_kind_name((enum e8_node_kind)kind));
}

static void nodes_made_by_code_are_written(void **state)
{
    (void)state;
    struct e8_node node = {.kind = E8_FLOAT, .f = 0.1};
    assert_string_equal(json_of(&node), "0.10000000000000001");
    node.f = 3;
    assert_string_equal(json_of(&node), "3.0");
    node.f = 1e300;
    assert_string_equal(json_of(&node), "1.0000000000000001e+300");
    node.f = 1e300 * 1e300;
    assert_string_equal(json_of(&node), "null");
    node = (struct e8_node){.kind = E8_INT, .i = INT64_MIN};
    assert_string_equal(json_of(&node), "-9223372036854775808");
    node = (struct e8_node){.kind = E8_STRING, .text = {"\0\"\\\x7F\xFF", 5}};
    assert_string_equal(json_of(&node), "\"\\u0000\\\"\\\\\x7F\xEF\xBF\xBD\"");
    node = (struct e8_node){.kind = E8_STRING};
    assert_string_equal(json_of(&node), "\"\"");
}

static void follow_goes_as_far_as_there_is_a_way(void **state)
{
    static const struct {
        const char *path;
        size_t used;
        const char *json;
    } ways[] = {
        {"data.channel", 12, "\"web\""}, {"data.channel.x", 12, "\"web\""},
        {"data.tags.1", 11, "\"b\""},    {"data.tags.2", 9, "[\"a\",\"b\"]"},
        {"data.'a.b'.c", 10, "1"},       {"'it''s'.x.y", 7, "2"},
        {"nope.x", 0, sample},           {"data..x", 0, sample},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(ways); i++) {
        struct tree tree = tree_new(sample);
        size_t used;
        assert_string_equal(json_of(e8_node_follow(tree.root, e8_str(ways[i].path), &used)), ways[i].json);
        assert_int_equal(used, ways[i].used);
        tree_free(&tree);
    }
}

int run_tree_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_reaches_every_place),
        cmocka_unit_test(set_again_appends_in_order),
        cmocka_unit_test(set_refuses_wrong_paths),
        cmocka_unit_test(remove_takes_out),
        cmocka_unit_test(removing_nothing_lists_what_is),
        cmocka_unit_test(deep_clones_stand_alone),
        cmocka_unit_test(text_is_json_or_a_string),
        cmocka_unit_test(errors_at_nodes_show_place_and_line),
        cmocka_unit_test(unknown_keys_are_all_told),
        cmocka_unit_test(null_has_a_hint_of_its_own),
        cmocka_unit_test(get_finds_members),
        cmocka_unit_test(nodes_made_by_code_are_written),
        cmocka_unit_test(follow_goes_as_far_as_there_is_a_way),
    };
    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
