/* Rate limits on a clock of their own, the key's file, and lists of texts. */
#include "api.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void no_limit(void **state)
{
    struct e8_bucket bucket = e8_bucket_of(E8_PLAN_UNLIMITED, 0);
    e8_dur_ns wait = 1;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        assert_true(e8_bucket_take(&bucket, 0, &wait));
        assert_int_equal(wait, 0);
    }
    assert_int_equal(e8_bucket_reset_in(&bucket), 0);
}

static void burst_then_rate(void **state)
{
    static const struct {
        enum e8_plan_limits plan;
        int limit, burst;
        e8_dur_ns each;
    } rows[] = {{E8_PLAN_STARTER, 60, 100, E8_NS_S}, {E8_PLAN_PRO, 600, 1000, 100 * E8_NS_MS}};

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        e8_mono_ns now = 5 * E8_NS_S;
        struct e8_bucket bucket = e8_bucket_of(rows[i].plan, now);
        e8_dur_ns wait;

        for (int k = 1; k <= rows[i].burst; k++) {
            assert_true(e8_bucket_take(&bucket, now, &wait));
            int left = rows[i].burst - k < rows[i].limit ? rows[i].burst - k : rows[i].limit;
            assert_int_equal(e8_bucket_remaining(&bucket), left);
            assert_int_equal(e8_bucket_reset_in(&bucket), (rows[i].limit - left) * rows[i].each);
        }
        assert_false(e8_bucket_take(&bucket, now, &wait));
        assert_int_equal(wait, rows[i].each);
        assert_false(e8_bucket_take(&bucket, now + rows[i].each / 2, &wait));
        assert_int_equal(wait, rows[i].each / 2);
        for (int k = 1; k <= 10; k++) {
            assert_true(e8_bucket_take(&bucket, now + k * rows[i].each, &wait));
            assert_false(e8_bucket_take(&bucket, now + k * rows[i].each, &wait));
        }
    }
}

static void the_dashboard_has_a_limit_of_its_own(void **state)
{
    struct e8_bucket bucket = e8_bucket_of_dashboard(E8_PLAN_STARTER, 0);
    e8_dur_ns wait;
    int taken = 0;

    (void)state;
    while (e8_bucket_take(&bucket, 0, &wait))
        taken++;
    assert_int_equal(taken, 600);
    assert_int_equal(wait, 50 * E8_NS_MS);
    bucket = e8_bucket_of_dashboard(E8_PLAN_UNLIMITED, 0);
    assert_int_equal(bucket.per_minute, 0);
}

static void a_long_rest_fills_it_and_no_more(void **state)
{
    struct e8_bucket bucket = e8_bucket_of(E8_PLAN_STARTER, 0);
    e8_mono_ns later = 3600 * E8_NS_S;
    e8_dur_ns wait;
    int taken = 0;

    (void)state;
    assert_true(e8_bucket_take(&bucket, 0, &wait));
    while (e8_bucket_take(&bucket, later, &wait))
        taken++;
    assert_int_equal(taken, 100);
}

static void texts(void **state)
{
    struct e8_arena *arena = e8_arena_new();
    size_t count;

    (void)state;
    const char *const *list = e8_texts_of(arena, "[\"a\", \"b.*\", \"\\u00e9\"]", &count);
    assert_int_equal(count, 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b.*");
    assert_string_equal(list[2], "\xc3\xa9");
    assert_null(list[3]);
    list = e8_texts_of(arena, "[]", &count);
    assert_int_equal(count, 0);
    assert_null(list[0]);
    list = e8_texts_of(arena, "no JSON", &count);
    assert_int_equal(count, 0);
    assert_null(list[0]);
    e8_arena_free(&arena);
}

static void a_key_is_made_once(void **state)
{
    char directory[] = "/tmp/emit8-key-XXXXXX";
    char *first = NULL, *second = NULL, *file = NULL, *again = NULL;
    struct stat facts;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(e8_state_key(directory, &first, &file, NULL), E8_OK);
    assert_int_equal(stat(file, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    assert_int_equal(e8_state_key(directory, &second, &again, NULL), E8_OK);
    assert_string_equal(first, second);
    assert_int_equal(strlen(first), 44);
    assert_memory_equal(first, "e8k_", 4);
    unlink(file);
    rmdir(directory);
    e8_secret_free(&first);
    e8_secret_free(&second);
    free(file);
    free(again);
}

static void a_directory_is_one_processs(void **state)
{
    char directory[] = "/tmp/emit8-state-XXXXXX";
    char path[64];
    struct e8_err err = {0};
    int first = -1, second = -1;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(e8_state_open(directory, &first, &err), E8_OK);
    assert_int_equal(e8_state_open(directory, &second, &err), E8_ENV);
    assert_int_equal(second, -1);
    assert_non_null(strstr(err.what, "another emit8 serve"));
    close(first);
    assert_int_equal(e8_state_open(directory, &second, &err), E8_OK);
    close(second);
    snprintf(path, sizeof path, "%s/lock", directory);
    unlink(path);
    rmdir(directory);
}

int run_api_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit),
        cmocka_unit_test(burst_then_rate),
        cmocka_unit_test(texts),
        cmocka_unit_test(the_dashboard_has_a_limit_of_its_own),
        cmocka_unit_test(a_long_rest_fills_it_and_no_more),
        cmocka_unit_test(a_key_is_made_once),
        cmocka_unit_test(a_directory_is_one_processs),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
