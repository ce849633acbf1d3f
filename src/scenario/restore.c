#include "scenario/scenario.h"

static enum e8_rc restore_headers(struct e8_arena *arena, const struct e8_node *map, struct e8_emit *out,
                                  struct e8_errs *errs)
{
    struct e8_err err = {0};
    if (map->kind != E8_MAP) {
        e8_node_fail(&err, map, NULL, "headers must be a map");
        return e8_errs_add(errs, &err);
    }
    struct e8_header *headers = e8_arena_alloc(arena, (map->count + 1) * sizeof *headers);
    for (const struct e8_node *node = map->first; node; node = node->next) {
        headers[out->header_count].name = e8_arena_str(arena, node->key);
        headers[out->header_count++].value = e8_arena_str(arena, node->text);
    }
    out->headers = headers;
    return E8_OK;
}

enum e8_rc e8_step_restore(struct e8_arena *arena, const struct e8_node *json, struct e8_emit *out,
                           struct e8_errs *errs)
{
    const struct e8_node *tamper = e8_node_get(json, "tamper"), *headers = e8_node_get(json, "headers");
    const struct e8_node *id = e8_node_get(json, "id"), *verbatim = e8_node_get(json, "verbatim");
    enum e8_rc rc = E8_OK;
    if (tamper) {
        rc = e8_tamper_parse(arena, tamper, &out->tamper, errs);
    }
    if (!rc && headers) {
        rc = restore_headers(arena, headers, out, errs);
    }
    if (id && id->kind == E8_STRING) {
        out->delivery_id = e8_arena_str(arena, id->text).p;
    }
    out->verbatim = verbatim && verbatim->kind == E8_BOOL && verbatim->b;
    return rc;
}
