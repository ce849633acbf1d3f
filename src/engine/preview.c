#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

struct previewer {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    e8_preview_fn *fn;
    void *state;
    e8_wall_ns clock;
    struct e8_keyring *keys;
    struct e8_rotation *rotations; /* their moments are offsets in the plan */
    uint16_t *counts;
    struct e8_trace *traces;
    struct e8_buf body, scratch;
    struct e8_memo *memo;
    char memory[E8_REQUEST_MAX];
};

/* One instance of a flow. */
struct story {
    const struct e8_flow *flow;
    uint64_t number;
    e8_dur_ns start; /* from the start of the run */
    e8_wall_ns flow_started;
    const struct e8_emit *last; /* the event that `again` sends once more, and when it was */
    uint32_t sequence;
    e8_wall_ns at;
    char event_id[E8_ID_MAX];
};

struct piece {
    const struct e8_emit *emit;
    size_t endpoint;
    struct e8_deliver how;
    struct e8_stamp stamp;
    e8_dur_ns offset;
};

static bool tell(struct previewer *p, const struct story *story, const struct piece *piece)
{
    const struct e8_endpoint *endpoint = &p->plan->endpoints[piece->endpoint];
    const struct e8_emit *origin = story->last;
    struct e8_place place = {p->plan->seed, story->flow, story->number, story->sequence};
    struct e8_emit form = piece->emit->again ? e8_again_form(origin, piece->emit) : *piece->emit;
    struct e8_request_parts parts;
    char delivery_id[E8_ID_MAX];
    struct e8_buf memory;
    e8_delivery_name(&place, origin, story->at, endpoint->name, delivery_id);
    e8_buf_fixed(&memory, p->memory, sizeof p->memory);
    struct e8_sign_input in = {
        .id = e8_str(delivery_id),
        .timestamp = piece->stamp.at / E8_NS_S,
        .body = e8_buf_str(&p->body),
        .type = e8_str(p->plan->types[origin->type]),
        .environment = e8_str(origin->environment),
        .attempt = piece->stamp.number,
    };
    struct e8_keys keys = e8_keys_of(&p->keys[piece->endpoint], piece->stamp.seal.keys, form.tamper != NULL);
    enum e8_rc rc = e8_request_build(p->catalog, endpoint, &form, &keys, &in,
                                     e8_hash_str(e8_str(delivery_id)), &memory, &p->scratch, &parts);
    E8_ASSERT(rc == E8_OK);
    const struct e8_preview preview = {.endpoint = endpoint,
                                       .emit = piece->emit,
                                       .flow = story->flow,
                                       .instance = story->number,
                                       .sequence = story->sequence,
                                       .deliver = &piece->how,
                                       .event_id = story->event_id,
                                       .delivery_id = delivery_id,
                                       .offset = piece->offset,
                                       .at = piece->stamp.at,
                                       .body = parts.body,
                                       .parts = &parts};
    return p->fn(p->state, &preview);
}

/* As e8_deliver_due, at the plan's own speed. */
static void move_piece(struct piece *piece)
{
    e8_dur_ns offset = e8_after(piece->offset, piece->how.late);
    if (piece->how.burst) {
        offset = e8_multiple(offset, piece->how.burst);
    }
    piece->stamp.at = e8_after(piece->stamp.at, offset - piece->offset);
    piece->offset = offset;
}

static bool send_new(struct previewer *p, struct story *story, const struct e8_emit *emit, size_t endpoint,
                     e8_dur_ns offset)
{
    struct piece piece = {.emit = emit, .endpoint = endpoint, .offset = offset};
    piece.how = e8_deliver_of(p->plan, story->flow, emit, story->number, story->sequence, (uint16_t)endpoint);
    piece.stamp = (struct e8_stamp){story->at, {.keys = e8_keys_now(&p->rotations[endpoint], offset)}, 1};
    move_piece(&piece);
    p->traces[endpoint] = (struct e8_trace){.used = true, .number = 1, .stamp = piece.stamp};
    return tell(p, story, &piece);
}

static bool send_again(struct previewer *p, struct story *story, const struct e8_emit *emit, size_t endpoint,
                       e8_dur_ns offset)
{
    struct e8_trace *trace = &p->traces[endpoint];
    struct piece piece = {.emit = emit, .endpoint = endpoint, .offset = offset};
    piece.how = e8_deliver_of(p->plan, story->flow, emit, story->number, story->sequence, (uint16_t)endpoint);
    if (emit->again == E8_AGAIN_RETRY) {
        piece.stamp.at = e8_after(p->clock, offset);
        piece.stamp.seal.keys = e8_keys_now(&p->rotations[endpoint], offset);
        piece.stamp.number = ++trace->number;
        move_piece(&piece);
    } else {
        e8_wall_ns at = trace->stamp.at;
        move_piece(&piece);
        piece.stamp = trace->stamp;
        piece.stamp.at = at;
    }
    return tell(p, story, &piece);
}

static void make_event(struct previewer *p, struct story *story, const struct e8_emit *emit,
                       const struct e8_walk *walk, e8_dur_ns offset)
{
    struct e8_place place = {p->plan->seed, story->flow, story->number, walk->sequence};
    story->last = emit;
    story->sequence = walk->sequence;
    story->at = e8_after(p->clock, offset);
    p->counts[emit->type]++;
    memset(p->traces, 0, p->plan->endpoint_count * sizeof *p->traces);
    e8_event_id(&place, story->at, story->event_id);
    struct e8_facts facts = e8_event_facts(p->plan, p->catalog, emit, &place, story->flow_started, story->at,
                                           p->counts, story->event_id);
    e8_buf_reset(&p->body);
    e8_event_render(emit, &facts, p->memo, &p->body);
}

