#include <stdlib.h>

#include "template/program.h"

enum e8_rc e8_template_compile(const struct e8_vocab *vocab, const struct e8_node *tree,
                               struct e8_template **out, struct e8_errs *errs)
{
    struct e8_template *t = e8_new(1, sizeof(*t));
    struct compiler c = {.vocab = vocab, .errs = errs, .node = tree, .column = -1};
    struct value value;

    E8_ASSERT(vocab->finished);
    *out = NULL;
    c.arena = t->arena = e8_arena_new();
    t->program = e8_tpl_program(&c, tree, FORM_VALUE, &value);
    if (!c.failed && e8_tpl_tree_fits(&c, t->program, tree)) {
        E8_ASSERT(value.kinds);
        *out = t;
        return E8_OK;
    }
    e8_template_free(&t);
    return E8_INPUT;
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
    struct render r; /* not all of it is worth clearing */

    E8_ASSERT(facts->type_index < E8_TYPES_MAX);
    r.out = out;
    r.facts = facts;
    r.index = 0;
    r.known = 0;
    r.at.n = r.flow_started.n = 0;
    r.flow_key = e8_mix(e8_mix(facts->seed, facts->flow), facts->instance);
    r.rng = e8_rng_new(e8_mix(r.flow_key, facts->sequence));
    e8_tpl_run(&r, t->program);
    return out->full ? E8_LIMIT : E8_OK;
}

size_t e8_template_max(const struct e8_template *t)
{
    return t->program->max;
}
