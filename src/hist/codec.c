/* The V2 encoding as HdrHistogram's Java and JavaScript implementations write it. */
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "hist/hist.h"
#include "hist/layout.h"

#define COOKIE        0x1c849313U /* V2, eight-byte words */
#define COOKIE_PACKED 0x1c849314U
#define HEAD          40
#define HEAD_PACKED   8
#define RATIO_ONE     0x3ff0000000000000U /* 1.0 */
#define COUNT_BYTES   9                   /* of one count at most */
#define PLAIN_MAX     (HEAD + SLOTS * COUNT_BYTES)
#define TEXT_MAX      ((size_t)1 << 20)

/* The base64 of RFC 4648, section 4. */
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_put(struct e8_buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = (uint32_t)p[i] << 16;
        bits |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
        bits |= i + 2 < n ? p[i + 2] : 0;
        char text[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                        alphabet[bits & 63]};
        for (size_t pad = n - i; pad < 3; pad++)
            text[pad + 1] = '=';
        e8_buf_put(out, text, sizeof(text));
    }
}

static int base64_digit(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* Strict: whole groups, padding only at the end, no bits left over. */
static bool base64_get(struct e8_str text, uint8_t *out, size_t *n)
{
    size_t pad = 0;
    uint32_t bits = 0;

    if (text.n == 0 || text.n % 4 != 0)
        return false;
    while (pad < 2 && text.p[text.n - 1 - pad] == '=')
        pad++;
    *n = 0;
    for (size_t i = 0; i < text.n - pad; i++) {
        int digit = base64_digit(text.p[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            out[(*n)++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return pad == 0 || (bits & ((1U << 2 * pad) - 1)) == 0;
}

static void put_be(struct e8_buf *out, uint64_t value, unsigned bytes)
{
    while (bytes--)
        e8_buf_putc(out, (char)(uint8_t)(value >> 8 * bytes));
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | *p++;
    return value;
}

/* ZigZag LEB128. Our counts need seven bytes at most; others may write nine, the ninth with eight bits of its own. */
static void put_zigzag(struct e8_buf *out, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);

    for (; rest >> 7; rest >>= 7)
        e8_buf_putc(out, (char)(uint8_t)(rest | 0x80));
    e8_buf_putc(out, (char)(uint8_t)rest);
}

static bool get_zigzag(const uint8_t **p, const uint8_t *end, int64_t *value)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < COUNT_BYTES; i++) {
        if (*p == end)
            return false;
        uint8_t byte = *(*p)++;
        bool last = i == COUNT_BYTES - 1 || !(byte & 0x80);
        bits |= (uint64_t)(last ? byte : byte & 0x7f) << 7 * i;
        if (last)
            break;
    }
    *value = (int64_t)(bits >> 1 ^ (~(bits & 1) + 1));
    return true;
}

/* A run of empty slots is its length, negated. */
static void put_slots(const struct e8_hist *hist, struct e8_buf *out)
{
    unsigned end = slot_of(hist->max) + 1;

    for (unsigned slot = 0; slot < end; slot++) {
        unsigned first = slot;
        while (slot < end && !hist->slots[slot])
            slot++;
        if (slot > first)
            put_zigzag(out, -(int64_t)(slot - first));
        if (slot < end)
            put_zigzag(out, (int64_t)hist->slots[slot]);
    }
}

static void put_plain(const struct e8_hist *hist, struct e8_buf *out)
{
    struct e8_buf slots;

    e8_buf_init(&slots, PLAIN_MAX);
    put_slots(hist, &slots);
    put_be(out, COOKIE, 4);
    put_be(out, slots.n, 4);
    put_be(out, 0, 4); /* normalizing index offset */
    put_be(out, DIGITS, 4);
    put_be(out, 1, 8);
    put_be(out, (uint64_t)E8_HIST_MAX, 8);
    put_be(out, RATIO_ONE, 8);
    e8_buf_putstr(out, e8_buf_str(&slots));
    e8_buf_fini(&slots);
}

/* zlib's memory comes from the one wrapper, so that deflate and inflate do not fail for want of it. */
static voidpf zlib_new(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return e8_new(items, size);
}

static void zlib_free(voidpf opaque, voidpf memory)
{
    (void)opaque;
    free(memory);
}

/* Returns how many bytes were written to `out`, which has room for compressBound(plain.n). */
static size_t pack(struct e8_str plain, uint8_t *out, size_t room)
{
    z_stream z = {.zalloc = zlib_new, .zfree = zlib_free};

    E8_ASSERT(deflateInit(&z, Z_DEFAULT_COMPRESSION) == Z_OK);
    z.next_in = (const Bytef *)plain.p;
    z.avail_in = (uInt)plain.n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    E8_ASSERT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

/* The whole input must be one stream that fits `room`; else 0. */
static size_t unpack(const uint8_t *p, size_t n, uint8_t *out, size_t room)
{
    z_stream z = {.zalloc = zlib_new, .zfree = zlib_free, .next_in = p, .avail_in = (uInt)n};

    E8_ASSERT(inflateInit(&z) == Z_OK);
    z.next_out = out;
    z.avail_out = (uInt)room;
    bool whole = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    return whole ? room - z.avail_out : 0;
}

void e8_hist_encode(const struct e8_hist *hist, struct e8_buf *out)
{
    struct e8_buf plain, packed;

    e8_buf_init(&plain, PLAIN_MAX);
    put_plain(hist, &plain);
    size_t room = compressBound((uLong)plain.n);
    uint8_t *bytes = e8_new(room, 1);
    size_t n = pack(e8_buf_str(&plain), bytes, room);

    e8_buf_init(&packed, HEAD_PACKED + n);
    put_be(&packed, COOKIE_PACKED, 4);
    put_be(&packed, n, 4);
    e8_buf_put(&packed, bytes, n);
    base64_put(out, (const uint8_t *)packed.p, packed.n);
    e8_buf_fini(&packed);
    e8_buf_fini(&plain);
    free(bytes);
}

/* A slot's values count as the middle of the slot, as in other HdrHistograms. */
static bool take_count(struct e8_hist *hist, unsigned slot, uint64_t count)
{
    if (count > COUNT_MAX - hist->count)
        return false;
    e8_hist_add(hist, slot_low(slot) + ((int64_t)1 << slot_shift(slot)) / 2, count);
    return true;
}

static bool get_slots(struct e8_hist *hist, const uint8_t *p, const uint8_t *end)
{
    int64_t value;

    for (unsigned slot = 0; p < end;) {
        if (!get_zigzag(&p, end, &value) || slot >= SLOTS)
            return false;
        if (value < 0 && value < -(int64_t)(SLOTS - slot))
            return false;
        if (value > 0 && !take_count(hist, slot, (uint64_t)value))
            return false;
        slot += value < 0 ? (unsigned)-value : 1;
    }
    return true;
}

/* Neither a shift of the slots nor a scale of the values. hdr-histogram-js writes 1 and 1, and reads neither. */
static bool is_plain(uint64_t offset, uint64_t ratio)
{
    return (offset == 0 && ratio == RATIO_ONE) || (offset == 1 && ratio == 1);
}

static bool is_our_head(const uint8_t *head, size_t n)
{
    return n >= HEAD && get_be(head, 4) == COOKIE && get_be(head + 4, 4) == n - HEAD &&
           get_be(head + 12, 4) == DIGITS && get_be(head + 16, 8) == 1 &&
           get_be(head + 24, 8) == (uint64_t)E8_HIST_MAX &&
           is_plain(get_be(head + 8, 4), get_be(head + 32, 8));
}

/* Reads a packed histogram into the empty *hist. NULL, or what is wrong with it. */
static const char *decode(const uint8_t *p, size_t n, struct e8_hist *hist)
{
    const char *fault = NULL;

    if (n < HEAD_PACKED || get_be(p, 4) != COOKIE_PACKED || get_be(p + 4, 4) != n - HEAD_PACKED)
        return "is not in the compressed V2 encoding";
    uint8_t *plain = e8_new(PLAIN_MAX, 1);
    size_t plain_n = unpack(p + HEAD_PACKED, n - HEAD_PACKED, plain, PLAIN_MAX);
    if (!plain_n)
        fault = "cannot be inflated";
    else if (!is_our_head(plain, plain_n))
        fault = "has another layout than 1 ns to 1 h with three digits";
    else if (!get_slots(hist, plain + HEAD, plain + plain_n))
        fault = "has counts that do not fit its layout";
    free(plain);
    return fault;
}

enum e8_rc e8_hist_decode(struct e8_str text, struct e8_hist **out, struct e8_err *err)
{
    const char *fault = "is not base64 of a sensible size";
    size_t n;

    *out = NULL;
    text = e8_str_trim(text);
    uint8_t *bytes = e8_new(text.n < TEXT_MAX ? text.n + 1 : 1, 1);
    struct e8_hist *hist = e8_hist_new();
    if (text.n < TEXT_MAX && base64_get(text, bytes, &n))
        fault = decode(bytes, n, hist);
    free(bytes);
    if (fault) {
        e8_hist_free(&hist);
        return e8_fail(err, E8_INPUT, "use what emit8 wrote", "the histogram %s", fault);
    }
    *out = hist;
    return E8_OK;
}
