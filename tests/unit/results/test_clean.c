#include "tests.h"

#include "results/internal.h"

static void cleaned(const char *text, size_t n, size_t most, const char *expected)
{
    struct e8_buf out;
    e8_buf_init(&out, 1 << 20);
    e8_clean_text(&out, (struct e8_str){text, n}, most);
    assert_string_equal(e8_buf_cstr(&out), expected);
    e8_buf_fini(&out);
}

#define CLEANED(text, expected) cleaned(text, sizeof(text) - 1, 1000, expected)

static void what_a_terminal_acts_on_is_spelt(void **state)
{
    (void)state;
    CLEANED("", "");
    CLEANED("plain é 漢 \xF0\x9F\x98\x80", "plain é 漢 \xF0\x9F\x98\x80");
    CLEANED("a\r\nb\nc\td", "a\nb\nc\td");
    CLEANED("a\rb\r", "a\\x0Db\\x0D");
    CLEANED("\r\n\r\n", "\n\n");
    CLEANED("\0\x01\x1b[31m\x7f", "\\x00\\x01\\x1B[31m\\x7F");
    CLEANED("\xC2\x9B\xC2\xA0", "\\xC2\\x9B\xC2\xA0");
    CLEANED("\xFF\xC3", "\\xFF\\xC3");
    CLEANED("\xE2\x80\xAE\xE2\x81\xA6\xE2\x80\xA8", "\\xE2\\x80\\xAE\\xE2\\x81\\xA6\\xE2\\x80\\xA8");
    CLEANED("\xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD", "\\xEF\\xBF\\xBE\\xEF\\xBF\\xBF\xEF\xBF\xBD");
    CLEANED("\xE2\x80\xA6\xE2\x80\x93", "…–");
}

static void what_is_cut_is_told(void **state)
{
    (void)state;
    cleaned("abcdef", 6, 6, "abcdef");
    cleaned("abcdef", 6, 5, "abcde… (1 byte more)");
    cleaned("abcdef", 6, 4, "abcd… (2 bytes more)");
    cleaned("aéb", 4, 2, "a… (3 bytes more)");
    cleaned("a漢b", 5, 3, "a… (4 bytes more)");
    cleaned("\x80\x80\x80\x80\x80\x80", 6, 4, "\\x80… (5 bytes more)");
    char *big = calloc(1, 5000);
    memset(big, 'x', 5000);
    struct e8_buf out;
    e8_buf_init(&out, 1 << 20);
    e8_clean_text(&out, (struct e8_str){big, 5000}, 10);
    assert_string_equal(e8_buf_cstr(&out), "xxxxxxxxxx… (4,990 bytes more)");
    e8_buf_fini(&out);
    free(big);
}

static void messages_are_heads_and_bodies(void **state)
{
    static const struct {
        const char *message, *expected;
    } table[] = {
        {"POST / HTTP/1.1\r\nHost: a\r\n\r\n{\"a\":\r\n1}", "POST / HTTP/1.1\nHost: a\n\n{\"a\":\n1}"},
        {"HTTP/1.1 204 No Content\r\nA: b\r\n\r\n", "HTTP/1.1 204 No Content\nA: b"},
        {"HTTP/1.1 204 No Content\r\n", "HTTP/1.1 204 No Content"},
        {"HTTP/1.1 200 OK\n\nbody", "HTTP/1.1 200 OK\n\nbody"},
        {"no head at all", "no head at all"},
        {"\r\n\r\nx", "\n\nx"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_buf out;
        e8_buf_init(&out, 1 << 20);
        e8_clean_message(&out, e8_str(table[i].message), 100);
        assert_string_equal(e8_buf_cstr(&out), table[i].expected);
        e8_buf_fini(&out);
    }
}

static void long_messages_are_cut_in_each_part(void **state)
{
    (void)state;
    struct e8_buf in, out;
    e8_buf_init(&in, 1 << 20);
    e8_buf_init(&out, 1 << 20);
    e8_buf_puts(&in, "POST / HTTP/1.1\r\nX-Pad: ");
    for (int i = 0; i < 8192; i++)
        e8_buf_putc(&in, 'p');
    e8_buf_puts(&in, "\r\n\r\n");
    for (int i = 0; i < 70000; i++)
        e8_buf_putc(&in, 'b');
    e8_clean_message(&out, e8_buf_str(&in), 1000);
    assert_true(out.n < 2000);
    has(e8_buf_cstr(&out), "ppp… (7,799 bytes more)\n\nbbb");
    has(e8_buf_cstr(&out), "bbb… (69,000 bytes more)");
    e8_buf_reset(&in);
    e8_buf_reset(&out);
    e8_buf_puts(&in, "POST / HTTP/1.1\r\n");
    for (int i = 0; i < 5000; i++)
        e8_buf_puts(&in, "X: y\r\n");
    e8_buf_puts(&in, "\r\nbody");
    e8_clean_message(&out, e8_buf_str(&in), 1000);
    assert_true(out.n < (12 << 10));
    has(e8_buf_cstr(&out), "bytes of headers more)\n\nbody");
    e8_buf_fini(&in);
    e8_buf_fini(&out);
}

static void commands_that_must_not_be_indented(void **state)
{
    (void)state;
    assert_false(e8_command_is_rigid(E8_LIT("curl \\\n  -H 'a: b' \\\n  -d 'c'")));
    assert_true(e8_command_is_rigid(E8_LIT("curl -d 'c\nd'")));
    assert_false(e8_command_is_rigid(E8_LIT("curl -d 'it'\\''s' \\\n -v")));
    assert_true(e8_command_is_rigid(E8_LIT("curl -d 'it'\\''s\n'")));
    struct e8_buf out;
    char *big = calloc(1, 20001);
    memset(big, 'x', 20000);
    e8_buf_init(&out, 1 << 20);
    e8_clean_command(&out, big);
    assert_string_equal(e8_buf_cstr(&out), "# a command of 20,000 bytes is not shown");
    e8_buf_fini(&out);
    free(big);
}

static void numbers_are_for_people(void **state)
{
    static const struct {
        uint64_t count;
        const char *text;
    } table[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {1234567, "1,234,567"}, {1000005, "1,000,005"}};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        char memory[40];
        struct e8_buf out;
        e8_buf_fixed(&out, memory, sizeof memory);
        e8_put_count(&out, table[i].count);
        assert_string_equal(e8_buf_cstr(&out), table[i].text);
    }
}

const struct CMUnitTest clean_tests[] = {
    cmocka_unit_test(what_a_terminal_acts_on_is_spelt),
    cmocka_unit_test(what_is_cut_is_told),
    cmocka_unit_test(messages_are_heads_and_bodies),
    cmocka_unit_test(long_messages_are_cut_in_each_part),
    cmocka_unit_test(commands_that_must_not_be_indented),
    cmocka_unit_test(numbers_are_for_people),
};
const size_t clean_count = E8_COUNT(clean_tests);
