/* Requests that do not go out as usual: what the peer sees of them, byte by byte, and how they end. */
#include "peer.h"
#include "tests.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define BIG (200 * 1024)

/* What the peer has read, and when; one connection at a time. */
static struct {
    char *bytes;
    size_t n, cap, head;    /* head: its bytes; 0: not yet known */
    e8_mono_ns first, last; /* of the body */
    unsigned reads;         /* of the body */
} seen;

static struct e8_str seen_body(void)
{
    return seen.head ? (struct e8_str){seen.bytes + seen.head, seen.n - seen.head} : (struct e8_str){"", 0};
}

static bool seen_in_head(const char *text)
{
    return memmem(seen.bytes, seen.head, text, strlen(text)) != NULL;
}

static void find_head(void)
{
    char *end = seen.head ? NULL : memmem(seen.bytes, seen.n, "\r\n\r\n", 4);
    if (end)
        seen.head = (size_t)(end + 4 - seen.bytes);
}

/* One more read; false at the end of the connection. */
static bool read_more(int fd)
{
    if (seen.cap - seen.n < 65536) {
        seen.cap = seen.cap ? seen.cap * 2 : 1 << 18;
        seen.bytes = realloc(seen.bytes, seen.cap);
    }
    ssize_t n = recv(fd, seen.bytes + seen.n, 65536, 0);
    if (n <= 0)
        return false;
    seen.n += (size_t)n;
    find_head();
    if (seen_body().n) {
        seen.last = e8_mono_now();
        seen.first = seen.first ? seen.first : seen.last;
        seen.reads++;
    }
    return true;
}

/* What was seen of the request before stays until this one begins. */
static bool read_head(int fd)
{
    char byte;
    if (recv(fd, &byte, 1, MSG_PEEK) != 1)
        return false;
    seen.n = seen.head = seen.reads = 0;
    seen.first = seen.last = 0;
    do {
        if (!read_more(fd))
            return false;
    } while (!seen.head);
    return true;
}

static bool ends_with(const char *text)
{
    size_t n = strlen(text);
    return seen.n >= n && memcmp(seen.bytes + seen.n - n, text, n) == 0;
}

static atomic_size_t awaited; /* bytes of the body */

static bool read_awaited(int fd)
{
    while (seen_body().n < awaited) {
        if (!read_more(fd))
            return false;
    }
    return true;
}

static bool answer(int fd, const char *text)
{
    peer_write(fd, text, strlen(text));
    return true;
}

static bool read_chunks(int fd)
{
    while (!ends_with("\r\n0\r\n\r\n")) {
        if (!read_more(fd))
            return false;
    }
    return true;
}

/* A request whole, in whatever framing. */
static bool serve_request(int fd)
{
    if (!read_head(fd))
        return false;
    bool chunked = seen_in_head("\r\nTransfer-Encoding: chunked\r\n");
    return (chunked ? read_chunks(fd) : read_awaited(fd)) && answer(fd, OK_REPLY);
}

/* Takes the chunks apart; fails on anything that is no chunk. Returns how many there were. */
static unsigned unchunk(struct e8_str from, struct e8_buf *out)
{
    for (unsigned chunks = 0;; chunks++) {
        char *end = NULL;
        size_t n = strtoul(from.p, &end, 16), head = (size_t)(end - from.p) + 2;
        assert_true(end > from.p && memcmp(end, "\r\n", 2) == 0 && from.n >= head + n + 2);
        assert_memory_equal(from.p + head + n, "\r\n", 2);
        e8_buf_put(out, from.p + head, n);
        from = (struct e8_str){from.p + head + n + 2, from.n - head - n - 2};
        if (n == 0) {
            assert_int_equal(from.n, 0);
            return chunks;
        }
    }
}

static char *big_body(void)
{
    char *body = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        body[i] = (char)('a' + i % 26);
    return body;
}

