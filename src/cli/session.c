#include "cli/session.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "catalog/platform.h"

static int code_of(enum e8_rc rc)
{
    return rc == E8_OK ? E8_EXIT_PASS : rc == E8_ENV ? E8_EXIT_ENV : E8_EXIT_INPUT;
}

int e8_exit_error(const struct e8_err *err)
{
    fputs("emit8: ", stderr);
    e8_err_print(err, stderr);
    return code_of(err->rc);
}

int e8_exit_errs(struct e8_errs *errs)
{
    int code = code_of(e8_errs_rc(errs));
    if (errs->count && !errs->list[0].file[0]) {
        fputs("emit8: ", stderr);
    }
    e8_errs_print(errs, stderr);
    e8_errs_fini(errs);
    return code;
}

bool e8_cli_catalog(const struct e8_args *args, struct e8_catalog **out, int *code)
{
    struct e8_errs errs;
    e8_errs_init(&errs);
    if (e8_catalog_load(e8_arg(args, "fixtures"), out, &errs)) {
        *code = e8_exit_errs(&errs);
        return false;
    }
    e8_errs_fini(&errs);
    return true;
}

struct e8_style e8_cli_style(const struct e8_args *args, FILE *out)
{
    const char *when = e8_arg(args, "color");
    const char *none = getenv("NO_COLOR");
    bool terminal = isatty(fileno(out));
    struct winsize size = {0};
    struct e8_style style = {.width = 80, .colour = terminal && !(none && *none)};
    if (when && strcmp(when, "always") == 0) {
        style.colour = true;
    } else if (when && strcmp(when, "never") == 0) {
        style.colour = false;
    }
    if (terminal && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        style.width = size.ws_col;
    }
    return style;
}

enum e8_rc e8_cli_format(const struct e8_args *args, enum e8_format fallback, enum e8_format *out,
                         struct e8_err *err)
{
    const char *name = e8_arg(args, "format");
    *out = fallback;
    if (name && !e8_format_find(e8_str(name), out)) {
        return e8_fail(err, E8_INPUT, "text, table, json, ndjson or csv", "unknown format \"%s\"", name);
    }
    return E8_OK;
}

static enum e8_rc parse_http(const struct e8_args *args, enum e8_http *out, struct e8_err *err)
{
    const char *text = e8_arg(args, "http");
    if (!text || strcmp(text, "auto") == 0) {
        *out = E8_HTTP_AUTO;
    } else if (strcmp(text, "1.1") == 0) {
        *out = E8_HTTP_11;
    } else if (strcmp(text, "2") == 0) {
        *out = E8_HTTP_2;
    } else {
        return e8_fail(err, E8_INPUT, "auto, 1.1 or 2", "--http \"%s\" is no version", text);
    }
    return E8_OK;
}

static const char **joined(const char **list, const char *const *more)
{
    size_t n = 0, m = 0;
    while (list && list[n]) {
        n++;
    }
    while (more && more[m]) {
        m++;
    }
    list = e8_resize(list, n + m + 1, sizeof *list);
    for (size_t i = 0; i < m; i++) {
        list[n + i] = more[i];
    }
    list[n + m] = NULL;
    return list;
}

enum e8_rc e8_cli_reach(const struct e8_args *args, const char *const *also_allow, struct e8_cli_reach *out,
                        struct e8_err *err)
{
    memset(out, 0, sizeof *out);
    out->connect_to = e8_arg_all(args, "connect-to");
    out->resolve = e8_arg_all(args, "resolve");
    out->allow = joined(e8_arg_all(args, "allow-target"), also_allow);
    struct e8_reach *reach = &out->reach;
    reach->cacert = e8_arg(args, "cacert");
    reach->cert = e8_arg(args, "cert");
    reach->key = e8_arg(args, "key");
    reach->insecure = e8_arg_set(args, "insecure");
    reach->proxy = e8_arg(args, "proxy");
    reach->unix_socket = e8_arg(args, "unix-socket");
    reach->connect_to = out->connect_to;
    reach->resolve = out->resolve;
    reach->allow = out->allow;
    if (reach->unix_socket && reach->proxy) {
        return e8_fail(err, E8_INPUT, "leave one of them out",
                       "--unix-socket and --proxy exclude each other");
    }
    enum e8_rc rc = parse_http(args, &reach->http, err);
    rc = rc ? rc : e8_arg_dur(args, "connect-timeout", &reach->connect_timeout, err);
    return rc ? rc : e8_reach_check(reach, err);
}

