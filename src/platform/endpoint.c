#include "platform/endpoint.h"

/* {"X-Team": "crm"} */
static void read_headers(struct e8_arena *arena, const char *json, struct e8_endpoint *out)
{
    struct e8_doc *doc = NULL;
    size_t n = 0;
    if (e8_doc_parse("headers", e8_str(json), E8_DOC_JSON, &doc, NULL)) {
        return;
    }
    const struct e8_node *root = e8_doc_root(doc);
    struct e8_header *headers = e8_arena_alloc(arena, (root->count + 1) * sizeof *headers);
    for (const struct e8_node *item = root->first; item; item = item->next) {
        headers[n].name = e8_arena_str(arena, item->key);
        headers[n++].value = e8_arena_str(arena, item->text);
    }
    e8_doc_free(&doc);
    out->headers = headers;
    out->header_count = n;
}

/* Within the grace of a rotation both secrets sign, where the scheme has room for two signatures. */
static enum e8_rc read_secrets(struct e8_arena *arena, struct e8_store *store,
                               const struct e8_webhook *webhook, e8_wall_ns now, struct e8_endpoint *out,
                               struct e8_err *err)
{
    const char **secrets = e8_arena_alloc(arena, E8_WEBHOOK_SECRETS * sizeof *secrets);
    enum e8_rc rc = e8_store_secrets(store, webhook->id, now, arena, secrets, err);
    out->secrets = secrets;
    out->secret_count = !rc && secrets[1] && out->scheme->multiple ? 2 : 1;
    return rc;
}

enum e8_rc e8_webhook_endpoint(struct e8_arena *arena, const struct e8_catalog *catalog,
                               struct e8_store *store, const struct e8_webhook *webhook, e8_wall_ns now,
                               struct e8_endpoint *out, struct e8_err *err)
{
    const struct e8_scheme *scheme = e8_schemes_find(e8_catalog_schemes(catalog), webhook->scheme);
    if (!scheme) {
        return e8_fail(err, E8_INPUT, "start with the fixtures that it was made with",
                       "webhook %s signs by the scheme \"%s\", which is not known", webhook->id,
                       webhook->scheme);
    }
    out->name = e8_arena_str(arena, e8_str(webhook->id)).p;
    out->url = webhook->url;
    out->scheme = scheme;
    out->timeout = webhook->timeout;
    out->retry = webhook->retry;
    read_headers(arena, webhook->headers, out);
    return read_secrets(arena, store, webhook, now, out, err);
}
