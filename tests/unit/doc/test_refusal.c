/* YAML mode: every refusal, with its exact place and its hint. */
#include <stdio.h>
#include <stdlib.h>

#include "doc_test.h"

static const struct refusal refused[] = {
    /* empty */
    {TEXT(""), 1, 1, "empty", "{}"},
    {TEXT("# nothing\n\n  # here\n"), 1, 1, "empty", "{}"},
    {TEXT("---\n"), 1, 1, "empty", ""},
    {TEXT("---\n...\n"), 1, 1, "empty", ""},
    /* aliases, anchors, tags, merge keys */
    {TEXT("a: &x 1\nb: *x\n"), 1, 4, "anchors are not supported", "write the value out"},
    {TEXT("a: b\nb: *x\n"), 2, 4, "aliases are not supported", "quotes"},
    {TEXT("*x : 1\n"), 1, 1, "aliases", ""},
    {TEXT("[\u00e9, *x]\n"), 1, 5, "aliases", ""},
    {TEXT("&r\na: 1\n"), 1, 1, "anchors", ""},
    {TEXT("a: &m {b: 1}\n"), 1, 4, "anchors", ""},
    {TEXT("&k a: 1\n"), 1, 1, "anchors", ""},
    {TEXT("a: &x\n"), 1, 4, "anchors", ""},
    {TEXT("a: *.internal\n"), 1, 4, "aliases", "quotes"},
    {TEXT("a: !!str 1\n"), 1, 4, "tags are not supported", "remove it"},
    {TEXT("a: !x [1]\n"), 1, 4, "tags", ""},
    {TEXT("!x\na: 1\n"), 1, 1, "tags", ""},
    {TEXT("- !<tag:x> b\n"), 1, 3, "tags", ""},
    {TEXT("? !k a\n: 1\n"), 1, 3, "tags", ""},
    {TEXT("%TAG !e! tag:x,2000:\n---\na: 1\n"), 1, 1, "tags", ""},
    {TEXT("a:\n  <<: {b: 1}\n"), 2, 3, "merge keys", "write the members out"},
    {TEXT("{<<: 1}"), 1, 2, "merge keys", ""},
    /* documents and directives */
    {TEXT("a: 1\n---\nb: 2\n"), 2, 1, "a second document", "one document per file"},
    {TEXT("--- a\n--- b\n"), 2, 1, "a second document", ""},
    {TEXT("a: 1\n...\n---\n"), 3, 1, "a second document", ""},
    {TEXT("%YAML 1.1\n---\na: 1\n"), 1, 1, "only YAML 1.2", "%YAML 1.2"},
    {TEXT("# c\n%YAML 2.0\n--- a\n"), 2, 1, "only YAML 1.2", ""},
    {TEXT("%FOO x\n--- a\n"), 1, 1, "unknown directive", "remove it"},
    {TEXT("a: b\n%FOO\nc: d\n"), 2, 1, "in the first column", "quotes"},
    {TEXT("a: 1\n...\n%YAML 1.2\n---\nb\n"), 3, 1, "in the first column", ""},
    /* keys */
    {TEXT("a: 1\nb: 2\na: 3\n"), 3, 1, "duplicate key \"a\"", "line 1, column 1"},
    {TEXT("x:\n  \u00e9: 1\n  '\u00e9': 2\n"), 3, 3, "duplicate key \"\u00e9\"", "line 2, column 3"},
    {TEXT("{a: 1, \"a\": 2}"), 1, 8, "duplicate key", "line 1, column 2"},
    {TEXT("a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\ni: 1\nj: 1\nh: 2\n"), 11, 1, "duplicate key \"h\"",
     "line 8"},
    {TEXT("a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\na: 1\n"), 9, 1, "duplicate key \"a\"", "line 1"},
    {TEXT("? [a]\n: b\n"), 1, 3, "a key that is a list", "keys are strings"},
    {TEXT("{{a: 1}: b}"), 1, 2, "a key that is a map", ""},
    {TEXT("? b: c\n: d\n"), 1, 3, "a key that is a map", ""},
    {TEXT(": a\n"), 1, 1, "a key is missing", "an empty one is \"\""},
    {TEXT("\"a\\0b\": 1\n"), 1, 1, "a key with a NUL", ""},
    /* characters */
    {TEXT("a: b\nc: \xFF\n"), 2, 4, "0xFF is not valid UTF-8", "save the file"},
    {TEXT("\u00e9: \xC3\n"), 1, 4, "0xC3", ""},
    {TEXT("a: \xED\xA0\x80\n"), 1, 4, "0xED", ""},
    {TEXT("\xFE\xFF\0a"), 1, 1, "0xFE", "UTF-16"},
    {TEXT("\xEF\xBB\xBF"
          "a: 1\n"),
     1, 1, "byte order mark", "without a BOM"},
    {TEXT("a: 1\n\xEF\xBB\xBF"
          "b: 2\n"),
     2, 1, "U+FEFF", "\\uFEFF"},
    {TEXT("a: x\0y\n"), 1, 5, "NUL", "\\0"},
    {TEXT("a: '\x01'\n"), 1, 5, "U+0001", "\\u0001"},
    {TEXT("a: \x1B[0m\n"), 1, 4, "U+001B", ""},
    {TEXT("a: \x7F\n"), 1, 4, "U+007F", ""},
    {TEXT("a: \xC2\x80\n"), 1, 4, "U+0080", ""},
    {TEXT("a: \xEF\xBF\xBE\n"), 1, 4, "U+FFFE", ""},
    {TEXT("a: \xEF\xBF\xBF\n"), 1, 4, "U+FFFF", ""},
    {TEXT("a: \"\u00e9 \\ud800\"\n"), 1, 7, "an escape that is no character", "pairs"},
    {TEXT("a: \"\\ud83d\\ude00 \\ude00\"\n"), 1, 18, "an escape that is no character", ""},
    {TEXT("a: \"\\ud83d\\u0041\"\n"), 1, 5, "an escape that is no character", ""},
    {TEXT("a: \"\\U0000D800\"\n"), 1, 5, "an escape that is no character", ""},
    {TEXT("a: \"\\U00110000\"\n"), 1, 5, "an escape that is no character", ""},
    {TEXT("a: \"\\q\"\n"), 1, 5, "escape", "single quotes"},
    /* numbers */
    {TEXT("a: .nan\n"), 1, 4, ".nan is no number", "quotes"},
    {TEXT("a: .NaN\n"), 1, 4, ".NaN is no number", ""},
    {TEXT("- .inf\n"), 1, 3, ".inf is no number", ""},
    {TEXT("- -.Inf\n"), 1, 3, "-.Inf is no number", ""},
    {TEXT("- +.INF\n"), 1, 3, "+.INF is no number", ""},
    {TEXT("a: 1e400\n"), 1, 4, "1e400 is too large", "quotes"},
    {TEXT("a: -1e400\n"), 1, 4, "-1e400 is too large", ""},
    {TEXT("a: 9223372036854775808\n"), 1, 4, "does not fit in 64 bits", "quotes"},
    {TEXT("a: -9223372036854775809\n"), 1, 4, "does not fit", ""},
    {TEXT("a: 0xffffffffffffffff\n"), 1, 4, "does not fit", ""},
    {TEXT("a: 0o7777777777777777777777\n"), 1, 4, "does not fit", ""},
    {TEXT("a: 11111111112222222222333333333344444444445555555555\n"), 1, 4,
     "number 1111111111222222222233333333334444444444... does not", ""},
    /* what libfyaml would take for something else */
    {TEXT("b:\n  a: >-\n  c: d\n"), 3, 3, "stands wrongly in a block string", "deeper"},
    {TEXT("- a: |\n  c: d\n"), 2, 3, "stands wrongly in a block string", "an empty string"},
    {TEXT("a:\n  - |\n  - c\n"), 3, 3, "stands wrongly in a block string", ""},
    {TEXT("? |\n  a\n: b\n"), 1, 3, "a key that is a block string", "quotes"},
    {TEXT("a:\nb\n"), 2, 1, "a value that is not indented", "than its key"},
    {TEXT("a:\n[b]\n"), 2, 1, "a value that is not indented", ""},
    {TEXT("a:\n'b'\n"), 2, 1, "a value that is not indented", ""},
    {TEXT("-\nb\n"), 2, 1, "a value that is not indented", "than the '-'"},
    /* what makes libfyaml crash */
    {TEXT("? a:\t- b\n"), 1, 5, "a tab between a key and its value", "spaces"},
    {TEXT("x:\n  ?\n    \"a\" : \t: b\n"), 3, 11, "a tab between", ""},
    {TEXT("? a:\t|\n  b\n"), 1, 5, "a tab between", ""},
    /* what libfyaml finds */
    {TEXT("a: [1, 2\nb: 3\n"), 3, 1, "without a closing bracket", "'[' at line 1, column 4 is not closed"},
    {TEXT("a: {b: 1"), 1, 9, "", "'{' at line 1, column 4 is not closed"},
    {TEXT("a: [1}\n"), 1, 6, "mismatched", ""},
    {TEXT("a: b: c\n"), 1, 5, "a second ': '", "quotes"},
    {TEXT("a: - b\n"), 1, 4, "a list that begins behind its key", "next line"},
    {TEXT("a: @b\n"), 1, 4, "cannot start with '@'", "quotes"},
    {TEXT("a: `b`\n"), 1, 4, "cannot start with '`'", "quotes"},
    {TEXT("a: 'b\n"), 1, 4, "closing quote", "close the quote"},
    {TEXT("a: \"b\n"), 1, 4, "closing quote", "close the quote"},
    {TEXT("a: \"b\" c\n"), 1, 8, "trailing content", "the whole value"},
    {TEXT("a:\n\tb: 1\n"), 2, 1, "tab", "spaces"},
    {TEXT("\ta: 1\n"), 1, 1, "a tab in the indentation", "spaces"},
    {TEXT("a:\n  b: 1\n c: 2\n"), 3, 2, "indentation", "same column"},
    {TEXT("- a\nb: c\n"), 2, 1, "block sequence", ""},
    {TEXT("[a, , b]"), 1, 5, "comma", ""},
};

