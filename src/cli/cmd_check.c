#include <stdlib.h>
#include <string.h>

#include "cli/checker.h"
#include "cli/commands.h"

#define RATE_DEFAULT 50 /* deliveries per second */
#define WAIT_MIN     (5 * E8_NS_S)

const struct e8_option e8_check_options[] = {
    {"to", 't', "URL", "the receiver", E8_OPTION_ENV},
    {"secret-file", 0, "FILE", "its secret, a single one; EMIT8_SECRET holds it otherwise",
     E8_OPTION_ENV | E8_OPTION_READS},
    {"next-secret-file", 0, "FILE", "a second secret that it accepts as well, for the rotation drill",
     E8_OPTION_READS},
    {"scheme", 0, "NAME", "signature scheme: 8bit, standard-webhooks, stripe, github, slack, or a JSON file",
     E8_OPTION_ENV},
    {"header", 'H', "'NAME: VALUE'", "another request header (repeatable)", E8_OPTION_REPEATS},
    {"timeout", 'm', "DUR",
     "deadline of an answer; default: the platform's, 5s; twice as long is waited, 5s at least",
     E8_OPTION_ENV},
    {"only", 0, "LIST", "these probes alone, by id or group: SIG,RAW-03 (repeatable)", E8_OPTION_REPEATS},
    {"skip", 0, "LIST", "all but these: HTTP-03 (repeatable)", E8_OPTION_REPEATS},
    {"effect-get", 0, "URL", "where a GET tells how many events took effect", 0},
    {"effect-pointer", 0, "POINTER", "where in its JSON the number stands: /count", 0},
    {"effect-command", 0, "COMMAND", "a shell command that prints this number instead", 0},
    {"effect-settle", 0, "DUR", "wait before it is read the second time; default 200ms", 0},
    {"profile", 0, "FILE", "expected answers overridden, with reasons", E8_OPTION_READS},
    {"checks", 0, "DIR", "probes of your own: a directory of *.yaml, or one file (repeatable)",
     E8_OPTION_REPEATS | E8_OPTION_READS},
    {"allow-exec", 0, NULL, "the commands in the files of --checks may be run", 0},
    {"on-rotate", 0, "COMMAND", "shell command run when the rotation begins", 0},
    {"on-revoke", 0, "COMMAND", "shell command after which the old secret is no longer accepted", 0},
    {"rate", 'r', "RATE", "deliveries per time at most, but for bursts and copies; default 50/s",
     E8_OPTION_ENV},
    {"environment", 'e', "NAME", "of events that name none; default: the platform's first", E8_OPTION_ENV},
    {"seed", 0, "N", "of everything random; the same seed gives the same bytes", E8_OPTION_ENV},
    {"list", 0, NULL, "list the probes with what they need, and end", 0},
    {"format", 0, "text|tap|junit|json|markdown", "of the results on stdout", 0},
    {"report-tap", 0, "FILE", "write the results to a file as well, as TAP 14", E8_OPTION_OUTPUT},
    {"report-junit", 0, "FILE", "the same as JUnit XML", E8_OPTION_OUTPUT},
    {"report-json", 0, "FILE", "the same as JSON", E8_OPTION_OUTPUT},
    {"report-markdown", 0, "FILE", "the same as Markdown", E8_OPTION_OUTPUT},
    {"report-text", 0, "FILE", "the same as text", E8_OPTION_OUTPUT},
    {"log", 0, "FILE", "delivery log to append to; default: $XDG_STATE_HOME/emit8/deliveries.db",
     E8_OPTION_ENV | E8_OPTION_READS},
    {"no-log", 0, NULL, "keep no delivery log", 0},
    {NULL, 0, NULL, NULL, 0},
};

static enum e8_rc read_effect(struct e8_checker *c, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_effect(c->args, c->arena, &c->effect, err);
    c->options.scenario.effect = c->effect.get || c->effect.command ? &c->effect : NULL;
    return rc ? rc : e8_arg_dur(c->args, "effect-settle", &c->effect.settle, err);
}

static enum e8_rc read_secrets(struct e8_checker *c, struct e8_err *err)
{
    const char *next = e8_arg(c->args, "next-secret-file");
    enum e8_rc rc = e8_cli_secrets(c->args, &c->secrets, err);
    if (!rc && next && c->secrets.count == 0) {
        rc = e8_fail(err, E8_INPUT, "--secret-file FILE", "--next-secret-file without a first secret");
    }
    rc = rc || !next ? rc : e8_cli_secret("next-secret-file", next, &c->next_secret, err);
    c->options.scenario.secret = c->secrets.count ? c->secrets.list[0] : NULL;
    c->options.scenario.next_secret = c->next_secret;
    return rc;
}

static enum e8_rc read_format(struct e8_checker *c, struct e8_err *err)
{
    const char *name = e8_arg(c->args, "format");
    c->format = E8_RESULTS_TEXT;
    return !name || e8_results_format_find(e8_str(name), &c->format)
               ? E8_OK
               : e8_fail(err, E8_INPUT, "text, tap, junit, json or markdown", "unknown format \"%s\"", name);
}

