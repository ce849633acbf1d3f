#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "stats/stats.h"

#define MS E8_NS_MS

/* A clean first attempt of endpoint 0, type 0: due at 100 ms, sent 1 ms later, answered 200 after 9 ms more. */
static struct e8_attempt clean(void)
{
    return (struct e8_attempt){
        .number = 1,
        .outcome = E8_DELIVERED,
        .status = 200,
        .last = true,
        .times = {100 * MS, 101 * MS, 110 * MS},
        .phases = {-1, 2 * MS, -1, 5 * MS, 9 * MS},
        .bytes_sent = 700,
        .bytes_received = 90,
    };
}

static struct e8_attempt failed(enum e8_outcome outcome, e8_mono_ns done, const char *error)
{
    struct e8_attempt attempt = clean();
    attempt.outcome = (uint8_t)outcome;
    attempt.status = 0;
    attempt.times.done = done;
    snprintf(attempt.error, sizeof(attempt.error), "%s", error);
    return attempt;
}

static void new_ones_are_empty(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(2, 3);
    const struct e8_tally *all = e8_stats_all(stats);
    assert_int_equal(all->n.attempts, 0);
    assert_int_equal(all->span.last_done, 0);
    assert_null(all->response);
    assert_null(all->service);
    assert_null(all->lag);
    assert_null(e8_stats_endpoint(stats, 1)->response);
    assert_null(e8_stats_type(stats, 2)->response);
    assert_int_equal(e8_stats_statuses(stats)[0], 0);
    assert_string_equal(e8_stats_sample(stats, 1, E8_RESET), "");
    e8_stats_free(&stats);
    assert_null(stats);
    e8_stats_free(&stats);
}

static void an_attempt_counts_over_all_and_in_its_groups(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(2, 3);
    struct e8_attempt attempt = clean();
    attempt.endpoint = 1;
    attempt.type = 2;
    e8_stats_add(stats, &attempt);

    const struct e8_tally *tallies[] = {e8_stats_all(stats), e8_stats_endpoint(stats, 1),
                                        e8_stats_type(stats, 2)};
    for (size_t i = 0; i < E8_COUNT(tallies); i++) {
        const struct e8_counts *n = &tallies[i]->n;
        assert_int_equal(n->attempts, 1);
        assert_int_equal(n->sent, 1);
        assert_int_equal(n->delivered, 1);
        assert_int_equal(n->failed + n->aborted + n->dropped + n->generator, 0);
        assert_int_equal(n->connects, 1);
        assert_int_equal(n->handshakes, 0);
        assert_int_equal(n->bytes_sent, 700);
        assert_int_equal(n->bytes_received, 90);
        assert_int_equal(n->outcomes[E8_DELIVERED], 1);
        assert_int_equal(n->triggers[E8_TRIGGER_EVENT], 1);
        assert_int_equal(n->classes[2], 1);
        assert_int_equal(e8_hist_max(tallies[i]->response), 10 * MS);
        assert_int_equal(tallies[i]->span.first_due, 100 * MS);
        assert_int_equal(tallies[i]->span.last_done, 110 * MS);
    }
    assert_int_equal(e8_hist_max(tallies[0]->service), 9 * MS);
    assert_int_equal(e8_hist_max(tallies[0]->lag), 1 * MS);
    assert_null(tallies[1]->service);
    assert_null(tallies[2]->lag);
    assert_int_equal(e8_stats_statuses(stats)[200], 1);
    assert_int_equal(e8_stats_endpoint(stats, 0)->n.attempts, 0);
    assert_int_equal(e8_stats_type(stats, 0)->n.attempts, 0);
    e8_stats_free(&stats);
}

