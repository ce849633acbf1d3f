/* From the sums: the slices from those of all attempts, the shares from hours, and from minutes where the time begins or ends within
 * an hour. */
#include <stdlib.h>

#include "platform/store_parts.h"

enum { SLICES_MAX = 20000, BAR = 4 /* slots of the histogram in one that is told */ };

struct times {
    int64_t since, until, step; /* seconds */
};
struct tally {
    int64_t value;
    uint64_t attempts, delivered;
    struct e8_latency latency;
};
struct tallies { /* a hash table by value */
    struct tally **list;
    size_t count, room; /* room: a power of two */
};

static bool cut(struct times *times, e8_wall_ns since, e8_wall_ns until, e8_dur_ns step)
{
    const int64_t minute = E8_MINUTE * E8_NS_S;
    int64_t minutes = step / minute + (step % minute != 0);

    times->step = E8_MINUTE * (minutes > 0 ? minutes : 1);
    times->since = since > 0 ? since / E8_NS_S / times->step * times->step : 0;
    times->until = until > 0 ? until / E8_NS_S / times->step * times->step : 0;
    if (until > 0 && times->until * E8_NS_S < until)
        times->until += times->step;
    if (times->until < times->since)
        times->until = times->since;
    return (times->until - times->since) / times->step <= SLICES_MAX;
}

/* ---- slices ---- */

static void end_slice(struct e8_store_slice *slice, const struct e8_latency *latency)
{
    slice->failed = slice->attempts - slice->delivered;
    slice->p50 = e8_latency_at(latency, 0.5);
    slice->p90 = e8_latency_at(latency, 0.9);
    slice->p99 = e8_latency_at(latency, 0.99);
}

static void add_to_slice(struct e8_store_slice *slice, struct e8_latency *latency, sqlite3_stmt *row,
                         enum e8_sum_of of)
{
    struct e8_str bytes = e8_column_bytes(row, 3);
    struct e8_mix_part part;

    slice->attempts += (uint64_t)sqlite3_column_int64(row, 1);
    slice->delivered += (uint64_t)sqlite3_column_int64(row, 2);
    slice->late += (uint64_t)sqlite3_column_int64(row, 4);
    if (of != E8_SUM_MIX)
        e8_latency_merge(latency, bytes);
    else
        while (e8_mix_take(&bytes, &part))
            e8_latency_add(latency, part.slot, part.count);
}

static void read_slices(struct e8_side *side, const struct times *times, int64_t webhook,
                        struct e8_store_overview *out, struct e8_latency *all)
{
    static const char sql[] = "SELECT at, attempts, delivered, latency, late FROM sum WHERE step = ?1"
                              " AND webhook = ?2 AND of = ?3 AND at >= ?4 AND at < ?5 ORDER BY at";
    int64_t step = times->step % E8_HOUR == 0 ? E8_HOUR : E8_MINUTE;
    enum e8_sum_of of = step == E8_MINUTE && webhook != 0 ? E8_SUM_MIX : E8_SUM_ALL;
    struct e8_latency latency = {0};
    sqlite3_stmt *row;
    size_t now = 0;

    row = E8_ASK(side, sql, e8_int(step), e8_int(webhook), e8_int(of), e8_int(times->since),
                 e8_int(times->until));
    while (e8_side_next(side, row)) {
        size_t at = (size_t)((sqlite3_column_int64(row, 0) - times->since) / times->step);
        if (at != now) {
            end_slice(&out->slices[now], &latency);
            latency = (struct e8_latency){0};
            now = at;
        }
        add_to_slice(&out->slices[now], &latency, row, of);
        add_to_slice(&out->all, all, row, of);
    }
    if (out->slice_count > 0)
        end_slice(&out->slices[now], &latency);
    end_slice(&out->all, all);
}

static void make_slices(const struct times *times, struct e8_arena *arena, struct e8_store_overview *out)
{
    out->slice_count = (size_t)((times->until - times->since) / times->step);
    out->slices = e8_arena_alloc(arena, (out->slice_count + 1) * sizeof *out->slices);
    out->all.at = times->since * E8_NS_S;
    for (size_t i = 0; i < out->slice_count; i++) {
        struct e8_store_slice *slice = &out->slices[i];
        slice->at = (times->since + (int64_t)i * times->step) * E8_NS_S;
        slice->p50 = slice->p90 = slice->p99 = -1;
    }
}

