/* High dynamic range histogram of nanoseconds: values up to 1 hour with three significant digits, the layout of HdrHistogram
 * (Gil Tene, hdrhistogram.org), so that its tools read our encoding. Count, min, max and sum are exact, outside the buckets.
 * A value past the range is clamped and counted. One owner thread; histograms change hands instead of being shared. */
#ifndef E8_HIST_HIST_H
#define E8_HIST_HIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct e8_hist;

#define E8_HIST_MAX ((int64_t)3600 * E8_NS_S)

struct e8_hist *e8_hist_new(void);
void e8_hist_free(struct e8_hist **hist);
void e8_hist_reset(struct e8_hist *hist);
void e8_hist_record(struct e8_hist *hist, int64_t value); /* negative counts as 0 and as clamped */
void e8_hist_merge(struct e8_hist *into, const struct e8_hist *from);

uint64_t e8_hist_count(const struct e8_hist *hist);
uint64_t e8_hist_clamped(const struct e8_hist *hist);
int64_t e8_hist_min(const struct e8_hist *hist); /* 0 when empty; exact */
int64_t e8_hist_max(const struct e8_hist *hist);
double e8_hist_mean(const struct e8_hist *hist);
double e8_hist_stddev(const struct e8_hist *hist);
/* The smallest recorded value (within the resolution) that at least q (0..1) of all values do not exceed; exact min and max
 * at the ends; 0 when empty. */
int64_t e8_hist_quantile(const struct e8_hist *hist, double q);
/* The same of the values that `hist` has beyond those of `before`, an earlier copy of it (within the resolution); 0 when there are
 * none. before NULL: of all. */
int64_t e8_hist_quantile_since(const struct e8_hist *hist, const struct e8_hist *before, double q);
/* How many values are <= value (within the resolution). */
uint64_t e8_hist_count_upto(const struct e8_hist *hist, int64_t value);
/* Enough samples behind the quantile that it means something: at least 100 beyond it (10,000 for p99). */
bool e8_hist_supports(const struct e8_hist *hist, double q);

/* HdrHistogram V2 encoding (cookie 0x1c849303, ZigZag LEB128 counts), deflated (0x1c849304) and in base64 as in its log
 * files. decode gives E8_INPUT on anything else, or when the layout is another. The encoding
 * holds the buckets alone: after decoding, min, max and sum are those of the middles of buckets, and what had been clamped is
 * no longer known. */
void e8_hist_encode(const struct e8_hist *hist, struct e8_buf *out);
enum e8_rc e8_hist_decode(struct e8_str text, struct e8_hist **out, struct e8_err *err);
/* What the encoding lacks, as a line of text, and back into a histogram that was decoded (not an empty one): then it is the same as
 * before. E8_INPUT where the text contradicts the buckets. */
void e8_hist_exact_put(const struct e8_hist *hist, struct e8_buf *out);
enum e8_rc e8_hist_exact_set(struct e8_hist *hist, struct e8_str text, struct e8_err *err);

#endif
