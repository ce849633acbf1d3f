/* Several runs beside each other, as text. */
#include "report/figures.h"
#include "report/parts.h"

static const enum e8_ink inks[] = {
    [E8_CHANGE_NONE] = E8_DIM,  [E8_CHANGE_NOISE] = E8_DIM,   [E8_CHANGE_BETTER] = E8_GREEN,
    [E8_CHANGE_WORSE] = E8_RED, [E8_CHANGE_OTHER] = E8_PLAIN, [E8_CHANGE_UNKNOWN] = E8_DIM,
};

static void put_verdict(struct e8_page *page, const char *verdict)
{
    enum e8_ink ink = verdict[0] == 'p' ? E8_GREEN : verdict[0] == 'f' ? E8_RED : E8_YELLOW;
    e8_page_put(page, ink, e8_str(verdict), 8, 'l');
}

void e8_text_sides(const struct e8_side *sides, size_t count, struct e8_page *page)
{
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < count; i++) {
        char letter = sides[i].letter;
        const char *facts[] = {e8_side_title(&sides[i], arena), sides[i].label,
                               e8_side_text(&sides[i], NULL, "reason", arena)};
        e8_page_put(page, E8_BOLD, (struct e8_str){&letter, 1}, 1, 0);
        e8_page_spaces(page, 2);
        put_verdict(page, e8_side_text(&sides[i], NULL, "verdict", arena));
        e8_page_facts(page, facts, E8_COUNT(facts), 2, E8_PLAIN);
    }
    e8_arena_free(&arena);
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

void e8_text_remarks(const struct e8_remarks *remarks, struct e8_page *page)
{
    put_texts(page, "Not comparable", remarks->obstacles, remarks->obstacle_count);
    put_texts(page, "What else differs", remarks->notes, remarks->note_count);
}

/* "+10 %", "−0.2 pp"; "≈" where it is within noise, "~" where the samples are too few for that to be known. */
static const char *change_text(const struct e8_figure_row *row, size_t side, enum e8_change change,
                               const struct e8_range *range, struct e8_arena *arena)
{
    const char *mark = e8_change_is_for_lack(change, range) ? "~ " : change == E8_CHANGE_NOISE ? "≈ " : "";
    enum e8_figure_unit unit = e8_figure_unit(&row->spec);
    const struct e8_figure *a = &row->figures[0], *b = &row->figures[side];
    char text[E8_FIGURE_TEXT_MAX];
    e8_figure_relative(a, b, text);
    if (!text[0] || unit == E8_UNIT_SHARE || unit == E8_UNIT_COUNT)
        e8_figure_delta(unit, a, b, text);
    return e8_arena_printf(arena, "%s%s", text[0] ? mark : "", text);
}

/* A scope is written once for all of its figures. */
void e8_text_figure_name(struct e8_table *table, const struct e8_figures *figures, size_t i)
{
    const struct e8_figure_row *row = &figures->rows[i];
    bool again = i > 0 && figures->rows[i - 1].scope == row->scope;
    if (row->scope)
        e8_table_cell(table, E8_PLAIN, again ? "" : row->scope);
    e8_table_cell(table, E8_PLAIN, row->name);
}

static void put_row(struct e8_table *table, const struct e8_figure_row *row, size_t sides,
                    struct e8_arena *arena)
{
    char text[E8_FIGURE_TEXT_MAX];
    for (size_t i = 0; i < sides; i++) {
        struct e8_range range;
        enum e8_change change = e8_figure_change(&row->figures[0], &row->figures[i], row->better, &range);
        e8_table_cell(table, E8_PLAIN, e8_figure_text(e8_figure_unit(&row->spec), &row->figures[i], text));
        if (i > 0)
            e8_table_cell(table, inks[change], change_text(row, i, change, &range, arena));
    }
}

/* The first run has one column, each other one a second for what changed. */
static size_t columns_of(size_t sides, bool scoped, struct e8_column columns[2 * E8_REPORTS_MOST + 1])
{
    static const char *const letters[] = {"A", "B", "C", "D", "E", "F", "G", "H"};
    size_t n = 0;
    if (scoped)
        columns[n++] = (struct e8_column){.title = "", .least = 12};
    columns[n++] = (struct e8_column){.title = ""};
    for (size_t i = 0; i < sides; i++) {
        columns[n++] = (struct e8_column){.title = letters[i], .right = true, .drop = i ? (int)(2 * i) : 0};
        if (i > 0)
            columns[n++] = (struct e8_column){.title = "since A", .right = true, .drop = (int)(2 * i) + 1};
    }
    return n;
}

void e8_text_compared(const struct e8_figures *figures, struct e8_page *page)
{
    struct e8_column columns[2 * E8_REPORTS_MOST + 1];
    struct e8_arena *arena = e8_arena_new();
    for (size_t i = 0; i < figures->count;) {
        const char *title = figures->rows[i].title;
        size_t count = columns_of(figures->side_count, figures->rows[i].scope != NULL, columns);
        struct e8_table table;
        e8_page_section(page, title, i ? NULL : "≈ within noise, ~ too few samples");
        e8_table_init(&table, columns, count);
        for (; i < figures->count && figures->rows[i].title == title; i++) {
            e8_text_figure_name(&table, figures, i);
            put_row(&table, &figures->rows[i], figures->side_count, arena);
        }
        e8_table_write(&table, page);
        e8_table_fini(&table);
    }
    e8_arena_free(&arena);
}
