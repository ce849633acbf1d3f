/* What codec.c sees of statistics. Internal to stats. */
#ifndef E8_STATS_OPEN_H
#define E8_STATS_OPEN_H

#include "stats/stats.h"

enum e8_stats_of { E8_STATS_ALL, E8_STATS_ENDPOINT, E8_STATS_TYPE };
struct e8_tally *e8_stats_open(struct e8_stats *stats, enum e8_stats_of of, unsigned index);
uint64_t *e8_stats_open_statuses(struct e8_stats *stats); /* E8_STATUSES */
struct e8_pacing *e8_stats_open_pacing(struct e8_stats *stats);
struct e8_series *e8_stats_open_series(struct e8_stats *stats);
e8_mono_ns e8_stats_sample_time(const struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome);
void e8_stats_sample_put(struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome, e8_mono_ns at,
                         const char text[E8_ERROR_MAX]);
unsigned e8_stats_endpoint_count(const struct e8_stats *stats);
unsigned e8_stats_type_count(const struct e8_stats *stats);

#endif
