#include <string.h>

#include "template/program.h"

struct directive {
    const char *name;
    const char *usage;
    bool args; /* cannot do without */
    struct value (*compile)(struct builder *b, const struct e8_node *node, struct e8_str args,
                            enum form form);
};

static const struct value fault = {0};

/* {"{{$repeat 1..3}}": ITEM} */

static void render_repeat(struct render *r, const struct op *op)
{
    uint32_t around = r->index, low = op->repeat.low, count = low;

    if (op->repeat.high > low)
        count += (uint32_t)e8_rng_below(&r->rng, op->repeat.high - low + 1);
    e8_tpl_put_bytes(&r->to, "[", 1);
    for (r->index = 0; r->index < count && !r->to.out->full; r->index++) {
        if (r->index > 0)
            e8_tpl_put_bytes(&r->to, ",", 1);
        e8_tpl_run(r, op->repeat.body);
    }
    e8_tpl_put_bytes(&r->to, "]", 1);
    r->index = around;
}

static bool parse_repeat(struct compiler *c, struct e8_str args, uint32_t *low, uint32_t *high)
{
    struct e8_str from = args, to = args;
    int64_t counts[2];

    e8_tpl_split_range(args, &from, &to);
    if (!e8_tpl_integer(c, from, 0, E8_TPL_REPEAT_MAX, &counts[0]) ||
        !e8_tpl_integer(c, to, 0, E8_TPL_REPEAT_MAX, &counts[1]))
        return false;
    if (counts[0] > counts[1])
        return e8_tpl_fail(c, "the smaller number comes first", "the range %.*s is reversed", E8_STR(args));
    *low = (uint32_t)counts[0];
    *high = (uint32_t)counts[1];
    return true;
}

static struct value compile_repeat(struct builder *b, const struct e8_node *node, struct e8_str args,
                                   enum form form)
{
    struct op op = {.render = render_repeat};
    struct value item;

    E8_ASSERT(form == FORM_VALUE);
    bool ok = parse_repeat(b->c, args, &op.repeat.low, &op.repeat.high);
    b->c->repeats++;
    op.repeat.body = e8_tpl_program(b->c, node, FORM_VALUE, &item);
    b->c->repeats--;
    if (!ok || !item.kinds)
        return fault;
    e8_tpl_op_array(b, &op, op.repeat.body, op.repeat.high);
    return (struct value){.kinds = KIND_TREE};
}

/* {"{{$choose 3 1}}": [A, B]} */

static void render_choose(struct render *r, const struct op *op)
{
    e8_tpl_run(r, op->choose.bodies[e8_tpl_draw(&r->rng, &op->choose.weights)]);
}

static bool parse_weights(struct compiler *c, struct e8_str args, size_t count, struct weights *out)
{
    uint64_t *weights = e8_arena_alloc(c->arena, count * sizeof(*weights));
    struct e8_str word;
    size_t given = 0;

    for (; e8_tpl_word(&args, &word); given++) {
        uint64_t weight;
        if (!e8_tpl_weight(c, word, &weight))
            return false;
        if (given < count)
            weights[given] = weight;
    }
    if (given > 0 && given != count)
        return e8_tpl_fail(c, "give one weight for each, or none", "%zu weights for %zu alternatives", given,
                           count);
    for (size_t i = 0; given == 0 && i < count; i++)
        weights[i] = 1;
    return e8_tpl_weights(c, weights, count, out);
}

static void widen(struct program *worst, const struct program *body)
{
    worst->max = body->max > worst->max ? body->max : worst->max;
    worst->steps = body->steps > worst->steps ? body->steps : worst->steps;
    worst->depth = body->depth > worst->depth ? body->depth : worst->depth;
    worst->nest = body->nest > worst->nest ? body->nest : worst->nest;
}

static struct value compile_choose(struct builder *b, const struct e8_node *node, struct e8_str args,
                                   enum form form)
{
    struct op op = {.render = render_choose};
    struct program worst = {0};
    struct value all = {0}, one;
    size_t i = 0;

