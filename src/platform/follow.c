#include "platform/follow.h"

#include <stdlib.h>
#include <string.h>

#include "platform/endpoint.h"
#include "platform/server.h"

/* A webhook as the engine has it. */
struct followed {
    char id[E8_ID_MAX];
    const char *events, *environments;
    e8_wall_ns updated, rotated;
    e8_wall_ns grace; /* until then the secret before signs; 0: it does not */
    bool enabled, deleted;
};
struct e8_follow {
    struct e8_store *store;
    const struct e8_catalog *catalog;
    struct e8_engine *engine;
    struct e8_arena *arena; /* of the endpoints, as long as the engine */
    struct e8_endpoint *endpoints;
    struct followed *list; /* likewise by endpoint of the plan */
    size_t count;
    uint64_t version;   /* of the store's webhooks, that this is */
    e8_wall_ns expires; /* the first grace that ends */
    bool replanned;
};

/* It lies in our arena. */
static void wipe_secret(const char *in)
{
    union {
        const char *in;
        char *out;
    } secret = {.in = in};
    if (secret.in) {
        explicit_bzero(secret.out, strlen(secret.in));
    }
}

static void wipe(const struct e8_endpoint *endpoint)
{
    for (size_t k = 0; endpoint->secrets && k < E8_WEBHOOK_SECRETS; k++) {
        wipe_secret(endpoint->secrets[k]);
    }
}

static enum e8_rc read_endpoint(const struct e8_follow *follow, const struct e8_webhook *webhook,
                                e8_wall_ns now, struct e8_endpoint *out, struct e8_err *err)
{
    size_t n;
    out->subscription.patterns = e8_texts_of(follow->arena, webhook->events, &n);
    out->subscription.environments = e8_texts_of(follow->arena, webhook->environments, &n);
    return e8_webhook_endpoint(follow->arena, follow->catalog, follow->store, webhook, now, out, err);
}

static e8_wall_ns grace_of(const struct e8_webhook *webhook, e8_wall_ns now)
{
    return webhook->grace_until > now ? webhook->grace_until : 0;
}

static struct followed as_now(const struct e8_webhook *webhook, e8_wall_ns now)
{
    struct followed followed = {
        .events = webhook->events,
        .environments = webhook->environments,
        .updated = webhook->updated,
        .rotated = webhook->rotated,
        .grace = grace_of(webhook, now),
        .enabled = webhook->enabled,
    };
    memcpy(followed.id, webhook->id, sizeof followed.id);
    return followed;
}

static void note_expiry(struct e8_follow *follow, e8_wall_ns grace)
{
    if (grace && grace < follow->expires) {
        follow->expires = grace;
    }
}

/* ---- as it begins ---- */

static enum e8_rc take(struct e8_follow *follow, const struct e8_webhook *list, size_t count, e8_wall_ns now,
                       struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    follow->endpoints = e8_arena_alloc(follow->arena, (count + 1) * sizeof *follow->endpoints);
    follow->list = e8_arena_alloc(follow->arena, (count + 1) * sizeof *follow->list);
    for (size_t i = 0; !rc && i < count && follow->count < E8_ENDPOINTS_MAX; i++) {
        if (list[i].enabled) {
            follow->list[follow->count] = as_now(&list[i], now);
            note_expiry(follow, follow->list[follow->count].grace);
            rc = read_endpoint(follow, &list[i], now, &follow->endpoints[follow->count++], err);
        }
    }
    return rc;
}

enum e8_rc e8_follow_begin(struct e8_store *store, const struct e8_catalog *catalog, struct e8_plan *plan,
                           e8_wall_ns now, struct e8_follow **out, struct e8_err *err)
{
    struct e8_follow *follow = e8_new(1, sizeof *follow);
    struct e8_webhook *list;
    size_t count = 0;
    *out = follow;
    follow->store = store;
    follow->catalog = catalog;
    follow->arena = e8_arena_new();
    follow->expires = E8_NEVER;
    follow->version = e8_store_version(store);
    enum e8_rc rc = e8_store_webhooks(store, follow->arena, &list, &count, err);
    rc = rc ? rc : take(follow, list, count, now, err);
    if (rc) {
        return rc;
    }
    if (!follow->count) {
        return e8_fail(err, E8_INPUT, "make an endpoint, or enable one", "there is no endpoint to send to");
    }
    plan->endpoints = follow->endpoints;
    plan->endpoint_count = follow->count;
    for (size_t i = 0; i < plan->emit_count; i++) {
        plan->emits[i].endpoint = -1;
    }
    return e8_plan_check(plan, catalog, NULL, err);
}

