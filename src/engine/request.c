#include <string.h>

#include "engine/engine.h"

struct builder {
    struct e8_buf *memory;
    const struct e8_sign_input *in;
    struct e8_request_parts *out;
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

static void add(struct builder *b, struct e8_str name, struct e8_str value)
{
    if (b->out->count < E8_COUNT(b->out->headers) && !has_header(b->out, name)) {
        b->out->headers[b->out->count++] = (struct e8_header){name, value};
    }
}

static void add_expanded(struct builder *b, const char *name, const char *value)
{
    size_t start = b->memory->n;
    e8_sign_expand(value, b->in, b->memory);
    add(b, e8_str(name), (struct e8_str){b->memory->p + start, b->memory->n - start});
}

/* The user's headers come first, all of them, and win over ours of the same name. */
enum e8_rc e8_request_build(const struct e8_catalog *catalog, const struct e8_endpoint *endpoint,
                            const struct e8_emit *emit, const struct e8_keys *keys,
                            const struct e8_sign_input *in, uint64_t seed, struct e8_buf *memory,
                            struct e8_buf *scratch, struct e8_request_parts *out)
{
    E8_ASSERT(memory->fixed);
    const struct e8_platform *platform = e8_catalog_platform(catalog);
    struct builder b = {memory, in, out};
    (void)emit;
    (void)seed;
    (void)scratch;
    out->count = 0;
    out->method = E8_LIT("POST");
    out->body = in->body;
    out->wire = NULL;
    for (size_t i = 0; i < endpoint->header_count; i++) {
        E8_ASSERT(out->count < E8_COUNT(out->headers));
        out->headers[out->count++] = endpoint->headers[i];
    }
    add_expanded(&b, "User-Agent", platform->user_agent);
    add(&b, E8_LIT("Content-Type"), e8_str(platform->content_type));
    for (size_t i = 0; i < platform->header_count; i++) {
        add_expanded(&b, platform->headers[i].name, platform->headers[i].value);
    }
    for (size_t i = 0; i < endpoint->scheme->header_count; i++) {
        add_expanded(&b, endpoint->scheme->headers[i].name, endpoint->scheme->headers[i].value);
    }
    if (keys->right) {
        size_t start = memory->n;
        e8_signer_sign(keys->right, in, memory);
        add(&b, e8_str(endpoint->scheme->header), (struct e8_str){memory->p + start, memory->n - start});
    }
    return memory->full ? E8_LIMIT : E8_OK;
}
