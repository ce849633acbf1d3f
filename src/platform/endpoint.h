/* A webhook as an endpoint of a plan. Internal to platform. */
#ifndef E8_PLATFORM_ENDPOINT_H
#define E8_PLATFORM_ENDPOINT_H

#include "platform/store.h"
#include "scenario/scenario.h"

#define E8_WEBHOOK_SECRETS 2

/* Its subscription is left empty. Texts are the webhook's or lie in the arena, its secrets as well: secrets[0] is the present one, secrets[1]
 * the one before a rotation where that is valid at `now`, else NULL; secret_count of them sign. E8_INPUT: its scheme is not known; E8_ENV: the
 * store. */
enum e8_rc e8_webhook_endpoint(struct e8_arena *arena, const struct e8_catalog *catalog,
                               struct e8_store *store, const struct e8_webhook *webhook, e8_wall_ns now,
                               struct e8_endpoint *out, struct e8_err *err);

#endif
