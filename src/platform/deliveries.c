#include <string.h>

#include "digest/digest.h"
#include "platform/api.h"

#define EVENT_DIGITS 26                 /* of an event's id */
#define CURL_BODY    ((size_t)32 << 10) /* a larger body does not stand in the command */
#define DETAILS_MAX  ((size_t)1 << 20)  /* of heads and bodies, over all attempts */
#define CURL_HEADERS 64
#define COUNT_TIME   (200 * E8_NS_MS) /* that others wait meanwhile */

/* ---- lists ---- */

struct list {
    struct e8_call *call;
    int64_t last;
};

static void put_row(void *state, const struct e8_store_row *row)
{
    struct list *list = state;
    e8_json_row(&list->call->w, NULL, row);
    list->last = row->row;
}

/* What the filters say, as they are written: a cursor goes with these alone. */
static uint64_t filters_hash(const struct e8_call *call, const char *webhook)
{
    static const char *const names[] = {"type",  "environment", "event", "run",  "status",
                                        "state", "test",        "since", "until"};
    uint64_t hash = e8_hash_str(e8_str(webhook ? webhook : ""));
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        const char *value = e8_call_query(call, names[i]);
        hash = e8_mix(hash, value ? e8_hash_str(e8_str(value)) : i);
    }
    return hash;
}

static bool is_event_id(const char *id)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    return strncmp(id, "evt_", 4) == 0 && strspn(id + 4, digits) == EVENT_DIGITS && !id[4 + EVENT_DIGITS];
}

/* Which there were is not known any more once their deliveries are old: by its form. */
static const char *read_event(struct e8_call *call)
{
    const char *id = e8_call_query(call, "event");
    if (id && !is_event_id(id)) {
        e8_call_fault_at(call, "event", "evt_…, as event_id of a delivery", "this is no event's id");
    }
    return id;
}

/* A class, or the status itself. */
static void read_status(struct e8_call *call, struct e8_store_filter *filter)
{
    static const char *const classes[] = {"none", "2xx", "3xx", "4xx", "5xx", NULL};
    static const enum e8_status_class values[] = {E8_CLASS_NONE, E8_CLASS_2XX, E8_CLASS_3XX, E8_CLASS_4XX,
                                                  E8_CLASS_5XX};
    const char *text = e8_call_query(call, "status");
    uint64_t code;
    for (size_t i = 0; text && classes[i]; i++) {
        if (strcmp(text, classes[i]) == 0) {
            filter->status = values[i];
            return;
        }
    }
    if (text && (!e8_parse_u64(e8_str(text), &code) || code < 100 || code > 999)) {
        e8_call_fault_at(call, "status", "a status like 429, or one of none, 2xx, 3xx, 4xx, 5xx",
                         "\"%.100s\" is no status", text);
    } else if (text) {
        filter->code = (int)code;
    }
}

/* But for the endpoint, and for the state, which are not read alike everywhere. */
static void read_filter(struct e8_call *call, struct e8_store_filter *filter)
{
    static const char *const tests[] = {"false", "true", NULL};
    read_status(call, filter);
    filter->test = e8_call_query_choice(call, "test", tests, -1);
    filter->type = e8_call_query_type(call);
    filter->event = read_event(call);
    filter->run = e8_call_query_run(call);
    filter->environment = e8_call_query_environment(call);
    e8_call_query_window(call, &filter->since, &filter->until);
}

static void list(struct e8_call *call, struct e8_store_filter *filter)
{
    struct list list = {call, 0};
    struct e8_err err = {0};
    int64_t scanned = 0;
    bool more = false;
    filter->state = e8_call_query_choice(call, "state", e8_state_names, -1);
    read_filter(call, filter);
    e8_call_query_page(call, filters_hash(call, filter->webhook), &filter->before, &filter->limit);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    size_t headers = call->response->header_count;
    e8_call_begin_list(call, 200);
    enum e8_rc rc = e8_store_list(call->server->store, filter, 0, put_row, &list, &more, &scanned, &err);
    if (rc) {
        e8_buf_reset(&call->response->body);
        call->response->header_count = headers;
        e8_call_fail_err(call, 503, &err);
        return;
    }
    int64_t next = scanned ? scanned : more ? list.last : 0;
    e8_call_end_list(call, filter->limit, e8_call_cursor(call, filters_hash(call, filter->webhook), next));
}

