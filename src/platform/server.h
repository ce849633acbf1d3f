/* The server's parts, and what its files share. Internal to platform. */
#ifndef E8_PLATFORM_SERVER_H
#define E8_PLATFORM_SERVER_H

#include <stdatomic.h>

#include "doc/json.h"
#include "httpd/httpd.h"
#include "match/match.h"
#include "platform/dispatch.h"
#include "platform/guard.h"
#include "platform/live.h"
#include "platform/metrics.h"
#include "platform/platform.h"
#include "platform/runlog.h"
#include "platform/store.h"
#include "sign/sign.h"

enum { E8_SERVER_MAGIC = 0x0a4e8605 };
#define E8_BODY_MAX ((size_t)2 << 20) /* of a request: an event with a text of 1 MiB has room */

/* A token bucket: so many requests a minute, and so many at once. */
struct e8_bucket {
    unsigned per_minute, burst; /* per_minute 0: no limit */
    double tokens;
    e8_mono_ns at; /* when `tokens` was right */
};

struct e8_platform_server {
    unsigned magic;
    struct e8_platform_options options;
    const struct e8_catalog *catalog;
    char *key, *key_file; /* NULL with no_auth */
    uint64_t account;     /* the seed of what all events have in common */
    char *url;
    int lock; /* of the state directory; -1: none */
    struct e8_store *store;
    struct e8_dispatch *dispatch;
    struct e8_notifier *notifier;
    struct e8_runlog *runlog;
    struct e8_guard *_Atomic guard; /* NULL until it is known where it listens: nobody is let in */
    struct e8_hub *live;
    struct e8_metrics *metrics;
    e8_wall_ns started;
    struct e8_keeper *keeper;
    struct e8_httpd *httpd;
    /* All below is of the server's thread. */
    struct e8_arena *arena;             /* of the request under way, and of its answer until the next comes */
    struct e8_bucket bucket, dashboard; /* of the plan; of what the dashboard asks */
    bool refuses;                       /* the last event could not be put on the disk, */
    struct e8_err trouble;              /* for this reason */
    struct e8_takers *takers;
    struct e8_runs *runs;
    struct e8_arena *sampled; /* a sample of each event type, made when they are first asked for */
    struct e8_str *samples;
    struct e8_arena *
        refusing; /* why built-in scenarios are not run from here, in their order (NULL: they are), made likewise */
    const char **refusals;
    struct e8_buf openapi; /* the same */
};

/* ---- state directory (state.c) ---- */
/* Makes the directory where it is missing, and locks it: *lock is a descriptor. E8_INPUT where it is no directory, E8_ENV where another process has
 * it, or the system refuses. */
enum e8_rc e8_state_open(const char *directory, int *lock, struct e8_err *err);
/* Reads the key, or makes one (mode 0600). The caller frees *key and *file. */
enum e8_rc e8_state_key(const char *directory, char **key, char **file, struct e8_err *err);
/* What the platform's account is made of, its organisation above all; made where it is missing. */
enum e8_rc e8_state_account(const char *directory, uint64_t *account, struct e8_err *err);

/* ---- rate limits (limit.c) ---- */
struct e8_bucket e8_bucket_of(enum e8_plan_limits plan, e8_mono_ns now);
/* Of the dashboard: wide, where the plan limits at all. */
struct e8_bucket e8_bucket_of_dashboard(enum e8_plan_limits plan, e8_mono_ns now);
/* Takes a token; false: there is none, and *wait says how long until there is. */
bool e8_bucket_take(struct e8_bucket *bucket, e8_mono_ns now, e8_dur_ns *wait);
/* How many may be made at once, of `per_minute` at most: what the burst has beyond is not told, so that it never exceeds the limit. */
unsigned e8_bucket_remaining(const struct e8_bucket *bucket);
/* How long until that is the whole limit again. */
e8_dur_ns e8_bucket_reset_in(const struct e8_bucket *bucket);

/* ---- who takes an event (takers.c) ---- */
struct e8_taker {
    char id[E8_ID_MAX];
    bool enabled;
    struct e8_subscription subscription;
};
/* The endpoints with their subscriptions, read anew when they have changed. Valid until the next call. */
enum e8_rc e8_takers_get(struct e8_platform_server *server, const struct e8_taker **list, size_t *count,
                         struct e8_err *err);
void e8_takers_free(struct e8_takers **takers);
/* A JSON array of texts, as the store keeps them, as a list in the arena; NULL-terminated. */
const char *const *e8_texts_of(struct e8_arena *arena, const char *json, size_t *count);

/* ---- failure notices (notify.c): a thread of its own sends them, one after another ---- */
struct e8_notifier;
enum e8_rc e8_notifier_start(const struct e8_reach *reach, struct e8_notifier **out, struct e8_err *err);
#define E8_NOTICE_SCHEME "8bit" /* by which notices of the server's own are signed */
/* Any thread; does not wait. Beyond E8_NOTICES_MAX that wait the newest is dropped. The signer is taken; NULL: it is not signed. */
#define E8_NOTICES_MAX 1000
void e8_notifier_send(struct e8_notifier *notifier, const char *url, const struct e8_platform_notice *notice,
                      struct e8_signer *signer);
void e8_notifier_stop(struct e8_notifier **notifier);

/* ---- who is told of an attempt: metrics, the live stream, notices (told.c) ---- */
/* The dispatcher's callback; state is the server. */
void e8_server_dispatched(void *state, const struct e8_dispatched *what);
/* What a run has sent: the same, but for notices. Of the runs' log; state is the server. */
void e8_server_run_written(void *state, const struct e8_run_row *row);
/* An endpoint was disabled, and this is why. The dispatcher's callback; state is the server. */
void e8_server_disabled(void *state, const struct e8_disabled *what);
/* Tells those who listen that a delivery was made, or is to go out again. */
void e8_server_changed(struct e8_platform_server *server, const char *webhook, const char *delivery);
/* How long the secret before a rotation stays valid, where the request does not say. */
e8_dur_ns e8_server_grace(const struct e8_platform_server *server);
/* A delivery's row as JSON; false: it is not there. Any thread. */
bool e8_row_write(struct e8_platform_server *server, const char *delivery, struct e8_buf *out);

/* ---- retention (keep.c): a thread of its own deletes what is too old ---- */
struct e8_keeper;
enum e8_rc e8_keeper_start(struct e8_store *store, e8_dur_ns keep, uint64_t bytes, struct e8_keeper **out,
                           struct e8_err *err);
void e8_keeper_stop(struct e8_keeper **keeper);

/* ---- scenario runs (runs.c) ---- */
void e8_runs_tick(struct e8_platform_server *server);
/* Webhooks have changed: what runs send from now on is as they are. The tick does the same for what others have changed. */
void e8_runs_follow(struct e8_platform_server *server);
/* Joins those that are under way. */
void e8_runs_free(struct e8_runs **runs, struct e8_runlog *log);

/* ---- API (api.c) ---- */
extern const struct e8_route e8_api_routes[];

#endif
