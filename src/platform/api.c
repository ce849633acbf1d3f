#include "platform/api.h"

#include <stdio.h>
#include <string.h>

#include "digest/digest.h"

enum need { NO_BODY, MAY_HAVE_BODY, NEEDS_BODY };
enum access { OPEN /* without a key */, WITH_KEY, COUNTED /* with a key, and the plan's limit counts it */ };

#define FILTERS "type environment event run status state test since until cursor limit"

/* In the order in which they are looked at: a path without {id} comes before one with it. `query`: the parameters that it knows,
 * with a * those that may come more than once. */
static const struct route {
    const char *method, *path;
    e8_call_fn *answer;
    enum need body;
    const char *query;
    enum access access;
} routes[] = {
    {"GET", "/healthz", e8_healthz_get, NO_BODY, "", OPEN},
    {"GET", "/openapi.json", e8_openapi_get, NO_BODY, "", OPEN},
    {"GET", "/metrics", e8_metrics_get, NO_BODY, "", WITH_KEY},
    {"GET", "/v1/webhooks", e8_webhooks_list, NO_BODY, "enabled", COUNTED},
    {"POST", "/v1/webhooks", e8_webhooks_create, NEEDS_BODY, "", COUNTED},
    {"GET", "/v1/webhooks/{id}", e8_webhook_get, NO_BODY, "", COUNTED},
    {"PATCH", "/v1/webhooks/{id}", e8_webhook_patch, NEEDS_BODY, "", COUNTED},
    {"DELETE", "/v1/webhooks/{id}", e8_webhook_delete, NO_BODY, "", COUNTED},
    {"POST", "/v1/webhooks/{id}/enable", e8_webhook_enable, MAY_HAVE_BODY, "", COUNTED},
    {"POST", "/v1/webhooks/{id}/disable", e8_webhook_disable, MAY_HAVE_BODY, "", COUNTED},
    {"POST", "/v1/webhooks/{id}/rotate", e8_webhook_rotate, MAY_HAVE_BODY, "", COUNTED},
    {"POST", "/v1/webhooks/{id}/revoke", e8_webhook_revoke, MAY_HAVE_BODY, "", COUNTED},
    {"POST", "/v1/webhooks/{id}/test", e8_webhook_test, NEEDS_BODY, "", COUNTED},
    {"GET", "/v1/webhooks/{id}/deliveries", e8_webhook_deliveries, NO_BODY, FILTERS, COUNTED},
    {"GET", "/v1/events", e8_types_list, NO_BODY, "", COUNTED},
    {"POST", "/v1/events", e8_event_post, NEEDS_BODY, "", COUNTED},
    {"GET", "/v1/events/{id}", e8_type_get, NO_BODY, "", COUNTED},
    {"POST", "/v1/events/{id}/preview", e8_type_preview, MAY_HAVE_BODY, "", COUNTED},
    {"GET", "/v1/match", e8_match_get, NO_BODY, "pattern*", COUNTED},
    {"GET", "/v1/deliveries", e8_deliveries_list, NO_BODY, "webhook " FILTERS, COUNTED},
    {"POST", "/v1/deliveries/resend", e8_deliveries_resend, MAY_HAVE_BODY, "", COUNTED},
    {"GET", "/v1/deliveries/{id}", e8_delivery_get, NO_BODY, "", COUNTED},
    {"POST", "/v1/deliveries/{id}/resend", e8_delivery_resend, MAY_HAVE_BODY, "", COUNTED},
    {"GET", "/v1/overview", e8_overview_get, NO_BODY, "since until step webhook", COUNTED},
    {"GET", "/v1/stream", e8_stream_get, NO_BODY, "webhook", COUNTED},
    {"GET", "/v1/scenarios", e8_scenarios_list, NO_BODY, "", COUNTED},
    {"GET", "/v1/runs", e8_runs_list, NO_BODY, "cursor limit", COUNTED},
    {"POST", "/v1/runs", e8_runs_start, NEEDS_BODY, "", COUNTED},
    {"GET", "/v1/runs/{id}", e8_run_get, NO_BODY, "", COUNTED},
    {"POST", "/v1/runs/{id}/stop", e8_run_stop, MAY_HAVE_BODY, "", COUNTED},
    {"GET", "/v1/info", e8_info_get, NO_BODY, "", COUNTED},
};

