#include <string.h>

#include "results/internal.h"

const struct words e8_result_words[4] = {
    [E8_RESULT_PASS] = {"PASS", "pass", "passed", "\033[32m"},
    [E8_RESULT_FAIL] = {"FAIL", "fail", "failed", "\033[31m"},
    [E8_RESULT_SKIP] = {"SKIP", "skip", "skipped", "\033[33m"},
    [E8_RESULT_REPORT] = {"REPORT", "report", "reported", "\033[36m"},
};
const struct words e8_verdict_words[3] = {
    [E8_RESULTS_PASS] = {"PASS", "pass", NULL, "\033[32m"},
    [E8_RESULTS_FAIL] = {"FAIL", "fail", NULL, "\033[31m"},
    [E8_RESULTS_INVALID] = {"INVALID", "invalid", NULL, "\033[33m"},
};

/* Not in the middle of a character. */
static size_t cut_at(struct e8_str text, size_t most)
{
    size_t n = most;
    while (n > 0 && most - n < 3 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Lines and columns stay. */
static void put_all(struct e8_buf *out, struct e8_str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\n' && text.p[i] != '\t')
            continue;
        bool line_end = text.p[i] == '\n' && i > from && text.p[i - 1] == '\r';
        e8_buf_put_clean(out, (struct e8_str){text.p + from, i - from - line_end});
        e8_buf_putc(out, text.p[i]);
        from = i + 1;
    }
    e8_buf_put_clean(out, (struct e8_str){text.p + from, text.n - from});
}

void e8_clean_text(struct e8_buf *out, struct e8_str text, size_t most)
{
    size_t shown = text.n > most ? cut_at(text, most) : text.n;
    put_all(out, (struct e8_str){text.p, shown});
    if (shown == text.n)
        return;
    e8_buf_puts(out, "… (");
    e8_put_count(out, text.n - shown);
    e8_buf_puts(out, text.n - shown == 1 ? " byte more)" : " bytes more)");
}

void e8_clean_line(struct e8_buf *out, const char *text)
{
    struct e8_buf clean;
    e8_buf_init(&clean, 64 << 10);
    e8_clean_text(&clean, e8_str(text), 2000);
    for (size_t i = 0; i < clean.n; i++)
        if (clean.p[i] == '\n' || clean.p[i] == '\t')
            clean.p[i] = ' ';
    e8_buf_putstr(out, e8_str_trim(e8_buf_str(&clean)));
    e8_buf_fini(&clean);
}

/* Where the head ends, and where the body begins. */
static size_t head_end(struct e8_str message, size_t *body)
{
    for (size_t i = 0; i + 1 < message.n; i++) {
        if (message.p[i] != '\n')
            continue;
        size_t next = i + 1 + (message.p[i + 1] == '\r');
        if (next < message.n && message.p[next] == '\n') {
            *body = next + 1;
            return i;
        }
    }
    *body = message.n;
    return message.n;
}

void e8_clean_message(struct e8_buf *out, struct e8_str message, size_t body_most)
{
    size_t body, end = head_end(message, &body), lines = 0;
    struct e8_str head = {message.p, end}, line;
    while (head.n > 0 && (size_t)(head.p - message.p) < HEAD_MOST && e8_str_split(&head, '\n', &line)) {
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        e8_buf_puts(out, lines++ ? "\n" : "");
        e8_clean_text(out, line, LINE_MOST);
    }
    if (head.n > 0) {
        e8_buf_puts(out, "\n… (");
        e8_put_count(out, head.n);
        e8_buf_puts(out, " bytes of headers more)");
    }
    if (body < message.n) {
        e8_buf_puts(out, "\n\n");
        e8_clean_text(out, (struct e8_str){message.p + body, message.n - body}, body_most);
    }
}

void e8_clean_command(struct e8_buf *out, const char *command)
{
    struct e8_str text = e8_str(command);
    if (text.n <= COMMAND_MOST) {
        e8_clean_text(out, text, text.n);
        return;
    }
    e8_buf_puts(out, "# a command of ");
    e8_put_count(out, text.n);
    e8_buf_puts(out, " bytes is not shown");
}

bool e8_command_is_rigid(struct e8_str command)
{
    bool quoted = false;
    for (size_t i = 0; i < command.n; i++) {
        if (!quoted && command.p[i] == '\\')
            i++;
        else if (command.p[i] == '\'')
            quoted = !quoted;
        else if (quoted && command.p[i] == '\n')
            return true;
    }
    return false;
}

void e8_put_count(struct e8_buf *out, uint64_t count)
{
    if (count >= 1000) {
        e8_put_count(out, count / 1000);
        e8_buf_printf(out, ",%03u", (unsigned)(count % 1000));
    } else {
        e8_buf_putu(out, count);
    }
}

void e8_put_seconds(struct e8_buf *out, e8_dur_ns dur)
{
    int64_t us = dur > 0 ? dur / E8_NS_US : 0;
    e8_buf_printf(out, "%lld.%06lld", (long long)(us / 1000000), (long long)(us % 1000000));
}
