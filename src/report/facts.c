#include <string.h>

#include "report/parts.h"

#define UNSIGNED_NAMED 3 /* endpoints */

const struct e8_percentile e8_percentiles[E8_PERCENTILES] = {
    {"p50", "p50", 0.5},  {"p75", "p75", 0.75}, {"p90", "p90", 0.9},
    {"p95", "p95", 0.95}, {"p99", "p99", 0.99}, {"p99.9", "p99_9", 0.999},
};

uint64_t e8_totals_ended(const struct e8_totals *totals)
{
    return totals->delivered + totals->failed + totals->dropped + totals->aborted + totals->withheld +
           totals->not_begun;
}

bool e8_totals_any(const struct e8_totals *totals)
{
    return totals->planned + totals->attempts + e8_totals_ended(totals) > 0;
}

static struct e8_totals counted(const struct e8_tally *tally)
{
    const struct e8_counts *n = &tally->n;
    return (struct e8_totals){
        .planned = n->planned,
        .delivered = n->delivered,
        .failed = n->failed,
        .dropped = n->dropped,
        .aborted = n->aborted,
        .withheld = n->withheld,
        .gone = n->gone,
        .expected = n->expected,
        .unmet = n->unmet,
        .attempts = n->attempts,
        .retries = n->triggers[E8_TRIGGER_RETRY] + n->triggers[E8_TRIGGER_STALE],
    };
}

struct e8_totals e8_totals_of(const struct e8_tally *tally)
{
    struct e8_totals totals = counted(tally);
    uint64_t ended = e8_totals_ended(&totals);
    if (totals.planned < ended) /* a log holds the plan of the whole run alone */
        totals.planned = ended;
    return totals;
}

struct e8_totals e8_totals_all(const struct e8_log_run *run, const struct e8_stats *stats)
{
    struct e8_totals totals = counted(e8_stats_all(stats));
    if (run->ended == 0) {
        totals = e8_totals_of(e8_stats_all(stats));
        if (totals.planned < run->planned)
            totals.planned = run->planned;
        return totals;
    }
    if (run->planned > 0) {
        totals.planned = run->planned;
        totals.dropped = run->dropped;
        totals.aborted = run->aborted;
    }
    return totals;
}

double e8_report_streams(const struct e8_report *report)
{
    uint64_t connections = e8_stats_all(report->stats)->n.connects;
    return (double)report->more.over_h2 / (double)(connections ? connections : 1);
}

bool e8_report_early(const struct e8_report *report)
{
    return report->more.early || report->run->interrupted || report->run->ended == 0;
}

bool e8_totals_sized(const struct e8_report *report)
{
    return report->more.sized || !e8_report_early(report);
}

struct e8_totals e8_totals_whole(const struct e8_report *report)
{
    struct e8_totals totals = e8_totals_all(report->run, report->stats);
    totals.not_begun = report->more.sized ? report->more.not_begun : 0;
    totals.planned += totals.not_begun;
    return totals;
}

uint64_t e8_report_unanswered(const struct e8_counts *n)
{
    uint64_t ours = n->outcomes[E8_ABORTED] + n->generator;
    return n->classes[0] > ours ? n->classes[0] - ours : 0;
}

/* Outcomes of which the status says more than their name. */
static bool is_status(enum e8_outcome outcome)
{
    return outcome == E8_REDIRECT || outcome == E8_HTTP_4XX || outcome == E8_GONE ||
           outcome == E8_THROTTLED || outcome == E8_HTTP_5XX;
}

static unsigned usual_status(const struct e8_stats *stats)
{
    const uint64_t *n = e8_stats_statuses(stats);
    unsigned most = 300;
    for (unsigned status = 300; status < E8_STATUSES; status++)
        most = n[status] > n[most] ? status : most;
    return most;
}

/* Of those without a status, or in spite of it. */
static enum e8_outcome usual_outcome(const struct e8_counts *n)
{
    unsigned most = E8_DELIVERED;
    uint64_t count = 0;
    for (unsigned i = E8_DELIVERED + 1; i < E8_ABORTED; i++) {
        const struct e8_outcome_info *info = e8_outcome_info((enum e8_outcome)i);
        if (n->outcomes[i] > count && !info->generator && !is_status((enum e8_outcome)i)) {
            most = i;
            count = n->outcomes[i];
        }
    }
    return (enum e8_outcome)most;
}

const char *e8_failure_text(const struct e8_stats *stats, char out[E8_FAILURE_MAX])
{
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    unsigned status = usual_status(stats);
    enum e8_outcome outcome = usual_outcome(n);
    uint64_t all = n->attempts - n->outcomes[E8_ABORTED] - n->generator;
    uint64_t with_status = e8_stats_statuses(stats)[status];
    uint64_t without = outcome == E8_DELIVERED ? 0 : n->outcomes[outcome];
    const char *name = e8_outcome_info(outcome)->name;
    out[0] = '\0';
    if (with_status > 0 && with_status >= without)
        snprintf(out, E8_FAILURE_MAX, "%s %u", with_status == all ? "every answer was" : "mostly", status);
    else if (without > 0)
        snprintf(out, E8_FAILURE_MAX, "%s %s", without == all ? "every attempt ended in" : "mostly", name);
    return out;
}

bool e8_report_signed(const struct e8_log_endpoint *endpoint)
{
    return !endpoint->scheme || strcmp(endpoint->scheme, "none") != 0;
}

const char *e8_report_unsigned(struct e8_arena *arena, const struct e8_log_run *run)
{
    const char *names = NULL;
    size_t count = 0;
    for (size_t i = 0; i < run->endpoint_count; i++) {
        if (e8_report_signed(&run->endpoints[i]))
            continue;
        if (++count <= UNSIGNED_NAMED)
            names = e8_arena_printf(arena, "%s%s%s", names ? names : "", names ? ", " : "",
                                    run->endpoints[i].name);
    }
    if (count == 0 || count == run->endpoint_count)
        return count ? "not signed: no secret" : NULL;
    return count > UNSIGNED_NAMED
               ? e8_arena_printf(arena, "not signed: %s and %zu more", names, count - UNSIGNED_NAMED)
               : e8_arena_printf(arena, "not signed: %s", names);
}

e8_dur_ns e8_report_elapsed(const struct e8_log_run *run, const struct e8_stats *stats)
{
    const struct e8_tally *all = e8_stats_all(stats);
    if (run->ended > run->started)
        return run->ended - run->started;
    return all->n.attempts ? all->span.last_done - all->span.first_due : 0;
}

double e8_report_rate(const struct e8_counts *n, const struct e8_span *span)
{
    e8_dur_ns length = span->last_done - span->first_due;
    if (n->attempts == 0 || length <= 0)
        return -1;
    return (double)(n->delivered + n->failed) / ((double)length / (double)E8_NS_S);
}

double e8_report_rate_whole(const struct e8_report *report)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    return report->more.apart ? -1 : e8_report_rate(&all->n, &all->span);
}

bool e8_report_few(uint64_t samples, double q)
{
    return (double)samples * (1 - q) < E8_BEYOND * (1 - 1e-9);
}

bool e8_report_shaky(const struct e8_hist *hist, double q)
{
    if (!hist || e8_hist_count(hist) == 0 || q >= 1)
        return false;
    return q < 0.99 ? e8_report_few(e8_hist_count(hist), q) : !e8_hist_supports(hist, q);
}
