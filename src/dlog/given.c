/* What the rings give, as two virtual tables: a batch is then written by two statements. To run one for each row costs more than to
 * put the row into its tree. */
#include <string.h>

#include "dlog/write.h"

/* A row as SQLite asks for it, column by column. */
struct row {
    const char *id; /* in the column `id_at` of its table */
    int64_t numbers[18];
    uint32_t known; /* bits of the columns that are not NULL */
};

struct kind {
    const char *name, *columns;
    int id_at;
    size_t (*count)(const struct e8_given *given);
    void (*fill)(const struct e8_dlog *log, size_t i, struct row *row);
};

struct table {
    sqlite3_vtab base;
    const struct e8_dlog *log;
    const struct kind *kind;
};

struct cursor {
    sqlite3_vtab_cursor base;
    const struct e8_dlog *log;
    const struct kind *kind;
    size_t at, count;
    struct row row;
};

/* Rows */

static void put(struct row *row, int at, int64_t value)
{
    row->numbers[at] = value;
    row->known |= 1U << at;
}

static void put_phase(struct row *row, int at, e8_dur_ns phase)
{
    if (phase >= 0)
        put(row, at, phase);
}

static void put_some(struct row *row, int at, int64_t value) /* 0: NULL */
{
    if (value != 0)
        put(row, at, value);
}

static int64_t event_key(const struct e8_dlog *log, uint32_t number)
{
    return (int64_t)((uint64_t)log->run << E8_EVENT_BITS | number);
}

static void fill_event(const struct e8_dlog *log, size_t i, struct row *row)
{
    const struct e8_event_record *event = log->given.events[i];

    row->known = 0;
    put(row, 0, event_key(log, event->event));
    put(row, 1, (int64_t)event->step << 16 | event->type);
    put(row, 2, event->sequence);
    put(row, 3, (int64_t)event->flow);
    put(row, 4, (int64_t)event->instance);
    put(row, 5, event->at);
    put(row, 6, event->flow_started);
    row->id = event->id;
}

static int64_t place_of(const struct e8_attempt *attempt)
{
    return (int64_t)attempt->step << 32 | (int64_t)attempt->type << 16 | attempt->endpoint;
}

static int64_t result_of(const struct e8_dlog *log, const struct e8_attempt *attempt)
{
    E8_ASSERT(attempt->outcome < E8_OUTCOME_COUNT && attempt->trigger < 16 && attempt->verdict < 4);
    E8_ASSERT(attempt->status >= 0 && attempt->status < 1024);
    return log->codes[attempt->outcome] << E8_RESULT_OUTCOME |
           (int64_t)attempt->trigger << E8_RESULT_TRIGGER | (int64_t)attempt->last << E8_RESULT_LAST |
           (int64_t)attempt->verdict << E8_RESULT_VERDICT | (int64_t)attempt->status << E8_RESULT_STATUS |
           (int64_t)attempt->number << E8_RESULT_NUMBER | attempt->flags;
}

static int64_t skew_of(const struct e8_dlog *log, const struct e8_attempt *attempt)
{
    return attempt->timestamp - (attempt->times.sent + log->shift) / E8_NS_S;
}

bool e8_given_is_several(const struct e8_attempt *attempt)
{
    return attempt->number > 1 || attempt->copy > 0 || !attempt->last;
}

/* The one attempt of its delivery, on a connection that was open, with nothing to say. */
bool e8_given_is_usual(const struct e8_dlog *log, const struct e8_attempt *attempt)
{
    const struct e8_phases *phases = &attempt->phases;

    return !e8_given_is_several(attempt) && phases->dns < 0 && phases->connect < 0 && phases->tls < 0 &&
           skew_of(log, attempt) == 0 && !attempt->error[0];
}

static void fill_more(const struct e8_dlog *log, size_t i, struct row *row)
{
    const struct e8_attempt *attempt = log->given.attempts[i];

    put_some(row, 11, e8_given_is_several(attempt));
    put_phase(row, 12, attempt->phases.dns);
    put_phase(row, 13, attempt->phases.connect);
    put_phase(row, 14, attempt->phases.tls);
    put_some(row, 15, skew_of(log, attempt));
    put_some(row, 16, log->given.errors[i]);
    put_some(row, 17, attempt->copy);
}

