#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/outputs.h"
#include "cli/target.h"

#define LINES_MAX 50 /* deliveries that are shown one by one without --verbose */

const struct e8_option e8_send_options[] = {
    {"to", 't', "URL", "where to send", E8_OPTION_ENV},
    {"number", 'n', "N", "how many events; default: one of each matching type", 0},
    {"concurrency", 'c', "C", "at most so many in flight; default 1", 0},
    {"rate", 'r', "RATE", "open loop: so many events per time, 100/s", 0},
    {"set", 's', "PATH=VALUE", "change the event: data.channel=web; JSON, or a text (repeatable)",
     E8_OPTION_REPEATS},
    {"remove", 0, "PATH", "remove a member of the event (repeatable)", E8_OPTION_REPEATS},
    {"raw", 0, "FILE", "send this body as it is; - is stdin", E8_OPTION_READS},
    {"dry-run", 0, NULL, "print the requests as they would go out, and as curl commands", 0},
    {"verbose", 'v', NULL, "show every attempt, and the receiver's answers", 0},
    {"environment", 'e', "NAME", "production, staging or development", E8_OPTION_ENV},
    {"seed", 0, "N", "of everything random; the same seed gives the same events", E8_OPTION_ENV},
    {"clock", 0, "TIME", "let the events' time start here", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct sender {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_send_options options;
    struct e8_cli_target target;
    struct e8_edit *edits;
    const char **removes;
    struct e8_buf raw;
    struct e8_plan *plan;
    e8_wall_ns clock;
    uint64_t workers;
    bool verbose, lines;
    pthread_mutex_t lock; /* of stdout */
};

static enum e8_rc parse_set(struct sender *s, const char *text, struct e8_edit *edit, struct e8_err *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        return e8_fail(err, E8_INPUT, "--set data.channel=web", "--set \"%s\" is not PATH=VALUE", text);
    }
    edit->path = (struct e8_str){text, (size_t)(equals - text)};
    edit->value = e8_node_from_text(s->arena, e8_str(equals + 1));
    edit->at = NULL;
    return E8_OK;
}

static enum e8_rc read_edits(struct sender *s, struct e8_err *err)
{
    const char **sets = e8_arg_all(s->args, "set");
    size_t n = 0, m = 0;
    enum e8_rc rc = E8_OK;
    s->removes = e8_arg_all(s->args, "remove");
    while (sets && sets[n]) {
        n++;
    }
    while (s->removes && s->removes[m]) {
        m++;
    }
    s->edits = e8_new(n + m + 1, sizeof *s->edits);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = parse_set(s, sets[i], &s->edits[i], err);
    }
    for (size_t i = 0; i < m; i++) {
        s->edits[n + i].path = e8_str(s->removes[i]);
    }
    s->options.edits = s->edits;
    s->options.edit_count = n + m;
    free(sets);
    return rc;
}

static enum e8_rc read_raw(struct sender *s, struct e8_err *err)
{
    const char *path = e8_arg(s->args, "raw");
    if (!path) {
        return E8_OK;
    }
    if (s->options.edit_count) {
        return e8_fail(err, E8_INPUT, "leave --set and --remove out", "--raw sends the bytes as they are");
    }
    enum e8_rc rc = e8_file_read(path, E8_FILE_MAX, &s->raw, err);
    s->options.raw = (struct e8_str){s->raw.p ? s->raw.p : "", s->raw.n};
    return rc;
}

static enum e8_rc read_numbers(struct sender *s, struct e8_err *err)
{
    uint64_t concurrency = 1;
    bool given;
    enum e8_rc rc = e8_arg_u64(s->args, "number", 1, 1000000000000u, &s->options.times, err);
    rc = rc ? rc : e8_arg_u64(s->args, "concurrency", 1, 1000000, &concurrency, err);
    rc = rc ? rc : e8_arg_rate(s->args, "rate", &s->options.rate, err);
    rc = rc ? rc : e8_cli_seed(s->args, &given, &s->options.seed, err);
    rc = rc ? rc : e8_arg_time(s->args, "clock", &s->clock, err);
    rc = rc ? rc : e8_arg_u64(s->args, "workers", 1, 256, &s->workers, err);
    s->options.open = e8_arg_set(s->args, "rate");
    s->options.concurrency = (uint32_t)concurrency;
    if (!rc && s->options.open && s->options.rate.num == 0) {
        rc = e8_fail(err, E8_INPUT, "100/s, 30/m", "--rate 0 sends nothing");
    }
    return rc;
}

static enum e8_rc make_plan(struct sender *s, struct e8_errs *errs)
{
    struct e8_err err = {0};
    s->options.patterns = s->args->words;
    if (e8_cli_target(s->args, s->catalog, false, &s->target, errs)) {
        return e8_errs_rc(errs);
    }
    s->options.endpoint = s->target.endpoints[0];
    enum e8_rc rc = read_edits(s, &err);
    rc = rc ? rc : read_raw(s, &err);
    rc = rc ? rc : read_numbers(s, &err);
    rc = rc ? rc : e8_cli_environment(s->args, s->catalog, &s->options.environment, &err);
    return rc ? e8_errs_add(errs, &err) : e8_plan_send(s->catalog, &s->options, &s->plan, errs);
}

