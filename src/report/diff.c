#include "report/diff.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
#include "report/parts.h"

#define SIDE_MAX    ((size_t)8 << 20)
#define SIDE_ROWS   2000 /* endpoints, types and steps of a report that is made of a log */
#define RATE_DIFFER 0.01 /* of planned rates */

enum e8_rc e8_side_make(const struct e8_report *report, struct e8_doc **out, struct e8_err *err)
{
    struct e8_buf text;
    e8_buf_init(&text, SIDE_MAX);
    struct e8_json json = e8_json_new(&text, 0);
    e8_json_report(report, SIDE_ROWS, &json, NULL);
    enum e8_rc rc = text.full ? e8_fail(err, E8_INPUT, NULL, "the report is too large to be compared")
                              : e8_doc_parse("the report", e8_buf_str(&text), E8_DOC_JSON, out, err);
    e8_buf_fini(&text);
    return rc;
}

enum e8_rc e8_side_check(const struct e8_node *root, const char *name, struct e8_err *err)
{
    static const char *const maps[] = {"run", "totals", "response_time_ms", "status", "outcomes"};
    const struct e8_node *version = e8_node_get(root, "schema_version");
    bool good = version && version->kind == E8_INT && version->i == 1;
    for (size_t i = 0; i < E8_COUNT(maps); i++) {
        const struct e8_node *node = e8_node_get(root, maps[i]);
        good = good && node && node->kind == E8_MAP;
    }
    return good ? E8_OK
                : e8_fail(err, E8_INPUT, "emit8 report --format json writes one",
                          "%s is no report of a run of emit8", name);
}

/* ---- can they be compared? ---- */

static void say(char (*texts)[E8_DIFF_TEXT], size_t *count, const char *format, va_list args)
{
    char text[E8_DIFF_TEXT];
    struct e8_buf clean;
    if (*count == E8_DIFF_TEXTS)
        return;
    vsnprintf(text, sizeof(text), format, args);
    e8_buf_fixed(&clean, texts[(*count)++], E8_DIFF_TEXT);
    e8_buf_put_clean(&clean, (struct e8_str){text, e8_utf8_valid(e8_str(text))});
    e8_buf_cstr(&clean);
}

static void object(struct e8_diff *diff, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void object(struct e8_diff *diff, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(diff->obstacles, &diff->obstacle_count, format, args);
    va_end(args);
}

static void note(struct e8_diff *diff, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct e8_diff *diff, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(diff->notes, &diff->note_count, format, args);
    va_end(args);
}

static void check_valid(struct e8_diff *diff)
{
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < 2; i++) {
        const struct e8_side *side = &diff->sides[i];
        const struct e8_node *interrupted = e8_node_get(e8_node_get(side->report, "run"), "interrupted");
        char letter = e8_side_letter(i);
        if (strcmp(e8_side_text(side, NULL, "verdict", arena), "invalid") == 0)
            object(diff, "%c is invalid: %s", letter, e8_side_text(side, NULL, "reason", arena));
        else if (interrupted && interrupted->kind == E8_BOOL && interrupted->b)
            note(diff, "%c was interrupted", letter);
    }
    e8_arena_free(&arena);
}

static bool rate_judged(const struct e8_node *report, double *planned)
{
    const struct e8_node *generator = e8_node_get(report, "generator");
    const struct e8_node *judged = e8_node_get(generator, "rate_judged");
    return judged && judged->kind == E8_BOOL && judged->b &&
           e8_figure_number(generator, "planned_per_s", planned) && *planned > 0;
}

/* Of random arrivals the rate differs a little from run to run. */
static bool rates_differ(const struct e8_diff *diff, double planned[2])
{
    struct e8_range ranges[2];
    for (size_t i = 0; i < 2; i++) {
        double count = 0;
        if (!rate_judged(diff->sides[i].report, &planned[i]))
            return false;
        e8_figure_number(e8_node_get(diff->sides[i].report, "totals"), "planned", &count);
        ranges[i] = e8_range_of_rate(planned[i], count);
    }
    struct e8_range change = e8_range_of_change(planned[0], ranges[0], planned[1], ranges[1]);
    return fabs(planned[1] - planned[0]) > RATE_DIFFER * planned[0] && (change.low > 0 || change.high < 0);
}

