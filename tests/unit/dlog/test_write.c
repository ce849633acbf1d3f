#include "tests.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Each producer has the events p, p + count, p + 2 * count, …, with one attempt each. */
struct producer {
    struct e8_ring *ring;
    uint32_t first, step, events;
    pthread_t thread;
};

static void *produce(void *state)
{
    struct producer *p = state;

    for (uint32_t i = 0, n = p->first; i < p->events; i++, n += p->step) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % ENDPOINTS);
        push(p->ring, &event);
        push(p->ring, &attempt);
    }
    return NULL;
}

static void start_producers(struct e8_dlog *log, struct producer *producers, unsigned count, uint32_t events)
{
    for (unsigned i = 0; i < count; i++) {
        producers[i] = (struct producer){e8_dlog_ring(log, i), i, count, events, 0};
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
}

static void join_producers(struct producer *producers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        pthread_join(producers[i].thread, NULL);
}

/* 200,000 records from four threads: every row once, and each with its own content. */
static void four_producers_lose_nothing(void **state)
{
    enum { PRODUCERS = 4, EVENTS = 25000 };
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct producer producers[PRODUCERS];
    char sql[256];
    uint64_t bytes = 0;

    struct e8_dlog *log = begin_log(place->log, PRODUCERS, &run);
    start_producers(log, producers, PRODUCERS, EVENTS);
    join_producers(producers, PRODUCERS);
    assert_false(e8_dlog_failed(log));
    finish_log(&log, &run);
    int64_t all = PRODUCERS * EVENTS;
    assert_int_equal(ask(place->log, "SELECT count(*) FROM event"), all);
    assert_int_equal(ask(place->log, "SELECT count(DISTINCT event_id) FROM event"), all);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt"), all);
    assert_int_equal(ask(place->log, "SELECT count(DISTINCT delivery_id) FROM attempt"), all);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt a JOIN event e ON e.id = a.event"
                                     " WHERE e.type = a.type AND a.endpoint = e.id % 2 AND a.due = e.at"
                                     " AND a.done = a.due + 3000000 + (e.id & 4294967295)"),
                     all);
    for (uint32_t n = 0; n < all; n++)
        bytes += some_attempt(n, 0).attempt.bytes_sent;
    snprintf(sql, sizeof(sql), "SELECT sum(bytes_sent) = %llu FROM attempt", (unsigned long long)bytes);
    assert_int_equal(ask(place->log, sql), 1);
    /* In each ring's order. */
    assert_int_equal(ask(place->log,
                         "SELECT count(*) FROM (SELECT event, lag(event) OVER (PARTITION BY event % 4"
                         " ORDER BY id) AS before FROM attempt) WHERE event <= before"),
                     0);
    assert_int_equal(ask(place->log, "SELECT last_attempt - after_attempt FROM run"), all);
    assert_sound(place->log);
}

static void rows_show_while_the_run_goes_on(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_ring *ring = e8_dlog_ring(log, 0);

    for (uint32_t n = 0; n < 5; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(ring, &event);
        push(ring, &attempt);
        assert_true(wait_until(place->log, "SELECT count(*) FROM attempt", n + 1));
        assert_int_equal(ask(place->log, "SELECT count(*) FROM event"), n + 1);
    }
    assert_int_equal(ask(place->log, "SELECT count(*) FROM run WHERE ended IS NULL"), 1);
    finish_log(&log, &run);
}

static void two_runs_write_at_a_time(void **state)
{
    enum { EVENTS = 20000 };
    struct place *place = *state;
    struct e8_log_run runs[2] = {some_run(), some_run()};
    struct e8_dlog *logs[2];
    struct producer producers[2];

    for (int i = 0; i < 2; i++)
        logs[i] = begin_log(place->log, 1, &runs[i]);
    assert_int_equal(runs[0].id, 1);
    assert_int_equal(runs[1].id, 2);
    for (int i = 0; i < 2; i++)
        start_producers(logs[i], &producers[i], 1, EVENTS);
    for (int i = 0; i < 2; i++)
        join_producers(&producers[i], 1);
    finish_log(&logs[1], &runs[1]);
    finish_log(&logs[0], &runs[0]);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt WHERE run = 1"), EVENTS);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt WHERE run = 2"), EVENTS);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM event WHERE id >> 32 = 2"), EVENTS);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt a JOIN run r ON r.id = a.run"
                                     " WHERE a.id <= r.after_attempt OR a.id > r.last_attempt"),
                     0);
    assert_sound(place->log);
}

