/* A byte buffer with a limit. Past the limit nothing is written and `full` is set: a limit is an ordinary result. The content
 * is always the beginning of all that was put, however it was split; once full, nothing more is added until reset. */
#ifndef E8_BASE_BUF_H
#define E8_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

struct e8_buf {
    char *p;
    size_t n;     /* bytes written */
    size_t cap;   /* bytes allocated */
    size_t limit; /* n never exceeds it */
    bool fixed;   /* p is the caller's memory and never grows */
    bool full;    /* something did not fit */
};

/* A buffer that grows on the heap up to `limit` bytes; e8_buf_fini frees it. */
void e8_buf_init(struct e8_buf *buf, size_t limit);
/* A buffer over the caller's memory: never allocates, needs no fini. */
void e8_buf_fixed(struct e8_buf *buf, void *memory, size_t size);
void e8_buf_fini(struct e8_buf *buf);
void e8_buf_reset(struct e8_buf *buf); /* empty, memory kept, full cleared */
/* Room for so many bytes more, as far as the limit allows: they are put without growing. */
void e8_buf_reserve(struct e8_buf *buf, size_t more);
static inline void e8_buf_put(struct e8_buf *buf, const void *bytes, size_t n);
static inline void e8_buf_putc(struct e8_buf *buf, char c);
static inline void e8_buf_puts(struct e8_buf *buf, const char *text);
static inline void e8_buf_putstr(struct e8_buf *buf, struct e8_str str);
void e8_buf_putu(struct e8_buf *buf, uint64_t value); /* decimal, no locale */
void e8_buf_puti(struct e8_buf *buf, int64_t value);
void e8_buf_printf(struct e8_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* in the C locale */
/* The same bytes as a JSON string body, without the quotes: RFC 8259 escapes; a byte that is not
 * valid UTF-8 becomes U+FFFD. At the limit no escape and no character is cut. */
void e8_buf_put_json(struct e8_buf *buf, struct e8_str str);
/* Copies a text that is its own JSON string body. False: it may be none, and is not copied, or in part. */
bool e8_json_copy(char *to, struct e8_str str);
/* Must the character not be shown as it is? Controls, what cannot be seen, what turns the direction of text or separates lines; but not the
 * joiners U+200C and U+200D, which scripts need. */
bool e8_char_hidden(uint32_t character);
/* Of the character at the beginning of valid UTF-8, which is not empty: its bytes where it is hidden, else 0. */
size_t e8_text_hidden(struct e8_str text);
/* Printable text for a terminal: such characters, and what is no UTF-8, byte by byte as \x1B (tab and the end of a line as a space). */
void e8_buf_put_clean(struct e8_buf *buf, struct e8_str str);
/* One argument of a POSIX shell's command, in single quotes. */
void e8_buf_put_quoted(struct e8_buf *buf, struct e8_str str);
/* The content; valid until the next write. e8_buf_cstr puts a NUL behind it (not counted); when the caller's
 * memory is used up to its last byte, that byte gives way and `full` is set. */
struct e8_str e8_buf_str(const struct e8_buf *buf);
const char *e8_buf_cstr(struct e8_buf *buf);

/* e8_buf_put where the buffer has to grow, or comes to its end. */
void e8_buf_put_slow(struct e8_buf *buf, const void *bytes, size_t n);

static inline void e8_buf_put(struct e8_buf *buf, const void *bytes, size_t n)
{
    if (n > 0 && n < buf->cap - buf->n && !buf->full) {
        E8_ASSERT(bytes);
        memcpy(buf->p + buf->n, bytes, n);
        buf->n += n;
    } else {
        e8_buf_put_slow(buf, bytes, n);
    }
}

static inline void e8_buf_putc(struct e8_buf *buf, char c)
{
    e8_buf_put(buf, &c, 1);
}

static inline void e8_buf_puts(struct e8_buf *buf, const char *text)
{
    e8_buf_put(buf, text, strlen(text));
}

static inline void e8_buf_putstr(struct e8_buf *buf, struct e8_str str)
{
    e8_buf_put(buf, str.p, str.n);
}

#endif
