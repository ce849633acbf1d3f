/* The test groups of the module, one per source file, and what they share. Each group returns the number of failures. */
#ifndef TESTS_UNIT_SIGN_CASES_H
#define TESTS_UNIT_SIGN_CASES_H

#include "sign/sign.h"

int test_schemes(void);
int test_signing(void);
int test_verifying(void);
int test_explaining(void);

/* E8_LIT is no constant expression. */
#define STATIC(literal)                                                                                      \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

#define RAW_SECRET   "0123456789abcdef0123456789abcdef"
#define WHSEC_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER_SECRET "another-secret-of-enough-length"

/* fixtures/schemes.json, and schemes from a text. */
struct bench {
    struct e8_doc *doc;
    struct e8_schemes *schemes;
    struct e8_arena *arena;
    struct e8_doc *custom_docs[64];
    size_t custom_count;
    struct e8_errs errs;
};
int bench_setup(void **state);
int bench_teardown(void **state);
const struct e8_scheme *scheme_named(struct bench *bench, const char *name);
/* NULL when it is refused; then bench->errs holds why. */
const struct e8_scheme *custom(struct bench *bench, const char *json);
struct e8_signer *signer_of(const struct e8_scheme *scheme, const char *secret);

/* A request with the headers that a scheme sends. */
struct request {
    struct e8_header headers[16];
    size_t count;
    char memory[16][512];
    struct e8_str body;
};
void request_sign(struct request *request, struct e8_signer *signer, const char *id, int64_t timestamp,
                  struct e8_str body);
/* Replaces the value of a header, or adds the header. */
void request_set(struct request *request, const char *name, struct e8_str value);
void request_drop(struct request *request, const char *name);
enum e8_verdict request_verify(const struct request *request, struct e8_signer *signer, int64_t now_seconds);

#endif
