#include "cli/plan_rows.h"

#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"

#define PENDING_MAX 250000 /* rows that wait for those that may come before them */

/* Where an entry of `run` stands. */
struct cursor {
    const struct e8_phase *phase;
    struct e8_part part; /* what the plan's shard has of it */
    bool known, ended, forks;
    bool at_least;     /* it begins when something has ended that waits for the receiver */
    e8_dur_ns base;    /* of its first instance */
    e8_dur_ns planned; /* the same on the events' clock, for which closed loops take no time */
    e8_dur_ns next, due;
    e8_dur_ns furthest; /* the latest end of its instances */
    uint64_t k;         /* of the next instance */
    struct e8_pace_walk walk;
    e8_dur_ns *slots; /* closed: a heap of the times when a place becomes free */
    size_t slot_count;
};

struct merger {
    const struct e8_plan *plan;
    const struct e8_catalog *catalog;
    e8_wall_ns clock;
    struct cursor *cursors;
    struct e8_plan_row *rows; /* a heap: the earliest first */
    size_t count, cap;
    size_t most; /* rows that are of use; 0: all */
    uint64_t order;
    struct e8_plan_row *got; /* the deliveries of one instance, as they are planned */
    size_t got_count, got_cap, taken;
    bool cut; /* not all of the instance was collected */
    e8_plan_row_fn *fn;
    void *state;
    bool done;
};

static bool is_before(const struct e8_plan_row *a, const struct e8_plan_row *b)
{
    return a->offset != b->offset ? a->offset < b->offset : a->order < b->order;
}

static int by_time(const void *a, const void *b)
{
    const struct e8_plan_row *x = a, *y = b;
    return is_before(x, y) ? -1 : is_before(y, x);
}

static void push(struct merger *m, const struct e8_plan_row *row)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 256;
        m->rows = e8_resize(m->rows, m->cap, sizeof *m->rows);
    }
    size_t i = m->count++;
    m->rows[i] = *row;
    m->rows[i].order = m->order++;
    struct e8_plan_row own = m->rows[i];
    for (; i > 0 && is_before(&own, &m->rows[(i - 1) / 2]); i = (i - 1) / 2) {
        m->rows[i] = m->rows[(i - 1) / 2];
    }
    m->rows[i] = own;
}

static struct e8_plan_row pop(struct merger *m)
{
    struct e8_plan_row first = m->rows[0], last = m->rows[--m->count];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < m->count) {
        child += child + 1 < m->count && is_before(&m->rows[child + 1], &m->rows[child]);
        if (!is_before(&m->rows[child], &last)) {
            break;
        }
        m->rows[i] = m->rows[child];
        i = child;
    }
    m->rows[i] = last;
    return first;
}

static void flush(struct merger *m, e8_dur_ns upto)
{
    while (!m->done && m->count && m->rows[0].offset <= upto) {
        struct e8_plan_row row = pop(m);
        m->done = !m->fn(m->state, &row);
    }
}

/* A sorted list is a heap, too. */
static enum e8_rc bound(struct merger *m, struct e8_err *err)
{
    if (m->most && m->count > 4 * m->most) {
        qsort(m->rows, m->count, sizeof *m->rows, by_time);
        m->count = m->most;
    }
    return m->count <= PENDING_MAX
               ? E8_OK
               : e8_fail(err, E8_LIMIT, "--limit 1000 shows the first ones",
                         "more than %d deliveries are planned for about the same time", PENDING_MAX);
}

static bool collect(void *state, const struct e8_preview *preview)
{
    struct merger *m = state;
    if (m->cut) {
        return false;
    }
    if (m->got_count == m->got_cap) {
        m->got_cap = m->got_cap ? 2 * m->got_cap : 256;
        m->got = e8_resize(m->got, m->got_cap, sizeof *m->got);
    }
    struct e8_plan_row *row = &m->got[m->got_count++];
    *row = (struct e8_plan_row){.emit = preview->emit,
                                .endpoint = preview->endpoint,
                                .sequence = preview->sequence,
                                .bytes = preview->body.n};
    if (preview->deliver) {
        row->deliver = *preview->deliver;
    }
    e8_sha256_of(preview->body, row->digest);
    memcpy(row->event_id, preview->event_id, strlen(preview->event_id) + 1);
    memcpy(row->delivery_id, preview->delivery_id, strlen(preview->delivery_id) + 1);
    return true;
}

