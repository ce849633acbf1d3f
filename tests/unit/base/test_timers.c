#include "groups.h"

#include <stdlib.h>

#define TIMERS 2000

struct thing {
    int name;
    struct e8_timer timer;
    size_t added; /* in which round */
};

static void empty_has_nothing(void **state)
{
    (void)state;
    struct e8_timers timers = {0};
    struct thing thing = {0};
    assert_null(e8_timers_peek(&timers));
    assert_null(e8_timers_take(&timers));
    assert_true(e8_timers_due(&timers) == E8_NEVER);
    e8_timers_remove(&timers, &thing.timer);
    assert_null(E8_TIMER_OWNER(NULL, struct thing, timer));
    e8_timers_fini(&timers);
}

static void the_earliest_comes_first_and_equals_in_order(void **state)
{
    (void)state;
    struct e8_timers timers = {0};
    struct thing things[] = {{.name = 3}, {.name = 1}, {.name = 2}, {.name = 4}};
    const e8_mono_ns at[] = {20, 10, 10, 20};
    static const int order[] = {1, 2, 3, 4};
    for (size_t i = 0; i < E8_COUNT(things); i++)
        e8_timers_add(&timers, &things[i].timer, at[i]);
    assert_true(e8_timers_due(&timers) == 10);
    for (size_t i = 0; i < E8_COUNT(order); i++)
        assert_int_equal(E8_TIMER_OWNER(e8_timers_take(&timers), struct thing, timer)->name, order[i]);
    e8_timers_fini(&timers);
}

static void a_removed_timer_may_be_added_again(void **state)
{
    (void)state;
    struct e8_timers timers = {0};
    struct thing a = {.name = 1}, b = {.name = 2};
    e8_timers_add(&timers, &a.timer, 10);
    e8_timers_add(&timers, &b.timer, 20);
    e8_timers_remove(&timers, &a.timer);
    e8_timers_remove(&timers, &a.timer);
    assert_ptr_equal(e8_timers_peek(&timers), &b.timer);
    e8_timers_add(&timers, &a.timer, 30);
    assert_ptr_equal(e8_timers_take(&timers), &b.timer);
    assert_ptr_equal(e8_timers_take(&timers), &a.timer);
    e8_timers_fini(&timers);
}

/* Against the plain way: look for the smallest each time. */
static void random_work_agrees_with_a_search(void **state)
{
    (void)state;
    struct e8_timers timers = {0};
    struct thing *things = calloc(TIMERS, sizeof *things);
    struct e8_rng rng = e8_rng_new(7);
    size_t in = 0;
    for (size_t round = 0; round < 20 * TIMERS; round++) {
        struct thing *thing = &things[e8_rng_below(&rng, TIMERS)];
        if (thing->timer.place) {
            e8_timers_remove(&timers, &thing->timer);
            in--;
        } else {
            e8_timers_add(&timers, &thing->timer, e8_rng_range(&rng, 0, 500));
            thing->added = round;
            in++;
        }
        assert_int_equal(timers.count, in);
    }
    e8_mono_ns last = -1;
    size_t added = 0;
    for (struct e8_timer *timer; (timer = e8_timers_take(&timers)) != NULL; in--) {
        const struct thing *thing = E8_TIMER_OWNER(timer, struct thing, timer);
        assert_true(timer->at > last || (timer->at == last && thing->added > added));
        last = timer->at;
        added = thing->added;
    }
    assert_int_equal(in, 0);
    free(things);
    e8_timers_fini(&timers);
}

static void what_is_postponed_keeps_its_order(void **state)
{
    (void)state;
    struct e8_timers timers = {0};
    struct thing things[200] = {0};
    struct e8_rng rng = e8_rng_new(3);
    for (size_t i = 0; i < E8_COUNT(things); i++)
        e8_timers_add(&timers, &things[i].timer, e8_rng_range(&rng, 0, 100));
    e8_timers_postpone(&timers, 50, 1000);
    e8_mono_ns last = -1;
    size_t moved = 0;
    for (struct e8_timer *timer; (timer = e8_timers_take(&timers)) != NULL;) {
        assert_true(timer->at >= last && (timer->at <= 50 || timer->at > 1050));
        last = timer->at;
        moved += timer->at > 1050;
    }
    assert_in_range(moved, 50, 150);
    e8_timers_add(&timers, &things[0].timer, E8_NEVER - 5);
    e8_timers_postpone(&timers, 50, 1000);
    assert_int_equal(things[0].timer.at, E8_NEVER);
    e8_timers_fini(&timers);
}

int test_timers(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_has_nothing),
        cmocka_unit_test(the_earliest_comes_first_and_equals_in_order),
        cmocka_unit_test(a_removed_timer_may_be_added_again),
        cmocka_unit_test(random_work_agrees_with_a_search),
        cmocka_unit_test(what_is_postponed_keeps_its_order),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
