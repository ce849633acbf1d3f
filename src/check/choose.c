#include <string.h>

#include "check/internal.h"

static bool matches(struct e8_str name, const char *own)
{
    return e8_str_ieq(name, e8_str(own));
}

bool e8_check_named(const struct e8_check_probe *probe, struct e8_str name)
{
    return matches(name, probe->id) || matches(name, probe->prefix) || matches(name, probe->group);
}

const char *e8_check_hint(const struct e8_check *check, struct e8_str name, char out[E8_HINT_MAX])
{
    struct e8_arena *arena = e8_arena_new();
    const char **names = e8_arena_alloc(arena, (3 * check->count + 1) * sizeof *names);
    for (size_t i = 0; i < check->count; i++) {
        names[3 * i] = check->probes[i].id;
        names[3 * i + 1] = check->probes[i].prefix;
        names[3 * i + 2] = check->probes[i].group;
    }
    e8_hint_near(name, names, "emit8 check --list shows the probes and their groups", out);
    e8_arena_free(&arena);
    return out;
}

static enum e8_rc mark(struct e8_check *check, struct e8_str name, bool skip, struct e8_err *err)
{
    const struct e8_check_probe *canary = NULL;
    size_t found = 0;
    for (size_t i = 0; i < check->count; i++) {
        struct e8_check_probe *probe = &check->probes[i];
        if (!e8_check_named(probe, name)) {
            continue;
        }
        found++;
        canary = probe->says->canary && matches(name, probe->id) ? probe : canary;
        if (!skip) {
            probe->chosen = true;
        } else if (!probe->says->canary) {
            probe->skipped = "left out by --skip";
        }
    }
    if (!found) {
        char hint[E8_HINT_MAX];
        return e8_fail(err, E8_INPUT, e8_check_hint(check, name, hint), "there is no probe \"%.*s\"",
                       E8_STR(name));
    }
    if (skip && canary) {
        return e8_fail(err, E8_INPUT, "--list tells which others there are",
                       "%s cannot be skipped: without it no refusal means anything", canary->id);
    }
    return E8_OK;
}

static enum e8_rc mark_all(struct e8_check *check, const char *const *lists, bool skip, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && lists && lists[i]; i++) {
        struct e8_str rest = e8_str(lists[i]), name;
        size_t named = 0;
        while (!rc && e8_str_split(&rest, ',', &name)) {
            name = e8_str_trim(name);
            named += name.n > 0;
            rc = name.n ? mark(check, name, skip, err) : E8_OK;
        }
        if (!rc && named == 0) {
            rc = e8_fail(err, E8_INPUT, "an id or a group, like SIG or RAW-03; --list shows them",
                         "--%s \"%s\" names no probe", skip ? "skip" : "only", lists[i]);
        }
    }
    return rc;
}

enum e8_rc e8_check_choose(struct e8_check *check, const char *const *only, const char *const *skip,
                           struct e8_err *err)
{
    for (size_t i = 0; only && only[0] && i < check->count; i++) {
        check->probes[i].chosen = check->probes[i].says->canary;
    }
    enum e8_rc rc = mark_all(check, only, false, err);
    return rc ? rc : mark_all(check, skip, true, err);
}

/* ---- what a probe needs ---- */

enum need { NEED_SECRET, NEED_SIGNED_TIME, NEED_EFFECT, NEED_NEXT_SECRET, NEED_HOOK, NEEDS };
static const struct {
    const char *name, *missing;
} needs[NEEDS] = {
    [NEED_SECRET] = {"secret", "no secret: give --secret-file"},
    [NEED_SIGNED_TIME] = {"signed_time", "the signature scheme signs no timestamp"},
    [NEED_EFFECT] = {"effect", "no effect probe: give --effect-get or --effect-command"},
    [NEED_NEXT_SECRET] = {"next_secret", "no second secret: give --next-secret-file"},
    [NEED_HOOK] = {"hook", "no hook: give --on-revoke"},
};

static bool has(const struct e8_check *check, enum need need)
{
    const struct e8_check_options *o = &check->options;
    switch (need) {
    case NEED_SECRET:
        return o->scenario.secret != NULL;
    case NEED_SIGNED_TIME:
        return o->scheme->signs_timestamp;
    case NEED_EFFECT:
        return check->plan->effect != NULL;
    case NEED_NEXT_SECRET:
        return o->scenario.next_secret != NULL;
    case NEED_HOOK:
        return o->on_revoke != NULL;
    case NEEDS:
        break;
    }
    return false;
}

struct needed {
    bool list[NEEDS];
};

/* Tampering says itself what it needs. */
static bool need_of(void *state, const struct e8_emit *emit)
{
    struct needed *needed = state;
    if (emit->tamper) {
        needed->list[NEED_SECRET] |= e8_tamper_needs_secret(emit->tamper);
        needed->list[NEED_SIGNED_TIME] |= e8_tamper_needs_time(emit->tamper);
        needed->list[NEED_NEXT_SECRET] |= e8_tamper_secret(emit->tamper) == E8_SECRET_NEXT;
    }
    return true;
}

static const char *missing(const struct e8_check *check, const struct e8_check_probe *probe)
{
    struct needed needed = {{false}};
    e8_steps_emits(probe->flow->steps, need_of, &needed);
    for (size_t i = 0; probe->says->needs && probe->says->needs[i]; i++) {
        for (size_t j = 0; j < NEEDS; j++) {
            needed.list[j] |= strcmp(probe->says->needs[i], needs[j].name) == 0;
        }
    }
    for (size_t i = 0; i < NEEDS; i++) {
        if (needed.list[i] && !has(check, (enum need)i)) {
            return needs[i].missing;
        }
    }
    return NULL;
}

/* ---- the plan's phases ---- */

static uint64_t deliveries(const struct e8_plan *plan, const struct e8_flow *flow)
{
    struct e8_walk walk = e8_walk_begin(flow, plan->seed, 0);
    const struct e8_emit *emit;
    uint64_t sum = 0;
    while ((emit = e8_walk_next(&walk))) {
        for (size_t i = 0; i < plan->endpoint_count; i++) {
            struct e8_deliver deliver = e8_deliver_of(plan, flow, emit, 0, walk.sequence, (uint16_t)i);
            sum += e8_emit_goes_to(plan, emit, i) && !deliver.drop ? 1 + deliver.copies : 0;
        }
    }
    return sum;
}

void e8_check_prepare(struct e8_check *check)
{
    struct e8_plan *plan = check->plan;
    check->phases = e8_arena_alloc(check->arena, (check->count + 1) * sizeof *check->phases);
    plan->phases = check->phases;
    plan->phase_count = 0;
    for (size_t i = 0; i < check->count; i++) {
        struct e8_check_probe *probe = &check->probes[i];
        probe->skipped = probe->skipped ? probe->skipped : missing(check, probe);
        probe->runs = probe->chosen && !probe->skipped;
        if (probe->runs) {
            probe->planned = deliveries(plan, probe->flow);
            e8_check_space(check, &plan->flows[probe->flow - plan->flows]);
            check->phases[plan->phase_count++] =
                (struct e8_phase){.flow = probe->flow, .times = 1, .concurrency = 1, .at = -1};
        }
    }
}

size_t e8_check_count(const struct e8_check *check)
{
    return check->plan->phase_count;
}
