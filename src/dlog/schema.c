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
    " gone INTEGER NOT NULL DEFAULT 0," /* of those withheld */
    " PRIMARY KEY(run, kind, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE outcome(code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE error(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;";

/* Of version 4; `event` and `attempt` were tables before. They are written most, and read with care: no checks here. */
static const char rows_of_today[] =
    "CREATE TABLE event_row(id INTEGER PRIMARY KEY," /* run << 32 | number in the run */
    " what INTEGER,"                                 /* step << 16 | type */
    " sequence INTEGER, flow INTEGER, instance INTEGER, at INTEGER, flow_started INTEGER, event_id TEXT);"
    "CREATE TABLE attempt_row(id INTEGER PRIMARY KEY, delivery_id TEXT,"
    " several INTEGER," /* 1: not the only attempt of its delivery, or of a copy; else NULL */
    " event INTEGER,"   /* its row; the run with it */
    " place INTEGER,"   /* step << 32 | type << 16 | endpoint */
    " result INTEGER,"  /* see E8_RESULT_NUMBER */
    " due INTEGER, sent INTEGER, done INTEGER," /* `sent` and `done` after `due` */
    " first_byte INTEGER, total INTEGER,"       /* NULL: did not happen */
    " bytes_sent INTEGER, bytes_received INTEGER,"
    /* What few attempts have. */
    " dns INTEGER, connect INTEGER, tls INTEGER,"
    " skew INTEGER," /* seconds that the signed time is after `sent` */
    " error INTEGER, copy INTEGER);"
    "CREATE INDEX attempt_several ON attempt_row(delivery_id) WHERE several = 1;"
    /* The others are found by the ids of a thousand neighbours, which lie close together. */
    "CREATE TABLE span(first INTEGER PRIMARY KEY, last INTEGER NOT NULL, low TEXT, high TEXT) STRICT;"
    "CREATE VIEW event AS SELECT id, what >> 16 AS step, what & 65535 AS type, sequence, flow, instance, at,"
    " flow_started, event_id FROM event_row;";

static void put_bits(struct e8_buf *sql, int at, unsigned mask, const char *name)
{
    e8_buf_printf(sql, ", result >> %d & %u AS %s", at, mask, name);
}

static void put_attempt(struct e8_buf *sql)
{
    e8_buf_puts(sql, "CREATE VIEW attempt AS SELECT id, event >> 32 AS run, event,"
                     " place & 65535 AS endpoint, place >> 16 & 65535 AS type");
    put_bits(sql, E8_RESULT_NUMBER, 65535, "number");
    put_bits(sql, E8_RESULT_OUTCOME, E8_CODE_MAX, "outcome");
    put_bits(sql, E8_RESULT_TRIGGER, 15, "\"trigger\"");
    e8_buf_printf(sql, ", result & 65535 AS flags, nullif(result >> %d & 1023, 0) AS status",
                  E8_RESULT_STATUS);
    put_bits(sql, E8_RESULT_LAST, 1, "last");
    e8_buf_puts(sql, ", due, due + sent AS sent, due + done AS done, dns, connect, tls, first_byte, total,"
                     " bytes_sent, bytes_received,"
                     " (due + sent) / 1000000000 + coalesce(skew, 0) AS timestamp, error, delivery_id,"
                     " coalesce(copy, 0) AS copy");
    put_bits(sql, E8_RESULT_VERDICT, 3, "verdict");
    e8_buf_puts(sql, ", place >> 32 AS step, several FROM attempt_row;");
}

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

static void put_last_columns(struct e8_buf *sql)
{
    e8_buf_printf(sql,
                  ", coalesce(a.step, e.step) AS step, n.name AS step_name, (a.flags & %d) > 0 AS warmup",
                  E8_FLAG_WARMUP);
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
    put_last_columns(sql);
    e8_buf_puts(sql, names_of_attempt);
    e8_buf_puts(sql, " LEFT JOIN error r ON r.id = a.error;");
}

/* The newest attempt of each delivery and of each copy; `last` says whether it ended. Only where there were several attempts
 * are the others looked up. */
static void put_deliveries(struct e8_buf *sql)
{
    static const char others[] =
        "FROM attempt b WHERE b.several = 1 AND b.delivery_id = a.delivery_id"
        " AND b.run = a.run AND b.event = a.event AND b.endpoint = a.endpoint AND b.copy = a.copy";

    e8_buf_puts(sql,
                "CREATE VIEW deliveries AS SELECT run, delivery_id, event_id, type, environment, endpoint,"
                " outcome, status, attempts");
    put_time(sql, "first_due", "first_due");
    put_time(sql, "last_done", "last_done");
    put_ms(sql, "last_done - first_due", "total_ms");
    e8_buf_puts(
        sql,
        ", ended, copy, verdict, step, step_name, warmup FROM (SELECT a.id, a.run, a.delivery_id, e.event_id,"
        " t.name AS type, s.environment, p.name AS endpoint, o.name AS outcome, a.status,");
    e8_buf_printf(sql, " CASE WHEN a.copy = 0 THEN a.number ELSE (SELECT count(*) %s) END AS attempts,",
                  others);
    e8_buf_printf(sql, " CASE a.number WHEN 1 THEN a.due ELSE (SELECT min(b.due) %s) END AS first_due,",
                  others);
    e8_buf_puts(sql, " a.done AS last_done, a.last AS ended, a.copy");
    put_verdict(sql);
    put_last_columns(sql);
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
    e8_buf_puts(sql, rows_of_today);
    e8_buf_puts(sql, E8_SPOOLED_TABLE);
    put_attempt(sql);
    put_attempts(sql);
    put_deliveries(sql);
    put_outcomes(sql);
    e8_buf_printf(sql, "PRAGMA application_id = %d; PRAGMA user_version = %d;", E8_LOG_APPLICATION,
                  E8_LOG_VERSION);
}

