#include <string.h>

#include "engine/worker.h"

void e8_judge(const struct e8_delivery *delivery, struct e8_judgement *j)
{
    const struct e8_expect *expect = delivery->emit->expect;
    const struct e8_exchange *x = &delivery->exchange;
    j->verdict = E8_EXPECTED_NOTHING;
    j->holds = true;
    j->why[0] = '\0';
    if (!expect || x->outcome == E8_ABORTED) {
        return;
    }
    const struct e8_answer answer = {.status = x->status,
                                     .outcome = e8_outcome_info(x->outcome)->name,
                                     .took = x->done > x->sent ? x->done - x->sent : 0,
                                     .head = e8_buf_str(&x->head),
                                     .body = e8_buf_str(&x->content)};
    struct e8_buf why;
    e8_buf_fixed(&why, j->why, sizeof j->why - 1);
    j->holds = e8_expect_holds(expect, &answer, &why);
    struct e8_str told = {j->why, j->holds ? 0 : why.n};
    j->why[e8_utf8_valid(told)] = '\0';
    j->verdict = e8_expect_only_reports(expect) ? E8_EXPECTATION_REPORTED
                 : j->holds                     ? E8_EXPECTATION_MET
                                                : E8_EXPECTATION_UNMET;
}

static void tell_first(struct e8_expected *expected, const char *why, const char *id)
{
    if (!expected->why[0]) {
        memcpy(expected->why, why, E8_WHY_MAX);
        memcpy(expected->delivery_id, id, E8_ID_MAX);
    }
}

_Static_assert(sizeof((struct e8_expected *)0)->why == E8_WHY_MAX, "one reason fits the other's place");

void e8_judged(struct e8_worker *worker, const struct e8_delivery *delivery, const struct e8_judgement *j)
{
    if (j->verdict == E8_EXPECTED_NOTHING || e8_is_warmup(delivery->strand)) {
        return;
    }
    struct e8_expected *expected = &worker->expected[delivery->emit->index];
    expected->met += j->verdict == E8_EXPECTATION_MET;
    expected->unmet += j->verdict == E8_EXPECTATION_UNMET;
    expected->reported += j->verdict == E8_EXPECTATION_REPORTED;
    if (!j->holds) {
        tell_first(expected, j->why, delivery->id);
    }
}

void e8_expected_merge(struct e8_expected *into, const struct e8_expected *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].met + from[i].unmet + from[i].reported + from[i].not_measured == 0) {
            continue;
        }
        into[i].met += from[i].met;
        into[i].unmet += from[i].unmet;
        into[i].reported += from[i].reported;
        into[i].not_measured += from[i].not_measured;
        if (from[i].why[0]) {
            tell_first(&into[i], from[i].why, from[i].delivery_id);
        }
    }
}
