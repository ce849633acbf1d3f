#include <string.h>

#include "report/parts.h"

#define DROPPED_MOST  0.001 /* of the planned deliveries */
#define UNTESTED_FROM 0.9   /* of the answers: 401, 403, 404 or 405 */

/* ---- measured values ---- */

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

#define REASON_MAX 256

static unsigned count_gone(const struct e8_report *report, const char **first)
{
    unsigned count = 0;
    for (size_t i = report->run->endpoint_count; i-- > 0;) {
        if (e8_stats_endpoint(report->stats, (unsigned)i)->n.gone > 0) {
            *first = report->run->endpoints[i].name;
            count++;
        }
    }
    return count;
}

/* "a 410 disabled endpoint crm", "410s disabled 3 endpoints": what kept deliveries back. */
static const char *gone_text(const struct e8_report *report, char *out, size_t size)
{
    const char *first = "";
    unsigned count = count_gone(report, &first);
    if (count == 1)
        snprintf(out, size, "a 410 disabled endpoint %.80s", first);
    else
        snprintf(out, size, "410s disabled %u endpoints", count);
    return out;
}

/* Nothing is left of the plan but what a 410 withheld. */
static bool is_all_gone(const struct e8_totals *totals)
{
    return totals->gone > 0 && totals->attempts == 0;
}

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
    /* A refusal that a step expects has tested something. */
    refused -= totals->expected < refused ? totals->expected : refused;
    answered -= totals->expected < answered ? totals->expected : answered;
    if (report->run->shard && totals->planned == 0)
        return; /* none of the plan fell to it; the others may have tested enough */
    if (is_all_gone(totals)) {
        char why[REASON_MAX / 2];
        snprintf(reason, sizeof(reason), "nothing was tested: %s before anything was measured",
                 gone_text(report, why, sizeof(why)));
        invalid(report, reason);
    } else if (totals->attempts == 0) {
        invalid(report, "nothing was tested: no attempt was made");
    } else if (totals->delivered + totals->failed == 0) {
        invalid(report, "nothing was tested: no delivery came to its end");
    } else if (refused > 0 && (double)refused >= UNTESTED_FROM * (double)answered) {
        snprintf(reason, sizeof(reason), "nothing was tested: %s of the answers %s %u (%s)",
                 e8_share_text(refused, answered, of),
                 statuses[most] >= refused ? "are" : "are 401, 403, 404 or 405, mostly", most,
                 most >= 404 ? "is the URL right?" : "is the secret right?");
        invalid(report, reason);
    }
}

static const char *remedy(const struct e8_counts *n)
{
    static const struct {
        enum e8_outcome outcome;
        const char *text;
    } rows[] = {
        {E8_GEN_FD, "raise ulimit -n, or lower --in-flight or the load"},
        {E8_GEN_PORT,
         "let the receiver keep connections alive, widen ip_local_port_range, or lower the load"},
        {E8_GEN_MEMORY, "lower --in-flight, or use a larger machine"},
        {E8_FORBIDDEN_TARGET, "allow it with --allow-target"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++)
        if (n->outcomes[rows[i].outcome])
            return rows[i].text;
    return "lower the load";
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
        e8_buf_printf(&names, "%s%s %s", sum ? ", " : "", info->name, E8_COUNT_TEXT(n->outcomes[i]));
        sum += n->outcomes[i];
    }
    if (sum == 0)
        return;
    snprintf(reason, sizeof(reason), "%s attempt%s failed on emit8's own side (%s); %s", E8_COUNT_TEXT(sum),
             e8_plural(sum), e8_buf_cstr(&names), remedy(n));
    invalid(report, reason);
}

/* What has not files or memory for those that are in flight is not to have more of them. */
static bool is_starved(const struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    return n->outcomes[E8_GEN_FD] || n->outcomes[E8_GEN_MEMORY];
}

static void check_dropped(struct e8_report *report, const struct e8_totals *totals)
{
    char of[E8_NUMBER_MAX], reason[REASON_MAX];
    uint64_t reached = totals->planned - totals->not_begun;
    if ((double)totals->dropped <= DROPPED_MOST * (double)reached)
        return;
    snprintf(reason, sizeof(reason),
             "%s of the planned deliveries were dropped (at most 0.1 %% may be); %slower the rate",
             e8_share_text(totals->dropped, reached, of), is_starved(report) ? "" : "raise --in-flight, or ");
    invalid(report, reason);
}

