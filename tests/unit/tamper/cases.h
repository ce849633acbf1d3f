/* The test groups of the module, and what they share. Each group returns the number of failures. */
#ifndef TESTS_UNIT_TAMPER_CASES_H
#define TESTS_UNIT_TAMPER_CASES_H

#include "tamper/tamper.h"

int test_parsing(void);
int test_bodies(void);
int test_requests(void);

#define TEST_SECRET  "test-secret-0123456789abcdef0123"
#define OTHER_SECRET "test-other-0123456789abcdef01234"

/* A tampering from YAML, in an arena of its own. */
struct given {
    struct e8_arena *arena;
    struct e8_doc *doc;
    struct e8_errs errs;
    const struct e8_tamper *tamper; /* NULL: refused */
};
void given_open(struct given *given, const char *yaml);
void given_open_good(struct given *given, const char *yaml); /* fails the test when it is refused */
void given_close(struct given *given);

bool json_equal(struct e8_str a,
                struct e8_str b); /* both are JSON, and of the same meaning; keys in any order */
bool json_within(struct e8_str a, struct e8_str b); /* b may have members more */
bool is_json(struct e8_str text);

#endif
