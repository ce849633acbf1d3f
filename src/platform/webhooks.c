#include <string.h>

#include "digest/digest.h"
#include "platform/api.h"

#define REASON_MAX 200
#define GRACE_MAX  ((e8_dur_ns)366 * 24 * 3600 * E8_NS_S)

static void put_environments(struct e8_json *w, struct e8_call *call, const struct e8_webhook *webhook)
{
    const struct e8_platform *platform = e8_catalog_platform(call->server->catalog);
    size_t count;
    const char *const *list = e8_texts_of(call->arena, webhook->environments, &count);
    e8_json_array(w, "environments");
    for (const char *const *name = count ? list : platform->environments; *name; name++) {
        e8_json_cstr(w, NULL, *name);
    }
    e8_json_end(w, ']');
}

/* What opens doors is not shown. */
static void put_headers(struct e8_json *w, struct e8_call *call, const struct e8_webhook *webhook)
{
    struct e8_doc *doc = NULL;
    e8_json_object(w, "headers");
    if (!e8_doc_parse("headers", e8_str(webhook->headers), E8_DOC_JSON, &doc, NULL)) {
        for (const struct e8_node *header = e8_doc_root(doc)->first; header; header = header->next) {
            e8_json_str(w, e8_call_text(call, header->key),
                        e8_header_is_secret(header->key) ? E8_LIT("***") : header->text);
        }
    }
    e8_doc_free(&doc);
    e8_json_end(w, '}');
}

void e8_json_webhook(struct e8_json *w, const char *key, struct e8_call *call,
                     const struct e8_webhook *webhook, const char *secret)
{
    e8_json_object(w, key);
    e8_json_cstr(w, "id", webhook->id);
    e8_json_url(w, "url", webhook->url);
    e8_json_cstr(w, "description", webhook->description);
    e8_json_bool(w, "enabled", webhook->enabled);
    e8_json_cstr(w, "disabled_reason", webhook->disabled_reason);
    e8_json_time(w, "disabled_at", webhook->disabled_at);
    e8_json_time(w, "failing_since", webhook->failing_since);
    e8_json_raw(w, "events", e8_str(webhook->events));
    put_environments(w, call, webhook);
    e8_json_cstr(w, "scheme", webhook->scheme);
    e8_json_ms(w, "timeout_ms", webhook->timeout);
    e8_json_retry(w, "retry", &webhook->retry);
    put_headers(w, call, webhook);
    e8_json_url(w, "notify_url", webhook->notify_url);
    e8_json_cstr(w, "secret_end",
                 webhook->secret_end[0] ? e8_arena_printf(call->arena, "…%s", webhook->secret_end) : NULL);
    if (secret) {
        e8_json_cstr(w, "secret", secret);
    }
    e8_json_time(w, "rotated_at", webhook->rotated);
    e8_json_time(w, "grace_until", webhook->grace_until > call->now ? webhook->grace_until : 0);
    e8_json_time(w, "created_at", webhook->created);
    e8_json_time(w, "updated_at", webhook->updated);
    e8_json_end(w, '}');
}

bool e8_call_webhook(struct e8_call *call, struct e8_webhook *out)
{
    struct e8_err err = {0};
    enum e8_rc rc =
        e8_store_webhook(call->server->store, e8_call_text(call, call->id), call->arena, out, &err);
    if (rc == E8_INPUT) {
        e8_call_fail(call, 404, "GET /v1/webhooks lists them", "%s", err.what);
    } else if (rc) {
        e8_call_fail_store(call, rc, &err);
    }
    return !rc;
}

static void changed(struct e8_call *call, const char *id)
{
    e8_runs_follow(call->server);
    e8_dispatch_wake(call->server->dispatch);
    e8_hub_webhook(call->server->live, id, NULL);
}

