/* What cannot be brought about by a peer. */
#include "tests.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "transport/internal.h"

static void test_evidence(void **state)
{
    (void)state;
    static const struct {
        struct e8_evidence ev;
        enum e8_outcome outcome;
    } rows[] = {
        {{.code = CURLE_OUT_OF_MEMORY, .far = E8_FAR_NAME}, E8_GEN_MEMORY},
        {{.code = CURLE_OUT_OF_MEMORY, .far = E8_FAR_SENT}, E8_GEN_MEMORY},
        {{.code = CURLE_OUT_OF_MEMORY, .far = E8_FAR_ANSWERED, .received = 500}, E8_GEN_MEMORY},
        {{.code = CURLE_OUT_OF_MEMORY, .far = E8_FAR_ANSWERED, .received = 150000}, E8_BAD_HEADER},
        {{.code = CURLE_OUT_OF_MEMORY, .far = E8_FAR_ANSWERED, .received = UINT64_MAX}, E8_BAD_HEADER},
        {{.code = (CURLcode)100, .far = E8_FAR_ANSWERED}, E8_BAD_HEADER},
        {{.code = CURLE_COULDNT_CONNECT, .open_errno = EMFILE}, E8_GEN_FD},
        {{.code = CURLE_COULDNT_CONNECT, .open_errno = ENFILE, .os_errno = ECONNREFUSED}, E8_GEN_FD},
        {{.code = CURLE_COULDNT_CONNECT, .open_errno = ENOBUFS}, E8_GEN_MEMORY},
        {{.code = CURLE_COULDNT_CONNECT, .open_errno = EAFNOSUPPORT, .os_errno = ECONNREFUSED},
         E8_CONNECT_REFUSED},
        {{.code = CURLE_COULDNT_CONNECT, .os_errno = EADDRNOTAVAIL}, E8_GEN_PORT},
        {{.code = CURLE_COULDNT_CONNECT, .os_errno = EADDRNOTAVAIL, .no_source = true}, E8_CONNECT_FAILED},
        {{.code = CURLE_COULDNT_RESOLVE_HOST, .open_errno = EMFILE}, E8_GEN_FD},
        {{.code = CURLE_COULDNT_RESOLVE_PROXY}, E8_DNS_FAILED},
        {{.code = CURLE_OPERATION_TIMEDOUT, .far = E8_FAR_CONNECT}, E8_CONNECT_TIMEOUT},
        {{.code = CURLE_OPERATION_TIMEDOUT, .far = E8_FAR_TLS}, E8_TLS_TIMEOUT},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 10}, E8_TLS_EXPIRED},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 18}, E8_TLS_UNTRUSTED},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 19}, E8_TLS_UNTRUSTED},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 20}, E8_TLS_UNTRUSTED},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 21}, E8_TLS_UNTRUSTED},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 62}, E8_TLS_NAME},
        {{.code = CURLE_PEER_FAILED_VERIFICATION, .verify = 64}, E8_TLS_NAME},
        {{.code = CURLE_RECV_ERROR, .far = E8_FAR_CONNECT, .os_errno = 0},
         E8_CONNECT_FAILED}, /* a proxy refused */
        {{.code = CURLE_SEND_ERROR, .far = E8_FAR_SENT, .os_errno = EPIPE, .reused = true},
         E8_STALE_CONNECTION},
        {{.code = CURLE_SEND_ERROR, .far = E8_FAR_SENT, .os_errno = EPIPE}, E8_RESET},
        {{.code = CURLE_SEND_ERROR, .far = E8_FAR_SENT, .io_errno = ENOBUFS, .reused = true}, E8_GEN_MEMORY},
        {{.code = CURLE_GOT_NOTHING, .far = E8_FAR_ANSWERED, .io_errno = ENOMEM}, E8_GEN_MEMORY},
        {{.code = CURLE_HTTP2_STREAM, .far = E8_FAR_SENT, .end = E8_WIRE_FIN, .reused = true},
         E8_STALE_CONNECTION},
        {{.code = CURLE_HTTP2_STREAM,
          .far = E8_FAR_SENT,
          .reused = true,
          .error = "not closed cleanly before end of the underlying stream"},
         E8_STALE_CONNECTION},
        {{.code = CURLE_HTTP2_STREAM,
          .far = E8_FAR_SENT,
          .reused = true,
          .error = "not closed cleanly: INTERNAL_ERROR"},
         E8_RESET},
        {{.code = CURLE_HTTP2_STREAM,
          .far = E8_FAR_HEAD,
          .reused = true,
          .error = "not closed cleanly: CANCEL"},
         E8_RESET_IN_BODY},
        {{.code = CURLE_HTTP2_STREAM, .far = E8_FAR_SENT, .reused = true}, E8_NO_RESPONSE},
        {{.code = CURLE_HTTP2_STREAM, .far = E8_FAR_HEAD, .http2 = true}, E8_TRUNCATED},
        {{.code = CURLE_GOT_NOTHING, .far = E8_FAR_SENT, .end = E8_WIRE_FIN}, E8_NO_RESPONSE},
        {{.code = CURLE_RECV_ERROR, .far = E8_FAR_SENT, .end = E8_WIRE_FIN, .alert = 116}, E8_TLS_HANDSHAKE},
        {{.code = CURLE_SEND_ERROR, .far = E8_FAR_SENT, .os_errno = ECONNRESET, .alert = 48},
         E8_TLS_HANDSHAKE},
        {{.code = CURLE_GOT_NOTHING, .far = E8_FAR_SENT, .alert = 42}, E8_TLS_HANDSHAKE},
        {{.code = CURLE_SEND_ERROR, .far = E8_FAR_SENT, .os_errno = ECONNRESET, .alert_unread = true},
         E8_TLS_HANDSHAKE},
        {{.code = CURLE_GOT_NOTHING, .far = E8_FAR_SENT, .alert_unread = true}, E8_NO_RESPONSE},
        {{.code = CURLE_RECV_ERROR, .far = E8_FAR_SENT, .alert = 80}, E8_NO_RESPONSE}, /* internal error */
        {{.code = CURLE_RECV_ERROR, .far = E8_FAR_SENT, .reused = true, .alert = 116}, E8_STALE_CONNECTION},
        {{.code = CURLE_RECV_ERROR, .far = E8_FAR_HEAD, .end = E8_WIRE_FIN, .alert = 116}, E8_TRUNCATED},
        {{.code = CURLE_OK, .far = E8_FAR_HEAD, .status = 200}, E8_DELIVERED},
        {{.code = CURLE_OK, .far = E8_FAR_ANSWERED, .status = 200, .end = E8_WIRE_FIN}, E8_TRUNCATED},
        {{.code = CURLE_OK, .far = E8_FAR_HEAD, .status = 410}, E8_GONE},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_evidence ev = rows[i].ev;
        ev.error = ev.code == CURLE_PEER_FAILED_VERIFICATION ? "name" : ev.error ? ev.error : "";
        if (e8_classify(&ev) != rows[i].outcome)
            print_error("row %zu: %s\n", i, e8_outcome_info(e8_classify(&ev))->name);
        assert_int_equal(e8_classify(&ev), rows[i].outcome);
    }
}

