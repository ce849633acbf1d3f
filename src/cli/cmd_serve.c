#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/session.h"
#include "platform/platform.h"

#define END_GRACE (10 * E8_NS_S) /* for what is under way, when it ends */

const struct e8_option e8_serve_options[] = {
    {"listen", 'l', "ADDR:PORT", "where; default 127.0.0.1:8088; port 0 is a free one; or unix:PATH",
     E8_OPTION_ENV},
    {"state", 0, "DIR", "directory of its memory and its key; default $XDG_STATE_HOME/emit8/serve",
     E8_OPTION_ENV},
    {"no-auth", 0, NULL, "take requests without the key; on loopback alone", 0},
    {"host", 0, "NAME",
     "another name or address under which it is called, on another machine or behind a proxy say "
     "(repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS},
    {"plan", 0, "unlimited|starter|pro",
     "rate limits of the API: none (default), 60 or 600 requests a minute", E8_OPTION_ENV},
    {"allow-http", 0, NULL, "endpoints beyond this machine may be http://", E8_OPTION_ENV},
    {"workers", 0, "N", "threads that send; default 1", E8_OPTION_ENV},
    {"in-flight", 0, "N",
     "attempts at a time at most, of what is sent from outside and of each run; default 1000", E8_OPTION_ENV},
    {"grace", 0, "DUR", "how long the old secret stays valid after a rotation; default 24h; 0s: not at all",
     E8_OPTION_ENV},
    {"disable-after", 0, "DUR", "disable an endpoint that has only failed for so long; default 5d",
     E8_OPTION_ENV},
    {"keep", 0, "DUR", "how long deliveries that have ended are kept; default 30d", E8_OPTION_ENV},
    {"keep-bytes", 0, "SIZE", "delete the oldest when the memory grows beyond, 10GB; default: no bound",
     E8_OPTION_ENV},
    {"notify", 0, "URL", "post a notice there when a delivery fails for good, or an endpoint is disabled",
     E8_OPTION_ENV},
    {"notify-secret-file", 0, "FILE",
     "sign what is posted there; EMIT8_NOTIFY_SECRET holds the secret otherwise", E8_OPTION_ENV},
    {"format", 0, "text|ndjson", "of the lines for deliveries that failed for good", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct server {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_cli_reach reach;
    struct e8_platform_options options;
    const char **hosts;
    char *state, *notify_secret;
    bool ndjson;
};

static void put_line(const struct e8_platform_notice *notice, struct e8_buf *line)
{
    char at[E8_RFC3339_MAX];
    e8_wall_format(notice->at, 3, at);
    e8_buf_printf(line, "%s  %s  ", at, notice->type);
    if (notice->reason) {
        e8_buf_printf(line, "%s  %s", notice->webhook, notice->reason);
        return;
    }
    e8_buf_printf(line, "%s  %s  %s  %s  %s  #%u  ", notice->delivery, notice->webhook, notice->event,
                  notice->event_type,
                  notice->run    ? notice->run
                  : notice->test ? "test"
                                 : "real",
                  notice->attempts);
    e8_buf_put_clean(line, e8_str(notice->error));
}

/* On the dispatcher's thread, which is the only one that writes to stdout. */
static void print_notice(void *state, const struct e8_platform_notice *notice)
{
    const struct server *s = state;
    struct e8_buf line;
    e8_buf_init(&line, 64 << 10);
    if (s->ndjson) {
        e8_buf_putstr(&line, notice->json);
    } else {
        put_line(notice, &line);
    }
    e8_buf_putc(&line, '\n');
    fwrite(line.p, 1, line.n, stdout);
    fflush(stdout);
    e8_buf_fini(&line);
}

static enum e8_rc read_plan(const struct server *s, enum e8_plan_limits *out, struct e8_err *err)
{
    static const char *const names[] = {
        [E8_PLAN_UNLIMITED] = "unlimited", [E8_PLAN_STARTER] = "starter", [E8_PLAN_PRO] = "pro", NULL};
    const char *name = e8_arg(s->args, "plan");
    char hint[E8_HINT_MAX];
    for (int i = 0; name && names[i]; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum e8_plan_limits)i;
            return E8_OK;
        }
    }
    return name ? e8_fail(err, E8_INPUT, e8_hint_near(e8_str(name), names, "unlimited, starter or pro", hint),
                          "--plan \"%s\" is not known", name)
                : E8_OK;
}

static enum e8_rc read_keep(const struct server *s, struct e8_platform_options *out, struct e8_err *err)
{
    const char *bytes = e8_arg(s->args, "keep-bytes");
    enum e8_rc rc = e8_arg_dur(s->args, "keep", &out->keep, err);
    if (!rc && bytes && (!e8_parse_size(e8_str(bytes), &out->keep_bytes) || out->keep_bytes < 1 << 20)) {
        rc = e8_fail(err, E8_INPUT, "10GB, 512MiB; at least 1MiB", "--keep-bytes \"%s\" is no such size",
                     bytes);
    }
    return rc;
}

/* A time of 0 would mean the default, but for a grace of none. */
static enum e8_rc read_durations(const struct server *s, struct e8_platform_options *out, struct e8_err *err)
{
    static const char *const names[] = {"disable-after", "keep"};
    out->grace = E8_PLATFORM_GRACE;
    enum e8_rc rc = e8_arg_dur(s->args, "grace", &out->grace, err);
    rc = rc ? rc : e8_arg_dur(s->args, "disable-after", &out->disable_after, err);
    rc = rc ? rc : read_keep(s, out, err);
    const e8_dur_ns values[] = {out->disable_after, out->keep};
    for (size_t i = 0; !rc && i < E8_COUNT(names); i++) {
        if (e8_arg(s->args, names[i]) && values[i] == 0) {
            rc = e8_fail(err, E8_INPUT, "1s is the shortest that makes sense", "--%s 0", names[i]);
        }
    }
    return rc;
}

static enum e8_rc find_state(struct server *s, struct e8_err *err)
{
    const char *given = e8_arg(s->args, "state"), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct e8_buf path;
    e8_buf_init(&path, 4096);
    if (given) {
        e8_buf_puts(&path, given);
    } else if (state && state[0] == '/') {
        e8_buf_printf(&path, "%s/emit8/serve", state);
    } else if (home && home[0]) {
        e8_buf_printf(&path, "%s/.local/state/emit8/serve", home);
    }
    bool good = path.n > 0 && !path.full;
    s->state = good ? e8_dup_str(e8_buf_str(&path)) : NULL;
    s->options.state = s->state;
    e8_buf_fini(&path);
    return good ? E8_OK
                : e8_fail(err, E8_INPUT, "--state DIR",
                          "no place for the state: neither XDG_STATE_HOME nor HOME is set");
}

static enum e8_rc read_notify(struct server *s, struct e8_err *err)
{
    const char *file = e8_arg(s->args, "notify-secret-file"), *secret = getenv("EMIT8_NOTIFY_SECRET");
    enum e8_rc rc = E8_OK;
    s->options.notify_url = e8_arg(s->args, "notify");
    if (file && !s->options.notify_url) {
        return e8_fail(err, E8_INPUT, "--notify URL", "--notify-secret-file %s signs nothing", file);
    }
    if (file) {
        rc = e8_cli_secret("notify-secret-file", file, &s->notify_secret, err);
    } else if (secret && *secret && s->options.notify_url) {
        s->notify_secret = e8_dup(secret);
    }
    s->options.notify_secret = s->notify_secret;
    return rc;
}

static enum e8_rc read_options(struct server *s, struct e8_err *err)
{
    struct e8_platform_options *o = &s->options;
    enum e8_format format;
    uint64_t workers = 0, in_flight = 0;
    enum e8_rc rc = e8_cli_reach(s->args, NULL, &s->reach, err);
    rc = rc ? rc : e8_cli_format(s->args, E8_FORMAT_TEXT, &format, err);
    if (!rc && format != E8_FORMAT_TEXT && format != E8_FORMAT_NDJSON) {
        rc = e8_fail(err, E8_INPUT, "text or ndjson", "serve has no lines as %s", e8_arg(s->args, "format"));
    }
    rc = rc ? rc : read_plan(s, &o->plan, err);
    rc = rc ? rc : e8_arg_u64(s->args, "workers", 1, 64, &workers, err);
    rc = rc ? rc : e8_arg_u64(s->args, "in-flight", 1, 100000, &in_flight, err);
    rc = rc ? rc : read_durations(s, o, err);
    rc = rc ? rc : read_notify(s, err);
    rc = rc ? rc : find_state(s, err);
    s->hosts = e8_arg_all(s->args, "host");
    s->ndjson = !rc && format == E8_FORMAT_NDJSON;
    o->hosts = s->hosts;
    o->listen = e8_arg(s->args, "listen");
    o->no_auth = e8_arg_set(s->args, "no-auth");
    o->allow_http = e8_arg_set(s->args, "allow-http");
    o->workers = (unsigned)workers;
    o->in_flight = (size_t)in_flight;
    o->reach = s->reach.reach;
    o->fixtures = e8_arg(s->args, "fixtures");
    o->on_notice = print_notice;
    o->notice_state = s;
    return rc;
}

static void say_browser(const char *how, const char *host, const char *port, const char *key)
{
    fprintf(stderr, "emit8: %s: http://%s%s/%s%s\n", how, host, port, key ? "#key=" : "", key ? key : "");
}

/* Under which addresses a browser gets the dashboard. All addresses of the machine are none of its names. */
static void say_addresses(const struct server *s, const char *url, const char *key)
{
    static const char *const all[][2] = {{"0.0.0.0", "127.0.0.1"}, {"[::]", "[::1]"}};
    const char *host = url + strlen("http://"), *port = strrchr(url, ':');
    for (size_t i = 0; i < E8_COUNT(all); i++) {
        if (strlen(all[i][0]) == (size_t)(port - host) && strncmp(host, all[i][0], strlen(all[i][0])) == 0) {
            say_browser("in the browser", all[i][1], port, key);
            if (!s->hosts || !s->hosts[0]) {
                fprintf(stderr,
                        "emit8: on another machine: start it with --host NAME, the name or address by "
                        "which it is called there\n");
            }
            for (const char *const *name = s->hosts; name && *name; name++) {
                if (!strchr(*name, ':')) { /* else it is a proxy's */
                    say_browser("on another machine", *name, port, key);
                }
            }
            return;
        }
    }
    say_browser("in the browser", host, "", key);
}

static void say_where(const struct server *s, const struct e8_platform_server *platform)
{
    const char *url = e8_platform_url(platform), *key = e8_platform_key(platform);
    fprintf(stderr, "emit8: listening on %s\n", url);
    if (e8_arg_set(s->args, "quiet")) {
        return;
    }
    if (strncmp(url, "http", 4) == 0) { /* no browser opens a unix socket */
        say_addresses(s, url, key);
    }
    if (key) {
        fprintf(stderr, "emit8: the key lies in %s\n", e8_platform_key_file(platform));
    } else {
        fprintf(stderr, "emit8: no key is asked for: --no-auth\n");
    }
}

/* The next signal ends the process: nothing is lost by that, its memory stands a kill. */
static void let_signals_through(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int serve(struct server *s)
{
    struct e8_platform_server *platform;
    struct e8_err err = {0};
    int signal = 0;
    e8_signals_init();
    if (e8_platform_start(&s->options, s->catalog, &platform, &err)) {
        return e8_exit_error(&err);
    }
    say_where(s, platform);
    bool healthy = true;
    while (!(signal = e8_signals_take(100 * E8_NS_MS)) && healthy) {
        healthy = e8_platform_healthy(platform, &err);
    }
    if (signal && !e8_arg_set(s->args, "quiet")) {
        fputs("emit8: ending; what waits is sent when it starts again\n", stderr);
    }
    let_signals_through();
    e8_platform_stop(&platform, END_GRACE);
    return healthy ? 128 + signal : e8_exit_error(&err);
}

int e8_cmd_serve(const struct e8_args *args)
{
    struct server s = {.args = args};
    struct e8_err err = {0};
    int code;
    if (e8_cli_catalog(args, &s.catalog, &code)) {
        code = read_options(&s, &err) ? e8_exit_error(&err) : serve(&s);
    }
    e8_cli_reach_fini(&s.reach);
    free(s.hosts);
    free(s.state);
    e8_secret_free(&s.notify_secret);
    e8_catalog_free(&s.catalog);
    return code;
}
