/* Rotation: which secret signs when. */
#include <stdio.h>

#include "tests.h"

static void open_drill(struct rig *rig, const char *scheme, const char *retry, const char *steps,
                       answer_fn *answer)
{
    char text[1500];
    snprintf(text, sizeof text,
             "endpoints: {a: {url: 'http://127.0.0.1:%%d/', scheme: %s, secret: " ONE_SECRET
             ", rotation: [" TWO_SECRET ", " THREE_SECRET "], retry: {%s}}}\nflows: {f: [%s]}\n",
             scheme, retry, steps);
    rig_open(rig, text, answer, NULL);
}

static void check(struct rig *rig, const char *scheme, const unsigned *wanted, size_t count)
{
    rig_run(rig);
    assert_int_equal(rig->receiver.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(signed_with(&rig->receiver.list[i], scheme), wanted[i]);
    }
    rig_close(rig);
}

#define EVENT "{emit: message.sent, await: ack}, "

static void the_next_secret_signs_after_a_rotation(void **state)
{
    static const unsigned wanted[] = {1, 2, 4, 4};
    struct rig rig;
    (void)state;
    open_drill(&rig, "8bit", "attempts: 1",
               EVENT "{rotate: a}, " EVENT "{rotate: a, grace: 1h}, " EVENT
                     "{rotate: a}, {emit: message.sent}",
               NULL);
    check(&rig, "8bit", wanted, 4);
}

static void both_sign_until_the_grace_ends_or_is_revoked(void **state)
{
    static const unsigned wanted[] = {1, 3, 3, 2, 6, 4};
    struct rig rig;
    (void)state;
    open_drill(&rig, "stripe", "attempts: 1",
               EVENT "{rotate: a, grace: 800ms}, " EVENT EVENT "{wait: 1s}, " EVENT
                     "{rotate: a, grace: 1h}, " EVENT "{revoke: a}, {emit: message.sent}",
               NULL);
    check(&rig, "stripe", wanted, 6);
}

/* What was sent before the rotation in its flow is signed with the secret of before, without waiting for it. */
static void order_of_signing_is_that_of_the_flow(void **state)
{
    static const unsigned wanted[] = {1, 2, 4};
    struct rig rig;
    (void)state;
    open_drill(&rig, "8bit", "attempts: 1",
               "{emit: message.sent}, {rotate: a}, {emit: message.sent}, {rotate: a}, {emit: message.sent}",
               NULL);
    rig_run(&rig);
    unsigned got = 0;
    for (size_t i = 0; i < 3; i++) {
        got |= signed_with(&rig.receiver.list[i], "8bit");
        char id[256];
        header_of(&rig.receiver.list[i], "X-8bit-Delivery", id);
        for (uint32_t k = 1; k <= 3; k++) {
            if (strcmp(rig_attempt(&rig, 0, k, 0)->delivery_id, id) == 0) {
                assert_int_equal(signed_with(&rig.receiver.list[i], "8bit"), wanted[k - 1]);
            }
        }
    }
    assert_int_equal(got, 7);
    rig_close(&rig);
}

static struct answer first_fails(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = number == 0 ? 500 : 200};
}

/* A retry that waits is signed with what is valid when it leaves; a replay keeps its bytes. */
static void retries_are_signed_anew(void **state)
{
    static const unsigned wanted[] = {1, 2};
    struct rig rig;
    (void)state;
    open_drill(&rig, "8bit", "attempts: 2, base: 150ms, jitter: none",
               "{emit: message.sent}, {wait: 50ms}, {rotate: a}, {wait: 10ms}", first_fails);
    check(&rig, "8bit", wanted, 2);
    static const unsigned late[] = {2};
    open_drill(&rig, "8bit", "attempts: 1",
               "{emit: message.sent, deliver: {late: 100ms}}, {wait: 40ms}, {rotate: a}, {wait: 10ms}", NULL);
    check(&rig, "8bit", late, 1);
    static const unsigned replayed[] = {1, 1, 2};
    open_drill(&rig, "8bit", "attempts: 1", EVENT "{rotate: a}, {again: replay, await: ack}, {again: retry}",
               NULL);
    check(&rig, "8bit", replayed, 3);
}

static void tampering_takes_the_secret_before_or_after(void **state)
{
    static const unsigned wanted[] = {2, 0, 2, 1, 4};
    struct rig rig;
    (void)state;
    open_drill(&rig, "8bit", "attempts: 1",
               "{emit: message.sent, tamper: {signature: next_secret}, await: ack}, "
               "{emit: message.sent, tamper: {signature: previous_secret}, await: ack}, {rotate: a}, " EVENT
               "{emit: message.sent, tamper: {signature: previous_secret}, await: ack}, "
               "{emit: message.sent, tamper: {signature: next_secret}}",
               NULL);
    check(&rig, "8bit", wanted, 5);
}

/* One worker rotates, all follow. */
static void a_rotation_is_everybodys(void **state)
{
    struct rig rig;
    size_t by[2] = {0};
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', secret: " ONE_SECRET ", rotation: [" TWO_SECRET
             "]}}\n"
             "flows: {f: [{emit: message.sent}], r: [{rotate: a}]}\n"
             "run: [{flow: f, arrivals: {rate: 400/s, for: 300ms}}, {flow: r, at: 150ms}]\n",
             NULL, NULL);
    rig.options.workers = 3;
    rig_run(&rig);
    for (size_t i = 0; i < rig.receiver.count; i++) {
        unsigned bits = signed_with(&rig.receiver.list[i], "8bit");
        assert_true(bits == 1 || bits == 2);
        by[bits - 1]++;
    }
    assert_true(by[0] > 40 && by[1] > 40 && by[0] + by[1] == 120);
    rig_close(&rig);
}

int test_secrets(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_secret_signs_after_a_rotation),
        cmocka_unit_test(both_sign_until_the_grace_ends_or_is_revoked),
        cmocka_unit_test(order_of_signing_is_that_of_the_flow),
        cmocka_unit_test(retries_are_signed_anew),
        cmocka_unit_test(tampering_takes_the_secret_before_or_after),
        cmocka_unit_test(a_rotation_is_everybodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
