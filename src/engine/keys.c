#include "engine/keys.h"

#include <stdlib.h>

/* Secrets that no receiver has, one for each form. */
static const char *const nobodys[] = {
    [E8_SECRET_RAW] = "test-other-secret-4f1c9b7ae2d03856",
    [E8_SECRET_WHSEC] = "whsec_dGVzdC1vdGhlci1zZWNyZXQtNGYxYzliN2FlMmQwMzg1Ng==",
    [E8_SECRET_HEX] = "746573742d6f746865722d7365637265742d34663163396237616532643033383536",
    [E8_SECRET_BASE64] = "dGVzdC1vdGhlci1zZWNyZXQtNGYxYzliN2FlMmQwMzg1Ng==",
};

static const char *secret_of(const struct e8_endpoint *endpoint, size_t generation)
{
    return generation ? endpoint->rotation[generation - 1] : endpoint->secrets[0];
}

static enum e8_rc make_generation(struct e8_keyring *ring, size_t i, struct e8_err *err)
{
    const struct e8_endpoint *endpoint = ring->endpoint;
    const char *secrets[2] = {secret_of(endpoint, i), i ? secret_of(endpoint, i - 1) : NULL};
    enum e8_rc rc = e8_signer_new(endpoint->scheme, secrets, 1, &ring->alone[i], err);
    if (!rc && i && endpoint->scheme->multiple) {
        rc = e8_signer_new(endpoint->scheme, secrets, 2, &ring->both[i], err);
    }
    return rc;
}

enum e8_rc e8_keyring_init(struct e8_keyring *ring, const struct e8_endpoint *endpoint, struct e8_err *err)
{
    ring->endpoint = endpoint;
    if (!endpoint->secret_count) {
        return E8_OK;
    }
    enum e8_rc rc =
        e8_signer_new(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &ring->first, err);
    if (rc || !endpoint->rotation_count) {
        return rc;
    }
    ring->alone = e8_new(endpoint->rotation_count + 1, sizeof(struct e8_signer *));
    ring->both = e8_new(endpoint->rotation_count + 1, sizeof(struct e8_signer *));
    for (size_t i = 0; !rc && i <= endpoint->rotation_count; i++) {
        rc = make_generation(ring, i, err);
    }
    return rc;
}

enum e8_rc e8_keyring_init_changed(struct e8_keyring *ring, const struct e8_endpoint *endpoint,
                                   const char *before, struct e8_err *err)
{
    E8_ASSERT(!endpoint->rotation_count);
    enum e8_rc rc = e8_keyring_init(ring, endpoint, err);
    return rc || !before ? rc : e8_signer_new(endpoint->scheme, &before, 1, &ring->before, err);
}

void e8_keyring_fini(struct e8_keyring *ring)
{
    e8_signer_free(&ring->first);
    e8_signer_free(&ring->before);
    e8_signer_free(&ring->other);
    for (size_t i = 0; ring->alone && i <= ring->endpoint->rotation_count; i++) {
        e8_signer_free(&ring->alone[i]);
        e8_signer_free(&ring->both[i]);
    }
    free(ring->alone);
    free(ring->both);
}

/* The grace goes first: who reads the new generation reads its grace. */
void e8_rotate(struct e8_rotation *rotation, const struct e8_endpoint *endpoint, e8_mono_ns grace_until)
{
    unsigned generation = atomic_load(&rotation->generation);
    if (generation < endpoint->rotation_count) {
        atomic_store(&rotation->grace, grace_until);
        atomic_compare_exchange_strong(&rotation->generation, &generation, generation + 1);
    }
}

void e8_revoke(struct e8_rotation *rotation)
{
    atomic_store(&rotation->grace, 0);
}

uint32_t e8_keys_now(struct e8_rotation *rotation, e8_mono_ns now)
{
    unsigned generation = atomic_load(&rotation->generation);
    return generation << 1 | (generation && now < atomic_load(&rotation->grace));
}

const char *e8_nobodys_secret(const struct e8_scheme *scheme)
{
    E8_ASSERT((size_t)scheme->secret < E8_COUNT(nobodys));
    return nobodys[scheme->secret];
}

static struct e8_signer *other(struct e8_keyring *ring)
{
    if (!ring->other) {
        const struct e8_scheme *scheme = ring->endpoint->scheme;
        const char *secret = e8_nobodys_secret(scheme);
        enum e8_rc rc = e8_signer_new(scheme, &secret, 1, &ring->other, NULL);
        E8_ASSERT(rc == E8_OK);
    }
    return ring->other;
}

struct e8_keys e8_keys_of(struct e8_keyring *ring, uint32_t keys, bool tampered)
{
    size_t generation = keys >> 1;
    struct e8_keys out = {.right = ring->first};
    if (!ring->first) {
        return out;
    }
    if (generation) {
        E8_ASSERT(generation <= ring->endpoint->rotation_count);
        bool both = (keys & 1) && ring->both[generation];
        out.right = both ? ring->both[generation] : ring->alone[generation];
    } else if (keys == E8_KEYS_BEFORE && ring->before) {
        out.right = ring->before;
    }
    if (tampered) {
        out.other = other(ring);
        out.previous = generation ? ring->alone[generation - 1] : ring->before;
        out.next = generation < ring->endpoint->rotation_count ? ring->alone[generation + 1] : NULL;
    }
    return out;
}
