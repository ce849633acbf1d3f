/* Parallel branches, seeded faults, and plans of recordings. */
#include "tests.h"

/* ---- walks side by side tell what the walk in one line tells ---- */

struct told {
    uint32_t sequence;
    uint16_t type;
    e8_dur_ns offset;
    uint16_t count; /* events of this type so far, as the envelope would tell */
};
struct tale {
    struct told list[20000];
    size_t count;
    e8_dur_ns end;
};

static struct e8_emit emits[4] = {
    {.index = 0, .type = 0, .endpoint = -1},
    {.index = 1, .type = 1, .endpoint = -1},
    {.index = 2, .type = 2, .endpoint = -1},
    {.index = 3, .type = 2, .endpoint = -1, .again = E8_AGAIN_RETRY},
};

/* Any tree of steps: the generator's stream decides. */
static struct e8_steps grow(struct e8_arena *arena, struct e8_rng *rng, int depth)
{
    size_t n = 1 + e8_rng_below(rng, 4);
    struct e8_step *steps = e8_arena_alloc(arena, n * sizeof *steps);
    for (size_t i = 0; i < n; i++) {
        struct e8_step *step = &steps[i];
        uint64_t kind = e8_rng_below(rng, depth < 4 ? 8 : 4);
        if (kind < 3) {
            *step = (struct e8_step){.kind = E8_STEP_EMIT, .emit = &emits[e8_rng_below(rng, 4)]};
        } else if (kind == 3) {
            *step = (struct e8_step){.kind = E8_STEP_WAIT, .wait = {.low = 0, .high = 1000}};
        } else if (kind == 4) {
            step->kind = E8_STEP_REPEAT;
            step->repeat.high = (uint32_t)e8_rng_below(rng, 3);
            step->repeat.body = grow(arena, rng, depth + 1);
        } else if (kind == 5) {
            *step = (struct e8_step){.kind = E8_STEP_AWAIT};
        } else {
            step->kind = kind == 6 ? E8_STEP_CHOOSE : E8_STEP_PARALLEL;
            step->branches.count = 1 + e8_rng_below(rng, 3);
            struct e8_branch *list = e8_arena_alloc(arena, step->branches.count * sizeof *list);
            for (size_t b = 0; b < step->branches.count; b++) {
                list[b].upto = (double)(b + 1) / (double)step->branches.count;
                list[b].steps = grow(arena, rng, depth + 1);
            }
            step->branches.list = list;
        }
    }
    return (struct e8_steps){steps, n};
}

static void tell(struct tale *tale, const struct e8_walk *walk, const struct e8_emit *emit, uint16_t *counts)
{
    if (emit->again == E8_AGAIN_NO) {
        counts[emit->type]++;
    }
    assert_true(tale->count < E8_COUNT(tale->list));
    tale->list[tale->count++] = (struct told){walk->sequence, emit->type, walk->offset, counts[emit->type]};
}

static void tell_in_line(struct tale *tale, struct e8_walk walk)
{
    uint16_t counts[3] = {0};
    const struct e8_emit *emit;
    while ((emit = e8_walk_next(&walk)) != NULL) {
        tell(tale, &walk, emit, counts);
    }
    tale->end = walk.offset;
}

/* Branches in the order `backwards` says: it must not matter. Returns the end's offset. */
static e8_dur_ns tell_moves(struct tale *tale, struct e8_walk walk, uint16_t *counts, bool backwards)
{
    const struct e8_step *step;
    enum e8_move move;
    while ((move = e8_walk_move(&walk, &step)) != E8_MOVE_END) {
        e8_dur_ns furthest = walk.offset;
        if (move == E8_MOVE_EMIT) {
            tell(tale, &walk, step->emit, counts);
        }
        for (size_t i = 0; move == E8_MOVE_FORK && i < step->branches.count; i++) {
            uint16_t own[3] = {counts[0], counts[1], counts[2]};
            struct e8_walk branch =
                e8_walk_branch(&walk, step, backwards ? step->branches.count - 1 - i : i, own);
            e8_dur_ns end = tell_moves(tale, branch, own, backwards);
            furthest = end > furthest ? end : furthest;
        }
        if (move == E8_MOVE_FORK) {
            e8_walk_join(&walk, step, furthest, counts);
        }
    }
    return walk.offset;
}

