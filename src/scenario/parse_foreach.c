#include <stdlib.h>
#include <string.h>

#include "scenario/parse.h"

#define FAULTY_ROUNDS 20 /* after so many with faults the rest would say nothing new */

struct rounds {
    struct e8_parser *p;
    const struct e8_node *map, *steps;
    struct e8_str name;
    struct e8_list *list;
    struct e8_context *context;
    size_t made, faulty;
    bool fixed; /* the rounds are as many each time that the loop is met */
};

/* Before a loop of known length begins: what is far too much is told at once, not after a million rounds. Every loop makes a round
 * at least, so that one of unknown length counts as one. False: it is too much. */
static bool enter(struct rounds *r, uint64_t count)
{
    uint64_t outer = r->p->rounds ? r->p->rounds : 1;
    bool known = r->fixed || !r->p->rounds;
    uint64_t all = !known ? outer : count > UINT64_MAX / outer ? UINT64_MAX : outer * count;
    if (!e8_written_rounds(r->p, r->map, all > count ? all : count)) {
        return false;
    }
    r->p->rounds = all;
    return true;
}

/* False: it is enough. */
static bool make_round(struct rounds *r, const struct e8_node *value)
{
    struct e8_parser *p = r->p;
    struct e8_scope scope = {r->name, value, p->scope};
    size_t before = p->errs->total;
    if (!e8_written_round(p, r->map)) {
        return false;
    }
    p->scope = &scope;
    e8_parse_steps_into(p, r->steps, r->list, r->context);
    p->scope = scope.outer;
    r->made++;
    r->faulty += p->errs->total != before;
    return r->faulty < FAULTY_ROUNDS;
}

static void each_row(struct rounds *r, const struct e8_node *path)
{
    struct e8_str text;
    struct e8_csv csv;
    size_t before = r->p->errs->total;
    const struct e8_doc *doc = e8_sources_rows(r->p, path, &text);
    if (!doc) {
        return;
    }
    bool more = e8_csv_begin(&csv, r->p, doc, text) && enter(r, 1);
    while (more) {
        struct e8_arena *arena = e8_arena_new();
        const struct e8_node *row = e8_csv_next(&csv, arena);
        more = row && make_round(r, row);
        e8_arena_free(&arena);
    }
    e8_csv_end(&csv);
    if (r->made == 0 && r->p->errs->total == before) {
        e8_parse_fail(r->p, path, "each line behind the first is a round", "\"%.*s\" has no rows",
                      E8_STR(path->text));
    }
}

static void each_number(struct rounds *r, const struct e8_node *node)
{
    struct e8_str low, high;
    uint64_t from, to;
    if (node->kind == E8_MAP || !e8_parse_range(node->text, &low, &high) || !e8_parse_u64(low, &from) ||
        !e8_parse_u64(high, &to) || from > to || to > INT64_MAX) {
        e8_parse_fail(r->p, node, "a list, {csv: users.csv}, or a range like 1..20",
                      "\"%.*s\" is nothing to go through", E8_STR(node->text));
        return;
    }
    if (!enter(r, to - from + 1)) {
        return;
    }
    for (uint64_t i = from; i <= to; i++) {
        char text[24];
        struct e8_buf buf;
        e8_buf_fixed(&buf, text, sizeof text);
        e8_buf_putu(&buf, i);
        struct e8_node number = {.kind = E8_INT,
                                 .i = (int64_t)i,
                                 .text = e8_buf_str(&buf),
                                 .doc = node->doc,
                                 .line = node->line,
                                 .col = node->col};
        if (!make_round(r, &number)) {
            return;
        }
    }
}

static void each_item(struct rounds *r, const struct e8_node *list)
{
    if (list->count == 0) {
        e8_parse_fail(r->p, list, "[ann, bob]", "the list is empty");
        return;
    }
    const struct e8_node *item = enter(r, list->count) ? list->first : NULL;
    while (item && make_round(r, item)) {
        item = item->next;
    }
}

void e8_parse_foreach(struct e8_parser *p, const struct e8_node *map, struct e8_list *list,
                      struct e8_context *context)
{
    static const char *const keys[] = {"foreach", "steps", NULL}, *const csv_keys[] = {"csv", NULL};
    const struct e8_node *what = e8_node_get(map, "foreach"), *steps = e8_node_get(map, "steps");
    e8_node_only(map, keys, p->errs);
    if (!steps) {
        e8_parse_fail(p, map, "foreach: {user: [ann, bob]} with steps: [ … ] beside it",
                      "foreach has no steps");
        return;
    }
    if (what->kind != E8_MAP || what->count != 1) {
        e8_parse_fail(p, what, "foreach: {user: [ann, bob]}, {row: {csv: users.csv}} or {n: 1..20}",
                      "foreach takes one variable");
        return;
    }
    if (!e8_vars_name_good(what->first->key)) {
        e8_parse_fail_key(p, what->first, "letters, digits and _; at most 64",
                          "\"%.*s\" is no variable's name", E8_STR(what->first->key));
        return;
    }
    const struct e8_node *value = e8_value(p, what->first), *csv = e8_node_get(value, "csv");
    struct rounds r = {p, map, steps, what->first->key, list, context, 0, 0, value == what->first};
    uint64_t outer = p->rounds;
    if (csv) {
        e8_node_only(value, csv_keys, p->errs);
        each_row(&r, csv);
    } else if (value->kind == E8_SEQ) {
        each_item(&r, value);
    } else {
        each_number(&r, value);
    }
    p->rounds = outer;
}
