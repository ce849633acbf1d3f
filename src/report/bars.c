/* The status distribution, the histogram of response times, and the percentiles. */
#include <string.h>

#include "report/parts.h"

enum { STATUS_ROWS = 16, BINS_MOST = 16, BINS_LINEAR = 10 };

static const struct {
    int status;
    const char *phrase;
} phrases[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

const char *e8_status_phrase(int status)
{
    for (size_t i = 0; i < E8_COUNT(phrases); i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "";
}

enum e8_ink e8_status_ink(int status)
{
    static const enum e8_ink inks[] = {E8_RED, E8_YELLOW, E8_GREEN, E8_CYAN, E8_YELLOW, E8_RED};
    return status >= 0 && status < E8_STATUSES ? inks[status / 100] : E8_PLAIN;
}

static void status_row(struct e8_table *table, const char *status, const char *phrase, uint64_t part,
                       uint64_t whole, enum e8_ink ink)
{
    char text[E8_NUMBER_MAX];
    e8_table_cell(table, ink, status);
    e8_table_cell(table, E8_PLAIN, phrase);
    e8_table_count(table, E8_PLAIN, part);
    e8_table_cell(table, E8_DIM, e8_share_text(part, whole, text));
    e8_table_bar(table, ink, (double)part / (double)whole);
}

void e8_text_status(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {
        {.title = NULL}, {.least = 8, .drop = 1}, {.right = true}, {.right = true}, {.bar = true}};
    const uint64_t *statuses = e8_stats_statuses(report->stats);
    uint64_t attempts = e8_stats_all(report->stats)->n.attempts, others = 0;
    char note[E8_NUMBER_MAX + 16], count[E8_NUMBER_MAX];
    struct e8_table table;
    if (attempts == 0)
        return;
    snprintf(note, sizeof(note), "%s attempt%s", e8_count_text(attempts, count), e8_plural(attempts));
    e8_page_section(page, "Status", note);
    e8_table_init(&table, columns, E8_COUNT(columns));
    size_t rows = 0;
    for (int status = 100; status < E8_STATUSES; status++) {
        char text[16];
        if (statuses[status] == 0)
            continue;
        if (++rows > STATUS_ROWS) {
            others += statuses[status];
            continue;
        }
        snprintf(text, sizeof(text), "%d", status);
        status_row(&table, text, e8_status_phrase(status), statuses[status], attempts, e8_status_ink(status));
    }
    if (others)
        status_row(&table, "…", "others", others, attempts, E8_PLAIN);
    if (statuses[0])
        status_row(&table, "–", "no answer", statuses[0], attempts, E8_RED);
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

/* ---- the histogram ---- */

/* Upper bounds of the bins; the last holds the maximum. */
struct bins {
    int64_t bounds[BINS_MOST];
    size_t count;
};

/* 1, 2, 5, 10, 20, … nanoseconds: the first that is not below `least`. */
static int64_t nice(int64_t least)
{
    static const int64_t steps[] = {1, 2, 5};
    for (int64_t decade = 1;; decade *= 10)
        for (size_t i = 0; i < E8_COUNT(steps); i++)
            if (steps[i] * decade >= least || decade > E8_HIST_MAX)
                return steps[i] * decade;
}

static int64_t next_nice(int64_t bound)
{
    return nice(bound + 1);
}

static struct bins bins_of_decades(int64_t min, int64_t max)
{
    struct bins bins = {0};
    int64_t bound = nice(min);
    size_t needed = 1;
    for (int64_t b = bound; b < max; b = next_nice(b))
        needed++;
    for (; needed > BINS_MOST; needed--) /* the lowest become one */
        bound = next_nice(bound);
    bins.bounds[bins.count++] = bound;
    while (bins.bounds[bins.count - 1] < max && bins.count < BINS_MOST) {
        bins.bounds[bins.count] = next_nice(bins.bounds[bins.count - 1]);
        bins.count++;
    }
    return bins;
}

/* Steps narrower than a thousandth would be narrower than the histogram resolves, and their labels would be the same. */
static struct bins bins_of_steps(int64_t min, int64_t high, int64_t max)
{
    struct bins bins = {0};
    int64_t decade = 1;
    while (decade * 10 <= high)
        decade *= 10;
    int64_t least = (high - min) / BINS_LINEAR + 1;
    int64_t step = nice(least > decade / 100 ? least : decade / 100);
    for (int64_t bound = (min / step + 1) * step; bins.count + 1 < BINS_MOST; bound += step) {
        bins.bounds[bins.count++] = bound;
        if (bound >= high)
            break;
    }
    if (bins.bounds[bins.count - 1] < max)
        bins.bounds[bins.count++] = max;
    return bins;
}

/* Narrow distributions need even steps, wide ones decades. The tail beyond p99 does not decide. */
static struct bins choose_bins(const struct e8_hist *hist)
{
    int64_t min = e8_hist_min(hist), max = e8_hist_max(hist), high = e8_hist_quantile(hist, 0.99);
    if (min > 0 && high / min < 8)
        return bins_of_steps(min, high, max);
    return bins_of_decades(e8_hist_quantile(hist, 0.001), max);
}

static void bin_label(struct e8_table *table, int64_t from, int64_t to)
{
    char a[E8_DUR_MAX], b[E8_DUR_MAX], label[2 * E8_DUR_MAX + 8];
    e8_dur_text(from, a);
    e8_dur_text(to, b);
    snprintf(label, sizeof(label), "%s%s%s", a, strcmp(a, b) == 0 ? "" : " – ", strcmp(a, b) == 0 ? "" : b);
    e8_table_cell(table, E8_PLAIN, label);
}

static void put_bins(const struct e8_hist *hist, const struct bins *bins, struct e8_table *table)
{
    uint64_t counts[BINS_MOST], below = 0, most = 1, all = e8_hist_count(hist);
    char text[E8_NUMBER_MAX];
    for (size_t i = 0; i < bins->count; i++) {
        uint64_t upto = i + 1 == bins->count ? all : e8_hist_count_upto(hist, bins->bounds[i]);
        counts[i] = upto - below;
        below = upto;
        most = counts[i] > most ? counts[i] : most;
    }
    for (size_t i = 0; i < bins->count; i++) {
        bool last = i + 1 == bins->count;
        bin_label(table, i ? bins->bounds[i - 1] : e8_hist_min(hist),
                  last ? e8_hist_max(hist) : bins->bounds[i]);
        e8_table_count(table, counts[i] ? E8_PLAIN : E8_DIM, counts[i]);
        e8_table_cell(table, E8_DIM, e8_share_text(counts[i], all, text));
        e8_table_bar(table, E8_CYAN, (double)counts[i] / (double)most);
    }
}

void e8_text_histogram(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {
        {.right = true}, {.right = true}, {.right = true}, {.bar = true}};
    const struct e8_hist *hist = e8_stats_all(report->stats)->response;
    char note[E8_NUMBER_MAX + 16], count[E8_NUMBER_MAX];
    struct e8_table table;
    if (!hist || e8_hist_count(hist) == 0)
        return;
    snprintf(note, sizeof(note), "%s sample%s", e8_count_text(e8_hist_count(hist), count),
             e8_plural(e8_hist_count(hist)));
    e8_page_section(page, "Response time", note);
    struct bins bins = choose_bins(hist);
    e8_table_init(&table, columns, E8_COUNT(columns));
    put_bins(hist, &bins, &table);
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

/* ---- percentiles ---- */

static void time_cell(struct e8_table *table, const struct e8_hist *hist, int64_t value, bool shaky)
{
    char text[E8_DUR_MAX], cell[E8_DUR_MAX + 4];
    if (!hist || e8_hist_count(hist) == 0) {
        e8_table_cell(table, E8_DIM, "–");
        return;
    }
    snprintf(cell, sizeof(cell), "%s%s", shaky ? "~" : "", e8_dur_text(value, text));
    e8_table_cell(table, shaky ? E8_DIM : E8_PLAIN, cell);
}

enum edge { MIN, MEAN, MAX };

static void edge_row(struct e8_table *table, const char *name, enum edge edge,
                     const struct e8_hist *const hists[3])
{
    e8_table_cell(table, E8_PLAIN, name);
    for (size_t i = 0; i < 3; i++) {
        const struct e8_hist *hist = hists[i];
        int64_t value = 0;
        if (hist)
            value = edge == MIN   ? e8_hist_min(hist)
                    : edge == MAX ? e8_hist_max(hist)
                                  : (int64_t)e8_hist_mean(hist);
        time_cell(table, hist, value, false);
    }
}

static void fill_percentiles(struct e8_table *table, const struct e8_hist *const hists[3])
{
    edge_row(table, "min", MIN, hists);
    edge_row(table, "mean", MEAN, hists);
    for (size_t p = 0; p < E8_PERCENTILES; p++) {
        double q = e8_percentiles[p].q;
        e8_table_cell(table, E8_PLAIN, e8_percentiles[p].name);
        for (size_t i = 0; i < 3; i++)
            time_cell(table, hists[i], hists[i] ? e8_hist_quantile(hists[i], q) : 0,
                      e8_report_shaky(hists[i], q));
    }
    edge_row(table, "max", MAX, hists);
}

void e8_text_percentiles(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column airy[] = {{.title = NULL},
                                            {.title = "    response", .right = true},
                                            {.title = "     service", .right = true},
                                            {.title = "    send lag", .right = true}};
    static const struct e8_column narrow[] = {{.title = NULL},
                                              {.title = "response", .right = true},
                                              {.title = "service", .right = true},
                                              {.title = "send lag", .right = true}};
    const struct e8_tally *all = e8_stats_all(report->stats);
    const struct e8_hist *const hists[] = {all->response, all->service, all->lag};
    struct e8_table table;
    if (!all->response && !all->lag)
        return;
    bool shaky = e8_report_shaky(all->response, 0.999);
    e8_page_section(page, "Percentiles", shaky ? "~ too few samples" : NULL);
    e8_table_init(&table, page->width < 60 ? narrow : airy, E8_COUNT(airy));
    fill_percentiles(&table, hists);
    e8_table_write(&table, page);
    e8_table_fini(&table);
}
