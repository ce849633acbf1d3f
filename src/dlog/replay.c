/* A run's statistics, made again from its attempts. */
#include <stdlib.h>
#include <string.h>

#include "dlog/read.h"

#define DELIVERIES_MAX ((uint64_t)1 << 32) /* of a run; above that the file is damaged */

/* Counts per endpoint and per type. Which endpoint had which type is not kept, nor does e8_stats ask: any table with these
 * sums gives the same statistics. */
struct margins {
    uint64_t *endpoint, *type;
};

struct replay {
    struct e8_dlog_reader *reader;
    const struct e8_log_run *run;
    struct e8_read_range range;
    struct e8_stats *stats;
    struct margins planned, dropped, aborted, withheld, gone;
    bool tallied; /* the end of the run wrote them */
};

static void margins_init(struct margins *margins, const struct e8_log_run *run)
{
    margins->endpoint = e8_new(run->endpoint_count + 1, sizeof(uint64_t));
    margins->type = e8_new(run->type_count + 1, sizeof(uint64_t));
}

static void margins_fini(struct margins *margins)
{
    free(margins->endpoint);
    free(margins->type);
}

/* From the file's wall time to the run's monotonic time; false when it overflows. */
static bool mono_of(const struct e8_log_run *run, e8_wall_ns wall, e8_mono_ns *out)
{
    int64_t since;

    return !__builtin_sub_overflow(wall, run->started, &since) &&
           !__builtin_add_overflow(run->epoch, since, out);
}

static bool read_times(const struct e8_log_run *run, sqlite3_stmt *row, int column, struct e8_times *times)
{
    int64_t ignored;

    return mono_of(run, sqlite3_column_int64(row, column), &times->due) &&
           mono_of(run, sqlite3_column_int64(row, column + 1), &times->sent) &&
           mono_of(run, sqlite3_column_int64(row, column + 2), &times->done) && times->due <= times->sent &&
           times->sent <= times->done && !__builtin_sub_overflow(times->done, times->due, &ignored);
}

#define ATTEMPTS(more, order)                                                                                \
    "SELECT a.endpoint, a.type, a.number, a.outcome, a.\"trigger\", a.flags, a.status, a.last, a.due, "      \
    "a.sent, a.done, a.dns, a.connect, a.tls, a.first_byte, a.total, a.bytes_sent, a.bytes_received, "       \
    "a.timestamp, r.text, " more " FROM attempt a LEFT JOIN error r ON r.id = a.error"                       \
    " WHERE a.run = ?1 AND a.id > ?2 AND a.id <= ?3 ORDER BY " order

/* False: no run of ours has written such a row. */
static bool read_attempt(const struct replay *replay, sqlite3_stmt *row, struct e8_attempt *out)
{
    uint32_t endpoint = e8_read_upto(row, 0, UINT16_MAX), type = e8_read_upto(row, 1, UINT16_MAX);
    uint32_t code = e8_read_upto(row, 3, CODES_MAX - 1), trigger = e8_read_upto(row, 4, E8_TRIGGER_COUNT - 1);

    *out = (struct e8_attempt){0};
    if (endpoint >= replay->run->endpoint_count || type >= replay->run->type_count || code == CODES_MAX ||
        trigger == E8_TRIGGER_COUNT || !read_times(replay->run, row, 8, &out->times))
        return false;
    out->endpoint = (uint16_t)endpoint;
    out->type = (uint16_t)type;
    out->number = (uint16_t)e8_read_upto(row, 2, UINT16_MAX - 1);
    out->outcome = (uint8_t)replay->reader->codes[code].outcome;
    out->trigger = (uint8_t)trigger;
    out->flags = (uint16_t)e8_read_upto(row, 5, UINT16_MAX);
    out->status = (int16_t)e8_read_upto(row, 6, INT16_MAX - 1);
    out->last = sqlite3_column_int64(row, 7) != 0;
    out->phases = e8_read_phases(row, 11);
    out->bytes_sent = e8_read_u64(row, 16);
    out->bytes_received = e8_read_u64(row, 17);
    out->timestamp = sqlite3_column_int64(row, 18);
    const unsigned char *error = sqlite3_column_text(row, 19);
    size_t n = error ? strnlen((const char *)error, sizeof(out->error) - 1) : 0;
    if (n > 0)
        memcpy(out->error, error, n);
    out->copy = (uint16_t)e8_read_upto(row, 20, UINT16_MAX - 1);
    out->verdict = (uint8_t)e8_read_upto(row, 21, E8_EXPECTATION_REPORTED);
    return out->verdict <= E8_EXPECTATION_REPORTED;
}

