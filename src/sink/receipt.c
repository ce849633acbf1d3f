#include "sink/receipt.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "doc/json.h"

enum { RECEIPTS_MAGIC = 0x0a4e8601, BUSY_MS = 2000 };

struct e8_receipts {
    unsigned magic;
    sqlite3 *db;
    sqlite3_stmt *insert;
    struct e8_err failed; /* rc E8_OK while all is well */
};

const char *e8_fault_name(enum e8_fault fault)
{
    switch (fault) {
    case E8_FAULT_NONE:
        return NULL;
    case E8_FAULT_CLOSE:
        return "close";
    case E8_FAULT_RESET:
        return "reset";
    case E8_FAULT_HANG:
        return "hang";
    case E8_FAULT_TRUNCATE:
        return "truncate";
    }
    E8_UNREACHABLE();
}

static void put_padded(struct e8_buf *out, struct e8_str text, size_t width)
{
    size_t begin = out->n;

    e8_buf_put_clean(out, text);
    while (out->n - begin < width && !out->full)
        e8_buf_putc(out, ' ');
    e8_buf_puts(out, "  ");
}

void e8_receipt_line(const struct e8_receipt *receipt, struct e8_buf *out)
{
    char time[E8_RFC3339_MAX], delay[E8_DUR_MAX], status[8] = "-";
    const char *fault = e8_fault_name(receipt->fault);
    size_t n = e8_wall_format(receipt->at, 3, time);

    if (receipt->status)
        snprintf(status, sizeof status, "%d", receipt->status);
    put_padded(out, (struct e8_str){time + strlen("2026-03-01T"), n - strlen("2026-03-01T")}, 0);
    put_padded(out, e8_str(status), 3);
    put_padded(out, e8_str(receipt->verdict), strlen("unchecked"));
    put_padded(out, e8_str(receipt->type[0] ? receipt->type : "-"), strlen("account.billing_updated"));
    put_padded(out, e8_str(receipt->delivery[0] ? receipt->delivery : "-"), 0);
    e8_buf_printf(out, "#%lld  %llu B  %s", (long long)receipt->attempt,
                  (unsigned long long)receipt->body_bytes, e8_dur_text(receipt->delay, delay));
    if (fault)
        e8_buf_printf(out, "  %s", fault);
    e8_buf_putc(out, '\n');
}

