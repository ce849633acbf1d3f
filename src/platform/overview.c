#include "platform/api.h"

#define MINUTE     (60 * E8_NS_S)
#define SLICES_MAX 3000
#define SLICES     360 /* at most, where the step is ours to choose */

static void put_slice(struct e8_json *w, const char *key, const struct e8_store_slice *slice, bool timed)
{
    e8_json_object(w, key);
    if (timed) {
        e8_json_time(w, "at", slice->at);
    }
    e8_json_int(w, "attempts", (int64_t)slice->attempts);
    e8_json_int(w, "delivered", (int64_t)slice->delivered);
    e8_json_int(w, "failed", (int64_t)slice->failed);
    e8_json_int(w, "late", (int64_t)slice->late);
    e8_json_ms(w, "p50_ms", slice->p50);
    e8_json_ms(w, "p90_ms", slice->p90);
    e8_json_ms(w, "p99_ms", slice->p99);
    e8_json_end(w, '}');
}

/* webhooks: the names are ids, whose URLs are told as well. */
static void put_shares(struct e8_json *w, const char *key, const struct e8_store_shares *shares,
                       bool webhooks)
{
    e8_json_array(w, key);
    for (size_t i = 0; i < shares->count; i++) {
        const struct e8_store_share *share = &shares->list[i];
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", share->name);
        if (webhooks) {
            e8_json_url(w, "url", share->url);
            e8_json_bool(w, "deleted", share->deleted);
        }
        e8_json_int(w, "attempts", (int64_t)share->attempts);
        e8_json_int(w, "delivered", (int64_t)share->delivered);
        e8_json_ms(w, "p50_ms", share->p50);
        e8_json_ms(w, "p99_ms", share->p99);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

static void put_latency(struct e8_json *w, const struct e8_store_overview *overview)
{
    e8_json_array(w, "latency");
    for (size_t i = 0; i < overview->latency_count; i++) {
        e8_json_object(w, NULL);
        e8_json_ms(w, "upto_ms", overview->latency[i].upto);
        e8_json_int(w, "attempts", (int64_t)overview->latency[i].attempts);
        e8_json_end(w, '}');
    }
    e8_json_end(w, ']');
}

struct frame {
    e8_wall_ns since, until;
    e8_dur_ns step; /* -1: not given */
};

/* What people divide time by; of long times so many days. */
static e8_dur_ns step_for(e8_dur_ns length)
{
    static const e8_dur_ns minutes[] = {1, 5, 15, 30, 60, 120, 360, 720};
    const e8_dur_ns day = 1440 * MINUTE;
    for (size_t i = 0; i < E8_COUNT(minutes); i++) {
        if (length <= SLICES * minutes[i] * MINUTE) {
            return minutes[i] * MINUTE;
        }
    }
    return (length / SLICES / day + 1) * day;
}

static void read_frame(struct e8_call *call, struct frame *frame)
{
    e8_call_query_time(call, "since", &frame->since);
    e8_call_query_time(call, "until", &frame->until);
    e8_call_query_dur(call, "step", &frame->step);
    if (e8_call_faulty(call)) {
        return;
    }
    if (!frame->since) {
        frame->since = frame->until - 3600 * E8_NS_S;
    }
    if (frame->since >= frame->until) {
        e8_call_fault_at(call, "since", "an earlier since, or a later until", "this must be before until");
        return;
    }
    frame->step = frame->step >= 0 ? frame->step : step_for(frame->until - frame->since);
    if (frame->step < MINUTE || frame->step % MINUTE) {
        e8_call_fault_at(call, "step", "1m, 5m, 1h", "this must be whole minutes");
    } else if ((frame->until - frame->since) / frame->step > SLICES_MAX) {
        e8_call_fault_at(call, "step", "a longer step, or a shorter time",
                         "there would be more than %d steps", SLICES_MAX);
    }
}

void e8_overview_get(struct e8_call *call)
{
    struct frame frame = {.until = call->now, .step = -1};
    const char *webhook = e8_call_query_webhook(call);
    struct e8_store_overview overview;
    struct e8_err err = {0};
    read_frame(call, &frame);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    enum e8_rc rc = e8_store_overview(call->server->store, frame.since, frame.until, frame.step, webhook,
                                      call->arena, &overview, &err);
    if (rc) {
        e8_call_fail_err(call, 503, &err);
        return;
    }
    struct e8_json *w = e8_call_begin(call, 200);
    e8_json_object(w, "data");
    e8_json_time(w, "since", frame.since);
    e8_json_time(w, "until", frame.until);
    e8_json_ms(w, "step_ms", frame.step);
    put_slice(w, "totals", &overview.all, false);
    e8_json_int(w, "pending", (int64_t)overview.pending);
    e8_json_int(w, "retrying", (int64_t)overview.retrying);
    e8_json_array(w, "slices");
    for (size_t i = 0; i < overview.slice_count; i++) {
        put_slice(w, NULL, &overview.slices[i], true);
    }
    e8_json_end(w, ']');
    put_shares(&call->w, "webhooks", &overview.webhooks, true);
    put_shares(&call->w, "types", &overview.types, false);
    put_shares(&call->w, "statuses", &overview.statuses, false);
    put_shares(&call->w, "outcomes", &overview.outcomes, false);
    put_latency(w, &overview);
    e8_json_end(w, '}');
    e8_call_end(call);
}
