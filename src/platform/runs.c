#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest/digest.h"
#include "engine/engine.h"
#include "platform/api.h"
#include "platform/endpoint.h"

#define FOLDER      "scenarios/"
#define ENDING      ".yaml"
#define RUNNING_MAX 4
#define KEPT_MAX    50                  /* that have ended */
#define TEXT_MAX    ((size_t)512 << 10) /* of a scenario */
#define SIZE_LIMIT  200000              /* events that are counted beforehand */
#define TELL_EVERY  (500 * E8_NS_MS)
#define STOP_GRACE  (2 * E8_NS_S)
#define IN_FLIGHT   1000

enum run_state { RUN_RUNNING, RUN_ENDED, RUN_STOPPED, RUN_FAILED };
static const char *const state_names[] = {
    [RUN_RUNNING] = "running", [RUN_ENDED] = "ended", [RUN_STOPPED] = "stopped", [RUN_FAILED] = "failed"};

struct run {
    char id[E8_ID_MAX];
    char *name;
    enum run_state state;
    bool stopping;
    uint64_t stalls;
    e8_wall_ns started, ended; /* ended 0: it runs */
    e8_mono_ns began, told;
    e8_dur_ns length;       /* by its plan, at its speed */
    int64_t planned;        /* deliveries; -1: not known */
    struct e8_counts n;     /* of its statistics, as of the last look */
    uint64_t flows_stopped; /* once it has ended */
    e8_dur_ns p50, p99;
    /* While it runs: */
    struct e8_arena *arena; /* of its endpoints */
    struct e8_plan *plan;
    struct e8_engine *engine;
    struct e8_tap *tap;
};

struct e8_runs {
    struct run *list[RUNNING_MAX + KEPT_MAX]; /* the newest last */
    size_t count, running;
};

/* ---- what is told of a run ---- */

static uint64_t over(const struct e8_counts *n)
{
    return n->delivered + n->failed + n->dropped + n->aborted + n->withheld;
}

static void put_progress(struct e8_json *w, const struct run *run)
{
    double part = -1;
    if (run->state == RUN_ENDED && run->planned <= 0) {
        part = 1;
    } else if (run->planned > 0) {
        part = (double)over(&run->n) / (double)run->planned;
    } else if (run->length > 0) {
        e8_mono_ns end = run->ended ? run->began + (run->ended - run->started) : e8_mono_now();
        part = (double)(end - run->began) / (double)run->length;
    }
    if (part < 0) {
        e8_json_null(w, "progress");
    } else {
        e8_json_num(w, "progress", part > 1 ? 1 : part, 4);
    }
}

/* Of what was planned; what a step withholds was never to be sent. */
static void put_unsent(struct e8_json *w, const struct run *run)
{
    uint64_t ended = run->n.delivered + run->n.failed + run->n.withheld;
    if (run->ended && run->planned >= 0) {
        e8_json_int(w, "not_sent", (uint64_t)run->planned > ended ? run->planned - (int64_t)ended : 0);
    } else {
        e8_json_null(w, "not_sent");
    }
}

/* Why not all was sent, where the scenario itself says so. */
static void put_note(struct e8_json *w, const struct run *run)
{
    char text[160];
    unsigned long long n = run->flows_stopped;
    snprintf(text, sizeof text, "%llu flow%s ended early, since what %s waited for had failed", n,
             n == 1 ? "" : "s", n == 1 ? "it" : "they");
    e8_json_cstr(w, "note", n ? text : NULL);
}

