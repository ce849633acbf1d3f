#include "template/write.h"

#include "base/assert.h"

void e8_tpl_write(struct writer *w, char *window, size_t size, struct e8_buf *out)
{
    E8_ASSERT(size >= E8_TPL_ROOM);
    *w = (struct writer){.start = window, .at = window, .end = window + size, .out = out};
}

__attribute__((noinline)) void e8_tpl_flush(struct writer *w)
{
    e8_buf_put(w->out, w->start, (size_t)(w->at - w->start));
    w->at = w->start;
}

__attribute__((noinline)) void e8_tpl_put_bytes(struct writer *w, const char *bytes, size_t n)
{
    if (n <= (size_t)(w->end - w->at)) {
        memcpy(w->at, bytes, n);
        w->at += n;
        return;
    }
    e8_tpl_flush(w);
    e8_buf_put(w->out, bytes, n);
}

struct e8_str e8_tpl_piece(struct e8_arena *arena, struct e8_str text)
{
    char *copy = e8_arena_alloc(arena, text.n + E8_TPL_PIECE);

    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    return (struct e8_str){copy, text.n};
}

void e8_tpl_put_unsigned(struct writer *w, uint64_t value)
{
    if (value < 10) { /* most counts */
        *e8_tpl_room(w, 1) = (char)('0' + value);
        w->at++;
        return;
    }
    char text[E8_DIGITS_MAX], *end = text + sizeof(text);
    const char *p = e8_digits(value, end);

    e8_tpl_put_bytes(w, p, (size_t)(end - p));
}

void e8_tpl_put_signed(struct writer *w, int64_t value)
{
    if (value < 0)
        e8_tpl_put_bytes(w, "-", 1);
    e8_tpl_put_unsigned(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}
