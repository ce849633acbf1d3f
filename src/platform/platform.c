#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/server.h"

#define LISTEN          "127.0.0.1:8088"
#define KEEP            ((e8_dur_ns)30 * 24 * 3600 * E8_NS_S)
#define CONNECTIONS_MAX 1024
#define IDLE_S          60

/* On every answer, those of the HTTP server itself included. */
static const char *const always[][2] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {NULL, NULL},
};

static bool is_loopback(const char *listen)
{
    const char *colon = strrchr(listen, ':');
    struct e8_str host = {listen, colon ? (size_t)(colon - listen) : strlen(listen)};
    if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
        host = (struct e8_str){host.p + 1, host.n - 2};
    }
    return strncmp(listen, "unix:", 5) == 0 || e8_host_is_loopback(host);
}

static enum e8_rc check_notify(const struct e8_platform_options *options, struct e8_err *err)
{
    struct e8_err why = {0};
    struct e8_url url;
    char address[64];
    enum e8_rc rc = e8_url_parse(e8_str(options->notify_url), &url, &why);
    rc = rc ? rc : e8_reach_permits(&options->reach, e8_str(options->notify_url), address, &why);
    return rc ? e8_fail_of(err, "--notify", &why) : E8_OK;
}

static enum e8_rc check_secret(const struct e8_platform_options *options, const struct e8_catalog *catalog,
                               struct e8_err *err)
{
    const struct e8_scheme *scheme = e8_schemes_find(e8_catalog_schemes(catalog), E8_NOTICE_SCHEME);
    struct e8_err why = {0};
    if (!scheme) {
        return e8_fail(err, E8_INPUT, "the fixtures must have it",
                       "notices are signed by the scheme \"" E8_NOTICE_SCHEME "\", which is not known");
    }
    enum e8_rc rc = e8_signer_check(scheme, &options->notify_secret, 1, &why);
    return rc ? e8_fail_of(err, "the secret of --notify", &why) : E8_OK;
}

static enum e8_rc check_options(const struct e8_platform_options *options, const struct e8_catalog *catalog,
                                struct e8_err *err)
{
    if (options->no_auth && !is_loopback(options->listen)) {
        return e8_fail(err, E8_INPUT, "listen on 127.0.0.1, or leave --no-auth out",
                       "without a key %s would be open to everybody", options->listen);
    }
    if (options->keep < 0 || options->disable_after < 0 || options->grace < E8_PLATFORM_GRACE) {
        return e8_fail(err, E8_INPUT, NULL, "a time is negative");
    }
    enum e8_rc rc = options->notify_url ? check_notify(options, err) : E8_OK;
    return rc || !options->notify_secret ? rc : check_secret(options, catalog, err);
}

static void tick(void *state)
{
    struct e8_platform_server *server = state;
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    e8_runs_tick(server);
    e8_hub_tick(server->live, e8_mono_now());
}

static enum e8_rc open_store(struct e8_platform_server *server, struct e8_err *err)
{
    struct e8_buf path;
    e8_buf_init(&path, 8192);
    e8_buf_printf(&path, "%s/platform.db", server->options.state);
    enum e8_rc rc = e8_store_open(e8_buf_cstr(&path), server->started, &server->store, err);
    e8_buf_fini(&path);
    return rc;
}

static enum e8_rc start_threads(struct e8_platform_server *server, struct e8_err *err)
{
    const struct e8_platform_options *options = &server->options;
    const struct e8_dispatch_options dispatch = {
        .store = server->store,
        .catalog = server->catalog,
        .platform = options,
        .on_dispatched = e8_server_dispatched,
        .on_disabled = e8_server_disabled,
        .state = server,
    };
    enum e8_rc rc = e8_notifier_start(&options->reach, &server->notifier, err);
    rc = rc ? rc : e8_dispatch_start(&dispatch, &server->dispatch, err);
    rc = rc ? rc : e8_runlog_start(server->store, e8_server_run_written, server, &server->runlog, err);
    return rc ? rc : e8_keeper_start(server->store, options->keep, options->keep_bytes, &server->keeper, err);
}