void e8_cli_reach_fini(struct e8_cli_reach *reach)
{
    free(reach->connect_to);
    free(reach->resolve);
    free(reach->allow);
    memset(reach, 0, sizeof *reach);
}

enum e8_rc e8_cli_secret(const char *name, const char *path, char **out, struct e8_err *err)
{
    struct e8_err fault = {0};
    return e8_secret_read(path, out, &fault)
               ? e8_fail(err, fault.rc, fault.hint, "--%s %s: %s", name, path, fault.what)
               : E8_OK;
}

enum e8_rc e8_cli_secrets(const struct e8_args *args, struct e8_cli_secrets *out, struct e8_err *err)
{
    const char **files = e8_arg_all(args, "secret-file");
    const char *secret = getenv("EMIT8_SECRET");
    enum e8_rc rc = E8_OK;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; !rc && files && files[i]; i++) {
        if (out->count == E8_SECRETS_MAX) {
            rc = e8_fail(err, E8_INPUT, NULL, "at most %d secrets at a time", E8_SECRETS_MAX);
        } else {
            rc = e8_cli_secret("secret-file", files[i], &out->list[out->count], err);
            out->count += !rc;
        }
    }
    if (!rc && !files && secret && *secret) {
        out->list[out->count++] = e8_dup(secret);
    }
    free(files);
    return rc;
}

void e8_cli_secrets_fini(struct e8_cli_secrets *secrets)
{
    for (size_t i = 0; i < secrets->count; i++) {
        e8_secret_free(&secrets->list[i]);
    }
    secrets->count = 0;
}

enum e8_rc e8_cli_scheme(const struct e8_args *args, const struct e8_catalog *catalog, struct e8_arena *arena,
                         struct e8_doc **doc, const struct e8_scheme **out, struct e8_errs *errs)
{
    const char *name = e8_arg(args, "scheme");
    const struct e8_schemes *schemes = e8_catalog_schemes(catalog);
    struct e8_err err = {0};
    *out = e8_schemes_find(schemes, name ? name : "8bit");
    if (*out) {
        return E8_OK;
    }
    if (name && (strchr(name, '/') || strchr(name, '.'))) {
        if (e8_doc_load(name, doc, &err)) {
            return e8_errs_add(errs, &err);
        }
        return e8_scheme_parse(arena, "custom", e8_doc_root(*doc), out, errs);
    }
    char hint[E8_HINT_MAX];
    e8_hint_near(e8_str(name), e8_schemes_names(schemes),
                 "8bit, standard-webhooks, stripe, github, slack, or a JSON file: ./scheme.json", hint);
    e8_fail(&err, E8_INPUT, hint, "unknown signature scheme \"%s\"", name ? name : "8bit");
    return e8_errs_add(errs, &err);
}

enum e8_rc e8_cli_headers(const struct e8_args *args, struct e8_header **list, size_t *count,
                          struct e8_err *err)
{
    const char **lines = e8_arg_all(args, "header");
    size_t n = 0, bytes = 0;
    enum e8_rc rc = E8_OK;
    while (lines && lines[n]) {
        n++;
    }
    *list = e8_new(n + 1, sizeof **list);
    *count = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        rc = e8_header_parse(e8_str(lines[i]), &(*list)[*count], err);
        *count += !rc;
        bytes += strlen(lines[i]);
    }
    if (!rc && (n > 32 || bytes > 4096)) {
        rc = e8_fail(err, E8_INPUT, "at most 32 headers and 4 KiB",
                     "the headers of -H are too many or too long");
    }
    free(lines);
    return rc;
}

const char *e8_cli_header_names(struct e8_arena *arena, const struct e8_header *list, size_t count)
{
    struct e8_buf names;
    e8_buf_init(&names, 64 << 10);
    for (size_t i = 0; i < count; i++) {
        e8_buf_puts(&names, i ? " " : "");
        e8_buf_putstr(&names, list[i].name);
    }
    const char *kept = count ? e8_arena_str(arena, e8_buf_str(&names)).p : NULL;
    e8_buf_fini(&names);
    return kept;
}

