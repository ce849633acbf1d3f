/* Secrets, and that those that are valid no longer are nowhere in the file. */
#include "platform/store_parts.h"

/* secure_delete overwrites a text that goes; the pages from before lie in the write-ahead file until that begins anew. Where another
 * program reads the file at the moment, or the disk is full, the next trim tries again: what was asked for has been done. */
void e8_store_forget(struct e8_store *store)
{
    struct e8_side *writer = &store->writer, *readers[] = {&store->reader, &store->queue};

    for (size_t i = 0; i < E8_COUNT(readers); i++) /* whose snapshots would hold the file */
        E8_ASSERT(pthread_mutex_lock(&readers[i]->lock) == 0);
    E8_ASSERT(pthread_mutex_lock(&writer->lock) == 0);
    sqlite3_busy_handler(writer->db, NULL, NULL);
    int code = sqlite3_wal_checkpoint_v2(writer->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_handler(writer->db, e8_side_wait, NULL);
    store->remembers = code != SQLITE_OK;
    E8_ASSERT(pthread_mutex_unlock(&writer->lock) == 0);
    for (size_t i = 0; i < E8_COUNT(readers); i++)
        E8_ASSERT(pthread_mutex_unlock(&readers[i]->lock) == 0);
}

enum e8_rc e8_store_webhook_rotate(struct e8_store *store, const char *id, const char *secret, e8_wall_ns now,
                                   e8_wall_ns grace_until, struct e8_err *err)
{
    static const char sql[] = "UPDATE webhook SET secret_before = iif(?4 > 0, secret, NULL), secret = ?2,"
                              " rotated = ?3, updated = ?3, grace_until = ?4 WHERE id = ?1 AND NOT deleted";

    e8_side_begin(&store->writer, E8_SYNC);
    E8_RUN(&store->writer, sql, e8_text(id), e8_text(secret), e8_int(now), e8_int(grace_until));
    enum e8_rc rc = e8_webhook_end(store, e8_side_changes(&store->writer) > 0, id, err);
    if (rc == E8_OK)
        e8_store_forget(store);
    return rc;
}

enum e8_rc e8_store_webhook_revoke(struct e8_store *store, const char *id, struct e8_err *err)
{
    static const char sql[] = "UPDATE webhook SET secret_before = NULL, grace_until = 0"
                              " WHERE id = ?1 AND NOT deleted";

    e8_side_begin(&store->writer, E8_SYNC);
    E8_RUN(&store->writer, sql, e8_text(id));
    enum e8_rc rc = e8_webhook_end(store, e8_side_changes(&store->writer) > 0, id, err);
    if (rc == E8_OK)
        e8_store_forget(store);
    return rc;
}

enum e8_rc e8_store_retire(struct e8_store *store, e8_wall_ns now, struct e8_err *err)
{
    static const char over[] = "SELECT 1 FROM webhook WHERE secret_before IS NOT NULL AND grace_until <= ?1";
    static const char sql[] = "UPDATE webhook SET secret_before = NULL, grace_until = 0"
                              " WHERE secret_before IS NOT NULL AND grace_until <= ?1";

    e8_side_begin(&store->reader, E8_READ);
    bool any = E8_INT(&store->reader, 0, over, e8_int(now)) != 0;
    enum e8_rc rc = e8_side_end(&store->reader, E8_OK, err);
    if (rc == E8_OK && !any && store->remembers)
        e8_store_forget(store);
    if (rc != E8_OK || !any)
        return rc;
    e8_side_begin(&store->writer, E8_SYNC);
    E8_RUN(&store->writer, sql, e8_int(now));
    rc = e8_webhook_end(store, true, "", err);
    if (rc == E8_OK)
        e8_store_forget(store);
    return rc;
}

enum e8_rc e8_store_secrets(struct e8_store *store, const char *id, e8_wall_ns now, struct e8_arena *arena,
                            const char *out[2], struct e8_err *err)
{
    static const char sql[] = "SELECT secret, iif(grace_until > ?2, secret_before, NULL) FROM webhook"
                              " WHERE id = ?1 AND NOT deleted";
    struct e8_side *side = &store->reader;

    out[0] = out[1] = NULL;
    e8_side_begin(side, E8_READ);
    sqlite3_stmt *row = E8_ASK(side, sql, e8_text(id), e8_int(now));
    if (e8_side_next(side, row)) {
        out[0] = e8_column_text(row, 0, arena);
        out[1] = e8_column_text(row, 1, arena);
    }
    e8_side_done(row);
    bool missing = !out[0] && !e8_side_failed(side);
    enum e8_rc rc = missing ? e8_fail(err, E8_INPUT, NULL, "there is no webhook \"%.60s\"", id) : E8_OK;
    return e8_side_end(side, rc, err);
}
