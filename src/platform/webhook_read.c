#include <string.h>

#include "catalog/platform.h"
#include "digest/digest.h"
#include "platform/api.h"

#define URL_MAX         2048
#define DESCRIPTION_MAX 1000
#define PATTERNS_MAX    100
#define SECRET_MAX      512
#define HEADERS_MAX     32
#define HEADER_BYTES    ((size_t)4096)
#define TIMEOUT_MAX     (600 * E8_NS_S)
#define SECRET_LEAST    16
#define RETRY_WAIT_MAX  ((e8_dur_ns)366 * 24 * 3600 * E8_NS_S) /* as e8_retry_parse has it */

void e8_webhook_defaults(struct e8_call *call, struct e8_webhook *out)
{
    const struct e8_platform *platform = e8_catalog_platform(call->server->catalog);
    *out = (struct e8_webhook){
        .description = "",
        .scheme = "8bit",
        .environments = "[]",
        .headers = "{}",
        .timeout = platform->deadline,
        .retry = platform->retry,
        .enabled = true,
        .created = call->now,
        .updated = call->now,
    };
    uint64_t random[2];
    e8_random_bytes(random, sizeof random);
    e8_id_make("whk_", call->now, random[0], random[1], out->id);
}

/* ---- URLs ---- */

static bool is_loopback(const struct e8_url *url, const char *address)
{
    return e8_host_is_loopback(url->host) || strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* Looking a name up may take long, and all clients would wait: it is not. Whatever it is later, the address of each attempt's socket is
 * checked. */
static enum e8_rc check_target(const struct e8_platform_options *options, const char *text,
                               struct e8_err *err)
{
    struct e8_url url;
    char address[64];
    enum e8_rc rc = e8_url_parse(e8_str(text), &url, err);
    bool any = !rc && (url.https || options->allow_http || options->reach.unix_socket);
    rc = rc ? rc : e8_reach_may_permit(&options->reach, e8_str(text), address, err);
    if (!rc && !any && !is_loopback(&url, address)) {
        rc = e8_fail(err, E8_INPUT, "https://, http://localhost, or start emit8 serve with --allow-http",
                     "an endpoint beyond this machine needs https");
    }
    return rc;
}

static bool is_as_shown(const char *text, const char *present)
{
    struct e8_buf shown;
    e8_buf_init(&shown, 64 << 10);
    e8_url_redacted(e8_str(present), &shown);
    bool same = e8_str_is(e8_buf_str(&shown), text);
    e8_buf_fini(&shown);
    return same;
}

/* present: the URL as it is, which answers show without what is secret in it: that comes back unchanged from those who change
 * something else. NULL: none. */
static void read_target(struct e8_call *call, const struct e8_node *node, const char *present,
                        const char **out)
{
    struct e8_err err = {0};
    const char *text = e8_call_string(call, node, URL_MAX);
    if (!text || (present && is_as_shown(text, present))) {
        return;
    }
    if (check_target(&call->server->options, text, &err)) {
        e8_call_fault(call, node, err.hint, "%s", err.what);
    } else {
        *out = text;
    }
}

static void read_url(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct e8_webhook_in *in = into;
    read_target(call, node, in->before_url, &in->webhook.url);
}

static void read_notify_url(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct e8_webhook_in *in = into;
    if (node->kind == E8_NULL) {
        in->webhook.notify_url = NULL;
    } else {
        read_target(call, node, in->before_notify, &in->webhook.notify_url);
    }
}

/* ---- subscriptions ---- */

static void check_pattern(struct e8_call *call, const struct e8_node *node)
{
    const struct e8_catalog *catalog = call->server->catalog;
    char hint[E8_HINT_MAX];
    if (node->kind != E8_STRING || !e8_pattern_valid(node->text)) {
        e8_call_fault(call, node, e8_node_hint(node, "\"message.received\", \"conversation.*\" or \"*\""),
                      "this is no pattern of event types");
        return;
    }
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        if (e8_pattern_matches(node->text, e8_str(e8_catalog_type(catalog, i)->name))) {
            return;
        }
    }
    e8_hint_near(node->text, e8_catalog_names(catalog), "GET /v1/events lists the types", hint);
    e8_call_fault(call, node, hint, "no event type matches \"%.100s\"", e8_call_text(call, node->text));
}

