/* Reaches: what is understood, and who may be sent to. */
#include "peer.h"
#include "tests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "transport/internal.h"

static void test_addresses(void **state)
{
    (void)state;
    static const char *const allow[] = {"10.0.0.0/8", "192.0.2.7",   "2001:db8::/32",  "fe80::1",
                                        "[::5]",      "169.254.1.1", "169.254.0.0/16", NULL};
    static const struct {
        const char *address;
        bool plain, named; /* without and with a name that is in the list */
    } rows[] = {
        {"127.0.0.1", true, true},
        {"127.255.0.9", true, true},
        {"::1", true, true},
        {"::ffff:127.0.0.1", true, true},
        {"10.255.1.2", true, true},
        {"11.0.0.1", false, true},
        {"192.0.2.7", true, true},
        {"192.0.2.8", false, true},
        {"2001:db8:1::1", true, true},
        {"2001:db9::1", false, true},
        {"fe80::1", true, true},
        {"fe80::2", false, false},
        {"::5", true, true},
        {"169.254.1.1", true, true},
        {"169.254.169.254", false, false},
        {"fd00:ec2::254", false, false},
        {"100.100.100.200", false, false},
        {"64:ff9b::a9fe:a9fe", false, false},
        {"0.0.0.0", false, true},
        {"::ffff:169.254.169.254", false, false},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_addr addr;
        assert_true(e8_addr_parse(e8_str(rows[i].address), &addr));
        assert_int_equal(e8_allow_addr(allow, &addr, false), rows[i].plain);
        assert_int_equal(e8_allow_addr(allow, &addr, true), rows[i].named);
    }
}

static void test_blocks(void **state)
{
    (void)state;
    static const char *const all6[] = {"::/0", NULL}, *const all4[] = {"0.0.0.0/0", NULL};
    static const char *const odd[] = {"172.16.0.0/12", NULL};
    struct e8_addr v4, v6, in, out;
    e8_addr_parse(E8_LIT("8.8.8.8"), &v4);
    e8_addr_parse(E8_LIT("2600::1"), &v6);
    e8_addr_parse(E8_LIT("172.31.255.255"), &in);
    e8_addr_parse(E8_LIT("172.32.0.0"), &out);
    assert_true(e8_allow_addr(all6, &v6, false));
    assert_false(e8_allow_addr(all6, &v4, false));
    assert_true(e8_allow_addr(all4, &v4, false));
    assert_false(e8_allow_addr(all4, &v6, false));
    assert_true(e8_allow_addr(odd, &in, false));
    assert_false(e8_allow_addr(odd, &out, false));
}

static void test_names(void **state)
{
    (void)state;
    static const char *const allow[] = {"Hooks.Example", "other.example.", NULL};
    assert_true(e8_allow_name(allow, E8_LIT("hooks.example")));
    assert_true(e8_allow_name(allow, E8_LIT("hooks.example.")));
    assert_true(e8_allow_name(allow, E8_LIT("other.example")));
    assert_false(e8_allow_name(allow, E8_LIT("x.hooks.example")));
    assert_false(e8_allow_name(allow, E8_LIT("hooks.example.evil")));
    assert_false(e8_allow_name(NULL, E8_LIT("hooks.example")));
}

#define ONE(text)                                                                                            \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        text, NULL                                                                                           \
    }

