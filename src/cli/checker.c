#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/checker.h"

static const struct {
    const char *option;
    enum e8_results_format format;
} files[] = {
    {"report-tap", E8_RESULTS_TAP},   {"report-junit", E8_RESULTS_JUNIT},
    {"report-json", E8_RESULTS_JSON}, {"report-markdown", E8_RESULTS_MARKDOWN},
    {"report-text", E8_RESULTS_TEXT},
};

/* Before anything is sent: may the files be written? */
static enum e8_rc check_files(const struct e8_checker *c, struct e8_err *err)
{
    for (size_t i = 0; i < E8_COUNT(files); i++) {
        const char *path = e8_arg(c->args, files[i].option);
        FILE *out = path ? fopen(path, "ae") : NULL;
        if (path && !out) {
            return e8_fail(err, E8_INPUT, "a file in a directory that exists and may be written",
                           "--%s %s: %s", files[i].option, path, strerror(errno));
        }
        if (out) {
            fclose(out);
        }
    }
    return E8_OK;
}

static enum e8_rc write_file(const struct e8_results *results, enum e8_results_format format,
                             const char *path, struct e8_err *err)
{
    FILE *out = fopen(path, "we");
    if (!out) {
        return e8_fail(err, E8_ENV, NULL, "%s: the results cannot be written: %s", path, strerror(errno));
    }
    enum e8_rc rc = e8_results_write(results, format, (struct e8_style){100, false}, out);
    if (fclose(out) != 0 || rc) {
        return e8_fail(err, E8_ENV, "is the disk full?", "%s: the results could not be written whole", path);
    }
    return E8_OK;
}

static enum e8_rc check_targets(struct e8_checker *c, struct e8_err *err)
{
    const struct e8_plan *plan = e8_check_plan(c->check);
    char address[64];
    enum e8_rc rc = e8_cli_reach(c->args, plan->allow, &c->reach, err);
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        rc = e8_reach_permits(&c->reach.reach, e8_str(plan->endpoints[i].url), address, err);
    }
    if (!rc && plan->effect && plan->effect->get) {
        rc = e8_reach_permits(&c->reach.reach, e8_str(plan->effect->get), address, err);
    }
    return rc;
}

