/* The queue. Each endpoint has two lanes in an index, by due: test events, which go out even where it is disabled, and all else. So
 * what waits for one endpoint stands in no other's way. */
#include "platform/store_parts.h"

struct wish {
    e8_wall_ns opened, until, next;
    size_t limit;
    e8_due_skip_fn *skip;
    e8_due_fn *fn;
    void *state;
};

static enum e8_trigger trigger_of(sqlite3_stmt *row)
{
    bool asked = sqlite3_column_type(row, 8) != SQLITE_NULL;

    if (asked)
        return E8_TRIGGER_RESEND;
    if (sqlite3_column_int64(row, 5) > 0)
        return E8_TRIGGER_RETRY;
    return sqlite3_column_int(row, 7) ? E8_TRIGGER_TEST : E8_TRIGGER_EVENT;
}

static void give(struct e8_side *side, int64_t n, const struct wish *wish)
{
    static const char sql[] =
        "SELECT d.id, w.id, e.id, t.text, v.text, d.number, d.tries, d.test, d.asked, d.due, e.body,"
        " max(?2, iif(d.test, 0, w.enabled_at)), r.id,"
        " iif(w.secret_before IS NULL, d.created, max(d.created, ifnull(d.asked, 0), ifnull((SELECT "
        "max(a.due)"
        " FROM attempt a WHERE a.n BETWEEN ?1 << 20 AND (?1 << 20) + 1048575 AND a.reason ="
        " (SELECT n FROM word WHERE text = ?3)), 0)))"
        " FROM delivery d JOIN event e ON e.n = d.event JOIN webhook w ON w.n = d.webhook"
        " JOIN word t ON t.n = e.type JOIN word v ON v.n = e.environment LEFT JOIN run r ON r.n = d.run"
        " WHERE d.row = ?1";
    sqlite3_stmt *row =
        E8_ASK(side, sql, e8_int(n), e8_int(wish->opened), e8_text(e8_trigger_name(E8_TRIGGER_RESEND)));

    if (!e8_side_next(side, row))
        return;
    const struct e8_due due = {
        .row = n,
        .id = (const char *)sqlite3_column_text(row, 0),
        .webhook = (const char *)sqlite3_column_text(row, 1),
        .event_id = (const char *)sqlite3_column_text(row, 2),
        .type = (const char *)sqlite3_column_text(row, 3),
        .environment = (const char *)sqlite3_column_text(row, 4),
        .run = (const char *)sqlite3_column_text(row, 12),
        .test = sqlite3_column_int(row, 7) != 0,
        .body = e8_column_bytes(row, 10),
        .asked = sqlite3_column_int64(row, 13),
        .due = sqlite3_column_int64(row, 9),
        .since = sqlite3_column_int64(row, 11),
        .number = (unsigned)sqlite3_column_int64(row, 5) + 1,
        .tries = (unsigned)sqlite3_column_int64(row, 6) + 1,
        .trigger = trigger_of(row),
    };
    wish->fn(wish->state, &due);
    e8_side_done(row);
}

static void read_lane(struct e8_side *side, int64_t webhook, bool test, struct wish *wish)
{
    static const char sql[] = "SELECT due, row FROM delivery INDEXED BY delivery_queue"
                              " WHERE webhook = ?1 AND test = ?2 AND due IS NOT NULL ORDER BY due, row";
    sqlite3_stmt *row = E8_ASK(side, sql, e8_int(webhook), e8_int(test));

    while (e8_side_next(side, row)) {
        e8_wall_ns due = sqlite3_column_int64(row, 0);
        int64_t n = sqlite3_column_int64(row, 1);
        if (wish->skip && wish->skip(wish->state, n))
            continue;
        if (due >= wish->until || wish->limit == 0) {
            wish->next = due < wish->next ? due : wish->next;
            break;
        }
        give(side, n, wish);
        wish->limit--;
    }
    e8_side_done(row);
}

enum e8_rc e8_store_due(struct e8_store *store, const char *webhook, e8_wall_ns until, size_t limit,
                        e8_due_skip_fn *skip, e8_due_fn *fn, void *state, e8_wall_ns *next,
                        struct e8_err *err)
{
    static const char sql[] = "SELECT n, enabled FROM webhook WHERE id = ?1 AND NOT deleted";
    struct wish wish = {
        .opened = store->opened,
        .until = until,
        .next = E8_NEVER,
        .limit = limit,
        .skip = skip,
        .fn = fn,
        .state = state,
    };
    struct e8_side *side = &store->queue;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(side, E8_READ);
    sqlite3_stmt *row = E8_ASK(side, sql, e8_text(webhook));
    if (e8_side_next(side, row)) {
        read_lane(side, sqlite3_column_int64(row, 0), true, &wish);
        if (sqlite3_column_int(row, 1))
            read_lane(side, sqlite3_column_int64(row, 0), false, &wish);
        e8_side_done(row);
    }
    *next = wish.next;
    return e8_side_end(side, E8_OK, err);
}
