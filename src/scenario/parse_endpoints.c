#include <string.h>

#include "catalog/platform.h"
#include "scenario/parse.h"

static const char *named_url(struct e8_parser *p, struct e8_str name)
{
    for (size_t i = 0; p->options->to_named && p->options->to_named[i]; i++) {
        const char *text = p->options->to_named[i], *equals = strchr(text, '=');
        if (equals && e8_str_eq((struct e8_str){text, (size_t)(equals - text)}, name)) {
            return equals + 1;
        }
    }
    return p->options->to;
}

static void parse_url(struct e8_parser *p, const struct e8_node *map, struct e8_endpoint *endpoint)
{
    const struct e8_node *node = e8_node_get(map, "url");
    const char *given = named_url(p, map->key);
    struct e8_err err = {0};
    if (given) {
        endpoint->url = e8_arena_str(p->owned->arena, e8_str(given)).p;
        if (e8_plan_url(given, &err)) {
            e8_errs_add(p->errs, &err);
        }
    } else if (!node) {
        e8_parse_fail_key(p, map, "url: http://127.0.0.1:9000/webhooks", "endpoint \"%.*s\" has no url",
                          E8_STR(map->key));
    } else if ((endpoint->url = e8_parse_text(p, node)) != NULL && e8_plan_url(endpoint->url, &err)) {
        e8_parse_fail_err(p, node, &err);
    }
}

static const char *secret_from_env(struct e8_parser *p, const struct e8_node *node)
{
    const char *name = e8_parse_text(p, node);
    const char *value = name && p->options->getenv ? p->options->getenv(name) : NULL;
    if (name && (!value || !*value)) {
        if (p->options->secret) {
            return e8_plan_secret(p->owned, p->options->secret);
        }
        e8_parse_fail(p, node, "set it, or give --secret-file", "the environment has no %s", name);
        return NULL;
    }
    return value ? e8_plan_secret(p->owned, value) : NULL;
}

static const char *secret_from_file(struct e8_parser *p, const struct e8_node *node)
{
    const char *path = e8_parse_text(p, node);
    struct e8_err err = {0};
    char *secret = NULL;
    if (!path) {
        return NULL;
    }
    if (e8_secret_read(path, &secret, &err)) {
        e8_parse_fail_err(p, node, &err);
        return NULL;
    }
    const char *kept = e8_plan_secret(p->owned, secret);
    e8_secret_free(&secret);
    return kept;
}

static const char *parse_secret(struct e8_parser *p, const struct e8_node *node)
{
    if (node->kind == E8_MAP) { /* its keys are not shown: it may be a secret without quotes */
        const struct e8_node *env = e8_node_get(node, "env"), *file = e8_node_get(node, "file");
        if (!env == !file || node->count > 1) {
            e8_parse_fail(p, node, "{env: CRM_SECRET} or {file: path}", "a secret comes from one place");
            return NULL;
        }
        return env ? secret_from_env(p, env) : secret_from_file(p, file);
    }
    const char *text = e8_parse_text(p, node);
    return text ? e8_plan_secret(p->owned, text) : NULL;
}

static void parse_secrets(struct e8_parser *p, const struct e8_node *map, struct e8_endpoint *endpoint)
{
    const struct e8_node *node = e8_node_get(map, "secret");
    bool list = node && node->kind == E8_SEQ;
    const char **secrets = e8_arena_alloc(p->owned->arena, (list ? node->count + 1 : 2) * sizeof *secrets);
    endpoint->secrets = secrets;
    if (!node && p->options->secret) {
        secrets[endpoint->secret_count++] = e8_plan_secret(p->owned, p->options->secret);
    } else if (list && node->count > E8_SECRETS_MAX) {
        e8_parse_fail(p, node, NULL, "at most %d secrets at a time", E8_SECRETS_MAX);
    } else if (list) {
        for (const struct e8_node *item = node->first; item; item = item->next) {
            const char *secret = parse_secret(p, item);
            if (secret) {
                secrets[endpoint->secret_count++] = secret;
            }
        }
    } else if (node) {
        secrets[0] = parse_secret(p, node);
        endpoint->secret_count = secrets[0] ? 1 : 0;
    }
}

