#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void grows_and_keeps(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 100000);
    assert_string_equal(e8_buf_cstr(&buf), "");
    for (unsigned i = 0; i < 10000; i++)
        e8_buf_putc(&buf, (char)(i % 251));
    assert_int_equal(buf.n, 10000);
    assert_false(buf.full);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal((unsigned char)buf.p[i], i % 251);
    const char *before = buf.p;
    e8_buf_reset(&buf);
    assert_int_equal(e8_buf_str(&buf).n, 0);
    e8_buf_puts(&buf, "again");
    assert_ptr_equal(buf.p, before);
    assert_string_equal(e8_buf_cstr(&buf), "again");
    e8_buf_fini(&buf);
    assert_null(buf.p);
    e8_buf_puts(&buf, "after fini"); /* as after init */
    assert_str(e8_buf_str(&buf), "after fini");
    e8_buf_fini(&buf);
}

static void reserved_room_does_not_move(void **state)
{
    struct e8_buf buf;
    (void)state;
    e8_buf_init(&buf, 5000);
    e8_buf_puts(&buf, "abc");
    e8_buf_reserve(&buf, 4000);
    const char *before = buf.p;
    for (unsigned i = 0; i < 4000; i++)
        e8_buf_putc(&buf, 'x');
    assert_ptr_equal(buf.p, before);
    assert_int_equal(buf.n, 4003);
    e8_buf_reserve(&buf, SIZE_MAX); /* no further than the limit */
    for (unsigned i = 0; i < 1000; i++)
        e8_buf_putc(&buf, 'x');
    assert_int_equal(buf.n, 5000);
    assert_true(buf.full);
    e8_buf_fini(&buf);
    e8_buf_init(&buf, 0);
    e8_buf_reserve(&buf, 10);
    e8_buf_putc(&buf, 'x');
    assert_int_equal(buf.n, 0);
    e8_buf_fini(&buf);
    char memory[4];
    e8_buf_fixed(&buf, memory, sizeof memory);
    e8_buf_reserve(&buf, 10);
    assert_ptr_equal(buf.p, memory);
}

static void nothing_is_written_past_the_limit(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 700; limit += limit < 20 ? 1 : 61) {
        struct e8_buf buf;
        e8_buf_init(&buf, limit);
        for (size_t i = 0; i < limit; i++)
            e8_buf_putc(&buf, 'x');
        assert_int_equal(buf.n, limit);
        assert_false(buf.full);
        e8_buf_put(&buf, NULL, 0);
        assert_false(buf.full);
        e8_buf_putc(&buf, 'y');
        assert_true(buf.full);
        assert_int_equal(buf.n, limit);
        assert_int_equal(strlen(e8_buf_cstr(&buf)), limit);
        e8_buf_reset(&buf);
        assert_false(buf.full);
        e8_buf_fini(&buf);
    }
}

/* The beginning is the same however the bytes were split, and nothing follows a gap. */
static void a_full_buffer_holds_the_beginning(void **state)
{
    (void)state;
    static const char text[] = "0123456789abcdef";
    for (size_t step = 1; step <= 16; step++) {
        char memory[10];
        struct e8_buf buf;
        e8_buf_fixed(&buf, memory, sizeof(memory));
        for (size_t i = 0; i < 16; i += step)
            e8_buf_put(&buf, text + i, step < 16 - i ? step : 16 - i);
        e8_buf_puts(&buf, "");
        assert_str(e8_buf_str(&buf), "0123456789");
        assert_true(buf.full);
    }
}

static void fixed_stays_in_its_memory(void **state)
{
    (void)state;
    struct e8_str memory = flush_copy("................", 16);
    char *bytes = (char *)(uintptr_t)memory.p;
    struct e8_buf buf;
    e8_buf_fixed(&buf, bytes, 16);
    e8_buf_printf(&buf, "%s", "0123456789abcdef"); /* fits exactly, though printf's own NUL would not */
    assert_str(e8_buf_str(&buf), "0123456789abcdef");
    assert_false(buf.full);
    assert_string_equal(e8_buf_cstr(&buf), "0123456789abcde");
    assert_true(buf.full);
    e8_buf_reset(&buf);
    for (int i = 0; i < 100; i++) {
        e8_buf_printf(&buf, "%0700d", i);
        e8_buf_put_json(&buf, E8_LIT("\"\x01\xFF"));
        e8_buf_put_clean(&buf, E8_LIT("abc"));
        e8_buf_putu(&buf, UINT64_MAX);
    }
    assert_ptr_equal(buf.p, bytes);
    assert_int_equal(buf.cap, 16);
    assert_true(buf.full && buf.fixed && buf.n <= 16);
    e8_buf_fini(&buf);
    assert_int_equal(bytes[0], '0');
    free(bytes);

    e8_buf_fixed(&buf, NULL, 0);
    e8_buf_puts(&buf, "x");
    assert_true(buf.full);
    assert_string_equal(e8_buf_cstr(&buf), "");
}

