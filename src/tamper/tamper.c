#include <string.h>

#include "tamper/parts.h"

enum e8_tamper_secret e8_tamper_secret(const struct e8_tamper *t)
{
    switch (t->signature) {
    case E8_SIGNATURE_OTHER_SECRET:
        return E8_SECRET_OTHER;
    case E8_SIGNATURE_PREVIOUS_SECRET:
        return E8_SECRET_PREVIOUS;
    case E8_SIGNATURE_NEXT_SECRET:
        return E8_SECRET_NEXT;
    default:
        return E8_SECRET_RIGHT;
    }
}

/* --- what is signed -------------------------------------------------------------------------------------------------- */

static int64_t whole_seconds(e8_dur_ns span)
{
    return (span + (span >= 0 ? E8_NS_S - 1 : 1 - E8_NS_S)) / E8_NS_S;
}

/* A timestamp is the second that has begun, so that what shall be too new is one more away. */
static void change_time(const struct e8_tamper *t, const struct e8_scheme *scheme, struct e8_sign_input *in)
{
    switch (t->stamp) {
    case E8_STAMP_RIGHT:
        return;
    case E8_STAMP_SHIFT:
        in->timestamp += whole_seconds(t->shift);
        return;
    case E8_STAMP_OLDER:
        in->timestamp -= whole_seconds(scheme->tolerance) + whole_seconds(t->shift);
        return;
    case E8_STAMP_NEWER:
        in->timestamp += whole_seconds(scheme->tolerance) + whole_seconds(t->shift) + 1;
        return;
    case E8_STAMP_TEXT:
        in->timestamp_text = t->stamp_text;
        return;
    }
    E8_UNREACHABLE();
}

void e8_tamper_input(const struct e8_tamper *t, const struct e8_scheme *scheme, struct e8_sign_input *in,
                     struct e8_buf *scratch)
{
    static const struct e8_json_style stringify = {.numbers = true};
    struct e8_doc *doc = NULL;
    change_time(t, scheme, in);
    if (t->signature != E8_SIGNATURE_RESERIALISED ||
        e8_doc_parse("body", in->body, E8_DOC_JSON, &doc, NULL) != E8_OK)
        return;
    size_t start = scratch->n;
    e8_json_rewrite(e8_doc_root(doc), &stringify, scratch);
    e8_doc_free(&doc);
    in->body = (struct e8_str){scratch->p + start, scratch->n - start};
}

/* --- headers --------------------------------------------------------------------------------------------------------- */

struct headers {
    struct e8_header *list;
    size_t count, max;
    bool full;
};

static void insert(struct headers *h, size_t at, struct e8_header header)
{
    E8_ASSERT(at <= h->count);
    if (h->count == h->max) {
        h->full = true;
        return;
    }
    memmove(h->list + at + 1, h->list + at, (h->count - at) * sizeof *h->list);
    h->list[at] = header;
    h->count++;
}

static void drop(struct headers *h, struct e8_str name)
{
    size_t kept = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (!e8_str_ieq(h->list[i].name, name))
            h->list[kept++] = h->list[i];
    }
    h->count = kept;
}

/* In the place of the first of that name, or at the end. */
static void set(struct headers *h, struct e8_str name, struct e8_str value)
{
    size_t at = 0;
    while (at < h->count && !e8_str_ieq(h->list[at].name, name))
        at++;
    drop(h, name);
    insert(h, at < h->count ? at : h->count, (struct e8_header){name, value});
}

static void change_signature(const struct e8_tamper *t, const struct e8_scheme *scheme, struct headers *h,
                             struct e8_buf *memory)
{
    const struct e8_header *found = e8_header_find(h->list, h->count, scheme->header);
    size_t start = memory->n;
    if (t->signature == E8_SIGNATURE_NONE)
        drop(h, e8_str(scheme->header));
    if (found == NULL || !e8_signature_change(t, scheme, found->value, memory))
        return;
    size_t at = (size_t)(found - h->list);
    struct e8_str value = {memory->p + start, memory->n - start};
    if (t->signature == E8_SIGNATURE_WRONG_FIRST)
        insert(h, at, (struct e8_header){found->name, value});
    else if (t->signature == E8_SIGNATURE_WRONG_LAST)
        insert(h, at + 1, (struct e8_header){found->name, value});
    else
        h->list[at].value = value;
}

