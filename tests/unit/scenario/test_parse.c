/* What is right, and what becomes of it. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"

static const struct e8_endpoint *endpoint(const struct e8_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (strcmp(plan->endpoints[i].name, name) == 0) {
            return &plan->endpoints[i];
        }
    }
    fail_msg("no endpoint %s", name);
    return NULL;
}

static void endpoints_have_all_their_parts(void **state)
{
    struct e8_plan *plan =
        plan_of("scenario: ${A}-${NOTHING:-b}-${EMPTY:-c}\n"
                "endpoints:\n"
                "  bare: {url: 'http://127.0.0.1:9/'}\n"
                "  full-1.x_y:\n"
                "    url: ${URL}/${A}?x=${NOTHING:-1}\n"
                "    secret: 0123456789abcdef\n"
                "    scheme: github\n"
                "    events: [conversation.*, message.sent, '${NOTHING:-agent.error}']\n"
                "    environments: [production, staging]\n"
                "    timeout: 1500ms\n"
                "    retry: {attempts: 3, base: 10ms, factor: 1.5, cap: 1s, jitter: none}\n"
                "    headers: {X-A: '${A}', X-B: 5}\n"
                "    description: what it is\n"
                "  one: {url: 'https://example.com', events: '*', environments: staging}\n"
                "flows: {f: [{emit: message.sent}]}\n"
                "targets: {allow: [example.com, 10.0.0.0/8]}\n");
    (void)state;
    assert_string_equal(plan->name, "alpha-b-c");
    assert_int_equal(strlen(plan->digest), 64);
    const struct e8_endpoint *bare = endpoint(plan, "bare"), *full = endpoint(plan, "full-1.x_y");
    const struct e8_platform *platform = e8_catalog_platform(catalog());
    assert_string_equal(bare->scheme->name, "8bit");
    assert_int_equal(bare->secret_count, 0);
    assert_int_equal(bare->timeout, platform->deadline);
    assert_memory_equal(&bare->retry, &platform->retry, sizeof bare->retry);
    assert_null(bare->subscription.patterns);
    assert_string_equal(full->url, "http://127.0.0.1:7/env/alpha?x=1");
    assert_string_equal(full->scheme->name, "github");
    assert_int_equal(full->secret_count, 1);
    assert_string_equal(full->secrets[0], "0123456789abcdef");
    assert_string_equal(full->subscription.patterns[2], "agent.error");
    assert_null(full->subscription.patterns[3]);
    assert_string_equal(full->subscription.environments[1], "staging");
    assert_int_equal(full->timeout, 1500 * E8_NS_MS);
    assert_int_equal(full->retry.attempts, 3);
    assert_int_equal(full->retry.base, 10 * E8_NS_MS);
    assert_true(full->retry.factor > 1.49 && full->retry.factor < 1.51);
    assert_int_equal(full->retry.cap, E8_NS_S);
    assert_int_equal(full->retry.jitter, E8_JITTER_NONE);
    assert_int_equal(full->header_count, 2);
    assert_true(e8_str_is(full->headers[0].value, "alpha"));
    assert_true(e8_str_is(full->headers[1].value, "5"));
    assert_string_equal(endpoint(plan, "one")->subscription.patterns[0], "*");
    assert_string_equal(endpoint(plan, "one")->subscription.environments[0], "staging");
    assert_string_equal(plan->allow[1], "10.0.0.0/8");
    assert_null(plan->allow[2]);
    e8_plan_free(&plan);
    assert_null(plan);
    e8_plan_free(&plan);
}

static void retry_keeps_what_is_not_named(void **state)
{
    struct e8_plan *plan =
        plan_of("endpoints: {a: {url: 'http://127.0.0.1:9/', retry: {attempts: 2}}}\n" FLOW);
    (void)state;
    assert_int_equal(plan->endpoints[0].retry.attempts, 2);
    assert_int_equal(plan->endpoints[0].retry.cap, e8_catalog_platform(catalog())->retry.cap);
    assert_string_equal(plan->name, "scenario");
    e8_plan_free(&plan);
}

static void secrets_come_from_where_they_are(void **state)
{
    char path[] = "/tmp/e8-secret-XXXXXX", text[700];
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a secret in a file\n", 19), 19);
    close(fd);
    snprintf(text, sizeof text,
             "endpoints:\n"
             "  a: {url: 'http://127.0.0.1:9/', secret: {env: SECRET}}\n"
             "  b: {url: 'http://127.0.0.1:9/', secret: {file: %s}}\n"
             "  c: {url: 'http://127.0.0.1:9/', secret: [{env: SECRET}, {file: '%s'}], scheme: "
             "standard-webhooks}\n"
             "  d: {url: 'http://127.0.0.1:9/'}\n" FLOW,
             path, path);
    char *scheme = strstr(text, "standard-webhooks");
    memcpy(scheme, "stripe           ", 17);
    struct e8_plan *plan = plan_of(text);
    assert_string_equal(endpoint(plan, "a")->secrets[0], SECRET);
    assert_string_equal(endpoint(plan, "b")->secrets[0], "a secret in a file");
    assert_int_equal(endpoint(plan, "c")->secret_count, 2);
    assert_string_equal(endpoint(plan, "c")->secrets[0], SECRET);
    assert_string_equal(endpoint(plan, "c")->secrets[1], "a secret in a file");
    assert_int_equal(endpoint(plan, "d")->secret_count, 0);
    e8_plan_free(&plan);
    unlink(path);
}

static void a_secret_from_outside_fills_the_gaps(void **state)
{
    struct e8_scenario_options options = defaults();
    options.secret = "a secret from outside";
    struct e8_plan *plan = plan_with("endpoints:\n"
                                     "  a: {url: 'http://127.0.0.1:9/', secret: {env: SECRET}}\n"
                                     "  b: {url: 'http://127.0.0.1:9/', secret: {env: NOTHING}}\n"
                                     "  c: {url: 'http://127.0.0.1:9/'}\n" FLOW,
                                     &options);
    (void)state;
    assert_string_equal(endpoint(plan, "a")->secrets[0], SECRET);
    assert_string_equal(endpoint(plan, "b")->secrets[0], options.secret);
    assert_string_equal(endpoint(plan, "c")->secrets[0], options.secret);
    e8_plan_free(&plan);
}

static void schemes_may_be_made_in_the_file(void **state)
{
    struct e8_plan *plan =
        plan_of("endpoints:\n"
                "  a:\n"
                "    url: http://127.0.0.1:9/\n"
                "    secret: 0123456789abcdef\n"
                "    scheme: {header: X-Mine, algorithm: sha512, encoding: base64, prefix: 'v0=',\n"
                "             content: '{timestamp}.{body}', timestamp_header: X-Mine-Time}\n" FLOW);
    const struct e8_scheme *scheme = plan->endpoints[0].scheme;
    (void)state;
    assert_string_equal(scheme->name, "custom");
    assert_string_equal(scheme->header, "X-Mine");
    assert_int_equal(scheme->hash, E8_SHA512);
    assert_true(scheme->signs_timestamp);
    e8_plan_free(&plan);
}

static void urls_are_overridden(void **state)
{
    static const char *const named[] = {"b=https://example.com/b?x=1=2", NULL};
    struct e8_scenario_options options = defaults();
    static const char text[] =
        "endpoints: {a: {url: 'http://127.0.0.1:9/'}, b: {}, c: {url: 'http://127.0.0.1:8/'}}\n" FLOW;
    (void)state;
    options.to_named = named;
    struct e8_plan *plan = plan_with(text, &options);
    assert_string_equal(endpoint(plan, "a")->url, "http://127.0.0.1:9/");
    assert_string_equal(endpoint(plan, "b")->url, "https://example.com/b?x=1=2");
    e8_plan_free(&plan);
    options.to = "http://localhost:1/all";
    plan = plan_with(text, &options);
    assert_string_equal(endpoint(plan, "a")->url, "http://localhost:1/all");
    assert_string_equal(endpoint(plan, "b")->url, "https://example.com/b?x=1=2");
    assert_string_equal(endpoint(plan, "c")->url, "http://localhost:1/all");
    e8_plan_free(&plan);
}

static void seeds_have_an_order(void **state)
{
    struct e8_scenario_options options = defaults();
    (void)state;
    struct e8_plan *plan = plan_with("endpoints: {a: {url: 'http://127.0.0.1:9/'}}\n" FLOW, &options);
    assert_int_equal(plan->seed, 99);
    assert_false(plan->seed_given);
    e8_plan_free(&plan);
    plan = plan_with(HEAD FLOW, &options);
    assert_int_equal(plan->seed, 7);
    assert_true(plan->seed_given);
    e8_plan_free(&plan);
    options.seed_given = true;
    options.seed = 11;
    plan = plan_with(HEAD FLOW, &options);
    assert_int_equal(plan->seed, 11);
    e8_plan_free(&plan);
    plan = plan_of("seed: 9223372036854775807\nendpoints: {a: {url: 'http://127.0.0.1:9/'}}\n" FLOW);
    assert_true(plan->seed == INT64_MAX);
    e8_plan_free(&plan);
}

static void an_environment_from_outside_beats_the_files(void **state)
{
    static const char text[] = HEAD "environment: staging\n"
                                    "flows: {f: [{emit: message.sent}, {emit: message.sent, environment: "
                                    "production}]}\n";
    struct e8_scenario_options options = defaults();
    struct e8_errs errs;
    struct e8_plan *plan;
    (void)state;
    options.environment = "development";
    plan = plan_with(text, &options);
    assert_string_equal(plan->emits[0].environment, "development");
    assert_string_equal(plan->emits[1].environment, "production");
    e8_plan_free(&plan);
    options.environment = "stagin";
    e8_errs_init(&errs);
    assert_int_equal(e8_plan_parse(catalog(), "s.yaml", e8_str(text), &options, &plan, &errs), E8_INPUT);
    assert_null(plan);
    assert_int_equal(errs.total, 1);
    assert_int_equal(errs.list[0].rc, E8_INPUT);
    assert_string_equal(errs.list[0].what, "unknown environment \"stagin\"");
    assert_non_null(strstr(errs.list[0].hint, "staging"));
    e8_errs_fini(&errs);
}

static void flows_have_all_kinds_of_steps(void **state)
{
    struct e8_plan *plan =
        plan_of(HEAD "environment: staging\n"
                     "flows:\n"
                     "  f:\n"
                     "    description: d\n"
                     "    steps:\n"
                     "      - emit: message.sent\n"
                     "      - {wait: 5ms}\n"
                     "      - wait: 1s .. 2s\n"
                     "      - {wait: 0}\n"
                     "      - {repeat: 3, steps: [{emit: agent.error, environment: production}]}\n"
                     "      - {repeat: '2 .. 4', steps: [{emit: message.sent}]}\n"
                     "      - choose: [{weight: 3, steps: [{wait: 1s}]}, {steps: [{emit: session.ended}]}]\n"
                     "      - emit: message.sent\n"
                     "        set: {data.role: x, data.tokens: {a: 1}}\n"
                     "        remove: [created_at, data.model]\n");
    const struct e8_flow *flow = &plan->flows[0];
    const struct e8_step *step = flow->steps.list;
    (void)state;
    assert_int_equal(flow->key, e8_hash_str(E8_LIT("f")));
    assert_false(flow->rotate || flow->aged);
    assert_int_equal(flow->steps.count, 8);
    assert_int_equal(plan->emit_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(plan->emits[i].index, i);
        assert_non_null(plan->emits[i].body);
    }
    assert_ptr_equal(step[0].emit, &plan->emits[0]);
    assert_string_equal(step[0].emit->environment, "staging");
    assert_int_equal(step[0].emit->line, 9);
    assert_null(step[0].emit->json);
    assert_int_equal(step[1].wait.low, 5 * E8_NS_MS);
    assert_int_equal(step[1].wait.high, 5 * E8_NS_MS);
    assert_int_equal(step[2].wait.low, E8_NS_S);
    assert_int_equal(step[2].wait.high, 2 * E8_NS_S);
    assert_int_equal(step[4].repeat.low, 3);
    assert_int_equal(step[4].repeat.high, 3);
    assert_string_equal(step[4].repeat.body.list[0].emit->environment, "production");
    assert_int_equal(step[5].repeat.low, 2);
    assert_int_equal(step[5].repeat.high, 4);
    assert_int_equal(step[6].branches.count, 2);
    assert_true(step[6].branches.list[0].upto > 0.7499 && step[6].branches.list[0].upto < 0.7501);
    assert_true(step[6].branches.list[1].upto >= 1 && step[6].branches.list[1].upto <= 1);
    assert_string_equal(
        step[7].emit->json,
        "{\"edits\":[{\"path\":\"data.role\",\"value\":\"x\"},{\"path\":\"data.tokens\",\"value\":{\"a\":1}},"
        "{\"path\":\"created_at\"},{\"path\":\"data.model\"}]}");
    assert_ptr_not_equal(step[7].emit->body, step[0].emit->body);
    e8_plan_free(&plan);
}

static void phases_are_open_or_closed(void **state)
{
    struct e8_plan *plan =
        plan_of(HEAD "flows: {f: [{emit: message.sent}], g: [{emit: agent.error}]}\n"
                     "run:\n"
                     "  - {flow: f}\n"
                     "  - {flow: g, arrivals: {times: 10, concurrency: 3}}\n"
                     "  - {flow: f, at: 1500ms, arrivals: {rate: 20/s, for: 2s}}\n"
                     "  - {flow: f, arrivals: {rate: 30/m, for: 1m, process: poisson}}\n"
                     "  - {flow: f, arrivals: {ramp: 0/s..10/s, for: 4s, process: constant}}\n"
                     "  - {flow: f, arrivals: {}}\n"
                     "  - {flow: g, at: 0s}\n");
    const struct e8_phase *p = plan->phases;
    (void)state;
    assert_int_equal(plan->phase_count, 7);
    assert_true(!p[0].open && p[0].times == 1 && p[0].concurrency == 1 && p[0].at == -1 && p[0].first == 0);
    assert_true(!p[1].open && p[1].times == 10 && p[1].concurrency == 3 && p[1].first == 0);
    assert_ptr_equal(p[1].flow, &plan->flows[1]);
    assert_true(p[2].open && p[2].at == 1500 * E8_NS_MS && p[2].first == 1);
    assert_int_equal(e8_pace_count(&p[2].pace), 40);
    assert_true(p[3].pace.poisson);
    assert_int_equal(p[3].first, 41);
    assert_int_equal(p[4].pace.kind, E8_PACE_RAMP);
    assert_int_equal(e8_pace_count(&p[4].pace), 20);
    assert_true(p[5].first == p[4].first + 20);
    assert_true(p[6].at == 0 && p[6].first == 10);
    e8_plan_free(&plan);

    plan = plan_of(
        HEAD "flows: {f: [{emit: message.sent}]}\n"
             "run:\n"
             "  - {flow: f, arrivals: {steps: ['0..10/s:4s', '10/s:1s'], process: poisson}, warmup: 2s}\n"
             "  - {flow: f, arrivals: {sine: 0..10/s, period: 1s, for: 4s}}\n"
             "  - {flow: f, at: 9s, arrivals: {burst: 6, every: 1s, for: 2s}, warmup: 500ms}\n"
             "  - {flow: f, arrivals: {concurrency: 3, for: 5s}}\n");
    p = plan->phases;
    assert_int_equal(plan->phase_count, 6);
    assert_true(p[0].warmup && p[0].open && p[0].pace.poisson && p[0].pace.kind == E8_PACE_CONSTANT);
    assert_true(p[0].pace.length == 2 * E8_NS_S && e8_rate_per_s(p[0].pace.from) == 6);
    assert_true(!p[1].warmup && p[1].pace.kind == E8_PACE_STEPS && p[1].pace.poisson && p[1].first == 0);
    assert_true(p[1].pace.piece_count == 2 && p[1].pace.length == 5 * E8_NS_S &&
                p[1].pace.seed != p[0].pace.seed);
    assert_true(p[2].pace.kind == E8_PACE_SINE && e8_pace_count(&p[2].pace) == 20);
    assert_true(p[3].warmup && p[3].at == 9 * E8_NS_S && e8_pace_count(&p[3].pace) == 3);
    assert_true(p[4].at == 9500 * E8_NS_MS && p[4].pace.kind == E8_PACE_BURST &&
                e8_pace_count(&p[4].pace) == 12);
    assert_true(!p[5].open && p[5].within == 5 * E8_NS_S && p[5].times == E8_TIMES_MAX &&
                p[5].concurrency == 3);
    assert_true(e8_plan_timed(plan) && e8_phase_instances(&p[5]) == 3 &&
                e8_phase_length(&p[5]) == 5 * E8_NS_S);
    assert_true(p[0].first >= p[5].first + E8_TIMES_MAX && p[3].first >= p[0].first + 12);
    e8_plan_free(&plan);

    plan = plan_of(HEAD "flows: {f: [{emit: message.sent}], g: [{emit: agent.error}]}\n");
    assert_int_equal(plan->phase_count, 2); /* without run: each flow once */
    assert_ptr_equal(plan->phases[1].flow, &plan->flows[1]);
    assert_true(!plan->phases[0].open && plan->phases[0].times == 1);
    e8_plan_free(&plan);
}