enum e8_rc e8_cli_policy(const struct e8_args *args, const struct e8_platform *platform, e8_dur_ns *timeout,
                         struct e8_retry_policy *retry, struct e8_err *err)
{
    uint64_t retries = platform->retry.attempts - 1;
    *timeout = platform->deadline;
    *retry = platform->retry;
    enum e8_rc rc = e8_arg_dur(args, "timeout", timeout, err);
    rc = rc ? rc : e8_arg_u64(args, "retries", 0, 999, &retries, err);
    retry->attempts = (uint32_t)retries + 1;
    if (!rc && *timeout <= 0) {
        rc = e8_fail(err, E8_INPUT, "--timeout 5s", "a time-out of 0 leaves no time for an answer");
    }
    return rc;
}

enum e8_rc e8_cli_environment(const struct e8_args *args, const struct e8_catalog *catalog, const char **out,
                              struct e8_err *err)
{
    const char *name = e8_arg(args, "environment");
    *out = name ? e8_environment_find(e8_catalog_platform(catalog), name, err) : NULL;
    return !name || *out ? E8_OK : E8_INPUT;
}

enum e8_rc e8_cli_effect(const struct e8_args *args, struct e8_arena *arena, struct e8_effect *out,
                         struct e8_err *err)
{
    const char *get = e8_arg(args, "effect-get"), *pointer = e8_arg(args, "effect-pointer");
    const char *command = e8_arg(args, "effect-command");
    struct e8_url url;
    if (get && command) {
        return e8_fail(err, E8_INPUT, "leave one of them out",
                       "--effect-get and --effect-command exclude each other");
    }
    if (!get != !pointer) {
        return e8_fail(err, E8_INPUT, "--effect-get http://127.0.0.1:3000/count --effect-pointer /count",
                       "--effect-get and --effect-pointer belong together");
    }
    const char *fault = pointer ? e8_pointer_fault(e8_str(pointer)) : NULL;
    if (fault) {
        return e8_fail(err, E8_INPUT, "/count", "--effect-pointer \"%s\": %s", pointer, fault);
    }
    *out = (struct e8_effect){.get = get, .pointer = pointer, .settle = 200 * E8_NS_MS};
    if (command) {
        const char **argv = e8_arena_alloc(arena, 4 * sizeof *argv);
        argv[0] = "/bin/sh";
        argv[1] = "-c";
        argv[2] = command;
        out->command = argv;
    }
    return get ? e8_url_parse(e8_str(get), &url, err) : E8_OK;
}

enum e8_rc e8_cli_fail_rule(const char *name, const char *text, const struct e8_err *fault,
                            struct e8_err *err)
{
    return e8_fail(err, fault->rc, fault->hint, "--%s '%s': %s", name, text, fault->what);
}

enum e8_rc e8_cli_threshold(const char *name, const char *text, struct e8_threshold *out, struct e8_err *err)
{
    struct e8_err fault = {0};
    return e8_threshold_parse(e8_str(text), out, &fault) ? e8_cli_fail_rule(name, text, &fault, err) : E8_OK;
}

