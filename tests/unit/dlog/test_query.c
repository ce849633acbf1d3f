#include "tests.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SEEN_MAX = 4096 };

/* The numbers (500 apart from the run's) of the events whose attempts came. */
struct seen {
    size_t n, stop_at;
    int64_t last;
    uint32_t events[SEEN_MAX];
};

static bool take(void *state, const struct e8_log_row *row)
{
    struct seen *seen = state;

    assert_true(seen->n < SEEN_MAX);
    assert_true(row->cursor > seen->last); /* oldest first */
    seen->last = row->cursor;
    seen->events[seen->n++] = (uint32_t)((row->due - STARTED) / MS);
    return seen->n != seen->stop_at;
}

static struct seen ask_log(struct e8_dlog_reader *reader, struct e8_log_filter filter)
{
    struct seen seen = {0};
    struct e8_err err;

    if (e8_dlog_query(reader, &filter, take, &seen, &err) != E8_OK)
        fail_msg("%s", err.what);
    return seen;
}

/* Event n of 24: type n % 3, endpoint n % 2; every fourth fails: 503 (0, 8, 16), none (4, 12, 20). */
static void fill(struct e8_dlog *log)
{
    for (uint32_t n = 0; n < 24; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % 2);
        if (n % 4 == 0) {
            attempt.attempt.status = n % 8 == 0 ? 503 : 0;
            attempt.attempt.outcome = n % 8 == 0 ? E8_HTTP_5XX : E8_CONNECT_REFUSED;
            snprintf(attempt.attempt.error, E8_ERROR_MAX, "Connection refused");
        }
        attempt.attempt.times.done = attempt.attempt.times.due + (1 + (e8_dur_ns)n) * MS;
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
    }
}

static struct e8_dlog_reader *two_runs(const char *path)
{
    for (int i = 0; i < 2; i++) {
        struct e8_log_run run = some_run();
        struct e8_dlog *log = begin_log(path, 1, &run);
        fill(log);
        finish_log(&log, &run);
    }
    return open_reader(path);
}

static void counts(struct e8_dlog_reader *reader, struct e8_log_filter filter, size_t expected)
{
    struct seen seen = ask_log(reader, filter);

    assert_int_equal(seen.n, expected);
}

static void each_filter_chooses(void **state)
{
    struct place *place = *state;
    struct e8_dlog_reader *reader = two_runs(place->log);
    char delivery[E8_ID_MAX];

    delivery_id(5, 1, delivery);
    struct e8_record event = some_event(5);
    counts(reader, (struct e8_log_filter){0}, 24);
    counts(reader, (struct e8_log_filter){.run = 1}, 24);
    counts(reader, (struct e8_log_filter){.run = -1}, 48);
    counts(reader, (struct e8_log_filter){.status = "503"}, 3);
    counts(reader, (struct e8_log_filter){.status = "5xx"}, 3);
    counts(reader, (struct e8_log_filter){.status = "2xx"}, 18);
    counts(reader, (struct e8_log_filter){.status = "404"}, 0);
    counts(reader, (struct e8_log_filter){.status = "none"}, 3);
    counts(reader, (struct e8_log_filter){.type = "*"}, 24);
    counts(reader, (struct e8_log_filter){.type = "message.*"}, 16);
    counts(reader, (struct e8_log_filter){.type = "message.sent"}, 8);
    counts(reader, (struct e8_log_filter){.type = "mess.*"}, 0);
    counts(reader, (struct e8_log_filter){.type = "order-paid"}, 0);
    counts(reader, (struct e8_log_filter){.endpoint = "crm"}, 12);
    counts(reader, (struct e8_log_filter){.endpoint = "x' OR 1=1 --"}, 0);
    counts(reader, (struct e8_log_filter){.outcome = "connect_refused"}, 3);
    counts(reader, (struct e8_log_filter){.outcome = "delivered", .endpoint = "audit"}, 12);
    counts(reader, (struct e8_log_filter){.failed = true}, 6);
    counts(reader, (struct e8_log_filter){.failed = true, .run = -1, .status = "none"}, 6);
    counts(reader, (struct e8_log_filter){.slower = 20 * MS}, 4);
    counts(reader, (struct e8_log_filter){.since = STARTED + 20 * MS}, 4);
    counts(reader, (struct e8_log_filter){.until = STARTED + 20 * MS}, 20);
    counts(reader, (struct e8_log_filter){.since = STARTED + 3 * MS, .until = STARTED + 5 * MS}, 2);
    counts(reader, (struct e8_log_filter){.delivery = delivery}, 1);
    counts(reader, (struct e8_log_filter){.delivery = delivery, .run = -1}, 2);
    counts(reader, (struct e8_log_filter){.event = event.event.id}, 1);
    counts(reader, (struct e8_log_filter){.event = event.event.id, .run = -1}, 2);
    counts(reader, (struct e8_log_filter){.event = "evt_none"}, 0);
    e8_dlog_reader_free(&reader);
}