static int by_number(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    if (x->sequence != y->sequence) {
        return x->sequence < y->sequence ? -1 : 1;
    }
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return x->type < y->type ? -1 : x->type > y->type;
}

static void branches_do_not_depend_on_each_other(void **state)
{
    static struct tale tales[3];
    size_t forks = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct e8_arena *arena = e8_arena_new();
        struct e8_rng rng = e8_rng_new(seed);
        struct e8_flow flow = {.name = "f", .key = 5, .steps = grow(arena, &rng, 0)};
        struct e8_walk walk = e8_walk_begin(&flow, seed, 3);
        uint16_t counts[2][3] = {{0}};
        for (size_t i = 0; i < 3; i++) {
            tales[i].count = 0;
        }
        tell_in_line(&tales[0], walk);
        tales[1].end = tell_moves(&tales[1], walk, counts[0], false);
        tales[2].end = tell_moves(&tales[2], walk, counts[1], true);
        for (size_t i = 0; i < 3; i++) {
            qsort(tales[i].list, tales[i].count, sizeof tales[i].list[0], by_number);
            assert_int_equal(tales[i].count, tales[0].count);
            assert_int_equal(tales[i].end, tales[0].end);
            for (size_t k = 0; k < tales[0].count; k++) {
                assert_int_equal(tales[i].list[k].sequence, tales[0].list[k].sequence);
                assert_int_equal(tales[i].list[k].type, tales[0].list[k].type);
                assert_int_equal(tales[i].list[k].offset, tales[0].list[k].offset);
                assert_int_equal(tales[i].list[k].count, tales[0].list[k].count);
            }
        }
        forks += tales[0].count > 0;
        e8_arena_free(&arena);
    }
    assert_true(forks > 200);
}

/* ---- faults ---- */

static struct e8_endpoint ends[2] = {{.name = "a"}, {.name = "b"}};

static struct e8_plan plan_of_faults(struct e8_faults faults)
{
    return (struct e8_plan){.seed = 11, .endpoints = ends, .endpoint_count = 2, .faults = faults};
}

static void shares_are_kept_and_repeat(void **state)
{
    struct e8_plan plan = plan_of_faults((struct e8_faults){.duplicate = 0.02,
                                                            .reorder = 0.05,
                                                            .late = 0.01,
                                                            .drop = 0.001,
                                                            .burst = 0.1,
                                                            .copies = 3,
                                                            .concurrent = true,
                                                            .late_by = 30 * E8_NS_S,
                                                            .burst_over = 2 * E8_NS_S});
    const struct e8_flow flow = {.name = "f", .key = 9};
    enum { N = 200000 };
    size_t copies = 0, reorder = 0, late = 0, drop = 0, burst = 0, both = 0;
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        struct e8_deliver d = e8_deliver_of(&plan, &flow, &emits[0], i / 10, i % 10, 0);
        struct e8_deliver again = e8_deliver_of(&plan, &flow, &emits[0], i / 10, i % 10, 0);
        struct e8_deliver other = e8_deliver_of(&plan, &flow, &emits[0], i / 10, i % 10, 1);
        assert_memory_equal(&d, &again, sizeof d);
        copies += d.copies == 3 && d.concurrent;
        reorder += d.reorder;
        late += d.late == 30 * E8_NS_S;
        drop += d.drop;
        burst += d.burst == 2 * E8_NS_S;
        both += d.burst && other.burst;
    }
    assert_in_range(copies, N * 0.018, N * 0.022);
    assert_in_range(reorder, N * 0.047, N * 0.053);
    assert_in_range(late, N * 0.009, N * 0.011);
    assert_in_range(drop, N * 0.0007, N * 0.0013);
    assert_in_range(burst, N * 0.096, N * 0.104);
    assert_in_range(both, N * 0.009, N * 0.011); /* endpoints are hit independently */
}

static void one_share_does_not_move_another(void **state)
{
    struct e8_plan alone = plan_of_faults((struct e8_faults){.reorder = 0.05});
    struct e8_plan many = plan_of_faults((struct e8_faults){.reorder = 0.05, .duplicate = 0.5, .late = 0.5});
    const struct e8_flow flow = {.name = "f", .key = 9};
    (void)state;
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(e8_deliver_of(&alone, &flow, &emits[0], i, 1, 0).reorder,
                         e8_deliver_of(&many, &flow, &emits[0], i, 1, 0).reorder);
    }
}

