#include <errno.h>
#include <string.h>

#include "cli/kept.h"
#include "cli/notes.h"
#include "cli/outputs.h"

static const char *joined_names(struct e8_arena *arena, const char *const *names)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    for (size_t i = 0; names && names[i]; i++) {
        e8_buf_puts(&text, i ? " " : "");
        e8_buf_puts(&text, names[i]);
    }
    if (!text.n) {
        e8_buf_puts(&text, "*");
    }
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

const char *e8_cli_redacted(struct e8_arena *arena, const char *url)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(url), &text);
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static void describe_endpoints(const struct e8_plan *plan, struct e8_arena *arena, struct e8_log_run *out)
{
    struct e8_log_endpoint *endpoints = e8_arena_alloc(arena, (plan->endpoint_count + 1) * sizeof *endpoints);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        endpoints[i] = (struct e8_log_endpoint){
            .name = endpoint->name,
            .url = e8_cli_redacted(arena, endpoint->url),
            .scheme = endpoint->secret_count ? endpoint->scheme->name : "none",
            .events = joined_names(arena, endpoint->subscription.patterns),
            .environments = joined_names(arena, endpoint->subscription.environments),
            .timeout = endpoint->timeout,
            .attempts = endpoint->retry.attempts,
            .headers = e8_cli_header_names(arena, endpoint->headers, endpoint->header_count),
        };
    }
    out->endpoints = endpoints;
    out->endpoint_count = plan->endpoint_count;
}

static void describe_steps(const struct e8_plan *plan, struct e8_arena *arena, struct e8_log_run *out)
{
    struct e8_log_step *steps = e8_arena_alloc(arena, (plan->emit_count + 1) * sizeof *steps);
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        steps[i] = (struct e8_log_step){
            .type = plan->types[emit->type],
            .environment = emit->environment,
            .edits = emit->json,
            .name = emit->name,
            .body = emit->raw,
        };
    }
    out->steps = steps;
    out->step_count = plan->emit_count;
}

void e8_cli_facts(const struct e8_args *args, const struct e8_plan *plan, const struct e8_catalog *catalog,
                  struct e8_arena *arena, struct e8_log_run *out)
{
    struct e8_buf command;
    e8_buf_init(&command, 64 << 10);
    e8_cli_command(args, &command);
    *out = (struct e8_log_run){
        .name = plan->name,
        .scenario_digest = plan->digest,
        .fixtures_digest = e8_catalog_digest(catalog),
        .version = E8_VERSION,
        .curl_version = e8_transport_curl_version(),
        .command = e8_arena_str(arena, e8_buf_str(&command)).p,
        .seed = plan->seed,
        .started = e8_wall_now(),
        .epoch = e8_mono_now(),
        .workers = 1,
        .insecure = e8_arg_set(args, "insecure"),
        .types = plan->types,
        .type_count = plan->type_count,
        .shard = plan->shard.number,
        .shards = plan->shard.count,
    };
    if (plan->shard.count) {
        out->plan = e8_arena_printf(arena, "%016llx", (unsigned long long)e8_plan_fingerprint(plan));
    }
    describe_endpoints(plan, arena, out);
    describe_steps(plan, arena, out);
    e8_buf_fini(&command);
}

/* Facts of the run's end that have no place of their own, as JSON. */
static const char *notes_of(const struct e8_engine_result *result, const struct e8_report_more *more,
                            struct e8_arena *arena)
{
    const struct e8_transport_counts *counts = &result->transport;
    struct e8_buf text;
    e8_buf_init(&text, E8_NOTES_MAX);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_json_int(&w, "connections", (int64_t)counts->connections);
    e8_json_int(&w, "reused", (int64_t)counts->reused);
    e8_json_int(&w, "handshakes", (int64_t)counts->handshakes);
    e8_json_int(&w, "handshakes_resumed", (int64_t)counts->resumed);
    e8_json_int(&w, "idle_closed", (int64_t)counts->idle_closed);
    e8_json_int(&w, "idle_bytes", (int64_t)counts->idle_bytes);
    e8_json_int(&w, "http2_goaways", (int64_t)counts->goaways);
    e8_json_int(&w, "http2_refused_streams", (int64_t)counts->refused);
    e8_json_int(&w, "http2_answers", (int64_t)counts->over_h2);
    e8_json_int(&w, "http2_declined", (int64_t)counts->declined_h2);
    e8_json_int(&w, "multi_rebuilt", (int64_t)counts->rebuilt);
    e8_json_int(&w, "endpoints_disabled", (int64_t)result->disabled);
    if (more) {
        e8_notes_write(more, &w);
    }
    e8_json_end(&w, '}');
    const char *notes = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return notes;
}

