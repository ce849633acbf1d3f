#include <string.h>

#include "platform/api.h"

#define DOCUMENT "platform/web/openapi.json"

/* An event as the platform sends it to an endpoint. */
static void put_event(struct e8_json *w, const struct e8_catalog *catalog, size_t index)
{
    const struct e8_type *type = e8_catalog_type(catalog, index);
    e8_json_object(w, type->name);
    e8_json_object(w, "post");
    e8_json_cstr(w, "operationId", type->name);
    e8_json_cstr(w, "summary", type->description);
    e8_json_array(w, "tags");
    e8_json_cstr(w, NULL, "Events");
    e8_json_end(w, ']');
    e8_json_array(w, "parameters");
    const struct e8_platform *platform = e8_catalog_platform(catalog);
    for (size_t i = 0; i < platform->header_count; i++) {
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", platform->headers[i].name);
        e8_json_cstr(w, "in", "header");
        e8_json_raw(w, "schema", E8_LIT("{\"type\":\"string\"}"));
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
    e8_json_object(w, "requestBody");
    e8_json_bool(w, "required", true);
    e8_json_object(w, "content");
    e8_json_object(w, "application/json");
    e8_json_raw(w, "schema", e8_catalog_schema(catalog, index));
    e8_json_end(w, '}');
    e8_json_end(w, '}');
    e8_json_end(w, '}');
    e8_json_raw(w, "responses",
                E8_LIT("{\"2XX\":{\"description\":\"Delivered.\"},\"410\":{\"description\":\"Gone: the endpoint is "
                       "disabled.\"},\"default\":{\"description\":\"Failed: it is tried again.\"}}"));
    e8_json_end(w, '}');
    e8_json_end(w, '}');
}

static void put_events(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "webhooks");
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        put_event(w, catalog, i);
    }
    e8_json_end(w, '}');
}

/* The document of the API with the events of the catalogue. */
static void write_document(struct e8_platform_server *server, const struct e8_node *root)
{
    struct e8_json w = e8_json_new(&server->openapi, 0);
    struct e8_arena *arena = e8_arena_new();
    struct e8_buf json;
    e8_buf_init(&json, SIZE_MAX / 2);
    e8_json_object(&w, NULL);
    for (const struct e8_node *node = root->first; node; node = node->next) {
        e8_buf_reset(&json);
        e8_node_json(node, &json);
        e8_json_raw(&w, e8_arena_str(arena, node->key).p, e8_buf_str(&json));
        if (e8_str_is(node->key, "paths")) {
            put_events(&w, server->catalog);
        }
    }
    e8_json_end(&w, '}');
    e8_buf_fini(&json);
    e8_arena_free(&arena);
}

void e8_openapi_get(struct e8_call *call)
{
    struct e8_platform_server *server = call->server;
    if (!server->openapi.n) {
        struct e8_doc *doc;
        enum e8_rc rc =
            e8_doc_parse(DOCUMENT, e8_catalog_builtin(DOCUMENT), E8_DOC_JSON, &doc, NULL);
        E8_ASSERT(rc == E8_OK);
        write_document(server, e8_doc_root(doc));
        e8_doc_free(&doc);
    }
    call->response->status = 200;
    e8_call_header(call, "Content-Type", "application/json");
    e8_call_header(call, "Cache-Control", "no-cache");
    call->response->constant = e8_buf_str(&server->openapi);
}
