#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tamper/parts.h"

struct parser {
    struct e8_arena *arena;
    struct e8_errs *errs;
    struct e8_tamper *out;
    enum e8_rc rc;
    size_t values; /* bytes of header values so far */
};

typedef void parse_fn(struct parser *p, const struct e8_node *node);

/* The keys of a map, each with what reads its value. */
struct key {
    const char *name;
    parse_fn *parse;
};
#define KEYS_MAX 16

static void fail(struct parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void fail_key(struct parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void fail(struct parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
{
    struct e8_err err = {0};
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    p->rc = e8_node_fail(&err, node, hint, "%s", what);
    e8_errs_add(p->errs, &err);
}

static void fail_key(struct parser *p, const struct e8_node *node, const char *hint, const char *format, ...)
{
    struct e8_err err = {0};
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    p->rc = e8_key_fail(&err, node, hint, "%s", what);
    e8_errs_add(p->errs, &err);
}

static bool is_map(struct parser *p, const struct e8_node *node, const char *hint)
{
    if (node->kind == E8_MAP && node->count > 0)
        return true;
    if (node->kind == E8_MAP)
        fail(p, node, hint, "\"%.*s\" says nothing", E8_STR(node->key));
    else
        fail(p, node, hint, "\"%.*s\" must be a map, this is %s", E8_STR(node->key),
             e8_node_kind_name(node->kind));
    return false;
}

static bool parse_map(struct parser *p, const struct e8_node *node, const struct key *keys, const char *hint)
{
    const char *names[KEYS_MAX + 1] = {NULL};
    if (!is_map(p, node, hint))
        return false;
    for (size_t i = 0; keys[i].name != NULL; i++) {
        E8_ASSERT(i < KEYS_MAX);
        names[i] = keys[i].name;
        const struct e8_node *member = e8_node_get(node, keys[i].name);
        if (member != NULL)
            keys[i].parse(p, member);
    }
    enum e8_rc rc = e8_node_only(node, names, p->errs);
    if (rc != E8_OK)
        p->rc = rc;
    return rc == E8_OK;
}

/* --- values ---------------------------------------------------------------------------------------------------------- */

static bool is_scalar(const struct e8_node *node)
{
    return node->kind != E8_MAP && node->kind != E8_SEQ && node->kind != E8_NULL;
}

static bool text_of(struct parser *p, const struct e8_node *node, const char *hint, struct e8_str *out)
{
    if (is_scalar(node)) {
        *out = e8_arena_str(p->arena, node->text);
        return true;
    }
    fail(p, node, hint, "\"%.*s\" must be a text, this is %s", E8_STR(node->key),
         e8_node_kind_name(node->kind));
    return false;
}

static void bool_of(struct parser *p, const struct e8_node *node, bool *out)
{
    if (node->kind == E8_BOOL)
        *out = node->b;
    else
        fail(p, node, "true or false", "\"%.*s\" is neither", E8_STR(node->key));
}

static void size_of(struct parser *p, const struct e8_node *node, uint64_t low, uint64_t high,
                    const char *hint, uint64_t *out)
{
    uint64_t value;
    if (!is_scalar(node) || !e8_parse_size(node->text, &value))
        fail(p, node, hint, "\"%.*s\" must be a size", E8_STR(node->key));
    else if (value < low || value > high)
        fail(p, node, hint, "%.*s is out of range", E8_STR(node->text));
    else
        *out = value;
}

static void count_of(struct parser *p, const struct e8_node *node, uint64_t low, uint64_t high,
                     const char *hint, uint64_t *out)
{
    uint64_t value;
    if (!is_scalar(node) || !e8_parse_u64(node->text, &value))
        fail(p, node, hint, "\"%.*s\" must be a whole number", E8_STR(node->key));
    else if (value < low || value > high)
        fail(p, node, hint, "%.*s is out of range", E8_STR(node->text));
    else
        *out = value;
}

/* --- signature and timestamp ----------------------------------------------------------------------------------------- */

#define WORDS_MAX 20

static void parse_signature(struct parser *p, const struct e8_node *node)
{
    const char *names[WORDS_MAX] = {NULL};
    char hint[E8_HINT_MAX];
    struct e8_str text;
    if (!text_of(p, node, "missing, other_secret, truncated, …", &text))
        return;
    for (size_t i = 0; e8_signature_words[i].name != NULL; i++) {
        E8_ASSERT(i + 1 < WORDS_MAX);
        names[i] = e8_signature_words[i].name;
        if (e8_str_is(text, names[i]))
            p->out->signature = (enum e8_signature)(E8_SIGNATURE_NONE + i);
    }
    if (p->out->signature == E8_SIGNATURE_RIGHT)
        fail(p, node,
             e8_hint_near(
                 text, names,
                 "missing, other_secret, previous_secret, next_secret, empty, truncated, not_hex, no_prefix, "
                 "double_prefix, uppercase, reserialised, twice_wrong_first, twice_wrong_last",
                 hint),
             "unknown tampering with the signature \"%.*s\"", E8_STR(text));
}

static void set_stamp(struct parser *p, const struct e8_node *node, enum e8_stamp stamp, e8_dur_ns shift)
{
    if (p->out->stamp != E8_STAMP_RIGHT)
        fail_key(p, node, "one of shift, older, newer, text",
                 "a timestamp is changed in one way, not also by \"%.*s\"", E8_STR(node->key));
    p->out->stamp = stamp;
    p->out->shift = shift;
}

#define SHIFT_MAX (INT64_C(100) * 365 * 24 * 3600 * E8_NS_S)

static void parse_shift(struct parser *p, const struct e8_node *node)
{
    struct e8_str text = is_scalar(node) ? node->text : (struct e8_str){NULL, 0};
    bool minus = e8_str_starts(text, "-");
    e8_dur_ns shift;
    if (minus || e8_str_starts(text, "+"))
        text = (struct e8_str){text.p + 1, text.n - 1};
    if (!e8_parse_dur(text, &shift) || shift > SHIFT_MAX)
        fail(p, node, "-10m, 1h", "\"shift\" must be a duration");
    else
        set_stamp(p, node, E8_STAMP_SHIFT, minus ? -shift : shift);
}

static void parse_beyond(struct parser *p, const struct e8_node *node, enum e8_stamp stamp)
{
    e8_dur_ns shift;
    if (!is_scalar(node) || !e8_parse_dur(node->text, &shift) || shift > SHIFT_MAX)
        fail(p, node, "by how much it is outside of the tolerance: 1s", "\"%.*s\" must be a duration",
             E8_STR(node->key));
    else
        set_stamp(p, node, stamp, shift);
}

static void parse_older(struct parser *p, const struct e8_node *node)
{
    parse_beyond(p, node, E8_STAMP_OLDER);
}

static void parse_newer(struct parser *p, const struct e8_node *node)
{
    parse_beyond(p, node, E8_STAMP_NEWER);
}

static void parse_stamp_text(struct parser *p, const struct e8_node *node)
{
    if (!text_of(p, node, "soon", &p->out->stamp_text))
        return;
    if (!e8_header_value_valid(p->out->stamp_text))
        fail(p, node, "one line of text", "the timestamp contains a control character");
    set_stamp(p, node, E8_STAMP_TEXT, 0);
}

static void parse_timestamp(struct parser *p, const struct e8_node *node)
{
    static const struct key keys[] = {{"shift", parse_shift},
                                      {"older", parse_older},
                                      {"newer", parse_newer},
                                      {"text", parse_stamp_text},
                                      {NULL, NULL}};
    parse_map(p, node, keys, "{shift: -10m}, {older: 1s}, {newer: 1s} or {text: soon}");
}

/* --- body ------------------------------------------------------------------------------------------------------------ */

static void parse_form(struct parser *p, const struct e8_node *node)
{
    char hint[E8_HINT_MAX];
    struct e8_str text;
    if (!text_of(p, node, "spaced, pretty, …", &text))
        return;
    p->out->form = e8_form_find(text);
    if (p->out->form == NULL)
        fail(
            p, node,
            e8_hint_near(
                text, e8_form_names(),
                "spaced, pretty, escaped_slash, escaped_unicode, float_numbers, trailing_newline, reordered, "
                "escaped_nul, four_byte, duplicate_keys, extra_fields, null_optional",
                hint),
            "unknown form \"%.*s\"", E8_STR(text));
}

static void parse_base64(struct parser *p, const struct e8_node *node)
{
    struct e8_buf bytes;
    struct e8_str text = is_scalar(node) ? e8_str_trim(node->text) : (struct e8_str){NULL, 0};
    e8_buf_init(&bytes, text.n + 4);
    if (!is_scalar(node) || !e8_base64_get(text, &bytes))
        fail(p, node, "as RFC 4648 has it, on one line", "\"base64\" is not base64");
    else
        p->out->replacement = e8_arena_str(p->arena, e8_buf_str(&bytes));
    e8_buf_fini(&bytes);
}

static void parse_replace(struct parser *p, const struct e8_node *node)
{
    static const struct key keys[] = {{"base64", parse_base64}, {NULL, NULL}};
    if (node->kind == E8_MAP)
        parse_map(p, node, keys, "a text in quotes, or {base64: …}");
    else
        text_of(p, node, "a text in quotes, or {base64: …}; \"\" for no body", &p->out->replacement);
}

static void parse_size(struct parser *p, const struct e8_node *node)
{
    size_of(p, node, 1, E8_TAMPER_BODY_MAX, "64KB; at most 64MiB", &p->out->size);
}

static void parse_depth(struct parser *p, const struct e8_node *node)
{
    count_of(p, node, 1, E8_TAMPER_DEPTH_MAX, "1 to 1000000", &p->out->depth);
}

static void parse_flip(struct parser *p, const struct e8_node *node)
{
    bool random = is_scalar(node) && e8_str_is(node->text, "random");
    p->out->flip = random ? E8_FLIP_RANDOM : E8_FLIP_AT;
    if (!random)
        count_of(p, node, 0, E8_TAMPER_BODY_MAX, "the number of a byte, from 0 on, or random",
                 &p->out->flip_at);
}

static void parse_truncate(struct parser *p, const struct e8_node *node)
{
    count_of(p, node, 1, E8_TAMPER_BODY_MAX, "how many bytes are cut off: 20", &p->out->truncate);
}

static void parse_signed(struct parser *p, const struct e8_node *node)
{
    bool is_signed = false;
    bool_of(p, node, &is_signed);
    p->out->is_signed = is_signed;
    p->out->is_unsigned = !is_signed;
}

static void parse_body(struct parser *p, const struct e8_node *node)
{
    static const struct key keys[] = {
        {"form", parse_form}, {"replace", parse_replace},   {"size", parse_size},     {"depth", parse_depth},
        {"flip", parse_flip}, {"truncate", parse_truncate}, {"signed", parse_signed}, {NULL, NULL}};
    static const char hint[] = "form, replace, size, depth, flip or truncate";
    bool read = parse_map(p, node, keys, hint);
    if (read && node->count == 1 && e8_node_get(node, "signed") != NULL)
        fail(p, node, hint, "\"signed\" alone changes nothing");
}

/* --- headers, method, transfer --------------------------------------------------------------------------------------- */

typedef void fail_fn(struct parser *p, const struct e8_node *node, const char *hint, const char *format, ...);

/* The name is a value or a key: `tell` knows which. */
static bool name_is_good(struct parser *p, fail_fn *tell, const struct e8_node *node, struct e8_str name)
{
    if (!e8_header_name_valid(name))
        tell(p, node, "letters, digits and hyphens", "\"%.*s\" is no header name", E8_STR(name));
    else if (e8_header_is_framing(name))
        tell(p, node, "emit8 sets it itself; see transfer", "header \"%.*s\" would break the framing",
             E8_STR(name));
    else
        return true;
    return false;
}

static void parse_remove(struct parser *p, const struct e8_node *node)
{
    bool list = node->kind == E8_SEQ;
    size_t count = list ? node->count : 1;
    struct e8_str *names = e8_arena_alloc(p->arena, (count + 1) * sizeof *names);
    const struct e8_node *item = list ? node->first : node;
    if (count == 0)
        fail(p, node, "[Content-Type]", "\"remove\" names no header");
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (text_of(p, item, "[Content-Type]", &names[i]))
            name_is_good(p, fail, item, names[i]);
    }
    p->out->removed = (struct e8_names){names, count};
}

static struct e8_str sized_value(struct parser *p, const struct e8_node *node)
{
    uint64_t size = 0;
    const struct e8_node *given = e8_node_get(node, "size");
    if (given == NULL || node->count > 1)
        fail(p, node, "a text, or {size: 8KB}", "this is no value of a header");
    else
        size_of(p, given, 1, E8_TAMPER_VALUES_MAX, "8KB; at most 512KiB", &size);
    char *text = e8_arena_alloc(p->arena, size + 1);
    memset(text, 'a', size);
    return (struct e8_str){text, size};
}

static struct e8_str header_value(struct parser *p, const struct e8_node *node)
{
    struct e8_str value = {"", 0};
    if (node->kind == E8_MAP)
        value = sized_value(p, node);
    else if (text_of(p, node, "a text, or {size: 8KB}", &value) && !e8_header_value_valid(value))
        fail(p, node, "one line of text", "header \"%.*s\" contains a control character", E8_STR(node->key));
    p->values += value.n;
    return value;
}

static struct e8_headers header_list(struct parser *p, const struct e8_node *node)
{
    struct e8_headers out = {NULL, 0};
    if (!is_map(p, node, "{X-Other: \"1\"}"))
        return out;
    struct e8_header *list = e8_arena_alloc(p->arena, node->count * sizeof *list);
    out.list = list;
    for (const struct e8_node *member = node->first; member != NULL; member = member->next) {
        name_is_good(p, fail_key, member, member->key);
        list[out.count++] = (struct e8_header){e8_arena_str(p->arena, member->key), header_value(p, member)};
    }
    if (p->values > E8_TAMPER_VALUES_MAX)
        fail(p, node, "at most 512KiB in all", "the headers are too large");
    return out;
}

static void parse_set(struct parser *p, const struct e8_node *node)
{
    p->out->set = header_list(p, node);
}

static void parse_add(struct parser *p, const struct e8_node *node)
{
    p->out->added = header_list(p, node);
}

static void parse_case(struct parser *p, const struct e8_node *node)
{
    p->out->lower = is_scalar(node) && e8_str_is(node->text, "lower");
    if (!p->out->lower)
        fail(p, node, "lower", "unknown case");
}

static void parse_headers(struct parser *p, const struct e8_node *node)
{
    static const struct key keys[] = {
        {"remove", parse_remove}, {"set", parse_set}, {"add", parse_add}, {"case", parse_case}, {NULL, NULL}};
    parse_map(p, node, keys, "remove, set, add or case");
}

#define METHOD_MAX 32

static void parse_method(struct parser *p, const struct e8_node *node)
{
    struct e8_str method;
    if (!text_of(p, node, "GET, PUT, …", &method))
        return;
    if (!e8_header_name_valid(method) || method.n > METHOD_MAX)
        fail(p, node, "GET, PUT, …", "\"%.*s\" is no method", E8_STR(method));
    else if (e8_str_is(method, "CONNECT"))
        fail(p, node, "GET, PUT, DELETE, …", "CONNECT asks for a tunnel, which is no request to a receiver");
    else
        p->out->method = method;
}

static bool without_body(struct e8_str method)
{
    static const char *const names[] = {"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        if (e8_str_is(method, names[i]))
            return true;
    }
    return false;
}

static void parse_content_type(struct parser *p, const struct e8_node *node)
{
    struct e8_str value;
    if (!text_of(p, node, "text/plain, or none", &value))
        return;
    if (!e8_header_value_valid(value))
        fail(p, node, "text/plain, or none", "the content type contains a control character");
    p->out->no_content_type = e8_str_is(value, "none");
    p->out->content_type = value;
}

static void parse_chunked(struct parser *p, const struct e8_node *node)
{
    bool_of(p, node, &p->out->wire.chunked);
}

static void parse_expect(struct parser *p, const struct e8_node *node)
{
    bool_of(p, node, &p->out->wire.expect);
}

static void parse_rate(struct parser *p, const struct e8_node *node)
{
    struct e8_str text = is_scalar(node) ? e8_str_trim(node->text) : (struct e8_str){NULL, 0};
    bool per_second = text.n > 2 && memcmp(text.p + text.n - 2, "/s", 2) == 0;
    if (!per_second || !e8_parse_size(e8_str_trim((struct e8_str){text.p, text.n - 2}), &p->out->wire.rate))
        fail(p, node, "bytes per second: 1KB/s", "\"rate\" must be a rate of bytes");
    else if (p->out->wire.rate == 0)
        fail(p, node, "at least 1B/s", "at this rate the body never leaves");
}

static void parse_close_after(struct parser *p, const struct e8_node *node)
{
    uint64_t bytes = 0;
    size_of(p, node, 0, E8_TAMPER_BODY_MAX, "so many bytes of the body: 100", &bytes);
    p->out->wire.close_after = (int64_t)bytes;
}

static void parse_transfer(struct parser *p, const struct e8_node *node)
{
    static const struct key keys[] = {{"chunked", parse_chunked},
                                      {"rate", parse_rate},
                                      {"expect", parse_expect},
                                      {"close_after", parse_close_after},
                                      {NULL, NULL}};
    parse_map(p, node, keys, "chunked, rate, expect or close_after");
    const struct e8_wire *wire = &p->out->wire;
    p->out->unusual = wire->chunked || wire->expect || wire->rate > 0 || wire->close_after >= 0;
}

enum e8_rc e8_tamper_parse(struct e8_arena *arena, const struct e8_node *node, const struct e8_tamper **out,
                           struct e8_errs *errs)
{
    static const struct key keys[] = {{"signature", parse_signature}, {"timestamp", parse_timestamp},
                                      {"body", parse_body},           {"headers", parse_headers},
                                      {"method", parse_method},       {"content_type", parse_content_type},
                                      {"transfer", parse_transfer},   {NULL, NULL}};
    struct parser p = {arena, errs, e8_arena_alloc(arena, sizeof **out), E8_OK, 0};
    p.out->wire.close_after = -1;
    parse_map(&p, node, keys, "signature, timestamp, body, headers, method, content_type or transfer");
    p.out->bodiless = without_body(p.out->method) && e8_node_get(node, "body") == NULL;
    *out = p.rc == E8_OK ? p.out : NULL;
    return p.rc;
}
