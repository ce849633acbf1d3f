#include "transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CURL_BODY_WITH_HEAD 65536u /* a smaller body is sent together with the head */

/* --- the way through libcurl ------------------------------------------------------------------------------------------ */

void e8_transfer_reset(struct e8_slot *slot)
{
    slot->prereqs = slot->opened = 0;
    slot->fd = -1;
    slot->open_errno = 0;
    slot->forbidden = slot->resend = slot->reconnect = slot->trailing = slot->capped = slot->answered = false;
    slot->verdict = -1;
    slot->why = NULL;
    slot->ssl = NULL;
    slot->alert_unread = false;
    slot->end = E8_WIRE_OPEN;
    slot->received = UINT64_MAX;
    slot->dead_flags = 0;
    slot->response = (struct e8_response){0};
    e8_upload_reset(slot);
    slot->error[0] = '\0';
    slot->last.sa.sa_family = AF_UNSPEC;
}

void e8_transfer_add(struct e8_slot *slot)
{
    /* What libcurl says of HTTP/2 connections it says to nobody else. */
    curl_easy_setopt(slot->easy, CURLOPT_VERBOSE, slot->reach.http == E8_HTTP_2 ? 1L : 0L);
    slot->added = e8_mono_now();
    CURLMcode code = curl_multi_add_handle(slot->multi->curl, slot->easy);
    if (code == CURLM_OK)
        slot->multi->kick = true;
    else
        e8_transfer_end(slot, code == CURLM_OUT_OF_MEMORY ? E8_GEN_MEMORY : E8_UNKNOWN,
                        curl_multi_strerror(code));
}

/* The idle connection was no good and nothing was sent: once more on a fresh one, with the same deadline. */
static void again(struct e8_slot *slot)
{
    curl_multi_remove_handle(slot->multi->curl, slot->easy);
    e8_conn_release(slot, false);
    e8_transfer_reset(slot);
    curl_easy_setopt(slot->easy, CURLOPT_FRESH_CONNECT, 1L);
    e8_transfer_add(slot);
}

static enum e8_far far_of(const struct e8_slot *slot)
{
    if (slot->response.complete)
        return E8_FAR_HEAD;
    if (slot->answered)
        return E8_FAR_ANSWERED;
    if (slot->exchange->sent)
        return E8_FAR_SENT;
    if (!slot->opened) /* with HTTP/2 it may wait for another one's connection */
        return slot->reach.http == E8_HTTP_2 ? E8_FAR_CONNECT : E8_FAR_NAME;
    return slot->tls && e8_conn_established(slot) ? E8_FAR_TLS : E8_FAR_CONNECT;
}

static long info_long(const struct e8_slot *slot, CURLINFO info)
{
    long value = 0;
    curl_easy_getinfo(slot->easy, info, &value);
    return value;
}

static curl_off_t info_size(const struct e8_slot *slot, CURLINFO info)
{
    curl_off_t value = 0;
    curl_easy_getinfo(slot->easy, info, &value);
    return value;
}

