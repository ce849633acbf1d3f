#include "cli/settings.h"

#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"

#define TEXT_MAX 512 /* bytes of a value that are told */

/* ---- writing ---- */

static void put(struct e8_json *w, const char *name, const char *value)
{
    struct e8_str head = {value, strnlen(value, TEXT_MAX)};
    e8_json_str(w, name, (struct e8_str){value, value[head.n] ? e8_utf8_valid(head) : head.n});
}

/* One byte of a digest, always the same: of two that differ 255 pairs in 256 are told apart, and of 256 guesses at a weak secret one fits. With
 * another key in each run, logs of several runs would tell more. */
static const char *seal(struct e8_arena *arena, const char *const *texts, size_t count)
{
    uint8_t digest[32];
    struct e8_sha256 *sha = e8_sha256_new();
    e8_sha256_add(sha, E8_LIT("emit8 shard"));
    for (size_t i = 0; i < count; i++) {
        e8_sha256_add(sha, (struct e8_str){texts[i], strlen(texts[i]) + 1});
    }
    e8_sha256_end(&sha, digest);
    return e8_arena_printf(arena, "%02x", digest[0]);
}

static const char *of_endpoint(struct e8_arena *arena, const char *what, const struct e8_endpoint *endpoint)
{
    return e8_arena_printf(arena, "%s of endpoint %s", what, endpoint->name);
}

/* A scheme of the user's own is told apart by what it says. */
static const char *scheme_text(struct e8_arena *arena, const struct e8_endpoint *endpoint)
{
    const struct e8_scheme *scheme = endpoint->scheme;
    const char *const parts[] = {scheme->content,   scheme->header,           scheme->prefix,
                                 scheme->separator, scheme->timestamp_header, scheme->timestamp_item,
                                 scheme->id_header};
    uint64_t key = (uint64_t)scheme->hash << 8 | (uint64_t)scheme->encoding;
    if (!endpoint->secret_count) {
        return "none (not signed)";
    }
    if (strcmp(scheme->name, "custom") != 0) {
        return scheme->name;
    }
    for (size_t i = 0; i < E8_COUNT(parts); i++) {
        key = e8_mix(key, e8_hash_str(e8_str(parts[i] ? parts[i] : "")));
    }
    for (size_t i = 0; i < scheme->header_count; i++) {
        key = e8_mix(key, e8_hash_str(e8_str(scheme->headers[i].name)));
        key = e8_mix(key, e8_hash_str(e8_str(scheme->headers[i].value)));
    }
    return e8_arena_printf(arena, "%s (%06x)", scheme->name, (unsigned)(key & 0xffffff));
}

static const char *limit_text(size_t in_flight, struct e8_arena *arena)
{
    return e8_arena_printf(arena, "%zu", in_flight ? in_flight : (size_t)E8_IN_FLIGHT_DEFAULT);
}

static void put_same(const struct execution *x, struct e8_json *w)
{
    static const char *const versions[] = {[E8_HTTP_AUTO] = "auto", [E8_HTTP_11] = "1.1", [E8_HTTP_2] = "2"};
    const struct e8_plan *plan = x->run->plan;
    char text[E8_DUR_MAX];
    e8_json_object(w, "same");
    put(w, "--http", versions[x->reach.reach.http]);
    put(w, "--in-flight", limit_text(x->run->in_flight, x->arena));
    put(w, "--drop", x->run->drop ? "on" : "off");
    put(w, "--connect-timeout",
        x->reach.reach.connect_timeout ? e8_dur_text(x->reach.reach.connect_timeout, text) : "none");
    put(w, "effect probe", !plan->effect ? "none" : plan->effect->get ? "a URL" : "a command");
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        const char *names = e8_cli_header_names(x->arena, endpoint->headers, endpoint->header_count);
        put(w, of_endpoint(x->arena, "--timeout", endpoint), e8_dur_text(endpoint->timeout, text));
        put(w, of_endpoint(x->arena, "--retries", endpoint),
            e8_arena_printf(x->arena, "%u", endpoint->retry.attempts - 1));
        put(w, of_endpoint(x->arena, "--scheme", endpoint), scheme_text(x->arena, endpoint));
        put(w, of_endpoint(x->arena, "-H", endpoint), names ? names : "none");
    }
    e8_json_end(w, '}');
}

/* A name may come more than once: what comes under it is one value. */
static void put_headers(const struct execution *x, const struct e8_endpoint *endpoint, struct e8_json *w)
{
    const struct e8_header *headers = endpoint->headers;
    const char **values = e8_arena_alloc(x->arena, (endpoint->header_count + 1) * sizeof *values);
    for (size_t i = 0; i < endpoint->header_count; i++) {
        size_t n = 0, first = 0;
        while (!e8_str_ieq(headers[first].name, headers[i].name)) {
            first++;
        }
        for (size_t k = i; first == i && k < endpoint->header_count; k++) {
            if (e8_str_ieq(headers[k].name, headers[i].name)) {
                values[n++] = e8_arena_str(x->arena, headers[k].value).p;
            }
        }
        if (n) {
            const char *what = e8_arena_printf(x->arena, "value of -H %.*s", E8_STR(headers[i].name));
            put(w, of_endpoint(x->arena, what, endpoint), seal(x->arena, values, n));
        }
    }
}

/* The secrets that a sink of its own makes up are others in each shard. */
static void put_sealed(const struct execution *x, struct e8_json *w)
{
    const struct e8_plan *plan = x->run->plan;
    e8_json_object(w, "sealed");
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        if (!x->run->sinks && endpoint->secret_count) {
            put(w, of_endpoint(x->arena, "secret", endpoint),
                seal(x->arena, endpoint->secrets, endpoint->secret_count));
        }
        put_headers(x, endpoint, w);
    }
    e8_json_end(w, '}');
}

