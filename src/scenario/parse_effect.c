#include "scenario/parse.h"

#define SETTLE (200 * E8_NS_MS)

const struct e8_effect *e8_parse_effect(struct e8_parser *p, const struct e8_node *map)
{
    static const char *const keys[] = {"get", "pointer", "command", "settle", NULL};
    const struct e8_node *get = e8_node_get(map, "get"), *pointer = e8_node_get(map, "pointer");
    const struct e8_node *command = e8_node_get(map, "command"), *settle = e8_node_get(map, "settle");
    struct e8_effect *effect = e8_arena_alloc(p->owned->arena, sizeof *effect);
    struct e8_err err = {0};
    effect->settle = SETTLE;
    if (map->kind != E8_MAP || !get == !command) {
        e8_parse_fail(p, map,
                      "{get: http://127.0.0.1:3000/count, pointer: /count} or {command: [./count.sh]}",
                      "an effect is read by a GET or by a command");
        return NULL;
    }
    e8_node_only(map, keys, p->errs);
    if (get && (effect->get = e8_parse_text(p, get)) != NULL && e8_plan_url(effect->get, &err)) {
        e8_parse_fail_err(p, get, &err);
    }
    if (get && !pointer) {
        effect->pointer = "";
    }
    if (pointer && command) {
        e8_parse_fail_key(p, pointer, "a command's output is the number", "a pointer is for what GET brings");
    } else if (pointer && (effect->pointer = e8_parse_text(p, pointer)) != NULL) {
        const char *fault = e8_pointer_fault(e8_str(effect->pointer));
        if (fault) {
            e8_parse_fail(p, pointer, "pointer: /count", "\"%s\": %s", effect->pointer, fault);
        }
    }
    if (command) {
        effect->command = e8_parse_command(p, command);
        p->owned->plan.executes = true;
    }
    if (settle) {
        e8_parse_dur_node(p, settle, &effect->settle);
    }
    return effect;
}

static const char *probe_text(struct e8_parser *p, const struct e8_node *map, const char *key)
{
    const struct e8_node *node = e8_node_get(map, key);
    const char *text = node ? e8_parse_text(p, node) : NULL;
    return text ? text : "";
}

static const char *const *probe_needs(struct e8_parser *p, const struct e8_node *node)
{
    static const char *const known[] = {"secret", "signed_time", "effect", "next_secret", "hook", NULL};
    const char *const *needs = node ? e8_parse_names(p, node, "needs") : NULL;
    const struct e8_node *item = node && node->kind == E8_SEQ ? node->first : node;
    for (size_t i = 0; needs && needs[i]; i++, item = item->next) {
        size_t k = 0;
        while (known[k] && !e8_str_is(e8_str(needs[i]), known[k])) {
            k++;
        }
        if (!known[k]) {
            char hint[E8_HINT_MAX];
            e8_hint_near(e8_str(needs[i]), known, "secret, signed_time, effect, next_secret or hook", hint);
            e8_parse_fail(p, item, hint, "\"%s\" is nothing that a check can need", needs[i]);
        }
    }
    return needs ? needs : e8_arena_alloc(p->owned->arena, sizeof(const char *));
}

const struct e8_probe *e8_parse_probe(struct e8_parser *p, const struct e8_node *map)
{
    static const char *const keys[] = {"title", "why", "mend", "needs", "canary", NULL};
    struct e8_probe *probe = e8_arena_alloc(p->owned->arena, sizeof *probe);
    const struct e8_node *canary = e8_node_get(map, "canary");
    if (map->kind != E8_MAP || !e8_node_get(map, "title")) {
        e8_parse_fail(p, map, "check: {title: …, why: …, mend: …}", "a check has a title");
        return NULL;
    }
    e8_node_only(map, keys, p->errs);
    probe->title = probe_text(p, map, "title");
    probe->why = probe_text(p, map, "why");
    probe->mend = probe_text(p, map, "mend");
    probe->needs = probe_needs(p, e8_node_get(map, "needs"));
    if (canary) {
        e8_parse_bool(p, canary, &probe->canary);
    }
    return probe;
}
