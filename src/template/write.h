/* What a rendering writes goes into a window, memory of the renderer's own, and from there into the buffer: once in most
 * renderings, when they end. So it is rarely asked whether the buffer has room. Not for other modules. */
#ifndef E8_TEMPLATE_WRITE_H
#define E8_TEMPLATE_WRITE_H

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define E8_TPL_PIECE 32 /* so many bytes are copied of a piece, however short it is */
#define E8_TPL_ROOM  96 /* the most that e8_tpl_room gives */

struct writer {
    char *start, *at, *end; /* the window, written up to `at` */
    struct e8_buf *out;
};

/* The window has at least E8_TPL_ROOM bytes. */
void e8_tpl_write(struct writer *w, char *window, size_t size, struct e8_buf *out);
/* All that was written is in the buffer then, as far as it fits. */
void e8_tpl_flush(struct writer *w);
void e8_tpl_put_bytes(struct writer *w, const char *bytes, size_t n);
void e8_tpl_put_unsigned(struct writer *w, uint64_t value);
void e8_tpl_put_signed(struct writer *w, int64_t value);
/* A copy from which E8_TPL_PIECE bytes may be read, wherever in it one begins. */
struct e8_str e8_tpl_piece(struct e8_arena *arena, struct e8_str text);

/* What e8_tpl_piece returned, or a part of it. Most are short: to copy a fixed number of bytes takes no call. */
static inline void e8_tpl_put_piece(struct writer *w, struct e8_str piece)
{
    if (piece.n > E8_TPL_PIECE || (size_t)(w->end - w->at) < E8_TPL_PIECE) {
        e8_tpl_put_bytes(w, piece.p, piece.n);
        return;
    }
    memcpy(w->at, piece.p, E8_TPL_PIECE);
    w->at += piece.n;
}

/* Room for so many bytes, E8_TPL_ROOM at most, from w->at on: who writes them moves that. */
static inline char *e8_tpl_room(struct writer *w, size_t n)
{
    if (n > (size_t)(w->end - w->at))
        e8_tpl_flush(w);
    return w->at;
}

#endif
