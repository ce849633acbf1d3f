#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/session.h"

#define HEADERS_MAX 48 /* of an endpoint: a request has room for these and its own */

const struct e8_option e8_run_options[] = {
    {"to", 't', "[NAME=]URL",
     "send to this URL instead of the scenario's; for one endpoint, or for all (repeatable)", false},
    {"sink", 0, NULL, "send to built-in receivers that verify every signature", false},
    {"environment", 'e', "NAME", "of events that name none, instead of the scenario's", true},
    {"seed", 0, "N", "of everything random; the same seed gives the same bytes", true},
    {"speed", 0, "FACTOR", "run all schedules and waits faster or slower: 10x", false},
    {"clock", 0, "TIME", "let the events' time start here, instead of now", false},
    {"workers", 0, "N", "threads that send; default: the cores", true},
    {"in-flight", 0, "N", "deliveries in flight at most; default 10000", true},
    {NULL, 0, NULL, NULL, false},
};

struct runner {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_plan *plan;
    struct e8_cli_secrets secrets;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
    const char **to;    /* as given */
    const char **named; /* those with a name */
    const char *all;    /* the one without */
    char ephemeral[65]; /* for endpoints without a secret, with --sink */
    bool sink;
    bool seed_given;
    uint64_t seed, workers, in_flight;
    double speed;
    e8_wall_ns clock;
};

/* A path that exists is a file; a plain word is one of the built-in scenarios. */
static enum e8_rc read_scenario(const char *name, struct e8_buf *out, const char **shown, struct e8_err *err)
{
    static char path[256];
    struct e8_buf text;
    e8_buf_init(out, E8_FILE_MAX);
    bool plain =
        !strchr(name, '/') && !strchr(name, '.') && strcmp(name, "-") != 0 && access(name, F_OK) != 0;
    if (plain) {
        e8_buf_fixed(&text, path, sizeof path - 1);
        e8_buf_printf(&text, "scenarios/%s.yaml", name);
        struct e8_str builtin = e8_catalog_builtin(e8_buf_cstr(&text));
        if (builtin.p) {
            e8_buf_putstr(out, builtin);
            *shown = path;
            return E8_OK;
        }
    }
    *shown = name;
    e8_buf_fini(out);
    if (plain) {
        static const char *const builtin[] = {"quick", "support-day", "fan-out", NULL};
        char hint[E8_HINT_MAX];
        e8_hint_near(e8_str(name), builtin, "built in are quick, support-day and fan-out", hint);
        return e8_fail(err, E8_INPUT, hint, "\"%s\" is no file and no built-in scenario", name);
    }
    return e8_file_read(name, E8_FILE_MAX, out, err);
}

static enum e8_rc sort_targets(struct runner *r, struct e8_err *err)
{
    size_t n = 0, named = 0;
    r->to = e8_arg_all(r->args, "to");
    while (r->to && r->to[n]) {
        n++;
    }
    r->named = e8_new(n + 1, sizeof *r->named);
    for (size_t i = 0; i < n; i++) {
        const char *equals = strchr(r->to[i], '='), *scheme = strstr(r->to[i], "://");
        struct e8_url url;
        if (equals && (!scheme || equals < scheme)) {
            r->named[named++] = r->to[i];
        } else if (r->all) {
            return e8_fail(err, E8_INPUT, "--to NAME=URL for one endpoint",
                           "--to without a name is given twice");
        } else {
            r->all = r->to[i];
        }
        enum e8_rc rc = e8_url_parse(e8_str(r->all == r->to[i] ? r->all : equals + 1), &url, err);
        if (rc) {
            return rc;
        }
    }
    return r->sink && n
               ? e8_fail(err, E8_INPUT, "leave one of them out", "--sink and --to exclude each other")
               : E8_OK;
}

