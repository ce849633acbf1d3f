#include "transport/internal.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* States of a TCP socket; <netinet/tcp.h>, which names them, cannot be included beside <linux/tcp.h>. */
enum { STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8, STATE_LAST_ACK = 9 };

/* --- the table of descriptors ---------------------------------------------------------------------------------------- */

struct e8_conn *e8_conn_at(struct e8_transport *t, int fd)
{
    E8_ASSERT(fd >= 0);
    size_t need = (size_t)fd + 1;
    if (need > t->conn_cap) {
        size_t cap = t->conn_cap ? t->conn_cap : 64;
        while (cap < need)
            cap *= 2;
        t->conns = e8_resize(t->conns, cap, sizeof *t->conns);
        memset(t->conns + t->conn_cap, 0, (cap - t->conn_cap) * sizeof *t->conns);
        t->conn_cap = cap;
    }
    return &t->conns[fd];
}

static unsigned bucket_of(uint16_t port)
{
    return port % E8_PORT_BUCKETS;
}

static void hash_add(struct e8_transport *t, int fd)
{
    struct e8_conn *conn = e8_conn_at(t, fd);
    int *head = &t->ports[bucket_of(conn->port)];
    conn->next = *head;
    conn->hashed = true;
    *head = fd + 1;
}

static void hash_remove(struct e8_transport *t, int fd)
{
    struct e8_conn *conn = e8_conn_at(t, fd);
    if (!conn->hashed)
        return;
    int *link = &t->ports[bucket_of(conn->port)];
    while (*link != fd + 1) {
        E8_ASSERT(*link);
        link = &t->conns[*link - 1].next;
    }
    *link = conn->next;
    conn->hashed = false;
}

/* --- what lies on a socket ------------------------------------------------------------------------------------------- */

enum found { FOUND_NOTHING, FOUND_BYTES, FOUND_EOF, FOUND_RESET };

/* TLS 1.3 wraps everything into records of type 23: tickets, key updates and close_notify look like data. Such a record
 * cannot be told from an answer without reading it, which would take it from libcurl; so the connection is given up as a
 * closed one would be, and nobody is accused. A record of type 23 on TLS 1.2 is data. */
static enum found peek_tls(const struct e8_conn *conn, const unsigned char *record, size_t n)
{
    enum { APPLICATION_DATA = 23 };
    bool data = n > 0 && record[0] == APPLICATION_DATA;
    return data && !conn->tls13 ? FOUND_BYTES : FOUND_EOF;
}

static enum found peek(const struct e8_conn *conn, int fd)
{
    unsigned char bytes[5];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        return FOUND_EOF;
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? FOUND_NOTHING : FOUND_RESET;
    if (conn->h2)
        return FOUND_NOTHING; /* frames may come at any time */
    return conn->tls ? peek_tls(conn, bytes, (size_t)n) : FOUND_BYTES;
}

/* A record of TLS 1.3 as long as an alert (RFC 8446, 6: level, description; then type and tag): libcurl does not read any more
 * once it could not write. */
static bool lies_alert(int fd)
{
    static const unsigned char alert[5] = {23, 3, 3, 0, 2 + 1 + 16};
    unsigned char bytes[5];
    return recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT) == (ssize_t)sizeof bytes &&
           memcmp(bytes, alert, sizeof alert) == 0;
}

bool e8_conn_alert_lies(struct e8_slot *slot, int fd)
{
    return e8_conn_at(slot->transport, fd)->tls13 && lies_alert(fd);
}

static bool counters(int fd, struct tcp_info *out)
{
    socklen_t size = sizeof *out;
    memset(out, 0, sizeof *out);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &size) == 0;
}

/* --- opening and closing --------------------------------------------------------------------------------------------- */

/* Unix sockets have all the same address here: none. */
static bool same_peer(const struct e8_addr *a, const struct sockaddr *sa)
{
    struct e8_addr b = {{0}};
    (void)e8_addr_of(sa, &b);
    return memcmp(a, &b, sizeof b) == 0;
}

