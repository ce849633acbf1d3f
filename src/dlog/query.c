/* Attempts by filter. All of it is SQL; what the user gave is bound, never put into the text. */
#include <string.h>

#include "dlog/read.h"
#include "match/match.h"

static const char columns[] =
    "SELECT a.id AS cursor, a.run, e.event_id, a.delivery_id, t.name, s.environment, p.name, p.url, "
    "p.scheme, a.number,"
    " a.\"trigger\", a.outcome, r.text, a.status, a.due, a.sent, a.done, a.dns, a.connect, a.tls, "
    "a.first_byte, a.total,"
    " a.bytes_sent, a.bytes_received, a.flags, a.timestamp, a.last, ";
/* The same of a file of version 2 and of today. */
static const char columns_v2[] = "0, 0, e.step", columns_v3[] = "a.copy, a.verdict, coalesce(a.step, e.step)";
static const char tables[] =
    " FROM attempt a CROSS JOIN event e ON e.id = a.event" /* CROSS: attempts are the outer loop, in order */
    " LEFT JOIN type t ON t.run = a.run AND t.number = a.type"
    " LEFT JOIN step s ON s.run = a.run AND s.number = e.step"
    " LEFT JOIN endpoint p ON p.run = a.run AND p.number = a.endpoint"
    " LEFT JOIN error r ON r.id = a.error WHERE a.id > :after";

/* "503": that; "5xx": its class; "none": low is 0. */
struct statuses {
    int low, high;
};

static bool parse_status(const char *text, struct statuses *out)
{
    if (strcmp(text, "none") == 0) {
        *out = (struct statuses){0, 0};
        return true;
    }
    if (strlen(text) != 3 || text[0] < '1' || text[0] > '5')
        return false;
    if (strcmp(text + 1, "xx") == 0) {
        int low = (text[0] - '0') * 100;
        *out = (struct statuses){low, low + 99};
        return true;
    }
    uint64_t value;
    if (!e8_parse_u64(e8_str(text), &value))
        return false;
    *out = (struct statuses){(int)value, (int)value};
    return true;
}

static enum e8_rc fail_outcome(const char *name, struct e8_err *err)
{
    const char *names[E8_OUTCOME_COUNT + 1] = {NULL};
    char hint[E8_HINT_MAX];

    for (int i = 0; i < E8_OUTCOME_COUNT; i++)
        names[i] = e8_outcome_info((enum e8_outcome)i)->name;
    e8_hint_near(e8_str(name), names, "the column outcome of the log's rows tells which there are", hint);
    return e8_fail(err, E8_INPUT, hint, "unknown outcome \"%.64s\"", name);
}

enum e8_rc e8_log_filter_check(const struct e8_log_filter *filter, struct e8_err *err)
{
    struct statuses statuses;
    enum e8_outcome outcome;

    if (filter->status && !parse_status(filter->status, &statuses))
        return e8_fail(err, E8_INPUT, "a status (503), a class (5xx) or \"none\"", "\"%.64s\" is no status",
                       filter->status);
    if (filter->type && !e8_pattern_valid(e8_str(filter->type)))
        return e8_fail(err, E8_INPUT, "a type (message.received), a category (message.*) or \"*\"",
                       "\"%.64s\" is no pattern of event types", filter->type);
    if (filter->outcome && !e8_outcome_find(e8_str(filter->outcome), &outcome))
        return fail_outcome(filter->outcome, err);
    if (filter->since && filter->until && filter->since >= filter->until)
        return e8_fail(err, E8_INPUT, NULL, "the end of the time span is not after its beginning");
    if (filter->run < -1)
        return e8_fail(err, E8_INPUT, NULL, "a run's number is not negative");
    return E8_OK;
}

static void where(struct e8_buf *sql, bool given, const char *condition)
{
    if (given) {
        e8_buf_puts(sql, " AND ");
        e8_buf_puts(sql, condition);
    }
}

