#include <string.h>
#include <unistd.h>

#include "cli/checker.h"
#include "cli/outputs.h"

static const struct e8_cli_file files[] = {
    {"report-tap", E8_RESULTS_TAP},   {"report-junit", E8_RESULTS_JUNIT},
    {"report-json", E8_RESULTS_JSON}, {"report-markdown", E8_RESULTS_MARKDOWN},
    {"report-text", E8_RESULTS_TEXT},
};

static enum e8_rc write_results(const void *results, int format, FILE *out)
{
    return e8_results_write(results, (enum e8_results_format)format, (struct e8_style){100, false}, out);
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

/* ---- results ---- */

/* Quoted only where it must be: the line is to be read. */
static void put_word(struct e8_buf *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_";
    if (*text && text[strspn(text, plain)] == '\0') {
        e8_buf_puts(out, text);
    } else {
        e8_buf_put_quoted(out, e8_str(text));
    }
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
    put_word(out, e8_buf_cstr(&shown));
    e8_buf_fini(&shown);
}

static const char *reproduce(struct e8_checker *c)
{
    struct e8_buf out;
    e8_buf_init(&out, 64 << 10);
    e8_buf_puts(&out, "emit8 check --to ");
    put_word(&out, e8_cli_redacted(c->arena, e8_arg(c->args, "to")));
    for (size_t i = 0; i < c->args->set_count; i++) {
        const struct e8_option *option = c->args->set[i].option;
        const char *value = c->args->set[i].value;
        if (strcmp(option->name, "header") == 0) {
            put_header(&out, value);
        } else if (is_repeated(option->name)) {
            e8_buf_printf(&out, " --%s%s", option->name, value ? " " : "");
            if (value) {
                put_word(&out, strstr(value, "://") ? e8_cli_redacted(c->arena, value) : value);
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
    if (e8_cli_files_write(c->args, files, E8_COUNT(files), write_results, results, &err)) {
        code = e8_exit_error(&err);
    }
    if (!e8_cli_stdout_of(c->args)) {
        e8_results_write(results, c->format, e8_cli_style(c->args, stdout), stdout);
    }
    return code;
}

int e8_checker_run(struct e8_checker *c)
{
    struct e8_err err = {0};
    const char *path = NULL;
    int code = E8_EXIT_PASS;
    if (!c->secrets.count) {
        fputs("emit8: not signed: no secret; give --secret-file or EMIT8_SECRET\n", stderr);
    }
    e8_signals_init();
    enum e8_rc rc = e8_cli_files_check(c->args, files, E8_COUNT(files), &err);
    rc = rc ? rc : e8_transport_init(&err);
    rc = rc ? rc : check_targets(c, &err);
    if (!rc) {
        e8_cli_facts(c->args, e8_check_plan(c->check), c->catalog, c->arena, &c->facts);
        rc = e8_cli_log(c->args, c->arena, &c->facts, &c->log, &path, &err);
    }
    rc = rc ? rc : run_engine(c, &err);
    if (rc) {
        code = e8_exit_error(&err);
        if (c->log) {
            e8_dlog_finish(&c->log, &c->facts, NULL);
        }
        return code;
    }
    e8_cli_facts_end(&c->result, NULL, c->arena, &c->facts);
    rc = c->log ? e8_dlog_finish(&c->log, &c->facts, &err) : E8_OK;
    code = report(c);
    return rc ? e8_exit_error(&err) : code;
}
