/* Events in, what is due out, attempts back. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct taken {
    size_t count;
    struct {
        int64_t row;
        char id[E8_ID_MAX], event[E8_ID_MAX], type[40], environment[20], body[40];
        e8_wall_ns due, since;
        unsigned number, tries;
        enum e8_trigger trigger;
    } list[64];
    e8_wall_ns next;
    int64_t skipped; /* this row, and those above it up to skipped_to */
    int64_t skipped_to;
};

static bool is_skipped(void *state, int64_t row)
{
    const struct taken *taken = state;

    return row >= taken->skipped && row <= taken->skipped_to;
}

static void take(void *state, const struct e8_due *due)
{
    struct taken *taken = state;

    assert_true(taken->count < E8_COUNT(taken->list));
    taken->list[taken->count].row = due->row;
    snprintf(taken->list[taken->count].id, E8_ID_MAX, "%s", due->id);
    snprintf(taken->list[taken->count].event, E8_ID_MAX, "%s", due->event_id);
    snprintf(taken->list[taken->count].type, 40, "%s", due->type);
    snprintf(taken->list[taken->count].environment, 20, "%s", due->environment);
    snprintf(taken->list[taken->count].body, 40, "%.*s", E8_STR(due->body));
    taken->list[taken->count].due = due->due;
    taken->list[taken->count].since = due->since;
    taken->list[taken->count].number = due->number;
    taken->list[taken->count].tries = due->tries;
    taken->list[taken->count].trigger = due->trigger;
    taken->count++;
}

static struct taken due_of(struct place *place, const char *webhook, e8_wall_ns until, size_t limit)
{
    struct taken taken = {.skipped = -1, .skipped_to = -2};

    ASSERT_OK(place, e8_store_due(place->store, webhook, until, limit, NULL, take, &taken, &taken.next,
                                  &place->err));
    return taken;
}

static void assert_rows(const struct taken *taken, const char *rows)
{
    char text[400] = "";
    size_t n = 0;

    for (size_t i = 0; i < taken->count; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%lld", i ? " " : "",
                              (long long)taken->list[i].row);
    assert_string_equal(text, rows);
}

static void earliest_first_to_each(void **state)
{
    struct place *place = *state;
    struct taken taken;

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    for (int n = 1; n <= 10; n++)
        accept_one(
            place,
            (struct one){.n = n, .webhook = n == 4 ? "whk_b" : "whk_a", .created = T0, .due = T0 + 100 - n});
    taken = due_of(place, "whk_a", T0 + 95, 64);
    assert_rows(&taken, "10 9 8 7 6");
    assert_int_equal(taken.next, T0 + 95);
    assert_string_equal(taken.list[0].id, "dlv_10");
    assert_string_equal(taken.list[0].event, "evt_10");
    assert_string_equal(taken.list[0].type, "message.received");
    assert_string_equal(taken.list[0].environment, "production");
    assert_string_equal(taken.list[0].body, "{\"id\":\"evt\"}");
    assert_int_equal(taken.list[0].due, T0 + 90);
    assert_int_equal(taken.list[0].number, 1);
    assert_int_equal(taken.list[0].tries, 1);
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_EVENT);
    taken = due_of(place, "whk_a", T0 + 1000, 3);
    assert_rows(&taken, "10 9 8");
    assert_int_equal(taken.next, T0 + 93);
    taken = due_of(place, "whk_b", T0 + 1000, 3);
    assert_rows(&taken, "4");
    assert_int_equal(taken.next, E8_NEVER);
    taken = due_of(place, "whk_none", T0 + 1000, 3);
    assert_rows(&taken, "");
    assert_int_equal(taken.next, E8_NEVER);
    taken = (struct taken){.skipped = 7, .skipped_to = 10};
    ASSERT_OK(place, e8_store_due(place->store, "whk_a", T0 + 1000, 2, is_skipped, take, &taken, &taken.next,
                                  &place->err));
    assert_rows(&taken, "6 5");
    assert_int_equal(taken.next, T0 + 97);
    taken = due_of(place, "whk_a", T0 + 1000, 0);
    assert_rows(&taken, "");
    assert_int_equal(taken.next, T0 + 90);
}

