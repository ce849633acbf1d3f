#include "template/program.h"

static bool is_identifier(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '-')))
            return false;
    }
    return name.n > 0;
}

static struct compiler reporter(struct e8_vocab *vocab, struct e8_errs *errs)
{
    return (struct compiler){.vocab = vocab, .arena = vocab->arena, .errs = errs, .column = -1};
}

/* Reports at the name of the node. */
static void blame(struct compiler *c, const struct e8_node *node, const char *hint, const char *what)
{
    c->node = node;
    c->at_key = true;
    e8_tpl_fail(c, hint, "%s", what);
    c->at_key = false;
}

static bool expect_map(struct compiler *c, const struct e8_node *node)
{
    c->node = node;
    return node->kind == E8_MAP ||
           e8_tpl_fail(c, NULL, "expected an object, not %s", e8_node_kind_name(node->kind));
}

static struct item *new_item(struct e8_vocab *vocab, const char *name, const struct e8_node *node)
{
    struct item *item = e8_arena_alloc(vocab->arena, sizeof(*item));

    item->name = e8_str(name);
    item->node = node;
    item->hash = e8_hash_str(item->name);
    return item;
}

struct item *e8_tpl_macro(const struct e8_vocab *vocab, struct e8_str name)
{
    for (struct item *macro = vocab->macros; macro; macro = macro->next)
        if (e8_str_eq(macro->name, name))
            return macro;
    return NULL;
}

static void add_macro(struct e8_vocab *vocab, struct compiler *c, const struct e8_node *node)
{
    struct e8_str name = node->key, word = {name.p + 1, name.n - 1};

    if (name.n < 2 || name.p[0] != '$' || !is_identifier(word)) {
        blame(c, node, "for example $randomFullName", "a placeholder's name is a $ and a word");
    } else if (e8_tpl_function(name) || e8_tpl_is_directive_name(name)) {
        blame(c, node, "choose another name", "this name is built in");
    } else if (e8_tpl_macro(vocab, name)) {
        blame(c, node, "choose another name", "there is a placeholder of this name already");
    } else {
        struct item *item = new_item(vocab, e8_arena_str(vocab->arena, name).p, node);
        if (vocab->last_macro)
            vocab->last_macro->next = item;
        else
            vocab->macros = item;
        vocab->last_macro = item;
    }
}

enum e8_rc e8_vocab_macros(struct e8_vocab *vocab, const struct e8_node *map, struct e8_errs *errs)
{
    struct compiler c = reporter(vocab, errs);

    E8_ASSERT(!vocab->finished);
    c.failed = !map;
    if (map && expect_map(&c, map))
        for (const struct e8_node *node = map->first; node; node = node->next)
            add_macro(vocab, &c, node);
    vocab->macros_faulty = c.failed || vocab->macros_faulty;
    return c.failed ? E8_INPUT : E8_OK;
}

struct entity *e8_tpl_entity(const struct e8_vocab *vocab, struct e8_str name)
{
    for (struct entity *entity = vocab->entities; entity; entity = entity->next)
        if (e8_str_eq(entity->name, name))
            return entity;
    return NULL;
}

struct item *e8_tpl_field(const struct entity *entity, struct e8_str name)
{
    size_t skip = entity->name.n + 1;

    for (struct item *field = entity->fields; field; field = field->next)
        if (e8_str_eq((struct e8_str){field->name.p + skip, field->name.n - skip}, name))
            return field;
    return NULL;
}

static bool bad_scope(struct compiler *c)
{
    return e8_tpl_fail(c, "\"flow\", \"run\", {\"pool\": 1000} or {\"count\": \"message.received\"}",
                       "unknown scope");
}

bool e8_tpl_scope(struct compiler *c, struct entity *entity)
{
    const struct e8_node *node = c->node = entity->scope_node;

    if (!node)
        return true;
    if (node->kind == E8_STRING && e8_str_is(node->text, "flow"))
        return true;
    if (node->kind == E8_STRING && e8_str_is(node->text, "run")) {
        entity->scope = SCOPE_RUN;
        return true;
    }
    if (node->kind != E8_MAP || node->count != 1)
        return bad_scope(c);
    const struct e8_node *value = c->node = node->first;
    if (e8_str_is(value->key, "pool")) {
        entity->scope = SCOPE_POOL;
        entity->members = value->kind == E8_INT && value->i > 0 ? (uint64_t)value->i : 1;
        return (value->kind == E8_INT && value->i > 0) ||
               e8_tpl_fail(c, NULL, "the size of a pool is a whole number from 1");
    }
    if (!e8_str_is(value->key, "count"))
        return bad_scope(c);
    entity->pattern = value->kind == E8_STRING ? value->text : E8_LIT("");
    entity->types = e8_tpl_types(c, entity->pattern);
    if (entity->types)
        entity->scope = SCOPE_COUNT;
    return entity->types != NULL;
}

static void add_field(struct e8_vocab *vocab, struct compiler *c, struct entity *entity,
                      const struct e8_node *node)
{
    if (e8_str_is(node->key, "$scope"))
        return; /* parsed when the types are known */
    if (!is_identifier(node->key)) {
        blame(c, node, "letters, digits, _ and -", "a field's name is a word");
        return;
    }
    const char *name = e8_arena_printf(vocab->arena, "%.*s.%.*s", E8_STR(entity->name), E8_STR(node->key));
    struct item *item = new_item(vocab, name, node);
    item->entity = entity;
    if (entity->last)
        entity->last->next = item;
    else
        entity->fields = item;
    entity->last = item;
}

static bool may_be_entity(struct e8_vocab *vocab, struct compiler *c, const struct e8_node *node)
{
    if (!is_identifier(node->key))
        blame(c, node, "letters, digits, _ and -", "an entity's name is a word");
    else if (e8_str_is(node->key, "event") || e8_str_is(node->key, "flow"))
        blame(c, node, "choose another name", "this name is built in");
    else if (e8_tpl_entity(vocab, node->key))
        blame(c, node, "choose another name", "there is an entity of this name already");
    else if (vocab->entity_count == E8_TPL_ENTITIES_MAX)
        blame(c, node, NULL, "there are more than 64 entities");
    else
        return expect_map(c, node);
    return false;
}

static void add_entity(struct e8_vocab *vocab, struct compiler *c, const struct e8_node *node)
{
    if (!may_be_entity(vocab, c, node))
        return;
    struct entity *entity = e8_arena_alloc(vocab->arena, sizeof(*entity));
    entity->name = e8_arena_str(vocab->arena, node->key);
    entity->hash = e8_hash_str(entity->name);
    entity->number = vocab->entity_count++;
    entity->scope_node = e8_node_get(node, "$scope");
    for (const struct e8_node *field = node->first; field; field = field->next)
        add_field(vocab, c, entity, field);
    if (vocab->last_entity)
        vocab->last_entity->next = entity;
    else
        vocab->entities = entity;
    vocab->last_entity = entity;
}

enum e8_rc e8_vocab_entities(struct e8_vocab *vocab, const struct e8_node *map, struct e8_errs *errs)
{
    struct compiler c = reporter(vocab, errs);

    E8_ASSERT(!vocab->finished);
    c.failed = !map;
    if (map && expect_map(&c, map))
        for (const struct e8_node *node = map->first; node; node = node->next)
            add_entity(vocab, &c, node);
    vocab->entities_faulty = c.failed || vocab->entities_faulty;
    return c.failed ? E8_INPUT : E8_OK;
}
