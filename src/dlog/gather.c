/* The rows of several runs as those of one. */
#include <string.h>

#include "dlog/read.h"
#include "dlog/write.h"

#define LOOK_EVERY 4096   /* rows */
#define STEPS_EACH 100000 /* of SQLite's machine */

/* Attempts wait here until all have come, since they are numbered in the order of their ends. Outcomes and errors go by their names:
 * their numbers are those of a file. */
static const char make_waiting[] =
    "CREATE TEMP TABLE waiting(event INTEGER NOT NULL, endpoint INTEGER NOT NULL, type INTEGER NOT NULL,"
    " number INTEGER NOT NULL, outcome INTEGER NOT NULL, \"trigger\" INTEGER NOT NULL, flags INTEGER NOT "
    "NULL,"
    " status INTEGER, last INTEGER NOT NULL, due INTEGER NOT NULL, sent INTEGER NOT NULL, done INTEGER NOT "
    "NULL,"
    " dns INTEGER, connect INTEGER, tls INTEGER, first_byte INTEGER, total INTEGER, bytes_sent INTEGER NOT "
    "NULL,"
    " bytes_received INTEGER NOT NULL, timestamp INTEGER NOT NULL, error TEXT, delivery_id TEXT NOT NULL,"
    " copy INTEGER NOT NULL, verdict INTEGER NOT NULL, step INTEGER NOT NULL) STRICT";
static const char keep_errors[] =
    "INSERT OR IGNORE INTO error(text) SELECT error FROM temp.waiting WHERE error IS NOT NULL ORDER BY done;";
static const struct e8_schema_wide numbered = {
    .id = "NULL",
    .step = "a.step",
    .error = "(SELECT id FROM error r WHERE r.text = a.error)",
    .from = "temp.waiting a ORDER BY a.done, a.event, a.endpoint, a.copy, a.number",
};

/* Rows of a part, and where they go. The first column is the number of an event, from 0 on in each part. */
struct rows {
    const char *from, *into;
    int columns;
    bool unchecked; /* `into` has no types: integers up to the last, a text, are checked here */
};
static const struct rows events = {
    "SELECT id - :first, step, type, sequence, flow, instance, at, flow_started, event_id FROM event"
    " WHERE id BETWEEN :first AND :first + 4294967295 ORDER BY id",
    "INSERT INTO event_row VALUES(?1, ?2 << 16 | ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    9,
    true,
};
static const struct rows attempts = {
    "SELECT a.event - :first, a.endpoint, a.type, a.number, o.name, a.\"trigger\", a.flags, a.status, a.last,"
    " a.due, a.sent, a.done, a.dns, a.connect, a.tls, a.first_byte, a.total, a.bytes_sent, a.bytes_received,"
    " a.timestamp, r.text, a.delivery_id, a.copy, a.verdict, a.step FROM attempt a"
    " LEFT JOIN outcome o ON o.code = a.outcome LEFT JOIN error r ON r.id = a.error"
    " WHERE a.id > :after AND a.id <= :last AND a.run = :run ORDER BY a.id",
    "INSERT INTO temp.waiting VALUES(?1, ?2, ?3, ?4, (SELECT code FROM outcome WHERE name = ?5), ?6, ?7, ?8, "
    "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
    " ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
    25,
    false,
};

struct gathering {
    struct e8_dlog *log;
    bool (*stop)(void);
    bool stopped;
    uint64_t base, furthest; /* numbers of events: of the part's first; behind the last so far */
    unsigned rows;
};

/* SQLite asks as well, in the middle of long statements. */
static int asked(void *state)
{
    struct gathering *g = state;

    g->stopped = g->stopped || (g->stop && g->stop());
    return g->stopped;
}

static enum e8_rc fail_write(struct e8_dlog *log, struct e8_err *err)
{
    return e8_db_fail(log->db, log->path, "cannot be written", err);
}

static void bind(sqlite3_stmt *row, const char *name, int64_t value)
{
    int at = sqlite3_bind_parameter_index(row, name);

    if (at > 0)
        sqlite3_bind_int64(row, at, value);
}

static bool has_types(sqlite3_stmt *row, const struct rows *rows)
{
    for (int i = 0; i < rows->columns; i++)
        if (sqlite3_column_type(row, i) != (i + 1 < rows->columns ? SQLITE_INTEGER : SQLITE_TEXT))
            return false;
    return true;
}

static enum e8_rc fail_foreign(struct e8_dlog_reader *reader, struct e8_err *err)
{
    return e8_read_damaged(reader, "a row has what no run of ours wrote", err);
}

