#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "httpd/exchange.h"

#define SEND_BYTES (64 << 10) /* that wait in the kernel; it takes twice as many */

static void put_address(struct e8_peer *peer, const struct sockaddr *address)
{
    const void *bytes = address; /* sockaddr_storage underneath */

    if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)bytes)->sin6_addr, peer->text, sizeof peer->text);
    else if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)bytes)->sin_addr, peer->text, sizeof peer->text);
    else
        memcpy(peer->text, "unix", sizeof "unix");
}

static void join_waits(struct e8_peer *peer)
{
    struct e8_httpd *httpd = peer->httpd;

    peer->waits = true;
    peer->newer = NULL;
    peer->older = httpd->newest;
    *(peer->older ? &peer->older->newer : &httpd->oldest) = peer;
    httpd->newest = peer;
}

static void leave_waits(struct e8_peer *peer)
{
    if (!peer->waits)
        return;
    *(peer->older ? &peer->older->newer : &peer->httpd->oldest) = peer->newer;
    *(peer->newer ? &peer->newer->older : &peer->httpd->newest) = peer->older;
    peer->waits = false;
}

/* MHD sees the end, and closes. It counts no longer. */
static void turn_out(struct e8_peer *peer)
{
    E8_ASSERT(peer->httpd->open > 0);
    leave_waits(peer);
    peer->httpd->open--;
    peer->turned_out = true;
    shutdown(peer->fd, SHUT_RDWR);
}

void e8_peer_late(struct e8_peer *peer)
{
    if (!peer->late)
        e8_answer_at_once(peer->httpd, peer->fd, MHD_HTTP_REQUEST_TIMEOUT, true);
    peer->late = true;
    shutdown(peer->fd, SHUT_RDWR); /* MHD sees the end and calls e8_exchange_done */
}

/* There is always room for one more, unless all others wait for the server. */
static void make_room(struct e8_httpd *httpd)
{
    if (httpd->open > httpd->options.connections_max && httpd->oldest != httpd->newest)
        turn_out(httpd->oldest);
}

void e8_peer_owes(struct e8_peer *peer, enum e8_owed owed)
{
    if (!peer->httpd->options.wary || peer->turned_out)
        return;
    peer->owed = owed;
    peer->since = owed == E8_OWED_BODY ? e8_mono_now() : 0;
    if (owed == E8_OWED_HEAD || owed == E8_OWED_NOTHING) /* else its place is that of its head */
        leave_waits(peer);
    if (owed != E8_OWED_NOTHING && !peer->waits)
        join_waits(peer);
}

void e8_peer_stirred(struct e8_peer *peer)
{
    E8_CHECK_MAGIC(peer, E8_PEER_MAGIC);
    if (peer->owed == E8_OWED_HEAD && peer->since == 0)
        peer->since = e8_mono_now();
}

void e8_peers_sweep(struct e8_httpd *httpd, e8_mono_ns now)
{
    for (struct e8_peer *peer = httpd->oldest, *newer; peer; peer = newer) {
        e8_dur_ns limit = peer->owed == E8_OWED_HEAD ? E8_HEAD_TIME : httpd->options.idle_s * E8_NS_S;

        newer = peer->newer;
        if (peer->since != 0 && now - peer->since > limit) {
            if (peer->owed == E8_OWED_HEAD)
                e8_peer_late(peer);
            turn_out(peer);
        }
    }
}

/* A thousand clients that read nothing would hold gigabytes in the kernel. */
static void be_wary_of(struct e8_peer *peer)
{
    int size = SEND_BYTES;

    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    e8_peer_owes(peer, E8_OWED_HEAD);
    make_room(peer->httpd);
}

static struct e8_peer *new_peer(struct e8_httpd *httpd, struct MHD_Connection *connection)
{
    struct e8_peer *peer = e8_new(1, sizeof *peer);
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = peer};

    if (httpd->options.wary)
        event.events |= EPOLLIN;
    peer->magic = E8_PEER_MAGIC;
    peer->httpd = httpd;
    peer->number = ++httpd->connections;
    peer->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    put_address(peer, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    /* Closing the socket takes it out of the set again. Without memory for this the client's end is noticed late. */
    epoll_ctl(httpd->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event);
    httpd->open++;
    if (httpd->options.wary)
        be_wary_of(peer);
    return peer;
}

static void free_peer(struct e8_peer *peer)
{
    E8_CHECK_MAGIC(peer, E8_PEER_MAGIC);
    if (peer->gone) {
        *(peer->prev ? &peer->prev->next : &peer->httpd->gone) = peer->next;
        if (peer->next)
            peer->next->prev = peer->prev;
    }
    leave_waits(peer);
    if (!peer->turned_out)
        peer->httpd->open--;
    peer->magic = 0;
    free(peer);
}

void e8_peer_notify(void *closure, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode code)
{
    struct e8_httpd *httpd = closure;

    E8_CHECK_MAGIC(httpd, E8_HTTPD_MAGIC);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = new_peer(httpd, connection);
        return;
    }
    free_peer(*context);
    *context = NULL;
}

struct e8_peer *e8_peer_of(struct MHD_Connection *connection)
{
    struct e8_peer *peer =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    E8_CHECK_MAGIC(peer, E8_PEER_MAGIC);
    return peer;
}

void e8_peer_gone(struct e8_peer *peer)
{
    struct e8_httpd *httpd = peer->httpd;

    E8_CHECK_MAGIC(peer, E8_PEER_MAGIC);
    if (peer->gone)
        return;
    peer->gone = true;
    peer->next = httpd->gone;
    if (peer->next)
        peer->next->prev = peer;
    httpd->gone = peer;
    httpd->gone_fresh = true;
    if (peer->hung)
        e8_wait_hurry(peer->hung);
    peer->hung = NULL;
    if (peer->stream)
        e8_stream_lost(peer->stream);
}

void e8_peers_nudge(struct e8_httpd *httpd)
{
    /* No byte is lost: none can follow. But it is an edge for MHD's edge-triggered epoll set. */
    for (struct e8_peer *peer = httpd->gone; peer; peer = peer->next)
        shutdown(peer->fd, SHUT_RD);
    httpd->gone_fresh = false;
}
