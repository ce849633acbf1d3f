#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

int bench_setup(void **state)
{
    struct bench *bench = e8_new(1, sizeof *bench);
    e8_errs_init(&bench->errs);
    bench->arena = e8_arena_new();
    assert_int_equal(e8_doc_load(E8_SOURCE_DIR "/fixtures/schemes.json", &bench->doc, NULL), E8_OK);
    enum e8_rc rc = e8_schemes_load(e8_doc_root(bench->doc), &bench->schemes, &bench->errs);
    e8_errs_print(&bench->errs, stderr);
    assert_int_equal(rc, E8_OK);
    *state = bench;
    return 0;
}

int bench_teardown(void **state)
{
    struct bench *bench = *state;
    e8_errs_fini(&bench->errs);
    e8_schemes_free(&bench->schemes);
    assert_null(bench->schemes);
    e8_schemes_free(&bench->schemes);
    e8_arena_free(&bench->arena);
    e8_doc_free(&bench->doc);
    for (size_t i = 0; i < bench->custom_count; i++)
        e8_doc_free(&bench->custom_docs[i]);
    free(bench);
    return 0;
}

const struct e8_scheme *scheme_named(struct bench *bench, const char *name)
{
    const struct e8_scheme *scheme = e8_schemes_find(bench->schemes, name);
    assert_non_null(scheme);
    return scheme;
}

const struct e8_scheme *custom(struct bench *bench, const char *json)
{
    struct e8_err err = {0};
    assert_true(bench->custom_count < E8_COUNT(bench->custom_docs));
    struct e8_doc **doc = &bench->custom_docs[bench->custom_count++];
    if (e8_doc_parse("custom.json", e8_str(json), E8_DOC_JSON, doc, &err) != E8_OK)
        fail_msg("%s: %s", json, err.what);
    e8_errs_fini(&bench->errs);
    e8_errs_init(&bench->errs);
    const struct e8_scheme *scheme = NULL;
    enum e8_rc rc = e8_scheme_parse(bench->arena, "custom", e8_doc_root(*doc), &scheme, &bench->errs);
    assert_int_equal(rc == E8_OK, scheme != NULL);
    assert_int_equal(e8_errs_rc(&bench->errs), rc);
    return scheme;
}

struct e8_signer *signer_of(const struct e8_scheme *scheme, const char *secret)
{
    struct e8_signer *signer = NULL;
    struct e8_err err = {0};
    if (e8_signer_new(scheme, &secret, 1, &signer, &err) != E8_OK)
        fail_msg("%s", err.what);
    assert_ptr_equal(e8_signer_scheme(signer), scheme);
    return signer;
}

void request_set(struct request *request, const char *name, struct e8_str value)
{
    size_t i = 0;
    while (i < request->count && !e8_str_ieq(request->headers[i].name, e8_str(name)))
        i++;
    assert_true(i < E8_COUNT(request->headers) && value.n <= sizeof request->memory[i]);
    if (value.n > 0)
        memmove(request->memory[i], value.p, value.n);
    request->headers[i].name = e8_str(name);
    request->headers[i].value = (struct e8_str){request->memory[i], value.n};
    request->count = i == request->count ? i + 1 : request->count;
}

void request_drop(struct request *request, const char *name)
{
    for (size_t i = 0; i < request->count; i++) {
        if (e8_str_ieq(request->headers[i].name, e8_str(name)))
            request->headers[i].name = E8_LIT("X-Dropped");
    }
}

void request_sign(struct request *request, struct e8_signer *signer, const char *id, int64_t timestamp,
                  struct e8_str body)
{
    struct e8_sign_input in = {.id = e8_str(id), .timestamp = timestamp, .body = body};
    const struct e8_scheme *scheme = e8_signer_scheme(signer);
    char memory[E8_SIGNATURE_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    request->count = 0;
    request->body = body;
    e8_signer_sign(signer, &in, &buf);
    assert_false(buf.full);
    request_set(request, scheme->header, e8_buf_str(&buf));
    for (size_t i = 0; i < scheme->header_count; i++) {
        e8_buf_reset(&buf);
        e8_sign_expand(scheme->headers[i].value, &in, &buf);
        request_set(request, scheme->headers[i].name, e8_buf_str(&buf));
    }
}

enum e8_verdict request_verify(const struct request *request, struct e8_signer *signer, int64_t now_seconds)
{
    const struct e8_scheme *scheme = e8_signer_scheme(signer);
    return e8_verify(signer, request->headers, request->count, request->body, now_seconds * E8_NS_S,
                     scheme->tolerance, NULL);
}
