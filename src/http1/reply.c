#include "http1/reply.h"

#include <stdint.h>
#include <string.h>

/* --- lines ----------------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool e8_status_line_parse(struct e8_str line, int *version, int *status)
{
    if (line.n < 10 || memcmp(line.p, "HTTP/", 5) != 0 || !is_digit(line.p[5]))
        return false;
    *version = (line.p[5] - '0') * 10;
    size_t at = 6;
    if (line.p[at] == '.' && is_digit(line.p[at + 1])) {
        *version += line.p[at + 1] - '0';
        at += 2;
    }
    if (line.n < at + 4 || line.p[at] != ' ')
        return false;
    const char *d = line.p + at + 1;
    if (!is_digit(d[0]) || !is_digit(d[1]) || !is_digit(d[2]) || (line.n > at + 4 && d[3] != ' '))
        return false;
    *status = (d[0] - '0') * 100 + (d[1] - '0') * 10 + (d[2] - '0');
    return true;
}

bool e8_field_split(struct e8_str line, struct e8_str *name, struct e8_str *value)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon)
        return false;
    size_t n = (size_t)(colon - line.p);
    *name = e8_str_trim((struct e8_str){line.p, n});
    *value = e8_str_trim((struct e8_str){colon + 1, line.n - n - 1});
    return true;
}

bool e8_content_length_parse(struct e8_str value, uint64_t *out)
{
    return e8_parse_u64(value, out) && *out <= INT64_MAX;
}

static void break_off(struct e8_reply *r, enum e8_reply_fault fault, const char *why)
{
    r->state = E8_REPLY_BROKEN;
    r->fault = fault;
    r->why = why;
}

/* --- the head --------------------------------------------------------------------------------------------------------- */

static void status_line(struct e8_reply *r, struct e8_str line)
{
    int status = 0, version = 0;
    if (!e8_status_line_parse(line, &version, &status) || line.p[6] != '.' ||
        (version != 10 && version != 11) || line.p[9] == '0') {
        break_off(r, E8_REPLY_BAD_STATUS, "the status line is malformed");
        return;
    }
    r->version = version;
    r->interim = status >= 100 && status < 200;
    r->persistent = version == 11;
    r->chunked = r->measured = false;
    r->lengths = 0;
    if (!r->interim || status == 101)
        r->status = status;
    if (status < 100 || status > 599)
        break_off(r, E8_REPLY_BAD_STATUS, "the status is not one of 100 to 599");
    else if (status == 101)
        break_off(r, E8_REPLY_UPGRADED, "101 Switching Protocols, which nobody had asked for");
    else if (r->interim && ++r->interims > E8_REPLY_INTERIM_MAX)
        break_off(r, E8_REPLY_TOO_MANY_INTERIM, "more than 16 interim responses");
    else
        r->state = E8_REPLY_FIELDS;
}

static void content_length(struct e8_reply *r, struct e8_str value)
{
    if (r->lengths++)
        break_off(r, E8_REPLY_BAD_FRAMING, "two Content-Length headers");
    else if (!e8_content_length_parse(value, &r->left))
        break_off(r, E8_REPLY_BAD_FRAMING, "the Content-Length is not a length");
    else
        r->measured = true;
}

/* No other coding was asked for (RFC 9110, 10.1.4). */
static void transfer_encoding(struct e8_reply *r, struct e8_str value)
{
    if (e8_str_ieq(value, E8_LIT("chunked")))
        r->chunked = true;
    else if (!e8_str_ieq(value, E8_LIT("identity")))
        break_off(r, E8_REPLY_BAD_FRAMING, "a transfer coding that nobody had asked for");
}

static void connection(struct e8_reply *r, struct e8_str value)
{
    struct e8_str word;
    while (e8_str_split(&value, ',', &word)) {
        word = e8_str_trim(word);
        if (e8_str_ieq(word, E8_LIT("close")))
            r->persistent = false;
        else if (r->version == 10 && e8_str_ieq(word, E8_LIT("keep-alive")))
            r->persistent = true;
    }
}

static const struct {
    struct e8_str name;
    void (*read)(struct e8_reply *reply, struct e8_str value);
} framing[] = {
    {{"content-length", 14}, content_length},
    {{"transfer-encoding", 17}, transfer_encoding},
    {{"connection", 10}, connection},
};

