/* What transport must do where libcurl alone would do wrong: each test fails without its rule. */
#include "peer.h"
#include "tests.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/internal.h"

static sem_t go, idle_done;

static bool last_has(struct peer *peer, const char *text)
{
    pthread_mutex_lock(&peer->lock);
    bool has = strcasestr(peer->last, text) != NULL;
    pthread_mutex_unlock(&peer->lock);
    return has;
}

static void assert_outcome(const struct e8_exchange *x, enum e8_outcome outcome)
{
    if (x->outcome != outcome)
        print_error("%s (%d) \"%s\"\n", e8_outcome_info(x->outcome)->name, x->status, x->error);
    assert_int_equal(x->outcome, outcome);
}

/* Rule 1. Each connection carries one good exchange and is reset once the second request has been read. */
static void test_hidden_resend(void **state)
{
    (void)state;
    enum { ROUNDS = 1000 };
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}, {.end = PEER_RESET}));
    client_open(&client, peer.port);
    for (int i = 0; i < ROUNDS; i++) {
        assert_outcome(client_run(&client), E8_DELIVERED);
        assert_int_equal(client.exchange.flags & E8_FLAG_REUSED, 0);
        assert_outcome(client_run(&client), E8_STALE_CONNECTION);
        assert_int_equal(client.exchange.status, 0);
    }
    assert_int_equal(atomic_load(&peer.requests), 2 * ROUNDS);
    assert_int_equal(atomic_load(&peer.connections), ROUNDS);
    assert_int_equal(e8_transport_counts(client.transport).reused, ROUNDS);
    client_close(&client);
    peer_close(&peer);
}

/* Rule 1: libcurl's re-send must not take another idle connection, which would be closed for nothing. */
static void test_resend_spares_idle(void **state)
{
    (void)state;
    struct peer peer;
    struct client a, b;
    peer_open(&peer, STEPS({.reply = OK_REPLY}, {.end = PEER_RESET}));
    client_open(&a, peer.port);
    client_open(&b, peer.port);
    b.exchange.deadline = E8_NEVER;
    client_submit(&a);
    e8_transport_submit(a.transport, &b.exchange);
    for (int i = 0; i < 2;) {
        e8_transport_wait(a.transport, E8_NEVER);
        i += e8_transport_next(a.transport) != NULL;
    }
    assert_int_equal(atomic_load(&peer.connections), 2);
    assert_outcome(client_run(&a), E8_STALE_CONNECTION);
    assert_outcome(client_run(&a), E8_STALE_CONNECTION); /* on the other one, which was still there */
    assert_int_equal(atomic_load(&peer.connections), 2);
    client_close(&a);
    client_close(&b);
    peer_close(&peer);
}

static void talk_idle_bytes(int fd)
{
    peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
    peer_wait(&go); /* the first exchange is over: the connection idles */
    peer_write(fd, "HTTP/1.1 500 Stale\r\nContent-Length: 0\r\n\r\n", 41);
    sem_post(&idle_done);
}

static void talk_idle_close(int fd)
{
    peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
    peer_wait(&go);
    shutdown(fd, SHUT_WR);
    sem_post(&idle_done);
}

static void talk_idle_reset(int fd)
{
    peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
    peer_wait(&go);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, fd); /* closes the socket; the number stays taken */
    close(null);
    sem_post(&idle_done);
}

