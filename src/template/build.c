#include <stdlib.h>
#include <string.h>

#include "template/program.h"

static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static size_t multiply(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

void e8_tpl_begin(struct builder *b, struct compiler *c)
{
    *b = (struct builder){.c = c};
    e8_buf_init(&b->text, E8_TEMPLATE_OUT_MAX + 1);
}

/* The literal text so far. */
static struct e8_str take_text(struct builder *b)
{
    struct e8_str text = e8_tpl_piece(b->c->arena, e8_buf_str(&b->text));

    b->steps = add(b->steps, text.n > 0);
    b->max = b->text.full ? SIZE_MAX : add(b->max, text.n);
    e8_buf_reset(&b->text);
    return text;
}

/* The literal text so far goes before it. */
static void append(struct builder *b, const struct op *op)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 8;
        b->ops = e8_resize(b->ops, b->cap, sizeof(*b->ops));
    }
    b->ops[b->count] = *op;
    b->ops[b->count++].before = take_text(b);
    b->steps = add(b->steps, 1);
}

const struct program *e8_tpl_end(struct builder *b)
{
    struct e8_str after = take_text(b);
    struct program *program = e8_arena_alloc(b->c->arena, sizeof(*program));
    struct op *ops = e8_arena_alloc(b->c->arena, (b->count ? b->count : 1) * sizeof(*ops));
    if (b->count)
        memcpy(ops, b->ops, b->count * sizeof(*ops));
    *program = (struct program){ops, b->count, after, b->max, b->steps, b->depth, b->nest};
    free(b->ops);
    e8_buf_fini(&b->text);
    *b = (struct builder){0};
    return program;
}

void e8_tpl_put(struct builder *b, struct e8_str bytes)
{
    e8_buf_putstr(&b->text, bytes);
}

void e8_tpl_put_text(struct builder *b, struct e8_str bytes)
{
    e8_buf_put_json(&b->text, bytes);
}

void e8_tpl_put_scalar(struct builder *b, const struct e8_node *node)
{
    e8_node_json(node, &b->text);
}

static void note_nest(struct builder *b, unsigned nest)
{
    if (nest > b->nest)
        b->nest = nest;
}

void e8_tpl_open(struct builder *b, char bracket)
{
    e8_buf_putc(&b->text, bracket);
    note_nest(b, ++b->level);
}

void e8_tpl_close(struct builder *b, char bracket)
{
    e8_buf_putc(&b->text, bracket);
    b->level--;
}

void e8_tpl_op(struct builder *b, const struct op *op, size_t max, const struct program *body, uint64_t times)
{
    append(b, op);
    b->max = add(b->max, max);
    if (!body)
        return;
    b->max = add(b->max, multiply(times, body->max));
    b->steps = add(b->steps, multiply(times, add(body->steps, 1)));
    if (body->depth + 1 > b->depth)
        b->depth = body->depth + 1;
    note_nest(b, b->level + body->nest);
}

void e8_tpl_op_array(struct builder *b, const struct op *op, const struct program *body, uint64_t times)
{
    b->level++;
    note_nest(b, b->level);
    e8_tpl_op(b, op, 2 + times, body, times);
    b->level--;
}

static void render_value(struct render *r, const struct op *op)
{
    e8_tpl_put_bytes(&r->to, r->values[op->value].p, r->values[op->value].n);
}

void e8_tpl_op_value(struct builder *b, size_t value)
{
    struct op op = {.render = render_value, .value = value};
    append(b, &op);
}

void e8_tpl_run(struct render *r, const struct program *program)
{
    const struct op *end = program->ops + program->count;

    for (const struct op *op = program->ops; op < end; op++) {
        e8_tpl_put_piece(&r->to, op->before);
        op->render(r, op);
    }
    if (program->after.n > 0)
        e8_tpl_put_piece(&r->to, program->after);
}

bool e8_tpl_is_one(const struct program *program)
{
    return program->count == 1 && program->ops[0].before.n == 0 && program->after.n == 0;
}

struct e8_str e8_tpl_escape(struct e8_arena *arena, struct e8_str text, bool quotes)
{
    struct e8_buf buf;
    e8_buf_init(&buf, 6 * text.n + 2);
    if (quotes)
        e8_buf_putc(&buf, '"');
    e8_buf_put_json(&buf, text);
    if (quotes)
        e8_buf_putc(&buf, '"');
    struct e8_str escaped = e8_tpl_piece(arena, e8_buf_str(&buf));
    e8_buf_fini(&buf);
    return escaped;
}
