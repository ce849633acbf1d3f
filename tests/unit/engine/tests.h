/* What the groups share: a receiver, a plan, and a run of it whose attempts are kept. A group returns its failures. */
#ifndef E8_TEST_ENGINE_H
#define E8_TEST_ENGINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "engine/engine.h"
#include "engine/worker.h"

int test_parts(void);
int test_runs(void);
int test_bounds(void);
int test_ends(void);
int test_order(void);
int test_faults(void);
int test_again(void);
int test_secrets(void);
int test_expected(void);
int test_resume(void);
int test_turns(void);
int test_steady(void);
int test_feed(void);
int test_changes(void);

const struct e8_catalog *catalog(void);

/* ---- receiver.c: HTTP/1.1 on loopback, one thread for all connections ---- */
struct answer {
    int status;
    e8_dur_ns delay;     /* E8_NEVER: none comes */
    const char *headers; /* "Retry-After: 1\r\n", or NULL */
    char body[32];       /* "": ok */
};
/* On the receiver's thread. `number` counts all requests, from 0; `head` is a NUL-terminated text. */
typedef struct answer answer_fn(void *state, size_t number, const char *head);

struct request {
    e8_mono_ns at;
    char *head, *body;
    size_t body_n;
};
struct receiver {
    int port;
    answer_fn *answer; /* NULL: 200 at once */
    void *state;
    atomic_size_t received, answered;
    atomic_int outstanding, most; /* requests that wait for their answer: now, and at most */
    atomic_bool stop;
    int listener, wake[2];
    pthread_t thread;
    pthread_mutex_t lock; /* of list */
    struct request *list;
    size_t count, room;
};
void receiver_open(struct receiver *receiver, answer_fn *answer, void *state);
void receiver_close(struct receiver *receiver);

/* The value of a header of the request, or "". `out` has room for 256 bytes. */
const char *header_of(const struct request *request, const char *name, char *out);
#define ONE_SECRET   "test-secret-number-one"
#define TWO_SECRET   "test-secret-number-two"
#define THREE_SECRET "test-secret-number-three"
extern const char *const rig_secrets[3];
/* Which of these secrets verify the request, by the scheme of that name: a bit for each. */
unsigned signed_with(const struct request *request, const char *scheme);

/* ---- rig.c ---- */
/* What an attempt was for. */
struct place {
    const char *flow, *step;
    uint64_t instance;
    uint32_t sequence;
    char why[128];
};
struct reading {
    bool measured, met;
    int64_t before, after;
    char why[160];
};
struct rig {
    struct receiver receiver;
    struct e8_plan *plan;
    struct e8_engine_options options;
    struct e8_engine *engine;
    struct e8_engine_result result;
    pthread_mutex_t lock;
    struct e8_attempt *attempts; /* in the order of their ends */
    struct place *places;        /* the same order */
    size_t count, room;
    struct reading readings[64];
    size_t reading_count;
};
/* `text`: the scenario, with one %d for each endpoint's port. */
void rig_open(struct rig *rig, const char *text, answer_fn *answer, void *state);
void rig_start(struct rig *rig);
void rig_finish(struct rig *rig); /* waits for the end, at most a minute */
void rig_run(struct rig *rig);    /* start and finish */
void rig_close(struct rig *rig);
/* Frees the last run's attempts, requests and statistics, for another run. */
void rig_again(struct rig *rig);
const struct e8_counts *rig_counts(const struct rig *rig);
/* The attempts of that instance and event, in the order of their ends: the n-th, or NULL. */
const struct e8_attempt *rig_attempt(const struct rig *rig, uint64_t instance, uint32_t sequence, size_t n);
size_t rig_late(const struct rig *rig,
                e8_dur_ns bound); /* how many attempts left so late: a busy machine makes some */
double cpu_seconds(void);         /* of this process */

#define ONE  "seed: 7\nendpoints: {a: {url: 'http://127.0.0.1:%d/'}}\nflows: {f: [{emit: message.sent}]}\n"
#define NONE "retry: {attempts: 1}"

#endif