static void put_status(struct e8_buf *sql, const char *status)
{
    struct statuses statuses;

    if (!status)
        return;
    bool valid = parse_status(status, &statuses);
    E8_ASSERT(valid);
    if (statuses.low == 0)
        e8_buf_puts(sql, " AND a.status IS NULL");
    else
        e8_buf_printf(sql, " AND a.status BETWEEN %d AND %d", statuses.low, statuses.high);
}

/* A type's name has none of GLOB's characters; the pattern was checked. "a.*" takes no "a.", hence the '?'. */
static void put_type(struct e8_buf *sql, const char *type)
{
    if (!type || strcmp(type, "*") == 0)
        return;
    if (type[strlen(type) - 1] != '*')
        e8_buf_puts(sql, " AND t.name = :type");
    else
        e8_buf_puts(sql, " AND t.name GLOB substr(:type, 1, length(:type) - 1) || '?*'");
}

static void put_query(struct e8_buf *sql, const struct e8_dlog_reader *reader,
                      const struct e8_log_filter *filter)
{
    bool one_run = filter->run != -1;

    e8_buf_puts(sql, filter->limit ? "SELECT * FROM (" : "");
    e8_buf_puts(sql, columns);
    e8_buf_puts(sql, reader->version < 3 ? columns_v2 : columns_v3);
    e8_buf_puts(sql, tables);
    where(sql, one_run, "a.id <= :last AND a.run = :run");
    where(sql, filter->delivery, "");
    if (filter->delivery)
        e8_read_put_delivery(reader, sql, ":delivery", true);
    where(sql, filter->event, "a.event IN (SELECT id FROM event WHERE event_id = :event");
    e8_buf_puts(sql, filter->event
                         ? (one_run ? " AND id BETWEEN :run << 32 AND (:run << 32) + 4294967295)" : ")")
                         : "");
    where(sql, filter->since, "a.due >= :since");
    where(sql, filter->until, "a.due < :until");
    where(sql, filter->slower, "a.done - a.due > :slower");
    where(sql, filter->outcome, "a.outcome = (SELECT code FROM outcome WHERE name = :outcome)");
    where(sql, filter->failed, "a.outcome <> (SELECT code FROM outcome WHERE name = 'delivered')");
    where(sql, filter->endpoint, "p.name = :endpoint");
    put_status(sql, filter->status);
    put_type(sql, filter->type);
    e8_buf_puts(sql, filter->limit ? " ORDER BY a.id DESC LIMIT :limit) ORDER BY cursor" : " ORDER BY a.id");
}

/* Names that the text does not have are passed over. */
static void bind_text(sqlite3_stmt *statement, const char *name, const char *text)
{
    int at = sqlite3_bind_parameter_index(statement, name);

    if (at > 0)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *statement, const char *name, int64_t value)
{
    int at = sqlite3_bind_parameter_index(statement, name);

    if (at > 0)
        sqlite3_bind_int64(statement, at, value);
}

