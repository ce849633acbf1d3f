#include "tests.h"

#include <stdlib.h>
#include <string.h>

static void same_text(const char *a, const char *b)
{
    if (a && b)
        assert_string_equal(a, b);
    else
        assert_ptr_equal(a, b);
}

static void same_facts(const struct e8_log_run *a, const struct e8_log_run *b)
{
    same_text(a->name, b->name);
    same_text(a->scenario_digest, b->scenario_digest);
    same_text(a->fixtures_digest, b->fixtures_digest);
    same_text(a->version, b->version);
    same_text(a->curl_version, b->curl_version);
    same_text(a->command, b->command);
    same_text(a->notes, b->notes);
    assert_true(a->seed == b->seed);
    assert_true(a->started == b->started && a->ended == b->ended && a->epoch == b->epoch);
    assert_int_equal(a->workers, b->workers);
    assert_int_equal(a->insecure, b->insecure);
    assert_int_equal(a->interrupted, b->interrupted);
    assert_true(a->planned == b->planned && a->dropped == b->dropped && a->aborted == b->aborted);
    assert_true(a->stalls == b->stalls && a->timer_floor == b->timer_floor);
    for (size_t i = 0; a->thresholds[i] || b->thresholds[i]; i++)
        assert_string_equal(a->thresholds[i], b->thresholds[i]);
}

static void same_lists(const struct e8_log_run *a, const struct e8_log_run *b)
{
    assert_int_equal(a->endpoint_count, b->endpoint_count);
    for (size_t i = 0; i < a->endpoint_count; i++) {
        const struct e8_log_endpoint *x = &a->endpoints[i], *y = &b->endpoints[i];
        same_text(x->name, y->name);
        same_text(x->url, y->url);
        same_text(x->scheme, y->scheme);
        same_text(x->events, y->events);
        same_text(x->environments, y->environments);
        assert_int_equal(x->timeout, y->timeout);
        assert_int_equal(x->attempts, y->attempts);
        same_text(x->headers, y->headers);
    }
    assert_int_equal(a->step_count, b->step_count);
    for (size_t i = 0; i < a->step_count; i++) {
        const struct e8_log_step *x = &a->steps[i], *y = &b->steps[i];
        same_text(x->type, y->type);
        same_text(x->environment, y->environment);
        same_text(x->edits, y->edits);
        assert_int_equal(x->body.p != NULL, y->body.p != NULL);
        assert_true(e8_str_eq(x->body, y->body));
    }
    assert_int_equal(a->type_count, b->type_count);
    for (size_t i = 0; i < a->type_count; i++)
        assert_string_equal(a->types[i], b->types[i]);
}

static void same_hist(const struct e8_hist *a, const struct e8_hist *b)
{
    struct e8_buf x, y;

    assert_int_equal(a != NULL, b != NULL);
    if (!a)
        return;
    e8_buf_init(&x, 1 << 20);
    e8_buf_init(&y, 1 << 20);
    e8_hist_encode(a, &x);
    e8_hist_encode(b, &y);
    assert_true(e8_str_eq(e8_buf_str(&x), e8_buf_str(&y)));
    assert_true(e8_hist_min(a) == e8_hist_min(b) && e8_hist_max(a) == e8_hist_max(b));
    e8_buf_fini(&x);
    e8_buf_fini(&y);
}

static void same_tally(const struct e8_tally *a, const struct e8_tally *b)
{
    assert_memory_equal(&a->n, &b->n, sizeof(a->n));
    assert_memory_equal(&a->span, &b->span, sizeof(a->span));
    same_hist(a->response, b->response);
    same_hist(a->service, b->service);
    same_hist(a->lag, b->lag);
}

