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

void e8_delivery_name(const struct e8_place *place, const struct e8_emit *emit, e8_wall_ns at,
                      const char *endpoint, char *out)
{
    if (!emit->delivery_id) {
        e8_delivery_id(place, at, endpoint, out);
        return;
    }
    size_t n = strnlen(emit->delivery_id, E8_ID_MAX - 1);
    memcpy(out, emit->delivery_id, n);
    out[n] = '\0';
}

/* A type that the catalogue does not have is of the category that its name begins with. */
static struct e8_str category_of(const struct e8_catalog *catalog, const struct e8_plan *plan, uint16_t type)
{
    if (type < e8_catalog_count(catalog)) {
        return e8_str(e8_catalog_type(catalog, type)->category);
    }
    return (struct e8_str){plan->types[type], strcspn(plan->types[type], ".")};
}

struct e8_facts e8_event_facts(const struct e8_plan *plan, const struct e8_catalog *catalog,
                               const struct e8_emit *emit, const struct e8_place *place,
                               e8_wall_ns flow_started, e8_wall_ns at, const uint16_t *counts, const char *id)
{
    E8_ASSERT(emit->type < plan->type_count);
    return (struct e8_facts){
        .seed = place->seed,
        .flow = place->flow->key,
        .instance = place->instance,
        .sequence = place->sequence,
        .flow_started = flow_started,
        .at = at,
        .id = e8_str(id),
        .type = e8_str(plan->types[emit->type]),
        .category = category_of(catalog, plan, emit->type),
        .environment = e8_str(emit->environment),
        .counts = counts,
        .type_index = emit->event,
    };
}

void e8_event_render(const struct e8_emit *emit, const struct e8_facts *facts, struct e8_memo *memo,
                     struct e8_buf *body)
{
    if (emit->raw.p) {
        e8_buf_putstr(body, emit->raw);
        return;
    }
    enum e8_rc rc = e8_template_render_with(emit->body, facts, memo, body);
    E8_ASSERT(rc == E8_OK); /* the template's bound was checked when it was compiled */
}

struct e8_emit e8_again_form(const struct e8_emit *origin, const struct e8_emit *again)
{
    struct e8_emit form = *origin;
    if (again->tamper || again->again == E8_AGAIN_RETRY) {
        form.tamper = again->tamper;
    }
    return form;
}
