#include "platform/store_parts.h"

struct e8_kind e8_kind_read(sqlite3_stmt *row, int column)
{
    return (struct e8_kind){
        .webhook = sqlite3_column_int64(row, column),
        .type = sqlite3_column_int64(row, column + 1),
        .environment = sqlite3_column_int64(row, column + 2),
        .test = sqlite3_column_int(row, column + 3),
        .state = sqlite3_column_int(row, column + 4),
        .class = sqlite3_column_int(row, column + 5),
    };
}

int64_t e8_word_find(struct e8_side *side, const char *text)
{
    static const char find[] = "SELECT n FROM word WHERE text = ?1";

    return E8_INT(side, 0, find, e8_text(text));
}

int64_t e8_word(struct e8_side *side, const char *text)
{
    static const char make[] = "INSERT INTO word(text) VALUES(?1)";
    int64_t word = e8_word_find(side, text);

    if (word == 0 && !e8_side_failed(side)) {
        E8_RUN(side, make, e8_text(text));
        word = sqlite3_last_insert_rowid(side->db);
    }
    return word;
}

static int64_t find(struct e8_side *side, const struct e8_kind *kind)
{
    static const char sql[] = "SELECT n FROM kind WHERE webhook = ?1 AND type = ?2 AND environment = ?3"
                              " AND test = ?4 AND state = ?5 AND class = ?6";

    return E8_INT(side, 0, sql, e8_int(kind->webhook), e8_int(kind->type), e8_int(kind->environment),
                  e8_int(kind->test), e8_int(kind->state), e8_int(kind->class));
}

int64_t e8_kind_enter(struct e8_side *side, const struct e8_kind *kind, int64_t row)
{
    static const char make[] =
        "INSERT INTO kind(webhook, type, environment, test, state, class, deliveries, newest)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)";
    static const char count[] =
        "UPDATE kind SET deliveries = deliveries + 1, newest = max(newest, ?2) WHERE n = ?1";
    int64_t n = find(side, kind);

    if (n != 0) {
        E8_RUN(side, count, e8_int(n), e8_int(row));
    } else if (!e8_side_failed(side)) {
        E8_RUN(side, make, e8_int(kind->webhook), e8_int(kind->type), e8_int(kind->environment),
               e8_int(kind->test), e8_int(kind->state), e8_int(kind->class), e8_int(row));
        n = sqlite3_last_insert_rowid(side->db);
    }
    return n;
}

void e8_kind_leave(struct e8_side *side, const struct e8_kind *kind)
{
    static const char count[] = "UPDATE kind SET deliveries = deliveries - 1 WHERE n = ?1";

    E8_RUN(side, count, e8_int(find(side, kind)));
}

int e8_kind_class(int status)
{
    return status >= 100 ? status : E8_CLASS_NONE;
}

enum e8_delivery_state e8_state_shown(int state)
{
    return state == E8_STATE_RETRYING ? E8_STATE_PENDING : (enum e8_delivery_state)state;
}

enum e8_rc e8_store_knows(struct e8_store *store, enum e8_store_name what, const char *name, bool *known,
                          struct e8_err *err)
{
    static const char *const sql[] = {
        [E8_NAME_WEBHOOK] = "SELECT 1 FROM webhook WHERE id = ?1",
        [E8_NAME_TYPE] = "SELECT 1 FROM kind WHERE type = (SELECT n FROM word WHERE text = ?1)",
        [E8_NAME_TYPES] = "SELECT 1 FROM kind WHERE type IN (SELECT n FROM word WHERE text GLOB ?1)",
        [E8_NAME_ENVIRONMENT] = "SELECT 1 FROM kind WHERE environment = (SELECT n FROM word WHERE text = ?1)",
        [E8_NAME_RUN] = "SELECT 1 FROM run WHERE id = ?1",
    };

    e8_side_begin(&store->reader, E8_READ);
    *known = E8_INT(&store->reader, 0, sql[what], e8_text(name)) != 0;
    return e8_side_end(&store->reader, E8_OK, err);
}
