#include <stdarg.h>
#include <string.h>

#include "report/html.h"

void e8_html(struct e8_buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    E8_ASSERT(n >= 0 && (size_t)n < sizeof(text));
    e8_buf_put(out, text, (size_t)n);
}

/* ---- escaping ---- */

#define NON_JOINER 0x200C /* ZERO WIDTH NON-JOINER */
#define JOINER     0x200D /* ZERO WIDTH JOINER */

/* The character at the beginning of s, which is not empty; U+FFFD for a byte that is none. */
static uint32_t take(struct e8_str *s)
{
    const unsigned char *p = (const unsigned char *)s->p;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0xFFU >> (n + 1));
    if (n > s->n || (n > 1 && e8_utf8_valid((struct e8_str){s->p, n}) != n)) {
        n = 1;
        c = 0xFFFD;
    }
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 0x3F);
    *s = (struct e8_str){s->p + n, s->n - n};
    return c;
}

static uint32_t peek(struct e8_str s)
{
    return s.n > 0 ? take(&s) : 0;
}

/* ISO 646, by their names; NULL: it has none. */
static const char *control_name(uint32_t c)
{
    static const char names[][4] = {"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL",
                                    "BS",  "TAB", "LF",  "VT",  "FF",  "CR",  "SO",  "SI",
                                    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB",
                                    "CAN", "EM",  "SUB", "ESC", "FS",  "GS",  "RS",  "US"};
    return c < E8_COUNT(names) ? names[c] : c == 0x7F ? "DEL" : NULL;
}

/* Here the joiners are told as well, but for those within an emoji: a report is where one looks for such things, as in the dashboard. */
static bool is_unseen(uint32_t c)
{
    return e8_char_hidden(c) || c == NON_JOINER || c == JOINER;
}

/* Emoji, their variants and tones: of their blocks, since a table of all would be long. */
static bool is_pictograph(uint32_t c)
{
    return c == 0xFE0F || (c >= 0x2190 && c <= 0x2BFF) || (c >= 0x1F000 && c <= 0x1FAFF);
}

