#include <string.h>

#include "template/program.h"

struct loading {
    struct e8_vocab *vocab;
    struct word_list *list;
    struct compiler c; /* for errors */
};

const struct word_list *e8_tpl_words(const struct e8_vocab *vocab, struct e8_str name)
{
    for (const struct word_list *list = vocab->lists; list; list = list->next)
        if (e8_str_eq(list->name, name))
            return list;
    return NULL;
}

uint64_t e8_tpl_start(struct e8_str key)
{
    uint64_t start = 0;

    if (key.n > 0)
        memcpy(&start, key.p, key.n < sizeof(start) ? key.n : sizeof(start));
    return start;
}

static struct choices *choices_of(const struct word_list *list, int column, enum form form)
{
    return list->choices + (size_t)((column + 1) * FORM_COUNT + (int)form) * list->key_count;
}

const struct choices *e8_tpl_choices(const struct word_list *list, int column, enum form form)
{
    return choices_of(list, column, form);
}

static int find_column(const struct word_list *list, struct e8_str name)
{
    for (size_t i = 0; i < list->column_count; i++)
        if (e8_str_eq(list->columns[i], name))
            return (int)i;
    return -1;
}

static bool fail(struct loading *l, const struct e8_node *node, const char *hint, const char *what)
{
    l->c.node = node;
    return e8_tpl_fail(&l->c, hint, "%s", what);
}

static void store(struct choices *choices, size_t at, struct e8_str text)
{
    choices->at[at] = text;
    if (text.n > choices->longest)
        choices->longest = text.n;
}

static struct e8_str json_of(struct loading *l, const struct e8_node *node)
{
    struct e8_buf buf;
    e8_buf_init(&buf, 6 * E8_FILE_MAX);
    e8_node_json(node, &buf);
    struct e8_str json = e8_tpl_piece(l->vocab->arena, e8_buf_str(&buf));
    e8_buf_fini(&buf);
    return json;
}

static void store_scalar(struct loading *l, const struct e8_node *node, int column, size_t key, size_t at)
{
    struct e8_str value = json_of(l, node), text = value;

    if (node->kind == E8_STRING)
        text = (struct e8_str){value.p + 1, value.n - 2};
    store(choices_of(l->list, column, FORM_VALUE) + key, at, value);
    store(choices_of(l->list, column, FORM_TEXT) + key, at, text);
    l->list->kinds[1 + column] |= node->kind == E8_STRING ? KIND_STRING : KIND_NUMBER;
}

static bool is_scalar(const struct e8_node *node)
{
    return node->kind == E8_STRING || node->kind == E8_INT || node->kind == E8_FLOAT;
}

static bool store_row(struct loading *l, const struct e8_node *row, size_t key, size_t at)
{
    bool ok = row->count == l->list->column_count ||
              fail(l, row, "the first row decides which", "rows must all have the same columns");

    for (const struct e8_node *cell = row->first; ok && cell; cell = cell->next) {
        int column = find_column(l->list, cell->key);
        if (column < 0)
            ok = fail(l, cell, "the first row decides which", "rows must all have the same columns");
        else if (!is_scalar(cell))
            ok = fail(l, cell, NULL, "a column holds strings and numbers");
        else
            store_scalar(l, cell, column, key, at);
    }
    if (ok)
        store(choices_of(l->list, -1, FORM_VALUE) + key, at, json_of(l, row));
    l->list->kinds[0] |= KIND_TREE;
    return ok;
}

static void make_choices(struct loading *l, size_t key, size_t count)
{
    struct word_list *list = l->list;

    for (size_t i = 0; i < (1 + list->column_count) * FORM_COUNT; i++) {
        struct e8_str *at = e8_arena_alloc(l->vocab->arena, count * sizeof(*at));
        list->choices[i * list->key_count + key] = (struct choices){.at = at, .count = (uint32_t)count};
    }
}

