#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "doc/json.h"
#include "scenario/parse.h"

#define FOREIGN_MAX   1000 /* types that only one plan has */
#define STEP_NAME_MAX 100

/* Any name that can stand in a header and is no placeholder. */
static bool type_good(struct e8_str name)
{
    return name.n > 0 && name.n <= E8_FACT_MAX && e8_header_value_valid(name) &&
           e8_str_trim(name).n == name.n && e8_utf8_valid(name) == name.n && !memmem(name.p, name.n, "{{", 2);
}

/* The index of a type in the plan's list, where it is put if it is a new one. */
static int type_index(struct e8_parser *p, const struct e8_node *node)
{
    struct e8_plan *plan = &p->owned->plan;
    size_t known = e8_catalog_count(p->catalog);
    int index = node->kind == E8_SEQ || node->kind == E8_MAP ? -1 : e8_catalog_find(p->catalog, node->text);
    if (index >= 0) {
        return index;
    }
    if (node->kind == E8_SEQ || node->kind == E8_MAP || node->kind == E8_NULL || !type_good(node->text)) {
        e8_parse_fail(p, node, "a name like order.created, at most 96 bytes", "\"%.*s\" is no event type",
                      E8_STR(node->text));
        return -1;
    }
    for (size_t i = known; i < plan->type_count; i++) {
        if (e8_str_is(node->text, plan->types[i])) {
            return (int)i;
        }
    }
    if (plan->type_count - known == FOREIGN_MAX) {
        e8_parse_fail(p, node, NULL, "more than %d types that are not in the catalogue", FOREIGN_MAX);
        return -1;
    }
    if (!p->types) {
        p->types = e8_arena_alloc(p->owned->arena, (known + FOREIGN_MAX + 1) * sizeof *p->types);
        memcpy(p->types, plan->types, known * sizeof *p->types);
        plan->types = p->types;
    }
    p->types[plan->type_count] = e8_arena_str(p->owned->arena, node->text).p;
    return (int)plan->type_count++;
}

/* The edits of a step; `raw` is the step as the file has it, for places. */
static size_t parse_edits(struct e8_parser *p, const struct e8_node *raw, const struct e8_node *step,
                          struct e8_edit **out)
{
    const struct e8_node *set = e8_node_get(step, "set"), *remove = e8_node_get(step, "remove");
    const struct e8_node *type = e8_node_get(step, "type"), *at = e8_node_get(raw, "set");
    size_t n = 0, room = (set ? set->count : 0) + (remove ? remove->count + 1 : 0) + 2;
    *out = e8_new(room, sizeof **out);
    at = at && at->kind == E8_MAP ? at->first : NULL;
    if (set && set->kind != E8_MAP) {
        e8_parse_fail(p, set, "set: {data.channel: web}", "set must be a map of paths and values");
    } else if (set) {
        for (const struct e8_node *node = set->first; node; node = node->next, at = at ? at->next : NULL) {
            (*out)[n++] = (struct e8_edit){node->key, node, at ? at : node};
        }
    }
    if (remove && remove->kind == E8_STRING) {
        (*out)[n++] = (struct e8_edit){remove->text, NULL, remove};
    } else if (remove && remove->kind == E8_SEQ) {
        for (const struct e8_node *node = remove->first; node; node = node->next) {
            if (node->kind == E8_STRING) {
                (*out)[n++] = (struct e8_edit){node->text, NULL, node};
            } else {
                e8_parse_fail(p, node, "remove: [data.subject]", "a path is a text, this is %s",
                              e8_node_kind_name(node->kind));
            }
        }
    } else if (remove) {
        e8_parse_fail(p, remove, "remove: [data.subject]", "remove must be a list of paths");
    }
    if (type) {
        (*out)[n++] = (struct e8_edit){E8_LIT("type"), type, type};
    }
    return n;
}

/* A text, or bytes as {base64: …}. */
static void parse_body(struct e8_parser *p, const struct e8_node *node, struct e8_str *out)
{
    const struct e8_node *bytes = e8_node_get(node, "base64");
    static const char hint[] = "body: TEXT or body: {base64: …}; set and remove change an event's own";
    if (node->kind == E8_SEQ || node->kind == E8_NULL ||
        (node->kind == E8_MAP && (!bytes || node->count > 1))) {
        e8_parse_fail(p, node, hint, "a body is a text or bytes, this is %s", e8_node_kind_name(node->kind));
        return;
    }
    if (!bytes) {
        *out = e8_arena_str(p->owned->arena, node->text);
        return;
    }
    struct e8_buf raw;
    e8_buf_init(&raw, SIZE_MAX / 2);
    bool is_text = bytes->kind != E8_SEQ && bytes->kind != E8_MAP && bytes->kind != E8_NULL;
    if (!is_text || !e8_base64_get(bytes->text, &raw)) {
        e8_parse_fail(p, bytes, "RFC 4648, on one line", "this is no base64");
    } else {
        *out = e8_arena_str(p->owned->arena, e8_buf_str(&raw));
    }
    e8_buf_fini(&raw);
}

