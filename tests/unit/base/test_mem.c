#include "groups.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static void new_is_zeroed(void **state)
{
    (void)state;
    unsigned char *p = e8_new(1000, 7);
    for (size_t i = 0; i < 7000; i++)
        assert_int_equal(p[i], 0);
    memset(p, 0xAA, 7000);
    p = e8_resize(p, 2000, 7);
    for (size_t i = 0; i < 7000; i++)
        assert_int_equal(p[i], 0xAA);
    free(p);
    p = e8_new(0, 8);
    assert_non_null(p);
    p = e8_resize(p, 0, 8);
    assert_non_null(p);
    free(p);
}

static void dup_copies(void **state)
{
    (void)state;
    assert_null(e8_dup(NULL));
    char *copy = e8_dup("text");
    assert_string_equal(copy, "text");
    free(copy);
    copy = e8_dup_str((struct e8_str){"text", 2});
    assert_string_equal(copy, "te");
    free(copy);
    copy = e8_dup_str((struct e8_str){NULL, 0});
    assert_string_equal(copy, "");
    free(copy);
}

static void ask_too_much(void *arg)
{
    const size_t *count = arg;
    free(e8_new(*count, 16));
}

static void ask_arena_too_much(void *arg)
{
    const size_t *size = arg;
    struct e8_arena *arena = e8_arena_new();
    e8_arena_alloc(arena, *size);
}

static void no_memory_ends_the_process(void **state)
{
    (void)state;
    size_t sizes[] = {SIZE_MAX, SIZE_MAX / 16 + 1, SIZE_MAX / 16};
    char said[128];
    for (size_t i = 0; i < E8_COUNT(sizes); i++) {
        int status = in_child(ask_too_much, &sizes[i], said, sizeof(said));
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
        assert_non_null(strstr(said, "out of memory"));
    }
    int status = in_child(ask_arena_too_much, &sizes[0], said, sizeof(said));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

static void fill_arena(struct e8_arena *arena)
{
    static unsigned char *objects[3000];
    static size_t sizes[3000];
    struct e8_rng rng = e8_rng_new(1);
    size_t total = 0;
    for (size_t i = 0; i < E8_COUNT(objects); i++) {
        sizes[i] = i % 500 == 499 ? 300000 : e8_rng_below(&rng, 300);
        objects[i] = e8_arena_alloc(arena, sizes[i]);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % 8, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_true(objects[i][k] == 0);
        memset(objects[i], (int)(i % 255 + 1), sizes[i]);
        total += sizes[i];
        assert_true(e8_arena_used(arena) >= total);
    }
    assert_true(e8_arena_used(arena) <= total + 16 * E8_COUNT(objects));
    for (size_t i = 0; i < E8_COUNT(objects); i++) /* none overlaps another */
        for (size_t k = 0; k < sizes[i]; k++)
            assert_true(objects[i][k] == i % 255 + 1);
    e8_arena_free(&arena);
    assert_null(arena);
    e8_arena_free(&arena);
}

static void arena_is_aligned_and_zeroed(void **state)
{
    (void)state;
    fill_arena(e8_arena_new());
}

static void large_arena_is_the_same(void **state)
{
    (void)state;
    struct e8_arena *arena = e8_arena_new_large();
    memset(e8_arena_alloc(arena, 12 << 20), 1, 12 << 20);
    for (size_t i = 0; i < 1000; i++) {
        unsigned char *object = e8_arena_alloc(arena, 15000);
        for (size_t k = 0; k < 15000; k++)
            assert_true(object[k] == 0);
        memset(object, 1, 15000);
    }
    e8_arena_free(&arena);
    fill_arena(e8_arena_new_large());
}

static void arena_texts(void **state)
{
    (void)state;
    struct e8_arena *arena = e8_arena_new();
    assert_int_equal(e8_arena_used(arena), 0);
    struct e8_str copy = e8_arena_str(arena, (struct e8_str){"sixteen bytes...!", 16});
    assert_int_equal(copy.n, 16);
    assert_string_equal(copy.p, "sixteen bytes...");
    copy = e8_arena_str(arena, (struct e8_str){NULL, 0});
    assert_int_equal(copy.n, 0);
    assert_string_equal(copy.p, "");
    assert_string_equal(e8_arena_printf(arena, "%s-%d", "a", 7), "a-7");
    assert_int_equal(strlen(e8_arena_printf(arena, "%010000d", 7)), 10000);
    assert_ptr_not_equal(e8_arena_alloc(arena, 0), e8_arena_alloc(arena, 0));
    e8_arena_free(&arena);
}

int test_mem(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_is_zeroed),
        cmocka_unit_test(dup_copies),
        cmocka_unit_test(no_memory_ends_the_process),
        cmocka_unit_test(arena_is_aligned_and_zeroed),
        cmocka_unit_test(large_arena_is_the_same),
        cmocka_unit_test(arena_texts),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