static void tests_go_first_and_anyway(void **state)
{
    struct place *place = *state;
    struct taken taken;

    add_webhook(place, "whk_a");
    for (int n = 1; n <= 6; n++)
        accept_one(place, (struct one){.n = n, .test = n % 2 == 0});
    taken = due_of(place, "whk_a", T0 + E8_NS_S, 64);
    assert_rows(&taken, "2 4 6 1 3 5");
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_TEST);
    ASSERT_OK(place, e8_store_webhook_enable(place->store, "whk_a", false, NULL, T0, NULL, &place->err));
    taken = due_of(place, "whk_a", T0 + E8_NS_S, 64);
    assert_rows(&taken, "2 4 6");
    assert_int_equal(taken.next, E8_NEVER);
    ASSERT_OK(place, e8_store_webhook_enable(place->store, "whk_a", true, NULL, T0, NULL, &place->err));
    taken = due_of(place, "whk_a", T0 + E8_NS_S, 64);
    assert_rows(&taken, "2 4 6 1 3 5");
}

static void assert_held(struct place *place, const char *id, bool held, e8_wall_ns next)
{
    struct e8_store_details details;

    ASSERT_OK(place, e8_store_delivery(place->store, id, place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_PENDING);
    assert_int_equal(details.row.held, held);
    assert_int_equal(details.row.next, next);
}

static void held_while_its_endpoint_is_disabled(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    accept_one(place, (struct one){.n = 2, .due = T0 + 20, .test = true});
    a = some_attempt(1, 1, 503, E8_STATE_PENDING);
    put_attempt(place, &a);
    assert_held(place, "dlv_1", false, a.next);
    ASSERT_OK(place, e8_store_webhook_enable(place->store, "whk_a", false, NULL, T0, NULL, &place->err));
    assert_held(place, "dlv_1", true, 0);
    assert_held(place, "dlv_2", false, T0 + 20); /* a test event goes out all the same */
    ASSERT_OK(place, e8_store_webhook_enable(place->store, "whk_a", true, NULL, T0, NULL, &place->err));
    assert_held(place, "dlv_1", false, a.next);
}

/* What was due while nobody could send it keeps its place, and can be sent from then on. */
static void since_when_it_can_be_sent(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook = some_webhook("whk_a");
    struct taken taken;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 2, .due = T0 + 20});
    accept_one(place, (struct one){.n = 1, .due = T0 + 10});
    accept_one(place, (struct one){.n = 3, .due = T0 + 30, .test = true});
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_rows(&taken, "3 2 1");
    assert_int_equal(taken.list[1].since, T0);
    reopen_at(place, T0 + 1000);
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_rows(&taken, "3 2 1");
    for (size_t i = 0; i < taken.count; i++)
        assert_int_equal(taken.list[i].since, T0 + 1000);
    assert_int_equal(taken.list[1].due, T0 + 10);
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", true, NULL, T0 + 1500, NULL, &place->err));
    assert_int_equal(due_of(place, "whk_a", E8_NEVER, 64).list[1].since, T0 + 1000); /* it was enabled */
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", false, NULL, T0 + 1600, NULL, &place->err));
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", true, NULL, T0 + 2000, NULL, &place->err));
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_int_equal(taken.list[0].since, T0 + 1000); /* a test event waits for no endpoint */
    assert_int_equal(taken.list[1].since, T0 + 2000);
    webhook.enabled = false;
    webhook.updated = T0 + 2500;
    ASSERT_OK(place, e8_store_webhook_update(place->store, &webhook, &place->err));
    webhook.enabled = true;
    webhook.updated = T0 + 3000;
    ASSERT_OK(place, e8_store_webhook_update(place->store, &webhook, &place->err));
    webhook.updated = T0 + 4000;
    ASSERT_OK(place, e8_store_webhook_update(place->store, &webhook, &place->err));
    assert_int_equal(due_of(place, "whk_a", E8_NEVER, 64).list[1].since, T0 + 3000);
    reopen_at(place, T0 + 5000);
    assert_int_equal(due_of(place, "whk_a", E8_NEVER, 64).list[1].since, T0 + 5000);
}

