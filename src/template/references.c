#include <stdlib.h>
#include <string.h>

#include "template/program.h"

static const struct value fault = {0};

/* What stays the same for how long */

static bool same_scope(const struct entity *a, const struct entity *b)
{
    return a == b ||
           (a->scope == SCOPE_COUNT && b->scope == SCOPE_COUNT && e8_str_eq(a->pattern, b->pattern));
}

/* Whether `used` stays the same for as long as `entity` must. */
static bool is_steady(const struct entity *entity, const struct entity *used)
{
    if (used->scope == SCOPE_RUN || same_scope(entity, used))
        return true;
    return (entity->scope == SCOPE_FLOW || entity->scope == SCOPE_COUNT) && used->scope != SCOPE_COUNT;
}

static const struct entity *find_unsteady(const struct e8_vocab *vocab, const struct entity *entity,
                                          uint64_t used)
{
    for (const struct entity *other = vocab->entities; other; other = other->next)
        if (used >> other->number & 1 && !is_steady(entity, other))
            return other;
    return NULL;
}

bool e8_tpl_uses(struct compiler *c, const struct changes *changes, struct e8_str name)
{
    if (!c->item)
        return true;
    if (!c->item->entity) {
        struct changes *all = &c->item->changes;
        all->event = all->event ? all->event : changes->event;
        all->flow = all->flow || changes->flow;
        all->entities |= changes->entities;
        return true;
    }
    const struct entity *entity = c->item->entity;
    if (changes->event)
        return e8_tpl_fail(
            c, "flow.started_at stays the same within a flow",
            e8_str_is(name, changes->event)
                ? "%s changes from event to event and may not be used in an entity"
                : "%s changes from event to event and may not be used in an entity, as %.*s does",
            changes->event, E8_STR(name));
    if (changes->flow && (entity->scope == SCOPE_RUN || entity->scope == SCOPE_POOL))
        return e8_tpl_fail(c, "give the entity the scope \"flow\"",
                           "flow.started_at changes from flow to flow, but \"%.*s\" is the same in many",
                           E8_STR(entity->name));
    const struct entity *unsteady = find_unsteady(c->vocab, entity, changes->entities);
    return !unsteady || e8_tpl_fail(c, "an entity may use those whose scope is as wide as its own, or wider",
                                    "\"%.*s\" changes while \"%.*s\" must stay the same",
                                    E8_STR(unsteady->name), E8_STR(entity->name));
}

/* Compiling items */

static void compile_columns(struct compiler *c, struct item *item)
{
    size_t count = item->rows->column_count;
    struct value value;

    item->columns = e8_arena_alloc(c->arena, count * FORM_COUNT * sizeof(*item->columns));
    item->column_kinds = e8_arena_alloc(c->arena, count * sizeof(*item->column_kinds));
    for (size_t i = 0; i < count; i++) {
        c->column = (int)i;
        for (int form = 0; form < FORM_COUNT; form++)
            item->columns[i * FORM_COUNT + (size_t)form] =
                e8_tpl_program(c, item->node, (enum form)form, &value);
        item->column_kinds[i] = value.kinds;
    }
    c->column = -1;
}

static void compile_item(struct compiler *c, struct item *item)
{
    struct value value;

    item->state = ITEM_ACTIVE;
    item->forms[FORM_VALUE] = e8_tpl_program(c, item->node, FORM_VALUE, &value);
    item->kinds = value.kinds;
    c->node = item->node;
    if (!value.kinds || !e8_tpl_fits(c, item->forms[FORM_VALUE])) {
        item->state = ITEM_BROKEN;
        return;
    }
    if (!(value.kinds & KIND_TREE))
        item->forms[FORM_TEXT] = e8_tpl_program(c, item->node, FORM_TEXT, &value);
    item->rows = value.rows;
    if (item->rows)
        compile_columns(c, item);
    item->state = ITEM_DONE;
}