static void the_newest_come_oldest_first(void **state)
{
    struct place *place = *state;
    struct e8_dlog_reader *reader = two_runs(place->log);
    struct seen seen = ask_log(reader, (struct e8_log_filter){.limit = 3});

    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.events[0], 21);
    assert_int_equal(seen.events[2], 23);
    seen = ask_log(reader, (struct e8_log_filter){.limit = 2, .failed = true, .run = 1});
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.events[0], 16);
    assert_int_equal(seen.events[1], 20);
    counts(reader, (struct e8_log_filter){.limit = UINT64_MAX}, 24);
    e8_dlog_reader_free(&reader);
}

static bool first_row(void *state, const struct e8_log_row *row)
{
    struct e8_record event = some_event(4);
    char delivery[E8_ID_MAX];

    delivery_id(4, 0, delivery);
    assert_int_equal(row->run, 2);
    assert_string_equal(row->event_id, event.event.id);
    assert_string_equal(row->delivery_id, delivery);
    assert_string_equal(row->type, "message.sent");
    assert_string_equal(row->environment, "staging");
    assert_string_equal(row->endpoint, "crm");
    assert_string_equal(row->url, "http://127.0.0.1:9000/hooks");
    assert_string_equal(row->scheme, "platform");
    assert_int_equal(row->number, 1);
    assert_string_equal(row->trigger, "event");
    assert_string_equal(row->outcome, "connect_refused");
    assert_string_equal(row->error, "Connection refused");
    assert_int_equal(row->status, 0);
    assert_true(row->due == STARTED + 4 * MS && row->sent == row->due + 12345 &&
                row->done == row->due + 5 * MS);
    assert_int_equal(row->response_time, 5 * MS);
    assert_int_equal(row->service_time, 5 * MS - 12345);
    assert_int_equal(row->send_lag, 12345);
    assert_int_equal(row->phases.dns, -1);
    assert_int_equal(row->phases.total, 3 * MS);
    assert_int_equal(row->bytes_sent, 704);
    assert_int_equal(row->bytes_received, 90);
    assert_int_equal(row->flags, E8_FLAG_REUSED);
    assert_int_equal(row->timestamp, 1770000000);
    assert_true(row->last);
    *(int *)state += 1;
    return false;
}

static void a_row_tells_all(void **state)
{
    struct place *place = *state;
    struct e8_dlog_reader *reader = two_runs(place->log);
    struct e8_log_filter filter = {.outcome = "connect_refused"};
    int rows = 0;

    assert_int_equal(e8_dlog_query(reader, &filter, first_row, &rows, NULL), E8_OK);
    assert_int_equal(rows, 1);
    e8_dlog_reader_free(&reader);
}

static void bad_filters_are_refused(void **state)
{
    static const struct e8_log_filter bad[] = {
        {.status = "5x"},   {.status = "abc"},        {.status = ""},
        {.status = "5000"}, {.status = "0xx"},        {.status = "5xxx"},
        {.status = "+50"},  {.type = "message.*.x"},  {.type = "['x']"},
        {.type = ""},       {.type = "**"},           {.outcome = "5xx"},
        {.outcome = ""},    {.since = 2, .until = 2}, {.run = -2},
    };
    struct place *place = *state;
    struct e8_dlog_reader *reader = two_runs(place->log);
    struct e8_err err;
    int rows = 0;

    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        assert_int_equal(e8_log_filter_check(&bad[i], &err), E8_INPUT);
        assert_int_equal(e8_dlog_query(reader, &bad[i], first_row, &rows, &err), E8_INPUT);
        assert_int_equal(e8_log_filter_check(&bad[i], NULL), E8_INPUT);
    }
    assert_int_equal(e8_log_filter_check(&(struct e8_log_filter){.outcome = "connect_refuse"}, &err),
                     E8_INPUT);
    assert_string_equal(err.hint, "did you mean \"connect_refused\"?");
    assert_int_equal(e8_log_filter_check(&(struct e8_log_filter){.status = "none", .type = "a.b.*"}, &err),
                     E8_OK);
    assert_int_equal(e8_dlog_query(reader, &(struct e8_log_filter){.run = 9}, first_row, &rows, &err),
                     E8_INPUT);
    assert_string_equal(err.hint, "there are the runs 1 to 2");
    assert_int_equal(rows, 0);
    e8_dlog_reader_free(&reader);
}

