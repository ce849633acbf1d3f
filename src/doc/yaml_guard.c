/* Texts that libfyaml 0.7.12 takes too long, too much memory or too little notice for; found by measurement, refused before
 * it sees them. Every limit is far above what a person writes. */
#include "doc/build.h"

#include <string.h>

/* Flow collections are scanned ahead, at about 300 bytes of memory for each byte: up to the end of the line, and over lines
 * as long as brackets stay open. Brackets in strings count too, as if they stood outside. */
#define LINE_MAX_BYTES ((size_t)256 << 10)
#define OPEN_MAX       50000
/* Blank lines in a block scalar cost the square of their number: 400 million are a quarter of a second. */
#define BLANK_COST_MAX 400000000
/* So do percent escapes in a tag. */
#define TAG_ESCAPES_MAX 200

struct guard {
    struct e8_build *build;
    int64_t open;
    int64_t blank_run, blank_cost;
    bool content;  /* something other than comments and directives was seen */
    bool question; /* a '?' that may begin a key was seen */
    size_t tab_at; /* a tab between ':' and an indicator */
    bool tab;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct e8_str skip_blanks(struct e8_str text)
{
    while (text.n && is_blank(text.p[0])) {
        text.p++;
        text.n--;
    }
    return text;
}

/* Directives anywhere else than at the top end the document for libfyaml, and the rest is ignored. */
static enum e8_rc check_directive(struct guard *g, struct e8_str line, size_t at)
{
    if (g->content)
        return e8_build_fail(g->build, at, "indent it, or put it in quotes",
                             "a '%%' in the first column begins a directive");
    if (e8_str_starts(line, "%TAG"))
        return e8_build_fail(g->build, at, "remove it", "tags are not supported");
    if (!e8_str_starts(line, "%YAML ") && !e8_str_starts(line, "%YAML\t"))
        return e8_build_fail(g->build, at, "remove it", "an unknown directive");
    struct e8_str version = skip_blanks((struct e8_str){line.p + 5, line.n - 5});
    if (!e8_str_starts(version, "1.2") || (version.n > 3 && !is_blank(version.p[3])))
        return e8_build_fail(g->build, at, "use %YAML 1.2, or leave it out", "only YAML 1.2 is supported");
    return E8_OK;
}

static enum e8_rc check_blank(struct guard *g, bool blank, size_t at)
{
    g->blank_run = blank ? g->blank_run + 1 : 0;
    if (blank)
        g->blank_cost += 2 * g->blank_run - 1;
    if (g->blank_cost > BLANK_COST_MAX)
        return e8_build_fail(g->build, at, "remove some", "too many blank lines");
    return E8_OK;
}

/* The percent signs up to the next blank. */
static int escapes(struct e8_str text)
{
    int count = 0;
    for (size_t i = 0; i < text.n && !is_blank(text.p[i]); i++)
        count += text.p[i] == '%';
    return count;
}

static enum e8_rc check_brackets(struct guard *g, struct e8_str line, size_t at)
{
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        if (c == '[' || c == '{')
            g->open++;
        else if ((c == ']' || c == '}') && g->open > 0)
            g->open--;
        if (g->open > OPEN_MAX)
            return e8_build_fail(g->build, at + i, NULL, "more than %d brackets are not closed", OPEN_MAX);
    }
    return E8_OK;
}

static enum e8_rc check_tags(struct guard *g, struct e8_str line, size_t at)
{
    const char *p = line.p, *end = line.p + line.n;
    while (p < end && (p = memchr(p, '!', (size_t)(end - p)))) {
        if (escapes((struct e8_str){p, (size_t)(end - p)}) > TAG_ESCAPES_MAX)
            return e8_build_fail(g->build, at + (size_t)(p - line.p), "remove it; quotes make a string",
                                 "tags are not supported");
        while (p < end && !is_blank(*p))
            p++;
    }
    return E8_OK;
}

static bool is_question(struct e8_str line)
{
    size_t i = 0;
    for (; i < line.n && strchr(" \t-:?", line.p[i]); i++)
        if (line.p[i] == '?' && (i + 1 == line.n || is_blank(line.p[i + 1])))
            return true;
    return false;
}

/* A tab with only blanks between it and a ':' before and an indicator behind it. */
static bool is_tab_before_indicator(struct e8_str line, size_t tab)
{
    size_t before = tab, behind = tab;
    while (before > 0 && is_blank(line.p[before]))
        before--;
    while (behind < line.n && is_blank(line.p[behind]))
        behind++;
    return line.p[before] == ':' && behind < line.n && strchr("-?:|>", line.p[behind]);
}

/* "?", a key, ":", a tab and an indicator make libfyaml crash, on one line or on several. */
static enum e8_rc check_crash(struct guard *g, struct e8_str line, size_t at)
{
    const char *tab = line.n && !g->tab ? memchr(line.p, '\t', line.n) : NULL;
    g->question = g->question || is_question(line);
    for (; tab && !g->tab; tab = memchr(tab + 1, '\t', (size_t)(line.p + line.n - tab - 1))) {
        g->tab = is_tab_before_indicator(line, (size_t)(tab - line.p));
        g->tab_at = at + (size_t)(tab - line.p);
    }
    if (g->tab && g->question)
        return e8_build_fail(g->build, g->tab_at, "use spaces", "a tab between a key and its value");
    return E8_OK;
}

static enum e8_rc check_line(struct guard *g, struct e8_str line, size_t at)
{
    struct e8_str inner = skip_blanks(line);
    if (line.n > LINE_MAX_BYTES)
        return e8_build_fail(g->build, at, "break it, or use a .json file", "a line of more than %zu bytes",
                             LINE_MAX_BYTES);
    enum e8_rc rc = check_blank(g, !inner.n, at);
    if (rc == E8_OK && line.n && line.p[0] == '%')
        rc = check_directive(g, line, at);
    else if (inner.n && inner.p[0] != '#')
        g->content = true;
    if (rc == E8_OK)
        rc = check_brackets(g, line, at);
    if (rc == E8_OK)
        rc = check_tags(g, line, at);
    return rc == E8_OK ? check_crash(g, line, at) : rc;
}

enum e8_rc e8_yaml_guard(struct e8_build *build)
{
    struct guard g = {.build = build};
    struct e8_str text = build->text;
    enum e8_rc rc = E8_OK;
    for (size_t at = 0; rc == E8_OK && at < text.n;) {
        size_t end = at;
        while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r')
            end++;
        rc = check_line(&g, (struct e8_str){text.p + at, end - at}, at);
        at = end + 1;
        if (end + 1 < text.n && text.p[end] == '\r' && text.p[end + 1] == '\n')
            at++;
    }
    return rc;
}