static void field(struct e8_reply *r, struct e8_str line, const struct e8_reply_taker *taker)
{
    struct e8_str name, value;
    if (line.p[0] == ' ' || line.p[0] == '\t') /* a folded line belongs to the one before it */
        return;
    if (!e8_field_split(line, &name, &value)) {
        break_off(r, E8_REPLY_BAD_HEADER, "a header line without a colon");
        return;
    }
    for (size_t i = 0; i < E8_COUNT(framing); i++) {
        if (name.n == framing[i].name.n && e8_str_ieq(name, framing[i].name)) {
            framing[i].read(r, value);
            return;
        }
    }
    if (taker->field && !r->interim)
        taker->field(taker->state, name, value);
}

/* RFC 9112, 6.3: which body follows the head. */
static void end_head(struct e8_reply *r)
{
    if (r->interim) {
        r->state = E8_REPLY_STATUS;
        return;
    }
    r->complete = true;
    if (r->bodiless || r->status == 204 || r->status == 304) {
        r->state = E8_REPLY_WHOLE;
        return;
    }
    if (r->chunked) {
        r->state = E8_REPLY_CHUNK_SIZE;
        return;
    }
    if (!r->measured) {
        r->left = UINT64_MAX;
        r->persistent = false;
    }
    r->state = r->left ? E8_REPLY_BODY : E8_REPLY_WHOLE;
}

/* --- chunks (RFC 9112, 7.1) ------------------------------------------------------------------------------------------- */

