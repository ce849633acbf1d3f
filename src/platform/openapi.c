#include <stdlib.h>

#include "platform/api.h"

#define DOCUMENT "platform/web/openapi.json"
#define SCHEMAS  "#/components/schemas/"
#define RESPONSES                                                                                            \
    "{\"2XX\":{\"description\":\"Delivered.\"},\"410\":{\"description\":\"Gone: the endpoint is "            \
    "disabled.\"},"                                                                                          \
    "\"4XX\":{\"description\":\"Failed: it is tried again.\"},\"5XX\":{\"description\":\"Failed: it is "     \
    "tried "                                                                                                 \
    "again.\"}}"

static void put_header(struct e8_json *w, const char *name)
{
    e8_json_object(w, NULL);
    e8_json_cstr(w, "name", name);
    e8_json_cstr(w, "in", "header");
    e8_json_raw(w, "schema", E8_LIT("{\"type\":\"string\"}"));
    e8_json_end(w, '}');
}

/* An event as the platform sends it to an endpoint. */
static void put_event(struct e8_json *w, const struct e8_catalog *catalog, size_t index)
{
    const struct e8_type *type = e8_catalog_type(catalog, index);
    const struct e8_platform *platform = e8_catalog_platform(catalog);
    e8_json_object(w, type->name);
    e8_json_object(w, "post");
    e8_json_cstr(w, "operationId", type->name);
    e8_json_cstr(w, "summary", type->description);
    e8_json_raw(w, "tags", E8_LIT("[\"Deliveries to you\"]"));
    e8_json_raw(w, "security", E8_LIT("[]"));
    e8_json_array(w, "parameters");
    for (size_t i = 0; i < platform->header_count; i++) {
        put_header(w, platform->headers[i].name);
    }
    e8_json_end(w, ']');
    e8_json_object(w, "requestBody");
    e8_json_bool(w, "required", true);
    e8_json_object(w, "content");
    e8_json_object(w, "application/json");
    e8_json_object(w, "schema");
    struct e8_arena *arena = e8_arena_new();
    e8_json_cstr(w, "$ref", e8_arena_printf(arena, SCHEMAS "%s", type->name));
    e8_arena_free(&arena);
    for (int i = 0; i < 4; i++) {
        e8_json_end(w, '}');
    }
    e8_json_raw(w, "responses", E8_LIT(RESPONSES));
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

static void put_raw(struct e8_json *w, const struct e8_node *node)
{
    struct e8_buf json;
    char *key = e8_dup_str(node->key);
    e8_buf_init(&json, SIZE_MAX / 2);
    e8_node_json(node, &json);
    e8_json_raw(w, key, e8_buf_str(&json));
    e8_buf_fini(&json);
    free(key);
}

/* The document's own, and behind them those of the events. */
static void put_schemas(struct e8_json *w, const struct e8_node *own, const struct e8_catalog *catalog)
{
    struct e8_arena *arena = e8_arena_new();
    e8_json_object(w, "schemas");
    for (const struct e8_node *node = own->first; node; node = node->next) {
        put_raw(w, node);
    }
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        const char *name = e8_catalog_type(catalog, i)->name;
        e8_catalog_schema_put(catalog, i, e8_arena_printf(arena, SCHEMAS "%s", name), w, name);
    }
    e8_json_end(w, '}');
    e8_arena_free(&arena);
}

static void put_components(struct e8_json *w, const struct e8_node *own, const struct e8_catalog *catalog)
{
    e8_json_object(w, "components");
    for (const struct e8_node *node = own->first; node; node = node->next) {
        if (e8_str_is(node->key, "schemas")) {
            put_schemas(w, node, catalog);
        } else {
            put_raw(w, node);
        }
    }
    e8_json_end(w, '}');
}

/* The document of the API with the events of the catalogue. */
static void write_document(struct e8_platform_server *server, const struct e8_node *root)
{
    struct e8_json w = e8_json_new(&server->openapi, 0);
    e8_json_object(&w, NULL);
    for (const struct e8_node *node = root->first; node; node = node->next) {
        if (e8_str_is(node->key, "components")) {
            put_events(&w, server->catalog);
            put_components(&w, node, server->catalog);
        } else {
            put_raw(&w, node);
        }
    }
    e8_json_end(&w, '}');
    e8_buf_putc(&server->openapi, '\n');
}

void e8_openapi_get(struct e8_call *call)
{
    struct e8_platform_server *server = call->server;
    if (!server->openapi.n) {
        struct e8_doc *doc;
        enum e8_rc rc = e8_doc_parse(DOCUMENT, e8_catalog_builtin(DOCUMENT), E8_DOC_JSON, &doc, NULL);
        E8_ASSERT(rc == E8_OK);
        write_document(server, e8_doc_root(doc));
        e8_doc_free(&doc);
    }
    call->response->status = 200;
    e8_call_header(call, "Content-Type", "application/json");
    e8_call_header(call, "Cache-Control", "no-cache");
    call->response->constant = e8_buf_str(&server->openapi);
}
