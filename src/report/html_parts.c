/* What is told of one run, as sections of the page. */
#include <string.h>

#include "report/course.h"
#include "report/html.h"

static const char *const verdicts[] = {[E8_PASS] = "pass", [E8_FAIL] = "fail", [E8_INVALID] = "invalid"};

const char *e8_html_verdict_class(const struct e8_report *report)
{
    return verdicts[report->verdict];
}

static const char *wall_text(e8_wall_ns wall, char out[E8_RFC3339_MAX + 8])
{
    char text[E8_RFC3339_MAX];
    if (wall == 0)
        return NULL;
    e8_wall_format(wall, 0, text);
    snprintf(out, E8_RFC3339_MAX + 8, "%.10s %.8s UTC", text, text + 11);
    return out;
}

static bool has(const struct e8_hist *hist)
{
    return hist && e8_hist_count(hist) > 0;
}

/* ---- the headline ---- */

void e8_html_verdict(struct e8_buf *out, const struct e8_report *report)
{
    const struct e8_log_run *run = report->run;
    const char *class = verdicts[report->verdict];
    char started[E8_RFC3339_MAX + 8], took[E8_DUR_MAX];
    e8_html(out, "<div class=\"verdict %s\"><p><strong class=\"badge\">%s</strong> <bdi>", class,
            e8_verdict_word(report));
    if (report->more.stopped_by_step)
        e8_buf_puts(out, "stopped early: ");
    else if (run->interrupted && !report->more.aborted)
        e8_buf_puts(out, "interrupted: ");
    e8_html_text(out, report->reason);
    e8_buf_puts(out, "</bdi></p>");
    e8_html(out, "<p class=\"when\">");
    if (run->id > 0)
        e8_html(out, "run %lld · ", (long long)run->id);
    e8_html(out, "%s · took %s</p></div>\n", wall_text(run->started, started),
            e8_dur_text(e8_report_elapsed(run, report->stats), took));
}

static void put_card(struct e8_buf *out, const char *class, const char *title, const char *value,
                     const char *note)
{
    e8_html(out, "<li class=\"card %s\"><span class=\"title\">%s</span> <span class=\"value\">%s</span> ",
            class, title, value);
    e8_html(out, "<span class=\"sub\">%s</span></li>\n", note);
}

static void put_time_card(struct e8_buf *out, const struct e8_hist *hist, const char *title, double q)
{
    char text[E8_DUR_MAX], count[E8_NUMBER_MAX], note[E8_NUMBER_MAX + 32];
    bool shaky = e8_report_shaky(hist, q);
    snprintf(note, sizeof(note), "%s%s samples", shaky ? "indicative: of " : "of ",
             e8_count_text(hist ? e8_hist_count(hist) : 0, count));
    put_card(out, "", title, has(hist) ? e8_dur_text(e8_hist_quantile(hist, q), text) : "–", note);
}

static void put_rate_card(struct e8_buf *out, const struct e8_report *report)
{
    struct e8_generator g = e8_generator_of(report);
    double rate = e8_report_rate_whole(report);
    char text[E8_NUMBER_MAX], planned[E8_NUMBER_MAX], note[E8_NUMBER_MAX + 32] = "deliveries ended";
    if (g.rate_judged)
        snprintf(note, sizeof(note), "%s were planned", e8_rate_text(g.planned, planned));
    put_card(out, "", "Rate", rate < 0 ? "–" : e8_rate_text(rate, text), note);
}

static void add_unsent(char *note, size_t size, uint64_t count, const char *what)
{
    char text[E8_NUMBER_MAX];
    size_t n = strlen(note);
    if (count > 0)
        snprintf(note + n, size - n, "; %s were %s", e8_count_text(count, text), what);
}

