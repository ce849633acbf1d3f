/* The groups of tests of what stands between the platform and its clients. */
#ifndef E8_TESTS_PLATFORM_GUARD_H
#define E8_TESTS_PLATFORM_GUARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/guard.h"

/* Each returns the failures. */
int run_guard_tests(void);
int run_live_tests(void);
int run_metrics_tests(void);

#endif
