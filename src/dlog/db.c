#include "dlog/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum e8_rc e8_db_fail_with(struct e8_err *err, enum e8_rc rc, const char *path, const char *hint,
                           const char *format, ...)
{
    char what[sizeof(err->what)];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    e8_fail_at(err, path, 0, 0, hint, "%s", what);
    if (err)
        err->rc = rc;
    return rc;
}

/* errno values that the user mends by naming another file. */
static bool is_of_path(int cause)
{
    switch (cause) {
    case EACCES:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOTDIR:
    case EPERM:
        return true;
    }
    return false;
}

/* What the system said to a call that failed just now. SQLite 3.40 does not keep it for writes; but no call after the one
 * that failed has changed errno, unless that was about something else. */
static int cause_of(sqlite3 *db, int code, int last)
{
    int kept = sqlite3_system_errno(db);

    if (kept != 0 || code != SQLITE_IOERR)
        return kept;
    return last == EIO || last == EFBIG || last == EDQUOT || last == EROFS || last == ENOMEM ? last : 0;
}

enum e8_rc e8_db_fail(sqlite3 *db, const char *path, const char *what, struct e8_err *err)
{
    int last = errno;
    int code = db ? sqlite3_errcode(db) & 0xff : SQLITE_NOMEM;
    int cause = db ? cause_of(db, code, last) : 0;

    switch (code) {
    case SQLITE_NOTADB:
        return e8_db_fail_with(err, E8_INPUT, path, "name another file", "is not a delivery log of emit8");
    case SQLITE_CORRUPT:
    case SQLITE_ERROR: /* of a statement of ours: a table is missing or has been changed */
    case SQLITE_MISMATCH:
        return e8_db_fail_with(err, E8_INPUT, path, "sqlite3 FILE .recover may save what is left",
                               "is damaged: %s", sqlite3_errmsg(db));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return e8_db_fail_with(err, E8_ENV, path, "end the program that holds it",
                               "%s: another program keeps it locked", what);
    case SQLITE_CANTOPEN:
        if (is_of_path(cause))
            return e8_db_fail_with(err, E8_INPUT, path, NULL, "%s: %s", what, strerror(cause));
        break;
    }
    const char *text = db ? sqlite3_errmsg(db) : "out of memory";
    if (cause != 0)
        return e8_db_fail_with(err, E8_ENV, path, NULL, "%s: %s: %s", what, text, strerror(cause));
    return e8_db_fail_with(err, E8_ENV, path, NULL, "%s: %s", what, text);
}

sqlite3_stmt *e8_db_prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    return statement;
}

bool e8_db_int(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = e8_db_prepare(db, sql);
    bool found = statement && sqlite3_step(statement) == SQLITE_ROW;

    if (found)
        *out = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement) == SQLITE_OK && found;
}

bool e8_db_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

bool e8_db_run(sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    return sqlite3_reset(statement) == SQLITE_OK && code == SQLITE_DONE;
}

void e8_db_close(sqlite3 **db)
{
    int rc = sqlite3_close(*db);

    E8_ASSERT(rc == SQLITE_OK);
    *db = NULL;
}
