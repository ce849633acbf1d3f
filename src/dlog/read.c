#include "dlog/read.h"

#include <stdlib.h>
#include <string.h>

#include "dlog/spool.h"

#define LIST_MAX   65536 /* of what has 16-bit indices */
#define STEPS_MAX  ((uint32_t)4 << 20)
#define SHARDS_MAX 10000

sqlite3_stmt *e8_read_prepare(struct e8_dlog_reader *reader, const char *sql, struct e8_err *err)
{
    sqlite3_stmt *statement = e8_db_prepare(reader->db, sql);

    if (!statement)
        e8_db_fail(reader->db, reader->path, "cannot be read", err);
    return statement;
}

enum e8_rc e8_read_end(struct e8_dlog_reader *reader, sqlite3_stmt *statement, int code, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;

    if (code != SQLITE_DONE && code != SQLITE_ROW)
        rc = e8_db_fail(reader->db, reader->path, "cannot be read", err);
    sqlite3_finalize(statement);
    return rc;
}

enum e8_rc e8_read_damaged(struct e8_dlog_reader *reader, const char *what, struct e8_err *err)
{
    return e8_db_fail_with(err, E8_INPUT, reader->path, "sqlite3 FILE .recover may save what is left",
                           "is damaged: %s", what);
}

struct e8_str e8_read_blob(struct e8_dlog_reader *reader, sqlite3_stmt *row, int column)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        return (struct e8_str){NULL, 0};
    const char *bytes = sqlite3_column_blob(row, column);
    return e8_arena_str(reader->arena, (struct e8_str){bytes, (size_t)sqlite3_column_bytes(row, column)});
}

const char *e8_read_text(struct e8_dlog_reader *reader, sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text ? e8_arena_str(reader->arena, e8_str((const char *)text)).p : NULL;
}