static void report_cycle(struct compiler *c, const struct item *item)
{
    char memory[256];
    struct e8_buf path;
    const struct compiler *chain[64];
    size_t n = 0;

    const struct compiler *up = c;
    while (up && n < E8_COUNT(chain)) {
        bool found = up->item == item;
        chain[n++] = up;
        up = found ? NULL : up->up;
    }
    e8_buf_fixed(&path, memory, sizeof(memory));
    while (n-- > 0) {
        e8_buf_putstr(&path, chain[n]->item->name);
        e8_buf_puts(&path, " -> ");
    }
    e8_buf_putstr(&path, item->name);
    e8_tpl_fail(c, NULL, "%.*s is made of itself: %.*s", E8_STR(item->name), (int)path.n, memory);
}

/* False if it has a fault, which was reported. */
static bool resolve(struct compiler *c, struct item *item)
{
    if (item->state == ITEM_ACTIVE)
        report_cycle(c, item);
    if (item->state == ITEM_NEW) {
        E8_ASSERT(!c->vocab->finished);
        struct compiler inner = {.vocab = c->vocab,
                                 .arena = c->arena,
                                 .errs = c->errs,
                                 .node = item->node,
                                 .item = item,
                                 .up = c->item ? c : NULL,
                                 .depth = c->depth,
                                 .column = -1};
        compile_item(&inner, item);
    }
    if (item->state != ITEM_DONE)
        c->failed = true;
    return item->state == ITEM_DONE;
}

bool e8_tpl_compile_items(struct e8_vocab *vocab, struct e8_errs *errs)
{
    struct compiler c = {.vocab = vocab, .arena = vocab->arena, .errs = errs, .column = -1};

    for (struct entity *entity = vocab->entities; entity; entity = entity->next)
        e8_tpl_scope(&c, entity);
    for (struct item *macro = vocab->macros; macro; macro = macro->next)
        resolve(&c, macro);
    vocab->macros_faulty = c.failed || vocab->macros_faulty;
    for (struct entity *entity = vocab->entities; entity; entity = entity->next)
        for (struct item *field = entity->fields; field; field = field->next)
            resolve(&c, field);
    vocab->entities_faulty = c.failed || vocab->entities_faulty;
    return !c.failed;
}

/* Rendering */

static void render_macro(struct render *r, const struct op *op)
{
    e8_tpl_run(r, op->call.body);
}

static uint64_t mix_scope_key(const struct render *r, const struct entity *entity)
{
    switch (entity->scope) {
    case SCOPE_RUN:
        return r->mixed_seed;
    case SCOPE_POOL:
        return e8_mixed(
            e8_mix_with(r->mixed_seed, e8_mix_with(r->mixed_flow, entity->hash) % entity->members));
    case SCOPE_COUNT:
        return e8_mixed(e8_mix_with(r->mixed_flow, e8_tpl_count(entity->types, r->facts)));
    case SCOPE_FLOW:
        break;
    }
    return r->mixed_flow;
}

__attribute__((noinline)) static void learn_scope(struct render *r, const struct entity *entity)
{
    r->scopes[entity->number] = mix_scope_key(r, entity);
    r->known |= (uint64_t)1 << entity->number;
}

static inline uint64_t mixed_scope(struct render *r, const struct entity *entity)
{
    if (!(r->known >> entity->number & 1))
        learn_scope(r, entity);
    return r->scopes[entity->number];
}

void e8_tpl_begin_field(struct render *r, const struct op *op)
{
    r->rng = e8_rng_new(e8_mix_with(mixed_scope(r, op->call.entity), op->call.hash));
}

static void render_field(struct render *r, const struct op *op)
{
    struct e8_rng around = r->rng;

    e8_tpl_begin_field(r, op);
    e8_tpl_run(r, op->call.body);
    r->rng = around;
}

static inline void run_one(struct render *r, const struct op *op)
{
    const struct op *one = op->call.body->ops;
    struct e8_rng around = r->rng;

    e8_tpl_begin_field(r, op);
    one->render(r, one);
    r->rng = around;
}

