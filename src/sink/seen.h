/* A set of 64-bit keys that only grows. Private to sink. One owner thread. */
#ifndef E8_SINK_SEEN_H
#define E8_SINK_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { E8_SEEN_SHARDS = 256 };

/* In shards, so that growing moves a 256th of it and not all at once. Zeroed but for `limit`: an empty set. */
struct e8_seen {
    struct {
        uint64_t *slots;
        size_t count, mask;
    } shards[E8_SEEN_SHARDS];
    size_t count, limit;
};

/* Adds the key. True if it was new. When the set is full nothing is added, and what is not in it counts as new. */
bool e8_seen_add(struct e8_seen *seen, uint64_t key);
bool e8_seen_has(const struct e8_seen *seen, uint64_t key);
bool e8_seen_full(const struct e8_seen *seen);
void e8_seen_fini(struct e8_seen *seen);

#endif
