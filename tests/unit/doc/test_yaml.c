/* YAML mode: what is accepted, and what it means. */
#include "doc_test.h"

static const struct {
    struct e8_str text;
    const char *json;
} accepted[] = {
    /* nulls and booleans of the core schema; the words of YAML 1.1 are strings */
    {TEXT("[~, null, Null, NULL, nUll]"), "[null,null,null,null,\"nUll\"]"},
    {TEXT("[true, True, TRUE, tRue]"), "[true,true,true,\"tRue\"]"},
    {TEXT("[false, False, FALSE]"), "[false,false,false]"},
    {TEXT("[YES, no, on, Off, y, n]"), "[\"YES\",\"no\",\"on\",\"Off\",\"y\",\"n\"]"},
    {TEXT("a:\nb: ~\n"), "{\"a\":null,\"b\":null}"},
    {TEXT("-\n- a\n-\n"), "[null,\"a\",null]"},
    {TEXT("null"), "null"},
    {TEXT("--- ~"), "null"},
    /* numbers */
    {TEXT("[0, 1, -1, +12, 007, -0, 1234567890123]"), "[0,1,-1,12,7,-0,1234567890123]"},
    {TEXT("[0x1F, 0xff, 0o17, 0x, 0o8, 0b1, -0x1, 0X1]"),
     "[31,255,15,\"0x\",\"0o8\",\"0b1\",\"-0x1\",\"0X1\"]"},
    {TEXT("[1.5, .5, 1., -.5, +1.5, 1e3, 1.E-3, .5e1, 01.50]"),
     "[1.5,0.5,1.0,-0.5,1.5,1e3,1.0E-3,0.5e1,1.50]"},
    {TEXT("[1_000, 12:30, 1.2.3, 1e, e1, '1', \"2\", ., +]"),
     "[\"1_000\",\"12:30\",\"1.2.3\",\"1e\",\"e1\",\"1\",\"2\",\".\",\"+\"]"},
    {TEXT("[2026-03-01, 5s, 20/s, 99.9%, 10MB]"), "[\"2026-03-01\",\"5s\",\"20/s\",\"99.9%\",\"10MB\"]"},
    {TEXT("[9223372036854775807, -9223372036854775808, 0x7fffffffffffffff]"),
     "[9223372036854775807,-9223372036854775808,9223372036854775807]"},
    {TEXT("[.NAN1, .infx, '.inf']"), "[\".NAN1\",\".infx\",\".inf\"]"},
    /* strings */
    {TEXT("a: plain # comment\nb: a#b\n"), "{\"a\":\"plain\",\"b\":\"a#b\"}"},
    {TEXT("a: two\n  lines\n\n  and a break\n"), "{\"a\":\"two lines\\nand a break\"}"},
    {TEXT("a: 'it''s'\nb: \"\\x41\\u00e9\\U0001F600\\e\\0\\\"\"\n"),
     "{\"a\":\"it's\",\"b\":\"A\u00e9\U0001F600\\u001b\\u0000\\\"\"}"},
    {TEXT("a: \"\\ud83d\\ude00\"\n"), "{\"a\":\"\U0001F600\"}"},
    {TEXT("a: \"folded\n  line\\\n  joined\"\n"), "{\"a\":\"folded linejoined\"}"},
    {TEXT("a: '  x\t \n\n  y  '\n"), "{\"a\":\"  x\\ny  \"}"},
    {TEXT("a: \"x\\x20\n  y\\t\n\n  z \"\n"), "{\"a\":\"x  y\\t\\nz \"}"},
    {TEXT("a: \"x \\\n  \\  y\"\n"), "{\"a\":\"x   y\"}"},
    {TEXT("a: \"\\a\\b\\t\\n\\v\\f\\r\\e\\/\\\\\\N\\_\\L\\P\"\n"),
     "{\"a\":\"\\u0007\\b\\t\\n\\u000b\\f\\r\\u001b/\\\\\xC2\x85\u00a0\u2028\u2029\"}"},
    {TEXT("a: ''\nb: \"\"\n'': c\n"), "{\"a\":\"\",\"b\":\"\",\"\":\"c\"}"},
    {TEXT("a: http://x.y/z?a=b&c\n"), "{\"a\":\"http://x.y/z?a=b&c\"}"},
    {TEXT("url: ${CRM_URL:-http://127.0.0.1:9000}\n"), "{\"url\":\"${CRM_URL:-http://127.0.0.1:9000}\"}"},
    {TEXT("- p(99) < 250ms\n- a > b\n"), "[\"p(99) < 250ms\",\"a > b\"]"},
    {TEXT("a: x\xC2\x85y\n"), "{\"a\":\"x\xC2\x85y\"}"},
    /* block strings */
    {TEXT("a: |\n  x\n   y\n\n  z\n"), "{\"a\":\"x\\n y\\n\\nz\\n\"}"},
    {TEXT("a: |-\n  x\n\nb: |+\n  x\n\n"), "{\"a\":\"x\",\"b\":\"x\\n\\n\"}"},
    {TEXT("a: >\n  x\n  y\n\n  z\n"), "{\"a\":\"x y\\nz\\n\"}"},
    {TEXT("a: >-\n  x\n    y\n  z\n"), "{\"a\":\"x\\n  y\\nz\"}"},
    {TEXT("a: |2\n   x\n"), "{\"a\":\" x\\n\"}"},
    {TEXT("- |\n  # no comment\n- b\n"), "[\"# no comment\\n\",\"b\"]"},
    {TEXT("a: |\n    "), "{\"a\":\"\"}"},
    {TEXT("a: |\nb: >-\nc: |+\n\n\nd: 1\n"), "{\"a\":\"\",\"b\":\"\",\"c\":\"\\n\\n\",\"d\":1}"},
    {TEXT("a: |\n  x"), "{\"a\":\"x\"}"},
    {TEXT("a: |\n  x\n   "), "{\"a\":\"x\\n \"}"},
    {TEXT("a: |\n  x\n "), "{\"a\":\"x\\n\"}"},
    {TEXT("|"), "\"\""},
    {TEXT("--- |1+\n  x\n\n"), "\" x\\n\\n\""},
    {TEXT("- >\n\n  a\n  b\n\n\n  c\n   d\n\n  e\n\n"), "[\"\\na b\\n\\nc\\n d\\n\\ne\\n\"]"},
    {TEXT("a: |\r\n  x\r\n\r\n  y\r\n"), "{\"a\":\"x\\n\\ny\\n\"}"},
    {TEXT("a: |\n  x\n# c\n\nb: 1\n"), "{\"a\":\"x\\n\",\"b\":1}"},
    {TEXT("a: |+\n  x\n\n# c\nb: 1\n"), "{\"a\":\"x\\n\\n\",\"b\":1}"},
    {TEXT("a: |\n  1\n"), "{\"a\":\"1\\n\"}"},
    /* collections */
    {TEXT("a:\n- 1\n- b: c\n  d: e\n-   - 2\n"), "{\"a\":[1,{\"b\":\"c\",\"d\":\"e\"},[2]]}"},
    {TEXT("a: {b, \"c\":1, d: , e: [ ]}\n"), "{\"a\":{\"b\":null,\"c\":1,\"d\":null,\"e\":[]}}"},
    {TEXT("a: [b: c, 1,]\n"), "{\"a\":[{\"b\":\"c\"},1]}"},
    {TEXT("? a\n: b\n? c\n"), "{\"a\":\"b\",\"c\":null}"},
    {TEXT("1: a\ntrue: b\n~: c\n"), "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\"}"},
    {TEXT("\"<<\": a\n"), "{\"<<\":\"a\"}"},
    {TEXT("a: {x: 1}\nb: {x: 1}\n"), "{\"a\":{\"x\":1},\"b\":{\"x\":1}}"},
    {TEXT("a: [\n  1,\n  2\n]\nb: {\n  c: d\n}\n"), "{\"a\":[1,2],\"b\":{\"c\":\"d\"}}"},
    {TEXT("a:\n- b\n-\n  c\n-  - d\n"), "{\"a\":[\"b\",\"c\",[\"d\"]]}"},
    /* documents */
    {TEXT("%YAML 1.2\n---\na: 1\n...\n"), "{\"a\":1}"},
    {TEXT("# c\n--- # d\na: 1\n"), "{\"a\":1}"},
    {TEXT("a: 1\r\nb:\r\n  - 2\r\n"), "{\"a\":1,\"b\":[2]}"},
    {TEXT("a: 1\rb: 2\r"), "{\"a\":1,\"b\":2}"},
    {TEXT("a: 1"), "{\"a\":1}"},
    /* JSON is a subset */
    {TEXT("{\"a\":[1,2.50,\"\\u00e9\\/\",null,true,{}]}"), "{\"a\":[1,2.50,\"\u00e9/\",null,true,{}]}"},
    {TEXT("\t{\n\t\"a\":\t1\n}"), "{\"a\":1}"},
};

