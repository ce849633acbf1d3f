/* Files of rows: RFC 4180, with LF as well as CRLF. Each cell knows where it stands. */
#include <string.h>

#include "scenario/vars.h"

static struct e8_node place(const struct e8_csv *csv)
{
    return (struct e8_node){.doc = csv->doc, .line = csv->line, .col = csv->col};
}

static char here(const struct e8_csv *csv)
{
    return csv->at < csv->text.n ? csv->text.p[csv->at] : '\0';
}

static void step(struct e8_csv *csv)
{
    char c = csv->text.p[csv->at++];
    if (c == '\n') {
        csv->line++;
        csv->col = 1;
    } else if (((unsigned char)c & 0xC0) != 0x80) {
        csv->col++;
    }
}

static bool at_end(const struct e8_csv *csv)
{
    return csv->at == csv->text.n;
}

static bool at_break(const struct e8_csv *csv)
{
    return here(csv) == '\n' ||
           (here(csv) == '\r' && csv->at + 1 < csv->text.n && csv->text.p[csv->at + 1] == '\n');
}

static void skip_break(struct e8_csv *csv)
{
    if (here(csv) == '\r') {
        step(csv);
    }
    if (!at_end(csv)) {
        step(csv);
    }
}

static bool read_quoted(struct e8_csv *csv, struct e8_buf *out)
{
    struct e8_node start = place(csv);
    step(csv);
    for (; !at_end(csv); step(csv)) {
        if (here(csv) != '"') {
            e8_buf_putc(out, here(csv));
        } else if (csv->at + 1 < csv->text.n && csv->text.p[csv->at + 1] == '"') {
            step(csv);
            e8_buf_putc(out, '"');
        } else {
            step(csv);
            if (at_end(csv) || at_break(csv) || here(csv) == ',') {
                return true;
            }
            start = place(csv);
            e8_parse_fail(csv->p, &start, "a quote in a quoted value is written twice: \"\"",
                          "there is text behind the closing quote");
            return false;
        }
    }
    e8_parse_fail(csv->p, &start, NULL, "this quote is not closed");
    return false;
}

static bool read_plain(struct e8_csv *csv, struct e8_buf *out)
{
    for (; !at_end(csv) && !at_break(csv) && here(csv) != ','; step(csv)) {
        if (here(csv) == '"') {
            struct e8_node at = place(csv);
            e8_parse_fail(csv->p, &at, "put the whole value in quotes, and write this one twice: \"\"",
                          "a quote in a value without quotes");
            return false;
        }
        e8_buf_putc(out, here(csv));
    }
    return true;
}

/* One cell: what is quoted is a text, what is not may be a number. */
static struct e8_node *read_cell(struct e8_csv *csv, struct e8_arena *arena)
{
    struct e8_node at = place(csv), *node = NULL;
    struct e8_buf value;
    e8_buf_init(&value, SIZE_MAX / 2);
    bool quoted = here(csv) == '"';
    if (quoted ? read_quoted(csv, &value) : read_plain(csv, &value)) {
        if (quoted) {
            node = e8_arena_alloc(arena, sizeof *node);
            *node = at;
            node->kind = E8_STRING;
            node->b = true; /* nothing in it is replaced */
            node->text = e8_arena_str(arena, e8_buf_str(&value));
        } else {
            node = e8_vars_typed(arena, e8_buf_str(&value), &at);
        }
        node->quoted = quoted;
    }
    e8_buf_fini(&value);
    return node;
}

static void add(struct e8_node *parent, struct e8_node *child)
{
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
    parent->count++;
}

/* A line as a list of cells; NULL at the end or after a fault. */
static struct e8_node *read_row(struct e8_csv *csv, struct e8_arena *arena)
{
    while (!at_end(csv) && at_break(csv)) {
        skip_break(csv);
    }
    if (at_end(csv)) {
        return NULL;
    }
    struct e8_node *row = e8_arena_alloc(arena, sizeof *row);
    *row = place(csv);
    row->kind = E8_SEQ;
    for (;;) {
        struct e8_node *cell = read_cell(csv, arena);
        if (!cell) {
            return NULL;
        }
        add(row, cell);
        if (here(csv) != ',' || at_end(csv)) {
            break;
        }
        step(csv);
    }
    if (!at_end(csv)) {
        skip_break(csv);
    }
    return row;
}

static bool check_names(struct e8_csv *csv)
{
    for (struct e8_node *name = csv->names->first; name; name = name->next) {
        name->text = e8_str_trim(name->text);
        if (name->text.n == 0) {
            e8_parse_fail(csv->p, name, "the first line names the columns", "a column has no name");
            return false;
        }
        for (const struct e8_node *other = csv->names->first; other != name; other = other->next) {
            if (e8_str_eq(other->text, name->text)) {
                e8_parse_fail(csv->p, name, NULL, "column \"%.*s\" stands twice", E8_STR(name->text));
                return false;
            }
        }
    }
    return true;
}

/* Is it a text? Where it is none, the first byte that is to blame is told. */
static bool check_bytes(struct e8_csv *csv)
{
    const char *nul = csv->text.n ? memchr(csv->text.p, '\0', csv->text.n) : NULL;
    size_t end = e8_utf8_valid(csv->text);
    bool zero = nul && (size_t)(nul - csv->text.p) < end;
    end = zero ? (size_t)(nul - csv->text.p) : end;
    if (end == csv->text.n) {
        return true;
    }
    while (csv->at < end) {
        step(csv);
    }
    struct e8_node at = place(csv);
    if (zero) {
        e8_parse_fail(csv->p, &at, "a file of rows is text", "there is a NUL byte");
    } else {
        e8_parse_fail(csv->p, &at, "save the file as UTF-8", "byte 0x%02X is not valid UTF-8",
                      (unsigned)(unsigned char)csv->text.p[end]);
    }
    return false;
}

bool e8_csv_begin(struct e8_csv *csv, struct e8_parser *p, const struct e8_doc *doc, struct e8_str text)
{
    *csv = (struct e8_csv){.p = p, .doc = doc, .text = text, .line = 1, .col = 1, .arena = e8_arena_new()};
    if (e8_str_starts(text, "\xEF\xBB\xBF")) {
        csv->at = 3;
    }
    struct e8_node top = place(csv);
    size_t before = p->errs->total;
    if (!check_bytes(csv)) {
        return false;
    }
    csv->names = read_row(csv, csv->arena);
    if (!csv->names && p->errs->total == before) {
        e8_parse_fail(p, &top, "the first line names the columns", "the file is empty");
    }
    if (csv->names && csv->names->count > E8_COLUMNS_MAX) {
        e8_parse_fail(p, &top, NULL, "more than %d columns", E8_COLUMNS_MAX);
        return false;
    }
    return csv->names && check_names(csv);
}

const struct e8_node *e8_csv_next(struct e8_csv *csv, struct e8_arena *arena)
{
    struct e8_node *row = read_row(csv, arena);
    if (!row) {
        return NULL;
    }
    if (row->count != csv->names->count) {
        e8_parse_fail(csv->p, row, "each line has as many as the first", "%u %s, but there are %u columns",
                      row->count, row->count == 1 ? "value" : "values", csv->names->count);
        csv->at = csv->text.n;
        return NULL;
    }
    row->kind = E8_MAP;
    const struct e8_node *name = csv->names->first;
    for (struct e8_node *cell = row->first; cell; cell = cell->next, name = name->next) {
        cell->key = name->text;
        cell->key_line = cell->line;
        cell->key_col = cell->col;
    }
    return row;
}

void e8_csv_end(struct e8_csv *csv)
{
    e8_arena_free(&csv->arena);
}
