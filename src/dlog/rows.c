/* What is written, row by row. */
#include <string.h>
#include <unistd.h>

#include "dlog/write.h"
#include "doc/json.h"

enum { SPAN = 1024 }; /* attempts */

static void bind_text(sqlite3_stmt *row, int at, const char *text)
{
    sqlite3_bind_text(row, at, text, -1, SQLITE_STATIC); /* NULL binds NULL */
}

static void bind_u64(sqlite3_stmt *row, int at, uint64_t value)
{
    sqlite3_bind_int64(row, at, (sqlite3_int64)value);
}

static bool find_error(struct e8_dlog *log, const char *text, int64_t *id)
{
    sqlite3_stmt *find = log->statements[S_ERROR_FIND];

    *id = 0;
    bind_text(find, 1, text);
    if (sqlite3_step(find) == SQLITE_ROW)
        *id = sqlite3_column_int64(find, 0);
    return sqlite3_reset(find) == SQLITE_OK;
}

static bool add_error(struct e8_dlog *log, const char *text, int64_t *id)
{
    sqlite3_stmt *add = log->statements[S_ERROR_ADD];

    bind_text(add, 1, text);
    if (!e8_db_run(add))
        return false;
    *id = sqlite3_last_insert_rowid(log->db);
    return true;
}

/* The row of the text, made if need be. */
static bool error_id(struct e8_dlog *log, const char *text, int64_t *id)
{
    struct known_error *known = &log->errors[e8_hash_str(e8_str(text)) % ERROR_CACHE];

    if (known->id == 0 || strcmp(known->text, text) != 0) {
        if (!find_error(log, text, id) || (*id == 0 && !add_error(log, text, id)))
            return false;
        known->id = *id;
        memcpy(known->text, text, strlen(text) + 1);
    }
    *id = known->id;
    return true;
}

/* No row, and 0, where there is no text. */
static bool resolve_error(struct e8_dlog *log, const char *text, int64_t *id)
{
    *id = 0;
    return !text[0] || error_id(log, text, id);
}

/* Of several that begin at the least and end at the greatest row. */
static void widen(struct e8_unspanned *span, const char id[E8_ID_MAX])
{
    if (!span->low[0] || strcmp(id, span->low) < 0)
        memcpy(span->low, id, E8_ID_MAX);
    if (!span->high[0] || strcmp(id, span->high) > 0)
        memcpy(span->high, id, E8_ID_MAX);
}

/* The attempts that were given have the rows up to `last`. */
static void note_rows(struct e8_dlog *log, int64_t last)
{
    const struct e8_given *given = &log->given;
    struct e8_unspanned *span = &log->unspanned;
    int64_t first = last - (int64_t)given->attempt_count + 1;

    span->gap = span->gap || (span->count > 0 && first != span->last + 1);
    span->first = span->count > 0 ? span->first : first;
    span->last = last;
    span->count += (uint32_t)given->attempt_count;
    for (size_t i = 0; i < given->attempt_count; i++)
        if (!e8_given_is_several(given->attempts[i]))
            widen(span, given->attempts[i]->delivery_id);
}

static bool put_known_span(struct e8_dlog *log, const struct e8_unspanned *span)
{
    sqlite3_stmt *row = log->statements[S_SPAN_KNOWN];

    sqlite3_bind_int64(row, 1, span->first);
    sqlite3_bind_int64(row, 2, span->last);
    bind_text(row, 3, span->low[0] ? span->low : NULL);
    bind_text(row, 4, span->high[0] ? span->high : NULL);
    return e8_db_run(row);
}

/* Where others have written since the newest span, too, the rows say what is in it. */
bool e8_rows_span(struct e8_dlog *log)
{
    const struct e8_unspanned span = log->unspanned;

    if (span.count < SPAN)
        return true;
    log->unspanned = (struct e8_unspanned){0};
    if (!span.gap && !put_known_span(log, &span))
        return false;
    bool put = !span.gap && sqlite3_changes(log->db) > 0;
    return put || e8_db_run(log->statements[S_SPAN]);
}

