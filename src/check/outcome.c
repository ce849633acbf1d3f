#include <string.h>

#include "check/internal.h"

static const char *not_run(const struct e8_check *check, const struct e8_check_probe *probe,
                           const struct e8_check_ended *ended)
{
    if (probe->skipped) {
        return probe->skipped;
    }
    if (check->canary_failed) {
        return probe->ended ? NULL : "the canary failed";
    }
    return ended->interrupted ? "interrupted" : NULL;
}

static bool expects_effect(void *state, const struct e8_emit *emit)
{
    int64_t low, high;
    bool *found = state;
    *found = emit->expect && e8_expect_effect(emit->expect, &low, &high);
    return !*found;
}

/* Status alone was judged, where the effect should have been as well. */
static const char *unmeasured(const struct e8_check *check, const struct e8_check_probe *probe)
{
    bool expects = false;
    e8_steps_emits(probe->flow->steps, expects_effect, &expects);
    if (!expects) {
        return NULL;
    }
    if (!check->plan->effect) {
        return "answered as expected; the effect was not measured: give --effect-get or --effect-command";
    }
    return probe->unmeasured
               ? e8_arena_printf(check->arena, "answered as expected; the effect was not measured: %s",
                                 probe->unmeasured)
               : NULL;
}

static void fail(struct e8_check *check, const struct e8_check_probe *probe, struct e8_result *out)
{
    out->kind = E8_RESULT_FAIL;
    out->reason = probe->unmet > 1
                      ? e8_arena_printf(check->arena, "%s (and %zu more)", probe->why, probe->unmet - 1)
                      : probe->why;
}

static bool is_command(const struct e8_step *step)
{
    return step->kind == E8_STEP_EXEC;
}

/* A probe that ended early without a fault of its own. */
static void stop_short(struct e8_check *check, const struct e8_check_probe *probe, struct e8_result *out)
{
    bool commands = e8_steps_have(probe->flow->steps, is_command);
    if (check->gone) {
        out->kind = E8_RESULT_SKIP;
        out->reason = e8_arena_printf(check->arena,
                                      "not sent: the receiver answered 410 in %s, which disables an endpoint",
                                      check->gone);
        return;
    }
    out->kind = E8_RESULT_FAIL;
    out->reason =
        e8_arena_printf(check->arena, "%llu of %llu deliveries ended%s", (unsigned long long)probe->ended,
                        (unsigned long long)probe->planned, commands ? "; did a command fail?" : "");
}

static void conclude(struct e8_check *check, struct e8_check_probe *probe, const struct e8_check_ended *ended,
                     struct e8_result *out)
{
    const char *reason =
        probe->skipped || probe->ended < probe->planned ? not_run(check, probe, ended) : NULL;
    const char *effect = unmeasured(check, probe);
    const char *told = probe->told.n ? e8_arena_str(check->arena, e8_buf_str(&probe->told)).p : NULL;
    if (probe->unmet) {
        fail(check, probe, out);
    } else if (reason) {
        out->kind = E8_RESULT_SKIP;
        out->reason = reason;
    } else if (probe->unread) {
        /* Where we were told to end, the reading was given up for that. */
        out->kind = ended->interrupted ? E8_RESULT_SKIP : E8_RESULT_FAIL;
        out->reason = ended->interrupted ? "interrupted" : probe->unread;
    } else if (probe->ended < probe->planned) {
        stop_short(check, probe, out);
    } else if (effect || (probe->reported && !probe->judged)) {
        out->kind = E8_RESULT_REPORT;
        out->reason = effect ? effect : told;
    } else {
        out->kind = E8_RESULT_PASS;
        out->reason = told;
    }
    if (out->kind == E8_RESULT_FAIL) {
        out->exhibits = probe->exhibits;
        out->exhibit_count = probe->exhibit_count;
    }
}

