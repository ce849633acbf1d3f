/* What scenario runs send: in the log, not in the queue. */
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct run {
    struct place *place;
    int64_t n; /* in the store */
};

static struct run begin(struct place *place, const char *id)
{
    struct run run = {.place = place};

    const struct e8_store_run told = {.id = id, .name = "a scenario", .seed = 42, .speed = 2, .started = T0};
    ASSERT_OK(place, e8_store_run_begin(place->store, &told, &run.n, &place->err));
    return run;
}

static void write_row(const struct run *run, struct e8_run_row *row)
{
    struct place *place = run->place;

    row->run = run->n;
    row->at = T0;
    ASSERT_OK(place, e8_store_run_write(place->store, row, 1, &place->err));
}

/* "evt_NAME" for whk_a and whk_b, whose ids are the same where a step gives one. */
static void emit(const struct run *run, const char *name, const char *given, const char *withheld)
{
    struct e8_store_target targets[2] = {{.webhook = "whk_a"}, {.webhook = "whk_b", .withheld = withheld}};
    struct e8_run_row row = {
        .what = E8_RUN_EVENT,
        .event = {.type = "order.created", .environment = "staging", .created = T0, .body = E8_LIT("{}")},
        .targets = targets,
        .count = 2,
    };

    snprintf(row.event.id, E8_ID_MAX, "evt_%s", name);
    for (size_t i = 0; i < 2; i++)
        snprintf(targets[i].id, E8_ID_MAX, given ? "%s" : "dlv_%s%c", given ? given : name, "ab"[i]);
    write_row(run, &row);
}

static struct e8_run_row row_for(enum e8_run_what what, const char *name, const char *webhook)
{
    struct e8_run_row row = {.what = what, .why = "it was stopped"};

    snprintf(row.event.id, E8_ID_MAX, "evt_%s", name);
    snprintf(row.webhook, E8_ID_MAX, "%s", webhook);
    return row;
}

/* The id of the delivery that the store found. */
static const char *attempt(const struct run *run, const char *name, const char *webhook, int status,
                           enum e8_delivery_state state, bool copy)
{
    static char id[E8_ID_MAX];
    struct e8_run_row row = row_for(E8_RUN_ATTEMPT, name, webhook);

    row.attempt = some_attempt(1, 1, status, state);
    row.attempt.copy = copy;
    write_row(run, &row);
    memcpy(id, row.delivery, sizeof id);
    return id;
}

static void end(const struct run *run)
{
    struct e8_run_row row = {.what = E8_RUN_END, .why = "it was stopped"};

    write_row(run, &row);
}

static struct e8_store_row look(struct place *place, const char *id)
{
    struct e8_store_details details;

    ASSERT_OK(place, e8_store_delivery(place->store, id, place->arena, &details, &place->err));
    return details.row;
}

static void assert_row(struct place *place, const char *id, enum e8_delivery_state state, unsigned attempts)
{
    struct e8_store_details details;

    ASSERT_OK(place, e8_store_delivery(place->store, id, place->arena, &details, &place->err));
    assert_string_equal(details.row.run, "run_1");
    assert_int_equal(details.row.state, state);
    assert_int_equal(details.row.attempts, attempts);
    assert_int_equal(details.count, attempts);
}

static void count_due(void *state, const struct e8_due *due)
{
    (void)due;
    ++*(int *)state;
}

static int due_of(struct place *place, const char *webhook)
{
    int count = 0;
    e8_wall_ns next;

    ASSERT_OK(place, e8_store_due(place->store, webhook, E8_NEVER, 100, NULL, count_due, &count, &next,
                                  &place->err));
    return count;
}

static struct run make_two(struct place *place)
{
    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    return begin(place, "run_1");
}

