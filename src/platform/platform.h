/* The mock platform (`emit8 serve`): its REST API, durable delivery, delivery log and dashboard, in one process.
 *
 * One directory holds its state: `platform.db` (see store.h) and `api-key` (mode 0600). One thread serves (httpd), one dispatches, and
 * an engine's workers send. */
#ifndef E8_PLATFORM_PLATFORM_H
#define E8_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog/catalog.h"
#include "transport/transport.h"

enum e8_plan_limits {
    E8_PLAN_UNLIMITED,
    E8_PLAN_STARTER,
    E8_PLAN_PRO
}; /* requests to the API: none; 60/min; 600/min */

/* A delivery that failed for good (webhook.delivery_failed), or an endpoint that its failures disabled (webhook.disabled). Texts
 * are valid during the call. */
struct e8_platform_notice {
    char id[E8_ID_MAX]; /* ntc_…, its own */
    const char *type;
    e8_wall_ns at;
    const char *webhook;
    const char *delivery, *event, *event_type; /* of the last attempt; NULL: the log has none any more */
    const char *run;                           /* the scenario run that made the event; NULL: none did */
    bool test;
    unsigned attempts;
    int status;         /* of the last attempt; 0: none */
    const char *error;  /* of the last attempt */
    const char *reason; /* why the endpoint was disabled; NULL: it was not */
    struct e8_str json; /* the same as JSON, as `notify_url` gets it */
};
#define E8_PLATFORM_GRACE (-1) /* that of the catalogue's platform: 24 h */
struct e8_platform_options {
    const char *state;  /* directory; made with mode 0700 where it is missing */
    const char *listen; /* NULL: 127.0.0.1:8088 */
    bool no_auth;       /* on loopback alone: E8_INPUT elsewhere */
    const char *const
        *hosts; /* further names under which it may be called (Host, Origin); NULL-terminated or NULL */
    enum e8_plan_limits plan;
    bool allow_http;           /* endpoints with http:// beyond loopback */
    unsigned workers;          /* 0: 1 */
    size_t in_flight;          /* attempts at a time; 0: 1,000 */
    struct e8_reach reach;     /* which targets may be reached, and how */
    e8_dur_ns grace;           /* of rotated secrets; 0: none, or E8_PLATFORM_GRACE */
    e8_dur_ns disable_after;   /* of failures without a success between; 0: 5 days */
    e8_dur_ns keep;            /* ended deliveries are deleted when they are so old; 0: 30 days */
    uint64_t keep_bytes;       /* … or when the file grows beyond; 0: no bound */
    const char *notify_url;    /* told of each delivery that failed for good; NULL: nobody */
    const char *notify_secret; /* signs that, by the platform's scheme; NULL: unsigned */
    const char *fixtures;      /* overlay directory, as the catalogue was loaded with; NULL: none */
    /* On the dispatcher's thread; may be NULL. */
    void (*on_notice)(void *state, const struct e8_platform_notice *notice);
    void *notice_state;
};

struct e8_platform_server;
/* Serves when this returns. The catalogue must outlive it. E8_INPUT: options, or a state directory that another process uses; E8_ENV. */
enum e8_rc e8_platform_start(const struct e8_platform_options *options, const struct e8_catalog *catalog,
                             struct e8_platform_server **out, struct e8_err *err);
const char *e8_platform_url(const struct e8_platform_server *server);      /* "http://127.0.0.1:8088" */
const char *e8_platform_key_file(const struct e8_platform_server *server); /* NULL with no_auth */
const char *e8_platform_key(const struct e8_platform_server *server);      /* NULL with no_auth */
/* False: it cannot go on (the disk is full, …), *err says why. Any thread. */
bool e8_platform_healthy(const struct e8_platform_server *server, struct e8_err *err);
/* Ends what is under way, up to `grace`, and frees. */
void e8_platform_stop(struct e8_platform_server **server, e8_dur_ns grace);

#endif
