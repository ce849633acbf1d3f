#include <string.h>

#include "report/parts.h"

enum { DIGEST_SHOWN = 12 };

static const enum e8_ink inks[] = {[E8_PASS] = E8_GREEN, [E8_FAIL] = E8_RED, [E8_INVALID] = E8_YELLOW};

/* "2026-03-01 12:00:00 UTC" */
static void put_wall(struct e8_buf *buf, e8_wall_ns wall)
{
    char text[E8_RFC3339_MAX];
    e8_wall_format(wall, 0, text);
    e8_buf_printf(buf, "%.10s %.8s UTC", text, text + 11);
}

static const char *digest(struct e8_arena *arena, const char *what, const char *hex)
{
    return hex && hex[0] ? e8_arena_printf(arena, "%s %.*s", what, DIGEST_SHOWN, hex) : NULL;
}

static void put_title(const struct e8_report *report, struct e8_page *page)
{
    const struct e8_log_run *run = report->run;
    char memory[128];
    struct e8_buf note;
    e8_buf_fixed(&note, memory, sizeof(memory));
    if (run->id > 0)
        e8_buf_printf(&note, "run %lld · ", (long long)run->id);
    put_wall(&note, run->started);
    size_t used = e8_text_width(e8_buf_str(&note)) + 2, end = page->width < 100 ? page->width : 100;
    size_t room = end > used + 4 ? end - used : 4;
    struct e8_str name = e8_str(run->name && run->name[0] ? run->name : "emit8");
    e8_page_put(page, E8_BOLD, name, room, 'l');
    e8_page_spaces(page, 2);
    e8_page_put(page, E8_DIM, e8_buf_str(&note), page->width - room - 2, 0);
    e8_page_line(page);
}

/* "resumes run 3: 12,000 were over, 8,000 went on"; NULL: it resumes none. */
static const char *resumed(struct e8_arena *arena, const struct e8_log_run *run)
{
    char over[E8_NUMBER_MAX], rest[E8_NUMBER_MAX];
    if (run->resumes <= 0)
        return NULL;
    return e8_arena_printf(arena, "resumes run %lld: %s were over, %s went on", (long long)run->resumes,
                           e8_count_text(run->over, over), e8_count_text(run->planned, rest));
}

/* "shard 2 of 4", "4 shards merged"; NULL: it was not divided. */
static const char *divided(struct e8_arena *arena, const struct e8_log_run *run)
{
    if (run->shards == 0)
        return NULL;
    return run->shard ? e8_arena_printf(arena, "shard %u of %u", run->shard, run->shards)
                      : e8_arena_printf(arena, "%u shard%s merged", run->shards, e8_plural(run->shards));
}

static void put_header(const struct e8_report *report, struct e8_page *page)
{
    const struct e8_log_run *run = report->run;
    struct e8_arena *arena = e8_arena_new();
    char elapsed[E8_DUR_MAX], floor[E8_DUR_MAX];
    e8_dur_text(e8_report_elapsed(run, report->stats), elapsed);
    e8_dur_text(run->timer_floor, floor);
    const char *facts[] = {
        e8_arena_printf(arena, "took %s", elapsed),
        e8_arena_printf(arena, "%u worker%s", run->workers, e8_plural(run->workers)),
        e8_arena_printf(arena, "seed %llu", (unsigned long long)run->seed),
        run->version ? e8_arena_printf(arena, "emit8 %s", run->version) : NULL,
        run->curl_version ? e8_arena_printf(arena, "curl %s", run->curl_version) : NULL,
        run->timer_floor > 0 ? e8_arena_printf(arena, "timer floor %s", floor) : NULL,
        digest(arena, "scenario", run->scenario_digest),
        digest(arena, "fixtures", run->fixtures_digest),
        resumed(arena, run),
        divided(arena, run),
        e8_report_unsigned(arena, run),
    };
    put_title(report, page);
    e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_DIM);
    e8_arena_free(&arena);
}

static void delivery_row(struct e8_table *table, const char *what, uint64_t part, uint64_t whole,
                         enum e8_ink ink)
{
    char text[E8_NUMBER_MAX];
    e8_table_cell(table, E8_PLAIN, what);
    e8_table_count(table, part > 0 ? ink : E8_PLAIN, part);
    e8_table_cell(table, E8_DIM, e8_share_text(part, whole, text));
    e8_table_bar(table, ink, whole ? (double)part / (double)whole : 0);
}

