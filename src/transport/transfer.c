#include "transport/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum method { METHOD_POST, METHOD_BODY, METHOD_BARE, METHOD_HEAD };

/* libcurl gives up connecting after 300 s unless it is told otherwise. */
#define CURL_CONNECT_LIMIT  (290 * E8_NS_S)
#define CURL_BODY_WITH_HEAD 65536u /* a smaller body is sent together with the head */

/* --- options --------------------------------------------------------------------------------------------------------- */

void e8_transfer_setup(struct e8_slot *slot)
{
    static const struct {
        CURLoption option;
        long value;
    } longs[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
        {CURLOPT_TCP_NODELAY, 1},
        {CURLOPT_DNS_CACHE_TIMEOUT, -1},
        {CURLOPT_QUICK_EXIT, 1}, /* or else removing a handle waits for the resolver's thread */
        {CURLOPT_SSL_SESSIONID_CACHE, 1},
        {CURLOPT_NOPROGRESS, 1},
    };
    CURL *easy = slot->easy;
    for (size_t i = 0; i < E8_COUNT(longs); i++)
        curl_easy_setopt(easy, longs[i].option, longs[i].value);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    e8_conn_setup(slot);
    e8_response_setup(slot);
}

static bool same_reach(const struct e8_reach *a, const struct e8_reach *b)
{
    return a->http == b->http && a->cacert == b->cacert && a->cert == b->cert && a->key == b->key &&
           a->insecure == b->insecure && a->proxy == b->proxy && a->unix_socket == b->unix_socket &&
           a->connect_to == b->connect_to && a->resolve == b->resolve &&
           a->connect_timeout == b->connect_timeout && a->allow == b->allow;
}

static void free_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
    *list = NULL;
}

static bool fill_list(struct curl_slist **list, const char *const *texts)
{
    free_list(list);
    for (; texts && *texts; texts++) {
        struct curl_slist *longer = curl_slist_append(*list, *texts);
        if (!longer)
            return false;
        *list = longer;
    }
    return true;
}

static CURLcode set_tls(CURL *easy, const struct e8_reach *reach)
{
    CURLcode rc = CURLE_OK;
    if (reach->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (reach->cacert)
        rc = curl_easy_setopt(easy, CURLOPT_CAINFO, reach->cacert);
    if (!rc && reach->cert)
        rc = curl_easy_setopt(easy, CURLOPT_SSLCERT, reach->cert);
    if (!rc && reach->key)
        rc = curl_easy_setopt(easy, CURLOPT_SSLKEY, reach->key);
    return rc;
}

/* Some options cannot be unset one by one (CAINFO's default is lost), so that a handle that was set up for another reach
 * starts anew. libcurl keeps its connections and TLS sessions over that, and matches connections by their options. */
static bool apply_reach(struct e8_slot *slot, const struct e8_reach *reach)
{
    CURL *easy = slot->easy;
    if (slot->reach_set && same_reach(&slot->reach, reach))
        return true;
    if (slot->reach_set) {
        curl_easy_reset(easy);
        e8_transfer_setup(slot);
    }
    slot->reach_set = false;
    slot->method = -1;
    if (!fill_list(&slot->connect_to, reach->connect_to) || !fill_list(&slot->resolve, reach->resolve))
        return false;
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, slot->connect_to);
    curl_easy_setopt(easy, CURLOPT_RESOLVE, slot->resolve);
    curl_easy_setopt(easy, CURLOPT_PIPEWAIT, reach->http == E8_HTTP_2 ? 1L : 0L);
    /* An empty text keeps the environment's proxies and exceptions out. */
    if (curl_easy_setopt(easy, CURLOPT_PROXY, reach->proxy ? reach->proxy : "") ||
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "") ||
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, reach->unix_socket) || set_tls(easy, reach))
        return false;
    slot->reach = *reach;
    slot->reach_set = true;
    return true;
}

/* --- the request ------------------------------------------------------------------------------------------------------ */

static void put_line(struct e8_buf *text, struct e8_str name, struct e8_str value)
{
    e8_buf_putstr(text, name);
    e8_buf_puts(text, value.n ? ": " : ";"); /* libcurl's way to say: with an empty value */
    e8_buf_putstr(text, value);
    e8_buf_putc(text, '\0');
}

/* Of libcurl's own headers none goes out: "Name:" suppresses it. */
static size_t put_suppressions(struct e8_buf *text, const struct e8_exchange *x)
{
    static const char *const names[] = {"Expect", "Accept", "Content-Type"};
    size_t count = 0;
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        if (e8_header_find(x->headers, x->header_count, names[i]))
            continue;
        e8_buf_puts(text, names[i]);
        e8_buf_put(text, ":", 2);
        count++;
    }
    return count;
}

