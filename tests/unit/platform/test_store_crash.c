/* Processes that are killed, and threads that do everything at once. */
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const webhooks[] = {"whk_a", "whk_b"};

/* Event n owes n % 3 + 1 deliveries. */
static enum e8_rc accept_numbered(struct e8_store *store, int n, struct e8_err *err)
{
    struct e8_store_event event = {.type = n % 2 ? "message.sent" : "agent.error",
                                   .environment = "production",
                                   .created = T0 + n * MS,
                                   .body = E8_LIT("{\"a\":1}")};
    struct e8_store_target targets[3] = {0};

    snprintf(event.id, sizeof event.id, "evt_%d", n);
    for (int i = 0; i < 3; i++) {
        snprintf(targets[i].id, E8_ID_MAX, "dlv_%d_%d", n, i);
        snprintf(targets[i].webhook, E8_ID_MAX, "%s", webhooks[(n + i) % 2]);
        targets[i].due = event.created;
    }
    return e8_store_accept(store, &event, targets, (size_t)n % 3 + 1, err);
}

/* ---- kill -9 ---- */

static void note(void *state, const struct e8_due *due)
{
    struct e8_store_attempt *a = state;

    *a = some_attempt(due->row, due->number, due->row % 4 ? 200 : 503,
                      due->row % 4 ? E8_STATE_DELIVERED : E8_STATE_PENDING);
}

/* Sends what is due, turns secrets and trims, so that the kill hits all of it. */
static void *keep_busy(void *state)
{
    struct e8_store *store = state;
    bool more;

    for (int i = 0;; i++) {
        struct e8_store_attempt a = {0};
        e8_wall_ns next;
        if (e8_store_due(store, webhooks[i % 2], E8_NEVER, 1, NULL, note, &a, &next, NULL) != E8_OK ||
            (a.row != 0 && e8_store_attempts(store, &a, 1, NULL) != E8_OK) ||
            (i % 16 == 0 &&
             e8_store_webhook_rotate(store, "whk_a", "another secret", T0, T0 + i, NULL) != E8_OK) ||
            (i % 16 == 8 && e8_store_trim(store, T0, 0, 0, &more, NULL) != E8_OK))
            _exit(9);
    }
    return NULL;
}

/* In the child: accepts, from event `first` on, and tells through the pipe of each that it has been. */
static int accept_and_tell(const char *path, int first, int fd)
{
    struct e8_store *store;
    pthread_t thread;

    if (e8_store_open(path, T0, &store, NULL) != E8_OK)
        return 1;
    if (pthread_create(&thread, NULL, keep_busy, store) != 0)
        return 2;
    for (int n = first;; n++) {
        if (accept_numbered(store, n, NULL) != E8_OK)
            return 3;
        if (write(fd, &n, sizeof n) != (ssize_t)sizeof n)
            return 4;
    }
}

/* The last event that was told of, when the child was killed so long after the first. */
static int kill_while_accepting(const char *path, int first, e8_dur_ns wait)
{
    int fds[2], status, told, last = first - 1;
    e8_mono_ns end = 0;

    assert_int_equal(pipe(fds), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(accept_and_tell(path, first, fds[1]));
    }
    close(fds[1]);
    while (read(fds[0], &told, sizeof told) == (ssize_t)sizeof told) {
        last = told;
        end = end ? end : e8_mono_now() + wait;
        if (e8_mono_now() >= end)
            kill(child, SIGKILL); /* what lies in the pipe was told, too */
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(fds[0]);
    assert_true(WIFSIGNALED(status));
    return last;
}

static void assert_there(struct place *place, int n)
{
    struct e8_store_details details;
    char id[E8_ID_MAX];

    for (int i = 0; i <= n % 3; i++) {
        snprintf(id, sizeof id, "dlv_%d_%d", n, i);
        if (e8_store_delivery(place->store, id, place->arena, &details, &place->err) != E8_OK)
            fail_msg("event %d was accepted, and %s is not there: %s", n, id, place->err.what);
        assert_int_equal(details.row.attempts, details.count);
        assert_int_equal(details.body.n, 7);
    }
}

static void what_was_accepted_is_there(void **state)
{
    struct place *place = *state;
    uint64_t seed = (uint64_t)e8_wall_now();
    struct e8_rng rng = e8_rng_new(seed);
    int first = 1;

    print_message("seed %llu\n", (unsigned long long)seed);
    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    e8_store_close(&place->store);
    for (int round = 0; round < 12; round++) {
        int last = kill_while_accepting(place->path, first, e8_rng_range(&rng, 0, 120 * MS));
        assert_true(last >= first);
        reopen(place);
        for (int n = first; n <= last; n++)
            assert_there(place, n);
        assert_sound(place->path);
        first = last + 2; /* the one after it may be there */
        e8_store_close(&place->store);
    }
    reopen(place);
    assert_true(first > 12);
}

/* Killed while it makes the file: the next one makes a store of whatever is there. */
static void one_killed_at_birth(void **state)
{
    struct place *place = *state;
    struct e8_rng rng = e8_rng_new((uint64_t)e8_wall_now());
    int status;

    for (int i = 0; i < 10; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            struct e8_store *store;
            _exit((int)e8_store_open(place->path, T0, &store, NULL));
        }
        struct timespec wait = {.tv_nsec = e8_rng_range(&rng, 0, 10 * MS)};
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        reopen(place);
        add_webhook(place, "whk_a");
        accept_one(place, (struct one){.n = 1});
        assert_sound(place->path);
        e8_store_close(&place->store);
        assert_int_equal(unlink(place->path), 0);
    }
}