static void check_environment(struct e8_call *call, const struct e8_node *node)
{
    (void)e8_call_environment(call, node);
}

static void read_list(struct e8_call *call, const struct e8_node *node, const char *example,
                      void (*check)(struct e8_call *, const struct e8_node *), const char **out)
{
    size_t before = call->errs.total;
    struct e8_buf json;
    if (node->kind != E8_SEQ || node->count == 0 || node->count > PATTERNS_MAX) {
        e8_call_fault(call, node, e8_node_hint(node, example), "this is no list of 1 to %d texts",
                      PATTERNS_MAX);
        return;
    }
    for (const struct e8_node *item = node->first; item; item = item->next) {
        check(call, item);
    }
    if (call->errs.total == before) {
        e8_buf_init(&json, E8_BODY_MAX);
        e8_node_json(node, &json);
        *out = e8_call_text(call, e8_buf_str(&json));
        e8_buf_fini(&json);
    }
}

static void read_events(struct e8_call *call, const struct e8_node *node, void *into)
{
    read_list(call, node, "[\"conversation.*\", \"message.received\"]", check_pattern,
              &((struct e8_webhook_in *)into)->webhook.events);
}

static void read_environments(struct e8_call *call, const struct e8_node *node, void *into)
{
    read_list(call, node, "[\"production\", \"staging\"]", check_environment,
              &((struct e8_webhook_in *)into)->webhook.environments);
}

/* ---- the rest ---- */

static void read_description(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *text = e8_call_string(call, node, DESCRIPTION_MAX);
    if (text) {
        ((struct e8_webhook_in *)into)->webhook.description = text;
    }
}

static void read_scheme(struct e8_call *call, const struct e8_node *node, void *into)
{
    const struct e8_schemes *schemes = e8_catalog_schemes(call->server->catalog);
    const char *name = e8_call_string(call, node, 64);
    char hint[E8_HINT_MAX];
    if (name && !e8_schemes_find(schemes, name)) {
        e8_hint_names(e8_str(name), e8_schemes_names(schemes), "one of", hint);
        e8_call_fault(call, node, hint, "unknown signature scheme \"%s\"", name);
    } else if (name) {
        ((struct e8_webhook_in *)into)->webhook.scheme = name;
    }
}

static void read_secret(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct e8_webhook_in *in = into;
    in->secret = e8_webhook_secret(call, in->webhook.scheme, node);
}

/* ---- durations, as requests have them ("5s") and as answers show them (5000, under a name that ends in _ms) ---- */

static bool read_ms(struct e8_call *call, const struct e8_node *node, e8_dur_ns low, e8_dur_ns high,
                    e8_dur_ns *out)
{
    char least[E8_DUR_MAX], most[E8_DUR_MAX];
    double ns = e8_node_number(node) * (double)E8_NS_MS;
    if (!e8_node_is_number(node)) {
        e8_call_fault(call, node,
                      e8_node_hint(node, "milliseconds: 5000; texts with a unit have the name without _ms"),
                      "this is no number");
        return false;
    }
    if (!(ns >= (double)low && ns <= (double)high)) {
        e8_call_fault(
            call, node,
            e8_arena_printf(call->arena, "%s to %s", e8_dur_text(low, least), e8_dur_text(high, most)),
            "the duration is out of range");
        return false;
    }
    *out = (e8_dur_ns)(ns + 0.5);
    return true;
}

/* Answers tell microseconds: what is within one is the same. */
static bool is_same_dur(e8_dur_ns a, e8_dur_ns b)
{
    return a - b < E8_NS_US && b - a < E8_NS_US;
}

