#include "report/curve.h"

#include <math.h>
#include <string.h>

#include "report/parts.h"

#define LAG_LEAST (E8_NS_MS) /* send lag that is always acceptable */
#define LAG_SHARE 0.1        /* of the response p50 */
#define BUSY_MOST 0.85       /* of the processors' time; above that what is missed may be our fault */

static e8_dur_ns quantile(const struct e8_hist *hist, double q)
{
    return hist && e8_hist_count(hist) > 0 ? e8_hist_quantile(hist, q) : 0;
}

static void measure_step(const struct e8_report *report, const struct e8_curve_facts *facts,
                         struct e8_curve_step *out)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    struct e8_totals totals = e8_totals_all(report->run, report->stats);
    out->early = facts->early;
    out->withheld = totals.gone;
    out->planned = totals.planned;
    out->delivered = totals.delivered;
    out->failed = totals.failed;
    out->dropped = totals.dropped;
    out->aborted = totals.aborted;
    out->samples = all->response ? e8_hist_count(all->response) : 0;
    out->p50 = quantile(all->response, 0.5);
    out->p95 = quantile(all->response, 0.95);
    out->p99 = quantile(all->response, 0.99);
    out->most = out->samples ? e8_hist_max(all->response) : 0;
    out->service_p99 = quantile(all->service, 0.99);
    out->lag_p99 = quantile(all->lag, 0.99);
}

static bool is_time(enum e8_measure measure)
{
    return measure == E8_MEASURE_QUANTILE || measure == E8_MEASURE_MIN || measure == E8_MEASURE_MEAN ||
           measure == E8_MEASURE_MAX;
}

/* Would the objective hold if every attempt had been sent when it was due? */
static bool holds_in_service(const struct e8_report *report, const struct e8_threshold_result *result)
{
    struct e8_threshold service = result->threshold;
    if (!is_time(service.measure) || service.of != E8_OF_RESPONSE || service.endpoint[0] || service.type[0]) {
        return false;
    }
    service.of = E8_OF_SERVICE;
    return e8_threshold_evaluate(&service, report->run, report->stats).pass;
}

/* All that is missed would hold but for the time in which deliveries waited to be sent. */
static bool is_missed_in_wait(const struct e8_report *report)
{
    bool any = false;
    for (size_t i = 0; i < report->threshold_count; i++) {
        const struct e8_threshold_result *result = &report->thresholds[i];
        any = any || !result->pass;
        if (!result->pass && !holds_in_service(report, result)) {
            return false;
        }
    }
    return any;
}

static bool is_late(const struct e8_curve_step *step)
{
    double most = LAG_SHARE * (double)step->p50;
    return (double)step->lag_p99 > (most > LAG_LEAST ? most : LAG_LEAST);
}

static const struct e8_threshold_result *first_missed(const struct e8_report *report)
{
    for (size_t i = 0; i < report->threshold_count; i++) {
        if (!report->thresholds[i].pass) {
            return &report->thresholds[i];
        }
    }
    return NULL;
}

static void say_missed(const struct e8_report *report, const struct e8_threshold_result *missed,
                       struct e8_curve_step *out)
{
    char measured[E8_MEASURED_MAX], failure[E8_FAILURE_MAX];
    struct e8_buf why;
    e8_buf_fixed(&why, out->why, sizeof(out->why) - 1);
    e8_buf_printf(&why, "%.80s: %s%s", missed->threshold.text, missed->measurable ? "measured " : "",
                  e8_measured_text(missed, measured));
    if (out->delivered == 0 && e8_failure_text(report->stats, failure)[0]) {
        e8_buf_printf(&why, "; nothing was delivered: %s", failure);
    }
    e8_buf_cstr(&why);
}

/* What no objective speaks of must be delivered, as in any other run; and where nothing is, there is nothing to measure. */
static bool is_undelivered(const struct e8_report *report, const struct e8_curve_step *step)
{
    return step->failed > 0 && (!report->allows_failures || step->delivered == 0);
}

static void say_undelivered(const struct e8_report *report, struct e8_curve_step *out)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], failure[E8_FAILURE_MAX];
    snprintf(out->why, sizeof(out->why), "%s of %s deliveries ended undelivered, %s%s",
             e8_count_text(out->failed, a), e8_count_text(out->delivered + out->failed, b),
             e8_failure_text(report->stats, failure),
             out->delivered == 0 ? "" : "; --slo 'success >= 99%' would allow some");
}

static void say_disabled(struct e8_curve_step *out)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    snprintf(out->why, sizeof(out->why),
             "the receiver answered 410, which disabled the endpoint: %s of %s deliveries were not sent",
             e8_count_text(out->withheld, a), e8_count_text(out->planned, b));
}

static void say_undrained(struct e8_curve_step *out)
{
    snprintf(out->why, sizeof(out->why), "the backlog did not drain: %llu of %llu deliveries had no end",
             (unsigned long long)out->aborted, (unsigned long long)out->planned);
}

static const char ours[] = "emit8 was the limit, not the receiver";

