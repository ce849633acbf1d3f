#include <stdlib.h>
#include <string.h>

#include "cli/plan_view.h"
#include "digest/digest.h"
#include "doc/json.h"

#define SIZE_LIMIT 1000000

struct writer {
    const struct e8_plan_view *view;
    bool lines, any;
    uint64_t events;
    struct e8_plan_row last;
    char **edits; /* of each emit, once it was asked for */
    struct e8_buf text, words;
};

static void put_names(struct e8_json *w, const char *key, const char *const *names)
{
    e8_json_array(w, key);
    for (size_t i = 0; names && names[i]; i++) {
        e8_json_cstr(w, NULL, names[i]);
    }
    e8_json_end(w, ']');
}

static void put_endpoint(struct writer *s, struct e8_json *w, const struct e8_endpoint *endpoint)
{
    static const char *const all[] = {"*", NULL};
    e8_buf_reset(&s->words);
    e8_url_redacted(e8_str(endpoint->url), &s->words);
    e8_json_object(w, NULL);
    e8_json_cstr(w, "name", endpoint->name);
    e8_json_str(w, "url", e8_buf_str(&s->words));
    e8_json_cstr(w, "scheme", endpoint->secret_count ? endpoint->scheme->name : NULL);
    put_names(w, "events", endpoint->subscription.patterns ? endpoint->subscription.patterns : all);
    put_names(w, "environments",
              endpoint->subscription.environments ? endpoint->subscription.environments
                                                  : e8_catalog_platform(s->view->catalog)->environments);
    e8_json_end(w, '}');
}

static void put_plan(struct writer *s, struct e8_json *w)
{
    const struct e8_plan *plan = s->view->plan;
    uint64_t events, deliveries;
    bool counted = e8_plan_size(plan, s->view->catalog, SIZE_LIMIT, &events, &deliveries);
    e8_json_cstr(w, "scenario", plan->name);
    e8_json_cstr(w, "description", plan->description);
    e8_json_cstr(w, "digest", plan->digest);
    e8_json_int(w, "seed", (int64_t)plan->seed);
    e8_json_int(w, "clock_ns", s->view->clock);
    if (plan->shard.count) {
        e8_json_object(w, "shard");
        e8_json_int(w, "number", plan->shard.number);
        e8_json_int(w, "count", plan->shard.count);
        e8_json_end(w, '}');
    }
    if (counted) {
        e8_json_int(w, "events", (int64_t)events);
        e8_json_int(w, "deliveries", (int64_t)deliveries);
    } else {
        e8_json_null(w, "events");
        e8_json_null(w, "deliveries");
    }
    e8_json_array(w, "endpoints");
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        put_endpoint(s, w, &plan->endpoints[i]);
    }
    e8_json_end(w, ']');
}

/* Of what the log keeps of a step, its edits alone. */
static const char *edits_of(struct writer *s, const struct e8_emit *emit)
{
    struct e8_doc *doc = NULL;
    if (!emit->json) {
        return NULL;
    }
    if (!s->edits[emit->index]) {
        e8_buf_reset(&s->words);
        const struct e8_node *edits = e8_doc_parse("a step", e8_str(emit->json), E8_DOC_JSON, &doc, NULL)
                                          ? NULL
                                          : e8_node_get(e8_doc_root(doc), "edits");
        if (edits) {
            e8_node_json(edits, &s->words);
        }
        s->edits[emit->index] = e8_dup_str(e8_buf_str(&s->words));
        e8_doc_free(&doc);
    }
    return s->edits[emit->index][0] ? s->edits[emit->index] : NULL;
}

static void put_deliver(struct e8_json *w, const struct e8_deliver *deliver)
{
    if (!deliver->copies && !deliver->reorder && !deliver->drop && !deliver->late && !deliver->burst) {
        return;
    }
    e8_json_object(w, "deliver");
    if (deliver->copies) {
        e8_json_int(w, "duplicate", deliver->copies);
        e8_json_bool(w, "concurrent", deliver->concurrent);
        e8_json_cstr(w, "as", deliver->retried ? "retry" : "replay");
    }
    if (deliver->reorder) {
        e8_json_bool(w, "reorder", true);
    }
    if (deliver->drop) {
        e8_json_bool(w, "drop", true);
    }
    if (deliver->late) {
        e8_json_int(w, "late_ns", deliver->late);
    }
    if (deliver->burst) {
        e8_json_int(w, "burst_ns", deliver->burst);
    }
    e8_json_end(w, '}');
}

static void put_body(struct e8_json *w, const struct e8_plan_row *row)
{
    char hex[65];
    struct e8_buf text;
    e8_buf_fixed(&text, hex, sizeof hex - 1);
    e8_hex_put(&text, row->digest, sizeof row->digest);
    e8_json_int(w, "bytes", (int64_t)row->bytes);
    e8_json_str(w, "body_sha256", e8_buf_str(&text));
}

