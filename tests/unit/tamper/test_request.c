/* A tampered request differs from a right one in exactly what was asked: every tampering with every scheme. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

#define NOW      1700000000
#define COMPACT  "{\"id\":\"evt_1\",\"data\":{\"n\":100,\"name\":\"J\xc3\xb6rg\",\"url\":\"https://x/y\"}}"
#define RAGGED   "{\"id\": \"evt_1\", \"data\": {\"n\": 1e2, \"name\": \"J\\u00f6rg\"}}"
#define LIST_MAX 24

struct request {
    struct e8_header list[LIST_MAX];
    size_t count;
    char bytes[16384];
    struct e8_buf memory, body, sent, scratch;
    struct e8_str signed_body, sent_body;
};

static struct {
    struct e8_doc *doc;
    struct e8_schemes *schemes;
} world;

static void add_header(struct request *r, const char *name, const char *value, const struct e8_sign_input *in)
{
    size_t start = r->memory.n;
    e8_sign_expand(value, in, &r->memory);
    r->list[r->count++] = (struct e8_header){e8_str(name), {r->memory.p + start, r->memory.n - start}};
}

/* As the engine builds one. tamper NULL: the right one. */
static void build(struct request *r, const struct e8_scheme *scheme, struct e8_signer *signer,
                  const struct e8_tamper *tamper, const char *body)
{
    memset(r, 0, sizeof *r);
    e8_buf_fixed(&r->memory, r->bytes, sizeof r->bytes);
    e8_buf_init(&r->body, 1 << 20);
    e8_buf_init(&r->sent, 1 << 20);
    e8_buf_init(&r->scratch, 1 << 20);
    r->signed_body = e8_str(body);
    if (tamper != NULL && e8_tamper_body(tamper, e8_str(body), 7, &r->body))
        r->signed_body = e8_buf_str(&r->body);
    struct e8_sign_input in = {.id = E8_LIT("dlv_1"), .timestamp = NOW, .body = r->signed_body};
    if (tamper != NULL)
        e8_tamper_input(tamper, scheme, &in, &r->scratch);
    add_header(r, "User-Agent", "8bit", &in);
    add_header(r, "Content-Type", "application/json", &in);
    add_header(r, "X-8bit-Delivery", "{id}", &in);
    for (size_t i = 0; i < scheme->header_count; i++)
        add_header(r, scheme->headers[i].name, scheme->headers[i].value, &in);
    size_t start = r->memory.n;
    e8_signer_sign(signer, &in, &r->memory);
    r->list[r->count++] =
        (struct e8_header){e8_str(scheme->header), {r->memory.p + start, r->memory.n - start}};
    r->sent_body = r->signed_body;
    if (tamper == NULL)
        return;
    assert_int_equal(e8_tamper_headers(tamper, scheme, r->list, &r->count, LIST_MAX, &r->memory), E8_OK);
    if (e8_tamper_sent(tamper, r->signed_body, 7, &r->sent))
        r->sent_body = e8_buf_str(&r->sent);
}

static void drop_request(struct request *r)
{
    e8_buf_fini(&r->body);
    e8_buf_fini(&r->sent);
    e8_buf_fini(&r->scratch);
}

static struct e8_signer *signer_of(const struct e8_scheme *scheme, const char *secret)
{
    static const char *const keys[2] = {"whsec_dGVzdC1zZWNyZXQtMDEyMzQ1Njc4OWFiY2RlZg==",
                                        "whsec_dGVzdC1vdGhlci0wMTIzNDU2Nzg5YWJjZGVmMA=="};
    struct e8_signer *signer = NULL;
    struct e8_err err = {0};
    if (scheme->secret == E8_SECRET_WHSEC)
        secret = keys[strcmp(secret, TEST_SECRET) != 0];
    if (e8_signer_new(scheme, &secret, 1, &signer, &err) != E8_OK)
        fail_msg("%s", err.what);
    return signer;
}

/* What may differ: bits. */
enum {
    SIGNATURE = 1, /* the value of the signature header */
    TIME = 2,      /* the headers that carry the timestamp, and the signature */
    BODY = 4,
    TYPE = 8,   /* Content-Type */
    COUNT = 16, /* headers more or less */
    NAMES = 32, /* the case of names */
    MEANING = 64,
};