/* The member `name` of the map as milliseconds, beside which there may be `text`, the same with a unit. *out stays as it is where an
 * answer would show it so. */
static void take_ms(struct e8_call *call, const struct e8_node *map, const char *name, const char *text,
                    e8_dur_ns low, e8_dur_ns high, e8_dur_ns *out)
{
    const struct e8_node *node = e8_node_get(map, name), *other = e8_node_get(map, text);
    e8_dur_ns value, said;
    if (!node || !read_ms(call, node, low, high, &value)) {
        return;
    }
    if (other && e8_parse_dur(other->text, &said) && !is_same_dur(value, said)) {
        e8_call_fault(call, node, "leave one of them out", "%s and %s contradict each other", name, text);
    } else if (!other && !is_same_dur(value, *out)) {
        *out = value;
    }
}

static void read_timeout_ms(struct e8_call *call, const struct e8_node *node, void *into)
{
    (void)node;
    take_ms(call, call->body, "timeout_ms", "timeout", E8_NS_MS, TIMEOUT_MAX,
            &((struct e8_webhook_in *)into)->webhook.timeout);
}

static void read_timeout(struct e8_call *call, const struct e8_node *node, void *into)
{
    e8_call_dur(call, node, E8_NS_MS, TIMEOUT_MAX, &((struct e8_webhook_in *)into)->webhook.timeout);
}

static void read_retry(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct e8_retry_policy *retry = &((struct e8_webhook_in *)into)->webhook.retry;
    struct e8_node *rest = e8_node_clone(call->arena, node, false);
    size_t before = call->errs.total;
    e8_node_remove(rest, E8_LIT("base_ms"), NULL);
    e8_node_remove(rest, E8_LIT("cap_ms"), NULL);
    e8_retry_parse(rest, retry, &call->errs);
    if (call->errs.total == before) {
        take_ms(call, node, "base_ms", "base", 0, RETRY_WAIT_MAX, &retry->base);
        take_ms(call, node, "cap_ms", "cap", 0, RETRY_WAIT_MAX, &retry->cap);
    }
}

static void check_header(struct e8_call *call, const struct e8_node *map, const struct e8_node *node)
{
    if (!e8_header_name_valid(node->key)) {
        e8_call_fault(call, node, "letters, digits and -", "\"%.*s\" is no header's name", E8_STR(node->key));
    } else if (e8_header_is_framing(node->key)) {
        e8_call_fault(call, node, NULL, "this belongs to HTTP itself");
    } else if (node->kind != E8_STRING || !e8_header_value_valid(node->text)) {
        e8_call_fault(call, node, e8_node_hint(node, NULL),
                      "a header's value is a text without control characters");
    }
    for (const struct e8_node *other = map->first; other != node; other = other->next) {
        if (e8_str_ieq(other->key, node->key)) {
            e8_call_fault(call, node, NULL, "this is there twice");
        }
    }
}

/* As it is given; of a secret one that answers show as "***" and that comes back as such, what it was. */
static struct e8_str value_of(const struct e8_node *header, const struct e8_node *before)
{
    const struct e8_node *old = NULL;
    if (e8_header_is_secret(header->key) && e8_str_is(header->text, "***")) {
        for (old = before ? before->first : NULL; old && !e8_str_ieq(old->key, header->key);) {
            old = old->next;
        }
    }
    return old ? old->text : header->text;
}

static void write_headers(struct e8_call *call, const struct e8_node *node, struct e8_webhook *webhook)
{
    struct e8_doc *doc = NULL;
    struct e8_buf json;
    e8_buf_init(&json, 2 * HEADER_BYTES);
    struct e8_json w = e8_json_new(&json, 0);
    const struct e8_node *before =
        e8_doc_parse("headers", e8_str(webhook->headers), E8_DOC_JSON, &doc, NULL) ? NULL : e8_doc_root(doc);
    e8_json_object(&w, NULL);
    for (const struct e8_node *header = node->first; header; header = header->next) {
        struct e8_str value = value_of(header, before);
        if (e8_header_is_secret(header->key) && e8_str_is(value, "***")) {
            e8_call_fault(call, header, "answers show *** for what is secret; give the value itself",
                          "there is no value of %.*s that could stay", E8_STR(header->key));
        }
        e8_json_str(&w, e8_call_text(call, header->key), value);
    }
    e8_json_end(&w, '}');
    if (json.full || json.n > HEADER_BYTES) {
        e8_call_fault(call, node, "at most 4 KiB", "these are too long together");
    } else {
        webhook->headers = e8_call_text(call, e8_buf_str(&json));
    }
    e8_doc_free(&doc);
    e8_buf_fini(&json);
}

