#include "report/confidence.h"

#include <math.h>

#define Z          2.5758293 /* of 99 % */
#define RESOLUTION 0.001     /* of a histogram's values */

/* The value of this rank, 1 the least. */
static double value_at(const struct e8_hist *hist, double rank)
{
    return (double)e8_hist_quantile(hist, (rank - 0.5) / (double)e8_hist_count(hist));
}

struct e8_range e8_range_of_quantile(const struct e8_hist *hist, double q)
{
    double n = hist ? (double)e8_hist_count(hist) : 0, reach = Z * sqrt(n * q * (1 - q));
    double low = floor(n * q - reach), high = ceil(n * q + reach) + 1;
    return (struct e8_range){
        .low = low >= 1 ? value_at(hist, low) * (1 - RESOLUTION) : 0,
        .high = high <= n ? value_at(hist, high) * (1 + RESOLUTION) : (double)INFINITY,
    };
}

struct e8_range e8_range_of_share(double part, double whole)
{
    if (!(whole > 0))
        return (struct e8_range){0, 1};
    double p = part / whole, square = Z * Z, scale = 1 + square / whole;
    double centre = p + square / (2 * whole);
    double reach = Z * sqrt(p * (1 - p) / whole + square / (4 * whole * whole));
    return (struct e8_range){
        .low = part > 0 ? (centre - reach) / scale : 0,
        .high = part < whole ? (centre + reach) / scale : 1,
    };
}

struct e8_range e8_range_of_rate(double rate, double count)
{
    if (!(count > 0))
        return (struct e8_range){0, (double)INFINITY};
    double reach = rate * Z / sqrt(count);
    return (struct e8_range){rate > reach ? rate - reach : 0, rate + reach};
}

struct e8_range e8_range_of_change(double a, struct e8_range of_a, double b, struct e8_range of_b)
{
    return (struct e8_range){
        .low = b - a - hypot(b - of_b.low, of_a.high - a),
        .high = b - a + hypot(of_b.high - b, a - of_a.low),
    };
}
