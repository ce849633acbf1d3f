#include "platform/dispatch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/sender.h"

#define AHEAD           (200 * E8_NS_MS) /* deliveries are taken from the store so long before they are due */
#define LOOK_EVERY      (500 * E8_NS_MS)
#define LOOK_FAILING    (10 * E8_NS_S)
#define BATCH           256 /* attempts that are committed together */
#define OLD_MAX         8   /* senders that still end what is under way */
#define IN_FLIGHT       1000
#define LAST_AMONG      200 /* deliveries, of which one was tried last */
#define DISABLE_DEFAULT ((e8_dur_ns)5 * 24 * 3600 * E8_NS_S)

/* Rows of the store that a sender has: a set, open addressing; 0 is free. */
struct taken {
    int64_t *slots;
    size_t size, count;
};

/* An endpoint as the dispatcher sees it. */
struct lane {
    char webhook[E8_ID_MAX];
    size_t taken;
};

struct e8_dispatch {
    struct e8_dispatch_options options;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, up to the blank line */
    pthread_cond_t wake;
    bool woken, stopping, failed;
    e8_dur_ns grace;
    struct e8_err err;
    struct e8_note *notes, **notes_end;

    struct e8_sender *sender; /* NULL: none, since there is no endpoint or they have changed */
    uint64_t version;         /* of the store's endpoints, of which it was made */
    bool unfit; /* it must be another one, whatever the version: there is none, or it refuses an endpoint */
    struct e8_sender *old[OLD_MAX + 1]; /* and room for the one that is retired at the end */
    size_t old_count;
    struct taken taken;
    atomic_size_t in_flight; /* its count, for others */
    size_t bound, share;     /* deliveries under way: in all, and of one endpoint */
    int64_t *rows;           /* room for `share` of them */
    struct lane *lanes;
    size_t lane_count, turn; /* whose turn it is to be first */
    e8_mono_ns look_failing;
};

/* ---- what is under way ---- */

static size_t place_of(const struct taken *taken, int64_t row)
{
    size_t i = (size_t)e8_mix((uint64_t)row, 0) & (taken->size - 1);
    while (taken->slots[i] && taken->slots[i] != row) {
        i = (i + 1) & (taken->size - 1);
    }
    return i;
}

static void taken_init(struct taken *taken, size_t bound)
{
    taken->size = 16;
    while (taken->size < 4 * bound) {
        taken->size *= 2;
    }
    taken->slots = e8_new(taken->size, sizeof *taken->slots);
}

static void taken_add(struct taken *taken, int64_t row)
{
    taken->slots[place_of(taken, row)] = row;
    taken->count++;
}

/* What stands behind it in its run moves up. */
static void taken_remove(struct taken *taken, int64_t row)
{
    size_t i = place_of(taken, row);
    E8_ASSERT(taken->slots[i] == row);
    taken->slots[i] = 0;
    taken->count--;
    for (i = (i + 1) & (taken->size - 1); taken->slots[i]; i = (i + 1) & (taken->size - 1)) {
        int64_t moved = taken->slots[i];
        taken->slots[i] = 0;
        taken->slots[place_of(taken, moved)] = moved;
    }
}

static struct lane *lane_of(struct e8_dispatch *d, const char *webhook)
{
    for (size_t i = 0; i < d->lane_count; i++) {
        if (strcmp(d->lanes[i].webhook, webhook) == 0) {
            return &d->lanes[i];
        }
    }
    return NULL;
}

/* ---- from other threads ---- */

static void wake(struct e8_dispatch *d)
{
    d->woken = true;
    pthread_cond_signal(&d->wake);
}