static void a_step_that_speaks_for_itself_is_left_alone(void **state)
{
    struct e8_faults everything = {.drop = 1}, nothing = {0};
    struct e8_plan plan = plan_of_faults(everything);
    const struct e8_flow flow = {.name = "f", .key = 9}, calm = {.name = "c", .key = 9, .faults = &nothing};
    struct e8_emit emit = {.endpoint = -1, .faultless = true, .deliver = {.copies = 2}};
    (void)state;
    assert_int_equal(e8_deliver_of(&plan, &flow, &emit, 0, 1, 0).copies, 2);
    assert_false(e8_deliver_of(&plan, &flow, &emit, 0, 1, 0).drop);
    assert_true(e8_deliver_of(&plan, &flow, &emits[0], 0, 1, 0).drop);
    plan.faults = (struct e8_faults){.reorder = 1, .late = 1, .late_by = 5};
    struct e8_emit awaited = {.endpoint = -1,
                              .awaited = true}; /* what follows waits for it: it cannot come later */
    assert_true(e8_deliver_of(&plan, &flow, &emits[0], 0, 1, 0).reorder);
    assert_false(e8_deliver_of(&plan, &flow, &awaited, 0, 1, 0).reorder);
    assert_int_equal(e8_deliver_of(&plan, &flow, &awaited, 0, 1, 0).late, 5);
    plan.faults = everything;
    assert_false(e8_deliver_of(&plan, &calm, &emits[0], 0, 1, 0).drop);
}

/* ---- recordings ---- */

static void a_recording_becomes_a_plan(void **state)
{
    const struct e8_header headers[] = {{E8_LIT("X-8bit-Event"), E8_LIT("order.paid")}};
    const struct e8_recorded list[] = {
        {.at = 0, .type = "message.sent", .body = E8_LIT("{}"), .delivery_id = "dlv_1"},
        {.at = 5, .type = "order.paid", .body = {"\0\xff", 2}, .headers = headers, .header_count = 1},
        {.at = 5, .type = "order.paid", .environment = "staging", .body = E8_LIT("")},
    };
    struct e8_replay_options options = {.list = list, .count = 3, .seed = 4};
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    (void)state;
    options.endpoint = (struct e8_endpoint){.name = "target",
                                            .url = "http://127.0.0.1:9/",
                                            .scheme = e8_schemes_find(e8_catalog_schemes(catalog()), "8bit")};
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_replay(catalog(), &options, &plan, &errs), E8_OK);
    assert_int_equal(plan->type_count, e8_catalog_count(catalog()) + 1);
    assert_string_equal(plan->types[plan->emits[1].type], "order.paid");
    assert_int_equal(plan->emits[1].type, plan->emits[2].type);
    assert_true(plan->emits[1].verbatim && !plan->emits[0].verbatim);
    assert_int_equal(plan->emits[1].raw.n, 2);
    assert_string_equal(plan->emits[2].environment, "staging");
    struct e8_walk walk = e8_walk_begin(&plan->flows[0], plan->seed, 0);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(e8_walk_next(&walk), &plan->emits[i]);
        assert_int_equal(walk.offset, list[i].at);
    }
    assert_null(e8_walk_next(&walk));
    uint64_t events, deliveries;
    e8_plan_size(plan, catalog(), 100, &events, &deliveries);
    assert_int_equal(events, 3);
    assert_int_equal(deliveries, 3);
    assert_int_equal(e8_plan_instances(plan), 1);
    e8_plan_free(&plan);
    options.count = 0;
    assert_int_equal(e8_plan_replay(catalog(), &options, &plan, &errs), E8_INPUT);
    assert_null(plan);
    e8_errs_fini(&errs);
}

int test_deliver(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(branches_do_not_depend_on_each_other),
        cmocka_unit_test(shares_are_kept_and_repeat),
        cmocka_unit_test(one_share_does_not_move_another),
        cmocka_unit_test(a_step_that_speaks_for_itself_is_left_alone),
        cmocka_unit_test(a_recording_becomes_a_plan),
    };
    return cmocka_run_group_tests_name("deliver", tests, NULL, NULL);
}