/* Collects until enough is there; where nothing runs side by side, what comes later in an instance is later. */
static bool collect_some(void *state, const struct e8_preview *preview)
{
    struct merger *m = state;
    m->cut = m->got_count >= m->most;
    return collect(state, preview);
}

/* A plan of this instance alone. */
static enum e8_rc preview_instance(struct merger *m, const struct cursor *c, struct e8_err *err)
{
    struct e8_phase phase = *c->phase;
    struct e8_plan one = *m->plan;
    phase.open = false;
    phase.within = 0;
    phase.times = phase.concurrency = 1;
    phase.first += c->k;
    phase.at = c->planned + (c->phase->open ? c->due : 0);
    one.phases = &phase;
    one.phase_count = 1;
    one.shard = (struct e8_shard){0};
    m->got_count = m->taken = 0;
    m->cut = false;
    return e8_preview_plan(&one, m->catalog, m->clock, m->most && !c->forks ? collect_some : collect, m, err);
}

/* The deliveries of an event, in the order in which they were collected. */
static bool push_event(struct merger *m, const struct e8_plan_row *like)
{
    const struct e8_endpoint *last = NULL;
    size_t before = m->taken;
    while (m->taken < m->got_count) {
        struct e8_plan_row *got = &m->got[m->taken];
        if (got->emit != like->emit || got->sequence != like->sequence || (last && got->endpoint <= last)) {
            break;
        }
        last = got->endpoint;
        got->offset = like->offset;
        got->at_least = like->at_least;
        got->flow = like->flow;
        got->instance = like->instance;
        push(m, got);
        m->taken++;
    }
    if (m->cut && m->taken == m->got_count) {
        return false;
    }
    if (before == m->taken) {
        push(m, like);
    }
    return true;
}

/* One instance, or one branch of it. False: what follows was not collected. */
static bool walk_moves(struct merger *m, struct e8_walk *walk, struct e8_plan_row *like, e8_dur_ns start)
{
    const struct e8_step *step;
    enum e8_move move;
    bool more = true;
    while (more && (move = e8_walk_move(walk, &step)) != E8_MOVE_END) {
        like->offset = start + walk->offset;
        if (move == E8_MOVE_FORK) {
            bool at_least = like->at_least, any = at_least;
            e8_dur_ns furthest = walk->offset;
            for (size_t i = 0; more && i < step->branches.count; i++) {
                struct e8_walk branch = e8_walk_branch(walk, step, i, NULL);
                like->at_least = at_least;
                more = walk_moves(m, &branch, like, start);
                any = any || like->at_least;
                furthest = branch.offset > furthest ? branch.offset : furthest;
            }
            like->at_least = any;
            e8_walk_join(walk, step, furthest, NULL);
        } else if (move == E8_MOVE_EMIT) {
            like->emit = step->emit;
            like->step = NULL;
            like->sequence = walk->sequence;
            more = push_event(m, like);
        } else {
            like->emit = NULL;
            like->step = step;
            push(m, like);
            like->at_least = like->at_least || move == E8_MOVE_AWAIT || move == E8_MOVE_EXEC;
        }
    }
    return more;
}

static void free_slot(struct cursor *c, e8_dur_ns until)
{
    size_t i = 0, child;
    while ((child = 2 * i + 1) < c->slot_count) {
        child += child + 1 < c->slot_count && c->slots[child + 1] < c->slots[child];
        if (c->slots[child] >= until) {
            break;
        }
        c->slots[i] = c->slots[child];
        i = child;
    }
    c->slots[i] = until;
}

static void advance(struct cursor *c)
{
    if (c->phase->open) {
        c->ended = !e8_pace_next(&c->walk, &c->due);
        c->next = c->base + c->due;
    } else {
        c->ended = c->k >= e8_phase_instances(c->phase);
        c->next = c->ended ? c->furthest : c->slots[0];
    }
}

static enum e8_rc push_instance(struct merger *m, struct cursor *c, struct e8_walk *walk, struct e8_err *err)
{
    struct e8_plan_row like = {.flow = c->phase->flow, .instance = c->phase->first + c->k};
    like.at_least = c->at_least || (!c->phase->open && c->k >= c->slot_count);
    enum e8_rc rc = preview_instance(m, c, err);
    if (!rc) {
        walk_moves(m, walk, &like, c->next);
    }
    return rc;
}