void e8_dispatch_wake(struct e8_dispatch *d)
{
    pthread_mutex_lock(&d->lock);
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

size_t e8_dispatch_in_flight(const struct e8_dispatch *d)
{
    return atomic_load(&d->in_flight);
}

static void told(void *state, struct e8_note *note)
{
    struct e8_dispatch *d = state;
    note->next = NULL;
    pthread_mutex_lock(&d->lock);
    *d->notes_end = note;
    d->notes_end = &note->next;
    wake(d);
    pthread_mutex_unlock(&d->lock);
}

bool e8_dispatch_failed(struct e8_dispatch *d, struct e8_err *err)
{
    pthread_mutex_lock(&d->lock);
    bool failed = d->failed;
    if (failed && err) {
        *err = d->err;
    }
    pthread_mutex_unlock(&d->lock);
    return failed;
}

/* ---- the dispatcher's thread ---- */

static void fail(struct e8_dispatch *d, const struct e8_err *err)
{
    pthread_mutex_lock(&d->lock);
    if (!d->failed) {
        d->failed = true;
        d->err = *err;
    }
    pthread_mutex_unlock(&d->lock);
}

static bool has_failed(struct e8_dispatch *d)
{
    return e8_dispatch_failed(d, NULL);
}

/* What the engine did not send stays in the store as it was: only the row is free again. */
static void free_row(struct e8_dispatch *d, const struct e8_item *item)
{
    struct lane *lane = lane_of(d, item->webhook);
    taken_remove(&d->taken, item->row);
    atomic_store(&d->in_flight, d->taken.count);
    if (lane) {
        lane->taken--;
    }
}

static void tell(struct e8_dispatch *d, const struct e8_note *note)
{
    const struct e8_store_attempt *attempt = &note->made.attempt;
    const struct e8_dispatched what = {
        .row = note->item->row,
        .delivery = note->item->id,
        .webhook = note->item->webhook,
        .event = note->item->event_id,
        .type = note->item->type,
        .run = note->item->run[0] ? note->item->run : NULL,
        .test = note->item->test,
        .attempt = attempt,
        .failed_for_good = attempt->state == E8_STATE_FAILED,
    };
    if (d->options.on_dispatched) {
        d->options.on_dispatched(d->options.state, &what);
    }
}

/* On the disk, then told, unless it was disabled before. */
static enum e8_rc disable(struct e8_dispatch *d, const char *webhook, const char *reason,
                          const struct e8_store_row *last, struct e8_err *err)
{
    const struct e8_disabled what = {webhook, reason, e8_wall_now(), last};
    bool changed = false;
    enum e8_rc rc = e8_store_webhook_enable(d->options.store, webhook, false, reason, what.at, &changed, err);
    if (!rc && changed && d->options.on_disabled) {
        d->options.on_disabled(d->options.state, &what);
    }
    return rc == E8_INPUT ? E8_OK : rc; /* deleted meanwhile */
}

static enum e8_rc disable_gone(struct e8_dispatch *d, const struct e8_note *note, struct e8_err *err)
{
    const struct e8_store_attempt *attempt = &note->made.attempt;
    const struct e8_store_row last = {
        .id = note->item->id,
        .event_id = note->item->event_id,
        .type = note->item->type,
        .run = note->item->run[0] ? note->item->run : NULL,
        .test = note->item->test,
        .attempts = attempt->number,
        .status = attempt->status,
        .outcome = e8_outcome_info(attempt->outcome)->name,
        .error = attempt->error,
    };
    if (attempt->outcome != E8_GONE) {
        return E8_OK;
    }
    d->unfit = true; /* the engine sends nothing more there, not even tests: another one does */
    return disable(d, note->item->webhook, "the receiver answered 410 Gone", &last, err);
}

/* What the notes say, in two commits at most. */
static enum e8_rc write_batch(struct e8_dispatch *d, const struct e8_note *list, size_t count,
                              struct e8_err *err)
{
    struct e8_store_attempt attempts[BATCH];
    int64_t unsent[BATCH];
    size_t made = 0, not_made = 0;
    for (size_t i = 0; i < count; i++, list = list->next) {
        if (list->how != E8_FED_UNSENT) {
            attempts[made++] = list->made.attempt;
        } else if (!list->item->tried) {
            unsent[not_made++] = list->item->row;
        }
    }
    enum e8_rc rc = made ? e8_store_attempts(d->options.store, attempts, made, err) : E8_OK;
    return rc || !not_made ? rc : e8_store_unsent(d->options.store, unsent, not_made, err);
}

/* What follows from them, once they are written. */
static enum e8_rc follow_up(struct e8_dispatch *d, const struct e8_note *list, size_t count,
                            struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < count; i++, list = list->next) {
        if (list->how != E8_FED_UNSENT) {
            tell(d, list);
            rc = disable_gone(d, list, err);
        }
    }
    return rc;
}

static void write_some(struct e8_dispatch *d, const struct e8_note *list, size_t count)
{
    struct e8_err err = {0};
    if (has_failed(d)) {
        return;
    }
    enum e8_rc rc = write_batch(d, list, count, &err);
    rc = rc ? rc : follow_up(d, list, count, &err);
    if (rc) {
        fail(d, &err);
    }
}

