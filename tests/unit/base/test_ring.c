#include "groups.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

struct item {
    uint64_t number, check;
    char filler[24];
};

static void put(struct e8_ring *ring, uint64_t number)
{
    struct item *slot = e8_ring_slot(ring);
    assert_non_null(slot);
    slot->number = number;
    e8_ring_push(ring);
}

static void assert_takes(struct e8_ring *ring, uint64_t number)
{
    const struct item *item = e8_ring_peek(ring);
    assert_non_null(item);
    assert_ptr_equal(e8_ring_peek(ring), item); /* looking takes nothing */
    assert_int_equal(item->number, number);
    e8_ring_pop(ring);
}

static void full_and_empty(void **state)
{
    (void)state;
    static const size_t asked[] = {0, 1, 2, 3, 5, 8}, given[] = {1, 1, 2, 4, 8, 8};
    for (size_t i = 0; i < E8_COUNT(asked); i++) {
        struct e8_ring *ring = e8_ring_new(asked[i], sizeof(struct item));
        for (uint64_t round = 0; round < 5; round++) {
            assert_null(e8_ring_peek(ring));
            for (uint64_t k = 0; k < given[i]; k++)
                put(ring, round * 100 + k);
            assert_null(e8_ring_slot(ring));
            assert_takes(ring, round * 100);
            put(ring, 99); /* one is free again, across the end */
            assert_null(e8_ring_slot(ring));
            for (uint64_t k = 1; k < given[i]; k++)
                assert_takes(ring, round * 100 + k);
            assert_takes(ring, 99);
        }
        e8_ring_free(&ring);
        assert_null(ring);
        e8_ring_free(&ring);
    }
}

static void many_at_once(void **state)
{
    (void)state;
    struct e8_ring *ring = e8_ring_new(8, sizeof(struct item));
    assert_int_equal(e8_ring_count(ring), 0);
    e8_ring_drop(ring, 0);
    for (uint64_t round = 0; round < 5; round++) { /* across the end */
        for (uint64_t k = 0; k < 7; k++)
            put(ring, round * 100 + k);
        assert_int_equal(e8_ring_count(ring), 7);
        for (uint64_t k = 0; k < 7; k++)
            assert_int_equal(((const struct item *)e8_ring_at(ring, k))->number, round * 100 + k);
        e8_ring_drop(ring, 5);
        assert_int_equal(e8_ring_count(ring), 2);
        assert_int_equal(((const struct item *)e8_ring_at(ring, 1))->number, round * 100 + 6);
        assert_takes(ring, round * 100 + 5);
        e8_ring_drop(ring, 1);
        assert_null(e8_ring_peek(ring));
    }
    e8_ring_free(&ring);
}

static void slot_without_push_hands_nothing_over(void **state)
{
    (void)state;
    struct e8_ring *ring = e8_ring_new(4, sizeof(struct item));
    void *slot = e8_ring_slot(ring);
    assert_ptr_equal(e8_ring_slot(ring), slot);
    assert_null(e8_ring_peek(ring));
    e8_ring_free(&ring);
}

/* Where the consumer keeps up, few of a large ring's slots are ever used; where it does not, all are. */
static void begins_again_when_empty(void **state)
{
    (void)state;
    struct e8_ring *ring = e8_ring_new(4096, sizeof(struct item));
    const char *first = e8_ring_slot(ring);
    size_t furthest = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        size_t place = (size_t)((const char *)e8_ring_slot(ring) - first);
        furthest = place > furthest ? place : furthest;
        put(ring, i);
        assert_takes(ring, i);
    }
    assert_in_range(furthest, 1, 64 * sizeof(struct item));
    for (uint64_t i = 0; i < 10000; i++) { /* one is always left */
        put(ring, i);
        if (i)
            assert_takes(ring, i - 1);
    }
    assert_takes(ring, 9999);
    for (uint64_t i = 0; i < 4096; i++)
        put(ring, i);
    assert_null(e8_ring_slot(ring));
    assert_int_equal(e8_ring_count(ring), 4096);
    for (uint64_t i = 0; i < 4096; i++)
        assert_takes(ring, i);
    e8_ring_free(&ring);
}

static void push_into_full(void *arg)
{
    (void)arg;
    struct e8_ring *ring = e8_ring_new(1, 8);
    e8_ring_slot(ring);
    e8_ring_push(ring);
    e8_ring_push(ring);
}

static void pop_from_empty(void *arg)
{
    (void)arg;
    e8_ring_pop(e8_ring_new(1, 8));
}

static void drop_too_many(void *arg)
{
    (void)arg;
    struct e8_ring *ring = e8_ring_new(4, 8);
    e8_ring_slot(ring);
    e8_ring_push(ring);
    if (e8_ring_count(ring) == 1)
        e8_ring_drop(ring, 2);
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    char said[256];
    assert_true(WIFSIGNALED(in_child(push_into_full, NULL, said, sizeof(said))));
    assert_non_null(strstr(said, "ring.c"));
    assert_true(WIFSIGNALED(in_child(pop_from_empty, NULL, said, sizeof(said))));
    assert_non_null(strstr(said, "ring.c"));
    assert_true(WIFSIGNALED(in_child(drop_too_many, NULL, said, sizeof(said))));
    assert_non_null(strstr(said, "ring.c"));
}

enum { RECORDS = 1000000 };

static void *produce(void *arg)
{
    struct e8_ring *ring = arg;
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct item *slot;
        while (!(slot = e8_ring_slot(ring)))
            sched_yield();
        slot->number = i;
        slot->check = e8_mix(i, 1);
        e8_ring_push(ring);
    }
    return NULL;
}

static void records_cross_in_order(void **state)
{
    (void)state;
    static const size_t slots[] = {1, 64, 4096};
    for (size_t s = 0; s < E8_COUNT(slots); s++) {
        struct e8_ring *ring = e8_ring_new(slots[s], sizeof(struct item));
        uint64_t records = slots[s] == 1 ? RECORDS / 100 : RECORDS;
        pthread_t producer;
        assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
        for (uint64_t i = 0; i < RECORDS; i++) {
            const struct item *item;
            while (!(item = e8_ring_peek(ring)))
                sched_yield();
            if (item->number != i || (i < records && item->check != e8_mix(i, 1)))
                fail_msg("record %llu of %zu slots", (unsigned long long)i, slots[s]);
            e8_ring_pop(ring);
        }
        assert_null(e8_ring_peek(ring));
        assert_int_equal(pthread_join(producer, NULL), 0);
        e8_ring_free(&ring);
    }
}

int test_ring(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_and_empty),          cmocka_unit_test(many_at_once),
        cmocka_unit_test(begins_again_when_empty), cmocka_unit_test(slot_without_push_hands_nothing_over),
        cmocka_unit_test(misuse_is_a_bug),         cmocka_unit_test(records_cross_in_order),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
