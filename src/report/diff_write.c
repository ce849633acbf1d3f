#include <math.h>
#include <string.h>

#include "report/figures.h"
#include "report/parts.h"

#define RUN_MAX ((size_t)8 << 20)

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

#define FEW "too few samples"

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
    e8_table_cell(table, changes[change].ink,
                  e8_change_is_for_lack(change, &range) ? FEW : changes[change].text);
}

static void put_figures(const struct e8_figures *figures, struct e8_page *page)
{
    static const struct e8_column columns[] = {{.title = "", .least = 12, .wish = 32},
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
    [E8_RULE_NOISE] = {"≈", "within noise", "noise", E8_YELLOW},
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
        e8_diff_figures(diff, i, &spec, figures);
        e8_table_cell(&table, results[diff->results[i]].ink, results[diff->results[i]].mark);
        e8_table_cell(&table, E8_PLAIN, diff->rules[i].of.text);
        for (size_t s = 0; s < 2; s++)
            e8_table_cell(&table, E8_PLAIN, e8_figure_text(e8_figure_unit(&spec), &figures[s], text));
        if (diff->rules[i].relative)
            e8_figure_relative(&figures[0], &figures[1], text);
        else
            e8_figure_delta(e8_figure_unit(&spec), &figures[0], &figures[1], text);
        e8_table_cell(&table, results[diff->results[i]].ink, text);
        struct e8_range range;
        enum e8_change change = e8_figure_change(&figures[0], &figures[1], 0, &range);
        bool few = diff->results[i] == E8_RULE_NOISE && e8_change_is_for_lack(change, &range);
        e8_table_cell(&table, results[diff->results[i]].ink, few ? FEW : results[diff->results[i]].text);
    }
    e8_table_write(&table, page);
    e8_table_fini(&table);
}

static void write_text(const struct e8_diff *diff, struct e8_page *page)
{
    size_t width = strlen(verdicts[diff->verdict].word);
    e8_text_sides(diff->sides, 2, page);
    put_figures(diff->figures, page);
    put_rules(diff, page);
    e8_text_remarks(&diff->remarks, page);
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
        e8_diff_figures(diff, i, &spec, figures);
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
    e8_buf_init(&run, RUN_MAX);
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
    put_json_texts(w, "obstacles", diff->remarks.obstacles, diff->remarks.obstacle_count);
    put_json_texts(w, "notes", diff->remarks.notes, diff->remarks.note_count);
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
