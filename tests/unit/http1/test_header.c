#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "http1/http1.h"

/* E8_LIT is no constant expression. */
#define STATIC(literal)                                                                                      \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static bool is_token(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_text(int c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

/* The character at every place of texts of several lengths, beside others at the edges of what is valid. */
static void everywhere(int c, bool valid(struct e8_str), bool good(int))
{
    static const unsigned char others[] = {'a', '-', '\t', 0x00, 0x1f, 0x20, 0x7f, 0x80, 0xff};
    for (size_t n = 2; n <= 18; n++) {
        for (size_t at = 0; at < n; at++) {
            for (size_t i = 0; i < sizeof others; i++) {
                char text[18];
                memset(text, 'a', sizeof text);
                text[at] = (char)c;
                text[(at + 1) % n] = (char)others[i];
                assert_int_equal(valid((struct e8_str){text, n}), good(c) && good(others[i]));
            }
        }
    }
}

static void names_are_tokens(void **state)
{
    (void)state;
    assert_true(e8_header_name_valid(E8_LIT("X-8bit-Signature-256")));
    assert_true(e8_header_name_valid(E8_LIT("!#$%&'*+-.^_`|~09azAZ")));
    assert_false(e8_header_name_valid(E8_LIT("")));
    for (int c = 0; c < 256; c++)
        everywhere(c, e8_header_name_valid, is_token);
}

static void values_have_no_control_characters(void **state)
{
    (void)state;
    assert_true(e8_header_value_valid(E8_LIT("")));
    for (int c = 0; c < 256; c++)
        everywhere(c, e8_header_value_valid, is_text);
}

static void framing_headers_are_known_in_any_case(void **state)
{
    (void)state;
    static const char *const framing[] = {
        "Host", "CONTENT-LENGTH", "transfer-encoding", "Connection", "Expect", "te", "Trailer", "upgrade"};
    for (size_t i = 0; i < E8_COUNT(framing); i++)
        assert_true(e8_header_is_framing(e8_str(framing[i])));
    assert_false(e8_header_is_framing(E8_LIT("Content-Type")));
    assert_false(e8_header_is_framing(E8_LIT("X-Host")));
    assert_false(e8_header_is_framing(E8_LIT("Hos")));
}

static void a_line_is_name_and_value(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"X-A: b", "X-A", "b"},
        {"X-A:b", "X-A", "b"},
        {"X-A: \t b c \t", "X-A", "b c"},
        {"X-A:", "X-A", ""},
        {"X-A: b:c", "X-A", "b:c"},
        {"X-A: a\tb", "X-A", "a\tb"},
        {"X-A: \xc3\xa9", "X-A", "\xc3\xa9"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_header header;
        assert_int_equal(e8_header_parse(e8_str(rows[i][0]), &header, NULL), E8_OK);
        assert_true(e8_str_is(header.name, rows[i][1]));
        assert_true(e8_str_is(header.value, rows[i][2]));
    }
}

static void bad_lines_are_refused_with_a_hint(void **state)
{
    (void)state;
    static const struct {
        struct e8_str line;
        const char *what;
    } rows[] = {
        {STATIC(""), "no colon"},
        {STATIC("X-A"), "no colon"},
        {STATIC(": value"), "no name"},
        {STATIC("X-A : value"), "space before the colon"},
        {STATIC(" X-A: value"), "no name for a header"},
        {STATIC("X A: value"), "no name for a header"},
        {STATIC("X\xc3\xa9: value"), "no name for a header"},
        {STATIC("X-A: top-secret\r\nX-B: c"), "control character"},
        {STATIC("X-A: top-secret\n"), "control character"},
        {STATIC("X-A: top-secret\r"), "control character"},
        {STATIC("X-A: top\0secret"), "control character"},
        {STATIC("X-A: top\x7fsecret"), "control character"},
        {STATIC("host: top-secret"), "framing"},
        {STATIC("Content-Length: 3"), "framing"},
        {STATIC("Transfer-Encoding: chunked"), "framing"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_err err = {0};
        struct e8_header header;
        assert_int_equal(e8_header_parse(rows[i].line, &header, &err), E8_INPUT);
        assert_non_null(strstr(err.what, rows[i].what));
        assert_true(err.hint[0] != 0);
        assert_null(strstr(err.what, "secret"));
        assert_null(strstr(err.hint, "secret"));
    }
}

static void the_first_header_of_a_name_is_found(void **state)
{
    (void)state;
    const struct e8_header list[] = {
        {E8_LIT("A"), E8_LIT("1")}, {E8_LIT("X-B"), E8_LIT("2")}, {E8_LIT("x-b"), E8_LIT("3")}};
    assert_ptr_equal(e8_header_find(list, 3, "x-B"), &list[1]);
    assert_null(e8_header_find(list, 3, "X-"));
    assert_null(e8_header_find(list, 1, "x-b"));
    assert_null(e8_header_find(NULL, 0, "x-b"));
}

int test_headers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_have_no_control_characters),
        cmocka_unit_test(framing_headers_are_known_in_any_case),
        cmocka_unit_test(a_line_is_name_and_value),
        cmocka_unit_test(bad_lines_are_refused_with_a_hint),
        cmocka_unit_test(the_first_header_of_a_name_is_found),
    };
    return cmocka_run_group_tests_name("http1 headers", tests, NULL, NULL);
}
