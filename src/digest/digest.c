#include "digest/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define HMAC_MAGIC   0x4ac1d6e1u
#define SHA256_MAGIC 0x54a256d1u

static const struct {
    const char *name;
    const char *openssl;
    size_t size;
} hashes[] = {
    [E8_SHA1] = {"sha1", "SHA1", 20},
    [E8_SHA256] = {"sha256", "SHA256", 32},
    [E8_SHA384] = {"sha384", "SHA384", 48},
    [E8_SHA512] = {"sha512", "SHA512", 64},
};

struct e8_hmac {
    unsigned magic;
    bool open; /* between begin and end */
    enum e8_hash hash;
    EVP_MAC_CTX *ctx;
};

struct e8_sha256 {
    unsigned magic;
    EVP_MD_CTX *ctx;
};

bool e8_hash_find(struct e8_str name, enum e8_hash *out)
{
    for (size_t i = 0; i < E8_COUNT(hashes); i++) {
        if (e8_str_is(name, hashes[i].name)) {
            *out = (enum e8_hash)i;
            return true;
        }
    }
    return false;
}

size_t e8_hash_size(enum e8_hash hash)
{
    E8_ASSERT((size_t)hash < E8_COUNT(hashes));
    return hashes[hash].size;
}

static const unsigned char *bytes_of(struct e8_str str)
{
    return (const unsigned char *)(str.p ? str.p : "");
}

static void set_key(EVP_MAC_CTX *ctx, enum e8_hash hash, struct e8_str key)
{
    char name[16] = "";
    for (size_t i = 0; hashes[hash].openssl[i]; i++)
        name[i] = hashes[hash].openssl[i];
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                           OSSL_PARAM_construct_end()};
    /* A NULL key would mean "the key of last time", so an empty one needs an address. */
    E8_ASSERT(EVP_MAC_init(ctx, bytes_of(key), key.n, params) == 1);
}

struct e8_hmac *e8_hmac_new(enum e8_hash hash, struct e8_str key)
{
    E8_ASSERT((size_t)hash < E8_COUNT(hashes));
    struct e8_hmac *hmac = e8_new(1, sizeof *hmac);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    E8_ASSERT(mac != NULL);
    hmac->magic = HMAC_MAGIC;
    hmac->hash = hash;
    hmac->ctx = EVP_MAC_CTX_new(mac);
    E8_ASSERT(hmac->ctx != NULL);
    EVP_MAC_free(mac); /* the context holds its own reference */
    set_key(hmac->ctx, hash, key);
    return hmac;
}

void e8_hmac_free(struct e8_hmac **hmac)
{
    if (*hmac == NULL)
        return;
    E8_CHECK_MAGIC(*hmac, HMAC_MAGIC);
    EVP_MAC_CTX_free((*hmac)->ctx); /* OpenSSL cleanses its copy of the key and the keyed states */
    OPENSSL_cleanse(*hmac, sizeof **hmac);
    free(*hmac);
    *hmac = NULL;
}

void e8_hmac_begin(struct e8_hmac *hmac)
{
    E8_CHECK_MAGIC(hmac, HMAC_MAGIC);
    E8_ASSERT(EVP_MAC_init(hmac->ctx, NULL, 0, NULL) == 1);
    hmac->open = true;
}

void e8_hmac_add(struct e8_hmac *hmac, struct e8_str part)
{
    E8_CHECK_MAGIC(hmac, HMAC_MAGIC);
    E8_ASSERT(hmac->open);
    E8_ASSERT(EVP_MAC_update(hmac->ctx, bytes_of(part), part.n) == 1);
}

size_t e8_hmac_end(struct e8_hmac *hmac, uint8_t out[E8_DIGEST_MAX])
{
    E8_CHECK_MAGIC(hmac, HMAC_MAGIC);
    E8_ASSERT(hmac->open);
    size_t n = 0;
    E8_ASSERT(EVP_MAC_final(hmac->ctx, out, &n, E8_DIGEST_MAX) == 1);
    E8_ASSERT(n == hashes[hmac->hash].size);
    hmac->open = false;
    return n;
}

struct e8_sha256 *e8_sha256_new(void)
{
    struct e8_sha256 *sha = e8_new(1, sizeof *sha);
    sha->magic = SHA256_MAGIC;
    sha->ctx = EVP_MD_CTX_new();
    E8_ASSERT(sha->ctx != NULL);
    E8_ASSERT(EVP_DigestInit_ex(sha->ctx, EVP_sha256(), NULL) == 1);
    return sha;
}

void e8_sha256_add(struct e8_sha256 *sha, struct e8_str part)
{
    E8_CHECK_MAGIC(sha, SHA256_MAGIC);
    E8_ASSERT(EVP_DigestUpdate(sha->ctx, bytes_of(part), part.n) == 1);
}

void e8_sha256_end(struct e8_sha256 **sha, uint8_t out[32])
{
    E8_CHECK_MAGIC(*sha, SHA256_MAGIC);
    unsigned n = 0;
    E8_ASSERT(EVP_DigestFinal_ex((*sha)->ctx, out, &n) == 1);
    E8_ASSERT(n == 32);
    EVP_MD_CTX_free((*sha)->ctx);
    (*sha)->magic = 0;
    free(*sha);
    *sha = NULL;
}

void e8_sha256_of(struct e8_str bytes, uint8_t out[32])
{
    struct e8_sha256 *sha = e8_sha256_new();
    e8_sha256_add(sha, bytes);
    e8_sha256_end(&sha, out);
}

bool e8_ct_equal(struct e8_str a, struct e8_str b)
{
    if (a.n != b.n)
        return false;
    return CRYPTO_memcmp(bytes_of(a), bytes_of(b), a.n) == 0;
}

void e8_random_bytes(void *out, size_t n)
{
    unsigned char *at = out;
    while (n > 0) {
        int chunk = n > 1 << 20 ? 1 << 20 : (int)n;
        E8_ASSERT(RAND_bytes(at, chunk) == 1);
        at += chunk;
        n -= (size_t)chunk;
    }
}
