/* Many exchanges at a time on connections that are kept: their requests go out, and their answers are read, with one system call. */
#include "peer.h"
#include "tests.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/internal.h"

/* ---- batch.c ---- */

enum { PAIRS = 6, SENT_BYTES = 100 };

static void open_pairs(int near[PAIRS], int far[PAIRS])
{
    for (int i = 0; i < PAIRS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        near[i] = pair[0];
        far[i] = pair[1];
    }
}

static void close_pairs(const int near[PAIRS], const int far[PAIRS])
{
    for (int i = 0; i < PAIRS; i++) {
        close(near[i]);
        if (i != 4)
            close(far[i]);
    }
}

/* 0 and 1 say something, 2 nothing, 3 says no more, 4 is closed, 5 is no socket that is open. */
static void check_reads(struct e8_batch *batch, const int near[PAIRS], const int far[PAIRS])
{
    static char bytes[PAIRS][64];
    static const ssize_t want[PAIRS] = {5, 64, -EAGAIN, 0, 0, -EBADF};
    struct e8_io list[PAIRS];
    char long_text[100];
    memset(long_text, 'x', sizeof long_text);
    assert_int_equal(send(far[0], "hello", 5, 0), 5);
    assert_int_equal(send(far[1], long_text, sizeof long_text, 0), sizeof long_text);
    shutdown(far[3], SHUT_WR);
    close(far[4]);
    for (int i = 0; i < PAIRS; i++)
        list[i] = (struct e8_io){.fd = i == 5 ? -1 : near[i], .bytes = bytes[i], .n = 64};
    e8_batch_run(batch, E8_IO_RECV, list, PAIRS);
    for (int i = 0; i < PAIRS; i++)
        assert_int_equal(list[i].done, want[i]);
    assert_memory_equal(bytes[0], "hello", 5);
    assert_memory_equal(bytes[1], long_text, 64);
}

static void check_sends(struct e8_batch *batch, const int near[PAIRS], const int far[PAIRS])
{
    static char bytes[PAIRS][SENT_BYTES], back[2 * SENT_BYTES];
    struct e8_io list[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        memset(bytes[i], 'a' + i, sizeof bytes[i]);
        list[i] = (struct e8_io){.fd = i == 5 ? -1 : near[i], .bytes = bytes[i], .n = SENT_BYTES - (size_t)i};
    }
    e8_batch_run(batch, E8_IO_SEND, list, PAIRS);
    for (int i = 0; i < PAIRS; i++) {
        ssize_t want = i == 4 ? -EPIPE : i == 5 ? -EBADF : SENT_BYTES - i;
        assert_int_equal(list[i].done, want);
        if (want < 0)
            continue;
        assert_int_equal(recv(far[i], back, sizeof back, MSG_DONTWAIT), want);
        assert_memory_equal(back, bytes[i], (size_t)want);
    }
}

/* With a ring, where the kernel gives one, and without: there is no difference to be seen. */
static void test_run(void **state)
{
    (void)state;
    for (int alone = 0; alone <= 1; alone++) {
        struct e8_batch *batch = e8_batch_new();
        int near[PAIRS], far[PAIRS];
        if (alone)
            e8_batch_forgo(batch);
        open_pairs(near, far);
        check_reads(batch, near, far);
        check_sends(batch, near, far);
        check_sends(batch, near, far);
        if (!alone) { /* in the midst of use */
            e8_batch_forgo(batch);
            check_sends(batch, near, far);
        }
        close_pairs(near, far);
        e8_batch_free(&batch);
    }
}

/* What a full socket does not take is told. */
static void test_partial(void **state)
{
    (void)state;
    static char big[4 << 20];
    for (int alone = 0; alone <= 1; alone++) {
        struct e8_batch *batch = e8_batch_new();
        int pair[2][2];
        struct e8_io list[2];
        if (alone)
            e8_batch_forgo(batch);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[i]), 0);
            list[i] = (struct e8_io){.fd = pair[i][0], .bytes = big, .n = sizeof big};
        }
        e8_batch_run(batch, E8_IO_SEND, list, 2);
        for (int i = 0; i < 2; i++)
            assert_in_range(list[i].done, 1, sizeof big - 1);
        e8_batch_run(batch, E8_IO_SEND, list, 2);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(list[i].done, -EAGAIN);
            close(pair[i][0]);
            close(pair[i][1]);
        }
        e8_batch_free(&batch);
    }
}

