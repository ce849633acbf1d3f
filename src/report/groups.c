/* The tables of endpoints, event types and errors. */
#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

enum { ERRORS_MOST = 20 };

static void quantile_cell(struct e8_table *table, const struct e8_hist *hist, double q)
{
    char text[E8_DUR_MAX], cell[E8_DUR_MAX + 4];
    bool shaky = e8_report_shaky(hist, q);
    if (!hist || e8_hist_count(hist) == 0) {
        e8_table_cell(table, E8_DIM, "–");
        return;
    }
    snprintf(cell, sizeof(cell), "%s%s", shaky ? "~" : "", e8_dur_text(e8_hist_quantile(hist, q), text));
    e8_table_cell(table, shaky ? E8_DIM : E8_PLAIN, cell);
}

/* All but the first columns of both tables. */
static void group_cells(struct e8_table *table, const struct e8_tally *tally)
{
    struct e8_totals totals = e8_totals_of(tally);
    char text[E8_NUMBER_MAX];
    uint64_t tried = totals.delivered + totals.failed + totals.gone;
    e8_table_count(table, E8_PLAIN, totals.delivered);
    e8_table_count(table, totals.failed ? E8_RED : E8_DIM, totals.failed);
    e8_table_count(table, totals.retries ? E8_YELLOW : E8_DIM, totals.retries);
    e8_table_cell(table, E8_PLAIN, e8_share_text(totals.delivered, tried, text));
    quantile_cell(table, tally->response, 0.5);
    quantile_cell(table, tally->response, 0.95);
    quantile_cell(table, tally->response, 0.99);
    quantile_cell(table, tally->response, 1);
}

/* Where they do not fit, those with the highest numbers leave first; those of zeros before names are cut. */
#define GROUP_COLUMNS                                                                                        \
    {.title = "delivered", .right = true}, {.title = "failed", .right = true, .zeros = 6},                   \
        {.title = "retries", .right = true, .zeros = 7, .drop = 5},                                          \
        {.title = "success", .right = true, .drop = 4}, {.title = "p50", .right = true, .drop = 2},          \
        {.title = "p95", .right = true, .drop = 3}, {.title = "p99", .right = true, .drop = 1},              \
    {                                                                                                        \
        .title = "max", .right = true, .drop = 8                                                             \
    }

void e8_text_endpoints(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = "name", .least = 12, .wish = 20, .middle = true},
                                               {.title = "URL", .least = 20, .drop = 9},
                                               GROUP_COLUMNS};
    const struct e8_log_run *run = report->run;
    struct e8_table table;
    if (run->endpoint_count == 0)
        return;
    e8_page_section(page, "Endpoints", NULL);
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (unsigned i = 0; i < run->endpoint_count; i++) {
        e8_table_cell(&table, E8_PLAIN, run->endpoints[i].name);
        e8_table_cell(&table, E8_DIM, run->endpoints[i].url);
        group_cells(&table, e8_stats_endpoint(report->stats, i));
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

void e8_text_types(const struct e8_report *report, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = "type", .least = 16, .wish = 28, .middle = true},
                                               GROUP_COLUMNS};
    struct e8_table table;
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (unsigned i = 0; i < report->run->type_count; i++) {
        const struct e8_tally *tally = e8_stats_type(report->stats, i);
        struct e8_totals totals = e8_totals_of(tally);
        if (!e8_totals_any(&totals))
            continue;
        e8_table_cell(&table, E8_PLAIN, report->run->types[i]);
        group_cells(&table, tally);
    }
    if (table.count > 0) {
        e8_page_section(page, "Event types", NULL);
        e8_table_write(&table, page);
    }
    e8_table_fini(&table);
}

/* ---- errors: by endpoint and outcome, the most frequent first ---- */

struct group {
    unsigned endpoint;
    enum e8_outcome outcome;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    if (left->outcome != right->outcome)
        return left->outcome < right->outcome ? -1 : 1;
    return (left->endpoint > right->endpoint) - (left->endpoint < right->endpoint);
}

static struct group *collect(const struct e8_report *report, size_t *count)
{
    size_t room = report->run->endpoint_count * E8_OUTCOME_COUNT + 1;
    struct group *groups = e8_new(room, sizeof(*groups));
    *count = 0;
    for (unsigned i = 0; i < report->run->endpoint_count; i++) {
        const uint64_t *outcomes = e8_stats_endpoint(report->stats, i)->n.outcomes;
        for (unsigned outcome = E8_DELIVERED + 1; outcome < E8_OUTCOME_COUNT; outcome++)
            if (outcomes[outcome])
                groups[(*count)++] = (struct group){i, (enum e8_outcome)outcome, outcomes[outcome]};
    }
    qsort(groups, *count, sizeof(*groups), by_count);
    return groups;
}

static void put_groups(const struct e8_report *report, struct e8_page *page, const struct group *groups,
                       size_t count)
{
    static const struct e8_column several[] = {
        {.right = true}, {.least = 10}, {.least = 6, .middle = true, .drop = 1}, {.least = 24, .wrap = true}};
    static const struct e8_column one[] = {{.right = true}, {.least = 10}, {.least = 24, .wrap = true}};
    bool name = report->run->endpoint_count > 1;
    struct e8_table table;
    e8_table_init(&table, name ? several : one, name ? E8_COUNT(several) : E8_COUNT(one));
    for (size_t i = 0; i < count; i++) {
        const struct e8_outcome_info *info = e8_outcome_info(groups[i].outcome);
        const char *sample = e8_stats_sample(report->stats, groups[i].endpoint, groups[i].outcome);
        e8_table_count(&table, E8_PLAIN, groups[i].count);
        e8_table_cell(&table, E8_RED, info->name);
        if (name)
            e8_table_cell(&table, E8_PLAIN, report->run->endpoints[groups[i].endpoint].name);
        e8_table_cell(&table, E8_DIM, sample[0] ? sample : info->text);
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

void e8_text_errors(const struct e8_report *report, struct e8_page *page)
{
    size_t count;
    uint64_t sum = 0;
    char note[64], text[E8_NUMBER_MAX];
    struct group *groups = collect(report, &count);
    for (size_t i = 0; i < count; i++)
        sum += groups[i].count;
    if (count > 0) {
        uint64_t expected = e8_stats_all(report->stats)->n.expected;
        snprintf(note, sizeof(note), "%s attempt%s", e8_count_text(sum, text), e8_plural(sum));
        if (expected > 0)
            snprintf(note + strlen(note), sizeof(note) - strlen(note), ", %s of them as expected",
                     e8_count_text(expected, text));
        e8_page_section(page, "Errors", note);
        put_groups(report, page, groups, count < ERRORS_MOST ? count : ERRORS_MOST);
    }
    if (count > ERRORS_MOST) {
        snprintf(note, sizeof(note), "  … and %zu more kinds", count - ERRORS_MOST);
        e8_page_put(page, E8_DIM, e8_str(note), page->width, 0);
        e8_page_line(page);
    }
    free(groups);
}
