#include "base/units.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct e8_str rest_after(struct e8_str text, size_t n)
{
    return n > 0 ? (struct e8_str){text.p + n, text.n - n} : text; /* NULL + 0 is undefined */
}

static size_t count_digits(struct e8_str text)
{
    size_t n = 0;
    while (n < text.n && is_digit(text.p[n]))
        n++;
    return n;
}

/* value * 10^digits + the digits; false when it overflows. */
static bool append_digits(uint64_t *value, struct e8_str digits)
{
    for (size_t i = 0; i < digits.n; i++)
        if (__builtin_mul_overflow(*value, 10U, value) ||
            __builtin_add_overflow(*value, (uint64_t)(digits.p[i] - '0'), value))
            return false;
    return true;
}

bool e8_parse_u64(struct e8_str text, uint64_t *out)
{
    uint64_t value = 0;
    if (text.n == 0 || count_digits(text) < text.n || !append_digits(&value, text))
        return false;
    *out = value;
    return true;
}

bool e8_parse_i64(struct e8_str text, int64_t *out)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    uint64_t size;
    if (!e8_parse_u64(rest_after(text, negative), &size))
        return false;
    if (size > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - size : size);
    return true;
}

/* -? (int frac? | frac) exp? of RFC 8259, section 6, where int has no leading zero. */
static bool is_number(struct e8_str text)
{
    if (text.n > 0 && text.p[0] == '-')
        text = rest_after(text, 1);
    size_t whole = count_digits(text);
    if (whole > 1 && text.p[0] == '0')
        return false;
    text = rest_after(text, whole);
    if (text.n > 0 && text.p[0] == '.') {
        size_t fraction = count_digits(rest_after(text, 1));
        if (fraction == 0)
            return false;
        text = rest_after(text, 1 + fraction);
    } else if (whole == 0) {
        return false;
    }
    if (text.n > 0 && (text.p[0] == 'e' || text.p[0] == 'E')) {
        text = rest_after(text, 1);
        if (text.n > 0 && (text.p[0] == '+' || text.p[0] == '-'))
            text = rest_after(text, 1);
        return text.n > 0 && count_digits(text) == text.n;
    }
    return text.n == 0;
}

const char *e8_whole_fault(struct e8_str text)
{
    size_t digits = 0, start = text.n > 0 && text.p[0] == '-';
    for (size_t i = start; i < text.n; i++)
        digits += text.p[i] >= '0' && text.p[i] <= '9';
    return digits > 0 && digits == text.n - start ? "is out of range" : "is no whole number";
}