/* A field that is one op, as most are. */
static void render_one(struct render *r, const struct op *op)
{
    run_one(r, op);
}

/* The same between texts. */
static void render_between(struct render *r, const struct op *op)
{
    const struct program *body = op->call.body;

    e8_tpl_put_piece(&r->to, body->ops->before);
    run_one(r, op);
    e8_tpl_put_piece(&r->to, body->after);
}

/* The place of few others: scope keys are well mixed, and so are multiples of the golden ratio. */
static inline struct remembered *place_of(struct e8_memo *memo, uint64_t scope, const struct program *body)
{
    uint64_t hash = scope + (uint64_t)(uintptr_t)body * E8_GOLDEN;

    return &memo->places[(hash >> 32) % E8_TPL_MEMO_PLACES];
}

/* What was flushed meanwhile, or is long, is not kept. */
__attribute__((noinline)) static void remember(struct render *r, const struct op *op,
                                               struct remembered *known)
{
    const char *from = e8_tpl_room(&r->to, E8_TPL_ROOM);
    size_t before = r->to.out->n;

    render_field(r, op);
    size_t n = (size_t)(r->to.at - from);
    if (!known || r->to.out->n != before || r->to.out->full || n > sizeof(known->text))
        return;
    known->scope = r->scopes[op->call.entity->number];
    known->body = op->call.body;
    known->n = n;
    memcpy(known->text, from, n);
}

/* A field that is the same in many renderings. */
static void render_shared(struct render *r, const struct op *op)
{
    uint64_t scope = mixed_scope(r, op->call.entity);
    struct remembered *known = r->memo ? place_of(r->memo, scope, op->call.body) : NULL;

    if (known && known->scope == scope && known->body == op->call.body)
        e8_tpl_put_piece(&r->to, (struct e8_str){known->text, known->n});
    else
        remember(r, op, known);
}

struct e8_memo *e8_memo_new(void)
{
    return e8_new(1, sizeof(struct e8_memo));
}

void e8_memo_free(struct e8_memo **memo)
{
    free(*memo);
    *memo = NULL;
}

/* Using items */

static bool is_excused(const struct e8_vocab *vocab, struct e8_str name)
{
    if (name.p[0] == '$')
        return vocab->macros_faulty;
    return vocab->entities_faulty && !e8_str_starts(name, "event.") && !e8_str_starts(name, "flow.");
}

/* Where the names have faults of their own, it may be for those that one is not known: then it fails without a word. */
static void unknown(struct compiler *c, struct e8_str name)
{
    c->failed = true;
    if (is_excused(c->vocab, name))
        return;
    e8_tpl_fail(c,
                e8_tpl_did_you_mean(c, name, c->vocab->names,
                                    "fixtures/README.md, placeholders.json and entities.json list them"),
                "unknown placeholder \"%.*s\"", E8_STR(name));
}

static const char *list_columns(struct compiler *c, const struct word_list *rows)
{
    char memory[256];
    struct e8_buf text;

    e8_buf_fixed(&text, memory, sizeof(memory) - 1);
    for (size_t i = 0; i < rows->column_count; i++) {
        e8_buf_puts(&text, i ? ", " : "its columns: ");
        e8_buf_putstr(&text, rows->columns[i]);
    }
    memory[text.n] = '\0';
    return e8_arena_printf(c->arena, "%s", memory);
}

/* -1: reported. */
static int find_column(struct compiler *c, const struct item *item, struct e8_str name)
{
    for (size_t i = 0; item->rows && i < item->rows->column_count; i++)
        if (e8_str_eq(item->rows->columns[i], name))
            return (int)i;
    if (item->rows)
        e8_tpl_fail(c, list_columns(c, item->rows), "%.*s has no column \"%.*s\"", E8_STR(item->name),
                    E8_STR(name));
    else
        e8_tpl_fail(c, "columns belong to a field that picks a row of a word list",
                    "%.*s has no columns, so there is no \"%.*s\"", E8_STR(item->name), E8_STR(name));
    return -1;
}

