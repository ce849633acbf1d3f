#include "report/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

#define MOST 9e12 /* milliseconds that fit into nanoseconds; what is beyond was not measured */

/* ---- reading ---- */

bool e8_figure_number(const struct e8_node *map, const char *key, double *out)
{
    const struct e8_node *node = e8_node_get(map, key);
    if (!node || !e8_node_is_number(node) || fabs(e8_node_number(node)) > MOST)
        return false;
    *out = e8_node_number(node);
    return true;
}

static double count_of(const struct e8_node *map, const char *key)
{
    double count;
    return e8_figure_number(map, key, &count) ? count : 0;
}

static const struct e8_node *member(const struct e8_node *report, const char *list, const char *name)
{
    const struct e8_node *all = e8_node_get(report, list);
    for (const struct e8_node *node = all && all->kind == E8_SEQ ? all->first : NULL; node;
         node = node->next) {
        const struct e8_node *own = e8_node_get(node, "name");
        if (own && own->kind == E8_STRING && e8_str_is(own->text, name))
            return node;
    }
    return NULL;
}

static struct e8_figure share(double part, double whole)
{
    if (!(whole > 0))
        return (struct e8_figure){0};
    return (struct e8_figure){true, part / whole, true, e8_range_of_share(part, whole)};
}

static struct e8_figure success_of(const struct e8_node *totals)
{
    double delivered = count_of(totals, "delivered");
    return share(delivered, delivered + count_of(totals, "failed") + count_of(totals, "dropped") +
                                count_of(totals, "gone"));
}

static struct e8_figure rate_of(const struct e8_node *report)
{
    const struct e8_node *totals = e8_node_get(report, "totals");
    double rate;
    if (!e8_figure_number(report, "rate_per_s", &rate))
        return (struct e8_figure){0};
    double count = count_of(totals, "delivered") + count_of(totals, "failed");
    return (struct e8_figure){true, rate, true, e8_range_of_rate(rate, count)};
}

/* Reports of older versions have no ranges. */
static struct e8_figure time_of(const struct e8_node *times, const char *key)
{
    const struct e8_node *range = e8_node_get(e8_node_get(times, "ci99"), key);
    struct e8_figure figure = {0};
    figure.known = e8_figure_number(times, key, &figure.value);
    figure.value *= E8_NS_MS;
    if (figure.known && range && range->kind == E8_SEQ && range->count == 2) {
        const struct e8_node *low = range->first, *high = low->next;
        figure.bounded = true;
        figure.range.low = e8_node_is_number(low) ? e8_node_number(low) * E8_NS_MS : 0;
        figure.range.high = e8_node_is_number(high) ? e8_node_number(high) * E8_NS_MS : (double)INFINITY;
    }
    return figure;
}

static struct e8_figure status_of(const struct e8_node *report, int low, int high)
{
    const struct e8_node *statuses = e8_node_get(report, "status");
    double sum = low == 0 ? count_of(statuses, "none") : 0;
    for (int status = low > 0 ? low : 1; status <= high; status++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", status);
        sum += count_of(statuses, key);
    }
    return share(sum, count_of(e8_node_get(report, "totals"), "attempts"));
}

static struct e8_figure total_of(const struct e8_node *totals, const char *key)
{
    struct e8_figure figure = {0};
    figure.known = count_of(totals, "attempts") > 0 && e8_figure_number(totals, key, &figure.value);
    return figure;
}

struct e8_figure e8_figure_of(const struct e8_node *report, const struct e8_figure_spec *spec)
{
    const struct e8_node *of = spec->list ? member(report, spec->list, spec->scope) : report;
    const struct e8_node *totals = e8_node_get(of, "totals");
    switch (spec->what) {
    case E8_FIGURE_SUCCESS:
        return success_of(totals);
    case E8_FIGURE_RATE:
        return rate_of(of);
    case E8_FIGURE_TOTAL:
        return total_of(totals, spec->key);
    case E8_FIGURE_TIME:
        return time_of(e8_node_get(of, spec->times), spec->key);
    case E8_FIGURE_STATUS:
        return status_of(of, spec->low, spec->high);
    case E8_FIGURE_OUTCOME:
        return share(count_of(e8_node_get(of, "outcomes"), spec->key), count_of(totals, "attempts"));
    }
    E8_UNREACHABLE();
}

