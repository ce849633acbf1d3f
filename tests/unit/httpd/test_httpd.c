/* Delays, faults, many connections, and the end of the server, seen by clients on raw sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#include "client.h"
#include "server.h"

static void delays_are_kept(void **state)
{
    static const struct {
        const char *text;
        e8_dur_ns delay;
    } rows[] = {
        {"1ms", E8_NS_MS}, {"500us", 500 * E8_NS_US}, {"20ms", 20 * E8_NS_MS}, {"100ms", 100 * E8_NS_MS}};
    struct fixture *fixture = *state;
    struct client client;
    struct reply reply;
    char request[128];

    assert_true(client_open(&client, fixture->url));
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        e8_dur_ns least = E8_NEVER;

        snprintf(request, sizeof request, "GET /delay?for=%s HTTP/1.1\r\nHost: h\r\n\r\n", rows[i].text);
        for (int n = 0; n < 10; n++) {
            e8_mono_ns began = e8_mono_now();

            client_say(&client, request);
            client_read(&client, &reply);
            e8_dur_ns took = e8_mono_now() - began;
            assert_int_equal(reply.status, 200);
            assert_true(took >= rows[i].delay);
            least = took < least ? took : least;
        }
        assert_true(least < rows[i].delay + 3 * E8_NS_MS); /* the machine is shared; the least is ours */
    }
    client_close(&client);
}

static void delays_do_not_hold_others_up(void **state)
{
    struct fixture *fixture = *state;
    struct client slow, quick;
    struct reply reply;
    e8_mono_ns began = e8_mono_now();

    assert_true(client_open(&slow, fixture->url));
    assert_true(client_open(&quick, fixture->url));
    client_say(&slow, "GET /delay?for=300ms HTTP/1.1\r\nHost: h\r\n\r\n");
    client_say(&quick, "GET /delay?for=10ms HTTP/1.1\r\nHost: h\r\n\r\n");
    client_read(&quick, &reply);
    assert_true(e8_mono_now() - began < 250 * E8_NS_MS);
    client_read(&slow, &reply);
    assert_string_equal(reply.body, "300ms");
    assert_true(e8_mono_now() - began >= 300 * E8_NS_MS);
    client_close(&slow);
    client_close(&quick);
}

static void fault(const char *url, const char *query, struct reply *reply)
{
    char request[160];

    snprintf(request, sizeof request, "GET /fault?%s HTTP/1.1\r\nHost: h\r\n\r\n", query);
    client_ask(url, request, reply);
}

static void faults_as_a_client_sees_them(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    for (int i = 0; i < 20; i++) {
        fault(fixture->url, i % 2 ? "kind=close" : "kind=close&for=2ms", &reply);
        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.error, 0);
        fault(fixture->url, i % 2 ? "kind=reset" : "kind=reset&for=2ms", &reply);
        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.error, ECONNRESET);
        fault(fixture->url, i % 2 ? "kind=truncate" : "kind=truncate&for=2ms", &reply);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.announced, 10);
        assert_true(reply.cut);
        assert_int_equal(reply.error, 0);
        assert_string_equal(reply.body, "01234");
        fault(fixture->url, "kind=truncate&empty=1", &reply);
        assert_true(reply.cut && reply.body_size == reply.announced / 2 && reply.body_size > 0);
        fault(fixture->url, "kind=none", &reply);
        assert_string_equal(reply.body, "0123456789");
    }
}

static void hang_ends_with_the_client(void **state)
{
    struct fixture *fixture = *state;
    struct client client;

    for (int i = 0; i < 2; i++) {
        assert_true(client_open(&client, fixture->url));
        client_say(&client, "GET /fault?kind=hang HTTP/1.1\r\nHost: h\r\n\r\n");
        struct pollfd silence = {.fd = client.fd, .events = POLLIN};
        assert_int_equal(poll(&silence, 1, 100), 0);
        if (i == 0) {
            shutdown(client.fd, SHUT_WR); /* the server sees it and closes */
            assert_int_equal(client_end(&client), 0);
        }
        client_close(&client);
    }
}

