/* Outages, and what retries did to the run: how much they added, how deliveries piled up, and whether the receiver came out of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

#define WINDOW_ATTEMPTS 10 /* on average, so that one failure is not a majority by chance */
#define OUTAGE_FAILED   10 /* attempts at least */
#define PEAK_PART       20 /* a backlog below one part in so many of its peak counts as gone */
#define CHANCE          4 /* standard deviations that failures of a window lie above what fails all the time */
#define DOWN            0.95 /* of the attempts of a window: it says nothing of what fails all the time */
#define MOSTLY          4    /* where all windows but one in so many are down, nothing else is usual */
#define OFTEN           0.4  /* of the attempts: where so many fail all the time, a majority says nothing */

/* A silence: for so long, and so many times as long as what takes long here, nothing succeeded while so many attempts were under way all
 * the time, or so many failed. A single one may be slow, or wrong, by itself. */
#define SILENCE_LEAST  E8_NS_S
#define SILENCE_TIMES  2
#define SILENCE_SLOW   0.01 /* of the attempts may take longer without being the worse for it */
#define SILENCE_OPEN   2
#define SILENCE_FAILED 3
#define SILENCE_CHANCE 0.01 /* as often, by chance alone, so many would fail in a row */

enum { SHOWN_OUTAGES = 3, SPARKS = 60, POINTS = 64, INDENT = 11 };

static void add_slice(struct e8_slice *into, const struct e8_slice *from)
{
    into->begun += from->begun;
    into->ended += from->ended;
    into->attempts += from->attempts;
    into->failed += from->failed;
    into->tried += from->tried;
}

/* `by` slices as one, the last perhaps fewer. Returns how many there are. */
static size_t gather(const struct e8_series *series, size_t by, struct e8_slice out[E8_SLICES])
{
    size_t count = (series->count + by - 1) / by;
    memset(out, 0, count * sizeof(*out));
    for (size_t i = 0; i < series->count; i++)
        add_slice(&out[i / by], &series->slices[i]);
    return count;
}

static size_t window_of(const struct e8_series *series)
{
    uint64_t attempts = 0;
    size_t by = 1;
    for (size_t i = 0; i < series->count; i++)
        attempts += series->slices[i].attempts;
    while (by < series->count && attempts * by < WINDOW_ATTEMPTS * (uint64_t)series->count)
        by *= 2;
    return by;
}

static double failed_of(const struct e8_slice *slice)
{
    return (double)slice->failed / (double)slice->attempts;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The part of the attempts that fails all the time: the median of the windows in which not nearly all do. */
static double usual_of(const struct e8_slice *windows, size_t count)
{
    double shares[E8_SLICES];
    size_t n = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        all += windows[i].attempts > 0;
        if (windows[i].attempts > 0 && failed_of(&windows[i]) < DOWN)
            shares[n++] = failed_of(&windows[i]);
    }
    if (n * MOSTLY <= all)
        return 0;
    qsort(shares, n, sizeof(*shares), compare);
    return shares[n / 2];
}

/* Most of its attempts failed, and more than by chance. */
static bool is_bad(const struct e8_slice *window, double usual)
{
    double n = (double)window->attempts, over = (double)window->failed - usual * n;
    return window->failed * 2 > window->attempts && usual < OFTEN &&
           over * over > CHANCE * CHANCE * usual * (1 - usual) * n;
}

/* Between two slices in which something succeeded: those with deliveries that had begun and not ended. */
struct silence {
    size_t from, count;
    uint64_t failed, open; /* attempts: those that failed; those that were under way, at least */
    uint64_t last;         /* those that were under way at its end */
};

/* What takes long where nothing is wrong: attempts of the silence itself apart. */
static e8_dur_ns usual_most(const struct e8_hist *response, const struct silence *silence)
{
    uint64_t n = response ? e8_hist_count(response) : 0;
    if (n == 0)
        return 0;
    double q = 1 - SILENCE_SLOW - (double)(silence->failed + silence->last) / (double)n;
    return e8_hist_quantile(response, q < 0.25 ? 0.25 : q);
}

/* How often so many fail one after another where they fail as the others did. */
static double by_chance(const struct silence *silence, const struct e8_slice *whole)
{
    double n = (double)(whole->attempts - silence->failed);
    double share = n > 0 ? (double)(whole->failed - silence->failed) / n : 0;
    return n * (1 - share) * pow(share, (double)silence->failed);
}

