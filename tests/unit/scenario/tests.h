/* What the groups share. A group returns the number of its failures. */
#ifndef E8_TEST_SCENARIO_H
#define E8_TEST_SCENARIO_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/scenario.h"

int test_parse(void);
int test_faults(void);
int test_walk(void);
int test_plan(void);

const struct e8_catalog *catalog(void); /* the built-in one, loaded once */

/* The environment of all tests: A=alpha, URL=http://127.0.0.1:7/env, SECRET=…, EMPTY= */
#define SECRET "a secret of the environment"
const char *variable(const char *name);
struct e8_scenario_options defaults(void);

/* The plan of a text that must be right. */
struct e8_plan *plan_of(const char *text);
struct e8_plan *plan_with(const char *text, const struct e8_scenario_options *options);

/* A scenario with one endpoint, whose flows and the rest are given. */
#define HEAD                                                                                                 \
    "scenario: s\n"                                                                                          \
    "seed: 7\n"                                                                                              \
    "endpoints: {a: {url: 'http://127.0.0.1:9/'}}\n" /* three lines */
#define FLOW "flows: {f: [{emit: message.sent}]}\n"  /* one */

#endif