static void read_headers(struct e8_call *call, const struct e8_node *node, void *into)
{
    size_t before = call->errs.total;
    if (node->kind != E8_MAP || node->count > HEADERS_MAX) {
        e8_call_fault(call, node, e8_node_hint(node, "{\"X-Team\": \"crm\"}"),
                      "this is no map of at most %d headers", HEADERS_MAX);
        return;
    }
    for (const struct e8_node *header = node->first; header; header = header->next) {
        check_header(call, node, header);
    }
    if (call->errs.total == before) {
        write_headers(call, node, &((struct e8_webhook_in *)into)->webhook);
    }
}

static void read_enabled(struct e8_call *call, const struct e8_node *node, void *into)
{
    e8_call_bool(call, node, &((struct e8_webhook_in *)into)->webhook.enabled);
}

/* What answers show beside it, and the server alone sets: whoever writes back what it has read need not take it out. */
static void pass_over(struct e8_call *call, const struct e8_node *node, void *into)
{
    (void)call;
    (void)node;
    (void)into;
}

/* With PATCH the path's; with POST that of the one that was copied. */
static void read_id(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *id = e8_call_string(call, node, E8_FACT_MAX);
    size_t length = strlen(((struct e8_webhook_in *)into)->webhook.id);
    if (id && call->id.n && !e8_str_is(call->id, id)) {
        e8_call_fault(call, node, "the path says which webhook is meant; leave the id out",
                      "this is another webhook's id");
    } else if (id && !call->id.n && (strncmp(id, "whk_", 4) != 0 || strlen(id) != length)) {
        e8_call_fault(call, node, "leave it out: one is made", "this cannot be chosen");
    }
}

/* The scheme comes before the secret, which must be of its form. */
static const struct e8_member members[] = {
    {"url", true, read_url},
    {"events", true, read_events},
    {"environments", false, read_environments},
    {"description", false, read_description},
    {"scheme", false, read_scheme},
    {"timeout", false, read_timeout},
    {"timeout_ms", false, read_timeout_ms},
    {"retry", false, read_retry},
    {"headers", false, read_headers},
    {"notify_url", false, read_notify_url},
    {"enabled", false, read_enabled},
    {"id", false, read_id},
    {"disabled_reason", false, pass_over},
    {"disabled_at", false, pass_over},
    {"failing_since", false, pass_over},
    {"secret_end", false, pass_over},
    {"rotated_at", false, pass_over},
    {"grace_until", false, pass_over},
    {"created_at", false, pass_over},
    {"updated_at", false, pass_over},
    {"secret", false, read_secret},
};

/* What every delivery has by itself, so that one of another value would be a lie. */
static bool is_ours(const struct e8_call *call, const struct e8_scheme *scheme, struct e8_str name)
{
    const struct e8_platform *platform = e8_catalog_platform(call->server->catalog);
    bool ours = e8_str_ieq(name, E8_LIT("Content-Type")) || e8_str_ieq(name, E8_LIT("User-Agent")) ||
                e8_str_ieq(name, e8_str(scheme->header));
    for (size_t i = 0; i < platform->header_count; i++) {
        ours = ours || e8_str_ieq(name, e8_str(platform->headers[i].name));
    }
    for (size_t i = 0; i < scheme->header_count; i++) {
        ours = ours || e8_str_ieq(name, e8_str(scheme->headers[i].name));
    }
    return ours;
}