uint64_t e8_read_u64(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

static e8_dur_ns phase(sqlite3_stmt *row, int column)
{
    int64_t value = sqlite3_column_int64(row, column);

    return sqlite3_column_type(row, column) == SQLITE_NULL || value < 0 ? -1 : value;
}

struct e8_phases e8_read_phases(sqlite3_stmt *row, int column)
{
    return (struct e8_phases){
        .dns = phase(row, column),
        .connect = phase(row, column + 1),
        .tls = phase(row, column + 2),
        .first_byte = phase(row, column + 3),
        .total = phase(row, column + 4),
    };
}

uint32_t e8_read_upto(sqlite3_stmt *row, int column, uint32_t max)
{
    int64_t value = sqlite3_column_int64(row, column);

    return value >= 0 && value <= max ? (uint32_t)value : max + 1;
}

static enum e8_rc read_codes(struct e8_dlog_reader *reader, struct e8_err *err)
{
    sqlite3_stmt *row = e8_read_prepare(reader, "SELECT code, name FROM outcome", err);
    int code;

    for (int i = 0; i < CODES_MAX; i++) {
        reader->codes[i].outcome = E8_UNKNOWN;
        reader->codes[i].name = e8_outcome_info(E8_UNKNOWN)->name;
    }
    if (!row)
        return err ? err->rc : E8_INPUT;
    while ((code = sqlite3_step(row)) == SQLITE_ROW) {
        uint32_t i = e8_read_upto(row, 0, CODES_MAX - 1);
        const char *name = e8_read_text(reader, row, 1);
        if (i == CODES_MAX || !name)
            continue;
        reader->codes[i].name = name;
        e8_outcome_find(e8_str(name), &reader->codes[i].outcome);
    }
    return e8_read_end(reader, row, code, err);
}

enum e8_rc e8_dlog_read(const char *path, struct e8_dlog_reader **out, struct e8_err *err)
{
    sqlite3 *db;
    struct e8_err local = {0};
    enum e8_rc rc = e8_settle_left(path, err);

    *out = NULL;
    rc = rc ? rc : e8_db_open_read(path, &db, err);
    if (rc)
        return rc;
    struct e8_dlog_reader *reader = e8_new(1, sizeof(*reader));
    reader->magic = READER_MAGIC;
    reader->db = db;
    reader->path = e8_dup(path);
    reader->arena = e8_arena_new();
    rc = read_codes(reader, err ? err : &local);
    if (rc == E8_OK && !e8_db_int(db, "PRAGMA user_version", &reader->version))
        rc = e8_db_fail(db, path, "cannot be read", err);
    if (rc)
        e8_dlog_reader_free(&reader);
    *out = reader;
    return rc;
}

void e8_dlog_reader_free(struct e8_dlog_reader **reader)
{
    struct e8_dlog_reader *r = *reader;

    if (!r)
        return;
    E8_CHECK_MAGIC(r, READER_MAGIC);
    e8_db_close(&r->db);
    e8_arena_free(&r->arena);
    r->magic = 0;
    free(r->path);
    free(r);
    *reader = NULL;
}

static enum e8_rc fail_unknown_run(struct e8_dlog_reader *reader, int64_t run, struct e8_err *err)
{
    int64_t first = 0, last = 0;

    e8_db_int(reader->db, "SELECT min(id) FROM run", &first);
    e8_db_int(reader->db, "SELECT max(id) FROM run", &last);
    char hint[96] = "emit8 run writes one";
    if (last > 0 && first == last)
        snprintf(hint, sizeof(hint), "there is run %lld alone", (long long)last);
    else if (last > 0)
        snprintf(hint, sizeof(hint), "there are the runs %lld to %lld", (long long)first, (long long)last);
    if (last == 0)
        return e8_db_fail_with(err, E8_INPUT, reader->path, hint, "the log holds no run yet");
    return e8_db_fail_with(err, E8_INPUT, reader->path, hint, "the log holds no run %lld", (long long)run);
}

/* A run's row; columns from the third on are the caller's. *row NULL after an error. */
static enum e8_rc find_run(struct e8_dlog_reader *reader, int64_t run, const char *sql, sqlite3_stmt **row,
                           struct e8_err *err)
{
    *row = e8_read_prepare(reader, sql, err);
    if (!*row)
        return err->rc;
    sqlite3_bind_int64(*row, 1, run);
    int code = sqlite3_step(*row);
    if (code == SQLITE_ROW)
        return E8_OK;
    enum e8_rc rc = e8_read_end(reader, *row, code, err);
    *row = NULL;
    return rc ? rc : fail_unknown_run(reader, run, err);
}

#define OF_RUN " FROM run WHERE id = iif(?1 = 0, (SELECT max(id) FROM run), ?1)"

enum e8_rc e8_read_range(struct e8_dlog_reader *reader, int64_t run, struct e8_read_range *out,
                         struct e8_err *err)
{
    static const char sql[] = "SELECT id, after_attempt, last_attempt, ended" OF_RUN;
    struct e8_err local = {0};
    sqlite3_stmt *row;
    enum e8_rc rc = find_run(reader, run, sql, &row, err ? err : &local);

    if (rc)
        return rc;
    *out = (struct e8_read_range){
        .run = sqlite3_column_int64(row, 0),
        .after = sqlite3_column_int64(row, 1),
        .last = sqlite3_column_int64(row, 2),
        .ended = sqlite3_column_int64(row, 3) != 0,
    };
    if (sqlite3_column_type(row, 2) == SQLITE_NULL)
        out->last = INT64_MAX;
    sqlite3_finalize(row);
    if (out->run <= 0 || out->run >= (int64_t)1 << (63 - E8_EVENT_BITS))
        return e8_read_damaged(reader, "the number of a run is out of range", err);
    return E8_OK;
}

static void fill_run(struct e8_dlog_reader *reader, sqlite3_stmt *row, struct e8_log_run *out)
{
    int c = 0;

    out->id = sqlite3_column_int64(row, c++);
    out->name = e8_read_text(reader, row, c++);
    out->scenario_digest = e8_read_text(reader, row, c++);
    out->fixtures_digest = e8_read_text(reader, row, c++);
    out->version = e8_read_text(reader, row, c++);
    out->curl_version = e8_read_text(reader, row, c++);
    out->command = e8_read_text(reader, row, c++);
    out->seed = e8_read_u64(row, c++);
    out->started = sqlite3_column_int64(row, c++);
    out->ended = sqlite3_column_int64(row, c++);
    out->epoch = sqlite3_column_int64(row, c++);
    out->workers = e8_read_upto(row, c++, 1 << 20);
    out->insecure = sqlite3_column_int64(row, c++) != 0;
    out->planned = e8_read_u64(row, c++);
    out->dropped = e8_read_u64(row, c++);
    out->aborted = e8_read_u64(row, c++);
    out->stalls = e8_read_u64(row, c++);
    out->timer_floor = sqlite3_column_int64(row, c++);
    out->interrupted = sqlite3_column_int64(row, c++) != 0;
    out->notes = e8_read_text(reader, row, c++);
    out->resumes = sqlite3_column_int64(row, c++);
    out->clock = sqlite3_column_int64(row, c++);
    out->speed = sqlite3_column_double(row, c++);
    out->over = e8_read_u64(row, c++);
    out->shard = e8_read_upto(row, c++, SHARDS_MAX);
    out->shards = e8_read_upto(row, c++, SHARDS_MAX);
    out->plan = e8_read_text(reader, row, c++);
}

#define RUN(more)                                                                                            \
    "SELECT id, name, scenario_digest, fixtures_digest, version, curl_version, command, seed,"               \
    " started, ended, epoch, workers, insecure, planned, dropped, aborted, stalls,"                          \
    " timer_floor, interrupted, notes, " more OF_RUN

static enum e8_rc read_run(struct e8_dlog_reader *reader, int64_t run, struct e8_log_run *out,
                           struct e8_err *err)
{
    const char *sql = reader->version < 3   ? RUN("0, 0, 0.0, 0, 0, 0, NULL")
                      : reader->version < 4 ? RUN("resumes, clock, speed, over, 0, 0, NULL")
                                            : RUN("resumes, clock, speed, over, shard, shards, plan");
    sqlite3_stmt *row;
    enum e8_rc rc = find_run(reader, run, sql, &row, err);

    if (rc)
        return rc;
    *out = (struct e8_log_run){0};
    fill_run(reader, row, out);
    return e8_read_end(reader, row, SQLITE_ROW, err);
}

/* A run's numbered rows as an array in the arena. */
typedef bool fill_fn(struct e8_dlog_reader *reader, sqlite3_stmt *row, void *item); /* false: damaged */

struct list {
    const char *count; /* ?1 is the run */
    const char *rows;  /* the first column numbers them */
    size_t size;       /* of an item */
    fill_fn *fill;
    uint32_t max;
};

static enum e8_rc count_list(struct e8_dlog_reader *reader, const struct list *list, int64_t run,
                             size_t *count, struct e8_err *err)
{
    sqlite3_stmt *row = e8_read_prepare(reader, list->count, err);

    *count = 0;
    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, run);
    int code = sqlite3_step(row);
    *count = code == SQLITE_ROW ? e8_read_upto(row, 0, list->max) : 0;
    enum e8_rc rc = e8_read_end(reader, row, code, err);
    return rc || *count <= list->max ? rc : e8_read_damaged(reader, "a run's list is too long", err);
}

