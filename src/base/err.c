#include "base/err.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

/* A text cut to the field between two characters. */
static void copy_text(char *field, size_t size, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    if (text && n >= size) {
        size_t valid = e8_utf8_valid((struct e8_str){text, size - 1});
        n = size - 1 - valid < 4 ? valid : size - 1;
    }
    if (text)
        memcpy(field, text, n);
    field[n] = '\0';
}

static void fill_what(struct e8_err *err, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void fill_what(struct e8_err *err, const char *format, va_list args)
{
    char text[sizeof(err->what) + 4];
    vsnprintf(text, sizeof(text), format, args);
    copy_text(err->what, sizeof(err->what), text);
}

/* Filled beside *err, since the arguments may lie in it: a text is often put before that of a deeper error. */
enum e8_rc e8_fail(struct e8_err *err, enum e8_rc rc, const char *hint, const char *format, ...)
{
    if (!err)
        return rc;
    struct e8_err filled = {.rc = rc};
    va_list args;
    va_start(args, format);
    fill_what(&filled, format, args);
    va_end(args);
    copy_text(filled.hint, sizeof(filled.hint), hint);
    *err = filled;
    return rc;
}

enum e8_rc e8_fail_at(struct e8_err *err, const char *file, int line, int col, const char *hint,
                      const char *format, ...)
{
    if (!err)
        return E8_INPUT;
    struct e8_err filled = {.rc = E8_INPUT, .line = line, .col = col};
    va_list args;
    va_start(args, format);
    fill_what(&filled, format, args);
    va_end(args);
    copy_text(filled.file, sizeof(filled.file), file);
    copy_text(filled.hint, sizeof(filled.hint), hint);
    *err = filled;
    return E8_INPUT;
}

enum e8_rc e8_fail_of(struct e8_err *err, const char *name, const struct e8_err *given)
{
    return e8_fail(err, given->rc, given->hint, "%s: %s", name, given->what);
}

const char *e8_hint_near(struct e8_str unknown, const char *const *names, const char *otherwise,
                         char out[E8_HINT_MAX])
{
    const char *near = e8_suggest(unknown, names);
    if (near)
        snprintf(out, E8_HINT_MAX, "did you mean \"%s\"?", near);
    else
        copy_text(out, E8_HINT_MAX, otherwise);
    return out;
}

const char *e8_hint_names(struct e8_str unknown, const char *const *names, const char *what,
                          char out[E8_HINT_MAX])
{
    static const char more[] = ", …";
    char list[E8_HINT_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, list, sizeof(list) - 1);
    e8_buf_puts(&buf, what);
    for (size_t i = 0; names[i]; i++) {
        if (buf.n + strlen(names[i]) + 2 + sizeof(more) >= sizeof(list)) {
            e8_buf_puts(&buf, more);
            break;
        }
        e8_buf_printf(&buf, "%s %s", i ? "," : "", names[i]);
    }
    return e8_hint_near(unknown, names, e8_buf_cstr(&buf), out);
}

/* What most terminals show in two columns, or (combining, joiners, variation selectors) in none. */
struct width {
    uint32_t first, last;
    size_t columns;
};

static const struct width widths[] = {
    {0x0300, 0x036F, 0},   {0x1100, 0x115F, 2},   {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},
    {0x2E80, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},   {0xFE00, 0xFE0F, 0},
    {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},   {0x1F300, 0x1F64F, 2},
    {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2},
};

/* The character at the start of valid UTF-8; *n is its length. */
static uint32_t decode(const char *p, size_t *n)
{
    unsigned char lead = (unsigned char)p[0];
    *n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t c = *n == 1 ? lead : lead & (0x7FU >> *n);
    for (size_t i = 1; i < *n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3F);
    return c;
}

static size_t columns_of(uint32_t c)
{
    for (size_t i = 0; i < E8_COUNT(widths); i++)
        if (c >= widths[i].first && c <= widths[i].last)
            return widths[i].columns;
    return 1;
}

static void put_field(struct e8_buf *buf, const char *field, size_t size)
{
    e8_buf_put_clean(buf, (struct e8_str){field, strnlen(field, size)});
}

static void put_place(struct e8_buf *buf, const struct e8_err *err)
{
    if (!err->file[0])
        return;
    put_field(buf, err->file, sizeof(err->file));
    if (err->line > 0)
        e8_buf_printf(buf, ":%d", err->line);
    if (err->line > 0 && err->col > 0)
        e8_buf_printf(buf, ":%d", err->col);
    e8_buf_puts(buf, ": ");
}

/* The columns of a character as it is shown (e8_buf_put_clean); *n is its length. */
static size_t shown_columns(struct e8_str text, size_t *n)
{
    char memory[16];
    struct e8_buf shown;
    uint32_t c = 0;
    *n = 1;
    if (e8_utf8_valid((struct e8_str){text.p, text.n < 4 ? text.n : 4}) > 0)
        c = decode(text.p, n);
    e8_buf_fixed(&shown, memory, sizeof(memory));
    e8_buf_put_clean(&shown, (struct e8_str){text.p, *n});
    return c && shown.n == *n ? columns_of(c) : shown.n;
}

/* The line, and a caret under character `col` of it, where it has so many (or ends just before). */
static void put_source(struct e8_buf *buf, const struct e8_err *err)
{
    struct e8_str rest = {err->source, strnlen(err->source, sizeof(err->source))};
    size_t columns = 0;
    e8_buf_puts(buf, "  ");
    e8_buf_put_clean(buf, rest);
    e8_buf_putc(buf, '\n');
    for (int i = 1; i < err->col; i++) {
        size_t n;
        if (rest.n == 0)
            return;
        columns += shown_columns(rest, &n);
        rest = (struct e8_str){rest.p + n, rest.n - n};
    }
    if (err->col > 0)
        e8_buf_printf(buf, "  %*s^\n", (int)columns, "");
}

void e8_err_print(const struct e8_err *err, FILE *out)
{
    char text[8 * sizeof(*err)]; /* cleaning makes four bytes of one; the caret's line is at most as wide */
    struct e8_buf buf;
    e8_buf_fixed(&buf, text, sizeof(text));
    put_place(&buf, err);
    put_field(&buf, err->what, sizeof(err->what));
    if (err->hint[0]) {
        e8_buf_puts(&buf, "; ");
        put_field(&buf, err->hint, sizeof(err->hint));
    }
    e8_buf_putc(&buf, '\n');
    if (err->source[0])
        put_source(&buf, err);
    fwrite(buf.p, 1, buf.n, out);
}

void e8_errs_init(struct e8_errs *errs)
{
    *errs = (struct e8_errs){0};
}

void e8_errs_fini(struct e8_errs *errs)
{
    free(errs->list);
    e8_errs_init(errs);
}

static int gravity(enum e8_rc rc)
{
    switch (rc) {
    case E8_OK:
        return 0;
    case E8_LIMIT:
        return 1;
    case E8_INPUT:
        return 2;
    case E8_ENV:
        return 3;
    }
    E8_UNREACHABLE();
}

static bool same(const struct e8_err *a, const struct e8_err *b)
{
    return a->line == b->line && a->col == b->col && a->rc == b->rc && strcmp(a->what, b->what) == 0 &&
           strcmp(a->file, b->file) == 0 && strcmp(a->hint, b->hint) == 0;
}

static bool is_kept(const struct e8_errs *errs, const struct e8_err *err)
{
    for (size_t i = 0; i < errs->count; i++)
        if (same(&errs->list[i], err))
            return true;
    return false;
}

enum e8_rc e8_errs_add(struct e8_errs *errs, const struct e8_err *err)
{
    if (!errs)
        return err->rc;
    errs->total++;
    if (gravity(err->rc) > gravity(errs->gravest))
        errs->gravest = err->rc;
    if (is_kept(errs, err)) {
        errs->repeated++;
    } else if (errs->count < E8_ERRS_MAX) {
        if ((errs->count & (errs->count - 1)) == 0)
            errs->list = e8_resize(errs->list, errs->count ? 2 * errs->count : 1, sizeof(*errs->list));
        errs->list[errs->count++] = *err;
    }
    return err->rc;
}

size_t e8_errs_distinct(const struct e8_errs *errs)
{
    return errs->total - errs->repeated;
}

void e8_errs_print(const struct e8_errs *errs, FILE *out)
{
    for (size_t i = 0; i < errs->count; i++)
        e8_err_print(&errs->list[i], out);
    if (e8_errs_distinct(errs) > errs->count)
        fprintf(out, "and %zu more\n", e8_errs_distinct(errs) - errs->count);
}

enum e8_rc e8_errs_rc(const struct e8_errs *errs)
{
    return errs->gravest;
}
