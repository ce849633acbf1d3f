#include "platform/store_side.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { BUSY_MS = 10000 };

void e8_side_init(struct e8_side *side, const char *path, bool writes)
{
    *side = (struct e8_side){.path = path, .writes = writes};
    E8_ASSERT(pthread_mutex_init(&side->lock, NULL) == 0);
}

void e8_side_close(struct e8_side *side)
{
    for (size_t i = 0; i < side->count; i++)
        sqlite3_finalize(side->kept[i].statement);
    free(side->kept);
    E8_ASSERT(sqlite3_close(side->db) == SQLITE_OK);
    pthread_mutex_destroy(&side->lock);
    *side = (struct e8_side){0};
}

/* ---- failures ---- */

/* SQLite 3.40 does not keep the system's word for writes; but no call after the one that failed has changed errno, unless that was
 * about something else. */
static int cause_of(sqlite3 *db, int code, int last)
{
    int kept = sqlite3_system_errno(db);

    if (kept != 0 || code != SQLITE_IOERR)
        return kept;
    return last == EIO || last == EFBIG || last == EDQUOT || last == EROFS || last == ENOMEM ? last : 0;
}

void e8_side_note(struct e8_side *side)
{
    int last = errno, code = side->db ? sqlite3_errcode(side->db) & 0xff : SQLITE_NOMEM;

    if (side->code != 0)
        return;
    side->code = code != SQLITE_OK ? code : SQLITE_ERROR;
    side->cause = side->db ? cause_of(side->db, code, last) : ENOMEM;
    snprintf(side->text, sizeof side->text, "%s", side->db ? sqlite3_errmsg(side->db) : "out of memory");
}

bool e8_side_failed(const struct e8_side *side)
{
    return side->code != 0;
}

bool e8_side_of_path(int cause)
{
    return cause == EISDIR || cause == ELOOP || cause == ENAMETOOLONG || cause == ENOENT || cause == ENOTDIR;
}

static enum e8_rc tell(const struct e8_side *side, enum e8_rc rc, const char *hint, const char *what,
                       struct e8_err *err)
{
    e8_fail_at(err, side->path, 0, 0, hint, "%s", what);
    if (err)
        err->rc = rc;
    return rc;
}

static bool is_damage(int code)
{
    return code == SQLITE_CORRUPT || code == SQLITE_ERROR || code == SQLITE_MISMATCH;
}

enum e8_rc e8_side_tell(const struct e8_side *side, bool opening, struct e8_err *err)
{
    const char *what = opening ? "cannot be opened" : side->writes ? "cannot be written" : "cannot be read";
    char text[sizeof err->what];

    if (side->code == SQLITE_NOTADB)
        return tell(side, opening ? E8_INPUT : E8_ENV, "name another directory",
                    "is not the state of emit8 serve", err);
    if (is_damage(side->code)) {
        snprintf(text, sizeof text, "is damaged: %s", side->text);
        return tell(side, opening ? E8_INPUT : E8_ENV, "sqlite3 FILE .recover may save what is left", text,
                    err);
    }
    if (side->code == SQLITE_BUSY || side->code == SQLITE_LOCKED) {
        snprintf(text, sizeof text, "%s: another program keeps it locked", what);
        return tell(side, E8_ENV, "end the program that holds it", text, err);
    }
    if (side->cause)
        snprintf(text, sizeof text, "%s: %s: %s", what, side->text, strerror(side->cause));
    else
        snprintf(text, sizeof text, "%s: %s", what, side->text);
    bool of_path = opening && side->code == SQLITE_CANTOPEN && e8_side_of_path(side->cause);
    return tell(side, of_path ? E8_INPUT : E8_ENV, NULL, text, err);
}

/* ---- transactions ---- */

int e8_side_wait(void *state, int tries)
{
    static const struct timespec moment = {.tv_nsec = 1000000};

    (void)state;
    nanosleep(&moment, NULL);
    return tries < BUSY_MS;
}

