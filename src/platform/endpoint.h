/* A webhook as an endpoint of a plan. Internal to platform. */
#ifndef E8_PLATFORM_ENDPOINT_H
#define E8_PLATFORM_ENDPOINT_H

#include "platform/store.h"
#include "scenario/scenario.h"

/* Its subscription is left empty. Texts are the webhook's or lie in the arena, its secrets (those valid at `now`, that sign) as well.
 * E8_INPUT: its scheme is not known; E8_ENV: the store. */
enum e8_rc e8_webhook_endpoint(struct e8_arena *arena, const struct e8_catalog *catalog,
                               struct e8_store *store, const struct e8_webhook *webhook, e8_wall_ns now,
                               struct e8_endpoint *out, struct e8_err *err);

/* For a scheme with one signature within the grace of a rotation: the same endpoint with the secret from before, which goes on signing
 * what was accepted before the rotation. *out is not touched, and *has false, where there is no such secret. E8_INPUT, E8_ENV. */
enum e8_rc e8_webhook_endpoint_before(struct e8_arena *arena, struct e8_store *store,
                                      const struct e8_webhook *webhook, e8_wall_ns now,
                                      const struct e8_endpoint *present, struct e8_endpoint *out, bool *has,
                                      struct e8_err *err);

#endif
