#include "tests.h"

/* Answers to probes, without an engine. */
struct bench {
    struct e8_check *check;
    struct e8_check_ended ended;
    e8_mono_ns now;
};

static struct bench bench_of(const struct e8_check_options *given, const char *only)
{
    struct bench b = {.check = load(given), .ended = {.reproduce = "emit8 check --to X"}, .now = E8_NS_S};
    const char *const list[] = {only, NULL};
    struct e8_err err = {0};
    assert_int_equal(e8_check_choose(b.check, only ? list : NULL, NULL, &err), E8_OK);
    e8_check_prepare(b.check);
    return b;
}

struct answer {
    int status;
    const char *body, *retry_after, *why;
    e8_dur_ns took;
    enum e8_attempt_verdict verdict;
};

static const struct e8_emit *emit_of(const struct e8_flow *flow, size_t index)
{
    for (size_t i = 0; i < flow->steps.count; i++) {
        const struct e8_step *step = &flow->steps.list[i];
        if (step->kind == E8_STEP_REPEAT) {
            return step->repeat.body.list[0].emit;
        }
        if (step->kind == E8_STEP_EMIT && index-- == 0) {
            return step->emit;
        }
    }
    fail_msg("%s has no such step", flow->name);
    return NULL;
}

static void reply(struct bench *b, const char *id, size_t step, struct answer answer)
{
    const struct e8_header headers[] = {
        {E8_LIT("X-8bit-Event"), E8_LIT("message.received")},
        {E8_LIT("Authorization"), E8_LIT("Bearer test-password")},
    };
    const struct e8_flow *probe = flow(b->check, id);
    struct e8_exchange exchange = {
        .url = e8_str(TARGET),
        .method = E8_LIT("POST"),
        .headers = headers,
        .header_count = E8_COUNT(headers),
        .body = E8_LIT("{\"type\":\"message.received\"}"),
        .status = answer.status,
    };
    struct e8_attempt attempt = {
        .number = 1,
        .outcome = (uint8_t)(answer.status ? e8_outcome_of_status(answer.status) : E8_TIMEOUT_FIRST_BYTE),
        .status = (int16_t)answer.status,
        .last = true,
        .verdict = (uint8_t)answer.verdict,
        .times = {b->now, b->now, b->now + answer.took},
    };
    struct e8_done done = {&attempt, &exchange, probe, emit_of(probe, step), 0, 0, answer.why};
    snprintf(exchange.retry_after, sizeof exchange.retry_after, "%s",
             answer.retry_after ? answer.retry_after : "");
    e8_buf_init(&exchange.head, 4096);
    e8_buf_init(&exchange.content, 4096);
    e8_buf_printf(&exchange.head, "HTTP/1.1 %d X\r\nServer: test\r\n\r\n", answer.status);
    e8_buf_puts(&exchange.content, answer.body ? answer.body : "");
    e8_check_done(b->check, &done);
    e8_buf_fini(&exchange.head);
    e8_buf_fini(&exchange.content);
    b->now += answer.took;
}

static const struct answer good = {.status = 200, .took = E8_NS_MS, .verdict = E8_EXPECTATION_MET};

static const struct e8_results *results_of(struct bench *b)
{
    return e8_check_results(b->check, &b->ended);
}

static void passes(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG-01");
    reply(&b, "CANARY", 0, good);
    reply(&b, "SIG-01", 0, (struct answer){.status = 401, .verdict = E8_EXPECTATION_MET});
    const struct e8_results *results = results_of(&b);
    assert_int_equal(results->count, 2);
    assert_int_equal(results->verdict, E8_RESULTS_PASS);
    assert_int_equal(result(results, "SIG-01")->kind, E8_RESULT_PASS);
    assert_null(result(results, "SIG-01")->reason);
    assert_null(strstr(results->target, "test-token"));
    e8_check_free(&b.check);
}

static bool has(struct e8_str text, const char *part)
{
    return text.n && memmem(text.p, text.n, part, strlen(part));
}