/* Of another shard's it is asked when it ends. */
static enum e8_rc start_instance(struct merger *m, struct cursor *c, struct e8_err *err)
{
    struct e8_walk walk = e8_walk_begin(c->phase->flow, m->plan->seed, c->phase->first + c->k);
    if (e8_part_has(&c->part, c->k)) {
        enum e8_rc rc = push_instance(m, c, &walk, err);
        if (rc) {
            return rc;
        }
    } else {
        while (e8_walk_next(&walk)) {
        }
    }
    e8_dur_ns end = c->next + walk.offset;
    c->furthest = end > c->furthest ? end : c->furthest;
    if (!c->phase->open) {
        free_slot(c, end);
    }
    c->k++;
    advance(c);
    return bound(m, err);
}

static void begin(struct cursor *c, e8_dur_ns base)
{
    c->known = true;
    c->base = c->furthest = base;
    if (c->phase->open) {
        c->walk = e8_pace_begin(&c->phase->pace);
    } else {
        c->slot_count =
            c->phase->concurrency < c->phase->times ? c->phase->concurrency : (size_t)c->phase->times;
        c->slots = e8_new(c->slot_count + 1, sizeof *c->slots);
        for (size_t i = 0; i < c->slot_count; i++) {
            c->slots[i] = base;
        }
    }
    advance(c);
}

/* An entry without `at` begins behind the one before it: when its schedule ends, or with its last instance. */
static void begin_known(struct merger *m)
{
    for (size_t i = 0; i < m->plan->phase_count; i++) {
        struct cursor *c = &m->cursors[i], *before = c - 1;
        if (c->known) {
            continue;
        }
        if (c->phase->at >= 0 || i == 0) {
            begin(c, c->phase->at >= 0 ? c->phase->at : 0);
        } else if (before->known && before->phase->open) {
            c->at_least = before->at_least;
            begin(c, before->base + before->phase->pace.length);
        } else if (before->known && before->ended) {
            c->at_least = true;
            e8_dur_ns over = before->base + e8_phase_length(before->phase);
            begin(c, before->furthest > over ? before->furthest : over);
        }
    }
}

static struct cursor *earliest(struct merger *m)
{
    struct cursor *first = NULL;
    begin_known(m);
    for (size_t i = 0; i < m->plan->phase_count; i++) {
        struct cursor *c = &m->cursors[i];
        if (c->known && !c->ended && (!first || c->next < first->next)) {
            first = c;
        }
    }
    return first;
}

static bool has_fork(struct e8_steps steps)
{
    bool found = false;
    for (size_t i = 0; !found && i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        found =
            step->kind == E8_STEP_PARALLEL || (step->kind == E8_STEP_REPEAT && has_fork(step->repeat.body));
        for (size_t j = 0; step->kind == E8_STEP_CHOOSE && !found && j < step->branches.count; j++) {
            found = has_fork(step->branches.list[j].steps);
        }
    }
    return found;
}

static void make_cursors(struct merger *m)
{
    e8_dur_ns planned = 0;
    m->cursors = e8_new(m->plan->phase_count + 1, sizeof *m->cursors);
    for (size_t i = 0; i < m->plan->phase_count; i++) {
        const struct e8_phase *phase = &m->plan->phases[i];
        struct cursor *c = &m->cursors[i];
        c->phase = phase;
        c->part = e8_plan_part(m->plan, phase);
        c->forks = has_fork(phase->flow->steps);
        c->planned = phase->at >= 0 ? phase->at : planned;
        planned = c->planned + e8_phase_length(phase);
    }
}

enum e8_rc e8_plan_rows(const struct e8_plan *plan, const struct e8_catalog *catalog, e8_wall_ns clock,
                        uint64_t limit, e8_plan_row_fn *fn, void *state, struct e8_err *err)
{
    struct merger m = {.plan = plan, .catalog = catalog, .clock = clock, .fn = fn, .state = state};
    struct cursor *c;
    enum e8_rc rc = E8_OK;
    /* An event more than is wanted tells that there are more; each may be a row for every endpoint. */
    m.most = limit && limit < PENDING_MAX ? (size_t)(limit + 1) * (plan->endpoint_count + 1) : 0;
    m.most = m.most > PENDING_MAX / 8 ? 0 : m.most;
    make_cursors(&m);
    while (!rc && !m.done && (c = earliest(&m)) != NULL) {
        flush(&m, c->next);
        rc = m.done ? E8_OK : start_instance(&m, c, err);
    }
    if (!rc) {
        flush(&m, INT64_MAX);
    }
    for (size_t i = 0; i < plan->phase_count; i++) {
        free(m.cursors[i].slots);
    }
    free(m.cursors);
    free(m.rows);
    free(m.got);
    return rc;
}
