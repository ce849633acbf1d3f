/* Answers without an end, and answers from memory that is not copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "client.h"
#include "server.h"

#define ROOM   ((size_t)4096)
#define ASSETS ((size_t)1000000) /* more than the kernel takes at once */

struct place {
    struct e8_httpd *httpd;
    const char *url;
    char *asset;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct e8_stream *streams[16];
    size_t count;
};

static void on_stream(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct place *place = state;
    struct e8_stream *stream = e8_stream_new(response, ROOM);

    assert_true(e8_stream_put(stream, E8_LIT("hello\n"))); /* before anybody reads */
    response->headers[response->header_count].name = "Content-Type";
    response->headers[response->header_count++].value = "text/event-stream";
    response->status = e8_request_query(request, "odd") ? 203 : 200;
    pthread_mutex_lock(&place->lock);
    place->streams[place->count++] = stream;
    pthread_cond_signal(&place->came);
    pthread_mutex_unlock(&place->lock);
}

static void on_asset(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct place *place = state;

    response->constant = (struct e8_str){place->asset, e8_request_query(request, "empty") ? 0 : ASSETS};
}

static void on_plain(void *state, const struct e8_request *request, struct e8_response *response)
{
    (void)state;
    (void)request;
    e8_buf_puts(&response->body, "plain");
}

static int set_up_place(void **state)
{
    static const struct e8_route own[] = {{"GET", "/stream", on_stream},
                                          {"GET", "/asset", on_asset},
                                          {"GET", "/plain", on_plain},
                                          {NULL, NULL, NULL}};
    static const char *const always[][2] = {{"X-Content-Type-Options", "nosniff"}, {NULL, NULL}};
    struct place *place = e8_new(1, sizeof *place);
    struct e8_httpd_options options = {.listen = "127.0.0.1:0",
                                       .routes = own,
                                       .state = place,
                                       .body_max = BODY_MAX,
                                       .idle_s = 1,
                                       .always = always};

    pthread_mutex_init(&place->lock, NULL);
    pthread_cond_init(&place->came, NULL);
    place->asset = e8_new(ASSETS, 1);
    for (size_t i = 0; i < ASSETS; i++)
        place->asset[i] = (char)('a' + i % 23);
    assert_int_equal(e8_httpd_start(&options, &place->httpd, NULL), E8_OK);
    place->url = e8_httpd_url(place->httpd);
    *state = place;
    return 0;
}

static int tear_down_place(void **state)
{
    struct place *place = *state;

    e8_httpd_stop(&place->httpd);
    for (size_t i = 0; i < place->count; i++) {
        if (place->streams[i]) /* outlives its server */
            assert_false(e8_stream_put(place->streams[i], E8_LIT("late")));
        e8_stream_free(&place->streams[i]);
    }
    pthread_cond_destroy(&place->came);
    pthread_mutex_destroy(&place->lock);
    free(place->asset);
    free(place);
    return 0;
}

static struct e8_stream *wait_for_stream(struct place *place, size_t i)
{
    pthread_mutex_lock(&place->lock);
    while (place->count <= i)
        pthread_cond_wait(&place->came, &place->lock);
    struct e8_stream *stream = place->streams[i];
    pthread_mutex_unlock(&place->lock);
    return stream;
}

