#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/kept.h"
#include "cli/merge.h"
#include "cli/outputs.h"
#include "cli/runs.h"

const struct e8_option e8_merge_options[] = {
    {"output", 'o', "FILE", "the log of the whole run", E8_OPTION_WRITES},
    {"force", 0, NULL, "replace it where it is there", 0},
    {"run", 0, "[FILE=]N", "which run of a log; default: the newest that is a shard (repeatable)",
     E8_OPTION_REPEATS},
    {"threshold", 0, "RULE", "judge by these instead of the shards' own (repeatable)", E8_OPTION_REPEATS},
    {"format", 0, "text|json|ndjson|csv|tap|junit|markdown|html", "of the report on stdout", 0},
    {NULL, 0, NULL, NULL, 0},
};

/* Logs, or stdin alone. *lines: stdin. */
static enum e8_rc check_words(const struct e8_merge *merge, bool *lines, struct e8_err *err)
{
    const struct e8_args *args = merge->args;
    *lines = false;
    for (size_t i = 0; i < args->word_count; i++) {
        *lines = *lines || strcmp(args->words[i], "-") == 0;
    }
    if (*lines && args->word_count > 1) {
        return e8_fail(err, E8_INPUT, "merge either logs or stdin", "\"-\" stands for all shards, on stdin");
    }
    if (*lines && (e8_arg(args, "output") || e8_arg_set(args, "run"))) {
        return e8_fail(err, E8_INPUT, "merge the shards' logs instead",
                       "results on stdin hold no rows of a log: neither -o nor --run has a meaning");
    }
    if (!*lines && !e8_arg(args, "output")) {
        return e8_fail(err, E8_INPUT, "-o ALL.db", "-o does not say where the merged log goes");
    }
    if (!e8_arg(args, "output") && e8_arg_set(args, "force")) {
        return e8_fail(err, E8_INPUT, "leave it out", "--force is for -o");
    }
    return E8_OK;
}

static enum e8_rc read_stats(struct e8_merge *merge, struct e8_err *err)
{
    enum e8_rc rc = E8_OK;
    for (size_t i = 0; !rc && i < merge->count; i++) {
        struct e8_merge_part *part = &merge->parts[i];
        if (part->reader) {
            part->stats = e8_stats_new((unsigned)part->run.endpoint_count, (unsigned)part->run.type_count);
            rc = e8_dlog_stats(part->reader, &part->run, part->stats, err);
        }
    }
    return rc;
}

static enum e8_rc load(struct e8_merge *merge, bool lines, struct e8_err *err)
{
    const char *output = e8_arg(merge->args, "output");
    enum e8_rc rc = output ? e8_merge_may_write(output, e8_arg_set(merge->args, "force"), err) : E8_OK;
    rc = rc ? rc : lines ? e8_merge_read_lines(merge, err) : e8_merge_open_logs(merge, err);
    rc = rc ? rc : e8_merge_check(merge, err);
    rc = rc ? rc : read_stats(merge, err);
    rc = rc ? rc : e8_merge_run(merge, err);
    if (!rc && merge->passed) {
        fprintf(stderr, "emit8: %zu line%s of stdin told no shard, and %s passed over\n", merge->passed,
                merge->passed == 1 ? "" : "s", merge->passed == 1 ? "was" : "were");
    }
    return rc;
}

/* What an interrupted shard left out makes the whole an interrupted run, whatever the verdict of the rest. */
static int exit_code(const struct e8_merge *merge, const struct e8_report *report)
{
    static const int codes[] = {
        [E8_PASS] = E8_EXIT_PASS, [E8_FAIL] = E8_EXIT_FAIL, [E8_INVALID] = E8_EXIT_INVALID};
    bool interrupted = merge->run.interrupted && !merge->more.aborted;
    if (merge->more.signal || interrupted) {
        return 128 + (merge->more.signal ? merge->more.signal : SIGINT);
    }
    return codes[report->verdict];
}

static int report(struct e8_merge *merge, enum e8_format format)
{
    struct e8_report *report = e8_new(1, sizeof *report);
    bool html = format == E8_FORMAT_HTML || e8_arg(merge->args, "report-html");
    struct e8_course *course = NULL;
    struct e8_err err = {0};
    merge->more.log = e8_arg(merge->args, "output");
    enum e8_rc rc = html && merge->more.log
                        ? e8_cli_course(merge->more.log, merge->run.id, merge->stats, &course, &err)
                        : E8_OK;
    merge->more.course = course;
    e8_report_make(&merge->run, merge->stats, merge->thresholds, merge->threshold_count, &merge->more,
                   report);
    int code = exit_code(merge, report);
    if (rc || e8_cli_reports_write(merge->args, report, &err)) {
        code = e8_exit_error(&err);
    }
    if (!e8_cli_stdout_of(merge->args)) {
        e8_report_write(report, format, e8_cli_style(merge->args, stdout), stdout);
    }
    free(report);
    free(course);
    return code;
}

static int merge_all(struct e8_merge *merge)
{
    const char *name = e8_arg(merge->args, "format"), *output = e8_arg(merge->args, "output");
    enum e8_format format = E8_FORMAT_TEXT;
    struct e8_err err = {0};
    bool lines;
    int signal = 0;
    enum e8_rc rc = check_words(merge, &lines, &err);
    rc = rc || !name ? rc : e8_report_format(name, &format, &err);
    rc = rc ? rc : e8_report_fits(0, format, &err);
    rc = rc ? rc : e8_cli_reports_check(merge->args, &err);
    rc = rc ? rc : load(merge, lines, &err);
    if (!rc && output) {
        rc = e8_merge_write(merge, output, e8_arg_set(merge->args, "force"), &signal, &err);
    }
    if (signal) {
        return 128 + signal;
    }
    return rc ? e8_exit_error(&err) : report(merge, format);
}

int e8_cmd_merge(const struct e8_args *args)
{
    struct e8_merge merge = {.args = args, .arena = e8_arena_new()};
    int code = merge_all(&merge);
    for (size_t i = 0; i < merge.count; i++) {
        e8_stats_free(&merge.parts[i].stats);
        e8_doc_free(&merge.parts[i].doc);
        e8_doc_free(&merge.parts[i].notes);
        e8_dlog_reader_free(&merge.parts[i].reader);
    }
    free(merge.parts);
    e8_stats_free(&merge.stats);
    e8_hist_free(&merge.spread);
    e8_arena_free(&merge.arena);
    return code;
}
