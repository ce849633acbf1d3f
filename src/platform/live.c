#include "platform/live.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "delivery/delivery.h"

#define ROOM     ((size_t)256 << 10) /* of events that wait for one listener */
#define ROW_MAX  ((size_t)64 << 10)
#define A_SECOND E8_NS_S

struct listener {
    struct e8_stream *stream;
    char webhook[E8_ID_MAX]; /* "": all */
    e8_mono_ns second;       /* when the present one began */
    unsigned told;           /* deliveries in it */
    uint64_t missed;         /* deliveries since the last that was told */
    e8_mono_ns pinged;
};
struct e8_hub {
    pthread_mutex_t lock;
    struct listener listeners[E8_HUB_LISTENERS]; /* the first `count` are used */
    size_t count;
};

struct e8_hub *e8_hub_new(void)
{
    struct e8_hub *live = e8_new(1, sizeof *live);

    pthread_mutex_init(&live->lock, NULL);
    return live;
}

static void forget(struct e8_hub *live, size_t i)
{
    e8_stream_free(&live->listeners[i].stream);
    live->listeners[i] = live->listeners[--live->count];
}

void e8_hub_free(struct e8_hub **live)
{
    if (!*live)
        return;
    while ((*live)->count > 0)
        forget(*live, 0);
    pthread_mutex_destroy(&(*live)->lock);
    free(*live);
    *live = NULL;
}

static void forget_gone(struct e8_hub *live)
{
    for (size_t i = live->count; i-- > 0;)
        if (!e8_stream_is_open(live->listeners[i].stream))
            forget(live, i);
}

static void add(struct e8_hub *live, const char *webhook, e8_mono_ns now, struct e8_response *response)
{
    struct listener *listener = &live->listeners[live->count++];

    *listener = (struct listener){.stream = e8_stream_new(response, ROOM), .second = now, .pinged = now};
    if (webhook)
        memcpy(listener->webhook, webhook, strlen(webhook) + 1);
    e8_stream_put(listener->stream, E8_LIT(": open\n\n"));
}

bool e8_hub_listen(struct e8_hub *live, const char *webhook, e8_mono_ns now, struct e8_response *response)
{
    if (webhook && strlen(webhook) >= E8_ID_MAX)
        webhook = "-"; /* nobody's id: there is nothing to tell */
    pthread_mutex_lock(&live->lock);
    forget_gone(live);
    bool room = live->count < E8_HUB_LISTENERS;
    if (room)
        add(live, webhook, now, response);
    pthread_mutex_unlock(&live->lock);
    return room;
}

/* One that it does not get is too slow, and is forgotten; it is closed by then. */
static bool put(struct listener *listener, const struct e8_buf *event)
{
    return e8_stream_put(listener->stream, e8_buf_str(event));
}

static void write_event(struct e8_buf *out, const char *name, struct e8_str data)
{
    struct e8_str line;

    e8_buf_printf(out, "event: %s\n", name);
    while (e8_str_split(&data, '\n', &line))
        e8_buf_printf(out, "data: %.*s\n", E8_STR(line));
    e8_buf_putc(out, '\n');
}

static bool concerns(const struct listener *listener, const char *webhook)
{
    return !webhook || !listener->webhook[0] || strcmp(listener->webhook, webhook) == 0;
}

/* A new second: what was too much in the one before is told as a number. */
static bool turn_second(struct listener *listener, e8_mono_ns now)
{
    char text[96];
    struct e8_buf event;
    uint64_t missed = listener->missed;

    if (now - listener->second < A_SECOND)
        return true;
    listener->second = now;
    listener->told = 0;
    listener->missed = 0;
    if (missed == 0)
        return true;
    e8_buf_fixed(&event, text, sizeof text);
    e8_buf_printf(&event, "event: many\ndata: {\"count\":%llu}\n\n", (unsigned long long)missed);
    return put(listener, &event);
}