static bool sort_records(struct e8_dlog *log, const struct e8_record *const *records, size_t count)
{
    struct e8_given *given = &log->given;

    E8_ASSERT(count <= E8_GIVEN_MAX);
    given->event_count = given->attempt_count = 0;
    given->usual = true;
    for (size_t i = 0; i < count; i++) {
        const struct e8_record *record = records[i];
        if (record->kind == E8_RECORD_EVENT) {
            given->events[given->event_count++] = &record->event;
            continue;
        }
        if (!resolve_error(log, record->attempt.error, &given->errors[given->attempt_count]))
            return false;
        given->usual = given->usual && e8_given_is_usual(log, &record->attempt);
        given->attempts[given->attempt_count++] = &record->attempt;
    }
    return true;
}

bool e8_rows_put(struct e8_dlog *log, const struct e8_record *const *records, size_t count)
{
    const struct e8_given *given = &log->given;

    if (!sort_records(log, records, count))
        return false;
    if (given->event_count > 0 && !e8_db_run(log->statements[S_EVENTS]))
        return false;
    if (given->attempt_count == 0)
        return true;
    if (!e8_db_run(log->statements[given->usual ? S_ATTEMPTS_USUAL : S_ATTEMPTS]))
        return false;
    note_rows(log, sqlite3_last_insert_rowid(log->db));
    return true;
}

bool e8_rows_spooled(struct e8_dlog *log, uint64_t at)
{
    sqlite3_stmt *row = log->statements[S_SPOOLED];

    sqlite3_bind_int64(row, 1, log->run);
    bind_u64(row, 2, at);
    return e8_db_run(row);
}

static bool find_code(struct e8_dlog *log, sqlite3_stmt *find, int outcome)
{
    bind_text(find, 1, e8_outcome_info((enum e8_outcome)outcome)->name);
    log->codes[outcome] = -1;
    if (sqlite3_step(find) == SQLITE_ROW && sqlite3_column_int64(find, 0) <= E8_CODE_MAX)
        log->codes[outcome] = sqlite3_column_int64(find, 0);
    return sqlite3_reset(find) == SQLITE_OK;
}

static bool add_code(struct e8_dlog *log, sqlite3_stmt *add, int outcome)
{
    const struct e8_outcome_info *info = e8_outcome_info((enum e8_outcome)outcome);

    bind_text(add, 1, info->name);
    bind_text(add, 2, info->text);
    if (!e8_db_run(add))
        return false;
    log->codes[outcome] = sqlite3_last_insert_rowid(log->db);
    return true;
}

bool e8_rows_outcomes(struct e8_dlog *log)
{
    sqlite3_stmt *find = e8_db_prepare(log->db, "SELECT code FROM outcome WHERE name = ?1");
    sqlite3_stmt *add = e8_db_prepare(log->db, "INSERT INTO outcome VALUES(NULL, ?1, ?2)");
    bool good = find && add;

    for (int i = 0; good && i < E8_OUTCOME_COUNT; i++)
        good = find_code(log, find, i) && (log->codes[i] >= 0 || add_code(log, add, i));
    sqlite3_finalize(find);
    sqlite3_finalize(add);
    return good;
}

static bool put_endpoint(sqlite3_stmt *row, const struct e8_log_endpoint *endpoint)
{
    bind_text(row, 3, endpoint->name);
    bind_text(row, 4, endpoint->url);
    bind_text(row, 5, endpoint->scheme);
    bind_text(row, 6, endpoint->events);
    bind_text(row, 7, endpoint->environments);
    sqlite3_bind_int64(row, 8, endpoint->timeout);
    sqlite3_bind_int64(row, 9, endpoint->attempts);
    bind_text(row, 10, endpoint->headers);
    return e8_db_run(row);
}