/* Two attempts, of which the second is the last, are one delivery. */
static void a_delivery_ends_with_its_last_attempt(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    struct e8_attempt attempt = clean();

    attempt.outcome = E8_HTTP_5XX;
    attempt.status = 503;
    attempt.last = false;
    e8_stats_add(stats, &attempt);
    assert_int_equal(n->delivered + n->failed + n->aborted, 0);
    attempt.trigger = E8_TRIGGER_RETRY;
    attempt.last = true;
    e8_stats_add(stats, &attempt);
    assert_int_equal(n->failed, 1);
    attempt.outcome = E8_ABORTED;
    e8_stats_add(stats, &attempt);
    attempt.outcome = E8_DELIVERED;
    attempt.trigger = E8_TRIGGER_STALE;
    e8_stats_add(stats, &attempt);

    assert_int_equal(n->attempts, 4);
    assert_int_equal(n->failed, 1);
    assert_int_equal(n->aborted, 1);
    assert_int_equal(n->delivered, 1);
    assert_int_equal(n->triggers[E8_TRIGGER_RETRY], 2);
    assert_int_equal(n->triggers[E8_TRIGGER_STALE], 1);
    assert_int_equal(n->outcomes[E8_HTTP_5XX], 2);
    assert_int_equal(n->classes[5], 4);
    e8_stats_free(&stats);
}

