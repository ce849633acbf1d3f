/* Subscription patterns: "message.received", "conversation.*", "*". Source: the platform's event filtering. */
#ifndef E8_MATCH_MATCH_H
#define E8_MATCH_MATCH_H

#include <stdbool.h>

#include "base/base.h"

/* "*", a type's name (words of a-z, 0-9, '_' and '-', joined by dots), or such a name and ".*". */
bool e8_pattern_valid(struct e8_str pattern);
/* "a.*" takes all that begins with "a." and goes on, so not "a" itself. The pattern is a valid one. */
bool e8_pattern_matches(struct e8_str pattern, struct e8_str type);

/* What an endpoint takes. NULL-terminated lists; an empty or NULL list of patterns or of environments takes everything. */
struct e8_subscription {
    const char *const *patterns;
    const char *const *environments;
};
bool e8_subscription_takes(const struct e8_subscription *subscription, struct e8_str type,
                           struct e8_str environment);

#endif
