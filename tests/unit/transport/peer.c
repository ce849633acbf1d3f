#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct connection {
    struct peer *peer;
    int fd;
    pthread_t thread;
    struct connection *next;
};

void peer_wait(sem_t *sem)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    int rc;
    while ((rc = sem_timedwait(sem, &until)) != 0 && errno == EINTR)
        ;
    assert_int_equal(rc, 0);
}

void peer_write(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t w = send(fd, p, n, MSG_NOSIGNAL);
        if (w <= 0)
            return;
        p += w;
        n -= (size_t)w;
    }
}

static size_t body_length(const char *head, size_t n)
{
    char *copy = strndup(head, n);
    const char *at = strcasestr(copy, "\r\ncontent-length:");
    size_t length = at ? (size_t)strtoull(at + 17, NULL, 10) : 0;
    free(copy);
    return length;
}

static void keep_last(struct peer *peer, const char *head, size_t n, size_t body)
{
    pthread_mutex_lock(&peer->lock);
    peer->last_n = n < sizeof peer->last - 1 ? n : sizeof peer->last - 1;
    memcpy(peer->last, head, peer->last_n);
    peer->last[peer->last_n] = '\0';
    peer->last_body = body;
    pthread_mutex_unlock(&peer->lock);
}

/* Reads on until the last chunk has ended; `tail` has the last bytes so far. */
static bool read_chunks(int fd, const char *tail, size_t n)
{
    char last[7 + 4096];
    size_t kept = n < 7 ? n : 7;
    memcpy(last, tail + n - kept, kept);
    while (kept < 7 || memcmp(last + kept - 7, "\r\n0\r\n\r\n", 7) != 0) {
        if (kept > 7)
            memmove(last, last + kept - 7, 7);
        kept = kept > 7 ? 7 : kept;
        ssize_t r = recv(fd, last + kept, 4096, 0);
        if (r <= 0)
            return false;
        kept += (size_t)r;
    }
    return true;
}

bool peer_read_request(struct peer *peer, int fd)
{
    char head[16384], waste[65536];
    size_t n = 0;
    char *end = NULL;
    while (!end && n < sizeof head) {
        ssize_t r = recv(fd, head + n, sizeof head - n, 0);
        if (r <= 0)
            return false;
        n += (size_t)r;
        end = memmem(head, n, "\r\n\r\n", 4);
    }
    size_t head_n = (size_t)(end - head) + 4, body = body_length(head, head_n), got = n - head_n;
    while (got < body) {
        ssize_t r = recv(fd, waste, sizeof waste, 0);
        if (r <= 0)
            return false;
        got += (size_t)r;
    }
    if (memmem(head, head_n, "\r\nTransfer-Encoding: chunked\r\n", 30) && !read_chunks(fd, head, n))
        return false;
    keep_last(peer, head, n, got);
    atomic_fetch_add(&peer->requests, 1);
    return true;
}

static void hold(int fd)
{
    char waste[4096];
    while (recv(fd, waste, sizeof waste, 0) > 0)
        ;
}

static bool do_step(struct peer *peer, const struct peer_step *step, int fd)
{
    if (step->serve ? !step->serve(fd) : !step->unasked && !peer_read_request(peer, fd))
        return false;
    if (step->talk)
        step->talk(fd);
    else if (step->reply)
        peer_write(fd, step->reply, step->n ? step->n : strlen(step->reply));
    if (step->end == PEER_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    if (step->end == PEER_HOLD) {
        if (step->signal)
            sem_post(&peer->done);
        hold(fd);
    }
    return step->end == PEER_NEXT;
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    const struct peer_step *step = NULL;
    for (size_t i = 0;; i++) {
        step = &c->peer->steps[i < c->peer->count ? i : c->peer->count - 1];
        if (!do_step(c->peer, step, c->fd))
            break;
        if (step->signal)
            sem_post(&c->peer->done);
    }
    close(c->fd);
    if (step->signal && step->end != PEER_HOLD && step->end != PEER_NEXT)
        sem_post(&c->peer->done);
    c->fd = -1;
    return NULL;
}

static void *accept_all(void *arg)
{
    struct peer *peer = arg;
    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        if (fd < 0 || atomic_load(&peer->stop)) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        atomic_fetch_add(&peer->connections, 1);
        /* What a step has said is on its way before the step is over. */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        struct connection *c = calloc(1, sizeof *c);
        *c = (struct connection){.peer = peer, .fd = fd, .next = peer->list};
        peer->list = c;
        pthread_attr_t attr;
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 512 * 1024);
        assert_int_equal(pthread_create(&c->thread, &attr, serve, c), 0);
        pthread_attr_destroy(&attr);
    }
}

