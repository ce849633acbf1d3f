#include <stdlib.h>
#include <string.h>

#include "scenario/parse.h"

/* The flows of a name: one, or those that `each` has made of it. NULL: there is none, which is told. */
static const struct e8_flow *find_flows(struct e8_parser *p, const struct e8_node *node, size_t *count)
{
    const struct e8_plan *plan = &p->owned->plan;
    *count = 1;
    for (size_t i = 0; i < plan->flow_count; i++) {
        if (e8_str_is(node->text, plan->flows[i].name)) {
            return &plan->flows[i];
        }
    }
    for (size_t i = 0; i < p->group_count; i++) {
        if (e8_str_eq(node->text, p->groups[i].name)) {
            *count = p->groups[i].count;
            return &plan->flows[p->groups[i].first];
        }
    }
    const char **names = e8_new(plan->flow_count + 1, sizeof *names);
    for (size_t i = 0; i < plan->flow_count; i++) {
        names[i] = plan->flows[i].name;
    }
    char hint[E8_HINT_MAX];
    e8_hint_names(node->text, names, "a name of flows:", hint);
    e8_parse_fail(p, node, hint, "unknown flow \"%.*s\"", E8_STR(node->text));
    free(names);
    return NULL;
}

static bool parse_rate(struct e8_parser *p, const struct e8_node *node, struct e8_rate *out)
{
    E8_ASSERT(node);
    if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_parse_rate(node->text, out) || out->num == 0) {
        e8_parse_fail(p, node, "events per time: 100/s, 30/m, 2.5/h", "\"%.*s\" is no rate",
                      E8_STR(node->text));
        return false;
    }
    return true;
}

/* What the arrivals' length is; 0 after a fault. */
static void parse_length(struct e8_parser *p, const struct e8_node *map, struct e8_pace *pace)
{
    const struct e8_node *length = e8_node_get(map, "for");
    if (!length) {
        e8_parse_fail(p, map, "{rate: 20/s, for: 30s}", "arrivals at a rate need a length");
    } else if (e8_parse_dur_node(p, length, &pace->length) && pace->length <= 0) {
        e8_parse_fail(p, length, "for: 30s", "a length of 0 lets nothing arrive");
    }
}

static void parse_period(struct e8_parser *p, const struct e8_node *map, const char *key,
                         struct e8_pace *pace)
{
    const struct e8_node *period = e8_node_get(map, key);
    if (!period) {
        e8_parse_fail(p, map,
                      key[0] == 'e' ? "{burst: 100, every: 10s, for: 1m}"
                                    : "{sine: 20/s..200/s, period: 10s, for: 1m}",
                      "%s is missing", key);
    } else if (e8_parse_dur_node(p, period, &pace->period) && pace->period <= 0) {
        e8_parse_fail(p, period, "10s", "%s of 0 never comes to an end", key);
    }
}

static bool whole(struct e8_parser *p, const struct e8_node *node, uint64_t most, uint64_t *out)
{
    if (node->kind != E8_INT || node->i < 1 || (uint64_t)node->i > most) {
        e8_parse_fail(p, node, e8_node_hint(node, "a whole number above 0"), "\"%.*s\" %s",
                      E8_STR(node->text), e8_whole_fault(node->text));
        return false;
    }
    *out = (uint64_t)node->i;
    return true;
}

static void parse_even(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                       struct e8_pace *pace)
{
    if (parse_rate(p, value, &pace->from)) {
        pace->to = pace->from;
    }
    parse_length(p, map, pace);
}

static void parse_rates(struct e8_parser *p, const struct e8_node *node, const char *what,
                        struct e8_pace *pace)
{
    if (node->kind == E8_SEQ || node->kind == E8_MAP ||
        !e8_pace_parse_rates(node->text, &pace->from, &pace->to)) {
        e8_parse_fail(p, node, "from and to: 20/s..200/s", "\"%.*s\" is no %s", E8_STR(node->text), what);
    }
}

static void parse_ramp(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                       struct e8_pace *pace)
{
    parse_rates(p, value, "ramp", pace);
    parse_length(p, map, pace);
}

static void parse_sine(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                       struct e8_pace *pace)
{
    parse_rates(p, value, "range of rates", pace);
    parse_period(p, map, "period", pace);
    parse_length(p, map, pace);
}

static void parse_burst(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                        struct e8_pace *pace)
{
    whole(p, value, 1000000, &pace->burst);
    parse_period(p, map, "every", pace);
    parse_length(p, map, pace);
}

