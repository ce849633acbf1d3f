/* The log, held against a model of it: a list in memory that is looked through from end to end. */
#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "match/match.h"

enum { MODEL_MAX = 2000, PAGE_MAX = 200 };

struct model {
    struct {
        const char *webhook, *type, *environment;
        char event[E8_ID_MAX];
        bool test;
        enum e8_delivery_state state;
        int status, attempts;
        e8_wall_ns created;
    } list[MODEL_MAX + 1]; /* by row */
    int64_t count;
};

static const char *const webhooks[] = {"whk_a", "whk_b", "whk_c", "whk_d", "whk_none"};
static const char *const types[] = {"message.received", "message.sent", "agent.error", "session.ended",
                                    "no.type"};
static const char *const environments[] = {"production", "staging", "development", "nowhere"};
static const char *const patterns[] = {"message.*", "*", "agent.error.*", "none.*"};
static const int statuses[] = {200, 204, 302, 404, 500, 503, 0};

static size_t any(struct e8_rng *rng, size_t count)
{
    return (size_t)e8_rng_below(rng, count);
}

/* The first of a list are much more frequent than the last. */
static size_t rarely(struct e8_rng *rng, size_t count)
{
    size_t i = 0;

    while (i + 1 < count && e8_rng_below(rng, 6) == 0)
        i++;
    return i;
}

static void model_accept(struct place *place, struct model *model, struct e8_rng *rng, int n)
{
    struct e8_store_event event = {.body = E8_LIT("{}")};
    struct e8_store_target targets[6] = {0};
    size_t count = any(rng, 7);

    event.type = types[rarely(rng, 4)];
    event.environment = environments[rarely(rng, 3)];
    event.test = e8_rng_below(rng, 20) == 0;
    event.created = T0 + n * MS + (e8_rng_below(rng, 50) == 0 ? e8_rng_range(rng, -500 * MS, 500 * MS) : 0);
    snprintf(event.id, sizeof event.id, "evt_%d", n);
    for (size_t i = 0; i < count && model->count < MODEL_MAX; i++) {
        int64_t row = ++model->count;
        snprintf(targets[i].id, E8_ID_MAX, "dlv_%lld", (long long)row);
        model->list[row].webhook = webhooks[rarely(rng, 4)];
        snprintf(targets[i].webhook, E8_ID_MAX, "%s", model->list[row].webhook);
        targets[i].due = event.created;
        model->list[row].type = event.type;
        model->list[row].environment = event.environment;
        model->list[row].test = event.test;
        model->list[row].created = event.created;
        snprintf(model->list[row].event, E8_ID_MAX, "%s", event.id);
        if (i + 1 == count || model->count == MODEL_MAX)
            count = i + 1;
    }
    ASSERT_OK(place, e8_store_accept(place->store, &event, targets, count, &place->err));
}

static void model_attempt(struct place *place, struct model *model, struct e8_rng *rng)
{
    struct e8_store_attempt list[40];
    size_t count = 0;

    for (size_t i = 0; i < E8_COUNT(list) && model->count > 0; i++) {
        int64_t row = e8_rng_range(rng, model->count > 200 ? model->count - 200 : 1, model->count);
        if (model->list[row].state != E8_STATE_PENDING)
            continue;
        int status = statuses[rarely(rng, E8_COUNT(statuses))];
        enum e8_delivery_state state = status && status < 300 ? E8_STATE_DELIVERED
                                       : any(rng, 3)          ? E8_STATE_PENDING
                                                              : E8_STATE_FAILED;
        list[count++] = some_attempt(row, (unsigned)++model->list[row].attempts, status, state);
        model->list[row].state = state;
        model->list[row].status = status;
    }
    ASSERT_OK(place, e8_store_attempts(place->store, list, count, &place->err));
}

