#include "catalog/platform.h"

#include <string.h>

#define SPAN_MAX ((e8_dur_ns)366 * 24 * 3600 * E8_NS_S)

static void fail(struct e8_errs *errs, const struct e8_node *node, const char *hint, const char *what)
{
    struct e8_err err = {0};
    e8_node_fail(&err, node, e8_node_hint(node, hint), "%s", what);
    e8_errs_add(errs, &err);
}

static void parse_duration(const struct e8_node *map, const char *key, e8_dur_ns *out, struct e8_errs *errs)
{
    const struct e8_node *node = e8_node_get(map, key);
    if (node && (!e8_parse_dur(node->text, out) || *out > SPAN_MAX)) {
        struct e8_err err = {0};
        e8_node_fail(&err, node,
                     e8_node_hint(node, "a number with a unit: 500ms, 5s, 2m, 24h; at most a year"),
                     "\"%s\" is no duration", key);
        e8_errs_add(errs, &err);
    }
}

static void parse_jitter(const struct e8_node *node, enum e8_jitter *out, struct e8_errs *errs)
{
    if (e8_str_is(node->text, "full")) {
        *out = E8_JITTER_FULL;
    } else if (e8_str_is(node->text, "none")) {
        *out = E8_JITTER_NONE;
    } else if (e8_str_is(node->text, "equal")) {
        *out = E8_JITTER_EQUAL;
    } else {
        fail(errs, node, "full, equal or none", "unknown jitter");
    }
}

static void parse_attempts(const struct e8_node *node, struct e8_retry_policy *out, struct e8_errs *errs)
{
    static const char hint[] = "the first attempt counts: 1 means no retries; at most 1000";
    if (node->kind != E8_INT) {
        fail(errs, node, hint, "attempts is no whole number");
    } else if (node->i < 1 || node->i > 1000) {
        fail(errs, node, hint, "attempts is out of range");
    } else {
        out->attempts = (uint32_t)node->i;
    }
}

static void parse_factor(const struct e8_node *node, struct e8_retry_policy *out, struct e8_errs *errs)
{
    static const char hint[] = "a number from 1 to 100";
    double factor = e8_node_number(node);
    if (!e8_node_is_number(node)) {
        fail(errs, node, hint, "factor is no number");
    } else if (factor < 1 || factor > 100) {
        fail(errs, node, hint, "factor is out of range");
    } else {
        out->factor = factor;
    }
}

enum e8_rc e8_retry_parse(const struct e8_node *map, struct e8_retry_policy *out, struct e8_errs *errs)
{
    static const char *const keys[] = {"attempts", "base", "factor", "cap", "jitter", NULL};
    size_t before = errs->total;
    if (map->kind != E8_MAP) {
        fail(errs, map, "{attempts: 5, base: 1s, factor: 2, cap: 60s, jitter: full}",
             "a retry policy is a map");
        return E8_INPUT;
    }
    e8_node_only(map, keys, errs);
    const struct e8_node *attempts = e8_node_get(map, "attempts");
    const struct e8_node *factor = e8_node_get(map, "factor");
    const struct e8_node *jitter = e8_node_get(map, "jitter");
    if (attempts) {
        parse_attempts(attempts, out, errs);
    }
    if (factor) {
        parse_factor(factor, out, errs);
    }
    parse_duration(map, "base", &out->base, errs);
    parse_duration(map, "cap", &out->cap, errs);
    if (jitter) {
        parse_jitter(jitter, &out->jitter, errs);
    }
    return errs->total == before ? E8_OK : E8_INPUT;
}

static const char *text_of(struct e8_arena *arena, const struct e8_node *root, const char *key,
                           struct e8_errs *errs)
{
    const struct e8_node *node = e8_node_get(root, key);
    if (!node || node->kind != E8_STRING || !e8_header_value_valid(node->text)) {
        struct e8_err err = {0};
        e8_node_fail(&err, node ? node : root, NULL, "\"%s\" must be a text without control characters", key);
        e8_errs_add(errs, &err);
        return "";
    }
    return e8_arena_str(arena, node->text).p;
}