static void put_shifted(struct e8_buf *sql, const char *value, unsigned mask, int at)
{
    e8_buf_printf(sql, " | ((%s & %u) << %d)", value, mask, at);
}

void e8_schema_put_narrow(struct e8_buf *sql, const struct e8_schema_wide *wide)
{
    e8_buf_printf(sql,
                  "INSERT INTO attempt_row SELECT %s, a.delivery_id,"
                  " iif(a.number > 1 OR a.copy > 0 OR NOT a.last, 1, NULL), a.event,"
                  " (%s << 32) | ((a.type & 65535) << 16) | (a.endpoint & 65535), (a.flags & 65535)",
                  wide->id, wide->step);
    put_shifted(sql, "a.number", 65535, E8_RESULT_NUMBER);
    put_shifted(sql, "coalesce(a.status, 0)", 1023, E8_RESULT_STATUS);
    put_shifted(sql, "a.verdict", 3, E8_RESULT_VERDICT);
    put_shifted(sql, "a.last", 1, E8_RESULT_LAST);
    put_shifted(sql, "a.\"trigger\"", 15, E8_RESULT_TRIGGER);
    put_shifted(sql, "a.outcome", E8_CODE_MAX, E8_RESULT_OUTCOME);
    e8_buf_printf(sql,
                  ", a.due, a.sent - a.due, a.done - a.due, a.first_byte, a.total, a.bytes_sent,"
                  " a.bytes_received, a.dns, a.connect, a.tls,"
                  " nullif(a.timestamp - a.sent / 1000000000, 0), %s, nullif(a.copy, 0) FROM %s;",
                  wide->error, wide->from);
}

/* Version 2 keeps the names of an endpoint's own headers; version 3 copies, expectations, names of steps, and what a resumed
 * run goes on with; version 4 which part of a divided plan a run was, and the rest in narrower rows, without an index of all
 * deliveries; version 5 how many deliveries were withheld since a 410 had disabled their endpoint; version 6 views that tell the warm-up. */
static const char to_version_3[] =
    "ALTER TABLE run ADD COLUMN resumes INTEGER; ALTER TABLE run ADD COLUMN over INTEGER;"
    "ALTER TABLE run ADD COLUMN clock INTEGER;"
    "ALTER TABLE run ADD COLUMN speed REAL; ALTER TABLE run ADD COLUMN process INTEGER;"
    "ALTER TABLE step ADD COLUMN name TEXT;"
    "ALTER TABLE attempt ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN verdict INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempt ADD COLUMN step INTEGER;"
    "ALTER TABLE tally ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;";
static const char to_version_4[] =
    "ALTER TABLE run ADD COLUMN shard INTEGER; ALTER TABLE run ADD COLUMN shards INTEGER;"
    "ALTER TABLE run ADD COLUMN plan TEXT;"
    "ALTER TABLE event RENAME TO event_3; ALTER TABLE attempt RENAME TO attempt_3;";

static const char to_version_5[] = "ALTER TABLE tally ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;";

static void put_rows_of_version_3(struct e8_buf *sql)
{
    static const struct e8_schema_wide wide = {
        .id = "a.id",
        .step = "coalesce(a.step, e.step, 0)",
        .error = "a.error",
        .from = "attempt_3 a LEFT JOIN event_3 e ON e.id = a.event ORDER BY a.id",
    };

    e8_buf_puts(sql, "INSERT INTO event_row SELECT id, step << 16 | type, sequence, flow, instance, at,"
                     " flow_started, event_id FROM event_3;");
    e8_schema_put_narrow(sql, &wide);
    e8_buf_puts(sql, "DROP TABLE attempt_3; DROP TABLE event_3;" E8_SPANS_MISSING ";");
}

void e8_schema_upgrade(struct e8_buf *sql, int64_t version)
{
    if (version < 2)
        e8_buf_puts(sql, "ALTER TABLE endpoint ADD COLUMN headers TEXT;");
    if (version < 3)
        e8_buf_puts(sql, to_version_3);
    e8_buf_puts(sql, "DROP VIEW IF EXISTS attempts; DROP VIEW IF EXISTS deliveries;");
    if (version < 4) {
        e8_buf_puts(sql, to_version_4);
        e8_buf_puts(sql, rows_of_today);
        put_attempt(sql);
        put_rows_of_version_3(sql);
    }
    if (version < 5)
        e8_buf_puts(sql, to_version_5);
    put_attempts(sql);
    put_deliveries(sql);
    e8_buf_printf(sql, "PRAGMA user_version = %d;", E8_LOG_VERSION);
}
