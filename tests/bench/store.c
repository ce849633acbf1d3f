/* How quick the platform's store is with many attempts in it: a page by each filter and by each two, details, what is due, the
 * overview. `bench_store [ATTEMPTS [DIRECTORY]]`; without, so few that it is a test as well. Fails when a median is 50 ms or more. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/store_parts.h"

#define MS     E8_NS_MS
#define MINUTE (60 * E8_NS_S)

enum { WEBHOOKS = 20, TYPES = 16, ENVIRONMENTS = 3, LIMIT_MS = 50, PAGE = 50, REPEATS = 3 };

static int64_t attempts = 100000, deliveries, waiting;
static e8_wall_ns begun;
static e8_dur_ns lasted, apart;
static bool failed;

static void die(const char *what)
{
    fprintf(stderr, "bench_store: %s\n", what);
    exit(1);
}

static void must(enum e8_rc rc, const struct e8_err *err)
{
    if (rc != E8_OK)
        die(err->what);
}

/* ---- what is in the file ---- */

/* Of a delivery, from its row alone. The last endpoint and the last type are rare. */
struct facts {
    int webhook, type, environment, test, status, state;
};

static int64_t event_of(int64_t row)
{
    return (row + 1) / 2;
}

static struct facts facts_of(int64_t row)
{
    static const int statuses[] = {503, 503, 503, 404, 302, 0, 500};
    uint64_t h = e8_mix(1, (uint64_t)row), g = e8_mix(2, (uint64_t)event_of(row));
    struct facts f = {
        .webhook = h % 100000 == 7 ? WEBHOOKS : 1 + (int)(h % 2 ? h % 3 : h / 2 % (WEBHOOKS - 1)),
        .type = g % 50000 == 11 ? TYPES : 1 + (int)(g % 3 ? g % 4 : g / 3 % (TYPES - 1)),
        .environment = g / 64 % 10    ? 1
                       : g / 640 % 10 ? 2
                                      : 3,
        .test = g / 6400 % 100 == 0,
        .status = h / 64 % 16 ? 200 : statuses[h / 1024 % E8_COUNT(statuses)],
    };
    if (row > deliveries)
        f.state = E8_STATE_PENDING;
    else if (f.status == 200)
        f.state = E8_STATE_DELIVERED;
    else
        f.state = row > deliveries - 1000 ? E8_STATE_RETRYING : E8_STATE_FAILED;
    if (row > deliveries)
        f.status = 0;
    return f;
}

static e8_wall_ns time_of(int64_t row)
{
    return begun + row * apart;
}

/* Every ninth has two attempts. */
static bool is_tried_twice(int64_t row)
{
    return row % 9 == 0;
}

/* One number for each kind, from which its parts come back. */
static const char kinds[] =
    "INSERT INTO kind SELECT kind, kind / 100000000, kind / 1000000 % 100, kind / 100000 % 10,"
    " kind / 10000 % 10, kind / 1000 % 10, kind % 1000, count(*), max(row) FROM delivery GROUP BY kind";

static int64_t kind_of(const struct facts *f, int64_t row)
{
    int class = row > deliveries ? E8_CLASS_UNSENT : e8_kind_class(f->status);

    return (((((int64_t)f->webhook * 100 + f->type) * 10 + f->environment) * 10 + f->test) * 10 + f->state) *
               1000 +
           class;
}

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    return statement;
}

static void run(sqlite3_stmt *statement)
{
    if (sqlite3_step(statement) != SQLITE_DONE)
        die(sqlite3_errmsg(sqlite3_db_handle(statement)));
    sqlite3_reset(statement);
}

static void bind_id(sqlite3_stmt *statement, int at, const char *prefix, int64_t n)
{
    char id[E8_ID_MAX];

    snprintf(id, sizeof id, "%s_%026lld", prefix, (long long)n);
    sqlite3_bind_text(statement, at, id, -1, SQLITE_TRANSIENT);
}

static void put_events(sqlite3 *db)
{
    static const char sql[] = "INSERT INTO event VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 2, ?8)";
    sqlite3_stmt *put = prepare(db, sql);
    char body[400];

    memset(body, 'b', sizeof body);
    for (int64_t n = 1; 2 * n <= deliveries + waiting; n++) {
        struct facts f = facts_of(2 * n);
        sqlite3_bind_int64(put, 1, n);
        bind_id(put, 2, "evt", n);
        sqlite3_bind_int(put, 3, f.type);
        sqlite3_bind_int(put, 4, TYPES + f.environment);
        sqlite3_bind_int(put, 5, f.test);
        sqlite3_bind_int64(put, 6, time_of(2 * n));
        sqlite3_bind_int64(put, 7, 2 * n - 1);
        sqlite3_bind_blob(put, 8, body, sizeof body, SQLITE_STATIC);
        run(put);
    }
    sqlite3_finalize(put);
}