void e8_follow_started(struct e8_follow *follow, struct e8_engine *engine)
{
    follow->engine = engine;
    for (size_t i = 0; i < follow->count; i++) {
        wipe(&follow->endpoints[i]);
    }
}

/* ---- as it goes on ---- */

static bool is_same(const struct followed *followed, const struct e8_webhook *webhook, e8_wall_ns now)
{
    return followed->updated == webhook->updated && followed->rotated == webhook->rotated &&
           followed->grace == grace_of(webhook, now);
}

static enum e8_rc change(struct e8_follow *follow, size_t i, const char *id, e8_wall_ns now,
                         struct e8_err *err)
{
    struct followed *followed = &follow->list[i];
    struct e8_endpoint *endpoint = e8_arena_alloc(follow->arena, sizeof *endpoint);
    struct e8_webhook webhook;
    enum e8_rc rc = e8_store_webhook(follow->store, id, follow->arena, &webhook, err);
    rc = rc ? rc : read_endpoint(follow, &webhook, now, endpoint, err);
    if (!rc) {
        const struct e8_change what = {
            .endpoint = endpoint,
            .rotated = webhook.rotated != followed->rotated,
            .before = endpoint->secret_count == 1 ? endpoint->secrets[1] : NULL,
        };
        rc = e8_engine_change(follow->engine, i, &what, err);
    }
    wipe(endpoint);
    if (!rc) {
        follow->replanned = follow->replanned || strcmp(followed->events, webhook.events) != 0 ||
                            strcmp(followed->environments, webhook.environments) != 0;
        webhook.enabled = followed->enabled; /* is looked at by itself */
        *followed = as_now(&webhook, now);
    }
    return rc;
}

static void shut(struct e8_follow *follow, size_t i, enum e8_shut why)
{
    struct followed *followed = &follow->list[i];
    followed->deleted = why == E8_SHUT_DELETED;
    followed->enabled = why == E8_SHUT_NOT;
    e8_engine_shut(follow->engine, i, why);
}

/* What is shut is shut first, and opened last. */
static enum e8_rc look_at(struct e8_follow *follow, size_t i, const struct e8_webhook *webhook,
                          e8_wall_ns now, struct e8_err *err)
{
    const struct followed *followed = &follow->list[i];
    if (!webhook->enabled) {
        if (followed->enabled) {
            shut(follow, i, E8_SHUT_OFF);
        }
        return E8_OK;
    }
    enum e8_rc rc = is_same(followed, webhook, now) ? E8_OK : change(follow, i, webhook->id, now, err);
    if (!rc && !followed->enabled) {
        shut(follow, i, E8_SHUT_NOT);
    }
    note_expiry(follow, followed->grace);
    return rc;
}

static const struct e8_webhook *find(const struct e8_webhook *list, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].id, id) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static enum e8_rc look_at_all(struct e8_follow *follow, const struct e8_webhook *list, size_t count,
                              e8_wall_ns now, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    follow->expires = E8_NEVER;
    for (size_t i = 0; !rc && i < follow->count; i++) {
        const struct e8_webhook *webhook = find(list, count, follow->list[i].id);
        if (webhook) {
            rc = look_at(follow, i, webhook, now, err);
        } else if (!follow->list[i].deleted) {
            shut(follow, i, E8_SHUT_DELETED);
        }
    }
    return rc;
}

enum e8_rc e8_follow_look(struct e8_follow *follow, e8_wall_ns now, struct e8_err *err)
{
    uint64_t version = e8_store_version(follow->store);
    struct e8_webhook *list;
    size_t count;
    if (version == follow->version && now < follow->expires) {
        return E8_OK;
    }
    struct e8_arena *arena = e8_arena_new();
    enum e8_rc rc = e8_store_webhooks(follow->store, arena, &list, &count, err);
    rc = rc ? rc : look_at_all(follow, list, count, now, err);
    e8_arena_free(&arena);
    follow->version = version;
    return rc;
}

bool e8_follow_replanned(const struct e8_follow *follow)
{
    return follow->replanned;
}

void e8_follow_free(struct e8_follow **follow)
{
    struct e8_follow *f = *follow;
    if (!f) {
        return;
    }
    for (size_t i = 0; f->endpoints && i < f->count; i++) {
        wipe(&f->endpoints[i]);
    }
    e8_arena_free(&f->arena);
    free(f);
    *follow = NULL;
}