void e8_html_cards(struct e8_buf *out, const struct e8_report *report)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    struct e8_totals t = e8_totals_whole(report);
    char share[E8_NUMBER_MAX], a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], note[8 * E8_NUMBER_MAX];
    char lag[E8_DUR_MAX];
    e8_buf_puts(out, "<ul class=\"cards\">\n");
    snprintf(note, sizeof(note), "%s of %s deliveries", e8_count_text(t.delivered, a),
             e8_count_text(t.planned, b));
    add_unsent(note, sizeof(note), t.withheld, "withheld");
    add_unsent(note, sizeof(note), t.not_begun, "not begun");
    put_card(out, t.delivered >= t.planned ? "good" : "", "Delivered",
             e8_share_text(t.delivered, t.planned, share), note);
    snprintf(note, sizeof(note), "%s attempts, %s of them retries", e8_count_text(t.attempts, a),
             e8_count_text(t.retries, b));
    put_card(out, t.failed ? "bad" : "", "Failed", e8_count_text(t.failed, share), note);
    put_rate_card(out, report);
    put_time_card(out, all->response, "Response p50", 0.5);
    put_time_card(out, all->response, "Response p95", 0.95);
    put_time_card(out, all->response, "Response p99", 0.99);
    put_card(out, "", "Send lag p99",
             has(all->lag) ? e8_dur_text(e8_hist_quantile(all->lag, 0.99), lag) : "–", "emit8’s own delay");
    e8_buf_puts(out, "</ul>\n");
}

/* ---- warnings, thresholds, expectations ---- */

static void put_warnings(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    if (report->warning_count == 0)
        return;
    e8_html_section(out, prefix, "warnings", "Warnings", NULL);
    e8_buf_puts(out, "<ul class=\"warnings\">\n");
    for (size_t i = 0; i < report->warning_count; i++) {
        e8_buf_puts(out, "<li><bdi>");
        e8_html_text(out, report->warnings[i]);
        e8_buf_puts(out, "</bdi></li>\n");
    }
    e8_buf_puts(out, "</ul>\n");
    e8_html_section_end(out);
}