static void refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(refused); i++)
        check_refusal(E8_DOC_YAML, &refused[i]);
}

/* `count` times `piece`, then `end`; the caller frees it. */
static char *repeat(const char *start, const char *piece, size_t count, const char *end)
{
    struct e8_buf buf;
    e8_buf_init(&buf, (size_t)64 << 20);
    e8_buf_puts(&buf, start);
    for (size_t i = 0; i < count; i++)
        e8_buf_puts(&buf, piece);
    e8_buf_puts(&buf, end);
    char *text = e8_dup(e8_buf_cstr(&buf));
    e8_buf_fini(&buf);
    return text;
}

static void check_repeated(enum e8_doc_mode mode, const char *start, const char *piece, size_t count,
                           int line, int col, const char *what)
{
    char *text = repeat(start, piece, count, "");
    struct e8_doc *doc;
    struct e8_err err;
    e8_mono_ns begun = e8_mono_now();
    enum e8_rc rc = e8_doc_parse("file", e8_str(text), mode, &doc, &err);
    e8_dur_ns took = e8_mono_now() - begun;
    if (rc != E8_INPUT || err.line != line || err.col != col || !strstr(err.what, what))
        fail_msg("%zu times <%s> expected %d:%d: %s, got %d: %d:%d: %s", count, piece, line, col, what,
                 (int)rc, err.line, err.col, err.what);
    if (took > 10 * E8_NS_S)
        fail_msg("%zu times <%s> takes %g s", count, piece, (double)took / 1e9);
    free(text);
}

