#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "digest/digest.h"

static struct e8_str repeated(char *memory, char byte, size_t n)
{
    memset(memory, byte, n);
    return (struct e8_str){memory, n};
}

static void assert_hex(const uint8_t *bytes, size_t n, const char *hex)
{
    char memory[2 * E8_DIGEST_MAX];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    e8_hex_put(&buf, bytes, n);
    assert_int_equal(buf.n, strlen(hex));
    assert_memory_equal(memory, hex, buf.n);
}

static void assert_hmac(enum e8_hash hash, struct e8_str key, struct e8_str data, const char *hex)
{
    struct e8_hmac *hmac = e8_hmac_new(hash, key);
    uint8_t out[E8_DIGEST_MAX];
    for (int round = 0; round < 2; round++) { /* the second time with the key that is already there */
        e8_hmac_begin(hmac);
        e8_hmac_add(hmac, data);
        size_t n = e8_hmac_end(hmac, out);
        assert_int_equal(n, e8_hash_size(hash));
        assert_hex(out, n, hex);
    }
    e8_hmac_free(&hmac);
    assert_null(hmac);
}

/* RFC 4231, sections 4.2 to 4.8 (the truncated case 5 aside). */
static void hmac_gives_the_vectors_of_rfc_4231(void **state)
{
    (void)state;
    char key[131], data[50];
    struct e8_str jefe = E8_LIT("Jefe"), what = E8_LIT("what do ya want for nothing?");
    assert_hmac(E8_SHA256, repeated(key, 0x0b, 20), E8_LIT("Hi There"),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_hmac(E8_SHA384, repeated(key, 0x0b, 20), E8_LIT("Hi There"),
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
                "faea9ea9076ede7f4af152e8b2fa9cb6");
    assert_hmac(E8_SHA512, repeated(key, 0x0b, 20), E8_LIT("Hi There"),
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
                "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
    assert_hmac(E8_SHA256, jefe, what, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_hmac(E8_SHA512, jefe, what,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
    assert_hmac(E8_SHA256, repeated(key, (char)0xaa, 20), repeated(data, (char)0xdd, 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    char counted[25];
    for (int i = 0; i < 25; i++)
        counted[i] = (char)(i + 1);
    assert_hmac(E8_SHA256, (struct e8_str){counted, 25}, repeated(data, (char)0xcd, 50),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    assert_hmac(E8_SHA256, repeated(key, (char)0xaa, 131),
                E8_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_hmac(E8_SHA256, repeated(key, (char)0xaa, 131),
                E8_LIT("This is a test using a larger than block-size key and a larger than block-size data. "
                       "The key needs to be hashed before being used by the HMAC algorithm."),
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* RFC 2202, test case 2. */
static void hmac_knows_sha1(void **state)
{
    (void)state;
    assert_hmac(E8_SHA1, E8_LIT("Jefe"), E8_LIT("what do ya want for nothing?"),
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

static void hmac_takes_empty_keys_and_empty_messages(void **state)
{
    (void)state;
    struct e8_str none = {NULL, 0};
    assert_hmac(E8_SHA256, none, none, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    /* The context must not remember the key of another. */
    assert_hmac(E8_SHA256, E8_LIT("key"), none,
                "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0");
}

static void hmac_of_parts_is_hmac_of_the_whole(void **state)
{
    (void)state;
    struct e8_str text = E8_LIT("what do ya want for nothing?");
    struct e8_hmac *hmac = e8_hmac_new(E8_SHA256, E8_LIT("Jefe"));
    for (size_t split = 0; split <= text.n; split++) {
        uint8_t out[E8_DIGEST_MAX];
        e8_hmac_begin(hmac);
        e8_hmac_add(hmac, (struct e8_str){text.p, split});
        e8_hmac_add(hmac, (struct e8_str){text.p + split, text.n - split});
        assert_hex(out, e8_hmac_end(hmac, out),
                   "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
    e8_hmac_free(&hmac);
}

static void an_abandoned_message_leaves_nothing_behind(void **state)
{
    (void)state;
    struct e8_hmac *hmac = e8_hmac_new(E8_SHA256, E8_LIT("Jefe"));
    uint8_t out[E8_DIGEST_MAX];
    e8_hmac_begin(hmac);
    e8_hmac_add(hmac, E8_LIT("never finished"));
    e8_hmac_begin(hmac);
    e8_hmac_add(hmac, E8_LIT("what do ya want for nothing?"));
    assert_hex(out, e8_hmac_end(hmac, out),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    e8_hmac_free(&hmac);
    e8_hmac_free(&hmac); /* nothing left to free */
}

/* FIPS 180-4 examples. */
static void sha256_is_incremental(void **state)
{
    (void)state;
    uint8_t out[32];
    e8_sha256_of(E8_LIT(""), out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    struct e8_sha256 *sha = e8_sha256_new();
    e8_sha256_add(sha, E8_LIT("abcdbcdecdefdefgefghfghighij"));
    e8_sha256_add(sha, (struct e8_str){NULL, 0});
    e8_sha256_add(sha, E8_LIT("hijkijkljklmklmnlmnomnopnopq"));
    e8_sha256_end(&sha, out);
    assert_null(sha);
    assert_hex(out, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void hashes_have_names_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum e8_hash hash;
        size_t size;
    } rows[] = {{"sha1", E8_SHA1, 20},
                {"sha256", E8_SHA256, 32},
                {"sha384", E8_SHA384, 48},
                {"sha512", E8_SHA512, 64}};
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        enum e8_hash hash;
        assert_true(e8_hash_find(e8_str(rows[i].name), &hash));
        assert_int_equal(hash, rows[i].hash);
        assert_int_equal(e8_hash_size(hash), rows[i].size);
    }
    enum e8_hash hash;
    assert_false(e8_hash_find(E8_LIT("SHA256"), &hash));
    assert_false(e8_hash_find(E8_LIT("sha25"), &hash));
    assert_false(e8_hash_find(E8_LIT("md5"), &hash));
    assert_false(e8_hash_find(E8_LIT(""), &hash));
}

static void hex_goes_there_and_back(void **state)
{
    (void)state;
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    assert_true(e8_hex_get(E8_LIT("00ff7Fa5"), &buf));
    assert_int_equal(buf.n, 4);
    assert_memory_equal(buf.p, "\x00\xff\x7f\xa5", 4);
    assert_hex((const uint8_t *)buf.p, 4, "00ff7fa5");
    static const char *const bad[] = {"0", "0g", "g0", "0x00", " 00", "00 ", "0:"};
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        assert_false(e8_hex_get(e8_str(bad[i]), &buf));
        assert_int_equal(buf.n, 4); /* nothing appended */
    }
    assert_true(e8_hex_get(E8_LIT(""), &buf));
    assert_int_equal(buf.n, 4);
    e8_buf_fini(&buf);
}

/* RFC 4648, section 10. */
static void base64_gives_the_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const rows[][3] = {{"", "", ""},
                                          {"f", "Zg==", "Zg"},
                                          {"fo", "Zm8=", "Zm8"},
                                          {"foo", "Zm9v", "Zm9v"},
                                          {"foob", "Zm9vYg==", "Zm9vYg"},
                                          {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                                          {"foobar", "Zm9vYmFy", "Zm9vYmFy"}};
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        e8_buf_reset(&buf);
        e8_base64_put(&buf, rows[i][0], strlen(rows[i][0]));
        assert_string_equal(e8_buf_cstr(&buf), rows[i][1]);
        for (int form = 1; form < 3; form++) {
            e8_buf_reset(&buf);
            assert_true(e8_base64_get(e8_str(rows[i][form]), &buf));
            assert_string_equal(e8_buf_cstr(&buf), rows[i][0]);
        }
    }
    e8_buf_fini(&buf);
}

static void base64_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",      "Zg=",  "Zg===",  "Zm8==",    "=",
                                      "==",     "====", "Zm9v=",  "Zg==Zg==", "Zm 9v",
                                      "Zm9v\n", "Zm9-", "Zm9_",   "Z=g=",     "Zh==" /* unused bits set */,
                                      "Zm9=",   "Zh",   "Zm\xffz"};
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    for (size_t i = 0; i < E8_COUNT(bad); i++) {
        if (e8_base64_get(e8_str(bad[i]), &buf))
            fail_msg("accepted \"%s\"", bad[i]);
        assert_int_equal(buf.n, 0);
    }
    e8_buf_fini(&buf);
}

static void base64_round_trips_every_length_and_byte(void **state)
{
    (void)state;
    struct e8_buf text, back;
    e8_buf_init(&text, 4096);
    e8_buf_init(&back, 4096);
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        e8_buf_reset(&text);
        e8_buf_reset(&back);
        e8_base64_put(&text, bytes, n);
        assert_int_equal(text.n, (n + 2) / 3 * 4);
        assert_true(e8_base64_get(e8_buf_str(&text), &back));
        assert_int_equal(back.n, n);
        if (n > 0)
            assert_memory_equal(back.p, bytes, n);
    }
    e8_buf_fini(&text);
    e8_buf_fini(&back);
}

static void encoders_respect_the_limit_of_the_buffer(void **state)
{
    (void)state;
    char memory[3];
    struct e8_buf buf;
    e8_buf_fixed(&buf, memory, sizeof memory);
    e8_base64_put(&buf, "foo", 3);
    assert_true(buf.full);
    assert_true(buf.n <= sizeof memory);
}

static void comparison_sees_every_bit(void **state)
{
    (void)state;
    char a[32], b[32];
    memset(a, 0x5a, sizeof a);
    struct e8_str left = {a, sizeof a}, right = {b, sizeof b};
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        memcpy(b, a, sizeof a);
        assert_true(e8_ct_equal(left, right));
        b[bit / 8] = (char)(b[bit / 8] ^ (1 << bit % 8));
        assert_false(e8_ct_equal(left, right));
    }
    assert_false(e8_ct_equal(left, (struct e8_str){a, 31}));
    assert_true(e8_ct_equal((struct e8_str){NULL, 0}, (struct e8_str){a, 0}));
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    e8_random_bytes(a, sizeof a);
    e8_random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    e8_random_bytes(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_gives_the_vectors_of_rfc_4231),
        cmocka_unit_test(hmac_knows_sha1),
        cmocka_unit_test(hmac_takes_empty_keys_and_empty_messages),
        cmocka_unit_test(hmac_of_parts_is_hmac_of_the_whole),
        cmocka_unit_test(an_abandoned_message_leaves_nothing_behind),
        cmocka_unit_test(sha256_is_incremental),
        cmocka_unit_test(hashes_have_names_and_sizes),
        cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(base64_gives_the_vectors_of_rfc_4648),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_round_trips_every_length_and_byte),
        cmocka_unit_test(encoders_respect_the_limit_of_the_buffer),
        cmocka_unit_test(comparison_sees_every_bit),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
