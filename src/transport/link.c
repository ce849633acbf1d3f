#include "transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BURIED_AT_ONCE 16
#define USUAL_HEAD     2000           /* bytes of a request, with its body, that hold nearly every one */
#define SPARE          64             /* links that are kept beside as many as were ever busy at a time */
#define TRUSTED        1000           /* exchanges since a kept connection was of no use */
#define FRESH          (2 * E8_NS_MS) /* since its last answer */

/* --- targets and their origins ---------------------------------------------------------------------------------------- */

static void put_origin(struct e8_buf *out, const struct e8_url *url)
{
    e8_buf_puts(out, url->https ? "https://" : "http://");
    e8_buf_putstr(out, url->host);
    e8_buf_putc(out, ' ');
    e8_buf_putu(out, (uint64_t)url->port);
}

static struct e8_origin *origin_of(struct e8_transport *t, const struct e8_url *url,
                                   const struct e8_reach *reach)
{
    struct e8_buf name;
    struct e8_origin *origin;
    e8_buf_init(&name, SIZE_MAX);
    put_origin(&name, url);
    for (origin = t->origins; origin; origin = origin->next) {
        if (e8_str_ieq(e8_buf_str(&origin->name), e8_buf_str(&name)) &&
            e8_reach_same(&origin->reach, reach)) {
            e8_buf_fini(&name);
            return origin;
        }
    }
    origin = e8_new(1, sizeof *origin);
    origin->name = name;
    origin->reach = *reach;
    origin->next = t->origins;
    t->origins = origin;
    return origin;
}

/* libcurl takes "." and ".." out of a path, and makes Authorization of user information. */
static bool is_plain(const struct e8_url *url, const struct e8_reach *reach)
{
    bool proxied = reach->proxy && reach->proxy[0];
    return reach->http == E8_HTTP_AUTO && !proxied && !url->userinfo.n &&
           !memmem(url->target.p, url->target.n, "/.", 2);
}

static void read_target(struct e8_transport *t, struct e8_target *target, const struct e8_exchange *x)
{
    struct e8_url url;
    e8_buf_reset(&target->url);
    e8_buf_putstr(&target->url, x->url);
    e8_buf_reset(&target->line);
    target->reach = *x->reach;
    target->origin = NULL;
    if (e8_url_parse(x->url, &url, NULL) || !is_plain(&url, x->reach))
        return;
    target->origin = origin_of(t, &url, x->reach);
    e8_http1_target(&target->line, &url);
}

static bool matches(const struct e8_target *target, const struct e8_exchange *x)
{
    return target->url.n == x->url.n && memcmp(target->url.p, x->url.p, x->url.n) == 0 &&
           e8_reach_same(&target->reach, x->reach);
}

static struct e8_target *target_new(struct e8_target **bucket, const char *key)
{
    struct e8_target *target = e8_new(1, sizeof *target);
    e8_buf_init(&target->url, SIZE_MAX);
    e8_buf_init(&target->line, SIZE_MAX);
    target->key = key;
    target->next = *bucket;
    *bucket = target;
    return target;
}

struct e8_target *e8_link_target(struct e8_transport *t, const struct e8_exchange *x)
{
    struct e8_target **bucket = &t->targets[(uintptr_t)x->url.p / 16 % E8_TARGET_BUCKETS];
    if (x->wire || x->hold)
        return NULL;
    struct e8_target *target = *bucket;
    while (target && target->key != x->url.p)
        target = target->next;
    if (!target)
        target = target_new(bucket, x->url.p);
    if (!target->url.n || !matches(target, x))
        read_target(t, target, x);
    return target->origin ? target : NULL;
}

/* --- idle ones --------------------------------------------------------------------------------------------------------- */

struct e8_link *e8_link_of(const struct e8_exchange *x)
{
    const unsigned *magic = x->slot; /* of a link or of a slot */
    return magic && *magic == E8_LINK_MAGIC ? x->slot : NULL;
}

static void leave_idle(struct e8_link *link)
{
    if (link->idle_prev)
        link->idle_prev->idle_next = link->idle_next;
    else
        link->origin->idle = link->idle_next;
    if (link->idle_next)
        link->idle_next->idle_prev = link->idle_prev;
    link->idle_next = link->idle_prev = NULL;
    link->idle = false;
    link->origin->idle_count--;
}

static void become_busy(struct e8_link *link)
{
    struct e8_origin *origin = link->origin;
    origin->busy++;
    origin->peak = origin->busy > origin->peak ? origin->busy : origin->peak;
}

