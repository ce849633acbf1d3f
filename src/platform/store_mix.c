#include <stdlib.h>

#include "platform/store_parts.h"

bool e8_mix_take(struct e8_str *bytes, struct e8_mix_part *out)
{
    uint64_t slot;

    if (bytes->n == 0)
        return false;
    out->type = (int64_t)e8_number_take(bytes);
    out->status = (int64_t)e8_number_take(bytes);
    out->outcome = (int64_t)e8_number_take(bytes);
    slot = e8_number_take(bytes);
    out->delivered = slot % 2 != 0;
    out->count = (uint32_t)e8_number_take(bytes);
    out->slot = (unsigned)(slot / 2);
    return slot / 2 < E8_LATENCY_SLOTS; /* else of a damaged file */
}

static int compare(const void *left, const void *right)
{
    const struct e8_mix_part *a = left, *b = right;
    const int64_t pairs[][2] = {{a->type, b->type},
                                {a->status, b->status},
                                {a->outcome, b->outcome},
                                {a->slot, b->slot},
                                {a->delivered, b->delivered}};

    for (size_t i = 0; i < E8_COUNT(pairs); i++) {
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    }
    return 0;
}

static void put(struct e8_buf *out, const struct e8_mix_part *part)
{
    e8_number_put(out, (uint64_t)part->type);
    e8_number_put(out, (uint64_t)part->status);
    e8_number_put(out, (uint64_t)part->outcome);
    e8_number_put(out, 2 * (uint64_t)part->slot + part->delivered);
    e8_number_put(out, part->count);
}

void e8_mix_put(struct e8_mix_part *parts, size_t count, struct e8_buf *out)
{
    qsort(parts, count, sizeof *parts, compare);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && compare(&parts[i], &parts[next]) == 0; next++)
            parts[i].count += parts[next].count;
        put(out, &parts[i]);
    }
}

int64_t e8_mix_value(const struct e8_mix_part *part, int of)
{
    switch (of) {
    case E8_SUM_TYPE:
        return part->type;
    case E8_SUM_STATUS:
        return part->status;
    case E8_SUM_OUTCOME:
        return part->outcome;
    }
    return 0;
}
