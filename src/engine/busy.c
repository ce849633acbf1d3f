/* How busy a worker's loop is: the share of the time in which it does not sleep for want of anything to do. */
#include "engine/worker.h"

#define WINDOW     (100 * E8_NS_MS)
#define FULL_SLEEP 20 /* a window is full where less than one part in so many of it was slept */

static void begin(struct e8_busy *busy, e8_mono_ns now, e8_dur_ns slept)
{
    busy->since = now;
    busy->slept = slept;
    busy->sent = busy->refused = 0;
}

void e8_busy_note(struct e8_worker *worker, const struct e8_exchange *exchange)
{
    bool ours = exchange->outcome == E8_ABORTED || e8_outcome_info(exchange->outcome)->generator;
    worker->busy.sent += exchange->bytes_sent > 0;
    worker->busy.refused += exchange->bytes_sent == 0 && !ours;
}

/* A loop that is idle looks here only when it wakes, so a window may be longer: then it counts as several. Where all that is tried is
 * refused at once, a closed loop has always something to do; that says nothing of how much it could send. */
static void close_window(struct e8_busy *busy, e8_mono_ns now, e8_dur_ns slept)
{
    e8_dur_ns length = now - busy->since, asleep = slept - busy->slept;
    uint64_t windows = (uint64_t)(length / WINDOW);
    e8_dur_ns awake = asleep < length ? length - asleep : 0;
    busy->windows += windows;
    bool turned_away = busy->refused > 0 && busy->sent == 0;
    busy->full += asleep * FULL_SLEEP < length && !turned_away ? windows : 0;
    busy->length += length;
    busy->awake += awake;
    begin(busy, now, slept);
}

void e8_busy_look(struct e8_worker *worker, e8_mono_ns now)
{
    struct e8_busy *busy = &worker->busy;
    if (now < worker->engine->begun || now < busy->since + WINDOW) {
        return;
    }
    if (busy->since) {
        close_window(busy, now, e8_transport_slept(worker->transport, now));
    } else {
        begin(busy, now, e8_transport_slept(worker->transport, now));
    }
}

struct e8_pressure e8_busy_of(const struct e8_worker *worker)
{
    const struct e8_busy *busy = &worker->busy;
    return (struct e8_pressure){
        .busy = busy->length ? (unsigned)(busy->awake * 1000 / busy->length) : 0,
        .windows = busy->windows,
        .full = busy->full,
    };
}
