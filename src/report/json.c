#include "doc/json.h"

#include <math.h>
#include <string.h>

#include "report/confidence.h"
#include "report/parts.h"

enum { SCHEMA_VERSION = 1, MS_DECIMALS = 6 };

static const char *const verdicts[] = {[E8_PASS] = "pass", [E8_FAIL] = "fail", [E8_INVALID] = "invalid"};

static void put_ms(struct e8_json *w, const char *key, bool known, double ns)
{
    if (known)
        e8_json_num(w, key, ns / (double)E8_NS_MS, MS_DECIMALS);
    else
        e8_json_null(w, key);
}

/* null: not bounded. */
static void put_ranges(struct e8_json *w, const struct e8_hist *hist)
{
    e8_json_object(w, "ci99");
    for (size_t i = 0; i < E8_PERCENTILES; i++) {
        struct e8_range range = e8_range_of_quantile(hist, e8_percentiles[i].q);
        e8_json_array(w, e8_percentiles[i].key);
        put_ms(w, NULL, true, range.low);
        put_ms(w, NULL, range.high < (double)INFINITY, range.high);
        e8_json_end(w, ']');
    }
    e8_json_end(w, '}');
}

static void put_times(struct e8_json *w, const char *key, const struct e8_hist *hist)
{
    uint64_t count = hist ? e8_hist_count(hist) : 0;
    bool known = count > 0;
    e8_json_object(w, key);
    e8_json_int(w, "count", (int64_t)count);
    put_ms(w, "min", known, known ? (double)e8_hist_min(hist) : 0);
    put_ms(w, "mean", known, known ? e8_hist_mean(hist) : 0);
    for (size_t i = 0; i < E8_PERCENTILES; i++)
        put_ms(w, e8_percentiles[i].key, known,
               known ? (double)e8_hist_quantile(hist, e8_percentiles[i].q) : 0);
    put_ms(w, "max", known, known ? (double)e8_hist_max(hist) : 0);
    if (known)
        put_ranges(w, hist);
    else
        e8_json_null(w, "ci99");
    e8_json_end(w, '}');
}

static void put_wall(struct e8_json *w, const char *key, e8_wall_ns wall)
{
    char text[E8_RFC3339_MAX];
    if (wall == 0) {
        e8_json_null(w, key);
        return;
    }
    e8_wall_format(wall, 6, text);
    e8_json_cstr(w, key, text);
}

static void put_run(struct e8_json *w, const struct e8_report *report)
{
    const struct e8_log_run *run = report->run;
    char seed[E8_NUMBER_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, seed, sizeof(seed));
    e8_buf_putu(&buf, run->seed);
    e8_json_object(w, "run");
    e8_json_int(w, "id", run->id);
    e8_json_cstr(w, "name", run->name);
    e8_json_str(w, "seed", e8_buf_str(&buf));
    put_wall(w, "started", run->started);
    put_wall(w, "ended", run->ended);
    e8_json_num(w, "elapsed_s", (double)e8_report_elapsed(run, report->stats) / (double)E8_NS_S, 6);
    e8_json_cstr(w, "version", run->version);
    e8_json_cstr(w, "curl_version", run->curl_version);
    e8_json_int(w, "workers", run->workers);
    e8_json_cstr(w, "scenario_digest", run->scenario_digest);
    e8_json_cstr(w, "fixtures_digest", run->fixtures_digest);
    e8_json_cstr(w, "command", run->command);
    put_ms(w, "timer_floor_ms", true, (double)run->timer_floor);
    e8_json_bool(w, "interrupted", run->interrupted);
    e8_json_bool(w, "insecure", run->insecure);
    if (run->shards > 0) {
        e8_json_object(w, "shard");
        if (run->shard > 0)
            e8_json_int(w, "number", run->shard);
        else
            e8_json_null(w, "number");
        e8_json_int(w, "count", run->shards);
        e8_json_end(w, '}');
    }
    if (run->resumes > 0) {
        e8_json_object(w, "resumes");
        e8_json_int(w, "run", run->resumes);
        e8_json_int(w, "over", (int64_t)run->over);
        e8_json_end(w, '}');
    }
    e8_json_end(w, '}');
}

static void put_reason(struct e8_json *w, const struct e8_report *report)
{
    char text[sizeof(report->reason) + 16];
    snprintf(text, sizeof(text), "%s%s",
             report->run->interrupted && !report->more.aborted ? "interrupted; " : "", report->reason);
    e8_json_cstr(w, "reason", text);
}