/* What was sent meets the objectives; the rest waited for a place among those in flight. */
static bool is_bounded(const struct e8_report *report, const struct e8_curve_facts *facts,
                       const struct e8_curve_step *step)
{
    struct e8_generator g = e8_generator_of(report);
    if (report->more.bound == 0 || facts->disabled || is_undelivered(report, step)) {
        return false;
    }
    return first_missed(report) ? is_missed_in_wait(report) && is_late(step)
                                : facts->unfinished || (g.rate_judged && g.rate_off);
}

static void say_late(const struct e8_report *report, struct e8_curve_step *out)
{
    char lag[E8_DUR_MAX];
    e8_dur_text(out->lag_p99, lag);
    if (report->more.crowd > 0) {
        snprintf(out->why, sizeof(out->why),
                 "%s: %llu deliveries waited for a retry, the most that may, send lag p99 is %s", ours,
                 (unsigned long long)report->more.crowd, lag);
    } else {
        snprintf(out->why, sizeof(out->why), "%s: send lag p99 is %s", ours, lag);
    }
}

/* Our own doing, whatever else was missed. False: it was not. */
static bool say_ours(const struct e8_report *report, const struct e8_curve_facts *facts,
                     struct e8_curve_step *out)
{
    bool missed = first_missed(report) != NULL;
    char lag[E8_DUR_MAX];
    if (e8_stats_all(report->stats)->n.generator > 0) {
        snprintf(out->why, sizeof(out->why), "%s: %.150s", ours, report->reason);
    } else if (missed && out->delivered > 0 && facts->busy > BUSY_MOST) {
        snprintf(out->why, sizeof(out->why), "%s: its workers were %.0f %% busy", ours, facts->busy * 100);
    } else if (is_bounded(report, facts, out)) {
        snprintf(out->why, sizeof(out->why), "%s: --in-flight %llu was reached, send lag p99 is %s; raise it",
                 ours, (unsigned long long)report->more.bound, e8_dur_text(out->lag_p99, lag));
    } else if (report->more.bound == 0 && is_late(out) && is_missed_in_wait(report) &&
               out->lag_p99 > out->p99 / 2) {
        say_late(report, out);
    } else {
        return false;
    }
    return true;
}

static bool is_dead(const struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    return n->attempts > 0 && e8_report_unanswered(n) == n->attempts;
}

/* A receiver that is too slow may make a report invalid as well; one that refuses everything has not been tested. */
void e8_curve_judge(const struct e8_report *report, const struct e8_curve_facts *facts,
                    struct e8_curve_step *out)
{
    const struct e8_threshold_result *missed = first_missed(report);
    bool invalid = report->verdict == E8_INVALID;
    measure_step(report, facts, out);
    out->why[0] = '\0';
    out->result = E8_SEARCH_FAILS;
    if (say_ours(report, facts, out)) {
        out->result = E8_SEARCH_INVALID;
    } else if (facts->disabled) {
        say_disabled(out);
    } else if (invalid && !facts->unfinished && out->delivered == 0 && !is_dead(report)) {
        out->result = E8_SEARCH_INVALID;
        snprintf(out->why, sizeof(out->why), "%.190s", report->reason);
    } else if (missed) {
        say_missed(report, missed, out);
    } else if (is_undelivered(report, out)) {
        say_undelivered(report, out);
    } else if (facts->unfinished) {
        say_undrained(out);
    } else if (invalid) {
        out->result = E8_SEARCH_INVALID;
        snprintf(out->why, sizeof(out->why), "%.190s", report->reason);
    } else {
        out->result = E8_SEARCH_HOLDS;
    }
}

/* ---- the conclusion ---- */

/* The last step at that rate. */
static const char *why_at(const struct e8_curve *curve, double rate)
{
    const char *why = "";
    for (size_t i = 0; i < curve->count; i++) {
        const struct e8_curve_step *step = &curve->steps[i];
        if (step->result != E8_SEARCH_HOLDS && step->rate >= rate && step->rate <= rate) {
            why = step->why;
        }
    }
    return why;
}

static void put_rate(struct e8_buf *out, double rate)
{
    char text[E8_NUMBER_MAX];
    e8_buf_puts(out, e8_rate_text(rate, text));
}

static void put_objectives(struct e8_buf *out, const struct e8_curve *curve)
{
    for (size_t i = 0; i < curve->objective_count; i++) {
        e8_buf_puts(out, i == 0 ? "" : i + 1 == curve->objective_count ? " and " : ", ");
        e8_buf_puts(out, curve->objectives[i].text);
    }
}

static void say_found(const struct e8_curve *curve, struct e8_buf *out)
{
    const struct e8_search *s = &curve->search;
    e8_buf_puts(out, s->bound == E8_BOUND_GENERATOR ? "at least " : "");
    put_rate(out, s->holds);
    e8_buf_puts(out, s->bound == E8_BOUND_TOP ? ", the highest that was to be tried, holds " : " holds ");
    put_objectives(out, curve);
    if (s->bound == E8_BOUND_TOP) {
        return;
    }
    e8_buf_puts(out, s->bound == E8_BOUND_GENERATOR ? "; of " : "; ");
    put_rate(out, s->above);
    e8_buf_printf(out, s->bound == E8_BOUND_GENERATOR ? " nothing can be said: %s" : " does not: %s",
                  why_at(curve, s->above));
}

