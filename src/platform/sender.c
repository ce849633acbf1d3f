#include "platform/sender.h"

#include <stdlib.h>
#include <string.h>

#include "platform/endpoint.h"

#define IN_FLIGHT_DEFAULT 1000

/* Which deliveries an endpoint of the plan takes. A webhook has two while a secret from before a rotation signs what is older than that. */
struct mark {
    const char *webhook; /* its id */
    e8_wall_ns before;   /* those accepted before; E8_NEVER: all that the ones in front do not take */
};

struct e8_sender {
    const struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_plan *plan;
    struct e8_engine *engine;
    struct mark *marks; /* by endpoint of the plan */
    size_t count;
    e8_wall_ns expires;
    void (*told)(void *state, struct e8_note *note);
    void *state;
};

void e8_note_free(struct e8_note *note)
{
    e8_buf_fini(&note->made.text);
    free(note);
}

void e8_item_free(struct e8_item *item)
{
    e8_buf_fini(&item->body);
    free(item);
}

static enum e8_delivery_state state_after(const struct e8_noted *made, enum e8_fed_how how)
{
    if (how == E8_FED_DELIVERED) {
        return E8_STATE_DELIVERED;
    }
    return how == E8_FED_FAILED && !e8_noted_cut(made) ? E8_STATE_FAILED : E8_STATE_PENDING;
}

static void fill_attempt(const struct e8_sender *sender, struct e8_note *note, const struct e8_fed_end *end)
{
    const struct e8_item *item = note->item;
    struct e8_store_attempt *attempt = &note->made.attempt;
    e8_noted_fill(&note->made, end, item->due, E8_STORE_BODY_MAX);
    attempt->row = item->row;
    attempt->tries = item->tries;
    if (sender->marks[item->fed.endpoint].before != E8_NEVER) {
        attempt->signed_by = E8_SIGNED_BEFORE;
    }
    attempt->state = state_after(&note->made, end->how);
}

static void on_fed(void *state, const struct e8_fed_end *end)
{
    struct e8_sender *sender = state;
    struct e8_note *note = e8_new(1, sizeof *note);
    note->item = end->fed->owner;
    note->how = end->how;
    if (end->attempt) {
        note->item->tried = true;
        fill_attempt(sender, note, end);
    }
    sender->told(sender->state, note);
}

static bool is_gone(const struct e8_dispatch_options *options, struct e8_arena *arena, const char *id)
{
    struct e8_webhook webhook;
    return e8_store_webhook(options->store, id, arena, &webhook, NULL) == E8_INPUT;
}

static void take_endpoint(struct e8_sender *sender, struct e8_endpoint *endpoints,
                          const struct e8_endpoint *endpoint, e8_wall_ns before)
{
    endpoints[sender->count] = *endpoint;
    sender->marks[sender->count++] = (struct mark){endpoint->name, before};
}

static enum e8_rc take_webhook(struct e8_sender *sender, struct e8_store *store,
                               const struct e8_webhook *webhook, e8_wall_ns now,
                               struct e8_endpoint *endpoints, struct e8_err *err)
{
    struct e8_endpoint present = {0};
    enum e8_rc rc = e8_webhook_endpoint(sender->arena, sender->catalog, store, webhook, now, &present, err);
    if (rc) {
        return rc;
    }
    if (present.secret_count == 1 && present.secrets[1]) { /* the scheme has room for one signature */
        struct e8_endpoint before = present;
        before.secrets++;
        take_endpoint(sender, endpoints, &before, webhook->rotated);
    }
    take_endpoint(sender, endpoints, &present, E8_NEVER);
    return E8_OK;
}

/* One that was deleted since the list was read is left out. */
static enum e8_rc take_webhooks(struct e8_sender *sender, const struct e8_dispatch_options *options,
                                const struct e8_webhook *list, size_t count, struct e8_endpoint *endpoints,
                                struct e8_err *err)
{
    e8_wall_ns now = e8_wall_now();
    for (size_t i = 0; i < count; i++) {
        enum e8_rc rc = take_webhook(sender, options->store, &list[i], now, endpoints, err);
        if (rc == E8_INPUT && is_gone(options, sender->arena, list[i].id)) {
            continue;
        }
        if (rc) {
            return rc;
        }
        if (list[i].grace_until > now && list[i].grace_until < sender->expires) {
            sender->expires = list[i].grace_until;
        }
    }
    return E8_OK;
}