static void add_attempt(void *state, const struct e8_attempt *attempt)
{
    struct replay *replay = state;

    e8_stats_add(replay->stats, attempt);
    if (!replay->tallied && e8_attempt_begins(attempt) && !(attempt->flags & E8_FLAG_WARMUP)) {
        replay->planned.endpoint[attempt->endpoint]++;
        replay->planned.type[attempt->type]++;
    }
}

static enum e8_rc each_attempt(struct replay *replay, const char *sql, e8_log_attempt_fn *fn, void *state,
                               struct e8_err *err)
{
    sqlite3_stmt *row = e8_read_prepare(replay->reader, sql, err);
    struct e8_attempt attempt;
    bool good = true;
    int code;

    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, replay->range.run);
    sqlite3_bind_int64(row, 2, replay->range.after);
    sqlite3_bind_int64(row, 3, replay->range.last);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && good) {
        good = read_attempt(replay, row, &attempt);
        if (good)
            fn(state, &attempt);
    }
    enum e8_rc rc = e8_read_end(replay->reader, row, code, err);
    return rc || good ? rc : e8_read_damaged(replay->reader, "an attempt is out of range", err);
}

static enum e8_rc add_attempts(struct replay *replay, struct e8_err *err)
{
    const char *sql =
        replay->reader->version < 3 ? ATTEMPTS("0, 0", "a.id") : ATTEMPTS("a.copy, a.verdict", "a.id");

    return each_attempt(replay, sql, add_attempt, replay, err);
}

static void add_events(struct replay *replay, unsigned type, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        e8_stats_event(replay->stats, type);
}

/* One row of `tally`: events, planned, dropped, aborted, withheld, gone from column 2 on. Those that are gone are of those withheld. */
static bool add_tally(struct replay *replay, sqlite3_stmt *row)
{
    bool of_type = sqlite3_column_int64(row, 0) != 0;
    size_t count = of_type ? replay->run->type_count : replay->run->endpoint_count;
    uint32_t i = e8_read_upto(row, 1, UINT16_MAX);
    struct margins *margins[] = {&replay->planned, &replay->dropped, &replay->aborted, &replay->withheld,
                                 &replay->gone};

    if (i >= count || e8_read_u64(row, 2) > DELIVERIES_MAX)
        return false;
    if (of_type)
        add_events(replay, i, e8_read_u64(row, 2));
    for (int m = 0; m < 5; m++)
        (of_type ? margins[m]->type : margins[m]->endpoint)[i] = e8_read_u64(row, 3 + m);
    uint64_t *withheld = of_type ? replay->withheld.type : replay->withheld.endpoint;
    uint64_t gone = (of_type ? replay->gone.type : replay->gone.endpoint)[i];
    if (gone > withheld[i])
        return false;
    withheld[i] -= gone;
    replay->tallied = true;
    return true;
}

#define TALLIES(more)                                                                                        \
    "SELECT kind = 'type', number, events, planned, dropped, aborted, " more " FROM tally WHERE run = ?1"

static enum e8_rc read_tallies(struct replay *replay, struct e8_err *err)
{
    const char *sql = replay->reader->version < 3   ? TALLIES("0, 0")
                      : replay->reader->version < 5 ? TALLIES("withheld, 0")
                                                    : TALLIES("withheld, gone");
    sqlite3_stmt *row = e8_read_prepare(replay->reader, sql, err);
    bool good = true;
    int code;

    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, replay->range.run);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && good)
        good = add_tally(replay, row);
    enum e8_rc rc = e8_read_end(replay->reader, row, code, err);
    return rc || good ? rc : e8_read_damaged(replay->reader, "a tally is out of range", err);
}

/* Of a run without tallies. */
static enum e8_rc count_events(struct replay *replay, struct e8_err *err)
{
    static const char sql[] = "SELECT type, count(*) FROM event WHERE id BETWEEN ?1 AND ?2 AND id NOT IN"
                              " (SELECT event FROM attempt WHERE id > ?3 AND id <= ?4 AND flags & ?5)"
                              " GROUP BY type";
    sqlite3_stmt *row = e8_read_prepare(replay->reader, sql, err);
    int64_t first = (int64_t)((uint64_t)replay->range.run << E8_EVENT_BITS);
    bool good = true;
    int code;

    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, first);
    sqlite3_bind_int64(row, 2, first | UINT32_MAX);
    sqlite3_bind_int64(row, 3, replay->range.after);
    sqlite3_bind_int64(row, 4, replay->range.last);
    sqlite3_bind_int64(row, 5, E8_FLAG_WARMUP);
    while ((code = sqlite3_step(row)) == SQLITE_ROW && good) {
        uint32_t type = e8_read_upto(row, 0, UINT16_MAX);
        good = type < replay->run->type_count;
        if (good)
            add_events(replay, type, e8_read_u64(row, 1));
    }
    enum e8_rc rc = e8_read_end(replay->reader, row, code, err);
    return rc || good ? rc : e8_read_damaged(replay->reader, "an event is out of range", err);
}

