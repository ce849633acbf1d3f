#include "platform/runlog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "platform/noted.h"

#define BATCH       256                /* rows that are committed together */
#define WAITING_MAX 8192               /* rows that wait for it, */
#define BYTES_MAX   ((size_t)16 << 20) /* or bytes of them: no attempt begins */
#define BODY_MAX    ((size_t)16 << 10) /* of an answer that are kept */

static const char withheld[] = "the scenario withholds it";
static const char *const shut[] = {
    [E8_SHUT_GONE] = "the receiver answered 410 to this run, which sends nothing more there",
    [E8_SHUT_OFF] = "the endpoint was disabled while the run was under way",
    [E8_SHUT_DELETED] = "the endpoint was deleted while the run was under way",
};
static const char stopped[] = "the run was stopped before it was delivered";

struct entry {
    struct entry *next;
    struct e8_tap *tap;
    struct e8_run_row row;
    struct e8_noted made; /* of an attempt */
    struct e8_arena *arena;
    size_t bytes;
};
struct e8_runlog {
    struct e8_store *store;
    void (*written)(void *state, const struct e8_run_row *row);
    void *state;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t comes;
    struct entry *first, **end;
    size_t count, bytes;
    bool ended, failed;
    struct e8_err err;
    atomic_bool full; /* without the lock */
};
struct e8_tap { /* goes with its last entry, the run's end */
    struct e8_runlog *log;
    const struct e8_plan *plan;
    int64_t run;
    atomic_size_t waiting; /* entries, until they are written */
    _Atomic uint64_t shut; /* deliveries that were withheld for it */
    atomic_bool cut;       /* the server ends */
};

/* ---- entries ---- */

static struct entry *make_entry(struct e8_tap *tap, enum e8_run_what what)
{
    struct entry *entry = e8_new(1, sizeof *entry);
    entry->tap = tap;
    atomic_fetch_add(&tap->waiting, 1);
    entry->arena = e8_arena_new();
    entry->row = (struct e8_run_row){.what = what, .run = tap->run, .at = e8_wall_now()};
    entry->row.event.created = entry->row.at;
    entry->bytes = sizeof *entry;
    return entry;
}

/* Of a run they go in their order. */
static void free_entry(struct entry *entry)
{
    atomic_fetch_sub(&entry->tap->waiting, 1);
    if (entry->row.what == E8_RUN_END) {
        free(entry->tap);
    }
    e8_buf_fini(&entry->made.text);
    e8_arena_free(&entry->arena);
    free(entry);
}

static void copy_id(char out[E8_ID_MAX], const char *id)
{
    size_t n = strnlen(id, E8_ID_MAX - 1);
    memcpy(out, id, n);
    out[n] = '\0';
}

/* An event is of the log's time, not of its plan's, so that what is newer in the log was made later, whoever made it. */
static void append(struct e8_runlog *log, struct entry *entry)
{
    if (entry->row.what == E8_RUN_EVENT) {
        entry->row.at = entry->row.event.created = e8_wall_now();
    }
    *log->end = entry;
    log->end = &entry->next;
    log->count++;
    log->bytes += entry->bytes;
    atomic_store(&log->full, log->count >= WAITING_MAX || log->bytes >= BYTES_MAX);
    pthread_cond_signal(&log->comes);
}

/* What nobody can write any more is dropped: the run is stopped. */
static void put(struct e8_tap *tap, struct entry *entry)
{
    struct e8_runlog *log = tap->log;
    pthread_mutex_lock(&log->lock);
    bool dropped = log->failed;
    if (!dropped) {
        append(log, entry);
    }
    pthread_mutex_unlock(&log->lock);
    if (dropped) {
        free_entry(entry);
    }
}

/* ---- from the engine's workers ---- */

static const char *why_undone(const struct e8_tap *tap)
{
    return atomic_load(&tap->cut) ? E8_RUN_CUT_WHAT : stopped;
}