#define NEAR    (5 * E8_NS_MS) /* two clocks are looked at, on a machine that may be busy */
#define SETTLES 50000          /* microseconds after which a kernel makes stamps that has made none so far */

/* When bytes came is told of TCP; of what has no stamps, when they were read. */
static void check_arrival(struct e8_batch *batch, int near, int far, bool stamped)
{
    char bytes[2][8];
    struct e8_io list[2] = {{.fd = near, .bytes = bytes[0], .n = 1}, {.fd = near, .bytes = bytes[1], .n = 8}};
    e8_mono_ns before = e8_mono_now();
    assert_int_equal(send(far, "ab", 2, 0), 2);
    e8_mono_ns sent = e8_mono_now();
    usleep(20000);
    e8_mono_ns late = e8_mono_now();
    for (size_t count = 1; count <= 2; count++) {
        e8_batch_run(batch, E8_IO_RECV_STAMPED, list, count);
        assert_int_equal(list[0].done, 1);
        if (stamped)
            assert_in_range(list[0].at, before - NEAR, sent + NEAR);
        else
            assert_in_range(list[0].at, late, e8_mono_now());
    }
    assert_int_equal(list[1].done, -EAGAIN);
    assert_in_range(list[1].at, late, e8_mono_now());
}

static void open_tcp(int *near, int *far)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    *near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    e8_arrival_want(*near);
    assert_int_equal(connect(*near, (struct sockaddr *)&at, size), 0);
    *far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*far >= 0);
    close(listener);
}

static void test_arrival(void **state)
{
    int asked = e8_arrival_begin();
    (void)state;
    usleep(SETTLES);
    for (int i = 0; i < 4; i++) {
        struct e8_batch *batch = e8_batch_new();
        bool tcp = i & 1;
        int pair[2];
        if (i & 2)
            e8_batch_forgo(batch);
        if (tcp)
            open_tcp(&pair[0], &pair[1]);
        else
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        check_arrival(batch, pair[0], pair[1], tcp);
        close(pair[0]);
        close(pair[1]);
        e8_batch_free(&batch);
    }
    close(asked);
}

/* ---- exchanges ---- */

enum fate { PLAIN, LAST, CLOSED, REFUSED, LONG, FULL, HALVES, GARBAGE, TRAILING, FATES };
enum { MANY = E8_BATCH_MAX + FATES };

static sem_t arrived, go, answered, go_on;

