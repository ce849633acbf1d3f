#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

#define RECONNECTS_MOST 0.01 /* of the attempts */
#define BUSY_MOST       800  /* thousandths */
#define PROCESSORS_MOST 700
#define DISABLED_NAMED  5 /* endpoints at most, so that other warnings have room */

void e8_report_warn(struct e8_report *report, const char *format, ...)
{
    char text[sizeof(report->warnings[0])];
    struct e8_buf clean;
    va_list args;
    if (report->warning_count == E8_WARNINGS_MAX)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    char *out = report->warnings[report->warning_count++];
    e8_buf_fixed(&clean, out, sizeof(text));
    e8_buf_put_clean(&clean, e8_str(text));
    e8_buf_cstr(&clean);
}

static void warn_run(struct e8_report *report)
{
    const struct e8_log_run *run = report->run;
    if (run->insecure)
        e8_report_warn(report, "certificates were not verified (--insecure)");
    if (run->stalls > 0)
        e8_report_warn(report,
                       "the log was too slow: %s time%s a worker had to wait for it, which delays sending",
                       E8_COUNT_TEXT(run->stalls), e8_plural(run->stalls));
}

static void warn_shards(struct e8_report *report)
{
    for (size_t i = 0; i < report->more.remark_count; i++)
        e8_report_warn(report, "%s", report->more.remarks[i]);
}

const char *e8_hand_text(const struct e8_report_more *more, char out[E8_HAND_MAX])
{
    char text[E8_DUR_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_HAND_MAX);
    if (more->factor_least > 0)
        e8_buf_printf(&buf, "×%.3g to ×%.3g, first at %s", more->factor_least, more->factor_most,
                      e8_dur_text(more->changed_at, text));
    if (more->paused > 0)
        e8_buf_printf(&buf, "%spaused for %s", buf.n ? "; " : "", e8_dur_text(more->paused, text));
    return e8_buf_cstr(&buf);
}

static void warn_hand(struct e8_report *report)
{
    char how[E8_HAND_MAX];
    if (!report->more.by_hand)
        return;
    e8_hand_text(&report->more, how);
    e8_report_warn(report, "the rate was changed by hand%s%s%s", how[0] ? ": " : "", how,
                   report->more.open ? "; whether it was kept is not judged" : "");
}

/* By an attempt that is counted, or by one of the warm-up. */
static void warn_disabled(struct e8_report *report)
{
    const struct e8_log_run *run = report->run;
    size_t disabled = 0;
    for (size_t i = 0; i < run->endpoint_count; i++) {
        const struct e8_counts *n = &e8_stats_endpoint(report->stats, (unsigned)i)->n;
        bool answered = n->outcomes[E8_GONE] > 0 && n->triggers[E8_TRIGGER_RESEND] < n->attempts;
        if (!answered && n->gone == 0)
            continue;
        if (disabled++ < DISABLED_NAMED)
            e8_report_warn(report,
                           "endpoint %.80s answered 410%s, which disabled it: %s deliver%s withheld from it",
                           run->endpoints[i].name, answered ? "" : " in the warm-up", E8_COUNT_TEXT(n->gone),
                           n->gone == 1 ? "y was" : "ies were");
    }
    if (disabled > DISABLED_NAMED)
        e8_report_warn(report, "a 410 disabled %zu further endpoint%s", disabled - DISABLED_NAMED,
                       e8_plural(disabled - DISABLED_NAMED));
}

