/* A run over time: rates and times in at most E8_COURSE_POINTS equal parts. Made from the attempts of its log, since the statistics hold
 * counts over time and no times. */
#ifndef E8_REPORT_COURSE_H
#define E8_REPORT_COURSE_H

#include "dlog/dlog.h"
#include "stats/stats.h"

#define E8_COURSE_POINTS 120
#define E8_COURSE_LEAST  (100 * E8_NS_MS) /* the shortest part; of runs of less than a second, a tenth of it */

struct e8_course_times {
    e8_dur_ns p50, p95, p99, max; /* 0 where there are no samples */
};
struct e8_course_point {
    uint64_t due,
        begun;        /* deliveries: by when they were to begin, and by when their first attempt was sent */
    uint64_t done;    /* attempts */
    uint64_t failed;  /* of them, as in struct e8_slice */
    uint64_t samples; /* of response and service time; lag may have more */
    struct e8_course_times response, service, lag; /* of the attempts that were done in this part */
};
struct e8_course {
    e8_dur_ns width; /* of a part; the first begins with the run */
    size_t count;
    struct e8_course_point points[E8_COURSE_POINTS];
};

/* Attempts are added in the order in which they were done. `elapsed`: of the run; what lies behind it belongs to the last part. */
struct e8_course_maker;
struct e8_course_maker *e8_course_begin(const struct e8_log_run *run, e8_dur_ns elapsed,
                                        struct e8_course *out);
void e8_course_add(struct e8_course_maker *maker, const struct e8_attempt *attempt);
void e8_course_end(struct e8_course_maker **maker); /* *out is complete */

/* The same from the log. */
enum e8_rc e8_course_read(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                          const struct e8_stats *stats, struct e8_course *out, struct e8_err *err);

#endif
