#include "tests.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void write_file(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void change(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Both sides refuse it as the user's mistake, naming the file and saying this. */
static void refused(const char *path, const char *what)
{
    struct e8_dlog *log;
    struct e8_dlog_reader *reader;
    struct e8_err err = {0};

    assert_int_equal(e8_dlog_open(path, 1, &log, &err), E8_INPUT);
    assert_null(log);
    assert_int_equal(err.rc, E8_INPUT);
    assert_string_equal(err.file, path);
    if (!strstr(err.what, what))
        fail_msg("\"%s\" does not say \"%s\"", err.what, what);
    assert_true(err.hint[0]);
    assert_int_equal(e8_dlog_read(path, &reader, &err), E8_INPUT);
    assert_null(reader);
    if (!strstr(err.what, what))
        fail_msg("\"%s\" does not say \"%s\"", err.what, what);
    assert_int_equal(e8_dlog_open(path, 1, &log, NULL), E8_INPUT); /* err may be NULL */
    assert_int_equal(e8_dlog_read(path, &reader, NULL), E8_INPUT);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void a_new_file_is_private(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    char wal[128];
    mode_t old = umask(0);

    struct e8_dlog *log = begin_log(place->log, 1, &run);
    assert_int_equal(run.id, 1);
    assert_int_equal(mode_of(place->log), 0600);
    snprintf(wal, sizeof(wal), "%s-wal", place->log);
    assert_int_equal(mode_of(wal), 0600);
    finish_log(&log, &run);
    umask(old);
    assert_int_equal(access(wal, F_OK), -1);
    assert_int_equal(ask(place->log, "PRAGMA application_id"), 0x65386c67);
    assert_int_equal(ask(place->log, "PRAGMA user_version"), 6);
    assert_sound(place->log);
}

static void an_empty_file_becomes_a_log(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog_reader *reader;
    struct e8_err err;

    write_file(place->log, "", 0);
    assert_int_equal(e8_dlog_read(place->log, &reader, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "empty"));
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    finish_log(&log, &run);
    assert_sound(place->log);
}

static void other_files_are_refused_and_stay(void **state)
{
    struct place *place = *state;
    char text[8192], after[8192];

    memset(text, 'x', sizeof(text));
    write_file(place->log, text, sizeof(text));
    refused(place->log, "is not a delivery log");
    FILE *file = fopen(place->log, "r");
    assert_int_equal(fread(after, 1, sizeof(after), file), sizeof(after));
    fclose(file);
    assert_memory_equal(text, after, sizeof(text));
    for (size_t n = 1; n <= 600; n = n < 20 ? n + 1 : n + 29) {
        write_file(place->log, text, n);
        refused(place->log, "is not a delivery log of emit8");
        file = fopen(place->log, "r");
        assert_int_equal(fread(after, 1, sizeof(after), file), n);
        fclose(file);
        assert_memory_equal(text, after, n);
    }
}

static void a_database_without_tables_is_refused(void **state)
{
    struct place *place = *state;
    struct e8_dlog *log;
    struct e8_err err;

    change(place->log, "CREATE TABLE mine(a); DROP TABLE mine");
    assert_int_equal(e8_dlog_open(place->log, 1, &log, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "another program"));
    assert_int_equal(ask(place->log, "SELECT count(*) FROM sqlite_master"), 0);
}

/* Until version 3 a run had no shards, and events and attempts were tables, with an index of all deliveries. */
static const char to_version_3[] =
    "ALTER TABLE tally DROP COLUMN gone;"
    "ALTER TABLE run DROP COLUMN shard; ALTER TABLE run DROP COLUMN shards; ALTER TABLE run DROP COLUMN plan;"
    "DROP VIEW attempts; DROP VIEW deliveries;"
    "CREATE TABLE event_3(id INTEGER PRIMARY KEY, step INTEGER NOT NULL, type INTEGER NOT NULL,"
    " sequence INTEGER NOT NULL, flow INTEGER NOT NULL, instance INTEGER NOT NULL, at INTEGER NOT NULL,"
    " flow_started INTEGER NOT NULL, event_id TEXT NOT NULL) STRICT;"
    "INSERT INTO event_3 SELECT * FROM event;"
    "CREATE TABLE attempt_3(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, event INTEGER NOT NULL,"
    " endpoint INTEGER NOT NULL, type INTEGER NOT NULL, number INTEGER NOT NULL, outcome INTEGER NOT NULL,"
    " \"trigger\" INTEGER NOT NULL, flags INTEGER NOT NULL, status INTEGER, last INTEGER NOT NULL,"
    " due INTEGER NOT NULL, sent INTEGER NOT NULL, done INTEGER NOT NULL, dns INTEGER, connect INTEGER,"
    " tls INTEGER, first_byte INTEGER, total INTEGER, bytes_sent INTEGER NOT NULL,"
    " bytes_received INTEGER NOT NULL, timestamp INTEGER NOT NULL, error INTEGER, delivery_id TEXT NOT NULL,"
    " copy INTEGER NOT NULL DEFAULT 0, verdict INTEGER NOT NULL DEFAULT 0, step INTEGER) STRICT;"
    "INSERT INTO attempt_3 SELECT id, run, event, endpoint, type, number, outcome, \"trigger\", flags, "
    "status,"
    " last, due, sent, done, dns, connect, tls, first_byte, total, bytes_sent, bytes_received, timestamp,"
    " error, delivery_id, copy, verdict, step FROM attempt;"
    "DROP VIEW attempt; DROP VIEW event; DROP TABLE attempt_row; DROP TABLE event_row; DROP TABLE span;"
    "ALTER TABLE event_3 RENAME TO event; ALTER TABLE attempt_3 RENAME TO attempt;"
    "CREATE INDEX attempt_delivery ON attempt(delivery_id);"
    "CREATE VIEW attempts AS SELECT id FROM attempt; CREATE VIEW deliveries AS SELECT id FROM attempt;"
    "PRAGMA user_version = 3";

/* What version 2 had no columns for. */
static const char to_version_2[] =
    "DROP VIEW attempts; DROP VIEW deliveries;"
    "ALTER TABLE run DROP COLUMN resumes; ALTER TABLE run DROP COLUMN over; ALTER TABLE run DROP COLUMN "
    "clock; ALTER TABLE run DROP COLUMN "
    "speed;"
    "ALTER TABLE run DROP COLUMN process; ALTER TABLE step DROP COLUMN name; ALTER TABLE tally DROP COLUMN "
    "withheld;"
    "ALTER TABLE attempt DROP COLUMN copy; ALTER TABLE attempt DROP COLUMN verdict;"
    "ALTER TABLE attempt DROP COLUMN step;"
    "CREATE VIEW attempts AS SELECT id FROM attempt; CREATE VIEW deliveries AS SELECT id FROM attempt;"
    "PRAGMA user_version = 2";

static bool count_row(void *state, const struct e8_log_row *row)
{
    assert_int_equal(row->copy, 0);
    assert_string_equal(row->verdict, "");
    assert_int_equal(row->step, 1);
    (*(int *)state)++;
    return true;
}

/* All that the reading side asks for. */
static void reads_older(struct e8_dlog_reader *reader)
{
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_log_filter filter = {.run = 1};
    struct e8_log_delivery delivery;
    struct e8_done_deliveries *done;
    struct e8_log_run back;
    struct e8_err err;
    char id[E8_ID_MAX];
    int rows = 0;
    int64_t ignored;

    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_int_equal(back.resumes, 0);
    assert_null(back.steps[0].name);
    assert_int_equal(e8_dlog_stats(reader, &back, stats, &err), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.delivered, 1);
    e8_stats_free(&stats);
    assert_int_equal(e8_dlog_query(reader, &filter, count_row, &rows, &err), E8_OK);
    assert_int_equal(rows, 1);
    delivery_id(1, 0, id);
    assert_int_equal(e8_dlog_delivery(reader, id, &delivery, &err), E8_OK);
    assert_null(delivery.step.name);
    assert_int_equal(e8_dlog_done(reader, 1, &done, &err), E8_OK);
    assert_int_equal(e8_done_count(done), 1);
    e8_done_free(&done);
    assert_int_equal(e8_dlog_unfinished(reader, "aa11", &ignored, &err), E8_INPUT);
}

static struct e8_counts endpoint_counts(const struct place *place, int64_t run)
{
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_log_run back;
    struct e8_err err;

    assert_int_equal(e8_dlog_run(reader, run, &back, &err), E8_OK);
    assert_int_equal(e8_dlog_stats(reader, &back, stats, &err), E8_OK);
    struct e8_counts n = e8_stats_endpoint(stats, 1)->n;
    assert_int_equal(e8_stats_type(stats, 2)->n.gone, n.gone);
    assert_int_equal(e8_stats_all(stats)->n.withheld, n.withheld);
    e8_stats_free(&stats);
    e8_dlog_reader_free(&reader);
    return n;
}

/* It does not tell what was withheld because of a 410; that it was withheld it does. */
static void a_log_of_version_4_is_read_and_brought_up(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    struct e8_dlog *log = begin_log(place->log, 1, &run);

    for (int i = 0; i < 5; i++) {
        e8_stats_planned(stats, 1, 2);
        if (i < 2)
            e8_stats_withheld(stats, 1, 2);
        else
            e8_stats_gone(stats, 1, 2);
    }
    run.stats = stats;
    finish_log(&log, &run);
    struct e8_counts n = endpoint_counts(place, 1);
    assert_true(n.planned == 5 && n.withheld == 5 && n.gone == 3);
    change(place->log,
           "ALTER TABLE tally DROP COLUMN gone;"
           "DROP VIEW attempts; CREATE VIEW attempts AS SELECT id FROM attempt; PRAGMA user_version = 4");
    n = endpoint_counts(place, 1);
    assert_true(n.planned == 5 && n.withheld == 5 && n.gone == 0);
    log = begin_log(place->log, 1, &run);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "PRAGMA user_version"), 6);
    assert_int_equal(endpoint_counts(place, 1).gone, 0);
    assert_int_equal(endpoint_counts(place, 2).gone, 3);
    assert_int_equal(
        ask(place->log, "SELECT count(*) FROM pragma_table_info('attempts') WHERE name = 'warmup'"), 1);
    change(place->log, "UPDATE tally SET gone = 6");
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_log_run back;
    struct e8_err err;
    assert_int_equal(e8_dlog_run(reader, 2, &back, &err), E8_OK);
    assert_int_equal(e8_dlog_stats(reader, &back, stats, &err), E8_INPUT);
    e8_dlog_reader_free(&reader);
    e8_stats_free(&stats);
}

