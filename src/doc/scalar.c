#include "doc/build.h"

#include <stddef.h>

static const struct {
    const char *text;
    enum e8_node_kind kind;
    bool b;
} words[] = {
    {"null", E8_NULL, false},  {"Null", E8_NULL, false},  {"NULL", E8_NULL, false},  {"~", E8_NULL, false},
    {"", E8_NULL, false},      {"true", E8_BOOL, true},   {"True", E8_BOOL, true},   {"TRUE", E8_BOOL, true},
    {"false", E8_BOOL, false}, {"False", E8_BOOL, false}, {"FALSE", E8_BOOL, false},
};

static const char *const not_finite[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct e8_str drop(struct e8_str text, size_t n)
{
    return (struct e8_str){text.p + n, text.n - n};
}

static struct e8_str drop_sign(struct e8_str text)
{
    return text.n && (text.p[0] == '-' || text.p[0] == '+') ? drop(text, 1) : text;
}

static size_t digits(struct e8_str text)
{
    size_t n = 0;
    while (n < text.n && is_digit(text.p[n]))
        n++;
    return n;
}

static unsigned digit_value(char c)
{
    if (is_digit(c))
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 99;
}

int64_t e8_text_hex(struct e8_str text, size_t at, size_t count)
{
    int64_t value = 0;
    if (at > text.n || text.n - at < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = digit_value(text.p[at + i]);
        if (digit > 15)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

size_t e8_text_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

static bool all_digits(struct e8_str text, unsigned base)
{
    for (size_t i = 0; i < text.n; i++)
        if (digit_value(text.p[i]) >= base)
            return false;
    return text.n > 0;
}

/* Magnitude and sign as a 64-bit number; false when it does not fit. */
static bool to_int(struct e8_str text, unsigned base, bool negative, int64_t *out)
{
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    for (size_t i = 0; i < text.n; i++) {
        unsigned digit = digit_value(text.p[i]);
        if (value > (limit - digit) / base)
            return false;
        value = value * base + digit;
    }
    *out = negative ? -(int64_t)(value / 2) - (int64_t)(value - value / 2) : (int64_t)value;
    return true;
}

static enum e8_scalar set_int(struct e8_node *node, struct e8_str text, unsigned base, bool negative)
{
    if (!to_int(text, base, negative, &node->i))
        return E8_SCALAR_INT_RANGE;
    node->kind = E8_INT;
    return E8_SCALAR_OK;
}

/* Core schema: [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_float(struct e8_str text)
{
    text = drop_sign(text);
    size_t whole = digits(text), fraction = 0;
    text = drop(text, whole);
    if (text.n && text.p[0] == '.') {
        text = drop(text, 1);
        fraction = digits(text);
        text = drop(text, fraction);
    }
    if (!whole && !fraction)
        return false;
    if (text.n && (text.p[0] == 'e' || text.p[0] == 'E')) {
        text = drop_sign(drop(text, 1));
        return text.n && digits(text) == text.n;
    }
    return text.n == 0;
}

void e8_scalar_decimal(struct e8_str text, struct e8_buf *out)
{
    if (text.n && text.p[0] == '-')
        e8_buf_putc(out, '-');
    text = drop_sign(text);
    size_t whole = digits(text), zeros = 0;
    while (zeros + 1 < whole && text.p[zeros] == '0')
        zeros++;
    if (whole)
        e8_buf_put(out, text.p + zeros, whole - zeros);
    else
        e8_buf_putc(out, '0');
    text = drop(text, whole);
    if (text.n && text.p[0] == '.') {
        size_t fraction = digits(drop(text, 1));
        if (fraction)
            e8_buf_put(out, text.p, 1 + fraction);
        else
            e8_buf_puts(out, ".0");
        text = drop(text, 1 + fraction);
    }
    e8_buf_putstr(out, text);
}

static enum e8_scalar set_float(struct e8_node *node, struct e8_str text)
{
    struct e8_buf decimal;
    e8_buf_init(&decimal, text.n + 8);
    e8_scalar_decimal(text, &decimal);
    bool fits = e8_parse_double(e8_buf_str(&decimal), &node->f);
    e8_buf_fini(&decimal);
    node->kind = E8_FLOAT;
    return fits ? E8_SCALAR_OK : E8_SCALAR_FLOAT_RANGE;
}

enum e8_scalar e8_scalar_number(struct e8_node *node, struct e8_str text)
{
    node->text = text;
    struct e8_str bare = drop_sign(text);
    if (digits(bare) == bare.n)
        return set_int(node, bare, 10, text.p[0] == '-');
    return set_float(node, text);
}

static enum e8_scalar set_number_like(struct e8_node *node, struct e8_str text)
{
    struct e8_str bare = drop_sign(text);
    if (e8_str_starts(text, "0x") && all_digits(drop(text, 2), 16))
        return set_int(node, drop(text, 2), 16, false);
    if (e8_str_starts(text, "0o") && all_digits(drop(text, 2), 8))
        return set_int(node, drop(text, 2), 8, false);
    for (size_t i = 0; i < E8_COUNT(not_finite); i++)
        if (e8_str_is(i < 3 ? bare : text, not_finite[i]))
            return E8_SCALAR_NOT_FINITE;
    if (is_float(text))
        return e8_scalar_number(node, text);
    node->kind = E8_STRING;
    return E8_SCALAR_OK;
}

enum e8_scalar e8_scalar_core(struct e8_node *node, struct e8_str text)
{
    node->text = text;
    for (size_t i = 0; i < E8_COUNT(words); i++) {
        if (e8_str_is(text, words[i].text)) {
            node->kind = words[i].kind;
            node->b = words[i].b;
            return E8_SCALAR_OK;
        }
    }
    char c = text.p[0];
    if (is_digit(c) || c == '-' || c == '+' || c == '.')
        return set_number_like(node, text);
    node->kind = E8_STRING;
    return E8_SCALAR_OK;
}
