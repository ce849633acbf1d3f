#include <stdio.h>

#include "scenario/parse.h"

static void parse_header(struct e8_parser *p, const struct e8_node *node, struct e8_header *out)
{
    const char *value = e8_parse_text(p, node);
    *out = (struct e8_header){e8_arena_str(p->owned->arena, node->key), e8_str(value)};
    if (!e8_header_name_valid(node->key)) {
        e8_parse_fail_key(p, node, "letters, digits and hyphens", "\"%.*s\" is no header name",
                          E8_STR(node->key));
    } else if (e8_header_is_framing(node->key)) {
        e8_parse_fail_key(p, node, "emit8 sets it itself", "header \"%.*s\" would break the framing",
                          E8_STR(node->key));
    } else if (value && !e8_header_value_valid(out->value)) {
        e8_parse_fail(p, node, "one line of text", "header \"%.*s\" contains a control character",
                      E8_STR(node->key));
    }
}

void e8_parse_headers(struct e8_parser *p, const struct e8_node *map, size_t most, size_t bytes,
                      const struct e8_header **out, size_t *count)
{
    if (map->kind != E8_MAP || map->count > most) {
        char hint[96];
        snprintf(hint, sizeof hint, "headers: {X-Team: billing}, at most %zu", most);
        e8_parse_fail(p, map, hint, "headers must be a map");
        return;
    }
    struct e8_header *headers = e8_arena_alloc(p->owned->arena, (map->count + 1) * sizeof *headers);
    size_t sum = 0;
    for (const struct e8_node *node = map->first; node; node = node->next) {
        parse_header(p, node, &headers[*count]);
        sum += node->key.n + headers[(*count)++].value.n;
    }
    if (sum > bytes) {
        char hint[64];
        snprintf(hint, sizeof hint, "at most %zu KiB in all", bytes >> 10);
        e8_parse_fail(p, map, hint, "headers are too long");
    }
    *out = headers;
}
