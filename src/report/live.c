#include <string.h>

#include "report/parts.h"

enum { BAR = 30 };
#define REDRAW_EVERY (100 * E8_NS_MS)
#define LINE_EVERY   (3 * E8_NS_S)
#define SLIDE        E8_NS_S /* the window of the rate is one to two of these */
#define LIVE_MAX     ((size_t)64 << 10)

/* Per second over the last one to two seconds on a terminal, since the last line elsewhere. */
static double rate_now(struct e8_live *live, uint64_t ended, e8_mono_ns now)
{
    e8_dur_ns window = now - live->last_at;
    if (window <= 0 || ended < live->last_ended)
        return 0;
    double rate = (double)(ended - live->last_ended) / ((double)window / (double)E8_NS_S);
    if (!live->terminal) {
        live->last_at = now;
        live->last_ended = ended;
    } else if (window >= 2 * SLIDE) {
        uint64_t kept = (uint64_t)(rate * (double)SLIDE / (double)E8_NS_S);
        live->last_at = now - SLIDE;
        live->last_ended = ended - (kept < ended ? kept : ended);
    }
    return rate;
}

/* What the view shows, as texts. */
struct view {
    struct e8_totals totals;
    uint64_t ended, planned, in_flight;
    double rate;
    char elapsed[E8_DUR_MAX], per_s[E8_NUMBER_MAX], share[E8_NUMBER_MAX];
    char quantiles[3][E8_DUR_MAX];
    char lag[E8_DUR_MAX];
};

static void quantile_text(const struct e8_hist *hist, double q, char out[E8_DUR_MAX])
{
    if (hist && e8_hist_count(hist) > 0)
        e8_dur_text(e8_hist_quantile(hist, q), out);
    else
        memcpy(out, "–", sizeof("–"));
}

static struct view look(struct e8_live *live, const struct e8_stats *stats, e8_mono_ns now)
{
    const struct e8_tally *all = e8_stats_all(stats);
    struct view v = {.totals = e8_totals_of(all)};
    v.ended = e8_totals_ended(&v.totals);
    v.in_flight = v.totals.planned - v.ended;
    v.planned = live->planned > v.totals.planned || live->planned == 0 ? live->planned : v.totals.planned;
    v.rate = rate_now(live, v.ended, now);
    /* Whole tenths: what is drawn ten times a second should not flicker. */
    e8_dur_text((now - live->started) / (100 * E8_NS_MS) * (100 * E8_NS_MS), v.elapsed);
    e8_rate_text(v.rate, v.per_s);
    e8_share_text(v.ended, v.planned, v.share);
    quantile_text(all->response, 0.5, v.quantiles[0]);
    quantile_text(all->response, 0.95, v.quantiles[1]);
    quantile_text(all->response, 0.99, v.quantiles[2]);
    quantile_text(all->lag, 0.99, v.lag);
    return v;
}

/* A word and its value, as far as the line has room. */
static void put_pair(struct e8_page *page, size_t *at, enum e8_ink ink, const char *word, const char *value)
{
    size_t gap = *at ? 2 : 1, label = word[0] ? strlen(word) + 1 : 0;
    size_t need = gap + label + e8_text_width(e8_str(value));
    if (*at + need > page->width)
        return;
    e8_page_spaces(page, gap);
    if (label)
        e8_page_put(page, E8_DIM, e8_str(word), label, 'l');
    e8_page_put(page, ink, e8_str(value), page->width, 0);
    *at += need;
}

static void put_count(struct e8_page *page, size_t *at, enum e8_ink ink, const char *word, uint64_t count)
{
    char text[E8_NUMBER_MAX];
    put_pair(page, at, count ? ink : E8_DIM, word, e8_count_text(count, text));
}