/* sized: otherwise how much of the plan was not begun is not known. */
static void put_totals(struct e8_json *w, const struct e8_totals *totals, bool sized)
{
    e8_json_object(w, "totals");
    e8_json_int(w, "planned", (int64_t)totals->planned);
    e8_json_int(w, "delivered", (int64_t)totals->delivered);
    e8_json_int(w, "failed", (int64_t)totals->failed);
    e8_json_int(w, "dropped", (int64_t)totals->dropped);
    e8_json_int(w, "aborted", (int64_t)totals->aborted);
    e8_json_int(w, "withheld", (int64_t)totals->withheld);
    e8_json_int(w, "gone", (int64_t)totals->gone);
    e8_json_int(w, "expected", (int64_t)totals->expected);
    e8_json_int(w, "unmet", (int64_t)totals->unmet);
    e8_json_int(w, "attempts", (int64_t)totals->attempts);
    e8_json_int(w, "retries", (int64_t)totals->retries);
    if (sized)
        e8_json_int(w, "not_begun", (int64_t)totals->not_begun);
    else
        e8_json_null(w, "not_begun");
    e8_json_end(w, '}');
}

static void put_statuses(struct e8_json *w, const struct e8_stats *stats)
{
    const uint64_t *statuses = e8_stats_statuses(stats);
    e8_json_object(w, "status");
    for (int status = 1; status < E8_STATUSES; status++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", status);
        if (statuses[status])
            e8_json_int(w, key, (int64_t)statuses[status]);
    }
    if (statuses[0])
        e8_json_int(w, "none", (int64_t)statuses[0]);
    e8_json_end(w, '}');
}

static void put_outcomes(struct e8_json *w, const struct e8_stats *stats)
{
    const uint64_t *outcomes = e8_stats_all(stats)->n.outcomes;
    e8_json_object(w, "outcomes");
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++)
        if (outcomes[i])
            e8_json_int(w, e8_outcome_info((enum e8_outcome)i)->name, (int64_t)outcomes[i]);
    e8_json_end(w, '}');
}