static bool id_good(const char *id)
{
    for (size_t i = 0; id[i]; i++) {
        if (id[i] <= ' ' || id[i] > '~') {
            return false;
        }
    }
    return id[0] && strlen(id) < E8_ID_MAX;
}

static const char *parse_id(struct e8_parser *p, const struct e8_node *node)
{
    const char *id = e8_parse_text(p, node);
    if (id && !id_good(id)) {
        e8_parse_fail(p, node, "letters, digits and signs without blanks, at most 39",
                      "\"%.*s\" is no delivery id", E8_STR(node->text));
    }
    return id;
}

static const char *parse_name(struct e8_parser *p, const struct e8_node *node)
{
    const char *name = node ? e8_parse_text(p, node) : NULL;
    if (name && (!name[0] || strlen(name) > STEP_NAME_MAX || !e8_header_value_valid(e8_str(name)))) {
        e8_parse_fail(p, node, "one line, at most 100 bytes", "\"%.*s\" is no name for a step",
                      E8_STR(node->text));
    }
    return name;
}

bool e8_parse_await(struct e8_parser *p, const struct e8_node *node, enum e8_on_failure *out)
{
    static const char *const keys[] = {"ack", NULL};
    const struct e8_node *ack = e8_node_get(node, "ack");
    *out = E8_ON_FAILURE_STOP_FLOW;
    if (ack) {
        e8_node_only(node, keys, p->errs);
        return e8_parse_on_failure(p, ack, out);
    }
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_str_is(node->text, "ack")) {
        bool value = node->kind != E8_SEQ && node->kind != E8_MAP;
        e8_parse_fail(p, node, "await: ack, or await: {ack: continue}",
                      value ? "\"%.*s\" is nothing to wait for" : "%.*sthis is nothing to wait for",
                      E8_STR(value ? node->text : E8_LIT("")));
        return false;
    }
    return true;
}

/* What emits and `again` have in common. */
static void parse_how(struct e8_parser *p, const struct e8_node *map, struct e8_emit *emit)
{
    const struct e8_node *deliver = e8_node_get(map, "deliver"), *tamper = e8_node_get(map, "tamper");
    const struct e8_node *expect = e8_node_get(map, "expect");
    emit->name = parse_name(p, e8_node_get(map, "name"));
    if (deliver) {
        e8_parse_deliver(p, deliver, &emit->deliver);
    }
    if (tamper) {
        e8_tamper_parse(p->owned->arena, tamper, &emit->tamper, p->errs);
    }
    if (expect) {
        e8_expect_parse(p->owned->arena, expect, &emit->expect, p->errs);
    }
    if (emit->tamper && emit->verbatim && e8_tamper_needs_secret(emit->tamper)) {
        e8_parse_fail(p, tamper, "leave verbatim or the signature out",
                      "nothing is signed in a verbatim delivery");
    }
    emit->faultless = deliver || tamper || expect || emit->again != E8_AGAIN_NO;
}

static void put_headers(struct e8_parser *p, struct e8_json *w, const struct e8_emit *emit)
{
    struct e8_buf key;
    e8_buf_init(&key, SIZE_MAX / 2);
    e8_json_object(w, "headers");
    for (size_t i = 0; i < emit->header_count; i++) {
        const struct e8_header *header = &emit->headers[i];
        bool hidden = e8_header_is_secret(header->name) || e8_vars_hidden(p->vars, header->value);
        e8_buf_reset(&key);
        e8_buf_putstr(&key, header->name);
        e8_json_str(w, e8_buf_cstr(&key), hidden ? E8_LIT("***") : header->value);
    }
    e8_json_end(w, '}');
    e8_buf_fini(&key);
}

/* Tampering as the file has it, without what is secret. */
static void redact(struct e8_parser *p, struct e8_node *node, bool header)
{
    for (struct e8_node *child = node->first; child; child = child->next) {
        bool secret = (header && e8_header_is_secret(child->key)) || e8_vars_hidden(p->vars, child->text);
        if (secret && child->kind != E8_MAP && child->kind != E8_SEQ) {
            child->kind = E8_STRING;
            child->text = E8_LIT("***");
        }
        redact(p, child, header || e8_str_is(child->key, "headers"));
    }
}

