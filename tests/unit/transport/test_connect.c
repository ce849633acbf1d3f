/* What can happen before a request is on its way: names, connections, permission, our own limits. */
#include "peer.h"
#include "tests.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_unsent(const struct e8_exchange *x, enum e8_outcome outcome)
{
    if (x->outcome != outcome)
        print_error("%s \"%s\"\n", e8_outcome_info(x->outcome)->name, x->error);
    assert_int_equal(x->outcome, outcome);
    assert_int_equal(x->status, 0);
    assert_int_equal(x->bytes_sent, 0);
    assert_true(x->sent == x->done);
    assert_int_equal(x->phases.first_byte, -1);
}

/* A port of loopback that nobody listens at: bound, so that nobody else gets it meanwhile. */
static int deaf_socket(int *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, size), 0);
    getsockname(fd, (struct sockaddr *)&in, &size);
    *port = ntohs(in.sin_port);
    return fd;
}

static void test_refused(void **state)
{
    (void)state;
    struct client client;
    int port, fd = deaf_socket(&port);
    client_open(&client, port);
    assert_unsent(client_run(&client), E8_CONNECT_REFUSED);
    assert_string_equal(client.exchange.address, "127.0.0.1");
    snprintf(client.url, sizeof client.url, "https://127.0.0.1:%d/", port);
    client.exchange.url = e8_str(client.url);
    assert_unsent(client_run(&client), E8_CONNECT_REFUSED);
    client_close(&client);
    close(fd);
}

/* A listener whose backlog is full answers no SYN. */
static void test_black_hole(void **state)
{
    (void)state;
    struct client client;
    int port, fd = deaf_socket(&port), fill[8];
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    assert_int_equal(listen(fd, 0), 0);
    for (size_t i = 0; i < E8_COUNT(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fill[i], (struct sockaddr *)&in, sizeof in);
    }
    client_open(&client, port);
    client.limit = 100 * E8_NS_MS;
    assert_unsent(client_run(&client), E8_CONNECT_TIMEOUT);
    assert_true(client.exchange.done >= client.exchange.deadline);
    client.limit = 0; /* the connect timeout alone */
    client.reach.connect_timeout = 100 * E8_NS_MS;
    e8_mono_ns start = e8_mono_now();
    assert_unsent(client_run(&client), E8_CONNECT_TIMEOUT);
    assert_true(e8_mono_now() - start < 5 * E8_NS_S);
    client_close(&client);
    for (size_t i = 0; i < E8_COUNT(fill); i++)
        close(fill[i]);
    close(fd);
}

/* The connect timeout is over once the connection has been made. */
static void test_connect_timeout_spares_slow(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.end = PEER_HOLD}));
    client_open(&client, peer.port);
    client.reach.connect_timeout = 20 * E8_NS_MS;
    client.limit = 120 * E8_NS_MS;
    struct e8_exchange *x = client_run(&client);
    assert_int_equal(x->outcome, E8_TIMEOUT_FIRST_BYTE);
    assert_true(x->done >= x->deadline);
    client_close(&client);
    peer_close(&peer);
}

static void test_connect_errors(void **state)
{
    (void)state;
    static const struct {
        int error;
        enum e8_outcome outcome;
    } rows[] = {
        {EHOSTUNREACH, E8_CONNECT_FAILED},  {ENETUNREACH, E8_CONNECT_FAILED}, {EACCES, E8_CONNECT_FAILED},
        {EADDRNOTAVAIL, E8_GEN_PORT},       {ETIMEDOUT, E8_CONNECT_TIMEOUT},  {ENOMEM, E8_GEN_MEMORY},
        {ECONNREFUSED, E8_CONNECT_REFUSED},
    };
    struct client client;
    int port, fd = deaf_socket(&port);
    client_open(&client, port);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        atomic_store(&interpose_connect_errno, rows[i].error);
        assert_unsent(client_run(&client), rows[i].outcome);
        if (e8_outcome_info(rows[i].outcome)->generator)
            assert_non_null(strstr(client.exchange.error, " ran out of "));
    }
    atomic_store(&interpose_connect_errno, 0);
    client_close(&client);
    close(fd);
}

