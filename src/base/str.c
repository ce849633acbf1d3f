#include "base/str.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool e8_bytes_eq(const char *a, const char *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

bool e8_bytes_ieq(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool e8_str_starts(struct e8_str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static inline struct e8_str trim(struct e8_str s, bool goes(char))
{
    while (s.n > 0 && goes(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && goes(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct e8_str e8_str_trim(struct e8_str s)
{
    return trim(s, is_space);
}

struct e8_str e8_str_trim_blanks(struct e8_str s)
{
    return trim(s, is_blank);
}

bool e8_str_split(struct e8_str *rest, char separator, struct e8_str *word)
{
    if (rest->n == 0)
        return false;
    const char *end = memchr(rest->p, separator, rest->n);
    size_t n = end ? (size_t)(end - rest->p) : rest->n;
    size_t used = end ? n + 1 : n;
    *word = (struct e8_str){rest->p, n};
    *rest = (struct e8_str){rest->p + used, rest->n - used};
    return true;
}

/* The rows of RFC 3629, section 4: what may follow a lead byte. */
struct lead {
    unsigned char first, last; /* lead bytes of this row */
    unsigned char low, high;   /* the second byte */
    unsigned char length;
};

static const struct lead leads[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

/* Length of the multi-byte character at p, 0 if there is no valid one. */
static size_t sequence(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < E8_COUNT(leads); i++) {
        const struct lead *row = &leads[i];
        if (p[0] < row->first || p[0] > row->last)
            continue;
        if (n < row->length || p[1] < row->low || p[1] > row->high)
            return 0;
        for (size_t k = 2; k < row->length; k++)
            if ((p[k] & 0xC0) != 0x80)
                return 0;
        return row->length;
    }
    return 0;
}

/* Of the whole eights at the start of s, how many bytes stand in those that are all ASCII. */
static size_t ascii_eights(struct e8_str s)
{
    uint64_t eight;
    size_t i = 0;
    for (; i + sizeof eight <= s.n; i += sizeof eight) {
        memcpy(&eight, s.p + i, sizeof eight);
        if (eight & UINT64_MAX / 255 << 7)
            break;
    }
    return i;
}

size_t e8_utf8_valid(struct e8_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = ascii_eights(s);
    while (i < s.n) {
        size_t step = p[i] < 0x80 ? 1 : sequence(p + i, s.n - i);
        if (step == 0)
            break;
        i += step;
    }
    return i;
}

enum { SUGGEST_MAX = 64 };

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: insert, delete, replace, and swap of neighbours; ASCII case ignored. */
static size_t distance(struct e8_str a, struct e8_str b)
{
    size_t rows[3][SUGGEST_MAX + 1];
    for (size_t k = 0; k <= b.n; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t k = 1; k <= b.n; k++) {
            bool same = lower(a.p[i - 1]) == lower(b.p[k - 1]);
            row[k] = min(above[k - 1] + !same, 1 + min(above[k], row[k - 1]));
            if (i > 1 && k > 1 && lower(a.p[i - 1]) == lower(b.p[k - 2]) &&
                lower(a.p[i - 2]) == lower(b.p[k - 1]))
                row[k] = min(row[k], second[k - 2] + 1);
        }
    }
    return rows[a.n % 3][b.n];
}

/* The shortest name that begins with `unknown`; fewer than three letters say too little. */
static const char *completion(struct e8_str unknown, const char *const *names)
{
    const char *best = NULL;
    for (; unknown.n >= 3 && *names; names++) {
        struct e8_str name = e8_str(*names);
        if (name.n >= unknown.n && e8_str_ieq(unknown, (struct e8_str){name.p, unknown.n}) &&
            (!best || name.n < strlen(best)))
            best = *names;
    }
    return best;
}

const char *e8_suggest(struct e8_str unknown, const char *const *names)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; names[i] && unknown.n <= SUGGEST_MAX; i++) {
        struct e8_str name = e8_str(names[i]);
        if (name.n > SUGGEST_MAX)
            continue;
        size_t d = distance(unknown, name);
        size_t longer = name.n > unknown.n ? name.n : unknown.n;
        if (d < least && d <= min(longer / 3, 4)) {
            best = names[i];
            least = d;
        }
    }
    return best ? best : completion(unknown, names);
}