static void idle_case(void (*talk)(int fd), uint16_t flags, uint64_t closed, uint64_t bytes, const char *path)
{
    enum { ROUNDS = 20 };
    struct peer peer;
    struct client client;
    const struct peer_step steps[] = {{.talk = talk, .end = PEER_HOLD}};
    sem_init(&go, 0, 0);
    sem_init(&idle_done, 0, 0);
    if (path)
        peer_open_unix(&peer, path, steps, 1);
    else
        peer_open(&peer, steps, 1);
    client_open(&client, path ? 1 : peer.port);
    client.reach.unix_socket = path;
    for (int i = 0; i < ROUNDS; i++) {
        struct e8_exchange *x = client_run(&client);
        assert_outcome(x, E8_DELIVERED);
        assert_int_equal(x->status, 200);
        assert_int_equal(x->flags, i ? flags : 0);
        sem_post(&go);
        peer_wait(&idle_done);
    }
    struct e8_transport_counts counts = e8_transport_counts(client.transport);
    assert_int_equal(counts.idle_closed, closed * (ROUNDS - 1));
    assert_int_equal(counts.idle_bytes, bytes * (ROUNDS - 1));
    assert_int_equal(counts.reused, 0);
    assert_int_equal(counts.connections, ROUNDS);
    assert_int_equal(atomic_load(&peer.requests), ROUNDS);
    client_close(&client);
    peer_close(&peer);
    sem_destroy(&go);
    sem_destroy(&idle_done);
}

static atomic_bool closing;

static void talk_close_later(int fd)
{
    if (atomic_load(&closing))
        talk_idle_close(fd);
    else
        peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
}

static int look_during(struct client *client, int exchanges)
{
    int before = atomic_load(&interpose_looks);
    for (int i = 0; i < exchanges; i++)
        assert_outcome(client_run(client), E8_DELIVERED);
    return atomic_load(&interpose_looks) - before;
}

/* Rule 2, and what it costs: where the receiver has kept its connections for long, one that has just answered is used unseen, until it
 * leaves one. */
static void test_trusted(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    if (client_http == E8_HTTP_11)
        return;
    sem_init(&go, 0, 0);
    sem_init(&idle_done, 0, 0);
    atomic_store(&closing, false);
    peer_open(&peer, STEPS({.talk = talk_close_later}));
    client_open(&client, peer.port);
    assert_in_range(look_during(&client, 900), 899, 899);
    look_during(&client, 101);
    assert_in_range(look_during(&client, 1000), 0, 500); /* a busy machine takes its time for some */
    usleep(5000);
    assert_int_equal(look_during(&client, 1), 1); /* it has not just answered */
    atomic_store(&closing, true);
    look_during(&client, 1);
    sem_post(&go);
    peer_wait(&idle_done);
    usleep(5000);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(look_during(&client, 1), 1);
        assert_int_equal(client.exchange.flags, E8_FLAG_RECONNECTED);
        sem_post(&go);
        peer_wait(&idle_done);
    }
    assert_int_equal(e8_transport_counts(client.transport).idle_closed, 20);
    assert_int_equal(atomic_load(&peer.connections), 21);
    client_close(&client);
    peer_close(&peer);
    sem_destroy(&go);
    sem_destroy(&idle_done);
}

/* Rule 2. */
static void test_idle_bytes(void **state)
{
    (void)state;
    idle_case(talk_idle_bytes, E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES, 0, 1, NULL);
}

static void test_idle_close(void **state)
{
    (void)state;
    idle_case(talk_idle_close, E8_FLAG_RECONNECTED, 1, 0, NULL);
}

static void test_idle_reset(void **state)
{
    (void)state;
    idle_case(talk_idle_reset, E8_FLAG_RECONNECTED, 1, 0, NULL);
}

static void unix_path(char path[64])
{
    char dir[] = "/tmp/e8-transport-XXXXXX";
    assert_non_null(mkdtemp(dir));
    snprintf(path, 64, "%s/s", dir);
}

static void unix_gone(const char *path)
{
    unlink(path);
    char dir[64];
    snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
    rmdir(dir);
}

static void test_idle_bytes_unix(void **state)
{
    (void)state;
    char path[64];
    unix_path(path);
    idle_case(talk_idle_bytes, E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES, 0, 1, path);
    unix_gone(path);
}

static void test_idle_close_unix(void **state)
{
    (void)state;
    char path[64];
    unix_path(path);
    idle_case(talk_idle_close, E8_FLAG_RECONNECTED, 1, 0, path);
    unix_gone(path);
}

