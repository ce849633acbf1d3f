/* Endpoints and their secrets. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

static void assert_same(const struct e8_webhook *a, const struct e8_webhook *b)
{
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->url, b->url);
    assert_string_equal(a->description, b->description);
    assert_string_equal(a->scheme, b->scheme);
    assert_string_equal(a->events, b->events);
    assert_string_equal(a->environments, b->environments);
    assert_string_equal(a->headers, b->headers);
    assert_int_equal(a->timeout, b->timeout);
    assert_int_equal(a->retry.attempts, b->retry.attempts);
    assert_int_equal(a->retry.base, b->retry.base);
    assert_true(a->retry.factor == b->retry.factor);
    assert_int_equal(a->retry.cap, b->retry.cap);
    assert_int_equal(a->retry.jitter, b->retry.jitter);
    assert_int_equal(a->enabled, b->enabled);
    assert_int_equal(a->disabled_at, b->disabled_at);
    assert_int_equal(a->created, b->created);
    assert_int_equal(a->updated, b->updated);
    if (a->notify_url && b->notify_url)
        assert_string_equal(a->notify_url, b->notify_url);
    else
        assert_ptr_equal(a->notify_url, b->notify_url);
}

static struct e8_webhook get(struct place *place, const char *id)
{
    struct e8_webhook webhook;

    ASSERT_OK(place, e8_store_webhook(place->store, id, place->arena, &webhook, &place->err));
    return webhook;
}

static void it_comes_back_as_it_went_in(void **state)
{
    struct place *place = *state;
    struct e8_webhook in = some_webhook("whk_a"), out;

    ASSERT_OK(place, e8_store_webhook_add(place->store, &in, "012345670123456789abcdef", &place->err));
    out = get(place, "whk_a");
    assert_same(&in, &out);
    assert_string_equal(out.secret_end, "cdef");
    assert_null(out.disabled_reason);
    assert_int_equal(out.failing_since | out.rotated | out.grace_until, 0);
    in.url = "http://127.0.0.1:1/";
    in.description = "";
    in.retry.factor = 3;
    in.notify_url = NULL;
    in.updated = T0 + 5;
    ASSERT_OK(place, e8_store_webhook_update(place->store, &in, &place->err));
    out = get(place, "whk_a");
    assert_same(&in, &out);
    assert_string_equal(out.secret_end, "cdef");
}

static void those_that_are_not_there(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook = some_webhook("whk_no");
    const char *secrets[2];

    assert_int_equal(e8_store_webhook_update(place->store, &webhook, &place->err), E8_INPUT);
    assert_string_equal(place->err.what, "there is no webhook \"whk_no\"");
    assert_int_equal(e8_store_webhook_delete(place->store, "whk_no", NULL), E8_INPUT);
    assert_int_equal(e8_store_webhook_enable(place->store, "whk_no", true, NULL, T0, NULL, NULL), E8_INPUT);
    assert_int_equal(e8_store_webhook_rotate(place->store, "whk_no", "s", T0, T0, NULL), E8_INPUT);
    assert_int_equal(e8_store_webhook_revoke(place->store, "whk_no", NULL), E8_INPUT);
    assert_int_equal(e8_store_webhook(place->store, "whk_no", place->arena, &webhook, NULL), E8_INPUT);
    assert_int_equal(e8_store_secrets(place->store, "whk_no", T0, place->arena, secrets, NULL), E8_INPUT);
    assert_int_equal(e8_store_version(place->store), 0);
}

static void all_of_them_oldest_first(void **state)
{
    struct place *place = *state;
    struct e8_webhook *list;
    size_t count;

    ASSERT_OK(place, e8_store_webhooks(place->store, place->arena, &list, &count, &place->err));
    assert_int_equal(count, 0);
    add_webhook(place, "whk_z");
    add_webhook(place, "whk_a");
    add_webhook(place, "whk_m");
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_a", &place->err));
    ASSERT_OK(place, e8_store_webhooks(place->store, place->arena, &list, &count, &place->err));
    assert_int_equal(count, 2);
    assert_string_equal(list[0].id, "whk_z");
    assert_string_equal(list[1].id, "whk_m");
    assert_int_equal(e8_store_version(place->store), 4);
}

static void enabling(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    struct e8_store_attempt bad = some_attempt(1, 1, 503, E8_STATE_PENDING);
    put_attempt(place, &bad);
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", false, "410 Gone", T0 + 7, NULL, &place->err));
    webhook = get(place, "whk_a");
    assert_false(webhook.enabled);
    assert_string_equal(webhook.disabled_reason, "410 Gone");
    assert_int_equal(webhook.disabled_at, T0 + 7);
    assert_int_equal(webhook.failing_since, bad.done);
    uint64_t version = e8_store_version(place->store);
    bool changed = true;
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", false, NULL, T0 + 8, &changed, &place->err));
    assert_false(changed);
    assert_int_equal(e8_store_version(place->store), version);
    webhook = get(place, "whk_a");
    assert_string_equal(webhook.disabled_reason, "410 Gone");
    assert_int_equal(webhook.disabled_at, T0 + 7);
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", true, NULL, T0 + 8, &changed, &place->err));
    assert_true(changed);
    webhook = get(place, "whk_a");
    assert_true(webhook.enabled);
    assert_null(webhook.disabled_reason);
    assert_int_equal(webhook.disabled_at | webhook.failing_since, 0);
    assert_int_equal(webhook.updated, T0 + 8);
}

static void assert_secrets(struct place *place, e8_wall_ns now, const char *present, const char *before)
{
    const char *secrets[2];

    ASSERT_OK(place, e8_store_secrets(place->store, "whk_a", now, place->arena, secrets, &place->err));
    assert_string_equal(secrets[0], present);
    if (before)
        assert_string_equal(secrets[1], before);
    else
        assert_null(secrets[1]);
}

static bool file_has(const char *path, const char *end, const char *text)
{
    size_t length = strlen(text), n;
    char name[128];
    bool has = false;

    snprintf(name, sizeof name, "%s%s", path, end);
    FILE *file = fopen(name, "r");
    if (!file)
        return false;
    char *bytes = e8_new(16 << 20, 1);
    n = fread(bytes, 1, 16 << 20, file);
    has = memmem(bytes, n, text, length) != NULL;
    free(bytes);
    fclose(file);
    return has;
}

static bool is_somewhere(struct place *place, const char *text)
{
    return file_has(place->path, "", text) || file_has(place->path, "-wal", text);
}

static void secrets_turn(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook = some_webhook("whk_a");

    ASSERT_OK(place, e8_store_webhook_add(place->store, &webhook, "the first secret", &place->err));
    assert_secrets(place, T0, "the first secret", NULL);
    ASSERT_OK(place,
              e8_store_webhook_rotate(place->store, "whk_a", "the second one", T0, T0 + 100, &place->err));
    assert_secrets(place, T0 + 99, "the second one", "the first secret");
    assert_secrets(place, T0 + 100, "the second one", NULL);
    webhook = get(place, "whk_a");
    assert_int_equal(webhook.rotated, T0);
    assert_int_equal(webhook.grace_until, T0 + 100);
    assert_string_equal(webhook.secret_end, ""); /* it is short */
    assert_true(is_somewhere(place, "the first secret"));
    ASSERT_OK(place, e8_store_webhook_revoke(place->store, "whk_a", &place->err));
    assert_secrets(place, T0 + 1, "the second one", NULL);
    assert_int_equal(get(place, "whk_a").grace_until, 0);
    assert_false(is_somewhere(place, "the first secret"));
}

