/* Bodies of requests to the API of `emit8 serve`: reading one never crashes, and what is answered is JSON, whatever it was.
 *
 * The input's first byte says what it is read as: w (a new endpoint), p (a changed one), e (an event), t (a preview); the rest is the
 * body. Nothing is looked up: all targets are reached through a Unix socket. */
#include <stdlib.h>
#include <string.h>

#include "platform/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct e8_platform_server server;

static void load(void)
{
    static struct e8_catalog *catalog;
    struct e8_errs errs;
    e8_errs_init(&errs);
    E8_ASSERT(e8_catalog_load(NULL, &catalog, &errs) == E8_OK);
    e8_errs_fini(&errs);
    server.magic = E8_SERVER_MAGIC;
    server.catalog = catalog;
    server.options.reach.unix_socket = "/nowhere";
    server.started = 1700000000 * E8_NS_S;
}

static void answer_webhook(struct e8_call *call, bool creates)
{
    struct e8_webhook_in in = {.secret = NULL};
    e8_webhook_defaults(call, &in.webhook);
    if (!creates) {
        in.webhook.url = in.before_url = "http://user:password@127.0.0.1/";
        in.webhook.events = "[\"*\"]";
        in.webhook.headers = "{\"X-Key\":\"secret\"}";
    }
    e8_webhook_read(call, creates, &in);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    e8_json_webhook(e8_call_begin(call, 200), "data", call, &in.webhook, in.secret);
    e8_call_end(call);
}

static void answer_event(struct e8_call *call, bool preview)
{
    struct e8_made made;
    if (!e8_event_make(call, preview ? NULL : "type", preview ? 0 : -1, !preview, &made)) {
        e8_call_refuse(call);
        return;
    }
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_str(w, "data", made.body);
    e8_call_end(call);
}

static void answer(struct e8_call *call, char what)
{
    if (what == 'w' || what == 'p') {
        answer_webhook(call, what == 'w');
    } else {
        answer_event(call, what == 't');
    }
}

static void check_json(struct e8_str text)
{
    struct e8_doc *doc = NULL;
    E8_ASSERT(e8_doc_parse("answer", text, E8_DOC_JSON, &doc, NULL) == E8_OK);
    e8_doc_free(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct e8_response response = {.status = 200};
    struct e8_request request = {.impl = NULL};
    struct e8_call call = {.server = &server, .request = &request, .response = &response};
    if (!server.catalog) {
        load();
    }
    if (size < 2 || e8_doc_parse("request", (struct e8_str){(const char *)data + 1, size - 1}, E8_DOC_JSON,
                                 &call.doc, NULL)) {
        return 0;
    }
    if (e8_doc_root(call.doc)->kind == E8_MAP) {
        call.body = e8_doc_root(call.doc);
        call.arena = e8_arena_new();
        call.now = server.started;
        e8_errs_init(&call.errs);
        e8_buf_init(&response.body, (size_t)8 << 20);
        answer(&call, (char)data[0]);
        check_json(e8_buf_str(&response.body));
        e8_buf_fini(&response.body);
        e8_errs_fini(&call.errs);
        e8_arena_free(&call.arena);
    }
    e8_doc_free(&call.doc);
    return 0;
}