static void put_traffic(const struct e8_report *report, const struct e8_totals *totals, struct e8_page *page)
{
    const struct e8_counts *n = &e8_stats_all(report->stats)->n;
    struct e8_arena *arena = e8_arena_new();
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX], c[E8_NUMBER_MAX], d[E8_NUMBER_MAX], e[E8_NUMBER_MAX],
        f[E8_NUMBER_MAX], g[E8_NUMBER_MAX], h[E8_NUMBER_MAX];
    const char *facts[] = {
        e8_arena_printf(arena, "%s attempt%s", e8_count_text(totals->attempts, a),
                        e8_plural(totals->attempts)),
        e8_arena_printf(arena, "%s retr%s", e8_count_text(totals->retries, b),
                        totals->retries == 1 ? "y" : "ies"),
        e8_arena_printf(arena, "%s connection%s%s", e8_count_text(n->connects, c), e8_plural(n->connects),
                        n->warmup_connects ? e8_arena_printf(arena, " opened, %s in the warm-up",
                                                             e8_count_text(n->warmup_connects, h))
                                           : ""),
        n->handshakes ? e8_arena_printf(arena, "%s TLS handshake%s", e8_count_text(n->handshakes, d),
                                        e8_plural(n->handshakes))
                      : NULL,
        report->more.over_h2 ? e8_arena_printf(arena, "%s stream%s of HTTP/2, %.1f a connection",
                                               e8_count_text(report->more.over_h2, h),
                                               e8_plural(report->more.over_h2), e8_report_streams(report))
                             : NULL,
        e8_arena_printf(arena, "%s sent", e8_bytes_text(n->bytes_sent, e)),
        e8_arena_printf(arena, "%s received", e8_bytes_text(n->bytes_received, f)),
        n->warmup ? e8_arena_printf(arena, "%s more attempt%s to warm up, not counted",
                                    e8_count_text(n->warmup, g), e8_plural(n->warmup))
                  : NULL,
    };
    e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_PLAIN);
    e8_arena_free(&arena);
}

static void put_deliveries(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {
        {.title = NULL}, {.right = true}, {.right = true}, {.bar = true}};
    struct e8_totals totals = e8_totals_whole(report);
    uint64_t ended = e8_totals_ended(&totals);
    uint64_t open = totals.planned > ended ? totals.planned - ended : 0;
    char note[96], count[E8_NUMBER_MAX], per_s[E8_NUMBER_MAX];
    double rate = e8_report_rate_whole(report);
    snprintf(note, sizeof(note), "%s planned%s%s", e8_count_text(totals.planned, count),
             rate < 0 ? "" : " · ", rate < 0 ? "" : e8_rate_text(rate, per_s));
    struct e8_table table;
    e8_page_section(page, "Deliveries", note);
    e8_table_init(&table, columns, E8_COUNT(columns));
    delivery_row(&table, "delivered", totals.delivered, totals.planned, E8_GREEN);
    delivery_row(&table, "failed", totals.failed, totals.planned, E8_RED);
    if (totals.withheld)
        delivery_row(&table, "withheld", totals.withheld, totals.planned, E8_CYAN);
    if (totals.dropped)
        delivery_row(&table, "dropped", totals.dropped, totals.planned, E8_YELLOW);
    if (totals.aborted)
        delivery_row(&table, "aborted", totals.aborted, totals.planned, E8_YELLOW);
    if (totals.not_begun)
        delivery_row(&table, "not begun", totals.not_begun, totals.planned, E8_YELLOW);
    if (open)
        delivery_row(&table, "without an end", open, totals.planned, E8_YELLOW);
    e8_table_write(&table, page);
    e8_table_fini(&table);
    put_traffic(report, &totals, page);
}

static void put_thresholds(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = NULL}, {.least = 12}, {.right = true}};
    struct e8_table table;
    if (report->threshold_count == 0)
        return;
    e8_page_section(page, "Thresholds", NULL);
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (size_t i = 0; i < report->threshold_count; i++) {
        const struct e8_threshold_result *result = &report->thresholds[i];
        char measured[E8_MEASURED_MAX];
        enum e8_ink ink = result->pass ? E8_GREEN : E8_RED;
        e8_table_cell(&table, ink, result->pass ? "✓" : "✗");
        e8_table_cell(&table, E8_PLAIN, result->threshold.text);
        e8_table_cell(&table, ink, e8_measured_text(result, measured));
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

static void put_warnings(const struct e8_report *report, struct e8_page *page)
{
    if (report->warning_count == 0)
        return;
    e8_page_section(page, "Warnings", NULL);
    for (size_t i = 0; i < report->warning_count; i++) {
        e8_page_spaces(page, 2);
        e8_page_put(page, E8_YELLOW, E8_LIT("!"), 1, 0);
        e8_page_spaces(page, 2);
        e8_page_wrap(page, e8_str(report->warnings[i]), 5, 5);
    }
}

static void put_verdict(const struct e8_report *report, struct e8_page *page)
{
    char word[32];
    snprintf(word, sizeof(word), "%s%s", e8_verdict_word(report),
             report->more.stopped_by_step                        ? " (stopped early)"
             : report->run->interrupted && !report->more.aborted ? " (interrupted)"
                                                                 : "");
    size_t width = strlen(word);
    e8_page_line(page);
    if (page->colour)
        e8_buf_puts(page->out, "\033[1m");
    e8_page_put(page, inks[report->verdict], e8_str(word), width, 0);
    e8_page_spaces(page, 2);
    e8_page_wrap(page, e8_str(report->reason), width + 2, width + 2);
}

void e8_report_text(const struct e8_report *report, struct e8_page *page)
{
    put_header(report, page);
    put_deliveries(report, page);
    e8_text_status(report, page);
    e8_text_histogram(report, page);
    e8_text_percentiles(report, page);
    e8_text_endpoints(report, page);
    e8_text_types(report, page);
    e8_text_errors(report, page);
    e8_text_spread(report, page);
    e8_text_steps(report, page);
    e8_text_feedback(report, page);
    e8_text_deadlines(report, page);
    e8_text_generator(report, page);
    put_thresholds(report, page);
    put_warnings(report, page);
    put_verdict(report, page);
}
