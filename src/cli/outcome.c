#include <stdlib.h>
#include <string.h>

#include "cli/execute.h"
#include "cli/hdr.h"
#include "cli/outputs.h"
#include "cli/runs.h"
#include "cli/settings.h"

#define SIZED_MOST 2000000 /* events, up to which a plan that was stopped is walked to count its deliveries */

enum e8_rc e8_execution_files(const struct execution *x, struct e8_err *err)
{
    unsigned shard = x->run->plan->shard.number;
    enum e8_rc rc = e8_report_fits(shard, x->format, err);
    if (!rc && e8_arg(x->args, "report-shard")) {
        rc = e8_report_fits(shard, E8_FORMAT_SHARD, err);
    }
    rc = rc ? rc : e8_cli_reports_check(x->args, err);
    return rc ? rc : e8_cli_hdr_check(x->args, err);
}

static int say_sinks(struct execution *x)
{
    struct e8_sink_counts all = {0}, one;
    size_t types = 0, known = e8_catalog_count(x->run->catalog);
    for (size_t i = 0; i < x->sink_count; i++) {
        e8_sink_counts(x->sinks[i], &one);
        all.received += one.received;
        all.verified += one.verified;
        all.rejected += one.rejected;
        all.duplicates += one.duplicates;
    }
    for (unsigned i = 0; i < known; i++) {
        types += e8_stats_type(x->result.stats, i)->n.delivered > 0;
    }
    fprintf(
        stderr,
        "sink: %llu received, %llu verified, %llu rejected, %llu duplicates\n      %zu of %zu event types "
        "delivered\n",
        (unsigned long long)all.received, (unsigned long long)all.verified, (unsigned long long)all.rejected,
        (unsigned long long)all.duplicates, types, known);
    /* Where steps expect something, a rejection may be what they expect; the verdict knows. */
    return all.rejected && !x->result.expected ? E8_EXIT_FAIL : E8_EXIT_PASS;
}

static int verdict_code(const struct execution *x, const struct e8_report *report)
{
    if (x->result.log_failed) {
        return E8_EXIT_ENV;
    }
    if (x->stopped_by) {
        return 128 + x->stopped_by;
    }
    /* A single event is no measurement: that it was refused is a failed delivery, and the reason is said below. */
    bool single = !x->run->report && report->stats && e8_stats_all(report->stats)->n.failed > 0;
    if (x->result.generator_limited || (report->verdict == E8_INVALID && !single)) {
        return E8_EXIT_INVALID;
    }
    if (single) {
        return E8_EXIT_FAIL;
    }
    return report->verdict == E8_FAIL ? E8_EXIT_FAIL : E8_EXIT_PASS;
}

static const char *step_id(struct e8_arena *arena, const struct e8_emit *emit)
{
    const char *slash = emit->file ? strrchr(emit->file, '/') : NULL;
    if (emit->name) {
        return emit->name;
    }
    return emit->file ? e8_arena_printf(arena, "%s:%d", slash ? slash + 1 : emit->file, emit->line)
                      : e8_arena_printf(arena, "step %u", emit->index + 1);
}

static const char *expected_text(struct e8_arena *arena, const struct e8_expect *expect)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_expect_text(expect, &text);
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static void collect_steps(struct execution *x, struct e8_report_more *more)
{
    const struct e8_plan *plan = x->run->plan;
    struct e8_report_step *steps = e8_arena_alloc(x->arena, (plan->emit_count + 1) * sizeof *steps);
    more->steps = steps;
    for (size_t i = 0; x->result.expected && i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        const struct e8_expected *expected = &x->result.expected[i];
        if (!emit->expect) {
            continue;
        }
        steps[more->step_count++] = (struct e8_report_step){
            .id = step_id(x->arena, emit),
            .type = plan->types[emit->type],
            .expects = expected_text(x->arena, emit->expect),
            .reports = e8_expect_only_reports(emit->expect),
            .met = expected->met,
            .unmet = expected->unmet,
            .reported = expected->reported,
            .not_measured = expected->not_measured,
            .why = expected->why,
            .delivery_id = expected->delivery_id,
        };
    }
}

static bool is_open(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->phase_count; i++) {
        if (plan->phases[i].open) {
            return true;
        }
    }
    return false;
}

/* What is tampered with may be no request that a sink counts. */
static void count_receipts(const struct execution *x, struct e8_report_more *more)
{
    const struct e8_plan *plan = x->run->plan;
    more->has_receipts = x->sink_count > 0;
    for (size_t i = 0; i < plan->emit_count; i++) {
        more->has_receipts = more->has_receipts && !plan->emits[i].tamper;
    }
    for (size_t i = 0; i < x->sink_count; i++) {
        struct e8_sink_counts counts;
        e8_sink_counts(x->sinks[i], &counts);
        more->receipts += counts.received;
    }
}

