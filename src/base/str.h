/* Slices: pointer and length, never owning, not NUL-terminated. */
#ifndef E8_BASE_STR_H
#define E8_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct e8_str {
    const char *p; /* may be NULL when n is 0 */
    size_t n;
};

#define E8_LIT(literal) ((struct e8_str){"" literal, sizeof(literal) - 1})
/* For printf: "%.*s", E8_STR(s) */
#define E8_STR(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct e8_str e8_str(const char *text) /* NULL gives the empty slice */
{
    return (struct e8_str){text, text ? strlen(text) : 0};
}

/* Out of line: the lengths mostly tell. The pointers may be NULL when n is 0. */
bool e8_bytes_eq(const char *a, const char *b, size_t n);
bool e8_bytes_ieq(const char *a, const char *b, size_t n);

static inline bool e8_str_eq(struct e8_str a, struct e8_str b)
{
    return a.n == b.n && e8_bytes_eq(a.p, b.p, a.n);
}

static inline bool e8_str_is(struct e8_str a, const char *text)
{
    return e8_str_eq(a, e8_str(text));
}

static inline bool e8_str_ieq(struct e8_str a, struct e8_str b) /* ASCII case ignored */
{
    return a.n == b.n && e8_bytes_ieq(a.p, b.p, a.n);
}

bool e8_str_starts(struct e8_str a, const char *prefix);
struct e8_str e8_str_trim(struct e8_str s);
struct e8_str e8_str_trim_blanks(struct e8_str s); /* spaces and tabs alone */
/* Takes the next word that `separator` ends from *rest; false when nothing is left. */
bool e8_str_split(struct e8_str *rest, char separator, struct e8_str *word);
/* Length of valid UTF-8 (RFC 3629: no overlong form, no surrogate, at most U+10FFFF) at the start of s; s.n when all is. */
size_t e8_utf8_valid(struct e8_str s);
/* Writes the decimal digits so that they end before `end`, E8_DIGITS_MAX of them at most, and returns the first. */
#define E8_DIGITS_MAX 20
static inline char *e8_digits(uint64_t value, char *end);
/* The name in the NULL-terminated list that `unknown` was probably meant to be, or NULL. */
const char *e8_suggest(struct e8_str unknown, const char *const *names);

static inline char *e8_digits(uint64_t value, char *end)
{
    for (; value >= 100; value /= 100) {
        unsigned two = (unsigned)(value % 100);
        *--end = (char)('0' + two % 10);
        *--end = (char)('0' + two / 10);
    }
    *--end = (char)('0' + value % 10);
    if (value >= 10)
        *--end = (char)('0' + value / 10);
    return end;
}

#endif