static bool is_no_character(uint32_t c)
{
    return (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
}

static const char *entity_of(uint32_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

static void put_char(struct e8_buf *out, uint32_t c, struct e8_str bytes)
{
    const char *entity = entity_of(c);
    if (entity)
        e8_buf_puts(out, entity);
    else if (c == '\t' || c == '\n')
        e8_buf_putc(out, ' ');
    else if (control_name(c))
        e8_html(out, "[%s]", control_name(c));
    else if (is_no_character(c) || c == 0xFFFD)
        e8_buf_puts(out, "\xEF\xBF\xBD");
    else if (is_unseen(c))
        e8_html(out, "[U+%04X]", (unsigned)c);
    else
        e8_buf_putstr(out, bytes);
}

void e8_html_text(struct e8_buf *out, const char *text)
{
    struct e8_str rest = e8_str(text);
    bool cut = rest.n > E8_HTML_TEXT_MAX;
    const char *end = cut ? rest.p + E8_HTML_TEXT_MAX : rest.p + rest.n;
    uint32_t before = 0;
    while (rest.n > 0 && rest.p < end) {
        const char *from = rest.p;
        uint32_t c = take(&rest);
        struct e8_str bytes = {from, (size_t)(rest.p - from)};
        if (c == JOINER && is_pictograph(before) && is_pictograph(peek(rest)))
            e8_buf_putstr(out, bytes); /* within one emoji it belongs to it */
        else
            put_char(out, c, bytes);
        before = c;
    }
    if (cut)
        e8_buf_puts(out, "…");
}

static void put_escape(struct e8_buf *out, uint32_t c)
{
    if (c > 0xFFFF)
        e8_html(out, "\\u%04x\\u%04x", (unsigned)(0xD800 + ((c - 0x10000) >> 10)),
                (unsigned)(0xDC00 + ((c - 0x10000) & 0x3FF)));
    else
        e8_html(out, "\\u%04x", (unsigned)c);
}

/* All of them stand within strings alone. */
void e8_html_json(struct e8_buf *out, struct e8_str json)
{
    while (json.n > 0) {
        uint32_t c = take(&json);
        if (c < 0x7F && c != '<' && c != '>' && c != '&')
            e8_buf_putc(out, (char)c);
        else
            put_escape(out, c);
    }
}

/* ---- elements ---- */

void e8_html_section(struct e8_buf *out, const char *prefix, const char *id, const char *title,
                     const char *note)
{
    e8_html(out, "<section aria-labelledby=\"");
    if (prefix[0])
        e8_html(out, "%srun ", prefix); /* the heading of its run goes before, so that no two have one name */
    e8_html(out, "%s%s\">\n<h2 id=\"%s%s\">%s</h2>\n", prefix, id, prefix, id, title);
    if (note) {
        e8_buf_puts(out, "<p class=\"note\">");
        e8_html_text(out, note);
        e8_buf_puts(out, "</p>\n");
    }
}

void e8_html_section_end(struct e8_buf *out)
{
    e8_buf_puts(out, "</section>\n");
}

/* Few columns of short texts would be far apart. */
static bool is_narrow(const char *const *titles)
{
    size_t n = 0;
    bool wide = false;
    for (; titles[n]; n++)
        wide = wide || titles[n][0] == '|' || titles[n][0] == '~';
    return n <= 4 && !wide;
}

void e8_html_table(struct e8_buf *out, const char *caption, const char *const *titles)
{
    e8_html(out,
            "<div class=\"scroll%s\" role=\"group\" aria-label=\"%s\" tabindex=\"0\"><table>\n"
            "<caption>%s</caption>\n<thead><tr>",
            is_narrow(titles) ? " narrow" : "", caption, caption);
    for (size_t i = 0; titles[i]; i++) {
        const char *title = titles[i];
        bool number = title[0] == '#', prose = title[0] == '~', bar = title[0] == '|';
        if (bar)
            e8_html(out, "<td class=\"bars\"></td>");
        else
            e8_html(out, "<th scope=\"col\"%s>%s</th>",
                    number  ? " class=\"num\""
                    : prose ? " class=\"prose\""
                            : "",
                    title + (number || prose));
    }
    e8_buf_puts(out, "</tr></thead>\n<tbody>\n");
}

void e8_html_table_end(struct e8_buf *out)
{
    e8_buf_puts(out, "</tbody>\n</table></div>\n");
}

void e8_html_row(struct e8_buf *out, const char *head)
{
    e8_buf_puts(out, "<tr><th scope=\"row\"><bdi>");
    e8_html_text(out, head);
    e8_buf_puts(out, "</bdi></th>");
}

void e8_html_row_end(struct e8_buf *out)
{
    e8_buf_puts(out, "</tr>\n");
}

void e8_html_cell(struct e8_buf *out, const char *class, const char *text)
{
    if (class)
        e8_html(out, "<td class=\"%s\"><bdi>", class);
    else
        e8_buf_puts(out, "<td><bdi>");
    e8_html_text(out, text);
    e8_buf_puts(out, "</bdi></td>");
}

void e8_html_number(struct e8_buf *out, const char *class, const char *text)
{
    e8_html(out, "<td class=\"num%s%s\">", class ? " " : "", class ? class : "");
    e8_html_text(out, text);
    e8_buf_puts(out, "</td>");
}

void e8_html_count(struct e8_buf *out, const char *class, uint64_t count)
{
    char text[E8_NUMBER_MAX];
    e8_html_number(out, count ? class : "dim", e8_count_text(count, text));
}

void e8_html_bar(struct e8_buf *out, const char *class, double share)
{
    double width = share > 1 ? 100 : share > 0 && share < 0.003 ? 0.3 : share * 100;
    e8_html(out, "<td class=\"bars\"><svg class=\"bar %s\" viewBox=\"0 0 100 1\" ", class);
    e8_buf_printf(out,
                  "preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect width=\"%.1f\" "
                  "height=\"1\"></rect></svg></td>",
                  share > 0 ? width : 0);
}

void e8_html_fact(struct e8_buf *out, const char *term, const char *value)
{
    if (!value || !value[0])
        return;
    e8_html(out, "<div><dt>%s</dt><dd><bdi>", term);
    e8_html_text(out, value);
    e8_buf_puts(out, "</bdi></dd></div>\n");
}

void e8_html_mark(struct e8_buf *out, const char *class, const char *text)
{
    e8_html(out, "<td><span class=\"mark %s\">%s</span></td>", class, text);
}

void e8_html_chart(struct e8_buf *out, const char *kind, const char *title, const char *note)
{
    e8_html(out,
            "<figure class=\"chart\" data-chart=\"%s\" hidden>\n<figcaption><b>%s</b> <span>%s</span>"
            "</figcaption>\n<div class=\"tools\"></div>\n<div class=\"canvas\"><canvas role=\"img\" "
            "aria-label=\"%s; the tables have the figures\"></canvas></div>\n</figure>\n",
            kind, title, note, title);
}