static void check_secrets(struct e8_parser *p, const struct e8_node *map, const struct e8_endpoint *endpoint)
{
    const struct e8_node *node = e8_node_get(map, "secret"), *scheme = e8_node_get(map, "scheme");
    struct e8_signer *signer = NULL;
    struct e8_err err = {0};
    if (endpoint->scheme && e8_plan_headers(p->catalog, endpoint, &err)) {
        e8_parse_fail_err(p, scheme ? scheme : map, &err);
    } else if (endpoint->secret_count && endpoint->scheme &&
               e8_signer_new(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &signer, &err)) {
        e8_parse_fail_err(p, node ? node : map, &err);
    }
    e8_signer_free(&signer);
}

static void parse_scheme(struct e8_parser *p, const struct e8_node *node, struct e8_endpoint *endpoint)
{
    const struct e8_schemes *schemes = e8_catalog_schemes(p->catalog);
    if (!node) {
        endpoint->scheme = e8_schemes_find(schemes, "8bit");
        E8_ASSERT(endpoint->scheme);
    } else if (node->kind == E8_MAP) {
        e8_scheme_parse(p->owned->arena, "custom", node, &endpoint->scheme, p->errs);
    } else {
        const char *name = e8_parse_text(p, node);
        endpoint->scheme = name ? e8_schemes_find(schemes, name) : NULL;
        if (name && !endpoint->scheme) {
            char hint[E8_HINT_MAX];
            e8_hint_near(e8_str(name), e8_schemes_names(schemes),
                         "8bit, standard-webhooks, stripe, github, slack, or a map", hint);
            e8_parse_fail(p, node, hint, "unknown signature scheme \"%s\"", name);
        }
    }
}

static void check_patterns(struct e8_parser *p, const struct e8_node *node, const char *const *patterns)
{
    const struct e8_node *item = node->kind == E8_SEQ ? node->first : node;
    for (; *patterns; patterns++, item = item->next) {
        bool any = false;
        for (size_t i = 0; i < e8_catalog_count(p->catalog); i++) {
            any = any || e8_pattern_matches(e8_str(*patterns), e8_str(e8_catalog_type(p->catalog, i)->name));
        }
        if (!any) {
            char hint[E8_HINT_MAX];
            e8_hint_near(e8_str(*patterns), e8_catalog_names(p->catalog),
                         "a type, a category like conversation.*, or *", hint);
            e8_parse_fail(p, item, hint, "no event type matches \"%s\"", *patterns);
        }
    }
}

static bool takes_some(struct e8_parser *p, const struct e8_node *list)
{
    if (list->kind == E8_SEQ && list->count == 0) {
        e8_parse_fail(p, list, "leave it out to take all", "an empty list takes nothing");
        return false;
    }
    return true;
}

static void parse_subscription(struct e8_parser *p, const struct e8_node *map, struct e8_endpoint *endpoint)
{
    const struct e8_node *events = e8_node_get(map, "events"),
                         *environments = e8_node_get(map, "environments");
    if (events && takes_some(p, events)) {
        endpoint->subscription.patterns = e8_parse_names(p, events, "events");
        if (endpoint->subscription.patterns) {
            check_patterns(p, events, endpoint->subscription.patterns);
        }
    }
    if (environments && takes_some(p, environments)) {
        endpoint->subscription.environments = e8_parse_names(p, environments, "environments");
        const struct e8_node *item = environments->kind == E8_SEQ ? environments->first : environments;
        for (; endpoint->subscription.environments && item;
             item = environments->kind == E8_SEQ ? item->next : NULL) {
            e8_parse_environment(p, item);
        }
    }
}

