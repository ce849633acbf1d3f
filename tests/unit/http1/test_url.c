#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cases.h"
#include "http1/http1.h"

/* E8_LIT is no constant expression. */
#define STATIC(literal)                                                                                      \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static void urls_come_apart(void **state)
{
    (void)state;
    static const struct {
        const char *text, *userinfo, *host, *target;
        int port;
        bool https, ipv6, port_given;
    } rows[] = {
        {"http://localhost", "", "localhost", "/", 80, false, false, false},
        {"HTTPS://Example.com/", "", "Example.com", "/", 443, true, false, false},
        {"http://h:8080/a/b?c=d&e", "", "h", "/a/b?c=d&e", 8080, false, false, true},
        {"https://h:443/x", "", "h", "/x", 443, true, false, true},
        {"http://u:p@h/", "u:p", "h", "/", 80, false, false, false},
        {"http://a@b@h:1/@x", "a@b", "h", "/@x", 1, false, false, true},
        {"http://@h/", "", "h", "/", 80, false, false, false},
        {"http://[::1]:3000/x", "", "::1", "/x", 3000, false, true, true},
        {"http://u@[2001:db8::7]", "u", "2001:db8::7", "/", 80, false, true, false},
        {"http://[::ffff:127.0.0.1]/", "", "::ffff:127.0.0.1", "/", 80, false, true, false},
        {"http://h/a#frag", "", "h", "/a", 80, false, false, false},
        {"http://h#frag", "", "h", "/", 80, false, false, false},
        {"http://h/?a=http://u:p@x/", "", "h", "/?a=http://u:p@x/", 80, false, false, false},
        {"http://my_host-1.local.:65535/", "", "my_host-1.local.", "/", 65535, false, false, true},
        {"http://h/[x]{y}|", "", "h", "/[x]{y}|", 80, false, false, false},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_url url;
        struct e8_err err = {0};
        if (e8_url_parse(e8_str(rows[i].text), &url, &err) != E8_OK)
            fail_msg("%s: %s", rows[i].text, err.what);
        assert_true(e8_str_is(url.userinfo, rows[i].userinfo));
        assert_true(e8_str_is(url.host, rows[i].host));
        assert_true(e8_str_is(url.target, rows[i].target));
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.https, rows[i].https);
        assert_int_equal(url.ipv6, rows[i].ipv6);
        assert_int_equal(url.port_given, rows[i].port_given);
    }
}

static void bad_urls_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct e8_str text;
        const char *what;
    } rows[] = {
        {STATIC(""), "empty"},
        {STATIC("localhost:3000"), "absolute"},
        {STATIC("//h/"), "absolute"},
        {STATIC("ftp://h/"), "absolute"},
        {STATIC("http:/h/"), "absolute"},
        {STATIC("http:h"), "absolute"},
        {STATIC("httpx://h/"), "absolute"},
        {STATIC("http://"), "no host"},
        {STATIC("http:///path"), "no host"},
        {STATIC("http://:80/"), "no host"},
        {STATIC("http://hunter2@/"), "no host"},
        {STATIC("http://h:/"), "port is empty"},
        {STATIC("http://h:0/"), "out of range"},
        {STATIC("http://h:65536/"), "out of range"},
        {STATIC("http://h:99999999999999999999/"), "out of range"},
        {STATIC("http://h:+80/"), "out of range"},
        {STATIC("http://h:8o/"), "out of range"},
        {STATIC("http://::1/"), "more than one colon"},
        {STATIC("http://[::1/"), "no ']'"},
        {STATIC("http://[]/"), "no IPv6"},
        {STATIC("http://[1.2.3.4]/"), "no IPv6"},
        {STATIC("http://[fe80::1%25eth0]/"), "no IPv6"},
        {STATIC("http://[::1]x/"), "behind the brackets"},
        {STATIC("http://[::1]:x/"), "out of range"},
        {STATIC("http://h?x=1"), "between host and query"},
        {STATIC("http://h/a b"), "space at character 11"},
        {STATIC(" http://h/"), "space at character 1"},
        {STATIC("http://h/\n"), "control character (0x0a)"},
        {STATIC("http://h/\r\nX: y"), "control character"},
        {STATIC("http://h/\0x"), "control character"},
        {STATIC("http://h/\x7f"), "control character"},
        {STATIC("http://h/\xc3\xa9"), "not ASCII"},
        {STATIC("http://h\\@x/"), "'\\'"},
        {STATIC("http://h%41/"), "host has a character"},
        {STATIC("http://a,b/"), "host has a character"},
        {STATIC("http://a..b/"), "empty label"},
        {STATIC("http://.b/"), "empty label"},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_url url;
        struct e8_err err = {0};
        if (e8_url_parse(rows[i].text, &url, &err) != E8_INPUT)
            fail_msg("accepted %s", rows[i].text.p);
        if (strstr(err.what, rows[i].what) == NULL)
            fail_msg("%s: said %s", rows[i].text.p, err.what);
        assert_null(strstr(err.what, "hunter2"));
    }
}

