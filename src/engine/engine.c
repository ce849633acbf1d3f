#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/worker.h"

#define GRACE_DEFAULT (10 * E8_NS_S)
#define PROBES        40

static int by_value(const void *a, const void *b)
{
    const e8_dur_ns x = *(const e8_dur_ns *)a, y = *(const e8_dur_ns *)b;
    return (x > y) - (x < y);
}

/* How late this host's timers fire: a few short sleeps, their p99 (here: the second worst of 40). */
static e8_dur_ns probe_timers(void)
{
    e8_dur_ns late[PROBES];
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    for (int i = 0; i < PROBES; i++) {
        struct itimerspec spec = {.it_value = {0, 200 * E8_NS_US}};
        e8_mono_ns due = e8_mono_now() + spec.it_value.tv_nsec;
        uint64_t ticks;
        timerfd_settime(fd, 0, &spec, NULL);
        ssize_t n = read(fd, &ticks, sizeof ticks);
        late[i] = n == (ssize_t)sizeof ticks ? e8_mono_now() - due : 0;
    }
    close(fd);
    qsort(late, PROBES, sizeof late[0], by_value);
    return late[PROBES - 2];
}

static unsigned cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    return (unsigned)CPU_COUNT(&set);
}

static void fill_options(struct e8_engine *engine, const struct e8_engine_options *options)
{
    engine->options = *options;
    struct e8_engine_options *o = &engine->options;
    o->workers = o->workers ? o->workers : cores();
    o->in_flight = o->in_flight ? o->in_flight : E8_IN_FLIGHT_DEFAULT;
    o->waiting = o->waiting ? o->waiting : e8_waiting_of(o->in_flight);
    o->grace = o->grace ? o->grace : GRACE_DEFAULT;
    engine->speed = o->speed > 0 ? o->speed : 1;
    engine->count = o->workers < o->in_flight ? o->workers : (unsigned)o->in_flight;
    engine->fixed = o->clock != 0;
    engine->interval = o->rate_max > 0 ? (e8_dur_ns)(1e9 / o->rate_max) : 0;
}

static void look_at_plan(struct e8_engine *engine)
{
    for (size_t i = 0; i < engine->plan->emit_count; i++) {
        const struct e8_emit *emit = &engine->plan->emits[i];
        engine->traces = engine->traces || emit->again;
        engine->expects = engine->expects || emit->expect;
    }
}

/* The schedule of a run that is resumed goes on where it had come to; its ids are those of the run that it resumes. */
static void set_times(struct e8_engine *engine)
{
    const struct e8_engine_options *o = &engine->options;
    e8_mono_ns now = e8_mono_now();
    bool kept = o->appointed || o->epoch > now + E8_PREPARE_LEAD;
    engine->begun = kept ? o->epoch : now + E8_PREPARE_LEAD;
    engine->epoch = engine->begun - (o->done ? e8_done_elapsed(o->done) : 0);
    engine->wall = o->appointed ? o->wall : e8_after(e8_wall_now(), engine->epoch - now);
    engine->wall = engine->fixed ? o->clock : engine->wall;
    engine->base = engine->fixed || !o->wall ? engine->wall : o->wall;
}

/* In a closed loop the next delivery begins when an answer has been read, so that is its end; and it is to go as fast as it can. */
static bool is_closed(const struct e8_plan *plan)
{
    size_t closed = 0;
    for (size_t i = 0; i < plan->phase_count; i++) {
        closed += !plan->phases[i].open;
    }
    return closed > 0 && closed == plan->phase_count;
}

static enum e8_rc make_workers(struct e8_engine *engine, struct e8_err *err)
{
    bool stamps = !is_closed(engine->plan);
    engine->workers = e8_new(engine->count, sizeof *engine->workers);
    for (unsigned i = 0; i < engine->count; i++) {
        e8_worker_init(&engine->workers[i], engine, i);
    }
    for (unsigned i = 0; i < engine->count; i++) {
        enum e8_rc rc = e8_transport_new(&engine->workers[i].transport, err);
        if (rc) {
            return rc;
        }
        e8_transport_spin(engine->workers[i].transport, engine->options.spin);
        if (stamps) {
            e8_transport_stamp(engine->workers[i].transport);
        }
    }
    return E8_OK;
}

