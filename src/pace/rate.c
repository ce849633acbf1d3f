#include "pace/pace.h"

double e8_pace_rate(const struct e8_pace *pace, e8_dur_ns offset)
{
    double from = e8_rate_per_s(pace->from);
    if (offset < 0 || offset >= pace->length)
        return 0;
    switch (pace->kind) {
    case E8_PACE_CONSTANT:
    case E8_PACE_POISSON:
        return from;
    case E8_PACE_RAMP:
        return from + (e8_rate_per_s(pace->to) - from) * ((double)offset / (double)pace->length);
    }
    E8_UNREACHABLE();
}
