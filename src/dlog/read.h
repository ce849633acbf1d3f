/* The reading side's parts. Internal to dlog. Whatever a file says is checked here: it may be damaged or made by anybody. */
#ifndef E8_DLOG_READ_H
#define E8_DLOG_READ_H

#include "dlog/db.h"
#include "dlog/dlog.h"

enum { READER_MAGIC = 0x0a4e8502, CODES_MAX = 256 };

struct e8_dlog_reader {
    unsigned magic;
    sqlite3 *db;
    char *path;
    int64_t version;
    struct e8_arena *arena; /* texts handed out */
    struct {
        enum e8_outcome outcome; /* unknown where this version has no such name */
        const char *name;
    } codes[CODES_MAX]; /* the file's numbers of outcomes */
};

/* The rows of a run: after < attempt.id <= last. */
struct e8_read_range {
    int64_t run, after, last;
    bool ended;
};
/* run 0: the newest. E8_INPUT with the known runs. */
enum e8_rc e8_read_range(struct e8_dlog_reader *reader, int64_t run, struct e8_read_range *out,
                         struct e8_err *err);

/* NULL, with *err filled, when it failed. */
sqlite3_stmt *e8_read_prepare(struct e8_dlog_reader *reader, const char *sql, struct e8_err *err);
/* Finalizes; `code` is the last step's: SQLITE_DONE, or SQLITE_ROW where no more rows were wanted, is success. */
enum e8_rc e8_read_end(struct e8_dlog_reader *reader, sqlite3_stmt *statement, int code, struct e8_err *err);
enum e8_rc e8_read_damaged(struct e8_dlog_reader *reader, const char *what, struct e8_err *err);

/* The condition that an attempt's (as `a`) delivery id is the parameter, or begins with it. */
void e8_read_put_delivery(const struct e8_dlog_reader *reader, struct e8_buf *sql, const char *parameter,
                          bool whole);

/* Columns. Copies into the arena; NULL stays NULL. */
const char *e8_read_text(struct e8_dlog_reader *reader, sqlite3_stmt *row, int column);
struct e8_str e8_read_blob(struct e8_dlog_reader *reader, sqlite3_stmt *row, int column);
uint64_t e8_read_u64(sqlite3_stmt *row, int column);
struct e8_phases e8_read_phases(sqlite3_stmt *row, int column); /* five of them; NULL: -1 */
/* A table `chain` of the run ?1 and of those that it goes on with, for what begins with it. */
const char *e8_read_chain(const struct e8_dlog_reader *reader);
/* The condition that an attempt (as `a`) is the first of its delivery or copy. */
void e8_read_put_first(const struct e8_dlog_reader *reader, struct e8_buf *sql);
/* The value where it is in 0..max, else max + 1, which is then refused. */
uint32_t e8_read_upto(sqlite3_stmt *row, int column, uint32_t max);

#endif
