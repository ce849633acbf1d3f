#include <string.h>

#include "expect/internal.h"

#define STATUS_HINT "a status like 401, a class like 2xx, a range like 400..403, none, or a list of those"

static bool in_range(uint64_t status)
{
    return status >= 100 && status <= 599;
}

bool e8_statuses_parse(struct e8_str text, struct e8_statuses *out)
{
    uint64_t low, high;
    if (e8_str_is(text, "none")) {
        *out = (struct e8_statuses){0, 0};
        return true;
    }
    if (text.n == 3 && text.p[0] >= '1' && text.p[0] <= '5' &&
        e8_str_ieq((struct e8_str){text.p + 1, 2}, E8_LIT("xx"))) {
        int first = (text.p[0] - '0') * 100;
        *out = (struct e8_statuses){first, first + 99};
        return true;
    }
    struct e8_str left = text, right = text;
    if (text.n == 8 && text.p[3] == '.' && text.p[4] == '.') {
        left = (struct e8_str){text.p, 3};
        right = (struct e8_str){text.p + 5, 3};
    }
    if (left.n != 3 || !e8_parse_u64(left, &low) || !e8_parse_u64(right, &high) || !in_range(low) ||
        !in_range(high) || low > high)
        return false;
    *out = (struct e8_statuses){(int)low, (int)high};
    return true;
}

struct parser {
    struct e8_arena *arena;
    struct e8_errs *errs;
    struct e8_expect *out;
};

static void wrong(struct parser *p, const struct e8_node *node, const char *hint, const char *what)
{
    struct e8_err err = {0};
    char memory[SHOWN_MAX + 16];
    struct e8_buf shown;
    e8_buf_fixed(&shown, memory, sizeof(memory));
    if (node->kind == E8_SEQ || node->kind == E8_MAP || node->kind == E8_NULL)
        e8_buf_puts(&shown, node->kind == E8_NULL ? "nothing" : e8_node_kind_name(node->kind));
    else
        e8_expect_put_shown(&shown, node->text);
    e8_node_fail(&err, node, hint, "%s is %s", e8_buf_cstr(&shown), what);
    e8_errs_add(p->errs, &err);
}

static bool is_scalar(const struct e8_node *node)
{
    return node->kind != E8_SEQ && node->kind != E8_MAP && node->kind != E8_NULL;
}

/* The node itself, or each of its list. */
static const struct e8_node *each(const struct e8_node *node, size_t *count)
{
    *count = node->kind == E8_SEQ ? node->count : 1;
    return node->kind == E8_SEQ ? node->first : node;
}

static void parse_status(struct parser *p, const struct e8_node *node)
{
    size_t count;
    const struct e8_node *item = each(node, &count);
    if (count == 0)
        wrong(p, node, STATUS_HINT, "no status");
    struct e8_statuses *list = e8_arena_alloc(p->arena, (count + 1) * sizeof(*list));
    p->out->statuses = list;
    p->out->status_count = 0;
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (is_scalar(item) && e8_statuses_parse(item->text, &list[p->out->status_count]))
            p->out->status_count++;
        else
            wrong(p, item, STATUS_HINT, "no status");
    }
}

static void parse_within(struct parser *p, const struct e8_node *node)
{
    if (!is_scalar(node) || !e8_parse_dur(node->text, &p->out->within) || p->out->within == 0)
        wrong(p, node, "a number with a unit: 500ms, 5s", "no duration");
}

static void parse_header(struct parser *p, const struct e8_node *node)
{
    if (node->kind != E8_MAP) {
        wrong(p, node, "{NAME: VALUE}; the value may be any or absent", "no map of headers");
        return;
    }
    struct header_rule *list = e8_arena_alloc(p->arena, (node->count + 1) * sizeof(*list));
    p->out->headers = list;
    for (const struct e8_node *item = node->first; item; item = item->next) {
        struct e8_err err = {0};
        if (!e8_header_name_valid(item->key)) {
            e8_key_fail(&err, item, "letters, digits and dashes, like Retry-After",
                        "\"%.*s\" is no header's name", E8_STR(item->key));
            e8_errs_add(p->errs, &err);
        } else if (!is_scalar(item)) {
            wrong(p, item, "a text, any or absent", "no header's value");
        } else {
            list[p->out->header_count++] = (struct header_rule){
                .name = e8_arena_str(p->arena, item->key),
                .value = e8_arena_str(p->arena, e8_str_trim(item->text)),
                .kind = item->quoted                      ? HEADER_IS
                        : e8_str_is(item->text, "any")    ? HEADER_ANY
                        : e8_str_is(item->text, "absent") ? HEADER_ABSENT
                                                          : HEADER_IS,
            };
        }
    }
}

static void parse_texts(struct parser *p, const struct e8_node *node, struct texts *out)
{
    size_t count;
    const struct e8_node *item = each(node, &count);
    struct e8_str *list = e8_arena_alloc(p->arena, (count + 1) * sizeof(*list));
    out->list = list;
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (is_scalar(item) && item->text.n > 0)
            list[out->count++] = e8_arena_str(p->arena, item->text);
        else
            wrong(p, item, "a text or a list of texts", "nothing to look for");
    }
}

