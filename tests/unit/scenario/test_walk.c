/* Walks: pure, distributed as the file says, bounded. */
#include <math.h>

#include "tests.h"

static struct e8_plan *story(void)
{
    return plan_of(
        HEAD "flows:\n"
             "  f:\n"
             "    - {repeat: 1..9, steps: [{emit: message.sent}, {wait: 1ms..1s}]}\n"
             "    - {choose: [{weight: 3, steps: [{emit: session.ended}]}, {steps: [{emit: agent.error}]}]}\n"
             "  g:\n"
             "    - {repeat: 1..9, steps: [{emit: message.sent}, {wait: 1ms..1s}]}\n");
}

/* A hash of all that a walk tells. */
static uint64_t trace(const struct e8_flow *flow, uint64_t seed, uint64_t instance)
{
    struct e8_walk walk = e8_walk_begin(flow, seed, instance);
    const struct e8_emit *emit;
    uint64_t hash = 1;
    uint32_t n = 0;
    while ((emit = e8_walk_next(&walk)) != NULL) {
        assert_int_equal(walk.sequence, ++n);
        hash = e8_mix(e8_mix(hash, emit->type), (uint64_t)walk.offset);
    }
    assert_null(e8_walk_next(&walk)); /* at the end it stays there */
    assert_null(e8_walk_next(&walk));
    assert_int_equal(walk.sequence, n);
    return hash;
}

static void the_same_place_gives_the_same_walk(void **state)
{
    struct e8_plan *plan = story();
    size_t same = 0;
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(trace(&plan->flows[0], 7, i) == trace(&plan->flows[0], 7, i));
        same += trace(&plan->flows[0], 7, i) == trace(&plan->flows[0], 7, i + 1);
        same += trace(&plan->flows[0], 7, i) == trace(&plan->flows[0], 8, i);
        same += trace(&plan->flows[1], 7, i) == trace(&plan->flows[0], 7, i);
    }
    assert_true(same < 5);
    e8_plan_free(&plan);
}

static void a_copy_goes_its_own_way(void **state)
{
    struct e8_plan *plan = story();
    struct e8_walk a = e8_walk_begin(&plan->flows[0], 1, 2), b;
    (void)state;
    e8_walk_next(&a);
    b = a;
    while (e8_walk_next(&a)) {
    }
    while (e8_walk_next(&b)) {
    }
    assert_int_equal(a.offset, b.offset);
    assert_int_equal(a.sequence, b.sequence);
    e8_plan_free(&plan);
}

static void choices_are_weighted(void **state)
{
    struct e8_plan *plan = plan_of(HEAD "flows:\n"
                                        "  f:\n"
                                        "    - choose:\n"
                                        "        - {weight: 0, steps: [{emit: account.usage_threshold}]}\n"
                                        "        - {weight: 6, steps: [{emit: message.sent}]}\n"
                                        "        - {weight: 3, steps: [{emit: message.received}]}\n"
                                        "        - {weight: 0.5, steps: [{emit: message.failed}]}\n"
                                        "        - {weight: 0.5, steps: [{wait: 1s}]}\n"
                                        "        - {weight: 0, steps: [{emit: account.usage_threshold}]}\n");
    enum { N = 100000 };
    static const double wanted[] = {0, 0.6, 0.3, 0.05, 0};
    size_t counts[5] = {0}, none = 0;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        struct e8_walk walk = e8_walk_begin(&plan->flows[0], 5, i);
        const struct e8_emit *emit = e8_walk_next(&walk);
        if (emit) {
            counts[emit->index]++;
            assert_null(e8_walk_next(&walk));
        } else {
            none++;
            assert_int_equal(walk.offset, E8_NS_S);
        }
    }
    for (size_t i = 0; i < 5; i++) {
        double share = (double)counts[i] / N, sigma = sqrt(wanted[i] * (1 - wanted[i]) / N);
        assert_true(fabs(share - wanted[i]) <= 5 * sigma);
    }
    assert_true(fabs((double)none / N - 0.05) < 0.004);
    e8_plan_free(&plan);
}