static enum e8_rc read_options(struct runner *r, struct e8_err *err)
{
    r->sink = e8_arg_set(r->args, "sink");
    r->speed = 1;
    enum e8_rc rc = sort_targets(r, err);
    rc = rc ? rc : e8_cli_seed(r->args, &r->seed_given, &r->seed, err);
    rc = rc ? rc : e8_arg_factor(r->args, "speed", &r->speed, err);
    rc = rc ? rc : e8_arg_time(r->args, "clock", &r->clock, err);
    rc = rc ? rc : e8_arg_u64(r->args, "workers", 1, 256, &r->workers, err);
    rc = rc ? rc : e8_arg_u64(r->args, "in-flight", 1, 10000000, &r->in_flight, err);
    rc = rc ? rc : e8_cli_secrets(r->args, &r->secrets, err);
    if (!rc && r->sink && r->secrets.count == 0) {
        uint8_t random[32];
        struct e8_buf hex;
        e8_random_bytes(random, sizeof random);
        e8_buf_fixed(&hex, r->ephemeral, sizeof r->ephemeral - 1);
        e8_hex_put(&hex, random, sizeof random);
    }
    return rc;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum e8_rc load_plan(struct runner *r, struct e8_errs *errs)
{
    struct e8_buf text;
    const char *shown;
    struct e8_err err = {0};
    enum e8_rc rc = read_options(r, &err);
    if (rc) {
        return e8_errs_add(errs, &err);
    }
    if (read_scenario(r->args->words[0], &text, &shown, &err)) {
        e8_buf_fini(&text);
        return e8_errs_add(errs, &err);
    }
    struct e8_scenario_options options = {
        .getenv = environment,
        .to = r->sink ? "http://127.0.0.1:1/" : r->all,
        .to_named = r->named,
        .environment = e8_arg(r->args, "environment"),
        .secret = r->secrets.count ? r->secrets.list[0]
                  : r->sink        ? r->ephemeral
                                   : NULL,
        .seed_given = r->seed_given,
        .seed = r->seed,
        .seed_random = r->seed,
    };
    rc = e8_plan_parse(r->catalog, shown, e8_buf_str(&text), &options, &r->plan, errs);
    e8_buf_fini(&text);
    return rc;
}

static bool is_among(const struct e8_header *list, size_t count, struct e8_str name)
{
    for (size_t i = 0; i < count; i++) {
        if (e8_str_ieq(list[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The headers of the command line, and those of the scenario that have another name. */
static enum e8_rc add_headers(struct runner *r, struct e8_endpoint *endpoint, struct e8_err *err)
{
    struct e8_header *given = NULL;
    size_t count = 0, total;
    enum e8_rc rc = e8_cli_headers(r->args, &given, &count, err);
    struct e8_header *all = e8_arena_alloc(r->arena, (count + endpoint->header_count + 1) * sizeof *all);
    for (total = 0; total < count; total++) {
        all[total] = given[total];
    }
    for (size_t i = 0; i < endpoint->header_count; i++) {
        if (!is_among(given, count, endpoint->headers[i].name)) {
            all[total++] = endpoint->headers[i];
        }
    }
    free(given);
    if (!rc && total > HEADERS_MAX) {
        rc = e8_fail(err, E8_INPUT, NULL, "endpoint \"%s\" has more than %d headers", endpoint->name,
                     HEADERS_MAX);
    }
    endpoint->headers = all;
    endpoint->header_count = total;
    return rc;
}

static enum e8_rc check_signer(const struct e8_endpoint *endpoint, struct e8_err *err)
{
    struct e8_signer *signer = NULL;
    enum e8_rc rc = E8_OK;
    if (endpoint->secret_count) {
        rc = e8_signer_new(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &signer, err);
    }
    e8_signer_free(&signer);
    return rc;
}

/* Options of the command line that stand for every endpoint. */
static enum e8_rc override_endpoints(struct runner *r, struct e8_errs *errs)
{
    e8_dur_ns timeout;
    struct e8_retry_policy retry;
    struct e8_err err = {0};
    const struct e8_scheme *scheme = NULL;
    enum e8_rc rc = e8_cli_policy(r->args, e8_catalog_platform(r->catalog), &timeout, &retry, &err);
    if (!rc && e8_arg_set(r->args, "scheme") &&
        e8_cli_scheme(r->args, r->catalog, r->arena, &r->scheme_doc, &scheme, errs)) {
        return e8_errs_rc(errs);
    }
    for (size_t i = 0; !rc && i < r->plan->endpoint_count; i++) {
        struct e8_endpoint *endpoint = &r->plan->endpoints[i];
        if (e8_arg_set(r->args, "timeout")) {
            endpoint->timeout = timeout;
        }
        if (e8_arg_set(r->args, "retries")) {
            endpoint->retry.attempts = retry.attempts;
        }
        if (scheme) {
            endpoint->scheme = scheme;
            rc = check_signer(endpoint, &err);
        }
        rc = rc ? rc : add_headers(r, endpoint, &err);
    }
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static int run_plan(struct runner *r)
{
    struct e8_cli_run run = {
        .plan = r->plan,
        .catalog = r->catalog,
        .speed = r->speed,
        .clock = r->clock,
        .workers = (unsigned)r->workers,
        .in_flight = (size_t)r->in_flight,
        .sinks = r->sink,
        .report = true,
    };
    return e8_cli_execute(r->args, &run);
}

int e8_cmd_run(const struct e8_args *args)
{
    struct runner r = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    if (e8_cli_catalog(args, &r.catalog, &code)) {
        code = load_plan(&r, &errs) || override_endpoints(&r, &errs) ? e8_exit_errs(&errs) : run_plan(&r);
    }
    e8_errs_fini(&errs);
    e8_plan_free(&r.plan);
    e8_cli_secrets_fini(&r.secrets);
    free(r.to);
    free(r.named);
    e8_doc_free(&r.scheme_doc);
    e8_catalog_free(&r.catalog);
    e8_arena_free(&r.arena);
    return code;
}
