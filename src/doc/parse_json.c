/* RFC 8259, and nothing more. A recursive descent whose depth e8_build_open bounds. */
#include "doc/build.h"

#include <string.h>

struct reader {
    struct e8_build *build;
    struct e8_str text;
    size_t at;
};

static enum e8_rc read_value(struct reader *r);

/* The next byte, or -1 at the end. */
static int peek(const struct reader *r)
{
    return r->at < r->text.n ? (unsigned char)r->text.p[r->at] : -1;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->text.n && strchr(" \t\n\r", r->text.p[r->at]) && r->text.p[r->at])
        r->at++;
}

static struct e8_str rest(const struct reader *r)
{
    return (struct e8_str){r->text.p + r->at, r->text.n - r->at};
}

/* What stands at the reader's place, in words. */
static const char *found(const struct reader *r, char *out, size_t size)
{
    int c = peek(r);
    size_t n = 1;
    while (r->at + n < r->text.n && ((unsigned char)r->text.p[r->at + n] & 0xC0) == 0x80)
        n++;
    if (c < 0)
        snprintf(out, size, "the end of the text");
    else if (c < 0x20 || c == 0x7F)
        snprintf(out, size, "the control character U+%04X", (unsigned)c);
    else
        snprintf(out, size, "'%.*s'", (int)n, r->text.p + r->at);
    return out;
}

static const struct {
    const char *start, *hint;
} habits[] = {
    {"'", "strings stand in double quotes"},
    {"\"", "a comma is missing before it"},
    {"/", "JSON has no comments"},
    {"#", "JSON has no comments"},
    {"True", "JSON writes true, false and null in small letters"},
    {"False", "JSON writes true, false and null in small letters"},
    {"None", "JSON writes null"},
    {"TRUE", "JSON writes true, false and null in small letters"},
    {"FALSE", "JSON writes true, false and null in small letters"},
    {"NULL", "JSON writes true, false and null in small letters"},
    {"undefined", "JSON has no undefined; write null"},
    {"NaN", "JSON has no NaN; write null"},
    {"Inf", "JSON has no infinity"},
    {"-Inf", "JSON has no infinity"},
    {"+", "numbers have no plus sign"},
    {".", "a digit goes before the decimal point"},
    {"\xC2\xA0", "this is a no-break space; use a plain one"},
    {"\xE2\x80\x9C", "use straight double quotes"},
    {"\xE2\x80\x9D", "use straight double quotes"},
};

static const char *habit(const struct reader *r)
{
    for (size_t i = 0; i < E8_COUNT(habits); i++)
        if (e8_str_starts(rest(r), habits[i].start))
            return habits[i].hint;
    return NULL;
}

static enum e8_rc expected(struct reader *r, const char *what, const char *hint)
{
    char seen[48];
    const char *known = habit(r);
    return e8_build_fail(r->build, r->at, known ? known : hint, "expected %s, found %s", what,
                         found(r, seen, sizeof seen));
}

/* The reader stands on the backslash of \uXXXX; leaves it behind the escape (or the pair). */
static enum e8_rc read_unicode(struct reader *r, char *out, size_t *n)
{
    size_t at = r->at;
    int64_t code = e8_text_hex(r->text, at + 2, 4);
    if (code < 0)
        return e8_build_fail(r->build, at, "four hex digits follow, as in \\u00e9", "a broken \\u escape");
    r->at += 6;
    if (code >= 0xD800 && code <= 0xDFFF) {
        int64_t low = e8_str_starts(rest(r), "\\u") ? e8_text_hex(r->text, r->at + 2, 4) : -1;
        if (code > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return e8_build_fail(r->build, at, "surrogates come in pairs, as in \\ud83d\\ude00",
                                 "the lone surrogate \\u%04x", (unsigned)code);
        r->at += 6;
        code = 0x10000 + (code - 0xD800) * 0x400 + (low - 0xDC00);
    }
    *n += e8_text_utf8(out + *n, (uint32_t)code);
    return E8_OK;
}

static enum e8_rc read_escape(struct reader *r, char *out, size_t *n)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    int c = r->at + 1 < r->text.n ? (unsigned char)r->text.p[r->at + 1] : 0;
    if (c == 'u')
        return read_unicode(r, out, n);
    const char *name = c ? strchr(names, c) : NULL;
    if (!name)
        return e8_build_fail(r->build, r->at, "JSON knows \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX",
                             "an unknown escape");
    out[(*n)++] = values[name - names];
    r->at += 2;
    return E8_OK;
}

