#include "platform/store_parts.h"

enum { SOME = 500 };

/* Why it was cancelled is no longer so. */
static void send_again(struct e8_side *side, int64_t row, const struct e8_kind *kind, e8_wall_ns now)
{
    static const char sql[] = "UPDATE delivery SET kind = ?2, due = ?3, asked = ?3, tries = 0,"
                              " error = iif(?4, NULL, error) WHERE row = ?1";
    struct e8_kind again = *kind;

    again.state = kind->class == E8_CLASS_UNSENT ? E8_STATE_PENDING : E8_STATE_RETRYING;
    e8_kind_leave(side, kind);
    E8_RUN(side, sql, e8_int(row), e8_int(e8_kind_enter(side, &again, row)), e8_int(now),
           e8_int(kind->state == E8_STATE_CANCELLED));
}

#define FOUND "SELECT d.row, k.webhook, k.type, k.environment, k.test, k.state, k.class"
#define WHERE " FROM delivery d JOIN kind k ON k.n = d.kind JOIN webhook w ON w.n = d.webhook WHERE "
/* One that the filter takes, unless it is not of the time or the status asked for, or its endpoint is gone. */
#define TAKEN "d.row = ?1 AND NOT w.deleted AND d.created >= ?2 AND d.created < ?3 AND ?4 IN (0, d.status)"
#define ASK_TAKEN(side, sql, row, filter)                                                                    \
    E8_ASK(side, sql, e8_int(row), e8_int((filter)->since),                                                  \
           e8_int((filter)->until ? (filter)->until : E8_NEVER), e8_int((filter)->code))

enum e8_rc e8_store_resend(struct e8_store *store, const char *delivery, e8_wall_ns now, struct e8_err *err)
{
    static const char sql[] = FOUND ", w.deleted" WHERE "d.id = ?1";
    struct e8_side *side = &store->writer;
    enum e8_rc rc = E8_OK;
    struct e8_kind kind;

    e8_side_begin(side, E8_SYNC);
    sqlite3_stmt *found = E8_ASK(side, sql, e8_text(delivery));
    if (e8_side_next(side, found)) {
        int64_t row = sqlite3_column_int64(found, 0);
        bool deleted = sqlite3_column_int(found, 7) != 0;
        kind = e8_kind_read(found, 1);
        e8_side_done(found);
        if (deleted)
            rc = e8_fail(err, E8_INPUT, NULL, "the webhook of delivery \"%.60s\" was deleted", delivery);
        else
            send_again(side, row, &kind, now);
    } else if (!e8_side_failed(side)) {
        rc = e8_fail(err, E8_INPUT, NULL, "there is no delivery \"%.60s\"", delivery);
    }
    return e8_side_end(side, rc, err);
}

static bool resend_row(struct e8_side *side, int64_t row, const struct e8_store_filter *filter,
                       e8_wall_ns now)
{
    static const char sql[] = FOUND WHERE TAKEN;
    sqlite3_stmt *found = ASK_TAKEN(side, sql, row, filter);
    struct e8_kind kind;

    if (!e8_side_next(side, found))
        return false;
    kind = e8_kind_read(found, 1);
    e8_side_done(found);
    send_again(side, row, &kind, now);
    return true;
}

/* Goes on before filter->before, which becomes 0 at the end. */
static uint64_t resend_some(struct e8_side *side, struct e8_store_filter *filter, e8_wall_ns now)
{
    struct e8_pick *pick = e8_pick_new(side, filter);
    int64_t rows[SOME];
    uint64_t sent = 0;
    size_t count = 0;

    while (count < SOME && e8_pick_next(pick, E8_NEVER, &rows[count]) == E8_PICKED)
        count++;
    e8_pick_free(&pick);
    for (size_t i = 0; i < count; i++)
        sent += resend_row(side, rows[i], filter, now);
    filter->before = count == SOME ? rows[SOME - 1] : 0;
    return sent;
}

enum e8_rc e8_store_resend_failed(struct e8_store *store, const struct e8_store_filter *filter,
                                  e8_wall_ns now, uint64_t *count, struct e8_err *err)
{
    struct e8_store_filter failed = *filter;
    enum e8_rc rc = E8_OK;

    failed.state = E8_STATE_FAILED;
    failed.before = 0;
    *count = 0;
    do {
        e8_side_begin(&store->writer, E8_SYNC);
        uint64_t sent = resend_some(&store->writer, &failed, now);
        rc = e8_side_end(&store->writer, E8_OK, err);
        *count += rc == E8_OK ? sent : 0;
    } while (rc == E8_OK && failed.before != 0);
    return rc;
}

enum e8_rc e8_store_count_failed(struct e8_store *store, const struct e8_store_filter *filter,
                                 e8_dur_ns budget, uint64_t *count, bool *more, struct e8_err *err)
{
    static const char sql[] = "SELECT 1" WHERE TAKEN;
    struct e8_store_filter failed = *filter;
    struct e8_side *side = &store->reader;
    e8_mono_ns end = e8_mono_now() + budget;
    enum e8_picked picked;
    int64_t row;

    failed.state = E8_STATE_FAILED;
    failed.before = 0;
    *count = 0;
    e8_side_begin(side, E8_READ);
    struct e8_pick *pick = e8_pick_new(side, &failed);
    while ((picked = e8_pick_next(pick, end, &row)) == E8_PICKED) {
        sqlite3_stmt *found = ASK_TAKEN(side, sql, row, &failed);
        *count += e8_side_next(side, found);
        e8_side_done(found);
    }
    *more = picked == E8_PICKED_LATE;
    e8_pick_free(&pick);
    return e8_side_end(side, E8_OK, err);
}