void e8_deliveries_list(struct e8_call *call)
{
    struct e8_store_filter filter = {.webhook = e8_call_query_webhook(call)};
    list(call, &filter);
}

void e8_webhook_deliveries(struct e8_call *call)
{
    struct e8_webhook webhook;
    if (e8_call_webhook(call, &webhook)) {
        struct e8_store_filter filter = {.webhook = webhook.id};
        list(call, &filter);
    }
}

/* ---- one ---- */

static bool find(struct e8_call *call, const char *id, struct e8_store_details *out)
{
    struct e8_err err = {0};
    enum e8_rc rc = e8_store_delivery(call->server->store, id, call->arena, out, &err);
    if (rc == E8_INPUT) {
        e8_call_fail(call, 404, "GET /v1/deliveries lists them; what is old has been deleted", "%s",
                     err.what);
    } else if (rc) {
        e8_call_fail_store(call, rc, &err);
    }
    return !rc;
}

bool e8_row_write(struct e8_platform_server *server, const char *delivery, struct e8_buf *out)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_store_details details;
    struct e8_json w = e8_json_new(out, 0);
    bool found = !e8_store_delivery(server->store, delivery, arena, &details, NULL);
    if (found) {
        e8_json_row(&w, NULL, &details.row);
    }
    e8_arena_free(&arena);
    return found;
}

static struct e8_str cut(struct e8_str text, size_t most)
{
    return text.n > most ? (struct e8_str){text.p, most} : text;
}

/* The next line of a head, whose name and value are apart; false at its end. */
static bool next_header(struct e8_str *rest, struct e8_header *out)
{
    struct e8_str line;
    while (e8_str_split(rest, '\n', &line)) {
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        if (colon) {
            size_t n = (size_t)(colon - line.p);
            out->name = (struct e8_str){line.p, n};
            out->value = e8_str_trim((struct e8_str){colon + 1, line.n - n - 1});
            return true;
        }
    }
    return false;
}

/* As it went out, but for what opens doors. */
static void put_head(struct e8_json *w, const char *key, struct e8_str head, size_t most)
{
    struct e8_str rest = cut(head, most), line;
    struct e8_buf text;
    e8_buf_init(&text, most + 4096);
    while (e8_str_split(&rest, '\n', &line)) {
        const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
        struct e8_str name = {line.p, colon ? (size_t)(colon - line.p) : 0};
        if (colon && e8_header_is_secret(name)) {
            e8_buf_printf(&text, "%.*s: ***", E8_STR(name));
        } else {
            e8_buf_putstr(&text, line);
        }
        e8_buf_putc(&text, '\n');
    }
    e8_json_str(w, key, e8_buf_str(&text));
    e8_buf_fini(&text);
}

/* Members: as text where it is UTF-8, else as base64; of `length` bytes what was kept, and of that at most `most`. */
static void put_body(struct e8_json *w, struct e8_str kept, uint64_t length, size_t most)
{
    struct e8_str body = cut(kept, most);
    bool is_text = e8_utf8_valid(body) == body.n || (body.n < length && body.n - e8_utf8_valid(body) < 4);
    if (is_text) {
        body.n = e8_utf8_valid(body);
        e8_json_str(w, "body", body);
        e8_json_null(w, "body_base64");
    } else {
        struct e8_buf text;
        e8_buf_init(&text, 2 * body.n + 16);
        e8_base64_put(&text, body.p, body.n);
        e8_json_null(w, "body");
        e8_json_str(w, "body_base64", e8_buf_str(&text));
        e8_buf_fini(&text);
    }
    e8_json_int(w, "length", (int64_t)length);
    e8_json_bool(w, "truncated", body.n < length);
}