/* Without what warms up. */
static bool size_plan(struct execution *x, uint64_t *deliveries)
{
    struct e8_plan plan = *x->run->plan;
    struct e8_phase *phases = e8_arena_alloc(x->arena, (plan.phase_count + 1) * sizeof *phases);
    uint64_t events;
    plan.phase_count = 0;
    for (size_t i = 0; i < x->run->plan->phase_count; i++) {
        if (!x->run->plan->phases[i].warmup) {
            phases[plan.phase_count++] = x->run->plan->phases[i];
        }
    }
    plan.phases = phases;
    return e8_plan_size(&plan, x->run->catalog, SIZED_MOST, &events, deliveries);
}

/* What the plan holds, without what was over before this run and what this run came to. */
static void count_unbegun(struct execution *x, struct e8_report_more *more)
{
    const struct e8_engine_result *result = &x->result;
    uint64_t size = 0, reached = e8_stats_all(result->stats)->n.planned + x->facts.over;
    more->early =
        result->interrupted || result->log_failed || result->generator_limited || result->stopped_by_step;
    more->sized = more->early && size_plan(x, &size);
    more->not_begun = more->sized && size > reached ? size - reached : 0;
}

static void tell_hand(const struct execution *x, struct e8_report_more *more)
{
    const struct e8_tally *all = e8_stats_all(x->result.stats);
    e8_dur_ns warm = all->n.warmup && all->n.attempts ? all->span.first_due - x->facts.epoch : 0;
    more->changed_at = x->result.changed_at > warm ? x->result.changed_at - warm : 0;
}

/* With --drop nothing waits. */
static uint64_t bound_of(const struct execution *x)
{
    size_t bound = x->run->in_flight ? x->run->in_flight : E8_IN_FLIGHT_DEFAULT;
    return x->result.bounded && !x->run->drop ? bound : 0;
}

static uint64_t crowd_of(const struct execution *x)
{
    return x->result.crowded && !x->run->drop ? e8_waiting_of(x->run->in_flight) : 0;
}

void e8_execution_more(struct execution *x)
{
    x->more = (struct e8_report_more){
        .spread = x->result.spread,
        .flows_stopped = x->result.flows_stopped,
        .commands_failed = x->result.commands_failed,
        .command_why = x->result.command_why,
        .aborted = x->lost,
        .stopped_by_step = x->result.stopped_by_step,
        .open = is_open(x->run->plan),
        .local = x->local,
        .pressure = x->result.pressure,
        .bound = bound_of(x),
        .crowd = crowd_of(x),
        .goaways = x->result.transport.goaways,
        .refused = x->result.transport.refused,
        .over_h2 = x->result.transport.over_h2,
        .declined_h2 = x->result.transport.declined_h2,
        .by_hand = x->result.by_hand,
        .paused = x->result.paused,
        .factor_least = x->result.factor_least,
        .factor_most = x->result.factor_most,
        .schedule = x->result.schedule,
        .log = x->log_path,
        .signal = x->stopped_by,
        .settings = e8_settings_of(x),
    };
    count_unbegun(x, &x->more);
    x->more.log_failed = x->result.log_failed;
    tell_hand(x, &x->more);
    x->more.load = x->more.open || x->run->load;
    count_receipts(x, &x->more);
    collect_steps(x, &x->more);
}

int e8_execution_report(struct execution *x)
{
    struct e8_report *report = e8_new(1, sizeof *report);
    struct e8_course *course = NULL;
    struct e8_err err = {0};
    bool html = e8_arg(x->args, "report-html") || (x->run->report && x->format == E8_FORMAT_HTML);
    const char *log = x->result.log_failed ? NULL : x->log_path;
    enum e8_rc rc = html && log ? e8_cli_course(log, x->facts.id, x->result.stats, &course, &err) : E8_OK;
    x->more.course = course;
    e8_report_make(&x->facts, x->result.stats, x->thresholds, x->threshold_count, &x->more, report);
    int code = verdict_code(x, report);
    int sinks = x->sink_count && !e8_arg_set(x->args, "quiet") ? say_sinks(x) : E8_EXIT_PASS;
    if (rc || e8_cli_reports_write(x->args, report, &err) ||
        e8_cli_hdr_run(x->args, log, &x->facts, x->result.stats, &err)) {
        code = e8_exit_error(&err);
    }
    if (x->run->report && !e8_cli_stdout_of(x->args)) {
        e8_report_write(report, x->format, e8_cli_style(x->args, stdout), stdout);
        fflush(stdout);
    }
    if (x->result.generator_limited) {
        fputs("emit8: stopped early: its own descriptors, ports or memory ran out; raise ulimit -n, or lower "
              "the load\n",
              stderr);
    } else if (!x->run->report && report->verdict == E8_INVALID && !x->stopped_by) {
        fprintf(stderr, "emit8: %s\n", report->reason);
    }
    free(report);
    free(course);
    return code == E8_EXIT_PASS ? sinks : code;
}