static void remember(struct e8_slot *slot, int fd, const struct curl_sockaddr *address)
{
    struct e8_conn *conn = e8_conn_at(slot->transport, fd);
    *conn = (struct e8_conn){.multi = slot->multi, .ours = true};
    conn->tcp = e8_addr_of(&address->addr, &conn->peer);
    if (slot->opened < E8_SLOT_FDS)
        slot->fds[slot->opened] = fd;
    slot->opened++;
    size_t size = address->addrlen < sizeof slot->last ? address->addrlen : sizeof slot->last;
    memcpy(&slot->last, &address->addr, size);
    if (slot->dead_flags && same_peer(&slot->dead_peer, &address->addr))
        slot->exchange->flags |= slot->dead_flags;
    slot->dead_flags = 0;
}

/* Nothing is congested on loopback. Where the system's own way is one that paces what is sent (BBR), each request would cost a look at
 * rates and timers for it; this one every kernel has, and lets everybody use. */
static void plain_on_loopback(int fd, const struct sockaddr *to)
{
    static const char plain[] = "reno";
    struct e8_addr addr;
    if (e8_addr_of(to, &addr) && e8_addr_is_loopback(&addr))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, plain, sizeof plain - 1);
}

static curl_socket_t on_open(void *client, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    (void)purpose;
    if (slot->prereqs) { /* the request has gone out already: libcurl wants to send it again */
        slot->resend = true;
        return CURL_SOCKET_BAD;
    }
    if (!e8_reach_allows(slot->exchange->reach, slot->exchange->url, &address->addr)) {
        slot->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) {
        slot->open_errno = errno;
        return CURL_SOCKET_BAD;
    }
    plain_on_loopback(fd, &address->addr);
    if (slot->transport->stamper >= 0)
        e8_arrival_want(fd);
    remember(slot, fd, address);
    return fd;
}

/* libcurl found by itself that an idle connection is of no use. */
static void note_idle_end(struct e8_transport *t, const struct e8_conn *conn, enum found found)
{
    struct e8_slot *slot = t->starting;
    uint16_t flags = E8_FLAG_RECONNECTED;
    if (found == FOUND_NOTHING)
        return;
    if (found == FOUND_BYTES) {
        t->counts.idle_bytes++;
        flags |= E8_FLAG_IDLE_BYTES;
    } else {
        t->counts.idle_closed++;
    }
    if (slot) {
        slot->dead_peer = conn->peer;
        slot->dead_flags = flags;
    }
}

static void note_wire(struct e8_slot *slot, const struct e8_conn *conn, int fd)
{
    struct tcp_info now;
    if (!conn->tcp || !counters(fd, &now))
        return;
    /* Before libcurl closes a TLS connection it says so, which a peer that has gone answers by a reset. */
    if (now.tcpi_state == STATE_CLOSE)
        slot->end = conn->tls ? E8_WIRE_FIN : E8_WIRE_RESET;
    else if (now.tcpi_state == STATE_CLOSE_WAIT || now.tcpi_state == STATE_LAST_ACK)
        slot->end = E8_WIRE_FIN;
    slot->alert_unread = e8_conn_alert_lies(slot, fd);
    slot->received = now.tcpi_bytes_received - conn->base;
    if (!conn->tls && !conn->h2 && slot->received > 1) /* FIN counts as a byte */
        slot->answered = true;
}

static int on_close(void *client, curl_socket_t fd)
{
    struct e8_transport *t = client;
    E8_CHECK_MAGIC(t, E8_TRANSPORT_MAGIC);
    struct e8_conn *conn = e8_conn_at(t, fd);
    struct e8_link *link = conn->link;
    if (link && !link->slot) { /* taken over */
        hash_remove(t, fd);
        *e8_conn_at(t, fd) = (struct e8_conn){.link = link};
        return 0;
    }
    if (link)
        e8_link_lost(link);
    if (conn->ours && conn->users == 1 && conn->user->exchange)
        note_wire(conn->user, conn, fd);
    else if (conn->ours && conn->requests && !conn->users && !conn->doomed && !conn->multi->closing)
        note_idle_end(t, conn, peek(conn, fd));
    hash_remove(t, fd);
    *e8_conn_at(t, fd) = (struct e8_conn){0};
    return close(fd); /* leaves the epoll set by that */
}

