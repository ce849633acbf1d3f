/* What changed from one run to another: of reports as JSON has them, be they files or made of logs. */
#ifndef E8_REPORT_DIFF_H
#define E8_REPORT_DIFF_H

#include "report/report.h"

/* A run to compare. Borrowed. */
struct e8_side {
    char letter;                  /* by which it is referred to: 'A', 'B', … */
    const char *label;            /* what the user called it */
    const struct e8_node *report; /* its JSON report, checked */
};
/* A report as a tree, which the caller frees (e8_doc_free). E8_INPUT where it is too large. */
enum e8_rc e8_side_make(const struct e8_report *report, struct e8_doc **out, struct e8_err *err);
/* E8_INPUT where the tree is no report of emit8 that this one understands. */
enum e8_rc e8_side_check(const struct e8_node *root, const char *name, struct e8_err *err);

enum e8_rule_result {
    E8_RULE_HOLDS,
    E8_RULE_NOISE,       /* too much of a change, and within noise: no failure */
    E8_RULE_FAILS,       /* too much, and more than noise; or nobody knows how much is noise */
    E8_RULE_NOT_MEASURED /* on one side or both: a failure */
};
#define E8_DIFF_TEXT  256
#define E8_DIFF_TEXTS 32
struct e8_remarks {
    char obstacles[E8_DIFF_TEXTS][E8_DIFF_TEXT]; /* why the runs cannot be compared */
    size_t obstacle_count;
    char notes[E8_DIFF_TEXTS][E8_DIFF_TEXT]; /* what else differs */
    size_t note_count;
};
/* Adds what is to be said of both. any_plan: that their plans differ is no obstacle. */
void e8_remarks_add(struct e8_remarks *remarks, const struct e8_side *a, const struct e8_side *b,
                    bool any_plan);

#define E8_RULES_MOST 64
struct e8_diff {
    const struct e8_side *sides; /* two */
    struct e8_figures *figures;
    const struct e8_regression *rules;
    size_t rule_count;
    enum e8_rule_result results[E8_RULES_MOST];
    struct e8_remarks remarks;
    enum e8_run_verdict verdict; /* E8_INVALID: not comparable; E8_FAIL: a rule fails */
    char reason[320];
};
struct e8_diff_options {
    bool any_plan; /* runs of different plans are compared as well */
    bool strict;   /* a change that is too much fails, be it within noise or not */
};
/* E8_INPUT where a rule asks for what no report has. The sides and rules must outlive *out, which the caller frees. */
enum e8_rc e8_diff_make(const struct e8_side sides[2], const struct e8_regression *rules, size_t count,
                        struct e8_diff_options options, struct e8_diff **out, struct e8_err *err);
void e8_diff_free(struct e8_diff **diff); /* NULL inside is allowed */
/* text or json. */
enum e8_rc e8_diff_write(const struct e8_diff *diff, enum e8_format format, struct e8_style style, FILE *out);

#endif