/* The deliveries that have an attempt but no last one count as aborted. */
static uint64_t not_ended(const struct e8_counts *n, uint64_t planned)
{
    uint64_t ended = n->delivered + n->failed + n->aborted;

    return planned > ended ? planned - ended : 0;
}

/* What e8_stats_add has not counted of those that the end of the run counted. */
static uint64_t not_seen(const struct e8_counts *n, uint64_t aborted)
{
    return aborted > n->aborted ? aborted - n->aborted : 0;
}

static void find_aborted(struct replay *replay, uint64_t *aborted, const uint64_t *planned, size_t count,
                         const struct e8_tally *(*tally)(const struct e8_stats *stats, unsigned i))
{
    for (size_t i = 0; i < count; i++) {
        const struct e8_counts *n = &tally(replay->stats, (unsigned)i)->n;
        aborted[i] = replay->tallied ? not_seen(n, aborted[i]) : not_ended(n, planned[i]);
    }
}

static bool sum_of(const uint64_t *counts, size_t n, uint64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (counts[i] > DELIVERIES_MAX)
            return false;
        *sum += counts[i];
    }
    return *sum <= DELIVERIES_MAX;
}

typedef void count_fn(struct e8_stats *stats, unsigned endpoint, unsigned type);

/* Counts each delivery under an endpoint and a type (the north-west corner rule). Uses the margins up. */
static bool spread(const struct replay *replay, struct margins *margins, count_fn *count)
{
    size_t endpoint_count = replay->run->endpoint_count, type_count = replay->run->type_count;
    uint64_t sum, same;

    if (!sum_of(margins->endpoint, endpoint_count, &sum) || !sum_of(margins->type, type_count, &same) ||
        sum != same)
        return false;
    for (unsigned e = 0, t = 0; sum > 0; sum--) {
        while (margins->endpoint[e] == 0)
            e++;
        while (margins->type[t] == 0)
            t++;
        margins->endpoint[e]--;
        margins->type[t]--;
        count(replay->stats, e, t);
    }
    return true;
}

static enum e8_rc add_counts(struct replay *replay, struct e8_err *err)
{
    const struct e8_log_run *run = replay->run;

    find_aborted(replay, replay->aborted.endpoint, replay->planned.endpoint, run->endpoint_count,
                 e8_stats_endpoint);
    find_aborted(replay, replay->aborted.type, replay->planned.type, run->type_count, e8_stats_type);
    if (spread(replay, &replay->planned, e8_stats_planned) &&
        spread(replay, &replay->dropped, e8_stats_dropped) &&
        spread(replay, &replay->aborted, e8_stats_aborted) &&
        spread(replay, &replay->withheld, e8_stats_withheld) && spread(replay, &replay->gone, e8_stats_gone))
        return E8_OK;
    return e8_read_damaged(replay->reader, "the tallies contradict each other", err);
}

static enum e8_rc replay_all(struct replay *replay, struct e8_err *err)
{
    enum e8_rc rc = e8_read_range(replay->reader, replay->run->id, &replay->range, err);

    rc = rc ? rc : read_tallies(replay, err);
    rc = rc ? rc : add_attempts(replay, err);
    if (rc == E8_OK && !replay->tallied)
        rc = count_events(replay, err);
    return rc ? rc : add_counts(replay, err);
}

enum e8_rc e8_dlog_stats(struct e8_dlog_reader *reader, const struct e8_log_run *run, struct e8_stats *stats,
                         struct e8_err *err)
{
    struct replay replay = {.reader = reader, .run = run, .stats = stats};
    struct e8_err local = {0};

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    margins_init(&replay.planned, run);
    margins_init(&replay.dropped, run);
    margins_init(&replay.aborted, run);
    margins_init(&replay.withheld, run);
    margins_init(&replay.gone, run);
    enum e8_rc rc = replay_all(&replay, err ? err : &local);
    margins_fini(&replay.planned);
    margins_fini(&replay.dropped);
    margins_fini(&replay.aborted);
    margins_fini(&replay.withheld);
    margins_fini(&replay.gone);
    return rc;
}

enum e8_rc e8_dlog_attempts(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                            e8_log_attempt_fn *fn, void *state, struct e8_err *err)
{
    const char *sql =
        reader->version < 3 ? ATTEMPTS("0, 0", "a.done") : ATTEMPTS("a.copy, a.verdict", "a.done");
    struct replay replay = {.reader = reader, .run = run};
    struct e8_err local = {0};

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    enum e8_rc rc = e8_read_range(reader, run->id, &replay.range, err);
    return rc ? rc : each_attempt(&replay, sql, fn, state, err);
}
