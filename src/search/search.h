/* The highest rate that holds: which is tried next. The rates double until one does not hold, the gap is halved until it is as small as
 * is wanted, and what was found must hold once more. Pure: the caller runs each step and tells what came of it. */
#ifndef E8_SEARCH_SEARCH_H
#define E8_SEARCH_SEARCH_H

#include <stdbool.h>

#include "base/base.h"

enum e8_search_stage { E8_SEARCH_CLIMB, E8_SEARCH_HALVE, E8_SEARCH_CONFIRM };
const char *e8_search_stage_name(enum e8_search_stage stage); /* "climb", "halve", "confirm" */

enum e8_search_result {
    E8_SEARCH_HOLDS,
    E8_SEARCH_FAILS,
    E8_SEARCH_INVALID, /* it says nothing of the receiver: what sends was the limit */
};
const char *e8_search_result_name(enum e8_search_result result); /* "holds", "fails", "invalid" */

/* What stands above the rate that was found. */
enum e8_search_bound {
    E8_BOUND_NONE,      /* nothing was found there yet */
    E8_BOUND_RECEIVER,  /* a rate that fails */
    E8_BOUND_GENERATOR, /* a rate that is invalid */
    E8_BOUND_TOP,       /* the highest that may be tried */
};

struct e8_search {
    double from, top; /* per second */
    double precision; /* of the rate: 0.05 */
    enum e8_search_stage stage;
    double next;
    bool ended;
    unsigned steps, confirmations;
    double holds;               /* the highest that holds; 0: none */
    double above;               /* the lowest that does not, above it; 0: none */
    enum e8_search_bound bound; /* what that was */
    bool confirmed;             /* `holds` has held twice */
};

#define E8_SEARCH_CONFIRMATIONS 4 /* at most; each that fails lowers the rate */

/* 0 < from <= top; precision 0.01 to 0.5. */
struct e8_search e8_search_begin(double from, double top, double precision);
/* False: it has ended. Else the rate to try, rounded to three digits so that people can read it. */
bool e8_search_next(const struct e8_search *search, double *rate, enum e8_search_stage *stage);
/* What came of it. */
void e8_search_tell(struct e8_search *search, enum e8_search_result result);
/* Steps that a search takes at most. */
unsigned e8_search_most(double from, double top, double precision);

#endif