static void put_deliveries(sqlite3 *db)
{
    static const char sql[] = "INSERT INTO delivery VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, ?9, ?9, ?10,"
                              " ?11, ?12, ?13, ?14, NULL)";
    sqlite3_stmt *put = prepare(db, sql);

    for (int64_t row = 1; row <= deliveries + waiting; row++) {
        struct facts f = facts_of(row);
        bool sent = row <= deliveries;
        sqlite3_clear_bindings(put);
        sqlite3_bind_int64(put, 1, row);
        bind_id(put, 2, "dlv", row);
        sqlite3_bind_int64(put, 3, kind_of(&f, row));
        sqlite3_bind_int64(put, 4, event_of(row));
        sqlite3_bind_int(put, 5, f.webhook);
        sqlite3_bind_int64(put, 6, time_of(2 * event_of(row)));
        if (f.state == E8_STATE_PENDING || f.state == E8_STATE_RETRYING)
            sqlite3_bind_int64(put, 7, time_of(row));
        sqlite3_bind_int(put, 8, f.test);
        sqlite3_bind_int(put, 9, sent ? 1 + is_tried_twice(row) : 0);
        if (sent) {
            if (f.status)
                sqlite3_bind_int(put, 10, f.status);
            sqlite3_bind_int(put, 11, TYPES + ENVIRONMENTS + 1 + (f.status != 200));
            if (f.status != 200)
                sqlite3_bind_text(put, 12, "it was refused", -1, SQLITE_STATIC);
            sqlite3_bind_int64(put, 13, 20 * MS);
            sqlite3_bind_int64(put, 14, time_of(row) + 20 * MS);
        }
        run(put);
    }
    sqlite3_finalize(put);
}

static void put_attempts(sqlite3 *db)
{
    static const char sql[] =
        "INSERT INTO attempt VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, NULL, ?6, ?7,"
        " NULL, 120, ?8, ?9, ?10, NULL, NULL, NULL, NULL, NULL)";
    sqlite3_stmt *put = prepare(db, sql);
    char head[400];

    memset(head, 'h', sizeof head);
    for (int64_t row = 1; row <= deliveries; row++) {
        struct facts f = facts_of(row);
        for (int number = 1; number <= 1 + is_tried_twice(row); number++) {
            sqlite3_bind_int64(put, 1, e8_attempt_row(row, (unsigned)number));
            sqlite3_bind_int(put, 2, TYPES + ENVIRONMENTS + 3);
            sqlite3_bind_int(put, 3, TYPES + ENVIRONMENTS + 1 + (f.status != 200));
            sqlite3_bind_int(put, 4, f.status);
            sqlite3_bind_int64(put, 5, time_of(row));
            sqlite3_bind_int64(put, 6, MS);
            sqlite3_bind_int64(put, 7, 20 * MS);
            sqlite3_bind_blob(put, 8, head, sizeof head, SQLITE_STATIC);
            sqlite3_bind_blob(put, 9, head, 150, SQLITE_STATIC);
            sqlite3_bind_blob(put, 10, head, 120, SQLITE_STATIC);
            run(put);
        }
    }
    sqlite3_finalize(put);
}

static void put_names(sqlite3 *db)
{
    sqlite3_stmt *put = prepare(db, "INSERT INTO word(text) VALUES(?1)");
    char name[40];

    for (int i = 1; i <= TYPES + ENVIRONMENTS + 3; i++) {
        static const char *const others[] = {"delivered", "http_5xx", "event"};
        if (i <= TYPES)
            snprintf(name, sizeof name, "type.%d", i);
        else if (i <= TYPES + ENVIRONMENTS)
            snprintf(name, sizeof name, "environment%d", i - TYPES);
        else
            snprintf(name, sizeof name, "%s", others[i - TYPES - ENVIRONMENTS - 1]);
        sqlite3_bind_text(put, 1, name, -1, SQLITE_STATIC);
        run(put);
    }
    sqlite3_finalize(put);
}

