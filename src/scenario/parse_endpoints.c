#include <string.h>

#include "catalog/platform.h"
#include "scenario/parse.h"

#define ROTATION_MAX 100

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

static void check_secrets(struct e8_parser *p, const struct e8_node *map, const struct e8_endpoint *endpoint)
{
    const struct e8_node *node = e8_node_get(map, "secret"), *scheme = e8_node_get(map, "scheme");
    struct e8_err err = {0};
    if (endpoint->scheme && e8_plan_headers(p->catalog, endpoint, &err)) {
        e8_parse_fail_err(p, scheme ? scheme : map, &err);
    } else if (endpoint->scheme &&
               e8_signer_check(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &err)) {
        e8_parse_fail_err(p, node ? node : map, &err);
    }
}

/* What a rotation goes on to is as good as what it starts with. */
static void parse_rotation(struct e8_parser *p, const struct e8_node *node, struct e8_endpoint *endpoint)
{
    bool given = endpoint->secret_count && (node || p->options->to || !p->options->rotation_written);
    struct e8_spare spare = {given ? p->options->next_secret : NULL, true, 0};
    endpoint->rotation = e8_parse_secrets(p, node, &spare, ROTATION_MAX, &endpoint->rotation_count);
    for (size_t i = 0; endpoint->scheme && i < endpoint->rotation_count; i++) {
        struct e8_err err = {0};
        if (e8_signer_check(endpoint->scheme, &endpoint->rotation[i], 1, &err) && node) {
            e8_parse_fail_err(p, node, &err);
        } else if (err.rc) {
            e8_errs_add(p->errs, &err);
        }
    }
    if (node && endpoint->rotation_count && !endpoint->secret_count) {
        e8_parse_fail_key(p, node, "secret: {env: CRM_SECRET}",
                          "endpoint \"%s\" has no secret to rotate from", endpoint->name);
    }
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
        p->events[endpoint - p->owned->plan.endpoints] = events;
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

/* Names stand in URLs of sinks, on the command line and in the log. */
bool e8_endpoint_name_good(struct e8_str name)
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
    static const char *const keys[] = {"url",          "secret",   "scheme", "events",
                                       "environments", "timeout",  "retry",  "headers",
                                       "description",  "rotation", NULL};
    const struct e8_platform *platform = e8_catalog_platform(p->catalog);
    endpoint->name = e8_arena_str(p->owned->arena, map->key).p;
    endpoint->timeout = platform->deadline;
    endpoint->retry = platform->retry;
    if (map->kind != E8_MAP) {
        e8_parse_fail(p, map, "NAME: {url: http://…, events: [conversation.*]}", "an endpoint is a map");
        return;
    }
    if (!e8_endpoint_name_good(map->key)) {
        e8_parse_fail_key(p, map, "letters, digits, '-', '_' and '.', at most 64",
                          "\"%.*s\" is no name for an endpoint", E8_STR(map->key));
    }
    e8_node_only(map, keys, p->errs);
    const struct e8_node *timeout = e8_node_get(map, "timeout"), *retry = e8_node_get(map, "retry");
    const struct e8_node *headers = e8_node_get(map, "headers"),
                         *description = e8_node_get(map, "description");
    struct e8_spare spare = {.secret = p->options->secret};
    parse_url(p, map, endpoint);
    parse_scheme(p, e8_node_get(map, "scheme"), endpoint);
    endpoint->secrets =
        e8_parse_secrets(p, e8_node_get(map, "secret"), &spare, E8_SECRETS_MAX, &endpoint->secret_count);
    check_secrets(p, map, endpoint);
    parse_rotation(p, e8_node_get(map, "rotation"), endpoint);
    parse_subscription(p, map, endpoint);
    if (timeout && e8_parse_dur_node(p, timeout, &endpoint->timeout) && endpoint->timeout <= 0) {
        e8_parse_fail(p, timeout, "5s", "a time-out of 0 leaves no time for an answer");
    }
    if (retry) {
        e8_retry_parse(retry, &endpoint->retry, p->errs);
    }
    if (headers) {
        e8_parse_headers(p, headers, 32, 4096, &endpoint->headers, &endpoint->header_count);
    }
    if (description) {
        e8_parse_text(p, description);
    }
}

static const struct e8_endpoint *find_endpoint(const struct e8_plan *plan, struct e8_str name)
{
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        if (e8_str_is(name, plan->endpoints[i].name)) {
            return &plan->endpoints[i];
        }
    }
    return NULL;
}

static void check_named(struct e8_parser *p, const struct e8_node *map)
{
    for (size_t i = 0; p->options->to_named && p->options->to_named[i]; i++) {
        const char *text = p->options->to_named[i];
        struct e8_str name = {text, strcspn(text, "=")};
        if (!find_endpoint(&p->owned->plan, name)) {
            e8_parse_fail(p, map, "--to NAME=URL takes a name of this scenario's endpoints",
                          "no endpoint is called \"%.*s\"", E8_STR(name));
        }
    }
}