/* Our own faults are told in our own words, and nobody else's. */
static void test_own_fault(void **state)
{
    (void)state;
    for (int i = 0; i < E8_OUTCOME_COUNT; i++) {
        bool ours = i == E8_GEN_FD || i == E8_GEN_PORT || i == E8_GEN_MEMORY;
        const char *words = e8_classify_own_fault((enum e8_outcome)i);
        assert_int_equal(words != NULL, ours);
        assert_true(!words || strstr(words, " ran out of "));
    }
}

/* Rule 10: delivered is code 0 and nothing else; each code has an outcome at each distance. */
static void test_every_code(void **state)
{
    (void)state;
    for (int code = 1; code < 110; code++) {
        for (int far = E8_FAR_NAME; far <= E8_FAR_HEAD; far++) {
            for (int reused = 0; reused < 2; reused++) {
                struct e8_evidence ev = {.code = (CURLcode)code,
                                         .far = (enum e8_far)far,
                                         .reused = reused && far >= E8_FAR_SENT,
                                         .status = 200,
                                         .error = ""};
                enum e8_outcome outcome = e8_classify(&ev);
                assert_true(outcome != E8_DELIVERED && outcome != E8_UNKNOWN && outcome < E8_OUTCOME_COUNT);
                assert_true(outcome != E8_STALE_CONNECTION || ev.reused);
            }
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_evidence),
    cmocka_unit_test(test_own_fault),
    cmocka_unit_test(test_every_code),
};

int run_classify(void)
{
    return cmocka_run_group_tests_name("classify", tests, NULL, NULL);
}