static void check_clamped(struct e8_report *report)
{
    uint64_t sum = 0;
    char reason[REASON_MAX];
    for (int of = E8_OF_RESPONSE; of <= E8_OF_LAG; of++) {
        const struct e8_hist *hist = e8_hist_of(report->stats, (enum e8_of)of);
        sum += hist ? e8_hist_clamped(hist) : 0;
    }
    if (sum == 0)
        return;
    snprintf(reason, sizeof(reason), "%s measured time%s outside the histogram's range (up to 1 h)",
             E8_COUNT_TEXT(sum), sum == 1 ? " is" : "s are");
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
            e8_report_warn(report, "%s of %s planned deliveries have no end, because the run %s",
                           E8_COUNT_TEXT(totals->planned - ended), E8_COUNT_TEXT(totals->planned),
                           report->run->interrupted ? "was interrupted" : "has not ended");
        return;
    }
    snprintf(reason, sizeof(reason),
             "deliveries do not add up: %s planned, %s ended (%s delivered, %s failed, %s dropped, "
             "%s aborted, %s withheld)",
             E8_COUNT_TEXT(totals->planned), E8_COUNT_TEXT(ended), E8_COUNT_TEXT(totals->delivered),
             E8_COUNT_TEXT(totals->failed), E8_COUNT_TEXT(totals->dropped), E8_COUNT_TEXT(totals->aborted),
             E8_COUNT_TEXT(totals->withheld));
    invalid(report, reason);
}

/* Of the run's own sinks: every attempt that was accepted has a receipt, and nothing has one that was not sent, be it to warm up. */
static void check_receipts(struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    uint64_t accepted = n->classes[2] + n->warmup_accepted, receipts = report->more.receipts;
    uint64_t sent = n->sent + n->warmup_sent;
    char reason[REASON_MAX];
    if (!report->more.has_receipts || (accepted <= receipts && receipts <= sent))
        return;
    snprintf(reason, sizeof(reason),
             "attempts and receipts do not add up: %s sent, %s answered 2xx, but the sinks received %s",
             E8_COUNT_TEXT(sent), E8_COUNT_TEXT(accepted), E8_COUNT_TEXT(receipts));
    invalid(report, reason);
}

static void check_rate(struct e8_report *report)
{
    struct e8_generator g = e8_generator_of(report);
    char achieved[E8_NUMBER_MAX], planned[E8_NUMBER_MAX], late[E8_DUR_MAX], what[96], reason[REASON_MAX];
    if (!g.rate_judged || !g.rate_off)
        return;
    if (report->more.bound)
        snprintf(what, sizeof(what), "--in-flight %llu was reached; %slower the rate",
                 (unsigned long long)report->more.bound, is_starved(report) ? "" : "raise it, or ");
    else if (report->more.crowd)
        snprintf(what, sizeof(what), "%llu deliveries waited for a retry, the most that may; lower the rate",
                 (unsigned long long)report->more.crowd);
    else
        snprintf(what, sizeof(what), "lower the rate, %sor use more --workers or machines",
                 is_starved(report) ? "" : "raise --in-flight, ");
    snprintf(reason, sizeof(reason),
             "the rate was not kept: %s of %s planned, the last delivery began %s late; %s",
             e8_rate_text(g.achieved, achieved), e8_rate_text(g.planned, planned), e8_dur_text(g.late, late),
             what);
    invalid(report, reason);
}

static void check_busy(struct e8_report *report)
{
    const struct e8_pressure *pressure = &report->more.pressure;
    char of[E8_NUMBER_MAX], reason[REASON_MAX];
    struct e8_generator g = e8_generator_of(report);
    if (!g.busy_judged || !g.full)
        return;
    snprintf(reason, sizeof(reason),
             "emit8 itself was the limit: a loop was over 95 %% busy in %s of its %s windows of 100 ms; "
             "%suse more --workers, cores or machines",
             e8_share_text(pressure->full, pressure->windows, of), E8_COUNT_TEXT(pressure->windows),
             report->more.open ? "lower the rate, or " : "");
    invalid(report, reason);
}

const char *e8_verdict_word(const struct e8_report *report)
{
    static const char *const words[] = {[E8_PASS] = "PASS", [E8_FAIL] = "FAIL", [E8_INVALID] = "INVALID"};
    return report->left > 0 && report->verdict == E8_PASS ? "SENT" : words[report->verdict];
}