static void all_is_logged_and_nothing_is_due(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    emit(&run, "1", NULL, NULL);
    assert_row(place, "dlv_1a", E8_STATE_PENDING, 0);
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    assert_row(place, "dlv_1a", E8_STATE_PENDING, 1);
    attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, false);
    attempt(&run, "1", "whk_b", 400, E8_STATE_FAILED, false);
    assert_row(place, "dlv_1a", E8_STATE_DELIVERED, 2);
    assert_row(place, "dlv_1b", E8_STATE_FAILED, 1);
    assert_int_equal(due_of(place, "whk_a") + due_of(place, "whk_b"), 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM webhook WHERE failing_since <> 0"), 0);
    assert_int_equal(
        ask(place->path, "SELECT attempts FROM sum WHERE step = 3600 AND webhook = 0 AND of = 0"), 3);
    assert_sound(place->path);
}

static void copies_have_numbers_and_change_little(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    emit(&run, "1", NULL, "the scenario withholds it");
    assert_row(place, "dlv_1b", E8_STATE_CANCELLED, 0);
    assert_string_equal(look(place, "dlv_1b").error, "the scenario withholds it");
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    attempt(&run, "1", "whk_a", 503, E8_STATE_FAILED, true);
    assert_row(place, "dlv_1a", E8_STATE_PENDING, 2);
    attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, false);
    attempt(&run, "1", "whk_a", 500, E8_STATE_FAILED, true);
    assert_row(place, "dlv_1a", E8_STATE_DELIVERED, 4);
    attempt(&run, "1", "whk_b", 500, E8_STATE_FAILED, true);
    assert_row(place, "dlv_1b", E8_STATE_FAILED, 1);
    assert_sound(place->path);
}

static void ids_that_are_given_are_made_unique(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);
    char id[E8_ID_MAX];

    emit(&run, "1", "mine", NULL);
    emit(&run, "2", "mine", NULL);
    assert_string_equal(attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, false), "mine");
    memcpy(id, attempt(&run, "2", "whk_b", 200, E8_STATE_DELIVERED, false), sizeof id);
    assert_memory_equal(id, "dlv_", 4);
    assert_string_equal(look(place, id).event_id, "evt_2");
    assert_row(place, "mine", E8_STATE_DELIVERED, 1);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 4);
    emit(&run, "1", NULL, NULL); /* an event that is there */
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 4);
    assert_string_equal(attempt(&run, "3", "whk_a", 200, E8_STATE_DELIVERED, false), "");
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_b", &place->err));
    emit(&run, "4", NULL, NULL); /* it is known, and the log says so */
    assert_int_equal(ask(place->path, "SELECT deliveries FROM event WHERE id = 'evt_4'"), 2);
    run = begin(place, "run_2");
    assert_string_equal(attempt(&run, "4", "whk_a", 200, E8_STATE_DELIVERED, false), "");
    assert_sound(place->path);
}

/* From then on it is the queue's, whatever the run still tells of it. */
static void asked_for_again_during_the_run(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    emit(&run, "1", NULL, NULL);
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    int64_t row = look(place, "dlv_1a").row;
    ASSERT_OK(place, e8_store_resend(place->store, "dlv_1a", T0, &place->err));
    assert_int_equal(due_of(place, "whk_a"), 1);
    ASSERT_OK(place, e8_store_begin(place->store, &row, 1, &place->err)); /* 2 is on the wire */
    attempt(&run, "1", "whk_a", 503, E8_STATE_FAILED, false);
    assert_int_equal(look(place, "dlv_1a").state, E8_STATE_PENDING);
    assert_int_equal(look(place, "dlv_1a").next, T0);
    ASSERT_OK(place, e8_store_unsent(place->store, &row, 1, &place->err)); /* 3 is used */
    attempt(&run, "1", "whk_a", 503, E8_STATE_FAILED, false);
    end(&run);
    assert_int_equal(due_of(place, "whk_a"), 1);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM attempt"), 3);
    assert_int_equal(ask(place->path, "SELECT max(n & 1048575) FROM attempt"), 4);
    assert_row(place, "dlv_1b", E8_STATE_CANCELLED, 0);
    assert_sound(place->path);
}