static void parse_headers(struct e8_arena *arena, const struct e8_node *map, struct e8_platform *out,
                          struct e8_errs *errs)
{
    if (map->kind != E8_MAP || map->count > E8_COUNT(out->headers)) {
        fail(errs, map, "{\"X-8bit-Event\": \"{type}\", …}, at most 16",
             "\"headers\" must be a map of headers");
        return;
    }
    for (const struct e8_node *node = map->first; node; node = node->next) {
        struct e8_err err = {0};
        const char *value = node->kind == E8_STRING ? e8_arena_str(arena, node->text).p : NULL;
        if (!e8_header_name_valid(node->key) || e8_header_is_framing(node->key)) {
            e8_key_fail(&err, node, NULL, "\"%.*s\" cannot be sent as a header", E8_STR(node->key));
            e8_errs_add(errs, &err);
        } else if (!value || !e8_header_value_valid(node->text)) {
            fail(errs, node, NULL, "a header's value must be a text without control characters");
        } else if (!e8_sign_expandable(value, &err)) {
            fail(errs, node, err.hint[0] ? err.hint : NULL, err.what);
        } else {
            const char *name = e8_arena_str(arena, node->key).p;
            out->headers[out->header_count].form = e8_header_form(arena, name, value);
            out->headers[out->header_count].name = name;
            out->headers[out->header_count++].value = value;
        }
    }
}

static void parse_environments(struct e8_arena *arena, const struct e8_node *list, struct e8_platform *out,
                               struct e8_errs *errs)
{
    if (!list || list->kind != E8_SEQ || list->count == 0) {
        fail(errs, list, "[\"production\", \"staging\", \"development\"]",
             "\"environments\" must be a list of names");
        return;
    }
    const char **names = e8_arena_alloc(arena, (list->count + 1) * sizeof *names);
    size_t n = 0;
    for (const struct e8_node *node = list->first; node; node = node->next) {
        if (node->kind != E8_STRING || node->text.n == 0 || node->text.n > E8_FACT_MAX ||
            !e8_header_value_valid(node->text)) {
            fail(errs, node, "1 to 96 bytes without control characters", "this is no name of an environment");
            return;
        }
        names[n++] = e8_arena_str(arena, node->text).p;
    }
    out->environments = names;
}

enum e8_rc e8_platform_parse(struct e8_arena *arena, const struct e8_node *root, struct e8_platform *out,
                             struct e8_errs *errs)
{
    static const char *const keys[] = {"deadline",     "retry",     "user_agent", "content_type",   "headers",
                                       "environments", "tolerance", "success",    "rotation_grace", NULL};
    size_t before = errs->total;
    memset(out, 0, sizeof *out);
    out->deadline = 5 * E8_NS_S;
    out->retry = (struct e8_retry_policy){5, E8_NS_S, 2, 60 * E8_NS_S, E8_JITTER_FULL};
    e8_node_only(root, keys, errs);
    parse_duration(root, "deadline", &out->deadline, errs);
    parse_duration(root, "tolerance", &out->tolerance, errs);
    parse_duration(root, "rotation_grace", &out->rotation_grace, errs);
    const struct e8_node *retry = e8_node_get(root, "retry");
    if (retry) {
        e8_retry_parse(retry, &out->retry, errs);
    }
    const struct e8_node *headers = e8_node_get(root, "headers"), *places = e8_node_get(root, "environments");
    out->user_agent = text_of(arena, root, "user_agent", errs);
    out->agent_form = e8_header_form(arena, "User-Agent", out->user_agent);
    out->content_type = text_of(arena, root, "content_type", errs);
    const struct e8_node *deadline = e8_node_get(root, "deadline");
    if (deadline && out->deadline == 0) {
        fail(errs, deadline, "5s", "a deadline of 0 leaves no time for an answer");
    }
    if (headers) {
        parse_headers(arena, headers, out, errs);
    } else {
        fail(errs, root, "\"headers\": {\"X-8bit-Event\": \"{type}\", …}, or {}", "\"headers\" is missing");
    }
    parse_environments(arena, places ? places : root, out, errs);
    return errs->total == before ? E8_OK : E8_INPUT;
}

const char *e8_environment_find(const struct e8_platform *platform, const char *name, struct e8_err *err)
{
    char hint[E8_HINT_MAX];
    for (size_t i = 0; platform->environments[i]; i++) {
        if (strcmp(platform->environments[i], name) == 0) {
            return platform->environments[i];
        }
    }
    e8_hint_near(e8_str(name), platform->environments, "production, staging or development", hint);
    e8_fail(err, E8_INPUT, hint, "unknown environment \"%s\"", name);
    return NULL;
}
