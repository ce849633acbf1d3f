#include <stdlib.h>
#include <string.h>

#include "match/match.h"
#include "template/program.h"

static int compare(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    return strcmp(*left, *right);
}

static size_t count_names(const struct e8_vocab *vocab)
{
    size_t count = 0;

    for (const struct function *f = e8_tpl_functions; f->name; f++)
        count++;
    for (const struct item *macro = vocab->macros; macro; macro = macro->next)
        count++;
    for (const struct entity *entity = vocab->entities; entity; entity = entity->next)
        for (const struct item *field = entity->fields; field; field = field->next)
            count += 1 + (field->rows ? field->rows->column_count : 0);
    return count;
}

static size_t field_names(const struct e8_vocab *vocab, const struct item *field, const char **names)
{
    size_t n = 0;

    names[n++] = field->name.p;
    for (size_t i = 0; field->rows && i < field->rows->column_count; i++)
        names[n++] = e8_arena_printf(vocab->arena, "%s.%.*s", field->name.p, E8_STR(field->rows->columns[i]));
    return n;
}

/* Columns are known once the fields are compiled, the other names are wanted before: for "did you mean". */
static void collect_names(struct e8_vocab *vocab)
{
    const char **names = e8_arena_alloc(vocab->arena, (count_names(vocab) + 1) * sizeof(*names));
    size_t n = 0;

    for (const struct function *f = e8_tpl_functions; f->name; f++)
        names[n++] = f->name;
    for (const struct item *macro = vocab->macros; macro; macro = macro->next)
        names[n++] = macro->name.p;
    for (const struct entity *entity = vocab->entities; entity; entity = entity->next)
        for (const struct item *field = entity->fields; field; field = field->next)
            n += field_names(vocab, field, names + n);
    qsort(names, n, sizeof(*names), compare);
    vocab->names = names;
}

struct e8_vocab *e8_vocab_new(void)
{
    struct e8_vocab *vocab = e8_new(1, sizeof(*vocab));

    vocab->arena = e8_arena_new();
    e8_tpl_make_pairs(vocab);
    vocab->types = e8_arena_alloc(vocab->arena, sizeof(*vocab->types));
    collect_names(vocab);
    return vocab;
}

void e8_vocab_free(struct e8_vocab **vocab)
{
    if (!*vocab)
        return;
    e8_arena_free(&(*vocab)->arena);
    free(*vocab);
    *vocab = NULL;
}

const char *const *e8_vocab_names(const struct e8_vocab *vocab)
{
    return vocab->names;
}

enum e8_rc e8_vocab_types(struct e8_vocab *vocab, const char *const *names, size_t count)
{
    E8_ASSERT(!vocab->finished);
    if (count > E8_TYPES_MAX)
        return E8_LIMIT;
    vocab->types = e8_arena_alloc(vocab->arena, (count + 1) * sizeof(*vocab->types));
    vocab->type_count = count;
    for (size_t i = 0; i < count; i++)
        vocab->types[i] = e8_arena_str(vocab->arena, e8_str(names[i])).p;
    return E8_OK;
}

const struct type_set *e8_tpl_types(struct compiler *c, struct e8_str pattern)
{
    const struct e8_vocab *vocab = c->vocab;
    struct type_set *set = e8_arena_alloc(c->arena, sizeof(*set) + vocab->type_count * sizeof(set->types[0]));

    if (!e8_pattern_valid(pattern)) {
        e8_tpl_fail(c, "for example message.received, message.* or *",
                    "\"%.*s\" is no pattern of event types", E8_STR(pattern));
        return NULL;
    }
    for (size_t i = 0; i < vocab->type_count; i++) {
        if (!e8_pattern_matches(pattern, e8_str(vocab->types[i])))
            continue;
        set->bits[i / 64] |= (uint64_t)1 << (i % 64);
        set->types[set->count++] = (uint16_t)i;
    }
    if (set->count > 0)
        return set;
    e8_tpl_fail(c, e8_tpl_did_you_mean(c, pattern, vocab->types, "emit8 events lists them"),
                "no event type matches \"%.*s\"", E8_STR(pattern));
    return NULL;
}

uint64_t e8_tpl_count(const struct type_set *types, const struct e8_facts *facts)
{
    uint64_t count = 0;

    if (!facts->counts)
        return types->bits[facts->type_index / 64] >> (facts->type_index % 64) & 1;
    for (size_t i = 0; i < types->count; i++)
        count += facts->counts[types->types[i]];
    return count;
}

enum e8_rc e8_vocab_finish(struct e8_vocab *vocab, struct e8_errs *errs)
{
    E8_ASSERT(!vocab->finished);
    collect_names(vocab);
    bool ok = e8_tpl_compile_items(vocab, errs);
    collect_names(vocab);
    vocab->finished = true;
    return ok ? E8_OK : E8_INPUT;
}
