/* Expectations of answers and of effects, and commands. */
#include <stdio.h>
#include <unistd.h>

#include "tests.h"

static const struct e8_expected *expected_of(const struct rig *rig, size_t emit)
{
    assert_non_null(rig->result.expected);
    assert_true(emit < rig->plan->emit_count);
    return &rig->result.expected[emit];
}

static struct answer by_event(void *state, size_t number, const char *head)
{
    (void)state, (void)number;
    return (struct answer){.status = strstr(head, "agent.error")        ? 401
                                     : strstr(head, "message.received") ? 503
                                                                        : 200};
}

#define SOON "retry: {attempts: 3, base: 1ms, jitter: none}"

static void an_answer_as_expected_ends_the_delivery(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " SOON "}}\n"
             "flows: {f: [{emit: agent.error, expect: {status: 4xx}, await: ack}, {emit: message.received, "
             "expect: {status: 503},"
             " await: ack}, {emit: message.sent, expect: {status: 2xx}}]}\n"
             "run: [{flow: f, arrivals: {times: 10, concurrency: 3}}]\n",
             by_event, NULL);
    rig_run(&rig);
    const struct e8_counts *n = rig_counts(&rig);
    assert_int_equal(n->attempts, 30); /* a 503 that was expected is not retried */
    assert_int_equal(n->delivered, 30);
    assert_int_equal(n->expected, 20);
    assert_int_equal(n->unmet, 0);
    assert_int_equal(rig.result.flows_stopped, 0);
    for (size_t i = 0; i < rig.count; i++) {
        assert_int_equal(rig.attempts[i].verdict, E8_EXPECTATION_MET);
        assert_string_equal(rig.places[i].why, "");
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(expected_of(&rig, i)->met, 10);
        assert_string_equal(expected_of(&rig, i)->why, "");
    }
    rig_close(&rig);
}

static void what_was_not_expected_is_told(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " SOON "}}\n"
             "flows: {f: [{emit: message.received, expect: {status: 200}, await: {ack: continue}},"
             " {emit: message.sent, expect: {status: [401, 403]}, await: ack}, {emit: message.sent}]}\n",
             by_event, NULL);
    rig_run(&rig);
    const struct e8_counts *n = rig_counts(&rig);
    assert_int_equal(n->attempts, 4); /* 503 is retried as ever, 200 is not */
    assert_int_equal(n->failed, 1);
    assert_int_equal(n->delivered, 1);
    assert_int_equal(n->unmet, 2);
    assert_int_equal(n->expected, 0);
    assert_int_equal(rig.result.flows_stopped, 1); /* acknowledged, but not as expected */
    assert_int_equal(expected_of(&rig, 0)->unmet, 1);
    assert_int_equal(expected_of(&rig, 1)->unmet, 1);
    assert_string_equal(expected_of(&rig, 1)->delivery_id, rig.attempts[3].delivery_id);
    assert_non_null(strstr(expected_of(&rig, 1)->why, "200"));
    assert_string_equal(expected_of(&rig, 1)->why, rig.places[3].why);
    assert_non_null(strstr(rig.attempts[3].error, "200"));
    assert_int_equal(rig.attempts[3].verdict, E8_EXPECTATION_UNMET);
    rig_close(&rig);
}

static struct answer becomes_good(void *state, size_t number, const char *head)
{
    (void)state, (void)head;
    return (struct answer){.status = number < 2 ? 500 : 200};
}

static void the_last_attempt_counts(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " SOON "}}\n"
             "flows: {f: [{emit: message.sent, expect: {status: 200, body: {contains: ok}, within: 5s}}]}\n",
             becomes_good, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->unmet, 0);
    assert_int_equal(expected_of(&rig, 0)->met, 1);
    assert_int_equal(expected_of(&rig, 0)->unmet, 0);
    assert_int_equal(rig.attempts[0].verdict, E8_EXPECTATION_UNMET);
    assert_int_equal(rig.attempts[2].verdict, E8_EXPECTATION_MET);
    rig_close(&rig);
}

static void what_is_only_reported_never_fails(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', " NONE "}}\n"
             "flows: {f: [{emit: agent.error, expect: {status: 200, report: true}, await: ack}, {emit: "
             "message.sent}]}\n",
             by_event, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 2);
    assert_int_equal(rig_counts(&rig)->expected, 1);
    assert_int_equal(rig_counts(&rig)->failed + rig_counts(&rig)->unmet, 0);
    assert_int_equal(expected_of(&rig, 0)->reported, 1);
    assert_int_equal(rig.attempts[0].verdict, E8_EXPECTATION_REPORTED);
    assert_non_null(strstr(rig.places[0].why, "401"));
    rig_close(&rig);
}

static struct answer never(void *state, size_t number, const char *head)
{
    (void)state, (void)number, (void)head;
    return (struct answer){.delay = E8_NEVER};
}