static void test_chunked(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    struct e8_wire wire = {.chunked = true, .close_after = -1};
    char *big = big_body();
    const struct e8_str bodies[] = {E8_LIT("{\"a\":1}"), {big, BIG}, E8_LIT("x"), {big, 4097}};
    peer_open(&peer, STEPS({.serve = serve_request}));
    client_open(&client, peer.port);
    client.exchange.wire = &wire;
    for (size_t i = 0; i < E8_COUNT(bodies);
         i++) { /* the first on a fresh connection, the others on the same */
        struct e8_buf got;
        e8_buf_init(&got, 1 << 20);
        client.exchange.body = bodies[i];
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
        assert_int_equal(client.exchange.flags & E8_FLAG_REUSED, i ? E8_FLAG_REUSED : 0);
        assert_true(seen_in_head("\r\nTransfer-Encoding: chunked\r\n"));
        assert_false(seen_in_head("\r\nContent-Length:"));
        assert_false(seen_in_head("\r\nExpect:"));
        unsigned chunks = unchunk(seen_body(), &got);
        assert_true(e8_str_eq(e8_buf_str(&got), bodies[i]));
        assert_true(bodies[i].n == 1 ? chunks == 1 : chunks >= 2);
        assert_int_equal(client.exchange.bytes_sent, seen.n);
        e8_buf_fini(&got);
    }
    assert_int_equal(atomic_load(&peer.connections), 1);
    client.exchange.wire = NULL; /* and as usual again */
    client.exchange.body = bodies[0];
    awaited = bodies[0].n;
    client.exchange.fresh = true;
    assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
    assert_true(seen_in_head("\r\nContent-Length: 7\r\n") && e8_str_eq(seen_body(), bodies[0]));
    client_close(&client);
    peer_close(&peer);
    free(big);
}

/* --- Expect: 100-continue -------------------------------------------------------------------------------------------- */

static const char *expect_answer; /* after the head */
static bool expect_goes_on;       /* then the body is read */

static bool expect_kept; /* there was the header, and nothing of the body by itself */

static bool serve_expect(int fd)
{
    if (!read_head(fd))
        return false;
    expect_kept = seen_in_head("\r\nExpect: 100-continue\r\n") &&
                  poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 50) == 0 && seen_body().n == 0;
    answer(fd, expect_answer);
    return !expect_goes_on || (read_awaited(fd) && answer(fd, OK_REPLY));
}

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void test_expect(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        bool goes_on;
        enum e8_outcome outcome;
        int status;
    } rows[] = {
        {CONTINUE, true, E8_DELIVERED, 200},
        {"HTTP/1.1 103 Early Hints\r\n\r\n" CONTINUE, true, E8_DELIVERED, 200},
        {"HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno", false, E8_HTTP_4XX, 417},
        {"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", false, E8_HTTP_4XX, 401},
        {"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false, E8_HTTP_4XX, 413},
        {"HTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno", false, E8_HTTP_5XX, 503},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, E8_DELIVERED, 200},
        {"HTTP/1.1 204 OK\r\n\r\n", false, E8_DELIVERED, 204},
        {"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", false, E8_REDIRECT, 307},
    };
    struct e8_wire wire = {.expect = true, .close_after = -1};
    for (size_t i = 0; i < E8_COUNT(rows) * 2; i++) {
        struct peer peer;
        struct client client;
        expect_answer = rows[i / 2].answer;
        expect_goes_on = rows[i / 2].goes_on;
        awaited = 7;
        bool reused = i % 2;
        struct peer_step steps[] = {{.reply = OK_REPLY}, {.serve = serve_expect}, {.reply = OK_REPLY}};
        peer_open(&peer, reused ? steps : steps + 1, reused ? 3 : 2);
        client_open(&client, peer.port);
        if (reused)
            client_run(&client);
        client.exchange.wire = &wire;
        client.exchange.keep = true;
        e8_mono_ns start = e8_mono_now();
        struct e8_exchange *x = client_run(&client);
        if (x->outcome != rows[i / 2].outcome || x->status != rows[i / 2].status)
            fail_msg("%s: %s %d \"%s\"", expect_answer, e8_outcome_info(x->outcome)->name, x->status,
                     x->error);
        assert_true(expect_kept);
        assert_true(e8_mono_now() - start < 900 * E8_NS_MS); /* no wait of a second */
        assert_int_equal(atomic_load(&peer.connections), 1);
        assert_int_equal(x->content.n, strstr(expect_answer, "\r\n\r\nno") || x->status == 200 ? 2 : 0);
        client.exchange.wire = NULL; /* the connection of an unfinished request is not used again */
        client_run(&client);
        assert_int_equal(atomic_load(&peer.connections), expect_goes_on ? 1 : 2);
        client_close(&client);
        peer_close(&peer);
    }
}

