#include "platform/store_parts.h"

enum { TRIES_MAX = 100 };

static const char *keep(struct e8_arena *arena, const char *text)
{
    return text ? e8_arena_str(arena, e8_str(text)).p : NULL;
}

static void keep_row(struct e8_arena *arena, struct e8_store_row *row)
{
    const char **texts[] = {&row->id,  &row->event_id, &row->type,  &row->environment, &row->webhook,
                            &row->url, &row->outcome,  &row->error, &row->run};

    for (size_t i = 0; i < E8_COUNT(texts); i++)
        *texts[i] = keep(arena, *texts[i]);
}

static e8_dur_ns phase(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, column);
}

static void read_try(sqlite3_stmt *row, struct e8_arena *arena, struct e8_store_try *out)
{
    e8_wall_ns due = sqlite3_column_int64(row, 4);

    *out = (struct e8_store_try){
        .number = (unsigned)(sqlite3_column_int64(row, 0) & ((1 << E8_ATTEMPT_BITS) - 1)),
        .trigger = e8_column_text(row, 1, arena),
        .outcome = e8_column_text(row, 2, arena),
        .error = e8_column_text(row, 12, arena),
        .status = sqlite3_column_int(row, 3),
        .due = due,
        .sent = due + sqlite3_column_int64(row, 5),
        .done = due + sqlite3_column_int64(row, 6),
        .phases = {phase(row, 7), phase(row, 8), phase(row, 9), phase(row, 10), phase(row, 11)},
        .body_length = (uint64_t)sqlite3_column_int64(row, 13),
        .request = e8_column_blob(row, 14, arena),
        .response = e8_column_blob(row, 15, arena),
        .body = e8_column_blob(row, 16, arena),
        .change =
            {
                .how = e8_column_text(row, 17, arena),
                .forged = sqlite3_column_int(row, 18) != 0,
                .has_body = sqlite3_column_type(row, 19) != SQLITE_NULL,
                .body = e8_column_blob(row, 19, arena),
                .length = (uint64_t)sqlite3_column_int64(row, 20),
            },
        .signed_by = (enum e8_signed_by)sqlite3_column_int(row, 21),
    };
    if (!out->error)
        out->error = "";
}

/* The last ones, read backwards. */
static void read_tries(struct e8_side *side, struct e8_arena *arena, struct e8_store_details *out)
{
    static const char sql[] =
        "SELECT a.n, r.text, o.text, a.status, a.due, a.sent, a.done, a.dns, a.connect, a.tls, a.first_byte,"
        " a.total, a.error, a.body_length, a.request, a.response, a.body, a.tamper, a.forged, a.changed,"
        " a.changed_length, a.signed_by FROM attempt a"
        " JOIN word r ON r.n = a.reason JOIN word o ON o.n = a.outcome"
        " WHERE a.n >= ?1 AND a.n < ?2 ORDER BY a.n DESC LIMIT ?3";
    sqlite3_stmt *row;
    size_t first = TRIES_MAX;

    out->attempts = e8_arena_alloc(arena, TRIES_MAX * sizeof *out->attempts);
    row = E8_ASK(side, sql, e8_int(e8_attempt_row(out->row.row, 0)),
                 e8_int(e8_attempt_row(out->row.row + 1, 0)), e8_int(TRIES_MAX));
    while (e8_side_next(side, row))
        read_try(row, arena, &out->attempts[--first]);
    out->attempts += first;
    out->count = TRIES_MAX - first;
}

/* Between the attempts that are told, and behind them. */
static void find_unknown(struct e8_arena *arena, struct e8_store_details *out)
{
    unsigned least = out->count == TRIES_MAX ? out->attempts[0].number : 1;
    size_t known = out->count, first = TRIES_MAX;

    out->unknown = e8_arena_alloc(arena, TRIES_MAX * sizeof *out->unknown);
    for (unsigned n = out->row.attempts; n >= least && first > 0; n--) {
        if (known > 0 && out->attempts[known - 1].number == n)
            known--;
        else
            out->unknown[--first] = n;
    }
    out->unknown += first;
    out->unknown_count = TRIES_MAX - first;
}

enum e8_rc e8_store_delivery(struct e8_store *store, const char *id, struct e8_arena *arena,
                             struct e8_store_details *out, struct e8_err *err)
{
    static const char sql[] = "SELECT " E8_ROW_COLUMNS ", e.created, e.body" E8_ROW_TABLES "WHERE d.id = ?1";
    struct e8_side *side = &store->reader;
    enum e8_rc rc = E8_OK;

    *out = (struct e8_store_details){0};
    e8_side_begin(side, E8_READ);
    sqlite3_stmt *row = E8_ASK(side, sql, e8_text(id));
    if (e8_side_next(side, row)) {
        e8_row_read(row, &out->row);
        keep_row(arena, &out->row);
        out->created = sqlite3_column_int64(row, E8_ROW_WIDTH);
        out->body = e8_column_blob(row, E8_ROW_WIDTH + 1, arena);
        e8_side_done(row);
        read_tries(side, arena, out);
        find_unknown(arena, out);
    } else if (!e8_side_failed(side)) {
        rc = e8_fail(err, E8_INPUT, NULL, "there is no delivery \"%.60s\"", id);
    }
    return e8_side_end(side, rc, err);
}