static int hex_of(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void chunk_size(struct e8_reply *r, struct e8_str line)
{
    size_t digits = 0;
    r->left = 0;
    while (digits < line.n && hex_of(line.p[digits]) >= 0 && digits < 16)
        r->left = r->left << 4 | (uint64_t)hex_of(line.p[digits++]);
    char next = digits < line.n ? line.p[digits] : ';';
    r->head +=
        line.n - digits; /* extensions: they are bounded with the fields, for they too are no content */
    if (r->head > E8_REPLY_HEAD_MAX)
        break_off(r, E8_REPLY_BAD_FRAMING, "the extensions of chunks are too large");
    else if (!digits || (next != ';' && next != ' ' && next != '\t') || r->left > INT64_MAX)
        break_off(r, E8_REPLY_BAD_FRAMING, "the size of a chunk is malformed");
    else
        r->state = r->left ? E8_REPLY_CHUNK : E8_REPLY_TRAILER;
}

/* --- feeding ---------------------------------------------------------------------------------------------------------- */

static void take_line(struct e8_reply *r, struct e8_str line, const struct e8_reply_taker *taker)
{
    switch (r->state) {
    case E8_REPLY_STATUS:
        status_line(r, line);
        break;
    case E8_REPLY_FIELDS:
        if (line.n)
            field(r, line, taker);
        else
            end_head(r);
        break;
    case E8_REPLY_CHUNK_SIZE:
        chunk_size(r, line);
        break;
    case E8_REPLY_CHUNK_END:
        r->state = E8_REPLY_CHUNK_SIZE;
        break;
    case E8_REPLY_TRAILER:
        if (!line.n)
            r->state = E8_REPLY_WHOLE;
        break;
    default:
        E8_UNREACHABLE();
    }
}

/* What is not HTTP is known before its first line has an end. */
static bool may_be_http(const struct e8_reply *r, const char *p, size_t n)
{
    static const char prefix[] = "HTTP/";
    size_t had = r->line.n;
    for (size_t i = had; i < sizeof prefix - 1 && i - had < n; i++) {
        if (p[i - had] != prefix[i])
            return false;
    }
    return true;
}

/* In a chunk's end nothing but a line break is waited for. */
static bool stray(const struct e8_reply *r, const char *p, size_t n)
{
    if (r->state != E8_REPLY_CHUNK_END || *p == '\n')
        return false;
    return r->line.n || *p != '\r' || (n > 1 && p[1] != '\n');
}

static bool in_head(const struct e8_reply *r)
{
    return r->state == E8_REPLY_STATUS || r->state == E8_REPLY_FIELDS || r->state == E8_REPLY_TRAILER;
}

/* The limits, of what has come so far of a line. */
static bool within(struct e8_reply *r, const char *p, size_t n)
{
    r->head += in_head(r) ? n : 0;
    if (r->line.n + n > E8_REPLY_LINE_MAX || r->head > E8_REPLY_HEAD_MAX)
        break_off(r, E8_REPLY_BAD_HEADER, "the head of the response is too large");
    else if (in_head(r) && memchr(p, '\0', n))
        break_off(r, E8_REPLY_BAD_HEADER, "a NUL in the head of the response");
    return r->state != E8_REPLY_BROKEN;
}

static void keep_head(const struct e8_reply *r, const char *p, size_t n, const struct e8_reply_taker *taker)
{
    if (!taker->head || (r->state != E8_REPLY_STATUS && r->state != E8_REPLY_FIELDS))
        return;
    if (r->state == E8_REPLY_STATUS && r->line.n == 0)
        e8_buf_reset(taker->head);
    e8_buf_put(taker->head, p, n);
}

static struct e8_str without_end(struct e8_str line)
{
    line.n--;
    line.n -= line.n && line.p[line.n - 1] == '\r';
    return line;
}

/* A line, or the beginning of one; returns the bytes taken. */
static size_t feed_line(struct e8_reply *r, const char *p, size_t n, const struct e8_reply_taker *taker)
{
    const char *end = memchr(p, '\n', n);
    size_t taken = end ? (size_t)(end - p) + 1 : n;
    if (r->state == E8_REPLY_STATUS && !may_be_http(r, p, taken)) {
        break_off(r, E8_REPLY_NOT_HTTP, "the answer is not HTTP");
        return taken;
    }
    if (stray(r, p, taken)) {
        break_off(r, E8_REPLY_BAD_FRAMING, "a chunk is longer than its size says");
        return taken;
    }
    keep_head(r, p, taken, taker);
    if (!within(r, p, taken))
        return taken;
    struct e8_str line = {p, taken};
    if (!end || r->line.n) {
        e8_buf_put(&r->line, p, taken);
        line = e8_buf_str(&r->line);
    }
    if (end) {
        take_line(r, without_end(line), taker);
        e8_buf_reset(&r->line);
    }
    return taken;
}

static size_t feed_body(struct e8_reply *r, const char *p, size_t n, const struct e8_reply_taker *taker)
{
    size_t taken = n < r->left ? n : (size_t)r->left;
    if (taker->content) {
        size_t room = taker->content->limit - taker->content->n;
        e8_buf_put(taker->content, p, taken < room ? taken : room);
    }
    r->body += taken;
    r->left -= r->left == UINT64_MAX ? 0 : taken;
    if (r->body > r->most)
        r->state = E8_REPLY_CAPPED;
    else if (r->left == 0)
        r->state = r->state == E8_REPLY_CHUNK ? E8_REPLY_CHUNK_END : E8_REPLY_WHOLE;
    return taken;
}

size_t e8_reply_feed(struct e8_reply *r, const char *bytes, size_t n, const struct e8_reply_taker *taker)
{
    size_t at = 0;
    while (at < n && r->state < E8_REPLY_WHOLE) {
        bool body = r->state == E8_REPLY_BODY || r->state == E8_REPLY_CHUNK;
        at += body ? feed_body(r, bytes + at, n - at, taker) : feed_line(r, bytes + at, n - at, taker);
    }
    return at;
}

size_t e8_reply_recall(struct e8_reply *r, const struct e8_reply_memo *memo, const char *bytes, size_t n)
{
    if (!memo->n || n < memo->n || memcmp(bytes, memo->head, memo->n) != 0)
        return 0;
    E8_ASSERT(r->state == E8_REPLY_STATUS && !r->head && !r->line.n);
    r->status = memo->status;
    r->version = memo->version;
    r->persistent = memo->persistent;
    r->complete = r->measured = true;
    r->lengths = 1;
    r->left = memo->length;
    r->head = memo->n;
    r->state = r->left && !r->bodiless ? E8_REPLY_BODY : E8_REPLY_WHOLE;
    return memo->n;
}

void e8_reply_remember(struct e8_reply_memo *memo, const struct e8_reply *r, const char *bytes, size_t n)
{
    bool plain = r->complete && r->measured && !r->chunked && !r->interims && r->fault == E8_REPLY_GOOD;
    if (!plain || r->status == 204 || r->status == 304 || r->head > n || r->head > E8_REPLY_MEMO_MAX)
        return;
    memo->n = r->head;
    memcpy(memo->head, bytes, r->head);
    memo->status = r->status;
    memo->version = r->version;
    memo->persistent = r->persistent;
    memo->length = r->left + r->body;
}

void e8_reply_eof(struct e8_reply *r)
{
    if (r->state == E8_REPLY_BODY && !r->measured)
        r->state = E8_REPLY_WHOLE;
}

void e8_reply_init(struct e8_reply *r)
{
    memset(r, 0, sizeof *r);
    e8_buf_init(&r->line, E8_REPLY_LINE_MAX);
}

void e8_reply_fini(struct e8_reply *r)
{
    e8_buf_fini(&r->line);
}

void e8_reply_reset(struct e8_reply *r, bool bodiless, uint64_t most)
{
    struct e8_buf line = r->line;
    e8_buf_reset(&line);
    *r = (struct e8_reply){.bodiless = bodiless, .most = most, .line = line};
}