static bool preview_emit(struct previewer *p, struct story *story, const struct e8_emit *emit,
                         const struct e8_walk *walk)
{
    e8_dur_ns offset = e8_after(story->start, walk->offset);
    if (!emit->again) {
        make_event(p, story, emit, walk, offset);
    }
    for (size_t i = 0; story->last && i < p->plan->endpoint_count; i++) {
        bool goes = emit->again ? p->traces[i].used : e8_emit_goes_to(p->plan, emit, i);
        if (goes && !(emit->again ? send_again : send_new)(p, story, emit, i, offset)) {
            return false;
        }
    }
    return true;
}

static void turn_secret(struct previewer *p, const struct story *story, const struct e8_step *step,
                        const struct e8_walk *walk)
{
    struct e8_rotation *rotation = &p->rotations[step->secret.endpoint];
    e8_dur_ns offset = e8_after(story->start, walk->offset);
    if (step->secret.revoke) {
        e8_revoke(rotation);
    } else {
        e8_rotate(rotation, &p->plan->endpoints[step->secret.endpoint], e8_after(offset, step->secret.grace));
    }
}

static bool preview_walk(struct previewer *p, struct story *story, struct e8_walk *walk);

/* One branch after another, as e8_walk_next goes. */
static bool preview_fork(struct previewer *p, struct story *story, struct e8_walk *walk,
                         const struct e8_step *fork)
{
    e8_dur_ns furthest = walk->offset;
    for (size_t i = 0; i < fork->branches.count; i++) {
        struct e8_walk branch = e8_walk_branch(walk, fork, i, NULL);
        story->last = NULL;
        if (!preview_walk(p, story, &branch)) {
            return false;
        }
        furthest = branch.offset > furthest ? branch.offset : furthest;
    }
    story->last = NULL;
    e8_walk_join(walk, fork, furthest, NULL);
    return true;
}

static bool preview_walk(struct previewer *p, struct story *story, struct e8_walk *walk)
{
    const struct e8_step *step;
    for (;;) {
        switch (e8_walk_move(walk, &step)) {
        case E8_MOVE_END:
            return true;
        case E8_MOVE_EMIT:
            if (!preview_emit(p, story, step->emit, walk)) {
                return false;
            }
            break;
        case E8_MOVE_FORK:
            if (!preview_fork(p, story, walk, step)) {
                return false;
            }
            break;
        case E8_MOVE_SECRET:
            turn_secret(p, story, step, walk);
            break;
        case E8_MOVE_AWAIT:
        case E8_MOVE_EXEC:
        case E8_MOVE_MEASURE:
            break;
        }
    }
}

static bool preview_phase(struct previewer *p, const struct e8_phase *phase, e8_dur_ns base)
{
    struct e8_pace_walk pace = phase->open ? e8_pace_begin(&phase->pace) : (struct e8_pace_walk){.k = 0};
    struct e8_part part = e8_plan_part(p->plan, phase);
    e8_dur_ns due = 0;
    uint64_t times = phase->open ? 0 : e8_phase_instances(phase);
    for (uint64_t k = 0; phase->open ? e8_pace_next(&pace, &due) : k < times; k++) {
        if (!e8_part_has(&part, k)) {
            continue;
        }
        struct story story = {.flow = phase->flow, .number = phase->first + k, .start = e8_after(base, due)};
        e8_wall_ns start = e8_after(p->clock, story.start);
        struct e8_walk walk = e8_walk_begin(phase->flow, p->plan->seed, story.number);
        story.flow_started = e8_after(start, -e8_flow_age(phase->flow, p->plan->seed, story.number));
        memset(p->counts, 0, p->plan->type_count * sizeof *p->counts);
        if (!preview_walk(p, &story, &walk)) {
            return false;
        }
    }
    return true;
}

static void preview_phases(struct previewer *p)
{
    e8_dur_ns base = 0;
    for (size_t i = 0; i < p->plan->phase_count; i++) {
        const struct e8_phase *phase = &p->plan->phases[i];
        base = phase->at >= 0 ? phase->at : base;
        if (!preview_phase(p, phase, base)) {
            return;
        }
        base = e8_after(base, e8_phase_length(phase));
    }
}

static void free_previewer(struct previewer *p)
{
    for (size_t i = 0; i < p->plan->endpoint_count; i++) {
        e8_keyring_fini(&p->keys[i]);
    }
    e8_buf_fini(&p->body);
    e8_buf_fini(&p->scratch);
    e8_memo_free(&p->memo);
    free(p->keys);
    free(p->rotations);
    free(p->counts);
    free(p->traces);
    free(p);
}

enum e8_rc e8_preview_plan(const struct e8_plan *plan, const struct e8_catalog *catalog, e8_wall_ns clock,
                           e8_preview_fn *fn, void *state, struct e8_err *err)
{
    struct previewer *p = e8_new(1, sizeof *p);
    *p = (struct previewer){.plan = plan, .catalog = catalog, .fn = fn, .state = state, .clock = clock};
    p->keys = e8_new(plan->endpoint_count + 1, sizeof *p->keys);
    p->rotations = e8_new(plan->endpoint_count + 1, sizeof *p->rotations);
    p->traces = e8_new(plan->endpoint_count + 1, sizeof *p->traces);
    p->counts = e8_new(plan->type_count + 1, sizeof *p->counts);
    e8_buf_init(&p->body, SIZE_MAX / 2);
    e8_buf_init(&p->scratch, 2 * E8_TAMPER_BODY_MAX);
    p->memo = e8_memo_new();
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < plan->endpoint_count; i++) {
        rc = e8_keyring_init(&p->keys[i], &plan->endpoints[i], err);
    }
    if (!rc) {
        preview_phases(p);
    }
    free_previewer(p);
    return rc;
}