/* --- before a request is sent ----------------------------------------------------------------------------------------- */

static uint16_t local_port(int fd)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } name;
    socklen_t size = sizeof name;
    memset(&name, 0, sizeof name);
    if (getsockname(fd, &name.sa, &size) != 0)
        return 0;
    if (name.sa.sa_family == AF_INET)
        return ntohs(name.in.sin_port);
    return name.sa.sa_family == AF_INET6 ? ntohs(name.in6.sin6_port) : 0;
}

/* The connection that this transfer opened; -1 if it opened none. */
static int find_fresh(const struct e8_slot *slot, int port)
{
    for (unsigned i = 0; i < slot->opened && i < E8_SLOT_FDS; i++) {
        int fd = slot->fds[i];
        const struct e8_conn *conn = e8_conn_at(slot->transport, fd);
        if (conn->ours && conn->multi == slot->multi && !conn->requests && !conn->users &&
            (!conn->tcp || local_port(fd) == port))
            return fd;
    }
    return -1;
}

/* The idle connection that libcurl has chosen. Ports repeat where the remote addresses differ, so that the address is
 * compared too; -1: not known (a unix socket has no port). */
static int find_reused(const struct e8_slot *slot, const char *remote, int port)
{
    struct e8_transport *t = slot->transport;
    struct e8_addr peer;
    if (port <= 0 || !e8_addr_parse(e8_str(remote), &peer))
        return -1;
    int next;
    for (int fd = t->ports[bucket_of((uint16_t)port)] - 1; fd >= 0; fd = next - 1) {
        const struct e8_conn *conn = &t->conns[fd];
        next = conn->next;
        if (conn->port == port && conn->multi == slot->multi && (!conn->users || conn->h2) &&
            memcmp(&conn->peer, &peer, sizeof peer) == 0)
            return fd;
    }
    return -1;
}

/* Which of the idle ones it is cannot be told: all of that kind must be clean. */
static enum found peek_all(const struct e8_slot *slot)
{
    struct e8_transport *t = slot->transport;
    enum found worst = FOUND_NOTHING;
    for (size_t fd = 0; fd < t->conn_cap; fd++) {
        struct e8_conn *conn = &t->conns[fd];
        bool other_kind = slot->reach.unix_socket && conn->tcp;
        if (!conn->ours || conn->multi != slot->multi || conn->users || !conn->requests || other_kind)
            continue;
        enum found found = conn->doomed ? FOUND_EOF : peek(conn, (int)fd);
        if (found == FOUND_NOTHING)
            continue;
        conn->doomed = true;
        shutdown((int)fd, SHUT_RDWR); /* so that libcurl finds it dead */
        worst = worst == FOUND_BYTES ? worst : found;
    }
    return worst;
}

static int refuse(struct e8_slot *slot, enum e8_outcome verdict, const char *why)
{
    slot->verdict = (int)verdict;
    slot->why = why;
    return CURL_PREREQFUNC_ABORT;
}

/* Nothing has been sent: the exchange goes out on a fresh connection. */
static int reconnect(struct e8_slot *slot, int fd, enum found found)
{
    struct e8_transport *t = slot->transport;
    slot->reconnect = true;
    slot->exchange->flags |= E8_FLAG_RECONNECTED;
    if (found == FOUND_BYTES) {
        slot->exchange->flags |= E8_FLAG_IDLE_BYTES;
        t->counts.idle_bytes++;
    } else {
        t->counts.idle_closed++;
    }
    if (fd >= 0)
        e8_conn_at(t, fd)->doomed = true;
    return CURL_PREREQFUNC_ABORT;
}

