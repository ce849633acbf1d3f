/* Retention. What is deleted is found block by block of rows, as far as the time allows; the next call goes on where this one ended.
 * Deliveries that have not ended stay, whatever their age. */
#include <sys/stat.h>

#include "platform/store_parts.h"

enum { BUDGET_MS = 20, SOME = 64, KEEP_SUMS_DAYS = 90, LOG_SPARED = 1 << 20 };

struct trim {
    struct e8_store *store;
    struct e8_side *side;
    e8_wall_ns before;
    uint64_t bytes;
    e8_mono_ns end; /* of this step */
};

static bool is_late(const struct trim *trim)
{
    return e8_mono_now() >= trim->end;
}

static uint64_t pragma(struct e8_side *side, const char *sql)
{
    return (uint64_t)e8_side_int(side, 0, sql, NULL, 0);
}

static const char free_pages[] = "PRAGMA freelist_count", all_pages[] = "PRAGMA page_count",
                  page_size[] = "PRAGMA page_size";

static bool is_over(const struct trim *trim)
{
    struct e8_side *side = trim->side;

    if (trim->bytes == 0)
        return false;
    return (pragma(side, all_pages) - pragma(side, free_pages)) * pragma(side, page_size) > trim->bytes;
}

/* ---- deliveries ---- */

struct ended {
    int64_t row, kind, event;
    e8_wall_ns created;
};

static void delete_one(struct e8_side *side, const struct ended *ended)
{
    static const char attempts[] = "DELETE FROM attempt WHERE n >= ?1 AND n < ?2";
    static const char delivery[] = "DELETE FROM delivery WHERE row = ?1";
    static const char count[] = "UPDATE kind SET deliveries = deliveries - 1 WHERE n = ?1";
    static const char event[] = "DELETE FROM event WHERE n = ?1 AND NOT EXISTS(SELECT 1 FROM delivery"
                                " WHERE row >= event.first AND row < event.first + event.deliveries)";

    E8_RUN(side, attempts, e8_int(e8_attempt_row(ended->row, 0)), e8_int(e8_attempt_row(ended->row + 1, 0)));
    E8_RUN(side, delivery, e8_int(ended->row));
    E8_RUN(side, count, e8_int(ended->kind));
    E8_RUN(side, event, e8_int(ended->event));
}

/* At most SOME of a block's rows that have ended and were made before; how many. */
static size_t find_some(struct e8_side *side, int64_t block, e8_wall_ns before, struct ended *list)
{
    static const char sql[] =
        "SELECT row, kind, event, created FROM delivery d WHERE row >= ?1 AND row < ?2 AND due IS NULL AND "
        "created < "
        "?3"
        " AND (run IS NULL OR (SELECT k.state FROM kind k WHERE k.n = d.kind) NOT IN (?5, ?6))"
        " ORDER BY row LIMIT ?4";
    sqlite3_stmt *row;
    size_t count = 0;

    row = E8_ASK(side, sql, e8_int(block << E8_SPAN_BITS), e8_int((block + 1) << E8_SPAN_BITS),
                 e8_int(before), e8_int(SOME), e8_int(E8_STATE_PENDING), e8_int(E8_STATE_RETRYING));
    for (; e8_side_next(side, row); count++) {
        list[count] = (struct ended){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1),
                                     sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3)};
    }
    return count;
}

static void forget_span(struct e8_side *side, int64_t block)
{
    static const char sql[] = "DELETE FROM span WHERE block = ?1 AND NOT EXISTS(SELECT 1 FROM delivery"
                              " WHERE row >= ?2 AND row < ?3)";

    E8_RUN(side, sql, e8_int(block), e8_int(block << E8_SPAN_BITS), e8_int((block + 1) << E8_SPAN_BITS));
}

/* The oldest go first: those that are too old, and others until the rest fits. */
static void delete_some(const struct trim *trim, const struct ended *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].created < trim->before || is_over(trim))
            delete_one(trim->side, &list[i]);
    }
}

/* False: there was no time for all of it. */
static bool trim_block(const struct trim *trim, int64_t block)
{
    struct ended list[SOME];
    size_t count;

    do {
        bool over = is_over(trim);
        count = find_some(trim->side, block, over ? E8_NEVER : trim->before, list);
        delete_some(trim, list, count);
        if (count == SOME && is_late(trim))
            return false;
    } while (count == SOME && (is_over(trim) || list[SOME - 1].created < trim->before));
    forget_span(trim->side, block);
    return true;
}

/* False: there was no time for all of it. */
static bool trim_deliveries(const struct trim *trim)
{
    static const char next[] = "SELECT min(block) FROM span WHERE block >= ?1 AND low < ?2";
    int64_t *at = &trim->store->trimmed, block;

    for (;;) {
        e8_wall_ns before = is_over(trim) ? E8_NEVER : trim->before;
        block = E8_INT(trim->side, -1, next, e8_int(*at), e8_int(before));
        if (block < 0)
            return true;
        *at = block;
        if (!trim_block(trim, block))
            return false;
        *at = block + 1;
        if (is_late(trim))
            return false;
    }
}