static void start(struct peer *peer, const struct peer_step *steps, size_t count)
{
    peer->steps = steps;
    peer->count = count;
    sem_init(&peer->done, 0, 0);
    pthread_mutex_init(&peer->lock, NULL);
    assert_int_equal(listen(peer->listener, 1024), 0);
    assert_int_equal(pthread_create(&peer->thread, NULL, accept_all, peer), 0);
}

void peer_open(struct peer *peer, const struct peer_step *steps, size_t count)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    memset(peer, 0, sizeof *peer);
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->listener >= 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&in, size), 0);
    getsockname(peer->listener, (struct sockaddr *)&in, &size);
    peer->port = ntohs(in.sin_port);
    start(peer, steps, count);
}

void peer_open_unix(struct peer *peer, const char *path, const struct peer_step *steps, size_t count)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    memset(peer, 0, sizeof *peer);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer->unix_socket = true;
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&un, sizeof un), 0);
    start(peer, steps, count);
}

void peer_close(struct peer *peer)
{
    atomic_store(&peer->stop, true);
    shutdown(peer->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(peer->thread, NULL);
    close(peer->listener);
    while (peer->list) {
        struct connection *c = peer->list;
        peer->list = c->next;
        pthread_join(c->thread, NULL); /* the client has closed by now */
        free(c);
    }
    sem_destroy(&peer->done);
    pthread_mutex_destroy(&peer->lock);
}

static void client_fill(struct client *c)
{
    c->exchange = (struct e8_exchange){
        .magic = E8_EXCHANGE_MAGIC,
        .url = e8_str(c->url),
        .reach = &c->reach,
        .method = E8_LIT("POST"),
        .headers = c->headers,
        .header_count = 2,
        .body = E8_LIT("{\"a\":1}"),
        .owner = c,
    };
}

enum e8_http client_http;

void client_open(struct client *c, int port)
{
    struct e8_err err = {0};
    memset(c, 0, sizeof *c);
    c->reach.http = client_http;
    assert_int_equal(e8_transport_new(&c->transport, &err), E8_OK);
    snprintf(c->url, sizeof c->url, "http://127.0.0.1:%d/hook?x=1", port);
    c->headers[0] = (struct e8_header){E8_LIT("Content-Type"), E8_LIT("application/json")};
    c->headers[1] = (struct e8_header){E8_LIT("X-Empty"), E8_LIT("")};
    client_fill(c);
}

void client_close(struct client *c)
{
    e8_transport_free(&c->transport);
    e8_exchange_fini(&c->exchange);
}

struct e8_exchange *client_await(struct client *c)
{
    e8_mono_ns until = e8_mono_now() + 30 * E8_NS_S;
    struct e8_exchange *x;
    while (!(x = e8_transport_next(c->transport))) {
        assert_true(e8_mono_now() < until);
        e8_transport_wait(c->transport, until);
    }
    assert_ptr_equal(x->owner, c);
    assert_null(x->slot);
    assert_true(x->sent <= x->done);
    assert_true((x->outcome == E8_DELIVERED) == (x->error[0] == '\0'));
    return x;
}

void client_submit(struct client *c)
{
    c->exchange.deadline = e8_mono_now() + (c->limit ? c->limit : 10 * E8_NS_S);
    e8_transport_submit(c->transport, &c->exchange);
}

struct e8_exchange *client_run(struct client *c)
{
    client_submit(c);
    return client_await(c);
}
