/* What scenario runs send: by engines of their own, so the queue has none of it, and the log all. */
#include <string.h>

#include "catalog/catalog.h"
#include "digest/digest.h"
#include "platform/store_parts.h"

enum { SOME = 1000 };

enum e8_rc e8_store_run_begin(struct e8_store *store, const struct e8_store_run *run, int64_t *n,
                              struct e8_err *err)
{
    static const char sql[] =
        "INSERT INTO run(id, name, started, told, seed, speed) VALUES(?1, ?2, ?3, ?3, ?4, ?5)";
    struct e8_side *side = &store->writer;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(side, E8_WRITE);
    E8_RUN(side, sql, e8_text(run->id), e8_text(run->name), e8_int(run->started), e8_int(run->seed),
           e8_real(run->speed));
    *n = sqlite3_last_insert_rowid(side->db);
    return e8_side_end(side, E8_OK, err);
}

/* ---- events ---- */

static bool is_used(struct e8_side *side, const struct e8_run_row *row, const struct e8_store_target *target)
{
    static const char sql[] = "SELECT count(*) FROM delivery WHERE id = ?1";

    for (const struct e8_store_target *other = row->targets; other < target; other++) {
        if (strcmp(other->id, target->id) == 0)
            return true;
    }
    return E8_INT(side, 0, sql, e8_text(target->id)) > 0;
}

/* A step may have given its id. */
static void take_id(struct e8_side *side, const struct e8_run_row *row, struct e8_store_target *target)
{
    uint64_t random[2];

    while (is_used(side, row, target)) {
        e8_random_bytes(random, sizeof random);
        e8_id_make("dlv_", row->at, random[0], random[1], target->id);
    }
}

/* An endpoint may have been deleted, and forgotten, while the run was being started. */
static void drop_unknown(struct e8_side *side, struct e8_run_row *row)
{
    size_t n = 0;

    for (size_t i = 0; i < row->count; i++) {
        if (e8_webhook_number(side, row->targets[i].webhook) > 0)
            row->targets[n++] = row->targets[i];
    }
    row->count = n;
}

/* Two runs of one seed that began at the same moment make the same ids; the first one has them. */
static enum e8_rc put_event(struct e8_side *side, struct e8_run_row *row, struct e8_err *err)
{
    static const char sql[] = "SELECT count(*) FROM event WHERE id = ?1";

    if (E8_INT(side, 0, sql, e8_text(row->event.id)) > 0)
        return E8_OK;
    drop_unknown(side, row);
    for (size_t i = 0; i < row->count; i++)
        take_id(side, row, &row->targets[i]);
    return e8_event_put(side, &row->event, row->targets, row->count, row->run, err);
}

/* ---- deliveries ---- */

struct found {
    int64_t row;
    bool ours; /* nobody has asked for it again */
    struct e8_kind kind;
};

static bool is_open(const struct found *found)
{
    return found->ours && (found->kind.state == E8_STATE_PENDING || found->kind.state == E8_STATE_RETRYING);
}

#define FOUND "SELECT d.row, d.due IS NULL, k.webhook, k.type, k.environment, k.test, k.state, k.class, d.id"

static void read_found(sqlite3_stmt *row, struct found *out)
{
    *out = (struct found){
        .row = sqlite3_column_int64(row, 0),
        .ours = sqlite3_column_int(row, 1) != 0,
        .kind = e8_kind_read(row, 2),
    };
}

/* By the event and the endpoint: the delivery's id may have been another one. */
static bool find(struct e8_side *side, struct e8_run_row *row, struct found *out)
{
    static const char sql[] =
        FOUND " FROM event e JOIN delivery d ON d.row >= e.first AND d.row < e.first + e.deliveries"
              " JOIN kind k ON k.n = d.kind JOIN webhook w ON w.n = d.webhook"
              " WHERE e.id = ?1 AND w.id = ?2 AND d.run = ?3";
    sqlite3_stmt *found = E8_ASK(side, sql, e8_text(row->event.id), e8_text(row->webhook), e8_int(row->run));

    row->delivery[0] = '\0';
    if (!e8_side_next(side, found))
        return false;
    read_found(found, out);
    struct e8_str id = e8_column_bytes(found, 8);
    memcpy(row->delivery, id.p, id.n);
    row->delivery[id.n] = '\0';
    e8_side_done(found);
    return true;
}

static void cancel(struct e8_side *side, const struct found *found, const char *why, e8_wall_ns now)
{
    static const char sql[] = "UPDATE delivery SET kind = ?2, error = ?3, updated = ?4 WHERE row = ?1";
    struct e8_kind kind = found->kind;

    kind.state = E8_STATE_CANCELLED;
    e8_kind_leave(side, &found->kind);
    E8_RUN(side, sql, e8_int(found->row), e8_int(e8_kind_enter(side, &kind, found->row)), e8_text(why),
           e8_int(now));
}