static void what_is_undone_is_closed(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);
    struct e8_run_row unsent = row_for(E8_RUN_UNSENT, "1", "whk_a");

    emit(&run, "1", NULL, NULL);
    write_row(&run, &unsent);
    assert_string_equal(unsent.delivery, "dlv_1a");
    assert_row(place, "dlv_1a", E8_STATE_CANCELLED, 0);
    assert_string_equal(look(place, "dlv_1a").error, "it was stopped");
    reopen(place);
    assert_row(place, "dlv_1b", E8_STATE_CANCELLED, 0);
    assert_non_null(strstr(look(place, "dlv_1b").error, "interrupted"));
    assert_int_equal(ask(place->path, "SELECT count(*) FROM run WHERE ended = 0"), 0);
    assert_int_equal(due_of(place, "whk_a") + due_of(place, "whk_b"), 0);
    assert_sound(place->path);
}

static struct e8_store_run told_of(struct place *place, const char *id)
{
    struct e8_store_run run;

    ASSERT_OK(place, e8_store_run(place->store, id, place->arena, &run, &place->err));
    assert_string_equal(run.id, id);
    assert_string_equal(run.name, "a scenario");
    assert_int_equal(run.started, T0);
    return run;
}

static void write_figures(const struct run *run, enum e8_run_what what, e8_wall_ns at)
{
    struct e8_run_row row = {
        .what = what,
        .run = run->n,
        .at = at,
        .why = "it was stopped",
        .state = E8_RUN_STOPPED,
        .note = "somebody stopped it",
        .figures = {.planned = 10,
                    .length = 11,
                    .attempts = 12,
                    .delivered = 13,
                    .failed = 14,
                    .withheld = 15,
                    .lost = 16,
                    .stalls = 17,
                    .p50 = 18,
                    .p99 = 19},
    };

    ASSERT_OK(run->place, e8_store_run_write(run->place->store, &row, 1, &run->place->err));
}

static void assert_figures(const struct e8_run_figures *f)
{
    const int64_t found[] = {f->planned,
                             f->length,
                             (int64_t)f->attempts,
                             (int64_t)f->delivered,
                             (int64_t)f->failed,
                             (int64_t)f->withheld,
                             (int64_t)f->lost,
                             (int64_t)f->stalls,
                             f->p50,
                             f->p99};

    for (size_t i = 0; i < E8_COUNT(found); i++)
        assert_int_equal(found[i], 10 + i);
}

static void a_run_is_told_as_it_went(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);
    struct e8_store_run told = told_of(place, "run_1");

    assert_int_equal(told.state, E8_RUN_RUNNING);
    assert_int_equal(told.ended, 0);
    assert_int_equal(told.figures.planned, -1);
    assert_int_equal(told.figures.p50, -1);
    assert_null(told.note);
    write_figures(&run, E8_RUN_FIGURES, T0 + 5);
    told = told_of(place, "run_1");
    assert_int_equal(told.state, E8_RUN_RUNNING);
    assert_figures(&told.figures);
    write_figures(&run, E8_RUN_END, T0 + 9);
    reopen(place);
    told = told_of(place, "run_1");
    assert_int_equal(told.state, E8_RUN_STOPPED);
    assert_string_equal(told.note, "somebody stopped it");
    assert_int_equal(told.ended, T0 + 9);
    assert_figures(&told.figures);
    assert_int_equal(e8_store_run(place->store, "run_2", place->arena, &told, &place->err), E8_INPUT);
}

static void an_interrupted_run_ended_when_it_was_last_told_of(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    begin(place, "run_2");
    write_figures(&run, E8_RUN_FIGURES, T0 + 5);
    reopen_at(place, T0 + 3600 * E8_NS_S);
    struct e8_store_run told = told_of(place, "run_1");
    assert_int_equal(told.state, E8_RUN_INTERRUPTED);
    assert_string_equal(told.note, E8_RUN_CUT);
    assert_int_equal(told.ended, T0 + 5);
    assert_int_equal(told.figures.planned, 10);
    assert_int_equal(told.figures.p99, 19);
    assert_int_equal(told.figures.unknown, 0);
    assert_int_equal(told_of(place, "run_2").ended, T0);
}

