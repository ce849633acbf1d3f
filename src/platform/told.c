#include "digest/digest.h"
#include "platform/api.h"
#include "platform/endpoint.h"

static void put_notice(struct e8_buf *out, const struct e8_platform_notice *notice, const char *outcome)
{
    struct e8_json w = e8_json_new(out, 0);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "id", notice->id);
    e8_json_cstr(&w, "type", notice->type);
    e8_json_time(&w, "created_at", notice->at);
    e8_json_object(&w, "data");
    e8_json_cstr(&w, "webhook_id", notice->webhook);
    e8_json_cstr(&w, "delivery_id", notice->delivery);
    e8_json_cstr(&w, "event_id", notice->event);
    e8_json_cstr(&w, "event_type", notice->event_type);
    e8_json_cstr(&w, "run_id", notice->run);
    e8_json_bool(&w, "test", notice->test);
    e8_json_int(&w, "attempts", notice->attempts);
    e8_json_status(&w, "status", notice->status);
    e8_json_cstr(&w, "outcome", outcome);
    e8_json_cstr(&w, "error", notice->error);
    if (notice->reason) {
        e8_json_cstr(&w, "reason", notice->reason);
    }
    e8_json_end(&w, '}');
    e8_json_end(&w, '}');
}

/* By the scheme that the platform itself has. The secret was looked at when the server was started. */
static struct e8_signer *own_signer(const struct e8_platform_server *server)
{
    const char *const secrets[] = {server->options.notify_secret};
    const struct e8_scheme *scheme = e8_schemes_find(e8_catalog_schemes(server->catalog), E8_NOTICE_SCHEME);
    struct e8_signer *signer = NULL;
    if (secrets[0]) {
        enum e8_rc rc = e8_signer_new(scheme, secrets, 1, &signer, NULL);
        E8_ASSERT(rc == E8_OK);
    }
    return signer;
}

/* What an endpoint's owner is told is signed as the deliveries are. */
static void tell_owner(struct e8_platform_server *server, const struct e8_platform_notice *notice)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_webhook webhook = {.notify_url = NULL};
    struct e8_endpoint endpoint = {0};
    struct e8_signer *signer = NULL;
    if (!e8_store_webhook(server->store, notice->webhook, arena, &webhook, NULL) && webhook.notify_url &&
        !e8_webhook_endpoint(arena, server->catalog, server->store, &webhook, notice->at, &endpoint, NULL) &&
        !e8_signer_new(endpoint.scheme, endpoint.secrets, endpoint.secret_count, &signer, NULL)) {
        e8_notifier_send(server->notifier, webhook.notify_url, notice, signer);
    }
    e8_arena_free(&arena);
}

static void tell(struct e8_platform_server *server, struct e8_platform_notice *notice, const char *outcome)
{
    uint64_t random[2];
    struct e8_buf body;
    e8_random_bytes(random, sizeof random);
    e8_id_make("ntc_", notice->at, random[0], random[1], notice->id);
    e8_buf_init(&body, 64 << 10);
    put_notice(&body, notice, outcome);
    notice->json = e8_buf_str(&body);
    if (server->options.on_notice) {
        server->options.on_notice(server->options.notice_state, notice);
    }
    if (server->options.notify_url) {
        e8_notifier_send(server->notifier, server->options.notify_url, notice, own_signer(server));
    }
    tell_owner(server, notice);
    e8_buf_fini(&body);
}

static void tell_failed(struct e8_platform_server *server, const struct e8_dispatched *what)
{
    const struct e8_store_attempt *attempt = what->attempt;
    struct e8_platform_notice notice = {
        .type = "webhook.delivery_failed",
        .at = attempt->done,
        .webhook = what->webhook,
        .delivery = what->delivery,
        .event = what->event,
        .event_type = what->type,
        .run = what->run,
        .test = what->test,
        .attempts = attempt->number,
        .status = attempt->status,
        .error = attempt->error,
    };
    tell(server, &notice, e8_outcome_info(attempt->outcome)->name);
}

static void count(struct e8_platform_server *server, const char *webhook, const char *type,
                  const struct e8_store_attempt *attempt)
{
    e8_metrics_attempt(server->metrics,
                       &(struct e8_metrics_attempt){
                           .webhook = webhook,
                           .type = type,
                           .outcome = attempt->outcome,
                           .trigger = attempt->trigger,
                           .response_time = attempt->sent ? attempt->done - attempt->due : -1,
                           .failed_for_good = attempt->state == E8_STATE_FAILED && !attempt->copy,
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
    count(server, what->webhook, what->type, what->attempt);
    e8_server_changed(server, what->webhook, what->delivery);
    if (what->failed_for_good) {
        tell_failed(server, what);
    }
}

void e8_server_disabled(void *state, const struct e8_disabled *what)
{
    struct e8_platform_server *server = state;
    struct e8_platform_notice notice = {
        .type = "webhook.disabled", .at = what->at, .webhook = what->webhook, .reason = what->reason};
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    if (what->last) {
        notice.delivery = what->last->id;
        notice.event = what->last->event_id;
        notice.event_type = what->last->type;
        notice.run = what->last->run;
        notice.test = what->last->test;
        notice.attempts = what->last->attempts;
        notice.status = what->last->status;
        notice.error = what->last->error;
    }
    tell(server, &notice, what->last ? what->last->outcome : NULL);
    e8_hub_webhook(server->live, what->webhook, what->reason);
}

static void event_written(struct e8_platform_server *server, const struct e8_run_row *row)
{
    e8_metrics_event(server->metrics, row->event.type);
    for (size_t i = 0; i < row->count; i++) {
        e8_server_changed(server, row->targets[i].webhook, row->targets[i].id);
    }
}

void e8_server_run_written(void *state, const struct e8_run_row *row)
{
    struct e8_platform_server *server = state;
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    if (row->what == E8_RUN_EVENT) {
        event_written(server, row);
    } else if (row->delivery[0]) {
        if (row->what == E8_RUN_ATTEMPT) {
            count(server, row->webhook, row->event.type, &row->attempt);
        }
        e8_server_changed(server, row->webhook, row->delivery);
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