/* Replies come when all of a round's requests have been read. */
static pthread_barrier_t together;

static void talk_together(int fd)
{
    pthread_barrier_wait(&together);
    peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
}

static void talk_when_told(int fd)
{
    peer_wait(&go);
    peer_write(fd, OK_REPLY, sizeof OK_REPLY - 1);
    sem_post(&idle_done);
}

static void submit_all(struct client *client, struct e8_exchange *x, int count)
{
    for (int i = 0; i < count; i++) {
        x[i] = client->exchange;
        x[i].deadline = e8_mono_now() + 20 * E8_NS_S;
        e8_transport_submit(client->transport, &x[i]);
    }
}

/* A unix socket has no port to know a connection by. One that is busy, with its answer there already, is let alone while
 * the idle ones are looked at. */
static void test_unix_reuse(void **state)
{
    (void)state;
    char path[64];
    struct peer peer;
    struct client client;
    struct e8_exchange x[2];
    unix_path(path);
    sem_init(&go, 0, 0);
    sem_init(&idle_done, 0, 0);
    pthread_barrier_init(&together, NULL, 2);
    peer_open_unix(&peer, path, STEPS({.talk = talk_together}, {.talk = talk_when_told}));
    client_open(&client, 1);
    client.reach.unix_socket = path;
    submit_all(&client, x, 2);
    for (int i = 0; i < 2; i++)
        assert_outcome(client_await(&client), E8_DELIVERED);
    for (int i = 0; i < 2; i++) {
        e8_transport_submit(client.transport, &x[i]);
        e8_transport_wait(client.transport, e8_mono_now()); /* sends it */
        sem_post(&go);
        peer_wait(&idle_done);
    }
    for (int i = 0; i < 2; i++) {
        struct e8_exchange *one = client_await(&client);
        assert_outcome(one, E8_DELIVERED);
        assert_int_equal(one->flags, E8_FLAG_REUSED);
    }
    assert_int_equal(atomic_load(&peer.connections), 2);
    client_close(&client);
    peer_close(&peer);
    pthread_barrier_destroy(&together);
    sem_destroy(&go);
    sem_destroy(&idle_done);
    unix_gone(path);
}

/* The server speaks, or goes, before the request has been sent: it is not sent then. */
static void test_too_early(void **state)
{
    (void)state;
    static const struct {
        struct peer_step step;
        enum e8_outcome outcome;
    } rows[] = {
        {{.unasked = true, .reply = OK_REPLY, .end = PEER_HOLD}, E8_DESYNC},
        {{.unasked = true, .reply = "x", .end = PEER_HOLD}, E8_DESYNC},
        {{.unasked = true, .end = PEER_CLOSE}, E8_NO_RESPONSE},
        {{.unasked = true, .end = PEER_RESET}, E8_RESET},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct peer peer;
        struct client client;
        peer_open(&peer, &rows[i].step, 1);
        client_open(&client, peer.port);
        atomic_store(&interpose_connect_wait, 1);
        struct e8_exchange *x = client_run(&client);
        atomic_store(&interpose_connect_wait, 0);
        assert_outcome(x, rows[i].outcome);
        assert_int_equal(x->status, 0);
        assert_true(x->sent == x->done);
        assert_int_equal(x->bytes_sent, 0);
        client_close(&client);
        peer_close(&peer);
    }
}

/* Rule 4. */
static void test_max_connects(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static struct e8_exchange x[COUNT];
    struct peer peer;
    struct client client;
    pthread_barrier_init(&together, NULL, COUNT);
    peer_open(&peer, STEPS({.talk = talk_together}));
    client_open(&client, peer.port);
    for (int round = 0; round < 2; round++) {
        submit_all(&client, x, COUNT);
        for (int i = 0; i < COUNT; i++)
            assert_outcome(client_await(&client), E8_DELIVERED);
    }
    assert_int_equal(atomic_load(&peer.connections), COUNT);
    assert_int_equal(e8_transport_counts(client.transport).connections, COUNT);
    assert_int_equal(e8_transport_counts(client.transport).reused, COUNT);
    client_close(&client);
    peer_close(&peer);
    pthread_barrier_destroy(&together);
}

