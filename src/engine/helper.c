/* The helper: one thread with a queue of jobs. A worker hands a job over and does not touch it until it finds it in its mail. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker.h"

#define GET_LIMIT     (5 * E8_NS_S)
#define COMMAND_LIMIT (30 * E8_NS_S)
#define OUTPUT_MAX    ((size_t)64 << 10)

struct e8_helper {
    struct e8_engine *engine;
    pthread_mutex_t lock; /* of all up to `transport` */
    pthread_cond_t work;
    struct e8_job *first, **last;
    bool running, ending;
    atomic_bool give_up;
    pthread_t thread;
    _Atomic(struct e8_transport *) transport; /* the thread's; others wake it */
};

struct e8_helper *e8_helper_new(struct e8_engine *engine)
{
    struct e8_helper *helper = e8_new(1, sizeof *helper);
    helper->engine = engine;
    helper->last = &helper->first;
    pthread_mutex_init(&helper->lock, NULL);
    pthread_cond_init(&helper->work, NULL);
    return helper;
}

static void answer(struct e8_job *job)
{
    struct e8_worker *worker = job->worker;
    job->next = atomic_load(&worker->mail);
    while (!atomic_compare_exchange_weak(&worker->mail, &job->next, job)) {
    }
    e8_transport_wake(worker->transport);
}

/* Ends before its time when the run is given up. */
static bool exchange_with(struct e8_helper *helper, struct e8_exchange *exchange)
{
    struct e8_transport *transport = atomic_load(&helper->transport);
    bool aborted = false;
    e8_transport_submit(transport, exchange);
    while (!e8_transport_next(transport)) {
        if (atomic_load(&helper->give_up) && !aborted) {
            e8_transport_abort(transport, exchange);
            aborted = true;
            continue;
        }
        e8_transport_wait(transport, exchange->deadline);
    }
    return exchange->outcome == E8_DELIVERED;
}

static bool read_url(struct e8_helper *helper, struct e8_job *job, const struct e8_effect *effect)
{
    const struct e8_reach *reach = &helper->engine->options.reach;
    struct e8_exchange exchange = {.magic = E8_EXCHANGE_MAGIC,
                                   .url = e8_str(effect->get),
                                   .reach = reach,
                                   .method = E8_LIT("GET"),
                                   .deadline = e8_after(e8_mono_now(), GET_LIMIT),
                                   .fresh = true,
                                   .keep = true};
    struct e8_err err = {0};
    char address[64];
    if (e8_reach_permits(reach, exchange.url, address, &err)) {
        snprintf(job->why, sizeof job->why, "%.*s", (int)sizeof job->why - 1, err.what);
        return false;
    }
    bool ok = exchange_with(helper, &exchange);
    if (!ok) {
        snprintf(job->why, sizeof job->why, "the effect probe did not answer with a 2xx: %s",
                 exchange.error[0] ? exchange.error : e8_outcome_info(exchange.outcome)->text);
    } else if (e8_pointer_number(e8_buf_str(&exchange.content), effect->pointer ? effect->pointer : "",
                                 &job->number, &err)) {
        snprintf(job->why, sizeof job->why, "%.*s", (int)sizeof job->why - 1, err.what);
        ok = false;
    }
    e8_exchange_fini(&exchange);
    return ok;
}

/* Room for one byte more than is allowed tells that there was more. */
static bool read_output(struct e8_helper *helper, struct e8_job *job, const char *const *argv, bool number)
{
    struct e8_buf out;
    struct e8_err err = {0};
    e8_buf_init(&out, OUTPUT_MAX);
    bool ok = e8_command_run(argv, COMMAND_LIMIT, &helper->give_up, &out, job->why);
    if (ok && number && out.full) {
        snprintf(job->why, sizeof job->why, "\"%.60s\" wrote more than 64 KiB", argv[0]);
        ok = false;
    } else if (ok && number && e8_pointer_number(e8_str_trim(e8_buf_str(&out)), "", &job->number, &err)) {
        snprintf(job->why, sizeof job->why, "the output of \"%.60s\" is not a whole number", argv[0]);
        ok = false;
    }
    e8_buf_fini(&out);
    return ok;
}

static bool do_job(struct e8_helper *helper, struct e8_job *job)
{
    bool command = job->argv || !job->effect->get;
    if (atomic_load(&helper->give_up) || atomic_load(&helper->engine->stop)) {
        snprintf(job->why, sizeof job->why, "the run was stopped before");
        return false;
    }
    if (command && !helper->engine->options.exec) {
        snprintf(job->why, sizeof job->why, "commands are not allowed; allow them with --allow-exec");
        return false;
    }
    if (job->argv) {
        return read_output(helper, job, job->argv, false);
    }
    return command ? read_output(helper, job, job->effect->command, true)
                   : read_url(helper, job, job->effect);
}

static struct e8_job *next_job(struct e8_helper *helper)
{
    pthread_mutex_lock(&helper->lock);
    while (!helper->first && !helper->ending) {
        pthread_cond_wait(&helper->work, &helper->lock);
    }
    struct e8_job *job = helper->first;
    if (job) {
        helper->first = job->next;
        helper->last = helper->first ? helper->last : &helper->first;
    }
    pthread_mutex_unlock(&helper->lock);
    return job;
}

static void *work(void *state)
{
    struct e8_helper *helper = state;
    struct e8_job *job;
    while ((job = next_job(helper)) != NULL) {
        job->ok = do_job(helper, job);
        answer(job);
    }
    return NULL;
}

/* With all signals blocked, as every thread but the main one. */
static bool start(struct e8_helper *helper, char why[E8_WHY_MAX])
{
    struct e8_transport *transport = NULL;
    struct e8_err err = {0};
    sigset_t all, old;
    if (helper->running) {
        return true;
    }
    if (e8_transport_new(&transport, &err)) {
        snprintf(why, E8_WHY_MAX, "%.*s", E8_WHY_MAX - 1, err.what);
        return false;
    }
    atomic_store(&helper->transport, transport);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&helper->thread, NULL, work, helper);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        snprintf(why, E8_WHY_MAX, "cannot start a thread: %s", strerror(rc));
        atomic_store(&helper->transport, NULL);
        e8_transport_free(&transport);
        return false;
    }
    helper->running = true;
    return true;
}

void e8_helper_submit(struct e8_helper *helper, struct e8_job *job)
{
    pthread_mutex_lock(&helper->lock);
    bool started = start(helper, job->why);
    if (started) {
        job->next = NULL;
        *helper->last = job;
        helper->last = &job->next;
        pthread_cond_signal(&helper->work);
    }
    pthread_mutex_unlock(&helper->lock);
    if (!started) {
        answer(job);
    }
}

void e8_helper_give_up(struct e8_helper *helper)
{
    struct e8_transport *transport = atomic_load(&helper->transport);
    if (!atomic_exchange(&helper->give_up, true) && transport) {
        e8_transport_wake(transport);
    }
}

void e8_helper_free(struct e8_helper **helper_p)
{
    struct e8_helper *helper = *helper_p;
    if (!helper) {
        return;
    }
    pthread_mutex_lock(&helper->lock);
    helper->ending = true;
    pthread_cond_signal(&helper->work);
    pthread_mutex_unlock(&helper->lock);
    if (helper->running) {
        pthread_join(helper->thread, NULL);
    }
    E8_ASSERT(!helper->first);
    struct e8_transport *transport = atomic_load(&helper->transport);
    e8_transport_free(&transport);
    pthread_mutex_destroy(&helper->lock);
    pthread_cond_destroy(&helper->work);
    free(helper);
    *helper_p = NULL;
}