static void depth_ends_at_64(void **state)
{
    (void)state;
    static const enum e8_doc_mode modes[] = {E8_DOC_YAML, E8_DOC_JSON};
    for (size_t i = 0; i < E8_COUNT(modes); i++) {
        check_repeated(modes[i], "", "[", 65, 1, 65, "more than 64 levels");
        check_repeated(modes[i], "", "[", 1000, 1, 65, "more than 64 levels");
        check_repeated(modes[i], "", "{\"a\":\n", 1000, 65, 1, "more than 64 levels");
        char *open = repeat("", "[", 64, ""), *all = repeat(open, "]", 64, "");
        struct e8_doc *doc = must_parse(modes[i], e8_str(all));
        e8_doc_free(&doc);
        free(open);
        free(all);
    }
    check_repeated(E8_DOC_YAML, "", "- ", 65, 1, 129, "more than 64 levels");
    check_repeated(E8_DOC_YAML, "", "- ", 100000, 1, 129, "more than 64 levels");
}

static void texts_that_are_too_much_are_refused_soon(void **state)
{
    (void)state;
    check_repeated(E8_DOC_YAML, "", "[", 4000000, 1, 1, "a line of more than");
    check_repeated(E8_DOC_YAML, "", "[\n", 4000000, 50001, 1, "brackets are not closed");
    check_repeated(E8_DOC_YAML, "", "{a: [\n", 1000000, 25001, 1, "brackets are not closed");
    check_repeated(E8_DOC_YAML, "a: |\n  x\n", "\n", 4000000, 20003, 1, "blank lines");
    check_repeated(E8_DOC_YAML, "", "% ", 4000000, 1, 1, "a line of more than");
    check_repeated(E8_DOC_YAML, "", "%a\n", 1000000, 1, 1, "unknown directive");
    check_repeated(E8_DOC_YAML, "a: !", "%41", 80000, 1, 4, "tags");
    check_repeated(E8_DOC_YAML, "", "- a\n", 1000001, 1000000, 3, "more than 1000000 values");
    check_repeated(E8_DOC_JSON, "[1", ",1", 1000001, 1, 2000000, "more than 1000000 values");
    check_repeated(E8_DOC_YAML, "a: &a [1]\n", "b: [*a,*a]\n", 100000, 1, 4, "anchors");
}

