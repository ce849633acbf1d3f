/* What the files of this module share. */
#ifndef E8_EXPECT_INTERNAL_H
#define E8_EXPECT_INTERNAL_H

#include "expect/expect.h"

enum { SHOWN_MAX = 60 }; /* bytes of what was received that are shown */

struct header_rule {
    struct e8_str name, value;
    enum { HEADER_IS, HEADER_ANY, HEADER_ABSENT } kind;
};
struct pointer_rule {
    const char *pointer;
    const struct e8_node *value;
};
struct texts {
    const struct e8_str *list;
    size_t count;
};

struct e8_expect {
    const struct e8_statuses *statuses;
    size_t status_count; /* 0: 2xx */
    e8_dur_ns within;    /* -1: no bound */
    const struct header_rule *headers;
    size_t header_count;
    struct texts contains, lacks;
    const struct pointer_rule *pointers;
    size_t pointer_count;
    bool effect;
    int64_t effect_low, effect_high;
    bool report;
};

/* "400, 401 or 403" */
void e8_expect_put_statuses(const struct e8_expect *expect, struct e8_buf *out);
/* Cleaned, cut with an ellipsis; in quotes. */
void e8_expect_put_shown(struct e8_buf *out, struct e8_str text);
/* A value of a JSON document: scalars as they are, others as compact JSON; cut. */
void e8_expect_put_value(struct e8_buf *out, const struct e8_node *value);
/* The value that the pointer leads to, or NULL; then *last is the deepest node that is there and *missing the name that it lacks. */
const struct e8_node *e8_pointer_find(const struct e8_node *root, const char *pointer,
                                      const struct e8_node **last, struct e8_buf *missing);
bool e8_values_equal(const struct e8_node *a, const struct e8_node *b);

#endif
