/* What the tests of the template module share: a small vocabulary, and one call to render a text. */
#ifndef TEST_TEMPLATE_WORLD_H
#define TEST_TEMPLATE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "template/template.h"

#define DOCS_MAX 64

struct world {
    struct e8_vocab *vocab;
    struct e8_errs errs;
    struct e8_doc *docs[DOCS_MAX];
    size_t doc_count;
};

/* Word lists, and macros and entities from JSON texts ("" for none). Whether it has errors is for the caller to see. */
void world_init(struct world *world, const char *macros, const char *entities);
void world_fini(struct world *world);
const struct e8_node *world_parse(struct world *world, const char *name, const char *json);
enum e8_rc world_words(struct world *world, const char *name, const char *json);
/* "file:line:col: what; hint" of error `i`, in static memory. */
const char *world_error(const struct world *world, size_t i);
/* NULL, with errs, if it has errors. */
struct e8_template *world_compile(struct world *world, const char *json);

struct e8_facts some_facts(uint64_t instance, uint32_t sequence);
/* The rendered text, on the heap. */
char *render(const struct e8_template *t, const struct e8_facts *facts);
char *render_text(struct world *world, const char *json, const struct e8_facts *facts);

/* Renders with several instances; each must match the extended regular expression as a whole. */
void expect(struct world *world, const char *json, const char *regex);
/* All the alternatives, and no others, come within 500 instances. */
void expect_each(struct world *world, const char *json, const char *const *alternatives);
/* These say what is not as expected, and return false. */
bool has_error(const struct world *world, size_t i, const char *error);
/* Compiling ends with exactly this error. */
bool gives_error(struct world *world, const char *json, const char *error);

extern const struct CMUnitTest value_tests[], string_tests[], entity_tests[], error_tests[], limit_tests[],
    memo_tests[];
extern const size_t value_test_count, string_test_count, entity_test_count, error_test_count,
    limit_test_count, memo_test_count;

/* Calls of malloc, calloc and realloc so far; -1 where a sanitizer owns them. */
long allocations(void);

#endif