static void test_check(void **state)
{
    (void)state;
    const struct {
        struct e8_reach reach;
        const char *what; /* NULL: good */
    } rows[] = {
        {{0}, NULL},
        {{.allow = ONE("example.com")}, NULL},
        {{.allow = ONE("10.0.0.0/8")}, NULL},
        {{.allow = ONE("[2001:db8::1]")}, NULL},
        {{.allow = ONE("")}, "allowed target"},
        {{.allow = ONE("10.0.0.0/33")}, "allowed target"},
        {{.allow = ONE("http://x")}, "allowed target"},
        {{.allow = ONE("example.com:80")}, "allowed target"},
        {{.allow = ONE("*.example.com")}, "allowed target"},
        {{.connect_to = ONE("a:80:b:81")}, NULL},
        {{.connect_to = ONE("::127.0.0.1:")}, NULL},
        {{.connect_to = ONE("[::1]:80:[::2]:81")}, NULL},
        {{.connect_to = ONE(":::")}, NULL},
        {{.connect_to = ONE("[::1]:::")}, NULL},
        {{.connect_to = ONE("a:80:[::1]:")}, NULL},
        {{.connect_to = ONE("x")}, "--connect-to"},
        {{.connect_to = ONE("")}, "--connect-to"},
        {{.connect_to = ONE("a:80")}, "--connect-to"},
        {{.connect_to = ONE("a:80:")}, "--connect-to"},
        {{.connect_to = ONE("a:80:b")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[::1]")}, "--connect-to"},
        {{.connect_to = ONE("a:80:b:81:")}, "--connect-to"},
        {{.connect_to = ONE("a:80:b:81:82")}, "--connect-to"},
        {{.connect_to = ONE("a:80:::1:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[::1:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[::1]x:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[name]:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[]:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:[127.0.0.1]:81")}, "--connect-to"},
        {{.connect_to = ONE("a:0:b:81")}, "--connect-to"},
        {{.connect_to = ONE("a b:80:c:81")}, "--connect-to"},
        {{.connect_to = ONE("*:80:c:81")}, "--connect-to"},
        {{.connect_to = ONE("a:x:b:81")}, "--connect-to"},
        {{.connect_to = ONE("a:80:b:99999")}, "--connect-to"},
        {{.resolve = ONE("a:80:127.0.0.1")}, NULL},
        {{.resolve = ONE("+a:80:127.0.0.1,[::1]")}, NULL},
        {{.resolve = ONE("*:80:127.0.0.1")}, NULL},
        {{.resolve = ONE("a:80:")}, "--resolve"},
        {{.resolve = ONE("a:80:name")}, "--resolve"},
        {{.resolve = ONE("a:80:::1")}, NULL},
        {{.resolve = ONE("")}, "--resolve"},
        {{.resolve = ONE("a")}, "--resolve"},
        {{.resolve = ONE("a:80")}, "--resolve"},
        {{.resolve = ONE(":80:127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("a::127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("a:0:127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("a:80:127.0.0.1,")}, "--resolve"},
        {{.resolve = ONE("a:80:127.0.0.1,,127.0.0.2")}, "--resolve"},
        {{.resolve = ONE("a:80:127.0.0.1:81")}, "--resolve"},
        {{.resolve = ONE("a:80:[::1")}, "--resolve"},
        {{.resolve = ONE("[::1]:80:127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("a*:80:127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("-a:80:127.0.0.1")}, "--resolve"},
        {{.resolve = ONE("-a:80")}, "--resolve"},
        {{.proxy = "http://user:secret@127.0.0.1:3128/"}, NULL},
        {{.proxy = ""}, NULL},
        {{.proxy = "[::1]:3128"}, NULL},
        {{.proxy = "socks5h://[::1]"}, NULL},
        {{.proxy = "a:1:2"}, "proxy"},
        {{.proxy = "[::1"}, "proxy"},
        {{.proxy = "ftp://x"}, "proxy"},
        {{.proxy = "http://secret@:1"}, "proxy"},
        {{.cacert = "/nonexistent"}, "cannot be read"},
        {{.key = "/etc/passwd"}, "private key"},
        {{.cert = "/"}, ""},
        {{.unix_socket = ""}, "unix socket"},
        {{.connect_timeout = -1}, "negative"},
        {{.http = E8_HTTP_2}, NULL},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_err err = {0};
        enum e8_rc rc = e8_reach_check(&rows[i].reach, &err);
        if ((rc == E8_OK) != (rows[i].what == NULL))
            print_error("row %zu: %s\n", i, err.what);
        assert_int_equal(rc == E8_OK, rows[i].what == NULL);
        if (rows[i].what && !strstr(err.what, rows[i].what))
            print_error("row %zu: %s\n", i, err.what);
        assert_true(!rows[i].what || strstr(err.what, rows[i].what));
        assert_null(strstr(err.what, "secret"));
        if (strstr(err.what, "--connect-to") || strstr(err.what, "--resolve"))
            assert_non_null(strstr(err.hint, "HOST"));
    }
}

static void test_permits(void **state)
{
    (void)state;
    static const struct e8_reach none;
    const struct e8_reach allow = {.allow = ONE("named.invalid")};
    const struct e8_reach block = {.allow = ONE("192.0.2.0/24")};
    const struct e8_reach meta = {.allow = ONE("metadata.invalid")};
    const struct e8_reach exact = {.allow = ONE("169.254.169.254")};
    const struct e8_reach local = {.unix_socket = "/tmp/x"};
    const struct e8_reach pinned = {.resolve = ONE("far.invalid:443:127.0.0.9")};
    const struct e8_reach moved = {.connect_to = ONE("::127.0.0.8:")};
    const struct e8_reach proxied = {.proxy = "127.0.0.1:3128", .allow = ONE("named.invalid")};
    const struct e8_reach far_proxy = {.proxy = "192.0.2.1:3128"};
    const struct {
        const struct e8_reach *reach;
        const char *url, *address;
        bool good;
    } rows[] = {
        {&none, "http://127.0.0.1:3000/x", "127.0.0.1", true},
        {&none, "https://[::1]/", "::1", true},
        {&none, "http://192.0.2.1/", "192.0.2.1", false},
        {&none, "http://rebound.invalid/", "192.0.2.1", false},
        {&none, "http://here.invalid/", "127.0.0.1", true},
        {&none, "http://nope.invalid/", "", false},
        {&none, "ftp://127.0.0.1/", "", false},
        {&allow, "http://named.invalid/", "", true}, /* allowed, but does not resolve */
        {&allow, "http://nope.invalid/", "", false},
        {&block, "http://rebound.invalid/", "192.0.2.1", true},
        {&block, "http://192.0.2.200/", "192.0.2.200", true},
        {&meta, "http://metadata.invalid/", "169.254.169.254", false},
        {&exact, "http://metadata.invalid/", "169.254.169.254", true},
        {&local, "http://anything.invalid/", "", true},
        {&pinned, "https://far.invalid/", "127.0.0.9", true},
        {&pinned, "http://far.invalid/", "", false},
        {&moved, "http://far.invalid/", "127.0.0.8", true},
        {&proxied, "http://named.invalid/", "127.0.0.1", true},
        {&proxied, "http://other.invalid/", "127.0.0.1", false},
        {&far_proxy, "http://127.0.0.1/", "192.0.2.1", false},
    };
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char address[64];
        struct e8_err err = {0};
        enum e8_rc rc = e8_reach_permits(rows[i].reach, e8_str(rows[i].url), address, &err);
        if ((rc == E8_OK) != rows[i].good)
            print_error("row %zu: %s %s\n", i, rows[i].url, err.what);
        assert_int_equal(rc, rows[i].good ? E8_OK : E8_INPUT);
        if (rows[i].good)
            assert_string_equal(address, rows[i].address);
        if (!rows[i].good && strncmp(rows[i].url, "ftp", 3) != 0)
            assert_non_null(strstr(err.hint, "--allow-target"));
    }
}

/* For those who cannot wait: no name is looked up, and what only an address could tell is left to the socket's. */
static void test_may_permit(void **state)
{
    (void)state;
    static const struct e8_reach none;
    const struct e8_reach allow = {.allow = ONE("named.invalid")};
    const struct e8_reach block = {.allow = ONE("192.0.2.0/24")};
    const struct e8_reach one = {.allow = ONE("192.0.2.7")};
    const struct e8_reach local = {.unix_socket = "/tmp/x"};
    const struct e8_reach pinned = {.resolve = ONE("far.invalid:443:127.0.0.9")};
    const struct e8_reach far_pin = {.resolve = ONE("far.invalid:443:192.0.2.9"),
                                     .allow = ONE("far.invalid")};
    const struct e8_reach moved = {.connect_to = ONE("::127.0.0.8:")};
    const struct e8_reach proxied = {.proxy = "127.0.0.1:3128", .allow = ONE("192.0.2.0/24")};
    const struct {
        const struct e8_reach *reach;
        const char *url, *address;
        bool good;
    } rows[] = {
        {&none, "http://127.0.0.1:3000/x", "127.0.0.1", true},
        {&none, "https://[::1]/", "::1", true},
        {&none, "http://localhost:9/", "", true},
        {&none, "http://app.localhost:9/", "", true},
        {&none, "http://192.0.2.1/", "192.0.2.1", false},
        {&none, "http://169.254.169.254/", "169.254.169.254", false},
        {&none, "http://rebound.invalid/", "", false},
        {&none, "http://here.invalid/", "", false}, /* it leads to loopback, which nobody has asked */
        {&none, "http://hang.invalid/", "", false},
        {&none, "ftp://127.0.0.1/", "", false},
        {&allow, "http://named.invalid/", "", true},
        {&allow, "http://NAMED.invalid./", "", true},
        {&allow, "http://hang.invalid/", "", false},
        {&block, "http://hang.invalid/", "", true}, /* its address may be of the block */
        {&one, "http://hang.invalid/", "", true},
        {&block, "http://192.0.2.200/", "192.0.2.200", true},
        {&block, "http://198.51.100.1/", "198.51.100.1", false},
        {&local, "http://hang.invalid/", "", true},
        {&pinned, "https://far.invalid/", "127.0.0.9", true},
        {&pinned, "http://far.invalid/", "", false},
        {&far_pin, "https://far.invalid/", "192.0.2.9", false},
        {&moved, "http://far.invalid/", "127.0.0.8", true},
        {&proxied, "http://far.invalid/", "", false}, /* its address will not be seen */
        {&proxied, "http://192.0.2.3/", "127.0.0.1", true},
    };
    int before = atomic_load(&interpose_names);
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        char address[64];
        struct e8_err err = {0};
        enum e8_rc rc = e8_reach_may_permit(rows[i].reach, e8_str(rows[i].url), address, &err);
        if ((rc == E8_OK) != rows[i].good)
            print_error("row %zu: %s %s\n", i, rows[i].url, err.what);
        assert_int_equal(rc, rows[i].good ? E8_OK : E8_INPUT);
        if (rows[i].good)
            assert_string_equal(address, rows[i].address);
        if (!rows[i].good && strncmp(rows[i].url, "ftp", 3) != 0)
            assert_non_null(strstr(err.hint, "--allow-target"));
    }
    assert_int_equal(atomic_load(&interpose_names), before);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_may_permit), cmocka_unit_test(test_addresses), cmocka_unit_test(test_blocks),
    cmocka_unit_test(test_names),      cmocka_unit_test(test_check),     cmocka_unit_test(test_permits),
};

int run_allow(void)
{
    return cmocka_run_group_tests_name("allow", tests, NULL, NULL);
}
