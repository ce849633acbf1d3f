#include "transport/internal.h"

#include <stdlib.h>

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *client, void *unused)
{
    struct e8_multi *multi = client;
    struct e8_slot *slot = NULL;
    E8_CHECK_MAGIC(multi, E8_MULTI_MAGIC);
    (void)unused;
    e8_loop_watch(multi, fd, what);
    if (what != CURL_POLL_REMOVE && curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot) == CURLE_OK && slot &&
        slot->prereqs && slot->fd < 0 && e8_conn_at(multi->transport, fd)->ours)
        e8_conn_take(slot, fd);
    return 0;
}

/* libcurl counts milliseconds and rounds down; a call that comes too early would be the last one, as it does not repeat
 * what it has said. */
static int on_timer(CURLM *curl, long ms, void *client)
{
    struct e8_multi *multi = client;
    E8_CHECK_MAGIC(multi, E8_MULTI_MAGIC);
    (void)curl;
    if (ms < 0)
        multi->timer = E8_NEVER;
    else
        multi->timer = ms ? e8_mono_now() + ((e8_dur_ns)ms + 1) * E8_NS_MS : 0;
    return 0;
}

static bool open_handle(struct e8_multi *multi)
{
    multi->timer = E8_NEVER;
    multi->curl = curl_multi_init();
    if (!multi->curl)
        return false;
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, E8_MULTI_CONNECTS);
    curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return true;
}

static struct e8_multi *multi_new(struct e8_transport *t, const struct e8_reach *reach)
{
    struct e8_multi *multi = e8_new(1, sizeof *multi);
    multi->magic = E8_MULTI_MAGIC;
    multi->transport = t;
    multi->resolve = reach->resolve;
    if (!open_handle(multi)) {
        free(multi);
        return NULL;
    }
    t->multis = e8_resize(t->multis, t->multi_count + 1, sizeof *t->multis);
    t->multis[t->multi_count++] = multi;
    return multi;
}

static bool slot_open(struct e8_slot *slot)
{
    slot->easy = curl_easy_init();
    slot->reach_set = false;
    slot->method = -1;
    if (slot->easy)
        e8_transfer_setup(slot);
    return slot->easy != NULL;
}

static struct e8_slot *slot_new(struct e8_multi *multi)
{
    E8_ASSERT(multi->slot_count < E8_MULTI_SLOTS);
    struct e8_slot *slot = e8_new(1, sizeof *slot);
    slot->magic = E8_SLOT_MAGIC;
    slot->transport = multi->transport;
    slot->multi = multi;
    slot->fd = -1;
    e8_buf_init(&slot->text, SIZE_MAX);
    multi->slots[multi->slot_count++] = slot;
    return slot;
}

/* The first multi with room, so that few of them have all the idle connections. What --resolve says lives in the multi's
 * name cache and would hold for all of its transfers, so that other pins are another multi's. */
static struct e8_multi *roomy(struct e8_transport *t, const struct e8_reach *reach)
{
    for (size_t i = 0; i < t->multi_count; i++) {
        if (t->multis[i]->in_flight < E8_MULTI_SLOTS && t->multis[i]->resolve == reach->resolve)
            return t->multis[i];
    }
    return multi_new(t, reach);
}

struct e8_slot *e8_multi_take_slot(struct e8_transport *t, const struct e8_reach *reach)
{
    struct e8_multi *multi = roomy(t, reach);
    if (!multi)
        return NULL;
    struct e8_slot *slot = multi->free ? multi->free : slot_new(multi);
    if (multi->free)
        multi->free = slot->next;
    multi->in_flight++;
    if (slot->easy || slot_open(slot))
        return slot;
    e8_multi_give_slot(slot);
    return NULL;
}

void e8_multi_give_slot(struct e8_slot *slot)
{
    slot->exchange = NULL;
    slot->next = slot->multi->free;
    slot->multi->free = slot;
    E8_ASSERT(slot->multi->in_flight > 0);
    slot->multi->in_flight--;
}

static void read_results(struct e8_multi *multi)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(multi->curl, &left))) {
        struct e8_slot *slot = NULL;
        if (msg->msg != CURLMSG_DONE ||
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &slot) != CURLE_OK)
            continue;
        E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
        e8_transfer_done(slot, msg->data.result);
    }
}

static void close_handles(struct e8_multi *multi)
{
    multi->closing = true;
    for (size_t i = 0; i < multi->slot_count; i++) {
        struct e8_slot *slot = multi->slots[i];
        if (slot->easy)
            curl_multi_remove_handle(multi->curl, slot->easy); /* harmless for those that are not in it */
    }
    curl_multi_cleanup(multi->curl);
    for (size_t i = 0; i < multi->slot_count; i++) {
        curl_easy_cleanup(multi->slots[i]->easy);
        multi->slots[i]->easy = NULL;
    }
    multi->closing = false;
}

/* After an error libcurl's transfers are in no known state: all of this multi go, as unknown. */
static void rebuild(struct e8_multi *multi, CURLMcode code)
{
    multi->transport->counts.rebuilt++;
    for (size_t i = 0; i < multi->slot_count; i++) {
        if (multi->slots[i]->exchange)
            e8_transfer_end(multi->slots[i], E8_UNKNOWN, curl_multi_strerror(code));
        if (multi->slots[i]->link)
            e8_link_abandon(multi->slots[i]->link, E8_UNKNOWN, curl_multi_strerror(code));
    }
    close_handles(multi);
    E8_ASSERT(open_handle(multi));
}

void e8_multi_act(struct e8_multi *multi, int fd, int events)
{
    int running;
    do {
        multi->kick = false;
        if (multi->timer == 0 && fd == CURL_SOCKET_TIMEOUT)
            multi->timer = E8_NEVER; /* libcurl says when there is a next one */
        CURLMcode code = curl_multi_socket_action(multi->curl, fd, events, &running);
        if (code != CURLM_OK) {
            rebuild(multi, code);
            return;
        }
        read_results(multi);
        fd = CURL_SOCKET_TIMEOUT;
        events = 0;
    } while (multi->kick);
}

void e8_multi_free(struct e8_multi **where)
{
    struct e8_multi *multi = *where;
    *where = NULL;
    close_handles(multi);
    for (size_t i = 0; i < multi->slot_count; i++) {
        struct e8_slot *slot = multi->slots[i];
        e8_buf_fini(&slot->text);
        free(slot->nodes);
        curl_slist_free_all(slot->connect_to);
        curl_slist_free_all(slot->resolve);
        slot->magic = 0;
        free(slot);
    }
    multi->magic = 0;
    free(multi);
}
