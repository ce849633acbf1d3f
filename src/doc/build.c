#include "doc/build.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Maps with fewer members are searched member by member. */
#define SMALL_MAP 8

void e8_build_init(struct e8_build *build, struct e8_arena *arena, const char *name, struct e8_str text,
                   struct e8_err *err)
{
    *build = (struct e8_build){.arena = arena, .name = name, .text = text, .err = err, .line = 1, .col = 1};
}

void e8_build_fini(struct e8_build *build)
{
    free(build->slots);
    build->slots = NULL;
}

static bool is_break(struct e8_str text, size_t at)
{
    return text.p[at] == '\n' || (text.p[at] == '\r' && (at + 1 == text.n || text.p[at + 1] != '\n'));
}

static bool is_start(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static size_t line_start(struct e8_str text, size_t at)
{
    while (at > 0 && !is_break(text, at - 1))
        at--;
    return at;
}

static void seek_back(struct e8_build *build, size_t at)
{
    while (build->at > at) {
        build->at--;
        if (is_break(build->text, build->at)) {
            build->line--;
            build->col = 1;
            for (size_t i = line_start(build->text, build->at); i < build->at; i++)
                build->col += is_start(build->text.p[i]);
        } else if (is_start(build->text.p[build->at])) {
            build->col--;
        }
    }
}

/* Values come in the order of the text, so moving the cursor costs one pass over the text in all. */
static void seek(struct e8_build *build, size_t at)
{
    if (at > build->text.n)
        at = build->text.n;
    seek_back(build, at);
    for (; build->at < at; build->at++) {
        if (is_break(build->text, build->at)) {
            build->line++;
            build->col = 1;
        } else if (is_start(build->text.p[build->at])) {
            build->col++;
        }
    }
}

int e8_build_column(struct e8_build *build, size_t at)
{
    seek(build, at);
    return build->col;
}

struct e8_str e8_text_head(struct e8_str text, size_t max)
{
    if (text.n <= max)
        return text;
    while (max > 0 && !is_start(text.p[max]))
        max--;
    return (struct e8_str){text.p, max};
}

void e8_text_source(struct e8_str text, size_t at, char *out, size_t size)
{
    E8_ASSERT(size > 0 && at <= text.n);
    size_t start = line_start(text, at), end = at;
    while (end < text.n && text.p[end] != '\n' && text.p[end] != '\r' && text.p[end] != '\0')
        end++;
    struct e8_str line = e8_text_head((struct e8_str){text.p + start, end - start}, size - 1);
    if (at - start > line.n || memchr(line.p, '\0', line.n))
        line.n = 0;
    if (line.n)
        memcpy(out, line.p, line.n);
    out[line.n] = '\0';
}

size_t e8_text_find(struct e8_str text, int line, int col)
{
    size_t at = 0;
    for (; line > 1 && at < text.n; at++)
        line -= is_break(text, at);
    while (col > 1 && at < text.n && !is_break(text, at)) {
        at++;
        col -= at == text.n || is_start(text.p[at]);
    }
    return at;
}

enum e8_rc e8_build_fail(struct e8_build *build, size_t at, const char *hint, const char *format, ...)
{
    char what[sizeof((struct e8_err){0}.what)];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (at > build->text.n)
        at = build->text.n;
    seek(build, at);
    e8_fail_at(build->err, build->name, build->line, build->col, hint, "%s", what);
    if (build->err && build->text.p)
        e8_text_source(build->text, at, build->err->source, sizeof build->err->source);
    return E8_INPUT;
}

static enum e8_rc check_utf8(struct e8_build *build, enum e8_doc_mode mode)
{
    static const struct {
        const char *utf16, *other;
    } hints[] = {[false] = {"save the file as UTF-8; this is UTF-16", "save the file as UTF-8"},
                 [true] = {"send the body as UTF-8; this is UTF-16", "send the body as UTF-8"}};
    size_t valid = e8_utf8_valid(build->text);
    if (valid == build->text.n)
        return E8_OK;
    unsigned byte = (unsigned char)build->text.p[valid];
    bool utf16 = valid == 0 && (byte == 0xFE || byte == 0xFF), is_body = mode == E8_DOC_BODY;
    return e8_build_fail(build, valid, utf16 ? hints[is_body].utf16 : hints[is_body].other,
                         "byte 0x%02X is not valid UTF-8", byte);
}

/* YAML 1.2, 5.1: the characters a stream may not hold. `c` is the first byte of a valid sequence of UTF-8. */
static unsigned unprintable(const char *p)
{
    unsigned c = (unsigned char)p[0];
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r' ? 0 : c;
    if (c == 0x7F)
        return c;
    if (c == 0xC2 && (unsigned char)p[1] < 0xA0)
        return (unsigned char)p[1] == 0x85 ? 0 : (unsigned char)p[1];
    if (c == 0xEF && !memcmp(p, "\xEF\xBB\xBF", 3))
        return 0xFEFF;
    if (c == 0xEF && (!memcmp(p, "\xEF\xBF\xBE", 3) || !memcmp(p, "\xEF\xBF\xBF", 3)))
        return 0xFFC0U | (unsigned char)p[2];
    return 0;
}

static enum e8_rc check_controls(struct e8_build *build)
{
    struct e8_str text = build->text;
    for (size_t i = 0; i < text.n; i++) {
        unsigned c = (unsigned char)text.p[i];
        if (c >= 0x20 && c < 0x7F)
            continue;
        if (c == 0)
            return e8_build_fail(build, i, "in double quotes it is written \\0", "there is a NUL byte");
        c = unprintable(text.p + i);
        if (c) {
            char hint[64];
            snprintf(hint, sizeof hint, "in double quotes it is written \\u%04X", c);
            return e8_build_fail(build, i, hint, "the control character U+%04X is not allowed", c);
        }
    }
    return E8_OK;
}

bool e8_build_is_recording(const struct e8_build *build)
{
    return e8_str_starts(build->text, E8_RECORDING_HEAD);
}

enum e8_rc e8_build_check(struct e8_build *build, enum e8_doc_mode mode)
{
    struct e8_str text = build->text;
    size_t limit = e8_build_is_recording(build) ? E8_RECORDING_MAX : E8_FILE_MAX;
    if (text.n > limit)
        return e8_fail_at(build->err, build->name, 0, 0, "split it", "has %zu bytes; %zu are the limit",
                          text.n, limit);
    if (text.n >= 3 && !memcmp(text.p, "\xEF\xBB\xBF", 3))
        return e8_build_fail(build, 0, "remove it: UTF-8 without a BOM is wanted",
                             "begins with a byte order mark");
    enum e8_rc rc = check_utf8(build, mode);
    if (rc == E8_OK && mode == E8_DOC_YAML)
        rc = check_controls(build);
    return rc;
}

static size_t slot_of(const struct e8_build *build, const struct e8_node *map, struct e8_str key)
{
    size_t mask = build->slot_cap - 1;
    size_t i = (size_t)e8_mix(e8_hash_str(key), (uint64_t)(uintptr_t)map) & mask;
    while (build->slots[i].map &&
           (build->slots[i].map != map || !e8_str_eq(build->slots[i].member->key, key)))
        i = (i + 1) & mask;
    return i;
}

static void slots_grow(struct e8_build *build)
{
    struct e8_slot *old = build->slots;
    size_t old_cap = build->slot_cap;
    build->slot_cap = old_cap ? old_cap * 2 : 256;
    build->slots = e8_new(build->slot_cap, sizeof *build->slots);
    for (size_t i = 0; i < old_cap; i++)
        if (old[i].map)
            build->slots[slot_of(build, old[i].map, old[i].member->key)] = old[i];
    free(old);
}

static void slots_put(struct e8_build *build, const struct e8_node *map, const struct e8_node *member)
{
    if (build->slot_count * 2 >= build->slot_cap)
        slots_grow(build);
    build->slots[slot_of(build, map, member->key)] = (struct e8_slot){map, member};
    build->slot_count++;
}

static const struct e8_node *find_member(const struct e8_build *build, const struct e8_node *map,
                                         struct e8_str key)
{
    if (map->count >= SMALL_MAP)
        return build->slots[slot_of(build, map, key)].member;
    for (const struct e8_node *member = map->first; member; member = member->next)
        if (e8_str_eq(member->key, key))
            return member;
    return NULL;
}

bool e8_build_wants_key(const struct e8_build *build)
{
    return build->depth > 0 && build->open[build->depth - 1]->kind == E8_MAP && !build->have_key;
}

enum e8_rc e8_build_key(struct e8_build *build, struct e8_str key, size_t at)
{
    E8_ASSERT(e8_build_wants_key(build));
    struct e8_node *map = build->open[build->depth - 1];
    if (key.n && memchr(key.p, '\0', key.n))
        return e8_build_fail(build, at, NULL, "a key with a NUL character");
    const struct e8_node *first = find_member(build, map, key);
    if (first) {
        struct e8_str head = e8_text_head(key, 64);
        char hint[96];
        snprintf(hint, sizeof hint, "it stands first at line %d, column %d", first->key_line, first->key_col);
        return e8_build_fail(build, at, build->doc ? hint : NULL, "duplicate key \"%.*s\"", E8_STR(head));
    }
    build->have_key = true;
    build->key = key;
    build->key_at = at;
    if (build->doc && at < build->open_at[build->depth - 1]) { /* YAML: [key: value] begins at its key */
        seek(build, at);
        map->line = build->line;
        map->col = build->col;
        build->open_at[build->depth - 1] = at;
    }
    return E8_OK;
}

static void take_key(struct e8_build *build, struct e8_node *map, struct e8_node *node)
{
    E8_ASSERT(build->have_key);
    build->have_key = false;
    node->key = build->key;
    if (build->doc) {
        seek(build, build->key_at);
        node->key_line = build->line;
        node->key_col = build->col;
    }
    if (map->count > SMALL_MAP) {
        slots_put(build, map, node);
    } else if (map->count == SMALL_MAP) {
        for (const struct e8_node *member = map->first; member; member = member->next)
            slots_put(build, map, member);
    }
}

static void attach(struct e8_build *build, struct e8_node *node)
{
    if (!build->depth) {
        E8_ASSERT(!build->root);
        build->root = node;
        return;
    }
    struct e8_node *parent = build->open[build->depth - 1];
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    if (parent->kind == E8_MAP)
        take_key(build, parent, node);
}

struct e8_node *e8_build_add(struct e8_build *build, enum e8_node_kind kind, size_t at)
{
    size_t limit = e8_build_is_recording(build) ? E8_RECORDING_VALUES_MAX : E8_DOC_VALUES_MAX;
    if (build->values == limit) {
        e8_build_fail(build, at, "split it", "more than %zu values", limit);
        return NULL;
    }
    build->values++;
    struct e8_node *node = e8_arena_alloc(build->arena, sizeof *node);
    node->kind = kind;
    node->doc = build->doc;
    attach(build, node);
    if (build->doc) {
        seek(build, at);
        node->line = build->line;
        node->col = build->col;
    }
    return node;
}

enum e8_rc e8_build_open(struct e8_build *build, enum e8_node_kind kind, size_t at)
{
    if (build->depth == E8_DOC_DEPTH_MAX)
        return e8_build_fail(build, at, NULL, "nested more than %d levels deep", E8_DOC_DEPTH_MAX);
    struct e8_node *node = e8_build_add(build, kind, at);
    if (!node)
        return E8_INPUT;
    build->open_at[build->depth] = at;
    build->open[build->depth++] = node;
    return E8_OK;
}

void e8_build_close(struct e8_build *build)
{
    E8_ASSERT(build->depth > 0 && !build->have_key);
    build->depth--;
}

enum e8_rc e8_build_scalar_fail(struct e8_build *build, size_t at, enum e8_scalar fault, struct e8_str text)
{
    struct e8_str head = e8_text_head(text, 40);
    const char *more = head.n < text.n ? "..." : "";
    switch (fault) {
    case E8_SCALAR_INT_RANGE:
        return e8_build_fail(build, at, "in quotes it is a string",
                             "the number %.*s%s does not fit in 64 bits", E8_STR(head), more);
    case E8_SCALAR_FLOAT_RANGE:
        return e8_build_fail(build, at, "in quotes it is a string", "the number %.*s%s is too large",
                             E8_STR(head), more);
    case E8_SCALAR_NOT_FINITE:
        return e8_build_fail(build, at, "in quotes it is a string", "%.*s is no number that can be sent",
                             E8_STR(head));
    case E8_SCALAR_OK:
        break;
    }
    E8_UNREACHABLE();
}