/* OpenSSL's callback carries no pointer of ours, and runs on the thread of the transport that the connection belongs to. */
static _Thread_local struct {
    const void *ssl;
    int alert;
} last_alert;

static void on_tls_info(const void *ssl, int where, int value)
{
    enum { READ_ALERT = 0x4004, CLOSE_NOTIFY = 0 };
    if (where != READ_ALERT || (value & 0xff) == CLOSE_NOTIFY)
        return;
    last_alert.ssl = ssl;
    last_alert.alert = value & 0xff;
}

static void listen_for_alerts(struct e8_slot *slot, void *ssl)
{
    typedef void listen_fn(void *ssl, void (*callback)(const void *ssl, int where, int value));
    listen_fn *listen = NULL;
    *(void **)&listen = dlsym(RTLD_DEFAULT, "SSL_set_info_callback");
    if (!listen)
        return;
    if (last_alert.ssl == ssl) /* an earlier one at the same address */
        last_alert.ssl = NULL;
    slot->ssl = ssl;
    listen(ssl, on_tls_info);
}

int e8_conn_alert(const struct e8_slot *slot)
{
    return slot->ssl && slot->ssl == last_alert.ssl ? last_alert.alert : 0;
}

static void note_handshake(struct e8_slot *slot, struct e8_conn *conn)
{
    typedef int ask_fn(const void *ssl);
    ask_fn *resumed = NULL, *version = NULL;
    *(void **)&resumed = dlsym(RTLD_DEFAULT, "SSL_session_reused");
    *(void **)&version = dlsym(RTLD_DEFAULT, "SSL_version");
    slot->transport->counts.handshakes++;
    conn->tls13 = true; /* the careful assumption */
    void *ssl = e8_tls_of(slot->easy);
    if (!ssl || !resumed || !version)
        return;
    conn->tls13 = version(ssl) >= 0x0304;
    listen_for_alerts(slot, ssl);
    e8_tls_take_turns(ssl);
    if (resumed(ssl) == 1) {
        slot->transport->counts.resumed++;
        slot->exchange->flags |= E8_FLAG_TLS_RESUMED;
    }
}

static int use_fresh(struct e8_slot *slot, int fd)
{
    struct e8_transport *t = slot->transport;
    t->counts.connections++;
    if (fd < 0)
        return CURL_PREREQFUNC_OK;
    struct e8_conn *conn = e8_conn_at(t, fd);
    conn->tls = slot->tls || (slot->reach.proxy && e8_str_starts(e8_str(slot->reach.proxy), "https:"));
    conn->h2 = slot->reach.http == E8_HTTP_2; /* corrected once the response says which it was */
    if (slot->tls)
        note_handshake(slot, conn);
    conn->port = conn->tcp ? local_port(fd) : 0;
    if (conn->port)
        hash_add(t, fd);
    enum found found = peek(conn, fd);
    if (found == FOUND_BYTES)
        return refuse(slot, E8_DESYNC, "the receiver spoke before the request was sent");
    if (found == FOUND_RESET)
        return refuse(slot, E8_RESET, "the connection was reset before the request was sent");
    if (found == FOUND_EOF && !conn->tls)
        return refuse(slot, E8_NO_RESPONSE, "the connection was closed before the request was sent");
    return CURL_PREREQFUNC_OK;
}

static int use_again(struct e8_slot *slot, int fd)
{
    struct e8_transport *t = slot->transport;
    const struct e8_conn *conn = fd >= 0 ? e8_conn_at(t, fd) : NULL;
    enum found found = !conn ? peek_all(slot) : conn->doomed ? FOUND_EOF : peek(conn, fd);
    if (found != FOUND_NOTHING)
        return reconnect(slot, fd, found);
    t->counts.reused++;
    slot->exchange->flags |= E8_FLAG_REUSED;
    /* Should libcurl want to send again, then let it not take another idle connection, which would be closed for nothing. */
    curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, 1L);
    return CURL_PREREQFUNC_OK;
}

