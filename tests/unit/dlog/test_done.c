/* What a run that was cut short has behind it. */
#include "tests.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Begun, and never ended: as after kill -9. The writer is given time for what is in the rings. */
static void leave(struct place *place, struct e8_dlog **log, const struct e8_log_run *run, int64_t attempts)
{
    char sql[96];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM attempt WHERE run = %lld", (long long)run->id);
    assert_true(wait_until(place->log, sql, attempts));
    struct e8_log_run end = *run;
    end.ended = run->started + E8_NS_S;
    finish_log(log, &end);
    snprintf(sql, sizeof(sql), "UPDATE run SET ended = NULL, last_attempt = NULL WHERE id = %lld",
             (long long)run->id);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->log, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static struct e8_done_deliveries *read_done(struct place *place, int64_t run)
{
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_done_deliveries *done;
    struct e8_err err = {0};

    enum e8_rc rc = e8_dlog_done(reader, run, &done, &err);
    if (rc)
        e8_err_print(&err, stderr);
    assert_int_equal(rc, E8_OK);
    e8_dlog_reader_free(&reader);
    return done;
}

static bool has(const struct e8_done_deliveries *done, uint32_t n, uint16_t endpoint, uint16_t copy)
{
    struct e8_record event = some_event(n);

    return e8_done_has(done, event.event.flow, event.event.instance, event.event.sequence, endpoint, copy);
}

static struct e8_record ended(uint32_t n, enum e8_outcome outcome, unsigned number, bool last)
{
    struct e8_record record = some_attempt(n, 0);

    record.attempt.outcome = (uint8_t)outcome;
    record.attempt.number = (uint16_t)number;
    record.attempt.last = last;
    return record;
}

/* One row for each way in which an attempt may stand in the log. The endpoint's policy has five attempts. */
static const struct {
    enum e8_outcome outcome;
    unsigned number;
    bool last;
    enum e8_attempt_verdict verdict;
    unsigned copy;
    bool over;
} ways[] = {
    {E8_DELIVERED, 1, true, E8_EXPECTED_NOTHING, 0, true},
    {E8_HTTP_5XX, 1, false, E8_EXPECTED_NOTHING, 0, false}, /* would have been retried */
    {E8_HTTP_5XX, 5, true, E8_EXPECTED_NOTHING, 0, true},
    {E8_HTTP_5XX, 2, true, E8_EXPECTED_NOTHING, 0, false}, /* the stop took its retries */
    {E8_TLS_NAME, 1, true, E8_EXPECTED_NOTHING, 0, true},
    {E8_GEN_FD, 1, true, E8_EXPECTED_NOTHING, 0, false},
    {E8_GONE, 1, true, E8_EXPECTED_NOTHING, 0, true},
    {E8_ABORTED, 5, true, E8_EXPECTED_NOTHING, 0, false},
    {E8_HTTP_5XX, 1, true, E8_EXPECTATION_MET, 0, true},
    {E8_HTTP_5XX, 1, true, E8_EXPECTATION_REPORTED, 0, true},
    {E8_HTTP_5XX, 1, true, E8_EXPECTATION_UNMET, 0, false},
    {E8_DELIVERED, 1, true, E8_EXPECTATION_UNMET, 0, true},
    {E8_DELIVERED, 1, true, E8_EXPECTED_NOTHING, 3, true},
    {E8_ABORTED, 1, true, E8_EXPECTED_NOTHING, 2, false},
};

static void what_is_over_and_what_is_not(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    uint64_t over = 0;

    for (uint32_t n = 0; n < E8_COUNT(ways); n++) {
        struct e8_record event = some_event(n);
        struct e8_record attempt = ended(n, ways[n].outcome, ways[n].number, ways[n].last);
        attempt.attempt.verdict = (uint8_t)ways[n].verdict;
        attempt.attempt.copy = (uint16_t)ways[n].copy;
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
        over += ways[n].over;
    }
    struct e8_record unsent = some_event(50);
    push(e8_dlog_ring(log, 0), &unsent);
    leave(place, &log, &run, E8_COUNT(ways));
    struct e8_done_deliveries *done = read_done(place, 0);
    for (uint32_t n = 0; n < E8_COUNT(ways); n++) {
        if (has(done, n, 0, (uint16_t)ways[n].copy) != ways[n].over)
            fail_msg("way %u", n);
        assert_false(has(done, n, 1, (uint16_t)ways[n].copy));
        assert_false(has(done, n, 0, (uint16_t)(ways[n].copy + 1)));
    }
    assert_int_equal(e8_done_count(done), over);
    assert_int_equal(e8_done_elapsed(done), (E8_COUNT(ways) - 1) * MS);
    assert_false(has(done, 50, 0, 0));
    assert_false(has(done, 51, 0, 0));
    e8_done_free(&done);
    assert_null(done);
    e8_done_free(&done);
}

static void events_keep_their_times(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(7), attempt = some_attempt(7, 1);
    e8_wall_ns at, flow_started;

    push(e8_dlog_ring(log, 0), &event);
    push(e8_dlog_ring(log, 0), &attempt);
    leave(place, &log, &run, 1);
    struct e8_done_deliveries *done = read_done(place, 1);
    assert_true(e8_done_event(done, event.event.flow, event.event.instance, event.event.sequence, &at,
                              &flow_started));
    assert_int_equal(at, event.event.at);
    assert_int_equal(flow_started, event.event.flow_started);
    assert_false(e8_done_event(done, event.event.flow, event.event.instance, event.event.sequence + 1, &at,
                               &flow_started));
    assert_false(e8_done_event(done, event.event.flow + 1, event.event.instance, event.event.sequence, &at,
                               &flow_started));
    e8_done_free(&done);
}

/* Three runs, each going on with the one before; each ends one delivery. */
static void a_chain_of_runs_counts_as_one(void **state)
{
    struct place *place = *state;
    e8_wall_ns at, flow_started;

    for (uint32_t n = 0; n < 3; n++) {
        struct e8_log_run run = some_run();
        run.resumes = n;
        run.started += n * 100 * E8_NS_S; /* a pause between them is none of the schedule's time */
        struct e8_dlog *log = begin_log(place->log, 1, &run);
        for (uint32_t i = 0; i <= n; i++) {
            struct e8_record event = some_event(i);
            event.event.at += n; /* the first run's time counts */
            push(e8_dlog_ring(log, 0), &event);
        }
        struct e8_record attempt = some_attempt(n, 0);
        push(e8_dlog_ring(log, 0), &attempt);
        leave(place, &log, &run, 1);
    }
    struct e8_done_deliveries *done = read_done(place, 3);
    for (uint32_t n = 0; n < 3; n++)
        assert_true(has(done, n, 0, 0));
    assert_int_equal(e8_done_count(done), 3);
    assert_int_equal(e8_done_elapsed(done), 0 + 1 * MS + 2 * MS);
    struct e8_record event = some_event(0);
    assert_true(e8_done_event(done, event.event.flow, event.event.instance, event.event.sequence, &at,
                              &flow_started));
    assert_int_equal(at, event.event.at);
    e8_done_free(&done);
    done = read_done(place, 1);
    assert_int_equal(e8_done_count(done), 1);
    e8_done_free(&done);
}

/* Enough for the tables to grow several times; compared with what was put in. */
static void many_are_found_again(void **state)
{
    enum { MANY = 30000 };
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);

    for (uint32_t n = 0; n < MANY; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % 2);
        push(e8_dlog_ring(log, 0), &event);
        if (n % 3)
            push(e8_dlog_ring(log, 0), &attempt);
    }
    leave(place, &log, &run, MANY - MANY / 3);
    struct e8_done_deliveries *done = read_done(place, 1);
    assert_int_equal(e8_done_count(done), MANY - MANY / 3);
    for (uint32_t n = 0; n < MANY; n++) {
        assert_int_equal(has(done, n, (uint16_t)(n % 2), 0), n % 3 != 0);
        assert_false(has(done, n, (uint16_t)(1 - n % 2), 0));
    }
    assert_false(has(done, MANY, 0, 0));
    e8_done_free(&done);
}