static enum e8_rc copy_row(struct gathering *g, struct e8_dlog_reader *reader, sqlite3_stmt *from,
                           sqlite3_stmt *into, const struct rows *rows, struct e8_err *err)
{
    int64_t number = sqlite3_column_int64(from, 0);

    if (number < 0 || number > UINT32_MAX || g->base + (uint64_t)number > UINT32_MAX)
        return e8_read_damaged(reader, "an event's number is out of range", err);
    if (rows->unchecked && !has_types(from, rows))
        return fail_foreign(reader, err);
    if (g->base + (uint64_t)number >= g->furthest)
        g->furthest = g->base + (uint64_t)number + 1;
    sqlite3_bind_int64(into, 1,
                       (int64_t)((uint64_t)g->log->run << E8_EVENT_BITS | (g->base + (uint64_t)number)));
    for (int i = 1; i < rows->columns; i++)
        sqlite3_bind_value(into, i + 1, sqlite3_column_value(from, i));
    if (e8_db_run(into))
        return E8_OK;
    return (sqlite3_errcode(g->log->db) & 0xff) == SQLITE_CONSTRAINT ? fail_foreign(reader, err)
                                                                     : fail_write(g->log, err);
}

static enum e8_rc copy_all(struct gathering *g, struct e8_dlog_reader *reader, sqlite3_stmt *from,
                           sqlite3_stmt *into, const struct rows *rows, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    int code = SQLITE_DONE;

    while (rc == E8_OK && (code = sqlite3_step(from)) == SQLITE_ROW) {
        rc = copy_row(g, reader, from, into, rows, err);
        if (rc == E8_OK && ++g->rows % LOOK_EVERY == 0 && asked(g))
            rc = e8_fail(err, E8_LIMIT, NULL, "stopped");
    }
    enum e8_rc end = e8_read_end(reader, from, rc ? SQLITE_DONE : code, rc ? NULL : err);
    return rc ? rc : end;
}

static enum e8_rc copy(struct gathering *g, const struct e8_log_part *part, const struct e8_read_range *range,
                       const struct rows *rows, struct e8_err *err)
{
    sqlite3_stmt *from = e8_read_prepare(part->reader, rows->from, err);

    if (!from)
        return err->rc;
    bind(from, ":first", (int64_t)((uint64_t)range->run << E8_EVENT_BITS));
    bind(from, ":run", range->run);
    bind(from, ":after", range->after);
    bind(from, ":last", range->last);
    sqlite3_stmt *into = e8_db_prepare(g->log->db, rows->into);
    if (!into) {
        sqlite3_finalize(from);
        return fail_write(g->log, err);
    }
    enum e8_rc rc = copy_all(g, part->reader, from, into, rows, err);
    sqlite3_finalize(into);
    return rc;
}

static enum e8_rc copy_part(struct gathering *g, const struct e8_log_part *part, struct e8_err *err)
{
    struct e8_read_range range;
    enum e8_rc rc = e8_read_range(part->reader, part->run->id, &range, err);

    g->base = g->furthest;
    rc = rc ? rc : copy(g, part, &range, &events, err);
    return rc ? rc : copy(g, part, &range, &attempts, err);
}

static bool number_attempts(struct e8_dlog *log)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 16 << 10);
    e8_buf_puts(&sql, keep_errors);
    e8_schema_put_narrow(&sql, &numbered);
    e8_buf_puts(&sql, "DROP TABLE temp.waiting;" E8_SPANS_MISSING);
    bool good = e8_db_exec(log->db, e8_buf_cstr(&sql));
    e8_buf_fini(&sql);
    return good;
}

static enum e8_rc write_all(struct gathering *g, struct e8_log_run *run, const struct e8_log_part *parts,
                            size_t count, struct e8_err *err)
{
    struct e8_dlog *log = g->log;
    enum e8_rc rc = E8_OK;

    if (!e8_db_exec(log->db, "BEGIN IMMEDIATE") || !e8_rows_outcomes(log) || !e8_rows_run(log, run) ||
        !e8_db_exec(log->db, make_waiting))
        return fail_write(log, err);
    log->run = run->id;
    for (size_t i = 0; rc == E8_OK && i < count; i++)
        rc = copy_part(g, &parts[i], err);
    if (rc)
        return rc;
    return number_attempts(log) && e8_rows_end(log, run) && e8_db_exec(log->db, "COMMIT")
               ? E8_OK
               : fail_write(log, err);
}

/* The whole file, nothing beside it. */
static enum e8_rc settle(struct e8_dlog *log, struct e8_err *err)
{
    int code = sqlite3_wal_checkpoint_v2(log->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    return code == SQLITE_OK ? E8_OK : fail_write(log, err);
}

enum e8_rc e8_dlog_gather(struct e8_dlog *log, struct e8_log_run *run, const struct e8_log_part *parts,
                          size_t count, bool (*stop)(void), struct e8_err *err)
{
    struct gathering g = {.log = log, .stop = stop};
    struct e8_err local = {0};

    E8_CHECK_MAGIC(log, DLOG_MAGIC);
    E8_ASSERT(!log->started);
    err = err ? err : &local;
    sqlite3_progress_handler(log->db, STEPS_EACH, asked, &g);
    enum e8_rc rc = write_all(&g, run, parts, count, err);
    sqlite3_progress_handler(log->db, 0, NULL, NULL);
    if (rc)
        sqlite3_exec(log->db, "ROLLBACK", NULL, NULL, NULL);
    return g.stopped ? e8_fail(err, E8_LIMIT, NULL, "stopped") : rc ? rc : settle(log, err);
}