static bool is_outage(const struct silence *silence, e8_dur_ns width, const struct e8_slice *whole,
                      const struct e8_hist *response)
{
    e8_dur_ns length = (e8_dur_ns)silence->count * width;
    bool enough = silence->failed >= SILENCE_FAILED ? by_chance(silence, whole) < SILENCE_CHANCE
                                                    : silence->open >= SILENCE_OPEN;
    return enough && length >= SILENCE_LEAST && length >= SILENCE_TIMES * usual_most(response, silence);
}

static void lengthen(struct silence *silence, size_t at, uint64_t failed, uint64_t open)
{
    silence->from = silence->count ? silence->from : at;
    silence->open = silence->count && silence->open < open ? silence->open : open;
    silence->count = at + 1 - silence->from;
    silence->failed += failed;
    silence->last = open;
}

static size_t last_begun(const struct e8_slice *slices, size_t count)
{
    size_t last = 0;
    for (size_t i = 0; i < count; i++)
        last = slices[i].begun ? i : last;
    return last;
}

/* Marks the slices of the silences behind the first success that are outages; returns whether there are any. When no more begins, the slow
 * ones are left, and are answered one by one: that is no outage. */
static bool find_silences(const struct e8_series *series, const struct e8_slice *whole,
                          const struct e8_hist *response, bool silent[E8_SLICES])
{
    struct silence now = {0};
    uint64_t backlog = 0, open = 0;
    size_t last = last_begun(series->slices, series->count);
    bool after = false, any = false;
    memset(silent, 0, E8_SLICES * sizeof(*silent));
    for (size_t i = 0; i < series->count; i++) {
        const struct e8_slice *slice = &series->slices[i];
        bool well = slice->attempts > slice->failed;
        backlog += slice->begun;
        backlog -= slice->ended < backlog ? slice->ended : backlog;
        open += slice->tried;
        open -= slice->attempts < open ? slice->attempts : open;
        if (after && !well && backlog + open + slice->failed > 0)
            lengthen(&now, i, slice->failed, open);
        bool ends = well ? last >= now.from : i + 1 == series->count;
        if (ends && is_outage(&now, series->width, whole, response)) {
            any = true;
            memset(silent + now.from, true, now.count * sizeof(*silent));
        }
        if (well)
            now = (struct silence){0};
        after = after || well;
    }
    return any;
}

struct walk {
    const struct e8_series *series;
    size_t by;              /* slices in a window */
    double usual;           /* of the attempts fails all the time */
    const bool *silent;     /* slices; NULL: there is no silence */
    uint64_t backlog, calm; /* now; the most so far while nothing was wrong */
    size_t last_begun;      /* the last window in which deliveries began */
    bool wrong;
    size_t from, to; /* windows of the outage: the first and the last that were bad */
    uint64_t peak;
    uint64_t in_bad; /* attempts in windows that were bad: that failed */
    bool silence;    /* nothing succeeded for a while; then few may be enough */
};

static e8_dur_ns least(e8_dur_ns a, e8_dur_ns b)
{
    return a < b ? a : b;
}

/* Slices of an outage, and how many passed behind it until all was as before. */
struct edges {
    size_t from, to, calm;
    uint64_t failed;
};

static bool is_bad_slice(const struct walk *walk, size_t at)
{
    const struct e8_slice *slice = &walk->series->slices[at];
    if (walk->silent && walk->silent[at])
        return true;
    if (walk->usual > 0)
        return slice->attempts > 0 && failed_of(slice) > (1 + walk->usual) / 2;
    return slice->failed > 0;
}

static bool is_well(const struct e8_slice *slice, uint64_t backlog, uint64_t gone)
{
    return slice->attempts > 0 && slice->failed * 2 <= slice->attempts && backlog <= gone;
}

/* From the backlog that was left at the outage's end on. */
static size_t slices_until_calm(const struct walk *walk, size_t end, uint64_t gone)
{
    const struct e8_series *series = walk->series;
    uint64_t backlog = 0;
    for (size_t i = 0; i < series->count; i++) {
        backlog += series->slices[i].begun;
        backlog -= series->slices[i].ended < backlog ? series->slices[i].ended : backlog;
        if (i > end && is_well(&series->slices[i], backlog, gone))
            return i == end + 1 ? 0 : i - end;
    }
    return series->count - end - 1;
}