static void put_thresholds(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    static const char *const titles[] = {"Threshold", "#Measured", "Result", NULL};
    if (report->threshold_count == 0)
        return;
    e8_html_section(out, prefix, "thresholds", "Thresholds", NULL);
    e8_html_table(out, "Thresholds", titles);
    for (size_t i = 0; i < report->threshold_count; i++) {
        const struct e8_threshold_result *result = &report->thresholds[i];
        char measured[E8_MEASURED_MAX];
        e8_html_row(out, result->threshold.text);
        e8_html_number(out, NULL, e8_measured_text(result, measured));
        e8_html_mark(out, result->pass ? "pass" : "fail",
                     result->pass      ? "✓ holds"
                     : result->aborted ? "✗ stopped the run"
                                       : "✗ missed");
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
    e8_html_section_end(out);
}

static void put_step(struct e8_buf *out, const struct e8_report_step *step)
{
    bool judged = step->met + step->unmet > 0;
    e8_html_row(out, step->id);
    e8_html_cell(out, "code", step->type);
    e8_html_cell(out, NULL, step->expects);
    e8_html_count(out, NULL, step->met);
    e8_html_count(out, "bad", step->unmet);
    e8_html_mark(out,
                 step->unmet ? "fail"
                 : judged    ? "pass"
                             : "none",
                 step->unmet          ? "✗ not met"
                 : judged             ? "✓ met"
                 : step->reported     ? "reported"
                 : step->not_measured ? "not measured"
                                      : "not reached");
    e8_html_cell(out, "dim", step->why);
    e8_html_row_end(out);
}

static void put_more_rows(struct e8_buf *out, size_t count, const char *what)
{
    if (count > E8_HTML_ROWS_MOST)
        e8_html(out, "<p class=\"note\">… and %zu more %s, which the JSON report has</p>\n",
                count - E8_HTML_ROWS_MOST, what);
}

static void put_steps(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    static const char *const titles[] = {
        "Step", "Event", "Expects", "#Met", "#Not met", "Result", "First that was not as expected", NULL};
    const struct e8_report_more *more = &report->more;
    struct e8_step_sums sums = e8_steps_sum(more);
    char note[2 * E8_NUMBER_MAX + 16], a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    size_t rows = 0;
    if (more->step_count == 0)
        return;
    snprintf(note, sizeof(note), "%s of %s met", e8_count_text(sums.judged - sums.unmet, a),
             e8_count_text(sums.judged, b));
    e8_html_section(out, prefix, "expectations", "Expectations", note);
    e8_html_table(out, "Expectations", titles);
    for (int unmet = 1; unmet >= 0; unmet--)
        for (size_t i = 0; i < more->step_count; i++)
            if ((more->steps[i].unmet > 0) == (unmet == 1) && rows++ < E8_HTML_ROWS_MOST)
                put_step(out, &more->steps[i]);
    e8_html_table_end(out);
    put_more_rows(out, rows, "steps");
    e8_html_section_end(out);
}

void e8_html_judged(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    put_warnings(out, report, prefix);
    put_thresholds(out, report, prefix);
    put_steps(out, report, prefix);
}

/* ---- times ---- */

static void put_time(struct e8_buf *out, const struct e8_hist *hist, double value, bool shaky)
{
    char text[E8_DUR_MAX], cell[E8_DUR_MAX + 4];
    snprintf(cell, sizeof(cell), "%s%s", shaky ? "~" : "",
             e8_dur_text(value > 0 ? (e8_dur_ns)value : 0, text));
    e8_html_number(out, shaky || !has(hist) ? "dim" : NULL, has(hist) ? cell : "–");
}

static double edge_of(const struct e8_hist *hist, size_t edge)
{
    if (!has(hist))
        return 0;
    return edge == 0 ? (double)e8_hist_min(hist) : edge == 1 ? e8_hist_mean(hist) : (double)e8_hist_max(hist);
}

static void put_edge(struct e8_buf *out, const char *name, size_t edge, const struct e8_hist *const hists[3])
{
    e8_html_row(out, name);
    for (size_t i = 0; i < 3; i++)
        put_time(out, hists[i], edge_of(hists[i], edge), false);
    e8_html_row_end(out);
}

void e8_html_percentiles(struct e8_buf *out, const struct e8_report *report)
{
    static const char *const titles[] = {"Percentile", "#Response", "#Service", "#Send lag", NULL};
    const struct e8_tally *all = e8_stats_all(report->stats);
    const struct e8_hist *const hists[] = {all->response, all->service, all->lag};
    e8_html_table(out, "Times by percentile", titles);
    put_edge(out, "min", 0, hists);
    put_edge(out, "mean", 1, hists);
    for (size_t p = 0; p < E8_PERCENTILES; p++) {
        double q = e8_percentiles[p].q;
        e8_html_row(out, e8_percentiles[p].name);
        for (size_t i = 0; i < 3; i++)
            put_time(out, hists[i], has(hists[i]) ? (double)e8_hist_quantile(hists[i], q) : 0,
                     e8_report_shaky(hists[i], q));
        e8_html_row_end(out);
    }
    put_edge(out, "max", 2, hists);
    e8_html_table_end(out);
    if (e8_report_shaky(all->response, 0.999))
        e8_buf_puts(out, "<p class=\"note\">~ too few samples to rely on</p>\n");
}

static void put_over_times(struct e8_buf *out, const struct e8_course_point *point)
{
    const e8_dur_ns times[] = {point->response.p50, point->response.p95, point->response.p99,
                               point->response.max, point->service.p99,  point->lag.p99};
    char text[E8_DUR_MAX];
    for (size_t i = 0; i < E8_COUNT(times); i++)
        e8_html_number(out, NULL, point->samples ? e8_dur_text(times[i], text) : "–");
}

void e8_html_course(struct e8_buf *out, const struct e8_report *report)
{
    static const char *const titles[] = {"From",          "#Due",          "#Begun",        "#Done",
                                         "#Failed",       "#Response p50", "#Response p95", "#Response p99",
                                         "#Response max", "#Service p99",  "#Send lag p99", NULL};
    const struct e8_course *over = report->more.course;
    char text[E8_DUR_MAX];
    if (!over || over->count == 0) {
        e8_buf_puts(out, "<p class=\"note\">Times over time are made from the log; this run has none.</p>\n");
        return;
    }
    e8_html(out, "<details><summary>The figures, in parts of %s</summary>\n", e8_dur_text(over->width, text));
    e8_html_table(out, "Over time", titles);
    for (size_t i = 0; i < over->count; i++) {
        const struct e8_course_point *point = &over->points[i];
        e8_html_row(out, e8_dur_text((e8_dur_ns)i * over->width, text));
        e8_html_count(out, NULL, point->due);
        e8_html_count(out, NULL, point->begun);
        e8_html_count(out, NULL, point->done);
        e8_html_count(out, "bad", point->failed);
        put_over_times(out, point);
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
    e8_buf_puts(out, "</details>\n");
}

/* ---- answers ---- */

static const char *status_class(int status)
{
    static const char *const classes[] = {"bad", "warn", "good", "calm", "warn", "bad"};
    return classes[status / 100];
}

static void put_status(struct e8_buf *out, int status, uint64_t part, uint64_t whole)
{
    char code[16], text[E8_NUMBER_MAX];
    snprintf(code, sizeof(code), "%d", status);
    e8_html_row(out, status ? code : "none");
    e8_html_cell(out, NULL, status ? e8_status_phrase(status) : "no answer");
    e8_html_count(out, NULL, part);
    e8_html_number(out, "dim", e8_share_text(part, whole, text));
    e8_html_bar(out, status_class(status), (double)part / (double)whole);
    e8_html_row_end(out);
}

static void put_statuses(struct e8_buf *out, const struct e8_report *report, uint64_t attempts)
{
    static const char *const titles[] = {"Status", "Meaning", "#Attempts", "#Share", "|", NULL};
    const uint64_t *statuses = e8_stats_statuses(report->stats);
    e8_html_table(out, "Statuses", titles);
    for (int status = 100; status < E8_STATUSES; status++)
        if (statuses[status])
            put_status(out, status, statuses[status], attempts);
    if (statuses[0])
        put_status(out, 0, statuses[0], attempts);
    e8_html_table_end(out);
}

/* What the outcome means, and the text of the first failure of this kind; where several endpoints have one, that of the first of them. */
static const char *meaning_of(const struct e8_report *report, enum e8_outcome outcome, struct e8_arena *arena)
{
    const char *meaning = e8_outcome_info(outcome)->text;
    for (unsigned i = 0; outcome != E8_DELIVERED && i < report->run->endpoint_count; i++) {
        const char *text = e8_stats_sample(report->stats, i, outcome);
        if (text[0])
            return strcmp(text, meaning) == 0 ? meaning
                                              : e8_arena_printf(arena, "%s For example: %s", meaning, text);
    }
    return meaning;
}

static void put_outcomes(struct e8_buf *out, const struct e8_report *report, uint64_t attempts)
{
    static const char *const titles[] = {"Outcome", "~Meaning", "#Attempts", "#Share", "|", NULL};
    const uint64_t *outcomes = e8_stats_all(report->stats)->n.outcomes;
    struct e8_arena *arena = e8_arena_new();
    char text[E8_NUMBER_MAX];
    e8_html_table(out, "Outcomes", titles);
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        if (!outcomes[i])
            continue;
        e8_html_row(out, e8_outcome_info((enum e8_outcome)i)->name);
        e8_html_cell(out, NULL, meaning_of(report, (enum e8_outcome)i, arena));
        e8_html_count(out, NULL, outcomes[i]);
        e8_html_number(out, "dim", e8_share_text(outcomes[i], attempts, text));
        e8_html_bar(out, i == E8_DELIVERED ? "good" : "bad", (double)outcomes[i] / (double)attempts);
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
    e8_arena_free(&arena);
}

void e8_html_answers(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    uint64_t attempts = e8_stats_all(report->stats)->n.attempts;
    char note[E8_NUMBER_MAX + 16], count[E8_NUMBER_MAX];
    if (attempts == 0)
        return;
    snprintf(note, sizeof(note), "%s attempt%s", e8_count_text(attempts, count), e8_plural(attempts));
    e8_html_section(out, prefix, "answers", "Answers", note);
    e8_buf_puts(out, "<div class=\"pair\">\n");
    put_statuses(out, report, attempts);
    put_outcomes(out, report, attempts);
    e8_buf_puts(out, "</div>\n");
    e8_html_section_end(out);
}

/* ---- endpoints and types ---- */

static void put_group(struct e8_buf *out, const struct e8_tally *tally)
{
    static const double quantiles[] = {0.5, 0.95, 0.99, 1};
    struct e8_totals totals = e8_totals_of(tally);
    uint64_t tried = totals.delivered + totals.failed + totals.gone;
    char text[E8_NUMBER_MAX];
    e8_html_count(out, NULL, totals.delivered);
    e8_html_count(out, "bad", totals.failed);
    e8_html_count(out, "warn", totals.retries);
    e8_html_number(out, NULL, e8_share_text(totals.delivered, tried, text));
    e8_html_bar(out, totals.failed ? "warn" : "good", tried ? (double)totals.delivered / (double)tried : 0);
    for (size_t i = 0; i < E8_COUNT(quantiles); i++)
        put_time(out, tally->response,
                 has(tally->response) ? (double)e8_hist_quantile(tally->response, quantiles[i]) : 0,
                 e8_report_shaky(tally->response, quantiles[i]));
    e8_html_row_end(out);
}

#define GROUP_TITLES                                                                                         \
    "#Delivered", "#Failed", "#Retries", "#Success", "|", "#p50", "#p95", "#p99", "#Max", NULL

static void put_endpoints(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    static const char *const titles[] = {"Endpoint", "URL", GROUP_TITLES};
    const struct e8_log_run *run = report->run;
    if (run->endpoint_count == 0)
        return;
    e8_html_section(out, prefix, "endpoints", "Endpoints", NULL);
    e8_html_table(out, "Endpoints", titles);
    for (unsigned i = 0; i < run->endpoint_count && i < E8_HTML_ROWS_MOST; i++) {
        e8_html_row(out, run->endpoints[i].name);
        e8_html_cell(out, "code", run->endpoints[i].url);
        put_group(out, e8_stats_endpoint(report->stats, i));
    }
    e8_html_table_end(out);
    put_more_rows(out, run->endpoint_count, "endpoints");
    e8_html_section_end(out);
}

static void put_types(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    static const char *const titles[] = {"Event type", GROUP_TITLES};
    size_t rows = 0;
    for (unsigned i = 0; i < report->run->type_count; i++) {
        const struct e8_tally *tally = e8_stats_type(report->stats, i);
        struct e8_totals totals = e8_totals_of(tally);
        if (!e8_totals_any(&totals) || rows++ >= E8_HTML_ROWS_MOST)
            continue;
        if (rows == 1) {
            e8_html_section(out, prefix, "types", "Event types", NULL);
            e8_html_table(out, "Event types", titles);
        }
        e8_html_row(out, report->run->types[i]);
        put_group(out, tally);
    }
    if (rows == 0)
        return;
    e8_html_table_end(out);
    put_more_rows(out, rows, "types");
    e8_html_section_end(out);
}

void e8_html_groups(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    put_endpoints(out, report, prefix);
    put_types(out, report, prefix);
}

/* ---- deadlines, retries, the generator ---- */

static void put_unanswered(struct e8_buf *out, const struct e8_counts *n)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], text[3 * E8_NUMBER_MAX];
    uint64_t count = e8_report_unanswered(n);
    if (count == 0)
        return;
    snprintf(text, sizeof(text), "%s of %s attempts", e8_count_text(count, a), e8_count_text(n->attempts, b));
    e8_buf_puts(out, "<dl class=\"facts\">\n");
    e8_html_fact(out, "Never answered", text);
    e8_buf_puts(out, "</dl>\n");
}

