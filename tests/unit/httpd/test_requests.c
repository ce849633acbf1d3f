/* Requests, good and bad, as bytes from a client, and what they are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>

#include "client.h"
#include "server.h"

static void addresses(void **state)
{
    static const struct {
        const char *listen;
        enum e8_rc rc;
        const char *what;
    } rows[] = {
        {"", E8_INPUT, "no port"},
        {"127.0.0.1", E8_INPUT, "no port"},
        {"127.0.0.1:", E8_INPUT, "no port"},
        {"127.0.0.1:65536", E8_INPUT, "no port"},
        {"127.0.0.1:-1", E8_INPUT, "no port"},
        {"127.0.0.1:80x", E8_INPUT, "no port"},
        {"example.com:80", E8_INPUT, "no address"},
        {":8080", E8_INPUT, "no address"},
        {"[::1:80", E8_INPUT, "no address"},
        {"[127.0.0.1]:80", E8_INPUT, "no address"},
        {"1.2.3.4.5:80", E8_INPUT, "no address"},
        {"unix:", E8_INPUT, "no path"},
        {"unix:/very/long/very/long/very/long/very/long/very/long/very/long/very/long/very/long/very/long/"
         "very/"
         "long/very/long/path",
         E8_INPUT, "at most"},
        {"unix:/does/not/exist/s", E8_ENV, "cannot listen"},
        {"203.0.113.1:0", E8_ENV, "cannot listen"},
    };

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_httpd_options options = {.listen = rows[i].listen, .routes = routes, .body_max = 1};
        struct e8_httpd *httpd = NULL;
        struct e8_err err = {0};

        assert_int_equal(e8_httpd_start(&options, &httpd, &err), rows[i].rc);
        assert_null(httpd);
        assert_non_null(strstr(err.what, rows[i].what));
        assert_true(rows[i].rc != E8_INPUT || err.hint[0]);
    }
}

static void port_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct e8_httpd_options options = {.routes = routes, .body_max = 1};
    struct e8_httpd *httpd = NULL;
    struct e8_err err = {0};

    options.listen = fixture->url + strlen("http://");
    assert_int_equal(e8_httpd_start(&options, &httpd, &err), E8_ENV);
    assert_null(httpd);
    assert_non_null(strstr(err.hint, "another process"));
    assert_non_null(strstr(err.hint, "or a connection had that port a moment ago"));
    char path[64];
    snprintf(path, sizeof path, "unix:/tmp/e8-taken-%d", (int)getpid());
    options.listen = path;
    struct e8_httpd *first = NULL;
    assert_int_equal(e8_httpd_start(&options, &first, &err), E8_OK);
    assert_int_equal(e8_httpd_start(&options, &httpd, &err), E8_ENV);
    assert_string_equal(err.hint, "another process listens there; choose another path");
    e8_httpd_stop(&first);
}

static void request_is_described(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    client_ask(
        fixture->url,
        "PUT /info?q=a%20b HTTP/1.1\r\nHost: h\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 0\r\n\r\n",
        &reply);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply.body, "PUT|/info|127.0.0.1|1|1|2|a b|4|Host=h");
    assert_non_null(strstr(reply.head, "X-Answer: yes\r\n"));
    client_ask(fixture->url, "GET /files/a%2fb%41?x HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_string_equal(reply.body, "file /files/a/bA");
    client_ask(fixture->url, "GET /files HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 404);
    client_ask(fixture->url, "GET /echo HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 404);
    assert_non_null(strstr(reply.body, "NOT_FOUND"));
}

static void head_gets_no_body(void **state)
{
    struct fixture *fixture = *state;
    struct client client;

    assert_true(client_open(&client, fixture->url));
    client_say(&client, "HEAD /files/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    while (client_more(&client))
        ;
    assert_int_equal(errno, 0);
    assert_non_null(strstr(client.bytes, "HTTP/1.1 200"));
    assert_non_null(strstr(client.bytes, "Content-Length: 13\r\n"));
    assert_string_equal(client.bytes + client.n - 4, "\r\n\r\n");
    client_close(&client);
}

static void connection_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    assert_true(client_open(&client, fixture->url));
    for (int i = 0; i < 20; i++) {
        client_say(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
        client_read(&client, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, "hello");
    }
    client_say(&client, "GET /info HTTP/1.1\r\nHost: h\r\n\r\n");
    client_read(&client, &reply);
    assert_string_equal(reply.body, "GET|/info|127.0.0.1|1|-|-|-|1|Host=h");
    client_say(&client, "GET /info HTTP/1.1\r\nHost: h\r\nX-Please-Close: 1\r\n\r\n");
    client_read(&client, &reply);
    assert_non_null(strcasestr(reply.head, "Connection: close"));
    assert_int_equal(client_end(&client), 0);
    client_close(&client);
    client_ask(fixture->url, "GET /info HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_string_equal(reply.body, "GET|/info|127.0.0.1|2|-|-|-|1|Host=h");
}

static void old_http_closes(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    assert_true(client_open(&client, fixture->url));
    client_say(&client, "POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nok");
    client_read(&client, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(client_end(&client), 0);
    client_close(&client);
}

static void pipelined_answers_keep_their_order(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    assert_true(client_open(&client, fixture->url));
    client_say(&client, "GET /delay?for=40ms HTTP/1.1\r\nHost: h\r\n\r\n"
                        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb"
                        "GET /delay?for=1ms HTTP/1.1\r\nHost: h\r\n\r\n"
                        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                        "1\r\nc\r\n2;x=y\r\ndd\r\n0\r\nTrailer: t\r\n\r\n"
                        "GET /files/e HTTP/1.1\r\nHost: h\r\n\r\n");
    static const char *const bodies[] = {"40ms", "b", "1ms", "cdd", "file /files/e"};
    for (size_t i = 0; i < E8_COUNT(bodies); i++) {
        client_read(&client, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, bodies[i]);
    }
    client_close(&client);
}

static void every_split_is_the_same(void **state)
{
    static const char request[] = "POST /echo?x=y HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\nsplit!!";
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    assert_true(client_open(&client, fixture->url));
    for (size_t at = 1; at < sizeof request - 1; at++) {
        unsigned before = atomic_load(&fixture->requests);

        client_say_n(&client, request, at);
        struct pollfd none = {.fd = client.fd, .events = POLLIN};
        assert_int_equal(poll(&none, 1, 1), 0);
        assert_int_equal(atomic_load(&fixture->requests), before);
        client_say_n(&client, request + at, sizeof request - 1 - at);
        client_read(&client, &reply);
        assert_string_equal(reply.body, "split!!");
    }
    client_close(&client);
}

static void post_body(const char *url, size_t n, const char *extra, struct reply *reply)
{
    struct client client;
    char head[256], *body = e8_new(n + 1, 1);

    memset(body, 'x', n);
    assert_true(client_open(&client, url));
    snprintf(head, sizeof head, "POST /info HTTP/1.1\r\nHost: h\r\n%sContent-Length: %zu\r\n\r\n", extra, n);
    client_say(&client, head);
    client_say_n(&client, body, n);
    client_read(&client, reply);
    client_close(&client);
    free(body);
}

static void large_bodies(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    post_body(fixture->url, BODY_MAX, "", &reply);
    assert_int_equal(reply.status, 201);
    post_body(fixture->url, BODY_MAX + 1, "", &reply);
    assert_int_equal(reply.status, 413);
    assert_non_null(strstr(reply.body, "TOO_LARGE"));
    assert_non_null(strcasestr(reply.head, "Connection: close"));
    post_body(fixture->url, 8 * BODY_MAX, "", &reply);
    assert_int_equal(reply.status, 413);
    client_ask(fixture->url,
               "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n",
               &reply);
    assert_int_equal(reply.status, 413);
    client_ask(fixture->url, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n", &reply);
    assert_int_equal(reply.status, 413);
    client_ask(fixture->url,
               "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n", &reply);
    assert_int_equal(reply.status, 413);
}

/* It need not come for that; and whoever sends it all the same reads the answer behind it. */
static void a_body_that_is_too_large_is_refused_by_its_head(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;
    char head[128], part[4096];

    memset(part, 'x', sizeof part);
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\nx",
             (size_t)BODY_MAX + sizeof part + 1);
    for (int whole = 0; whole < 2; whole++) {
        assert_true(client_open(&client, fixture->url));
        client_say(&client, head);
        for (size_t sent = 0; whole && sent < BODY_MAX + sizeof part; sent += sizeof part)
            client_say_n(&client, part, sizeof part);
        client_read(&client, &reply);
        assert_int_equal(reply.status, 413);
        assert_non_null(strstr(reply.body, "TOO_LARGE"));
        assert_non_null(strcasestr(reply.head, "Connection: close"));
        client_close(&client);
    }
}

