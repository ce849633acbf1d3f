#include "cli/plan_view.h"

static void next(struct e8_buf *out)
{
    if (out->n) {
        e8_buf_puts(out, "; ");
    }
}

static void put_dur(struct e8_buf *out, e8_dur_ns dur)
{
    char text[E8_DUR_MAX];
    e8_buf_puts(out, e8_dur_text(dur, text));
}

static void put_copies(const struct e8_deliver *deliver, struct e8_buf *out)
{
    next(out);
    if (deliver->concurrent) {
        e8_buf_printf(out, "%u at once, each on its own connection", deliver->copies + 1);
    } else {
        e8_buf_printf(out, "%u more when it has ended%s", deliver->copies,
                      deliver->retried ? ", as a retry" : "");
    }
}

static void put_deliver(const struct e8_deliver *deliver, struct e8_buf *out)
{
    if (deliver->drop) {
        next(out);
        e8_buf_puts(out, "dropped: never sent");
        return;
    }
    if (deliver->copies) {
        put_copies(deliver, out);
    }
    if (deliver->reorder) {
        next(out);
        e8_buf_puts(out, "after the next event of its flow");
    }
    if (deliver->late) {
        next(out);
        put_dur(out, deliver->late);
        e8_buf_puts(out, " late");
    }
    if (deliver->burst) {
        next(out);
        e8_buf_puts(out, "held for the next ");
        put_dur(out, deliver->burst);
        e8_buf_puts(out, " mark");
    }
}

static void put_prefixed(struct e8_buf *out, const char *prefix, struct e8_buf *words)
{
    next(out);
    e8_buf_puts(out, prefix);
    e8_buf_putstr(out, e8_buf_str(words));
    e8_buf_reset(words);
}

void e8_plan_row_words(const struct e8_plan_row *row, struct e8_buf *out)
{
    const struct e8_emit *emit = row->emit;
    struct e8_buf words;
    e8_buf_init(&words, 64 << 10);
    if (emit->name) {
        e8_buf_printf(out, "\"%s\"", emit->name);
    }
    if (emit->again != E8_AGAIN_NO) {
        next(out);
        e8_buf_puts(out, emit->again == E8_AGAIN_RETRY ? "the event before once more, as a retry"
                                                       : "the event before once more, the same bytes");
    }
    put_deliver(&row->deliver, out);
    if (emit->tamper) {
        e8_tamper_text(emit->tamper, &words);
        put_prefixed(out, "tampered: ", &words);
    }
    if (emit->verbatim) {
        next(out);
        e8_buf_puts(out, "as it was recorded, not signed");
    }
    if (emit->expect) {
        e8_expect_text(emit->expect, &words);
        put_prefixed(out, e8_expect_only_reports(emit->expect) ? "would like " : "expects ", &words);
    }
    e8_buf_fini(&words);
}

const char *e8_on_failure_words(enum e8_on_failure on_failure)
{
    static const char *const words[] = {
        [E8_ON_FAILURE_STOP_FLOW] = "stop-flow",
        [E8_ON_FAILURE_CONTINUE] = "continue",
        [E8_ON_FAILURE_STOP_RUN] = "stop-run",
    };
    return words[on_failure];
}

static void put_command(const char *const *argv, struct e8_buf *out)
{
    for (size_t i = 0; argv && argv[i]; i++) {
        e8_buf_putc(out, ' ');
        e8_buf_puts(out, argv[i]);
    }
}

void e8_plan_step_words(const struct e8_plan *plan, const struct e8_step *step, struct e8_buf *out)
{
    switch (step->kind) {
    case E8_STEP_AWAIT:
        e8_buf_puts(out, "waits for the receiver");
        if (step->await.on_failure != E8_ON_FAILURE_CONTINUE) {
            e8_buf_printf(out, "; a failure stops the %s",
                          step->await.on_failure == E8_ON_FAILURE_STOP_RUN ? "run" : "flow");
        }
        break;
    case E8_STEP_SECRET:
        e8_buf_printf(out, "%s %s", step->secret.revoke ? "revoke" : "rotate",
                      plan->endpoints[step->secret.endpoint].name);
        e8_buf_puts(out,
                    step->secret.revoke ? ": the secret before signs no more" : ": the next secret signs");
        if (!step->secret.revoke && step->secret.grace) {
            e8_buf_puts(out, ", and the one before for ");
            put_dur(out, step->secret.grace);
        }
        break;
    case E8_STEP_EXEC:
        e8_buf_puts(out, "runs");
        put_command(step->exec.argv, out);
        break;
    case E8_STEP_MEASURE:
        e8_buf_printf(out, "reads the effect probe %s", step->measure.after ? "again" : "first");
        break;
    default:
        E8_UNREACHABLE();
    }
}
