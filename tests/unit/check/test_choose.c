#include "tests.h"

static size_t chosen(const char *only, const char *skip, struct e8_err *err)
{
    struct e8_check_options given = options("8bit");
    struct e8_check *check = load(&given);
    const char *const onlies[] = {only, NULL}, *const skips[] = {skip, NULL};
    size_t count = SIZE_MAX;
    if (!e8_check_choose(check, only ? onlies : NULL, skip ? skips : NULL, err)) {
        e8_check_prepare(check);
        count = e8_check_count(check);
    }
    e8_check_free(&check);
    return count;
}

static void chooses_ids_and_groups(void **state)
{
    (void)state;
    struct e8_err err = {0};
    assert_int_equal(chosen("SIG-01", NULL, &err), 1 + 1);
    assert_int_equal(chosen("SIG", NULL, &err), 6 + 1);
    assert_int_equal(chosen("signature", NULL, &err), 6 + 1);
    assert_int_equal(chosen("sig, raw-03", NULL, &err), 7 + 1);
    assert_int_equal(chosen("SIG", "SIG-04,SIG-05", &err), 4 + 1);
    assert_int_equal(chosen("EVT", "events", &err), 1);
    assert_int_equal(chosen("CANARY", NULL, &err), 1);
    /* Left out: IDEM-03, TS (no signed time), ROT-02 to ROT-04 (no second secret). */
    assert_int_equal(chosen(NULL, NULL, &err), 56 - 1 - 3 - 3);
    assert_int_equal(chosen(NULL, "EVT", &err), 56 - 1 - 3 - 3 - 16);
}

static void suggests_names(void **state)
{
    (void)state;
    struct e8_err err = {0};
    assert_int_equal(chosen("SGI-01", NULL, &err), SIZE_MAX);
    assert_string_equal(err.what, "there is no probe \"SGI-01\"");
    assert_string_equal(err.hint, "did you mean \"SIG-01\"?");
    assert_int_equal(chosen(NULL, "HTTP-99x", &err), SIZE_MAX);
    assert_int_equal(chosen(NULL, "CANARY", &err), SIZE_MAX);
    assert_non_null(strstr(err.what, "CANARY cannot be skipped"));
}

static const char *why_skipped(const struct e8_check_options *given, const char *id)
{
    static char reason[128];
    struct e8_check *check = load(given);
    struct e8_check_ended ended = {0};
    e8_check_prepare(check);
    const struct e8_result *probe = result(e8_check_results(check, &ended), id);
    bool skipped = probe->kind == E8_RESULT_SKIP;
    snprintf(reason, sizeof reason, "%s", skipped ? probe->reason : "");
    e8_check_free(&check);
    return skipped ? reason : NULL;
}

static void knows_what_probes_need(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    assert_string_equal(why_skipped(&given, "TS-01"), "the signature scheme signs no timestamp");
    assert_string_equal(why_skipped(&given, "IDEM-03"), "the signature scheme signs no timestamp");
    assert_string_equal(why_skipped(&given, "ROT-03"), "no second secret: give --next-secret-file");
    assert_null(why_skipped(&given, "SIG-01"));
    given.scenario.next_secret = OTHER;
    assert_null(why_skipped(&given, "ROT-03"));
    assert_string_equal(why_skipped(&given, "ROT-04"), "no hook: give --on-revoke");
    given.on_revoke = "true";
    assert_null(why_skipped(&given, "ROT-04"));
    given = options("stripe");
    assert_null(why_skipped(&given, "TS-01"));
    assert_null(why_skipped(&given, "IDEM-03"));
    given.scenario.secret = NULL;
    assert_string_equal(why_skipped(&given, "SIG-01"), "no secret: give --secret-file");
    assert_string_equal(why_skipped(&given, "TS-01"), "no secret: give --secret-file");
    assert_null(why_skipped(&given, "RAW-01"));
}

static size_t waits(struct e8_steps steps)
{
    size_t n = 0;
    for (size_t i = 0; i < steps.count; i++) {
        n += steps.list[i].kind == E8_STEP_WAIT;
    }
    return n;
}

static struct e8_steps repeated(const struct e8_flow *probe)
{
    for (size_t i = 0; i < probe->steps.count; i++) {
        if (probe->steps.list[i].kind == E8_STEP_REPEAT) {
            return probe->steps.list[i].repeat.body;
        }
    }
    fail_msg("%s repeats nothing", probe->name);
    return (struct e8_steps){NULL, 0};
}

static void keeps_a_gap_but_in_bursts(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    given.gap = 20 * E8_NS_MS;
    struct e8_check *check = load(&given);
    e8_check_prepare(check);
    const struct e8_step *first = &flow(check, "SIG-01")->steps.list[0];
    assert_int_equal(first->kind, E8_STEP_WAIT);
    assert_int_equal(first->wait.low, 20 * E8_NS_MS);
    assert_int_equal(first->wait.high, 20 * E8_NS_MS);
    assert_int_equal(waits(flow(check, "SIG-04")->steps), 1 + 6);
    assert_int_equal(waits(repeated(flow(check, "ACK-01"))), 1);
    assert_int_equal(waits(repeated(flow(check, "ACK-02"))), 0);
    e8_check_free(&check);
}

int test_choose(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses_ids_and_groups),
        cmocka_unit_test(suggests_names),
        cmocka_unit_test(knows_what_probes_need),
        cmocka_unit_test(keeps_a_gap_but_in_bursts),
    };
    return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
