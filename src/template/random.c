#include <string.h>

#include "template/program.h"

#define CHARS_MAX    1024
#define GUID_SIZE    36
#define DECIMAL_SIZE 24
#define DRAWN        4 /* letters of one random number */
#define DECIMALS_MAX 6
#define SCALED_MAX   ((int64_t)1 << 53)

static const char hex_digits[] = "0123456789abcdef";

void e8_tpl_render_guid(struct render *r, const struct op *op)
{
    uint64_t bits[2] = {e8_rng_next(&r->rng), e8_rng_next(&r->rng)};
    char *at = e8_tpl_room(&r->to, GUID_SIZE);

    (void)op;
    bits[0] = (bits[0] & ~(uint64_t)0xf000) | 0x4000;
    bits[1] = (bits[1] & ~((uint64_t)3 << 62)) | (uint64_t)2 << 62;
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *at++ = '-';
        *at++ = hex_digits[bits[i / 16] >> (60 - 4 * (i % 16)) & 15];
    }
    r->to.at = at;
}

static bool check_range(struct compiler *c, const struct op *op)
{
    return op->range.low <= op->range.high ||
           e8_tpl_fail(c, "the smaller number comes first", "the range is reversed");
}

E8_TPL_COMPILE(int)
{
    struct op *op = &call->op;
    struct e8_str low = E8_LIT("0"), high = E8_LIT("1000");

    op->range.decimals = 0;
    if (call->count == 1 && !e8_tpl_split_range(call->args[0], &low, &high))
        return e8_tpl_fail(c, "write $randomInt MIN..MAX", "\"%.*s\" is no range", E8_STR(call->args[0]));
    if (call->count == 2) {
        low = call->args[0];
        high = call->args[1];
    }
    return e8_tpl_integer(c, low, -SCALED_MAX, SCALED_MAX, &op->range.low) &&
           e8_tpl_integer(c, high, -SCALED_MAX, SCALED_MAX, &op->range.high) && check_range(c, op);
}

/* "-1.25" with 2 decimals is -125: exact, and no locale. */
static bool parse_scaled(struct compiler *c, struct e8_str text, int decimals, int64_t *out)
{
    bool minus = text.n > 0 && text.p[0] == '-', point = false;
    int64_t value = 0;
    int places = 0;
    size_t digits = 0;

    for (size_t i = minus; i < text.n; i++) {
        char ch = text.p[i];
        if (ch == '.' && !point && digits > 0 && i + 1 < text.n) {
            point = true;
            continue;
        }
        if (ch < '0' || ch > '9')
            return e8_tpl_fail(c, NULL, "\"%.*s\" is no decimal number", E8_STR(text));
        digits++;
        if (point && ++places > decimals)
            return e8_tpl_fail(c, "ask for more: $randomFloat MIN..MAX DECIMALS",
                               "%.*s has more than %d decimals", E8_STR(text), decimals);
        value = value * 10 + (ch - '0');
        if (value > SCALED_MAX)
            return e8_tpl_fail(c, NULL, "%.*s is too large", E8_STR(text));
    }
    if (digits == 0)
        return e8_tpl_fail(c, NULL, "\"%.*s\" is no decimal number", E8_STR(text));
    for (; places < decimals; places++)
        value *= 10;
    if (value > SCALED_MAX)
        return e8_tpl_fail(c, NULL, "%.*s is too large", E8_STR(text));
    *out = minus ? -value : value;
    return true;
}

E8_TPL_COMPILE(float)
{
    struct op *op = &call->op;
    struct e8_str low, high;
    int64_t decimals = 2;

    if (!e8_tpl_split_range(call->args[0], &low, &high))
        return e8_tpl_fail(c, "write $randomFloat MIN..MAX DECIMALS", "\"%.*s\" is no range",
                           E8_STR(call->args[0]));
    if (call->count == 2 && !e8_tpl_integer(c, call->args[1], 0, DECIMALS_MAX, &decimals))
        return false;
    op->range.decimals = (int)decimals;
    return parse_scaled(c, low, (int)decimals, &op->range.low) &&
           parse_scaled(c, high, (int)decimals, &op->range.high) && check_range(c, op);
}

