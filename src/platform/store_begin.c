/* An attempt has its number on the disk before it is on the wire: whatever ends the process, none is made twice under one number. */
#include "platform/store_parts.h"

static enum e8_rc move_numbers(struct e8_store *store, const char *sql, const int64_t *rows, size_t count,
                               struct e8_err *err)
{
    struct e8_side *side = &store->writer;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(side, E8_WRITE);
    for (size_t i = 0; i < count; i++)
        E8_RUN(side, sql, e8_int(rows[i]));
    return e8_side_end(side, E8_OK, err);
}

enum e8_rc e8_store_begin(struct e8_store *store, const int64_t *rows, size_t count, struct e8_err *err)
{
    return move_numbers(store, "UPDATE delivery SET number = number + 1 WHERE row = ?1", rows, count, err);
}

enum e8_rc e8_store_unsent(struct e8_store *store, const int64_t *rows, size_t count, struct e8_err *err)
{
    /* Unless a run has used a later one meanwhile. */
    static const char sql[] = "UPDATE delivery SET number = number - 1 WHERE row = ?1 AND number > 0 AND NOT"
                              " EXISTS(SELECT 1 FROM attempt a WHERE a.n = (delivery.row << 20) + number)";

    return move_numbers(store, sql, rows, count, err);
}