static void an_event_to_several(void **state)
{
    struct place *place = *state;
    struct e8_store_event event = {
        .id = "evt_1", .type = "t", .environment = "e", .created = T0, .body = E8_LIT("b\0c")};
    struct e8_store_target targets[] = {
        {"dlv_1", "whk_a", T0, NULL}, {"dlv_2", "whk_b", T0, NULL}, {"dlv_3", "whk_a", T0 + 1, NULL}};
    struct e8_store_details details;

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    ASSERT_OK(place, e8_store_accept(place->store, &event, targets, 3, &place->err));
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_3", place->arena, &details, &place->err));
    assert_string_equal(details.row.event_id, "evt_1");
    assert_int_equal(details.body.n, 3);
    assert_memory_equal(details.body.p, "b\0c", 3);
    snprintf(event.id, sizeof event.id, "evt_2");
    ASSERT_OK(place, e8_store_accept(place->store, &event, NULL, 0, &place->err));
    /* All or nothing. */
    snprintf(event.id, sizeof event.id, "evt_3");
    snprintf(targets[0].id, sizeof targets[0].id, "dlv_4");
    snprintf(targets[1].id, sizeof targets[1].id, "dlv_5");
    snprintf(targets[1].webhook, sizeof targets[1].webhook, "whk_no");
    assert_int_equal(e8_store_accept(place->store, &event, targets, 3, &place->err), E8_INPUT);
    assert_string_equal(place->err.what, "there is no webhook \"whk_no\"");
    snprintf(targets[1].webhook, sizeof targets[1].webhook, "whk_a");
    assert_int_equal(e8_store_accept(place->store, &event, targets, 3, &place->err),
                     E8_ENV); /* dlv_3 is there */
    assert_int_equal(ask(place->path, "SELECT count(*) FROM event"), 2);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 3);
    assert_sound(place->path);
}

static void it_is_tried_again(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;
    struct e8_store_details details;
    struct taken taken;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    a = some_attempt(1, 1, 503, E8_STATE_PENDING);
    put_attempt(place, &a);
    taken = due_of(place, "whk_a", a.next, 64);
    assert_rows(&taken, "");
    assert_int_equal(taken.next, a.next);
    taken = due_of(place, "whk_a", a.next + 1, 64);
    assert_int_equal(taken.list[0].number, 2);
    assert_int_equal(taken.list[0].tries, 2);
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_RETRY);
    a = some_attempt(1, 2, 0, E8_STATE_PENDING); /* a stale connection does not count */
    a.outcome = E8_STALE_CONNECTION;
    a.more = true;
    put_attempt(place, &a);
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_int_equal(taken.list[0].number, 3);
    assert_int_equal(taken.list[0].tries, 2);
    a = some_attempt(1, 3, 204, E8_STATE_DELIVERED);
    put_attempt(place, &a);
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_rows(&taken, "");
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_int_equal(details.row.state, E8_STATE_DELIVERED);
    assert_int_equal(details.row.attempts, 3);
    assert_int_equal(details.row.status, 204);
    assert_int_equal(details.row.response_time, 20 * MS);
    assert_int_equal(details.row.updated, a.done);
    assert_string_equal(details.row.outcome, "delivered");
    assert_int_equal(details.count, 3);
    assert_sound(place->path);
}

static void an_attempt_comes_back_whole(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;
    struct e8_store_details details;
    char *large = e8_new(E8_STORE_BODY_MAX + 10, 1);

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1, .type = "agent.error", .environment = "staging", .test = true});
    a = some_attempt(1, 1, 503, E8_STATE_PENDING);
    a.trigger = E8_TRIGGER_TEST;
    a.body = (struct e8_str){large, E8_STORE_BODY_MAX + 10};
    a.body_length = 1234567;
    put_attempt(place, &a);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_string_equal(details.row.type, "agent.error");
    assert_string_equal(details.row.environment, "staging");
    assert_string_equal(details.row.url, "https://example.com/hooks");
    assert_string_equal(details.row.error, "it was refused");
    assert_true(details.row.test);
    assert_int_equal(details.row.next, a.next);
    assert_int_equal(details.created, T0 + MS);
    assert_int_equal(details.count, 1);
    const struct e8_store_try *try = &details.attempts[0];
    assert_int_equal(try->number, 1);
    assert_string_equal(try->trigger, "test");
    assert_string_equal(try->outcome, "http_5xx");
    assert_string_equal(try->error, "it was refused");
    assert_int_equal(try->status, 503);
    assert_int_equal(try->due, a.due);
    assert_int_equal(try->sent, a.sent);
    assert_int_equal(try->done, a.done);
    assert_memory_equal(&try->phases, &a.phases, sizeof a.phases);
    assert_true(e8_str_eq(try->request, a.request));
    assert_true(e8_str_eq(try->response, a.response));
    assert_int_equal(try->body.n, E8_STORE_BODY_MAX);
    assert_int_equal(try->body_length, 1234567);
    free(large);
}