/* libcurl's resolver tells of no errno: look whether there is a descriptor to be had. */
static int descriptor_errno(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static const char stream_refused[] = "the receiver refused the stream";
/* An answer that ends before the request has, with RST_STREAM (NO_ERROR), may be (RFC 9113, 8.1). */
static const char stream_dropped[] =
    "the receiver ended the stream before it had all of the request; libcurl drops what it answered";

/* libcurl wanted to send it again, or has done so and given up, although the connection stands. */
static bool is_stream_refused(const struct e8_slot *slot)
{
    bool again = slot->resend || strstr(slot->error, "Connection died, tried");
    return again && slot->reach.http == E8_HTTP_2 && slot->end == E8_WIRE_OPEN;
}

static enum e8_outcome judge(const struct e8_slot *slot, CURLcode code)
{
    struct e8_evidence ev = {
        .code = code,
        .os_errno = info_long(slot, CURLINFO_OS_ERRNO),
        .verify = info_long(slot, CURLINFO_SSL_VERIFYRESULT),
        .far = far_of(slot),
        .end = slot->end,
        .reused = slot->exchange->flags & E8_FLAG_REUSED,
        .http2 = slot->reach.http == E8_HTTP_2,
        .stream_refused = is_stream_refused(slot),
        .open_errno = slot->open_errno,
        .received = slot->received,
        .waited = slot->exchange->sent ? e8_mono_now() - slot->exchange->sent : 0,
        .status = slot->exchange->status,
        .alert = e8_conn_alert(slot),
        .alert_unread = slot->alert_unread,
        .error = slot->error,
    };
    slot->transport->counts.refused += ev.stream_refused;
    if (slot->resend) /* libcurl was kept from sending again: the connection broke */
        ev.code = CURLE_GOT_NOTHING;
    if (code == CURLE_COULDNT_RESOLVE_HOST && !ev.open_errno)
        ev.open_errno = descriptor_errno();
    if (ev.os_errno == EADDRNOTAVAIL && slot->last.sa.sa_family != AF_UNSPEC)
        ev.no_source = e8_conn_no_source(&slot->last.sa);
    return e8_classify(&ev);
}

void e8_transfer_refused(const struct e8_slot *slot, char out[E8_ERROR_MAX])
{
    int alert = e8_conn_alert(slot);
    char number[12];
    snprintf(number, sizeof number, "%d", alert);
    snprintf(out, E8_ERROR_MAX,
             "the receiver refused the client's certificate or the lack of one (TLS alert %s)",
             alert ? number : "unread");
}

/* libcurl keeps the first error's text, which is that of the broken connection when the alert came with a reset. */
static void end_by_code(struct e8_slot *slot, CURLcode code, const char *why)
{
    char text[E8_ERROR_MAX];
    enum e8_outcome outcome = judge(slot, code);
    if (outcome == E8_TLS_HANDSHAKE && slot->exchange->sent) {
        why = text;
        e8_transfer_refused(slot, text);
    }
    e8_transfer_end(slot, outcome, why);
}

/* libcurl was kept from sending it again. */
static void end_broken(struct e8_slot *slot, enum e8_outcome outcome)
{
    const char *why = outcome == E8_STALE_CONNECTION
                          ? "the kept-alive connection was closed before it answered"
                          : "the connection was closed";
    e8_transfer_end(slot, outcome, is_stream_refused(slot) ? stream_refused : why);
}

/* In libcurl's words, and what they leave out: it tells of the URL's host where a unix socket was asked for, and of no answer where the
 * receiver did not know the protocol. */
static const char *words_of(const struct e8_slot *slot, CURLcode code, char out[E8_ERROR_MAX])
{
    const char *said = slot->error[0] ? slot->error : curl_easy_strerror(code);
    long error = 0;
    if (code == CURLE_COULDNT_CONNECT && slot->reach.unix_socket) {
        curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &error);
        snprintf(out, E8_ERROR_MAX, "the unix socket: %.70s", error ? strerror((int)error) : said);
        return out;
    }
    if (is_stream_refused(slot))
        return stream_refused;
    if (code == CURLE_HTTP2_STREAM)
        return slot->error[0] ? said : stream_dropped;
    if (slot->reach.http == E8_HTTP_2 && !slot->tls && !slot->response.complete && slot->exchange->sent) {
        snprintf(out, E8_ERROR_MAX, "%.50s (does it speak HTTP/2 without TLS?)", said);
        return out;
    }
    return said;
}

void e8_transfer_done(struct e8_slot *slot, CURLcode code)
{
    struct e8_exchange *x = slot->exchange;
    E8_CHECK_MAGIC(x, E8_EXCHANGE_MAGIC);
    if (slot->reconnect) {
        again(slot);
        return;
    }
    if (code || !slot->response.complete)
        e8_conn_look(
            slot); /* later versions of libcurl close connections after they have told of the result */
    if (slot->capped)
        x->flags |= E8_FLAG_BODY_CAPPED;
    if (slot->trailing)
        x->flags |= E8_FLAG_TRAILING_BYTES;
    if (slot->opens && !code && slot->verdict < 0) {
        e8_transport_opened(slot);
        return;
    }
    char text[E8_ERROR_MAX];
    const char *why = slot->why;
    if (!why && code)
        why = words_of(slot, code, text);
    if (slot->verdict >= 0)
        e8_transfer_end(slot, (enum e8_outcome)slot->verdict, why);
    else if (slot->capped)
        e8_transfer_end(slot, e8_outcome_of_status(x->status), NULL);
    else if (slot->upload.cut && slot->response.complete &&
             (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_READ_ERROR))
        e8_transfer_end(slot, e8_outcome_of_status(x->status), NULL); /* it was we who sent no more */
    else if (slot->forbidden && !x->sent && code)
        e8_transfer_end(slot, E8_FORBIDDEN_TARGET, "the address is not one that was allowed");
    else if (slot->resend)
        end_broken(slot, judge(slot, code));
    else
        end_by_code(slot, code, why);
}

const char *e8_transfer_late(enum e8_far far)
{
    static const char *const texts[] = {
        [E8_FAR_NAME] = "the name was not resolved in time",
        [E8_FAR_CONNECT] = "no connection in time",
        [E8_FAR_TLS] = "the TLS handshake did not end in time",
        [E8_FAR_SENT] = "no byte of a response in time",
        [E8_FAR_ANSWERED] = "the head of the response did not end in time",
        [E8_FAR_HEAD] = "the body of the response did not end in time",
    };
    return texts[far];
}

