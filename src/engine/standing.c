/* Endpoints, and what is changed about them while the engine runs. A record is published whole and never changed; all of them last as long
 * as the engine, since what is on the wire, or is to be sent once more with the same bytes, is made of an older one. */
#include <stdlib.h>

#include "engine/worker.h"

static bool takes_any(const struct e8_engine *engine, const struct e8_endpoint *endpoint, size_t index)
{
    const struct e8_plan *plan = engine->plan;
    for (size_t i = 0; i < plan->emit_count; i++) {
        if (e8_emit_goes_to_now(plan, &plan->emits[i], index, endpoint)) {
            return true;
        }
    }
    return false;
}

static void free_standing(const struct e8_engine *engine, struct e8_standing *standing)
{
    for (unsigned i = 0; i < engine->count; i++) {
        e8_keyring_fini(&standing->keys[i]);
    }
    free(standing->keys);
    free(standing);
}

static enum e8_rc make(const struct e8_engine *engine, size_t index, const struct e8_change *change,
                       struct e8_standing **out, struct e8_err *err)
{
    struct e8_standing *standing = e8_new(1, sizeof *standing);
    enum e8_rc rc = E8_OK;
    standing->endpoint = change->endpoint;
    standing->takes = takes_any(engine, change->endpoint, index);
    standing->keys = e8_new(engine->count, sizeof *standing->keys);
    for (unsigned i = 0; !rc && i < engine->count; i++) {
        struct e8_keyring *ring = &standing->keys[i];
        rc = change->before ? e8_keyring_init_changed(ring, change->endpoint, change->before, err)
                            : e8_keyring_init(ring, change->endpoint, err);
    }
    if (rc) {
        free_standing(engine, standing);
        standing = NULL;
    }
    *out = standing;
    return rc;
}

enum e8_rc e8_standings_init(struct e8_engine *engine, struct e8_err *err)
{
    const struct e8_plan *plan = engine->plan;
    enum e8_rc rc = E8_OK;
    engine->shut = e8_new(plan->endpoint_count + 1, sizeof *engine->shut);
    engine->rotations = e8_new(plan->endpoint_count + 1, sizeof *engine->rotations);
    engine->standings = e8_new(plan->endpoint_count + 1, sizeof *engine->standings);
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        const struct e8_change change = {.endpoint = &plan->endpoints[i]};
        struct e8_standing *standing;
        rc = make(engine, i, &change, &standing, err);
        atomic_store(&engine->standings[i], standing);
    }
    return rc;
}

void e8_standings_fini(struct e8_engine *engine)
{
    for (size_t i = 0; i < engine->plan->endpoint_count; i++) {
        for (struct e8_standing *at = atomic_load(&engine->standings[i]), *before; at; at = before) {
            before = at->before;
            free_standing(engine, at);
        }
    }
    free(engine->standings);
    free(engine->rotations);
    free(engine->shut);
}

const struct e8_standing *e8_standing_now(const struct e8_engine *engine, size_t endpoint)
{
    return atomic_load_explicit(&engine->standings[endpoint], memory_order_acquire);
}

/* Without a rotation of the plan's there is nothing for which the time matters. */
struct e8_seal e8_seal_now(const struct e8_engine *engine, size_t endpoint, unsigned made)
{
    const struct e8_standing *standing = e8_standing_now(engine, endpoint);
    if (made < standing->since) {
        return (struct e8_seal){standing, E8_KEYS_BEFORE};
    }
    bool rotates = standing->endpoint->rotation_count > 0;
    return (struct e8_seal){standing, e8_keys_now(&engine->rotations[endpoint], rotates ? e8_mono_now() : 0)};
}

bool e8_goes_to(const struct e8_engine *engine, const struct e8_emit *emit, size_t endpoint)
{
    return e8_emit_goes_to_now(engine->plan, emit, endpoint, e8_standing_now(engine, endpoint)->endpoint);
}

enum e8_shut e8_shut_of(const struct e8_engine *engine, size_t endpoint)
{
    return atomic_load_explicit(&engine->shut[endpoint], memory_order_relaxed);
}

/* What is due is looked at anew. */
static void wake_all(const struct e8_engine *engine)
{
    for (unsigned i = 0; i < engine->count; i++) {
        e8_transport_wake(engine->workers[i].transport);
    }
}

/* The record goes first: an event that was made after the change finds it. */
enum e8_rc e8_engine_change(struct e8_engine *engine, size_t endpoint, const struct e8_change *change,
                            struct e8_err *err)
{
    E8_ASSERT(endpoint < engine->plan->endpoint_count);
    struct e8_standing *before = atomic_load(&engine->standings[endpoint]), *standing;
    unsigned number = atomic_load(&engine->changes) + 1;
    E8_ASSERT(!before->endpoint->rotation_count);
    enum e8_rc rc = make(engine, endpoint, change, &standing, err);
    if (rc) {
        return rc;
    }
    standing->since = change->rotated ? number : before->since;
    standing->before = before;
    atomic_store(&engine->standings[endpoint], standing);
    atomic_store(&engine->changes, number);
    wake_all(engine);
    return E8_OK;
}

void e8_engine_shut(struct e8_engine *engine, size_t endpoint, enum e8_shut why)
{
    E8_ASSERT(endpoint < engine->plan->endpoint_count);
    atomic_store(&engine->shut[endpoint], why);
    wake_all(engine);
}