/* Rules 3 and 5: more than one multi takes, and no queue behind them. */
static void test_no_queue(void **state)
{
    (void)state;
    enum { WIDE = 600 };
    struct peer peer;
    struct client client;
    static struct e8_exchange x[WIDE];
    peer_open(&peer, STEPS({.end = PEER_HOLD, .signal = true}));
    client_open(&client, peer.port);
    for (int i = 0; i < WIDE; i++) {
        x[i] = client.exchange;
        x[i].deadline = E8_NEVER;
        e8_transport_submit(client.transport, &x[i]);
    }
    e8_mono_ns until = e8_mono_now() + 20 * E8_NS_S;
    while (atomic_load(&peer.requests) < WIDE && e8_mono_now() < until)
        e8_transport_wait(client.transport, e8_mono_now() + 10 * E8_NS_MS);
    assert_int_equal(atomic_load(&peer.requests), WIDE);
    if (client_http == E8_HTTP_11) /* links have left their multi by then */
        assert_int_equal(client.transport->multi_count, (WIDE + 255) / 256);
    for (int i = 0; i < WIDE; i++) {
        e8_transport_abort(client.transport, &x[i]);
        e8_transport_abort(client.transport, &x[i]); /* harmless */
        assert_outcome(client_await(&client), E8_ABORTED);
    }
    client_close(&client);
    peer_close(&peer);
}

/* Rule 7. */
static void test_no_expect(void **state)
{
    (void)state;
    enum { SIZE = 2 << 20 };
    struct peer peer;
    struct client client;
    char *body = malloc(SIZE);
    memset(body, 'x', SIZE);
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    client.exchange.body = (struct e8_str){body, SIZE};
    struct e8_exchange *x = client_run(&client);
    assert_outcome(x, E8_DELIVERED);
    assert_false(last_has(&peer, "expect:"));
    assert_int_equal(peer.last_body, SIZE);
    assert_true(x->bytes_sent > SIZE);
    assert_true(x->done - x->sent < 900 * E8_NS_MS);
    client_close(&client);
    peer_close(&peer);
    free(body);
}

/* The request as it goes out, byte by byte: none of libcurl's own headers, no compression asked (rules 11, 18). */
static void test_request_bytes(void **state)
{
    (void)state;
    char want[512];
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    struct e8_exchange *x = client_run(&client);
    assert_outcome(x, E8_DELIVERED);
    int n = snprintf(want, sizeof want,
                     "POST /hook?x=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "X-Empty:\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
                     peer.port);
    assert_string_equal(peer.last, want);
    assert_int_equal(x->bytes_sent, n);
    assert_int_equal(x->bytes_received, sizeof OK_REPLY - 1);
    assert_string_equal(x->address, "127.0.0.1");
    assert_int_equal(x->http_version, 11);
    client.exchange.header_count = 0;
    assert_outcome(client_run(&client), E8_DELIVERED);
    assert_false(last_has(&peer, "content-type"));
    assert_false(last_has(&peer, "accept"));
    assert_false(last_has(&peer, "user-agent"));
    client_close(&client);
    peer_close(&peer);
}

