/* What the tests of the store share. Each works in a directory of its own, which is the state. */
#ifndef E8_TESTS_PLATFORM_STORE_H
#define E8_TESTS_PLATFORM_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "platform/store.h"

#define MS E8_NS_MS
#define T0 ((e8_wall_ns)1770000000 * E8_NS_S)

struct place {
    char dir[64];
    char path[96]; /* a file in it that is not there yet */
    struct e8_store *store;
    struct e8_arena *arena;
    struct e8_err err;
};
int place_make(void **state);
int place_open(void **state); /* with the store opened */
int place_remove(void **state);
void reopen(struct place *place);
void reopen_at(struct place *place, e8_wall_ns now);

struct e8_webhook some_webhook(const char *id);
void add_webhook(struct place *place, const char *id);
/* An event "evt_N" of one delivery "dlv_N". */
struct one {
    int n;
    const char *webhook, *type, *environment; /* NULL: "whk_a", "message.received", "production" */
    bool test;
    e8_wall_ns created, due; /* due 0: when it was created */
};
void accept_one(struct place *place, struct one one);
/* One event of so many (at most 100) deliveries, the first of them "dlv_N". */
void accept_some(struct place *place, struct one one, int count);
/* Its attempt, at `due`, taking 20 ms; then it is in `state`. */
struct e8_store_attempt some_attempt(int64_t row, unsigned number, int status, enum e8_delivery_state state);
void put_attempt(struct place *place, const struct e8_store_attempt *attempt);
int64_t row_of(struct place *place, int n);

/* Asked past our own code. */
int64_t ask(const char *path, const char *sql);
void assert_sound(const char *path); /* integrity_check, and that what is counted is what is there */

#define ASSERT_OK(place, call)                                                                               \
    do {                                                                                                     \
        enum e8_rc rc_ = (call);                                                                             \
        if (rc_ != E8_OK)                                                                                    \
            fail_msg("%s: %s; %s", #call, (place)->err.what, (place)->err.hint);                             \
    } while (0)

#define CASE(name)      cmocka_unit_test_setup_teardown(name, place_open, place_remove)
#define CASE_SHUT(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int run_store_open_tests(void);
int run_store_webhook_tests(void);
int run_store_queue_tests(void);
int run_store_list_tests(void);
int run_store_overview_tests(void);
int run_store_trim_tests(void);
int run_store_run_tests(void);
int run_store_crash_tests(void);
int run_store_tests(void); /* all of them */

#endif