/* Of the scheme that the endpoint will have, whichever of the two changes. */
static void check_ours(struct e8_call *call, const struct e8_webhook *webhook)
{
    const struct e8_scheme *scheme =
        e8_schemes_find(e8_catalog_schemes(call->server->catalog), webhook->scheme);
    const struct e8_node *given = e8_node_get(call->body, "headers"),
                         *other = e8_node_get(call->body, "scheme");
    struct e8_doc *doc = NULL;
    if ((!given && !other) || !scheme ||
        e8_doc_parse("headers", e8_str(webhook->headers), E8_DOC_JSON, &doc, NULL)) {
        return;
    }
    for (const struct e8_node *header = e8_doc_root(doc)->first; header; header = header->next) {
        const char *name = e8_call_text(call, header->key);
        const struct e8_node *at = given ? e8_node_get(given, name) : other;
        if (is_ours(call, scheme, header->key)) {
            e8_call_fault(call, at, "leave it out", "%s is set by emit8 itself (scheme \"%s\")", name,
                          webhook->scheme);
        }
    }
    e8_doc_free(&doc);
}

static void refuse_secret(struct e8_call *call, const struct e8_node *node, void *into)
{
    (void)into;
    e8_call_fault(call, node, "POST /v1/webhooks/{id}/rotate, with this member, gives it a new one",
                  "this is not changed here");
}

void e8_webhook_read(struct e8_call *call, bool creates, struct e8_webhook_in *in)
{
    struct e8_member optional[E8_COUNT(members)];
    if (creates) {
        e8_call_members(call, members, E8_COUNT(members), in);
        check_ours(call, &in->webhook);
        return;
    }
    for (size_t i = 0; i < E8_COUNT(optional); i++) {
        bool secret = members[i].read == read_secret;
        optional[i] = (struct e8_member){members[i].name, false, secret ? refuse_secret : members[i].read};
    }
    if (call->body && call->body->count == 0) {
        e8_call_fault(call, call->body, "{\"description\": \"…\"}", "there is nothing to change");
    }
    e8_call_members(call, optional, E8_COUNT(optional), in);
    check_ours(call, &in->webhook);
}

/* 32 random bytes in the form that the scheme's secrets have. */
static const char *make_secret(struct e8_call *call, const struct e8_scheme *scheme)
{
    uint8_t bytes[32];
    char memory[2 * sizeof bytes + 1];
    struct e8_buf text;
    enum e8_secret_form form = scheme ? scheme->secret : E8_SECRET_RAW;
    e8_random_bytes(bytes, sizeof bytes);
    e8_buf_fixed(&text, memory, sizeof memory);
    e8_buf_puts(&text, form == E8_SECRET_WHSEC ? "whsec_" : "");
    if (form == E8_SECRET_WHSEC || form == E8_SECRET_BASE64) {
        e8_base64_put(&text, bytes, sizeof bytes);
    } else {
        e8_hex_put(&text, bytes, sizeof bytes);
    }
    explicit_bzero(bytes, sizeof bytes);
    return e8_call_text(call, e8_buf_str(&text));
}

const char *e8_webhook_secret(struct e8_call *call, const char *scheme, const struct e8_node *given)
{
    const struct e8_scheme *found = e8_schemes_find(e8_catalog_schemes(call->server->catalog), scheme);
    struct e8_err err = {0};
    if (!given) {
        return make_secret(call, found);
    }
    const char *secret = e8_call_string(call, given, SECRET_MAX);
    if (!secret) {
        return NULL;
    }
    if (strlen(secret) < SECRET_LEAST) {
        e8_call_fault(call, given, "leave it out to have one made", "this has less than %d characters",
                      SECRET_LEAST);
        return NULL;
    }
    const char *const list[] = {secret};
    if (found && e8_signer_check(found, list, 1, &err)) {
        e8_call_fault(call, given, err.hint, "%s", err.what);
        return NULL;
    }
    return secret;
}