unsigned e8_cli_cores(void)
{
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) > 0) {
        return (unsigned)CPU_COUNT(&usable);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

static enum e8_rc check_pin(unsigned workers, struct e8_err *err)
{
    char hint[80];
    struct e8_buf buf;
    unsigned cores = e8_cli_cores();
    if (workers <= cores) {
        return E8_OK;
    }
    e8_buf_fixed(&buf, hint, sizeof hint - 1);
    e8_buf_printf(&buf, "--workers %u at most, or leave --pin out", cores);
    return e8_fail(err, E8_INPUT, e8_buf_cstr(&buf),
                   "--pin: %u workers cannot have a core each: this process may use %u", workers, cores);
}

enum e8_rc e8_cli_threads(const struct e8_args *args, unsigned workers, struct e8_cli_threads *out,
                          struct e8_err *err)
{
    *out = (struct e8_cli_threads){.pin = e8_arg_set(args, "pin")};
    enum e8_rc rc = e8_arg_dur(args, "spin", &out->spin, err);
    if (!rc && (out->spin < 0 || out->spin > E8_NS_S)) {
        rc = e8_fail(err, E8_INPUT, "60us is plenty", "--spin takes at most a second");
    }
    return rc || !out->pin ? rc : check_pin(workers, err);
}

enum e8_rc e8_cli_seed(const struct e8_args *args, bool *given, uint64_t *seed, struct e8_err *err)
{
    uint32_t fresh;
    e8_random_bytes(&fresh, sizeof fresh);
    *given = e8_arg_set(args, "seed");
    *seed = fresh;
    return e8_arg_u64(args, "seed", 0, INT64_MAX, seed, err);
}

static bool says_secret(const struct e8_option *option)
{
    return strcmp(option->name, "header") == 0;
}

/* Quoted where a shell would read it otherwise. */
static void put_word(struct e8_str text, struct e8_buf *out)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    bool bare = text.n > 0;
    for (size_t i = 0; bare && i < text.n; i++) {
        bare = memchr(plain, text.p[i], sizeof plain - 1) != NULL;
    }
    if (bare) {
        e8_buf_putstr(out, text);
    } else {
        e8_buf_put_quoted(out, text);
    }
}

/* A URL without its secrets; any other text as it is. */
static void put_url(const char *text, struct e8_buf *out)
{
    const char *url = strstr(text, "://") ? text : NULL;
    const char *equals = url ? strchr(text, '=') : NULL;
    if (!url) {
        e8_buf_puts(out, text);
        return;
    }
    if (equals && equals < strstr(text, "://")) { /* NAME=URL */
        e8_buf_put(out, text, (size_t)(equals - text) + 1);
        text = equals + 1;
    }
    e8_url_redacted(e8_str(text), out);
}

static void put_value(const struct e8_option *option, const char *value, struct e8_buf *out)
{
    if (says_secret(option)) {
        e8_buf_puts(out, "***");
    } else if (strcmp(option->name, "var") == 0) {
        e8_buf_printf(out, "%.*s=***", (int)strcspn(value, "="), value);
    } else {
        put_url(value, out);
    }
}

void e8_cli_command(const struct e8_args *args, struct e8_buf *out)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_buf_printf(out, "emit8 %s", args->command->name);
    for (size_t i = 0; i < args->word_count; i++) {
        e8_buf_reset(&text);
        put_url(args->words[i], &text);
        e8_buf_putc(out, ' ');
        put_word(e8_buf_str(&text), out);
    }
    for (size_t i = 0; i < args->set_count; i++) {
        const char *value = args->set[i].value;
        e8_buf_printf(out, " --%s", args->set[i].option->name);
        if (value) {
            e8_buf_reset(&text);
            put_value(args->set[i].option, value, &text);
            e8_buf_putc(out, ' ');
            put_word(e8_buf_str(&text), out);
        }
    }
    e8_buf_fini(&text);
}

static int signal_fd = -1;
static sigset_t signals;

static void read_signals(const int *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sigaction action;
        /* nohup's wish is kept. */
        if (list[i] != SIGHUP || sigaction(SIGHUP, NULL, &action) != 0 || action.sa_handler != SIG_IGN) {
            sigaddset(&signals, list[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal_fd = signalfd(signal_fd, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void e8_signals_init(void)
{
    static const int list[] = {SIGINT, SIGTERM};
    read_signals(list, E8_COUNT(list));
}

void e8_signals_terminal(void)
{
    static const int list[] = {SIGHUP, SIGWINCH, SIGTSTP, SIGCONT};
    read_signals(list, E8_COUNT(list));
}

void e8_signals_suspend(void)
{
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGTSTP);
    raise(SIGTSTP); /* pending, until it is let through */
    sigprocmask(SIG_UNBLOCK, &set, &old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

int e8_signals_take(e8_dur_ns timeout)
{
    struct signalfd_siginfo info;
    struct pollfd poll_fd = {.fd = signal_fd, .events = POLLIN};
    if (signal_fd < 0 || poll(&poll_fd, 1, (int)(timeout / E8_NS_MS)) <= 0) {
        return 0;
    }
    return read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
