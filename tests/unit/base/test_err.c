#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_printed(const struct e8_err *err, const char *expected)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    e8_err_print(err, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void fail_fills_and_returns(void **state)
{
    (void)state;
    struct e8_err err;
    memset(&err, 0xAA, sizeof(err));
    assert_int_equal(e8_fail(&err, E8_ENV, NULL, "port %d is taken", 80), E8_ENV);
    assert_int_equal(err.rc, E8_ENV);
    assert_string_equal(err.what, "port 80 is taken");
    assert_string_equal(err.hint, "");
    assert_string_equal(err.file, "");
    assert_string_equal(err.source, "");
    assert_int_equal(err.line, 0);
    assert_printed(&err, "port 80 is taken\n");
    assert_int_equal(e8_fail_at(&err, "a.yaml", 3, 7, "use this", "unknown \"%s\"", "that"), E8_INPUT);
    assert_int_equal(err.rc, E8_INPUT);
    assert_printed(&err, "a.yaml:3:7: unknown \"that\"; use this\n");
    assert_int_equal(e8_fail(NULL, E8_LIMIT, "h", "x"), E8_LIMIT);
    assert_int_equal(e8_fail_at(NULL, "f", 1, 1, "h", "x"), E8_INPUT);
}

static void a_text_may_be_built_on_the_last(void **state)
{
    (void)state;
    struct e8_err err;
    e8_fail_at(&err, "deep.yaml", 1, 1, "mend it", "is bad");
    e8_fail_at(&err, err.file, 2, 0, err.hint, "cannot load: %s", err.what);
    assert_printed(&err, "deep.yaml:2: cannot load: is bad; mend it\n");
}

static void long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    static char text[2000];
    for (size_t i = 0; i < 600; i++)
        memcpy(text + 3 * i, "\xE2\x82\xAC", 3);
    for (int shift = 0; shift < 3; shift++) {
        struct e8_err err;
        e8_fail_at(&err, text, 1, 1, text, "%.*s%s", shift, "xy", text);
        assert_int_equal(e8_utf8_valid(e8_str(err.what)), strlen(err.what));
        assert_true(strlen(err.what) > sizeof(err.what) - 4);
        assert_int_equal(e8_utf8_valid(e8_str(err.hint)), strlen(err.hint));
        assert_true(strlen(err.hint) > sizeof(err.hint) - 4);
        assert_int_equal(strlen(err.file), sizeof(err.file) - 1);
    }
}

static void control_characters_are_not_shown(void **state)
{
    (void)state;
    struct e8_err err;
    e8_fail_at(&err, "a\x1B[2J", 0, 9, "x\x07y\xC2\x9Bz", "two\nlines\x7F\xFF");
    assert_printed(&err, "a\\x1B[2J: two lines\\x7F\\xFF; x\\x07y\\xC2\\x9Bz\n");
}

static void assert_caret(const char *source, int col, const char *expected)
{
    struct e8_err err;
    e8_fail_at(&err, "f", 1, col, NULL, "bad");
    snprintf(err.source, sizeof(err.source), "%s", source);
    assert_printed(&err, expected);
}

static void caret_stands_under_the_column(void **state)
{
    (void)state;
    assert_caret("- emitt: x", 3, "f:1:3: bad\n  - emitt: x\n    ^\n");
    assert_caret("x", 1, "f:1:1: bad\n  x\n  ^\n");
    assert_caret("abc", 4, "f:1:4: bad\n  abc\n     ^\n"); /* behind the end: something is missing */
    assert_caret("abc", 5, "f:1:5: bad\n  abc\n");
    assert_caret("abc", 0, "f:1: bad\n  abc\n");
    assert_caret("\tx: y", 2, "f:1:2: bad\n   x: y\n   ^\n");
    assert_caret("gr\xC3\xBC\xC3\x9F: y", 5, "f:1:5: bad\n  gr\xC3\xBC\xC3\x9F: y\n      ^\n");
    assert_caret("\xE4\xBD\xA0\xE5\xA5\xBD x", 4,
                 "f:1:4: bad\n  \xE4\xBD\xA0\xE5\xA5\xBD x\n       ^\n"); /* two columns each */
    assert_caret("\xF0\x9F\x98\x80x", 2, "f:1:2: bad\n  \xF0\x9F\x98\x80x\n    ^\n");
    assert_caret("e\xCC\x81x", 3, "f:1:3: bad\n  e\xCC\x81x\n   ^\n"); /* a combining accent takes none */
    assert_caret("\xFF\xFEx", 3, "f:1:3: bad\n  \\xFF\\xFEx\n          ^\n");
    assert_caret("abc", 2000000000, "f:1:2000000000: bad\n  abc\n");
}

static void the_longest_error_is_shown_whole(void **state)
{
    (void)state;
    struct e8_err err = {.rc = E8_INPUT, .line = 2147483647, .col = 64};
    memset(err.file, 'f', sizeof(err.file) - 1);
    memset(err.what, 'w', sizeof(err.what)); /* not even a NUL */
    memset(err.hint, 'h', sizeof(err.hint));
    for (size_t i = 0; i < 63; i++)
        memcpy(err.source + 3 * i, "\xE4\xBD\xA0", 3);
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    e8_err_print(&err, out);
    fclose(out);
    assert_int_equal(n, 255 + strlen(":2147483647:64: ") + 512 + 2 + 384 + 1 + 2 + 189 + 1 + 2 + 126 + 2);
    free(text);
}

