/* All deliveries of a run, each with what its bytes were made of. Events and attempts are read side by side in the same order, so
 * that the events of each type so far need no look-up. */
#include <stdlib.h>
#include <string.h>

#include "dlog/read.h"

struct place {
    int64_t flow, instance, sequence;
};

struct reading {
    struct e8_dlog_reader *reader;
    const struct e8_log_run *run;
    sqlite3_stmt *events, *attempts;
    struct place at; /* of the event that the cursor stands at */
    uint32_t type;
    bool more;
    struct place counted; /* flow and instance that the counts are of */
    uint16_t *counts;
    int code; /* of the last step that failed, or SQLITE_DONE */
};

static int compare(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_places(const struct place *a, const struct place *b)
{
    int order = compare(a->flow, b->flow);
    order = order ? order : compare(a->instance, b->instance);
    return order ? order : compare(a->sequence, b->sequence);
}

static void next_event(struct reading *r)
{
    r->code = sqlite3_step(r->events);
    r->more = r->code == SQLITE_ROW;
    if (!r->more)
        return;
    r->at = (struct place){sqlite3_column_int64(r->events, 0), sqlite3_column_int64(r->events, 1),
                           sqlite3_column_int64(r->events, 2)};
    r->type = e8_read_upto(r->events, 3, UINT16_MAX);
}

/* Up to the event at the place, that one included. */
static void count_upto(struct reading *r, const struct place *place)
{
    while (r->more && compare_places(&r->at, place) <= 0) {
        if (r->at.flow != r->counted.flow || r->at.instance != r->counted.instance)
            memset(r->counts, 0, (r->run->type_count + 1) * sizeof(*r->counts));
        r->counted = r->at;
        if (r->type < r->run->type_count)
            r->counts[r->type]++;
        next_event(r);
    }
}

static sqlite3_stmt *prepare_events(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                                    struct e8_err *err)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 4096);
    e8_buf_puts(&sql, e8_read_chain(reader));
    e8_buf_puts(&sql,
                "SELECT DISTINCT e.flow, e.instance, e.sequence, e.type FROM chain c"
                " JOIN event e ON e.id BETWEEN c.id << 32 AND (c.id << 32) + 4294967295 ORDER BY 1, 2, 3");
    sqlite3_stmt *row = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);
    if (row)
        sqlite3_bind_int64(row, 1, run->id);
    return row;
}

static sqlite3_stmt *prepare_attempts(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                                      struct e8_err *err)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 4096);
    e8_buf_puts(&sql, "SELECT e.flow, e.instance, e.sequence, e.id, e.step, e.type, e.at, e.flow_started,"
                      " e.event_id, a.endpoint, a.delivery_id, a.number, a.due, a.timestamp"
                      " FROM attempt a CROSS JOIN event e ON e.id = a.event WHERE a.run = ?1"
                      " AND a.id > (SELECT after_attempt FROM run WHERE id = ?1) AND ");
    e8_read_put_first(reader, &sql);
    e8_buf_puts(&sql, reader->version < 3 ? "" : " AND a.copy = 0");
    e8_buf_puts(&sql, " ORDER BY 1, 2, 3, a.id");
    sqlite3_stmt *row = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);
    if (row)
        sqlite3_bind_int64(row, 1, run->id);
    return row;
}

static void fill_event(sqlite3_stmt *row, struct e8_event_record *event)
{
    const unsigned char *id = sqlite3_column_text(row, 8);

    event->flow = e8_read_u64(row, 0);
    event->instance = e8_read_u64(row, 1);
    event->sequence = (uint32_t)sqlite3_column_int64(row, 2);
    event->event = (uint32_t)sqlite3_column_int64(row, 3);
    event->step = (uint32_t)sqlite3_column_int64(row, 4);
    event->type = (uint16_t)sqlite3_column_int(row, 5);
    event->at = sqlite3_column_int64(row, 6);
    event->flow_started = sqlite3_column_int64(row, 7);
    snprintf(event->id, sizeof(event->id), "%s", id ? (const char *)id : "");
}

/* False: no run of ours has written such a row. */
static bool fill(const struct reading *r, struct e8_log_delivery *out)
{
    const struct e8_log_run *run = r->run;
    sqlite3_stmt *row = r->attempts;
    uint32_t step = e8_read_upto(row, 4, UINT32_MAX - 1), type = e8_read_upto(row, 5, UINT16_MAX);
    uint32_t endpoint = e8_read_upto(row, 9, UINT16_MAX);

    if (step >= run->step_count || type >= run->type_count || endpoint >= run->endpoint_count)
        return false;
    *out = (struct e8_log_delivery){
        .step = run->steps[step],
        .seed = run->seed,
        .delivery_id = (const char *)sqlite3_column_text(row, 10),
        .type = run->types[type],
        .environment = run->steps[step].environment,
        .endpoint = run->endpoints[endpoint].name,
        .url = run->endpoints[endpoint].url,
        .scheme = run->endpoints[endpoint].scheme,
        .fixtures_digest = run->fixtures_digest,
        .headers = run->endpoints[endpoint].headers,
        .run = run->id,
        .counts = r->counts,
        .type_count = run->type_count,
        .types = run->types,
        .number = sqlite3_column_int(row, 11),
        .due = sqlite3_column_int64(row, 12),
        .timestamp = sqlite3_column_int64(row, 13),
    };
    fill_event(row, &out->event);
    return true;
}

static enum e8_rc read_all(struct reading *r, e8_log_delivery_fn *fn, void *state, struct e8_err *err)
{
    struct e8_log_delivery delivery;
    bool more = true, good = true;
    int code = SQLITE_DONE;

    next_event(r);
    while (more && good && (code = sqlite3_step(r->attempts)) == SQLITE_ROW) {
        struct place place = {sqlite3_column_int64(r->attempts, 0), sqlite3_column_int64(r->attempts, 1),
                              sqlite3_column_int64(r->attempts, 2)};
        count_upto(r, &place);
        good = fill(r, &delivery);
        more = good && fn(state, &delivery);
    }
    if (!good)
        return e8_read_damaged(r->reader, "an event is out of range", err);
    bool failed =
        (code != SQLITE_DONE && code != SQLITE_ROW) || (r->code != SQLITE_DONE && r->code != SQLITE_ROW);
    return failed ? e8_db_fail(r->reader->db, r->reader->path, "cannot be read", err) : E8_OK;
}

enum e8_rc e8_dlog_deliveries(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                              e8_log_delivery_fn *fn, void *state, struct e8_err *err)
{
    struct reading r = {.reader = reader, .run = run};
    struct e8_err local = {0};

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    r.counts = e8_new(run->type_count + 1, sizeof(*r.counts));
    r.events = prepare_events(reader, run, err);
    r.attempts = r.events ? prepare_attempts(reader, run, err) : NULL;
    enum e8_rc rc = r.attempts ? read_all(&r, fn, state, err) : err->rc;
    sqlite3_finalize(r.events);
    sqlite3_finalize(r.attempts);
    free(r.counts);
    return rc;
}
