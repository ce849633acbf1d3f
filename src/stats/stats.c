#include "stats/open.h"
#include "stats/series.h"

#include <stdlib.h>
#include <string.h>

const e8_dur_ns e8_deadlines[E8_DEADLINES] = {3 * E8_NS_S, 5 * E8_NS_S, 10 * E8_NS_S, 15 * E8_NS_S,
                                              30 * E8_NS_S};

/* An error text with the time of its attempt, so that the earliest stays whatever the order of merging. */
struct sample {
    e8_mono_ns at;
    char text[E8_ERROR_MAX];
};

struct endpoint {
    struct e8_tally tally;
    struct sample samples[E8_OUTCOME_COUNT];
};

struct e8_stats {
    struct e8_tally all;
    uint64_t statuses[E8_STATUSES];
    struct e8_pacing pacing;
    struct e8_series series;
    unsigned endpoint_count, type_count;
    struct endpoint *endpoints;
    struct e8_tally *types;
};

uint64_t e8_counts_flag(const struct e8_counts *counts, unsigned flag)
{
    unsigned bit = (unsigned)__builtin_ctz(flag | 1U << E8_FLAG_COUNT);

    E8_ASSERT(bit < E8_FLAG_COUNT && flag == 1U << bit);
    return counts->flags[bit];
}

static bool is_fuller(const struct e8_pressure *a, const struct e8_pressure *b)
{
    double one = a->windows ? (double)a->full / (double)a->windows : 0;
    double other = b->windows ? (double)b->full / (double)b->windows : 0;

    return one > other || (one >= other && a->windows > b->windows);
}

void e8_pressure_merge(struct e8_pressure *into, const struct e8_pressure *from)
{
    if (is_fuller(from, into)) {
        into->windows = from->windows;
        into->full = from->full;
    }
    into->busy = from->busy > into->busy ? from->busy : into->busy;
    into->cpu = from->cpu > into->cpu ? from->cpu : into->cpu;
}

struct e8_stats *e8_stats_new(unsigned endpoints, unsigned types)
{
    struct e8_stats *stats = e8_new(1, sizeof(*stats));

    stats->endpoint_count = endpoints;
    stats->type_count = types;
    stats->endpoints = e8_new(endpoints, sizeof(*stats->endpoints));
    stats->types = e8_new(types, sizeof(*stats->types));
    return stats;
}

static void tally_fini(struct e8_tally *tally)
{
    e8_hist_free(&tally->response);
    e8_hist_free(&tally->service);
    e8_hist_free(&tally->lag);
}

void e8_stats_free(struct e8_stats **stats_p)
{
    struct e8_stats *stats = *stats_p;

    if (!stats)
        return;
    tally_fini(&stats->all);
    for (unsigned i = 0; i < stats->endpoint_count; i++)
        tally_fini(&stats->endpoints[i].tally);
    for (unsigned i = 0; i < stats->type_count; i++)
        tally_fini(&stats->types[i]);
    free(stats->endpoints);
    free(stats->types);
    free(stats);
    *stats_p = NULL;
}

static void hist_reset(struct e8_hist *hist)
{
    if (hist)
        e8_hist_reset(hist);
}

static void tally_reset(struct e8_tally *tally)
{
    tally->n = (struct e8_counts){0};
    tally->span = (struct e8_span){0};
    hist_reset(tally->response);
    hist_reset(tally->service);
    hist_reset(tally->lag);
}

void e8_stats_reset(struct e8_stats *stats)
{
    tally_reset(&stats->all);
    memset(stats->statuses, 0, sizeof(stats->statuses));
    stats->pacing = (struct e8_pacing){0};
    stats->series.count = 0;
    for (unsigned i = 0; i < stats->endpoint_count; i++) {
        tally_reset(&stats->endpoints[i].tally);
        memset(stats->endpoints[i].samples, 0, sizeof(stats->endpoints[i].samples));
    }
    for (unsigned i = 0; i < stats->type_count; i++)
        tally_reset(&stats->types[i]);
}

/* The three tallies that a delivery belongs to. */
struct three {
    struct e8_tally *of[3];
};

static struct three tallies(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    E8_ASSERT(endpoint < stats->endpoint_count && type < stats->type_count);
    return (struct three){{&stats->all, &stats->endpoints[endpoint].tally, &stats->types[type]}};
}

void e8_stats_event(struct e8_stats *stats, unsigned type)
{
    E8_ASSERT(type < stats->type_count);
    stats->all.n.events++;
    stats->types[type].n.events++;
}

void e8_stats_planned(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    struct three three = tallies(stats, endpoint, type);

    for (unsigned i = 0; i < E8_COUNT(three.of); i++)
        three.of[i]->n.planned++;
}