enum {
    ANY = -1,
    REFUSED = -2,
    TIMED = -3
}; /* verdicts: any; all but verified; by the timestamp where one is signed */

static const struct row {
    const char *yaml;
    int verdict;
    unsigned differs;
    enum e8_verdict timed;
} rows[] = {
    {"signature: missing", E8_SIG_MISSING, COUNT, 0},
    {"signature: empty", E8_SIG_MALFORMED, SIGNATURE, 0},
    {"signature: truncated", E8_SIG_MALFORMED, SIGNATURE, 0},
    {"signature: not_hex", E8_SIG_MALFORMED, SIGNATURE, 0},
    {"signature: no_prefix", E8_SIG_MALFORMED, SIGNATURE, 0},
    {"signature: double_prefix", E8_SIG_MALFORMED, SIGNATURE, 0},
    {"signature: uppercase", REFUSED, SIGNATURE, 0},
    {"signature: reserialised", E8_VERIFIED, 0, 0},
    {"signature: reserialised\nbody: {form: spaced}", E8_SIG_MISMATCH, BODY, 0},
    {"signature: reserialised\nbody: {form: escaped_slash}", E8_SIG_MISMATCH, BODY, 0},
    {"signature: reserialised\nbody: {form: float_numbers}", E8_SIG_MISMATCH, BODY, 0},
    {"signature: reserialised\nbody: {form: trailing_newline}", E8_SIG_MISMATCH, BODY, 0},
    {"signature: twice_wrong_first", E8_SIG_MALFORMED, COUNT, 0},
    {"signature: twice_wrong_last", E8_SIG_MALFORMED, COUNT, 0},
    {"timestamp: {shift: -10m}", TIMED, TIME, E8_TIME_OLD},
    {"timestamp: {shift: 1h}", TIMED, TIME, E8_TIME_NEW},
    {"timestamp: {older: 1s}", TIMED, TIME, E8_TIME_OLD},
    {"timestamp: {newer: 1s}", TIMED, TIME, E8_TIME_NEW},
    {"timestamp: {text: \"1700000000\"}", E8_VERIFIED, 0, 0}, /* the text stands for the number everywhere */
    {"timestamp: {older: 0}", E8_VERIFIED, TIME, 0},
    {"timestamp: {text: soon}", TIMED, TIME, E8_TIME_MISSING},
    {"body: {form: spaced}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: pretty}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: escaped_slash}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: escaped_unicode}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: float_numbers}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: trailing_newline}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: reordered}", E8_VERIFIED, SIGNATURE | BODY, 0},
    {"body: {form: escaped_nul}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {form: four_byte}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {form: duplicate_keys}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {form: extra_fields}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {form: null_optional}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {form: pretty, signed: false}", E8_SIG_MISMATCH, BODY, 0},
    {"body: {replace: \"{\"}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {replace: \"\"}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {size: 64KB}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {depth: 1000}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"body: {flip: random}", E8_SIG_MISMATCH, BODY | MEANING, 0},
    {"body: {flip: 10}", E8_SIG_MISMATCH, BODY | MEANING, 0},
    {"body: {truncate: 20}", E8_SIG_MISMATCH, BODY | MEANING, 0},
    {"body: {flip: 10, signed: true}", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"headers: {case: lower}", E8_VERIFIED, NAMES, 0},
    {"headers: {add: {X-Extra: \"1\"}}", E8_VERIFIED, COUNT, 0},
    {"headers: {set: {X-Big: {size: 8KB}}}", E8_VERIFIED, COUNT, 0},
    {"headers: {set: {content-type: text/plain}}", E8_VERIFIED, TYPE | NAMES, 0},
    {"headers: {remove: [X-8bit-Delivery]}", E8_VERIFIED, COUNT, 0},
    {"content_type: text/plain", E8_VERIFIED, TYPE, 0},
    {"content_type: none", E8_VERIFIED, COUNT, 0},
    {"method: GET", E8_VERIFIED, SIGNATURE | BODY | MEANING, 0},
    {"method: DELETE\nbody: {truncate: 1}", E8_SIG_MISMATCH, BODY | MEANING, 0},
    {"method: PUT", E8_VERIFIED, 0, 0},
    {"transfer: {chunked: true, rate: 1KB/s}", E8_VERIFIED, 0, 0},
};

static bool carries_time(const struct e8_scheme *scheme, struct e8_str name)
{
    return scheme->timestamp_header != NULL && e8_str_ieq(name, e8_str(scheme->timestamp_header));
}

static unsigned header_difference(const struct e8_scheme *scheme, const struct e8_header *a,
                                  const struct e8_header *b)
{
    unsigned differs = e8_str_eq(a->name, b->name) ? 0 : NAMES;
    assert_true(e8_str_ieq(a->name, b->name));
    if (e8_str_eq(a->value, b->value))
        return differs;
    if (e8_str_ieq(a->name, e8_str(scheme->header)))
        return differs | SIGNATURE;
    if (carries_time(scheme, a->name))
        return differs | TIME;
    return differs | (e8_str_ieq(a->name, E8_LIT("Content-Type")) ? TYPE : COUNT);
}

/* Headers that only one of the two has may stand anywhere; all others stand in the same order. */
static unsigned headers_difference(const struct e8_scheme *scheme, const struct request *a,
                                   const struct request *b)
{
    unsigned differs = a->count == b->count ? 0 : COUNT;
    const struct request *more = a->count > b->count ? a : b, *less = more == a ? b : a;
    assert_true(more->count <= less->count + 1);
    size_t skipped = 0;
    for (size_t i = 0; i < more->count; i++) {
        bool same =
            i - skipped < less->count && e8_str_ieq(more->list[i].name, less->list[i - skipped].name) &&
            (more->count == less->count || e8_str_eq(more->list[i].value, less->list[i - skipped].value));
        if (!same && skipped == 0 && more->count > less->count)
            skipped = 1;
        else
            differs |= header_difference(scheme, &less->list[i - skipped], &more->list[i]);
    }
    return differs;
}

static unsigned difference(const struct e8_scheme *scheme, const struct request *a, const struct request *b)
{
    unsigned differs = headers_difference(scheme, a, b);
    if (!e8_str_eq(a->sent_body, b->sent_body))
        differs |= BODY | (json_equal(a->sent_body, b->sent_body) ? 0 : (unsigned)MEANING);
    return differs;
}

/* A changed timestamp changes the signature as well, where it is signed; without one nothing changes. */
static unsigned allowed(const struct row *row, const struct e8_scheme *scheme)
{
    if ((row->differs & TIME) == 0)
        return row->differs;
    if (!scheme->signs_timestamp)
        return 0;
    return SIGNATURE | (scheme->timestamp_header != NULL ? (unsigned)TIME : 0);
}

static bool verdict_is_right(const struct row *row, const struct e8_scheme *scheme, enum e8_verdict verdict)
{
    if (row->verdict == REFUSED)
        return verdict != E8_VERIFIED;
    if (row->verdict == TIMED)
        return verdict == (scheme->signs_timestamp ? row->timed : E8_VERIFIED);
    return verdict == (enum e8_verdict)row->verdict;
}

static int check_row(const struct row *row, const struct e8_scheme *scheme)
{
    struct given given;
    struct request right, made;
    struct e8_signer *signer = signer_of(scheme, TEST_SECRET);
    given_open_good(&given, row->yaml);
    build(&right, scheme, signer, NULL, COMPACT);
    build(&made, scheme, signer, given.tamper, COMPACT);
    unsigned differs = difference(scheme, &right, &made), wanted = allowed(row, scheme);
    enum e8_verdict verdict = e8_verify(signer, made.list, made.count, made.sent_body,
                                        NOW * E8_NS_S + E8_NS_S / 2, scheme->tolerance, NULL);
    bool forged = verdict != E8_VERIFIED && row->verdict != TIMED;
    bool told = e8_tamper_forges(given.tamper, scheme, made.sent_body) == forged;
    bool good = verdict_is_right(row, scheme, verdict) && differs == wanted && told;
    if (!good)
        printf("%s with %s: %s, differs in %u instead of %u%s\n", row->yaml, scheme->name,
               e8_verdict_name(verdict), differs, wanted, told ? "" : ", and is not told so");
    e8_signer_free(&signer);
    drop_request(&right);
    drop_request(&made);
    given_close(&given);
    return !good;
}

static void exactly_what_was_asked_differs(void **state)
{
    (void)state;
    int faults = 0;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        for (const char *const *name = e8_schemes_names(world.schemes); *name != NULL; name++)
            faults += check_row(&rows[i], e8_schemes_find(world.schemes, *name));
    }
    assert_int_equal(faults, 0);
}

