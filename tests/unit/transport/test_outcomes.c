/* The whole table of outcomes, each by a scripted peer: on a fresh connection and, where it can be, on one that has
 * carried a good exchange before. */
#include "peer.h"
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name;
    struct peer_step step;
    enum e8_outcome fresh, reused;
    int status;
    uint16_t flags;
    e8_dur_ns limit;
};

#define H200          "HTTP/1.1 200 OK\r\n"
#define CHUNKED       H200 "Transfer-Encoding: chunked\r\n\r\n"
#define REPLY(text)   .reply = (text), .n = sizeof(text) - 1
#define BOTH(outcome) .fresh = (outcome), .reused = (outcome)
#define INTERIM       "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
#define INTERIM4      INTERIM INTERIM INTERIM INTERIM

static void talk_big_header(int fd)
{
    static char line[200 * 1024];
    memset(line, 'a', sizeof line);
    peer_write(fd, H200 "X-Big: ", sizeof H200 "X-Big: " - 1);
    peer_write(fd, line, sizeof line);
    peer_write(fd, "\r\n\r\n", 4);
}

static void talk_many_headers(int fd)
{
    static char line[1000];
    memset(line, 'b', sizeof line);
    memcpy(line, "X-Big: ", 7);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    peer_write(fd, H200, sizeof H200 - 1);
    for (int i = 0; i < 400; i++)
        peer_write(fd, line, sizeof line);
    peer_write(fd, "Content-Length: 0\r\n\r\n", 21);
}

static void talk_endless(int fd)
{
    static char bytes[65536];
    memset(bytes, 'x', sizeof bytes);
    peer_write(fd, H200 "\r\n", sizeof H200 "\r\n" - 1);
    for (int i = 0; i < 64; i++) /* 4 MiB: stops when the client closes */
        peer_write(fd, bytes, sizeof bytes);
}

static void talk_endless_503(int fd)
{
    static char bytes[65536];
    static const char head[] = "HTTP/1.1 503 Busy\r\nContent-Length: 4194304\r\n\r\n";
    peer_write(fd, head, sizeof head - 1);
    for (int i = 0; i < 64; i++)
        peer_write(fd, bytes, sizeof bytes);
}