static void test_unix_missing(void **state)
{
    (void)state;
    struct client client;
    client_open(&client, 1);
    client.reach.unix_socket = "/nonexistent/socket";
    assert_unsent(client_run(&client), E8_CONNECT_FAILED);
    client_close(&client);
}

static void set_host(struct client *client, const char *host, int port)
{
    snprintf(client->url, sizeof client->url, "http://%s:%d/", host, port);
    client->exchange.url = e8_str(client->url);
}

static void test_dns_failed(void **state)
{
    (void)state;
    static const char *const allow[] = {"nope.invalid", NULL};
    struct client client;
    client_open(&client, 1);
    client.reach.allow = allow;
    set_host(&client, "nope.invalid", 80);
    assert_unsent(client_run(&client), E8_DNS_FAILED);
    client_close(&client);
}

/* The deadline holds while a resolver hangs: removing the handle must not wait for its thread. */
static void test_dns_hangs(void **state)
{
    (void)state;
    static const char *const allow[] = {"hang.invalid", NULL};
    struct client client;
    client_open(&client, 1);
    client.reach.allow = allow;
    set_host(&client, "hang.invalid", 80);
    client.limit = 50 * E8_NS_MS;
    assert_unsent(client_run(&client), E8_DNS_FAILED);
    assert_true(client.exchange.phases.total < 5 * E8_NS_S);
    peer_wait(&interpose_name_held);
    client.limit = 0;
    client_submit(&client);
    peer_wait(&interpose_name_held);
    client_close(&client);          /* nor does this one wait */
    sem_post(&interpose_name_hold); /* the resolver's threads may go */
    sem_post(&interpose_name_hold);
}

/* Rule 17: a name is looked up once. */
static void test_dns_once(void **state)
{
    (void)state;
    static const char *const allow[] = {"here.invalid", NULL};
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, 1);
    client.reach.allow = allow;
    set_host(&client, "here.invalid", peer.port);
    client.exchange.fresh = true;
    int before = atomic_load(&interpose_names);
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
    assert_int_equal(atomic_load(&interpose_names) - before, 1);
    assert_int_equal(atomic_load(&peer.connections), 5);
    assert_true(client.exchange.phases.connect >= 0);
    client_close(&client);
    peer_close(&peer);
}

/* The address of the socket decides, whatever the name says. */
static void test_forbidden(void **state)
{
    (void)state;
    static const char *const allowed[] = {"named.invalid", "metadata.invalid", "10.0.0.0/8", "169.254.0.0/16",
                                          NULL};
    static const char *const resolve[] = {"pinned.invalid:80:192.0.2.1", "named.invalid:80:192.0.2.1", NULL};
    static const char *const connect_to[] = {"127.0.0.1:80:192.0.2.1:80", NULL};
    const struct e8_reach reaches[] = {
        {.allow = NULL},
        {.allow = allowed},
        {.allow = allowed, .resolve = resolve},
        {.connect_to = connect_to},
        {.proxy = "http://192.0.2.1:80"},
    };
    static const struct {
        const char *host;
        int reach;
    } rows[] = {
        {"192.0.2.1", 0},          {"192.0.2.1", 1},       {"rebound.invalid", 0}, {"rebound.invalid", 1},
        {"metadata.invalid", 1},   {"169.254.169.254", 1}, {"[fe80::1]", 1},       {"pinned.invalid", 2},
        {"named.invalid", 2},      {"127.0.0.1", 3},       {"127.0.0.1", 4},       {"0.0.0.0", 1},
        {"[::ffff:192.0.2.1]", 1}, {"3221225985", 1},
    };
    struct client client;
    client_open(&client, 1);
    atomic_store(&interpose_strayed, 0);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        client.exchange.reach = &reaches[rows[i].reach];
        set_host(&client, rows[i].host, 80);
        assert_unsent(client_run(&client), E8_FORBIDDEN_TARGET);
    }
    assert_int_equal(e8_transport_counts(client.transport).connections, 0);
    assert_int_equal(atomic_load(&interpose_strayed), 0);
    client_close(&client);
}

