#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/session.h"
#include "doc/json.h"

#define SINKS_MAX 64

/* All that one run holds on to, so that there is one way out. */
struct execution {
    const struct e8_args *args;
    struct e8_cli_run *run;
    struct e8_cli_reach reach;
    struct e8_sink *sinks[SINKS_MAX];
    size_t sink_count;
    struct e8_dlog *log;
    struct e8_log_run facts;
    struct e8_log_endpoint *endpoints;
    struct e8_log_step *steps;
    const char **threshold_texts;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_arena *arena;
    struct e8_engine_result result;
    enum e8_format format;
    int stopped_by; /* signal */
};

static enum e8_rc start_sinks(struct execution *x, struct e8_err *err)
{
    struct e8_plan *plan = x->run->plan;
    if (plan->endpoint_count > SINKS_MAX) {
        return e8_fail(err, E8_INPUT, "give --to instead", "--sink serves at most %d endpoints", SINKS_MAX);
    }
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        struct e8_endpoint *endpoint = &plan->endpoints[i];
        struct e8_sink_options options = {
            .scheme = endpoint->scheme,
            .secrets = endpoint->secrets,
            .secret_count = endpoint->secret_count,
            .tolerance = x->run->clock || x->run->speed > 1 ? -1 : endpoint->scheme->tolerance,
            .reject = true,
        };
        enum e8_rc rc = e8_sink_start(&options, &x->sinks[i], err);
        if (rc) {
            return rc;
        }
        x->sink_count++;
        endpoint->url = e8_arena_printf(x->arena, "%s/%s", e8_sink_url(x->sinks[i]), endpoint->name);
    }
    return E8_OK;
}

static enum e8_rc check_targets(struct execution *x, struct e8_err *err)
{
    const struct e8_plan *plan = x->run->plan;
    enum e8_rc rc = e8_cli_reach(x->args, plan->allow, &x->reach, err);
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        char address[64];
        rc = e8_reach_permits(&x->reach.reach, e8_str(plan->endpoints[i].url), address, err);
    }
    return rc;
}

static enum e8_rc collect_thresholds(struct execution *x, struct e8_err *err)
{
    const struct e8_plan *plan = x->run->plan;
    const char **rules = e8_arg_all(x->args, "threshold");
    enum e8_rc rc = E8_OK;
    size_t n = 0;
    while (rules && rules[n]) {
        n++;
    }
    x->thresholds = e8_arena_alloc(x->arena, (plan->threshold_count + n + 1) * sizeof *x->thresholds);
    x->threshold_texts =
        e8_arena_alloc(x->arena, (plan->threshold_count + n + 1) * sizeof *x->threshold_texts);
    for (size_t i = 0; i < plan->threshold_count; i++) {
        x->thresholds[x->threshold_count++] = plan->thresholds[i];
    }
    for (size_t i = 0; !rc && i < n; i++) {
        rc = e8_threshold_parse(e8_str(rules[i]), &x->thresholds[x->threshold_count], err);
        x->threshold_count += !rc;
    }
    for (size_t i = 0; i < x->threshold_count; i++) {
        x->threshold_texts[i] = x->thresholds[i].text;
    }
    free(rules);
    return rc;
}

static const char *joined_names(struct e8_arena *arena, const char *const *names)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    for (size_t i = 0; names && names[i]; i++) {
        e8_buf_puts(&text, i ? " " : "");
        e8_buf_puts(&text, names[i]);
    }
    if (!text.n) {
        e8_buf_puts(&text, "*");
    }
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static const char *redacted(struct e8_arena *arena, const char *url)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(url), &text);
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static void describe_plan(struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    x->endpoints = e8_arena_alloc(x->arena, (plan->endpoint_count + 1) * sizeof *x->endpoints);
    x->steps = e8_arena_alloc(x->arena, (plan->emit_count + 1) * sizeof *x->steps);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        x->endpoints[i] = (struct e8_log_endpoint){
            .name = endpoint->name,
            .url = redacted(x->arena, endpoint->url),
            .scheme = endpoint->secret_count ? endpoint->scheme->name : "none",
            .events = joined_names(x->arena, endpoint->subscription.patterns),
            .environments = joined_names(x->arena, endpoint->subscription.environments),
            .timeout = endpoint->timeout,
            .attempts = endpoint->retry.attempts,
            .headers = e8_cli_header_names(x->arena, endpoint->headers, endpoint->header_count),
        };
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        x->steps[i] = (struct e8_log_step){
            .type = e8_catalog_type(x->run->catalog, emit->type)->name,
            .environment = emit->environment,
            .edits = emit->json,
            .name = emit->name,
            .body = emit->raw,
        };
    }
}

