#include <string.h>

#include "report/live.h"

enum { LABEL = 12, PERCENTILE_PAD = 8, ENDPOINTS_FROM = 120, ENDPOINTS_MOST = 8, BAR_MOST = 60, SHORT = 32 };

/* ---- words and values, as far as the line has room ---- */

static void put_pair(struct e8_view *v, enum e8_ink ink, const char *word, const char *value, size_t pad)
{
    size_t gap = v->labelled ? 0 : v->column == 0 ? 1 : 2;
    size_t label = word[0] ? e8_text_width(e8_str(word)) + 1 : 0, width = e8_text_width(e8_str(value));
    width = width < pad ? pad : width;
    if (v->column + gap + label + width > v->page.width)
        return;
    e8_page_spaces(&v->page, gap);
    if (label)
        e8_page_put(&v->page, E8_DIM, e8_str(word), label, 'l');
    e8_page_put(&v->page, ink, e8_str(value), width, 'l');
    v->column += gap + label + width;
    v->labelled = false;
}

static void put_count(struct e8_view *v, enum e8_ink ink, const char *word, uint64_t count)
{
    char text[E8_NUMBER_MAX];
    put_pair(v, count ? ink : E8_DIM, word, e8_count_text(count, text), 0);
}

static void put_label(struct e8_view *v, const char *label)
{
    if (v->page.width < SHORT)
        return;
    e8_page_spaces(&v->page, 1);
    e8_page_put(&v->page, E8_DIM, e8_str(label), LABEL, 'l');
    v->column = LABEL + 1;
    v->labelled = true;
}

static void put_on_wire(struct e8_view *v)
{
    put_count(v, E8_PLAIN, "in flight", v->now->on_wire);
    if (v->now->waiting)
        put_count(v, E8_PLAIN, "waiting", v->now->waiting);
}

/* In whole tenths: what is drawn anew should not flicker. */
static const char *since_start(const struct e8_view *v, e8_mono_ns at, char out[E8_DUR_MAX])
{
    e8_dur_ns since = at - v->live->options.started;
    return e8_dur_text(since > 0 ? since / (100 * E8_NS_MS) * (100 * E8_NS_MS) : 0, out);
}

