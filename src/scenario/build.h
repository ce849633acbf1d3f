/* What the makers of plans share. Internal to scenario. */
#ifndef E8_SCENARIO_BUILD_H
#define E8_SCENARIO_BUILD_H

#include "scenario/scenario.h"

/* A plan with what it owns. `plan` is first, so that e8_plan_free finds the rest. */
struct e8_plan_owned {
    struct e8_plan plan;
    struct e8_arena *arena;
    struct e8_doc **docs; /* the file and all that it includes */
    size_t doc_count;
    struct e8_template **templates; /* compiled for this plan alone */
    size_t template_count;
    void **pieces; /* too large for the arena */
    size_t piece_count;
    char **secrets; /* wiped and freed */
    size_t secret_count;
};

struct e8_plan_owned *e8_plan_new(const struct e8_catalog *catalog);
/* Keeps a copy that is wiped with the plan. */
const char *e8_plan_secret(struct e8_plan_owned *owned, const char *secret);
/* The template of a type with these edits; the catalogue's own when there are none. NULL after a fault. */
const struct e8_template *e8_plan_template(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                                           size_t type, const struct e8_edit *edits, size_t count,
                                           struct e8_errs *errs);
/* The plan owns these from here on: a template, other memory of the heap. */
const struct e8_template *e8_plan_keep(struct e8_plan_owned *owned, struct e8_template *made);
void *e8_plan_own(struct e8_plan_owned *owned, void *piece);
/* {"edits": [{"path": PATH, "value": VALUE}, …]}, without a value for what is removed; NULL when there are no edits; in the
 * plan's arena. */
const char *e8_edits_json(struct e8_arena *arena, const struct e8_edit *edits, size_t count);
/* Adds a phase, and before it its warm-up unless that is 0; room for both is there. */
void e8_plan_phase(struct e8_plan *plan, const struct e8_phase *phase, e8_dur_ns warmup);
/* Numbers go through all phases of a flow, so that no two instances have the same entities and ids; those of warm-ups are the last. */
void e8_plan_number(struct e8_plan *plan);
/* The plan's endpoints, copied. */
void e8_plan_endpoints(struct e8_plan_owned *owned, const struct e8_endpoint *from, size_t count);
/* Marks the types that the patterns choose; how many. Patterns that choose none are faults. */
size_t e8_plan_match(const struct e8_catalog *catalog, const char *const *patterns, bool *chosen,
                     struct e8_errs *errs);
/* The one that is given, or the platform's first; in the plan's arena. */
const char *e8_plan_environment(struct e8_plan_owned *owned, const struct e8_catalog *catalog,
                                const char *given);
/* The next of plan->emits, which has room for it: an event of the type for every endpoint, still without a body. */
struct e8_emit *e8_plan_emit(struct e8_plan_owned *owned, size_t type, const char *environment);
struct e8_json;
void e8_edits_put(struct e8_json *w, const char *key, const struct e8_edit *edits,
                  size_t count); /* the list alone */
/* Digest of a text as 64 hex digits. */
void e8_plan_digest(struct e8_str text, char out[65]);
/* E8_INPUT where a delivery's headers could be more than E8_HEADERS_MAX. */
enum e8_rc e8_plan_headers(const struct e8_catalog *catalog, const struct e8_endpoint *endpoint,
                           struct e8_err *err);
/* E8_INPUT unless http(s) with a host. */
enum e8_rc e8_plan_url(const char *url, struct e8_err *err);

#endif
