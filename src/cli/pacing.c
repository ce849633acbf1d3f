#include "cli/pacing.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST (E8_NEVER / 4)

/* The value, and whether it is given. */
struct given {
    bool rate, length, concurrency, number, stages, process, drop;
    struct e8_rate per;
    e8_dur_ns within;
    uint64_t places, times, bound;
};

static enum e8_rc read_given(const struct e8_args *args, struct given *g, struct e8_err *err)
{
    *g = (struct given){
        .rate = e8_arg_set(args, "rate"),
        .length = e8_arg_set(args, "duration"),
        .concurrency = e8_arg_set(args, "concurrency"),
        .number = e8_arg_set(args, "number"),
        .stages = e8_arg_set(args, "stages"),
        .process = e8_arg_set(args, "process"),
        .drop = e8_arg_set(args, "drop"),
        .places = 1,
        .bound = UINT64_MAX,
    };
    enum e8_rc rc = e8_arg_rate(args, "rate", &g->per, err);
    rc = rc ? rc : e8_arg_dur(args, "duration", &g->within, err);
    rc = rc ? rc : e8_arg_u64(args, "concurrency", 1, 1000000, &g->places, err);
    rc = rc ? rc : e8_arg_u64(args, "number", 1, E8_TIMES_MAX, &g->times, err);
    rc = rc ? rc : e8_arg_u64(args, "in-flight", 1, 10000000, &g->bound, err);
    if (!rc && g->length && g->within <= 0) {
        rc = e8_fail(err, E8_INPUT, "--duration 30s", "a duration of 0 sends nothing");
    }
    if (!rc && g->rate && g->per.num == 0) {
        rc = e8_fail(err, E8_INPUT, "100/s, 30/m", "--rate 0 sends nothing");
    }
    return rc;
}

/* What does not go together, or is not enough. */
static enum e8_rc check_given(const struct given *g, struct e8_err *err)
{
    const struct {
        bool fault;
        const char *hint, *text;
    } rules[] = {
        {!g->rate && !g->concurrency && !g->stages && !g->number && !g->length,
         "--rate 500/s -z 1m, -c 64 -z 30s, -n 1000 or --stages '0..500/s:1m,500/s:5m'",
         "nothing says how much to send"},
        {g->rate && g->stages, "leave one of them out", "--rate and --stages exclude each other"},
        {g->stages && g->length, "the stages have their own lengths",
         "--stages and --duration exclude each other"},
        {g->concurrency && (g->rate || g->stages), "--in-flight bounds what is sent at a rate",
         "--concurrency and a rate exclude each other"},
        {g->drop && !g->rate && !g->stages, "leave --drop out: a closed loop sends when there is room",
         "--drop is for a rate"},
        {!g->rate && !g->stages && g->bound < g->places, "raise it, or leave it out",
         "--in-flight is lower than --concurrency"},
        {g->process && !g->rate && !g->stages, "add --rate or --stages", "--process is for a rate"},
        {!g->stages && !g->length && !g->number, "add -z 1m or -n 1000", "nothing says for how long"},
    };
    for (size_t i = 0; i < E8_COUNT(rules); i++) {
        if (rules[i].fault) {
            return e8_fail(err, E8_INPUT, rules[i].hint, "%s", rules[i].text);
        }
    }
    return E8_OK;
}

enum e8_rc e8_cli_process(const struct e8_args *args, bool *poisson, struct e8_err *err)
{
    const char *name = e8_arg(args, "process");
    *poisson = name && strcmp(name, "poisson") == 0;
    return !name || *poisson || strcmp(name, "constant") == 0
               ? E8_OK
               : e8_fail(err, E8_INPUT,
                         "constant or poisson; sine and burst are arrivals of scenarios (emit8 run)",
                         "--process: unknown process \"%s\"", name);
}

/* The first column is 1. */
static enum e8_rc fail_stage(const char *text, struct e8_str part, struct e8_err *err)
{
    return e8_fail(err, E8_INPUT, "a rate or a ramp, and its length: 500/s:5m, 0..500/s:1m",
                   "--stages, column %zu: \"%.*s\" is no stage", (size_t)(part.p - text) + 1, E8_STR(part));
}

static enum e8_rc read_stages(const char *text, struct e8_cli_pacing *out, struct e8_err *err)
{
    struct e8_pace *pace = &out->phase.pace;
    struct e8_str rest = e8_str(text), part;
    out->pieces = e8_new(E8_STAGES_MAX, sizeof *out->pieces);
    pace->kind = E8_PACE_STEPS;
    pace->pieces = out->pieces;
    while (e8_str_split(&rest, ',', &part)) {
        if (pace->piece_count == E8_STAGES_MAX) {
            return e8_fail(err, E8_INPUT, NULL, "--stages has more than %d pieces", E8_STAGES_MAX);
        }
        struct e8_pace_piece *piece = &out->pieces[pace->piece_count++];
        if (!e8_pace_parse_piece(part, piece)) {
            return fail_stage(text, part, err);
        }
        if (piece->length > LONGEST - pace->length) {
            return e8_fail(err, E8_INPUT, NULL, "--stages: the lengths overflow");
        }
        pace->length += piece->length;
    }
    if (pace->piece_count && rest.p[-1] == ',') {
        return fail_stage(text, rest, err);
    }
    if (pace->piece_count && e8_pace_mean(pace) <= 0) {
        return e8_fail(err, E8_INPUT, "a stage with a rate above 0 and a length: 0..500/s:1m",
                       "--stages '%s' sends nothing", text);
    }
    return pace->piece_count ? E8_OK
                             : e8_fail(err, E8_INPUT, "--stages '0..500/s:1m,500/s:5m'", "--stages is empty");
}

/* So long that the number of arrivals fits; what is random is as long as it takes. */
static e8_dur_ns length_for(const struct given *g, const struct e8_pace *pace)
{
    double ns = (double)g->times * (double)g->per.den / (double)g->per.num + 1;
    return pace->poisson || ns > (double)LONGEST ? LONGEST : (e8_dur_ns)ns;
}

static enum e8_rc open_loop(const struct e8_args *args, const struct given *g, struct e8_cli_pacing *out,
                            struct e8_err *err)
{
    struct e8_pace *pace = &out->phase.pace;
    out->phase.open = true;
    enum e8_rc rc = e8_cli_process(args, &pace->poisson, err);
    if (!rc && g->stages) {
        rc = read_stages(e8_arg(args, "stages"), out, err);
    } else if (!rc) {
        pace->kind = E8_PACE_CONSTANT;
        pace->from = pace->to = g->per;
        pace->length = g->length ? g->within : length_for(g, pace);
    }
    pace->limit = g->number ? g->times : 0;
    if (!rc && !g->number && e8_pace_mean(pace) > 1e12) {
        rc = e8_fail(err, E8_INPUT, "at most 10^12 events", "rate times length overflows");
    }
    return rc;
}

enum e8_rc e8_cli_pacing(const struct e8_args *args, struct e8_cli_pacing *out, struct e8_err *err)
{
    struct given g;
    *out = (struct e8_cli_pacing){.phase = {.at = -1}};
    enum e8_rc rc = read_given(args, &g, err);
    rc = rc ? rc : check_given(&g, err);
    rc = rc ? rc : e8_arg_dur(args, "warmup", &out->warmup, err);
    if (!rc && (g.rate || g.stages)) {
        rc = open_loop(args, &g, out, err);
    } else {
        out->phase.concurrency = (uint32_t)g.places;
        out->phase.times = g.number ? g.times : E8_TIMES_MAX;
        out->phase.within = g.within;
    }
    return rc;
}
