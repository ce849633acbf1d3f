#include "platform/api.h"

void e8_json_time(struct e8_json *w, const char *key, e8_wall_ns at)
{
    char text[E8_RFC3339_MAX];
    if (at) {
        e8_wall_format(at, 3, text);
    }
    e8_json_cstr(w, key, at ? text : NULL);
}

void e8_json_ms(struct e8_json *w, const char *key, e8_dur_ns duration)
{
    if (duration < 0) {
        e8_json_null(w, key);
    } else if (duration % E8_NS_MS == 0) {
        e8_json_int(w, key, duration / E8_NS_MS);
    } else {
        e8_json_num(w, key, (double)duration / (double)E8_NS_MS, 3);
    }
}

void e8_json_status(struct e8_json *w, const char *key, int status)
{
    if (status) {
        e8_json_int(w, key, status);
    } else {
        e8_json_null(w, key);
    }
}

void e8_json_url(struct e8_json *w, const char *key, const char *url)
{
    struct e8_buf text;
    if (!url) {
        e8_json_null(w, key);
        return;
    }
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(url), &text);
    e8_json_str(w, key, e8_buf_str(&text));
    e8_buf_fini(&text);
}

const char *const e8_state_names[] = {
    [E8_STATE_PENDING] = "pending",     [E8_STATE_DELIVERED] = "delivered", [E8_STATE_FAILED] = "failed",
    [E8_STATE_CANCELLED] = "cancelled", [E8_STATE_CANCELLED + 1] = NULL,
};

void e8_json_row_members(struct e8_json *w, const struct e8_store_row *row)
{
    e8_json_cstr(w, "id", row->id);
    e8_json_cstr(w, "event_id", row->event_id);
    e8_json_cstr(w, "type", row->type);
    e8_json_cstr(w, "environment", row->environment);
    e8_json_cstr(w, "webhook_id", row->webhook);
    e8_json_url(w, "url", row->url);
    e8_json_bool(w, "webhook_deleted", row->deleted);
    e8_json_bool(w, "test", row->test);
    e8_json_cstr(w, "run_id", row->run);
    e8_json_cstr(w, "state", e8_state_names[row->state]);
    e8_json_int(w, "attempts", row->attempts);
    e8_json_status(w, "status", row->status);
    e8_json_cstr(w, "outcome", row->outcome);
    e8_json_cstr(w, "error", row->error && row->error[0] ? row->error : NULL);
    e8_json_ms(w, "response_time_ms", row->response_time);
    e8_json_ms(w, "waited_ms", row->waited);
    e8_json_time(w, "created_at", row->created);
    e8_json_time(w, "updated_at", row->updated);
    e8_json_time(w, "next_attempt_at", row->next);
    e8_json_cstr(w, "waiting_for", row->held ? "endpoint_enabled" : NULL);
    e8_json_int(w, "position", row->row);
}

void e8_json_row(struct e8_json *w, const char *key, const struct e8_store_row *row)
{
    e8_json_object(w, key);
    e8_json_row_members(w, row);
    e8_json_end(w, '}');
}

void e8_json_retry(struct e8_json *w, const char *key, const struct e8_retry_policy *retry)
{
    static const char *const jitters[] = {
        [E8_JITTER_FULL] = "full", [E8_JITTER_NONE] = "none", [E8_JITTER_EQUAL] = "equal"};
    e8_json_object(w, key);
    e8_json_int(w, "attempts", retry->attempts);
    e8_json_ms(w, "base_ms", retry->base);
    e8_json_num(w, "factor", retry->factor, 3);
    e8_json_ms(w, "cap_ms", retry->cap);
    e8_json_cstr(w, "jitter", jitters[retry->jitter]);
    e8_json_end(w, '}');
}
