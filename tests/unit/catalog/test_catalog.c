/* Loading, overlays that are right, export, ids. */
#include <stdio.h>
#include <sys/stat.h>

#include "doc/doc.h"
#include "tests.h"

static void all_sixteen_types_are_there(void **state)
{
    static const char *const some[] = {"conversation.created", "message.sent", "account.billing_updated"};
    const struct e8_catalog *c = builtin();
    (void)state;
    assert_int_equal(e8_catalog_count(c), 16);
    for (size_t i = 0; i < 16; i++) {
        const struct e8_type *type = e8_catalog_type(c, i);
        assert_string_equal(type->name, e8_catalog_names(c)[i]);
        assert_int_equal(e8_catalog_find(c, e8_str(type->name)), (int)i);
        assert_true(type->weight > 0 && type->description[0] && type->category[0]);
        assert_true(e8_str_starts(e8_str(type->name), type->category));
        assert_non_null(e8_catalog_event(c, i));
        assert_true(e8_template_max(e8_catalog_event(c, i)) < E8_TEMPLATE_OUT_MAX);
        assert_true(e8_catalog_schema(c, i).n > 100);
    }
    assert_null(e8_catalog_names(c)[16]);
    for (size_t i = 0; i < E8_COUNT(some); i++) {
        assert_true(e8_catalog_find(c, e8_str(some[i])) >= 0);
    }
    assert_int_equal(e8_catalog_find(c, E8_LIT("message.sen")), -1);
    assert_int_equal(e8_catalog_find(c, E8_LIT("")), -1);
    assert_int_equal(strlen(e8_catalog_digest(c)), 64);
}

static void the_platform_is_as_known(void **state)
{
    const struct e8_platform *p = e8_catalog_platform(builtin());
    (void)state;
    assert_int_equal(p->deadline, 5 * E8_NS_S);
    assert_int_equal(p->retry.attempts, 5);
    assert_int_equal(p->retry.base, E8_NS_S);
    assert_int_equal(p->retry.cap, 60 * E8_NS_S);
    assert_int_equal(p->retry.jitter, E8_JITTER_FULL);
    assert_string_equal(p->environments[0], "production");
    assert_string_equal(p->content_type, "application/json");
    assert_int_equal(p->header_count, 4);
    assert_non_null(e8_schemes_find(e8_catalog_schemes(builtin()), "8bit"));
}

static void builtin_events_match_their_schemas(void **state)
{
    struct e8_errs errs;
    (void)state;
    e8_errs_init(&errs);
    if (e8_catalog_check(builtin(), 30, &errs)) {
        print_errors(&errs);
    }
    assert_int_equal(errs.total, 0);
    e8_errs_fini(&errs);
}

static void builtin_files_are_found(void **state)
{
    (void)state;
    assert_non_null(e8_catalog_builtin("fixtures/catalog.json").p);
    assert_non_null(e8_catalog_builtin("scenarios/quick.yaml").p);
    assert_null(e8_catalog_builtin("scenarios/quick").p);
    assert_null(e8_catalog_builtin("").p);
    const char *path = NULL, *before = "";
    size_t count = 0;
    while ((path = e8_catalog_builtin_next("scenarios/checks/", path)) != NULL) {
        assert_true(strcmp(before, path) < 0);
        assert_int_equal(strncmp(path, "scenarios/checks/", 17), 0);
        assert_non_null(e8_catalog_builtin(path).p);
        before = path;
        count++;
    }
    assert_true(count > 5);
    assert_null(e8_catalog_builtin_next("nothing/", NULL));
}

static enum e8_rc load(const char *path, struct e8_catalog **out)
{
    struct e8_errs errs;
    e8_errs_init(&errs);
    enum e8_rc rc = e8_catalog_load(path, out, &errs);
    if (rc) {
        print_errors(&errs);
    }
    e8_errs_fini(&errs);
    return rc;
}

static void render(const struct e8_catalog *c, const char *type, struct e8_buf *out)
{
    int index = e8_catalog_find(c, e8_str(type));
    assert_true(index >= 0);
    struct e8_facts facts = {.seed = 1,
                             .sequence = 1,
                             .id = E8_LIT("evt_1"),
                             .type = e8_str(type),
                             .category = E8_LIT("c"),
                             .environment = E8_LIT("staging"),
                             .type_index = (uint16_t)index};
    e8_buf_init(out, SIZE_MAX / 2);
    assert_int_equal(e8_template_render(e8_catalog_event(c, (size_t)index), &facts, out), E8_OK);
}

/* The seventeenth type: three files, no C. */
static void a_type_is_added_by_files_alone(void **state)
{
    struct e8_catalog *c = NULL;
    struct e8_errs errs;
    struct e8_buf body;
    (void)state;
    assert_int_equal(load(E8_SOURCE_DIR "/tests/fixtures/seventeenth", &c), E8_OK);
    assert_int_equal(e8_catalog_count(c), 17);
    assert_true(e8_catalog_find(c, E8_LIT("invoice.paid")) >= 0);
    render(c, "invoice.paid", &body);
    assert_non_null(memmem(body.p, body.n, "\"type\":\"invoice.paid\"", 21));
    e8_buf_fini(&body);
    e8_errs_init(&errs);
    assert_int_equal(e8_catalog_check(c, 30, &errs), E8_OK);
    e8_errs_fini(&errs);
    assert_string_not_equal(e8_catalog_digest(c), e8_catalog_digest(builtin()));
    e8_catalog_free(&c);
    assert_null(c);
    e8_catalog_free(&c);
}