static void check_plan(struct e8_diff *diff, bool any_plan)
{
    void (*say_so)(struct e8_diff *, const char *, ...) = any_plan ? note : object;
    struct e8_arena *arena = e8_arena_new();
    const char *names[2], *digests[2];
    char a[E8_NUMBER_MAX], b[E8_NUMBER_MAX];
    double planned[2];
    for (size_t i = 0; i < 2; i++) {
        names[i] = e8_side_text(&diff->sides[i], "run", "name", arena);
        digests[i] = e8_side_text(&diff->sides[i], "run", "scenario_digest", arena);
    }
    if (strcmp(names[0], names[1]) != 0)
        say_so(diff, "the plans differ: \"%.60s\" and \"%.60s\"", names[0], names[1]);
    else if (strcmp(digests[0], digests[1]) != 0)
        say_so(diff, "the plans differ: their digests are %.12s… and %.12s…", digests[0], digests[1]);
    if (rates_differ(diff, planned))
        say_so(diff, "the planned rates differ: %s and %s", e8_rate_text(planned[0], a),
               e8_rate_text(planned[1], b));
    e8_arena_free(&arena);
}

static const char *targets_of(const struct e8_side *side, struct e8_arena *arena)
{
    const struct e8_node *list = e8_node_get(side->report, "endpoints");
    const char *all = "";
    for (const struct e8_node *node = list && list->kind == E8_SEQ ? list->first : NULL; node;
         node = node->next) {
        const struct e8_node *url = e8_node_get(node, "url");
        if (url && url->kind == E8_STRING)
            all = e8_arena_printf(arena, "%s%s%.*s", all, all[0] ? " " : "", E8_STR(url->text));
    }
    return all;
}

static void check_circumstances(struct e8_diff *diff)
{
    static const struct {
        const char *key, *text;
        int shown;
    } rows[] = {
        {"seed", "the seeds differ, and so do the events", 20},
        {"version", "the versions of emit8 differ", 40},
        {"workers", "the numbers of workers differ", 20},
        {"fixtures_digest", "the fixtures differ", 12},
    };
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const char *a = e8_side_text(&diff->sides[0], "run", rows[i].key, arena);
        const char *b = e8_side_text(&diff->sides[1], "run", rows[i].key, arena);
        if (a[0] && b[0] && strcmp(a, b) != 0)
            note(diff, "%s: %.*s and %.*s", rows[i].text, rows[i].shown, a, rows[i].shown, b);
    }
    const char *a = targets_of(&diff->sides[0], arena), *b = targets_of(&diff->sides[1], arena);
    if (strcmp(a, b) != 0)
        note(diff, "the targets differ: %.80s and %.80s", a, b);
    e8_arena_free(&arena);
}

/* As the warning of a report has it. */
static void check_lag(struct e8_diff *diff)
{
    static const struct e8_figure_spec lag = {.what = E8_FIGURE_TIME, .times = "send_lag_ms", .key = "p99"},
                                       response = {
                                           .what = E8_FIGURE_TIME, .times = "response_time_ms", .key = "p50"};
    for (size_t i = 0; i < 2; i++) {
        struct e8_figure late = e8_figure_of(diff->sides[i].report, &lag),
                         median = e8_figure_of(diff->sides[i].report, &response);
        char text[E8_DUR_MAX];
        if (late.known && late.value > E8_NS_MS && late.value > median.value / 10)
            note(diff,
                 "emit8 itself was late in %c: its send lag p99 is %s, which the response times contain",
                 e8_side_letter(i), e8_dur_text((e8_dur_ns)late.value, text));
    }
}

/* ---- rules ---- */

static const char *key_of(double quantile)
{
    for (size_t i = 0; i < E8_PERCENTILES; i++)
        if (fabs(e8_percentiles[i].q - quantile) < 1e-9)
            return e8_percentiles[i].key;
    return NULL;
}

