#include "sign/parts.h"

/* No error here shows anything of a secret, not even its length. */

struct e8_str e8_secret_bare(struct e8_str secret)
{
    size_t n = e8_str_starts(secret, "whsec_") ? 6 : 0;
    return (struct e8_str){secret.p + n, secret.n - n};
}

static enum e8_rc decode(enum e8_secret_form form, struct e8_str secret, struct e8_buf *key,
                         struct e8_err *err)
{
    switch (form) {
    case E8_SECRET_RAW:
        e8_buf_putstr(key, secret);
        return E8_OK;
    case E8_SECRET_WHSEC:
        if (!e8_base64_get(e8_secret_bare(secret), key))
            return e8_fail(err, E8_INPUT, "\"whsec_\" and base64 behind it, whole and without spaces",
                           "the secret is not of the form whsec_BASE64");
        return E8_OK;
    case E8_SECRET_HEX:
        if (!e8_hex_get(secret, key))
            return e8_fail(err, E8_INPUT, "an even number of hex digits", "the secret is not hex");
        return E8_OK;
    case E8_SECRET_BASE64:
        if (!e8_base64_get(secret, key))
            return e8_fail(err, E8_INPUT, "base64 as in RFC 4648, whole and without spaces",
                           "the secret is not base64");
        return E8_OK;
    }
    E8_UNREACHABLE();
}

enum e8_rc e8_secret_key(enum e8_secret_form form, struct e8_str secret, struct e8_buf *key,
                         struct e8_err *err)
{
    if (secret.n == 0)
        return e8_fail(err, E8_INPUT, "make one with: openssl rand -hex 32", "the secret is empty");
    if (secret.n < E8_SECRET_MIN)
        return e8_fail(err, E8_INPUT, "at least 16 characters; make one with: openssl rand -hex 32",
                       "the secret is too short");
    enum e8_rc rc = decode(form, secret, key, err);
    if (rc == E8_OK && key->n < E8_SECRET_MIN)
        return e8_fail(err, E8_INPUT, "at least 16 bytes after decoding", "the secret is too short");
    E8_ASSERT(rc != E8_OK || !key->full);
    return rc;
}
