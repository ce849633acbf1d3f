#include "platform/api.h"

static void put_notice(struct e8_buf *out, const struct e8_dispatched *what, const char *type)
{
    char at[E8_RFC3339_MAX];
    struct e8_json w = e8_json_new(out, 0);
    e8_wall_format(what->attempt->done, 3, at);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "type", type);
    e8_json_cstr(&w, "created_at", at);
    e8_json_object(&w, "data");
    e8_json_cstr(&w, "delivery_id", what->delivery);
    e8_json_cstr(&w, "webhook_id", what->webhook);
    e8_json_cstr(&w, "event_type", what->type);
    e8_json_int(&w, "attempts", what->attempt->number);
    if (what->attempt->status) {
        e8_json_int(&w, "status", what->attempt->status);
    } else {
        e8_json_null(&w, "status");
    }
    e8_json_cstr(&w, "outcome", e8_outcome_info(what->attempt->outcome)->name);
    e8_json_cstr(&w, "error", what->attempt->error);
    if (what->reason) {
        e8_json_cstr(&w, "reason", what->reason);
    }
    e8_json_end(&w, '}');
    e8_json_end(&w, '}');
}

static void tell(struct e8_platform_server *server, const struct e8_dispatched *what, const char *type)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_webhook webhook = {.notify_url = NULL};
    struct e8_buf body;
    e8_buf_init(&body, 64 << 10);
    put_notice(&body, what, type);
    if (server->options.on_notice) {
        const struct e8_platform_notice notice = {
            .type = type,
            .delivery = what->delivery,
            .webhook = what->webhook,
            .event_type = what->type,
            .attempts = what->attempt->number,
            .status = what->attempt->status,
            .error = what->attempt->error,
            .reason = what->reason,
            .json = e8_buf_str(&body),
        };
        server->options.on_notice(server->options.notice_state, &notice);
    }
    if (server->options.notify_url) {
        e8_notifier_send(server->notifier, server->options.notify_url, type, e8_buf_str(&body));
    }
    if (!e8_store_webhook(server->store, what->webhook, arena, &webhook, NULL) && webhook.notify_url) {
        e8_notifier_send(server->notifier, webhook.notify_url, type, e8_buf_str(&body));
    }
    e8_buf_fini(&body);
    e8_arena_free(&arena);
}

static void count(struct e8_platform_server *server, const struct e8_dispatched *what)
{
    const struct e8_store_attempt *attempt = what->attempt;
    e8_metrics_attempt(server->metrics,
                       &(struct e8_metrics_attempt){
                           .webhook = what->webhook,
                           .type = what->type,
                           .outcome = attempt->outcome,
                           .trigger = attempt->trigger,
                           .response_time = attempt->sent ? attempt->done - attempt->due : -1,
                           .failed_for_good = what->failed_for_good,
                       });
}

struct told {
    struct e8_platform_server *server;
    const char *delivery;
};

/* The row as it is now, for those who listen. */
static bool write_row(void *state, struct e8_buf *out)
{
    const struct told *told = state;
    return e8_row_write(told->server, told->delivery, out);
}

void e8_server_changed(struct e8_platform_server *server, const char *webhook, const char *delivery)
{
    struct told told = {server, delivery};
    e8_hub_delivery(server->live, webhook, write_row, &told, e8_mono_now());
}

void e8_server_dispatched(void *state, const struct e8_dispatched *what)
{
    struct e8_platform_server *server = state;
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    count(server, what);
    e8_server_changed(server, what->webhook, what->delivery);
    if (what->failed_for_good) {
        tell(server, what, "webhook.delivery_failed");
    }
    if (what->disabled) {
        tell(server, what, "webhook.disabled");
        e8_hub_webhook(server->live, what->webhook);
    }
}

void e8_stream_get(struct e8_call *call)
{
    const char *webhook = e8_call_query_webhook(call);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (!e8_hub_listen(call->server->live, webhook, e8_mono_now(), call->response)) {
        e8_call_fail(call, 503, "close another page", "too many listen already");
        return;
    }
    e8_call_header(call, "Content-Type", "text/event-stream");
    e8_call_header(call, "Cache-Control", "no-store");
}
