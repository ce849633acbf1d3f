/* Retention. */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void trim_all(struct place *place, e8_wall_ns before, uint64_t bytes)
{
    bool more = true;

    for (int i = 0; more; i++) {
        assert_true(i < 10000);
        ASSERT_OK(place, e8_store_trim(place->store, before, bytes, 0, &more, &place->err));
    }
}

static void fill(struct place *place, int count)
{
    struct e8_store_attempt *list = e8_new((size_t)count, sizeof *list);
    char *body = e8_new(2000, 1);

    add_webhook(place, "whk_a");
    for (int n = 1; n <= count; n++) {
        if (n % 10 == 1)
            accept_some(place,
                        (struct one){.n = n, .type = n % 20 == 1 ? "message.sent" : "message.received"}, 10);
        list[n - 1] = some_attempt(n, 1, n % 10 ? 200 : 503, n % 10 ? E8_STATE_DELIVERED : E8_STATE_PENDING);
        list[n - 1].body = (struct e8_str){body, 2000};
    }
    ASSERT_OK(place, e8_store_attempts(place->store, list, (size_t)count, &place->err));
    free(list);
    free(body);
}

static int64_t size_of(const struct place *place)
{
    return ask(place->path, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
}

static void old_ones_go_and_waiting_ones_stay(void **state)
{
    struct place *place = *state;
    struct e8_store_event alone = {
        .id = "evt_x", .type = "t", .environment = "e", .created = T0 + 5, .body = {NULL, 0}};

    fill(place, 3000);
    ASSERT_OK(place, e8_store_accept(place->store, &alone, NULL, 0, &place->err));
    trim_all(place, T0, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 3000);
    int64_t size = size_of(place);
    trim_all(place, T0 + 2001 * MS, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 1000 + 200);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE row <= 2000 AND due IS NULL"), 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM attempt"), 1000 + 200);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM event"), 100 + 200);
    assert_sound(place->path);
    assert_true(size_of(place) < size * 6 / 10);
    /* What waited goes once it has ended. */
    for (int n = 10; n <= 2000; n += 10) {
        struct e8_store_attempt a = some_attempt(n, 2, 200, E8_STATE_DELIVERED);
        put_attempt(place, &a);
    }
    trim_all(place, T0 + 2001 * MS, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 1000);
    assert_int_equal(ask(place->path, "SELECT min(row) FROM delivery"), 2001);
    assert_int_equal(ask(place->path, "SELECT min(block) FROM span"), 1);
    assert_sound(place->path);
}

static void it_keeps_within_its_size(void **state)
{
    struct place *place = *state;
    uint64_t bound = 3 << 20;
    struct stat st;

    fill(place, 3000);
    assert_true((uint64_t)size_of(place) > 2 * bound);
    trim_all(place, 0, bound);
    assert_true((uint64_t)size_of(place) <= bound);
    int64_t left = ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NULL");
    assert_in_range(left, 300, 2000);
    assert_int_equal(
        ask(place->path, "SELECT max(row) - min(row) < 1.2 * count(*) FROM delivery WHERE due IS NULL"), 1);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL"), 300);
    assert_sound(place->path);
    e8_store_close(&place->store);
    assert_int_equal(stat(place->path, &st), 0);
    assert_true((uint64_t)st.st_size <= bound);
    reopen(place);
    /* What waits alone is more than there is room for: that it does not go on for ever. */
    trim_all(place, E8_NEVER, 1);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 300);
    assert_sound(place->path);
}

