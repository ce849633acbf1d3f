#include <string.h>

#include "check/internal.h"

static struct e8_check_probe *probe_of(const struct e8_check *check, const struct e8_flow *flow)
{
    return check->by_flow[flow - check->plan->flows];
}

/* The next probe begins when one has ended: phases follow one another. */
static void set_current(struct e8_check *check, const struct e8_check_probe *probe)
{
    size_t place = 0;
    while (place < check->plan->phase_count && check->phases[place].flow != probe->flow) {
        place++;
    }
    place += probe->ended >= probe->planned && place + 1 < check->plan->phase_count;
    atomic_store(&check->current, place);
}

size_t e8_check_current(const struct e8_check *check, const char **id, const char **title)
{
    size_t place = atomic_load(&check->current);
    const struct e8_check_probe *probe = probe_of(check, check->phases[place].flow);
    *id = probe->id;
    *title = probe->says->title;
    return place + 1;
}

static void note_time(struct e8_check_probe *probe, const struct e8_times *times)
{
    probe->first = probe->first && probe->first < times->sent ? probe->first : times->sent;
    probe->last = probe->last > times->done ? probe->last : times->done;
}

static void tell(struct e8_check_probe *probe, const struct e8_done *done)
{
    const struct e8_attempt *attempt = done->attempt;
    e8_buf_puts(&probe->told, probe->told.n ? ", " : "");
    if (done->emit->name) {
        e8_buf_printf(&probe->told, "%s: ", done->emit->name);
    } else {
        e8_buf_puts(&probe->told, "answered ");
    }
    if (attempt->status) {
        e8_buf_printf(&probe->told, "%d", attempt->status);
    } else {
        e8_buf_printf(&probe->told, "nothing (%s)", e8_outcome_info((enum e8_outcome)attempt->outcome)->name);
    }
}

static bool has_effect(const struct e8_emit *emit)
{
    int64_t low, high;
    return emit->expect && e8_expect_effect(emit->expect, &low, &high);
}

static void fail_step(struct e8_check *check, struct e8_check_probe *probe, const struct e8_done *done,
                      const char *why)
{
    e8_check_fault(check, probe, done->emit->name, why);
    if (probe->exhibit_count < EXHIBITS_MAX) {
        struct e8_exhibit exhibit = e8_check_exhibit(check, done, done->emit->name);
        e8_check_show(probe, done->emit, &exhibit);
    }
}

static void judge(struct e8_check *check, struct e8_check_probe *probe, const struct e8_done *done)
{
    const struct e8_attempt *attempt = done->attempt;
    switch ((enum e8_attempt_verdict)attempt->verdict) {
    case E8_EXPECTED_NOTHING:
        return;
    case E8_EXPECTATION_REPORTED:
        probe->reported++;
        tell(probe, done);
        return;
    case E8_EXPECTATION_UNMET:
        probe->judged++;
        fail_step(check, probe, done, done->why ? done->why : "not as expected");
        return;
    case E8_EXPECTATION_MET:
        probe->judged++;
        if (attempt->status == 429 && done->exchange && !done->exchange->retry_after[0]) {
            fail_step(check, probe, done, "429 without Retry-After");
        }
        return;
    }
}

/* Ended by us, or for want of something of ours: says nothing about the receiver. */
static bool is_ours(const struct e8_attempt *attempt)
{
    return attempt->outcome == E8_ABORTED || e8_outcome_info((enum e8_outcome)attempt->outcome)->generator;
}

void e8_check_done(void *state, const struct e8_done *done)
{
    struct e8_check *check = state;
    struct e8_check_probe *probe = probe_of(check, done->flow);
    if (!probe || is_ours(done->attempt)) {
        return;
    }
    note_time(probe, &done->attempt->times);
    e8_check_look(check, done);
    if (!done->attempt->last) {
        return;
    }
    probe->ended++;
    judge(check, probe, done);
    if (has_effect(done->emit)) {
        probe->pending = e8_check_exhibit(check, done, done->emit->name);
        probe->pending_emit = done->emit;
    }
    if (done->attempt->outcome == E8_GONE && !done->emit->tamper && !check->gone) {
        check->gone = probe->id;
    }
    check->canary_failed |= probe->says->canary && probe->unmet > 0;
    set_current(check, probe);
}

static void show_effect(struct e8_check *check, struct e8_check_probe *probe, const struct e8_emit *emit,
                        const char *why)
{
    if (probe->pending_emit == emit) {
        struct e8_exhibit exhibit = probe->pending;
        exhibit.got = e8_arena_printf(check->arena, "%s; %s", exhibit.got, why);
        e8_check_show(probe, emit, &exhibit);
    }
}

static void note_unmeasured(struct e8_check *check, struct e8_check_probe *probe,
                            const struct e8_effect_reading *reading)
{
    const char *why = reading->why ? reading->why : "the probe gave no number";
    probe->unmeasured = e8_arena_str(check->arena, e8_str(why)).p;
    if (check->plan->effect && !probe->unread) {
        probe->unread = e8_arena_printf(check->arena, "the effect probe could not be read: %s", why);
        show_effect(check, probe, reading->emit, probe->unread);
    }
}

void e8_check_effect(void *state, const struct e8_effect_reading *reading)
{
    struct e8_check *check = state;
    struct e8_check_probe *probe = probe_of(check, reading->flow);
    if (!probe) {
        return;
    }
    if (!reading->measured) {
        note_unmeasured(check, probe, reading);
        return;
    }
    probe->judged++;
    if (reading->met) {
        return;
    }
    const char *why = reading->why ? reading->why : "another effect than expected";
    e8_check_fault(check, probe, reading->emit->name, why);
    show_effect(check, probe, reading->emit, why);
}
