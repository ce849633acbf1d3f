/* Thresholds of a run as people write them: "p(99) < 250ms", "success >= 99.9%", "status(5xx) < 0.1%",
 * "send_lag p(99) < 1ms", "rate >= 490/s", "max < 2s", "failed == 0", "unmet == 0", "dropped == 0". Braces narrow it down to one endpoint or to
 * the types that a pattern takes: "p(99){endpoint=crm} < 500ms", "success{type=message.*} >= 99.9%". What is counted for the whole
 * run alone (send lag, service time, a single status, what was dropped) takes none. Parsing alone; the report evaluates. */
#ifndef E8_THRESHOLD_THRESHOLD_H
#define E8_THRESHOLD_THRESHOLD_H

#include <stdbool.h>

#include "base/base.h"

enum e8_measure {
    E8_MEASURE_QUANTILE, /* p(N) of response time; service_time p(N), send_lag p(N) */
    E8_MEASURE_MIN,
    E8_MEASURE_MEAN,
    E8_MEASURE_MAX,
    E8_MEASURE_SUCCESS,      /* share of deliveries that were delivered */
    E8_MEASURE_STATUS,       /* share of attempts with a status or class */
    E8_MEASURE_OUTCOME,      /* outcome(NAME): share of attempts */
    E8_MEASURE_RATE,         /* deliveries ended per second */
    E8_MEASURE_FAILED,       /* count of deliveries */
    E8_MEASURE_RETRIES,      /* count */
    E8_MEASURE_UNMET,        /* count of deliveries that did not end as their step expects */
    E8_MEASURE_DROPPED,      /* count of deliveries that the schedule had due and emit8 did not begin */
    E8_MEASURE_ATTEMPT_RATE, /* attempts per second */
};
enum e8_of { E8_OF_RESPONSE, E8_OF_SERVICE, E8_OF_LAG };
enum e8_compare { E8_LT, E8_LE, E8_GT, E8_GE, E8_EQ };

struct e8_threshold {
    char text[192]; /* as written, blanks normalised */
    bool abort;     /* the run stops as soon as it cannot hold any more; set by who reads the scenario */
    /* Narrowed down to an endpoint's name, or to types by a subscription pattern; empty: not. At most one of them. */
    char endpoint[96], type[96];
    enum e8_measure measure;
    enum e8_of of;
    double quantile;             /* 0..1 */
    int status_low, status_high; /* inclusive; 5xx: 500..599 */
    char outcome[24];
    enum e8_compare compare;
    double bound; /* ns for times, 0..1 for shares, per second for rates, a count otherwise */
};
/* E8_INPUT with a hint (no file; the caller adds the place). Fills all of *out. */
enum e8_rc e8_threshold_parse(struct e8_str text, struct e8_threshold *out, struct e8_err *err);
/* What could not be measured (NaN) holds nowhere. */
bool e8_threshold_holds(const struct e8_threshold *threshold, double measured);
/* The measured value with its unit, for people. */
void e8_threshold_value_text(const struct e8_threshold *threshold, double measured, char out[48]);

/* A change from one run to another that is too much, as people write it: "p(99) > +10%", "p(99) > +20ms", "success < -0.1pp",
 * "rate < -5%", "status(5xx) > +0.5pp", "failed > +0". Measures and braces are those of thresholds; the sign says that it is a change.
 * A change in percent is relative to the first run, one in pp is in percentage points of a share, all others are absolute. */
struct e8_regression {
    struct e8_threshold
        of; /* text, measure, braces, comparison; bound: of the change, a fraction where it is relative */
    bool relative;
};
/* As e8_threshold_parse. `==` is refused. */
enum e8_rc e8_regression_parse(struct e8_str text, struct e8_regression *out, struct e8_err *err);
/* Is the change too much? What could not be measured (NaN) is no change; the caller sees to it. */
bool e8_regression_found(const struct e8_regression *rule, double before, double after);

#endif
