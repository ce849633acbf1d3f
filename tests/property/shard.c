/* The shards of a plan are disjoint, and together they are the plan. The seed is new in each run and printed; E8_SEED=N repeats one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

#define ROUNDS 300

static uint64_t seed;
static struct e8_catalog *catalog;

static struct e8_rng stream(const char *name)
{
    return e8_rng_new(e8_mix(seed, e8_hash_str(e8_str(name))));
}

static void assert_divided(const struct e8_phase *phase, unsigned count, uint64_t instances)
{
    uint8_t *owners = e8_new(instances + 1, 1);
    uint64_t concurrency = 0;
    for (unsigned number = 1; number <= count; number++) {
        struct e8_plan plan = {.shard = {number, count}};
        struct e8_part part = e8_plan_part(&plan, phase);
        uint64_t mine = 0;
        for (uint64_t k = part.first; part.step && k < instances; k += part.step, mine++) {
            assert_true(e8_part_has(&part, k));
            owners[k]++;
            if (phase->open || phase->concurrency >= count) {
                assert_int_equal((phase->first + k) % count, number - 1);
            }
        }
        for (uint64_t k = 0; k < instances; k++) {
            mine -= e8_part_has(&part, k);
        }
        assert_int_equal(mine, 0);
        if (part.step && !phase->open) {
            assert_true(part.concurrency > 0);
        }
        concurrency += part.concurrency;
    }
    for (uint64_t k = 0; k < instances; k++) {
        assert_int_equal(owners[k], 1);
    }
    if (!phase->open) {
        assert_int_equal(concurrency, phase->concurrency);
    }
    free(owners);
}

static void test_each_instance_has_one_shard(void **state)
{
    (void)state;
    struct e8_rng rng = stream("parts");
    for (int i = 0; i < ROUNDS; i++) {
        struct e8_phase phase = {.open = e8_rng_below(&rng, 2), .first = e8_rng_below(&rng, 1000)};
        uint64_t instances = e8_rng_below(&rng, 200);
        phase.times = instances;
        phase.concurrency = (uint32_t)(1 + e8_rng_below(&rng, 40));
        assert_divided(&phase, (unsigned)(1 + e8_rng_below(&rng, 20)), instances);
    }
}

static void test_an_undivided_plan_is_whole(void **state)
{
    (void)state;
    struct e8_plan plan = {.phase_count = 0};
    struct e8_phase phase = {.first = 7, .times = 5, .concurrency = 3};
    struct e8_part part = e8_plan_part(&plan, &phase);
    assert_int_equal(part.first, 0);
    assert_int_equal(part.step, 1);
    assert_int_equal(part.concurrency, 3);
}

/* ---- the plan of a scenario, divided ---- */

static const char scenario[] =
    "scenario: divided\n"
    "vars: {rate: '${RATE:-40/s}', longest: '${LONGEST:-300ms}', length: '${LENGTH:-2s}'}\n"
    "endpoints:\n"
    "  crm: {url: 'http://127.0.0.1:9/', secret: test-secret-0123456789, events: [conversation.*, "
    "message.received]}\n"
    "  all: {url: 'http://127.0.0.1:9/', secret: test-secret-0123456789}\n"
    "flows:\n"
    "  story:\n"
    "    - emit: conversation.created\n"
    "    - {repeat: 1..3, steps: [{emit: message.received}, {wait: '10ms..${longest}'}, {emit: "
    "message.sent}]}\n"
    "    - choose: [{weight: 3, steps: [{emit: conversation.ended}]}, {weight: 1, steps: [{emit: "
    "agent.error}]}]\n"
    "  other: [{emit: session.started}]\n"
    "run:\n"
    "  - {flow: story, arrivals: {rate: '${rate}', for: '${length}', process: poisson}}\n"
    "  - {flow: story, arrivals: {times: 11, concurrency: 3}}\n"
    "  - {flow: other, at: 1s, arrivals: {times: 9, concurrency: 9}}\n"
    "  - {flow: story, at: 2s, arrivals: {ramp: 5/s..60/s, for: 1s}}\n"
    "faults: {duplicate: 10%, late: 5% by 1s, drop: 2%}\n";

static const char *const *variables; /* name and value */

