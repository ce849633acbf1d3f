#include "report/live.h"

#include <stdlib.h>
#include <string.h>

#define REDRAW_EVERY (200 * E8_NS_MS)
#define LINE_EVERY   (3 * E8_NS_S)
#define LIVE_MAX     ((size_t)64 << 10)
enum { COLUMNS_MOST = 240 };

struct e8_live *e8_live_new(const struct e8_live_options *options)
{
    struct e8_live *live = e8_new(1, sizeof *live);
    live->options = *options;
    live->sampled_at = options->started;
    live->recent[0].at = options->started;
    live->recent_count = 1;
    return live;
}

void e8_live_free(struct e8_live **live)
{
    for (size_t i = 0; *live && i < LIVE_COPIES; i++) {
        e8_hist_free(&(*live)->response[i]);
        e8_hist_free(&(*live)->lag[i]);
    }
    free(*live);
    *live = NULL;
}

/* ---- what was before ---- */

static void copy_hist(struct e8_hist **slot, const struct e8_hist *from)
{
    if (!*slot)
        *slot = e8_hist_new();
    e8_hist_reset(*slot);
    if (from)
        e8_hist_merge(*slot, from);
}

const struct e8_hist *e8_live_before(const struct e8_live *live, struct e8_hist *const *ring, size_t back)
{
    E8_ASSERT(back > 0 && back <= LIVE_COPIES);
    return back <= live->sample_count ? ring[(live->sample_count - back) % LIVE_COPIES] : NULL;
}

static void take_sample(struct e8_live *live, const struct e8_view *view)
{
    const struct e8_tally *all = e8_stats_all(view->stats);
    e8_dur_ns window = view->at - live->sampled_at;
    if (window < LIVE_SAMPLE_EVERY)
        return;
    const struct e8_hist *before = e8_live_before(live, live->response, 1);
    struct e8_live_sample *sample = &live->samples[live->sample_count % LIVE_SAMPLES];
    sample->rate = (double)(view->moved - live->sampled_moved) / ((double)window / (double)E8_NS_S);
    sample->p99 = all->response ? e8_hist_quantile_since(all->response, before, 0.99) : 0;
    copy_hist(&live->response[live->sample_count % LIVE_COPIES], all->response);
    copy_hist(&live->lag[live->sample_count % LIVE_COPIES], all->lag);
    live->sample_count++;
    live->sampled_at = view->at;
    live->sampled_moved = view->moved;
}

/* Per second since the oldest of the last drawings; elsewhere since the last line. */
static double rate_now(struct e8_live *live, uint64_t moved, e8_mono_ns at)
{
    size_t kept = live->options.terminal ? LIVE_RECENT : 1;
    size_t oldest = live->recent_count < kept ? 0 : live->recent_count - kept;
    e8_dur_ns window = at - live->recent[oldest % kept].at;
    uint64_t before = live->recent[oldest % kept].moved;
    live->recent[live->recent_count % kept].at = at;
    live->recent[live->recent_count % kept].moved = moved;
    live->recent_count++;
    return window > 0 && moved > before ? (double)(moved - before) / ((double)window / (double)E8_NS_S) : 0;
}

/* ---- the screen ---- */

void e8_live_resize(struct e8_live *live, int columns, int rows, e8_mono_ns at)
{
    live->options.columns = columns;
    live->options.rows = rows;
    live->drawn = live->lines > 0 ? at : 0;
}

void e8_live_stir(struct e8_live *live)
{
    live->drawn = 0;
}

/* Terminals break what has become too wide for them into several rows. */
static size_t rows_drawn(const struct e8_live *live)
{
    size_t columns = live->options.columns > 0 ? (size_t)live->options.columns : 80, rows = 0;
    for (size_t i = 0; i < live->lines; i++)
        rows += live->widths[i] ? (live->widths[i] + columns - 1) / columns : 1;
    return rows;
}

static void go_up(const struct e8_live *live, struct e8_buf *out)
{
    size_t rows = rows_drawn(live);
    if (rows > 0)
        e8_buf_printf(out, "\033[%zuA\r", rows);
}