static void parse_pointer(struct parser *p, const struct e8_node *item, struct pointer_rule *list)
{
    struct e8_err err = {0};
    const char *fault = e8_pointer_fault(item->key);
    if (fault) {
        e8_key_fail(&err, item, "like /data/count", "\"%.*s\": %s", E8_STR(item->key), fault);
        e8_errs_add(p->errs, &err);
        return;
    }
    list[p->out->pointer_count++] = (struct pointer_rule){
        .pointer = e8_arena_str(p->arena, item->key).p,
        .value = e8_node_clone(p->arena, item, true),
    };
}

static void parse_body(struct parser *p, const struct e8_node *node)
{
    static const char *const keys[] = {"contains", "lacks", NULL};
    if (node->kind != E8_MAP) {
        wrong(p, node, "{contains: TEXT, lacks: TEXT, /json/pointer: VALUE}", "no map");
        return;
    }
    struct pointer_rule *list = e8_arena_alloc(p->arena, (node->count + 1) * sizeof(*list));
    p->out->pointers = list;
    for (const struct e8_node *item = node->first; item; item = item->next) {
        char hint[E8_HINT_MAX];
        struct e8_err err = {0};
        if (e8_str_is(item->key, "contains")) {
            parse_texts(p, item, &p->out->contains);
        } else if (e8_str_is(item->key, "lacks")) {
            parse_texts(p, item, &p->out->lacks);
        } else if (e8_str_starts(item->key, "/")) {
            parse_pointer(p, item, list);
        } else {
            e8_hint_near(item->key, keys, "contains, lacks, or a JSON pointer, which begins with a slash",
                         hint);
            e8_key_fail(&err, item, hint, "unknown key \"%.*s\"", E8_STR(item->key));
            e8_errs_add(p->errs, &err);
        }
    }
}

static bool parse_span(struct e8_str text, int64_t *low, int64_t *high)
{
    for (size_t i = 1; i + 2 < text.n; i++)
        if (text.p[i] == '.' && text.p[i + 1] == '.')
            return e8_parse_i64((struct e8_str){text.p, i}, low) &&
                   e8_parse_i64((struct e8_str){text.p + i + 2, text.n - i - 2}, high) && *low <= *high;
    return e8_parse_i64(text, low) && e8_parse_i64(text, high);
}

static void parse_effect(struct parser *p, const struct e8_node *node)
{
    p->out->effect = is_scalar(node) && parse_span(node->text, &p->out->effect_low, &p->out->effect_high);
    if (!p->out->effect)
        wrong(p, node, "by how much the number may grow: 1, or 0..1", "no effect");
}

static void parse_report(struct parser *p, const struct e8_node *node)
{
    p->out->report = node->kind == E8_BOOL && node->b;
    if (node->kind != E8_BOOL)
        wrong(p, node, "true or false", "neither true nor false");
}

enum e8_rc e8_expect_parse(struct e8_arena *arena, const struct e8_node *node, const struct e8_expect **out,
                           struct e8_errs *errs)
{
    static const struct {
        const char *key;
        void (*parse)(struct parser *p, const struct e8_node *node);
    } parts[] = {
        {"status", parse_status}, {"within", parse_within}, {"header", parse_header},
        {"body", parse_body},     {"effect", parse_effect}, {"report", parse_report},
    };
    static const char *const keys[] = {"status", "within", "header", "body", "effect", "report", NULL};
    struct e8_expect *expect = e8_arena_alloc(arena, sizeof(*expect));
    struct parser p = {arena, errs, expect};
    size_t before = errs->total;
    expect->within = -1;
    *out = expect;
    if (node->kind != E8_MAP) {
        wrong(&p, node, "like {status: 401, within: 5s}", "no map of what must come back");
        return E8_INPUT;
    }
    e8_node_only(node, keys, errs);
    for (size_t i = 0; i < E8_COUNT(parts); i++) {
        const struct e8_node *part = e8_node_get(node, parts[i].key);
        if (part)
            parts[i].parse(&p, part);
    }
    return errs->total > before ? E8_INPUT : E8_OK;
}

enum e8_rc e8_expect_override(struct e8_arena *arena, const struct e8_expect *expect,
                              const struct e8_node *statuses, const struct e8_expect **out,
                              struct e8_errs *errs)
{
    struct e8_expect *copy = e8_arena_alloc(arena, sizeof(*copy));
    struct parser p = {arena, errs, copy};
    size_t before = errs->total;
    *copy = *expect;
    parse_status(&p, statuses);
    *out = copy;
    return errs->total > before ? E8_INPUT : E8_OK;
}

bool e8_expect_reads(const struct e8_expect *expect)
{
    return expect->header_count > 0 || expect->contains.count > 0 || expect->lacks.count > 0 ||
           expect->pointer_count > 0;
}

bool e8_expect_only_reports(const struct e8_expect *expect)
{
    return expect->report;
}

bool e8_expect_effect(const struct e8_expect *expect, int64_t *low, int64_t *high)
{
    if (expect->effect) {
        *low = expect->effect_low;
        *high = expect->effect_high;
    }
    return expect->effect;
}
