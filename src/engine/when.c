#include "engine/worker.h"

#define FAR (E8_NEVER / 4)

e8_dur_ns e8_divided(e8_dur_ns dur, double by)
{
    double result = (double)dur / by;
    if (by >= 1 && by <= 1) {
        return dur;
    }
    return result < (double)FAR ? (e8_dur_ns)result : FAR;
}

e8_dur_ns e8_scaled(const struct e8_engine *engine, e8_dur_ns dur)
{
    return e8_divided(dur, engine->speed);
}

int64_t e8_after(int64_t at, e8_dur_ns wait)
{
    int64_t sum;
    if (__builtin_add_overflow(at, wait, &sum)) {
        return wait > 0 ? E8_NEVER - 1 : -(E8_NEVER - 1);
    }
    return sum < E8_NEVER ? sum : E8_NEVER - 1;
}

e8_dur_ns e8_multiple(e8_dur_ns offset, e8_dur_ns step)
{
    if (step <= 0 || offset <= 0 || offset % step == 0) {
        return offset > 0 ? offset : 0;
    }
    return e8_after(offset, step - offset % step);
}

e8_wall_ns e8_wall_of(const struct e8_engine *engine, e8_mono_ns at)
{
    return e8_after(engine->wall, at - engine->epoch);
}