static void shows_failures(void **state)
{
    (void)state;
    const struct e8_header own[] = {{E8_LIT("Authorization"), E8_LIT("Bearer test-password")}};
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG-02,SIG-04");
    e8_check_plan(b.check)->endpoints[0].headers = own;
    e8_check_plan(b.check)->endpoints[0].header_count = 1;
    reply(&b, "CANARY", 0, good);
    reply(&b, "SIG-02", 0,
          (struct answer){
              .status = 200, .body = "ok", .why = "expected 401; got 200", .verdict = E8_EXPECTATION_UNMET});
    reply(&b, "SIG-04", 0,
          (struct answer){.status = 200, .why = "expected A", .verdict = E8_EXPECTATION_UNMET});
    reply(&b, "SIG-04", 1,
          (struct answer){.status = 200, .why = "expected B", .verdict = E8_EXPECTATION_UNMET});
    const struct e8_results *results = results_of(&b);
    const struct e8_result *one = result(results, "SIG-02"), *many = result(results, "SIG-04");
    assert_int_equal(results->verdict, E8_RESULTS_FAIL);
    assert_string_equal(results->reason, "2 of 3 probes failed");
    assert_int_equal(one->kind, E8_RESULT_FAIL);
    assert_string_equal(one->reason, "expected 401; got 200");
    assert_string_equal(one->reproduce, "emit8 check --to X --only SIG-02");
    assert_int_equal(one->exhibit_count, 1);
    assert_true(has(one->exhibits[0].request, "POST /hooks?token=*** HTTP/1.1\r\n"));
    assert_true(has(one->exhibits[0].request, "X-8bit-Event: message.received\r\n"));
    assert_true(has(one->exhibits[0].request, "{\"type\":\"message.received\"}"));
    assert_true(has(one->exhibits[0].answer, "HTTP/1.1 200 X\r\nServer: test\r\n\r\nok"));
    assert_true(has(e8_str(one->exhibits[0].expected), "401"));
    assert_true(has(e8_str(one->exhibits[0].curl), "curl"));
    assert_false(has(one->exhibits[0].request, "test-password"));
    assert_false(has(one->exhibits[0].request, "test-token"));
    assert_false(has(e8_str(one->exhibits[0].curl), "test-password"));
    assert_false(has(e8_str(one->exhibits[0].curl), "test-token"));
    assert_string_equal(many->reason, "truncated: expected A (and 1 more)");
    assert_int_equal(many->exhibit_count, 2);
    e8_check_free(&b.check);
}

static void is_invalid_without_the_canary(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG");
    reply(&b, "CANARY", 0,
          (struct answer){.status = 401, .why = "expected 2xx; got 401", .verdict = E8_EXPECTATION_UNMET});
    const struct e8_results *results = results_of(&b);
    assert_int_equal(results->verdict, E8_RESULTS_INVALID);
    assert_string_equal(results->reason, "a valid delivery was not accepted (CANARY): expected 2xx; got 401");
    assert_int_equal(result(results, "CANARY")->kind, E8_RESULT_FAIL);
    assert_int_equal(result(results, "SIG-01")->kind, E8_RESULT_SKIP);
    assert_string_equal(result(results, "SIG-01")->reason, "the canary failed");
    e8_check_free(&b.check);
}

static void is_invalid_where_all_was_skipped(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "TS"), alone = bench_of(&given, "CANARY");
    reply(&b, "CANARY", 0, good);
    reply(&alone, "CANARY", 0, good);
    const struct e8_results *results = results_of(&b);
    assert_int_equal(results->verdict, E8_RESULTS_INVALID);
    assert_string_equal(results->reason, "nothing was judged: all was skipped");
    assert_int_equal(results_of(&alone)->verdict, E8_RESULTS_PASS);
    e8_check_free(&b.check);
    e8_check_free(&alone.check);
}

static void tells_what_was_interrupted(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG");
    reply(&b, "CANARY", 0, good);
    reply(&b, "SIG-01", 0, (struct answer){.status = 401, .verdict = E8_EXPECTATION_MET});
    b.ended.interrupted = true;
    const struct e8_results *results = results_of(&b);
    assert_int_equal(results->verdict, E8_RESULTS_PASS);
    assert_int_equal(result(results, "SIG-01")->kind, E8_RESULT_PASS);
    assert_int_equal(result(results, "SIG-02")->kind, E8_RESULT_SKIP);
    assert_string_equal(result(results, "SIG-02")->reason, "interrupted");
    e8_check_free(&b.check);
}

