#include "cli/progress.h"

#include <signal.h>
#include <unistd.h>

#include "cli/terminal.h"

#define WIDTH_ELSEWHERE 80
#define LABEL           7 /* "emit8: " */
#define WIDTH_LEAST     20
#define SUSPEND_AFTER   (100 * E8_NS_MS)
#define REST_LOOK       (50 * E8_NS_MS)

void e8_cli_progress_open(struct e8_cli_progress *p, const struct e8_args *args)
{
    bool quiet = e8_arg_set(args, "quiet");
    *p = (struct e8_cli_progress){.quiet = quiet, .terminal = !quiet && e8_terminal_redraws(STDERR_FILENO)};
    e8_signals_init();
    if (p->terminal) {
        e8_terminal_open();
        e8_signals_terminal();
        e8_terminal_take();
    }
}

void e8_cli_progress_close(struct e8_cli_progress *p)
{
    e8_cli_progress_end(p);
    e8_terminal_give();
}

size_t e8_cli_progress_width(const struct e8_cli_progress *p)
{
    int columns = 0, rows;
    if (p->terminal) {
        e8_terminal_size(STDERR_FILENO, &columns, &rows);
    }
    columns = (columns > 0 ? columns : WIDTH_ELSEWHERE) - LABEL - 1;
    return (size_t)(columns > WIDTH_LEAST ? columns : WIDTH_LEAST);
}

void e8_cli_progress_say(const struct e8_cli_progress *p, const char *line)
{
    if (!p->quiet) {
        fprintf(stderr, "emit8: %s\n", line);
    }
}

/* ---- signals and keys ---- */

static void resize(struct e8_cli_progress *p)
{
    int columns, rows;
    if (p->live) {
        e8_terminal_size(STDERR_FILENO, &columns, &rows);
        e8_live_resize(p->live, columns, rows, e8_mono_now());
    }
}

/* Stopped by the terminal. The step's schedule stands meanwhile; without an engine nothing is under way. */
static void suspend(struct e8_cli_progress *p, struct e8_engine *engine)
{
    e8_mono_ns since = e8_mono_now();
    if (engine) {
        e8_engine_pause(engine, true);
        e8_engine_wait(engine, SUSPEND_AFTER);
    }
    if (p->live) {
        e8_live_end(p->live);
    }
    e8_terminal_give();
    e8_signals_suspend();
    if (engine) {
        e8_engine_pause(engine, false);
    }
    p->suspended += e8_mono_now() - since;
    e8_terminal_take();
    resize(p);
}

static int take_signals(struct e8_cli_progress *p, struct e8_engine *engine, e8_dur_ns timeout)
{
    for (int signal = e8_signals_take(timeout); signal; signal = e8_signals_take(0)) {
        if (signal == SIGWINCH) {
            resize(p);
        } else if (signal == SIGTSTP) {
            suspend(p, engine);
        } else if (signal == SIGCONT) {
            e8_terminal_again();
            resize(p);
        } else {
            return signal;
        }
    }
    return 0;
}

static int take_keys(const struct e8_cli_progress *p)
{
    enum e8_key key = E8_KEY_NONE;
    while (p->terminal && e8_terminal_take() && (key = e8_terminal_key()) != E8_KEY_NONE) {
        if (key == E8_KEY_QUIT) {
            return SIGINT;
        }
    }
    return 0;
}

static int take(struct e8_cli_progress *p, struct e8_engine *engine, e8_dur_ns timeout)
{
    int signal = take_signals(p, engine, timeout);
    return signal ? signal : take_keys(p);
}

/* ---- a step ---- */

void e8_cli_progress_begin(struct e8_cli_progress *p, const char *label, const struct e8_log_run *run,
                           struct e8_style style)
{
    p->suspended = 0;
    if (!p->terminal) {
        return;
    }
    const struct e8_live_options options = {.out = stderr,
                                            .terminal = true,
                                            .brief = label,
                                            .style = style,
                                            .unicode = e8_terminal_unicode(),
                                            .started = run->epoch,
                                            .run = run};
    p->live = e8_live_new(&options);
    resize(p);
}

int e8_cli_progress_look(struct e8_cli_progress *p, struct e8_engine *engine, const struct e8_stats *stats,
                         bool stopping)
{
    int signal = take(p, engine, 0);
    e8_mono_ns at = e8_mono_now();
    struct e8_engine_now now;
    if (!p->live || !e8_live_due(p->live, at) || !e8_terminal_foreground()) {
        return signal;
    }
    e8_engine_look(engine, &now);
    const struct e8_live_now state = {.stopping = stopping || signal,
                                      .warming = now.warming,
                                      .on_wire = now.on_wire,
                                      .waiting = now.waiting,
                                      .factor = 1,
                                      .intended = -1,
                                      .busy = now.busy,
                                      .ends = now.ends};
    e8_live_draw(p->live, stats, &state, at);
    return signal;
}

void e8_cli_progress_end(struct e8_cli_progress *p)
{
    if (p->live) {
        e8_live_end(p->live);
    }
    e8_live_free(&p->live);
}

int e8_cli_progress_rest(struct e8_cli_progress *p, e8_dur_ns length)
{
    e8_mono_ns end = e8_mono_now() + length;
    int signal = take(p, NULL, 0);
    for (e8_mono_ns now; !signal && (now = e8_mono_now()) < end;) {
        signal = take(p, NULL, now + REST_LOOK < end ? REST_LOOK : end - now);
    }
    return signal;
}