static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *row = prepare(db, sql);

    if (sqlite3_step(row) != SQLITE_ROW)
        die(sqlite3_errmsg(db));
    int64_t value = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return value;
}

/* Past the store's own code, and without the indexes, which are made at the end: a hundred times as fast. */
static void fill(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("cannot open the file");
    exec(db, "PRAGMA journal_mode = DELETE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
             "PRAGMA cache_size = -200000; DROP INDEX delivery_kind; DROP INDEX delivery_queue; BEGIN");
    put_names(db);
    put_events(db);
    put_deliveries(db);
    put_attempts(db);
    exec(db, "COMMIT; CREATE INDEX delivery_kind ON delivery(kind);"
             "CREATE INDEX delivery_queue ON delivery(webhook, test, due) WHERE due IS NOT NULL;"
             "INSERT INTO span SELECT row >> 10, min(created), max(created) FROM delivery GROUP BY 1;");
    exec(db, kinds);
    exec(db, "UPDATE kind SET environment = environment + 16"); /* behind the types among the words */
    printf("%lld attempts of %lld deliveries, %lld waiting, %lld kinds, %lld MiB\n",
           (long long)number(db, "SELECT count(*) FROM attempt"), (long long)deliveries, (long long)waiting,
           (long long)number(db, "SELECT count(*) FROM kind"),
           (long long)number(db,
                             "SELECT page_count * page_size >> 20 FROM pragma_page_count, pragma_page_size"));
    sqlite3_close(db);
}

static void write_sums(struct e8_store *store, struct e8_sums **sums)
{
    struct e8_err err;

    e8_side_begin(&store->writer, E8_WRITE);
    e8_sums_write(*sums, &store->writer);
    e8_sums_free(sums);
    must(e8_side_end(&store->writer, E8_OK, &err), &err);
}

/* Of the same attempts, minute by minute. */
static void put_sums(struct e8_store *store)
{
    e8_wall_ns next = 0;
    struct e8_sums *sums = NULL;

    for (int64_t row = 1; row <= deliveries; row++) {
        struct facts f = facts_of(row);
        if (time_of(row) >= next) {
            if (sums)
                write_sums(store, &sums);
            sums = e8_sums_new();
            next = (time_of(row) / MINUTE + 1) * MINUTE;
        }
        e8_sums_add(sums, &(struct e8_counted){
                              .webhook = f.webhook,
                              .type = f.type,
                              .status = f.status,
                              .outcome = TYPES + ENVIRONMENTS + 1 + (f.status != 200),
                              .done = time_of(row),
                              .response = (e8_dur_ns)(e8_mix(3, (uint64_t)row) % (uint64_t)(200 * MS)),
                              .delivered = f.status == 200,
                          });
    }
    write_sums(store, &sums);
}

/* ---- measuring ---- */

struct times {
    const char *name;
    e8_dur_ns list[4000];
    size_t count, late; /* late: a page that was not full at the end of its time */
    e8_dur_ns worst;
    char worst_of[120];
};

static void add_time(struct times *times, e8_dur_ns time, const char *what)
{
    if (times->count < E8_COUNT(times->list))
        times->list[times->count++] = time;
    if (time > times->worst) {
        times->worst = time;
        snprintf(times->worst_of, sizeof times->worst_of, "%s", what);
    }
}

static int compare(const void *left, const void *right)
{
    e8_dur_ns a = *(const e8_dur_ns *)left, b = *(const e8_dur_ns *)right;

    return (a > b) - (a < b);
}

static void tell(struct times *times, bool judge)
{
    qsort(times->list, times->count, sizeof *times->list, compare);
    double median = times->count ? (double)times->list[times->count / 2] / (double)MS : 0;
    bool bad = judge && (median >= LIMIT_MS || 2 * times->late > times->count);

    printf("%-28s median %8.3f ms  worst %8.3f ms %s", times->name, median, (double)times->worst / (double)MS,
           times->worst_of);
    if (times->late)
        printf("; %zu of %zu pages not full in time", times->late, times->count);
    printf("%s\n", bad ? "  TOO SLOW" : "");
    failed |= bad;
}

struct choice {
    const char *name;
    struct e8_store_filter filter; /* what is chosen is not as in `all` */
    int field;
};

static char names[3][40];
static char an_event[E8_ID_MAX];

static const struct e8_store_filter all = {.state = -1, .test = -1, .limit = PAGE};