static void test_expect_after_a_second(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    struct e8_wire wire = {.expect = true, .close_after = -1};
    peer_open(&peer, STEPS({.serve = serve_request}));
    client_open(&client, peer.port);
    client.exchange.wire = &wire;
    awaited = 7;
    struct e8_exchange *x = client_run(&client);
    assert_int_equal(x->outcome, E8_DELIVERED);
    assert_in_range(seen.first - x->sent, E8_NS_S - E8_NS_MS, 2 * E8_NS_S);
    client.limit = 300 * E8_NS_MS; /* a deadline before that */
    x = client_run(&client);
    assert_int_equal(x->outcome, E8_TIMEOUT_FIRST_BYTE);
    assert_in_range(x->done - x->deadline, 0, 400 * E8_NS_MS);
    client_close(&client);
    peer_close(&peer);
}

/* --- rate ------------------------------------------------------------------------------------------------------------ */

static void test_rate(void **state)
{
    (void)state;
    static const struct {
        uint64_t rate;
        size_t n;
        bool chunked;
    } rows[] = {{100, 30, false},
                {1000, 400, false},
                {1000, 400, true},
                {100000, 30000, false},
                {2000000, BIG, true}};
    char *big = big_body();
    for (size_t i = 0; i < E8_COUNT(rows) * 2; i++) {
        struct peer peer;
        struct client client;
        struct e8_wire wire = {.rate = rows[i / 2].rate, .chunked = rows[i / 2].chunked, .close_after = -1};
        bool reused = i % 2;
        awaited = rows[i / 2].n;
        struct peer_step steps[] = {{.reply = OK_REPLY}, {.serve = serve_request}};
        peer_open(&peer, reused ? steps : steps + 1, reused ? 2 : 1);
        client_open(&client, peer.port);
        if (reused)
            client_run(&client);
        client.exchange.wire = &wire;
        client.exchange.body = (struct e8_str){big, awaited};
        struct e8_exchange *x = client_run(&client);
        assert_int_equal(x->outcome, E8_DELIVERED);
        double took = (double)(seen.last - x->sent) / 1e9, right = (double)awaited / (double)wire.rate;
        printf("rate %lu/s, %zu bytes: %.4f s, right is %.4f s, in %u reads\n", (unsigned long)wire.rate,
               awaited, took, right, seen.reads);
        assert_true(took > right - 0.002 && took < right + 1);
        assert_true(seen.reads >= 5); /* small pieces */
        client_close(&client);
        peer_close(&peer);
    }
    free(big);
}

#define REPLY_401 "HTTP/1.1 401 X\r\nContent-Length: 2\r\n\r\nno"

static bool serve_begun(int fd)
{
    return read_head(fd) && read_more(fd);
}

static bool serve_slow_401(int fd)
{
    return serve_begun(fd) && answer(fd, REPLY_401);
}

static bool serve_slow_200(int fd)
{
    return serve_begun(fd) && answer(fd, OK_REPLY);
}

