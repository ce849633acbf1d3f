/* Errors: where, what, and what would be right. Filled once, at the place that knows; owned by the caller. */
#ifndef E8_BASE_ERR_H
#define E8_BASE_ERR_H

#include <stddef.h>
#include <stdio.h>

#include "base/str.h"

/* What a function that can fail in operation returns. */
enum e8_rc {
    E8_OK = 0,
    E8_INPUT, /* what the user gave is wrong: exit 2 */
    E8_ENV,   /* the system refused: exit 3 */
    E8_LIMIT, /* a limit was reached; an ordinary result */
};

#define E8_HINT_MAX 384
struct e8_err {
    enum e8_rc rc;
    char file[256]; /* empty where there is no file */
    int line, col;  /* 1-based; 0: not known; col counts characters, not bytes */
    char what[512];
    char hint[E8_HINT_MAX]; /* what would be right; empty where nothing can be said */
    char source[192];       /* the line of the file, for the caret; empty where not known */
};

/* Fill *err (which may be NULL) and return rc, so that a failure is one statement:
 *     return e8_fail(err, E8_INPUT, "use 100/s", "rate \"%s\" has no unit", text);  hint may be NULL */
enum e8_rc e8_fail(struct e8_err *err, enum e8_rc rc, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with a place in a file. line 0: not known. */
enum e8_rc e8_fail_at(struct e8_err *err, const char *file, int line, int col, const char *hint,
                      const char *format, ...) __attribute__((format(printf, 6, 7)));
/* What `given` tells, of the option, parameter or member by that name: "--notify: the URL …". */
enum e8_rc e8_fail_of(struct e8_err *err, const char *name, const struct e8_err *given);
/* The hint to a name that is not known: `did you mean "X"?` with the one of the NULL-terminated list that was probably meant,
 * else `otherwise` (NULL: nothing). Returns out. */
const char *e8_hint_near(struct e8_str unknown, const char *const *names, const char *otherwise,
                         char out[E8_HINT_MAX]);
/* The same, where what else would be right is one of the names: `what` and as many of them as there is room for. */
const char *e8_hint_names(struct e8_str unknown, const char *const *names, const char *what,
                          char out[E8_HINT_MAX]);
/* "file:line:col: what; hint", then the source line and a caret where known. Ends with a newline.
 * Control characters are shown as '?'. */
void e8_err_print(const struct e8_err *err, FILE *out);

/* All faults of a file, not only the first. At most E8_ERRS_MAX are kept, the rest are counted. What is the same as one that is
 * kept is told once. */
#define E8_ERRS_MAX 100
struct e8_errs {
    struct e8_err *list; /* owned; freed by e8_errs_fini */
    size_t count;        /* kept */
    size_t total;        /* all that were added, so that it grows with each */
    size_t repeated;     /* of them, dropped: one of those kept is the same */
    enum e8_rc gravest;  /* of all, also of those not kept */
};
void e8_errs_init(struct e8_errs *errs);
void e8_errs_fini(struct e8_errs *errs);
/* Copies *err. errs may be NULL. Returns err->rc. */
enum e8_rc e8_errs_add(struct e8_errs *errs, const struct e8_err *err);
/* How many faults there are, each counted once. */
size_t e8_errs_distinct(const struct e8_errs *errs);
void e8_errs_print(const struct e8_errs *errs, FILE *out);
/* E8_OK when empty, else the gravest. */
enum e8_rc e8_errs_rc(const struct e8_errs *errs);

#endif