static void same_stats(const struct e8_stats *a, const struct e8_stats *b)
{
    same_tally(e8_stats_all(a), e8_stats_all(b));
    for (unsigned i = 0; i < ENDPOINTS; i++) {
        same_tally(e8_stats_endpoint(a, i), e8_stats_endpoint(b, i));
        for (int o = 0; o < E8_OUTCOME_COUNT; o++)
            assert_string_equal(e8_stats_sample(a, i, (enum e8_outcome)o),
                                e8_stats_sample(b, i, (enum e8_outcome)o));
    }
    for (unsigned i = 0; i < TYPES; i++)
        same_tally(e8_stats_type(a, i), e8_stats_type(b, i));
    assert_memory_equal(e8_stats_statuses(a), e8_stats_statuses(b), E8_STATUSES * sizeof(uint64_t));
}

/* An attempt of every outcome, trigger and flag, some unsent, with phases and errors of all kinds. */
static struct e8_attempt any_attempt(uint32_t n, unsigned endpoint)
{
    struct e8_attempt a = some_attempt(n, endpoint).attempt;

    a.outcome = (uint8_t)(n % E8_OUTCOME_COUNT);
    a.trigger = (uint8_t)(n % E8_TRIGGER_COUNT);
    a.flags = (uint16_t)(n % 64);
    a.status = (int16_t)(n % 7 == 0 ? 0 : 200 + n % 350);
    a.bytes_sent = n % 5 ? a.bytes_sent : 0;
    e8_dur_ns d = n;
    a.phases = (struct e8_phases){n % 2 ? -1 : 0, n % 3 ? -1 : d, n % 4 ? -1 : d, n % 5 ? -1 : d, d};
    if (a.outcome != E8_DELIVERED && n % 3)
        snprintf(a.error, sizeof(a.error), "error %u of %s", n % 11, "naïve");
    return a;
}

/* Deliveries to both endpoints; some are dropped, some left without an end, some without any attempt. */
static void fill(struct e8_dlog *log, struct e8_stats *stats, uint32_t events)
{
    struct e8_record record = {.kind = E8_RECORD_ATTEMPT};

    for (uint32_t n = 0; n < events; n++) {
        struct e8_record event = some_event(n);
        push(e8_dlog_ring(log, 0), &event);
        e8_stats_event(stats, event.event.type);
        for (unsigned e = 0; e < ENDPOINTS; e++) {
            e8_stats_planned(stats, e, n % TYPES);
            if (n % 13 == 0 && e == 0) {
                e8_stats_dropped(stats, e, n % TYPES);
                continue;
            }
            if (n % 17 == 0) {
                e8_stats_aborted(stats, e, n % TYPES);
                continue;
            }
            record.attempt = any_attempt(n, e);
            record.attempt.last = n % 19 != 0;
            if (!record.attempt.last)
                e8_stats_aborted(stats, e, n % TYPES);
            e8_stats_add(stats, &record.attempt);
            push(e8_dlog_ring(log, 0), &record);
        }
    }
}

static void a_run_comes_back_whole(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES), *replayed = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_err err;

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    fill(log, stats, 5000);
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    run.ended = STARTED + 77 * E8_NS_S;
    run.planned = n->planned;
    run.dropped = n->dropped;
    run.aborted = n->aborted;
    run.stalls = 3;
    run.timer_floor = 61000;
    run.interrupted = true;
    run.notes = "{\"connections\":4}";
    run.stats = stats;
    finish_log(&log, &run);
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 0, &back, &err), E8_OK);
    assert_int_equal(back.id, 1);
    same_facts(&run, &back);
    same_lists(&run, &back);
    assert_null(back.stats);
    assert_int_equal(e8_dlog_stats(reader, &back, replayed, &err), E8_OK);
    same_stats(stats, replayed);
    assert_true(n->planned == n->delivered + n->failed + n->dropped + n->aborted);
    e8_dlog_reader_free(&reader);
    e8_stats_free(&replayed);
    e8_stats_free(&stats);
}

