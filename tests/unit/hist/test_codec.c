#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "cases.h"

#define HEAD 40

/* Written by hdr-histogram-js 3.0.1; the last two are of other layouts: two digits, up to 60 s. */
static const char theirs_empty[] = "HISTFAAAACB4nJNpmSzMwMDACMXMDBDAyMDA7GawYwEDnA8ASQ8DHw==";
static const char theirs[] =
    "HISTFAAAADd4nJNpmSzMwMAgyMDAwMjAwMDMAAGMDAzMbgY7FjDA+EwsP+VvsDDt72N8cJTj8m0mLgC3VQng";
static const char theirs_4e12[] = "HISTFAAAACl4nJNpmSzMwMDAwsDAwMjAwMDMAAGMDAzMbgY7FjDA+N29LEwAVrgEQA==";
static const char theirs_coarse[] = "HISTFAAAACJ4nJNpmSzMwMDAxMDAwAilGSBsZjeDHQsYYHxOJgBMSgMq";
static const char theirs_short[] = "HISTFAAAACV4nJNpmSzMwMDAxMDAwMjAwMDMAAEgNu8P9wgGGJ+TCQBKsQL+";

static struct e8_hist *decoded(struct e8_str text)
{
    struct e8_hist *hist;
    struct e8_err err;
    assert_int_equal(e8_hist_decode(text, &hist, &err), E8_OK);
    assert_non_null(hist);
    return hist;
}

static void assert_refused(struct e8_str text)
{
    struct e8_hist *hist = (struct e8_hist *)&hist;
    struct e8_err err = {0};
    assert_int_equal(e8_hist_decode(text, &hist, &err), E8_INPUT);
    assert_null(hist);
    assert_int_equal(err.rc, E8_INPUT);
    assert_true(err.what[0]);
    assert_int_equal(e8_hist_decode(text, &hist, NULL), E8_INPUT);
}

static void the_encoding_of_another_implementation_is_read(void **state)
{
    (void)state;
    struct e8_hist *hist = decoded(e8_str(theirs)), *expected = e8_hist_new();
    static const int64_t values[] = {0, 1, 2047, 2048, 1000000, E8_HIST_MAX};
    static const uint64_t counts[] = {1, 2, 300, 1, 70000, 5};
    for (size_t i = 0; i < E8_COUNT(values); i++)
        record_many(expected, values[i], counts[i]);
    assert_true(same_slots(hist, expected));
    assert_int_equal(e8_hist_min(hist), 0);
    e8_hist_free(&hist);
    hist = decoded(e8_str(theirs_empty));
    assert_int_equal(e8_hist_count(hist), 0);
    e8_hist_free(&hist);
    e8_hist_free(&expected);
}

/* Their last bucket goes on beyond the hour. */
static void what_others_hold_past_the_range_is_clamped(void **state)
{
    (void)state;
    struct e8_hist *hist = decoded(e8_str(theirs_4e12));
    assert_int_equal(e8_hist_max(hist), E8_HIST_MAX);
    assert_int_equal(e8_hist_clamped(hist), 1);
    e8_hist_free(&hist);
}

static void other_layouts_are_refused(void **state)
{
    (void)state;
    assert_refused(e8_str(theirs_coarse));
    assert_refused(e8_str(theirs_short));
}

static void what_is_encoded_is_decoded(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    struct e8_rng rng = e8_rng_new(9);
    struct e8_buf buf;

    e8_buf_init(&buf, 1 << 20);
    for (unsigned round = 0; round < 12; round++) {
        e8_buf_reset(&buf);
        e8_buf_puts(&buf, "before ");
        e8_hist_encode(hist, &buf);
        struct e8_hist *back = decoded((struct e8_str){buf.p + 7, buf.n - 7});
        assert_true(same_slots(hist, back));
        e8_hist_free(&back);
        for (unsigned i = 0; i < 1000; i++)
            e8_hist_record(hist, (int64_t)(e8_rng_next(&rng) >> e8_rng_range(&rng, 22, 63)));
        record_many(hist, (int64_t)round * E8_NS_MS, (uint64_t)1 << 3 * round);
    }
    e8_buf_fini(&buf);
    e8_hist_free(&hist);
}