/* ---- shares ---- */

static struct tally **place_of(const struct tallies *tallies, int64_t value)
{
    size_t at = (size_t)e8_mix(0, (uint64_t)value) & (tallies->room - 1);

    while (tallies->list[at] && tallies->list[at]->value != value)
        at = (at + 1) & (tallies->room - 1);
    return &tallies->list[at];
}

static void grow(struct tallies *tallies)
{
    struct tallies more = {.count = tallies->count, .room = tallies->room ? 2 * tallies->room : 64};

    more.list = e8_new(more.room, sizeof(struct tally *));
    for (size_t i = 0; i < tallies->room; i++) {
        if (tallies->list[i])
            *place_of(&more, tallies->list[i]->value) = tallies->list[i];
    }
    free(tallies->list);
    *tallies = more;
}

static struct tally *tally_of(struct tallies *tallies, int64_t value)
{
    if (2 * tallies->count >= tallies->room)
        grow(tallies);
    struct tally **place = place_of(tallies, value);
    if (!*place) {
        *place = e8_new(1, sizeof **place);
        (*place)->value = value;
        tallies->count++;
    }
    return *place;
}

/* Of an endpoint's minutes. */
static void read_mixes(struct e8_side *side, int64_t webhook, enum e8_sum_of of, int64_t since, int64_t until,
                       struct tallies *tallies)
{
    static const char sql[] = "SELECT latency FROM sum WHERE step = ?1 AND webhook = ?2 AND of = ?3"
                              " AND at >= ?4 AND at < ?5";
    sqlite3_stmt *row;

    row = E8_ASK(side, sql, e8_int(E8_MINUTE), e8_int(webhook), e8_int(E8_SUM_MIX), e8_int(since),
                 e8_int(until));
    while (e8_side_next(side, row)) {
        struct e8_str bytes = e8_column_bytes(row, 0);
        struct e8_mix_part part;
        while (e8_mix_take(&bytes, &part)) {
            struct tally *tally = tally_of(tallies, e8_mix_value(&part, of));
            tally->attempts += part.count;
            tally->delivered += part.delivered ? part.count : 0;
            e8_latency_add(&tally->latency, part.slot, part.count);
        }
    }
}

static void read_tallies(struct e8_side *side, int64_t step, int64_t webhook, enum e8_sum_of of,
                         int64_t since, int64_t until, struct tallies *tallies)
{
    static const char sql[] = "SELECT value, attempts, delivered, latency FROM sum WHERE step = ?1"
                              " AND webhook = ?2 AND of = ?3 AND at >= ?4 AND at < ?5";
    sqlite3_stmt *row;

    if (step == E8_MINUTE && webhook != 0) {
        read_mixes(side, webhook, of, since, until, tallies);
        return;
    }
    row = E8_ASK(side, sql, e8_int(step), e8_int(webhook), e8_int(of), e8_int(since), e8_int(until));
    while (e8_side_next(side, row)) {
        struct tally *tally = tally_of(tallies, sqlite3_column_int64(row, 0));
        tally->attempts += (uint64_t)sqlite3_column_int64(row, 1);
        tally->delivered += (uint64_t)sqlite3_column_int64(row, 2);
        e8_latency_merge(&tally->latency, e8_column_bytes(row, 3));
    }
}

static void put_name(struct e8_side *side, enum e8_sum_of of, int64_t value, struct e8_arena *arena,
                     struct e8_store_share *out)
{
    static const char webhook[] = "SELECT id, url, deleted FROM webhook WHERE n = ?1";
    static const char word[] = "SELECT text, NULL, 0 FROM word WHERE n = ?1";

    out->name = "";
    if (of == E8_SUM_STATUS) {
        out->name = value ? e8_arena_printf(arena, "%lld", (long long)value) : "none";
        return;
    }
    sqlite3_stmt *row = E8_ASK(side, of == E8_SUM_WEBHOOK ? webhook : word, e8_int(value));
    if (e8_side_next(side, row)) {
        out->name = e8_column_text(row, 0, arena);
        out->url = e8_column_text(row, 1, arena);
        out->deleted = sqlite3_column_int(row, 2) != 0;
    }
    e8_side_done(row);
}

