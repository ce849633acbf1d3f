#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"

/* Each is refused with this text and this hint in it. */
static const struct {
    const char *yaml, *what, *hint;
} refused[] = {
    {"signature: mising", "unknown tampering with the signature \"mising\"", "did you mean \"missing\""},
    {"signature: [missing]", "must be a text, this is a list", "missing"},
    {"signature:", "must be a text, this is null", "missing"},
    {"signatur: missing", "unknown key \"signatur\"", "did you mean \"signature\""},
    {"{}", "says nothing", "signature, timestamp, body"},
    {"missing", "must be a map, this is a string", "signature"},
    {"timestamp: -10m", "must be a map", "{shift: -10m}"},
    {"timestamp: {shift: soon}", "\"shift\" must be a duration", "-10m"},
    {"timestamp: {shift: --10m}", "\"shift\" must be a duration", "-10m"},
    {"timestamp: {older: -1s}", "\"older\" must be a duration", "tolerance"},
    {"timestamp: {older: 1s, newer: 1s}", "changed in one way", "one of shift"},
    {"timestamp: {text: \"a\\nb\"}", "control character", "one line"},
    {"timestamp: {later: 1s}", "unknown key \"later\"", "shift"},
    {"body: {form: prety}", "unknown form \"prety\"", "did you mean \"pretty\""},
    {"body: {form: 1}", "unknown form \"1\"", "spaced"},
    {"body: {replace: {base64: \"?\"}}", "is not base64", "RFC 4648"},
    {"body: {replace: {bas64: eA==}}", "unknown key \"bas64\"", "base64"},
    {"body: {replace: [1]}", "must be a text, this is a list", "in quotes"},
    {"body: {size: 65MiB}", "65MiB is out of range", "at most 64MiB"},
    {"body: {size: big}", "\"size\" must be a size", "64KB"},
    {"body: {depth: 0}", "0 is out of range", "1 to 1000000"},
    {"body: {depth: 1.5}", "\"depth\" must be a whole number", "1 to"},
    {"body: {flip: any}", "\"flip\" must be a whole number", "random"},
    {"body: {truncate: 0}", "0 is out of range", "cut off"},
    {"body: {signed: true}", "\"signed\" alone changes nothing", "form"},
    {"body: {form: pretty, signed: maybe}", "\"signed\" is neither", "true or false"},
    {"body: {}", "\"body\" says nothing", "form"},
    {"headers: {remove: []}", "names no header", "Content-Type"},
    {"headers: {remove: [\"a b\"]}", "\"a b\" is no header name", "letters"},
    {"headers: {remove: Host}", "would break the framing", "transfer"},
    {"headers: {set: {Content-Length: 3}}", "would break the framing", "transfer"},
    {"headers: {set: {X: \"a\\rb\"}}", "control character", "one line"},
    {"headers: {set: {X: [1]}}", "must be a text", "{size: 8KB}"},
    {"headers: {set: {X: {size: 1MB}}}", "1MB is out of range", "512KiB"},
    {"headers: {set: {X: {length: 1}}}", "no value of a header", "{size: 8KB}"},
    {"headers: {set: {X: {size: 400KiB}}, add: {Y: {size: 400KiB}}}", "too large", "512KiB"},
    {"headers: {set: X}", "must be a map", "X-Other"},
    {"headers: {case: upper}", "unknown case", "lower"},
    {"method: \"GET /\"", "is no method", "GET, PUT"},
    {"method: CONNECT", "tunnel", "GET, PUT"},
    {"method: ABCDEFGHIJABCDEFGHIJABCDEFGHIJABC", "is no method", "GET"},
    {"content_type: \"a\\nb\"", "control character", "none"},
    {"transfer: {chunked: 1}", "\"chunked\" is neither", "true or false"},
    {"transfer: {rate: 1KB}", "must be a rate", "1KB/s"},
    {"transfer: {rate: 0/s}", "never leaves", "1B/s"},
    {"transfer: {close_after: -1}", "must be a size", "100"},
    {"transfer: chunked", "must be a map", "chunked"},
};

