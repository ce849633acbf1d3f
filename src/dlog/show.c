/* One delivery: all that its bytes were made of. */
#include <string.h>

#include "dlog/read.h"

enum { NAMED = 3 }; /* ids that a hint tells at most */

static enum e8_rc fail_ambiguous(sqlite3_stmt *ids, const char *first, const char *prefix, struct e8_err *err)
{
    char hint[NAMED * E8_ID_MAX + 64];
    struct e8_buf buf;

    e8_buf_fixed(&buf, hint, sizeof(hint));
    e8_buf_printf(&buf, "%.40s", first);
    for (int n = 1, code = SQLITE_ROW; code == SQLITE_ROW; code = sqlite3_step(ids), n++) {
        if (n == NAMED) {
            e8_buf_puts(&buf, ", …");
            break;
        }
        e8_buf_printf(&buf, ", %.40s", (const char *)sqlite3_column_text(ids, 0));
    }
    return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf), "several deliveries begin with \"%.64s\"", prefix);
}

static sqlite3_stmt *prepare_ids(struct e8_dlog_reader *reader, struct e8_err *err)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 16 << 10);
    e8_buf_puts(&sql, "SELECT DISTINCT delivery_id FROM attempt a WHERE ");
    e8_read_put_delivery(reader, &sql, "?1", false);
    e8_buf_puts(&sql, " ORDER BY delivery_id LIMIT 4");
    sqlite3_stmt *ids = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);
    return ids;
}

/* The one id that begins with the text. */
static enum e8_rc whole_id(struct e8_dlog_reader *reader, const char *prefix, const char **id,
                           struct e8_err *err)
{
    sqlite3_stmt *ids = prepare_ids(reader, err);
    enum e8_rc rc = E8_OK;

    if (!ids)
        return err->rc;
    sqlite3_bind_text(ids, 1, prefix, -1, SQLITE_STATIC);
    int code = sqlite3_step(ids);
    if (code == SQLITE_DONE || !prefix[0])
        rc = e8_db_fail_with(err, E8_INPUT, reader->path, "emit8 log lists the deliveries",
                             "no delivery \"%.64s\"", prefix);
    if (code == SQLITE_ROW && rc == E8_OK) {
        *id = e8_read_text(reader, ids, 0);
        code = sqlite3_step(ids);
        if (code == SQLITE_ROW && strcmp(*id, prefix) != 0)
            rc = fail_ambiguous(ids, *id, prefix, err);
    }
    enum e8_rc end = e8_read_end(reader, ids, code, rc ? NULL : err);
    return rc ? rc : end;
}

/* Columns end with the names of the endpoint's headers, which a file of version 1 does not have, and that of the step, which
 * one of version 2 does not. */
#define FACTS(headers, name)                                                                                 \
    "SELECT a.run, e.id, e.step, e.type, e.sequence, e.flow, e.instance, e.at, e.flow_started, e.event_id,"  \
    " s.type, s.environment, s.edits, s.body, r.seed, t.name, p.name, p.url, p.scheme, r.fixtures_digest,"   \
    " count(*) OVER (PARTITION BY a.run), " headers ", " name ", a.number, a.due, a.timestamp"               \
    " FROM attempt a JOIN event e ON e.id = a.event JOIN run r ON r.id = a.run"                              \
    " JOIN type t ON t.run = a.run AND t.number = e.type JOIN step s ON s.run = a.run AND s.number = e.step" \
    " JOIN endpoint p ON p.run = a.run AND p.number = a.endpoint WHERE "

static void fill_event(sqlite3_stmt *row, struct e8_event_record *event)
{
    const unsigned char *id = sqlite3_column_text(row, 9);

    event->event = (uint32_t)sqlite3_column_int64(row, 1);
    event->step = (uint32_t)sqlite3_column_int64(row, 2);
    event->type = (uint16_t)sqlite3_column_int(row, 3);
    event->sequence = (uint32_t)sqlite3_column_int64(row, 4);
    event->flow = e8_read_u64(row, 5);
    event->instance = e8_read_u64(row, 6);
    event->at = sqlite3_column_int64(row, 7);
    event->flow_started = sqlite3_column_int64(row, 8);
    snprintf(event->id, sizeof(event->id), "%s", id ? (const char *)id : "");
}