static void warn_lag(struct e8_report *report)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    char lag_text[E8_DUR_MAX], most_text[E8_DUR_MAX];
    if (!all->lag || !all->response || e8_hist_count(all->lag) == 0 || e8_hist_count(all->response) == 0)
        return;
    e8_dur_ns lag = e8_hist_quantile(all->lag, 0.99), most = e8_hist_quantile(all->response, 0.5) / 10;
    if (most < E8_NS_MS)
        most = E8_NS_MS;
    if (lag > most && report->more.bound)
        e8_report_warn(
            report,
            "--in-flight %llu was reached, so that deliveries waited for a place: send lag p99 is %s; "
            "response times contain it",
            (unsigned long long)report->more.bound, e8_dur_text(lag, lag_text));
    else if (lag > most && report->more.crowd)
        e8_report_warn(report,
                       "%llu deliveries waited for a retry, the most that may, and kept others waiting: send "
                       "lag p99 is %s; response times contain it",
                       (unsigned long long)report->more.crowd, e8_dur_text(lag, lag_text));
    else if (lag > most)
        e8_report_warn(
            report, "emit8 was late: send lag p99 is %s (%s is acceptable here); response times contain it",
            e8_dur_text(lag, lag_text), e8_dur_text(most, most_text));
}

/* Where a loop that is full does not make the run invalid, it is still said; but where nobody has received anything, nothing was measured. */
static void warn_busy(struct e8_report *report)
{
    if (e8_stats_all(report->stats)->n.sent == 0)
        return;
    const struct e8_pressure *pressure = &report->more.pressure;
    struct e8_generator g = e8_generator_of(report);
    char text[E8_NUMBER_MAX];
    if (g.full && !g.busy_judged)
        e8_report_warn(
            report,
            "a loop of emit8 was over 95 %% busy in %s of its windows of 100 ms: how fast this went "
            "says as much of emit8 as of the receiver",
            e8_share_text(pressure->full, pressure->windows, text));
    else if (g.busy_told && !g.full && pressure->busy > BUSY_MOST)
        e8_report_warn(report, "a loop of emit8 was busy for %s of the time: it is near its limit",
                       e8_permille_text(pressure->busy, text));
    if (g.busy_told && report->more.local && pressure->cpu > PROCESSORS_MOST)
        e8_report_warn(report,
                       "the receiver shares this machine, whose processors were %s busy: its response times "
                       "contain emit8's work; put it on another machine, or on cores of its own",
                       e8_permille_text(pressure->cpu, text));
}

static void warn_connections(struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    uint64_t unasked = e8_counts_flag(n, E8_FLAG_IDLE_BYTES); /* emit8 closed those */
    uint64_t reconnects = e8_counts_flag(n, E8_FLAG_RECONNECTED) - unasked + n->outcomes[E8_STALE_CONNECTION];
    char text[E8_NUMBER_MAX];
    if ((double)reconnects > RECONNECTS_MOST * (double)n->attempts)
        e8_report_warn(report, "the receiver closed kept-alive connections in %s of the attempts (%s)",
                       e8_share_text(reconnects, n->attempts, text), E8_COUNT_TEXT(reconnects));
}

/* libcurl before 8.0 opens a connection for each request, where there is no TLS to agree on the protocol. */
static bool is_alone(const struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    const char *curl = report->run->curl_version;
    return report->more.over_h2 > 1 && n->handshakes == 0 && n->connects >= n->attempts && curl &&
           strtol(curl, NULL, 10) < 8;
}

static void warn_version(struct e8_report *report)
{
    const struct e8_report_more *more = &report->more;
    char some[E8_NUMBER_MAX], all[E8_NUMBER_MAX];
    if (more->declined_h2)
        e8_report_warn(report,
                       "HTTP/2 was asked for, but %s of %s answers came over HTTP/1: the receiver does not "
                       "offer it there",
                       e8_count_text(more->declined_h2, some),
                       e8_count_text(more->declined_h2 + more->over_h2, all));
    if (is_alone(report))
        e8_report_warn(
            report,
            "each request had a connection of its own: over plain http curl %s cannot send several over one "
            "connection of HTTP/2; use https, or libcurl 8.0 or later",
            report->run->curl_version);
}

static void warn_http2(struct e8_report *report)
{
    const struct e8_report_more *more = &report->more;
    const char *curl = report->run->curl_version;
    warn_version(report);
    if (more->goaways || more->refused)
        e8_report_warn(
            report, "HTTP/2 by curl %s: the receiver ended %s connection%s by GOAWAY and refused %s stream%s",
            curl ? curl : "(unknown)", E8_COUNT_TEXT(more->goaways), e8_plural(more->goaways),
            E8_COUNT_TEXT(more->refused), e8_plural(more->refused));
}

