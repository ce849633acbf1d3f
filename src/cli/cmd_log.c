#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/again.h"
#include "cli/commands.h"
#include "cli/session.h"

#define PIPE_WIDTH   160 /* where there is no terminal to fit */
#define FOLLOW_EVERY (200 * E8_NS_MS)

const struct e8_option e8_log_options[] = {
    {"run", 0, "N", "attempts of this run, or \"all\"; default: the newest run", 0},
    {"status", 0, "STATUS", "503, 5xx, or none", 0},
    {"type", 0, "PATTERN", "event types: 'agent.*'", 0},
    {"endpoint", 0, "NAME", "one endpoint's", 0},
    {"outcome", 0, "NAME", "delivered, timeout_first_byte, …", 0},
    {"since", 0, "TIME", "RFC 3339, Unix seconds, or a time before now: 10m", 0},
    {"until", 0, "TIME", "likewise", 0},
    {"failed", 0, NULL, "attempts that did not deliver", 0},
    {"slower", 0, "DUR", "response time above: 500ms", 0},
    {"number", 'n', "N", "the newest N only", 0},
    {"follow", 'f', NULL, "go on with what comes", 0},
    {"show", 0, "DELIVERY", "all attempts of a delivery, and its request rendered again", 0},
    {"resend", 0, "DELIVERY", "send a delivery again: same ids, new attempt, time and signature", 0},
    {"to", 't', "URL", "where to resend; default: the endpoint's URL", 0},
    {"format", 0, "table|ndjson|csv", "of the rows on stdout", 0},
    {"log", 0, "FILE", "the delivery log, where no FILE is named", E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

struct logger {
    const struct e8_args *args;
    struct e8_buf path;
    struct e8_dlog_reader *reader;
    struct e8_log_filter filter;
    enum e8_format format;
    struct e8_style style;
    bool begun; /* the table's head is printed */
};

static enum e8_rc read_run(const struct e8_args *args, int64_t *run, struct e8_err *err)
{
    uint64_t n = 0;
    if (e8_arg(args, "run") && strcmp(e8_arg(args, "run"), "all") == 0) {
        *run = -1;
        return E8_OK;
    }
    enum e8_rc rc = e8_arg_u64(args, "run", 1, INT64_MAX, &n, err);
    *run = (int64_t)n;
    return rc;
}

static enum e8_rc read_filter(struct logger *l, struct e8_err *err)
{
    struct e8_log_filter *f = &l->filter;
    f->status = e8_arg(l->args, "status");
    f->type = e8_arg(l->args, "type");
    f->endpoint = e8_arg(l->args, "endpoint");
    f->outcome = e8_arg(l->args, "outcome");
    f->failed = e8_arg_set(l->args, "failed");
    enum e8_rc rc = read_run(l->args, &f->run, err);
    rc = rc ? rc : e8_arg_time(l->args, "since", &f->since, err);
    rc = rc ? rc : e8_arg_time(l->args, "until", &f->until, err);
    rc = rc ? rc : e8_arg_dur(l->args, "slower", &f->slower, err);
    rc = rc ? rc : e8_arg_u64(l->args, "number", 1, INT64_MAX, &f->limit, err);
    rc = rc ? rc : e8_cli_format(l->args, E8_FORMAT_TABLE, &l->format, err);
    if (!rc && l->format == E8_FORMAT_TEXT) {
        l->format = E8_FORMAT_TABLE;
    }
    if (!rc && l->format == E8_FORMAT_JSON) {
        rc = e8_fail(err, E8_INPUT, "table, ndjson or csv", "rows come as ndjson, not json");
    }
    return rc ? rc : e8_log_filter_check(f, err);
}

static enum e8_rc open_log(struct logger *l, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    if (l->args->word_count) {
        e8_buf_puts(&l->path, l->args->words[0]);
    } else if (e8_arg(l->args, "log")) {
        e8_buf_puts(&l->path, e8_arg(l->args, "log"));
    } else {
        rc = e8_dlog_default_path(&l->path, err);
    }
    return rc ? rc : e8_dlog_read(e8_buf_cstr(&l->path), &l->reader, err);
}

static void begin_rows(struct logger *l)
{
    if (!l->begun) {
        e8_rows_begin(l->format, l->style, stdout);
    }
    l->begun = true;
}

static bool print_row(void *state, const struct e8_log_row *row)
{
    struct logger *l = state;
    l->filter.after = row->cursor;
    begin_rows(l);
    e8_rows_write(l->format, l->style, row, stdout);
    return !ferror(stdout);
}

static int follow(struct logger *l)
{
    struct e8_err err = {0};
    int signal = 0;
    e8_signals_init();
    l->filter.limit = 0;
    while (!signal && !ferror(stdout)) {
        if (e8_dlog_query(l->reader, &l->filter, print_row, l, &err)) {
            return e8_exit_error(&err);
        }
        fflush(stdout);
        signal = e8_signals_take(FOLLOW_EVERY);
    }
    return signal ? 128 + signal : E8_EXIT_PASS;
}

static int list_rows(struct logger *l)
{
    struct e8_err err = {0};
    bool following = e8_arg_set(l->args, "follow");
    if (following && l->filter.run == 0) {
        l->filter.run = -1;
        l->filter.limit = l->filter.limit ? l->filter.limit : 10;
    }
    if (e8_dlog_query(l->reader, &l->filter, print_row, l, &err)) {
        return e8_exit_error(&err);
    }
    begin_rows(l);
    fflush(stdout);
    return following ? follow(l) : E8_EXIT_PASS;
}

int e8_cmd_log(const struct e8_args *args)
{
    struct logger l = {.args = args, .style = e8_cli_style(args, stdout)};
    l.style.width = isatty(STDOUT_FILENO) ? l.style.width : PIPE_WIDTH;
    struct e8_err err = {0};
    int code;
    e8_buf_init(&l.path, 4096);
    if (read_filter(&l, &err) || open_log(&l, &err)) {
        code = e8_exit_error(&err);
    } else if (e8_arg(args, "show")) {
        code = e8_cli_show(args, l.reader, e8_arg(args, "show"));
    } else if (e8_arg(args, "resend")) {
        code = e8_cli_resend(args, l.reader, e8_buf_cstr(&l.path), e8_arg(args, "resend"));
    } else {
        code = list_rows(&l);
    }
    e8_dlog_reader_free(&l.reader);
    e8_buf_fini(&l.path);
    return code;
}