static size_t batch_of(const struct e8_note *list)
{
    size_t count = 0;
    for (; list && count < BATCH; list = list->next) {
        count++;
    }
    return count;
}

static void write_notes(struct e8_dispatch *d, struct e8_note *list)
{
    while (list) {
        size_t count = batch_of(list);
        write_some(d, list, count);
        for (size_t i = 0; i < count; i++) {
            struct e8_note *note = list;
            list = note->next;
            if (note->how != E8_FED_MORE) {
                free_row(d, note->item);
                e8_item_free(note->item);
            }
            e8_note_free(note);
        }
    }
}

/* Lanes of endpoints that are gone stay while something of theirs is under way. */
static void make_lanes(struct e8_dispatch *d, const struct e8_webhook *list, size_t count)
{
    struct lane *before = d->lanes, *lanes = e8_new(count + d->lane_count + 1, sizeof *lanes);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        struct lane *old = lane_of(d, list[i].id);
        memcpy(lanes[n].webhook, list[i].id, E8_ID_MAX);
        lanes[n++].taken = old ? old->taken : 0;
        if (old) {
            old->taken = 0;
        }
    }
    for (size_t i = 0; i < d->lane_count; i++) {
        if (before[i].taken) {
            lanes[n++] = before[i];
        }
    }
    d->lanes = lanes;
    d->lane_count = n;
    free(before);
}

static enum e8_rc look_at_webhooks(struct e8_dispatch *d, size_t *count, struct e8_err *err)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_webhook *list = NULL;
    enum e8_rc rc = e8_store_webhooks(d->options.store, arena, &list, count, err);
    if (!rc) {
        make_lanes(d, list, *count);
    }
    e8_arena_free(&arena);
    return rc;
}

static void retire(struct e8_dispatch *d)
{
    if (d->sender) {
        e8_sender_stop(d->sender);
        d->old[d->old_count++] = d->sender;
        d->sender = NULL;
    }
}

/* Ends senders that have nothing more under way. */
static void reap(struct e8_dispatch *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->old_count; i++) {
        if (e8_sender_ended(d->old[i])) {
            e8_sender_end(&d->old[i]);
        } else {
            d->old[n++] = d->old[i];
        }
    }
    d->old_count = n;
}

/* An event that was accepted after a change of its endpoint goes out as that says. */
static bool is_outdated(const struct e8_dispatch *d)
{
    bool outdated = d->unfit || e8_store_version(d->options.store) != d->version;
    return outdated && d->old_count < OLD_MAX;
}

static bool has_expired(const struct e8_dispatch *d)
{
    return d->sender && e8_wall_now() >= e8_sender_expires(d->sender) && d->old_count < OLD_MAX;
}

/* Endpoints have changed, or a secret's grace is over: another engine, with what is true now. */
static void renew(struct e8_dispatch *d)
{
    struct e8_err err = {0};
    size_t count = 0;
    uint64_t version = e8_store_version(d->options.store);
    if (!is_outdated(d) && !has_expired(d)) {
        return;
    }
    retire(d);
    enum e8_rc rc = look_at_webhooks(d, &count, &err);
    if (!rc && count) {
        rc = e8_sender_start(&d->options, told, d, &d->sender, &err);
    }
    d->version = version;
    d->unfit = false;
    if (rc) {
        fail(d, &err);
    }
}

/* What one look at an endpoint's queue takes out of it. */
struct taking {
    struct e8_dispatch *d;
    struct lane *lane;
    struct e8_moment now;
    struct e8_item *first, **end;
    int64_t *rows;
    size_t count;
};

static bool is_taken(void *state, int64_t row)
{
    const struct taking *taking = state;
    const struct taken *taken = &taking->d->taken;
    return taken->slots[place_of(taken, row)] == row;
}

static void take(void *state, const struct e8_due *due)
{
    struct taking *taking = state;
    struct e8_item *item = e8_sender_item(taking->d->sender, due, taking->now);
    if (item) {
        taking->rows[taking->count++] = due->row;
        *taking->end = item;
        taking->end = &item->next;
    }
}

