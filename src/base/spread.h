/* How durations spread: a constant, or a distribution to draw from. Of a receiver's latencies and of a scenario's waits. */
#ifndef E8_BASE_SPREAD_H
#define E8_BASE_SPREAD_H

#include "base/clock.h"
#include "base/err.h"
#include "base/rng.h"

/* "20ms", "5ms..50ms" (uniform), "exp:20ms", "normal:20ms,5ms", "lognormal:20ms,1.5" (median, sigma as a factor),
 * "bimodal:5ms,500ms,2%". At most an hour each. */
struct e8_spread {
    enum {
        E8_SPREAD_FIXED,
        E8_SPREAD_UNIFORM,
        E8_SPREAD_EXP,
        E8_SPREAD_NORMAL,
        E8_SPREAD_LOGNORMAL,
        E8_SPREAD_BIMODAL
    } kind;
    double a, b, share; /* nanoseconds; see the kind */
};
enum e8_rc e8_spread_parse(struct e8_str text, struct e8_spread *out, struct e8_err *err);
/* Never below 0. */
e8_dur_ns e8_spread_draw(const struct e8_spread *spread, struct e8_rng *rng);

#endif