/* An answer as expected is as good as a 2xx; what is only reported never fails; what was not expected is told beside its outcome. */
static void verdicts_say_what_a_delivery_was(void **state)
{
    static const struct {
        uint8_t outcome, verdict;
        unsigned delivered, failed, aborted, expected, unmet;
    } table[] = {
        {E8_DELIVERED, E8_EXPECTED_NOTHING, 1, 0, 0, 0, 0},
        {E8_DELIVERED, E8_EXPECTATION_MET, 1, 0, 0, 0, 0},
        {E8_DELIVERED, E8_EXPECTATION_UNMET, 1, 0, 0, 0, 1},
        {E8_DELIVERED, E8_EXPECTATION_REPORTED, 1, 0, 0, 0, 0},
        {E8_HTTP_4XX, E8_EXPECTED_NOTHING, 0, 1, 0, 0, 0},
        {E8_HTTP_4XX, E8_EXPECTATION_MET, 1, 0, 0, 1, 0},
        {E8_HTTP_4XX, E8_EXPECTATION_UNMET, 0, 1, 0, 0, 1},
        {E8_HTTP_4XX, E8_EXPECTATION_REPORTED, 1, 0, 0, 1, 0},
        {E8_NO_RESPONSE, E8_EXPECTATION_MET, 1, 0, 0, 1, 0},
        {E8_ABORTED, E8_EXPECTED_NOTHING, 0, 0, 1, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < E8_COUNT(table); i++) {
        struct e8_stats *stats = e8_stats_new(2, 3), *sum = e8_stats_new(2, 3);
        struct e8_attempt attempt = clean();
        attempt.outcome = table[i].outcome;
        attempt.verdict = table[i].verdict;
        attempt.last = false;
        e8_stats_add(stats, &attempt); /* only the last attempt's verdict counts */
        attempt.last = true;
        e8_stats_add(stats, &attempt);
        e8_stats_merge(sum, stats);
        const struct e8_counts *all[] = {&e8_stats_all(sum)->n, &e8_stats_endpoint(sum, 0)->n,
                                         &e8_stats_type(sum, 0)->n};
        for (size_t k = 0; k < E8_COUNT(all); k++) {
            assert_int_equal(all[k]->delivered, table[i].delivered);
            assert_int_equal(all[k]->failed, table[i].failed);
            assert_int_equal(all[k]->aborted, table[i].aborted);
            assert_int_equal(all[k]->expected, table[i].expected);
            assert_int_equal(all[k]->unmet, table[i].unmet);
        }
        e8_stats_free(&stats);
        e8_stats_free(&sum);
    }
}

static void what_is_withheld_is_counted_apart(void **state)
{
    struct e8_stats *stats = e8_stats_new(2, 3), *sum = e8_stats_new(2, 3);
    (void)state;
    e8_stats_planned(stats, 1, 2);
    e8_stats_withheld(stats, 1, 2);
    e8_stats_planned(stats, 1, 2);
    e8_stats_gone(stats, 1, 2);
    e8_stats_merge(sum, stats);
    e8_stats_merge(sum, stats);
    assert_int_equal(e8_stats_all(sum)->n.withheld, 4);
    assert_int_equal(e8_stats_endpoint(sum, 1)->n.withheld, 4);
    assert_int_equal(e8_stats_type(sum, 2)->n.withheld, 4);
    assert_int_equal(e8_stats_all(sum)->n.gone, 2);
    assert_int_equal(e8_stats_endpoint(sum, 1)->n.gone, 2);
    assert_int_equal(e8_stats_type(sum, 2)->n.gone, 2);
    assert_int_equal(e8_stats_endpoint(sum, 0)->n.withheld, 0);
    assert_int_equal(e8_stats_all(sum)->n.dropped, 0);
    assert_int_equal(e8_stats_all(sum)->n.planned, 4);
    e8_stats_reset(sum);
    assert_int_equal(e8_stats_all(sum)->n.withheld, 0);
    e8_stats_free(&stats);
    e8_stats_free(&sum);
}

/* In whatever order. */
static void schedules_are_merged(void **state)
{
    struct e8_schedule one = {0}, other = {0}, none = {0}, whole = {0};
    (void)state;
    e8_schedule_merge(&one, &none);
    assert_int_equal(one.count, 0);
    e8_schedule_add(&one, 20, 30);
    e8_schedule_add(&one, 10, 12);
    e8_schedule_add(&other, 15, 90);
    e8_schedule_merge(&whole, &other);
    e8_schedule_merge(&whole, &one);
    e8_schedule_merge(&whole, &none);
    assert_true(whole.count == 3 && whole.first == 10 && whole.last == 20);
    assert_true(whole.first_due == 12 && whole.last_due == 90);
}

static void what_was_never_sent_has_no_latency(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = failed(E8_CONNECT_REFUSED, 150 * MS, "refused");
    attempt.bytes_sent = 0;
    attempt.times.sent = attempt.times.done;
    e8_stats_add(stats, &attempt);
    assert_null(e8_stats_all(stats)->response);
    assert_null(e8_stats_all(stats)->lag);
    assert_int_equal(e8_stats_all(stats)->n.sent, 0);
    assert_int_equal(e8_stats_all(stats)->n.failed, 1);
    assert_int_equal(e8_stats_all(stats)->span.first_sent, 0);
    assert_int_equal(e8_stats_all(stats)->span.last_done, 150 * MS);
    e8_stats_free(&stats);
}

static void what_we_ended_has_a_lag_but_no_latency(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt aborted = failed(E8_ABORTED, 5000 * MS, ""),
                      unknown = failed(E8_UNKNOWN, 5000 * MS, "");
    e8_stats_add(stats, &aborted);
    e8_stats_add(stats, &unknown);
    assert_null(e8_stats_all(stats)->response);
    assert_null(e8_stats_all(stats)->service);
    assert_int_equal(e8_hist_count(e8_stats_all(stats)->lag), 2);
    e8_stats_free(&stats);
}

static void a_timeout_counts_with_its_whole_time(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = failed(E8_TIMEOUT_FIRST_BYTE, 5100 * MS, "no answer");
    e8_stats_add(stats, &attempt);
    assert_int_equal(e8_hist_max(e8_stats_all(stats)->response), 5000 * MS);
    e8_stats_free(&stats);
}

static void generator_outcomes_are_counted_apart(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = failed(E8_GEN_FD, 110 * MS, "too many open files");
    e8_stats_add(stats, &attempt);
    attempt.outcome = E8_RESET;
    e8_stats_add(stats, &attempt);
    assert_int_equal(e8_stats_all(stats)->n.generator, 1);
    e8_stats_free(&stats);
}

static void any_status_is_harmless(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    static const int16_t statuses[] = {INT16_MIN, -1, 0, 1, 99, 600, 999, INT16_MAX, 100, 599};
    for (size_t i = 0; i < E8_COUNT(statuses); i++) {
        struct e8_attempt attempt = failed(E8_BAD_STATUS, 110 * MS, "");
        attempt.status = statuses[i];
        e8_stats_add(stats, &attempt);
    }
    assert_int_equal(e8_stats_statuses(stats)[0], 8);
    assert_int_equal(e8_stats_statuses(stats)[100], 1);
    assert_int_equal(e8_stats_statuses(stats)[599], 1);
    assert_int_equal(e8_stats_all(stats)->n.classes[0], 8);
    assert_int_equal(e8_stats_all(stats)->n.classes[1], 1);
    assert_int_equal(e8_stats_all(stats)->n.classes[5], 1);
    e8_stats_free(&stats);
}

static void flags_and_handshakes_are_counted(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    struct e8_attempt attempt = clean();

    attempt.phases.tls = 0;
    attempt.flags = E8_FLAG_TLS_RESUMED | E8_FLAG_RECONNECTED;
    e8_stats_add(stats, &attempt);
    attempt = clean();
    attempt.phases.connect = -1;
    attempt.flags = E8_FLAG_REUSED | E8_FLAG_BODY_CAPPED | E8_FLAG_TRAILING_BYTES | E8_FLAG_IDLE_BYTES;
    e8_stats_add(stats, &attempt);
    attempt.flags = E8_FLAG_REUSED;
    e8_stats_add(stats, &attempt);

    assert_int_equal(n->connects, 1);
    assert_int_equal(n->handshakes, 1);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_REUSED), 2);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_BODY_CAPPED), 1);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_TRAILING_BYTES), 1);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_RECONNECTED), 1);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_IDLE_BYTES), 1);
    assert_int_equal(e8_counts_flag(n, E8_FLAG_TLS_RESUMED), 1);
    e8_stats_free(&stats);
}

