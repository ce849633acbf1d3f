#include <stdlib.h>
#include <string.h>

#include "template/program.h"

struct e8_memo *e8_memo_new(void)
{
    return e8_new(1, sizeof(struct e8_memo));
}

void e8_memo_free(struct e8_memo **memo)
{
    free(*memo);
    *memo = NULL;
}

/* An entity uses only what stays the same for as long as itself (is_steady in references.c): what a field of these is depends on the
 * key of its stream alone. */
static bool comes_often(const struct entity *entity)
{
    return entity->scope == SCOPE_RUN || (entity->scope == SCOPE_POOL && entity->members <= E8_TPL_MEMO_POOL);
}

bool e8_tpl_recall(struct render *r, const struct op *op, uint64_t key, struct remembered **place)
{
    struct e8_memo *memo = r->facts->memo;

    *place = NULL;
    if (!memo || !comes_often(op->call.entity))
        return false;
    struct remembered *at = &memo->texts[key % E8_TPL_MEMO_COUNT];
    if (at->key == key && at->body == op->call.body) {
        e8_buf_put(r->out, at->text, at->n);
        return true;
    }
    *place = at;
    return false;
}

void e8_tpl_remember(struct remembered *place, const struct op *op, uint64_t key, struct e8_str text)
{
    if (!place || text.n > sizeof(place->text))
        return;
    place->key = key;
    place->body = op->call.body;
    place->n = (uint16_t)text.n;
    if (text.n > 0)
        memcpy(place->text, text.p, text.n);
}
