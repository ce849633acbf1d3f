#include "groups.h"

#include <stdlib.h>
#include <string.h>

static void slices_compare(void **state)
{
    (void)state;
    struct e8_str empty = {NULL, 0};
    assert_int_equal(e8_str(NULL).n, 0);
    assert_str(e8_str("abc"), "abc");
    assert_int_equal(E8_LIT("a\0b").n, 3);
    assert_true(e8_str_eq(empty, E8_LIT("")));
    assert_true(e8_str_eq(E8_LIT("a\0b"), E8_LIT("a\0b")));
    assert_false(e8_str_eq(E8_LIT("a\0b"), E8_LIT("a\0c")));
    assert_false(e8_str_eq(E8_LIT("ab"), E8_LIT("abc")));
    assert_true(e8_str_is(empty, ""));
    assert_true(e8_str_is(E8_LIT("x"), "x"));
    assert_false(e8_str_is(E8_LIT("x"), "X"));
    assert_true(e8_str_ieq(E8_LIT("Content-TYPE"), E8_LIT("content-type")));
    assert_false(e8_str_ieq(E8_LIT("ab"), E8_LIT("abc")));
    assert_false(e8_str_ieq(E8_LIT("@["), E8_LIT("`{")));             /* neighbours of the letters */
    assert_false(e8_str_ieq(E8_LIT("\xC3\x84"), E8_LIT("\xC3\xA4"))); /* only ASCII */
    assert_true(e8_str_starts(E8_LIT("whsec_x"), "whsec_"));
    assert_true(e8_str_starts(empty, ""));
    assert_false(e8_str_starts(E8_LIT("whse"), "whsec_"));
}

static void trim_takes_ascii_space(void **state)
{
    (void)state;
    assert_str(e8_str_trim(E8_LIT(" \t\r\n a b \v\f")), "a b");
    assert_str(e8_str_trim(E8_LIT("a")), "a");
    assert_int_equal(e8_str_trim(E8_LIT(" \n ")).n, 0);
    assert_int_equal(e8_str_trim((struct e8_str){NULL, 0}).n, 0);
    assert_str(e8_str_trim_blanks(E8_LIT(" \t\r\n a b \v\f \t")), "\r\n a b \v\f");
    assert_int_equal(e8_str_trim_blanks(E8_LIT(" \t ")).n, 0);
}

static void split_gives_each_word(void **state)
{
    (void)state;
    struct e8_str rest = E8_LIT("a,,bc,"), word;
    assert_true(e8_str_split(&rest, ',', &word));
    assert_str(word, "a");
    assert_true(e8_str_split(&rest, ',', &word));
    assert_str(word, "");
    assert_true(e8_str_split(&rest, ',', &word));
    assert_str(word, "bc");
    assert_false(e8_str_split(&rest, ',', &word));
    rest = (struct e8_str){NULL, 0};
    assert_false(e8_str_split(&rest, ',', &word));
}

/* RFC 3629; `valid` is the length of the valid beginning. */
static const struct {
    const char *bytes;
    size_t n, valid;
} utf8[] = {
    {"", 0, 0},
    {"abc", 3, 3},
    {"a\0b", 3, 3},
    {"\x7F", 1, 1},
    {"\x80", 1, 0},
    {"\xBF", 1, 0},
    {"a\xC2\x80", 3, 3},
    {"\xDF\xBF", 2, 2},
    {"\xC0\x80", 2, 0},                 /* overlong NUL */
    {"\xC1\xBF", 2, 0},                 /* overlong DEL */
    {"\xE0\xA0\x80", 3, 3},             /* U+0800 */
    {"\xE0\x9F\xBF", 3, 0},             /* overlong U+07FF */
    {"\xED\x9F\xBF", 3, 3},             /* U+D7FF */
    {"\xED\xA0\x80", 3, 0},             /* U+D800 */
    {"\xED\xBF\xBF", 3, 0},             /* U+DFFF */
    {"\xED\xA0\xBD\xED\xB8\x80", 6, 0}, /* CESU-8 */
    {"\xEE\x80\x80", 3, 3},             /* U+E000 */
    {"\xEF\xBF\xBF", 3, 3},             /* U+FFFF */
    {"\xF0\x90\x80\x80", 4, 4},         /* U+10000 */
    {"\xF0\x8F\xBF\xBF", 4, 0},         /* overlong U+FFFF */
    {"\xF4\x8F\xBF\xBF", 4, 4},         /* U+10FFFF */
    {"\xF4\x90\x80\x80", 4, 0},         /* U+110000 */
    {"\xF5\x80\x80\x80", 4, 0},
    {"\xF8\x88\x80\x80\x80", 5, 0}, /* five bytes, as before RFC 3629 */
    {"\xFE", 1, 0},
    {"\xFF", 1, 0},
    {"a\xC2", 2, 1}, /* truncated */
    {"a\xE2\x82", 3, 1},
    {"a\xF0\x9F\x98", 4, 1},
    {"a\xE2\x82z", 4, 1},
    {"\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\xA4z", 10, 10},
    {"\xF0\x9F\x98\x80\xE2\x82\xAC\xC3\x28z", 10, 7},
};

