/* Endpoints that are changed while the engine runs. */
#include <unistd.h>

#include "tests.h"

#define A "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " ONE_SECRET ", retry: {attempts: 1}}}\n"

static void await_requests(struct rig *rig, size_t count)
{
    e8_mono_ns end = e8_mono_now() + 30 * E8_NS_S;
    while (atomic_load(&rig->receiver.received) < count) {
        assert_true(e8_mono_now() < end);
        usleep(1000);
    }
}

static size_t received(struct rig *rig)
{
    return atomic_load(&rig->receiver.received);
}

/* The plan's endpoint with another secret; *out lasts until the end. */
static void rotate(struct rig *rig, struct e8_endpoint *out, size_t secret, const char *before)
{
    const struct e8_change change = {.endpoint = out, .rotated = true, .before = before};
    struct e8_err err = {0};
    *out = rig->plan->endpoints[0];
    out->secrets = &rig_secrets[secret];
    assert_int_equal(e8_engine_change(rig->engine, 0, &change, &err), E8_OK);
}

static void change_is_everybodys(void **state)
{
    struct rig rig;
    struct e8_endpoint two, three;
    unsigned seen = 0;
    (void)state;
    rig_open(&rig,
             A "flows: {f: [{emit: message.sent}]}\nrun: [{flow: f, arrivals: {rate: 500/s, for: 1h}}]\n",
             NULL, NULL);
    rig.options.workers = 3;
    rig_start(&rig);
    await_requests(&rig, 20);
    rotate(&rig, &two, 1, NULL);
    size_t first = received(&rig) + rig.options.workers;
    await_requests(&rig, first + 20);
    rotate(&rig, &three, 2, TWO_SECRET);
    size_t second = received(&rig) + rig.options.workers;
    await_requests(&rig, second + 20);
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    for (size_t i = 0; i < rig.receiver.count; i++) {
        unsigned bits = signed_with(&rig.receiver.list[i], "8bit");
        assert_true(bits == 1 || bits == 2 || bits == 4);
        assert_true(i < 20 ? bits != 4 : true);
        seen |= bits;
    }
    assert_int_equal(seen, 7);
    assert_int_equal(rig_counts(&rig)->delivered, rig.receiver.count);
    rig_close(&rig);
}

static struct answer fails_until_told(void *state, size_t number, const char *head)
{
    (void)number, (void)head;
    return (struct answer){.status = atomic_load((atomic_bool *)state) ? 200 : 503};
}

/* Of one event: what is older than the change, its retries included, is signed with the secret before, as long as there is one. */
static void what_is_older_is_signed_with_the_secret_before(void **state)
{
    struct rig rig;
    struct e8_endpoint two, again;
    atomic_bool well = false;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " ONE_SECRET
             ", retry: {attempts: 1000, base: 20ms, factor: 1, jitter: none}}}\n"
             "flows: {f: [{emit: message.sent}]}\n",
             fails_until_told, &well);
    rig_start(&rig);
    await_requests(&rig, 3);
    rotate(&rig, &two, 1, ONE_SECRET);
    await_requests(&rig, received(&rig) + 4);
    struct e8_change revoked = {.endpoint = &again};
    size_t until = received(&rig);
    again = two;
    assert_int_equal(e8_engine_change(rig.engine, 0, &revoked, NULL), E8_OK);
    size_t after = received(&rig) + 1;
    await_requests(&rig, after + 3);
    atomic_store(&well, true);
    rig_finish(&rig);
    for (size_t i = 0; i < rig.receiver.count; i++) {
        unsigned bits = signed_with(&rig.receiver.list[i], "8bit");
        assert_int_equal(bits, i < until ? 1 : i >= after ? 2 : bits);
    }
    rig_close(&rig);
}

