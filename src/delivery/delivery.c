#include "delivery/delivery.h"

static const struct e8_outcome_info outcomes[E8_OUTCOME_COUNT] = {
    [E8_DELIVERED] = {"delivered", "The receiver answered 2xx with a whole response.", E8_RETRY_NO, false},
    [E8_CONNECT_REFUSED] = {"connect_refused", "Nothing listens at the receiver's address and port.",
                            E8_RETRY_YES, false},
    [E8_CONNECT_FAILED] = {"connect_failed", "The receiver's address could not be reached.", E8_RETRY_YES,
                           false},
    [E8_CONNECT_TIMEOUT] = {"connect_timeout", "The connection was not accepted before the deadline.",
                            E8_RETRY_YES, false},
    [E8_DNS_FAILED] = {"dns_failed", "The receiver's host name could not be resolved.", E8_RETRY_YES, false},
    [E8_GEN_FD] = {"gen_fd", "emit8 ran out of file descriptors; raise the limit or lower the load.",
                   E8_RETRY_NO, true},
    [E8_GEN_PORT] = {"gen_port", "This machine ran out of local ports; reuse connections or lower the load.",
                     E8_RETRY_NO, true},
    [E8_GEN_MEMORY] = {"gen_memory", "This machine ran out of memory for the attempt.", E8_RETRY_NO, true},
    [E8_NO_RESPONSE] = {"no_response", "The receiver closed the connection without a byte of response.",
                        E8_RETRY_YES, false},
    [E8_RESET] = {"reset", "The connection was reset before a byte of response.", E8_RETRY_YES, false},
    [E8_STALE_CONNECTION] = {"stale_connection",
                             "A kept-alive connection turned out closed as the request went out.",
                             E8_RETRY_NOW, false},
    [E8_TRUNCATED] = {"truncated", "The receiver closed the connection in the middle of its response.",
                      E8_RETRY_YES, false},
    [E8_RESET_IN_BODY] = {"reset_in_body", "The connection was reset in the middle of the response.",
                          E8_RETRY_YES, false},
    [E8_TIMEOUT_FIRST_BYTE] = {"timeout_first_byte", "The response did not begin before the deadline.",
                               E8_RETRY_YES, false},
    [E8_TIMEOUT_BODY] = {"timeout_body", "The response began but did not end before the deadline.",
                         E8_RETRY_YES, false},
    [E8_NOT_HTTP] = {"not_http", "What the receiver answered is not HTTP.", E8_RETRY_YES, false},
    [E8_BAD_STATUS] = {"bad_status", "The response's status line or status is not a valid one.", E8_RETRY_YES,
                       false},
    [E8_BAD_FRAMING] = {"bad_framing", "The response's length or chunks contradict the protocol.",
                        E8_RETRY_YES, false},
    [E8_BAD_HEADER] = {"bad_header", "The response's header is too large or not valid.", E8_RETRY_YES, false},
    [E8_TOO_MANY_INTERIM] = {"too_many_interim", "The receiver sent more than 16 interim (1xx) responses.",
                             E8_RETRY_YES, false},
    [E8_UNEXPECTED_101] = {"unexpected_101", "The receiver switched protocols, which nobody had asked for.",
                           E8_RETRY_YES, false},
    [E8_REDIRECT] = {"redirect", "The receiver answered 3xx; redirects are not followed.", E8_RETRY_YES,
                     false},
    [E8_HTTP_4XX] = {"http_4xx", "The receiver refused the request with a 4xx status.", E8_RETRY_YES, false},
    [E8_GONE] = {"gone", "The receiver answered 410; the endpoint is disabled.", E8_RETRY_NO, false},
    [E8_THROTTLED] = {"throttled", "The receiver answered 429: too many requests.", E8_RETRY_AFTER, false},
    [E8_HTTP_5XX] = {"http_5xx", "The receiver failed with a 5xx status.", E8_RETRY_AFTER, false},
    [E8_TLS_UNTRUSTED] = {"tls_untrusted", "The receiver's certificate is not from a trusted issuer.",
                          E8_RETRY_NO, false},
    [E8_TLS_EXPIRED] = {"tls_expired", "The receiver's certificate has expired or is not valid yet.",
                        E8_RETRY_NO, false},
    [E8_TLS_NAME] = {"tls_name", "The receiver's certificate is for another name.", E8_RETRY_NO, false},
    [E8_TLS_HANDSHAKE] = {"tls_handshake", "The TLS handshake with the receiver failed.", E8_RETRY_YES,
                          false},
    [E8_TLS_TIMEOUT] = {"tls_timeout", "The TLS handshake did not end before the deadline.", E8_RETRY_YES,
                        false},
    [E8_DESYNC] = {"desync", "The receiver sent bytes that answer no request.", E8_RETRY_YES, false},
    [E8_FORBIDDEN_TARGET] =
        {"forbidden_target",
         "The address is not one that was allowed; nothing was sent (see --allow-target).", E8_RETRY_NO,
         true},
    [E8_UNKNOWN] = {"unknown", "emit8 lost track of the attempt; it may have been sent.", E8_RETRY_NOW,
                    false},
    [E8_ABORTED] = {"aborted", "The run was stopped before the attempt ended.", E8_RETRY_NO, false},
};

