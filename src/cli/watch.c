#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/execute.h"
#include "cli/terminal.h"

#define SIZE_LIMIT    200000 /* events, up to which a plan is walked to count its deliveries */
#define FASTER        1.1
#define FACTOR_MOST   100.0
#define SUSPEND_AFTER (100 * E8_NS_MS)

/* Lines for each attempt and a view that is redrawn in place do not share a terminal. */
static bool is_quiet(const struct execution *x)
{
    return e8_arg_set(x->args, "quiet") || x->run->on_done;
}

bool e8_execution_on_terminal(const struct execution *x)
{
    return !is_quiet(x) && e8_terminal_redraws(STDERR_FILENO);
}

/* What is said while the view stands. */
static void say(struct execution *x, const char *text, const char *what)
{
    if (e8_arg_set(x->args, "quiet")) {
        return;
    }
    if (x->live) {
        e8_live_end(x->live);
    }
    fprintf(stderr, "emit8: %s%s\n", what, text);
}

/* ---- signals and keys ---- */

static void stop(struct execution *x, struct e8_engine *engine, int signal)
{
    if (x->stopped_by) {
        e8_engine_abort(engine);
        return;
    }
    x->stopped_by = signal;
    e8_engine_stop(engine);
    say(x, "; waiting for what is under way (again to stop at once)", "stopping");
}

static void resize(struct execution *x)
{
    int columns, rows;
    if (x->live) {
        e8_terminal_size(STDERR_FILENO, &columns, &rows);
        e8_live_resize(x->live, columns, rows, e8_mono_now());
    }
}

/* Stopped by the terminal: time goes on, the schedule does not. What is under way gets a moment to come to its end. */
static void suspend(struct execution *x, struct e8_engine *engine)
{
    struct e8_engine_now now;
    e8_engine_look(engine, &now);
    e8_engine_pause(engine, true);
    e8_engine_wait(engine, SUSPEND_AFTER);
    if (x->live) {
        e8_live_end(x->live);
    }
    e8_terminal_give();
    e8_signals_suspend();
    e8_engine_pause(engine, now.paused);
    resize(x);
}

static void take_signals(struct execution *x, struct e8_engine *engine)
{
    for (int signal; (signal = e8_signals_take(0)) != 0;) {
        if (signal == SIGWINCH) {
            resize(x);
        } else if (signal == SIGTSTP) {
            suspend(x, engine);
        } else if (signal == SIGCONT) {
            e8_terminal_again();
            resize(x);
        } else {
            stop(x, engine, signal);
        }
    }
}

static void hasten(struct e8_engine *engine, const struct e8_engine_now *now, double by)
{
    double factor = now->factor * by;
    if (!now->open || factor > FACTOR_MOST || factor < 1 / FACTOR_MOST) {
        return;
    }
    e8_engine_hasten(engine, factor > 0.999 && factor < 1.001 ? 1 : factor);
}

static void take_keys(struct execution *x, struct e8_engine *engine)
{
    struct e8_engine_now now;
    for (enum e8_key key; (key = e8_terminal_key()) != E8_KEY_NONE;
         x->live ? e8_live_stir(x->live) : (void)0) {
        e8_engine_look(engine, &now);
        if (key == E8_KEY_QUIT) {
            stop(x, engine, SIGINT);
        } else if (x->stopped_by || e8_mono_now() < x->facts.epoch) {
            continue; /* a schedule that has not begun, or is at its end, has nothing to change */
        } else if (key == E8_KEY_PAUSE) {
            e8_engine_pause(engine, !now.paused);
        } else {
            hasten(engine, &now, key == E8_KEY_FASTER ? FASTER : 1 / FASTER);
        }
    }
}

/* ---- the view ---- */

static void open_view(struct execution *x)
{
    uint64_t events = 0, deliveries = 0, instances = e8_plan_instances(x->run->plan);
    e8_plan_size(x->run->plan, x->run->catalog, SIZE_LIMIT, &events, &deliveries);
    x->per_arrival = instances ? (double)deliveries / (double)instances : 0;
    if (is_quiet(x)) {
        return;
    }
    struct e8_live_options options = {
        .out = stderr,
        .terminal = e8_execution_on_terminal(x),
        .style = e8_cli_style(x->args, stderr),
        .unicode = e8_terminal_unicode(),
        .keys = e8_execution_on_terminal(x) && e8_terminal_take(),
        .started = x->facts.epoch,
        .run = &x->facts,
        .planned = e8_plan_warms_up(x->run->plan) ? 0 : deliveries,
    };
    x->live = e8_live_new(&options);
    resize(x);
}

static void show(struct execution *x, struct e8_engine *engine, const struct e8_stats *stats)
{
    e8_mono_ns at = e8_mono_now();
    struct e8_engine_now now;
    bool ours = e8_terminal_take() || e8_terminal_foreground();
    if (!x->live || at < x->facts.epoch || !e8_live_due(x->live, at) || !ours) {
        return;
    }
    e8_engine_look(engine, &now);
    const struct e8_live_now state = {
        .paused = now.paused,
        .stopping = x->stopped_by || x->lost,
        .warming = now.warming,
        .on_wire = now.on_wire,
        .waiting = now.waiting,
        .factor = now.factor,
        .rated = now.open,
        .intended = (now.open || now.arrivals > 0) && x->per_arrival > 0 ? now.arrivals * x->per_arrival : -1,
        .closed = now.closed,
        .busy = now.busy,
        .ends = now.ends,
    };
    e8_live_draw(x->live, stats, &state, at);
}

/* Stops a run that a threshold with `abort` has already failed. */
static void look_at_thresholds(struct execution *x, struct e8_engine *engine, const struct e8_stats *stats)
{
    e8_dur_ns elapsed = e8_mono_now() - x->facts.epoch;
    for (size_t i = 0; !x->lost && !x->stopped_by && i < x->threshold_count; i++) {
        const struct e8_threshold *threshold = &x->thresholds[i];
        bool rate = threshold->measure == E8_MEASURE_RATE || threshold->measure == E8_MEASURE_ATTEMPT_RATE;
        if (threshold->abort && !(x->facts.shard && rate) &&
            e8_threshold_lost(threshold, &x->facts, stats, elapsed)) {
            x->lost = threshold;
        }
    }
    if (!x->lost || x->told) {
        return;
    }
    x->told = true;
    e8_engine_stop(engine);
    char text[sizeof x->lost->text + 64];
    snprintf(text, sizeof text, "%s cannot hold; waiting for what is under way", x->lost->text);
    say(x, text, "stopping early: ");
}

void e8_execution_watch(struct execution *x, struct e8_engine *engine)
{
    open_view(x);
    while (!e8_engine_wait(engine, 50 * E8_NS_MS)) {
        take_signals(x, engine);
        take_keys(x, engine);
        const struct e8_stats *stats = e8_engine_stats(engine);
        look_at_thresholds(x, engine, stats);
        show(x, engine, stats);
        e8_cli_metrics_update(x->metrics, &x->facts, stats, e8_mono_now());
    }
    if (x->live) {
        e8_live_end(x->live);
    }
    e8_live_free(&x->live);
    e8_terminal_give();
}