/* Their numbers are used up on the disk, then they go. */
static enum e8_rc send_taken(struct taking *taking, bool outdated, struct e8_err *err)
{
    struct e8_dispatch *d = taking->d;
    enum e8_rc rc = taking->count && !outdated
                        ? e8_store_begin(d->options.store, taking->rows, taking->count, err)
                        : E8_OK;
    for (struct e8_item *item = taking->first, *next; item; item = next) {
        next = item->next;
        if (rc || outdated) {
            e8_item_free(item);
            continue;
        }
        taken_add(&d->taken, item->row);
        atomic_store(&d->in_flight, d->taken.count);
        taking->lane->taken++;
        e8_sender_feed(d->sender, item);
    }
    return rc;
}

static enum e8_rc take_of(struct e8_dispatch *d, struct lane *lane, size_t room, e8_wall_ns until,
                          e8_wall_ns *next, struct e8_err *err)
{
    struct taking taking = {.d = d, .lane = lane, .now = {e8_mono_now(), e8_wall_now()}, .rows = d->rows};
    taking.end = &taking.first;
    enum e8_rc rc =
        e8_store_due(d->options.store, lane->webhook, until, room, is_taken, take, &taking, next, err);
    bool outdated = taking.count && is_outdated(d);
    enum e8_rc sent = send_taken(&taking, outdated, rc ? NULL : err);
    *next = outdated ? 0 : *next;
    return rc ? rc : sent;
}

static size_t room_of(const struct e8_dispatch *d, const struct lane *lane)
{
    size_t room = d->bound > d->taken.count ? d->bound - d->taken.count : 0;
    size_t share = d->share > lane->taken ? d->share - lane->taken : 0;
    return room < share ? room : share;
}

/* Takes what is due, each endpoint in its turn first; returns when to look again. */
static e8_wall_ns take_due(struct e8_dispatch *d)
{
    e8_wall_ns first = E8_NEVER, until = e8_wall_now() + AHEAD;
    struct e8_err err = {0};
    d->turn++;
    for (size_t i = 0; d->sender && i < d->lane_count; i++) {
        struct lane *lane = &d->lanes[(d->turn + i) % d->lane_count];
        size_t room = room_of(d, lane);
        e8_wall_ns next = E8_NEVER;
        if (room && take_of(d, lane, room, until, &next, &err)) {
            fail(d, &err);
            return E8_NEVER;
        }
        first = next < first ? next : first;
    }
    return first;
}

/* An endpoint's delivery with the last attempt, among its newest. */
struct last {
    struct e8_arena *arena;
    struct e8_store_row row;
};

static void look_at_row(void *state, const struct e8_store_row *row)
{
    struct last *last = state;
    if (row->run || !row->outcome || row->updated <= last->row.updated) {
        return;
    }
    last->row = *row;
    const char **texts[] = {&last->row.id, &last->row.event_id, &last->row.type, &last->row.outcome,
                            &last->row.error};
    for (size_t i = 0; i < E8_COUNT(texts); i++) {
        *texts[i] = *texts[i] ? e8_arena_str(last->arena, e8_str(*texts[i])).p : NULL;
    }
}

static e8_dur_ns disable_after(const struct e8_dispatch *d)
{
    e8_dur_ns limit = d->options.platform->disable_after;
    return limit ? limit : DISABLE_DEFAULT;
}

static enum e8_rc disable_failing(struct e8_dispatch *d, const struct e8_webhook *webhook,
                                  struct e8_arena *arena, struct e8_err *err)
{
    const struct e8_store_filter filter = {
        .webhook = webhook->id, .state = -1, .test = -1, .limit = LAST_AMONG};
    struct last last = {.arena = arena};
    int64_t scanned;
    bool more;
    if (!webhook->enabled || !webhook->failing_since ||
        e8_wall_now() - webhook->failing_since < disable_after(d)) {
        return E8_OK;
    }
    char time[E8_DUR_MAX];
    const char *reason =
        e8_arena_printf(arena, "no delivery has succeeded for %s", e8_dur_text(disable_after(d), time));
    enum e8_rc rc = e8_store_list(d->options.store, &filter, 0, look_at_row, &last, &more, &scanned, err);
    return rc ? rc : disable(d, webhook->id, reason, last.row.id ? &last.row : NULL, err);
}

