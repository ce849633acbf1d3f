#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "httpd/exchange.h"

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

static struct e8_peer *new_peer(struct e8_httpd *httpd, struct MHD_Connection *connection)
{
    struct e8_peer *peer = e8_new(1, sizeof *peer);
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = peer};

    peer->magic = E8_PEER_MAGIC;
    peer->httpd = httpd;
    peer->number = ++httpd->connections;
    peer->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    put_address(peer, MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    /* Closing the socket takes it out of the set again. Without memory for this the client's end is noticed late. */
    epoll_ctl(httpd->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event);
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
}

void e8_peers_nudge(struct e8_httpd *httpd)
{
    /* No byte is lost: none can follow. But it is an edge for MHD's edge-triggered epoll set. */
    for (struct e8_peer *peer = httpd->gone; peer; peer = peer->next)
        shutdown(peer->fd, SHUT_RD);
    httpd->gone_fresh = false;
}
