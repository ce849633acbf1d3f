/* How a search goes, on stderr: a line for each step that has ended, and on a terminal one for the step under way, which is rewritten
 * until it ends. Keys and signals on the way. Main thread. */
#ifndef E8_CLI_PROGRESS_H
#define E8_CLI_PROGRESS_H

#include "cli/session.h"

struct e8_cli_progress {
    bool quiet;
    bool terminal; /* stderr is one, which is ours while the search goes on */
    struct e8_live *live;
    e8_dur_ns suspended; /* how long the step under way was stopped by the terminal */
};
/* Takes the signals, and the terminal. Before any thread starts. */
void e8_cli_progress_open(struct e8_cli_progress *progress, const struct e8_args *args);
void e8_cli_progress_close(struct e8_cli_progress *progress);
/* Columns that a line of it may have, after "emit8: ". */
size_t e8_cli_progress_width(const struct e8_cli_progress *progress);
void e8_cli_progress_say(const struct e8_cli_progress *progress, const char *line);

/* A step begins: `label` says which it is. What is passed must last until its end. */
void e8_cli_progress_begin(struct e8_cli_progress *progress, const char *label, const struct e8_log_run *run,
                           struct e8_style style);
/* Draws; the signal (or the key that stands for SIGINT) that came, or 0. To be called again and again. */
int e8_cli_progress_look(struct e8_cli_progress *progress, struct e8_engine *engine,
                         const struct e8_stats *stats, bool stopping);
void e8_cli_progress_end(struct e8_cli_progress *progress);
/* Between two steps. The signal or key that ended it, or 0. */
int e8_cli_progress_rest(struct e8_cli_progress *progress, e8_dur_ns length);

#endif