static void parse_steps(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                        struct e8_pace *pace)
{
    (void)map;
    if (value->kind != E8_SEQ || value->count == 0 || value->count > E8_STAGES_MAX) {
        e8_parse_fail(p, value, "steps: ['0..500/s:1m', '500/s:5m']", "steps are a list of 1 to %d pieces",
                      E8_STAGES_MAX);
        return;
    }
    struct e8_pace_piece *pieces = e8_arena_alloc(p->owned->arena, value->count * sizeof *pieces);
    pace->pieces = pieces;
    for (const struct e8_node *node = value->first; node; node = node->next) {
        struct e8_pace_piece *piece = &pieces[pace->piece_count++];
        if (node->kind == E8_SEQ || node->kind == E8_MAP || !e8_pace_parse_piece(node->text, piece)) {
            e8_parse_fail(p, node, "a rate or a ramp, and its length: 500/s:5m, 0..500/s:1m",
                          "\"%.*s\" is no piece of steps", E8_STR(node->text));
        } else if (__builtin_add_overflow(pace->length, piece->length, &pace->length) ||
                   pace->length > E8_NEVER / 4) {
            e8_parse_fail(p, node, "shorter pieces", "the steps' length overflows");
        }
    }
}

/* Kinds of open arrivals, each with its keys, the one that names it first. */
static const struct open_kind {
    enum e8_pace_kind kind;
    bool poisson;
    const char *keys[5];
    void (*parse)(struct e8_parser *p, const struct e8_node *map, const struct e8_node *value,
                  struct e8_pace *pace);
} open_kinds[] = {
    {E8_PACE_CONSTANT, true, {"rate", "for", "process", NULL}, parse_even},
    {E8_PACE_RAMP, true, {"ramp", "for", "process", NULL}, parse_ramp},
    {E8_PACE_STEPS, true, {"steps", "process", NULL}, parse_steps},
    {E8_PACE_SINE, true, {"sine", "period", "for", "process", NULL}, parse_sine},
    {E8_PACE_BURST, false, {"burst", "every", "for", NULL}, parse_burst},
};

/* NULL: it is none of them. Two at once are told. */
static const struct open_kind *open_kind_of(struct e8_parser *p, const struct e8_node *map)
{
    const struct open_kind *found = NULL;
    for (size_t i = 0; i < E8_COUNT(open_kinds); i++) {
        const struct e8_node *value = e8_node_get(map, open_kinds[i].keys[0]);
        if (value && found) {
            e8_parse_fail(p, value, NULL, "give %s or %s, not both", found->keys[0], open_kinds[i].keys[0]);
        }
        found = value && !found ? &open_kinds[i] : found;
    }
    return found;
}

static void parse_process(struct e8_parser *p, const struct e8_node *node, struct e8_pace *pace)
{
    if (node && e8_str_is(node->text, "poisson")) {
        pace->poisson = true;
    } else if (node && !e8_str_is(node->text, "constant")) {
        e8_parse_fail(p, node, "constant or poisson", "unknown process \"%.*s\"", E8_STR(node->text));
    }
}

static void parse_open(struct e8_parser *p, const struct e8_node *map, const struct open_kind *kind,
                       struct e8_phase *phase)
{
    struct e8_pace *pace = &phase->pace;
    size_t before = p->errs->total;
    phase->open = true;
    pace->kind = kind->kind;
    e8_node_only(map, kind->keys, p->errs);
    kind->parse(p, map, e8_node_get(map, kind->keys[0]), pace);
    if (kind->poisson) {
        parse_process(p, e8_node_get(map, "process"), pace);
    }
    if (p->errs->total == before && e8_pace_mean(pace) > 1e12) {
        e8_parse_fail(p, map, "at most 10^12 arrivals", "rate times length overflows");
    }
}

static void parse_closed(struct e8_parser *p, const struct e8_node *map, struct e8_phase *phase)
{
    static const char *const keys[] = {"times", "concurrency", "for", NULL};
    const struct e8_node *times = e8_node_get(map, "times"), *concurrency = e8_node_get(map, "concurrency");
    const struct e8_node *within = e8_node_get(map, "for");
    uint64_t n;
    e8_node_only(map, keys, p->errs);
    if (within && e8_parse_dur_node(p, within, &phase->within) && phase->within <= 0) {
        e8_parse_fail(p, within, "for: 30s", "a length of 0 lets nothing arrive");
    }
    if (times) {
        whole(p, times, E8_TIMES_MAX, &phase->times);
    } else if (within) {
        phase->times = E8_TIMES_MAX;
    }
    if (concurrency && whole(p, concurrency, 1000000, &n)) {
        phase->concurrency = (uint32_t)n;
    }
}

