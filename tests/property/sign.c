/* verify(sign(m)) holds for every scheme, and never with one bit flipped. Seeded: E8_SEED=N repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sign/sign.h"

#define BODY_MAX   2048
#define FLIPS      100000
#define ROUNDS     10000
#define HEADER_MAX (E8_SCHEME_HEADERS_MAX + 1)

static uint64_t seed = 0x8b17;

/* Custom ones beside those of the fixtures, so that every algorithm, encoding and form of secret is met. */
static const char custom_schemes[] =
    "{\"schemes\": {"
    "\"sha1-hex\": {\"header\": \"X-S\", \"algorithm\": \"sha1\", \"secret\": \"hex\"},"
    "\"sha384-base64\": {\"header\": \"X-S\", \"algorithm\": \"sha384\", \"encoding\": \"base64\", "
    "\"secret\": \"base64\"},"
    "\"sha512-mixed\": {\"header\": \"X-S\", \"algorithm\": \"sha512\", \"content\": "
    "\"{id}{timestamp}:{body}!\","
    " \"prefix\": \"v=\", \"separator\": \"; \", \"multiple\": true, \"id_header\": \"X-Id\","
    " \"timestamp_item\": \"ts=\"},"
    "\"sha1-base64\": {\"header\": \"X-S\", \"algorithm\": \"sha1\", \"encoding\": \"base64\", \"prefix\": "
    "\"p \"}}}";

struct suite {
    struct e8_doc *docs[2];
    struct e8_schemes *schemes[2];
    struct e8_rng rng;
};

/* One delivery, in memory that can be damaged. */
struct message {
    char id[64];
    char body[BODY_MAX];
    char values[HEADER_MAX][E8_SIGNATURE_MAX];
    struct e8_header headers[HEADER_MAX];
    size_t count;
    struct e8_sign_input in;
};

static int setup(void **state)
{
    struct suite *suite = e8_new(1, sizeof *suite);
    const char *text = getenv("E8_SEED");
    if (text != NULL)
        assert_true(e8_parse_u64(e8_str(text), &seed));
    printf("seed %llu\n", (unsigned long long)seed);
    suite->rng = e8_rng_new(seed);
    assert_int_equal(e8_doc_load(E8_SOURCE_DIR "/fixtures/schemes.json", &suite->docs[0], NULL), E8_OK);
    assert_int_equal(e8_doc_parse("custom", e8_str(custom_schemes), E8_DOC_JSON, &suite->docs[1], NULL),
                     E8_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(e8_schemes_load(e8_doc_root(suite->docs[i]), &suite->schemes[i], NULL), E8_OK);
    *state = suite;
    return 0;
}

static int teardown(void **state)
{
    struct suite *suite = *state;
    for (int i = 0; i < 2; i++) {
        e8_schemes_free(&suite->schemes[i]);
        e8_doc_free(&suite->docs[i]);
    }
    free(suite);
    return 0;
}

static size_t below(struct suite *suite, size_t bound)
{
    return (size_t)e8_rng_below(&suite->rng, bound);
}

/* Random bytes in the form that the scheme wants of a secret. */
static void make_secret(struct suite *suite, enum e8_secret_form form, struct e8_buf *out)
{
    uint8_t bytes[64];
    size_t n = 16 + below(suite, 49);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)e8_rng_next(&suite->rng);
    e8_buf_reset(out);
    switch (form) {
    case E8_SECRET_RAW:
        for (size_t i = 0; i < n; i++)
            e8_buf_putc(out, (char)(0x21 + bytes[i] % 94));
        break;
    case E8_SECRET_HEX:
        e8_hex_put(out, bytes, n);
        break;
    case E8_SECRET_WHSEC:
        e8_buf_puts(out, below(suite, 2) ? "whsec_" : "");
        e8_base64_put(out, bytes, n);
        break;
    case E8_SECRET_BASE64:
        e8_base64_put(out, bytes, n);
        break;
    }
}

static struct e8_signer *make_signer(struct suite *suite, const struct e8_scheme *scheme)
{
    char memory[256];
    struct e8_buf secret;
    e8_buf_fixed(&secret, memory, sizeof memory);
    make_secret(suite, scheme->secret, &secret);
    const char *text = e8_buf_cstr(&secret);
    struct e8_signer *signer = NULL;
    assert_int_equal(e8_signer_new(scheme, &text, 1, &signer, NULL), E8_OK);
    return signer;
}