static void bind_all(sqlite3_stmt *statement, const struct e8_log_filter *filter,
                     const struct e8_read_range *range)
{
    bind_int(statement, ":run", range->run);
    bind_int(statement, ":after", filter->after > range->after ? filter->after : range->after);
    bind_int(statement, ":last", range->last);
    bind_int(statement, ":limit", filter->limit > INT64_MAX ? INT64_MAX : (int64_t)filter->limit);
    bind_int(statement, ":since", filter->since);
    bind_int(statement, ":until", filter->until);
    bind_int(statement, ":slower", filter->slower);
    bind_text(statement, ":delivery", filter->delivery);
    bind_text(statement, ":event", filter->event);
    bind_text(statement, ":outcome", filter->outcome);
    bind_text(statement, ":endpoint", filter->endpoint);
    bind_text(statement, ":type", filter->type);
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static const char *trigger_of(sqlite3_stmt *statement, int column)
{
    uint32_t trigger = e8_read_upto(statement, column, E8_TRIGGER_COUNT - 1);

    return trigger < E8_TRIGGER_COUNT ? e8_trigger_name((enum e8_trigger)trigger) : "unknown";
}

static e8_dur_ns between(e8_wall_ns from, e8_wall_ns to)
{
    e8_dur_ns dur;

    return __builtin_sub_overflow(to, from, &dur) || dur < 0 ? 0 : dur;
}

static void fill_row(const struct e8_dlog_reader *reader, sqlite3_stmt *statement, struct e8_log_row *row)
{
    uint32_t code = e8_read_upto(statement, 11, CODES_MAX - 1);

    *row = (struct e8_log_row){
        .cursor = sqlite3_column_int64(statement, 0),
        .run = sqlite3_column_int64(statement, 1),
        .event_id = text_of(statement, 2),
        .delivery_id = text_of(statement, 3),
        .type = text_of(statement, 4),
        .environment = text_of(statement, 5),
        .endpoint = text_of(statement, 6),
        .url = text_of(statement, 7),
        .scheme = text_of(statement, 8),
        .number = sqlite3_column_int(statement, 9),
        .trigger = trigger_of(statement, 10),
        .outcome = code < CODES_MAX ? reader->codes[code].name : "unknown",
        .error = text_of(statement, 12),
        .status = sqlite3_column_int(statement, 13),
        .due = sqlite3_column_int64(statement, 14),
        .sent = sqlite3_column_int64(statement, 15),
        .done = sqlite3_column_int64(statement, 16),
        .phases = e8_read_phases(statement, 17),
        .bytes_sent = e8_read_u64(statement, 22),
        .bytes_received = e8_read_u64(statement, 23),
        .flags = (uint16_t)e8_read_upto(statement, 24, UINT16_MAX - 1),
        .timestamp = sqlite3_column_int64(statement, 25),
        .last = sqlite3_column_int64(statement, 26) != 0,
        .copy = (int)e8_read_upto(statement, 27, UINT16_MAX),
        .verdict = e8_expectation_name(sqlite3_column_int64(statement, 28)),
        .step = sqlite3_column_int64(statement, 29),
    };
    row->response_time = between(row->due, row->done);
    row->service_time = between(row->sent, row->done);
    row->send_lag = between(row->due, row->sent);
}

static enum e8_rc run_query(struct e8_dlog_reader *reader, sqlite3_stmt *statement, e8_log_row_fn *fn,
                            void *state, struct e8_err *err)
{
    struct e8_log_row row;
    bool more = true;
    int code = SQLITE_ROW;

    while (more && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        fill_row(reader, statement, &row);
        more = fn(state, &row);
    }
    return e8_read_end(reader, statement, code, err);
}

static enum e8_rc query_range(struct e8_dlog_reader *reader, const struct e8_log_filter *filter,
                              const struct e8_read_range *range, e8_log_row_fn *fn, void *state,
                              struct e8_err *err)
{
    struct e8_buf sql;

    e8_buf_init(&sql, 16 << 10);
    put_query(&sql, reader, filter);
    sqlite3_stmt *statement = e8_read_prepare(reader, e8_buf_cstr(&sql), err);
    e8_buf_fini(&sql);
    if (!statement)
        return err->rc;
    bind_all(statement, filter, range);
    return run_query(reader, statement, fn, state, err);
}

enum e8_rc e8_dlog_query(struct e8_dlog_reader *reader, const struct e8_log_filter *filter, e8_log_row_fn *fn,
                         void *state, struct e8_err *err)
{
    struct e8_read_range range = {.last = INT64_MAX};
    struct e8_err local = {0};
    enum e8_rc rc;
    int64_t runs;

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    rc = e8_log_filter_check(filter, err);
    if (rc)
        return rc;
    if (filter->run == 0 && e8_db_int(reader->db, "SELECT count(*) FROM run", &runs) && runs == 0)
        return E8_OK; /* none yet; who follows the log will see the first */
    if (filter->run != -1)
        rc = e8_read_range(reader, filter->run, &range, err);
    return rc ? rc : query_range(reader, filter, &range, fn, state, err);
}
