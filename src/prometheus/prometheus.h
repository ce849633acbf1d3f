/* The text format of Prometheus, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): families of samples as lines.
 * Pure functions over a buffer. */
#ifndef E8_PROMETHEUS_PROMETHEUS_H
#define E8_PROMETHEUS_PROMETHEUS_H

#include <stdint.h>

#include "base/base.h"

#define E8_PROM_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct e8_label {
    const char *name;  /* [a-zA-Z_][a-zA-Z0-9_]* */
    const char *value; /* anything; what is no UTF-8 becomes U+FFFD */
};

/* The head of a family, before its samples: all of them stand together. type: "counter", "gauge", "histogram". help: one line. */
void e8_prom_family(struct e8_buf *out, const char *name, const char *type, const char *help);
void e8_prom_count(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                   uint64_t value);
void e8_prom_seconds(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                     e8_dur_ns value);

/* Histograms of durations: how many were at most so long, ascending. Above the last there is +Inf. */
#define E8_PROM_BOUNDS 15
extern const e8_dur_ns e8_prom_bounds[E8_PROM_BOUNDS];
struct e8_prom_histogram {
    uint64_t upto[E8_PROM_BOUNDS]; /* cumulative */
    uint64_t count;
    double seconds; /* in sum */
};
void e8_prom_record(struct e8_prom_histogram *histogram, e8_dur_ns value);
void e8_prom_histogram(struct e8_buf *out, const char *name, const struct e8_label *labels, size_t count,
                       const struct e8_prom_histogram *histogram);

#endif
