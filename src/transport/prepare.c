#include "transport/internal.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

enum method { METHOD_POST, METHOD_BODY, METHOD_BARE, METHOD_HEAD };

/* libcurl gives up connecting after 300 s unless it is told otherwise. */
#define CURL_CONNECT_LIMIT (290 * E8_NS_S)

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
        {CURLOPT_MAXAGE_CONN, INT_MAX}, /* how long links idle is none of its business */
        {CURLOPT_NOPROGRESS, 1},
    };
    CURL *easy = slot->easy;
    for (size_t i = 0; i < E8_COUNT(longs); i++)
        curl_easy_setopt(easy, longs[i].option, longs[i].value);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_SHARE, slot->transport->share);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
    e8_conn_setup(slot);
    e8_response_setup(slot);
    e8_upload_setup(slot);
}

bool e8_reach_same(const struct e8_reach *a, const struct e8_reach *b)
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

/* The file of trusted certificates that libcurl was built with is there. */
static bool has_bundle(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return info->age >= CURLVERSION_SEVENTH && info->cainfo && access(info->cainfo, R_OK) == 0;
}

/* A directory of certificates beside the file keeps libcurl from reading that once for many connections: some 30 ms for each, where the
 * file is the system's. */
static CURLcode trust_file_alone(CURL *easy, const struct e8_reach *reach)
{
    return reach->cacert || has_bundle() ? curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) : CURLE_OK;
}

static CURLcode set_tls(CURL *easy, const struct e8_reach *reach)
{
    CURLcode rc = trust_file_alone(easy, reach);
    if (reach->insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!rc && reach->cacert)
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
    if (slot->reach_set && e8_reach_same(&slot->reach, reach))
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

/* libcurl looks at the first Expect alone, which says that there is none, so that the wait is ours: its own would send a request
 * once more after 417. */
static size_t put_wire(struct e8_slot *slot)
{
    const struct e8_wire *wire = slot->exchange->wire;
    size_t count = 0;
    if (!wire || !slot->upload.on)
        return 0;
    if (wire->expect) {
        put_line(&slot->text, E8_LIT("Expect"), E8_LIT("100-continue"));
        count++;
    }
    if (wire->chunked && slot->reach.http != E8_HTTP_2) {
        put_line(&slot->text, E8_LIT("Transfer-Encoding"), E8_LIT("chunked"));
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
    count += x->header_count + put_wire(slot);
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
    bool unknown = slot->upload.on && slot->exchange->wire && slot->exchange->wire->chunked;
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, unknown ? (curl_off_t)-1 : (curl_off_t)body.n);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->upload.on ? NULL : body.n ? body.p : "");
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
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, slot->opens ? 1L : 0L);
    enum method method = method_of(x);
    slot->upload.on = x->body.n && (method == METHOD_POST || method == METHOD_BODY) && e8_upload_wanted(x);
    slot->upload.waiting = x->hold && !slot->upload.on;
    slot->upload.released = false;
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