static void numbers(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, INT64_MAX, INT64_MIN};
    struct e8_buf buf;
    char expected[32];
    e8_buf_init(&buf, 100);
    for (size_t i = 0; i < E8_COUNT(values); i++) {
        e8_buf_reset(&buf);
        e8_buf_puti(&buf, values[i]);
        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        assert_string_equal(e8_buf_cstr(&buf), expected);
    }
    e8_buf_reset(&buf);
    e8_buf_putu(&buf, UINT64_MAX);
    assert_string_equal(e8_buf_cstr(&buf), "18446744073709551615");
    e8_buf_fini(&buf);
}

static void printf_of_any_length(void **state)
{
    (void)state;
    for (int n = 0; n < 2000; n += n < 500 || n > 520 ? 37 : 1) {
        struct e8_buf buf;
        e8_buf_init(&buf, 1500);
        e8_buf_puts(&buf, "<");
        e8_buf_printf(&buf, "%0*d>", n, 7);
        size_t whole = (size_t)(n > 1 ? n : 1) + 2;
        assert_int_equal(buf.n, whole < 1500 ? whole : 1500);
        assert_int_equal(buf.full, whole > 1500);
        assert_int_equal(buf.p[buf.n - 1], whole <= 1500 ? '>' : n - 1500 >= 0 ? '0' : '7');
        assert_int_equal(strlen(e8_buf_cstr(&buf)), buf.n);
        e8_buf_fini(&buf);
    }
}

