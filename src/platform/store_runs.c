/* Runs, as they are told: those that have ended, and those under way as they were last written. */
#include "platform/store_parts.h"

#define COLUMNS                                                                                              \
    "SELECT n, id, name, state, note, started, ended, planned, length, attempts, delivered, failed,"         \
    " withheld, lost, stalls, p50, p99, unknown, seed, coalesce(speed, 0) FROM run WHERE "

static uint64_t count_at(sqlite3_stmt *row, int column)
{
    return (uint64_t)sqlite3_column_int64(row, column);
}

static void read_run(sqlite3_stmt *row, struct e8_arena *arena, struct e8_store_run *out)
{
    *out = (struct e8_store_run){
        .n = sqlite3_column_int64(row, 0),
        .id = e8_column_text(row, 1, arena),
        .name = e8_column_text(row, 2, arena),
        .state = (enum e8_run_state)sqlite3_column_int(row, 3),
        .note = e8_column_text(row, 4, arena),
        .started = sqlite3_column_int64(row, 5),
        .ended = sqlite3_column_int64(row, 6),
        .figures = {.planned = sqlite3_column_int64(row, 7),
                    .length = sqlite3_column_int64(row, 8),
                    .attempts = count_at(row, 9),
                    .delivered = count_at(row, 10),
                    .failed = count_at(row, 11),
                    .withheld = count_at(row, 12),
                    .lost = count_at(row, 13),
                    .stalls = count_at(row, 14),
                    .p50 = sqlite3_column_int64(row, 15),
                    .p99 = sqlite3_column_int64(row, 16),
                    .unknown = count_at(row, 17)},
        .seed = sqlite3_column_int64(row, 18),
        .speed = sqlite3_column_double(row, 19),
    };
}

enum e8_rc e8_store_runs(struct e8_store *store, int64_t before, size_t limit, struct e8_arena *arena,
                         struct e8_store_run **out, size_t *count, struct e8_err *err)
{
    static const char sql[] = COLUMNS "n < ?1 ORDER BY n DESC LIMIT ?2";
    struct e8_side *side = &store->reader;
    size_t n = 0;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    *out = e8_arena_alloc(arena, (limit + 1) * sizeof **out);
    e8_side_begin(side, E8_READ);
    sqlite3_stmt *row = E8_ASK(side, sql, e8_int(before > 0 ? before : INT64_MAX), e8_int((int64_t)limit));
    for (; e8_side_next(side, row); n++)
        read_run(row, arena, &(*out)[n]);
    *count = n;
    return e8_side_end(side, E8_OK, err);
}

enum e8_rc e8_store_run(struct e8_store *store, const char *id, struct e8_arena *arena,
                        struct e8_store_run *out, struct e8_err *err)
{
    static const char sql[] = COLUMNS "id = ?1";
    struct e8_side *side = &store->reader;
    enum e8_rc rc = E8_OK;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(side, E8_READ);
    sqlite3_stmt *row = E8_ASK(side, sql, e8_text(id));
    if (e8_side_next(side, row))
        read_run(row, arena, out);
    else if (!e8_side_failed(side))
        rc = e8_fail(err, E8_INPUT, "GET /v1/runs lists them", "there is no run \"%.60s\"", id);
    e8_side_done(row);
    return e8_side_end(side, rc, err);
}