static int by_attempts(const void *left, const void *right)
{
    const struct e8_store_share *a = left, *b = right;

    if (a->attempts != b->attempts)
        return a->attempts > b->attempts ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void take_tallies(struct e8_side *side, enum e8_sum_of of, struct tallies *tallies,
                         struct e8_arena *arena, struct e8_store_shares *out)
{
    out->list = e8_arena_alloc(arena, (tallies->count + 1) * sizeof *out->list);
    for (size_t i = 0; i < tallies->room; i++) {
        struct tally *tally = tallies->list[i];
        if (!tally)
            continue;
        struct e8_store_share *share = &out->list[out->count++];
        *share = (struct e8_store_share){
            .attempts = tally->attempts,
            .delivered = tally->delivered,
            .p50 = e8_latency_at(&tally->latency, 0.5),
            .p99 = e8_latency_at(&tally->latency, 0.99),
        };
        put_name(side, of, tally->value, arena, share);
        free(tally);
    }
    free(tallies->list);
    qsort(out->list, out->count, sizeof *out->list, by_attempts);
}

static void read_shares(struct e8_side *side, const struct times *times, int64_t webhook, enum e8_sum_of of,
                        struct e8_arena *arena, struct e8_store_shares *out)
{
    int64_t from = (times->since + E8_HOUR - 1) / E8_HOUR * E8_HOUR, to = times->until / E8_HOUR * E8_HOUR;
    struct tallies tallies = {0};

    if (from >= to)
        from = to = times->until;
    read_tallies(side, E8_MINUTE, webhook, of, times->since, from, &tallies);
    read_tallies(side, E8_HOUR, webhook, of, from, to, &tallies);
    read_tallies(side, E8_MINUTE, webhook, of, to, times->until, &tallies);
    take_tallies(side, of, &tallies, arena, out);
}

/* ---- all of it ---- */

static void make_histogram(const struct e8_latency *all, struct e8_arena *arena,
                           struct e8_store_overview *out)
{
    size_t count = 0;

    out->latency = e8_arena_alloc(arena, E8_LATENCY_SLOTS / BAR * sizeof *out->latency);
    for (unsigned slot = 0; slot < E8_LATENCY_SLOTS; slot += BAR) {
        uint64_t attempts = 0;
        for (unsigned i = 0; i < BAR; i++)
            attempts += all->slots[slot + i];
        if (attempts == 0 && count == 0)
            continue;
        out->latency[count].upto = e8_latency_upto(slot + BAR - 1);
        out->latency[count++].attempts = attempts;
        if (attempts > 0)
            out->latency_count = count;
    }
}

static void read_pending(struct e8_side *side, int64_t webhook, struct e8_store_overview *out)
{
    static const char sql[] = "SELECT sum(deliveries) FROM kind WHERE ?1 IN (0, webhook) AND state = ?2";
    int64_t unsent = E8_INT(side, 0, sql, e8_int(webhook), e8_int(E8_STATE_PENDING));
    int64_t retrying = E8_INT(side, 0, sql, e8_int(webhook), e8_int(E8_STATE_RETRYING));

    out->pending = (uint64_t)(unsent + retrying);
    out->retrying = (uint64_t)retrying;
}

enum e8_rc e8_store_overview(struct e8_store *store, e8_wall_ns since, e8_wall_ns until, e8_dur_ns step,
                             const char *webhook, struct e8_arena *arena, struct e8_store_overview *out,
                             struct e8_err *err)
{
    struct e8_side *side = &store->reader;
    struct e8_latency all = {0};
    struct times times;

    *out = (struct e8_store_overview){0};
    if (!cut(&times, since, until, step))
        return e8_fail(err, E8_INPUT, "take longer steps, or a shorter time",
                       "the time has more than %d steps", SLICES_MAX);
    make_slices(&times, arena, out);
    e8_side_begin(side, E8_READ);
    int64_t n = e8_webhook_number(side, webhook);
    read_slices(side, &times, n, out, &all);
    if (n == 0)
        read_shares(side, &times, n, E8_SUM_WEBHOOK, arena, &out->webhooks);
    read_shares(side, &times, n, E8_SUM_TYPE, arena, &out->types);
    read_shares(side, &times, n, E8_SUM_STATUS, arena, &out->statuses);
    read_shares(side, &times, n, E8_SUM_OUTCOME, arena, &out->outcomes);
    read_pending(side, n, out);
    make_histogram(&all, arena, out);
    return e8_side_end(side, E8_OK, err);
}