struct judgement {
    size_t missed, first;            /* thresholds */
    bool speaks_of_failed, of_unmet; /* a threshold says how many may be */
    bool of_gone;                    /* the same of those that a 410 withheld */
};

/* The cause of what a threshold misses may be that most was not sent. */
static void add_gone(struct e8_report *report, const struct e8_totals *totals)
{
    char count[E8_NUMBER_MAX], why[REASON_MAX / 2];
    size_t n = strlen(report->reason);
    if (totals->gone > 0)
        snprintf(report->reason + n, sizeof(report->reason) - n, "; %s deliver%s withheld, since %s",
                 e8_count_text(totals->gone, count), totals->gone == 1 ? "y was" : "ies were",
                 gone_text(report, why, sizeof(why)));
}

static void say_missed(struct e8_report *report, const struct judgement *j, const struct e8_totals *totals)
{
    char text[E8_MEASURED_MAX], more[48] = "";
    size_t first = j->first;
    if (j->missed > 1)
        snprintf(more, sizeof(more), "; %zu other%s missed too", j->missed - 1, e8_plural(j->missed - 1));
    if (first < report->threshold_count) {
        const struct e8_threshold_result *result = &report->thresholds[first];
        snprintf(report->reason, sizeof(report->reason), "%s%s: %s%s%s",
                 result->aborted ? "stopped early, because it cannot hold: " : "", result->threshold.text,
                 result->measurable ? "measured " : "", e8_measured_text(result, text), more);
    } else {
        snprintf(report->reason, sizeof(report->reason), "%zu threshold%s missed", j->missed,
                 e8_plural(j->missed));
    }
    add_gone(report, totals);
}

/* The steps know how much was judged; without them the deliveries alone are known. */
static void say_unmet(struct e8_report *report, uint64_t unmet)
{
    struct e8_step_sums sums = e8_steps_sum(&report->more);
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    if (sums.unmet > 0)
        snprintf(report->reason, sizeof(report->reason), "%s of %s expectation%s %s not met",
                 e8_count_text(sums.unmet, a), e8_count_text(sums.judged, b), e8_plural(sums.judged),
                 sums.unmet == 1 ? "was" : "were");
    else
        snprintf(report->reason, sizeof(report->reason), "%s deliver%s did not end as expected",
                 e8_count_text(unmet, a), unmet == 1 ? "y" : "ies");
}

/* Some were not delivered: they failed, or were not sent since a 410 had disabled their endpoint. */
static void say_undelivered(struct e8_report *report, const struct e8_totals *totals, const char *rest)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], why[REASON_MAX / 2];
    struct e8_buf reason;
    e8_buf_fixed(&reason, report->reason, sizeof(report->reason) - 1);
    if (totals->failed > 0)
        e8_buf_printf(&reason, "%s of %s deliveries ended undelivered", e8_count_text(totals->failed, a),
                      e8_count_text(totals->delivered + totals->failed, b));
    if (totals->failed > 0 && totals->delivered == 0 && e8_failure_text(report->stats, why)[0])
        e8_buf_printf(&reason, ": %s", why);
    if (totals->gone > 0)
        e8_buf_printf(&reason, "%s%s of %s planned ones %s withheld, since %s", totals->failed ? "; " : "",
                      e8_count_text(totals->gone, a), e8_count_text(totals->planned, b),
                      totals->gone == 1 ? "was" : "were", gone_text(report, why, sizeof(why)));
    e8_buf_puts(&reason, rest);
    e8_buf_cstr(&reason);
}

static void say_rest(struct e8_report *report, const struct e8_totals *totals, bool allowed)
{
    struct e8_step_sums sums = e8_steps_sum(&report->more);
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], met[64] = "";
    const char *left = report->left ? "; emit8 merge judges the thresholds" : "";
    if (totals->failed + totals->gone > 0) {
        say_undelivered(report, totals, report->left ? left : allowed ? ", which the thresholds allow" : "");
        return;
    }
    if (sums.judged > 0 && sums.unmet == 0)
        snprintf(met, sizeof(met), ", %s expectation%s met", e8_count_text(sums.judged, b),
                 e8_plural(sums.judged));
    snprintf(report->reason, sizeof(report->reason), "%s deliver%s delivered%s%s%s",
             e8_count_text(totals->delivered, a), totals->delivered == 1 ? "y" : "ies", met,
             report->threshold_count ? ", all thresholds hold" : "", left);
}