static void long_texts_are_refused(void **state)
{
    (void)state;
    char *text = repeat("# ", "1234567\n", E8_FILE_MAX / 8, "");
    static const enum e8_doc_mode modes[] = {E8_DOC_YAML, E8_DOC_JSON};
    for (size_t i = 0; i < E8_COUNT(modes); i++) {
        struct refusal refusal = {e8_str(text), 0, 0, "8388610 bytes; 8388608 are the limit", "split"};
        check_refusal(modes[i], &refusal);
    }
    free(text);
}

static void errors_show_their_line(void **state)
{
    (void)state;
    struct e8_doc *doc;
    struct e8_err err;
    e8_doc_parse("file", e8_str("a:\n  \u00e9: @x\r\nc: 2\n"), E8_DOC_YAML, &doc, &err);
    assert_string_equal(err.source, "  \u00e9: @x");
    assert_int_equal(err.line, 2);
    /* A place that the shown part of a long line does not reach shows nothing. */
    char *text = repeat("{\"a\":\"", "\u00e9", 200, "\", }");
    e8_doc_parse("file", e8_str(text), E8_DOC_JSON, &doc, &err);
    assert_int_equal(err.col, 208);
    assert_string_equal(err.source, "");
    text[1] = 'x';
    e8_doc_parse("file", e8_str(text), E8_DOC_JSON, &doc, &err);
    assert_int_equal(err.col, 2);
    assert_in_range(strlen(err.source), 180, sizeof err.source - 1);
    assert_int_equal(e8_utf8_valid(e8_str(err.source)), strlen(err.source));
    free(text);
}

/* A scenario of 100,000 lines. */
static char *large_yaml(void)
{
    struct e8_buf buf;
    e8_buf_init(&buf, (size_t)16 << 20);
    for (int i = 0; i < 25000; i++)
        e8_buf_printf(
            &buf, "step%d:\n  emit: message.received\n  set: {data.channel: web, n: %d}\n  wait: \"2s\"\n", i,
            i);
    char *text = e8_dup(e8_buf_cstr(&buf));
    e8_buf_fini(&buf);
    return text;
}

static void large_files_are_quick(void **state)
{
    (void)state;
    char *text = large_yaml();
    e8_mono_ns begun = e8_mono_now();
    struct e8_doc *doc = must_parse(E8_DOC_YAML, e8_str(text));
    e8_dur_ns took = e8_mono_now() - begun;
    const struct e8_node *root = e8_doc_root(doc);
    assert_int_equal(root->count, 25000);
    assert_int_equal(root->last->key_line, 99997);
    assert_int_equal(e8_node_get(e8_node_get(root->last, "set"), "n")->i, 24999);
    print_message("100,000 lines (%zu bytes) in %.0f ms\n", strlen(text), (double)took / 1e6);
    assert_true(took < 5 * E8_NS_S); /* with sanitizers, on a busy machine; 0.1 s in a release build */
    e8_doc_free(&doc);
    free(text);
}

int run_refusal_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(depth_ends_at_64),
        cmocka_unit_test(texts_that_are_too_much_are_refused_soon),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(errors_show_their_line),
        cmocka_unit_test(large_files_are_quick),
    };
    return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