/* Windows are long enough for a majority to mean something, and too long to say when it was: slice by slice, failures that follow each
 * other belong to it, and those at its ends where nothing failed do not. Slices without attempts say nothing. */
static struct edges refine(const struct walk *walk, uint64_t gone)
{
    const struct e8_slice *slices = walk->series->slices;
    size_t last = (walk->to + 1) * walk->by - 1;
    struct edges edges = {.from = walk->from * walk->by,
                          .to = last < walk->series->count ? last : walk->series->count - 1};
    for (size_t i = edges.from; i > 0 && (is_bad_slice(walk, i - 1) || !slices[i - 1].attempts); i--)
        edges.from = is_bad_slice(walk, i - 1) ? i - 1 : edges.from;
    for (size_t i = edges.to + 1; i < walk->series->count && (is_bad_slice(walk, i) || !slices[i].attempts);
         i++)
        edges.to = is_bad_slice(walk, i) ? i : edges.to;
    while (edges.from < edges.to && !is_bad_slice(walk, edges.from))
        edges.from++;
    while (edges.to > edges.from && !is_bad_slice(walk, edges.to))
        edges.to--;
    for (size_t i = edges.from; i <= edges.to; i++)
        edges.failed += slices[i].failed;
    edges.calm = slices_until_calm(walk, edges.to, gone);
    return edges;
}

/* The last slice goes on beyond the run's end. */
static void note_outage(const struct walk *walk, struct e8_feedback *out, uint64_t gone, size_t at,
                        bool recovered)
{
    if (!walk->silence && walk->in_bad < OUTAGE_FAILED)
        return;
    out->outage_count++;
    out->unrecovered += !recovered;
    out->late += recovered && at > walk->last_begun;
    if (out->outage_count > E8_OUTAGES_MOST)
        return;
    struct edges edges = refine(walk, gone);
    e8_dur_ns width = walk->series->width, from = out->start + (e8_dur_ns)edges.from * width;
    e8_dur_ns to = least(out->start + (e8_dur_ns)(edges.to + 1) * width, out->end);
    out->outages[out->outage_count - 1] = (struct e8_outage){
        .from = from > 0 ? from : 0,
        .to = to,
        .failed = edges.failed,
        .peak = walk->peak,
        .recovery = recovered ? least((e8_dur_ns)edges.calm * width, out->end - to) : -1,
        .under_load = recovered && at <= walk->last_begun,
    };
}

/* What goes wrong begins with a window in which most attempts fail, and is over with the first in which they do not and in which the
 * backlog is hardly longer than it was before, or as good as gone. */
static void step(struct walk *walk, struct e8_feedback *out, const struct e8_slice *slice, bool bad,
                 bool silent, size_t at)
{
    if (!walk->wrong && !bad) {
        walk->calm = walk->backlog > walk->calm ? walk->backlog : walk->calm;
        return;
    }
    if (!walk->wrong) {
        walk->wrong = true;
        walk->from = at;
        walk->peak = walk->in_bad = 0;
        walk->silence = false;
    }
    walk->silence = walk->silence || silent;
    if (bad) {
        walk->to = at;
        walk->in_bad += slice->failed;
    }
    walk->peak = walk->backlog > walk->peak ? walk->backlog : walk->peak;
    uint64_t calm = walk->calm + walk->calm / PEAK_PART + 1; /* that of a closed loop goes to and fro */
    uint64_t gone = walk->peak / PEAK_PART > calm ? walk->peak / PEAK_PART : calm;
    if (!bad && slice->attempts > 0 && walk->backlog <= gone) {
        note_outage(walk, out, gone, at, true);
        walk->wrong = false;
    }
}

