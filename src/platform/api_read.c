#include <stdio.h>
#include <string.h>

#include "catalog/platform.h"
#include "platform/api.h"

#define PAGE     50
#define PAGE_MAX 200

/* Of a node, or of a field by its name. */
static void add_fault(struct e8_call *call, const struct e8_node *node, const char *field, const char *hint,
                      const char *format, va_list args) __attribute__((format(printf, 5, 0)));

static void add_fault(struct e8_call *call, const struct e8_node *node, const char *field, const char *hint,
                      const char *format, va_list args)
{
    char what[512];
    struct e8_err err = {0};
    vsnprintf(what, sizeof what, format, args);
    if (node) {
        e8_node_fail(&err, node, hint, "%s", what);
    } else {
        e8_fail_at(&err, field, 0, 0, hint, "%s", what);
    }
    err.rc = E8_INPUT;
    e8_errs_add(&call->errs, &err);
}

void e8_call_fault(struct e8_call *call, const struct e8_node *node, const char *hint, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    add_fault(call, node, NULL, hint, format, args);
    va_end(args);
}

void e8_call_fault_at(struct e8_call *call, const char *field, const char *hint, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_fault(call, NULL, field, hint, format, args);
    va_end(args);
}

bool e8_call_is_listed(const char *const *names, const char *name)
{
    for (; *names; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

bool e8_call_faulty(const struct e8_call *call)
{
    return call->errs.total > 0;
}

void e8_call_members(struct e8_call *call, const struct e8_member *members, size_t count, void *into)
{
    const char *names[32];
    E8_ASSERT(count < E8_COUNT(names));
    for (size_t i = 0; i < count; i++) {
        names[i] = members[i].name;
    }
    names[count] = NULL;
    if (call->body) {
        e8_node_only(call->body, names, &call->errs);
    }
    for (size_t i = 0; i < count; i++) {
        const struct e8_node *node = e8_node_get(call->body, members[i].name);
        if (node && node->kind == E8_NULL && members[i].needed) {
            e8_call_fault(call, node, "give it a value", "this is null, and it is needed");
        } else if (node) {
            members[i].read(call, node, into);
        } else if (members[i].needed) {
            e8_call_fault_at(call, members[i].name, NULL, "this is missing");
        }
    }
}

const char *e8_call_string(struct e8_call *call, const struct e8_node *node, size_t max)
{
    if (node->kind != E8_STRING) {
        e8_call_fault(call, node, e8_node_hint(node, "put it in quotes"), "this is %s, not a text",
                      e8_node_kind_name(node->kind));
    } else if (node->text.n > max) {
        e8_call_fault(call, node, NULL, "the text is longer than %zu bytes", max);
    } else if (node->text.n && memchr(node->text.p, '\0', node->text.n)) {
        e8_call_fault(call, node, NULL, "the text has a NUL in it");
    } else {
        return e8_call_text(call, node->text);
    }
    return NULL;
}

bool e8_call_bool(struct e8_call *call, const struct e8_node *node, bool *out)
{
    if (node->kind != E8_BOOL) {
        e8_call_fault(call, node, e8_node_hint(node, "true or false, without quotes"), "this is %s",
                      e8_node_kind_name(node->kind));
        return false;
    }
    *out = node->b;
    return true;
}

bool e8_call_dur(struct e8_call *call, const struct e8_node *node, e8_dur_ns low, e8_dur_ns high,
                 e8_dur_ns *out)
{
    char least[E8_DUR_MAX], most[E8_DUR_MAX];
    e8_dur_ns value;
    if (node->kind != E8_STRING || !e8_parse_dur(node->text, &value)) {
        e8_call_fault(call, node, e8_node_hint(node, "a text with a unit: \"500ms\", \"5s\", \"2m\""),
                      "this is no duration");
        return false;
    }
    if (value < low || value > high) {
        e8_call_fault(
            call, node,
            e8_arena_printf(call->arena, "%s to %s", e8_dur_text(low, least), e8_dur_text(high, most)),
            "the duration is out of range");
        return false;
    }
    *out = value;
    return true;
}

/* RFC 3339, or so long before now. */
static bool time_of(struct e8_call *call, struct e8_str text, e8_wall_ns *out)
{
    e8_dur_ns ago;
    if (e8_wall_parse(text, out)) {
        return *out > 0;
    }
    if (!e8_parse_dur(text, &ago) || ago >= call->now) {
        return false;
    }
    *out = call->now - ago;
    return true;
}

#define TIME_HINT "\"2026-03-01T12:00:00Z\", or so long before now: \"10m\""

bool e8_call_time(struct e8_call *call, const struct e8_node *node, e8_wall_ns *out)
{
    e8_wall_ns at;
    if (node->kind != E8_STRING || !time_of(call, node->text, &at)) {
        e8_call_fault(call, node, e8_node_hint(node, TIME_HINT), "this is no time");
        return false;
    }
    *out = at;
    return true;
}

const char *e8_call_query(const struct e8_call *call, const char *name)
{
    const struct e8_node *member = e8_node_get(call->body, name);
    const char *value =
        member ? e8_arena_str(call->arena, member->text).p : e8_request_query(call->request, name);
    return value && *value ? value : NULL;
}

void e8_call_query_time(struct e8_call *call, const char *name, e8_wall_ns *out)
{
    const char *value = e8_call_query(call, name);
    e8_wall_ns at;
    if (value && !time_of(call, e8_str(value), &at)) {
        e8_call_fault_at(call, name, TIME_HINT, "\"%s\" is no time", value);
    } else if (value) {
        *out = at;
    }
}

void e8_call_query_dur(struct e8_call *call, const char *name, e8_dur_ns *out)
{
    const char *value = e8_call_query(call, name);
    if (value && !e8_parse_dur(e8_str(value), out)) {
        e8_call_fault_at(call, name, "a number with a unit: 1m, 1h", "\"%s\" is no duration", value);
    }
}

int e8_call_query_choice(struct e8_call *call, const char *name, const char *const *choices, int absent)
{
    const char *value = e8_call_query(call, name);
    char hint[E8_HINT_MAX];
    for (int i = 0; value && choices[i]; i++) {
        if (strcmp(value, choices[i]) == 0) {
            return i;
        }
    }
    if (value) {
        e8_call_fault_at(call, name, e8_hint_names(e8_str(value), choices, "one of", hint),
                         "\"%s\" is not known", value);
    }
    return absent;
}

void e8_call_query_window(struct e8_call *call, e8_wall_ns *since, e8_wall_ns *until)
{
    e8_call_query_time(call, "since", since);
    e8_call_query_time(call, "until", until);
    if (*since && *until && *since >= *until) {
        e8_call_fault_at(call, "since", "an earlier since, or a later until", "this must be before until");
    }
}

static int64_t read_cursor(struct e8_call *call, uint64_t filters)
{
    const char *text = e8_call_query(call, "cursor"), *dash = text ? strchr(text, '-') : NULL;
    uint64_t n = 0;
    if (!text) {
        return 0;
    }
    if (text[0] != 'r' || !dash || !e8_parse_u64((struct e8_str){text + 1, (size_t)(dash - text - 1)}, &n) ||
        n == 0 || n > INT64_MAX) {
        e8_call_fault_at(call, "cursor", "take page.next of the answer before", "no answer gave this one");
    } else if (strcmp(text, e8_call_cursor(call, filters, (int64_t)n)) != 0) {
        e8_call_fault_at(call, "cursor", "keep the filters of the page before, or begin without a cursor",
                         "this goes with other filters");
    }
    return (int64_t)n;
}

void e8_call_query_page(struct e8_call *call, uint64_t filters, int64_t *before, size_t *limit)
{
    const char *text = e8_call_query(call, "limit");
    uint64_t n = PAGE;
    if (text && (!e8_parse_u64(e8_str(text), &n) || n == 0 || n > PAGE_MAX)) {
        e8_call_fault_at(call, "limit", "a whole number from 1 to 200", "\"%s\" %s", text,
                         e8_whole_fault(e8_str(text)));
    }
    *before = read_cursor(call, filters);
    *limit = (size_t)n;
}

const char *e8_call_cursor(struct e8_call *call, uint64_t filters, int64_t before)
{
    return before ? e8_arena_printf(call->arena, "r%lld-%08llx", (long long)before,
                                    (unsigned long long)(filters & UINT32_MAX))
                  : NULL;
}

/* Where the store fails, what is asked of it next fails, and says so. */
static bool was_there(struct e8_call *call, enum e8_store_name what, const char *name)
{
    bool known = false;
    return e8_store_knows(call->server->store, what, name, &known, NULL) || known;
}

const char *e8_call_query_webhook(struct e8_call *call)
{
    const char *id = e8_call_query(call, "webhook");
    if (id && !was_there(call, E8_NAME_WEBHOOK, id)) {
        e8_call_fault_at(call, "webhook", "GET /v1/webhooks lists the ids",
                         "there is no webhook \"%.60s\", and none in the log", id);
    }
    return id;
}

const char *e8_call_query_run(struct e8_call *call)
{
    const char *id = e8_call_query(call, "run");
    if (id && !was_there(call, E8_NAME_RUN, id)) {
        e8_call_fault_at(call, "run", "deliveries tell the run_id of what a run has sent",
                         "there is no run \"%.60s\" in the log", id);
    }
    return id;
}

static bool takes_any(const struct e8_catalog *catalog, const char *pattern)
{
    for (size_t i = 0; i < e8_catalog_count(catalog); i++) {
        if (e8_pattern_matches(e8_str(pattern), e8_str(e8_catalog_type(catalog, i)->name))) {
            return true;
        }
    }
    return false;
}

static void check_pattern(struct e8_call *call, const char *pattern)
{
    if (!e8_pattern_valid(e8_str(pattern))) {
        e8_call_fault_at(call, "type", "\"message.received\", \"conversation.*\" or \"*\"",
                         "\"%.100s\" is no pattern of event types", pattern);
    } else if (!takes_any(call->server->catalog, pattern) && !was_there(call, E8_NAME_TYPES, pattern)) {
        e8_call_fault_at(call, "type", "GET /v1/events lists the types", "no event type matches \"%.100s\"",
                         pattern);
    }
}

const char *e8_call_query_type(struct e8_call *call)
{
    const char *type = e8_call_query(call, "type");
    const char *const *names = e8_catalog_names(call->server->catalog);
    char hint[E8_HINT_MAX];
    if (type && strchr(type, '*')) {
        check_pattern(call, type);
    } else if (type && !e8_call_is_listed(names, type) && !was_there(call, E8_NAME_TYPE, type)) {
        e8_hint_near(e8_str(type), names, "GET /v1/events lists the types", hint);
        e8_call_fault_at(call, "type", hint, "unknown event type \"%.100s\"", type);
    }
    return type;
}

const char *e8_call_query_environment(struct e8_call *call)
{
    const char *name = e8_call_query(call, "environment");
    struct e8_err err = {0};
    if (name && !e8_environment_find(e8_catalog_platform(call->server->catalog), name, &err) &&
        !was_there(call, E8_NAME_ENVIRONMENT, name)) {
        e8_call_fault_at(call, "environment", err.hint, "%s", err.what);
    }
    return name;
}

const char *e8_call_environment(struct e8_call *call, const struct e8_node *node)
{
    struct e8_err err = {0};
    const char *name = e8_call_string(call, node, E8_FACT_MAX);
    const char *found =
        name ? e8_environment_find(e8_catalog_platform(call->server->catalog), name, &err) : NULL;
    if (name && !found) {
        e8_call_fault(call, node, err.hint, "%s", err.what);
    }
    return found;
}
