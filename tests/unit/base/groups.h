/* The groups of the base module's unit tests, and what they share. */
#ifndef E8_TEST_BASE_GROUPS_H
#define E8_TEST_BASE_GROUPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

/* Each runs its group and returns the number of failures. */
int test_assert(void);
int test_buf(void);
int test_clock(void);
int test_err(void);
int test_file(void);
int test_mem(void);
int test_ring(void);
int test_rng(void);
int test_str(void);
int test_timers(void);
int test_units(void);

/* The bytes in a heap block of exactly their size, so that a sanitizer sees a read past the end; free(p). */
struct e8_str flush_copy(const void *bytes, size_t n);
/* Runs `work` in a child process and returns its wait status; what it says on stderr comes into `said`. */
int in_child(void work(void *), void *arg, char *said, size_t size);

#define assert_str(slice, text)                                                                              \
    do {                                                                                                     \
        struct e8_str is_ = (slice);                                                                         \
        assert_int_equal(is_.n, strlen(text));                                                               \
        assert_memory_equal(is_.p ? is_.p : "", text, is_.n);                                                \
    } while (0)

#endif