static void reports_without_judging(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG-06");
    reply(&b, "CANARY", 0, good);
    reply(&b, "SIG-06", 0, (struct answer){.status = 401, .verdict = E8_EXPECTATION_REPORTED});
    reply(&b, "SIG-06", 1, (struct answer){.status = 500, .verdict = E8_EXPECTATION_REPORTED});
    const struct e8_results *results = results_of(&b);
    assert_int_equal(results->verdict, E8_RESULTS_PASS);
    assert_int_equal(result(results, "SIG-06")->kind, E8_RESULT_REPORT);
    assert_string_equal(result(results, "SIG-06")->reason, "wrong one first: 401, wrong one last: 500");
    e8_check_free(&b.check);
}

static void wants_retry_after_with_429(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "ACK-02");
    reply(&b, "CANARY", 0, good);
    for (size_t i = 0; i < 50; i++) {
        reply(
            &b, "ACK-02", 0,
            (struct answer){.status = 429, .retry_after = i == 7 ? "" : "1", .verdict = E8_EXPECTATION_MET});
    }
    const struct e8_result *probe = result(results_of(&b), "ACK-02");
    assert_int_equal(probe->kind, E8_RESULT_FAIL);
    assert_string_equal(probe->reason, "429 without Retry-After");
    e8_check_free(&b.check);
}

static void lints_all_answers(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG-01,RSP-01");
    reply(&b, "CANARY", 0, good);
    reply(&b, "SIG-01", 0,
          (struct answer){
              .status = 401, .body = "Traceback (most recent call last):\n", .verdict = E8_EXPECTATION_MET});
    for (size_t i = 0; i < 4; i++) {
        reply(&b, "RSP-01", i, (struct answer){.status = 400, .verdict = E8_EXPECTED_NOTHING});
    }
    const struct e8_results *results = results_of(&b);
    const struct e8_result *probe = result(results, "RSP-01");
    assert_int_equal(result(results, "SIG-01")->kind, E8_RESULT_PASS);
    assert_int_equal(probe->kind, E8_RESULT_FAIL);
    assert_string_equal(probe->reason, "SIG-01: 401 shows a stack trace (Python)");
    assert_int_equal(probe->exhibit_count, 1);
    e8_check_free(&b.check);
}

static void passes_the_lint_without_expectations(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "RSP-01");
    reply(&b, "CANARY", 0, good);
    for (size_t i = 0; i < 4; i++) {
        reply(&b, "RSP-01", i, (struct answer){.status = 400, .verdict = E8_EXPECTED_NOTHING});
    }
    assert_int_equal(result(results_of(&b), "RSP-01")->kind, E8_RESULT_PASS);
    e8_check_free(&b.check);
}

static const struct e8_result *acknowledged(struct bench *b, e8_dur_ns usual, e8_dur_ns slowest,
                                            bool answered)
{
    reply(b, "CANARY", 0, good);
    for (size_t i = 0; i < 19; i++) {
        reply(b, "ACK-01", 0, (struct answer){.status = 200, .took = usual, .verdict = E8_EXPECTATION_MET});
    }
    reply(b, "ACK-01", 0,
          (struct answer){.status = answered ? 200 : 0, .took = slowest, .verdict = E8_EXPECTATION_MET});
    return result(results_of(b), "ACK-01");
}

static void measures_acknowledgements(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench fast = bench_of(&given, "ACK-01"), slow = bench_of(&given, "ACK-01");
    struct bench silent = bench_of(&given, "ACK-01");
    const struct e8_result *probe = acknowledged(&fast, 10 * E8_NS_MS, 4 * E8_NS_S, true);
    assert_int_equal(probe->kind, E8_RESULT_PASS);
    assert_string_equal(probe->reason,
                        "p99 of 21 acknowledgements: 4 s; the deadline is 5 s; late for a deadline of "
                        "3 s: 1, 10 s: 0, 15 s: 0, 30 s: 0");
    probe = acknowledged(&slow, 10 * E8_NS_MS, 6 * E8_NS_S, true);
    assert_int_equal(probe->kind, E8_RESULT_FAIL);
    assert_non_null(strstr(probe->reason, "p99 of 21 acknowledgements: 6 s; the deadline is 5 s"));
    probe = acknowledged(&silent, 10 * E8_NS_MS, 10 * E8_NS_S, false);
    assert_int_equal(probe->kind, E8_RESULT_FAIL);
    assert_non_null(strstr(probe->reason, "without an answer: 1"));
    e8_check_free(&fast.check);
    e8_check_free(&slow.check);
    e8_check_free(&silent.check);
}