static void put_deadlines(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    static const char *const titles[] = {"Within", "#Missed", "#Share", "#Not known", "|", NULL};
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    char text[E8_NUMBER_MAX], deadline[E8_DUR_MAX];
    if (n->acks == 0)
        return;
    e8_html_section(out, prefix, "deadlines", "Deadlines missed",
                    "attempts without a whole answer within that time of when they were due");
    e8_html_table(out, "Deadlines missed", titles);
    for (size_t i = 0; i < E8_DEADLINES; i++) {
        e8_html_row(out, e8_dur_text(e8_deadlines[i], deadline));
        e8_html_count(out, "bad", n->late[i]);
        e8_html_number(out, "dim", e8_share_text(n->late[i], n->acks, text));
        e8_html_count(out, "warn", n->open[i]);
        e8_html_bar(out, "bad", (double)n->late[i] / (double)n->acks);
        e8_html_row_end(out);
    }
    e8_html_table_end(out);
    put_unanswered(out, n);
    e8_html_section_end(out);
}

static void put_outage(struct e8_buf *out, const struct e8_outage *outage)
{
    char text[E8_DUR_MAX];
    e8_html_row(out, e8_moment_text(outage->from, text));
    e8_html_number(out, NULL, e8_dur_text(outage->to, text));
    e8_html_count(out, "bad", outage->failed);
    e8_html_count(out, NULL, outage->peak);
    e8_html_mark(out,
                 outage->recovery < 0 ? "fail"
                 : outage->under_load ? "pass"
                                      : "warn",
                 outage->recovery < 0 ? "✗ it did not recover"
                 : outage->under_load ? "✓ recovered"
                                      : "recovered only after the last delivery had begun");
    e8_html_number(out, NULL, outage->recovery < 0 ? "–" : e8_dur_text(outage->recovery, text));
    e8_html_row_end(out);
}

