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
int test_deliver(void);
int test_steps(void);
int test_vars(void);
int test_sources(void);
int test_hidden(void);
int test_secrets(void);
int test_step_faults(void);

const struct e8_catalog *catalog(void); /* the built-in one, loaded once */

/* The environment of all tests: A=alpha, URL=http://127.0.0.1:7/env, SECRET=…, EMPTY= */
#define SECRET "a secret of the environment"
const char *variable(const char *name);
struct e8_scenario_options defaults(void);

/* Files that a scenario can include: of a list that ends with a path NULL. For options.read, with the list as its state. */
struct file {
    const char *path, *text;
};
enum e8_rc read_from(void *state, const char *path, struct e8_str *out, struct e8_err *err);

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
