/* Sums by minute and by hour. A batch of attempts is counted in memory, so that each row of the table is written once. */
#include <stdlib.h>

#include "platform/store_parts.h"

/* One attempt in one row. */
struct unit {
    int64_t webhook, at, value;
    int16_t step, of;
    bool delivered;
    e8_dur_ns response;
};
struct e8_sums {
    struct unit *list;
    size_t count, room;
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
    static const int16_t steps[] = {E8_MINUTE, E8_HOUR};
    const int64_t values[] = {0, counted->webhook, counted->type, counted->status, counted->outcome};
    const int64_t webhooks[] = {0, counted->webhook};
    int64_t second = counted->done / E8_NS_S;

    for (size_t s = 0; s < E8_COUNT(steps); s++) {
        for (size_t w = 0; w < E8_COUNT(webhooks); w++) {
            for (int of = E8_SUM_ALL; of <= E8_SUM_OUTCOME; of++) {
                if (of == E8_SUM_WEBHOOK && webhooks[w] != 0)
                    continue;
                add(sums, &(struct unit){
                              .webhook = webhooks[w],
                              .at = second - second % steps[s],
                              .value = values[of],
                              .step = steps[s],
                              .of = (int16_t)of,
                              .delivered = counted->delivered,
                              .response = counted->response,
                          });
            }
        }
    }
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

/* Adds those of one row, which lie together, to what the row has. */
static void write_row(struct e8_side *side, const struct unit *units, size_t count, struct e8_buf *bytes)
{
    static const char get[] = "SELECT attempts, delivered, latency FROM sum WHERE step = ?1 AND webhook = ?2"
                              " AND of = ?3 AND at = ?4 AND value = ?5";
    static const char put[] = "INSERT OR REPLACE INTO sum VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    int64_t attempts = (int64_t)count, delivered = 0;
    struct e8_latency latency = {0};
    sqlite3_stmt *row;

    row = E8_ASK(side, get, e8_int(units->step), e8_int(units->webhook), e8_int(units->of), e8_int(units->at),
                 e8_int(units->value));
    if (e8_side_next(side, row)) {
        attempts += sqlite3_column_int64(row, 0);
        delivered += sqlite3_column_int64(row, 1);
        e8_latency_merge(&latency, e8_column_bytes(row, 2));
        e8_side_done(row);
    }
    for (size_t i = 0; i < count; i++) {
        delivered += units[i].delivered;
        e8_latency_add(&latency, units[i].response, 1);
    }
    e8_buf_reset(bytes);
    e8_latency_put(&latency, bytes);
    E8_RUN(side, put, e8_int(units->step), e8_int(units->webhook), e8_int(units->of), e8_int(units->at),
           e8_int(units->value), e8_int(attempts), e8_int(delivered), e8_blob(e8_buf_str(bytes)));
}

void e8_sums_write(struct e8_sums *sums, struct e8_side *side)
{
    struct e8_buf bytes;

    if (sums->count == 0)
        return;
    e8_buf_init(&bytes, 64 << 10);
    qsort(sums->list, sums->count, sizeof *sums->list, compare);
    for (size_t i = 0, next; i < sums->count; i = next) {
        for (next = i + 1; next < sums->count && compare(&sums->list[i], &sums->list[next]) == 0; next++)
            ;
        write_row(side, &sums->list[i], next - i, &bytes);
    }
    e8_buf_fini(&bytes);
}

/* A quarter of a day's at most, so that it is quick however long nobody has trimmed. */
void e8_sums_trim(struct e8_side *side, int64_t webhook, e8_wall_ns before)
{
    static const char sql[] = "DELETE FROM sum WHERE step = ?1 AND webhook = ?2 AND of = ?3 AND at < min(?4, "
                              "(SELECT min(at) FROM sum"
                              " WHERE step = ?1 AND webhook = ?2 AND of = ?3) + 6 * 3600)";
    static const int steps[] = {E8_MINUTE, E8_HOUR};

    for (size_t s = 0; s < E8_COUNT(steps); s++) {
        for (int of = E8_SUM_ALL; of <= E8_SUM_OUTCOME; of++)
            E8_RUN(side, sql, e8_int(steps[s]), e8_int(webhook), e8_int(of), e8_int(before / E8_NS_S));
    }
}