struct writer {
    struct e8_dlog *log;
    atomic_bool done;
};

static void *write_slowly(void *state)
{
    struct writer *writer = state;

    for (uint32_t n = 0; n < 3000; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(e8_dlog_ring(writer->log, 0), &event);
        push(e8_dlog_ring(writer->log, 0), &attempt);
        if (n % 100 == 0)
            sqlite3_sleep(5);
    }
    atomic_store(&writer->done, true);
    return NULL;
}

/* Every row once and in order, through a cursor, while the run writes. */
static void following_misses_nothing(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct writer writer = {.log = begin_log(place->log, 1, &run)};
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct seen *seen = e8_new(1, sizeof(*seen));
    struct e8_log_filter filter = {0};
    size_t rounds = 0;
    bool done = false;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, write_slowly, &writer), 0);
    while (seen->n < 3000) {
        size_t before = seen->n;
        filter.after = seen->last;
        assert_int_equal(e8_dlog_query(reader, &filter, take, seen, NULL), E8_OK);
        rounds += seen->n > before;
        assert_false(done && seen->n == before &&
                     wait_until(place->log, "SELECT count(*) FROM attempt", 3000) &&
                     ask_log(reader, filter).n == 0);
        done = atomic_load(&writer.done);
        sqlite3_sleep(1);
    }
    pthread_join(thread, NULL);
    assert_true(rounds > 1);
    for (uint32_t n = 0; n < 3000; n++)
        assert_int_equal(seen->events[n], n);
    finish_log(&writer.log, &run);
    filter.after = seen->last;
    counts(reader, filter, 0);
    free(seen);
    e8_dlog_reader_free(&reader);
}

static void an_empty_log_has_no_rows(void **state)
{
    struct place *place = *state;
    struct e8_dlog *log;

    assert_int_equal(e8_dlog_open(place->log, 1, &log, NULL), E8_OK);
    struct e8_dlog_reader *reader = open_reader(place->log);
    counts(reader, (struct e8_log_filter){0}, 0);
    counts(reader, (struct e8_log_filter){.run = -1}, 0);
    struct e8_log_run run = some_run();
    assert_int_equal(e8_dlog_begin(log, &run, NULL), E8_OK);
    fill(log);
    assert_true(wait_until(place->log, "SELECT count(*) FROM attempt", 24));
    counts(reader, (struct e8_log_filter){0}, 24);
    finish_log(&log, &run);
    e8_dlog_reader_free(&reader);
}

enum { MANY = 3000 };

/* Each seventh needs two attempts, each eleventh has a copy. */
static void put_many(const char *path)
{
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(path, 1, &run);
    struct e8_ring *ring = e8_dlog_ring(log, 0);

    for (uint32_t n = 0; n < MANY; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(ring, &event);
        attempt.attempt.last = n % 7 != 0;
        push(ring, &attempt);
        attempt.attempt.last = true;
        attempt.attempt.number = 2;
        attempt.attempt.trigger = E8_TRIGGER_RETRY;
        if (n % 7 == 0)
            push(ring, &attempt);
        attempt.attempt.number = 1;
        attempt.attempt.copy = 1;
        attempt.attempt.trigger = E8_TRIGGER_DUPLICATE;
        if (n % 11 == 0)
            push(ring, &attempt);
    }
    finish_log(&log, &run);
}

