/* Expectations of an answer: parsed from a step's `expect:`, judged on what came back. Pure.
 *
 *   expect:
 *     status: [200, 202, 409]        # numbers, classes (2xx), ranges (400..403), or `none` (no answer)
 *     within: 500ms                  # from sent to done
 *     header: {Content-Type: application/json, Retry-After: any, Location: absent}
 *     body: {contains: accepted, lacks: Traceback, /status: ok, /count: 3}   # a key that begins with '/' is a JSON pointer
 *     effect: 0..1                   # by how much the effect probe's number may grow; see the scenario's `effect:`
 *     report: true                   # judged and told, but never a failure
 *
 * Where no status is named, 2xx is expected. A 2xx that broke off before its end is none. Texts of contains and lacks may be lists.
 * A Content-Type without parameters also stands for the same with parameters; of a header that came several times one must match.
 */
#ifndef E8_EXPECT_EXPECT_H
#define E8_EXPECT_EXPECT_H

#include <stdbool.h>

#include "doc/doc.h"
#include "http1/http1.h"

struct e8_expect; /* const once parsed; lives in the arena that it was parsed into */
/* Every fault goes to errs. Texts are copied. */
enum e8_rc e8_expect_parse(struct e8_arena *arena, const struct e8_node *node, const struct e8_expect **out,
                           struct e8_errs *errs);

/* What came back. Slices are borrowed. */
struct e8_answer {
    int status;          /* 0: no answer */
    const char *outcome; /* its name: "delivered", "http_4xx", "timeout_first_byte" */
    e8_dur_ns took;      /* service time */
    struct e8_str head;  /* status line and headers as received; may be empty */
    struct e8_str body;  /* what was kept of it */
};
/* True when all holds (effect apart). Else, where why is not NULL, one line is appended: "expected 400, 401 or 403; got 200".
 * Control characters of what was received do not get into it. */
bool e8_expect_holds(const struct e8_expect *expect, const struct e8_answer *answer, struct e8_buf *why);
/* "400, 401 or 403 within 5s; body lacks \"Traceback\"": what is expected, for people. */
void e8_expect_text(const struct e8_expect *expect, struct e8_buf *out);
/* Must the answer's head and body be kept to judge it? */
bool e8_expect_reads(const struct e8_expect *expect);
bool e8_expect_only_reports(const struct e8_expect *expect);
/* False where no effect is expected of the step. */
bool e8_expect_effect(const struct e8_expect *expect, int64_t *low, int64_t *high);
/* The same expectation with other statuses ("[404, 4xx]" as a node): a profile's override. In `arena`. */
enum e8_rc e8_expect_override(struct e8_arena *arena, const struct e8_expect *expect,
                              const struct e8_node *statuses, const struct e8_expect **out,
                              struct e8_errs *errs);

/* Statuses for people who read an answer: "200", "2xx", "400..403". False when it is none of them. */
struct e8_statuses {
    int low, high; /* both included; 0..0 is "none" */
};
bool e8_statuses_parse(struct e8_str text, struct e8_statuses *out);

/* What is wrong with a pointer's spelling; NULL: nothing. */
const char *e8_pointer_fault(struct e8_str pointer);
/* RFC 6901 over a JSON text. The number there (a whole one, or a string that holds one) in *out. E8_INPUT with what is there. */
enum e8_rc e8_pointer_number(struct e8_str json, const char *pointer, int64_t *out, struct e8_err *err);

#endif
