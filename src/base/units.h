/* Numbers with units, as users write them. No locale: the decimal point is a point. Each returns false, and leaves *out,
 * when the text is not exactly such a value or does not fit. */
#ifndef E8_BASE_UNITS_H
#define E8_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

bool e8_parse_u64(struct e8_str text, uint64_t *out); /* decimal digits only */
bool e8_parse_i64(struct e8_str text, int64_t *out);  /* one leading '-' allowed */
/* What is wrong with a text that is none, or not within bounds: "is out of range" of any whole number, however long; else "is no whole
 * number". */
const char *e8_whole_fault(struct e8_str text);
bool e8_parse_double(struct e8_str text, double *out); /* JSON number or ".5"; finite */
/* "250ms", "1.5s", "2m", "1h30m", "1d", "10us", "5ns"; never negative; "0" needs no unit. */
bool e8_parse_dur(struct e8_str text, e8_dur_ns *out);
/* "500/s", "30/m", "2.5/h", "10/ms": events per second as a fraction num/den (exact). */
struct e8_rate {
    uint64_t num; /* events */
    uint64_t den; /* in this many nanoseconds; never 0 */
};
bool e8_parse_rate(struct e8_str text, struct e8_rate *out);
double e8_rate_per_s(struct e8_rate rate);
bool e8_parse_size(struct e8_str text, uint64_t *out); /* "64KiB", "1MB", "10M" (MiB), "512" (bytes) */
bool e8_parse_factor(struct e8_str text, double *out); /* "10x", "0.5x" or "10" */
/* "2%", "0.5 %" or "0.02": 0..1. All is "100%": "1" might as well be meant as one percent, and is refused. */
bool e8_parse_share(struct e8_str text, double *out);
/* What would be right instead of a text that is none: "1% or 0.01?" of "1", else `otherwise`. */
#define E8_SHARE_HINT_MAX 128
const char *e8_share_hint(struct e8_str text, const char *otherwise, char out[E8_SHARE_HINT_MAX]);
/* "1.23 s", "12.3 ms", "87 µs", "5 ns": three significant digits, no trailing zeros, for people; from 100 s on "1m40s", "2h5m",
 * "3d4h"; E8_NEVER is "never". Returns out. */
#define E8_DUR_MAX 32
const char *e8_dur_text(e8_dur_ns dur, char out[E8_DUR_MAX]);
/* "4,812", for people. Returns out. */
#define E8_NUMBER_MAX 32
const char *e8_count_text(uint64_t count, char out[E8_NUMBER_MAX]);

#endif
