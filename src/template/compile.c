#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "template/program.h"

#define RECURSION_MAX 128

bool e8_tpl_fail(struct compiler *c, const char *hint, const char *format, ...)
{
    struct e8_err err;
    char what[sizeof(err.what)];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    if (c->at_key)
        e8_key_fail(&err, c->node, hint, "%s", what);
    else
        e8_node_fail(&err, c->node, hint, "%s", what);
    e8_errs_add(c->errs, &err);
    c->failed = true;
    return false;
}

static bool go_down(struct compiler *c)
{
    return ++c->depth <= RECURSION_MAX || e8_tpl_fail(c, NULL, "this is nested too deeply");
}

bool e8_tpl_fits(struct compiler *c, const struct program *program)
{
    if (program->max > E8_TEMPLATE_OUT_MAX)
        return e8_tpl_fail(c, "fewer or smaller $repeat", "this can become larger than %zu bytes",
                           E8_TEMPLATE_OUT_MAX);
    if (program->steps > E8_TPL_STEPS_MAX)
        return e8_tpl_fail(c, "fewer or smaller $repeat", "this has too much to evaluate");
    if (program->depth > E8_TPL_DEPTH_MAX || program->nest > E8_TPL_NEST_MAX)
        return e8_tpl_fail(c, NULL, "this is nested too deeply");
    return true;
}

/* Whether a part of the whole that does not fit, `level` brackets down, is why. */
static bool is_why(const struct program *whole, const struct program *part, unsigned level)
{
    if (whole->max > E8_TEMPLATE_OUT_MAX)
        return part->max > E8_TEMPLATE_OUT_MAX / 2;
    if (whole->steps > E8_TPL_STEPS_MAX)
        return part->steps > E8_TPL_STEPS_MAX / 2;
    if (whole->depth > E8_TPL_DEPTH_MAX)
        return part->depth > E8_TPL_DEPTH_MAX;
    return part->nest + level > E8_TPL_NEST_MAX;
}

static struct program measure(const struct compiler *c, const struct e8_node *node)
{
    struct compiler scratch = *c;
    struct value value;

    scratch.arena = e8_arena_new();
    struct program program = *e8_tpl_program(&scratch, node, FORM_VALUE, &value);
    e8_arena_free(&scratch.arena);
    return program;
}

/* The innermost part that is too large by itself: in a payload, not at the envelope around it. */
static const struct e8_node *find_why(const struct compiler *c, const struct program *whole,
                                      const struct e8_node *tree)
{
    const struct e8_node *child = tree;

    for (unsigned level = 1; child; level++) {
        tree = child;
        child = e8_tpl_is_directive(tree) ? NULL : tree->first;
        for (; child; child = child->next) {
            struct program part = measure(c, child);
            if (is_why(whole, &part, level))
                break;
        }
    }
    return tree;
}

bool e8_tpl_tree_fits(struct compiler *c, const struct program *program, const struct e8_node *tree)
{
    bool fits = program->max <= E8_TEMPLATE_OUT_MAX && program->steps <= E8_TPL_STEPS_MAX &&
                program->depth <= E8_TPL_DEPTH_MAX && program->nest <= E8_TPL_NEST_MAX;

    if (!fits)
        c->node = find_why(c, program, tree);
    return fits || e8_tpl_fits(c, program);
}

/* Placeholders */

static bool is_literal(struct e8_str text)
{
    return text.n > 0 && text.p[0] == '\'';
}

static struct value put_literal(struct builder *b, struct e8_str text, enum form form)
{
    struct e8_str value;

    if (!e8_tpl_unquote(b->c, text, &value))
        return (struct value){0};
    if (form == FORM_VALUE)
        e8_tpl_put(b, E8_LIT("\""));
    e8_tpl_put_text(b, value);
    if (form == FORM_VALUE)
        e8_tpl_put(b, E8_LIT("\""));
    return (struct value){.kinds = KIND_STRING};
}

static const char *usage(struct compiler *c, const struct function *f)
{
    return f->usage[0] ? e8_arena_printf(c->arena, "write %s %s", f->name, f->usage) : NULL;
}

static bool split_arguments(struct compiler *c, struct call *call)
{
    const struct function *f = call->function;
    struct e8_str rest = call->rest, word;
    int count = 0;

    while (e8_tpl_word(&rest, &word)) {
        if (f->max >= 0 && count == f->max)
            return e8_tpl_fail(c, usage(c, f), f->max ? "%s has too many arguments" : "%s takes no arguments",
                               f->name);
        if (f->max >= 0)
            call->args[count] = word;
        count++;
    }
    call->count = (size_t)count;
    return count >= f->min || e8_tpl_fail(c, usage(c, f), "%s lacks an argument", f->name);
}