static void put_event(struct writer *s, struct e8_json *w, const struct e8_plan_row *row)
{
    const struct e8_emit *emit = row->emit;
    const char *edits = edits_of(s, emit);
    e8_json_int(w, "sequence", row->sequence);
    e8_json_int(w, "step", emit->index);
    e8_json_cstr(w, "name", emit->name);
    e8_json_cstr(w, "type", s->view->plan->types[emit->type]);
    e8_json_cstr(w, "environment", emit->environment);
    e8_json_cstr(w, "endpoint", row->endpoint ? row->endpoint->name : NULL);
    if (row->endpoint) {
        e8_json_cstr(w, "event_id", row->event_id);
        e8_json_cstr(w, "delivery_id", row->delivery_id);
        put_body(w, row);
    }
    if (edits) {
        e8_json_raw(w, "edits", e8_str(edits));
    }
    if (emit->again != E8_AGAIN_NO) {
        e8_json_cstr(w, "again", emit->again == E8_AGAIN_RETRY ? "retry" : "replay");
    }
    put_deliver(w, &row->deliver);
    e8_buf_reset(&s->words);
    if (emit->tamper) {
        e8_tamper_text(emit->tamper, &s->words);
        e8_json_str(w, "tamper", e8_buf_str(&s->words));
        e8_buf_reset(&s->words);
    }
    if (emit->expect) {
        e8_expect_text(emit->expect, &s->words);
        e8_json_str(w, "expect", e8_buf_str(&s->words));
    }
}

static void put_step(struct writer *s, struct e8_json *w, const struct e8_step *step)
{
    const struct e8_plan *plan = s->view->plan;
    if (step->kind == E8_STEP_AWAIT) {
        e8_json_cstr(w, "on_failure", e8_on_failure_words(step->await.on_failure));
    } else if (step->kind == E8_STEP_SECRET) {
        e8_json_cstr(w, "endpoint", plan->endpoints[step->secret.endpoint].name);
        if (!step->secret.revoke) {
            e8_json_int(w, "grace_ns", step->secret.grace);
        }
    } else if (step->kind == E8_STEP_EXEC) {
        put_names(w, "command", step->exec.argv);
        e8_json_cstr(w, "on_failure", e8_on_failure_words(step->exec.on_failure));
    } else if (step->kind == E8_STEP_MEASURE) {
        e8_json_bool(w, "after", step->measure.after);
    }
}

static const char *kind_of(const struct e8_plan_row *row)
{
    static const char *const kinds[] = {
        [E8_STEP_AWAIT] = "await", [E8_STEP_EXEC] = "exec", [E8_STEP_MEASURE] = "measure"};
    if (!row->step) {
        return row->endpoint ? "delivery" : "untaken";
    }
    if (row->step->kind == E8_STEP_SECRET) {
        return row->step->secret.revoke ? "revoke" : "rotate";
    }
    return kinds[row->step->kind];
}

static void put_text(struct writer *s)
{
    fwrite(s->text.p, 1, s->text.n, s->view->out);
    e8_buf_reset(&s->text);
}

static bool counts(struct writer *s, const struct e8_plan_row *row)
{
    if (row->step || (s->events && s->last.emit == row->emit && s->last.flow == row->flow &&
                      s->last.instance == row->instance && s->last.sequence == row->sequence &&
                      s->last.offset == row->offset && row->endpoint > s->last.endpoint)) {
        s->last.endpoint = row->step ? s->last.endpoint : row->endpoint;
        return true;
    }
    s->last = *row;
    return s->view->limit == 0 || s->events++ < s->view->limit;
}

static bool write_row(void *state, const struct e8_plan_row *row)
{
    struct writer *s = state;
    if (!counts(s, row)) {
        return false;
    }
    e8_buf_puts(&s->text, s->lines ? "\n" : s->any ? ",\n" : "\n");
    s->any = true;
    struct e8_json w = e8_json_new(&s->text, 0);
    e8_json_object(&w, NULL);
    e8_json_cstr(&w, "kind", kind_of(row));
    e8_json_int(&w, "offset_ns", row->offset);
    e8_json_bool(&w, "at_least", row->at_least);
    e8_json_cstr(&w, "flow", row->flow->name);
    e8_json_int(&w, "instance", (int64_t)row->instance);
    if (row->step) {
        put_step(s, &w, row->step);
    } else {
        put_event(s, &w, row);
    }
    e8_json_end(&w, '}');
    put_text(s);
    return true;
}

enum e8_rc e8_plan_json(const struct e8_plan_view *view, bool lines, struct e8_err *err)
{
    struct writer s = {.view = view, .lines = lines};
    e8_buf_init(&s.text, SIZE_MAX / 2);
    e8_buf_init(&s.words, SIZE_MAX / 2);
    s.edits = e8_new(view->plan->emit_count + 1, sizeof *s.edits);
    e8_buf_puts(&s.text, lines ? "" : "{\"plan\":");
    struct e8_json w = e8_json_new(&s.text, 0);
    e8_json_object(&w, NULL);
    if (lines) {
        e8_json_cstr(&w, "kind", "plan");
    }
    put_plan(&s, &w);
    e8_json_end(&w, '}');
    e8_buf_puts(&s.text, lines ? "" : ",\n\"timeline\":[");
    put_text(&s);
    enum e8_rc rc = e8_plan_rows(view->plan, view->catalog, view->clock, view->limit, write_row, &s, err);
    fputs(lines ? "\n" : "\n]}\n", view->out);
    for (size_t i = 0; i < view->plan->emit_count; i++) {
        free(s.edits[i]);
    }
    free(s.edits);
    e8_buf_fini(&s.text);
    e8_buf_fini(&s.words);
    return rc;
}