/* A limit is an ordinary result. */
static void a_buffer_that_is_full_says_so(void **state)
{
    (void)state;
    struct e8_hist *hist = e8_hist_new();
    char memory[20];
    struct e8_buf buf;

    e8_hist_record(hist, 5);
    e8_buf_fixed(&buf, memory, sizeof(memory));
    e8_hist_encode(hist, &buf);
    assert_true(buf.full);
    assert_true(buf.n <= sizeof(memory));
    e8_hist_free(&hist);
}

static void every_prefix_and_every_flipped_bit_is_refused_or_harmless(void **state)
{
    (void)state;
    char text[sizeof(theirs)];

    for (size_t n = 0; n < sizeof(theirs) - 1; n++)
        assert_refused((struct e8_str){theirs, n});
    for (size_t i = 0; i < sizeof(theirs) - 1; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct e8_hist *hist;
            memcpy(text, theirs, sizeof(text));
            text[i] = (char)(text[i] ^ 1 << bit);
            e8_hist_decode((struct e8_str){text, sizeof(text) - 1}, &hist, NULL);
            e8_hist_free(&hist);
        }
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "=", "====", "A===", "AA=A", "HIST", "!!!!", "HISTFA=A", "\xff\xff\xff\xff"};
    for (size_t i = 0; i < E8_COUNT(texts); i++)
        assert_refused(e8_str(texts[i]));
    assert_refused((struct e8_str){NULL, 0});
    assert_refused((struct e8_str){"HIST\0AAA", 8});

    size_t n = (size_t)5 << 20;
    char *large = e8_new(n, 1);
    memset(large, 'A', n);
    assert_refused((struct e8_str){large, n});
    free(large);
}

/* A stray bit behind the last byte would let two texts mean the same. */
static void padding_must_be_zero(void **state)
{
    (void)state;
    char text[sizeof(theirs_empty)];
    memcpy(text, theirs_empty, sizeof(text));
    assert_int_equal(text[sizeof(text) - 4], 'w');
    text[sizeof(text) - 4] = 'x';
    assert_refused(e8_str(text));
}

static void white_space_around_it_is_allowed(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 1000);
    e8_buf_printf(&buf, " \t%s\n", theirs);
    struct e8_hist *hist = decoded(e8_buf_str(&buf));
    assert_int_equal(e8_hist_count(hist), 70309);
    e8_hist_free(&hist);
    e8_buf_fini(&buf);
}

/* Our own packing of bytes that no encoder would write. */
static void base64(struct e8_buf *out, const uint8_t *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t bit = 0; bit < n * 8; bit += 6) {
        unsigned pair = (unsigned)p[bit / 8] << 8 | (bit / 8 + 1 < n ? p[bit / 8 + 1] : 0);
        e8_buf_putc(out, digits[pair >> (10 - bit % 8) & 63]);
    }
    while (out->n % 4)
        e8_buf_putc(out, '=');
}

/* `more` bytes follow the compressed stream, as if they were of it. */
static enum e8_rc decode_packed(const uint8_t *plain, size_t n, size_t more, struct e8_hist **hist)
{
    uLongf packed_n = compressBound((uLong)n);
    uint8_t *packed = e8_new(8 + packed_n + more, 1);
    struct e8_buf text;

    assert_int_equal(compress2(packed + 8, &packed_n, plain, (uLong)n, 9), Z_OK);
    memset(packed + 8 + packed_n, 0, more);
    packed_n += more;
    memcpy(packed, "\x1c\x84\x93\x14\0\0", 6);
    packed[6] = (uint8_t)(packed_n >> 8);
    packed[7] = (uint8_t)packed_n;
    e8_buf_init(&text, (size_t)4 << 20);
    base64(&text, packed, packed_n + 8);
    enum e8_rc rc = e8_hist_decode(e8_buf_str(&text), hist, NULL);
    e8_buf_fini(&text);
    free(packed);
    return rc;
}

static const uint8_t head[HEAD] = {0x1c, 0x84, 0x93, 0x13, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0,
                                   0,    3,    0,    0,    0,    0,    0, 0, 0, 1, 0, 0, 3, 0x46,
                                   0x30, 0xb8, 0xa0, 0,    0x3f, 0xf0, 0, 0, 0, 0, 0, 0};