static void warn_flags(struct e8_report *report)
{
    static const struct {
        unsigned flag;
        const char *text;
    } rows[] = {
        {E8_FLAG_TRAILING_BYTES, "had bytes after the response (trailing_bytes)"},
        {E8_FLAG_BODY_CAPPED, "had a longer body than emit8 reads (body_capped)"},
        {E8_FLAG_IDLE_BYTES, "found bytes on the idle connection that nobody had asked for (idle_bytes)"},
    };
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        uint64_t count = e8_counts_flag(n, rows[i].flag);
        if (count > 0)
            e8_report_warn(report, "%s attempt%s %s", E8_COUNT_TEXT(count), e8_plural(count), rows[i].text);
    }
    if (n->outcomes[E8_UNKNOWN] > 0)
        e8_report_warn(report, "emit8 lost track of %s attempt%s, which may have been sent",
                       E8_COUNT_TEXT(n->outcomes[E8_UNKNOWN]), e8_plural(n->outcomes[E8_UNKNOWN]));
}

static void warn_dropped(struct e8_report *report)
{
    struct e8_totals totals = e8_totals_whole(report);
    if (totals.dropped > 0 && report->verdict != E8_INVALID)
        e8_report_warn(report, "%s deliver%s dropped at the in-flight limit", E8_COUNT_TEXT(totals.dropped),
                       totals.dropped == 1 ? "y was" : "ies were");
}

static void warn_flows(struct e8_report *report)
{
    uint64_t stopped = report->more.flows_stopped, unmeasured = e8_steps_sum(&report->more).not_measured;
    if (stopped > 0)
        e8_report_warn(report, "%s flow instance%s ended early, because something they waited for failed",
                       E8_COUNT_TEXT(stopped), e8_plural(stopped));
    if (report->more.commands_failed > 0)
        e8_report_warn(report, "%s command%s failed; the first: %s",
                       E8_COUNT_TEXT(report->more.commands_failed), e8_plural(report->more.commands_failed),
                       report->more.command_why);
    if (unmeasured > 0)
        e8_report_warn(report,
                       "%s expected effect%s not measured: the scenario's `effect` or --effect-get says how",
                       E8_COUNT_TEXT(unmeasured), unmeasured == 1 ? " was" : "s were");
}

static void warn_samples(struct e8_report *report)
{
    const struct e8_hist *hist = e8_stats_all(report->stats)->response;
    char count[E8_NUMBER_MAX];
    bool p99 = e8_report_shaky(hist, 0.99), p999 = e8_report_shaky(hist, 0.999);
    const char *lowest = NULL;
    for (size_t p = E8_PERCENTILES; p-- > 0 && e8_report_shaky(hist, e8_percentiles[p].q);)
        lowest = e8_percentiles[p].q < 0.99 ? e8_percentiles[p].name : NULL;
    if (lowest)
        e8_report_warn(
            report,
            "%s and above of %s sample%s are indicative only: p50 takes 20 samples, p90 100, p95 200, "
            "p99 10,000, p99.9 100,000",
            lowest, e8_count_text(e8_hist_count(hist), count), e8_plural(e8_hist_count(hist)));
    else if (p99 || p999)
        e8_report_warn(report, "%s of %s samples %s indicative only: p99 takes 10,000 samples, p99.9 100,000",
                       p99 ? "p99 and p99.9" : "p99.9", e8_count_text(e8_hist_count(hist), count),
                       p99 ? "are" : "is");
}

void e8_report_warnings(struct e8_report *report)
{
    warn_run(report);
    warn_shards(report);
    warn_hand(report);
    warn_disabled(report);
    warn_lag(report);
    warn_busy(report);
    warn_connections(report);
    warn_http2(report);
    warn_flags(report);
    warn_dropped(report);
    warn_flows(report);
    warn_samples(report);
}
