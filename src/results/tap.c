/* TAP 14 (testanything.org/tap-version-14-specification.html). */
#include <string.h>

#include "results/internal.h"

/* Of a description or a directive's reason: # and \ are escaped. */
static void put_plain(struct e8_buf *buf, const char *text)
{
    struct e8_buf clean;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    for (size_t i = 0; i < clean.n; i++) {
        if (clean.p[i] == '#' || clean.p[i] == '\\')
            e8_buf_putc(buf, '\\');
        e8_buf_putc(buf, clean.p[i]);
    }
    e8_buf_fini(&clean);
}

/* A YAML text in double quotes, where JSON's escapes are YAML's. */
static void put_text(struct e8_buf *buf, const char *indent, const char *key, const char *text)
{
    struct e8_buf clean;
    if (!text)
        return;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_line(&clean, text);
    e8_buf_printf(buf, "%s%s: \"", indent, key);
    e8_buf_put_json(buf, e8_buf_str(&clean));
    e8_buf_puts(buf, "\"\n");
    e8_buf_fini(&clean);
}

/* A block would take the blanks of its first line for its indentation, and does not hold bare tabs in every parser. */
static bool fits_block(struct e8_str text)
{
    return text.n > 0 && text.p[0] != ' ' && text.p[0] != '\n' && !memchr(text.p, '\t', text.n);
}

static void put_block(struct e8_buf *buf, const char *indent, const char *key, struct e8_str text)
{
    struct e8_str line;
    if (!fits_block(text)) {
        e8_buf_printf(buf, "%s%s: \"", indent, key);
        e8_buf_put_json(buf, text);
        e8_buf_puts(buf, "\"\n");
        return;
    }
    e8_buf_printf(buf, "%s%s: |\n", indent, key);
    while (e8_str_split(&text, '\n', &line)) {
        e8_buf_printf(buf, "%s  ", indent);
        e8_buf_putstr(buf, line);
        e8_buf_putc(buf, '\n');
    }
}

static void put_message(struct e8_buf *buf, const char *indent, const char *key, struct e8_str message)
{
    struct e8_buf clean;
    if (message.n == 0)
        return;
    e8_buf_init(&clean, 1 << 20);
    e8_clean_message(&clean, message, BODY_SHOWN);
    put_block(buf, indent, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_command(struct e8_buf *buf, const char *indent, const char *key, const char *command)
{
    struct e8_buf clean;
    if (!command)
        return;
    e8_buf_init(&clean, 1 << 20);
    e8_clean_command(&clean, command);
    put_block(buf, indent, key, e8_buf_str(&clean));
    e8_buf_fini(&clean);
}

static void put_exhibits(struct e8_buf *buf, const struct e8_result *result)
{
    size_t shown = result->exhibit_count < EXHIBITS_MOST ? result->exhibit_count : EXHIBITS_MOST;
    if (shown == 0)
        return;
    e8_buf_puts(buf, "  exchanges:\n");
    for (size_t i = 0; i < shown; i++) {
        const struct e8_exhibit *exhibit = &result->exhibits[i];
        e8_buf_printf(buf, "    - number: %zu\n", i + 1);
        put_text(buf, "      ", "step", exhibit->step);
        put_text(buf, "      ", "expected", exhibit->expected);
        put_text(buf, "      ", "got", exhibit->got);
        put_message(buf, "      ", "request", exhibit->request);
        put_message(buf, "      ", "answer", exhibit->answer);
        put_command(buf, "      ", "curl", exhibit->curl);
    }
}

static void put_diagnostics(struct e8_buf *buf, const struct e8_result *result)
{
    bool fail = result->kind == E8_RESULT_FAIL;
    if (!fail && result->kind != E8_RESULT_REPORT && !result->override)
        return;
    e8_buf_puts(buf, "  ---\n");
    put_text(buf, "  ", "message", result->reason);
    e8_buf_printf(buf, "  severity: %s\n", fail ? "fail" : "comment");
    put_text(buf, "  ", "group", result->group);
    if (result->took > 0) {
        e8_buf_puts(buf, "  seconds: ");
        e8_put_seconds(buf, result->took);
        e8_buf_putc(buf, '\n');
    }
    put_text(buf, "  ", "why", result->why);
    put_text(buf, "  ", "mend", result->mend);
    put_text(buf, "  ", "override", result->override);
    put_command(buf, "  ", "reproduce", result->reproduce);
    put_exhibits(buf, result);
    e8_buf_puts(buf, "  ...\n");
}

static void put_result(struct e8_buf *buf, const struct e8_result *result, size_t number)
{
    e8_buf_printf(buf, "%s %zu - ", result->kind == E8_RESULT_FAIL ? "not ok" : "ok", number);
    put_plain(buf, result->id);
    if (result->title && result->title[0]) {
        e8_buf_putc(buf, ' ');
        put_plain(buf, result->title);
    }
    if (result->kind == E8_RESULT_SKIP) {
        e8_buf_puts(buf, " # SKIP ");
        put_plain(buf, result->reason);
    }
    e8_buf_putc(buf, '\n');
    put_diagnostics(buf, result);
}

static void put_comment(struct e8_buf *buf, const char *what, const char *text)
{
    if (!text)
        return;
    e8_buf_printf(buf, "# %s: ", what);
    e8_clean_line(buf, text);
    e8_buf_putc(buf, '\n');
}

void e8_results_tap(const struct e8_results *results, struct e8_buf *buf, FILE *out)
{
    bool failed = results->verdict == E8_RESULTS_FAIL && e8_results_count(results, E8_RESULT_FAIL) == 0;
    size_t count = results->count + failed;
    e8_buf_printf(buf, "TAP version 14\n1..%zu%s\n", count, count ? "" : " # SKIP nothing was judged");
    put_comment(buf, "suite", results->suite);
    put_comment(buf, "target", results->target);
    for (const char *const *p = results->properties; p && p[0] && p[1]; p += 2)
        put_comment(buf, p[0], p[1]);
    for (size_t i = 0; i < results->count; i++) {
        put_result(buf, &results->list[i], i + 1);
        e8_results_spill(buf, out);
    }
    if (failed) { /* no result of its own says that the whole failed */
        struct e8_result verdict = {"verdict", results->suite, NULL, E8_RESULT_FAIL,
                                    .reason = results->reason};
        put_result(buf, &verdict, count);
    }
    if (results->verdict == E8_RESULTS_INVALID) {
        e8_buf_puts(buf, "Bail out! ");
        put_plain(buf, results->reason);
        e8_buf_putc(buf, '\n');
    } else {
        put_comment(buf, e8_verdict_words[results->verdict].name, results->reason);
    }
}
