#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "engine/engine.h"
#include "platform/api.h"
#include "platform/follow.h"

#define RUNNING_MAX 4
#define SIZE_LIMIT  200000 /* events that are counted beforehand */
#define TELL_EVERY  (500 * E8_NS_MS)
#define STOP_GRACE  (2 * E8_NS_S)
#define IN_FLIGHT   1000

static const char *const state_names[] = {[E8_RUN_RUNNING] = "running",
                                          [E8_RUN_ENDED] = "ended",
                                          [E8_RUN_STOPPED] = "stopped",
                                          [E8_RUN_FAILED] = "failed",
                                          [E8_RUN_INTERRUPTED] = "interrupted"};

/* What a run has not ended. */
struct pending {
    uint64_t on_wire; /* attempts */
    uint64_t waiting; /* deliveries that wait for a retry, or that a step holds back */
};

/* One that is under way, or of which the store does not know yet that it has ended; all others are there alone. */
struct run {
    char id[E8_ID_MAX];
    char *name, note[512];
    struct e8_store_run told; /* as of the last look */
    struct pending pending;   /* likewise */
    size_t bound, room;       /* attempts at a time at most, and deliveries that wait for a retry */
    bool stopping, cut;       /* by whoever asked for it; since the server ends */
    struct e8_err trouble;    /* it was stopped for this; what: "" where it was not */
    e8_mono_ns kept;          /* when the store was given the figures */
    /* While it runs: */
    struct e8_follow *follow;
    struct e8_plan *plan;
    struct e8_engine *engine;
    struct e8_tap *tap;
};

static const struct pending none = {0};

struct e8_runs {
    struct run *list[2 * RUNNING_MAX];
    size_t count, running;
};

/* ---- what is told of a run ---- */

static uint64_t over(const struct e8_run_figures *n)
{
    return n->delivered + n->failed + n->withheld + n->lost;
}

static void put_progress(struct e8_json *w, const struct e8_store_run *run)
{
    const struct e8_run_figures *n = &run->figures;
    double part = -1;
    if (run->state == E8_RUN_ENDED && n->planned <= 0) {
        part = 1;
    } else if (n->planned > 0) {
        part = (double)over(n) / (double)n->planned;
    } else if (n->length > 0) {
        e8_dur_ns passed = (run->ended ? run->ended : e8_wall_now()) - run->started;
        part = passed > 0 ? (double)passed / (double)n->length : 0;
    }
    if (part < 0) {
        e8_json_null(w, "progress");
    } else {
        e8_json_num(w, "progress", part > 1 ? 1 : part, 4);
    }
}

/* Of what was planned; what a step withholds was never to be sent. */
static void put_unsent(struct e8_json *w, const struct e8_store_run *run)
{
    const struct e8_run_figures *n = &run->figures;
    uint64_t ended = n->delivered + n->failed + n->withheld;
    if (run->ended && n->planned >= 0) {
        e8_json_int(w, "not_sent", (uint64_t)n->planned > ended ? n->planned - (int64_t)ended : 0);
    } else {
        e8_json_null(w, "not_sent");
    }
}

static void put_run(struct e8_json *w, const char *key, const struct e8_store_run *run,
                    struct pending pending)
{
    const struct e8_run_figures *n = &run->figures;
    e8_json_object(w, key);
    e8_json_cstr(w, "id", run->id);
    e8_json_cstr(w, "name", run->name);
    e8_json_cstr(w, "state", state_names[run->state]);
    if (run->speed > 0) {
        e8_json_int(w, "seed", run->seed);
        e8_json_num(w, "speed", run->speed, 3);
    } else {
        e8_json_null(w, "seed");
        e8_json_null(w, "speed");
    }
    e8_json_time(w, "started_at", run->started);
    e8_json_time(w, "ended_at", run->ended);
    if (n->planned >= 0) {
        e8_json_int(w, "planned", n->planned);
    } else {
        e8_json_null(w, "planned");
    }
    e8_json_int(w, "attempts", (int64_t)n->attempts);
    e8_json_int(w, "delivered", (int64_t)n->delivered);
    e8_json_int(w, "failed", (int64_t)n->failed);
    put_unsent(w, run);
    e8_json_int(w, "unknown_deliveries", (int64_t)n->unknown);
    e8_json_cstr(w, "note", run->note);
    e8_json_int(w, "in_flight", (int64_t)pending.on_wire);
    e8_json_int(w, "waiting", (int64_t)pending.waiting);
    put_progress(w, run);
    e8_json_ms(w, "p50_ms", n->p50);
    e8_json_ms(w, "p99_ms", n->p99);
    e8_json_int(w, "stalls", (int64_t)n->stalls);
    e8_json_end(w, '}');
}