static void other_secrets_are_the_callers_to_use(void **state)
{
    (void)state;
    struct given given;
    const struct e8_scheme *scheme = e8_schemes_find(world.schemes, "stripe");
    struct e8_signer *right = signer_of(scheme, TEST_SECRET), *other = signer_of(scheme, OTHER_SECRET);
    struct request made;
    given_open_good(&given, "signature: other_secret");
    assert_int_equal(e8_tamper_secret(given.tamper), E8_SECRET_OTHER);
    build(&made, scheme, other, given.tamper, COMPACT);
    e8_wall_ns now = NOW * E8_NS_S;
    assert_int_equal(e8_verify(other, made.list, made.count, made.sent_body, now, scheme->tolerance, NULL),
                     E8_VERIFIED);
    assert_int_equal(e8_verify(right, made.list, made.count, made.sent_body, now, scheme->tolerance, NULL),
                     E8_SIG_MISMATCH);
    drop_request(&made);
    given_close(&given);
    given_open_good(&given, "signature: previous_secret");
    assert_int_equal(e8_tamper_secret(given.tamper), E8_SECRET_PREVIOUS);
    given_close(&given);
    given_open_good(&given, "signature: next_secret");
    assert_int_equal(e8_tamper_secret(given.tamper), E8_SECRET_NEXT);
    given_close(&given);
    given_open_good(&given, "method: GET");
    assert_int_equal(e8_tamper_secret(given.tamper), E8_SECRET_RIGHT);
    given_close(&given);
    e8_signer_free(&right);
    e8_signer_free(&other);
}