/* Path and template, segment by segment. */
static bool path_is(const char *template, struct e8_str path, struct e8_str *id)
{
    struct e8_str form = e8_str(template), a, b;
    form = (struct e8_str){form.p + 1, form.n - 1};
    if (path.n == 0 || path.p[0] != '/' || path.p[path.n - 1] == '/') {
        return false;
    }
    path = (struct e8_str){path.p + 1, path.n - 1};
    while (e8_str_split(&form, '/', &a)) {
        if (!e8_str_split(&path, '/', &b) || b.n == 0) {
            return false;
        }
        if (e8_str_is(a, "{id}")) {
            *id = b;
        } else if (!e8_str_eq(a, b)) {
            return false;
        }
    }
    return path.n == 0;
}

static bool method_is(const struct route *route, struct e8_str method)
{
    return e8_str_is(method, route->method) ||
           (e8_str_is(method, "HEAD") && strcmp(route->method, "GET") == 0);
}

/* The route; else in *allow the methods that there are at this path, empty when there is no such path. */
static const struct route *find_route(struct e8_call *call, struct e8_buf *allow)
{
    for (size_t i = 0; i < E8_COUNT(routes); i++) {
        struct e8_str id = {0};
        if (!path_is(routes[i].path, call->request->path, &id)) {
            continue;
        }
        if (method_is(&routes[i], call->request->method)) {
            call->id = id;
            return &routes[i];
        }
        e8_buf_printf(allow, "%s%s%s", allow->n ? ", " : "", routes[i].method,
                      strcmp(routes[i].method, "GET") == 0 ? ", HEAD" : "");
    }
    return NULL;
}

static bool is_authorized(struct e8_call *call)
{
    const struct e8_platform_server *server = call->server;
    const char *given = e8_request_header(call->request, "Authorization", 0);
    if (!server->key) {
        return true;
    }
    struct e8_str scheme = {given, 7}, key = given ? e8_str(given) : E8_LIT("");
    if (key.n > 7 && e8_str_ieq(scheme, E8_LIT("Bearer ")) &&
        !e8_request_header(call->request, "Authorization", 1) &&
        e8_ct_equal((struct e8_str){key.p + 7, key.n - 7}, e8_str(server->key))) {
        return true;
    }
    e8_call_header(call, "WWW-Authenticate", given ? "Bearer error=\"invalid_token\"" : "Bearer");
    e8_call_fail(call, 401, "send it as Authorization: Bearer e8k_…",
                 given ? "this is not the API key" : "the API key is missing");
    return false;
}

/* The plan is for the clients that people write: what their dashboard asks has a bucket of its own. Whoever says so is believed, since
 * the limit keeps nobody out who has the key. */
static struct e8_bucket *bucket_of(struct e8_call *call)
{
    const char *client = e8_request_header(call->request, "X-Emit8-Client", 0);
    bool dashboard = client && strcmp(client, "dashboard") == 0;
    return dashboard ? &call->server->dashboard : &call->server->bucket;
}

static bool is_within_limit(struct e8_call *call)
{
    struct e8_bucket *bucket = bucket_of(call);
    e8_dur_ns wait;
    bool good = e8_bucket_take(bucket, e8_mono_now(), &wait);
    if (!bucket->per_minute) {
        return true;
    }
    int64_t reset = (call->now + e8_bucket_reset_in(bucket) + E8_NS_S - 1) / E8_NS_S;
    e8_call_header(call, "X-RateLimit-Limit", e8_arena_printf(call->arena, "%u", bucket->per_minute));
    e8_call_header(call, "X-RateLimit-Remaining",
                   e8_arena_printf(call->arena, "%u", e8_bucket_remaining(bucket)));
    e8_call_header(call, "X-RateLimit-Reset", e8_arena_printf(call->arena, "%lld", (long long)reset));
    if (!good) {
        long long seconds = (wait + E8_NS_S - 1) / E8_NS_S;
        e8_call_header(call, "Retry-After", e8_arena_printf(call->arena, "%lld", seconds));
        e8_call_fail(call, 429, "see Retry-After; --plan unlimited has no limit",
                     "more than %u requests a minute", bucket->per_minute);
    }
    return good;
}

