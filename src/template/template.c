#include <stdlib.h>
#include <string.h>

#include "template/program.h"

#define WINDOW 4096 /* more than most renderings write */

static enum e8_rc compile(struct compiler *c, const struct e8_node *tree, struct e8_template **out)
{
    struct e8_template *t = e8_new(1, sizeof(*t));
    struct value value;

    E8_ASSERT(c->vocab->finished);
    *out = NULL;
    c->arena = t->arena = e8_arena_new();
    t->program = e8_tpl_program(c, tree, FORM_VALUE, &value);
    t->max = t->program->max;
    if (!c->failed && e8_tpl_tree_fits(c, t->program, tree)) {
        E8_ASSERT(value.kinds);
        *out = t;
        return E8_OK;
    }
    e8_template_free(&t);
    return E8_INPUT;
}

enum e8_rc e8_template_compile(const struct e8_vocab *vocab, const struct e8_node *tree,
                               struct e8_template **out, struct e8_errs *errs)
{
    struct compiler c = {.vocab = vocab, .errs = errs, .node = tree, .column = -1};

    return compile(&c, tree, out);
}

void e8_template_shape(const struct e8_vocab *vocab, const struct e8_node *tree,
                       const struct e8_node *const *open, size_t count, struct e8_template **out)
{
    struct e8_errs errs;
    struct compiler c = {
        .vocab = vocab, .errs = &errs, .node = tree, .column = -1, .open = open, .open_count = count};

    e8_errs_init(&errs);
    if (compile(&c, tree, out) == E8_OK && c.opened != count)
        e8_template_free(out);
    e8_errs_fini(&errs);
}

bool e8_template_fills(const struct e8_node *value)
{
    bool scalar = value->kind != E8_SEQ && value->kind != E8_MAP;

    return scalar && (value->text.n < 2 || !memmem(value->text.p, value->text.n, "{{", 2));
}

const struct e8_template *e8_template_filled(struct e8_arena *arena, const struct e8_template *shape,
                                             const struct e8_node *const *values, size_t count)
{
    struct e8_template *t = NULL;
    struct e8_str *list = NULL;
    struct e8_buf text;

    e8_buf_init(&text, E8_TEMPLATE_OUT_MAX - shape->max);
    for (size_t i = 0; i < count; i++)
        e8_node_json(values[i], &text);
    size_t size = text.n;
    if (!text.full) { /* one piece: there may be very many of them */
        t = e8_arena_alloc(arena, sizeof(*t) + count * sizeof(*list) + size);
        list = (struct e8_str *)(t + 1);
        *t = (struct e8_template){.program = shape->program, .max = shape->max + size, .values = list};
        e8_buf_fini(&text);
        e8_buf_fixed(&text, list + count, size);
    }
    for (size_t i = 0; t && i < count; i++) {
        size_t before = text.n;
        e8_node_json(values[i], &text);
        list[i] = (struct e8_str){text.p + before, text.n - before};
    }
    E8_ASSERT(!t || text.n == size);
    if (!t)
        e8_buf_fini(&text);
    return t;
}

void e8_template_free(struct e8_template **t)
{
    if (!*t)
        return;
    e8_arena_free(&(*t)->arena);
    free(*t);
    *t = NULL;
}

enum e8_rc e8_template_render(const struct e8_template *t, const struct e8_facts *facts, struct e8_buf *out)
{
    return e8_template_render_with(t, facts, NULL, out);
}

enum e8_rc e8_template_render_with(const struct e8_template *t, const struct e8_facts *facts,
                                   struct e8_memo *memo, struct e8_buf *out)
{
    struct render r; /* not all of it is worth clearing */
    struct e8_wall_day day = {0};
    char window[WINDOW];

    E8_ASSERT(facts->type_index < E8_TYPES_MAX);
    e8_tpl_write(&r.to, window, sizeof(window), out);
    r.facts = facts;
    r.index = 0;
    r.values = t->values;
    r.memo = memo;
    r.day = memo ? &memo->day : &day;
    r.known = 0;
    for (size_t i = 0; i < E8_TPL_KEYS_MAX; i++)
        r.keys[i].field = NULL;
    r.at.n = r.flow_started.n = 0;
    r.mixed_seed = e8_mixed(facts->seed);
    r.mixed_flow = e8_mixed(e8_mix(e8_mix_with(r.mixed_seed, facts->flow), facts->instance));
    r.rng = e8_rng_new(e8_mix_with(r.mixed_flow, facts->sequence));
    e8_tpl_run(&r, t->program);
    e8_tpl_flush(&r.to);
    return out->full ? E8_LIMIT : E8_OK;
}

size_t e8_template_max(const struct e8_template *t)
{
    return t->max;
}
