#include <stdlib.h>

#include "cli/commands.h"
#include "cli/pacing.h"
#include "cli/preview.h"
#include "cli/shard.h"
#include "cli/target.h"

const struct e8_option e8_load_options[] = {
    {"to", 't', "[NAME=]URL", "where to send; every event goes to each (repeatable)",
     E8_OPTION_ENV | E8_OPTION_REPEATS},
    {"rate", 'r', "RATE", "open loop: so many events per time, 500/s", 0},
    {"concurrency", 'c', "C", "closed loop: the next event when one of so many has ended; default 1", 0},
    {"duration", 'z', "DUR", "for so long", 0},
    {"number", 'n', "N", "at most so many events", 0},
    {"stages", 0, "LIST", "open loop, in pieces of a rate or a ramp and its length: 0..500/s:1m,500/s:5m", 0},
    {"process", 0, "constant|poisson",
     "how they arrive at a rate; poisson: at random; sine and burst: in scenarios", 0},
    {"warmup", 0, "DUR", "so long before it, at the mean rate or the same concurrency: sent, but not counted",
     0},
    {"in-flight", 0, "N", "deliveries in flight at most, those between two attempts apart; default 10000",
     E8_OPTION_ENV},
    {"drop", 0, NULL, "at that bound drop events, and count them, instead of letting them wait", 0},
    {"environment", 'e', "NAME", "production, staging or development", E8_OPTION_ENV},
    {"seed", 0, "N", "of everything random; the same seed gives the same events", E8_OPTION_ENV},
    {"clock", 0, "TIME", "let the events' time start here", 0},
    {"dry-run", 0, NULL, "print the time-line that the seed gives, and send nothing", 0},
    {"plan", 0, "json|ndjson", "the same for machines: one document, or a line for each delivery", 0},
    {"limit", 0, "N", "events of --dry-run (default 50) or --plan (default: all); 0: all", 0},
    {NULL, 0, NULL, NULL, 0},
};

struct loader {
    const struct e8_args *args;
    struct e8_catalog *catalog;
    struct e8_cli_target target;
    struct e8_cli_pacing pacing;
    struct e8_cli_preview preview;
    struct e8_cli_shard shard;
    struct e8_load_options options;
    struct e8_plan *plan;
    e8_wall_ns clock;
    uint64_t workers, in_flight;
};

static enum e8_rc read_options(struct loader *l, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_pacing(l->args, &l->pacing, err);
    rc = rc ? rc : e8_cli_shard(l->args, &l->shard, err);
    rc = rc ? rc : e8_cli_preview(l->args, &l->preview, err);
    rc = rc ? rc : e8_cli_seed(l->args, &l->options.seed_given, &l->options.seed, err);
    rc = rc ? rc : e8_arg_time(l->args, "clock", &l->clock, err);
    rc = rc ? rc : e8_arg_u64(l->args, "workers", 1, 256, &l->workers, err);
    rc = rc ? rc : e8_arg_u64(l->args, "in-flight", 1, 10000000, &l->in_flight, err);
    if (!l->in_flight && l->pacing.phase.concurrency > E8_IN_FLIGHT_DEFAULT) {
        l->in_flight = l->pacing.phase.concurrency;
    }
    return rc ? rc : e8_cli_environment(l->args, l->catalog, &l->options.environment, err);
}

/* A retry would be load that nobody asked for. */
static void turn_off_retries(struct loader *l)
{
    for (size_t i = 0; !e8_arg_set(l->args, "retries") && i < l->target.count; i++) {
        l->target.endpoints[i].retry.attempts = 1;
    }
}

static enum e8_rc make_plan(struct loader *l, struct e8_errs *errs)
{
    struct e8_err err = {0};
    if (e8_cli_target(l->args, l->catalog, true, &l->target, errs)) {
        return e8_errs_rc(errs);
    }
    if (read_options(l, &err)) {
        return e8_errs_add(errs, &err);
    }
    turn_off_retries(l);
    l->options.patterns = l->args->words;
    l->options.endpoints = l->target.endpoints;
    l->options.endpoint_count = l->target.count;
    l->options.phase = l->pacing.phase;
    l->options.warmup = l->pacing.warmup;
    enum e8_rc rc = e8_plan_load(l->catalog, &l->options, &l->plan, errs);
    if (!rc && e8_cli_divide(&l->shard, l->clock, l->preview.dry, l->plan, &err)) {
        rc = e8_errs_add(errs, &err);
    }
    return rc;
}

static int send_load(struct loader *l)
{
    struct e8_cli_run run = {
        .plan = l->plan,
        .catalog = l->catalog,
        .speed = 1,
        .clock = l->clock,
        .workers = (unsigned)l->workers,
        .in_flight = (size_t)l->in_flight,
        .drop = e8_arg_set(l->args, "drop"),
        .report = true,
        .load = true,
        .start_at = l->shard.start_at,
    };
    e8_wall_ns clock = l->clock ? l->clock : l->shard.start_at;
    e8_cli_target_note(&l->target);
    return l->preview.dry ? e8_cli_preview_show(l->args, l->plan, l->catalog, clock, &l->preview)
                          : e8_cli_execute(l->args, &run);
}

int e8_cmd_load(const struct e8_args *args)
{
    struct loader l = {.args = args};
    struct e8_errs errs;
    int code;
    e8_errs_init(&errs);
    if (e8_cli_catalog(args, &l.catalog, &code)) {
        code = make_plan(&l, &errs) ? e8_exit_errs(&errs) : send_load(&l);
    }
    e8_errs_fini(&errs);
    e8_plan_free(&l.plan);
    free(l.pacing.pieces);
    e8_cli_target_fini(&l.target);
    e8_catalog_free(&l.catalog);
    return code;
}
