#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/preview.h"
#include "cli/resume.h"
#include "cli/session.h"
#include "cli/shard.h"
#include "cli/source.h"

#define HEADERS_MAX 48 /* of an endpoint: a request has room for these and its own */

const struct e8_option e8_run_options[] = {
    {"to", 't', "[NAME=]URL",
     "send to this URL instead of the scenario's; for one endpoint, or for all (repeatable)",
     E8_OPTION_REPEATS},
    {"sink", 0, NULL, "send to built-in receivers that verify every signature", 0},
    {"var", 0, "NAME=VALUE", "a variable of the scenario, instead of its default (repeatable)",
     E8_OPTION_REPEATS},
    {"environment", 'e', "NAME", "of events that name none, instead of the scenario's", E8_OPTION_ENV},
    {"seed", 0, "N", "of everything random; the same seed gives the same bytes", E8_OPTION_ENV},
    {"speed", 0, "FACTOR", "run all schedules and waits faster or slower: 10x", 0},
    {"clock", 0, "TIME", "let the events' time start here, instead of now", 0},
    {"in-flight", 0, "N", "deliveries in flight at most, those between two attempts apart; default 10000",
     E8_OPTION_ENV},
    {"drop", 0, NULL, "at that bound drop events, and count them, instead of letting them wait", 0},
    {"resume", 0, NULL, "go on with a run of this scenario that was killed or interrupted", 0},
    {"run", 0, "N", "the run to resume; default: the newest that is not finished", 0},
    {"dry-run", 0, NULL, "print the time-line that the seed gives, and send nothing", 0},
    {"plan", 0, "json|ndjson", "the same for machines: one document, or a line for each delivery", 0},
    {"limit", 0, "N", "events of --dry-run (default 50) or --plan (default: all); 0: all", 0},
    {"allow-exec", 0, NULL, "let the scenario run its commands", 0},
    {"effect-get", 0, "URL", "where the number of effects is read, instead of the scenario's `effect`", 0},
    {"effect-pointer", 0, "POINTER", "the number's place in that JSON: /count", 0},
    {"effect-command", 0, "COMMAND", "a shell command that prints the number; needs --allow-exec", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct runner {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_plan *plan;
    struct e8_cli_secrets secrets;
    struct e8_source source;
    struct e8_arena *arena;
    struct e8_doc *scheme_doc;
    const char **vars;
    const char **to;              /* as given */
    const char **named;           /* those with a name */
    const char *all;              /* the one without */
    char ephemeral[65], next[65]; /* for endpoints without a secret, with --sink */
    struct e8_effect effect;      /* of the command line */
    struct e8_resume resume;
    bool resumes;
    bool sink;
    struct e8_cli_preview preview;
    bool seed_given;
    uint64_t seed, workers, in_flight;
    double speed;
    e8_wall_ns clock;
    struct e8_cli_shard shard;
};

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

static void make_secret(char out[65])
{
    uint8_t random[32];
    struct e8_buf hex;
    e8_random_bytes(random, sizeof random);
    e8_buf_fixed(&hex, out, 64);
    e8_hex_put(&hex, random, sizeof random);
}

static enum e8_rc read_preview(struct runner *r, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_preview(r->args, &r->preview, err);
    if (rc) {
        return rc;
    }
    r->resumes = e8_arg_set(r->args, "resume");
    if (r->resumes && r->preview.dry) {
        return e8_fail(err, E8_INPUT, "leave one of them out", "--resume and a preview exclude each other");
    }
    if (!r->resumes && e8_arg_set(r->args, "run")) {
        return e8_fail(err, E8_INPUT, "add --resume", "--run says which run to resume");
    }
    return E8_OK;
}

/* A part that was cut short is run again, as a whole: with another part's start its ids would be others. */
static enum e8_rc read_shard(struct runner *r, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_shard(r->args, &r->shard, err);
    if (!rc && r->resumes && (r->shard.shard.count || r->shard.start_at)) {
        rc = e8_fail(err, E8_INPUT, "leave --resume out, or EMIT8_SHARD, EMIT8_SHARDS and EMIT8_START_AT",
                     "--resume goes with neither --shard nor --start-at");
    }
    return rc;
}

static enum e8_rc read_options(struct runner *r, struct e8_err *err)
{
    r->sink = e8_arg_set(r->args, "sink");
    r->speed = 1;
    r->vars = e8_arg_all(r->args, "var");
    enum e8_rc rc = sort_targets(r, err);
    rc = rc ? rc : e8_cli_seed(r->args, &r->seed_given, &r->seed, err);
    rc = rc ? rc : e8_arg_factor(r->args, "speed", &r->speed, err);
    rc = rc ? rc : e8_arg_time(r->args, "clock", &r->clock, err);
    rc = rc ? rc : e8_arg_u64(r->args, "workers", 1, 256, &r->workers, err);
    rc = rc ? rc : e8_arg_u64(r->args, "in-flight", 1, 10000000, &r->in_flight, err);
    rc = rc ? rc : read_preview(r, err);
    rc = rc ? rc : read_shard(r, err);
    rc = rc ? rc : e8_cli_effect(r->args, r->arena, &r->effect, err);
    rc = rc ? rc : e8_cli_secrets(r->args, &r->secrets, err);
    make_secret(r->ephemeral);
    make_secret(r->next);
    return rc;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

/* Where nothing leaves this machine, endpoints without a secret get one. */
static const char *secret_of(const struct runner *r, size_t index, const char *made)
{
    return r->secrets.count > index ? r->secrets.list[index] : r->sink || r->preview.dry ? made : NULL;
}

static enum e8_rc parse_plan(struct runner *r, struct e8_errs *errs)
{
    struct e8_scenario_options options = {
        .getenv = environment,
        .to = r->sink && !r->preview.dry ? "http://127.0.0.1:1/" : r->all,
        .to_named = r->named,
        .vars = r->vars,
        .environment = e8_arg(r->args, "environment"),
        .secret = secret_of(r, 0, r->ephemeral),
        .next_secret = secret_of(r, 1, r->next),
        .stand_ins = r->sink || r->preview.dry,
        .effect = r->effect.get || r->effect.command ? &r->effect : NULL,
        .seed_given = r->seed_given,
        .seed = r->seed,
        .seed_random = r->seed,
    };
    return e8_source_parse(&r->source, r->catalog, &options, r->preview.dry ? "http://127.0.0.1:9000/" : NULL,
                           &r->plan, errs);
}

/* The events' time and the speed are those of then. */
static enum e8_rc take_pace(struct runner *r, struct e8_err *err)
{
    const struct e8_log_run *run = &r->resume.run;
    double speed = run->speed > 0 ? run->speed : 1;
    if (e8_arg_set(r->args, "clock") && r->clock != run->clock) {
        return e8_fail(err, E8_INPUT, "leave --clock out: the run's own is taken",
                       "run %lld began at another --clock", (long long)run->id);
    }
    if (e8_arg_set(r->args, "speed") && (r->speed < speed || r->speed > speed)) {
        return e8_fail(err, E8_INPUT, "leave --speed out: the run's own is taken",
                       "run %lld had another --speed", (long long)run->id);
    }
    r->clock = run->clock;
    r->speed = speed;
    return E8_OK;
}

/* The seed may be one that was drawn then, or that the command line gave: the plan is read once more with it. */
static enum e8_rc resume_plan(struct runner *r, struct e8_errs *errs)
{
    struct e8_err err = {0};
    if (e8_resume_find(r->args, r->plan->digest, &r->resume, &err)) {
        return e8_errs_add(errs, &err);
    }
    if (!r->seed_given && r->plan->seed != r->resume.run.seed) {
        r->seed_given = true;
        r->seed = r->resume.run.seed;
        e8_plan_free(&r->plan);
        if (parse_plan(r, errs)) {
            return e8_errs_rc(errs);
        }
    }
    enum e8_rc rc = e8_resume_check(&r->resume, r->plan, r->catalog, &err);
    rc = rc ? rc : take_pace(r, &err);
    rc = rc ? rc : e8_resume_load(&r->resume, &err);
    return rc ? e8_errs_add(errs, &err) : E8_OK;
}

static enum e8_rc load_plan(struct runner *r, struct e8_errs *errs)
{
    struct e8_err err = {0};
    if (read_options(r, &err) || e8_source_open(r->args->words[0], &r->source, &err)) {
        return e8_errs_add(errs, &err);
    }
    if (parse_plan(r, errs) || (r->resumes && resume_plan(r, errs))) {
        return e8_errs_rc(errs);
    }
    if (e8_cli_divide(&r->shard, r->clock, r->preview.dry, r->plan, &err)) {
        return e8_errs_add(errs, &err);
    }
    bool executes = r->plan->executes || r->effect.command;
    if (executes && !r->preview.dry && !e8_arg_set(r->args, "allow-exec")) {
        e8_fail(&err, E8_INPUT, "look at them with --dry-run, then add --allow-exec",
                "the scenario runs commands on this machine");
        return e8_errs_add(errs, &err);
    }
    return E8_OK;
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
            rc = e8_signer_check(endpoint->scheme, endpoint->secrets, endpoint->secret_count, &err);
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
        .drop = e8_arg_set(r->args, "drop"),
        .sinks = r->sink,
        .report = true,
        .exec = e8_arg_set(r->args, "allow-exec"),
        .resumes = r->resumes ? r->resume.run.id : 0,
        .done = r->resume.done,
        .wall = r->resume.wall,
        .start_at = r->shard.start_at,
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
        code = load_plan(&r, &errs) || override_endpoints(&r, &errs) ? e8_exit_errs(&errs)
               : r.preview.dry ? e8_cli_preview_show(args, r.plan, r.catalog,
                                                     r.clock ? r.clock : r.shard.start_at, &r.preview)
                               : run_plan(&r);
    }
    e8_errs_fini(&errs);
    e8_plan_free(&r.plan);
    e8_resume_fini(&r.resume);
    e8_source_fini(&r.source);
    e8_cli_secrets_fini(&r.secrets);
    free(r.vars);
    free(r.to);
    free(r.named);
    e8_doc_free(&r.scheme_doc);
    e8_catalog_free(&r.catalog);
    e8_arena_free(&r.arena);
    return code;
}
