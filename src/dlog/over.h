/* What is over, told at once: a file beside the log, mapped into memory, so that what stands in it outlives a process that is killed
 * before its records are written. It holds the newest deliveries of each worker, many more than can be unwritten. Internal to dlog.
 *
 * It is there while a run goes on: LOG-over.RUN. A resumed run reads those of the runs that it goes on with, and removes them when
 * it has come to its own end. */
#ifndef E8_DLOG_OVER_H
#define E8_DLOG_OVER_H

#include "dlog/dlog.h"

struct e8_over_file;
/* NULL where it cannot be made (no room, no such file system): then the log alone tells. */
struct e8_over_file *e8_over_make(const char *log, int64_t run, unsigned workers);
/* The worker's thread. */
void e8_over_put(struct e8_over_file *file, unsigned worker, const struct e8_over *over);
void e8_over_close(struct e8_over_file **file);
void e8_over_remove(const char *log, int64_t run);
/* Calls fn for each; nothing where there is no file, or none of ours. */
typedef void e8_over_fn(void *state, const struct e8_over *over);
void e8_over_read(const char *log, int64_t run, e8_over_fn *fn, void *state);

#endif