static void two_poisson_phases_differ(void **state)
{
    struct e8_plan *plan =
        plan_of(HEAD FLOW "run:\n"
                          "  - {flow: f, arrivals: {rate: 20/s, for: 2s, process: poisson}}\n"
                          "  - {flow: f, arrivals: {rate: 20/s, for: 2s, process: poisson}}\n");
    struct e8_pace_walk a = e8_pace_begin(&plan->phases[0].pace), b = e8_pace_begin(&plan->phases[1].pace);
    e8_dur_ns x = 0, y = 0;
    (void)state;
    assert_true(e8_pace_next(&a, &x) && e8_pace_next(&b, &y));
    assert_true(x != y);
    assert_true(plan->phases[1].first >= e8_pace_count(&plan->phases[0].pace));
    e8_plan_free(&plan);
}

static void thresholds_are_read(void **state)
{
    struct e8_plan *plan =
        plan_of(HEAD FLOW "thresholds: ['p(99) < 250ms', success >= 99.9%, 'failed == ${NOTHING:-0}']\n");
    (void)state;
    assert_int_equal(plan->threshold_count, 3);
    assert_string_equal(plan->thresholds[2].text, "failed == 0");
    e8_plan_free(&plan);
}

static void json_is_a_scenario_too(void **state)
{
    struct e8_plan *plan =
        plan_of("{\"endpoints\": {\"a\": {\"url\": \"http://localhost/\"}},\n"
                " \"flows\": {\"f\": [{\"emit\": \"message.sent\"}, {\"wait\": \"1s\"}]},\n"
                " \"run\": [{\"flow\": \"f\", \"arrivals\": {\"times\": 2}}]}");
    (void)state;
    assert_int_equal(plan->phases[0].times, 2);
    e8_plan_free(&plan);
}