void e8_stats_dropped(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    struct three three = tallies(stats, endpoint, type);

    for (unsigned i = 0; i < E8_COUNT(three.of); i++)
        three.of[i]->n.dropped++;
}

void e8_stats_withheld(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    struct three three = tallies(stats, endpoint, type);

    for (unsigned i = 0; i < E8_COUNT(three.of); i++)
        three.of[i]->n.withheld++;
}

void e8_stats_gone(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    struct three three = tallies(stats, endpoint, type);

    for (unsigned i = 0; i < E8_COUNT(three.of); i++) {
        three.of[i]->n.withheld++;
        three.of[i]->n.gone++;
    }
}

void e8_stats_aborted(struct e8_stats *stats, unsigned endpoint, unsigned type)
{
    struct three three = tallies(stats, endpoint, type);

    for (unsigned i = 0; i < E8_COUNT(three.of); i++)
        three.of[i]->n.aborted++;
}

static unsigned status_of(const struct e8_attempt *attempt)
{
    return attempt->status >= 100 && attempt->status < E8_STATUSES ? (unsigned)attempt->status : 0;
}

/* As expected is as good as a 2xx; what a step only reports never fails. */
static void count_delivery(struct e8_counts *n, enum e8_outcome outcome, enum e8_attempt_verdict verdict)
{
    bool expected = verdict == E8_EXPECTATION_MET || verdict == E8_EXPECTATION_REPORTED;

    n->unmet += verdict == E8_EXPECTATION_UNMET;
    n->expected += expected && outcome != E8_DELIVERED;
    if (outcome == E8_DELIVERED || expected)
        n->delivered++;
    else if (outcome == E8_ABORTED)
        n->aborted++;
    else
        n->failed++;
}

static bool ran_out(enum e8_outcome outcome)
{
    return outcome == E8_TIMEOUT_FIRST_BYTE || outcome == E8_TIMEOUT_BODY || outcome == E8_CONNECT_TIMEOUT ||
           outcome == E8_TLS_TIMEOUT;
}

static void count_acks(struct e8_counts *n, const struct e8_attempt *attempt)
{
    enum e8_outcome outcome = (enum e8_outcome)attempt->outcome;
    e8_dur_ns took = e8_response_time(&attempt->times);
    bool cut = ran_out(outcome);

    if (outcome == E8_ABORTED || (!cut && attempt->status == 0))
        return;
    n->acks++;
    if (took <= e8_deadlines[0] && !cut)
        return;
    for (unsigned i = 0; i < E8_DEADLINES; i++) {
        n->late[i] += took > e8_deadlines[i];
        n->open[i] += cut && took <= e8_deadlines[i];
    }
}

static void count_attempt(struct e8_counts *n, const struct e8_attempt *attempt)
{
    n->attempts++;
    n->sent += attempt->bytes_sent > 0;
    n->generator += e8_outcome_info(attempt->outcome)->generator;
    n->connects += attempt->phases.connect >= 0;
    n->handshakes += attempt->phases.tls >= 0;
    n->bytes_sent += attempt->bytes_sent;
    n->bytes_received += attempt->bytes_received;
    n->outcomes[attempt->outcome]++;
    n->triggers[attempt->trigger]++;
    n->classes[status_of(attempt) / 100]++;
    for (unsigned left = attempt->flags & ((1U << E8_FLAG_COUNT) - 1); left; left &= left - 1)
        n->flags[__builtin_ctz(left)]++;
    count_acks(n, attempt);
    if (attempt->last)
        count_delivery(n, attempt->outcome, attempt->verdict);
}

static void least(e8_mono_ns *first, e8_mono_ns time, bool known)
{
    if (!known || time < *first)
        *first = time;
}

static void most(e8_mono_ns *last, e8_mono_ns time, bool known)
{
    if (!known || time > *last)
        *last = time;
}

/* Widens *into, which holds what `before` counted; from's sent times count only where something was sent. */
static void span_widen(struct e8_span *into, const struct e8_counts *before, const struct e8_span *from,
                       bool from_sent)
{
    least(&into->first_due, from->first_due, before->attempts);
    most(&into->last_due, from->last_due, before->attempts);
    most(&into->last_done, from->last_done, before->attempts);
    if (!from_sent)
        return;
    least(&into->first_sent, from->first_sent, before->sent);
    most(&into->last_sent, from->last_sent, before->sent);
}

static void hist_record(struct e8_hist **hist, e8_dur_ns value)
{
    if (!*hist)
        *hist = e8_hist_new();
    e8_hist_record(*hist, value);
}

/* Aborted and unknown attempts ended by our doing; how long they took says nothing of the receiver. */
static bool is_measured(const struct e8_attempt *attempt)
{
    return attempt->bytes_sent > 0 && attempt->outcome != E8_ABORTED && attempt->outcome != E8_UNKNOWN;
}