/* What is in the log, copies and what another run has sent apart; of what had not ended nothing is known. */
static void an_interrupted_run_has_the_figures_of_the_log(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place), other = begin(place, "run_2");

    write_figures(&run, E8_RUN_FIGURES, T0 - 5);
    emit(&run, "1", NULL, NULL);
    emit(&run, "2", NULL, NULL);
    emit(&run, "3", NULL, "the scenario withholds it");
    emit(&other, "4", NULL, NULL);
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, false);
    attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, true);
    attempt(&other, "4", "whk_a", 200, E8_STATE_DELIVERED, false);
    attempt(&run, "1", "whk_b", 400, E8_STATE_FAILED, false);
    attempt(&run, "2", "whk_a", 503, E8_STATE_PENDING, false);
    attempt(&run, "5", "whk_a", 200, E8_STATE_DELIVERED, false); /* the log has no such event */
    reopen_at(place, T0 + 3600 * E8_NS_S);
    struct e8_store_run told = told_of(place, "run_1");
    assert_int_equal(told.state, E8_RUN_INTERRUPTED);
    assert_int_equal(told.figures.attempts, 5);
    assert_int_equal(told.figures.delivered, 2);
    assert_int_equal(told.figures.failed, 1);
    assert_int_equal(told.figures.unknown, 3); /* 2a, 2b, 3a */
    assert_string_equal(told.note, E8_RUN_CUT "; of 3 deliveries it is not known whether they were sent");
    assert_int_equal(told.ended, T0);
    told = told_of(place, "run_2");
    assert_int_equal(told.figures.attempts, 1);
    assert_string_equal(told.note, E8_RUN_CUT "; of 1 delivery it is not known whether it was sent");
    reopen(place);
    assert_int_equal(told_of(place, "run_1").figures.unknown, 3);
}

static void runs_come_in_pages(void **state)
{
    struct place *place = *state;
    struct e8_store_run *list;
    size_t count;
    char id[E8_ID_MAX];

    for (int i = 1; i <= 5; i++) {
        snprintf(id, sizeof id, "run_%d", i);
        begin(place, id);
    }
    ASSERT_OK(place, e8_store_runs(place->store, 0, 3, place->arena, &list, &count, &place->err));
    assert_int_equal(count, 3);
    assert_string_equal(list[0].id, "run_5");
    ASSERT_OK(place, e8_store_runs(place->store, list[2].n, 3, place->arena, &list, &count, &place->err));
    assert_int_equal(count, 2);
    assert_string_equal(list[1].id, "run_1");
    ASSERT_OK(place, e8_store_runs(place->store, list[1].n, 3, place->arena, &list, &count, &place->err));
    assert_int_equal(count, 0);
}

static void trim_all_before(struct place *place, e8_wall_ns before)
{
    bool more = true;

    while (more)
        ASSERT_OK(place, e8_store_trim(place->store, before, 0, E8_NS_S, &more, &place->err));
}

/* One that sent nothing, too. */
static void runs_stay_as_long_as_deliveries(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    write_figures(&run, E8_RUN_END, T0 + 9);
    trim_all_before(place, T0 + 9);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM run"), 1);
    trim_all_before(place, T0 + 10);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM run"), 0);
}

static void trim_all(struct place *place)
{
    trim_all_before(place, E8_NEVER);
}

static void retention_waits_for_the_run(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);

    emit(&run, "1", NULL, NULL);
    attempt(&run, "1", "whk_b", 200, E8_STATE_DELIVERED, false);
    ASSERT_OK(place, e8_store_webhook_delete(place->store, "whk_a", &place->err));
    trim_all(place);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 1);
    emit(&run, "2", NULL, NULL); /* to the one that was deleted as well */
    assert_row(place, "dlv_2a", E8_STATE_PENDING, 0);
    end(&run);
    trim_all(place);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM delivery"), 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM run"), 0);
}

