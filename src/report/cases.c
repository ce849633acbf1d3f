/* A report as tests: each step that expects something, each threshold; without either, one for the deliveries. */
#include <string.h>

#include "report/parts.h"

struct cases {
    struct e8_arena *arena;
    struct e8_result *list;
    size_t count;
};

static const char *not_met(struct e8_arena *arena, const struct e8_report_step *step)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    return e8_arena_printf(arena, "%s of %s not as expected%s%s", e8_count_text(step->unmet, a),
                           e8_count_text(step->met + step->unmet, b), step->why && step->why[0] ? ": " : "",
                           step->why ? step->why : "");
}

static const char *show_command(struct e8_arena *arena, const char *log, const char *delivery)
{
    struct e8_buf quoted;
    e8_buf_init(&quoted, 64 << 10);
    e8_buf_put_quoted(&quoted, e8_str(log));
    const char *command = e8_arena_printf(arena, "emit8 log %s --show %s", e8_buf_cstr(&quoted), delivery);
    e8_buf_fini(&quoted);
    return command;
}

static void add_step(struct cases *cases, const char *log, const struct e8_report_step *step)
{
    struct e8_arena *arena = cases->arena;
    bool why = step->why && step->why[0];
    struct e8_result result = {
        .id = step->id,
        .group = "expectations",
        .title = e8_arena_printf(arena, "%s: %s", step->type, step->expects),
        .kind = E8_RESULT_PASS,
    };
    if (step->unmet > 0) {
        result.kind = E8_RESULT_FAIL;
        result.reason = not_met(arena, step);
        if (log && step->delivery_id && step->delivery_id[0])
            result.reproduce = show_command(arena, log, step->delivery_id);
    } else if (step->met == 0 && step->reported > 0) {
        result.kind = E8_RESULT_REPORT;
        result.reason = why ? step->why : "as expected";
    } else if (step->met == 0) {
        result.kind = E8_RESULT_SKIP;
        result.reason = step->not_measured ? (why ? step->why : "its effect was not measured")
                                           : "no delivery of this step came to its end";
    }
    cases->list[cases->count++] = result;
}

static void add_threshold(struct cases *cases, const struct e8_threshold_result *threshold)
{
    char text[E8_MEASURED_MAX];
    const char *measured =
        e8_arena_printf(cases->arena, "%s%s%s", threshold->aborted ? "stopped the run: " : "",
                        threshold->measurable ? "measured " : "", e8_measured_text(threshold, text));
    cases->list[cases->count++] = (struct e8_result){
        .id = threshold->threshold.text,
        .group = "thresholds",
        .kind = threshold->pass ? E8_RESULT_PASS : E8_RESULT_FAIL,
        .reason = measured,
    };
}

static void add_deliveries(struct cases *cases, const struct e8_report *report)
{
    cases->list[cases->count++] = (struct e8_result){
        .id = "deliveries",
        .group = "deliveries",
        .kind = report->verdict == E8_FAIL ? E8_RESULT_FAIL : E8_RESULT_PASS,
        .reason = report->verdict == E8_FAIL ? report->reason : NULL,
        .took = e8_report_elapsed(report->run, report->stats),
    };
}

static const char *count_property(struct e8_arena *arena, uint64_t count)
{
    return e8_arena_printf(arena, "%llu", (unsigned long long)count);
}

static const char *const *properties(struct e8_arena *arena, const struct e8_report *report)
{
    const struct e8_log_run *run = report->run;
    struct e8_totals totals = e8_totals_whole(report);
    const char **list = e8_arena_alloc(arena, 24 * sizeof(*list));
    const char *const pairs[] = {
        "seed",
        count_property(arena, run->seed),
        "run",
        run->id > 0 ? count_property(arena, (uint64_t)run->id) : NULL,
        "emit8",
        run->version,
        "scenario",
        run->scenario_digest && run->scenario_digest[0]
            ? e8_arena_printf(arena, "%.12s", run->scenario_digest)
            : NULL,
        "planned",
        count_property(arena, totals.planned),
        "delivered",
        count_property(arena, totals.delivered),
        "failed",
        count_property(arena, totals.failed),
        "not begun",
        totals.not_begun ? count_property(arena, totals.not_begun) : NULL,
        "withheld",
        totals.withheld ? count_property(arena, totals.withheld) : NULL,
        "attempts",
        count_property(arena, totals.attempts),
    };
    size_t n = 0;
    for (size_t i = 0; i < E8_COUNT(pairs); i += 2) {
        if (!pairs[i + 1])
            continue;
        list[n++] = pairs[i];
        list[n++] = pairs[i + 1];
    }
    return list;
}

static enum e8_results_verdict verdict_of(const struct e8_report *report)
{
    return report->verdict == E8_INVALID ? E8_RESULTS_INVALID
           : report->verdict == E8_FAIL  ? E8_RESULTS_FAIL
                                         : E8_RESULTS_PASS;
}

enum e8_rc e8_report_results(const struct e8_report *report, enum e8_results_format format, FILE *out)
{
    const struct e8_log_run *run = report->run;
    struct cases cases = {.arena = e8_arena_new()};
    size_t most = report->more.step_count + report->threshold_count + 1;
    cases.list = e8_arena_alloc(cases.arena, most * sizeof(*cases.list));
    for (size_t i = 0; i < report->more.step_count; i++)
        add_step(&cases, report->more.log, &report->more.steps[i]);
    for (size_t i = 0; i < report->threshold_count; i++)
        add_threshold(&cases, &report->thresholds[i]);
    if (cases.count == 0)
        add_deliveries(&cases, report);
    const struct e8_results results = {
        .suite = run->name && run->name[0] ? run->name : "emit8",
        .target = run->endpoint_count == 1 ? run->endpoints[0].url : NULL,
        .started = run->started,
        .took = e8_report_elapsed(run, report->stats),
        .list = cases.list,
        .count = cases.count,
        .verdict = verdict_of(report),
        .reason =
            e8_arena_printf(cases.arena, "%s%s",
                            run->interrupted && !report->more.aborted ? "interrupted; " : "", report->reason),
        .properties = properties(cases.arena, report),
    };
    enum e8_rc rc = e8_results_write(&results, format, (struct e8_style){0}, out);
    e8_arena_free(&cases.arena);
    return rc;
}
