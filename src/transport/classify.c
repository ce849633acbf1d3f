#include "transport/internal.h"

#include <errno.h>
#include <string.h>

#define LONG_HEAD 65536u

typedef enum e8_outcome judge_fn(const struct e8_evidence *ev);

enum { X509_EXPIRED = 10, X509_HOSTNAME_MISMATCH = 62, X509_EMAIL_MISMATCH = 63, X509_IP_MISMATCH = 64 };

enum e8_outcome e8_classify_timeout(enum e8_far far)
{
    static const enum e8_outcome by_far[] = {
        [E8_FAR_NAME] = E8_DNS_FAILED,       [E8_FAR_CONNECT] = E8_CONNECT_TIMEOUT,
        [E8_FAR_TLS] = E8_TLS_TIMEOUT,       [E8_FAR_SENT] = E8_TIMEOUT_FIRST_BYTE,
        [E8_FAR_ANSWERED] = E8_TIMEOUT_BODY, [E8_FAR_HEAD] = E8_TIMEOUT_BODY,
    };
    return by_far[far];
}

const char *e8_classify_own_fault(enum e8_outcome outcome)
{
    switch (outcome) {
    case E8_GEN_FD:
        return "emit8 ran out of file descriptors";
    case E8_GEN_PORT:
        return "this machine ran out of local ports";
    case E8_GEN_MEMORY:
        return "emit8 ran out of memory";
    default:
        return NULL;
    }
}

static bool says(const struct e8_evidence *ev, const char *words)
{
    return strstr(ev->error, words) != NULL;
}

/* What ran out on this machine; E8_OUTCOME_COUNT: nothing did. */
static enum e8_outcome shortage(long error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
        return E8_GEN_FD;
    case ENOMEM:
    case ENOBUFS:
        return E8_GEN_MEMORY;
    default:
        return E8_OUTCOME_COUNT;
    }
}

/* An error while connecting. */
static enum e8_outcome by_errno(const struct e8_evidence *ev)
{
    if (shortage(ev->open_errno) != E8_OUTCOME_COUNT)
        return shortage(ev->open_errno);
    switch (ev->os_errno) {
    case ECONNREFUSED:
        return E8_CONNECT_REFUSED;
    case EADDRNOTAVAIL:
        return ev->no_source ? E8_CONNECT_FAILED : E8_GEN_PORT;
    case ETIMEDOUT:
        return E8_CONNECT_TIMEOUT;
    case ECONNRESET: /* it had been made */
        return E8_RESET;
    default:
        return shortage(ev->os_errno) != E8_OUTCOME_COUNT ? shortage(ev->os_errno) : E8_CONNECT_FAILED;
    }
}

static bool was_reset(const struct e8_evidence *ev)
{
    return ev->end == E8_WIRE_RESET || ev->os_errno == ECONNRESET || ev->os_errno == EPIPE ||
           says(ev, "reset by peer");
}

/* In TLS 1.3 the client has ended its handshake before the server has judged the client's certificate, or the lack of one: the
 * refusal comes where the answer should (RFC 8446, 4.4.2.4 and 6.2). */
static bool client_refused(const struct e8_evidence *ev)
{
    static const int alerts[] = {40, 42, 43, 44, 45,
                                 46, 48, 49, 51, 116}; /* about a certificate or its proof */
    for (size_t i = 0; i < E8_COUNT(alerts); i++) {
        if (ev->alert == alerts[i])
            return true;
    }
    return ev->alert_unread && ev->code == CURLE_SEND_ERROR;
}

/* A receiver that had closed the connection says so within a round trip. One that breaks it later had the request. */
#define STALE_WITHIN (250 * E8_NS_MS)

/* The connection broke. */
static enum e8_outcome broken(const struct e8_evidence *ev)
{
    if (ev->far < E8_FAR_TLS)
        return by_errno(ev);
    if (shortage(ev->io_errno) != E8_OUTCOME_COUNT)
        return shortage(ev->io_errno);
    if (ev->far == E8_FAR_TLS)
        return E8_TLS_HANDSHAKE;
    if (ev->far >= E8_FAR_ANSWERED)
        return was_reset(ev) ? E8_RESET_IN_BODY : E8_TRUNCATED;
    if (ev->reused && ev->waited <= STALE_WITHIN)
        return E8_STALE_CONNECTION;
    if (client_refused(ev))
        return E8_TLS_HANDSHAKE;
    if (ev->stream_refused)
        return E8_NO_RESPONSE;
    if (ev->http2 && ev->end == E8_WIRE_OPEN && !was_reset(ev))
        return E8_NOT_HTTP; /* libcurl hung up: it was not HTTP/2 that it read */
    return was_reset(ev) ? E8_RESET : E8_NO_RESPONSE;
}

/* Receiving failed: the connection broke, or libcurl did not like what it read. */
static enum e8_outcome not_received(const struct e8_evidence *ev)
{
    if (says(ev, "Too large response header") || says(ev, "Too many response header"))
        return E8_BAD_HEADER;
    if (says(ev, "chunk"))
        return E8_BAD_FRAMING;
    if (ev->end != E8_WIRE_OPEN || was_reset(ev) || ev->far < E8_FAR_ANSWERED)
        return broken(ev);
    return ev->far == E8_FAR_HEAD ? E8_BAD_FRAMING : E8_BAD_HEADER;
}