static bool model_takes(const struct model *model, int64_t row, const struct e8_store_filter *f)
{
    int class = model->list[row].status / 100;

    if (f->status == E8_CLASS_NONE && (model->list[row].attempts == 0 || class != 0))
        return false;
    if (f->status > E8_CLASS_NONE && class != (int)f->status)
        return false;
    if (f->code && f->code != model->list[row].status)
        return false;
    return (!f->webhook || strcmp(f->webhook, model->list[row].webhook) == 0) &&
           (!f->type || e8_pattern_matches(e8_str(f->type), e8_str(model->list[row].type))) &&
           (!f->environment || strcmp(f->environment, model->list[row].environment) == 0) &&
           (!f->event || strcmp(f->event, model->list[row].event) == 0) &&
           (f->state < 0 || f->state == (int)model->list[row].state) &&
           (f->test < 0 || f->test == model->list[row].test) && model->list[row].created >= f->since &&
           (f->until == 0 || model->list[row].created < f->until) && row > f->after &&
           (f->before == 0 || row < f->before);
}

static struct e8_store_filter some_filter(const struct model *model, struct e8_rng *rng)
{
    struct e8_store_filter f = {.state = -1, .test = -1, .limit = 1 + any(rng, PAGE_MAX)};
    uint64_t which = e8_rng_next(rng) & e8_rng_next(rng);

    if (which & 1)
        f.webhook = webhooks[any(rng, E8_COUNT(webhooks))];
    if (which & 2)
        f.type = types[any(rng, E8_COUNT(types))];
    if (which & 4)
        f.environment = environments[any(rng, E8_COUNT(environments))];
    if ((which & 56) == 56)
        f.event = model->list[1 + any(rng, (size_t)model->count)].event;
    if (which & 64)
        f.status = (enum e8_status_class)(1 + any(rng, 5));
    if (which & 8192)
        f.code = e8_rng_below(rng, 8) ? statuses[any(rng, E8_COUNT(statuses) - 1)] : 418;
    if (which & 16384)
        f.type = patterns[any(rng, E8_COUNT(patterns))];
    if (which & 128)
        f.state = (int)any(rng, 4);
    if (which & 256)
        f.test = (int)any(rng, 2);
    if (which & 512)
        f.since = T0 + e8_rng_range(rng, -10, model->count) * MS;
    if (which & 1024)
        f.until = T0 + e8_rng_range(rng, -10, model->count) * MS;
    if (which & 2048)
        f.after = e8_rng_range(rng, 0, model->count);
    if (which & 4096)
        f.before = e8_rng_range(rng, 0, model->count + 1);
    return f;
}

struct page {
    const struct model *model;
    int64_t rows[PAGE_MAX];
    size_t count;
};

static void keep(void *state, const struct e8_store_row *row)
{
    struct page *page = state;
    int64_t n = row->row;

    assert_true(page->count < PAGE_MAX);
    page->rows[page->count++] = n;
    assert_string_equal(row->webhook, page->model->list[n].webhook);
    assert_string_equal(row->type, page->model->list[n].type);
    assert_string_equal(row->environment, page->model->list[n].environment);
    assert_string_equal(row->event_id, page->model->list[n].event);
    assert_int_equal(row->test, page->model->list[n].test);
    assert_int_equal(row->state, page->model->list[n].state);
    assert_int_equal(row->status, page->model->list[n].status);
    assert_int_equal(row->attempts, page->model->list[n].attempts);
    assert_int_equal(row->created, page->model->list[n].created);
    assert_int_equal(row->next != 0, row->state == E8_STATE_PENDING);
}