static void tally_add(struct e8_tally *tally, const struct e8_attempt *attempt)
{
    const struct e8_times *t = &attempt->times;
    struct e8_span span = {t->due, t->due, t->sent, t->sent, t->done};

    span_widen(&tally->span, &tally->n, &span, attempt->bytes_sent > 0);
    count_attempt(&tally->n, attempt);
    if (is_measured(attempt))
        hist_record(&tally->response, e8_response_time(t));
}

/* Of two samples the earlier; of two at once the lesser text, so that no order of merging matters. */
static void sample_keep(struct sample *into, e8_mono_ns at, const char *text)
{
    if (!text[0] || (into->text[0] && into->at < at))
        return;
    if (into->text[0] && into->at == at && strcmp(into->text, text) <= 0)
        return;
    into->at = at;
    memcpy(into->text, text, sizeof(into->text));
}

/* When the exchange began; connecting is not the generator's delay. */
static e8_mono_ns begun_at(const struct e8_attempt *attempt)
{
    const struct e8_times *t = &attempt->times;
    e8_mono_ns begun = attempt->phases.total >= 0 ? t->done - attempt->phases.total : t->sent;

    return begun < t->due ? t->due : begun < t->sent ? begun : t->sent;
}

static void pacing_widen(struct e8_pacing *into, const struct e8_pacing *from)
{
    least(&into->first_due, from->first_due, into->count);
    most(&into->last_due, from->last_due, into->count);
    most(&into->last_begun, from->last_begun, into->count);
    into->count += from->count;
}

static void pacing_add(struct e8_stats *stats, const struct e8_attempt *attempt)
{
    struct e8_pacing one = {1, attempt->times.due, attempt->times.due, begun_at(attempt)};

    pacing_widen(&stats->pacing, &one);
}

void e8_schedule_merge(struct e8_schedule *into, const struct e8_schedule *from)
{
    if (from->count == 0)
        return;
    least(&into->first, from->first, into->count);
    most(&into->last, from->last, into->count);
    least(&into->first_due, from->first_due, into->count);
    most(&into->last_due, from->last_due, into->count);
    into->count += from->count;
}

void e8_schedule_add(struct e8_schedule *schedule, e8_dur_ns planned, e8_dur_ns due)
{
    struct e8_schedule one = {1, planned, planned, due, due};

    e8_schedule_merge(schedule, &one);
}

static bool is_expected(const struct e8_attempt *attempt)
{
    return attempt->outcome == E8_DELIVERED || attempt->verdict == E8_EXPECTATION_MET ||
           attempt->verdict == E8_EXPECTATION_REPORTED;
}

static void series_add(struct e8_series *series, const struct e8_attempt *attempt)
{
    bool begins = e8_attempt_begins(attempt);
    bool counts = attempt->outcome != E8_ABORTED && !e8_outcome_info(attempt->outcome)->generator;
    struct e8_slice *slice;

    if (begins || counts) {
        slice = e8_series_at(series, attempt->times.due);
        slice->begun += begins;
        slice->tried += counts;
    }
    slice = e8_series_at(series, attempt->times.done);
    slice->ended += attempt->last;
    slice->attempts += counts;
    slice->failed += counts && !is_expected(attempt);
}

static void count_warmup(struct e8_counts *n, const struct e8_attempt *attempt)
{
    n->warmup++;
    n->warmup_sent += attempt->bytes_sent > 0;
    n->warmup_connects += attempt->phases.connect >= 0;
    n->warmup_accepted += status_of(attempt) / 100 == 2;
}

void e8_stats_add(struct e8_stats *stats, const struct e8_attempt *attempt)
{
    E8_ASSERT(attempt->outcome < E8_OUTCOME_COUNT && attempt->trigger < E8_TRIGGER_COUNT);

    if (attempt->flags & E8_FLAG_WARMUP) {
        count_warmup(&stats->all.n, attempt);
        return;
    }
    struct three three = tallies(stats, attempt->endpoint, attempt->type);
    for (unsigned i = 0; i < E8_COUNT(three.of); i++)
        tally_add(three.of[i], attempt);
    if (attempt->bytes_sent > 0)
        hist_record(&stats->all.lag, e8_send_lag(&attempt->times));
    if (is_measured(attempt))
        hist_record(&stats->all.service, e8_service_time(&attempt->times));
    stats->statuses[status_of(attempt)]++;
    if (e8_attempt_begins(attempt))
        pacing_add(stats, attempt);
    series_add(&stats->series, attempt);
    sample_keep(&stats->endpoints[attempt->endpoint].samples[attempt->outcome], attempt->times.done,
                attempt->error);
}

