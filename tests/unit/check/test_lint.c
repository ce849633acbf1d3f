#include "tests.h"

static void finds_stack_traces(void **state)
{
    (void)state;
    static const struct {
        const char *language, *text;
    } cases[] = {
        {"Python",
         "oops\nTraceback (most recent call last):\n  File \"app.py\", line 3, in hook\nKeyError: 'data'\n"},
        {"Python", "<code>File \"/srv/app.py\", line 31, in view</code>"},
        {"Node", "TypeError: x\n    at Object.<anonymous> (/srv/app/server.js:12:9)\n"},
        {"Node",
         "<pre>Error: x<br> &nbsp; &nbsp;at Layer.handle (/srv/node_modules/router/layer.js:95:5)<br></pre>"},
        {"Node", "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"},
        {"Node", "    at hook (/srv/app/src/hooks.ts:8:3)"},
        {"Java", "java.lang.NullPointerException\n\tat com.example.Hooks.post(Hooks.java:42)\n"},
        {"Java", "Exception in thread \"main\" java.lang.Error"},
        {"Java", "\tat com.example.HooksKt.post(Hooks.kt:42)"},
        {"PHP", "<br />\n<b>Fatal error</b>:  Uncaught TypeError in <b>/srv/hook.php</b> on line <b>7</b>"},
        {"PHP", "#0 /srv/hook.php(7): handle(NULL)\n#1 {main}"},
        {"Go", "panic: x\n\ngoroutine 18 [running]:\nmain.hook(...)\n"},
        {"Ruby", "app.rb:12:in `block in <main>': undefined method (NoMethodError)"},
        {"Ruby", "app.rb:12:in 'Integer#/': divided by 0 (ZeroDivisionError)"},
        {".NET", "   at Hooks.Post(String body) in /src/Hooks.cs:line 17"},
        {"Rust", "thread 'main' panicked at src/main.rs:4:5:"},
    };
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        const char *language = e8_stack_trace_find(e8_str(cases[i].text));
        if (!language || strcmp(language, cases[i].language) != 0) {
            fail_msg("%s: %s", language ? language : "none", cases[i].text);
        }
    }
}

static void leaves_ordinary_answers_alone(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "ok",
        "{\"status\": \"accepted\", \"at\": \"2026-03-01T12:00:00Z\"}",
        "<title>404 Not Found</title><script src=\"/app.js\"></script>",
        "look at https://example.com/docs/app.js for more",
        "the error was logged at 12:30; file hooks.java is not served",
        "File \"x\" was stored",
        "{\"error\": \"invalid signature\", \"line\": 3}",
    };
    for (size_t i = 0; i < E8_COUNT(cases); i++) {
        const char *language = e8_stack_trace_find(e8_str(cases[i]));
        if (language) {
            fail_msg("%s: %s", language, cases[i]);
        }
    }
}

static bool lint(int status, const char *retry_after, const char *body, char out[128])
{
    struct e8_buf why;
    e8_buf_fixed(&why, out, 127);
    bool wrong = e8_answer_lint(status, retry_after, e8_str(body), &why);
    e8_buf_cstr(&why);
    return wrong;
}

static void lints_answers(void **state)
{
    (void)state;
    char why[128];
    assert_false(lint(200, "", "ok", why));
    assert_false(lint(401, "", "{\"error\": \"signature\"}", why));
    assert_false(lint(500, "", "internal error", why));
    assert_false(lint(429, "30", "", why));
    assert_true(lint(429, "", "", why));
    assert_string_equal(why, "429 without Retry-After");
    assert_true(lint(301, "", "", why));
    assert_string_equal(why, "301: redirects are not followed");
    assert_true(lint(308, "", "", why));
    assert_true(lint(410, "", "", why));
    assert_true(lint(500, "", "Traceback (most recent call last):", why));
    assert_string_equal(why, "500 shows a stack trace (Python)");
}

int test_lint(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_stack_traces),
        cmocka_unit_test(leaves_ordinary_answers_alone),
        cmocka_unit_test(lints_answers),
    };
    return cmocka_run_group_tests_name("lint", tests, NULL, NULL);
}