void e8_conn_take(struct e8_slot *slot, int fd)
{
    struct tcp_info now;
    slot->fd = fd;
    struct e8_conn *conn = e8_conn_at(slot->transport, fd);
    conn->user = slot;
    conn->users++;
    conn->base =
        conn->tcp && !conn->tls && conn->requests && counters(fd, &now) ? now.tcpi_bytes_received : 0;
    conn->requests++;
}

static int on_prereq(void *client, char *remote, char *local, int remote_port, int port)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    (void)local;
    (void)remote_port;
    if (slot->prereqs++) {
        slot->resend = true;
        return CURL_PREREQFUNC_ABORT;
    }
    bool fresh = slot->opened > 0;
    int fd = fresh ? find_fresh(slot, port) : find_reused(slot, remote, port);
    struct e8_buf address;
    e8_buf_fixed(&address, slot->exchange->address, sizeof slot->exchange->address);
    e8_buf_put_clean(&address, e8_str(slot->reach.unix_socket ? slot->reach.unix_socket : remote));
    e8_buf_cstr(&address);
    int answer = fresh ? use_fresh(slot, fd) : use_again(slot, fd);
    if (fd >= 0)
        e8_conn_take(slot, fd);
    if (answer != CURL_PREREQFUNC_OK || slot->opens)
        return answer;
    slot->exchange->sent = e8_mono_now();
    e8_upload_sending(slot);
    return answer;
}

/* --- for the others --------------------------------------------------------------------------------------------------- */

void e8_conn_setup(struct e8_slot *slot)
{
    curl_easy_setopt(slot->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(slot->easy, CURLOPT_OPENSOCKETDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(slot->easy, CURLOPT_CLOSESOCKETDATA, slot->transport);
    curl_easy_setopt(slot->easy, CURLOPT_PREREQFUNCTION, on_prereq);
    curl_easy_setopt(slot->easy, CURLOPT_PREREQDATA, slot);
}

void e8_conn_release(struct e8_slot *slot, bool poison)
{
    if (slot->fd < 0)
        return;
    struct e8_conn *conn = e8_conn_at(slot->transport, slot->fd);
    if (conn->ours && conn->users && (conn->user == slot || conn->h2)) {
        conn->users--;
        if (slot->exchange->http_version)
            conn->h2 = slot->exchange->http_version >= 20;
        if (poison && !conn->h2) {
            conn->doomed = true;
            shutdown(slot->fd, SHUT_RDWR);
        }
    }
    slot->fd = -1;
}

bool e8_conn_established(const struct e8_slot *slot)
{
    for (unsigned i = 0; i < slot->opened && i < E8_SLOT_FDS; i++) {
        const struct e8_conn *conn = e8_conn_at(slot->transport, slot->fds[i]);
        struct sockaddr_storage name;
        socklen_t size = sizeof name;
        if (conn->ours && conn->multi == slot->multi && !conn->requests &&
            getpeername(slot->fds[i], (struct sockaddr *)&name, &size) == 0)
            return true;
    }
    return false;
}

void e8_conn_look(struct e8_slot *slot)
{
    if (slot->fd < 0)
        return;
    const struct e8_conn *conn = e8_conn_at(slot->transport, slot->fd);
    if (conn->ours && conn->users == 1 && conn->user == slot)
        note_wire(slot, conn, slot->fd);
}

void e8_conn_goes_away(struct e8_slot *slot)
{
    struct e8_conn *conn = slot->fd >= 0 ? e8_conn_at(slot->transport, slot->fd) : NULL;
    slot->transport->counts.goaways += !conn || !conn->going_away;
    if (conn)
        conn->going_away = true;
}

/* A datagram socket has ports of its own, and connecting it sends nothing. */
bool e8_conn_no_source(const struct sockaddr *peer)
{
    socklen_t size = peer->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(peer->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool none = connect(fd, peer, size) != 0 && errno == EADDRNOTAVAIL;
    close(fd);
    return none;
}