static void chunked_body_too_large(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;
    char chunk[4096 + 8];

    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    assert_true(client_open(&client, fixture->url));
    client_say(&client, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i <= BODY_MAX / 4096; i++)
        client_say_n(&client, chunk, 6 + 4096 + 2);
    client_say(&client, "0\r\n\r\n");
    client_read(&client, &reply);
    assert_int_equal(reply.status, 413);
    client_close(&client);
}

static void continue_is_sent(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    assert_true(client_open(&client, fixture->url));
    client_say(&client,
               "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    client_read(&client, &reply);
    assert_int_equal(reply.status, 100);
    client_say(&client, "ok");
    client_read(&client, &reply);
    assert_string_equal(reply.body, "ok");
    client_close(&client);
}

/* All of these end in 400, or in the end of the connection, and the server lives. */
static void bad_requests(void **state)
{
    static const char *const rows[] = {
        "\r\n\r\n\r\nnonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /info\r\n\r\n",
        "GET /info HTTP/9.9\r\nHost: h\r\n\r\n",
        "GET /info HTTP/1.1\r\n\r\n", /* no Host */
        "GET /files/a%00b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /info HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n0\r\n\r\n",
        /* smuggling */
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
         "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 1\r\n\r\nx",
        "POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        assert_true(client_open(&client, fixture->url));
        client_say(&client, rows[i]);
        shutdown(client.fd, SHUT_WR);
        client_read(&client, &reply);
        if (reply.status != 0 && reply.status != 400 && reply.status != 505)
            fail_msg("row %zu got %d", i, reply.status);
        assert_int_equal(client_end(&client) > 0 ? ECONNRESET : 0, errno);
        client_close(&client);
    }
    assert_int_equal(atomic_load(&fixture->requests), 0);
    client_ask(fixture->url, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok", &reply);
    assert_string_equal(reply.body, "ok");
}

/* What two readers may understand differently: 400, and the connection ends, so that nothing after it is taken for a request. */
static void smuggling_is_refused(void **state)
{
#define ROW(text)                                                                                            \
    {                                                                                                        \
        "" text, sizeof(text) - 1                                                                            \
    }
#define AFTER "GET /files/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    static const struct {
        const char *p;
        size_t n;
    } rows[] = {
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: "
            "5\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length : 0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
            "x\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\x0b chunked\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" AFTER),
        /* folded lines */
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n more\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nX-A: 1\r\n\tmore\r\nHost: h\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\n X-A: 1\r\nHost: h\r\n\r\n" AFTER),
        /* NUL, CR alone, LF alone */
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX-A: a\0b\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX-A: a\0\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX\0-A: a\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nX-A: a\0b\r\nHost: h\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX-A: a\rX-B: b\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\rX-A: a\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nX-A: a\nX-B: b\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\nHost: h\n\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\n\r\n" AFTER),
        ROW("GET /info\0/x HTTP/1.1\r\nHost: h\r\n\r\n" AFTER),
        /* whose? */
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\n: no name\r\n\r\n" AFTER),
        ROW("GET /info HTTP/1.1\r\nHost: h\r\nA B: c\r\n\r\n" AFTER),
        /* chunks */
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n 0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
            "chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n" AFTER),
        ROW("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r0\r\n\r\n" AFTER),
    };
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        assert_true(client_open(&client, fixture->url));
        client_say_n(&client, rows[i].p, rows[i].n);
        client_read(&client, &reply);
        if (reply.status != 400)
            fail_msg("row %zu got %d", i, reply.status);
        client_take(&client, client.n);
        assert_int_not_equal(client_end(&client), -1);
        client_close(&client);
    }
    assert_int_equal(atomic_load(&fixture->requests), 0);