enum e8_figure_unit e8_figure_unit(const struct e8_figure_spec *spec)
{
    switch (spec->what) {
    case E8_FIGURE_SUCCESS:
    case E8_FIGURE_STATUS:
    case E8_FIGURE_OUTCOME:
        return E8_UNIT_SHARE;
    case E8_FIGURE_RATE:
        return E8_UNIT_RATE;
    case E8_FIGURE_TOTAL:
        return E8_UNIT_COUNT;
    case E8_FIGURE_TIME:
        return E8_UNIT_TIME;
    }
    E8_UNREACHABLE();
}

/* ---- changes ---- */

const char *e8_change_name(enum e8_change change)
{
    static const char *const names[] = {
        [E8_CHANGE_NONE] = "same",   [E8_CHANGE_NOISE] = "noise",   [E8_CHANGE_BETTER] = "better",
        [E8_CHANGE_WORSE] = "worse", [E8_CHANGE_OTHER] = "changed", [E8_CHANGE_UNKNOWN] = "unknown",
    };
    return names[change];
}

bool e8_change_is_for_lack(enum e8_change change, const struct e8_range *range)
{
    return change == E8_CHANGE_NOISE && !(isfinite(range->low) && isfinite(range->high));
}

enum e8_change e8_figure_change(const struct e8_figure *a, const struct e8_figure *b, int better,
                                struct e8_range *range)
{
    double change = b->value - a->value;
    *range = (struct e8_range){-(double)INFINITY, (double)INFINITY};
    if (!a->known || !b->known)
        return E8_CHANGE_UNKNOWN;
    if (a->bounded && b->bounded)
        *range = e8_range_of_change(a->value, a->range, b->value, b->range);
    if (!(change < 0) && !(change > 0))
        return E8_CHANGE_NONE;
    if (!a->bounded || !b->bounded)
        return E8_CHANGE_OTHER;
    if (range->low <= 0 && range->high >= 0)
        return E8_CHANGE_NOISE;
    return better == 0 ? E8_CHANGE_OTHER : (change > 0) == (better > 0) ? E8_CHANGE_BETTER : E8_CHANGE_WORSE;
}

/* ---- rows ---- */

static void add_row(struct e8_figures *f, const struct e8_figure_row *row)
{
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 64;
        f->rows = e8_resize(f->rows, f->room, sizeof(*f->rows));
    }
    struct e8_figure_row *own = &f->rows[f->count];
    bool any = false;
    *own = *row;
    for (size_t i = 0; i < f->side_count; i++) {
        own->figures[i] = e8_figure_of(f->sides[i].report, &own->spec);
        any = any || own->figures[i].known;
    }
    f->count += any;
}

static void add_deliveries(struct e8_figures *f)
{
    static const struct e8_figure_row rows[] = {
        {.name = "success", .spec = {.what = E8_FIGURE_SUCCESS}, .better = 1},
        {.name = "rate", .spec = {.what = E8_FIGURE_RATE}, .better = 1},
        {.name = "planned", .spec = {.what = E8_FIGURE_TOTAL, .key = "planned"}},
        {.name = "failed", .spec = {.what = E8_FIGURE_TOTAL, .key = "failed"}, .better = -1},
        {.name = "retries", .spec = {.what = E8_FIGURE_TOTAL, .key = "retries"}, .better = -1},
        {.name = "unmet", .spec = {.what = E8_FIGURE_TOTAL, .key = "unmet"}, .better = -1},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_figure_row row = rows[i];
        row.group = "deliveries";
        row.title = "Deliveries";
        add_row(f, &row);
    }
}

static const struct {
    const char *group, *title, *times;
} of_times[] = {
    {"response_time", "Response time", "response_time_ms"},
    {"service_time", "Service time", "service_time_ms"},
    {"send_lag", "Send lag", "send_lag_ms"},
};

