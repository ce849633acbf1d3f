#include <math.h>
#include <string.h>

#include "report/parts.h"

#define DROPPED_MOST  0.001 /* of the planned deliveries */
#define UNTESTED_FROM 0.9   /* of the answers: 401, 403, 404 or 405 */

/* ---- thresholds ---- */

static const struct e8_hist *hist_of(const struct e8_stats *stats, enum e8_of of)
{
    const struct e8_tally *all = e8_stats_all(stats);
    return of == E8_OF_SERVICE ? all->service : of == E8_OF_LAG ? all->lag : all->response;
}

static double measure_time(const struct e8_threshold *threshold, const struct e8_stats *stats)
{
    const struct e8_hist *hist = hist_of(stats, threshold->of);
    if (!hist || e8_hist_count(hist) == 0)
        return NAN;
    switch (threshold->measure) {
    case E8_MEASURE_MIN:
        return (double)e8_hist_min(hist);
    case E8_MEASURE_MEAN:
        return e8_hist_mean(hist);
    case E8_MEASURE_MAX:
        return (double)e8_hist_max(hist);
    default:
        return (double)e8_hist_quantile(hist, threshold->quantile);
    }
}

static double share(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : (double)NAN;
}

static double measure_status(const struct e8_threshold *threshold, const struct e8_stats *stats,
                             uint64_t attempts)
{
    uint64_t sum = 0;
    for (int status = threshold->status_low; status <= threshold->status_high && status < E8_STATUSES;
         status++)
        sum += e8_stats_statuses(stats)[status];
    return share(sum, attempts);
}

static double measure_outcome(const struct e8_threshold *threshold, const struct e8_counts *n)
{
    enum e8_outcome outcome;
    if (!e8_outcome_find(e8_str(threshold->outcome), &outcome))
        return NAN;
    return share(n->outcomes[outcome], n->attempts);
}

/* NaN: there is nothing to measure. */
static double measure(const struct e8_threshold *threshold, const struct e8_log_run *run,
                      const struct e8_stats *stats)
{
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    struct e8_totals totals = e8_totals_all(run, stats);
    double rate = e8_report_rate(stats);
    switch (threshold->measure) {
    case E8_MEASURE_QUANTILE:
    case E8_MEASURE_MIN:
    case E8_MEASURE_MEAN:
    case E8_MEASURE_MAX:
        return measure_time(threshold, stats);
    case E8_MEASURE_SUCCESS:
        return share(totals.delivered, totals.delivered + totals.failed + totals.dropped);
    case E8_MEASURE_STATUS:
        return measure_status(threshold, stats, n->attempts);
    case E8_MEASURE_OUTCOME:
        return measure_outcome(threshold, n);
    case E8_MEASURE_RATE:
        return rate < 0 ? (double)NAN : rate;
    case E8_MEASURE_FAILED:
        return totals.attempts ? (double)totals.failed : (double)NAN;
    case E8_MEASURE_RETRIES:
        return totals.attempts ? (double)totals.retries : (double)NAN;
    }
    E8_UNREACHABLE();
}

static struct e8_threshold_result evaluate(const struct e8_threshold *threshold, const struct e8_log_run *run,
                                           const struct e8_stats *stats)
{
    double measured = measure(threshold, run, stats);
    bool measurable = !isnan(measured);
    return (struct e8_threshold_result){
        .threshold = *threshold,
        .measured = measurable ? measured : 0,
        .measurable = measurable,
        .pass = measurable && e8_threshold_holds(threshold, measured),
    };
}

static bool is_share(enum e8_measure measure)
{
    return measure == E8_MEASURE_SUCCESS || measure == E8_MEASURE_STATUS || measure == E8_MEASURE_OUTCOME;
}

/* With four decimals, none of them made up: 99.9999 at most for what is not all. */
static void share_text(double measured, char out[E8_MEASURED_MAX])
{
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_MEASURED_MAX);
    double percent = measured * 100;
    if (percent > 99.9999 && measured < 1)
        percent = 99.9999;
    if (measured > 0 && percent < 0.0001)
        percent = 0.0001;
    e8_buf_printf(&buf, "%.4f", percent);
    while (buf.n > 0 && buf.p[buf.n - 1] == '0')
        buf.n--;
    if (buf.n > 0 && buf.p[buf.n - 1] == '.')
        buf.n--;
    e8_buf_puts(&buf, " %");
    e8_buf_cstr(&buf);
}

