/* What steps expected, and how far apart the copies of a release left. */
#include <string.h>

#include "report/parts.h"

enum { STEPS_MOST = 200 }; /* rows; steps that are not as expected go first */

struct e8_step_sums e8_steps_sum(const struct e8_report_more *more)
{
    struct e8_step_sums sums = {0};
    for (size_t i = 0; i < more->step_count; i++) {
        const struct e8_report_step *step = &more->steps[i];
        sums.judged += step->met + step->unmet;
        sums.unmet += step->unmet;
        sums.reported += step->reported;
        sums.not_measured += step->not_measured;
    }
    return sums;
}

static uint64_t seen(const struct e8_report_step *step)
{
    return step->met + step->unmet + step->reported + step->not_measured;
}

static void put_step(struct e8_table *table, const struct e8_report_step *step)
{
    char text[2 * E8_NUMBER_MAX + 32], a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    bool idle = seen(step) == 0, measured = step->met + step->unmet > 0;
    /* The answers were as expected, the effect is not known. */
    bool half = measured && !step->unmet && step->not_measured > 0;
    enum e8_ink ink = step->unmet ? E8_RED : half ? E8_YELLOW : measured ? E8_GREEN : E8_DIM;
    snprintf(text, sizeof(text), "%s/%s", e8_count_text(step->met, a),
             e8_count_text(step->met + step->unmet, b));
    e8_table_cell(table, ink, step->unmet ? "✗" : half ? "?" : measured ? "✓" : step->reported ? "i" : "–");
    e8_table_cell(table, E8_PLAIN, step->id);
    e8_table_cell(table, ink,
                  measured             ? text
                  : step->reported     ? "reported"
                  : step->not_measured ? "not measured"
                  : idle               ? "not reached"
                                       : "");
    e8_table_cell(table, E8_DIM,
                  step->why && step->why[0] ? step->why
                  : half                    ? "its effect was not measured"
                                            : step->expects);
}

void e8_text_steps(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {
        {.title = NULL}, {.least = 12}, {.right = true}, {.least = 20, .wrap = true}};
    const struct e8_report_more *more = &report->more;
    struct e8_step_sums sums = e8_steps_sum(more);
    char note[2 * E8_NUMBER_MAX + 32], a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    struct e8_table table;
    size_t rows = 0;
    if (more->step_count == 0)
        return;
    snprintf(note, sizeof(note), "%s of %s met", e8_count_text(sums.judged - sums.unmet, a),
             e8_count_text(sums.judged, b));
    e8_page_section(page, "Expectations", note);
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (int unmet = 1; unmet >= 0; unmet--) {
        for (size_t i = 0; i < more->step_count; i++) {
            if ((more->steps[i].unmet > 0) == (unmet == 1) && rows++ < STEPS_MOST)
                put_step(&table, &more->steps[i]);
        }
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
    if (rows > STEPS_MOST) {
        snprintf(note, sizeof(note), "  … and %s more steps", e8_count_text(rows - STEPS_MOST, a));
        e8_page_put(page, E8_DIM, e8_str(note), page->width, 0);
        e8_page_line(page);
    }
}

void e8_text_spread(const struct e8_report *report, struct e8_page *page)
{
    static const double quantiles[] = {0.5, 0.95, 1};
    static const char *const names[] = {"p50", "p95", "max"};
    const struct e8_hist *spread = report->more.spread;
    struct e8_arena *arena = e8_arena_new();
    const char *facts[1 + E8_COUNT(quantiles)];
    char text[E8_DUR_MAX], count[E8_NUMBER_MAX];
    uint64_t releases = spread ? e8_hist_count(spread) : 0;
    if (releases > 0) {
        e8_page_section(page, "Concurrent copies", "from the first send of a release to its last");
        facts[0] =
            e8_arena_printf(arena, "%s release%s", e8_count_text(releases, count), e8_plural(releases));
        for (size_t i = 0; i < E8_COUNT(quantiles); i++)
            facts[i + 1] = e8_arena_printf(arena, "%s %s", names[i],
                                           e8_dur_text(e8_hist_quantile(spread, quantiles[i]), text));
        e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_PLAIN);
    }
    e8_arena_free(&arena);
}
