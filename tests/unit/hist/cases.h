/* The parts of this program. */
#ifndef TESTS_UNIT_HIST_CASES_H
#define TESTS_UNIT_HIST_CASES_H

#include <stdint.h>

#include "hist/hist.h"

int test_codec(void); /* how many tests failed */
/* For tests/npm/hdr.mjs, which says how. 0: all held. */
int interop_emit(void);
int interop_check(void);

void record_many(struct e8_hist *hist, int64_t value, uint64_t count);
/* Whether every slot holds the same count in both. */
bool same_slots(const struct e8_hist *a, const struct e8_hist *b);

#endif