static void ranges_are_uniform_and_whole(void **state)
{
    struct e8_plan *plan = plan_of(
        HEAD
        "flows:\n"
        "  f: [{repeat: 2..5, steps: [{emit: message.sent}]}, {wait: 10ns..13ns}, {emit: agent.error}]\n");
    enum { N = 40000 };
    size_t rounds[8] = {0}, waits[16] = {0};
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        struct e8_walk walk = e8_walk_begin(&plan->flows[0], 9, i);
        while (e8_walk_next(&walk)) {
        }
        assert_true(walk.sequence >= 3 && walk.sequence <= 6);
        assert_true(walk.offset >= 10 && walk.offset <= 13);
        rounds[walk.sequence]++;
        waits[walk.offset]++;
    }
    for (size_t i = 3; i <= 6; i++) {
        assert_true(fabs((double)rounds[i] / N - 0.25) < 0.012);
    }
    for (size_t i = 10; i <= 13; i++) {
        assert_true(fabs((double)waits[i] / N - 0.25) < 0.012);
    }
    e8_plan_free(&plan);
}

static void loops_in_loops_multiply(void **state)
{
    struct e8_plan *plan = plan_of(HEAD "flows:\n"
                                        "  f:\n"
                                        "    - repeat: 3\n"
                                        "      steps:\n"
                                        "        - emit: session.started\n"
                                        "        - repeat: 4\n"
                                        "          steps: [{emit: message.sent}, {choose: [{steps: [{repeat: "
                                        "2, steps: [{emit: agent.error}]}]}]}]\n"
                                        "        - wait: 1s\n"
                                        "    - emit: session.ended\n");
    struct e8_walk walk = e8_walk_begin(&plan->flows[0], 1, 1);
    size_t counts[4] = {0};
    const struct e8_emit *emit;
    (void)state;
    while ((emit = e8_walk_next(&walk)) != NULL) {
        counts[emit->index]++;
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 12);
    assert_int_equal(counts[2], 24);
    assert_int_equal(counts[3], 1);
    assert_int_equal(walk.offset, 3 * E8_NS_S);
    assert_int_equal(walk.sequence, 40);
    e8_plan_free(&plan);
}

/* 970,299 waits of a year each: the time stops growing, and nothing overflows. */
static void long_waits_do_not_overflow(void **state)
{
    struct e8_plan *plan = plan_of(
        HEAD "flows:\n"
             "  f: [{repeat: 99, steps: [{repeat: 99, steps: [{repeat: 99, steps: [{wait: 366d}]}]}]},"
             " {emit: message.sent}]\n");
    struct e8_walk walk = e8_walk_begin(&plan->flows[0], 1, 1);
    (void)state;
    assert_non_null(e8_walk_next(&walk));
    assert_true(walk.offset > 70 * E8_SPAN_MAX && walk.offset <= E8_NEVER / 4);
    assert_null(e8_walk_next(&walk));
    e8_plan_free(&plan);
}

static void a_rotating_flow_takes_turns(void **state)
{
    static const char *const patterns[] = {"message.*", NULL};
    struct e8_send_options options = {.patterns = patterns, .seed = 1};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    (void)state;
    options.endpoint = (struct e8_endpoint){.name = "target",
                                            .url = "http://127.0.0.1:9/",
                                            .scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit")};
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_send(catalog(), &options, &plan, &errs), E8_OK);
    for (uint64_t i = 0; i < 30; i++) {
        struct e8_walk walk = e8_walk_begin(&plan->flows[0], 1, i);
        const struct e8_emit *emit = e8_walk_next(&walk);
        assert_ptr_equal(emit, &plan->emits[i % 3]);
        assert_null(e8_walk_next(&walk));
        e8_dur_ns age = e8_flow_age(&plan->flows[0], 1, i);
        assert_true(age >= 120 * E8_NS_S && age <= 1800 * E8_NS_S);
        assert_int_equal(age, e8_flow_age(&plan->flows[0], 1, i));
    }
    e8_errs_fini(&errs);
    e8_plan_free(&plan);
}

int test_walk(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_place_gives_the_same_walk),
        cmocka_unit_test(a_copy_goes_its_own_way),
        cmocka_unit_test(choices_are_weighted),
        cmocka_unit_test(ranges_are_uniform_and_whole),
        cmocka_unit_test(loops_in_loops_multiply),
        cmocka_unit_test(long_waits_do_not_overflow),
        cmocka_unit_test(a_rotating_flow_takes_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