static void an_overlay_replaces_file_by_file(void **state)
{
    struct place place;
    struct e8_catalog *c = NULL;
    struct e8_buf body;
    (void)state;
    place_make(&place);
    place_put(&place, "envelope.json", "{\"kind\": \"{{event.type}}\", \"payload\": \"{{event.data}}\"}");
    place_put(&place, "events/message.sent.json", "{\"hello\": \"{{$pick greetings}}\"}");
    place_put(&place, "words/greetings.json", "[\"hi\"]");
    place_put(&place, "notes.txt", "ignored");
    place_put(&place, ".hidden.json", "ignored");
    assert_int_equal(load(place.path, &c), E8_OK);
    render(c, "message.sent", &body);
    assert_true(e8_str_is(e8_buf_str(&body), "{\"kind\":\"message.sent\",\"payload\":{\"hello\":\"hi\"}}"));
    e8_buf_fini(&body);
    e8_catalog_free(&c);
    place_remove(&place);
}

static void what_is_exported_is_the_same_catalogue(void **state)
{
    struct place place;
    struct e8_catalog *c = NULL;
    struct e8_err err = {0};
    char below[128], path[160];
    struct stat st;
    (void)state;
    place_make(&place);
    snprintf(below, sizeof below, "%s/deep/er", place.path);
    assert_int_equal(e8_catalog_export(builtin(), below, false, &err), E8_OK);
    assert_int_equal(load(below, &c), E8_OK);
    assert_string_equal(e8_catalog_digest(c), e8_catalog_digest(builtin()));
    e8_catalog_free(&c);

    assert_int_equal(e8_catalog_export(builtin(), below, false, &err), E8_INPUT);
    assert_string_equal(err.what, "file exists");
    assert_non_null(strstr(err.hint, "--force"));
    snprintf(path, sizeof path, "%s/words/tags.json", below);
    FILE *out = fopen(path, "w");
    fputs("[]", out);
    fclose(out);
    assert_int_equal(e8_catalog_export(builtin(), below, true, &err), E8_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 2);
    place_remove(&place);
}

static void the_digest_knows_every_byte(void **state)
{
    struct place place;
    struct e8_catalog *a = NULL, *b = NULL;
    (void)state;
    place_make(&place);
    place_put(&place, "words/tags.json", "[\"a\", \"b\"]");
    assert_int_equal(load(place.path, &a), E8_OK);
    place_put(&place, "words/tags.json", "[\"a\", \"c\"]");
    assert_int_equal(load(place.path, &b), E8_OK);
    assert_string_not_equal(e8_catalog_digest(a), e8_catalog_digest(b));
    e8_catalog_free(&b);
    place_put(&place, "words/tags.json", "[\"a\", \"b\"]");
    assert_int_equal(load(place.path, &b), E8_OK);
    assert_string_equal(e8_catalog_digest(a), e8_catalog_digest(b));
    e8_catalog_free(&a);
    e8_catalog_free(&b);
    place_remove(&place);
}

static void ids_sort_by_time(void **state)
{
    static const e8_wall_ns times[] = {-5, 0, 1, 999999, E8_NS_MS, E8_NS_S, 1767225600 * E8_NS_S, E8_NEVER};
    char before[E8_ID_MAX] = "", id[E8_ID_MAX];
    (void)state;
    for (size_t i = 0; i < E8_COUNT(times); i++) {
        e8_id_make("evt_", times[i], UINT64_MAX * (i % 2), 7 * i, id);
        assert_int_equal(strlen(id), 4 + 26);
        assert_memory_equal(id, "evt_", 4);
        assert_int_equal(strspn(id + 4, "0123456789abcdefghjkmnpqrstvwxyz"), 26);
        assert_true(strncmp(before, id, 14) <= 0);
        memcpy(before, id, sizeof id);
    }
    e8_id_make("", 1700000000123 * E8_NS_MS, 0, 0, id);
    assert_string_equal(id, "01hf7yat3v0000000000000000");
    e8_id_make("x", 0, 31, 1, id);
    assert_string_equal(id, "x0000000000z000000010000000");
}

int test_catalog(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sixteen_types_are_there),
        cmocka_unit_test(the_platform_is_as_known),
        cmocka_unit_test(builtin_events_match_their_schemas),
        cmocka_unit_test(builtin_files_are_found),
        cmocka_unit_test(a_type_is_added_by_files_alone),
        cmocka_unit_test(an_overlay_replaces_file_by_file),
        cmocka_unit_test(what_is_exported_is_the_same_catalogue),
        cmocka_unit_test(the_digest_knows_every_byte),
        cmocka_unit_test(ids_sort_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
