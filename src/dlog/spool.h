/* Records that wait in a file beside the log until there is time to make rows of them. One thread puts, one takes. The file outlives a
 * process that is killed; how far it has been taken stands in the log. Internal to dlog. */
#ifndef E8_DLOG_SPOOL_H
#define E8_DLOG_SPOOL_H

#include "dlog/dlog.h"

enum { E8_SPOOL_BLOCK = 512 }; /* records that are put, and taken, at once */

struct e8_spool;

/* Whose records they are. */
struct e8_spool_owner {
    int64_t run;
    e8_wall_ns started; /* of the run: another log at the same path has others */
    e8_wall_ns shift;   /* wall time = monotonic time + shift */
};

/* FILE-spool.RUN, held with a lock until it is closed. NULL: it cannot be made; errno says why. */
struct e8_spool *e8_spool_make(const char *log, const struct e8_spool_owner *owner);
/* One that was left, to be taken from `at` on. NULL: errno says why; EWOULDBLOCK where another process holds it, EINVAL where this
 * version of emit8 did not write it. */
struct e8_spool *e8_spool_open(const char *path, struct e8_spool_owner *owner);
void e8_spool_close(struct e8_spool **spool);
const char *e8_spool_path(const struct e8_spool *spool);

/* At most E8_SPOOL_BLOCK. False: errno says why, and nothing was put. */
bool e8_spool_put(struct e8_spool *spool, const struct e8_record *const *records, size_t count);

/* How many of those that were put in this process have not been taken; any thread. */
uint64_t e8_spool_waiting(const struct e8_spool *spool);

/* Places: 0 before the first block, then behind each one. */
uint64_t e8_spool_end(const struct e8_spool *spool); /* any thread */
uint64_t e8_spool_at(const struct e8_spool *spool);  /* before what is taken next; any thread */
void e8_spool_go_to(struct e8_spool *spool, uint64_t at);

enum e8_taken { E8_TAKEN, E8_TAKEN_NONE, E8_TAKEN_FAILED };
/* The next block; its records are valid until the next call. NONE: all have been taken (of a file that was left: what is whole of it).
 * FAILED: errno says why. */
enum e8_taken e8_spool_take(struct e8_spool *spool, const struct e8_record **records, size_t *count);
/* What was taken before here is not needed any more: its room is given back, where the file system can. */
void e8_spool_forget(struct e8_spool *spool);

/* settle.c: makes rows of what runs of processes that were killed have left beside the log. E8_OK where there is nothing, or where another
 * process is at it. */
enum e8_rc e8_settle_left(const char *path, struct e8_err *err);

#endif