struct query_names {
    const char *names[16]; /* NULL-terminated */
    bool repeat[16];
    size_t count;
};

static struct query_names names_of(struct e8_call *call, const char *known)
{
    struct query_names out = {.count = 0};
    struct e8_str rest = e8_str(known), word;
    while (out.count + 1 < E8_COUNT(out.names) && e8_str_split(&rest, ' ', &word)) {
        bool repeat = word.n && word.p[word.n - 1] == '*';
        word.n -= repeat;
        out.repeat[out.count] = repeat;
        out.names[out.count++] = e8_call_text(call, word);
    }
    return out;
}

/* A name that is misspelt would be a filter that does not filter; of one that comes twice, the second would be. */
static void check_query_name(struct e8_call *call, const struct query_names *known, const char *name)
{
    char hint[E8_HINT_MAX];
    size_t i = 0;
    while (i < known->count && strcmp(known->names[i], name) != 0) {
        i++;
    }
    if (i == known->count) {
        e8_hint_names(e8_str(name), known->names, known->count ? "known are" : "this path takes none", hint);
        e8_call_fault_at(call, name, hint, "there is no such parameter");
    } else if (!known->repeat[i] && e8_request_query_nth(call->request, name, 1)) {
        e8_call_fault_at(call, name, "give it once", "this is there twice");
    }
}

static bool knows_query(struct e8_call *call, const char *known)
{
    const struct query_names names = names_of(call, known);
    const char *name;
    for (size_t i = 0; (name = e8_request_query_nth(call->request, NULL, i)) != NULL; i++) {
        check_query_name(call, &names, name);
    }
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
    }
    return !e8_call_faulty(call);
}

static bool read_body(struct e8_call *call, enum need need)
{
    struct e8_err err = {0};
    if (call->request->body.n == 0 && need == NEEDS_BODY) {
        e8_call_fail(call, 400, "send a JSON object", "the request has no body");
        return false;
    }
    if (call->request->body.n == 0 || need == NO_BODY) {
        return true;
    }
    if (e8_doc_parse("request", call->request->body, E8_DOC_BODY, &call->doc, &err)) {
        err.file[0] = '\0';
        e8_call_fail(call, 400, err.hint[0] ? err.hint : NULL, "the body is no JSON: line %d, column %d: %s",
                     err.line, err.col, err.what);
        return false;
    }
    const struct e8_node *root = e8_doc_root(call->doc);
    if (root->kind != E8_MAP) {
        e8_call_fail(call, 400, "send a JSON object", "the body is %s", e8_node_kind_name(root->kind));
        return false;
    }
    call->body = root;
    return true;
}

static void answer(struct e8_call *call, const struct route *route)
{
    if ((route->access == OPEN || is_authorized(call)) &&
        (route->access != COUNTED || is_within_limit(call)) && knows_query(call, route->query) &&
        read_body(call, route->body)) {
        route->answer(call);
    }
    e8_doc_free(&call->doc);
    e8_metrics_answer(call->server->metrics, route->method, route->path, call->response->status);
}

static void refuse_method(struct e8_call *call, const char *allow)
{
    e8_call_header(call, "Allow", e8_call_text(call, e8_str(allow)));
    e8_call_fail(call, 405, e8_arena_printf(call->arena, "here are %s", allow), "%.*s is not for this path",
                 E8_STR(call->request->method));
}

