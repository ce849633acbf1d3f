#include <stdlib.h>
#include <string.h>

#include "sign/parts.h"

/* The search: each thing that a sender can do otherwise is a dimension, whose first value is what the scheme says. A
 * candidate takes one value of each; the fewest deviations come first, and two at once are tried on small bodies only. */

#define FOUND_MAX      16 /* digests in the header, in whatever form */
#define STAMPS_MAX     8  /* headers that could hold the timestamp or the id */
#define BODY_MAX       ((size_t)4 << 20)
#define BODY_SMALL     ((size_t)32 << 10)
#define DEVIATIONS_MAX 2

/* A digest that stands somewhere in the signature header. */
struct found {
    uint8_t bytes[E8_DIGEST_MAX];
    size_t n;
    const char *form; /* how it is written otherwise than the scheme says; NULL: as it says */
};

/* A text with its origin. */
struct source {
    struct e8_str text, header;
};

struct search {
    const struct e8_scheme *scheme;
    const char *const *secrets;
    size_t secret_count;
    struct e8_str body;
    struct e8_doc *doc; /* the body, where it is JSON */
    struct found found[FOUND_MAX];
    size_t found_count;
    struct source timestamps[STAMPS_MAX], ids[STAMPS_MAX];
    size_t timestamp_count, id_count;
    size_t limit; /* deviations of this round */
    size_t tried;
    struct e8_buf *out;
};

/* What is being tried. Index 0 is what the scheme says, in every dimension but secret. */
struct candidate {
    size_t body, key, secret, content, timestamp, id;
    enum e8_hash hash;
    struct e8_str body_text;
};

static const char *const body_changes[] = {
    NULL,
    "with a newline added at its end",
    "without the line break at its end",
    "with LF line ends made CRLF",
    "with CRLF line ends made LF",
    "without the white space around it",
    "empty: something read the body before it was signed or verified",
    "serialised twice, as a JSON string",
};

static const char *const key_changes[] = {
    NULL,
    "taken as plain text",
    "taken as plain text without its \"whsec_\"",
    "taken as plain text with \"whsec_\" before it",
    "decoded from hex",
    "decoded from base64",
    "with a newline at its end",
    "with a carriage return and a newline at its end",
    "with quotes around it",
    "left empty",
};

static const char *const contents[] = {
    NULL,
    "{body}",
    "{timestamp}.{body}",
    "{id}.{timestamp}.{body}",
    "{id}.{body}",
    "v0:{timestamp}:{body}",
    "{timestamp}:{body}",
    "{timestamp}{body}",
    "{body}{timestamp}",
};

static struct e8_str without_line_break(struct e8_str body)
{
    if (body.n > 0 && body.p[body.n - 1] == '\n')
        body.n--;
    if (body.n > 0 && body.p[body.n - 1] == '\r')
        body.n--;
    return body;
}

static void put_line_ends(struct e8_str body, bool crlf, struct e8_buf *out)
{
    for (size_t i = 0; i < body.n; i++) {
        bool before_lf = i + 1 < body.n && body.p[i + 1] == '\n';
        if (body.p[i] == '\r' && before_lf)
            continue;
        if (body.p[i] == '\n' && crlf)
            e8_buf_putc(out, '\r');
        e8_buf_putc(out, body.p[i]);
    }
}

/* The body changed in the way of that index. */
static void make_body(const struct search *s, size_t index, struct e8_buf *out)
{
    switch (index) {
    case 1:
        e8_buf_putstr(out, s->body);
        e8_buf_putc(out, '\n');
        return;
    case 2:
        e8_buf_putstr(out, without_line_break(s->body));
        return;
    case 3:
    case 4:
        put_line_ends(s->body, index == 3, out);
        return;
    case 5:
        e8_buf_putstr(out, e8_str_trim(s->body));
        return;
    case 6:
        return;
    case 7:
        e8_buf_putc(out, '"');
        e8_buf_put_json(out, s->body);
        e8_buf_putc(out, '"');
        return;
    default:
        e8_json_rewrite(e8_doc_root(s->doc), &e8_rewrites[index - E8_COUNT(body_changes)].style, out);
    }
}

