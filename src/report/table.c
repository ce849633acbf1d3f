#include <stdlib.h>
#include <string.h>

#include "report/parts.h"

enum { INDENT = 2, GAP = 2, BAR_LEAST = 6, BAR_MOST = 60 };

void e8_table_init(struct e8_table *table, const struct e8_column *columns, size_t count)
{
    E8_ASSERT(count > 0 && count <= E8_COLUMNS_MAX);
    *table = (struct e8_table){.arena = e8_arena_new(), .columns = columns, .column_count = count};
}

void e8_table_fini(struct e8_table *table)
{
    e8_arena_free(&table->arena);
    free(table->cells);
    *table = (struct e8_table){0};
}

static void add(struct e8_table *table, struct e8_cell cell)
{
    if (table->count == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = e8_resize(table->cells, table->room, sizeof(*table->cells));
    }
    table->cells[table->count++] = cell;
}

void e8_table_cell(struct e8_table *table, enum e8_ink ink, const char *text)
{
    char memory[1024];
    struct e8_buf clean;
    e8_buf_fixed(&clean, memory, sizeof(memory));
    e8_buf_put_clean(&clean, e8_str(text));
    add(table, (struct e8_cell){e8_arena_str(table->arena, e8_buf_str(&clean)).p, ink, 0});
}

void e8_table_count(struct e8_table *table, enum e8_ink ink, uint64_t count)
{
    char text[E8_NUMBER_MAX];
    e8_table_cell(table, ink, e8_count_text(count, text));
}

void e8_table_bar(struct e8_table *table, enum e8_ink ink, double share)
{
    add(table, (struct e8_cell){"", ink, share});
}

static void measure(const struct e8_table *table, size_t widths[])
{
    E8_ASSERT(table->column_count);
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = table->columns[i].bar ? BAR_LEAST : e8_text_width(e8_str(table->columns[i].title));
    for (size_t i = 0; i < table->count; i++) {
        size_t width = e8_text_width(e8_str(table->cells[i].text)), column = i % table->column_count;
        if (width > widths[column])
            widths[column] = width;
    }
}

/* A width of 0 is a column left out. */
static size_t total(const struct e8_table *table, const size_t widths[])
{
    size_t sum = INDENT;
    for (size_t i = 0; i < table->column_count; i++)
        sum += widths[i] ? widths[i] + (sum > INDENT ? GAP : 0) : 0;
    return sum;
}

static bool all_zero(const struct e8_table *table, size_t column)
{
    for (size_t i = column; i < table->count; i += table->column_count)
        if (strcmp(table->cells[i].text, "0") != 0)
            return false;
    return true;
}

static int drop_of(const struct e8_table *table, size_t column)
{
    const struct e8_column *c = &table->columns[column];
    return c->zeros && all_zero(table, column) ? c->zeros : c->drop;
}

static bool drop_one(const struct e8_table *table, size_t widths[])
{
    size_t found = table->column_count;
    int most = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        int drop = drop_of(table, i);
        if (widths[i] && drop > most) {
            most = drop;
            found = i;
        }
    }
    if (found == table->column_count)
        return false;
    widths[found] = 0;
    return true;
}

/* The widest of those that may be cut loses a column. */
static bool cut_one(const struct e8_table *table, size_t widths[])
{
    size_t found = table->column_count;
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].least && widths[i] > table->columns[i].least &&
            (found == table->column_count || widths[i] > widths[found]))
            found = i;
    if (found == table->column_count)
        return false;
    widths[found]--;
    return true;
}

static size_t least_total(const struct e8_table *table, const size_t widths[])
{
    size_t sum = total(table, widths);
    for (size_t i = 0; i < table->column_count; i++) {
        const struct e8_column *column = &table->columns[i];
        size_t least = column->wish > column->least ? column->wish : column->least;
        if (column->least && widths[i] > least)
            sum -= widths[i] - least;
    }
    return sum;
}

static void fit(const struct e8_table *table, size_t width, size_t widths[])
{
    while (least_total(table, widths) > width && drop_one(table, widths))
        ;
    while (total(table, widths) > width && cut_one(table, widths))
        ;
    for (size_t i = 0; i < table->column_count; i++)
        while (table->columns[i].bar && widths[i] && widths[i] < BAR_MOST && total(table, widths) < width)
            widths[i]++;
}

static void put_cell(struct e8_page *page, const struct e8_column *column, const struct e8_cell *cell,
                     size_t width)
{
    if (column->bar)
        e8_page_bar(page, cell->ink, cell->share, width);
    else if (column->middle)
        e8_page_put_middle(page, cell->ink, e8_str(cell->text), width);
    else
        e8_page_put(page, cell->ink, e8_str(cell->text), width, column->right ? 'r' : 'l');
}

static void put_row(const struct e8_table *table, struct e8_page *page, const size_t widths[],
                    const struct e8_cell *cells)
{
    size_t gap = INDENT, at = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        if (!widths[i])
            continue;
        e8_page_spaces(page, gap);
        at += gap;
        if (table->columns[i].wrap) {
            e8_page_wrap_ink(page, cells[i].ink, e8_str(cells[i].text), at, at);
            return;
        }
        put_cell(page, &table->columns[i], &cells[i], widths[i]);
        at += widths[i];
        gap = GAP;
    }
    e8_page_line(page);
}

void e8_table_write(struct e8_table *table, struct e8_page *page)
{
    size_t widths[E8_COLUMNS_MAX];
    struct e8_cell heading[E8_COLUMNS_MAX];
    bool titled = false;
    E8_ASSERT(table->count % table->column_count == 0);
    measure(table, widths);
    fit(table, page->width, widths);
    for (size_t i = 0; i < table->column_count; i++) {
        const char *title = table->columns[i].title;
        heading[i] = (struct e8_cell){title ? title : "", E8_DIM, 0};
        titled |= title != NULL;
    }
    if (titled)
        put_row(table, page, widths, heading);
    for (size_t i = 0; i < table->count; i += table->column_count)
        put_row(table, page, widths, &table->cells[i]);
}
