/* What thresholds measure: over all, at one endpoint, or of the types that a pattern takes. */
#include <math.h>
#include <string.h>

#include "match/match.h"
#include "report/parts.h"

struct scope {
    bool whole;
    struct e8_counts n;
    struct e8_span span;
    struct e8_hist *response; /* merged; owned. NULL: of `tally` */
    const struct e8_tally *tally;
};

const struct e8_hist *e8_hist_of(const struct e8_stats *stats, enum e8_of of)
{
    const struct e8_tally *all = e8_stats_all(stats);
    return of == E8_OF_SERVICE ? all->service : of == E8_OF_LAG ? all->lag : all->response;
}

static void add_span(struct scope *scope, const struct e8_tally *tally)
{
    bool first = scope->n.attempts == 0;
    if (tally->n.attempts == 0)
        return;
    if (first || tally->span.first_due < scope->span.first_due)
        scope->span.first_due = tally->span.first_due;
    if (first || tally->span.last_done > scope->span.last_done)
        scope->span.last_done = tally->span.last_done;
}

static void add_tally(struct scope *scope, const struct e8_tally *tally)
{
    uint64_t *into = (uint64_t *)&scope->n;
    const uint64_t *from = (const uint64_t *)&tally->n;
    add_span(scope, tally);
    for (size_t i = 0; i < sizeof(scope->n) / sizeof(*into); i++)
        into[i] += from[i];
    if (!tally->response)
        return;
    if (!scope->response)
        scope->response = e8_hist_new();
    e8_hist_merge(scope->response, tally->response);
}

static struct scope scope_of(const struct e8_threshold *threshold, const struct e8_log_run *run,
                             const struct e8_stats *stats)
{
    struct scope scope = {.whole = !threshold->endpoint[0] && !threshold->type[0]};
    if (scope.whole)
        scope.tally = e8_stats_all(stats);
    for (size_t i = 0; threshold->endpoint[0] && i < run->endpoint_count; i++)
        if (strcmp(run->endpoints[i].name, threshold->endpoint) == 0)
            scope.tally = e8_stats_endpoint(stats, (unsigned)i);
    if (scope.tally) {
        scope.n = scope.tally->n;
        scope.span = scope.tally->span;
    }
    for (size_t i = 0; threshold->type[0] && i < run->type_count; i++)
        if (e8_pattern_valid(e8_str(threshold->type)) &&
            e8_pattern_matches(e8_str(threshold->type), e8_str(run->types[i])))
            add_tally(&scope, e8_stats_type(stats, (unsigned)i));
    return scope;
}

static const struct e8_hist *scope_hist(const struct scope *scope, const struct e8_threshold *threshold,
                                        const struct e8_stats *stats)
{
    if (scope->whole)
        return e8_hist_of(stats, threshold->of);
    return scope->tally ? scope->tally->response : scope->response;
}

