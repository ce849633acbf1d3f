/* HMAC, hashes, encodings, constant-time comparison, secure random bytes. The only user of OpenSSL beside libcurl. */
#ifndef E8_DIGEST_DIGEST_H
#define E8_DIGEST_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

enum e8_hash { E8_SHA1, E8_SHA256, E8_SHA384, E8_SHA512 };
#define E8_DIGEST_MAX 64

bool e8_hash_find(struct e8_str name, enum e8_hash *out); /* "sha256", … */
size_t e8_hash_size(enum e8_hash hash);

/* One keyed context, re-initialised for each message: no allocation per message. One thread at a time. */
struct e8_hmac;
struct e8_hmac *e8_hmac_new(enum e8_hash hash, struct e8_str key);
void e8_hmac_free(struct e8_hmac **hmac); /* wipes the key */
void e8_hmac_begin(struct e8_hmac *hmac);
void e8_hmac_add(struct e8_hmac *hmac, struct e8_str part);
size_t e8_hmac_end(struct e8_hmac *hmac, uint8_t out[E8_DIGEST_MAX]);

/* Incremental SHA-256 for content digests. */
struct e8_sha256;
struct e8_sha256 *e8_sha256_new(void);
void e8_sha256_add(struct e8_sha256 *sha, struct e8_str part);
void e8_sha256_end(struct e8_sha256 **sha, uint8_t out[32]); /* frees it */
void e8_sha256_of(struct e8_str bytes, uint8_t out[32]);

void e8_hex_put(struct e8_buf *buf, const void *bytes, size_t n); /* lower case */
/* Both cases; false when it is not hex of even length. Appends. */
bool e8_hex_get(struct e8_str text, struct e8_buf *out);
void e8_base64_put(struct e8_buf *buf, const void *bytes, size_t n); /* RFC 4648, padded */
bool e8_base64_get(struct e8_str text, struct e8_buf *out); /* padded or not; strict otherwise. Appends. */

/* Time depends on the lengths alone. */
bool e8_ct_equal(struct e8_str a, struct e8_str b);
void e8_random_bytes(void *out, size_t n); /* cryptographic; dies if the system has none */

#endif