/* Another program holds the file for a while: the rings fill, the writer waits, nothing is lost. */
static void a_lock_is_waited_for(void **state)
{
    enum { EVENTS = 20000 };
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct producer producer;
    sqlite3 *db;

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    assert_int_equal(sqlite3_open(place->log, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    start_producers(log, &producer, 1, EVENTS);
    sqlite3_sleep(200);
    assert_false(e8_dlog_failed(log));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    join_producers(&producer, 1);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempt"), EVENTS);
}

static void texts_are_kept_once(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(0), attempt = some_attempt(0, 0);

    push(e8_dlog_ring(log, 0), &event);
    for (int i = 0; i < 2000; i++) {
        attempt.attempt.outcome = E8_RESET;
        snprintf(attempt.attempt.error, sizeof(attempt.attempt.error), "reset %d", i % 500);
        push(e8_dlog_ring(log, 0), &attempt);
    }
    memset(attempt.attempt.error, 'e', sizeof(attempt.attempt.error) - 1);
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM error"), 501);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempts WHERE error = 'reset 499'"), 4);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempts WHERE length(error) = 95"), 1);
    log = begin_log(place->log, 1, &run);
    push(e8_dlog_ring(log, 0), &event);
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM error"), 501);
}

static void views_are_for_people(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(1), attempt = some_attempt(1, 1);
    char text[256];

    push(e8_dlog_ring(log, 0), &event);
    attempt.attempt.outcome = E8_HTTP_5XX;
    attempt.attempt.status = 503;
    attempt.attempt.last = false;
    push(e8_dlog_ring(log, 0), &attempt);
    attempt = some_attempt(1, 1);
    attempt.attempt.number = 2;
    attempt.attempt.trigger = E8_TRIGGER_RETRY;
    attempt.attempt.times.due += 2000 * MS;
    attempt.attempt.times.sent += 2000 * MS;
    attempt.attempt.times.done += 2000 * MS;
    push(e8_dlog_ring(log, 0), &attempt);
    attempt = some_attempt(1, 0);
    attempt.attempt.last = false;
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &run);
    ask_text(place->log,
             "SELECT group_concat(run || ' ' || type || ' ' || environment || ' ' || endpoint || ' ' ||"
             " outcome || ' ' || status || ' ' || attempts || ' ' || first_due || ' ' || total_ms || ' ' ||"
             " ended, '; ') FROM deliveries",
             text, sizeof(text));
    assert_string_equal(text,
                        "1 message.sent staging audit delivered 200 2 2026-02-02T02:40:00.001Z 2003.0 1; "
                        "1 message.sent staging crm delivered 200 1 2026-02-02T02:40:00.001Z 3.0 0");
    ask_text(place->log,
             "SELECT attempt || ' ' || \"trigger\" || ' ' || outcome || ' ' || response_ms || ' ' ||"
             " send_lag_ms || ' ' || first_byte_ms || ' ' || (connect_ms IS NULL) FROM attempts WHERE id = 2",
             text, sizeof(text));
    assert_string_equal(text, "2 retry delivered 3.0 0.012 2.0 1");
}

int run_write_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(four_producers_lose_nothing), TEST(rows_show_while_the_run_goes_on),
        TEST(two_runs_write_at_a_time),    TEST(a_lock_is_waited_for),
        TEST(texts_are_kept_once),         TEST(views_are_for_people),
    };
    return cmocka_run_group_tests_name("dlog write", tests, NULL, NULL);
}