/* A pin of one reach holds for it alone. */
static void test_pins_are_apart(void **state)
{
    (void)state;
    static const char *const allow[] = {"x.invalid", NULL};
    char one[64], two[64];
    const char *const pins1[] = {one, NULL}, *const pins2[] = {two, NULL};
    struct e8_reach reach1 = {.resolve = pins1}, reach2 = {.resolve = pins2}, reach3 = {.allow = allow};
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, 1);
    set_host(&client, "x.invalid", peer.port);
    snprintf(one, sizeof one, "x.invalid:%d:127.0.0.1", peer.port);
    snprintf(two, sizeof two, "x.invalid:%d:127.9.9.9", peer.port);
    for (int i = 0; i < 2; i++) {
        client.exchange.reach = &reach1;
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
        client.exchange.reach = &reach2;
        assert_unsent(client_run(&client), E8_CONNECT_REFUSED);
        assert_string_equal(client.exchange.address, "127.9.9.9");
        client.exchange.reach = &reach3;
        assert_unsent(client_run(&client), E8_DNS_FAILED);
    }
    client_close(&client);
    peer_close(&peer);
}

static void test_connect_to(void **state)
{
    (void)state;
    char text[64];
    const char *const list[] = {text, NULL};
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, 1);
    set_host(&client, "far.invalid", 80);
    snprintf(text, sizeof text, "far.invalid:80:127.0.0.1:%d", peer.port);
    client.reach.connect_to = list;
    struct e8_exchange *x = client_run(&client);
    assert_int_equal(x->outcome, E8_DELIVERED);
    assert_non_null(strstr(peer.last, "\r\nHost: far.invalid:80\r\n")
                        ? ""
                        : strstr(peer.last, "\r\nHost: far.invalid\r\n"));
    assert_int_equal(client_run(&client)->flags & E8_FLAG_REUSED, E8_FLAG_REUSED);
    client_close(&client);
    peer_close(&peer);
}

/* In a child, for the limit is the process's. */
static int child_without_fds(int port)
{
    struct client client;
    struct rlimit limit;
    client_open(&client, port);
    int highest = dup(0);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)highest;
    setrlimit(RLIMIT_NOFILE, &limit);
    close(highest);
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    if (client_run(&client)->outcome != E8_GEN_FD)
        return 1;
    if (strcmp(client.exchange.error, "emit8 ran out of file descriptors") != 0)
        return 3;
    static const char *const allow[] = {"nope.invalid", NULL};
    client.reach.allow = allow;
    set_host(&client, "nope.invalid", 80);
    return client_run(&client)->outcome == E8_GEN_FD ? 0 : 2;
}

static void test_no_fds(void **state)
{
    (void)state;
    struct peer peer;
    int status;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_without_fds(peer.port));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(atomic_load(&peer.requests), 0);
    peer_close(&peer);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_refused),
    cmocka_unit_test(test_black_hole),
    cmocka_unit_test(test_connect_timeout_spares_slow),
    cmocka_unit_test(test_connect_errors),
    cmocka_unit_test(test_unix_missing),
    cmocka_unit_test(test_dns_failed),
    cmocka_unit_test(test_dns_hangs),
    cmocka_unit_test(test_dns_once),
    cmocka_unit_test(test_forbidden),
    cmocka_unit_test(test_pins_are_apart),
    cmocka_unit_test(test_connect_to),
    cmocka_unit_test(test_no_fds),
};

int run_connect(void)
{
    return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