void e8_receipt_ndjson(const struct e8_receipt *receipt, struct e8_buf *out)
{
    struct e8_json w = e8_json_new(out, 0);
    char time[E8_RFC3339_MAX];

    e8_wall_format(receipt->at, 3, time);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "at", time);
    e8_json_cstr(&w, "delivery_id", receipt->delivery[0] ? receipt->delivery : NULL);
    e8_json_int(&w, "attempt", receipt->attempt);
    e8_json_cstr(&w, "type", receipt->type[0] ? receipt->type : NULL);
    e8_json_cstr(&w, "verdict", receipt->verdict);
    if (receipt->status)
        e8_json_int(&w, "status", receipt->status);
    else
        e8_json_null(&w, "status");
    e8_json_cstr(&w, "fault", e8_fault_name(receipt->fault));
    e8_json_int(&w, "bytes", (int64_t)receipt->body_bytes);
    e8_json_num(&w, "delay_ms", (double)receipt->delay / (double)E8_NS_MS, 3);
    e8_json_end(&w, '}');
    e8_buf_putc(out, '\n');
}

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS receipt("
    "id INTEGER PRIMARY KEY,"   /* in the order of arrival */
    "at_ns INTEGER NOT NULL,"   /* wall clock: its last byte had been read */
    "delivery_id TEXT,"         /* NULL: the request names none */
    "attempt INTEGER NOT NULL," /* by its header, else the how-manieth of this delivery */
    "type TEXT,"
    "verdict TEXT NOT NULL," /* \"verified\", why not, or \"unchecked\" */
    "status INTEGER,"        /* NULL: none was sent */
    "fault TEXT,"            /* NULL: none */
    "body_sha256 BLOB NOT NULL,"
    "body_bytes INTEGER NOT NULL,"
    "connection INTEGER NOT NULL,"
    "response_delay_ms REAL NOT NULL)";

static const char insert[] = "INSERT INTO receipt(at_ns, delivery_id, attempt, type, verdict, status, fault,"
                             " body_sha256, body_bytes, connection, response_delay_ms)"
                             " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

static const char another[] = "name a new file, or one that emit8 sink wrote";

static enum e8_rc open_failed(const char *path, struct e8_receipts **receipts, struct e8_err *err)
{
    sqlite3 *db = (*receipts)->db;
    int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
    bool is_other = code == SQLITE_NOTADB || code == SQLITE_ERROR;
    char why[256];

    snprintf(why, sizeof why, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    e8_receipts_close(receipts);
    if (is_other)
        return e8_fail(err, E8_INPUT, another, "%.200s is no file of receipts: %s", path, why);
    return e8_fail(err, E8_ENV, NULL, "cannot keep receipts in %.200s: %s", path, why);
}

/* A database of something else, a delivery log say, is not to get a table of ours. *holds stays false where it cannot be read. */
static bool holds_other(sqlite3 *db, bool *holds)
{
    static const char sql[] = "SELECT count(*) > 0 AND sum(name = 'receipt') = 0 FROM sqlite_schema";
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        *holds = sqlite3_column_int(statement, 0) != 0;
    return sqlite3_finalize(statement) == SQLITE_OK;
}

enum e8_rc e8_receipts_open(const char *path, struct e8_receipts **out, struct e8_err *err)
{
    bool other = false;

    *out = NULL;
    if (!path[0]) /* SQLite would keep them in a file without a name, until the end */
        return e8_fail(err, E8_INPUT, "name a file", "--receipts: the name of the file is empty");
    struct e8_receipts *receipts = e8_new(1, sizeof *receipts);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    receipts->magic = RECEIPTS_MAGIC;
    if (sqlite3_open_v2(path, &receipts->db, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(receipts->db, BUSY_MS) != SQLITE_OK || !holds_other(receipts->db, &other))
        return open_failed(path, &receipts, err);
    if (other) {
        e8_receipts_close(&receipts);
        return e8_fail(err, E8_INPUT, another, "%.200s is no file of receipts, but another database", path);
    }
    if (sqlite3_exec(receipts->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(receipts->db, insert, -1, &receipts->insert, NULL) != SQLITE_OK)
        return open_failed(path, &receipts, err);
    *out = receipts;
    return E8_OK;
}

void e8_receipts_close(struct e8_receipts **receipts)
{
    if (!*receipts)
        return;
    E8_CHECK_MAGIC(*receipts, RECEIPTS_MAGIC);
    sqlite3_finalize((*receipts)->insert);
    sqlite3_close((*receipts)->db);
    (*receipts)->magic = 0;
    free(*receipts);
    *receipts = NULL;
}

static enum e8_rc check(struct e8_receipts *receipts, bool good, struct e8_err *err)
{
    if (good)
        return E8_OK;
    e8_fail(&receipts->failed, E8_ENV, NULL, "receipts cannot be written: %s", sqlite3_errmsg(receipts->db));
    sqlite3_exec(receipts->db, "ROLLBACK", NULL, NULL, NULL);
    if (err)
        *err = receipts->failed;
    return E8_ENV;
}

static bool still_good(const struct e8_receipts *receipts, struct e8_err *err)
{
    E8_CHECK_MAGIC(receipts, RECEIPTS_MAGIC);
    if (receipts->failed.rc != E8_OK && err)
        *err = receipts->failed;
    return receipts->failed.rc == E8_OK;
}

enum e8_rc e8_receipts_begin(struct e8_receipts *receipts, struct e8_err *err)
{
    if (!still_good(receipts, err))
        return E8_ENV;
    return check(receipts, sqlite3_exec(receipts->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK, err);
}

static int bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    return text && text[0] ? sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC)
                           : sqlite3_bind_null(statement, index);
}

enum e8_rc e8_receipts_put(struct e8_receipts *receipts, const struct e8_receipt *receipt, struct e8_err *err)
{
    sqlite3_stmt *row = receipts->insert;

    if (!still_good(receipts, err))
        return E8_ENV;
    sqlite3_bind_int64(row, 1, receipt->at);
    bind_text(row, 2, receipt->delivery);
    sqlite3_bind_int64(row, 3, receipt->attempt);
    bind_text(row, 4, receipt->type);
    bind_text(row, 5, receipt->verdict);
    if (receipt->status)
        sqlite3_bind_int(row, 6, receipt->status);
    else
        sqlite3_bind_null(row, 6);
    bind_text(row, 7, e8_fault_name(receipt->fault));
    sqlite3_bind_blob(row, 8, receipt->body_sha256, sizeof receipt->body_sha256, SQLITE_STATIC);
    sqlite3_bind_int64(row, 9, (sqlite3_int64)receipt->body_bytes);
    sqlite3_bind_int64(row, 10, (sqlite3_int64)receipt->connection);
    sqlite3_bind_double(row, 11, (double)receipt->delay / (double)E8_NS_MS);
    bool good = sqlite3_step(row) == SQLITE_DONE;
    sqlite3_reset(row);
    return check(receipts, good, err);
}

enum e8_rc e8_receipts_commit(struct e8_receipts *receipts, struct e8_err *err)
{
    if (!still_good(receipts, err))
        return E8_ENV;
    return check(receipts, sqlite3_exec(receipts->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, err);
}