static bool spec_of(const struct e8_threshold *rule, struct e8_figure_spec *out)
{
    static const char *const times[] = {[E8_OF_RESPONSE] = "response_time_ms",
                                        [E8_OF_SERVICE] = "service_time_ms",
                                        [E8_OF_LAG] = "send_lag_ms"};
    *out = (struct e8_figure_spec){
        .what = E8_FIGURE_TIME,
        .list = rule->endpoint[0] ? "endpoints"
                : rule->type[0]   ? "types"
                                  : NULL,
        .scope = rule->endpoint[0] ? rule->endpoint : rule->type,
        .times = times[rule->of],
        .low = rule->status_low,
        .high = rule->status_high,
    };
    switch (rule->measure) {
    case E8_MEASURE_QUANTILE:
        out->key = key_of(rule->quantile);
        return out->key != NULL;
    case E8_MEASURE_MIN:
        out->key = "min";
        return true;
    case E8_MEASURE_MEAN:
        out->key = "mean";
        return true;
    case E8_MEASURE_MAX:
        out->key = "max";
        return true;
    case E8_MEASURE_SUCCESS:
        out->what = E8_FIGURE_SUCCESS;
        return true;
    case E8_MEASURE_STATUS:
        out->what = E8_FIGURE_STATUS;
        return !out->list;
    case E8_MEASURE_OUTCOME:
        out->what = E8_FIGURE_OUTCOME;
        out->key = rule->outcome;
        return !out->list;
    case E8_MEASURE_RATE:
        out->what = E8_FIGURE_RATE;
        return !out->list;
    case E8_MEASURE_FAILED:
    case E8_MEASURE_RETRIES:
    case E8_MEASURE_UNMET:
        out->what = E8_FIGURE_TOTAL;
        out->key = rule->measure == E8_MEASURE_FAILED    ? "failed"
                   : rule->measure == E8_MEASURE_RETRIES ? "retries"
                                                         : "unmet";
        return true;
    }
    E8_UNREACHABLE();
}

static bool names_it(const struct e8_side *side, const struct e8_figure_spec *spec)
{
    const struct e8_node *list = e8_node_get(side->report, spec->list);
    for (const struct e8_node *node = list && list->kind == E8_SEQ ? list->first : NULL; node;
         node = node->next) {
        const struct e8_node *name = e8_node_get(node, "name");
        if (name && name->kind == E8_STRING && e8_str_is(name->text, spec->scope))
            return true;
    }
    return false;
}

static enum e8_rc check_rules(const struct e8_diff *diff, struct e8_err *err)
{
    for (size_t i = 0; i < diff->rule_count; i++) {
        const struct e8_threshold *rule = &diff->rules[i].of;
        struct e8_figure_spec spec;
        if (!spec_of(rule, &spec))
            return e8_fail(err, E8_INPUT,
                           "p(50), p(75), p(90), p(95), p(99), p(99.9), min, mean, max, success, failed, "
                           "retries; of all "
                           "also rate, status, outcome",
                           "\"%s\" is of nothing that reports have", rule->text);
        if (spec.list && !names_it(&diff->sides[0], &spec) && !names_it(&diff->sides[1], &spec))
            return e8_fail(err, E8_INPUT, "one name; patterns are for thresholds",
                           "\"%s\": no report has the %s \"%s\"", rule->text,
                           rule->endpoint[0] ? "endpoint" : "type", spec.scope);
    }
    return E8_OK;
}

static void figures_of_rule(const struct e8_diff *diff, size_t rule, struct e8_figure_spec *spec,
                            struct e8_figure out[2])
{
    spec_of(&diff->rules[rule].of, spec);
    for (size_t i = 0; i < 2; i++)
        out[i] = e8_figure_of(diff->sides[i].report, spec);
}

static enum e8_rule_result judge(const struct e8_diff *diff, size_t rule, bool strict)
{
    struct e8_figure_spec spec;
    struct e8_figure figures[2];
    struct e8_range range;
    figures_of_rule(diff, rule, &spec, figures);
    if (!figures[0].known || !figures[1].known)
        return E8_RULE_NOT_MEASURED;
    if (!e8_regression_found(&diff->rules[rule], figures[0].value, figures[1].value))
        return E8_RULE_HOLDS;
    bool noise = e8_figure_change(&figures[0], &figures[1], 0, &range) == E8_CHANGE_NOISE;
    return noise && !strict ? E8_RULE_NOISE : E8_RULE_FAILS;
}

/* ---- the verdict ---- */

static size_t count_changes(const struct e8_diff *diff, enum e8_change which)
{
    size_t n = 0;
    for (size_t i = 0; i < diff->figures->count; i++) {
        const struct e8_figure_row *row = &diff->figures->rows[i];
        struct e8_range range;
        n += e8_figure_change(&row->figures[0], &row->figures[1], row->better, &range) == which;
    }
    return n;
}