/* Finds the closing quote; the reader stands behind the opening one and is left on it. */
static enum e8_rc find_quote(struct reader *r, size_t *end, bool *escaped)
{
    size_t start = r->at - 1;
    *escaped = false;
    for (size_t i = r->at; i < r->text.n; i++) {
        unsigned char c = (unsigned char)r->text.p[i];
        if (c == '"') {
            *end = i;
            return E8_OK;
        }
        if (c < 0x20 && c != '\n' && c != '\r') {
            char hint[48];
            snprintf(hint, sizeof hint, c == '\t' ? "write it \\t" : "write it \\u%04x", (unsigned)c);
            return e8_build_fail(r->build, i, hint, "the control character U+%04X inside a string",
                                 (unsigned)c);
        }
        if (c < 0x20)
            break;
        if (c == '\\') {
            *escaped = true;
            i += i + 1 < r->text.n && (unsigned char)r->text.p[i + 1] >= 0x20;
        }
    }
    return e8_build_fail(r->build, start,
                         "a string ends with a double quote on the same line; a line break is \\n",
                         "a string that does not end");
}

static enum e8_rc read_string(struct reader *r, struct e8_str *out)
{
    size_t end = 0;
    bool escaped;
    r->at++;
    enum e8_rc rc = find_quote(r, &end, &escaped);
    if (rc != E8_OK)
        return rc;
    *out = (struct e8_str){r->text.p + r->at, end - r->at};
    if (escaped) {
        char *copy = e8_arena_alloc(r->build->arena, out->n + 1);
        size_t n = 0;
        while (rc == E8_OK && r->at < end) {
            if (r->text.p[r->at] == '\\')
                rc = read_escape(r, copy, &n);
            else
                copy[n++] = r->text.p[r->at++];
        }
        *out = (struct e8_str){copy, n};
    }
    r->at = end + 1;
    return rc;
}

static bool skip_digits(struct reader *r)
{
    size_t start = r->at;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->at++;
    return r->at > start;
}

/* The form only: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [-+]? [0-9]+)? */
static enum e8_rc skip_number(struct reader *r)
{
    size_t start = r->at;
    r->at += peek(r) == '-';
    size_t whole = r->at;
    if (!skip_digits(r)) {
        r->at = peek(r) == 'I' ? start : r->at;
        return expected(r, "a digit", NULL);
    }
    if (r->text.p[whole] == '0' && r->at > whole + 1)
        return e8_build_fail(r->build, start, "leave out the leading zeros, or put it in quotes",
                             "a number with leading zeros");
    if (peek(r) == '.') {
        r->at++;
        if (!skip_digits(r))
            return expected(r, "a digit after the decimal point", NULL);
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        r->at += peek(r) == '+' || peek(r) == '-';
        if (!skip_digits(r))
            return expected(r, "a digit in the exponent", NULL);
    }
    return E8_OK;
}

static enum e8_rc read_number(struct reader *r)
{
    size_t start = r->at;
    enum e8_rc rc = skip_number(r);
    if (rc != E8_OK)
        return rc;
    struct e8_node *node = e8_build_add(r->build, E8_INT, start);
    if (!node)
        return E8_INPUT;
    struct e8_str text = {r->text.p + start, r->at - start};
    enum e8_scalar fault = e8_scalar_number(node, text);
    return fault == E8_SCALAR_OK ? E8_OK : e8_build_scalar_fail(r->build, start, fault, text);
}