static void keep_id(void *state, const struct e8_store_row *row)
{
    char *text = state;
    size_t n = strlen(text);

    snprintf(text + n, 256 - n, "%s ", row->id);
}

static void assert_filtered(struct place *place, const char *run, const char *webhook, const char *ids)
{
    const struct e8_store_filter filter = {
        .run = run, .webhook = webhook, .state = -1, .test = -1, .limit = 10};
    char found[256] = "";
    int64_t scanned;
    bool more;

    ASSERT_OK(place,
              e8_store_list(place->store, &filter, E8_NS_S, keep_id, found, &more, &scanned, &place->err));
    assert_string_equal(found, ids);
}

static void filtered_by_run(void **state)
{
    struct place *place = *state;
    struct run first = make_two(place), second = begin(place, "run_2");

    emit(&first, "1", NULL, NULL);
    emit(&second, "2", NULL, NULL);
    accept_some(place, (struct one){.n = 100}, 100);
    accept_some(place, (struct one){.n = 200}, 100);
    accept_some(place, (struct one){.n = 300}, 100);
    emit(&first, "3", NULL, NULL);
    assert_filtered(place, "run_1", NULL, "dlv_3b dlv_3a dlv_1b dlv_1a ");
    assert_filtered(place, "run_2", "whk_a", "dlv_2a ");
    assert_filtered(place, "run_3", NULL, "");
}

static void types_are_told(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);
    uint64_t version = e8_store_version(place->store);
    const char *const *types;

    emit(&run, "1", NULL, NULL);
    assert_int_equal(e8_store_version(place->store), version + 1);
    emit(&run, "2", NULL, NULL);
    assert_int_equal(e8_store_version(place->store), version + 1);
    ASSERT_OK(place, e8_store_types(place->store, place->arena, &types, &place->err));
    assert_string_equal(types[0], "order.created");
    assert_null(types[1]);
}

/* What was changed on purpose, and what was not. */
static void changes_are_told(void **state)
{
    struct place *place = *state;
    struct run run = make_two(place);
    struct e8_run_row row = row_for(E8_RUN_ATTEMPT, "1", "whk_a");
    struct e8_store_details details;
    size_t large = E8_STORE_BODY_MAX + 1;
    char *body = e8_new(large, 1);

    emit(&run, "1", NULL, NULL);
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    row.attempt = some_attempt(1, 1, 401, E8_STATE_PENDING);
    row.attempt.change = (struct e8_store_change){.how = "signed with another secret", .forged = true};
    write_row(&run, &row);
    row.attempt.change = (struct e8_store_change){
        .how = "body padded", .has_body = true, .body = {body, large}, .length = large};
    write_row(&run, &row);
    free(body);
    row.attempt.change =
        (struct e8_store_change){.how = "method GET", .has_body = true, .body = E8_LIT(""), .length = 0};
    write_row(&run, &row);
    ASSERT_OK(place, e8_store_delivery(place->store, "dlv_1a", place->arena, &details, &place->err));
    assert_int_equal(details.count, 4);
    assert_null(details.attempts[0].change.how);
    assert_false(details.attempts[0].change.has_body);
    assert_string_equal(details.attempts[1].change.how, "signed with another secret");
    assert_true(details.attempts[1].change.forged);
    assert_false(details.attempts[1].change.has_body);
    assert_false(details.attempts[2].change.forged);
    assert_true(details.attempts[2].change.has_body);
    assert_int_equal(details.attempts[2].change.body.n, E8_STORE_BODY_MAX);
    assert_int_equal(details.attempts[2].change.length, large);
    assert_true(details.attempts[3].change.has_body);
    assert_int_equal(details.attempts[3].change.body.n, 0);
}