static struct e8_result result_of(struct e8_check *check, struct e8_check_probe *probe,
                                  const struct e8_check_ended *ended)
{
    struct e8_result result = {
        .id = probe->id,
        .group = probe->group,
        .title = probe->says->title ? probe->says->title : probe->id,
        .why = probe->says->why,
        .mend = probe->says->mend,
        .override = probe->override,
        .took = probe->last - probe->first,
        .reproduce = ended->reproduce
                         ? e8_arena_printf(check->arena, "%s --only %s", ended->reproduce, probe->id)
                         : NULL,
    };
    conclude(check, probe, ended, &result);
    return result;
}

static const char *redacted(struct e8_check *check)
{
    struct e8_buf text;
    e8_buf_init(&text, 64 << 10);
    e8_url_redacted(e8_str(check->plan->endpoints[0].url), &text);
    const char *result = e8_arena_str(check->arena, e8_buf_str(&text)).p;
    e8_buf_fini(&text);
    return result;
}

static const struct e8_result *failed_canary(const struct e8_check *check, const struct e8_result *list)
{
    size_t n = 0;
    for (size_t i = 0; i < check->count; i++) {
        if (!check->probes[i].chosen) {
            continue;
        }
        if (check->probes[i].says->canary && list[n].kind != E8_RESULT_PASS &&
            list[n].kind != E8_RESULT_REPORT) {
            return &list[n];
        }
        n++;
    }
    return NULL;
}

/* Beside the canary: was anything of what was asked for judged, or was all of it skipped? */
static bool judged(const struct e8_check *check, const struct e8_results *results)
{
    size_t n = 0, others = 0, run = 0;
    for (size_t i = 0; i < check->count; i++) {
        if (!check->probes[i].chosen) {
            continue;
        }
        others += !check->probes[i].says->canary;
        run += !check->probes[i].says->canary && results->list[n].kind != E8_RESULT_SKIP;
        n++;
    }
    return run > 0 || others == 0;
}

static void decide(struct e8_check *check, const struct e8_check_ended *ended, struct e8_results *results)
{
    const struct e8_result *canary = failed_canary(check, results->list);
    size_t failed = e8_results_count(results, E8_RESULT_FAIL),
           passed = e8_results_count(results, E8_RESULT_PASS);
    size_t told = e8_results_count(results, E8_RESULT_REPORT);
    results->verdict = E8_RESULTS_INVALID;
    if (canary && (canary->kind == E8_RESULT_FAIL || !ended->interrupted)) {
        results->reason = e8_arena_printf(check->arena, "a valid delivery was not accepted (%s): %s",
                                          canary->id, canary->reason);
    } else if (failed) {
        results->verdict = E8_RESULTS_FAIL;
        results->reason =
            e8_arena_printf(check->arena, "%zu of %zu probes failed", failed, passed + failed + told);
    } else if (!judged(check, results)) {
        results->reason = ended->interrupted ? "interrupted before any probe had ended"
                                             : "nothing was judged: all was skipped";
    } else {
        results->verdict = E8_RESULTS_PASS;
        results->reason = ended->interrupted
                              ? "interrupted; what was run passed"
                              : e8_arena_printf(check->arena, "no probe failed; %zu passed", passed);
    }
}

const struct e8_results *e8_check_results(struct e8_check *check, const struct e8_check_ended *ended)
{
    struct e8_results *results = e8_arena_alloc(check->arena, sizeof *results);
    struct e8_result *list = e8_arena_alloc(check->arena, (check->count + 1) * sizeof *list);
    size_t count = 0;
    e8_check_across(check);
    for (size_t i = 0; i < check->count; i++) {
        if (check->probes[i].chosen) {
            list[count++] = result_of(check, &check->probes[i], ended);
        }
    }
    *results = (struct e8_results){
        .suite = "emit8 check",
        .target = redacted(check),
        .started = ended->started,
        .took = ended->took,
        .list = list,
        .count = count,
        .properties = ended->properties,
    };
    decide(check, ended, results);
    return results;
}
