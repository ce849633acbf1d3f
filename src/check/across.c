#include <stdlib.h>
#include <string.h>

#include "check/internal.h"

/* Probes that are judged on the answers of all. */
#define LINT  "RSP-01"
#define ACKS  "ACK-01"
#define BURST "ACK-02" /* its answers stand in a queue */

#define LARGE ((size_t)64 << 10) /* bodies that take their time on the way */

static struct e8_check_probe *find(struct e8_check *check, const char *id)
{
    for (size_t i = 0; i < check->count; i++) {
        if (strcmp(check->probes[i].id, id) == 0 && check->probes[i].builtin) {
            return check->probes[i].runs ? &check->probes[i] : NULL;
        }
    }
    return NULL;
}

static void look_for_faults(struct e8_check *check, const struct e8_done *done)
{
    struct e8_check_probe *probe = find(check, LINT);
    const struct e8_exchange *exchange = done->exchange;
    struct e8_buf why;
    if (!probe || !exchange || !exchange->status) {
        return;
    }
    e8_buf_init(&why, 512);
    if (e8_answer_lint(exchange->status, exchange->retry_after, e8_buf_str(&exchange->content), &why)) {
        const char *step = done->emit->name
                               ? e8_arena_printf(check->arena, "%s, %s", done->flow->name, done->emit->name)
                               : done->flow->name;
        e8_check_fault(check, probe, step, e8_buf_cstr(&why));
        if (probe->exhibit_count < EXHIBITS_MAX) {
            struct e8_exhibit exhibit = e8_check_exhibit(check, done, step);
            exhibit.expected = "no redirect, no 410, Retry-After with 429, no stack trace";
            exhibit.got = e8_arena_str(check->arena, e8_buf_str(&why)).p;
            e8_check_show(probe, done->emit, &exhibit);
        }
    }
    probe->judged++;
    e8_buf_fini(&why);
}

/* Sent as a platform sends, and alone. */
static bool is_ordinary(const struct e8_done *done)
{
    const struct e8_emit *emit = done->emit;
    return emit->deliver.copies == 0 && emit->deliver.burst == 0 && strcmp(done->flow->name, BURST) != 0 &&
           done->exchange && !done->exchange->wire && done->exchange->body.n < LARGE;
}

static void look_at_time(struct e8_check *check, const struct e8_done *done)
{
    const struct e8_attempt *attempt = done->attempt;
    struct times *times = &check->times;
    if (!is_ordinary(done)) {
        return;
    }
    if (attempt->outcome == E8_TIMEOUT_FIRST_BYTE || attempt->outcome == E8_TIMEOUT_BODY) {
        times->unanswered += !done->emit->tamper;
    } else if (attempt->status >= 200 && attempt->status <= 299) {
        if (times->count == times->room) {
            times->room = times->room ? 2 * times->room : 64;
            times->list = e8_resize(times->list, times->room, sizeof *times->list);
        }
        times->list[times->count++] = e8_service_time(&attempt->times);
    }
}

void e8_check_look(struct e8_check *check, const struct e8_done *done)
{
    look_for_faults(check, done);
    look_at_time(check, done);
}

static int by_length(const void *a, const void *b)
{
    e8_dur_ns left = *(const e8_dur_ns *)a, right = *(const e8_dur_ns *)b;
    return (left > right) - (left < right);
}

static size_t late(const struct times *times, e8_dur_ns deadline)
{
    size_t n = times->unanswered;
    for (size_t i = 0; i < times->count; i++) {
        n += times->list[i] > deadline;
    }
    return n;
}

static void put_deadlines(const struct times *times, struct e8_buf *out)
{
    static const int seconds[] = {3, 10, 15, 30}; /* those of other senders */
    e8_buf_puts(out, "; late for a deadline of ");
    for (size_t i = 0; i < E8_COUNT(seconds); i++) {
        e8_buf_printf(out, "%s%d s: %zu", i ? ", " : "", seconds[i], late(times, seconds[i] * E8_NS_S));
    }
    if (times->unanswered) {
        e8_buf_printf(out, " (of them without an answer: %zu)", times->unanswered);
    }
}

void e8_check_across(struct e8_check *check)
{
    struct e8_check_probe *probe = find(check, ACKS);
    struct times *times = &check->times;
    size_t all = times->count + times->unanswered;
    char at[E8_DUR_MAX], deadline[E8_DUR_MAX];
    if (!probe || all == 0 || probe->ended == 0) {
        return;
    }
    qsort(times->list, times->count, sizeof *times->list, by_length);
    size_t rank = (all * 99 + 99) / 100;
    bool answered = rank <= times->count;
    e8_dur_ns p99 = answered ? times->list[rank - 1] : E8_NEVER;
    struct e8_buf text;
    e8_buf_init(&text, 512);
    e8_buf_printf(&text, "p99 of %zu acknowledgements: %s; the deadline is %s", all, e8_dur_text(p99, at),
                  e8_dur_text(check->options.deadline, deadline));
    put_deadlines(times, &text);
    if (p99 > check->options.deadline) {
        e8_check_fault(check, probe, NULL, e8_buf_cstr(&text));
    } else if (!probe->told.n) {
        e8_buf_putstr(&probe->told, e8_buf_str(&text));
    }
    e8_buf_fini(&text);
}