/* A run that goes on, or was killed: what has begun and not ended counts as aborted. */
static void an_unended_run_tells_what_it_knows(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct e8_stats *replayed = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_err err;

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    for (uint32_t n = 0; n < 30; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % 2);
        attempt.attempt.last = n % 3 != 0;
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
    }
    assert_true(wait_until(place->log, "SELECT count(*) FROM attempt", 30));
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_int_equal(back.ended, 0);
    assert_int_equal(back.planned, 30);
    assert_int_equal(back.aborted, 10);
    assert_int_equal(e8_dlog_stats(reader, &back, replayed, &err), E8_OK);
    const struct e8_counts *n = &e8_stats_all(replayed)->n;
    assert_int_equal(n->events, 30);
    assert_int_equal(n->planned, 30);
    assert_int_equal(n->delivered, 20);
    assert_int_equal(n->aborted, 10);
    assert_int_equal(e8_stats_endpoint(replayed, 0)->n.planned, 15);
    assert_int_equal(e8_stats_type(replayed, 0)->n.aborted, 10);
    e8_dlog_reader_free(&reader);
    finish_log(&log, &run);
    e8_stats_free(&replayed);
}

static void runs_are_found_by_number(void **state)
{
    struct place *place = *state;
    struct e8_log_run run, back;
    struct e8_err err;

    for (int i = 0; i < 3; i++) {
        run = some_run();
        run.name = i == 1 ? "second" : NULL;
        run.thresholds = NULL;
        struct e8_dlog *log = begin_log(place->log, 1, &run);
        finish_log(&log, &run);
    }
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 0, &back, &err), E8_OK);
    assert_int_equal(back.id, 3);
    assert_null(back.name);
    assert_null(back.thresholds[0]);
    assert_int_equal(e8_dlog_run(reader, 2, &back, &err), E8_OK);
    assert_string_equal(back.name, "second");
    assert_int_equal(e8_dlog_run(reader, 4, &back, &err), E8_INPUT);
    assert_string_equal(err.hint, "there are the runs 1 to 3");
    assert_int_equal(e8_dlog_run(reader, -1, &back, &err), E8_INPUT);
    assert_int_equal(e8_dlog_run(reader, INT64_MIN, &back, NULL), E8_INPUT);
    e8_dlog_reader_free(&reader);
}

static void a_delivery_has_all_that_made_it(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_log_delivery d;
    struct e8_err err;
    char id[E8_ID_MAX];

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    for (uint32_t n = 0; n < 40; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 1);
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
        attempt.attempt.number = 2;
        push(e8_dlog_ring(log, 0), &attempt);
    }
    finish_log(&log, &run);
    struct e8_dlog_reader *reader = open_reader(place->log);
    delivery_id(
        14, 1, id); /* sequence 3 of instance 3, whose events have the types 0 (12), 1 (13), 2 (14), 0 (15) */
    assert_int_equal(e8_dlog_delivery(reader, id, &d, &err), E8_OK);
    struct e8_event_record expected = some_event(14).event;
    assert_int_equal(d.event.event, 14);
    assert_int_equal(d.event.step, expected.step);
    assert_int_equal(d.event.type, expected.type);
    assert_int_equal(d.event.sequence, 3);
    assert_true(d.event.flow == expected.flow && d.event.instance == expected.instance);
    assert_true(d.event.at == expected.at && d.event.flow_started == expected.flow_started);
    assert_string_equal(d.event.id, expected.id);
    assert_string_equal(d.delivery_id, id);
    assert_string_equal(d.type, "order.paid");
    assert_string_equal(d.environment, "production");
    assert_string_equal(d.endpoint, "audit");
    assert_string_equal(d.url, "https://audit.example/in");
    assert_null(d.scheme);
    assert_null(d.headers);
    assert_string_equal(d.fixtures_digest, "bb22");
    assert_true(d.seed == run.seed && d.run == 1);
    assert_int_equal(d.attempts, 2);
    assert_int_equal(d.step.body.n, 8);
    assert_memory_equal(d.step.body.p, "raw\0body", 8);
    assert_int_equal(d.type_count, TYPES);
    assert_string_equal(d.types[2], "order.paid");
    assert_int_equal(d.counts[0], 1);
    assert_int_equal(d.counts[1], 1);
    assert_int_equal(d.counts[2], 1);
    delivery_id(15, 1, id);
    assert_int_equal(e8_dlog_delivery(reader, id, &d, &err), E8_OK);
    assert_int_equal(d.counts[0], 2);
    assert_string_equal(d.step.edits, "{\"set\":{\"data.channel\":\"sms\"}}");
    assert_null(d.step.body.p);
    e8_dlog_reader_free(&reader);
}

