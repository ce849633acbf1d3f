/* Endpoints. Secrets are in store_secret.c. */
#include "http1/http1.h"
#include "platform/store_parts.h"

/* In the order of struct e8_webhook. */
/* Of short secrets four characters would be too much. */
#define ENDS ", iif(length(secret) < 24, '', substr(secret, -4))"
#define COLUMNS                                                                                              \
    "id, url, description, scheme, events, environments, headers, timeout, attempts, base, factor, cap,"     \
    " jitter, enabled, disabled_reason, notify_url, disabled_at, failing_since, created, updated, rotated,"  \
    " grace_until"

static enum e8_rc unknown(const char *id, struct e8_err *err)
{
    return e8_fail(err, E8_INPUT, NULL, "there is no webhook \"%.60s\"", id);
}

int64_t e8_webhook_find(struct e8_side *side, const char *id)
{
    static const char find[] = "SELECT n FROM webhook WHERE id = ?1 AND NOT deleted";

    return E8_INT(side, 0, find, e8_text(id));
}

int64_t e8_webhook_number(struct e8_side *side, const char *id)
{
    static const char find[] = "SELECT n FROM webhook WHERE id = ?1";

    return id ? E8_INT(side, -1, find, e8_text(id)) : 0;
}

/* Ends a change of one endpoint, which has found it or not. */
enum e8_rc e8_webhook_end(struct e8_store *store, bool found, const char *id, struct e8_err *err)
{
    enum e8_rc rc = found || e8_side_failed(&store->writer) ? E8_OK : unknown(id, err);

    rc = e8_side_end(&store->writer, rc, err);
    if (rc == E8_OK)
        atomic_fetch_add(&store->version, 1);
    return rc;
}

uint64_t e8_store_version(struct e8_store *store)
{
    return atomic_load(&store->version);
}

enum e8_rc e8_store_webhook_add(struct e8_store *store, const struct e8_webhook *w, const char *secret,
                                struct e8_err *err)
{
    static const char sql[] =
        "INSERT INTO webhook(" COLUMNS ", secret) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7,"
        " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)";

    e8_side_begin(&store->writer, E8_SYNC);
    E8_RUN(&store->writer, sql, e8_text(w->id), e8_text(w->url), e8_text(w->description), e8_text(w->scheme),
           e8_text(w->events), e8_text(w->environments), e8_text(w->headers), e8_int(w->timeout),
           e8_int(w->retry.attempts), e8_int(w->retry.base), e8_real(w->retry.factor), e8_int(w->retry.cap),
           e8_int(w->retry.jitter), e8_int(w->enabled), e8_text(w->disabled_reason), e8_text(w->notify_url),
           e8_int(w->disabled_at), e8_int(w->failing_since), e8_int(w->created), e8_int(w->updated),
           e8_int(w->rotated), e8_int(w->grace_until), e8_text(secret));
    return e8_webhook_end(store, true, w->id, err);
}

enum e8_rc e8_store_webhook_update(struct e8_store *store, const struct e8_webhook *w, struct e8_err *err)
{
    static const char sql[] =
        "UPDATE webhook SET url = ?2, description = ?3, scheme = ?4, events = ?5, environments = ?6,"
        " headers = ?7, timeout = ?8, attempts = ?9, base = ?10, factor = ?11, cap = ?12, jitter = ?13,"
        " failing_since = iif(?14 AND NOT enabled, 0, failing_since),"
        " enabled_at = iif(?14 AND NOT enabled, ?18, enabled_at),"
        " enabled = ?14, disabled_reason = ?15, notify_url = ?16, disabled_at = ?17, updated = ?18"
        " WHERE id = ?1 AND NOT deleted";

    e8_side_begin(&store->writer, E8_SYNC);
    E8_RUN(&store->writer, sql, e8_text(w->id), e8_text(w->url), e8_text(w->description), e8_text(w->scheme),
           e8_text(w->events), e8_text(w->environments), e8_text(w->headers), e8_int(w->timeout),
           e8_int(w->retry.attempts), e8_int(w->retry.base), e8_real(w->retry.factor), e8_int(w->retry.cap),
           e8_int(w->retry.jitter), e8_int(w->enabled), e8_text(w->disabled_reason), e8_text(w->notify_url),
           e8_int(w->disabled_at), e8_int(w->updated));
    return e8_webhook_end(store, e8_side_changes(&store->writer) > 0, w->id, err);
}

