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
        attempt.attempt.flags = (uint16_t)(UINT16_MAX - n);
        attempt.attempt.number = (uint16_t)(1 + n % 2);
        attempt.attempt.copy = (uint16_t)(n % 4 / 3 * 7);
        attempt.attempt.step = n % STEPS;
        attempt.attempt.timestamp += n % 3 * 60;
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

static void change_part(const struct parts *parts, unsigned k, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(parts->paths[k], &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
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

/* What shares a column in a row. */
static void assert_kept(const struct parts *parts, uint32_t n, const char *id)
{
    struct e8_attempt attempt = some_attempt(n, n % ENDPOINTS).attempt;
    char sql[512], text[128], expected[128];

    snprintf(
        sql, sizeof(sql),
        "SELECT a.flags || ' ' || a.number || ' ' || a.copy || ' ' || a.step || ' ' || a.timestamp || ' ' ||"
        " a.endpoint || ' ' || a.type || ' ' || e.step || ' ' || e.type || ' ' || coalesce(a.several, 0)"
        " FROM attempt a JOIN event e ON e.id = a.event WHERE a.delivery_id = '%s'",
        id);
    ask_text(parts->all, sql, text, sizeof(text));
    snprintf(expected, sizeof(expected), "%u %u %u %u %lld %u %u %u %u %d", UINT16_MAX - n, 1 + n % 2,
             n % 4 / 3 * 7, n % STEPS, (long long)(attempt.timestamp + n % 3 * 60), n % ENDPOINTS,
             attempt.type, some_event(n).event.step, some_event(n).event.type, n % 2 || n % 4 == 3);
    assert_string_equal(text, expected);
}

static void all_rows_become_those_of_one_run(void **state)
{
    struct parts parts;
    struct e8_err err = {0};
    char text[64], id[E8_ID_MAX];

    make_parts(*state, &parts);
    /* Another file may have numbered outcomes otherwise. */
    free_parts(&parts);
    change_part(&parts, 1,
                "UPDATE attempt_row SET result = result + (100 << 49); UPDATE outcome SET code = code + 100");
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
        assert_kept(&parts, n, id);
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
    change_part(&parts, 0, /* enough rows to be asked */
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
                " INSERT INTO event_row SELECT (2 << 32) + 1000 + i, 0, 1, 1, i, 1, 1, 'evt_' || i FROM n");
    assert_int_equal(gather(&parts, always, &err), E8_LIMIT);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM run"), 0);
    assert_int_equal(ask(parts.all, "SELECT count(*) FROM event"), 0);
    free_parts(&parts);
}

/* Whatever a file says. */
static void damaged_parts_are_refused(void **state)
{
#define NEWEST(table) " WHERE id = (SELECT max(id) FROM " table ")"
    static const struct {
        const char *damage, *mend;
    } cases[] = {
        {"UPDATE attempt_row SET event = (2 << 32) + 4294967295" NEWEST("attempt_row"),
         "UPDATE attempt_row SET event = (2 << 32) + 1" NEWEST("attempt_row")},
        {"UPDATE attempt_row SET result = result | (77 << 49)" NEWEST("attempt_row"),
         "UPDATE attempt_row SET result = result & ((1 << 49) - 1)" NEWEST("attempt_row")},
        {"UPDATE attempt_row SET due = 'soon'" NEWEST("attempt_row"),
         "UPDATE attempt_row SET due = 1" NEWEST("attempt_row")},
        {"UPDATE attempt_row SET delivery_id = NULL" NEWEST("attempt_row"),
         "UPDATE attempt_row SET delivery_id = 'dlv_1'" NEWEST("attempt_row")},
        {"UPDATE event_row SET at = NULL" NEWEST("event_row"),
         "UPDATE event_row SET at = 1" NEWEST("event_row")},
        {"UPDATE event_row SET event_id = NULL" NEWEST("event_row"),
         "UPDATE event_row SET event_id = 'evt_1'" NEWEST("event_row")},
        {"DROP TABLE event_row", ""},
    };
#undef NEWEST
    struct parts parts;

    make_parts(*state, &parts);
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        struct e8_err err = {0};
        change_part(&parts, 2, cases[i].damage);
        assert_int_equal(gather(&parts, NULL, &err), E8_INPUT);
        assert_non_null(strstr(err.what, "damaged"));
        assert_int_equal(ask(parts.all, "SELECT count(*) FROM attempt"), 0);
        assert_int_equal(ask(parts.all, "SELECT count(*) FROM event"), 0);
        change_part(&parts, 2, cases[i].mend);
    }
    free_parts(&parts);
}

/* One for each thousand, so that few are looked through. */
static void many_rows_have_many_spans(void **state)
{
    enum { MANY = 2500 };
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_log_delivery delivery;
    struct parts parts;
    char id[E8_ID_MAX];

    make_parts(place, &parts);
    for (uint32_t n = 0; n < MANY; n++) {
        struct e8_record record = some_event(1000 + n), attempt = some_attempt(1000 + n, 0);
        record.event.event = attempt.attempt.event = n;
        push(e8_dlog_ring(log, 0), &record);
        push(e8_dlog_ring(log, 0), &attempt);
    }
    finish_log(&log, &run);
    e8_dlog_reader_free(&parts.readers[1]);
    parts.readers[1] = open_reader(place->log);
    assert_int_equal(e8_dlog_run(parts.readers[1], 1, &back, NULL), E8_OK);
    parts.list[1] = (struct e8_log_part){parts.readers[1], &back};
    assert_int_equal(gather(&parts, NULL, NULL), E8_OK);
    assert_true(ask(parts.all, "SELECT count(*) FROM span") > 2);
    assert_int_equal(ask(parts.all, "SELECT max(last - first) < 1024 FROM span"), 1);
    assert_int_equal(ask(parts.all, "SELECT sum(last - first + 1) FROM span"),
                     ask(parts.all, "SELECT count(*) FROM attempt"));
    struct e8_dlog_reader *reader = open_reader(parts.all);
    for (uint32_t n = 0; n < MANY; n += 499) {
        delivery_id(1000 + n, 0, id);
        assert_int_equal(e8_dlog_delivery(reader, id, &delivery, NULL), E8_OK);
    }
    e8_dlog_reader_free(&reader);
    free_parts(&parts);
}

int run_gather_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_rows_become_those_of_one_run, place_make, place_remove),
        cmocka_unit_test_setup_teardown(what_is_stopped_leaves_nothing, place_make, place_remove),
        cmocka_unit_test_setup_teardown(damaged_parts_are_refused, place_make, place_remove),
        cmocka_unit_test_setup_teardown(many_rows_have_many_spans, place_make, place_remove),
    };

    return cmocka_run_group_tests_name("dlog: gather", tests, NULL, NULL);
}
