#include <stdio.h>

#include "tests.h"

enum { MANY = 200 };
static const char secret[] = "test-secret-of-the-feed-0001";
static const char *const secrets[] = {secret};

/* One engine that is fed, and what came back. */
struct feeder {
    struct receiver receiver;
    struct e8_plan *plan;
    struct e8_engine *engine;
    struct e8_fed fed[MANY];
    char ids[MANY][2][E8_ID_MAX], bodies[MANY][64];
    size_t count;
    pthread_mutex_t lock;
    struct {
        enum e8_fed_how how;
        e8_dur_ns wait;
        enum e8_outcome outcome;
        unsigned attempts, times;
    } ends[MANY];
    atomic_size_t ended;
};

static void keep(void *state, const struct e8_fed_end *end)
{
    struct feeder *feeder = state;
    size_t i = (size_t)(end->fed - feeder->fed);
    pthread_mutex_lock(&feeder->lock);
    feeder->ends[i].how = end->how;
    feeder->ends[i].wait = end->wait;
    if (end->attempt) {
        feeder->ends[i].outcome = (enum e8_outcome)end->attempt->outcome;
        feeder->ends[i].attempts++;
        assert_non_null(e8_header_find(end->request->headers, end->request->count, "X-8bit-Signature-256"));
        assert_string_equal(end->attempt->delivery_id, end->fed->delivery_id);
    }
    pthread_mutex_unlock(&feeder->lock);
    if (end->how != E8_FED_MORE) {
        feeder->ends[i].times++;
        atomic_fetch_add(&feeder->ended, 1);
    }
}

static void feeder_open(struct feeder *feeder, answer_fn *answer, void *state, unsigned workers)
{
    char url[64];
    struct e8_err err = {0};
    memset(feeder, 0, sizeof *feeder);
    pthread_mutex_init(&feeder->lock, NULL);
    receiver_open(&feeder->receiver, answer, state);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hook", feeder->receiver.port);
    struct e8_endpoint endpoints[2] = {
        {.name = "a", .url = url, .secrets = secrets, .secret_count = 1, .timeout = 5 * E8_NS_S}};
    endpoints[0].scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit");
    endpoints[0].retry = e8_catalog_platform(catalog())->retry;
    endpoints[1] = endpoints[0];
    endpoints[1].name = "b";
    assert_int_equal(e8_plan_feed(catalog(), endpoints, 2, NULL, workers, &feeder->plan, &err), E8_OK);
    struct e8_engine_options options = {
        .workers = workers, .on_fed = keep, .state = feeder, .grace = E8_NS_S};
    assert_int_equal(e8_engine_start(feeder->plan, catalog(), &options, &feeder->engine, &err), E8_OK);
}

static void feed(struct feeder *feeder, e8_mono_ns due, unsigned tries)
{
    size_t i = feeder->count++;
    snprintf(feeder->ids[i][0], E8_ID_MAX, "evt_%zu", i);
    snprintf(feeder->ids[i][1], E8_ID_MAX, "dlv_%zu", i);
    snprintf(feeder->bodies[i], sizeof feeder->bodies[i], "{\"number\":%zu}", i);
    feeder->fed[i] = (struct e8_fed){
        .emit = e8_plan_feed_emit(feeder->plan, E8_LIT("message.received"), E8_LIT("staging")),
        .event_id = feeder->ids[i][0],
        .delivery_id = feeder->ids[i][1],
        .body = e8_str(feeder->bodies[i]),
        .endpoint = i % 2,
        .number = (uint16_t)tries,
        .tries = (uint16_t)tries,
        .trigger = E8_TRIGGER_EVENT,
        .due = due,
    };
    assert_non_null(feeder->fed[i].emit);
    e8_engine_feed(feeder->engine, &feeder->fed[i]);
}

static void await_ends(struct feeder *feeder, size_t count)
{
    e8_mono_ns limit = e8_mono_now() + 30 * E8_NS_S;
    while (atomic_load(&feeder->ended) < count) {
        assert_true(e8_mono_now() < limit);
        e8_engine_wait(feeder->engine, E8_NS_MS);
    }
}

static void feeder_finish(struct feeder *feeder)
{
    struct e8_engine_result result;
    e8_engine_stop(feeder->engine);
    assert_true(e8_engine_wait(feeder->engine, 30 * E8_NS_S));
    e8_engine_finish(&feeder->engine, &result);
    e8_stats_free(&result.stats);
    free(result.expected);
    for (size_t i = 0; i < feeder->count; i++) {
        assert_int_equal(feeder->ends[i].times, 1); /* each comes back, and once */
    }
    receiver_close(&feeder->receiver);
    e8_plan_free(&feeder->plan);
    pthread_mutex_destroy(&feeder->lock);
}

