#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases.h"
#include "http1/http1.h"

/* E8_LIT is no constant expression. */
#define STATIC(literal)                                                                                      \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static void assert_request(const char *url_text, const char *expected_host)
{
    struct e8_url url;
    assert_int_equal(e8_url_parse(e8_str(url_text), &url, NULL), E8_OK);
    const struct e8_header headers[] = {{E8_LIT("Content-Type"), E8_LIT("application/json")},
                                        {E8_LIT("X-Empty"), E8_LIT("")}};
    struct e8_buf out, expected;
    e8_buf_init(&out, 4096);
    e8_buf_init(&expected, 4096);
    e8_http1_request(&out, E8_LIT("POST"), &url, headers, 2, E8_LIT("{\"a\":\0001}"));
    e8_buf_printf(&expected,
                  "POST /x?y HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nX-Empty:\r\n"
                  "Content-Length: 8\r\n\r\n",
                  expected_host);
    e8_buf_putstr(&expected, E8_LIT("{\"a\":\0001}"));
    assert_true(e8_str_eq(e8_buf_str(&out), e8_buf_str(&expected)));
    e8_buf_fini(&out);
    e8_buf_fini(&expected);
}

static void requests_name_their_host(void **state)
{
    (void)state;
    assert_request("http://h/x?y", "h");
    assert_request("http://h:80/x?y", "h");
    assert_request("http://u:p@h:8080/x?y#f", "h:8080");
    assert_request("https://h:443/x?y", "h");
    assert_request("https://h:80/x?y", "h:80");
    assert_request("http://[::1]:3000/x?y", "[::1]:3000");
}

/* A directory with a `curl` that notes its arguments (each with a NUL behind it) and its standard input. */
struct stub {
    char dir[64];
};

static void write_file(const struct stub *stub, const char *name, struct e8_str content)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", stub->dir, name);
    assert_int_equal(e8_file_write(path, content, NULL), E8_OK);
    assert_int_equal(chmod(path, 0700), 0);
}

static void stub_init(struct stub *stub)
{
    snprintf(stub->dir, sizeof stub->dir, "/tmp/emit8-curl-XXXXXX");
    assert_non_null(mkdtemp(stub->dir));
    write_file(stub, "curl",
               E8_LIT("#!/bin/sh\n"
                      "printf '%s\\0' \"$@\" >\"$STUB/args\"\n"
                      "for last; do :; done\n"
                      ": >\"$STUB/stdin\"\n"
                      "if [ \"$last\" = @- ]; then cat >\"$STUB/stdin\"; fi\n"));
}

