/* Who may ask: every header against every way in which it can be wrong. */
#include "guard.h"

static struct e8_guard *make(const char *url, const char *const *hosts)
{
    struct e8_guard *guard = NULL;

    assert_int_equal(e8_guard_new(url, hosts, &guard, NULL), E8_OK);
    return guard;
}

static struct e8_guard_facts get(const char *host)
{
    return (struct e8_guard_facts){.method = E8_LIT("GET"), .path = E8_LIT("/v1/info"), .host = host};
}

static int ask(const struct e8_guard *guard, const struct e8_guard_facts *facts)
{
    struct e8_guard_refusal why = {0};

    if (e8_guard_judge(guard, facts, &why)) {
        assert_int_equal(why.status, 0);
        return 200;
    }
    assert_true(why.code && strstr(why.message, "; ")); /* what; hint */
    assert_false(e8_guard_judge(guard, facts, NULL));
    return why.status;
}

struct name {
    const char *text;
    int status;
};

static void check_hosts(const char *url, const char *const *hosts, const struct name *rows, size_t count)
{
    struct e8_guard *guard = make(url, hosts);

    for (size_t i = 0; i < count; i++) {
        struct e8_guard_facts facts = get(rows[i].text);

        if (ask(guard, &facts) != rows[i].status)
            fail_msg("%s: Host \"%s\" is not %d", url, rows[i].text ? rows[i].text : "(none)",
                     rows[i].status);
    }
    e8_guard_free(&guard);
    assert_null(guard);
}

static void hosts_are_exact(void **state)
{
    static const struct name rows[] = {
        {"localhost:8088", 200},
        {"LocalHost:8088", 200},
        {"127.0.0.1:8088", 200},
        {"[::1]:8088", 200},
        {NULL, 403},
        {"", 403},
        {"localhost", 403}, /* another port: another server */
        {"127.0.0.1", 403},
        {"localhost:80", 403},
        {"localhost:8089", 403},
        {"localhost:08088", 403},
        {"localhost:8088 ", 403},
        {"localhost:8088,evil.example", 403},
        {"localhost.:8088", 403},
        {"localhost.evil.example:8088", 403},
        {"evil.example", 403}, /* bound to 127.0.0.1 by its owner */
        {"evil.example:8088", 403},
        {"xlocalhost:8088", 403},
        {"127.0.0.1.nip.io:8088", 403},
        {"127.0.0.2:8088", 403},
        {"127.1:8088", 403},
        {"0.0.0.0:8088", 403},
        {"0:8088", 403},
        {"2130706433:8088", 403},
        {"::1:8088", 403},
        {"[::]:8088", 403},
        {"[::ffff:127.0.0.1]:8088", 403},
        {"user@localhost:8088", 403},
        {"http://localhost:8088", 403},
        {"localhost:8088/", 403},
    };

    (void)state;
    check_hosts("http://127.0.0.1:8088", NULL, rows, E8_COUNT(rows));
}

static void hosts_of_other_places(void **state)
{
    static const struct name port80[] = {{"localhost", 200}, {"localhost:80", 200}, {"127.0.0.1", 200},
                                         {"[::1]", 200},     {"localhost:81", 403}, {"evil.example", 403}};
    static const struct name lan[] = {{"192.0.2.7:9000", 200},
                                      {"localhost:9000", 200},
                                      {"192.0.2.7", 403},
                                      {"192.0.2.8:9000", 403},
                                      {"evil.example:9000", 403}};
    static const struct name v6[] = {
        {"[2001:db8::7]:9000", 200}, {"[::1]:9000", 200}, {"[2001:db8::8]:9000", 403}};
    static const struct name local[] = {
        {"localhost", 200}, {"127.0.0.1", 200}, {"localhost:80", 403}, {"evil.example", 403}};

    (void)state;
    check_hosts("http://127.0.0.1:80", NULL, port80, E8_COUNT(port80));
    check_hosts("http://192.0.2.7:9000", NULL, lan, E8_COUNT(lan));
    check_hosts("http://[2001:db8::7]:9000", NULL, v6, E8_COUNT(v6));
    check_hosts("unix:/run/emit8.sock", NULL, local, E8_COUNT(local));
}

static void hosts_that_are_given(void **state)
{
    static const char *const hosts[] = {"emit8.example.com", "proxy.example.com:8443", "[2001:db8::9]", NULL};
    static const struct name rows[] = {
        {"emit8.example.com", 200},
        {"emit8.example.com:8088", 200},
        {"EMIT8.example.com", 200},
        {"emit8.example.com:443", 403},
        {"proxy.example.com:8443", 200},
        {"proxy.example.com", 403},
        {"proxy.example.com:8088", 403},
        {"[2001:db8::9]", 200},
        {"[2001:db8::9]:8088", 200},
        {"localhost:8088", 200},
        {"localhost", 403},
        {"x.emit8.example.com", 403},
        {"emit8.example.com.", 403},
    };

    (void)state;
    check_hosts("http://0.0.0.0:8088", hosts, rows, E8_COUNT(rows));
}