static void what_is_fed_is_sent(void **state)
{
    (void)state;
    struct feeder feeder;
    char value[256];
    feeder_open(&feeder, NULL, NULL, 2);
    for (size_t i = 0; i < MANY; i++) {
        feed(&feeder, e8_mono_now(), 1);
    }
    await_ends(&feeder, MANY);
    bool seen[MANY] = {false};
    for (size_t i = 0; i < feeder.receiver.count; i++) {
        const struct request *request = &feeder.receiver.list[i];
        unsigned long n = strtoul(header_of(request, "X-8bit-Delivery", value) + 4, NULL, 10);
        assert_true(n < MANY && !seen[n]);
        seen[n] = true;
        assert_string_equal(request->body, feeder.bodies[n]);
        assert_string_equal(header_of(request, "X-8bit-Event", value), "message.received");
        assert_string_equal(header_of(request, "X-8bit-Attempt", value), "1");
        assert_int_equal(feeder.ends[n].how, E8_FED_DELIVERED);
    }
    assert_int_equal(feeder.receiver.count, MANY);
    feeder_finish(&feeder);
}

static struct answer busy(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 503, .headers = "Retry-After: 7\r\n"};
}

/* A retry is the feeder's: told with its wait, and not made. */
static void retries_are_the_feeders(void **state)
{
    (void)state;
    struct feeder feeder;
    char value[256];
    feeder_open(&feeder, busy, NULL, 1);
    feed(&feeder, e8_mono_now(), 1);
    feed(&feeder, e8_mono_now(), 5); /* the last that the policy has */
    await_ends(&feeder, 2);
    assert_int_equal(feeder.ends[0].how, E8_FED_RETRY);
    assert_true(feeder.ends[0].wait == 7 * E8_NS_S);
    assert_int_equal(feeder.ends[1].how, E8_FED_FAILED);
    assert_int_equal(feeder.ends[1].outcome, E8_HTTP_5XX);
    assert_int_equal(feeder.receiver.count, 2);
    assert_string_equal(header_of(&feeder.receiver.list[1], "X-8bit-Attempt", value), "5");
    feeder_finish(&feeder);
}

static struct answer gone(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.status = 410};
}

static void a_disabled_endpoint_gets_nothing_more(void **state)
{
    (void)state;
    struct feeder feeder;
    feeder_open(&feeder, gone, NULL, 1);
    feed(&feeder, e8_mono_now(), 1);
    await_ends(&feeder, 1);
    assert_int_equal(feeder.ends[0].outcome, E8_GONE);
    assert_int_equal(feeder.ends[0].how, E8_FED_FAILED);
    feed(&feeder, e8_mono_now(), 1); /* the other endpoint */
    feed(&feeder, e8_mono_now(), 1);
    await_ends(&feeder, 3);
    assert_int_equal(feeder.ends[2].how, E8_FED_UNSENT);
    assert_int_equal(feeder.receiver.count, 2);
    feeder_finish(&feeder);
}

static struct answer silence(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

/* What waits comes back unsent, what is under way when the grace is over as aborted; and what comes too late as well. */
static void a_stop_gives_everything_back(void **state)
{
    (void)state;
    struct feeder feeder;
    feeder_open(&feeder, silence, NULL, 1);
    feed(&feeder, e8_mono_now(), 1);
    feed(&feeder, e8_mono_now() + 3600 * E8_NS_S, 1);
    e8_mono_ns limit = e8_mono_now() + 30 * E8_NS_S;
    while (atomic_load(&feeder.receiver.received) == 0) {
        assert_true(e8_mono_now() < limit);
        e8_engine_wait(feeder.engine, E8_NS_MS);
    }
    e8_engine_stop(feeder.engine);
    feed(&feeder, e8_mono_now(), 1);
    assert_true(e8_engine_wait(feeder.engine, 30 * E8_NS_S));
    feed(&feeder, e8_mono_now(), 1);
    feeder_finish(&feeder);
    assert_int_equal(feeder.ends[0].outcome, E8_ABORTED);
    assert_int_equal(feeder.ends[0].attempts, 1);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(feeder.ends[i].how, E8_FED_UNSENT);
        assert_int_equal(feeder.ends[i].attempts, 0);
    }
}

int test_feed(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fed_is_sent),
        cmocka_unit_test(retries_are_the_feeders),
        cmocka_unit_test(a_disabled_endpoint_gets_nothing_more),
        cmocka_unit_test(a_stop_gives_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