static void test_methods(void **state)
{
    (void)state;
    static const struct {
        const char *method, *body, *line, *length;
    } rows[] = {
        {"PUT", "abc", "PUT /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 3\r\n"},
        {"GET", "", "GET /hook?x=1 HTTP/1.1\r\n", NULL},
        {"GET", "abc", "GET /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 3\r\n"},
        {"POST", "", "POST /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n"},
        {"DELETE", "", "DELETE /hook?x=1 HTTP/1.1\r\n", NULL},
        {"PATCH", "", "PATCH /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n"},
        {"POST", "abcd", "POST /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 4\r\n"},
        {"PURGE", "x", "PURGE /hook?x=1 HTTP/1.1\r\n", "\r\nContent-Length: 1\r\n"},
        {"OPTIONS", "", "OPTIONS /hook?x=1 HTTP/1.1\r\n", NULL},
    };
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        client.exchange.method = e8_str(rows[i].method);
        client.exchange.body = e8_str(rows[i].body);
        assert_outcome(client_run(&client), E8_DELIVERED);
        assert_int_equal(strncmp(peer.last, rows[i].line, strlen(rows[i].line)), 0);
        assert_true(last_has(&peer, rows[i].length ? rows[i].length : "\r\n"));
        assert_int_equal(last_has(&peer, "content-length"), rows[i].length != NULL);
        assert_string_equal(peer.last + peer.last_n - strlen(rows[i].body), rows[i].body);
    }
    assert_int_equal(atomic_load(&peer.connections), 1);
    client_close(&client);
    peer_close(&peer);
}

static void test_head_method(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"}));
    client_open(&client, peer.port);
    client.exchange.method = E8_LIT("HEAD");
    client.exchange.body = E8_LIT("");
    assert_outcome(client_run(&client), E8_DELIVERED);
    assert_int_equal(strncmp(peer.last, "HEAD ", 5), 0);
    client_close(&client);
    peer_close(&peer);
}

/* Rule 11: one request, and the Location as it was said. */
static void test_no_redirect(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer,
              STEPS({.reply = "HTTP/1.1 307 X\r\nLocation: /next\tx\r\nRetry-After: 7\r\nRetry-After: 9\r\n"
                              "Content-Length: 0\r\n\r\n"}));
    client_open(&client, peer.port);
    struct e8_exchange *x = client_run(&client);
    assert_outcome(x, E8_REDIRECT);
    assert_string_equal(x->location, "/next x");
    assert_string_equal(x->retry_after, "7");
    assert_int_equal(atomic_load(&peer.requests), 1);
    client_close(&client);
    peer_close(&peer);
}

/* Rule 11: the environment reroutes nothing; a proxy that is named is used, and no_proxy does not undo it. */
static void test_proxy(void **state)
{
    (void)state;
    char text[64];
    struct peer peer, other;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    peer_open(&other, STEPS({.reply = OK_REPLY}));
    snprintf(text, sizeof text, "http://127.0.0.1:%d", other.port);
    setenv("http_proxy", text, 1);
    setenv("all_proxy", text, 1);
    setenv("no_proxy", "127.0.0.1", 1);
    client_open(&client, peer.port);
    assert_outcome(client_run(&client), E8_DELIVERED);
    assert_int_equal(atomic_load(&other.requests), 0);
    struct e8_reach reach = {.proxy = text};
    client.exchange.reach = &reach;
    assert_outcome(client_run(&client), E8_DELIVERED);
    assert_int_equal(atomic_load(&other.requests), 1);
    assert_true(last_has(&other, "POST http://127.0.0.1:"));
    client.exchange.reach = &client.reach; /* and back: neither handle nor connection is mixed up */
    assert_outcome(client_run(&client), E8_DELIVERED);
    assert_int_equal(atomic_load(&other.requests), 1);
    assert_int_equal(atomic_load(&peer.requests), 2);
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("no_proxy");
    client_close(&client);
    peer_close(&peer);
    peer_close(&other);
}