static void the_warm_up_is_counted_apart(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1), *other = e8_stats_new(1, 1);
    const struct e8_tally *all = e8_stats_all(stats);
    struct e8_attempt attempt = clean();

    attempt.flags = E8_FLAG_WARMUP | E8_FLAG_REUSED;
    attempt.outcome = E8_RESET;
    memcpy(attempt.error, "reset", sizeof "reset");
    e8_stats_add(stats, &attempt);
    e8_stats_add(other, &attempt);
    e8_stats_merge(stats, other);

    assert_int_equal(all->n.warmup, 2);
    assert_true(all->n.warmup_sent == 2 && all->n.warmup_accepted == 2);
    assert_true(all->n.attempts == 0 && all->n.failed == 0 && all->n.sent == 0 && all->n.classes[0] == 0);
    assert_int_equal(e8_stats_endpoint(stats, 0)->n.attempts + e8_stats_type(stats, 0)->n.attempts, 0);
    assert_true(!all->response && !all->lag && !all->service);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "");
    e8_stats_reset(stats);
    assert_int_equal(all->n.warmup, 0);
    e8_stats_free(&stats);
    e8_stats_free(&other);
}

static void planned_dropped_and_aborted_ones_are_counted(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(2, 2);
    e8_stats_event(stats, 1);
    for (unsigned i = 0; i < 3; i++)
        e8_stats_planned(stats, i % 2, 1);
    e8_stats_dropped(stats, 0, 1);
    e8_stats_aborted(stats, 1, 1);
    assert_int_equal(e8_stats_all(stats)->n.events, 1);
    assert_int_equal(e8_stats_type(stats, 1)->n.events, 1);
    assert_int_equal(e8_stats_type(stats, 0)->n.events, 0);
    assert_int_equal(e8_stats_all(stats)->n.planned, 3);
    assert_int_equal(e8_stats_endpoint(stats, 0)->n.planned, 2);
    assert_int_equal(e8_stats_endpoint(stats, 0)->n.dropped, 1);
    assert_int_equal(e8_stats_endpoint(stats, 1)->n.aborted, 1);
    assert_int_equal(e8_stats_type(stats, 1)->n.planned, 3);
    assert_int_equal(e8_stats_all(stats)->n.attempts, 0);
    e8_stats_free(&stats);
}

