/* Results of tests, whatever was tested: a receiver's probes, a run's expectations and thresholds. And the formats that people and
 * CI systems read them in. */
#ifndef E8_RESULTS_RESULTS_H
#define E8_RESULTS_RESULTS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/base.h"

/* width: columns of the terminal, 0: 80. colour: ANSI sequences. */
struct e8_style {
    int width;
    bool colour;
};

/* reported: judged, told, and never a failure. */
enum e8_result_kind { E8_RESULT_PASS, E8_RESULT_FAIL, E8_RESULT_SKIP, E8_RESULT_REPORT };

/* One message of an exchange that went wrong, for showing. Texts may be binary; formats clean and cut them. */
struct e8_exhibit {
    const char *step;      /* what this was: "signature: other_secret"; or NULL */
    struct e8_str request; /* request line, headers, empty line, body */
    struct e8_str answer;  /* status line, headers, empty line, body; empty: there was none */
    const char *expected, *got;
    const char *curl; /* a command that sends the same; or NULL */
};

struct e8_result {
    const char *id;    /* "SIG-01", "p(99) < 500ms", "support:12 message.received" */
    const char *group; /* "signature", "thresholds": the JUnit class */
    const char *title; /* one line */
    enum e8_result_kind kind;
    const char *reason; /* one line: what was wrong, why it was skipped, what is reported; NULL on a pass */
    const char *why, *mend; /* why it matters, how to mend it; or NULL */
    const char *reproduce;  /* a command; or NULL */
    const char *override;   /* reason of a profile that changed what is expected; or NULL */
    e8_dur_ns took;
    const struct e8_exhibit *exhibits; /* of a failure or a report */
    size_t exhibit_count;
};

enum e8_results_verdict { E8_RESULTS_PASS, E8_RESULTS_FAIL, E8_RESULTS_INVALID };
struct e8_results {
    const char *suite;  /* "emit8 check", the scenario's name */
    const char *target; /* URL, redacted; or NULL */
    e8_wall_ns started;
    e8_dur_ns took;
    const struct e8_result *list;
    size_t count;
    enum e8_results_verdict verdict;
    const char *reason;            /* of the verdict; one line */
    const char *const *properties; /* NULL-terminated pairs name, value: seed, scheme, versions; or NULL */
};
size_t e8_results_count(const struct e8_results *results, enum e8_result_kind kind);

enum e8_results_format {
    E8_RESULTS_TEXT,
    E8_RESULTS_TAP, /* TAP 14 */
    E8_RESULTS_JUNIT,
    E8_RESULTS_JSON,
    E8_RESULTS_MARKDOWN
};
bool e8_results_format_find(struct e8_str name,
                            enum e8_results_format *out); /* text, tap, junit, json, markdown */
/* E8_ENV when it could not be written whole. */
enum e8_rc e8_results_write(const struct e8_results *results, enum e8_results_format format,
                            struct e8_style style, FILE *out);

#endif
