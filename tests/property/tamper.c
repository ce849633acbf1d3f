/* Every event of the catalogue in every form: of the same meaning where the form says so, valid by its schema, and of other bytes.
 * Seeded: E8_SEED=N repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/catalog.h"
#include "catalog/schema.h"
#include "doc/json.h"
#include "tamper/tamper.h"

#define ROUNDS 40
#define START  ((e8_wall_ns)1767225600 * E8_NS_S)

static const struct form {
    const char *name;
    bool same;  /* in meaning, always */
    bool extra; /* in meaning, but for fields that are added at need or always */
} forms[] = {
    {"spaced", true, false},          {"pretty", true, false},         {"escaped_slash", false, true},
    {"escaped_unicode", false, true}, {"float_numbers", false, true},  {"trailing_newline", true, false},
    {"reordered", true, false},       {"escaped_nul", false, true},    {"four_byte", false, true},
    {"extra_fields", false, true},    {"null_optional", false, false},
};

static uint64_t seed = 0x7a3;
static struct e8_catalog *catalog;

struct pair {
    struct e8_buf body, made, canon[2];
};

static void render(size_t type, unsigned index, struct e8_buf *out)
{
    const struct e8_type *t = e8_catalog_type(catalog, type);
    char id[E8_ID_MAX];
    e8_id_make("evt_", START, e8_mix(index, seed), e8_mix(index, 2), id);
    struct e8_facts facts = {
        .seed = seed,
        .flow = e8_hash_str(E8_LIT("tamper")),
        .instance = index,
        .sequence = 1,
        .flow_started = START,
        .at = START + (e8_dur_ns)index * E8_NS_S,
        .id = e8_str(id),
        .type = e8_str(t->name),
        .category = e8_str(t->category),
        .environment = E8_LIT("production"),
        .type_index = (uint16_t)type,
    };
    e8_buf_reset(out);
    assert_int_equal(e8_template_render(e8_catalog_event(catalog, type), &facts, out), E8_OK);
}

/* The meaning as bytes: keys sorted, numbers in one form. */
static struct e8_str canon(struct e8_str body, struct e8_buf *out)
{
    static const struct e8_json_style style = {.sorted = true, .numbers = true};
    struct e8_doc *doc = NULL;
    struct e8_err err = {0};
    if (e8_doc_parse("body", body, E8_DOC_JSON, &doc, &err) != E8_OK)
        fail_msg("%s: %.*s", err.what, E8_STR(body));
    e8_buf_reset(out);
    e8_json_rewrite(e8_doc_root(doc), &style, out);
    e8_doc_free(&doc);
    return e8_buf_str(out);
}

static void check(const struct form *form, const struct e8_tamper *tamper, const struct e8_schema *schema,
                  struct pair *p)
{
    struct e8_err err = {0};
    e8_buf_reset(&p->made);
    assert_true(e8_tamper_body(tamper, e8_buf_str(&p->body), seed, &p->made));
    struct e8_str body = e8_buf_str(&p->body), made = e8_buf_str(&p->made);
    if (e8_str_eq(body, made))
        fail_msg("%s changes nothing: %.*s", form->name, E8_STR(made));
    struct e8_str before = canon(body, &p->canon[0]), after = canon(made, &p->canon[1]);
    if (form->same && !e8_str_eq(before, after))
        fail_msg("%s changes the meaning: %.*s", form->name, E8_STR(made));
    if (form->extra && after.n < before.n)
        fail_msg("%s loses something: %.*s", form->name, E8_STR(made));
    if (e8_schema_check(schema, made, &err) != E8_OK)
        fail_msg("%s: %s: %.*s", form->name, err.what, E8_STR(made));
}

static const struct e8_tamper *tamper_of(struct e8_arena *arena, const char *form)
{
    struct e8_doc *doc = NULL;
    const struct e8_tamper *tamper = NULL;
    char yaml[64];
    snprintf(yaml, sizeof yaml, "body: {form: %s}", form);
    assert_int_equal(e8_doc_parse("t", e8_str(yaml), E8_DOC_YAML, &doc, NULL), E8_OK);
    assert_int_equal(e8_tamper_parse(arena, e8_doc_root(doc), &tamper, NULL), E8_OK);
    e8_doc_free(&doc); /* texts are copied */
    return tamper;
}

static void forms_stay_valid(void **state)
{
    (void)state;
    struct e8_arena *arena = e8_arena_new();
    struct pair p;
    e8_buf_init(&p.body, 1 << 20);
    e8_buf_init(&p.made, 1 << 20);
    e8_buf_init(&p.canon[0], 1 << 20);
    e8_buf_init(&p.canon[1], 1 << 20);
    for (size_t f = 0; f < E8_COUNT(forms); f++) {
        const struct e8_tamper *tamper = tamper_of(arena, forms[f].name);
        for (size_t type = 0; type < e8_catalog_count(catalog); type++) {
            struct e8_schema *schema = NULL;
            assert_int_equal(e8_schema_parse("s", e8_catalog_schema(catalog, type), &schema, NULL), E8_OK);
            for (unsigned i = 0; i < ROUNDS; i++) {
                render(type, i, &p.body);
                check(&forms[f], tamper, schema, &p);
            }
            e8_schema_free(&schema);
        }
    }
    e8_buf_fini(&p.body);
    e8_buf_fini(&p.made);
    e8_buf_fini(&p.canon[0]);
    e8_buf_fini(&p.canon[1]);
    e8_arena_free(&arena);
}

static int setup(void **state)
{
    struct e8_errs errs;
    const char *text = getenv("E8_SEED");
    (void)state;
    if (text != NULL)
        assert_true(e8_parse_u64(e8_str(text), &seed));
    printf("seed %llu\n", (unsigned long long)seed);
    e8_errs_init(&errs);
    assert_int_equal(e8_catalog_load(NULL, &catalog, &errs), E8_OK);
    e8_errs_fini(&errs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    e8_catalog_free(&catalog);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forms_stay_valid)};
    return cmocka_run_group_tests_name("property: tamper", tests, setup, teardown);
}