/* As the store has it now. */
static void answer_webhook(struct e8_call *call, int status, const char *id, const char *secret)
{
    struct e8_webhook webhook;
    struct e8_err err = {0};
    enum e8_rc rc = e8_store_webhook(call->server->store, id, call->arena, &webhook, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    e8_json_webhook(e8_call_begin(call, status), "data", call, &webhook, secret);
    e8_call_end(call);
}

void e8_webhooks_list(struct e8_call *call)
{
    static const char *const choices[] = {"false", "true", NULL};
    struct e8_webhook *list;
    struct e8_err err = {0};
    size_t count;
    int enabled = e8_call_query_choice(call, "enabled", choices, -1);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    enum e8_rc rc = e8_store_webhooks(call->server->store, call->arena, &list, &count, &err);
    if (rc) {
        e8_call_fail_store(call, E8_ENV, &err);
        return;
    }
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (size_t i = 0; i < count; i++) {
        if (enabled < 0 || list[i].enabled == (enabled == 1)) {
            e8_json_webhook(w, NULL, call, &list[i], NULL);
        }
    }
    e8_call_end_list(call, 0, NULL);
}

void e8_webhooks_create(struct e8_call *call)
{
    struct e8_webhook_in in = {.secret = NULL};
    struct e8_err err = {0};
    e8_webhook_defaults(call, &in.webhook);
    e8_webhook_read(call, true, &in);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    const char *secret = in.secret ? in.secret : e8_webhook_secret(call, in.webhook.scheme, NULL);
    if (!in.webhook.enabled) {
        in.webhook.disabled_at = call->now;
    }
    enum e8_rc rc = e8_store_webhook_add(call->server->store, &in.webhook, secret, &err);
    if (rc) {
        e8_call_fail_store(call, E8_ENV, &err);
        return;
    }
    changed(call, in.webhook.id);
    e8_call_header(call, "Location", e8_arena_printf(call->arena, "/v1/webhooks/%s", in.webhook.id));
    answer_webhook(call, 201, in.webhook.id, secret);
}

void e8_webhook_get(struct e8_call *call)
{
    struct e8_webhook webhook;
    if (e8_call_webhook(call, &webhook)) {
        e8_json_webhook(e8_call_begin(call, 200), "data", call, &webhook, NULL);
        e8_call_end(call);
    }
}

/* The secrets that are there must be of the form of a new scheme. */
static void check_scheme(struct e8_call *call, const struct e8_webhook *webhook)
{
    const struct e8_scheme *scheme =
        e8_schemes_find(e8_catalog_schemes(call->server->catalog), webhook->scheme);
    const char *secrets[2];
    struct e8_err err = {0};
    if (!e8_store_secrets(call->server->store, webhook->id, call->now, call->arena, secrets, &err) &&
        scheme) {
        const struct e8_node *at = e8_node_get(call->body, "scheme");
        if (e8_signer_check(scheme, secrets, 1, &err)) {
            e8_call_fault(call, at, "rotate the secret to one of its form first, with \"grace\": \"0s\"",
                          "the secret does not fit this scheme: %s", err.what);
        } else if (secrets[1] && e8_signer_check(scheme, secrets + 1, 1, &err)) {
            e8_call_fault(call, at, "revoke it first",
                          "the secret from before the rotation does not fit this scheme: %s", err.what);
        }
    }
}

void e8_webhook_patch(struct e8_call *call)
{
    struct e8_webhook_in in = {.secret = NULL};
    struct e8_err err = {0};
    if (!e8_call_webhook(call, &in.webhook)) {
        return;
    }
    bool enabled = in.webhook.enabled;
    in.before_url = in.webhook.url;
    in.before_notify = in.webhook.notify_url;
    e8_webhook_read(call, false, &in);
    if (!e8_call_faulty(call) && e8_node_get(call->body, "scheme")) {
        check_scheme(call, &in.webhook);
    }
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (in.webhook.enabled != enabled) {
        in.webhook.disabled_reason = NULL;
        in.webhook.disabled_at = in.webhook.enabled ? 0 : call->now;
    }
    in.webhook.updated = call->now;
    enum e8_rc rc = e8_store_webhook_update(call->server->store, &in.webhook, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    changed(call, in.webhook.id);
    answer_webhook(call, 200, in.webhook.id, NULL);
}

void e8_webhook_delete(struct e8_call *call)
{
    struct e8_err err = {0};
    const char *id = e8_call_text(call, call->id);
    enum e8_rc rc = e8_store_webhook_delete(call->server->store, id, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    changed(call, id);
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_cstr(w, "id", id);
    e8_json_bool(w, "deleted", true);
    e8_json_end(w, '}');
    e8_call_end(call);
}

static void read_reason(struct e8_call *call, const struct e8_node *node, void *into)
{
    *(const char **)into = e8_call_string(call, node, REASON_MAX);
}

static void enable(struct e8_call *call, bool enabled)
{
    static const struct e8_member members[] = {{"reason", false, read_reason}};
    const char *reason = NULL;
    struct e8_webhook webhook;
    struct e8_err err = {0};
    e8_call_members(call, members, E8_COUNT(members), &reason);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (!e8_call_webhook(call, &webhook)) {
        return;
    }
    enum e8_rc rc = e8_store_webhook_enable(call->server->store, webhook.id, enabled, enabled ? NULL : reason,
                                            call->now, NULL, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    changed(call, webhook.id);
    answer_webhook(call, 200, webhook.id, NULL);
}

void e8_webhook_enable(struct e8_call *call)
{
    enable(call, true);
}

void e8_webhook_disable(struct e8_call *call)
{
    enable(call, false);
}

struct rotation {
    const struct e8_node *secret; /* NULL: make one */
    e8_dur_ns grace;
};

static void read_new_secret(struct e8_call *call, const struct e8_node *node, void *into)
{
    (void)call;
    ((struct rotation *)into)->secret = node;
}

static void read_grace(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct rotation *rotation = into;
    e8_call_dur(call, node, 0, GRACE_MAX, &rotation->grace);
}

void e8_webhook_rotate(struct e8_call *call)
{
    static const struct e8_member members[] = {{"secret", false, read_new_secret},
                                               {"grace", false, read_grace}};
    struct rotation rotation = {.grace = e8_server_grace(call->server)};
    struct e8_webhook webhook;
    struct e8_err err = {0};
    if (!e8_call_webhook(call, &webhook)) {
        return;
    }
    if (!e8_schemes_find(e8_catalog_schemes(call->server->catalog), webhook.scheme)) {
        e8_call_fail(call, 409, "start with the fixtures that it was made with",
                     "its scheme \"%s\" is not known", webhook.scheme);
        return;
    }
    e8_call_members(call, members, E8_COUNT(members), &rotation);
    const char *secret =
        e8_call_faulty(call) ? NULL : e8_webhook_secret(call, webhook.scheme, rotation.secret);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    enum e8_rc rc = e8_store_webhook_rotate(call->server->store, webhook.id, secret, call->now,
                                            rotation.grace ? call->now + rotation.grace : 0, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    changed(call, webhook.id);
    answer_webhook(call, 200, webhook.id, secret);
}

void e8_webhook_revoke(struct e8_call *call)
{
    struct e8_webhook webhook;
    struct e8_err err = {0};
    e8_call_members(call, NULL, 0, NULL);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (!e8_call_webhook(call, &webhook)) {
        return;
    }
    enum e8_rc rc = e8_store_webhook_revoke(call->server->store, webhook.id, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    changed(call, webhook.id);
    answer_webhook(call, 200, webhook.id, NULL);
}
