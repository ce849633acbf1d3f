/* A run to report on, made of attempts one by one. */
#ifndef TESTS_UNIT_REPORT_SAMPLE_H
#define TESTS_UNIT_REPORT_SAMPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "report/report.h"

#define MS         E8_NS_MS
#define TYPES      3
#define ENDPOINTS  2
#define RULES_MOST 40

struct sample {
    struct e8_log_run run;
    struct e8_stats *stats;
    struct e8_threshold thresholds[RULES_MOST];
    size_t threshold_count;
    struct e8_report_more more;
    struct e8_report report;
};

/* A run without attempts: ended, not interrupted, two endpoints, three types. */
void sample_init(struct sample *sample);
void sample_fini(struct sample *sample);
/* A planned delivery of one attempt; status 0 for outcomes without an answer. response in nanoseconds. */
void sample_add(struct sample *sample, enum e8_outcome outcome, int status, e8_dur_ns response,
                const char *error);
/* The same with more to say; counts the delivery as planned when it is the first attempt. */
void sample_attempt(struct sample *sample, const struct e8_attempt *attempt);
/* An attempt as sample_add makes it. */
struct e8_attempt sample_make(enum e8_outcome outcome, int status, e8_dur_ns response, const char *error);
void sample_rule(struct sample *sample, const char *rule);
/* Ends the run (what its end writes down agrees with the stats) and makes the report. */
const struct e8_report *sample_report(struct sample *sample);
/* Some hundred deliveries, mostly well. */
void sample_fill(struct sample *sample);
/* Whether a warning holds this text. */
bool sample_warns(const struct e8_report *report, const char *text);

/* What is written to the FILE that this opens; the caller frees *text after closing. */
char *sample_text(const struct e8_report *report, enum e8_format format, struct e8_style style);
void assert_has(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);
/* Of the widest line, in columns of code points (the samples hold no wide ones). */
size_t widest(const char *text);
/* Control characters other than the newline; with colour, SGR sequences are allowed. */
void assert_clean(const char *text, bool colour);

extern const struct CMUnitTest verdict_tests[], expectation_tests[], format_tests[], text_tests[],
    rows_tests[], live_tests[], feedback_tests[], curve_tests[], confidence_tests[], course_tests[],
    html_tests[], diff_tests[];
extern const size_t verdict_count, expectation_count, format_count, text_count, rows_count, live_count,
    feedback_count, curve_count, confidence_count, course_count, html_count, diff_count;

#endif