static enum e8_outcome weird(const struct e8_evidence *ev)
{
    if (ev->far < E8_FAR_SENT)
        return broken(ev);
    if (says(ev, "Content-Length") || ev->far == E8_FAR_HEAD)
        return E8_BAD_FRAMING;
    return E8_BAD_HEADER;
}

/* Of the response here: the request's own scheme has been checked. */
static enum e8_outcome unsupported(const struct e8_evidence *ev)
{
    if (ev->far < E8_FAR_SENT)
        return E8_CONNECT_FAILED;
    return says(ev, "HTTP/0.9") ? E8_NOT_HTTP : E8_BAD_STATUS;
}

/* 7.88 says "out of memory" of a header line over 100 KB: believe it only where not that much has come. */
static enum e8_outcome no_memory(const struct e8_evidence *ev)
{
    bool long_head = ev->far == E8_FAR_ANSWERED && ev->received > LONG_HEAD;
    return long_head ? E8_BAD_HEADER : E8_GEN_MEMORY;
}

static enum e8_outcome not_verified(const struct e8_evidence *ev)
{
    switch (ev->verify) {
    case X509_EXPIRED:
        return E8_TLS_EXPIRED;
    case 0:
    case 1: /* not judged: the chain is good, or the handshake would have ended with its own error */
        return says(ev, "name") ? E8_TLS_NAME : E8_TLS_UNTRUSTED;
    case X509_HOSTNAME_MISMATCH:
    case X509_EMAIL_MISMATCH:
    case X509_IP_MISMATCH:
        return E8_TLS_NAME;
    default:
        return E8_TLS_UNTRUSTED;
    }
}

static enum e8_outcome no_name(const struct e8_evidence *ev)
{
    return ev->open_errno == EMFILE || ev->open_errno == ENFILE ? E8_GEN_FD : E8_DNS_FAILED;
}

static enum e8_outcome timed_out(const struct e8_evidence *ev)
{
    return e8_classify_timeout(ev->far);
}

static enum e8_outcome no_tls(const struct e8_evidence *ev)
{
    (void)ev;
    return E8_TLS_HANDSHAKE;
}

static enum e8_outcome bad_encoding(const struct e8_evidence *ev)
{
    (void)ev;
    return E8_BAD_FRAMING;
}

static enum e8_outcome bad_location(const struct e8_evidence *ev)
{
    if (ev->far == E8_FAR_HEAD && ev->status >= 300 && ev->status <= 399)
        return E8_REDIRECT; /* the whole response was read; libcurl did not like its Location */
    return broken(ev);
}

static enum e8_outcome too_large(const struct e8_evidence *ev)
{
    return ev->far >= E8_FAR_SENT ? E8_BAD_HEADER : E8_GEN_MEMORY;
}

/* The receiver has ended the stream by itself: nothing was closed, and it had the request, or some of it. Where the connection ended and its
 * streams with it, libcurl says "before end of the underlying stream". */
static enum e8_outcome stream_ended(const struct e8_evidence *ev)
{
    if (ev->far < E8_FAR_SENT || ev->end != E8_WIRE_OPEN || says(ev, "underlying"))
        return broken(ev);
    bool by_error = says(ev, "not closed cleanly");
    if (ev->far >= E8_FAR_ANSWERED)
        return by_error ? E8_RESET_IN_BODY : E8_TRUNCATED;
    return by_error ? E8_RESET : E8_NO_RESPONSE;
}

#define CODE_TOO_LARGE ((CURLcode)100) /* CURLE_TOO_LARGE, since 8.6 */

static const struct row {
    CURLcode code;
    judge_fn *judge;
} rows[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, unsupported},
    {CURLE_URL_MALFORMAT, bad_location},
    {CURLE_COULDNT_RESOLVE_PROXY, no_name},
    {CURLE_COULDNT_RESOLVE_HOST, no_name},
    {CURLE_COULDNT_CONNECT, by_errno},
    {CURLE_WEIRD_SERVER_REPLY, weird},
    {CURLE_HTTP2, broken},
    {CURLE_PARTIAL_FILE, broken},
    {CURLE_OUT_OF_MEMORY, no_memory},
    {CODE_TOO_LARGE, too_large},
    {CURLE_OPERATION_TIMEDOUT, timed_out},
    {CURLE_SSL_CONNECT_ERROR, no_tls},
    {CURLE_GOT_NOTHING, broken},
    {CURLE_SSL_ENGINE_NOTFOUND, no_tls},
    {CURLE_SSL_ENGINE_SETFAILED, no_tls},
    {CURLE_SEND_ERROR, broken},
    {CURLE_RECV_ERROR, not_received},
    {CURLE_SSL_CERTPROBLEM, no_tls},
    {CURLE_SSL_CIPHER, no_tls},
    {CURLE_PEER_FAILED_VERIFICATION, not_verified},
    {CURLE_BAD_CONTENT_ENCODING, bad_encoding},
    {CURLE_SSL_CACERT_BADFILE, not_verified},
    {CURLE_SSL_ISSUER_ERROR, not_verified},
    {CURLE_HTTP2_STREAM, stream_ended},
};

enum e8_outcome e8_classify(const struct e8_evidence *ev)
{
    if (ev->code == CURLE_OK) {
        if (ev->far < E8_FAR_HEAD)
            return broken(ev); /* closed inside the response's head */
        return e8_outcome_of_status(ev->status);
    }
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        if (rows[i].code == ev->code)
            return rows[i].judge(ev);
    }
    return broken(ev);
}