static void say_not_found(const struct e8_curve *curve, struct e8_buf *out)
{
    const struct e8_search *s = &curve->search;
    bool lowest = s->confirmations == 0;
    if (lowest && s->bound == E8_BOUND_GENERATOR) {
        e8_buf_puts(out, why_at(curve, s->above));
        e8_buf_puts(out, ", already at ");
        put_rate(out, s->above);
        return;
    }
    e8_buf_puts(out, lowest ? "even " : "no rate held twice; the last, ");
    put_rate(out, s->above);
    e8_buf_printf(out, lowest ? " does not hold: %s" : ", did not: %s", why_at(curve, s->above));
}

static void say_interrupted(const struct e8_curve *curve, struct e8_buf *out)
{
    const struct e8_search *s = &curve->search;
    e8_buf_puts(out, "interrupted: ");
    if (s->holds > 0) {
        put_rate(out, s->holds);
        e8_buf_puts(out, " held so far, not confirmed");
    } else {
        e8_buf_puts(out, "no rate is known to hold");
    }
    if (s->above > 0) {
        e8_buf_puts(out, "; ");
        put_rate(out, s->above);
        e8_buf_puts(out, " did not");
    }
}

/* The last step that held at the rate that was found; NULL: there is none. */
static const struct e8_curve_step *found_step(const struct e8_curve *curve)
{
    double rate = curve->search.holds;
    for (size_t i = curve->count; i > 0; i--) {
        const struct e8_curve_step *step = &curve->steps[i - 1];
        if (step->result == E8_SEARCH_HOLDS && step->rate >= rate && step->rate <= rate) {
            return step;
        }
    }
    return NULL;
}

static void warn_few(struct e8_curve *curve)
{
    const struct e8_curve_step *step = found_step(curve);
    const struct e8_threshold *worst = NULL;
    char count[E8_NUMBER_MAX];
    curve->warning[0] = '\0';
    for (size_t i = 0; step && i < curve->objective_count; i++) {
        const struct e8_threshold *objective = &curve->objectives[i];
        bool few = objective->measure == E8_MEASURE_QUANTILE && objective->quantile < 1 &&
                   e8_report_few(step->samples, objective->quantile);
        if (few && (!worst || objective->quantile > worst->quantile)) {
            worst = objective;
        }
    }
    if (worst) {
        double seconds = ceil(E8_BEYOND / (1 - worst->quantile) / step->rate * (1 - 1e-9));
        snprintf(
            curve->warning, sizeof(curve->warning),
            "%.100s stands on fewer than %d of %s samples: indicative only; --for %.0fs would give it enough "
            "at this rate",
            worst->text, E8_BEYOND, e8_count_text(step->samples, count), seconds);
    }
}

void e8_curve_conclude(struct e8_curve *curve)
{
    const struct e8_search *s = &curve->search;
    struct e8_buf reason;
    e8_buf_fixed(&reason, curve->reason, sizeof(curve->reason));
    if (s->confirmed) {
        curve->verdict = s->bound == E8_BOUND_GENERATOR ? E8_INVALID : E8_PASS;
        say_found(curve, &reason);
    } else if (!s->ended) {
        curve->verdict = E8_INVALID;
        say_interrupted(curve, &reason);
    } else {
        curve->verdict = s->bound == E8_BOUND_GENERATOR ? E8_INVALID : E8_FAIL;
        say_not_found(curve, &reason);
    }
    e8_buf_cstr(&reason);
    warn_few(curve);
}

const char *e8_curve_step_label(enum e8_search_stage stage, double rate, char out[E8_STEP_LABEL_MAX])
{
    char text[E8_NUMBER_MAX];
    snprintf(out, E8_STEP_LABEL_MAX, "%s%s", e8_rate_text(rate, text),
             stage == E8_SEARCH_CONFIRM ? " once more" : "");
    return out;
}

void e8_curve_step_text(const struct e8_curve_step *step, size_t columns, struct e8_buf *out)
{
    char label[E8_STEP_LABEL_MAX], p99[E8_DUR_MAX], memory[E8_STEP_LABEL_MAX + sizeof(step->why) + 32];
    struct e8_page page = {out, columns, false};
    struct e8_buf line;
    e8_buf_fixed(&line, memory, sizeof(memory));
    e8_buf_puts(&line, e8_curve_step_label(step->stage, step->rate, label));
    if (step->result == E8_SEARCH_HOLDS) {
        e8_buf_printf(&line, " holds%s: p99 %s", step->stage == E8_SEARCH_CONFIRM ? ", confirmed" : "",
                      e8_dur_text(step->p99, p99));
    } else {
        e8_buf_printf(&line, " %s: %s", e8_search_result_name(step->result), step->why);
    }
    e8_page_put(&page, E8_PLAIN, e8_buf_str(&line), columns, 0);
}
