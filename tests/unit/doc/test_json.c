/* JSON mode: RFC 8259, in the manner of JSONTestSuite (y_: accepted, n_: refused). */
#include "doc_test.h"

static const struct {
    struct e8_str text;
    const char *json; /* NULL: the same */
} accepted[] = {
    {TEXT("[[]   ]"), "[[]]"},
    {TEXT("[\"\"]"), NULL},
    {TEXT("[]"), NULL},
    {TEXT("[\"a\"]"), NULL},
    {TEXT("[false]"), NULL},
    {TEXT("[null, 1, \"1\", {}]"), "[null,1,\"1\",{}]"},
    {TEXT("[1\n]"), "[1]"},
    {TEXT(" [1]"), "[1]"},
    {TEXT("[1,null,null,null,2]"), NULL},
    {TEXT("[2] "), "[2]"},
    {TEXT("\r\n\t [2]\r\n"), "[2]"},
    {TEXT("[123e65]"), NULL},
    {TEXT("[0e+1]"), NULL},
    {TEXT("[0e1]"), NULL},
    {TEXT("[ 4]"), "[4]"},
    {TEXT("[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"), NULL},
    {TEXT("[20e1]"), NULL},
    {TEXT("[-0]"), NULL},
    {TEXT("[-123]"), NULL},
    {TEXT("[1E22]"), NULL},
    {TEXT("[1E-2]"), NULL},
    {TEXT("[1E+2]"), NULL},
    {TEXT("[123.456e78]"), NULL},
    {TEXT("[1e-400]"), NULL},
    {TEXT("[9223372036854775807,-9223372036854775808]"), NULL},
    {TEXT("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), "{\"asd\":\"sdf\",\"dfg\":\"fgh\"}"},
    {TEXT("{}"), NULL},
    {TEXT("{\"\":0}"), NULL},
    {TEXT("{\"a\":[]}"), NULL},
    {TEXT("{\n\"a\": \"b\"\n}"), "{\"a\":\"b\"}"},
    {TEXT("[\"\\u0060\\u012a\\u12AB\"]"), "[\"`\u012a\u12ab\"]"},
    {TEXT("[\"\\uD801\\udc37\"]"), "[\"\U00010437\"]"},
    {TEXT("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), "[\"\U0001F639\U0001F48D\"]"},
    {TEXT("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), "[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]"},
    {TEXT("[\"\\\\u0000\"]"), NULL},
    {TEXT("[\"\\u0000\"]"), NULL},
    {TEXT("[\"a/*b*/c/*d//e\"]"), NULL},
    {TEXT("[\"\\uDBFF\\uDFFF\"]"), "[\"\U0010FFFF\"]"},
    {TEXT("[\"\\uFFFF\"]"), "[\"\xEF\xBF\xBF\"]"},
    {TEXT("[\"\xEF\xBF\xBF\"]"), NULL},
    {TEXT("[\"\xEF\xBB\xBF\"]"), NULL},
    {TEXT("[\"\x7F\"]"), NULL},
    {TEXT("[\"\xC2\x85\xE2\x80\xA8\xE2\x80\xA9\"]"), NULL},
    {TEXT("\" \""), NULL},
    {TEXT("42"), NULL},
    {TEXT("-0.1"), NULL},
    {TEXT("null"), NULL},
    {TEXT("true"), NULL},
    {TEXT("\"asd\""), NULL},
    {TEXT("{\"<<\":1,\"null\":null}"), NULL},
    {TEXT("{\"a\":{\"b\":1},\"c\":{\"b\":1}}"), NULL},
};

static const struct refusal refused[] = {
    {TEXT(""), 1, 1, "empty", ""},
    {TEXT(" \n\t"), 1, 1, "empty", ""},
    {TEXT("[1 true]"), 1, 4, "expected ',' or ']', found 't'", ""},
    {TEXT("[\"\": 1]"), 1, 4, "found ':'", ""},
    {TEXT("[\"\"],"), 1, 5, "expected the end", ""},
    {TEXT("[,1]"), 1, 2, "expected a value, found ','", ""},
    {TEXT("[1,,2]"), 1, 4, "expected a value", ""},
    {TEXT("[\"x\"]]"), 1, 6, "expected the end of the document, found ']'", ""},
    {TEXT("[\"\",]"), 1, 4, "a comma before ']'", "remove the comma"},
    {TEXT("{\"a\":0,}"), 1, 7, "a comma before '}'", "remove the comma"},
    {TEXT("[\"x\""), 1, 5, "found the end of the text", ""},
    {TEXT("[x"), 1, 2, "expected a value, found 'x'", "values are"},
    {TEXT("[3[ 4]]"), 1, 3, "found '['", ""},
    {TEXT("[1:2]"), 1, 3, "found ':'", ""},
    {TEXT("["), 1, 2, "found the end", ""},
    {TEXT("{"), 1, 2, "expected a key", ""},
    {TEXT("[nul]"), 1, 2, "expected a value", ""},
    {TEXT("[fals]"), 1, 2, "expected a value", ""},
    {TEXT("[True]"), 1, 2, "expected a value, found 'T'", "small letters"},
    {TEXT("[NaN]"), 1, 2, "", "no NaN"},
    {TEXT("[-NaN]"), 1, 3, "expected a digit, found 'N'", ""},
    {TEXT("[Infinity]"), 1, 2, "", "no infinity"},
    {TEXT("[-Infinity]"), 1, 2, "", "no infinity"},
    {TEXT("[+1]"), 1, 2, "", "no plus"},
    {TEXT("[.5]"), 1, 2, "", "a digit goes before"},
    {TEXT("[-01]"), 1, 2, "leading zeros", "quotes"},
    {TEXT("[012]"), 1, 2, "leading zeros", ""},
    {TEXT("[00]"), 1, 2, "leading zeros", ""},
    {TEXT("[2.]"), 1, 4, "a digit after the decimal point", ""},
    {TEXT("[-2.e1]"), 1, 5, "a digit after", ""},
    {TEXT("[0e]"), 1, 4, "a digit in the exponent", ""},
    {TEXT("[0e+]"), 1, 5, "a digit in the exponent", ""},
    {TEXT("[1eE2]"), 1, 4, "a digit in the exponent", ""},
    {TEXT("[-]"), 1, 3, "expected a digit, found ']'", ""},
    {TEXT("[--1]"), 1, 3, "expected a digit", ""},
    {TEXT("[1 000]"), 1, 4, "found '0'", ""},
    {TEXT("[0x1]"), 1, 3, "found 'x'", ""},
    {TEXT("[1a]"), 1, 3, "found 'a'", ""},
    {TEXT("1e400"), 1, 1, "1e400 is too large", "quotes"},
    {TEXT("[9223372036854775808]"), 1, 2, "does not fit in 64 bits", "quotes"},
    {TEXT("[-9223372036854775809]"), 1, 2, "does not fit in 64 bits", "quotes"},
    {TEXT("{\"x\"}"), 1, 5, "expected ':' after the key", ""},
    {TEXT("{\"x\", null}"), 1, 5, "expected ':'", ""},
    {TEXT("{\"x\"::1}"), 1, 6, "expected a value", ""},
    {TEXT("{\"a\" b}"), 1, 6, "expected ':'", ""},
    {TEXT("{a: 1}"), 1, 2, "expected a key, found 'a'", "double quotes"},
    {TEXT("{'a': 1}"), 1, 2, "expected a key", "double quotes"},
    {TEXT("['a']"), 1, 2, "", "double quotes"},
    {TEXT("{1: 1}"), 1, 2, "expected a key", "keys stand in double quotes"},
    {TEXT("{null: 1}"), 1, 2, "expected a key", ""},
    {TEXT("{\"a\":1 \"b\":2}"), 1, 8, "found '\"'", "a comma is missing"},
    {TEXT("{\"a\":1}\n{}"), 2, 1, "expected the end of the document", ""},
    {TEXT("[1]//x"), 1, 4, "found '/'", "no comments"},
    {TEXT("[/*x*/1]"), 1, 2, "", "no comments"},
    {TEXT("# x\n[]"), 1, 1, "", "no comments"},
    {TEXT("[\"\\a\"]"), 1, 3, "unknown escape", ""},
    {TEXT("[\"\\x00\"]"), 1, 3, "unknown escape", ""},
    {TEXT("[\"\\\xC3\xA9\"]"), 1, 3, "unknown escape", ""},
    {TEXT("[\"\\u00A\"]"), 1, 3, "broken \\u", "four hex digits"},
    {TEXT("[\"\\u"), 1, 2, "does not end", ""},
    {TEXT("[\"\\uD834\\uDd\"]"), 1, 3, "lone surrogate \\ud834", "pairs"},
    {TEXT("[\"\xC3\xA9\\ud800\"]"), 1, 4, "lone surrogate \\ud800", "pairs"},
    {TEXT("[\"\\udc00\\ud800\"]"), 1, 3, "lone surrogate \\udc00", ""},
    {TEXT("[\"\\ud800\\ud800\"]"), 1, 3, "lone surrogate", ""},
    {TEXT("[\"\\ud800x\"]"), 1, 3, "lone surrogate", ""},
    {TEXT("[\"\\"), 1, 2, "does not end", ""},
    {TEXT("[\"\\\\\\\"]"), 1, 2, "does not end", ""},
    {TEXT("[\"a"), 1, 2, "does not end", "a line break is \\n"},
    {TEXT("[\"a\nb\"]"), 1, 2, "does not end", ""},
    {TEXT("[\"a\tb\"]"), 1, 4, "U+0009 inside a string", "write it \\t"},
    {TEXT("[\"a\0b\"]"), 1, 4, "U+0000 inside a string", "\\u0000"},
    {TEXT("[\"\\\x1F\"]"), 1, 4, "U+001F inside a string", "\\u001f"},
    {TEXT("[\0]"), 1, 2, "U+0000", ""},
    {TEXT("[1]\0"), 1, 4, "expected the end", ""},
    {TEXT("[\f]"), 1, 2, "U+000C", ""},
    {TEXT("[\v1]"), 1, 2, "U+000B", ""},
    {TEXT("[\xC2\xA0"
          "1]"),
     1, 2, "", "no-break space"},
    {TEXT("[\xE2\x81\xA0]"), 1, 2, "expected a value", ""},
    {TEXT("[\xE2\x80\x9Cx\xE2\x80\x9D]"), 1, 2, "", "straight double quotes"},
    {TEXT("\xEF\xBB\xBF[]"), 1, 1, "byte order mark", "without a BOM"},
    {TEXT("[\"\xFF\"]"), 1, 3, "0xFF is not valid UTF-8", ""},
    {TEXT("[\"\xC3\xA9\xED\xA0\x80\"]"), 1, 4, "0xED is not valid UTF-8", ""},
    {TEXT("[\"\xC0\xAF\"]"), 1, 3, "0xC0 is not", ""},
    {TEXT("[\"\xF4\x90\x80\x80\"]"), 1, 3, "0xF4 is not", ""},
    {TEXT("\xFF\xFE[\0]\0"), 1, 1, "not valid UTF-8", "UTF-16"},
    {TEXT("{\"a\":1,\n \"b\":2, \"a\":3}"), 2, 9, "duplicate key \"a\"", "line 1, column 2"},
    {TEXT("{\"a\":1,\"\\u0061\":3}"), 1, 8, "duplicate key \"a\"", "line 1, column 2"},
    {TEXT("{\"a\\u0000\":1}"), 1, 2, "a key with a NUL", ""},
    {TEXT("*"), 1, 1, "expected a value", ""},
    {TEXT("[&a]"), 1, 2, "expected a value", ""},
    {TEXT("]"), 1, 1, "expected a value", ""},
    {TEXT("[}"), 1, 2, "expected a value", ""},
    {TEXT("{]"), 1, 2, "expected a key", ""},
    {TEXT("[1}"), 1, 3, "expected ',' or ']', found '}'", ""},
    {TEXT("<.>"), 1, 1, "expected a value", ""},
    {TEXT("\xC3\xA5"), 1, 1, "found '\xC3\xA5'", ""},
    {TEXT("[\"\xC3\xA5\xF0\x9F\x98\x80\" x]"), 1, 7, "found 'x'", ""},
    {TEXT("[1,\r\n2,\rx]"), 3, 1, "found 'x'", ""},
};

static void accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(accepted); i++) {
        struct e8_str same = accepted[i].text;
        check_json(E8_DOC_JSON, same, accepted[i].json ? accepted[i].json : same.p);
    }
}

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(refused); i++)
        check_refusal(E8_DOC_JSON, &refused[i]);
}

static void hints_speak_of_the_body(void **state)
{
    static const struct refusal rows[] = {
        {TEXT("[\"\xFF\"]"), 1, 3, "0xFF is not valid UTF-8", "send the body"},
        {TEXT("\xFF\xFE[\0]\0"), 1, 1, "not valid UTF-8", "send the body"},
        {TEXT("[1,]"), 1, 3, "a comma before", ""}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        check_refusal(E8_DOC_BODY, &rows[i]);
    check_json(E8_DOC_BODY, E8_LIT("{\"a\":[null]}"), "{\"a\":[null]}");
}

static void values_carry_places(void **state)
{
    (void)state;
    struct e8_doc *doc =
        must_parse(E8_DOC_JSON, e8_str("{\n  \"\u00e9\": [1, \"\u00e9\", {}],\r\n\t\"b\":\t-2.5 }"));
    const struct e8_node *root = e8_doc_root(doc), *list = e8_node_get(root, "\u00e9"),
                         *b = e8_node_get(root, "b");
    assert_int_equal(root->line, 1);
    assert_int_equal(root->col, 1);
    assert_int_equal(list->key_line, 2);
    assert_int_equal(list->key_col, 3);
    assert_int_equal(list->line, 2);
    assert_int_equal(list->col, 8);
    assert_int_equal(list->count, 3);
    assert_int_equal(list->first->next->col, 12);
    assert_int_equal(list->last->col, 17);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->key_col, 2);
    assert_int_equal(b->col, 7);
    assert_true(b->kind == E8_FLOAT && b->f == -2.5);
    check_str(b->text, "-2.5");
    assert_ptr_equal(b->doc, doc);
    assert_string_equal(e8_doc_name(doc), "file");
    e8_doc_free(&doc);
}

static void nul_in_a_value_is_counted(void **state)
{
    (void)state;
    struct e8_doc *doc = must_parse(E8_DOC_JSON, e8_str("\"a\\u0000b\""));
    const struct e8_node *root = e8_doc_root(doc);
    assert_int_equal(root->text.n, 3);
    assert_memory_equal(root->text.p, "a\0b", 3);
    assert_true(root->quoted);
    e8_doc_free(&doc);
}

static void ints_are_floats_too(void **state)
{
    (void)state;
    struct e8_doc *doc = must_parse(E8_DOC_JSON, e8_str("-12"));
    const struct e8_node *root = e8_doc_root(doc);
    assert_true(root->kind == E8_INT && root->i == -12 && e8_node_number(root) == -12.0 && !root->quoted);
    e8_doc_free(&doc);
}

int run_json_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(refuses),
        cmocka_unit_test(hints_speak_of_the_body),
        cmocka_unit_test(values_carry_places),
        cmocka_unit_test(nul_in_a_value_is_counted),
        cmocka_unit_test(ints_are_floats_too),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