static void hist_merge(struct e8_hist **into, const struct e8_hist *from)
{
    if (!from || !e8_hist_count(from))
        return;
    if (!*into)
        *into = e8_hist_new();
    e8_hist_merge(*into, from);
}

_Static_assert(sizeof(struct e8_counts) % sizeof(uint64_t) == 0, "counts are added as one array");

static void counts_merge(struct e8_counts *into, const struct e8_counts *from)
{
    uint64_t sums[sizeof(*into) / sizeof(uint64_t)], more[E8_COUNT(sums)];

    memcpy(sums, into, sizeof(sums));
    memcpy(more, from, sizeof(more));
    for (size_t i = 0; i < E8_COUNT(sums); i++)
        sums[i] += more[i];
    memcpy(into, sums, sizeof(sums));
}

static void tally_merge(struct e8_tally *into, const struct e8_tally *from)
{
    if (from->n.attempts)
        span_widen(&into->span, &into->n, &from->span, from->n.sent);
    counts_merge(&into->n, &from->n);
    hist_merge(&into->response, from->response);
    hist_merge(&into->service, from->service);
    hist_merge(&into->lag, from->lag);
}

static void endpoint_merge(struct endpoint *into, const struct endpoint *from)
{
    tally_merge(&into->tally, &from->tally);
    for (unsigned i = 0; i < E8_OUTCOME_COUNT; i++)
        sample_keep(&into->samples[i], from->samples[i].at, from->samples[i].text);
}

void e8_stats_merge(struct e8_stats *into, const struct e8_stats *from)
{
    E8_ASSERT(into->endpoint_count == from->endpoint_count && into->type_count == from->type_count);

    tally_merge(&into->all, &from->all);
    for (unsigned i = 0; i < E8_STATUSES; i++)
        into->statuses[i] += from->statuses[i];
    if (from->pacing.count)
        pacing_widen(&into->pacing, &from->pacing);
    e8_series_merge(&into->series, &from->series);
    for (unsigned i = 0; i < into->endpoint_count; i++)
        endpoint_merge(&into->endpoints[i], &from->endpoints[i]);
    for (unsigned i = 0; i < into->type_count; i++)
        tally_merge(&into->types[i], &from->types[i]);
}

const struct e8_tally *e8_stats_all(const struct e8_stats *stats)
{
    return &stats->all;
}

const struct e8_tally *e8_stats_endpoint(const struct e8_stats *stats, unsigned endpoint)
{
    E8_ASSERT(endpoint < stats->endpoint_count);
    return &stats->endpoints[endpoint].tally;
}

const struct e8_tally *e8_stats_type(const struct e8_stats *stats, unsigned type)
{
    E8_ASSERT(type < stats->type_count);
    return &stats->types[type];
}

const uint64_t *e8_stats_statuses(const struct e8_stats *stats)
{
    return stats->statuses;
}

const struct e8_pacing *e8_stats_pacing(const struct e8_stats *stats)
{
    return &stats->pacing;
}

const struct e8_series *e8_stats_series(const struct e8_stats *stats)
{
    return &stats->series;
}

const char *e8_stats_sample(const struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome)
{
    E8_ASSERT(endpoint < stats->endpoint_count && outcome >= 0 && outcome < E8_OUTCOME_COUNT);
    return stats->endpoints[endpoint].samples[outcome].text;
}

struct e8_tally *e8_stats_open(struct e8_stats *stats, enum e8_stats_of of, unsigned index)
{
    E8_ASSERT(of == E8_STATS_ALL ||
              index < (of == E8_STATS_ENDPOINT ? stats->endpoint_count : stats->type_count));
    return of == E8_STATS_ALL        ? &stats->all
           : of == E8_STATS_ENDPOINT ? &stats->endpoints[index].tally
                                     : &stats->types[index];
}

uint64_t *e8_stats_open_statuses(struct e8_stats *stats)
{
    return stats->statuses;
}

struct e8_pacing *e8_stats_open_pacing(struct e8_stats *stats)
{
    return &stats->pacing;
}

struct e8_series *e8_stats_open_series(struct e8_stats *stats)
{
    return &stats->series;
}

e8_mono_ns e8_stats_sample_time(const struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome)
{
    return stats->endpoints[endpoint].samples[outcome].at;
}

void e8_stats_sample_put(struct e8_stats *stats, unsigned endpoint, enum e8_outcome outcome, e8_mono_ns at,
                         const char text[E8_ERROR_MAX])
{
    sample_keep(&stats->endpoints[endpoint].samples[outcome], at, text);
}

unsigned e8_stats_endpoint_count(const struct e8_stats *stats)
{
    return stats->endpoint_count;
}

unsigned e8_stats_type_count(const struct e8_stats *stats)
{
    return stats->type_count;
}