void e8_transfer_expired(struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    e8_timers_remove(&slot->transport->deadlines, &slot->timer);
    if (slot->timer_connects && x->sent) {
        slot->timer_connects = false;
        if (x->deadline != E8_NEVER)
            e8_timers_add(&slot->transport->deadlines, &slot->timer, x->deadline);
        return;
    }
    e8_conn_look(slot);
    enum e8_far far = far_of(slot);
    if (slot->upload.waiting)
        e8_transfer_end(slot, E8_ABORTED, "it was held, and not released in time");
    else
        e8_transfer_end(slot, e8_classify_timeout(far), e8_transfer_late(far));
}

/* --- the result -------------------------------------------------------------------------------------------------------- */

e8_dur_ns e8_transfer_phase(const struct e8_slot *slot, CURLINFO info)
{
    curl_off_t us = info_size(slot, info);
    return us > 0 ? slot->added - slot->started + us * E8_NS_US : -1;
}

/* Over HTTP/2 libcurl takes the request's own body for the answer's begin. */
static e8_dur_ns first_byte(const struct e8_slot *slot)
{
    if (!slot->answered)
        return -1;
    if (slot->exchange->http_version >= 20 && slot->response.begun)
        return slot->response.begun - slot->started;
    return e8_transfer_phase(slot, CURLINFO_STARTTRANSFER_TIME_T);
}

static void fill_phases(const struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    bool reused = x->flags & E8_FLAG_REUSED;
    x->phases.dns = reused ? -1 : e8_transfer_phase(slot, CURLINFO_NAMELOOKUP_TIME_T);
    x->phases.connect = reused ? -1 : e8_transfer_phase(slot, CURLINFO_CONNECT_TIME_T);
    x->phases.tls = reused || !slot->tls ? -1 : e8_transfer_phase(slot, CURLINFO_APPCONNECT_TIME_T);
    x->phases.first_byte = first_byte(slot);
    x->phases.total = x->done - slot->started;
}

/* Until 8.7 libcurl counted a request's body with its head only where it sent the two together. */
static uint64_t bytes_sent(const struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    uint64_t bytes = (uint64_t)info_long(slot, CURLINFO_REQUEST_SIZE);
    bool apart = slot->upload.on || x->body.n >= CURL_BODY_WITH_HEAD || slot->reach.http == E8_HTTP_2;
    if (apart && curl_version_info(CURLVERSION_NOW)->version_num < 0x080700u)
        bytes += (uint64_t)info_size(slot, CURLINFO_SIZE_UPLOAD_T);
    return bytes;
}

void e8_transfer_why(struct e8_exchange *x, const char *why)
{
    struct e8_buf text;
    e8_buf_fixed(&text, x->error, sizeof x->error);
    text.limit--;
    if (e8_classify_own_fault(x->outcome))
        why = e8_classify_own_fault(x->outcome);
    if (why)
        e8_buf_put_clean(&text, e8_str(why));
    else if (x->outcome != E8_DELIVERED)
        e8_buf_printf(&text, "HTTP %d", x->status);
    x->error[text.n] = '\0';
}

static void fill_address(struct e8_slot *slot)
{
    struct e8_addr addr;
    if (!slot->exchange->address[0] && e8_addr_of(&slot->last.sa, &addr))
        e8_addr_text(&addr, slot->exchange->address);
}

static void count_version(struct e8_slot *slot)
{
    struct e8_transport_counts *counts = &slot->transport->counts;
    int version = slot->exchange->http_version;
    if (slot->reach.http == E8_HTTP_2 && version >= 20)
        counts->over_h2++;
    else if (slot->reach.http == E8_HTTP_2 && version)
        counts->declined_h2++;
}

void e8_transfer_end(struct e8_slot *slot, enum e8_outcome outcome, const char *why)
{
    struct e8_transport *t = slot->transport;
    struct e8_exchange *x = slot->exchange;
    x->done = e8_mono_now();
    x->outcome = outcome;
    if (x->sent) {
        x->bytes_sent = bytes_sent(slot);
        x->bytes_received = (uint64_t)info_long(slot, CURLINFO_HEADER_SIZE) + slot->response.body;
    } else {
        x->sent = x->done;
    }
    fill_phases(slot);
    count_version(slot);
    e8_transfer_why(x, why);
    fill_address(slot);
    curl_multi_remove_handle(slot->multi->curl, slot->easy);
    e8_conn_release(slot, slot->trailing || slot->upload.cut);
    e8_timers_remove(&t->deadlines, &slot->timer);
    e8_timers_remove(&t->uploads, &slot->upload.timer);
    e8_multi_give_slot(slot);
    x->slot = NULL;
    e8_transfer_ready(t, x);
}

void e8_transfer_ready(struct e8_transport *t, struct e8_exchange *x)
{
    x->next = NULL;
    *t->ready_tail = x;
    t->ready_tail = &x->next;
}
