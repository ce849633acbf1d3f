/* What the groups share. A group returns the number of its failures. */
#ifndef E8_TEST_CATALOG_H
#define E8_TEST_CATALOG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "catalog/catalog.h"

int test_catalog(void);
int test_faults(void);
int test_edits(void);
int test_schema(void);
int test_shapes(void);

/* A directory of a test's own, gone with it. */
struct place {
    char path[64];
};
void place_make(struct place *place);
void place_remove(struct place *place);
/* "events/message.sent.json"; folders are made. */
void place_put(struct place *place, const char *file, const char *text);

/* The built-in catalogue, loaded once. */
const struct e8_catalog *builtin(void);
void builtin_free(void);

/* Is there an error at `line`:`col` of a file that ends so, whose text has `what` in it? Says so when there is none. */
bool has_error(const struct e8_errs *errs, const char *file, int line, int col, const char *what);
void expect_error(const struct e8_errs *errs, const char *file, int line, int col, const char *what);
void print_errors(const struct e8_errs *errs);

#endif