/* Rule 11: netrc and cookies. */
static void test_no_netrc_no_cookies(void **state)
{
    (void)state;
    char dir[] = "/tmp/e8-transport-XXXXXX", path[64];
    struct peer peer;
    struct client client;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/.netrc", dir);
    assert_int_equal(e8_file_write(path, E8_LIT("machine 127.0.0.1 login a password b\n"), NULL), E8_OK);
    char *home = e8_dup(getenv("HOME"));
    setenv("HOME", dir, 1);
    peer_open(&peer, STEPS({.reply = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"}));
    client_open(&client, peer.port);
    for (int i = 0; i < 2; i++)
        assert_outcome(client_run(&client), E8_DELIVERED);
    assert_false(last_has(&peer, "authorization:"));
    assert_false(last_has(&peer, "cookie:"));
    client_close(&client);
    peer_close(&peer);
    setenv("HOME", home ? home : "/", 1);
    free(home);
    unlink(path);
    rmdir(dir);
}

/* Rule 18: what was compressed without having been asked for stays as it is. */
static void test_no_decompression(void **state)
{
    (void)state;
    static const char gzip[] =
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00";
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = gzip, .n = sizeof gzip - 1}));
    client_open(&client, peer.port);
    client.exchange.keep = true;
    struct e8_exchange *x = client_run(&client);
    assert_outcome(x, E8_DELIVERED);
    assert_int_equal(x->content.n, 4);
    assert_memory_equal(x->content.p, "\x1f\x8b\x08\x00", 4);
    client_close(&client);
    peer_close(&peer);
}

static void talk_2_mib(int fd)
{
    static char bytes[2 << 20];
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 2097152\r\n\r\n";
    memset(bytes, 'y', sizeof bytes);
    peer_write(fd, head, sizeof head - 1);
    peer_write(fd, bytes, sizeof bytes);
}

static void talk_1_mib(int fd)
{
    static char bytes[1 << 20];
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n";
    peer_write(fd, head, sizeof head - 1);
    peer_write(fd, bytes, sizeof bytes);
}

static void test_keep(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer,
              STEPS({.reply = OK_REPLY}, {.talk = talk_1_mib}, {.talk = talk_2_mib, .end = PEER_CLOSE}));
    client_open(&client, peer.port);
    client.exchange.keep = true;
    struct e8_exchange *x = client_run(&client);
    assert_true(e8_str_is(e8_buf_str(&x->head), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"));
    assert_true(e8_str_is(e8_buf_str(&x->content), "ok"));
    x = client_run(&client);
    assert_outcome(x, E8_DELIVERED);
    assert_int_equal(x->flags, E8_FLAG_REUSED);
    x = client_run(&client);
    assert_outcome(x, E8_DELIVERED);
    assert_int_equal(x->flags, E8_FLAG_REUSED | E8_FLAG_BODY_CAPPED);
    assert_int_equal(x->content.n, E8_BODY_KEEP_MAX);
    assert_int_equal(x->content.p[E8_BODY_KEEP_MAX - 1], 'y');
    client_close(&client);
    peer_close(&peer);
}

/* Rule 20. */
static void test_rebuild(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    assert_outcome(client_run(&client), E8_DELIVERED);
    struct e8_exchange other = client.exchange;
    other.deadline = E8_NEVER;
    e8_transport_submit(client.transport, &other);
    atomic_store(&interpose_action_failures, 1);
    client_submit(&client);
    for (int i = 0; i < 2; i++)
        assert_true(client_await(&client)->outcome == E8_UNKNOWN || client.exchange.outcome == E8_UNKNOWN);
    assert_outcome(&client.exchange, E8_UNKNOWN);
    assert_int_equal(e8_transport_counts(client.transport).rebuilt, 1);
    assert_outcome(client_run(&client), E8_DELIVERED);
    client_close(&client);
    peer_close(&peer);
}

/* What this machine lacks is not the receiver's fault. */
static void test_shortage(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    for (int i = 0; i < 2 && client_http != E8_HTTP_11;
         i++) { /* on a new connection, and on one that was used before */
        atomic_store(&interpose_send_errno, i ? ENOMEM : ENOBUFS);
        assert_outcome(client_run(&client), E8_GEN_MEMORY);
        assert_string_equal(client.exchange.error, "emit8 ran out of memory");
        assert_outcome(client_run(&client), E8_DELIVERED);
    }
    client_close(&client);
    peer_close(&peer);
}

/* A request that is taken in part, and whose connection breaks later, was no stale connection's. */
static void take_some(int fd)
{
    char bytes[65536];
    if (recv(fd, bytes, sizeof bytes, 0) > 0)
        usleep(400000);
}

static void test_broken_upload(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    size_t size = 32 << 20;
    char *body = malloc(size);
    memset(body, 'b', size);
    peer_open(&peer, STEPS({.reply = OK_REPLY}, {.unasked = true, .talk = take_some, .end = PEER_RESET}));
    client_open(&client, peer.port);
    assert_outcome(client_run(&client), E8_DELIVERED);
    client.exchange.body = (struct e8_str){body, size};
    struct e8_exchange *x = client_run(&client);
    assert_true(x->outcome == E8_RESET || x->outcome == E8_NO_RESPONSE);
    assert_true(x->flags & E8_FLAG_REUSED);
    client_close(&client);
    peer_close(&peer);
    free(body);
}

/* What a receiver says is cleaned before it can meet a terminal. */
static void test_cleaned(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer,
              STEPS({.reply = "HTTP/1.1 302 X\r\nLocation: \x1b[31mred\x07\r\nContent-Length: 0\r\n\r\n"}));
    client_open(&client, peer.port);
    struct e8_exchange *x = client_run(&client);
    assert_null(strpbrk(x->location, "\x1b\x07"));
    assert_null(strpbrk(x->error, "\x1b\x07"));
    client_close(&client);
    peer_close(&peer);
}