    if (node->kind != E8_SEQ || node->count == 0) {
        e8_tpl_fail(b->c, "{\"{{$choose}}\": [A, B]}", "$choose needs an array of alternatives");
        return fault;
    }
    const struct program **bodies = e8_arena_alloc(b->c->arena, node->count * sizeof(*bodies));
    bool ok = parse_weights(b->c, args, node->count, &op.choose.weights);
    for (const struct e8_node *child = node->first; child; child = child->next) {
        bodies[i] = e8_tpl_program(b->c, child, form, &one);
        widen(&worst, bodies[i++]);
        all.kinds |= one.kinds;
        ok = ok && one.kinds;
    }
    op.choose.bodies = bodies;
    e8_tpl_op(b, &op, 0, &worst, 1);
    return ok ? all : fault;
}

/* {"{{$optional 30%}}": VALUE} */

static struct value compile_optional(struct builder *b, const struct e8_node *node, struct e8_str args,
                                     enum form form)
{
    struct op op = {.render = e8_tpl_render_optional};
    struct value value;

    bool ok = e8_tpl_share(b->c, args, &op.optional.share);
    op.optional.body = e8_tpl_program(b->c, node, form, &value);
    op.optional.null = form == FORM_VALUE;
    e8_tpl_op(b, &op, 4, op.optional.body, 1);
    if (!ok || !value.kinds)
        return fault;
    value.kinds |= KIND_NULL;
    return value;
}

static const struct directive directives[] = {
    {"$repeat", "{\"{{$repeat 1..3}}\": ITEM}", true, compile_repeat},
    {"$choose", "{\"{{$choose}}\": [A, B]}", false, compile_choose},
    {"$optional", "{\"{{$optional 30%}}\": VALUE}", true, compile_optional},
};

static const struct directive *find_directive(struct e8_str name)
{
    for (size_t i = 0; i < E8_COUNT(directives); i++)
        if (e8_str_is(name, directives[i].name))
            return &directives[i];
    return NULL;
}

bool e8_tpl_is_directive_name(struct e8_str name)
{
    return find_directive(name) != NULL;
}

bool e8_tpl_is_directive(const struct e8_node *map)
{
    return map->kind == E8_MAP && map->count == 1 && map->first->key.n > 0 &&
           memmem(map->first->key.p, map->first->key.n, "{{", 2);
}

static bool unknown_directive(struct compiler *c, struct e8_str name)
{
    const char *names[E8_COUNT(directives) + 1] = {NULL};

    for (size_t i = 0; i < E8_COUNT(directives); i++)
        names[i] = directives[i].name;
    const char *otherwise = "directives are $repeat, $choose and $optional";
    return e8_tpl_fail(c, e8_tpl_did_you_mean(c, name, names, otherwise), "unknown directive \"%.*s\"",
                       E8_STR(name));
}

struct value e8_tpl_directive(struct builder *b, const struct e8_node *map, enum form form)
{
    struct compiler *c = b->c;
    struct e8_str key = e8_str_trim(map->first->key), name;
    struct value value = fault;

    c->node = map->first;
    c->at_key = true;
    if (key.n < 4 || !e8_str_starts(key, "{{") || key.p[key.n - 1] != '}' || key.p[key.n - 2] != '}') {
        e8_tpl_fail(c, "a directive is the whole name: {\"{{$repeat 1..3}}\": ITEM}",
                    "placeholders cannot stand in a name");
        return value;
    }
    struct e8_str inner = {key.p + 2, key.n - 4};
    e8_tpl_word(&inner, &name);
    const struct directive *directive = find_directive(name);
    if (!directive)
        unknown_directive(c, name);
    else if (directive->args && inner.n == 0)
        e8_tpl_fail(c, directive->usage, "%s lacks an argument", directive->name);
    else
        value = directive->compile(b, map->first, inner, form);
    return value;
}
