#include <string.h>

#include "pace/pace.h"

#define TEXT_MAX 64

/* Where it has no unit of its own, that of `like`. */
static bool parse_rate(struct e8_str text, struct e8_str like, struct e8_rate *out)
{
    const char *unit = like.n ? memchr(like.p, '/', like.n) : NULL;
    char memory[TEXT_MAX];
    struct e8_buf whole;

    if (e8_str_is(text, "0")) {
        *out = (struct e8_rate){0, E8_NS_S};
        return true;
    }
    if (!unit || !text.n || memchr(text.p, '/', text.n))
        return e8_parse_rate(text, out);
    size_t n = (size_t)(like.p + like.n - unit);
    if (text.n + n >= sizeof memory)
        return false;
    e8_buf_fixed(&whole, memory, sizeof memory - 1);
    e8_buf_putstr(&whole, text);
    e8_buf_put(&whole, unit, n);
    return e8_parse_rate(e8_buf_str(&whole), out);
}

static bool split_range(struct e8_str text, struct e8_str *from, struct e8_str *to)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] == '.' && text.p[i + 1] == '.') {
            *from = e8_str_trim((struct e8_str){text.p, i});
            *to = e8_str_trim((struct e8_str){text.p + i + 2, text.n - i - 2});
            return true;
        }
    }
    return false;
}

bool e8_pace_parse_rates(struct e8_str text, struct e8_rate *from, struct e8_rate *to)
{
    struct e8_str first, last;

    return split_range(text, &first, &last) && parse_rate(first, last, from) &&
           parse_rate(last, E8_LIT(""), to) && (from->num > 0 || to->num > 0);
}

bool e8_pace_parse_piece(struct e8_str text, struct e8_pace_piece *out)
{
    const char *colon = text.n ? memchr(text.p, ':', text.n) : NULL;

    if (!colon)
        return false;
    struct e8_str rate = e8_str_trim((struct e8_str){text.p, (size_t)(colon - text.p)});
    struct e8_str length = e8_str_trim((struct e8_str){colon + 1, (size_t)(text.p + text.n - colon - 1)});
    if (!e8_parse_dur(length, &out->length) || out->length <= 0)
        return false;
    if (e8_pace_parse_rates(rate, &out->from, &out->to))
        return true;
    if (!parse_rate(rate, E8_LIT(""), &out->from))
        return false;
    out->to = out->from;
    return true;
}