static void make_key(const struct search *s, size_t index, struct e8_str secret, struct e8_buf *out)
{
    struct e8_str bare = e8_secret_bare(secret);
    switch (index) {
    case 0:
        e8_secret_key(s->scheme->secret, secret, out, NULL);
        return;
    case 1:
        e8_buf_putstr(out, secret);
        return;
    case 2:
        e8_buf_putstr(out, bare);
        return;
    case 3:
        e8_buf_puts(out, "whsec_");
        e8_buf_putstr(out, bare);
        return;
    case 4:
        e8_hex_get(bare, out);
        return;
    case 5:
        e8_base64_get(bare, out);
        return;
    case 6:
    case 7:
        e8_buf_putstr(out, secret);
        e8_buf_puts(out, index == 6 ? "\n" : "\r\n");
        return;
    case 8:
        e8_buf_putc(out, '"');
        e8_buf_putstr(out, secret);
        e8_buf_putc(out, '"');
        return;
    default:
        return;
    }
}

static const char *content_of(const struct search *s, const struct candidate *c)
{
    return c->content == 0 ? s->scheme->content : contents[c->content];
}

static size_t deviations(const struct search *s, const struct candidate *c)
{
    const bool otherwise[] = {c->body != 0,      c->key != 0, c->content != 0,
                              c->timestamp != 0, c->id != 0,  c->hash != s->scheme->hash};
    size_t n = 0;
    for (size_t i = 0; i < E8_COUNT(otherwise); i++)
        n += otherwise[i];
    return n;
}

static void put_body_name(size_t index, struct e8_buf *out)
{
    if (index < E8_COUNT(body_changes))
        e8_buf_printf(out, "over the body %s", body_changes[index]);
    else
        e8_buf_printf(out, "over the body re-serialised: %s",
                      e8_rewrites[index - E8_COUNT(body_changes)].name);
}

static void put_content_names(const struct search *s, const struct candidate *c, struct e8_buf *out)
{
    const char *content = content_of(s, c);
    e8_buf_printf(out, "over \"%s\" instead of \"%s\"", content, s->scheme->content);
    bool no_id = s->scheme->signs_id && !e8_template_uses(content, E8_VAR_ID);
    bool no_time = s->scheme->signs_timestamp && !e8_template_uses(content, E8_VAR_TIMESTAMP);
    if (no_id || no_time)
        e8_buf_printf(out, " (without the %s%s%s)", no_id ? "id" : "", no_id && no_time ? " and the " : "",
                      no_time ? "timestamp" : "");
}

static const char *hash_name(enum e8_hash hash)
{
    static const char *const names[] = {"SHA-1", "SHA-256", "SHA-384", "SHA-512"};
    return names[hash];
}

static void put_source(const char *what, const struct source *source, struct e8_buf *out)
{
    e8_buf_printf(out, "with the %s of the header ", what);
    e8_buf_put_clean(out, source->header);
}

/* What each dimension says of itself. */
static void put_deviation(const struct search *s, const struct candidate *c, int dimension,
                          struct e8_buf *out)
{
    switch (dimension) {
    case 0:
        put_body_name(c->body, out);
        return;
    case 1:
        e8_buf_printf(out, "with the secret %s", key_changes[c->key]);
        return;
    case 2:
        put_content_names(s, c, out);
        return;
    case 3:
        put_source("timestamp", &s->timestamps[c->timestamp], out);
        return;
    case 4:
        put_source("id", &s->ids[c->id], out);
        return;
    default:
        e8_buf_printf(out, "with HMAC-%s instead of HMAC-%s", hash_name(c->hash), hash_name(s->scheme->hash));
    }
}

static void put_advice(const struct candidate *c, struct e8_buf *out)
{
    if (c->body != 0)
        e8_buf_puts(
            out,
            "hint: sign and verify the body's bytes as they go over the wire, before anything parses it\n");
    if (c->key != 0)
        e8_buf_puts(
            out, "hint: give both sides the same key bytes: mind encoding, prefix, quotes and line ends\n");
}

static void report(const struct search *s, const struct candidate *c, const struct found *found)
{
    const bool deviates[] = {c->body != 0,      c->key != 0, c->content != 0,
                             c->timestamp != 0, c->id != 0,  c->hash != s->scheme->hash};
    bool first = true;
    for (int i = 0; i < (int)E8_COUNT(deviates); i++) {
        if (!deviates[i])
            continue;
        e8_buf_puts(s->out, first ? "cause: the received signature was made " : ", and ");
        put_deviation(s, c, i, s->out);
        first = false;
    }
    if (found->form != NULL)
        e8_buf_printf(s->out, "%s %s", first ? "cause: the digest is right, but written" : ", and written",
                      found->form);
    if (first && found->form == NULL) {
        e8_buf_puts(s->out, "signature: made from this content and ");
        if (s->secret_count > 1)
            e8_buf_printf(s->out, "secret %zu of %zu", c->secret + 1, s->secret_count);
        else
            e8_buf_puts(s->out, "this secret");
    }
    e8_buf_putc(s->out, '\n');
    put_advice(c, s->out);
}