static const char *from_variables(const char *name)
{
    return variables && strcmp(variables[0], name) == 0 ? variables[1] : NULL;
}

static struct e8_plan *parse(uint64_t number, const char *const *environment)
{
    struct e8_scenario_options options = {.seed_given = true, .seed = number, .getenv = from_variables};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    variables = environment;
    if (e8_plan_parse(catalog, "divided.yaml", e8_str(scenario), &options, &plan, &errs)) {
        e8_errs_print(&errs, stderr);
    }
    e8_errs_fini(&errs);
    assert_non_null(plan);
    return plan;
}

struct seen {
    uint64_t count, sum; /* a hash of each delivery, added: the order does not matter */
};

static bool see(void *state, const struct e8_preview *preview)
{
    struct seen *seen = state;
    uint64_t key = e8_mix(e8_hash_str(e8_str(preview->delivery_id)), e8_hash_str(preview->body));
    seen->count++;
    seen->sum += e8_mix(key, e8_mix((uint64_t)preview->offset, preview->instance));
    return true;
}

static struct seen preview(struct e8_plan *plan, unsigned number, unsigned count)
{
    struct seen seen = {0};
    plan->shard = (struct e8_shard){number, count};
    assert_int_equal(e8_preview_plan(plan, catalog, 1772366400 * E8_NS_S, see, &seen, NULL), E8_OK);
    plan->shard = (struct e8_shard){0};
    return seen;
}

static void test_shards_make_what_the_plan_makes(void **state)
{
    (void)state;
    struct e8_rng rng = stream("plans");
    for (int i = 0; i < 10; i++) {
        struct e8_plan *plan = parse(e8_rng_below(&rng, 1000000), NULL);
        unsigned count = (unsigned)(1 + e8_rng_below(&rng, 7));
        struct seen whole = preview(plan, 0, 0), all = {0};
        uint64_t events, deliveries, sum_events = 0, sum_deliveries = 0;
        assert_true(e8_plan_size(plan, catalog, 100000, &events, &deliveries));
        for (unsigned number = 1; number <= count; number++) {
            struct seen part = preview(plan, number, count);
            uint64_t some, more;
            plan->shard = (struct e8_shard){number, count};
            assert_true(e8_plan_size(plan, catalog, 100000, &some, &more));
            plan->shard = (struct e8_shard){0};
            all.count += part.count;
            all.sum += part.sum;
            sum_events += some;
            sum_deliveries += more;
        }
        assert_true(whole.count > 100);
        assert_int_equal(all.count, whole.count);
        assert_true(all.sum == whole.sum);
        assert_int_equal(sum_events, events);
        assert_int_equal(sum_deliveries, deliveries);
        e8_plan_free(&plan);
    }
}

static void test_the_fingerprint_tells_plans_apart(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"RATE", "41/s"}, {"LONGEST", "301ms"}, {"LENGTH", "2100ms"}, {"RATE", "40/s"}};
    struct e8_plan *plan = parse(7, NULL), *other = parse(8, NULL);
    uint64_t print = e8_plan_fingerprint(plan);
    assert_true(print != e8_plan_fingerprint(other));
    e8_plan_free(&other);
    for (size_t i = 0; i < E8_COUNT(changes); i++) {
        other = parse(7, changes[i]);
        other->shard = (struct e8_shard){2, 3}; /* of no matter */
        assert_true((print == e8_plan_fingerprint(other)) == (i == E8_COUNT(changes) - 1));
        e8_plan_free(&other);
    }
    e8_plan_free(&plan);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_instance_has_one_shard),
        cmocka_unit_test(test_an_undivided_plan_is_whole),
        cmocka_unit_test(test_shards_make_what_the_plan_makes),
        cmocka_unit_test(test_the_fingerprint_tells_plans_apart),
    };
    const char *given = getenv("E8_SEED");
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (!given || !e8_parse_u64(e8_str(given), &seed)) {
        seed = (uint64_t)e8_wall_now();
    }
    printf("E8_SEED=%llu\n", (unsigned long long)seed);
    if (e8_catalog_load(NULL, &catalog, &errs)) {
        e8_errs_print(&errs, stderr);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    e8_catalog_free(&catalog);
    e8_errs_fini(&errs);
    return failed;
}
