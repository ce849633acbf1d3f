#include <string.h>

#include "platform/api.h"

static void put_texts(struct e8_json *w, const char *key, const char *const *list)
{
    e8_json_array(w, key);
    for (; *list; list++) {
        e8_json_cstr(w, NULL, *list);
    }
    e8_json_end(w, ']');
}

/* Those whose header has room for the signatures of two secrets. */
static void put_overlapping(struct e8_json *w, const struct e8_schemes *schemes)
{
    e8_json_array(w, "overlapping_schemes");
    for (const char *const *name = e8_schemes_names(schemes); *name; name++) {
        if (e8_schemes_find(schemes, *name)->multiple) {
            e8_json_cstr(w, NULL, *name);
        }
    }
    e8_json_end(w, ']');
}

void e8_info_get(struct e8_call *call)
{
    static const char *const plans[] = {
        [E8_PLAN_UNLIMITED] = "unlimited", [E8_PLAN_STARTER] = "starter", [E8_PLAN_PRO] = "pro"};
    const struct e8_platform_server *server = call->server;
    const struct e8_platform *platform = e8_catalog_platform(server->catalog);
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_cstr(w, "version", E8_VERSION);
    e8_json_cstr(w, "curl_version", e8_transport_curl_version());
    e8_json_cstr(w, "plan", plans[server->options.plan]);
    e8_json_bool(w, "auth", server->key != NULL);
    put_texts(w, "environments", platform->environments);
    put_texts(w, "schemes", e8_schemes_names(e8_catalog_schemes(server->catalog)));
    put_overlapping(w, e8_catalog_schemes(server->catalog));
    e8_json_object(w, "limits");
    e8_json_int(w, "body_bytes", (int64_t)E8_BODY_MAX);
    e8_json_end(w, '}');
    e8_json_object(w, "defaults");
    e8_json_ms(w, "timeout_ms", platform->deadline);
    e8_json_retry(w, "retry", &platform->retry);
    e8_json_ms(w, "grace_ms", e8_server_grace(server));
    e8_json_end(w, '}');
    e8_json_end(w, '}');
    e8_call_end(call);
}

static void plain(struct e8_call *call, int status, const char *type)
{
    call->response->status = status;
    e8_call_header(call, "Content-Type", type);
    e8_call_header(call, "Cache-Control", "no-store");
}

void e8_healthz_get(struct e8_call *call)
{
    struct e8_err err = call->server->trouble;
    if (!e8_platform_healthy(call->server, &err) || call->server->refuses) {
        e8_call_fail_err(call, 503, &err);
        return;
    }
    plain(call, 200, "application/json");
    e8_buf_puts(&call->response->body, "{\"status\":\"ok\"}\n");
}

/* What counts now; a store that fails is told by the answers that need it. */
static void look(struct e8_call *call, struct e8_metrics_gauges *gauges)
{
    struct e8_store_overview overview;
    const struct e8_taker *takers;
    size_t count = 0;
    if (!e8_store_overview(call->server->store, call->now - 60 * E8_NS_S, call->now, 60 * E8_NS_S, NULL,
                           call->arena, &overview, NULL)) {
        gauges->pending = overview.pending;
        gauges->retrying = overview.retrying;
    }
    if (!e8_takers_get(call->server, &takers, &count, NULL)) {
        gauges->webhooks = count;
        for (size_t i = 0; i < count; i++) {
            gauges->webhooks_enabled += takers[i].enabled;
        }
    }
}

void e8_metrics_get(struct e8_call *call)
{
    struct e8_metrics_gauges gauges = {
        .in_flight = e8_dispatch_in_flight(call->server->dispatch),
        .listeners = e8_hub_count(call->server->live),
        .started = call->server->started,
    };
    look(call, &gauges);
    plain(call, 200, E8_METRICS_TYPE);
    e8_metrics_write(call->server->metrics, &gauges, e8_transport_curl_version(), &call->response->body);
}