static void tell(struct e8_platform_server *server, const struct run *run)
{
    struct e8_buf json;
    e8_buf_init(&json, 4096);
    struct e8_json w = e8_json_new(&json, 0);
    put_run(&w, NULL, &run->told, run->pending);
    e8_hub_run(server->live, e8_buf_str(&json));
    e8_buf_fini(&json);
}

/* ---- its life ---- */

static void put_shut(const struct run *run, struct e8_buf *note)
{
    const unsigned long long n = e8_tap_shut(run->tap);
    if (n) {
        e8_buf_printf(note,
                      "%s%llu deliver%s withheld, since their endpoint was disabled, was deleted or had "
                      "answered 410",
                      note->n ? "; " : "", n, n == 1 ? "y was" : "ies were");
    }
}

/* What the run's own bounds have kept waiting: in response times, and nobody else's fault. */
static void put_waits(struct run *run, struct e8_buf *note, bool bounded, bool crowded)
{
    const uint64_t stalls = run->told.figures.stalls;
    put_shut(run, note);
    if (crowded) {
        e8_buf_printf(note, "%s%zu deliveries waited for a retry, the most that may: others waited",
                      note->n ? "; " : "", run->room);
    }
    if (bounded) {
        e8_buf_printf(note, "%s%zu attempts were under way (--in-flight): others waited", note->n ? "; " : "",
                      run->bound);
    }
    if (stalls) {
        e8_buf_printf(note, "%sattempts waited for the delivery log (stalls)", note->n ? "; " : "");
    }
    if (crowded || bounded || stalls) {
        e8_buf_puts(note, ", which is in their response times");
    }
    run->told.note = note->n ? e8_buf_cstr(note) : NULL;
}

static void look(struct run *run, const struct e8_stats *stats)
{
    const struct e8_tally *all = e8_stats_all(stats);
    struct e8_run_figures *n = &run->told.figures;
    n->attempts = all->n.attempts;
    n->delivered = all->n.delivered;
    n->failed = all->n.failed;
    n->withheld = all->n.withheld - all->n.gone;
    n->lost = all->n.dropped + all->n.aborted + all->n.gone;
    if (all->response && e8_hist_count(all->response)) {
        n->p50 = e8_hist_quantile(all->response, 0.5);
        n->p99 = e8_hist_quantile(all->response, 0.99);
    }
    if (run->follow && e8_follow_replanned(run->follow)) {
        n->planned = -1;
    }
}

static void look_at_engine(struct run *run)
{
    struct e8_engine_now now;
    struct e8_buf note;
    look(run, e8_engine_stats(run->engine));
    e8_engine_look(run->engine, &now);
    run->told.figures.stalls = now.holds;
    run->pending = (struct pending){.on_wire = now.on_wire, .waiting = now.waiting};
    e8_buf_fixed(&note, run->note, sizeof run->note);
    put_waits(run, &note, now.bounded, now.crowded);
}

static void release(struct run *run)
{
    e8_plan_free(&run->plan);
    e8_follow_free(&run->follow);
}

