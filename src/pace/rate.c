#include <math.h>

#include "pace/pace.h"

static double between(struct e8_rate from, struct e8_rate to, double share)
{
    return e8_rate_per_s(from) + (e8_rate_per_s(to) - e8_rate_per_s(from)) * share;
}

static double rate_of_piece(const struct e8_pace *pace, e8_dur_ns offset)
{
    size_t i = 0;
    while (i + 1 < pace->piece_count && offset >= pace->pieces[i].length)
        offset -= pace->pieces[i++].length;
    const struct e8_pace_piece *piece = &pace->pieces[i];
    return between(piece->from, piece->to, (double)offset / (double)piece->length);
}

double e8_pace_rate(const struct e8_pace *pace, e8_dur_ns offset)
{
    if (offset < 0 || offset >= pace->length)
        return 0;
    switch (pace->kind) {
    case E8_PACE_CONSTANT:
        return e8_rate_per_s(pace->from);
    case E8_PACE_RAMP:
        return between(pace->from, pace->to, (double)offset / (double)pace->length);
    case E8_PACE_STEPS:
        return rate_of_piece(pace, offset);
    case E8_PACE_SINE:
        return between(pace->from, pace->to,
                       (1 - cos(2 * acos(-1) * (double)(offset % pace->period) / (double)pace->period)) / 2);
    case E8_PACE_BURST:
        return (double)pace->burst * (double)E8_NS_S / (double)pace->period;
    case E8_PACE_RECORDED:
        return (double)pace->offset_count * (double)E8_NS_S / (double)pace->length;
    }
    E8_UNREACHABLE();
}
