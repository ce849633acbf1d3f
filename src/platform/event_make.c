#include <string.h>

#include "digest/digest.h"
#include "engine/engine.h"
#include "platform/api.h"

#define EDITS_MAX  1000
#define PATH_BYTES 1024

/* What the body says of the event. */
struct wish {
    int type; /* -1: none */
    const char *environment;
    const struct e8_node *data, *set, *payload;
};

struct edits {
    struct e8_call *call;
    struct e8_edit list[EDITS_MAX];
    size_t count;
};

/* ---- members ---- */

static void read_type(struct e8_call *call, const struct e8_node *node, void *into)
{
    const struct e8_catalog *catalog = call->server->catalog;
    const char *name = e8_call_string(call, node, E8_FACT_MAX);
    char hint[E8_HINT_MAX];
    int type = name ? e8_catalog_find(catalog, e8_str(name)) : -1;
    if (name && type < 0) {
        e8_hint_near(e8_str(name), e8_catalog_names(catalog), "GET /v1/events lists them", hint);
        e8_call_fault(call, node, hint, "\"%s\" is no event type", name);
    }
    ((struct wish *)into)->type = type;
}

static void read_environment(struct e8_call *call, const struct e8_node *node, void *into)
{
    ((struct wish *)into)->environment = e8_call_environment(call, node);
}

static bool is_map(struct e8_call *call, const struct e8_node *node, const char *hint)
{
    if (node->kind != E8_MAP) {
        e8_call_fault(call, node, e8_node_hint(node, hint), "this is %s, not an object",
                      e8_node_kind_name(node->kind));
    }
    return node->kind == E8_MAP;
}

static void read_data(struct e8_call *call, const struct e8_node *node, void *into)
{
    if (is_map(call, node, "{\"channel\": \"web\"}")) {
        ((struct wish *)into)->data = node;
    }
}

static void read_set(struct e8_call *call, const struct e8_node *node, void *into)
{
    if (is_map(call, node, "{\"data.channel\": \"web\"}")) {
        ((struct wish *)into)->set = node;
    }
}

static void read_payload(struct e8_call *call, const struct e8_node *node, void *into)
{
    if (node->kind != E8_MAP && node->kind != E8_STRING) {
        e8_call_fault(call, node, e8_node_hint(node, "an object, or a text to send as it is"), "this is %s",
                      e8_node_kind_name(node->kind));
    }
    ((struct wish *)into)->payload = node;
}

static void read_wish(struct e8_call *call, const char *type_key, bool payload, struct wish *wish)
{
    struct e8_member members[5] = {
        {"environment", false, read_environment},
        {"data", false, read_data},
        {"set", false, read_set},
    };
    size_t count = 3;
    if (type_key) {
        members[count++] = (struct e8_member){type_key, true, read_type};
    }
    if (payload) {
        members[count++] = (struct e8_member){"payload", false, read_payload};
    }
    e8_call_members(call, members, count, wish);
    if (wish->payload && (wish->data || wish->set) && !e8_call_faulty(call)) {
        e8_call_fault(call, wish->payload, "leave data and set out", "this is sent as it is");
    }
}

/* ---- edits ---- */

static bool is_plain(struct e8_str key)
{
    return key.n > 0 && key.p[0] != '\'' && !memchr(key.p, '.', key.n);
}

/* A name of a path, in quotes where it needs them. */
static void put_name(struct e8_buf *path, struct e8_str key)
{
    if (is_plain(key)) {
        e8_buf_putstr(path, key);
        return;
    }
    e8_buf_putc(path, '\'');
    for (size_t i = 0; i < key.n; i++) {
        e8_buf_puts(path, key.p[i] == '\'' ? "'" : "");
        e8_buf_putc(path, key.p[i]);
    }
    e8_buf_putc(path, '\'');
}

static void add_edit(struct edits *edits, struct e8_str path, const struct e8_node *value)
{
    if (edits->count == EDITS_MAX) {
        e8_call_fault(edits->call, value, NULL, "at most %d members can be changed", EDITS_MAX);
        return;
    }
    edits->list[edits->count++] =
        (struct e8_edit){.path = e8_arena_str(edits->call->arena, path), .value = value, .at = value};
}

/* Maps are merged, all else takes the place of what is there. */
static void merge(struct edits *edits, const struct e8_node *map, struct e8_buf *path)
{
    size_t before = path->n;
    for (const struct e8_node *child = map->first; child && !e8_call_faulty(edits->call);
         child = child->next) {
        e8_buf_putc(path, '.');
        put_name(path, child->key);
        if (path->full) {
            e8_call_fault(edits->call, child, NULL, "the names are too long");
        } else if (child->kind == E8_MAP && child->count) {
            merge(edits, child, path);
        } else {
            add_edit(edits, e8_buf_str(path), child);
        }
        path->n = before;
    }
}