static void put_response(struct e8_json *w, const struct e8_store_try *attempt, size_t most)
{
    if (!attempt->response.n) {
        e8_json_null(w, "response");
        return;
    }
    e8_json_object(w, "response");
    put_head(w, "head", attempt->response, most / 4);
    put_body(w, attempt->body, attempt->body_length, most / 2);
    e8_json_end(w, '}');
}

static void put_request(struct e8_json *w, const struct e8_store_try *attempt, size_t most)
{
    if (!attempt->request.n) {
        e8_json_null(w, "request");
        return;
    }
    e8_json_object(w, "request");
    put_head(w, "head", attempt->request, most / 4);
    e8_json_end(w, '}');
}

static void put_change(struct e8_json *w, const struct e8_store_change *change, size_t most)
{
    if (!change->how) {
        e8_json_null(w, "tampered");
        return;
    }
    e8_json_object(w, "tampered");
    e8_json_cstr(w, "how", change->how);
    e8_json_bool(w, "forged", change->forged);
    if (change->has_body) {
        e8_json_object(w, "sent");
        put_body(w, change->body, change->length, most / 4);
        e8_json_end(w, '}');
    } else {
        e8_json_null(w, "sent");
    }
    e8_json_end(w, '}');
}

static const char *const signers[] = {
    [E8_SIGNED_UNKNOWN] = NULL,
    [E8_SIGNED_PRESENT] = "current",
    [E8_SIGNED_BEFORE] = "previous",
    [E8_SIGNED_BOTH] = "both",
};

static void put_attempt(struct e8_json *w, const struct e8_store_try *attempt, size_t most)
{
    e8_json_object(w, NULL);
    e8_json_int(w, "number", attempt->number);
    e8_json_cstr(w, "trigger", attempt->trigger);
    e8_json_cstr(w, "outcome", attempt->outcome);
    e8_json_cstr(w, "error", attempt->error && attempt->error[0] ? attempt->error : NULL);
    e8_json_status(w, "status", attempt->status);
    e8_json_time(w, "due_at", attempt->due);
    e8_json_time(w, "sent_at", attempt->sent);
    e8_json_time(w, "done_at", attempt->done);
    e8_json_ms(w, "response_time_ms", attempt->done - attempt->due);
    e8_json_ms(w, "service_time_ms", attempt->done - attempt->sent);
    e8_json_ms(w, "send_lag_ms", attempt->sent - attempt->due);
    e8_json_object(w, "phases");
    e8_json_ms(w, "dns_ms", attempt->phases.dns);
    e8_json_ms(w, "connect_ms", attempt->phases.connect);
    e8_json_ms(w, "tls_ms", attempt->phases.tls);
    e8_json_ms(w, "first_byte_ms", attempt->phases.first_byte);
    e8_json_ms(w, "total_ms", attempt->phases.total);
    e8_json_end(w, '}');
    put_change(w, &attempt->change, most);
    e8_json_cstr(w, "signed_with", attempt->request.n ? signers[attempt->signed_by] : NULL);
    put_request(w, attempt, most);
    put_response(w, attempt, most);
    e8_json_end(w, '}');
}

static void put_attempts(struct e8_json *w, const struct e8_store_details *details)
{
    e8_json_array(w, "attempts_log");
    for (size_t i = 0; i < details->count; i++) {
        put_attempt(w, &details->attempts[i], DETAILS_MAX / (details->count > 4 ? details->count : 4));
    }
    e8_json_end(w, ']');
}

static void put_unknown(struct e8_json *w, const struct e8_store_details *details)
{
    e8_json_array(w, "unknown_attempts");
    for (size_t i = 0; i < details->unknown_count; i++) {
        e8_json_int(w, NULL, details->unknown[i]);
    }
    e8_json_end(w, ']');
}

/* ---- what is signed, and the command ---- */