static enum e8_run_state state_of(const struct run *run, const struct e8_engine_result *result,
                                  struct e8_runlog *log)
{
    if (run->stopping) {
        return E8_RUN_STOPPED;
    }
    if (run->cut) {
        return E8_RUN_INTERRUPTED;
    }
    bool failed = result->generator_limited || result->interrupted || e8_runlog_failed(log, NULL);
    return failed ? E8_RUN_FAILED : E8_RUN_ENDED;
}

/* Why not all was sent, or not in time. */
static void note_end(struct run *run, const struct e8_engine_result *result)
{
    unsigned long long n = result->flows_stopped;
    struct e8_buf note;
    e8_buf_fixed(&note, run->note, sizeof run->note);
    if (run->told.state == E8_RUN_INTERRUPTED) {
        e8_buf_puts(&note, E8_RUN_CUT);
    } else if (run->trouble.what[0]) {
        e8_buf_puts(&note, run->trouble.what);
    } else if (result->generator_limited) {
        e8_buf_puts(&note, "emit8 ran out of descriptors, local ports or memory");
    } else if (n) {
        e8_buf_printf(&note, "%llu flow%s ended early, since what %s waited for had failed", n,
                      n == 1 ? "" : "s", n == 1 ? "it" : "they");
    }
    if (run->told.state == E8_RUN_ENDED && run->plan && run->plan->threshold_count) {
        e8_buf_printf(&note, "%sits thresholds are judged by emit8 run, not here", note.n ? "; " : "");
    }
    put_waits(run, &note, result->bounded, result->crowded);
}

/* Joins its threads, which have ended or soon do. */
static void finish(struct run *run, struct e8_runlog *log)
{
    struct e8_engine_result result = {0};
    e8_engine_finish(&run->engine, &result);
    look(run, result.stats);
    run->pending = none;
    run->told.ended = e8_wall_now();
    run->told.state = state_of(run, &result, log);
    run->told.figures.stalls = result.holds;
    note_end(run, &result);
    e8_tap_close(&run->tap, run->told.state, run->told.note, &run->told.figures);
    e8_stats_free(&result.stats);
    e8_hist_free(&result.spread);
    free(result.expected);
    release(run);
}

static void free_run(struct run *run)
{
    E8_ASSERT(!run->engine);
    if (run->tap) {
        e8_tap_close(&run->tap, E8_RUN_FAILED, "it could not be started", &run->told.figures);
    }
    release(run);
    free(run->name);
    free(run);
}

static void keep(struct run *run)
{
    e8_tap_figures(run->tap, &run->told.figures);
    run->kept = e8_mono_now();
}

/* Without knowing where it may send, it sends nothing more. */
static void follow(struct run *run)
{
    if (!run->trouble.what[0] && e8_follow_look(run->follow, e8_wall_now(), &run->trouble)) {
        e8_engine_stop(run->engine);
    }
}

void e8_runs_follow(struct e8_platform_server *server)
{
    for (size_t i = 0; server->runs && i < server->runs->count; i++) {
        if (server->runs->list[i]->engine) {
            follow(server->runs->list[i]);
        }
    }
}

static void go_on(struct e8_platform_server *server, struct run *run)
{
    follow(run);
    if (e8_runlog_failed(server->runlog, NULL)) {
        e8_engine_stop(run->engine);
    }
    if (e8_engine_wait(run->engine, 0) && e8_tap_is_drained(run->tap)) {
        finish(run, server->runlog);
        server->runs->running--;
        tell(server, run);
    } else if (e8_mono_now() - run->kept >= TELL_EVERY) {
        look_at_engine(run);
        keep(run);
        tell(server, run);
    }
}

/* Its end is in the store, or the run is there no more. */
static bool is_written(struct e8_platform_server *server, const struct run *run)
{
    struct e8_arena *arena = e8_arena_new();
    struct e8_store_run found;
    enum e8_rc rc = e8_store_run(server->store, run->id, arena, &found, NULL);
    bool written = rc == E8_INPUT || (!rc && found.ended);
    e8_arena_free(&arena);
    return written;
}