static void accepts(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(accepted); i++)
        check_json(E8_DOC_YAML, accepted[i].text, accepted[i].json);
}

static void scalars_keep_their_text(void **state)
{
    (void)state;
    struct e8_doc *doc =
        must_parse(E8_DOC_YAML, e8_str("a: 0x1F\nb: '0x1F'\nc: |\n  x\nd: True\ne: 1.50\nf: x y\n"));
    const struct e8_node *root = e8_doc_root(doc), *a = e8_node_get(root, "a"), *b = e8_node_get(root, "b");
    const struct e8_node *c = e8_node_get(root, "c"), *d = e8_node_get(root, "d"),
                         *e = e8_node_get(root, "e");
    assert_true(a->kind == E8_INT && a->i == 31 && e8_node_number(a) == 31.0 && !a->quoted);
    check_str(a->text, "0x1F");
    assert_true(b->kind == E8_STRING && b->quoted);
    check_str(b->text, "0x1F");
    assert_true(c->kind == E8_STRING && c->quoted);
    assert_true(d->kind == E8_BOOL && d->b);
    check_str(d->text, "True");
    assert_true(e->kind == E8_FLOAT && e->f == 1.5);
    check_str(e->text, "1.50");
    assert_true(!e8_node_get(root, "f")->quoted);
    e8_doc_free(&doc);
}