static void a_unique_prefix_will_do(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_log_delivery d;
    struct e8_err err;
    char id[E8_ID_MAX], prefix[E8_ID_MAX];

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    for (uint32_t n = 0; n < 40; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
    }
    finish_log(&log, &run);
    struct e8_dlog_reader *reader = open_reader(place->log);
    delivery_id(14, 0, id);
    snprintf(prefix, sizeof(prefix), "%.16s", id);
    assert_int_equal(e8_dlog_delivery(reader, prefix, &d, &err), E8_OK);
    assert_string_equal(d.delivery_id, id);
    assert_int_equal(d.event.event, 14);
    assert_int_equal(e8_dlog_delivery(reader, "dlv_", &d, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "several deliveries"));
    delivery_id(0, 0, id);
    assert_non_null(strstr(err.hint, id));
    assert_non_null(strstr(err.hint, "…"));
    assert_int_equal(e8_dlog_delivery(reader, "dlv_zzz", &d, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "no delivery \"dlv_zzz\""));
    assert_true(err.hint[0]);
    assert_int_equal(e8_dlog_delivery(reader, "", &d, &err), E8_INPUT);
    assert_int_equal(e8_dlog_delivery(reader, "%", &d, &err), E8_INPUT);
    assert_int_equal(e8_dlog_delivery(reader, "' OR 1 --", &d, NULL), E8_INPUT);
    e8_dlog_reader_free(&reader);
}

static bool take_any(void *state, const struct e8_log_row *row)
{
    uint64_t *sum = state;

    *sum += (uint64_t)row->response_time + (row->event_id ? strlen(row->event_id) : 0) + strlen(row->trigger);
    return true;
}

/* Whatever the file holds: an answer or an error, in finite time. */
static void read_all(const char *path)
{
    struct e8_dlog_reader *reader;
    struct e8_log_filter filter = {.run = -1, .status = "5xx", .type = "message.*", .limit = 5};
    struct e8_log_delivery delivery;
    struct e8_log_run run;
    struct e8_err err;
    uint64_t sum = 0;
    char id[E8_ID_MAX];

    if (e8_dlog_read(path, &reader, &err) != E8_OK)
        return;
    delivery_id(14, 1, id);
    e8_dlog_delivery(reader, id, &delivery, &err);
    e8_dlog_query(reader, &(struct e8_log_filter){.run = 0}, take_any, &sum, &err);
    e8_dlog_query(reader, &filter, take_any, &sum, &err);
    if (e8_dlog_run(reader, 0, &run, &err) == E8_OK) {
        struct e8_stats *stats = e8_stats_new((unsigned)run.endpoint_count, (unsigned)run.type_count);
        e8_dlog_stats(reader, &run, stats, &err);
        e8_stats_free(&stats);
    }
    e8_dlog_reader_free(&reader);
}

static void make_small_log(const char *path)
{
    struct e8_log_run run = some_run();
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_dlog *log = begin_log(path, 1, &run);

    fill(log, stats, 30);
    run.stats = stats;
    finish_log(&log, &run);
    e8_stats_free(&stats);
}

static void a_damaged_file_is_an_error_at_most(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new(20260301);
    struct e8_buf whole;

    make_small_log(place->log);
    assert_int_equal(e8_file_read(place->log, 1 << 20, &whole, NULL), E8_OK);
    for (int round = 0; round < 300; round++) {
        char *bytes = e8_dup_str(e8_buf_str(&whole));
        size_t n = round % 10 ? whole.n : e8_rng_below(&rng, whole.n);
        for (int flips = 1 + round % 8; flips > 0; flips--)
            bytes[100 + e8_rng_below(&rng, whole.n - 100)] = (char)e8_rng_next(&rng);
        assert_int_equal(e8_file_write(place->log, (struct e8_str){bytes, n}, NULL), E8_OK);
        read_all(place->log);
        free(bytes);
    }
    e8_buf_fini(&whole);
}