void e8_runs_tick(struct e8_platform_server *server)
{
    struct e8_runs *runs = server->runs;
    size_t n = 0;
    for (size_t i = 0; runs && i < runs->count; i++) {
        struct run *run = runs->list[i];
        if (run->engine) {
            go_on(server, run);
        } else if (is_written(server, run)) {
            free_run(run);
            continue;
        }
        runs->list[n++] = run;
    }
    if (runs) {
        runs->count = n;
    }
}

void e8_runs_free(struct e8_runs **runs, struct e8_runlog *log)
{
    if (!*runs) {
        return;
    }
    for (size_t i = 0; i < (*runs)->count; i++) {
        struct run *run = (*runs)->list[i];
        if (run->engine) {
            run->cut = !e8_engine_wait(run->engine, 0);
        }
        if (run->cut) {
            e8_tap_cut(run->tap);
            e8_engine_stop(run->engine); /* all at once: each waits for what it has in flight */
        }
    }
    for (size_t i = 0; i < (*runs)->count; i++) {
        if ((*runs)->list[i]->engine) {
            finish((*runs)->list[i], log);
        }
        free_run((*runs)->list[i]);
    }
    free(*runs);
    *runs = NULL;
}

static void add_run(struct e8_runs *runs, struct run *run)
{
    runs->list[runs->count++] = run;
    runs->running++;
}

/* ---- its start ---- */

static e8_dur_ns length_of(const struct e8_plan *plan, double speed)
{
    e8_dur_ns length = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        const struct e8_phase *phase = &plan->phases[i];
        e8_dur_ns from = phase->at >= 0 ? phase->at : length;
        e8_dur_ns end = from + e8_phase_length(phase);
        length = end > length ? end : length;
    }
    return (e8_dur_ns)((double)length / speed);
}

static enum e8_rc start_engine(struct e8_call *call, struct run *run, double speed, struct e8_err *err)
{
    const struct e8_platform_options *platform = &call->server->options;
    run->bound = platform->in_flight ? platform->in_flight : IN_FLIGHT;
    run->room = e8_waiting_of(run->bound);
    struct e8_engine_options options = {
        .workers = platform->workers ? platform->workers : 1,
        .speed = speed,
        .in_flight = run->bound,
        .waiting = run->room,
        .grace = STOP_GRACE,
        .reach = platform->reach,
        .keep = true,
        .on_event = e8_tap_event,
        .on_fed = e8_tap_fed,
        .on_hold = e8_tap_is_full,
    };
    uint64_t events, deliveries, random[2];
    bool sized = e8_plan_size(run->plan, call->server->catalog, SIZE_LIMIT, &events, &deliveries);
    run->told = (struct e8_store_run){
        .id = run->id,
        .name = run->name,
        .seed = (int64_t)run->plan->seed,
        .speed = speed,
        .started = call->now,
        .figures = {.planned = sized ? (int64_t)deliveries : -1,
                    .length = length_of(run->plan, speed),
                    .p50 = -1,
                    .p99 = -1},
    };
    e8_random_bytes(random, sizeof random);
    e8_id_make("run_", call->now, random[0], random[1], run->id);
    enum e8_rc rc = e8_tap_open(call->server->runlog, run->plan, &run->told, &run->tap, err);
    if (!rc) {
        keep(run);
    }
    options.state = run->tap;
    rc = rc ? rc : e8_engine_start(run->plan, call->server->catalog, &options, &run->engine, err);
    if (!rc) {
        e8_follow_started(run->follow, run->engine);
    }
    return rc;
}

static void refuse_run(struct e8_call *call, enum e8_rc rc, const struct e8_err *err)
{
    e8_call_fail_err(call, rc == E8_INPUT ? 409 : 503, err);
}