static bool forges(const char *yaml, const char *scheme)
{
    struct given given;
    given_open_good(&given, yaml);
    bool told = e8_tamper_forges(given.tamper, scheme ? e8_schemes_find(world.schemes, scheme) : NULL,
                                 E8_LIT(COMPACT));
    given_close(&given);
    return told;
}

/* What the signature is read from, or is made over. */
static void headers_that_sign_are_forged(void **state)
{
    (void)state;
    assert_true(forges("signature: other_secret", "8bit"));
    assert_true(forges("headers: {set: {x-8bit-signature-256: bogus}}", "8bit"));
    assert_true(forges("headers: {remove: [X-8bit-Signature-256]}", "8bit"));
    assert_false(forges("headers: {set: {x-8bit-signature-256: bogus}}", "github"));
    assert_true(forges("headers: {add: {webhook-id: other}}", "standard-webhooks"));
    assert_true(forges("headers: {set: {Webhook-Timestamp: \"1\"}}", "standard-webhooks"));
    assert_false(forges("headers: {set: {webhook-id: other}}", "stripe"));
    assert_false(forges("body: {flip: random}", NULL));
}

/* The receiver that verifies what it has parsed and written anew. */
static void a_reserialised_signature_fits_the_compact_body(void **state)
{
    (void)state;
    struct given given;
    const struct e8_scheme *scheme = e8_schemes_find(world.schemes, "8bit");
    struct e8_signer *signer = signer_of(scheme, TEST_SECRET);
    struct request made;
    given_open_good(&given, "signature: reserialised");
    build(&made, scheme, signer, given.tamper, RAGGED);
    assert_true(e8_str_is(made.sent_body, RAGGED));
    assert_int_equal(e8_verify(signer, made.list, made.count, made.sent_body, 0, -1, NULL), E8_SIG_MISMATCH);
    struct e8_str compact = E8_LIT("{\"id\":\"evt_1\",\"data\":{\"n\":100,\"name\":\"J\xc3\xb6rg\"}}");
    assert_int_equal(e8_verify(signer, made.list, made.count, compact, 0, -1, NULL), E8_VERIFIED);
    drop_request(&made);
    build(&made, scheme, signer, given.tamper, "no JSON");
    assert_int_equal(e8_verify(signer, made.list, made.count, made.sent_body, 0, -1, NULL), E8_VERIFIED);
    drop_request(&made);
    given_close(&given);
    e8_signer_free(&signer);
}