void e8_tap_event(void *state, const struct e8_event_made *event)
{
    struct e8_tap *tap = state;
    struct entry *entry = make_entry(tap, E8_RUN_EVENT);
    struct e8_run_row *row = &entry->row;
    const struct e8_plan *plan = tap->plan;
    copy_id(row->event.id, event->id);
    row->event.type = e8_arena_str(entry->arena, e8_str(plan->types[event->emit->type])).p;
    row->event.environment = e8_arena_str(entry->arena, e8_str(event->emit->environment)).p;
    row->event.body = e8_arena_str(entry->arena, event->body);
    row->targets = e8_arena_alloc(entry->arena, (event->count + 1) * sizeof *row->targets);
    row->count = event->count;
    for (size_t i = 0; i < event->count; i++) {
        const struct e8_owed *owed = &event->owed[i];
        copy_id(row->targets[i].id, owed->id);
        copy_id(row->targets[i].webhook, plan->endpoints[owed->endpoint].name);
        atomic_fetch_add(&tap->shut, owed->shut != E8_SHUT_NOT);
        row->targets[i].withheld = owed->shut ? shut[owed->shut] : owed->withheld ? withheld : NULL;
    }
    entry->bytes += event->body.n + event->count * sizeof *row->targets;
    put(tap, entry);
}

static enum e8_delivery_state state_after(const struct e8_noted *made, enum e8_fed_how how)
{
    switch (how) {
    case E8_FED_DELIVERED:
        return E8_STATE_DELIVERED;
    case E8_FED_MORE:
    case E8_FED_RETRY:
        return E8_STATE_PENDING;
    case E8_FED_FAILED:
    case E8_FED_UNSENT:
        break;
    }
    return e8_noted_cut(made) ? E8_STATE_CANCELLED : E8_STATE_FAILED;
}

void e8_tap_fed(void *state, const struct e8_fed_end *end)
{
    struct e8_tap *tap = state;
    struct entry *entry = make_entry(tap, end->attempt ? E8_RUN_ATTEMPT : E8_RUN_UNSENT);
    struct e8_run_row *row = &entry->row;
    copy_id(row->event.id, end->event_id);
    copy_id(row->webhook, tap->plan->endpoints[end->endpoint].name);
    row->why = end->shut ? shut[end->shut] : why_undone(tap);
    row->attempt.copy = end->copy > 0;
    if (!end->attempt && !end->copy) {
        atomic_fetch_add(&tap->shut, end->shut != E8_SHUT_NOT);
    }
    if (end->attempt) {
        e8_noted_fill(&entry->made, end, 0, BODY_MAX);
        entry->made.attempt.state = state_after(&entry->made, end->how);
        row->attempt = entry->made.attempt;
        row->event.type = e8_arena_str(entry->arena, e8_str(tap->plan->types[end->attempt->type])).p;
        entry->bytes += entry->made.text.n;
    }
    put(tap, entry);
}

/* ---- the thread that writes ---- */

/* All that waits. NULL: it is the end. */
static struct entry *take_all(struct e8_runlog *log)
{
    pthread_mutex_lock(&log->lock);
    while (!log->first && !log->ended) {
        pthread_cond_wait(&log->comes, &log->lock);
    }
    struct entry *list = log->first;
    log->first = NULL;
    log->end = &log->first;
    log->count = log->bytes = 0;
    atomic_store(&log->full, false);
    pthread_mutex_unlock(&log->lock);
    return list;
}

static void fail(struct e8_runlog *log, const struct e8_err *err)
{
    pthread_mutex_lock(&log->lock);
    log->failed = true;
    log->err = *err;
    pthread_mutex_unlock(&log->lock);
}

/* The first of them, in one commit, told one by one; the rest. */
static struct entry *write_some(struct e8_runlog *log, struct entry *list)
{
    struct e8_run_row rows[BATCH];
    struct e8_err err = {0};
    struct entry *next = list;
    size_t count = 0;
    for (; next && count < BATCH; next = next->next) {
        rows[count++] = next->row;
    }
    bool good = !e8_runlog_failed(log, NULL);
    if (good && e8_store_run_write(log->store, rows, count, &err)) {
        fail(log, &err);
        good = false;
    }
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = list;
        list = entry->next;
        if (good) {
            log->written(log->state, &rows[i]);
        }
        free_entry(entry);
    }
    return next;
}

