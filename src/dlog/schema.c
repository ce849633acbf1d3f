#include "delivery/delivery.h"
#include "dlog/db.h"

/* Times are wall nanoseconds, durations nanoseconds, except where a column says otherwise. */
static const char tables[] =
    "CREATE TABLE run(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, scenario_digest TEXT,"
    " fixtures_digest TEXT, version TEXT, curl_version TEXT, command TEXT, seed INTEGER NOT NULL,"
    " started INTEGER NOT NULL,"
    " ended INTEGER,"          /* NULL: runs, or was killed */
    " epoch INTEGER NOT NULL," /* monotonic time of `started` */
    " workers INTEGER NOT NULL, insecure INTEGER NOT NULL,"
    " thresholds TEXT," /* JSON array */
    " planned INTEGER, dropped INTEGER, aborted INTEGER, stalls INTEGER, timer_floor INTEGER,"
    " interrupted INTEGER, notes TEXT,"
    " after_attempt INTEGER NOT NULL, last_attempt INTEGER," /* its rows of attempt lie in between */
    " resumes INTEGER, over INTEGER," /* the run that it goes on with, and what was over of that */
    " clock INTEGER, speed REAL,"     /* where the user fixed them */
    " process INTEGER,"               /* that makes the run; NULL: it has ended */
    " shard INTEGER, shards INTEGER," /* which part of how many; shard 0: all of them, merged */
    " plan TEXT"                      /* the same for all parts of one plan */
    ") STRICT;"
    "CREATE TABLE endpoint(run INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, url TEXT,"
    " scheme TEXT, events TEXT, environments TEXT, timeout INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    " headers TEXT," /* names of its own, never values; last, since older files get it added */
    " PRIMARY KEY(run, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE type(run INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL,"
    " PRIMARY KEY(run, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE step(run INTEGER NOT NULL, number INTEGER NOT NULL, type TEXT, environment TEXT,"
    " edits TEXT," /* JSON */
    " body BLOB,"  /* of a raw event */
    " name TEXT,"
    " PRIMARY KEY(run, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE tally(run INTEGER NOT NULL, kind TEXT NOT NULL," /* 'endpoint' or 'type' */
    " number INTEGER NOT NULL, events INTEGER NOT NULL, planned INTEGER NOT NULL, dropped INTEGER NOT NULL,"
    " aborted INTEGER NOT NULL, withheld INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(run, kind, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE outcome(code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE error(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE event(id INTEGER PRIMARY KEY," /* run << 32 | number in the run */
    " step INTEGER NOT NULL, type INTEGER NOT NULL, sequence INTEGER NOT NULL, flow INTEGER NOT NULL,"
    " instance INTEGER NOT NULL, at INTEGER NOT NULL, flow_started INTEGER NOT NULL,"
    " event_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE attempt(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, event INTEGER NOT NULL,"
    " endpoint INTEGER NOT NULL, type INTEGER NOT NULL, number INTEGER NOT NULL, outcome INTEGER NOT NULL,"
    " \"trigger\" INTEGER NOT NULL, flags INTEGER NOT NULL, status INTEGER, last INTEGER NOT NULL,"
    " due INTEGER NOT NULL, sent INTEGER NOT NULL, done INTEGER NOT NULL,"
    " dns INTEGER, connect INTEGER, tls INTEGER, first_byte INTEGER, total INTEGER," /* NULL: did not happen */
    " bytes_sent INTEGER NOT NULL, bytes_received INTEGER NOT NULL,"
    " timestamp INTEGER NOT NULL," /* Unix seconds that were signed */
    " error INTEGER, delivery_id TEXT NOT NULL,"
    " copy INTEGER NOT NULL DEFAULT 0, verdict INTEGER NOT NULL DEFAULT 0,"
    " step INTEGER" /* NULL: its event's */
    ") STRICT;"
    "CREATE INDEX attempt_delivery ON attempt(delivery_id);";

static const char names_of_attempt[] =
    " FROM attempt a JOIN event e ON e.id = a.event"
    " LEFT JOIN type t ON t.run = a.run AND t.number = a.type"
    " LEFT JOIN step s ON s.run = a.run AND s.number = e.step"
    " LEFT JOIN step n ON n.run = a.run AND n.number = coalesce(a.step, e.step)"
    " LEFT JOIN endpoint p ON p.run = a.run AND p.number = a.endpoint"
    " LEFT JOIN outcome o ON o.code = a.outcome";

static void put_time(struct e8_buf *sql, const char *column, const char *name)
{
    e8_buf_printf(sql, ", strftime('%%Y-%%m-%%dT%%H:%%M:%%fZ', %s / 1e9, 'unixepoch') AS %s", column, name);
}

static void put_ms(struct e8_buf *sql, const char *expression, const char *name)
{
    e8_buf_printf(sql, ", round((%s) / 1e6, 3) AS %s", expression, name);
}

static void put_trigger(struct e8_buf *sql)
{
    e8_buf_puts(sql, ", CASE a.\"trigger\"");
    for (int i = E8_TRIGGER_EVENT; i <= E8_TRIGGER_REPLAY; i++)
        e8_buf_printf(sql, " WHEN %d THEN '%s'", i, e8_trigger_name((enum e8_trigger)i));
    e8_buf_puts(sql, " END AS \"trigger\"");
}

static void put_verdict(struct e8_buf *sql)
{
    e8_buf_puts(sql, ", CASE a.verdict");
    for (int i = E8_EXPECTATION_MET; i <= E8_EXPECTATION_REPORTED; i++)
        e8_buf_printf(sql, " WHEN %d THEN '%s'", i, e8_expectation_name(i));
    e8_buf_puts(sql, " ELSE '' END AS verdict");
}