static void finds_all(const char *path)
{
    struct e8_dlog_reader *reader = open_reader(path);
    struct e8_log_delivery delivery;
    struct e8_err err;
    char id[E8_ID_MAX], query[160], text[64];

    for (uint32_t n = 0; n < MANY; n += 137) {
        int attempts = 1 + (n % 7 == 0) + (n % 11 == 0);
        delivery_id(n, 0, id);
        counts(reader, (struct e8_log_filter){.delivery = id}, (size_t)attempts);
        assert_int_equal(e8_dlog_delivery(reader, id, &delivery, &err), E8_OK);
        assert_int_equal(delivery.attempts, attempts);
        snprintf(query, sizeof(query),
                 "SELECT group_concat(attempts) FROM deliveries WHERE delivery_id = '%s'", id);
        ask_text(path, query, text, sizeof(text));
        assert_int_equal(text[0], n % 7 == 0 ? '2' : '1');
        assert_int_equal(strlen(text), n % 11 == 0 ? 3U : 1U);
        id[strlen(id) - 1] = '\0';
        assert_int_equal(e8_dlog_delivery(reader, id, &delivery, &err), E8_OK);
        id[strlen(id) - 1] = '!';
        assert_int_equal(e8_dlog_delivery(reader, id, &delivery, &err), E8_INPUT);
    }
    e8_dlog_reader_free(&reader);
}

static void change_log(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void spans_are_whole(const char *path)
{
    assert_int_equal(ask(path, "SELECT min(first) FROM span"), 1);
    assert_int_equal(ask(path, "SELECT max(last) = (SELECT max(id) FROM attempt) FROM span"), 1);
    assert_int_equal(ask(path, "SELECT count(*) FROM span s WHERE first > 1 AND NOT EXISTS"
                               " (SELECT 1 FROM span t WHERE t.last = s.first - 1)"),
                     0);
}

/* Also those that a run which was killed left without a span; the next one mends that. */
static void a_delivery_is_found_by_its_id(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();

    put_many(place->log);
    spans_are_whole(place->log);
    finds_all(place->log);
    change_log(place->log, "DELETE FROM span WHERE last > 1500");
    finds_all(place->log);
    change_log(place->log, "DELETE FROM span");
    finds_all(place->log);
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    spans_are_whole(place->log);
    assert_true(ask(place->log, "SELECT count(*) FROM span") > 2);
    finish_log(&log, &run);
    change_log(place->log, "DELETE FROM run WHERE id = 2");
    finds_all(place->log);
}

static uint32_t push_some(struct e8_ring *ring, uint32_t from, uint32_t count)
{
    for (uint32_t n = from; n < from + count; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(ring, &event);
        push(ring, &attempt);
    }
    return from + count;
}

static void wait_for_rows(const char *path, int64_t count)
{
    static const struct timespec moment = {.tv_nsec = 1000000};

    while (ask(path, "SELECT count(*) FROM attempt") < count)
        nanosleep(&moment, NULL);
}

/* What one of them knows of its own rows is not all that lies between them. */
static void spans_hold_what_two_write_by_turns(void **state)
{
    struct place *place = *state;
    struct e8_log_run one = some_run(), other = some_run();
    struct e8_dlog *logs[] = {begin_log(place->log, 1, &one), begin_log(place->log, 1, &other)};
    uint32_t numbers[] = {0, 5000};
    int64_t rows = 0;

    for (int turn = 0; turn < 12; turn++) {
        uint32_t count = turn < 8 ? 700 : 1300;
        int who = turn < 8 ? turn % 2 : turn / 10;
        numbers[who] = push_some(e8_dlog_ring(logs[who], 0), numbers[who], count);
        wait_for_rows(place->log, rows += count);
    }
    finish_log(&logs[0], &one);
    finish_log(&logs[1], &other);
    spans_are_whole(place->log);
    assert_true(ask(place->log, "SELECT count(*) FROM span") > 4);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM span s WHERE"
                                     " (SELECT min(delivery_id) <> s.low OR max(delivery_id) <> s.high"
                                     " FROM attempt WHERE id BETWEEN s.first AND s.last)"),
                     0);
}

int run_query_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_delivery_is_found_by_its_id),
        TEST(spans_hold_what_two_write_by_turns),
        TEST(each_filter_chooses),
        TEST(the_newest_come_oldest_first),
        TEST(a_row_tells_all),
        TEST(bad_filters_are_refused),
        TEST(following_misses_nothing),
        TEST(an_empty_log_has_no_rows),
    };
    return cmocka_run_group_tests_name("dlog query", tests, NULL, NULL);
}