enum e8_rc e8_store_webhook_enable(struct e8_store *store, const char *id, bool enabled, const char *reason,
                                   e8_wall_ns now, bool *changed, struct e8_err *err)
{
    static const char on[] = "UPDATE webhook SET enabled_at = ?2, enabled = 1,"
                             " disabled_reason = NULL, disabled_at = 0, failing_since = 0, updated = ?2"
                             " WHERE id = ?1 AND NOT deleted AND NOT enabled";
    static const char off[] = "UPDATE webhook SET enabled = 0, disabled_reason = ?3, disabled_at = ?2,"
                              " updated = ?2 WHERE id = ?1 AND NOT deleted AND enabled";

    e8_side_begin(&store->writer, E8_SYNC);
    if (enabled)
        E8_RUN(&store->writer, on, e8_text(id), e8_int(now));
    else
        E8_RUN(&store->writer, off, e8_text(id), e8_int(now), e8_text(reason));
    bool done = e8_side_changes(&store->writer) > 0;
    if (changed)
        *changed = done;
    if (!done && e8_webhook_find(&store->writer, id))
        return e8_side_end(&store->writer, E8_OK, err);
    return e8_webhook_end(store, done, id, err);
}

/* ---- deleting ---- */

/* Some of the deliveries that wait for an endpoint that is deleted. How many there were. */
static int cancel_some(struct e8_side *side, int64_t webhook)
{
    static const char find[] =
        "SELECT d.row, k.webhook, k.type, k.environment, k.test, k.state, k.class FROM delivery d"
        " JOIN kind k ON k.n = d.kind WHERE d.webhook = ?1 AND d.test IN (0, 1)"
        " AND d.due IS NOT NULL LIMIT 1000";
    static const char cancel[] =
        "UPDATE delivery SET kind = ?2, error = ?3, due = NULL, asked = NULL WHERE row = ?1";
    sqlite3_stmt *row;
    struct {
        int64_t row;
        struct e8_kind kind;
    } list[1000];
    int count = 0;

    for (row = E8_ASK(side, find, e8_int(webhook)); e8_side_next(side, row); count++) {
        list[count].row = sqlite3_column_int64(row, 0);
        list[count].kind = e8_kind_read(row, 1);
    }
    for (int i = 0; i < count; i++) {
        e8_kind_leave(side, &list[i].kind);
        list[i].kind.state = E8_STATE_CANCELLED;
        E8_RUN(side, cancel, e8_int(list[i].row), e8_int(e8_kind_enter(side, &list[i].kind, list[i].row)),
               e8_text(E8_DELETED_WHY));
    }
    return count;
}

enum e8_rc e8_store_cancel_deleted(struct e8_store *store, struct e8_err *err)
{
    static const char find[] = "SELECT n FROM webhook w WHERE deleted AND EXISTS(SELECT 1 FROM delivery d"
                               " WHERE d.webhook = w.n AND d.test IN (0, 1) AND d.due IS NOT NULL)";
    enum e8_rc rc = E8_OK;
    int64_t webhook = 1;

    while (rc == E8_OK && webhook != 0) {
        e8_side_begin(&store->writer, E8_WRITE);
        webhook = e8_side_int(&store->writer, 0, find, NULL, 0);
        if (webhook != 0)
            cancel_some(&store->writer, webhook);
        rc = e8_side_end(&store->writer, E8_OK, err);
    }
    return rc;
}

/* The log goes on to say where its deliveries went; a password is not kept for that. */
static void read_shown_url(struct e8_side *side, const char *id, struct e8_buf *out)
{
    static const char sql[] = "SELECT url FROM webhook WHERE id = ?1 AND NOT deleted";
    sqlite3_stmt *row = E8_ASK(side, sql, e8_text(id));

    if (e8_side_next(side, row))
        e8_url_redacted(e8_column_bytes(row, 0), out);
    e8_side_done(row);
}

enum e8_rc e8_store_webhook_delete(struct e8_store *store, const char *id, struct e8_err *err)
{
    static const char sql[] =
        "UPDATE webhook SET deleted = 1, enabled = 0, failing_since = 0, url = ?2, description = NULL,"
        " scheme = NULL, events = NULL, environments = NULL, headers = NULL, disabled_reason = NULL,"
        " notify_url = NULL, secret = NULL, secret_before = NULL WHERE id = ?1 AND NOT deleted";

