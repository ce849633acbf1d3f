/* The part of JSON Schema that fixtures use. */
#include "catalog/schema.h"
#include "doc/doc.h"
#include "tests.h"

static void each_keyword_decides(void **state)
{
    static const struct {
        const char *schema, *good, *bad; /* documents, '|' between them */
    } table[] = {
        {"true", "1|null|{}", NULL},
        {"false", NULL, "1|null|{}"},
        {"{}", "1|null|[]", NULL},
        {"{\"type\":\"object\"}", "{}|{\"a\":1}", "[]|null|1|\"{}\"|true"},
        {"{\"type\":\"array\"}", "[]|[1]", "{}|null"},
        {"{\"type\":\"string\"}", "\"\"|\"x\"", "1|null|[]"},
        {"{\"type\":\"number\"}", "1|1.5|-2e3", "\"1\"|null|true"},
        {"{\"type\":\"integer\"}", "1|-7|2.0", "1.5|\"1\"|null"},
        {"{\"type\":\"boolean\"}", "true|false", "0|null|\"true\""},
        {"{\"type\":\"null\"}", "null", "0|false|\"\""},
        {"{\"type\":[\"string\",\"null\"]}", "null|\"x\"", "0|[]"},
        {"{\"enum\":[1,\"a\",null,{\"x\":[1]}]}", "1|\"a\"|null|{\"x\":[1]}|1.0", "2|\"A\"|{\"x\":[2]}|[]"},
        {"{\"const\":\"a\"}", "\"a\"", "\"A\"|1|null"},
        {"{\"const\":{\"a\":1}}", "{\"a\":1}", "{\"a\":1,\"b\":2}|{}"},
        {"{\"required\":[\"a\",\"b\"]}", "{\"a\":1,\"b\":null}|5|[]", "{\"a\":1}|{}|{\"A\":1,\"b\":1}"},
        {"{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{}|{\"a\":\"x\"}|{\"b\":1}|5", "{\"a\":1}"},
        {"{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{}|{\"a\":1}|5",
         "{\"b\":1}|{\"a\":1,\"b\":1}"},
        {"{\"properties\":{\"a\":true},\"additionalProperties\":{\"type\":\"null\"}}", "{\"a\":1,\"b\":null}",
         "{\"b\":1}"},
        {"{\"additionalProperties\":false}", "{}|[]", "{\"b\":1}"},
        {"{\"items\":{\"type\":\"integer\"}}", "[]|[1,2]|{}|\"x\"", "[1,\"2\"]|[null]"},
        {"{\"uniqueItems\":true}", "[]|[1,2]|[1,\"1\"]|5", "[1,1]|[{\"a\":1},{\"a\":1}]|[1,2,1]"},
        {"{\"uniqueItems\":false}", "[1,1]", NULL},
        {"{\"minItems\":2,\"maxItems\":3}", "[1,2]|[1,2,3]|\"x\"", "[]|[1]|[1,2,3,4]"},
        {"{\"minLength\":2,\"maxLength\":3}", "\"ab\"|\"abc\"|\"\xc3\xa4\xf0\x9f\x98\x80\"|5",
         "\"a\"|\"abcd\"|\"\xc3\xa4\""},
        {"{\"minimum\":1,\"maximum\":3}", "1|3|2.5|\"0\"", "0.999|3.001|-5"},
        {"{\"exclusiveMinimum\":1,\"exclusiveMaximum\":3}", "1.001|2|2.999", "1|3|0|4"},
        {"{\"pattern\":\"^a[0-9]{2}$\"}", "\"a12\"|5|null", "\"a1\"|\"xa12\"|\"\""},
        {"{\"pattern\":\"b\"}", "\"abc\"", "\"ac\""},
        {"{\"format\":\"date-time\"}", "\"2026-03-01T12:00:00Z\"|\"2026-03-01T12:00:00.123+01:00\"|5",
         "\"2026-03-01\"|\"2026-03-01T12:00:00\"|\"x\"|\"2026-02-30T12:00:00Z\""},
        {"{\"format\":\"email\"}", "\"x\"", NULL},
        {"{\"anyOf\":[{\"type\":\"string\"},{\"minimum\":5}]}", "\"x\"|5|null|\"\"", "4|0"},
        {"{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":5}]}", "4|5.5|\"x\"", "7|1.5"},
        {"{\"allOf\":[{\"minimum\":1},{\"maximum\":2}]}", "1|2", "0|3"},
        {"{\"anyOf\":[]}", NULL, "1"},
        {"{\"allOf\":[]}", "1", NULL},
        {"{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"type\":\"string\"}}}", "\"x\"", "1"},
        {"{\"$defs\":{\"t\":{\"properties\":{\"next\":{\"$ref\":\"#/$defs/"
         "t\"},\"v\":{\"type\":\"integer\"}}}},"
         "\"$ref\":\"#/$defs/t\"}",
         "{\"next\":{\"next\":{\"v\":1}}}", "{\"next\":{\"next\":{\"v\":\"1\"}}}"},
        {"{\"properties\":{\"a\":{\"$ref\":\"#\"}},\"type\":\"object\"}", "{\"a\":{\"a\":{}}}",
         "{\"a\":{\"a\":1}}"},
        {"{\"$ref\":\"#\"}", NULL, "1"}, /* never ends: too deep */
        {"{\"title\":\"t\",\"description\":\"d\",\"examples\":[1],\"default\":5,\"deprecated\":true,\"$id\":"
         "\"x\","
         "\"$schema\":\"y\",\"$comment\":\"z\"}",
         "1", NULL},
        {"{\"oneOf\":[{\"properties\":{\"k\":{\"const\":\"a\"},\"x\":{\"type\":\"string\"}},\"required\":["
         "\"k\",\"x\"]},"
         "{\"properties\":{\"k\":{\"const\":\"b\"}},\"required\":[\"k\"]}]}",
         "{\"k\":\"a\",\"x\":\"\"}|{\"k\":\"b\"}", "{\"k\":\"a\"}|{\"k\":\"c\"}|{}"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_schema *schema = NULL;
        struct e8_err err = {0};
        if (e8_schema_parse("s.json", e8_str(table[i].schema), &schema, &err)) {
            fail_msg("%s: %s", table[i].schema, err.what);
        }
        for (int good = 0; good < 2; good++) {
            struct e8_str rest = e8_str(good ? table[i].good : table[i].bad), document;
            while (rest.n && e8_str_split(&rest, '|', &document)) {
                memset(&err, 0, sizeof err);
                enum e8_rc rc = e8_schema_check(schema, document, &err);
                if ((rc == E8_OK) != good) {
                    fail_msg("%s: %.*s: %s", table[i].schema, E8_STR(document), err.what);
                }
                assert_true(good || (rc == E8_INPUT && err.what[0]));
            }
        }
        e8_schema_free(&schema);
        assert_null(schema);
    }
}

