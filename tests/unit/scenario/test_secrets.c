/* Where the secrets of endpoints come from, and what stands for those that are not there. */
#include <stdio.h>
#include <unistd.h>

#include "tests.h"

#define OWN                "0123456789abcdef"
#define GIVEN              "a given secret, 1"
#define NEXT               "another given secret, 2"
#define ENDPOINT(settings) "endpoints: {a: {url: 'http://127.0.0.1:9/', " settings "}}\n" FLOW

static struct e8_scenario_options with_secrets(bool stand_ins)
{
    struct e8_scenario_options options = defaults();
    options.secret = GIVEN;
    options.next_secret = NEXT;
    options.stand_ins = stand_ins;
    return options;
}

static struct e8_plan *plan_at(const char *name, const char *text, const struct e8_scenario_options *options,
                               char why[1024])
{
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    e8_errs_init(&errs);
    enum e8_rc rc = e8_plan_parse(catalog(), name, e8_str(text), options, &plan, &errs);
    snprintf(why, 1024, "%s%s%s", rc ? errs.list[0].what : "", rc ? "; " : "", rc ? errs.list[0].hint : "");
    e8_errs_fini(&errs);
    return plan;
}

static void refused(const char *text, const struct e8_scenario_options *options, const char *why)
{
    char said[1024];
    struct e8_plan *plan = plan_at("s.yaml", text, options, said);
    assert_null(plan);
    if (!strstr(said, why)) {
        fail_msg("\"%s\" is not said, but: %s", why, said);
    }
}

static void a_rotation_that_is_not_there_is_given(void **state)
{
    struct e8_scenario_options options = with_secrets(false);
    static const char text[] = ENDPOINT("secret: " OWN ", rotation: [{env: NO_1}, {env: SECRET}]");
    (void)state;
    struct e8_plan *plan = plan_with(text, &options);
    assert_string_equal(plan->endpoints[0].secrets[0], OWN);
    assert_int_equal(plan->endpoints[0].rotation_count, 2);
    assert_string_equal(plan->endpoints[0].rotation[0], NEXT);
    assert_string_equal(plan->endpoints[0].rotation[1], SECRET);
    e8_plan_free(&plan);

    options.next_secret = NULL;
    refused(text, &options, "the environment has no NO_1; set it, or give a second --secret-file");
}

static void one_given_secret_stands_for_one_rotation(void **state)
{
    struct e8_scenario_options options = with_secrets(false);
    static const char text[] = ENDPOINT("secret: {env: NO_0}, rotation: [{env: NO_1}, {env: NO_2}]");
    (void)state;
    refused(text, &options, "the environment has no NO_2");
}

static void stand_ins_differ_from_each_other(void **state)
{
    struct e8_scenario_options options = with_secrets(true);
    static const char *const schemes[] = {"8bit", "standard-webhooks", "stripe", "github", "slack"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(schemes); i++) {
        char text[512];
        options.secret = "0000000000000000000000000000000000000000000000000000000000000000";
        options.next_secret = "1111111111111111111111111111111111111111111111111111111111111111";
        snprintf(
            text, sizeof text,
            ENDPOINT("scheme: %s, secret: {env: NO_0}, rotation: [{env: NO_1}, {env: NO_2}, {file: no/3}]"),
            schemes[i]);
        struct e8_plan *plan = plan_with(text, &options);
        const struct e8_endpoint *endpoint = &plan->endpoints[0];
        assert_int_equal(endpoint->rotation_count, 3);
        assert_string_equal(endpoint->secrets[0], options.secret);
        assert_string_equal(endpoint->rotation[0], options.next_secret);
        for (size_t a = 0; a < 3; a++) {
            assert_string_not_equal(endpoint->rotation[a], options.secret);
            assert_string_not_equal(endpoint->rotation[a], endpoint->rotation[(a + 1) % 3]);
        }
        e8_plan_free(&plan);
    }
}

static void a_file_that_is_not_there_is_given(void **state)
{
    struct e8_scenario_options options = with_secrets(false);
    static const char text[] = ENDPOINT("secret: {file: no/such-file}");
    (void)state;
    struct e8_plan *plan = plan_with(text, &options);
    assert_string_equal(plan->endpoints[0].secrets[0], GIVEN);
    e8_plan_free(&plan);

    options.secret = NULL;
    refused(text, &options, "no/such-file: cannot be read");
}

/* From the scenario's directory, as what it includes. */
static void files_stand_beside_the_scenario(void **state)
{
    struct e8_scenario_options options = defaults();
    char directory[] = "/tmp/e8-secrets-XXXXXX", path[64], name[64], text[256], why[1024];
    (void)state;
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/own.secret", directory);
    snprintf(name, sizeof name, "%s/s.yaml", directory);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(OWN "\n", file) >= 0);
    assert_int_equal(fclose(file), 0);

    struct e8_plan *plan = plan_at(name, ENDPOINT("secret: {file: ./own.secret}"), &options, why);
    assert_string_equal(why, "");
    assert_string_equal(plan->endpoints[0].secrets[0], OWN);
    e8_plan_free(&plan);

    snprintf(text, sizeof text, ENDPOINT("secret: {file: %s}"), path); /* wherever the scenario stands */
    plan = plan_at("elsewhere/s.yaml", text, &options, why);
    assert_string_equal(why, "");
    assert_string_equal(plan->endpoints[0].secrets[0], OWN);
    e8_plan_free(&plan);

    plan = plan_at("s.yaml", ENDPOINT("secret: {file: ./own.secret}"), &options, why);
    assert_null(plan);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void descriptions_are_texts(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    refused("description: [x]\n" HEAD FLOW, &options, "\"description\" must be a text, this is a list");
    refused(ENDPOINT("description: {a: b}"), &options, "\"description\" must be a text, this is a map");
    refused(HEAD "flows: {f: {description: [x], steps: [{emit: message.sent}]}}\n", &options,
            "\"description\" must be a text, this is a list");
    refused(HEAD "flows: {f: {description: null, steps: [{emit: message.sent}]}}\n", &options,
            "\"description\" must be a text");
}

static void no_bytes_are_no_body(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    refused(HEAD "flows: {f: [{emit: a.b, body: {base64: null}}]}\n", &options, "this is no base64");
    struct e8_plan *plan = plan_with(HEAD "flows: {f: [{emit: a.b, body: {base64: ''}}]}\n", &options);
    assert_true(plan->emits[0].raw.p && plan->emits[0].raw.n == 0);
    e8_plan_free(&plan);
}

int test_secrets(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rotation_that_is_not_there_is_given),
        cmocka_unit_test(one_given_secret_stands_for_one_rotation),
        cmocka_unit_test(stand_ins_differ_from_each_other),
        cmocka_unit_test(a_file_that_is_not_there_is_given),
        cmocka_unit_test(files_stand_beside_the_scenario),
        cmocka_unit_test(descriptions_are_texts),
        cmocka_unit_test(no_bytes_are_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