static bool wants(struct listener *listener, const char *webhook)
{
    return concerns(listener, webhook) && listener->told < E8_HUB_RATE;
}

/* Counts it for those who have had enough. Does anybody want the row? */
static bool anybody_wants(struct e8_hub *live, const char *webhook, e8_mono_ns now)
{
    bool any = false;

    for (size_t i = live->count; i-- > 0;)
        if (!turn_second(&live->listeners[i], now))
            forget(live, i);
        else if (wants(&live->listeners[i], webhook))
            any = true;
        else
            live->listeners[i].missed += concerns(&live->listeners[i], webhook);
    return any;
}

/* One that has had enough meanwhile misses it. */
static void tell_row(struct e8_hub *live, const char *webhook, const struct e8_buf *event)
{
    for (size_t i = live->count; i-- > 0;) {
        struct listener *listener = &live->listeners[i];

        if (!wants(listener, webhook))
            continue;
        listener->told++;
        if (!put(listener, event))
            forget(live, i);
    }
}

void e8_hub_delivery(struct e8_hub *live, const char *webhook, e8_hub_write_fn *write, void *state,
                     e8_mono_ns now)
{
    struct e8_buf row, event;

    pthread_mutex_lock(&live->lock);
    bool any = anybody_wants(live, webhook, now);
    pthread_mutex_unlock(&live->lock);
    if (!any)
        return;
    e8_buf_init(&row, ROW_MAX);
    e8_buf_init(&event, 2 * ROW_MAX);
    if (write(state, &row) && !row.full) { /* it may wait for the store: without the lock */
        write_event(&event, "delivery", e8_buf_str(&row));
        pthread_mutex_lock(&live->lock);
        tell_row(live, webhook, &event);
        pthread_mutex_unlock(&live->lock);
    }
    e8_buf_fini(&row);
    e8_buf_fini(&event);
}

static void tell_all(struct e8_hub *live, const char *webhook, const struct e8_buf *event)
{
    pthread_mutex_lock(&live->lock);
    for (size_t i = live->count; i-- > 0;)
        if (concerns(&live->listeners[i], webhook) && !put(&live->listeners[i], event))
            forget(live, i);
    pthread_mutex_unlock(&live->lock);
}

void e8_hub_webhook(struct e8_hub *live, const char *id, const char *reason)
{
    struct e8_buf event;

    e8_buf_init(&event, 1024);
    e8_buf_puts(&event, "event: webhook\ndata: {\"id\":\"");
    e8_buf_put_json(&event, e8_str(id));
    if (reason) {
        e8_buf_puts(&event, "\",\"disabled_reason\":\"");
        e8_buf_put_json(&event, e8_str(reason));
    }
    e8_buf_puts(&event, "\"}\n\n");
    tell_all(live, id, &event);
    e8_buf_fini(&event);
}

void e8_hub_run(struct e8_hub *live, struct e8_str json)
{
    struct e8_buf event;

    e8_buf_init(&event, 2 * ROW_MAX);
    write_event(&event, "run", json);
    if (!event.full)
        tell_all(live, NULL, &event);
    e8_buf_fini(&event);
}

static bool ping(struct listener *listener, e8_mono_ns now)
{
    if (now - listener->pinged < E8_HUB_PING)
        return e8_stream_is_open(listener->stream);
    listener->pinged = now;
    return e8_stream_put(listener->stream, E8_LIT(": ping\n\n"));
}

void e8_hub_tick(struct e8_hub *live, e8_mono_ns now)
{
    pthread_mutex_lock(&live->lock);
    for (size_t i = live->count; i-- > 0;)
        if (!turn_second(&live->listeners[i], now) || !ping(&live->listeners[i], now))
            forget(live, i);
    pthread_mutex_unlock(&live->lock);
}

size_t e8_hub_count(struct e8_hub *live)
{
    pthread_mutex_lock(&live->lock);
    forget_gone(live);
    size_t count = live->count;
    pthread_mutex_unlock(&live->lock);
    return count;
}
