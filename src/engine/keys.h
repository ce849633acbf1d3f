/* The signers of an endpoint through its rotations. Internal to engine. */
#ifndef E8_ENGINE_KEYS_H
#define E8_ENGINE_KEYS_H

#include <stdatomic.h>

#include "engine/engine.h"

/* Which secret of an endpoint signs; shared by all workers. */
struct e8_rotation {
    atomic_uint generation;   /* rotations so far */
    _Atomic e8_mono_ns grace; /* until then the secret before signs as well */
};

/* One thread's signers of one endpoint. */
struct e8_keyring {
    const struct e8_endpoint *endpoint;
    struct e8_signer *first; /* the secrets that are valid before any rotation; NULL: not signed */
    struct e8_signer *
        *alone; /* [rotation_count + 1]: the secret of each generation alone; NULL: no rotation */
    struct e8_signer **both; /* the same: with the one before; NULL inside where the scheme signs once */
    struct e8_signer
        *before; /* signs what was made before the endpoint was changed (E8_KEYS_BEFORE); NULL: none does */
    struct e8_signer *other; /* made when first asked for */
};
enum { E8_KEYS_BEFORE = 1 }; /* in place of what e8_keys_now says: the secret before, where there is one */

enum e8_rc e8_keyring_init(struct e8_keyring *ring, const struct e8_endpoint *endpoint, struct e8_err *err);
/* before: the secret of `before`, or NULL. */
enum e8_rc e8_keyring_init_changed(struct e8_keyring *ring, const struct e8_endpoint *endpoint,
                                   const char *before, struct e8_err *err);
void e8_keyring_fini(struct e8_keyring *ring);

void e8_rotate(struct e8_rotation *rotation, const struct e8_endpoint *endpoint, e8_mono_ns grace_until);
void e8_revoke(struct e8_rotation *rotation);
/* What signs at this moment, as a number to keep: the same number gives the same keys later. */
uint32_t e8_keys_now(struct e8_rotation *rotation, e8_mono_ns now);
/* tampered: the wrong ones are needed as well. */
struct e8_keys e8_keys_of(struct e8_keyring *ring, uint32_t keys, bool tampered);

#endif
