/* Slots of microseconds: the first 32 are one wide, and from there on 16 to each power of two. In the file: for each slot that is not
 * empty, how far it is from the one before, and how many it has, as numbers of seven bits a byte. */
#include "platform/store_parts.h"

enum { SUB_BITS = 4, SUB = 1 << SUB_BITS, HIGHEST_BIT = 40 };

unsigned e8_latency_slot(e8_dur_ns time)
{
    uint64_t us = time > 0 ? (uint64_t)(time / E8_NS_US) : 0, most = ((uint64_t)1 << HIGHEST_BIT) - 1;

    us = us < most ? us : most;
    unsigned shift = 64U - (unsigned)__builtin_clzll(us | (2 * SUB - 1)) - SUB_BITS - 1;
    return (shift << SUB_BITS) + (unsigned)(us >> shift);
}

static unsigned shift_of(unsigned slot)
{
    return slot < 2 * SUB ? 0 : (slot >> SUB_BITS) - 1;
}

static uint64_t low_of(unsigned slot)
{
    unsigned shift = shift_of(slot);

    return (uint64_t)(slot - (shift << SUB_BITS)) << shift;
}

e8_dur_ns e8_latency_upto(unsigned slot)
{
    return (e8_dur_ns)(low_of(slot) + ((uint64_t)1 << shift_of(slot))) * E8_NS_US;
}

static e8_dur_ns middle_of(unsigned slot)
{
    return (e8_dur_ns)low_of(slot) * E8_NS_US + (E8_NS_US << shift_of(slot)) / 2;
}

void e8_latency_add(struct e8_latency *latency, unsigned slot, uint32_t count)
{
    latency->slots[slot] += count;
    latency->count += count;
}

uint64_t e8_number_take(struct e8_str *bytes)
{
    uint64_t number = 0;

    for (unsigned shift = 0; bytes->n > 0 && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*bytes->p++;
        bytes->n--;
        number |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    return number;
}

void e8_number_put(struct e8_buf *out, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        e8_buf_putc(out, (char)(number | 0x80));
    e8_buf_putc(out, (char)number);
}

void e8_latency_merge(struct e8_latency *latency, struct e8_str bytes)
{
    for (uint64_t slot = 0; bytes.n > 0;) {
        slot += e8_number_take(&bytes);
        uint32_t count = (uint32_t)e8_number_take(&bytes);
        if (slot >= E8_LATENCY_SLOTS) /* of a damaged file */
            return;
        e8_latency_add(latency, (unsigned)slot, count);
    }
}

void e8_latency_put(const struct e8_latency *latency, struct e8_buf *out)
{
    unsigned last = 0;

    for (unsigned slot = 0; slot < E8_LATENCY_SLOTS; slot++) {
        if (latency->slots[slot] == 0)
            continue;
        e8_number_put(out, slot - last);
        e8_number_put(out, latency->slots[slot]);
        last = slot;
    }
}

e8_dur_ns e8_latency_at(const struct e8_latency *latency, double share)
{
    double rank = share * (double)latency->count;
    uint64_t below = 0;
    unsigned last = 0;

    if (latency->count == 0)
        return -1;
    for (unsigned slot = 0; slot < E8_LATENCY_SLOTS; slot++) {
        if (latency->slots[slot] == 0)
            continue;
        below += latency->slots[slot];
        last = slot;
        if ((double)below >= rank)
            break;
    }
    return middle_of(last);
}
