#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dlog/db.h"
#include "dlog/dlog.h"

enum { BUSY_MS = 10000, SCHEMA_MAX = 64 << 10, TEXT_MAX = 64 << 20, DATABASE_MIN = 512 };

static const char another[] = "name another file";

bool e8_dlog_state_path(struct e8_buf *out)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

    if (state && state[0] == '/') /* a relative one is to be ignored (XDG Base Directory Specification 0.8) */
        e8_buf_puts(out, state);
    else if (home && home[0])
        e8_buf_printf(out, "%s/.local/state", home);
    else
        return false;
    e8_buf_puts(out, "/emit8/deliveries.db");
    return true;
}

enum e8_rc e8_dlog_default_path(struct e8_buf *out, struct e8_err *err)
{
    const char *given = getenv("EMIT8_LOG");

    if (given && given[0])
        e8_buf_puts(out, given);
    else if (!e8_dlog_state_path(out))
        return e8_fail(err, E8_INPUT, "name a file with --log or EMIT8_LOG",
                       "no place for the delivery log: neither XDG_STATE_HOME nor HOME is set");
    if (out->full)
        return e8_fail(err, E8_INPUT, another, "the delivery log's path is too long");
    return E8_OK;
}

/* The directory of the default place is ours to make; any other is the user's. */
static enum e8_rc make_default_dir(const char *path, struct e8_err *err)
{
    struct e8_buf place;
    enum e8_rc rc = E8_OK;

    e8_buf_init(&place, 64 << 10);
    if (e8_dlog_state_path(&place) && e8_str_is(e8_buf_str(&place), path)) {
        char *dir = e8_dup(path);
        *strrchr(dir, '/') = '\0';
        rc = e8_dir_make(dir, err);
        free(dir);
    }
    e8_buf_fini(&place);
    return rc;
}

/* What may not be written is the system's refusal; what may not be read is bad input. */
static enum e8_rc fail_errno(const char *path, const char *what, bool writes, int cause, struct e8_err *err)
{
    bool of_host = cause == EROFS || cause == ENOSPC || cause == EDQUOT || cause == EIO || cause == EMFILE ||
                   cause == ENFILE || cause == ENOMEM;
    const char *hint = cause == ENOENT ? "make its directory first, or name another file" : another;

    return e8_db_fail_with(err, of_host || writes ? E8_ENV : E8_INPUT, path, hint, "%s: %s", what,
                           strerror(cause));
}

/* SQLite makes its files as the umask says, and the side files with the mode of the first. The file is never opened here, nor
 * below: closing it would drop the locks that this process may hold on it through SQLite. */