static void free_engine(struct e8_engine **engine)
{
    struct e8_engine *e = *engine;
    e8_helper_free(&e->helper); /* it may still be about to wake a worker that has ended */
    for (unsigned i = 0; e->workers && i < e->count; i++) {
        e8_worker_fini(&e->workers[i]);
    }
    free(e->workers);
    e8_standings_fini(e);
    free(e->gates);
    free(e->slept);
    e8_turns_free(atomic_load(&e->turn));
    e8_stats_free(&e->total);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->all_ended);
    free(e);
    *engine = NULL;
}

/* The k-th core of those that this process may use; round again where there are fewer. */
static bool core_of(unsigned k, cpu_set_t *out)
{
    cpu_set_t all;
    CPU_ZERO(out);
    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        return false;
    }
    unsigned left = k % (unsigned)CPU_COUNT(&all);
    for (size_t core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET(core, &all) && left-- == 0) {
            CPU_SET(core, out);
            return true;
        }
    }
    return false;
}

/* Where that is not allowed, the scheduler does as it likes. */
static void pin(struct e8_worker *worker)
{
    cpu_set_t core;
    if (core_of(worker->index, &core)) {
        (void)pthread_setaffinity_np(worker->thread, sizeof core, &core);
    }
}

static enum e8_rc start_threads(struct e8_engine *engine, struct e8_err *err)
{
    for (unsigned i = 0; i < engine->count; i++) {
        int rc = pthread_create(&engine->workers[i].thread, NULL, e8_worker_main, &engine->workers[i]);
        if (rc) {
            e8_engine_abort(engine);
            for (unsigned j = 0; j < i; j++) {
                pthread_join(engine->workers[j].thread, NULL);
            }
            return e8_fail(err, E8_ENV, "use fewer --workers", "cannot start a thread: %s", strerror(rc));
        }
        if (engine->options.pin) {
            pin(&engine->workers[i]);
        }
    }
    return E8_OK;
}

enum e8_rc e8_engine_start(const struct e8_plan *plan, const struct e8_catalog *catalog,
                           const struct e8_engine_options *options, struct e8_engine **out,
                           struct e8_err *err)
{
    struct e8_engine *engine = e8_new(1, sizeof *engine);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->all_ended, &attr);
    pthread_condattr_destroy(&attr);
    engine->plan = plan;
    engine->catalog = catalog;
    fill_options(engine, options);
    engine->gates = e8_new(plan->phase_count + 1, sizeof *engine->gates);
    engine->slept = e8_new(engine->count, sizeof *engine->slept);
    engine->looked_at = e8_mono_now();
    engine->factor = 1;
    engine->total = e8_stats_new((unsigned)plan->endpoint_count, (unsigned)plan->type_count);
    engine->helper = e8_helper_new(engine);
    engine->timer_floor = probe_timers();
    look_at_plan(engine);
    enum e8_rc rc = e8_standings_init(engine, err);
    rc = rc ? rc : make_workers(engine, err);
    set_times(engine);
    engine->cpu = e8_cpu_now();
    rc = rc ? rc : start_threads(engine, err);
    if (rc) {
        free_engine(&engine);
    }
    *out = engine;
    return rc;
}

bool e8_engine_wait(struct e8_engine *engine, e8_dur_ns timeout)
{
    e8_mono_ns until = e8_after(e8_mono_now(), timeout);
    struct timespec at = {until / E8_NS_S, until % E8_NS_S};
    pthread_mutex_lock(&engine->lock);
    int rc = 0;
    while (atomic_load(&engine->ended) < engine->count && rc == 0) {
        rc = pthread_cond_timedwait(&engine->all_ended, &engine->lock, &at);
    }
    pthread_mutex_unlock(&engine->lock);
    return atomic_load(&engine->ended) == engine->count;
}

const struct e8_stats *e8_engine_stats(struct e8_engine *engine)
{
    for (unsigned i = 0; i < engine->count; i++) {
        struct e8_worker *worker = &engine->workers[i];
        struct e8_stats *stats = atomic_load(&worker->published);
        if (stats) {
            e8_stats_merge(engine->total, stats);
            e8_stats_reset(stats);
            atomic_store(&worker->spare, stats);
            atomic_store(&worker->published, NULL);
        }
    }
    return engine->total;
}