static void put_tamper(struct e8_parser *p, struct e8_json *w, const struct e8_node *tamper)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_node *copy = e8_node_clone(arena, tamper, false);
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    redact(p, copy, false);
    e8_node_json(copy, &text);
    e8_json_raw(w, "tamper", e8_buf_str(&text));
    e8_buf_fini(&text);
    e8_arena_free(&arena);
}

/* What the log keeps of a step beside its type; NULL where there is nothing. */
static const char *step_json(struct e8_parser *p, const struct e8_emit *emit, struct e8_str edits,
                             const struct e8_node *tamper)
{
    static const char *const again[] = {NULL, "retry", "replay"};
    bool renamed = !emit->raw.p && emit->event != emit->type;
    if (!renamed && !emit->header_count && !emit->delivery_id && !emit->verbatim && !tamper && !emit->again) {
        return edits.p; /* many steps share it */
    }
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    if (renamed) {
        e8_json_cstr(&w, "emit", e8_catalog_type(p->catalog, emit->event)->name);
    }
    if (edits.p) {
        struct e8_str list = {edits.p + sizeof "{\"edits\":" - 1, edits.n - sizeof "{\"edits\":"};
        e8_json_raw(&w, "edits", list);
    }
    if (tamper && emit->tamper) {
        put_tamper(p, &w, tamper);
    }
    if (emit->header_count) {
        put_headers(p, &w, emit);
    }
    if (emit->delivery_id) {
        e8_json_cstr(&w, "id", emit->delivery_id);
    }
    if (emit->verbatim) {
        e8_json_bool(&w, "verbatim", true);
    }
    if (emit->again) {
        e8_json_cstr(&w, "again", again[emit->again]);
    }
    e8_json_end(&w, '}');
    const char *json = e8_arena_str(p->owned->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return json;
}

/* The steps that a written one becomes: what is measured before it, its time, the event, what is waited for, what is measured. */
static void add_steps(struct e8_parser *p, const struct e8_node *map, struct e8_emit *emit,
                      struct e8_list *list, const struct e8_context *context)
{
    const struct e8_node *at = e8_node_get(map, "at"), *await = e8_node_get(map, "await");
    enum e8_on_failure own = E8_ON_FAILURE_CONTINUE;
    int64_t low, high;
    bool measured = emit->expect && e8_expect_effect(emit->expect, &low, &high);
    if (await) {
        e8_parse_await(p, await, &own);
    } else if (context->await) {
        own = *context->await;
    }
    emit->awaited = await || context->await || measured;
    if (emit->awaited && emit->deliver.reorder) {
        e8_parse_fail(p, e8_node_get(map, "deliver"), "leave one of the two out",
                      "what leaves after the next event cannot be awaited before it");
    }
    if (measured) {
        e8_written_step(p, list, E8_STEP_MEASURE)->measure.emit = emit;
    }
    if (at) {
        struct e8_step *step = e8_written_step(p, list, E8_STEP_AT);
        e8_parse_dur_node(p, at, &step->at);
    }
    e8_written_step(p, list, E8_STEP_EMIT)->emit = emit;
    if (emit->awaited) {
        e8_written_step(p, list, E8_STEP_AWAIT)->await.on_failure = own;
    }
    if (measured) {
        struct e8_step *step = e8_written_step(p, list, E8_STEP_MEASURE);
        step->measure.emit = emit;
        step->measure.after = true;
    }
}

static bool is_value(const struct e8_node *node)
{
    return node->kind != E8_SEQ && node->kind != E8_MAP && node->kind != E8_NULL;
}

/* The type that is sent, and the one whose body it is. False: there is none, which is told. */
static bool parse_types(struct e8_parser *p, const struct e8_node *map, struct e8_emit *emit)
{
    const struct e8_node *name = e8_node_get(map, "emit"), *body = e8_node_get(map, "body");
    const struct e8_node *type = e8_node_get(map, "type");
    int known = is_value(name) ? e8_catalog_find(p->catalog, name->text) : -1;
    if (known < 0 && !(body && is_value(name))) {
        char hint[E8_HINT_MAX];
        e8_hint_near(name->text, e8_catalog_names(p->catalog),
                     "emit8 events lists them; one of your own needs a body", hint);
        e8_parse_fail(p, name, hint, "unknown event type \"%.*s\"", E8_STR(name->text));
        return false;
    }
    int sent = type ? type_index(p, type) : known >= 0 ? known : type_index(p, name);
    emit->event = known >= 0 ? (uint16_t)known : 0;
    emit->type = sent >= 0 ? (uint16_t)sent : emit->event;
    return sent >= 0;
}

/* The bytes that are sent: the fixture's, perhaps changed, or the step's own. */
static void parse_content(struct e8_parser *p, const struct e8_node *raw, const struct e8_node *map,
                          struct e8_emit *emit, bool typed, struct e8_str *edits)
{
    const struct e8_node *body = e8_node_get(map, "body"), *set = e8_node_get(map, "set");
    const struct e8_node *remove = e8_node_get(map, "remove");
    struct e8_edit *list;
    *edits = (struct e8_str){NULL, 0};
    if (body) {
        parse_body(p, body, &emit->raw);
        if (set || remove) {
            e8_parse_fail_key(p, set ? set : remove, "change the body itself",
                              "a body is sent as it is written");
        }
        return;
    }
    if (typed) {
        size_t count = parse_edits(p, raw, map, &list);
        emit->body = e8_written_template(p, emit->event, list, count, edits);
        free(list);
    }
}

void e8_parse_emit(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                   struct e8_context *context)
{
    static const char *const keys[] = {"emit", "set",     "remove", "environment", "endpoint", "headers",
                                       "name", "at",      "id",     "body",        "verbatim", "await",
                                       "type", "deliver", "tamper", "expect",      NULL};
    const struct e8_node *map = e8_value(p, raw), *node;
    struct e8_emit *emit = e8_written_emit(p, raw);
    struct e8_str edits;
    e8_node_only(map, keys, p->errs);
    if (!emit) {
        return;
    }
    emit->line = e8_node_get(raw, "emit")->line;
    emit->file = raw->doc ? e8_doc_name(raw->doc) : NULL;
    emit->environment = p->environment;
    if ((node = e8_node_get(map, "verbatim")) != NULL) {
        e8_parse_bool(p, node, &emit->verbatim);
    }
    parse_content(p, raw, map, emit, parse_types(p, map, emit), &edits);
    if ((node = e8_node_get(map, "environment")) != NULL) {
        emit->environment = e8_parse_environment(p, node);
    }
    if ((node = e8_node_get(map, "endpoint")) != NULL) {
        emit->endpoint = (int16_t)e8_parse_endpoint_name(p, node);
    }
    if ((node = e8_node_get(map, "headers")) != NULL) {
        e8_parse_headers(p, node, emit->verbatim ? 64 : 32, emit->verbatim ? E8_HEADERS_MAX : 4096,
                         &emit->headers, &emit->header_count);
    }
    if ((node = e8_node_get(map, "id")) != NULL) {
        emit->delivery_id = parse_id(p, node);
    }
    parse_how(p, map, emit);
    emit->json = step_json(p, emit, edits, e8_node_get(map, "tamper"));
    add_steps(p, map, emit, list, context);
    context->before = emit;
    context->edits = edits;
}

void e8_parse_again(struct e8_parser *p, const struct e8_node *raw, struct e8_list *list,
                    struct e8_context *context)
{
    static const char *const keys[] = {"again", "deliver", "tamper", "expect", "name", "await", NULL};
    const struct e8_node *map = e8_value(p, raw), *how = e8_node_get(map, "again");
    struct e8_emit *emit = e8_written_emit(p, raw);
    e8_node_only(map, keys, p->errs);
    if (!emit) {
        return;
    }
    uint32_t index = emit->index;
    if (!context->before) {
        e8_parse_fail(p, raw, "put it behind an emit of the same list of steps",
                      "it is not certain which event again repeats");
    } else {
        *emit = *context->before;
    }
    emit->index = index;
    emit->again = e8_str_is(how->text, "replay") ? E8_AGAIN_REPLAY : E8_AGAIN_RETRY;
    if (!e8_str_is(how->text, "retry") && !e8_str_is(how->text, "replay")) {
        e8_parse_fail(p, how, "again: retry or again: replay", "\"%.*s\" is no way to send again",
                      E8_STR(how->text));
    }
    emit->deliver = (struct e8_deliver){0};
    emit->tamper = NULL;
    emit->expect = NULL;
    emit->line = e8_node_get(raw, "again")->line;
    emit->file = raw->doc ? e8_doc_name(raw->doc) : NULL;
    parse_how(p, map, emit);
    emit->json = step_json(p, emit, context->edits, e8_node_get(map, "tamper"));
    add_steps(p, map, emit, list, context);
}