static void build_headers(struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    e8_buf_reset(&slot->text);
    e8_buf_putstr(&slot->text, x->method);
    e8_buf_putc(&slot->text, '\0');
    size_t at = slot->text.n, count = put_suppressions(&slot->text, x);
    for (size_t i = 0; i < x->header_count; i++) {
        E8_ASSERT(e8_header_name_valid(x->headers[i].name) && e8_header_value_valid(x->headers[i].value));
        put_line(&slot->text, x->headers[i].name, x->headers[i].value);
    }
    count += x->header_count;
    if (count > slot->node_cap) {
        slot->node_cap = count * 2;
        slot->nodes = e8_resize(slot->nodes, slot->node_cap, sizeof *slot->nodes);
    }
    for (size_t i = 0; i < count; i++) {
        slot->nodes[i].data = slot->text.p + at;
        slot->nodes[i].next = i + 1 < count ? &slot->nodes[i + 1] : NULL;
        at += strlen(slot->text.p + at) + 1;
    }
}

static enum method method_of(const struct e8_exchange *x)
{
    if (e8_str_is(x->method, "POST"))
        return METHOD_POST;
    if (e8_str_is(x->method, "HEAD"))
        return METHOD_HEAD;
    bool bodied = x->body.n || e8_str_is(x->method, "PUT") || e8_str_is(x->method, "PATCH");
    return bodied ? METHOD_BODY : METHOD_BARE;
}

static CURLcode set_method(struct e8_slot *slot)
{
    enum method method = method_of(slot->exchange);
    CURL *easy = slot->easy;
    bool custom = method == METHOD_BODY || method == METHOD_BARE;
    if (slot->method == (int)method && !custom)
        return CURLE_OK;
    slot->method = (int)method;
    if (method == METHOD_BARE || method == METHOD_HEAD)
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    if (method == METHOD_HEAD)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (method == METHOD_POST || method == METHOD_BODY)
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
    return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, custom ? slot->text.p : NULL);
}

static void set_body(struct e8_slot *slot)
{
    const struct e8_str body = slot->exchange->body;
    if (slot->method != METHOD_POST && slot->method != METHOD_BODY)
        return;
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, body.n ? body.p : "");
}

static long version_of(const struct e8_slot *slot)
{
    if (slot->reach.http != E8_HTTP_2)
        return CURL_HTTP_VERSION_1_1;
    return slot->tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

/* Before 8.0 libcurl put HTTP/2 on top of HTTP/2 when a connection made by prior knowledge was used again
 * (github.com/curl/curl/pull/10643). */
static bool must_be_alone(const struct e8_slot *slot)
{
    return slot->reach.http == E8_HTTP_2 && !slot->tls &&
           curl_version_info(CURLVERSION_NOW)->version_num < 0x080000u;
}

static long connect_limit(const struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    if (slot->reach.connect_timeout) /* libcurl shares it out among several addresses; ours comes first */
        return (long)(slot->reach.connect_timeout / E8_NS_MS) + 1000;
    return x->deadline == E8_NEVER || x->deadline - slot->started > CURL_CONNECT_LIMIT ? INT_MAX : 0;
}

bool e8_transfer_prepare(struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    CURL *easy = slot->easy;
    slot->tls = x->url.n > 6 && e8_str_ieq((struct e8_str){x->url.p, 6}, E8_LIT("https:"));
    if (!apply_reach(slot, x->reach))
        return false;
    build_headers(slot);
    if (curl_easy_setopt(easy, CURLOPT_URL, x->url.p) || set_method(slot))
        return false;
    set_body(slot);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->nodes);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, version_of(slot));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_limit(slot));
    bool alone = must_be_alone(slot);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, x->fresh || alone ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, alone ? 1L : 0L);
    return true;
}

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
    slot->error[0] = '\0';
    slot->last.sa.sa_family = AF_UNSPEC;
}

void e8_transfer_add(struct e8_slot *slot)
{
    curl_easy_setopt(slot->easy, CURLOPT_VERBOSE, 0L);
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
        .open_errno = slot->open_errno,
        .received = slot->received,
        .status = slot->exchange->status,
        .alert = e8_conn_alert(slot),
        .alert_unread = slot->alert_unread,
        .error = slot->error,
    };
    if (slot->resend) /* libcurl was kept from sending again: the connection broke */
        ev.code = CURLE_GOT_NOTHING;
    if (code == CURLE_COULDNT_RESOLVE_HOST && !ev.open_errno)
        ev.open_errno = descriptor_errno();
    if (ev.os_errno == EADDRNOTAVAIL && slot->last.sa.sa_family != AF_UNSPEC)
        ev.no_source = e8_conn_no_source(&slot->last.sa);
    return e8_classify(&ev);
}

