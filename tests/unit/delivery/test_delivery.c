#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "delivery/delivery.h"

/* The whole table once more. */
static const struct {
    const char *name;
    enum e8_outcome outcome;
    enum e8_retry_class retry;
} rules[] = {
    {"delivered", E8_DELIVERED, E8_RETRY_NO},
    {"connect_refused", E8_CONNECT_REFUSED, E8_RETRY_YES},
    {"connect_failed", E8_CONNECT_FAILED, E8_RETRY_YES},
    {"connect_timeout", E8_CONNECT_TIMEOUT, E8_RETRY_YES},
    {"dns_failed", E8_DNS_FAILED, E8_RETRY_YES},
    {"gen_fd", E8_GEN_FD, E8_RETRY_NO},
    {"gen_port", E8_GEN_PORT, E8_RETRY_NO},
    {"gen_memory", E8_GEN_MEMORY, E8_RETRY_NO},
    {"no_response", E8_NO_RESPONSE, E8_RETRY_YES},
    {"reset", E8_RESET, E8_RETRY_YES},
    {"stale_connection", E8_STALE_CONNECTION, E8_RETRY_NOW},
    {"truncated", E8_TRUNCATED, E8_RETRY_YES},
    {"reset_in_body", E8_RESET_IN_BODY, E8_RETRY_YES},
    {"timeout_first_byte", E8_TIMEOUT_FIRST_BYTE, E8_RETRY_YES},
    {"timeout_body", E8_TIMEOUT_BODY, E8_RETRY_YES},
    {"not_http", E8_NOT_HTTP, E8_RETRY_YES},
    {"bad_status", E8_BAD_STATUS, E8_RETRY_YES},
    {"bad_framing", E8_BAD_FRAMING, E8_RETRY_YES},
    {"bad_header", E8_BAD_HEADER, E8_RETRY_YES},
    {"too_many_interim", E8_TOO_MANY_INTERIM, E8_RETRY_YES},
    {"unexpected_101", E8_UNEXPECTED_101, E8_RETRY_YES},
    {"redirect", E8_REDIRECT, E8_RETRY_YES},
    {"http_4xx", E8_HTTP_4XX, E8_RETRY_YES},
    {"gone", E8_GONE, E8_RETRY_NO},
    {"throttled", E8_THROTTLED, E8_RETRY_AFTER},
    {"http_5xx", E8_HTTP_5XX, E8_RETRY_AFTER},
    {"tls_untrusted", E8_TLS_UNTRUSTED, E8_RETRY_NO},
    {"tls_expired", E8_TLS_EXPIRED, E8_RETRY_NO},
    {"tls_name", E8_TLS_NAME, E8_RETRY_NO},
    {"tls_handshake", E8_TLS_HANDSHAKE, E8_RETRY_YES},
    {"tls_timeout", E8_TLS_TIMEOUT, E8_RETRY_YES},
    {"desync", E8_DESYNC, E8_RETRY_YES},
    {"forbidden_target", E8_FORBIDDEN_TARGET, E8_RETRY_NO},
    {"unknown", E8_UNKNOWN, E8_RETRY_NOW},
    {"aborted", E8_ABORTED, E8_RETRY_NO},
};

static void outcomes_have_names_and_rules(void **state)
{
    (void)state;
    assert_int_equal(E8_COUNT(rules), E8_OUTCOME_COUNT);
    for (size_t i = 0; i < E8_COUNT(rules); i++) {
        const struct e8_outcome_info *info = e8_outcome_info(rules[i].outcome);
        enum e8_outcome found;
        assert_int_equal(rules[i].outcome, i);
        assert_string_equal(info->name, rules[i].name);
        assert_int_equal(info->retry, rules[i].retry);
        assert_true(e8_outcome_find(e8_str(rules[i].name), &found));
        assert_int_equal(found, rules[i].outcome);
    }
}

static void texts_are_sentences(void **state)
{
    (void)state;
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        const char *text = e8_outcome_info((enum e8_outcome)i)->text;
        assert_true(strlen(text) > 20);
        assert_true(text[strlen(text) - 1] == '.');
    }
}

static void generator_outcomes_are_ours(void **state)
{
    (void)state;
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        bool ours = i == E8_GEN_FD || i == E8_GEN_PORT || i == E8_GEN_MEMORY || i == E8_FORBIDDEN_TARGET;
        assert_int_equal(e8_outcome_info((enum e8_outcome)i)->generator, ours);
    }
}

static void unknown_names_are_not_found(void **state)
{
    (void)state;
    static const char *const names[] = {"", "other", "Delivered", "deliver", "delivered "};
    enum e8_outcome found = E8_RESET;

    for (size_t i = 0; i < E8_COUNT(names); i++)
        assert_false(e8_outcome_find(e8_str(names[i]), &found));
    assert_int_equal(found, E8_RESET);
}

static enum e8_outcome expected_of(int status)
{
    if (status == 101)
        return E8_UNEXPECTED_101;
    if (status == 410)
        return E8_GONE;
    if (status == 429)
        return E8_THROTTLED;
    static const enum e8_outcome classes[] = {E8_BAD_STATUS, E8_BAD_STATUS, E8_DELIVERED,
                                              E8_REDIRECT,   E8_HTTP_4XX,   E8_HTTP_5XX};
    return status < 0 || status > 599 ? E8_BAD_STATUS : classes[status / 100];
}

static void every_status_has_an_outcome(void **state)
{
    (void)state;
    for (int status = -150; status <= 1100; status++)
        assert_int_equal(e8_outcome_of_status(status), expected_of(status));
}

static void triggers_have_names(void **state)
{
    (void)state;
    assert_string_equal(e8_trigger_name(E8_TRIGGER_EVENT), "event");
    assert_string_equal(e8_trigger_name(E8_TRIGGER_RETRY), "retry");
    assert_string_equal(e8_trigger_name(E8_TRIGGER_STALE), "stale");
    assert_string_equal(e8_trigger_name(E8_TRIGGER_RESEND), "resend");
    assert_string_equal(e8_trigger_name(E8_TRIGGER_TEST), "test");
}

static void times_start_when_due(void **state)
{
    (void)state;
    struct e8_times times = {.due = 100, .sent = 130, .done = 1000};
    assert_int_equal(e8_response_time(&times), 900);
    assert_int_equal(e8_service_time(&times), 870);
    assert_int_equal(e8_send_lag(&times), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_have_names_and_rules), cmocka_unit_test(texts_are_sentences),
        cmocka_unit_test(generator_outcomes_are_ours),   cmocka_unit_test(unknown_names_are_not_found),
        cmocka_unit_test(every_status_has_an_outcome),   cmocka_unit_test(triggers_have_names),
        cmocka_unit_test(times_start_when_due),
    };
    int failed = cmocka_run_group_tests_name("outcomes", tests, NULL, NULL);
    return failed + retry_cases();
}