/* Copies that leave together are signed as one, once more where that is outdated; a replay has the bytes of what it repeats. */
static void the_same_bytes_stay_the_same(void **state)
{
    struct rig rig;
    struct e8_endpoint two;
    (void)state;
    rig_open(&rig,
             A
             "flows: {f: [{emit: message.sent, await: ack}, {emit: message.received, deliver: {late: 700ms, "
             "duplicate: 2, concurrent: true}}, {wait: 1s}, {again: replay}]}\n",
             NULL, NULL);
    rig_start(&rig);
    await_requests(&rig, 1);
    usleep(50000); /* the second one is made, and waits */
    rotate(&rig, &two, 1, NULL);
    rig_finish(&rig);
    assert_int_equal(rig.receiver.count, 5);
    assert_int_equal(signed_with(&rig.receiver.list[0], "8bit"), 1);
    for (size_t i = 1; i < 5; i++) {
        char one[256], other[256];
        assert_string_equal(header_of(&rig.receiver.list[1], "X-8bit-Signature-256", one),
                            header_of(&rig.receiver.list[i], "X-8bit-Signature-256", other));
        assert_int_equal(signed_with(&rig.receiver.list[i], "8bit"), 2);
    }
    rig_close(&rig);
}

static void a_bad_secret_changes_nothing(void **state)
{
    static const char *const bad[] = {""};
    struct rig rig;
    struct e8_err err = {0};
    (void)state;
    rig_open(&rig, A "flows: {f: [{emit: message.sent, await: ack}, {wait: 100ms}, {emit: message.sent}]}\n",
             NULL, NULL);
    struct e8_endpoint endpoint = rig.plan->endpoints[0];
    const struct e8_change change = {.endpoint = &endpoint, .rotated = true};
    endpoint.secrets = bad;
    rig_start(&rig);
    await_requests(&rig, 1);
    assert_int_equal(e8_engine_change(rig.engine, 0, &change, &err), E8_INPUT);
    rig_finish(&rig);
    assert_int_equal(rig.receiver.count, 2);
    assert_int_equal(signed_with(&rig.receiver.list[1], "8bit"), 1);
    rig_close(&rig);
}

/* So many more than now. */
static void await_withheld(struct rig *rig, uint64_t count)
{
    uint64_t before = e8_stats_all(e8_engine_stats(rig->engine))->n.gone;
    e8_mono_ns end = e8_mono_now() + 30 * E8_NS_S;
    while (e8_stats_all(e8_engine_stats(rig->engine))->n.gone < before + count) {
        assert_true(e8_mono_now() < end);
        usleep(1000);
    }
}

static void await_nothing_on_the_wire(struct rig *rig)
{
    struct e8_engine_now now = {.on_wire = 1};
    e8_mono_ns end = e8_mono_now() + 30 * E8_NS_S;
    while (now.on_wire) {
        assert_true(e8_mono_now() < end);
        e8_engine_look(rig->engine, &now);
    }
}

/* What comes meanwhile is withheld, and counted as that; what was on the wire ends. */
static void nothing_more_goes_where_it_is_shut(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             A "flows: {f: [{emit: message.sent}]}\nrun: [{flow: f, arrivals: {rate: 500/s, for: 1h}}]\n",
             NULL, NULL);
    rig_start(&rig);
    await_requests(&rig, 20);
    e8_engine_shut(rig.engine, 0, E8_SHUT_OFF);
    await_withheld(&rig, 10);
    await_nothing_on_the_wire(&rig);
    size_t before = received(&rig);
    await_withheld(&rig, 10);
    assert_int_equal(received(&rig), before);
    e8_engine_shut(rig.engine, 0, E8_SHUT_NOT);
    await_requests(&rig, before + 20);
    e8_engine_shut(rig.engine, 0, E8_SHUT_DELETED);
    await_withheld(&rig, 10);
    e8_engine_stop(rig.engine);
    rig_finish(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, rig.receiver.count);
    assert_int_equal(rig.result.disabled, 0); /* by no 410 */
    rig_close(&rig);
}

int test_changes(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(change_is_everybodys),
        cmocka_unit_test(what_is_older_is_signed_with_the_secret_before),
        cmocka_unit_test(the_same_bytes_stay_the_same),
        cmocka_unit_test(a_bad_secret_changes_nothing),
        cmocka_unit_test(nothing_more_goes_where_it_is_shut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
