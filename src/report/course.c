#include "report/course.h"

#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

struct e8_course_maker {
    const struct e8_log_run *run;
    struct e8_course *out;
    struct e8_stats *stats; /* of the part that is being filled */
    size_t at;
};

/* 10 ms, 20 ms, …; from a second on 100 ms, 200 ms, 500 ms, 1 s, …: the shortest that needs no more parts than there are. */
static e8_dur_ns width_of(e8_dur_ns elapsed)
{
    static const int64_t steps[] = {1, 2, 5};
    for (int64_t decade = elapsed < E8_NS_S ? E8_COURSE_LEAST / 10 : E8_COURSE_LEAST;; decade *= 10)
        for (size_t i = 0; i < E8_COUNT(steps); i++)
            if (steps[i] * decade > elapsed / E8_COURSE_POINTS || decade > E8_NEVER / 100)
                return steps[i] * decade;
}

struct e8_course_maker *e8_course_begin(const struct e8_log_run *run, e8_dur_ns elapsed,
                                        struct e8_course *out)
{
    struct e8_course_maker *maker = e8_new(1, sizeof(*maker));
    memset(out, 0, sizeof(*out));
    out->width = width_of(elapsed);
    *maker = (struct e8_course_maker){
        .run = run,
        .out = out,
        .stats = e8_stats_new((unsigned)run->endpoint_count, (unsigned)run->type_count),
    };
    return maker;
}

static size_t part_of(struct e8_course *course, e8_dur_ns since)
{
    int64_t part = since > 0 ? since / course->width : 0;
    size_t at = part < E8_COURSE_POINTS ? (size_t)part : E8_COURSE_POINTS - 1;
    course->count = at >= course->count ? at + 1 : course->count;
    return at;
}

static struct e8_course_times times_of(const struct e8_hist *hist)
{
    if (!hist || e8_hist_count(hist) == 0)
        return (struct e8_course_times){0};
    return (struct e8_course_times){
        .p50 = e8_hist_quantile(hist, 0.5),
        .p95 = e8_hist_quantile(hist, 0.95),
        .p99 = e8_hist_quantile(hist, 0.99),
        .max = e8_hist_max(hist),
    };
}

static void end_part(struct e8_course_maker *maker)
{
    struct e8_course_point *point = &maker->out->points[maker->at];
    const struct e8_tally *all = e8_stats_all(maker->stats);
    point->samples = all->response ? e8_hist_count(all->response) : 0;
    point->response = times_of(all->response);
    point->service = times_of(all->service);
    point->lag = times_of(all->lag);
    e8_stats_reset(maker->stats);
}

static void count(struct e8_course_maker *maker, const struct e8_attempt *attempt)
{
    struct e8_course *course = maker->out;
    const struct e8_times *times = &attempt->times;
    if (e8_attempt_begins(attempt)) {
        course->points[part_of(course, times->due - maker->run->epoch)].due++;
        if (attempt->bytes_sent > 0)
            course->points[part_of(course, times->sent - maker->run->epoch)].begun++;
    }
    if (attempt->outcome != E8_ABORTED) {
        struct e8_course_point *point = &course->points[part_of(course, times->done - maker->run->epoch)];
        point->done++;
        point->failed += attempt->outcome != E8_DELIVERED && attempt->verdict != E8_EXPECTATION_MET &&
                         attempt->verdict != E8_EXPECTATION_REPORTED;
    }
}

void e8_course_add(struct e8_course_maker *maker, const struct e8_attempt *attempt)
{
    if (attempt->flags & E8_FLAG_WARMUP)
        return;
    size_t at = part_of(maker->out, attempt->times.done - maker->run->epoch);
    if (at > maker->at) {
        end_part(maker);
        maker->at = at;
    }
    count(maker, attempt);
    e8_stats_add(maker->stats, attempt);
}

void e8_course_end(struct e8_course_maker **maker)
{
    end_part(*maker);
    e8_stats_free(&(*maker)->stats);
    free(*maker);
    *maker = NULL;
}

static void add(void *state, const struct e8_attempt *attempt)
{
    e8_course_add(state, attempt);
}

enum e8_rc e8_course_read(struct e8_dlog_reader *reader, const struct e8_log_run *run,
                          const struct e8_stats *stats, struct e8_course *out, struct e8_err *err)
{
    struct e8_course_maker *maker = e8_course_begin(run, e8_report_elapsed(run, stats), out);
    enum e8_rc rc = e8_dlog_attempts(reader, run, add, maker, err);
    e8_course_end(&maker);
    return rc;
}
