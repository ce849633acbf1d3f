/* `emit8 merge`: the shards of a divided run as one. Internal to the command. */
#ifndef E8_CLI_MERGE_H
#define E8_CLI_MERGE_H

#include "cli/args.h"
#include "report/report.h"

#define E8_REMARKS_MOST 5 /* shards that are named, for each kind of remark */

/* A shard's run. Its times are wall times: run.epoch is run.started. */
struct e8_merge_part {
    const char *from;              /* for people: the file, or the line of stdin */
    struct e8_dlog_reader *reader; /* of a log; NULL: a line tells it */
    struct e8_doc *doc;            /* of a line; NULL: a log tells it */
    struct e8_doc *notes;          /* of the run */
    struct e8_log_run run;
    struct e8_stats *stats;
};
struct e8_merge {
    const struct e8_args *args;
    struct e8_arena *arena;
    struct e8_merge_part *parts;
    size_t count;
    size_t passed; /* lines of stdin that tell no shard */
    struct e8_log_run run;
    struct e8_stats *stats;
    struct e8_threshold *thresholds;
    size_t threshold_count;
    struct e8_report_more more;
    struct e8_hist *spread;
    size_t ended_early, changed,
        late; /* shards: before the end of their plan; by hand; begun after the others */
    const char *remarks[3 * E8_REMARKS_MOST + 3];
};

/* merge_log.c, merge_lines.c: all that the words or stdin name; of logs the statistics come later. */
enum e8_rc e8_merge_open_logs(struct e8_merge *merge, struct e8_err *err);
enum e8_rc e8_merge_read_lines(struct e8_merge *merge, struct e8_err *err);
/* merge_check.c: E8_INPUT unless they are the shards of one plan, each once. Puts them into their order, and reads their notes. */
enum e8_rc e8_merge_check(struct e8_merge *merge, struct e8_err *err);
/* merge_run.c: the facts, statistics and notes of the whole; the thresholds are there. */
enum e8_rc e8_merge_run(struct e8_merge *merge, struct e8_err *err);
/* merge_log.c: the log of the whole, which is there at its end or not at all. *signal: what stopped it; else 0. */
enum e8_rc e8_merge_write(struct e8_merge *merge, const char *path, bool force, int *signal,
                          struct e8_err *err);
/* Before anything is read: E8_INPUT where something stands there that is not to be replaced, E8_ENV where the system refuses. */
enum e8_rc e8_merge_may_write(const char *path, bool force, struct e8_err *err);

#endif
