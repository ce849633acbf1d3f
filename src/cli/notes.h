/* What the rows of a log do not tell of a run's end, as JSON among its notes: written by run, read by report. */
#ifndef E8_CLI_NOTES_H
#define E8_CLI_NOTES_H

#include "doc/json.h"
#include "report/report.h"

#define E8_NOTED_STEPS_MAX 1000 /* those after them are told as one */
#define E8_NOTES_MAX       ((size_t)8 << 20)

/* Members of the object that is open in w. */
void e8_notes_write(const struct e8_report_more *more, struct e8_json *w);
/* The same from the notes of a run, NULL: there are none. What they lack stays zero. Texts and steps live in the arena; the caller
 * owns *spread (may become NULL): e8_hist_free. aborted is one of the thresholds. */
enum e8_rc e8_notes_read(const char *notes, const struct e8_threshold *thresholds, size_t count,
                         struct e8_arena *arena, struct e8_report_more *more, struct e8_hist **spread,
                         struct e8_err *err);

#endif