static void say(int fd, int status, size_t body, const char *more)
{
    char *text = malloc(body + 200);
    int n = snprintf(text, 200, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", status, more, body);
    memset(text + n, 'b', body);
    peer_write(fd, text, (size_t)n + body);
    free(text);
}

/* All of its size is what is read of an answer in a batch, no more. */
static void say_full(int fd)
{
    char head[64];
    size_t n = (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n");
    say(fd, 200, E8_PIECE - n, "");
}

static void say_halves(int fd)
{
    char first[E8_PIECE];
    int n = snprintf(first, sizeof first, "HTTP/1.1 200 X\r\nContent-Length: %zu\r\n\r\n", 2 * E8_PIECE);
    memset(first + n, 'h', sizeof first - (size_t)n);
    peer_write(fd, first, sizeof first);
    sem_post(&answered);
    peer_wait(&go_on);
    char *rest = calloc(1, E8_PIECE + (size_t)n);
    peer_write(fd, rest, E8_PIECE + (size_t)n);
    free(rest);
}

/* The request's path is the answer's fate, "/" an answer at once. False: the connection ends. */
static bool answer(int fd)
{
    char request[8192] = "", *end = NULL;
    size_t n = 0;
    while (!end || n < (size_t)(end - request) + 4 + 7) { /* the body is {"a":1} */
        ssize_t r = recv(fd, request + n, sizeof request - 1 - n, 0);
        if (r <= 0)
            return false;
        n += (size_t)r;
        end = memmem(request, n, "\r\n\r\n", 4);
    }
    const char *path = strchr(request, '/');
    if (path[1] < 'a') {
        say(fd, 200, 2, "");
        return true;
    }
    enum fate fate = (enum fate)(path[1] - 'a');
    sem_post(&arrived);
    peer_wait(&go);
    switch (fate) {
    case LAST:
        say(fd, 200, 2, "Connection: close\r\n");
        break;
    case CLOSED:
        shutdown(fd, SHUT_RDWR);
        break;
    case REFUSED:
        say(fd, 503, 5, "");
        break;
    case LONG:
        say(fd, 200, 100000, "");
        break;
    case FULL:
        say_full(fd);
        break;
    case HALVES:
        say_halves(fd);
        break;
    case GARBAGE:
        peer_write(fd, "garbage\r\n\r\n", 11);
        break;
    case TRAILING:
        peer_write(fd, OK_REPLY "more", sizeof OK_REPLY + 3);
        break;
    default:
        say(fd, 200, 2, "");
        break;
    }
    if (fate != HALVES)
        sem_post(&answered);
    if (fate == LAST)
        shutdown(fd, SHUT_WR);
    return fate != CLOSED;
}

struct round {
    struct client *client;
    struct e8_exchange x[MANY];
    char urls[MANY][64];
};

static void submit(struct round *round, int i, int path)
{
    struct e8_exchange *x = &round->x[i];
    snprintf(round->urls[i], sizeof round->urls[i], "%.*s%c",
             (int)(strrchr(round->client->url, '/') - round->client->url + 1), round->client->url, path);
    *x = round->client->exchange;
    x->url = e8_str(round->urls[i]);
    x->deadline = e8_mono_now() + 20 * E8_NS_S;
    e8_transport_submit(round->client->transport, x);
}

static void take_all(struct round *round, int count)
{
    for (int i = 0; i < count; i++)
        client_await(round->client);
}

static void wait_times(sem_t *sem, int times)
{
    for (int i = 0; i < times; i++)
        peer_wait(sem);
}

static void post_times(sem_t *sem, int times)
{
    for (int i = 0; i < times; i++)
        sem_post(sem);
}

static void check_fate(const struct e8_exchange *x, enum fate fate)
{
    static const struct {
        enum e8_outcome outcome;
        int status, flags;
    } want[FATES] = {
        [PLAIN] = {E8_DELIVERED, 200, 0},
        [LAST] = {E8_DELIVERED, 200, 0},
        [CLOSED] = {E8_STALE_CONNECTION, 0, 0},
        [REFUSED] = {E8_HTTP_5XX, 503, 0},
        [LONG] = {E8_DELIVERED, 200, 0},
        [FULL] = {E8_DELIVERED, 200, 0},
        [HALVES] = {E8_DELIVERED, 200, 0},
        [GARBAGE] = {E8_NOT_HTTP, 0, 0},
        [TRAILING] = {E8_DELIVERED, 200, E8_FLAG_TRAILING_BYTES},
    };
    assert_int_equal(x->outcome, want[fate].outcome);
    assert_int_equal(x->status, want[fate].status);
    assert_int_equal(x->flags, want[fate].flags | E8_FLAG_REUSED);
    if (fate == FULL)
        assert_int_equal(x->bytes_received, E8_PIECE);
    assert_true(x->sent > 0 && x->bytes_sent > 0);
    assert_int_equal(x->phases.total, x->done - x->sent);
}

static void open_more(struct round *round, struct client *client, struct peer *peer, bool alone, bool stamps)
{
    static const struct peer_step steps[] = {{.serve = answer}};
    peer_open(peer, steps, 1);
    sem_init(&arrived, 0, 0);
    sem_init(&go, 0, 0);
    sem_init(&answered, 0, 0);
    sem_init(&go_on, 0, 0);
    client_open(client, peer->port);
    if (stamps) {
        e8_transport_stamp(client->transport);
        usleep(SETTLES);
    }
    if (alone)
        e8_batch_forgo(client->transport->batch);
    round->client = client;
    for (int i = 0; i < MANY; i++)
        submit(round, i, '?');
    take_all(round, MANY);
    assert_int_equal(e8_transport_counts(client->transport).connections, MANY);
}

static void open_all(struct round *round, struct client *client, struct peer *peer, bool alone)
{
    open_more(round, client, peer, alone, false);
}

static void close_all(struct client *client, struct peer *peer)
{
    client_close(client);
    peer_close(peer);
    sem_destroy(&arrived);
    sem_destroy(&go);
    sem_destroy(&answered);
    sem_destroy(&go_on);
}

/* All have come before the first is answered, and all answers lie there before the first is read. */
static void test_fates(void **state)
{
    (void)state;
    static struct round round;
    for (int alone = 0; alone <= 1 && client_http != E8_HTTP_11; alone++) {
        struct peer peer;
        struct client client;
        int halves = (MANY - HALVES + FATES - 1) / FATES;
        open_all(&round, &client, &peer, alone);
        for (int i = 0; i < MANY; i++)
            submit(&round, i, 'a' + i % FATES);
        assert_int_equal(client.transport->outgoing_count, MANY - E8_BATCH_MAX);
        e8_transport_wait(client.transport, e8_mono_now());
        assert_int_equal(client.transport->outgoing_count, 0);
        wait_times(&arrived, MANY);
        post_times(&go, MANY);
        wait_times(&answered, MANY);
        take_all(&round, MANY - halves);
        post_times(&go_on, halves);
        take_all(&round, halves);
        for (int i = 0; i < MANY; i++)
            check_fate(&round.x[i], (enum fate)(i % FATES));
        for (int i = 1; i < MANY; i++)
            assert_true(round.x[i].sent > round.x[i - 1].sent);
        close_all(&client, &peer);
    }
}

/* An answer that is read late came when the kernel had it, where that is asked for. */
static void test_late(void **state)
{
    (void)state;
    static struct round round;
    for (int i = 0; i < 4 && client_http != E8_HTTP_11; i++) {
        struct peer peer;
        struct client client;
        bool stamps = i & 1;
        open_more(&round, &client, &peer, i & 2, stamps);
        for (int k = 0; k < 3; k++)
            submit(&round, k, 'a' + PLAIN);
        e8_transport_wait(client.transport, e8_mono_now());
        post_times(&go, 3);
        wait_times(&answered, 3);
        e8_mono_ns said = e8_mono_now();
        usleep(50000);
        e8_mono_ns late = e8_mono_now();
        take_all(&round, 3);
        for (int k = 0; k < 3; k++) {
            const struct e8_exchange *x = &round.x[k];
            assert_int_equal(x->outcome, E8_DELIVERED);
            assert_true(stamps ? x->done <= said + NEAR : x->done >= late);
            assert_true(x->done >= x->sent);
        }
        close_all(&client, &peer);
    }
}

/* Whether an answer was in time is told by when it came, not by when it was read. */
static void test_in_time(void **state)
{
    (void)state;
    static struct round round;
    for (int late = 0; late <= 1 && client_http != E8_HTTP_11; late++) {
        struct peer peer;
        struct client client;
        open_more(&round, &client, &peer, false, true);
        submit(&round, 0, 'a' + PLAIN);
        round.x[0].deadline = e8_mono_now() + 200 * E8_NS_MS;
        e8_transport_wait(client.transport, e8_mono_now());
        usleep(late ? 300000 : 0);
        sem_post(&go);
        peer_wait(&answered);
        usleep(late ? 0 : 300000);
        client_await(&client);
        assert_int_equal(round.x[0].outcome, late ? E8_TIMEOUT_FIRST_BYTE : E8_DELIVERED);
        close_all(&client, &peer);
    }
}

static bool answer_ahead(int fd)
{
    if (!answer(fd))
        return false;
    peer_wait(&go);
    say(fd, 200, 2, ""); /* to nothing */
    sem_post(&answered);
    char rest[4096];
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    return false;
}

/* What was there before the request is no answer to it. */
static void test_ahead(void **state)
{
    (void)state;
    static const struct peer_step steps[] = {{.serve = answer_ahead}};
    static struct round round;
    struct peer peer;
    struct client client;
    if (client_http == E8_HTTP_11)
        return;
    peer_open(&peer, steps, 1);
    sem_init(&go, 0, 0);
    sem_init(&answered, 0, 0);
    client_open(&client, peer.port);
    e8_transport_stamp(client.transport);
    usleep(SETTLES);
    round.client = &client;
    submit(&round, 0, '?');
    client_await(&client);
    assert_int_equal(round.x[0].outcome, E8_DELIVERED);
    submit(&round, 1, '?'); /* waits for the end of the turn */
    sem_post(&go);
    peer_wait(&answered);
    usleep(20000);
    client_await(&client);
    assert_int_equal(round.x[1].outcome, E8_DESYNC);
    assert_string_equal(round.x[1].error, "the receiver spoke before the request was sent");
    client_close(&client);
    peer_close(&peer);
    sem_destroy(&go);
    sem_destroy(&answered);
}

/* What goes another way does not overtake those that were begun before it. */
static void test_order(void **state)
{
    (void)state;
    static struct round round;
    static const struct e8_wire chunked = {.chunked = true, .close_after = -1};
    struct peer peer;
    struct client client;
    if (client_http == E8_HTTP_11)
        return;
    open_all(&round, &client, &peer, false);
    submit(&round, 0, '?');
    assert_int_equal(client.transport->outgoing_count, 1);
    client.exchange.wire = &chunked;
    submit(&round, 1, '?');
    assert_int_equal(client.transport->outgoing_count, 0);
    take_all(&round, 2);
    assert_true(round.x[0].outcome == E8_DELIVERED && round.x[1].outcome == E8_DELIVERED);
    assert_true(round.x[0].sent < round.x[1].sent);
    close_all(&client, &peer);
}

/* What has been given up before its batch is sent is not sent, and its connection not used any more. */
static void test_given_up(void **state)
{
    (void)state;
    static struct round round;
    struct peer peer;
    struct client client;
    if (client_http == E8_HTTP_11)
        return;
    open_all(&round, &client, &peer, false);
    for (int i = 0; i < 4; i++)
        submit(&round, i, 'a' + PLAIN);
    e8_transport_abort(client.transport, &round.x[1]);
    round.x[2].deadline = e8_mono_now(); /* due before it is begun */
    e8_link_due(e8_link_of(&round.x[2]), e8_mono_now());
    e8_transport_wait(client.transport, e8_mono_now());
    post_times(&go, 2);
    take_all(&round, 4);
    static const enum e8_outcome want[] = {E8_DELIVERED, E8_ABORTED, E8_TIMEOUT_FIRST_BYTE, E8_DELIVERED};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(round.x[i].outcome, want[i]);
        assert_int_equal(round.x[i].bytes_sent > 0, want[i] == E8_DELIVERED);
    }
    wait_times(&arrived, 2);
    assert_int_equal(sem_trywait(&arrived), -1);
    close_all(&client, &peer);
}

static bool read_late(int fd)
{
    static const char end[] = "\r\n\r\n{\"a\":1}";
    char last[4096 + sizeof end] = "";
    size_t kept = 0;
    if (recv(fd, last, 1, MSG_PEEK) <= 0)
        return false;
    peer_wait(&go);
    while (kept < sizeof end - 1 || memcmp(last + kept - (sizeof end - 1), end, sizeof end - 1) != 0) {
        size_t keep = kept < sizeof end - 1 ? kept : sizeof end - 1;
        memmove(last, last + kept - keep, keep);
        ssize_t n = recv(fd, last + keep, 4096, 0);
        if (n <= 0)
            return false;
        kept = keep + (size_t)n;
    }
    say(fd, 200, 2, "");
    return true;
}

/* What the kernel does not take at once goes out when it can. */
static void test_large(void **state)
{
    (void)state;
    enum { COUNT = 4, SIZE = 8 << 20 };
    static struct round round;
    struct peer peer;
    struct client client;
    char *value = malloc(SIZE);
    if (client_http == E8_HTTP_11) {
        free(value);
        return;
    }
    memset(value, 'v', SIZE);
    sem_init(&go, 0, COUNT);
    peer_open(&peer, STEPS({.serve = read_late}));
    client_open(&client, peer.port);
    round.client = &client;
    for (int i = 0; i < COUNT; i++)
        submit(&round, i, '?');
    take_all(&round, COUNT);
    client.headers[1].value = (struct e8_str){value, SIZE};
    for (int i = 0; i < COUNT; i++) {
        client.exchange.header_count = i % 2 ? 2 : 1;
        submit(&round, i, '?');
    }
    e8_transport_wait(client.transport, e8_mono_now());
    assert_true(round.x[1].slot); /* under way */
    post_times(&go, COUNT);
    take_all(&round, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(round.x[i].outcome, E8_DELIVERED);
        assert_int_equal(round.x[i].bytes_sent > SIZE, i % 2);
    }
    client_close(&client);
    peer_close(&peer);
    sem_destroy(&go);
    free(value);
}

int run_batch(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),      cmocka_unit_test(test_partial), cmocka_unit_test(test_fates),
        cmocka_unit_test(test_given_up), cmocka_unit_test(test_large),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_in_time),  cmocka_unit_test(test_ahead),   cmocka_unit_test(test_arrival),
        cmocka_unit_test(test_late),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