static void judges_effects(void **state)
{
    (void)state;
    static const struct e8_effect count = {.get = "http://127.0.0.1:9/count", .pointer = "/count"};
    struct e8_check_options given = options("8bit");
    struct bench without = bench_of(&given, "IDEM-04");
    reply(&without, "CANARY", 0, good);
    for (size_t i = 0; i < 20; i++) {
        reply(&without, "IDEM-04", 0, good);
    }
    const struct e8_result *probe = result(results_of(&without), "IDEM-04");
    assert_int_equal(probe->kind, E8_RESULT_REPORT);
    assert_non_null(strstr(probe->reason, "the effect was not measured"));
    e8_check_free(&without.check);

    given.scenario.effect = &count;
    struct bench with = bench_of(&given, "IDEM-04");
    reply(&with, "CANARY", 0, good);
    for (size_t i = 0; i < 20; i++) {
        reply(&with, "IDEM-04", 0, good);
    }
    struct e8_effect_reading reading = {
        .flow = flow(with.check, "IDEM-04"), .measured = true, .before = 1, .after = 4};
    for (size_t i = 0; i < reading.flow->steps.count; i++) {
        const struct e8_step *step = &reading.flow->steps.list[i];
        reading.emit = step->kind == E8_STEP_EMIT ? step->emit : reading.emit;
    }
    reading.why = "expected 0..1 effects; got 3";
    e8_check_effect(with.check, &reading);
    probe = result(results_of(&with), "IDEM-04");
    assert_int_equal(probe->kind, E8_RESULT_FAIL);
    assert_string_equal(probe->reason, "expected 0..1 effects; got 3");
    assert_int_equal(probe->exhibit_count, 1);
    e8_check_free(&with.check);
}

static void fails_where_a_given_effect_probe_is_unreadable(void **state)
{
    (void)state;
    static const struct e8_effect count = {.get = "http://127.0.0.1:9/count", .pointer = "/count"};
    struct e8_check_options given = options("8bit");
    for (int probed = 0; probed < 2; probed++) {
        given.scenario.effect = probed ? &count : NULL;
        struct bench bench = bench_of(&given, "IDEM-04");
        reply(&bench, "CANARY", 0, good);
        for (size_t i = 0; i < 20; i++) {
            reply(&bench, "IDEM-04", 0, good);
        }
        struct e8_effect_reading reading = {.flow = flow(bench.check, "IDEM-04"), .why = "404, no 2xx"};
        for (size_t i = 0; i < reading.flow->steps.count; i++) {
            const struct e8_step *step = &reading.flow->steps.list[i];
            reading.emit = step->kind == E8_STEP_EMIT ? step->emit : reading.emit;
        }
        e8_check_effect(bench.check, &reading);
        const struct e8_result *probe = result(results_of(&bench), "IDEM-04");
        assert_int_equal(probe->kind, probed ? E8_RESULT_FAIL : E8_RESULT_REPORT);
        if (probed) {
            assert_string_equal(probe->reason, "the effect probe could not be read: 404, no 2xx");
            assert_int_equal(probe->exhibit_count, 1);
        }
        e8_check_free(&bench.check);
    }
}

static void tells_what_is_at_work(void **state)
{
    (void)state;
    struct e8_check_options given = options("8bit");
    struct bench b = bench_of(&given, "SIG-01");
    const char *id, *title;
    assert_int_equal(e8_check_current(b.check, &id, &title), 1);
    assert_string_equal(id, "CANARY");
    reply(&b, "CANARY", 0, good);
    assert_int_equal(e8_check_current(b.check, &id, &title), 2);
    assert_string_equal(id, "SIG-01");
    e8_check_free(&b.check);
}

int test_collect(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes),
        cmocka_unit_test(shows_failures),
        cmocka_unit_test(is_invalid_without_the_canary),
        cmocka_unit_test(is_invalid_where_all_was_skipped),
        cmocka_unit_test(tells_what_was_interrupted),
        cmocka_unit_test(reports_without_judging),
        cmocka_unit_test(wants_retry_after_with_429),
        cmocka_unit_test(lints_all_answers),
        cmocka_unit_test(passes_the_lint_without_expectations),
        cmocka_unit_test(measures_acknowledgements),
        cmocka_unit_test(judges_effects),
        cmocka_unit_test(fails_where_a_given_effect_probe_is_unreadable),
        cmocka_unit_test(tells_what_is_at_work),
    };
    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