static void no_answer_can_be_expected(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/', timeout: 50ms, " SOON "}}\n"
             "flows: {f: [{emit: message.sent, expect: {status: none}}]}\n",
             never, NULL);
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->attempts, 1);
    assert_int_equal(rig_counts(&rig)->delivered, 1);
    assert_int_equal(rig_counts(&rig)->expected, 1);
    rig_close(&rig);
}

/* ---- effects ---- */

/* Counts distinct deliveries, or all of them; tells the number at /count. */
struct counter {
    bool careless;
    int effects;
    char seen[16][E8_ID_MAX];
};

static struct answer counting(void *state, size_t number, const char *head)
{
    struct counter *counter = state;
    struct answer answer = {.status = 200};
    const char *id = strcasestr(head, "X-8bit-Delivery: ");
    (void)number;
    if (strncmp(head, "GET /count", 10) == 0) {
        snprintf(answer.body, sizeof answer.body, "{\"n\":{\"effects\":%d}}", counter->effects);
        return answer;
    }
    for (int i = 0; id && i < counter->effects && !counter->careless; i++) {
        if (strncmp(counter->seen[i], id + 17, 30) == 0) {
            return answer;
        }
    }
    snprintf(counter->seen[counter->effects++ % 16], E8_ID_MAX, "%.30s", id ? id + 17 : "");
    return answer;
}

static const char with_effect[] =
    "endpoints: {a: {url: 'http://127.0.0.1:%d/', " NONE "}}\n"
    "effect: {get: 'http://127.0.0.1:%d/count', pointer: /n/effects, settle: 30ms}\n"
    "flows: {f: [{emit: agent.error}, {emit: message.sent, deliver: {duplicate: 2}, expect: {effect: 1}}, "
    "{emit: agent.error}]}\n";

static void effects_are_measured(void **state)
{
    (void)state;
    for (int careless = 0; careless < 2; careless++) {
        struct counter counter = {.careless = careless};
        struct rig rig;
        rig_open(&rig, with_effect, counting, &counter);
        rig_run(&rig);
        assert_int_equal(rig.reading_count, 1);
        assert_true(rig.readings[0].measured);
        assert_int_equal(rig.readings[0].before, 1); /* the event before has ended by then */
        assert_int_equal(rig.readings[0].after, careless ? 4 : 2);
        assert_int_equal(rig.readings[0].met, !careless);
        assert_int_equal(expected_of(&rig, 1)->met, careless ? 3 : 4); /* three deliveries, and the effect */
        assert_int_equal(expected_of(&rig, 1)->unmet, careless);
        assert_int_equal(strstr(expected_of(&rig, 1)->why, "from 1 to 4") != NULL, careless);
        assert_int_equal(rig_counts(&rig)->delivered, 5);
        assert_int_equal(rig_counts(&rig)->attempts, 5); /* the probe is no attempt */
        rig_close(&rig);
    }
}

static void what_cannot_be_measured_is_told(void **state)
{
    static const struct {
        const char *effect, *why;
    } table[] = {
        {"", "no effect probe"},
        {"effect: {get: 'http://127.0.0.1:%d/count', pointer: /m}\n", "/m"},
        {"effect: {get: 'http://127.0.0.1:1/count', pointer: /m}\n", "did not answer"},
        {"effect: {command: [/bin/echo, 5]}\n", "--allow-exec"},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct counter counter = {0};
        struct rig rig;
        char text[600];
        snprintf(text, sizeof text,
                 "endpoints: {a: {url: 'http://127.0.0.1:%%d/'}}\n%s"
                 "flows: {f: [{emit: message.sent, expect: {effect: 1}}]}\n",
                 table[i].effect);
        rig_open(&rig, text, counting, &counter);
        rig_run(&rig);
        assert_int_equal(rig.reading_count, 1);
        assert_false(rig.readings[0].measured);
        assert_non_null(strstr(rig.readings[0].why, table[i].why));
        assert_int_equal(expected_of(&rig, 0)->not_measured,
                         i == 0); /* a probe that tells nothing is no pass */
        assert_int_equal(expected_of(&rig, 0)->unmet, i > 0);
        assert_int_equal(rig_counts(&rig)->delivered, 1);
        rig_close(&rig);
    }
}

static void a_command_can_be_the_probe(void **state)
{
    struct rig rig;
    char text[700], path[] = "/tmp/e8-effect-XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    snprintf(text, sizeof text,
             "endpoints: {a: {url: 'http://127.0.0.1:%%d/'}}\n"
             "effect: {command: [sh, -c, 'wc -l < %s'], settle: 1ms}\n"
             "flows: {f: [{emit: message.sent, expect: {effect: 0}}, {exec: [sh, -c, 'echo x >> %s']},"
             " {emit: message.sent, expect: {effect: 0..3}}]}\n",
             path, path);
    rig_open(&rig, text, NULL, NULL);
    rig.options.exec = true;
    rig_run(&rig);
    assert_int_equal(rig.reading_count, 2);
    assert_true(rig.readings[0].measured && rig.readings[0].met && rig.readings[0].after == 0);
    assert_true(rig.readings[1].measured && rig.readings[1].before == 1);
    unlink(path);
    rig_close(&rig);
}

