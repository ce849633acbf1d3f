#include <string.h>

#include "template/program.h"

#define KEY_WINDOW 256

static struct e8_str before(struct e8_str text, char separator, struct e8_str *after)
{
    const char *at = text.n ? memchr(text.p, separator, text.n) : NULL;

    *after = (struct e8_str){NULL, 0};
    if (!at)
        return text;
    size_t n = (size_t)(at - text.p);
    *after = (struct e8_str){at + 1, text.n - n - 1};
    return (struct e8_str){text.p, n};
}

/* $pick */

static const struct word_list *find_list(struct compiler *c, struct e8_str name)
{
    const struct word_list *list = e8_tpl_words(c->vocab, name);
    size_t count = 0;

    if (list && list->broken) {
        c->failed = true;
        return NULL;
    }
    if (list)
        return list;
    for (const struct word_list *l = c->vocab->lists; l; l = l->next)
        count++;
    const char **names = e8_arena_alloc(c->arena, (count + 1) * sizeof(*names));
    for (const struct word_list *l = c->vocab->lists; l; l = l->next)
        names[--count] = l->name.p;
    e8_tpl_fail(c, e8_tpl_did_you_mean(c, name, names, "a list is a file: words/NAME.json"),
                "unknown word list \"%.*s\"", E8_STR(name));
    return NULL;
}

static const struct program *compile_key(struct compiler *c, struct e8_str reference)
{
    struct builder b;
    int column = c->column;

    c->column = -1;
    e8_tpl_begin(&b, c);
    struct value value = e8_tpl_reference(&b, reference, FORM_TEXT);
    b.max = 0; /* a key is compared, not written */
    b.nest = 0;
    const struct program *program = e8_tpl_end(&b);
    c->column = column;
    return value.kinds ? program : NULL;
}

static bool check_key(struct compiler *c, const struct word_list *list, struct e8_str arg, struct e8_str key)
{
    bool asked = arg.n > list->name.n;

    if (asked && !list->keyed)
        return e8_tpl_fail(c, "leave out what follows the colon", "the word list \"%.*s\" has no keys",
                           E8_STR(list->name));
    if (!asked && list->keyed)
        return e8_tpl_fail(c, "write $pick LIST:ENTITY.FIELD", "the word list \"%.*s\" is kept by key",
                           E8_STR(list->name));
    if (asked && (key.n == 0 || key.p[0] == '$' || !memchr(key.p, '.', key.n)))
        return e8_tpl_fail(c, "write $pick LIST:ENTITY.FIELD", "\"%.*s\" is no field of an entity",
                           E8_STR(key));
    return true;
}

/* 0 where there is no such key. */
static uint32_t find_index(const struct word_list *list, struct e8_str key)
{
    uint64_t start = e8_tpl_start(key);

    for (size_t i = 0; i < list->key_count; i++)
        if (list->starts[i] == start && e8_str_eq(list->keys[i], key))
            return (uint32_t)i;
    return 0;
}

/* What the op chooses among, if it does nothing else; NULL if it does. */
static const struct e8_str *choices_of(const struct op *op, uint32_t *count)
{
    if (op->render == e8_tpl_render_weighted) {
        *count = op->weighted.weights.count;
        return op->weighted.texts;
    }
    if (op->render == e8_tpl_render_pick) {
        *count = op->pick.choices->count;
        return op->pick.choices->at;
    }
    return NULL;
}

static const uint32_t *find_indices(struct compiler *c, const struct word_list *list,
                                    const struct program *field)
{
    uint32_t count;
    const struct e8_str *keys = e8_tpl_is_one(field) ? choices_of(field->ops, &count) : NULL;

    if (!keys)
        return NULL;
    uint32_t *indices = e8_arena_alloc(c->arena, count * sizeof(*indices));
    for (uint32_t i = 0; i < count; i++)
        indices[i] = find_index(list, keys[i]);
    return indices;
}

/* Without a division; no word is likelier than another by more than count / 2^32. */
static inline size_t draw_choice(struct render *r, const struct choices *choices)
{
    return (e8_rng_next(&r->rng) >> 32) * choices->count >> 32;
}

static inline struct e8_str draw_word(struct render *r, const struct choices *choices)
{
    return choices->at[draw_choice(r, choices)];
}

static uint32_t choose_index(struct render *r, const struct op *op)
{
    const struct op *field = op->pick.key->ops, *one = field->call.body->ops;
    struct e8_rng around = r->rng;

    e8_tpl_begin_field(r, field);
    size_t choice = one->render == e8_tpl_render_pick ? draw_choice(r, one->pick.choices)
                                                      : e8_tpl_draw(&r->rng, &one->weighted.weights);
    r->rng = around;
    return op->pick.indices[choice];
}