/* A slow body does not delay what ends the exchange. */
static void test_rate_ends(void **state)
{
    (void)state;
    static const struct {
        bool (*serve)(int fd);
        enum peer_end end;
        enum e8_outcome outcome;
    } rows[] = {
        {serve_slow_401, PEER_NEXT, E8_HTTP_4XX},        {serve_slow_200, PEER_NEXT, E8_DELIVERED},
        {serve_begun, PEER_CLOSE, E8_NO_RESPONSE},       {serve_begun, PEER_RESET, E8_RESET},
        {serve_begun, PEER_HOLD, E8_TIMEOUT_FIRST_BYTE},
    };
    for (size_t i = 0; i < E8_COUNT(rows) * 2; i++) {
        struct peer peer;
        struct client client;
        struct e8_wire wire = {.rate = 10, .chunked = i % 2, .close_after = -1};
        peer_open(&peer, STEPS({.serve = rows[i / 2].serve, .end = rows[i / 2].end}));
        client_open(&client, peer.port);
        client.exchange.wire = &wire;
        client.exchange.body = E8_LIT("0123456789012345678901234567890123456789");
        client.limit = rows[i / 2].end == PEER_HOLD ? 500 * E8_NS_MS : 10 * E8_NS_S;
        struct e8_exchange *x = client_run(&client);
        if (x->outcome != rows[i / 2].outcome)
            fail_msg("row %zu: %s \"%s\"", i, e8_outcome_info(x->outcome)->name, x->error);
        if (rows[i / 2].end == PEER_HOLD)
            assert_in_range(x->done - x->deadline, 0, 400 * E8_NS_MS);
        else
            assert_true(x->done < x->deadline - 5 * E8_NS_S);
        assert_int_equal(atomic_load(&peer.connections), 1);
        client_close(&client);
        peer_close(&peer);
    }
}

/* --- closing on purpose ---------------------------------------------------------------------------------------------- */

static bool answered_before;

static bool serve_until_end(int fd)
{
    bool head = read_head(fd);
    if (answered_before)
        answer(fd, REPLY_401);
    while (head && read_more(fd))
        ;
    return true;
}

static void check_close(size_t body, int64_t after, bool chunked, bool reused)
{
    struct peer peer;
    struct client client;
    char *big = big_body();
    struct e8_wire wire = {.close_after = after, .chunked = chunked};
    struct peer_step steps[] = {{.reply = OK_REPLY},
                                {.serve = serve_until_end, .end = PEER_CLOSE, .signal = true}};
    char text[80];
    size_t sent = (uint64_t)after < body ? (size_t)after : body;
    peer_open(&peer, reused ? steps : steps + 1, reused ? 2 : 1);
    client_open(&client, peer.port);
    if (reused)
        client_run(&client);
    client.exchange.wire = &wire;
    client.exchange.body = (struct e8_str){big, body};
    struct e8_exchange *x = client_run(&client);
    snprintf(text, sizeof text, "closed on purpose after %zu bytes of the body", sent);
    assert_int_equal(x->outcome, E8_NO_RESPONSE);
    assert_string_equal(x->error, text);
    assert_true(x->done < x->deadline - 5 * E8_NS_S);
    peer_wait(&peer.done); /* it has seen the end of the connection */
    if (chunked && body > 0)
        assert_false(ends_with("0\r\n\r\n"));
    else
        assert_int_equal(seen_body().n, sent);
    assert_int_equal(atomic_load(&peer.connections), 1);
    client_close(&client);
    peer_close(&peer);
    free(big);
}

static void test_close_after(void **state)
{
    (void)state;
    static const struct {
        size_t body;
        int64_t after;
    } rows[] = {{7, 0}, {7, 3}, {7, 7}, {7, 100}, {BIG, 1}, {BIG, 70000}, {BIG, BIG}, {0, 0}, {0, 5}};
    answered_before = false;
    for (size_t i = 0; i < E8_COUNT(rows) * 4; i++)
        check_close(rows[i / 4].body, rows[i / 4].after, i & 1, i & 2);
}