static bool note_changes(struct compiler *c, const struct function *f)
{
    struct changes changes = {.event = f->changes == CHANGES_EVENT ? f->name : NULL,
                              .flow = f->changes == CHANGES_FLOW};

    return f->changes == CHANGES_NEVER || e8_tpl_uses(c, &changes, e8_str(f->name));
}

static struct value put_call(struct builder *b, const struct function *f, struct e8_str rest, enum form form)
{
    struct compiler *c = b->c;
    struct call call = {.function = f, .form = form, .rest = rest, .max = f->bytes, .value.kinds = f->kinds};
    bool quotes = form == FORM_VALUE && f->kinds == KIND_STRING;

    call.op.render = f->render;
    if (!split_arguments(c, &call) || !note_changes(c, f) || (f->compile && !f->compile(c, &call)))
        return (struct value){0};
    if (form == FORM_TEXT && call.value.kinds & KIND_TREE) {
        e8_tpl_fail(c, "take one of its columns: make it a field of an entity and write ENTITY.FIELD.COLUMN",
                    "%s gives a whole row, which cannot stand within a text", f->name);
        return (struct value){0};
    }
    if (quotes)
        e8_tpl_put(b, E8_LIT("\""));
    e8_tpl_op(b, &call.op, call.max, call.body, 1);
    if (quotes)
        e8_tpl_put(b, E8_LIT("\""));
    return call.value;
}

static struct value put_reference(struct builder *b, struct e8_str name, struct e8_str rest, enum form form)
{
    if (e8_tpl_is_directive_name(name)) {
        e8_tpl_fail(
            b->c,
            "it is the only member of an object: {\"{{$repeat 1..3}}\": ITEM}, {\"{{$choose}}\": [A, B]}",
            "%.*s is a directive, no value", E8_STR(name));
        return (struct value){0};
    }
    struct value value = e8_tpl_reference(b, name, form);
    if (value.kinds && rest.n > 0) {
        e8_tpl_fail(b->c, NULL, "%.*s takes no arguments", E8_STR(name));
        return (struct value){0};
    }
    return value;
}

struct value e8_tpl_placeholder(struct builder *b, struct e8_str text, enum form form)
{
    struct value value = {0};
    struct e8_str rest = text, name;

    if (!go_down(b->c)) {
    } else if (!e8_tpl_word(&rest, &name)) {
        e8_tpl_fail(b->c, NULL, "empty placeholder");
    } else if (is_literal(name)) {
        value = put_literal(b, e8_str_trim(text), form);
    } else {
        const struct function *f = e8_tpl_function(name);
        value = f ? put_call(b, f, rest, form) : put_reference(b, name, rest, form);
    }
    b->c->depth--;
    return value;
}

const struct program *e8_tpl_rest(struct compiler *c, struct e8_str text, enum form form, struct value *value)
{
    struct builder b;

    e8_tpl_begin(&b, c);
    *value = e8_tpl_placeholder(&b, text, form);
    return e8_tpl_end(&b);
}

/* Strings */

/* Where the placeholder that begins at `from` ends: at the first }} outside quotes. 0: nowhere. */
static size_t find_end(struct e8_str text, size_t from)
{
    bool quoted = false;

    for (size_t i = from; i + 1 < text.n; i++) {
        if (text.p[i] == '\'')
            quoted = !quoted;
        else if (!quoted && text.p[i] == '}' && text.p[i + 1] == '}')
            return i;
    }
    return 0;
}

/* Of three braces the last two open, so that a text can be JSON: {"a":{{{$randomInt}}}}. */
static size_t find_begin(struct e8_str text)
{
    size_t i = 0;

    while (i + 1 < text.n && !(text.p[i] == '{' && text.p[i + 1] == '{'))
        i++;
    if (i + 1 >= text.n)
        return text.n;
    return i + 2 < text.n && text.p[i + 2] == '{' ? i + 1 : i;
}

static bool opens_again(struct e8_str inner)
{
    bool quoted = false;

    for (size_t i = 0; i + 1 < inner.n; i++) {
        if (inner.p[i] == '\'')
            quoted = !quoted;
        else if (!quoted && inner.p[i] == '{' && inner.p[i + 1] == '{')
            return true;
    }
    return false;
}

/* Takes what stands before the first placeholder, and that, from *rest. */
static bool next_placeholder(struct compiler *c, struct e8_str *rest, struct e8_str *before,
                             struct e8_str *inner)
{
    size_t begin = find_begin(*rest);