/* In windows that are long enough for a majority to mean something; where there are silences, slice by slice. */
static void find_outages(const struct e8_series *series, const struct e8_hist *response,
                         struct e8_feedback *out)
{
    struct e8_slice windows[E8_SLICES], whole = {0};
    bool silent[E8_SLICES];
    size_t by = window_of(series), windows_count = gather(series, by, windows);
    for (size_t i = 0; i < windows_count; i++)
        add_slice(&whole, &windows[i]);
    double usual = usual_of(windows, windows_count);
    bool fine = find_silences(series, &whole, response, silent);
    size_t count = fine ? series->count : windows_count;
    const struct e8_slice *slices = fine ? series->slices : windows;
    struct walk walk = {.series = series,
                        .by = fine ? 1 : by,
                        .usual = usual,
                        .silent = fine ? silent : NULL,
                        .last_begun = last_begun(slices, count)};
    for (size_t i = 0; i < count; i++) {
        bool bad = is_bad(&windows[fine ? i / by : i], usual);
        walk.backlog += slices[i].begun;
        walk.backlog -= slices[i].ended < walk.backlog ? slices[i].ended : walk.backlog;
        step(&walk, out, &slices[i], bad || (fine && silent[i]), fine && silent[i], i);
    }
    if (walk.wrong)
        note_outage(&walk, out, 0, count, false);
}

static void find_backlog(const struct e8_series *series, struct e8_feedback *out)
{
    for (size_t i = 0; i < series->count; i++) {
        const struct e8_slice *slice = &series->slices[i];
        out->left += slice->begun;
        out->left -= slice->ended < out->left ? slice->ended : out->left;
        if (out->left > out->peak) {
            out->peak = out->left;
            out->peak_at = out->start + (e8_dur_ns)i * series->width;
        }
    }
}

/* Where what is measured begins: behind the warm-up, where there was one. */
static e8_mono_ns origin_of(const struct e8_report *report)
{
    const struct e8_tally *all = e8_stats_all(report->stats);
    return all->n.warmup && all->n.attempts ? all->span.first_due : report->run->epoch;
}

struct e8_feedback e8_feedback_of(const struct e8_report *report)
{
    const struct e8_series *series = e8_stats_series(report->stats);
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    uint64_t begun = e8_stats_pacing(report->stats)->count, attempts = n->attempts - n->generator;
    struct e8_feedback out = {
        .per_event = n->events ? (double)attempts / (double)n->events : 0,
        .per_delivery = begun ? (double)attempts / (double)begun : 0,
    };
    if (series->count == 0)
        return out;
    out.start = series->first * series->width - origin_of(report);
    out.end = e8_stats_all(report->stats)->span.last_done - origin_of(report);
    find_backlog(series, &out);
    find_outages(series, e8_stats_all(report->stats)->response, &out);
    return out;
}

const char *e8_moment_text(e8_dur_ns at, char out[E8_DUR_MAX])
{
    return at > 0 ? e8_dur_text(at, out) : "0 s";
}

/* ---- text ---- */

/* The backlog over time; each column is the most of its time. What is not 0 shows. */
static void put_sparks(const struct e8_series *series, uint64_t peak, struct e8_page *page)
{
    static const char *const heights[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    char memory[SPARKS * 4 + 1];
    struct e8_buf line;
    size_t columns = page->width - INDENT < SPARKS ? page->width - INDENT : SPARKS;
    columns = series->count < columns ? series->count : columns;
    uint64_t backlog = 0;
    e8_buf_fixed(&line, memory, sizeof(memory));
    for (size_t c = 0, i = 0; c < columns; c++) {
        uint64_t most = 0;
        for (; i < (c + 1) * series->count / columns; i++) {
            backlog += series->slices[i].begun;
            backlog -= series->slices[i].ended < backlog ? series->slices[i].ended : backlog;
            most = backlog > most ? backlog : most;
        }
        e8_buf_puts(&line, heights[peak ? (most * 8 + peak - 1) / peak : 0]);
    }
    while (line.n > 0 && line.p[line.n - 1] == ' ')
        line.n--;
    e8_page_put(page, E8_CYAN, e8_buf_str(&line), columns, 0);
    e8_page_line(page);
}

static void put_label(struct e8_page *page, const char *label)
{
    e8_page_spaces(page, 2);
    e8_page_put(page, E8_PLAIN, e8_str(label), INDENT - 2, 'l');
}

static void put_backlog(const struct e8_report *report, const struct e8_feedback *f, struct e8_page *page)
{
    char peak[E8_NUMBER_MAX], left[E8_NUMBER_MAX], at[E8_DUR_MAX], text[128];
    put_label(page, "backlog");
    put_sparks(e8_stats_series(report->stats), f->peak, page);
    e8_page_spaces(page, INDENT);
    snprintf(text, sizeof(text), "at most %s, after %s; %s at the end", e8_count_text(f->peak, peak),
             e8_moment_text(f->peak_at, at), e8_count_text(f->left, left));
    e8_page_wrap(page, e8_str(text), INDENT, INDENT);
}

static const char *recovery_text(const struct e8_outage *outage, struct e8_arena *arena)
{
    char after[E8_DUR_MAX];
    if (outage->recovery < 0)
        return "it did not recover";
    if (outage->recovery == 0 && outage->under_load)
        return "recovered at once";
    return e8_arena_printf(arena, "%s %s",
                           outage->under_load ? "recovered in"
                                              : "recovered only after the last delivery had begun, in",
                           e8_dur_text(outage->recovery, after));
}

static void put_outages(const struct e8_feedback *f, struct e8_page *page)
{
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < f->outage_count && i < SHOWN_OUTAGES; i++) {
        const struct e8_outage *outage = &f->outages[i];
        char from[E8_DUR_MAX], to[E8_DUR_MAX], failed[E8_NUMBER_MAX];
        const char *what =
            outage->failed ? e8_arena_printf(arena, "%s attempt%s failed",
                                             e8_count_text(outage->failed, failed), e8_plural(outage->failed))
                           : "nothing was answered";
        const char *text = e8_arena_printf(arena, "from %s to %s, %s; %s", e8_moment_text(outage->from, from),
                                           e8_dur_text(outage->to, to), what, recovery_text(outage, arena));
        put_label(page, "outage");
        e8_page_wrap(page, e8_str(text), INDENT, INDENT);
    }
    if (f->outage_count > SHOWN_OUTAGES) {
        e8_page_spaces(page, 2);
        e8_page_wrap(
            page, e8_str(e8_arena_printf(arena, "%zu more outages", f->outage_count - SHOWN_OUTAGES)), 2, 2);
    }
    e8_arena_free(&arena);
}

