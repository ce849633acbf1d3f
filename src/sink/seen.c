#include "sink/seen.h"

#include <stdlib.h>

#include "base/base.h"

enum { FIRST_SLOTS = 64 };

/* The slot of the key, or the empty one where it belongs. 0 marks an empty slot, so it is stored as 1. */
static uint64_t *slot_of(uint64_t *slots, size_t mask, uint64_t key)
{
    size_t i = (size_t)key & mask;

    while (slots[i] != 0 && slots[i] != key)
        i = (i + 1) & mask;
    return &slots[i];
}

static void grow(uint64_t **slots, size_t *mask)
{
    size_t size = *slots ? 2 * (*mask + 1) : FIRST_SLOTS;
    uint64_t *larger = e8_new(size, sizeof *larger);

    for (size_t i = 0; *slots && i <= *mask; i++)
        if ((*slots)[i] != 0)
            *slot_of(larger, size - 1, (*slots)[i]) = (*slots)[i];
    free(*slots);
    *slots = larger;
    *mask = size - 1;
}

bool e8_seen_has(const struct e8_seen *seen, uint64_t key)
{
    size_t shard = key >> 56;

    key += key == 0;
    return seen->shards[shard].slots &&
           *slot_of(seen->shards[shard].slots, seen->shards[shard].mask, key) == key;
}

bool e8_seen_add(struct e8_seen *seen, uint64_t key)
{
    size_t shard = key >> 56;

    if (e8_seen_has(seen, key))
        return false;
    if (e8_seen_full(seen))
        return true;
    if (!seen->shards[shard].slots || seen->shards[shard].count > seen->shards[shard].mask / 2)
        grow(&seen->shards[shard].slots, &seen->shards[shard].mask);
    key += key == 0;
    *slot_of(seen->shards[shard].slots, seen->shards[shard].mask, key) = key;
    seen->shards[shard].count++;
    seen->count++;
    return true;
}

bool e8_seen_full(const struct e8_seen *seen)
{
    return seen->count >= seen->limit;
}

void e8_seen_fini(struct e8_seen *seen)
{
    for (size_t i = 0; i < E8_SEEN_SHARDS; i++)
        free(seen->shards[i].slots);
    *seen = (struct e8_seen){0};
}