static enum e8_rc read_word(struct reader *r)
{
    static const struct {
        struct e8_str text;
        enum e8_node_kind kind;
        bool b;
    } words[] = {{{"true", 4}, E8_BOOL, true}, {{"false", 5}, E8_BOOL, false}, {{"null", 4}, E8_NULL, false}};
    for (size_t i = 0; i < E8_COUNT(words); i++) {
        if (!e8_str_starts(rest(r), words[i].text.p))
            continue;
        struct e8_node *node = e8_build_add(r->build, words[i].kind, r->at);
        if (!node)
            return E8_INPUT;
        node->b = words[i].b;
        node->text = words[i].text;
        r->at += words[i].text.n;
        return E8_OK;
    }
    return expected(r, "a value", "values are strings, numbers, objects, arrays, true, false and null");
}

/* Behind a member or an item: true when another one follows, false at the closing bracket or after an error. */
static bool read_comma(struct reader *r, char close, enum e8_rc *rc)
{
    skip_space(r);
    if (peek(r) == close) {
        r->at++;
        return false;
    }
    if (peek(r) != ',') {
        *rc = expected(r, close == '}' ? "',' or '}'" : "',' or ']'", NULL);
        return false;
    }
    size_t comma = r->at++;
    skip_space(r);
    if (peek(r) == close) {
        *rc = e8_build_fail(r->build, comma, "remove the comma", "a comma before '%c'", close);
        return false;
    }
    return true;
}

static enum e8_rc read_member(struct reader *r)
{
    skip_space(r);
    size_t at = r->at;
    struct e8_str key;
    if (peek(r) != '"')
        return expected(r, "a key", "keys stand in double quotes");
    enum e8_rc rc = read_string(r, &key);
    if (rc == E8_OK)
        rc = e8_build_key(r->build, key, at);
    if (rc != E8_OK)
        return rc;
    skip_space(r);
    if (peek(r) != ':')
        return expected(r, "':' after the key", NULL);
    r->at++;
    return read_value(r);
}

static enum e8_rc read_container(struct reader *r, enum e8_node_kind kind, char close)
{
    enum e8_rc rc = e8_build_open(r->build, kind, r->at);
    if (rc != E8_OK)
        return rc;
    r->at++;
    skip_space(r);
    if (peek(r) == close) {
        r->at++;
    } else {
        do
            rc = kind == E8_MAP ? read_member(r) : read_value(r);
        while (rc == E8_OK && read_comma(r, close, &rc));
    }
    if (rc == E8_OK)
        e8_build_close(r->build);
    return rc;
}

static enum e8_rc read_text(struct reader *r)
{
    struct e8_node *node = e8_build_add(r->build, E8_STRING, r->at);
    if (!node)
        return E8_INPUT;
    node->quoted = true;
    return read_string(r, &node->text);
}

static enum e8_rc read_value(struct reader *r)
{
    skip_space(r);
    int c = peek(r);
    if (c == '{')
        return read_container(r, E8_MAP, '}');
    if (c == '[')
        return read_container(r, E8_SEQ, ']');
    if (c == '"')
        return read_text(r);
    if (c == '-' || (c >= '0' && c <= '9'))
        return read_number(r);
    return read_word(r);
}

enum e8_rc e8_parse_json(struct e8_build *build)
{
    struct reader r = {.build = build, .text = build->text};
    skip_space(&r);
    if (peek(&r) < 0)
        return e8_build_fail(build, 0, "the smallest document is {}", "the document is empty");
    enum e8_rc rc = read_value(&r);
    if (rc != E8_OK)
        return rc;
    skip_space(&r);
    return peek(&r) < 0 ? E8_OK : expected(&r, "the end of the document", NULL);
}

enum e8_rc e8_parse_json_value(struct e8_build *build, size_t *at, size_t end)
{
    struct reader r = {.build = build, .text = {build->text.p, end}, .at = *at};
    enum e8_rc rc = read_value(&r);
    *at = r.at;
    return rc;
}