/* Among many, so that pages divide and move. */
static void a_retired_secret_is_nowhere(void **state)
{
    struct place *place = *state;
    char id[E8_ID_MAX], first[40], second[40], url[300];

    memset(url, 'u', sizeof url);
    url[sizeof url - 1] = '\0';
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "whk_%d", i);
        snprintf(first, sizeof first, "first secret %d;", i);
        struct e8_webhook webhook = some_webhook(id);
        webhook.url = url + (i * 37) % 290;
        ASSERT_OK(place, e8_store_webhook_add(place->store, &webhook, first, &place->err));
    }
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "whk_%d", i);
        snprintf(first, sizeof first, "first secret %d;", i);
        snprintf(second, sizeof second, "second secret %d;", i);
        struct e8_webhook webhook = some_webhook(id);
        webhook.url = url + (i * 53) % 290;
        ASSERT_OK(place, e8_store_webhook_update(place->store, &webhook, &place->err));
        ASSERT_OK(place, e8_store_webhook_rotate(place->store, id, second, T0, T0 + 1, &place->err));
        if (i % 3 == 0)
            ASSERT_OK(place, e8_store_webhook_revoke(place->store, id, &place->err));
        else if (i % 3 == 1)
            ASSERT_OK(place, e8_store_webhook_delete(place->store, id, &place->err));
        assert_int_equal(is_somewhere(place, first), i % 3 == 2);
        assert_int_equal(is_somewhere(place, second), i % 3 != 1);
    }
}

