/* Opening: whose file it is, that nobody else uses it, its modes. */
#include "platform/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/store_parts.h"

enum { TEXT_MAX = 64 << 20, DATABASE_MIN = 512 };

static const char another[] = "name another directory";

static enum e8_rc fail(const char *path, enum e8_rc rc, const char *hint, const char *what, int cause,
                       struct e8_err *err)
{
    e8_fail_at(err, path, 0, 0, hint, cause ? "%s: %s" : "%s", what, strerror(cause));
    if (err)
        err->rc = rc;
    return rc;
}

static enum e8_rc fail_errno(const char *path, const char *what, int cause, struct e8_err *err)
{
    bool of_path = e8_side_of_path(cause);
    bool of_owner = cause == EACCES || cause == EPERM;

    return fail(path, of_path ? E8_INPUT : E8_ENV, of_path || of_owner ? another : NULL, what, cause, err);
}

/* ---- the file ---- */

/* SQLite makes its files as the umask says, and the side files with the mode of the first. The file is never opened here: closing
 * it would drop the locks that this process may hold on it through SQLite. */
static enum e8_rc make_private(const char *path, struct e8_err *err)
{
    struct stat st;

    if (mknod(path, S_IFREG | 0600, 0) == 0)
        return E8_OK;
    if (errno != EEXIST)
        return fail_errno(path, "cannot be made", errno, err);
    if (stat(path, &st) != 0)
        return fail_errno(path, "cannot be opened", errno, err);
    if (!S_ISREG(st.st_mode))
        return fail(path, E8_INPUT, another, "is not a regular file", 0, err);
    if (st.st_size > 0 && st.st_size < DATABASE_MIN) /* SQLite would take a byte for an empty database */
        return fail(path, E8_INPUT, another, "is not the state of emit8 serve", 0, err);
    if ((st.st_mode & 077) != 0 && chmod(path, 0600) != 0)
        return fail_errno(path, "cannot be made private", errno, err);
    return E8_OK;
}

static enum e8_rc lock_failed(const char *path, int cause, struct e8_err *err)
{
    if (cause != EWOULDBLOCK)
        return fail_errno(path, "cannot be locked", cause, err);
    return fail(path, E8_ENV, "end it, or name another directory", "is in use by another emit8 serve", 0,
                err);
}

/* On a file of its own, so that SQLite's locks have nothing to do with it. It stays: who removes a lock file takes it from another. */
static enum e8_rc lock_file(struct e8_store *store, struct e8_err *err)
{
    struct e8_buf name;

    e8_buf_init(&name, 64 << 10);
    e8_buf_printf(&name, "%s-lock", store->path);
    store->lock = open(e8_buf_cstr(&name), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    e8_buf_fini(&name);
    if (store->lock < 0)
        return fail_errno(store->path, "its lock cannot be made", errno, err);
    if (flock(store->lock, LOCK_EX | LOCK_NB) != 0)
        return lock_failed(store->path, errno, err);
    return E8_OK;
}

/* ---- a connection ---- */

/* A URI, so that no path means anything else (":memory:", "file:…"). */
static void put_uri(struct e8_buf *uri, const char *path)
{
    e8_buf_puts(uri, path[0] == '/' ? "file:" : "file:./");
    for (; *path; path++) {
        if (strchr("?#%", *path))
            e8_buf_printf(uri, "%%%02x", (unsigned)(unsigned char)*path);
        else
            e8_buf_putc(uri, *path);
    }
}

static bool connect(struct e8_side *side)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    struct e8_buf uri;

    e8_buf_init(&uri, 64 << 10);
    put_uri(&uri, side->path);
    int code = sqlite3_open_v2(e8_buf_cstr(&uri), &side->db, flags, NULL);
    e8_buf_fini(&uri);
    if (code != SQLITE_OK) {
        e8_side_note(side);
        return false;
    }
    sqlite3_busy_handler(side->db, e8_side_wait, NULL);
    sqlite3_db_config(side->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(side->db, SQLITE_LIMIT_LENGTH, TEXT_MAX);
    return e8_side_exec(side, "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;");
}

/* ---- whose it is ---- */

enum whose { OURS, NEW, FOREIGN, NEWER, UNREADABLE };

/* Of its first page alone, which is made before the tables, a kill may have left one without them. */
static enum whose identify(struct e8_side *side, int *version)
{
    static const char sql[] =
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema), page_count, auto_vacuum"
        " FROM pragma_application_id, pragma_user_version, pragma_page_count, pragma_auto_vacuum";
    sqlite3_stmt *row = e8_side_ask(side, sql, NULL, 0);

    if (!e8_side_next(side, row))
        return UNREADABLE;
    int64_t application = sqlite3_column_int64(row, 0);
    int64_t tables = sqlite3_column_int64(row, 2), pages = sqlite3_column_int64(row, 3);
    bool incremental = sqlite3_column_int(row, 4) == 2;
    *version = sqlite3_column_int(row, 1);
    e8_side_done(row);
    if (application == E8_STORE_APPLICATION)
        return *version > E8_STORE_VERSION ? NEWER : OURS;
    if (application != 0 || *version != 0 || tables != 0)
        return FOREIGN;
    return pages == 0 || (pages == 1 && incremental) ? NEW : FOREIGN;
}