static void put_words(const struct execution *x, struct e8_json *w)
{
    struct e8_buf words;
    e8_buf_init(&words, 64 << 10);
    for (size_t i = 0; i < x->args->word_count; i++) {
        e8_buf_printf(&words, "%s%s", i ? " " : "", x->args->words[i]);
    }
    put(w, "list of types", words.n ? e8_buf_cstr(&words) : "*");
    e8_buf_fini(&words);
}

static void put_plan(const struct execution *x, struct e8_json *w)
{
    static const char *const names[] = {"rate",   "concurrency", "duration", "number",
                                        "stages", "process",     "warmup",   "environment"};
    e8_json_object(w, "plan");
    if (x->run->load) {
        put_words(x, w);
    }
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        const char *value = e8_args_know(x->args, names[i]) ? e8_arg(x->args, names[i]) : NULL;
        if (value) {
            put(w, e8_arena_printf(x->arena, "--%s", names[i]), value);
        }
    }
    e8_json_end(w, '}');
}

static void put_variables(const struct execution *x, struct e8_json *w)
{
    const char **all = e8_args_know(x->args, "var") ? e8_arg_all(x->args, "var") : NULL;
    e8_json_object(w, "plan_sealed");
    for (size_t i = 0; all && all[i]; i++) {
        size_t n = strcspn(all[i], "="), last = i;
        for (size_t k = i + 1; all[k]; k++) {
            last = strcspn(all[k], "=") == n && strncmp(all[k], all[i], n) == 0 ? k : last;
        }
        if (last == i) { /* the last one of a name counts */
            put(w, e8_arena_printf(x->arena, "value of --var %.*s", (int)n, all[i]),
                seal(x->arena, &all[i], 1));
        }
    }
    e8_json_end(w, '}');
    free(all);
}

const char *e8_settings_of(const struct execution *x)
{
    struct e8_buf text;
    if (!x->run->plan->shard.count) {
        return NULL;
    }
    e8_buf_init(&text, E8_SETTINGS_MAX);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    put_same(x, &w);
    put_sealed(x, &w);
    put_plan(x, &w);
    put_variables(x, &w);
    e8_json_end(&w, '}');
    const char *kept = text.full ? NULL : e8_arena_str(x->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return kept;
}

/* ---- comparing ---- */

static const struct e8_node *find(const struct e8_node *map, struct e8_str key)
{
    const struct e8_node *node = map->first;
    while (node && !e8_str_eq(node->key, key)) {
        node = node->next;
    }
    return node;
}

struct difference {
    struct e8_arena *arena;
    bool sealed;
    const char *what, *hint;
};

static bool say(struct difference *d, struct e8_str name, const struct e8_node *one,
                const struct e8_node *other)
{
    if (d->sealed) {
        d->what = e8_arena_printf(d->arena, "its %.*s is another", E8_STR(name));
    } else if (one && other) {
        d->what = e8_arena_printf(d->arena, "its %.*s is %.*s, not %.*s", E8_STR(name), E8_STR(one->text),
                                  E8_STR(other->text));
    } else if (one) {
        d->what = e8_arena_printf(d->arena, "it has %.*s %.*s, which that has not", E8_STR(name),
                                  E8_STR(one->text));
    } else {
        d->what = e8_arena_printf(d->arena, "it lacks %.*s, which is %.*s there", E8_STR(name),
                                  E8_STR(other->text));
    }
    d->hint = e8_arena_printf(d->arena, "give every shard the same %.*s", E8_STR(name));
    return true;
}

static bool is_text(const struct e8_node *node)
{
    return !node || node->kind == E8_STRING;
}

/* The first of `one` that `other` has not, or has otherwise; alone: what one of them lacks counts. */
static bool find_difference(struct difference *d, const struct e8_node *one, const struct e8_node *other,
                            bool alone)
{
    for (const struct e8_node *node = one->first; node; node = node->next) {
        const struct e8_node *same = find(other, node->key);
        bool differs = same ? !is_text(same) || !e8_str_eq(node->text, same->text) : alone;
        if (is_text(node) && is_text(same) && differs) {
            return say(d, node->key, node, same);
        }
    }
    for (const struct e8_node *node = other->first; alone && node; node = node->next) {
        if (is_text(node) && !find(one, node->key)) {
            return say(d, node->key, NULL, node);
        }
    }
    return false;
}

bool e8_settings_differ(const struct e8_node *one, const struct e8_node *other, enum e8_settings_of of,
                        struct e8_arena *arena, const char **what, const char **hint)
{
    static const char *const told[] = {[E8_SETTINGS_SAME] = "same", [E8_SETTINGS_PLAN] = "plan"};
    static const char *const sealed[] = {[E8_SETTINGS_SAME] = "sealed", [E8_SETTINGS_PLAN] = "plan_sealed"};
    const char *const keys[] = {told[of], sealed[of]};
    const struct e8_node *a = e8_node_get(one, "settings"), *b = e8_node_get(other, "settings");
    struct difference d = {.arena = arena};
    bool found = false;
    for (size_t i = 0; !found && i < E8_COUNT(keys); i++) {
        const struct e8_node *x = a ? e8_node_get(a, keys[i]) : NULL, *y = b ? e8_node_get(b, keys[i]) : NULL;
        d.sealed = i == 1;
        found = x && y && x->kind == E8_MAP && y->kind == E8_MAP &&
                find_difference(&d, x, y, of == E8_SETTINGS_PLAN);
    }
    *what = d.what;
    *hint = d.hint;
    return found;
}
