#include "platform/sender.h"

#include <stdlib.h>
#include <string.h>

#include "platform/endpoint.h"

#define IN_FLIGHT_DEFAULT 1000

struct e8_sender {
    const struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_plan *plan;
    struct e8_engine *engine;
    const char **webhooks; /* their ids, by endpoint of the plan */
    size_t count;
    e8_wall_ns expires;
    void (*told)(void *state, struct e8_note *note);
    void *state;
};

void e8_note_free(struct e8_note *note)
{
    e8_buf_fini(&note->text);
    free(note);
}

void e8_item_free(struct e8_item *item)
{
    e8_buf_fini(&item->body);
    free(item);
}

/* The attempt's times by the wall clock. What the two clocks do between two looks at them must neither turn their order round, nor
 * make the attempt due before the moment from which the store has its delivery due. */
static void put_times(const struct e8_times *times, e8_wall_ns least, struct e8_store_attempt *out)
{
    e8_dur_ns offset = e8_wall_now() - e8_mono_now();
    e8_wall_ns due = times->due + offset;
    out->due = due > least ? due : least;
    out->sent = times->sent + offset > out->due ? times->sent + offset : out->due;
    out->done = times->done + offset > out->sent ? times->done + offset : out->sent;
}

/* What stands behind `start` is a head as on the wire: it gets the line ends of texts, and none at its end. */
static void trim_head(struct e8_buf *text, size_t start)
{
    size_t n = start;
    for (size_t i = start; i < text->n; i++) {
        if (text->p[i] != '\r') {
            text->p[n++] = text->p[i];
        }
    }
    while (n > start && text->p[n - 1] == '\n') {
        n--;
    }
    text->n = n;
}

static void put_request(struct e8_buf *text, const struct e8_fed_end *end)
{
    const struct e8_request_parts *parts = end->request;
    struct e8_buf target;
    struct e8_url url;
    if (e8_url_parse(end->exchange->url, &url, NULL)) {
        return;
    }
    e8_buf_init(&target, SIZE_MAX / 2);
    e8_http1_target(&target, &url);
    e8_http1_head(text, parts->method, e8_buf_str(&target), parts->headers, parts->count,
                  (int64_t)parts->body.n);
    e8_buf_fini(&target);
    trim_head(text, 0);
}

static void put_texts(struct e8_note *note, const struct e8_fed_end *end)
{
    const struct e8_exchange *x = end->exchange;
    struct e8_store_attempt *a = &note->attempt;
    struct e8_buf *text = &note->text;
    struct e8_str body = e8_buf_str(&x->content);
    body.n = body.n < E8_STORE_BODY_MAX ? body.n : E8_STORE_BODY_MAX;
    put_request(text, end);
    size_t request = text->n;
    e8_buf_putstr(text, e8_buf_str(&x->head));
    trim_head(text, request);
    size_t response = text->n;
    e8_buf_putstr(text, body);
    e8_buf_putc(text, '\0'); /* so that there is memory to point at */
    a->request = (struct e8_str){text->p, request};
    a->response = (struct e8_str){text->p + request, response - request};
    a->body = (struct e8_str){text->p + response, body.n};
    a->body_length = x->bytes_received > x->head.n ? x->bytes_received - x->head.n : body.n;
    memcpy(note->error, end->attempt->error, sizeof note->error);
    a->error = note->error;
}

static enum e8_delivery_state state_after(const struct e8_fed_end *end)
{
    if (end->how == E8_FED_DELIVERED) {
        return E8_STATE_DELIVERED;
    }
    /* An attempt that our own end cut off says nothing of the receiver. */
    bool cut = end->attempt->outcome == E8_ABORTED || end->attempt->outcome == E8_UNKNOWN;
    return end->how == E8_FED_FAILED && !cut ? E8_STATE_FAILED : E8_STATE_PENDING;
}

static void fill_attempt(struct e8_note *note, const struct e8_fed_end *end)
{
    const struct e8_attempt *from = end->attempt;
    const struct e8_item *item = note->item;
    note->attempt = (struct e8_store_attempt){
        .row = item->row,
        .number = from->number,
        .tries = item->tries,
        .outcome = (enum e8_outcome)from->outcome,
        .trigger = (enum e8_trigger)from->trigger,
        .status = from->status,
        .phases = from->phases,
        .more = end->how == E8_FED_MORE,
        .state = state_after(end),
        .next = e8_wall_now() + end->wait,
    };
    put_times(&from->times, item->due, &note->attempt);
    put_texts(note, end);
}

static void on_fed(void *state, const struct e8_fed_end *end)
{
    struct e8_sender *sender = state;
    struct e8_note *note = e8_new(1, sizeof *note);
    note->item = end->fed->owner;
    note->how = end->how;
    e8_buf_init(&note->text, SIZE_MAX / 2);
    if (end->attempt) {
        note->item->tried = true;
        fill_attempt(note, end);
    }
    sender->told(sender->state, note);
}

static bool is_gone(const struct e8_dispatch_options *options, struct e8_arena *arena, const char *id)
{
    struct e8_webhook webhook;
    return e8_store_webhook(options->store, id, arena, &webhook, NULL) == E8_INPUT;
}

/* One that was deleted since the list was read is left out. */
static enum e8_rc take_webhooks(struct e8_sender *sender, const struct e8_dispatch_options *options,
                                const struct e8_webhook *list, size_t count, struct e8_endpoint *endpoints,
                                struct e8_err *err)
{
    e8_wall_ns now = e8_wall_now();
    for (size_t i = 0; i < count; i++) {
        struct e8_endpoint endpoint = {0};
        enum e8_rc rc = e8_webhook_endpoint(sender->arena, sender->catalog, options->store, &list[i], now,
                                            &endpoint, err);
        if (rc == E8_INPUT && is_gone(options, sender->arena, list[i].id)) {
            continue;
        }
        if (rc) {
            return rc;
        }
        endpoints[sender->count] = endpoint;
        sender->webhooks[sender->count++] = endpoint.name;
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
    struct e8_endpoint *endpoints = e8_arena_alloc(sender->arena, (count + 1) * sizeof *endpoints);
    sender->webhooks = e8_arena_alloc(sender->arena, (count + 1) * sizeof *sender->webhooks);
    rc = take_webhooks(sender, options, list, count, endpoints, err);
    return rc ? rc : e8_plan_feed(sender->catalog, endpoints, sender->count, workers, &sender->plan, err);
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

static bool find_endpoint(const struct e8_sender *sender, const char *webhook, uint16_t *out)
{
    for (size_t i = 0; i < sender->count; i++) {
        if (strcmp(sender->webhooks[i], webhook) == 0) {
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

struct e8_item *e8_sender_item(struct e8_sender *sender, const struct e8_due *due)
{
    const struct e8_emit *emit = e8_plan_feed_emit(sender->plan, e8_str(due->type), e8_str(due->environment));
    uint16_t endpoint;
    if (!emit || !find_endpoint(sender, due->webhook, &endpoint)) {
        return NULL;
    }
    struct e8_item *item = e8_new(1, sizeof *item);
    item->row = due->row;
    item->tries = due->tries;
    item->due = due->due;
    item->type = sender->plan->types[emit->type];
    copy_id(item->id, due->id);
    copy_id(item->event_id, due->event_id);
    copy_id(item->webhook, due->webhook);
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
        .due = e8_mono_now() + (due->due - e8_wall_now()),
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
