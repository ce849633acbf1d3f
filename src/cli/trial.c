#include "cli/trial.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOK_EVERY (50 * E8_NS_MS)

static void describe(struct e8_cli_trial *t)
{
    const char **texts = e8_arena_alloc(t->arena, (t->threshold_count + 1) * sizeof *texts);
    for (size_t i = 0; i < t->threshold_count; i++) {
        texts[i] = t->thresholds[i].text;
    }
    e8_cli_facts(t->args, t->plan, t->catalog, t->arena, &t->facts);
    t->facts.workers = t->workers;
    t->facts.thresholds = texts;
    t->facts.speed = 1;
}

static bool is_lost(const struct e8_cli_trial *t, const struct e8_stats *stats, e8_dur_ns elapsed)
{
    for (size_t i = 0; i < t->threshold_count; i++) {
        if (e8_threshold_lost(&t->thresholds[i], &t->facts, stats, elapsed)) {
            return true;
        }
    }
    return false;
}

/* A threshold gets the first half of the schedule to be met, so that a slow beginning does not decide. */
static void watch(struct e8_cli_trial *t, struct e8_engine *engine)
{
    while (!e8_engine_wait(engine, LOOK_EVERY)) {
        const struct e8_stats *stats = e8_engine_stats(engine);
        int signal = e8_cli_progress_look(t->progress, engine, stats, t->stopped_by || t->unfinished);
        e8_dur_ns elapsed = e8_mono_now() - t->facts.epoch - t->warmup - t->progress->suspended;
        if (signal && t->stopped_by) {
            e8_engine_abort(engine);
        } else if (signal) {
            t->stopped_by = signal;
            e8_engine_stop(engine);
        } else if (!t->unfinished && !t->stopped_by &&
                   (elapsed > t->length + t->drain ||
                    (elapsed > t->length / 2 && is_lost(t, stats, elapsed)))) {
            t->early = elapsed <= t->length + t->drain;
            t->unfinished = true;
            e8_engine_stop(engine);
        }
    }
}

static e8_dur_ns time_of(struct timeval time)
{
    return (e8_dur_ns)time.tv_sec * E8_NS_S + (e8_dur_ns)time.tv_usec * E8_NS_US;
}

/* Of this process, in all its threads. */
static e8_dur_ns used_time(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? time_of(usage.ru_utime) + time_of(usage.ru_stime) : 0;
}

/* What --spin spends is no work: the loops count it as sleep. */
static double busy_share(const struct e8_cli_trial *t, e8_dur_ns used, bool spins)
{
    double awake = (double)t->result.pressure.busy / 1000;
    unsigned cores = e8_cli_cores();
    double threads = (double)(t->workers > cores ? cores : t->workers);
    double share = t->result.elapsed > 0 ? (double)used / ((double)t->result.elapsed * threads) : 0;
    return spins && awake < share ? awake : share;
}

enum e8_rc e8_cli_trial(struct e8_cli_trial *t, struct e8_err *err)
{
    struct e8_dlog *log = NULL;
    struct e8_engine *engine;
    const char *path = NULL;
    describe(t);
    struct e8_cli_threads threads;
    enum e8_rc rc = e8_cli_threads(t->args, t->workers, &threads, err);
    rc = rc ? rc : e8_cli_log(t->args, t->arena, &t->facts, &log, &path, err);
    if (rc) {
        if (log) {
            e8_dlog_finish(&log, NULL, NULL);
        }
        return rc;
    }
    struct e8_engine_options options = {
        .workers = t->workers,
        .in_flight = t->in_flight,
        .pin = threads.pin,
        .spin = threads.spin,
        .grace = E8_TRIAL_GRACE,
        .reach = *t->reach,
        .log = log,
        .epoch = t->facts.epoch,
        .wall = t->facts.started,
    };
    rc = e8_engine_start(t->plan, t->catalog, &options, &engine, err);
    if (!rc) {
        e8_dur_ns used = used_time();
        e8_cli_progress_begin(t->progress, t->label, &t->facts, e8_cli_style(t->args, stderr));
        watch(t, engine);
        e8_cli_progress_end(t->progress);
        e8_engine_finish(&engine, &t->result);
        t->busy = busy_share(t, used_time() - used, threads.spin > 0);
        e8_cli_facts_end(&t->result, NULL, t->arena, &t->facts);
        const struct e8_report_more more = {.open = true,
                                            .load = true,
                                            .pressure = t->result.pressure,
                                            .schedule = t->result.schedule,
                                            .bound = t->result.bounded ? t->in_flight : 0,
                                            .crowd = t->result.crowded ? e8_waiting_of(t->in_flight) : 0};
        e8_report_make(&t->facts, t->result.stats, t->thresholds, t->threshold_count, &more, &t->report);
    }
    enum e8_rc closed = log ? e8_dlog_finish(&log, rc ? NULL : &t->facts, rc ? NULL : err) : E8_OK;
    return rc ? rc : closed;
}

void e8_cli_trial_fini(struct e8_cli_trial *t)
{
    e8_stats_free(&t->result.stats);
    e8_hist_free(&t->result.spread);
    free(t->result.expected);
}
