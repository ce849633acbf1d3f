#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

static void submit(struct e8_worker *worker, struct e8_strand *strand, const char *const *argv,
                   const struct e8_effect *effect)
{
    struct e8_job *job = e8_new(1, sizeof *job);
    job->worker = worker;
    job->strand = strand;
    job->argv = argv;
    job->effect = effect;
    e8_helper_submit(worker->engine->helper, job);
}

void e8_exec_begin(struct e8_worker *worker, struct e8_strand *strand)
{
    submit(worker, strand, strand->step->exec.argv, NULL);
}

static void say_range(char why[E8_WHY_MAX], int64_t low, int64_t high, int64_t before, int64_t after)
{
    struct e8_buf text;
    e8_buf_fixed(&text, why, E8_WHY_MAX);
    e8_buf_printf(&text, "expected %s%lld", low == high ? "" : "between ", (long long)low);
    if (low != high) {
        e8_buf_printf(&text, " and %lld", (long long)high);
    }
    e8_buf_printf(&text, " more behind the effect probe; it went from %lld to %lld", (long long)before,
                  (long long)after);
    e8_buf_cstr(&text);
}

/* Where there is a probe and it tells nothing, what was expected is not known to be so: not met. Without one it was not asked for. */
static void count(struct e8_worker *worker, const struct e8_effect_reading *reading, bool probed)
{
    struct e8_expected *expected = &worker->expected[reading->emit->index];
    bool reports = e8_expect_only_reports(reading->emit->expect);
    expected->not_measured += !reading->measured && !probed;
    expected->reported += probed && reports;
    expected->met += reading->measured && !reports && reading->met;
    expected->unmet += probed && !reports && !reading->met;
    if (probed && !reading->met && !expected->why[0]) {
        memcpy(expected->why, reading->why, strlen(reading->why) + 1);
    }
}

/* The second reading, judged. number: NULL where it could not be read. */
static void judge(struct e8_worker *worker, struct e8_strand *strand, const int64_t *number)
{
    const struct e8_engine_options *options = &worker->engine->options;
    const struct e8_emit *emit = strand->step->measure.emit;
    struct e8_effect_reading reading = {.flow = strand->walk.flow,
                                        .emit = emit,
                                        .instance = strand->instance->number,
                                        .measured = strand->measured && number,
                                        .before = strand->before};
    int64_t low = 0, high = 0, grown;
    if (!emit || !emit->expect || !e8_expect_effect(emit->expect, &low, &high)) {
        return;
    }
    if (reading.measured) {
        reading.after = *number;
        bool sane = !__builtin_sub_overflow(reading.after, reading.before, &grown);
        reading.met = sane && low <= grown && grown <= high;
        say_range(strand->why, low, high, reading.before, reading.after);
    }
    reading.why = reading.met ? NULL : strand->why;
    if (!e8_is_warmup(strand)) {
        count(worker, &reading, strand->step->measure.effect || worker->engine->plan->effect);
    }
    if (options->on_effect) {
        options->on_effect(options->state, &reading);
    }
}

static void take_reading(struct e8_worker *worker, struct e8_strand *strand, bool ok, int64_t number,
                         const char *why)
{
    bool after = strand->step->measure.after;
    if (!ok && (!after || strand->measured)) {
        snprintf(strand->why, sizeof strand->why, "%s", why);
    }
    if (after) {
        judge(worker, strand, ok ? &number : NULL);
    } else {
        strand->measured = ok;
        strand->before = number;
    }
}

static void go_on(struct e8_worker *worker, struct e8_strand *strand)
{
    e8_mono_ns due = e8_strand_due(worker, strand), now = e8_worker_clock(worker);
    strand->shift = e8_after(strand->shift, now > due ? now - due : 0);
    e8_strand_advance(worker, strand);
}

void e8_measure_begin(struct e8_worker *worker, struct e8_strand *strand)
{
    const struct e8_effect *effect = strand->step->measure.effect;
    effect = effect ? effect : worker->engine->plan->effect;
    if (effect) {
        submit(worker, strand, NULL, effect);
        return;
    }
    take_reading(worker, strand, false, 0, "the scenario has no effect probe");
    go_on(worker, strand);
}

static void take_job(struct e8_worker *worker, const struct e8_job *job)
{
    struct e8_strand *strand = job->strand;
    E8_ASSERT(strand->state == E8_STRAND_WORKS);
    if (job->argv && !job->ok && strand->step->exec.on_failure != E8_ON_FAILURE_CONTINUE &&
        worker->commands_failed++ == 0) {
        memcpy(worker->command_why, job->why, sizeof worker->command_why);
    }
    if (!job->argv) {
        take_reading(worker, strand, job->ok, job->number, job->why);
    } else if (!job->ok && !e8_worker_stopping(worker) &&
               !e8_strand_fail(worker, strand, strand->step->exec.on_failure)) {
        return;
    }
    go_on(worker, strand);
}

void e8_worker_take_mail(struct e8_worker *worker)
{
    struct e8_job *job = atomic_load(&worker->mail) ? atomic_exchange(&worker->mail, NULL) : NULL;
    while (job) {
        struct e8_job *next = job->next;
        take_job(worker, job);
        free(job);
        job = next;
    }
}
