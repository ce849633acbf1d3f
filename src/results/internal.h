/* What the formats share: what is written, and texts made fit for people and parsers. */
#ifndef E8_RESULTS_INTERNAL_H
#define E8_RESULTS_INTERNAL_H

#include "results/results.h"

enum {
    EXHIBITS_MOST = 5, /* of one result that are shown */
    HEAD_MOST = 8 << 10,
    LINE_MOST = 400,       /* of a head's line */
    BODY_SHOWN = 1200,     /* of a body where people read it */
    BODY_BRIEF = 400,      /* where a command beside it has it whole */
    BODY_KEPT = 16 << 10,  /* where programs do */
    COMMAND_MOST = 8 << 10 /* a longer command is not shown: half of one is worth nothing */
};

struct words {
    const char *word;  /* "PASS" */
    const char *name;  /* "pass" */
    const char *count; /* "passed" */
    const char *colour;
};
extern const struct words e8_result_words[4];
extern const struct words e8_verdict_words[3];

/* Lines stay lines (CR LF is LF), tabs tabs. What else no terminal and no XML should get (control characters, bytes that are not
 * UTF-8, marks that turn the direction of text) becomes \xNN. What is cut off is told. */
void e8_clean_text(struct e8_buf *out, struct e8_str text, size_t most);
/* The same in one line, for our own short texts. NULL: nothing. */
void e8_clean_line(struct e8_buf *out, const char *text);
/* A request or an answer: head, empty line, body. */
void e8_clean_message(struct e8_buf *out, struct e8_str message, size_t body_most);
/* The command, or a remark in its place. */
void e8_clean_command(struct e8_buf *out, const char *command);
/* Is there more to say of it than its line? */
bool e8_result_tells(const struct e8_result *result);
/* A command one of whose quoted texts goes over several lines: its lines must not be indented. */
bool e8_command_is_rigid(struct e8_str command);
/* "12,345" */
void e8_put_count(struct e8_buf *out, uint64_t count);
/* Seconds with six decimals. */
void e8_put_seconds(struct e8_buf *out, e8_dur_ns dur);

void e8_results_text(const struct e8_results *results, struct e8_style style, struct e8_buf *buf, FILE *out);
void e8_results_tap(const struct e8_results *results, struct e8_buf *buf, FILE *out);
void e8_results_junit(const struct e8_results *results, struct e8_buf *buf, FILE *out);
void e8_results_json(const struct e8_results *results, struct e8_buf *buf, FILE *out);
void e8_results_markdown(const struct e8_results *results, struct e8_buf *buf, FILE *out);
/* After each part: writes what there is once it is much. The last call, by e8_results_write, writes all. */
void e8_results_spill(struct e8_buf *buf, FILE *out);

#endif
