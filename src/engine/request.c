#include <string.h>

#include "engine/engine.h"

/* At the limit of the list nothing more is added; the plan's check keeps what users give below it. */
struct builder {
    struct e8_buf *memory;
    struct e8_sign_input in;
    struct e8_request_parts *out;
    bool full;
};

static bool has_header(const struct e8_request_parts *parts, struct e8_str name)
{
    for (size_t i = 0; i < parts->count; i++) {
        if (e8_str_ieq(parts->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void put(struct builder *b, struct e8_header header)
{
    if (b->out->count < E8_COUNT(b->out->headers)) {
        b->out->headers[b->out->count++] = header;
    } else {
        b->full = true;
    }
}

static void add(struct builder *b, struct e8_header header)
{
    if (!has_header(b->out, header.name)) {
        put(b, header);
    }
}

static void add_form(struct builder *b, const struct e8_header_form *form)
{
    add(b, e8_header_fill(form, &b->in, b->memory));
}

/* The step's headers come first, then the endpoint's; all of them, and they win over ours of the same name. */
static void add_users(struct builder *b, const struct e8_endpoint *endpoint, const struct e8_emit *emit)
{
    for (size_t i = 0; i < emit->header_count; i++) {
        put(b, emit->headers[i]);
    }
    size_t of_step = b->out->count;
    for (size_t i = 0; !emit->verbatim && i < endpoint->header_count; i++) {
        bool taken = false;
        for (size_t j = 0; j < of_step; j++) {
            taken = taken || e8_str_ieq(b->out->headers[j].name, endpoint->headers[i].name);
        }
        if (!taken) {
            put(b, endpoint->headers[i]);
        }
    }
}

static void add_ours(struct builder *b, const struct e8_platform *platform,
                     const struct e8_endpoint *endpoint, struct e8_signer *signer)
{
    add_form(b, platform->agent_form);
    add(b, (struct e8_header){E8_LIT("Content-Type"), e8_str(platform->content_type)});
    for (size_t i = 0; i < platform->header_count; i++) {
        add_form(b, platform->headers[i].form);
    }
    for (size_t i = 0; i < endpoint->scheme->header_count; i++) {
        add_form(b, endpoint->scheme->headers[i].form);
    }
    if (signer) {
        size_t start = b->memory->n;
        e8_signer_sign(signer, &b->in, b->memory);
        struct e8_str signature = {b->memory->p + start, b->memory->n - start};
        add(b, (struct e8_header){e8_str(endpoint->scheme->header), signature});
    }
}

/* Where there is no secret before or after, nobody's takes its place: it is as wrong. */
static struct e8_signer *signer_of(const struct e8_emit *emit, const struct e8_keys *keys)
{
    struct e8_signer *wrong = NULL;
    if (emit->verbatim || !keys->right) {
        return NULL;
    }
    switch (emit->tamper ? e8_tamper_secret(emit->tamper) : E8_SECRET_RIGHT) {
    case E8_SECRET_RIGHT:
        return keys->right;
    case E8_SECRET_OTHER:
        wrong = keys->other;
        break;
    case E8_SECRET_PREVIOUS:
        wrong = keys->previous;
        break;
    case E8_SECRET_NEXT:
        wrong = keys->next;
        break;
    }
    return wrong ? wrong : keys->other;
}

static enum e8_rc build(struct builder *b, const struct e8_catalog *catalog,
                        const struct e8_endpoint *endpoint, const struct e8_emit *emit,
                        const struct e8_keys *keys)
{
    add_users(b, endpoint, emit);
    if (!emit->verbatim) {
        add_ours(b, e8_catalog_platform(catalog), endpoint, signer_of(emit, keys));
    }
    return b->memory->full || b->full ? E8_LIMIT : E8_OK;
}

/* In this order: the body that is signed, what is signed in its place, headers and signature, the body that is sent. */
static enum e8_rc build_tampered(struct builder *b, const struct e8_catalog *catalog,
                                 const struct e8_endpoint *endpoint, const struct e8_emit *emit,
                                 const struct e8_keys *keys, uint64_t seed, struct e8_buf *scratch)
{
    const struct e8_tamper *tamper = emit->tamper;
    struct e8_request_parts *out = b->out;
    struct e8_sign_input *in = &b->in;
    struct e8_buf more;
    e8_buf_init(&more, 2 * E8_TAMPER_BODY_MAX);
    e8_buf_reset(scratch);
    if (e8_tamper_body(tamper, in->body, seed, scratch)) {
        in->body = e8_buf_str(scratch);
    }
    out->body = in->body;
    e8_tamper_input(tamper, endpoint->scheme, in, &more);
    enum e8_rc rc = build(b, catalog, endpoint, emit, keys);
    if (!rc) {
        rc = e8_tamper_headers(tamper, endpoint->scheme, out->headers, &out->count, E8_COUNT(out->headers),
                               b->memory);
    }
    e8_buf_reset(&more);
    if (e8_tamper_sent(tamper, out->body, seed, &more)) {
        e8_buf_reset(scratch);
        e8_buf_putstr(scratch, e8_buf_str(&more));
        out->body = e8_buf_str(scratch);
    }
    e8_buf_fini(&more);
    out->method = e8_tamper_method(tamper);
    out->wire = e8_tamper_wire(tamper);
    return b->memory->full ? E8_LIMIT : rc;
}

enum e8_rc e8_request_build(const struct e8_catalog *catalog, const struct e8_endpoint *endpoint,
                            const struct e8_emit *emit, const struct e8_keys *keys,
                            const struct e8_sign_input *in, uint64_t seed, struct e8_buf *memory,
                            struct e8_buf *scratch, struct e8_request_parts *out)
{
    struct builder b = {.memory = memory, .in = *in, .out = out};
    E8_ASSERT(memory->fixed);
    out->count = 0;
    out->method = E8_LIT("POST");
    out->body = in->body;
    out->wire = NULL;
    if (!emit->tamper) {
        return build(&b, catalog, endpoint, emit, keys);
    }
    E8_ASSERT(scratch);
    return build_tampered(&b, catalog, endpoint, emit, keys, seed, scratch);
}