static void print_clean(struct e8_str text, FILE *out)
{
    struct e8_buf clean;
    e8_buf_init(&clean, E8_BODY_KEEP_MAX * 2);
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        size_t shown = n && text.p[n - 1] == '\r' ? n - 1 : n;
        e8_buf_reset(&clean);
        e8_buf_put_clean(&clean, (struct e8_str){text.p, shown});
        fprintf(out, "  < %s\n", e8_buf_cstr(&clean));
        n += end != NULL;
        text = (struct e8_str){text.p + n, text.n - n};
    }
    e8_buf_fini(&clean);
}

/* On the worker's thread. */
static void show_attempt(void *state, const struct e8_done *done)
{
    const struct e8_attempt *attempt = done->attempt;
    const struct e8_exchange *exchange = done->exchange;
    struct sender *s = state;
    char took[E8_DUR_MAX];
    pthread_mutex_lock(&s->lock);
    if (attempt->status) {
        printf("%3d  ", attempt->status);
    } else {
        printf("---  ");
    }
    printf("%-18s  %-26s %s #%d  %s%s%s\n", e8_outcome_info((enum e8_outcome)attempt->outcome)->name,
           e8_catalog_type(s->catalog, attempt->type)->name, attempt->delivery_id, attempt->number,
           e8_dur_text(e8_response_time(&attempt->times), took), attempt->error[0] ? "  " : "",
           attempt->error);
    if (s->verbose && exchange) {
        print_clean(e8_buf_str(&exchange->head), stdout);
        print_clean(e8_buf_str(&exchange->content), stdout);
    }
    fflush(stdout);
    pthread_mutex_unlock(&s->lock);
}

static bool print_preview(void *state, const struct e8_preview *preview)
{
    (void)state;
    struct e8_buf out;
    struct e8_url url;
    e8_url_parse(e8_str(preview->endpoint->url), &url, NULL);
    e8_buf_init(&out, SIZE_MAX / 2);
    e8_http1_request(&out, E8_LIT("POST"), &url, preview->parts->headers, preview->parts->count,
                     preview->body);
    e8_buf_puts(&out, "\n\n");
    e8_http1_curl(&out, E8_LIT("POST"), e8_str(preview->endpoint->url), preview->parts->headers,
                  preview->parts->count, preview->body);
    e8_buf_puts(&out, "\n\n");
    bool more = fwrite(out.p, 1, out.n, stdout) == out.n;
    e8_buf_fini(&out);
    return more;
}

static int send_plan(struct sender *s)
{
    struct e8_err err = {0};
    e8_cli_target_note(&s->target);
    if (e8_arg_set(s->args, "dry-run")) {
        return e8_preview_plan(s->plan, s->catalog, s->clock ? s->clock : e8_wall_now(), print_preview, s,
                               &err)
                   ? e8_exit_error(&err)
                   : E8_EXIT_PASS;
    }
    uint64_t deliveries = e8_plan_instances(s->plan);
    s->verbose = e8_arg_set(s->args, "verbose");
    enum e8_format format = E8_FORMAT_TEXT;
    const char *name = e8_arg(s->args, "format");
    if (name && e8_report_format(name, &format, &err)) {
        return e8_exit_error(&err);
    }
    const char *other = e8_cli_stdout_of(s->args);
    if (other && s->verbose) {
        e8_fail(&err, E8_INPUT, "leave one of them out, or name a file",
                "--verbose and --%s - both go to stdout", other);
        return e8_exit_error(&err);
    }
    s->lines = (s->verbose || deliveries <= LINES_MAX) && format == E8_FORMAT_TEXT && !other;
    struct e8_cli_run run = {
        .plan = s->plan,
        .catalog = s->catalog,
        .speed = 1,
        .clock = s->clock,
        .workers = s->workers        ? (unsigned)s->workers
                   : deliveries < 64 ? 1
                                     : 0,
        .report = deliveries > 1 || e8_arg_set(s->args, "format"),
        .keep = s->verbose,
        .on_done = s->lines ? show_attempt : NULL,
        .state = s,
    };
    return e8_cli_execute(s->args, &run);
}

int e8_cmd_send(const struct e8_args *args)
{
    struct sender s = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    e8_buf_init(&s.raw, 0);
    pthread_mutex_init(&s.lock, NULL);
    if (e8_cli_catalog(args, &s.catalog, &code)) {
        code = make_plan(&s, &errs) ? e8_exit_errs(&errs) : send_plan(&s);
    }
    e8_errs_fini(&errs);
    e8_plan_free(&s.plan);
    e8_cli_target_fini(&s.target);
    e8_buf_fini(&s.raw);
    free(s.edits);
    free(s.removes);
    e8_catalog_free(&s.catalog);
    pthread_mutex_destroy(&s.lock);
    e8_arena_free(&s.arena);
    return code;
}
