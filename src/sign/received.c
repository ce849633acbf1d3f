#include <string.h>

#include "sign/parts.h"

/* What a verdict is called in reports, and what it means. */
static const struct {
    const char *name, *text;
} verdicts[] = {
    [E8_VERIFIED] = {"verified", "the signature is right"},
    [E8_SIG_MISSING] = {"signature_missing", "the request has no signature header"},
    [E8_SIG_MALFORMED] = {"signature_malformed", "the signature header is not of the scheme's form"},
    [E8_SIG_MISMATCH] = {"signature_mismatch", "the signature does not fit the content and the secret"},
    [E8_TIME_MISSING] = {"timestamp_missing",
                         "the signed timestamp is missing, not a number, or there more than once"},
    [E8_TIME_OLD] = {"timestamp_old",
                     "the signature is right, but its timestamp is older than the tolerance"},
    [E8_TIME_NEW] = {"timestamp_new",
                     "the signature is right, but its timestamp is further in the future than the tolerance"},
    [E8_ID_MISSING] = {"id_missing", "the signed id is missing, empty, or there more than once"},
};

const char *e8_verdict_name(enum e8_verdict verdict)
{
    E8_ASSERT((size_t)verdict < E8_COUNT(verdicts));
    return verdicts[verdict].name;
}

const char *e8_verdict_text(enum e8_verdict verdict)
{
    E8_ASSERT((size_t)verdict < E8_COUNT(verdicts));
    return verdicts[verdict].text;
}

size_t e8_digest_text_size(const struct e8_scheme *scheme)
{
    size_t n = e8_hash_size(scheme->hash);
    return scheme->encoding == E8_SIGN_HEX ? 2 * n : (n + 2) / 3 * 4;
}

static const char *hex_fault(struct e8_str text)
{
    bool upper = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c >= 'A' && c <= 'F')
            upper = true;
        else if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return "the digest has a character that is no hex digit";
    }
    return upper ? "the digest has upper-case hex digits" : NULL;
}

static const char *base64_fault(struct e8_str text)
{
    char memory[E8_DIGEST_MAX + 3];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    return e8_base64_get(text, &buf) ? NULL : "the digest is not base64 as RFC 4648 has it";
}

/* Why the text cannot be a digest of this scheme; NULL when it can. Public bytes alone: no secret, no timing. */
static const char *digest_fault(const struct e8_scheme *scheme, struct e8_str text)
{
    if (text.n == 0)
        return "the digest is empty";
    if (scheme->prefix[0] != 0 && e8_str_starts(text, scheme->prefix))
        return "the prefix stands there twice";
    if (text.n != e8_digest_text_size(scheme))
        return text.n < e8_digest_text_size(scheme) ? "the digest is too short" : "the digest is too long";
    return scheme->encoding == E8_SIGN_HEX ? hex_fault(text) : base64_fault(text);
}

static void note_fault(struct e8_received *got, const char *fault)
{
    if (got->fault == NULL)
        got->fault = fault;
}

/* One item of the signature header. Items of other versions ("v0=", "v1a,") are none of ours. */
static void read_item(const struct e8_scheme *scheme, struct e8_str item, size_t *timestamps,
                      struct e8_received *got)
{
    if (scheme->timestamp_item != NULL && e8_str_starts(item, scheme->timestamp_item)) {
        size_t n = strlen(scheme->timestamp_item);
        got->timestamp = (struct e8_str){item.p + n, item.n - n};
        ++*timestamps;
        return;
    }
    if (!e8_str_starts(item, scheme->prefix)) {
        if (scheme->separator[0] == 0)
            note_fault(got, "the signature does not begin with the scheme's prefix");
        return;
    }
    size_t n = strlen(scheme->prefix);
    struct e8_str digest = {item.p + n, item.n - n};
    const char *fault = digest_fault(scheme, digest);
    if (fault != NULL)
        note_fault(got, fault);
    else if (got->count == E8_SIGNATURES_MAX)
        note_fault(got, "there are too many signatures");
    else
        got->digests[got->count++] = digest;
}

static void read_items(const struct e8_scheme *scheme, struct e8_received *got)
{
    size_t timestamps = 0;
    struct e8_str rest = got->value;
    if (scheme->separator[0] == 0) {
        read_item(scheme, rest, &timestamps, got);
    } else {
        struct e8_str mark = e8_str_trim_blanks(e8_str(scheme->separator)), item;
        while (e8_str_split(&rest, mark.n > 0 ? mark.p[0] : ' ', &item)) {
            item = e8_str_trim_blanks(item);
            if (item.n > 0)
                read_item(scheme, item, &timestamps, got);
        }
        if (got->count == 0)
            note_fault(got, got->value.n == 0 ? "the signature header is empty"
                                              : "no item of the signature header has the scheme's prefix");
    }
    if (timestamps > 1)
        got->timestamp = (struct e8_str){NULL, 0};
}

/* The value of the header that is there exactly once; else its p is NULL. */
static struct e8_str only_value(const struct e8_header *headers, size_t count, const char *name)
{
    const struct e8_header *first = e8_header_find(headers, count, name);
    if (first == NULL)
        return (struct e8_str){NULL, 0};
    size_t left = count - (size_t)(first - headers) - 1;
    if (e8_header_find(first + 1, left, name) != NULL)
        return (struct e8_str){NULL, 0};
    return e8_str_trim_blanks(first->value);
}

static void read_signature(const struct e8_scheme *scheme, const struct e8_header *headers, size_t count,
                           struct e8_received *got)
{
    for (size_t i = 0; i < count; i++) {
        if (!e8_str_ieq(headers[i].name, e8_str(scheme->header)))
            continue;
        if (got->headers++ == 0)
            got->value = e8_str_trim_blanks(headers[i].value);
    }
    if (got->headers > 1)
        note_fault(got, "there is more than one signature header");
    if (got->value.n > E8_SIGNATURE_MAX)
        note_fault(got, "the signature header is too long");
    else if (got->headers > 0)
        read_items(scheme, got);
}

/* Decimal digits as a sender writes them: no sign, no leading zero. */
static bool read_seconds(struct e8_received *got)
{
    struct e8_str text = got->timestamp;
    if (text.n == 0 || text.p[0] == '-' || (text.n > 1 && text.p[0] == '0'))
        return false;
    return e8_parse_i64(text, &got->seconds);
}

enum e8_verdict e8_received_read(const struct e8_scheme *scheme, const struct e8_header *headers,
                                 size_t count, struct e8_received *out)
{
    *out = (struct e8_received){0};
    read_signature(scheme, headers, count, out);
    if (scheme->timestamp_header != NULL)
        out->timestamp = only_value(headers, count, scheme->timestamp_header);
    if (scheme->id_header != NULL)
        out->id = only_value(headers, count, scheme->id_header);
    bool timed = read_seconds(out);
    if (out->headers == 0)
        return E8_SIG_MISSING;
    if (out->fault != NULL)
        return E8_SIG_MALFORMED;
    if (scheme->signs_id && out->id.n == 0)
        return E8_ID_MISSING;
    return scheme->signs_timestamp && !timed ? E8_TIME_MISSING : E8_VERIFIED;
}