static void a_file_of_before_is_brought_up(void **state)
{
    struct place *place = *state;
    sqlite3 *db;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    e8_store_close(&place->store);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "DROP INDEX delivery_run; ALTER TABLE delivery DROP COLUMN run;"
            "DROP TABLE run; ALTER TABLE webhook DROP COLUMN enabled_at;"
            "ALTER TABLE attempt DROP COLUMN tamper; ALTER TABLE attempt DROP COLUMN forged;"
            "ALTER TABLE attempt DROP COLUMN changed; ALTER TABLE attempt DROP COLUMN changed_length;"
            "ALTER TABLE attempt DROP COLUMN signed_by;"
            "ALTER TABLE sum DROP COLUMN late;"
            "PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    reopen(place);
    assert_int_equal(ask(place->path, "PRAGMA user_version"), 9);
    assert_null(look(place, "dlv_1").run);
    add_webhook(place, "whk_b");
    struct run run = begin(place, "run_1");
    emit(&run, "2", NULL, NULL);
    assert_row(place, "dlv_2a", E8_STATE_PENDING, 0);
    assert_sound(place->path);
}

/* Of runs from before their figures were kept, what the log says of them. */
static void a_file_without_figures_is_brought_up(void **state)
{
    static const char *const columns[] = {
        "state",    "note", "told",   "planned", "length", "attempts", "delivered",        "failed",
        "withheld", "lost", "stalls", "p50",     "p99",    "logged",   "logged_delivered", "logged_failed",
        "unknown",  "seed", "speed"};
    struct place *place = *state;
    struct run run = make_two(place);
    char sql[80];
    sqlite3 *db;

    emit(&run, "1", NULL, NULL);
    attempt(&run, "1", "whk_a", 503, E8_STATE_PENDING, false);
    attempt(&run, "1", "whk_a", 200, E8_STATE_DELIVERED, false);
    attempt(&run, "1", "whk_b", 400, E8_STATE_FAILED, false);
    end(&run);
    begin(place, "run_2");
    e8_store_close(&place->store);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "ALTER TABLE sum DROP COLUMN late; ALTER TABLE attempt DROP COLUMN signed_by", NULL,
                     NULL, NULL),
        SQLITE_OK);
    for (size_t i = 0; i < E8_COUNT(columns); i++) {
        snprintf(sql, sizeof sql, "ALTER TABLE run DROP COLUMN %s; PRAGMA user_version = 3", columns[i]);
        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    }
    sqlite3_close(db);
    reopen_at(place, T0 + 7);
    struct e8_store_run told = told_of(place, "run_1");
    assert_int_equal(told.state, E8_RUN_ENDED);
    assert_int_equal(told.figures.attempts, 3);
    assert_int_equal(told.figures.delivered, 1);
    assert_int_equal(told.figures.failed, 1);
    assert_int_equal(told.figures.planned, -1);
    assert_true(told.speed == 0); /* not known, nor its seed */
    told = told_of(place, "run_2");
    assert_int_equal(told.state, E8_RUN_INTERRUPTED);
    assert_int_equal(told.ended, T0 + 7); /* when it was, nobody knows */
}

int run_store_run_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(all_is_logged_and_nothing_is_due),
        CASE(copies_have_numbers_and_change_little),
        CASE(ids_that_are_given_are_made_unique),
        CASE(asked_for_again_during_the_run),
        CASE(what_is_undone_is_closed),
        CASE(a_run_is_told_as_it_went),
        CASE(an_interrupted_run_ended_when_it_was_last_told_of),
        CASE(an_interrupted_run_has_the_figures_of_the_log),
        CASE(runs_come_in_pages),
        CASE(runs_stay_as_long_as_deliveries),
        CASE(retention_waits_for_the_run),
        CASE(filtered_by_run),
        CASE(types_are_told),
        CASE(changes_are_told),
        CASE(a_file_of_before_is_brought_up),
        CASE(a_file_without_figures_is_brought_up),
    };
    return cmocka_run_group_tests_name("store run", tests, NULL, NULL);
}