static enum e8_rc fill_list(struct e8_dlog_reader *reader, sqlite3_stmt *row, const struct list *list,
                            char *items, size_t count, struct e8_err *err)
{
    int code;
    size_t n = 0;
    bool good = true;

    while ((code = sqlite3_step(row)) == SQLITE_ROW && good) {
        good = n < count && (size_t)sqlite3_column_int64(row, 0) == n &&
               list->fill(reader, row, items + n * list->size);
        n++;
    }
    enum e8_rc rc = e8_read_end(reader, row, code, err);
    if (rc)
        return rc;
    return good && n == count ? E8_OK : e8_read_damaged(reader, "a run's list has gaps", err);
}

static enum e8_rc read_list(struct e8_dlog_reader *reader, int64_t run, const struct list *list, void **items,
                            size_t *count, struct e8_err *err)
{
    enum e8_rc rc = count_list(reader, list, run, count, err);

    if (rc)
        return rc;
    sqlite3_stmt *row = e8_read_prepare(reader, list->rows, err);
    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, run);
    *items =
        e8_arena_alloc(reader->arena, (*count + 1) * list->size); /* one more: thresholds end with NULL */
    return fill_list(reader, row, list, *items, *count, err);
}

static bool fill_endpoint(struct e8_dlog_reader *reader, sqlite3_stmt *row, void *item)
{
    struct e8_log_endpoint *endpoint = item;

    *endpoint = (struct e8_log_endpoint){
        .name = e8_read_text(reader, row, 1),
        .url = e8_read_text(reader, row, 2),
        .scheme = e8_read_text(reader, row, 3),
        .events = e8_read_text(reader, row, 4),
        .environments = e8_read_text(reader, row, 5),
        .timeout = sqlite3_column_int64(row, 6),
        .attempts = e8_read_upto(row, 7, UINT32_MAX - 1),
        .headers = e8_read_text(reader, row, 8),
    };
    return endpoint->name;
}

