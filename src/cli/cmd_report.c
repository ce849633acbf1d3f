#include <stdlib.h>

#include "cli/commands.h"
#include "cli/hdr.h"
#include "cli/outputs.h"
#include "cli/runs.h"

const struct e8_option e8_report_options[] = {
    {"run", 0, "N", "which run of the log; default: the newest (repeatable: several are compared)",
     E8_OPTION_REPEATS},
    {"format", 0, "text|json|ndjson|csv|tap|junit|markdown|html|shard", "of the report on stdout", 0},
    {"threshold", 0, "RULE", "evaluate these instead of the run's own (repeatable)", E8_OPTION_REPEATS},
    {"hdr", 0, "FILE", "write all times to a file as well, as HdrHistogram's log", E8_OPTION_OUTPUT},
    {"log", 0, "FILE", "the delivery log, where no FILE is named", E8_OPTION_ENV | E8_OPTION_READS},
    {NULL, 0, NULL, NULL, 0},
};

struct reporter {
    const struct e8_args *args;
    struct e8_arena *arena;
    const char **thresholds;
    enum e8_format format;
    struct e8_cli_logged *runs[E8_REPORTS_MOST];
    size_t count;
};

static enum e8_rc add_run(struct reporter *r, const char *word, int64_t number, struct e8_err *err)
{
    const char *file;
    int64_t run = 0;
    if (r->count == E8_REPORTS_MOST) {
        return e8_fail(err, E8_INPUT, NULL, "at most %d runs are compared at a time", E8_REPORTS_MOST);
    }
    struct e8_cli_logged *logged = r->runs[r->count++] = e8_new(1, sizeof *logged);
    e8_cli_run_name(word ? word : "", r->arena, &file, &run);
    if (run && number) {
        return e8_fail(err, E8_INPUT, "leave --run out", "\"%s\" says which run", word);
    }
    enum e8_rc rc = file[0] ? E8_OK : e8_cli_run_log(r->args, r->arena, &file, err);
    run = number ? number : run;
    logged->name = run ? e8_arena_printf(r->arena, "%s@%lld", file, (long long)run) : file;
    return rc ? rc
              : e8_cli_run_read(file, run, r->thresholds, r->format == E8_FORMAT_HTML, r->arena, logged, err);
}

static enum e8_rc read_number(const char *text, uint64_t *out, struct e8_err *err)
{
    return e8_parse_u64(e8_str(text), out) && *out > 0 && *out <= INT64_MAX
               ? E8_OK
               : e8_fail(err, E8_INPUT, "a whole number from 1 on", "--run \"%s\" %s", text,
                         e8_whole_fault(e8_str(text)));
}

/* Some files, or some runs of one file. */
static enum e8_rc add_runs(struct reporter *r, struct e8_err *err)
{
    const char **numbers = e8_arg_all(r->args, "run");
    size_t words = r->args->word_count;
    enum e8_rc rc = numbers && words > 1
                        ? e8_fail(err, E8_INPUT, "name them FILE@RUN: a.db@3 b.db@7", "--run is for one log")
                        : E8_OK;
    for (size_t i = 0; !rc && numbers && numbers[i]; i++) {
        uint64_t number;
        rc = read_number(numbers[i], &number, err);
        rc = rc ? rc : add_run(r, r->args->words[0], (int64_t)number, err);
    }
    for (size_t i = 0; !rc && !numbers && (i < words || i == 0); i++) {
        rc = add_run(r, r->args->words[i], 0, err);
    }
    free(numbers);
    return rc;
}

static enum e8_rc check_several(const struct reporter *r, struct e8_err *err)
{
    enum e8_rc rc = e8_reports_fit(r->format, err);
    return !rc && e8_arg(r->args, "hdr") ? e8_fail(err, E8_INPUT, "name one run", "--hdr is for one run")
                                         : rc;
}

static enum e8_rc make_reports(struct reporter *r, struct e8_err *err)
{
    const char *format = e8_arg(r->args, "format");
    enum e8_rc rc = format ? e8_report_format(format, &r->format, err) : E8_OK;
    r->thresholds = e8_arg_all(r->args, "threshold");
    rc = rc ? rc : e8_cli_hdr_check(r->args, err);
    rc = rc ? rc : add_runs(r, err);
    E8_ASSERT(rc || r->runs[0]);
    if (rc || r->count > 1) {
        return rc ? rc : check_several(r, err);
    }
    rc = e8_report_fits(r->runs[0]->run.shard, r->format, err);
    return rc ? rc : e8_cli_hdr_logged(r->args, r->runs[0]->reader, &r->runs[0]->run, err);
}

/* Of several the gravest. */
static int write_reports(const struct reporter *r)
{
    static const int codes[] = {
        [E8_PASS] = E8_EXIT_PASS, [E8_FAIL] = E8_EXIT_FAIL, [E8_INVALID] = E8_EXIT_INVALID};
    const struct e8_report *reports[E8_REPORTS_MOST];
    const char *names[E8_REPORTS_MOST];
    struct e8_style style = e8_cli_style(r->args, stdout);
    int code = E8_EXIT_PASS;
    E8_ASSERT(r->count > 0);
    for (size_t i = 0; i < r->count; i++) {
        reports[i] = &r->runs[i]->report;
        names[i] = r->runs[i]->name;
        code = codes[reports[i]->verdict] > code ? codes[reports[i]->verdict] : code;
    }
    if (e8_cli_stdout_of(r->args)) {
        return code;
    }
    if (r->count > 1) {
        e8_reports_write(reports, names, r->count, r->format, style, stdout);
    } else {
        e8_report_write(reports[0], r->format, style, stdout);
    }
    return code;
}

int e8_cmd_report(const struct e8_args *args)
{
    struct reporter r = {.args = args, .arena = e8_arena_new()};
    struct e8_err err = {0};
    int code = make_reports(&r, &err) ? e8_exit_error(&err) : write_reports(&r);
    for (size_t i = 0; i < r.count; i++) {
        e8_cli_run_fini(r.runs[i]);
        free(r.runs[i]);
    }
    free(r.thresholds);
    e8_arena_free(&r.arena);
    return code;
}
