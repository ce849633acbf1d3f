/* A shard's result on one line, whole enough to be merged exactly: the facts of its run, its notes, its statistics. */
#include "doc/json.h"
#include "report/parts.h"

enum { SHARD_VERSION = 1 };

static void put_unsigned(struct e8_json *w, const char *key, uint64_t value)
{
    char text[E8_NUMBER_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, text, sizeof(text));
    e8_buf_putu(&buf, value);
    e8_json_str(w, key, e8_buf_str(&buf));
}

static void put_run(struct e8_json *w, const struct e8_log_run *run)
{
    e8_json_object(w, "run");
    e8_json_cstr(w, "name", run->name);
    e8_json_cstr(w, "scenario_digest", run->scenario_digest);
    e8_json_cstr(w, "fixtures_digest", run->fixtures_digest);
    e8_json_cstr(w, "version", run->version);
    e8_json_cstr(w, "curl_version", run->curl_version);
    e8_json_cstr(w, "command", run->command);
    put_unsigned(w, "seed", run->seed);
    e8_json_cstr(w, "plan", run->plan);
    e8_json_int(w, "started", run->started);
    e8_json_int(w, "ended", run->ended);
    e8_json_int(w, "clock", run->clock);
    e8_json_num(w, "speed", run->speed, 9);
    e8_json_int(w, "workers", run->workers);
    e8_json_bool(w, "insecure", run->insecure);
    e8_json_bool(w, "interrupted", run->interrupted);
    e8_json_int(w, "planned", (int64_t)run->planned);
    e8_json_int(w, "dropped", (int64_t)run->dropped);
    e8_json_int(w, "aborted", (int64_t)run->aborted);
    e8_json_int(w, "stalls", (int64_t)run->stalls);
    e8_json_int(w, "timer_floor", run->timer_floor);
    e8_json_end(w, '}');
}

static void put_endpoints(struct e8_json *w, const struct e8_log_run *run)
{
    e8_json_array(w, "endpoints");
    for (size_t i = 0; i < run->endpoint_count; i++) {
        const struct e8_log_endpoint *endpoint = &run->endpoints[i];
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", endpoint->name);
        e8_json_cstr(w, "url", endpoint->url);
        e8_json_cstr(w, "scheme", endpoint->scheme);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_texts(struct e8_json *w, const char *key, const char *const *texts, size_t count)
{
    e8_json_array(w, key);
    for (size_t i = 0; texts && i < count && texts[i]; i++)
        e8_json_cstr(w, NULL, texts[i]);
    e8_json_end(w, ']');
}

void e8_report_shard(const struct e8_report *report, struct e8_buf *out)
{
    const struct e8_log_run *run = report->run;
    struct e8_json json = e8_json_new(out, 0), *w = &json;
    e8_json_object(w, NULL);
    e8_json_int(w, "emit8_shard", SHARD_VERSION);
    e8_json_int(w, "number", run->shard);
    e8_json_int(w, "count", run->shards);
    put_run(w, run);
    put_endpoints(w, run);
    put_texts(w, "types", run->types, run->type_count);
    put_texts(w, "thresholds", run->thresholds, SIZE_MAX);
    e8_json_raw(w, "notes", e8_str(run->notes && run->notes[0] ? run->notes : "{}"));
    e8_stats_put(report->stats, run->started - run->epoch, w, "stats");
    e8_json_end(w, '}');
    e8_buf_putc(out, '\n');
}
