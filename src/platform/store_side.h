/* A connection to the store's file, and what the files of the store share. Internal to the store.
 *
 * Errors need not be looked at call by call: the first one is kept until the transaction ends, what is asked after it does nothing
 * and finds nothing, and e8_side_end takes everything back and tells. */
#ifndef E8_PLATFORM_STORE_SIDE_H
#define E8_PLATFORM_STORE_SIDE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "platform/store.h"

#define E8_STORE_APPLICATION 0x65387374 /* "e8st", PRAGMA application_id */
#define E8_STORE_VERSION     9          /* PRAGMA user_version */

struct e8_side {
    pthread_mutex_t lock; /* held from begin to end */
    sqlite3 *db;
    const char *path; /* the store's */
    bool writes, synced;
    struct e8_kept {
        const char *sql; /* by its address */
        sqlite3_stmt *statement;
    } * kept;
    size_t count, room;
    int code, cause; /* of the first failure since begin: of SQLite, of the system; 0: none */
    char text[160];
};

struct e8_store {
    unsigned magic;
    char *path;
    int lock; /* of the file beside it, against a second process */
    e8_wall_ns opened;
    struct e8_side writer, reader, queue;
    _Atomic uint64_t version;
    atomic_bool remembers; /* the write-ahead file may have secrets that were erased */
    int64_t trimmed,
        summed; /* where the next trim goes on: a block of rows, an endpoint; under the writer's lock */
};
enum { E8_STORE_MAGIC = 0x0a4e8701 };

/* store_schema.c: the statements that make of a file of version n (0: an empty one) one of version n + 1. */
extern const char *const e8_store_schema[E8_STORE_VERSION];

/* ---- transactions ---- */
enum e8_side_mode { E8_READ, E8_WRITE, E8_SYNC }; /* SYNC: on the disk when it has ended */
void e8_side_begin(struct e8_side *side, enum e8_side_mode mode);
/* Commits when rc is E8_OK and nothing has failed, else takes back. Any other rc comes back as it is, *err the caller's. */
enum e8_rc e8_side_end(struct e8_side *side, enum e8_rc rc, struct e8_err *err);
bool e8_side_failed(const struct e8_side *side);

/* ---- statements: texts that last, since they are known by their address ---- */
struct e8_value {
    enum { E8_VALUE_NULL, E8_VALUE_INT, E8_VALUE_REAL, E8_VALUE_TEXT, E8_VALUE_BLOB } kind;
    int64_t number;
    double real;
    struct e8_str bytes;
};
static inline struct e8_value e8_int(int64_t number)
{
    return (struct e8_value){.kind = E8_VALUE_INT, .number = number};
}
static inline struct e8_value e8_int_or_null(int64_t number) /* 0 is NULL */
{
    return (struct e8_value){.kind = number ? E8_VALUE_INT : E8_VALUE_NULL, .number = number};
}
static inline struct e8_value e8_real(double real)
{
    return (struct e8_value){.kind = E8_VALUE_REAL, .real = real};
}
static inline struct e8_value e8_text(const char *text) /* NULL is NULL */
{
    return (struct e8_value){.kind = text ? E8_VALUE_TEXT : E8_VALUE_NULL, .bytes = e8_str(text)};
}
static inline struct e8_value e8_blob(struct e8_str bytes)
{
    return (struct e8_value){.kind = E8_VALUE_BLOB, .bytes = bytes};
}
#define E8_VALUES(...)                                                                                       \
    (const struct e8_value[]){__VA_ARGS__},                                                                  \
        sizeof((const struct e8_value[]){__VA_ARGS__}) / sizeof(struct e8_value)

/* Ready to give its first row, with the values in the places of ?1, ?2, …, which must last until it is done. NULL: failed. */
sqlite3_stmt *e8_side_ask(struct e8_side *side, const char *sql, const struct e8_value *values, size_t count);
/* The next row, or false when there is none: then it is done. */
bool e8_side_next(struct e8_side *side, sqlite3_stmt *statement);
/* Whoever does not ask for all rows. NULL is allowed. */
void e8_side_done(sqlite3_stmt *statement);
/* A statement that gives no rows. */
void e8_side_run(struct e8_side *side, const char *sql, const struct e8_value *values, size_t count);
/* The first column of the first row; `otherwise` where there is none. */
int64_t e8_side_int(struct e8_side *side, int64_t otherwise, const char *sql, const struct e8_value *values,
                    size_t count);
int64_t e8_side_changes(struct e8_side *side); /* rows of the last statement */

#define E8_ASK(side, sql, ...)            e8_side_ask((side), (sql), E8_VALUES(__VA_ARGS__))
#define E8_RUN(side, sql, ...)            e8_side_run((side), (sql), E8_VALUES(__VA_ARGS__))
#define E8_INT(side, otherwise, sql, ...) e8_side_int((side), (otherwise), (sql), E8_VALUES(__VA_ARGS__))

/* Columns, copied into the arena. A text that is NULL is NULL. */
const char *e8_column_text(sqlite3_stmt *row, int column, struct e8_arena *arena);
struct e8_str e8_column_blob(sqlite3_stmt *row, int column, struct e8_arena *arena);
/* Valid until the statement goes on. */
struct e8_str e8_column_bytes(sqlite3_stmt *row, int column);

/* Lower parts of opening, for store.c. */
void e8_side_init(struct e8_side *side, const char *path, bool writes);
void e8_side_close(struct e8_side *side);
void e8_side_note(struct e8_side *side); /* that the last call on db has failed, unless another had before */
/* What has failed, of the file as it is found (then a damaged one is the user's input), or later on. */
enum e8_rc e8_side_tell(const struct e8_side *side, bool opening, struct e8_err *err);
bool e8_side_of_path(int cause); /* errno: the path is wrong; all else is the system's refusal */
bool e8_side_exec(struct e8_side *side, const char *sql);
int e8_side_wait(void *state, int tries); /* for another program's lock: SQLite's busy handler */

#endif