/* What of a run has come into the log, since that was last written down. */
struct logged {
    int64_t run; /* 0: nothing */
    e8_wall_ns at;
    int64_t attempts, delivered, failed;
};

static void write_logged(struct e8_side *side, struct logged *logged)
{
    static const char sql[] = "UPDATE run SET told = max(told, ?2), logged = logged + ?3,"
                              " logged_delivered = logged_delivered + ?4, logged_failed = logged_failed + ?5"
                              " WHERE n = ?1";

    if (logged->run)
        E8_RUN(side, sql, e8_int(logged->run), e8_int(logged->at), e8_int(logged->attempts),
               e8_int(logged->delivered), e8_int(logged->failed));
    *logged = (struct logged){.run = 0};
}

static void count_logged(struct e8_side *side, struct logged *logged, const struct e8_run_row *row)
{
    if (logged->run != row->run)
        write_logged(side, logged);
    logged->run = row->run;
    logged->at = row->at;
    logged->attempts++;
    logged->delivered += row->attempt.state == E8_STATE_DELIVERED;
    logged->failed += row->attempt.state == E8_STATE_FAILED;
}

static void put_attempt(struct e8_side *side, struct e8_sums *sums, struct logged *logged,
                        struct e8_run_row *row)
{
    struct found found;

    if (find(side, row, &found)) {
        row->attempt.row = found.row;
        row->attempt.of_run = true;
        e8_attempt_put(side, sums, &row->attempt);
        count_logged(side, logged, row);
    }
}

static void put_unsent(struct e8_side *side, struct e8_run_row *row)
{
    struct found found;

    if (find(side, row, &found) && is_open(&found) && !row->attempt.copy)
        cancel(side, &found, row->why, row->at);
}

/* ---- the end ---- */

/* Some of what a run has left undone; how many there were. Few wait at a time, so they are found by their kinds. */
static int cancel_some(struct e8_side *side, int64_t run, const char *why, e8_wall_ns now)
{
    static const char sql[] =
        FOUND " FROM kind k CROSS JOIN delivery d INDEXED BY delivery_kind ON d.kind = k.n"
              " WHERE k.state IN (?2, ?3) AND k.deliveries > 0 AND d.run = ?1"
              " AND d.due IS NULL LIMIT ?4";
    struct found list[SOME];
    sqlite3_stmt *row;
    int count = 0;

    row = E8_ASK(side, sql, e8_int(run), e8_int(E8_STATE_PENDING), e8_int(E8_STATE_RETRYING), e8_int(SOME));
    for (; e8_side_next(side, row); count++)
        read_found(row, &list[count]);
    for (int i = 0; i < count; i++)
        cancel(side, &list[i], why, now);
    return count;
}

static void put_figures(struct e8_side *side, const struct e8_run_row *row)
{
    static const char sql[] =
        "UPDATE run SET told = ?2, planned = ?3, length = ?4, attempts = ?5, delivered = ?6, failed = ?7,"
        " withheld = ?8, lost = ?9, stalls = ?10, p50 = ?11, p99 = ?12 WHERE n = ?1";
    const struct e8_run_figures *f = &row->figures;

    E8_RUN(side, sql, e8_int(row->run), e8_int(row->at), e8_int(f->planned), e8_int(f->length),
           e8_int((int64_t)f->attempts), e8_int((int64_t)f->delivered), e8_int((int64_t)f->failed),
           e8_int((int64_t)f->withheld), e8_int((int64_t)f->lost), e8_int((int64_t)f->stalls), e8_int(f->p50),
           e8_int(f->p99));
}

static void end_run(struct e8_side *side, int64_t run, enum e8_run_state state, const char *note,
                    e8_wall_ns now)
{
    static const char sql[] = "UPDATE run SET state = ?2, note = ?3, ended = ?4 WHERE n = ?1";

    E8_RUN(side, sql, e8_int(run), e8_int(state), e8_text(note), e8_int(now));
}

static void put_end(struct e8_side *side, const struct e8_run_row *row)
{
    while (cancel_some(side, row->run, row->why, row->at) == SOME)
        ;
    put_figures(side, row);
    end_run(side, row->run, row->state, row->note, row->at);
}