/* The key is not written: it goes to memory of its own, and what is longer than any key matches none. */
static uint32_t read_index(struct render *r, const struct op *op)
{
    char memory[E8_TPL_WORD_MAX + 1], window[KEY_WINDOW];
    struct writer around = r->to;
    struct e8_buf key;

    e8_buf_fixed(&key, memory, sizeof(memory));
    e8_tpl_write(&r->to, window, sizeof(window), &key);
    e8_tpl_run(r, op->pick.key);
    e8_tpl_flush(&r->to);
    r->to = around;
    return key.full ? 0 : find_index(op->pick.list, e8_buf_str(&key));
}

__attribute__((noinline)) static void learn_key(struct render *r, const struct op *op)
{
    uint32_t index = op->pick.indices ? choose_index(r, op) : read_index(r, op);

    r->keys[op->pick.place] = (struct found_key){op->pick.key->ops[0].call.body, op->pick.list, index};
}

/* An entity's field is the same wherever it stands, and its program the same one. */
static inline uint32_t find_key(struct render *r, const struct op *op)
{
    const struct found_key *known = &r->keys[op->pick.place];

    if (known->field != op->pick.key->ops[0].call.body || known->list != op->pick.list)
        learn_key(r, op);
    return known->index;
}

E8_TPL_RENDER(pick)
{
    e8_tpl_put_piece(&r->to, draw_word(r, op->pick.choices));
}

static void render_keyed(struct render *r, const struct op *op)
{
    e8_tpl_put_piece(&r->to, draw_word(r, op->pick.choices + find_key(r, op)));
}

E8_TPL_COMPILE(pick)
{
    struct e8_str key, name = before(call->args[0], ':', &key);
    const struct word_list *list = find_list(c, name);
    struct op *op = &call->op;

    if (!list || !check_key(c, list, call->args[0], key))
        return false;
    if (list->keyed && !(op->pick.key = compile_key(c, key)))
        return false;
    if (list->keyed) {
        op->render = render_keyed;
        op->pick.indices = find_indices(c, list, op->pick.key->ops[0].call.body);
        op->pick.place = (unsigned)(e8_hash_str(call->args[0]) % E8_TPL_KEYS_MAX);
    }
    op->pick.list = list;
    op->pick.choices = e8_tpl_choices(list, c->column, call->form);
    for (size_t i = 0; i < list->key_count; i++)
        if (op->pick.choices[i].longest > call->max)
            call->max = op->pick.choices[i].longest;
    call->value.kinds = list->kinds[1 + c->column];
    if (list->column_count && c->column < 0)
        call->value.rows = list;
    call->body = op->pick.key;
    return true;
}

/* $weighted */

static size_t skip_digits(struct e8_str text, size_t i)
{
    while (i < text.n && text.p[i] >= '0' && text.p[i] <= '9')
        i++;
    return i;
}

/* RFC 8259, section 6. */
static bool is_number(struct e8_str text)
{
    size_t i = text.n > 0 && text.p[0] == '-', digits = skip_digits(text, i);

    if (digits == i || (text.p[i] == '0' && digits > i + 1))
        return false;
    i = digits;
    if (i < text.n && text.p[i] == '.') {
        digits = skip_digits(text, i + 1);
        if (digits == i + 1)
            return false;
        i = digits;
    }
    if (i < text.n && (text.p[i] == 'e' || text.p[i] == 'E')) {
        i++;
        i += i < text.n && (text.p[i] == '+' || text.p[i] == '-');
        digits = skip_digits(text, i);
        if (digits == i)
            return false;
        i = digits;
    }
    return i == text.n;
}

static bool fits(struct e8_str number)
{
    int64_t i;
    double f;

    return skip_digits(number, number.p[0] == '-') == number.n ? e8_parse_i64(number, &i)
                                                               : e8_parse_double(number, &f);
}

static unsigned kind_of(struct e8_str word)
{
    if (e8_str_is(word, "true") || e8_str_is(word, "false"))
        return KIND_BOOL;
    if (e8_str_is(word, "null"))
        return KIND_NULL;
    return is_number(word) ? KIND_NUMBER : KIND_STRING;
}