static void begin_and_leave(struct place *place, struct e8_log_run run)
{
    struct e8_dlog *log = begin_log(place->log, 1, &run);

    leave(place, &log, &run, 0);
}

static int64_t unfinished(struct place *place, const char *digest, struct e8_err *err)
{
    struct e8_dlog_reader *reader = open_reader(place->log);
    int64_t run;

    enum e8_rc rc = e8_dlog_unfinished(reader, digest, &run, err);
    assert_true(rc == E8_OK || rc == E8_INPUT);
    e8_dlog_reader_free(&reader);
    return rc ? -1 : run;
}

static void the_newest_unfinished_run_is_found(void **state)
{
    struct place *place = *state;
    struct e8_log_run whole = some_run(), other = some_run(), resuming = some_run(), stopped = some_run();
    struct e8_err err;

    struct e8_dlog *log = begin_log(place->log, 1, &whole);
    finish_log(&log, &whole);
    assert_int_equal(unfinished(place, "aa11", &err), -1);
    assert_non_null(strstr(err.what, "no unfinished run"));
    assert_non_null(strstr(err.hint, "run 1 of it has ended"));
    other.scenario_digest = "cc33";
    begin_and_leave(place, other); /* 2 */
    assert_int_equal(unfinished(place, "cc33", &err), 2);
    assert_int_equal(unfinished(place, "dd44", &err), -1);
    assert_non_null(strstr(err.hint, "run 2"));
    begin_and_leave(place, some_run()); /* 3 */
    begin_and_leave(place, some_run()); /* 4 */
    assert_int_equal(unfinished(place, "aa11", &err), 4);
    resuming.resumes = 4;
    log = begin_log(place->log, 1, &resuming); /* 5 */
    finish_log(&log, &resuming);
    assert_int_equal(unfinished(place, "aa11", &err), 3);
    stopped.interrupted = true;
    log = begin_log(place->log, 1, &stopped); /* 6 */
    finish_log(&log, &stopped);
    assert_int_equal(unfinished(place, "aa11", &err), 6);
}