static void a_hundred_thousand_steps_load_in_a_second(void **state)
{
    struct e8_buf text;
    struct timespec a, b;
    (void)state;
    e8_buf_init(&text, 8 << 20);
    e8_buf_puts(&text, HEAD "flows:\n  f:\n");
    for (int i = 0; i < 50000; i++) {
        e8_buf_puts(&text, "    - emit: message.sent\n    - wait: 1ms..2ms\n");
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    struct e8_plan *plan = plan_of(e8_buf_cstr(&text));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    double took = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
    print_message("100,000 steps: %.3f s of CPU time\n", took);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
    assert_true(took < 1);
#else
    assert_true(took < 20);
#endif
    assert_int_equal(plan->flows[0].steps.count, 100000);
    assert_int_equal(plan->emit_count, 50000);
    e8_plan_free(&plan);
    e8_buf_fini(&text);
}

int test_parse(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_have_all_their_parts),
        cmocka_unit_test(retry_keeps_what_is_not_named),
        cmocka_unit_test(secrets_come_from_where_they_are),
        cmocka_unit_test(a_secret_from_outside_fills_the_gaps),
        cmocka_unit_test(schemes_may_be_made_in_the_file),
        cmocka_unit_test(urls_are_overridden),
        cmocka_unit_test(seeds_have_an_order),
        cmocka_unit_test(an_environment_from_outside_beats_the_files),
        cmocka_unit_test(flows_have_all_kinds_of_steps),
        cmocka_unit_test(phases_are_open_or_closed),
        cmocka_unit_test(two_poisson_phases_differ),
        cmocka_unit_test(thresholds_are_read),
        cmocka_unit_test(json_is_a_scenario_too),
        cmocka_unit_test(a_hundred_thousand_steps_load_in_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