static enum e8_rc read_numbers(struct e8_checker *c, struct e8_err *err)
{
    struct e8_scenario_options *scenario = &c->options.scenario;
    struct e8_rate rate = {RATE_DEFAULT, E8_NS_S};
    c->options.deadline = e8_catalog_platform(c->catalog)->deadline;
    enum e8_rc rc = e8_arg_dur(c->args, "timeout", &c->options.deadline, err);
    rc = rc ? rc : e8_arg_rate(c->args, "rate", &rate, err);
    rc = rc ? rc : e8_cli_seed(c->args, &scenario->seed_given, &scenario->seed, err);
    rc = rc ? rc : e8_cli_environment(c->args, c->catalog, &scenario->environment, err);
    scenario->seed_random = scenario->seed;
    if (!rc && (c->options.deadline < E8_NS_MS || c->options.deadline > 3600 * E8_NS_S)) {
        rc = e8_fail(err, E8_INPUT, "--timeout 5s", "a deadline is from 1ms to 1h");
    }
    if (!rc && rate.num == 0) {
        rc = e8_fail(err, E8_INPUT, "50/s, 600/m", "--rate 0 sends nothing");
    }
    if (!rc) {
        c->options.gap = (e8_dur_ns)(1e9 / e8_rate_per_s(rate));
    }
    return rc;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

static enum e8_rc read_options(struct e8_checker *c, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_url url;
    struct e8_check_options *o = &c->options;
    const char *to = e8_arg(c->args, "to");
    bool list = e8_arg_set(c->args, "list");
    c->checks = e8_arg_all(c->args, "checks");
    c->only = e8_arg_all(c->args, "only");
    c->skip = e8_arg_all(c->args, "skip");
    o->scenario.getenv = environment;
    o->scenario.to = to;
    o->checks = c->checks;
    o->on_rotate = e8_arg(c->args, "on-rotate");
    o->on_revoke = e8_arg(c->args, "on-revoke");
    o->exec = e8_arg_set(c->args, "allow-exec");
    enum e8_rc rc = to ? e8_url_parse(e8_str(to), &url, &err) : E8_OK;
    if (!to && !list) {
        rc = e8_fail(&err, E8_INPUT, "--to http://127.0.0.1:3000/hooks", "which receiver? --to is missing");
    }
    rc = rc ? rc : read_secrets(c, &err);
    rc = rc ? rc : read_effect(c, &err);
    rc = rc ? rc : read_numbers(c, &err);
    rc = rc ? rc : read_format(c, &err);
    rc = rc ? rc : e8_cli_headers(c->args, &c->headers, &c->header_count, &err);
    if (rc) {
        return e8_errs_add(errs, &err);
    }
    return e8_cli_scheme(c->args, c->catalog, c->arena, &c->scheme_doc, &o->scheme, errs);
}

static enum e8_rc check_signers(const struct e8_checker *c, struct e8_err *err)
{
    const char *secrets[] = {c->options.scenario.secret, c->next_secret};
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < E8_COUNT(secrets); i++) {
        rc = e8_signer_check(c->options.scheme, &secrets[i], secrets[i] ? 1 : 0, err);
    }
    return rc;
}

/* A probe sends once, and waits longer than the deadline, so that it can tell late from never, and long enough for bodies that
 * are sent slowly. */
static void set_endpoints(struct e8_checker *c)
{
    struct e8_plan *plan = e8_check_plan(c->check);
    e8_dur_ns wait = 2 * c->options.deadline;
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        struct e8_endpoint *endpoint = &plan->endpoints[i];
        endpoint->scheme = c->options.scheme;
        endpoint->timeout = wait > WAIT_MIN ? wait : WAIT_MIN;
        endpoint->retry.attempts = 1;
        if (c->header_count) {
            endpoint->headers = c->headers;
            endpoint->header_count = c->header_count;
        }
    }
}

static enum e8_rc load(struct e8_checker *c, struct e8_errs *errs)
{
    struct e8_err err = {0};
    const char *profile = e8_arg(c->args, "profile");
    enum e8_rc rc = read_options(c, errs);
    if (!rc && check_signers(c, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    rc = rc ? rc : e8_check_load(c->catalog, &c->options, &c->check, errs);
    rc = rc || !profile ? rc : e8_check_profile(c->check, profile, errs);
    if (!rc && e8_check_choose(c->check, c->only, c->skip, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    if (!rc) {
        set_endpoints(c);
        e8_check_prepare(c->check);
    }
    return rc;
}

static int list(const struct e8_checker *c)
{
    struct e8_buf text;
    e8_buf_init(&text, SIZE_MAX / 2);
    e8_check_list(c->check, c->format == E8_RESULTS_JSON, &text);
    fwrite(text.p, 1, text.n, stdout);
    e8_buf_fini(&text);
    return E8_EXIT_PASS;
}

int e8_cmd_check(const struct e8_args *args)
{
    struct e8_checker c = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    if (e8_cli_catalog(args, &c.catalog, &code)) {
        code = load(&c, &errs)            ? e8_exit_errs(&errs)
               : e8_arg_set(args, "list") ? list(&c)
                                          : e8_checker_run(&c);
    }
    e8_errs_fini(&errs);
    e8_check_free(&c.check);
    e8_stats_free(&c.result.stats);
    free(c.result.expected);
    e8_hist_free(&c.result.spread);
    e8_cli_reach_fini(&c.reach);
    e8_cli_secrets_fini(&c.secrets);
    e8_secret_free(&c.next_secret);
    free(c.headers);
    free(c.checks);
    free(c.only);
    free(c.skip);
    e8_doc_free(&c.scheme_doc);
    e8_catalog_free(&c.catalog);
    e8_arena_free(&c.arena);
    return code;
}