static void conclude(struct e8_diff *diff)
{
    size_t failed = 0, first = 0;
    for (size_t i = diff->rule_count; i-- > 0;) {
        bool fails = diff->results[i] == E8_RULE_FAILS || diff->results[i] == E8_RULE_NOT_MEASURED;
        failed += fails;
        first = fails ? i : first;
    }
    diff->verdict = diff->obstacle_count ? E8_INVALID : failed ? E8_FAIL : E8_PASS;
    if (diff->obstacle_count)
        snprintf(diff->reason, sizeof(diff->reason), "the runs cannot be compared: %s", diff->obstacles[0]);
    else if (failed)
        snprintf(diff->reason, sizeof(diff->reason), "%zu of %zu rule%s fail%s: %s", failed, diff->rule_count,
                 e8_plural(diff->rule_count), failed == 1 ? "s" : "", diff->rules[first].of.text);
    else
        snprintf(diff->reason, sizeof(diff->reason), "%zu figures are better, %zu worse, %zu within noise%s",
                 count_changes(diff, E8_CHANGE_BETTER), count_changes(diff, E8_CHANGE_WORSE),
                 count_changes(diff, E8_CHANGE_NOISE), diff->rule_count ? "; no rule fails" : "");
}

enum e8_rc e8_diff_make(const struct e8_side sides[2], const struct e8_regression *rules, size_t count,
                        struct e8_diff_options options, struct e8_diff **out, struct e8_err *err)
{
    E8_ASSERT(count <= E8_RULES_MOST);
    struct e8_diff *diff = e8_new(1, sizeof(*diff));
    *diff = (struct e8_diff){.sides = sides, .rules = rules, .rule_count = count};
    enum e8_rc rc = check_rules(diff, err);
    if (rc) {
        e8_diff_free(&diff);
        return rc;
    }
    diff->figures = e8_new(1, sizeof(*diff->figures));
    e8_figures_init(diff->figures, sides, 2);
    check_valid(diff);
    check_plan(diff, options.any_plan);
    check_circumstances(diff);
    check_lag(diff);
    for (size_t i = 0; i < count; i++)
        diff->results[i] = judge(diff, i, options.strict);
    conclude(diff);
    *out = diff;
    return E8_OK;
}

void e8_diff_free(struct e8_diff **diff)
{
    if (!*diff)
        return;
    if ((*diff)->figures)
        e8_figures_fini((*diff)->figures);
    free((*diff)->figures);
    free(*diff);
    *diff = NULL;
}

/* ---- text ---- */

#define NOISE                                                                                                \
    "Noise is what the samples of a run leave open (99 %). Runs differ by more than that: repeat them to "   \
    "know "                                                                                                  \
    "by how much."

static const struct {
    const char *word;
    enum e8_ink ink;
} verdicts[] = {[E8_PASS] = {"PASS", E8_GREEN},
                [E8_FAIL] = {"FAIL", E8_RED},
                [E8_INVALID] = {"NOT COMPARABLE", E8_YELLOW}};

static const struct {
    const char *text;
    enum e8_ink ink;
} changes[] = {
    [E8_CHANGE_NONE] = {"", E8_DIM},           [E8_CHANGE_NOISE] = {"within noise", E8_DIM},
    [E8_CHANGE_BETTER] = {"better", E8_GREEN}, [E8_CHANGE_WORSE] = {"worse", E8_RED},
    [E8_CHANGE_OTHER] = {"", E8_PLAIN},        [E8_CHANGE_UNKNOWN] = {"not measured", E8_DIM},
};

static void put_row(struct e8_table *table, const struct e8_figure_row *row)
{
    const struct e8_figure *a = &row->figures[0], *b = &row->figures[1];
    enum e8_figure_unit unit = e8_figure_unit(&row->spec);
    struct e8_range range;
    enum e8_change change = e8_figure_change(a, b, row->better, &range);
    char text[E8_FIGURE_TEXT_MAX];
    e8_table_cell(table, E8_PLAIN, e8_figure_text(unit, a, text));
    e8_table_cell(table, E8_PLAIN, e8_figure_text(unit, b, text));
    e8_table_cell(table, changes[change].ink, e8_figure_delta(unit, a, b, text));
    e8_table_cell(table, changes[change].ink, e8_figure_relative(a, b, text));
    e8_table_cell(table, changes[change].ink, changes[change].text);
}

static void put_figures(const struct e8_figures *figures, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = "", .least = 12},
                                               {.title = ""},
                                               {.title = "A", .right = true},
                                               {.title = "B", .right = true},
                                               {.title = "change", .right = true, .drop = 1},
                                               {.title = "", .right = true, .drop = 2},
                                               {.title = ""}};
    for (size_t i = 0; i < figures->count;) {
        const char *title = figures->rows[i].title;
        size_t first = figures->rows[i].scope ? 0 : 1;
        struct e8_table table;
        e8_page_section(page, title, NULL);
        e8_table_init(&table, columns + first, E8_COUNT(columns) - first);
        for (; i < figures->count && figures->rows[i].title == title; i++) {
            e8_text_figure_name(&table, figures, i);
            put_row(&table, &figures->rows[i]);
        }
        e8_table_write(&table, page);
        e8_table_fini(&table);
    }
}

