#include "tests.h"

/* The catalogue of what a receiver must survive. */
static const char *const catalogue[] = {
    "CANARY", "EVT-01", "EVT-02",  "EVT-03",  "EVT-04",  "EVT-05",  "EVT-06",  "EVT-07",  "EVT-08",  "EVT-09",
    "EVT-10", "EVT-11", "EVT-12",  "EVT-13",  "EVT-14",  "EVT-15",  "EVT-16",  "SIG-01",  "SIG-02",  "SIG-03",
    "SIG-04", "SIG-05", "SIG-06",  "RAW-01",  "RAW-02",  "RAW-03",  "RAW-04",  "RAW-05",  "RAW-06",  "RAW-07",
    "RAW-08", "RAW-09", "IDEM-01", "IDEM-02", "IDEM-03", "IDEM-04", "TS-01",   "TS-02",   "TS-03",   "FWD-01",
    "FWD-02", "ORD-01", "ENV-01",  "HTTP-01", "HTTP-02", "HTTP-03", "HTTP-04", "HTTP-05", "HTTP-06", "ACK-01",
    "ACK-02", "RSP-01", "ROT-01",  "ROT-02",  "ROT-03",  "ROT-04",
};

static void has_the_whole_catalogue(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct e8_check *check = load(&given);
    struct e8_check_ended ended = {0};
    e8_check_prepare(check);
    const struct e8_results *results = e8_check_results(check, &ended);
    assert_int_equal(results->count, E8_COUNT(catalogue));
    for (size_t i = 0; i < results->count; i++) {
        const struct e8_result *probe = &results->list[i];
        assert_string_equal(probe->id, catalogue[i]);
        assert_true(probe->title && strlen(probe->title) > 5 && !strchr(probe->title, '$'));
        assert_true(probe->why && strlen(probe->why) > 20);
        assert_true(probe->mend && strlen(probe->mend) > 20);
        assert_true(strlen(probe->group) > 2);
    }
    assert_string_equal(result(results, "SIG-01")->group, "signature");
    assert_string_equal(result(results, "EVT-01")->title, "conversation.created is accepted");
    e8_check_free(&check);
}

static void numbers_a_seventeenth_type(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct e8_catalog *wider = NULL;
    struct e8_check *check = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    assert_int_equal(e8_catalog_load(E8_SOURCE_DIR "/tests/fixtures/seventeenth", &wider, &errs), E8_OK);
    given.scheme = e8_schemes_find(e8_catalog_schemes(wider), "8bit");
    assert_int_equal(e8_check_load(wider, &given, &check, &errs), E8_OK);
    assert_non_null(flow(check, "EVT-17"));
    e8_check_free(&check);
    e8_catalog_free(&wider);
    e8_errs_fini(&errs);
}

static const char own[] = "flows:\n"
                          "  MINE-01:\n"
                          "    check: {title: Mine, why: It matters, mend: Mend it, needs: [effect]}\n"
                          "    steps:\n"
                          "      - emit: message.received\n"
                          "        expect: {status: 2xx}\n"
                          "  helper: [{emit: message.sent}]\n";

static void adds_the_users_own(void **state)
{
    (void)state;
    const char *files[] = {written("mine.yaml", own), NULL};
    struct e8_check_options given = options("8bit");
    struct e8_check_ended ended = {0};
    given.checks = files;
    struct e8_check *check = load(&given);
    e8_check_prepare(check);
    const struct e8_results *results = e8_check_results(check, &ended);
    const struct e8_result *mine = result(results, "MINE-01");
    assert_int_equal(results->count, E8_COUNT(catalogue) + 1);
    assert_string_equal(mine->group, "mine");
    assert_int_equal(mine->kind, E8_RESULT_SKIP);
    assert_string_equal(mine->reason, "no effect probe: give --effect-get or --effect-command");
    assert_null(result(results, "helper"));
    e8_check_free(&check);
}

static void refuses(const char *const *files, const char *what, bool exec)
{
    struct e8_check_options given = options("8bit");
    struct e8_check *check = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    given.checks = files;
    given.exec = exec;
    enum e8_rc rc = e8_check_load(catalog(), &given, &check, &errs);
    if (what) {
        assert_int_equal(rc, E8_INPUT);
        assert_non_null(strstr(errs.list[0].what, what));
    } else {
        assert_int_equal(rc, E8_OK);
    }
    e8_check_free(&check);
    e8_errs_fini(&errs);
}

static void runs_no_commands_without_leave(void **state)
{
    (void)state;
    const char *files[] = {written("mine.yaml", "flows:\n"
                                                "  MINE-01:\n"
                                                "    check: {title: Mine}\n"
                                                "    steps:\n"
                                                "      - repeat: 2\n"
                                                "        steps: [{exec: [\"true\"]}]\n"
                                                "      - {emit: message.received, expect: {status: 2xx}}\n"),
                           NULL};
    refuses(files, "runs a command", false);
    refuses(files, NULL, true);
}

static void says_what_is_wrong_with_files(void **state)
{
    (void)state;
    const char *missing[] = {"/nowhere/checks.yaml", NULL};
    const char *wrong[] = {
        written("mine.yaml", "flows:\n  MINE-01:\n    steps: [{emmit: message.received}]\n"), NULL};
    const char *twice[] = {NULL, NULL};
    refuses(missing, "--checks /nowhere/checks.yaml: No such file", false);
    refuses(wrong, "emmit", false);
    twice[0] = written("mine.yaml", "flows:\n  SIG-01: [{emit: message.received}]\n");
    refuses(twice, "SIG-01", false);
}

int test_load(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_whole_catalogue),
        cmocka_unit_test(numbers_a_seventeenth_type),
        cmocka_unit_test(adds_the_users_own),
        cmocka_unit_test(runs_no_commands_without_leave),
        cmocka_unit_test(says_what_is_wrong_with_files),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