static void the_earliest_error_is_the_sample(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(2, 1), *other = e8_stats_new(2, 1);
    struct e8_attempt silent = failed(E8_RESET, 101 * MS, ""), late = failed(E8_RESET, 300 * MS, "late"),
                      early = failed(E8_RESET, 200 * MS, "early"), same = failed(E8_RESET, 200 * MS, "alike");
    e8_stats_add(stats, &silent);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "");
    e8_stats_add(stats, &late);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "late");
    e8_stats_add(stats, &early);
    e8_stats_add(stats, &late);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "early");
    assert_string_equal(e8_stats_sample(stats, 1, E8_RESET), "");
    assert_string_equal(e8_stats_sample(stats, 0, E8_TRUNCATED), "");
    e8_stats_add(other, &same);
    e8_stats_merge(stats, other);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "alike");
    e8_stats_free(&stats);
    e8_stats_free(&other);
}

static void the_span_of_the_sent_begins_with_the_first_sent(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = clean();
    attempt.bytes_sent = 0;
    attempt.times = (struct e8_times){5 * MS, 6 * MS, 6 * MS};
    e8_stats_add(stats, &attempt);
    assert_int_equal(e8_stats_all(stats)->span.first_sent, 0);
    attempt = clean();
    e8_stats_add(stats, &attempt);
    assert_int_equal(e8_stats_all(stats)->span.first_due, 5 * MS);
    assert_int_equal(e8_stats_all(stats)->span.first_sent, 101 * MS);
    assert_int_equal(e8_stats_all(stats)->span.last_sent, 101 * MS);
    e8_stats_free(&stats);
}

static void merging_keeps_the_span(void **state)
{
    (void)state;
    struct e8_stats *into = e8_stats_new(1, 1), *from = e8_stats_new(1, 1);
    struct e8_attempt attempt = clean();

    e8_stats_add(from, &attempt);
    e8_stats_merge(into, from); /* nothing of its own: no span that begins at 0 */
    assert_int_equal(e8_stats_all(into)->span.first_due, 100 * MS);
    e8_stats_reset(from);
    e8_stats_merge(into, from); /* nothing to add */
    assert_int_equal(e8_stats_all(into)->span.first_due, 100 * MS);
    assert_int_equal(e8_stats_all(into)->n.attempts, 1);

    attempt.times = (struct e8_times){-50, -20, -10};
    attempt.bytes_sent = 0;
    e8_stats_add(from, &attempt); /* not sent: widens due and done alone */
    e8_stats_merge(into, from);
    assert_int_equal(e8_stats_all(into)->span.first_due, -50);
    assert_int_equal(e8_stats_all(into)->span.first_sent, 101 * MS);
    assert_int_equal(e8_stats_all(into)->span.last_due, 100 * MS);
    assert_int_equal(e8_stats_all(into)->span.last_done, 110 * MS);
    e8_stats_free(&into);
    e8_stats_free(&from);
}

static void reset_ones_are_empty(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = failed(E8_RESET, 110 * MS, "gone");
    e8_stats_add(stats, &attempt);
    e8_stats_event(stats, 0);
    e8_stats_reset(stats);
    assert_int_equal(e8_stats_all(stats)->n.events, 0);
    assert_int_equal(e8_stats_all(stats)->n.attempts, 0);
    assert_int_equal(e8_stats_all(stats)->span.first_due, 0);
    assert_int_equal(e8_stats_statuses(stats)[0], 0);
    assert_int_equal(e8_hist_count(e8_stats_all(stats)->response), 0);
    assert_int_equal(e8_hist_count(e8_stats_type(stats, 0)->response), 0);
    assert_string_equal(e8_stats_sample(stats, 0, E8_RESET), "");
    e8_stats_free(&stats);
}