const char *e8_measured_text(const struct e8_threshold_result *result, char out[E8_MEASURED_MAX])
{
    if (!result->measurable)
        memcpy(out, "not measured", sizeof("not measured"));
    else if (is_share(result->threshold.measure))
        share_text(result->measured, out);
    else
        e8_threshold_value_text(&result->threshold, result->measured, out);
    return out;
}

/* ---- the verdict ---- */

/* The first reason of a kind is the verdict's; what else is wrong becomes a warning. */
static void invalid(struct e8_report *report, const char *reason)
{
    if (report->verdict == E8_INVALID) {
        e8_report_warn(report, "%s", reason);
        return;
    }
    report->verdict = E8_INVALID;
    snprintf(report->reason, sizeof(report->reason), "%s", reason);
}

#define REASON_MAX 160

static void check_tested(struct e8_report *report, const struct e8_totals *totals)
{
    static const unsigned refusals[] = {401, 403, 404, 405};
    const uint64_t *statuses = e8_stats_statuses(report->stats);
    uint64_t refused = 0, answered = 0;
    unsigned most = 401;
    char reason[REASON_MAX], of[E8_NUMBER_MAX];
    for (unsigned status = 100; status < E8_STATUSES; status++)
        answered += statuses[status];
    for (size_t i = 0; i < E8_COUNT(refusals); i++) {
        refused += statuses[refusals[i]];
        if (statuses[refusals[i]] > statuses[most])
            most = refusals[i];
    }
    if (totals->attempts == 0) {
        invalid(report, "nothing was tested: no attempt was made");
    } else if (totals->delivered + totals->failed == 0) {
        invalid(report, "nothing was tested: no delivery came to its end");
    } else if (refused > 0 && (double)refused >= UNTESTED_FROM * (double)answered) {
        snprintf(reason, sizeof(reason), "nothing was tested: %s of the answers %s %u (%s)",
                 e8_share_text(refused, answered, of),
                 statuses[most] == refused ? "are" : "are 401, 403, 404 or 405, mostly", most,
                 most >= 404 ? "is the URL right?" : "is the secret right?");
        invalid(report, reason);
    }
}

static void check_generator(struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    uint64_t sum = 0;
    char memory[REASON_MAX / 2], reason[REASON_MAX];
    struct e8_buf names;
    e8_buf_fixed(&names, memory, sizeof(memory));
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        const struct e8_outcome_info *info = e8_outcome_info((enum e8_outcome)i);
        if (!info->generator || n->outcomes[i] == 0)
            continue;
        e8_buf_printf(&names, "%s%s %llu", sum ? ", " : "", info->name, (unsigned long long)n->outcomes[i]);
        sum += n->outcomes[i];
    }
    if (sum == 0)
        return;
    snprintf(reason, sizeof(reason), "%llu attempt%s failed on emit8's own side (%s)",
             (unsigned long long)sum, e8_plural(sum), e8_buf_cstr(&names));
    invalid(report, reason);
}

static void check_dropped(struct e8_report *report, const struct e8_totals *totals)
{
    char of[E8_NUMBER_MAX], reason[REASON_MAX];
    if ((double)totals->dropped <= DROPPED_MOST * (double)totals->planned)
        return;
    snprintf(reason, sizeof(reason), "%s of the planned deliveries were dropped (at most 0.1 %% may be)",
             e8_share_text(totals->dropped, totals->planned, of));
    invalid(report, reason);
}

static void check_clamped(struct e8_report *report)
{
    uint64_t sum = 0;
    char reason[REASON_MAX];
    for (int of = E8_OF_RESPONSE; of <= E8_OF_LAG; of++) {
        const struct e8_hist *hist = hist_of(report->stats, (enum e8_of)of);
        sum += hist ? e8_hist_clamped(hist) : 0;
    }
    if (sum == 0)
        return;
    snprintf(reason, sizeof(reason), "%llu measured time%s outside the histogram's range (up to 1 h)",
             (unsigned long long)sum, sum == 1 ? " is" : "s are");
    invalid(report, reason);
}