/* RFC 8259, section 7, for every byte alone. */
static void json_of_every_byte(void **state)
{
    (void)state;
    for (unsigned c = 0; c <= 0xFF; c++) {
        char expected[8] = {(char)c};
        static const char named[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
        const char *name = c ? strchr(named, (int)c) : NULL;
        if (name)
            snprintf(expected, sizeof(expected), "\\%c", letters[name - named]);
        else if (c < 0x20)
            snprintf(expected, sizeof(expected), "\\u%04x", c);
        else if (c >= 0x80)
            snprintf(expected, sizeof(expected), "\xEF\xBF\xBD");
        struct e8_buf buf;
        e8_buf_init(&buf, 100);
        char byte = (char)c;
        e8_buf_put_json(&buf, (struct e8_str){&byte, 1});
        assert_string_equal(e8_buf_cstr(&buf), expected);
        e8_buf_reset(&buf);
        e8_buf_put_json(&buf, (struct e8_str){(const char[]){'a', byte, 'z'}, 3});
        assert_int_equal(buf.n, strlen(expected) + 2);
        assert_int_equal(buf.p[0], 'a');
        assert_int_equal(buf.p[buf.n - 1], 'z');
        assert_memory_equal(buf.p + 1, expected, strlen(expected));
        e8_buf_fini(&buf);
    }
}

static void json_of_texts(void **state)
{
    (void)state;
    const struct {
        struct e8_str text;
        const char *json;
    } rows[] = {
        {E8_LIT(""), ""},
        {E8_LIT("say \"hi\"\n\\"), "say \\\"hi\\\"\\n\\\\"},
        {E8_LIT("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE2\x80\xA8"),
         "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80 \xE2\x80\xA8"},
        {E8_LIT("a\xE2\x82"), "a\xEF\xBF\xBD\xEF\xBF\xBD"},
        {E8_LIT("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {E8_LIT("\xC3\"\xFFz"), "\xEF\xBF\xBD\\\"\xEF\xBF\xBDz"},
        {E8_LIT("a\0b"), "a\\u0000b"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_buf buf;
        e8_buf_init(&buf, 1000);
        struct e8_str text = flush_copy(rows[i].text.p, rows[i].text.n);
        e8_buf_put_json(&buf, text);
        assert_string_equal(e8_buf_cstr(&buf), rows[i].json);
        free((void *)(uintptr_t)text.p);
        e8_buf_fini(&buf);
    }
}

/* At each limit: a beginning of the whole, no half escape and no half character. */
static void json_is_cut_between_characters(void **state)
{
    (void)state;
    static const size_t ends[] = {0, 1, 3, 6, 12, 16, 19, 20, 20};
    static const char whole[] = "a\\n\xE2\x82\xAC\\u0001\xF0\x9F\x98\x80\xEF\xBF\xBDz";
    for (size_t limit = 0; limit <= 21; limit++) {
        char memory[32];
        struct e8_buf buf;
        e8_buf_fixed(&buf, memory, limit);
        e8_buf_put_json(&buf, E8_LIT("a\n\xE2\x82\xAC\x01\xF0\x9F\x98\x80\xFFz"));
        e8_buf_put_json(&buf, E8_LIT(""));
        size_t end = 0;
        for (size_t i = 0; i < E8_COUNT(ends); i++)
            if (ends[i] <= limit)
                end = ends[i];
        assert_int_equal(buf.n, end);
        assert_memory_equal(memory, whole, end);
        assert_int_equal(buf.full, limit < 20);
    }
}

static void clean_of_every_byte(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 1000);
    for (unsigned c = 0; c <= 0xFF; c++) {
        char byte = (char)c;
        e8_buf_reset(&buf);
        e8_buf_put_clean(&buf, (struct e8_str){&byte, 1});
        char expected[8];
        snprintf(expected, sizeof expected, c < 0x20 || c >= 0x7F ? "\\x%02X" : "%c", c);
        assert_string_equal(e8_buf_cstr(&buf), c == '\t' || c == '\n' ? " " : expected);
    }
    for (unsigned c = 0x80; c <= 0xBF; c++) { /* C1, then what is printable */
        char pair[] = {'\xC2', (char)c};
        e8_buf_reset(&buf);
        e8_buf_put_clean(&buf, (struct e8_str){pair, 2});
        assert_int_equal(buf.n, c < 0xA0 || c == 0xAD ? 8 : 2); /* the soft hyphen is not seen */
        assert_int_equal(buf.p[0], c < 0xA0 || c == 0xAD ? '\\' : '\xC2');
    }
    e8_buf_reset(&buf);
    e8_buf_put_clean(&buf, E8_LIT("\x1B[31m\xC3\xA4\xC2\x9B"
                                  "1m\xE2\x82z\r\n"));
    assert_string_equal(e8_buf_cstr(&buf), "\\x1B[31m\xC3\xA4\\xC2\\x9B"
                                           "1m\\xE2\\x82z ");
    e8_buf_reset(&buf);
    e8_buf_put_clean(&buf, E8_LIT("a\xE2\x80\xAE"
                                  "b\xE2\x80\x8C"
                                  "c\xEF\xBF\xBF")); /* turns text; parts letters; is none */
    assert_string_equal(e8_buf_cstr(&buf), "a\\xE2\\x80\\xAE"
                                           "b\xE2\x80\x8C"
                                           "c\\xEF\\xBF\\xBF");
    static const struct {
        const char *text;
        bool hidden;
    } rows[] = {
        {"\xCD\x8F", true},         {"\xD8\x9C", true},          {"\xE2\x80\x8B", true},
        {"\xE2\x80\x8C", false},    {"\xE2\x80\x8D", false},     {"\xE2\x80\x8E", true},
        {"\xE2\x80\xA7", false},    {"\xE2\x80\xA8", true},      {"\xE2\x80\xAF", false},
        {"\xE2\x81\xA0", true},     {"\xE2\x81\xB0", false},     {"\xEF\xBB\xBF", true},
        {"\xEF\xBF\xBD", false},    {"\xEF\xBF\xBE", true},      {"\xF0\x9F\x98\x80", false},
        {"\xF3\xA0\x81\x81", true}, {"\xF3\xA0\x84\x80", false}, {"\xE4\xB8\xAD", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = strlen(rows[i].text);
        assert_int_equal(e8_text_hidden(e8_str(rows[i].text)), rows[i].hidden ? n : 0);
        e8_buf_reset(&buf);
        e8_buf_put_clean(&buf, e8_str(rows[i].text));
        assert_int_equal(buf.n, rows[i].hidden ? 4 * n : n);
    }
    e8_buf_fini(&buf);
}

static void quoted_is_one_argument(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 1000);
    e8_buf_put_quoted(&buf, E8_LIT("it's $HOME; \\"));
    e8_buf_putc(&buf, ' ');
    e8_buf_put_quoted(&buf, (struct e8_str){NULL, 0});
    assert_string_equal(e8_buf_cstr(&buf), "'it'\\''s $HOME; \\' ''");
    e8_buf_fini(&buf);
}

int test_buf(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_keeps),
        cmocka_unit_test(reserved_room_does_not_move),
        cmocka_unit_test(nothing_is_written_past_the_limit),
        cmocka_unit_test(a_full_buffer_holds_the_beginning),
        cmocka_unit_test(fixed_stays_in_its_memory),
        cmocka_unit_test(numbers),
        cmocka_unit_test(printf_of_any_length),
        cmocka_unit_test(json_of_every_byte),
        cmocka_unit_test(json_of_texts),
        cmocka_unit_test(json_is_cut_between_characters),
        cmocka_unit_test(clean_of_every_byte),
        cmocka_unit_test(quoted_is_one_argument),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
