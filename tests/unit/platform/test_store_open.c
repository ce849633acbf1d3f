/* Whose file it is, and who uses it. */
#include "store.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int run_child(int (*fn)(const char *path), const char *path)
{
    int status;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(fn(path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void refused(struct place *place, enum e8_rc rc, const char *what)
{
    assert_int_equal(e8_store_open(place->path, T0, &place->store, &place->err), rc);
    assert_null(place->store);
    assert_int_equal(place->err.rc, rc);
    assert_string_equal(place->err.file, place->path);
    if (!strstr(place->err.what, what))
        fail_msg("\"%s\" says nothing of \"%s\"", place->err.what, what);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static unsigned mode_of(const char *path, const char *end)
{
    struct stat st;
    char name[128];

    snprintf(name, sizeof name, "%s%s", path, end);
    assert_int_equal(stat(name, &st), 0);
    return st.st_mode & 0777;
}

static void its_files_are_private(void **state)
{
    struct place *place = *state;
    mode_t before = umask(0);

    ASSERT_OK(place, e8_store_open(place->path, T0, &place->store, &place->err));
    add_webhook(place, "whk_a");
    umask(before);
    assert_int_equal(mode_of(place->path, ""), 0600);
    assert_int_equal(mode_of(place->path, "-wal"), 0600);
    assert_int_equal(mode_of(place->path, "-shm"), 0600);
    assert_int_equal(mode_of(place->path, "-lock"), 0600);
    e8_store_close(&place->store);
    assert_int_equal(chmod(place->path, 0644), 0);
    reopen(place);
    assert_int_equal(mode_of(place->path, ""), 0600);
}

static void it_is_what_it_was(void **state)
{
    struct place *place = *state;
    struct e8_webhook webhook;

    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1});
    reopen(place);
    ASSERT_OK(place, e8_store_webhook(place->store, "whk_a", place->arena, &webhook, &place->err));
    assert_int_equal(row_of(place, 1), 1);
    assert_int_equal(e8_store_version(place->store), 0);
    assert_int_equal(ask(place->path, "PRAGMA user_version"), 9);
    assert_int_equal(ask(place->path, "PRAGMA auto_vacuum"), 2);
}

static void other_files_are_refused(void **state)
{
    struct place *place = *state;

    write_file(place->path, "x");
    refused(place, E8_INPUT, "is not the state");
    char text[2000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    write_file(place->path, text);
    refused(place, E8_INPUT, "is not the state");
    assert_int_equal(unlink(place->path), 0);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    refused(place, E8_INPUT, "another program");
    assert_int_equal(ask(place->path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_int_equal(unlink(place->path), 0);
    ASSERT_OK(place, e8_store_open(place->path, T0, &place->store, &place->err));
    e8_store_close(&place->store);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    refused(place, E8_INPUT, "newer version");
}

static void what_is_no_file_is_refused(void **state)
{
    struct place *place = *state;

    assert_int_equal(mkdir(place->path, 0700), 0);
    refused(place, E8_INPUT, "is not a regular file");
    assert_int_equal(rmdir(place->path), 0);
    assert_int_equal(mkfifo(place->path, 0600), 0);
    refused(place, E8_INPUT, "is not a regular file");
    assert_int_equal(unlink(place->path), 0);
    snprintf(place->path, sizeof place->path, "%s/nowhere/platform.db", place->dir);
    refused(place, E8_INPUT, "No such file");
}

static int open_second(const char *path)
{
    struct e8_store *store;
    struct e8_err err = {0};

    if (e8_store_open(path, T0, &store, &err) != E8_ENV || store)
        return 1;
    return strstr(err.what, "is in use by another") && err.hint[0] ? 0 : 2;
}

static void a_second_process_is_told(void **state)
{
    struct place *place = *state;

    assert_int_equal(run_child(open_second, place->path), 0);
    assert_int_equal(open_second(place->path), 0); /* nor a second time in the same one */
    add_webhook(place, "whk_a");
    accept_one(place, (struct one){.n = 1}); /* and the first one still works */
    assert_int_equal(run_child(open_second, place->path), 0);
}

static int open_unwritable(const char *path)
{
    struct e8_store *store;
    struct e8_err err = {0};

    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 1;
    if (e8_store_open(path, T0, &store, &err) != E8_ENV || store)
        return 2;
    return err.what[0] ? 0 : 3;
}

static void what_may_not_be_written(void **state)
{
    struct place *place = *state;

    e8_store_close(&place->store);
    assert_int_equal(chmod(place->dir, 0555), 0);
    assert_int_equal(run_child(open_unwritable, place->path), 0);
    assert_int_equal(chmod(place->dir, 0755), 0);
    reopen(place);
}

/* In the child: accepts until the file may not grow, then what fits again. */
static int fill(const char *path)
{
    struct rlimit small = {2 << 20, RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
    struct place place = {.arena = e8_arena_new()};
    static char body[20000];
    struct e8_store_event event = {
        .type = "t", .environment = "e", .created = T0, .body = {body, sizeof body}};
    enum e8_rc rc = E8_OK;
    int n = 0;

    signal(SIGXFSZ, SIG_IGN);
    if (e8_store_open(path, T0, &place.store, &place.err) != E8_OK)
        return 1;
    add_webhook(&place, "whk_a");
    if (setrlimit(RLIMIT_FSIZE, &small) != 0)
        return 2;
    for (; rc == E8_OK && n < 1000; n++) {
        struct e8_store_target target = {.webhook = "whk_a", .due = T0};
        snprintf(event.id, sizeof event.id, "evt_%d", n);
        snprintf(target.id, sizeof target.id, "dlv_%d", n);
        rc = e8_store_accept(place.store, &event, &target, 1, &place.err);
    }
    if (rc != E8_ENV || n < 20 || strcmp(place.err.file, path) != 0 ||
        !strstr(place.err.what, "cannot be written"))
        return 3;
    struct e8_store_attempt attempt = some_attempt(1, 1, 200, E8_STATE_DELIVERED);
    attempt.body = (struct e8_str){body, sizeof body};
    while (rc == E8_ENV && attempt.number++ < 100)
        rc = e8_store_attempts(place.store, &attempt, 1, &place.err);
    if (setrlimit(RLIMIT_FSIZE, &large) != 0)
        return 4;
    accept_one(&place, (struct one){.n = 5000}); /* there is room again */
    struct e8_store_details details;
    if (e8_store_delivery(place.store, "dlv_0", place.arena, &details, &place.err) != E8_OK)
        return 5;
    e8_store_close(&place.store);
    e8_arena_free(&place.arena);
    return 0;
}

static void a_full_disk_is_an_error_and_no_more(void **state)
{
    struct place *place = *state;

    assert_int_equal(run_child(fill, place->path), 0);
    assert_sound(place->path);
    ASSERT_OK(place, e8_store_open(place->path, T0, &place->store, &place->err));
    assert_true(row_of(place, 0) > 0);
    assert_true(row_of(place, 5000) > 0);
}

int run_store_open_tests(void)
{
    const struct CMUnitTest tests[] = {
        CASE_SHUT(its_files_are_private),
        CASE(it_is_what_it_was),
        CASE_SHUT(other_files_are_refused),
        CASE_SHUT(what_is_no_file_is_refused),
        CASE(a_second_process_is_told),
        CASE(what_may_not_be_written),
        CASE_SHUT(a_full_disk_is_an_error_and_no_more),
    };
    return cmocka_run_group_tests_name("store open", tests, NULL, NULL);
}