/* Sound as a database, but not as a log. */
static void absurd_rows_are_an_error_at_most(void **state)
{
    static const char *const changes[] = {
        "UPDATE attempt_row SET due = -9223372036854775808",
        "UPDATE attempt_row SET done = 9223372036854775807",
        "UPDATE attempt_row SET sent = -1",
        "UPDATE attempt_row SET sent = done + 1",
        "UPDATE attempt_row SET place = place | 65535",
        "UPDATE attempt_row SET place = -1",
        "UPDATE attempt_row SET place = place | (3 << 16)",
        "UPDATE attempt_row SET result = -1",
        "UPDATE attempt_row SET result = result | (255 << 49)",
        "UPDATE attempt_row SET result = result | (9 << 45)",
        "UPDATE attempt_row SET dns = -7, total = 9223372036854775807",
        "UPDATE attempt_row SET copy = -1, skew = 9223372036854775807, error = 77",
        "UPDATE attempt_row SET event = -1",
        "UPDATE attempt_row SET several = 7",
        "UPDATE event_row SET what = -1",
        "UPDATE span SET low = NULL, last = 9223372036854775807",
        "UPDATE tally SET planned = 9223372036854775807",
        "UPDATE tally SET dropped = dropped + 1 WHERE kind = 'type'",
        "UPDATE tally SET number = 9 WHERE number = 0",
        "UPDATE tally SET events = -1",
        "UPDATE run SET id = 9223372036854775807",
        "UPDATE run SET id = -4",
        "UPDATE run SET started = -9223372036854775807, epoch = 9223372036854775807",
        "UPDATE run SET thresholds = 'nonsense'",
        "UPDATE run SET thresholds = '[null]'",
        "UPDATE run SET thresholds = '{\"a\":1}'",
        "DELETE FROM endpoint WHERE number = 0",
        "DELETE FROM step",
        "DELETE FROM type",
        "DELETE FROM event_row",
        "DELETE FROM outcome",
        "DELETE FROM tally WHERE kind = 'type'",
        "INSERT INTO endpoint(run, number, name, timeout, attempts)"
        " WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) SELECT 1, i, 'x', "
        "1, 1 FROM n",
        "DROP TABLE error",
        "DROP TABLE attempt_row",
    };
    struct place *place = *state;
    struct e8_buf whole;

    make_small_log(place->log);
    assert_int_equal(e8_file_read(place->log, 1 << 20, &whole, NULL), E8_OK);
    for (size_t i = 0; i < E8_COUNT(changes); i++) {
        sqlite3 *db;
        assert_int_equal(e8_file_write(place->log, e8_buf_str(&whole), NULL), E8_OK);
        assert_int_equal(sqlite3_open(place->log, &db), SQLITE_OK);
        if (sqlite3_exec(db, changes[i], NULL, NULL, NULL) != SQLITE_OK)
            fail_msg("%s: %s", changes[i], sqlite3_errmsg(db));
        sqlite3_close(db);
        read_all(place->log);
    }
    e8_buf_fini(&whole);
}

/* The same as asking for each alone. */
struct comparing {
    struct e8_dlog_reader *reader;
    int count;
    struct e8_event_record last;
};

static bool compare_delivery(void *state, const struct e8_log_delivery *all)
{
    struct comparing *c = state;
    struct e8_log_delivery one;
    struct e8_err err;

    assert_int_equal(e8_dlog_delivery(c->reader, all->delivery_id, &one, &err), E8_OK);
    assert_string_equal(one.delivery_id, all->delivery_id);
    assert_string_equal(one.event.id, all->event.id);
    assert_int_equal(one.event.at, all->event.at);
    assert_int_equal(one.event.flow_started, all->event.flow_started);
    assert_int_equal(one.event.step, all->event.step);
    assert_int_equal(one.seed, all->seed);
    assert_string_equal(one.type, all->type);
    assert_string_equal(one.endpoint, all->endpoint);
    assert_string_equal(one.environment, all->environment);
    assert_int_equal(one.step.body.n, all->step.body.n);
    assert_int_equal(one.number, all->number);
    assert_int_equal(one.due, all->due);
    assert_int_equal(one.timestamp, all->timestamp);
    assert_int_equal(one.type_count, all->type_count);
    assert_memory_equal(one.counts, all->counts, one.type_count * sizeof(*one.counts));
    if (c->count > 0)
        assert_true(all->event.instance > c->last.instance ||
                    (all->event.instance == c->last.instance && all->event.sequence >= c->last.sequence));
    c->last = all->event;
    c->count++;
    return c->count < 1000;
}

