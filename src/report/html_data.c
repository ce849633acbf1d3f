/* What the charts are made of. Bounded: whatever the run's length, points are as many as the constants say. */
#include <math.h>

#include "report/course.h"
#include "report/html.h"

enum {
    TICKS = 8,    /* points for each halving of what is left of 100 % */
    DECADE = 48,  /* bins of a decade */
    DECADES = 13, /* of nanoseconds */
    MS_DECIMALS = 4
};

#define DATA_MAX ((size_t)32 << 20)

static void put_ms(struct e8_json *w, double ns)
{
    e8_json_num(w, NULL, ns / (double)E8_NS_MS, MS_DECIMALS);
}

/* Pairs of 1 / (1 - q) and the time, up to the last sample. */
static void put_curve(struct e8_json *w, const char *key, const struct e8_hist *hist)
{
    double count = hist ? (double)e8_hist_count(hist) : 0;
    e8_json_array(w, key);
    for (unsigned k = 0; count > 0; k++) {
        double x = exp2((double)k / TICKS);
        bool last = x >= count;
        e8_json_array(w, NULL);
        e8_json_num(w, NULL, last ? count : x, 3);
        put_ms(w, (double)(last ? e8_hist_max(hist) : e8_hist_quantile(hist, 1 - 1 / x)));
        e8_json_end(w, ']');
        if (last)
            break;
    }
    e8_json_end(w, ']');
}

/* Pairs of a bin's number and its count; bin k holds the times from 10^(k / DECADE) nanoseconds on. Empty ones are left out. */
static void put_bins(struct e8_json *w, const char *key, const struct e8_hist *hist)
{
    uint64_t below = 0, count = hist ? e8_hist_count(hist) : 0;
    e8_json_array(w, key);
    for (int k = 0; below < count && k < DECADE * DECADES; k++) {
        uint64_t upto = e8_hist_count_upto(hist, (int64_t)(pow(10, (double)(k + 1) / DECADE)));
        if (upto > below) {
            e8_json_array(w, NULL);
            e8_json_int(w, NULL, k);
            e8_json_int(w, NULL, (int64_t)(upto - below));
            e8_json_end(w, ']');
            below = upto;
        }
    }
    e8_json_end(w, ']');
}

static void put_hists(struct e8_json *w, const char *key, const struct e8_stats *stats,
                      void (*put)(struct e8_json *, const char *, const struct e8_hist *))
{
    const struct e8_tally *all = e8_stats_all(stats);
    e8_json_object(w, key);
    put(w, "response", all->response);
    put(w, "service", all->service);
    put(w, "lag", all->lag);
    e8_json_end(w, '}');
}

/* ---- over time ---- */

static void put_counts(struct e8_json *w, const char *key, const struct e8_course *over, size_t offset)
{
    e8_json_array(w, key);
    for (size_t i = 0; i < over->count; i++)
        e8_json_int(w, NULL, (int64_t) * (const uint64_t *)((const char *)&over->points[i] + offset));
    e8_json_end(w, ']');
}

static void put_column(struct e8_json *w, const char *key, const struct e8_course *over, size_t offset)
{
    e8_json_array(w, key);
    for (size_t i = 0; i < over->count; i++) {
        const struct e8_course_point *point = &over->points[i];
        if (point->samples > 0)
            put_ms(w, (double)*(const e8_dur_ns *)((const char *)point + offset));
        else
            e8_json_null(w, NULL);
    }
    e8_json_end(w, ']');
}

static void put_times(struct e8_json *w, const char *key, const struct e8_course *over, size_t offset)
{
    e8_json_object(w, key);
    put_column(w, "p50", over, offset + offsetof(struct e8_course_times, p50));
    put_column(w, "p95", over, offset + offsetof(struct e8_course_times, p95));
    put_column(w, "p99", over, offset + offsetof(struct e8_course_times, p99));
    put_column(w, "max", over, offset + offsetof(struct e8_course_times, max));
    e8_json_end(w, '}');
}

static void put_over(struct e8_json *w, const struct e8_course *over)
{
    if (!over || over->count == 0) {
        e8_json_null(w, "over");
        return;
    }
    e8_json_object(w, "over");
    e8_json_num(w, "width_s", (double)over->width / (double)E8_NS_S, 3);
    put_counts(w, "due", over, offsetof(struct e8_course_point, due));
    put_counts(w, "begun", over, offsetof(struct e8_course_point, begun));
    put_counts(w, "done", over, offsetof(struct e8_course_point, done));
    put_counts(w, "failed", over, offsetof(struct e8_course_point, failed));
    put_times(w, "response", over, offsetof(struct e8_course_point, response));
    put_times(w, "service", over, offsetof(struct e8_course_point, service));
    put_times(w, "lag", over, offsetof(struct e8_course_point, lag));
    e8_json_end(w, '}');
}

void e8_html_data(const struct e8_report *const *reports, const char *const *labels, size_t count,
                  struct e8_buf *out)
{
    struct e8_buf text;
    e8_buf_init(&text, DATA_MAX);
    struct e8_json json = e8_json_new(&text, 0), *w = &json;
    e8_json_object(w, NULL);
    e8_json_int(w, "bins_per_decade", DECADE);
    e8_json_array(w, "runs");
    for (size_t i = 0; i < count; i++) {
        e8_json_object(w, NULL);
        e8_json_cstr(w, "label", labels[i]);
        e8_json_report(reports[i], E8_HTML_ROWS_MOST, w, "report");
        put_hists(w, "curve", reports[i]->stats, put_curve);
        put_hists(w, "bins", reports[i]->stats, put_bins);
        put_over(w, reports[i]->more.course);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
    e8_html_json(out, e8_buf_str(&text));
    e8_buf_fini(&text);
}
