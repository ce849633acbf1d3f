/* What the tests of dlog share. Each works in a directory of its own, which is the state. */
#ifndef E8_TESTS_DLOG_H
#define E8_TESTS_DLOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "dlog/dlog.h"

#define MS      E8_NS_MS
#define STARTED ((e8_wall_ns)1770000000 * E8_NS_S) /* of the runs here */
#define EPOCH   ((e8_mono_ns)5000 * E8_NS_S)

enum { ENDPOINTS = 2, TYPES = 3, STEPS = 3 };

struct place {
    char dir[64];
    char log[96]; /* a path in it; no file yet */
};
int place_make(void **state);
int place_remove(void **state);

/* A run's facts: endpoints "crm" and "audit"; the types message.received, message.sent and order.paid; step 2 is raw. */
struct e8_log_run some_run(void);
/* The n-th event and its delivery to an endpoint, delivered at the first attempt. */
struct e8_record some_event(uint32_t n);
struct e8_record some_attempt(uint32_t n, unsigned endpoint);
void delivery_id(uint32_t n, unsigned endpoint, char out[E8_ID_MAX]);

void push(struct e8_ring *ring, const struct e8_record *record); /* waits while the ring is full */

/* Opened and begun; asserts that it went well. */
struct e8_dlog *begin_log(const char *path, unsigned rings, struct e8_log_run *run);
void finish_log(struct e8_dlog **log, struct e8_log_run *run);
struct e8_dlog_reader *open_reader(const char *path);

/* Asked past our own code. */
int64_t ask(const char *path, const char *sql);
void ask_text(const char *path, const char *sql, char *out, size_t size);
void assert_sound(const char *path); /* integrity_check */
bool wait_until(const char *path, const char *sql, int64_t value);

int run_open_tests(void);
int run_write_tests(void);
int run_read_tests(void);
int run_query_tests(void);
int run_crash_tests(void);
int run_spool_tests(void);
int run_done_tests(void);
int run_gather_tests(void);
int run_bench(void);

#endif