static enum e8_rc decode_slots(struct e8_str slots, struct e8_hist **hist)
{
    uint8_t plain[HEAD + 100];

    assert_true(slots.n <= 100);
    memcpy(plain, head, HEAD);
    plain[7] = (uint8_t)slots.n;
    memcpy(plain + HEAD, slots.p, slots.n);
    return decode_packed(plain, HEAD + slots.n, 0, hist);
}

static void slots_are_read(void **state)
{
    (void)state;
    struct e8_hist *hist;
    assert_int_equal(decode_slots(E8_LIT("\x02"), &hist), E8_OK);
    assert_int_equal(e8_hist_count(hist), 1);
    e8_hist_free(&hist);
    assert_int_equal(decode_slots(E8_LIT("\x03\x00\x04"), &hist), E8_OK); /* -2, 0, 2 */
    assert_int_equal(e8_hist_count(hist), 2);
    assert_int_equal(e8_hist_min(hist), 3);
    e8_hist_free(&hist);
    assert_int_equal(decode_slots(E8_LIT("\xff\x8f\x04\x02"), &hist),
                     E8_INPUT); /* -33792, then one past the end */
    assert_int_equal(decode_slots(E8_LIT("\xff\x8f\x04"), &hist), E8_OK);
    assert_int_equal(e8_hist_count(hist), 0);
    e8_hist_free(&hist);
    assert_int_equal(decode_slots(E8_LIT("\xfd\x8f\x04\x02"), &hist), E8_OK); /* the last slot */
    assert_int_equal(e8_hist_clamped(hist), 1);
    e8_hist_free(&hist);
    assert_int_equal(decode_slots(E8_LIT("\x80\x80\x80\x80\x80\x80\x08"), &hist), E8_OK); /* 2^44 */
    assert_int_equal(e8_hist_count(hist), (uint64_t)1 << 44);
    e8_hist_free(&hist);
}

static void slots_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct e8_str bad[] = {
        {"\x81\x90\x04", 3},                         /* -33793 */
        {"\x02\xff\x8f\x04", 4},                     /* 1, -33792 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* INT64_MIN */
        {"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 9}, /* INT64_MAX */
        {"\x82\x80\x80\x80\x80\x80\x08", 7},         /* 2^44 + 1 */
        {"\x80\x80\x80\x80\x80\x80\x08\x02", 8},     /* 2^44 and 1 */
        {"\x80", 1},                                 /* cut off */
        {"\x02\x80\x80\x80\x80\x80\x80\x80\x80", 9},
    };
    struct e8_hist *hist;
    for (size_t i = 0; i < E8_COUNT(bad); i++)
        assert_int_equal(decode_slots(bad[i], &hist), E8_INPUT);
}

static void every_byte_of_the_head_matters(void **state)
{
    (void)state;
    uint8_t plain[HEAD + 1];
    struct e8_hist *hist;

    for (size_t i = 0; i < HEAD; i++) {
        memcpy(plain, head, HEAD);
        plain[7] = 1;
        plain[HEAD] = 2;
        plain[i] ^= 0x80;
        assert_int_equal(decode_packed(plain, sizeof(plain), 0, &hist), E8_INPUT);
        plain[i] ^= 0x80;
        assert_int_equal(decode_packed(plain, sizeof(plain), 0, &hist), E8_OK);
        e8_hist_free(&hist);
    }
    for (size_t n = 0; n < HEAD; n++)
        assert_int_equal(decode_packed(plain, n, 0, &hist), E8_INPUT);
}

static void nothing_may_follow_the_stream(void **state)
{
    (void)state;
    struct e8_hist *hist;

    assert_int_equal(decode_packed(head, HEAD, 0, &hist), E8_OK);
    e8_hist_free(&hist);
    assert_int_equal(decode_packed(head, HEAD, 1, &hist), E8_INPUT);
}

