#include "cli/execute.h"
#include "doc/json.h"

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

static const char *redacted(struct e8_arena *arena, const char *url)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(url), &text);
    const char *result = e8_arena_str(arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static void describe_plan(struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    x->endpoints = e8_arena_alloc(x->arena, (plan->endpoint_count + 1) * sizeof *x->endpoints);
    x->steps = e8_arena_alloc(x->arena, (plan->emit_count + 1) * sizeof *x->steps);
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        const struct e8_endpoint *endpoint = &plan->endpoints[i];
        x->endpoints[i] = (struct e8_log_endpoint){
            .name = endpoint->name,
            .url = redacted(x->arena, endpoint->url),
            .scheme = endpoint->secret_count ? endpoint->scheme->name : "none",
            .events = joined_names(x->arena, endpoint->subscription.patterns),
            .environments = joined_names(x->arena, endpoint->subscription.environments),
            .timeout = endpoint->timeout,
            .attempts = endpoint->retry.attempts,
            .headers = e8_cli_header_names(x->arena, endpoint->headers, endpoint->header_count),
        };
    }
    for (size_t i = 0; i < plan->emit_count; i++) {
        const struct e8_emit *emit = &plan->emits[i];
        x->steps[i] = (struct e8_log_step){
            .type = plan->types[emit->type],
            .environment = emit->environment,
            .edits = emit->json,
            .name = emit->name,
            .body = emit->raw,
        };
    }
}

void e8_execution_describe(struct execution *x)
{
    const struct e8_plan *plan = x->run->plan;
    struct e8_buf command;
    e8_buf_init(&command, 64 << 10);
    e8_cli_command(x->args, &command);
    describe_plan(x);
    x->facts = (struct e8_log_run){
        .name = plan->name,
        .scenario_digest = plan->digest,
        .fixtures_digest = e8_catalog_digest(x->run->catalog),
        .version = E8_VERSION,
        .curl_version = e8_transport_curl_version(),
        .command = e8_arena_str(x->arena, e8_buf_str(&command)).p,
        .seed = plan->seed,
        .started = e8_wall_now(),
        .epoch = e8_mono_now(),
        .workers = x->run->workers,
        .insecure = x->reach.reach.insecure,
        .endpoints = x->endpoints,
        .endpoint_count = plan->endpoint_count,
        .steps = x->steps,
        .step_count = plan->emit_count,
        .types = plan->types,
        .type_count = plan->type_count,
        .thresholds = x->threshold_texts,
        .resumes = x->run->resumes,
        .over = x->run->done ? e8_done_count(x->run->done) : 0,
        .clock = x->run->clock,
        .speed = x->run->speed,
    };
    e8_buf_fini(&command);
}

const char *e8_execution_notes(struct execution *x)
{
    const struct e8_transport_counts *counts = &x->result.transport;
    struct e8_buf text;
    e8_buf_init(&text, 4096);
    struct e8_json w = e8_json_new(&text, 0);
    e8_json_object(&w, NULL);
    e8_json_int(&w, "connections", (int64_t)counts->connections);
    e8_json_int(&w, "reused", (int64_t)counts->reused);
    e8_json_int(&w, "handshakes", (int64_t)counts->handshakes);
    e8_json_int(&w, "handshakes_resumed", (int64_t)counts->resumed);
    e8_json_int(&w, "idle_closed", (int64_t)counts->idle_closed);
    e8_json_int(&w, "idle_bytes", (int64_t)counts->idle_bytes);
    e8_json_int(&w, "multi_rebuilt", (int64_t)counts->rebuilt);
    e8_json_int(&w, "endpoints_disabled", (int64_t)x->result.disabled);
    e8_json_end(&w, '}');
    const char *notes = e8_arena_str(x->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return notes;
}