/* The content's template in words: `{id}.{timestamp}.{body}` is the delivery's id, ".", the timestamp, ".", the exact body. */
static void put_words(struct e8_buf *out, const char *content)
{
    static const struct {
        const char *name, *words;
    } rows[] = {{"{id}", "the delivery's id"},
                {"{timestamp}", "the timestamp"},
                {"{body}", "the exact bytes of the body"}};
    while (*content) {
        size_t used = strcspn(content, "{");
        e8_buf_puts(out, out->n ? ", " : "");
        if (used) {
            e8_buf_printf(out, "\"%.*s\"", (int)used, content);
        }
        for (size_t i = 0; !used && i < E8_COUNT(rows); i++) {
            if (strncmp(content, rows[i].name, strlen(rows[i].name)) == 0) {
                e8_buf_puts(out, rows[i].words);
                used = strlen(rows[i].name);
            }
        }
        content += used ? used : 1;
    }
}

static void put_signature(struct e8_call *call, const char *webhook)
{
    static const char *const hashes[] = {
        [E8_SHA1] = "SHA-1", [E8_SHA256] = "SHA-256", [E8_SHA384] = "SHA-384", [E8_SHA512] = "SHA-512"};
    struct e8_webhook found;
    struct e8_buf words;
    struct e8_json *w = &call->w;
    bool there = !e8_store_webhook(call->server->store, webhook, call->arena, &found, NULL);
    const struct e8_scheme *scheme =
        there ? e8_schemes_find(e8_catalog_schemes(call->server->catalog), found.scheme) : NULL;
    if (!scheme) {
        e8_json_null(w, "signature");
        return;
    }
    e8_buf_init(&words, 4096);
    put_words(&words, scheme->content);
    e8_json_object(w, "signature");
    e8_json_cstr(w, "scheme", scheme->name);
    e8_json_cstr(w, "header", scheme->header);
    e8_json_str(w, "signed", e8_buf_str(&words));
    e8_json_cstr(w, "algorithm",
                 e8_arena_printf(call->arena, "HMAC-%s, %s", hashes[scheme->hash],
                                 scheme->encoding == E8_SIGN_HEX ? "lower-case hex" : "base64"));
    e8_json_end(w, '}');
    e8_buf_fini(&words);
}

/* The last request as it went out, to be sent again by hand. */
static void put_curl(struct e8_json *w, const struct e8_store_details *details)
{
    const struct e8_store_try *last = details->count ? &details->attempts[details->count - 1] : NULL;
    struct e8_header headers[CURL_HEADERS], header;
    struct e8_buf url, text;
    size_t count = 0;
    struct e8_str head = last ? last->request : E8_LIT("");
    struct e8_str rest = head, method;
    if (!head.n || !details->row.url || !e8_str_split(&rest, ' ', &method)) {
        e8_json_null(w, "curl");
        return;
    }
    while (count < CURL_HEADERS && next_header(&head, &header)) {
        if (e8_header_is_secret(header.name)) {
            header.value = E8_LIT("***");
        }
        if (!e8_header_is_framing(header.name)) {
            headers[count++] = header;
        }
    }
    e8_buf_init(&url, 64 << 10);
    e8_buf_init(&text, 1 << 20);
    e8_url_redacted(e8_str(details->row.url), &url);
    const struct e8_store_change *change = &last->change;
    struct e8_str body = change->has_body ? change->body : details->body;
    if (body.n > CURL_BODY) {
        e8_http1_curl_file(&text, method, e8_buf_str(&url), headers, count, "body.json");
    } else {
        e8_http1_curl(&text, method, e8_buf_str(&url), headers, count, body);
    }
    e8_json_str(w, "curl", e8_buf_str(&text));
    e8_buf_fini(&url);
    e8_buf_fini(&text);
}

void e8_delivery_get(struct e8_call *call)
{
    struct e8_store_details details;
    if (!find(call, e8_call_text(call, call->id), &details)) {
        return;
    }
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_row_members(w, &details.row);
    e8_json_str(w, "payload", details.body);
    put_attempts(w, &details);
    put_unknown(w, &details);
    put_signature(call, details.row.webhook);
    put_curl(w, &details);
    e8_json_end(w, '}');
    e8_call_end(call);
}

