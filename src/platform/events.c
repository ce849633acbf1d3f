#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "platform/api.h"

#define PATTERNS_MAX 100

/* ---- the catalogue ---- */

/* Samples are made once: they are the same for as long as the server runs. */
static struct e8_str sample_of(struct e8_platform_server *server, size_t type)
{
    if (!server->samples) {
        size_t count = e8_catalog_count(server->catalog);
        server->sampled = e8_arena_new();
        server->samples = e8_arena_alloc(server->sampled, count * sizeof *server->samples);
        for (size_t i = 0; i < count; i++) {
            server->samples[i] = e8_event_sample(server, server->sampled, i);
        }
    }
    return server->samples[type];
}

static void put_type(struct e8_call *call, struct e8_json *w, const char *key, size_t index)
{
    const struct e8_type *type = e8_catalog_type(call->server->catalog, index);
    e8_json_object(w, key);
    e8_json_cstr(w, "type", type->name);
    e8_json_cstr(w, "category", type->category);
    e8_json_cstr(w, "description", type->description);
    e8_json_num(w, "weight", type->weight, 3);
    e8_json_raw(w, "schema", e8_catalog_schema(call->server->catalog, index));
    e8_json_raw(w, "sample", sample_of(call->server, index));
    e8_json_end(w, '}');
}

void e8_types_list(struct e8_call *call)
{
    size_t count = e8_catalog_count(call->server->catalog);
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (size_t i = 0; i < count; i++) {
        put_type(call, w, NULL, i);
    }
    e8_call_end_list(call, 0, NULL);
}

/* The type of the path; -1: it was answered with a failure. */
static int find_type(struct e8_call *call)
{
    const struct e8_catalog *catalog = call->server->catalog;
    int type = e8_catalog_find(catalog, call->id);
    if (type < 0) {
        char hint[E8_HINT_MAX];
        e8_hint_near(call->id, e8_catalog_names(catalog), "GET /v1/events lists them", hint);
        e8_call_fail(call, 404, hint, "\"%.*s\" is no event type", E8_STR(call->id));
    }
    return type;
}

void e8_type_get(struct e8_call *call)
{
    int type = find_type(call);
    if (type >= 0) {
        put_type(call, e8_call_begin(call, 200), "data", (size_t)type);
        e8_call_end(call);
    }
}

void e8_type_preview(struct e8_call *call)
{
    struct e8_made made;
    int type = find_type(call);
    if (type < 0) {
        return;
    }
    if (!e8_event_make(call, NULL, type, false, &made)) {
        e8_call_refuse(call);
        return;
    }
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_raw(w, "payload", made.body);
    e8_json_str(w, "body", made.body);
    e8_json_end(w, '}');
    e8_call_end(call);
}

static bool takes(const char *const *patterns, struct e8_str type)
{
    for (; *patterns; patterns++) {
        if (e8_pattern_matches(e8_str(*patterns), type)) {
            return true;
        }
    }
    return false;
}

static void read_patterns(struct e8_call *call, const char **patterns)
{
    const char *pattern;
    size_t n = 0;
    for (; n < PATTERNS_MAX && (pattern = e8_request_query_nth(call->request, "pattern", n)) != NULL; n++) {
        patterns[n] = pattern;
        if (!e8_pattern_valid(e8_str(pattern))) {
            e8_call_fault_at(call, "pattern", "message.received, conversation.* or *",
                             "\"%s\" is no pattern of event types", pattern);
        }
    }
    patterns[n] = NULL;
    if (n == 0) {
        e8_call_fault_at(call, "pattern", "?pattern=conversation.*", "this is missing");
    } else if (n == PATTERNS_MAX) {
        e8_call_fault_at(call, "pattern", NULL, "at most %d patterns at a time", PATTERNS_MAX - 1);
    }
}