static bool load_elements(struct loading *l, const struct e8_node *seq, size_t key)
{
    bool ok = true;
    size_t at = 0;

    make_choices(l, key, seq->count);
    for (const struct e8_node *node = seq->first; node; node = node->next, at++) {
        if ((node->kind == E8_MAP) != (l->list->column_count > 0))
            ok = fail(l, node, NULL, "either all elements are rows, or none is");
        else if (node->kind == E8_MAP)
            ok = store_row(l, node, key, at) && ok;
        else if (is_scalar(node))
            store_scalar(l, node, -1, key, at);
        else
            ok = fail(l, node, NULL, "words are strings, numbers or rows");
    }
    return ok;
}

static bool is_list(struct loading *l, const struct e8_node *node)
{
    if (node->kind != E8_SEQ)
        return fail(l, node, NULL, "a word list is an array, or an object of arrays");
    return node->count > 0 || fail(l, node, NULL, "a word list cannot be empty");
}

static bool check_lists(struct loading *l, const struct e8_node *node)
{
    bool ok = true;

    if (node->kind != E8_MAP)
        return is_list(l, node);
    if (node->count == 0)
        return fail(l, node, NULL, "a word list cannot be empty");
    for (const struct e8_node *child = node->first; child; child = child->next)
        ok = is_list(l, child) && ok;
    return ok;
}

static void make_columns(struct loading *l, const struct e8_node *row)
{
    struct word_list *list = l->list;
    struct e8_arena *arena = l->vocab->arena;

    if (row->kind == E8_MAP) {
        list->columns = e8_arena_alloc(arena, (row->count + 1) * sizeof(*list->columns));
        for (const struct e8_node *cell = row->first; cell; cell = cell->next)
            list->columns[list->column_count++] = cell->key;
    }
    list->kinds = e8_arena_alloc(arena, (1 + list->column_count) * sizeof(*list->kinds));
    list->choices = e8_arena_alloc(arena, (1 + list->column_count) * FORM_COUNT * list->key_count *
                                              sizeof(*list->choices));
}

static bool load_key(struct loading *l, const struct e8_node *seq, size_t key)
{
    struct e8_str escaped = e8_tpl_escape(l->vocab->arena, seq->key, false);

    l->list->keys[key] = escaped;
    l->list->starts[key] = e8_tpl_start(escaped);
    if (escaped.n > E8_TPL_WORD_MAX)
        return fail(l, seq, NULL, "the key of a word list is too long");
    return load_elements(l, seq, key);
}

static bool load(struct loading *l, const struct e8_node *node)
{
    struct word_list *list = l->list;
    bool ok = true;
    size_t key = 0;

    list->keyed = node->kind == E8_MAP;
    list->key_count = list->keyed ? node->count : 1;
    list->keys = e8_arena_alloc(l->vocab->arena, list->key_count * sizeof(*list->keys));
    list->starts = e8_arena_alloc(l->vocab->arena, list->key_count * sizeof(*list->starts));
    make_columns(l, list->keyed ? node->first->first : node->first);
    if (!list->keyed)
        return load_elements(l, node, 0);
    for (const struct e8_node *child = node->first; child; child = child->next)
        ok = load_key(l, child, key++) && ok;
    return ok;
}

enum e8_rc e8_vocab_words(struct e8_vocab *vocab, const char *name, const struct e8_node *node,
                          struct e8_errs *errs)
{
    struct word_list *list = e8_arena_alloc(vocab->arena, sizeof(*list));
    struct loading l = {.vocab = vocab, .list = list};

    E8_ASSERT(!vocab->finished);
    l.c = (struct compiler){.vocab = vocab, .arena = vocab->arena, .errs = errs, .node = node, .column = -1};
    if (e8_tpl_words(vocab, e8_str(name)))
        return fail(&l, node, NULL, "there are two word lists of this name"), E8_INPUT;
    list->name = e8_arena_str(vocab->arena, e8_str(name));
    list->next = vocab->lists;
    vocab->lists = list;
    list->broken = !node || !check_lists(&l, node) || !load(&l, node);
    return list->broken ? E8_INPUT : E8_OK;
}