void e8_text_feedback(const struct e8_report *report, struct e8_page *page)
{
    struct e8_totals totals = e8_totals_whole(report);
    struct e8_feedback f = e8_feedback_of(report);
    char note[96];
    if (totals.retries == 0 && f.outage_count == 0)
        return;
    snprintf(note, sizeof(note), "%.2f attempts per event · %.2f per delivery", f.per_event, f.per_delivery);
    e8_page_section(page, totals.retries ? "Retries" : "Outages", totals.retries ? note : NULL);
    put_backlog(report, &f, page);
    put_outages(&f, page);
}

/* ---- JSON ---- */

static void put_s(struct e8_json *w, const char *key, e8_dur_ns ns)
{
    e8_json_num(w, key, (double)ns / (double)E8_NS_S, 3);
}

static void put_ratio(struct e8_json *w, const char *key, double ratio)
{
    if (ratio > 0)
        e8_json_num(w, key, ratio, 6);
    else
        e8_json_null(w, key);
}

static void put_outage(struct e8_json *w, const struct e8_outage *outage)
{
    e8_json_object(w, NULL);
    put_s(w, "from_s", outage->from);
    put_s(w, "to_s", outage->to);
    e8_json_int(w, "failed", (int64_t)outage->failed);
    e8_json_int(w, "backlog_peak", (int64_t)outage->peak);
    if (outage->recovery < 0)
        e8_json_null(w, "recovered_after_s");
    else
        put_s(w, "recovered_after_s", outage->recovery);
    e8_json_bool(w, "under_load", outage->under_load);
    e8_json_end(w, '}');
}

void e8_json_feedback(const struct e8_report *report, struct e8_json *w)
{
    struct e8_feedback f = e8_feedback_of(report);
    e8_json_object(w, "retry_feedback");
    put_ratio(w, "attempts_per_event", f.per_event);
    put_ratio(w, "attempts_per_delivery", f.per_delivery);
    e8_json_int(w, "backlog_peak", (int64_t)f.peak);
    e8_json_int(w, "backlog_left", (int64_t)f.left);
    e8_json_int(w, "outage_count", (int64_t)f.outage_count);
    e8_json_array(w, "outages");
    for (size_t i = 0; i < f.outage_count && i < E8_OUTAGES_MOST; i++)
        put_outage(w, &f.outages[i]);
    e8_json_end(w, ']');
    if (f.outage_count)
        e8_json_bool(w, "recovered", f.unrecovered == 0);
    else
        e8_json_null(w, "recovered");
    e8_json_end(w, '}');
}