static struct e8_stream *open_stream(struct place *place, struct client *client, size_t i)
{
    assert_true(client_open(client, place->url));
    client_say(client, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    return wait_for_stream(place, i);
}

/* Reads until the text is among what has come. */
static bool expect(struct client *client, const char *text)
{
    while (client->n == 0 || !strstr(client->bytes, text))
        if (!client_more(client))
            return false;
    return true;
}

/* The server knows it soon. */
static bool closes_within(struct e8_stream *stream, e8_dur_ns time)
{
    for (e8_mono_ns began = e8_mono_now(); e8_mono_now() - began < time; usleep(1000))
        if (!e8_stream_is_open(stream))
            return true;
    return false;
}

static void what_is_put_arrives(void **state)
{
    struct place *place = *state;
    struct client client;
    struct e8_stream *stream = open_stream(place, &client, 0);
    e8_dur_ns least = E8_NEVER;

    assert_true(expect(&client, "\r\n6\r\nhello\n\r\n"));
    assert_non_null(strstr(client.bytes, "Transfer-Encoding: chunked\r\n"));
    assert_non_null(strstr(client.bytes, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(client.bytes, "X-Content-Type-Options: nosniff\r\n"));
    for (int i = 0; i < 50; i++) {
        char text[32], wanted[48];
        e8_mono_ns began = e8_mono_now();

        snprintf(text, sizeof text, "event %02d\n", i);
        snprintf(wanted, sizeof wanted, "9\r\n%s\r\n", text);
        assert_true(e8_stream_put(stream, e8_str(text)));
        assert_true(expect(&client, wanted));
        least = e8_mono_now() - began < least ? e8_mono_now() - began : least;
    }
    assert_true(least < 20 * E8_NS_MS); /* nothing waits for a tick, or for more */
    assert_true(e8_stream_is_open(stream));
    e8_stream_free(&place->streams[0]);
    assert_true(expect(&client, "\r\n0\r\n\r\n"));
    client_take(&client, client.n);
    client_say(&client, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"); /* the connection goes on */
    assert_true(expect(&client, "plain"));
    client_close(&client);
}

static void what_was_put_before_the_end_arrives(void **state)
{
    struct place *place = *state;
    struct client client;
    struct e8_stream *stream = open_stream(place, &client, 0);
    char line[64] = "";

    memset(line, 'z', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    for (int i = 0; i < 60; i++)
        assert_true(e8_stream_put(stream, e8_str(line)));
    e8_stream_free(&place->streams[0]);
    assert_true(expect(&client, "\r\n0\r\n\r\n"));
    size_t lines = 0;
    for (size_t i = 0; i < client.n; i++)
        lines += client.bytes[i] == 'z';
    assert_int_equal(lines, 60 * (sizeof line - 2));
    client_close(&client);
}

/* Idle connections are closed after a second here. */
static void open_streams_are_not_idle(void **state)
{
    struct place *place = *state;
    struct client client, idle;
    struct e8_stream *stream = open_stream(place, &client, 0);

    assert_true(client_open(&idle, place->url));
    client_say(&idle, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(expect(&idle, "plain"));
    client_take(&idle, idle.n);
    assert_int_equal(client_end(&idle), 0);
    struct pollfd silence = {.fd = client.fd, .events = POLLIN};
    assert_true(expect(&client, "hello"));
    assert_int_equal(poll(&silence, 1, 1500), 0);
    assert_true(e8_stream_put(stream, E8_LIT("still here")));
    assert_true(expect(&client, "still here"));
    client_close(&client);
    client_close(&idle);
}

static void clients_that_leave_are_noticed(void **state)
{
    struct place *place = *state;
    struct client client;

    for (size_t i = 0; i < 12; i++) {
        struct e8_stream *stream = open_stream(place, &client, i);
        struct linger abrupt = {.l_onoff = i % 3 == 1};

        if (i < 9)
            assert_true(expect(&client, "hello"));
        if (i % 3 == 2)
            shutdown(client.fd, SHUT_WR);
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
        if (i % 3 != 2)
            client_close(&client);
        assert_true(closes_within(stream, 5 * E8_NS_S));
        assert_false(e8_stream_put(stream, E8_LIT("nobody")));
        if (i % 3 != 2)
            continue;
        assert_true(expect(&client, "\r\n0\r\n\r\n")); /* half closed: the end comes in order */
        client_close(&client);
    }
}

/* One reads nothing: first the kernel's memory fills, then the stream's. */
static void slow_clients_are_cut(void **state)
{
    struct place *place = *state;
    struct client slow, quick;
    struct e8_stream *stream = open_stream(place, &slow, 0), *other = open_stream(place, &quick, 1);
    char *block = e8_new(ROOM / 2, 1);
    size_t taken = 0;
    e8_dur_ns longest = 0;

    assert_true(expect(&quick, "hello"));
    while (e8_stream_is_open(stream) && taken < (size_t)256 << 20) {
        e8_mono_ns before = e8_mono_now();

        taken += e8_stream_put(stream, (struct e8_str){block, ROOM / 2}) ? ROOM / 2 : 0;
        longest = e8_mono_now() - before > longest ? e8_mono_now() - before : longest;
        usleep(100); /* the server's thread hands it on */
    }
    assert_in_range(taken, ROOM / 2, (size_t)256 << 20);
    assert_false(e8_stream_put(stream, E8_LIT("more")));
    assert_true(longest < E8_NS_S);
    assert_true(e8_stream_put(other, E8_LIT("others go on")));
    assert_true(expect(&quick, "others go on"));
    while (client_more(&slow))
        slow.n = 0;
    client_close(&slow);
    client_close(&quick);
    free(block);
}

static void too_much_at_once_is_refused(void **state)
{
    struct place *place = *state;
    struct client client;
    struct e8_stream *stream = open_stream(place, &client, 0);
    char *block = e8_new(ROOM + 1, 1);

    assert_true(expect(&client, "hello"));
    assert_true(e8_stream_put(stream, (struct e8_str){NULL, 0}));
    assert_false(e8_stream_put(stream, (struct e8_str){block, ROOM + 1}));
    assert_false(e8_stream_is_open(stream));
    while (client_more(&client))
        ;
    assert_null(strstr(client.bytes, "\r\n0\r\n\r\n")); /* it did not end in order, and that shows */
    client_close(&client);
    free(block);
}

static void old_clients_get_it_without_chunks(void **state)
{
    struct place *place = *state;
    struct client client;

    assert_true(client_open(&client, place->url));
    client_say(&client, "GET /stream?odd=1 HTTP/1.0\r\n\r\n");
    struct e8_stream *stream = wait_for_stream(place, 0);
    assert_true(e8_stream_put(stream, E8_LIT("one ")));
    assert_true(expect(&client, "one "));
    assert_true(e8_stream_put(stream, E8_LIT("two")));
    e8_stream_free(&place->streams[0]);
    while (client_more(&client))
        ;
    assert_non_null(strstr(client.bytes, " 203 "));
    assert_non_null(strstr(client.bytes, "\r\n\r\nhello\none two"));
    client_close(&client);
}

static void head_of_a_stream(void **state)
{
    struct place *place = *state;
    struct client client;

    assert_true(client_open(&client, place->url));
    client_say(&client, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    struct e8_stream *stream = wait_for_stream(place, 0);
    assert_true(closes_within(stream, 5 * E8_NS_S));
    client_say(&client, "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(expect(&client, "plain"));
    client_close(&client);
}

static void stop_ends_streams(void **state)
{
    struct place *place = *state;
    struct client client, slow;
    struct e8_stream *stream = open_stream(place, &client, 0), *full = open_stream(place, &slow, 1);
    char block[512];

    memset(block, 'b', sizeof block);
    assert_true(expect(&client, "hello"));
    for (int i = 0; i < 6; i++)
        assert_true(e8_stream_put(full, (struct e8_str){block, sizeof block}));
    e8_mono_ns began = e8_mono_now();
    e8_httpd_stop(&place->httpd);
    assert_true(e8_mono_now() - began < 1500 * E8_NS_MS);
    assert_false(e8_stream_is_open(stream));
    assert_true(expect(&client, "\r\n0\r\n\r\n"));
    client_take(&client, client.n);
    assert_int_equal(client_end(&client), 0);
    assert_true(expect(&slow, "\r\n0\r\n\r\n")); /* all that was put, and the end */
    client_close(&client);
    client_close(&slow);
}

struct writer {
    struct e8_stream *stream;
    char name;
};

static void *write_on(void *closure)
{
    const struct writer *writer = closure;

    for (int i = 0; i < 500; i++) {
        char text[16];
        int n = snprintf(text, sizeof text, "<%c%03d>", writer->name, i);

        if (!e8_stream_put(writer->stream, (struct e8_str){text, (size_t)n}))
            return NULL;
        if (i % 16 == 0)
            usleep(500); /* the reader shares two cores with all of them */
    }
    return NULL;
}

/* Several threads write, one client reads; all arrives whole, each writer's in its order. */
static void many_writers(void **state)
{
    struct place *place = *state;
    struct client client;
    struct e8_stream *stream;
    pthread_t threads[3];
    struct writer writers[3];
    char *all = e8_new(1 << 16, 1);
    size_t n = 0;

    assert_true(client_open(&client, place->url));
    client_say(&client, "GET /stream HTTP/1.0\r\n\r\n"); /* no chunks between */
    stream = wait_for_stream(place, 0);
    for (size_t i = 0; i < 3; i++) {
        writers[i] = (struct writer){stream, (char)('x' + i)};
        assert_int_equal(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
    }
    while (n < 3 * 500 * 6) {
        assert_true(client_more(&client));
        const char *body = strstr(client.bytes, "hello\n");
        n = body ? client.n - (size_t)(body + 6 - client.bytes) : 0;
    }
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    memcpy(all, strstr(client.bytes, "hello\n") + 6, n);
    int next[3] = {0};
    for (const char *at = all; *at; at += 6) {
        assert_int_equal(at[0], '<');
        assert_int_equal(at[5], '>');
        assert_int_equal(strtol(at + 2, NULL, 10), next[at[1] - 'x']++);
    }
    assert_int_equal(next[0] + next[1] + next[2], 1500);
    client_close(&client);
    free(all);
}

/* The writers go on while the server ends. */
static void stop_while_others_write(void **state)
{
    struct place *place = *state;
    struct client client;
    pthread_t threads[3];
    struct writer writers[3];
    struct e8_stream *stream = open_stream(place, &client, 0);

    for (size_t i = 0; i < 3; i++) {
        writers[i] = (struct writer){stream, (char)('x' + i)};
        assert_int_equal(pthread_create(&threads[i], NULL, write_on, &writers[i]), 0);
    }
    assert_true(expect(&client, "<x010>"));
    e8_httpd_stop(&place->httpd);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_false(e8_stream_is_open(stream));
    client_close(&client);
}

static void constant_answers(void **state)
{
    struct place *place = *state;
    struct client client;

    assert_true(client_open(&client, place->url));
    client_say(&client, "GET /asset?empty=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(expect(&client, "\r\n\r\n"));
    assert_non_null(strstr(client.bytes, "Content-Length: 0\r\n"));
    client_take(&client, client.n);
    client_say(&client, "GET /asset HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(expect(&client, "\r\n\r\n"));
    assert_non_null(strstr(client.bytes, "Content-Length: 1000000\r\n"));
    assert_non_null(strstr(client.bytes, "X-Content-Type-Options: nosniff\r\n"));
    client_take(&client, (size_t)(strstr(client.bytes, "\r\n\r\n") + 4 - client.bytes));
    while (client.n < ASSETS)
        assert_true(client_more(&client));
    assert_memory_equal(client.bytes, place->asset, ASSETS);
    client_close(&client);
}

static void always_is_on_errors_too(void **state)
{
    struct place *place = *state;
    struct reply reply;

    client_ask(place->url, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 404);
    assert_non_null(strstr(reply.head, "X-Content-Type-Options: nosniff\r\n"));
    client_ask(place->url, "GET /plain HTTP/1.1\r\nHost: h\r\nHost: g\r\n\r\n", &reply);
    assert_int_equal(reply.status, 400);
    assert_non_null(strstr(reply.head, "X-Content-Type-Options: nosniff\r\n"));
}

#define PLACE(f) cmocka_unit_test_setup_teardown(f, set_up_place, tear_down_place)

int test_streams(void)
{
    const struct CMUnitTest tests[] = {
        PLACE(what_is_put_arrives),
        PLACE(what_was_put_before_the_end_arrives),
        PLACE(open_streams_are_not_idle),
        PLACE(clients_that_leave_are_noticed),
        PLACE(slow_clients_are_cut),
        PLACE(too_much_at_once_is_refused),
        PLACE(old_clients_get_it_without_chunks),
        PLACE(head_of_a_stream),
        PLACE(stop_ends_streams),
        PLACE(many_writers),
        PLACE(stop_while_others_write),
        PLACE(constant_answers),
        PLACE(always_is_on_errors_too),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