static size_t visible_width(struct e8_str line)
{
    size_t width = 0;
    while (line.n > 0) {
        const char *escape = memchr(line.p, '\033', line.n);
        size_t n = escape ? (size_t)(escape - line.p) : line.n;
        width += e8_text_width((struct e8_str){line.p, n});
        const char *end = escape ? memchr(escape, 'm', line.n - n) : NULL;
        n = end ? (size_t)(end - line.p) + 1 : line.n;
        line = (struct e8_str){line.p + n, line.n - n};
    }
    return width;
}

/* Each line is written over the one that stands there, and what is left of that erased: nothing flickers. */
static void put_screen(struct e8_live *live, struct e8_str text, struct e8_buf *out)
{
    struct e8_str line;
    go_up(live, out);
    live->lines = 0;
    while (live->lines < LIVE_LINES && e8_str_split(&text, '\n', &line)) {
        live->widths[live->lines++] = visible_width(line);
        if (live->options.unicode)
            e8_buf_putstr(out, line);
        else
            e8_view_ascii(line, out);
        e8_buf_puts(out, "\033[K\n");
    }
    e8_buf_puts(out, "\033[J");
}

static size_t width_of(const struct e8_live *live)
{
    int columns = live->options.columns > 0 ? live->options.columns : 80;
    return (size_t)(columns > COLUMNS_MOST ? COLUMNS_MOST : columns > 1 ? columns - 1 : 1);
}

static void draw_terminal(struct e8_live *live, struct e8_view *view, struct e8_buf *out)
{
    struct e8_buf text;
    int rows = live->options.rows > 0 ? live->options.rows : 24;
    e8_buf_init(&text, LIVE_MAX);
    view->page = (struct e8_page){&text, width_of(live), live->options.style.colour};
    e8_view_lines(view, (size_t)(rows > 1 ? rows - 1 : 1));
    put_screen(live, e8_buf_str(&text), out);
    e8_buf_fini(&text);
}

static void draw_line(struct e8_view *view, struct e8_buf *out)
{
    view->page = (struct e8_page){out, SIZE_MAX / 2, view->live->options.style.colour};
    e8_view_line(view);
}

static struct e8_view look(struct e8_live *live, const struct e8_stats *stats,
                           const struct e8_live_now *state, e8_mono_ns now)
{
    struct e8_view v = {.live = live, .stats = stats, .now = state, .at = now};
    uint64_t planned = live->options.planned;
    v.totals = e8_totals_of(e8_stats_all(stats));
    v.ended = e8_totals_ended(&v.totals);
    v.moved = v.ended + e8_stats_all(stats)->n.warmup;
    v.planned = planned > v.totals.planned || planned == 0 ? planned : v.totals.planned;
    v.rate = rate_now(live, v.moved, now);
    live->busy = live->drawn ? live->busy * 0.6 + state->busy * 0.4 : state->busy;
    return v;
}

bool e8_live_due(const struct e8_live *live, e8_mono_ns now)
{
    const struct e8_live_options *o = &live->options;
    if (o->terminal)
        return live->drawn == 0 || now - live->drawn >= REDRAW_EVERY;
    return now - (live->drawn ? live->drawn : o->started) >= LINE_EVERY;
}

void e8_live_draw(struct e8_live *live, const struct e8_stats *stats, const struct e8_live_now *state,
                  e8_mono_ns now)
{
    struct e8_buf out;
    if (!e8_live_due(live, now))
        return;
    struct e8_view view = look(live, stats, state, now);
    live->drawn = now;
    e8_buf_init(&out, 2 * LIVE_MAX);
    if (live->options.terminal) {
        draw_terminal(live, &view, &out);
        take_sample(live, &view);
    } else {
        draw_line(&view, &out);
    }
    e8_buf_flush(&out, live->options.out);
    fflush(live->options.out);
    e8_buf_fini(&out);
}

void e8_live_end(struct e8_live *live)
{
    struct e8_buf out;
    if (live->lines == 0)
        return;
    e8_buf_init(&out, LIVE_MAX);
    go_up(live, &out);
    e8_buf_puts(&out, "\033[J");
    e8_buf_flush(&out, live->options.out);
    fflush(live->options.out);
    e8_buf_fini(&out);
    live->lines = 0;
}
