/* What of a request may be written down, and how. */
#include <string.h>

#include "sink/record.h"

bool e8_record_is_hop(struct e8_str name)
{
    static const char proxy[] = "proxy-";

    return e8_header_is_framing(name) || e8_str_ieq(name, E8_LIT("Keep-Alive")) ||
           (name.n >= strlen(proxy) &&
            e8_str_ieq((struct e8_str){name.p, strlen(proxy)}, (struct e8_str){proxy, strlen(proxy)}));
}

static bool holds(struct e8_str name, const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i + n <= name.n; i++)
        if (e8_str_ieq((struct e8_str){name.p + i, n}, (struct e8_str){part, n}))
            return true;
    return false;
}

/* Is one of the words of the name, which hyphens and underscores part? */
static bool has_word(struct e8_str name, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= name.n; i++) {
        bool begins = i == 0 || name.p[i - 1] == '-' || name.p[i - 1] == '_';
        bool ends = i + n == name.n || name.p[i + n] == '-' || name.p[i + n] == '_';
        if (begins && ends && e8_str_ieq((struct e8_str){name.p + i, n}, (struct e8_str){word, n}))
            return true;
    }
    return false;
}

bool e8_record_is_secret(struct e8_str name)
{
    static const char *const parts[] = {"authorization", "cookie",     "token",      "secret",
                                        "password",      "passwd",     "credential", "api-key",
                                        "apikey",        "access-key", "private-key"};
    static const char *const words[] = {"auth", "session", "jwt", "bearer"};

    for (size_t i = 0; i < E8_COUNT(parts); i++)
        if (holds(name, parts[i]))
            return true;
    for (size_t i = 0; i < E8_COUNT(words); i++)
        if (has_word(name, words[i]))
            return true;
    return false;
}

/* The length of the character at text.p, and its number; the text is UTF-8. */
static size_t take(struct e8_str text, uint32_t *code)
{
    const unsigned char *p = (const unsigned char *)text.p;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    *code = n == 1 ? p[0] : p[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        *code = *code << 6 | (p[i] & 0x3Fu);
    return n;
}

/* What YAML takes for a line break, or does not allow to stand for itself (YAML 1.2, 5.1). */
static bool is_escaped(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
           code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

static void put_escaped(struct e8_buf *out, uint32_t code)
{
    switch (code) {
    case '\n':
        e8_buf_puts(out, "\\n");
        break;
    case '\r':
        e8_buf_puts(out, "\\r");
        break;
    case '\t':
        e8_buf_puts(out, "\\t");
        break;
    default:
        e8_buf_printf(out, "\\u%04X", (unsigned)code);
    }
}

void e8_record_put_text(struct e8_buf *out, struct e8_str text)
{
    size_t from = 0, i = 0;
    uint32_t code;

    e8_buf_putc(out, '"');
    while (i < text.n) {
        size_t n = take((struct e8_str){text.p + i, text.n - i}, &code);
        bool variable = code == '$' && i + 1 < text.n && text.p[i + 1] == '{';
        if (variable || code == '"' || code == '\\' || is_escaped(code)) {
            e8_buf_put(out, text.p + from, i - from);
            from = i;
            if (variable)
                e8_buf_putc(out, '$');
            else if (code == '"' || code == '\\')
                e8_buf_putc(out, '\\');
            else {
                put_escaped(out, code);
                from = i + n;
            }
        }
        i += n;
    }
    e8_buf_put(out, text.p + from, i - from);
    e8_buf_putc(out, '"');
}