static enum e8_rc make_plan(struct e8_sender *sender, const struct e8_dispatch_options *options,
                            unsigned workers, struct e8_err *err)
{
    struct e8_webhook *list;
    size_t count = 0;
    enum e8_rc rc = e8_store_webhooks(options->store, sender->arena, &list, &count, err);
    if (rc) {
        return rc;
    }
    struct e8_endpoint *endpoints = e8_arena_alloc(sender->arena, (2 * count + 1) * sizeof *endpoints);
    sender->marks = e8_arena_alloc(sender->arena, (2 * count + 1) * sizeof *sender->marks);
    const char *const *types = NULL;
    rc = take_webhooks(sender, options, list, count, endpoints, err);
    rc = rc ? rc : e8_store_types(options->store, sender->arena, &types, err);
    return rc ? rc
              : e8_plan_feed(sender->catalog, endpoints, sender->count, types, workers, &sender->plan, err);
}

static void free_sender(struct e8_sender **sender)
{
    e8_plan_free(&(*sender)->plan);
    e8_arena_free(&(*sender)->arena);
    free(*sender);
    *sender = NULL;
}

enum e8_rc e8_sender_start(const struct e8_dispatch_options *options,
                           void (*told)(void *state, struct e8_note *note), void *state,
                           struct e8_sender **out, struct e8_err *err)
{
    const struct e8_platform_options *platform = options->platform;
    struct e8_sender *sender = e8_new(1, sizeof *sender);
    unsigned workers = platform->workers ? platform->workers : 1;
    struct e8_engine_options engine = {
        .workers = workers,
        .in_flight = platform->in_flight ? platform->in_flight : IN_FLIGHT_DEFAULT,
        .reach = platform->reach,
        .keep = true,
        .on_fed = on_fed,
        .state = sender,
    };
    sender->catalog = options->catalog;
    sender->arena = e8_arena_new();
    sender->expires = E8_NEVER;
    sender->told = told;
    sender->state = state;
    enum e8_rc rc = make_plan(sender, options, workers, err);
    rc = rc ? rc : e8_engine_start(sender->plan, sender->catalog, &engine, &sender->engine, err);
    if (rc) {
        free_sender(&sender);
    }
    *out = sender;
    return rc;
}

e8_wall_ns e8_sender_expires(const struct e8_sender *sender)
{
    return sender->expires;
}

static bool find_endpoint(const struct e8_sender *sender, const struct e8_due *due, uint16_t *out)
{
    for (size_t i = 0; i < sender->count; i++) {
        const struct mark *mark = &sender->marks[i];
        if (due->asked < mark->before && strcmp(mark->webhook, due->webhook) == 0) {
            *out = (uint16_t)i;
            return true;
        }
    }
    return false;
}

static void copy_id(char out[E8_ID_MAX], const char *id)
{
    size_t n = strnlen(id, E8_ID_MAX - 1);
    memcpy(out, id, n);
    out[n] = '\0';
}

/* A wall clock that was set back must not keep it waiting. */
static e8_wall_ns due_at(const struct e8_due *due, e8_wall_ns now)
{
    e8_wall_ns since = due->since < now ? due->since : now;
    return due->due > since ? due->due : since;
}

struct e8_item *e8_sender_item(struct e8_sender *sender, const struct e8_due *due, struct e8_moment now)
{
    const struct e8_emit *emit = e8_plan_feed_emit(sender->plan, e8_str(due->type), e8_str(due->environment));
    uint16_t endpoint;
    if (!emit || !find_endpoint(sender, due, &endpoint)) {
        return NULL;
    }
    struct e8_item *item = e8_new(1, sizeof *item);
    item->row = due->row;
    item->tries = due->tries;
    item->due = due_at(due, now.wall);
    item->type = sender->plan->types[emit->type];
    copy_id(item->id, due->id);
    copy_id(item->event_id, due->event_id);
    copy_id(item->webhook, due->webhook);
    copy_id(item->run, due->run ? due->run : "");
    item->test = due->test;
    e8_buf_init(&item->body, SIZE_MAX / 2);
    e8_buf_putstr(&item->body, due->body);
    item->fed = (struct e8_fed){
        .emit = emit,
        .event_id = item->event_id,
        .delivery_id = item->id,
        .body = e8_buf_str(&item->body),
        .endpoint = endpoint,
        .number = (uint16_t)due->number,
        .tries = (uint16_t)due->tries,
        .trigger = due->trigger,
        .due = now.mono + (item->due - now.wall),
        .owner = item,
    };
    return item;
}

void e8_sender_feed(struct e8_sender *sender, struct e8_item *item)
{
    e8_engine_feed(sender->engine, &item->fed);
}

void e8_sender_stop(struct e8_sender *sender)
{
    e8_engine_stop(sender->engine);
}

bool e8_sender_ended(struct e8_sender *sender)
{
    return e8_engine_wait(sender->engine, 0);
}

void e8_sender_abort(struct e8_sender *sender)
{
    e8_engine_abort(sender->engine);
}

void e8_sender_end(struct e8_sender **sender)
{
    struct e8_engine_result result;
    e8_engine_finish(&(*sender)->engine, &result);
    e8_stats_free(&result.stats);
    e8_hist_free(&result.spread);
    free(result.expected);
    free_sender(sender);
}
