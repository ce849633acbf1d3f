#include <string.h>

#include "tamper/parts.h"

const struct e8_word e8_signature_words[] = {
    {"missing", "without its signature"},
    {"other_secret", "signed with another secret"},
    {"previous_secret", "signed with the previous secret"},
    {"next_secret", "signed with the next secret"},
    {"empty", "with an empty digest"},
    {"truncated", "with half of the digest"},
    {"not_hex", "with a digest of other characters"},
    {"no_prefix", "without the signature's prefix"},
    {"double_prefix", "with the signature's prefix twice"},
    {"uppercase", "with the digest in capital letters"},
    {"reserialised", "signed over the JSON written anew"},
    {"twice_wrong_first", "with two signature headers, the first one wrong"},
    {"twice_wrong_last", "with two signature headers, the last one wrong"},
    {NULL, NULL},
};

/* Writes one signature of a header, prefix and digest. */
typedef void write_fn(const char *prefix, struct e8_str digest, struct e8_buf *out);

static void write_empty(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    (void)digest;
    e8_buf_puts(out, prefix);
}

static void write_half(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    e8_buf_puts(out, prefix);
    e8_buf_put(out, digest.p, digest.n / 2);
}

/* A 'z' is no hex digit and a '~' is none of base64's. */
static void write_not_hex(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    e8_buf_puts(out, prefix);
    for (size_t i = 0; i < digest.n; i++)
        e8_buf_putc(out, i % 2 == 0 ? 'z' : '~');
}

static void write_bare(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    size_t skip = prefix[0] != 0 || digest.n < 2 ? 0 : 2;
    e8_buf_put(out, digest.p + skip, digest.n - skip);
}

static void write_double(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    struct e8_str twice = prefix[0] != 0 || digest.n < 2 ? e8_str(prefix) : (struct e8_str){digest.p, 2};
    e8_buf_putstr(out, twice);
    e8_buf_puts(out, prefix);
    e8_buf_putstr(out, digest);
}

static void write_upper(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    e8_buf_puts(out, prefix);
    for (size_t i = 0; i < digest.n; i++) {
        char c = digest.p[i];
        e8_buf_putc(out, c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
    }
}

/* Of the same form, and different in its first characters. */
static void write_wrong(const char *prefix, struct e8_str digest, struct e8_buf *out)
{
    enum { CHANGED = 8 };
    e8_buf_puts(out, prefix);
    for (size_t i = 0; i < digest.n; i++)
        e8_buf_putc(out, i >= CHANGED ? digest.p[i] : digest.p[i] == '0' ? '1' : '0');
}

static write_fn *const writers[] = {
    [E8_SIGNATURE_EMPTY] = write_empty,          [E8_SIGNATURE_TRUNCATED] = write_half,
    [E8_SIGNATURE_NOT_HEX] = write_not_hex,      [E8_SIGNATURE_NO_PREFIX] = write_bare,
    [E8_SIGNATURE_DOUBLE_PREFIX] = write_double, [E8_SIGNATURE_UPPERCASE] = write_upper,
    [E8_SIGNATURE_WRONG_FIRST] = write_wrong,    [E8_SIGNATURE_WRONG_LAST] = write_wrong,
};

static void change_item(const struct e8_scheme *scheme, write_fn *write, struct e8_str item,
                        struct e8_buf *out)
{
    size_t n = strlen(scheme->prefix);
    bool timestamp = scheme->timestamp_item != NULL && e8_str_starts(item, scheme->timestamp_item);
    if (timestamp || !e8_str_starts(item, scheme->prefix))
        e8_buf_putstr(out, item);
    else
        write(scheme->prefix, (struct e8_str){item.p + n, item.n - n}, out);
}

/* Signers write the separator as it is, so that it also takes their values apart. */
static size_t item_length(struct e8_str rest, const char *separator)
{
    size_t n = strlen(separator);
    const char *at = n > 0 && rest.n > 0 ? memmem(rest.p, rest.n, separator, n) : NULL;
    return at != NULL ? (size_t)(at - rest.p) : rest.n;
}

bool e8_signature_change(const struct e8_tamper *t, const struct e8_scheme *scheme, struct e8_str value,
                         struct e8_buf *out)
{
    write_fn *write = (size_t)t->signature < E8_COUNT(writers) ? writers[t->signature] : NULL;
    if (write == NULL)
        return false;
    for (struct e8_str rest = value;;) {
        size_t n = item_length(rest, scheme->separator);
        change_item(scheme, write, (struct e8_str){rest.p, n}, out);
        if (n == rest.n)
            return true;
        size_t skip = n + strlen(scheme->separator);
        e8_buf_puts(out, scheme->separator);
        rest = (struct e8_str){rest.p + skip, rest.n - skip};
    }
}
