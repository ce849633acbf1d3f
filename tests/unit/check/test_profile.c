#include "tests.h"

static enum e8_rc profile(struct e8_check *check, const char *text, struct e8_errs *errs)
{
    e8_errs_init(errs);
    return e8_check_profile(check, written("profile.yaml", text), errs);
}

static void expected_of(struct e8_check *check, const char *id, char out[160])
{
    struct e8_buf text;
    const struct e8_flow *probe = flow(check, id);
    e8_buf_fixed(&text, out, 159);
    for (size_t i = 0; i < probe->steps.count; i++) {
        if (probe->steps.list[i].kind == E8_STEP_EMIT) {
            e8_expect_text(probe->steps.list[i].emit->expect, &text);
            break;
        }
    }
    e8_buf_cstr(&text);
}

static void overrides(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct e8_check *check = load(&given);
    struct e8_check_ended ended = {0};
    struct e8_errs errs;
    char text[160];
    assert_int_equal(profile(check,
                             "SIG-01: {status: [404], reason: behind a gateway}\n"
                             "FWD-01: {skip: true, reason: types are fixed here}\n",
                             &errs),
                     E8_OK);
    e8_errs_fini(&errs);
    expected_of(check, "SIG-01", text);
    assert_non_null(strstr(text, "404"));
    assert_null(strstr(text, "401"));
    expected_of(check, "SIG-02", text);
    assert_non_null(strstr(text, "401"));
    e8_check_prepare(check);
    const struct e8_results *results = e8_check_results(check, &ended);
    assert_string_equal(result(results, "SIG-01")->override, "behind a gateway");
    assert_int_equal(result(results, "FWD-01")->kind, E8_RESULT_SKIP);
    assert_string_equal(result(results, "FWD-01")->override, "types are fixed here");
    assert_null(result(results, "SIG-02")->override);
    e8_check_free(&check);
}

static void says_where_it_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *what;
        int line, col;
    } cases[] = {
        {"SIG-01: {status: 404, reason: x}\nSIG-99: {skip: true, reason: x}\n",
         "there is no probe \"SIG-99\"", 2, 1},
        {"SIG-01: {status: 404}\n", "an override needs a reason", 1, 9},
        {"SIG-01: {reason: x}\n", "an override changes something", 1, 9},
        {"SIG-01: {status: 404, reason: ''}\n", "a reason is a text", 1, 31},
        {"SIG-01: {status: [4o4], reason: x}\n", "4o4", 1, 19},
        {"SIG-01: {state: 404, reason: x}\n", "state", 1, 10},
        {"SIG-01: 404\n", "an entry of a profile is a map", 1, 9},
        {"CANARY: {skip: true, reason: x}\n", "a canary cannot be skipped", 1, 9},
        {"RSP-01: {status: 404, reason: x}\n", "expects no status", 1, 18},
        {"- SIG-01\n", "a profile is a map of probes", 1, 1},
    };
    struct e8_check_options given = options("8bit");
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        struct e8_check *check = load(&given);
        struct e8_errs errs;
        assert_int_equal(profile(check, cases[i].text, &errs), E8_INPUT);
        if (!strstr(errs.list[0].what, cases[i].what) || errs.list[0].line != cases[i].line ||
            errs.list[0].col != cases[i].col) {
            e8_errs_print(&errs, stderr);
            fail_msg("%s: not line %d:%d, %s", cases[i].text, cases[i].line, cases[i].col, cases[i].what);
        }
        e8_errs_fini(&errs);
        e8_check_free(&check);
    }
}

int test_profile(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides),
        cmocka_unit_test(says_where_it_is_wrong),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