static void put_column(struct e8_json *w, const char *key, const struct e8_slice *points, size_t count,
                       size_t offset)
{
    e8_json_array(w, key);
    for (size_t i = 0; i < count; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&points[i] + offset, sizeof(value));
        e8_json_int(w, NULL, (int64_t)value);
    }
    e8_json_end(w, ']');
}

static void put_backlogs(struct e8_json *w, const struct e8_slice *points, size_t count)
{
    uint64_t backlog = 0;
    e8_json_array(w, "backlog");
    for (size_t i = 0; i < count; i++) {
        backlog += points[i].begun;
        backlog -= points[i].ended < backlog ? points[i].ended : backlog;
        e8_json_int(w, NULL, (int64_t)backlog);
    }
    e8_json_end(w, ']');
}

/* At most POINTS of them: for a drawing, not for a calculation. */
void e8_json_series(const struct e8_report *report, struct e8_json *w)
{
    const struct e8_series *series = e8_stats_series(report->stats);
    struct e8_slice points[E8_SLICES];
    size_t by = (series->count + POINTS - 1) / POINTS, count = by ? gather(series, by, points) : 0;
    e8_json_object(w, "series");
    put_s(w, "from_s", e8_feedback_of(report).start);
    put_s(w, "width_s", by ? series->width * (e8_dur_ns)by : E8_SLICE);
    put_column(w, "begun", points, count, offsetof(struct e8_slice, begun));
    put_column(w, "ended", points, count, offsetof(struct e8_slice, ended));
    put_column(w, "attempts", points, count, offsetof(struct e8_slice, attempts));
    put_column(w, "failed", points, count, offsetof(struct e8_slice, failed));
    put_backlogs(w, points, count);
    e8_json_end(w, '}');
}

/* ---- deadlines of the acknowledgement ---- */

static const char *deadline_fact(struct e8_arena *arena, const struct e8_counts *n, size_t i)
{
    char deadline[E8_DUR_MAX], low[E8_NUMBER_MAX], high[E8_NUMBER_MAX];
    e8_dur_text(e8_deadlines[i], deadline);
    e8_share_text(n->late[i], n->acks, low);
    if (n->open[i] == 0)
        return e8_arena_printf(arena, "%s %s", deadline, low);
    return e8_arena_printf(arena, "%s %.*s–%s", deadline, (int)strcspn(low, " "), low,
                           e8_share_text(n->late[i] + n->open[i], n->acks, high));
}

static const char *unanswered_fact(struct e8_arena *arena, const struct e8_counts *n)
{
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    uint64_t count = e8_report_unanswered(n);
    return count ? e8_arena_printf(arena, "%s of %s attempts never answered", e8_count_text(count, a),
                                   e8_count_text(n->attempts, b))
                 : NULL;
}

void e8_text_deadlines(const struct e8_report *report, struct e8_page *page)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    struct e8_arena *arena = e8_arena_new();
    const char *facts[E8_DEADLINES + 1];
    bool any = false;
    for (size_t i = 0; i < E8_DEADLINES; i++) {
        facts[i] = deadline_fact(arena, n, i);
        any = any || n->late[i] || n->open[i];
    }
    facts[E8_DEADLINES] = unanswered_fact(arena, n);
    if ((n->acks && any) || (n->attempts && report->more.load)) {
        e8_page_section(page, "Deadlines missed", "attempts without an answer within that time");
        if (any)
            e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_PLAIN);
        else
            e8_page_facts(
                page,
                (const char *const[]){n->acks ? "none: every answer came within 3 s" : "no answer came",
                                      facts[E8_DEADLINES]},
                2, 2, E8_PLAIN);
    }
    e8_arena_free(&arena);
}

void e8_json_deadlines(const struct e8_report *report, struct e8_json *w)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    e8_json_array(w, "deadlines");
    for (size_t i = 0; i < E8_DEADLINES; i++) {
        e8_json_object(w, NULL);
        e8_json_int(w, "within_s", e8_deadlines[i] / E8_NS_S);
        e8_json_int(w, "attempts", (int64_t)n->acks);
        e8_json_int(w, "missed", (int64_t)n->late[i]);
        e8_json_int(w, "unknown", (int64_t)n->open[i]);
        if (n->acks)
            e8_json_num(w, "share", (double)n->late[i] / (double)n->acks, 9);
        else
            e8_json_null(w, "share");
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}