static void parse_header(struct e8_parser *p, const struct e8_node *node, struct e8_header *out)
{
    const char *value = e8_parse_text(p, node);
    *out = (struct e8_header){node->key, e8_str(value)};
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

static void parse_headers(struct e8_parser *p, const struct e8_node *map, struct e8_endpoint *endpoint)
{
    if (map->kind != E8_MAP || map->count > 32) {
        e8_parse_fail(p, map, "headers: {X-Team: billing}, at most 32", "headers must be a map");
        return;
    }
    struct e8_header *headers = e8_arena_alloc(p->owned->arena, (map->count + 1) * sizeof *headers);
    size_t bytes = 0;
    for (const struct e8_node *node = map->first; node; node = node->next) {
        parse_header(p, node, &headers[endpoint->header_count++]);
        bytes += node->key.n + headers[endpoint->header_count - 1].value.n;
    }
    if (bytes > 4096) {
        e8_parse_fail(p, map, "at most 4 KiB in all", "headers are too long");
    }
    endpoint->headers = headers;
}

/* Names stand in URLs of sinks, on the command line and in the log. */
static bool name_good(struct e8_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_' || c == '.')) {
            return false;
        }
    }
    return name.n > 0 && name.n <= 64;
}

static void parse_endpoint(struct e8_parser *p, const struct e8_node *map, struct e8_endpoint *endpoint)
{
    static const char *const keys[] = {"url",     "secret", "scheme",  "events",      "environments",
                                       "timeout", "retry",  "headers", "description", NULL};
    const struct e8_platform *platform = e8_catalog_platform(p->catalog);
    endpoint->name = e8_arena_str(p->owned->arena, map->key).p;
    endpoint->timeout = platform->deadline;
    endpoint->retry = platform->retry;
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "NAME: {url: http://…, events: [conversation.*]}", "an endpoint is a map");
        return;
    }
    if (!name_good(map->key)) {
        e8_parse_fail_key(p, map, "letters, digits, '-', '_' and '.', at most 64",
                          "\"%.*s\" is no name for an endpoint", E8_STR(map->key));
    }
    e8_node_only(map, keys, p->errs);
    const struct e8_node *timeout = e8_node_get(map, "timeout"), *retry = e8_node_get(map, "retry");
    const struct e8_node *headers = e8_node_get(map, "headers");
    parse_url(p, map, endpoint);
    parse_scheme(p, e8_node_get(map, "scheme"), endpoint);
    parse_secrets(p, map, endpoint);
    check_secrets(p, map, endpoint);
    parse_subscription(p, map, endpoint);
    if (timeout && e8_parse_dur_node(p, timeout, &endpoint->timeout) && endpoint->timeout <= 0) {
        e8_parse_fail(p, timeout, "5s", "a time-out of 0 leaves no time for an answer");
    }
    if (retry) {
        e8_retry_parse(retry, &endpoint->retry, p->errs);
    }
    if (headers) {
        parse_headers(p, headers, endpoint);
    }
}

static void check_named(struct e8_parser *p, const struct e8_node *map)
{
    for (size_t i = 0; p->options->to_named && p->options->to_named[i]; i++) {
        const char *text = p->options->to_named[i];
        struct e8_str name = {text, strcspn(text, "=")};
        bool known = false;
        for (const struct e8_node *node = map->first; node; node = node->next) {
            known = known || e8_str_eq(node->key, name);
        }
        if (!known) {
            e8_parse_fail(p, map, "--to NAME=URL takes a name of this scenario's endpoints",
                          "no endpoint is called \"%.*s\"", E8_STR(name));
        }
    }
}

void e8_parse_endpoints(struct e8_parser *p, const struct e8_node *map)
{
    struct e8_plan *plan = &p->owned->plan;
    if (!e8_str_is(map->key, "endpoints") || map->kind != E8_MAP || map->count == 0) {
        e8_parse_fail(p, map, "endpoints: {crm: {url: http://127.0.0.1:9000/webhooks}}",
                      "the scenario has no endpoint");
        return;
    }
    if (map->count > E8_ENDPOINTS_MAX) {
        e8_parse_fail(p, map, NULL, "more than %d endpoints", E8_ENDPOINTS_MAX);
        return;
    }
    plan->endpoints = e8_arena_alloc(p->owned->arena, map->count * sizeof *plan->endpoints);
    for (const struct e8_node *node = map->first; node; node = node->next) {
        parse_endpoint(p, node, &plan->endpoints[plan->endpoint_count++]);
    }
    check_named(p, map);
}
