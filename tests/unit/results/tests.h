#ifndef TESTS_UNIT_RESULTS_TESTS_H
#define TESTS_UNIT_RESULTS_TESTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "results/results.h"

/* A result of every kind; the failure's exchange is hostile in every way that a receiver could be. */
const struct e8_results *sample(void);
/* The same with nothing in it but the verdict. */
struct e8_results bare(enum e8_results_verdict verdict, const char *reason);
/* What is written; the caller frees it. */
char *written(const struct e8_results *results, enum e8_results_format format, struct e8_style style);
void has(const char *text, const char *part);
void lacks(const char *text, const char *part);
/* Nothing that a terminal would act on; UTF-8. */
void is_clean(const char *text, bool colour);

extern const struct CMUnitTest format_tests[], clean_tests[];
extern const size_t format_count, clean_count;

#endif
