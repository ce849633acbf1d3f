/* Events come in: what they owe is on the disk when the caller goes on. */
#include "platform/store_parts.h"

static int64_t next_row(struct e8_side *side)
{
    static const char sql[] = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'delivery'";

    return e8_side_int(side, 1, sql, NULL, 0);
}

static int64_t put_event(struct e8_side *side, const struct e8_store_event *event, const struct e8_kind *kind,
                         int64_t first, size_t count)
{
    static const char sql[] =
        "INSERT INTO event(id, type, environment, test, created, first, deliveries, body)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

    E8_RUN(side, sql, e8_text(event->id), e8_int(kind->type), e8_int(kind->environment), e8_int(kind->test),
           e8_int(event->created), e8_int(first), e8_int((int64_t)count), e8_blob(event->body));
    return e8_side_failed(side) ? 0 : sqlite3_last_insert_rowid(side->db);
}

/* When the rows of a block were made. */
static void put_span(struct e8_side *side, int64_t row, e8_wall_ns created)
{
    static const char sql[] = "INSERT INTO span VALUES(?1, ?2, ?2) ON CONFLICT DO UPDATE"
                              " SET low = min(low, excluded.low), high = max(high, excluded.high)";

    E8_RUN(side, sql, e8_int(row >> E8_SPAN_BITS), e8_int(created));
}

static void put_delivery(struct e8_side *side, int64_t row, const struct e8_store_target *target,
                         const struct e8_kind *kind, int64_t event, int64_t run, e8_wall_ns created)
{
    static const char sql[] = "INSERT INTO delivery(row, id, kind, event, webhook, created, due, test, "
                              "number, tries, run, error, updated)"
                              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, ?9, ?10, ?11)";

    E8_RUN(side, sql, e8_int(row), e8_text(target->id), e8_int(e8_kind_enter(side, kind, row)), e8_int(event),
           e8_int(kind->webhook), e8_int(created), e8_int_or_null(target->withheld ? 0 : target->due),
           e8_int(kind->test), e8_int_or_null(run), e8_text(target->withheld),
           e8_int_or_null(target->withheld ? created : 0));
}

enum e8_rc e8_event_put(struct e8_side *side, const struct e8_store_event *event,
                        const struct e8_store_target *targets, size_t count, int64_t run, struct e8_err *err)
{
    int64_t row = next_row(side);
    struct e8_kind kind = {
        .type = e8_word(side, event->type),
        .environment = e8_word(side, event->environment),
        .test = event->test,
        .class = E8_CLASS_UNSENT,
    };
    int64_t n = put_event(side, event, &kind, row, count);

    for (size_t i = 0; i < count; i++, row++) {
        kind.webhook =
            run ? e8_webhook_number(side, targets[i].webhook) : e8_webhook_find(side, targets[i].webhook);
        if (kind.webhook <= 0 && !e8_side_failed(side))
            return e8_fail(err, E8_INPUT, NULL, "there is no webhook \"%.60s\"", targets[i].webhook);
        kind.state = targets[i].withheld ? E8_STATE_CANCELLED : E8_STATE_PENDING;
        put_delivery(side, row, &targets[i], &kind, n, run, event->created);
        put_span(side, row, event->created);
    }
    return E8_OK;
}

enum e8_rc e8_store_accept(struct e8_store *store, const struct e8_store_event *event,
                           const struct e8_store_target *targets, size_t count, struct e8_err *err)
{
    E8_CHECK_MAGIC(store, E8_STORE_MAGIC);
    e8_side_begin(&store->writer, E8_SYNC);
    return e8_side_end(&store->writer, e8_event_put(&store->writer, event, targets, count, 0, err), err);
}