bool e8_side_exec(struct e8_side *side, const char *sql)
{
    if (side->code == 0 && sqlite3_exec(side->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        e8_side_note(side);
    return side->code == 0;
}

void e8_side_begin(struct e8_side *side, enum e8_side_mode mode)
{
    bool synced = mode == E8_SYNC;

    E8_ASSERT(pthread_mutex_lock(&side->lock) == 0);
    E8_ASSERT(side->writes == (mode != E8_READ));
    side->code = side->cause = 0;
    if (side->writes && side->synced != synced)
        e8_side_exec(side, synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    side->synced = synced;
    e8_side_run(side, side->writes ? "BEGIN IMMEDIATE" : "BEGIN", NULL, 0);
}

enum e8_rc e8_side_end(struct e8_side *side, enum e8_rc rc, struct e8_err *err)
{
    if (rc == E8_OK)
        e8_side_run(side, "COMMIT", NULL, 0);
    if (!sqlite3_get_autocommit(side->db))
        sqlite3_exec(side->db, "ROLLBACK", NULL, NULL, NULL);
    if (side->code != 0)
        rc = e8_side_tell(side, false, err);
    E8_ASSERT(pthread_mutex_unlock(&side->lock) == 0);
    return rc;
}

/* ---- statements ---- */

static sqlite3_stmt *prepare(struct e8_side *side, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v3(side->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        e8_side_note(side);
        return NULL;
    }
    if (side->count == side->room) {
        side->room = side->room ? 2 * side->room : 32;
        side->kept = e8_resize(side->kept, side->room, sizeof *side->kept);
    }
    side->kept[side->count++] = (struct e8_kept){sql, statement};
    return statement;
}

static sqlite3_stmt *get(struct e8_side *side, const char *sql)
{
    for (size_t i = 0; i < side->count; i++) {
        if (side->kept[i].sql == sql)
            return side->kept[i].statement;
    }
    return prepare(side, sql);
}

static int bind(sqlite3_stmt *statement, int at, const struct e8_value *value)
{
    const char *p = value->bytes.p ? value->bytes.p : "";

    switch (value->kind) {
    case E8_VALUE_NULL:
        return sqlite3_bind_null(statement, at);
    case E8_VALUE_INT:
        return sqlite3_bind_int64(statement, at, value->number);
    case E8_VALUE_REAL:
        return sqlite3_bind_double(statement, at, value->real);
    case E8_VALUE_TEXT:
        return sqlite3_bind_text64(statement, at, p, value->bytes.n, SQLITE_STATIC, SQLITE_UTF8);
    case E8_VALUE_BLOB:
        return sqlite3_bind_blob64(statement, at, p, value->bytes.n, SQLITE_STATIC);
    }
    E8_UNREACHABLE();
}

sqlite3_stmt *e8_side_ask(struct e8_side *side, const char *sql, const struct e8_value *values, size_t count)
{
    sqlite3_stmt *statement = side->code == 0 ? get(side, sql) : NULL;

    if (!statement)
        return NULL;
    E8_ASSERT((size_t)sqlite3_bind_parameter_count(statement) == count && !sqlite3_stmt_busy(statement));
    for (size_t i = 0; i < count; i++) {
        if (bind(statement, (int)i + 1, &values[i]) != SQLITE_OK) {
            e8_side_note(side);
            return NULL;
        }
    }
    return statement;
}

bool e8_side_next(struct e8_side *side, sqlite3_stmt *statement)
{
    if (!statement)
        return false;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        e8_side_note(side);
    sqlite3_reset(statement);
    return false;
}

void e8_side_done(sqlite3_stmt *statement)
{
    if (statement)
        sqlite3_reset(statement);
}

void e8_side_run(struct e8_side *side, const char *sql, const struct e8_value *values, size_t count)
{
    bool more = e8_side_next(side, e8_side_ask(side, sql, values, count));

    E8_ASSERT(!more);
}

int64_t e8_side_int(struct e8_side *side, int64_t otherwise, const char *sql, const struct e8_value *values,
                    size_t count)
{
    sqlite3_stmt *row = e8_side_ask(side, sql, values, count);

    if (!e8_side_next(side, row))
        return otherwise;
    if (sqlite3_column_type(row, 0) != SQLITE_NULL)
        otherwise = sqlite3_column_int64(row, 0);
    e8_side_done(row);
    return otherwise;
}

int64_t e8_side_changes(struct e8_side *side)
{
    return side->code == 0 ? sqlite3_changes64(side->db) : 0;
}

/* ---- columns ---- */

struct e8_str e8_column_bytes(sqlite3_stmt *row, int column)
{
    const char *p = sqlite3_column_blob(row, column);

    return (struct e8_str){p, (size_t)sqlite3_column_bytes(row, column)};
}

struct e8_str e8_column_blob(sqlite3_stmt *row, int column, struct e8_arena *arena)
{
    return e8_arena_str(arena, e8_column_bytes(row, column));
}

const char *e8_column_text(sqlite3_stmt *row, int column, struct e8_arena *arena)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return NULL;
    return e8_column_blob(row, column, arena).p;
}