/* It has no shards. */
static void a_log_of_version_3_is_read_and_brought_up(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_err err;

    finish_log(&log, &run);
    change(place->log, to_version_3);
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_int_equal(back.shards, 0);
    assert_null(back.plan);
    e8_dlog_reader_free(&reader);
    run.shard = 2;
    run.shards = 3;
    run.plan = "00ff";
    log = begin_log(place->log, 1, &run);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "PRAGMA user_version"), 6);
    reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 2, &back, &err), E8_OK);
    assert_int_equal(back.shard, 2);
    assert_int_equal(back.shards, 3);
    assert_string_equal(back.plan, "00ff");
    e8_dlog_reader_free(&reader);
}

/* What version 1 wrote lacks the names of headers, what version 2 wrote copies, verdicts and more. It is read as it is, and
 * brought up by the next run. */
static void an_older_log_is_read_and_brought_up(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run(), back;
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(1), attempt = some_attempt(1, 0);
    struct e8_err err;

    push(e8_dlog_ring(log, 0), &event);
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &run);
    change(place->log, to_version_3);
    change(place->log, to_version_2);
    struct e8_dlog_reader *old = open_reader(place->log);
    reads_older(old);
    e8_dlog_reader_free(&old);
    change(place->log, "ALTER TABLE endpoint DROP COLUMN headers; PRAGMA user_version = 1");
    struct e8_dlog_reader *reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_null(back.endpoints[0].headers);
    reads_older(reader);
    assert_int_equal(ask(place->log, "PRAGMA user_version"), 1);
    log = begin_log(place->log, 1, &run);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "PRAGMA user_version"), 6);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM deliveries WHERE attempts = 1 AND copy = 0"), 1);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempts WHERE verdict = '' AND step = 1"), 1);
    assert_int_equal(e8_dlog_run(reader, 2, &back, &err), E8_OK); /* it goes on as it began */
    e8_dlog_reader_free(&reader);
    reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 1, &back, &err), E8_OK);
    assert_null(back.endpoints[0].headers);
    assert_int_equal(e8_dlog_run(reader, 2, &back, &err), E8_OK);
    assert_string_equal(back.endpoints[0].headers, "X-Archive X-Team");
    reads_older(reader);
    e8_dlog_reader_free(&reader);
    assert_sound(place->log);
}

