#include "scenario/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog/platform.h"

static void fail_at(struct e8_parser *p, const struct e8_node *node, bool key, const char *hint,
                    const char *format, va_list args) __attribute__((format(printf, 5, 0)));

static void fail_at(struct e8_parser *p, const struct e8_node *node, bool key, const char *hint,
                    const char *format, va_list args)
{
    char what[400];
    struct e8_err err = {0};
    vsnprintf(what, sizeof what, format, args);
    if (key) {
        e8_key_fail(&err, node, hint, "%s", what);
    } else {
        e8_node_fail(&err, node, hint, "%s", what);
    }
    e8_errs_add(p->errs, &err);
}

void e8_parse_fail(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, node, false, hint, format, args);
    va_end(args);
}

void e8_parse_fail_key(struct e8_parser *p, const struct e8_node *node, const char *hint, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    fail_at(p, node, true, hint, format, args);
    va_end(args);
}

void e8_parse_fail_err(struct e8_parser *p, const struct e8_node *node, const struct e8_err *err)
{
    e8_parse_fail(p, node, err->hint[0] ? err->hint : NULL, "%s", err->what);
}

static bool name_char(char c)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One "${NAME}" or "${NAME:-default}" at *at; moves *at behind it. */
static bool expand_one(struct e8_parser *p, const struct e8_node *node, size_t *at, struct e8_buf *out)
{
    struct e8_str text = node->text;
    const char *close = memchr(text.p + *at, '}', text.n - *at);
    size_t begin = *at + 2, n = 0;
    if (!close) {
        e8_parse_fail(p, node, "${NAME} or ${NAME:-default}", "\"${\" is not closed");
        return false;
    }
    size_t end = (size_t)(close - text.p);
    while (begin + n < end && name_char(text.p[begin + n])) {
        n++;
    }
    bool fallback = begin + n + 1 < end && text.p[begin + n] == ':' && text.p[begin + n + 1] == '-';
    if (n == 0 || (begin + n != end && !fallback)) {
        e8_parse_fail(p, node, "${NAME} or ${NAME:-default}", "there is no variable's name behind \"${\"");
        return false;
    }
    char *name = e8_dup_str((struct e8_str){text.p + begin, n});
    const char *value = p->options->getenv ? p->options->getenv(name) : NULL;
    bool known = value && *value;
    if (known) {
        e8_buf_puts(out, value);
    } else if (fallback) {
        e8_buf_put(out, text.p + begin + n + 2, end - begin - n - 2);
    } else {
        e8_parse_fail(p, node, "set it, or give a default: ${NAME:-default}", "the environment has no %s",
                      name);
    }
    free(name);
    *at = end + 1;
    return known || fallback;
}

const char *e8_parse_text(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_buf out;
    bool good = true;
    if (node->kind == E8_SEQ || node->kind == E8_MAP || node->kind == E8_NULL) {
        e8_parse_fail(p, node, NULL, "\"%.*s\" must be a text, this is %s", E8_STR(node->key),
                      e8_node_kind_name(node->kind));
        return NULL;
    }
    e8_buf_init(&out, 64 << 10);
    for (size_t i = 0; good && i < node->text.n;) {
        if (i + 1 < node->text.n && node->text.p[i] == '$' && node->text.p[i + 1] == '{') {
            good = expand_one(p, node, &i, &out);
        } else {
            e8_buf_putc(&out, node->text.p[i++]);
        }
    }
    if (good && out.full) {
        e8_parse_fail(p, node, "at most 64 KiB", "text is too long");
        good = false;
    }
    if (good && memchr(out.p ? out.p : "", 0, out.n)) {
        e8_parse_fail(p, node, NULL, "text contains a NUL");
        good = false;
    }
    const char *text = good ? e8_arena_str(p->owned->arena, e8_buf_str(&out)).p : NULL;
    e8_buf_fini(&out);
    return text;
}

bool e8_parse_dur_node(struct e8_parser *p, const struct e8_node *node, e8_dur_ns *out)
{
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_dur(node->text, out) ||
        *out > E8_SPAN_MAX) {
        e8_parse_fail(p, node, "a number with a unit: 200ms, 5s, 2m; at most a year",
                      "\"%.*s\" is no duration", E8_STR(node->text));
        return false;
    }
    return true;
}

bool e8_parse_range(struct e8_str text, struct e8_str *low, struct e8_str *high)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == '.' && text.p[i + 1] == '.') {
            *low = e8_str_trim((struct e8_str){text.p, i});
            *high = e8_str_trim((struct e8_str){text.p + i + 2, text.n - i - 2});
            return true;
        }
    }
    *low = *high = text;
    return false;
}

bool e8_parse_count_range(struct e8_parser *p, const struct e8_node *node, uint32_t *low, uint32_t *high)
{
    struct e8_str a, b;
    uint64_t x, y;
    e8_parse_range(node->text, &a, &b);
    if (!e8_parse_u64(a, &x) || !e8_parse_u64(b, &y) || x > y || y == 0 || y > 1000000) {
        e8_parse_fail(p, node, "a number or a range: 3, 2..4; at most 1000000", "\"%.*s\" is no count",
                      E8_STR(node->text));
        return false;
    }
    *low = (uint32_t)x;
    *high = (uint32_t)y;
    return true;
}

const char *const *e8_parse_names(struct e8_parser *p, const struct e8_node *node, const char *what)
{
    const char **list = e8_arena_alloc(p->owned->arena, (node->count + 2) * sizeof *list);
    size_t n = 0;
    if (node->kind == E8_STRING) {
        list[0] = e8_parse_text(p, node);
        return list[0] ? list : NULL;
    }
    if (node->kind != E8_SEQ) {
        e8_parse_fail(p, node, NULL, "%s must be a list of names", what);
        return NULL;
    }
    for (const struct e8_node *item = node->first; item; item = item->next) {
        list[n] = e8_parse_text(p, item);
        if (!list[n++]) {
            return NULL;
        }
    }
    return list;
}

const char *e8_parse_environment(struct e8_parser *p, const struct e8_node *node)
{
    const char *name = e8_parse_text(p, node);
    struct e8_err err = {0};
    const char *found = name ? e8_environment_find(e8_catalog_platform(p->catalog), name, &err) : NULL;
    if (name && !found) {
        e8_parse_fail_err(p, node, &err);
    }
    return found;
}