const struct e8_outcome_info *e8_outcome_info(enum e8_outcome outcome)
{
    E8_ASSERT(outcome >= 0 && outcome < E8_OUTCOME_COUNT);
    return &outcomes[outcome];
}

bool e8_outcome_find(struct e8_str name, enum e8_outcome *out)
{
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        if (e8_str_is(name, outcomes[i].name)) {
            *out = (enum e8_outcome)i;
            return true;
        }
    }
    return false;
}

enum e8_outcome e8_outcome_of_status(int status)
{
    switch (status) {
    case 101:
        return E8_UNEXPECTED_101;
    case 410:
        return E8_GONE;
    case 429:
        return E8_THROTTLED;
    }
    switch (status / 100) {
    case 2:
        return E8_DELIVERED;
    case 3:
        return E8_REDIRECT;
    case 4:
        return E8_HTTP_4XX;
    case 5:
        return E8_HTTP_5XX;
    }
    return E8_BAD_STATUS;
}

const char *e8_trigger_name(enum e8_trigger trigger)
{
    static const char *const names[] = {
        [E8_TRIGGER_EVENT] = "event",   [E8_TRIGGER_RETRY] = "retry", [E8_TRIGGER_STALE] = "stale",
        [E8_TRIGGER_RESEND] = "resend", [E8_TRIGGER_TEST] = "test",   [E8_TRIGGER_DUPLICATE] = "duplicate",
        [E8_TRIGGER_REPLAY] = "replay",
    };

    E8_ASSERT(trigger >= 0 && trigger < E8_COUNT(names));
    return names[trigger];
}

const char *e8_expectation_name(int64_t verdict)
{
    static const char *const names[] = {
        [E8_EXPECTED_NOTHING] = "",
        [E8_EXPECTATION_MET] = "met",
        [E8_EXPECTATION_UNMET] = "unmet",
        [E8_EXPECTATION_REPORTED] = "reported",
    };

    return verdict >= 0 && verdict < (int64_t)E8_COUNT(names) ? names[verdict] : "";
}

bool e8_attempt_begins(const struct e8_attempt *attempt)
{
    return attempt->number == 1 || (attempt->copy > 0 && attempt->trigger != E8_TRIGGER_RETRY &&
                                    attempt->trigger != E8_TRIGGER_STALE);
}

e8_dur_ns e8_response_time(const struct e8_times *times)
{
    E8_ASSERT(times->due <= times->sent && times->sent <= times->done);
    return times->done - times->due;
}

e8_dur_ns e8_service_time(const struct e8_times *times)
{
    E8_ASSERT(times->sent <= times->done);
    return times->done - times->sent;
}

e8_dur_ns e8_send_lag(const struct e8_times *times)
{
    E8_ASSERT(times->due <= times->sent);
    return times->sent - times->due;
}