static void *runlog_main(void *state)
{
    struct e8_runlog *log = state;
    struct entry *list;
    pthread_setname_np(pthread_self(), "e8-runlog");
    while ((list = take_all(log)) != NULL) {
        while (list) {
            list = write_some(log, list);
        }
    }
    return NULL;
}

bool e8_runlog_failed(struct e8_runlog *log, struct e8_err *err)
{
    pthread_mutex_lock(&log->lock);
    bool failed = log->failed;
    if (failed && err) {
        *err = log->err;
    }
    pthread_mutex_unlock(&log->lock);
    return failed;
}

/* ---- lives ---- */

static void free_log(struct e8_runlog **log)
{
    pthread_mutex_destroy(&(*log)->lock);
    pthread_cond_destroy(&(*log)->comes);
    free(*log);
    *log = NULL;
}

enum e8_rc e8_runlog_start(struct e8_store *store, void (*written)(void *state, const struct e8_run_row *row),
                           void *state, struct e8_runlog **out, struct e8_err *err)
{
    struct e8_runlog *log = e8_new(1, sizeof *log);
    log->store = store;
    log->written = written;
    log->state = state;
    log->end = &log->first;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->comes, NULL);
    int rc = pthread_create(&log->thread, NULL, runlog_main, log);
    *out = log;
    if (rc) {
        free_log(out);
        return e8_fail(err, E8_ENV, NULL, "cannot start a thread: %s", strerror(rc));
    }
    return E8_OK;
}

void e8_runlog_stop(struct e8_runlog **log)
{
    struct e8_runlog *l = *log;
    if (!l) {
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    pthread_cond_signal(&l->comes);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    free_log(log);
}

enum e8_rc e8_tap_open(struct e8_runlog *log, const struct e8_plan *plan, const struct e8_store_run *told,
                       struct e8_tap **out, struct e8_err *err)
{
    int64_t run;
    enum e8_rc rc = e8_store_run_begin(log->store, told, &run, err);
    if (rc) {
        return rc;
    }
    struct e8_tap *tap = e8_new(1, sizeof *tap);
    tap->log = log;
    tap->plan = plan;
    tap->run = run;
    *out = tap;
    return E8_OK;
}

bool e8_tap_is_drained(const struct e8_tap *tap)
{
    return atomic_load(&tap->waiting) == 0;
}

uint64_t e8_tap_shut(const struct e8_tap *tap)
{
    return atomic_load(&tap->shut);
}

bool e8_tap_is_full(void *state)
{
    const struct e8_tap *tap = state;
    return atomic_load_explicit(&tap->log->full, memory_order_relaxed);
}

void e8_tap_cut(struct e8_tap *tap)
{
    atomic_store(&tap->cut, true);
}

static void append_at_once(struct e8_runlog *log, struct entry *entry)
{
    pthread_mutex_lock(&log->lock);
    append(log, entry);
    pthread_mutex_unlock(&log->lock);
}

void e8_tap_figures(struct e8_tap *tap, const struct e8_run_figures *figures)
{
    struct entry *entry = make_entry(tap, E8_RUN_FIGURES);
    entry->row.figures = *figures;
    append_at_once(tap->log, entry);
}

void e8_tap_close(struct e8_tap **tap, enum e8_run_state state, const char *note,
                  const struct e8_run_figures *figures)
{
    struct e8_runlog *log = (*tap)->log;
    struct entry *entry = make_entry(*tap, E8_RUN_END);
    entry->row.figures = *figures;
    entry->row.state = state;
    entry->row.note = note ? e8_arena_str(entry->arena, e8_str(note)).p : NULL;
    entry->row.why = why_undone(*tap);
    *tap = NULL;
    append_at_once(log, entry);
}
