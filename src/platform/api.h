/* What the files of the REST API share: a call, how its request is read, and how it is answered. Internal to platform; all on the
 * server's thread. */
#ifndef E8_PLATFORM_API_H
#define E8_PLATFORM_API_H

#include "platform/server.h"

/* One request to the API, and its answer. */
struct e8_call {
    struct e8_platform_server *server;
    const struct e8_request *request;
    struct e8_response *response;
    struct e8_arena *arena;     /* until the next request */
    struct e8_str id;           /* what stands in the path for {id} */
    const struct e8_node *body; /* of the request, a map; NULL: it has none */
    struct e8_errs errs;        /* what is wrong with it */
    struct e8_doc *doc;
    struct e8_json w;
    e8_wall_ns now;
};
typedef void e8_call_fn(struct e8_call *call);

/* ---- answers (api.c) ---- */
/* {"success": true, "data": what is written under "data" in between}. */
struct e8_json *e8_call_begin(struct e8_call *call, int status);
void e8_call_end(struct e8_call *call);
/* The same for a list: between them are the elements. limit 0: it is not paged; next may be NULL. */
struct e8_json *e8_call_begin_list(struct e8_call *call, int status);
void e8_call_end_list(struct e8_call *call, size_t limit, const char *next);
/* Failures; hint may be NULL. The code goes with the status. */
void e8_call_fail(struct e8_call *call, int status, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void e8_call_fail_err(struct e8_call *call, int status, const struct e8_err *err);
/* E8_INPUT is 404 (nothing of that id), all else the store's failure: 503. */
void e8_call_fail_store(struct e8_call *call, enum e8_rc rc, const struct e8_err *err);
/* 400 with all that is in call->errs, each with its field. */
void e8_call_refuse(struct e8_call *call);
/* NULL: e8_response's own. Copied. */
void e8_call_header(struct e8_call *call, const char *name, const char *value);
/* NUL-terminated copies that live as long as the call. */
const char *e8_call_text(struct e8_call *call, struct e8_str text);

/* ---- the request (api_read.c) ---- */
/* A fault of a member of the body, or of a query parameter or missing member by its name. */
void e8_call_fault(struct e8_call *call, const struct e8_node *node, const char *hint, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));
void e8_call_fault_at(struct e8_call *call, const char *field, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool e8_call_faulty(const struct e8_call *call);
/* Members of the body by table: reads what is there, and adds a fault for each unknown one and for each that is needed and missing. */
struct e8_member {
    const char *name;
    bool needed;
    void (*read)(struct e8_call *call, const struct e8_node *node, void *into);
};
void e8_call_members(struct e8_call *call, const struct e8_member *members, size_t count, void *into);
/* What the node holds, or NULL / false after a fault. */
const char *e8_call_string(struct e8_call *call, const struct e8_node *node, size_t max);
bool e8_call_bool(struct e8_call *call, const struct e8_node *node, bool *out);
bool e8_call_dur(struct e8_call *call, const struct e8_node *node, e8_dur_ns low, e8_dur_ns high,
                 e8_dur_ns *out);
bool e8_call_time(struct e8_call *call, const struct e8_node *node, e8_wall_ns *out);
/* Query parameters, or members of the body that stand for them: NULL / unchanged where absent; a fault where it is not such a
 * value. */
const char *e8_call_query(const struct e8_call *call, const char *name);
void e8_call_query_time(struct e8_call *call, const char *name, e8_wall_ns *out);
void e8_call_query_dur(struct e8_call *call, const char *name, e8_dur_ns *out);
/* "since" and "until", the first before the second. */
void e8_call_query_window(struct e8_call *call, e8_wall_ns *since, e8_wall_ns *until);
/* "cursor", which becomes the number that is gone on before (0: it begins), and "limit". A cursor goes with the filters that it was made
 * for, of which there is a hash; where there are none: 0. */
void e8_call_query_page(struct e8_call *call, uint64_t filters, int64_t *before, size_t *limit);
/* Of the next page; before 0: NULL, there is none. */
const char *e8_call_cursor(struct e8_call *call, uint64_t filters, int64_t before);
/* "webhook", "run", "type" (or a pattern of types), "environment", by which deliveries are filtered. A fault where there is none of
 * that name, nor in the log: an endpoint may be deleted, a type or an environment gone from the fixtures. */
const char *e8_call_query_webhook(struct e8_call *call);
const char *e8_call_query_run(struct e8_call *call);
const char *e8_call_query_type(struct e8_call *call);
const char *e8_call_query_environment(struct e8_call *call);
bool e8_call_is_listed(const char *const *names, const char *name); /* NULL-terminated */
/* One of the NULL-terminated list: its index, or `absent`. */
int e8_call_query_choice(struct e8_call *call, const char *name, const char *const *choices, int absent);
const char *e8_call_environment(struct e8_call *call, const struct e8_node *node);

/* ---- static files (assets.c) ---- */
/* Answers a request for a page or what it is made of; false: there is no such file. */
bool e8_assets_answer(struct e8_call *call);
bool e8_assets_have(struct e8_call *call, struct e8_str path);
/* 403 for somebody who has followed a link of another site, as a page with a link to the dashboard. */
void e8_assets_refuse_link(struct e8_call *call);

/* ---- pieces of answers (api_write.c) ---- */
void e8_json_time(struct e8_json *w, const char *key, e8_wall_ns at);    /* 0: null */
void e8_json_ms(struct e8_json *w, const char *key, e8_dur_ns duration); /* negative: null */
void e8_json_status(struct e8_json *w, const char *key, int status);     /* 0: null */
void e8_json_url(struct e8_json *w, const char *key, const char *url);   /* without userinfo; NULL: null */
extern const char *const e8_state_names[];                               /* NULL-terminated */
void e8_json_row(struct e8_json *w, const char *key, const struct e8_store_row *row);
/* Its members alone. */
void e8_json_row_members(struct e8_json *w, const struct e8_store_row *row);
void e8_json_retry(struct e8_json *w, const char *key, const struct e8_retry_policy *retry);

/* ---- reading endpoints (webhook_read.c) ---- */
struct e8_webhook_in {
    struct e8_webhook webhook;              /* in: as it is (PATCH), or the defaults */
    const char *secret;                     /* given with POST; NULL: none */
    const char *before_url, *before_notify; /* as they are; NULL: none */
};
void e8_webhook_defaults(struct e8_call *call, struct e8_webhook *out);
/* Members of the body over *in. `creates`: the secret is allowed, url and events are needed. */
void e8_webhook_read(struct e8_call *call, bool creates, struct e8_webhook_in *in);
/* A secret for the scheme of that name: the one that is given, checked, or a new one. NULL after a fault. */
const char *e8_webhook_secret(struct e8_call *call, const char *scheme, const struct e8_node *given);
void e8_json_webhook(struct e8_json *w, const char *key, struct e8_call *call,
                     const struct e8_webhook *webhook, const char *secret);
/* The endpoint of the call's {id}; false: it was answered with a failure. */
bool e8_call_webhook(struct e8_call *call, struct e8_webhook *out);

/* ---- reading requests for runs (run_read.c) ---- */
struct e8_plan;
struct e8_run_asked {
    const char *scenario, *text; /* the name of a built-in one, or a text; the other is NULL */
    bool seed_given;
    uint64_t seed;
    double speed;
};
/* From the body's members. False after faults. */
bool e8_run_read(struct e8_call *call, struct e8_run_asked *out);
/* Its plan, with stand-ins for endpoints; the caller's: e8_plan_free. NULL after faults: the scenario has some, or may not be run from here. */
struct e8_plan *e8_run_plan(struct e8_call *call, const struct e8_run_asked *asked);

/* ---- making events (event_make.c) ---- */
struct e8_made {
    char event_id[E8_ID_MAX];
    const char *type, *environment;
    struct e8_str body; /* as it will be sent; in the call's arena */
};
/* From the body's members: type by the name `type_key` ("type", "event"; NULL: `type` is it), environment, data, set, payload. False
 * after faults. */
bool e8_event_make(struct e8_call *call, const char *type_key, int type, bool payload, struct e8_made *out);
/* One of each type with the platform's defaults, for the catalogue. */
struct e8_str e8_event_sample(struct e8_platform_server *server, struct e8_arena *arena, size_t type);

/* ---- the answers, by the file that has them ---- */
e8_call_fn e8_webhooks_list, e8_webhooks_create, e8_webhook_get, e8_webhook_patch, e8_webhook_delete,
    e8_webhook_enable, e8_webhook_disable, e8_webhook_rotate, e8_webhook_revoke; /* webhooks.c */
e8_call_fn e8_types_list, e8_type_get, e8_type_preview, e8_match_get, e8_event_post,
    e8_webhook_test; /* events.c */
e8_call_fn e8_deliveries_list, e8_webhook_deliveries, e8_delivery_get, e8_delivery_resend,
    e8_deliveries_resend;                                        /* deliveries.c */
e8_call_fn e8_overview_get;                                      /* overview.c */
e8_call_fn e8_info_get, e8_healthz_get, e8_metrics_get;          /* info.c */
e8_call_fn e8_openapi_get;                                       /* openapi.c */
e8_call_fn e8_stream_get;                                        /* told.c */
e8_call_fn e8_scenarios_list;                                    /* run_read.c */
e8_call_fn e8_runs_list, e8_runs_start, e8_run_get, e8_run_stop; /* runs.c */

#endif