static void the_last_hundred_attempts(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt list[130];
    struct e8_store_details details;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    accept_one(place, (struct one){.n = 2});
    for (unsigned i = 0; i < 130; i++)
        list[i] = some_attempt(1, i + 1, 500, E8_STATE_PENDING);
    ASSERT_OK(place, e8_store_attempts(place->store, list, 130, &place->err));
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_int_equal(details.row.attempts, 130);
    assert_int_equal(details.unknown_count, 0);
    assert_int_equal(details.count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(details.attempts[i].number, i + 31);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_2", place->arena, &details, &place->err));
    assert_int_equal(details.count, 0);
    assert_null(details.row.outcome);
    assert_int_equal(details.row.response_time, -1);
    assert_int_equal(e8_store_delivery(place->store, "dlv_3", place->arena, &details, &place->err), E8_INPUT);
    assert_string_equal(place->err.what, "there is no delivery \"dlv_3\"");
}

/* Numbers 1 and 3 are used up, and the process ends. */
static void attempts_that_were_under_way_at_a_kill(void **state)
{
    struct place *place = *state;
    struct e8_store_details details;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1, .created = T0});
    int64_t row = row_of(place, 1);
    for (unsigned number = 1; number <= 4; number++) {
        struct e8_store_attempt attempt = some_attempt(row, number, 503, E8_STATE_PENDING);
        ASSERT_OK(place, e8_store_begin(place->store, &row, 1, &place->err));
        if (number % 2)
            reopen(place);
        else
            put_attempt(place, &attempt);
    }
    ASSERT_OK(place, e8_store_begin(place->store, &row, 1, &place->err)); /* and one is under way */
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1", place->arena, &details, &place->err));
    assert_int_equal(details.row.attempts, 5);
    assert_int_equal(details.count, 2);
    assert_int_equal(details.unknown_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(details.unknown[i], 2 * i + 1);
}

static void attempts_of_what_is_gone(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt list[2];

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    list[0] = some_attempt(77, 1, 200, E8_STATE_DELIVERED);
    list[1] = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    ASSERT_OK(place, e8_store_attempts(place->store, list, 2, &place->err));
    assert_int_equal(ask(place->path, "SELECT count(*) FROM attempt"), 1);
    assert_sound(place->path);
}

static e8_wall_ns failing_since(struct place *place)
{
    struct e8_webhook webhook;

    ASSERT_OK(place, e8_store_webhook(place->store, "whk_a", place->arena, &webhook, &place->err));
    return webhook.failing_since;
}

static void how_long_it_fails(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt first, other;

    add_webhook(place, "whk_a");
    for (int n = 1; n <= 3; n++)
        accept_one(place, (struct one){.n = n});
    other = some_attempt(1, 1, 0, E8_STATE_PENDING);
    other.outcome = E8_GEN_FD; /* ours */
    put_attempt(place, &other);
    assert_int_equal(failing_since(place), 0);
    first = some_attempt(2, 1, 503, E8_STATE_PENDING);
    put_attempt(place, &first);
    other = some_attempt(3, 1, 503, E8_STATE_FAILED);
    put_attempt(place, &other);
    ASSERT_OK(place,
              e8_store_webhook_enable(place->store, "whk_a", true, NULL, first.done + 1, NULL, &place->err));
    assert_int_equal(failing_since(place), first.done); /* it was enabled: nothing has changed */
    other = some_attempt(2, 2, 200, E8_STATE_DELIVERED);
    put_attempt(place, &other);
    assert_int_equal(failing_since(place), 0);
}

/* ---- again ---- */