static void describe_run(struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    struct e8_buf command;
    e8_buf_init(&command, 64 << 10);
    e8_cli_command(x->args, &command);
    describe_plan(x);
    x->facts = (struct e8_log_run){
        .name = plan->name,
        .scenario_digest = plan->digest,
        .fixtures_digest = e8_catalog_digest(x->run->catalog),
        .version = E8_VERSION,
        .curl_version = e8_transport_curl_version(),
        .command = e8_arena_str(x->arena, e8_buf_str(&command)).p,
        .seed = plan->seed,
        .started = e8_wall_now(),
        .epoch = e8_mono_now(),
        .workers = x->run->workers,
        .insecure = x->reach.reach.insecure,
        .endpoints = x->endpoints,
        .endpoint_count = plan->endpoint_count,
        .steps = x->steps,
        .step_count = plan->emit_count,
        .types = e8_catalog_names(x->run->catalog),
        .type_count = e8_catalog_count(x->run->catalog),
        .thresholds = x->threshold_texts,
    };
    e8_buf_fini(&command);
}

static enum e8_rc open_log(struct execution *x, struct e8_err *err)
{
    struct e8_buf path;
    enum e8_rc rc = E8_OK;
    if (e8_arg_set(x->args, "no-log")) {
        return E8_OK;
    }
    e8_buf_init(&path, 4096);
    if (e8_arg(x->args, "log")) {
        e8_buf_puts(&path, e8_arg(x->args, "log"));
    } else {
        rc = e8_dlog_default_path(&path, err);
    }
    rc = rc ? rc : e8_dlog_open(e8_buf_cstr(&path), x->run->workers, &x->log, err);
    rc = rc ? rc : e8_dlog_begin(x->log, &x->facts, err);
    e8_buf_fini(&path);
    return rc;
}

static void take_signal(struct execution *x, struct e8_engine *engine, struct e8_live *live, int signal)
{
    if (!signal) {
        return;
    }
    if (x->stopped_by) {
        e8_engine_abort(engine);
        return;
    }
    x->stopped_by = signal;
    e8_engine_stop(engine);
    if (!e8_arg_set(x->args, "quiet")) {
        e8_live_end(live);
        fputs("emit8: stopping; waiting for what is under way (again to stop at once)\n", stderr);
    }
}

static void watch(struct execution *x, struct e8_engine *engine)
{
    uint64_t events = 0, deliveries = 0;
    /* Lines for each attempt and a view that is redrawn in place do not share a terminal. */
    bool quiet = e8_arg_set(x->args, "quiet") || x->run->on_done;
    bool terminal = isatty(STDERR_FILENO) != 0;
    e8_plan_size(x->run->plan, x->run->catalog, 200000, &events, &deliveries);
    struct e8_live live = {
        .out = stderr,
        .terminal = terminal,
        .style = e8_cli_style(x->args, stderr),
        .started = x->facts.epoch,
        .planned = deliveries,
    };
    while (!e8_engine_wait(engine, 50 * E8_NS_MS)) {
        take_signal(x, engine, &live, e8_signals_take(0));
        const struct e8_stats *stats = e8_engine_stats(engine);
        if (!quiet) {
            live.style.width = e8_cli_style(x->args, stderr).width;
            e8_live_draw(&live, stats, e8_mono_now());
        }
    }
    e8_live_end(&live);
}

static enum e8_rc run_engine(struct execution *x, struct e8_err *err)
{
    const struct e8_cli_run *run = x->run;
    struct e8_engine *engine;
    struct e8_engine_options options = {
        .workers = run->workers,
        .speed = run->speed,
        .clock = run->clock,
        .in_flight = run->in_flight,
        .reach = x->reach.reach,
        .log = x->log,
        .epoch = x->facts.epoch,
        .keep = run->keep,
        .trigger = run->trigger,
        .on_done = run->on_done,
        .on_effect = run->on_effect,
        .state = run->state,
    };
    enum e8_rc rc = e8_engine_start(run->plan, run->catalog, &options, &engine, err);
    if (rc) {
        return rc;
    }
    watch(x, engine);
    e8_engine_finish(&engine, &x->result);
    return E8_OK;
}

