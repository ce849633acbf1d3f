#include "tamper/parts.h"

/* What is wrong, each part behind the one before. */
struct words {
    struct e8_buf *out;
    size_t start;
};

static void next(const struct words *w)
{
    if (w->out->n > w->start)
        e8_buf_puts(w->out, "; ");
}

static void put_time(const struct words *w, const struct e8_tamper *t)
{
    char span[E8_DUR_MAX];
    e8_dur_text(t->shift < 0 ? -t->shift : t->shift, span);
    if (t->stamp == E8_STAMP_RIGHT)
        return;
    next(w);
    switch (t->stamp) {
    case E8_STAMP_SHIFT:
        e8_buf_printf(w->out, "timestamp %s %s", span, t->shift < 0 ? "ago" : "ahead");
        return;
    case E8_STAMP_OLDER:
    case E8_STAMP_NEWER:
        e8_buf_printf(w->out, "timestamp %s than the tolerance by %s",
                      t->stamp == E8_STAMP_OLDER ? "older" : "newer", span);
        return;
    default:
        e8_buf_printf(w->out, "timestamp \"%.*s\"", E8_STR(t->stamp_text));
    }
}

static void put_change(const struct words *w, const char *text, uint64_t number, const char *unit)
{
    next(w);
    e8_buf_puts(w->out, text);
    if (unit == NULL)
        return;
    e8_buf_putc(w->out, ' ');
    e8_buf_putu(w->out, number);
    e8_buf_puts(w->out, unit);
}

static void put_body(const struct words *w, const struct e8_tamper *t)
{
    if (t->replacement.p != NULL)
        put_change(w, "body replaced by", t->replacement.n, t->replacement.n == 1 ? " byte" : " bytes");
    if (t->form != NULL) {
        next(w);
        e8_buf_printf(w->out, "body %s", e8_form_text(t->form));
    }
    if (t->depth > 0)
        put_change(w, "body nested", t->depth, " deep");
    if (t->size > 0)
        put_change(w, "body padded to", t->size, " bytes");
    if (t->flip == E8_FLIP_AT)
        put_change(w, "one bit flipped in byte", t->flip_at, " of the body");
    else if (t->flip == E8_FLIP_RANDOM)
        put_change(w, "one bit of the body flipped", 0, NULL);
    if (t->truncate > 0)
        put_change(w, "body cut by", t->truncate, t->truncate == 1 ? " byte" : " bytes");
    if (t->is_signed || t->is_unsigned)
        e8_buf_puts(w->out, t->is_signed ? ", before signing" : ", after signing");
}

static void put_header(const struct words *w, const struct e8_header *header, const char *verb)
{
    enum { SHOWN = 60 };
    next(w);
    e8_buf_printf(w->out, "header %.*s %s", E8_STR(header->name), verb);
    if (header->value.n > SHOWN)
        e8_buf_printf(w->out, " (%zu bytes)", header->value.n);
}

static void put_headers(const struct words *w, const struct e8_tamper *t)
{
    if (t->no_content_type)
        put_change(w, "without a content type", 0, NULL);
    else if (t->content_type.p != NULL) {
        next(w);
        e8_buf_printf(w->out, "content type \"%.*s\"", E8_STR(t->content_type));
    }
    for (size_t i = 0; i < t->removed.count; i++)
        put_header(w, &(struct e8_header){t->removed.list[i], {NULL, 0}}, "removed");
    for (size_t i = 0; i < t->set.count; i++)
        put_header(w, &t->set.list[i], "set");
    for (size_t i = 0; i < t->added.count; i++)
        put_header(w, &t->added.list[i], "added");
    if (t->lower)
        put_change(w, "header names in lower case", 0, NULL);
}

static void put_wire(const struct words *w, const struct e8_wire *wire)
{
    if (wire->chunked)
        put_change(w, "sent in chunks", 0, NULL);
    if (wire->expect)
        put_change(w, "with Expect: 100-continue", 0, NULL);
    if (wire->rate > 0)
        put_change(w, "body at", wire->rate, " bytes a second");
    if (wire->close_after >= 0)
        put_change(w, "connection closed after", (uint64_t)wire->close_after, " bytes of the body");
}

void e8_tamper_text(const struct e8_tamper *t, struct e8_buf *out)
{
    struct words w = {out, out->n};
    if (t->signature != E8_SIGNATURE_RIGHT)
        put_change(&w, e8_signature_words[t->signature - E8_SIGNATURE_NONE].text, 0, NULL);
    put_time(&w, t);
    put_body(&w, t);
    put_headers(&w, t);
    if (t->method.p != NULL) {
        next(&w);
        e8_buf_printf(out, "method %.*s%s", E8_STR(t->method), t->bodiless ? ", without a body" : "");
    }
    put_wire(&w, &t->wire);
}
