/* Clients that mean harm: slow ones, many of them, and those that never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

#include "client.h"
#include "server.h"

enum { LIMIT = 100 };

static int set_up_wary(void **state)
{
    struct fixture *fixture = e8_new(1, sizeof *fixture);
    struct e8_httpd_options options = {.listen = "127.0.0.1:0",
                                       .routes = routes,
                                       .body_max = BODY_MAX,
                                       .state = fixture,
                                       .connections_max = LIMIT,
                                       .idle_s = 6,
                                       .wary = true};

    assert_int_equal(e8_httpd_start(&options, &fixture->httpd, NULL), E8_OK);
    fixture->url = e8_httpd_url(fixture->httpd);
    *state = fixture;
    return 0;
}

static void say(int fd, const char *text)
{
    ssize_t sent = send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);

    (void)sent; /* they may have been closed */
}

static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static size_t count_ended(const int *fds, size_t n)
{
    size_t ended = 0;

    for (size_t i = 0; i < n; i++)
        ended += has_ended(fds[i]);
    return ended;
}

static void open_many(const struct fixture *fixture, int *fds, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        fds[i] = client_connect(fixture->url);
        assert_true(fds[i] >= 0);
        say(fds[i], text);
    }
}

static void close_many(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static bool all_ended(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_ended(fds[i]))
            return false;
    return true;
}

/* A byte now and then: from its first one on, a head has 5 s, wherever it stands, and a body has its time, too. */
static void drips_end(void **state)
{
    static const char *const begins[] = {
        "G", "GET /info HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"};
    struct fixture *fixture = *state;
    struct client kept;
    struct reply reply;
    int fds[6], silent = client_connect(fixture->url);
    e8_dur_ns heads = 0, bodies = 0;

    for (size_t i = 0; i < E8_COUNT(begins); i++) {
        fds[i + 1] = client_connect(fixture->url);
        say(fds[i + 1], begins[i]);
    }
    assert_true(client_open(&kept, fixture->url));
    client_say(&kept, "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n");
    client_read(&kept, &reply);
    assert_int_equal(reply.status, 200);
    fds[0] = kept.fd; /* the second head of its connection */
    e8_mono_ns began = e8_mono_now();
    while (bodies == 0 && e8_mono_now() - began < 10 * E8_NS_S) {
        struct pollfd pause = {.fd = silent, .events = POLLIN};

        for (size_t i = 0; i < 6; i++)
            say(fds[i], i == 5 ? "1\r\nx\r\n" : "x");
        (void)poll(&pause, 1, 100);
        if (heads == 0 && all_ended(fds, 4)) {
            heads = e8_mono_now() - began;
            assert_false(has_ended(silent)); /* it has said nothing, and is idle */
        }
        if (all_ended(fds, 6))
            bodies = e8_mono_now() - began;
    }
    assert_in_range(heads, 4500 * E8_NS_MS, 6 * E8_NS_S);
    assert_in_range(bodies, 5500 * E8_NS_MS, 8 * E8_NS_S);
    close_many(fds + 1, 5);
    client_close(&kept);
    close(silent);
}

static void check_served(const struct fixture *fixture)
{
    struct reply reply;

    client_ask(fixture->url, "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 200);
}

/* Beyond the limit the oldest makes room, whatever it owes; those that wait for an answer of ours stay. */
static void the_oldest_makes_room(void **state)
{
    static const char *const owed[] = {
        "",
        "G",
        "GET /info HTTP/1.1\r\nHost: h\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf",
        "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n", /* kept alive */
    };
    struct fixture *fixture = *state;
    struct client waits;
    struct reply reply;

    for (size_t i = 0; i < E8_COUNT(owed); i++) {
        int fds[2 * LIMIT];
        char bytes[512];

        assert_true(client_open(&waits, fixture->url));
        client_say(&waits, "GET /delay?for=300ms HTTP/1.1\r\nHost: h\r\n\r\n");
        check_served(fixture); /* so the one before has arrived */
        open_many(fixture, fds, 2 * LIMIT, owed[i]);
        check_served(fixture);
        for (size_t k = 0; k < 2 * LIMIT; k++) /* answers, where there are some */
            (void)!recv(fds[k], bytes, sizeof bytes, MSG_DONTWAIT);
        size_t old = count_ended(fds, LIMIT), new = count_ended(fds + LIMIT, LIMIT);
        assert_in_range(old, LIMIT, LIMIT);
        assert_in_range(new, 1, 3); /* for the one that waits, and the two that were served */
        client_read(&waits, &reply);
        assert_string_equal(reply.body, "300ms");
        close_many(fds, 2 * LIMIT);
        client_close(&waits);
    }
}

static void raise_limit(rlim_t descriptors)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < descriptors)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < descriptors)
        skip();
}

static int compare(const void *a, const void *b)
{
    const e8_dur_ns *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Twenty times as many slow clients as there are connections, which come again when they are closed. */
static void many_slow_clients(void **state)
{
    enum { N = 2000, ROUNDS = 40 };
    struct fixture *fixture = *state;
    int *fds = e8_new(N, sizeof *fds);
    e8_dur_ns took[ROUNDS];
    struct reply reply;

    raise_limit(N + 500);
    open_many(fixture, fds, N, "GET /info HTTP/1.1\r\nHost: h\r\nX: ");
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < N / 10; i++) {
            size_t k = ((size_t)round * N / 10 + i) % N;

            say(fds[k], "x");
            if (!has_ended(fds[k]))
                continue;
            close(fds[k]);
            fds[k] = client_connect(fixture->url);
            say(fds[k], i % 2 ? "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n" : "GET /info HTTP/1.1\r\nHost");
        }
        e8_mono_ns began = e8_mono_now();
        client_ask(fixture->url, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok", &reply);
        took[round] = e8_mono_now() - began;
        assert_int_equal(reply.status, 200);
    }
    qsort(took, ROUNDS, sizeof took[0], compare);
    assert_true(took[ROUNDS / 2] < 2 * E8_NS_S); /* under sanitizers, behind 200 that have just come again */
    close_many(fds, N);
    free(fds);
}

/* Headers, chunks, an extension or a path without end: refused at their limit, in bounded time. */
static void endless_clients_end(void **state)
{
    static const struct {
        const char *begin, *more;
    } rows[] = {{"GET /info HTTP/1.1\r\nHost: h\r\n", "X-Endless: endless\r\n"},
                {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
                 "30\r\n012345678901234567890123456789012345678901234567\r\n"},
                {"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;", "extension"},
                {"GET /", "path"}};
    struct fixture *fixture = *state;
    struct client client;
    struct e8_buf block;

    e8_buf_init(&block, 1 << 16);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        size_t said = 0;

        e8_buf_reset(&block);
        while (block.n + strlen(rows[i].more) <= block.limit)
            e8_buf_puts(&block, rows[i].more);
        assert_true(client_open(&client, fixture->url));
        client_say(&client, rows[i].begin);
        while (said < (size_t)64 << 20 && client_say_n(&client, block.p, block.n))
            said += block.n;
        assert_true(said < (size_t)64 << 20);
        client_close(&client);
        check_served(fixture);
    }
    e8_buf_fini(&block);
}

#define WARY(f) cmocka_unit_test_setup_teardown(f, set_up_wary, tear_down)

int test_wary(void)
{
    const struct CMUnitTest tests[] = {
        WARY(drips_end),
        WARY(the_oldest_makes_room),
        WARY(many_slow_clients),
        WARY(endless_clients_end),
    };
    return cmocka_run_group_tests_name("wary", tests, NULL, NULL);
}
