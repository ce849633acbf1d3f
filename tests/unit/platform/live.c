/* The hub of the live stream: real listeners, the time as the test says. */
#include "../httpd/client.h"
#include "guard.h"

#include <poll.h>
#include <pthread.h>

#include "platform/live.h"

#define T0 ((e8_mono_ns)1000 * E8_NS_S)

struct place {
    struct e8_hub *live;
    struct e8_httpd *httpd;
    const char *url;
    unsigned rows; /* that were written */
    bool gone;     /* the row is not there any more */
};

static void on_stream(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct place *place = state;

    if (!e8_hub_listen(place->live, e8_request_query(request, "webhook"), T0, response))
        response->status = 503;
}

static int set_up(void **state)
{
    static const struct e8_route routes[] = {{"GET", "/stream", on_stream}, {NULL, NULL, NULL}};
    struct place *place = e8_new(1, sizeof *place);
    struct e8_httpd_options options = {.listen = "127.0.0.1:0", .routes = routes, .state = place};

    place->live = e8_hub_new();
    assert_int_equal(e8_httpd_start(&options, &place->httpd, NULL), E8_OK);
    place->url = e8_httpd_url(place->httpd);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;

    e8_httpd_stop(&place->httpd);
    e8_hub_free(&place->live);
    free(place);
    return 0;
}

static bool expect(struct client *client, const char *text)
{
    while (client->n == 0 || !strstr(client->bytes, text))
        if (!client_more(client))
            return false;
    return true;
}

/* HTTP/1.0: no chunks between. */
static void listen_to(struct place *place, struct client *client, const char *query)
{
    char request[256];

    snprintf(request, sizeof request, "GET /stream%s HTTP/1.0\r\n\r\n", query);
    assert_true(client_open(client, place->url));
    client_say(client, request);
    assert_true(expect(client, "\r\n\r\n: open\n\n"));
    client_take(client, client->n);
}

static bool write_row(void *state, struct e8_buf *out)
{
    struct place *place = state;

    e8_buf_printf(out, "{\"row\":%u}", ++place->rows);
    return !place->gone;
}

static void deliver(struct place *place, const char *webhook, e8_mono_ns now)
{
    e8_hub_delivery(place->live, webhook, write_row, place, now);
}

/* A run is told at once, and so shows that nothing else comes before. */
static void expect_exactly(struct place *place, struct client *client, const char *text)
{
    char wanted[4096];

    e8_hub_run(place->live, E8_LIT("{}"));
    assert_true(expect(client, "event: run\ndata: {}\n\n"));
    snprintf(wanted, sizeof wanted, "%sevent: run\ndata: {}\n\n", text);
    assert_string_equal(client->bytes, wanted);
    client_take(client, client->n);
}

static void what_happens_is_told(void **state)
{
    struct place *place = *state;
    struct client client;

    deliver(place, "whk_a", T0);
    assert_int_equal(place->rows, 0); /* nobody listens, nobody asks the store */
    listen_to(place, &client, "");
    assert_int_equal(e8_hub_count(place->live), 1);
    deliver(place, "whk_a", T0);
    e8_hub_webhook(place->live, "whk_a", NULL);
    e8_hub_webhook(place->live, "\"\n<b>", NULL);
    e8_hub_run(place->live, E8_LIT("{\"id\":\"run_1\",\n \"state\":\"running\"}"));
    expect_exactly(place, &client,
                   "event: delivery\ndata: {\"row\":1}\n\n"
                   "event: webhook\ndata: {\"id\":\"whk_a\"}\n\n"
                   "event: webhook\ndata: {\"id\":\"\\\"\\n<b>\"}\n\n"
                   "event: run\ndata: {\"id\":\"run_1\",\ndata:  \"state\":\"running\"}\n\n");
    place->gone = true;
    deliver(place, "whk_a", T0);
    expect_exactly(place, &client, "");
    client_close(&client);
}

static void one_endpoint_alone(void **state)
{
    struct place *place = *state;
    struct client all, one, nobody;
    char query[128] = "?webhook=";

    memset(query + strlen(query), 'x', 100);
    listen_to(place, &all, "");
    listen_to(place, &one, "?webhook=whk_b");
    listen_to(place, &nobody, query);
    deliver(place, "whk_a", T0);
    deliver(place, "whk_b", T0);
    e8_hub_webhook(place->live, "whk_a", NULL);
    e8_hub_webhook(place->live, "whk_b", NULL);
    assert_int_equal(place->rows, 2);
    expect_exactly(place, &nobody, "");
    assert_true(expect(&one, "event: run"));
    assert_true(
        strncmp(
            one.bytes,
            "event: delivery\ndata: {\"row\":2}\n\nevent: webhook\ndata: {\"id\":\"whk_b\"}\n\nevent: run",
            80) == 0);
    assert_true(expect(&all, "event: run"));
    assert_non_null(strstr(all.bytes, "{\"row\":1}"));
    assert_non_null(strstr(all.bytes, "{\"row\":2}"));
    client_close(&all);
    client_close(&one);
    client_close(&nobody);
}