void e8_match_get(struct e8_call *call)
{
    const char *const *names = e8_catalog_names(call->server->catalog);
    const char *patterns[PATTERNS_MAX + 1];
    read_patterns(call, patterns);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_array(w, "types");
    for (; *names; names++) {
        if (takes(patterns, e8_str(*names))) {
            e8_json_cstr(w, NULL, *names);
        }
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
    e8_call_end(call);
}

/* ---- what fires ---- */

static void add_target(struct e8_store_target *target, const char *webhook, e8_wall_ns now)
{
    uint64_t random[2];
    *target = (struct e8_store_target){.due = now};
    e8_random_bytes(random, sizeof random);
    e8_id_make("dlv_", now, random[0], random[1], target->id);
    memcpy(target->webhook, webhook, strlen(webhook) + 1);
}

/* On the disk before it is answered. */
static bool accept(struct e8_call *call, const struct e8_made *made, bool test,
                   const struct e8_store_target *targets, size_t count)
{
    struct e8_err err = {0};
    struct e8_store_event event = {
        .type = made->type,
        .environment = made->environment,
        .test = test,
        .created = call->now,
        .body = made->body,
    };
    memcpy(event.id, made->event_id, sizeof event.id);
    enum e8_rc rc = e8_store_accept(call->server->store, &event, targets, count, &err);
    call->server->refuses = rc != E8_OK;
    if (rc) {
        call->server->trouble = err;
        e8_call_fail_err(call, 503, &err);
        return false;
    }
    e8_metrics_event(call->server->metrics, made->type);
    e8_dispatch_wake(call->server->dispatch);
    return true;
}

static void tell_accepted(struct e8_call *call, const struct e8_store_target *targets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        e8_server_changed(call->server, targets[i].webhook, targets[i].id);
    }
}

void e8_event_post(struct e8_call *call)
{
    const struct e8_taker *takers;
    struct e8_made made;
    struct e8_err err = {0};
    size_t count, n = 0;
    if (!e8_event_make(call, "type", -1, true, &made)) {
        e8_call_refuse(call);
        return;
    }
    enum e8_rc rc = e8_takers_get(call->server, &takers, &count, &err);
    if (rc) {
        e8_call_fail_err(call, 503, &err);
        return;
    }
    struct e8_store_target *targets = e8_arena_alloc(call->arena, (count + 1) * sizeof *targets);
    for (size_t i = 0; i < count; i++) {
        if (takers[i].enabled &&
            e8_subscription_takes(&takers[i].subscription, e8_str(made.type), e8_str(made.environment))) {
            add_target(&targets[n++], takers[i].id, call->now);
        }
    }
    if (!accept(call, &made, false, targets, n)) {
        return;
    }
    struct e8_json *w = e8_call_begin(call, 202);
    e8_json_object(w, "data");
    e8_json_cstr(w, "event_id", made.event_id);
    e8_json_array(w, "deliveries");
    for (size_t i = 0; i < n; i++) {
        e8_json_object(w, NULL);
        e8_json_cstr(w, "delivery_id", targets[i].id);
        e8_json_cstr(w, "webhook_id", targets[i].webhook);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
    e8_call_end(call);
    tell_accepted(call, targets, n);
}

void e8_webhook_test(struct e8_call *call)
{
    struct e8_webhook webhook;
    struct e8_store_target target;
    struct e8_made made;
    if (!e8_call_webhook(call, &webhook)) {
        return;
    }
    if (!e8_event_make(call, "event", -1, true, &made)) {
        e8_call_refuse(call);
        return;
    }
    add_target(&target, webhook.id, call->now);
    if (!accept(call, &made, true, &target, 1)) {
        return;
    }
    struct e8_json *w = e8_call_begin(call, 202);
    e8_json_object(w, "data");
    e8_json_cstr(w, "event_id", made.event_id);
    e8_json_cstr(w, "delivery_id", target.id);
    e8_json_end(w, '}');
    e8_call_end(call);
    tell_accepted(call, &target, 1);
}