/* libcurl keeps the first error's text, which is that of the broken connection when the alert came with a reset. */
static void end_by_code(struct e8_slot *slot, CURLcode code, const char *why)
{
    char text[128];
    enum e8_outcome outcome = judge(slot, code);
    int alert = e8_conn_alert(slot);
    char number[12];
    snprintf(number, sizeof number, "%d", alert);
    if (outcome == E8_TLS_HANDSHAKE && slot->exchange->sent) {
        why = text;
        snprintf(text, sizeof text,
                 "the receiver refused the client's certificate or the lack of one (TLS alert %s)",
                 alert ? number : "unread");
    }
    e8_transfer_end(slot, outcome, why);
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
    const char *why = slot->why;
    if (!why && code)
        why = slot->error[0] ? slot->error : curl_easy_strerror(code);
    if (slot->verdict >= 0)
        e8_transfer_end(slot, (enum e8_outcome)slot->verdict, why);
    else if (slot->capped)
        e8_transfer_end(slot, e8_outcome_of_status(x->status), NULL);
    else if (slot->forbidden && !x->sent && code)
        e8_transfer_end(slot, E8_FORBIDDEN_TARGET, "the address is not one that was allowed");
    else if (slot->resend)
        e8_transfer_end(slot, judge(slot, code), "the kept-alive connection was closed before it answered");
    else
        end_by_code(slot, code, why);
}

void e8_transfer_expired(struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    static const char *const texts[] = {
        [E8_FAR_NAME] = "the name was not resolved in time",
        [E8_FAR_CONNECT] = "no connection in time",
        [E8_FAR_TLS] = "the TLS handshake did not end in time",
        [E8_FAR_SENT] = "no byte of a response in time",
        [E8_FAR_ANSWERED] = "the head of the response did not end in time",
        [E8_FAR_HEAD] = "the body of the response did not end in time",
    };
    e8_timers_remove(&slot->transport->deadlines, &slot->timer);
    if (slot->timer_connects && x->sent) {
        slot->timer_connects = false;
        if (x->deadline != E8_NEVER)
            e8_timers_add(&slot->transport->deadlines, &slot->timer, x->deadline);
        return;
    }
    e8_conn_look(slot);
    enum e8_far far = far_of(slot);
    e8_transfer_end(slot, e8_classify_timeout(far), texts[far]);
}

/* --- the result -------------------------------------------------------------------------------------------------------- */

static e8_dur_ns phase(const struct e8_slot *slot, CURLINFO info)
{
    curl_off_t us = info_size(slot, info);
    return us > 0 ? slot->added - slot->started + us * E8_NS_US : -1;
}

static void fill_phases(const struct e8_slot *slot)
{
    struct e8_exchange *x = slot->exchange;
    bool reused = x->flags & E8_FLAG_REUSED;
    x->phases.dns = reused ? -1 : phase(slot, CURLINFO_NAMELOOKUP_TIME_T);
    x->phases.connect = reused ? -1 : phase(slot, CURLINFO_CONNECT_TIME_T);
    x->phases.tls = reused || !slot->tls ? -1 : phase(slot, CURLINFO_APPCONNECT_TIME_T);
    x->phases.first_byte = slot->answered ? phase(slot, CURLINFO_STARTTRANSFER_TIME_T) : -1;
    x->phases.total = x->done - slot->started;
}

/* Until 8.7 libcurl counted a request's body with its head only where it sent the two together. */
static uint64_t bytes_sent(const struct e8_slot *slot)
{
    const struct e8_exchange *x = slot->exchange;
    uint64_t bytes = (uint64_t)info_long(slot, CURLINFO_REQUEST_SIZE);
    bool apart = x->body.n >= CURL_BODY_WITH_HEAD || slot->reach.http == E8_HTTP_2;
    if (apart && curl_version_info(CURLVERSION_NOW)->version_num < 0x080700u)
        bytes += (uint64_t)info_size(slot, CURLINFO_SIZE_UPLOAD_T);
    return bytes;
}

static void fill_error(struct e8_exchange *x, const char *why)
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
    fill_error(x, why);
    fill_address(slot);
    curl_multi_remove_handle(slot->multi->curl, slot->easy);
    e8_conn_release(slot, slot->trailing);
    e8_timers_remove(&t->deadlines, &slot->timer);
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