static void too_many_become_a_number(void **state)
{
    struct place *place = *state;
    struct client client;
    char memory[2048];
    struct e8_buf wanted;

    listen_to(place, &client, "");
    for (int i = 0; i < 500; i++)
        deliver(place, "whk_a", T0 + i * E8_NS_MS);
    assert_int_equal(place->rows, E8_HUB_RATE); /* what nobody is told is not asked of the store */
    e8_buf_fixed(&wanted, memory, sizeof memory);
    for (int i = 1; i <= E8_HUB_RATE; i++)
        e8_buf_printf(&wanted, "event: delivery\ndata: {\"row\":%d}\n\n", i);
    e8_hub_tick(place->live, T0 + 999 * E8_NS_MS);
    expect_exactly(place, &client, e8_buf_cstr(&wanted));
    e8_hub_tick(place->live, T0 + E8_NS_S);
    expect_exactly(place, &client, "event: many\ndata: {\"count\":480}\n\n");
    e8_hub_tick(place->live, T0 + 3 * E8_NS_S);
    expect_exactly(place, &client, "");
    /* The number comes before what is next, also where no tick was between. */
    for (int i = 0; i < 30; i++)
        deliver(place, "whk_a", T0 + 4 * E8_NS_S);
    expect(&client, "{\"row\":40}");
    client_take(&client, client.n);
    deliver(place, "whk_a", T0 + 5 * E8_NS_S);
    expect_exactly(place, &client,
                   "event: many\ndata: {\"count\":10}\n\nevent: delivery\ndata: {\"row\":41}\n\n");
    client_close(&client);
}

static void pings_come(void **state)
{
    struct place *place = *state;
    struct client client;

    listen_to(place, &client, "");
    e8_hub_tick(place->live, T0 + E8_HUB_PING - 1);
    expect_exactly(place, &client, "");
    e8_hub_tick(place->live, T0 + E8_HUB_PING);
    e8_hub_tick(place->live, T0 + E8_HUB_PING + E8_NS_S);
    expect_exactly(place, &client, ": ping\n\n");
    e8_hub_tick(place->live, T0 + 2 * E8_HUB_PING);
    expect_exactly(place, &client, ": ping\n\n");
    client_close(&client);
}

static void wait_for_count(struct place *place, size_t count)
{
    e8_mono_ns began = e8_mono_now();

    while (e8_hub_count(place->live) != count && e8_mono_now() - began < 10 * E8_NS_S)
        usleep(1000);
    assert_int_equal(e8_hub_count(place->live), count);
}

static void there_is_room_for_so_many(void **state)
{
    struct place *place = *state;
    struct client *clients = e8_new(E8_HUB_LISTENERS + 1, sizeof *clients);
    struct reply reply;

    for (size_t i = 0; i < E8_HUB_LISTENERS; i++)
        listen_to(place, &clients[i], "");
    client_ask(place->url, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 503);
    assert_int_equal(e8_hub_count(place->live), E8_HUB_LISTENERS);
    client_close(&clients[7]);
    wait_for_count(place, E8_HUB_LISTENERS - 1); /* who left is forgotten */
    listen_to(place, &clients[7], "");
    deliver(place, "whk_a", T0);
    for (size_t i = 0; i < E8_HUB_LISTENERS; i++) {
        assert_true(expect(&clients[i], "{\"row\":1}"));
        client_close(&clients[i]);
    }
    wait_for_count(place, 0);
    free(clients);
}

/* One that reads nothing is forgotten, in bounded memory, and others go on. */
static void the_slow_are_forgotten(void **state)
{
    struct place *place = *state;
    struct client slow, quick;
    char *json = e8_new(32 << 10, 1);

    memset(json, 'x', (32 << 10) - 1);
    listen_to(place, &slow, "");
    for (int i = 0; i < 2000 && e8_hub_count(place->live) == 1; i++) {
        e8_hub_run(place->live, e8_str(json));
        usleep(1000);
    }
    assert_int_equal(e8_hub_count(place->live), 0);
    listen_to(place, &quick, "");
    deliver(place, "whk_a", T0);
    assert_true(expect(&quick, "{\"row\":1}"));
    client_close(&slow);
    client_close(&quick);
    free(json);
}

static void *deliver_on(void *closure)
{
    struct place *place = closure, own = {.live = place->live};

    for (int i = 0; i < 2000; i++) {
        deliver(&own, "whk_a", T0 + i * 10 * E8_NS_MS);
        e8_hub_tick(place->live, T0 + i * 10 * E8_NS_MS);
    }
    return NULL;
}

/* Several threads tell while listeners come and go. */
static void from_many_threads(void **state)
{
    struct place *place = *state;
    pthread_t threads[3];
    struct client client;

    for (size_t i = 0; i < E8_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, deliver_on, place), 0);
    for (int i = 0; i < 50; i++) {
        assert_true(client_open(&client, place->url));
        client_say(&client, "GET /stream HTTP/1.0\r\n\r\n");
        assert_true(expect(&client, ": open\n\n"));
        client_close(&client);
    }
    for (size_t i = 0; i < E8_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    wait_for_count(place, 0);
}

#define LIVE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int run_live_tests(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(what_happens_is_told), LIVE(one_endpoint_alone),        LIVE(too_many_become_a_number),
        LIVE(pings_come),           LIVE(there_is_room_for_so_many), LIVE(the_slow_are_forgotten),
        LIVE(from_many_threads),
    };

    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