/* Attempts that took so long and ended so: how many missed each deadline, and of how many nobody knows. */
static void deadlines_are_counted_exactly(void **state)
{
    (void)state;
    static const struct {
        enum e8_outcome outcome;
        int status;
        e8_dur_ns took;
    } rows[] = {
        {E8_DELIVERED, 200, 3 * E8_NS_S},             /* just in time */
        {E8_DELIVERED, 200, 3 * E8_NS_S + 1},         /* late for 3 s */
        {E8_HTTP_5XX, 503, 12 * E8_NS_S},             /* an answer is an acknowledgement in time, or not */
        {E8_TIMEOUT_FIRST_BYTE, 0, 5 * E8_NS_S + MS}, /* late for 3 and 5 s; else not known */
        {E8_TIMEOUT_BODY, 200, 31 * E8_NS_S},
        {E8_RESET, 0, 40 * E8_NS_S},   /* no matter of time */
        {E8_ABORTED, 0, 40 * E8_NS_S}, /* our doing */
    };
    static const uint64_t late[E8_DEADLINES] = {4, 3, 2, 1, 1}, open[E8_DEADLINES] = {0, 0, 1, 1, 1};
    struct e8_stats *stats = e8_stats_new(1, 1);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_attempt attempt = clean();
        attempt.outcome = (uint8_t)rows[i].outcome;
        attempt.status = (int16_t)rows[i].status;
        attempt.times.done = attempt.times.due + rows[i].took;
        e8_stats_add(stats, &attempt);
    }
    const struct e8_counts *n = &e8_stats_all(stats)->n;
    assert_int_equal(n->acks, 5);
    assert_memory_equal(n->late, late, sizeof(late));
    assert_memory_equal(n->open, open, sizeof(open));
    e8_stats_free(&stats);
}

static void pacing_is_of_first_attempts(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = clean(); /* begun at 101 ms: 9 ms before it was done */
    e8_stats_add(stats, &attempt);
    attempt.number = 2;
    attempt.times = (struct e8_times){900 * MS, 900 * MS, 901 * MS};
    e8_stats_add(stats, &attempt);
    attempt.number = 1;
    attempt.times = (struct e8_times){300 * MS, 500 * MS, 510 * MS};
    attempt.phases.total = 60 * MS; /* 50 of them to connect */
    e8_stats_add(stats, &attempt);
    const struct e8_pacing *pacing = e8_stats_pacing(stats);
    assert_int_equal(pacing->count, 2);
    assert_int_equal(pacing->first_due, 100 * MS);
    assert_int_equal(pacing->last_due, 300 * MS);
    assert_int_equal(pacing->last_begun, 450 * MS);
    attempt.phases.total = -1; /* not known */
    e8_stats_add(stats, &attempt);
    assert_int_equal(e8_stats_pacing(stats)->last_begun, 500 * MS);
    e8_stats_free(&stats);
}

static void the_series_tells_what_happened_when(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    struct e8_attempt attempt = failed(E8_HTTP_5XX, 250 * MS, "");
    attempt.last = false;
    e8_stats_add(stats, &attempt); /* due at 100 ms, failed at 250 ms */
    attempt = clean();
    attempt.number = 2;
    attempt.trigger = E8_TRIGGER_RETRY;
    attempt.times = (struct e8_times){400 * MS, 401 * MS, 430 * MS};
    e8_stats_add(stats, &attempt);
    const struct e8_series *series = e8_stats_series(stats);
    static const struct e8_slice expected[] = {{1, 0, 0, 0, 1}, {0, 0, 1, 1, 0}, {0}, {0, 1, 1, 0, 1}};
    assert_int_equal(series->width, E8_SLICE);
    assert_int_equal(series->first, 1);
    assert_int_equal(series->count, E8_COUNT(expected));
    assert_memory_equal(series->slices, expected, sizeof(expected));
    e8_stats_reset(stats);
    assert_int_equal(e8_stats_series(stats)->count, 0);
    e8_stats_free(&stats);
}

