#include <stdlib.h>
#include <string.h>

#include "sign/parts.h"

#define SIGNER_MAGIC 0x519e4e81u

struct e8_signer {
    unsigned magic;
    const struct e8_scheme *scheme;
    struct e8_part parts[E8_PARTS_MAX]; /* of the content */
    size_t part_count;
    struct e8_hmac *keys[E8_SECRETS_MAX];
    size_t key_count;
};

static enum e8_rc add_key(struct e8_signer *signer, struct e8_str secret, struct e8_err *err)
{
    char *memory = e8_new(1, secret.n + 1);
    struct e8_buf key;
    e8_buf_fixed(&key, memory, secret.n + 1);
    enum e8_rc rc = e8_secret_key(signer->scheme->secret, secret, &key, err);
    if (rc == E8_OK)
        signer->keys[signer->key_count++] = e8_hmac_new(signer->scheme->hash, e8_buf_str(&key));
    explicit_bzero(memory, secret.n + 1);
    free(memory);
    return rc;
}

enum e8_rc e8_signer_new(const struct e8_scheme *scheme, const char *const *secrets, size_t count,
                         struct e8_signer **out, struct e8_err *err)
{
    *out = NULL;
    if (count == 0)
        return e8_fail(err, E8_INPUT, "from --secret-file, EMIT8_SECRET or the scenario",
                       "there is no secret to sign with");
    if (count > E8_SECRETS_MAX)
        return e8_fail(err, E8_INPUT, NULL, "more than %d secrets for one endpoint", E8_SECRETS_MAX);
    struct e8_signer *signer = e8_new(1, sizeof *signer);
    signer->magic = SIGNER_MAGIC;
    signer->scheme = scheme;
    struct e8_str rest = e8_str(scheme->content);
    while (rest.n > 0) {
        E8_ASSERT(signer->part_count < E8_PARTS_MAX);
        e8_part_next(&rest, &signer->parts[signer->part_count++]);
    }
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; i < count && rc == E8_OK; i++)
        rc = add_key(signer, e8_str(secrets[i]), err);
    if (rc != E8_OK)
        e8_signer_free(&signer);
    *out = signer;
    return rc;
}

enum e8_rc e8_signer_check(const struct e8_scheme *scheme, const char *const *secrets, size_t count,
                           struct e8_err *err)
{
    struct e8_signer *signer = NULL;
    enum e8_rc rc = count > 0 ? e8_signer_new(scheme, secrets, count, &signer, err) : E8_OK;
    e8_signer_free(&signer);
    return rc;
}

void e8_signer_free(struct e8_signer **signer)
{
    if (*signer == NULL)
        return;
    E8_CHECK_MAGIC(*signer, SIGNER_MAGIC);
    for (size_t i = 0; i < (*signer)->key_count; i++)
        e8_hmac_free(&(*signer)->keys[i]);
    (*signer)->magic = 0;
    free(*signer);
    *signer = NULL;
}

const struct e8_scheme *e8_signer_scheme(const struct e8_signer *signer)
{
    E8_CHECK_MAGIC(signer, SIGNER_MAGIC);
    return signer->scheme;
}

void e8_digest_encode(enum e8_sign_encoding encoding, const uint8_t *digest, size_t n, struct e8_buf *out)
{
    if (encoding == E8_SIGN_HEX)
        e8_hex_put(out, digest, n);
    else
        e8_base64_put(out, digest, n);
}

/* The digest's text of the content under one key. */
static void put_digest(struct e8_signer *signer, size_t key, const struct e8_content *content,
                       struct e8_buf *out)
{
    struct e8_hmac *hmac = signer->keys[key];
    uint8_t digest[E8_DIGEST_MAX];
    e8_hmac_begin(hmac);
    for (size_t i = 0; i < signer->part_count; i++)
        e8_content_add(hmac, &signer->parts[i], content);
    size_t n = e8_hmac_end(hmac, digest);
    e8_digest_encode(signer->scheme->encoding, digest, n, out);
}

void e8_signer_sign(struct e8_signer *signer, const struct e8_sign_input *in, struct e8_buf *out)
{
    E8_CHECK_MAGIC(signer, SIGNER_MAGIC);
    const struct e8_scheme *scheme = signer->scheme;
    char digits[24];
    struct e8_buf timestamp;
    e8_buf_fixed(&timestamp, digits, sizeof digits);
    e8_buf_puti(&timestamp, in->timestamp);
    bool text = in->timestamp_text.p != NULL;
    struct e8_content content = {in->id, text ? in->timestamp_text : e8_buf_str(&timestamp), in->body};
    if (scheme->timestamp_item != NULL) {
        e8_buf_puts(out, scheme->timestamp_item);
        e8_buf_putstr(out, content.timestamp);
        e8_buf_puts(out, scheme->separator);
    }
    size_t count = scheme->multiple ? signer->key_count : 1;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            e8_buf_puts(out, scheme->separator);
        e8_buf_puts(out, scheme->prefix);
        put_digest(signer, i, &content, out);
    }
}

/* Every secret is tried with every signature, so that time tells neither which matched nor how far. */
static bool any_matches(struct e8_signer *signer, const struct e8_received *got, struct e8_str body,
                        size_t *matched)
{
    struct e8_content content = {got->id, got->timestamp, body};
    size_t found = E8_SECRETS_MAX;
    for (size_t key = 0; key < signer->key_count; key++) {
        char memory[2 * E8_DIGEST_MAX];
        struct e8_buf expected;
        e8_buf_fixed(&expected, memory, sizeof memory);
        put_digest(signer, key, &content, &expected);
        bool equal = false;
        for (size_t i = 0; i < got->count; i++)
            equal |= e8_ct_equal(e8_buf_str(&expected), got->digests[i]);
        if (equal && found == E8_SECRETS_MAX)
            found = key;
        explicit_bzero(memory, sizeof memory);
    }
    if (matched != NULL && found < E8_SECRETS_MAX)
        *matched = found;
    return found < E8_SECRETS_MAX;
}

/* Whole seconds, as receivers count them. Unsigned, since the far past and the far future may be apart by more than int64. */
static enum e8_verdict check_time(int64_t seconds, e8_wall_ns now, e8_dur_ns tolerance)
{
    int64_t now_seconds = now / E8_NS_S - (now % E8_NS_S < 0);
    uint64_t allowed = (uint64_t)(tolerance / E8_NS_S);
    if (seconds < now_seconds)
        return (uint64_t)now_seconds - (uint64_t)seconds > allowed ? E8_TIME_OLD : E8_VERIFIED;
    return (uint64_t)seconds - (uint64_t)now_seconds > allowed ? E8_TIME_NEW : E8_VERIFIED;
}

enum e8_verdict e8_verify(struct e8_signer *signer, const struct e8_header *headers, size_t count,
                          struct e8_str body, e8_wall_ns now, e8_dur_ns tolerance, size_t *matched)
{
    E8_CHECK_MAGIC(signer, SIGNER_MAGIC);
    struct e8_received got;
    enum e8_verdict verdict = e8_received_read(signer->scheme, headers, count, &got);
    if (verdict != E8_VERIFIED)
        return verdict;
    if (!any_matches(signer, &got, body, matched))
        return E8_SIG_MISMATCH;
    if (!signer->scheme->signs_timestamp || tolerance < 0)
        return E8_VERIFIED;
    return check_time(got.seconds, now, tolerance);
}