static void lower_names(struct headers *h, struct e8_buf *memory)
{
    for (size_t i = 0; i < h->count; i++) {
        struct e8_str name = h->list[i].name;
        size_t start = memory->n;
        for (size_t k = 0; k < name.n; k++)
            e8_buf_putc(memory,
                        name.p[k] >= 'A' && name.p[k] <= 'Z' ? (char)(name.p[k] - 'A' + 'a') : name.p[k]);
        if (!memory->full)
            h->list[i].name = (struct e8_str){memory->p + start, name.n};
    }
}

enum e8_rc e8_tamper_headers(const struct e8_tamper *t, const struct e8_scheme *scheme,
                             struct e8_header *list, size_t *count, size_t max, struct e8_buf *memory)
{
    struct headers h = {list, *count, max, false};
    E8_ASSERT(memory->fixed && *count <= max);
    change_signature(t, scheme, &h, memory);
    if (t->no_content_type)
        drop(&h, E8_LIT("Content-Type"));
    else if (t->content_type.p != NULL)
        set(&h, E8_LIT("Content-Type"), t->content_type);
    for (size_t i = 0; i < t->removed.count; i++)
        drop(&h, t->removed.list[i]);
    for (size_t i = 0; i < t->set.count; i++)
        set(&h, t->set.list[i].name, t->set.list[i].value);
    for (size_t i = 0; i < t->added.count; i++)
        insert(&h, h.count, t->added.list[i]);
    if (t->lower)
        lower_names(&h, memory);
    *count = h.count;
    return h.full || memory->full ? E8_LIMIT : E8_OK;
}

struct e8_str e8_tamper_method(const struct e8_tamper *t)
{
    return t->method.p != NULL ? t->method : E8_LIT("POST");
}

const struct e8_wire *e8_tamper_wire(const struct e8_tamper *t)
{
    return t->unusual ? &t->wire : NULL;
}

/* Headers that the scheme's signature is read from, or is made over. */
static bool is_signing(const struct e8_scheme *scheme, struct e8_str name)
{
    return e8_str_ieq(name, e8_str(scheme->header)) ||
           (scheme->signs_timestamp && scheme->timestamp_header &&
            e8_str_ieq(name, e8_str(scheme->timestamp_header))) ||
           (scheme->signs_id && scheme->id_header && e8_str_ieq(name, e8_str(scheme->id_header)));
}

static bool changes_signing(const struct e8_tamper *t, const struct e8_scheme *scheme)
{
    bool found = false;
    for (size_t i = 0; i < t->removed.count; i++)
        found |= is_signing(scheme, t->removed.list[i]);
    for (size_t i = 0; i < t->set.count; i++)
        found |= is_signing(scheme, t->set.list[i].name);
    for (size_t i = 0; i < t->added.count; i++)
        found |= is_signing(scheme, t->added.list[i].name);
    return found;
}

/* What is written anew may be what it was. */
static bool reserialises(struct e8_str body)
{
    static const struct e8_json_style stringify = {.numbers = true};
    struct e8_doc *doc = NULL;
    struct e8_buf anew;
    if (e8_doc_parse("body", body, E8_DOC_JSON, &doc, NULL) != E8_OK)
        return false;
    e8_buf_init(&anew, 2 * E8_TAMPER_BODY_MAX);
    e8_json_rewrite(e8_doc_root(doc), &stringify, &anew);
    bool differs = !e8_str_eq(e8_buf_str(&anew), body);
    e8_buf_fini(&anew);
    e8_doc_free(&doc);
    return differs;
}

static bool is_signed_wrong(const struct e8_tamper *t, struct e8_str sent)
{
    if (t->signature == E8_SIGNATURE_RESERIALISED)
        return reserialises(sent);
    return t->signature != E8_SIGNATURE_RIGHT;
}

bool e8_tamper_forges(const struct e8_tamper *t, const struct e8_scheme *scheme, struct e8_str sent)
{
    bool damaged = !t->is_signed && (t->flip != E8_FLIP_NONE || t->truncate > 0);
    return scheme && (is_signed_wrong(t, sent) || damaged || t->is_unsigned || changes_signing(t, scheme));
}

bool e8_tamper_needs_secret(const struct e8_tamper *t)
{
    return t->signature != E8_SIGNATURE_RIGHT || t->is_unsigned;
}

bool e8_tamper_needs_time(const struct e8_tamper *t)
{
    return t->stamp != E8_STAMP_RIGHT;
}
