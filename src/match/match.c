#include "match/match.h"

/* A type's name: words of lower-case letters, digits, '_' and '-', joined by single dots. */
static bool is_name(struct e8_str name)
{
    bool in_word = false;

    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '.' && !in_word)
            return false;
        if (c != '.' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
        in_word = c != '.';
    }
    return in_word;
}

static bool is_wildcard(struct e8_str pattern)
{
    return pattern.n >= 2 && pattern.p[pattern.n - 2] == '.' && pattern.p[pattern.n - 1] == '*';
}

bool e8_pattern_valid(struct e8_str pattern)
{
    if (e8_str_is(pattern, "*"))
        return true;
    if (is_wildcard(pattern))
        pattern.n -= 2;
    return is_name(pattern);
}

bool e8_pattern_matches(struct e8_str pattern, struct e8_str type)
{
    if (e8_str_is(pattern, "*"))
        return type.n > 0;
    if (!is_wildcard(pattern))
        return pattern.n > 0 && e8_str_eq(pattern, type);

    struct e8_str prefix = {pattern.p, pattern.n - 1}; /* with its dot */
    return type.n > prefix.n && e8_str_eq(prefix, (struct e8_str){type.p, prefix.n});
}

static bool any_pattern(const char *const *patterns, struct e8_str type)
{
    if (!patterns || !patterns[0])
        return true;
    for (; *patterns; patterns++)
        if (e8_pattern_matches(e8_str(*patterns), type))
            return true;
    return false;
}

static bool any_name(const char *const *names, struct e8_str name)
{
    if (!names || !names[0])
        return true;
    for (; *names; names++)
        if (e8_str_is(name, *names))
            return true;
    return false;
}

bool e8_subscription_takes(const struct e8_subscription *subscription, struct e8_str type,
                           struct e8_str environment)
{
    return any_pattern(subscription->patterns, type) && any_name(subscription->environments, environment);
}
