/* Time has a type. Monotonic time for durations, wall time for stamps and signatures alone. */
#ifndef E8_BASE_CLOCK_H
#define E8_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef int64_t e8_mono_ns; /* CLOCK_MONOTONIC */
typedef int64_t e8_wall_ns; /* CLOCK_REALTIME: nanoseconds since 1970 UTC */
typedef int64_t e8_dur_ns;

#define E8_NS_US ((e8_dur_ns)1000)
#define E8_NS_MS ((e8_dur_ns)1000000)
#define E8_NS_S  ((e8_dur_ns)1000000000)
#define E8_NEVER INT64_MAX

e8_mono_ns e8_mono_now(void);
e8_wall_ns e8_wall_now(void);
/* Both at one moment. */
struct e8_instant {
    e8_mono_ns mono;
    e8_wall_ns wall;
    e8_dur_ns apart; /* at most; a microsecond or so, on a busy machine more */
};
struct e8_instant e8_instant_now(void);

/* "2026-03-01T12:00:00.123Z" with `digits` (0, 3, 6 or 9) fraction digits; years 0000 to 9999. */
#define E8_RFC3339_MAX 32
size_t e8_wall_format(e8_wall_ns wall, int digits, char out[E8_RFC3339_MAX]);
/* The same, sooner where most times are of one day: *day keeps its date. All zero: none yet. */
struct e8_wall_day {
    int64_t number; /* since 1970 */
    char text[12];  /* "2026-03-01T" */
};
size_t e8_wall_format_on(struct e8_wall_day *day, e8_wall_ns wall, int digits, char out[E8_RFC3339_MAX]);
/* RFC 3339 ("2026-03-01", "2026-03-01T12:00:00Z", fractions, offsets); false if it is none. */
bool e8_wall_parse(struct e8_str text, e8_wall_ns *out);
/* HTTP-date, IMF-fixdate form (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Dates after 2262, which an e8_wall_ns
 * cannot hold, become INT64_MAX. */
bool e8_http_date_parse(struct e8_str text, e8_wall_ns *out);

#endif