static void stop_answers_what_waits(void **state)
{
    struct fixture *fixture = start();
    struct client clients[40], hung, idle, half;
    struct reply reply;

    (void)state;
    for (size_t i = 0; i < E8_COUNT(clients); i++) {
        assert_true(client_open(&clients[i], fixture->url));
        client_say(&clients[i], "GET /delay?for=1h HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    assert_true(client_open(&hung, fixture->url));
    client_say(&hung, "GET /fault?kind=hang HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(client_open(&half, fixture->url));
    client_say(&half, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    assert_true(client_open(&idle, fixture->url));
    client_say(&idle, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
    client_read(&idle, &reply); /* the others came before */
    e8_mono_ns began = e8_mono_now();
    e8_httpd_stop(&fixture->httpd);
    assert_null(fixture->httpd);
    assert_true(e8_mono_now() - began < E8_NS_S);
    for (size_t i = 0; i < E8_COUNT(clients); i++) {
        client_read(&clients[i], &reply);
        assert_string_equal(reply.body, "1h");
        assert_non_null(strcasestr(reply.head, "Connection: close"));
        assert_int_equal(client_end(&clients[i]), 0);
        client_close(&clients[i]);
    }
    assert_int_equal(client_end(&hung), 0);
    assert_int_equal(client_end(&idle), 0);
    assert_int_equal(client_end(&half), 0);
    client_close(&hung);
    client_close(&idle);
    client_close(&half);
    free(fixture);
}

static void unix_socket(void **state)
{
    char path[] = "/tmp/e8-httpd-XXXXXX", listen[64];
    struct fixture fixture;
    struct reply reply;

    (void)state;
    assert_non_null(mkdtemp(path));
    snprintf(listen, sizeof listen, "unix:%s/s", path);
    for (int i = 0; i < 2; i++) {
        fixture = start_on(listen, 0);
        assert_int_equal(e8_httpd_port(fixture.httpd), 0);
        assert_string_equal(fixture.url, listen);
        client_ask(fixture.url, "GET /info HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
        assert_string_equal(reply.body, "GET|/info|unix|1|-|-|-|1|Host=h");
        fault(fixture.url, "kind=reset", &reply);
        assert_int_equal(reply.status, 0);
        fault(fixture.url, "kind=truncate", &reply);
        assert_true(reply.cut);
        e8_httpd_stop(&fixture.httpd);
        assert_int_equal(access(listen + 5, F_OK), -1);
        if (i == 0) { /* a file that a dead process left behind */
            struct sockaddr_un local = {.sun_family = AF_UNIX};
            int fd = socket(AF_UNIX, SOCK_STREAM, 0);

            snprintf(local.sun_path, sizeof local.sun_path, "%s", listen + 5);
            assert_int_equal(bind(fd, (const struct sockaddr *)&local, sizeof local), 0);
            close(fd);
        }
    }
    rmdir(path);
}

static void ipv6(void **state)
{
    struct e8_httpd_options options = {.listen = "[::1]:0", .routes = routes, .body_max = 100};
    struct e8_httpd *httpd = NULL;
    struct reply reply;

    (void)state;
    if (e8_httpd_start(&options, &httpd, NULL) != E8_OK)
        skip(); /* no IPv6 here */
    assert_non_null(strstr(e8_httpd_url(httpd), "http://[::1]:"));
    client_ask(e8_httpd_url(httpd), "GET /info HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_string_equal(reply.body, "GET|/info|::1|1|-|-|-|1|Host=h");
    e8_httpd_stop(&httpd);
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

static void thousand_connections(void **state)
{
    enum { N = 1000 };
    struct fixture fixture = start_on("127.0.0.1:0", 2000);
    struct client *clients = e8_new(N, sizeof *clients);
    struct reply reply;

    (void)state;
    raise_limit(2 * N + 100);
    for (size_t i = 0; i < N; i++) {
        clients[i] = (struct client){.fd = client_connect(fixture.url), .bytes = e8_new(1024, 1)};
        assert_true(clients[i].fd >= 0);
    }
    for (int round = 0; round < 3; round++) {
        e8_mono_ns began = e8_mono_now();

        for (size_t i = 0; i < N; i++)
            assert_true(client_say(&clients[i], "GET /delay?for=200ms HTTP/1.1\r\nHost: h\r\n\r\n"));
        for (size_t i = 0; i < N; i++) {
            while (!strstr(clients[i].bytes, "\r\n\r\n200ms")) {
                ssize_t n = recv(clients[i].fd, clients[i].bytes + clients[i].n, 1023 - clients[i].n, 0);

                assert_true(n > 0);
                clients[i].n += (size_t)n;
            }
            client_take(&clients[i], clients[i].n);
        }
        assert_true(e8_mono_now() - began < 5 * E8_NS_S);
    }
    for (size_t i = 0; i < N; i++)
        client_close(&clients[i]);
    client_ask(fixture.url, "GET /info HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_int_equal(reply.status, 201);
    free(clients);
    e8_httpd_stop(&fixture.httpd);
}

static void limit_of_connections_makes_others_wait(void **state)
{
    struct fixture fixture = start_on("127.0.0.1:0", 2);
    struct client clients[3];
    struct reply reply;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(client_open(&clients[i], fixture.url));
        client_say(&clients[i], "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n");
    }
    client_read(&clients[0], &reply);
    client_read(&clients[1], &reply);
    struct pollfd third = {.fd = clients[2].fd, .events = POLLIN};
    assert_int_equal(poll(&third, 1, 50), 0);
    client_close(&clients[0]);
    client_read(&clients[2], &reply);
    assert_int_equal(reply.status, 200);
    client_close(&clients[1]);
    client_close(&clients[2]);
    e8_httpd_stop(&fixture.httpd);
}

static void clients_that_leave_are_forgotten(void **state)
{
    struct fixture fixture = start_on("127.0.0.1:0", 2); /* one that is kept would bar the next */
    struct client client;
    struct reply reply;
    static const char *const halves[] = {"G", "GET /info HTTP/1.1\r\nHo",
                                         "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf",
                                         "GET /delay?for=20ms HTTP/1.1\r\nHost: h\r\n\r\n",
                                         "GET /fault?kind=hang HTTP/1.1\r\nHost: h\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < 10 * E8_COUNT(halves); i++) {
        struct linger abrupt = {.l_onoff = i % 2 == 0};

        assert_true(client_open(&client, fixture.url));
        client_say(&client, halves[i % E8_COUNT(halves)]);
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
        client_close(&client);
    }
    client_ask(fixture.url, "GET /files/x HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_string_equal(reply.body, "file /files/x");
    e8_httpd_stop(&fixture.httpd);
}

/* Asks until the server is gone. Every answer is whole. */
static void *ask_on(void *closure)
{
    const char *url = closure;
    struct client client;
    struct reply *reply = e8_new(1, sizeof *reply);
    uintptr_t answers = 0;

    if (client_open(&client, url))
        while (client_say(&client, "GET /delay?for=1ms HTTP/1.1\r\nHost: h\r\n\r\n")) {
            client_read(&client, reply);
            if (reply->status == 0)
                break;
            E8_ASSERT(reply->status == 200 && !reply->cut && strcmp(reply->body, "1ms") == 0);
            answers++;
        }
    client_close(&client);
    free(reply);
    return (void *)answers;
}

static void stop_under_load(void **state)
{
    uintptr_t all = 0;

    (void)state;
    for (int round = 0; round < 10; round++) {
        struct fixture *fixture = start();
        pthread_t threads[4];
        void *answers;
        char url[64];

        snprintf(url, sizeof url, "%s", fixture->url);
        for (size_t i = 0; i < E8_COUNT(threads); i++)
            assert_int_equal(pthread_create(&threads[i], NULL, ask_on, url), 0);
        while (atomic_load(&fixture->ticks) == 0)
            usleep(1000);
        e8_httpd_stop(&fixture->httpd);
        for (size_t i = 0; i < E8_COUNT(threads); i++) {
            pthread_join(threads[i], &answers);
            all += (uintptr_t)answers;
        }
        free(fixture);
    }
    assert_true(all > 0);
}

static void ticks_come(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply;

    client_ask(fixture->url, "GET /delay?for=550ms HTTP/1.1\r\nHost: h\r\n\r\n", &reply);
    assert_in_range(atomic_load(&fixture->ticks), 3, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(delays_are_kept),
        TEST(delays_do_not_hold_others_up),
        TEST(faults_as_a_client_sees_them),
        TEST(hang_ends_with_the_client),
        cmocka_unit_test(stop_answers_what_waits),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(thousand_connections),
        cmocka_unit_test(limit_of_connections_makes_others_wait),
        cmocka_unit_test(clients_that_leave_are_forgotten),
        cmocka_unit_test(stop_under_load),
        TEST(ticks_come),
    };
    int failed = test_requests() + test_streams() + test_wary();

    return failed + cmocka_run_group_tests_name("httpd", tests, NULL, NULL);
}