/* Endpoints that have had nothing but failures for days. */
static void look_at_failing(struct e8_dispatch *d)
{
    struct e8_err err = {0};
    struct e8_webhook *list;
    size_t count = 0;
    e8_mono_ns now = e8_mono_now();
    if (now < d->look_failing) {
        return;
    }
    d->look_failing = now + (disable_after(d) < LOOK_FAILING ? disable_after(d) : LOOK_FAILING);
    struct e8_arena *arena = e8_arena_new();
    enum e8_rc rc = e8_store_webhooks(d->options.store, arena, &list, &count, &err);
    for (size_t i = 0; !rc && i < count; i++) {
        rc = disable_failing(d, &list[i], arena, &err);
    }
    e8_arena_free(&arena);
    if (rc) {
        fail(d, &err);
    }
}

/* Waits until `until`, or for whatever comes before it; returns what has ended meanwhile. */
static struct e8_note *await_notes(struct e8_dispatch *d, e8_mono_ns until, bool *stopping)
{
    struct timespec at = {until / E8_NS_S, until % E8_NS_S};
    pthread_mutex_lock(&d->lock);
    int rc = 0;
    while (!d->woken && rc == 0) {
        rc = pthread_cond_timedwait(&d->wake, &d->lock, &at);
    }
    d->woken = false;
    *stopping = d->stopping;
    struct e8_note *notes = d->notes;
    d->notes = NULL;
    d->notes_end = &d->notes;
    pthread_mutex_unlock(&d->lock);
    return notes;
}

/* When there is room, the next that is due says when to look again; else somebody's end does. */
static e8_mono_ns look_again(e8_wall_ns first)
{
    e8_mono_ns now = e8_mono_now(), latest = now + LOOK_EVERY;
    if (first == E8_NEVER) {
        return latest;
    }
    e8_mono_ns next = now + (first - AHEAD - e8_wall_now());
    next = next > now ? next : now;
    return next < latest ? next : latest;
}

/* What is under way ends, or is cut off when the grace is over; all of it is written. */
static void end_all(struct e8_dispatch *d)
{
    bool stopping;
    retire(d);
    e8_mono_ns end = e8_mono_now() + d->grace;
    for (bool aborted = false; d->old_count > 0;) {
        write_notes(d, await_notes(d, e8_mono_now() + 20 * E8_NS_MS, &stopping));
        if (!aborted && e8_mono_now() >= end) {
            for (size_t i = 0; i < d->old_count; i++) {
                e8_sender_abort(d->old[i]);
            }
            aborted = true;
        }
        reap(d);
    }
    write_notes(d, await_notes(d, e8_mono_now(), &stopping));
}

static void *dispatch_main(void *state)
{
    struct e8_dispatch *d = state;
    bool stopping = false;
    e8_mono_ns again = e8_mono_now();
    pthread_setname_np(pthread_self(), "e8-dispatch");
    while (!stopping) {
        struct e8_note *notes = await_notes(d, again, &stopping);
        write_notes(d, notes);
        reap(d);
        again = e8_mono_now() + LOOK_EVERY;
        if (!stopping && !has_failed(d)) {
            look_at_failing(d);
            renew(d);
            again = look_again(take_due(d));
        } else if (has_failed(d) && d->sender && d->old_count < OLD_MAX) {
            retire(d);
        }
    }
    end_all(d);
    return NULL;
}

/* ---- its life ---- */

static void free_dispatch(struct e8_dispatch **dispatch)
{
    struct e8_dispatch *d = *dispatch;
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->wake);
    free(d->taken.slots);
    free(d->lanes);
    free(d->rows);
    free(d);
    *dispatch = NULL;
}

enum e8_rc e8_dispatch_start(const struct e8_dispatch_options *options, struct e8_dispatch **out,
                             struct e8_err *err)
{
    struct e8_dispatch *d = e8_new(1, sizeof *d);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    d->options = *options;
    d->notes_end = &d->notes;
    d->unfit = true;
    d->bound = options->platform->in_flight ? options->platform->in_flight : IN_FLIGHT;
    d->share = d->bound / 4 ? d->bound / 4 : 1;
    d->rows = e8_new(d->share, sizeof *d->rows);
    taken_init(&d->taken, d->bound);
    int rc = pthread_create(&d->thread, NULL, dispatch_main, d);
    *out = d;
    if (rc) {
        free_dispatch(out);
        return e8_fail(err, E8_ENV, NULL, "cannot start a thread: %s", strerror(rc));
    }
    return E8_OK;
}

void e8_dispatch_stop(struct e8_dispatch **dispatch, e8_dur_ns grace)
{
    struct e8_dispatch *d = *dispatch;
    if (!d) {
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    d->grace = grace;
    wake(d);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    free_dispatch(dispatch);
}