static void hosts_that_are_none(void **state)
{
    static const char *const rows[] = {"",           "*",       "http://emit8.example.com",
                                       "a b",        "a/b",     "a:",
                                       "a:0",        "a:65536", "a:x",
                                       "[::1",       "[g::1]",  ":80",
                                       "a@b",        "a,b",     "[]",
                                       "[::1]8088x", "a:80:80", "\xc3\xa4"};

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        const char *const hosts[] = {"fine.example", rows[i], NULL};
        struct e8_guard *guard;
        struct e8_err err = {0};

        if (e8_guard_new("http://127.0.0.1:8088", hosts, &guard, &err) != E8_INPUT)
            fail_msg("\"%s\" is taken", rows[i]);
        assert_null(guard);
        assert_true(strstr(err.what, "is no host name") && err.hint[0]);
    }
    const char *many[101] = {0};
    struct e8_guard *guard;
    struct e8_err err = {0};
    for (size_t i = 0; i < 100; i++)
        many[i] = "a.example";
    assert_int_equal(e8_guard_new("http://127.0.0.1:8088", many, &guard, &err), E8_INPUT);
}

static void origins(void **state)
{
    static const char *const hosts[] = {"emit8.example.com", NULL};
    static const struct name rows[] = {
        {NULL, 200},
        {"http://localhost:8088", 200},
        {"http://127.0.0.1:8088", 200},
        {"http://[::1]:8088", 200},
        {"http://emit8.example.com", 200},
        {"https://emit8.example.com", 200},
        {"http://emit8.example.com:8088", 200},
        {"", 403},
        {"null", 403},
        {"https://localhost:8088", 403},
        {"http://localhost", 403},
        {"http://localhost:3000", 403}, /* another program of the same user */
        {"http://localhost:8088/", 403},
        {"http://localhost:8088.evil.example", 403},
        {"http://localhost:8088@evil.example", 403},
        {"http://evil.example", 403},
        {"http://evil.example:8088", 403},
        {"https://evil.example", 403},
        {"file://", 403},
        {"chrome-extension://abcdef", 403},
        {"localhost:8088", 403},
        {"HTTP://localhost:8088", 403}, /* browsers write it small */
        {"http://localhost:8088, http://localhost:8088", 403},
    };
    struct e8_guard *guard = make("http://127.0.0.1:8088", hosts);

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_guard_facts facts = get("localhost:8088");

        facts.origin = rows[i].text;
        if (ask(guard, &facts) != rows[i].status)
            fail_msg("Origin \"%s\" is not %d", rows[i].text ? rows[i].text : "(none)", rows[i].status);
    }
    e8_guard_free(&guard);
}

static void is_a_link(const struct e8_guard *guard, const struct e8_guard_facts *facts, bool link)
{
    struct e8_guard_refusal why;

    assert_false(e8_guard_judge(guard, facts, &why));
    assert_int_equal(why.link, link);
}

static void other_sites(void **state)
{
    enum { A_PAGE_TOO = 1000, A_PAGE = A_PAGE_TOO + 403 };
    static const struct {
        const char *method, *path, *site, *mode, *dest;
        int status;
    } rows[] = {
        {"GET", "/v1/info", NULL, NULL, NULL, 200},
        {"GET", "/v1/info", "same-origin", "cors", "empty", 200},
        {"GET", "/", "none", "navigate", "document", 200},
        {"GET", "/v1/info", "none", "navigate", "document", 200}, /* typed into the address bar */
        {"GET", "/", "cross-site", "navigate", "document", 200},  /* a link */
        {"GET", "/", "same-site", "navigate", "document", 200},
        {"GET", "/", "cross-site", "navigate", "iframe", 403},
        {"GET", "/", "cross-site", "navigate", NULL, 403},
        {"GET", "/", "cross-site", "no-cors", "document", 403},
        {"GET", "/", "cross-site", "cors", "empty", 403},
        {"GET", "/", "cross-site", NULL, NULL, 403},
        {"POST", "/", "cross-site", "navigate", "document", 403},
        {"HEAD", "/", "cross-site", "navigate", "document", 403},
        {"GET", "/v1/info", "cross-site", "navigate", "document", A_PAGE},
        {"GET", "/v1/info", "same-site", "navigate", "document", A_PAGE},
        {"GET", "/v1/info", "cross-site", "navigate", "iframe", 403},
        {"GET", "/index.html", "cross-site", "navigate", "document", A_PAGE},
        {"GET", "/assets/app.js", "cross-site", "no-cors", "script", 403},
        {"GET", "/assets/app.js", "same-site", "no-cors", "script", 403},
        {"GET", "/assets/app.js", "same-origin", "no-cors", "script", 200},
        {"POST", "/v1/events", "same-origin", "cors", "empty", 200},
        {"POST", "/v1/events", "same-site", "cors", "empty", 403},
        {"POST", "/v1/events", "cross-site", "no-cors", "empty", 403},
        {"DELETE", "/v1/webhooks/whk_1", "cross-site", "cors", "empty", 403},
        {"GET", "/v1/info", "", "cors", "empty", 403},
        {"GET", "/v1/info", "Same-Origin", "cors", "empty", 403},
        {"GET", "/v1/info", "same-origin, cross-site", "cors", "empty", 403},
        {"GET", "/", "future-word", "navigate", "document", 403},
    };
    struct e8_guard *guard = make("http://127.0.0.1:8088", NULL);

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_guard_facts facts = {.method = e8_str(rows[i].method),
                                       .path = e8_str(rows[i].path),
                                       .host = "localhost:8088",
                                       .fetch_site = rows[i].site,
                                       .fetch_mode = rows[i].mode,
                                       .fetch_dest = rows[i].dest,
                                       .content_type = "application/json"};

        if (ask(guard, &facts) != rows[i].status % A_PAGE_TOO)
            fail_msg("row %zu: %s %s from %s is not %d", i, rows[i].method, rows[i].path,
                     rows[i].site ? rows[i].site : "(none)", rows[i].status);
        if (rows[i].status != 200)
            is_a_link(guard, &facts, rows[i].status == A_PAGE);
    }
    e8_guard_free(&guard);
}