/* Events come in another order than that of their instances; some have no delivery, some have copies and retries. */
static void all_deliveries_of_a_run(void **state)
{
    enum { EVENTS = 200 };
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct comparing c = {0};
    struct e8_err err;
    int expected = 0;

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t n = i * 77 % EVENTS;
        struct e8_record event = some_event(n), attempt;
        push(e8_dlog_ring(log, 0), &event);
        for (unsigned endpoint = 0; n % 5 != 3 && endpoint < ENDPOINTS; endpoint++) {
            attempt = some_attempt(n, endpoint);
            expected++;
            push(e8_dlog_ring(log, 0), &attempt);
            attempt.attempt.number = 2;
            attempt.attempt.trigger = E8_TRIGGER_RETRY;
            push(e8_dlog_ring(log, 0), &attempt);
            attempt.attempt.number = 1;
            attempt.attempt.trigger = E8_TRIGGER_DUPLICATE;
            attempt.attempt.copy = 1;
            push(e8_dlog_ring(log, 0), &attempt);
        }
    }
    finish_log(&log, &run);
    c.reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(c.reader, 1, &back, &err), E8_OK);
    assert_int_equal(e8_dlog_deliveries(c.reader, &back, compare_delivery, &c, &err), E8_OK);
    assert_int_equal(c.count, expected);
    c.count = 999; /* one more, then it has enough */
    c.last = (struct e8_event_record){0};
    assert_int_equal(e8_dlog_deliveries(c.reader, &back, compare_delivery, &c, &err), E8_OK);
    assert_int_equal(c.count, 1000);
    e8_dlog_reader_free(&c.reader);
}

/* The events that a resumed run found made count, though it has not written them again. */
static void counts_go_on_through_a_chain(void **state)
{
    struct place *place = *state;
    struct e8_log_delivery delivery;
    struct e8_err err;
    char id[E8_ID_MAX];

    for (uint32_t r = 0; r < 2; r++) {
        struct e8_log_run run = some_run();
        run.resumes = r;
        struct e8_dlog *log = begin_log(place->log, 1, &run);
        for (uint32_t n = r ? 2 : 0; n < (r ? 4U : 3U); n++) { /* the third stands in both */
            struct e8_record event = some_event(n), attempt = some_attempt(n, 0);
            event.event.type = 1;
            push(e8_dlog_ring(log, 0), &event);
            if (n == 3)
                push(e8_dlog_ring(log, 0), &attempt);
        }
        finish_log(&log, &run);
    }
    struct e8_dlog_reader *reader = open_reader(place->log);
    delivery_id(3, 0, id);
    assert_int_equal(e8_dlog_delivery(reader, id, &delivery, &err), E8_OK);
    assert_int_equal(delivery.run, 2);
    assert_int_equal(delivery.counts[1], 4);
    e8_dlog_reader_free(&reader);
}

int run_read_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_deliveries_of_a_run, place_make, place_remove),
        cmocka_unit_test_setup_teardown(counts_go_on_through_a_chain, place_make, place_remove),
        TEST(a_run_comes_back_whole),
        TEST(an_unended_run_tells_what_it_knows),
        TEST(runs_are_found_by_number),
        TEST(a_delivery_has_all_that_made_it),
        TEST(a_unique_prefix_will_do),
        TEST(a_damaged_file_is_an_error_at_most),
        TEST(absurd_rows_are_an_error_at_most),
    };
    return cmocka_run_group_tests_name("dlog read", tests, NULL, NULL);
}