/* While another program reads the file, what lies beside it cannot go; nor is it waited for. */
static void it_is_forgotten_later(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook = some_webhook("whk_a");
    sqlite3 *other;
    bool more;

    ASSERT_OK(place, e8_store_webhook_add(place->store, &webhook, "the first secret", &place->err));
    assert_int_equal(sqlite3_open(place->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN; SELECT * FROM webhook", NULL, NULL, NULL), SQLITE_OK);
    ASSERT_OK(place,
              e8_store_webhook_rotate(place->store, "whk_a", "the second one", T0, T0 + 1, &place->err));
    ASSERT_OK(place, e8_store_webhook_revoke(place->store, "whk_a", &place->err));
    assert_true(is_somewhere(place, "the first secret"));
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    ASSERT_OK(place, e8_store_trim(place->store, 0, 0, 0, &more, &place->err));
    assert_false(is_somewhere(place, "the first secret"));
    assert_true(is_somewhere(place, "the second one"));
}

static void a_deleted_one_waits_for_nothing(void **state)
{
    struct place *place = *state;
    struct e8_store_details details;
    const char *secrets[2];

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    for (int n = 1; n <= 2500; n += 25)
        accept_some(place, (struct one){.n = n, .webhook = n % 4 ? "whk_a" : "whk_b", .test = n % 7 == 0},
                    25);
    struct e8_store_attempt good = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    put_attempt(place, &good);
    struct e8_store_attempt bad = some_attempt(2, 1, 503, E8_STATE_PENDING);
    put_attempt(place, &bad);
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_a", &place->err));
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL AND webhook = 1"),
                     0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL AND webhook = 2"),
                     625);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_DELIVERED);
    assert_string_equal(details.row.webhook, "whk_a");
    assert_string_equal(details.row.url, "https://example.com/hooks");
    assert_true(details.row.deleted);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_2", place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_CANCELLED);
    assert_string_equal(details.row.error, E8_DELETED_WHY);
    assert_int_equal(details.row.next, 0);
    assert_int_equal(e8_store_secrets(place->store, "whk_a", T0, place->arena, secrets, NULL), E8_INPUT);
    assert_int_equal(e8_store_resend(place->store, "dlv_1", T0, &place->err), E8_INPUT);
    assert_non_null(strstr(place->err.what, "was deleted"));
    /* What was under way comes back: it is told, and only a delivery changes the state. */
    bad = some_attempt(2, 2, 503, E8_STATE_PENDING);
    put_attempt(place, &bad);
    good = some_attempt(3, 1, 200, E8_STATE_DELIVERED);
    put_attempt(place, &good);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_2", place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_CANCELLED);
    assert_string_equal(details.row.error, E8_DELETED_WHY);
    assert_int_equal(details.count, 2);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_3", place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_DELIVERED);
    assert_sound(place->path);
}

/* Where its deliveries went is told for as long as they are, but for what opens doors. */
static void a_deleted_one_keeps_its_url(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook = some_webhook("whk_a");
    struct e8_store_details details;

    webhook.url = "https://me:pass-word@example.com/hooks?token=abc-def&a=1";
    ASSERT_OK(place, e8_store_webhook_add(place->store, &webhook, "a secret of the test", &place->err));
    accept_one(place, (struct one){.n = 1});
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_false(details.row.deleted);
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_a", &place->err));
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_string_equal(details.row.url, "https://example.com/hooks?token=***&a=1");
    assert_false(is_somewhere(place, "pass-word"));
    assert_false(is_somewhere(place, "abc-def"));
    assert_int_equal(e8_store_webhook_delete(place->store, "whk_a", &place->err), E8_INPUT);
}

/* A kill between the deletion and its end. */
static void what_a_deletion_left_is_taken_up(void **state)
{
    struct place *place = *state;

    add_webhook(place, "whk_a");
    for (int n = 1; n <= 5; n++)
        accept_one(place, (struct one){.n = n});
    e8_store_close(&place->store);
    assert_int_equal(ask(place->path, "UPDATE webhook SET deleted = 1 RETURNING n"), 1);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL"), 5);
    reopen(place);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL"), 0);
    assert_sound(place->path);
}

int run_store_webhook_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_comes_back_as_it_went_in),
        CASE(those_that_are_not_there),
        CASE(all_of_them_oldest_first),
        CASE(enabling),
        CASE(secrets_turn),
        CASE(a_retired_secret_is_nowhere),
        CASE(it_is_forgotten_later),
        CASE(a_deleted_one_waits_for_nothing),
        CASE(a_deleted_one_keeps_its_url),
        CASE(what_a_deletion_left_is_taken_up),
    };
    return cmocka_run_group_tests_name("store webhooks", tests, NULL, NULL);
}