static const struct found *match(const struct search *s, const uint8_t *digest, size_t n)
{
    for (size_t i = 0; i < s->found_count; i++) {
        const struct found *found = &s->found[i];
        if (found->n == n && e8_ct_equal((struct e8_str){(const char *)found->bytes, n},
                                         (struct e8_str){(const char *)digest, n}))
            return found;
    }
    return NULL;
}

static bool try_candidate(struct search *s, struct e8_hmac *hmac, const struct candidate *c)
{
    if (deviations(s, c) != s->limit)
        return false;
    struct e8_content content = {s->ids[c->id].text, s->timestamps[c->timestamp].text, c->body_text};
    struct e8_str rest = e8_str(content_of(s, c));
    struct e8_part part;
    uint8_t digest[E8_DIGEST_MAX];
    e8_hmac_begin(hmac);
    while (e8_part_next(&rest, &part))
        e8_content_add(hmac, &part, &content);
    size_t n = e8_hmac_end(hmac, digest);
    s->tried++;
    const struct found *found = match(s, digest, n);
    explicit_bzero(digest, sizeof digest);
    if (found != NULL)
        report(s, c, found);
    return found != NULL;
}

/* All timestamps and ids that the content of `c` can take. */
static bool try_sources(struct search *s, struct e8_hmac *hmac, struct candidate *c)
{
    const char *content = content_of(s, c);
    size_t timestamps = e8_template_uses(content, E8_VAR_TIMESTAMP) ? s->timestamp_count : 1;
    size_t ids = e8_template_uses(content, E8_VAR_ID) ? s->id_count : 1;
    for (c->timestamp = 0; c->timestamp < timestamps; c->timestamp++) {
        for (c->id = 0; c->id < ids; c->id++) {
            if (try_candidate(s, hmac, c))
                return true;
        }
    }
    return false;
}

static bool is_wanted(const struct search *s, enum e8_hash hash)
{
    for (size_t i = 0; i < s->found_count; i++) {
        if (s->found[i].n == e8_hash_size(hash))
            return true;
    }
    return false;
}

static bool try_hash(struct search *s, struct e8_str key, struct candidate *c)
{
    struct e8_hmac *hmac = e8_hmac_new(c->hash, key);
    bool done = false;
    for (c->content = 0; c->content < E8_COUNT(contents) && !done; c->content++) {
        if (c->content == 0 || strcmp(contents[c->content], s->scheme->content) != 0)
            done = try_sources(s, hmac, c);
    }
    e8_hmac_free(&hmac);
    return done;
}

static bool try_key(struct search *s, struct candidate *c)
{
    struct e8_str secret = e8_str(s->secrets[c->secret]);
    size_t size = secret.n + 8;
    char *memory = e8_new(1, size);
    struct e8_buf key;
    e8_buf_fixed(&key, memory, size);
    make_key(s, c->key, secret, &key);
    bool done = false, empty = c->key + 1 == E8_COUNT(key_changes);
    for (int hash = E8_SHA1; hash <= E8_SHA512 && !done && (key.n > 0 || empty); hash++) {
        c->hash = (enum e8_hash)hash;
        if (is_wanted(s, c->hash))
            done = try_hash(s, e8_buf_str(&key), c);
    }
    explicit_bzero(memory, size);
    free(memory);
    return done;
}

static bool try_body(struct search *s, struct candidate *c)
{
    for (c->secret = 0; c->secret < s->secret_count; c->secret++) {
        for (c->key = 0; c->key < E8_COUNT(key_changes); c->key++) {
            if ((c->body != 0) + (c->key != 0) <= (int)s->limit && try_key(s, c))
                return true;
        }
    }
    return false;
}

static bool try_round(struct search *s)
{
    size_t bodies = s->limit == 0 ? 1 : E8_COUNT(body_changes) + (s->doc != NULL ? e8_rewrite_count : 0);
    bool done = false;
    for (size_t i = 0; i < bodies && !done; i++) {
        struct candidate c = {.body = i, .body_text = s->body};
        struct e8_buf buf;
        e8_buf_init(&buf, 8 * s->body.n + 4096);
        if (i > 0) {
            make_body(s, i, &buf);
            c.body_text = e8_buf_str(&buf);
        }
        if (!buf.full && (i == 0 || !e8_str_eq(c.body_text, s->body)))
            done = try_body(s, &c);
        e8_buf_fini(&buf);
    }
    return done;
}

static bool is_upper_hex(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] >= 'A' && text.p[i] <= 'F')
            return true;
    }
    return false;
}