static void put_run(struct e8_json *w, const char *key, const struct run *run)
{
    e8_json_object(w, key);
    e8_json_cstr(w, "id", run->id);
    e8_json_cstr(w, "name", run->name);
    e8_json_cstr(w, "state", state_names[run->state]);
    e8_json_time(w, "started_at", run->started);
    e8_json_time(w, "ended_at", run->ended);
    if (run->planned >= 0) {
        e8_json_int(w, "planned", run->planned);
    } else {
        e8_json_null(w, "planned");
    }
    e8_json_int(w, "attempts", (int64_t)run->n.attempts);
    e8_json_int(w, "delivered", (int64_t)run->n.delivered);
    e8_json_int(w, "failed", (int64_t)run->n.failed);
    put_unsent(w, run);
    put_note(w, run);
    e8_json_int(w, "in_flight", run->ended ? 0 : (int64_t)(run->n.planned - over(&run->n)));
    put_progress(w, run);
    e8_json_ms(w, "p50_ms", run->p50);
    e8_json_ms(w, "p99_ms", run->p99);
    e8_json_int(w, "stalls", (int64_t)run->stalls);
    e8_json_end(w, '}');
}

static void tell(struct e8_platform_server *server, struct run *run)
{
    struct e8_buf json;
    e8_buf_init(&json, 4096);
    struct e8_json w = e8_json_new(&json, 0);
    put_run(&w, NULL, run);
    e8_hub_run(server->live, e8_buf_str(&json));
    e8_buf_fini(&json);
    run->told = e8_mono_now();
}

/* ---- its life ---- */

static void look(struct run *run, const struct e8_stats *stats)
{
    const struct e8_tally *all = e8_stats_all(stats);
    run->n = all->n;
    run->stalls = e8_tap_stalls(run->tap);
    if (all->response && e8_hist_count(all->response)) {
        run->p50 = e8_hist_quantile(all->response, 0.5);
        run->p99 = e8_hist_quantile(all->response, 0.99);
    }
}

/* They lie in the run's own arena. */
static void wipe(const struct e8_plan *plan)
{
    for (size_t i = 0; i < plan->endpoint_count; i++) {
        for (size_t k = 0; k < plan->endpoints[i].secret_count; k++) {
            union {
                const char *in;
                char *out;
            } secret = {.in = plan->endpoints[i].secrets[k]};
            if (secret.in) {
                explicit_bzero(secret.out, strlen(secret.in));
            }
        }
    }
}

static void release(struct run *run)
{
    if (run->plan) {
        wipe(run->plan);
    }
    e8_plan_free(&run->plan);
    e8_arena_free(&run->arena);
}

/* Joins its threads, which have ended or soon do. */
static void finish(struct run *run, struct e8_runlog *log)
{
    struct e8_engine_result result = {0};
    e8_engine_finish(&run->engine, &result);
    look(run, result.stats);
    run->flows_stopped = result.flows_stopped;
    run->ended = e8_wall_now();
    bool failed = result.generator_limited || e8_runlog_failed(log, NULL);
    run->state = run->stopping ? RUN_STOPPED : failed || result.interrupted ? RUN_FAILED : RUN_ENDED;
    e8_tap_close(&run->tap);
    e8_stats_free(&result.stats);
    e8_hist_free(&result.spread);
    free(result.expected);
    release(run);
}

void e8_runs_tick(struct e8_platform_server *server)
{
    struct e8_runs *runs = server->runs;
    for (size_t i = 0; runs && i < runs->count; i++) {
        struct run *run = runs->list[i];
        if (!run->engine) {
            continue;
        }
        if (e8_runlog_failed(server->runlog, NULL)) {
            e8_engine_stop(run->engine);
        }
        if (e8_engine_wait(run->engine, 0) && e8_tap_is_drained(run->tap)) {
            finish(run, server->runlog);
            runs->running--;
            tell(server, run);
        } else if (e8_mono_now() - run->told >= TELL_EVERY) {
            look(run, e8_engine_stats(run->engine));
            tell(server, run);
        }
    }
}

static void free_run(struct run *run)
{
    E8_ASSERT(!run->engine);
    if (run->tap) {
        e8_tap_close(&run->tap);
    }
    release(run);
    free(run->name);
    free(run);
}

