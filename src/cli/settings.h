/* What a shard was run with, among its notes: so that emit8 merge can say in which option two of them differ. */
#ifndef E8_CLI_SETTINGS_H
#define E8_CLI_SETTINGS_H

#include "cli/execute.h"

#define E8_SETTINGS_MAX ((size_t)1 << 20)

/* Of a plan that is divided, a JSON object: "same": what must be the same everywhere; "sealed": likewise, but nobody may read it (secrets,
 * values of headers), of which there is a byte of a digest alone; "plan": the options that make the plan, as they were given;
 * "plan_sealed": of those, the values that nobody may read. Texts by what they are called. Else NULL. In the arena. */
const char *e8_settings_of(const struct execution *x);

/* Of two shards' notes: where they differ in what must be the same (E8_SETTINGS_SAME), or in what makes the plan, "its --http is 2, not auto" and
 * what would be right, in the arena. False: nowhere, or one of them does not tell. */
enum e8_settings_of { E8_SETTINGS_SAME, E8_SETTINGS_PLAN };
bool e8_settings_differ(const struct e8_node *one, const struct e8_node *other, enum e8_settings_of of,
                        struct e8_arena *arena, const char **what, const char **hint);

#endif
