/* The values of YAML's scalars, read from the text between the marks that libfyaml gives. Its own functions for this leak
 * memory (many quotes in single quotes) and read behind the end of the text (block strings). */
#include "doc/build.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* Behind the line break at `at`: \n, \r or \r\n. */
static size_t next_line(struct e8_str text, size_t at)
{
    bool both = text.p[at] == '\r' && at + 1 < text.n && text.p[at + 1] == '\n';
    return at + 1 + both;
}

/* A value as it is built; never longer than what it is read from. */
struct value {
    char *p;
    size_t n, floor; /* blanks before `floor` are no trailing blanks of the line */
};

static void put(struct value *value, char c, size_t count)
{
    if (count)
        memset(value->p + value->n, c, count);
    value->n += count;
}

/* YAML 1.2, 6.5, line folding in flow scalars: one break is a space, n of them are n - 1. Blanks around them are dropped. */
static void fold(struct value *value, struct e8_str raw, size_t *at)
{
    size_t breaks = 0;
    while (value->n > value->floor && is_space(value->p[value->n - 1]))
        value->n--;
    while (*at < raw.n && (is_space(raw.p[*at]) || is_break(raw.p[*at]))) {
        breaks += is_break(raw.p[*at]);
        *at = is_break(raw.p[*at]) ? next_line(raw, *at) : *at + 1;
    }
    put(value, breaks > 1 ? '\n' : ' ', breaks > 1 ? breaks - 1 : 1);
    value->floor = value->n;
}

struct e8_str e8_yaml_flow(struct e8_arena *arena, struct e8_str raw, bool quoted)
{
    bool changes = quoted && memchr(raw.p, '\'', raw.n);
    if (!changes && !memchr(raw.p, '\n', raw.n) && !memchr(raw.p, '\r', raw.n))
        return raw;
    struct value value = {.p = e8_arena_alloc(arena, raw.n + 1)};
    for (size_t i = 0; i < raw.n;) {
        if (is_break(raw.p[i])) {
            fold(&value, raw, &i);
            continue;
        }
        i += quoted && raw.p[i] == '\'' && i + 1 < raw.n;
        put(&value, raw.p[i++], 1);
    }
    return (struct e8_str){value.p, value.n};
}

/* YAML 1.2, 5.7. */
static const struct {
    char name;
    unsigned char digits;
    uint16_t code;
} escapes[] = {
    {'0', 0, 0},  {'a', 0, 7},   {'b', 0, 8},    {'t', 0, 9},    {'\t', 0, 9},     {'n', 0, 10},
    {'v', 0, 11}, {'f', 0, 12},  {'r', 0, 13},   {'e', 0, 27},   {' ', 0, 32},     {'"', 0, 34},
    {'/', 0, 47}, {'\\', 0, 92}, {'N', 0, 0x85}, {'_', 0, 0xA0}, {'L', 0, 0x2028}, {'P', 0, 0x2029},
    {'x', 2, 0},  {'u', 4, 0},   {'U', 8, 0},
};

/* The second half of a pair of surrogates, as JSON writes them; -1 if there is none. */
static int64_t low_surrogate(struct e8_str raw, size_t at)
{
    if (raw.n - at < 6 || raw.p[at] != '\\' || raw.p[at + 1] != 'u')
        return -1;
    int64_t low = e8_text_hex(raw, at + 2, 4);
    return low >= 0xDC00 && low <= 0xDFFF ? low : -1;
}

/* The escape that begins at raw.p[*at]; false if it is none or no character. */
static bool read_escape(struct value *value, struct e8_str raw, size_t *at)
{
    size_t i = 0;
    if (*at + 1 == raw.n)
        return false;
    while (i < E8_COUNT(escapes) && escapes[i].name != raw.p[*at + 1])
        i++;
    if (i == E8_COUNT(escapes))
        return false;
    int64_t code = escapes[i].digits ? e8_text_hex(raw, *at + 2, escapes[i].digits) : escapes[i].code;
    *at += 2 + (size_t)escapes[i].digits;
    if (code >= 0xD800 && code <= 0xDBFF) {
        int64_t low = low_surrogate(raw, *at);
        code = low < 0 ? -1 : 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
        *at += 6;
    }
    if (code < 0 || code > 0x10FFFF || (code >= 0xDC00 && code <= 0xDFFF))
        return false;
    value->n += e8_text_utf8(value->p + value->n, (uint32_t)code);
    value->floor = value->n;
    return true;
}

/* A backslash at the end of a line joins it with the next one. */
static void join(struct value *value, struct e8_str raw, size_t *at)
{
    *at = next_line(raw, *at + 1);
    while (*at < raw.n && is_space(raw.p[*at]))
        (*at)++;
    value->floor = value->n;
}

enum e8_rc e8_yaml_double(struct e8_build *build, struct e8_str raw, struct e8_str *out)
{
    *out = raw;
    if (!memchr(raw.p, '\\', raw.n) && !memchr(raw.p, '\n', raw.n) && !memchr(raw.p, '\r', raw.n))
        return E8_OK;
    struct value value = {.p = e8_arena_alloc(build->arena, raw.n + 1)};
    for (size_t i = 0; i < raw.n;) {
        size_t start = i;
        if (is_break(raw.p[i]))
            fold(&value, raw, &i);
        else if (raw.p[i] != '\\')
            put(&value, raw.p[i++], 1);
        else if (i + 1 < raw.n && is_break(raw.p[i + 1]))
            join(&value, raw, &i);
        else if (!read_escape(&value, raw, &i))
            return e8_build_fail(build, (size_t)(raw.p - build->text.p) + start,
                                 "surrogates come in pairs, as in \\ud83d\\ude00",
                                 "an escape that is no character");
    }
    *out = (struct e8_str){value.p, value.n};
    return E8_OK;
}