/* ---- commands ---- */

static void a_command_that_fails_stops_what_the_step_says(void **state)
{
    static const struct {
        const char *step;
        bool exec, stops_flow, stops_run;
    } table[] = {
        {"exec: ['true']", true, false, false},
        {"exec: ['false']", true, true, false},
        {"exec: ['false'], on_failure: continue", true, false, false},
        {"exec: ['false'], on_failure: stop-run", true, true, true},
        {"exec: [/no/such/program]", true, true, false},
        {"exec: [sh, -c, 'kill -9 $$']", true, true, false},
        {"exec: [sh, -c, 'yes | head -c 1000000']", true, false, false},
        {"exec: ['true']", false, true, false},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct rig rig;
        char text[600];
        snprintf(text, sizeof text,
                 "endpoints: {a: {url: 'http://127.0.0.1:%%d/'}}\n"
                 "flows: {f: [{emit: message.sent}, {%s}, {emit: agent.error}]}\n",
                 table[i].step);
        rig_open(&rig, text, NULL, NULL);
        rig.options.exec = table[i].exec;
        rig_run(&rig);
        assert_int_equal(rig.result.flows_stopped, table[i].stops_flow);
        assert_int_equal(rig.result.stopped_by_step, table[i].stops_run);
        assert_int_equal(rig_counts(&rig)->events, table[i].stops_flow ? 1 : 2);
        rig_close(&rig);
    }
}

static void a_command_holds_up_nothing_else(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig,
             "endpoints: {a: {url: 'http://127.0.0.1:%d/'}}\n"
             "flows: {f: [{exec: [sleep, '0.3']}, {emit: agent.error}], g: [{emit: message.sent}]}\n"
             "run: [{flow: f, at: 0s}, {flow: g, at: 0s, arrivals: {rate: 100/s, for: 250ms}}]\n",
             NULL, NULL);
    rig.options.exec = true;
    rig.options.workers = 1;
    rig_run(&rig);
    assert_int_equal(rig_counts(&rig)->delivered, 26);
    assert_int_equal(rig.receiver.count, 26);
    assert_non_null(strstr(rig.receiver.list[25].head, "agent.error"));
    assert_true(rig_late(&rig, 50 * E8_NS_MS) * 3 <= rig.count);
    rig_close(&rig);
}

/* A command or a probe that does not end does not keep the run from ending. */
static void an_abort_ends_commands_and_probes(void **state)
{
    static const char *const steps[] = {"{exec: [sleep, '60']}", "{emit: message.sent, expect: {effect: 1}}",
                                        "{exec: [sh, -c, 'sleep 60 & wait']}"};
    (void)state;
    for (size_t i = 0; i < E8_COUNT(steps); i++) {
        struct rig rig;
        char text[600];
        snprintf(text, sizeof text,
                 "endpoints: {a: {url: 'http://127.0.0.1:%%d/'}}\neffect: {get: 'http://127.0.0.1:%%d/n', "
                 "pointer: /n}\n"
                 "flows: {f: [%s]}\nrun: [{flow: f, arrivals: {times: 6, concurrency: 3}}]\n",
                 steps[i]);
        rig_open(&rig, text, never, NULL);
        rig.options.exec = true;
        rig.options.grace = 3600 * E8_NS_S;
        rig_start(&rig);
        assert_false(e8_engine_wait(rig.engine, 100 * E8_NS_MS));
        e8_engine_stop(rig.engine);
        for (e8_dur_ns wait = 200 * E8_NS_MS; e8_engine_wait(rig.engine, 50 * E8_NS_MS); wait *= 2) {
            assert_true(wait < 10 * E8_NS_S); /* stopped before it began, on a busy machine: once more */
            rig_finish(&rig);
            rig_again(&rig);
            rig_start(&rig);
            assert_false(e8_engine_wait(rig.engine, wait));
            e8_engine_stop(rig.engine);
        }
        e8_mono_ns aborted = e8_mono_now();
        e8_engine_abort(rig.engine);
        rig_finish(&rig);
        assert_true(e8_mono_now() - aborted < 20 * E8_NS_S); /* of 60 s or an hour */
        rig_close(&rig);
    }
}

int test_expected(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_as_expected_ends_the_delivery),
        cmocka_unit_test(what_was_not_expected_is_told),
        cmocka_unit_test(the_last_attempt_counts),
        cmocka_unit_test(what_is_only_reported_never_fails),
        cmocka_unit_test(no_answer_can_be_expected),
        cmocka_unit_test(effects_are_measured),
        cmocka_unit_test(what_cannot_be_measured_is_told),
        cmocka_unit_test(a_command_can_be_the_probe),
        cmocka_unit_test(a_command_that_fails_stops_what_the_step_says),
        cmocka_unit_test(a_command_holds_up_nothing_else),
        cmocka_unit_test(an_abort_ends_commands_and_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
