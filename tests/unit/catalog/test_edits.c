/* --set and --remove on an event's tree before it is compiled. */
#include "doc/doc.h"
#include "tests.h"

struct edited {
    struct e8_arena *arena;
    struct e8_edit list[8];
    size_t count;
    struct e8_template *made;
    struct e8_errs errs;
    struct e8_buf body;
    struct e8_doc *doc;
};

static void edited_init(struct edited *e)
{
    memset(e, 0, sizeof *e);
    e->arena = e8_arena_new();
    e8_errs_init(&e->errs);
    e8_buf_init(&e->body, SIZE_MAX / 2);
}

static void edited_fini(struct edited *e)
{
    e8_template_free(&e->made);
    e8_doc_free(&e->doc);
    e8_buf_fini(&e->body);
    e8_errs_fini(&e->errs);
    e8_arena_free(&e->arena);
}

static void put(struct edited *e, const char *path, const char *value)
{
    e->list[e->count].path = e8_str(path);
    e->list[e->count++].value = value ? e8_node_from_text(e->arena, e8_str(value)) : NULL;
}

static enum e8_rc make(struct edited *e)
{
    int type = e8_catalog_find(builtin(), E8_LIT("message.sent"));
    return e8_catalog_template(builtin(), (size_t)type, e->list, e->count, &e->made, &e->errs);
}

static const struct e8_node *rendered(struct edited *e)
{
    struct e8_facts facts = {.seed = 3,
                             .sequence = 1,
                             .at = 1767225600 * E8_NS_S,
                             .id = E8_LIT("evt_1"),
                             .type = E8_LIT("message.sent"),
                             .category = E8_LIT("message"),
                             .environment = E8_LIT("staging")};
    struct e8_err err = {0};
    if (make(e)) {
        print_errors(&e->errs);
    }
    assert_non_null(e->made);
    facts.type_index = (uint16_t)e8_catalog_find(builtin(), E8_LIT("message.sent"));
    assert_int_equal(e8_template_render(e->made, &facts, &e->body), E8_OK);
    assert_int_equal(e8_doc_parse("body", e8_buf_str(&e->body), E8_DOC_JSON, &e->doc, &err), E8_OK);
    return e8_doc_root(e->doc);
}

static void values_are_set(void **state)
{
    struct edited e;
    (void)state;
    edited_init(&e);
    put(&e, "data.role", "robot");
    put(&e, "data.tokens.input", "7");
    put(&e, "data.new.deep.er", "[1,{\"a\":null}]");
    put(&e, "id", "\"{{event.type}}-{{$hex 4}}\"");
    put(&e, "data.'a.b'", "true");
    put(&e, "data.attachments.0", "{\"x\":1}");
    const struct e8_node *root = rendered(&e), *data = e8_node_get(root, "data");
    assert_true(e8_str_is(e8_node_get(data, "role")->text, "robot"));
    assert_int_equal(e8_node_get(e8_node_get(data, "tokens"), "input")->i, 7);
    assert_int_equal(e8_node_get(e8_node_get(e8_node_get(data, "new"), "deep"), "er")->count, 2);
    assert_true(e8_str_starts(e8_node_get(root, "id")->text, "message.sent-"));
    assert_true(e8_node_get(data, "a.b")->b);
    assert_int_equal(e8_node_get(data, "attachments")->count, 1);
    edited_fini(&e);
}

static void members_are_removed(void **state)
{
    struct edited e;
    (void)state;
    edited_init(&e);
    put(&e, "data.tokens.input", NULL);
    put(&e, "created_at", NULL);
    put(&e, "data.attachments", "[1,2,3]");
    put(&e, "data.attachments.1", NULL);
    put(&e, "data.role", "again");
    const struct e8_node *root = rendered(&e), *data = e8_node_get(root, "data");
    assert_null(e8_node_get(e8_node_get(data, "tokens"), "input"));
    assert_non_null(e8_node_get(e8_node_get(data, "tokens"), "output"));
    assert_null(e8_node_get(root, "created_at"));
    assert_int_equal(e8_node_get(data, "attachments")->count, 2);
    assert_int_equal(e8_node_get(data, "attachments")->last->i, 3);
    edited_fini(&e);
}

static void the_catalogue_itself_stays(void **state)
{
    struct edited e;
    (void)state;
    edited_init(&e);
    put(&e, "data", "5");
    assert_int_equal(e8_node_get(rendered(&e), "data")->i, 5);
    edited_fini(&e);
    edited_init(&e);
    assert_int_equal(e8_node_get(rendered(&e), "data")->kind, E8_MAP);
    edited_fini(&e);
}

static void paths_that_lead_nowhere_say_so(void **state)
{
    static const struct {
        const char *path, *value, *what;
    } table[] = {
        {"data.nothing", NULL, "nothing"},
        {"data.role.deeper", "1", "role"},
        {"data.session_id.x", "1", "\"data.session_id\" is the placeholder {{session.id}}"},
        {"data.session_id.x.y", NULL, "nothing below it can be removed"},
        {"data.attachments.5", "1", ""},
        {"data.attachments.x", "1", ""},
        {"", "1", ""},
        {"data..x", "1", ""},
        {"data.tokens.input.x", NULL, "input"},
        {"data.a", "{{$nosuch}}", "$nosuch"},
        {"data.'open", "1", ""},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct edited e;
        edited_init(&e);
        put(&e, table[i].path, table[i].value);
        assert_int_equal(make(&e), E8_INPUT);
        assert_null(e.made);
        assert_true(e.errs.total == 1 && e.errs.list[0].what[0]);
        if (!strstr(e.errs.list[0].what, table[i].what)) {
            fail_msg("%s: %s", table[i].path, e.errs.list[0].what);
        }
        edited_fini(&e);
    }
}

static void all_bad_edits_are_told(void **state)
{
    struct edited e;
    (void)state;
    edited_init(&e);
    put(&e, "data.x1", NULL);
    put(&e, "data.x2", NULL);
    put(&e, "data.role.y", "1");
    assert_int_equal(make(&e), E8_INPUT);
    assert_int_equal(e.errs.total, 3);
    edited_fini(&e);
}

int test_edits(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_set),
        cmocka_unit_test(members_are_removed),
        cmocka_unit_test(the_catalogue_itself_stays),
        cmocka_unit_test(paths_that_lead_nowhere_say_so),
        cmocka_unit_test(all_bad_edits_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