static size_t make_choices(struct choice *list)
{
    e8_wall_ns middle = begun + lasted / 2;
    struct e8_store_filter f = all;
    size_t n = 0;

#define CHOOSE(number, text, member, value)                                                                  \
    f = all, f.member = (value), list[n++] = (struct choice){text, f, number}
    CHOOSE(0, "webhook, frequent", webhook, "whk_1");
    CHOOSE(0, "webhook, some", webhook, "whk_9");
    CHOOSE(0, "webhook, rare", webhook, names[0]);
    CHOOSE(1, "type, frequent", type, "type.1");
    CHOOSE(1, "type, rare", type, names[1]);
    CHOOSE(1, "type, pattern", type, "type.*");
    CHOOSE(2, "environment, frequent", environment, "environment1");
    CHOOSE(2, "environment, some", environment, "environment3");
    CHOOSE(3, "status none", status, E8_CLASS_NONE);
    CHOOSE(3, "status 2xx", status, E8_CLASS_2XX);
    CHOOSE(3, "status 3xx", status, E8_CLASS_3XX);
    CHOOSE(3, "status 4xx", status, E8_CLASS_4XX);
    CHOOSE(3, "status 5xx", status, E8_CLASS_5XX);
    CHOOSE(3, "status 200", code, 200);
    CHOOSE(3, "status 503", code, 503);
    CHOOSE(3, "status 404", code, 404);
    CHOOSE(3, "status 429, none", code, 429);
    CHOOSE(4, "pending", state, E8_STATE_PENDING);
    CHOOSE(4, "delivered", state, E8_STATE_DELIVERED);
    CHOOSE(4, "failed", state, E8_STATE_FAILED);
    CHOOSE(4, "cancelled", state, E8_STATE_CANCELLED);
    CHOOSE(5, "test", test, 1);
    CHOOSE(5, "real", test, 0);
    CHOOSE(6, "since", since, middle);
    CHOOSE(7, "until", until, middle);
    CHOOSE(8, "an hour", since, middle);
    list[n - 1].filter.until = middle + 60 * MINUTE;
    CHOOSE(9, "event", event, an_event);
    return n;
}

static struct e8_store_filter both(const struct e8_store_filter *a, const struct e8_store_filter *b)
{
    struct e8_store_filter f = *a;

    f.webhook = f.webhook ? f.webhook : b->webhook;
    f.type = f.type ? f.type : b->type;
    f.environment = f.environment ? f.environment : b->environment;
    f.event = f.event ? f.event : b->event;
    f.status = f.status ? f.status : b->status;
    f.code = f.code ? f.code : b->code;
    f.state = f.state >= 0 ? f.state : b->state;
    f.test = f.test >= 0 ? f.test : b->test;
    f.since = f.since > b->since ? f.since : b->since;
    f.until = f.until && (!b->until || f.until < b->until) ? f.until : b->until;
    return f;
}

static void count_row(void *state, const struct e8_store_row *row)
{
    (void)row;
    ++*(size_t *)state;
}

static void measure_page(struct e8_store *store, struct times *times, const struct e8_store_filter *filter,
                         const char *what)
{
    struct e8_err err;
    size_t rows = 0;
    int64_t scanned;
    bool more;
    e8_mono_ns start = e8_mono_now();

    must(e8_store_list(store, filter, 0, count_row, &rows, &more, &scanned, &err), &err);
    add_time(times, e8_mono_now() - start, what);
    times->late += more && rows < filter->limit;
}

static void measure_pages(struct e8_store *store, const char *path, bool cold)
{
    static struct times first = {.name = "first page"}, one = {.name = "page by a filter"},
                        two = {.name = "page by two filters"};
    struct choice list[40];
    size_t count = make_choices(list);
    char what[100];

    first.count = one.count = two.count = first.late = one.late = two.late = 0;
    first.worst = one.worst = two.worst = 0;
    for (int i = 0; i < 5; i++)
        measure_page(store, &first, &all, "");
    for (size_t i = 0; i < count; i++) {
        for (int again = 0; again < (cold ? 1 : REPEATS); again++) {
            if (cold) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                if (fd < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
                    die("cannot drop what the system keeps of the file");
                close(fd);
            }
            measure_page(store, &one, &list[i].filter, list[i].name);
            for (size_t j = i + 1; j < count && !cold; j++) {
                struct e8_store_filter filter = both(&list[i].filter, &list[j].filter);
                snprintf(what, sizeof what, "%s, %s", list[i].name, list[j].name);
                if (list[i].field != list[j].field)
                    measure_page(store, &two, &filter, what);
            }
        }
    }
    if (cold) {
        one.name = "the same, file not in memory";
        tell(&one, false);
        return;
    }
    tell(&first, true);
    tell(&one, true);
    tell(&two, true);
}

