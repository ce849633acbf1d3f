#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int place_make(void **state)
{
    struct place *place = e8_new(1, sizeof *place);

    snprintf(place->dir, sizeof place->dir, "%s/emit8-store-XXXXXX",
             getenv("TMPDIR") && strlen(getenv("TMPDIR")) < 32 ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(place->dir))
        return -1;
    snprintf(place->path, sizeof place->path, "%s/platform.db", place->dir);
    place->arena = e8_arena_new();
    *state = place;
    return 0;
}

int place_open(void **state)
{
    if (place_make(state) != 0)
        return -1;
    struct place *place = *state;
    return e8_store_open(place->path, T0, &place->store, &place->err) == E8_OK ? 0 : -1;
}

int place_remove(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-lock", "-journal"};
    struct place *place = *state;
    char path[128];

    e8_store_close(&place->store);
    for (size_t i = 0; i < E8_COUNT(ends); i++) {
        snprintf(path, sizeof path, "%s%s", place->path, ends[i]);
        unlink(path);
    }
    int rc = rmdir(place->dir);
    e8_arena_free(&place->arena);
    free(place);
    return rc;
}

void reopen_at(struct place *place, e8_wall_ns now)
{
    e8_store_close(&place->store);
    assert_null(place->store);
    ASSERT_OK(place, e8_store_open(place->path, now, &place->store, &place->err));
}

void reopen(struct place *place)
{
    reopen_at(place, T0);
}

struct e8_webhook some_webhook(const char *id)
{
    struct e8_webhook webhook = {
        .url = "https://example.com/hooks",
        .description = "the CRM's",
        .scheme = "8bit",
        .events = "[\"conversation.*\",\"message.received\"]",
        .environments = "[\"production\"]",
        .headers = "{\"X-Team\":\"crm\"}",
        .timeout = 5 * E8_NS_S,
        .retry =
            {.attempts = 5, .base = E8_NS_S, .factor = 1.5, .cap = 60 * E8_NS_S, .jitter = E8_JITTER_EQUAL},
        .enabled = true,
        .notify_url = "http://127.0.0.1:9/failed",
        .created = T0,
        .updated = T0,
    };

    snprintf(webhook.id, sizeof webhook.id, "%s", id);
    return webhook;
}

void add_webhook(struct place *place, const char *id)
{
    struct e8_webhook webhook = some_webhook(id);

    ASSERT_OK(place, e8_store_webhook_add(place->store, &webhook, "a secret of the test", &place->err));
}

void accept_some(struct place *place, struct one one, int count)
{
    struct e8_store_event event = {
        .type = one.type ? one.type : "message.received",
        .environment = one.environment ? one.environment : "production",
        .test = one.test,
        .created = one.created ? one.created : T0 + one.n * MS,
        .body = E8_LIT("{\"id\":\"evt\"}"),
    };
    struct e8_store_target targets[100] = {0};

    assert_true(count <= 100);
    snprintf(event.id, sizeof event.id, "evt_%d", one.n);
    for (int i = 0; i < count; i++) {
        targets[i].due = one.due ? one.due : event.created;
        snprintf(targets[i].id, E8_ID_MAX, "dlv_%d", one.n + i);
        snprintf(targets[i].webhook, E8_ID_MAX, "%s", one.webhook ? one.webhook : "whk_a");
    }
    ASSERT_OK(place, e8_store_accept(place->store, &event, targets, (size_t)count, &place->err));
}

void accept_one(struct place *place, struct one one)
{
    accept_some(place, one, 1);
}

struct e8_store_attempt some_attempt(int64_t row, unsigned number, int status, enum e8_delivery_state state)
{
    e8_wall_ns due = T0 + row * MS + (number - 1) * E8_NS_S;

    return (struct e8_store_attempt){
        .row = row,
        .number = number,
        .tries = number,
        .outcome = status ? e8_outcome_of_status(status) : E8_CONNECT_REFUSED,
        .trigger = number == 1 ? E8_TRIGGER_EVENT : E8_TRIGGER_RETRY,
        .status = status,
        .due = due,
        .sent = due + MS,
        .done = due + 20 * MS,
        .phases = {.dns = -1, .connect = MS, .tls = -1, .first_byte = 15 * MS, .total = 19 * MS},
        .error = status / 100 == 2 ? "" : "it was refused",
        .request = E8_LIT("POST /hooks HTTP/1.1\nHost: example.com\n"),
        .response = E8_LIT("HTTP/1.1 200 OK\n"),
        .body = E8_LIT("thanks"),
        .body_length = 6,
        .state = state,
        .next = state == E8_STATE_PENDING ? due + E8_NS_S : 0,
    };
}

void put_attempt(struct place *place, const struct e8_store_attempt *attempt)
{
    ASSERT_OK(place, e8_store_attempts(place->store, attempt, 1, &place->err));
}

int64_t row_of(struct place *place, int n)
{
    struct e8_store_details details;
    char id[E8_ID_MAX];

    snprintf(id, sizeof id, "dlv_%d", n);
    ASSERT_OK(place, e8_store_delivery(place->store, id, place->arena, &details, &place->err));
    return details.row.row;
}

int64_t ask(const char *path, const char *sql)
{
    sqlite3_stmt *row = NULL;
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return value;
}

void assert_sound(const char *path)
{
    assert_int_equal(ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(ask(path, "SELECT count(*) FROM kind k WHERE deliveries <>"
                               " (SELECT count(*) FROM delivery d WHERE d.kind = k.n)"),
                     0);
    assert_int_equal(ask(path, "SELECT count(*) FROM kind k WHERE newest <"
                               " (SELECT max(row) FROM delivery d WHERE d.kind = k.n)"),
                     0);
    assert_int_equal(ask(path,
                         "SELECT count(*) FROM delivery d LEFT JOIN kind k ON k.n = d.kind"
                         " LEFT JOIN event e ON e.n = d.event LEFT JOIN span s ON s.block = d.row >> 10"
                         " WHERE k.n IS NULL OR e.n IS NULL OR k.webhook <> d.webhook OR k.test <> d.test"
                         " OR d.row NOT BETWEEN e.first AND e.first + e.deliveries - 1"
                         " OR s.block IS NULL OR d.created NOT BETWEEN s.low AND s.high"
                         " OR (d.due IS NOT NULL AND k.state IN (1, 2, 3))"
                         " OR (d.due IS NULL AND k.state NOT IN (1, 2, 3) AND d.run IS NULL)"),
                     0);
    assert_int_equal(ask(path, "SELECT count(*) FROM attempt a LEFT JOIN delivery d ON d.row = a.n >> 20"
                               " WHERE d.row IS NULL"),
                     0);
}

int run_store_tests(void)
{
    return run_store_open_tests() + run_store_webhook_tests() + run_store_queue_tests() +
           run_store_list_tests() + run_store_overview_tests() + run_store_trim_tests() +
           run_store_run_tests() + run_store_crash_tests();
}