static void refuses(struct place *place, int64_t run, const char *what)
{
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_err err = {0};

    enum e8_rc rc = e8_dlog_resumable(reader, run, &err);
    assert_int_equal(rc, what ? E8_INPUT : E8_OK);
    if (what && !strstr(err.what, what))
        fail_msg("%s", err.what);
    e8_dlog_reader_free(&reader);
}

static void what_cannot_be_gone_on_with(void **state)
{
    struct place *place = *state;
    struct e8_log_run whole = some_run(), resuming = some_run(), cut = some_run();

    struct e8_dlog *log = begin_log(place->log, 1, &whole);
    finish_log(&log, &whole);
    refuses(place, 1, "has ended");
    begin_and_leave(place, some_run()); /* 2 */
    refuses(place, 2, NULL);
    resuming.resumes = 2;
    resuming.over = 77;
    begin_and_leave(place, resuming); /* 3 */
    refuses(place, 2, "has been resumed by run 3");
    refuses(place, 3, NULL);
    assert_int_equal(ask(place->log, "SELECT over FROM run WHERE id = 3"), 77);
    cut.aborted = 5; /* its own descriptors ran out */
    log = begin_log(place->log, 1, &cut);
    finish_log(&log, &cut);
    refuses(place, 4, NULL);
}

/* A process of our own name that is there, and one that is not. */
static void a_run_that_goes_on_is_left_alone(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    char sql[96];

    begin_and_leave(place, run);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(sql, sizeof(sql), "UPDATE run SET process = %d", (int)child);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->log, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    refuses(place, 1, "still going on");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    refuses(place, 1, NULL);
}

static void a_chain_without_an_end_is_refused(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_done_deliveries *done;
    struct e8_err err;

    run.resumes = 1; /* itself */
    begin_and_leave(place, run);
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_done(reader, 1, &done, &err), E8_INPUT);
    assert_null(done);
    e8_dlog_reader_free(&reader);
}

