/* The webhooks that a run sends to: as they are when it begins, and what becomes of them while it goes on. All on the server's thread.
 * Internal to platform. */
#ifndef E8_PLATFORM_FOLLOW_H
#define E8_PLATFORM_FOLLOW_H

#include "engine/engine.h"
#include "platform/store.h"

struct e8_follow;
/* The enabled ones take the place of the plan's endpoints, and get what they subscribe to. The plan needs it as long as its engine runs. What
 * is made is *out also where there is an error. E8_INPUT: there is none, or none takes anything. */
enum e8_rc e8_follow_begin(struct e8_store *store, const struct e8_catalog *catalog, struct e8_plan *plan,
                           e8_wall_ns now, struct e8_follow **out, struct e8_err *err);
/* The engine has its keys: the secrets are wiped. */
void e8_follow_started(struct e8_follow *follow, struct e8_engine *engine);
/* Tells the engine what has changed since, a grace that is over included. Cheap where nothing has. After an error it does not know where
 * the run may send, which must not go on. */
enum e8_rc e8_follow_look(struct e8_follow *follow, e8_wall_ns now, struct e8_err *err);
/* One has come to take other events than when it began: what was planned is not what is sent. */
bool e8_follow_replanned(const struct e8_follow *follow);
/* The engine has ended. NULL inside is allowed. */
void e8_follow_free(struct e8_follow **follow);

#endif
