#include "doc/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct e8_json e8_json_new(struct e8_buf *buf, int indent)
{
    E8_ASSERT(indent >= 0);
    return (struct e8_json){.buf = buf, .indent = indent};
}

static void put_line(struct e8_json *w)
{
    if (!w->indent)
        return;
    e8_buf_putc(w->buf, '\n');
    for (int i = 0; i < w->indent * w->depth; i++)
        e8_buf_putc(w->buf, ' ');
}

/* All that goes before a value: comma, line, key. */
static void begin(struct e8_json *w, const char *key)
{
    E8_ASSERT(!key || w->depth > 0);
    if (w->depth) {
        if (w->comma)
            e8_buf_putc(w->buf, ',');
        put_line(w);
    }
    w->comma = true;
    if (key) {
        e8_buf_putc(w->buf, '"');
        e8_buf_put_json(w->buf, e8_str(key));
        e8_buf_puts(w->buf, w->indent ? "\": " : "\":");
    }
}

static void open_bracket(struct e8_json *w, const char *key, char bracket)
{
    begin(w, key);
    e8_buf_putc(w->buf, bracket);
    w->depth++;
    w->comma = false;
}

void e8_json_object(struct e8_json *w, const char *key)
{
    open_bracket(w, key, '{');
}

void e8_json_array(struct e8_json *w, const char *key)
{
    open_bracket(w, key, '[');
}

void e8_json_end(struct e8_json *w, char bracket)
{
    E8_ASSERT(w->depth > 0 && (bracket == '}' || bracket == ']'));
    w->depth--;
    if (w->comma)
        put_line(w);
    e8_buf_putc(w->buf, bracket);
    w->comma = true;
}

void e8_json_str(struct e8_json *w, const char *key, struct e8_str value)
{
    begin(w, key);
    e8_buf_putc(w->buf, '"');
    e8_buf_put_json(w->buf, value);
    e8_buf_putc(w->buf, '"');
}

void e8_json_cstr(struct e8_json *w, const char *key, const char *value)
{
    if (value)
        e8_json_str(w, key, e8_str(value));
    else
        e8_json_null(w, key);
}

void e8_json_int(struct e8_json *w, const char *key, int64_t value)
{
    begin(w, key);
    e8_buf_puti(w->buf, value);
}

void e8_json_bool(struct e8_json *w, const char *key, bool value)
{
    begin(w, key);
    e8_buf_puts(w->buf, value ? "true" : "false");
}

/* The locale's decimal point, of whatever bytes, becomes a point. */
static void put_digits(struct e8_buf *buf, const char *text)
{
    bool point = false;
    for (const char *p = text; *p; p++) {
        if ((*p >= '0' && *p <= '9') || *p == '-') {
            e8_buf_putc(buf, *p);
        } else if (!point) {
            e8_buf_putc(buf, '.');
            point = true;
        }
    }
}

void e8_json_num(struct e8_json *w, const char *key, double value, int decimals)
{
    char text[384]; /* DBL_MAX has 309 digits */
    E8_ASSERT(decimals >= 0 && decimals <= 17);
    if (!isfinite(value)) {
        e8_json_null(w, key);
        return;
    }
    begin(w, key);
    snprintf(text, sizeof text, "%.*f", decimals, value);
    bool zero = strpbrk(text, "123456789") == NULL;
    put_digits(w->buf, zero && text[0] == '-' ? text + 1 : text);
}

void e8_json_null(struct e8_json *w, const char *key)
{
    begin(w, key);
    e8_buf_puts(w->buf, "null");
}

void e8_json_raw(struct e8_json *w, const char *key, struct e8_str json)
{
    begin(w, key);
    e8_buf_putstr(w->buf, json);
}
