/* Templates that share a program: what a filled shape renders is what the same edits, compiled, render. */
#include "doc/doc.h"
#include "tests.h"

struct world {
    struct e8_arena *arena;
    struct e8_edit edits[4];
    size_t count;
};

static void put(struct world *w, const char *path, const char *value)
{
    const struct e8_node *node = value ? e8_node_from_text(w->arena, e8_str(value)) : NULL;
    w->edits[w->count++] = (struct e8_edit){e8_str(path), node, NULL};
}

static void render(const struct e8_template *t, size_t type, uint32_t sequence, struct e8_buf *out)
{
    struct e8_facts facts = {.seed = 11,
                             .sequence = sequence,
                             .at = 1767225600 * E8_NS_S,
                             .id = E8_LIT("evt_1"),
                             .type = e8_str(e8_catalog_type(builtin(), type)->name),
                             .category = E8_LIT("message"),
                             .environment = E8_LIT("staging"),
                             .type_index = (uint16_t)type};
    e8_buf_reset(out);
    assert_int_equal(e8_template_render(t, &facts, out), E8_OK);
    assert_true(out->n <= e8_template_max(t));
}

static const struct e8_template *filled(struct world *w, const struct e8_template *shape)
{
    const struct e8_node *values[4];
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->edits[i].value) {
            values[n++] = w->edits[i].value;
        }
    }
    return e8_template_filled(w->arena, shape, values, n);
}

static void compare(struct world *w, const struct e8_template *shape, size_t type)
{
    struct e8_template *compiled;
    struct e8_buf a, b;
    struct e8_errs errs;
    e8_errs_init(&errs);
    e8_buf_init(&a, SIZE_MAX / 2);
    e8_buf_init(&b, SIZE_MAX / 2);
    assert_int_equal(e8_catalog_template(builtin(), type, w->edits, w->count, &compiled, &errs), E8_OK);
    const struct e8_template *shared = filled(w, shape);
    assert_non_null(shared);
    for (uint32_t i = 1; i <= 5; i++) {
        render(compiled, type, i, &a);
        render(shared, type, i, &b);
        assert_string_equal(e8_buf_cstr(&a), e8_buf_cstr(&b));
    }
    e8_template_free(&compiled);
    e8_buf_fini(&a);
    e8_buf_fini(&b);
    e8_errs_fini(&errs);
}

static void shapes_render_the_same(void **state)
{
    static const char *const values[] = {
        "text", "\"\"", "\"q\\\"\\\\ \\u00e4\\n\"", "7", "-1.50", "1e300", "true", "null", "{ {x"};
    (void)state;
    for (size_t type = 0; type < e8_catalog_count(builtin()); type++) {
        struct world w = {.arena = e8_arena_new()};
        struct e8_template *shape;
        put(&w, "data.new.deep", "0");
        put(&w, "created_at", NULL);
        put(&w, "data.other", "x");
        e8_catalog_shape(builtin(), type, w.edits, w.count, &shape);
        assert_non_null(shape);
        for (size_t i = 0; i < E8_COUNT(values); i++) {
            w.count = 0;
            put(&w, "data.new.deep", values[i]);
            put(&w, "created_at", NULL);
            put(&w, "data.other", values[(i + 1) % E8_COUNT(values)]);
            for (size_t j = 0; j < w.count; j++) {
                assert_true(!w.edits[j].value || e8_template_fills(w.edits[j].value));
            }
            compare(&w, shape, type);
        }
        e8_template_free(&shape);
        e8_arena_free(&w.arena);
    }
}

static void what_has_no_shape(void **state)
{
    size_t type = (size_t)e8_catalog_find(builtin(), E8_LIT("message.sent"));
    struct world w = {.arena = e8_arena_new()};
    struct e8_template *shape;
    (void)state;
    put(&w, "no.such.place", NULL); /* a fault, which is told where it is compiled */
    e8_catalog_shape(builtin(), type, w.edits, w.count, &shape);
    assert_null(shape);

    w.count = 0; /* the first value is not there in the end */
    put(&w, "data.a", "1");
    put(&w, "data", "2");
    e8_catalog_shape(builtin(), type, w.edits, w.count, &shape);
    assert_null(shape);

    static const char *const not [] = {"{{$guid}}", "[1]", "{\"a\":1}", "a {{event.type}} b"};
    for (size_t i = 0; i < E8_COUNT(not ); i++) {
        assert_false(e8_template_fills(e8_node_from_text(w.arena, e8_str(not [i]))));
    }
    e8_arena_free(&w.arena);
}

static void what_stands_in_a_directive_stays(void **state)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_node *tree =
        e8_node_from_text(arena, E8_LIT("{\"a\":{\"{{$choose}}\":[\"x\",\"y\"]},\"b\":\"z\"}"));
    const struct e8_node *within = tree->first->first->first, *beside = tree->first->next;
    struct e8_template *shape;
    (void)state;
    assert_true(e8_str_is(within->text, "x") && e8_str_is(beside->text, "z"));
    e8_template_shape(e8_catalog_vocab(builtin()), tree, &within, 1, &shape);
    assert_null(shape);
    e8_template_shape(e8_catalog_vocab(builtin()), tree, &beside, 1, &shape);
    assert_non_null(shape);
    e8_template_free(&shape);
    e8_arena_free(&arena);
}

static void a_value_that_does_not_fit_is_refused(void **state)
{
    size_t type = (size_t)e8_catalog_find(builtin(), E8_LIT("message.sent"));
    struct world w = {.arena = e8_arena_new()};
    struct e8_template *shape;
    char *text = e8_new(E8_TEMPLATE_OUT_MAX + 1, 1);
    (void)state;
    put(&w, "data.text", "x");
    e8_catalog_shape(builtin(), type, w.edits, w.count, &shape);
    assert_non_null(shape);
    memset(text, 'x', E8_TEMPLATE_OUT_MAX);
    struct e8_node node = {.kind = E8_STRING, .text = {text, E8_TEMPLATE_OUT_MAX}};
    w.edits[0].value = &node;
    assert_null(filled(&w, shape));
    node.text.n = 1000;
    assert_non_null(filled(&w, shape));
    e8_template_free(&shape);
    free(text);
    e8_arena_free(&w.arena);
}

int test_shapes(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_render_the_same),
        cmocka_unit_test(what_has_no_shape),
        cmocka_unit_test(what_stands_in_a_directive_stays),
        cmocka_unit_test(a_value_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
