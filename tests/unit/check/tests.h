#ifndef E8_TEST_CHECK_H
#define E8_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check/check.h"

#define SECRET "test-secret-0123456789abcdef"
#define OTHER  "test-secret-fedcba9876543210"
#define TARGET "http://127.0.0.1:9/hooks?token=test-token"

const struct e8_catalog *catalog(void);
/* A signed check of the scheme, without hooks and effects. */
struct e8_check_options options(const char *scheme);
/* Loads it, or fails the test with what is wrong. */
struct e8_check *load(const struct e8_check_options *options);
/* Writes a file into the test's directory; the path is valid until the next call. */
const char *written(const char *name, const char *text);

const struct e8_result *result(const struct e8_results *results,
                               const char *id); /* NULL: it is not told of */
const struct e8_flow *flow(struct e8_check *check, const char *id);

int test_lint(void);
int test_load(void);
int test_choose(void);
int test_profile(void);
int test_collect(void);

#endif