    struct e8_buf url;

    e8_buf_init(&url, 64 << 10);
    e8_side_begin(&store->writer, E8_SYNC);
    read_shown_url(&store->writer, id, &url);
    E8_RUN(&store->writer, sql, e8_text(id), e8_text(e8_buf_cstr(&url)));
    enum e8_rc rc = e8_webhook_end(store, e8_side_changes(&store->writer) > 0, id, err);
    e8_buf_fini(&url);
    if (rc)
        return rc;
    e8_store_forget(store);
    return e8_store_cancel_deleted(store, err);
}

/* ---- reading ---- */

static const char *text_or_empty(sqlite3_stmt *row, int column, struct e8_arena *arena)
{
    const char *text = e8_column_text(row, column, arena);

    return text ? text : "";
}

static void read_state(sqlite3_stmt *row, struct e8_arena *arena, struct e8_webhook *out)
{
    out->enabled = sqlite3_column_int(row, 13) != 0;
    out->disabled_reason = e8_column_text(row, 14, arena);
    out->notify_url = e8_column_text(row, 15, arena);
    out->disabled_at = sqlite3_column_int64(row, 16);
    out->failing_since = sqlite3_column_int64(row, 17);
    out->created = sqlite3_column_int64(row, 18);
    out->updated = sqlite3_column_int64(row, 19);
    out->rotated = sqlite3_column_int64(row, 20);
    out->grace_until = sqlite3_column_int64(row, 21);
    snprintf(out->secret_end, sizeof out->secret_end, "%s", text_or_empty(row, 22, arena));
}

static void read_webhook(sqlite3_stmt *row, struct e8_arena *arena, struct e8_webhook *out)
{
    *out = (struct e8_webhook){
        .url = text_or_empty(row, 1, arena),
        .description = text_or_empty(row, 2, arena),
        .scheme = text_or_empty(row, 3, arena),
        .events = text_or_empty(row, 4, arena),
        .environments = text_or_empty(row, 5, arena),
        .headers = text_or_empty(row, 6, arena),
        .timeout = sqlite3_column_int64(row, 7),
        .retry.attempts = (uint32_t)sqlite3_column_int64(row, 8),
        .retry.base = sqlite3_column_int64(row, 9),
        .retry.factor = sqlite3_column_double(row, 10),
        .retry.cap = sqlite3_column_int64(row, 11),
        .retry.jitter = (enum e8_jitter)sqlite3_column_int(row, 12),
    };
    snprintf(out->id, sizeof out->id, "%s", text_or_empty(row, 0, arena));
    read_state(row, arena, out);
}

enum e8_rc e8_store_webhook(struct e8_store *store, const char *id, struct e8_arena *arena,
                            struct e8_webhook *out, struct e8_err *err)
{
    static const char sql[] = "SELECT " COLUMNS ENDS " FROM webhook WHERE id = ?1 AND NOT deleted";

    e8_side_begin(&store->reader, E8_READ);
    sqlite3_stmt *row = E8_ASK(&store->reader, sql, e8_text(id));
    bool found = e8_side_next(&store->reader, row);
    if (found)
        read_webhook(row, arena, out);
    e8_side_done(row);
    bool missing = !found && !e8_side_failed(&store->reader);
    return e8_side_end(&store->reader, missing ? unknown(id, err) : E8_OK, err);
}

enum e8_rc e8_store_webhooks(struct e8_store *store, struct e8_arena *arena, struct e8_webhook **out,
                             size_t *count, struct e8_err *err)
{
    static const char counts[] = "SELECT count(*) FROM webhook WHERE NOT deleted";
    static const char sql[] = "SELECT " COLUMNS ENDS " FROM webhook WHERE NOT deleted ORDER BY n";
    struct e8_side *side = &store->reader;

    e8_side_begin(side, E8_READ);
    size_t room = (size_t)e8_side_int(side, 0, counts, NULL, 0), n = 0;
    *out = e8_arena_alloc(arena, (room + 1) * sizeof **out);
    for (sqlite3_stmt *row = e8_side_ask(side, sql, NULL, 0); e8_side_next(side, row); n++)
        read_webhook(row, arena, &(*out)[n]);
    *count = n;
    return e8_side_end(side, E8_OK, err);
}
