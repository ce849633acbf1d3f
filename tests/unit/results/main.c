#include "tests.h"

#include <stdio.h>

static const char request[] =
    "POST /hook?token=*** HTTP/1.1\r\nHost: 127.0.0.1:9000\r\nContent-Type: "
    "application/json\r\nX-8bit-Signature-256: sha256=00ff\r\n\r\n{\"id\":\"evt_1\",\"text\":\"``` "
    "</details> ]]> & é \\\\ # |\"}";
static const char answer[] =
    "HTTP/1.1 200 OK\r\nServer: a\033[31mb\a\r\nContent-Length: 9\r\n\r\n\0\x01\xFF<b>ok\xE2\x80\xAE"
    "\xEF\xBF\xBF\x7F\xC2\x9B````";

static const struct e8_exhibit exhibits[] = {
    {.step = "signature: other_secret",
     .request = {request, sizeof request - 1},
     .answer = {answer, sizeof answer - 1},
     .expected = "400, 401 or 403",
     .got = "200",
     .curl = "curl -X POST 'http://127.0.0.1:9000/hook' \\\n  --data-binary '{\"a\":\n  1}'"},
    {.step = NULL, .request = {request, sizeof request - 1}, .expected = "400", .got = "no answer (reset)"},
};

static const struct e8_result list[] = {
    {.id = "EVT-01",
     .group = "events",
     .title = "one valid delivery of message.received",
     .kind = E8_RESULT_PASS,
     .took = 1234567},
    {.id = "SIG-02",
     .group = "signature",
     .title = "signed with another secret # | \\ <b>",
     .kind = E8_RESULT_FAIL,
     .reason = "expected 400, 401 or 403; got 200 \033[2J <script> | \"quoted\"",
     .why = "Whoever knows the URL can make the receiver believe what it wants: an event that nobody sent is "
            "acted upon.",
     .mend = "Compute the HMAC over the raw body with your secret, and compare it in constant time before "
             "anything else.",
     .reproduce = "emit8 check --only SIG-02 --to 'http://127.0.0.1:9000/hook'",
     .took = 2 * E8_NS_S,
     .exhibits = exhibits,
     .exhibit_count = 2},
    {.id = "SIG-03",
     .group = "signature",
     .title = "one byte flipped",
     .kind = E8_RESULT_PASS,
     .override = "behind a proxy # that answers 404"},
    {.id = "TS-01",
     .group = "time",
     .title = "timestamp is no number",
     .kind = E8_RESULT_SKIP,
     .reason = "the scheme signs no # timestamp"},
    {.id = "RAW-09",
     .group = "bytes",
     .title = "duplicate keys",
     .kind = E8_RESULT_REPORT,
     .reason = "accepted with 200"},
};

static const char *const properties[] = {"seed", "42", "scheme", "8bit <&>", NULL};

const struct e8_results *sample(void)
{
    static const struct e8_results results = {
        .suite = "emit8 check",
        .target = "http://127.0.0.1:9000/hook",
        .started = (e8_wall_ns)1772366400 * E8_NS_S,
        .took = 12 * E8_NS_S + 345 * E8_NS_MS,
        .list = list,
        .count = E8_COUNT(list),
        .verdict = E8_RESULTS_FAIL,
        .reason = "1 of 4 probes failed: SIG-02",
        .properties = properties,
    };
    return &results;
}

struct e8_results bare(enum e8_results_verdict verdict, const char *reason)
{
    return (struct e8_results){.suite = "quick", .started = E8_NS_S, .verdict = verdict, .reason = reason};
}

char *written(const struct e8_results *results, enum e8_results_format format, struct e8_style style)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(e8_results_write(results, format, style, out), E8_OK);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(strlen(text), size);
    return text;
}

void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("there is no \"%s\" in:\n%s", part, text);
}

void lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("there is \"%s\" in:\n%s", part, text);
}

void is_clean(const char *text, bool colour)
{
    assert_int_equal(e8_utf8_valid(e8_str(text)), strlen(text));
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (colour && c == 0x1B && p[1] == '[' && strspn(p + 2, "0123456789") > 0 &&
            p[2 + strspn(p + 2, "0123456789")] == 'm')
            continue;
        if ((c < 0x20 && c != '\n') || c == 0x7F || (c == 0xC2 && (unsigned char)p[1] < 0xA0))
            fail_msg("byte %02x in:\n%s", c, text);
    }
    lacks(text, "\xE2\x80\xAE");
    lacks(text, "\xEF\xBF\xBF");
}

int main(void)
{
    int failed = 0;
    failed += _cmocka_run_group_tests("clean", clean_tests, clean_count, NULL, NULL);
    failed += _cmocka_run_group_tests("formats", format_tests, format_count, NULL, NULL);
    return failed;
}
