#include <stdlib.h>
#include <string.h>

#include "cli/replay.h"
#include "doc/json.h"

struct replay_item *e8_replay_add(struct replayer *r)
{
    if (r->count == r->room) {
        r->room = r->room ? 2 * r->room : 256;
        r->items = e8_resize(r->items, r->room, sizeof *r->items);
    }
    struct replay_item *item = &r->items[r->count];
    *item = (struct replay_item){.order = r->count++};
    return item;
}

/* ---- ids ---- */

/* All of one moment: what had one id gets one. */
static const char *new_id(struct replayer *r, e8_wall_ns now, const char *prefix, struct e8_str old)
{
    char id[E8_ID_MAX];
    uint64_t key = e8_mix(r->seed, e8_hash_str(old));
    e8_id_make(prefix, now, e8_mix(key, 1), e8_mix(key, 2), id);
    return e8_arena_str(r->arena, e8_str(id)).p;
}

/* Where the text stands in quotes it is another from now on; everything else stays, byte for byte. */
static struct e8_str replaced(struct replayer *r, struct e8_str body, struct e8_str old, const char *by)
{
    struct e8_buf out;
    size_t from = 0;
    e8_buf_init(&out, SIZE_MAX / 2);
    for (const char *at; from < body.n; from = (size_t)(at - body.p) + old.n) {
        at = memmem(body.p + from, body.n - from, old.p, old.n);
        if (!at) {
            break;
        }
        size_t start = (size_t)(at - body.p), end = start + old.n;
        bool quoted = start > 0 && body.p[start - 1] == '"' && end < body.n && body.p[end] == '"';
        e8_buf_put(&out, body.p + from, start - from);
        e8_buf_putstr(&out, quoted ? e8_str(by) : old);
    }
    e8_buf_put(&out, body.p + from, body.n - from);
    struct e8_str result = e8_arena_str(r->arena, e8_buf_str(&out));
    e8_buf_fini(&out);
    return result;
}

/* The event's id: the member `id` of a body that is a JSON object. */
static void rename_event(struct replayer *r, e8_wall_ns now, struct replay_item *item)
{
    struct e8_doc *doc = NULL;
    if (e8_doc_parse("body", item->body, E8_DOC_JSON, &doc, NULL)) {
        return;
    }
    const struct e8_node *id = e8_node_get(e8_doc_root(doc), "id");
    if (id && id->kind == E8_STRING && id->text.n) {
        bool own = e8_str_starts(id->text, "evt_");
        const char *made = new_id(r, now, own ? "evt_" : "", id->text);
        item->body = replaced(r, item->body, id->text, made);
    }
    e8_doc_free(&doc);
}

void e8_replay_rename(struct replayer *r)
{
    e8_wall_ns now = e8_wall_now();
    for (size_t i = 0; i < r->count; i++) {
        struct replay_item *item = &r->items[i];
        rename_event(r, now, item);
        if (item->id) {
            item->id = new_id(r, now, "dlv_", e8_str(item->id));
        }
    }
}

/* ---- headers ---- */

bool e8_replay_foreign(const struct replay_item *item)
{
    return !item->step || item->step->verbatim;
}

/* A header whose value tells something of the delivery: its template; NULL: none of those. */
static const char *template_of(const struct replayer *r, struct e8_str name)
{
    const struct e8_platform *platform = e8_catalog_platform(r->catalog);
    const struct e8_scheme *scheme = r->endpoint.scheme;
    for (size_t i = 0; i < scheme->header_count; i++) {
        if (e8_str_ieq(name, e8_str(scheme->headers[i].name))) {
            return scheme->headers[i].value;
        }
    }
    for (size_t i = 0; i < platform->header_count; i++) {
        if (e8_str_ieq(name, e8_str(platform->headers[i].name))) {
            return platform->headers[i].value;
        }
    }
    return NULL;
}

static bool is_signature(const struct replayer *r, struct e8_str name)
{
    return e8_str_ieq(name, e8_str(r->endpoint.scheme->header));
}

struct dress {
    struct replayer *r;
    struct e8_sign_input in;
    struct e8_header *list;
    size_t count;
    struct e8_buf value;
};

static bool has(const struct dress *d, const char *name)
{
    return e8_header_find(d->list, d->count, name) != NULL;
}

static void put(struct dress *d, struct e8_str name, struct e8_str value)
{
    if (d->count < E8_REPLAY_HEADERS_MAX) {
        d->list[d->count++] = (struct e8_header){name, value};
    }
}

static struct e8_str expanded(struct dress *d, const char *template)
{
    e8_buf_reset(&d->value);
    e8_sign_expand(template, &d->in, &d->value);
    return e8_arena_str(d->r->arena, e8_buf_str(&d->value));
}

static struct e8_str signature(struct dress *d)
{
    e8_buf_reset(&d->value);
    e8_signer_sign(d->r->signer, &d->in, &d->value);
    return e8_arena_str(d->r->arena, e8_buf_str(&d->value));
}

static bool is_given(const struct replayer *r, struct e8_str name)
{
    return r->headers && e8_header_find(r->headers, r->endpoint.header_count, e8_arena_str(r->arena, name).p);
}