static const char *transport_notes(struct execution *x)
{
    const struct e8_transport_counts *counts = &x->result.transport;
    struct e8_buf text;
    e8_buf_init(&text, 4096);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_json_int(&w, "connections", (int64_t)counts->connections);
    e8_json_int(&w, "reused", (int64_t)counts->reused);
    e8_json_int(&w, "handshakes", (int64_t)counts->handshakes);
    e8_json_int(&w, "handshakes_resumed", (int64_t)counts->resumed);
    e8_json_int(&w, "idle_closed", (int64_t)counts->idle_closed);
    e8_json_int(&w, "idle_bytes", (int64_t)counts->idle_bytes);
    e8_json_int(&w, "multi_rebuilt", (int64_t)counts->rebuilt);
    e8_json_int(&w, "endpoints_disabled", (int64_t)x->result.disabled);
    e8_json_end(&w, '}');
    const char *notes = e8_arena_str(x->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return notes;
}

static enum e8_rc end_run(struct execution *x, struct e8_err *err)
{
    const struct e8_counts *n = &e8_stats_all(x->result.stats)->n;
    x->facts.ended = x->facts.started + (e8_mono_now() - x->facts.epoch);
    x->facts.planned = n->planned;
    x->facts.dropped = n->dropped;
    x->facts.aborted = n->aborted;
    x->facts.stalls = x->result.stalls;
    x->facts.timer_floor = x->result.timer_floor;
    x->facts.interrupted = x->result.interrupted || x->result.log_failed;
    x->facts.notes = transport_notes(x);
    x->facts.stats = x->result.stats;
    return x->log ? e8_dlog_finish(&x->log, &x->facts, err) : E8_OK;
}

static enum e8_rc write_file(const struct e8_report *report, enum e8_format format, const char *path,
                             struct e8_err *err)
{
    FILE *out = path ? fopen(path, "we") : NULL;
    if (path && !out) {
        return e8_fail(err, E8_ENV, NULL, "%s: the report cannot be written: %s", path, strerror(errno));
    }
    if (!out) {
        return E8_OK;
    }
    enum e8_rc rc = e8_report_write(report, format, (struct e8_style){100, false}, out);
    if (fclose(out) != 0 || rc) {
        return e8_fail(err, E8_ENV, "is the disk full?", "%s: the report could not be written whole", path);
    }
    return E8_OK;
}

static const struct {
    const char *option;
    enum e8_format format;
} files[] = {
    {"report-json", E8_FORMAT_JSON},
    {"report-ndjson", E8_FORMAT_NDJSON},
    {"report-csv", E8_FORMAT_CSV},
    {"report-text", E8_FORMAT_TEXT},
};

/* Before anything is sent: may the files be written? */
static enum e8_rc check_files(struct execution *x, struct e8_err *err)
{
    for (size_t i = 0; i < E8_COUNT(files); i++) {
        const char *path = e8_arg(x->args, files[i].option);
        FILE *out = path ? fopen(path, "ae") : NULL;
        if (path && !out) {
            return e8_fail(err, E8_INPUT, "a file in a directory that exists and may be written",
                           "--%s %s: %s", files[i].option, path, strerror(errno));
        }
        if (out) {
            fclose(out);
        }
    }
    return E8_OK;
}

static enum e8_rc write_files(struct execution *x, const struct e8_report *report, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < E8_COUNT(files); i++) {
        rc = write_file(report, files[i].format, e8_arg(x->args, files[i].option), err);
    }
    return rc;
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
    return all.rejected ? E8_EXIT_FAIL : E8_EXIT_PASS;
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

static int report_run(struct execution *x)
{
    struct e8_report *report = e8_new(1, sizeof *report);
    struct e8_err err = {0};
    e8_report_make(&x->facts, x->result.stats, x->thresholds, x->threshold_count, report);
    int code = verdict_code(x, report);
    int sinks = x->sink_count && !e8_arg_set(x->args, "quiet") ? say_sinks(x) : E8_EXIT_PASS;
    if (write_files(x, report, &err)) {
        code = e8_exit_error(&err);
    }
    if (x->run->report) {
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
    return code == E8_EXIT_PASS ? sinks : code;
}

static void stop_sinks(struct execution *x)
{
    for (size_t i = 0; i < x->sink_count; i++) {
        struct e8_err err = {0};
        if (e8_sink_stop(&x->sinks[i], &err)) {
            e8_exit_error(&err);
        }
    }
}

static enum e8_rc prepare(struct execution *x, struct e8_err *err)
{
    struct e8_buf note;
    e8_buf_init(&note, 64 << 10);
    enum e8_rc rc = e8_plan_check(x->run->plan, x->run->catalog, &note, err);
    rc = rc ? rc : e8_cli_format(x->args, E8_FORMAT_TEXT, &x->format, err);
    rc = rc ? rc : collect_thresholds(x, err);
    rc = rc ? rc : check_files(x, err);
    if (!rc && note.n && !e8_arg_set(x->args, "quiet")) {
        fprintf(stderr, "emit8: %s", e8_buf_cstr(&note));
    }
    e8_buf_fini(&note);
    rc = rc ? rc : e8_transport_init(err);
    rc = rc || !x->run->sinks ? rc : start_sinks(x, err);
    rc = rc ? rc : check_targets(x, err);
    if (!rc) {
        describe_run(x);
        rc = open_log(x, err);
    }
    return rc;
}

int e8_cli_execute(const struct e8_args *args, struct e8_cli_run *run)
{
    struct execution x = {.args = args, .run = run, .arena = e8_arena_new()};
    struct e8_err err = {0};
    int code;
    run->workers = run->workers ? run->workers : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    e8_signals_init();
    enum e8_rc rc = prepare(&x, &err);
    rc = rc ? rc : run_engine(&x, &err);
    if (rc) {
        code = e8_exit_error(&err);
        if (x.log) {
            e8_dlog_finish(&x.log, &x.facts, NULL);
        }
    } else {
        rc = end_run(&x, &err);
        code = report_run(&x);
        code = rc ? e8_exit_error(&err) : code;
    }
    stop_sinks(&x);
    e8_stats_free(&x.result.stats);
    e8_cli_reach_fini(&x.reach);
    e8_arena_free(&x.arena);
    return code;
}