static void put_outages(struct e8_buf *out, const struct e8_feedback *f)
{
    static const char *const titles[] = {
        "Outage from", "#To", "#Attempts failed", "#Backlog at most", "How it ended", "#After", NULL};
    if (f->outage_count == 0)
        return;
    e8_html_table(out, "Outages", titles);
    for (size_t i = 0; i < f->outage_count && i < E8_OUTAGES_MOST; i++)
        put_outage(out, &f->outages[i]);
    e8_html_table_end(out);
}

static void put_feedback(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    struct e8_totals totals = e8_totals_whole(report);
    struct e8_feedback f = e8_feedback_of(report);
    struct e8_arena *arena = e8_arena_new();
    char peak[E8_NUMBER_MAX], at[E8_DUR_MAX];
    if (totals.retries > 0 || f.outage_count > 0) {
        e8_html_section(out, prefix, "retries", totals.retries ? "Retries" : "Outages", NULL);
        e8_buf_puts(out, "<dl class=\"facts\">\n");
        if (totals.retries > 0) {
            e8_html_fact(out, "Attempts per event", e8_arena_printf(arena, "%.2f", f.per_event));
            e8_html_fact(out, "Attempts per delivery", e8_arena_printf(arena, "%.2f", f.per_delivery));
        }
        e8_html_fact(out, "Backlog at most",
                     e8_arena_printf(arena, "%s, after %s", e8_count_text(f.peak, peak),
                                     e8_moment_text(f.peak_at, at)));
        e8_html_fact(out, "Backlog at the end", e8_count_text(f.left, peak));
        e8_buf_puts(out, "</dl>\n");
        put_outages(out, &f);
        e8_html_section_end(out);
    }
    e8_arena_free(&arena);
}