    *before = (struct e8_str){rest->p, begin};
    *inner = (struct e8_str){NULL, 0};
    if (begin == rest->n) {
        *rest = (struct e8_str){NULL, 0};
        return true;
    }
    size_t end = find_end(*rest, begin + 2);
    if (end == 0)
        return e8_tpl_fail(c, "a placeholder ends with }}, and its quotes are paired", "{{ without }}");
    *inner = (struct e8_str){rest->p + begin + 2, end - begin - 2};
    *rest = (struct e8_str){rest->p + end + 2, rest->n - end - 2};
    if (opens_again(*inner))
        return e8_tpl_fail(c, NULL, "{{ within a placeholder");
    return true;
}

static bool put_pieces(struct builder *b, struct e8_str text)
{
    struct e8_str before, inner;
    bool ok = true;

    while (text.n > 0) {
        if (!next_placeholder(b->c, &text, &before, &inner))
            return false;
        e8_tpl_put_text(b, before);
        if (inner.p)
            ok = e8_tpl_placeholder(b, inner, FORM_TEXT).kinds && ok;
    }
    return ok;
}

static struct value put_string(struct builder *b, const struct e8_node *node, enum form form)
{
    struct e8_str rest = node->text, before, inner = {NULL, 0};

    if (rest.n > 0 && !next_placeholder(b->c, &rest, &before, &inner))
        return (struct value){0};
    if (inner.p && before.n == 0 && rest.n == 0)
        return e8_tpl_placeholder(b, inner, form);
    if (form == FORM_VALUE)
        e8_tpl_put(b, E8_LIT("\""));
    bool ok = put_pieces(b, node->text);
    if (form == FORM_VALUE)
        e8_tpl_put(b, E8_LIT("\""));
    return (struct value){.kinds = ok ? KIND_STRING : 0};
}

/* Trees */

static bool put_key(struct builder *b, const struct e8_node *child)
{
    bool ok = true;

    if (find_begin(child->key) < child->key.n) {
        b->c->node = child;
        b->c->at_key = true;
        ok = e8_tpl_fail(b->c, "a directive is the only member of its object",
                         "placeholders cannot stand in a name");
        b->c->at_key = false;
    }
    e8_tpl_put(b, E8_LIT("\""));
    e8_tpl_put_text(b, child->key);
    e8_tpl_put(b, E8_LIT("\":"));
    return ok;
}

static struct value put_tree(struct builder *b, const struct e8_node *node)
{
    bool ok = true, map = node->kind == E8_MAP;

    e8_tpl_open(b, map ? '{' : '[');
    for (const struct e8_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            e8_tpl_put(b, E8_LIT(","));
        if (map)
            ok = put_key(b, child) && ok;
        ok = e8_tpl_node(b, child, FORM_VALUE).kinds && ok;
    }
    e8_tpl_close(b, map ? '}' : ']');
    return (struct value){.kinds = ok ? KIND_TREE : 0};
}

/* Within a directive a value may decide on more than its own bytes. */
static bool put_open(struct builder *b, const struct e8_node *node)
{
    struct compiler *c = b->c;

    for (size_t i = 0; b->top && i < c->open_count; i++) {
        if (c->open[i] == node) {
            e8_tpl_op_value(b, i);
            c->opened++;
            return true;
        }
    }
    return false;
}

static struct value put_node(struct builder *b, const struct e8_node *node, enum form form)
{
    if (put_open(b, node))
        return (struct value){.kinds = KIND_STRING};
    switch (node->kind) {
    case E8_NULL:
        if (form == FORM_VALUE)
            e8_tpl_put(b, E8_LIT("null"));
        return (struct value){.kinds = KIND_NULL};
    case E8_BOOL:
        e8_tpl_put_scalar(b, node);
        return (struct value){.kinds = KIND_BOOL};
    case E8_INT:
    case E8_FLOAT:
        e8_tpl_put_scalar(b, node);
        return (struct value){.kinds = KIND_NUMBER};
    case E8_STRING:
        return put_string(b, node, form);
    case E8_SEQ:
    case E8_MAP:
        break;
    }
    if (e8_tpl_is_directive(node))
        return e8_tpl_directive(b, node, form);
    E8_ASSERT(form == FORM_VALUE);
    return put_tree(b, node);
}

struct value e8_tpl_node(struct builder *b, const struct e8_node *node, enum form form)
{
    struct compiler *c = b->c;
    const struct e8_node *around = c->node;
    bool at_key = c->at_key;
    struct value value = {0};

    c->node = node;
    c->at_key = false;
    if (go_down(c))
        value = put_node(b, node, form);
    c->depth--;
    c->node = around;
    c->at_key = at_key;
    return value;
}

const struct program *e8_tpl_program(struct compiler *c, const struct e8_node *node, enum form form,
                                     struct value *value)
{
    struct builder b;

    e8_tpl_begin(&b, c);
    b.top = !c->begun;
    c->begun = true;
    *value = e8_tpl_node(&b, node, form);
    return e8_tpl_end(&b);
}
