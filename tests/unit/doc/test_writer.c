/* The JSON writer. */
#include <locale.h>
#include <math.h>

#include "doc/json.h"
#include "doc_test.h"

static void write_all(struct e8_json *w)
{
    e8_json_object(w, NULL);
    e8_json_cstr(w, "s", "a\"\n\u00e9");
    e8_json_cstr(w, "n", NULL);
    e8_json_array(w, "l");
    e8_json_int(w, NULL, INT64_MIN);
    e8_json_bool(w, NULL, true);
    e8_json_object(w, NULL);
    e8_json_end(w, '}');
    e8_json_array(w, NULL);
    e8_json_end(w, ']');
    e8_json_null(w, NULL);
    e8_json_end(w, ']');
    e8_json_num(w, "f", 1.005, 2);
    e8_json_str(w, "k\\", (struct e8_str){"\0", 1});
    e8_json_raw(w, "r", E8_LIT("[1,2]"));
    e8_json_end(w, '}');
}

static void check_writer(int indent, const char *expected)
{
    struct e8_buf buf;
    e8_buf_init(&buf, 4096);
    struct e8_json w = e8_json_new(&buf, indent);
    write_all(&w);
    assert_int_equal(w.depth, 0);
    assert_string_equal(e8_buf_cstr(&buf), expected);
    struct e8_doc *doc = must_parse(E8_DOC_JSON, e8_buf_str(&buf));
    assert_int_equal(e8_doc_root(doc)->count, 6);
    e8_doc_free(&doc);
    e8_buf_fini(&buf);
}

static void writes_compact(void **state)
{
    (void)state;
    check_writer(
        0, "{\"s\":\"a\\\"\\n\u00e9\",\"n\":null,\"l\":[-9223372036854775808,true,{},[],null],\"f\":1.00,"
           "\"k\\\\\":\"\\u0000\",\"r\":[1,2]}");
}

static void writes_indented(void **state)
{
    (void)state;
    check_writer(
        2,
        "{\n  \"s\": \"a\\\"\\n\u00e9\",\n  \"n\": null,\n  \"l\": [\n    -9223372036854775808,\n    true,\n"
        "    {},\n    [],\n    null\n  ],\n  \"f\": 1.00,\n  \"k\\\\\": \"\\u0000\",\n  \"r\": [1,2]\n}");
}

static void check_num(double value, int decimals, const char *expected)
{
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    struct e8_json w = e8_json_new(&buf, 0);
    e8_json_num(&w, NULL, value, decimals);
    assert_string_equal(e8_buf_cstr(&buf), expected);
    e8_buf_fini(&buf);
}

static void numbers_have_fixed_decimals(void **state)
{
    (void)state;
    check_num(0, 0, "0");
    check_num(0.5, 3, "0.500");
    check_num(-0.0001, 2, "0.00");
    check_num(-1.25, 1, "-1.2");
    check_num((double)NAN, 2, "null");
    check_num((double)INFINITY, 2, "null");
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    struct e8_json w = e8_json_new(&buf, 0);
    e8_json_num(&w, NULL, -1.7976931348623157e308, 17);
    assert_int_equal(buf.n, 1 + 309 + 1 + 17);
    e8_buf_fini(&buf);
}

static void no_locale_reaches_numbers(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "de_DE"};
    for (size_t i = 0; i < E8_COUNT(locales); i++) {
        if (!setlocale(LC_ALL, locales[i]))
            continue;
        check_num(1234.5, 1, "1234.5");
        struct e8_node node = {.kind = E8_FLOAT, .f = 0.5};
        assert_string_equal(json_of(&node), "0.5");
        check_json(E8_DOC_YAML, e8_str("1.25"), "1.25");
    }
    setlocale(LC_ALL, "C");
}

static void values_at_the_top_stand_alone(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 64);
    struct e8_json w = e8_json_new(&buf, 4);
    e8_json_array(&w, NULL);
    e8_json_int(&w, NULL, 1);
    e8_json_end(&w, ']');
    e8_buf_putc(&buf, '\n');
    e8_json_int(&w, NULL, 2);
    assert_string_equal(e8_buf_cstr(&buf), "[\n    1\n]\n2");
    e8_buf_fini(&buf);
}

int run_writer_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_compact),
        cmocka_unit_test(writes_indented),
        cmocka_unit_test(numbers_have_fixed_decimals),
        cmocka_unit_test(no_locale_reaches_numbers),
        cmocka_unit_test(values_at_the_top_stand_alone),
    };
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