static const struct row rows[] = {
    {"2xx", {REPLY(OK_REPLY)}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"204", {REPLY("HTTP/1.1 204 No Content\r\n\r\n")}, BOTH(E8_DELIVERED), 204, 0, 0},
    {"299", {REPLY("HTTP/1.1 299 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_DELIVERED), 299, 0, 0},
    {"no reason", {REPLY("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"http 1.0", {REPLY("HTTP/1.0 200 OK\r\n\r\nbody"), .end = PEER_CLOSE}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"until close", {REPLY(H200 "\r\nbody"), .end = PEER_CLOSE}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"chunked", {REPLY(CHUNKED "2\r\nok\r\n0\r\n\r\n")}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"trailers",
     {REPLY(CHUNKED "2\r\nok\r\n0\r\nContent-Length: 7\r\nX: y\r\n\r\n")},
     BOTH(E8_DELIVERED),
     200,
     0,
     0},
    {"interim", {REPLY("HTTP/1.1 100 Continue\r\n\r\n" OK_REPLY)}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"16 interim", {REPLY(INTERIM4 INTERIM4 INTERIM4 INTERIM4 OK_REPLY)}, BOTH(E8_DELIVERED), 200, 0, 0},
    {"close", {.end = PEER_CLOSE}, E8_NO_RESPONSE, E8_STALE_CONNECTION, 0, 0, 0},
    {"reset", {.end = PEER_RESET}, E8_RESET, E8_STALE_CONNECTION, 0, 0, 0},
    {"close in status line", {REPLY("HTTP/1.1 20"), .end = PEER_CLOSE}, BOTH(E8_TRUNCATED), 0, 0, 0},
    {"close after interim", {REPLY(INTERIM), .end = PEER_CLOSE}, BOTH(E8_TRUNCATED), 0, 0, 0},
    {"close in head", {REPLY(H200 "X: y\r\n"), .end = PEER_CLOSE}, BOTH(E8_TRUNCATED), 200, 0, 0},
    {"reset in head", {REPLY(H200 "X: y\r\n"), .end = PEER_RESET}, BOTH(E8_RESET_IN_BODY), 200, 0, 0},
    {"close in body",
     {REPLY(H200 "Content-Length: 9\r\n\r\nok"), .end = PEER_CLOSE},
     BOTH(E8_TRUNCATED),
     200,
     0,
     0},
    {"reset in body",
     {REPLY(H200 "Content-Length: 9\r\n\r\nok"), .end = PEER_RESET},
     BOTH(E8_RESET_IN_BODY),
     200,
     0,
     0},
    {"close in chunk", {REPLY(CHUNKED "9\r\nok"), .end = PEER_CLOSE}, BOTH(E8_TRUNCATED), 200, 0, 0},
    {"close between chunks",
     {REPLY(CHUNKED "2\r\nok\r\n"), .end = PEER_CLOSE},
     BOTH(E8_TRUNCATED),
     200,
     0,
     0},
    {"reset in chunk", {REPLY(CHUNKED "9\r\nok"), .end = PEER_RESET}, BOTH(E8_RESET_IN_BODY), 200, 0, 0},
    {"close in body of 500",
     {REPLY("HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\nok"), .end = PEER_CLOSE},
     BOTH(E8_TRUNCATED),
     500,
     0,
     0},
    {"no byte", {.end = PEER_HOLD}, BOTH(E8_TIMEOUT_FIRST_BYTE), 0, 0, 50 * E8_NS_MS},
    {"part of status line",
     {REPLY("HTTP/1.1 2"), .end = PEER_HOLD},
     BOTH(E8_TIMEOUT_BODY),
     0,
     0,
     50 * E8_NS_MS},
    {"slow head", {REPLY(H200 "X: y\r\n"), .end = PEER_HOLD}, BOTH(E8_TIMEOUT_BODY), 200, 0, 50 * E8_NS_MS},
    {"slow body",
     {REPLY(H200 "Content-Length: 9\r\n\r\nok"), .end = PEER_HOLD},
     BOTH(E8_TIMEOUT_BODY),
     200,
     0,
     50 * E8_NS_MS},
    {"slow chunk",
     {REPLY(CHUNKED "2\r\nok\r\n"), .end = PEER_HOLD},
     BOTH(E8_TIMEOUT_BODY),
     200,
     0,
     50 * E8_NS_MS},
    {"endless body",
     {.talk = talk_endless, .end = PEER_CLOSE},
     BOTH(E8_DELIVERED),
     200,
     E8_FLAG_BODY_CAPPED,
     0},
    {"endless body of 503",
     {.talk = talk_endless_503, .end = PEER_CLOSE},
     BOTH(E8_HTTP_5XX),
     503,
     E8_FLAG_BODY_CAPPED,
     0},
    {"smtp", {REPLY("220 mail.example ESMTP\r\n"), .end = PEER_HOLD}, BOTH(E8_NOT_HTTP), 0, 0, 0},
    {"html alone", {REPLY("<html>"), .end = PEER_CLOSE}, BOTH(E8_NOT_HTTP), 0, 0, 0},
    {"status 99", {REPLY("HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"status 020", {REPLY("HTTP/1.1 020 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"status 600", {REPLY("HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 600, 0, 0},
    {"status 999", {REPLY("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 999, 0, 0},
    {"status 2000", {REPLY("HTTP/1.1 2000 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"status abc", {REPLY("HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"status -1", {REPLY("HTTP/1.1 -1 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"version 9", {REPLY("HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_BAD_STATUS), 0, 0, 0},
    {"bad chunk",
     {REPLY(CHUNKED "zz\r\nok\r\n0\r\n\r\n"), .end = PEER_HOLD},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"huge chunk",
     {REPLY(CHUNKED "11111111111111111111\r\nok"), .end = PEER_HOLD},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"two lengths",
     {REPLY(H200 "Content-Length: 2\r\nContent-Length: 3\r\n\r\nokk")},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"two equal lengths",
     {REPLY(H200 "Content-Length: 2\r\nContent-Length: 2\r\n\r\nok")},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"list of lengths", {REPLY(H200 "Content-Length: 2, 2\r\n\r\nok")}, BOTH(E8_BAD_FRAMING), 200, 0, 0},
    {"signed length", {REPLY(H200 "Content-Length: +2\r\n\r\nok")}, BOTH(E8_BAD_FRAMING), 200, 0, 0},
    {"negative length",
     {REPLY(H200 "Content-Length: -2\r\n\r\nok"), .end = PEER_HOLD},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"no length",
     {REPLY(H200 "Content-Length: abc\r\n\r\nok"), .end = PEER_HOLD},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"20 digits",
     {REPLY(H200 "Content-Length: 99999999999999999999\r\n\r\nok"), .end = PEER_CLOSE},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"unknown coding",
     {REPLY(H200 "Transfer-Encoding: foo\r\n\r\nok"), .end = PEER_CLOSE},
     BOTH(E8_BAD_FRAMING),
     200,
     0,
     0},
    {"200 KB line", {.talk = talk_big_header, .end = PEER_HOLD}, BOTH(E8_BAD_HEADER), 200, 0, 0},
    {"400 KB head", {.talk = talk_many_headers, .end = PEER_HOLD}, BOTH(E8_BAD_HEADER), 200, 0, 0},
    {"NUL",
     {REPLY(H200 "X: a\0b\r\nContent-Length: 0\r\n\r\n"), .end = PEER_HOLD},
     BOTH(E8_BAD_HEADER),
     200,
     0,
     0},
    {"no colon", {REPLY(H200 "Nonsense\r\n\r\n"), .end = PEER_HOLD}, BOTH(E8_BAD_HEADER), 200, 0, 0},
    {"17 interim",
     {REPLY(INTERIM4 INTERIM4 INTERIM4 INTERIM4 INTERIM OK_REPLY), .end = PEER_HOLD},
     BOTH(E8_TOO_MANY_INTERIM),
     0,
     0,
     0},
    {"101",
     {REPLY("HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), .end = PEER_HOLD},
     BOTH(E8_UNEXPECTED_101),
     101,
     0,
     0},
    {"redirect",
     {REPLY("HTTP/1.1 307 X\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")},
     BOTH(E8_REDIRECT),
     307,
     0,
     0},
    {"redirect nowhere",
     {REPLY("HTTP/1.1 302 X\r\nLocation: ht!tp://[::bad\r\nContent-Length: 0\r\n\r\n")},
     BOTH(E8_REDIRECT),
     302,
     0,
     0},
    {"redirect to a file",
     {REPLY("HTTP/1.1 301 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")},
     BOTH(E8_REDIRECT),
     301,
     0,
     0},
    {"304", {REPLY("HTTP/1.1 304 X\r\n\r\n")}, BOTH(E8_REDIRECT), 304, 0, 0},
    {"400", {REPLY("HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_HTTP_4XX), 400, 0, 0},
    {"401",
     {REPLY("HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")},
     BOTH(E8_HTTP_4XX),
     401,
     0,
     0},
    {"417", {REPLY("HTTP/1.1 417 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_HTTP_4XX), 417, 0, 0},
    {"410", {REPLY("HTTP/1.1 410 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_GONE), 410, 0, 0},
    {"429",
     {REPLY("HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n")},
     BOTH(E8_THROTTLED),
     429,
     0,
     0},
    {"503", {REPLY("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_HTTP_5XX), 503, 0, 0},
    {"599", {REPLY("HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n")}, BOTH(E8_HTTP_5XX), 599, 0, 0},
    {"excess behind a body", {REPLY(OK_REPLY "more")}, BOTH(E8_DELIVERED), 200, E8_FLAG_TRAILING_BYTES, 0},
    {"excess behind no body",
     {REPLY("HTTP/1.1 204 X\r\n\r\nmore")},
     BOTH(E8_DELIVERED),
     204,
     E8_FLAG_TRAILING_BYTES,
     0},
    {"excess behind length 0",
     {REPLY(H200 "Content-Length: 0\r\n\r\n" OK_REPLY)},
     BOTH(E8_DELIVERED),
     200,
     E8_FLAG_TRAILING_BYTES,
     0},
    {"excess behind chunks",
     {REPLY(CHUNKED "2\r\nok\r\n0\r\n\r\n" OK_REPLY)},
     BOTH(E8_DELIVERED),
     200,
     E8_FLAG_TRAILING_BYTES,
     0},
};

static const uint16_t seen_flags =
    E8_FLAG_REUSED | E8_FLAG_BODY_CAPPED | E8_FLAG_TRAILING_BYTES | E8_FLAG_RECONNECTED | E8_FLAG_IDLE_BYTES;

static int compare(const struct row *row, const struct e8_exchange *x, enum e8_outcome outcome,
                   uint16_t flags)
{
    if (x->outcome == outcome && x->status == row->status && (x->flags & seen_flags) == flags)
        return 0;
    printf("%s: %s status %d flags %#x \"%s\", expected %s status %d flags %#x\n", row->name,
           e8_outcome_info(x->outcome)->name, x->status, x->flags, x->error, e8_outcome_info(outcome)->name,
           row->status, flags);
    return 1;
}

static int check_after(struct client *client, struct peer *peer, const struct row *row)
{
    int before = atomic_load(&peer->connections);
    if (!(row->flags & E8_FLAG_TRAILING_BYTES))
        return 0;
    client_run(client); /* the connection must have been closed */
    if (atomic_load(&peer->connections) == before + 1)
        return 0;
    printf("%s: the connection was used again\n", row->name);
    return 1;
}

/* How the request goes out is of no influence. */
static const struct way {
    const char *name;
    struct e8_wire wire;
    bool hold;
} ways[] = {
    {"chunked", {.chunked = true, .close_after = -1}, false},
    {"at a rate", {.rate = 10000, .close_after = -1}, false},
    {"held", {.close_after = -1}, true},
    {"held, chunked", {.chunked = true, .close_after = -1}, true},
};

static struct e8_exchange *send_by(struct client *client, const struct way *way)
{
    struct e8_exchange *x = &client->exchange;
    x->wire = way ? &way->wire : NULL;
    x->hold = way && way->hold;
    client_submit(client);
    while (!e8_transport_held(client->transport, x) && x->hold)
        e8_transport_wait(client->transport, x->deadline);
    if (x->hold)
        e8_transport_release(client->transport, &x, 1);
    return client_await(client);
}

static int run_within(const struct row *row, e8_dur_ns limit, bool reused, const struct way *way)
{
    const struct peer_step steps[] = {{REPLY(OK_REPLY)}, row->step};
    struct peer peer;
    struct client client;
    peer_open(&peer, reused ? steps : steps + 1, reused ? 2 : 1);
    client_open(&client, peer.port);
    if (way) /* libcurl's, also for the exchange before */
        client.reach.http = E8_HTTP_11;
    if (reused)
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
    client.limit = limit;
    uint16_t flags = row->flags | (reused ? E8_FLAG_REUSED : 0);
    int faults = compare(row, send_by(&client, way), reused ? row->reused : row->fresh, flags);
    client.exchange.wire = NULL;
    client.exchange.hold = false;
    int requests = atomic_load(&peer.requests);
    if (requests != 1 + reused) {
        printf("%s: %d requests on the wire\n", row->name, requests);
        faults++;
    }
    faults += check_after(&client, &peer, row);
    client_close(&client);
    peer_close(&peer);
    return faults;
}

/* Where a row's limit is short, a busy machine may not have come to what is to be seen before it: then with more of it. */
static int run_row(const struct row *row, bool reused, const struct way *way)
{
    int faults = run_within(row, row->limit, reused, way);
    for (e8_dur_ns limit = 4 * row->limit; faults && row->limit && limit <= 16 * row->limit; limit *= 4) {
        printf("%s: once more, within %.1f s\n", row->name, (double)limit / (double)E8_NS_S);
        faults = run_within(row, limit, reused, way);
    }
    return faults;
}

static void test_fresh(void **state)
{
    (void)state;
    int faults = 0;
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        faults += run_row(&rows[i], false, NULL);
    assert_int_equal(faults, 0);
}

static void test_reused(void **state)
{
    (void)state;
    int faults = 0;
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        faults += run_row(&rows[i], true, NULL);
    assert_int_equal(faults, 0);
}

static void test_ways(void **state)
{
    (void)state;
    int faults = 0;
    for (size_t i = 0; i < E8_COUNT(rows) * E8_COUNT(ways); i++) {
        const struct way *way = &ways[i / E8_COUNT(rows)];
        int found =
            run_row(&rows[i % E8_COUNT(rows)], false, way) + run_row(&rows[i % E8_COUNT(rows)], true, way);
        if (found)
            printf("  (%s)\n", way->name);
        faults += found;
    }
    assert_int_equal(faults, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_fresh),
    cmocka_unit_test(test_reused),
    cmocka_unit_test(test_ways),
};

int run_outcomes(void)
{
    return cmocka_run_group_tests_name("outcomes", tests, NULL, NULL);
}