/* A delivery and two copies of it, one of which was retried: three rows for people. */
static void each_copy_has_a_row_of_its_own(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(0), one = some_attempt(0, 0), copy = one, retried = one, again = one;
    char text[64];

    copy.attempt.copy = 1;
    copy.attempt.trigger = E8_TRIGGER_DUPLICATE;
    retried.attempt.copy = again.attempt.copy = 2;
    retried.attempt.number = 3;
    retried.attempt.trigger = E8_TRIGGER_DUPLICATE;
    retried.attempt.outcome = E8_HTTP_5XX;
    retried.attempt.last = false;
    again.attempt.number = 4;
    again.attempt.trigger = E8_TRIGGER_RETRY;
    again.attempt.verdict = E8_EXPECTATION_MET;
    again.attempt.step = 1;
    const struct e8_record *all[] = {&event, &one, &copy, &retried, &again};
    for (size_t i = 0; i < E8_COUNT(all); i++)
        push(e8_dlog_ring(log, 0), all[i]);
    leave(place, &log, &run, 4);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM deliveries"), 3);
    assert_int_equal(ask(place->log, "SELECT attempts FROM deliveries WHERE copy = 0"), 1);
    assert_int_equal(ask(place->log, "SELECT attempts FROM deliveries WHERE copy = 2"), 2);
    ask_text(place->log, "SELECT verdict || ' ' || step || ' ' || step_name FROM deliveries WHERE copy = 2",
             text, sizeof(text));
    assert_string_equal(text, "met 1 reply");
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_log_run back;
    struct e8_err err;
    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_int_equal(back.planned, 3);
    assert_int_equal(back.aborted, 0);
    assert_string_equal(back.steps[1].name, "reply");
    assert_int_equal(e8_dlog_stats(reader, &back, stats, &err), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.planned, 3);
    e8_stats_free(&stats);
    e8_dlog_reader_free(&reader);
}

/* More than the file holds: the newest are those that can be unwritten. */
static void what_was_not_written_yet_is_known(void **state)
{
    enum { MANY = 70000, NEWEST = 60000 };
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 2, &run);
    char path[128];

    for (uint32_t n = 0; n < MANY; n++) {
        struct e8_over over = {.flow = 7, .instance = n, .at = 11, .flow_started = 5, .sequence = 1 + n % 3};
        over.endpoint = (uint16_t)(n % 2);
        over.copy = (uint16_t)(n % 5);
        e8_dlog_over(log, 1, &over);
    }
    struct e8_done_deliveries *done =
        read_done(place, run.id); /* what another process would read after a kill */
    for (uint32_t n = MANY - NEWEST; n < MANY; n++) {
        e8_wall_ns at = 0, started = 0;
        assert_true(e8_done_has(done, 7, n, 1 + n % 3, (uint16_t)(n % 2), (uint16_t)(n % 5)));
        assert_false(e8_done_has(done, 7, n, 1 + n % 3, (uint16_t)(1 - n % 2), (uint16_t)(n % 5)));
        assert_true(e8_done_event(done, 7, n, 1 + n % 3, &at, &started) && at == 11 && started == 5);
    }
    e8_done_free(&done);
    snprintf(path, sizeof(path), "%s-over.%lld", place->log, (long long)run.id);
    assert_int_equal(access(path, F_OK), 0);
    finish_log(&log, &run); /* all is written: the log alone tells */
    assert_int_not_equal(access(path, F_OK), 0);
    done = read_done(place, run.id);
    assert_int_equal(e8_done_count(done), 0);
    e8_done_free(&done);
}

int run_done_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_over_and_what_is_not, place_make, place_remove),
        cmocka_unit_test_setup_teardown(events_keep_their_times, place_make, place_remove),
        cmocka_unit_test_setup_teardown(what_was_not_written_yet_is_known, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_chain_of_runs_counts_as_one, place_make, place_remove),
        cmocka_unit_test_setup_teardown(many_are_found_again, place_make, place_remove),
        cmocka_unit_test_setup_teardown(the_newest_unfinished_run_is_found, place_make, place_remove),
        cmocka_unit_test_setup_teardown(what_cannot_be_gone_on_with, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_run_that_goes_on_is_left_alone, place_make, place_remove),
        cmocka_unit_test_setup_teardown(a_chain_without_an_end_is_refused, place_make, place_remove),
        cmocka_unit_test_setup_teardown(each_copy_has_a_row_of_its_own, place_make, place_remove),
    };

    return cmocka_run_group_tests_name("dlog: done", tests, NULL, NULL);
}