static void pass_or_fail(struct e8_report *report, const struct e8_totals *totals, const struct judgement *j)
{
    uint64_t effects = e8_steps_sum(&report->more).unmet;
    bool unmet = totals->unmet + effects > 0 && !j->of_unmet;
    bool failed = totals->failed > 0 && !j->speaks_of_failed, gone = totals->gone > 0 && !j->of_gone;
    bool stopped = report->more.stopped_by_step, command = report->more.commands_failed > 0;
    report->verdict = j->missed > 0 || unmet || failed || gone || stopped || command ? E8_FAIL : E8_PASS;
    if (j->missed > 0)
        say_missed(report, j, totals);
    else if (unmet)
        say_unmet(report, totals->unmet);
    else if (command && !failed)
        snprintf(report->reason, sizeof(report->reason), "a command failed: %s", report->more.command_why);
    else if (stopped && !failed)
        snprintf(report->reason, sizeof(report->reason), "a step that failed stopped the run");
    else
        say_rest(report, totals, j->speaks_of_failed && !gone);
}

static void check_end(struct e8_report *report)
{
    if (report->run->ended == 0)
        invalid(report, "the run has no end in the log: it was killed, or is still running");
    if (report->more.log_failed)
        invalid(report, "the run ended early, since its delivery log could not be written");
}

static void check_invalid(struct e8_report *report, const struct e8_totals *totals)
{
    check_end(report);
    check_generator(report);
    check_tested(report, totals);
    check_dropped(report, totals);
    check_clamped(report);
    check_sum(report, totals);
    check_receipts(report);
    check_rate(report);
    check_busy(report);
}

/* What a threshold over everything allows is no failure by itself. */
static void note_measure(struct judgement *j, enum e8_measure measure, bool whole)
{
    j->speaks_of_failed |= whole && (measure == E8_MEASURE_SUCCESS || measure == E8_MEASURE_FAILED ||
                                     measure == E8_MEASURE_STATUS);
    j->of_unmet |= whole && measure == E8_MEASURE_UNMET;
    j->of_gone |= whole && measure == E8_MEASURE_SUCCESS;
}

static void judge_thresholds(struct e8_report *report, const struct e8_threshold *thresholds, size_t count,
                             struct judgement *j)
{
    for (size_t i = 0; i < count; i++) {
        enum e8_measure measure = thresholds[i].measure;
        bool whole = !thresholds[i].endpoint[0] && !thresholds[i].type[0];
        if (report->run->shard && &thresholds[i] != report->more.aborted) {
            note_measure(j, measure, whole); /* emit8 merge judges it, once for all shards */
            report->left++;
            continue;
        }
        struct e8_threshold_result result = e8_threshold_evaluate(&thresholds[i], report->run, report->stats);
        if (measure == E8_MEASURE_RATE && report->more.apart)
            result.measurable = result.pass = false;
        result.aborted = &thresholds[i] == report->more.aborted;
        result.pass = result.pass && !result.aborted;
        note_measure(j, measure, whole);
        j->first = result.aborted || (!result.pass && j->missed == 0) ? i : j->first;
        j->missed += !result.pass;
        if (i < E8_COUNT(report->thresholds))
            report->thresholds[report->threshold_count++] = result;
    }
    if (report->left > 0)
        e8_report_warn(report, "%zu threshold%s left to emit8 merge, which judges all shards as one",
                       report->left, report->left == 1 ? " is" : "s are");
    if (count > report->threshold_count + report->left)
        e8_report_warn(report, "%zu further thresholds were evaluated, but are not shown",
                       count - report->threshold_count - report->left);
}

void e8_report_make(const struct e8_log_run *run, const struct e8_stats *stats,
                    const struct e8_threshold *thresholds, size_t count, const struct e8_report_more *more,
                    struct e8_report *out)
{
    struct judgement j = {0};
    *out = (struct e8_report){.run = run, .stats = stats};
    if (more)
        out->more = *more;
    judge_thresholds(out, thresholds, count, &j);
    out->allows_failures = j.speaks_of_failed;
    struct e8_totals totals = e8_totals_whole(out);
    pass_or_fail(out, &totals, &j);
    check_invalid(out, &totals);
    e8_report_warnings(out);
}