static bool fill_step(struct e8_dlog_reader *reader, sqlite3_stmt *row, void *item)
{
    *(struct e8_log_step *)item = (struct e8_log_step){
        .type = e8_read_text(reader, row, 1),
        .environment = e8_read_text(reader, row, 2),
        .edits = e8_read_text(reader, row, 3),
        .body = e8_read_blob(reader, row, 4),
        .name = e8_read_text(reader, row, 5),
    };
    return true;
}

static bool fill_text(struct e8_dlog_reader *reader, sqlite3_stmt *row, void *item)
{
    const char **text = item;

    *text = e8_read_text(reader, row, 1);
    return *text;
}

#define ENDPOINTS(headers)                                                                                   \
    {                                                                                                        \
        "SELECT count(*) FROM endpoint WHERE run = ?1",                                                      \
            "SELECT number, name, url, scheme, events, environments, timeout, attempts, " headers            \
            " FROM endpoint WHERE run = ?1 ORDER BY number",                                                 \
            sizeof(struct e8_log_endpoint), fill_endpoint, LIST_MAX,                                         \
    }
static const struct list endpoints = ENDPOINTS("headers"), endpoints_v1 = ENDPOINTS("NULL");
#define STEPS(name)                                                                                          \
    {                                                                                                        \
        "SELECT count(*) FROM step WHERE run = ?1",                                                          \
            "SELECT number, type, environment, edits, body, " name " FROM step WHERE run = ?1 ORDER BY "     \
            "number",                                                                                        \
            sizeof(struct e8_log_step), fill_step, STEPS_MAX,                                                \
    }
static const struct list steps = STEPS("name"), steps_v2 = STEPS("NULL");
static const struct list types = {
    "SELECT count(*) FROM type WHERE run = ?1",
    "SELECT number, name FROM type WHERE run = ?1 ORDER BY number",
    sizeof(const char *),
    fill_text,
    LIST_MAX,
};
static const struct list thresholds = {
    "SELECT coalesce(json_array_length(thresholds), 0) FROM run WHERE id = ?1",
    "SELECT j.key, j.value FROM run, json_each(run.thresholds) AS j WHERE run.id = ?1",
    sizeof(const char *),
    fill_text,
    LIST_MAX,
};

static enum e8_rc read_lists(struct e8_dlog_reader *reader, struct e8_log_run *out, struct e8_err *err)
{
    void *lists[4] = {NULL};
    size_t ignored;
    enum e8_rc rc = read_list(reader, out->id, reader->version < 2 ? &endpoints_v1 : &endpoints, &lists[0],
                              &out->endpoint_count, err);

    rc = rc ? rc
            : read_list(reader, out->id, reader->version < 3 ? &steps_v2 : &steps, &lists[1],
                        &out->step_count, err);
    rc = rc ? rc : read_list(reader, out->id, &types, &lists[2], &out->type_count, err);
    rc = rc ? rc : read_list(reader, out->id, &thresholds, &lists[3], &ignored, err);
    out->endpoints = lists[0];
    out->steps = lists[1];
    out->types = lists[2];
    out->thresholds = lists[3];
    return rc;
}

const char *e8_read_chain(const struct e8_dlog_reader *reader)
{
    return reader->version < 3 ? "WITH chain(id) AS (VALUES(?1)) "
                               : "WITH RECURSIVE chain(id) AS (VALUES(?1) UNION SELECT r.resumes FROM run r"
                                 " JOIN chain c ON r.id = c.id WHERE r.resumes > 0) ";
}

