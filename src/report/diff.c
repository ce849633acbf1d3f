#include "report/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/figures.h"
#include "report/parts.h"

#define SIDE_MAX  ((size_t)8 << 20)
#define SIDE_ROWS 2000 /* endpoints, types and steps of a report that is made of a log */

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
    case E8_MEASURE_DROPPED:
        out->what = E8_FIGURE_TOTAL;
        out->key = rule->measure == E8_MEASURE_FAILED    ? "failed"
                   : rule->measure == E8_MEASURE_RETRIES ? "retries"
                   : rule->measure == E8_MEASURE_UNMET   ? "unmet"
                                                         : "dropped";
        return true;
    case E8_MEASURE_ATTEMPT_RATE:
        return false;
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
                           "also rate, dropped, status, outcome",
                           "\"%s\" is of nothing that reports have", rule->text);
        if (spec.list && !names_it(&diff->sides[0], &spec) && !names_it(&diff->sides[1], &spec))
            return e8_fail(err, E8_INPUT, "one name; patterns are for thresholds",
                           "\"%s\": no report has the %s \"%s\"", rule->text,
                           rule->endpoint[0] ? "endpoint" : "type", spec.scope);
    }
    return E8_OK;
}

void e8_diff_figures(const struct e8_diff *diff, size_t rule, struct e8_figure_spec *spec,
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
    e8_diff_figures(diff, rule, &spec, figures);
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

static bool has_failed(const struct e8_diff *diff, size_t rule)
{
    return diff->results[rule] == E8_RULE_FAILS || diff->results[rule] == E8_RULE_NOT_MEASURED;
}

/* The rules that failed, in their order: all of them, or as many as there is room for. */
static void tell_failed(struct e8_diff *diff, size_t failed)
{
    enum { MORE = 24 /* bytes for how many more there are */ };
    struct e8_buf buf;
    size_t told = 0;
    e8_buf_fixed(&buf, diff->reason, sizeof(diff->reason));
    e8_buf_printf(&buf, "%zu of %zu rule%s fail%s: ", failed, diff->rule_count, e8_plural(diff->rule_count),
                  failed == 1 ? "s" : "");
    for (size_t i = 0; i < diff->rule_count; i++) {
        const char *text = diff->rules[i].of.text;
        if (!has_failed(diff, i))
            continue;
        if (told > 0 && buf.n + strlen(text) + MORE > sizeof(diff->reason))
            break;
        e8_buf_printf(&buf, "%s%s", told++ > 0 ? ", " : "", text);
    }
    if (told < failed)
        e8_buf_printf(&buf, " and %zu more", failed - told);
    e8_buf_cstr(&buf);
}

static void conclude(struct e8_diff *diff)
{
    size_t failed = 0;
    for (size_t i = 0; i < diff->rule_count; i++)
        failed += has_failed(diff, i);
    diff->verdict = diff->remarks.obstacle_count ? E8_INVALID : failed ? E8_FAIL : E8_PASS;
    if (diff->remarks.obstacle_count)
        snprintf(diff->reason, sizeof(diff->reason), "the runs cannot be compared: %s",
                 diff->remarks.obstacles[0]);
    else if (failed)
        tell_failed(diff, failed);
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
    e8_remarks_add(&diff->remarks, &sides[0], &sides[1], options.any_plan);
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