static void put_attempts(struct e8_buf *sql)
{
    e8_buf_puts(sql, "CREATE VIEW attempts AS SELECT a.id, a.run, a.delivery_id, e.event_id, t.name AS type,"
                     " s.environment, p.name AS endpoint, a.number AS attempt");
    put_trigger(sql);
    e8_buf_puts(sql, ", o.name AS outcome, a.status");
    put_time(sql, "a.due", "due");
    put_ms(sql, "a.done - a.due", "response_ms");
    put_ms(sql, "a.done - a.sent", "service_ms");
    put_ms(sql, "a.sent - a.due", "send_lag_ms");
    put_ms(sql, "a.dns", "dns_ms");
    put_ms(sql, "a.connect", "connect_ms");
    put_ms(sql, "a.tls", "tls_ms");
    put_ms(sql, "a.first_byte", "first_byte_ms");
    put_ms(sql, "a.total", "total_ms");
    e8_buf_puts(sql, ", a.bytes_sent, a.bytes_received, r.text AS error, a.last, a.copy");
    put_verdict(sql);
    e8_buf_puts(sql, ", coalesce(a.step, e.step) AS step, n.name AS step_name");
    e8_buf_puts(sql, names_of_attempt);
    e8_buf_puts(sql, " LEFT JOIN error r ON r.id = a.error;");
}

/* The newest attempt of each delivery and of each copy; `last` says whether it ended. Only where there were several attempts
 * are the others looked up. */
static void put_deliveries(struct e8_buf *sql)
{
    static const char others[] = "FROM attempt b WHERE b.delivery_id = a.delivery_id AND b.run = a.run"
                                 " AND b.event = a.event AND b.endpoint = a.endpoint AND b.copy = a.copy";

    e8_buf_puts(sql,
                "CREATE VIEW deliveries AS SELECT run, delivery_id, event_id, type, environment, endpoint,"
                " outcome, status, attempts");
    put_time(sql, "first_due", "first_due");
    put_time(sql, "last_done", "last_done");
    put_ms(sql, "last_done - first_due", "total_ms");
    e8_buf_puts(sql,
                ", ended, copy, verdict, step, step_name FROM (SELECT a.id, a.run, a.delivery_id, e.event_id,"
                " t.name AS type, s.environment, p.name AS endpoint, o.name AS outcome, a.status,");
    e8_buf_printf(sql, " CASE WHEN a.copy = 0 THEN a.number ELSE (SELECT count(*) %s) END AS attempts,",
                  others);
    e8_buf_printf(sql, " CASE a.number WHEN 1 THEN a.due ELSE (SELECT min(b.due) %s) END AS first_due,",
                  others);
    e8_buf_puts(sql, " a.done AS last_done, a.last AS ended, a.copy");
    put_verdict(sql);
    e8_buf_puts(sql, ", coalesce(a.step, e.step) AS step, n.name AS step_name");
    e8_buf_puts(sql, names_of_attempt);
    e8_buf_printf(sql, " WHERE a.last OR NOT EXISTS (SELECT 1 %s AND b.number > a.number));", others);
}

static void put_outcomes(struct e8_buf *sql)
{
    for (int i = 0; i < E8_OUTCOME_COUNT; i++) {
        const struct e8_outcome_info *info = e8_outcome_info((enum e8_outcome)i);
        char *text = sqlite3_mprintf("INSERT INTO outcome VALUES(%d, %Q, %Q);", i, info->name, info->text);
        e8_buf_puts(sql, text ? text : "");
        sqlite3_free(text);
    }
}

void e8_schema_put(struct e8_buf *sql)
{
    e8_buf_puts(sql, tables);
    put_attempts(sql);
    put_deliveries(sql);
    put_outcomes(sql);
    e8_buf_printf(sql, "PRAGMA application_id = %d; PRAGMA user_version = %d;", E8_LOG_APPLICATION,
                  E8_LOG_VERSION);
}

/* Version 2 keeps the names of an endpoint's own headers; version 3 copies, expectations, names of steps, and what a resumed
 * run goes on with. */
static void upgrade_to_3(struct e8_buf *sql, int64_t version)
{
    if (version < 2)
        e8_buf_puts(sql, "ALTER TABLE endpoint ADD COLUMN headers TEXT;");
    e8_buf_puts(sql, "ALTER TABLE run ADD COLUMN resumes INTEGER; ALTER TABLE run ADD COLUMN over INTEGER;"
                     "ALTER TABLE run ADD COLUMN clock INTEGER;"
                     "ALTER TABLE run ADD COLUMN speed REAL; ALTER TABLE run ADD COLUMN process INTEGER;"
                     "ALTER TABLE step ADD COLUMN name TEXT;"
                     "ALTER TABLE attempt ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;"
                     "ALTER TABLE attempt ADD COLUMN verdict INTEGER NOT NULL DEFAULT 0;"
                     "ALTER TABLE attempt ADD COLUMN step INTEGER;"
                     "ALTER TABLE tally ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;"
                     "DROP VIEW IF EXISTS attempts; DROP VIEW IF EXISTS deliveries;");
    put_attempts(sql);
    put_deliveries(sql);
}

/* Version 4 keeps which part of a divided plan a run was. */
void e8_schema_upgrade(struct e8_buf *sql, int64_t version)
{
    e8_buf_puts(sql, "ALTER TABLE run ADD COLUMN shard INTEGER; ALTER TABLE run ADD COLUMN shards INTEGER;"
                     "ALTER TABLE run ADD COLUMN plan TEXT;");
    if (version < 3)
        upgrade_to_3(sql, version);
    e8_buf_printf(sql, "PRAGMA user_version = %d;", E8_LOG_VERSION);
}
