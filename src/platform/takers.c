#include <stdlib.h>
#include <string.h>

#include "platform/server.h"

struct e8_takers {
    struct e8_arena *arena;
    struct e8_taker *list;
    size_t count;
    uint64_t version; /* of the store's endpoints, that this is */
};

const char *const *e8_texts_of(struct e8_arena *arena, const char *json, size_t *count)
{
    struct e8_doc *doc = NULL;
    size_t n = 0;
    *count = 0;
    if (e8_doc_parse("texts", e8_str(json), E8_DOC_JSON, &doc, NULL)) {
        return e8_arena_alloc(arena, sizeof(char *));
    }
    const struct e8_node *root = e8_doc_root(doc);
    const char **list = e8_arena_alloc(arena, (root->count + 1) * sizeof *list);
    for (const struct e8_node *item = root->first; item; item = item->next) {
        list[n++] = e8_arena_str(arena, item->text).p;
    }
    e8_doc_free(&doc);
    *count = n;
    return list;
}

static enum e8_rc read_all(struct e8_platform_server *server, struct e8_takers *takers, struct e8_err *err)
{
    struct e8_webhook *webhooks;
    size_t n;
    enum e8_rc rc = e8_store_webhooks(server->store, takers->arena, &webhooks, &takers->count, err);
    if (rc) {
        return rc;
    }
    takers->list = e8_arena_alloc(takers->arena, (takers->count + 1) * sizeof *takers->list);
    for (size_t i = 0; i < takers->count; i++) {
        struct e8_taker *taker = &takers->list[i];
        memcpy(taker->id, webhooks[i].id, sizeof taker->id);
        taker->enabled = webhooks[i].enabled;
        taker->subscription.patterns = e8_texts_of(takers->arena, webhooks[i].events, &n);
        taker->subscription.environments = e8_texts_of(takers->arena, webhooks[i].environments, &n);
    }
    return E8_OK;
}

enum e8_rc e8_takers_get(struct e8_platform_server *server, const struct e8_taker **list, size_t *count,
                         struct e8_err *err)
{
    uint64_t version = e8_store_version(server->store);
    if (!server->takers || server->takers->version != version) {
        e8_takers_free(&server->takers);
        struct e8_takers *takers = e8_new(1, sizeof *takers);
        takers->arena = e8_arena_new();
        takers->version = version;
        enum e8_rc rc = read_all(server, takers, err);
        if (rc) {
            e8_takers_free(&takers);
            return rc;
        }
        server->takers = takers;
    }
    *list = server->takers->list;
    *count = server->takers->count;
    return E8_OK;
}

void e8_takers_free(struct e8_takers **takers)
{
    if (*takers) {
        e8_arena_free(&(*takers)->arena);
        free(*takers);
        *takers = NULL;
    }
}