/* What is there, and never takes the method, whatever else is said about the request. */
static bool refuses_method(struct e8_call *call)
{
    struct e8_buf allow;
    e8_buf_init(&allow, 256);
    bool file = e8_assets_have(call, call->request->path);
    bool other = !find_route(call, &allow) && allow.n;
    if (file || other) {
        refuse_method(call, file ? "GET, HEAD" : e8_buf_cstr(&allow));
    }
    e8_buf_fini(&allow);
    return file || other;
}

static void find_and_answer(struct e8_call *call)
{
    struct e8_guard_refusal why;
    struct e8_buf allow;
    const struct e8_guard *guard = atomic_load(&call->server->guard);
    if (!guard) {
        e8_call_fail(call, 503, "in a moment", "the server starts");
        return;
    }
    if (!e8_guard_permits(guard, call->request, &why)) {
        if (why.link) {
            e8_assets_refuse_link(call);
        } else if (why.status != 415 || !refuses_method(call)) {
            e8_call_fail(call, why.status, NULL, "%s", why.message);
        }
        return;
    }
    if (e8_assets_answer(call)) {
        return;
    }
    e8_buf_init(&allow, 256);
    const struct route *route = find_route(call, &allow);
    if (route) {
        answer(call, route);
    } else if (!refuses_method(call)) {
        e8_call_fail(call, 404, "/openapi.json tells what there is", "there is nothing at this path");
    }
    e8_buf_fini(&allow);
}

static void on_request(void *state, const struct e8_request *request, struct e8_response *response)
{
    struct e8_platform_server *server = state;
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    e8_arena_free(&server->arena);
    server->arena = e8_arena_new();
    struct e8_call call = {.server = server,
                           .request = request,
                           .response = response,
                           .arena = server->arena,
                           .now = request->wall};
    e8_errs_init(&call.errs);
    find_and_answer(&call);
    e8_errs_fini(&call.errs);
}

const struct e8_route e8_api_routes[] = {{NULL, "*", on_request}, {NULL, NULL, NULL}};

/* ---- answers ---- */

static const struct {
    int status;
    const char *code;
} codes[] = {
    {400, "INVALID_REQUEST"},    {401, "UNAUTHORIZED"},
    {403, "FORBIDDEN"},          {404, "NOT_FOUND"},
    {405, "METHOD_NOT_ALLOWED"}, {409, "CONFLICT"},
    {413, "PAYLOAD_TOO_LARGE"},  {415, "UNSUPPORTED_MEDIA_TYPE"},
    {429, "RATE_LIMITED"},       {500, "INTERNAL"},
    {503, "UNAVAILABLE"},
};

static const char *code_of(int status)
{
    for (size_t i = 0; i < E8_COUNT(codes); i++) {
        if (codes[i].status == status) {
            return codes[i].code;
        }
    }
    E8_UNREACHABLE();
}

void e8_call_header(struct e8_call *call, const char *name, const char *value)
{
    struct e8_response *response = call->response;
    E8_ASSERT(response->header_count < E8_RESPONSE_HEADERS_MAX);
    response->headers[response->header_count].name = name;
    response->headers[response->header_count++].value = value;
}

const char *e8_call_text(struct e8_call *call, struct e8_str text)
{
    return e8_arena_str(call->arena, text).p;
}

static void begin(struct e8_call *call, int status, bool success)
{
    call->response->status = status;
    e8_call_header(call, "Content-Type", "application/json");
    e8_call_header(call, "Cache-Control", "no-store");
    call->w = e8_json_new(&call->response->body, 0);
    e8_json_object(&call->w, NULL);
    e8_json_bool(&call->w, "success", success);
}

struct e8_json *e8_call_begin(struct e8_call *call, int status)
{
    begin(call, status, true);
    return &call->w;
}

void e8_call_end(struct e8_call *call)
{
    e8_json_end(&call->w, '}');
    e8_buf_putc(&call->response->body, '\n');
}

