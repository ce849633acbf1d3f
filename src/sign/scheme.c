#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sign/parts.h"

#define SCHEMES_MAGIC   0x5c4e3e51u
#define PREFIX_MAX      64
#define SEPARATOR_MAX   4
#define TOLERANCE_USUAL (300 * E8_NS_S)

struct e8_schemes {
    unsigned magic;
    struct e8_arena *arena;
    const struct e8_scheme **list;
    const char **names;
    size_t count;
};

/* One scheme being read. */
struct reader {
    struct e8_arena *arena;
    const struct e8_node *node;
    struct e8_errs *errs;
    bool bad;
};

static const char *const scheme_keys[] = {"description",    "algorithm", "content",   "encoding",
                                          "secret",         "header",    "prefix",    "separator",
                                          "multiple",       "headers",   "tolerance", "timestamp_header",
                                          "timestamp_item", "id_header", NULL};
/* In the order of their enums. */
static const char *const algorithms[] = {"sha1", "sha256", "sha384", "sha512", NULL};
static const char *const encodings[] = {"hex", "base64", NULL};
static const char *const secret_forms[] = {"raw", "whsec", "hex", "base64", NULL};

static void fault(struct reader *r, const struct e8_node *at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fault(struct reader *r, const struct e8_node *at, const char *hint, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    struct e8_err err = {0};
    e8_node_fail(&err, at, hint, "%s", what);
    e8_errs_add(r->errs, &err);
    r->bad = true;
}

/* The member, or NULL where it is absent or null. */
static const struct e8_node *member(const struct reader *r, const char *key)
{
    const struct e8_node *node = e8_node_get(r->node, key);
    return node != NULL && node->kind == E8_NULL ? NULL : node;
}

static const char *read_text(struct reader *r, const char *key, const char *usual)
{
    const struct e8_node *node = member(r, key);
    if (node == NULL)
        return usual;
    if (node->kind != E8_STRING || (node->text.n > 0 && memchr(node->text.p, 0, node->text.n) != NULL)) {
        fault(r, node, NULL, "\"%s\" must be a string, not %s", key,
              node->kind == E8_STRING ? "one with a NUL in it" : e8_node_kind_name(node->kind));
        return usual;
    }
    return e8_arena_str(r->arena, node->text).p;
}

static bool read_bool(struct reader *r, const char *key)
{
    const struct e8_node *node = member(r, key);
    if (node != NULL && node->kind != E8_BOOL)
        fault(r, node, NULL, "\"%s\" must be true or false, not %s", key, e8_node_kind_name(node->kind));
    return node != NULL && node->b;
}

static int read_choice(struct reader *r, const char *key, const char *const *choices, int usual)
{
    const char *text = read_text(r, key, NULL);
    if (text == NULL)
        return usual;
    struct e8_buf known;
    char memory[128], hint[E8_HINT_MAX];
    e8_buf_fixed(&known, memory, sizeof memory);
    e8_buf_puts(&known, "known:");
    for (int i = 0; choices[i] != NULL; i++) {
        if (e8_str_is(e8_str(text), choices[i]))
            return i;
        e8_buf_printf(&known, " %s", choices[i]);
    }
    e8_hint_near(e8_str(text), choices, e8_buf_cstr(&known), hint);
    fault(r, member(r, key), hint, "unknown %s \"%.60s\"", key, text);
    return usual;
}

/* A header's name, or NULL. */
static const char *read_header_name(struct reader *r, const char *key)
{
    const char *name = read_text(r, key, NULL);
    if (name == NULL)
        return NULL;
    if (!e8_header_name_valid(e8_str(name)))
        fault(r, member(r, key), "letters, digits and '-'", "\"%.60s\" is no name for a header", name);
    else if (e8_header_is_framing(e8_str(name)))
        fault(r, member(r, key), NULL, "the header \"%s\" would break the framing of the request", name);
    return name;
}

/* Text that becomes part of the signature header's value. */
static const char *read_affix(struct reader *r, const char *key, const char *usual, size_t limit)
{
    const char *text = read_text(r, key, usual);
    if (text == NULL)
        return NULL;
    bool ascii = true;
    for (const char *c = text; *c != 0; c++)
        ascii = ascii && *c >= 0x20 && *c < 0x7f;
    if (!ascii)
        fault(r, member(r, key), NULL, "\"%s\" has a character that is not printable ASCII", key);
    if (strlen(text) > limit)
        fault(r, member(r, key), NULL, "\"%s\" is longer than %zu characters", key, limit);
    return text;
}

static void read_content(struct reader *r, struct e8_scheme *s)
{
    s->content = read_text(r, "content", "{body}");
    struct e8_err err = {0};
    if (!e8_content_valid(s->content, &err)) {
        fault(r, member(r, "content"), err.hint, "%s", err.what);
        return;
    }
    s->signs_id = e8_template_uses(s->content, E8_VAR_ID);
    s->signs_timestamp = e8_template_uses(s->content, E8_VAR_TIMESTAMP);
    if (!e8_template_uses(s->content, E8_VAR_BODY))
        fault(r, member(r, "content"), "for example \"{timestamp}.{body}\"",
              "the content has no {body}: the signature would not cover it");
    if (s->signs_timestamp && s->timestamp_header == NULL && s->timestamp_item == NULL)
        fault(r, member(r, "content"), "add \"timestamp_header\" or \"timestamp_item\"",
              "the content has a {timestamp} that no receiver would learn");
    if (s->signs_id && s->id_header == NULL)
        fault(r, member(r, "content"), "add \"id_header\"",
              "the content has an {id} that no receiver would learn");
}

static void read_tolerance(struct reader *r, struct e8_scheme *s)
{
    const struct e8_node *node = member(r, "tolerance");
    s->tolerance = s->signs_timestamp ? TOLERANCE_USUAL : 0;
    const char *text = read_text(r, "tolerance", NULL);
    if (text == NULL)
        return;
    e8_dur_ns tolerance = 0;
    if (!e8_parse_dur(e8_str(text), &tolerance) || tolerance < E8_NS_S)
        fault(r, node, "for example \"5m\"; at least 1s", "\"%.60s\" is no tolerance", text);
    else if (!s->signs_timestamp)
        fault(r, node, "leave it out, or sign the {timestamp}",
              "a tolerance for a timestamp that is not signed");
    s->tolerance = tolerance;
}

static void check_affixes(struct reader *r, const struct e8_scheme *s)
{
    struct e8_str separator = e8_str_trim(e8_str(s->separator));
    const char *mark = separator.n > 0 ? e8_arena_str(r->arena, separator).p : s->separator;
    if (s->separator[0] != 0 && strchr(" ,;|&", s->separator[0]) == NULL)
        fault(r, member(r, "separator"), "one of \" \", \",\", \";\", \"|\" and \"&\"",
              "the separator could be part of a signature");
    if (s->separator[0] != 0 && (strstr(s->prefix, mark) != NULL ||
                                 (s->timestamp_item != NULL && strstr(s->timestamp_item, mark) != NULL)))
        fault(r, r->node, NULL, "the separator is part of the prefix");
    if (s->separator[0] == 0 && (s->multiple || s->timestamp_item != NULL))
        fault(r, r->node, "for example \"separator\": \",\"", "%s needs a separator",
              s->multiple ? "\"multiple\"" : "\"timestamp_item\"");
    if (s->timestamp_item != NULL && s->prefix[0] != 0 &&
        (e8_str_starts(e8_str(s->prefix), s->timestamp_item) ||
         e8_str_starts(e8_str(s->timestamp_item), s->prefix)))
        fault(r, r->node, NULL, "\"prefix\" and \"timestamp_item\" cannot be told apart");
    if (s->timestamp_item != NULL && s->timestamp_header != NULL)
        fault(r, member(r, "timestamp_item"), "leave one of them out",
              "both \"timestamp_header\" and \"timestamp_item\"");
    if (s->prefix[0] == ' ')
        fault(r, member(r, "prefix"), NULL, "the prefix begins with a space");
}

static bool has_header(const struct e8_scheme *s, const char *name)
{
    for (size_t i = 0; i < s->header_count; i++) {
        if (e8_str_ieq(e8_str(s->headers[i].name), e8_str(name)))
            return true;
    }
    return false;
}

static void add_header(struct reader *r, struct e8_scheme *s, const struct e8_node *at, const char *name,
                       const char *value)
{
    if (s->header_count == E8_SCHEME_HEADERS_MAX) {
        fault(r, at, NULL, "more than %d headers", E8_SCHEME_HEADERS_MAX);
        return;
    }
    s->headers[s->header_count].form = e8_header_form(r->arena, name, value);
    s->headers[s->header_count].name = name;
    s->headers[s->header_count++].value = value;
}

static bool same_header(const char *a, const char *b)
{
    return a != NULL && b != NULL && e8_str_ieq(e8_str(a), e8_str(b));
}

/* What must stand in a header that receivers read; NULL where the scheme does not care. */
static const char *demanded(const struct e8_scheme *s, const char *name)
{
    if (same_header(name, s->timestamp_header))
        return "{timestamp}";
    return same_header(name, s->id_header) ? "{id}" : NULL;
}

static void read_header(struct reader *r, struct e8_scheme *s, const struct e8_node *node)
{
    struct e8_err err = {0};
    if (!e8_header_name_valid(node->key) || e8_header_is_framing(node->key)) {
        fault(r, node, "letters, digits and '-'; none that frames a request",
              "\"%.*s\" cannot be sent as a header", (int)(node->key.n > 60 ? 60 : node->key.n), node->key.p);
        return;
    }
    if (node->kind != E8_STRING || !e8_header_value_valid(node->text)) {
        fault(r, node, NULL, "a header's value must be a string without control characters");
        return;
    }
    const char *name = e8_arena_str(r->arena, node->key).p, *value = e8_arena_str(r->arena, node->text).p;
    const char *wanted = demanded(s, name);
    if (!e8_sign_expandable(value, &err))
        fault(r, node, err.hint, "%s", err.what);
    else if (same_header(name, s->header))
        fault(r, node, NULL, "\"%s\" carries the signature", name);
    else if (has_header(s, name))
        fault(r, node, NULL, "the header \"%s\" stands there twice", name);
    else if (wanted != NULL && strcmp(value, wanted) != 0)
        fault(r, node, wanted, "receivers read \"%s\" from this header", wanted);
    else
        add_header(r, s, node, name, value);
}

/* What receivers need is sent, whether the file lists it or not. */
static void read_headers(struct reader *r, struct e8_scheme *s)
{
    const struct e8_node *map = member(r, "headers");
    if (map != NULL && map->kind != E8_MAP) {
        fault(r, map, "for example {\"webhook-id\": \"{id}\"}", "\"headers\" must be a map, not %s",
              e8_node_kind_name(map->kind));
        return;
    }
    for (const struct e8_node *node = map != NULL ? map->first : NULL; node != NULL; node = node->next)
        read_header(r, s, node);
    if (s->id_header != NULL && !has_header(s, s->id_header))
        add_header(r, s, r->node, s->id_header, "{id}");
    if (s->timestamp_header != NULL && !has_header(s, s->timestamp_header))
        add_header(r, s, r->node, s->timestamp_header, "{timestamp}");
}

static void check_header_names(struct reader *r, const struct e8_scheme *s)
{
    if (same_header(s->header, s->timestamp_header) || same_header(s->header, s->id_header) ||
        same_header(s->timestamp_header, s->id_header))
        fault(r, r->node, NULL, "two of \"header\", \"timestamp_header\" and \"id_header\" are the same");
}

static void read_scheme(struct reader *r, struct e8_scheme *s)
{
    r->bad = e8_node_only(r->node, scheme_keys, r->errs) != E8_OK;
    if (member(r, "header") == NULL)
        fault(r, r->node, "for example \"header\": \"X-Signature\"", "the scheme \"%s\" has no \"header\"",
              s->name);
    if (member(r, "algorithm") == NULL)
        fault(r, r->node, "for example \"algorithm\": \"sha256\"", "the scheme \"%s\" has no \"algorithm\"",
              s->name);
    s->description = read_text(r, "description", "");
    s->hash = (enum e8_hash)read_choice(r, "algorithm", algorithms, E8_SHA256);
    s->encoding = (enum e8_sign_encoding)read_choice(r, "encoding", encodings, E8_SIGN_HEX);
    s->secret = (enum e8_secret_form)read_choice(r, "secret", secret_forms, E8_SECRET_RAW);
    s->header = read_header_name(r, "header");
    s->timestamp_header = read_header_name(r, "timestamp_header");
    s->id_header = read_header_name(r, "id_header");
    s->prefix = read_affix(r, "prefix", "", PREFIX_MAX);
    s->separator = read_affix(r, "separator", "", SEPARATOR_MAX);
    s->timestamp_item = read_affix(r, "timestamp_item", NULL, PREFIX_MAX);
    s->multiple = read_bool(r, "multiple");
    read_content(r, s);
    read_tolerance(r, s);
    read_headers(r, s);
    check_affixes(r, s);
    check_header_names(r, s);
}

enum e8_rc e8_scheme_parse(struct e8_arena *arena, const char *name, const struct e8_node *node,
                           const struct e8_scheme **out, struct e8_errs *errs)
{
    struct reader r = {arena, node, errs, false};
    if (node->kind != E8_MAP) {
        fault(&r, node, "for example {\"header\": \"X-Signature\", \"algorithm\": \"sha256\"}",
              "a signature scheme must be a map, not %s", e8_node_kind_name(node->kind));
        return E8_INPUT;
    }
    struct e8_scheme *scheme = e8_arena_alloc(arena, sizeof *scheme);
    scheme->name = e8_arena_str(arena, e8_str(name)).p;
    read_scheme(&r, scheme);
    if (r.bad)
        return E8_INPUT;
    *out = scheme;
    return E8_OK;
}

static enum e8_rc load_all(struct e8_schemes *schemes, const struct e8_node *map, struct e8_errs *errs)
{
    enum e8_rc rc = E8_OK;
    schemes->list = e8_arena_alloc(schemes->arena, (map->count + 1) * sizeof schemes->list[0]);
    schemes->names = e8_arena_alloc(schemes->arena, (map->count + 1) * sizeof schemes->names[0]);
    for (const struct e8_node *node = map->first; node != NULL; node = node->next) {
        const char *name = e8_arena_str(schemes->arena, node->key).p;
        if (e8_scheme_parse(schemes->arena, name, node, &schemes->list[schemes->count], errs) != E8_OK)
            rc = E8_INPUT;
        else
            schemes->names[schemes->count++] = name;
    }
    return rc;
}

enum e8_rc e8_schemes_load(const struct e8_node *root, struct e8_schemes **out, struct e8_errs *errs)
{
    static const char *const keys[] = {"schemes", NULL};
    struct reader r = {NULL, root, errs, false};
    const struct e8_node *map = e8_node_get(root, "schemes");
    *out = NULL;
    if (map == NULL || map->kind != E8_MAP) {
        fault(&r, map != NULL ? map : root, "{\"schemes\": {\"name\": {…}}}", "no map of signature schemes");
        return E8_INPUT;
    }
    enum e8_rc rc = e8_node_only(root, keys, errs);
    struct e8_schemes *schemes = e8_new(1, sizeof *schemes);
    schemes->magic = SCHEMES_MAGIC;
    schemes->arena = e8_arena_new();
    if (load_all(schemes, map, errs) != E8_OK)
        rc = E8_INPUT;
    if (rc != E8_OK)
        e8_schemes_free(&schemes);
    *out = schemes;
    return rc;
}

void e8_schemes_free(struct e8_schemes **schemes)
{
    if (*schemes == NULL)
        return;
    E8_CHECK_MAGIC(*schemes, SCHEMES_MAGIC);
    e8_arena_free(&(*schemes)->arena);
    (*schemes)->magic = 0;
    free(*schemes);
    *schemes = NULL;
}

const struct e8_scheme *e8_schemes_find(const struct e8_schemes *schemes, const char *name)
{
    E8_CHECK_MAGIC(schemes, SCHEMES_MAGIC);
    for (size_t i = 0; i < schemes->count; i++) {
        if (strcmp(schemes->names[i], name) == 0)
            return schemes->list[i];
    }
    return NULL;
}

const char *const *e8_schemes_names(const struct e8_schemes *schemes)
{
    E8_CHECK_MAGIC(schemes, SCHEMES_MAGIC);
    return schemes->names;
}