#undef ROW
#undef AFTER
}

/* Whatever stands in it, a head that is right is taken, however it comes in. */
static void odd_heads_that_are_right(void **state)
{
    static const char *const rows[] = {
        "\r\n\r\nGET /files/x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost:h\r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost: \t  h\r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost: h \r\nX-Blanks: a \t \r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost: h\r\nX-Empty:\r\nX-Empty: \r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost: h\r\nX-Tab: a\tb\r\nX-Latin: \xe9\xff\r\n\r\n",
        "GET /files/x HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=d\r\nX: \"q\", (c)\r\n\r\n",
        "GET /files/x?a=b&c&&=d&a=%20%zz HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /files/%78 HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
        "GET /files/x HTTP/1.0\r\nA:b\r\n\r\n",
        "GET /files/x HTTP/1.0\r\n\r\n",
    };
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        client_ask(fixture->url, rows[i], &reply);
        if (reply.status != 200)
            fail_msg("row %zu got %d", i, reply.status);
        assert_string_equal(reply.body, "file /files/x");
        assert_true(client_open(&client, fixture->url));
        for (const char *at = rows[i]; *at; at++)
            client_say_n(&client, at, 1);
        client_read(&client, &reply);
        assert_string_equal(reply.body, "file /files/x");
        client_close(&client);
    }
}

/* A head of exactly so many bytes, one long header or many short ones. */
static void ask_with_head(const char *url, size_t size, bool many, struct reply *reply)
{
    static const char begin[] = "GET /info HTTP/1.1\r\nHost: h\r\n";
    char *head = e8_new(size + 1, 1);
    size_t n = sizeof begin - 1;

    memcpy(head, begin, n);
    while (many && size - n > 1024) {
        memcpy(head + n, "X: ", 3);
        memset(head + n + 3, 'v', 1024 - 5);
        memcpy(head + n + 1022, "\r\n", 2);
        n += 1024;
    }
    memcpy(head + n, "X: ", 3);
    memset(head + n + 3, 'v', size - n - 3 - 4);
    memcpy(head + size - 4, "\r\n\r\n", 4);
    client_ask(url, head, reply);
    free(head);
}