static void measure_details(struct e8_store *store)
{
    static struct times times = {.name = "details"};
    struct e8_err err;
    char id[E8_ID_MAX];

    for (uint64_t i = 0; i < 200; i++) {
        struct e8_arena *arena = e8_arena_new();
        struct e8_store_details details;
        int64_t row = 1 + (int64_t)(e8_mix(4, i) % (uint64_t)(deliveries + waiting));
        snprintf(id, sizeof id, "dlv_%026lld", (long long)row);
        e8_mono_ns start = e8_mono_now();
        must(e8_store_delivery(store, id, arena, &details, &err), &err);
        add_time(&times, e8_mono_now() - start, id);
        size_t expected = row > deliveries ? 0 : 1 + is_tried_twice(row);
        if (details.row.row != row || details.count != expected)
            die("details of another delivery");
        e8_arena_free(&arena);
    }
    tell(&times, true);
}

struct queue {
    size_t count;
    int64_t rows[1000]; /* ascending: under way */
    size_t under_way;
};

static bool is_under_way(void *state, int64_t row)
{
    struct queue *queue = state;

    return bsearch(&row, queue->rows, queue->under_way, sizeof row, compare) != NULL;
}

static void take(void *state, const struct e8_due *due)
{
    struct queue *queue = state;

    if (queue->count < E8_COUNT(queue->rows))
        queue->rows[queue->count] = due->row;
    queue->count++;
}

/* With a thousand under way, as the dispatcher asks. */
static void measure_queue(struct e8_store *store)
{
    static struct times times = {.name = "100 that are due, of an endpoint"};
    struct queue *queue = e8_new(1, sizeof *queue);
    struct e8_err err;
    char id[E8_ID_MAX];
    e8_wall_ns next;

    for (int i = 0; i < 3 * WEBHOOKS; i++) {
        snprintf(id, sizeof id, "whk_%d", 1 + i % WEBHOOKS);
        queue->count = queue->under_way = 0;
        must(e8_store_due(store, id, E8_NEVER, 1000, NULL, take, queue, &next, &err), &err);
        queue->under_way = queue->count;
        qsort(queue->rows, queue->under_way, sizeof *queue->rows, compare);
        size_t before = queue->count;
        queue->count = E8_COUNT(queue->rows);
        e8_mono_ns start = e8_mono_now();
        must(e8_store_due(store, id, E8_NEVER, 100, is_under_way, take, queue, &next, &err), &err);
        add_time(&times, e8_mono_now() - start, id);
        if (before == 1000 && queue->count == E8_COUNT(queue->rows) && next != E8_NEVER)
            die("nothing is due");
    }
    free(queue);
    tell(&times, true);
}

static void measure_overview(struct e8_store *store, const char *name, e8_dur_ns time, e8_dur_ns step,
                             const char *webhook)
{
    struct times times = {.name = name};
    e8_wall_ns until = begun + deliveries * apart;
    struct e8_err err;

    for (int i = 0; i < 5; i++) {
        struct e8_arena *arena = e8_arena_new();
        struct e8_store_overview overview;
        e8_mono_ns start = e8_mono_now();
        must(e8_store_overview(store, until - time, until, step, webhook, arena, &overview, &err), &err);
        add_time(&times, e8_mono_now() - start, webhook ? webhook : "");
        if (overview.all.attempts == 0)
            die("an empty overview");
        e8_arena_free(&arena);
    }
    tell(&times, false);
}

