#include "base/buf.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_CAP = 256 };

void e8_buf_init(struct e8_buf *buf, size_t limit)
{
    *buf = (struct e8_buf){.limit = limit < PTRDIFF_MAX ? limit : PTRDIFF_MAX - 1};
}

void e8_buf_fixed(struct e8_buf *buf, void *memory, size_t size)
{
    *buf = (struct e8_buf){.p = memory, .cap = size, .limit = size, .fixed = true};
}

void e8_buf_fini(struct e8_buf *buf)
{
    if (!buf->fixed) {
        free(buf->p);
        buf->p = NULL;
        buf->cap = 0;
    }
    e8_buf_reset(buf);
}

void e8_buf_reset(struct e8_buf *buf)
{
    buf->n = 0;
    buf->full = false;
}

/* On the heap there is always a byte more, for the NUL of e8_buf_cstr. */
static void grow(struct e8_buf *buf, size_t need)
{
    size_t cap = buf->cap < FIRST_CAP / 2 ? FIRST_CAP : buf->cap * 2;
    if (cap < need)
        cap = need;
    if (cap > buf->limit + 1)
        cap = buf->limit + 1;
    buf->p = e8_resize(buf->p, cap, 1);
    buf->cap = cap;
}

/* How many of `want` bytes may be written at p + n. */
static size_t reserve(struct e8_buf *buf, size_t want)
{
    E8_ASSERT(buf->n <= buf->limit);
    if (buf->full)
        return 0;
    if (want > buf->limit - buf->n) {
        want = buf->limit - buf->n;
        buf->full = true;
    }
    if (!buf->fixed && want > 0 && want >= buf->cap - buf->n)
        grow(buf, buf->n + want + 1);
    return want;
}

void e8_buf_reserve(struct e8_buf *buf, size_t more)
{
    size_t left = buf->limit - buf->n;
    more = more < left ? more : left;
    if (!buf->fixed && more >= buf->cap - buf->n)
        grow(buf, buf->n + more + 1);
}

void e8_buf_put_slow(struct e8_buf *buf, const void *bytes, size_t n)
{
    n = reserve(buf, n);
    if (n > 0) {
        E8_ASSERT(bytes);
        memcpy(buf->p + buf->n, bytes, n);
    }
    buf->n += n;
}

void e8_buf_putu(struct e8_buf *buf, uint64_t value)
{
    char text[E8_DIGITS_MAX], *end = text + sizeof(text);
    const char *p = e8_digits(value, end);
    e8_buf_put(buf, p, (size_t)(end - p));
}