static void put_classes(struct e8_page *page, size_t *at, const struct e8_stats *stats, bool all)
{
    static const char *const words[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    static const unsigned order[] = {2, 3, 4, 5, 0};
    const uint64_t *classes = e8_stats_all(stats)->n.classes;
    for (size_t i = 0; i < E8_COUNT(order); i++)
        if (all || classes[order[i]])
            put_count(page, at, e8_status_ink((int)order[i] * 100), words[order[i]], classes[order[i]]);
}

static void end_line(struct e8_live *live, struct e8_page *page)
{
    e8_buf_puts(page->out, "\033[K\n");
    live->lines++;
}

static void put_progress(struct e8_page *page, const struct view *v)
{
    char ended[E8_NUMBER_MAX], planned[E8_NUMBER_MAX];
    size_t at = 1;
    e8_page_spaces(page, 1);
    if (v->planned > 0) {
        double share = (double)v->ended / (double)v->planned;
        size_t bar = page->width < 2 * BAR + 20 ? BAR / 2 : BAR, before = page->out->n;
        e8_page_bar(page, E8_GREEN, share, bar);
        size_t drawn = 0;
        for (size_t i = before; i < page->out->n; i++)
            drawn += (unsigned char)page->out->p[i] == 0xE2; /* each block begins so */
        for (; drawn < bar; drawn++)
            e8_page_put(page, E8_DIM, E8_LIT("░"), 1, 0);
        at += bar;
        put_pair(page, &at, E8_BOLD, "", v->share);
    }
    char of[2 * E8_NUMBER_MAX + 8];
    e8_count_text(v->ended, ended);
    snprintf(of, sizeof(of), "%s%s%s", ended, v->planned ? "/" : "",
             v->planned ? e8_count_text(v->planned, planned) : "");
    put_pair(page, &at, E8_PLAIN, "ended", of);
    put_pair(page, &at, E8_PLAIN, "", v->per_s);
    put_pair(page, &at, E8_PLAIN, "", v->elapsed);
}

static void draw_terminal(struct e8_live *live, const struct e8_stats *stats, const struct view *v,
                          struct e8_page *page)
{
    static const char *const names[] = {"p50", "p95", "p99"};
    size_t at = 0;
    if (live->lines > 0)
        e8_buf_printf(page->out, "\033[%dA\r", live->lines);
    live->lines = 0;
    put_progress(page, v);
    end_line(live, page);
    put_count(page, &at, E8_GREEN, "delivered", v->totals.delivered);
    put_count(page, &at, E8_RED, "failed", v->totals.failed);
    put_count(page, &at, E8_PLAIN, "in flight", v->in_flight);
    put_count(page, &at, E8_YELLOW, "retries", v->totals.retries);
    if (v->totals.dropped)
        put_count(page, &at, E8_YELLOW, "dropped", v->totals.dropped);
    end_line(live, page);
    at = 0;
    put_classes(page, &at, stats, true);
    end_line(live, page);
    at = 0;
    for (size_t i = 0; i < E8_COUNT(names); i++)
        put_pair(page, &at, E8_PLAIN, names[i], v->quantiles[i]);
    put_pair(page, &at, E8_PLAIN, "send lag p99", v->lag);
    end_line(live, page);
}

static void draw_line(const struct e8_stats *stats, const struct view *v, struct e8_page *page)
{
    static const char *const names[] = {"p50", "p95", "p99"};
    char ended[E8_NUMBER_MAX], planned[E8_NUMBER_MAX];
    size_t at = 1;
    page->width = SIZE_MAX / 2; /* a log file has no width */
    e8_buf_printf(page->out, "%s  %s", v->elapsed, e8_count_text(v->ended, ended));
    if (v->planned)
        e8_buf_printf(page->out, "/%s (%s)", e8_count_text(v->planned, planned), v->share);
    e8_buf_printf(page->out, "  %s", v->per_s);
    put_classes(page, &at, stats, false);
    put_count(page, &at, E8_RED, "failed", v->totals.failed);
    put_count(page, &at, E8_PLAIN, "in flight", v->in_flight);
    for (size_t i = 0; i < E8_COUNT(names); i++)
        put_pair(page, &at, E8_PLAIN, names[i], v->quantiles[i]);
    e8_page_line(page);
}

void e8_live_draw(struct e8_live *live, const struct e8_stats *stats, e8_mono_ns now)
{
    if (live->started == 0)
        live->started = now;
    if (live->last_at == 0)
        live->last_at = live->started;
    e8_mono_ns last = live->drawn ? live->drawn : live->terminal ? INT64_MIN / 2 : live->started;
    if (now - last < (live->terminal ? REDRAW_EVERY : LINE_EVERY))
        return;
    live->drawn = now;

    struct e8_buf buf;
    e8_buf_init(&buf, LIVE_MAX);
    struct e8_page page = e8_page_new(&buf, live->style);
    struct view v = look(live, stats, now);
    if (live->terminal)
        draw_terminal(live, stats, &v, &page);
    else
        draw_line(stats, &v, &page);
    e8_buf_flush(&buf, live->out);
    fflush(live->out);
    e8_buf_fini(&buf);
}

void e8_live_end(struct e8_live *live)
{
    if (live->lines > 0) {
        fprintf(live->out, "\033[%dA\r\033[J", live->lines);
        fflush(live->out);
    }
    live->lines = 0;
}