/* Few, and large: as many as fit stay, and it is the disk that has room again. */
static void as_much_as_fits_is_kept(void **state)
{
    enum { COUNT = 60, LARGE = 60000 };
    struct place *place = *state;
    char *body = e8_new(LARGE, 1), log[300];
    uint64_t bound = 3 << 20;
    struct stat st;

    add_webhook(place, "whk_a");
    for (int n = 1; n <= COUNT; n++) {
        accept_one(place, (struct one){.n = n});
        struct e8_store_attempt a = some_attempt(n, 1, 200, E8_STATE_DELIVERED);
        a.body = (struct e8_str){body, LARGE};
        put_attempt(place, &a);
    }
    free(body);
    trim_all(place, 0, bound);
    int64_t left = ask(place->path, "SELECT count(*) FROM delivery");
    assert_in_range(left, 40, 50); /* some 48 in 3 MiB, with what else there is */
    assert_int_equal(ask(place->path, "SELECT max(row) - min(row) + 1 FROM delivery"), left);
    assert_int_equal(stat(place->path, &st), 0);
    assert_in_range(st.st_size, bound - (1 << 18), bound);
    snprintf(log, sizeof log, "%s-wal", place->path);
    assert_int_equal(stat(log, &st), 0);
    assert_true(st.st_size <= 1 << 20);
    assert_sound(place->path);
}

static void a_step_is_short(void **state)
{
    struct place *place = *state;
    bool more = true;
    int steps = 0;

    fill(place, 3000);
    for (; more; steps++)
        ASSERT_OK(place, e8_store_trim(place->store, E8_NEVER, 0, 1, &more, &place->err));
    assert_true(steps > 2700 / 64); /* 64 deliveries are the least */
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 300);
}

/* New rows never get the numbers of old ones, which cursors and the dispatcher may remember. */
static void rows_are_not_used_again(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    a = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    put_attempt(place, &a);
    trim_all(place, E8_NEVER, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 0);
    reopen(place);
    accept_one(place, (struct one){.n = 2});
    assert_int_equal(row_of(place, 2), 2);
}

static void sums_are_kept_for_a_while(void **state)
{
    struct place *place = *state;
    e8_wall_ns now = e8_wall_now(), day = 24 * 3600 * E8_NS_S;
    struct e8_store_attempt a;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1, .created = now - 100 * day});
    a = some_attempt(1, 1, 503, E8_STATE_PENDING);
    a.due = a.sent = a.done = now - 100 * day;
    put_attempt(place, &a);
    a.number = 2;
    a.due = a.sent = a.done = now - 80 * day;
    put_attempt(place, &a);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM sum"), 30);
    trim_all(place, 0, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM sum"), 15);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM attempt"), 2);
}

static void nothing_is_left_of_a_deleted_endpoint(void **state)
{
    struct place *place = *state;
    e8_wall_ns old = e8_wall_now() - 100 * 24 * 3600 * E8_NS_S;
    struct e8_store_attempt a;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    a = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    a.due = a.sent = a.done = old;
    put_attempt(place, &a);
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_a", &place->err));
    trim_all(place, 0, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM webhook"), 1);
    trim_all(place, E8_NEVER, 0);
    trim_all(place, E8_NEVER, 0);
    assert_int_equal(ask(place->path, "SELECT (SELECT count(*) FROM webhook) + (SELECT count(*) FROM kind)"
                                      " + (SELECT count(*) FROM event) + (SELECT count(*) FROM span)"),
                     0);
}

static void secrets_past_their_grace_are_erased(void **state)
{
    struct place *place = *state;
    e8_wall_ns now = e8_wall_now();
    uint64_t version;

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    ASSERT_OK(place,
              e8_store_webhook_rotate(place->store, "whk_a", "another one", now - 2, now - 1, &place->err));
    ASSERT_OK(place, e8_store_webhook_rotate(place->store, "whk_b", "another one", now, now + 3600 * E8_NS_S,
                                             &place->err));
    version = e8_store_version(place->store);
    trim_all(place, 0, 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM webhook WHERE secret_before IS NULL"), 1);
    assert_int_equal(e8_store_version(place->store), version + 1);
    trim_all(place, 0, 0);
    assert_int_equal(e8_store_version(place->store), version + 1);
}

int run_store_trim_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(old_ones_go_and_waiting_ones_stay),
        CASE(it_keeps_within_its_size),
        CASE(as_much_as_fits_is_kept),
        CASE(a_step_is_short),
        CASE(rows_are_not_used_again),
        CASE(sums_are_kept_for_a_while),
        CASE(nothing_is_left_of_a_deleted_endpoint),
        CASE(secrets_past_their_grace_are_erased),
    };
    return cmocka_run_group_tests_name("store trim", tests, NULL, NULL);
}
