/* The layout is documented by results.schema.json. */
#include "doc/json.h"
#include "results/internal.h"

enum { SCHEMA_VERSION = 1 };

static void put_line(struct e8_json *w, const char *key, const char *text)
{
    struct e8_buf clean;
    if (!text) {
        e8_json_null(w, key);
        return;
    }
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    e8_json_str(w, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_message(struct e8_json *w, const char *key, struct e8_str message)
{
    struct e8_buf clean;
    if (message.n == 0) {
        e8_json_null(w, key);
        return;
    }
    e8_buf_init(&clean, 1 << 20);
    e8_clean_message(&clean, message, BODY_KEPT);
    e8_json_str(w, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_command(struct e8_json *w, const char *key, const char *command)
{
    struct e8_buf clean;
    if (!command) {
        e8_json_null(w, key);
        return;
    }
    e8_buf_init(&clean, 1 << 20);
    e8_clean_command(&clean, command);
    e8_json_str(w, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_ms(struct e8_json *w, const char *key, e8_dur_ns dur)
{
    e8_json_num(w, key, (double)dur / (double)E8_NS_MS, 6);
}

static void put_exhibits(struct e8_json *w, const struct e8_result *result)
{
    size_t shown = result->exhibit_count < EXHIBITS_MOST ? result->exhibit_count : EXHIBITS_MOST;
    e8_json_array(w, "exchanges");
    for (size_t i = 0; i < shown; i++) {
        const struct e8_exhibit *exhibit = &result->exhibits[i];
        e8_json_object(w, NULL);
        put_line(w, "step", exhibit->step);
        put_message(w, "request", exhibit->request);
        put_message(w, "answer", exhibit->answer);
        put_line(w, "expected", exhibit->expected);
        put_line(w, "got", exhibit->got);
        put_command(w, "curl", exhibit->curl);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
    e8_json_int(w, "exchanges_left_out", (int64_t)(result->exhibit_count - shown));
}

static void put_result(struct e8_json *w, const struct e8_result *result)
{
    e8_json_object(w, NULL);
    put_line(w, "id", result->id);
    put_line(w, "group", result->group);
    put_line(w, "title", result->title);
    e8_json_cstr(w, "result", e8_result_words[result->kind].name);
    put_line(w, "reason", result->reason);
    put_line(w, "why", result->why);
    put_line(w, "mend", result->mend);
    put_line(w, "override", result->override);
    put_command(w, "reproduce", result->reproduce);
    put_ms(w, "took_ms", result->took);
    put_exhibits(w, result);
    e8_json_end(w, '}');
}

static void put_counts(struct e8_json *w, const struct e8_results *results)
{
    e8_json_object(w, "counts");
    for (int kind = E8_RESULT_PASS; kind <= E8_RESULT_REPORT; kind++)
        e8_json_int(w, e8_result_words[kind].name,
                    (int64_t)e8_results_count(results, (enum e8_result_kind)kind));
    e8_json_end(w, '}');
}

static void put_properties(struct e8_json *w, const struct e8_results *results)
{
    e8_json_object(w, "properties");
    for (const char *const *p = results->properties; p && p[0] && p[1]; p += 2)
        put_line(w, p[0], p[1]);
    e8_json_end(w, '}');
}

void e8_results_json(const struct e8_results *results, struct e8_buf *buf, FILE *out)
{
    char started[E8_RFC3339_MAX];
    struct e8_json json = e8_json_new(buf, 2), *w = &json;
    e8_wall_format(results->started, 6, started);
    e8_json_object(w, NULL);
    e8_json_int(w, "schema_version", SCHEMA_VERSION);
    put_line(w, "suite", results->suite);
    put_line(w, "target", results->target);
    e8_json_cstr(w, "started", started);
    put_ms(w, "took_ms", results->took);
    e8_json_cstr(w, "verdict", e8_verdict_words[results->verdict].name);
    put_line(w, "reason", results->reason);
    put_counts(w, results);
    put_properties(w, results);
    e8_json_array(w, "results");
    for (size_t i = 0; i < results->count; i++) {
        put_result(w, &results->list[i]);
        e8_results_spill(buf, out);
    }
    e8_json_end(w, ']');
    e8_json_end(w, '}');
    e8_buf_putc(buf, '\n');
}
