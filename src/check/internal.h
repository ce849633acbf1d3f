/* What the files of check share. */
#ifndef E8_CHECK_INTERNAL_H
#define E8_CHECK_INTERNAL_H

#include <stdatomic.h>

#include "check/check.h"

#define EXHIBITS_MAX       6                  /* of one probe */
#define E8_REQUEST_HEADERS 64                 /* of a request that is shown */
#define SHOWN_MAX          ((size_t)16 << 10) /* bytes of a body that an exhibit keeps */

/* Times of acknowledgements; of what was not answered in time, how long was waited. */
struct times {
    e8_dur_ns *list;
    size_t count, room;
    size_t unanswered;
};

struct e8_check_probe {
    const struct e8_flow *flow;
    const struct e8_probe *says;
    const char *id;
    const char *prefix; /* "SIG" of SIG-01 */
    const char *group;  /* "signature": the file's name without its ending */
    bool builtin;
    bool chosen; /* not among those: it is not told of at all */
    bool runs;
    const char *skipped; /* why it is not run */
    const char *override;
    uint64_t planned, ended; /* deliveries */
    size_t unmet, reported, judged;
    const char *why;        /* of the first that was unmet */
    struct e8_buf told;     /* what was reported, in one line */
    const char *unmeasured; /* why effects were not measured */
    const char *unread;     /* a probe for them was given, and could not be read: the fault that this is */
    e8_mono_ns first, last; /* 0: nothing was sent */
    struct e8_exhibit exhibits[EXHIBITS_MAX];
    const struct e8_emit *exhibited[EXHIBITS_MAX];
    size_t exhibit_count;
    struct e8_exhibit pending; /* the last delivery of a step whose effect is not known yet */
    const struct e8_emit *pending_emit;
};

struct e8_check {
    struct e8_check_options options;
    const struct e8_catalog *catalog;
    struct e8_plan *plan;
    struct e8_arena *arena;
    struct e8_check_probe *probes; /* canaries first, else in the order of the files */
    size_t count;
    struct e8_check_probe **by_flow; /* for each flow of the plan; NULL: no probe */
    struct e8_phase *phases;
    atomic_size_t current; /* index in probes and one; 0: none yet */
    struct times times;
    bool canary_failed;
    const char *gone; /* the probe that got the 410 which disabled the endpoint */
};

/* Calls fn with each emit of the steps, whatever branch it is in. False: fn wanted no more. */
typedef bool e8_emit_fn(void *state, const struct e8_emit *emit);
bool e8_steps_emits(struct e8_steps steps, e8_emit_fn *fn, void *state);
/* Is any of the steps such a one, whatever branch it is in? */
bool e8_steps_have(struct e8_steps steps, bool (*is)(const struct e8_step *step));

/* Puts the gaps into a flow that will be run. */
void e8_check_space(struct e8_check *check, struct e8_flow *flow);

/* Does a name that the user gave stand for this probe: its id, its prefix or its group? */
bool e8_check_named(const struct e8_check_probe *probe, struct e8_str name);
/* The hint to a name that stands for none. */
const char *e8_check_hint(const struct e8_check *check, struct e8_str name, char out[E8_HINT_MAX]);

/* What went wrong with a delivery, for showing (evidence.c). Lives in the check's arena. */
struct e8_exhibit e8_check_exhibit(struct e8_check *check, const struct e8_done *done, const char *step);
void e8_check_show(struct e8_check_probe *probe, const struct e8_emit *emit,
                   const struct e8_exhibit *exhibit);
/* A fault of the probe: counted, and the first one told. `step` may be NULL. */
void e8_check_fault(struct e8_check *check, struct e8_check_probe *probe, const char *step, const char *why);

/* Judged on all answers (across.c). */
void e8_check_look(struct e8_check *check, const struct e8_done *done);
void e8_check_across(struct e8_check *check);

#endif
