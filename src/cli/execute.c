#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/execute.h"
#include "cli/shard.h"
#include "cli/terminal.h"

/* The secrets that a sink takes: also those of rotations to come. */
static enum e8_rc accept_secrets(const struct e8_endpoint *endpoint, const char *out[E8_SECRETS_MAX],
                                 size_t *count, struct e8_err *err)
{
    *count = 0;
    if (endpoint->secret_count + endpoint->rotation_count > E8_SECRETS_MAX) {
        return e8_fail(err, E8_INPUT, "give --to instead", "--sink holds at most %d secrets of an endpoint",
                       E8_SECRETS_MAX);
    }
    for (size_t i = 0; i < endpoint->secret_count; i++) {
        out[(*count)++] = endpoint->secrets[i];
    }
    for (size_t i = 0; i < endpoint->rotation_count; i++) {
        out[(*count)++] = endpoint->rotation[i];
    }
    return E8_OK;
}

static enum e8_rc start_sinks(struct execution *x, struct e8_err *err)
{
    struct e8_plan *plan = x->run->plan;
    if (plan->endpoint_count > SINKS_MAX) {
        return e8_fail(err, E8_INPUT, "give --to instead", "--sink serves at most %d endpoints", SINKS_MAX);
    }
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        struct e8_endpoint *endpoint = &plan->endpoints[i];
        const char *secrets[E8_SECRETS_MAX];
        size_t count;
        enum e8_rc rc = accept_secrets(endpoint, secrets, &count, err);
        struct e8_sink_options options = {
            .scheme = endpoint->scheme,
            .secrets = secrets,
            .secret_count = count,
            .tolerance = x->run->clock || x->run->speed > 1 ? -1 : endpoint->scheme->tolerance,
            .reject = true,
        };
        rc = rc ? rc : e8_sink_start(&options, &x->sinks[i], err);
        if (rc) {
            return rc;
        }
        x->sink_count++;
        endpoint->url = e8_arena_printf(x->arena, "%s/%s", e8_sink_url(x->sinks[i]), endpoint->name);
    }
    return E8_OK;
}

static bool is_local(const struct e8_reach *reach, const char *address)
{
    return reach->unix_socket || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static enum e8_rc check_targets(struct execution *x, struct e8_err *err)
{
    const struct e8_plan *plan = x->run->plan;
    enum e8_rc rc = e8_cli_reach(x->args, plan->allow, &x->reach, err);
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        char address[64];
        rc = e8_reach_permits(&x->reach.reach, e8_str(plan->endpoints[i].url), address, err);
        x->local = x->local || (!rc && is_local(&x->reach.reach, address));
    }
    if (!rc && plan->effect && plan->effect->get) {
        char address[64];
        rc = e8_reach_permits(&x->reach.reach, e8_str(plan->effect->get), address, err);
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
        rc = e8_cli_threshold("threshold", rules[i], &x->thresholds[x->threshold_count], err);
        x->threshold_count += !rc;
    }
    for (size_t i = 0; i < x->threshold_count; i++) {
        x->threshold_texts[i] = x->thresholds[i].text;
    }
    free(rules);
    return rc;
}

static enum e8_rc check_thresholds(const struct execution *x, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < x->threshold_count; i++) {
        rc = e8_threshold_check(&x->thresholds[i], x->facts.endpoints, x->facts.endpoint_count,
                                x->facts.types, err);
    }
    return rc;
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
        .drop = run->drop,
        .pin = x->threads.pin,
        .spin = x->threads.spin,
        .reach = x->reach.reach,
        .log = x->log,
        .epoch = x->facts.epoch,
        .appointed = run->start_at != 0,
        .keep = run->keep,
        .trigger = run->trigger,
        .exec = run->exec,
        .done = run->done,
        .wall = run->wall ? run->wall : x->facts.started,
        .on_done = run->on_done,
        .on_effect = run->on_effect,
        .state = run->state,
    };
    enum e8_rc rc = e8_engine_start(run->plan, run->catalog, &options, &engine, err);
    if (rc) {
        return rc;
    }
    e8_execution_watch(x, engine);
    e8_engine_finish(&engine, &x->result);
    return E8_OK;
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

static void describe(struct execution *x)
{
    const struct e8_cli_run *run = x->run;
    e8_cli_facts(x->args, run->plan, run->catalog, x->arena, &x->facts);
    x->facts.workers = run->workers;
    x->facts.thresholds = x->threshold_texts;
    x->facts.resumes = run->resumes;
    x->facts.over = run->done ? e8_done_count(run->done) : 0;
    x->facts.clock = run->clock;
    x->facts.speed = run->speed;
}