static void put_classes(struct e8_view *v, bool all)
{
    static const char *const words[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    static const unsigned order[] = {2, 3, 4, 5, 0};
    const uint64_t *classes = e8_stats_all(v->stats)->n.classes;
    for (size_t i = 0; i < E8_COUNT(order); i++)
        if (all || classes[order[i]])
            put_count(v, e8_status_ink((int)order[i] * 100), words[order[i]], classes[order[i]]);
}

static const char *quantile_text(const struct e8_hist *hist, const struct e8_hist *before, double q,
                                 char out[E8_DUR_MAX])
{
    bool any = hist && e8_hist_count(hist) > (before ? e8_hist_count(before) : 0);
    if (any)
        e8_dur_text(e8_hist_quantile_since(hist, before, q), out);
    else
        memcpy(out, "–", sizeof("–"));
    return out;
}

/* ---- the lines ---- */

static const char *state_of(const struct e8_view *v, enum e8_ink *ink)
{
    const struct e8_live_now *now = v->now;
    *ink = now->stopping || now->paused || now->warming ? E8_YELLOW : E8_GREEN;
    return now->stopping ? "stopping" : now->paused ? "paused" : now->warming ? "warming up" : "running";
}

/* "3.2 s of 11 s" */
static const char *elapsed_text(const struct e8_view *v, char out[2 * E8_DUR_MAX + 8])
{
    char elapsed[E8_DUR_MAX], of[E8_DUR_MAX];
    bool known = v->now->ends != E8_NEVER;
    snprintf(out, 2 * E8_DUR_MAX + 8, "%s%s%s", since_start(v, v->at, elapsed), known ? " of " : "",
             known ? since_start(v, v->now->ends, of) : "");
    return out;
}

static void put_title(struct e8_view *v)
{
    char text[2 * E8_DUR_MAX + 8];
    enum e8_ink ink;
    const char *state = state_of(v, &ink);
    elapsed_text(v, text);
    size_t tail = strlen(state) + 2 + e8_text_width(e8_str(text)), room = v->page.width;
    size_t name = room > tail + 4 ? room - tail - 3 : 0;
    if (name > 0) {
        struct e8_str title = e8_str(v->live->options.run->name ? v->live->options.run->name : "");
        size_t width = e8_text_width(title) < name ? e8_text_width(title) : name;
        e8_page_spaces(&v->page, 1);
        e8_page_put(&v->page, E8_BOLD, title, width, 0);
        v->column = 1 + width;
    }
    put_pair(v, ink, "", state, 0);
    put_pair(v, E8_PLAIN, "", text, 0);
}

/* By deliveries; where it is not known how many there will be, by the time. */
static double share_done(const struct e8_view *v)
{
    e8_dur_ns length = v->now->ends == E8_NEVER ? 0 : v->now->ends - v->live->options.started;
    double share = -1;
    if (v->planned > 0)
        share = (double)v->ended / (double)v->planned;
    else if (length > 0)
        share = (double)(v->at - v->live->options.started) / (double)length;
    return share > 1 ? 1 : share;
}

static void put_bar(struct e8_view *v, double share)
{
    size_t room = v->page.width / 2, columns = room > BAR_MOST ? BAR_MOST : room;
    size_t before = v->page.out->n, drawn = 0;
    e8_page_spaces(&v->page, 1);
    e8_page_bar(&v->page, E8_GREEN, share, columns);
    for (size_t i = before; i < v->page.out->n; i++)
        drawn += (unsigned char)v->page.out->p[i] == 0xE2; /* each block begins so */
    for (; drawn < columns; drawn++)
        e8_page_put(&v->page, E8_DIM, E8_LIT("░"), 1, 0);
    v->column = 1 + columns;
}

static void put_progress(struct e8_view *v)
{
    char ended[E8_NUMBER_MAX], planned[E8_NUMBER_MAX], text[2 * E8_NUMBER_MAX + 8];
    double share = share_done(v);
    if (share >= 0)
        put_bar(v, share);
    if (v->planned > 0)
        put_pair(v, E8_BOLD, "", e8_share_text(v->ended, v->planned, text), 0);
    e8_count_text(v->ended, ended);
    snprintf(text, sizeof(text), "%s%s%s", ended, v->planned ? " of " : "",
             v->planned ? e8_count_text(v->planned, planned) : "");
    put_pair(v, E8_PLAIN, "ended", text, 0);
}

static void put_rate(struct e8_view *v)
{
    const struct e8_live_now *now = v->now;
    char text[2 * E8_NUMBER_MAX + 16], rate[E8_NUMBER_MAX], number[E8_NUMBER_MAX];
    put_label(v, "now");
    e8_rate_text(v->rate, rate);
    snprintf(text, sizeof(text), "%s%s%s", rate, now->intended >= 0 ? " of " : "",
             now->intended >= 0 ? e8_rate_text(now->intended, number) : "");
    put_pair(v, E8_BOLD, "", text, 0);
    if (now->closed > 0) {
        snprintf(text, sizeof(text), "%s at a time", e8_count_text(now->closed, number));
        put_pair(v, E8_PLAIN, "", text, 0);
    }
    if (now->rated && (now->factor > 1.0005 || now->factor < 0.9995)) {
        snprintf(text, sizeof(text), "×%.2f", now->factor);
        put_pair(v, E8_YELLOW, "", text, 0);
    }
    put_on_wire(v);
    snprintf(text, sizeof(text), "%.0f %%", v->live->busy * 100);
    put_pair(v, v->live->busy > 0.8 ? E8_YELLOW : E8_PLAIN, "busiest worker", text, 0);
}

static void put_ended(struct e8_view *v)
{
    put_label(v, "deliveries");
    put_count(v, E8_GREEN, "delivered", v->totals.delivered);
    put_count(v, E8_RED, "failed", v->totals.failed);
    put_count(v, E8_YELLOW, "retries", v->totals.retries);
    if (v->now->warming)
        put_count(v, E8_YELLOW, "to warm up", e8_stats_all(v->stats)->n.warmup);
    if (v->totals.dropped)
        put_count(v, E8_YELLOW, "dropped", v->totals.dropped);
}

static void put_status(struct e8_view *v)
{
    put_label(v, "status");
    put_classes(v, true);
}

static void put_percentiles(struct e8_view *v, const char *label, const struct e8_hist *response,
                            const struct e8_hist *lag)
{
    static const char *const names[] = {"p50", "p95", "p99"};
    static const double qs[] = {0.5, 0.95, 0.99};
    const struct e8_tally *all = e8_stats_all(v->stats);
    char text[E8_DUR_MAX];
    put_label(v, label);
    for (size_t i = 0; i < E8_COUNT(names); i++)
        put_pair(v, E8_PLAIN, names[i], quantile_text(all->response, response, qs[i], text), PERCENTILE_PAD);
    put_pair(v, E8_PLAIN, "send lag p99", quantile_text(all->lag, lag, 0.99, text), 0);
}

static void put_recent(struct e8_view *v)
{
    const struct e8_live *live = v->live;
    put_percentiles(v, "last 5 s", e8_live_before(live, live->response, LIVE_COPIES - 1),
                    e8_live_before(live, live->lag, LIVE_COPIES - 1));
}

static void put_overall(struct e8_view *v)
{
    put_percentiles(v, "overall", NULL, NULL);
}

/* The highest of what is shown fills its row; nothing is a gap. */
static void put_spark(struct e8_view *v, const char *label, bool p99)
{
    static const char *const levels[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const struct e8_live *live = v->live;
    char memory[3 * LIVE_SAMPLES], most_text[E8_DUR_MAX + E8_NUMBER_MAX];
    size_t room = v->page.width > LABEL + 12 ? v->page.width - LABEL - 11 : 0, kept = live->sample_count;
    struct e8_buf line;
    double most = 0;
    kept = kept > LIVE_SAMPLES ? LIVE_SAMPLES : kept;
    kept = kept > room ? room : kept;
    e8_buf_fixed(&line, memory, sizeof(memory));
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = live->sample_count - kept; i < live->sample_count; i++) {
            const struct e8_live_sample *sample = &live->samples[i % LIVE_SAMPLES];
            double value = p99 ? (double)sample->p99 : sample->rate;
            if (pass == 0)
                most = value > most ? value : most;
            else
                e8_buf_puts(&line, levels[value > 0 ? 1 + (size_t)(value / most * 7) : 0]);
        }
    put_label(v, label);
    if (v->column == 0)
        e8_page_spaces(&v->page, v->column = 1);
    e8_page_put(&v->page, E8_CYAN, e8_buf_str(&line), kept, 0);
    v->column += kept;
    v->labelled = kept == 0;
    if (most > 0)
        put_pair(v, E8_DIM, "", p99 ? e8_dur_text((e8_dur_ns)most, most_text) : e8_rate_text(most, most_text),
                 0);
}

static void put_rates(struct e8_view *v)
{
    put_spark(v, "rate", false);
}

static void put_p99s(struct e8_view *v)
{
    put_spark(v, "p99", true);
}

static void put_keys(struct e8_view *v)
{
    bool rated = v->now->rated && !v->now->stopping;
    if (!v->live->options.keys)
        return;
    put_label(v, "keys");
    if (!v->now->stopping)
        put_pair(v, E8_BOLD, "space", v->now->paused ? "go on" : "pause", 0);
    put_pair(v, E8_BOLD, "q", v->now->stopping ? "stop at once" : "stop", 0);
    if (rated) {
        put_pair(v, E8_BOLD, "+", "faster", 0);
        put_pair(v, E8_BOLD, "-", "slower", 0);
    }
}

/* In the order of the screen. A terminal with few rows shows those of the lowest rank. */
static const struct {
    void (*put)(struct e8_view *v);
    size_t rank;
} lines[] = {
    {put_title, 2},  {put_progress, 1}, {put_rate, 3},  {put_ended, 5}, {put_status, 6},
    {put_recent, 4}, {put_overall, 7},  {put_rates, 8}, {put_p99s, 10}, {put_keys, 9},
};

static void put_endpoint(struct e8_view *v, size_t index)
{
    static const char *const names[] = {"p50", "p95", "p99"};
    static const double qs[] = {0.5, 0.95, 0.99};
    const struct e8_tally *tally = e8_stats_endpoint(v->stats, (unsigned)index);
    char text[E8_DUR_MAX], number[E8_NUMBER_MAX];
    e8_page_spaces(&v->page, LABEL + 1);
    e8_page_put(&v->page, E8_PLAIN, e8_str(v->live->options.run->endpoints[index].name), 20, 'l');
    v->column = LABEL + 21;
    put_pair(v, E8_GREEN, "delivered", e8_count_text(tally->n.delivered, number), 10);
    put_pair(v, tally->n.failed ? E8_RED : E8_DIM, "failed", e8_count_text(tally->n.failed, number), 6);
    for (size_t i = 0; i < E8_COUNT(names); i++)
        put_pair(v, E8_PLAIN, names[i], quantile_text(tally->response, NULL, qs[i], text), PERCENTILE_PAD);
}

static void end_line(struct e8_view *v)
{
    e8_page_line(&v->page);
    v->column = 0;
    v->labelled = false;
}

/* "200/s  3.2 s of 11 s  now 199/s  p99 4.1 ms  failed 3  in flight 2" */
static void put_brief(struct e8_view *v)
{
    const struct e8_tally *all = e8_stats_all(v->stats);
    char text[E8_DUR_MAX + E8_NUMBER_MAX], span[2 * E8_DUR_MAX + 8];
    enum e8_ink ink;
    const char *state = state_of(v, &ink);
    put_pair(v, E8_BOLD, "", v->live->options.brief, 0);
    if (ink != E8_GREEN)
        put_pair(v, ink, "", state, 0);
    put_pair(v, E8_PLAIN, "", elapsed_text(v, span), 0);
    put_pair(v, E8_PLAIN, "now", e8_rate_text(v->rate, text), 0);
    put_pair(v, E8_PLAIN, "p99", quantile_text(all->response, NULL, 0.99, text), 0);
    if (v->totals.failed)
        put_count(v, E8_RED, "failed", v->totals.failed);
    put_on_wire(v);
    end_line(v);
}

void e8_view_lines(struct e8_view *v, size_t rows)
{
    size_t endpoints = v->live->options.run->endpoint_count;
    if (v->live->options.brief) {
        put_brief(v);
        return;
    }
    for (size_t i = 0; i < E8_COUNT(lines); i++)
        if (lines[i].rank <= rows && (lines[i].put != put_keys || v->live->options.keys)) {
            lines[i].put(v);
            end_line(v);
        }
    if (v->page.width < ENDPOINTS_FROM || endpoints < 2)
        return;
    for (size_t i = 0; i < endpoints && i < ENDPOINTS_MOST && i + E8_COUNT(lines) < rows; i++) {
        put_endpoint(v, i);
        end_line(v);
    }
}

void e8_view_line(struct e8_view *v)
{
    static const char *const names[] = {"p50", "p95", "p99"};
    static const double qs[] = {0.5, 0.95, 0.99};
    const struct e8_hist *response = e8_stats_all(v->stats)->response;
    char ended[E8_NUMBER_MAX], planned[E8_NUMBER_MAX], elapsed[E8_DUR_MAX], text[E8_DUR_MAX + E8_NUMBER_MAX];
    struct e8_buf *out = v->page.out;
    e8_buf_printf(out, "%s  %s", since_start(v, v->at, elapsed), e8_count_text(v->ended, ended));
    if (v->planned)
        e8_buf_printf(out, "/%s (%s)", e8_count_text(v->planned, planned),
                      e8_share_text(v->ended, v->planned, text));
    e8_buf_printf(out, "  %s", e8_rate_text(v->rate, text));
    v->column = 1;
    if (v->now->warming)
        put_pair(v, E8_YELLOW, "", "warming up", 0);
    put_classes(v, false);
    put_count(v, E8_RED, "failed", v->totals.failed);
    put_on_wire(v);
    for (size_t i = 0; i < E8_COUNT(names); i++)
        put_pair(v, E8_PLAIN, names[i], quantile_text(response, NULL, qs[i], text), 0);
    e8_page_line(&v->page);
}

/* ---- for terminals without UTF-8 ---- */

static const struct {
    const char *text, *ascii;
} plain[] = {{"█", "#"}, {"▉", "#"}, {"▊", "#"}, {"▋", "#"}, {"▌", "#"}, {"▍", "."}, {"▎", "."},
             {"▏", "."}, {"░", "."}, {"▁", "_"}, {"▂", "."}, {"▃", "-"}, {"▄", "="}, {"▅", "+"},
             {"▆", "*"}, {"▇", "%"}, {"µ", "u"}, {"–", "-"}, {"×", "x"}, {"…", "~"}};

static const char *plain_of(struct e8_str text)
{
    for (size_t i = 0; i < E8_COUNT(plain); i++)
        if (e8_str_starts(text, plain[i].text))
            return plain[i].ascii;
    return NULL;
}

void e8_view_ascii(struct e8_str text, struct e8_buf *out)
{
    while (text.n > 0) {
        size_t n = 1;
        if ((unsigned char)text.p[0] < 0x80) {
            e8_buf_putc(out, text.p[0]);
        } else {
            const char *ascii = plain_of(text);
            while (n < text.n && ((unsigned char)text.p[n] & 0xC0) == 0x80)
                n++;
            size_t width = e8_text_width((struct e8_str){text.p, n});
            e8_buf_puts(out, ascii ? ascii : width == 2 ? "??" : width == 1 ? "?" : "");
        }
        text = (struct e8_str){text.p + n, text.n - n};
    }
}