static bool is_digest_size(size_t n)
{
    return n == 20 || n == 32 || n == 48 || n == 64;
}

/* Notes the text if it is a digest in either encoding. */
static void note_digest(struct search *s, struct e8_str text)
{
    char memory[E8_DIGEST_MAX + 3];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    if (s->found_count == FOUND_MAX || text.n > (size_t)2 * E8_DIGEST_MAX)
        return;
    struct found *found = &s->found[s->found_count];
    if (e8_hex_get(text, &buf) && is_digest_size(buf.n)) {
        found->form = s->scheme->encoding != E8_SIGN_HEX ? "in hex instead of base64"
                      : is_upper_hex(text)               ? "in upper-case hex"
                                                         : NULL;
    } else {
        e8_buf_reset(&buf);
        if (!e8_base64_get(text, &buf) || !is_digest_size(buf.n))
            return;
        found->form = s->scheme->encoding == E8_SIGN_HEX ? "in base64 instead of hex"
                      : text.n % 4 != 0                  ? "without its padding"
                                                         : NULL;
    }
    memcpy(found->bytes, buf.p, buf.n);
    found->n = buf.n;
    s->found_count++;
}

/* A word of the header, whole and behind each '=' or ':', with whatever prefix. */
static void note_word(struct search *s, struct e8_str word)
{
    note_digest(s, word);
    for (size_t i = 0; i + 1 < word.n; i++) {
        if (word.p[i] == '=' || word.p[i] == ':')
            note_digest(s, (struct e8_str){word.p + i + 1, word.n - i - 1});
    }
}

static void note_header(struct search *s, struct e8_str value)
{
    size_t from = 0;
    value.n = value.n > E8_SIGNATURE_MAX ? E8_SIGNATURE_MAX : value.n;
    for (size_t i = 0; i <= value.n; i++) {
        if (i < value.n && value.p[i] != 0 && strchr(" ,;\t", value.p[i]) == NULL)
            continue;
        note_word(s, (struct e8_str){value.p + from, i - from});
        from = i + 1;
    }
}

static bool contains(struct e8_str name, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= name.n; i++) {
        if (e8_str_ieq((struct e8_str){name.p + i, n}, e8_str(word)))
            return true;
    }
    return false;
}

static void note_source(struct source *list, size_t *count, const struct e8_header *header)
{
    if (*count == STAMPS_MAX || e8_str_eq(list[0].text, header->value))
        return;
    list[*count].text = header->value;
    list[(*count)++].header = header->name;
}

/* The scheme's own timestamp and id first (empty where there are none), then what other headers could stand for. */
static void note_sources(struct search *s, const struct e8_header *headers, size_t count,
                         const struct e8_received *got)
{
    s->timestamps[s->timestamp_count++].text = got->timestamp;
    s->ids[s->id_count++].text = got->id;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 0;
        struct e8_str name = headers[i].name;
        if (headers[i].value.n >= 9 && e8_parse_u64(headers[i].value, &number))
            note_source(s->timestamps, &s->timestamp_count, &headers[i]);
        if (contains(name, "-id") || contains(name, "delivery"))
            note_source(s->ids, &s->id_count, &headers[i]);
    }
}

void e8_culprit_find(const struct e8_scheme *scheme, const char *const *secrets, size_t secret_count,
                     const struct e8_header *headers, size_t count, struct e8_str body,
                     const struct e8_received *got, struct e8_buf *out)
{
    struct search s = {
        .scheme = scheme, .secrets = secrets, .secret_count = secret_count, .body = body, .out = out};
    for (size_t i = 0; i < count; i++) {
        if (e8_str_ieq(headers[i].name, e8_str(scheme->header)))
            note_header(&s, headers[i].value);
    }
    if (s.found_count == 0) {
        e8_buf_puts(out, "cause: the signature header holds no whole digest\n");
        return;
    }
    note_sources(&s, headers, count, got);
    size_t rounds = body.n > BODY_MAX ? 0 : body.n > BODY_SMALL ? 1 : DEVIATIONS_MAX;
    if (rounds > 0 && body.n > 0)
        e8_doc_parse("body", body, E8_DOC_JSON, &s.doc, NULL);
    bool done = false;
    for (s.limit = 0; s.limit <= rounds && !done; s.limit++)
        done = try_round(&s);
    if (!done)
        e8_buf_printf(out,
                      "cause: not found; none of %zu usual mistakes gives this signature: another secret, or "
                      "a changed body\n",
                      s.tried);
    e8_doc_free(&s.doc);
}
