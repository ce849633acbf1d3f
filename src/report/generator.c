/* The generator itself: did it keep its schedule, and was it not the limit? */
#include "report/parts.h"

/* Below these, what a busy machine does to a short run would be taken for a fault of the measurement. */
#define RATE_EVENTS  1000
#define RATE_LENGTH  E8_NS_S
#define BUSY_WINDOWS 10 /* of 100 ms */
#define FULL_WINDOWS 10 /* which the other programs of a busy machine may take of a loop */

#define RATE_OFF   100 /* one part in so many */
#define RATE_GRACE (50 * E8_NS_MS)
#define FULL_MOST  0.01 /* of the windows */

double e8_busy_full(const struct e8_pressure *pressure)
{
    return pressure->windows ? (double)pressure->full / (double)pressure->windows : 0;
}

/* Between the first and the last of n moments there are n - 1 gaps. */
static double rate_of(uint64_t n, e8_dur_ns length)
{
    return n > 1 && length > 0 ? (double)(n - 1) * (double)E8_NS_S / (double)length : 0;
}

/* Of n arrivals in a second, the last is due a gap before its end. */
static bool is_long_enough(const struct e8_pacing *pacing)
{
    e8_dur_ns length = pacing->last_due - pacing->first_due;
    return pacing->count >= RATE_EVENTS &&
           length + length / (e8_dur_ns)(pacing->count - 1) + 1 >= RATE_LENGTH;
}

static void judge_rate(const struct e8_report *report, struct e8_generator *g)
{
    const struct e8_pacing *pacing = e8_stats_pacing(report->stats);
    const struct e8_schedule *schedule = &report->more.schedule;
    e8_dur_ns planned = pacing->last_due - pacing->first_due;
    g->late = pacing->last_begun - pacing->last_due;
    g->planned = schedule->count ? rate_of(schedule->count, schedule->last - schedule->first)
                                 : rate_of(pacing->count, planned);
    g->due = schedule->count && report->more.by_hand
                 ? rate_of(schedule->count, schedule->last_due - schedule->first_due)
                 : g->planned;
    g->achieved = report->more.apart ? 0 : rate_of(pacing->count, pacing->last_begun - pacing->first_due);
    /* What waited at the bound of --in-flight did not wait by chance, however short the run.
     * A run that goes on with another is behind its schedule from the start. */
    g->rate_judged =
        report->more.open && !report->more.by_hand && !report->more.apart && report->run->resumes == 0 &&
        (is_long_enough(pacing) || ((report->more.bound || report->more.crowd) && pacing->count > 1));
    g->rate_off = g->late > planned / RATE_OFF + RATE_GRACE;
}

/* Where nothing is delivered, there is no speed that could be ours: refusals come as fast as a loop asks for them. */
static void judge_busy(const struct e8_report *report, struct e8_generator *g)
{
    const struct e8_pressure *pressure = &report->more.pressure;
    g->busy_told = report->more.load && pressure->windows >= BUSY_WINDOWS;
    g->busy_judged = g->busy_told && e8_stats_all(report->stats)->n.delivered > 0;
    g->full = pressure->full >= FULL_WINDOWS && e8_busy_full(pressure) > FULL_MOST;
}

struct e8_generator e8_generator_of(const struct e8_report *report)
{
    struct e8_generator g = {0};
    judge_rate(report, &g);
    judge_busy(report, &g);
    return g;
}

static int decimals(double rate)
{
    return rate < 999.95 ? 1 : 0;
}

static const char *rate_fact(const struct e8_report *report, struct e8_arena *arena,
                             const struct e8_generator *g)
{
    if (!report->more.open || g->due <= 0 || report->more.apart)
        return NULL;
    const char *kept = e8_arena_printf(arena, "rate %.*f/s of %.*f/s", decimals(g->achieved), g->achieved,
                                       decimals(g->due), g->due);
    return report->more.by_hand
               ? e8_arena_printf(arena, "%s by hand, %.*f/s planned", kept, decimals(g->planned), g->planned)
               : kept;
}

static const char *share_fact(struct e8_arena *arena, const char *what, bool known, unsigned share)
{
    char text[E8_NUMBER_MAX];
    return known ? e8_arena_printf(arena, "%s %s", what, e8_permille_text(share, text)) : NULL;
}

/* One line: what was judged of emit8 itself. */
void e8_text_generator(const struct e8_report *report, struct e8_page *page)
{
    const struct e8_pressure *pressure = &report->more.pressure;
    const struct e8_hist *lag = e8_stats_all(report->stats)->lag;
    struct e8_generator g = e8_generator_of(report);
    struct e8_arena *arena = e8_arena_new();
    char p99[E8_DUR_MAX];
    if (g.rate_judged || g.busy_told || (report->more.open && g.due > 0)) {
        const char *facts[] = {
            share_fact(arena, "busy", pressure->windows > 0, pressure->busy),
            rate_fact(report, arena, &g),
            lag && e8_hist_count(lag)
                ? e8_arena_printf(arena, "send lag p99 %s", e8_dur_text(e8_hist_quantile(lag, 0.99), p99))
                : NULL,
            share_fact(arena, "processors", pressure->cpu > 0, pressure->cpu),
        };
        e8_page_section(page, "Generator", NULL);
        e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_PLAIN);
    }
    e8_arena_free(&arena);
}

static void put_share(struct e8_json *w, const char *key, bool known, unsigned share)
{
    if (known)
        e8_json_num(w, key, share / 1000.0, 3);
    else
        e8_json_null(w, key);
}

static void put_rate(struct e8_json *w, const char *key, double rate)
{
    if (rate > 0)
        e8_json_num(w, key, rate, 3);
    else
        e8_json_null(w, key);
}

/* null: nobody changed it. */
static void put_hand(struct e8_json *w, const struct e8_report *report, const struct e8_generator *g)
{
    const struct e8_report_more *more = &report->more;
    bool known = more->factor_least > 0;
    if (!more->by_hand) {
        e8_json_null(w, "by_hand");
        return;
    }
    e8_json_object(w, "by_hand");
    put_rate(w, "due_per_s", g->due);
    put_rate(w, "factor_least", more->factor_least);
    put_rate(w, "factor_most", more->factor_most);
    if (known)
        e8_json_num(w, "first_s", (double)more->changed_at / (double)E8_NS_S, 3);
    else
        e8_json_null(w, "first_s");
    e8_json_num(w, "paused_s", (double)more->paused / (double)E8_NS_S, 3);
    e8_json_end(w, '}');
}

void e8_json_generator(const struct e8_report *report, struct e8_json *w)
{
    const struct e8_pressure *pressure = &report->more.pressure;
    struct e8_generator g = e8_generator_of(report);
    e8_json_object(w, "generator");
    put_rate(w, "planned_per_s", g.planned);
    put_rate(w, "achieved_per_s", g.achieved);
    e8_json_bool(w, "rate_judged", g.rate_judged);
    put_share(w, "busy", pressure->windows > 0, pressure->busy);
    e8_json_int(w, "windows", (int64_t)pressure->windows);
    e8_json_int(w, "full_windows", (int64_t)pressure->full);
    e8_json_bool(w, "busy_judged", g.busy_judged);
    put_share(w, "processors", pressure->cpu > 0, pressure->cpu);
    e8_json_bool(w, "receiver_here", report->more.local);
    put_hand(w, report, &g);
    e8_json_end(w, '}');
}