static void put_generator(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    const struct e8_pressure *pressure = &report->more.pressure;
    struct e8_generator g = e8_generator_of(report);
    struct e8_arena *arena = e8_arena_new();
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], floor[E8_DUR_MAX];
    e8_html_section(out, prefix, "generator", "Generator", "was emit8 itself on time, and not the limit?");
    e8_buf_puts(out, "<dl class=\"facts\">\n");
    if (g.planned > 0 && g.achieved > 0)
        e8_html_fact(
            out, g.rate_judged ? "Rate, of what was planned" : "Rate, of what was due",
            e8_arena_printf(arena, "%s of %s", e8_rate_text(g.achieved, a), e8_rate_text(g.planned, b)));
    if (pressure->windows > 0) {
        e8_html_fact(out, "Busiest loop", e8_permille_text(pressure->busy, a));
        e8_html_fact(out, "Windows of 100 ms that were full",
                     e8_share_text(pressure->full, pressure->windows, a));
    }
    if (pressure->cpu > 0)
        e8_html_fact(out, "Processors", e8_permille_text(pressure->cpu, a));
    if (report->run->timer_floor > 0)
        e8_html_fact(out, "Host’s timer floor", e8_dur_text(report->run->timer_floor, floor));
    e8_html_fact(out, "Workers", e8_count_text(report->run->workers, a));
    e8_html_fact(out, "Receiver on this machine", report->more.local ? "yes" : "no");
    e8_buf_puts(out, "</dl>\n");
    e8_html_section_end(out);
    e8_arena_free(&arena);
}

