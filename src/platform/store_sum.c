/* Sums by minute and by hour. A batch of attempts is counted in memory, so that each row of the table is written once. */
#include <stdlib.h>

#include "platform/store_parts.h"

/* One attempt in one row. */
struct unit {
    int64_t webhook, at, value;
    int16_t step, of;
    bool late;
    struct e8_mix_part part; /* with a count of 1 */
};
struct e8_sums {
    struct unit *list;
    size_t count, room;
};
struct row { /* what is being written */
    int64_t attempts, delivered, late;
    struct e8_latency latency;
    struct e8_mix_part *parts;
    size_t count, room;
    struct e8_buf bytes;
};

struct e8_sums *e8_sums_new(void)
{
    return e8_new(1, sizeof(struct e8_sums));
}

void e8_sums_free(struct e8_sums **sums)
{
    free((*sums)->list);
    free(*sums);
    *sums = NULL;
}

static void add(struct e8_sums *sums, const struct unit *unit)
{
    if (sums->count == sums->room) {
        sums->room = sums->room ? 2 * sums->room : 64;
        sums->list = e8_resize(sums->list, sums->room, sizeof *sums->list);
    }
    sums->list[sums->count++] = *unit;
}

void e8_sums_add(struct e8_sums *sums, const struct e8_counted *counted)
{
    const int64_t values[] = {0, counted->webhook, counted->type, counted->status, counted->outcome, 0};
    int64_t second = counted->done / E8_NS_S, minute = second - second % E8_MINUTE;
    struct unit unit = {
        .late = counted->late,
        .part = {.type = counted->type,
                 .status = counted->status,
                 .outcome = counted->outcome,
                 .slot = e8_latency_slot(counted->response),
                 .delivered = counted->delivered,
                 .count = 1},
    };

    for (unit.of = E8_SUM_ALL; unit.of <= E8_SUM_OUTCOME; unit.of++) {
        unit.value = values[unit.of];
        unit.step = E8_MINUTE, unit.at = minute, unit.webhook = 0;
        add(sums, &unit);
        unit.step = E8_HOUR, unit.at = second - second % E8_HOUR;
        add(sums, &unit);
        unit.webhook = counted->webhook;
        if (unit.of != E8_SUM_WEBHOOK)
            add(sums, &unit);
    }
    unit.of = E8_SUM_MIX, unit.value = 0;
    unit.step = E8_MINUTE, unit.at = minute;
    add(sums, &unit);
}

static int compare(const void *left, const void *right)
{
    const struct unit *a = left, *b = right;
    const int64_t pairs[][2] = {
        {a->step, b->step}, {a->webhook, b->webhook}, {a->of, b->of}, {a->at, b->at}, {a->value, b->value}};

    for (size_t i = 0; i < E8_COUNT(pairs); i++) {
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    }
    return 0;
}

static void add_part(struct row *row, const struct e8_mix_part *part)
{
    if (row->count == row->room) {
        row->room = row->room ? 2 * row->room : 64;
        row->parts = e8_resize(row->parts, row->room, sizeof *row->parts);
    }
    row->parts[row->count++] = *part;
}

/* What is there already. */
static void read_row(struct e8_side *side, const struct unit *unit, struct row *row)
{
    static const char get[] = "SELECT attempts, delivered, latency, late FROM sum WHERE step = ?1 AND webhook = ?2"
                              " AND of = ?3 AND at = ?4 AND value = ?5";
    sqlite3_stmt *found = E8_ASK(side, get, e8_int(unit->step), e8_int(unit->webhook), e8_int(unit->of),
                                 e8_int(unit->at), e8_int(unit->value));
    struct e8_mix_part part;

    row->attempts = row->delivered = row->late = 0;
    row->latency = (struct e8_latency){0};
    row->count = 0;
    if (!e8_side_next(side, found))
        return;
    row->attempts = sqlite3_column_int64(found, 0);
    row->delivered = sqlite3_column_int64(found, 1);
    row->late = sqlite3_column_int64(found, 3);
    struct e8_str bytes = e8_column_bytes(found, 2);
    if (unit->of != E8_SUM_MIX)
        e8_latency_merge(&row->latency, bytes);
    else
        while (e8_mix_take(&bytes, &part))
            add_part(row, &part);
    e8_side_done(found);
}

/* Adds the units of one row, which lie together. */
static void write_row(struct e8_side *side, const struct unit *units, size_t count, struct row *row)
{
    static const char put[] = "INSERT OR REPLACE INTO sum VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

    read_row(side, units, row);
    for (size_t i = 0; i < count; i++) {
        row->attempts++;
        row->delivered += units[i].part.delivered;
        row->late += units[i].late;
        if (units->of == E8_SUM_MIX)
            add_part(row, &units[i].part);
        else
            e8_latency_add(&row->latency, units[i].part.slot, 1);
    }
    e8_buf_reset(&row->bytes);
    if (units->of == E8_SUM_MIX)
        e8_mix_put(row->parts, row->count, &row->bytes);
    else
        e8_latency_put(&row->latency, &row->bytes);
    E8_RUN(side, put, e8_int(units->step), e8_int(units->webhook), e8_int(units->of), e8_int(units->at),
           e8_int(units->value), e8_int(row->attempts), e8_int(row->delivered),
           e8_blob(e8_buf_str(&row->bytes)), e8_int(row->late));
}

void e8_sums_write(struct e8_sums *sums, struct e8_side *side)
{
    struct row *row;

    if (sums->count == 0)
        return;
    row = e8_new(1, sizeof *row);
    e8_buf_init(&row->bytes, 16 << 20);
    qsort(sums->list, sums->count, sizeof *sums->list, compare);
    for (size_t i = 0, next; i < sums->count; i = next) {
        for (next = i + 1; next < sums->count && compare(&sums->list[i], &sums->list[next]) == 0; next++)
            ;
        write_row(side, &sums->list[i], next - i, row);
    }
    e8_buf_fini(&row->bytes);
    free(row->parts);
    free(row);
}

/* A quarter of a day's at most, so that it is quick however long nobody has trimmed. */
void e8_sums_trim(struct e8_side *side, int64_t webhook, e8_wall_ns before)
{
    static const char sql[] = "DELETE FROM sum WHERE step = ?1 AND webhook = ?2 AND of = ?3 AND at < min(?4, "
                              "(SELECT min(at) FROM sum"
                              " WHERE step = ?1 AND webhook = ?2 AND of = ?3) + 6 * 3600)";
    static const int steps[] = {E8_MINUTE, E8_HOUR};

    for (size_t s = 0; s < E8_COUNT(steps); s++) {
        for (int of = E8_SUM_ALL; of <= E8_SUM_MIX; of++)
            E8_RUN(side, sql, e8_int(steps[s]), e8_int(webhook), e8_int(of), e8_int(before / E8_NS_S));
    }
}
