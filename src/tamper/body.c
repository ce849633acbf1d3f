#include <string.h>

#include "tamper/parts.h"

/* One change of a body, appended to out; false: it does not change, and nothing was written. */
typedef bool change_fn(const struct e8_tamper *tamper, struct e8_str body, uint64_t seed, struct e8_buf *out);

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The offset of the brace that closes the body's object; 0 where it is no object. Not parsed: bodies may be large. */
static size_t closing_brace(struct e8_str body, bool *empty)
{
    size_t first = 0, last = body.n;
    while (first < body.n && is_blank(body.p[first]))
        first++;
    while (last > first && is_blank(body.p[last - 1]))
        last--;
    if (last < first + 2 || body.p[first] != '{' || body.p[last - 1] != '}')
        return 0;
    size_t before = last - 2;
    while (before > first && is_blank(body.p[before]))
        before--;
    *empty = before == first;
    return last - 1;
}

static void put_times(struct e8_buf *out, char c, uint64_t count)
{
    char block[4096];
    memset(block, c, sizeof block);
    for (; count > 0 && !out->full; count -= count < sizeof block ? count : sizeof block)
        e8_buf_put(out, block, count < sizeof block ? (size_t)count : sizeof block);
}

static bool replace(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    (void)body;
    (void)seed;
    if (t->replacement.p == NULL)
        return false;
    e8_buf_putstr(out, t->replacement);
    return true;
}

static bool reform(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    (void)seed;
    return t->form != NULL && e8_form_apply(t->form, body, out);
}

static bool deepen(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    bool empty = false;
    size_t brace = t->depth > 0 ? closing_brace(body, &empty) : 0;
    (void)seed;
    if (brace == 0)
        return false;
    e8_buf_put(out, body.p, brace);
    e8_buf_puts(out, empty ? "\"extra_depth\":" : ",\"extra_depth\":");
    put_times(out, '[', t->depth);
    put_times(out, ']', t->depth);
    e8_buf_put(out, body.p + brace, body.n - brace);
    return true;
}

/* Where there is no room for a field, or no object, blanks at the end make up for it: JSON allows them. */
static bool pad(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    static const char head[] = ",\"extra_padding\":\"";
    bool empty = false;
    (void)seed;
    if (t->size <= body.n)
        return false;
    size_t brace = closing_brace(body, &empty), field = sizeof head - 1 + 1 - empty;
    bool fits = brace > 0 && t->size - body.n >= field;
    if (!fits) {
        e8_buf_putstr(out, body);
        put_times(out, ' ', t->size - body.n);
        return true;
    }
    e8_buf_put(out, body.p, brace);
    e8_buf_puts(out, head + empty);
    put_times(out, 'a', t->size - body.n - field);
    e8_buf_putc(out, '"');
    e8_buf_put(out, body.p + brace, body.n - brace);
    return true;
}

/* RFC 9110, 9.3: what a body of these would mean is not defined, and receivers may refuse it for that alone. */
static bool strip(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    (void)seed;
    (void)out;
    return t->bodiless && body.n > 0;
}

/* --- one bit --------------------------------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char flipped(char c)
{
    return (char)((unsigned char)c ^ 1u);
}

/* The end of the string that begins behind the quote at `at`: the offset of its closing quote. */
static size_t string_end(struct e8_str body, size_t at)
{
    for (at++; at < body.n && body.p[at] != '"'; at++)
        at += body.p[at] == '\\';
    return at < body.n ? at : body.n;
}

static bool is_key(struct e8_str body, size_t end)
{
    for (end++; end < body.n && is_blank(body.p[end]);)
        end++;
    return end < body.n && body.p[end] == ':';
}

/* Offset of the candidate number `wanted`: a letter or digit inside of a string value whose neighbour by one bit is one as well,
 * so that the JSON stays JSON, and a receiver that refuses it does so for the signature. *count: of all of them. */
static size_t candidate(struct e8_str body, uint64_t wanted, uint64_t *count)
{
    *count = 0;
    for (size_t at = 0; at < body.n; at++) {
        if (body.p[at] != '"')
            continue;
        size_t end = string_end(body, at);
        at = is_key(body, end) ? end : at;
        for (size_t i = at + 1; i < end; i++) {
            if (body.p[i] == '\\')
                i += i + 1 < end && body.p[i + 1] == 'u' ? 5 : 1;
            else if (is_alnum(body.p[i]) && is_alnum(flipped(body.p[i])) && (*count)++ == wanted)
                return i;
        }
        at = end;
    }
    return body.n;
}

static size_t random_byte(struct e8_str body, uint64_t seed)
{
    struct e8_rng rng = e8_rng_new(seed);
    uint64_t count;
    candidate(body, UINT64_MAX, &count);
    if (count == 0)
        return (size_t)e8_rng_below(&rng, body.n);
    return candidate(body, e8_rng_below(&rng, count), &count);
}

static bool flip(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    if (t->flip == E8_FLIP_NONE || body.n == 0)
        return false;
    size_t at = body.n - 1;
    if (t->flip == E8_FLIP_RANDOM)
        at = random_byte(body, seed);
    else if (t->flip_at < at)
        at = (size_t)t->flip_at;
    E8_ASSERT(at < body.n);
    e8_buf_put(out, body.p, at);
    e8_buf_putc(out, flipped(body.p[at]));
    e8_buf_put(out, body.p + at + 1, body.n - at - 1);
    return true;
}

static bool truncate_body(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    (void)seed;
    if (t->truncate == 0 || body.n == 0)
        return false;
    if (t->truncate < body.n)
        e8_buf_put(out, body.p, body.n - (size_t)t->truncate);
    return true;
}

/* --- before and after signing ---------------------------------------------------------------------------------------- */

static change_fn *const changes[] = {strip, replace, reform, deepen, pad, flip, truncate_body};
enum {
    DAMAGES = 5,
    CHANGES = 7
}; /* from the first on, damages come after signing unless it is said otherwise */

static bool apply(const struct e8_tamper *t, size_t from, size_t to, struct e8_str body, uint64_t seed,
                  struct e8_buf *out)
{
    struct e8_buf bufs[2];
    size_t turn = 0;
    bool changed = false;
    e8_buf_init(&bufs[0], E8_TAMPER_BODY_MAX);
    e8_buf_init(&bufs[1], E8_TAMPER_BODY_MAX);
    for (size_t i = from; i < to; i++) {
        e8_buf_reset(&bufs[turn]);
        if (!changes[i](t, body, seed, &bufs[turn]))
            continue;
        body = e8_buf_str(&bufs[turn]);
        turn ^= 1;
        changed = true;
    }
    if (changed)
        e8_buf_putstr(out, body);
    e8_buf_fini(&bufs[0]);
    e8_buf_fini(&bufs[1]);
    return changed;
}

bool e8_tamper_body(const struct e8_tamper *t, struct e8_str body, uint64_t seed, struct e8_buf *out)
{
    if (t->is_unsigned)
        return false;
    return apply(t, 0, t->is_signed ? CHANGES : DAMAGES, body, seed, out);
}

bool e8_tamper_sent(const struct e8_tamper *t, struct e8_str signed_body, uint64_t seed, struct e8_buf *out)
{
    if (t->is_signed)
        return false;
    return apply(t, t->is_unsigned ? 0 : DAMAGES, CHANGES, signed_body, seed, out);
}