static void types(void **state)
{
    static const struct {
        const char *method, *type;
        size_t body;
        int status;
    } rows[] = {
        {"POST", "application/json", 2, 200},
        {"POST", "application/json; charset=utf-8", 2, 200},
        {"POST", "Application/JSON ;charset=UTF-8", 2, 200},
        {"POST", "application/json", 0, 200},
        {"POST", NULL, 0, 415}, /* a form with nothing in it is no more welcome */
        {"POST", NULL, 2, 415},
        {"POST", "", 2, 415},
        {"POST", "text/plain", 2, 415},
        {"POST", "application/x-www-form-urlencoded", 2, 415},
        {"POST", "multipart/form-data; boundary=x", 2, 415},
        {"POST", "text/plain; application/json", 2, 415},
        {"POST", "text/json", 2, 415},
        {"POST", "application/json-patch+json", 2, 415},
        {"POST", "application/jsonx", 2, 415},
        {"POST", "application/json, text/plain", 2, 415},
        {"PATCH", "application/json", 2, 200},
        {"PATCH", "text/plain", 2, 415},
        {"PATCH", NULL, 2, 415},
        {"PUT", "text/plain", 2, 415},
        {"DELETE", NULL, 0, 200},
        {"DELETE", "application/json", 2, 200},
        {"DELETE", NULL, 2, 415},
        {"DELETE", "text/plain", 0, 415},
        {"GET", NULL, 0, 200},
        {"GET", "text/plain", 0, 200},
        {"HEAD", NULL, 0, 200},
    };
    struct e8_guard *guard = make("http://127.0.0.1:8088", NULL);

    (void)state;
    for (size_t i = 0; i < E8_COUNT(rows); i++) {
        struct e8_guard_facts facts = get("localhost:8088");

        facts.method = e8_str(rows[i].method);
        facts.content_type = rows[i].type;
        facts.body = rows[i].body;
        if (ask(guard, &facts) != rows[i].status)
            fail_msg("%s with \"%s\" is not %d", rows[i].method, rows[i].type ? rows[i].type : "(none)",
                     rows[i].status);
    }
    e8_guard_free(&guard);
}

/* Every combination of what is right and what is wrong: all must be right, and the reason is the first that is not. */
static void all_must_be_right(void **state)
{
    struct e8_guard *guard = make("http://127.0.0.1:8088", NULL);

    (void)state;
    for (unsigned wrong = 0; wrong < 32; wrong++) {
        struct e8_guard_facts facts = get(wrong & 2 ? "evil.example:8088" : "localhost:8088");

        facts.method = E8_LIT("POST");
        facts.repeated = wrong & 1;
        facts.origin = wrong & 4 ? "http://evil.example" : "http://localhost:8088";
        facts.fetch_site = wrong & 8 ? "cross-site" : "same-origin";
        facts.content_type = wrong & 16 ? "text/plain" : "application/json";
        assert_int_equal(ask(guard, &facts), wrong == 0 ? 200 : wrong == 16 ? 415 : 403);
    }
    e8_guard_free(&guard);
}

int run_guard_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_exact),
        cmocka_unit_test(hosts_of_other_places),
        cmocka_unit_test(hosts_that_are_given),
        cmocka_unit_test(hosts_that_are_none),
        cmocka_unit_test(origins),
        cmocka_unit_test(other_sites),
        cmocka_unit_test(types),
        cmocka_unit_test(all_must_be_right),
    };

    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
