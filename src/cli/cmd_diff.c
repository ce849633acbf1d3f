#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/runs.h"
#include "report/diff.h"

const struct e8_option e8_diff_options[] = {
    {"fail-if", 0, "RULE", "fail where it changed so much: 'p(99) > +10%', 'success < -0.1pp' (repeatable)",
     E8_OPTION_REPEATS},
    {"strict", 0, NULL, "such a change fails, be it within noise or not", 0},
    {"any-plan", 0, NULL, "compare runs of different plans as well", 0},
    {"format", 0, "text|json", "of the result on stdout", 0},
    {"log", 0, "FILE", "the delivery log of @RUN", E8_OPTION_ENV},
    {NULL, 0, NULL, NULL, 0},
};

struct differ {
    const struct e8_args *args;
    struct e8_arena *arena;
    enum e8_format format;
    struct e8_regression *rules;
    size_t rule_count;
    struct e8_doc *docs[2];
    struct e8_side sides[2];
    struct e8_diff *diff;
};

static enum e8_rc read_rules(struct differ *d, struct e8_err *err)
{
    const char **texts = e8_arg_all(d->args, "fail-if");
    enum e8_rc rc = E8_OK;
    d->rules = e8_new(E8_RULES_MOST, sizeof *d->rules);
    for (size_t i = 0; !rc && texts && texts[i]; i++) {
        struct e8_err fault = {0};
        rc = d->rule_count == E8_RULES_MOST
                 ? e8_fail(err, E8_INPUT, NULL, "at most %d rules of --fail-if", E8_RULES_MOST)
             : e8_regression_parse(e8_str(texts[i]), &d->rules[d->rule_count], &fault)
                 ? e8_cli_fail_rule("fail-if", texts[i], &fault, err)
                 : E8_OK;
        d->rule_count += !rc;
    }
    free(texts);
    if (!rc && !d->rule_count && e8_arg_set(d->args, "strict")) {
        rc = e8_fail(err, E8_INPUT, "add --fail-if 'p(99) > +10%'",
                     "--strict is for rules, and there is none");
    }
    return rc;
}

static enum e8_rc read_format(struct differ *d, struct e8_err *err)
{
    const char *name = e8_arg(d->args, "format");
    if (!name || strcmp(name, "text") == 0) {
        return E8_OK;
    }
    d->format = E8_FORMAT_JSON;
    return strcmp(name, "json") == 0 ? E8_OK
                                     : e8_fail(err, E8_INPUT, "text or json", "unknown format \"%s\"", name);
}

/* "{" is the first that a JSON report has. */
static bool is_json(const char *file)
{
    FILE *in = fopen(file, "re");
    int first = ' ';
    while (in && (first == ' ' || first == '\n' || first == '\t' || first == '\r')) {
        first = getc(in);
    }
    if (in) {
        fclose(in);
    }
    return first == '{';
}

static enum e8_rc read_report(const char *file, struct e8_doc **out, struct e8_err *err)
{
    struct e8_buf text;
    enum e8_rc rc = e8_file_read(file, E8_FILE_MAX, &text, err);
    rc = rc ? rc : e8_doc_parse(file, e8_buf_str(&text), E8_DOC_JSON, out, err);
    e8_buf_fini(&text);
    return rc ? rc : e8_side_check(e8_doc_root(*out), file, err);
}

static enum e8_rc read_log(struct differ *d, const char *file, int64_t run, struct e8_doc **out,
                           struct e8_err *err)
{
    struct e8_cli_logged logged = {0};
    enum e8_rc rc = e8_cli_run_read(file, run, NULL, false, d->arena, &logged, err);
    rc = rc ? rc : e8_side_make(&logged.report, out, err);
    e8_cli_run_fini(&logged);
    return rc;
}

static enum e8_rc read_side(struct differ *d, size_t i, struct e8_err *err)
{
    const char *word = d->args->words[i], *file;
    int64_t run;
    e8_cli_run_name(word, d->arena, &file, &run);
    enum e8_rc rc = file[0] ? E8_OK : e8_cli_run_log(d->args, d->arena, &file, err);
    if (!rc && !run && (strcmp(file, "-") == 0 || is_json(file))) {
        rc = read_report(file, &d->docs[i], err);
    } else if (!rc) {
        rc = read_log(d, file, run, &d->docs[i], err);
    }
    d->sides[i].letter = (char)('A' + i);
    d->sides[i].label = run ? e8_arena_printf(d->arena, "%s@%lld", file, (long long)run) : file;
    d->sides[i].report = rc ? NULL : e8_doc_root(d->docs[i]);
    return rc;
}

static enum e8_rc make_diff(struct differ *d, struct e8_err *err)
{
    struct e8_diff_options options = {
        .any_plan = e8_arg_set(d->args, "any-plan"),
        .strict = e8_arg_set(d->args, "strict"),
    };
    enum e8_rc rc = read_format(d, err);
    rc = rc ? rc : read_rules(d, err);
    for (size_t i = 0; !rc && i < 2; i++) {
        rc = read_side(d, i, err);
    }
    return rc ? rc : e8_diff_make(d->sides, d->rules, d->rule_count, options, &d->diff, err);
}

int e8_cmd_diff(const struct e8_args *args)
{
    static const int codes[] = {
        [E8_PASS] = E8_EXIT_PASS, [E8_FAIL] = E8_EXIT_FAIL, [E8_INVALID] = E8_EXIT_INVALID};
    struct differ d = {.args = args, .arena = e8_arena_new()};
    struct e8_err err = {0};
    int code;
    if (make_diff(&d, &err)) {
        code = e8_exit_error(&err);
    } else {
        e8_diff_write(d.diff, d.format, e8_cli_style(args, stdout), stdout);
        code = codes[d.diff->verdict];
    }
    e8_diff_free(&d.diff);
    for (size_t i = 0; i < 2; i++) {
        e8_doc_free(&d.docs[i]);
    }
    free(d.rules);
    e8_arena_free(&d.arena);
    return code;
}
