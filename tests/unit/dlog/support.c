#include "tests.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int place_make(void **state)
{
    struct place *place = e8_new(1, sizeof(*place));

    snprintf(place->dir, sizeof(place->dir), "/tmp/e8-dlog-XXXXXX");
    if (!mkdtemp(place->dir))
        return -1;
    snprintf(place->log, sizeof(place->log), "%s/log.db", place->dir);
    *state = place;
    return 0;
}

static void remove_all(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    char path[512];

    while (d && (entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        if (unlink(path) != 0)
            remove_all(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

int place_remove(void **state)
{
    struct place *place = *state;

    remove_all(place->dir);
    free(place);
    return 0;
}

static const struct e8_log_endpoint endpoints[ENDPOINTS] = {
    {"crm", "http://127.0.0.1:9000/hooks", "platform", "message.* order.paid", "production", 10 * E8_NS_S, 5,
     "X-Archive X-Team"},
    {"audit", "https://audit.example/in", NULL, "*", "", 5 * E8_NS_S, 1, NULL},
};
static const struct e8_log_step steps[STEPS] = {
    {"message.received", "production", "{\"set\":{\"data.channel\":\"sms\"}}", {NULL, 0}, NULL},
    {"message.sent", "staging", NULL, {NULL, 0}, "reply"},
    {"order.paid", "production", NULL, {"raw\0body", 8}, NULL},
};
static const char *const types[TYPES] = {"message.received", "message.sent", "order.paid"};
static const char *const thresholds[] = {"p(99) < 250ms", "outcome(\"x\\y\") < 1%", NULL};

struct e8_log_run some_run(void)
{
    return (struct e8_log_run){
        .name = "support-day",
        .scenario_digest = "aa11",
        .fixtures_digest = "bb22",
        .version = "0.1.0",
        .curl_version = "7.88.1",
        .command = "emit8 run support-day.yaml",
        .seed = UINT64_MAX - 41,
        .started = STARTED,
        .epoch = EPOCH,
        .workers = 2,
        .insecure = true,
        .endpoints = endpoints,
        .endpoint_count = ENDPOINTS,
        .steps = steps,
        .step_count = STEPS,
        .types = types,
        .type_count = TYPES,
        .thresholds = thresholds,
    };
}

static void set_id(char out[E8_ID_MAX], const char *prefix, uint32_t n, unsigned low)
{
    e8_id_make(prefix, STARTED + (e8_wall_ns)n * MS, e8_mix(n, 1), e8_mix(n, 2 + low), out);
}

void delivery_id(uint32_t n, unsigned endpoint, char out[E8_ID_MAX])
{
    set_id(out, "dlv_", n, endpoint);
}

struct e8_record some_event(uint32_t n)
{
    struct e8_record record = {.kind = E8_RECORD_EVENT};

    record.event = (struct e8_event_record){
        .event = n,
        .step = (uint16_t)(n % STEPS),
        .type = (uint16_t)(n % TYPES),
        .sequence = n % 4 + 1,
        .flow = UINT64_MAX - 7,
        .instance = n / 4,
        .at = STARTED + (e8_wall_ns)n * MS,
        .flow_started = STARTED - 60 * E8_NS_S,
    };
    set_id(record.event.id, "evt_", n, 9);
    return record;
}

struct e8_record some_attempt(uint32_t n, unsigned endpoint)
{
    struct e8_record record = {.kind = E8_RECORD_ATTEMPT};
    e8_mono_ns due = EPOCH + (e8_dur_ns)n * MS;

    record.attempt = (struct e8_attempt){
        .event = n,
        .endpoint = (uint16_t)endpoint,
        .number = 1,
        .outcome = E8_DELIVERED,
        .trigger = E8_TRIGGER_EVENT,
        .flags = E8_FLAG_REUSED,
        .status = 200,
        .last = true,
        .type = (uint16_t)(n % TYPES),
        .times = {due, due + 12345, due + 3 * MS + n},
        .phases = {-1, -1, -1, 2 * MS, 3 * MS},
        .bytes_sent = 700 + n % 50,
        .bytes_received = 90,
        .timestamp = 1770000000 + n / 1000,
    };
    set_id(record.attempt.event_id, "evt_", n, 9);
    delivery_id(n, endpoint, record.attempt.delivery_id);
    return record;
}

void push(struct e8_ring *ring, const struct e8_record *record)
{
    static const struct timespec moment = {.tv_nsec = 50000};
    struct e8_record *slot;

    while (!(slot = e8_ring_slot(ring)))
        nanosleep(&moment, NULL);
    *slot = *record;
    e8_ring_push(ring);
}

static void assert_ok(enum e8_rc rc, const struct e8_err *err)
{
    if (rc != E8_OK)
        e8_err_print(err, stderr);
    assert_int_equal(rc, E8_OK);
}

struct e8_dlog *begin_log(const char *path, unsigned rings, struct e8_log_run *run)
{
    struct e8_dlog *log;
    struct e8_err err;

    assert_ok(e8_dlog_open(path, rings, &log, &err), &err);
    assert_ok(e8_dlog_begin(log, run, &err), &err);
    return log;
}

void finish_log(struct e8_dlog **log, struct e8_log_run *run)
{
    struct e8_err err;

    run->ended = run->ended ? run->ended : run->started + 60 * E8_NS_S;
    assert_ok(e8_dlog_finish(log, run, &err), &err);
    assert_null(*log);
}

struct e8_dlog_reader *open_reader(const char *path)
{
    struct e8_dlog_reader *reader;
    struct e8_err err;

    assert_ok(e8_dlog_read(path, &reader, &err), &err);
    return reader;
}

void ask_text(const char *path, const char *sql, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *row;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    const unsigned char *text = sqlite3_column_text(row, 0);
    snprintf(out, size, "%s", text ? (const char *)text : "NULL");
    sqlite3_finalize(row);
    sqlite3_close(db);
}

int64_t ask(const char *path, const char *sql)
{
    char text[64];
    int64_t value;

    ask_text(path, sql, text, sizeof(text));
    if (!e8_parse_i64(e8_str(text), &value))
        fail_msg("%s: %s", sql, text);
    return value;
}

void assert_sound(const char *path)
{
    char text[256];

    ask_text(path, "PRAGMA integrity_check", text, sizeof(text));
    assert_string_equal(text, "ok");
}

bool wait_until(const char *path, const char *sql, int64_t value)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    e8_mono_ns end = e8_mono_now() + 30 * E8_NS_S;

    while (ask(path, sql) < value) {
        if (e8_mono_now() > end)
            return false;
        nanosleep(&moment, NULL);
    }
    return true;
}
