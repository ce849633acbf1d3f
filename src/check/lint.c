#include <ctype.h>
#include <string.h>

#include "check/check.h"

/* A line that has `first`, and behind it `second` with a digit at its end where `number` says so. The words are those that the
 * languages' own runtimes print. */
static const struct trace {
    const char *language, *first, *second;
    bool number;
} traces[] = {
    {"Python", "Traceback (most recent call last)", NULL, false},
    {"Python", "File \"", "\", line ", true},
    {"Node", "at ", ".js:", true},
    {"Node", "at ", ".ts:", true},
    {"Node", "at ", ".mjs:", true},
    {"Node", "at ", "node:internal/", false},
    {"Java", "at ", ".java:", true},
    {"Java", "at ", ".kt:", true},
    {"Java", "Exception in thread \"", NULL, false},
    {"PHP", "PHP Fatal error:", NULL, false},
    {"PHP", "Fatal error</b>:", NULL, false},
    {"PHP", "#0 ", ".php(", true},
    {"Go", "goroutine ", " [running]", false},
    {"Go", "panic: runtime error", NULL, false},
    {"Ruby", ".rb:", ":in `", false},
    {"Ruby", ".rb:", ":in '", false},
    {".NET", "at ", ".cs:line ", true},
    {"Rust", "thread '", "' panicked at ", false},
};

static const char *find(const char *from, const char *end, const char *what)
{
    return from < end ? memmem(from, (size_t)(end - from), what, strlen(what)) : NULL;
}

static bool line_has(const struct trace *trace, struct e8_str line)
{
    const char *end = line.p + line.n;
    const char *at = find(line.p, end, trace->first);
    if (!at || !trace->second) {
        return at != NULL;
    }
    at += strlen(trace->first);
    while ((at = find(at, end, trace->second))) {
        at += strlen(trace->second);
        if (!trace->number || (at < end && isdigit((unsigned char)*at))) {
            return true;
        }
    }
    return false;
}

const char *e8_stack_trace_find(struct e8_str text)
{
    struct e8_str line;
    while (e8_str_split(&text, '\n', &line)) {
        for (size_t i = 0; line.n && i < E8_COUNT(traces); i++) {
            if (line_has(&traces[i], line)) {
                return traces[i].language;
            }
        }
    }
    return NULL;
}

bool e8_answer_lint(int status, const char *retry_after, struct e8_str body, struct e8_buf *why)
{
    const char *language = e8_stack_trace_find(body);
    if (status >= 300 && status <= 399) {
        e8_buf_printf(why, "%d: redirects are not followed", status);
    } else if (status == 410) {
        e8_buf_puts(why, "410 disables the endpoint for good");
    } else if (status == 429 && !retry_after[0]) {
        e8_buf_puts(why, "429 without Retry-After");
    } else if (language) {
        e8_buf_printf(why, "%d shows a stack trace (%s)", status, language);
    } else {
        return false;
    }
    return true;
}
