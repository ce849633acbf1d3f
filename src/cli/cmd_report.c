#include <stdlib.h>

#include "cli/commands.h"
#include "cli/hdr.h"
#include "cli/notes.h"
#include "cli/session.h"

const struct e8_option e8_report_options[] = {
    {"run", 0, "N", "which run of the log; default: the newest", false},
    {"format", 0, "FORMAT", "text, json, ndjson, csv, tap, junit, markdown or shard", false},
    {"threshold", 0, "RULE", "evaluate these instead of the run's own (repeatable)", false},
    {"hdr", 0, "FILE", "write all times to a file as well, as HdrHistogram's log", false},
    {"log", 0, "FILE", "the delivery log, where no FILE is named", true},
    {NULL, 0, NULL, NULL, false},
};

struct reporter {
    const struct e8_args *args;
    struct e8_dlog_reader *reader;
    struct e8_log_run run;
    struct e8_stats *stats;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_report *report;
    struct e8_arena *arena;
    struct e8_report_more more;
    struct e8_hist *spread;
    enum e8_format format;
};

static enum e8_rc read_thresholds(struct reporter *r, struct e8_err *err)
{
    const char **given = e8_arg_all(r->args, "threshold");
    const char *const *texts = given ? given : r->run.thresholds;
    size_t n = 0;
    enum e8_rc rc = E8_OK;
    while (texts && texts[n]) {
        n++;
    }
    r->thresholds = e8_new(n + 1, sizeof *r->thresholds);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = e8_threshold_parse(e8_str(texts[i]), &r->thresholds[r->threshold_count], err);
        r->threshold_count += !rc;
    }
    free(given);
    return rc;
}

static enum e8_rc open_log(struct reporter *r, struct e8_err *err)
{
    struct e8_buf path;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&path, 4096);
    if (r->args->word_count) {
        e8_buf_puts(&path, r->args->words[0]);
    } else if (e8_arg(r->args, "log")) {
        e8_buf_puts(&path, e8_arg(r->args, "log"));
    } else {
        rc = e8_dlog_default_path(&path, err);
    }
    r->more.log = e8_arena_str(r->arena, e8_buf_str(&path)).p;
    rc = rc ? rc : e8_dlog_read(r->more.log, &r->reader, err);
    e8_buf_fini(&path);
    return rc;
}

static enum e8_rc make_report(struct reporter *r, struct e8_err *err)
{
    uint64_t run = 0;
    const char *format = e8_arg(r->args, "format");
    enum e8_rc rc = format ? e8_report_format(format, &r->format, err) : E8_OK;
    rc = rc ? rc : e8_cli_hdr_check(r->args, err);
    rc = rc ? rc : e8_arg_u64(r->args, "run", 1, INT64_MAX, &run, err);
    rc = rc ? rc : open_log(r, err);
    rc = rc ? rc : e8_dlog_run(r->reader, (int64_t)run, &r->run, err);
    rc = rc ? rc : e8_report_fits(r->run.shard, r->format, err);
    rc = rc ? rc : read_thresholds(r, err);
    rc = rc ? rc
            : e8_notes_read(r->run.notes, r->thresholds, r->threshold_count, r->arena, &r->more, &r->spread,
                            err);
    if (rc) {
        return rc;
    }
    r->stats = e8_stats_new((unsigned)r->run.endpoint_count, (unsigned)r->run.type_count);
    rc = e8_dlog_stats(r->reader, &r->run, r->stats, err);
    rc = rc ? rc : e8_cli_hdr_logged(r->args, r->reader, &r->run, err);
    if (!rc) {
        r->report = e8_new(1, sizeof *r->report);
        e8_report_make(&r->run, r->stats, r->thresholds, r->threshold_count, &r->more, r->report);
    }
    return rc;
}

int e8_cmd_report(const struct e8_args *args)
{
    struct reporter r = {.args = args, .arena = e8_arena_new()};
    struct e8_err err = {0};
    int code;
    if (make_report(&r, &err)) {
        code = e8_exit_error(&err);
    } else {
        e8_report_write(r.report, r.format, e8_cli_style(args, stdout), stdout);
        code = r.report->verdict == E8_INVALID ? E8_EXIT_INVALID
               : r.report->verdict == E8_FAIL  ? E8_EXIT_FAIL
                                               : E8_EXIT_PASS;
    }
    free(r.report);
    free(r.thresholds);
    e8_stats_free(&r.stats);
    e8_hist_free(&r.spread);
    e8_arena_free(&r.arena);
    e8_dlog_reader_free(&r.reader);
    return code;
}
