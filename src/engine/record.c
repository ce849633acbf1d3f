#include <time.h>

#include "engine/worker.h"

#define STALL_SLEEP (50 * E8_NS_US)

void e8_worker_log(struct e8_worker *worker, const struct e8_record *record)
{
    if (!worker->ring) {
        return;
    }
    struct e8_record *slot = e8_ring_slot(worker->ring);
    if (!slot) {
        worker->stalls++;
    }
    while (!slot) {
        const struct timespec pause = {0, STALL_SLEEP};
        nanosleep(&pause, NULL);
        slot = e8_ring_slot(worker->ring);
    }
    *slot = *record;
    e8_ring_push(worker->ring);
}