static const struct {
    const char *mark, *text, *name;
    enum e8_ink ink;
} results[] = {
    [E8_RULE_HOLDS] = {"✓", "", "holds", E8_GREEN},
    [E8_RULE_NOISE] = {"~", "within noise", "noise", E8_YELLOW},
    [E8_RULE_FAILS] = {"✗", "fails", "fails", E8_RED},
    [E8_RULE_NOT_MEASURED] = {"✗", "not measured", "not_measured", E8_RED},
};

static void put_rules(const struct e8_diff *diff, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = NULL}, {.least = 16},   {.right = true},
                                               {.right = true}, {.right = true}, {.title = NULL}};
    struct e8_table table;
    if (diff->rule_count == 0)
        return;
    e8_page_section(page, "Fails if", NULL);
    e8_table_init(&table, columns, E8_COUNT(columns));
    for (size_t i = 0; i < diff->rule_count; i++) {
        struct e8_figure_spec spec;
        struct e8_figure figures[2];
        char text[E8_FIGURE_TEXT_MAX];
        figures_of_rule(diff, i, &spec, figures);
        e8_table_cell(&table, results[diff->results[i]].ink, results[diff->results[i]].mark);
        e8_table_cell(&table, E8_PLAIN, diff->rules[i].of.text);
        for (size_t s = 0; s < 2; s++)
            e8_table_cell(&table, E8_PLAIN, e8_figure_text(e8_figure_unit(&spec), &figures[s], text));
        if (diff->rules[i].relative)
            e8_figure_relative(&figures[0], &figures[1], text);
        else
            e8_figure_delta(e8_figure_unit(&spec), &figures[0], &figures[1], text);
        e8_table_cell(&table, results[diff->results[i]].ink, text);
        e8_table_cell(&table, results[diff->results[i]].ink, results[diff->results[i]].text);
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

static void put_texts(struct e8_page *page, const char *title, const char (*texts)[E8_DIFF_TEXT],
                      size_t count)
{
    if (count == 0)
        return;
    e8_page_section(page, title, NULL);
    for (size_t i = 0; i < count; i++) {
        e8_page_spaces(page, 2);
        e8_page_put(page, E8_YELLOW, E8_LIT("!"), 1, 0);
        e8_page_spaces(page, 2);
        e8_page_wrap(page, e8_str(texts[i]), 5, 5);
    }
}

static void write_text(const struct e8_diff *diff, struct e8_page *page)
{
    size_t width = strlen(verdicts[diff->verdict].word);
    e8_text_sides(diff->sides, 2, page);
    put_figures(diff->figures, page);
    put_rules(diff, page);
    put_texts(page, "Not comparable", (const char(*)[E8_DIFF_TEXT])diff->obstacles, diff->obstacle_count);
    put_texts(page, "What else differs", (const char(*)[E8_DIFF_TEXT])diff->notes, diff->note_count);
    e8_page_line(page);
    e8_page_wrap(page, E8_LIT(NOISE), 0, 0);
    e8_page_line(page);
    e8_page_put(page, verdicts[diff->verdict].ink, e8_str(verdicts[diff->verdict].word), width, 0);
    e8_page_spaces(page, 2);
    e8_page_wrap(page, e8_str(diff->reason), width + 2, width + 2);
}

/* ---- JSON ---- */

static double scale_of(enum e8_figure_unit unit)
{
    return unit == E8_UNIT_TIME ? 1 / (double)E8_NS_MS : 1;
}

static void put_number(struct e8_json *w, const char *key, bool known, double value)
{
    if (known && isfinite(value))
        e8_json_num(w, key, value, 9);
    else
        e8_json_null(w, key);
}

static void put_change(struct e8_json *w, const struct e8_figure_spec *spec,
                       const struct e8_figure figures[2], const struct e8_range *range)
{
    static const char *const units[] = {[E8_UNIT_TIME] = "ms",
                                        [E8_UNIT_SHARE] = "share",
                                        [E8_UNIT_RATE] = "per_s",
                                        [E8_UNIT_COUNT] = "count"};
    enum e8_figure_unit unit = e8_figure_unit(spec);
    const struct e8_figure *a = &figures[0], *b = &figures[1];
    bool known = a->known && b->known;
    double scale = scale_of(unit);
    e8_json_cstr(w, "unit", units[unit]);
    put_number(w, "before", a->known, a->value * scale);
    put_number(w, "after", b->known, b->value * scale);
    put_number(w, "change", known, (b->value - a->value) * scale);
    put_number(w, "relative", known && a->value > 0, a->value > 0 ? (b->value - a->value) / a->value : 0);
    e8_json_array(w, "ci99");
    put_number(w, NULL, true, range->low * scale);
    put_number(w, NULL, true, range->high * scale);
    e8_json_end(w, ']');
}

static void put_json_figures(struct e8_json *w, const struct e8_figures *figures)
{
    e8_json_array(w, "figures");
    for (size_t i = 0; i < figures->count; i++) {
        const struct e8_figure_row *row = &figures->rows[i];
        struct e8_range range;
        enum e8_change change = e8_figure_change(&row->figures[0], &row->figures[1], row->better, &range);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "group", row->group);
        e8_json_cstr(w, "scope", row->scope);
        e8_json_cstr(w, "name", row->name);
        put_change(w, &row->spec, row->figures, &range);
        e8_json_cstr(w, "judgement", e8_change_name(change));
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_json_rules(struct e8_json *w, const struct e8_diff *diff)
{
    e8_json_array(w, "rules");
    for (size_t i = 0; i < diff->rule_count; i++) {
        struct e8_figure_spec spec;
        struct e8_figure figures[2];
        struct e8_range range;
        figures_of_rule(diff, i, &spec, figures);
        e8_figure_change(&figures[0], &figures[1], 0, &range);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "rule", diff->rules[i].of.text);
        put_change(w, &spec, figures, &range);
        e8_json_cstr(w, "result", results[diff->results[i]].name);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_json_texts(struct e8_json *w, const char *key, const char (*texts)[E8_DIFF_TEXT],
                           size_t count)
{
    e8_json_array(w, key);
    for (size_t i = 0; i < count; i++)
        e8_json_cstr(w, NULL, texts[i]);
    e8_json_end(w, ']');
}

static void put_json_side(struct e8_json *w, const char *key, const struct e8_side *side)
{
    struct e8_buf run;
    e8_buf_init(&run, SIDE_MAX);
    e8_node_json(e8_node_get(side->report, "run"), &run);
    struct e8_arena *arena = e8_arena_new();
    e8_json_object(w, key);
    e8_json_cstr(w, "label", side->label);
    e8_json_cstr(w, "verdict", e8_side_text(side, NULL, "verdict", arena));
    e8_json_raw(w, "run", e8_buf_str(&run));
    e8_json_end(w, '}');
    e8_arena_free(&arena);
    e8_buf_fini(&run);
}

static void write_json(const struct e8_diff *diff, struct e8_buf *out)
{
    static const char *const words[] = {
        [E8_PASS] = "pass", [E8_FAIL] = "fail", [E8_INVALID] = "not_comparable"};
    struct e8_json json = e8_json_new(out, 2), *w = &json;
    e8_json_object(w, NULL);
    e8_json_int(w, "schema_version", 1);
    e8_json_cstr(w, "verdict", words[diff->verdict]);
    e8_json_cstr(w, "reason", diff->reason);
    put_json_side(w, "a", &diff->sides[0]);
    put_json_side(w, "b", &diff->sides[1]);
    put_json_texts(w, "obstacles", (const char(*)[E8_DIFF_TEXT])diff->obstacles, diff->obstacle_count);
    put_json_texts(w, "notes", (const char(*)[E8_DIFF_TEXT])diff->notes, diff->note_count);
    put_json_rules(w, diff);
    put_json_figures(w, diff->figures);
    e8_json_end(w, '}');
    e8_buf_putc(out, '\n');
}

enum e8_rc e8_diff_write(const struct e8_diff *diff, enum e8_format format, struct e8_style style, FILE *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, (size_t)64 << 20);
    if (format == E8_FORMAT_JSON) {
        write_json(diff, &buf);
    } else {
        struct e8_page page = e8_page_new(&buf, style);
        write_text(diff, &page);
    }
    bool whole = !buf.full;
    e8_buf_flush(&buf, out);
    e8_buf_fini(&buf);
    return !whole ? E8_LIMIT : fflush(out) == 0 ? E8_OK : E8_ENV;
}