void e8_runs_free(struct e8_runs **runs, struct e8_runlog *log)
{
    if (!*runs) {
        return;
    }
    for (size_t i = 0; i < (*runs)->count; i++) {
        if ((*runs)->list[i]->engine) {
            e8_engine_stop((*runs)->list[i]->engine); /* all at once: each waits for what it has in flight */
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

/* Room for one more: the oldest that has ended is forgotten. */
static void add_run(struct e8_runs *runs, struct run *run)
{
    size_t oldest = 0;
    if (runs->count == E8_COUNT(runs->list)) {
        while (runs->list[oldest]->engine) {
            oldest++;
        }
        free_run(runs->list[oldest]);
        memmove(&runs->list[oldest], &runs->list[oldest + 1],
                (runs->count - oldest - 1) * sizeof(struct run *));
        runs->count--;
    }
    runs->list[runs->count++] = run;
    runs->running++;
}

/* ---- its plan ---- */

struct request {
    const char *scenario; /* its name */
    const char *text;
    bool seed_given;
    uint64_t seed;
    double speed;
};

static enum e8_rc read_builtin(void *state, const char *path, struct e8_str *out, struct e8_err *err)
{
    (void)state;
    *out = e8_catalog_builtin(path);
    return out->p ? E8_OK
                  : e8_fail(err, E8_INPUT, "a built-in scenario includes built-in files",
                            "there is no built-in file \"%s\"", path);
}

static struct e8_str builtin(struct e8_call *call, const char *name)
{
    return e8_catalog_builtin(e8_arena_printf(call->arena, FOLDER "%s" ENDING, name));
}

/* The name of a built-in scenario by its path; NULL: it is something else. */
static const char *name_of(struct e8_call *call, const char *path)
{
    size_t n = strlen(path), front = strlen(FOLDER), back = strlen(ENDING);
    if (n <= front + back || strcmp(path + n - back, ENDING) != 0 || strchr(path + front, '/')) {
        return NULL;
    }
    return e8_call_text(call, (struct e8_str){path + front, n - front - back});
}

static bool has_key(const struct e8_node *node, const char *key)
{
    for (const struct e8_node *child = node ? node->first : NULL; child; child = child->next) {
        if ((node->kind == E8_MAP && e8_str_is(child->key, key)) || has_key(child, key)) {
            return true;
        }
    }
    return false;
}

/* Its endpoints are not used; a file of theirs is not read, whatever it may be. */
static void check_text(struct e8_call *call, const char *text)
{
    struct e8_doc *doc = NULL;
    if (!e8_doc_parse("text", e8_str(text), E8_DOC_YAML, &doc, NULL) &&
        has_key(e8_node_get(e8_doc_root(doc), "endpoints"), "file")) {
        e8_call_fault_at(call, "text", "leave the endpoints out: the enabled webhooks take their place",
                         "a secret in a file is not read from here");
    }
    e8_doc_free(&doc);
}

static bool turns_secrets(struct e8_steps steps)
{
    for (size_t i = 0; i < steps.count; i++) {
        const struct e8_step *step = &steps.list[i];
        bool branches = step->kind == E8_STEP_CHOOSE || step->kind == E8_STEP_PARALLEL;
        if (step->kind == E8_STEP_SECRET ||
            (step->kind == E8_STEP_REPEAT && turns_secrets(step->repeat.body))) {
            return true;
        }
        for (size_t k = 0; branches && k < step->branches.count; k++) {
            if (turns_secrets(step->branches.list[k].steps)) {
                return true;
            }
        }
    }
    return false;
}

/* What a scenario may do on the command line, but not from here. */
static void check_plan(struct e8_call *call, const char *field, const struct e8_plan *plan)
{
    if (plan->executes) {
        e8_call_fault_at(call, field, "emit8 run has --exec",
                         "a scenario with commands is not run from here");
    }
    for (size_t i = 0; i < plan->flow_count; i++) {
        if (turns_secrets(plan->flows[i].steps)) {
            e8_call_fault_at(call, field, "rotate the secrets of the webhooks themselves",
                             "the scenario rotates secrets of endpoints of its own");
            return;
        }
    }
}

static void add_errors(struct e8_call *call, const char *field, const struct e8_errs *errs)
{
    for (size_t i = 0; i < errs->count; i++) {
        const struct e8_err *err = &errs->list[i];
        bool included = strcmp(err->file, "text") != 0;
        if (err->line == 0) {
            e8_call_fault_at(call, field, err->hint, "%s", err->what);
        } else if (included) {
            e8_call_fault_at(call, field, err->hint, "%s:%d:%d: %s", err->file, err->line, err->col,
                             err->what);
        } else {
            e8_call_fault_at(call, field, err->hint, "line %d, column %d: %s", err->line, err->col,
                             err->what);
        }
    }
}

static struct e8_plan *parse_plan(struct e8_call *call, const struct request *request, const char *field)
{
    struct e8_scenario_options options = {
        .to = "http://127.0.0.1:1/",
        .secret = "not-used-and-never-sent",
        .next_secret = "not-used-and-never-sent-either",
        .stand_ins = true,
        .read = request->text ? NULL : read_builtin,
        .seed_given = request->seed_given,
        .seed = request->seed,
    };
    struct e8_plan *plan = NULL;
    struct e8_errs errs;
    const char *path =
        request->text ? "text" : e8_arena_printf(call->arena, FOLDER "%s" ENDING, request->scenario);
    struct e8_str text = request->text ? e8_str(request->text) : builtin(call, request->scenario);
    e8_errs_init(&errs);
    e8_random_bytes(&options.seed_random, sizeof options.seed_random);
    options.seed_random >>= 1;
    if (e8_plan_parse(call->server->catalog, path, text, &options, &plan, &errs)) {
        add_errors(call, field, &errs);
    } else {
        check_plan(call, field, plan);
    }
    e8_errs_fini(&errs);
    return plan;
}

static enum e8_rc take_webhook(struct e8_call *call, struct run *run, const struct e8_webhook *webhook,
                               struct e8_endpoint *out, struct e8_err *err)
{
    size_t n;
    out->subscription.patterns = e8_texts_of(run->arena, webhook->events, &n);
    out->subscription.environments = e8_texts_of(run->arena, webhook->environments, &n);
    return e8_webhook_endpoint(run->arena, call->server->catalog, call->server->store, webhook, call->now,
                               out, err);
}

/* The enabled webhooks take the place of the plan's endpoints, and get what they subscribe to. */
static enum e8_rc take_webhooks(struct e8_call *call, struct run *run, struct e8_err *err)
{
    struct e8_webhook *list;
    size_t count, n = 0;
    enum e8_rc rc = e8_store_webhooks(call->server->store, run->arena, &list, &count, err);
    if (rc) {
        return rc;
    }
    struct e8_endpoint *endpoints = e8_arena_alloc(run->arena, (count + 1) * sizeof *endpoints);
    for (size_t i = 0; !rc && i < count && n < E8_ENDPOINTS_MAX; i++) {
        if (list[i].enabled) {
            rc = take_webhook(call, run, &list[i], &endpoints[n++], err);
        }
    }
    run->plan->endpoints = endpoints;
    run->plan->endpoint_count = n;
    for (size_t i = 0; i < run->plan->emit_count; i++) {
        run->plan->emits[i].endpoint = -1;
    }
    if (!rc && n == 0) {
        return e8_fail(err, E8_INPUT, "make an endpoint, or enable one", "there is no endpoint to send to");
    }
    return rc ? rc : e8_plan_check(run->plan, call->server->catalog, NULL, err);
}

/* ---- requests ---- */

static void read_scenario(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *name = e8_call_string(call, node, 64), *names[128], *own;
    char hint[E8_HINT_MAX];
    size_t n = 0;
    if (!name) {
        return;
    }
    ((struct request *)into)->scenario = name;
    for (const char *at = NULL;
         (at = e8_catalog_builtin_next(FOLDER, at)) != NULL && n + 1 < E8_COUNT(names);) {
        own = name_of(call, at);
        if (own && strcmp(own, name) == 0) {
            return;
        }
        if (own) {
            names[n++] = own;
        }
    }
    names[n] = NULL;
    e8_hint_names(e8_str(name), names, "built in are", hint);
    e8_call_fault(call, node, hint, "\"%s\" is no built-in scenario", name);
}

static void read_text(struct e8_call *call, const struct e8_node *node, void *into)
{
    const char *text = e8_call_string(call, node, TEXT_MAX);
    if (text) {
        check_text(call, text);
    }
    ((struct request *)into)->text = text;
}

static void read_seed(struct e8_call *call, const struct e8_node *node, void *into)
{
    struct request *request = into;
    if (node->kind != E8_INT || node->i < 0) {
        e8_call_fault(call, node, e8_node_hint(node, "a whole number from 0 on, without quotes"),
                      "this is no seed");
        return;
    }
    request->seed_given = true;
    request->seed = (uint64_t)node->i;
}

static void read_speed(struct e8_call *call, const struct e8_node *node, void *into)
{
    double speed = e8_node_is_number(node) ? e8_node_number(node) : 0;
    if (node->kind == E8_STRING && !e8_parse_factor(node->text, &speed)) {
        speed = 0;
    }
    if (speed < 0.001 || speed > 1000) {
        e8_call_fault(call, node, e8_node_hint(node, "10 or \"10x\" is ten times as fast; 0.001 to 1000"),
                      "this is no speed");
        return;
    }
    ((struct request *)into)->speed = speed;
}

static bool read_request(struct e8_call *call, struct request *request)
{
    static const struct e8_member members[] = {{"scenario", false, read_scenario},
                                               {"text", false, read_text},
                                               {"seed", false, read_seed},
                                               {"speed", false, read_speed}};
    e8_call_members(call, members, E8_COUNT(members), request);
    if (!e8_call_faulty(call) && !request->scenario == !request->text) {
        e8_call_fault_at(call, "scenario", "GET /v1/scenarios lists the built-in ones",
                         "give either \"scenario\", a name, or \"text\"");
    }
    return !e8_call_faulty(call);
}

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
    struct e8_engine_options options = {
        .workers = platform->workers ? platform->workers : 1,
        .speed = speed,
        .in_flight = platform->in_flight ? platform->in_flight : IN_FLIGHT,
        .grace = STOP_GRACE,
        .reach = platform->reach,
        .keep = true,
        .on_event = e8_tap_event,
        .on_fed = e8_tap_fed,
    };
    uint64_t events, deliveries, random[2];
    bool sized = e8_plan_size(run->plan, call->server->catalog, SIZE_LIMIT, &events, &deliveries);
    run->planned = sized ? (int64_t)deliveries : -1;
    run->length = length_of(run->plan, speed);
    run->p50 = run->p99 = -1;
    run->started = call->now;
    run->began = run->told = e8_mono_now();
    e8_random_bytes(random, sizeof random);
    e8_id_make("run_", call->now, random[0], random[1], run->id);
    enum e8_rc rc =
        e8_tap_open(call->server->runlog, run->plan, run->id, run->name, call->now, &run->tap, err);
    options.state = run->tap;
    return rc ? rc : e8_engine_start(run->plan, call->server->catalog, &options, &run->engine, err);
}

static void refuse_run(struct e8_call *call, enum e8_rc rc, const struct e8_err *err)
{
    e8_call_fail_err(call, rc == E8_INPUT ? 409 : 503, err);
}

/* The run under way, or NULL after a failure that was answered. */
static struct run *start_run(struct e8_call *call, const struct request *request)
{
    struct run *run = e8_new(1, sizeof *run);
    struct e8_err err = {0};
    run->arena = e8_arena_new();
    run->plan = parse_plan(call, request, request->text ? "text" : "scenario");
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        e8_plan_free(&run->plan);
        run->plan = NULL;
        free_run(run);
        return NULL;
    }
    run->name = e8_dup(request->scenario ? request->scenario : run->plan->name);
    enum e8_rc rc = take_webhooks(call, run, &err);
    rc = rc ? rc : start_engine(call, run, request->speed, &err);
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
    struct request request = {.speed = 1};
    if (!read_request(call, &request)) {
        e8_call_refuse(call);
        return;
    }
    if (!server->runs) {
        server->runs = e8_new(1, sizeof *server->runs);
    }
    if (server->runs->running == RUNNING_MAX) {
        e8_call_fail(call, 409, "wait for one to end, or stop it", "%d scenarios run already", RUNNING_MAX);
        return;
    }
    struct run *run = start_run(call, &request);
    if (!run) {
        return;
    }
    add_run(server->runs, run);
    tell(server, run);
    e8_call_header(call, "Location", e8_arena_printf(call->arena, "/v1/runs/%s", run->id));
    put_run(e8_call_begin(call, 201), "data", run);
    e8_call_end(call);
}

void e8_runs_list(struct e8_call *call)
{
    const struct e8_runs *runs = call->server->runs;
    size_t count = runs ? runs->count : 0;
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (size_t i = count; i-- > 0;) {
        put_run(w, NULL, runs->list[i]);
    }
    e8_call_end_list(call, 0, NULL);
}

static struct run *find_run(struct e8_call *call)
{
    const struct e8_runs *runs = call->server->runs;
    for (size_t i = 0; runs && i < runs->count; i++) {
        if (e8_str_is(call->id, runs->list[i]->id)) {
            return runs->list[i];
        }
    }
    e8_call_fail(call, 404, "GET /v1/runs lists the last ones", "there is no run \"%.*s\"", E8_STR(call->id));
    return NULL;
}

static void answer_run(struct e8_call *call, struct run *run)
{
    if (run->engine) {
        look(run, e8_engine_stats(run->engine));
    }
    put_run(e8_call_begin(call, 200), "data", run);
    e8_call_end(call);
}

void e8_run_get(struct e8_call *call)
{
    struct run *run = find_run(call);
    if (run) {
        answer_run(call, run);
    }
}

void e8_run_stop(struct e8_call *call)
{
    struct run *run = find_run(call);
    if (!run) {
        return;
    }
    e8_call_members(call, NULL, 0, NULL);
    if (e8_call_faulty(call)) {
        e8_call_refuse(call);
        return;
    }
    if (run->engine && !run->stopping) {
        run->stopping = true;
        e8_engine_stop(run->engine);
    }
    answer_run(call, run);
}

/* The first comment of the file, or its description. */
static void put_summary(struct e8_json *w, struct e8_str text)
{
    struct e8_doc *doc = NULL;
    const struct e8_node *description = NULL;
    if (!e8_doc_parse("scenario", text, E8_DOC_YAML, &doc, NULL)) {
        description = e8_node_get(e8_doc_root(doc), "description");
    }
    e8_json_str(w, "summary", description ? description->text : E8_LIT(""));
    e8_doc_free(&doc);
}

void e8_scenarios_list(struct e8_call *call)
{
    struct e8_json *w = e8_call_begin_list(call, 200);
    for (const char *at = NULL; (at = e8_catalog_builtin_next(FOLDER, at)) != NULL;) {
        const char *name = name_of(call, at);
        if (!name) {
            continue;
        }
        struct e8_str text = e8_catalog_builtin(at);
        e8_json_object(w, NULL);
        e8_json_cstr(w, "name", name);
        put_summary(w, text);
        e8_json_str(w, "text", text);
        e8_json_end(w, '}');
    }
    e8_call_end_list(call, 0, NULL);
}