static void utf8_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(utf8); i++) {
        struct e8_str text = flush_copy(utf8[i].bytes, utf8[i].n);
        if (e8_utf8_valid(text) != utf8[i].valid)
            fail_msg("row %zu: %zu, not %zu", i, e8_utf8_valid(text), utf8[i].valid);
        free((void *)(uintptr_t)text.p);
    }
    assert_int_equal(e8_utf8_valid((struct e8_str){NULL, 0}), 0);
}

static bool is_one_character(const unsigned char *bytes, size_t n)
{
    return e8_utf8_valid((struct e8_str){(const char *)bytes, n}) == n;
}

/* Of all sequences of two and of three bytes with such a lead, exactly the characters are valid; and of four bytes
 * with continuation bytes at their ends. */
static void utf8_has_as_many_characters_as_unicode(void **state)
{
    (void)state;
    unsigned two = 0, three = 0, four = 0;
    static const unsigned char edges[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    for (unsigned lead = 0xC0; lead <= 0xFF; lead++)
        for (unsigned second = 0; second <= 0xFF; second++) {
            unsigned char b[4] = {(unsigned char)lead, (unsigned char)second};
            two += is_one_character(b, 2);
            for (unsigned third = 0; third <= 0xFF; third++) {
                b[2] = (unsigned char)third;
                three += lead >= 0xE0 && is_one_character(b, 3);
            }
            for (size_t i = 0; i < 36; i++) {
                b[2] = edges[i / 6];
                b[3] = edges[i % 6];
                four += lead >= 0xF0 && is_one_character(b, 4);
            }
        }
    assert_int_equal(two, 0x800 - 0x80);
    assert_int_equal(three, 0x10000 - 0x800 - 2048);
    assert_int_equal(four, (0x110000 - 0x10000) / 4096 * 4);
}

static const char *const steps[] = {"emit", "wait", "repeat", "choose", "await", "Parallel", NULL};
static const char *const events[] = {
    "message.received", "message.sent", "conversation.created", "conversation.ended", "session.ended", NULL,
};

static const struct {
    const char *unknown;
    const char *const *names;
    const char *meant;
} suggestions[] = {
    {"emitt", steps, "emit"},
    {"emt", steps, "emit"},
    {"eimt", steps, "emit"}, /* neighbours swapped */
    {"EMIT", steps, "emit"},
    {"wiat", steps, "wait"},
    {"repaet", steps, "repeat"},
    {"chose", steps, "choose"},
    {"PARALEL", steps, "Parallel"},
    {"rep", steps, "repeat"},   /* completion */
    {"PAR", steps, "Parallel"}, /* the same, without case */
    {"re", steps, NULL},
    {"xyz", steps, NULL},
    {"time", steps, NULL},
    {"", steps, NULL},
    {"message_received", events, "message.received"},
    {"message.recieved", events, "message.received"},
    {"conversation", events, "conversation.ended"}, /* the shortest */
    {"conversation.create", events, "conversation.created"},
    {"sesion.end", events, "session.ended"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", events,
     NULL},
};

static void suggest_table(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    for (size_t i = 0; i < E8_COUNT(suggestions); i++) {
        const char *meant = e8_suggest(e8_str(suggestions[i].unknown), suggestions[i].names);
        if (!suggestions[i].meant != !meant || (meant && strcmp(meant, suggestions[i].meant) != 0))
            fail_msg("\"%s\": %s", suggestions[i].unknown, meant ? meant : "nothing");
    }
    assert_null(e8_suggest(E8_LIT("emit"), none));
    assert_null(e8_suggest((struct e8_str){NULL, 0}, steps));
}

static void suggest_bears_long_names(void **state)
{
    (void)state;
    static char name[66], longer[67];
    const char *const names[] = {longer, name, NULL};
    memset(name, 'x', 64);
    memset(longer, 'x', 66);
    assert_ptr_equal(e8_suggest((struct e8_str){name, 64}, names), name);
    assert_ptr_equal(e8_suggest((struct e8_str){longer, 65}, names), longer);
}

int test_str(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_compare),
        cmocka_unit_test(trim_takes_ascii_space),
        cmocka_unit_test(split_gives_each_word),
        cmocka_unit_test(utf8_table),
        cmocka_unit_test(utf8_has_as_many_characters_as_unicode),
        cmocka_unit_test(suggest_table),
        cmocka_unit_test(suggest_bears_long_names),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