static enum e8_rc make_private(const char *path, struct e8_err *err)
{
    if (mknod(path, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        return fail_errno(path, "cannot be made", true, errno, err);
    return E8_OK;
}

static enum e8_rc check_kind(const char *path, bool writes, bool *missing, struct e8_err *err)
{
    struct stat st;

    *missing = false;
    if (!path[0])
        return e8_fail(err, E8_INPUT, "name a file: --log FILE", "the delivery log's path is empty");
    if (stat(path, &st) != 0) {
        *missing = errno == ENOENT;
        return *missing ? E8_OK : fail_errno(path, "cannot be opened", writes, errno, err);
    }
    if (S_ISDIR(st.st_mode))
        return e8_db_fail_with(err, E8_INPUT, path, another, "is a directory, not a delivery log");
    if (!S_ISREG(st.st_mode))
        return e8_db_fail_with(err, E8_INPUT, path, another, "is not a regular file");
    if (st.st_size > 0 && st.st_size < DATABASE_MIN) /* SQLite would take a byte for an empty database */
        return e8_db_fail_with(err, E8_INPUT, path, another, "is not a delivery log of emit8");
    return E8_OK;
}

static int wait_for_lock(void *state, int tries)
{
    static const struct timespec moment = {.tv_nsec = 1000000};

    (void)state;
    nanosleep(&moment, NULL);
    return tries < BUSY_MS;
}

/* A URI, so that no path means anything else (":memory:", "file:…"). */
static void put_uri(struct e8_buf *uri, const char *path, const char *query)
{
    e8_buf_puts(uri, path[0] == '/' ? "file:" : "file:./");
    for (; *path; path++) {
        if (strchr("?#%", *path))
            e8_buf_printf(uri, "%%%02x", (unsigned)(unsigned char)*path);
        else
            e8_buf_putc(uri, *path);
    }
    e8_buf_puts(uri, query);
}

static enum e8_rc open_file(const char *path, const char *query, int flags, sqlite3 **out, struct e8_err *err)
{
    static const char settings[] = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;";
    struct e8_buf uri;

    e8_buf_init(&uri, 64 << 10);
    put_uri(&uri, path, query);
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(e8_buf_cstr(&uri), out, flags, NULL);
    e8_buf_fini(&uri);
    if (rc == SQLITE_OK) {
        sqlite3_busy_handler(*out, wait_for_lock, NULL);
        sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_limit(*out, SQLITE_LIMIT_LENGTH, TEXT_MAX);
    }
    if (rc == SQLITE_OK && e8_db_exec(*out, settings))
        return E8_OK;
    enum e8_rc failed = e8_db_fail(*out, path, "cannot be opened", err);
    e8_db_close(out);
    return failed;
}

enum whose { OURS, NEW, FOREIGN, OF_SINK, OF_SERVE, NEWER, UNREADABLE };

/* By its table: receipts bear no number of an application. */
static bool is_of_sink(sqlite3 *db)
{
    sqlite3_stmt *row =
        e8_db_prepare(db, "SELECT 1 FROM pragma_table_info('receipt') WHERE name = 'body_sha256'");
    bool found = row && sqlite3_step(row) == SQLITE_ROW;

    return sqlite3_finalize(row) == SQLITE_OK && found;
}

/* One statement, so that what another process makes of the file at the moment is seen whole or not at all. */
static enum whose identify(sqlite3 *db)
{
    static const char sql[] = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
                              " FROM pragma_application_id, pragma_user_version";
    sqlite3_stmt *row = e8_db_prepare(db, sql);
    enum whose whose = UNREADABLE;

    if (row && sqlite3_step(row) == SQLITE_ROW) {
        int64_t application = sqlite3_column_int64(row, 0), version = sqlite3_column_int64(row, 1);
        if (application == E8_LOG_APPLICATION)
            whose = version > E8_LOG_VERSION ? NEWER : OURS;
        else if (application == E8_SERVE_APPLICATION)
            whose = OF_SERVE;
        else if (application == 0 && version == 0 && sqlite3_column_int64(row, 2) == 0)
            whose = NEW;
        else
            whose = is_of_sink(db) ? OF_SINK : FOREIGN;
    }
    return sqlite3_finalize(row) == SQLITE_OK ? whose : UNREADABLE;
}

static bool has_content(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 || st.st_size > 0;
}

/* Only a file without any content may become a log. Asked twice, because another process may have made it one in between. */
static enum whose identify_to_write(sqlite3 *db, const char *path)
{
    enum whose whose = identify(db);

    if (whose == NEW && has_content(path)) {
        whose = identify(db);
        return whose == NEW ? FOREIGN : whose;
    }
    return whose;
}

static enum e8_rc refuse(sqlite3 *db, enum whose whose, const char *path, const char *what,
                         struct e8_err *err)
{
    switch (whose) {
    case OURS:
        return E8_OK;
    case NEW:
        return e8_db_fail_with(err, E8_INPUT, path, "emit8 run makes one; name another file",
                               "is not a delivery log: it is empty");
    case FOREIGN:
        return e8_db_fail_with(err, E8_INPUT, path, another,
                               "is an SQLite database of another program, not a delivery log of emit8");
    case OF_SINK:
        return e8_db_fail_with(
            err, E8_INPUT, path,
            "sqlite3 reads them, in the table receipt; name the log of the run that was received",
            "holds the receipts of emit8 sink, which is not a delivery log");
    case OF_SERVE:
        return e8_db_fail_with(err, E8_INPUT, path,
                               "its API and its dashboard tell what it has sent; name another file",
                               "is the memory of emit8 serve, not a delivery log");
    case NEWER:
        return e8_db_fail_with(err, E8_INPUT, path, "use that version, or name another file",
                               "was written by a newer version of emit8");
    case UNREADABLE:
        return e8_db_fail(db, path, what, err);
    }
    E8_UNREACHABLE();
}

/* Of several processes that find it empty, one makes the tables. */
/* Rows are appended and read in order: larger pages than SQLite's own of 4 KB mean fewer writes. */
static bool make_tables(sqlite3 *db)
{
    struct e8_buf sql;
    bool good = e8_db_exec(db, "PRAGMA page_size = 8192; BEGIN IMMEDIATE");

    if (!good)
        return false;
    e8_buf_init(&sql, SCHEMA_MAX);
    if (identify(db) == NEW) {
        e8_schema_put(&sql);
        E8_ASSERT(!sql.full);
    }
    e8_buf_puts(&sql, "COMMIT");
    good = e8_db_exec(db, e8_buf_cstr(&sql));
    e8_buf_fini(&sql);
    return good;
}

static bool upgrade(sqlite3 *db)
{
    struct e8_buf sql;
    int64_t version;

    if (!e8_db_int(db, "PRAGMA user_version", &version))
        return false;
    if (version >= E8_LOG_VERSION)
        return true;
    if (!e8_db_exec(db, "BEGIN IMMEDIATE") || !e8_db_int(db, "PRAGMA user_version", &version))
        return false;
    e8_buf_init(&sql, SCHEMA_MAX);
    if (version < E8_LOG_VERSION)
        e8_schema_upgrade(&sql, version);
    e8_buf_puts(&sql, "COMMIT");
    bool good = e8_db_exec(db, e8_buf_cstr(&sql));
    e8_buf_fini(&sql);
    return good;
}

/* The change of mode does not wait for locks by itself. Where the file system cannot do it, the file stays as it is, which
 * is only slower. */
static bool set_modes(sqlite3 *db)
{
    static const char settings[] = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000;"
                                   "PRAGMA cache_size = -16000; PRAGMA secure_delete = OFF;";

    for (int tries = 0; !e8_db_exec(db, "PRAGMA journal_mode = WAL"); tries++) {
        if ((sqlite3_errcode(db) & 0xff) != SQLITE_BUSY || !wait_for_lock(NULL, tries))
            return false;
    }
    return e8_db_exec(db, settings);
}

static enum e8_rc check_writable(sqlite3 *db, const char *path, struct e8_err *err)
{
    if (sqlite3_db_readonly(db, "main") != 1)
        return E8_OK;
    return fail_errno(path, "cannot be written", true, access(path, W_OK) != 0 ? errno : EACCES, err);
}

static enum e8_rc prepare_write(sqlite3 *db, const char *path, struct e8_err *err)
{
    static const char what[] = "cannot be written";
    enum e8_rc rc = check_writable(db, path, err);
    if (rc)
        return rc;
    enum whose whose = identify_to_write(db, path);
    if (whose == NEW) {
        if (!make_tables(db))
            return e8_db_fail(db, path, what, err);
        whose = identify(db);
    }
    rc = refuse(db, whose, path, what, err);
    if (rc == E8_OK && (!upgrade(db) || !set_modes(db) || !e8_db_exec(db, E8_SPOOLED_TABLE)))
        rc = e8_db_fail(db, path, what, err);
    return rc;
}

enum e8_rc e8_db_open_write(const char *path, sqlite3 **out, struct e8_err *err)
{
    bool missing;
    enum e8_rc rc = check_kind(path, true, &missing, err);

    *out = NULL;
    if (rc == E8_OK && missing)
        rc = make_default_dir(path, err);
    if (rc == E8_OK && missing)
        rc = make_private(path, err);
    if (rc == E8_OK)
        rc = open_file(path, "", SQLITE_OPEN_READWRITE, out, err);
    if (rc)
        return rc;
    rc = prepare_write(*out, path, err);
    if (rc)
        e8_db_close(out);
    return rc;
}

/* What has been committed but lies in the write-ahead file only. */
static bool has_wal(const char *path)
{
    struct stat st;
    char *wal = e8_new(strlen(path) + sizeof("-wal"), 1);

    snprintf(wal, strlen(path) + sizeof("-wal"), "%s-wal", path);
    bool has = stat(wal, &st) == 0 && st.st_size > 0;
    free(wal);
    return has;
}

/* A directory in which the files beside it cannot be made: the file is read as one that nobody changes. */
static enum e8_rc open_immutable(const char *path, sqlite3 **db, struct e8_err *err)
{
    e8_db_close(db);
    if (has_wal(path))
        return e8_db_fail_with(err, E8_INPUT, path,
                               "copy it, and the -wal file beside it, to where you may write",
                               "cannot be read here: a part of it is in its write-ahead file");
    return open_file(path, "?immutable=1", SQLITE_OPEN_READONLY, db, err);
}

static bool is_of_wal(sqlite3 *db)
{
    int code = sqlite3_errcode(db) & 0xff;

    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY;
}

enum e8_rc e8_db_open_read(const char *path, sqlite3 **out, struct e8_err *err)
{
    bool missing;
    enum e8_rc rc = check_kind(path, false, &missing, err);

    *out = NULL;
    if (rc == E8_OK && missing)
        return e8_db_fail_with(err, E8_INPUT, path, "emit8 run makes one; name another file",
                               "there is no delivery log");
    if (rc == E8_OK)
        rc = open_file(path, "", SQLITE_OPEN_READONLY, out, err);
    if (rc)
        return rc;
    enum whose whose = identify(*out);
    if (whose == UNREADABLE && is_of_wal(*out)) {
        rc = open_immutable(path, out, err);
        if (rc)
            return rc;
        whose = identify(*out);
    }
    rc = refuse(*out, whose, path, "cannot be read", err);
    if (rc)
        e8_db_close(out);
    return rc;
}