/* All that the views tell, as one text. */
static void tell_all(const char *path, char *out, size_t size)
{
    static const char sql[] =
        "SELECT (SELECT group_concat(concat) FROM (SELECT id || delivery_id || event_id || type || "
        "environment ||"
        " endpoint || attempt || \"trigger\" || outcome || coalesce(status, '-') || due || response_ms ||"
        " service_ms || coalesce(dns_ms, '-') || coalesce(tls_ms, '-') || total_ms || bytes_sent ||"
        " bytes_received || coalesce(error, '-') || last || copy || verdict || step AS concat FROM attempts))"
        " || (SELECT group_concat(delivery_id || outcome || attempts || first_due || last_done || ended || "
        "copy)"
        " FROM deliveries) || (SELECT group_concat(run || timestamp || flags) FROM attempt)"
        " || (SELECT group_concat(id || step || type || sequence || flow || instance || at || flow_started)"
        " FROM event)";
    ask_text(path, sql, out, size);
}

static void push_varied(struct e8_dlog *log)
{
    for (uint32_t n = 0; n < 9; n++) {
        struct e8_record event = some_event(n), attempt = some_attempt(n, n % ENDPOINTS);
        attempt.attempt.last = n % 2;
        attempt.attempt.copy = (uint16_t)(n % 3);
        attempt.attempt.number = (uint16_t)(1 + n % 4);
        attempt.attempt.outcome = n % 4 ? E8_DELIVERED : E8_ABORTED;
        attempt.attempt.status = n % 4 ? 204 : 0;
        attempt.attempt.verdict = (uint8_t)(n % 4);
        attempt.attempt.trigger = (uint8_t)(n % E8_TRIGGER_COUNT);
        attempt.attempt.step = n % STEPS;
        attempt.attempt.timestamp -= n % 3 * 300;
        attempt.attempt.phases.dns = n % 2 ? MS : -1;
        snprintf(attempt.attempt.error, E8_ERROR_MAX, "%s", n % 4 ? "" : "stopped");
        push(e8_dlog_ring(log, 0), &event);
        push(e8_dlog_ring(log, 0), &attempt);
    }
}