static enum e8_rc refuse(const struct e8_side *side, enum whose whose, struct e8_err *err)
{
    switch (whose) {
    case OURS:
    case NEW:
        return E8_OK;
    case FOREIGN:
        return fail(side->path, E8_INPUT, another,
                    "is an SQLite database of another program, not the state of emit8 serve", 0, err);
    case NEWER:
        return fail(side->path, E8_INPUT, "use that version, or name another directory",
                    "was written by a newer version of emit8", 0, err);
    case UNREADABLE:
        return e8_side_tell(side, true, err);
    }
    E8_UNREACHABLE();
}

/* All that versions after `version` have brought; 0: into an empty file. */
static bool make_tables(struct e8_side *side, int version)
{
    struct e8_buf sql;

    if (version == E8_STORE_VERSION)
        return true;
    e8_buf_init(&sql, 64 << 10);
    e8_buf_puts(&sql,
                version == 0 ? "PRAGMA auto_vacuum = INCREMENTAL; BEGIN IMMEDIATE;" : "BEGIN IMMEDIATE;");
    for (int i = version; i < E8_STORE_VERSION; i++)
        e8_buf_puts(&sql, e8_store_schema[i]);
    e8_buf_printf(&sql, " PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT;",
                  E8_STORE_APPLICATION, E8_STORE_VERSION);
    E8_ASSERT(!sql.full);
    bool good = e8_side_exec(side, e8_buf_cstr(&sql));
    e8_buf_fini(&sql);
    return good;
}

/* The change of mode does not wait for locks by itself. */
static bool set_wal(struct e8_side *side)
{
    for (int tries = 0; sqlite3_exec(side->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK;
         tries++) {
        if ((sqlite3_errcode(side->db) & 0xff) != SQLITE_BUSY || !e8_side_wait(NULL, tries)) {
            e8_side_note(side);
            return false;
        }
    }
    return true;
}

static enum e8_rc open_writer(struct e8_store *store, struct e8_err *err)
{
    static const char settings[] = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000;"
                                   "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -32000;"
                                   "PRAGMA secure_delete = FAST;";
    struct e8_side *side = &store->writer;

    if (!connect(side))
        return e8_side_tell(side, true, err);
    if (sqlite3_db_readonly(side->db, "main") == 1)
        return fail_errno(side->path, "cannot be written", access(side->path, W_OK) != 0 ? errno : EACCES,
                          err);
    int version = 0;
    enum e8_rc rc = refuse(side, identify(side, &version), err);
    if (rc == E8_OK)
        rc = lock_file(store, err);
    if (rc == E8_OK)
        rc = refuse(side, identify(side, &version), err); /* as it is now that nobody else makes it */
    if (rc)
        return rc;
    if (!make_tables(side, version) || !set_wal(side) || !e8_side_exec(side, settings))
        return e8_side_tell(side, true, err);
    return E8_OK;
}

static enum e8_rc open_reader(struct e8_side *side, struct e8_err *err)
{
    static const char settings[] = "PRAGMA query_only = ON; PRAGMA cache_size = -32000;"
                                   "PRAGMA temp_store = MEMORY;";

    return connect(side) && e8_side_exec(side, settings) ? E8_OK : e8_side_tell(side, true, err);
}

enum e8_rc e8_store_open(const char *path, e8_wall_ns now, struct e8_store **out, struct e8_err *err)
{
    struct e8_store *store = e8_new(1, sizeof *store);

    *out = NULL;
    *store = (struct e8_store){.magic = E8_STORE_MAGIC, .path = e8_dup(path), .lock = -1, .opened = now};
    e8_side_init(&store->writer, store->path, true);
    e8_side_init(&store->reader, store->path, false);
    e8_side_init(&store->queue, store->path, false);
    enum e8_rc rc = make_private(path, err);
    if (rc == E8_OK)
        rc = open_writer(store, err);
    if (rc == E8_OK)
        rc = open_reader(&store->reader, err);
    if (rc == E8_OK)
        rc = open_reader(&store->queue, err);
    if (rc == E8_OK)
        rc = e8_store_cancel_deleted(store, err);
    if (rc == E8_OK)
        rc = e8_store_close_runs(store, err);
    if (rc == E8_OK)
        *out = store;
    else
        e8_store_close(&store);
    return rc;
}

void e8_store_close(struct e8_store **store)
{
    struct e8_store *s = *store;

    if (!s)
        return;
    E8_CHECK_MAGIC(s, E8_STORE_MAGIC);
    e8_side_close(&s->queue);
    e8_side_close(&s->reader);
    e8_side_close(&s->writer);
    if (s->lock >= 0)
        close(s->lock);
    free(s->path);
    s->magic = 0;
    free(s);
    *store = NULL;
}