static const char *redacted(struct e8_checker *c, const char *url)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(url), &text);
    const char *result = e8_arena_str(c->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static void describe_plan(struct e8_checker *c)
{
    const struct e8_plan *plan = e8_check_plan(c->check);
    struct e8_log_endpoint *endpoints =
        e8_arena_alloc(c->arena, (plan->endpoint_count + 1) * sizeof *endpoints);
    struct e8_log_step *steps = e8_arena_alloc(c->arena, (plan->emit_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        endpoints[i] = (struct e8_log_endpoint){
            .name = endpoint->name,
            .url = redacted(c, endpoint->url),
            .scheme = endpoint->secret_count ? endpoint->scheme->name : "none",
            .events = "*",
            .environments = "*",
            .timeout = endpoint->timeout,
            .attempts = endpoint->retry.attempts,
            .headers = e8_cli_header_names(c->arena, endpoint->headers, endpoint->header_count),
        };
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        steps[i] = (struct e8_log_step){plan->types[emit->type], emit->environment, emit->json, emit->raw,
                                        emit->name};
    }
    c->facts.endpoints = endpoints;
    c->facts.endpoint_count = plan->endpoint_count;
    c->facts.steps = steps;
    c->facts.step_count = plan->emit_count;
}

static void describe_run(struct e8_checker *c)
{
    const struct e8_plan *plan = e8_check_plan(c->check);
    struct e8_buf command;
    e8_buf_init(&command, 64 << 10);
    e8_cli_command(c->args, &command);
    c->facts = (struct e8_log_run){
        .name = plan->name,
        .scenario_digest = plan->digest,
        .fixtures_digest = e8_catalog_digest(c->catalog),
        .version = E8_VERSION,
        .curl_version = e8_transport_curl_version(),
        .command = e8_arena_str(c->arena, e8_buf_str(&command)).p,
        .seed = plan->seed,
        .started = e8_wall_now(),
        .epoch = e8_mono_now(),
        .workers = 1,
        .insecure = c->reach.reach.insecure,
        .types = plan->types,
        .type_count = plan->type_count,
    };
    describe_plan(c);
    e8_buf_fini(&command);
}

static enum e8_rc open_log(struct e8_checker *c, struct e8_err *err)
{
    struct e8_buf path;
    enum e8_rc rc = E8_OK;
    if (e8_arg_set(c->args, "no-log")) {
        return E8_OK;
    }
    e8_buf_init(&path, 4096);
    if (e8_arg(c->args, "log")) {
        e8_buf_puts(&path, e8_arg(c->args, "log"));
    } else {
        rc = e8_dlog_default_path(&path, err);
    }
    rc = rc ? rc : e8_dlog_open(e8_buf_cstr(&path), 1, &c->log, err);
    rc = rc ? rc : e8_dlog_begin(c->log, &c->facts, err);
    e8_buf_fini(&path);
    return rc;
}

/* One line, redrawn in place: what is being tried. */
static void show_progress(struct e8_checker *c)
{
    const char *id, *title;
    size_t place = e8_check_current(c->check, &id, &title);
    int width = e8_cli_style(c->args, stderr).width - 1;
    if (place == c->shown) {
        return;
    }
    c->shown = place;
    char line[256];
    struct e8_buf buf;
    e8_buf_fixed(&buf, line, sizeof line - 1);
    e8_buf_printf(&buf, "%zu of %zu  %s  %s", place, e8_check_count(c->check), id, title ? title : "");
    struct e8_str text = {
        line, e8_utf8_valid((struct e8_str){line, buf.n < (size_t)width ? buf.n : (size_t)width})};
    fprintf(stderr, "\r\033[K%.*s", E8_STR(text));
    fflush(stderr);
}

static void take_signal(struct e8_checker *c, struct e8_engine *engine, bool terminal)
{
    int signal = e8_signals_take(0);
    if (signal && c->stopped_by) {
        e8_engine_abort(engine);
    } else if (signal) {
        c->stopped_by = signal;
        e8_engine_stop(engine);
        fprintf(stderr, "%semit8: stopping; waiting for what is under way (again to stop at once)\n",
                terminal ? "\r\033[K" : "");
    }
}

static void watch(struct e8_checker *c, struct e8_engine *engine)
{
    bool terminal = isatty(STDERR_FILENO) != 0 && !e8_arg_set(c->args, "quiet");
    while (!e8_engine_wait(engine, 50 * E8_NS_MS)) {
        take_signal(c, engine, terminal);
        if (terminal && !c->stopped_by) {
            show_progress(c);
        }
    }
    if (terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

static enum e8_rc run_engine(struct e8_checker *c, struct e8_err *err)
{
    struct e8_engine *engine;
    struct e8_engine_options options = {
        .workers = 1,
        .reach = c->reach.reach,
        .log = c->log,
        .epoch = c->facts.epoch,
        .keep = true,
        .trigger = E8_TRIGGER_TEST,
        .exec = true, /* built-in steps, and what the command line allows */
        .on_done = e8_check_done,
        .on_effect = e8_check_effect,
        .state = c->check,
    };
    enum e8_rc rc = e8_engine_start(e8_check_plan(c->check), c->catalog, &options, &engine, err);
    if (!rc) {
        watch(c, engine);
        e8_engine_finish(&engine, &c->result);
    }
    return rc;
}

static enum e8_rc end_log(struct e8_checker *c, struct e8_err *err)
{
    c->facts.ended = c->facts.started + (e8_mono_now() - c->facts.epoch);
    if (c->result.stats) {
        const struct e8_counts *n = &e8_stats_all(c->result.stats)->n;
        c->facts.planned = n->planned;
        c->facts.dropped = n->dropped;
        c->facts.aborted = n->aborted;
        c->facts.stats = c->result.stats;
    }
    c->facts.stalls = c->result.stalls;
    c->facts.timer_floor = c->result.timer_floor;
    c->facts.interrupted = c->result.interrupted || c->result.log_failed;
    return c->log ? e8_dlog_finish(&c->log, &c->facts, err) : E8_OK;
}

/* ---- results ---- */

static void put_quoted(struct e8_buf *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    if (*text && text[strspn(text, plain)] == '\0') {
        e8_buf_puts(out, text);
        return;
    }
    e8_buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'') {
            e8_buf_puts(out, "'\\''");
        } else {
            e8_buf_putc(out, *text);
        }
    }
    e8_buf_putc(out, '\'');
}

/* What chooses or shows is not for a single probe; values of headers may be secret. */
static bool is_repeated(const char *name)
{
    static const char *const others[] = {"only", "skip", "list",   "format", "log",  "no-log",
                                         "seed", "to",   "header", "quiet",  "color"};
    for (size_t i = 0; i < E8_COUNT(others); i++) {
        if (strcmp(name, others[i]) == 0) {
            return false;
        }
    }
    return strncmp(name, "report-", 7) != 0;
}

static void put_header(struct e8_buf *out, const char *line)
{
    const char *colon = strchr(line, ':');
    struct e8_buf shown;
    e8_buf_init(&shown, 8192);
    e8_buf_put(&shown, line, colon ? (size_t)(colon - line) : strlen(line));
    e8_buf_puts(&shown, ": ***");
    e8_buf_puts(out, " -H ");
    put_quoted(out, e8_buf_cstr(&shown));
    e8_buf_fini(&shown);
}

static const char *reproduce(struct e8_checker *c)
{
    struct e8_buf out;
    e8_buf_init(&out, 64 << 10);
    e8_buf_puts(&out, "emit8 check --to ");
    put_quoted(&out, redacted(c, e8_arg(c->args, "to")));
    for (size_t i = 0; i < c->args->set_count; i++) {
        const struct e8_option *option = c->args->set[i].option;
        const char *value = c->args->set[i].value;
        if (strcmp(option->name, "header") == 0) {
            put_header(&out, value);
        } else if (is_repeated(option->name)) {
            e8_buf_printf(&out, " --%s%s", option->name, value ? " " : "");
            if (value) {
                put_quoted(&out, strstr(value, "://") ? redacted(c, value) : value);
            }
        }
    }
    e8_buf_printf(&out, " --seed %llu", (unsigned long long)e8_check_plan(c->check)->seed);
    const char *kept = e8_arena_str(c->arena, e8_buf_str(&out)).p;
    e8_buf_fini(&out);
    return kept;
}

static const char *const *properties(struct e8_checker *c)
{
    const char **list = e8_arena_alloc(c->arena, 12 * sizeof *list);
    char deadline[E8_DUR_MAX];
    size_t n = 0;
    list[n++] = "seed";
    list[n++] = e8_arena_printf(c->arena, "%llu", (unsigned long long)e8_check_plan(c->check)->seed);
    list[n++] = "scheme";
    list[n++] = c->secrets.count ? c->options.scheme->name : "none: no secret was given";
    list[n++] = "deadline";
    list[n++] = e8_arena_printf(c->arena, "%s", e8_dur_text(c->options.deadline, deadline));
    list[n++] = "emit8";
    list[n++] = E8_VERSION;
    if (c->reach.reach.insecure) {
        list[n++] = "insecure";
        list[n++] = "the receiver's certificate was not verified";
    }
    list[n] = NULL;
    return list;
}

static int report(struct e8_checker *c)
{
    static const int codes[] = {[E8_RESULTS_PASS] = E8_EXIT_PASS,
                                [E8_RESULTS_FAIL] = E8_EXIT_FAIL,
                                [E8_RESULTS_INVALID] = E8_EXIT_INVALID};
    struct e8_check_ended ended = {
        .interrupted = c->stopped_by != 0,
        .reproduce = reproduce(c),
        .properties = properties(c),
        .started = c->facts.started,
        .took = c->facts.ended - c->facts.started,
    };
    struct e8_err err = {0};
    const struct e8_results *results = e8_check_results(c->check, &ended);
    int code = c->stopped_by ? 128 + c->stopped_by : codes[results->verdict];
    for (size_t i = 0; i < E8_COUNT(files); i++) {
        const char *path = e8_arg(c->args, files[i].option);
        if (path && write_file(results, files[i].format, path, &err)) {
            code = e8_exit_error(&err);
        }
    }
    e8_results_write(results, c->format, e8_cli_style(c->args, stdout), stdout);
    return code;
}

int e8_checker_run(struct e8_checker *c)
{
    struct e8_err err = {0};
    int code = E8_EXIT_PASS;
    if (!c->secrets.count && !e8_arg_set(c->args, "quiet")) {
        fputs("emit8: not signed: no secret; give --secret-file or EMIT8_SECRET\n", stderr);
    }
    e8_signals_init();
    enum e8_rc rc = check_files(c, &err);
    rc = rc ? rc : e8_transport_init(&err);
    rc = rc ? rc : check_targets(c, &err);
    if (!rc) {
        describe_run(c);
        rc = open_log(c, &err);
    }
    rc = rc ? rc : run_engine(c, &err);
    if (rc) {
        code = e8_exit_error(&err);
        if (c->log) {
            e8_dlog_finish(&c->log, &c->facts, NULL);
        }
        return code;
    }
    rc = end_log(c, &err);
    code = report(c);
    return rc ? e8_exit_error(&err) : code;
}
