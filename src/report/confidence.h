/* How far a measured value may be from what would be measured with no end of samples: intervals that hold it 99 times of 100, as long
 * as the samples have nothing to do with each other. Response times often have (a stall hits many), and a run differs from the next in
 * more than its samples, so that the truth is rather wider. */
#ifndef E8_REPORT_CONFIDENCE_H
#define E8_REPORT_CONFIDENCE_H

#include "hist/hist.h"

struct e8_range {
    double low, high; /* high INFINITY: the samples do not bound it */
};
/* Of a percentile: the values of the ranks nq -+ z sqrt(nq(1 - q)) (order statistics; H. A. David, section 7.1), wider by the
 * resolution of the histogram. A low rank that there is none of gives 0, a high one INFINITY. */
struct e8_range e8_range_of_quantile(const struct e8_hist *hist, double q);
/* Of a share: Wilson's interval. whole 0: all is possible. */
struct e8_range e8_range_of_share(double part, double whole);
/* Of a rate that `count` events were counted for, as if they came at random. */
struct e8_range e8_range_of_rate(double rate, double count);
/* Of the change from a to b, from the intervals of both (R. G. Newcombe, 1998, for shares; G. Y. Zou and A. Donner, 2008, for all). */
struct e8_range e8_range_of_change(double a, struct e8_range of_a, double b, struct e8_range of_b);

#endif