E8_TPL_RENDER(decimal)
{
    int64_t value = e8_rng_range(&r->rng, op->range.low, op->range.high);
    uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
    char text[2 * DECIMAL_SIZE] = {0}; /* the number ends in the middle, so that a fixed size can be copied */
    char *const end = text + DECIMAL_SIZE, *p = end;

    for (int i = 0; i < op->range.decimals; i++, rest /= 10)
        *--p = (char)('0' + rest % 10);
    if (op->range.decimals > 0)
        *--p = '.';
    p = e8_digits(rest, p);
    if (value < 0)
        *--p = '-';
    memcpy(e8_tpl_room(&r->to, DECIMAL_SIZE), p, DECIMAL_SIZE);
    r->to.at += end - p;
}

E8_TPL_COMPILE(bool)
{
    call->op.share = 0.5;
    return call->count == 0 || e8_tpl_share(c, call->args[0], &call->op.share);
}

E8_TPL_RENDER(bool)
{
    struct e8_str text = e8_rng_unit(&r->rng) < op->share ? E8_LIT("true") : E8_LIT("false");
    e8_tpl_put_bytes(&r->to, text.p, text.n);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TENS  "0123456789"

static const char *const alphabets[LETTERS_COUNT] = {[LETTERS_HEX] = hex_digits,
                                                     [LETTERS_DIGITS] = TENS,
                                                     [LETTERS_LOWER] = LOWER,
                                                     [LETTERS_ALNUM] = TENS LOWER,
                                                     [LETTERS_BASE62] = TENS UPPER LOWER};

static struct pairs make_pairs(struct e8_arena *arena, const char *alphabet)
{
    size_t letters = strlen(alphabet), count = letters * letters;
    char *text = e8_arena_alloc(arena, 2 * count);

    for (size_t i = 0; i < count; i++) {
        text[2 * i] = alphabet[i / letters];
        text[2 * i + 1] = alphabet[i % letters];
    }
    return (struct pairs){text, (uint32_t)count};
}

void e8_tpl_make_pairs(struct e8_vocab *vocab)
{
    for (size_t i = 0; i < LETTERS_COUNT; i++)
        vocab->pairs[i] = make_pairs(vocab->arena, alphabets[i]);
}

static bool compile_chars(struct compiler *c, struct call *call, enum alphabet alphabet)
{
    int64_t count;

    if (!e8_tpl_integer(c, call->args[0], 1, CHARS_MAX, &count))
        return false;
    call->op.chars.pairs = c->vocab->pairs[alphabet];
    call->op.chars.count = (uint32_t)count;
    call->max = (size_t)count;
    return true;
}

E8_TPL_COMPILE(hex)
{
    return compile_chars(c, call, LETTERS_HEX);
}

E8_TPL_COMPILE(digits)
{
    return compile_chars(c, call, LETTERS_DIGITS);
}

E8_TPL_COMPILE(letters)
{
    return compile_chars(c, call, LETTERS_LOWER);
}

E8_TPL_COMPILE(alnum)
{
    return compile_chars(c, call, LETTERS_ALNUM);
}

E8_TPL_COMPILE(base62)
{
    return compile_chars(c, call, LETTERS_BASE62);
}

__extension__ typedef unsigned __int128 wide;

/* A digit of the fraction in base pairs.count; what is left of it. */
static inline uint64_t put_pair(char text[2], uint64_t fraction, struct pairs pairs)
{
    wide product = (wide)fraction * pairs.count;
    memcpy(text, pairs.text + 2 * (size_t)(product >> 64), 2);
    return (uint64_t)product;
}

/* A random number's upper 56 bits read as a fraction, most significant digit first. Four letters take 24 of the bits at most, so
 * no text is likelier than another by more than 2^-32. */
static inline void put_letters(char text[DRAWN], uint64_t random, struct pairs pairs)
{
    uint64_t rest = put_pair(text, random & ~(uint64_t)0xff, pairs);
    put_pair(text + 2, rest, pairs);
}

E8_TPL_RENDER(chars)
{
    struct pairs pairs = op->chars.pairs;
    struct e8_rng rng = r->rng;
    size_t n;

    for (size_t left = op->chars.count; left > 0; left -= n) {
        char *at = e8_tpl_room(&r->to, E8_TPL_ROOM);
        n = left < E8_TPL_ROOM ? left : E8_TPL_ROOM;
        for (size_t i = 0; i < n; i += DRAWN)
            put_letters(at + i, e8_rng_next(&rng), pairs);
        r->to.at += n;
    }
    r->rng = rng;
}
