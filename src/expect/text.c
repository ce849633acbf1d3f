#include "expect/internal.h"

static void put_range(struct e8_buf *out, const struct e8_statuses *range)
{
    if (range->high == 0)
        e8_buf_puts(out, "no answer");
    else if (range->low == range->high)
        e8_buf_puti(out, range->low);
    else if (range->low % 100 == 0 && range->high == range->low + 99)
        e8_buf_printf(out, "%dxx", range->low / 100);
    else
        e8_buf_printf(out, "%d..%d", range->low, range->high);
}

void e8_expect_put_statuses(const struct e8_expect *expect, struct e8_buf *out)
{
    static const struct e8_statuses usual = {200, 299};
    const struct e8_statuses *list = expect->status_count ? expect->statuses : &usual;
    size_t count = expect->status_count ? expect->status_count : 1;
    for (size_t i = 0; i < count; i++) {
        e8_buf_puts(out, i == 0 ? "" : i + 1 == count ? " or " : ", ");
        put_range(out, &list[i]);
    }
}

static struct e8_str cut(struct e8_str text, size_t most)
{
    if (text.n <= most)
        return text;
    size_t n = most;
    while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80 && most - n < 4)
        n--;
    return (struct e8_str){text.p, n};
}

void e8_expect_put_shown(struct e8_buf *out, struct e8_str text)
{
    struct e8_str head = cut(text, SHOWN_MAX);
    e8_buf_putc(out, '"');
    e8_buf_put_clean(out, head);
    e8_buf_puts(out, head.n < text.n ? "…\"" : "\"");
}

void e8_expect_put_value(struct e8_buf *out, const struct e8_node *value)
{
    struct e8_buf json;
    if (value->kind == E8_STRING) {
        e8_expect_put_shown(out, value->text);
        return;
    }
    e8_buf_init(&json, E8_FILE_MAX);
    e8_node_json(value, &json);
    struct e8_str head = cut(e8_buf_str(&json), SHOWN_MAX);
    e8_buf_put_clean(out, head);
    e8_buf_puts(out, head.n < json.n ? "…" : "");
    e8_buf_fini(&json);
}

static void put_header(struct e8_buf *out, const struct header_rule *rule)
{
    e8_buf_puts(out, rule->kind == HEADER_ABSENT ? "; no header " : "; header ");
    e8_buf_put_clean(out, rule->name);
    if (rule->kind == HEADER_IS) {
        e8_buf_putc(out, ' ');
        e8_expect_put_shown(out, rule->value);
    }
}

static void put_texts(struct e8_buf *out, const char *what, const struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        e8_buf_puts(out, what);
        e8_expect_put_shown(out, texts->list[i]);
    }
}

static void put_effect(struct e8_buf *out, const struct e8_expect *expect)
{
    if (expect->effect_low == expect->effect_high)
        e8_buf_printf(out, "; effect %lld", (long long)expect->effect_low);
    else
        e8_buf_printf(out, "; effect %lld to %lld", (long long)expect->effect_low,
                      (long long)expect->effect_high);
}

void e8_expect_text(const struct e8_expect *expect, struct e8_buf *out)
{
    char dur[E8_DUR_MAX];
    e8_expect_put_statuses(expect, out);
    if (expect->within >= 0)
        e8_buf_printf(out, " within %s", e8_dur_text(expect->within, dur));
    for (size_t i = 0; i < expect->header_count; i++)
        put_header(out, &expect->headers[i]);
    put_texts(out, "; body contains ", &expect->contains);
    put_texts(out, "; body lacks ", &expect->lacks);
    for (size_t i = 0; i < expect->pointer_count; i++) {
        e8_buf_puts(out, "; body has ");
        e8_expect_put_value(out, expect->pointers[i].value);
        e8_buf_puts(out, " at ");
        e8_buf_put_clean(out, e8_str(expect->pointers[i].pointer));
    }
    if (expect->effect)
        put_effect(out, expect);
}
