#include "digest/digest.h"

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Without a table, so that the compiler makes many at a time. */
static inline char hex_digit(unsigned value)
{
    return (char)(value + '0' + (value > 9 ? 'a' - '0' - 10 : 0));
}

void e8_hex_put(struct e8_buf *buf, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        char text[2 * E8_DIGEST_MAX]; /* a digest is one write */
        size_t chunk = n < E8_DIGEST_MAX ? n : E8_DIGEST_MAX;
        for (size_t i = 0; i < chunk; i++) {
            text[2 * i] = hex_digit(p[i] >> 4);
            text[2 * i + 1] = hex_digit(p[i] & 15);
        }
        e8_buf_put(buf, text, 2 * chunk);
        p += chunk;
        n -= chunk;
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool e8_hex_get(struct e8_str text, struct e8_buf *out)
{
    if (text.n % 2 != 0)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (hex_value(text.p[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < text.n; i += 2)
        e8_buf_putc(out, (char)(hex_value(text.p[i]) << 4 | hex_value(text.p[i + 1])));
    return true;
}

void e8_base64_put(struct e8_buf *buf, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (; n >= 3; p += 3, n -= 3) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        const char text[4] = {base64_digits[v >> 18 & 63], base64_digits[v >> 12 & 63],
                              base64_digits[v >> 6 & 63], base64_digits[v & 63]};
        e8_buf_put(buf, text, sizeof text);
    }
    if (n == 0)
        return;
    unsigned v = (unsigned)p[0] << 16 | (n == 2 ? (unsigned)p[1] << 8 : 0);
    e8_buf_putc(buf, base64_digits[v >> 18 & 63]);
    e8_buf_putc(buf, base64_digits[v >> 12 & 63]);
    e8_buf_putc(buf, n == 2 ? base64_digits[v >> 6 & 63] : '=');
    e8_buf_putc(buf, '=');
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* The digits before the padding; false when the padding is not what their number asks for. */
static bool strip_padding(struct e8_str *text)
{
    size_t n = text->n;
    while (n > 0 && text->n - n < 2 && text->p[n - 1] == '=')
        n--;
    if (n % 4 == 1 || (n < text->n && text->n % 4 != 0))
        return false;
    text->n = n;
    return true;
}

/* Unused bits of the last digit that are set would make two texts of one value (RFC 4648, 3.5). */
static bool canonical(struct e8_str digits)
{
    static const int unused[4] = {0, 0, 15, 3};
    for (size_t i = 0; i < digits.n; i++) {
        if (base64_value(digits.p[i]) < 0)
            return false;
    }
    return digits.n == 0 || (base64_value(digits.p[digits.n - 1]) & unused[digits.n % 4]) == 0;
}

bool e8_base64_get(struct e8_str text, struct e8_buf *out)
{
    if (!strip_padding(&text) || !canonical(text))
        return false;
    unsigned v = 0, bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        v = (v << 6 | (unsigned)base64_value(text.p[i])) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            e8_buf_putc(out, (char)(v >> bits & 0xff));
        }
    }
    return true;
}