static void add_times(struct e8_figures *f)
{
    for (size_t of = 0; of < E8_COUNT(of_times); of++) {
        struct e8_figure_row row = {
            .group = of_times[of].group,
            .title = of_times[of].title,
            .name = "mean",
            .spec = {.what = E8_FIGURE_TIME, .times = of_times[of].times, .key = "mean"},
            .better = -1,
        };
        add_row(f, &row);
        for (size_t p = 0; p < E8_PERCENTILES; p++) {
            row.name = e8_percentiles[p].name;
            row.spec.key = e8_percentiles[p].key;
            add_row(f, &row);
        }
        row.name = row.spec.key = "max";
        add_row(f, &row);
    }
}

static bool any_status(const struct e8_figures *f, const char *key)
{
    bool any = false;
    for (size_t i = 0; i < f->side_count; i++)
        any = any || e8_node_get(e8_node_get(f->sides[i].report, "status"), key);
    return any;
}

static void add_statuses(struct e8_figures *f)
{
    static const int better[] = {-1, 0, 1, 0, -1, -1};
    for (int status = 100; status <= E8_STATUSES; status++) {
        bool none = status == E8_STATUSES; /* last of all */
        const char *key = none ? "none" : e8_arena_printf(f->arena, "%d", status);
        int code = none ? 0 : status;
        if (any_status(f, key))
            add_row(f, &(struct e8_figure_row){
                           .group = "status",
                           .title = "Status",
                           .name = key,
                           .spec = {.what = E8_FIGURE_STATUS, .key = key, .low = code, .high = code},
                           .better = better[code / 100],
                       });
    }
}

static void add_outcomes(struct e8_figures *f)
{
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++) {
        const char *name = e8_outcome_info((enum e8_outcome)i)->name;
        bool any = false;
        for (size_t s = 0; s < f->side_count; s++)
            any = any || e8_node_get(e8_node_get(f->sides[s].report, "outcomes"), name);
        if (any)
            add_row(f, &(struct e8_figure_row){
                           .group = "outcome",
                           .title = "Outcomes",
                           .name = name,
                           .spec = {.what = E8_FIGURE_OUTCOME, .key = name},
                           .better = i == E8_DELIVERED ? 1 : -1,
                       });
    }
}

static void add_member(struct e8_figures *f, const char *list, const char *name)
{
    static const struct {
        const char *name;
        struct e8_figure_spec spec;
        int better;
    } rows[] = {
        {"success", {.what = E8_FIGURE_SUCCESS}, 1},
        {"p50", {.what = E8_FIGURE_TIME, .times = "response_time_ms", .key = "p50"}, -1},
        {"p95", {.what = E8_FIGURE_TIME, .times = "response_time_ms", .key = "p95"}, -1},
        {"p99", {.what = E8_FIGURE_TIME, .times = "response_time_ms", .key = "p99"}, -1},
    };
    bool endpoint = strcmp(list, "endpoints") == 0;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_figure_row row = {
            .group = endpoint ? "endpoint" : "type",
            .title = endpoint ? "Endpoints" : "Event types",
            .scope = name,
            .name = rows[i].name,
            .spec = rows[i].spec,
            .better = rows[i].better,
        };
        row.spec.list = list;
        row.spec.scope = name;
        add_row(f, &row);
    }
}

/* Those of the first side, and those that only later ones have. */
static void add_members(struct e8_figures *f, const char *list)
{
    for (size_t s = 0; s < f->side_count; s++) {
        const struct e8_node *all = e8_node_get(f->sides[s].report, list);
        for (const struct e8_node *node = all && all->kind == E8_SEQ ? all->first : NULL; node;
             node = node->next) {
            const struct e8_node *name = e8_node_get(node, "name");
            bool before = false;
            if (!name || name->kind != E8_STRING)
                continue;
            const char *text = e8_arena_str(f->arena, name->text).p;
            for (size_t b = 0; b < s; b++)
                before = before || member(f->sides[b].report, list, text);
            if (!before)
                add_member(f, list, text);
        }
    }
}

void e8_figures_init(struct e8_figures *figures, const struct e8_side *sides, size_t count)
{
    E8_ASSERT(count > 0 && count <= E8_REPORTS_MOST);
    *figures = (struct e8_figures){.arena = e8_arena_new(), .sides = sides, .side_count = count};
    add_deliveries(figures);
    add_times(figures);
    add_statuses(figures);
    add_outcomes(figures);
    add_members(figures, "endpoints");
    add_members(figures, "types");
}