static void fill_delivery(struct e8_dlog_reader *reader, sqlite3_stmt *row, struct e8_log_delivery *out)
{
    out->run = sqlite3_column_int64(row, 0);
    fill_event(row, &out->event);
    out->step.type = e8_read_text(reader, row, 10);
    out->step.environment = out->environment = e8_read_text(reader, row, 11);
    out->step.edits = e8_read_text(reader, row, 12);
    out->step.body = e8_read_blob(reader, row, 13);
    out->seed = e8_read_u64(row, 14);
    out->type = e8_read_text(reader, row, 15);
    out->endpoint = e8_read_text(reader, row, 16);
    out->url = e8_read_text(reader, row, 17);
    out->scheme = e8_read_text(reader, row, 18);
    out->fixtures_digest = e8_read_text(reader, row, 19);
    out->attempts = sqlite3_column_int(row, 20);
    out->headers = e8_read_text(reader, row, 21);
    out->step.name = e8_read_text(reader, row, 22);
    out->number = sqlite3_column_int(row, 23);
    out->due = sqlite3_column_int64(row, 24);
    out->timestamp = sqlite3_column_int64(row, 25);
}

static enum e8_rc read_facts(struct e8_dlog_reader *reader, struct e8_log_delivery *out, struct e8_err *err)
{
    const char *sql = reader->version < 2   ? FACTS("NULL", "NULL")
                      : reader->version < 3 ? FACTS("p.headers", "NULL")
                                            : FACTS("p.headers", "s.name");
    struct e8_buf whole;

    e8_buf_init(&whole, 16 << 10);
    e8_buf_puts(&whole, sql);
    e8_read_put_delivery(reader, &whole, "?1", true);
    e8_buf_puts(&whole, " ORDER BY a.id LIMIT 1");
    sqlite3_stmt *row = e8_read_prepare(reader, e8_buf_cstr(&whole), err);
    e8_buf_fini(&whole);
    if (!row)
        return err->rc;
    sqlite3_bind_text(row, 1, out->delivery_id, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW)
        fill_delivery(reader, row, out);
    enum e8_rc rc = e8_read_end(reader, row, code, err);
    return rc || code == SQLITE_ROW ? rc : e8_read_damaged(reader, "the delivery's run has gaps", err);
}

/* How many events of each type its instance of the flow had made, up to its own. */
static enum e8_rc count_types(struct e8_dlog_reader *reader, const struct e8_log_delivery *delivery,
                              uint16_t *counts, struct e8_err *err)
{
    struct e8_buf sql;
    int code;

    e8_buf_init(&sql, 4096);
    e8_buf_puts(&sql, e8_read_chain(reader));
    e8_buf_puts(&sql, "SELECT e.type, count(DISTINCT e.sequence) FROM chain c"
                      " JOIN event e ON e.id BETWEEN c.id << 32 AND (c.id << 32) + 4294967295"
                      " WHERE e.flow = ?2 AND e.instance = ?3 AND e.sequence <= ?4 GROUP BY e.type");
    sqlite3_stmt *row = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);
    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, delivery->run);
    sqlite3_bind_int64(row, 2, (sqlite3_int64)delivery->event.flow);
    sqlite3_bind_int64(row, 3, (sqlite3_int64)delivery->event.instance);
    sqlite3_bind_int64(row, 4, delivery->event.sequence);
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        uint32_t type = e8_read_upto(row, 0, UINT16_MAX);
        if (type < delivery->type_count)
            counts[type] = (uint16_t)sqlite3_column_int64(row, 1);
    }
    return e8_read_end(reader, row, code, err);
}

enum e8_rc e8_dlog_delivery(struct e8_dlog_reader *reader, const char *delivery_id,
                            struct e8_log_delivery *out, struct e8_err *err)
{
    struct e8_err local = {0};
    struct e8_log_run run;

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    *out = (struct e8_log_delivery){0};
    err = err ? err : &local;
    enum e8_rc rc = whole_id(reader, delivery_id, &out->delivery_id, err);
    rc = rc ? rc : read_facts(reader, out, err);
    rc = rc ? rc : e8_dlog_run(reader, out->run, &run, err);
    if (rc)
        return rc;
    out->types = run.types;
    out->type_count = run.type_count;
    uint16_t *counts = e8_arena_alloc(reader->arena, (run.type_count + 1) * sizeof(*counts));
    out->counts = counts;
    return count_types(reader, out, counts, err);
}
