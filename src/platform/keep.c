#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/server.h"

#define EVERY  (30 * E8_NS_S)  /* when all that is too old has gone; more often where little is kept */
#define LOOK   (5 * E8_NS_S)   /* the same, where the size is bounded */
#define PAUSE  (50 * E8_NS_MS) /* between two pieces, so that others get at the store */
#define BUDGET (20 * E8_NS_MS) /* of a piece */

struct e8_keeper {
    struct e8_store *store;
    e8_dur_ns keep;
    uint64_t bytes;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ends;
    bool ended;
};

/* Waits, but for the end; true: go on. */
static bool sleep_for(struct e8_keeper *keeper, e8_dur_ns pause)
{
    e8_mono_ns until = e8_mono_now() + pause;
    struct timespec at = {until / E8_NS_S, until % E8_NS_S};
    int rc = 0;
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->ended && rc == 0) {
        rc = pthread_cond_timedwait(&keeper->ends, &keeper->lock, &at);
    }
    bool ended = keeper->ended;
    pthread_mutex_unlock(&keeper->lock);
    return !ended;
}

static void *keeper_main(void *state)
{
    struct e8_keeper *keeper = state;
    e8_dur_ns most = keeper->bytes ? LOOK : EVERY, every = keeper->keep < most ? keeper->keep : most;
    bool more = false;
    do {
        /* A store that fails is told by the dispatcher, which writes all the time. */
        if (e8_store_trim(keeper->store, e8_wall_now() - keeper->keep, keeper->bytes, BUDGET, &more, NULL)) {
            more = false;
        }
    } while (sleep_for(keeper, more || every < PAUSE ? PAUSE : every));
    return NULL;
}

enum e8_rc e8_keeper_start(struct e8_store *store, e8_dur_ns keep, uint64_t bytes, struct e8_keeper **out,
                           struct e8_err *err)
{
    struct e8_keeper *keeper = e8_new(1, sizeof *keeper);
    pthread_condattr_t attr;
    keeper->store = store;
    keeper->keep = keep;
    keeper->bytes = bytes;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->ends, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    if (rc) {
        free(keeper);
        return e8_fail(err, E8_ENV, NULL, "cannot start a thread: %s", strerror(rc));
    }
    *out = keeper;
    return E8_OK;
}

void e8_keeper_stop(struct e8_keeper **keeper)
{
    struct e8_keeper *k = *keeper;
    if (!k) {
        return;
    }
    pthread_mutex_lock(&k->lock);
    k->ended = true;
    pthread_cond_signal(&k->ends);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->ends);
    pthread_mutex_destroy(&k->lock);
    free(k);
    *keeper = NULL;
}