static bool weighted_value(struct compiler *c, struct e8_str word, enum form form, struct e8_str *text,
                           unsigned *kinds)
{
    unsigned kind = KIND_STRING;

    if (word.n == 0)
        return e8_tpl_fail(c, "an empty text is written ''", "a value of $weighted is missing");
    if (word.p[0] != '\'')
        kind = kind_of(word);
    else if (!e8_tpl_unquote(c, word, &word))
        return false;
    if (kind == KIND_NUMBER && !fits(word))
        return e8_tpl_fail(c, "in quotes it is a text", "the number %.*s does not fit", E8_STR(word));
    *kinds |= kind;
    if (kind == KIND_STRING)
        *text = e8_tpl_escape(c->arena, word, form == FORM_VALUE);
    else if (kind == KIND_NULL && form == FORM_TEXT)
        *text = e8_tpl_piece(c->arena, E8_LIT(""));
    else
        *text = e8_tpl_piece(c->arena, word);
    return true;
}

static bool weighted_pair(struct compiler *c, struct call *call, struct e8_str word, struct e8_str *text,
                          uint64_t *weight)
{
    size_t n = word.n;

    while (n > 0 && word.p[n - 1] != '=')
        n--;
    if (n == 0)
        return e8_tpl_fail(c, "write $weighted open=3 'on hold'=1", "\"%.*s\" has no weight", E8_STR(word));
    return e8_tpl_weight(c, (struct e8_str){word.p + n, word.n - n}, weight) &&
           weighted_value(c, (struct e8_str){word.p, n - 1}, call->form, text, &call->value.kinds);
}

E8_TPL_COMPILE(weighted)
{
    size_t room = call->rest.n / 2 + 1, count = 0; /* of a word and a space at least */
    struct e8_str *texts = e8_arena_alloc(c->arena, room * sizeof(*texts));
    uint64_t *weights = e8_arena_alloc(c->arena, room * sizeof(*weights));
    struct e8_str rest = call->rest, word;

    call->value.kinds = 0;
    while (e8_tpl_word(&rest, &word)) {
        if (!weighted_pair(c, call, word, &texts[count], &weights[count]))
            return false;
        if (texts[count].n > call->max)
            call->max = texts[count].n;
        count++;
    }
    call->op.weighted.texts = texts;
    return e8_tpl_weights(c, weights, count, &call->op.weighted.weights);
}

E8_TPL_RENDER(weighted)
{
    e8_tpl_put_piece(&r->to, op->weighted.texts[e8_tpl_draw(&r->rng, &op->weighted.weights)]);
}

/* $optional */

E8_TPL_COMPILE(optional)
{
    struct e8_str rest = call->rest, share;

    if (!e8_tpl_word(&rest, &share) || !e8_tpl_share(c, share, &call->op.optional.share))
        return false;
    if (rest.n == 0)
        return e8_tpl_fail(c, "write $optional 30% $randomInt, or $optional 30% 'a text'",
                           "$optional has nothing to write");
    call->body = e8_tpl_rest(c, rest, call->form, &call->value);
    if (!call->value.kinds)
        return false;
    call->value.kinds |= KIND_NULL;
    call->op.optional.body = call->body;
    call->op.optional.null = call->form == FORM_VALUE;
    call->max = call->op.optional.null ? 4 : 0;
    return true;
}

E8_TPL_RENDER(optional)
{
    if (e8_rng_unit(&r->rng) < op->optional.share)
        e8_tpl_run(r, op->optional.body);
    else if (op->optional.null)
        e8_tpl_put_bytes(&r->to, "null", 4);
}

/* $lower, $upper */

static bool compile_letters(struct compiler *c, struct call *call, bool upper)
{
    struct value value;

    call->body = e8_tpl_rest(c, call->rest, FORM_TEXT, &value);
    call->op.letters.body = call->body;
    call->op.letters.upper = upper;
    return value.kinds != 0;
}

E8_TPL_COMPILE(lower)
{
    return compile_letters(c, call, false);
}

E8_TPL_COMPILE(upper)
{
    return compile_letters(c, call, true);
}

/* What follows a backslash is not a letter of the text. */
E8_TPL_RENDER(letters)
{
    char low = op->letters.upper ? 'a' : 'A', high = op->letters.upper ? 'z' : 'Z';
    struct e8_buf *out = r->to.out;

    e8_tpl_flush(&r->to);
    size_t i = out->n;
    e8_tpl_run(r, op->letters.body);
    e8_tpl_flush(&r->to);
    for (; i < out->n; i++) {
        char *p = out->p + i;
        if (*p == '\\')
            i++;
        else if (*p >= low && *p <= high)
            *p = (char)(*p ^ 0x20);
    }
}