static bool is_field(const struct op *op)
{
    return op->render == render_field || op->render == render_one || op->render == render_between ||
           op->render == render_shared;
}

static bool is_shared(const struct entity *entity)
{
    return entity->scope == SCOPE_RUN || (entity->scope == SCOPE_POOL && entity->members <= E8_TPL_MEMO_POOL);
}

static render_fn renderer_of(const struct item *item, const struct program *program)
{
    if (!item->entity)
        return render_macro;
    if (is_shared(item->entity))
        return render_shared;
    if (e8_tpl_is_one(program))
        return render_one;
    return program->count == 1 ? render_between : render_field;
}

static void put_item(struct builder *b, const struct item *item, const struct program *program)
{
    struct op op = {.render = renderer_of(item, program)};

    op.call.body = program;
    op.call.entity = item->entity;
    op.call.hash = item->hash;
    if (e8_tpl_is_one(program) && is_field(program->ops))
        op = program->ops[0]; /* another field and nothing else: it draws from a stream of its own */
    e8_tpl_op(b, &op, 0, op.call.body, 1);
}

/* The quotes of a string stand with the text around it. */
static struct value put_form(struct builder *b, const struct item *item, const struct program *const *forms,
                             enum form form, struct value value)
{
    bool quotes = form == FORM_VALUE && value.kinds == KIND_STRING;

    if (quotes)
        e8_tpl_put(b, E8_LIT("\""));
    put_item(b, item, forms[quotes ? FORM_TEXT : form]);
    if (quotes)
        e8_tpl_put(b, E8_LIT("\""));
    return value;
}

static bool note_use(struct compiler *c, const struct item *item)
{
    struct changes changes = item->changes;

    if (item->entity)
        changes.entities = (uint64_t)1 << item->entity->number;
    return e8_tpl_uses(c, &changes, item->name);
}

static struct value put_column(struct builder *b, const struct item *item, int column, enum form form)
{
    return put_form(b, item, item->columns + (size_t)column * FORM_COUNT, form,
                    (struct value){.kinds = item->column_kinds[column]});
}

static struct value put_whole(struct builder *b, const struct item *item, enum form form)
{
    struct compiler *c = b->c;

    if (c->column >= 0)
        return put_column(b, item, c->column, form);
    if (form == FORM_VALUE || !(item->kinds & KIND_TREE))
        return put_form(b, item, item->forms, form, (struct value){item->kinds, item->rows});
    e8_tpl_fail(c, item->rows && item->entity ? list_columns(c, item->rows) : "use it alone: \"{{...}}\"",
                "%.*s is an array or an object, which cannot stand within a text", E8_STR(item->name));
    return fault;
}

static struct item *find_item(struct compiler *c, struct e8_str name, struct e8_str *column)
{
    struct e8_str rest = name, entity_name, field_name = {NULL, 0};

    *column = (struct e8_str){NULL, 0};
    if (name.p[0] == '$')
        return e8_tpl_macro(c->vocab, name);
    e8_str_split(&rest, '.', &entity_name);
    e8_str_split(&rest, '.', &field_name);
    *column = rest;
    struct entity *entity = e8_tpl_entity(c->vocab, entity_name);
    return entity && field_name.n > 0 ? e8_tpl_field(entity, field_name) : NULL;
}

struct value e8_tpl_reference(struct builder *b, struct e8_str name, enum form form)
{
    struct compiler *c = b->c;
    struct e8_str column_name;
    struct item *item = find_item(c, name, &column_name);

    if (!item) {
        unknown(c, name);
        return fault;
    }
    if (!resolve(c, item) || !note_use(c, item))
        return fault;
    if (column_name.n == 0)
        return put_whole(b, item, form);
    int column = find_column(c, item, column_name);
    return column < 0 ? fault : put_column(b, item, column, form);
}