static void stub_fini(const struct stub *stub)
{
    static const char *const names[] = {"curl", "args", "stdin", "command"};
    for (size_t i = 0; i < E8_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", stub->dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(stub->dir), 0);
}

static void run_shell(const struct stub *stub, const char *shell, struct e8_str command)
{
    write_file(stub, "command", command);
    char path[4096], script[128];
    snprintf(path, sizeof path, "%s:%s", stub->dir, getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    snprintf(script, sizeof script, "%s/command", stub->dir);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("PATH", path, 1);
        setenv("STUB", stub->dir, 1);
        execlp(shell, shell, script, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void read_back(const struct stub *stub, const char *name, struct e8_buf *out)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", stub->dir, name);
    assert_int_equal(e8_file_read(path, E8_FILE_MAX, out, NULL), E8_OK);
}

static const struct e8_header curl_headers[] = {
    {STATIC("Content-Type"), STATIC("application/json")},
    {STATIC("X-Quote"), STATIC("it's \"$HOME\" `id` \\ !! $(id)")},
    {STATIC("X-Empty"), STATIC("")},
};
static const char curl_arguments[] = "-g\0-X\0POST\0http://[::1]:1/it's?a=$b&c={d}\0"
                                     "-H\0Content-Type: application/json\0"
                                     "-H\0X-Quote: it's \"$HOME\" `id` \\ !! $(id)\0"
                                     "-H\0X-Empty;\0"
                                     "--data-binary";

/* What curl is given when a real shell runs the line. */
static void assert_body_arrives(const char *shell, struct e8_str body)
{
    struct stub stub;
    stub_init(&stub);
    struct e8_buf command, args, input;
    e8_buf_init(&command, E8_FILE_MAX);
    e8_http1_curl(&command, E8_LIT("POST"), E8_LIT("http://[::1]:1/it's?a=$b&c={d}"), curl_headers,
                  E8_COUNT(curl_headers), body);
    run_shell(&stub, shell, e8_buf_str(&command));
    read_back(&stub, "args", &args);
    read_back(&stub, "stdin", &input);
    assert_true(args.n > sizeof curl_arguments);
    assert_memory_equal(args.p, curl_arguments, sizeof curl_arguments);
    struct e8_str argument = {args.p + sizeof curl_arguments, args.n - sizeof curl_arguments - 1};
    bool piped = e8_str_is(argument, "@-");
    assert_true(e8_str_eq(piped ? e8_buf_str(&input) : argument, body));
    e8_buf_fini(&command);
    e8_buf_fini(&args);
    e8_buf_fini(&input);
    stub_fini(&stub);
}

static void curl_lines_survive(const char *shell)
{
    static const struct e8_str bodies[] = {
        STATIC(""),
        STATIC("{\"a\": \"it's $HOME `id` $(id) \\\\ \\n !! % %d %%\"}"),
        STATIC("{\n  \"a\": 1\n}\n"),
        STATIC("@/etc/passwd"),
        STATIC("@-"),
        STATIC("-n\x01"),
        STATIC("--\x01%s\\"),
        STATIC("caf\xc3\xa9 \xf0\x9f\x98\x80"),
        STATIC("\0"),
        STATIC("a\0001\0\0b'c\\012%\r\n\t\x7f\xff\xfe"),
        STATIC("ends with newlines\r\n\n\n"),
        STATIC("\xc2\x9b"
               "31m"),
    };
    for (size_t i = 0; i < E8_COUNT(bodies); i++)
        assert_body_arrives(shell, bodies[i]);
    char all[512];
    for (int i = 0; i < 512; i++)
        all[i] = (char)i;
    assert_body_arrives(shell, (struct e8_str){all, sizeof all});
    size_t n = 300000; /* more than one argument may have */
    char *large = e8_new(n, 1);
    memset(large, 'x', n);
    assert_body_arrives(shell, (struct e8_str){large, n});
    free(large);
}

static void curl_lines_survive_sh(void **state)
{
    (void)state;
    curl_lines_survive("sh");
}

static void curl_lines_survive_bash(void **state)
{
    (void)state;
    if (access("/bin/bash", X_OK) != 0)
        skip();
    curl_lines_survive("bash");
}

static void assert_curl(const char *method, const struct e8_header *headers, size_t count, struct e8_str body,
                        const char *expected)
{
    struct e8_buf out;
    e8_buf_init(&out, 4096);
    e8_http1_curl(&out, e8_str(method), E8_LIT("http://h/"), headers, count, body);
    assert_string_equal(e8_buf_cstr(&out), expected);
    e8_buf_fini(&out);
}

static void curl_lines_read_well(void **state)
{
    (void)state;
    assert_curl(
        "POST", curl_headers, 1, E8_LIT("{}"),
        "curl -X POST 'http://h/' \\\n  -H 'Content-Type: application/json' \\\n  --data-binary '{}'");
    assert_curl("GET", NULL, 0, E8_LIT(""), "curl -X GET 'http://h/'");
    assert_curl("GET", NULL, 0, E8_LIT("x"),
                "curl -X GET 'http://h/' \\\n  -H 'Content-Type:' \\\n  --data-binary 'x'");
    assert_curl("it's", NULL, 0, E8_LIT(""), "curl -X 'it'\\''s' 'http://h/'");
    assert_curl("POST", curl_headers, 1, E8_LIT("@x\n"),
                "printf '@x\\n' | curl -X POST 'http://h/' \\\n  -H 'Content-Type: application/json' \\\n"
                "  --data-binary '@-'");
}

static void curl_sends_unusually(void **state)
{
    (void)state;
    const struct e8_wire wire = {.chunked = true, .expect = true, .rate = 1000, .close_after = -1};
    struct e8_buf out;
    e8_buf_init(&out, 4096);
    e8_http1_curl_wire(&out, NULL);
    assert_int_equal(out.n, 0);
    e8_http1_curl_wire(&out, &wire);
    assert_string_equal(e8_buf_cstr(&out),
                        " \\\n  -H 'Transfer-Encoding: chunked' \\\n  -H 'Expect: 100-continue' "
                        "\\\n  --limit-rate 1000");
    e8_buf_fini(&out);
    assert_curl("HEAD", NULL, 0, E8_LIT(""), "curl --head 'http://h/'");
}

int test_requests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_name_their_host), cmocka_unit_test(curl_lines_survive_sh),
        cmocka_unit_test(curl_lines_survive_bash),  cmocka_unit_test(curl_lines_read_well),
        cmocka_unit_test(curl_sends_unusually),
    };
    return cmocka_run_group_tests_name("http1 requests", tests, NULL, NULL);
}