static void heads_of_16_kb(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    for (int many = 0; many < 2; many++) {
        ask_with_head(fixture->url, 16 << 10, many, &reply);
        assert_int_equal(reply.status, 201);
        ask_with_head(fixture->url, (16 << 10) + 1, many, &reply);
        assert_int_equal(reply.status, 431);
        assert_non_null(strcasestr(reply.head, "Connection: close"));
    }
}

static void long_heads(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;
    char *request = e8_new(80 << 10, 1);
    static const int sizes[] = {8 << 10, 15 << 10, 70 << 10};

    for (size_t i = 0; i < E8_COUNT(sizes); i++) {
        char *value = e8_new((size_t)sizes[i] + 1, 1);

        memset(value, 'v', (size_t)sizes[i]);
        snprintf(request, 80 << 10, "GET /info HTTP/1.1\r\nHost: h\r\nX-Long: %s\r\n\r\n", value);
        client_ask(fixture->url, request, &reply);
        if (sizes[i] < 16 << 10)
            assert_int_equal(reply.status, 201);
        else
            assert_true(reply.status == 431 || reply.status == 0); /* a reset may overtake the answer */
        free(value);
    }
    free(request);
}

static void slow_heads_are_cut(void **state)
{
    struct fixture *fixture = *state;
    struct client client;
    e8_mono_ns began = e8_mono_now();

    assert_true(client_open(&client, fixture->url));
    client_say(&client, "GET /info HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 70; i++) { /* drips */
        struct pollfd end = {.fd = client.fd, .events = POLLIN};

        if (poll(&end, 1, 100) == 1)
            break;
        client_say(&client, "X-Drip: 1\r\n");
    }
    assert_in_range(e8_mono_now() - began, 4900 * E8_NS_MS, 5600 * E8_NS_MS);
    client_close(&client);
}

static void large_answer(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    client_ask(fixture->url, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n", &reply); /* over the limit of a body */
    assert_int_equal(reply.status, 500);
}

/* The end comes along with the last bytes, as from printf | nc. */
static void half_closed_clients_are_answered(void **state)
{
    static const char *const rows[] = {"GET /delay?for=30ms HTTP/1.1\r\nHost: h\r\n\r\n",
                                       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n30ms",
                                       "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n30ms"};
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;

    for (size_t i = 0; i < 10 * E8_COUNT(rows); i++) {
        e8_mono_ns began = e8_mono_now();

        assert_true(client_open(&client, fixture->url));
        client_say(&client, rows[i % E8_COUNT(rows)]);
        shutdown(client.fd, SHUT_WR);
        client_read(&client, &reply);
        assert_string_equal(reply.body, i % E8_COUNT(rows) == 2 ? "" : "30ms");
        assert_int_equal(reply.error, 0);
        assert_int_equal(client_end(&client), 0);
        assert_true(e8_mono_now() - began < E8_NS_S);
        client_close(&client);
    }
}

/* A body of many reads, and the end right behind it. */
static void half_closed_after_a_large_body(void **state)
{
    struct fixture *fixture = *state;
    struct reply *reply = e8_new(1, sizeof *reply);
    struct client client;
    char *body = e8_new(BODY_MAX, 1);

    for (int i = 0; i < 5; i++) {
        assert_true(client_open(&client, fixture->url));
        client_say(&client, "POST /info HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n");
        client_say_n(&client, body, BODY_MAX);
        shutdown(client.fd, SHUT_WR);
        client_read(&client, reply);
        assert_int_equal(reply->status, 201);
        assert_int_equal(client_end(&client), 0);
        client_close(&client);
    }
    free(body);
    free(reply);
}

int test_requests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        TEST(port_is_taken),
        TEST(request_is_described),
        TEST(head_gets_no_body),
        TEST(connection_is_kept),
        TEST(old_http_closes),
        TEST(pipelined_answers_keep_their_order),
        TEST(every_split_is_the_same),
        TEST(large_bodies),
        TEST(a_body_that_is_too_large_is_refused_by_its_head),
        TEST(chunked_body_too_large),
        TEST(continue_is_sent),
        TEST(bad_requests),
        TEST(smuggling_is_refused),
        TEST(odd_heads_that_are_right),
        TEST(heads_of_16_kb),
        TEST(long_heads),
        TEST(slow_heads_are_cut),
        TEST(large_answer),
        TEST(half_closed_clients_are_answered),
        TEST(half_closed_after_a_large_body),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