/* A copy may begin with a later number. */
void e8_read_put_first(const struct e8_dlog_reader *reader, struct e8_buf *sql)
{
    if (reader->version < 3)
        e8_buf_puts(sql, "a.number = 1");
    else
        e8_buf_printf(sql, "(a.number = 1 OR (a.copy > 0 AND a.\"trigger\" NOT IN (%d, %d)))",
                      E8_TRIGGER_RETRY, E8_TRIGGER_STALE);
}

/* Ids are ASCII. */
static void put_id(struct e8_buf *sql, const char *column, const char *parameter, bool whole)
{
    if (whole)
        e8_buf_printf(sql, "%s = %s", column, parameter);
    else
        e8_buf_printf(sql, "%s >= %s AND %s < %s || char(127)", column, parameter, column, parameter);
}

void e8_read_put_delivery(const struct e8_dlog_reader *reader, struct e8_buf *sql, const char *parameter,
                          bool whole)
{
    if (reader->version < 4) {
        put_id(sql, "a.delivery_id", parameter, whole);
        return;
    }
    e8_buf_puts(sql, "a.id IN (SELECT b.id FROM attempt_row b WHERE b.several = 1 AND ");
    put_id(sql, "b.delivery_id", parameter, whole);
    e8_buf_printf(sql,
                  " UNION ALL SELECT b.id FROM span s CROSS JOIN attempt_row b ON b.id BETWEEN s.first"
                  " AND s.last WHERE s.low <= %s || '%s' AND s.high >= %s AND b.several IS NULL AND ",
                  parameter, whole ? "" : "\x7f", parameter);
    put_id(sql, "+b.delivery_id", parameter, whole); /* +: no index is made of all for this */
    e8_buf_puts(sql, " UNION ALL SELECT b.id FROM attempt_row b WHERE b.id > " E8_SPANNED
                     " AND b.several IS NULL AND ");
    put_id(sql, "+b.delivery_id", parameter, whole);
    e8_buf_putc(sql, ')');
}

/* Of a run that has not ended, or never will: what its attempts tell. */
static enum e8_rc count_so_far(struct e8_dlog_reader *reader, struct e8_log_run *out, struct e8_err *err)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 4096);
    e8_buf_puts(&sql, "SELECT count(*) FILTER (WHERE ");
    e8_read_put_first(reader, &sql);
    e8_buf_puts(&sql, "), count(*) FILTER (WHERE last) FROM attempt a"
                      " WHERE run = ?1 AND id > (SELECT after_attempt FROM run WHERE id = ?1)"
                      " AND NOT flags & ?2");
    sqlite3_stmt *row = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);

    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, out->id);
    sqlite3_bind_int64(row, 2, E8_FLAG_WARMUP);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        uint64_t ended = e8_read_u64(row, 1);
        out->planned = e8_read_u64(row, 0);
        out->aborted = out->planned > ended ? out->planned - ended : 0;
    }
    return e8_read_end(reader, row, code, err);
}

enum e8_rc e8_dlog_run(struct e8_dlog_reader *reader, int64_t run, struct e8_log_run *out, struct e8_err *err)
{
    struct e8_err local = {0};

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    enum e8_rc rc = read_run(reader, run, out, err);
    rc = rc ? rc : read_lists(reader, out, err);
    if (rc == E8_OK && out->ended == 0)
        rc = count_so_far(reader, out, err);
    return rc;
}

enum e8_rc e8_dlog_newest_shard(struct e8_dlog_reader *reader, int64_t *run, struct e8_err *err)
{
    static const char sql[] = "SELECT coalesce(max(id), 0) FROM run WHERE shard > 0";

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    *run = 0;
    if (reader->version >= 4 && !e8_db_int(reader->db, sql, run))
        return e8_db_fail(reader->db, reader->path, "cannot be read", err);
    return *run > 0 ? E8_OK
                    : e8_db_fail_with(err, E8_INPUT, reader->path, "emit8 run --shard 1/4 … writes one",
                                      "the log holds no run of a shard");
}
