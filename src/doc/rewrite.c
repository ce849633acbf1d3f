#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"

/* Where a tree is being written, and how. */
struct writer {
    const struct e8_json_style *style;
    struct e8_buf *out;
    int depth;
};

/* One character of valid UTF-8 and its length. */
static uint32_t decode(const char *p, size_t *n)
{
    unsigned char c = (unsigned char)p[0];
    *n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t code = *n == 1 ? c : c & (0xffu >> (*n + 1));
    for (size_t i = 1; i < *n; i++)
        code = code << 6 | ((unsigned char)p[i] & 0x3f);
    return code;
}

static void put_escaped(struct e8_buf *out, uint32_t code)
{
    if (code >= 0x10000) {
        e8_buf_printf(out, "\\u%04x", (unsigned)(0xd800 + ((code - 0x10000) >> 10)));
        code = 0xdc00 + ((code - 0x10000) & 0x3ff);
    }
    e8_buf_printf(out, "\\u%04x", (unsigned)code);
}

static void put_character(const struct writer *w, const char *p, size_t n, uint32_t code)
{
    const struct e8_json_style *style = w->style;
    bool html =
        style->html && (code == '<' || code == '>' || code == '&' || code == 0x2028 || code == 0x2029);
    if (html || (style->ascii && code >= 0x80))
        put_escaped(w->out, code);
    else if (style->slashes && code == '/')
        e8_buf_puts(w->out, "\\/");
    else
        e8_buf_put_json(w->out, (struct e8_str){p, n});
}

static void put_string(const struct writer *w, struct e8_str text)
{
    e8_buf_putc(w->out, '"');
    if (e8_utf8_valid(text) != text.n) {
        e8_buf_put_json(w->out, text);
        text.n = 0;
    }
    for (size_t i = 0, n = 0; i < text.n; i += n) {
        uint32_t code = decode(text.p + i, &n);
        put_character(w, text.p + i, n, code);
    }
    e8_buf_putc(w->out, '"');
}

/* A double holds every whole number up to 2^53: larger ones might come out as others. */
static bool put_float(const struct writer *w, const struct e8_node *node)
{
    const int64_t limit = INT64_C(1) << 53;
    if (!w->style->floats || node->kind != E8_INT || node->i > limit || node->i < -limit)
        return false;
    bool hundreds = node->i != 0 && node->i % 100 == 0;
    if (hundreds)
        e8_buf_puti(w->out, node->i / 100);
    else
        e8_buf_putstr(w->out, node->text); /* also -0 */
    e8_buf_puts(w->out, hundreds ? "e2" : ".0");
    return true;
}

static void put_number(const struct writer *w, const struct e8_node *node)
{
    if (put_float(w, node))
        return;
    bool whole = node->kind == E8_FLOAT && fabs(node->f) < 9007199254740992.0 && floor(node->f) >= node->f;
    if (w->style->numbers && whole) {
        e8_buf_puti(w->out, (int64_t)node->f);
        return;
    }
    struct e8_str text = node->text;
    if (w->style->numbers && node->kind == E8_FLOAT && memchr(text.p, 'e', text.n) == NULL &&
        memchr(text.p, 'E', text.n) == NULL && memchr(text.p, '.', text.n) != NULL) {
        while (text.p[text.n - 1] == '0') /* 1.50 is 1.5 */
            text.n--;
    }
    e8_buf_putstr(w->out, text);
}

static void new_line(const struct writer *w)
{
    if (w->style->indent == 0)
        return;
    e8_buf_putc(w->out, '\n');
    for (int i = 0; i < w->style->indent * w->depth; i++)
        e8_buf_putc(w->out, ' ');
}

static int by_key(const void *left, const void *right)
{
    const struct e8_node *const *l = left, *const *r = right;
    struct e8_str a = (*l)->key, b = (*r)->key;
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static void put_node(struct writer *w, const struct e8_node *node);

static void put_children(struct writer *w, const struct e8_node *node, const struct e8_node **children)
{
    e8_buf_putc(w->out, node->kind == E8_MAP ? '{' : '[');
    w->depth++;
    for (size_t i = 0; i < node->count; i++) {
        if (i > 0)
            e8_buf_puts(w->out, w->style->spaced ? ", " : ",");
        new_line(w);
        if (node->kind == E8_MAP) {
            put_string(w, children[i]->key);
            e8_buf_puts(w->out, w->style->spaced || w->style->indent > 0 ? ": " : ":");
        }
        put_node(w, children[i]);
    }
    w->depth--;
    if (node->count > 0)
        new_line(w);
    e8_buf_putc(w->out, node->kind == E8_MAP ? '}' : ']');
}

static void turn(const struct e8_node **list, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        const struct e8_node *other = list[count - 1 - i];
        list[count - 1 - i] = list[i];
        list[i] = other;
    }
}

static void put_collection(struct writer *w, const struct e8_node *node)
{
    const struct e8_node **children = e8_new(node->count + 1, sizeof *children);
    size_t count = 0;
    for (const struct e8_node *child = node->first; child != NULL; child = child->next)
        children[count++] = child;
    E8_ASSERT(count == node->count);
    if (w->style->sorted && node->kind == E8_MAP && count > 1)
        qsort(children, count, sizeof *children, by_key);
    if (w->style->turned && node->kind == E8_MAP)
        turn(children, count);
    put_children(w, node, children);
    free(children);
}

static void put_node(struct writer *w, const struct e8_node *node)
{
    switch (node->kind) {
    case E8_NULL:
        e8_buf_puts(w->out, "null");
        return;
    case E8_BOOL:
        e8_buf_puts(w->out, node->b ? "true" : "false");
        return;
    case E8_INT:
    case E8_FLOAT:
        put_number(w, node);
        return;
    case E8_STRING:
        put_string(w, node->text);
        return;
    case E8_SEQ:
    case E8_MAP:
        put_collection(w, node);
        return;
    }
    E8_UNREACHABLE();
}

void e8_json_rewrite(const struct e8_node *node, const struct e8_json_style *style, struct e8_buf *out)
{
    struct writer w = {style, out, 0};
    put_node(&w, node);
}
