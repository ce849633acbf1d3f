#include "template/program.h"

bool e8_tpl_word(struct e8_str *rest, struct e8_str *word)
{
    bool quoted = false;
    size_t n = 0;

    *rest = e8_str_trim(*rest);
    for (; n < rest->n && (quoted || rest->p[n] != ' '); n++)
        if (rest->p[n] == '\'')
            quoted = !quoted;
    *word = (struct e8_str){rest->p, n};
    *rest = e8_str_trim((struct e8_str){rest->p + n, rest->n - n});
    return n > 0;
}

bool e8_tpl_unquote(struct compiler *c, struct e8_str word, struct e8_str *out)
{
    char *text = e8_arena_alloc(c->arena, word.n + 1);
    size_t n = 0, i = 1;

    for (; i < word.n; i++) {
        if (word.p[i] == '\'' && ++i < word.n && word.p[i] != '\'')
            break;
        if (i < word.n)
            text[n++] = word.p[i];
    }
    if (word.n < 2 || word.p[0] != '\'' || i != word.n + 1)
        return e8_tpl_fail(c, "a quote within quotes is written twice: 'it''s'",
                           "%.*s is not one quoted text", E8_STR(word));
    *out = (struct e8_str){text, n};
    return true;
}

bool e8_tpl_split_range(struct e8_str text, struct e8_str *low, struct e8_str *high)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] != '.' || text.p[i + 1] != '.')
            continue;
        *low = (struct e8_str){text.p, i};
        *high = (struct e8_str){text.p + i + 2, text.n - i - 2};
        return true;
    }
    return false;
}

bool e8_tpl_share(struct compiler *c, struct e8_str word, double *share)
{
    if (word.n > 1 && word.p[word.n - 1] == '%' && e8_parse_share(word, share))
        return true;
    return e8_tpl_fail(c, "write 0% to 100%, for example 30%", "\"%.*s\" is no probability", E8_STR(word));
}

static const char *whole_number(struct compiler *c, int64_t low, int64_t high)
{
    return e8_arena_printf(c->arena, "a whole number from %lld to %lld", (long long)low, (long long)high);
}

bool e8_tpl_integer(struct compiler *c, struct e8_str word, int64_t low, int64_t high, int64_t *out)
{
    if (!e8_parse_i64(word, out))
        return e8_tpl_fail(c, whole_number(c, low, high), "\"%.*s\" is no whole number", E8_STR(word));
    if (*out < low || *out > high)
        return e8_tpl_fail(c, whole_number(c, low, high), "%.*s is out of range", E8_STR(word));
    return true;
}

bool e8_tpl_weight(struct compiler *c, struct e8_str word, uint64_t *out)
{
    if (e8_parse_u64(word, out) && *out <= E8_TPL_WEIGHT_MAX)
        return true;
    return e8_tpl_fail(c, "weights are whole numbers from 0 to 1000000000", "\"%.*s\" is no weight",
                       E8_STR(word));
}

bool e8_tpl_weights(struct compiler *c, const uint64_t *weights, size_t count, struct weights *out)
{
    uint64_t *upto = e8_arena_alloc(c->arena, count * sizeof(*upto));
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        upto[i] = sum += weights[i];
    if (sum == 0)
        return e8_tpl_fail(c, "one of them must be at least 1", "the weights are all 0");
    *out = (struct weights){upto, (uint32_t)count};
    return true;
}

const char *e8_tpl_did_you_mean(struct compiler *c, struct e8_str name, const char *const *names,
                                const char *otherwise)
{
    char hint[E8_HINT_MAX];
    return e8_arena_printf(c->arena, "%s", e8_hint_near(name, names, otherwise, hint));
}