static void a_url_has_a_limit(void **state)
{
    (void)state;
    size_t n = 9000;
    char *text = e8_new(n, 1);
    memset(text, 'a', n);
    memcpy(text, "http://h/", 9);
    struct e8_url url;
    assert_int_equal(e8_url_parse((struct e8_str){text, n}, &url, NULL), E8_INPUT);
    assert_int_equal(e8_url_parse((struct e8_str){text, 8192}, &url, NULL), E8_OK);
    assert_int_equal(url.target.n, 8192 - 8);
    memcpy(text, "http://hhh", 10);
    assert_int_equal(e8_url_parse((struct e8_str){text, 7 + 253}, &url, NULL), E8_OK);
    assert_int_equal(e8_url_parse((struct e8_str){text, 7 + 254}, &url, NULL), E8_INPUT);
    free(text);
}

static void redaction_leaves_no_secret(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"http://h/a?b=c", "http://h/a?b=c"},
        {"http://u:hunter2@h:80/a", "http://h:80/a"},
        {"https://h/?token=hunter2", "https://h/?token=***"},
        {"https://h/?a=1&API_Key=hunter2&b=2", "https://h/?a=1&API_Key=***&b=2"},
        {"https://h/?X-Amz-Signature=hunter2", "https://h/?X-Amz-Signature=***"},
        {"https://h/?client_secret=hunter2;x=y", "https://h/?client_secret=***;x=y"},
        {"https://h/?to%6Ben=hunter2", "https://h/?to%6Ben=***"},
        {"https://h/?sig=a=hunter2", "https://h/?sig=***"},
        {"https://h/?passWORD=", "https://h/?passWORD=***"},
        {"https://h/?token", "https://h/?token"},
        {"https://h/#access_token=hunter2", "https://h/#access_token=***"},
        {"https://h/?a#key=hunter2", "https://h/?a#key=***"},
        {"https://h/@user?x=1", "https://h/@user?x=1"},
        {"http://u:hunter2", "http://u:hunter2"}, /* a port, if a bad one */
        {"u:hunter2@h/x", "h/x"},
        {"http://u:hunter/2@h/x", "http://h/x"},
        {"http://u:hunter?2@h/x", "http://h/x"},
        {"http:/u:hunter2@h/x", "h/x"},
        {"http://u:hunter2@h /x", "http://h /x"},
        {"http://h/\x1b[31m", "http://h/\\x1B[31m"},
        {"", ""},
        {"?", "?"},
        {"://", "://"},
    };
    struct e8_buf buf;
    e8_buf_init(&buf, 1024);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        e8_buf_reset(&buf);
        e8_url_redacted(e8_str(rows[i][0]), &buf);
        assert_string_equal(e8_buf_cstr(&buf), rows[i][1]);
    }
    e8_buf_fini(&buf);
}

static void loopback_is_exactly_that(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1",       "127.255.0.9", "::1",
                                      "0:0:0:0:0:0:0:1", "localhost",   "LocalHost",
                                      "localhost.",      "a.localhost", "a.b.LOCALHOST."};
    static const char *const no[] = {"",
                                     "128.0.0.1",
                                     "127.0.0.1.evil.com",
                                     "127.0.0",
                                     "127.1",
                                     "127.0.0.1.",
                                     "127.0.0.256",
                                     "0127.0.0.1",
                                     "127.0.0.01",
                                     "127..0.1",
                                     "2130706433",
                                     "0x7f.0.0.1",
                                     "::2",
                                     "::ffff:127.0.0.1",
                                     "0.0.0.0",
                                     "::",
                                     "localhost.evil.com",
                                     "evillocalhost",
                                     ".localhost",
                                     "localhost..",
                                     "127.0.0.1 ",
                                     "127.0.0.-1",
                                     "localhos",
                                     "."};
    for (size_t i = 0; i < E8_COUNT(yes); i++) {
        if (!e8_host_is_loopback(e8_str(yes[i])))
            fail_msg("%s is loopback", yes[i]);
    }
    for (size_t i = 0; i < E8_COUNT(no); i++) {
        if (e8_host_is_loopback(e8_str(no[i])))
            fail_msg("%s is not loopback", no[i]);
    }
}

int test_urls(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_come_apart),          cmocka_unit_test(bad_urls_are_refused),
        cmocka_unit_test(a_url_has_a_limit),        cmocka_unit_test(redaction_leaves_no_secret),
        cmocka_unit_test(loopback_is_exactly_that),
    };
    return cmocka_run_group_tests_name("http1 urls", tests, NULL, NULL);
}