static void errs_keep_some_and_count_all(void **state)
{
    (void)state;
    struct e8_errs errs;
    struct e8_err err;
    e8_errs_init(&errs);
    assert_int_equal(e8_errs_rc(&errs), E8_OK);
    for (int i = 1; i <= E8_ERRS_MAX + 5; i++) {
        e8_fail_at(&err, "f", i, 0, NULL, "bad");
        assert_int_equal(e8_errs_add(&errs, &err), E8_INPUT);
        assert_int_equal(errs.total, i);
        assert_int_equal(errs.count, i < E8_ERRS_MAX ? i : E8_ERRS_MAX);
    }
    for (int i = 0; i < E8_ERRS_MAX; i++)
        assert_int_equal(errs.list[i].line, i + 1);
    assert_int_equal(e8_errs_add(NULL, &err), E8_INPUT);

    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    e8_errs_print(&errs, out);
    fclose(out);
    assert_non_null(strstr(text, "f:1: bad\nf:2: bad\n"));
    assert_non_null(strstr(text, "f:100: bad\nand 5 more\n"));
    free(text);
    e8_errs_fini(&errs);
    assert_null(errs.list);
    assert_int_equal(e8_errs_rc(&errs), E8_OK);
}

static void the_same_is_kept_once(void **state)
{
    (void)state;
    struct e8_errs errs;
    struct e8_err err;
    char *text = NULL;
    size_t n = 0;
    e8_errs_init(&errs);
    assert_int_equal(e8_errs_distinct(&errs), 0);
    for (int i = 0; i < 300; i++) {
        e8_fail_at(&err, "f", 1 + i % 3, 1, NULL, "bad");
        assert_int_equal(e8_errs_add(&errs, &err), E8_INPUT);
        assert_int_equal(errs.total, i + 1);
    }
    e8_fail_at(&err, "f", 1, 1, "a hint", "bad"); /* whatever differs makes another */
    e8_errs_add(&errs, &err);
    e8_fail_at(&err, "f", 1, 2, NULL, "bad");
    e8_errs_add(&errs, &err);
    e8_fail_at(&err, "g", 1, 1, NULL, "bad");
    e8_errs_add(&errs, &err);
    assert_int_equal(errs.count, 6);
    assert_int_equal(e8_errs_distinct(&errs), 6);
    FILE *out = open_memstream(&text, &n);
    e8_errs_print(&errs, out);
    fclose(out);
    assert_string_equal(text,
                        "f:1:1: bad\nf:2:1: bad\nf:3:1: bad\nf:1:1: bad; a hint\nf:1:2: bad\ng:1:1: bad\n");
    free(text);
    e8_errs_fini(&errs);
}

static void a_hint_names_what_is_near(void **state)
{
    static const char *const names[] = {"reset", "close", NULL};
    char hint[E8_HINT_MAX];
    (void)state;
    assert_string_equal(e8_hint_near(E8_LIT("rest"), names, "one of two", hint), "did you mean \"reset\"?");
    assert_ptr_equal(e8_hint_near(E8_LIT("zzzz"), names, "one of two", hint), hint);
    assert_string_equal(hint, "one of two");
    assert_string_equal(e8_hint_near(e8_str(NULL), names, NULL, hint), "");
}

static void a_hint_names_as_many_as_fit(void **state)
{
    char memory[99][8], hint[E8_HINT_MAX];
    const char *names[100];
    (void)state;
    for (size_t i = 0; i < 99; i++) {
        snprintf(memory[i], sizeof memory[i], "name-%02u", (unsigned)i);
        names[i] = memory[i];
    }
    names[20] = NULL;
    e8_hint_names(E8_LIT("zz"), names, "one of", hint);
    assert_string_equal(hint + strlen(hint) - 16, "name-18, name-19");
    names[20] = memory[20];
    names[99] = NULL;
    e8_hint_names(E8_LIT("zz"), names, "one of", hint);
    assert_true(strlen(hint) > 350);
    assert_string_equal(hint + strlen(hint) - 5, ", …");
    assert_memory_equal(hint + strlen(hint) - 12, "name-", 5);
    names[0] = NULL;
    assert_string_equal(e8_hint_names(E8_LIT("zz"), names, "there is none", hint), "there is none");
}

static void the_gravest_decides(void **state)
{
    (void)state;
    static const enum e8_rc rising[] = {E8_LIMIT, E8_INPUT, E8_ENV};
    struct e8_errs errs;
    e8_errs_init(&errs);
    for (size_t i = 0; i < E8_COUNT(rising); i++) {
        struct e8_err err;
        for (int k = 0; k < 60; k++) { /* the last ones come when no more are kept */
            e8_fail(&err, rising[i], NULL, "x%d", k);
            assert_int_equal(e8_errs_add(&errs, &err), rising[i]);
            assert_int_equal(e8_errs_rc(&errs), rising[i]);
        }
        e8_fail(&err, E8_LIMIT, NULL, "x");
        e8_errs_add(&errs, &err);
        assert_int_equal(e8_errs_rc(&errs), rising[i]);
    }
    e8_errs_fini(&errs);
}

int test_err(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(a_text_may_be_built_on_the_last),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(control_characters_are_not_shown),
        cmocka_unit_test(caret_stands_under_the_column),
        cmocka_unit_test(the_longest_error_is_shown_whole),
        cmocka_unit_test(errs_keep_some_and_count_all),
        cmocka_unit_test(the_same_is_kept_once),
        cmocka_unit_test(a_hint_names_what_is_near),
        cmocka_unit_test(a_hint_names_as_many_as_fit),
        cmocka_unit_test(the_gravest_decides),
    };
    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