static struct e8_str value_with(const char *yaml, const struct e8_scheme *scheme, const char *value,
                                struct e8_buf *memory, size_t *count)
{
    struct given given;
    struct e8_header list[8] = {{E8_LIT("A"), E8_LIT("1")}, {e8_str(scheme->header), e8_str(value)}};
    *count = 2;
    given_open_good(&given, yaml);
    e8_buf_reset(memory);
    assert_int_equal(e8_tamper_headers(given.tamper, scheme, list, count, 8, memory), E8_OK);
    given_close(&given);
    return *count > 1 ? list[1].value : (struct e8_str){NULL, 0};
}

/* Values of several signatures, and of a scheme without a prefix. */
static void signatures_change_in_every_item(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *scheme, *value, *changed;
    } cases[] = {
        {"signature: truncated", "stripe", "t=12,v1=aabbccdd,v1=00112233", "t=12,v1=aabb,v1=0011"},
        {"signature: empty", "stripe", "t=12,v1=aabb", "t=12,v1="},
        {"signature: empty", "8bit", "sha256=aabb", "sha256="},
        {"signature: no_prefix", "standard-webhooks", "v1,aabb v1,ccdd", "aabb ccdd"},
        {"signature: double_prefix", "slack", "v0=aabb", "v0=v0=aabb"},
        {"signature: uppercase", "stripe", "t=12,v1=aabb", "t=12,v1=AABB"},
        {"signature: not_hex", "8bit", "sha256=aabb", "sha256=z~z~"},
        {"signature: twice_wrong_first", "8bit", "sha256=aabb", "sha256=0000"},
        {"signature: twice_wrong_last", "8bit", "sha256=aabb", "sha256=aabb"},
        {"signature: no_prefix", "bare", "aabb", "bb"},
        {"signature: double_prefix", "bare", "aabb", "aaaabb"},
    };
    char bytes[1024];
    struct e8_buf memory;
    e8_buf_fixed(&memory, bytes, sizeof bytes);
    struct e8_scheme bare = *e8_schemes_find(world.schemes, "8bit");
    bare.prefix = "";
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        const struct e8_scheme *scheme = e8_schemes_find(world.schemes, cases[i].scheme);
        size_t count;
        struct e8_str value =
            value_with(cases[i].yaml, scheme ? scheme : &bare, cases[i].value, &memory, &count);
        if (!e8_str_is(value, cases[i].changed))
            fail_msg("%s: %.*s", cases[i].yaml, E8_STR(value));
        assert_int_equal(count, strstr(cases[i].yaml, "twice") != NULL ? 3 : 2);
    }
}

static void lists_and_memory_that_are_too_small_are_told(void **state)
{
    (void)state;
    struct given given;
    const struct e8_scheme *scheme = e8_schemes_find(world.schemes, "8bit");
    struct e8_header list[2] = {{E8_LIT("A"), E8_LIT("1")}, {E8_LIT("B"), E8_LIT("2")}};
    char bytes[1];
    struct e8_buf memory;
    size_t count = 2;
    e8_buf_fixed(&memory, bytes, sizeof bytes);
    given_open_good(&given, "headers: {add: {C: \"3\"}}");
    assert_int_equal(e8_tamper_headers(given.tamper, scheme, list, &count, 2, &memory), E8_LIMIT);
    assert_int_equal(count, 2);
    given_close(&given);
    given_open_good(&given, "headers: {case: lower}");
    assert_int_equal(e8_tamper_headers(given.tamper, scheme, list, &count, 2, &memory), E8_LIMIT);
    given_close(&given);
}

static int open_world(void **state)
{
    struct e8_errs errs;
    (void)state;
    e8_errs_init(&errs);
    assert_int_equal(e8_doc_load(E8_SOURCE_DIR "/fixtures/schemes.json", &world.doc, NULL), E8_OK);
    assert_int_equal(e8_schemes_load(e8_doc_root(world.doc), &world.schemes, &errs), E8_OK);
    e8_errs_fini(&errs);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    e8_schemes_free(&world.schemes);
    e8_doc_free(&world.doc);
    return 0;
}

int test_requests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_what_was_asked_differs),
        cmocka_unit_test(other_secrets_are_the_callers_to_use),
        cmocka_unit_test(headers_that_sign_are_forged),
        cmocka_unit_test(a_reserialised_signature_fits_the_compact_body),
        cmocka_unit_test(signatures_change_in_every_item),
        cmocka_unit_test(lists_and_memory_that_are_too_small_are_told),
    };
    return cmocka_run_group_tests_name("tamper: requests", tests, open_world, close_world);
}