static double measure_time(const struct e8_threshold *threshold, const struct e8_hist *hist)
{
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

/* Narrowed down there are classes alone, which the parser sees to. */
static double measure_status(const struct e8_threshold *threshold, const struct scope *scope,
                             const struct e8_stats *stats)
{
    uint64_t sum = 0;
    if (!scope->whole)
        return share(scope->n.classes[threshold->status_low / 100], scope->n.attempts);
    for (int status = threshold->status_low; status <= threshold->status_high && status < E8_STATUSES;
         status++)
        sum += e8_stats_statuses(stats)[status];
    return share(sum, scope->n.attempts);
}

static double measure_outcome(const struct e8_threshold *threshold, const struct e8_counts *n)
{
    enum e8_outcome outcome;
    if (!e8_outcome_find(e8_str(threshold->outcome), &outcome))
        return NAN;
    return share(n->outcomes[outcome], n->attempts);
}

static struct e8_totals totals_of(const struct scope *scope, const struct e8_log_run *run,
                                  const struct e8_stats *stats)
{
    const struct e8_tally tally = {.n = scope->n};
    return scope->whole ? e8_totals_all(run, stats) : e8_totals_of(&tally);
}

static double attempt_rate(const struct scope *scope)
{
    e8_dur_ns length = scope->span.last_done - scope->span.first_due;
    return length > 0 ? (double)scope->n.attempts / ((double)length / (double)E8_NS_S) : (double)NAN;
}

/* NaN: there is nothing to measure. */
static double measure(const struct e8_threshold *threshold, const struct scope *scope,
                      const struct e8_log_run *run, const struct e8_stats *stats)
{
    struct e8_totals totals = totals_of(scope, run, stats);
    double rate = e8_report_rate(&scope->n, &scope->span);
    switch (threshold->measure) {
    case E8_MEASURE_QUANTILE:
    case E8_MEASURE_MIN:
    case E8_MEASURE_MEAN:
    case E8_MEASURE_MAX:
        return measure_time(threshold, scope_hist(scope, threshold, stats));
    case E8_MEASURE_SUCCESS:
        return share(totals.delivered, totals.delivered + totals.failed + totals.dropped + totals.gone);
    case E8_MEASURE_STATUS:
        return measure_status(threshold, scope, stats);
    case E8_MEASURE_OUTCOME:
        return measure_outcome(threshold, &scope->n);
    case E8_MEASURE_RATE:
        return rate < 0 ? (double)NAN : rate;
    case E8_MEASURE_FAILED:
        return totals.attempts ? (double)totals.failed : (double)NAN;
    case E8_MEASURE_RETRIES:
        return totals.attempts ? (double)totals.retries : (double)NAN;
    case E8_MEASURE_UNMET:
        return totals.attempts ? (double)totals.unmet : (double)NAN;
    case E8_MEASURE_DROPPED:
        return totals.planned ? (double)totals.dropped : (double)NAN;
    case E8_MEASURE_ATTEMPT_RATE:
        return attempt_rate(scope);
    }
    E8_UNREACHABLE();
}

struct e8_threshold_result e8_threshold_evaluate(const struct e8_threshold *threshold,
                                                 const struct e8_log_run *run, const struct e8_stats *stats)
{
    struct scope scope = scope_of(threshold, run, stats);
    double measured = measure(threshold, &scope, run, stats);
    bool measurable = !isnan(measured);
    e8_hist_free(&scope.response);
    return (struct e8_threshold_result){
        .threshold = *threshold,
        .measured = measurable ? measured : 0,
        .measurable = measurable,
        .pass = measurable && e8_threshold_holds(threshold, measured),
    };
}

/* What the measure does while the run goes on. */
enum trend { RISES, FALLS, MOVES };

static enum trend trend_of(enum e8_measure measure)
{
    switch (measure) {
    case E8_MEASURE_MAX:
    case E8_MEASURE_FAILED:
    case E8_MEASURE_RETRIES:
    case E8_MEASURE_UNMET:
    case E8_MEASURE_DROPPED:
        return RISES;
    case E8_MEASURE_MIN:
        return FALLS;
    default:
        return MOVES;
    }
}

bool e8_threshold_lost(const struct e8_threshold *threshold, const struct e8_log_run *run,
                       const struct e8_stats *stats, e8_dur_ns elapsed)
{
    struct scope scope = scope_of(threshold, run, stats);
    double measured = measure(threshold, &scope, run, stats);
    bool enough = scope.n.attempts >= E8_ABORT_ATTEMPTS && elapsed >= E8_ABORT_AFTER;
    e8_hist_free(&scope.response);
    if (isnan(measured) || e8_threshold_holds(threshold, measured))
        return false;
    switch (trend_of(threshold->measure)) {
    case RISES:
        return threshold->compare == E8_LT || threshold->compare == E8_LE || measured > threshold->bound;
    case FALLS:
        return threshold->compare == E8_GT || threshold->compare == E8_GE || measured < threshold->bound;
    case MOVES:
        return enough;
    }
    E8_UNREACHABLE();
}

static enum e8_rc check_type(const struct e8_threshold *threshold, const char *const *types,
                             struct e8_err *err)
{
    struct e8_str pattern = e8_str(threshold->type);
    char hint[E8_HINT_MAX];
    for (size_t i = 0; e8_pattern_valid(pattern) && types[i]; i++)
        if (e8_pattern_matches(pattern, e8_str(types[i])))
            return E8_OK;
    e8_hint_near(pattern, types, "a type, a category like conversation.*, or *", hint);
    return e8_fail(err, E8_INPUT, hint, "threshold \"%s\": no event type is \"%s\"", threshold->text,
                   threshold->type);
}

enum e8_rc e8_threshold_check(const struct e8_threshold *threshold, const struct e8_log_endpoint *endpoints,
                              size_t endpoint_count, const char *const *types, struct e8_err *err)
{
    const char *names[33] = {NULL};
    char hint[E8_HINT_MAX];
    if (threshold->type[0])
        return check_type(threshold, types, err);
    for (size_t i = 0; threshold->endpoint[0] && i < endpoint_count; i++) {
        if (strcmp(endpoints[i].name, threshold->endpoint) == 0)
            return E8_OK;
        if (i < E8_COUNT(names) - 1)
            names[i] = endpoints[i].name;
    }
    if (!threshold->endpoint[0])
        return E8_OK;
    e8_hint_near(e8_str(threshold->endpoint), names, "the name of one of the scenario's endpoints", hint);
    return e8_fail(err, E8_INPUT, hint, "threshold \"%s\": there is no endpoint \"%s\"", threshold->text,
                   threshold->endpoint);
}