static enum e8_rc serve(struct e8_platform_server *server, struct e8_err *err)
{
    const struct e8_httpd_options options = {
        .listen = server->options.listen,
        .routes = e8_api_routes,
        .state = server,
        .body_max = E8_BODY_MAX,
        .connections_max = CONNECTIONS_MAX,
        .idle_s = IDLE_S,
        .always = always,
        .wary = true,
        .tick = tick,
    };
    struct e8_guard *guard = NULL;
    enum e8_rc rc = e8_httpd_start(&options, &server->httpd, err);
    rc = rc ? rc : e8_guard_new(e8_httpd_url(server->httpd), server->options.hosts, &guard, err);
    atomic_store(&server->guard, guard);
    return rc;
}

static enum e8_rc start(struct e8_platform_server *server, struct e8_err *err)
{
    const struct e8_platform_options *options = &server->options;
    enum e8_rc rc = check_options(options, server->catalog, err);
    rc = rc ? rc : e8_transport_init(err);
    rc = rc ? rc : e8_state_open(options->state, &server->lock, err);
    rc = rc || options->no_auth ? rc : e8_state_key(options->state, &server->key, &server->key_file, err);
    rc = rc ? rc : e8_state_account(options->state, &server->account, err);
    rc = rc ? rc : open_store(server, err);
    rc = rc ? rc : start_threads(server, err);
    rc = rc ? rc : serve(server, err);
    return rc;
}

enum e8_rc e8_platform_start(const struct e8_platform_options *options, const struct e8_catalog *catalog,
                             struct e8_platform_server **out, struct e8_err *err)
{
    struct e8_platform_server *server = e8_new(1, sizeof *server);
    server->magic = E8_SERVER_MAGIC;
    server->options = *options;
    server->options.listen = options->listen ? options->listen : LISTEN;
    server->options.keep = options->keep ? options->keep : KEEP;
    server->catalog = catalog;
    server->lock = -1;
    server->started = e8_wall_now();
    server->bucket = e8_bucket_of(options->plan, e8_mono_now());
    server->dashboard = e8_bucket_of_dashboard(options->plan, e8_mono_now());
    server->live = e8_hub_new();
    server->metrics = e8_metrics_new();
    e8_buf_init(&server->openapi, 16 << 20);
    enum e8_rc rc = start(server, err);
    *out = server;
    if (rc) {
        e8_platform_stop(out, 0);
    }
    return rc;
}

const char *e8_platform_url(const struct e8_platform_server *server)
{
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    return e8_httpd_url(server->httpd);
}

const char *e8_platform_key_file(const struct e8_platform_server *server)
{
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    return server->key_file;
}

const char *e8_platform_key(const struct e8_platform_server *server)
{
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    return server->key;
}

bool e8_platform_healthy(const struct e8_platform_server *server, struct e8_err *err)
{
    E8_CHECK_MAGIC(server, E8_SERVER_MAGIC);
    return !e8_dispatch_failed(server->dispatch, err) && !e8_runlog_failed(server->runlog, err);
}

e8_dur_ns e8_server_grace(const struct e8_platform_server *server)
{
    return server->options.grace == E8_PLATFORM_GRACE ? e8_catalog_platform(server->catalog)->rotation_grace
                                                      : server->options.grace;
}

/* In the order in which things flow. */
void e8_platform_stop(struct e8_platform_server **server, e8_dur_ns grace)
{
    struct e8_platform_server *s = *server;
    if (!s) {
        return;
    }
    E8_CHECK_MAGIC(s, E8_SERVER_MAGIC);
    e8_httpd_stop(&s->httpd);
    e8_runs_free(&s->runs, s->runlog);
    e8_runlog_stop(&s->runlog);
    e8_dispatch_stop(&s->dispatch, grace);
    e8_keeper_stop(&s->keeper);
    e8_notifier_stop(&s->notifier);
    e8_store_close(&s->store);
    e8_hub_free(&s->live);
    e8_metrics_free(&s->metrics);
    struct e8_guard *guard = atomic_load(&s->guard);
    e8_guard_free(&guard);
    e8_takers_free(&s->takers);
    e8_arena_free(&s->arena);
    e8_arena_free(&s->sampled);
    e8_arena_free(&s->refusing);
    e8_buf_fini(&s->openapi);
    e8_secret_free(&s->key);
    free(s->key_file);
    if (s->lock >= 0) {
        close(s->lock);
    }
    s->magic = 0;
    free(s);
    *server = NULL;
}
