#include "engine/event.h"

#include <string.h>

static uint64_t place_key(const struct e8_place *place)
{
    uint64_t key = e8_mix(place->seed, place->flow->key);
    return e8_mix(e8_mix(key, place->instance), place->sequence);
}

void e8_event_id(const struct e8_place *place, e8_wall_ns at, char *out)
{
    uint64_t key = place_key(place);
    e8_id_make("evt_", at, e8_mix(key, 1), e8_mix(key, 2), out);
}

void e8_delivery_id(const struct e8_place *place, e8_wall_ns at, const char *endpoint, char *out)
{
    uint64_t key = e8_mix(place_key(place), e8_hash_str(e8_str(endpoint)));
    e8_id_make("dlv_", at, e8_mix(key, 3), e8_mix(key, 4), out);
}

struct e8_facts e8_event_facts(const struct e8_catalog *catalog, const struct e8_emit *emit,
                               const struct e8_place *place, e8_wall_ns flow_started, e8_wall_ns at,
                               const uint16_t *counts, const char *id)
{
    const struct e8_type *type = e8_catalog_type(catalog, emit->type);
    return (struct e8_facts){
        .seed = place->seed,
        .flow = place->flow->key,
        .instance = place->instance,
        .sequence = place->sequence,
        .flow_started = flow_started,
        .at = at,
        .id = e8_str(id),
        .type = e8_str(type->name),
        .category = e8_str(type->category),
        .environment = e8_str(emit->environment),
        .counts = counts,
        .type_index = emit->type,
    };
}

void e8_event_render(const struct e8_emit *emit, const struct e8_facts *facts, struct e8_buf *body)
{
    if (emit->raw.p) {
        e8_buf_putstr(body, emit->raw);
        return;
    }
    enum e8_rc rc = e8_template_render(emit->body, facts, body);
    E8_ASSERT(rc == E8_OK); /* the template's bound was checked when it was compiled */
}