bool e8_parse_double(struct e8_str text, double *out)
{
    if (!is_number(text))
        return false;
    char *copy = e8_dup_str(text);
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value = strtod_l(copy, NULL, plain);
    freelocale(plain);
    free(copy);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* Digits with a fraction, as written: "2", "2.50", ".5". */
struct decimal {
    struct e8_str whole, fraction; /* digits; one may be empty; the fraction has no trailing zeros */
};

static bool take_decimal(struct e8_str *text, struct decimal *out)
{
    out->whole = (struct e8_str){text->p, count_digits(*text)};
    out->fraction = (struct e8_str){NULL, 0};
    struct e8_str rest = rest_after(*text, out->whole.n);
    if (rest.n > 0 && rest.p[0] == '.') {
        rest = rest_after(rest, 1);
        out->fraction = (struct e8_str){rest.p, count_digits(rest)};
        if (out->fraction.n == 0)
            return false;
        rest = rest_after(rest, out->fraction.n);
    }
    if (rest.n == text->n)
        return false;
    *text = rest;
    while (out->fraction.n > 0 && out->fraction.p[out->fraction.n - 1] == '0')
        out->fraction.n--;
    return true;
}

struct unit {
    const char *name;
    uint64_t size;
};

/* decimal * unit, rounded to the nearest. The unit 1 has no fraction, and what is not 0 does not become 0. */
static bool scale(const struct decimal *decimal, uint64_t unit, uint64_t *out)
{
    uint64_t value = 0, thousandths = 0;
    E8_ASSERT(unit < UINT64_MAX / 10000);
    if (unit == 1 && decimal->fraction.n > 0)
        return false;
    if (!append_digits(&value, decimal->whole) || __builtin_mul_overflow(value, unit, &value))
        return false;
    for (size_t i = decimal->fraction.n; i > 0; i--)
        thousandths = (thousandths + (uint64_t)(decimal->fraction.p[i - 1] - '0') * unit * 1000) / 10;
    if (__builtin_add_overflow(value, (thousandths + 500) / 1000, &value))
        return false;
    *out = value;
    return value > 0 || decimal->fraction.n == 0;
}

static const struct unit times[] = {
    {"d", 86400000000000}, {"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000},
    {"us", 1000},          {"\u00b5s", 1000},    {"\u03bcs", 1000},  {"ns", 1},
};

/* The time unit that is all of `text` up to the next digit or point; 0 if there is none of that name. */
static uint64_t take_time_unit(struct e8_str *text)
{
    size_t n = 0;
    while (n < text->n && !is_digit(text->p[n]) && text->p[n] != '.')
        n++;
    struct e8_str name = {text->p, n};
    *text = rest_after(*text, n);
    for (size_t i = 0; i < E8_COUNT(times); i++)
        if (e8_str_is(name, times[i].name))
            return times[i].size;
    return 0;
}

bool e8_parse_dur(struct e8_str text, e8_dur_ns *out)
{
    uint64_t total = 0, last = UINT64_MAX;
    if (text.n == 0)
        return false;
    if (e8_str_is(text, "0"))
        text.n = 0;
    while (text.n > 0) {
        struct decimal decimal;
        uint64_t part;
        if (!take_decimal(&text, &decimal))
            return false;
        uint64_t unit = take_time_unit(&text);
        if (unit == 0 || unit >= last || !scale(&decimal, unit, &part))
            return false;
        if (__builtin_add_overflow(total, part, &total) || total > INT64_MAX)
            return false;
        last = unit;
    }
    *out = (e8_dur_ns)total;
    return true;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b > 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void reduce(uint64_t *a, uint64_t *b)
{
    uint64_t divisor = common_divisor(*a, *b);
    *a /= divisor;
    *b /= divisor;
}

bool e8_parse_rate(struct e8_str text, struct e8_rate *out)
{
    struct decimal decimal;
    if (!take_decimal(&text, &decimal) || text.n == 0 || text.p[0] != '/')
        return false;
    text = rest_after(text, 1);
    uint64_t unit = take_time_unit(&text);
    if (unit == 0 || text.n > 0)
        return false;
    uint64_t events = 0, tens = 1;
    if (!append_digits(&events, decimal.whole) || !append_digits(&events, decimal.fraction))
        return false;
    for (size_t i = 0; i < decimal.fraction.n; i++)
        if (__builtin_mul_overflow(tens, 10U, &tens))
            return false;
    reduce(&events, &tens);
    reduce(&events, &unit);
    uint64_t den;
    if (__builtin_mul_overflow(tens, unit, &den))
        return false;
    *out = (struct e8_rate){.num = events, .den = den};
    return true;
}

double e8_rate_per_s(struct e8_rate rate)
{
    return (double)rate.num * 1e9 / (double)rate.den;
}

static const struct unit sizes[] = {
    {"", 1},
    {"b", 1},
    {"k", 1024},
    {"kib", 1024},
    {"kb", 1000},
    {"m", 1048576},
    {"mib", 1048576},
    {"mb", 1000000},
    {"g", 1073741824},
    {"gib", 1073741824},
    {"gb", 1000000000},
    {"t", 1099511627776},
    {"tib", 1099511627776},
    {"tb", 1000000000000},
};

bool e8_parse_size(struct e8_str text, uint64_t *out)
{
    struct decimal decimal;
    if (!take_decimal(&text, &decimal))
        return false;
    for (size_t i = 0; i < E8_COUNT(sizes); i++) {
        if (!e8_str_ieq(text, e8_str(sizes[i].name)))
            continue;
        uint64_t value;
        if (!scale(&decimal, sizes[i].size, &value))
            return false;
        *out = value;
        return true;
    }
    return false;
}

/* "99.9%" is read as 99.9e-2, which is the same double as 0.999; a division by 100 would not always give it. */
static bool parse_percent(struct e8_str number, double *out)
{
    struct e8_buf buf;
    e8_buf_init(&buf, number.n + 3);
    e8_buf_putstr(&buf, number);
    e8_buf_puts(&buf, "e-2");
    bool good = e8_parse_double(e8_buf_str(&buf), out);
    e8_buf_fini(&buf);
    return good;
}

bool e8_parse_factor(struct e8_str text, double *out)
{
    if (text.n > 0 && text.p[text.n - 1] == 'x')
        text.n--;
    return e8_parse_double(text, out);
}

bool e8_parse_share(struct e8_str text, double *out)
{
    bool percent = text.n > 0 && text.p[text.n - 1] == '%';
    if (percent)
        text.n--;
    while (percent && text.n > 0 && text.p[text.n - 1] == ' ')
        text.n--;
    double value;
    if (!(percent ? parse_percent(text, &value) : e8_parse_double(text, &value)))
        return false;
    if (signbit(value) || value > 1 || (!percent && value >= 1))
        return false;
    *out = value;
    return true;
}

const char *e8_share_hint(struct e8_str text, const char *otherwise, char out[E8_SHARE_HINT_MAX])
{
    double value;
    if (!e8_parse_double(text, &value) || value < 1 || value > 100 || text.n > 16)
        return otherwise;
    if (value < 100)
        snprintf(out, E8_SHARE_HINT_MAX, "%.*s%% or %.6g? 100%% is all", E8_STR(text), value / 100);
    else
        snprintf(out, E8_SHARE_HINT_MAX, "%.*s%%", E8_STR(text));
    return out;
}

/* Two parts as users write them: "1m40s", "2h", "3d4h". */
static void put_long(struct e8_buf *buf, uint64_t ns)
{
    static const struct unit parts[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
    uint64_t seconds = (ns + 500000000) / 1000000000;
    uint64_t step = seconds < 3600 ? 1 : seconds < 86400 ? 60 : 3600;
    seconds = (seconds + step / 2) / step * step;
    for (size_t i = 0; i < E8_COUNT(parts); i++) {
        if (seconds < parts[i].size)
            continue;
        e8_buf_putu(buf, seconds / parts[i].size);
        e8_buf_puts(buf, parts[i].name);
        seconds %= parts[i].size;
    }
}

static void put_short(struct e8_buf *buf, uint64_t ns)
{
    static const struct unit parts[] = {{" s", 1000000000}, {" ms", 1000000}, {" \u00b5s", 1000}, {" ns", 1}};
    size_t i = 0;
    while (i + 1 < E8_COUNT(parts) && ns < parts[i].size)
        i++;
    e8_buf_putu(buf, ns / parts[i].size);
    uint64_t rest = ns % parts[i].size;
    if (rest > 0)
        e8_buf_putc(buf, '.');
    for (uint64_t place = parts[i].size / 10; rest > 0; place /= 10) {
        e8_buf_putu(buf, rest / place);
        rest %= place;
    }
    e8_buf_puts(buf, parts[i].name);
}

const char *e8_dur_text(e8_dur_ns dur, char out[E8_DUR_MAX])
{
    struct e8_buf buf;
    e8_buf_fixed(&buf, out, E8_DUR_MAX);
    if (dur == E8_NEVER) {
        e8_buf_puts(&buf, "never");
        return e8_buf_cstr(&buf);
    }
    uint64_t ns = dur < 0 ? 0 - (uint64_t)dur : (uint64_t)dur;
    uint64_t step = 1;
    while (ns / step >= 1000)
        step *= 10;
    uint64_t rounded = (ns + step / 2) / step * step;
    if (dur < 0)
        e8_buf_putc(&buf, '-');
    if (rounded >= 100 * (uint64_t)E8_NS_S)
        put_long(&buf, ns);
    else
        put_short(&buf, rounded);
    return e8_buf_cstr(&buf);
}

const char *e8_count_text(uint64_t count, char out[E8_NUMBER_MAX])
{
    char digits[E8_NUMBER_MAX];
    struct e8_buf plain, grouped;
    e8_buf_fixed(&plain, digits, sizeof(digits));
    e8_buf_fixed(&grouped, out, E8_NUMBER_MAX);
    e8_buf_putu(&plain, count);
    for (size_t i = 0; i < plain.n; i++) {
        if (i > 0 && (plain.n - i) % 3 == 0) {
            e8_buf_putc(&grouped, ',');
        }
        e8_buf_putc(&grouped, digits[i]);
    }
    return e8_buf_cstr(&grouped);
}