/* All pages of the filter, one after another. The budget is that of a page: 1 ns gives up at every step. */
static void compare_pages(struct place *place, const struct model *model, struct e8_store_filter filter,
                          e8_dur_ns budget)
{
    int64_t expected = filter.before ? filter.before : model->count + 1, scanned = 0, steps = 0;
    bool more;

    do {
        struct page page = {.model = model};
        ASSERT_OK(place,
                  e8_store_list(place->store, &filter, budget, keep, &page, &more, &scanned, &place->err));
        assert_true(page.count <= filter.limit);
        for (size_t i = 0; i < page.count; i++) {
            do
                expected--;
            while (expected > 0 && !model_takes(model, expected, &filter));
            assert_int_equal(page.rows[i], expected);
        }
        assert_int_equal(more, scanned != 0);
        assert_true(scanned == 0 || filter.before == 0 || scanned < filter.before);
        for (int64_t row = scanned > 0 ? scanned : expected; row < expected; row++)
            assert_false(model_takes(model, row, &filter));
        if (budget > 1)
            assert_true(!more || page.count == filter.limit);
        expected = scanned ? scanned : expected;
        filter.before = scanned;
        assert_true(++steps < 2 * MODEL_MAX);
    } while (more);
    for (int64_t row = expected - 1; row > 0; row--)
        assert_false(model_takes(model, row, &filter));
}

/* The file as version 4 would have it: its kinds know of a status the class alone. */
static void make_old(struct place *place)
{
    static const char sql[] =
        "CREATE TEMP TABLE old AS SELECT k.n, min(o.n) AS one FROM kind k JOIN kind o USING (webhook, type,"
        " environment, test, state) WHERE k.class >= 100 AND o.class >= 100 AND k.class / 100 = o.class / 100"
        " GROUP BY k.n;"
        "UPDATE delivery SET kind = (SELECT one FROM old WHERE n = kind) WHERE kind IN (SELECT n FROM old);"
        "DELETE FROM kind WHERE n IN (SELECT n FROM old WHERE n <> one);"
        "UPDATE kind SET class = class / 100, deliveries = (SELECT count(*) FROM delivery WHERE kind = "
        "kind.n),"
        " newest = (SELECT ifnull(max(row), 0) FROM delivery WHERE kind = kind.n) WHERE class >= 100;"
        "ALTER TABLE sum DROP COLUMN late; ALTER TABLE attempt DROP COLUMN signed_by;"
        "ALTER TABLE run DROP COLUMN logged; ALTER TABLE run DROP COLUMN logged_delivered;"
        "ALTER TABLE run DROP COLUMN logged_failed; ALTER TABLE run DROP COLUMN unknown;"
        "ALTER TABLE run DROP COLUMN seed; ALTER TABLE run DROP COLUMN speed;"
        "PRAGMA user_version = 4;";
    sqlite3 *db;

    e8_store_close(&place->store);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    reopen(place);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM kind WHERE class >= 100"), 0);
    assert_true(ask(place->path, "SELECT count(*) FROM kind WHERE class BETWEEN 2 AND 5") > 0);
}

static void hold_against_model(struct place *place, int64_t old)
{
    struct model *model = e8_new(1, sizeof *model);
    uint64_t seed = (uint64_t)e8_wall_now();
    struct e8_rng rng = e8_rng_new(seed);

    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 4; i++)
        add_webhook(place, webhooks[i]);
    for (int n = 1; model->count < MODEL_MAX; n++) {
        model_accept(place, model, &rng, n);
        if (n % 8 == 0)
            model_attempt(place, model, &rng);
        if (old && model->count >= old) {
            make_old(place);
            old = 0;
        }
        if (n % 150 == 0) {
            for (int i = 0; i < 10; i++)
                compare_pages(place, model, some_filter(model, &rng), 100 * E8_NS_S);
        }
    }
    for (int i = 0; i < 150; i++)
        compare_pages(place, model, some_filter(model, &rng), i % 4 ? 100 * E8_NS_S : 1);
    assert_sound(place->path);
    free(model);
}

static void it_is_what_the_model_says(void **state)
{
    hold_against_model(*state, 0);
}

static void in_a_file_of_an_older_version_too(void **state)
{
    hold_against_model(*state, MODEL_MAX * 2 / 3);
}

int run_store_list_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_what_the_model_says),
        CASE(in_a_file_of_an_older_version_too),
    };
    return cmocka_run_group_tests_name("store list", tests, NULL, NULL);
}