static void bad_schemas_have_a_place(void **state)
{
    static const struct {
        const char *text;
        int line, col;
        const char *what, *hint;
    } table[] = {
        {"{\"typ\": \"string\"}", 1, 2, "unknown keyword \"typ\"", "type"},
        {"{\n  \"properties\": {\n    \"a\": {\"minLenght\": 1}}}", 3, 11, "minLenght", "minLength"},
        {"{\"if\": {}}", 1, 2, "unknown keyword \"if\"", ""},
        {"{\"not\": {}}", 1, 2, "unknown keyword \"not\"", ""},
        {"{\"patternProperties\": {}}", 1, 2, "unknown keyword", ""},
        {"{\"type\": \"strng\"}", 1, 2, "wrong type", ""},
        {"{\"type\": []}", 1, 2, "wrong type", ""},
        {"{\"type\": [\"string\", 5]}", 1, 2, "wrong type", ""},
        {"{\"required\": \"a\"}", 1, 2, "wrong type", ""},
        {"{\"required\": [5]}", 1, 2, "wrong type", ""},
        {"{\"enum\": 5}", 1, 2, "wrong type", ""},
        {"{\"properties\": []}", 1, 2, "wrong type", ""},
        {"{\"properties\": {\"a\": 5}}", 1, 17, "is no schema", ""},
        {"{\"items\": 5}", 1, 2, "is no schema", ""},
        {"{\"minimum\": \"1\"}", 1, 2, "wrong type", ""},
        {"{\"uniqueItems\": 1}", 1, 2, "wrong type", ""},
        {"{\"pattern\": \"[\"}", 1, 2, "cannot be used", "without \\d"},
        {"{\"pattern\": 5}", 1, 2, "wrong type", ""},
        {"{\"$ref\": \"#/$defs/x\"}", 1, 2, "leads nowhere", "#/$defs/NAME"},
        {"{\"$ref\": \"http://example.com/\"}", 1, 2, "leads nowhere", ""},
        {"{\"$ref\": 5}", 1, 2, "wrong type", ""},
        {"{\"$defs\": {\"x\": {\"typo\": 1}}}", 1, 18, "typo", ""},
        {"{\"anyOf\": {}}", 1, 2, "wrong type", ""},
        {"{\"anyOf\": [5]}", 1, 2, "is no schema", ""},
        {"[]", 1, 1, "is no schema", ""},
        {"5", 1, 1, "is no schema", ""},
        {"", 1, 1, "", ""},
        {"{", 1, 2, "", ""},
        {"{} x", 1, 4, "", ""},
        {"{\"a\": 1,\n\"a\": 2}", 2, 1, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_schema *schema = NULL;
        struct e8_err err = {0};
        if (!e8_schema_parse("s.json", e8_str(table[i].text), &schema, &err)) {
            fail_msg("%s was taken", table[i].text);
        }
        assert_null(schema);
        if (strcmp(err.file, "s.json") != 0 || err.line != table[i].line || err.col != table[i].col ||
            !strstr(err.what, table[i].what) || !strstr(err.hint, table[i].hint)) {
            fail_msg("%s: %s:%d:%d: %s (%s)", table[i].text, err.file, err.line, err.col, err.what, err.hint);
        }
        assert_int_equal(e8_schema_parse("s.json", e8_str(table[i].text), &schema, NULL), E8_INPUT);
    }
}

static void documents_are_told_with_a_pointer(void **state)
{
    static const char text[] =
        "{\"properties\":{\"a\":{\"items\":{\"properties\":{\"x/y~\":{\"type\":\"string\"}}}}}}";
    struct e8_schema *schema = NULL;
    struct e8_err err = {0};
    (void)state;
    assert_int_equal(e8_schema_parse("s.json", e8_str(text), &schema, &err), E8_OK);
    assert_int_equal(e8_schema_check(schema, E8_LIT("{\"a\":[{},{\"x/y~\":5}]}"), &err), E8_INPUT);
    assert_non_null(strstr(err.what, "/a/1/x~1y~0"));
    assert_int_equal(e8_schema_check(schema, E8_LIT("{\"a\":[{},{\"x/y~\":5}]}"), NULL), E8_INPUT);
    assert_int_equal(e8_schema_check(schema, E8_LIT("{\"a\""), &err), E8_INPUT);
    assert_int_equal(e8_schema_check(schema, E8_LIT("{} {}"), &err), E8_INPUT); /* not two documents */
    assert_int_equal(e8_schema_check(schema, E8_LIT("{}x"), &err), E8_INPUT);
    assert_int_equal(e8_schema_check(schema, E8_LIT(""), &err), E8_INPUT);
    assert_int_equal(e8_schema_check(schema, E8_LIT(" {} \n"), &err), E8_OK);
    e8_schema_free(&schema);
}

static void deep_documents_come_to_an_end(void **state)
{
    struct e8_schema *schema = NULL;
    struct e8_err err = {0};
    struct e8_buf text;
    (void)state;
    assert_int_equal(e8_schema_parse("s.json", E8_LIT("{\"items\": {\"$ref\": \"#\"}}"), &schema, &err),
                     E8_OK);
    e8_buf_init(&text, 1 << 20);
    for (int i = 0; i < 500; i++) {
        e8_buf_putc(&text, '[');
    }
    for (int i = 0; i < 500; i++) {
        e8_buf_putc(&text, ']');
    }
    assert_int_equal(e8_schema_check(schema, e8_buf_str(&text), &err), E8_INPUT);
    assert_non_null(strstr(err.what, "nested"));
    e8_buf_fini(&text);
    e8_schema_free(&schema);
}

/* Of each schema of the fixtures: what is rendered holds, and without its id, or with one that is no text, it does not. */
static void fixtures_agree(void **state)
{
    const struct e8_catalog *c = builtin();
    (void)state;
    for (size_t i = 0; i < e8_catalog_count(c); i++) {
        static const char *const removed[] = {"id", "type", "created_at", "environment", "data.id", "data"};
        struct e8_schema *schema = NULL;
        struct e8_err err = {0};
        assert_int_equal(e8_schema_parse("s", e8_catalog_schema(c, i), &schema, &err), E8_OK);
        for (size_t j = 0; j < 2 * E8_COUNT(removed); j++) {
            struct e8_edit edit = {.path = e8_str(removed[j / 2])};
            struct e8_arena *arena = e8_arena_new();
            struct e8_template *made = NULL;
            struct e8_errs errs;
            struct e8_buf body;
            edit.value = j % 2 ? e8_node_from_text(arena, E8_LIT("5")) : NULL;
            e8_errs_init(&errs);
            if (e8_catalog_template(c, i, &edit, 1, &made, &errs) ==
                E8_OK) { /* not every payload has an id */
                struct e8_facts facts = {.seed = 1,
                                         .sequence = 1,
                                         .at = 1767225600 * E8_NS_S,
                                         .id = E8_LIT("evt_1"),
                                         .type = e8_str(e8_catalog_names(c)[i]),
                                         .category = e8_str(e8_catalog_type(c, i)->category),
                                         .environment = E8_LIT("production"),
                                         .type_index = (uint16_t)i};
                e8_buf_init(&body, SIZE_MAX / 2);
                assert_int_equal(e8_template_render(made, &facts, &body), E8_OK);
                if (!e8_schema_check(schema, e8_buf_str(&body), &err)) {
                    fail_msg("%s: %s %s is taken", e8_catalog_names(c)[i], removed[j / 2], j % 2 ? "5" : "-");
                }
                e8_buf_fini(&body);
            }
            e8_template_free(&made);
            e8_errs_fini(&errs);
            e8_arena_free(&arena);
        }
        e8_schema_free(&schema);
    }
}

int test_schema(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_keyword_decides),
        cmocka_unit_test(bad_schemas_have_a_place),
        cmocka_unit_test(documents_are_told_with_a_pointer),
        cmocka_unit_test(deep_documents_come_to_an_end),
        cmocka_unit_test(fixtures_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