/* In the order of E8_GIVEN_ALL. */
static void fill_attempt(const struct e8_dlog *log, size_t i, struct row *row)
{
    const struct e8_attempt *attempt = log->given.attempts[i];
    const struct e8_times *times = &attempt->times;

    row->known = 0;
    row->id = attempt->delivery_id;
    put(row, 1, event_key(log, attempt->event));
    put(row, 2, place_of(attempt));
    put(row, 3, result_of(log, attempt));
    put(row, 4, times->due + log->shift);
    put(row, 5, times->sent - times->due);
    put(row, 6, times->done - times->due);
    put_phase(row, 7, attempt->phases.first_byte);
    put_phase(row, 8, attempt->phases.total);
    put(row, 9, (int64_t)attempt->bytes_sent);
    put(row, 10, (int64_t)attempt->bytes_received);
    if (!log->given.usual)
        fill_more(log, i, row);
}

static size_t count_events(const struct e8_given *given)
{
    return given->event_count;
}

static size_t count_attempts(const struct e8_given *given)
{
    return given->attempt_count;
}

static const struct kind kinds[] = {
    {"given_event", "id, what, sequence, flow, instance, at, flow_started, event_id", 7, count_events,
     fill_event},
    {"given_attempt", E8_GIVEN_ALL, 0, count_attempts, fill_attempt},
};

/* What SQLite calls */

static int connect_table(sqlite3 *db, void *log, int argc, const char *const *argv, sqlite3_vtab **out,
                         char **why)
{
    const struct kind *kind = kinds;
    struct table *table = sqlite3_malloc(sizeof(*table));
    char *sql;

    (void)argc;
    (void)why;
    while (strcmp(kind->name, argv[0]) != 0) /* of its module */
        kind++;
    *out = NULL;
    sql = table ? sqlite3_mprintf("CREATE TABLE x(%s)", kind->columns) : NULL;
    int rc = sql ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (rc != SQLITE_OK) {
        sqlite3_free(table);
        return rc;
    }
    *table = (struct table){.log = log, .kind = kind};
    *out = &table->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
    sqlite3_free(table);
    return SQLITE_OK;
}

/* There is one way to read it: from the first to the last. */
static int choose_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    info->estimatedCost = E8_GIVEN_MAX;
    info->estimatedRows = E8_GIVEN_MAX;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    const struct table *table = (const struct table *)base;
    struct cursor *cursor = sqlite3_malloc(sizeof(*cursor));

    *out = NULL;
    if (!cursor)
        return SQLITE_NOMEM;
    *cursor = (struct cursor){.log = table->log, .kind = table->kind};
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static void go_to(struct cursor *cursor, size_t at)
{
    cursor->at = at;
    if (at < cursor->count)
        cursor->kind->fill(cursor->log, at, &cursor->row);
}

static int begin(sqlite3_vtab_cursor *base, int index, const char *text, int argc, sqlite3_value **argv)
{
    struct cursor *cursor = (struct cursor *)base;

    (void)index;
    (void)text;
    (void)argc;
    (void)argv;
    cursor->count = cursor->kind->count(&cursor->log->given);
    go_to(cursor, 0);
    return SQLITE_OK;
}

static int go_on(sqlite3_vtab_cursor *base)
{
    struct cursor *cursor = (struct cursor *)base;

    go_to(cursor, cursor->at + 1);
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;

    return cursor->at >= cursor->count;
}

/* What is not told is NULL. The record lies still until the statement has ended. */
static int tell_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int at)
{
    const struct cursor *cursor = (const struct cursor *)base;
    const struct row *row = &cursor->row;

    if (at == cursor->kind->id_at)
        sqlite3_result_text(context, row->id, (int)strnlen(row->id, E8_ID_MAX - 1), SQLITE_STATIC);
    else if (row->known >> at & 1)
        sqlite3_result_int64(context, row->numbers[at]);
    return SQLITE_OK;
}

static int tell_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = (sqlite3_int64)((const struct cursor *)base)->at;
    return SQLITE_OK;
}

bool e8_given_init(struct e8_dlog *log)
{
    static const sqlite3_module module = {
        .xConnect = connect_table, /* without xCreate: there they are, under the module's name */
        .xBestIndex = choose_index,
        .xDisconnect = disconnect_table,
        .xOpen = open_cursor,
        .xClose = close_cursor,
        .xFilter = begin,
        .xNext = go_on,
        .xEof = is_at_end,
        .xColumn = tell_column,
        .xRowid = tell_rowid,
    };

    for (size_t i = 0; i < E8_COUNT(kinds); i++)
        if (sqlite3_create_module(log->db, kinds[i].name, &module, log) != SQLITE_OK)
            return false;
    return true;
}