static void put_endpoints(struct e8_json *w, const struct e8_report *report, size_t most)
{
    e8_json_array(w, "endpoints");
    for (unsigned i = 0; i < report->run->endpoint_count && i < most; i++) {
        const struct e8_log_endpoint *endpoint = &report->run->endpoints[i];
        const struct e8_tally *tally = e8_stats_endpoint(report->stats, i);
        struct e8_totals totals = e8_totals_of(tally);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", endpoint->name);
        e8_json_cstr(w, "url", endpoint->url);
        e8_json_cstr(w, "scheme", endpoint->scheme);
        e8_json_bool(w, "signed", e8_report_signed(endpoint));
        put_totals(w, &totals, !e8_report_early(report));
        put_times(w, "response_time_ms", tally->response);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_types(struct e8_json *w, const struct e8_report *report, size_t most)
{
    size_t told = 0;
    e8_json_array(w, "types");
    for (unsigned i = 0; i < report->run->type_count && told < most; i++) {
        const struct e8_tally *tally = e8_stats_type(report->stats, i);
        struct e8_totals totals = e8_totals_of(tally);
        if (!e8_totals_any(&totals))
            continue;
        told++;
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", report->run->types[i]);
        put_totals(w, &totals, !e8_report_early(report));
        put_times(w, "response_time_ms", tally->response);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static bool is_time(enum e8_measure measure)
{
    return measure == E8_MEASURE_QUANTILE || measure == E8_MEASURE_MIN || measure == E8_MEASURE_MEAN ||
           measure == E8_MEASURE_MAX;
}

static void put_thresholds(struct e8_json *w, const struct e8_report *report)
{
    e8_json_array(w, "thresholds");
    for (size_t i = 0; i < report->threshold_count; i++) {
        const struct e8_threshold_result *result = &report->thresholds[i];
        bool time = is_time(result->threshold.measure);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "rule", result->threshold.text);
        if (time)
            put_ms(w, "measured", result->measurable, result->measured);
        else if (result->measurable)
            e8_json_num(w, "measured", result->measured, 9);
        else
            e8_json_null(w, "measured");
        e8_json_bool(w, "pass", result->pass);
        e8_json_bool(w, "aborted", result->aborted);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_clean(struct e8_json *w, const char *key, const char *text)
{
    struct e8_buf clean;
    if (!text || !text[0]) {
        e8_json_null(w, key);
        return;
    }
    e8_buf_init(&clean, (size_t)1 << 20);
    e8_buf_put_clean(&clean, e8_str(text));
    e8_json_str(w, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_steps(struct e8_json *w, const struct e8_report_more *more, size_t most)
{
    if (more->step_count == 0) {
        e8_json_null(w, "expectations");
        return;
    }
    e8_json_array(w, "expectations");
    for (size_t i = 0; i < more->step_count && i < most; i++) {
        const struct e8_report_step *step = &more->steps[i];
        e8_json_object(w, NULL);
        put_clean(w, "step", step->id);
        put_clean(w, "type", step->type);
        put_clean(w, "expects", step->expects);
        e8_json_bool(w, "reports", step->reports);
        e8_json_int(w, "met", (int64_t)step->met);
        e8_json_int(w, "unmet", (int64_t)step->unmet);
        e8_json_int(w, "reported", (int64_t)step->reported);
        e8_json_int(w, "not_measured", (int64_t)step->not_measured);
        put_clean(w, "why", step->why);
        put_clean(w, "delivery_id", step->delivery_id);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_http2(struct e8_json *w, const struct e8_report *report)
{
    const struct e8_report_more *more = &report->more;
    if (!more->over_h2 && !more->declined_h2)
        return;
    e8_json_object(w, "http2");
    e8_json_int(w, "streams", (int64_t)more->over_h2);
    e8_json_int(w, "declined", (int64_t)more->declined_h2);
    e8_json_int(w, "goaways", (int64_t)more->goaways);
    e8_json_int(w, "refused_streams", (int64_t)more->refused);
    e8_json_num(w, "streams_per_connection", e8_report_streams(report), 2);
    e8_json_end(w, '}');
}

/* null: there were none. */
static void put_more(struct e8_json *w, const struct e8_report_more *more, size_t most)
{
    put_steps(w, more, most);
    if (more->spread && e8_hist_count(more->spread) > 0)
        put_times(w, "copies_spread_ms", more->spread);
    else
        e8_json_null(w, "copies_spread_ms");
    if (more->flows_stopped > 0)
        e8_json_int(w, "flows_stopped", (int64_t)more->flows_stopped);
    else
        e8_json_null(w, "flows_stopped");
}

void e8_json_report(const struct e8_report *report, size_t most, struct e8_json *w, const char *key)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    struct e8_totals totals = e8_totals_whole(report);
    double rate = e8_report_rate_whole(report);
    e8_json_object(w, key);
    e8_json_int(w, "schema_version", SCHEMA_VERSION);
    put_run(w, report);
    e8_json_cstr(w, "verdict", verdicts[report->verdict]);
    put_reason(w, report);
    put_totals(w, &totals, e8_totals_sized(report));
    e8_json_int(w, "warmup_attempts", (int64_t)all->n.warmup);
    if (rate < 0)
        e8_json_null(w, "rate_per_s");
    else
        e8_json_num(w, "rate_per_s", rate, 6);
    put_times(w, "response_time_ms", all->response);
    put_times(w, "service_time_ms", all->service);
    put_times(w, "send_lag_ms", all->lag);
    put_statuses(w, report->stats);
    put_outcomes(w, report->stats);
    put_endpoints(w, report, most);
    put_types(w, report, most);
    put_thresholds(w, report);
    e8_json_deadlines(report, w);
    e8_json_int(w, "unanswered", (int64_t)e8_report_unanswered(&all->n));
    e8_json_feedback(report, w);
    e8_json_series(report, w);
    e8_json_generator(report, w);
    put_more(w, &report->more, most);
    put_http2(w, report);
    e8_json_array(w, "warnings");
    for (size_t i = 0; i < report->warning_count; i++)
        e8_json_cstr(w, NULL, report->warnings[i]);
    e8_json_end(w, ']');
    e8_json_end(w, '}');
}

void e8_report_json(const struct e8_report *report, int indent, struct e8_buf *out)
{
    struct e8_json json = e8_json_new(out, indent);
    e8_json_report(report, SIZE_MAX, &json, NULL);
    e8_buf_putc(out, '\n');
}