/* ---- once more ---- */

void e8_delivery_resend(struct e8_call *call)
{
    struct e8_store_details details;
    struct e8_err err = {0};
    const char *id = e8_call_text(call, call->id);
    e8_call_members(call, NULL, 0, NULL);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (!find(call, id, &details)) {
        return;
    }
    if (details.row.deleted) {
        e8_call_fail(call, 409, NULL, "the delivery's endpoint is deleted");
        return;
    }
    enum e8_rc rc = e8_store_resend(call->server->store, id, call->now, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
        return;
    }
    e8_dispatch_wake(call->server->dispatch);
    if (find(call, id, &details)) {
        e8_json_row(e8_call_begin(call, 202), "data", &details.row);
        e8_call_end(call);
        e8_server_changed(call->server, details.row.webhook, id);
    }
}

static void check_scalar(struct e8_call *call, const struct e8_node *node, void *into)
{
    bool nul = node->text.n && memchr(node->text.p, '\0', node->text.n);
    (void)into;
    if (node->kind == E8_NULL || node->kind == E8_SEQ || node->kind == E8_MAP) {
        e8_call_fault(call, node, e8_node_hint(node, "the same as in GET /v1/deliveries"), "this is %s",
                      e8_node_kind_name(node->kind));
    } else if (nul) {
        e8_call_fault(call, node, NULL, "the text has a NUL in it");
    }
}

/* One that is there: of a deleted one nothing goes out. */
static const char *read_webhook(struct e8_call *call)
{
    const char *id = e8_call_query(call, "webhook");
    struct e8_webhook found;
    struct e8_err err = {0};
    if (id && e8_store_webhook(call->server->store, id, call->arena, &found, &err)) {
        e8_call_fault_at(call, "webhook", err.hint, "%s", err.what);
    }
    return id;
}

/* The filters of the list, as members of the body. False: it was answered with a failure. */
static bool read_failed(struct e8_call *call, struct e8_store_filter *filter, bool *dry_run)
{
    static const char *const dry[] = {"false", "true", NULL};
    static const struct e8_member members[] = {
        {"webhook", false, check_scalar},     {"type", false, check_scalar},
        {"environment", false, check_scalar}, {"event", false, check_scalar},
        {"run", false, check_scalar},         {"status", false, check_scalar},
        {"test", false, check_scalar},        {"since", false, check_scalar},
        {"until", false, check_scalar},       {"dry_run", false, check_scalar}};
    e8_call_members(call, members, E8_COUNT(members), NULL);
    if (!e8_call_faulty(call)) {
        filter->webhook = read_webhook(call);
        read_filter(call, filter);
        *dry_run = e8_call_query_choice(call, "dry_run", dry, 0) == 1;
    }
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return false;
    }
    return true;
}

void e8_deliveries_resend(struct e8_call *call)
{
    struct e8_store_filter filter = {.webhook = NULL};
    struct e8_err err = {0};
    uint64_t count = 0;
    bool dry_run = false, more = false;
    if (!read_failed(call, &filter, &dry_run)) {
        return;
    }
    enum e8_rc rc = dry_run
                        ? e8_store_count_failed(call->server->store, &filter, COUNT_TIME, &count, &more, &err)
                        : e8_store_resend_failed(call->server->store, &filter, call->now, &count, &err);
    if (rc) {
        e8_call_fail_store(call, E8_ENV, &err);
        return;
    }
    if (!dry_run) {
        e8_dispatch_wake(call->server->dispatch);
    }
    struct e8_json *w = e8_call_begin(call, dry_run ? 200 : 202);
    e8_json_object(w, "data");
    e8_json_int(w, "count", (int64_t)count);
    if (dry_run) {
        e8_json_bool(w, "more", more);
    }
    e8_json_end(w, '}');
    e8_call_end(call);
}