/* Not before the first answer: with it libcurl has read the tickets of TLS 1.3, which it keeps for other connections. */
static void take_tls(struct e8_link *link)
{
    struct e8_slot *slot = link->slot;
    if (slot && !link->tls.ssl && slot->ssl && link->fd >= 0)
        (void)e8_tls_take(&link->tls, slot->ssl);
}

void e8_link_idle(struct e8_link *link)
{
    struct e8_origin *origin = link->origin;
    take_tls(link);
    link->opened = false;
    link->unread = false;
    origin->kept++;
    if (origin->idle_count + origin->busy > origin->peak + SPARE) {
        e8_link_close(&link);
        return;
    }
    origin->busy--;
    origin->idle_count++;
    link->idle_next = origin->idle;
    link->idle_prev = NULL;
    link->idle = true;
    if (origin->idle)
        origin->idle->idle_prev = link;
    origin->idle = link;
}

/* To ask the socket costs less than to ask OpenSSL, which knows of no more when it has nothing left. */
static bool is_silent(const struct e8_link *link)
{
    char byte;
    return link->tls.ssl && !e8_tls_pending(&link->tls) &&
           recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Bytes or an end on a connection on which nothing was asked: it is of no use. */
bool e8_link_clean(struct e8_link *link)
{
    struct e8_transport *t = link->transport;
    char byte;
    int error;
    if (is_silent(link))
        return true;
    ssize_t n = e8_link_read(link, &byte, 1, &error);
    if (n == -1 && !link->unread)
        return true;
    e8_link_distrust(link);
    link->origin->lost |= E8_FLAG_RECONNECTED;
    if (n > 0 || link->unread) {
        link->origin->lost |= E8_FLAG_IDLE_BYTES;
        t->counts.idle_bytes++;
    } else {
        t->counts.idle_closed++;
    }
    return false;
}

void e8_link_distrust(struct e8_link *link)
{
    link->origin->kept = 0;
}

/* To look at a connection is a system call, beside two that the exchange itself takes. Where the answer before has only just come, from a
 * receiver that has kept all of its connections, it is left out: what has ended before is seen by the loop, and what ends now would be
 * missed by the look as well. */
static bool is_trusted(const struct e8_link *link, e8_mono_ns now)
{
    return link->origin->kept >= TRUSTED && now - link->answered < FRESH;
}

struct e8_link *e8_link_take(struct e8_transport *t, struct e8_origin *origin, e8_mono_ns now)
{
    struct e8_link *link;
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    while ((link = origin->idle) != NULL) {
        leave_idle(link);
        become_busy(link);
        if (is_trusted(link, now) || e8_link_clean(link))
            return link;
        e8_link_close(&link);
    }
    return NULL;
}

/* --- opening and closing --------------------------------------------------------------------------------------------- */

static void join_epoll(struct e8_link *link)
{
    struct e8_transport *t = link->transport;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = link->fd};
    if (epoll_ctl(t->epoll, EPOLL_CTL_MOD, link->fd, &event) != 0)
        (void)epoll_ctl(t->epoll, EPOLL_CTL_ADD, link->fd, &event);
}

/* The socket becomes ours: removing the handle makes libcurl give it back through its close callback. Were it to keep it, a copy of
 * the descriptor is as good. */
static void take_over(struct e8_link *link, struct e8_slot *slot)
{
    struct e8_transport *t = link->transport;
    e8_conn_at(t, link->fd)->link = link;
    curl_multi_remove_handle(slot->multi->curl, slot->easy);
    if (e8_conn_at(t, link->fd)->ours) {
        e8_conn_at(t, link->fd)->link = NULL;
        link->fd = fcntl(link->fd, F_DUPFD_CLOEXEC, 0);
        if (link->fd >= 0)
            *e8_conn_at(t, link->fd) = (struct e8_conn){.link = link};
    }
    slot->fd = -1;
    e8_multi_give_slot(slot);
}

static void stay_with(struct e8_link *link, struct e8_slot *slot)
{
    e8_conn_at(link->transport, link->fd)->link = link;
    link->slot = slot;
    slot->link = link;
    slot->exchange = NULL;
}