static void parse_arrivals(struct e8_parser *p, const struct e8_node *arrivals, struct e8_phase *phase)
{
    if (arrivals->kind != E8_MAP) {
        e8_parse_fail(p, arrivals, "{times: 10, concurrency: 2} or {rate: 20/s, for: 30s}",
                      "arrivals must be a map");
        return;
    }
    size_t before = p->errs->total;
    const struct open_kind *kind = open_kind_of(p, arrivals);
    bool closed = e8_node_get(arrivals, "times") || e8_node_get(arrivals, "concurrency");
    if (p->errs->total != before) {
        return;
    }
    if (kind) {
        parse_open(p, arrivals, kind, phase);
    } else if (e8_node_get(arrivals, "for") && !closed) {
        e8_parse_fail(p, arrivals, "{rate: 20/s, for: 30s} or {concurrency: 64, for: 30s}",
                      "arrivals for a time need a rate");
    } else {
        parse_closed(p, arrivals, phase);
    }
}

/* An entry of `run`: a phase, or one for each of the flows that `each` has made. */
static void parse_phase(struct e8_parser *p, const struct e8_node *map)
{
    static const char *const keys[] = {"flow", "arrivals", "at", "warmup", NULL};
    struct e8_plan *plan = &p->owned->plan;
    const struct e8_node *flow = e8_node_get(map, "flow"), *arrivals = e8_node_get(map, "arrivals");
    const struct e8_node *at = e8_node_get(map, "at"), *warmup = e8_node_get(map, "warmup");
    struct e8_phase phase = {.times = 1, .concurrency = 1, .at = -1};
    e8_dur_ns warm = 0;
    size_t count = 1, before = p->errs->total;
    if (map->kind != E8_MAP || !flow) {
        e8_parse_fail(p, map, "- {flow: NAME, arrivals: {rate: 20/s, for: 30s}}",
                      "an entry of run names a flow");
        return;
    }
    e8_node_only(map, keys, p->errs);
    phase.flow = find_flows(p, flow, &count);
    if (at) {
        e8_parse_dur_node(p, at, &phase.at);
    }
    if (warmup) {
        e8_parse_long_dur(p, warmup, &warm);
    }
    if (arrivals) {
        parse_arrivals(p, arrivals, &phase);
    }
    for (size_t i = 0; p->errs->total == before && i < count; i++, phase.flow++) {
        e8_plan_phase(plan, &phase, warm);
    }
}

/* How many phases the list makes at most. */
static size_t count_phases(struct e8_parser *p, const struct e8_node *list)
{
    size_t count = 0;
    for (const struct e8_node *node = list->first; node; node = node->next) {
        const struct e8_node *flow = e8_node_get(node, "flow");
        size_t n = 1;
        for (size_t i = 0; flow && i < p->group_count; i++) {
            n = e8_str_eq(flow->text, p->groups[i].name) ? p->groups[i].count : n;
        }
        count += e8_node_get(node, "warmup") ? 2 * n : n;
    }
    return count;
}

void e8_parse_phases(struct e8_parser *p, const struct e8_node *list)
{
    struct e8_plan *plan = &p->owned->plan;
    size_t before = p->errs->total;
    if (list && (list->kind != E8_SEQ || list->count == 0)) {
        e8_parse_fail(p, list, "run: [{flow: NAME, arrivals: {rate: 20/s, for: 30s}}]", "run must be a list");
        return;
    }
    size_t count = list ? count_phases(p, list) : plan->flow_count;
    if (list && count > E8_PHASES_MAX) {
        e8_parse_fail(p, list, "raise times or for", "run has more than %d entries", E8_PHASES_MAX);
        return;
    }
    plan->phases = e8_arena_alloc(p->owned->arena, (count + 1) * sizeof *plan->phases);
    for (const struct e8_node *node = list ? list->first : NULL; node; node = node->next) {
        parse_phase(p, node);
    }
    for (size_t i = 0; !list && i < count; i++) {
        plan->phases[plan->phase_count++] =
            (struct e8_phase){.flow = &plan->flows[i], .times = 1, .concurrency = 1, .at = -1};
    }
    if (p->errs->total == before) {
        e8_plan_number(plan);
    }
}