static enum e8_rc prepare(struct execution *x, struct e8_err *err)
{
    struct e8_buf note;
    e8_buf_init(&note, 64 << 10);
    enum e8_rc rc = e8_plan_check(x->run->plan, x->run->catalog, &note, err);
    const char *format = e8_arg(x->args, "format");
    rc = rc || !format ? rc : e8_report_format(format, &x->format, err);
    rc = rc || !x->run->start_at ? rc : e8_cli_check_start(x->run->start_at, err);
    rc = rc ? rc : e8_cli_threads(x->args, x->run->workers, &x->threads, err);
    rc = rc ? rc : collect_thresholds(x, err);
    rc = rc ? rc : e8_execution_files(x, err);
    if (!rc && note.n) {
        fprintf(stderr, "emit8: %s", e8_buf_cstr(&note));
    }
    e8_buf_fini(&note);
    rc = rc ? rc : e8_transport_init(err);
    rc = rc || !x->run->sinks ? rc : start_sinks(x, err);
    rc = rc ? rc : check_targets(x, err);
    rc = rc ? rc : e8_execution_preflight(x, err);
    if (!rc) {
        describe(x);
        rc = check_thresholds(x, err);
    }
    rc = rc ? rc : e8_cli_metrics_open(x->args, &x->metrics, err);
    return rc ? rc : e8_cli_log_open(x->args, x->arena, x->facts.workers, &x->log, &x->log_path, err);
}

/* The start is the moment that was asked for. */
static enum e8_rc begin(struct execution *x, struct e8_err *err)
{
    e8_wall_ns at = x->run->start_at;
    enum e8_rc rc = at ? e8_cli_wait(at, e8_arg_set(x->args, "quiet"), &x->stopped_by, err) : E8_OK;
    if (rc || x->stopped_by) {
        return rc;
    }
    x->facts.started = at ? at : e8_wall_now();
    x->facts.epoch = e8_mono_now() + (at ? at - e8_wall_now() : 0);
    return x->log ? e8_dlog_begin(x->log, &x->facts, err) : E8_OK;
}

/* Who waits wants to know for what: a second or two for a million deliveries. */
static enum e8_rc finish_log(struct execution *x, struct e8_err *err)
{
    static const uint64_t long_wait = 500000;
    uint64_t waiting = x->log ? e8_dlog_waiting(x->log) : 0;
    if (waiting > long_wait && !e8_arg_set(x->args, "quiet")) {
        char text[E8_NUMBER_MAX];
        fprintf(stderr, "emit8: all is sent; the last %s records become rows of the log\n",
                e8_count_text(waiting, text));
    }
    return x->log ? e8_dlog_finish(&x->log, &x->facts, err) : E8_OK;
}

static int end_unbegun(const struct execution *x)
{
    if (!e8_arg_set(x->args, "quiet")) {
        fputs("emit8: stopped before the start; nothing was sent\n", stderr);
    }
    return 128 + x->stopped_by;
}

int e8_cli_execute(const struct e8_args *args, struct e8_cli_run *run)
{
    struct execution x = {.args = args, .run = run, .arena = e8_arena_new()};
    struct e8_err err = {0};
    int code;
    run->workers = run->workers ? run->workers : e8_cli_cores();
    e8_signals_init();
    if (e8_execution_on_terminal(&x)) {
        e8_terminal_open();
        e8_signals_terminal();
    }
    enum e8_rc rc = prepare(&x, &err);
    rc = rc ? rc : begin(&x, &err);
    bool stopped = !rc && x.stopped_by;
    rc = rc || stopped ? rc : run_engine(&x, &err);
    if (rc || stopped) {
        code = rc ? e8_exit_error(&err) : end_unbegun(&x);
        if (x.log) {
            e8_dlog_finish(&x.log, &x.facts, NULL);
        }
    } else {
        e8_execution_more(&x);
        e8_cli_facts_end(&x.result, &x.more, x.arena, &x.facts);
        rc = finish_log(&x, &err);
        code = e8_execution_report(&x);
        code = rc ? e8_exit_error(&err) : code;
    }
    e8_cli_metrics_close(&x.metrics);
    stop_sinks(&x);
    e8_stats_free(&x.result.stats);
    e8_hist_free(&x.result.spread);
    free(x.result.expected);
    e8_cli_reach_fini(&x.reach);
    e8_arena_free(&x.arena);
    return code;
}