static void measure_writing(struct e8_store *store)
{
    static struct times accepted = {.name = "an event accepted"}, sent = {.name = "100 attempts stored"};
    struct e8_store_event event = {
        .type = "type.1", .environment = "environment1", .created = e8_wall_now(), .body = E8_LIT("{}")};
    struct e8_store_attempt list[100];
    struct e8_err err;

    for (int i = 0; i < 20; i++) {
        struct e8_store_target target = {.due = event.created};
        snprintf(event.id, sizeof event.id, "evt_x%d", i);
        snprintf(target.id, sizeof target.id, "dlv_x%d", i);
        snprintf(target.webhook, sizeof target.webhook, "whk_1");
        e8_mono_ns start = e8_mono_now();
        must(e8_store_accept(store, &event, &target, 1, &err), &err);
        add_time(&accepted, e8_mono_now() - start, "");
        for (size_t k = 0; k < E8_COUNT(list); k++) {
            list[k] = (struct e8_store_attempt){
                .row = deliveries + 1 + i * (int64_t)E8_COUNT(list) + (int64_t)k,
                .number = 1,
                .tries = 1,
                .outcome = E8_DELIVERED,
                .status = 200,
                .due = event.created,
                .sent = event.created,
                .done = event.created + (e8_dur_ns)k * MS,
                .request = E8_LIT("POST"),
                .state = E8_STATE_DELIVERED,
            };
        }
        start = e8_mono_now();
        must(e8_store_attempts(store, list, E8_COUNT(list), &err), &err);
        add_time(&sent, e8_mono_now() - start, "");
    }
    tell(&accepted, false);
    tell(&sent, false);
}

static void measure_trim(struct e8_store *store)
{
    static struct times times = {.name = "a step of retention (20 ms)"};
    struct e8_err err;
    bool more = true;

    for (int i = 0; i < 50 && more; i++) {
        e8_mono_ns start = e8_mono_now();
        must(e8_store_trim(store, begun + lasted / 30, 0, 0, &more, &err), &err);
        add_time(&times, e8_mono_now() - start, "");
    }
    tell(&times, true);
}

/* ---- all of it ---- */

static void add_webhooks(struct e8_store *store)
{
    struct e8_err err;

    for (int i = 1; i <= WEBHOOKS; i++) {
        struct e8_webhook webhook = {.url = "https://example.com/hooks", .enabled = true, .created = begun};
        snprintf(webhook.id, sizeof webhook.id, "whk_%d", i);
        must(e8_store_webhook_add(store, &webhook, "a secret of the bench", &err), &err);
    }
}

static void measure(const char *path)
{
    struct e8_store *store;
    struct e8_err err;
    e8_mono_ns start = e8_mono_now();

    must(e8_store_open(path, begun, &store, &err), &err);
    add_webhooks(store);
    e8_store_close(&store);
    fill(path);
    must(e8_store_open(path, begun, &store, &err), &err);
    put_sums(store);
    printf("filled in %.1f s\n", (double)(e8_mono_now() - start) / 1e9);
    measure_pages(store, path, false);
    measure_details(store);
    measure_queue(store);
    measure_overview(store, "overview, an hour by minutes", 60 * MINUTE, MINUTE, NULL);
    measure_overview(store, "overview, a day by minutes", 24 * 60 * MINUTE, MINUTE, NULL);
    measure_overview(store, "overview, all by hours", lasted, 60 * MINUTE, NULL);
    measure_overview(store, "an endpoint's, a day", 24 * 60 * MINUTE, 5 * MINUTE, "whk_1");
    sync();
    measure_pages(store, path, true);
    measure_writing(store);
    measure_trim(store);
    e8_store_close(&store);
}

int main(int argc, char **argv)
{
    char dir[200], path[256];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && (!e8_parse_i64(e8_str(argv[1]), &attempts) || attempts < 20000))
        die("attempts: at least 20000");
    snprintf(dir, sizeof dir, "%s/e8-store-XXXXXX", argc > 2 ? argv[2] : "/tmp");
    if (!mkdtemp(dir))
        die("cannot make a directory");
    snprintf(path, sizeof path, "%s/platform.db", dir);
    deliveries = attempts * 9 / 10;
    waiting = attempts / 10;
    lasted = (attempts > 2000000 ? 30 : 1) * 24 * 60 * MINUTE;
    begun = e8_wall_now() - lasted;
    apart = lasted / (deliveries + waiting);
    snprintf(names[0], sizeof names[0], "whk_%d", WEBHOOKS);
    snprintf(names[1], sizeof names[1], "type.%d", TYPES);
    snprintf(an_event, sizeof an_event, "evt_%026lld", (long long)deliveries / 3);
    measure(path);
    for (size_t i = 0; i < 2; i++) {
        static const char *const ends[] = {"", "-lock"};
        snprintf(path, sizeof path, "%s/platform.db%s", dir, ends[i]);
        unlink(path);
    }
    rmdir(dir);
    return failed;
}
