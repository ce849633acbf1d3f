/* Time, waking, and what an exchange costs in memory. */
#include "peer.h"
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "transport/internal.h"

static int by_value(const void *a, const void *b)
{
    const e8_dur_ns *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

enum { DEADLINES = 200 };

/* p99 of how late 200 deadlines fire. */
static e8_dur_ns lateness(struct client *client)
{
    static struct e8_exchange x[DEADLINES];
    e8_dur_ns late[DEADLINES];
    e8_mono_ns start = e8_mono_now();
    for (int i = 0; i < DEADLINES; i++) {
        x[i] = client->exchange;
        x[i].deadline = start + E8_NS_S + (i * 7919 % DEADLINES) * E8_NS_MS;
        e8_transport_submit(client->transport, &x[i]);
    }
    for (int i = 0; i < DEADLINES; i++) {
        struct e8_exchange *done = client_await(client);
        assert_int_equal(done->outcome, E8_TIMEOUT_FIRST_BYTE);
        late[i] = done->done - done->deadline;
        assert_true(late[i] >= 0);
    }
    qsort(late, DEADLINES, sizeof late[0], by_value);
    print_message("deadlines: p50 %.3f ms, p99 %.3f ms, max %.3f ms late\n",
                  (double)late[DEADLINES / 2] / 1e6, (double)late[DEADLINES * 99 / 100] / 1e6,
                  (double)late[DEADLINES - 1] / 1e6);
    return late[DEADLINES * 99 / 100];
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BOUND (50 * E8_NS_MS)
#else
#define BOUND (5 * E8_NS_MS)
#endif

/* The figure to reach is 5 ms. On a machine that others use as well a round may be spoilt; a loop that is late by itself is
 * late in all of them. */
static void test_deadlines(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.end = PEER_HOLD}));
    client_open(&client, peer.port);
    e8_dur_ns best = E8_NEVER;
    for (int round = 0; round < 20 && best >= 5 * E8_NS_MS; round++) {
        e8_dur_ns late = lateness(&client);
        best = late < best ? late : best;
    }
    assert_true(best < BOUND);
    client_close(&client);
    peer_close(&peer);
}

static void *wake(void *arg)
{
    e8_transport_wake(arg);
    return NULL;
}

static void test_wake(void **state)
{
    (void)state;
    struct client client;
    pthread_t thread;
    client_open(&client, 1);
    for (int i = 0; i < 100; i++) { /* before or during the wait: it is never lost */
        assert_int_equal(pthread_create(&thread, NULL, wake, client.transport), 0);
        e8_mono_ns start = e8_mono_now();
        e8_transport_wait(client.transport, start + 20 * E8_NS_S);
        assert_true(e8_mono_now() - start < 10 * E8_NS_S);
        pthread_join(thread, NULL);
    }
    assert_null(e8_transport_next(client.transport));
    client_close(&client);
}

static void test_until(void **state)
{
    (void)state;
    struct client client;
    client_open(&client, 1);
    e8_mono_ns start = e8_mono_now();
    e8_transport_wait(client.transport, start - 1); /* one round */
    e8_transport_wait(client.transport, start + 30 * E8_NS_MS);
    assert_true(e8_mono_now() >= start + 30 * E8_NS_MS);
    e8_transport_wait(client.transport, start + 31 * E8_NS_MS);
    client_close(&client);
}

static e8_dur_ns cpu_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * E8_NS_S + now.tv_nsec;
}

/* With it the loop looks instead of sleeping; without it it sleeps. */
static void test_spin(void **state)
{
    (void)state;
    for (int spins = 0; spins <= 1; spins++) {
        struct client client;
        client_open(&client, 1);
        e8_transport_spin(client.transport, spins ? E8_NS_S : 0);
        e8_dur_ns before = cpu_time();
        e8_mono_ns until = e8_mono_now() + 100 * E8_NS_MS;
        e8_transport_wait(client.transport, until);
        assert_true(e8_mono_now() >= until);
        assert_true(spins ? cpu_time() - before > 2 * E8_NS_MS : cpu_time() - before < 50 * E8_NS_MS);
        e8_transport_wake(client.transport);
        e8_transport_wait(client.transport, until + 20 * E8_NS_S);
        assert_true(e8_mono_now() < until + 10 * E8_NS_S);
        client_close(&client);
    }
}

/* What it waits for an event is slept; what it does at once is not. */
static void test_slept(void **state)
{
    (void)state;
    struct client client;
    client_open(&client, 1);
    e8_mono_ns start = e8_mono_now();
    e8_transport_wait(client.transport, start - 1);
    e8_dur_ns before = e8_transport_slept(client.transport, e8_mono_now());
    e8_transport_wait(client.transport, e8_mono_now() + 50 * E8_NS_MS);
    e8_dur_ns slept = e8_transport_slept(client.transport, e8_mono_now()) - before;
    assert_int_equal(before, 0);
    assert_true(slept >= 45 * E8_NS_MS);
    assert_true(slept <= e8_mono_now() - start);
    client_close(&client);
}

/* The transport may go while exchanges are under way. */
static void test_free_in_flight(void **state)
{
    (void)state;
    enum { WIDE = 300 };
    struct peer peer;
    struct client client;
    static struct e8_exchange x[WIDE];
    peer_open(&peer, STEPS({.end = PEER_HOLD}));
    client_open(&client, peer.port);
    for (int i = 0; i < WIDE; i++) {
        x[i] = client.exchange;
        x[i].deadline = E8_NEVER;
        e8_transport_submit(client.transport, &x[i]);
    }
    e8_transport_wait(client.transport, e8_mono_now());
    client_close(&client);
    peer_close(&peer);
}

/* Rule 14 of the house: a slot is used again. */
static void test_slots_are_reused(void **state)
{
    (void)state;
    struct peer peer;
    struct client client;
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    client_open(&client, peer.port);
    for (int i = 0; i < 500; i++)
        assert_int_equal(client_run(&client)->outcome, E8_DELIVERED);
    assert_int_equal(client.transport->multi_count, 1);
    assert_int_equal(client.transport->multis[0]->slot_count, 1);
    assert_int_equal(e8_transport_counts(client.transport).reused, 499);
    client_close(&client);
    peer_close(&peer);
}

/* Transports in several threads have nothing in common. */
static void *run_many(void *arg)
{
    struct client client;
    int *failed = arg;
    client_open(&client, *failed);
    *failed = 0;
    for (int i = 0; i < 200; i++) {
        client.exchange.fresh = i % 10 == 0;
        *failed += client_run(&client)->outcome != E8_DELIVERED;
    }
    client_close(&client);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    struct peer peer;
    pthread_t threads[THREADS];
    int ports[THREADS];
    peer_open(&peer, STEPS({.reply = OK_REPLY}));
    for (int i = 0; i < THREADS; i++) {
        ports[i] = peer.port;
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, &ports[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(ports[i], 0);
    }
    assert_int_equal(atomic_load(&peer.requests), THREADS * 200);
    peer_close(&peer);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_deadlines),
    cmocka_unit_test(test_wake),
    cmocka_unit_test(test_until),
    cmocka_unit_test(test_spin),
    cmocka_unit_test(test_slept),
    cmocka_unit_test(test_free_in_flight),
    cmocka_unit_test(test_slots_are_reused),
    cmocka_unit_test(test_threads),
};

int run_loop(void)
{
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
