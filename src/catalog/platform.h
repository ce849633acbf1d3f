/* Reads fixtures/platform.json, and retry policies wherever they stand. */
#ifndef E8_CATALOG_PLATFORM_H
#define E8_CATALOG_PLATFORM_H

#include "catalog/catalog.h"

/* Texts live in `arena`. Every fault goes to errs. */
enum e8_rc e8_platform_parse(struct e8_arena *arena, const struct e8_node *root, struct e8_platform *out,
                             struct e8_errs *errs);
/* A retry policy from a map {attempts, base, factor, cap, jitter}; members that are absent keep *out's value. Used for
 * platform.json and for endpoints in scenarios alike. */
enum e8_rc e8_retry_parse(const struct e8_node *map, struct e8_retry_policy *out, struct e8_errs *errs);

/* The platform's own text of an environment's name; NULL, and *err filled with a hint, when it has none of that name. */
const char *e8_environment_find(const struct e8_platform *platform, const char *name, struct e8_err *err);

#endif