/* 60 MB of zeros deflate to 60 KB. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    size_t n = (size_t)60000000;
    uint8_t *plain = e8_new(n, 1);
    struct e8_hist *hist;
    memcpy(plain, head, HEAD);
    assert_int_equal(decode_packed(plain, n, 0, &hist), E8_INPUT);
    free(plain);
}

static struct e8_hist *coded(const struct e8_hist *hist, struct e8_buf *exact)
{
    struct e8_buf text;

    e8_buf_init(&text, 1 << 20);
    e8_buf_init(exact, 1 << 10);
    e8_hist_encode(hist, &text);
    e8_hist_exact_put(hist, exact);
    struct e8_hist *back = decoded(e8_buf_str(&text));
    e8_buf_fini(&text);
    return back;
}

/* Past the three digits, and past the range. */
static void exact_figures_make_it_the_same(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 7, 2049, 1234567, 987654321, E8_HIST_MAX, E8_HIST_MAX + 5, -3};
    struct e8_hist *hist = e8_hist_new();
    struct e8_buf exact;

    for (size_t i = 0; i < E8_COUNT(values); i++)
        e8_hist_record(hist, values[i]);
    struct e8_hist *back = coded(hist, &exact);
    assert_true(e8_hist_mean(back) < e8_hist_mean(hist) || e8_hist_mean(back) > e8_hist_mean(hist));
    assert_int_equal(e8_hist_exact_set(back, e8_buf_str(&exact), NULL), E8_OK);
    assert_int_equal(e8_hist_min(back), e8_hist_min(hist));
    assert_int_equal(e8_hist_max(back), e8_hist_max(hist));
    assert_int_equal(e8_hist_clamped(back), 2);
    assert_true(e8_hist_mean(back) == e8_hist_mean(hist));
    assert_true(e8_hist_stddev(back) == e8_hist_stddev(hist));
    e8_buf_fini(&exact);
    e8_hist_free(&back);
    e8_hist_free(&hist);
}

static void exact_figures_that_contradict_the_counts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "4d2 4d2 0 4d2",          /* one too few */
        "4d2 4d2 0 4d2 173c44 0", /* one too many */
        "4d1 4d2 0 4d2 173c44",   /* not the least */
        "4d2 4d3 0 4d2 173c44",   /* not the greatest */
        "4d2 4d2 2 4d2 173c44",   /* more clamped than there are */
        "4d2 4d2 0 4d3 173c44",   /* another sum */
        "4d2 4d2 0 4d2 173c45",   /* of the squares */
        "4D2 4d2 0 4d2 173c44",
        "-1 4d2 0 4d2 173c44",
        "4d2 4d2 0 4d2 100000000000000000000000000000000", /* 129 bits */
    };
    struct e8_hist *hist = e8_hist_new(), *none = e8_hist_new();
    struct e8_buf exact;

    e8_hist_record(hist, 1234); /* a slot of its own */
    struct e8_hist *back = coded(hist, &exact);
    assert_true(e8_str_is(e8_buf_str(&exact), "4d2 4d2 0 4d2 173c44"));
    for (size_t i = 0; i < E8_COUNT(wrong); i++) {
        struct e8_err err = {0};
        assert_int_equal(e8_hist_exact_set(back, e8_str(wrong[i]), &err), E8_INPUT);
        assert_true(err.what[0]);
    }
    assert_int_equal(e8_hist_exact_set(none, e8_buf_str(&exact), NULL), E8_INPUT);
    assert_int_equal(e8_hist_exact_set(back, e8_buf_str(&exact), NULL), E8_OK);
    e8_buf_fini(&exact);
    e8_hist_free(&back);
    e8_hist_free(&none);
    e8_hist_free(&hist);
}

int test_codec(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_of_another_implementation_is_read),
        cmocka_unit_test(what_others_hold_past_the_range_is_clamped),
        cmocka_unit_test(other_layouts_are_refused),
        cmocka_unit_test(what_is_encoded_is_decoded),
        cmocka_unit_test(a_buffer_that_is_full_says_so),
        cmocka_unit_test(every_prefix_and_every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(padding_must_be_zero),
        cmocka_unit_test(white_space_around_it_is_allowed),
        cmocka_unit_test(slots_are_read),
        cmocka_unit_test(slots_that_do_not_fit_are_refused),
        cmocka_unit_test(every_byte_of_the_head_matters),
        cmocka_unit_test(nothing_may_follow_the_stream),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(exact_figures_make_it_the_same),
        cmocka_unit_test(exact_figures_that_contradict_the_counts_are_refused),
    };
    return cmocka_run_group_tests_name("codec", tests, NULL, NULL);
}