void e8_buf_puti(struct e8_buf *buf, int64_t value)
{
    if (value < 0)
        e8_buf_putc(buf, '-');
    e8_buf_putu(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* What the scratch of put_format could not hold, straight into the buffer. */
static void put_long(struct e8_buf *buf, size_t n, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void put_long(struct e8_buf *buf, size_t n, const char *format, va_list args)
{
    size_t room = reserve(buf, n);
    if (room == 0)
        return;
    size_t size = room < buf->cap - buf->n ? room + 1 : room;
    vsnprintf(buf->p + buf->n, size, format, args);
    buf->n += size - 1;
    buf->full = size - 1 < n;
}

static void put_format(struct e8_buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void put_format(struct e8_buf *buf, const char *format, va_list args)
{
    char scratch[512];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(scratch, sizeof(scratch), format, args);
    E8_ASSERT(n >= 0);
    if ((size_t)n < sizeof(scratch))
        e8_buf_put(buf, scratch, (size_t)n);
    else
        put_long(buf, (size_t)n, format, again);
    va_end(again);
}

void e8_buf_printf(struct e8_buf *buf, const char *format, ...)
{
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(plain);
    va_list args;
    va_start(args, format);
    put_format(buf, format, args);
    va_end(args);
    uselocale(before);
    freelocale(plain);
}

/* All of it or nothing. */
static void put_whole(struct e8_buf *buf, const char *bytes, size_t n)
{
    if (n <= buf->limit - buf->n)
        e8_buf_put(buf, bytes, n);
    else
        buf->full = true;
}

/* Valid UTF-8, cut between characters only. */
static void put_chars(struct e8_buf *buf, const char *bytes, size_t n)
{
    size_t left = buf->limit - buf->n;
    if (n <= left) {
        e8_buf_put(buf, bytes, n);
        return;
    }
    e8_buf_put(buf, bytes, e8_utf8_valid((struct e8_str){bytes, left}));
    buf->full = true;
}

static void put_escape(struct e8_buf *buf, unsigned char c)
{
    static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i + 1 < sizeof(names); i += 2) {
        if ((unsigned char)names[i] == c) {
            put_whole(buf, (const char[]){'\\', names[i + 1]}, 2);
            return;
        }
    }
    put_whole(buf, (const char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

static void put_json_valid(struct e8_buf *buf, const char *p, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put_chars(buf, p + from, i - from);
        put_escape(buf, c);
        from = i + 1;
    }
    put_chars(buf, p + from, n - from);
}

/* Control characters; soft hyphen, fillers and what has no width; what turns the direction of text; separators of lines and paragraphs;
 * tags; what is no character. */
static const struct {
    uint32_t first, last;
} hidden_ranges[] = {{0x00, 0x1F},      {0x7F, 0x9F},     {0xAD, 0xAD},     {0x34F, 0x34F},
                     {0x61C, 0x61C},    {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180E, 0x180E},
                     {0x200B, 0x200B},  {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F},
                     {0x3164, 0x3164},  {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xFFFE, 0xFFFF},
                     {0xE0000, 0xE007F}};

bool e8_char_hidden(uint32_t character)
{
    for (size_t i = 0; i < E8_COUNT(hidden_ranges); i++) {
        if (character <= hidden_ranges[i].last)
            return character >= hidden_ranges[i].first;
    }
    return false;
}

/* Within a character there begins none. */
size_t e8_text_hidden(struct e8_str text)
{
    const unsigned char *p = (const unsigned char *)text.p;
    size_t bytes = p[0] < 0x80 ? 1 : p[0] < 0xC0 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    uint32_t character = bytes == 1 ? p[0] : p[0] & (0x7Fu >> bytes);
    if (bytes == 0 || bytes > text.n)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        character = character << 6 | (p[i] & 0x3Fu);
    return e8_char_hidden(character) ? bytes : 0;
}

static void put_byte(struct e8_buf *buf, const char *p)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)*p;
    put_whole(buf, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
}

static void put_clean_valid(struct e8_buf *buf, const char *p, size_t n)
{
    size_t from = 0, hidden;
    for (size_t i = 0; i < n; i += hidden ? hidden : 1) {
        hidden = e8_text_hidden((struct e8_str){p + i, n - i});
        if (hidden == 0)
            continue;
        put_chars(buf, p + from, i - from);
        bool line_end = p[i] == '\r' && i + 1 < n && p[i + 1] == '\n';
        if (p[i] == '\t' || p[i] == '\n')
            put_whole(buf, " ", 1);
        else if (!line_end)
            for (size_t k = 0; k < hidden; k++)
                put_byte(buf, p + i + k);
        from = i + hidden;
    }
    put_chars(buf, p + from, n - from);
}

static void put_replacement(struct e8_buf *buf, const char *p)
{
    (void)p;
    put_whole(buf, "\xEF\xBF\xBD", 3);
}

/* The valid stretches through `put`, each byte between them through `put_bad`. */
static void put_stretches(struct e8_buf *buf, struct e8_str str,
                          void put(struct e8_buf *, const char *, size_t),
                          void put_bad(struct e8_buf *, const char *))
{
    while (str.n > 0 && !buf->full) {
        size_t valid = e8_utf8_valid(str);
        put(buf, str.p, valid);
        if (valid == str.n)
            return;
        put_bad(buf, str.p + valid);
        str = (struct e8_str){str.p + valid + 1, str.n - valid - 1};
    }
}

/* Is any byte of eight none that stands in a JSON string as it is: a control character, a quote, a backslash, not ASCII? */
static bool any_special(uint64_t eight)
{
    const uint64_t ones = UINT64_MAX / 255, high = ones << 7;
    uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
    uint64_t low = (eight - ones * 0x20) | (quote - ones) | (backslash - ones);
    return ((low | eight) & high) != 0;
}

/* Eight bytes at a time, the last eight perhaps once more. */
bool e8_json_copy(char *to, struct e8_str str)
{
    uint64_t eight;
    if (str.n < sizeof eight)
        return false;
    for (size_t i = 0; i + sizeof eight < str.n; i += sizeof eight) {
        memcpy(&eight, str.p + i, sizeof eight);
        if (any_special(eight))
            return false;
        memcpy(to + i, &eight, sizeof eight);
    }
    memcpy(&eight, str.p + str.n - sizeof eight, sizeof eight);
    memcpy(to + str.n - sizeof eight, &eight, sizeof eight);
    return !any_special(eight);
}

void e8_buf_put_json(struct e8_buf *buf, struct e8_str str)
{
    e8_buf_reserve(buf, str.n);
    if (!buf->full && str.n <= buf->limit - buf->n && e8_json_copy(buf->p + buf->n, str)) {
        buf->n += str.n;
        return;
    }
    put_stretches(buf, str, put_json_valid, put_replacement);
}

void e8_buf_put_clean(struct e8_buf *buf, struct e8_str str)
{
    put_stretches(buf, str, put_clean_valid, put_byte);
}

/* In single quotes nothing is special to a shell but the quote itself. */
void e8_buf_put_quoted(struct e8_buf *buf, struct e8_str str)
{
    e8_buf_putc(buf, '\'');
    for (size_t i = 0; i < str.n; i++) {
        if (str.p[i] == '\'')
            e8_buf_puts(buf, "'\\''");
        else
            e8_buf_putc(buf, str.p[i]);
    }
    e8_buf_putc(buf, '\'');
}

struct e8_str e8_buf_str(const struct e8_buf *buf)
{
    return (struct e8_str){buf->p, buf->n};
}

const char *e8_buf_cstr(struct e8_buf *buf)
{
    if (buf->cap == 0)
        return "";
    if (buf->n == buf->cap) {
        E8_ASSERT(buf->fixed);
        buf->n--;
        buf->full = true;
    }
    buf->p[buf->n] = '\0';
    return buf->p;
}
