#include "engine/worker.h"

void e8_engine_stop(struct e8_engine *engine)
{
    atomic_store(&engine->stop, true);
    for (unsigned i = 0; i < engine->count; i++) {
        e8_transport_wake(engine->workers[i].transport);
    }
}

void e8_engine_abort(struct e8_engine *engine)
{
    atomic_store(&engine->abort, true);
    e8_engine_stop(engine);
}