void e8_figures_fini(struct e8_figures *figures)
{
    e8_arena_free(&figures->arena);
    free(figures->rows);
    *figures = (struct e8_figures){0};
}

/* ---- texts ---- */

/* Three digits, none of them made up. */
static void put_share(struct e8_buf *buf, double share, const char *unit)
{
    double percent = share * 100;
    if (!(share > 0) || share >= 1) {
        e8_buf_printf(buf, "%s %s", share > 0 ? "100" : "0", unit);
        return;
    }
    e8_buf_printf(buf, "%.*f %s", percent < 0.1 ? 3 : percent < 99.995 ? 2 : 3, percent, unit);
}

static void put_value(struct e8_buf *buf, enum e8_figure_unit unit, double value)
{
    char text[E8_DUR_MAX];
    switch (unit) {
    case E8_UNIT_TIME:
        e8_buf_puts(buf, e8_dur_text((e8_dur_ns)(value + 0.5), text));
        return;
    case E8_UNIT_SHARE:
        put_share(buf, value, "%");
        return;
    case E8_UNIT_RATE:
        e8_buf_puts(buf, e8_rate_text(value, text));
        return;
    case E8_UNIT_COUNT:
        e8_buf_puts(buf, e8_count_text((uint64_t)value, text));
        return;
    }
    E8_UNREACHABLE();
}

const char *e8_figure_text(enum e8_figure_unit unit, const struct e8_figure *figure,
                           char out[E8_FIGURE_TEXT_MAX])
{
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_FIGURE_TEXT_MAX);
    if (figure->known)
        put_value(&buf, unit, figure->value > 0 ? figure->value : 0);
    else
        e8_buf_puts(&buf, "–");
    return e8_buf_cstr(&buf);
}

const char *e8_figure_delta(enum e8_figure_unit unit, const struct e8_figure *a, const struct e8_figure *b,
                            char out[E8_FIGURE_TEXT_MAX])
{
    struct e8_buf buf;
    double change = b->value - a->value;
    e8_buf_fixed(&buf, out, E8_FIGURE_TEXT_MAX);
    if (a->known && b->known && (change > 0 || change < 0)) {
        e8_buf_puts(&buf, change > 0 ? "+" : "−");
        if (unit == E8_UNIT_SHARE)
            put_share(&buf, fabs(change), "pp");
        else
            put_value(&buf, unit, fabs(change));
    }
    return e8_buf_cstr(&buf);
}

const char *e8_figure_relative(const struct e8_figure *a, const struct e8_figure *b,
                               char out[E8_FIGURE_TEXT_MAX])
{
    struct e8_buf buf;
    double change = b->value - a->value;
    e8_buf_fixed(&buf, out, E8_FIGURE_TEXT_MAX);
    if (a->known && b->known && a->value > 0 && (change > 0 || change < 0)) {
        double percent = fabs(change) / a->value * 100;
        if (percent >= 1000)
            e8_buf_printf(&buf, "×%.3g", b->value / a->value);
        else
            e8_buf_printf(&buf, "%s%.*f %%", change > 0 ? "+" : "−", percent >= 9.95 ? 0 : 1, percent);
    }
    return e8_buf_cstr(&buf);
}

const char *e8_side_text(const struct e8_side *side, const char *map, const char *key, struct e8_arena *arena)
{
    const struct e8_node *node = e8_node_get(map ? e8_node_get(side->report, map) : side->report, key);
    bool told = node && (node->kind == E8_STRING || node->kind == E8_INT);
    return told ? e8_arena_str(arena, node->text).p : "";
}

const char *e8_side_title(const struct e8_side *side, struct e8_arena *arena)
{
    const char *name = e8_side_text(side, "run", "name", arena), *id = e8_side_text(side, "run", "id", arena);
    const char *started = e8_side_text(side, "run", "started", arena);
    bool timed = strlen(started) >= 19, numbered = id[0] && strcmp(id, "0") != 0;
    return e8_arena_printf(arena, "%s%s%s%s%.10s%s%.8s%s", name[0] ? name : "emit8",
                           numbered ? " · run " : "", numbered ? id : "", timed ? " · " : "", started,
                           timed ? " " : "", timed ? started + 11 : "", timed ? " UTC" : "");
}
