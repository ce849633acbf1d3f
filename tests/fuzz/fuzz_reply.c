/* Responses from anywhere: parsing at a split is parsing whole, and never looks beyond the bytes.
 *
 * The input: one byte says where to split and whether the request was one without an answer's body; then the response. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http1/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096

struct parsed {
    struct e8_reply reply;
    struct e8_buf content, fields;
    size_t taken;
};

static void on_field(void *state, struct e8_str name, struct e8_str value)
{
    struct e8_buf *fields = state;
    e8_buf_putstr(fields, name);
    e8_buf_putc(fields, '\n');
    e8_buf_putstr(fields, value);
    e8_buf_putc(fields, '\n');
}

static void begin(struct parsed *p, bool bodiless)
{
    e8_reply_init(&p->reply);
    e8_reply_reset(&p->reply, bodiless, MOST);
    e8_buf_init(&p->content, 2 * MOST);
    e8_buf_init(&p->fields, SIZE_MAX);
    p->taken = 0;
}

static void feed(struct parsed *p, const uint8_t *data, size_t n)
{
    const struct e8_reply_taker taker = {on_field, &p->fields, NULL, &p->content};
    char *copy = malloc(n + !n); /* a byte too far is seen */
    memcpy(copy, data, n);
    p->taken += e8_reply_feed(&p->reply, copy, n, &taker);
    free(copy);
}

static void end(struct parsed *p)
{
    e8_reply_fini(&p->reply);
    e8_buf_fini(&p->content);
    e8_buf_fini(&p->fields);
}

static void same(const struct parsed *a, const struct parsed *b)
{
    E8_ASSERT(a->reply.state == b->reply.state && a->reply.fault == b->reply.fault);
    E8_ASSERT(a->reply.status == b->reply.status && a->reply.interims == b->reply.interims);
    E8_ASSERT(a->reply.state != E8_REPLY_WHOLE || a->taken == b->taken);
    E8_ASSERT(a->reply.state == E8_REPLY_CAPPED ||
              e8_str_eq(e8_buf_str(&a->content), e8_buf_str(&b->content)));
    E8_ASSERT(e8_str_eq(e8_buf_str(&a->fields), e8_buf_str(&b->fields)));
}

/* A head that is known leads to the same. */
static void recalled(const struct parsed *whole, const uint8_t *data, size_t n, bool bodiless)
{
    struct e8_reply_memo memo = {.n = 0};
    struct parsed p;
    e8_reply_remember(&memo, &whole->reply, (const char *)data, n);
    begin(&p, bodiless);
    p.taken = e8_reply_recall(&p.reply, &memo, (const char *)data, n);
    E8_ASSERT(p.taken == memo.n);
    feed(&p, data + memo.n, n - memo.n);
    if (memo.n)
        E8_ASSERT(p.reply.persistent == whole->reply.persistent && p.reply.body == whole->reply.body);
    e8_buf_reset(&p.fields);
    e8_buf_putstr(&p.fields, e8_buf_str(&whole->fields)); /* which nobody missed */
    same(whole, &p);
    end(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct parsed whole, parts;
    bool bodiless = data[0] & 1;
    size_t split = data[0] / 2 % (size > 1 ? size : 1);
    begin(&whole, bodiless);
    begin(&parts, bodiless);
    feed(&whole, data + 1, size - 1);
    feed(&parts, data + 1, split);
    if (parts.taken == split)
        feed(&parts, data + 1 + split, size - 1 - split);
    same(&whole, &parts);
    E8_ASSERT(whole.reply.body <= MOST || whole.reply.state == E8_REPLY_CAPPED);
    E8_ASSERT((whole.reply.state == E8_REPLY_BROKEN) == (whole.reply.fault != E8_REPLY_GOOD));
    recalled(&whole, data + 1, size - 1, bodiless);
    end(&whole);
    end(&parts);
    return 0;
}
