/* The groups of tests of the API's parts that need no server. */
#ifndef E8_TESTS_PLATFORM_API_H
#define E8_TESTS_PLATFORM_API_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "platform/server.h"

int run_api_tests(void); /* the failures */

#endif
