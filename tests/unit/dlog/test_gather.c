/* Runs of several logs as one. */
#include <stdlib.h>
#include <string.h>

#include "tests.h"

enum { PARTS = 3, EVENTS = 40 };

struct parts {
    char paths[PARTS][128], all[128];
    struct e8_dlog_reader *readers[PARTS];
    struct e8_log_run runs[PARTS];
    struct e8_log_part list[PARTS];
};

/* Part k of n has each n-th event; its log has another run before this one, and errors under numbers of its own. */
static void make_part(struct parts *parts, unsigned k)
{
    struct e8_log_run run = some_run(), other = some_run();
    struct e8_dlog *log = begin_log(parts->paths[k], 1, &other);
    struct e8_record record = some_event(900 + k), attempt = some_attempt(900 + k, 0);

    push(e8_dlog_ring(log, 0), &record);
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &other);
    log = begin_log(parts->paths[k], 1, &run);
    for (uint32_t n = k, number = 0; n < EVENTS; n += PARTS, number++) {
        record = some_event(n);
        attempt = some_attempt(n, n % ENDPOINTS);
        record.event.event = attempt.attempt.event = number; /* each run counts its own */
        attempt.attempt.outcome = n % 5 ? E8_DELIVERED : E8_HTTP_5XX;
        if (n % 5 == 0)
            snprintf(attempt.attempt.error, sizeof(attempt.attempt.error), "HTTP %u", 500 + n % 3);
        push(e8_dlog_ring(log, 0), &record);
        push(e8_dlog_ring(log, 0), &attempt);
    }
    finish_log(&log, &run);
    parts->readers[k] = open_reader(parts->paths[k]);
    assert_int_equal(e8_dlog_run(parts->readers[k], 2, &parts->runs[k], NULL), E8_OK);
    parts->list[k] = (struct e8_log_part){parts->readers[k], &parts->runs[k]};
}

static void make_parts(const struct place *place, struct parts *parts)
{
    snprintf(parts->all, sizeof(parts->all), "%s/all.db", place->dir);
    for (unsigned k = 0; k < PARTS; k++) {
        snprintf(parts->paths[k], sizeof(parts->paths[k]), "%s/%u.db", place->dir, k);
        make_part(parts, k);
    }
}

static void free_parts(struct parts *parts)
{
    for (unsigned k = 0; k < PARTS; k++)
        e8_dlog_reader_free(&parts->readers[k]);
}

static enum e8_rc gather(struct parts *parts, bool (*stop)(void), struct e8_err *err)
{
    struct e8_log_run run = some_run();
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_dlog *log;

    run.ended = run.started + 60 * E8_NS_S;
    run.shards = PARTS;
    run.stats = stats;
    assert_int_equal(e8_dlog_open(parts->all, 1, &log, err), E8_OK);
    enum e8_rc rc = e8_dlog_gather(log, &run, parts->list, PARTS, stop, err);
    assert_int_equal(e8_dlog_finish(&log, NULL, NULL), E8_OK);
    e8_stats_free(&stats);
    return rc;
}

static void all_rows_become_those_of_one_run(void **state)
{
    struct parts parts;
    struct e8_err err = {0};
    char text[64], id[E8_ID_MAX];

    make_parts(*state, &parts);
    /* Another file may have numbered outcomes otherwise. */
    free_parts(&parts);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(parts.paths[1], &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE attempt SET outcome = outcome + 100; UPDATE outcome SET code = code + 100",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    for (unsigned k = 0; k < PARTS; k++) {
        parts.readers[k] = open_reader(parts.paths[k]);
        assert_int_equal(e8_dlog_run(parts.readers[k], 2, &parts.runs[k], NULL), E8_OK);
        parts.list[k] = (struct e8_log_part){parts.readers[k], &parts.runs[k]};
    }
    assert_int_equal(gather(&parts, NULL, &err), E8_OK);
    assert_sound(parts.all);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM run"), 1);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM event"), EVENTS);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM attempt"), EVENTS);
    assert_int_equal(
        ask(parts.all, "SELECT shards FROM run WHERE shard = 0 AND process IS NULL AND ended > 0"), PARTS);
    for (uint32_t n = 0; n < EVENTS; n++) {
        char sql[256];
        delivery_id(n, n % ENDPOINTS, id);
        snprintf(sql, sizeof(sql),
                 "SELECT outcome || ' ' || coalesce(error, '') FROM attempts WHERE delivery_id = '%s'", id);
        ask_text(parts.all, sql, text, sizeof(text));
        if (n % 5) {
            assert_string_equal(text, "delivered ");
        } else {
            char expected[64];
            snprintf(expected, sizeof(expected), "http_5xx HTTP %u", 500 + n % 3);
            assert_string_equal(text, expected);
        }
        snprintf(sql, sizeof(sql),
                 "SELECT e.at FROM attempt a JOIN event e ON e.id = a.event WHERE delivery_id = '%s'", id);
        assert_int_equal(ask(parts.all, sql), some_event(n).event.at);
    }
    assert_int_equal(
        ask(parts.all, "SELECT count(*) FROM attempt a JOIN attempt b ON b.id > a.id AND b.done < a.done"),
        0);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM error"), 3);
    free_parts(&parts);
}

static bool always(void)
{
    return true;
}

static void what_is_stopped_leaves_nothing(void **state)
{
    struct parts parts;
    struct e8_err err = {0};

    make_parts(*state, &parts);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(parts.paths[0], &db), SQLITE_OK); /* enough rows to be asked */
    assert_int_equal(
        sqlite3_exec(
            db,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
            " INSERT INTO event SELECT (2 << 32) + 1000 + i, 0, 0, 1, 1, i, 1, 1, 'evt_' || i FROM n",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(gather(&parts, always, &err), E8_LIMIT);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM run"), 0);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM event"), 0);
    free_parts(&parts);
}

/* Whatever a file says. */
static void damaged_parts_are_refused(void **state)
{
    static const char *const damage[] = {
        "UPDATE attempt SET event = (1 << 32) + 5 WHERE id = (SELECT max(id) FROM attempt)", /* another run's */
        "UPDATE attempt SET event = (3 << 32) + 5 WHERE id = (SELECT max(id) FROM attempt)",
        "UPDATE attempt SET outcome = 77 WHERE id = (SELECT max(id) FROM attempt)",
        "DROP TABLE event",
    };
    struct parts parts;

    make_parts(*state, &parts);
    for (size_t i = 0; i < E8_COUNT(damage); i++) {
        struct e8_err err = {0};
        sqlite3 *db;
        assert_int_equal(sqlite3_open(parts.paths[2], &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, damage[i], NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
        assert_int_equal(gather(&parts, NULL, &err), E8_INPUT);
        assert_non_null(strstr(err.what, "damaged"));
        assert_int_equal(ask(parts.all, "SELECT count(*) FROM attempt"), 0);
        assert_int_equal(sqlite3_open(parts.paths[2], &db), SQLITE_OK);
        sqlite3_exec(
            db,
            "UPDATE attempt SET event = (2 << 32) + 1, outcome = 0 WHERE id = (SELECT max(id) FROM attempt)",
            NULL, NULL, NULL);
        sqlite3_close(db);
    }
    free_parts(&parts);
}

int run_gather_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_rows_become_those_of_one_run, place_make, place_remove),
        cmocka_unit_test_setup_teardown(what_is_stopped_leaves_nothing, place_make, place_remove),
        cmocka_unit_test_setup_teardown(damaged_parts_are_refused, place_make, place_remove),
    };

    return cmocka_run_group_tests_name("dlog: gather", tests, NULL, NULL);
}