/* Rule 13. */
static void test_signals(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    struct sigaction now;
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_IGN);
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    int before = atomic_load(&interpose_signals);
    assert_outcome(client_run(&client), E8_DELIVERED);
    client_close(&client);
    assert_int_equal(atomic_load(&interpose_signals), before);
    peer_close(&peer);
}

/* Rule 12: what would break the head of the request is a bug of the caller's, and ends here. */
static void test_header_injection(void **state)
{
    (void)state;
    static const struct e8_header bad[] = {{{"X", 1}, {"a\r\nY: b", 7}},
                                           {{"X", 1}, {"a\0b", 3}},
                                           {{"X: y\nZ", 7}, {"a", 1}},
                                           {{"", 0}, {"a", 1}}};
    struct client client;
    client_open(&client, 1);
    client.exchange.header_count = 1;
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        int status;
        client.headers[0] = bad[i];
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            (void)!freopen("/dev/null", "w", stderr);
            signal(SIGABRT, SIG_DFL);
            client_submit(&client);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
    client_close(&client);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_hidden_resend),
    cmocka_unit_test(test_resend_spares_idle),
    cmocka_unit_test(test_idle_bytes),
    cmocka_unit_test(test_trusted),
    cmocka_unit_test(test_idle_close),
    cmocka_unit_test(test_idle_reset),
    cmocka_unit_test(test_idle_bytes_unix),
    cmocka_unit_test(test_idle_close_unix),
    cmocka_unit_test(test_unix_reuse),
    cmocka_unit_test(test_too_early),
    cmocka_unit_test(test_max_connects),
    cmocka_unit_test(test_no_queue),
    cmocka_unit_test(test_no_expect),
    cmocka_unit_test(test_request_bytes),
    cmocka_unit_test(test_methods),
    cmocka_unit_test(test_head_method),
    cmocka_unit_test(test_no_redirect),
    cmocka_unit_test(test_proxy),
    cmocka_unit_test(test_no_netrc_no_cookies),
    cmocka_unit_test(test_no_decompression),
    cmocka_unit_test(test_keep),
    cmocka_unit_test(test_rebuild),
    cmocka_unit_test(test_shortage),
    cmocka_unit_test(test_broken_upload),
    cmocka_unit_test(test_cleaned),
    cmocka_unit_test(test_signals),
    cmocka_unit_test(test_header_injection),

};

int run_rules(void)
{
    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