static void what_version_3_wrote_stays_the_same(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    static char before[16384], after[16384];

    push_varied(log);
    finish_log(&log, &run);
    tell_all(place->log, before, sizeof(before));
    assert_true(strlen(before) > 2000);
    change(place->log, to_version_3);
    log = begin_log(place->log, 1, &run);
    finish_log(&log, &run);
    tell_all(place->log, after, sizeof(after));
    assert_string_equal(before, after);
    assert_int_equal(ask(place->log, "SELECT max(last) FROM span"), 9);
    assert_sound(place->log);
}

static void another_database_is_refused(void **state)
{
    struct place *place = *state;

    change(place->log, "CREATE TABLE mine(a)");
    refused(place->log, "another program");
    change(place->log, "DROP TABLE mine; PRAGMA application_id = 7");
    refused(place->log, "another program");
    assert_int_equal(ask(place->log, "SELECT count(*) FROM sqlite_master"), 0);
}

static void a_newer_log_is_refused(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);

    finish_log(&log, &run);
    change(place->log, "PRAGMA user_version = 7");
    refused(place->log, "newer version");
}

static void what_is_no_file_is_refused(void **state)
{
    struct place *place = *state;
    char path[128];
    struct e8_err err;
    struct e8_dlog *log;
    struct e8_dlog_reader *reader;

    refused(place->dir, "is a directory");
    snprintf(path, sizeof(path), "%s/fifo", place->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(path, "is not a regular file");
    refused("/dev/null", "is not a regular file");
    write_file(place->log, "", 0);
    snprintf(path, sizeof(path), "%s/below", place->log);
    assert_int_equal(e8_dlog_open(path, 1, &log, &err), E8_ENV);
    assert_non_null(strstr(err.what, "Not a directory"));
    assert_int_equal(e8_dlog_read(path, &reader, &err), E8_INPUT);
    snprintf(path, sizeof(path), "%s/no/such.db", place->dir);
    assert_int_equal(e8_dlog_open(path, 1, &log, &err), E8_ENV);
    assert_non_null(strstr(err.what, "No such file or directory"));
    assert_non_null(strstr(err.hint, "make its directory"));
    assert_int_equal(e8_dlog_read(path, &reader, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "there is no delivery log"));
    assert_int_equal(e8_dlog_open("", 1, &log, &err), E8_INPUT);
    assert_int_equal(e8_dlog_read("", &reader, &err), E8_INPUT);
}

/* The child's exit status tells what failed. */
static int as_nobody(const char *path)
{
    struct e8_dlog *log;
    struct e8_dlog_reader *reader;
    struct e8_err err;

    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (e8_dlog_open(path, 1, &log, &err) != E8_INPUT || !strstr(err.what, "Permission denied"))
        return 2;
    if (e8_dlog_read(path, &reader, &err) != E8_INPUT || !strstr(err.what, "Permission denied"))
        return 3;
    return 0;
}

static void an_unreadable_file_is_refused(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    int status;

    finish_log(&log, &run);
    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(chmod(place->log, 0), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(as_nobody(place->log));
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static int reads_but_writes_not(const char *path)
{
    struct e8_dlog *log;
    struct e8_dlog_reader *reader;
    struct e8_log_run run;
    struct e8_err err;

    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (e8_dlog_open(path, 1, &log, &err) != E8_ENV || !strstr(err.what, "cannot be written"))
        return 2;
    if (e8_dlog_read(path, &reader, &err) != E8_OK)
        return 3;
    if (e8_dlog_run(reader, 0, &run, &err) != E8_OK || run.id != 1 || run.endpoint_count != ENDPOINTS)
        return 4;
    e8_dlog_reader_free(&reader);
    return 0;
}

/* A WAL database whose -wal and -shm can be neither found nor made: as on a read-only medium. */
static void a_read_only_place_can_be_read(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    int status;

    finish_log(&log, &run);
    assert_int_equal(chmod(place->log, 0444), 0);
    assert_int_equal(chmod(place->dir, 0555), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(reads_but_writes_not(place->log));
    waitpid(child, &status, 0);
    assert_int_equal(chmod(place->dir, 0755), 0);
    assert_int_equal(status, 0);
}

static void odd_names_are_names(void **state)
{
    static const char *const names[] = {":memory:", "file:x?mode=memory", "a?b#c%20d", "-", "log with blank"};
    struct place *place = *state;
    struct e8_log_run run = some_run();
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(chdir(place->dir), 0);
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        struct e8_dlog *log = begin_log(names[i], 1, &run);
        finish_log(&log, &run);
        struct e8_dlog_reader *reader = open_reader(names[i]);
        e8_dlog_reader_free(&reader);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(fchdir(here), 0);
    close(here);
}

static void *open_and_begin(void *path)
{
    struct e8_log_run run = some_run();
    struct e8_dlog *log;

    if (e8_dlog_open(path, 1, &log, NULL) != E8_OK)
        return path;
    enum e8_rc rc = e8_dlog_begin(log, &run, NULL);
    run.ended = run.started + 1;
    return e8_dlog_finish(&log, &run, NULL) != E8_OK || rc != E8_OK ? path : NULL;
}

static void several_make_it_at_a_time(void **state)
{
    struct place *place = *state;
    pthread_t threads[6];
    size_t failures = 0;
    void *failed;

    for (size_t i = 0; i < E8_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_begin, place->log), 0);
    for (size_t i = 0; i < E8_COUNT(threads); i++) {
        pthread_join(threads[i], &failed);
        failures += failed != NULL;
    }
    assert_int_equal(failures, 0);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM run WHERE ended"), E8_COUNT(threads));
    assert_int_equal(ask(place->log, "SELECT max(id) FROM run"), E8_COUNT(threads));
    assert_sound(place->log);
}

static void without_a_run_nothing_is_written(void **state)
{
    struct place *place = *state;
    struct e8_dlog *log;
    struct e8_dlog_reader *reader;
    struct e8_log_run run;
    struct e8_err err;

    assert_int_equal(e8_dlog_open(place->log, 3, &log, &err), E8_OK);
    assert_int_equal(e8_dlog_finish(&log, NULL, &err), E8_OK);
    assert_null(log);
    assert_int_equal(e8_dlog_finish(&log, NULL, &err), E8_OK);
    reader = open_reader(place->log);
    assert_int_equal(e8_dlog_run(reader, 0, &run, &err), E8_INPUT);
    assert_non_null(strstr(err.what, "no run yet"));
    e8_dlog_reader_free(&reader);
    e8_dlog_reader_free(&reader);
}

/* An older emit8 that knew fewer outcomes, under other numbers. */
static void outcomes_are_matched_by_name(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    struct e8_dlog *log = begin_log(place->log, 1, &run);
    struct e8_record event = some_event(0), attempt = some_attempt(0, 0);

    finish_log(&log, &run);
    change(place->log,
           "DELETE FROM outcome WHERE code >= 3; UPDATE outcome SET code = 90 WHERE name = 'delivered'");
    log = begin_log(place->log, 1, &run);
    push(e8_dlog_ring(log, 0), &event);
    push(e8_dlog_ring(log, 0), &attempt);
    attempt.attempt.outcome = E8_HTTP_5XX;
    push(e8_dlog_ring(log, 0), &attempt);
    finish_log(&log, &run);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM outcome"), E8_OUTCOME_COUNT);
    assert_int_equal(ask(place->log, "SELECT outcome FROM attempt WHERE id = 1"), 90);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempts WHERE outcome = 'delivered'"), 1);
    assert_int_equal(ask(place->log, "SELECT count(*) FROM attempts WHERE outcome = 'http_5xx'"), 1);
    struct e8_dlog_reader *reader = open_reader(place->log);
    struct e8_stats *stats = e8_stats_new(ENDPOINTS, TYPES);
    assert_int_equal(e8_dlog_run(reader, 0, &run, NULL), E8_OK);
    assert_int_equal(e8_dlog_stats(reader, &run, stats, NULL), E8_OK);
    assert_int_equal(e8_stats_all(stats)->n.outcomes[E8_DELIVERED], 1);
    assert_int_equal(e8_stats_all(stats)->n.outcomes[E8_HTTP_5XX], 1);
    e8_stats_free(&stats);
    e8_dlog_reader_free(&reader);
}

static void default_path_is(const char *expected)
{
    struct e8_buf buf;
    struct e8_err err;

    e8_buf_init(&buf, 4096);
    enum e8_rc rc = e8_dlog_default_path(&buf, &err);
    assert_int_equal(rc, expected ? E8_OK : E8_INPUT);
    if (expected)
        assert_string_equal(e8_buf_cstr(&buf), expected);
    else
        assert_true(err.hint[0]);
    e8_buf_fini(&buf);
}

static void the_default_path(void **state)
{
    struct place *place = *state;
    struct e8_log_run run = some_run();
    char *home = e8_dup(getenv("HOME")), path[160], dir[128];

    setenv("EMIT8_LOG", "/x/y.db", 1);
    default_path_is("/x/y.db");
    setenv("EMIT8_LOG", "", 1);
    setenv("XDG_STATE_HOME", "/state", 1);
    default_path_is("/state/emit8/deliveries.db");
    setenv("XDG_STATE_HOME", "not/absolute", 1);
    setenv("HOME", "/home/a", 1);
    default_path_is("/home/a/.local/state/emit8/deliveries.db");
    unsetenv("XDG_STATE_HOME");
    unsetenv("HOME");
    default_path_is(NULL);
    setenv("HOME", place->dir, 1);
    snprintf(path, sizeof(path), "%s/.local/state/emit8/deliveries.db", place->dir);
    default_path_is(path);
    struct e8_dlog *log = begin_log(path, 1, &run); /* makes its directories */
    finish_log(&log, &run);
    snprintf(dir, sizeof(dir), "%s/.local/state/emit8", place->dir);
    assert_int_equal(mode_of(dir), 0700);
    assert_int_equal(mode_of(path), 0600);
    unsetenv("EMIT8_LOG");
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

int run_open_tests(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_private),
        TEST(an_empty_file_becomes_a_log),
        TEST(other_files_are_refused_and_stay),
        TEST(what_version_3_wrote_stays_the_same),
        TEST(another_database_is_refused),
        TEST(a_database_without_tables_is_refused),
        TEST(an_older_log_is_read_and_brought_up),
        TEST(a_log_of_version_4_is_read_and_brought_up),
        TEST(a_log_of_version_3_is_read_and_brought_up),
        TEST(a_newer_log_is_refused),
        TEST(what_is_no_file_is_refused),
        TEST(an_unreadable_file_is_refused),
        TEST(a_read_only_place_can_be_read),
        TEST(odd_names_are_names),
        TEST(several_make_it_at_a_time),
        TEST(without_a_run_nothing_is_written),
        TEST(outcomes_are_matched_by_name),
        TEST(the_default_path),
    };
    return cmocka_run_group_tests_name("dlog open", tests, NULL, NULL);
}
