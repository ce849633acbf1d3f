#include "delivery/delivery.h"

#define RETRY_AFTER_MAX (E8_NEVER / 4)

/* By squaring: the same on every machine, which pow() is not; may end in infinity. */
static double power(double factor, uint32_t n)
{
    double result = 1;

    for (; n; n >>= 1) {
        if (n & 1)
            result *= factor;
        factor *= factor;
    }
    return result;
}

static e8_dur_ns backoff(const struct e8_retry_policy *policy, uint32_t next)
{
    if (policy->base == 0)
        return 0;

    double wait = (double)policy->base * power(policy->factor, next - 2);
    return wait < (double)policy->cap ? (e8_dur_ns)(wait + 0.5) : policy->cap;
}

static e8_dur_ns jittered(enum e8_jitter jitter, e8_dur_ns wait, struct e8_rng *rng)
{
    switch (jitter) {
    case E8_JITTER_FULL:
        return e8_rng_range(rng, 0, wait);
    case E8_JITTER_EQUAL:
        return e8_rng_range(rng, wait / 2, wait);
    case E8_JITTER_NONE:
        return wait;
    }
    E8_UNREACHABLE();
}

e8_dur_ns e8_retry_wait(const struct e8_retry_policy *policy, uint32_t next, e8_dur_ns retry_after,
                        struct e8_rng *rng)
{
    E8_ASSERT(next >= 2 && policy->base >= 0 && policy->cap >= 0 && policy->factor >= 1);

    e8_dur_ns wait = jittered(policy->jitter, backoff(policy, next), rng);
    if (wait < retry_after)
        wait = retry_after;
    return wait < policy->cap ? wait : policy->cap;
}

static bool is_digits(struct e8_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.n > 0;
}

static e8_dur_ns seconds_parse(struct e8_str digits)
{
    e8_dur_ns seconds = 0;

    for (size_t i = 0; i < digits.n; i++) {
        seconds = seconds * 10 + (digits.p[i] - '0');
        if (seconds > RETRY_AFTER_MAX / E8_NS_S)
            return RETRY_AFTER_MAX;
    }
    return seconds * E8_NS_S;
}

e8_dur_ns e8_retry_after_parse(struct e8_str value, e8_wall_ns now)
{
    e8_wall_ns date;
    e8_dur_ns wait;

    value = e8_str_trim(value);
    if (is_digits(value))
        return seconds_parse(value);
    if (!e8_http_date_parse(value, &date))
        return -1;
    if (date <= now)
        return 0;
    if (__builtin_sub_overflow(date, now, &wait) || wait > RETRY_AFTER_MAX)
        return RETRY_AFTER_MAX;
    return wait;
}
