/* What the tests of doc share. */
#ifndef E8_TESTS_DOC_TEST_H
#define E8_TESTS_DOC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "doc/doc.h"

/* A text and the error it must give: place, and parts of what and hint ("" for no matter). */
struct refusal {
    struct e8_str text;
    int line, col;
    const char *what, *hint;
};

#define TEXT(literal)                                                                                        \
    {                                                                                                        \
        "" literal, sizeof(literal) - 1                                                                      \
    }

void check_refusal(enum e8_doc_mode mode, const struct refusal *refusal);
/* Parses or fails the test. */
struct e8_doc *must_parse(enum e8_doc_mode mode, struct e8_str text);
/* Parses, and compares the tree as JSON. */
void check_json(enum e8_doc_mode mode, struct e8_str text, const char *json);
/* The tree as JSON, in a static buffer. */
const char *json_of(const struct e8_node *node);
void check_str(struct e8_str got, const char *expected);
bool same_tree(const struct e8_node *a, const struct e8_node *b);

int run_json_tests(void);
int run_yaml_tests(void);
int run_refusal_tests(void);
int run_tree_tests(void);
int run_writer_tests(void);
int run_load_tests(void);
int run_recording_tests(void);

#endif