void e8_html_behaviour(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    put_feedback(out, report, prefix);
    put_deadlines(out, report, prefix);
    put_generator(out, report, prefix);
}

/* ---- facts ---- */

static const char *origin_of(const struct e8_log_run *run, struct e8_arena *arena)
{
    if (run->resumes > 0)
        return e8_arena_printf(arena, "goes on with run %lld", (long long)run->resumes);
    if (run->shards == 0)
        return NULL;
    return run->shard ? e8_arena_printf(arena, "shard %u of %u", run->shard, run->shards)
                      : e8_arena_printf(arena, "%u shard%s merged", run->shards, e8_plural(run->shards));
}

static void put_traffic(struct e8_buf *out, const struct e8_report *report)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    char text[E8_NUMBER_MAX];
    e8_html_fact(out, "Connections", e8_count_text(n->connects, text));
    e8_html_fact(out, "Connections of the warm-up",
                 n->warmup_connects ? e8_count_text(n->warmup_connects, text) : NULL);
    e8_html_fact(out, "TLS handshakes", n->handshakes ? e8_count_text(n->handshakes, text) : NULL);
    e8_html_fact(out, "Streams of HTTP/2",
                 report->more.over_h2 ? e8_count_text(report->more.over_h2, text) : NULL);
    e8_html_fact(out, "Sent", e8_bytes_text(n->bytes_sent, text));
    e8_html_fact(out, "Received", e8_bytes_text(n->bytes_received, text));
    e8_html_fact(out, "Attempts to warm up, not counted", n->warmup ? e8_count_text(n->warmup, text) : NULL);
}

void e8_html_facts(struct e8_buf *out, const struct e8_report *report, const char *prefix)
{
    const struct e8_log_run *run = report->run;
    struct e8_arena *arena = e8_arena_new();
    char wall[E8_RFC3339_MAX + 8];
    e8_html_section(out, prefix, "facts", "The run", NULL);
    e8_buf_puts(out, "<dl class=\"facts\">\n");
    e8_html_fact(out, "Scenario", run->name);
    e8_html_fact(out, "Seed", e8_arena_printf(arena, "%llu", (unsigned long long)run->seed));
    e8_html_fact(out, "Started", wall_text(run->started, wall));
    e8_html_fact(out, "Ended", run->ended ? wall_text(run->ended, wall) : "it has no end");
    e8_html_fact(out, "Part", origin_of(run, arena));
    e8_html_fact(out, "Signatures", e8_report_unsigned(arena, run));
    e8_html_fact(out, "emit8", run->version);
    e8_html_fact(out, "curl", run->curl_version);
    e8_html_fact(out, "Scenario’s digest",
                 e8_arena_printf(arena, "%.12s", run->scenario_digest ? run->scenario_digest : ""));
    e8_html_fact(out, "Fixtures’ digest",
                 e8_arena_printf(arena, "%.12s", run->fixtures_digest ? run->fixtures_digest : ""));
    put_traffic(out, report);
    e8_buf_puts(out, "</dl>\n");
    if (run->command && run->command[0]) {
        e8_buf_puts(out, "<pre class=\"command\" tabindex=\"0\"><code>");
        e8_html_text(out, run->command);
        e8_buf_puts(out, "</code></pre>\n");
    }
    e8_html_section_end(out);
    e8_arena_free(&arena);
}
