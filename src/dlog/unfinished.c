/* Which run can be gone on with. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dlog/read.h"

#define UNFINISHED  "(r.ended IS NULL OR r.interrupted <> 0)"
#define NOT_RESUMED " AND NOT EXISTS (SELECT 1 FROM run n WHERE n.resumes = r.id)"

/* The one row's number, or 0. */
static enum e8_rc ask(struct e8_dlog_reader *reader, const char *sql, const char *digest, int64_t *out,
                      const char **name, struct e8_err *err)
{
    sqlite3_stmt *row = e8_read_prepare(reader, sql, err);

    *out = 0;
    if (!row)
        return err->rc;
    sqlite3_bind_text(row, 1, digest, -1, SQLITE_STATIC);
    int code = sqlite3_step(row);
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int64(row, 0);
        *name = e8_read_text(reader, row, 1);
    }
    return e8_read_end(reader, row, code, err);
}

static enum e8_rc fail_none(struct e8_dlog_reader *reader, const char *digest, struct e8_err *err)
{
    const char *unfinished = reader->version < 3
                                 ? "SELECT max(r.id), r.name FROM run r WHERE " UNFINISHED
                                 : "SELECT max(r.id), r.name FROM run r WHERE " UNFINISHED NOT_RESUMED;
    int64_t ended, other;
    const char *ignored = NULL, *name = NULL;
    char hint[E8_HINT_MAX] = "the log holds no run of it; leave --resume out to begin one";
    enum e8_rc rc = ask(reader, "SELECT max(id), name FROM run WHERE scenario_digest = ?1", digest, &ended,
                        &ignored, err);

    rc = rc ? rc : ask(reader, unfinished, digest, &other, &name, err);
    if (rc)
        return rc;
    if (ended > 0)
        snprintf(hint, sizeof(hint), "run %lld of it has ended; leave --resume out to begin another",
                 (long long)ended);
    else if (other > 0)
        snprintf(hint, sizeof(hint),
                 "unfinished is run %lld (%.40s), of another scenario or another version of this one",
                 (long long)other, name ? name : "");
    return e8_db_fail_with(err, E8_INPUT, reader->path, hint,
                           "there is no unfinished run of this scenario to resume");
}

enum e8_rc e8_dlog_unfinished(struct e8_dlog_reader *reader, const char *scenario_digest, int64_t *run,
                              struct e8_err *err)
{
    const char *sql = reader->version < 3
                          ? "SELECT max(r.id), r.name FROM run r WHERE r.scenario_digest = ?1 AND " UNFINISHED
                          : "SELECT max(r.id), r.name FROM run r WHERE r.scenario_digest = ?1"
                            " AND " UNFINISHED NOT_RESUMED;
    struct e8_err local = {0};
    const char *name;

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    enum e8_rc rc = ask(reader, sql, scenario_digest, run, &name, err);
    return rc || *run > 0 ? rc : fail_none(reader, scenario_digest, err);
}

static bool read_comm(long process, char out[64])
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%ld/comm", process);
    FILE *file = fopen(path, "re");
    bool good = file && fgets(out, 64, file);
    if (file)
        fclose(file);
    return good;
}

/* A number that was given to another program since then has another name. */
static bool is_alive(int64_t process)
{
    char other[64], own[64];

    return process > 0 && process <= INT32_MAX && process != getpid() && read_comm((long)process, other) &&
           read_comm((long)getpid(), own) && strcmp(other, own) == 0;
}

#define STATE(more, process)                                                                                 \
    "SELECT r.ended IS NULL OR r.interrupted <> 0 OR r.aborted > 0, " more ", " process                      \
    " FROM run r WHERE r.id = ?1"

enum e8_rc e8_dlog_resumable(struct e8_dlog_reader *reader, int64_t run, struct e8_err *err)
{
    const char *sql = reader->version < 3
                          ? STATE("0", "NULL")
                          : STATE("(SELECT max(n.id) FROM run n WHERE n.resumes = r.id)", "r.process");
    struct e8_err local = {0};
    char hint[E8_HINT_MAX];

    E8_CHECK_MAGIC(reader, READER_MAGIC);
    err = err ? err : &local;
    sqlite3_stmt *row = e8_read_prepare(reader, sql, err);
    if (!row)
        return err->rc;
    sqlite3_bind_int64(row, 1, run);
    int code = sqlite3_step(row);
    bool open = sqlite3_column_int64(row, 0) != 0;
    int64_t by = sqlite3_column_int64(row, 1), process = sqlite3_column_int64(row, 2);
    enum e8_rc rc = e8_read_end(reader, row, code, err);
    if (rc || code != SQLITE_ROW)
        return rc;
    if (by > 0) {
        snprintf(hint, sizeof(hint), "--run %lld", (long long)by);
        return e8_fail(err, E8_INPUT, hint, "run %lld has been resumed by run %lld", (long long)run,
                       (long long)by);
    }
    if (!open)
        return e8_fail(err, E8_INPUT, "leave --resume out to begin another", "run %lld has ended",
                       (long long)run);
    if (is_alive(process))
        return e8_fail(err, E8_INPUT, "end it first", "run %lld is still going on (process %lld)",
                       (long long)run, (long long)process);
    return E8_OK;
}
