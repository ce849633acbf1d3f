#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/limits.h"
#include "cli/pacing.h"
#include "cli/progress.h"
#include "cli/target.h"
#include "cli/trial.h"
#include "report/curve.h"

#define IN_FLIGHT   2000
#define REST        E8_NS_S                      /* at most; see rest() */
#define RATE_DEN    ((uint64_t)1000000000000000) /* rates are told to a millionth */
#define WARMUP      E8_NS_S
#define LENGTH_MOST (3600 * E8_NS_S)

const struct e8_option e8_find_max_options[] = {
    {"to", 't', "[NAME=]URL", "where to send; every event goes to each (repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS},
    {"slo", 0, "RULE",
     "an objective, as --threshold of run: 'p(99) < 200ms', 'success >= 99.9%' (repeatable)",
     E8_OPTION_REPEATS},
    {"from", 0, "RATE", "the first rate; default 50/s", 0},
    {"max", 0, "RATE", "the highest that is tried; default 100000/s", 0},
    {"for", 0, "DUR", "each step takes so long, the one that confirms twice as long; default 10s", 0},
    {"precision", 0, "SHARE", "of the rate: 1% to 50%; default 5%", 0},
    {"process", 0, "constant|poisson", "how events arrive; poisson: at random; no sine and burst here", 0},
    {"warmup", 0, "DUR", "before each step: sent, but not counted; default 1s", 0},
    {"in-flight", 0, "N",
     "deliveries in flight at most; default 2000, or what the limit of open files allows", E8_OPTION_ENV},
    {"environment", 'e', "NAME", "production, staging or development", E8_OPTION_ENV},
    {"seed", 0, "N", "of everything random", E8_OPTION_ENV},
    {"format", 0, "text|json|ndjson|csv", "of the result on stdout", 0},
    {"log", 0, "FILE", "delivery log, with a run for each step; default: $XDG_STATE_HOME/emit8/deliveries.db",
     E8_OPTION_ENV | E8_OPTION_READS},
    {"no-log", 0, NULL, "keep no delivery log", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct finder {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_arena *arena;
    struct e8_cli_target target;
    struct e8_cli_reach reach;
    struct e8_load_options load;
    struct e8_threshold *objectives;
    size_t objective_count;
    double from, top, precision;
    e8_dur_ns length, warmup;
    bool poisson;
    uint64_t workers, in_flight;
    uint64_t seed;
    enum e8_format format;
    struct e8_search search;
    struct e8_curve_step *steps;
    size_t count;
    struct e8_cli_progress progress;
    int stopped_by;
};

static enum e8_rc read_rate(const struct finder *f, const char *name, double *out, struct e8_err *err)
{
    struct e8_rate rate = {(uint64_t)*out, E8_NS_S};
    enum e8_rc rc = e8_arg_rate(f->args, name, &rate, err);
    *out = e8_rate_per_s(rate);
    if (!rc && (*out < 0.001 || *out > 1e7)) {
        rc = e8_fail(err, E8_INPUT, "from 4/h to 10000000/s", "--%s is out of range", name);
    }
    return rc;
}

static enum e8_rc read_rates(struct finder *f, struct e8_err *err)
{
    f->from = 50;
    f->top = 100000;
    enum e8_rc rc = read_rate(f, "from", &f->from, err);
    rc = rc ? rc : read_rate(f, "max", &f->top, err);
    if (!rc && f->from > f->top) {
        rc = e8_fail(err, E8_INPUT, "--from 50/s --max 5000/s", "--from is higher than --max");
    }
    return rc;
}

static enum e8_rc read_precision(struct finder *f, struct e8_err *err)
{
    const char *text = e8_arg(f->args, "precision");
    char hint[E8_SHARE_HINT_MAX];
    f->precision = 0.05;
    if (text && !e8_parse_share(e8_str(text), &f->precision)) {
        return e8_fail(err, E8_INPUT, e8_share_hint(e8_str(text), "1% to 50%", hint),
                       "--precision \"%s\" is no share", text);
    }
    if (f->precision < 0.01 || f->precision > 0.5) {
        return e8_fail(err, E8_INPUT, "1% to 50%", "--precision \"%s\" is out of range", text);
    }
    return E8_OK;
}

static enum e8_rc read_times(struct finder *f, struct e8_err *err)
{
    f->length = 10 * E8_NS_S;
    f->warmup = WARMUP;
    enum e8_rc rc = e8_arg_dur(f->args, "for", &f->length, err);
    rc = rc ? rc : e8_arg_dur(f->args, "warmup", &f->warmup, err);
    if (!rc && (f->length < 100 * E8_NS_MS || f->length > LENGTH_MOST || f->warmup > LENGTH_MOST)) {
        rc = e8_fail(err, E8_INPUT, "--for 10s: from 100ms to 1h", "the steps are too short or too long");
    }
    return rc;
}

/* The rate is what is searched: at the lowest that is tried, one that asks for more cannot hold. */
static enum e8_rc read_objective(const char *rule, struct e8_threshold *out, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_threshold("slo", rule, out, err);
    if (!rc && (out->measure == E8_MEASURE_RATE || out->measure == E8_MEASURE_ATTEMPT_RATE)) {
        rc = e8_fail(err, E8_INPUT, "--from and --max bound it; 'p(99) < 200ms' is an objective",
                     "--slo \"%s\": the rate is what find-max looks for", out->text);
    }
    return rc;
}

static enum e8_rc read_objectives(struct finder *f, struct e8_err *err)
{
    const char **rules = e8_arg_all(f->args, "slo");
    enum e8_rc rc = E8_OK;
    size_t n = 0;
    while (rules && rules[n]) {
        n++;
    }
    if (n == 0) {
        rc = e8_fail(err, E8_INPUT, "say what must hold: --slo 'p(99) < 200ms' --slo 'success >= 99.9%'",
                     "no objective is given");
    } else if (n > E8_COUNT(((struct e8_report *)NULL)->thresholds)) {
        rc = e8_fail(err, E8_INPUT, NULL, "--slo is given too often");
    }
    f->objectives = e8_arena_alloc(f->arena, (n + 1) * sizeof *f->objectives);
    for (size_t i = 0; !rc && rules && i < n; i++) {
        rc = read_objective(rules[i], &f->objectives[i], err);
        f->objective_count += !rc;
    }
    free(rules);
    return rc;
}

static enum e8_rc read_options(struct finder *f, struct e8_err *err)
{
    bool given;
    struct e8_cli_threads threads;
    enum e8_rc rc = read_rates(f, err);
    rc = rc ? rc : read_objectives(f, err);
    rc = rc ? rc : read_precision(f, err);
    rc = rc ? rc : read_times(f, err);
    rc = rc ? rc : e8_cli_process(f->args, &f->poisson, err);
    rc = rc ? rc : e8_arg_u64(f->args, "in-flight", 1, 10000000, &f->in_flight, err);
    rc = rc ? rc : e8_cli_seed(f->args, &given, &f->seed, err);
    rc = rc ? rc : e8_arg_u64(f->args, "workers", 1, 256, &f->workers, err);
    rc = rc ? rc : e8_cli_format(f->args, E8_FORMAT_TEXT, &f->format, err);
    f->workers = f->workers ? f->workers : e8_cli_cores();
    rc = rc ? rc : e8_cli_threads(f->args, (unsigned)f->workers, &threads, err);
    return rc ? rc : e8_cli_environment(f->args, f->catalog, &f->load.environment, err);
}

static enum e8_rc check_targets(struct finder *f, struct e8_err *err)
{
    enum e8_rc rc = e8_transport_init(err);
    rc = rc ? rc : e8_cli_reach(f->args, NULL, &f->reach, err);
    for (size_t i = 0; !rc && i < f->target.count; i++) {
        char address[64];
        rc = e8_reach_permits(&f->reach.reach, e8_str(f->target.endpoints[i].url), address, err);
    }
    return rc;
}

static enum e8_rc make_plan(struct finder *f, double rate, e8_dur_ns length, struct e8_plan **out,
                            struct e8_errs *errs)
{
    struct e8_rate exact = {(uint64_t)(rate * 1e6 + 0.5), RATE_DEN};
    f->load.seed = e8_mix(f->seed, f->count) >> 1;
    f->load.warmup = f->warmup;
    f->load.phase = (struct e8_phase){
        .open = true,
        .at = -1,
        .pace = {
            .kind = E8_PACE_CONSTANT, .poisson = f->poisson, .from = exact, .to = exact, .length = length}};
    return e8_plan_load(f->catalog, &f->load, out, errs);
}

/* What cannot be known of the objectives before there is a plan; and that there is one. */
static enum e8_rc check_plan(struct finder *f, struct e8_errs *errs)
{
    struct e8_plan *plan = NULL;
    struct e8_log_run facts;
    struct e8_err err = {0};
    if (make_plan(f, f->from, f->length, &plan, errs)) {
        return e8_errs_rc(errs);
    }
    e8_cli_facts(f->args, plan, f->catalog, f->arena, &facts);
    for (size_t i = 0; !err.rc && i < f->objective_count; i++) {
        e8_threshold_check(&f->objectives[i], facts.endpoints, facts.endpoint_count, facts.types, &err);
    }
    e8_plan_free(&plan);
    return err.rc ? e8_errs_add(errs, &err) : E8_OK;
}

static enum e8_rc prepare(struct finder *f, struct e8_errs *errs)
{
    struct e8_err err = {0};
    if (e8_cli_target(f->args, f->catalog, true, &f->target, errs)) {
        return e8_errs_rc(errs);
    }
    if (read_options(f, &err) || check_targets(f, &err)) {
        return e8_errs_add(errs, &err);
    }
    for (size_t i = 0; !e8_arg_set(f->args, "retries") && i < f->target.count; i++) {
        f->target.endpoints[i].retry.attempts = 1;
    }
    f->load.patterns = f->args->words;
    f->load.endpoints = f->target.endpoints;
    f->load.endpoint_count = f->target.count;
    f->search = e8_search_begin(f->from, f->top, f->precision);
    f->steps = e8_new(e8_search_most(f->from, f->top, f->precision), sizeof *f->steps);
    return check_plan(f, errs);
}

static e8_dur_ns longest_timeout(const struct finder *f)
{
    e8_dur_ns most = 0;
    for (size_t i = 0; i < f->target.count; i++) {
        most = f->target.endpoints[i].timeout > most ? f->target.endpoints[i].timeout : most;
    }
    return most;
}

/* As many deliveries in flight as there may be files: more would fail for our own reasons. Who asks for more is warned. */
static void fit_in_flight(struct finder *f)
{
    bool given = f->in_flight > 0;
    double most = f->top * (double)f->target.count * (double)longest_timeout(f) / (double)E8_NS_S + 1;
    f->in_flight = given ? f->in_flight : IN_FLIGHT;
    uint64_t possible = most < (double)f->in_flight ? (uint64_t)most : f->in_flight;
    struct e8_cli_files_limit files = e8_cli_files_for(possible, 1, (unsigned)f->workers);
    if (possible <= files.room) {
        return;
    }
    e8_cli_files_warn(possible, &files,
                      given ? "raise ulimit -Hn, or lower --in-flight"
                            : "no more are sent at a time; raise ulimit -Hn");
    f->in_flight = given ? f->in_flight : files.room;
}

static void tell_step(const struct finder *f, const struct e8_curve_step *step)
{
    struct e8_buf line;
    e8_buf_init(&line, 4096);
    e8_curve_step_text(step, e8_cli_progress_width(&f->progress), &line);
    e8_cli_progress_say(&f->progress, e8_buf_cstr(&line));
    e8_buf_fini(&line);
}

static enum e8_rc run_step(struct finder *f, double rate, enum e8_search_stage stage, struct e8_errs *errs)
{
    struct e8_err err = {0};
    struct e8_curve_step *step = &f->steps[f->count];
    char label[E8_STEP_LABEL_MAX];
    struct e8_cli_trial trial = {.args = f->args,
                                 .catalog = f->catalog,
                                 .reach = &f->reach.reach,
                                 .workers = (unsigned)f->workers,
                                 .in_flight = (size_t)f->in_flight,
                                 .warmup = f->warmup,
                                 .length = stage == E8_SEARCH_CONFIRM ? 2 * f->length : f->length,
                                 .drain = longest_timeout(f),
                                 .thresholds = f->objectives,
                                 .threshold_count = f->objective_count,
                                 .arena = f->arena,
                                 .progress = &f->progress,
                                 .label = e8_curve_step_label(stage, rate, label)};
    enum e8_rc rc = make_plan(f, rate, trial.length, &trial.plan, errs);
    if (!rc && e8_cli_trial(&trial, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    f->stopped_by = trial.stopped_by;
    if (!rc && !trial.stopped_by) {
        *step = (struct e8_curve_step){.stage = stage, .rate = rate, .run = trial.facts.id};
        const struct e8_curve_facts facts = {.unfinished = trial.unfinished,
                                             .early = trial.early,
                                             .disabled = trial.result.disabled > 0,
                                             .busy = trial.busy};
        e8_curve_judge(&trial.report, &facts, step);
        e8_search_tell(&f->search, step->result);
        f->count++;
        tell_step(f, step);
    }
    e8_cli_trial_fini(&trial);
    e8_plan_free(&trial.plan);
    return rc;
}

/* After a step that did not hold the receiver gets some time to recover. The signal that came meanwhile, or 0. */
static int rest(struct finder *f)
{
    bool tired = f->count && f->steps[f->count - 1].result != E8_SEARCH_HOLDS;
    return tired ? e8_cli_progress_rest(&f->progress, f->length / 2 < REST ? f->length / 2 : REST) : 0;
}

static enum e8_rc run_steps(struct finder *f, struct e8_errs *errs)
{
    enum e8_search_stage stage;
    enum e8_rc rc = E8_OK;
    double rate;
    while (!rc && !f->stopped_by && e8_search_next(&f->search, &rate, &stage)) {
        f->stopped_by = rest(f);
        rc = f->stopped_by ? E8_OK : run_step(f, rate, stage, errs);
    }
    return rc;
}

static int conclude(struct finder *f)
{
    static const int codes[] = {
        [E8_PASS] = E8_EXIT_PASS, [E8_FAIL] = E8_EXIT_FAIL, [E8_INVALID] = E8_EXIT_INVALID};
    struct e8_curve curve = {.target = e8_cli_redacted(f->arena, f->target.endpoints[0].url),
                             .objectives = f->objectives,
                             .objective_count = f->objective_count,
                             .length = f->length,
                             .steps = f->steps,
                             .count = f->count,
                             .search = f->search,
                             .interrupted = f->stopped_by != 0};
    e8_curve_conclude(&curve);
    e8_curve_write(&curve, f->format, e8_cli_style(f->args, stdout), stdout);
    fflush(stdout);
    return f->stopped_by ? 128 + f->stopped_by : codes[curve.verdict];
}

/* With a receiver that lets every step run to its end, and its backlog to the deadline. */
static e8_dur_ns longest_search(const struct finder *f, unsigned steps)
{
    e8_dur_ns step = REST + f->warmup + f->length + longest_timeout(f) + E8_TRIAL_GRACE;
    return (e8_dur_ns)steps * step + E8_SEARCH_CONFIRMATIONS * f->length;
}

static int find(struct finder *f, struct e8_errs *errs)
{
    char length[E8_DUR_MAX], most[E8_DUR_MAX], line[2 * E8_DUR_MAX + 64];
    unsigned steps = e8_search_most(f->from, f->top, f->precision);
    e8_cli_target_note(&f->target);
    fit_in_flight(f);
    e8_cli_progress_open(&f->progress, f->args);
    snprintf(line, sizeof line, "at most %u steps of %s, %s in all", steps, e8_dur_text(f->length, length),
             e8_dur_text(longest_search(f, steps), most));
    e8_cli_progress_say(&f->progress, line);
    enum e8_rc rc = run_steps(f, errs);
    e8_cli_progress_close(&f->progress);
    int code = f->count || !rc ? conclude(f) : E8_EXIT_PASS;
    return rc ? e8_exit_errs(errs) : code;
}

int e8_cmd_find_max(const struct e8_args *args)
{
    struct finder f = {.args = args, .arena = e8_arena_new()};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    if (e8_cli_catalog(args, &f.catalog, &code)) {
        code = prepare(&f, &errs) ? e8_exit_errs(&errs) : find(&f, &errs);
    }
    e8_errs_fini(&errs);
    free(f.steps);
    e8_cli_reach_fini(&f.reach);
    e8_cli_target_fini(&f.target);
    e8_catalog_free(&f.catalog);
    e8_arena_free(&f.arena);
    return code;
}