/* The recorded ones in their order; those that are made of the delivery are made again; what the scheme needs besides comes
 * behind, and so do those of -H. */
static void dress_recorded(struct dress *d, const struct replay_item *item)
{
    struct replayer *r = d->r;
    const struct e8_scheme *scheme = r->endpoint.scheme;
    bool sign = r->mode == REPLAY_RESIGNED && r->signer;
    for (size_t i = 0; i < item->header_count; i++) {
        struct e8_header header = item->headers[i];
        const char *template = sign ? template_of(r, header.name) : NULL;
        if (is_given(r, header.name)) {
            continue;
        }
        if (sign && is_signature(r, header.name)) {
            header.value = signature(d);
        } else if (template) {
            header.value = expanded(d, template);
        }
        put(d, header.name, header.value);
    }
    for (size_t i = 0; sign && i < scheme->header_count; i++) {
        if (!has(d, scheme->headers[i].name) && !is_given(r, e8_str(scheme->headers[i].name))) {
            put(d, e8_str(scheme->headers[i].name), expanded(d, scheme->headers[i].value));
        }
    }
    if (sign && !has(d, scheme->header) && !is_given(r, e8_str(scheme->header))) {
        put(d, e8_str(scheme->header), signature(d));
    }
    for (size_t i = 0; i < r->endpoint.header_count; i++) {
        put(d, r->headers[i].name, r->headers[i].value);
    }
}

/* As the run made them. */
static enum e8_rc dress_logged(struct dress *d, struct replay_item *item, struct e8_err *err)
{
    struct replayer *r = d->r;
    struct e8_request_parts *parts = e8_new(1, sizeof *parts);
    struct e8_keys keys = {.right = r->signer, .other = r->other};
    char *fixed = e8_new(E8_HEADERS_MAX, 1);
    struct e8_buf memory, scratch;
    e8_buf_fixed(&memory, fixed, E8_HEADERS_MAX);
    e8_buf_init(&scratch, SIZE_MAX / 2);
    enum e8_rc rc = e8_request_build(r->catalog, &r->endpoint, item->step, &keys, &d->in,
                                     e8_hash_str(e8_str(item->id)), &memory, &scratch, parts);
    for (size_t i = 0; !rc && i < parts->count; i++) {
        put(d, e8_arena_str(r->arena, parts->headers[i].name),
            e8_arena_str(r->arena, parts->headers[i].value));
    }
    if (!rc && item->step->tamper) {
        item->body = e8_arena_str(r->arena, parts->body);
    }
    e8_buf_fini(&scratch);
    free(fixed);
    free(parts);
    return rc ? e8_fail(err, E8_INPUT, "fewer or shorter -H", "the headers do not fit") : E8_OK;
}

enum e8_rc e8_replay_dress(struct replayer *r, struct replay_item *item, struct e8_err *err)
{
    struct dress d = {.r = r};
    enum e8_rc rc = E8_OK;
    d.in = (struct e8_sign_input){
        .id = e8_str(item->id ? item->id : ""),
        .timestamp = item->timestamp ? item->timestamp : e8_wall_now() / E8_NS_S,
        .body = item->body,
        .type = e8_str(item->type),
        .environment = e8_str(item->environment),
        .attempt = item->attempt,
    };
    d.list = e8_arena_alloc(r->arena, E8_REPLAY_HEADERS_MAX * sizeof *d.list);
    e8_buf_init(&d.value, 64 << 10);
    if (!e8_replay_foreign(item)) {
        rc = dress_logged(&d, item, err);
    } else {
        dress_recorded(&d, item);
    }
    e8_buf_fini(&d.value);
    if (!rc && d.count == E8_REPLAY_HEADERS_MAX) {
        rc = e8_fail(err, E8_INPUT, "fewer -H", "a request has more than %d headers",
                     E8_REPLAY_HEADERS_MAX - 1);
    }
    item->headers = d.list;
    item->header_count = d.count;
    return rc;
}

const char *e8_replay_json(struct replayer *r, const struct replay_item *item)
{
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_json_object(&w, "headers");
    for (size_t i = 0; i < item->header_count; i++) {
        const struct e8_header *header = &item->headers[i];
        if (!is_given(r, header->name)) {
            e8_json_str(&w, e8_arena_str(r->arena, header->name).p, header->value);
        }
    }
    e8_json_end(&w, '}');
    if (item->id) {
        e8_json_cstr(&w, "id", item->id);
    }
    if (r->mode != REPLAY_FRESH) {
        e8_json_bool(&w, "verbatim", true);
    }
    e8_json_end(&w, '}');
    const char *json = e8_arena_str(r->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return json;
}

void e8_replay_strip(struct replayer *r, struct replay_item *item)
{
    struct e8_header *list = e8_arena_alloc(r->arena, (item->header_count + 1) * sizeof *list);
    size_t count = 0;
    for (size_t i = 0; i < item->header_count; i++) {
        struct e8_str name = item->headers[i].name;
        if (!is_signature(r, name) && !template_of(r, name) && !is_given(r, name)) {
            list[count++] = item->headers[i];
        }
    }
    item->headers = list;
    item->header_count = count;
}
