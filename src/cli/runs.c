#include "cli/runs.h"

#include <stdlib.h>
#include <string.h>

#include "cli/notes.h"

void e8_cli_run_name(const char *word, struct e8_arena *arena, const char **file, int64_t *run)
{
    const char *at = strrchr(word, '@');
    uint64_t number;
    *file = word;
    *run = 0;
    if (at && e8_parse_u64(e8_str(at + 1), &number) && number > 0 && number <= INT64_MAX &&
        !e8_file_readable(word)) {
        *file = e8_arena_str(arena, (struct e8_str){word, (size_t)(at - word)}).p;
        *run = (int64_t)number;
    }
}

enum e8_rc e8_cli_run_log(const struct e8_args *args, struct e8_arena *arena, const char **file,
                          struct e8_err *err)
{
    struct e8_buf path;
    enum e8_rc rc = E8_OK;
    e8_buf_init(&path, 4096);
    if (e8_arg(args, "log")) {
        e8_buf_puts(&path, e8_arg(args, "log"));
    } else {
        rc = e8_dlog_default_path(&path, err);
    }
    *file = e8_arena_str(arena, e8_buf_str(&path)).p;
    e8_buf_fini(&path);
    return rc;
}

static enum e8_rc read_thresholds(struct e8_cli_logged *logged, const char *const *given, struct e8_err *err)
{
    const char *const *texts = given ? given : logged->run.thresholds;
    size_t n = 0;
    enum e8_rc rc = E8_OK;
    while (texts && texts[n]) {
        n++;
    }
    logged->thresholds = e8_new(n + 1, sizeof *logged->thresholds);
    for (size_t i = 0; !rc && i < n; i++) {
        rc = given
                 ? e8_cli_threshold("threshold", texts[i], &logged->thresholds[logged->threshold_count], err)
                 : e8_threshold_parse(e8_str(texts[i]), &logged->thresholds[logged->threshold_count], err);
        logged->threshold_count += !rc;
    }
    return rc;
}

enum e8_rc e8_cli_run_read(const char *file, int64_t run, const char *const *thresholds, bool course,
                           struct e8_arena *arena, struct e8_cli_logged *out, struct e8_err *err)
{
    out->more.log = file;
    enum e8_rc rc = e8_dlog_read(file, &out->reader, err);
    rc = rc ? rc : e8_dlog_run(out->reader, run, &out->run, err);
    rc = rc ? rc : read_thresholds(out, thresholds, err);
    rc = rc ? rc
            : e8_notes_read(out->run.notes, out->thresholds, out->threshold_count, arena, &out->more,
                            &out->spread, err);
    if (rc) {
        return rc;
    }
    out->stats = e8_stats_new((unsigned)out->run.endpoint_count, (unsigned)out->run.type_count);
    rc = e8_dlog_stats(out->reader, &out->run, out->stats, err);
    if (!rc && course) {
        rc = e8_course_read(out->reader, &out->run, out->stats, &out->course, err);
        out->more.course = &out->course;
    }
    if (!rc) {
        e8_report_make(&out->run, out->stats, out->thresholds, out->threshold_count, &out->more,
                       &out->report);
    }
    return rc;
}

enum e8_rc e8_cli_course(const char *file, int64_t run, const struct e8_stats *stats, struct e8_course **out,
                         struct e8_err *err)
{
    struct e8_dlog_reader *reader = NULL;
    struct e8_log_run logged;
    *out = e8_new(1, sizeof **out);
    enum e8_rc rc = e8_dlog_read(file, &reader, err);
    rc = rc ? rc : e8_dlog_run(reader, run, &logged, err);
    rc = rc ? rc : e8_course_read(reader, &logged, stats, *out, err);
    e8_dlog_reader_free(&reader);
    return rc;
}

void e8_cli_run_fini(struct e8_cli_logged *logged)
{
    free(logged->thresholds);
    e8_stats_free(&logged->stats);
    e8_hist_free(&logged->spread);
    e8_dlog_reader_free(&logged->reader);
}
