#include <math.h>
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

static void parse_ramp(struct e8_parser *p, const struct e8_node *node, struct e8_pace *pace)
{
    struct e8_str from, to;
    pace->kind = E8_PACE_RAMP;
    if (!e8_parse_range(node->text, &from, &to) || !e8_parse_rate(from, &pace->from) ||
        !e8_parse_rate(to, &pace->to) || (pace->from.num == 0 && pace->to.num == 0)) {
        e8_parse_fail(p, node, "from and to: 20/s..200/s", "\"%.*s\" is no ramp", E8_STR(node->text));
    }
}

static void check_total(struct e8_parser *p, const struct e8_node *map, const struct e8_pace *pace)
{
    double most = e8_rate_per_s(pace->from) > e8_rate_per_s(pace->to) ? e8_rate_per_s(pace->from)
                                                                      : e8_rate_per_s(pace->to);
    if (most * (double)pace->length / (double)E8_NS_S > 1e12) {
        e8_parse_fail(p, map, "at most 10^12 arrivals", "rate times length overflows");
    }
}

static void parse_open(struct e8_parser *p, const struct e8_node *map, struct e8_phase *phase)
{
    static const char *const keys[] = {"rate", "ramp", "for", "process", NULL};
    const struct e8_node *rate = e8_node_get(map, "rate"), *ramp = e8_node_get(map, "ramp");
    const struct e8_node *length = e8_node_get(map, "for"), *process = e8_node_get(map, "process");
    struct e8_pace *pace = &phase->pace;
    size_t before = p->errs->total;
    e8_node_only(map, keys, p->errs);
    phase->open = true;
    pace->kind = E8_PACE_CONSTANT;
    if (rate && ramp) {
        e8_parse_fail(p, ramp, NULL, "give rate or ramp, not both");
    } else if (ramp) {
        parse_ramp(p, ramp, pace);
    } else if (parse_rate(p, rate, &pace->from)) {
        pace->to = pace->from;
    }
    if (!length) {
        e8_parse_fail(p, map, "{rate: 20/s, for: 30s}", "arrivals at a rate need a length");
    } else if (e8_parse_dur_node(p, length, &pace->length) && pace->length <= 0) {
        e8_parse_fail(p, length, "for: 30s", "a length of 0 lets nothing arrive");
    }
    if (process && e8_str_is(process->text, "poisson") && !ramp) {
        pace->poisson = true;
    } else if (process && !e8_str_is(process->text, "constant")) {
        e8_parse_fail(p, process, ramp ? "a ramp is constant" : "constant or poisson",
                      "unknown process \"%.*s\"", E8_STR(process->text));
    }
    if (p->errs->total == before) {
        check_total(p, map, pace);
    }
}

static bool whole(struct e8_parser *p, const struct e8_node *node, uint64_t most, uint64_t *out)
{
    if (node->kind != E8_INT || node->i < 1 || (uint64_t)node->i > most) {
        e8_parse_fail(p, node, "a whole number above 0", "\"%.*s\" is out of range", E8_STR(node->text));
        return false;
    }
    *out = (uint64_t)node->i;
    return true;
}

static void parse_closed(struct e8_parser *p, const struct e8_node *map, struct e8_phase *phase)
{
    static const char *const keys[] = {"times", "concurrency", NULL};
    const struct e8_node *times = e8_node_get(map, "times"), *concurrency = e8_node_get(map, "concurrency");
    uint64_t n;
    e8_node_only(map, keys, p->errs);
    if (times) {
        whole(p, times, 1000000000000u, &phase->times);
    }
    if (concurrency && whole(p, concurrency, 1000000, &n)) {
        phase->concurrency = (uint32_t)n;
    }
}

static void parse_arrivals(struct e8_parser *p, const struct e8_node *arrivals, struct e8_phase *phase)
{
    bool paced = e8_node_get(arrivals, "rate") || e8_node_get(arrivals, "ramp");
    if (arrivals->kind != E8_MAP) {
        e8_parse_fail(p, arrivals, "{times: 10, concurrency: 2} or {rate: 20/s, for: 30s}",
                      "arrivals must be a map");
    } else if (paced) {
        parse_open(p, arrivals, phase);
    } else if (e8_node_get(arrivals, "for")) {
        e8_parse_fail(p, arrivals, "{rate: 20/s, for: 30s}", "arrivals for a time need a rate");
    } else {
        parse_closed(p, arrivals, phase);
    }
}

/* An entry of `run`: a phase, or one for each of the flows that `each` has made. */
static void parse_phase(struct e8_parser *p, const struct e8_node *map)
{
    static const char *const keys[] = {"flow", "arrivals", "at", NULL};
    struct e8_plan *plan = &p->owned->plan;
    const struct e8_node *flow = e8_node_get(map, "flow"), *arrivals = e8_node_get(map, "arrivals");
    const struct e8_node *at = e8_node_get(map, "at");
    struct e8_phase *phase = &plan->phases[plan->phase_count];
    size_t count = 1;
    *phase = (struct e8_phase){.times = 1, .concurrency = 1, .at = -1};
    if (map->kind != E8_MAP || !flow) {
        e8_parse_fail(p, map, "- {flow: NAME, arrivals: {rate: 20/s, for: 30s}}",
                      "an entry of run names a flow");
        return;
    }
    e8_node_only(map, keys, p->errs);
    phase->flow = find_flows(p, flow, &count);
    if (at) {
        e8_parse_dur_node(p, at, &phase->at);
    }
    if (arrivals) {
        parse_arrivals(p, arrivals, phase);
    }
    const struct e8_phase first = *phase;
    for (size_t i = 0; i < count; i++, phase++) {
        *phase = first;
        phase->flow = first.flow ? first.flow + i : NULL;
        phase->pace.seed = e8_mix(plan->seed, plan->phase_count++);
    }
}

/* How many numbers its instances need. What is Poisson is not walked, which could take minutes: it gets twelve deviations more
 * than its mean, and no more arrivals than that. */
static uint64_t numbers_of(struct e8_phase *phase)
{
    struct e8_pace *pace = &phase->pace;
    if (phase->open && pace->poisson) {
        double mean = e8_rate_per_s(pace->from) * (double)pace->length / (double)E8_NS_S;
        pace->limit = (uint64_t)(mean + 12 * sqrt(mean)) + 100;
        return pace->limit;
    }
    return phase->open ? e8_pace_count(pace) : phase->times;
}

/* Numbers go through all phases of a flow, so that no two instances have the same entities and ids. */
static void number_instances(struct e8_plan *plan)
{
    uint64_t *next = e8_new(plan->flow_count + 1, sizeof *next);
    for (size_t i = 0; i < plan->phase_count; i++) {
        struct e8_phase *phase = &plan->phases[i];
        phase->first = next[phase->flow - plan->flows];
        next[phase->flow - plan->flows] += numbers_of(phase);
    }
    free(next);
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
        count += n;
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
        number_instances(plan);
    }
}