static bool put_step(sqlite3_stmt *row, const struct e8_log_step *step)
{
    bind_text(row, 3, step->type);
    bind_text(row, 4, step->environment);
    bind_text(row, 5, step->edits);
    if (step->body.p)
        sqlite3_bind_blob64(row, 6, step->body.n ? step->body.p : "", step->body.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(row, 6);
    bind_text(row, 7, step->name);
    return e8_db_run(row);
}

static bool put_type(sqlite3_stmt *row, const char *name)
{
    bind_text(row, 3, name);
    return e8_db_run(row);
}

/* A list of the run: its rows begin with the run and the number in the list. */
static sqlite3_stmt *list_row(const struct e8_dlog *log, const char *sql, int64_t run)
{
    sqlite3_stmt *row = e8_db_prepare(log->db, sql);

    if (row)
        sqlite3_bind_int64(row, 1, run);
    return row;
}

static bool number_row(sqlite3_stmt *row, size_t number)
{
    return row && sqlite3_bind_int64(row, 2, (sqlite3_int64)number) == SQLITE_OK;
}

static bool put_endpoints(struct e8_dlog *log, const struct e8_log_run *run)
{
    static const char sql[] = "INSERT INTO endpoint VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    sqlite3_stmt *row = list_row(log, sql, run->id);
    bool good = row;

    for (size_t i = 0; good && i < run->endpoint_count; i++)
        good = number_row(row, i) && put_endpoint(row, &run->endpoints[i]);
    sqlite3_finalize(row);
    return good;
}

static bool put_steps(struct e8_dlog *log, const struct e8_log_run *run)
{
    sqlite3_stmt *row = list_row(log, "INSERT INTO step VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", run->id);
    bool good = row;

    for (size_t i = 0; good && i < run->step_count; i++)
        good = number_row(row, i) && put_step(row, &run->steps[i]);
    sqlite3_finalize(row);
    return good;
}

static bool put_types(struct e8_dlog *log, const struct e8_log_run *run)
{
    sqlite3_stmt *row = list_row(log, "INSERT INTO type VALUES(?1, ?2, ?3)", run->id);
    bool good = row;

    for (size_t i = 0; good && i < run->type_count; i++)
        good = number_row(row, i) && put_type(row, run->types[i]);
    sqlite3_finalize(row);
    return good;
}

static void thresholds_json(const struct e8_log_run *run, struct e8_buf *buf)
{
    struct e8_json w = e8_json_new(buf, 0);

    e8_json_array(&w, NULL);
    for (size_t i = 0; run->thresholds && run->thresholds[i]; i++)
        e8_json_cstr(&w, NULL, run->thresholds[i]);
    e8_json_end(&w, ']');
}

static bool put_run(struct e8_dlog *log, struct e8_log_run *run, const char *thresholds)
{
    sqlite3_stmt *row = e8_db_prepare(
        log->db,
        "INSERT INTO run(name, scenario_digest, fixtures_digest, version, curl_version, command, seed,"
        " started, epoch, workers, insecure, thresholds, after_attempt, resumes, clock, speed,"
        " process, over, shard, shards, plan)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, (SELECT coalesce(max(id), 0) FROM "
        "attempt_row), nullif(?13, 0), nullif(?14, 0), nullif(?15, 0.0), ?16,"
        " iif(?13 = 0, NULL, ?17), iif(?19 = 0, NULL, ?18), nullif(?19, 0), ?20)");

    if (!row)
        return false;
    bind_text(row, 1, run->name);
    bind_text(row, 2, run->scenario_digest);
    bind_text(row, 3, run->fixtures_digest);
    bind_text(row, 4, run->version);
    bind_text(row, 5, run->curl_version);
    bind_text(row, 6, run->command);
    bind_u64(row, 7, run->seed);
    sqlite3_bind_int64(row, 8, run->started);
    sqlite3_bind_int64(row, 9, run->epoch);
    sqlite3_bind_int64(row, 10, run->workers);
    sqlite3_bind_int(row, 11, run->insecure);
    bind_text(row, 12, thresholds);
    sqlite3_bind_int64(row, 13, run->resumes);
    sqlite3_bind_int64(row, 14, run->clock);
    sqlite3_bind_double(row, 15, run->speed);
    sqlite3_bind_int64(row, 16, getpid());
    bind_u64(row, 17, run->over);
    sqlite3_bind_int64(row, 18, run->shard);
    sqlite3_bind_int64(row, 19, run->shards);
    bind_text(row, 20, run->plan);
    bool good = e8_db_run(row);
    sqlite3_finalize(row);
    run->id = sqlite3_last_insert_rowid(log->db);
    return good;
}

bool e8_rows_run(struct e8_dlog *log, struct e8_log_run *run)
{
    struct e8_buf thresholds;

    e8_buf_init(&thresholds, 1 << 20);
    thresholds_json(run, &thresholds);
    E8_ASSERT(!thresholds.full);
    bool good = put_run(log, run, e8_buf_cstr(&thresholds)) && put_endpoints(log, run) &&
                put_steps(log, run) && put_types(log, run);
    e8_buf_fini(&thresholds);
    return good;
}

static bool put_tally(sqlite3_stmt *row, const char *kind, const struct e8_counts *n)
{
    bind_text(row, 3, kind);
    bind_u64(row, 4, n->events);
    bind_u64(row, 5, n->planned);
    bind_u64(row, 6, n->dropped);
    bind_u64(row, 7, n->aborted);
    bind_u64(row, 8, n->withheld);
    bind_u64(row, 9, n->gone);
    return e8_db_run(row);
}

static bool put_tallies(struct e8_dlog *log, const struct e8_log_run *run)
{
    static const char sql[] = "INSERT INTO tally(run, number, kind, events, planned, dropped, aborted,"
                              " withheld, gone) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    sqlite3_stmt *row = list_row(log, sql, log->run);
    bool good = row;

    for (size_t i = 0; good && i < run->endpoint_count; i++)
        good =
            number_row(row, i) && put_tally(row, "endpoint", &e8_stats_endpoint(run->stats, (unsigned)i)->n);
    for (size_t i = 0; good && i < run->type_count; i++)
        good = number_row(row, i) && put_tally(row, "type", &e8_stats_type(run->stats, (unsigned)i)->n);
    sqlite3_finalize(row);
    return good;
}

static bool put_end(struct e8_dlog *log, const struct e8_log_run *run)
{
    sqlite3_stmt *row = e8_db_prepare(
        log->db,
        "UPDATE run SET ended = ?2, planned = ?3, dropped = ?4, aborted = ?5, stalls = ?6, timer_floor = ?7,"
        " interrupted = ?8, notes = ?9, workers = ?10, process = NULL,"
        " last_attempt = (SELECT coalesce(max(id), 0) FROM attempt_row) WHERE id = ?1");

    if (!row)
        return false;
    sqlite3_bind_int64(row, 1, log->run);
    sqlite3_bind_int64(row, 2, run->ended ? run->ended : e8_wall_now());
    bind_u64(row, 3, run->planned);
    bind_u64(row, 4, run->dropped);
    bind_u64(row, 5, run->aborted);
    bind_u64(row, 6, run->stalls);
    sqlite3_bind_int64(row, 7, run->timer_floor);
    sqlite3_bind_int(row, 8, run->interrupted);
    bind_text(row, 9, run->notes);
    sqlite3_bind_int64(row, 10, run->workers);
    bool good = e8_db_run(row);
    sqlite3_finalize(row);
    return good;
}

bool e8_rows_end(struct e8_dlog *log, const struct e8_log_run *run)
{
    return put_end(log, run) && (!run->stats || put_tallies(log, run)) && e8_db_run(log->statements[S_SPAN]);
}