struct e8_json *e8_call_begin_list(struct e8_call *call, int status)
{
    begin(call, status, true);
    e8_json_array(&call->w, "data");
    return &call->w;
}

void e8_call_end_list(struct e8_call *call, size_t limit, const char *next)
{
    e8_json_end(&call->w, ']');
    e8_json_object(&call->w, "page");
    if (limit) {
        e8_json_int(&call->w, "limit", (int64_t)limit);
    }
    e8_json_cstr(&call->w, "next", next);
    e8_json_end(&call->w, '}');
    e8_call_end(call);
}

static void begin_error(struct e8_call *call, int status, const char *what, const char *hint)
{
    struct e8_buf text;
    e8_buf_init(&text, 4096);
    e8_buf_puts(&text, what);
    if (hint && hint[0]) {
        e8_buf_printf(&text, "; %s", hint);
    }
    begin(call, status, false);
    e8_json_object(&call->w, "error");
    e8_json_cstr(&call->w, "code", code_of(status));
    e8_json_str(&call->w, "message", e8_buf_str(&text));
    e8_buf_fini(&text);
}

void e8_call_fail(struct e8_call *call, int status, const char *hint, const char *format, ...)
{
    va_list args;
    char what[512];
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    begin_error(call, status, what, hint);
    e8_json_end(&call->w, '}');
    e8_call_end(call);
}

void e8_call_fail_err(struct e8_call *call, int status, const struct e8_err *err)
{
    e8_call_fail(call, status, err->hint, "%s", err->what);
}

void e8_call_fail_store(struct e8_call *call, enum e8_rc rc, const struct e8_err *err)
{
    e8_call_fail_err(call, rc == E8_INPUT ? 404 : 503, err);
}

/* The path to the node at a place of the request's text: "retry.base"; empty when there is none. */
static bool path_to(const struct e8_node *node, int line, int col, struct e8_buf *out)
{
    size_t before = out->n;
    int index = 0;
    for (const struct e8_node *child = node->first; child; child = child->next, index++) {
        if (node->kind == E8_MAP) {
            e8_buf_printf(out, "%s%.*s", before ? "." : "", E8_STR(child->key));
        } else {
            e8_buf_printf(out, "%s%d", before ? "." : "", index);
        }
        if ((child->line == line && child->col == col) ||
            (node->kind == E8_MAP && child->key_line == line && child->key_col == col) ||
            path_to(child, line, col, out)) {
            return true;
        }
        out->n = before;
    }
    return false;
}

static void put_fault(struct e8_call *call, const struct e8_err *err, struct e8_buf *field,
                      struct e8_buf *text)
{
    e8_buf_reset(field);
    e8_buf_reset(text);
    if (err->line && call->body) {
        path_to(call->body, err->line, err->col, field);
    } else {
        e8_buf_puts(field, err->file);
    }
    e8_buf_printf(text, "%s%s%s", err->what, err->hint[0] ? "; " : "", err->hint);
}

void e8_call_refuse(struct e8_call *call)
{
    struct e8_buf field, text;
    e8_buf_init(&field, 1024);
    e8_buf_init(&text, 2048);
    E8_ASSERT(call->errs.count);
    put_fault(call, &call->errs.list[0], &field, &text);
    const char *what =
        e8_arena_printf(call->arena, "%s%s%s", e8_buf_cstr(&field), field.n ? ": " : "", e8_buf_cstr(&text));
    begin_error(call, 400, what, NULL);
    e8_json_array(&call->w, "details");
    for (size_t i = 0; i < call->errs.count; i++) {
        put_fault(call, &call->errs.list[i], &field, &text);
        e8_json_object(&call->w, NULL);
        e8_json_str(&call->w, "field", e8_buf_str(&field));
        e8_json_str(&call->w, "message", e8_buf_str(&text));
        e8_json_end(&call->w, '}');
    }
    e8_json_end(&call->w, ']');
    e8_json_end(&call->w, '}');
    e8_call_end(call);
    e8_buf_fini(&field);
    e8_buf_fini(&text);
}