static void check_sum(struct e8_report *report, const struct e8_totals *totals)
{
    char reason[REASON_MAX];
    uint64_t ended = e8_totals_ended(totals);
    if (ended == totals->planned)
        return;
    if (report->run->interrupted || report->run->ended == 0) {
        if (ended < totals->planned)
            e8_report_warn(report, "%llu of %llu planned deliveries have no end, because the run %s",
                           (unsigned long long)(totals->planned - ended), (unsigned long long)totals->planned,
                           report->run->interrupted ? "was interrupted" : "has not ended");
        return;
    }
    snprintf(reason, sizeof(reason),
             "deliveries do not add up: %llu planned, %llu ended (%llu delivered, %llu failed, %llu dropped, "
             "%llu aborted)",
             (unsigned long long)totals->planned, (unsigned long long)ended,
             (unsigned long long)totals->delivered, (unsigned long long)totals->failed,
             (unsigned long long)totals->dropped, (unsigned long long)totals->aborted);
    invalid(report, reason);
}

/* Whether a threshold says how many deliveries may fail. */
static bool speaks_of_failure(enum e8_measure measure)
{
    return measure == E8_MEASURE_SUCCESS || measure == E8_MEASURE_FAILED || measure == E8_MEASURE_STATUS;
}

static void pass_or_fail(struct e8_report *report, const struct e8_totals *totals, size_t missed,
                         size_t first, bool spoken)
{
    char text[E8_MEASURED_MAX], a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], more[48] = "";
    report->verdict = missed > 0 || (!spoken && totals->failed > 0) ? E8_FAIL : E8_PASS;
    if (missed > 1)
        snprintf(more, sizeof(more), "; %zu other%s missed too", missed - 1, e8_plural(missed - 1));
    if (missed > 0 && first < report->threshold_count) {
        const struct e8_threshold_result *result = &report->thresholds[first];
        snprintf(report->reason, sizeof(report->reason), "%s: %s%s%s", result->threshold.text,
                 result->measurable ? "measured " : "", e8_measured_text(result, text), more);
    } else if (missed > 0) {
        snprintf(report->reason, sizeof(report->reason), "%zu threshold%s missed", missed, e8_plural(missed));
    } else if (totals->failed > 0) {
        snprintf(report->reason, sizeof(report->reason), "%s of %s deliveries ended undelivered%s",
                 e8_count_text(totals->failed, a), e8_count_text(totals->delivered + totals->failed, b),
                 spoken ? ", which the thresholds allow" : "");
    } else {
        snprintf(report->reason, sizeof(report->reason), "%s deliver%s delivered%s",
                 e8_count_text(totals->delivered, a), totals->delivered == 1 ? "y" : "ies",
                 report->threshold_count ? ", all thresholds hold" : "");
    }
}

static void check_end(struct e8_report *report)
{
    if (report->run->ended == 0)
        invalid(report, "the run has no end in the log: it was killed, or is still running");
}

static void check_invalid(struct e8_report *report, const struct e8_totals *totals)
{
    check_end(report);
    check_generator(report);
    check_tested(report, totals);
    check_dropped(report, totals);
    check_clamped(report);
    check_sum(report, totals);
}

void e8_report_make(const struct e8_log_run *run, const struct e8_stats *stats,
                    const struct e8_threshold *thresholds, size_t count, struct e8_report *out)
{
    size_t missed = 0, first = 0;
    bool spoken = false;
    *out = (struct e8_report){.run = run, .stats = stats};
    for (size_t i = 0; i < count; i++) {
        struct e8_threshold_result result = evaluate(&thresholds[i], run, stats);
        spoken |= speaks_of_failure(thresholds[i].measure);
        first = !result.pass && missed == 0 ? i : first;
        missed += !result.pass;
        if (i < E8_COUNT(out->thresholds))
            out->thresholds[out->threshold_count++] = result;
    }
    struct e8_totals totals = e8_totals_all(run, stats);
    pass_or_fail(out, &totals, missed, first, spoken);
    check_invalid(out, &totals);
    if (count > out->threshold_count)
        e8_report_warn(out, "%zu further thresholds were evaluated, but are not shown",
                       count - out->threshold_count);
    e8_report_warnings(out);
}