/* The map without its URL, whose variables need not be there when another is given. */
static const struct e8_node *without_url(struct e8_parser *p, const struct e8_node *map)
{
    struct e8_node *copy = e8_arena_alloc(p->owned->arena, sizeof *copy);
    struct e8_node **link = &copy->first;
    *copy = *map;
    *link = copy->last = NULL;
    for (const struct e8_node *node = map->first; node; node = node->next) {
        if (!e8_str_is(node->key, "url")) {
            struct e8_node *twin = e8_arena_alloc(p->owned->arena, sizeof *twin);
            *twin = *node;
            twin->next = NULL;
            *link = copy->last = twin;
            link = &twin->next;
        }
    }
    return copy;
}

/* A file's endpoints. */
static void parse_map(struct e8_parser *p, const struct e8_node *map)
{
    struct e8_plan *plan = &p->owned->plan;
    for (const struct e8_node *node = map->first; node; node = node->next) {
        if (find_endpoint(plan, node->key)) {
            e8_parse_fail_key(p, node, "call it otherwise",
                              "endpoint \"%.*s\" stands in another file as well", E8_STR(node->key));
        } else {
            p->events[plan->endpoint_count] = NULL;
            bool given = node->kind == E8_MAP && named_url(p, node->key);
            parse_endpoint(p, e8_value(p, given ? without_url(p, node) : node),
                           &plan->endpoints[plan->endpoint_count++]);
        }
    }
}

/* The scenario says nothing of endpoints, and a URL is given: everything goes there. */
static void make_target(struct e8_parser *p)
{
    struct e8_node node = {.kind = E8_MAP, .key = E8_LIT("target")};
    struct e8_plan *plan = &p->owned->plan;
    plan->endpoints = e8_arena_alloc(p->owned->arena, sizeof *plan->endpoints);
    p->events = e8_arena_alloc(p->owned->arena, sizeof(const struct e8_node *));
    parse_endpoint(p, &node, &plan->endpoints[plan->endpoint_count++]);
}

void e8_parse_endpoints(struct e8_parser *p, const struct e8_node *root)
{
    struct e8_plan *plan = &p->owned->plan;
    const struct e8_node *map, *first = NULL;
    size_t count = 0, state = 0;
    while ((map = e8_sources_each(p, "endpoints", &state)) != NULL) {
        map = e8_value_top(p, map);
        first = first ? first : map;
        count += map->kind == E8_MAP ? map->count : 0;
        if (map->kind != E8_MAP && count) {
            e8_parse_fail(p, map, "endpoints: {crm: {url: http://127.0.0.1:9000/webhooks}}",
                          "endpoints must be a map");
        }
    }
    if (!first && p->options->to) {
        make_target(p);
        check_named(p, root);
        return;
    }
    if (count == 0 || count > E8_ENDPOINTS_MAX) {
        e8_parse_fail(p, first ? first : root,
                      count ? NULL : "endpoints: {crm: {url: http://127.0.0.1:9000/webhooks}}",
                      count ? "more than %d endpoints" : "the scenario has no endpoint", E8_ENDPOINTS_MAX);
        return;
    }
    plan->endpoints = e8_arena_alloc(p->owned->arena, count * sizeof *plan->endpoints);
    p->events = e8_arena_alloc(p->owned->arena, count * sizeof(const struct e8_node *));
    for (state = 0; (map = e8_sources_each(p, "endpoints", &state)) != NULL;) {
        parse_map(p, e8_value_top(p, map));
    }
    check_named(p, first);
}

static bool pattern_matches_some(const struct e8_plan *plan, const char *pattern)
{
    for (size_t i = 0; i < plan->type_count; i++) {
        if (e8_pattern_matches(e8_str(pattern), e8_str(plan->types[i]))) {
            return true;
        }
    }
    return false;
}

void e8_parse_patterns(struct e8_parser *p)
{
    struct e8_plan *plan = &p->owned->plan;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const char *const *pattern = plan->endpoints[i].subscription.patterns;
        const struct e8_node *list = p->events[i], *item = list && list->kind == E8_SEQ ? list->first : list;
        for (; pattern && *pattern && item; pattern++, item = item->next) {
            if (!pattern_matches_some(plan, *pattern)) {
                char hint[E8_HINT_MAX];
                e8_hint_near(e8_str(*pattern), plan->types, "a type, a category like conversation.*, or *",
                             hint);
                e8_parse_fail(p, item, hint, "no event type matches \"%s\"", *pattern);
            }
        }
    }
}
