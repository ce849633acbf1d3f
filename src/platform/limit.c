#include "platform/server.h"

/* The platform's plans. */
static const struct {
    unsigned per_minute, burst;
} plans[] = {
    [E8_PLAN_UNLIMITED] = {0, 0},
    [E8_PLAN_STARTER] = {60, 100},
    [E8_PLAN_PRO] = {600, 1000},
};

struct e8_bucket e8_bucket_of(enum e8_plan_limits plan, e8_mono_ns now)
{
    E8_ASSERT((size_t)plan < E8_COUNT(plans));
    return (struct e8_bucket){plans[plan].per_minute, plans[plan].burst, plans[plan].burst, now};
}

struct e8_bucket e8_bucket_of_dashboard(enum e8_plan_limits plan, e8_mono_ns now)
{
    enum { PER_MINUTE = 1200, BURST = 600 };
    return plan == E8_PLAN_UNLIMITED ? e8_bucket_of(plan, now)
                                     : (struct e8_bucket){PER_MINUTE, BURST, BURST, now};
}

static e8_dur_ns time_for(const struct e8_bucket *bucket, double tokens)
{
    return tokens <= 0 ? 0 : (e8_dur_ns)(tokens * 60 * (double)E8_NS_S / bucket->per_minute);
}

bool e8_bucket_take(struct e8_bucket *bucket, e8_mono_ns now, e8_dur_ns *wait)
{
    *wait = 0;
    if (!bucket->per_minute) {
        return true;
    }
    bucket->tokens += (double)(now - bucket->at) * bucket->per_minute / (60 * (double)E8_NS_S);
    bucket->tokens = bucket->tokens > bucket->burst ? bucket->burst : bucket->tokens;
    bucket->at = now;
    if (bucket->tokens < 1) {
        *wait = time_for(bucket, 1 - bucket->tokens);
        return false;
    }
    bucket->tokens -= 1;
    return true;
}

unsigned e8_bucket_remaining(const struct e8_bucket *bucket)
{
    return bucket->tokens < bucket->per_minute ? (unsigned)bucket->tokens : bucket->per_minute;
}

e8_dur_ns e8_bucket_reset_in(const struct e8_bucket *bucket)
{
    return bucket->per_minute ? time_for(bucket, bucket->per_minute - bucket->tokens) : 0;
}
