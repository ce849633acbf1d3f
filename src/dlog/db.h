/* The file itself: is it ours, how it is opened, what an error of SQLite means to the user. Internal to dlog. */
#ifndef E8_DLOG_DB_H
#define E8_DLOG_DB_H

#include <sqlite3.h>
#include <stdbool.h>

#include "base/base.h"

#define E8_LOG_APPLICATION   0x65386c67 /* "e8lg", PRAGMA application_id */
#define E8_SERVE_APPLICATION 0x65387374 /* "e8st": E8_STORE_APPLICATION, to say whose file that is */
#define E8_LOG_VERSION                                                                                       \
    6 /* PRAGMA user_version; a reader takes its own and older ones, a writer brings them up */

/* An event's row is run << 32 | number: the rows of a run lie together, and its attempts say where. */
#define E8_EVENT_BITS 32

/* attempt_row.result: the flags, and from these bits on the other small facts. */
#define E8_RESULT_NUMBER  16
#define E8_RESULT_STATUS  32 /* 10 bits; 0: none */
#define E8_RESULT_VERDICT 42 /* 2 */
#define E8_RESULT_LAST    44
#define E8_RESULT_TRIGGER 45 /* 4 */
#define E8_RESULT_OUTCOME 49 /* 14: its number in the file */

#define E8_CODE_MAX 16383

/* A span tells between which ids the deliveries of its attempts lie, those of `several` left out, which an index has. Spans follow
 * each other without gaps, whoever wrote the attempts; those that have come since the newest one are looked through. */
#define E8_SPANNED "coalesce((SELECT last FROM span ORDER BY first DESC LIMIT 1), 0)"
#define E8_SPAN                                                                                              \
    "INSERT INTO span SELECT min(id), max(id), min(delivery_id) FILTER (WHERE several IS NULL),"             \
    " max(delivery_id) FILTER (WHERE several IS NULL) FROM attempt_row WHERE id > " E8_SPANNED
#define E8_SPAN_NEXT     E8_SPAN " HAVING count(*) > 0" /* one of all that have come since */
#define E8_SPANS_MISSING E8_SPAN " GROUP BY id >> 10"   /* one for each thousand */

/* How far the spool of a run has been taken, so that nothing in it is taken twice after a kill. Logs of this version had none at first. */
#define E8_SPOOLED_TABLE                                                                                     \
    "CREATE TABLE IF NOT EXISTS spooled(run INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;"

/* With tables made, in WAL mode, ready to write. *out is NULL after an error. */
enum e8_rc e8_db_open_write(const char *path, sqlite3 **out, struct e8_err *err);
enum e8_rc e8_db_open_read(const char *path, sqlite3 **out, struct e8_err *err);
void e8_db_close(sqlite3 **db);

/* What the last call on db failed of; `what` did not succeed ("cannot be written"). A damaged or foreign file and a path of
 * the wrong kind are the user's input, everything else the environment. */
enum e8_rc e8_db_fail(sqlite3 *db, const char *path, const char *what, struct e8_err *err);
/* Any rc, with the file. */
enum e8_rc e8_db_fail_with(struct e8_err *err, enum e8_rc rc, const char *path, const char *hint,
                           const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The first column of the first row; false when there is none or it failed. */
bool e8_db_int(sqlite3 *db, const char *sql, int64_t *out);
bool e8_db_exec(sqlite3 *db, const char *sql);
bool e8_db_run(sqlite3_stmt *statement); /* one that gives no rows; then ready to run again */
sqlite3_stmt *e8_db_prepare(sqlite3 *db, const char *sql); /* NULL: failed */

/* schema.c: the statements that make an empty file a log, for one transaction. */
void e8_schema_put(struct e8_buf *sql);
/* Those that bring a log of an older version up, likewise. */
void e8_schema_upgrade(struct e8_buf *sql, int64_t version);
/* The statement that makes rows of attempt_row of wider ones (as `a`), a column for each fact: expressions for what is not a column
 * of theirs everywhere, and whence they come, in order. */
struct e8_schema_wide {
    const char *id, *step, *error, *from;
};
void e8_schema_put_narrow(struct e8_buf *sql, const struct e8_schema_wide *wide);

/* open.c: the default place without EMIT8_LOG; false when the environment names none. */
bool e8_dlog_state_path(struct e8_buf *out);

#endif