struct e8_link *e8_link_open(struct e8_slot *slot, struct e8_origin *origin)
{
    struct e8_transport *t = slot->transport;
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct e8_link *link = e8_new(1, sizeof *link);
    curl_easy_getinfo(slot->easy, CURLINFO_ACTIVESOCKET, &fd);
    E8_ASSERT(fd != CURL_SOCKET_BAD);
    link->magic = E8_LINK_MAGIC;
    link->transport = t;
    link->origin = origin;
    link->fd = fd;
    link->started = slot->started;
    link->opened = true;
    e8_buf_init(&link->head, SIZE_MAX);
    e8_buf_init(&link->rest, SIZE_MAX);
    if (slot->tls)
        e8_buf_reserve(&link->head, USUAL_HEAD);
    e8_reply_init(&link->reply);
    memcpy(link->address, slot->exchange->address, sizeof link->address);
    link->next = t->links;
    if (t->links)
        t->links->prev = link;
    t->links = link;
    become_busy(link);
    e8_timers_remove(&t->deadlines, &slot->timer);
    if (slot->tls)
        stay_with(link, slot);
    else
        take_over(link, slot);
    if (link->fd >= 0)
        join_epoll(link);
    return link;
}

/* The descriptor has been closed by libcurl, or is about to be. What was under way is ended outside of its callback. */
void e8_link_lost(struct e8_link *link)
{
    link->fd = -1;
    link->tls = (struct e8_tls){0};
    e8_timers_remove(&link->transport->turns, &link->timer);
    e8_timers_add(&link->transport->turns, &link->timer, 0);
}

/* What lies there unread would make a reset of the end. */
static void say_goodbye(struct e8_link *link)
{
    char bytes[4096];
    e8_tls_end(&link->tls, &link->rest);
    if (link->rest.n > link->rest_sent)
        (void)send(link->fd, link->rest.p + link->rest_sent, link->rest.n - link->rest_sent,
                   MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
}

/* What the descriptor's number stood for is forgotten before the number is free. */
static void hang_up(struct e8_link *link)
{
    struct e8_slot *slot = link->slot;
    if (slot) {
        slot->link = NULL;
        if (link->tls.ssl)
            say_goodbye(link);
        if (link->fd >= 0)
            e8_conn_at(link->transport, link->fd)->link = NULL;
        curl_multi_remove_handle(slot->multi->curl, slot->easy);
        slot->fd = -1;
        e8_multi_give_slot(slot);
    } else if (link->fd >= 0) {
        *e8_conn_at(link->transport, link->fd) = (struct e8_conn){0};
        close(link->fd);
    }
}

void e8_link_close(struct e8_link **where)
{
    struct e8_link *link = *where;
    struct e8_transport *t = link->transport;
    *where = NULL;
    E8_CHECK_MAGIC(link, E8_LINK_MAGIC);
    E8_ASSERT(!link->exchange);
    if (link->idle)
        leave_idle(link);
    else
        link->origin->busy--;
    e8_timers_remove(&t->turns, &link->timer);
    if (link->prev)
        link->prev->next = link->next;
    else
        t->links = link->next;
    if (link->next)
        link->next->prev = link->prev;
    hang_up(link);
    e8_buf_fini(&link->head);
    e8_buf_fini(&link->rest);
    e8_reply_fini(&link->reply);
    link->magic = 0;
    free(link);
}

void e8_link_doom(struct e8_link *link)
{
    struct e8_transport *t = link->transport;
    if (link->doomed)
        return;
    if (link->idle) {
        leave_idle(link);
        become_busy(link);
    }
    link->doomed = true;
    link->idle_next = t->doomed;
    t->doomed = link;
}

void e8_links_bury(struct e8_transport *t)
{
    for (int n = 0; t->doomed && n < BURIED_AT_ONCE; n++) {
        struct e8_link *link = t->doomed;
        t->doomed = link->idle_next;
        e8_link_close(&link);
    }
}

static void free_targets(struct e8_transport *t)
{
    for (size_t i = 0; i < E8_TARGET_BUCKETS; i++) {
        struct e8_target *target;
        while ((target = t->targets[i]) != NULL) {
            t->targets[i] = target->next;
            e8_buf_fini(&target->url);
            e8_buf_fini(&target->line);
            free(target);
        }
    }
}

void e8_links_free(struct e8_transport *t)
{
    struct e8_origin *origin;
    for (struct e8_link *next, *link = t->links; link; link = next) {
        next = link->next;
        link->exchange = NULL;
        e8_link_close(&link);
    }
    E8_ASSERT(!t->links);
    while ((origin = t->origins) != NULL) {
        t->origins = origin->next;
        e8_buf_fini(&origin->name);
        free(origin);
    }
    free_targets(t);
    e8_timers_fini(&t->turns);
}