static void add_counts(struct e8_transport_counts *into, struct e8_transport_counts from)
{
    into->connections += from.connections;
    into->reused += from.reused;
    into->handshakes += from.handshakes;
    into->resumed += from.resumed;
    into->idle_closed += from.idle_closed;
    into->idle_bytes += from.idle_bytes;
    into->rebuilt += from.rebuilt;
    into->goaways += from.goaways;
    into->refused += from.refused;
    into->over_h2 += from.over_h2;
    into->declined_h2 += from.declined_h2;
}

/* What each worker has gathered, as one. */
static void gather(struct e8_engine *e, struct e8_engine_result *result)
{
    if (e->expects) {
        result->expected = e8_new(e->plan->emit_count, sizeof *result->expected);
    }
    for (unsigned i = 0; i < e->count; i++) {
        struct e8_worker *worker = &e->workers[i];
        e8_stats_merge(e->total, worker->stats);
        add_counts(&result->transport, e8_transport_counts(worker->transport));
        struct e8_pressure pressure = e8_busy_of(worker);
        e8_pressure_merge(&result->pressure, &pressure);
        result->stalls += worker->stalls;
        e8_schedule_merge(&result->schedule, &worker->schedule);
        result->flows_stopped += worker->flows_stopped;
        result->commands_failed += worker->commands_failed;
        if (!result->command_why[0]) {
            memcpy(result->command_why, worker->command_why, sizeof result->command_why);
        }
        if (e->expects) {
            e8_expected_merge(result->expected, worker->expected, e->plan->emit_count);
        }
        if (worker->spread) {
            result->spread = result->spread ? result->spread : e8_hist_new();
            e8_hist_merge(result->spread, worker->spread);
        }
    }
    for (size_t i = 0; i < e->plan->endpoint_count; i++) {
        result->disabled += e8_shut_of(e, i) == E8_SHUT_GONE;
    }
}

/* What had been made when a pause began was due later than it was noted to be. */
static void stretch(const struct e8_pacing *pacing, e8_mono_ns epoch, struct e8_schedule *schedule)
{
    const struct e8_schedule begun = {pacing->count, schedule->first, schedule->last,
                                      pacing->first_due - epoch, pacing->last_due - epoch};
    uint64_t count = schedule->count;
    if (count) {
        e8_schedule_merge(schedule, &begun);
        schedule->count = count;
    }
}

static void tell_turns(const struct e8_engine *engine, e8_mono_ns now, struct e8_engine_result *result)
{
    const struct e8_turn *turn = atomic_load(&engine->turn);
    e8_mono_ns at = engine->epoch;
    result->by_hand = turn != NULL;
    result->paused = e8_turns_paused(turn, now);
    e8_turns_factors(turn, now, &result->factor_least, &result->factor_most, &at);
    result->changed_at = at - engine->epoch;
    stretch(e8_stats_pacing(engine->total), engine->epoch, &result->schedule);
}

void e8_engine_finish(struct e8_engine **engine, struct e8_engine_result *result)
{
    struct e8_engine *e = *engine;
    memset(result, 0, sizeof *result);
    for (unsigned i = 0; i < e->count; i++) {
        pthread_join(e->workers[i].thread, NULL);
        e8_feed_return(&e->workers[i]);
    }
    struct e8_cpu cpu = e8_cpu_now();
    e8_engine_stats(e);
    gather(e, result);
    result->pressure.cpu = e8_cpu_share(&e->cpu, &cpu);
    result->log_failed = atomic_load(&e->log_failed);
    result->generator_limited = atomic_load(&e->generator_limited);
    result->stopped_by_step = atomic_load(&e->stopped_by_step);
    result->interrupted = atomic_load(&e->stop) && !result->log_failed && !result->generator_limited &&
                          !result->stopped_by_step;
    result->workers = e->count;
    result->bounded = atomic_load(&e->bounded);
    result->crowded = atomic_load(&e->crowded);
    result->holds = atomic_load(&e->holds);
    e8_mono_ns now = e8_mono_now();
    tell_turns(e, now, result);
    result->elapsed = now > e->begun ? now - e->begun : 0;
    result->timer_floor = e->timer_floor;
    result->stats = e->total;
    e->total = NULL;
    free_engine(engine);
}