static void add_header(struct message *m, const char *name, struct e8_str value)
{
    assert_true(m->count < HEADER_MAX && value.n <= E8_SIGNATURE_MAX);
    memcpy(m->values[m->count], value.p, value.n);
    m->headers[m->count].name = e8_str(name);
    m->headers[m->count].value = (struct e8_str){m->values[m->count], value.n};
    m->count++;
}

static void make_message(struct suite *suite, struct e8_signer *signer, struct message *m)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const struct e8_scheme *scheme = e8_signer_scheme(signer);
    size_t id = 1 + below(suite, sizeof m->id),
           body = below(suite, 8) ? below(suite, 64) : below(suite, BODY_MAX + 1);
    for (size_t i = 0; i < id; i++)
        m->id[i] = digits[below(suite, sizeof digits - 1)];
    for (size_t i = 0; i < body; i++)
        m->body[i] = (char)e8_rng_next(&suite->rng);
    m->count = 0;
    m->in = (struct e8_sign_input){
        .id = {m->id, id}, .timestamp = e8_rng_range(&suite->rng, 0, 4000000000), .body = {m->body, body}};
    char memory[E8_SIGNATURE_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    e8_signer_sign(signer, &m->in, &buf);
    add_header(m, scheme->header, e8_buf_str(&buf));
    for (size_t i = 0; i < scheme->header_count; i++) {
        e8_buf_reset(&buf);
        e8_sign_expand(scheme->headers[i].value, &m->in, &buf);
        if (buf.n > 0)
            add_header(m, scheme->headers[i].name, e8_buf_str(&buf));
    }
    assert_false(buf.full);
}

static enum e8_verdict verify(struct e8_signer *signer, const struct message *m)
{
    return e8_verify(signer, m->headers, m->count, m->in.body, m->in.timestamp * E8_NS_S, E8_NS_S, NULL);
}

/* Calls `check` with a signer for every scheme. */
static size_t for_each_scheme(struct suite *suite, void check(struct suite *, struct e8_signer *, size_t),
                              size_t total)
{
    size_t schemes = 0;
    for (int pass = 0; pass < 2; pass++) {
        size_t share = pass ? total / schemes + 1 : 0;
        for (int i = 0; i < 2; i++) {
            const char *const *names = e8_schemes_names(suite->schemes[i]);
            for (; *names != NULL; names++) {
                schemes += pass == 0;
                if (pass == 0)
                    continue;
                struct e8_signer *signer = make_signer(suite, e8_schemes_find(suite->schemes[i], *names));
                check(suite, signer, share);
                e8_signer_free(&signer);
            }
        }
    }
    return schemes;
}

static size_t round_trips;

static void check_round_trips(struct suite *suite, struct e8_signer *signer, size_t count)
{
    struct e8_signer *other = make_signer(suite, e8_signer_scheme(signer));
    for (size_t i = 0; i < count; i++) {
        struct message m;
        make_message(suite, signer, &m);
        assert_int_equal(verify(signer, &m), E8_VERIFIED);
        assert_int_equal(verify(other, &m), E8_SIG_MISMATCH);
        round_trips++;
    }
    e8_signer_free(&other);
}

static void what_is_signed_verifies(void **state)
{
    round_trips = 0;
    size_t schemes = for_each_scheme(*state, check_round_trips, ROUNDS);
    printf("%zu schemes, %zu messages verified, and refused with another secret\n", schemes, round_trips);
    assert_true(schemes >= 9 && round_trips >= ROUNDS);
}

/* A run of bytes in which a flipped bit must be noticed. */
struct target {
    char *bytes;
    size_t n;
};

static size_t find_targets(const struct e8_scheme *scheme, struct message *m, struct target *targets)
{
    size_t count = 0;
    if (m->in.body.n > 0)
        targets[count++] = (struct target){m->body, m->in.body.n};
    for (size_t i = 0; i < m->count; i++) {
        struct e8_str name = m->headers[i].name;
        bool is_id = scheme->signs_id && e8_str_ieq(name, e8_str(scheme->id_header));
        bool is_time = scheme->timestamp_header != NULL && e8_str_ieq(name, e8_str(scheme->timestamp_header));
        if (i == 0 || is_id || is_time)
            targets[count++] = (struct target){m->values[i], m->headers[i].value.n};
    }
    return count;
}

