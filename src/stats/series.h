/* Recording into a series of slices. Internal to stats. */
#ifndef E8_STATS_SERIES_H
#define E8_STATS_SERIES_H

#include "stats/stats.h"

/* The slice of this time, made if need be; valid until the next call. */
struct e8_slice *e8_series_at(struct e8_series *series, e8_mono_ns at);
void e8_series_merge(struct e8_series *into, const struct e8_series *from);

#endif