static void it_goes_out_again(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;
    struct taken taken;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    a = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    put_attempt(place, &a);
    ASSERT_OK(place, e8_store_resend(place->store, "dlv_1", T0 + E8_NS_S, &place->err));
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_rows(&taken, "1");
    assert_int_equal(taken.list[0].due, T0 + E8_NS_S);
    assert_int_equal(taken.list[0].number, 2);
    assert_int_equal(taken.list[0].tries, 1);
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_RESEND);
    a = some_attempt(1, 2, 503, E8_STATE_PENDING);
    a.tries = 1;
    put_attempt(place, &a);
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_int_equal(taken.list[0].number, 3);
    assert_int_equal(taken.list[0].tries, 2);
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_RETRY);
    assert_int_equal(e8_store_resend(place->store, "dlv_9", T0, &place->err), E8_INPUT);
    assert_string_equal(place->err.what, "there is no delivery \"dlv_9\"");
    assert_sound(place->path);
}

/* Asked for while an attempt was under way: what becomes of that one does not count, and another follows. */
static void asked_for_while_under_way(void **state)
{
    struct place *place = *state;
    struct e8_store_attempt a;
    struct taken taken;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    a = some_attempt(1, 1, 503, E8_STATE_FAILED);
    ASSERT_OK(place, e8_store_resend(place->store, "dlv_1", a.due + 1, &place->err));
    put_attempt(place, &a);
    taken = due_of(place, "whk_a", E8_NEVER, 64);
    assert_rows(&taken, "1");
    assert_int_equal(taken.list[0].due, a.due + 1);
    assert_int_equal(taken.list[0].number, 2);
    assert_int_equal(taken.list[0].tries, 1);
    assert_int_equal(taken.list[0].trigger, E8_TRIGGER_RESEND);
    assert_sound(place->path);
}

static void all_that_failed(void **state)
{
    const struct e8_store_filter all = {.test = -1};
    struct e8_store_filter filter = all;
    struct place *place = *state;
    struct e8_store_attempt a;
    uint64_t count;

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    for (int n = 1; n <= 1300; n++) {
        if (n % 10 == 1)
            accept_some(place, (struct one){.n = n, .webhook = n % 20 == 1 ? "whk_a" : "whk_b"}, 10);
        a = some_attempt(n, 1, n % 5 ? 500 : 200, n % 5 ? E8_STATE_FAILED : E8_STATE_DELIVERED);
        put_attempt(place, &a);
    }
    filter.webhook = "whk_a";
    filter.since = T0 + 100 * MS;
    filter.until = T0 + 110 * MS;
    ASSERT_OK(place, e8_store_resend_failed(place->store, &filter, T0, &count, &place->err));
    assert_int_equal(count, 8); /* of 101 to 110 */
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery WHERE due IS NOT NULL"), 8);
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_b", &place->err));
    filter = all;
    filter.code = 503;
    ASSERT_OK(place, e8_store_resend_failed(place->store, &filter, T0, &count, &place->err));
    assert_int_equal(count, 0);
    filter.code = 500;
    filter.type = "session.*";
    ASSERT_OK(place, e8_store_resend_failed(place->store, &filter, T0, &count, &place->err));
    assert_int_equal(count, 0);
    filter.type = "message.*";
    ASSERT_OK(place, e8_store_resend_failed(place->store, &filter, T0, &count, &place->err));
    assert_int_equal(count, 520 - 8);
    ASSERT_OK(place, e8_store_resend_failed(place->store, &all, T0, &count, &place->err));
    assert_int_equal(count, 0);
    filter = all;
    filter.webhook = "whk_no";
    ASSERT_OK(place, e8_store_resend_failed(place->store, &filter, T0, &count, &place->err));
    assert_int_equal(count, 0);
    assert_sound(place->path);
}

int run_store_queue_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(earliest_first_to_each),
        CASE(tests_go_first_and_anyway),
        CASE(held_while_its_endpoint_is_disabled),
        CASE(since_when_it_can_be_sent),
        CASE(an_event_to_several),
        CASE(it_is_tried_again),
        CASE(an_attempt_comes_back_whole),
        CASE(the_last_hundred_attempts),
        CASE(attempts_that_were_under_way_at_a_kill),
        CASE(attempts_of_what_is_gone),
        CASE(how_long_it_fails),
        CASE(it_goes_out_again),
        CASE(asked_for_while_under_way),
        CASE(all_that_failed),
    };
    return cmocka_run_group_tests_name("store queue", tests, NULL, NULL);
}
