/* What scenario runs send, on its way into the delivery log. The workers of a run's engine tell what becomes known; a thread writes it in
 * batches. Nobody waits for it: where too much is left to be written it says so, and the workers begin no attempt until there is less. What
 * was under way by then is still taken, so nothing is lost, and no time is wrong. Internal to platform. */
#ifndef E8_PLATFORM_RUNLOG_H
#define E8_PLATFORM_RUNLOG_H

#include "engine/engine.h"
#include "platform/store.h"

struct e8_runlog;
/* written: each row after its commit, on the thread that writes; valid during the call. E8_ENV. */
enum e8_rc e8_runlog_start(struct e8_store *store, void (*written)(void *state, const struct e8_run_row *row),
                           void *state, struct e8_runlog **out, struct e8_err *err);
/* Writes what is left, and frees. All runs have ended. NULL inside is allowed. */
void e8_runlog_stop(struct e8_runlog **log);
/* The store has failed: what comes is dropped. Any thread. */
bool e8_runlog_failed(struct e8_runlog *log, struct e8_err *err);

/* One run, as its engine tells of it. */
struct e8_tap;
/* The run is in the store when this returns. The plan must last until e8_tap_close. */
enum e8_rc e8_tap_open(struct e8_runlog *log, const struct e8_plan *plan, const struct e8_store_run *told,
                       struct e8_tap **out, struct e8_err *err);
/* on_event and on_fed of the engine; `tap` is the e8_tap. */
void e8_tap_event(void *tap, const struct e8_event_made *event);
void e8_tap_fed(void *tap, const struct e8_fed_end *end);
/* All that was told is written, or dropped. */
bool e8_tap_is_drained(const struct e8_tap *tap);
/* How many deliveries were withheld, since their endpoint gets nothing more. */
uint64_t e8_tap_shut(const struct e8_tap *tap);
/* on_hold, likewise. */
bool e8_tap_is_full(void *tap);
/* The server ends: that is why what is not sent from now on is not. Before the engine is stopped. */
void e8_tap_cut(struct e8_tap *tap);
/* How far it is. Does not wait. */
void e8_tap_figures(struct e8_tap *tap, const struct e8_run_figures *figures);
/* The run has ended, and its engine is gone. Does not wait. note: copied; NULL: none. */
void e8_tap_close(struct e8_tap **tap, enum e8_run_state state, const char *note,
                  const struct e8_run_figures *figures);

#endif