/* 40 minutes, and then a moment long before: slices get as long as they must, and nothing is lost. */
static void the_series_is_bounded(void **state)
{
    (void)state;
    struct e8_stats *stats = e8_stats_new(1, 1);
    for (int i = 0; i < 2400; i++) {
        struct e8_attempt attempt = clean();
        attempt.times = (struct e8_times){i * E8_NS_S, i * E8_NS_S, i * E8_NS_S + MS};
        e8_stats_add(stats, &attempt);
    }
    const struct e8_series *series = e8_stats_series(stats);
    assert_int_equal(series->width, 64 * E8_SLICE);
    assert_int_equal(series->count, 375);
    struct e8_attempt early = clean();
    early.times = (struct e8_times){-3000 * E8_NS_S, -3000 * E8_NS_S, -3000 * E8_NS_S + MS};
    e8_stats_add(stats, &early);
    assert_int_equal(series->width, 128 * E8_SLICE);
    assert_int_equal(series->first, -235);
    uint64_t begun = 0, ended = 0;
    for (size_t i = 0; i < series->count; i++) {
        begun += series->slices[i].begun;
        ended += series->slices[i].ended;
    }
    e8_stats_reset(stats);
    early.times = (struct e8_times){INT64_MIN / 2, INT64_MIN / 2, INT64_MIN / 2 + MS}; /* of a damaged file */
    e8_stats_add(stats, &early);
    early.times = (struct e8_times){INT64_MAX / 2, INT64_MAX / 2, INT64_MAX / 2 + MS};
    e8_stats_add(stats, &early);
    assert_in_range(series->count, 2, E8_SLICES);
    assert_int_equal(begun, 2401);
    assert_int_equal(ended, 2401);
    e8_stats_free(&stats);
}

/* Whatever the order, the worse of all. */
static void the_worst_pressure_counts(void **state)
{
    (void)state;
    static const struct e8_pressure parts[] = {
        {.busy = 300, .windows = 100, .full = 1, .cpu = 200},
        {.busy = 900, .windows = 50, .full = 5, .cpu = 100},
        {.busy = 100, .windows = 200, .full = 20, .cpu = 0},
    };
    for (size_t first = 0; first < E8_COUNT(parts); first++) {
        struct e8_pressure all = {0};
        for (size_t i = 0; i < E8_COUNT(parts); i++)
            e8_pressure_merge(&all, &parts[(first + i) % E8_COUNT(parts)]);
        assert_int_equal(all.busy, 900);
        assert_int_equal(all.windows, 200);
        assert_int_equal(all.full, 20);
        assert_int_equal(all.cpu, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_ones_are_empty),
        cmocka_unit_test(an_attempt_counts_over_all_and_in_its_groups),
        cmocka_unit_test(a_delivery_ends_with_its_last_attempt),
        cmocka_unit_test(verdicts_say_what_a_delivery_was),
        cmocka_unit_test(what_is_withheld_is_counted_apart),
        cmocka_unit_test(schedules_are_merged),
        cmocka_unit_test(what_was_never_sent_has_no_latency),
        cmocka_unit_test(what_we_ended_has_a_lag_but_no_latency),
        cmocka_unit_test(a_timeout_counts_with_its_whole_time),
        cmocka_unit_test(generator_outcomes_are_counted_apart),
        cmocka_unit_test(any_status_is_harmless),
        cmocka_unit_test(flags_and_handshakes_are_counted),
        cmocka_unit_test(the_warm_up_is_counted_apart),
        cmocka_unit_test(planned_dropped_and_aborted_ones_are_counted),
        cmocka_unit_test(the_earliest_error_is_the_sample),
        cmocka_unit_test(the_span_of_the_sent_begins_with_the_first_sent),
        cmocka_unit_test(merging_keeps_the_span),
        cmocka_unit_test(reset_ones_are_empty),
        cmocka_unit_test(the_worst_pressure_counts),
        cmocka_unit_test(deadlines_are_counted_exactly),
        cmocka_unit_test(pacing_is_of_first_attempts),
        cmocka_unit_test(the_series_tells_what_happened_when),
        cmocka_unit_test(the_series_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