static void gather_edits(struct edits *edits, const struct wish *wish)
{
    struct e8_buf path;
    e8_buf_init(&path, PATH_BYTES);
    e8_buf_puts(&path, "data");
    if (wish->data) {
        merge(edits, wish->data, &path);
    }
    e8_buf_fini(&path);
    for (const struct e8_node *child = wish->set ? wish->set->first : NULL; child; child = child->next) {
        add_edit(edits, child->key, child);
    }
}

/* ---- rendering ---- */

struct rendered {
    struct e8_arena *arena;
    struct e8_made *made;
};

static bool take_preview(void *state, const struct e8_preview *preview)
{
    const struct rendered *rendered = state;
    memcpy(rendered->made->event_id, preview->event_id, strlen(preview->event_id) + 1);
    rendered->made->body = e8_arena_str(rendered->arena, preview->body);
    return false;
}

/* As a run would make it, as its instance `number`: what is the same for all of a run is the same for all of one seed. */
static enum e8_rc render(struct e8_platform_server *server, struct e8_arena *arena,
                         const struct e8_send_options *options, uint64_t number, e8_wall_ns at,
                         struct e8_made *out, struct e8_errs *errs)
{
    const char *const patterns[] = {out->type, NULL};
    struct rendered rendered = {arena, out};
    struct e8_plan *plan = NULL;
    struct e8_err err = {0};
    struct e8_send_options with = *options;
    with.patterns = patterns;
    with.environment = out->environment;
    with.endpoint = (struct e8_endpoint){
        .name = "event",
        .url = "http://127.0.0.1/",
        .scheme = e8_schemes_find(e8_catalog_schemes(server->catalog), "8bit"),
    };
    enum e8_rc rc = e8_plan_send(server->catalog, &with, &plan, errs);
    if (rc) {
        return rc;
    }
    plan->phases[0].first = number;
    rc = e8_preview_plan(plan, server->catalog, at, take_preview, &rendered, &err);
    e8_plan_free(&plan);
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static struct e8_str payload_of(struct e8_call *call, const struct e8_node *node)
{
    struct e8_buf json;
    if (node->kind == E8_STRING) {
        return e8_arena_str(call->arena, node->text);
    }
    e8_buf_init(&json, 2 * E8_BODY_MAX);
    e8_node_json(node, &json);
    struct e8_str text = e8_arena_str(call->arena, e8_buf_str(&json));
    e8_buf_fini(&json);
    return text;
}

static bool render_wish(struct e8_call *call, const struct wish *wish, struct e8_made *out)
{
    struct edits *edits = e8_arena_alloc(call->arena, sizeof *edits);
    struct e8_send_options options = {.seed = call->server->account};
    uint64_t number;
    edits->call = call;
    gather_edits(edits, wish);
    if (e8_call_faulty(call)) {
        return false;
    }
    e8_random_bytes(&number, sizeof number);
    options.edits = edits->list;
    options.edit_count = edits->count;
    if (wish->payload) {
        options.raw = payload_of(call, wish->payload);
    }
    return !render(call->server, call->arena, &options, number >> 2, call->now, out, &call->errs);
}

bool e8_event_make(struct e8_call *call, const char *type_key, int type, bool payload, struct e8_made *out)
{
    const struct e8_catalog *catalog = call->server->catalog;
    struct wish wish = {.type = type};
    read_wish(call, type_key, payload, &wish);
    if (e8_call_faulty(call)) {
        return false;
    }
    out->type = e8_catalog_type(catalog, (size_t)wish.type)->name;
    out->environment = wish.environment ? wish.environment : e8_catalog_platform(catalog)->environments[0];
    return render_wish(call, &wish, out);
}

struct e8_str e8_event_sample(struct e8_platform_server *server, struct e8_arena *arena, size_t type)
{
    struct e8_send_options options = {.seed = 1};
    struct e8_made made = {.type = e8_catalog_type(server->catalog, type)->name};
    struct e8_errs errs;
    e8_errs_init(&errs);
    made.environment = e8_catalog_platform(server->catalog)->environments[0];
    enum e8_rc rc = render(server, arena, &options, 0, server->started, &made, &errs);
    E8_ASSERT(rc == E8_OK);
    e8_errs_fini(&errs);
    return made.body;
}