static enum e8_rc put(struct e8_side *side, struct e8_sums *sums, struct logged *logged,
                      struct e8_run_row *row, struct e8_err *err)
{
    switch (row->what) {
    case E8_RUN_EVENT:
        return put_event(side, row, err);
    case E8_RUN_ATTEMPT:
        put_attempt(side, sums, logged, row);
        return E8_OK;
    case E8_RUN_UNSENT:
        put_unsent(side, row);
        return E8_OK;
    case E8_RUN_FIGURES:
        put_figures(side, row);
        return E8_OK;
    case E8_RUN_END:
        put_end(side, row);
        return E8_OK;
    }
    E8_UNREACHABLE();
}

enum e8_rc e8_store_run_write(struct e8_store *store, struct e8_run_row *list, size_t count,
                              struct e8_err *err)
{
    static const char types[] = "SELECT count(DISTINCT type) FROM kind";
    struct e8_side *side = &store->writer;
    struct e8_sums *sums = e8_sums_new();
    struct logged logged = {.run = 0};
    enum e8_rc rc = E8_OK;

    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(side, E8_WRITE);
    int64_t before = e8_side_int(side, 0, types, NULL, 0);
    for (size_t i = 0; rc == E8_OK && i < count; i++)
        rc = put(side, sums, &logged, &list[i], err);
    write_logged(side, &logged);
    e8_sums_write(sums, side);
    e8_sums_free(&sums);
    bool more = e8_side_int(side, 0, types, NULL, 0) != before;
    rc = e8_side_end(side, rc, err);
    if (rc == E8_OK && more)
        atomic_fetch_add(&store->version, 1);
    return rc;
}

/* ---- after a kill ---- */

static void count_unknown(struct e8_side *side, int64_t run, int count)
{
    static const char sql[] = "UPDATE run SET unknown = unknown + ?2 WHERE n = ?1";

    E8_RUN(side, sql, e8_int(run), e8_int(count));
}

/* What the log has is what is known: the figures that were told last may be older, or newer. */
static void interrupt(struct e8_side *side, int64_t run, e8_wall_ns now)
{
    static const char last[] = "SELECT told FROM run WHERE n = ?1 AND told <> 0";
    static const char left[] = "SELECT unknown FROM run WHERE n = ?1";
    static const char sql[] = "UPDATE run SET attempts = logged, delivered = logged_delivered,"
                              " failed = logged_failed WHERE n = ?1";
    long long unknown = E8_INT(side, 0, left, e8_int(run));
    char note[256];
    struct e8_buf text;

    e8_buf_fixed(&text, note, sizeof note);
    e8_buf_puts(&text, E8_RUN_CUT);
    if (unknown)
        e8_buf_printf(&text, "; of %lld deliver%s it is not known whether %s sent", unknown,
                      unknown == 1 ? "y" : "ies", unknown == 1 ? "it was" : "they were");
    E8_RUN(side, sql, e8_int(run));
    end_run(side, run, E8_RUN_INTERRUPTED, e8_buf_cstr(&text), E8_INT(side, now, last, e8_int(run)));
}

enum e8_rc e8_store_close_runs(struct e8_store *store, struct e8_err *err)
{
    static const char next[] = "SELECT n FROM run WHERE ended = 0";
    struct e8_side *side = &store->writer;
    e8_wall_ns now = store->opened;
    enum e8_rc rc = E8_OK;
    int64_t run = 1;

    while (rc == E8_OK && run != 0) {
        e8_side_begin(side, E8_WRITE);
        run = e8_side_int(side, 0, next, NULL, 0);
        int count = run != 0 ? cancel_some(side, run, E8_RUN_CUT_WHAT, now) : 0;
        if (count)
            count_unknown(side, run, count);
        if (run != 0 && count < SOME)
            interrupt(side, run, now);
        rc = e8_side_end(side, E8_OK, err);
    }
    return rc;
}

/* ---- types ---- */

enum e8_rc e8_store_types(struct e8_store *store, struct e8_arena *arena, const char *const **out,
                          struct e8_err *err)
{
    static const char count[] = "SELECT count(DISTINCT type) FROM kind";
    static const char sql[] = "SELECT DISTINCT w.text FROM kind k JOIN word w ON w.n = k.type";
    struct e8_side *side = &store->reader;
    size_t n = 0;

    e8_side_begin(side, E8_READ);
    const char **list =
        e8_arena_alloc(arena, ((size_t)e8_side_int(side, 0, count, NULL, 0) + 1) * sizeof *list);
    for (sqlite3_stmt *row = e8_side_ask(side, sql, NULL, 0); e8_side_next(side, row); n++)
        list[n] = e8_column_text(row, 0, arena);
    list[n] = NULL;
    *out = list;
    return e8_side_end(side, E8_OK, err);
}
