#include "transport/internal.h"

#include <string.h>

static size_t give_up(struct e8_slot *slot, enum e8_outcome verdict, const char *why)
{
    slot->verdict = (int)verdict;
    slot->why = why;
    return 0; /* libcurl ends the transfer and closes the connection */
}

/* A new head: what an interim response said does not count for the final one. */
static size_t begin_head(struct e8_slot *slot, struct e8_str line)
{
    struct e8_response *r = &slot->response;
    struct e8_exchange *x = slot->exchange;
    slot->answered = true;
    if (!e8_status_line_parse(line, &r->version, &r->status))
        return give_up(slot, E8_BAD_STATUS, "the status line is malformed");
    x->http_version = r->version;
    if (r->status < 100 || r->status > 599) {
        x->status = r->status;
        return give_up(slot, E8_BAD_STATUS, "the status is not one of 100 to 599");
    }
    r->in_head = true;
    r->lengths = 0;
    x->retry_after[0] = x->location[0] = '\0';
    if (r->status == 101) {
        x->status = 101;
        return give_up(slot, E8_UNEXPECTED_101, "101 Switching Protocols, which nobody had asked for");
    }
    if (r->status >= 200)
        x->status = r->status;
    else if (++r->interims > E8_REPLY_INTERIM_MAX)
        return give_up(slot, E8_TOO_MANY_INTERIM, "more than 16 interim responses");
    if (x->keep)
        e8_buf_reset(&x->head);
    return 1;
}

static size_t content_length(struct e8_slot *slot, struct e8_str value)
{
    uint64_t length;
    if (slot->response.lengths++)
        return give_up(slot, E8_BAD_FRAMING, "two Content-Length headers");
    if (!e8_content_length_parse(value, &length))
        return give_up(slot, E8_BAD_FRAMING, "the Content-Length is not a length");
    return 1;
}

/* No other coding was asked for (RFC 9110, 10.1.4), and libcurl would inflate what it knows and pass what it does not. */
static size_t transfer_encoding(struct e8_slot *slot, struct e8_str value)
{
    if (e8_str_ieq(value, E8_LIT("chunked")) || e8_str_ieq(value, E8_LIT("identity")))
        return 1;
    return give_up(slot, E8_BAD_FRAMING, "a transfer coding that nobody had asked for");
}

static void note(char *out, size_t size, struct e8_str value)
{
    struct e8_buf text;
    if (out[0])
        return; /* of repeated ones the first counts */
    e8_buf_fixed(&text, out, size);
    text.limit = size - 1;
    value.n = value.n > size - 1 ? size - 1 : value.n;
    e8_buf_put_clean(&text, value);
    out[text.n] = '\0';
}

void e8_response_field(struct e8_exchange *x, struct e8_str name, struct e8_str value)
{
    if (e8_str_ieq(name, E8_LIT("retry-after")))
        note(x->retry_after, sizeof x->retry_after, value);
    else if (e8_str_ieq(name, E8_LIT("location")))
        note(x->location, sizeof x->location, value);
}

static size_t field(struct e8_slot *slot, struct e8_str line)
{
    struct e8_str name, value;
    bool folded = line.p[0] == ' ' || line.p[0] == '\t'; /* belongs to the one before it */
    if (folded || !e8_field_split(line, &name, &value))
        return 1;
    if (e8_str_ieq(name, E8_LIT("content-length")))
        return content_length(slot, value);
    if (e8_str_ieq(name, E8_LIT("transfer-encoding")))
        return transfer_encoding(slot, value);
    e8_response_field(slot->exchange, name, value);
    return 1;
}

static void end_head(struct e8_slot *slot)
{
    slot->response.in_head = false;
    if (slot->response.status == 100)
        e8_upload_continue(slot);
    if (slot->response.status < 200)
        return;
    slot->response.complete = true;
    e8_upload_answered(slot);
    /* From here on libcurl's remarks tell of bytes behind the response. */
    curl_easy_setopt(slot->easy, CURLOPT_VERBOSE, 1L);
}

static size_t on_header(char *p, size_t size, size_t n, void *client)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    n *= size;
    struct e8_str line = {p, n};
    if (slot->response.complete)
        return n; /* a trailer */
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
        line.n--;
    size_t good = 1;
    if (!slot->response.begun)
        slot->response.begun = e8_mono_now();
    if (!slot->response.in_head)
        good = begin_head(slot, line);
    else if (line.n)
        good = field(slot, line);
    else
        end_head(slot);
    if (slot->exchange->keep)
        e8_buf_put(&slot->exchange->head, p, n);
    return good ? n : 0;
}

static void keep_body(struct e8_exchange *x, const char *p, size_t n)
{
    size_t room = x->content.limit - x->content.n;
    e8_buf_put(&x->content, p, n < room ? n : room);
}

static size_t on_body(char *p, size_t size, size_t n, void *client)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    n *= size;
    if (slot->exchange->keep)
        keep_body(slot->exchange, p, n);
    slot->response.body += n;
    if (slot->response.body <= E8_BODY_READ_MAX)
        return n;
    slot->capped = true;
    return 0;
}

static bool begins(const char *p, size_t n, const char *words)
{
    size_t length = strlen(words);
    return n >= length && memcmp(p, words, length) == 0;
}

/* Only in what it remarks does libcurl tell that a receiver ends an HTTP/2 connection by GOAWAY; and, of HTTP/1.1, that it has read
 * more than the response when both came at once: it drops the rest, and closes the connection in some of the cases alone
 * (lib/transfer.c, "Excess found", "Leftovers after chunking"). */
static int on_remark(CURL *easy, curl_infotype type, char *p, size_t n, void *client)
{
    struct e8_slot *slot = client;
    E8_CHECK_MAGIC(slot, E8_SLOT_MAGIC);
    (void)easy;
    if (type != CURLINFO_TEXT)
        return 0;
    if (slot->reach.http == E8_HTTP_2 && memmem(p, n, "GOAWAY", 6))
        e8_conn_goes_away(slot);
    if (begins(p, n, "Excess found") || begins(p, n, "Leftovers after chunking"))
        slot->trailing = true;
    return 0;
}

void e8_response_setup(struct e8_slot *slot)
{
    curl_easy_setopt(slot->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(slot->easy, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_DEBUGFUNCTION, on_remark);
    curl_easy_setopt(slot->easy, CURLOPT_DEBUGDATA, slot);
}