struct block {
    struct e8_str text; /* of the document, up to the end of the block */
    size_t at;
    size_t indent; /* spaces before each line */
    bool literal;
    char chomp; /* '-', '+' or 0 */
};

static size_t line_end(struct e8_str text, size_t at)
{
    while (at < text.n && !is_break(text.p[at]))
        at++;
    return at;
}

static size_t spaces(struct e8_str text, size_t at)
{
    size_t n = 0;
    while (at + n < text.n && text.p[at + n] == ' ')
        n++;
    return n;
}

/* Past lines that are empty or have spaces only. */
static size_t skip_blank_lines(struct e8_str text, size_t at)
{
    while (at < text.n) {
        size_t end = at + spaces(text, at);
        if (end < text.n && !is_break(text.p[end]))
            return at;
        at = end < text.n ? next_line(text, end) : end;
    }
    return at;
}

/* "|" or ">", then an indentation and a chomping indicator in any order. Leaves the block at its first line. */
static void read_header(struct block *block, size_t parent)
{
    struct e8_str text = block->text;
    block->literal = text.p[block->at++] == '|';
    for (; block->at < text.n; block->at++) {
        char c = text.p[block->at];
        if (c == '+' || c == '-')
            block->chomp = c;
        else if (c >= '1' && c <= '9')
            block->indent = parent + (size_t)(c - '0');
        else
            break;
    }
    block->at = line_end(text, block->at);
    if (block->at < text.n)
        block->at = next_line(text, block->at);
    size_t first = skip_blank_lines(text, block->at);
    if (!block->indent)
        block->indent = first < text.n ? spaces(text, first) : text.n;
}

/* YAML 1.2, 8.1: lines and the breaks between them; in a folded block a break between two lines that begin with no blank is
 * a space, or nothing where empty lines stand between them. */
static void read_lines(struct block *block, struct value *value)
{
    struct e8_str text = block->text;
    size_t empty = 0, ended = 0;
    bool first = true, folds = false;
    while (block->at < text.n) {
        size_t indent = spaces(text, block->at), end = line_end(text, block->at),
               start = block->at + block->indent;
        if (block->at + indent == end && indent <= block->indent) {
            empty += end < text.n;
        } else {
            if (indent < block->indent)
                break;
            bool begins = !is_space(text.p[start]) && !block->literal;
            if (folds && begins && !empty)
                put(value, ' ', 1);
            put(value, '\n', empty + (!first && !(folds && begins)));
            memcpy(value->p + value->n, text.p + start, end - start);
            value->n += end - start;
            first = false;
            folds = begins;
            empty = 0;
            ended = end < text.n;
        }
        block->at = end < text.n ? next_line(text, end) : end;
    }
    put(value, '\n', (block->chomp == '-' ? 0 : ended) + (block->chomp == '+' ? empty : 0));
}

/* The next line that is neither blank nor a comment, from the beginning of a line. */
static size_t skip_comments(struct e8_str text, size_t at)
{
    for (;;) {
        at = skip_blank_lines(text, at);
        size_t start = at + spaces(text, at);
        if (start == text.n || text.p[start] != '#')
            return at;
        size_t end = line_end(text, start);
        at = end < text.n ? next_line(text, end) : end;
    }
}

/* libfyaml takes lines into a block that are no part of it, such as the next key behind an empty one. */
static enum e8_rc check_block(struct e8_build *build, const struct block *block)
{
    size_t rest = skip_comments(block->text, block->at), next = block->text.n;
    bool short_by_lines = rest < block->text.n;
    bool long_by_lines = block->indent > 0 && next < build->text.n &&
                         spaces(build->text, next) >= block->indent &&
                         skip_comments(build->text, next) == next;
    if (!short_by_lines && !long_by_lines)
        return E8_OK;
    size_t at = short_by_lines ? rest : next;
    return e8_build_fail(build, at + spaces(build->text, at),
                         "indent it deeper than its key; an empty string is \"\"",
                         "a line that stands wrongly in a block string");
}

enum e8_rc e8_yaml_block(struct e8_build *build, size_t at, size_t end, struct e8_str *out)
{
    const struct e8_node *parent = build->depth ? build->open[build->depth - 1] : NULL;
    struct block block = {.text = {build->text.p, skip_blank_lines(build->text, end)}, .at = at};
    struct value value = {.p = e8_arena_alloc(build->arena, block.text.n - at + 1)};
    read_header(&block, parent ? (size_t)parent->col - 1 : 0);
    size_t first = skip_blank_lines(block.text, block.at);
    if (parent && first < block.text.n && block.indent < (size_t)parent->col)
        block.indent = (size_t)parent->col;
    read_lines(&block, &value);
    *out = (struct e8_str){value.p, value.n};
    return check_block(build, &block);
}