static void test_close_after_an_answer(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    struct e8_wire wire = {.close_after = 30, .rate = 100};
    answered_before = true;
    peer_open(&peer, STEPS({.serve = serve_until_end, .end = PEER_CLOSE}));
    client_open(&client, peer.port);
    client.exchange.wire = &wire;
    client.exchange.body = E8_LIT("0123456789012345678901234567890123456789");
    struct e8_exchange *x = client_run(&client);
    assert_int_equal(x->outcome, E8_HTTP_4XX);
    assert_int_equal(x->status, 401);
    answered_before = false;
    client_close(&client);
    peer_close(&peer);
}

/* --- heads and large bodies ------------------------------------------------------------------------------------------ */

static void test_headers_as_they_are_given(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    static char large[8192 + 1], larger[100001];
    memset(large, 'a', sizeof large - 1);
    memset(larger, 'b', sizeof larger - 1);
    struct e8_header headers[] = {
        {E8_LIT("x-signature"), E8_LIT("one")}, {E8_LIT("X-Signature"), E8_LIT("two")},
        {E8_LIT("x-signature"), E8_LIT("")},    {E8_LIT("content-type"), E8_LIT("text/plain")},
        {E8_LIT("X-Large"), e8_str(large)},     {E8_LIT("x-larger"), e8_str(larger)},
        {E8_LIT("user-agent"), E8_LIT("8bit")},
    };
    char *expected = malloc(300000);
    snprintf(expected, 300000,
             "\r\nx-signature: one\r\nX-Signature: two\r\nx-signature:\r\ncontent-type: "
             "text/plain\r\nX-Large: %s\r\n"
             "x-larger: %s\r\nuser-agent: 8bit\r\n",
             large, larger);
    peer_open(&peer, STEPS({.serve = serve_request}));
    client_open(&client, peer.port);
    client.exchange.headers = headers;
    client.exchange.header_count = E8_COUNT(headers);
    awaited = 7;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
        assert_true(seen_in_head(expected));
    }
    assert_int_equal(atomic_load(&peer.connections), 1);
    client_close(&client);
    peer_close(&peer);
    free(expected);
}

static void test_64_megabytes(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    struct e8_wire wire = {.chunked = true, .close_after = -1};
    size_t n = (size_t)64 << 20;
    char *body = malloc(n);
    memset(body, 'x', n);
    body[n - 1] = '!';
    peer_open(&peer, STEPS({.serve = serve_request}));
    client_open(&client, peer.port);
    client.limit = 60 * E8_NS_S;
    client.exchange.body = (struct e8_str){body, n};
    awaited = n;
    for (int i = 0; i < 2; i++) {
        client.exchange.wire = i ? &wire : NULL;
        struct e8_exchange *x = client_run(&client);
        assert_int_equal(x->outcome, E8_DELIVERED);
        assert_true(i ? seen_body().n > n : e8_str_eq(seen_body(), client.exchange.body));
        assert_int_equal(x->bytes_sent, seen.n);
    }
    client_close(&client);
    peer_close(&peer);
    free(body);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_chunked),
    cmocka_unit_test(test_expect),
    cmocka_unit_test(test_expect_after_a_second),
    cmocka_unit_test(test_rate),
    cmocka_unit_test(test_rate_ends),
    cmocka_unit_test(test_close_after),
    cmocka_unit_test(test_close_after_an_answer),
    cmocka_unit_test(test_headers_as_they_are_given),
    cmocka_unit_test(test_64_megabytes),
};

int run_wire(void)
{
    int failed = cmocka_run_group_tests_name("wire", tests, NULL, NULL);
    free(seen.bytes);
    seen.bytes = NULL;
    seen.cap = 0;
    return failed;
}
