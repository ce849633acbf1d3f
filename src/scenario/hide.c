#include <string.h>
#include <strings.h>

#include "scenario/parse.h"

#define OPAQUE    16 /* characters of a word that may be a key */
#define QUOTE_MAX 8  /* characters of such a line that a message may quote */

/* By the text alone: what does not parse has no tree. */

static bool is_break(struct e8_str text, size_t at)
{
    return text.p[at] == '\n' || (text.p[at] == '\r' && (at + 1 == text.n || text.p[at + 1] != '\n'));
}

static size_t line_at(struct e8_str text, size_t start, struct e8_str *out)
{
    size_t end = start;
    while (end < text.n && !is_break(text, end)) {
        end++;
    }
    *out = (struct e8_str){text.p + start, end - start};
    return end;
}

static size_t start_of(struct e8_str text, int line)
{
    size_t at = 0;
    for (; line > 1 && at < text.n; at++) {
        line -= is_break(text, at);
    }
    return at;
}

static struct e8_str after(struct e8_str line, size_t n)
{
    return (struct e8_str){line.p + n, line.n - n};
}

static struct e8_str skip(struct e8_str line, const char *characters)
{
    while (line.n && line.p[0] && strchr(characters, line.p[0])) {
        line = after(line, 1);
    }
    return line;
}

/* "secret: {env: NAME}" and "secret: {file: PATH}" name a place. */
static bool names_place(struct e8_str value)
{
    if (!value.n || value.p[0] != '{') {
        return false;
    }
    value = skip(value, "{\"' \t");
    return e8_str_starts(value, "env") || e8_str_starts(value, "file");
}

/* Does the line hold, or begin, a value of the key? */
static bool has_value_of(struct e8_str line, const char *key)
{
    size_t n = strlen(key);
    for (; line.n >= n; line = after(line, 1)) {
        if ((line.p[0] | 0x20) != key[0] ||
            strncasecmp(line.p, key, n) != 0) { /* most are not: lines may be long */
            continue;
        }
        struct e8_str rest = skip(after(line, n), "\"' \t");
        if (rest.n && rest.p[0] == ':' && !names_place(skip(after(rest, 1), " \t"))) {
            return true;
        }
    }
    return false;
}

static bool is_secretive(struct e8_str line)
{
    const char *url = line.n ? memmem(line.p, line.n, "://", 3) : NULL;
    struct e8_str rest = url ? after(line, (size_t)(url - line.p)) : E8_LIT("");
    return has_value_of(line, "secret") || has_value_of(line, "headers") || has_value_of(line, "password") ||
           has_value_of(line, "token") || has_value_of(line, "authorization") ||
           (line.n && memmem(line.p, line.n, "whsec_", 6)) ||
           (rest.n && (memchr(rest.p, '@', rest.n) || memchr(rest.p, '?', rest.n)));
}

static bool is_opaque_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("+/=_-", c));
}

/* A long word with digits in it, of which nobody can tell that it is not a key. */
static bool has_opaque_word(struct e8_str line)
{
    size_t run = 0, digits = 0, letters = 0;
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        bool in = is_opaque_char(c);
        run = in ? run + 1 : 0;
        digits = in ? digits + (c >= '0' && c <= '9') : 0;
        letters = in ? letters + ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') : 0;
        if (run >= OPAQUE && digits > 0 && letters > 0) {
            return true;
        }
    }
    return false;
}

static bool has_word(struct e8_str line, const char *word)
{
    size_t n = strlen(word);
    for (; line.n >= n; line = after(line, 1)) {
        if ((line.p[0] | 0x20) == word[0] && strncasecmp(line.p, word, n) == 0) {
            return true;
        }
    }
    return false;
}

/* Of a file that only another one names, for it may be any: it is no scenario perhaps. */
static bool looks_secret(struct e8_str line)
{
    static const char *const words[] = {"secret", "passw", "token", "key", "credential", "private", "auth"};
    bool found = has_opaque_word(line);
    for (size_t i = 0; i < E8_COUNT(words) && !found; i++) {
        found = has_word(line, words[i]);
    }
    return found;
}

/* What a message quotes of such a line. */
static void hide_quotes(char *text)
{
    static const char cut[] = "…";
    char *open = strchr(text, '"'), *close = open ? strrchr(text, '"') : NULL;
    if (open && close > open + QUOTE_MAX) {
        memmove(open + sizeof cut, close, strlen(close) + 1);
        memcpy(open + 1, cut, sizeof cut - 1);
    }
}

static size_t indent_of(struct e8_str line)
{
    return line.n - skip(line, " ").n;
}

static size_t line_above(struct e8_str text, size_t start, struct e8_str *out)
{
    start--;
    while (start > 0 && !is_break(text, start - 1)) {
        start--;
    }
    line_at(text, start, out);
    return start;
}

/* A value alone on its line: its key stands above, wherever it is indented to. */
static bool follows_secret(struct e8_str text, size_t start, struct e8_str line)
{
    while (start > 0 && !(line.n && memchr(line.p, ':', line.n))) {
        start = line_above(text, start, &line);
    }
    return is_secretive(line);
}

/* The line, or one that it is a part of: one above it that is indented less, or a key above the items of its list. */
static bool tells(struct e8_str text, int number)
{
    struct e8_str line;
    size_t start = start_of(text, number);
    line_at(text, start, &line);
    size_t limit = indent_of(line);
    bool item = e8_str_starts(skip(line, " "), "-");
    bool secretive = follows_secret(text, start, line);
    while (!secretive && start > 0 && (limit > 0 || item)) {
        start = line_above(text, start, &line);
        size_t indent = indent_of(line);
        bool dash = e8_str_starts(skip(line, " "), "-");
        if (e8_str_trim(line).n && (indent < limit || (indent == limit && item && !dash))) {
            secretive = is_secretive(line);
            limit = indent;
            item = dash;
        }
    }
    return secretive;
}

/* The line that an error is about, and the first of the file, which names columns. */
static void hide_foreign(struct e8_err *err, struct e8_str text)
{
    struct e8_str line, first;
    line_at(text, start_of(text, err->line), &line);
    line_at(text, 0, &first);
    if (looks_secret(line) || looks_secret(first)) {
        err->source[0] = '\0';
        hide_quotes(err->what);
    }
}

static void hide_lines(struct e8_parser *p, size_t from)
{
    for (size_t i = from; i < p->errs->count; i++) {
        struct e8_err *err = &p->errs->list[i];
        struct e8_str text = e8_sources_text(p->files, err->file);
        if (text.n && err->line && !e8_sources_main(p->files, err->file)) {
            hide_foreign(err, text);
        }
        if (err->line == 0 || !err->source[0] || !text.n || !tells(text, err->line)) {
            continue;
        }
        err->source[0] = '\0';
        if (strstr(err->what, " number")) { /* of the document's parser, which shows it */
            memcpy(err->what, "is read as a number, and as that it is not valid",
                   sizeof "is read as a number, and as that it is not valid");
        }
    }
}

void e8_hide(struct e8_parser *p, size_t from)
{
    hide_lines(p, from);
    e8_hide_values(p->vars, p->errs, from);
}