void e8_cli_facts_end(const struct e8_engine_result *result, const struct e8_report_more *more,
                      struct e8_arena *arena, struct e8_log_run *facts)
{
    const struct e8_counts *n = &e8_stats_all(result->stats)->n;
    facts->ended = facts->started + (e8_mono_now() - facts->epoch);
    facts->planned = n->planned;
    facts->dropped = n->dropped;
    facts->aborted = n->aborted;
    facts->stalls = result->stalls;
    facts->timer_floor = result->timer_floor;
    facts->interrupted = result->interrupted || result->log_failed;
    facts->notes = notes_of(result, more, arena);
    facts->stats = result->stats;
}

enum e8_rc e8_cli_log_open(const struct e8_args *args, struct e8_arena *arena, unsigned workers,
                           struct e8_dlog **out, const char **path, struct e8_err *err)
{
    struct e8_buf text;
    enum e8_rc rc = E8_OK;
    if (e8_arg_set(args, "no-log")) {
        return E8_OK;
    }
    e8_buf_init(&text, 4096);
    if (e8_arg(args, "log")) {
        e8_buf_puts(&text, e8_arg(args, "log"));
    } else {
        rc = e8_dlog_default_path(&text, err);
    }
    *path = e8_arena_str(arena, e8_buf_str(&text)).p;
    if (!rc && strcmp(*path, "-") == 0) {
        rc = e8_fail(err, E8_INPUT, "name a file, or --no-log", "--log - cannot go to stdout");
    }
    rc = rc ? rc : e8_dlog_open(*path, workers, out, err);
    e8_buf_fini(&text);
    return rc;
}

enum e8_rc e8_cli_log(const struct e8_args *args, struct e8_arena *arena, struct e8_log_run *facts,
                      struct e8_dlog **out, const char **path, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_log_open(args, arena, facts->workers, out, path, err);
    return rc || !*out ? rc : e8_dlog_begin(*out, facts, err);
}

enum e8_rc e8_cli_files_check(const struct e8_args *args, const struct e8_cli_file *files, size_t count,
                              struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < count; i++) {
        const char *path = e8_arg(args, files[i].option);
        rc = path ? e8_cli_may_write(files[i].option, path, err) : E8_OK;
    }
    return rc;
}

/* A failure of stdout is told at the end, for all that goes there. */
static enum e8_rc write_file(const char *path, int format, e8_cli_write_fn *write, const void *content,
                             struct e8_err *err)
{
    if (strcmp(path, "-") == 0) {
        enum e8_rc rc = write(content, format, stdout);
        return !rc || ferror(stdout) ? E8_OK : e8_fail(err, rc, NULL, "what stands on stdout is not whole");
    }
    FILE *out = fopen(path, "we");
    if (!out) {
        return e8_fail(err, E8_ENV, NULL, "%s: it cannot be written: %s", path, strerror(errno));
    }
    enum e8_rc rc = write(content, format, out);
    if (fclose(out) != 0 || rc) {
        return e8_fail(err, E8_ENV, "is the disk full?", "%s: it could not be written whole", path);
    }
    return E8_OK;
}

enum e8_rc e8_cli_files_write(const struct e8_args *args, const struct e8_cli_file *files, size_t count,
                              e8_cli_write_fn *write, const void *content, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < count; i++) {
        const char *path = e8_arg(args, files[i].option);
        rc = path ? write_file(path, files[i].format, write, content, err) : E8_OK;
    }
    return rc;
}

static const struct e8_cli_file reports[] = {
    {"report-json", E8_FORMAT_JSON},         {"report-ndjson", E8_FORMAT_NDJSON},
    {"report-csv", E8_FORMAT_CSV},           {"report-text", E8_FORMAT_TEXT},
    {"report-tap", E8_FORMAT_TAP},           {"report-junit", E8_FORMAT_JUNIT},
    {"report-markdown", E8_FORMAT_MARKDOWN}, {"report-html", E8_FORMAT_HTML},
    {"report-shard", E8_FORMAT_SHARD},
};

static size_t count_reports(const struct e8_args *args)
{
    return e8_args_know(args, "report-shard") ? E8_COUNT(reports) : E8_COUNT(reports) - 1;
}

static enum e8_rc write_report(const void *report, int format, FILE *out)
{
    return e8_report_write(report, (enum e8_format)format, (struct e8_style){100, false}, out);
}

enum e8_rc e8_cli_reports_check(const struct e8_args *args, struct e8_err *err)
{
    return e8_cli_files_check(args, reports, count_reports(args), err);
}

enum e8_rc e8_cli_reports_write(const struct e8_args *args, const struct e8_report *report,
                                struct e8_err *err)
{
    return e8_cli_files_write(args, reports, count_reports(args), write_report, report, err);
}
