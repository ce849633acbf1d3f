/* Recordings: read as JSON line by line, and no different from what the same text is as YAML. */
#include <stdio.h>
#include <stdlib.h>

#include "doc_test.h"

#define HEAD "# emit8 recording 1\n"
#define TOP                                                                                                  \
    "\nscenario: recording\nendpoints:\n  target: {url: x}\nflows:\n  recording:\n    # from 2026-03-01\n"

static const struct e8_node *steps_of(const struct e8_doc *doc)
{
    return e8_node_get(e8_node_get(e8_doc_root(doc), "flows"), "recording");
}

/* What follows the head; parsed with it and without it. */
static void same_as_yaml(const char *text)
{
    struct e8_buf with;
    e8_buf_init(&with, 1 << 20);
    e8_buf_puts(&with, HEAD);
    e8_buf_puts(&with, text);
    struct e8_doc *recording = must_parse(E8_DOC_YAML, e8_buf_str(&with));
    struct e8_doc *yaml = must_parse(E8_DOC_YAML, e8_str(text));
    assert_true(same_tree(e8_doc_root(recording), e8_doc_root(yaml)));
    const struct e8_node *a = steps_of(recording), *b = steps_of(yaml);
    if (a && a->last && a->last->last) {
        assert_int_equal(a->last->line, b->last->line + 1);
        assert_int_equal(a->last->col, b->last->col);
        assert_int_equal(a->last->last->key_line, b->last->last->key_line + (b->last->last->key.n > 0));
        assert_int_equal(a->last->last->key_col, b->last->last->key_col);
        assert_int_equal(a->last->last->col, b->last->last->col);
    }
    e8_doc_free(&recording);
    e8_doc_free(&yaml);
    e8_buf_fini(&with);
}

static void it_is_the_yaml_that_it_looks_like(void **state)
{
    (void)state;
    same_as_yaml(TOP "    - {\"emit\": \"a\", \"n\": 1.5, \"b\": [true, null]}\n    - {\"emit\": \"b\"}\n");
    same_as_yaml(
        TOP "\n    - {\"emit\": \"\\u00e9 \\\"x\\\"\"}\n\n    # between\n    - {\"b\": {}}\n# left out\n");
    same_as_yaml(TOP "    - {\"emit\": \"a\"}"); /* without a line break at the end */
    same_as_yaml(TOP "  - {\"emit\": \"a\"}\n  - {\"emit\": \"b\"}\n");
    same_as_yaml(TOP "    - {\"emit\": \"a\"}\r\n    - {\"emit\": \"b\"}\r\n");
    same_as_yaml(TOP);
}

/* Somebody has written into it: it is read as any YAML. */
static void what_was_edited_is_yaml(void **state)
{
    (void)state;
    same_as_yaml(TOP "    - {\"emit\": \"a\"}\n    - emit: b\n      at: 1s\n");
    same_as_yaml(TOP "    - {\"emit\": \"a\"}\nrun: [{flow: recording}]\n");
    same_as_yaml(TOP "    - {\"emit\": \"a\"}\nrun: [{flow: recording}]");
    same_as_yaml("flows:\n  recording: [{a: 1}, {b: 2}]\n");
    same_as_yaml("flows:\n  recording:\n    steps:\n      - {\"emit\": \"a\"}\n");
}

/* Cut at every byte, the text is a recording of what was whole. */
static void what_was_killed_while_writing_still_parses(void **state)
{
    static const char text[] = HEAD TOP "    - {\"emit\": \"a\", \"body\": \"{}\"}\n"
                                        "    - {\"emit\": \"b\", \"body\": \"x\"}\n";
    size_t first = strlen(HEAD TOP), one = first + strlen("    - {\"emit\": \"a\", \"body\": \"{}\"}");
    (void)state;
    for (size_t n = first; n < sizeof text; n++) {
        struct e8_doc *doc = must_parse(E8_DOC_YAML, (struct e8_str){text, n});
        const struct e8_node *steps = steps_of(doc);
        assert_non_null(steps);
        size_t whole = n >= sizeof text - 2 ? 2 : n >= one;
        assert_int_equal(steps->count, whole);
        e8_doc_free(&doc);
    }
}

static void faults_have_their_place(void **state)
{
    static const struct refusal refused[] = {
        {TEXT(HEAD TOP "    - {\"emit\": \"a\"} x\n"), 9, 21, "something follows", "one object"},
        {TEXT(HEAD TOP "    - {\"emit\": \"a\"}\n    - {\"emit\": \n"), 10, 16, "expected", ""},
        {TEXT(HEAD TOP "    - {\"a\": 1, \"a\": 2}\n"), 9, 16, "duplicate key", "line 9, column 8"},
        {TEXT(HEAD "- {\"a\": 1}\n"), 2, 1, "", ""},
        {TEXT(HEAD "a: 1\n- {\"a\": 1}\n"), 3, 1, "no key", ""},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++)
        check_refusal(E8_DOC_YAML, &refused[i]);
    for (size_t i = 3; i < E8_COUNT(refused); i++) {
        struct e8_doc *doc;
        struct e8_err err;
        enum e8_rc rc = e8_doc_parse("file", refused[i].text, E8_DOC_YAML, &doc, &err);
        assert_true(rc == E8_INPUT);
        assert_null(doc);
    }
}

/* 20 MB with a line of 2 MB: above the limits of other files; and where its own limit is. */
static void it_may_be_large(void **state)
{
    enum { ITEMS = 20000 };
    struct e8_buf text;
    struct e8_err err;
    struct e8_doc *doc;
    (void)state;
    e8_buf_init(&text, SIZE_MAX / 2);
    e8_buf_puts(&text, HEAD TOP);
    for (int i = 0; i < ITEMS; i++) {
        e8_buf_printf(&text, "    - {\"emit\": \"a\", \"n\": %d, \"body\": \"", i);
        for (int k = 0; k < (i == 7 ? 2000000 : 900); k++)
            e8_buf_putc(&text, 'x');
        e8_buf_puts(&text, "\"}\n");
    }
    assert_true(text.n > 2 * E8_FILE_MAX);
    doc = must_parse(E8_DOC_YAML, e8_buf_str(&text));
    assert_int_equal(steps_of(doc)->count, ITEMS);
    assert_int_equal(e8_node_get(steps_of(doc)->last, "n")->i, ITEMS - 1);
    assert_int_equal(steps_of(doc)->last->line, 8 + ITEMS);
    e8_doc_free(&doc);
    text.p[0] = ' '; /* no recording any more */
    assert_int_equal(e8_doc_parse("file", e8_buf_str(&text), E8_DOC_YAML, &doc, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "8388608 are the limit"));
    text.p[0] = '#';
    while (text.n <= E8_RECORDING_MAX)
        e8_buf_puts(&text, "# and more and more and more and more and more and more and more\n");
    assert_int_equal(e8_doc_parse("file", e8_buf_str(&text), E8_DOC_YAML, &doc, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "67108864 are the limit"));
    e8_buf_fini(&text);
}

int run_recording_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_yaml_that_it_looks_like),
        cmocka_unit_test(what_was_edited_is_yaml),
        cmocka_unit_test(what_was_killed_while_writing_still_parses),
        cmocka_unit_test(faults_have_their_place),
        cmocka_unit_test(it_may_be_large),
    };
    return cmocka_run_group_tests_name("doc: recordings", tests, NULL, NULL);
}