/* ---- all at once ---- */

struct crowd {
    struct place *place;
    atomic_bool over;
    atomic_int accepted, sent, pages;
};

static void *accepting(void *state)
{
    struct crowd *crowd = state;

    for (int n = 1; n <= 150; n++) {
        if (accept_numbered(crowd->place->store, n, NULL) != E8_OK)
            break;
        atomic_fetch_add(&crowd->accepted, 1);
    }
    return NULL;
}

static void *sending(void *state)
{
    struct crowd *crowd = state;
    struct e8_store *store = crowd->place->store;
    struct e8_err err = {0};
    bool over;

    do {
        struct e8_store_attempt a = {0};
        e8_wall_ns next;
        over = atomic_load(&crowd->over);
        for (size_t i = 0; i < E8_COUNT(webhooks); i++) {
            a.row = 0;
            if (e8_store_due(store, webhooks[i], E8_NEVER, 1, NULL, note, &a, &next, &err) != E8_OK)
                fail_msg("%s", err.what);
            if (a.row == 0)
                continue;
            over = false;
            a.state = E8_STATE_DELIVERED;
            if (e8_store_attempts(store, &a, 1, &err) != E8_OK)
                fail_msg("%s", err.what);
            atomic_fetch_add(&crowd->sent, 1);
        }
    } while (!over);
    return NULL;
}

static void ignore(void *state, const struct e8_store_row *row)
{
    (void)state;
    (void)row;
}

static void *reading(void *state)
{
    struct crowd *crowd = state;
    struct e8_store *store = crowd->place->store;
    struct e8_store_filter filter = {.webhook = "whk_b", .state = -1, .test = -1, .limit = 50};
    const char *secrets[2];
    int64_t scanned;
    bool more;

    while (!atomic_load(&crowd->over)) {
        struct e8_arena *arena = e8_arena_new();
        struct e8_store_overview overview;
        if (e8_store_list(store, &filter, 0, ignore, NULL, &more, &scanned, NULL) == E8_OK &&
            e8_store_overview(store, T0, T0 + 3600 * E8_NS_S, 0, NULL, arena, &overview, NULL) == E8_OK &&
            e8_store_secrets(store, "whk_a", T0, arena, secrets, NULL) == E8_OK)
            atomic_fetch_add(&crowd->pages, 1);
        e8_arena_free(&arena);
    }
    return NULL;
}

static void *turning(void *state)
{
    struct crowd *crowd = state;
    struct e8_store *store = crowd->place->store;
    bool more;

    while (!atomic_load(&crowd->over)) {
        assert_int_equal(e8_store_webhook_rotate(store, "whk_a", "another secret", T0, T0 + 1, NULL), E8_OK);
        assert_int_equal(e8_store_trim(store, 0, 0, 0, &more, NULL), E8_OK);
        (void)e8_store_version(store);
    }
    return NULL;
}

static void all_at_once(void **state)
{
    struct place *place = *state;
    struct crowd crowd = {.place = place};
    void *(*const others[])(void *) = {sending, reading, turning};
    pthread_t first, threads[E8_COUNT(others)];

    add_webhook(place, "whk_a");
    add_webhook(place, "whk_b");
    assert_int_equal(pthread_create(&first, NULL, accepting, &crowd), 0);
    for (size_t i = 0; i < E8_COUNT(others); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, others[i], &crowd), 0);
    pthread_join(first, NULL);
    atomic_store(&crowd.over, true);
    for (size_t i = 0; i < E8_COUNT(others); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.accepted, 150);
    assert_int_equal(crowd.sent, 300);
    assert_true(crowd.pages > 0);
    assert_int_equal(ask(place->path, "SELECT count(*) FROM attempt"), 300);
    assert_sound(place->path);
}

int run_store_crash_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_accepted_is_there),
        CASE_SHUT(one_killed_at_birth),
        CASE(all_at_once),
    };
    return cmocka_run_group_tests_name("store crash", tests, NULL, NULL);
}