/* Events that nobody took. */
static bool trim_events(const struct trim *trim)
{
    static const char sql[] = "DELETE FROM event WHERE n IN (SELECT n FROM event INDEXED BY event_alone"
                              " WHERE deliveries = 0 AND created < ?1 ORDER BY created LIMIT ?2)";

    do {
        E8_RUN(trim->side, sql, e8_int(is_over(trim) ? E8_NEVER : trim->before), e8_int(SOME));
        if (e8_side_changes(trim->side) < SOME)
            return true;
    } while (!is_late(trim));
    return false;
}

/* ---- what is left of them ---- */

static bool trim_sums(const struct trim *trim, e8_wall_ns before)
{
    static const char next[] = "SELECT n FROM webhook WHERE n > ?1 ORDER BY n LIMIT 1";
    int64_t *webhook = &trim->store->summed;

    do {
        e8_sums_trim(trim->side, *webhook, before);
        *webhook = E8_INT(trim->side, -1, next, e8_int(*webhook));
    } while (*webhook >= 0 && !is_late(trim));
    bool done = *webhook < 0;
    *webhook = done ? 0 : *webhook;
    return done;
}

static void trim_names(struct e8_side *side, e8_wall_ns before)
{
    static const char kinds[] = "DELETE FROM kind WHERE deliveries = 0";
    static const char runs[] = "DELETE FROM run WHERE ended <> 0 AND ended < ?1"
                               " AND NOT EXISTS(SELECT 1 FROM delivery d WHERE d.run = run.n)";
    /* A run that is under way may send to one that was deleted. */
    static const char webhooks[] =
        "DELETE FROM webhook WHERE deleted AND NOT EXISTS(SELECT 1 FROM kind k WHERE k.webhook = webhook.n)"
        " AND NOT EXISTS(SELECT 1 FROM sum s WHERE s.step IN (60, 3600) AND s.webhook = webhook.n)"
        " AND NOT EXISTS(SELECT 1 FROM run WHERE ended = 0)";

    e8_side_run(side, kinds, NULL, 0);
    E8_RUN(side, runs, e8_int(before));
    e8_side_run(side, webhooks, NULL, 0);
}

/* Some free pages stay for what comes in, unless the file is to be smaller. */
static bool shrink(const struct trim *trim)
{
    struct e8_side *side = trim->side;

    for (;;) {
        uint64_t spare = pragma(side, free_pages), all = pragma(side, all_pages);
        bool large = trim->bytes != 0 && all * pragma(side, page_size) > trim->bytes;
        if (spare == 0 || (!large && spare < 256 + all / 16))
            return true;
        if (!e8_side_exec(side, "PRAGMA incremental_vacuum(64)") || is_late(trim))
            return false;
    }
}

static uint64_t size_of(const char *path, const char *ending)
{
    struct e8_buf name;
    struct stat st;

    e8_buf_init(&name, 64 << 10);
    e8_buf_printf(&name, "%s%s", path, ending);
    uint64_t size = stat(e8_buf_cstr(&name), &st) == 0 ? (uint64_t)st.st_size : 0;
    e8_buf_fini(&name);
    return size;
}

/* What has been made smaller is so on the disk once the write-ahead file has been taken in; that is as large as it ever was. */
static void settle(struct e8_store *store, uint64_t bytes)
{
    uint64_t log = size_of(store->path, "-wal");

    if (bytes != 0 && log > LOG_SPARED && size_of(store->path, "") + log > bytes)
        e8_store_forget(store);
}

enum e8_rc e8_store_trim(struct e8_store *store, e8_wall_ns before, uint64_t bytes, e8_dur_ns budget,
                         bool *more, struct e8_err *err)
{
    e8_wall_ns now = e8_wall_now();
    enum e8_rc rc = e8_store_retire(store, now, err);

    *more = false;
    if (rc)
        return rc;
    budget = budget > 0 ? budget : BUDGET_MS * E8_NS_MS;
    e8_side_begin(&store->writer, E8_WRITE);
    e8_mono_ns start = e8_mono_now();
    struct trim trim = {store, &store->writer, before, bytes, start + budget / 2};
    bool done = trim_deliveries(&trim) && trim_events(&trim) &&
                trim_sums(&trim, now - (e8_dur_ns)KEEP_SUMS_DAYS * 24 * 3600 * E8_NS_S);
    if (done) {
        store->trimmed = 0;
        trim_names(&store->writer, before);
    }
    trim.end = start + budget;
    *more = !shrink(&trim) || !done;
    rc = e8_side_end(&store->writer, E8_OK, err);
    if (rc == E8_OK && !*more)
        settle(store, bytes);
    return rc;
}
