#include "cli/hdr.h"

#include "cli/kept.h"

#define INTERVAL E8_NS_S

static const struct e8_cli_file file = {"hdr", 0};

enum e8_rc e8_cli_hdr_check(const struct e8_args *args, struct e8_err *err)
{
    return e8_cli_files_check(args, &file, 1, err);
}

struct source {
    struct e8_dlog_reader *reader; /* NULL: stats are the whole run */
    const struct e8_log_run *run;
    const struct e8_stats *stats;
    struct e8_err *err; /* of reading */
};

struct intervals {
    const struct e8_log_run *run;
    struct e8_stats *stats; /* of the interval */
    int64_t at;             /* its number; -1: none */
    FILE *out;
};

static void end_interval(struct intervals *intervals)
{
    if (intervals->at >= 0) {
        e8_hdr_interval(intervals->at * INTERVAL, INTERVAL, intervals->stats, intervals->out);
        e8_stats_reset(intervals->stats);
    }
}

static void add(void *state, const struct e8_attempt *attempt)
{
    struct intervals *intervals = state;
    e8_dur_ns since = attempt->times.done - intervals->run->epoch;
    int64_t at = since > 0 ? since / INTERVAL : 0;
    if (at != intervals->at) {
        end_interval(intervals);
        intervals->at = at;
    }
    e8_stats_add(intervals->stats, attempt);
}

static enum e8_rc write_intervals(const struct source *source, FILE *out)
{
    const struct e8_log_run *run = source->run;
    struct intervals intervals = {
        .run = run,
        .stats = e8_stats_new((unsigned)run->endpoint_count, (unsigned)run->type_count),
        .at = -1,
        .out = out,
    };
    enum e8_rc rc = e8_dlog_attempts(source->reader, run, add, &intervals, source->err);
    end_interval(&intervals);
    e8_stats_free(&intervals.stats);
    return rc;
}

static enum e8_rc write_hdr(const void *content, int format, FILE *out)
{
    const struct source *source = content;
    enum e8_rc rc = E8_OK;
    (void)format;
    e8_hdr_begin(source->run, out);
    if (source->reader) {
        rc = write_intervals(source, out);
    } else {
        e8_hdr_interval(0, source->run->ended - source->run->started, source->stats, out);
    }
    return rc ? rc : ferror(out) ? E8_ENV : E8_OK;
}

static enum e8_rc write_source(const struct e8_args *args, const struct source *source, struct e8_err *err)
{
    enum e8_rc rc = e8_cli_files_write(args, &file, 1, write_hdr, source, err);
    if (rc && source->err->rc) {
        *err = *source->err;
    }
    return rc;
}

enum e8_rc e8_cli_hdr_logged(const struct e8_args *args, struct e8_dlog_reader *reader,
                             const struct e8_log_run *run, struct e8_err *err)
{
    struct e8_err reading = {0};
    return write_source(args, &(struct source){.reader = reader, .run = run, .err = &reading}, err);
}

enum e8_rc e8_cli_hdr_run(const struct e8_args *args, const char *log, const struct e8_log_run *run,
                          const struct e8_stats *stats, struct e8_err *err)
{
    struct e8_dlog_reader *reader = NULL;
    struct e8_log_run logged;
    struct e8_err reading = {0};
    if (!e8_arg(args, "hdr")) {
        return E8_OK;
    }
    if (!log) {
        return write_source(args, &(struct source){.run = run, .stats = stats, .err = &reading}, err);
    }
    enum e8_rc rc = e8_dlog_read(log, &reader, err);
    rc = rc ? rc : e8_dlog_run(reader, run->id, &logged, err);
    rc = rc ? rc : e8_cli_hdr_logged(args, reader, &logged, err);
    e8_dlog_reader_free(&reader);
    return rc;
}