static size_t flips, accepted;

/* Each part is as likely as the others, else the body would take nearly all flips. */
static void flip_one(struct suite *suite, struct e8_signer *signer, struct message *m)
{
    struct target targets[HEADER_MAX + 1];
    size_t count = find_targets(e8_signer_scheme(signer), m, targets);
    struct target *t = &targets[below(suite, count)];
    size_t at = below(suite, t->n);
    char mask = (char)(1 << below(suite, 8));
    t->bytes[at] ^= mask;
    flips++;
    if (verify(signer, m) == E8_VERIFIED) {
        accepted++;
        print_error("%s: accepted with bit 0x%02x of byte %zu flipped\n", e8_signer_scheme(signer)->name,
                    (unsigned char)mask, at);
    }
    t->bytes[at] ^= mask;
}

static void check_flips(struct suite *suite, struct e8_signer *signer, size_t count)
{
    struct message m;
    for (size_t i = 0; i < count; i++) {
        if (i % 16 == 0)
            make_message(suite, signer, &m);
        flip_one(suite, signer, &m);
    }
    assert_int_equal(verify(signer, &m), E8_VERIFIED); /* still, after all that */
}

static void one_flipped_bit_is_refused(void **state)
{
    flips = accepted = 0;
    for_each_scheme(*state, check_flips, FLIPS);
    printf("%zu single-bit flips over body, id, timestamp and signature: %zu refused, %zu accepted\n", flips,
           flips - accepted, accepted);
    assert_true(flips >= FLIPS);
    assert_int_equal(accepted, 0);
}

/* Not by chance: every bit of every header that is signed or signs, the case bit of hex digits among them. */
static void check_every_bit(struct suite *suite, struct e8_signer *signer, size_t count)
{
    (void)count;
    struct message m;
    struct target targets[HEADER_MAX + 1];
    make_message(suite, signer, &m);
    size_t target_count = find_targets(e8_signer_scheme(signer), &m, targets);
    for (size_t t = 0; t < target_count; t++) {
        for (size_t bit = 0; bit < 8 * targets[t].n; bit++) {
            char mask = (char)(1 << bit % 8);
            targets[t].bytes[bit / 8] ^= mask;
            flips++;
            accepted += verify(signer, &m) == E8_VERIFIED;
            targets[t].bytes[bit / 8] ^= mask;
        }
    }
}

static void every_bit_of_a_message_counts(void **state)
{
    flips = accepted = 0;
    for_each_scheme(*state, check_every_bit, 0);
    printf("every bit of one message per scheme: %zu flips, %zu accepted\n", flips, accepted);
    assert_true(flips > 5000);
    assert_int_equal(accepted, 0);
}

/* With a byte taken away or put in, anywhere. */
static void check_lengths(struct suite *suite, struct e8_signer *signer, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct message m;
        make_message(suite, signer, &m);
        struct e8_header *header = &m.headers[0];
        size_t at = below(suite, header->value.n);
        memmove(&m.values[0][at], &m.values[0][at + 1], header->value.n - at - 1);
        header->value.n--;
        /* The blank behind a separator is nothing that a receiver looks at. */
        bool blank = e8_str_is(e8_str(e8_signer_scheme(signer)->separator), "; ");
        accepted += verify(signer, &m) == E8_VERIFIED && !blank;
        flips++;
        m.in.body.n = m.in.body.n > 0 ? m.in.body.n - 1 : BODY_MAX;
        accepted += verify(signer, &m) == E8_VERIFIED;
    }
}

static void a_lost_byte_is_refused(void **state)
{
    flips = accepted = 0;
    for_each_scheme(*state, check_lengths, ROUNDS);
    printf("%zu signatures with a byte lost: %zu accepted\n", flips, accepted);
    assert_int_equal(accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_verifies),
        cmocka_unit_test(one_flipped_bit_is_refused),
        cmocka_unit_test(every_bit_of_a_message_counts),
        cmocka_unit_test(a_lost_byte_is_refused),
    };
    return cmocka_run_group_tests_name("property sign", tests, setup, teardown);
}
