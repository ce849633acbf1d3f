#include "cli/asyncapi.h"

#include "doc/json.h"

#define TEXT                                                                                                 \
    "Webhook deliveries of the 8bit-ai platform: an HTTP POST for each event. A receiver answers 2xx "       \
    "within "                                                                                                \
    "the deadline; anything else is tried again."

static void put_ref(struct e8_json *w, const char *key, const char *where, const char *name)
{
    struct e8_buf text;
    e8_buf_init(&text, 1024);
    e8_buf_printf(&text, "%s%s", where, name);
    e8_json_object(w, key);
    e8_json_str(w, "$ref", e8_buf_str(&text));
    e8_json_end(w, '}');
    e8_buf_fini(&text);
}

static void put_refs(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "messages");
    for (const char *const *name = e8_catalog_names(catalog); *name; name++) {
        put_ref(w, *name, "#/components/messages/", *name);
    }
    e8_json_end(w, '}');
}

static void put_channels(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "channels");
    e8_json_object(w, "webhook");
    e8_json_null(w, "address");
    e8_json_cstr(w, "title", "Webhook");
    e8_json_cstr(w, "description",
                 "The URL of an endpoint, which subscribes to types, categories or all events.");
    put_refs(w, catalog);
    e8_json_end(w, '}');
    e8_json_end(w, '}');
}

static void put_operations(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "operations");
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        const struct e8_type *type = e8_catalog_type(catalog, i);
        e8_json_object(w, type->name);
        e8_json_cstr(w, "action", "send");
        put_ref(w, "channel", "#/channels/", "webhook");
        e8_json_cstr(w, "summary", type->description);
        e8_json_raw(w, "bindings", E8_LIT("{\"http\":{\"method\":\"POST\",\"bindingVersion\":\"0.3.0\"}}"));
        e8_json_array(w, "messages");
        put_ref(w, NULL, "#/channels/webhook/messages/", type->name);
        e8_json_end(w, ']');
        e8_json_end(w, '}');
    }
    e8_json_end(w, '}');
}

static void put_headers(struct e8_json *w, const struct e8_platform *platform)
{
    e8_json_object(w, "headers");
    e8_json_cstr(w, "type", "object");
    e8_json_object(w, "properties");
    for (size_t i = 0; i < platform->header_count; i++) {
        e8_json_object(w, platform->headers[i].name);
        e8_json_cstr(w, "type", "string");
        e8_json_end(w, '}');
    }
    e8_json_end(w, '}');
    e8_json_end(w, '}');
}

static void put_messages(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "messages");
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        const struct e8_type *type = e8_catalog_type(catalog, i);
        e8_json_object(w, type->name);
        e8_json_cstr(w, "name", type->name);
        e8_json_cstr(w, "title", type->name);
        e8_json_cstr(w, "summary", type->description);
        e8_json_cstr(w, "contentType", e8_catalog_platform(catalog)->content_type);
        put_headers(w, e8_catalog_platform(catalog));
        put_ref(w, "payload", "#/components/schemas/", type->name);
        e8_json_end(w, '}');
    }
    e8_json_end(w, '}');
}

static void put_schemas(struct e8_json *w, const struct e8_catalog *catalog)
{
    e8_json_object(w, "schemas");
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        const char *name = e8_catalog_type(catalog, i)->name;
        struct e8_buf root;
        e8_buf_init(&root, 1024);
        e8_buf_printf(&root, "#/components/schemas/%s", name);
        e8_catalog_schema_put(catalog, i, e8_buf_cstr(&root), w, name);
        e8_buf_fini(&root);
    }
    e8_json_end(w, '}');
}

void e8_asyncapi_write(const struct e8_catalog *catalog, struct e8_buf *out)
{
    struct e8_json w = e8_json_new(out, 2);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "asyncapi", "3.0.0");
    e8_json_object(&w, "info");
    e8_json_cstr(&w, "title", "8bit-ai webhook events");
    e8_json_cstr(&w, "version", E8_VERSION);
    e8_json_cstr(&w, "description", TEXT);
    e8_json_end(&w, '}');
    e8_json_cstr(&w, "defaultContentType", e8_catalog_platform(catalog)->content_type);
    put_channels(&w, catalog);
    put_operations(&w, catalog);
    e8_json_object(&w, "components");
    put_messages(&w, catalog);
    put_schemas(&w, catalog);
    e8_json_end(&w, '}');
    e8_json_end(&w, '}');
    e8_buf_putc(out, '\n');
}