static void what_is_wrong_is_told_with_its_place_and_a_hint(void **state)
{
    (void)state;
    int faults = 0;
    for (size_t i = 0; i < E8_COUNT(refused); i++) {
        struct given given;
        given_open(&given, refused[i].yaml);
        const struct e8_err *err = given.errs.count > 0 ? given.errs.list : NULL;
        bool good = given.tamper == NULL && err != NULL && given.errs.count == 1 && err->line == 1 &&
                    err->col > 0 && strstr(err->what, refused[i].what) != NULL &&
                    strstr(err->hint, refused[i].hint) != NULL;
        if (!good) {
            printf("%s: %zu faults: %s; %s\n", refused[i].yaml, given.errs.count, err ? err->what : "",
                   err ? err->hint : "");
            faults++;
        }
        given_close(&given);
    }
    assert_int_equal(faults, 0);
}

static void all_faults_are_told(void **state)
{
    (void)state;
    struct given given;
    given_open(&given,
               "signature: none\ntimestamp: {older: x}\nbody: {form: y, size: z}\nmethod: \"\"\nother: 1\n"
               "headers: {remove: [\"a b\", Host], set: {\"c d\": 1}}\ntransfer: {rate: 1, expect: 2}\n");
    assert_int_equal(given.errs.count, 11);
    given_close(&given);
}

static const struct {
    const char *yaml, *text;
    bool secret, time;
} told[] = {
    {"signature: missing", "without its signature", true, false},
    {"signature: other_secret\nbody: {form: pretty}", "signed with another secret; body pretty-printed", true,
     false},
    {"timestamp: {shift: -10m}", "timestamp 10m ago", false, true},
    {"timestamp: {shift: +1h}", "timestamp 1h ahead", false, true},
    {"timestamp: {older: 1s}", "timestamp older than the tolerance by 1 s", false, true},
    {"timestamp: {text: soon}", "timestamp \"soon\"", false, true},
    {"body: {replace: \"{\"}", "body replaced by 1 byte", false, false},
    {"body: {flip: 10}", "one bit flipped in byte 10 of the body", false, false},
    {"body: {flip: random, signed: true}", "one bit of the body flipped, before signing", false, false},
    {"body: {size: 64KB, signed: false}", "body padded to 64000 bytes, after signing", true, false},
    {"headers: {remove: X-A, set: {X-B: {size: 8KiB}}, case: lower}",
     "header X-A removed; header X-B set (8192 bytes); header names in lower case", false, false},
    {"method: GET\ncontent_type: none", "without a content type; method GET, without a body", false, false},
    {"transfer: {chunked: true, rate: 1KB/s, expect: true, close_after: 100}",
     "sent in chunks; with Expect: 100-continue; body at 1000 bytes a second; connection closed after 100 "
     "bytes of the "
     "body",
     false, false},
};

static void the_tampering_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < E8_COUNT(told); i++) {
        struct given given;
        struct e8_buf text;
        e8_buf_init(&text, 1000);
        given_open_good(&given, told[i].yaml);
        e8_tamper_text(given.tamper, &text);
        assert_string_equal(e8_buf_cstr(&text), told[i].text);
        assert_int_equal(e8_tamper_needs_secret(given.tamper), told[i].secret);
        assert_int_equal(e8_tamper_needs_time(given.tamper), told[i].time);
        e8_buf_fini(&text);
        given_close(&given);
    }
}

static void the_wire_and_the_method(void **state)
{
    (void)state;
    struct given given;
    given_open_good(&given, "transfer: {rate: 1KB/s, close_after: 0}");
    const struct e8_wire *wire = e8_tamper_wire(given.tamper);
    assert_non_null(wire);
    assert_true(!wire->chunked && !wire->expect && wire->rate == 1000 && wire->close_after == 0);
    assert_true(e8_str_is(e8_tamper_method(given.tamper), "POST"));
    given_close(&given);
    given_open_good(&given, "method: DELETE\ntransfer: {chunked: false}");
    assert_null(e8_tamper_wire(given.tamper));
    assert_true(e8_str_is(e8_tamper_method(given.tamper), "DELETE"));
    given_close(&given);
    given_open_good(&given, "transfer: {expect: true}");
    assert_int_equal(e8_tamper_wire(given.tamper)->close_after, -1);
    given_close(&given);
}

int test_parsing(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told_with_its_place_and_a_hint),
        cmocka_unit_test(all_faults_are_told),
        cmocka_unit_test(the_tampering_in_words),
        cmocka_unit_test(the_wire_and_the_method),
    };
    return cmocka_run_group_tests_name("tamper: parsing", tests, NULL, NULL);
}