/* The run under way, or NULL after a failure that was answered. */
static struct run *start_run(struct e8_call *call, const struct e8_run_asked *asked)
{
    struct run *run = e8_new(1, sizeof *run);
    struct e8_err err = {0};
    run->plan = e8_run_plan(call, asked);
    if (!run->plan) {
        e8_call_refuse(call);
        free_run(run);
        return NULL;
    }
    run->name = e8_dup(asked->scenario ? asked->scenario : run->plan->name);
    enum e8_rc rc =
        e8_follow_begin(call->server->store, call->server->catalog, run->plan, call->now, &run->follow, &err);
    rc = rc ? rc : start_engine(call, run, asked->speed, &err);
    if (rc) {
        refuse_run(call, rc, &err);
        free_run(run);
        return NULL;
    }
    return run;
}

void e8_runs_start(struct e8_call *call)
{
    struct e8_platform_server *server = call->server;
    struct e8_run_asked asked;
    if (!e8_run_read(call, &asked)) {
        e8_call_refuse(call);
        return;
    }
    if (!server->runs) {
        server->runs = e8_new(1, sizeof *server->runs);
    }
    e8_runs_tick(server);
    if (server->runs->running == RUNNING_MAX || server->runs->count == E8_COUNT(server->runs->list)) {
        e8_call_fail(call, 409, "wait for one to end, or stop it", "%d scenarios run already", RUNNING_MAX);
        return;
    }
    struct run *run = start_run(call, &asked);
    if (!run) {
        return;
    }
    add_run(server->runs, run);
    tell(server, run);
    e8_call_header(call, "Location", e8_arena_printf(call->arena, "/v1/runs/%s", run->id));
    put_run(e8_call_begin(call, 201), "data", &run->told, run->pending);
    e8_call_end(call);
}

static struct run *under_way(const struct e8_call *call, const char *id)
{
    const struct e8_runs *runs = call->server->runs;
    for (size_t i = 0; runs && i < runs->count; i++) {
        if (strcmp(id, runs->list[i]->id) == 0) {
            return runs->list[i];
        }
    }
    return NULL;
}

void e8_runs_list(struct e8_call *call)
{
    struct e8_store_run *list;
    struct e8_err err = {0};
    size_t count, limit;
    int64_t before;
    e8_call_query_page(call, 0, &before, &limit);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (e8_store_runs(call->server->store, before, limit + 1, call->arena, &list, &count, &err)) {
        e8_call_fail_err(call, 503, &err);
        return;
    }
    size_t shown = count < limit ? count : limit;
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (size_t i = 0; i < shown; i++) {
        const struct run *run = under_way(call, list[i].id);
        put_run(w, NULL, run ? &run->told : &list[i], run ? run->pending : none);
    }
    e8_call_end_list(call, limit, e8_call_cursor(call, 0, count > shown ? list[shown - 1].n : 0));
}

/* One that is under way is looked at now; false: it was answered with a failure. */
static bool find_run(struct e8_call *call, struct run **run, struct e8_store_run *out)
{
    struct e8_err err = {0};
    const char *id = e8_call_text(call, call->id);
    *run = under_way(call, id);
    enum e8_rc rc = *run ? E8_OK : e8_store_run(call->server->store, id, call->arena, out, &err);
    if (rc) {
        e8_call_fail_store(call, rc, &err);
    }
    return !rc;
}

static void answer_run(struct e8_call *call, struct run *run, const struct e8_store_run *told)
{
    if (run && run->engine) {
        look_at_engine(run);
    }
    put_run(e8_call_begin(call, 200), "data", run ? &run->told : told, run ? run->pending : none);
    e8_call_end(call);
}

void e8_run_get(struct e8_call *call)
{
    struct e8_store_run told;
    struct run *run;
    if (find_run(call, &run, &told)) {
        answer_run(call, run, &told);
    }
}

void e8_run_stop(struct e8_call *call)
{
    struct e8_store_run told;
    struct run *run;
    if (!find_run(call, &run, &told)) {
        return;
    }
    e8_call_members(call, NULL, 0, NULL);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (run && run->engine && !run->stopping) {
        run->stopping = true;
        e8_engine_stop(run->engine);
    }
    answer_run(call, run, &told);
}
