#include <string.h>

#include "report/parts.h"

#define WRAP_MAX ((size_t)64 << 10) /* of a text that is wrapped */

enum { WIDTH_USUAL = 80, WIDTH_LEAST = 40, WIDTH_MOST = 200, NOTE_AT = 100 };

static const char *const inks[] = {
    [E8_PLAIN] = "",          [E8_BOLD] = "\033[1m", [E8_DIM] = "\033[2m",   [E8_GREEN] = "\033[32m",
    [E8_YELLOW] = "\033[33m", [E8_RED] = "\033[31m", [E8_CYAN] = "\033[36m",
};

struct e8_page e8_page_new(struct e8_buf *out, struct e8_style style)
{
    int width = style.width > 0 ? style.width : WIDTH_USUAL;
    if (width < WIDTH_LEAST)
        width = WIDTH_LEAST;
    if (width > WIDTH_MOST)
        width = WIDTH_MOST;
    return (struct e8_page){out, (size_t)width, style.colour};
}

/* First and last code points. Combining marks, joiners and direction marks; Unicode 15, the blocks that texts of people use. */
static const struct range {
    uint32_t first, last;
} nothing[] =
    {
        {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x05BF, 0x05C7},   {0x0610, 0x061A},
        {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC}, {0x06DF, 0x06E4},   {0x06E7, 0x06ED},
        {0x0900, 0x0902}, {0x093A, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D},   {0x0951, 0x0957},
        {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF},   {0x1DC0, 0x1DFF},
        {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x2064}, {0x2066, 0x206F},   {0x20D0, 0x20FF},
        {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF}, {0xE0100, 0xE01EF},
},
  wide[] = {
      {0x1100, 0x115F},   {0x231A, 0x231B},   {0x2329, 0x232A},   {0x23E9, 0x23EC},   {0x25FD, 0x25FE},
      {0x2614, 0x2615},   {0x2648, 0x2653},   {0x26A1, 0x26A1},   {0x26BD, 0x26BE},   {0x26C4, 0x26C5},
      {0x26CE, 0x26CE},   {0x26D4, 0x26D4},   {0x2705, 0x2705},   {0x270A, 0x270B},   {0x2728, 0x2728},
      {0x274C, 0x274C},   {0x2753, 0x2755},   {0x2795, 0x2797},   {0x2B50, 0x2B50},   {0x2E80, 0x303E},
      {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xA960, 0xA97F},
      {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
      {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};

static bool among(uint32_t c, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && c >= ranges[i].first; i++)
        if (c <= ranges[i].last)
            return true;
    return false;
}

static size_t columns_of(uint32_t c)
{
    if (among(c, nothing, E8_COUNT(nothing)))
        return 0;
    return among(c, wide, E8_COUNT(wide)) ? 2 : 1;
}

/* The character at s, which has at least one byte; a byte that is not UTF-8 counts as one. */
static uint32_t next_char(struct e8_str s, size_t *bytes)
{
    unsigned char first = (unsigned char)s.p[0];
    size_t n = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (first < 0xC0 || n > s.n) {
        *bytes = 1;
        return first;
    }
    uint32_t c = first & (0xFFU >> (n + 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s.p[i] & 0x3F);
    *bytes = n;
    return c;
}

size_t e8_text_fit(struct e8_str text, size_t columns)
{
    size_t at = 0, used = 0, bytes;
    while (at < text.n) {
        used += columns_of(next_char((struct e8_str){text.p + at, text.n - at}, &bytes));
        if (used > columns)
            break;
        at += bytes;
    }
    return at;
}

size_t e8_text_width(struct e8_str text)
{
    size_t width = 0, bytes;
    for (size_t at = 0; at < text.n; at += bytes)
        width += columns_of(next_char((struct e8_str){text.p + at, text.n - at}, &bytes));
    return width;
}

void e8_page_spaces(struct e8_page *page, size_t n)
{
    for (; n > 0; n--)
        e8_buf_putc(page->out, ' ');
}

static void put_cut(struct e8_page *page, struct e8_str text, size_t width, size_t columns)
{
    if (width <= columns) {
        e8_buf_putstr(page->out, text);
        return;
    }
    size_t n = e8_text_fit(text, columns - 1);
    e8_buf_putstr(page->out, (struct e8_str){text.p, n});
    e8_buf_puts(page->out, "…");
    e8_page_spaces(page, columns - 1 - e8_text_width((struct e8_str){text.p, n}));
}

void e8_page_put(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t columns, char pad)
{
    char memory[1024];
    struct e8_buf clean;
    if (columns == 0)
        return;
    e8_buf_fixed(&clean, memory, sizeof(memory));
    e8_buf_put_clean(&clean, text);
    size_t width = e8_text_width(e8_buf_str(&clean));
    size_t fill = pad && width < columns ? columns - width : 0;
    if (pad == 'r')
        e8_page_spaces(page, fill);
    bool coloured = page->colour && ink != E8_PLAIN && clean.n > 0;
    if (coloured)
        e8_buf_puts(page->out, inks[ink]);
    put_cut(page, e8_buf_str(&clean), width, columns);
    if (coloured)
        e8_buf_puts(page->out, "\033[0m");
    if (pad == 'l')
        e8_page_spaces(page, fill);
}

/* Bytes of the beginning that leaves no more than so many columns. */
static size_t skip_to(struct e8_str text, size_t columns)
{
    size_t width = e8_text_width(text), at = 0, bytes;
    while (width > columns) {
        width -= columns_of(next_char((struct e8_str){text.p + at, text.n - at}, &bytes));
        at += bytes;
    }
    return at;
}

void e8_page_put_middle(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t columns)
{
    char memory[1024], shown[1024];
    struct e8_buf cut;
    e8_buf_fixed(&cut, shown, sizeof(shown));
    e8_buf_put_clean(&cut, text);
    text = e8_buf_str(&cut);
    if (columns < 3 || e8_text_width(text) <= columns) {
        e8_page_put(page, ink, text, columns, 'l');
        return;
    }
    size_t tail = skip_to(text, (columns - 1) / 2);
    e8_buf_fixed(&cut, memory, sizeof(memory));
    e8_buf_putstr(&cut, (struct e8_str){text.p, e8_text_fit(text, columns / 2)});
    e8_buf_puts(&cut, "…");
    e8_buf_putstr(&cut, (struct e8_str){text.p + tail, text.n - tail});
    e8_page_put(page, ink, e8_buf_str(&cut), columns, 'l');
}

void e8_page_bar(struct e8_page *page, enum e8_ink ink, double share, size_t columns)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    char memory[1024];
    struct e8_buf bar;
    size_t eighths = share > 0 ? (size_t)(share * (double)columns * 8 + 0.5) : 0;
    if (share > 0 && eighths == 0)
        eighths = 1;
    if (eighths > columns * 8)
        eighths = columns * 8;
    e8_buf_fixed(&bar, memory, sizeof(memory));
    for (size_t i = 0; i < eighths / 8; i++)
        e8_buf_puts(&bar, "█");
    e8_buf_puts(&bar, parts[eighths % 8]);
    e8_page_put(page, ink, e8_buf_str(&bar), columns, 0);
}

/* No line ends in blanks. */
void e8_page_line(struct e8_page *page)
{
    struct e8_buf *out = page->out;
    while (out->n > 0 && out->p[out->n - 1] == ' ')
        out->n--;
    e8_buf_putc(out, '\n');
}

void e8_page_section(struct e8_page *page, const char *title, const char *note)
{
    size_t used = strlen(title), end = page->width < NOTE_AT ? page->width : NOTE_AT;
    e8_page_line(page);
    e8_page_put(page, E8_BOLD, e8_str(title), page->width, 0);
    if (note && end > used + 2)
        e8_page_put(page, E8_DIM, e8_str(note), end - used, 'r');
    e8_page_line(page);
}

void e8_page_wrap(struct e8_page *page, struct e8_str text, size_t at, size_t indent)
{
    e8_page_wrap_ink(page, E8_PLAIN, text, at, indent);
}

void e8_page_wrap_ink(struct e8_page *page, enum e8_ink ink, struct e8_str text, size_t at, size_t indent)
{
    struct e8_buf clean;
    e8_buf_init(&clean, WRAP_MAX);
    e8_buf_put_clean(&clean, text);
    struct e8_str rest = e8_buf_str(&clean), word, line = {rest.p, 0};
    size_t used = 0, room = page->width - at;
    while (e8_str_split(&rest, ' ', &word)) {
        size_t width = e8_text_width(word);
        if (used > 0 && used + 1 + width > room) {
            e8_page_put(page, ink, line, room, 0);
            e8_page_line(page);
            e8_page_spaces(page, indent);
            room = page->width - indent;
            line = (struct e8_str){word.p, 0};
            used = 0;
        }
        line.n = (size_t)(word.p + word.n - line.p);
        used += (used > 0) + width;
    }
    e8_page_put(page, ink, line, room, 0);
    e8_page_line(page);
    e8_buf_fini(&clean);
}

void e8_page_facts(struct e8_page *page, const char *const *facts, size_t count, size_t indent,
                   enum e8_ink ink)
{
    size_t at = 0;
    e8_page_spaces(page, indent);
    for (size_t i = 0; i < count; i++) {
        size_t width = facts[i] ? e8_text_width(e8_str(facts[i])) : 0;
        if (width == 0)
            continue;
        if (at > 0 && indent + at + 3 + width > page->width) {
            e8_page_line(page);
            e8_page_spaces(page, indent);
            at = 0;
        }
        if (at > 0) {
            e8_page_put(page, E8_DIM, E8_LIT(" · "), 3, 0);
            at += 3;
        }
        e8_page_put(page, ink, e8_str(facts[i]), page->width - indent - at, 0);
        at += width;
    }
    e8_page_line(page);
}