/* Every value and key of a text with its place: "key@line:col=kind@line:col". */
static void check_places(const char *text, const char *expected)
{
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str(text));
    char out[512];
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, sizeof out - 1);
    const struct e8_node *stack[64];
    int depth = 0;
    for (const struct e8_node *node = e8_doc_root(doc); node;) {
        if (node->key.n)
            e8_buf_printf(&buf, "%.*s@%d:%d=", E8_STR(node->key), node->key_line, node->key_col);
        e8_buf_printf(&buf, "%d@%d:%d ", (int)node->kind, node->line, node->col);
        stack[depth] = node;
        if (node->first) {
            depth++;
            node = node->first;
            continue;
        }
        while (depth > 0 && !stack[depth]->next)
            depth--;
        node = stack[depth]->next;
    }
    out[buf.n] = '\0';
    e8_doc_free(&doc);
    if (strcmp(out, expected))
        fail_msg("<%s> expected %s, got %s", text, expected, out);
}

static void values_carry_places(void **state)
{
    (void)state;
    check_places("a: 1\nb:\n  - 'x'\n  -  \"y\"\n", "6@1:1 a@1:1=2@1:4 b@2:1=5@3:3 4@3:5 4@4:6 ");
    check_places("\u00e9\U0001F600: \"\u00e9\"\n\n# c\nb:\t\tc\n",
                 "6@1:1 \u00e9\U0001F600@1:1=4@1:5 b@4:1=4@4:5 ");
}

static void block_strings_stand_at_their_indicator(void **state)
{
    (void)state;
    check_places("a: |\n  x\n'b|': >-  # c\n\n  y\n", "6@1:1 a@1:1=4@1:4 b|@3:1=4@3:7 ");
    check_places("- - |\n    x\n  -\n   |+\n   y\n", "5@1:1 5@1:3 4@1:5 4@4:4 ");
    check_places("a:\r\n  >\r\n  x\r\nb: 1\r\n", "6@1:1 a@1:1=4@2:3 b@4:1=2@4:4 ");
    check_places("--- |\nx\n", "4@1:5 ");
}

static void missing_values_stand_at_key_or_dash(void **state)
{
    (void)state;
    check_places("a:\nb:\n", "6@1:1 a@1:1=0@1:1 b@2:1=0@2:1 ");
    check_places("-\n# c\n-\n- x\n-\n", "5@1:1 0@1:1 0@3:1 4@4:3 0@5:1 ");
    check_places("{a, b: }", "6@1:1 a@1:2=0@1:2 b@1:5=0@1:5 ");
}

static void flow_collections_have_places(void **state)
{
    (void)state;
    check_places("a: [1, {b: 'c'}]\n", "6@1:1 a@1:1=5@1:4 2@1:5 6@1:8 b@1:9=4@1:12 ");
    check_places("[ab: c, d]", "5@1:1 6@1:2 ab@1:2=4@1:6 4@1:9 ");
    check_places("[ ''\n, \"\" ]", "5@1:1 4@1:3 4@2:3 ");
    check_places("  - ? a\n    : [x]\n", "5@1:3 6@1:5 a@1:7=5@2:7 4@2:8 ");
}

int run_yaml_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts),
        cmocka_unit_test(scalars_keep_their_text),
        cmocka_unit_test(values_carry_places),
        cmocka_unit_test(block_strings_stand_at_their_indicator),
        cmocka_unit_test(missing_values_stand_at_key_or_dash),
        cmocka_unit_test(flow_collections_have_places),
    };
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
